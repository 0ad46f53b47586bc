//! A rollup as Parquet. In: the tables. Out: their files' bytes, rows in the order of their keys.

use super::Table;
use super::facts::{Facts, Samples};
use super::local::{Name, Names, Rolled};
use crate::ingest::raw::SpanKind;
use ::arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use ::arrow::datatypes::Schema;
use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::errors::Result;
use ::parquet::file::properties::WriterProperties;
use std::sync::Arc;

/// One column of a table.
enum Column {
    Whole(&'static str, Vec<i64>),
    Text(&'static str, Vec<String>),
    Number(&'static str, Vec<f64>),
    /// A whole number that may be unknown.
    Maybe(&'static str, Vec<Option<i64>>),
}

/// The file of one table.
///
/// # Errors
///
/// When the library refuses what it is given, which would be a defect of ours.
pub fn parquet(rolled: &Rolled, names: &Names, facts: &Facts, table: Table) -> Result<Vec<u8>> {
    let columns = match table {
        Table::Operations => operations(rolled, names),
        Table::Durations => durations(rolled, names),
        Table::Edges => edges(rolled, names),
        Table::Samples => samples(facts),
        Table::Sessions => sessions(facts),
    };
    let columns = columns.into_iter().map(|c| match c {
        Column::Whole(name, values) => (name, Arc::new(Int64Array::from(values)) as ArrayRef),
        Column::Text(name, values) => (name, Arc::new(StringArray::from(values)) as ArrayRef),
        Column::Number(name, values) => (name, Arc::new(Float64Array::from(values)) as ArrayRef),
        Column::Maybe(name, values) => (name, Arc::new(Int64Array::from(values)) as ArrayRef),
    });
    let batch = RecordBatch::try_from_iter(columns)?;
    let schema: Arc<Schema> = batch.schema();
    let packed = Compression::ZSTD(ZstdLevel::default());
    let properties = WriterProperties::builder().set_compression(packed).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties))?;
    writer.write(&batch)?;
    writer.into_inner()
}

/// Key and sums of one row, by what the key's names say.
fn sorted<'a, K: Copy + 'a, V: 'a, S: Ord>(
    table: impl Iterator<Item = (&'a K, &'a V)>,
    by: impl Fn(&K) -> S,
) -> Vec<(K, &'a V)> {
    let mut rows: Vec<(K, &V)> = table.map(|(k, v)| (*k, v)).collect();
    rows.sort_by_cached_key(|(k, _)| by(k));
    rows
}

fn operations(rolled: &Rolled, names: &Names) -> Vec<Column> {
    let text = |n: Name| names.text(n).to_owned();
    let rows =
        sorted(rolled.operations.iter(), |k| (k.0, text(k.1), text(k.2), k.3.word(), text(k.4)));
    let words = |of: fn(&(i64, Name, Name, SpanKind, Name)) -> Name| {
        rows.iter().map(|(k, _)| text(of(k))).collect::<Vec<String>>()
    };
    let whole = |of: fn(&super::local::Operation) -> i64| rows.iter().map(|(_, o)| of(o)).collect();
    vec![
        Column::Whole("bucket_us", rows.iter().map(|(k, _)| k.0).collect()),
        Column::Text("service", words(|k| k.1)),
        Column::Text("operation", words(|k| k.2)),
        Column::Text("kind", rows.iter().map(|(k, _)| k.3.word().to_owned()).collect()),
        Column::Text("error_type", words(|k| k.4)),
        Column::Whole("spans", whole(|o| o.spans)),
        Column::Whole("errors", whole(|o| o.errors)),
        Column::Whole("time_us", whole(|o| o.time_us)),
        Column::Whole("self_us", whole(|o| o.self_us)),
        Column::Whole("children", whole(|o| o.children)),
    ]
}

fn durations(rolled: &Rolled, names: &Names) -> Vec<Column> {
    let text = |n: Name| names.text(n).to_owned();
    let rows = sorted(rolled.durations.iter(), |k| (k.0, text(k.1), k.2.word(), k.3));
    vec![
        Column::Whole("bucket_us", rows.iter().map(|(k, _)| k.0).collect()),
        Column::Text("service", rows.iter().map(|(k, _)| text(k.1)).collect()),
        Column::Text("kind", rows.iter().map(|(k, _)| k.2.word().to_owned()).collect()),
        Column::Whole("slot", rows.iter().map(|(k, _)| k.3).collect()),
        Column::Whole("spans", rows.iter().map(|(_, n)| **n).collect()),
    ]
}

fn edges(rolled: &Rolled, names: &Names) -> Vec<Column> {
    let text = |n: Name| names.text(n).to_owned();
    let rows = sorted(rolled.edges.iter(), |k| (k.0, text(k.1), text(k.2), text(k.3)));
    let whole = |of: fn(&super::local::Edge) -> i64| rows.iter().map(|(_, e)| of(e)).collect();
    vec![
        Column::Whole("bucket_us", rows.iter().map(|(k, _)| k.0).collect()),
        Column::Text("caller", rows.iter().map(|(k, _)| text(k.1)).collect()),
        Column::Text("callee", rows.iter().map(|(k, _)| text(k.2)).collect()),
        Column::Text("operation", rows.iter().map(|(k, _)| text(k.3)).collect()),
        Column::Whole("attempts", whole(|e| e.attempts)),
        Column::Whole("parents", whole(|e| e.parents)),
        Column::Whole("errors_caller", whole(|e| e.errors_caller)),
        Column::Whole("errors_callee", whole(|e| e.errors_callee)),
        Column::Whole("client_us", whole(|e| e.client_us)),
        Column::Whole("server_us", whole(|e| e.server_us)),
    ]
}

fn samples(facts: &Facts) -> Vec<Column> {
    let rows = &facts.samples;
    let words = |i: usize| rows.keys().map(|(_, series)| series[i].clone()).collect();
    let whole = |of: fn(&Samples) -> i64| rows.values().map(of).collect();
    let number = |of: fn(&Samples) -> f64| rows.values().map(of).collect();
    vec![
        Column::Whole("bucket_us", rows.keys().map(|k| k.0).collect()),
        Column::Text("metric", words(0)),
        Column::Text("labels", words(1)),
        Column::Text("unit", words(2)),
        Column::Text("statistic", words(3)),
        Column::Text("query", words(4)),
        Column::Whole("samples", whole(|s| s.samples)),
        Column::Number("min", number(|s| s.min)),
        Column::Number("max", number(|s| s.max)),
        Column::Number("first", number(|s| s.first)),
        Column::Number("last", number(|s| s.last)),
        Column::Number("sum", number(|s| s.sum)),
        Column::Whole("last_us", whole(|s| s.last_us)),
        Column::Whole("resets", whole(|s| s.resets)),
    ]
}

fn sessions(facts: &Facts) -> Vec<Column> {
    let rows = &facts.sessions;
    let words = |i: usize| rows.keys().map(|(_, who)| who[i].clone()).collect();
    vec![
        Column::Whole("snapshot_us", rows.keys().map(|k| k.0).collect()),
        Column::Text("server", words(0)),
        Column::Text("datname", words(1)),
        Column::Text("application_name", words(2)),
        Column::Text("usename", words(3)),
        Column::Text("state", words(4)),
        Column::Text("wait_event_type", words(5)),
        Column::Whole("sessions", rows.values().map(|s| s.sessions).collect()),
        Column::Whole("blocked", rows.values().map(|s| s.blocked).collect()),
        Column::Maybe("xact_start_us", rows.values().map(|s| s.xact_start_us).collect()),
        Column::Maybe("query_start_us", rows.values().map(|s| s.query_start_us).collect()),
    ]
}
