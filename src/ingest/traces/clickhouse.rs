//! `otel_traces` of ClickHouse (OpenTelemetry Collector, HyperDX) and SigNoz's index, as the server
//! writes them in JSON, CSV and TSV. In: rows with maps of attributes. Out: spans.

use super::super::raw::Raw;
use super::super::table::Table;
use super::super::{Head, Input, csv_text};
use super::{literal, rows};

/// Microseconds in the unit of `Duration`.
const NANOS: Option<f64> = Some(1e-3);

/// Accepts the columns of the collector's table or of SigNoz's index.
pub fn accepts(head: &Head) -> bool {
    let has = |n: &str| head.has_key(n) || head.has_column(&n.to_lowercase());
    let meta = |n: &str| head.has_key("meta") && contains(head.bytes, &format!("\"{n}\""));
    let column = |n: &str| has(n) || meta(n);
    let any = |names: &[&str]| names.iter().any(|n| column(n));
    (column("TraceId") && column("SpanId") && column("SpanName") && column("Duration"))
        || (any(&["trace_id", "traceID"])
            && any(&["span_id", "spanID"])
            && any(&["duration_nano", "durationNano"]))
}

fn contains(text: &[u8], word: &str) -> bool {
    memchr::memmem::find(text, word.as_bytes()).is_some()
}

/// Reads rows of any of the formats.
pub fn read(input: &Input, raw: &mut Raw) {
    if input.is_json() {
        return rows::json(input, &["data"], NANOS, raw);
    }
    let tabs = csv_text::delimiter(input.bytes) == Some(b'\t');
    let mut table = if tabs { tsv(input, raw) } else { csv_text::table(input, raw) };
    // The types that `…WithNamesAndTypes` writes below the names are no row.
    let is_types = |row: &Vec<String>| row.iter().any(|c| c.starts_with("DateTime64("));
    if table.rows.first().is_some_and(is_types) {
        table.rows.remove(0);
        table.lines.remove(0);
    }
    rows::table(input, &table, NANOS, raw);
}

/// Splits at tabs and line feeds alone: quotes mean nothing in this format, backslashes escape.
fn tsv(input: &Input, raw: &mut Raw) -> Table {
    let mut table = Table::default();
    let text = String::from_utf8_lossy(input.bytes);
    for (line, record) in (input.first_line..).zip(text.lines()) {
        let cells: Vec<&str> = record.trim_end_matches('\r').split('\t').collect();
        if table.header.is_empty() {
            table.header = cells.iter().map(|c| c.trim_matches('"').to_owned()).collect();
        } else if cells.len() == table.header.len() {
            table.rows.push(cells.into_iter().map(literal::tsv_cell).collect());
            table.lines.push(line);
        } else if !record.is_empty() {
            let (is, want) = (cells.len(), table.header.len());
            let what = format!("row has {is} fields instead of {want}");
            raw.skip(input.file, Some(line), what, 1);
        }
    }
    table
}
