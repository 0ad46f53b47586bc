//! Processes that are no client's: replication, autovacuum, parallel workers; and what a standby's
//! replay waits for.

use super::{View, Who, ago};
use crate::diagnosis::at;
use crate::ingest::raw::Session;
use crate::ingest::verbs;
use crate::model::Micros;
use serde::Serialize;
use std::collections::BTreeMap;

/// Processes that only a standby has.
const REPLAY: [&str; 2] = ["startup", "walreceiver"];
/// Processes that every server has and that say nothing.
const USUAL: [&str; 9] = [
    "client backend",
    "checkpointer",
    "background writer",
    "walwriter",
    "autovacuum launcher",
    "logical replication launcher",
    "archiver",
    "io worker",
    "walsummarizer",
];

/// A process of the server that is at work in the snapshot shown.
#[derive(Clone, Debug, Serialize)]
pub struct WorkerRow {
    pub who: Who,
    /// `autovacuum`, `replication`, `replay`, `parallel`, or the process' own name.
    pub kind: String,
    pub age_s: Option<f64>,
    pub wait: String,
    /// An autovacuum that must not be ended: it keeps transaction numbers from wrapping around.
    pub wraparound: bool,
    pub leader: Option<i64>,
}

/// What replay on a standby waited for.
#[derive(Clone, Debug, Serialize)]
pub struct ConflictRow {
    pub event: String,
    pub snapshots: usize,
    #[serde(serialize_with = "at")]
    pub first: Micros,
    #[serde(serialize_with = "at")]
    pub last: Micros,
}

/// Says whether only a standby has such a process.
pub(super) fn only_on_standbys(s: &Session) -> bool {
    !s.is_client() && REPLAY.contains(&&*s.backend_type)
}

/// The processes at work, replication first.
pub(super) fn workers(view: &View) -> Vec<WorkerRow> {
    let now = view.now();
    let named = |s: &&&Session| {
        let kind = &*s.backend_type;
        !kind.is_empty() && !USUAL.contains(&kind) && s.pid != 0
    };
    let row = |s: &&Session| {
        let kind = match &*s.backend_type {
            "autovacuum worker" => "autovacuum",
            "walsender" => "replication",
            "startup" | "walreceiver" => "replay",
            "parallel worker" => "parallel",
            other => other,
        };
        WorkerRow {
            who: Who::of(s, view.telemetry),
            kind: kind.to_owned(),
            age_s: ago(now.at, s.xact_start().or(s.backend_start)),
            wait: match s.wait_event_type.is_empty() {
                true => String::new(),
                false => format!("{}:{}", s.wait_event_type, s.wait_event),
            },
            wraparound: verbs::autovacuum(&s.query) == "wraparound",
            leader: s.leader_pid,
        }
    };
    let mut rows: Vec<WorkerRow> = now.rows.iter().filter(named).map(row).collect();
    rows.sort_by(|a, b| b.kind.cmp(&a.kind).then(a.who.pid.cmp(&b.who.pid)));
    rows
}

/// What replay waited for, by event: locks of readers, snapshots that readers need, buffer pins.
pub(super) fn conflicts(view: &View) -> Vec<ConflictRow> {
    let mut by: BTreeMap<String, ConflictRow> = BTreeMap::new();
    for s in view.rows().filter(|s| !s.is_client() && s.backend_type == "startup") {
        let locked = s.wait_event_type == "Lock" || s.wait_event_type == "BufferPin";
        if !locked && !s.wait_event.starts_with("RecoveryConflict") {
            continue;
        }
        let event = format!("{}:{}", s.wait_event_type, s.wait_event);
        let row = by.entry(event.clone()).or_insert_with(|| ConflictRow {
            event,
            snapshots: 0,
            first: s.at,
            last: s.at,
        });
        row.snapshots += 1;
        row.last = s.at;
    }
    by.into_values().collect()
}
