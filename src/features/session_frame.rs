//! Client sessions counted per snapshot: by what they wait for, by whom they belong to, by what they
//! run. In: the session rows of one server. Out: counts as numbers, with the names they stand for.
//!
//! Texts become numbers once, row by row; the groups are then counted by Polars on narrow columns.
//! Snapshots and names that do not occur together give no line: absent means none, not unknown.

use crate::error::{Error, Result};
use crate::ingest::raw::RawSession;
use crate::ingest::{sql, verbs};
use crate::rollup::sessions::{is_client, waits_for_lock};
use polars::prelude::{DataFrame, Expr, IntoLazy, col, df, len};
use std::collections::HashMap;

/// What an active session without a wait event is said to do: it runs on a processor, or waits for
/// something that PostgreSQL does not report.
pub const RUNNING: &str = "running";

/// What a client session does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doing {
    Active,
    /// Active and waiting for a heavyweight lock.
    Waiting,
    Idle,
    /// Idle inside a transaction, failed ones too.
    InTransaction,
    /// The state is hidden or of another kind.
    Unknown,
}

impl Doing {
    /// What a session does, by its state and wait event.
    pub fn of(s: &RawSession) -> Doing {
        match s.state.as_str() {
            _ if waits_for_lock(s) => Doing::Waiting,
            "active" | "fastpath function call" => Doing::Active,
            "idle" => Doing::Idle,
            state if state.starts_with("idle in transaction") => Doing::InTransaction,
            _ => Doing::Unknown,
        }
    }

    fn from_code(code: u32) -> Doing {
        match code {
            0 => Doing::Active,
            1 => Doing::Waiting,
            2 => Doing::Idle,
            3 => Doing::InTransaction,
            _ => Doing::Unknown,
        }
    }
}

/// Names and the numbers that stand for them.
#[derive(Debug, Default)]
struct Codes {
    names: Vec<String>,
    of: HashMap<String, u32>,
}

impl Codes {
    fn code(&mut self, name: &str) -> u32 {
        if let Some(code) = self.of.get(name) {
            return *code;
        }
        let code = self.names.len() as u32;
        self.names.push(name.to_owned());
        self.of.insert(name.to_owned(), code);
        code
    }

    fn name(&self, code: u32) -> &str {
        self.names.get(code as usize).map_or("", String::as_str)
    }
}

/// So many sessions of one name in one snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Place of the snapshot, from 0.
    pub snapshot: usize,
    pub name: String,
    pub sessions: usize,
}

/// So many sessions of one application and client in one state, in one snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub snapshot: usize,
    pub application: String,
    /// Address; empty for a local connection, or where the export has none.
    pub client: String,
    pub doing: Doing,
    pub sessions: usize,
}

/// The client sessions of one server as columns of numbers.
pub struct SessionFrame {
    frame: DataFrame,
    waits: Codes,
    events: Codes,
    applications: Codes,
    clients: Codes,
    statements: Codes,
}

/// No statement runs, or none that is shown; no wait counts.
const NONE: u32 = u32::MAX;

#[derive(Default)]
struct Columns {
    snapshot: Vec<u32>,
    wait: Vec<u32>,
    event: Vec<u32>,
    application: Vec<u32>,
    client: Vec<u32>,
    doing: Vec<u32>,
    statement: Vec<u32>,
}

impl SessionFrame {
    /// Takes the snapshots of one server: their rows, in the order of time.
    ///
    /// # Errors
    ///
    /// When Polars refuses the columns, which it has no reason to.
    pub fn new<'a>(snapshots: impl Iterator<Item = &'a [&'a RawSession]>) -> Result<SessionFrame> {
        let (mut waits, mut events, mut applications) =
            (Codes::default(), Codes::default(), Codes::default());
        let (mut clients, mut statements) = (Codes::default(), Codes::default());
        let mut fingerprints: HashMap<&'a str, u32> = HashMap::new();
        let mut columns = Columns::default();
        let each = snapshots.enumerate().flat_map(|(i, rows)| rows.iter().map(move |s| (i, *s)));
        for (snapshot, s) in each.filter(|(_, s)| is_client(s)) {
            let doing = Doing::of(s);
            let busy = matches!(doing, Doing::Active | Doing::Waiting);
            let (wait, event) = match (busy, s.wait_event_type.as_str()) {
                (false, _) => (NONE, NONE),
                (true, "") => (waits.code(RUNNING), NONE),
                (true, kind) => {
                    (waits.code(kind), events.code(&format!("{kind}:{}", s.wait_event)))
                }
            };
            let statement = match busy && !verbs::is_hidden(&s.query) {
                true => *fingerprints
                    .entry(s.query.as_str())
                    .or_insert_with(|| statements.code(&sql::fingerprint(&s.query))),
                false => NONE,
            };
            columns.snapshot.push(snapshot as u32);
            columns.wait.push(wait);
            columns.event.push(event);
            columns.application.push(applications.code(owner(s)));
            columns.client.push(clients.code(&s.client_addr));
            columns.doing.push(doing as u32);
            columns.statement.push(statement);
        }
        let frame = columns.frame()?;
        Ok(SessionFrame { frame, waits, events, applications, clients, statements })
    }

    /// Busy sessions by the type of what they wait for, [`RUNNING`] included.
    ///
    /// # Errors
    ///
    /// As [`SessionFrame::new`]; so below.
    pub fn waits(&self) -> Result<Vec<Counted>> {
        self.counted("wait", &self.waits)
    }

    /// Busy sessions by `type:event`.
    pub fn events(&self) -> Result<Vec<Counted>> {
        self.counted("event", &self.events)
    }

    /// Busy sessions by the fingerprint of what they run.
    pub fn statements(&self) -> Result<Vec<Counted>> {
        self.counted("statement", &self.statements)
    }

    /// All client sessions by application, client and what they do.
    pub fn holders(&self) -> Result<Vec<Held>> {
        let rows = self.grouped(&["snapshot", "application", "client", "doing"])?;
        let held = |r: &Vec<u32>| Held {
            snapshot: r[0] as usize,
            application: self.applications.name(r[1]).to_owned(),
            client: self.clients.name(r[2]).to_owned(),
            doing: Doing::from_code(r[3]),
            sessions: r[4] as usize,
        };
        Ok(rows.iter().map(held).collect())
    }

    fn counted(&self, key: &str, codes: &Codes) -> Result<Vec<Counted>> {
        let rows = self.grouped(&["snapshot", key])?;
        let known = rows.iter().filter(|r| r[1] != NONE);
        let counted = |r: &Vec<u32>| Counted {
            snapshot: r[0] as usize,
            name: codes.name(r[1]).to_owned(),
            sessions: r[2] as usize,
        };
        Ok(known.map(counted).collect())
    }

    /// Lines of the keys and the number of rows that have them, sorted by the keys.
    fn grouped(&self, keys: &[&str]) -> Result<Vec<Vec<u32>>> {
        let by: Vec<Expr> = keys.iter().map(|k| col(*k)).collect();
        let frame = self.frame.clone().lazy();
        let counts = frame.group_by(by).agg([len().alias("sessions")]).collect().map_err(failed)?;
        let mut lines = vec![Vec::with_capacity(keys.len() + 1); counts.height()];
        for name in keys.iter().chain(&["sessions"]) {
            let values = counts.column(name).and_then(|c| c.u32()).map_err(failed)?;
            for (line, value) in lines.iter_mut().zip(values.iter()) {
                line.push(value.unwrap_or(NONE));
            }
        }
        lines.sort_unstable();
        Ok(lines)
    }
}

impl Columns {
    fn frame(self) -> Result<DataFrame> {
        df!(
            "snapshot" => self.snapshot,
            "wait" => self.wait,
            "event" => self.event,
            "application" => self.application,
            "client" => self.client,
            "doing" => self.doing,
            "statement" => self.statement,
        )
        .map_err(failed)
    }
}

fn failed(e: polars::error::PolarsError) -> Error {
    Error::runtime("", format!("sessions cannot be counted: {e}"))
}

/// To whom a session belongs: its application, else its user.
pub fn owner(s: &RawSession) -> &str {
    match (s.application.as_str(), s.user.as_str()) {
        ("", "") => "unnamed",
        ("", user) => user,
        (application, _) => application,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(snapshot: u32, state: &str, wait: &str) -> RawSession {
        RawSession {
            snapshot,
            at: i64::from(snapshot) * 10,
            state: state.into(),
            wait_event_type: wait.into(),
            wait_event: if wait.is_empty() { "" } else { "x" }.into(),
            application: "web".into(),
            query: "select ?".into(),
            ..RawSession::default()
        }
    }

    #[test]
    fn sessions_are_counted_per_snapshot() {
        let vacuum =
            RawSession { backend_type: "autovacuum worker".into(), ..row(1, "active", "") };
        let rows = [
            row(0, "active", ""),
            row(0, "active", "Lock"),
            row(0, "active", "Lock"),
            row(0, "idle", "Client"),
            row(1, "idle in transaction", "Client"),
            vacuum,
        ];
        let rows: Vec<&RawSession> = rows.iter().collect();
        let (first, second) = rows.split_at(4);
        let frame = SessionFrame::new([first, second].into_iter()).expect("columns");
        let of = |c: Vec<Counted>| -> Vec<(usize, String, usize)> {
            c.into_iter().map(|c| (c.snapshot, c.name, c.sessions)).collect()
        };
        let waits = of(frame.waits().expect("counts"));
        assert_eq!(waits, [(0, RUNNING.to_owned(), 1), (0, "Lock".to_owned(), 2)]);
        assert_eq!(of(frame.events().expect("counts")), [(0, "Lock:x".to_owned(), 2)]);
        assert_eq!(frame.statements().expect("counts")[0].sessions, 3);
        let held = frame.holders().expect("counts");
        let held: Vec<_> = held.iter().map(|h| (h.snapshot, h.doing, h.sessions)).collect();
        let first = [(0, Doing::Active, 1), (0, Doing::Waiting, 2), (0, Doing::Idle, 1)];
        assert_eq!(held, [&first[..], &[(1, Doing::InTransaction, 1)]].concat());
    }

    #[test]
    fn without_rows_there_is_nothing() {
        let frame = SessionFrame::new(std::iter::empty()).expect("columns");
        assert!(frame.waits().expect("counts").is_empty());
        assert!(frame.holders().expect("counts").is_empty());
    }
}
