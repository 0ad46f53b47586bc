//! Who is at the root of blocking, and for how long. In: session snapshots and lock rows. Out: the
//! root blockers of each server, with victims, depth, ages and the relation, over all snapshots;
//! and per server how the roots change from snapshot to snapshot.

use super::forest::{Edges, Snapshot, snapshots};
use super::robust;
use crate::ingest::raw::{RawSession, Session};
use crate::ingest::{sql, verbs};
use crate::model::{EntityId, Micros, SECOND, Window};
use crate::telemetry::Telemetry;
use std::collections::{BTreeMap, BTreeSet};

/// State of a root that is no session: a transaction prepared for two-phase commit.
pub const PREPARED: &str = "prepared transaction";

/// Waits for locks on rows or for the end of a transaction that holds some.
const ROW_WAITS: [&str; 3] = ["transactionid", "tuple", "spectoken"];

/// A line of the log about a root may come so long after it was last seen: when the wait ends.
const LOGGED_AFTER: Micros = 60 * SECOND;

/// Share of the snapshots with blocking from which a root stays.
const STAYS: f64 = 0.3;

/// A session at the root of a blocking tree, seen in one or more snapshots.
#[derive(Clone, Debug)]
pub struct RootBlocker {
    pub database: EntityId,
    /// The session as it was when it blocked most. Only pid and state are known of one that the
    /// export does not list.
    pub session: Session,
    pub first_seen: Micros,
    pub last_seen: Micros,
    pub snapshots: usize,
    /// Share of the server's snapshots with blocking in which it was a root, 0 to 1.
    pub share: f64,
    /// Most sessions that waited behind it at once, directly or not.
    pub victims: usize,
    /// Victims by application in the worst snapshot, without auxiliary processes.
    pub victim_applications: BTreeMap<String, usize>,
    /// Longest chain from the root to a waiter.
    pub depth: usize,
    /// Longest time a victim had waited, seconds, and the age of the root's transaction then.
    pub waited_s: f64,
    pub age_s: f64,
    /// Longest time it can have held what others wait for, seconds: since its transaction began, or
    /// since it was last seen waiting itself. `None` where no start is shown.
    pub held_s: Option<f64>,
    /// Longest time it was in its state: idle in transaction, or in its statement. `None` if unknown.
    pub still_s: Option<f64>,
    /// Relation that is waited for, where locks or statements say.
    pub relation: String,
    /// Most victims wait for rows; `None` where the export does not say what they wait for.
    pub row_locks: Option<bool>,
    /// A schema change waits behind it, and others behind that.
    pub ddl_waits: bool,
    /// The edge to this session was inferred, not read.
    pub inferred: bool,
    /// The auxiliary process through which it blocks, e.g. `startup`.
    pub through: Option<String>,
    /// Earliest time at which a victim began to wait.
    pub since: Micros,
}

impl RootBlocker {
    /// Says whether it is a culprit of its own, not one of many that come and go.
    pub fn stays(&self) -> bool {
        self.share >= STAYS
    }
}

/// How the roots of one server come and go while sessions wait.
#[derive(Clone, Debug)]
pub struct Contention {
    pub database: EntityId,
    /// Snapshots with a waiting client, and all snapshots from the first to the last of them.
    pub snapshots: usize,
    pub of: usize,
    /// Sessions that were a root in at least one snapshot.
    pub roots: usize,
    /// Share of the snapshots in which the most frequent root was one, 0 to 1.
    pub top_share: f64,
    /// Share of the snapshots in which some client waits in a circle, 0 to 1: a deadlock.
    pub circle_share: f64,
    /// Median number of waiting clients per snapshot with any.
    pub victims: f64,
    /// Most frequent relation that is waited for, and the share of snapshots about it.
    pub relation: String,
    pub relation_share: f64,
    /// Most frequent event of the waiting clients, and its share of them.
    pub event: String,
    pub event_share: f64,
    /// Most frequent statement of the waiting clients (a short name), and its share of them.
    pub statement: String,
    pub statement_share: f64,
    /// Waiting clients by application, over all snapshots.
    pub applications: BTreeMap<String, usize>,
    pub first: Micros,
    pub last: Micros,
    /// Where the worst snapshot stands.
    pub worst: Session,
}

/// What blocking over a window looks like.
#[derive(Default)]
pub struct Blocking {
    pub roots: Vec<RootBlocker>,
    pub contention: Vec<Contention>,
}

/// Finds the root blockers of every server whose blocking overlaps `window`.
pub fn blocking(telemetry: &Telemetry, window: Window) -> Blocking {
    let snapshots = snapshots(telemetry, window);
    let edges = Edges::of_all(&snapshots);
    blocking_of(telemetry, &snapshots, &edges)
}

/// Finds the root blockers of these snapshots, which stand by server, then time, out of their edges.
pub fn blocking_of(telemetry: &Telemetry, snapshots: &[Snapshot], edges: &[Edges]) -> Blocking {
    let mut found: BTreeMap<(EntityId, i64, Option<Micros>), RootBlocker> = BTreeMap::new();
    let mut waited: BTreeMap<(EntityId, i64, Option<Micros>), Micros> = BTreeMap::new();
    let mut tallies: BTreeMap<EntityId, Tally> = BTreeMap::new();
    for (snapshot, edges) in snapshots.iter().zip(edges) {
        let tally = tallies.entry(snapshot.database).or_default();
        tally.times.push(snapshot.at);
        if edges.blockers.is_empty() {
            continue;
        }
        let transaction = |s: &Session| (snapshot.database, s.pid, s.xact_start());
        let roots = of_snapshot(snapshot, edges, telemetry);
        tally.add(snapshot, edges, &roots);
        for mut root in roots {
            if let Some(last) = waited.get(&transaction(&root.session)) {
                let since = (snapshot.at - last) as f64 / SECOND as f64;
                root.held_s = root.held_s.map(|held| held.min(since));
            }
            let key = (snapshot.database, root.session.pid, root.session.backend_start);
            match found.get_mut(&key) {
                None => {
                    found.insert(key, root);
                }
                Some(known) => merge(known, root),
            }
        }
        for s in snapshot.rows.iter().filter(|s| edges.blockers.contains_key(&s.pid)) {
            waited.insert(transaction(s), snapshot.at);
        }
    }
    let mut roots: Vec<RootBlocker> = found.into_values().collect();
    for root in &mut roots {
        root.inferred &= !is_logged(telemetry, root);
        let all = tallies.get(&root.database).map_or(1, |t| t.blocked.len()).max(1);
        root.share = (root.snapshots as f64 / all as f64).min(1.0);
    }
    roots.sort_by_key(|r| (r.database, std::cmp::Reverse(r.victims * r.snapshots), r.session.pid));
    let contention = tallies.into_iter().filter_map(|(db, t)| t.finish(db)).collect();
    Blocking { roots, contention }
}

/// Says whether the server's own log names a root as the holder of what others wait for.
fn is_logged(telemetry: &Telemetry, root: &RootBlocker) -> bool {
    let seen = root.since..=root.last_seen + LOGGED_AFTER;
    telemetry.logs.iter().any(|(db, l)| {
        *db == root.database && seen.contains(&l.at) && l.holders.contains(&root.session.pid)
    })
}

fn merge(known: &mut RootBlocker, other: RootBlocker) {
    let longest = |a: Option<f64>, b: Option<f64>| a.into_iter().chain(b).reduce(f64::max);
    known.last_seen = other.last_seen;
    known.snapshots += 1;
    known.depth = known.depth.max(other.depth);
    known.waited_s = known.waited_s.max(other.waited_s);
    known.age_s = known.age_s.max(other.age_s);
    known.held_s = longest(known.held_s, other.held_s);
    known.still_s = longest(known.still_s, other.still_s);
    known.since = known.since.min(other.since);
    known.ddl_waits |= other.ddl_waits;
    if other.victims > known.victims {
        known.victims = other.victims;
        known.victim_applications = other.victim_applications;
        known.session = other.session;
        known.row_locks = other.row_locks.or(known.row_locks);
    }
    if known.relation.is_empty() {
        known.relation = other.relation;
    }
}

fn of_snapshot(snapshot: &Snapshot, edges: &Edges, telemetry: &Telemetry) -> Vec<RootBlocker> {
    let mut by_pid: BTreeMap<i64, &Session> = snapshot.rows.iter().map(|s| (s.pid, *s)).collect();
    if snapshot.rows.iter().filter(|s| s.pid == 0).count() > 1 {
        // Prepared transactions all have it: which of them is waited for is not known.
        by_pid.remove(&0);
    }
    let mut victims: BTreeMap<i64, BTreeMap<i64, usize>> = BTreeMap::new();
    for wait in edges.waits() {
        victims.entry(wait.root).or_default().insert(wait.waiter, wait.depth);
    }
    let unseen = |pid: i64| {
        let state = if pid == 0 { PREPARED } else { "" };
        let place = place_of(snapshot);
        Session::from(RawSession { pid, at: snapshot.at, state: state.into(), ..place })
    };
    let of = |(root, waiters): (i64, BTreeMap<i64, usize>)| {
        let session = by_pid.get(&root).map_or_else(|| unseen(root), |s| (*s).clone());
        root_blocker(snapshot.database, session, &waiters, edges, &by_pid, telemetry)
    };
    victims.into_iter().map(of).collect()
}

/// Where the snapshot stands, for a session without a row.
fn place_of(snapshot: &Snapshot) -> RawSession {
    let first = snapshot.rows.first();
    let (file, line) = first.map_or((0, 0), |s| (s.file, s.line()));
    RawSession { file, line, ..RawSession::default() }
}

fn application(s: &Session) -> String {
    if s.application.is_empty() { &s.user } else { &s.application }.to_string()
}

fn root_blocker(
    db: EntityId,
    session: Session,
    waiters: &BTreeMap<i64, usize>,
    edges: &Edges,
    by_pid: &BTreeMap<i64, &Session>,
    telemetry: &Telemetry,
) -> RootBlocker {
    let at = session.at;
    let rows: Vec<&&Session> = waiters.keys().filter_map(|p| by_pid.get(p)).collect();
    let clients: Vec<&&&Session> = rows.iter().filter(|s| s.is_client()).collect();
    let mut applications: BTreeMap<String, usize> = BTreeMap::new();
    for s in &clients {
        *applications.entry(application(s)).or_default() += 1;
    }
    let waits = rows.iter().filter_map(|s| s.wait_start().or(s.query_start()));
    let since = waits.min().unwrap_or(at);
    let through = rows.iter().find(|s| {
        !s.is_client() && edges.blockers.get(&s.pid).is_some_and(|b| b.contains(&session.pid))
    });
    let direct = |pid: &i64| edges.blockers.get(pid).is_some_and(|b| b.contains(&session.pid));
    let inferred = waiters.keys().filter(|p| direct(p)).any(|p| edges.inferred.contains(p));
    let events: Vec<&str> =
        clients.iter().map(|s| s.wait_event.as_str()).filter(|e| !e.is_empty()).collect();
    let on_rows = events.iter().filter(|e| ROW_WAITS.contains(e)).count();
    let blocks = |pid: i64| edges.blockers.values().any(|b| b.contains(&pid));
    let seconds = |t: Option<Micros>| t.map(|t| (at - t).max(0) as f64 / SECOND as f64);
    let start = session.xact_start().or(session.query_start());
    let still = match session.state.as_str() {
        "active" => session.query_start(),
        _ => session.state_change().or(session.query_start()).or(session.xact_start()),
    };
    RootBlocker {
        database: db,
        first_seen: at,
        last_seen: at,
        snapshots: 1,
        share: 1.0,
        victims: clients.len(),
        victim_applications: applications,
        depth: waiters.values().copied().max().unwrap_or(0),
        waited_s: seconds(Some(since)).unwrap_or(0.0),
        age_s: seconds(start).unwrap_or(0.0),
        held_s: seconds(start),
        still_s: seconds(still),
        relation: relation(db, at, &rows, telemetry),
        row_locks: (!events.is_empty()).then_some(2 * on_rows >= events.len()),
        ddl_waits: rows.iter().any(|s| verbs::is_ddl(&s.query) && blocks(s.pid)),
        inferred,
        through: through.map(|s| s.backend_type.to_string()),
        since,
        session,
    }
}

/// The relation waited for: from pg_locks of the snapshot, else the table all victims name.
fn relation(db: EntityId, at: Micros, victims: &[&&Session], telemetry: &Telemetry) -> String {
    let pids: BTreeSet<i64> = victims.iter().map(|s| s.pid).collect();
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, lock) in telemetry.locks.iter().filter(|(d, _)| *d == db) {
        let near = lock.at.is_none_or(|t| (t - at).abs() < 10 * SECOND);
        let named = !lock.relation.is_empty() && !lock.relation.bytes().all(|b| b.is_ascii_digit());
        if near && named && !lock.granted && pids.contains(&lock.pid) {
            *count.entry(&lock.relation).or_default() += 1;
        }
    }
    if let Some((name, _)) = count.iter().max_by_key(|(name, n)| (**n, std::cmp::Reverse(**name))) {
        return (*name).to_owned();
    }
    let mut tables: BTreeMap<String, usize> = BTreeMap::new();
    let waiting: Vec<&&&Session> = victims.iter().filter(|s| s.is_client()).collect();
    for table in waiting.iter().flat_map(|s| sql::tables(&s.query)) {
        *tables.entry(table).or_default() += 1;
    }
    let shared = tables.into_iter().filter(|(_, n)| *n == waiting.len());
    shared.map(|(t, _)| t).next().unwrap_or_default()
}

/// What the snapshots of one server add up to.
#[derive(Default)]
struct Tally {
    /// Times of all snapshots, and of those with waiting clients, with the clients' number.
    times: Vec<Micros>,
    blocked: Vec<(Micros, usize)>,
    circles: usize,
    roots: BTreeMap<(i64, Option<Micros>), usize>,
    relations: BTreeMap<String, usize>,
    events: BTreeMap<String, usize>,
    statements: BTreeMap<String, usize>,
    applications: BTreeMap<String, usize>,
    worst: Option<(usize, Session)>,
}

impl Tally {
    fn add(&mut self, snapshot: &Snapshot, edges: &Edges, roots: &[RootBlocker]) {
        let waits = |s: &&&Session| s.is_client() && edges.blockers.contains_key(&s.pid);
        let victims: Vec<&&Session> = snapshot.rows.iter().filter(waits).collect();
        if victims.is_empty() {
            return;
        }
        self.blocked.push((snapshot.at, victims.len()));
        let rooted: BTreeSet<i64> = edges.waits().iter().map(|w| w.waiter).collect();
        self.circles += usize::from(victims.iter().any(|s| !rooted.contains(&s.pid)));
        for root in roots {
            *self.roots.entry((root.session.pid, root.session.backend_start)).or_default() += 1;
        }
        let largest = roots.iter().max_by_key(|r| r.victims);
        if let Some(root) = largest.filter(|r| !r.relation.is_empty()) {
            *self.relations.entry(root.relation.clone()).or_default() += 1;
        }
        for s in &victims {
            *self.applications.entry(application(s)).or_default() += 1;
            if !s.wait_event.is_empty() {
                *self.events.entry(s.wait_event.to_string()).or_default() += 1;
            }
            if !verbs::is_hidden(&s.query) {
                *self.statements.entry(sql::summary(&s.query)).or_default() += 1;
            }
        }
        if self.worst.as_ref().is_none_or(|w| victims.len() > w.0) {
            self.worst = Some((victims.len(), (*victims[0]).clone()));
        }
    }

    fn finish(self, database: EntityId) -> Option<Contention> {
        let (first, last) = (self.blocked.first()?.0, self.blocked.last()?.0);
        let snapshots = self.blocked.len();
        let sizes: Vec<f64> = self.blocked.iter().map(|b| b.1 as f64).collect();
        let (relation, relation_share) = top(&self.relations);
        let (event, event_share) = top(&self.events);
        let (statement, statement_share) = top(&self.statements);
        Some(Contention {
            database,
            snapshots,
            of: self.times.iter().filter(|t| (first..=last).contains(*t)).count(),
            roots: self.roots.len(),
            top_share: self.roots.values().copied().max().unwrap_or(0) as f64 / snapshots as f64,
            circle_share: self.circles as f64 / snapshots as f64,
            victims: robust::median(&sizes).unwrap_or(0.0),
            relation,
            relation_share,
            event,
            event_share,
            statement,
            statement_share,
            applications: self.applications,
            first,
            last,
            worst: self.worst?.1,
        })
    }
}

/// The most frequent name with its share of all; empty and 0 without any.
fn top(count: &BTreeMap<String, usize>) -> (String, f64) {
    let all: usize = count.values().sum();
    let best = count.iter().max_by_key(|(name, n)| (**n, std::cmp::Reverse(*name)));
    best.map_or((String::new(), 0.0), |(name, n)| (name.clone(), *n as f64 / all.max(1) as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::raw::{InputFile, Raw};
    use crate::normalize::normalize;

    /// Second of the snapshot, pid, state, blockers, seconds since its transaction began.
    type Row = (i64, i64, &'static str, &'static [i64], i64);

    fn seen(rows: &[Row]) -> Blocking {
        let session = |(at, pid, state, blocked_by, age): &Row| {
            let start = Some((at - age) * SECOND);
            let waits = !blocked_by.is_empty();
            RawSession {
                server: "pg".into(),
                at: at * SECOND,
                snapshot: *at as u32,
                pid: *pid,
                state: (*state).into(),
                xact_start: start,
                query_start: start,
                state_change: Some((at - 1) * SECOND),
                wait_event_type: if waits { "Lock" } else { "" }.into(),
                wait_event: if waits { "transactionid" } else { "" }.into(),
                query: "update stock set n = n - ?".into(),
                blocked_by: Some(blocked_by.to_vec()),
                ..RawSession::default()
            }
        };
        let mut raw = Raw::default();
        let file = InputFile::named("pg_pg_stat_activity.csv");
        (raw.files, raw.sessions) =
            (vec![file], rows.iter().map(session).map(Session::from).collect());
        let telemetry = normalize(raw).expect("understood");
        blocking(&telemetry, Window { from: 0, to: i64::MAX })
    }

    const IDLE: &str = "idle in transaction";

    #[test]
    fn a_root_that_waited_itself_has_held_the_lock_only_since() {
        let b = seen(&[
            (100, 1, IDLE, &[], 40),
            (100, 2, "active", &[1], 20),
            (103, 2, IDLE, &[], 23),
            (103, 3, "active", &[2], 5),
        ]);
        let of = |pid| b.roots.iter().find(|r| r.session.pid == pid).expect("a root");
        assert_eq!((of(1).held_s, of(1).still_s, of(1).share), (Some(40.0), Some(1.0), 0.5));
        assert_eq!((of(2).held_s, of(2).age_s), (Some(3.0), 23.0));
        assert_eq!((of(2).row_locks, of(2).relation.as_str()), (Some(true), "stock"));
    }

    #[test]
    fn roots_that_change_are_told_from_one_that_stays() {
        const ROOTS: [&[i64]; 4] = [&[1], &[2], &[3], &[4]];
        let turn = |at: i64, pid: i64| -> [Row; 2] {
            [(at, pid, IDLE, &[], 1), (at, 99, "active", ROOTS[(pid - 1) as usize], 1)]
        };
        let rows: Vec<Row> = (1..=4).flat_map(|pid| turn(100 + 3 * pid, pid)).collect();
        let c = &seen(&rows).contention[0];
        assert_eq!((c.roots, c.snapshots, c.of), (4, 4, 4));
        assert_eq!((c.top_share, c.circle_share, c.victims), (0.25, 0.0, 1.0));
        assert_eq!((c.event.as_str(), c.statement_share), ("transactionid", 1.0));
    }

    #[test]
    fn a_deadlock_is_a_circle_without_a_root() {
        let b = seen(&[(100, 1, "active", &[2], 1), (100, 2, "active", &[1], 1)]);
        assert!(b.roots.is_empty());
        assert_eq!((b.contention[0].circle_share, b.contention[0].roots), (1.0, 0));
    }

    #[test]
    fn blockers_without_a_row_are_kept_with_what_is_known() {
        let b = seen(&[(100, 5, "active", &[0], 9), (100, 6, "active", &[77], 9)]);
        let of = |pid| b.roots.iter().find(|r| r.session.pid == pid).expect("a root");
        assert_eq!(of(0).session.state, PREPARED);
        assert_eq!((of(77).session.state.as_str(), of(77).held_s), ("", None));
        assert_eq!(of(77).waited_s, 9.0);
    }

    #[test]
    fn nobody_waits_and_nothing_is_found() {
        let b = seen(&[(100, 1, "active", &[], 60)]);
        assert!(b.roots.is_empty() && b.contention.is_empty());
        assert!(seen(&[]).roots.is_empty());
    }
}
