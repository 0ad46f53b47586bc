//! Grafana's panel CSV: raw or formatted, joined by time or one series, for Excel or not, tables.
//! In: delimited text. Out: series in base units; what formatting took away is a gap.

use super::cells::{self, Cell};
use super::legend;
use super::sheet::{Sheet, Values};
use super::times;
use crate::ingest::raw::Raw;
use crate::ingest::table::{LABELS, TIME, Table};
use crate::ingest::text::beginning;
use crate::ingest::{Head, Input, csv_text};
use crate::model::{GapKind, Micros};
use std::collections::{BTreeMap, BTreeSet};

/// Header of "Export CSV, series as rows" up to Grafana 6.
const OLD_ROWS: [&str; 3] = ["series", "time", "value"];

/// Where the table starts and what separates its cells.
struct Layout {
    skip: usize,
    delimiter: u8,
}

/// Accepts a table whose header cells are all quoted and start with `Time`, the header of old
/// exports, Excel's `sep=` line, and re-saved files that still have Grafana's names.
pub fn accepts(head: &Head) -> bool {
    if head.is_json() || head.bytes.contains(&0) {
        return false;
    }
    layout(head.bytes).is_some() || resaved(head)
}

fn resaved(head: &Head) -> bool {
    if head.header == OLD_ROWS {
        return true;
    }
    let timed = head.header.first().is_some_and(|h| h == "time") && head.header.len() > 1;
    let named = legend::title(head.name).is_some() || head.name.contains("-data-as-");
    let selectors = || head.header.iter().any(|h| legend::selector(h).is_some());
    timed && (named || selectors())
}

fn layout(bytes: &[u8]) -> Option<Layout> {
    if let Some(rest) = bytes.strip_prefix(b"sep=") {
        let end = rest.iter().position(|b| *b == b'\n')? + 1;
        let delimiter = *rest.first()?;
        let header = csv_text::header_with(&rest[end..], delimiter);
        let timed = header.iter().any(|h| TIME.contains(&h.to_lowercase().as_str()));
        return timed.then_some(Layout { skip: b"sep=".len() + end, delimiter });
    }
    let (delimiter, end) = quoted_header(bytes)?;
    let header = csv_text::header_with(bytes, delimiter);
    let lower: Vec<String> = header.iter().map(|h| h.to_lowercase()).collect();
    // Other programs quote headers too: Grafana's field is called Time, and its lines end in CR LF.
    let own = header.first().is_some_and(|h| h == "Time")
        || (lower.first().is_some_and(|h| h == "time") && bytes[..end].ends_with(b"\r\n"));
    // Who quotes every cell of a row is not Grafana; up to version 6 it quoted texts and times.
    let quotes_all = quoted_header(&bytes[end..]).is_some();
    (lower == OLD_ROWS || (own && !quotes_all)).then_some(Layout { skip: 0, delimiter })
}

/// The delimiter of a first record in which every cell is quoted, and the offset behind it.
fn quoted_header(bytes: &[u8]) -> Option<(u8, usize)> {
    let (mut at, mut delimiter) = (0, None);
    loop {
        if bytes.get(at) != Some(&b'"') {
            return None;
        }
        at += 1;
        loop {
            match (bytes.get(at)?, bytes.get(at + 1)) {
                (b'"', Some(b'"')) => at += 2,
                (b'"', _) => break,
                _ => at += 1,
            }
        }
        at += 1;
        match bytes.get(at) {
            None => return delimiter.map(|d| (d, at)),
            Some(b'\r') if bytes.get(at + 1) == Some(&b'\n') => {
                return delimiter.map(|d| (d, at + 2));
            }
            Some(b'\n') => return delimiter.map(|d| (d, at + 1)),
            Some(d @ (b',' | b';' | b'\t')) if delimiter.is_none_or(|known| known == *d) => {
                delimiter = Some(*d);
                at += 1;
            }
            Some(_) => return None,
        }
    }
}

/// Reads a panel's export.
pub fn read(input: &Input, raw: &mut Raw) {
    let known = layout(input.bytes);
    let skip = known.as_ref().map_or(0, |l| l.skip);
    let (bytes, first_line) = (&input.bytes[skip..], input.line(skip));
    let body = Input { bytes, first_line, ..*input };
    let delimiter = known.map(|l| l.delimiter).or_else(|| csv_text::delimiter(body.bytes));
    let Some(delimiter) = delimiter else { return };
    let table = csv_text::delimited(&body, delimiter, raw);
    let Some(time) = table.column(&["time"]).or_else(|| table.column(&TIME)) else { return };
    let (times, formatted) = times::read(input, &table, time, raw);
    let mut sheet = Sheet { times, ..Sheet::default() };
    let times: BTreeSet<Micros> = sheet.times.iter().flatten().copied().collect();
    let once = times.len() == sheet.times.len();
    let mut panel = Panel { input, table: &table, formatted, once, rough: None, titled: false };
    for column in (0..table.header.len()).filter(|c| *c != time) {
        panel.column(column, &mut sheet, raw);
    }
    panel.said(raw);
    sheet.push(input.file, raw);
}

/// Words of two states and which of them is 1.
const PAIRS: [[&str; 2]; 4] = [["true", "false"], ["yes", "no"], ["on", "off"], ["up", "down"]];
/// States that one column may have.
const STATES_MAX: usize = 8;
const EXPORT_RAW: &str = "export again with \"Formatted data\" off";

/// A table as its columns are read, and what is to be said of the whole file.
struct Panel<'a> {
    input: &'a Input<'a>,
    table: &'a Table,
    formatted: bool,
    /// No time stands in two rows: the rows are not told apart by labels.
    once: bool,
    /// Line of the first cell that was rounded.
    rough: Option<u64>,
    titled: bool,
}

impl<'a> Panel<'a> {
    fn column(&mut self, column: usize, sheet: &mut Sheet, raw: &mut Raw) {
        let file = self.input.file;
        let header = self.table.header[column].as_str();
        let texts: Vec<&'a str> = self.table.rows.iter().map(|r| r[column].as_str()).collect();
        let cells: Vec<Cell> = texts.iter().map(|t| cells::read(t)).collect();
        let numbers = cells.iter().filter(|c| matches!(c, Cell::Number { .. })).count();
        let words: BTreeSet<&str> = self.words(&texts, &cells).map(|(_, t)| t).collect();
        let is_label = LABELS.contains(&header.to_lowercase().as_str());
        let selected = legend::selector(header).is_some_and(|n| !n.labels.is_empty());
        let few = (1..=STATES_MAX).contains(&words.len());
        let mapped = selected || (self.formatted && self.once && !is_label);
        if header.strip_prefix("Time ").is_some_and(|n| n.parse::<u32>().is_ok()) {
            raw.skip(file, Some(1), "a further column of times is not used", 1);
        } else if words.iter().any(|w| w.starts_with(['{', '['])) {
            raw.skip_like(file, "object", 1, || {
                (Some(1), format!("column \"{header}\" holds objects: left out"))
            });
        } else if let Some(pair) = pair_of(&words).filter(|_| numbers == 0) {
            self.truths(header, pair, (&texts, &cells), sheet, raw);
        } else if numbers == 0 && mapped && few {
            self.states(header, &words, (&texts, &cells), sheet, raw);
        } else if is_label || (words.len() > numbers && !selected) {
            let own = texts.iter().map(|t| (*t).to_owned()).collect();
            sheet.texts.push((header.to_owned(), own));
        } else {
            self.measure(header, (&texts, &cells), sheet, raw);
        }
    }

    fn words<'c>(
        &self,
        texts: &'c [&'a str],
        cells: &'c [Cell],
    ) -> impl Iterator<Item = (usize, &'a str)> + use<'a, 'c> {
        let pairs = texts.iter().zip(cells).enumerate();
        pairs.filter(|(_, (_, c))| **c == Cell::Word).map(|(row, (t, _))| (row, t.trim()))
    }

    fn line(&self, row: usize) -> Option<u64> {
        self.table.lines.get(row).copied()
    }

    /// A column under its name; its cells are still to be filled.
    fn values(&mut self, header: &str) -> Values {
        let (named, titled) = legend::of_header(header, legend::title(self.input.name()));
        self.titled |= titled;
        Values { name: named.name, labels: named.labels, ..Values::default() }
    }

    /// A column of two words: 1 and 0.
    fn truths(
        &mut self,
        header: &str,
        pair: [&str; 2],
        (texts, cells): (&[&'a str], &[Cell]),
        sheet: &mut Sheet,
        raw: &mut Raw,
    ) {
        let is = |t: &str, word: &str| t.trim().eq_ignore_ascii_case(word);
        if let Some((row, _)) = self.words(texts, cells).next().filter(|_| pair[0] != "true") {
            let what = format!("\"{header}\": {} is read as 1 and {} as 0", pair[0], pair[1]);
            raw.gap(GapKind::Inferred, self.input.file, self.line(row), what);
        }
        let value = |t: &&str| match () {
            () if is(t, pair[0]) => 1.0,
            () if is(t, pair[1]) => 0.0,
            () => f64::NAN,
        };
        let values = Values { cells: texts.iter().map(value).collect(), ..self.values(header) };
        sheet.values.push(values);
    }

    /// A column of mapped values: one series for each word, 1 while it holds (a state set).
    fn states(
        &mut self,
        header: &str,
        words: &BTreeSet<&str>,
        (texts, cells): (&[&'a str], &[Cell]),
        sheet: &mut Sheet,
        raw: &mut Raw,
    ) {
        let listed = words.iter().copied().collect::<Vec<_>>().join(", ");
        let what = format!(
            "\"{header}\" holds words (value mappings): kept as states {listed}; {EXPORT_RAW}"
        );
        let row = self.words(texts, cells).next().map_or(0, |(row, _)| row);
        raw.gap(GapKind::Doubtful, self.input.file, self.line(row), what);
        for word in words {
            let held = |(t, c): (&&str, &Cell)| match c {
                Cell::Word => f64::from(u8::from(t.trim() == *word)),
                _ => f64::NAN,
            };
            let mut values = self.values(header);
            values.cells = texts.iter().zip(cells).map(held).collect();
            values.labels.insert("state".to_owned(), (*word).to_owned());
            sheet.values.push(values);
        }
    }

    /// A column of numbers in the unit of most of them.
    fn measure(
        &mut self,
        header: &str,
        (texts, cells): (&[&'a str], &[Cell]),
        sheet: &mut Sheet,
        raw: &mut Raw,
    ) {
        let file = self.input.file;
        let unit = unit_of(cells);
        let mut values = self.values(header);
        values.unit = Some(unit).filter(|u| !u.is_empty()).map(str::to_owned);
        for (row, (text, cell)) in texts.iter().zip(cells).enumerate() {
            let line = self.line(row);
            let mut kept = f64::NAN;
            match *cell {
                Cell::Missing => {}
                Cell::NotFinite => {
                    raw.skip(file, line, "value is NaN or infinite: left as a gap", 1);
                }
                Cell::Word => raw.skip_like(file, "word", 1, || {
                    let word = beginning(text.trim(), 40);
                    let what = "is a word, not a number (a value mapping)";
                    (line, format!("\"{word}\" in \"{header}\" {what}: {EXPORT_RAW}"))
                }),
                Cell::Number { value, unit: own } if own == unit || value == 0.0 => {
                    kept = value;
                    if self.formatted && (text.contains('.') || value.abs() >= 1000.0) {
                        self.rough = self.rough.or(line);
                    }
                }
                Cell::Number { unit: own, .. } => raw.skip_like(file, "unit", 1, || {
                    let shown = |u: &str| if u.is_empty() { "no unit" } else { u }.to_owned();
                    let (is, most) = (shown(own), shown(unit));
                    (line, format!("value with {is} where most of the series has {most}"))
                }),
            }
            values.cells.push(kept);
        }
        sheet.values.push(values);
    }

    /// Says what holds for the whole file.
    fn said(&self, raw: &mut Raw) {
        let file = self.input.file;
        if let Some(line) = self.rough {
            let what = format!("low precision: formatted cells keep about 3 digits; {EXPORT_RAW}");
            raw.gap(GapKind::Doubtful, file, Some(line), what);
        }
        if let Some(title) = legend::title(self.input.name()).filter(|_| self.titled) {
            let what = format!("series are named after the panel \"{title}\" of the file's name");
            raw.gap(GapKind::Inferred, file, None, what);
        }
    }
}

/// The pair of words that a column holds, when it holds no other.
fn pair_of(words: &BTreeSet<&str>) -> Option<[&'static str; 2]> {
    let lower: BTreeSet<String> = words.iter().map(|w| w.to_lowercase()).collect();
    let all = |p: &&[&str; 2]| lower.iter().all(|w| p.contains(&w.as_str()));
    PAIRS.iter().find(all).copied().filter(|_| !words.is_empty())
}

/// The unit of most of the numbers that are not nought; of all when there is no other.
fn unit_of<'c>(cells: &[Cell<'c>]) -> &'c str {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for cell in cells {
        if let Cell::Number { value, unit } = cell {
            let count = counts.entry(unit).or_default();
            count.0 += usize::from(*value != 0.0);
            count.1 += 1;
        }
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map_or("", |(unit, _)| unit)
}
