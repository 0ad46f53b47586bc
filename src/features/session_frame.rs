//! Client sessions counted per snapshot: by what they wait for, by whom they belong to, by what they
//! run. In: the session rows of one server. Out: counts as numbers, with the names they stand for.
//!
//! One pass counts the rows of each snapshot in place, by numbers that each shape of a row is given
//! once; what is left is a line per snapshot and name, which Polars sums up: a frame of all rows
//! would be gigabytes at 20 million. Snapshots and names that do not occur together give no line:
//! absent means none, not unknown.

use super::forest::Snapshot;
use crate::error::{Error, Result};
use crate::ingest::raw::{PerShape, Session};
use crate::ingest::{sql, verbs};
use polars::prelude::{DataFrame, DataType, IntoLazy, col, df};
use std::collections::{BTreeMap, HashMap};

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
    pub fn of(s: &Session) -> Doing {
        match s.state.as_str() {
            _ if s.waits_for_lock() => Doing::Waiting,
            "active" | "fastpath function call" => Doing::Active,
            "idle" => Doing::Idle,
            state if state.starts_with("idle in transaction") => Doing::InTransaction,
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

/// All sessions of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summed {
    pub name: String,
    /// Over all snapshots, and the most in one.
    pub sessions: usize,
    pub peak: usize,
}

/// The connections of one application over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub application: String,
    /// Sessions per snapshot.
    pub totals: Vec<u32>,
    /// Most sessions of each client address at once, and the first snapshot with as many.
    pub clients: BTreeMap<String, (usize, usize)>,
}

/// The client sessions of one server, counted.
pub struct SessionFrame {
    waits: Lines,
    events: Lines,
    statements: Lines,
    /// By name.
    pub holders: Vec<Held>,
}

/// So many sessions of a name in a snapshot: a line each, in columns.
#[derive(Default)]
struct Lines {
    codes: Codes,
    snapshot: Vec<u32>,
    name: Vec<u32>,
    sessions: Vec<u32>,
    /// Sessions of the snapshot that is counted, by name, and the names that have any.
    now: Vec<u32>,
    there: Vec<u32>,
}

impl Lines {
    fn count(&mut self, code: u32) {
        let at = code as usize;
        if at >= self.now.len() {
            self.now.resize(at + 1, 0);
        }
        if self.now[at] == 0 {
            self.there.push(code);
        }
        self.now[at] += 1;
    }

    fn end(&mut self, snapshot: usize) {
        for code in self.there.drain(..) {
            self.snapshot.push(snapshot as u32);
            self.name.push(code);
            self.sessions.push(std::mem::take(&mut self.now[code as usize]));
        }
    }

    /// Names with their sums, sorted by name.
    fn summed(&self) -> Result<Vec<Summed>> {
        let frame: DataFrame =
            df!("name" => &self.name, "sessions" => &self.sessions).map_err(failed)?;
        let n = || col("sessions").cast(DataType::UInt64);
        let sums = [n().sum().alias("sum"), n().max().alias("peak")];
        let sums = frame.lazy().group_by([col("name")]).agg(sums).collect().map_err(failed)?;
        let names = sums.column("name").and_then(|c| c.u32()).map_err(failed)?;
        let column = |name: &str| sums.column(name).and_then(|c| c.u64()).map_err(failed);
        let values = column("sum")?.iter().zip(column("peak")?.iter());
        let mut out: Vec<Summed> = names
            .iter()
            .zip(values)
            .map(|(code, (sum, peak))| Summed {
                name: self.codes.name(code.unwrap_or(NONE)).to_owned(),
                sessions: sum.unwrap_or(0) as usize,
                peak: peak.unwrap_or(0) as usize,
            })
            .collect();
        out.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(out)
    }

    /// Sessions per snapshot of these names.
    fn over_time(&self, names: &[&str], snapshots: usize) -> Vec<Vec<f64>> {
        let mut values = vec![vec![0.0; snapshots]; names.len()];
        let place = |name: &String| names.iter().position(|n| n == name);
        let places: Vec<Option<usize>> = self.codes.names.iter().map(place).collect();
        for (at, (name, n)) in self.snapshot.iter().zip(self.name.iter().zip(&self.sessions)) {
            if let Some(place) = places[*name as usize] {
                values[place][*at as usize] += f64::from(*n);
            }
        }
        values
    }
}

/// No statement runs, or none that is shown; no wait counts.
const NONE: u32 = u32::MAX;

/// The numbers of all rows of one shape.
struct Known {
    wait: u32,
    event: u32,
    statement: u32,
    application: u32,
    /// Application and client together.
    pair: u32,
}

/// What is counted, while the snapshots are gone through.
#[derive(Default)]
struct Counting<'a> {
    waits: Lines,
    events: Lines,
    statements: Lines,
    fingerprints: HashMap<&'a str, u32>,
    applications: Codes,
    /// Sessions per snapshot, by application.
    totals: Vec<Vec<u32>>,
    pairs: BTreeMap<(u32, &'a str), u32>,
    /// Sessions in the snapshot that is counted, the most in any, and the first with as many, by
    /// application and client.
    held: Vec<(u32, u32, u32)>,
}

impl<'a> Counting<'a> {
    fn look(&mut self, s: &'a Session, snapshots: usize) -> Known {
        let busy = matches!(Doing::of(s), Doing::Active | Doing::Waiting);
        let (wait, event) = match (busy, s.wait_event_type.as_str()) {
            (false, _) => (NONE, NONE),
            (true, "") => (self.waits.codes.code(RUNNING), NONE),
            (true, kind) => {
                let event = format!("{kind}:{}", s.wait_event);
                (self.waits.codes.code(kind), self.events.codes.code(&event))
            }
        };
        let codes = &mut self.statements.codes;
        let statement = match busy && !verbs::is_hidden(&s.query) {
            true => *self
                .fingerprints
                .entry(s.query.as_str())
                .or_insert_with(|| codes.code(&sql::fingerprint(&s.query))),
            false => NONE,
        };
        let application = self.applications.code(owner(s));
        if application as usize == self.totals.len() {
            self.totals.push(vec![0; snapshots]);
        }
        let next = self.pairs.len() as u32;
        let pair = *self.pairs.entry((application, &s.client_addr)).or_insert(next);
        self.held.resize(self.pairs.len(), (0, 0, 0));
        Known { wait, event, statement, application, pair }
    }

    fn end(&mut self, snapshot: usize) {
        for lines in [&mut self.waits, &mut self.events, &mut self.statements] {
            lines.end(snapshot);
        }
        for (now, most, first) in &mut self.held {
            if *now > *most {
                (*most, *first) = (*now, snapshot as u32);
            }
            *now = 0;
        }
    }

    fn holders(&mut self) -> Vec<Held> {
        let totals = std::mem::take(&mut self.totals);
        let named = self.applications.names.iter().zip(totals);
        let mut holders: Vec<Held> = named
            .map(|(name, totals)| Held {
                application: name.clone(),
                totals,
                clients: BTreeMap::new(),
            })
            .collect();
        for ((application, client), pair) in &self.pairs {
            let (_, most, first) = self.held[*pair as usize];
            let peak = (most as usize, first as usize);
            holders[*application as usize].clients.insert((*client).to_owned(), peak);
        }
        holders.sort_by(|a, b| a.application.cmp(&b.application));
        holders
    }
}

impl SessionFrame {
    /// Counts the snapshots of one server, in the order of time.
    pub fn new(snapshots: &[Snapshot]) -> SessionFrame {
        let mut counting = Counting::default();
        let mut known: PerShape<Known> = PerShape::default();
        for (at, snapshot) in snapshots.iter().enumerate() {
            for s in snapshot.rows.iter().copied().filter(|s| s.is_client()) {
                let known = known.of(s, || counting.look(s, snapshots.len()));
                counting.totals[known.application as usize][at] += 1;
                counting.held[known.pair as usize].0 += 1;
                let lines = [&mut counting.waits, &mut counting.events, &mut counting.statements];
                for (lines, code) in
                    lines.into_iter().zip([known.wait, known.event, known.statement])
                {
                    if code != NONE {
                        lines.count(code);
                    }
                }
            }
            counting.end(at);
        }
        let holders = counting.holders();
        let Counting { waits, events, statements, .. } = counting;
        SessionFrame { waits, events, statements, holders }
    }

    /// Busy sessions by the type of what they wait for, [`RUNNING`] included.
    ///
    /// # Errors
    ///
    /// When Polars refuses the columns, which it has no reason to; so below.
    pub fn waits(&self) -> Result<Vec<Summed>> {
        self.waits.summed()
    }

    /// Busy sessions by `type:event`.
    ///
    /// # Errors
    ///
    /// As [`SessionFrame::waits`].
    pub fn events(&self) -> Result<Vec<Summed>> {
        self.events.summed()
    }

    /// Busy sessions that wait for these types, per snapshot, of so many snapshots.
    pub fn waits_over_time(&self, types: &[&str], snapshots: usize) -> Vec<Vec<f64>> {
        self.waits.over_time(types, snapshots)
    }

    /// Busy sessions that run statements with these fingerprints, per snapshot.
    pub fn statements_over_time(&self, prints: &[&str], snapshots: usize) -> Vec<Vec<f64>> {
        self.statements.over_time(prints, snapshots)
    }
}

fn failed(e: polars::error::PolarsError) -> Error {
    Error::runtime("", format!("sessions cannot be counted: {e}"))
}

/// To whom a session belongs: its application, else its user.
pub fn owner(s: &Session) -> &str {
    match (s.application.as_str(), s.user.as_str()) {
        ("", "") => "unnamed",
        ("", user) => user,
        (application, _) => application,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::raw::RawSession;
    use crate::model::EntityId;

    fn row(state: &str, wait: &str) -> RawSession {
        RawSession {
            state: state.into(),
            wait_event_type: wait.into(),
            wait_event: if wait.is_empty() { "" } else { "x" }.into(),
            application: "web".into(),
            query: "select ?".into(),
            ..RawSession::default()
        }
    }

    fn counted(snapshots: &[Vec<RawSession>]) -> SessionFrame {
        let kept = |rows: &Vec<RawSession>| rows.iter().cloned().map(Session::from).collect();
        let kept: Vec<Vec<Session>> = snapshots.iter().map(kept).collect();
        let snapshots: Vec<Snapshot> = kept
            .iter()
            .enumerate()
            .map(|(at, rows)| {
                let rows = rows.iter().collect();
                Snapshot { database: EntityId(0), at: at as i64, rows }
            })
            .collect();
        SessionFrame::new(&snapshots)
    }

    #[test]
    fn sessions_are_counted_per_snapshot() {
        let vacuum = RawSession { backend_type: "autovacuum worker".into(), ..row("active", "") };
        let other = RawSession { client_addr: "10.0.0.2".into(), ..row("idle", "Client") };
        let frame = counted(&[
            vec![row("active", ""), row("active", "Lock"), row("active", "Lock"), other],
            vec![row("idle in transaction", "Client"), row("active", "Lock"), vacuum],
        ]);
        let of = |all: Vec<Summed>| -> Vec<(String, usize, usize)> {
            all.into_iter().map(|s| (s.name, s.sessions, s.peak)).collect()
        };
        let lock = ("Lock".to_owned(), 3, 2);
        assert_eq!(of(frame.waits().expect("sums")), [lock, (RUNNING.to_owned(), 1, 1)]);
        assert_eq!(of(frame.events().expect("sums")), [("Lock:x".to_owned(), 3, 2)]);
        assert_eq!(frame.waits_over_time(&["IO", "Lock"], 2), [[0.0, 0.0], [2.0, 1.0]]);
        let print = sql::fingerprint("select ?");
        assert_eq!(frame.statements_over_time(&[&print], 2), [[3.0, 1.0]]);
        let clients = [("".to_owned(), (3, 0)), ("10.0.0.2".to_owned(), (1, 0))];
        let held = Held {
            application: "web".to_owned(),
            totals: vec![4, 2],
            clients: BTreeMap::from(clients),
        };
        assert_eq!(frame.holders, [held]);
    }

    #[test]
    fn what_a_session_does_is_its_state_and_its_wait() {
        let of = |state: &str, wait: &str| Doing::of(&row(state, wait).into());
        assert_eq!(of("active", "Lock"), Doing::Waiting);
        assert_eq!(of("active", "IO"), Doing::Active);
        assert_eq!(of("idle in transaction (aborted)", "Client"), Doing::InTransaction);
        assert_eq!((of("idle", "Client"), of("disabled", "")), (Doing::Idle, Doing::Unknown));
    }

    #[test]
    fn without_rows_there_is_nothing() {
        let frame = counted(&[]);
        assert!(frame.waits().expect("sums").is_empty() && frame.holders.is_empty());
    }
}
