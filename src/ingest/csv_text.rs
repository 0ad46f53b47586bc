//! Delimited text to a table: delimiter by content, quotes respected, ragged rows counted.

use super::Input;
use super::cell::is_missing;
use super::raw::Raw;
use super::table::Table;
use std::io::{self, Read};

/// Delimiters that are tried, the most usual first.
const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];
/// Records looked at to choose the delimiter.
const LOOK: usize = 20;

/// Bytes looked at to choose the delimiter.
const LOOK_BYTES: usize = 4 << 20;
/// Longest row: a quote that is never closed swallows the rest of the file.
const ROW_MAX: usize = 64 << 20;

/// The first `most` bytes without the line that their end cuts: a torn row of a wide table has fewer
/// cells than the header, and would speak against the delimiter.
pub fn whole_lines(all: &[u8], most: usize) -> &[u8] {
    let head = &all[..all.len().min(most)];
    match memchr::memrchr(b'\n', head) {
        Some(end) if all.len() > head.len() => &head[..=end],
        _ => head,
    }
}

/// A text that ends with an error where a row is longer than [`ROW_MAX`].
struct Bounded<'a> {
    rest: &'a [u8],
    /// Bytes that the row may still have.
    left: usize,
}

impl Read for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !self.rest.is_empty() {
            return Err(io::Error::other(format!("longer than {} MiB", ROW_MAX >> 20)));
        }
        let room = buffer.len().min(self.left);
        let read = self.rest.read(&mut buffer[..room])?;
        self.left -= read;
        Ok(read)
    }
}

/// The delimiter under which the first records have the same, largest number of fields above one.
pub fn delimiter(bytes: &[u8]) -> Option<u8> {
    let bytes = whole_lines(bytes, LOOK_BYTES);
    let fields = |d: u8| {
        let mut reader = builder(d).from_reader(bytes);
        let counts: Vec<usize> =
            reader.byte_records().take(LOOK).map_while(Result::ok).map(|r| r.len()).collect();
        let first = *counts.first()?;
        let same = counts.iter().filter(|c| **c == first).count();
        (first > 1 && same * 2 > counts.len()).then_some((same, first))
    };
    let best = DELIMITERS.iter().filter_map(|d| fields(*d).map(|f| (f, *d)));
    best.max_by_key(|((same, fields), d)| (*same, *fields, *d == b',')).map(|(_, d)| d)
}

fn builder(delimiter: u8) -> csv::ReaderBuilder {
    let mut b = csv::ReaderBuilder::new();
    b.delimiter(delimiter).has_headers(false).flexible(true);
    b
}

/// The header cells of the first record, trimmed; empty when the text is not delimited.
pub fn header(bytes: &[u8]) -> Vec<String> {
    delimiter(bytes).map_or(Vec::new(), |d| header_with(bytes, d))
}

/// The header cells of the first record with a delimiter that is known.
pub fn header_with(bytes: &[u8], delimiter: u8) -> Vec<String> {
    let mut record = csv::ByteRecord::new();
    match builder(delimiter).from_reader(bytes).read_byte_record(&mut record) {
        Ok(true) => record.iter().map(clean).collect(),
        _ => Vec::new(),
    }
}

/// The first `most` rows behind the header, cleaned; empty when the text is not delimited.
pub fn rows(bytes: &[u8], most: usize) -> Vec<Vec<String>> {
    let Some(d) = delimiter(bytes) else { return Vec::new() };
    let mut reader = builder(d).from_reader(bytes);
    let records = reader.byte_records().map_while(Result::ok).skip(1).take(most);
    records.map(|r| r.iter().map(clean).collect()).collect()
}

fn clean(cell: &[u8]) -> String {
    String::from_utf8_lossy(cell).trim().trim_matches('"').to_owned()
}

/// Reads the whole file; rows of another width than the header are counted and left out.
pub fn table(input: &Input, raw: &mut Raw) -> Table {
    match delimiter(input.bytes) {
        Some(d) => delimited(input, d, raw),
        None => Table::default(),
    }
}

/// Reads the whole file with a delimiter that is known.
pub fn delimited(input: &Input, delimiter: u8, raw: &mut Raw) -> Table {
    let mut table = Table::default();
    let header = &mut table.header;
    let (rows, lines) = (&mut table.rows, &mut table.lines);
    each_row(
        input,
        delimiter,
        raw,
        |h| *header = h,
        |line, record, _| {
            rows.push(record.iter().map(|c| String::from_utf8_lossy(c).into_owned()).collect());
            lines.push(line);
        },
    );
    table
}

/// The header and the first `most` rows of the header's width, and behind them those that are the
/// first to say something in a column; `None` for an empty text.
pub fn sample(input: &Input, delimiter: u8, most: usize) -> Option<Table> {
    let mut reader = builder(delimiter).from_reader(Bounded { rest: input.bytes, left: ROW_MAX });
    let mut record = csv::ByteRecord::new();
    let mut next = |record: &mut csv::ByteRecord| {
        reader.get_mut().left = ROW_MAX;
        matches!(reader.read_byte_record(record), Ok(true))
    };
    if !next(&mut record) {
        return None;
    }
    let header: Vec<String> = record.iter().map(clean).collect();
    let mut silent = vec![true; header.len()];
    let mut rows: Vec<Vec<String>> = Vec::new();
    while next(&mut record) {
        if record.len() != header.len() {
            continue;
        }
        let speaks = |(c, s): (&[u8], &bool)| *s && !is_missing(&String::from_utf8_lossy(c));
        let news = silent.contains(&true) && record.iter().zip(&silent).any(speaks);
        if rows.len() >= most && !news {
            match silent.contains(&true) {
                true => continue,
                false => break,
            }
        }
        let row: Vec<String> =
            record.iter().map(|c| String::from_utf8_lossy(c).into_owned()).collect();
        silent.iter_mut().zip(&row).for_each(|(s, c)| *s &= is_missing(c));
        rows.push(row);
    }
    Some(Table { lines: vec![0; rows.len()], header, rows })
}

/// Hands over the header, then every row with its line; rows of another width than the header are
/// counted and left out.
pub fn each_row(
    input: &Input,
    delimiter: u8,
    raw: &mut Raw,
    header: impl FnOnce(Vec<String>),
    mut row: impl FnMut(u64, &csv::ByteRecord, &mut Raw),
) {
    let mut reader = builder(delimiter).from_reader(Bounded { rest: input.bytes, left: ROW_MAX });
    let mut record = csv::ByteRecord::new();
    let (mut header, mut width) = (Some(header), 0);
    loop {
        let line = line_of(reader.position(), input);
        reader.get_mut().left = ROW_MAX;
        match reader.read_byte_record(&mut record) {
            Ok(false) => break,
            Ok(true) => match header.take() {
                Some(header) => {
                    width = record.len();
                    header(record.iter().map(clean).collect());
                }
                None if record.len() != width => {
                    let what = format!("row has {} fields instead of {width}", record.len());
                    raw.skip(input.file, Some(line), what, 1);
                }
                None => row(line, &record, raw),
            },
            Err(e) => {
                raw.skip(input.file, Some(line), format!("row is not readable: {e}"), 1);
                break;
            }
        }
    }
}

/// The line on which the next record starts. The reader stops between CR and LF.
fn line_of(at: &csv::Position, input: &Input) -> u64 {
    let byte = usize::try_from(at.byte()).unwrap_or(usize::MAX);
    let between = byte > 0 && input.bytes.get(byte.wrapping_sub(1)..=byte) == Some(b"\r\n");
    at.line() + u64::from(between) + input.first_line - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_found_with_quotes_respected() {
        assert_eq!(delimiter(b"a;b;c\n1;\"x,y\";3\n"), Some(b';'));
        assert_eq!(delimiter(b"a,b\n1,2\n"), Some(b','));
        assert_eq!(delimiter(b"a\tb\n1\t2\n"), Some(b'\t'));
        assert_eq!(delimiter(b"just words\n"), None);
    }

    #[test]
    fn a_row_that_never_ends_is_refused_where_it_is_too_long() {
        let long = vec![b'x'; ROW_MAX + (1 << 20)];
        let text = [b"a,b\n1,2\n1,\"", &long[..]].concat();
        let mut reader = builder(b',').from_reader(Bounded { rest: &text, left: ROW_MAX });
        let rows: Vec<_> = reader.byte_records().collect();
        assert_eq!(rows.iter().filter(|r| r.is_ok()).count(), 2);
        let said = rows.iter().find_map(|r| r.as_ref().err()).expect("refused").to_string();
        assert!(said.contains("longer than 64 MiB"), "{said}");
    }
}
