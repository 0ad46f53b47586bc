//! pg_locks to lock rows, and who blocks whom by lock tags and conflicting modes: for exports whose
//! pg_stat_activity has no column of `pg_blocking_pids`.

use super::psql::Block;
use super::row::{Row, SNAPSHOT, server_of};
use crate::ingest::Input;
use crate::ingest::raw::{Raw, RawLock, SessionShape, Shapes};
use crate::model::{Gap, GapKind, Micros, SECOND};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Lock modes from weak to strong.
const MODES: [&str; 8] = [
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
];

/// Which modes (bit = place in [`MODES`]) a mode conflicts with: table 13.2 of the manual.
const CONFLICTS: [u8; 8] = [
    0b1000_0000,
    0b1100_0000,
    0b1111_0000,
    0b1111_1000,
    0b1110_1100,
    0b1111_1100,
    0b1111_1110,
    0b1111_1111,
];

fn conflict(a: &str, b: &str) -> bool {
    let place = |mode: &str| MODES.iter().position(|m| *m == mode);
    match (place(a), place(b)) {
        (Some(a), Some(b)) => CONFLICTS.get(a).is_some_and(|mask| mask >> b & 1 == 1),
        // Predicate locks (SIReadLock) block nobody.
        _ => false,
    }
}

/// The columns that say what is locked.
const TAG: [&str; 10] = [
    "locktype",
    "database",
    "relation",
    "page",
    "tuple",
    "virtualxid",
    "transactionid",
    "classid",
    "objid",
    "objsubid",
];

/// What is locked in one snapshot.
type Tag<'a> = (usize, Option<Micros>, [&'a str; 10]);

/// One lock as it stands in a table.
struct Held<'a> {
    row: usize,
    pid: i64,
    mode: &'a str,
    granted: bool,
    since: Option<Micros>,
}

/// Reads pg_locks rows and finds the pids that each waiting one waits for.
pub fn read(input: &Input, blocks: &[Block], raw: &mut Raw) {
    let mut locks: Vec<RawLock> = Vec::new();
    let mut tags: HashMap<Tag, Vec<Held>> = HashMap::new();
    for (number, block) in blocks.iter().enumerate() {
        for (row, line) in Row::all(&block.table) {
            let Ok(pid) = row.text(&["pid"]).parse() else {
                raw.skip(input.file, Some(line), "lock row without a readable pid", 1);
                continue;
            };
            let at = row.time(&SNAPSHOT, input, raw).or(block.at);
            let granted = ["t", "true", "1"].contains(&row.text(&["granted"]));
            let since = row.time(&["waitstart", "wait_start"], input, raw);
            let tag = (number, at, TAG.map(|c| row.text(&[c])));
            let mode = row.text(&["mode"]);
            tags.entry(tag).or_default().push(Held { row: locks.len(), pid, mode, granted, since });
            locks.push(RawLock {
                file: input.file,
                server: server_of(input.path),
                at,
                pid,
                relation: row.owned("relation"),
                mode: row.owned("mode"),
                granted,
                blocked_by: Vec::new(),
            });
            raw.rows(input.file, 1);
        }
    }
    let mut crowded = 0;
    for held in tags.into_values() {
        crowded += u64::from(held.len() > LOOK && held.iter().any(|h| !h.granted));
        for (row, pids) in waits(held) {
            crowded += u64::from(pids.len() == BLOCKERS_MAX);
            if let Some(lock) = locks.get_mut(row) {
                lock.blocked_by = pids;
            }
        }
    }
    if crowded > 0 {
        let what = format!(
            "more than {LOOK} locks on one thing, or {BLOCKERS_MAX} blockers of one lock: only the \
             first of them are looked at"
        );
        let gap = Gap::at(GapKind::Doubtful, input.path, None, what);
        raw.gaps.push(Gap { count: crowded, ..gap });
    }
    raw.locks.append(&mut locks);
}

/// Locks on one thing that are looked at as blockers, and blockers that one lock is given.
const LOOK: usize = 1000;
const BLOCKERS_MAX: usize = 100;

/// Who stands in the way of each waiting lock on one thing: its row, and their pids.
fn waits(mut held: Vec<Held>) -> Vec<(usize, Vec<i64>)> {
    held.sort_by_key(|h| (!h.granted, h.since, h.pid));
    let one = |waiting: &Held| {
        let first = held.iter().take(LOOK).filter(|h| blocks_it(h, waiting)).take(BLOCKERS_MAX);
        let pids: BTreeSet<i64> = first.map(|h| h.pid).collect();
        (waiting.row, pids.into_iter().collect())
    };
    held.iter().filter(|h| !h.granted).map(one).collect()
}

/// Says whether a lock stands in a waiting one's way: it is held, or waits for longer.
fn blocks_it(lock: &Held, waiting: &Held) -> bool {
    let ahead = lock.since.zip(waiting.since).is_some_and(|(a, b)| a < b);
    lock.pid != waiting.pid && (lock.granted || ahead) && conflict(lock.mode, waiting.mode)
}

/// What a file without that column is said to lack.
pub const NO_BLOCKERS: &str = "no pg_blocking_pids column: who blocks whom is not known";

/// Locks and sessions taken within this time are of one snapshot.
const NEAR: Micros = 10 * SECOND;
/// Stands for the time of locks without one.
const UNTIMED: Micros = Micros::MIN;

/// Gives sessions without a column of blockers those that pg_locks of the same server shows.
pub fn join(raw: &mut Raw) {
    let mut blockers: BTreeMap<(&str, i64, Micros), BTreeSet<i64>> = BTreeMap::new();
    for lock in raw.locks.iter().filter(|l| !l.granted) {
        // Locks without a time are of any.
        let key = (lock.server.as_str(), lock.pid, lock.at.unwrap_or(UNTIMED));
        blockers.entry(key).or_default().extend(&lock.blocked_by);
    }
    if blockers.is_empty() {
        return;
    }
    let mut found: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
    for (i, session) in raw.sessions.iter().enumerate() {
        let waits = session.wait_event_type.eq_ignore_ascii_case("lock");
        if session.blocked_by.is_some() || !waits {
            continue;
        }
        let key = |at: Micros| (session.server.as_str(), session.pid, at);
        let near = key(session.at.saturating_sub(NEAR))..=key(session.at.saturating_add(NEAR));
        let distance = |(k, _): &(&(&str, i64, Micros), _)| (k.2 - session.at).abs();
        let nearest = blockers.range(near).min_by_key(distance).map(|(_, pids)| pids);
        let pids = nearest.or_else(|| blockers.get(&key(UNTIMED)));
        if let Some(pids) = pids.filter(|p| !p.is_empty()) {
            found.insert(i, pids.iter().copied().collect());
        }
    }
    let known = |i: &usize| raw.sessions.get(*i).map(|s| s.file);
    let files: BTreeSet<u32> = found.keys().filter_map(known).collect();
    let mut shapes = Shapes::default();
    // Almost all rows wait for nobody: their new shapes are found without being made again.
    let mut free: HashMap<usize, Arc<SessionShape>> = HashMap::new();
    for (i, session) in raw.sessions.iter_mut().enumerate() {
        if session.blocked_by.is_some() || !files.contains(&session.file) {
            continue;
        }
        let shape = match found.remove(&i) {
            Some(pids) => shapes.share(session.with_blockers(pids)),
            None => {
                let new = || session.with_blockers(Vec::new()).kept();
                free.entry(session.shape_id()).or_insert_with(new).clone()
            }
        };
        session.reshape(shape);
    }
    for file in files {
        let path = raw.files.get(file as usize).map(|f| f.path.clone());
        raw.gaps.retain(|g| g.file != path || g.what != NO_BLOCKERS);
        let what = "no pg_blocking_pids column: who blocks whom is taken from pg_locks";
        raw.gap(GapKind::Inferred, file, None, what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_conflict_as_the_manual_says_and_both_ways() {
        assert!(conflict("AccessShareLock", "AccessExclusiveLock"));
        assert!(!conflict("AccessShareLock", "ExclusiveLock"));
        assert!(conflict("ExclusiveLock", "ShareLock"));
        assert!(!conflict("ShareLock", "ShareLock"));
        assert!(conflict("ShareUpdateExclusiveLock", "ShareUpdateExclusiveLock"));
        assert!(!conflict("SIReadLock", "ExclusiveLock"));
        for a in MODES {
            for b in MODES {
                assert_eq!(conflict(a, b), conflict(b, a), "{a} {b}");
            }
        }
    }
}
