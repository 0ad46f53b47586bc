//! Delimited text, cell by cell, each with the name of its column. In: pieces of a text. Out: the same
//! text with other cells; quotes stay as they are.

use super::Redactor;
use super::keys::{self, Class};

/// Delimiters that are tried.
const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];
/// Records by which a delimiter is chosen.
const LOOK: usize = 20;
/// Records of fewer cells that may stand above a header.
const TITLES: usize = 5;
/// Columns of PostgreSQL's csvlog, which has no header, in its versions.
const CSVLOG: [usize; 3] = [23, 24, 26];

/// The delimiter under which the first records all have the same number of cells, above one; or most
/// of them, where the header has a column that is told by its name: it must not be missed for a short
/// row, for a line that counts the rows, or for lines with a title above it. With it the number of
/// records above the header.
pub(super) fn delimiter(head: &[u8]) -> Option<(u8, usize)> {
    let last = memchr::memrchr(b'\n', head).filter(|e| memchr::memchr(b'\n', head) != Some(*e));
    let end = last.map_or(head.len(), |e| e + 1);
    let cells = |d: u8| {
        if d == b'|' && has_rule(&head[..end]) {
            return None;
        }
        let mut reader = csv::ReaderBuilder::new();
        let reader = reader.delimiter(d).has_headers(false).flexible(true);
        let (mut counts, mut header, mut secret) = (Vec::new(), None, false);
        for (i, record) in reader.from_reader(&head[..end]).byte_records().take(LOOK).enumerate() {
            let record = record.ok()?;
            let aside =
                record.get(0).is_some_and(|c| c.starts_with(b"#") || c.starts_with(b"sep="));
            let titled = i <= TITLES && counts.iter().all(|above| *above < record.len());
            if header.is_none() && titled && !aside && is_told(&record) {
                (counts, header) = (Vec::new(), Some(i));
                secret = has_secret(&record);
            }
            if !aside {
                counts.push(record.len());
            }
        }
        let first = *counts.first()?;
        let told = header.is_some();
        if !told && !is_header(&head[..end], d) && !CSVLOG.contains(&first) {
            return None;
        }
        let same = counts.iter().filter(|c| **c == first).count();
        let enough = same == counts.len() || told && 2 * same > counts.len() || secret;
        (first > 1 && counts.len() > 1 && enough).then_some((first, (d, header.unwrap_or(0))))
    };
    let all = DELIMITERS.iter().filter_map(|d| cells(*d));
    all.max_by_key(|(n, (d, _))| (*n, *d == b',')).map(|best| best.1)
}

/// Says whether one of the first lines is the rule of a table that psql draws.
fn has_rule(head: &[u8]) -> bool {
    let rule = |l: &[u8]| {
        let l = l.trim_ascii();
        l.starts_with(b"---") && l.iter().all(|b| matches!(b, b'-' | b'+'))
    };
    head.split(|b| *b == b'\n').take(LOOK).any(rule)
}

/// Longest name of a column that is not quoted, bytes.
const NAME_MAX: usize = 160;

/// Says whether the first record of a table, as it is written, may be a header: lines of a log can
/// have the same number of commas by chance.
fn is_header(head: &[u8], delimiter: u8) -> bool {
    let mut lines = head.split(|b| *b == b'\n');
    let aside =
        |l: &&[u8]| l.trim_ascii().is_empty() || l.starts_with(b"#") || l.starts_with(b"sep=");
    let Some(first) = lines.find(|l| !aside(l)) else { return true };
    let time = first.first().is_some_and(u8::is_ascii_digit);
    let mut quoted = false;
    let plain: Vec<u8> = first
        .iter()
        .copied()
        .filter(|b| {
            quoted ^= *b == b'"';
            !quoted
        })
        .collect();
    let prose = |c: &[u8]| c.len() > NAME_MAX || memchr::memmem::find(c, b": ").is_some();
    !time && !plain.contains(&b'\'') && !plain.split(|b| *b == delimiter).any(prose)
}

/// Says whether the first record of a table names a column of secrets, users or statements.
fn is_told(header: &csv::ByteRecord) -> bool {
    let name = |c: &[u8]| keys::class(&String::from_utf8_lossy(c.trim_ascii()));
    let plain = header.iter().all(|c| c.len() <= NAME_MAX && !c.contains(&b':'));
    plain && header.iter().any(|c| name(c) != Class::Other)
}

/// Says whether the header of a table, and nothing else, names a column of secrets: whatever its rows
/// look like, they hold some.
fn has_secret(header: &csv::ByteRecord) -> bool {
    let plain = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'.' | b' ');
    let name = |c: &[u8]| keys::class(&String::from_utf8_lossy(c.trim_ascii()));
    let short = |c: &[u8]| !c.is_empty() && c.len() <= 40 && c.iter().all(plain);
    header.iter().all(short) && header.iter().any(|c| name(c) == Class::Secret)
}

/// A walk through one table.
pub(super) struct Table {
    delimiter: u8,
    columns: Vec<Class>,
    header: bool,
    /// Records above the header that are still to come.
    above: usize,
    line: u64,
    blank: bool,
}

impl Table {
    pub fn new(delimiter: u8, above: usize) -> Table {
        Table { delimiter, columns: Vec::new(), header: true, above, line: 1, blank: false }
    }

    /// Rewrites the whole records of `text`; gives the bytes used. With `last` that is all.
    pub fn feed(
        &mut self,
        text: &[u8],
        last: bool,
        all: &mut Redactor,
        out: &mut Vec<u8>,
    ) -> usize {
        let mut at = 0;
        while at < text.len() {
            let Some(cells) = self.record(&text[at..], last) else { return at };
            let len = cells.last().map_or(0, |c| c.1);
            self.rewrite(&text[at..at + len], &cells, all, out);
            at += len;
        }
        at
    }

    /// Begins and ends of a record's cells, the last with its line end; `None` where it goes on
    /// behind the text.
    fn record(&self, text: &[u8], last: bool) -> Option<Vec<(usize, usize)>> {
        let mut cells = Vec::new();
        let mut at = 0;
        loop {
            let from = at;
            if text.get(at) == Some(&b'"') {
                at += 1;
                loop {
                    match memchr::memchr(b'"', &text[at..]) {
                        Some(p) if text.get(at + p + 1) == Some(&b'"') => at += p + 2,
                        Some(p) => {
                            at += p + 1;
                            break;
                        }
                        None if last => {
                            at = text.len();
                            break;
                        }
                        None => return None,
                    }
                }
            }
            let end = memchr::memchr2(self.delimiter, b'\n', &text[at..]);
            let end = end.map(|p| at + p).or(last.then_some(text.len()))?;
            let over = text.get(end) != Some(&self.delimiter);
            cells.push((from, if over { (end + 1).min(text.len()) } else { end }));
            if over {
                return Some(cells);
            }
            at = end + 1;
        }
    }

    fn rewrite(
        &mut self,
        record: &[u8],
        cells: &[(usize, usize)],
        all: &mut Redactor,
        out: &mut Vec<u8>,
    ) {
        let lines = memchr::memchr_iter(b'\n', record).count() as u64;
        if record.trim_ascii().is_empty() {
            // A block of its own, with a header of its own, follows.
            self.blank = true;
            out.extend_from_slice(record);
            self.line += lines;
            return;
        }
        let above = self.above > 0;
        self.above -= usize::from(above);
        let mark = record.starts_with(b"#") || record.starts_with(b"sep=");
        let aside = above || mark || cells.len() < 2;
        let header = (self.header || self.blank) && !aside;
        if header {
            self.columns = columns(record, cells);
            (self.header, self.blank) = (false, false);
        }
        for (i, (from, to)) in cells.iter().enumerate() {
            let whole = &record[*from..*to];
            let body = whole.strip_suffix(b"\n").unwrap_or(whole);
            let body = body.strip_suffix(b"\r").unwrap_or(body);
            let class = self.columns.get(i).copied().unwrap_or_default();
            let class =
                if header && self.columns.len() == cells.len() && !CSVLOG.contains(&cells.len()) {
                    Class::Other
                } else {
                    class
                };
            if i > 0 {
                out.push(self.delimiter);
            }
            match cell(body) {
                Some(text) if !text.is_empty() => match all.value(class, &text, self.line) {
                    Some(new) => self.write(body.starts_with(b"\""), &new, out),
                    None => out.extend_from_slice(body),
                },
                _ => out.extend_from_slice(body),
            }
            out.extend_from_slice(&whole[body.len()..]);
        }
        self.line += lines;
    }

    fn write(&self, quoted: bool, text: &str, out: &mut Vec<u8>) {
        let special = |b: u8| b == self.delimiter || matches!(b, b'"' | b'\n' | b'\r');
        match quoted || text.bytes().any(special) {
            true => out.extend(format!("\"{}\"", text.replace('"', "\"\"")).bytes()),
            false => out.extend(text.bytes()),
        }
    }
}

/// The text of a cell.
fn cell(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    match text.strip_prefix('"') {
        Some(inner) => Some(inner.strip_suffix('"').unwrap_or(inner).replace("\"\"", "\"")),
        None => Some(text.into_owned()),
    }
}

/// What the columns hold, by their header or, in csvlog, by their place.
fn columns(record: &[u8], cells: &[(usize, usize)]) -> Vec<Class> {
    let names: Vec<String> =
        cells.iter().filter_map(|(f, t)| cell(record[*f..*t].trim_ascii())).collect();
    let timed = names.first().is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit()));
    if timed && CSVLOG.contains(&cells.len()) {
        return (0..cells.len())
            .map(|i| match i {
                1 => Class::User,
                16 | 19 => Class::Sql,
                _ => Class::Other,
            })
            .collect();
    }
    names.iter().map(|n| keys::class(n.trim_matches('"'))).collect()
}
