//! PostgreSQL's server log: stderr text with a usual log_line_prefix, csvlog, jsonlog. In: a file.
//! Out: the lines that say something about locks, cancelled statements, refused connections,
//! checkpoints, spilled sorts, vacuums and conflicts on a standby ([`RawLog`]), and counts of them.
//!
//! Only messages in English are understood. Literals go no further: of a line's statement the
//! normalised text is kept, of its message what is listed in [`super::log_facts`].

use super::log_facts::{self, Fact};
use super::log_language;
use super::log_prefix;
use super::psql::Lines;
use super::series::Growing;
use crate::ingest::lenient::{self, Scalar};
use crate::ingest::raw::{LogKind, Raw, RawLog};
use crate::ingest::{Head, Input, cell, sql};
use crate::model::{GapKind, Micros, SECOND};
use crate::time;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Levels of messages, as `log_line_prefix` is followed by them.
pub const LEVELS: [&str; 14] = [
    "LOG",
    "ERROR",
    "FATAL",
    "PANIC",
    "WARNING",
    "NOTICE",
    "INFO",
    "DEBUG",
    "DEBUG1",
    "DEBUG2",
    "DEBUG3",
    "DEBUG4",
    "DEBUG5",
    "COMMERROR",
];
/// What follows a message, on lines of their own.
const PARTS: [&str; 7] =
    ["DETAIL", "HINT", "STATEMENT", "CONTEXT", "QUERY", "LOCATION", "BACKTRACE"];
/// Columns of csvlog in PostgreSQL 9.0 to 12, in 13, and since 14.
const CSV_COLUMNS: [usize; 3] = [23, 24, 26];
/// Longest message or statement that is put together from lines, in bytes.
const MESSAGE_MAX: usize = 64 << 10;
/// Distance of the points of the counts that are made of the lines.
const STEP: Micros = 10 * SECOND;

/// One message with what belongs to it.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub line: u64,
    pub at: Option<Micros>,
    pub pid: i64,
    pub user: String,
    pub database: String,
    pub application: String,
    pub client: String,
    /// SQLSTATE, where the format has it.
    pub state: String,
    pub text: String,
    pub detail: String,
    pub context: String,
    pub statement: String,
}

/// Accepts a server log in any of its three formats.
pub fn accepts(head: &Head) -> bool {
    accepts_json(head) || accepts_csv(head) || accepts_text(head)
}

/// Reads a server log, whichever format it has.
pub fn read(input: &Input, raw: &mut Raw) {
    let header = crate::ingest::csv_text::header(input.bytes);
    match () {
        () if input.is_json() => read_json(input, raw),
        () if is_csv(&header) => read_csv(input, raw),
        () => read_text(input, raw),
    }
}

/// Accepts the text of stderr.
fn accepts_text(head: &Head) -> bool {
    if head.is_json() || head.bytes.contains(&0) {
        return false;
    }
    let lines = Lines::new(head.bytes, 1).filter(|(_, l)| !l.trim().is_empty());
    let first: Vec<&str> = lines.map(|(_, l)| l).take(20).collect();
    let known = first.iter().filter(|l| split(l).is_some_and(|(_, level, _)| is_level(level)));
    let timed = |l: &&&str| split(l).is_some_and(|(p, _, _)| log_prefix::read(p).time.is_some());
    known.filter(timed).count() > 0
}

/// Accepts csvlog, which has no header.
fn accepts_csv(head: &Head) -> bool {
    is_csv(&head.header)
}

/// Says whether cells are a row of csvlog.
fn is_csv(cells: &[String]) -> bool {
    let field = |i: usize| cells.get(i).map_or("", |h| h.as_str());
    let level = field(11).to_uppercase();
    CSV_COLUMNS.contains(&cells.len()) && is_level(&level) && field(12).len() == 5
}

/// Accepts jsonlog (PostgreSQL 15 and later).
fn accepts_json(head: &Head) -> bool {
    head.is_json() && head.has_key("error_severity") && head.has_key("pid")
}

fn is_level(word: &str) -> bool {
    LEVELS.contains(&word) || log_language::is_level(word)
}

/// Prefix, level or part, and message of a line: `… LOG:  text`.
fn split(line: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(colon) = line[from..].find(":  ").map(|at| at + from) {
        let word = line[..colon].rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or("");
        if is_level(word) || PARTS.contains(&word) {
            return Some((&line[..colon - word.len()], word, &line[colon + 3..]));
        }
        from = colon + 1;
    }
    None
}

/// Reads the text of stderr.
fn read_text(input: &Input, raw: &mut Raw) {
    let text = String::from_utf8_lossy(input.bytes);
    let mut found = Found::new(input);
    let mut open: Option<Message> = None;
    let mut part = String::new();
    for (line, content) in Lines::new(text.as_bytes(), input.first_line) {
        let known = split(content).filter(|_| !content.starts_with('\t'));
        match (known, &mut open) {
            (Some((prefix, level, rest)), _) if is_level(level) => {
                found.hear(level, line);
                if let Some(done) = open.take() {
                    found.add(done, raw);
                }
                part.clear();
                open = Some(message(input, (prefix, rest), line, raw));
            }
            (Some((_, word, rest)), Some(message)) => {
                part = word.to_owned();
                message.append(&part, rest);
            }
            (None, Some(message)) => message.append(&part, content.trim_start_matches('\t')),
            (_, None) => {
                let what = "line of a server log that belongs to no message";
                raw.skip(input.file, Some(line), what, 1);
            }
        }
    }
    if let Some(done) = open {
        found.add(done, raw);
    }
    found.finish(raw);
}

fn message(input: &Input, (prefix, text): (&str, &str), line: u64, raw: &mut Raw) -> Message {
    let prefix = log_prefix::read(prefix);
    Message {
        line,
        at: prefix.time.and_then(|t| moment(input, t, raw)),
        pid: prefix.pid.unwrap_or(0),
        user: prefix.user.to_owned(),
        database: prefix.database.to_owned(),
        application: prefix.application.to_owned(),
        client: prefix.client.to_owned(),
        text: text.to_owned(),
        ..Message::default()
    }
}

impl Message {
    fn append(&mut self, part: &str, text: &str) {
        let to = match part {
            "" => &mut self.text,
            "DETAIL" => &mut self.detail,
            "CONTEXT" => &mut self.context,
            "STATEMENT" => &mut self.statement,
            _ => return,
        };
        if to.len() + text.len() < MESSAGE_MAX {
            if !to.is_empty() {
                to.push('\n');
            }
            to.push_str(text);
        }
    }
}

/// A time of a log: ISO with a zone's name, or seconds since the epoch.
fn moment(input: &Input, text: &str, raw: &mut Raw) -> Option<Micros> {
    // `2026-11-20 20:06:00.308 UTC`: the zone's name is read as the other views' times are.
    let iso = super::date_style::iso(text, None, input.zone);
    let settled = iso.and_then(std::result::Result::ok);
    let text = settled.as_deref().unwrap_or(text);
    let at = cell::moment(text, input.zone)?;
    if time::parse(text, input.zone).is_some_and(|p| p.zone_assumed) {
        raw.zone_assumed(input.file);
    }
    Some(at)
}

/// Reads csvlog.
fn read_csv(input: &Input, raw: &mut Raw) {
    let mut builder = csv::ReaderBuilder::new();
    builder.has_headers(false).flexible(true);
    let mut reader = builder.from_reader(input.bytes);
    let mut record = csv::ByteRecord::new();
    let mut found = Found::new(input);
    loop {
        let line = reader.position().line() + input.first_line - 1;
        match reader.read_byte_record(&mut record) {
            Ok(false) => break,
            Ok(true) if record.len() >= CSV_COLUMNS[0] => {
                let field = |i: usize| String::from_utf8_lossy(&record[i]).into_owned();
                let message = Message {
                    line,
                    at: moment(input, &field(0), raw),
                    user: field(1),
                    database: field(2),
                    pid: field(3).parse().unwrap_or(0),
                    client: log_prefix::host(&field(4)).to_owned(),
                    state: field(12),
                    text: field(13),
                    detail: field(14),
                    context: field(18),
                    statement: field(19),
                    application: field(22),
                };
                found.hear(&field(11), line);
                found.add(message, raw);
            }
            Ok(true) => {
                let what = format!("log row has {} fields instead of 23 to 26", record.len());
                raw.skip_like(input.file, "short log row", 1, || (Some(line), what));
            }
            Err(e) => {
                raw.skip(input.file, Some(line), format!("row is not readable: {e}"), 1);
                break;
            }
        }
    }
    found.finish(raw);
}

#[derive(Deserialize)]
struct JsonLine {
    #[serde(default)]
    timestamp: Scalar,
    #[serde(default)]
    pid: Scalar,
    #[serde(default)]
    user: Scalar,
    #[serde(default)]
    dbname: Scalar,
    #[serde(default)]
    application_name: Scalar,
    #[serde(default)]
    remote_host: Scalar,
    #[serde(default)]
    error_severity: Scalar,
    #[serde(default)]
    state_code: Scalar,
    #[serde(default)]
    message: Scalar,
    #[serde(default)]
    detail: Scalar,
    #[serde(default)]
    context: Scalar,
    #[serde(default)]
    statement: Scalar,
}

/// Reads jsonlog.
fn read_json(input: &Input, raw: &mut Raw) {
    let mut found = Found::new(input);
    let mut lines = input.lines();
    input.documents(raw, |at, document, raw| match lenient::from_slice::<JsonLine>(document) {
        Ok(l) => {
            let message = Message {
                line: lines.of(at),
                at: moment(input, &l.timestamp.text(), raw),
                pid: l.pid.whole().unwrap_or(0),
                user: l.user.text(),
                database: l.dbname.text(),
                application: l.application_name.text(),
                client: l.remote_host.text(),
                state: l.state_code.text(),
                text: l.message.text(),
                detail: l.detail.text(),
                context: l.context.text(),
                statement: l.statement.text(),
            };
            found.hear(&l.error_severity.text(), message.line);
            found.add(message, raw);
        }
        Err(e) => input.skip_unreadable(at, "a log line", e, raw),
    });
    found.finish(raw);
}

/// What one file's messages add up to.
struct Found<'a> {
    input: &'a Input<'a>,
    server: String,
    logs: Vec<RawLog>,
    rows: u64,
    untimed: u64,
    extent: Option<(Micros, Micros)>,
    /// The first level in another language than English, and its line.
    foreign: Option<(String, u64)>,
}

impl<'a> Found<'a> {
    fn new(input: &'a Input<'a>) -> Found<'a> {
        let server = log_prefix::server_of(input.path);
        Found { input, server, logs: Vec::new(), rows: 0, untimed: 0, extent: None, foreign: None }
    }

    /// Notes in which language the log is.
    fn hear(&mut self, level: &str, line: u64) {
        if self.foreign.is_none() && log_language::is_level(level) {
            self.foreign = Some((level.to_owned(), line));
        }
    }

    fn add(&mut self, message: Message, raw: &mut Raw) {
        let Some(at) = message.at else {
            self.untimed += 1;
            let what = "message of a server log without a readable time (%m or %t in the prefix)";
            raw.skip(self.input.file, Some(message.line), what, 1);
            return;
        };
        self.rows += 1;
        let (first, last) = self.extent.unwrap_or((at, at));
        self.extent = Some((first.min(at), last.max(at)));
        let Some(Fact { kind, pid, mode, relation, waited_s, holders, amount, said }) =
            log_facts::of(&message)
        else {
            return;
        };
        let statement = sql::normalize(&message.statement);
        self.logs.push(RawLog {
            file: self.input.file,
            line: message.line,
            server: self.server.clone(),
            at,
            pid: pid.unwrap_or(message.pid),
            database: message.database,
            user: message.user,
            application: message.application,
            client_addr: message.client,
            kind,
            said,
            mode,
            relation,
            waited_s,
            holders,
            amount,
            query: statement.text,
        });
    }

    /// Hands over the lines and, per kind, how many there were until each time.
    fn finish(self, raw: &mut Raw) {
        raw.rows(self.input.file, self.rows);
        if let Some((level, line)) = &self.foreign {
            let what = format!(
                "messages are not in English (\"{level}\"): what they say of locks, refused \
                 connections and timeouts is not understood (set lc_messages = 'C')"
            );
            raw.gap(GapKind::Doubtful, self.input.file, Some(*line), what);
        } else if self.rows > 0 && self.logs.is_empty() {
            let what = "a server log without a line about locks, cancelled statements, refused \
                        connections, checkpoints, temporary files or vacuum (set log_lock_waits, \
                        log_checkpoints, log_temp_files; lc_messages must be English)";
            raw.gap(GapKind::Missing, self.input.file, None, what);
        }
        if let Some(extent) = self.extent {
            raw.log_times.push((self.input.file, self.server.clone(), extent));
            let mut growing = Growing::default();
            let labels = BTreeMap::from([("server".to_owned(), self.server.clone())]);
            for (kind, series) in LogKind::COUNTED {
                let own = self.logs.iter().filter(|l| l.kind == kind);
                let mut points: Vec<(Micros, f64)> = own
                    .map(|l| (l.at, if kind == LogKind::TempFile { l.amount } else { 1.0 }))
                    .collect();
                points.sort_by_key(|p| p.0);
                count(series, &labels, extent, &points, &mut growing);
            }
            growing.finish(self.input, raw);
        }
        let mut logs = self.logs;
        raw.logs.append(&mut logs);
    }
}

/// Adds a running total every [`STEP`]: nothing where there was nothing to count.
fn count(
    (name, unit): (&'static str, &'static str),
    labels: &BTreeMap<String, String>,
    (first, last): (Micros, Micros),
    points: &[(Micros, f64)],
    growing: &mut Growing,
) {
    /// Longest log of which counts are made, in steps: two weeks.
    const STEPS: Micros = 120_000;
    if points.is_empty() || (last - first) / STEP > STEPS {
        return;
    }
    let (mut total, mut next) = (0.0, points.iter().peekable());
    let mut at = first;
    loop {
        while let Some((_, amount)) = next.next_if(|p| p.0 <= at) {
            total += amount;
        }
        growing.add((name, unit), labels, (at, total));
        if at >= last {
            break;
        }
        at = (at + STEP).min(last.max(at + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_at_their_level() {
        let line =
            "2026-11-20 20:10:01.446 UTC [11266] shop@shop catalog LOG:  process 1 waits:  x";
        let (prefix, level, text) = split(line).expect("a line");
        assert_eq!((level, text), ("LOG", "process 1 waits:  x"));
        assert!(prefix.ends_with("catalog "));
        assert_eq!(split("no level here:  x"), None);
        assert_eq!(split(""), None);
    }

    #[test]
    fn totals_grow_at_their_time() {
        let mut growing = Growing::default();
        let points = [(15 * SECOND, 1.0), (16 * SECOND, 2.0)];
        count(("x", ""), &BTreeMap::new(), (0, 25 * SECOND), &points, &mut growing);
        let raw = crate::ingest::read_text("x.log", b"");
        assert!(raw.series.is_empty());
        let mut raw = Raw::default();
        let zone = time::Zone::default();
        let input = Input {
            file: 0,
            path: "x",
            bytes: b"",
            zone: &zone,
            first_line: 1,
            taken: Default::default(),
            literals: false,
            series: u64::MAX,
            memory: None,
        };
        growing.finish(&input, &mut raw);
        let samples: Vec<_> = raw.series[0].samples.iter().map(|s| (s.0 / SECOND, s.1)).collect();
        assert_eq!(samples, [(0, 0.0), (10, 0.0), (20, 3.0), (25, 3.0)]);
    }
}
