//! InfluxDB annotated CSV, several tables in one file, and the same without annotations. In: CSV.
//! Out: series `measurement.field`; error tables are gaps. `dateTime:number` counts nanoseconds.

use super::raw::{Raw, RawSeries};
use super::{Head, Input};
use super::{cell, json_scan};
use crate::model::{GapKind, Micros};
use crate::points::Points;
use crate::time::{self, EpochUnit};
use std::collections::BTreeMap;

/// Accepts annotations, or the header that Flux results have.
pub fn accepts(head: &Head) -> bool {
    let annotated = [&b"#group,"[..], b"#datatype,", b"#default,"];
    let has = |name| head.has_column(name);
    annotated.iter().any(|a| head.starts_with(a)) || (has("result") && has("table"))
}

/// Columns that are neither label nor value.
const OWN: [&str; 9] =
    ["", "result", "table", "_start", "_stop", "_time", "_value", "_field", "_measurement"];

/// The table that is being read.
#[derive(Default)]
struct Table {
    types: Vec<String>,
    defaults: Vec<String>,
    header: Vec<String>,
}

impl Table {
    fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|h| h == name)
    }

    /// The cell of a column; the table's default where it is empty.
    fn cell<'a>(&'a self, row: &'a [String], column: usize) -> &'a str {
        let own = row.get(column).map_or("", |c| c.trim());
        let default = self.defaults.get(column).map_or("", |c| c.trim());
        if own.is_empty() { default } else { own }
    }

    fn named<'a>(&'a self, row: &'a [String], name: &str) -> &'a str {
        self.column(name).map_or("", |c| self.cell(row, c))
    }

    fn kind(&self, column: usize) -> &str {
        self.types.get(column).map_or("", String::as_str)
    }

    /// Columns with values: `_value`, or the fields of a pivoted table.
    fn values(&self) -> Vec<usize> {
        if let Some(value) = self.column("_value") {
            return vec![value];
        }
        let numbers = ["double", "long", "unsignedLong"];
        let own = |i: &usize| !OWN.contains(&self.header[*i].as_str());
        (0..self.header.len()).filter(own).filter(|i| numbers.contains(&self.kind(*i))).collect()
    }
}

/// Reads every table; a header begins a new one.
pub fn read(input: &Input, raw: &mut Raw) {
    let mut reader = csv::ReaderBuilder::new();
    let mut reader = reader.has_headers(false).flexible(true).from_reader(input.bytes);
    let mut found: BTreeMap<Key, Points> = BTreeMap::new();
    let (mut table, mut record) = (Table::default(), csv::ByteRecord::new());
    loop {
        let at = reader.position().byte() as usize;
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(e) => {
                raw.skip(input.file, Some(input.line(at)), format!("row is not readable: {e}"), 1);
                break;
            }
        }
        // The reader stands before the `\n` of the line before, and before empty lines.
        let at = json_scan::skip_space(input.bytes, at);
        let row: Vec<String> =
            record.iter().map(|c| String::from_utf8_lossy(c).into_owned()).collect();
        let rest = || [String::new()].into_iter().chain(row.iter().skip(1).cloned()).collect();
        let first = row.first().map_or("", String::as_str);
        let is_header = |name: &str| row.iter().any(|c| c == name);
        match first {
            "#datatype" | "#group" | "#default" if !table.header.is_empty() => {
                table = Table::default();
                annotate(&mut table, first, rest());
            }
            "#datatype" | "#group" | "#default" => annotate(&mut table, first, rest()),
            "" if table.header.is_empty()
                || (is_header("result") && is_header("table"))
                || (is_header("error") && is_header("reference")) =>
            {
                // Without annotations of its own a header keeps none of the table before it.
                if !table.header.is_empty() {
                    table = Table::default();
                }
                table.header = row;
            }
            _ if table.header.is_empty() => table.header = row,
            _ => {
                for (key, sample) in samples(input, &table, &row, at, raw) {
                    found.entry(key).or_default().push(sample);
                }
            }
        }
    }
    for ((name, labels, result), samples) in found {
        raw.rows(input.file, samples.len() as u64);
        let statistic = Some(result).filter(|r| !r.is_empty() && r != "_result");
        let file = input.file;
        raw.series.push(RawSeries { file, name, labels, statistic, samples, ..Default::default() });
    }
}

fn annotate(table: &mut Table, what: &str, cells: Vec<String>) {
    match what {
        "#datatype" => table.types = cells,
        "#default" => table.defaults = cells,
        _ => {}
    }
}

/// Name, labels and result of a series.
type Key = (String, BTreeMap<String, String>, String);

type Sample = (Key, (Micros, f64));

/// The samples of one row with name, labels and result.
fn samples(input: &Input, table: &Table, row: &[String], at: usize, raw: &mut Raw) -> Vec<Sample> {
    if let Some(error) = table.column("error") {
        let what = format!("the query failed: {}", table.cell(row, error));
        raw.gap(GapKind::Missing, input.file, Some(input.line(at)), what);
        return Vec::new();
    }
    if row.len() != table.header.len() {
        let what = format!("row has {} fields instead of {}", row.len(), table.header.len());
        raw.skip_like(input.file, "fields", 1, || (Some(input.line(at)), what));
        return Vec::new();
    }
    let column = ["_time", "_stop"].iter().find_map(|n| table.column(n));
    let Some(time) = column.and_then(|c| moment(input, table, c, row, raw)) else {
        let first = || (Some(input.line(at)), "row has no time that can be read".to_owned());
        raw.skip_like(input.file, "time", 1, first);
        return Vec::new();
    };
    let values = table.values();
    let label = |(i, h): (usize, &String)| {
        let value = table.cell(row, i);
        let is = !OWN.contains(&h.as_str()) && !values.contains(&i) && !value.is_empty();
        is.then(|| (h.clone(), value.to_owned()))
    };
    let labels: BTreeMap<String, String> =
        table.header.iter().enumerate().filter_map(label).collect();
    let measurement = table.named(row, "_measurement");
    let mut out = Vec::new();
    for column in values {
        let text = table.cell(row, column);
        if cell::is_missing(text) {
            raw.pass_over(input.file, "cells without a value", &table.header[column], 1);
            continue;
        }
        let value = match (table.kind(column), text) {
            ("boolean", "true") => Some(1.0),
            ("boolean", "false") => Some(0.0),
            _ => cell::number(text),
        };
        let Some(value) = value else {
            let what = format!("value \"{}\" is not a number", text.escape_debug());
            raw.skip_like(input.file, "value", 1, || (Some(input.line(at)), what));
            continue;
        };
        let pivoted = table.header[column].as_str();
        let field = if pivoted == "_value" { table.named(row, "_field") } else { pivoted };
        let name = match (measurement, field) {
            (m, "value" | "") => m.to_owned(),
            ("" | "prometheus", f) => f.to_owned(),
            (m, f) => format!("{m}.{f}"),
        };
        let result = table.named(row, "result").to_owned();
        out.push(((name, labels.clone(), result), (time, value)));
    }
    out
}

fn moment(
    input: &Input,
    table: &Table,
    column: usize,
    row: &[String],
    raw: &mut Raw,
) -> Option<Micros> {
    let text = table.cell(row, column);
    if table.kind(column) == "dateTime:number" {
        return time::from_epoch(text.parse().ok()?, EpochUnit::Nanos);
    }
    match time::parse(text, input.zone) {
        Some(parsed) => {
            if parsed.zone_assumed {
                raw.zone_assumed(input.file);
            }
            Some(parsed.at)
        }
        None => cell::moment(text, input.zone),
    }
}
