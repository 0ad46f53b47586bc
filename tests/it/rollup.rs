//! Rollups of spans: the same from Parquet in passes and from any other export, the SQL as it was
//! reviewed, and a folder of rollups as an incident folder.
//!
//! `benches/lake/engines.py` runs the SQL of `tests/data/rollup` on DuckDB and ClickHouse, and
//! `benches/lake/cluster.py` on Spark, and holds the rows against ours.

use super::support::{Scratch, diagnosed, fixture, items, rootline, text};
use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use rootline::ingest::{Settings, read_folder};
use rootline::lake::{self, Question, Table};
use rootline::model::SECOND;
use std::fs;
use std::sync::Arc;

const FROM: i64 = 1_795_204_800 * SECOND;
/// Traces in the Parquet of the tests, one each 100 ms.
const TRACES: i64 = 600;
/// Rows of a row group: four spans of 60 traces.
const GROUP: usize = 240;

/// Spans of web, its call, cart and cart's query; each fifth call fails, each tenth is repeated.
fn spans() -> Vec<u8> {
    let mut columns: [Vec<String>; 8] = Default::default();
    let (mut start, mut duration) = (Vec::new(), Vec::new());
    for trace in 0..TRACES {
        let id = |n: i64| if n == 0 { String::new() } else { format!("{:016x}", trace * 10 + n) };
        for (own, parent, service, name, kind, took) in [
            (1, 0, "web", "GET /", "SERVER", 90_000 + trace * 131),
            (2, 1, "web", "GET cart", "CLIENT", 70_000),
            (3, 2, "cart", "GET /cart", "SPAN_KIND_SERVER", 60_000 + trace),
            (4, 3, "cart", "SELECT", "client", 50_000),
        ] {
            let failed = own == 3 && trace % 5 == 0;
            let status = if failed { "ERROR" } else { "UNSET" };
            let trace_id = format!("{:032x}", i128::from(trace) << 70 | 7);
            let cells = [trace_id, id(own), id(parent), service.into(), name.into(), kind.into()];
            let cells = cells.into_iter().chain([status.into(), String::new()]);
            columns.iter_mut().zip(cells).for_each(|(column, cell)| column.push(cell));
            start.push(FROM + trace * SECOND / 10 + own * 1000);
            duration.push(took);
        }
    }
    let text = |i: usize| Arc::new(StringArray::from(columns[i].clone())) as ArrayRef;
    let number = |v: &Vec<i64>| Arc::new(Int64Array::from(v.clone())) as ArrayRef;
    let all = [text(0), text(1), text(2), text(3), text(4), text(5), number(&start)];
    let all = all.into_iter().chain([number(&duration), text(6), text(7)]);
    let batch =
        RecordBatch::try_from_iter(lake::sql::COLUMNS.into_iter().zip(all)).expect("a table");
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(GROUP)).build();
    let mut writer =
        ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).expect("new");
    writer.write(&batch).expect("written");
    writer.into_inner().expect("closed")
}

fn tables(rollup: &lake::Rollup) -> Vec<Vec<u8>> {
    Table::ALL.iter().map(|t| rollup.parquet(*t).expect("written")).collect()
}

#[test]
fn parquet_in_passes_and_any_other_reading_give_the_same_rollup() {
    let folder = Scratch::with(&[("spans/minute=0/a.parquet", &spans())]);
    assert!(lake::is_lake(folder.path()));
    let question = Question { bucket: 10 * SECOND, from: None, to: None };
    let streamed = lake::of_parquet(folder.path(), &question).expect("spans");
    assert_eq!(streamed.tally.spans, TRACES as u64 * 4);
    let raw = read_folder(folder.path(), &Settings::default()).expect("spans");
    assert!(tables(&streamed) == tables(&lake::of_raw(&raw, &question)), "they differ");
    assert_eq!(streamed.rows(Table::Edges), 6, "web calls cart in six buckets");
}

#[test]
fn only_row_groups_of_the_window_are_read() {
    let folder = Scratch::with(&[("a.parquet", &spans()), ("_SUCCESS", b"")]);
    let second = |s: i64| Some(FROM + s * SECOND);
    // Row groups hold 6 s each; these 9 s touch three.
    let question = Question { bucket: SECOND, from: second(10), to: second(19) };
    let rollup = lake::of_parquet(folder.path(), &question).expect("spans");
    let tally = rollup.tally;
    assert_eq!((tally.row_groups, tally.row_groups_read, tally.spans), (10, 3, 360));
    assert!(tally.bytes_read * 3 < tally.bytes, "{tally:?}");
}

#[test]
fn what_is_no_table_of_spans_is_refused_with_the_columns_it_needs() {
    let empty = Scratch::new();
    let question = Question { bucket: SECOND, from: None, to: None };
    assert!(lake::of_parquet(empty.path(), &question).is_err());
    let one: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let batch = RecordBatch::try_from_iter([("trace_id", one)]).expect("a table");
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("new");
    writer.write(&batch).expect("written");
    let other = Scratch::with(&[("a.parquet", &writer.into_inner().expect("closed"))]);
    let why = lake::of_parquet(other.path(), &question).err().expect("refused");
    assert!(why.to_string().contains("no column span_id") && why.hint.is_some(), "{why}");
    let torn = Scratch::with(&[("a.parquet", &spans()[..999])]);
    assert!(lake::of_parquet(torn.path(), &question).is_err());
}

/// The SQL is reviewed as text: write what the program prints there when it is meant to change.
#[test]
fn the_sql_is_that_which_was_held_against_the_engines() {
    for engine in ["clickhouse", "spark", "duckdb"] {
        let from = ["--from", "2026-11-20T20:00:00Z", "--to", "2026-11-20T20:30:00Z"];
        let run = rootline(&[&["rollup", "--emit-sql", engine][..], &from].concat());
        assert_eq!(run.code, 0, "{}", run.err);
        let path = super::support::root().join(format!("tests/data/rollup/{engine}.sql"));
        let reviewed = fs::read_to_string(&path).expect("it was reviewed");
        assert_eq!(run.out, reviewed, "{engine}");
    }
}

#[test]
fn a_folder_of_rollups_is_an_incident_folder() {
    let (folder, out) = (fixture("incidents/pool-exhaustion/otlp"), Scratch::new());
    let (folder, to) = (folder.to_string_lossy(), out.path().join("rolled"));
    let run = rootline(&["rollup", &folder, "-o", &to.to_string_lossy()]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.err.contains("operations") && run.err.contains("next: rootline diagnose"));
    let rolled = diagnosed(&to);
    let readers: Vec<&str> = items(&rolled["inputs"]).iter().map(|i| text(&i["reader"])).collect();
    assert_eq!(readers, ["parquet"; 3], "{rolled}");
    let whole = diagnosed(&fixture("incidents/pool-exhaustion/otlp"));
    assert!(
        rolled["edges"].as_u64() > Some(0) && rolled["edges"].as_u64() <= whole["edges"].as_u64()
    );
    let again = rootline(&["rollup", &folder, "-o", &to.to_string_lossy()]);
    assert_eq!(again.code, 2);
    assert!(again.err.contains("exists") && again.err.contains("--force"), "{}", again.err);
    let none = rootline(&["rollup", "fixtures/formats/rollup", "-o", "/nowhere/x"]);
    assert!(none.code == 2 && none.err.contains("no spans"), "{}", none.err);
}

#[test]
fn rollups_of_other_engines_are_read_as_text_too() {
    let raw = read_folder(&fixture("formats/rollup"), &Settings::default()).expect("rollups");
    assert!(raw.files.iter().all(|f| f.reader == "rollup"), "{:?}", raw.files);
    assert_eq!(raw.edges.len(), 1);
    assert!(raw.gaps.is_empty(), "{:?}", raw.gaps);
}
