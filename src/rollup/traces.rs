//! Spans to rollups: per operation and parent-child pair counts with the sums that a comparison of
//! two windows needs, versions, and series per service and edge.

use super::classes::{ByBucket, Class, Measured};
use super::trace_series::Maker;
use super::{SignalSeries, VersionSpan, roles};
use crate::model::{EntityId, Micros};
use crate::telemetry::{NONE, Spans, Telemetry};
use std::collections::BTreeMap;

/// One operation of a service in one bucket. Durations in seconds; `ln` sums are over the natural
/// logarithm of duration or self time (at least one microsecond).
#[derive(Clone, Debug, PartialEq)]
pub struct OperationRow {
    pub service: EntityId,
    pub operation: u32,
    pub entry: bool,
    /// Whom a client span calls: its own time is time on the way to and at the callee.
    pub peer: Option<EntityId>,
    pub t: Micros,
    pub count: f64,
    pub errors: f64,
    pub duration: f64,
    pub ln: f64,
    pub ln2: f64,
    pub self_time: f64,
    pub self_ln: f64,
    pub self_ln2: f64,
}

/// Calls from one operation to another in one bucket, also inside one service.
#[derive(Clone, Debug, PartialEq)]
pub struct CallRow {
    pub caller: EntityId,
    pub caller_operation: u32,
    pub callee: EntityId,
    pub operation: u32,
    pub t: Micros,
    pub count: f64,
}

/// What the traces give.
pub struct TraceRollups {
    pub series: Vec<SignalSeries>,
    pub operations: Vec<OperationRow>,
    pub calls: Vec<CallRow>,
    pub versions: Vec<VersionSpan>,
    pub bucket: Micros,
}

/// Rolls the spans up into buckets of `bucket` microseconds.
pub fn roll_up(telemetry: &Telemetry, mut spans: Spans, bucket: Micros) -> TraceRollups {
    let mut out = TraceRollups {
        series: Vec::new(),
        operations: Vec::new(),
        calls: Vec::new(),
        versions: Vec::new(),
        bucket,
    };
    if spans.shape.is_empty() {
        return out;
    }
    roles::infer(&mut spans);
    let measured = Measured::new(&spans, bucket);
    let maker = Maker::new(telemetry, &measured, bucket);
    maker.edge_times(&spans, &measured, &telemetry.symbols, &mut out.series);
    drop(spans);
    out.operations = operations(&measured);
    out.calls = calls(&measured);
    out.versions = versions(&measured, telemetry);
    maker.services(&measured, &mut out.series);
    maker.instances(&measured, &mut out.series);
    maker.edges(&measured, &mut out.series);
    maker.outcomes(&measured, &telemetry.symbols, &mut out.series);
    out
}

/// What is summed of an operation's spans in one bucket.
#[derive(Default)]
struct Sums {
    count: f64,
    errors: f64,
    duration: f64,
    ln: f64,
    ln2: f64,
    self_time: f64,
    self_ln: f64,
    self_ln2: f64,
}

/// Natural logarithm of seconds, of a microsecond at least.
fn ln(seconds: f64) -> f64 {
    seconds.max(1e-6).ln()
}

fn operations(spans: &Measured) -> Vec<OperationRow> {
    let key = |c: &Class| {
        let callee = if c.waits() { c.shape.peer } else { NONE };
        Some((c.shape.service, c.shape.op, c.entry(), callee))
    };
    let groups = spans.groups(key);
    let mut sums: ByBucket<Sums> = ByBucket::new(spans.times.len());
    let mut out = Vec::new();
    for (group, (service, operation, entry, peer)) in groups.keys.iter().copied().enumerate() {
        for row in groups.rows(group) {
            let (dur, own) = (spans.dur[row], spans.own[row]);
            let (ln, self_ln) = (ln(dur), ln(own));
            let s = sums.at(spans.bucket[row]);
            s.count += 1.0;
            s.errors += f64::from(u8::from(spans.class(row).shape.error));
            (s.duration, s.ln, s.ln2) = (s.duration + dur, s.ln + ln, s.ln2 + ln * ln);
            s.self_time += own;
            (s.self_ln, s.self_ln2) = (s.self_ln + self_ln, s.self_ln2 + self_ln * self_ln);
        }
        out.extend(sums.take().into_iter().map(|(bucket, s)| OperationRow {
            service: EntityId(service),
            operation,
            entry,
            peer: (peer != NONE && peer != service).then_some(EntityId(peer)),
            t: spans.times[bucket as usize],
            count: s.count,
            errors: s.errors,
            duration: s.duration,
            ln: s.ln,
            ln2: s.ln2,
            self_time: s.self_time,
            self_ln: s.self_ln,
            self_ln2: s.self_ln2,
        }));
    }
    out.sort_by_key(|r| (r.service, r.operation, r.entry, r.peer, r.t));
    out
}

fn calls(spans: &Measured) -> Vec<CallRow> {
    let key = |c: &Class| {
        (c.p_service != NONE).then_some((c.p_service, c.p_op, c.shape.service, c.shape.op))
    };
    let groups = spans.groups(key);
    let mut counts: ByBucket<f64> = ByBucket::new(spans.times.len());
    let mut out = Vec::new();
    for (group, (caller, caller_operation, callee, operation)) in
        groups.keys.iter().copied().enumerate()
    {
        for row in groups.rows(group) {
            *counts.at(spans.bucket[row]) += 1.0;
        }
        out.extend(counts.take().into_iter().map(|(bucket, count)| CallRow {
            caller: EntityId(caller),
            caller_operation,
            callee: EntityId(callee),
            operation,
            t: spans.times[bucket as usize],
            count,
        }));
    }
    out.sort_by_key(|r| (r.caller, r.caller_operation, r.callee, r.operation, r.t));
    out
}

fn versions(spans: &Measured, telemetry: &Telemetry) -> Vec<VersionSpan> {
    let mut found: BTreeMap<(u32, u32, u32), (Micros, Micros)> = BTreeMap::new();
    for c in spans.classes.iter().filter(|c| c.shape.version != 0) {
        let key = (c.shape.service, c.shape.instance, c.shape.version);
        let times = found.entry(key).or_insert((c.first, c.last));
        *times = (times.0.min(c.first), times.1.max(c.last));
    }
    let version = |((service, instance, version), (first, last))| VersionSpan {
        service: EntityId(service),
        instance: (instance != NONE).then_some(EntityId(instance)),
        version: telemetry.symbols.get(version as usize).cloned().unwrap_or_default(),
        first,
        last,
    };
    found.into_iter().map(version).collect()
}
