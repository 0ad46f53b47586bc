//! One row of pg_stat_activity to a session. The columns are looked up once per header, texts that
//! come again and again are kept once, and times in PostgreSQL's usual form are read directly.

use super::row::{self, SNAPSHOT};
use crate::ingest::cell;
use crate::ingest::raw::{Raw, RawSession};
use crate::ingest::text::{Text, Texts};
use crate::ingest::{Input, sql};
use crate::model::{Micros, SECOND};
use crate::time;
use std::collections::HashMap;

pub const BLOCKED_BY: [&str; 5] =
    ["blocked_by", "pg_blocking_pids", "blocking_pids", "blockers", "blocking"];
const SERVER: [&str; 4] = ["server", "server_name", "db_instance", "instance"];
/// Names of the statement's column, `left(query, n)` and forks included.
const QUERY: [&str; 7] =
    ["query", "current_query", "left", "substr", "substring", "query_text", "q"];
/// Ages that stand for a start, as people name them.
const XACT_AGE: [&str; 5] =
    ["xact_age", "xact_duration", "transaction_age", "tx_age", "xact_runtime"];
const QUERY_AGE: [&str; 5] =
    ["query_age", "query_duration", "duration", "runtime", "query_runtime"];
const STATE_AGE: [&str; 3] = ["state_age", "idle_age", "state_duration"];
/// What is waited for, in exports that join pg_locks.
const WAIT_MODE: [&str; 4] = ["wait_mode", "lock_mode", "waiting_mode", "mode"];
const WAIT_RELATION: [&str; 3] = ["wait_relation", "lock_relation", "waiting_relation"];
/// Statements that are remembered as written.
const STATEMENTS: usize = 1 << 16;

/// Where the columns of one header stand.
pub struct Columns {
    pub snapshot: Option<usize>,
    pub blocked_by: Option<usize>,
    pid: Option<usize>,
    query: Option<usize>,
    server: Option<usize>,
    leader_pid: Option<usize>,
    database: Option<usize>,
    user: Option<usize>,
    application: Option<usize>,
    client_addr: Option<usize>,
    /// Starts and the ages that stand for them.
    backend_start: Option<usize>,
    xact: [Option<usize>; 2],
    query_start: [Option<usize>; 2],
    state_change: [Option<usize>; 2],
    wait_start: [Option<usize>; 2],
    waiting: Option<usize>,
    wait_event_type: Option<usize>,
    wait_event: Option<usize>,
    state: Option<usize>,
    state_is_in_query: bool,
    backend_type: Option<usize>,
    backend_xmin: Option<usize>,
    wait_mode: Option<usize>,
    wait_relation: Option<usize>,
}

impl Columns {
    /// Looks the columns up in a header.
    pub fn of(header: &[String]) -> Columns {
        let find = |names: &[&str]| {
            let at = |n: &&str| header.iter().position(|h| h.eq_ignore_ascii_case(n));
            names.iter().find_map(at)
        };
        let one = |name: &str| find(&[name]);
        Columns {
            snapshot: find(&SNAPSHOT),
            blocked_by: find(&BLOCKED_BY),
            pid: find(&["pid", "procpid"]),
            query: find(&QUERY),
            server: find(&SERVER),
            leader_pid: one("leader_pid"),
            database: one("datname"),
            user: one("usename"),
            application: one("application_name"),
            client_addr: one("client_addr"),
            backend_start: one("backend_start"),
            xact: [one("xact_start"), find(&XACT_AGE)],
            query_start: [one("query_start"), find(&QUERY_AGE)],
            state_change: [one("state_change"), find(&STATE_AGE)],
            wait_start: [one("waitstart"), one("wait_start")],
            waiting: one("waiting"),
            wait_event_type: one("wait_event_type"),
            wait_event: one("wait_event"),
            state: one("state"),
            state_is_in_query: one("state").is_none() && one("current_query").is_some(),
            backend_type: one("backend_type"),
            backend_xmin: one("backend_xmin"),
            wait_mode: find(&WAIT_MODE),
            wait_relation: find(&WAIT_RELATION),
        }
    }
}

/// Columns without which much stays unknown, and what is not known then.
const MATTERS: [(&str, &str); 7] = [
    ("state", "what sessions do"),
    ("wait_event_type", "what they wait for"),
    ("xact_start", "how old transactions are"),
    ("query_start", "how long statements run"),
    ("backend_start", "whether a pid is still the same session"),
    ("query", "what they run"),
    ("application_name", "whose they are"),
];

impl Columns {
    /// The columns that matter and are not there: their names, and what is not known.
    pub fn missing(&self) -> Vec<(&'static str, &'static str)> {
        let there = [
            self.state.is_some() || self.state_is_in_query,
            self.wait_event_type.or(self.waiting).is_some(),
            self.xact.iter().any(Option::is_some),
            self.query_start.iter().any(Option::is_some),
            self.backend_start.is_some(),
            self.query.is_some(),
            self.application.is_some(),
        ];
        MATTERS.into_iter().zip(there).filter(|(_, there)| !there).map(|(m, _)| m).collect()
    }
}

/// What is known of a statement as it was written.
#[derive(Clone)]
struct Statement {
    text: Text,
    tag: Text,
    written: Text,
}

/// Makes sessions of one file's rows.
pub struct Rows<'a> {
    input: &'a Input<'a>,
    server: Text,
    texts: Texts,
    statements: HashMap<String, Statement>,
    /// Set where a time is in no usual form.
    pub odd: bool,
}

impl<'a> Rows<'a> {
    /// Starts a file.
    pub fn new(input: &'a Input<'a>) -> Rows<'a> {
        let server = Text::from(row::server_of(input.path));
        Rows { input, server, texts: Texts::default(), statements: HashMap::new(), odd: false }
    }

    /// A row's session; `None` without a readable pid. Without a time it stands at 0.
    pub fn session<'c>(
        &mut self,
        columns: &Columns,
        cell: &dyn Fn(usize) -> &'c str,
        (title, line): (Option<Micros>, u64),
        raw: &mut Raw,
    ) -> Option<RawSession> {
        let text = |column: Option<usize>| column.map_or("", |i| row::said(cell(i)));
        let pid = text(columns.pid).parse().ok()?;
        let shown = text(columns.query);
        let statement = self.statement(shown);
        let at = self.time(text(columns.snapshot), raw).or(title).unwrap_or(0);
        let mut start = |[column, age]: [Option<usize>; 2]| {
            let before =
                || row::interval(text(age)).filter(|_| at > 0).map(|age| at.saturating_sub(age));
            self.time(text(column), raw).or_else(before)
        };
        let (xact_start, query_start) = (start(columns.xact), start(columns.query_start));
        let state_change = start(columns.state_change);
        let backend_start = start([columns.backend_start, None]);
        let [first, second] = columns.wait_start;
        let wait_start = start([first, None]).or_else(|| start([second, None]));
        let share = |texts: &mut Texts, column| texts.share(text(column));
        let texts = &mut self.texts;
        let named = text(columns.server);
        Some(RawSession {
            file: self.input.file,
            line,
            server: if named.is_empty() { self.server.clone() } else { texts.share(named) },
            at,
            snapshot: 0,
            pid,
            leader_pid: text(columns.leader_pid).parse().ok(),
            database: share(texts, columns.database),
            user: share(texts, columns.user),
            application: share(texts, columns.application),
            client_addr: share(texts, columns.client_addr),
            backend_start,
            xact_start,
            query_start,
            state_change,
            wait_start,
            wait_event_type: texts.share(wait_event_type(columns, &text)),
            wait_event: share(texts, columns.wait_event),
            state: texts.share(match columns.state_is_in_query {
                true => state_of(shown),
                false => text(columns.state),
            }),
            backend_type: share(texts, columns.backend_type),
            query: statement.text,
            query_tag: statement.tag,
            written: statement.written,
            blocked_by: columns.blocked_by.map(|i| pids(row::said(cell(i)))),
            backend_xmin: text(columns.backend_xmin).parse().ok(),
            wait_mode: share(texts, columns.wait_mode),
            wait_relation: share(texts, columns.wait_relation),
        })
    }

    /// The statement without literals; the same text is normalised once.
    fn statement(&mut self, written: &str) -> Statement {
        if let Some(known) = self.statements.get(written) {
            return known.clone();
        }
        let found = sql::normalize(written);
        let written_out = if self.input.literals { written } else { "" };
        let own = Statement {
            text: self.texts.share(&found.text),
            tag: self.texts.share(&found.tag),
            written: self.texts.share(written_out),
        };
        if self.statements.len() < STATEMENTS {
            self.statements.insert(written.to_owned(), own.clone());
        }
        own
    }

    /// A time; one without a zone is said once per file.
    fn time(&mut self, text: &str, raw: &mut Raw) -> Option<Micros> {
        if text.is_empty() {
            return None;
        }
        if let Some(at) = usual(text) {
            return Some(at);
        }
        self.odd = true;
        let at = cell::moment(text, self.input.zone)?;
        if time::parse(text, self.input.zone).is_some_and(|p| p.zone_assumed) {
            raw.zone_assumed(self.input.file);
        }
        Some(at)
    }
}

/// What is waited for; up to 9.5 there is only `waiting`, which is about heavyweight locks.
fn wait_event_type<'c>(columns: &Columns, text: &dyn Fn(Option<usize>) -> &'c str) -> &'c str {
    let waiting = ["t", "true", "1"].contains(&text(columns.waiting));
    match waiting && columns.wait_event_type.is_none() {
        true => "Lock",
        false => text(columns.wait_event_type),
    }
}

/// The state where servers say it in place of the statement (`<IDLE>`).
fn state_of(shown: &str) -> &'static str {
    match shown {
        "" | "<insufficient privilege>" => "",
        "<IDLE>" => "idle",
        "<IDLE> in transaction" => "idle in transaction",
        "<IDLE> in transaction (aborted)" => "idle in transaction (aborted)",
        _ => "active",
    }
}

/// Pids in any form of an array.
fn pids(cell: &str) -> Vec<i64> {
    if cell == "{}" {
        return Vec::new();
    }
    cell.split(|c: char| !c.is_ascii_digit()).filter_map(|p| p.parse().ok()).collect()
}

/// A time as PostgreSQL prints it under `DateStyle = ISO` with a zone of whole hours:
/// `2026-11-20 20:06:39.879316+00`, also with `T` and `Z`; `None` for any other.
fn usual(text: &str) -> Option<Micros> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = bytes.get(from..to)?;
        digits.iter().try_fold(0, |n, d| d.is_ascii_digit().then(|| n * 10 + i64::from(d - b'0')))
    };
    let is = |at: usize, c: u8| bytes.get(at) == Some(&c);
    let marks = is(4, b'-') && is(7, b'-') && is(13, b':') && is(16, b':');
    if !marks || !(is(10, b' ') || is(10, b'T')) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let month_days = [31, 28 + i64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let days = month_days.get(usize::try_from(month - 1).ok()?)?;
    if !(1..=*days).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut end = 19;
    let mut fraction = 0;
    if is(19, b'.') {
        let digits = bytes[20..].iter().take_while(|b| b.is_ascii_digit()).count();
        fraction = number(20, 20 + digits).filter(|_| (1..=6).contains(&digits))?;
        fraction *= 10i64.pow(6 - digits as u32);
        end = 20 + digits;
    }
    let offset = match bytes.get(end..)? {
        b"Z" => 0,
        [b'+', _, _] => number(end + 1, end + 3)?,
        [b'-', _, _] => -number(end + 1, end + 3)?,
        _ => return None,
    };
    let seconds = days_since_epoch(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    time::believable((seconds - offset * 3600) * SECOND + fraction)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days from 1970-01-01 in the Gregorian calendar (Hinnant's `days_from_civil`).
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (y.div_euclid(400), y.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Zone;
    use proptest::prelude::*;

    #[test]
    fn blockers_are_read_from_every_array_form() {
        assert_eq!(pids("{31608}"), [31608]);
        assert_eq!(pids("[1, 2]"), [1, 2]);
        assert_eq!(pids("{}"), Vec::<i64>::new());
    }

    #[test]
    fn only_the_usual_form_is_read_directly() {
        assert_eq!(usual("2026-11-20 20:06:41.5+00"), Some(1_795_205_201_500_000));
        assert_eq!(usual("2026-11-20T21:06:41+01"), Some(1_795_205_201_000_000));
        for other in [
            "",
            "2026-11-20",
            "2026-11-20 20:06:41",
            "2026-02-30 00:00:00Z",
            "2026-11-20 20:06:41+05:30",
            "1795205201",
        ] {
            assert_eq!(usual(other), None, "{other}");
        }
    }

    proptest! {
        /// What is read directly is what the general reader reads.
        #[test]
        fn the_direct_reader_agrees_with_the_general_one(
            (y, mo, d) in (1971u32..2199, 1u32..13, 1u32..32),
            (h, mi, s, us) in (0u32..24, 0u32..60, 0u32..60, 0u32..1_000_000),
            zone in -11i32..13,
        ) {
            let text = format!("{y:04}-{mo:02}-{d:02} {h:02}:{mi:02}:{s:02}.{us:06}{zone:+03}");
            if let Some(at) = usual(&text) {
                prop_assert_eq!(Some(at), cell::moment(&text, &Zone::default()), "{}", text);
            }
        }
    }
}
