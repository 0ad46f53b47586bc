//! `record.log` of `rootline record`: what was asked for, what came and what did not. In: its lines.
//! Out: a gap for each part that is missing; the same lines tell a resumed recording what it has.

use super::raw::Raw;
use super::{Head, Input};
use crate::model::{GapKind, Micros};
use crate::time::{self, Zone};
use std::collections::BTreeMap;

/// Name of the log in the folder of a recording.
pub const LOG: &str = "record.log";
/// First line of the log.
pub const MAGIC: &str = "# rootline record 1";

/// What a line of the log says; the variants' texts are the names of parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// What was asked for: a fingerprint, and the window in microseconds.
    Request {
        fingerprint: String,
        from: Micros,
        to: Micros,
        started: Micros,
    },
    /// A fact that a resumed recording needs: a name and its value.
    Fact(String, String),
    Note(String, String),
    Done(String),
    /// A part that came in pieces.
    Split(String),
    /// A part that is missing, and why; it counts no longer once the part is done.
    Gap(String, String),
    /// A file that grows, and how many bytes of it are whole.
    Size(String, u64),
    End,
}

impl Entry {
    /// One line of the log, without the line feed.
    pub fn line(&self, at: Micros) -> String {
        let flat = |t: &str| t.replace(|c: char| c.is_control(), " ");
        let cells = match self {
            Entry::Request { fingerprint, from, to, started } => {
                vec![
                    "request".into(),
                    flat(fingerprint),
                    from.to_string(),
                    to.to_string(),
                    started.to_string(),
                ]
            }
            Entry::Fact(name, value) => vec!["fact".into(), flat(name), flat(value)],
            Entry::Note(part, what) => vec!["note".into(), flat(part), flat(what)],
            Entry::Done(part) => vec!["done".into(), flat(part)],
            Entry::Split(part) => vec!["split".into(), flat(part)],
            Entry::Gap(part, what) => vec!["gap".into(), flat(part), flat(what)],
            Entry::Size(file, bytes) => vec!["size".into(), flat(file), bytes.to_string()],
            Entry::End => vec!["end".into()],
        };
        format!("{}\t{}", time::rfc3339(at), cells.join("\t"))
    }

    /// Reads a line; `None` for what is none.
    pub fn parse(line: &str) -> Option<(Micros, Entry)> {
        let mut cells = line.split('\t');
        let at = time::parse(cells.next()?, &Zone::default())?.at;
        let kind = cells.next()?;
        let cells: Vec<&str> = cells.collect();
        let text = |i: usize| cells.get(i).map(|c| (*c).to_owned());
        let number = |i: usize| cells.get(i)?.parse::<i64>().ok();
        let entry = match kind {
            "request" => Entry::Request {
                fingerprint: text(0)?,
                from: number(1)?,
                to: number(2)?,
                started: number(3)?,
            },
            "fact" => Entry::Fact(text(0)?, text(1)?),
            "note" => Entry::Note(text(0)?, text(1)?),
            "done" => Entry::Done(text(0)?),
            "split" => Entry::Split(text(0)?),
            "gap" => Entry::Gap(text(0)?, text(1)?),
            "size" => Entry::Size(text(0)?, cells.get(1)?.parse().ok()?),
            "end" => Entry::End,
            _ => return None,
        };
        Some((at, entry))
    }
}

/// Accepts the log by its first line.
pub fn accepts(head: &Head) -> bool {
    head.starts_with(MAGIC.as_bytes())
}

/// Reads the log: every part that is missing is a gap with its line.
pub fn read(input: &Input, raw: &mut Raw) {
    let text = String::from_utf8_lossy(input.bytes);
    let mut missing: BTreeMap<String, (u64, String)> = BTreeMap::new();
    let (mut rows, mut last, mut ended) = (0, None, false);
    let torn_at = text.lines().count().checked_sub(1).filter(|_| !text.ends_with('\n'));
    for (i, line) in text.lines().enumerate().skip(1) {
        let number = input.first_line + i as u64;
        let Some((at, entry)) = Entry::parse(line) else {
            let remark = line.trim().is_empty() || line.starts_with('#');
            if torn_at != Some(i) && !remark {
                raw.skip(input.file, Some(number), "a line that is none of the log", 1);
            }
            continue;
        };
        (rows, last) = (rows + 1, Some(at));
        match entry {
            Entry::Gap(part, what) => {
                missing.insert(part, (number, what));
            }
            Entry::Done(part) => {
                missing.remove(&part);
            }
            Entry::Request { .. } => ended = false,
            Entry::End => ended = true,
            _ => {}
        }
    }
    raw.rows(input.file, rows);
    let mut missing: Vec<_> = missing.into_iter().collect();
    missing.sort_by_key(|(_, (line, _))| *line);
    for (part, (line, what)) in missing {
        let what = format!("not recorded: {}: {what}", shown(&part));
        raw.gap(GapKind::Missing, input.file, Some(line), what);
    }
    if !ended {
        let when = last.map_or_else(|| "its beginning".to_owned(), time::rfc3339);
        let what = format!(
            "the recording has no end: it was stopped after {when} or still runs (the same \
             `rootline record` goes on with it)"
        );
        raw.gap(GapKind::Missing, input.file, None, what);
    }
}

/// A part's name without the time that tells it from others of its kind: the text has it.
pub fn shown(part: &str) -> &str {
    let behind = part.rsplit_once('/');
    let time = |n: &str| n.len() > 12 && n.bytes().all(|b| b.is_ascii_digit());
    behind.filter(|(_, n)| time(n)).map_or(part, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::read_text;

    const AT: Micros = 1_764_172_800_000_000;

    fn log(entries: &[Entry]) -> String {
        let lines = entries.iter().map(|e| e.line(AT) + "\n");
        format!("{MAGIC}\n{}", lines.collect::<String>())
    }

    #[test]
    fn a_line_says_what_was_written() {
        let all = [
            Entry::Request { fingerprint: "f".into(), from: 1, to: 2, started: 3 },
            Entry::Fact("step".into(), "5".into()),
            Entry::Note("a".into(), "b c".into()),
            Entry::Done("a".into()),
            Entry::Split("a".into()),
            Entry::Gap("a".into(), "why".into()),
            Entry::Size("f.csv".into(), 7),
            Entry::End,
        ];
        for entry in all {
            assert_eq!(Entry::parse(&entry.line(AT)), Some((AT, entry)));
        }
        let steering = Entry::Note("a\tb".into(), "c\nd\u{1b}[2J".into()).line(AT);
        assert!(!steering[25..].contains(['\n', '\u{1b}']), "{steering:?}");
        for bad in ["", "x", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z\tdone", "soon\tend"] {
            assert_eq!(Entry::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_did_not_come_is_a_gap_until_it_does() {
        let gap = |part: &str| Entry::Gap(part.into(), "503".into());
        let text = log(&[gap("a"), gap("b"), Entry::Done("a".into()), Entry::End]);
        let raw = read_text("record.log", text.as_bytes());
        assert_eq!(raw.files[0].reader, "record-log");
        let said: Vec<_> = raw.gaps.iter().map(|g| (g.line, g.what.as_str())).collect();
        assert_eq!(said, [(Some(3), "not recorded: b: 503")]);
    }

    #[test]
    fn a_log_without_an_end_says_so_and_a_torn_last_line_is_no_defect() {
        let text = log(&[Entry::Done("a".into())]) + "2026-01-0";
        let raw = read_text("record.log", text.as_bytes());
        assert_eq!(raw.gaps.len(), 1, "{:?}", raw.gaps);
        assert!(raw.gaps[0].what.contains("no end"));
        let text = text + "\nnonsense\n" + &Entry::End.line(AT);
        let raw = read_text("record.log", text.as_bytes());
        assert_eq!(raw.gaps.len(), 1, "{:?}", raw.gaps);
        assert_eq!(raw.gaps[0].count, 2);
    }
}
