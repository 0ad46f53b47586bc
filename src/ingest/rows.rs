//! Rows of a table to series, one row at a time. In: the cells of wide and long tables as they come.
//! Out: series; times and notations are decided when all rows are known.

use super::Input;
use super::cell::{is_missing, iso, quantity};
use super::raw::{Raw, RawSeries};
use super::table::Columns;
use crate::ingest::text::beginning;
use crate::points::Points;
use crate::time;
use std::collections::{BTreeMap, HashMap};

/// A row's time as far as the row alone tells it.
#[derive(Clone, Copy)]
enum RowTime {
    Number(f64),
    Text(time::Parsed),
    Unreadable,
}

/// One series of one notation: its cells name the base unit `unit`, or none.
struct Part {
    series: RawSeries,
    unit: &'static str,
    /// Number of the series among those of the table.
    number: u32,
    first_line: u64,
}

/// Number of a part that does not exist yet.
const NONE: u32 = u32::MAX;
/// Rows of a wide table that are held back, so that each series gets its samples in runs: one at a
/// time, ten thousand series would each be fetched from memory for each row.
const RUN: usize = 32;

/// The series of a table as they come up, apart by the unit that their cells name.
pub struct Rows<'a> {
    columns: Columns,
    header: &'a [String],
    times: Vec<RowTime>,
    /// The first unreadable time, with its line.
    bad_time: Option<(u64, String)>,
    /// Numbers of the sets of name, unit, statistic and labels that rows have.
    sets: HashMap<Vec<u8>, u32>,
    /// The first part of each series, by set and metric column.
    first: Vec<u32>,
    /// Parts of further notations, by series and unit.
    further: HashMap<(u32, &'static str), u32>,
    /// Samples hold the number of their row until the times are known.
    parts: Vec<Part>,
    key: Vec<u8>,
    /// Values held back: of each metric column those of the last rows, NaN where there is none.
    held: Vec<f64>,
    /// Rows in `held`; they are the last ones.
    rows_held: usize,
    /// Length of the cells so far.
    bytes: usize,
    /// Rows of the whole table if they are all as long as the first ones; 0 before those.
    rows_expected: usize,
}

impl<'a> Rows<'a> {
    /// Starts without a row.
    pub fn new(mut columns: Columns, header: &'a [String]) -> Self {
        if let Some(value) = columns.value {
            columns.metrics = vec![value];
        }
        Rows {
            columns,
            header,
            times: Vec::new(),
            bad_time: None,
            sets: HashMap::new(),
            first: Vec::new(),
            further: HashMap::new(),
            parts: Vec::new(),
            key: Vec::new(),
            held: Vec::new(),
            rows_held: 0,
            bytes: 0,
            rows_expected: 0,
        }
    }

    /// Says whether the next row's values may be held back: every row of the table belongs to the
    /// same series, one per metric column, and none has been seen with a unit.
    fn holds(&mut self) -> bool {
        let metrics = self.columns.metrics.len();
        let wide = self.columns.value.is_none() && self.columns.labels.is_empty();
        let mut hold = wide && metrics > RUN && self.parts.len() == metrics;
        if hold && self.held.is_empty() {
            hold = self.parts.iter().all(|p| p.unit.is_empty());
            self.held = if hold { vec![f64::NAN; metrics * RUN] } else { Vec::new() };
        }
        if !hold {
            self.hand_over();
        }
        hold
    }

    /// Adds a row; `cell` gives the text of a column.
    pub fn add<'c>(
        &mut self,
        line: u64,
        cell: impl Fn(usize) -> &'c [u8],
        input: &Input,
        raw: &mut Raw,
    ) {
        if self.is_full(&cell, input.series) {
            raw.leave_out(input.file, input.series, 1);
            return;
        }
        let hold = self.holds();
        let (row, set) = (self.times.len() as i64, self.set(&cell));
        let time = self.time(line, cell(self.columns.time), input);
        self.times.push(time);
        let metrics = std::mem::take(&mut self.columns.metrics);
        for (i, &m) in metrics.iter().enumerate() {
            let text = cell(m);
            self.bytes += text.len() + 1;
            let Some((value, unit)) = number(text) else {
                let text = String::from_utf8_lossy(text);
                if !is_missing(&text) {
                    let what = || format!("value \"{}\" is not a number", cut(&text));
                    raw.skip_like(input.file, "value", 1, || (Some(line), what()));
                }
                continue;
            };
            if hold && unit.is_empty() {
                self.held[i * RUN + self.rows_held] = value;
                continue;
            }
            let series = set * metrics.len() as u32 + i as u32;
            let part = self.part(series, m, unit, line, &cell);
            if let Some(part) = self.parts.get_mut(part as usize) {
                part.series.samples.push((row, value));
            }
        }
        self.columns.metrics = metrics;
        self.rows_held += usize::from(hold);
        if self.rows_held == RUN {
            if self.rows_expected == 0 {
                let seen = self.times.len() as f64 / self.bytes.max(1) as f64;
                // A little more, for rows are not equally long.
                self.rows_expected = (input.bytes.len() as f64 * seen * 1.02) as usize + 1;
            }
            self.hand_over();
        }
    }

    /// Gives the values that were held back to the first part of their series.
    fn hand_over(&mut self) {
        let first_row = self.times.len() - self.rows_held;
        for (values, first) in self.held.chunks_mut(RUN).zip(&self.first) {
            let Some(part) = self.parts.get_mut(*first as usize) else { continue };
            let known = values.iter().take(self.rows_held).enumerate().filter(|(_, v)| !v.is_nan());
            let samples = &mut part.series.samples;
            // Room for all rows at once: the largest tables need not be moved while they grow.
            samples.reserve_exact(self.rows_expected.saturating_sub(samples.len()));
            samples.extend(known.map(|(i, v)| ((first_row + i) as i64, *v)));
            values.fill(f64::NAN);
        }
        self.rows_held = 0;
    }

    fn time(&mut self, line: u64, text: &[u8], input: &Input) -> RowTime {
        let text = String::from_utf8_lossy(text);
        if let Ok(v) = text.trim().parse() {
            return RowTime::Number(v);
        }
        match time::parse(&text, input.zone).or_else(|| time::parse(&iso(&text), input.zone)) {
            Some(parsed) => RowTime::Text(parsed),
            None => {
                self.bad_time.get_or_insert_with(|| (line, cut(&text)));
                RowTime::Unreadable
            }
        }
    }

    /// Says whether a row is of a series that would be one too many.
    fn is_full<'c>(&mut self, cell: &impl Fn(usize) -> &'c [u8], most: u64) -> bool {
        let more = (self.sets.len() as u64 + 1) * self.columns.metrics.len().max(1) as u64;
        if more <= most {
            return false;
        }
        self.write_key(cell);
        !self.sets.contains_key(&self.key)
    }

    /// Writes down what tells the row's series from others.
    fn write_key<'c>(&mut self, cell: &impl Fn(usize) -> &'c [u8]) {
        let c = &self.columns;
        self.key.clear();
        for i in [c.name, c.unit, c.statistic].into_iter().flatten().chain(c.labels.iter().copied())
        {
            let text = cell(i).trim_ascii();
            self.key.extend_from_slice(&(text.len() as u32).to_le_bytes());
            self.key.extend_from_slice(text);
        }
    }

    /// The number of the row's name, unit, statistic and labels.
    fn set<'c>(&mut self, cell: &impl Fn(usize) -> &'c [u8]) -> u32 {
        self.write_key(cell);
        if let Some(set) = self.sets.get(&self.key) {
            return *set;
        }
        let set = self.sets.len() as u32;
        self.sets.insert(self.key.clone(), set);
        self.first.resize(self.first.len() + self.columns.metrics.len(), NONE);
        set
    }

    /// The part of a series that has this notation, made on first sight.
    fn part<'c>(
        &mut self,
        series: u32,
        metric: usize,
        unit: &'static str,
        line: u64,
        cell: &impl Fn(usize) -> &'c [u8],
    ) -> u32 {
        let first = self.first.get(series as usize).copied().unwrap_or(NONE);
        if self.parts.get(first as usize).is_some_and(|p| p.unit == unit) {
            return first;
        }
        if let Some(part) = self.further.get(&(series, unit)) {
            return *part;
        }
        let part = self.parts.len() as u32;
        self.parts.push(Part {
            series: self.described(metric, unit, cell),
            unit,
            number: series,
            first_line: line,
        });
        match self.first.get_mut(series as usize).filter(|f| **f == NONE) {
            Some(first) => *first = part,
            None => {
                self.further.insert((series, unit), part);
            }
        }
        part
    }

    /// Name, unit, statistic and labels as the first row of a series has them.
    fn described<'c>(
        &self,
        metric: usize,
        unit: &'static str,
        cell: &impl Fn(usize) -> &'c [u8],
    ) -> RawSeries {
        let c = &self.columns;
        let text = |i: usize| String::from_utf8_lossy(cell(i)).trim().to_owned();
        let filled = |x: Option<usize>| x.map(text).filter(|v| !v.is_empty());
        let header = |i: usize| self.header.get(i).cloned().unwrap_or_default();
        let labels: BTreeMap<String, String> = c
            .labels
            .iter()
            .map(|i| (header(*i), text(*i)))
            .filter(|(_, v)| !v.is_empty())
            .collect();
        RawSeries {
            name: match c.name {
                Some(name) => text(name),
                None if c.value.is_some() => String::new(),
                None => header(metric),
            },
            unit: if unit.is_empty() { filled(c.unit) } else { Some(unit.to_owned()) },
            statistic: filled(c.statistic),
            labels,
            ..RawSeries::default()
        }
    }

    /// The time of each row; numbers are read in the unit of their median where most are numbers.
    fn times(&self) -> Vec<Option<time::Parsed>> {
        let numbers = self.times.iter().filter_map(|t| match t {
            RowTime::Number(v) => Some(*v),
            _ => None,
        });
        let unit = time::column_unit(numbers.collect(), self.times.len());
        let one = |t: &RowTime| match t {
            RowTime::Number(v) => {
                time::from_epoch(*v, unit?).map(|at| time::Parsed { at, zone_assumed: false })
            }
            RowTime::Text(parsed) => Some(*parsed),
            RowTime::Unreadable => None,
        };
        self.times.iter().map(one).collect()
    }

    /// Hands over one notation of each series: the one of most cells. Nought needs no unit; other
    /// cells of another notation are counted, for what a bare `12` among `12 ms` means is a guess.
    pub fn finish(mut self, input: &Input, raw: &mut Raw) {
        self.hand_over();
        let times = self.times();
        if times.iter().flatten().any(|t| t.zone_assumed) {
            raw.zone_assumed(input.file);
        }
        let bad = times.iter().filter(|t| t.is_none()).count() as u64;
        if bad > 0 {
            let (line, text) = self.bad_time.take().unwrap_or_default();
            let line = Some(line).filter(|l| *l > 0);
            let what = || format!("timestamp \"{text}\" is not RFC 3339");
            raw.skip_like(input.file, "timestamp", bad, || (line, what()));
        }
        let dated = |samples: &mut Points| {
            samples.retime(|row| Some(times.get(row as usize).copied().flatten()?.at));
            samples.shrink_to_fit();
        };
        self.parts.sort_by_key(|p| (p.number, std::cmp::Reverse(p.series.samples.len())));
        let mut parts = self.parts.into_iter().peekable();
        while let Some(Part { mut series, unit, number, .. }) = parts.next() {
            dated(&mut series.samples);
            while let Some(mut other) = parts.next_if(|p| p.number == number) {
                dated(&mut other.series.samples);
                let (zero, lost): (Vec<_>, Vec<_>) =
                    other.series.samples.into_iter().partition(|s| s.1 == 0.0);
                series.samples.extend(zero);
                if lost.is_empty() {
                    continue;
                }
                let shown = |u: &str| if u.is_empty() { "no unit" } else { u }.to_owned();
                let (is, most) = (shown(other.unit), shown(unit));
                let what = || format!("value with {is} where most of the series has {most}");
                let first = || (Some(other.first_line), what());
                raw.skip_like(input.file, "unit", lost.len() as u64, first);
            }
            if !series.samples.is_empty() {
                raw.rows(input.file, series.samples.len() as u64);
                raw.series.push(RawSeries { file: input.file, ..series });
            }
        }
    }
}

/// A cell's number and the base unit that it names; plain numbers first, for they are most.
fn number(cell: &[u8]) -> Option<(f64, &'static str)> {
    if let Some(v) = decimal(cell) {
        return Some((v, ""));
    }
    let text = std::str::from_utf8(cell).ok()?;
    match text.parse::<f64>() {
        Ok(v) if v.is_finite() => Some((v, "")),
        _ if is_missing(text) => None,
        _ => quantity(text),
    }
}

/// Powers of ten that 64-bit floats hold exactly and that short decimals need.
const POWERS: [f64; DIGITS + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
/// Digits of which every whole number is exact in a 64-bit float.
const DIGITS: usize = 15;

/// A decimal such as `-12.5` of few digits. Its digits and its power of ten are exact as floats, so
/// that their quotient is the nearest float, as it is by any right reading (Clinger 1990).
fn decimal(cell: &[u8]) -> Option<f64> {
    let (negative, cell) = match cell {
        [b'-', rest @ ..] => (true, rest),
        all => (false, all),
    };
    let (mut value, mut digits, mut behind, mut point) = (0u64, 0, 0, false);
    for byte in cell.iter().take(DIGITS + 2) {
        match byte {
            b'0'..=b'9' => {
                value = value * 10 + u64::from(byte - b'0');
                digits += 1;
                behind += usize::from(point);
            }
            b'.' if !point => point = true,
            _ => return None,
        }
    }
    let short = cell.len() <= DIGITS + 1 && (1..=DIGITS).contains(&digits);
    let magnitude = value as f64 / POWERS.get(behind).filter(|_| short)?;
    Some(if negative { -magnitude } else { magnitude })
}

fn cut(cell: &str) -> String {
    beginning(cell, 40)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::read_text;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn decimals_are_read_as_the_library_reads_them(cell in "-?[0-9]{0,9}[.]?[0-9]{0,9}") {
            let want = cell.parse::<f64>().ok().map(f64::to_bits);
            if let Some(found) = decimal(cell.as_bytes()) {
                prop_assert_eq!(Some(found.to_bits()), want);
            }
        }
    }

    #[test]
    fn short_decimals_need_no_library() {
        let read = ["0", "7", "-0"].map(|c| decimal(c.as_bytes()).map(f64::to_bits));
        assert_eq!(read, [0.0f64, 7.0, -0.0].map(|v| Some(v.to_bits())));
        assert_eq!(decimal(b"40.7231"), Some(40.7231));
        for no in ["", "-", ".", "1e5", "1.2.3", " 1", "NaN", "1234567890123456"] {
            assert_eq!(decimal(no.as_bytes()), None, "{no}");
        }
    }

    /// A table of `columns` series; `cell` gives the text by row and column.
    fn table(rows: usize, columns: usize, cell: impl Fn(usize, usize) -> String) -> Raw {
        let header: Vec<String> = (0..columns).map(|c| format!("s{c}_cpu")).collect();
        let mut text = format!("time,{}\n", header.join(","));
        for row in 0..rows {
            let cells: Vec<String> = (0..columns).map(|c| cell(row, c)).collect();
            text += &format!("{},{}\n", 1_795_205_400 + row * 15, cells.join(","));
        }
        read_text("wide.csv", text.as_bytes())
    }

    #[test]
    fn values_that_are_held_back_come_to_their_rows() {
        // Gaps, a unit that comes up late, and a last run that is not full.
        let cell = |row: usize, column: usize| match (row, column) {
            (r, 3) if r % 5 == 0 => String::new(),
            (50, 4) => "7 ms".to_owned(),
            (r, c) => format!("{}", r * 1000 + c),
        };
        let raw = table(3 * RUN + 7, 2 * RUN, cell);
        assert_eq!(raw.series.len(), 2 * RUN);
        for (c, series) in raw.series.iter().enumerate() {
            let start = 1_795_205_400_000_000;
            let row = |s: (i64, f64)| ((s.0 - start) / 15_000_000) as usize;
            assert!(series.samples.iter().all(|s| s.1 == (row(s) * 1000 + c) as f64), "column {c}");
            let missing = [(3, 21), (4, 1)].iter().find(|(column, _)| *column == c);
            assert_eq!(
                series.samples.len(),
                3 * RUN + 7 - missing.map_or(0, |m| m.1),
                "column {c}"
            );
        }
        let said: Vec<_> = raw.gaps.iter().map(|g| (g.line, g.count)).collect();
        assert_eq!(said, [(Some(52), 1)], "{:?}", raw.gaps);
    }
}
