//! CSV of the CloudWatch console, and results of Logs Insights as CSV or JSON. In: leading rows
//! that describe the columns, then times and values; or rows of fields. Out: results, or series.

use super::complete::Measured;
use super::{known, logs};
use crate::ingest::lenient::{self, Scalar};
use crate::ingest::raw::Raw;
use crate::ingest::table::{self, Table};
use crate::ingest::text::beginning;
use crate::ingest::{Head, Input, cell, csv_text, json_scan};
use crate::time;
use serde::Deserialize;

/// First cells of the rows that describe the columns of a console CSV.
const DESCRIBING: [&str; 7] =
    ["full label", "label", "id", "region", "unit", "statistic", "period"];
/// Rows looked at for the first time of a console CSV.
const LOOK: usize = 20;
/// Fields of Logs Insights that hold whole log lines, or name rows of a log.
const LOG_FIELDS: [&str; 5] = ["@message", "@ptr", "@log", "@ingestiontime", "@requestid"];

/// Accepts a console CSV by its describing rows, Logs Insights by its field names.
pub fn accepts(head: &Head) -> bool {
    if head.is_json() {
        // Rows of fields: a list of lists.
        let open = json_scan::find_array(head.bytes, &["results"]);
        let inner = open.and_then(|at| head.bytes.get(json_scan::skip_space(head.bytes, at + 1)));
        let rows = matches!(inner, Some(b'[' | b']'));
        let spans = logs::wraps(head, "spanId") && logs::wraps(head, "startTimeUnixNano");
        return rows && !spans && (head.has_key("field") || head.has_key("recordsMatched"));
    }
    let first = head.header.first().map_or("", String::as_str);
    let rows = || csv_text::rows(head.bytes, LOOK);
    let timed = || rows().iter().filter_map(|r| r.first()).any(|c| slashed(c).is_some());
    let console = DESCRIBING.contains(&first) && (first == "full label" || timed());
    // A time alone is any table's; a field of a log is not.
    let field = |h: &String| h.starts_with("bin(") || h == "@logstream" || is_log_field(h);
    console || head.header.iter().any(field)
}

/// `2023/10/03 12:00:00` with dashes; `None` for any other text.
fn slashed(cell: &str) -> Option<String> {
    let bytes = cell.trim().as_bytes();
    let date = bytes.get(4) == Some(&b'/') && bytes.get(7) == Some(&b'/');
    date.then(|| cell.trim().replacen('/', "-", 2))
}

fn is_log_field(header: &str) -> bool {
    LOG_FIELDS.iter().any(|f| f.eq_ignore_ascii_case(header))
}

/// Reads the file.
pub fn read(input: &Input, raw: &mut Raw) {
    if input.is_json() {
        return insights_json(input, raw);
    }
    let table = csv_text::table(input, raw);
    let first = table.header.first().map(|h| h.to_lowercase()).unwrap_or_default();
    match DESCRIBING.contains(&first.as_str()) {
        true => console(input, table, raw),
        false => insights(input, table, raw),
    }
}

fn console(input: &Input, table: Table, raw: &mut Raw) {
    let width = table.header.len();
    let mut columns: Vec<Measured> = Vec::new();
    columns.resize_with(width.saturating_sub(1), || Measured { line: 1, ..Measured::default() });
    let mut full = vec![String::new(); columns.len()];
    describe(&table.header, &mut columns, &mut full);
    let mut described = true;
    for (row, line) in table.rows.iter().zip(&table.lines) {
        let first = row.first().map_or("", |c| c.trim());
        let at = time::parse(&slashed(first).unwrap_or_else(|| first.to_owned()), input.zone);
        let Some(at) = at else {
            if described && !first.is_empty() {
                describe(row, &mut columns, &mut full);
            } else {
                let why = || format!("timestamp \"{}\" is no time", beginning(first, 40));
                raw.skip_like(input.file, "timestamp", 1, || (Some(*line), why()));
            }
            continue;
        };
        described = false;
        if at.zone_assumed {
            raw.zone_assumed(input.file);
        }
        for (column, cell) in columns.iter_mut().zip(row.iter().skip(1)) {
            match cell::number(cell) {
                Some(v) => column.samples.push((at.at, v)),
                None if cell::is_missing(cell) => {}
                None => {
                    let why = || format!("value \"{}\" is not a number", beginning(cell, 40));
                    raw.skip_like(input.file, "value", 1, || (Some(*line), why()));
                }
            }
        }
    }
    for (mut column, full) in columns.into_iter().zip(full) {
        column.file = input.file;
        let telling = |l: &&String| known::in_label(l).0.is_some();
        if !telling(&&column.label) && (column.label.is_empty() || telling(&&full)) {
            column.label = full;
        }
        raw.rows(input.file, column.samples.len() as u64);
        raw.cloudwatch.results.push(column);
    }
}

/// Takes one describing row into its columns.
fn describe(row: &[String], columns: &mut [Measured], full: &mut [String]) {
    let what = row.first().map(|c| c.trim().to_lowercase()).unwrap_or_default();
    let cells = row.iter().skip(1).map(|c| c.trim());
    for ((cell, column), full) in cells.zip(columns).zip(full).filter(|((c, _), _)| !c.is_empty()) {
        match what.as_str() {
            "full label" => *full = cell.to_owned(),
            "label" => column.label = cell.to_owned(),
            "id" => column.id = cell.to_owned(),
            "unit" => column.unit = cell.to_owned(),
            "statistic" => column.statistic = Some(cell.to_owned()),
            "period" => {
                column.period_s =
                    cell::quantity(&cell.to_lowercase()).map(|(v, _)| v).filter(|v| *v >= 1.0);
            }
            other => {
                column.labels.insert(other.to_owned(), cell.to_owned());
            }
        }
    }
}

/// Reads rows of Logs Insights as a table; whole log lines are left out.
fn insights(input: &Input, mut table: Table, raw: &mut Raw) {
    let has_bin = table.header.iter().any(|h| h.starts_with("bin("));
    for header in &mut table.header {
        *header = match header.as_str() {
            h if h.starts_with("bin(") => "time".to_owned(),
            "@timestamp" if !has_bin => "time".to_owned(),
            h => aggregate(h),
        };
    }
    let keep: Vec<bool> = table.header.iter().map(|h| !is_log_field(h)).collect();
    let mut kept = keep.iter().copied();
    table.header.retain(|_| kept.next().unwrap_or(true));
    for row in &mut table.rows {
        let mut kept = keep.iter().copied();
        row.retain(|_| kept.next().unwrap_or(true));
    }
    if table.header.iter().all(|h| h != "time") {
        let what =
            "results of Logs Insights without a time: add @timestamp or bin(1m) to the query";
        raw.gap(crate::model::GapKind::Missing, input.file, Some(1), what);
        return;
    }
    table::read_table(input, &table, raw);
}

/// `avg(x)` as `x_avg`, `pct(x, 99)` as `x_p99`; any other name as it is.
fn aggregate(header: &str) -> String {
    let Some((what, rest)) = header.split_once('(') else { return header.to_owned() };
    let Some(inner) = rest.strip_suffix(')') else { return header.to_owned() };
    match (what, inner.split_once(',')) {
        ("avg" | "min" | "max", None) => format!("{}_{what}", inner.trim()),
        ("pct", Some((field, n))) => format!("{}_p{}", field.trim(), n.trim()),
        _ => header.to_owned(),
    }
}

#[derive(Deserialize)]
struct Field {
    #[serde(default)]
    field: String,
    #[serde(default)]
    value: Scalar,
}

/// Reads `results` of get-query-results, whose times are UTC.
fn insights_json(input: &Input, raw: &mut Raw) {
    let mut table = Table::default();
    let mut lines = json_scan::Lines::new(input.bytes);
    input.documents(raw, |base, document, raw| {
        input.elements((base, document), &["results"], "a row", raw, |at, element, raw| {
            let fields: Vec<Field> = match lenient::from_slice(element) {
                Ok(fields) => fields,
                Err(e) => return input.skip_unreadable(at, "a row", e, raw),
            };
            let mut row = vec![String::new(); table.header.len()];
            for Field { field, value } in fields {
                let mut text = value.text();
                if field == "@timestamp" || field.starts_with("bin(") {
                    text.push('Z');
                }
                match table.header.iter().position(|h| *h == field) {
                    Some(i) => row[i] = text,
                    None => {
                        table.header.push(field);
                        row.push(text);
                    }
                }
            }
            table.rows.push(row);
            table.lines.push(lines.of(at) + input.first_line - 1);
        });
    });
    // Fields come up late: earlier rows have none of them.
    for row in &mut table.rows {
        row.resize(table.header.len(), String::new());
    }
    if !table.rows.is_empty() {
        insights(input, table, raw);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aggregates_are_named_by_their_field() {
        assert_eq!(aggregate("avg(pod_memory_working_set)"), "pod_memory_working_set_avg");
        assert_eq!(aggregate("pct(latency, 99)"), "latency_p99");
        assert_eq!(aggregate("count(*)"), "count(*)");
    }
}
