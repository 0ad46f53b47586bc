//! Text of lines: logs, expositions, configuration, psql's tables. In: pieces of a text. Out: the same
//! lines with tokens. A line that begins with white space belongs to the one before it.

use super::keys::{self, Class};
use super::statement::Tail;
use super::words::Scope;
use super::{Kind, Redactor};
use crate::ingest::{Drawn, drawn};
use regex::Regex;
use std::sync::LazyLock;
use unicode_width::UnicodeWidthStr;

/// Longest message of several lines that is looked at as one, bytes.
const MESSAGE_MAX: usize = 256 << 10;
/// What the lines of a statement begin with that is printed over several.
const CLAUSES: [&str; 14] = [
    "where ",
    "and ",
    "or ",
    "from ",
    "set ",
    "values ",
    "values(",
    "join ",
    "left join ",
    "inner join ",
    "order by ",
    "group by ",
    "having ",
    "on ",
];

/// A walk through the lines of a text.
pub(super) struct Lines {
    line: u64,
    /// A private key began on a line before.
    in_key: bool,
    /// A statement began on a line before, and where it was at the end of that line.
    open: Option<Tail>,
}

impl Lines {
    pub fn new() -> Lines {
        Lines { line: 1, in_key: false, open: None }
    }

    /// Rewrites whole messages of `text`; gives the bytes used. With `last` that is all.
    pub fn feed(
        &mut self,
        text: &[u8],
        last: bool,
        all: &mut Redactor,
        out: &mut Vec<u8>,
    ) -> usize {
        let mut at = 0;
        while let Some(end) = message_end(&text[at..], last) {
            if let Some(table) = may_be_table(&text[at..]).then(|| drawn(&text[at..])).flatten() {
                if !last && at + table.bytes == text.len() {
                    return at;
                }
                self.table(&table, text[at..].trim_ascii_start().starts_with(b"|"), all, out);
                self.line += memchr::memchr_iter(b'\n', &text[at..at + table.bytes]).count() as u64;
                at += table.bytes;
                continue;
            }
            self.message(&text[at..at + end], all, out);
            at += end;
            if at == text.len() {
                break;
            }
        }
        at
    }

    fn message(&mut self, message: &[u8], all: &mut Redactor, out: &mut Vec<u8>) {
        let lines = memchr::memchr_iter(b'\n', message).count() as u64;
        let text = String::from_utf8_lossy(message);
        let body = text.trim_end_matches(['\n', '\r']);
        all.tail = None;
        let new = match self.open.filter(|_| goes_on(body)) {
            Some(open) => continued(body, open, all),
            None => self.key_line(body, all).or_else(|| line(body, all)),
        };
        self.open = all.tail.take();
        all.note(self.line);
        match new {
            Some(new) => {
                out.extend_from_slice(new.as_bytes());
                out.extend_from_slice(&text.as_bytes()[body.len()..]);
            }
            None => out.extend_from_slice(message),
        }
        self.line += lines;
    }

    /// A table, drawn anew with its columns as wide as the tokens need, in its frame if it has one.
    fn table(&mut self, table: &Drawn, framed: bool, all: &mut Redactor, out: &mut Vec<u8>) {
        let classes: Vec<Class> = table.header.iter().map(|h| keys::class(h)).collect();
        let mut rows = vec![table.header.clone()];
        for (i, row) in table.rows.iter().enumerate() {
            let cell = |(text, class): (&String, &Class)| {
                let new = all.value(*class, text, self.line + i as u64 + 2);
                new.unwrap_or_else(|| text.clone())
            };
            rows.push(row.iter().zip(&classes).map(cell).collect());
        }
        let lines = |cell: &str| cell.split('\n').map(str::width).max().unwrap_or(0);
        let width = |i: usize| rows.iter().map(|r| lines(&r[i])).max().unwrap_or(0);
        let widths: Vec<usize> = (0..classes.len()).map(width).collect();
        let draw = |row: &Vec<String>| drawn_row(row, &widths, framed);
        let rule: Vec<String> = widths.iter().map(|w| "-".repeat(w + 2)).collect();
        let rule = rule.join("+");
        let rule = if framed { format!("+{rule}+\n") } else { rule + "\n" };
        out.extend(draw(&rows[0]).bytes());
        out.extend(rule.bytes());
        rows.iter().skip(1).for_each(|row| out.extend(draw(row).bytes()));
        match framed {
            true => out.extend(rule.bytes()),
            false => out.extend(format!("({} rows)\n", rows.len() - 1).bytes()),
        }
    }

    /// Lines of a private key in PEM.
    fn key_line(&mut self, body: &str, all: &mut Redactor) -> Option<String> {
        let ends = body.contains("-----END ");
        if self.in_key {
            self.in_key = !ends;
            let keep = ends || super::tokens::is_token(body.trim());
            if keep {
                return None;
            }
            all.hit(Kind::Secret);
            return Some(all.tokens.word(Kind::Secret, body.trim()));
        }
        self.in_key = body.contains("-----BEGIN ") && body.contains("PRIVATE KEY-----") && !ends;
        None
    }
}

/// A row as psql draws it: a cell of several lines goes on behind a `+`.
fn drawn_row(row: &[String], widths: &[usize], framed: bool) -> String {
    let cells: Vec<Vec<&str>> = row.iter().map(|c| c.split('\n').collect()).collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    let mut out = String::new();
    for at in 0..height {
        let cell = |(lines, width): (&Vec<&str>, &usize)| {
            let text = lines.get(at).copied().unwrap_or_default();
            let mark = if at + 1 < lines.len() { '+' } else { ' ' };
            format!(" {text}{}{mark}", " ".repeat(width - text.width()))
        };
        let frame = if framed { "|" } else { "" };
        let line = cells.iter().zip(widths).map(cell).collect::<Vec<_>>().join("|");
        out += &format!("{frame}{line}{frame}\n");
    }
    out
}

/// Says at a glance whether the second line of a text may be the rule of a table.
fn may_be_table(text: &[u8]) -> bool {
    let second = memchr::memchr(b'\n', text).and_then(|p| text.get(p + 1..)).unwrap_or_default();
    let first = second.iter().find(|b| **b != b' ');
    first.is_some_and(|b| matches!(b, b'-' | b'+') || !b.is_ascii())
}

/// The end of the message at the start of a text; `None` where it may go on behind it.
fn message_end(text: &[u8], last: bool) -> Option<usize> {
    let mut end = 0;
    loop {
        let line = memchr::memchr(b'\n', &text[end..]).map(|p| end + p + 1);
        let Some(next) = line else { return (last && !text.is_empty()).then_some(text.len()) };
        end = next;
        match text.get(end) {
            Some(b' ' | b'\t') if end < MESSAGE_MAX => {}
            None if !last => return None,
            _ => return Some(end),
        }
    }
}

fn line(body: &str, all: &mut Redactor) -> Option<String> {
    if let Some((at, class)) = field(body) {
        let value = body[at..].trim();
        let new = all.classed(class, value)?;
        let from = at + body[at..].find(value)?;
        return Some(format!("{}{new}{}", &body[..from], &body[from + value.len()..]));
    }
    let lower = body.trim_start().get(..12).unwrap_or(body.trim_start()).to_ascii_lowercase();
    match CLAUSES.iter().any(|c| lower.starts_with(c)) && body.contains(['\'', '=', '(']) {
        true => all.literals(body, true),
        false => all.text(body, Scope::Line),
    }
}

/// Says whether a line goes on with a statement: it is not empty and begins no entry of a log.
fn goes_on(body: &str) -> bool {
    static ENTRY: LazyLock<Regex> = LazyLock::new(|| {
        let entry = concat!(
            r#"^\s*(\d{4}[-/]\d\d|\d\d:\d\d|[A-Z][a-z]{2} +\d+ \d\d:|[\[{<#"]|\*{3}|"#,
            r"(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL)\b)"
        );
        Regex::new(entry).expect("the pattern is sound")
    });
    !body.trim().is_empty() && !ENTRY.is_match(body)
}

/// A line of a statement that began on one before.
fn continued(body: &str, open: Tail, all: &mut Redactor) -> Option<String> {
    let sql = if open.in_literal { format!("'{body}") } else { body.to_owned() };
    let new = all.literals(&sql, true);
    new.map(|new| if open.in_literal { new[1..].to_owned() } else { new })
}

/// A line `name | value` of an expanded table: where the value begins, and what it is.
fn field(body: &str) -> Option<(usize, Class)> {
    let at = body.find('|')?;
    let name = body[..at].trim();
    let word = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let class = keys::class(name);
    (word && class != Class::Other).then_some((at + 1, class))
}
