//! Reads after writes, from traces. In: server spans with the path that they are about, and the
//! cache and database spans below them. Out: every first read of a path after a write of it, and
//! whether it came from the cache although nothing has refreshed or dropped the entry since.
//!
//! A write is a request of a writing method on a path with a database span below it. A read that
//! asks only the cache shows a value from before the write when no read or write in between went
//! to the database or touched the entry in the cache (the session guarantee "read your writes",
//! Terry et al. 1994, checked from outside). With sampled traces a refresh may be missed: one
//! stale read proves nothing, most of many do.

use crate::ingest::raw::SpanKind;
use crate::model::{EntityId, EntityKind, Micros};
use crate::signals::words;
use crate::telemetry::{NONE, Spans, Telemetry};
use std::collections::{BTreeMap, HashMap};

/// Depth at which the way to the server span above ends.
const DEPTH_MAX: usize = 32;

/// Words by which an operation of a cache changes an entry, or asks for it.
const CHANGES: [&str; 13] = [
    "set",
    "setex",
    "psetex",
    "setnx",
    "del",
    "delete",
    "unlink",
    "expire",
    "hset",
    "mset",
    "put",
    "evict",
    "invalidate",
];
const ASKS: [&str; 6] = ["get", "mget", "hget", "hgetall", "getex", "lookup"];

/// The first read of a path after a write of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// The service that read.
    pub service: EntityId,
    pub at: Micros,
    /// When the write was done.
    pub written: Micros,
    /// The cache alone answered, and nothing had touched the entry since the write.
    pub stale: bool,
}

/// What one request did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Request {
    service: u32,
    start: Micros,
    end: Micros,
    writes: bool,
    database: bool,
    asked_cache: bool,
    changed_cache: bool,
}

/// Reads after writes; empty without traces, paths or databases.
pub fn reads(telemetry: &Telemetry, spans: &Spans) -> Vec<Read> {
    let by_path = requests(telemetry, spans);
    let mut out: Vec<Read> = by_path.into_values().flat_map(after_writes).collect();
    out.sort_by_key(|r| (r.at, r.service, r.written));
    out
}

/// The requests on each path that some span names.
fn requests(telemetry: &Telemetry, spans: &Spans) -> BTreeMap<u32, Vec<Request>> {
    if spans.key.iter().all(|k| *k == 0) {
        return BTreeMap::new();
    }
    let shape = |row: usize| &spans.shapes[spans.shape[row] as usize];
    let mut verbs: HashMap<u32, Verb> = HashMap::new();
    let mut verb =
        |op: u32| *verbs.entry(op).or_insert_with(|| Verb::of(telemetry.symbols.get(op as usize)));
    let mut found: BTreeMap<usize, Request> = BTreeMap::new();
    for row in (0..spans.key.len()).filter(|r| spans.key[*r] != 0) {
        let s = shape(row);
        if s.kind == SpanKind::Server {
            let (writes, service) = (verb(s.op).writes, s.service);
            let (start, end) = (spans.start[row], spans.end[row]);
            found.insert(row, Request { service, start, end, writes, ..Request::default() });
        }
    }
    let stored: Vec<Option<EntityKind>> = spans
        .shapes
        .iter()
        .map(|s| (s.peer != NONE).then(|| telemetry.graph.entity(EntityId(s.peer)).kind))
        .map(|kind| kind.filter(|k| matches!(k, EntityKind::Database | EntityKind::Cache)))
        .collect();
    for row in 0..spans.key.len() {
        let Some(kind) = stored[spans.shape[row] as usize] else { continue };
        let mut above = row;
        for _ in 0..DEPTH_MAX {
            above = spans.parent[above] as usize;
            if above >= spans.key.len() || found.contains_key(&above) {
                break;
            }
        }
        let Some(request) = found.get_mut(&above) else { continue };
        let did = verb(shape(row).op);
        match kind {
            EntityKind::Database => request.database = true,
            _ => {
                request.changed_cache |= did.changes;
                request.asked_cache |= did.asks;
            }
        }
    }
    let mut by_path: BTreeMap<u32, Vec<Request>> = BTreeMap::new();
    // Requests that only pass others on say nothing about the entry.
    let asks = |r: &Request| r.database || r.asked_cache || r.changed_cache;
    for (row, request) in found.into_iter().filter(|(_, r)| asks(r)) {
        by_path.entry(spans.key[row]).or_default().push(request);
    }
    by_path
}

/// What an operation's name says that it does.
#[derive(Clone, Copy, Default)]
struct Verb {
    /// A request that writes.
    writes: bool,
    /// A cache's command that changes or asks for an entry.
    changes: bool,
    asks: bool,
}

impl Verb {
    fn of(operation: Option<&String>) -> Verb {
        let all = operation.map(|o| words(o)).unwrap_or_default();
        let any = |known: &[&str]| all.iter().any(|w| known.contains(&w.as_str()));
        let first = all.first().map_or("", String::as_str);
        Verb {
            writes: ["put", "post", "patch", "delete"].contains(&first),
            changes: any(&CHANGES),
            asks: any(&ASKS),
        }
    }
}

/// The first reads after each write of one path.
fn after_writes(mut requests: Vec<Request>) -> Vec<Read> {
    // A write counts when it is done, a read when it begins.
    let at = |r: &Request| if r.writes { r.end } else { r.start };
    requests.sort_by_key(|r| (at(r), r.writes));
    let mut pending: Option<Micros> = None;
    let mut untouched = true;
    let mut out = Vec::new();
    for r in &requests {
        if r.writes {
            if r.database {
                (pending, untouched) = (Some(r.end), !r.changed_cache);
            }
            continue;
        }
        let Some(written) = pending else { continue };
        let cached = r.asked_cache && !r.database && !r.changed_cache;
        let stale = cached && untouched;
        out.push(Read { service: EntityId(r.service), at: r.start, written, stale });
        // A read from the database refreshes the entry; a stale one may be followed by another.
        if !stale {
            pending = None;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn write(at: Micros, drops: bool) -> Request {
        let changed_cache = drops;
        Request {
            start: at,
            end: at + 1,
            writes: true,
            database: true,
            changed_cache,
            ..Request::default()
        }
    }

    fn read(at: Micros, database: bool) -> Request {
        Request { start: at, end: at + 1, asked_cache: true, database, ..Request::default() }
    }

    fn stale(all: &[Request]) -> Vec<bool> {
        after_writes(all.to_vec()).iter().map(|r| r.stale).collect()
    }

    #[test]
    fn reads_from_an_untouched_entry_are_stale_until_it_is_refreshed() {
        assert_eq!(stale(&[write(0, false), read(5, false), read(9, false)]), [true, true]);
        assert_eq!(stale(&[write(0, false), read(5, true), read(9, false)]), [false]);
        assert_eq!(stale(&[write(0, true), read(5, false)]), [false], "the write dropped it");
        assert_eq!(stale(&[read(0, false), write(3, false)]), [] as [bool; 0]);
        assert_eq!(stale(&[]), [] as [bool; 0]);
    }

    #[test]
    fn a_read_that_began_before_the_write_was_done_proves_nothing() {
        let slow = Request { end: 10, ..write(0, false) };
        assert_eq!(stale(&[slow, read(5, false)]), [] as [bool; 0]);
    }

    #[test]
    fn operations_are_told_by_their_words() {
        let verb = |t: &str| {
            let v = Verb::of(Some(&t.to_owned()));
            (v.writes, v.changes, v.asks)
        };
        assert!(verb("PUT /product/{id}").0);
        assert!(!verb("GET /product/{id}").0);
        assert_eq!(verb("SET price"), (false, true, false));
        assert_eq!(verb("redis.GET"), (false, false, true));
        assert_eq!(verb(""), (false, false, false));
    }

    proptest! {
        #[test]
        fn later_by_any_time_is_the_same(
            steps in prop::collection::vec((0u8..4, 2i64..50), 0..30), late in 0i64..1_000_000,
        ) {
            let all = |late: i64| -> Vec<Request> {
                let mut t = late;
                steps.iter().map(|(what, gap)| {
                    t += gap;
                    match *what {
                        0 | 1 => write(t, *what == 1),
                        _ => read(t, *what == 2),
                    }
                }).collect()
            };
            prop_assert_eq!(stale(&all(0)), stale(&all(late)));
        }
    }
}
