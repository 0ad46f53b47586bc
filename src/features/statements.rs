//! Which statements keep a server busy. In: session snapshots and the two windows. Out: per server
//! and statement fingerprint the sessions that run it at once, their age, its share of all busy
//! sessions, what they wait for, and whether it was ever seen before.
//!
//! A snapshot sees a statement with a chance that grows with its duration, so counts over snapshots
//! estimate time spent, as in active session history. Shares are pooled over snapshots: one with
//! eighty busy sessions weighs more than one with two. Without a snapshot before the incident
//! nothing is known about before (`None`), which is not zero.

use crate::ingest::raw::{PerShape, Session};
use crate::ingest::sql;
use crate::model::{EntityId, Micros, SECOND, Window};
use crate::telemetry::Telemetry;
use hashbrown::HashMap;
use std::collections::{BTreeMap, BTreeSet};

/// Snapshots of a baseline from which "never seen before" says something.
const SEEN_SNAPSHOTS: usize = 5;
/// What a session without the right to see it shows instead of a statement.
const HIDDEN: &str = "<insufficient privilege>";

/// What one statement took of a server.
#[derive(Clone, Debug, Default)]
pub struct StatementLoad {
    pub fingerprint: String,
    /// Without literals.
    pub query: String,
    /// Mean number of sessions that run it per snapshot, before and during the incident.
    pub before: Option<f64>,
    pub during: f64,
    /// Most at once, in the incident.
    pub peak: usize,
    /// Share of the busy client sessions of the incident, 0 to 1.
    pub share: f64,
    /// Mean and greatest age of its runs when seen, seconds; mean before the incident.
    pub age_s: f64,
    pub oldest_s: f64,
    pub age_before_s: Option<f64>,
    /// Incident snapshots in which it runs.
    pub snapshots: usize,
    /// No session showed it before, not even as its last statement; `None` with too few snapshots.
    pub new: Option<bool>,
    /// Share of its runs that wait for a lock, that wait for storage, that use a processor.
    pub lock_share: f64,
    pub io_share: f64,
    pub cpu_share: f64,
    /// Its runs in the incident by application.
    pub applications: BTreeMap<String, usize>,
    /// Start of the first run that the incident shows, and the last snapshot with one.
    pub since: Micros,
    pub last: Micros,
    /// A session that runs it when most do.
    pub place: Session,
}

/// The statements of one server.
#[derive(Clone, Debug)]
pub struct ServerStatements {
    pub database: EntityId,
    /// Snapshots before and in the incident.
    pub snapshots: (usize, usize),
    /// Share of busy sessions whose statement is hidden, 0 to 1.
    pub hidden: f64,
    /// Busiest first.
    pub statements: Vec<StatementLoad>,
}

/// Snapshots and busy sessions of one window.
#[derive(Default)]
struct Side {
    snapshots: BTreeSet<(Micros, u32)>,
    last: Option<(Micros, u32)>,
    busy: usize,
    hidden: usize,
}

/// Runs of one statement in one window.
#[derive(Default)]
struct Runs<'a> {
    /// Runs per snapshot, sorted once all are counted.
    at: Vec<((Micros, u32), usize)>,
    /// Of runs whose start is shown: number, sum and most of the ages, seconds.
    aged: usize,
    age_s: f64,
    oldest_s: f64,
    rows: Vec<&'a Session>,
}

impl<'a> Runs<'a> {
    fn add(&mut self, s: &'a Session) {
        let now = (s.at, s.snapshot);
        match self.at.last_mut().filter(|(at, _)| *at == now) {
            Some((_, n)) => *n += 1,
            None => self.at.push((now, 1)),
        }
        if let Some(start) = s.query_start() {
            let age = ((s.at - start) as f64 / SECOND as f64).max(0.0);
            self.aged += 1;
            self.age_s += age;
            self.oldest_s = self.oldest_s.max(age);
        }
        self.rows.push(s);
    }

    /// Files that do not stand in the order of time may show a snapshot in several stretches.
    fn sort(&mut self) {
        self.at.sort_unstable_by_key(|(at, _)| *at);
        self.at.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 += if same { next.1 } else { 0 };
            same
        });
    }

    fn mean_age(&self) -> Option<f64> {
        (self.aged > 0).then(|| self.age_s / self.aged as f64)
    }
}

/// What is looked up once for all rows of one shape.
struct Known {
    busy: bool,
    /// Number of the statement, where it is shown.
    statement: Option<usize>,
}

/// Measures every server with session snapshots in `incident`.
pub fn statements(
    telemetry: &Telemetry,
    baseline: Window,
    incident: Window,
) -> Vec<ServerStatements> {
    let servers: BTreeSet<EntityId> = telemetry.sessions.firsts().map(|(db, _)| db).collect();
    let all = servers.into_iter().map(|db| {
        let own = telemetry.sessions.iter().filter(|(d, s)| *d == db && s.is_client());
        of_server(db, own.map(|(_, s)| s), baseline, incident)
    });
    all.filter(|s| s.snapshots.1 > 0).collect()
}

fn of_server<'a>(
    database: EntityId,
    rows: impl Iterator<Item = &'a Session>,
    baseline: Window,
    incident: Window,
) -> ServerStatements {
    let mut looked: PerShape<Known> = PerShape::default();
    // The same text comes again and again: its fingerprint is made once.
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut prints: BTreeMap<String, usize> = BTreeMap::new();
    let (mut before, mut during) = (Side::default(), Side::default());
    let mut shown: Vec<bool> = Vec::new();
    let mut runs: Vec<(Runs, Runs)> = Vec::new();
    for s in rows {
        let earlier = baseline.contains(s.at);
        if !earlier && !incident.contains(s.at) {
            continue;
        }
        let side = if earlier { &mut before } else { &mut during };
        if side.last.replace((s.at, s.snapshot)) != Some((s.at, s.snapshot)) {
            side.snapshots.insert((s.at, s.snapshot));
        }
        let known = looked.of(s, || {
            let is_shown = !s.query.is_empty() && s.query != HIDDEN;
            let number = || {
                *numbers.entry(&s.query).or_insert_with(|| {
                    let next = prints.len();
                    *prints.entry(sql::fingerprint(&s.query)).or_insert(next)
                })
            };
            Known { busy: s.state == "active", statement: is_shown.then(number) }
        });
        side.busy += usize::from(known.busy);
        side.hidden += usize::from(known.busy && known.statement.is_none());
        let Some(number) = known.statement else { continue };
        if number >= runs.len() {
            runs.resize_with(number + 1, Default::default);
            shown.resize(number + 1, false);
        }
        shown[number] |= earlier;
        if known.busy {
            let (a, b) = &mut runs[number];
            if earlier { a } else { b }.add(s);
        }
    }
    for (a, b) in &mut runs {
        a.sort();
        b.sort();
    }
    let enough = before.snapshots.len() >= SEEN_SNAPSHOTS;
    let with_runs = prints.into_iter().filter(|(_, i)| !runs[*i].1.rows.is_empty());
    let mut statements: Vec<StatementLoad> = with_runs
        .map(|(name, i)| {
            let (a, b) = &runs[i];
            load(name, a, b, (&before, &during), enough.then(|| !shown[i]))
        })
        .collect();
    let time = |s: &StatementLoad| s.during * (1.0 + s.age_s);
    statements.sort_by(|a, b| time(b).total_cmp(&time(a)).then(a.fingerprint.cmp(&b.fingerprint)));
    let hidden = during.hidden as f64 / during.busy.max(1) as f64;
    let snapshots = (before.snapshots.len(), during.snapshots.len());
    ServerStatements { database, snapshots, hidden, statements }
}

fn load(
    fingerprint: String,
    a: &Runs,
    b: &Runs,
    (before, during): (&Side, &Side),
    new: Option<bool>,
) -> StatementLoad {
    // A list by shape would be as long as all statements' shapes, for each statement.
    let mut alike: HashMap<usize, (&Session, usize)> = HashMap::new();
    for s in &b.rows {
        alike.entry(s.shape_id()).or_insert((s, 0)).1 += 1;
    }
    let count = |wanted: fn(&Session) -> bool| -> usize {
        alike.values().filter(|(s, _)| wanted(s)).map(|(_, n)| n).sum()
    };
    let share = |wanted| count(wanted) as f64 / b.rows.len().max(1) as f64;
    let mut applications: BTreeMap<String, usize> = BTreeMap::new();
    for (s, n) in alike.values() {
        *applications.entry(s.application.to_string()).or_default() += n;
    }
    let busiest = b.at.iter().max_by_key(|(t, n)| (*n, std::cmp::Reverse(*t)));
    let (when, peak) = busiest.map_or(((0, 0), 0), |(t, n)| (*t, *n));
    let seen_then = |s: &&&Session| (s.at, s.snapshot) == when;
    let place = b
        .rows
        .iter()
        .filter(seen_then)
        .max_by_key(|s| (s.at - s.query_start().unwrap_or(s.at), s.pid));
    let place = place.or(b.rows.first()).map(|s| (**s).clone()).unwrap_or_default();
    let starts = b.rows.iter().map(|s| s.query_start().unwrap_or(s.at));
    StatementLoad {
        query: place.query.to_string(),
        before: (!before.snapshots.is_empty())
            .then(|| a.rows.len() as f64 / before.snapshots.len() as f64),
        during: b.rows.len() as f64 / during.snapshots.len().max(1) as f64,
        peak,
        share: b.rows.len() as f64 / during.busy.max(1) as f64,
        age_s: b.mean_age().unwrap_or(0.0),
        oldest_s: b.oldest_s,
        age_before_s: a.mean_age(),
        snapshots: b.at.len(),
        new,
        lock_share: share(|s| s.waits_for_lock()),
        io_share: share(|s| s.wait_event_type == "IO"),
        cpu_share: share(|s| s.wait_event_type.is_empty()),
        applications,
        since: starts.min().unwrap_or(0),
        last: b.at.last().map_or(0, |(t, _)| t.0),
        fingerprint,
        place,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::raw::RawSession;

    const BEFORE: Window = Window { from: 0, to: 100 * SECOND };
    const DURING: Window = Window { from: 100 * SECOND, to: 200 * SECOND };

    /// One session: snapshot second, state, age in seconds, statement.
    fn session(at: i64, state: &str, age: i64, query: &str) -> RawSession {
        RawSession {
            at: at * SECOND,
            snapshot: at as u32,
            state: state.into(),
            query_start: Some((at - age) * SECOND),
            query: query.into(),
            application: "web".into(),
            ..RawSession::default()
        }
    }

    fn measured(rows: &[RawSession]) -> ServerStatements {
        let rows: Vec<Session> = rows.iter().cloned().map(Session::from).collect();
        of_server(EntityId(0), rows.iter(), BEFORE, DURING)
    }

    #[test]
    fn a_statement_is_known_by_its_sessions_age_and_share() {
        let mut rows: Vec<RawSession> =
            (1..=6).map(|i| session(10 * i, "idle", 1, "select a")).collect();
        for at in [110, 120] {
            rows.extend([12, 8, 4].map(|age| session(at, "active", age, "select b")));
            rows.push(session(at, "active", 0, "select a"));
        }
        let s = measured(&rows);
        assert_eq!((s.snapshots, s.hidden), ((6, 2), 0.0));
        let [b, a] = &s.statements[..] else { panic!("{} statements", s.statements.len()) };
        assert_eq!((b.during, b.peak, b.share, b.age_s, b.oldest_s), (3.0, 3, 0.75, 8.0, 12.0));
        assert_eq!((b.before, b.new, b.snapshots), (Some(0.0), Some(true), 2));
        assert_eq!((b.since, b.last, b.cpu_share), (98 * SECOND, 120 * SECOND, 1.0));
        assert_eq!(b.applications, BTreeMap::from([("web".to_owned(), 6)]));
        // As the last statement of an idle session it was seen before.
        assert_eq!(a.new, Some(false));
    }

    #[test]
    fn without_a_baseline_nothing_is_new_and_hidden_statements_are_counted() {
        let s = measured(&[
            session(50, "active", 1, "select a"),
            session(110, "active", 1, "select b"),
            session(110, "active", 1, HIDDEN),
        ]);
        assert_eq!((s.hidden, s.statements.len()), (0.5, 1));
        assert_eq!((s.statements[0].new, s.statements[0].share), (None, 0.5));
    }

    #[test]
    fn empty_and_idle_snapshots_have_no_statements() {
        assert!(measured(&[]).statements.is_empty());
        let s = measured(&[session(110, "idle", 90, "select a")]);
        assert_eq!((s.snapshots, s.statements.len()), ((0, 1), 0));
    }
}
