//! Generic tables: long (`time, metric, value, labels…`), wide (`time, <series>…`) and in between
//! (`time, service, cpu, latency`). In: a header and rows of text. Out: series.

use super::cell::{is_missing, quantity, with_point};
use super::raw::Raw;
use super::rows::Rows;
use super::{Head, Input, csv_text};
use crate::model::GapKind;
use crate::time::{self, Zone};
use std::collections::HashSet;

/// Names of a time column.
pub const TIME: [&str; 14] = [
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
    "zeitstempel",
    "datum",
    "zeit",
];
const NAME: [&str; 11] = [
    "metric",
    "__name__",
    "metric_name",
    "metricname",
    "measurement",
    "kpi_name",
    "kpi",
    "indicator",
    "name",
    "series",
    "signal",
];
const VALUE: [&str; 8] =
    ["value", "val", "_value", "v", "average", "sum", "maximum", "metric_value"];
/// Columns that are labels even when every cell is a number.
pub const LABELS: [&str; 27] = [
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
    "window",
    "interval",
    "period",
];

/// Cells looked at to decide what a column is.
const LOOK: usize = 200;

/// Rows from which it can be told that they are a list.
const LIST_MIN: usize = 20;

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
    let has = |names: &[&str]| names.iter().any(|n| head.has_column(n));
    let statements = has(&["calls"]) && has(&["query", "queryid"]);
    head.header.len() > 1 && has(&TIME) && !statements
}

/// Reads a CSV, TSV or semicolon-separated file.
pub fn read(input: &Input, raw: &mut Raw) {
    read_rows(input, raw);
}

/// Parses the time column: text, or numbers whose unit is decided by their median.
pub fn times(cells: &[&str], zone: &Zone) -> Vec<Option<time::Parsed>> {
    let numbers = cells.iter().filter_map(|c| c.trim().parse().ok()).collect();
    let unit = time::column_unit(numbers, cells.len());
    let one = |cell: &&str| match (cell.trim().parse::<f64>(), unit) {
        (Ok(v), Some(unit)) => {
            time::from_epoch(v, unit).map(|at| time::Parsed { at, zone_assumed: false })
        }
        _ => time::parse(cell, zone),
    };
    cells.iter().map(one).collect()
}

/// What each column of a table is.
pub struct Columns {
    pub time: usize,
    pub name: Option<usize>,
    pub value: Option<usize>,
    pub unit: Option<usize>,
    pub statistic: Option<usize>,
    pub labels: Vec<usize>,
    pub metrics: Vec<usize>,
}

/// Decides what each column is, by its name and its first cells; `None` without a time column.
pub fn columns(table: &Table) -> Option<Columns> {
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
    let cells = table.rows.iter().filter_map(|r| r.get(column)).map(String::as_str);
    mostly_numbers(cells.filter(|c| !is_missing(c)).take(LOOK))
}

/// Says whether most cells that say something are numbers, with or without a unit.
pub fn mostly_numbers<'a>(cells: impl Iterator<Item = &'a str>) -> bool {
    let is_number = |c: &str| {
        let word = c.trim().to_lowercase();
        quantity(c).is_some() || ["inf", "infinity"].contains(&word.trim_start_matches(['+', '-']))
    };
    let (mut numbers, mut said) = (0, 0);
    for cell in cells.filter(|c| !is_missing(c)) {
        said += 1;
        numbers += usize::from(is_number(cell));
    }
    numbers * 5 >= said * 4
}

/// Turns a table into series; rows without a readable time or value are counted.
pub fn read_table(input: &Input, table: &Table, raw: &mut Raw) {
    let Some(c) = columns(table) else { return };
    if c.value.is_none() && c.metrics.is_empty() {
        raw.skip(input.file, Some(1), "a table without a numeric column", table.rows.len() as u64);
        return;
    }
    let mut rows = Rows::new(c, &table.header);
    for (cells, line) in table.rows.iter().zip(&table.lines) {
        rows.add(*line, |i| cells.get(i).map_or(&b""[..], String::as_bytes), input, raw);
    }
    rows.finish(input, raw);
}

/// Reads delimited text row by row: memory holds the samples, not the cells.
fn read_rows(input: &Input, raw: &mut Raw) {
    let Some(delimiter) = csv_text::delimiter(input.bytes) else { return };
    let Some(mut look) = csv_text::sample(input, delimiter, LOOK) else { return };
    let comma = decimal_comma(delimiter, &look);
    if let Some(cell) = &comma {
        let what = format!("numbers have a decimal comma: \"{cell}\" is read as {}", point(cell));
        raw.gap(GapKind::Inferred, input.file, None, what);
        look.rows.iter_mut().flatten().for_each(|c| *c = point(c));
    }
    let Some(c) = columns(&look).filter(|c| c.value.is_some() || !c.metrics.is_empty()) else {
        return read_table(input, &csv_text::table(input, raw), raw);
    };
    if is_list(&look, &c) {
        let what = "each row has words of its own: log lines or a list, not samples; not read";
        raw.gap(GapKind::Unreadable, input.file, None, what);
        return;
    }
    let measured: Vec<usize> = c.metrics.iter().copied().chain(c.value).collect();
    let mut rows = Rows::new(c, &look.header);
    csv_text::each_row(
        input,
        delimiter,
        raw,
        |_| {},
        |line, record, raw| {
            if comma.is_none() {
                return rows.add(line, |i| record.get(i).unwrap_or_default(), input, raw);
            }
            let mut cells: Vec<String> =
                record.iter().map(|c| String::from_utf8_lossy(c).into_owned()).collect();
            for i in &measured {
                cells[*i] = point(&cells[*i]);
            }
            rows.add(line, |i| cells.get(i).map_or(&b""[..], String::as_bytes), input, raw);
        },
    );
    rows.finish(input, raw);
}

/// Says whether rows are not samples of anything: hardly two have the same labels, and they are not
/// many things at one time either.
fn is_list(look: &Table, c: &Columns) -> bool {
    let cell = |row: &'_ [String], i: usize| row.get(i).cloned().unwrap_or_default();
    let labels = |row: &Vec<String>| -> Vec<String> {
        c.labels.iter().chain(&c.name).map(|i| cell(row, *i)).collect()
    };
    let sets: HashSet<Vec<String>> = look.rows.iter().map(labels).collect();
    let times: HashSet<String> = look.rows.iter().map(|row| cell(row, c.time)).collect();
    let rows = look.rows.len();
    rows >= LIST_MIN && sets.len() * 10 >= rows * 9 && times.len() * 2 >= rows
}

/// A number with a decimal comma, where the table has such numbers: another character stands between
/// its columns, and most cells of a column are numbers if their commas are points.
fn decimal_comma(delimiter: u8, look: &Table) -> Option<String> {
    let clear = |c: &&String| quantity(c).is_none() && with_point(c).is_some();
    let of_column = |i: usize| {
        let cells = || look.rows.iter().filter_map(move |r| r.get(i));
        let found = cells().find(clear)?;
        let points: Vec<String> = cells().map(|c| point(c)).collect();
        mostly_numbers(points.iter().map(String::as_str)).then(|| found.clone())
    };
    (delimiter != b',').then(|| (0..look.header.len()).find_map(of_column)).flatten()
}

/// A cell of a table with decimal commas as others write it: points part thousands there.
fn point(cell: &str) -> String {
    let thousands = || with_point(&format!("{},0", cell.trim())).filter(|_| cell.contains('.'));
    with_point(cell).or_else(thousands).unwrap_or_else(|| cell.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::read_text;

    /// Rows of `time,cart_latency` with these cells.
    fn cells(cells: &[&str]) -> Raw {
        let row = |(i, c): (usize, &&str)| format!("2026-11-20T20:10:{i:02}Z,{c}\n");
        let rows: String = cells.iter().enumerate().map(row).collect();
        read_text("cart.csv", format!("time,cart_latency\n{rows}").as_bytes())
    }

    fn shown(raw: &Raw) -> Vec<(&str, Option<&str>, usize)> {
        raw.series.iter().map(|s| (s.name.as_str(), s.unit.as_deref(), s.samples.len())).collect()
    }

    #[test]
    fn a_cell_that_is_no_number_does_not_make_a_label_of_its_column() {
        let raw = cells(&["0.1", "NA", "0.2", "none", "fast", "0.3", "0.4", "n/a", "0.5"]);
        assert_eq!(shown(&raw), [("cart_latency", None, 5)]);
        let said: Vec<_> = raw.gaps.iter().map(|g| (g.line, g.what.as_str())).collect();
        assert_eq!(said, [(Some(6), "value \"fast\" is not a number")]);
        let text = "time,team,cpu\n2026-11-20T20:10:00Z,a,1\n2026-11-20T20:10:00Z,1,2\n";
        assert_eq!(read_text("a.csv", text.as_bytes()).series.len(), 2);
    }

    #[test]
    fn cells_with_a_unit_are_converted_and_name_it() {
        let raw = cells(&["12 ms", "1.5 s", "0", "350 µs", "NA"]);
        assert_eq!(shown(&raw), [("cart_latency", Some("s"), 4)]);
        let values: Vec<f64> = raw.series[0].samples.iter().map(|s| s.1).collect();
        assert!(values.contains(&0.012) && values.contains(&1.5) && values.contains(&0.0));
        assert!(raw.gaps.is_empty(), "{:?}", raw.gaps);
    }

    #[test]
    fn decimal_commas_are_read_where_another_character_parts_columns() {
        let text = "Zeit;cart_cpu;cart_rps;region\r\n20.11.2026 20:10:00;0,300;1.234;1.5\r\n\
                    20.11.2026 20:10:15;0,310;1.234,5;1.5\r\n";
        let raw = read_text("messwerte.csv", text.as_bytes());
        let values = |i: usize| -> Vec<f64> { raw.series[i].samples.iter().map(|s| s.1).collect() };
        assert_eq!((values(0), values(1)), (vec![0.3, 0.31], vec![1234.0, 1234.5]));
        assert_eq!(raw.series[0].samples.at(0).0, 1_795_205_400_000_000);
        assert_eq!(raw.series[0].labels["region"], "1.5");
        let said = raw.gaps.iter().any(|g| g.what.contains("\"0,300\" is read as 0.300"));
        assert!(said && raw.files[0].skipped == 0, "{:?}", raw.gaps);
        let plain = "time;cart_rps\n2026-11-20T20:10:00Z;1,234\n2026-11-20T20:10:15Z;2,345\n";
        let raw = read_text("cart.csv", plain.as_bytes());
        assert_eq!((raw.series[0].samples.at(0).1, raw.gaps.len()), (1234.0, 0));
    }

    #[test]
    fn a_lone_cell_with_a_unit_is_a_gap_and_no_series() {
        let raw = cells(&["11", "13", "12 ms", "14", "12"]);
        assert_eq!(shown(&raw), [("cart_latency", None, 4)]);
        assert_eq!((raw.gaps[0].line, raw.gaps[0].count), (Some(4), 1));
    }

    #[test]
    fn log_lines_are_no_series_and_many_things_at_one_time_are() {
        let line = |i: usize| format!("2026-11-20T20:10:{i:02}Z,cart,order {i} done,{i}\n");
        let lines: String = (0..40).map(line).collect();
        let raw =
            read_text("logs.csv", format!("time,container,message,code_line\n{lines}").as_bytes());
        assert_eq!((raw.series.len(), raw.files[0].rows), (0, 0));
        assert!(raw.gaps.iter().any(|g| g.what.contains("log lines")), "{:?}", raw.gaps);
        let one = |i: usize| format!("2026-11-20T20:10:00Z,cart-{i},{i}\n");
        let many: String = (0..40).map(one).collect();
        let raw = read_text("pods.csv", format!("time,pod,cpu\n{many}").as_bytes());
        assert_eq!(raw.series.len(), 40);
    }

    #[test]
    fn a_list_of_components_names_its_metrics_in_a_column() {
        let row = |i: usize| {
            format!("{},node-1.cart-0,container_cpu_usage,{i}\n", 1_795_205_400 + 60 * i)
        };
        let rows: String = (0..30).map(row).collect();
        let raw = read_text(
            "metric_container.csv",
            format!("timestamp,cmdb_id,kpi_name,value\n{rows}").as_bytes(),
        );
        assert_eq!((raw.series.len(), raw.series[0].name.as_str()), (1, "container_cpu_usage"));
        assert_eq!(raw.series[0].labels["cmdb_id"], "node-1.cart-0");
    }

    #[test]
    fn bad_times_are_one_gap_with_the_first_one() {
        let bad: String = (0..300).map(|i| format!("12:{i},1\n")).collect();
        let text = format!("time,cart_cpu\n2026-11-20T20:10:00Z,1\n12:61,2\n{bad}");
        let raw = read_text("cart.csv", text.as_bytes());
        let said: Vec<_> = raw.gaps.iter().map(|g| (g.line, g.what.as_str(), g.count)).collect();
        assert_eq!(said, [(Some(3), "timestamp \"12:61\" is not RFC 3339", 301)]);
    }
}
