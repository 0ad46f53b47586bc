//! What keeps old rows alive and what runs for long: holders of the oldest xmin, open and prepared
//! transactions, statements that run in the snapshot shown.

use super::{View, Who, ago};
use crate::diagnosis::at;
use crate::features::blocking::{PREPARED, RootBlocker};
use crate::features::transactions::of_sessions;
use crate::ingest::raw::{PerShape, Session};
use crate::model::{Micros, Window};
use serde::Serialize;

/// Rows of each list that are kept.
const MOST: usize = 20;

/// A session that keeps row versions alive, in the snapshot shown.
#[derive(Clone, Debug, Serialize)]
pub struct XminRow {
    pub who: Who,
    pub xmin: u32,
    /// Transactions between its xmin and the newest one that the snapshot shows.
    pub behind: u32,
    pub age_s: Option<f64>,
}

/// A transaction that was open in some snapshot.
#[derive(Clone, Debug, Serialize)]
pub struct OpenRow {
    pub who: Who,
    #[serde(serialize_with = "at")]
    pub start: Micros,
    #[serde(serialize_with = "at")]
    pub last: Micros,
    /// Age and idle time when last seen, seconds.
    pub age_s: f64,
    pub idle_s: f64,
    pub snapshots: usize,
    /// It waited for another session when last seen.
    pub waits: bool,
}

/// A statement that runs in the snapshot shown.
#[derive(Clone, Debug, Serialize)]
pub struct RunningRow {
    pub who: Who,
    pub age_s: f64,
    pub wait: String,
}

/// A transaction prepared for two-phase commit that is listed, or that others wait for.
#[derive(Clone, Debug, Serialize)]
pub struct PreparedRow {
    /// Its global identifier, where the export lists it.
    pub gid: String,
    #[serde(serialize_with = "crate::diagnosis::maybe_at")]
    pub prepared: Option<Micros>,
    pub snapshots: usize,
    pub victims: usize,
}

/// Says how far `a` lies before `b` on the circle of 32-bit transaction numbers; 0 if it does not.
fn behind(a: u32, b: u32) -> u32 {
    let distance = b.wrapping_sub(a);
    if distance < 1 << 31 { distance } else { 0 }
}

/// Holders of an xmin, the oldest first.
pub(super) fn xmin(view: &View) -> Vec<XminRow> {
    let now = view.now();
    let held: Vec<(&Session, u32)> =
        now.rows.iter().filter_map(|s| s.backend_xmin().map(|x| (*s, x))).collect();
    let newest = held.iter().map(|h| h.1).reduce(|a, b| if behind(a, b) > 0 { b } else { a });
    let Some(newest) = newest else { return Vec::new() };
    let row = |(s, xmin): &(&Session, u32)| XminRow {
        who: Who::of(s, view.telemetry),
        xmin: *xmin,
        behind: behind(*xmin, newest),
        age_s: ago(now.at, s.xact_start()),
    };
    let mut rows: Vec<XminRow> = held.iter().map(row).collect();
    rows.sort_by(|a, b| {
        let age = |r: &XminRow| r.age_s.unwrap_or(0.0);
        b.behind.cmp(&a.behind).then(age(b).total_cmp(&age(a))).then(a.who.pid.cmp(&b.who.pid))
    });
    let oldest = rows.first().map_or(0, |r| r.behind);
    rows.retain(|r| r.behind > 0 || oldest == 0);
    rows.truncate(MOST);
    rows
}

/// Transactions of all snapshots, the oldest first.
pub(super) fn transactions(view: &View) -> Vec<OpenRow> {
    let clients = view.rows().filter(|s| s.is_client()).map(|s| (view.database, s));
    let found = of_sessions(clients, Window { from: Micros::MIN, to: Micros::MAX });
    let rows = found.into_iter().take(MOST).map(|t| OpenRow {
        who: Who::of(&t.session, view.telemetry),
        start: t.start,
        last: t.session.at,
        age_s: t.age_s,
        idle_s: t.idle_s,
        snapshots: t.snapshots,
        waits: t.session.waits_for_lock(),
    });
    rows.collect()
}

/// Statements that run, the oldest first.
pub(super) fn running(view: &View) -> Vec<RunningRow> {
    let now = view.now();
    let mut rows: Vec<(f64, &Session)> = now
        .rows
        .iter()
        .filter(|s| s.is_client() && s.state == "active")
        .filter_map(|s| ago(now.at, s.query_start()).map(|age| (age, *s)))
        .collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.pid.cmp(&b.1.pid)));
    let row = |(age_s, s): (f64, &Session)| RunningRow {
        who: Who::of(s, view.telemetry),
        age_s,
        wait: match s.wait_event_type.is_empty() {
            true => String::new(),
            false => format!("{}:{}", s.wait_event_type, s.wait_event),
        },
    };
    rows.into_iter().take(MOST).map(row).collect()
}

/// Prepared transactions: those that an export lists as rows, and those that only their victims show.
pub(super) fn prepared(view: &View, roots: &[RootBlocker]) -> Vec<PreparedRow> {
    let mut rows: Vec<PreparedRow> = Vec::new();
    let victims = roots.iter().filter(|r| r.session.pid == 0).map(|r| r.victims).max();
    let alone = view.now().rows.iter().filter(|s| s.pid == 0).count() < 2;
    let mut looked: PerShape<bool> = PerShape::default();
    for s in view.rows() {
        if !*looked.of(s, || s.backend_type == PREPARED || s.pid == 0) {
            continue;
        }
        match rows.iter_mut().find(|r| r.gid == *s.application && r.prepared == s.xact_start()) {
            Some(known) => known.snapshots += 1,
            None => rows.push(PreparedRow {
                gid: s.application.to_string(),
                prepared: s.xact_start(),
                snapshots: 1,
                // They share pid 0: with several, nothing says for which one others wait.
                victims: victims.filter(|_| alone).unwrap_or(0),
            }),
        }
    }
    if let (true, Some(root)) = (rows.is_empty(), roots.iter().find(|r| r.session.pid == 0)) {
        let (gid, prepared) = (String::new(), None);
        let (snapshots, victims) = (root.snapshots, root.victims);
        rows.push(PreparedRow { gid, prepared, snapshots, victims });
    }
    rows.truncate(MOST);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transaction_numbers_are_compared_on_their_circle() {
        assert_eq!(behind(10, 25), 15);
        assert_eq!(behind(25, 10), 0);
        assert_eq!(behind(u32::MAX - 4, 5), 10);
    }
}
