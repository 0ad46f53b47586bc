//! Transactions that stay open. In: session snapshots. Out: per server the transactions of the
//! incident, oldest first: while one is open, no row that it may still see can be removed.
//!
//! A transaction is known by its session's pid and backend start and its own start. Sessions
//! without `xact_start` have none open (or hide it) and are left out.

use crate::ingest::raw::RawSession;
use crate::model::{EntityId, Micros, SECOND, Window};
use crate::telemetry::Telemetry;
use std::collections::BTreeMap;

/// One transaction that some snapshot shows open.
#[derive(Clone, Debug)]
pub struct OpenTransaction {
    pub database: EntityId,
    /// The session in its last snapshot of the window.
    pub session: RawSession,
    pub start: Micros,
    /// Its age when last seen, seconds.
    pub age_s: f64,
    /// How long it had done nothing then, seconds; 0 while it runs a statement.
    pub idle_s: f64,
    pub snapshots: usize,
}

/// Open transactions seen in `window`, by server, oldest first.
pub fn transactions(telemetry: &Telemetry, window: Window) -> Vec<OpenTransaction> {
    of_sessions(telemetry.sessions.iter().map(|(d, s)| (*d, s)), window)
}

/// Open transactions among these sessions, by server, oldest first.
pub fn of_sessions<'a>(
    sessions: impl Iterator<Item = (EntityId, &'a RawSession)>,
    window: Window,
) -> Vec<OpenTransaction> {
    type Key = (EntityId, i64, Option<Micros>, Micros);
    let mut found: BTreeMap<Key, (&RawSession, usize)> = BTreeMap::new();
    for (db, s) in sessions.filter(|(_, s)| window.contains(s.at)) {
        let Some(start) = s.xact_start else { continue };
        let slot = found.entry((db, s.pid, s.backend_start, start)).or_insert((s, 0));
        slot.1 += 1;
        if s.at >= slot.0.at {
            slot.0 = s;
        }
    }
    let seconds = |from: Micros, to: Micros| ((to - from) as f64 / SECOND as f64).max(0.0);
    let mut out: Vec<OpenTransaction> = found
        .into_iter()
        .map(|((database, _, _, start), (s, snapshots))| OpenTransaction {
            database,
            start,
            age_s: seconds(start, s.at),
            idle_s: match s.state.starts_with("idle") {
                true => s.state_change.map_or(0.0, |t| seconds(t, s.at)),
                false => 0.0,
            },
            snapshots,
            session: s.clone(),
        })
        .collect();
    out.sort_by(|a, b| {
        a.database
            .cmp(&b.database)
            .then(b.age_s.total_cmp(&a.age_s))
            .then(a.session.pid.cmp(&b.session.pid))
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(at: i64, pid: i64, start: Option<i64>, state: &str) -> RawSession {
        RawSession {
            at: at * SECOND,
            pid,
            xact_start: start.map(|s| s * SECOND),
            state_change: Some((at - 2) * SECOND),
            state: state.into(),
            ..RawSession::default()
        }
    }

    #[test]
    fn the_oldest_comes_first_with_its_last_state() {
        let rows = [
            session(10, 1, Some(1), "active"),
            session(20, 1, Some(1), "idle in transaction"),
            session(20, 2, Some(19), "active"),
            session(20, 3, None, "idle"),
            session(99, 4, Some(0), "active"),
        ];
        let all = rows.iter().map(|s| (EntityId(0), s));
        let found = of_sessions(all, Window { from: 0, to: 50 * SECOND });
        let seen: Vec<_> =
            found.iter().map(|t| (t.session.pid, t.age_s, t.idle_s, t.snapshots)).collect();
        assert_eq!(seen, [(1, 19.0, 2.0, 2), (2, 1.0, 0.0, 1)]);
    }

    #[test]
    fn a_clock_that_runs_back_gives_no_negative_age() {
        let row = session(10, 1, Some(12), "active");
        let all = [(EntityId(0), &row)].into_iter();
        assert_eq!(of_sessions(all, Window { from: 0, to: 50 * SECOND })[0].age_s, 0.0);
    }
}
