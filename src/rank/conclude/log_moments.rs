//! What a database wrote into its own log, as moments of the timeline: lines of one kind that follow
//! each other are one moment, so that a thousand refusals do not bury the rest.

use crate::diagnosis::{Moment, Place};
use crate::ingest::raw::{LogKind, RawLog};
use crate::matching::Context;
use crate::model::{EntityId, Micros, SECOND};
use crate::rank::answer::entity_ref;
use std::collections::BTreeMap;

/// Lines of one kind within this time of each other tell of one thing.
const APART: Micros = 120 * SECOND;
/// Kinds that every healthy server writes all day.
const ROUTINE: [LogKind; 6] = [
    LogKind::LockTaken,
    LogKind::Checkpoint,
    LogKind::CheckpointDone,
    LogKind::Vacuum,
    LogKind::Analyze,
    LogKind::TempFile,
];

/// The moments of all servers' logs, in no order.
pub fn moments(context: &Context) -> Vec<Moment> {
    let mut by: BTreeMap<(EntityId, LogKind), Vec<&RawLog>> = BTreeMap::new();
    for (db, l) in context.telemetry.logs.iter().filter(|(_, l)| !ROUTINE.contains(&l.kind)) {
        by.entry((*db, l.kind)).or_default().push(l);
    }
    let mut out = Vec::new();
    for ((db, _), mut lines) in by {
        lines.sort_by_key(|l| (l.at, l.file, l.line));
        let runs = lines.chunk_by(|a, b| b.at - a.at <= APART);
        out.extend(runs.filter_map(|run| moment(context, db, run)));
    }
    out
}

fn moment(context: &Context, db: EntityId, run: &[&RawLog]) -> Option<Moment> {
    let first = run.first()?;
    let more = match run.len() {
        1 => String::new(),
        n => format!(" ({n} lines until {})", crate::time::clock(run.last()?.at)),
    };
    let file = context.telemetry.files.get(first.file as usize)?.path.clone();
    Some(Moment {
        at: first.at,
        kind: "log",
        entity: Some(entity_ref(context, db)),
        said: format!("log: {}{more}", first.said),
        uncertainty_s: None,
        place: Some(Place { file, line: Some(first.line) }),
    })
}
