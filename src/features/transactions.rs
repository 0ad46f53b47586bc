//! Transactions that stay open. In: session snapshots. Out: per server the transactions of the
//! incident, oldest first: while one is open, no row that it may still see can be removed.
//!
//! A transaction is known by its session's pid and backend start and its own start. Sessions
//! without `xact_start` have none open (or hide it) and are left out.

use crate::ingest::raw::{PerShape, Session};
use crate::model::{EntityId, Micros, SECOND, Window};
use crate::telemetry::Telemetry;
use hashbrown::HashMap;
use std::collections::BTreeMap;

/// One transaction that some snapshot shows open.
#[derive(Clone, Debug)]
pub struct OpenTransaction {
    pub database: EntityId,
    /// The session in its last snapshot of the window.
    pub session: Session,
    pub start: Micros,
    /// Its age when last seen, seconds.
    pub age_s: f64,
    /// How long it had done nothing then, seconds; 0 while it runs a statement.
    pub idle_s: f64,
    pub snapshots: usize,
}

/// Open transactions seen in `window`, by server, oldest first; of very many the oldest.
pub fn transactions(telemetry: &Telemetry, window: Window) -> Vec<OpenTransaction> {
    of_sessions(telemetry.sessions.iter(), window)
}

/// Transactions of one server that are kept, the oldest: those that a snapshot saw by chance come by
/// the million and say nothing.
const KEPT: usize = 10_000;

/// Server, pid and start of a session.
type Owner = (EntityId, i64, Option<Micros>);

/// Server, pid, start of the session and of the transaction.
type Key = (EntityId, i64, Option<Micros>, Micros);

/// The row in which a transaction was last seen, and in how many it was.
#[derive(Clone, Copy)]
struct Seen<'a>(&'a Session, usize);

impl Seen<'_> {
    fn add(&mut self, other: &Self) {
        self.1 += other.1;
        if other.0.at >= self.0.at {
            self.0 = other.0;
        }
    }
}

/// Transactions while the snapshots are gone through. A session has one open at a time: a row with
/// another start ends the one before.
#[derive(Default)]
struct Found<'a> {
    /// Server, pid and start of each session, and its open transaction.
    sessions: Vec<(Owner, Option<(Micros, Seen<'a>)>)>,
    ended: BTreeMap<EntityId, Vec<(Key, Seen<'a>)>>,
}

impl<'a> Found<'a> {
    fn add(&mut self, session: usize, start: Micros, s: &'a Session) {
        let seen = Seen(s, 1);
        let (_, open) = &mut self.sessions[session];
        match open {
            Some((known, all)) if *known == start => all.add(&seen),
            _ => {
                if let Some(before) = open.replace((start, seen)) {
                    self.end(session, before);
                }
            }
        }
    }

    /// Puts a transaction aside, and of those aside keeps the oldest.
    fn end(&mut self, session: usize, (start, seen): (Micros, Seen<'a>)) {
        let (server, pid, began) = self.sessions[session].0;
        let all = self.ended.entry(server).or_default();
        all.push(((server, pid, began, start), seen));
        if all.len() > 2 * KEPT {
            keep_oldest(all);
        }
    }

    fn finish(mut self) -> BTreeMap<Key, Seen<'a>> {
        for session in 0..self.sessions.len() {
            if let Some(open) = self.sessions[session].1.take() {
                self.end(session, open);
            }
        }
        self.ended.values_mut().for_each(keep_oldest);
        let mut all: BTreeMap<Key, Seen> = BTreeMap::new();
        for (key, seen) in self.ended.into_values().flatten() {
            // Files of one server that do not stand in the order of time show one twice.
            all.entry(key).and_modify(|known| known.add(&seen)).or_insert(seen);
        }
        all
    }
}

fn keep_oldest(all: &mut Vec<(Key, Seen)>) {
    if all.len() > KEPT {
        // Ties are broken by the key, so that the order of the rows decides nothing.
        let age = |(key, seen): &(Key, Seen)| (std::cmp::Reverse(seen.0.at - key.3), *key);
        all.select_nth_unstable_by_key(KEPT, age);
        all.truncate(KEPT);
    }
}

/// Open transactions among these sessions, by server, oldest first.
pub fn of_sessions<'a>(
    sessions: impl Iterator<Item = (EntityId, &'a Session)>,
    window: Window,
) -> Vec<OpenTransaction> {
    let mut found = Found::default();
    let mut whose: PerShape<usize> = PerShape::default();
    let mut numbers: HashMap<Owner, usize> = HashMap::new();
    for (db, s) in sessions.filter(|(_, s)| window.contains(s.at)) {
        if let Some(start) = s.xact_start() {
            let session = *whose.of(s, || {
                let key = (db, s.pid, s.backend_start);
                *numbers.entry(key).or_insert_with(|| {
                    found.sessions.push((key, None));
                    found.sessions.len() - 1
                })
            });
            found.add(session, start, s);
        }
    }
    let seconds = |from: Micros, to: Micros| ((to - from) as f64 / SECOND as f64).max(0.0);
    let mut out: Vec<OpenTransaction> = found
        .finish()
        .into_iter()
        .map(|((database, _, _, start), Seen(s, snapshots))| OpenTransaction {
            database,
            start,
            age_s: seconds(start, s.at),
            idle_s: match s.state.starts_with("idle") {
                true => s.state_change().map_or(0.0, |t| seconds(t, s.at)),
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
    use crate::ingest::raw::RawSession;

    fn session(at: i64, pid: i64, start: Option<i64>, state: &str) -> Session {
        let raw = RawSession {
            at: at * SECOND,
            pid,
            xact_start: start.map(|s| s * SECOND),
            state_change: Some((at - 2) * SECOND),
            state: state.into(),
            ..RawSession::default()
        };
        raw.into()
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

    #[test]
    fn of_very_many_the_oldest_are_kept_with_all_their_snapshots() {
        let many = 3 * KEPT as i64;
        let rows: Vec<Session> = (0..many)
            .flat_map(|at| {
                let long = session(at, 1, Some(-5), "active");
                [long, session(at, 2, Some(at - i64::from(at == 7)), "active")]
            })
            .collect();
        let found = of_sessions(
            rows.iter().map(|s| (EntityId(0), s)),
            Window { from: Micros::MIN, to: Micros::MAX },
        );
        assert_eq!(found.len(), KEPT);
        let seen = |t: &OpenTransaction| (t.session.pid, t.age_s, t.snapshots);
        assert_eq!(seen(&found[0]), (1, many as f64 + 4.0, many as usize));
        assert_eq!(seen(&found[1]), (2, 1.0, 2));
    }
}
