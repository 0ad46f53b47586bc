//! Generic tables: long (`time, metric, value, labels…`), wide (`time, <series>…`) and in between
//! (`time, service, cpu, latency`). In: a header and rows of text. Out: series.

use super::raw::{Raw, RawSeries};
use super::{Head, Input, csv_text};
use crate::model::Micros;
use crate::time::{self, EpochUnit, Zone};
use std::collections::{BTreeMap, HashMap};

const TIME: [&str; 11] = [
    "timestamp",
    "time",
    "ts",
    "@timestamp",
    "_time",
    "date",
    "datetime",
    "epoch",
    "snapshot_at",
    "bucket",
    "t",
];
const NAME: [&str; 8] =
    ["metric", "__name__", "metric_name", "metricname", "measurement", "name", "series", "signal"];
const VALUE: [&str; 8] =
    ["value", "val", "_value", "v", "average", "sum", "maximum", "metric_value"];
/// Columns that are labels even when every cell is a number.
const LABELS: [&str; 24] = [
    "service",
    "instance",
    "pod",
    "host",
    "node",
    "job",
    "partition",
    "shard",
    "region",
    "zone",
    "code",
    "status",
    "le",
    "cpu_id",
    "queue",
    "topic",
    "database",
    "version",
    "route",
    "caller",
    "callee",
    "namespace",
    "container",
    "app",
];

/// Rows looked at to decide what a column is.
const LOOK: usize = 200;

/// Text cells that mean that there is no value.
pub fn is_missing(cell: &str) -> bool {
    let c = cell.trim();
    c.is_empty()
        || ["null", "undefined", "-", "\\N", "N/A", "NaN", "nan", "NULL", "None"].contains(&c)
}

/// Reads a finite number, allowing thousands separators and a percent sign (`12.5%` is 0.125).
pub fn number(cell: &str) -> Option<f64> {
    let c = cell.trim();
    if let Some(p) = c.strip_suffix('%') {
        return p.trim().parse::<f64>().ok().map(|v| v / 100.0).filter(|v| v.is_finite());
    }
    let plain = c.parse::<f64>().ok();
    let parsed = plain.or_else(|| {
        let mut groups = c.trim_start_matches('-').split('.').next()?.split(',');
        let lead = groups.next()?;
        let grouped = (1..=3).contains(&lead.len()) && groups.all(|g| g.len() == 3);
        grouped.then(|| c.replace(',', "").parse().ok()).flatten()
    });
    parsed.filter(|v| v.is_finite())
}

/// A header and its rows; `lines[i]` is the line on which row `i` starts.
#[derive(Debug, Default)]
pub struct Table {
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
    pub lines: Vec<u64>,
}

impl Table {
    /// Index of the first column whose lower-cased name is in `names`, in the order of `names`.
    pub fn column(&self, names: &[&str]) -> Option<usize> {
        let find = |n: &&str| self.header.iter().position(|h| h.eq_ignore_ascii_case(n));
        names.iter().find_map(find)
    }
}

/// Accepts a header with a time column and something to measure.
pub fn accepts(head: &Head) -> bool {
    let has = |names: &[&str]| head.header.iter().any(|h| names.contains(&h.as_str()));
    let statements = has(&["calls"]) && has(&["query", "queryid"]);
    head.header.len() > 1 && has(&TIME) && !statements
}

/// Reads a CSV, TSV or semicolon-separated file.
pub fn read(input: &Input, raw: &mut Raw) {
    let table = csv_text::table(input, raw);
    read_table(input, &table, raw);
}

/// Parses the time column: text, or numbers whose unit is decided by their median.
pub fn times(cells: &[&str], zone: &Zone) -> Vec<Option<time::Parsed>> {
    let mut numeric: Vec<f64> = cells.iter().filter_map(|c| c.trim().parse().ok()).collect();
    let mostly = numeric.len() * 2 > cells.len();
    numeric.sort_by(f64::total_cmp);
    let unit = numeric.get(numeric.len() / 2).map_or(EpochUnit::Seconds, |m| time::epoch_unit(*m));
    let one = |cell: &&str| match cell.trim().parse::<f64>() {
        Ok(v) if mostly => {
            time::from_epoch(v, unit).map(|at| time::Parsed { at, zone_assumed: false })
        }
        _ => time::parse(cell, zone),
    };
    cells.iter().map(one).collect()
}

/// What each column of a table is.
struct Columns {
    time: usize,
    name: Option<usize>,
    value: Option<usize>,
    unit: Option<usize>,
    statistic: Option<usize>,
    labels: Vec<usize>,
    metrics: Vec<usize>,
}

fn columns(table: &Table) -> Option<Columns> {
    let time = table.column(&TIME)?;
    let value = table.column(&VALUE).filter(|v| *v != time);
    let name = value.and_then(|v| table.column(&NAME).filter(|n| *n != v && *n != time));
    let long = value.filter(|_| name.is_some() || table.header.len() <= 3);
    let unit = long.and_then(|_| table.column(&["unit"]));
    let statistic = long.and_then(|_| table.column(&["statistic", "stat", "aggregation"]));
    let taken = [Some(time), name, long, unit, statistic];
    let (mut labels, mut metrics) = (Vec::new(), Vec::new());
    for (i, header) in table.header.iter().enumerate().filter(|(i, _)| !taken.contains(&Some(*i))) {
        let is_index = header.is_empty() || header.starts_with("Unnamed:");
        let lower = header.to_lowercase();
        if long.is_some() || LABELS.contains(&lower.as_str()) || !is_numeric(table, i) {
            labels.push(i);
        } else if !is_index && !lower.starts_with("time.") {
            metrics.push(i);
        }
    }
    Some(Columns { time, name, value: long, unit, statistic, labels, metrics })
}

fn is_numeric(table: &Table, column: usize) -> bool {
    let cells = table.rows.iter().take(LOOK).filter_map(|r| r.get(column));
    cells.filter(|c| !is_missing(c)).all(|c| {
        number(c).is_some() || c.trim().to_lowercase().trim_start_matches(['+', '-']) == "inf"
    })
}

/// Turns a table into series; rows without a readable time or value are counted.
pub fn read_table(input: &Input, table: &Table, raw: &mut Raw) {
    let Some(c) = columns(table) else { return };
    if c.value.is_none() && c.metrics.is_empty() {
        raw.skip(input.file, Some(1), "a table without a numeric column", table.rows.len() as u64);
        return;
    }
    let cells: Vec<&str> =
        table.rows.iter().map(|r| r.get(c.time).map_or("", String::as_str)).collect();
    let times = times(&cells, input.zone);
    if times.iter().flatten().any(|t| t.zone_assumed) {
        let what = "times have no zone: taken as UTC (set `[time] zone` in incident.toml)";
        raw.gap(crate::model::GapKind::Doubtful, input.file, None, what);
    }
    let mut index: HashMap<Vec<&str>, usize> = HashMap::new();
    let mut series: Vec<RawSeries> = Vec::new();
    for (i, row) in table.rows.iter().enumerate() {
        let line = table.lines.get(i).copied();
        let Some(t) = times[i] else {
            raw.skip(input.file, line, format!("timestamp \"{}\" is not RFC 3339", cells[i]), 1);
            continue;
        };
        let metrics: &[usize] = if c.value.is_some() { &[usize::MAX] } else { &c.metrics };
        for &m in metrics {
            let at = c.value.unwrap_or(m);
            let cell = row.get(at).map_or("", String::as_str);
            if is_missing(cell) {
                continue;
            }
            let Some(v) = number(cell) else {
                raw.skip(input.file, line, format!("value \"{}\" is not a number", cut(cell)), 1);
                continue;
            };
            let slot = slot(&c, table, row, m, input, &mut index, &mut series);
            series[slot].samples.push((t.at as Micros, v));
            raw.rows(input.file, 1);
        }
    }
    raw.series.append(&mut series);
}

fn cut(cell: &str) -> String {
    cell.chars().take(40).collect()
}

/// The series a cell belongs to, made on first sight.
fn slot<'a>(
    c: &Columns,
    table: &'a Table,
    row: &'a [String],
    metric: usize,
    input: &Input,
    index: &mut HashMap<Vec<&'a str>, usize>,
    series: &mut Vec<RawSeries>,
) -> usize {
    let cell = |i: usize| row.get(i).map_or("", |s| s.trim());
    let name = match c.name {
        Some(n) => cell(n),
        None if c.value.is_some() => "",
        None => table.header[metric].as_str(),
    };
    let mut key = vec![name];
    key.extend([c.unit, c.statistic].map(|x| x.map_or("", cell)));
    key.extend(c.labels.iter().map(|i| cell(*i)));
    if let Some(found) = index.get(&key) {
        return *found;
    }
    let filled = |x: Option<usize>| x.map(cell).filter(|v| !v.is_empty()).map(str::to_owned);
    let labels: BTreeMap<String, String> = c
        .labels
        .iter()
        .filter(|i| !cell(**i).is_empty())
        .map(|i| (table.header[*i].clone(), cell(*i).to_owned()))
        .collect();
    series.push(RawSeries {
        file: input.file,
        name: name.to_owned(),
        unit: filled(c.unit),
        statistic: filled(c.statistic),
        labels,
        ..RawSeries::default()
    });
    index.insert(key, series.len() - 1);
    series.len() - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        assert_eq!(number("1,234.5"), Some(1234.5));
        assert_eq!(number("12.5%"), Some(0.125));
        assert_eq!(number("1e3"), Some(1000.0));
        assert_eq!(number("1,23"), None);
        assert_eq!(number("inf"), None);
        assert_eq!(number("fast"), None);
    }
}
