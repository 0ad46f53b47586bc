//! The blocking forest of one snapshot. In: the session rows of one server at one time. Out: each
//! waiter's blockers, read or inferred, and the roots it waits for in the end.
//!
//! pg_blocking_pids does not see through auxiliary processes: on a standby the startup process,
//! which replays a lock from the primary, shows no blocker. The edge from it to the oldest open
//! transaction on the same tables is then inferred. So is the edge from every waiter where nothing
//! says who blocks whom and a single session can be the one. Inferred edges are marked.

use crate::ingest::raw::Session;
use crate::ingest::sql;
use crate::model::{EntityId, Micros, Window};
use crate::telemetry::Telemetry;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// The rows of one server at one time, in the order of the file.
pub struct Snapshot<'a> {
    pub database: EntityId,
    pub at: Micros,
    pub rows: Vec<&'a Session>,
}

/// The snapshots inside a window, by server, then time.
pub fn snapshots(telemetry: &Telemetry, window: Window) -> Vec<Snapshot<'_>> {
    let mut by: BTreeMap<(EntityId, Micros, u32), Vec<&Session>> = BTreeMap::new();
    // Rows of one snapshot stand together, as a rule.
    for (database, run) in telemetry.sessions.snapshots() {
        if let Some(first) = run.first().filter(|s| window.contains(s.at)) {
            by.entry((database, first.at, first.snapshot)).or_default().extend(run);
        }
    }
    let snapshot = |((database, at, _), rows)| Snapshot { database, at, rows };
    by.into_iter().map(snapshot).collect()
}

/// One end of the chains from a waiting session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wait {
    pub waiter: i64,
    /// The session that waits for nobody; it may lack a row.
    pub root: i64,
    /// Length of the shortest chain between them, at least 1.
    pub depth: usize,
}

/// The forest of one snapshot: a line per waiter and root, sorted. A deadlock has no root.
pub fn waits(rows: &[&Session]) -> Vec<Wait> {
    Edges::new(rows).waits
}

/// The blockers of each waiting pid, read or inferred.
#[derive(Debug, Default)]
pub struct Edges {
    pub blockers: BTreeMap<i64, Vec<i64>>,
    /// Waiters whose blockers were inferred.
    pub inferred: BTreeSet<i64>,
    waits: Vec<Wait>,
}

impl Edges {
    /// Reads the edges and infers those that PostgreSQL does not show.
    pub fn new(rows: &[&Session]) -> Edges {
        let mut edges = Edges::default();
        for s in rows.iter().filter(|s| s.is_blocked()) {
            let direct: Vec<i64> =
                s.blocked_by.iter().flatten().copied().filter(|p| *p != s.pid).collect();
            if !direct.is_empty() {
                edges.blockers.insert(s.pid, direct);
            }
        }
        edges.infer_behind_auxiliary(rows);
        if rows.iter().all(|s| s.blocked_by.is_none()) {
            edges.infer_only_holder(rows);
        }
        edges.waits = edges.all_waits();
        edges
    }

    /// The edges of every snapshot.
    pub fn of_all(snapshots: &[Snapshot]) -> Vec<Edges> {
        snapshots.par_iter().map(|s| Edges::new(&s.rows)).collect()
    }

    /// The forest, a line per waiter and root.
    pub fn waits(&self) -> &[Wait] {
        &self.waits
    }

    /// Startup and other auxiliary processes that wait: the oldest transaction on the tables wanted.
    fn infer_behind_auxiliary(&mut self, rows: &[&Session]) {
        let stuck = |s: &&&Session| !s.is_client() && (s.waits_for_lock() || replays_late(s));
        let waiting = rows.iter().filter(stuck);
        for auxiliary in waiting.filter(|s| !self.blockers.contains_key(&s.pid)).collect::<Vec<_>>()
        {
            let behind: Vec<&&Session> = rows
                .iter()
                .filter(|s| s.blocked_by.as_ref().is_some_and(|b| b.contains(&auxiliary.pid)))
                .collect();
            let wanted: BTreeSet<String> =
                behind.iter().flat_map(|s| sql::tables(&s.query)).collect();
            let since = behind.iter().filter_map(|s| s.query_start()).min();
            let since = since.or(auxiliary.wait_start()).unwrap_or(auxiliary.at);
            let holder = rows
                .iter()
                .filter(|s| s.is_client() && !s.waits_for_lock())
                .filter(|s| s.xact_start().is_some_and(|x| x <= since))
                .filter(|s| wanted.is_empty() || names_one_of(s, &wanted))
                .min_by_key(|s| (s.xact_start(), s.pid));
            if let Some(holder) = holder {
                self.blockers.insert(auxiliary.pid, vec![holder.pid]);
                self.inferred.insert(auxiliary.pid);
            }
        }
    }

    /// Without any word on blockers: if a single session holds a transaction since before the first
    /// wait began, it is the one that all wait for.
    fn infer_only_holder(&mut self, rows: &[&Session]) {
        let waiters: Vec<&&Session> =
            rows.iter().filter(|s| s.is_client() && s.waits_for_lock()).collect();
        let starts = waiters.iter().filter_map(|s| s.wait_start().or(s.query_start()));
        let Some(since) = starts.min() else { return };
        let wanted: BTreeSet<String> = waiters.iter().flat_map(|s| sql::tables(&s.query)).collect();
        let open: Vec<&&Session> = rows
            .iter()
            .filter(|s| s.is_client() && !s.waits_for_lock())
            .filter(|s| s.xact_start().is_some_and(|x| x <= since))
            .collect();
        let near: Vec<&&Session> =
            open.iter().copied().filter(|s| names_one_of(s, &wanted)).collect();
        let candidates = if near.is_empty() { open } else { near };
        if let [holder] = candidates.as_slice() {
            for waiter in waiters {
                self.blockers.insert(waiter.pid, vec![holder.pid]);
                self.inferred.insert(waiter.pid);
            }
        }
    }

    fn all_waits(&self) -> Vec<Wait> {
        let of = |waiter: &i64| {
            let roots = self.roots_of(*waiter).into_iter();
            roots.map(|(root, depth)| Wait { waiter: *waiter, root, depth }).collect::<Vec<_>>()
        };
        self.blockers.keys().flat_map(of).collect()
    }

    /// The ends of the chains from a waiter, with their depth; a cycle (deadlock) has no end.
    fn roots_of(&self, waiter: i64) -> BTreeMap<i64, usize> {
        let (mut found, mut seen) = (BTreeMap::new(), BTreeSet::from([waiter]));
        let mut front = vec![waiter];
        let mut depth = 0;
        while !front.is_empty() {
            depth += 1;
            let mut ahead = Vec::new();
            for pid in front.iter().flat_map(|p| self.blockers.get(p).into_iter().flatten()) {
                if !seen.insert(*pid) {
                    continue;
                }
                match self.blockers.contains_key(pid) {
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
}

/// Says whether a session waits because a reader of the standby needs what replay would remove.
fn replays_late(s: &Session) -> bool {
    s.wait_event.starts_with("RecoveryConflict")
}

fn names_one_of(s: &Session, wanted: &BTreeSet<String>) -> bool {
    sql::tables(&s.query).iter().any(|t| wanted.contains(t))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::raw::RawSession;

    fn row(pid: i64, blocked_by: &[i64]) -> RawSession {
        let wait = if blocked_by.is_empty() { "" } else { "Lock" };
        RawSession {
            pid,
            at: 100,
            blocked_by: Some(blocked_by.to_vec()),
            wait_event_type: wait.into(),
            ..RawSession::default()
        }
    }

    fn forest(rows: &[RawSession]) -> (Edges, Vec<(i64, i64, usize)>) {
        let kept: Vec<Session> = rows.iter().cloned().map(Session::from).collect();
        let refs: Vec<&Session> = kept.iter().collect();
        let edges = Edges::new(&refs);
        let waits = edges.waits().iter().map(|w| (w.waiter, w.root, w.depth)).collect();
        (edges, waits)
    }

    #[test]
    fn chains_lead_to_their_root_and_cycles_have_none() {
        let rows = [row(1, &[]), row(2, &[1]), row(3, &[2]), row(8, &[9]), row(9, &[8])];
        assert_eq!(forest(&rows).1, [(2, 1, 1), (3, 1, 2)]);
        assert!(forest(&[]).1.is_empty());
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
            query: format!("select count(*) from {table}").into(),
            xact_start: Some(start),
            backend_type: "client backend".into(),
            ..row(pid, &[])
        };
        let rows = [startup, victim, holder(12, "orders", 1), holder(13, "products", 20)];
        let (edges, waits) = forest(&rows);
        assert_eq!(waits, [(10, 13, 1), (11, 13, 2)]);
        assert_eq!(edges.inferred, BTreeSet::from([10]));
    }

    #[test]
    fn replay_that_waits_for_a_reader_stands_behind_the_oldest_transaction() {
        let startup = RawSession {
            backend_type: "startup".into(),
            wait_event_type: "IPC".into(),
            wait_event: "RecoveryConflictSnapshot".into(),
            ..row(10, &[])
        };
        let reader = |pid, start| RawSession { xact_start: Some(start), ..row(pid, &[]) };
        assert_eq!(forest(&[startup, reader(11, 90), reader(12, 20)]).1, [(10, 12, 1)]);
    }

    #[test]
    fn without_a_word_on_blockers_only_a_single_holder_is_named() {
        let bare = |pid, wait: &str, start| RawSession {
            blocked_by: None,
            wait_event_type: wait.into(),
            xact_start: Some(start),
            query_start: Some(start),
            query: "update t set a = ?".into(),
            ..row(pid, &[])
        };
        let (edges, waits) = forest(&[bare(1, "Client", 10), bare(2, "Lock", 50)]);
        assert_eq!((waits, edges.inferred), (vec![(2, 1, 1)], BTreeSet::from([2])));
        let two = forest(&[bare(1, "Client", 10), bare(3, "Client", 20), bare(2, "Lock", 50)]);
        assert!(two.1.is_empty(), "either may be the one");
        let later = forest(&[bare(1, "Client", 60), bare(2, "Lock", 50)]);
        assert!(later.1.is_empty(), "it began after the wait");
    }

    #[test]
    fn the_order_of_the_rows_changes_nothing_and_chains_may_meet() {
        // 4 waits for 2 and 3, both of which wait for 1; 5 waits behind all of them.
        let rows =
            [row(1, &[]), row(2, &[1]), row(3, &[1, 2]), row(4, &[2, 3]), row(5, &[1, 2, 3, 4])];
        let wanted = [(2, 1, 1), (3, 1, 1), (4, 1, 2), (5, 1, 1)];
        for turn in 0..rows.len() {
            let mut turned = rows.clone();
            turned.rotate_left(turn);
            assert_eq!(forest(&turned).1, wanted);
        }
    }
}
