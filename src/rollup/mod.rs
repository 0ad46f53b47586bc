//! What grows with the data, made small: samples to one series per subject and signal, spans to
//! counts, errors and times per service, operation, edge and time bucket.

mod classes;
mod compare;
pub mod counter;
mod derived;
mod edge_gap;
mod edge_times;
#[cfg(test)]
mod example;
mod lag;
mod metrics;
mod outcomes;
mod own_time;
mod rates;
mod roles;
pub mod sessions;
pub mod staleness;
mod trace_series;
mod traces;

use crate::model::{EntityId, Gap, Micros, Subject};
use crate::signals::{SignalId, Stat};
use crate::telemetry::{Points, Telemetry};
use serde::Serialize;
use std::mem::take;

pub use traces::{CallRow, OperationRow};

/// Where a series comes from, for the reader of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Source {
    pub file: String,
    pub series: String,
}

/// Which input a series was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    Metrics,
    Traces,
    Sessions,
}

/// One signal of one subject over time: all that features and matching see of metrics and traces.
#[derive(Clone, Debug)]
pub struct SignalSeries {
    pub subject: Subject,
    pub signal: SignalId,
    pub role: String,
    pub stat: Stat,
    /// Pool, state or operation, when the subject has several.
    pub dims: String,
    /// Sorted by time, in the signal's base unit; gaps are missing points.
    pub points: Points,
    /// Usual distance of points, microseconds.
    pub step: Micros,
    /// Length of the rate window that smears changes, microseconds; 0 for raw samples.
    pub smear: Micros,
    pub origin: Origin,
    pub guessed: bool,
    pub source: Source,
}

/// The rollups of one incident.
pub struct Rollups {
    pub series: Vec<SignalSeries>,
    /// Per service, operation and bucket; empty without traces.
    pub operations: Vec<OperationRow>,
    /// Per caller operation, callee operation and bucket; empty without traces.
    pub calls: Vec<CallRow>,
    /// Reads that followed a write of the same path, by the service that read (traces).
    pub reads: Vec<staleness::Read>,
    /// Versions seen per instance, with the first and last time.
    pub versions: Vec<VersionSpan>,
    /// Length of a trace bucket, microseconds.
    pub bucket: Micros,
    /// What a comparison of metrics and traces says about the two.
    pub gaps: Vec<Gap>,
    /// What part of the requests the traces hold, where it is not all.
    pub sampling: Option<Gap>,
}

/// A version that an instance ran.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionSpan {
    pub service: EntityId,
    pub instance: Option<EntityId>,
    pub version: String,
    pub first: Micros,
    pub last: Micros,
}

/// Rolls everything up. Samples and spans are taken out of the telemetry, so that they are in memory
/// once: nothing after this looks at them.
pub fn roll_up(telemetry: &mut Telemetry) -> Rollups {
    let (samples, spans) = (take(&mut telemetry.samples), take(&mut telemetry.spans));
    let mut versions = metrics::versions(telemetry, &samples);
    let mut series = metrics::roll_up(telemetry, samples);
    let steps: Vec<Micros> = series.iter().map(|s| s.step).collect();
    series.extend(sessions::roll_up(telemetry));
    // Those of the metrics are there already; what was counted row by row is exact and wins.
    let mut derived = derived::derive(telemetry, &series);
    derived.retain(|s| s.origin == Origin::Sessions);
    let counted =
        |s: &SignalSeries| derived.iter().any(|d| d.subject == s.subject && d.signal == s.signal);
    series.retain(|s| !counted(s));
    series.extend(derived);
    let reads = staleness::reads(telemetry, &spans);
    let traces = traces::roll_up(telemetry, spans, bucket_of(&steps));
    series.extend(traces.series);
    let lag = lag::lag(telemetry, &series);
    if let Some(lag) = &lag {
        align(telemetry, &mut series, &mut versions, lag.ahead);
    }
    series.extend(edge_gap::gaps(telemetry.signals, &series));
    series.sort_by(|a, b| {
        let key = |s: &SignalSeries| (s.subject, s.signal, s.origin, s.stat, s.smear);
        key(a).cmp(&key(b)).then_with(|| a.dims.cmp(&b.dims))
    });
    versions.extend(traces.versions);
    versions.sort();
    let (mut gaps, sampling) = compare::gaps(telemetry, &series);
    gaps.extend(lag.map(|l| l.gap));
    Rollups {
        gaps,
        sampling,
        series,
        reads,
        operations: traces.operations,
        calls: traces.calls,
        versions,
        bucket: traces.bucket,
    }
}

/// Puts the metrics on the clock of the traces: spans carry the clocks of the services that did the
/// work, metrics that of whoever collected them. What one side records longer than the other by
/// that is left out of the extent, where the other would seem silent.
fn align(
    telemetry: &mut Telemetry,
    series: &mut [SignalSeries],
    versions: &mut [VersionSpan],
    ahead: Micros,
) {
    let metrics = series.iter_mut().filter(|s| s.origin == Origin::Metrics);
    metrics.for_each(|s| s.points.shift(-ahead));
    versions.iter_mut().for_each(|v| (v.first, v.last) = (v.first - ahead, v.last - ahead));
    let ends = |origin: Origin| {
        let own = series.iter().filter(move |s| s.origin == origin);
        own.filter_map(|s| Some((s.points.first()?.0, s.points.last()?.0)))
            .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    };
    let (metrics, traces) = (ends(Origin::Metrics), ends(Origin::Traces));
    if let Some((m, t)) = metrics.zip(traces) {
        telemetry.extent = Some((m.0.min(t.0), m.1.min(t.1)));
    }
}

/// The bucket for traces: the usual step of the metrics, between 1 and 60 seconds; 10 without any.
fn bucket_of(steps: &[Micros]) -> Micros {
    let mut known: Vec<Micros> = steps.iter().copied().filter(|s| *s > 0).collect();
    known.sort_unstable();
    let second = crate::model::SECOND;
    let middle = known.get(known.len() / 2).copied().unwrap_or(10 * second);
    middle.clamp(second, 15 * second)
}
