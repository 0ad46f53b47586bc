//! The text that psql prints: tables of several shapes, one behind the other, with titles of
//! `\watch` and footers. In: the bytes of a file. Out: [`Block`]s, one per table, in their order.

use super::date_style;
use super::{aligned, expanded};
use crate::ingest::Input;
use crate::ingest::raw::Raw;
use crate::ingest::table::Table;
use crate::model::{GapKind, Micros};
use crate::time;

/// One table of a file: one snapshot, as a rule.
#[derive(Debug, Default)]
pub struct Block {
    pub table: Table,
    /// Time of the title that `\watch` prints.
    pub at: Option<Micros>,
}

/// The lines of a text with their numbers, without line ends.
#[derive(Clone)]
pub struct Lines<'a> {
    rest: &'a [u8],
    number: u64,
    ahead: Option<(u64, &'a str)>,
}

impl<'a> Lines<'a> {
    /// Starts with line `first`; a line that is not UTF-8 ends where it stops being it.
    pub fn new(text: &'a [u8], first: u64) -> Self {
        Lines { rest: text, number: first, ahead: None }
    }

    /// The next line, which stays the next.
    pub fn peek(&mut self) -> Option<(u64, &'a str)> {
        if self.ahead.is_none() {
            self.ahead = self.take();
        }
        self.ahead
    }

    fn take(&mut self) -> Option<(u64, &'a str)> {
        if self.rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest.get(1..).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = std::str::from_utf8(line).unwrap_or_else(|e| {
            let valid = line.get(..e.valid_up_to()).unwrap_or_default();
            std::str::from_utf8(valid).unwrap_or_default()
        });
        self.number += 1;
        Some((self.number - 1, text))
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = (u64, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        self.ahead.take().or_else(|| self.take())
    }
}

/// Says whether a line is `(8 rows)` in any language.
pub fn is_footer(line: &str) -> bool {
    let inner = line.trim().strip_prefix('(').and_then(|l| l.strip_suffix(')'));
    let counted = |l: &str| l.starts_with(|c: char| c.is_ascii_digit()) || l == "No rows";
    inner.is_some_and(|l| counted(l) && l.contains(' '))
}

/// The text before `(every 1s)` of a title of `\watch`.
pub fn title(line: &str) -> Option<&str> {
    let (before, behind) = line.trim().rsplit_once(" (every ")?;
    let interval = behind.strip_suffix("s)")?.trim();
    interval.parse::<f64>().ok()?;
    Some(before.rsplit('\t').next().unwrap_or(before).trim())
}

/// A table as psql draws it, and the bytes of text that it takes.
pub struct Drawn {
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
    pub bytes: usize,
}

/// The aligned table with which a text begins; `None` where none does.
pub fn drawn(text: &[u8]) -> Option<Drawn> {
    let mut lines = Lines::new(text, 1);
    let (_, header) = lines.next()?;
    let (_, second) = lines.peek()?;
    aligned::rule(second)
        .filter(|_| !header.trim().is_empty() && aligned::rule(header).is_none())?;
    let table = aligned::read(header, &mut lines);
    let end = lines.peek().map_or(usize::MAX, |(number, _)| number as usize - 1);
    let mut ends = memchr::memchr_iter(b'\n', text);
    let bytes = ends.nth(end.wrapping_sub(1)).map_or(text.len(), |p| p + 1);
    (table.header.len() > 1).then_some(Drawn { header: table.header, rows: table.rows, bytes })
}

/// Lines in which the first table of a text must begin.
const LOOK: usize = 60;

/// Says whether a text holds a table as psql draws it, and gives the columns of the first.
pub fn header(head: &[u8]) -> Option<Vec<String>> {
    let mut lines = Lines::new(head, 1);
    for _ in 0..LOOK {
        let (_, line) = lines.next()?;
        let (_, next) = lines.peek()?;
        if expanded::is_record(line) {
            return Some(expanded::read(line, &mut lines).header);
        }
        if starts_table(line, next) {
            return Some(aligned::read(line, &mut lines).header);
        }
    }
    None
}

fn starts_table(line: &str, next: &str) -> bool {
    !line.trim().is_empty() && aligned::rule(line).is_none() && aligned::rule(next).is_some()
}

/// Reads every table of a text; lines that belong to none are counted.
pub fn blocks(input: &Input, raw: &mut Raw) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = Lines::new(input.bytes, input.first_line);
    let mut at = None;
    while let Some((number, line)) = lines.next() {
        let next = lines.peek().map_or("", |(_, l)| l);
        if let Some(text) = title(line) {
            at = title_time(input, (number, text), raw);
        } else if expanded::is_record(line) {
            blocks.push(Block { table: expanded::read(line, &mut lines), at: at.take() });
        } else if starts_table(line, next) {
            blocks.push(Block { table: aligned::read(line, &mut lines), at: at.take() });
        } else if !is_noise(line) {
            let what = "a line outside of a table (a prompt or a message?)";
            raw.skip(input.file, Some(number), what, 1);
        }
    }
    about_end(input, raw);
    blocks
}

/// Says that a text ends inside a line of a table: psql ends every line, and a table by a footer.
fn about_end(input: &Input, raw: &mut Raw) {
    let last = input.bytes.rsplit(|b| *b == b'\n').next().unwrap_or_default();
    let last = String::from_utf8_lossy(last);
    if !is_noise(&last) {
        let what = "the file ends inside a table: its last row may lack columns";
        raw.gap(GapKind::Truncated, input.file, Some(input.line(input.bytes.len())), what);
    }
}

/// Lines that psql prints around tables and that say nothing.
fn is_noise(line: &str) -> bool {
    let line = line.trim();
    let frame = line.starts_with(['┌', '└', '╔', '╚']) || aligned::rule(line).is_some();
    let said = ["Time: ", "Expanded display", "Output format", "Watch every", "Timing is"];
    line.is_empty() || frame || is_footer(line) || said.iter().any(|s| line.starts_with(s))
}

/// Reads the time of a title: local time of the exporting machine, without a zone.
fn title_time(input: &Input, (line, text): (u64, &str), raw: &mut Raw) -> Option<Micros> {
    let iso = date_style::iso(text, None, input.zone);
    let parsed = iso.and_then(Result::ok).and_then(|t| time::parse(&t, input.zone));
    let Some(parsed) = parsed else {
        let what = || format!("title \"{text}\" is not a time that is read (use LC_TIME=C)");
        raw.skip_like(input.file, "title", 1, || (Some(line), what()));
        return None;
    };
    if parsed.zone_assumed {
        raw.zone_assumed(input.file);
    }
    Some(parsed.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_and_footers_are_told_from_rows() {
        let t = "      Fri Nov 20 19:54:53 2026 (every 1s)";
        assert_eq!(title(t), Some("Fri Nov 20 19:54:53 2026"));
        assert_eq!(title("Locks\tFri Nov 20 19:54:53 2026 (every 0.5s)").map(str::len), Some(24));
        assert_eq!(title("retry (every time)"), None);
        assert!(is_footer("(8 rows)") && is_footer("(1 Zeile)") && is_footer("(0 rows)"));
        assert!(!is_footer("(a)") && !is_footer("8 rows"));
    }

    #[test]
    fn lines_are_counted_and_freed_of_their_ends() {
        let mut lines = Lines::new(b"a\r\n\nb\xff\xff", 1);
        assert_eq!(lines.peek(), Some((1, "a")));
        assert_eq!(lines.collect::<Vec<_>>(), [(1, "a"), (2, ""), (3, "b")]);
    }
}
