//! One row of pg_stat_activity to a session. The columns are looked up once per header, texts that
//! come again and again are kept once, and times in PostgreSQL's usual form are read directly.

use super::iso_time::usual;
use super::row::{self, SNAPSHOT};
use crate::ingest::cell;
use crate::ingest::raw::{FileId, Raw, RawSession, Session, SessionShape, Shapes, Starts};
use crate::ingest::text::{Text, Texts};
use crate::ingest::{Input, sql};
use crate::model::Micros;
use crate::time::{self, Zone};
use hashbrown::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

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
    pub backend_start: Option<usize>,
    pub xact: [Option<usize>; 2],
    pub query_start: [Option<usize>; 2],
    pub state_change: [Option<usize>; 2],
    pub wait_start: [Option<usize>; 2],
    waiting: Option<usize>,
    wait_event_type: Option<usize>,
    wait_event: Option<usize>,
    state: Option<usize>,
    state_is_in_query: bool,
    backend_type: Option<usize>,
    pub backend_xmin: Option<usize>,
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

impl Columns {
    /// Says whether sessions can be told apart.
    pub fn has_pid(&self) -> bool {
        self.pid.is_some()
    }

    /// Those that make up what rows share, as far as they are there: what a session is, and what it
    /// does.
    pub fn of_shape(&self) -> [Vec<usize>; 2] {
        let is = [
            self.pid,
            self.leader_pid,
            self.server,
            self.database,
            self.user,
            self.application,
            self.client_addr,
            self.backend_start,
            self.backend_type,
        ];
        let does = [
            self.waiting,
            self.wait_event_type,
            self.wait_event,
            self.state,
            self.query,
            self.blocked_by,
            self.wait_mode,
            self.wait_relation,
        ];
        [is.into_iter().flatten().collect(), does.into_iter().flatten().collect()]
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
    file: FileId,
    zone: &'a Zone,
    literals: bool,
    server: Text,
    texts: Texts,
    statements: HashMap<String, Statement>,
    shapes: Arc<Mutex<Shapes>>,
    /// Set where a time is in no usual form.
    pub odd: bool,
}

impl<'a> Rows<'a> {
    /// Starts a file.
    pub fn new(input: &Input<'a>) -> Rows<'a> {
        Rows {
            file: input.file,
            zone: input.zone,
            literals: input.literals,
            server: Text::from(row::server_of(input.path)),
            texts: Texts::default(),
            statements: HashMap::new(),
            shapes: Arc::default(),
            odd: false,
        }
    }

    /// The same, with shapes that other threads share.
    pub fn sharing(self, shapes: Arc<Mutex<Shapes>>) -> Rows<'a> {
        Rows { shapes, ..self }
    }

    /// A row's session; `None` without a readable pid. Without a time it stands at 0.
    pub fn session<'c>(
        &mut self,
        columns: &Columns,
        cell: &dyn Fn(usize) -> &'c str,
        (title, line): (Option<Micros>, u64),
        raw: &mut Raw,
    ) -> Option<Session> {
        let text = |column: Option<usize>| column.map_or("", |i| row::said(cell(i)));
        text(columns.pid).parse::<i64>().ok()?;
        let at = self.time(text(columns.snapshot), raw).or(title).unwrap_or(0);
        let mut start = |[column, age]: [Option<usize>; 2]| {
            let before =
                || row::interval(text(age)).filter(|_| at > 0).map(|age| at.saturating_sub(age));
            self.time(text(column), raw).or_else(before)
        };
        let [first, second] = columns.wait_start;
        let starts = Starts {
            xact: start(columns.xact),
            query: start(columns.query_start),
            state: start(columns.state_change),
            wait: start([first, None]).or_else(|| start([second, None])),
        };
        let backend_start = start([columns.backend_start, None]);
        let xmin = text(columns.backend_xmin).parse().ok();
        let shape = self.shape(columns, cell, backend_start)?;
        Some(Session::new(self.share(shape), (self.file, line), at, &starts, xmin))
    }

    /// What a row shares with others; `None` without a readable pid.
    pub fn shape<'c>(
        &mut self,
        columns: &Columns,
        cell: &dyn Fn(usize) -> &'c str,
        backend_start: Option<Micros>,
    ) -> Option<RawSession> {
        let text = |column: Option<usize>| column.map_or("", |i| row::said(cell(i)));
        let pid = text(columns.pid).parse().ok()?;
        let shown = text(columns.query);
        let statement = self.statement(shown);
        let share = |texts: &mut Texts, column| texts.share(text(column));
        let texts = &mut self.texts;
        let named = text(columns.server);
        Some(RawSession {
            server: if named.is_empty() { self.server.clone() } else { texts.share(named) },
            pid,
            leader_pid: text(columns.leader_pid).parse().ok(),
            database: share(texts, columns.database),
            user: share(texts, columns.user),
            application: share(texts, columns.application),
            client_addr: share(texts, columns.client_addr),
            backend_start,
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
            wait_mode: share(texts, columns.wait_mode),
            wait_relation: share(texts, columns.wait_relation),
            ..RawSession::default()
        })
    }

    /// The one copy of a shape.
    pub fn share(&mut self, shape: RawSession) -> Arc<SessionShape> {
        let mut shapes = self.shapes.lock().unwrap_or_else(PoisonError::into_inner);
        shapes.share(shape.into())
    }

    /// The statement without literals; the same text is normalised once.
    fn statement(&mut self, written: &str) -> Statement {
        if let Some(known) = self.statements.get(written) {
            return known.clone();
        }
        let found = sql::normalize(written);
        let written_out = if self.literals { written } else { "" };
        let own = Statement {
            text: self.texts.share(&found.text),
            tag: self.texts.share(&found.tag),
            written: self.texts.share(written_out),
        };
        if self.statements.len() >= STATEMENTS {
            self.statements.clear();
        }
        self.statements.insert(written.to_owned(), own.clone());
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
        let at = cell::moment(text, self.zone)?;
        if time::parse(text, self.zone).is_some_and(|p| p.zone_assumed) {
            raw.zone_assumed(self.file);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blockers_are_read_from_every_array_form() {
        assert_eq!(pids("{31608}"), [31608]);
        assert_eq!(pids("[1, 2]"), [1, 2]);
        assert_eq!(pids("{}"), Vec::<i64>::new());
    }
}
