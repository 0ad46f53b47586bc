//! Who blocks whom. In: session snapshots and lock rows. Out: the root blockers of each database,
//! with victims, depth, ages and the relation, over all snapshots.
//!
//! pg_blocking_pids does not see through auxiliary processes: on a standby the startup process,
//! which replays a lock from the primary, shows no blocker. The edge from it to the oldest open
//! transaction on the same tables is then inferred and marked so.

use crate::ingest::raw::RawSession;
use crate::ingest::sql;
use crate::model::{EntityId, Micros, SECOND, Window};
use crate::rollup::sessions::{is_client, waits_for_lock};
use crate::telemetry::Telemetry;
use std::collections::{BTreeMap, BTreeSet};

/// A session at the root of a blocking tree, seen in one or more snapshots.
#[derive(Clone, Debug)]
pub struct RootBlocker {
    pub database: EntityId,
    /// The session as it was when it blocked most.
    pub session: RawSession,
    pub first_seen: Micros,
    pub last_seen: Micros,
    pub snapshots: usize,
    /// Most sessions that waited behind it at once, directly or not.
    pub victims: usize,
    /// Victims by application in the worst snapshot, without auxiliary processes.
    pub victim_applications: BTreeMap<String, usize>,
    /// Longest chain from the root to a waiter.
    pub depth: usize,
    /// Longest time a victim had waited, seconds, and the age of the root's transaction then.
    pub waited_s: f64,
    pub age_s: f64,
    /// Relation that is waited for, where locks or statements say.
    pub relation: String,
    /// The edge to this session was inferred, not read.
    pub inferred: bool,
    /// The auxiliary process through which it blocks, e.g. `startup`.
    pub through: Option<String>,
    /// Earliest time at which a victim began to wait.
    pub since: Micros,
}

/// Finds the root blockers of every database whose blocking overlaps `window`.
pub fn roots(telemetry: &Telemetry, window: Window) -> Vec<RootBlocker> {
    let mut snapshots: BTreeMap<(EntityId, Micros, u32), Vec<&RawSession>> = BTreeMap::new();
    for (db, s) in telemetry.sessions.iter().filter(|(_, s)| window.contains(s.at)) {
        snapshots.entry((*db, s.at, s.snapshot)).or_default().push(s);
    }
    let mut found: BTreeMap<(EntityId, i64, Option<Micros>), RootBlocker> = BTreeMap::new();
    for ((db, _, _), rows) in &snapshots {
        for root in of_snapshot(*db, rows, telemetry) {
            let key = (*db, root.session.pid, root.session.backend_start);
            match found.get_mut(&key) {
                None => {
                    found.insert(key, root);
                }
                Some(known) => merge(known, root),
            }
        }
    }
    let mut roots: Vec<RootBlocker> = found.into_values().collect();
    roots.sort_by_key(|r| (r.database, std::cmp::Reverse(r.victims * r.snapshots), r.session.pid));
    roots
}

fn merge(known: &mut RootBlocker, other: RootBlocker) {
    known.last_seen = other.last_seen;
    known.snapshots += 1;
    known.depth = known.depth.max(other.depth);
    known.waited_s = known.waited_s.max(other.waited_s);
    known.age_s = known.age_s.max(other.age_s);
    known.since = known.since.min(other.since);
    if other.victims > known.victims {
        known.victims = other.victims;
        known.victim_applications = other.victim_applications;
        known.session = other.session;
    }
    if known.relation.is_empty() {
        known.relation = other.relation;
    }
}

/// The blockers of each waiting pid, read or inferred.
struct Edges {
    blockers: BTreeMap<i64, Vec<i64>>,
    inferred: BTreeSet<i64>,
}

fn of_snapshot(db: EntityId, rows: &[&RawSession], telemetry: &Telemetry) -> Vec<RootBlocker> {
    let by_pid: BTreeMap<i64, &RawSession> = rows.iter().map(|s| (s.pid, *s)).collect();
    let edges = edges(rows, &by_pid);
    let mut victims: BTreeMap<i64, BTreeMap<i64, usize>> = BTreeMap::new();
    for waiter in edges.blockers.keys() {
        for (root, depth) in roots_of(*waiter, &edges) {
            victims.entry(root).or_default().insert(*waiter, depth);
        }
    }
    let mut out = Vec::new();
    for (root, waiters) in victims {
        let Some(session) = by_pid.get(&root) else { continue };
        out.push(root_blocker(db, session, &waiters, &edges, &by_pid, telemetry));
    }
    out
}

fn edges(rows: &[&RawSession], by_pid: &BTreeMap<i64, &RawSession>) -> Edges {
    let mut edges = Edges { blockers: BTreeMap::new(), inferred: BTreeSet::new() };
    for s in rows {
        let direct: Vec<i64> =
            s.blocked_by.iter().flatten().copied().filter(|p| *p != s.pid).collect();
        if !direct.is_empty() {
            edges.blockers.insert(s.pid, direct);
        }
    }
    let waiting_auxiliary: Vec<&&RawSession> = rows
        .iter()
        .filter(|s| !is_client(s) && waits_for_lock(s) && !edges.blockers.contains_key(&s.pid))
        .collect();
    for auxiliary in waiting_auxiliary {
        let behind: Vec<&&RawSession> = rows
            .iter()
            .filter(|s| s.blocked_by.as_ref().is_some_and(|b| b.contains(&auxiliary.pid)))
            .collect();
        let wanted: BTreeSet<String> = behind.iter().flat_map(|s| sql::tables(&s.query)).collect();
        let waits_since = behind.iter().filter_map(|s| s.query_start).min().unwrap_or(auxiliary.at);
        let holder = rows
            .iter()
            .filter(|s| is_client(s) && !waits_for_lock(s))
            .filter(|s| s.xact_start.is_some_and(|x| x <= waits_since))
            .filter(|s| {
                wanted.is_empty() || sql::tables(&s.query).iter().any(|t| wanted.contains(t))
            })
            .min_by_key(|s| (s.xact_start, s.pid));
        if let Some(holder) = holder.filter(|h| by_pid.contains_key(&h.pid)) {
            edges.blockers.insert(auxiliary.pid, vec![holder.pid]);
            edges.inferred.insert(auxiliary.pid);
        }
    }
    edges
}

/// The ends of the chains from a waiter, with their depth; a cycle (deadlock) has no end.
fn roots_of(waiter: i64, edges: &Edges) -> BTreeMap<i64, usize> {
    let (mut found, mut seen) = (BTreeMap::new(), BTreeSet::from([waiter]));
    let mut front = vec![waiter];
    let mut depth = 0;
    while !front.is_empty() {
        depth += 1;
        let mut ahead = Vec::new();
        for pid in front.iter().flat_map(|p| edges.blockers.get(p).into_iter().flatten()) {
            if !seen.insert(*pid) {
                continue;
            }
            match edges.blockers.contains_key(pid) {
                true => ahead.push(*pid),
                false => {
                    found.insert(*pid, depth);
                }
            }
        }
        front = ahead;
    }
    found
}

fn root_blocker(
    db: EntityId,
    session: &RawSession,
    waiters: &BTreeMap<i64, usize>,
    edges: &Edges,
    by_pid: &BTreeMap<i64, &RawSession>,
    telemetry: &Telemetry,
) -> RootBlocker {
    let at = session.at;
    let rows: Vec<&&RawSession> = waiters.keys().filter_map(|p| by_pid.get(p)).collect();
    let mut applications: BTreeMap<String, usize> = BTreeMap::new();
    for s in rows.iter().filter(|s| is_client(s)) {
        let name = if s.application.is_empty() { &s.user } else { &s.application };
        *applications.entry(name.clone()).or_default() += 1;
    }
    let waits = rows.iter().filter_map(|s| s.wait_start.or(s.query_start));
    let since = waits.min().unwrap_or(at);
    let through = rows.iter().find(|s| {
        !is_client(s) && edges.blockers.get(&s.pid).is_some_and(|b| b.contains(&session.pid))
    });
    let inferred = through.is_some_and(|s| edges.inferred.contains(&s.pid));
    let seconds = |t: Option<Micros>| t.map_or(0.0, |t| (at - t) as f64 / SECOND as f64);
    RootBlocker {
        database: db,
        session: session.clone(),
        first_seen: at,
        last_seen: at,
        snapshots: 1,
        victims: rows.iter().filter(|s| is_client(s)).count(),
        victim_applications: applications,
        depth: waiters.values().copied().max().unwrap_or(0),
        waited_s: seconds(Some(since)),
        age_s: seconds(session.xact_start.or(session.query_start)),
        relation: relation(db, at, &rows, telemetry),
        inferred,
        through: through.map(|s| s.backend_type.clone()),
        since,
    }
}

/// The relation waited for: from pg_locks of the snapshot, else the table all victims name.
fn relation(db: EntityId, at: Micros, victims: &[&&RawSession], telemetry: &Telemetry) -> String {
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
    let waiting: Vec<&&&RawSession> = victims.iter().filter(|s| is_client(s)).collect();
    for table in waiting.iter().flat_map(|s| sql::tables(&s.query)) {
        *tables.entry(table).or_default() += 1;
    }
    let shared = tables.into_iter().filter(|(_, n)| *n == waiting.len());
    shared.map(|(t, _)| t).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(pid: i64, blocked_by: &[i64]) -> RawSession {
        let blocked_by = Some(blocked_by.to_vec());
        let wait = if blocked_by.as_ref().is_some_and(|b| b.is_empty()) { "" } else { "Lock" };
        RawSession {
            pid,
            at: 100,
            blocked_by,
            wait_event_type: wait.into(),
            ..RawSession::default()
        }
    }

    fn forest(rows: &[RawSession]) -> (Edges, BTreeMap<i64, BTreeMap<i64, usize>>) {
        let refs: Vec<&RawSession> = rows.iter().collect();
        let by_pid = refs.iter().map(|s| (s.pid, *s)).collect();
        let edges = edges(&refs, &by_pid);
        let roots = edges.blockers.keys().map(|w| (*w, roots_of(*w, &edges))).collect();
        (edges, roots)
    }

    #[test]
    fn chains_lead_to_their_root_and_cycles_have_none() {
        let (_, roots) =
            forest(&[row(1, &[]), row(2, &[1]), row(3, &[2]), row(8, &[9]), row(9, &[8])]);
        assert_eq!(roots[&3], BTreeMap::from([(1, 2)]));
        assert!(roots[&8].is_empty());
    }

    #[test]
    fn the_edge_behind_a_standbys_startup_process_is_inferred_by_table() {
        let startup = RawSession {
            backend_type: "startup".into(),
            wait_event_type: "Lock".into(),
            ..row(10, &[])
        };
        let victim = RawSession {
            query: "select ? from products".into(),
            query_start: Some(50),
            backend_type: "client backend".into(),
            ..row(11, &[10])
        };
        let holder = |pid, table: &str, start| RawSession {
            query: format!("select count(*) from {table}"),
            xact_start: Some(start),
            backend_type: "client backend".into(),
            ..row(pid, &[])
        };
        let rows = [startup, victim, holder(12, "orders", 1), holder(13, "products", 20)];
        let (edges, roots) = forest(&rows);
        assert_eq!(roots[&11], BTreeMap::from([(13, 2)]));
        assert!(edges.inferred.contains(&10));
    }
}
