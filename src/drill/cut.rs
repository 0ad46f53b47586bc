//! Telemetry as it stood at one instant. In: what was recorded. Out: what had been recorded by then,
//! and which entities were known. Everything that a drill shows is made of this.

use crate::model::{EntityId, Micros, Subject};
use crate::rollup::{Rollups, roll_up};
use crate::telemetry::{NONE, Spans, Telemetry, service_of};
use std::collections::BTreeSet;

/// Telemetry and rollups of a moment.
pub struct Instant {
    pub now: Micros,
    /// Without samples and spans: the rollups have taken them.
    pub telemetry: Telemetry,
    pub rollups: Rollups,
    /// Entities that anything had been recorded of.
    pub known: BTreeSet<EntityId>,
    /// Pairs that a call had been recorded of.
    pub called: BTreeSet<(EntityId, EntityId)>,
}

/// Cuts and rolls up.
pub fn at(whole: &Telemetry, now: Micros) -> Instant {
    let mut telemetry = until(whole, now);
    let known = known(&telemetry);
    let rollups = roll_up(&mut telemetry);
    let called = called(&rollups);
    Instant { now, telemetry, rollups, known, called }
}

/// Pairs of caller and callee that a series or a trace shows.
pub fn called(rollups: &Rollups) -> BTreeSet<(EntityId, EntityId)> {
    let edges = rollups.series.iter().filter_map(|s| match s.subject {
        Subject::Edge(a, b) if !s.points.is_empty() => Some((a, b)),
        _ => None,
    });
    edges.chain(rollups.calls.iter().map(|c| (c.caller, c.callee))).collect()
}

/// Leaves out every sample, session, lock, log line and event later than `now`, every span that ends
/// later, and rows whose time is not known.
pub fn until(whole: &Telemetry, now: Micros) -> Telemetry {
    let samples = whole.samples.iter().map(|points| {
        // Sorted by time; a clock that steps back within a file must not let a later one through.
        points.iter().filter(|p| p.0 <= now).collect()
    });
    Telemetry {
        files: whole.files.clone(),
        times: whole.times.clone(),
        series: whole.series.clone(),
        samples: samples.collect(),
        spans: spans(&whole.spans, now),
        extent: whole.extent.map(|(from, to)| (from, to.min(now))),
        trace_file: whole.trace_file,
        symbols: whole.symbols.clone(),
        sessions: whole.sessions.until(now),
        locks: whole
            .locks
            .iter()
            .filter(|(_, l)| l.at.is_some_and(|t| t <= now))
            .cloned()
            .collect(),
        logs: whole.logs.iter().filter(|(_, l)| l.at <= now).cloned().collect(),
        // When a log begins and ends says nothing here.
        log_times: Vec::new(),
        events: whole.events.iter().filter(|(_, e)| e.at <= now).cloned().collect(),
        // Its windows say when the incident will be over.
        incident: Default::default(),
        site: whole.site.clone(),
        graph: whole.graph.clone(),
        signals: whole.signals,
        gaps: Vec::new(),
    }
}

fn spans(whole: &Spans, now: Micros) -> Spans {
    let keep: Vec<usize> = (0..whole.shape.len()).filter(|i| whole.end[*i] <= now).collect();
    let mut rows = vec![NONE; whole.shape.len()];
    for (new, old) in keep.iter().enumerate() {
        rows[*old] = new as u32;
    }
    let parent = |old: &usize| rows.get(whole.parent[*old] as usize).copied().unwrap_or(NONE);
    Spans {
        shapes: whole.shapes.clone(),
        shape: keep.iter().map(|i| whole.shape[*i]).collect(),
        parent: keep.iter().map(parent).collect(),
        start: keep.iter().map(|i| whole.start[*i]).collect(),
        end: keep.iter().map(|i| whole.end[*i]).collect(),
        key: keep.iter().map(|i| whole.key[*i]).collect(),
    }
}

/// Entities that something has been recorded of, with the services that they belong to.
fn known(t: &Telemetry) -> BTreeSet<EntityId> {
    let mut seen: BTreeSet<EntityId> = BTreeSet::new();
    for (meta, _) in t.series.iter().zip(&t.samples).filter(|(_, points)| !points.is_empty()) {
        match meta.subject {
            Subject::Entity(e) => seen.extend([e]),
            Subject::Edge(a, b) => seen.extend([a, b]),
        }
        seen.extend(meta.instance.into_iter().chain(meta.member));
    }
    let shapes: BTreeSet<u32> = t.spans.shape.iter().copied().collect();
    for shape in shapes.iter().filter_map(|s| t.spans.shapes.get(*s as usize)) {
        let named = [shape.service, shape.instance, shape.peer];
        seen.extend(named.into_iter().filter(|n| *n != NONE).map(EntityId));
    }
    for (db, s) in t.sessions.iter() {
        seen.insert(db);
        seen.extend(service_of(&t.graph, s).map(|(service, _)| service));
    }
    seen.extend(t.events.iter().flat_map(|(about, _)| about.iter().copied()));
    seen.iter().map(|e| t.graph.owner(*e)).chain(seen.iter().copied()).collect()
}
