//! Numbers about (entity or edge, signal): level against baseline, onset, trend, saturation,
//! sawtooth, skew, blocking, statements, changed traces. One statistic per file; see [`FEATURES`].

pub mod association;
pub mod blocking;
pub mod change;
pub mod contribution;
pub mod disturbance;
pub mod exhaustion;
pub mod fanout;
pub mod forest;
pub mod growth;
pub mod leadership;
#[cfg(test)]
pub mod notation;
pub mod onset;
pub mod pulses;
pub mod robust;
pub mod saturation;
pub mod sawtooth;
pub mod session_frame;
pub mod shift;
pub mod skew;
pub mod statements;
pub mod stretches;
pub mod structure;
pub mod transactions;
pub mod trend;
pub mod waits;
pub mod warmup;
pub mod window;

use crate::error::Result;
use crate::model::{EntityId, EntityKind, Micros, Subject, Unit, Window};
use crate::rollup::{Rollups, SignalSeries};
use crate::signals::{Direction, SignalId};
use crate::telemetry::Telemetry;
use blocking::{Contention, RootBlocker};
use fanout::FanOut;
use onset::Onset;
use rayon::prelude::*;
use saturation::Saturation;
use sawtooth::Sawtooth;
use shift::Shift;
use skew::Skew;
use statements::ServerStatements;
use std::collections::BTreeMap;
use structure::{CallShift, OperationShift};
use transactions::OpenTransaction;
use waits::ServerSessions;
use window::Windows;

/// Fewest points in the baseline of a series whose silence means something.
const SILENT_BASELINE: usize = 5;
/// Share of the baseline's steps that a series must fill to be missed later.
const SILENT_COVERAGE: f64 = 0.7;
/// Steps without a point after which a series has stopped.
const SILENT_STEPS: i64 = 3;

/// What is measured, for people and for `inspect`.
pub const FEATURES: &[(&str, &str)] = &[
    ("shift", "level against the baseline, robust z and ratio (every series)"),
    ("onset", "first lasting departure, with its uncertainty (every shifted series)"),
    ("trend", "Theil-Sen slope and Mann-Kendall test (where a shape is looked for)"),
    ("sawtooth", "climb and fall cycles (memory)"),
    ("saturation", "share of time at a ceiling (utilisations, pools, workers)"),
    ("skew", "share of the top member against its own past (partitions, instances)"),
    ("growth", "climb of a backlog, and what its rates say (queues)"),
    ("pulses", "dips and bursts at a fixed distance (hit ratios, misses, load)"),
    ("contribution", "share of an increase that one caller or client brought"),
    ("warmup", "a level that starts high and settles (new instances)"),
    ("leadership", "members that lead at the same time; changes of the leader"),
    ("association", "rank correlation of two series"),
    ("blocking", "root blockers with victims and ages; how the roots change (sessions)"),
    ("waits", "busy sessions by wait event and sessions by application (sessions)"),
    ("operations", "time and errors per operation (traces)"),
    ("calls", "calls per parent that vanished or appeared (traces)"),
    ("fan-out", "calls of one operation per run, and what each takes (traces)"),
    ("statements", "sessions, age and share per statement, and whether it is new (sessions)"),
    ("transactions", "transactions that stay open (sessions)"),
    ("exhaustion", "when a level meets its limit (where a rule asks)"),
    ("window", "baseline and incident windows, given or found"),
];

/// Everything measured about one series.
#[derive(Clone, Debug, Default)]
pub struct SeriesFeature {
    pub shift: Option<Shift>,
    pub onset: Option<Onset>,
    pub saturation: Option<Saturation>,
    pub sawtooth: Option<Sawtooth>,
    /// It reported in the baseline and stopped before the incident ended.
    pub silent: bool,
}

/// Skew of one signal over the members of one owner.
#[derive(Clone, Debug)]
pub struct SkewFeature {
    pub owner: EntityId,
    pub signal: SignalId,
    /// Members in the order of the skew's indices, with their series.
    pub members: Vec<(EntityId, usize)>,
    pub skew: Skew,
}

/// All features of one incident; `series[i]` belongs to `rollups.series[i]`.
pub struct Features {
    pub windows: Windows,
    pub series: Vec<SeriesFeature>,
    pub blockers: Vec<RootBlocker>,
    pub contention: Vec<Contention>,
    pub servers: Vec<ServerSessions>,
    pub skews: Vec<SkewFeature>,
    pub operations: Vec<OperationShift>,
    pub calls: Vec<CallShift>,
    pub fan_outs: Vec<FanOut>,
    pub statements: Vec<ServerStatements>,
    /// Open in the incident or shortly before it.
    pub transactions: Vec<OpenTransaction>,
}

/// Measures everything.
pub fn extract(telemetry: &Telemetry, rollups: &Rollups) -> Result<Features> {
    let extent = telemetry.extent.unwrap_or((0, 0));
    let symptom =
        telemetry.incident.symptom_entity.as_deref().and_then(|n| telemetry.graph.find(n));
    let windows =
        window::windows(&telemetry.incident, &rollups.series, telemetry.signals, symptom, extent);
    let series: Vec<SeriesFeature> =
        rollups.series.par_iter().map(|s| of_series(s, telemetry, &windows, extent.1)).collect();
    let all = Window { from: extent.0, to: extent.1 + 1 };
    let (sessions, during) = match windows.disturbed {
        true => {
            let from = windows.incident.from - lead(&windows);
            (Window { from, to: windows.incident.to }, windows.incident)
        }
        false => (all, all),
    };
    let (baseline, incident) = (windows.baseline, windows.incident);
    // Each goes through all sessions, which may be millions.
    let ((blocking, servers), (statements, transactions)) = rayon::join(
        || {
            let servers = || waits::servers(telemetry, baseline, during);
            rayon::join(|| blocking::blocking(telemetry, sessions), servers)
        },
        || {
            let statements = || statements::statements(telemetry, baseline, incident);
            rayon::join(statements, || transactions::transactions(telemetry, sessions))
        },
    );
    Ok(Features {
        blockers: blocking.roots,
        contention: blocking.contention,
        servers,
        skews: skews(telemetry, rollups, &windows),
        operations: structure::operations(rollups, windows.baseline, windows.incident),
        calls: structure::calls(rollups, windows.baseline, windows.incident),
        fan_outs: fanout::fan_outs(rollups, windows.baseline, windows.incident),
        statements,
        transactions,
        series,
        windows,
    })
}

/// How long before the incident a cause may begin and still be looked at as one.
pub fn lead(windows: &Windows) -> Micros {
    let minute = 60 * crate::model::SECOND;
    let before = windows.incident.from - windows.baseline.from;
    (windows.incident.to - windows.incident.from).max(10 * minute).min(before.max(0))
}

/// Values of a series inside a window.
pub fn inside(series: &SignalSeries, window: Window) -> Vec<f64> {
    series.points.within(window).into_owned()
}

fn of_series(
    s: &SignalSeries,
    telemetry: &Telemetry,
    windows: &Windows,
    end: Micros,
) -> SeriesFeature {
    let signal = telemetry.signals.get(s.signal);
    let (before, during) = (s.points.within(windows.baseline), s.points.within(windows.incident));
    let points = s.points.to_vec();
    let mut out = SeriesFeature {
        silent: is_silent(s, before.len(), windows, end),
        shift: shift::shift(&before, &during, signal.unit(), signal.direction),
        ..SeriesFeature::default()
    };
    if let Some(shift) = &out.shift {
        // A given start is the user's word: nothing long before it is this incident's onset.
        let before = if windows.given { s.step + s.smear } else { lead(windows) };
        let from = windows.incident.from - before;
        let look = Window { from: from.max(windows.baseline.from), to: windows.incident.to };
        let up = shift.z >= 0.0;
        out.onset = onset::onset(&points, &shift.baseline, look, up, s.step, s.smear);
    }
    if signal.role == "memory" {
        out.sawtooth = sawtooth::sawtooth(&points);
    }
    let limit = (signal.unit() == Unit::Ratio).then_some(1.0);
    if signal.direction == Direction::Up && (limit.is_some() || signal.unit() == Unit::Count) {
        out.saturation = saturation::saturation(&points, limit, windows.incident);
    }
    out
}

/// Members are compared within one owner, kind, signal and dimension.
type Group<'a> = (EntityId, EntityKind, SignalId, &'a str);

/// Says whether a series reported in the baseline and stopped before the incident, or the
/// recording, ended: the process, its scrape or its exporter is gone.
fn is_silent(s: &SignalSeries, before: usize, windows: &Windows, end: Micros) -> bool {
    let incident = windows.incident;
    let last = s.points.last().map_or(0, |p| p.0);
    let until = incident.to.min(end);
    let step = s.step.max(1);
    // One that reports now and then, like a function that is seldom called, is silent often.
    let due = (windows.baseline.to - windows.baseline.from) / step;
    let steady = before >= SILENT_BASELINE && before as f64 >= SILENT_COVERAGE * due as f64;
    steady && incident.from <= end && until - last > SILENT_STEPS * step
}

/// Skew of every signal that several partitions, instances or alike stores of one owner report.
fn skews(telemetry: &Telemetry, rollups: &Rollups, windows: &Windows) -> Vec<SkewFeature> {
    let graph = &telemetry.graph;
    let mut groups: BTreeMap<Group, BTreeMap<EntityId, usize>> = BTreeMap::new();
    for (i, s) in rollups.series.iter().enumerate() {
        let Subject::Entity(e) = s.subject else { continue };
        if !["traffic", "lag", "queue", "cpu"].contains(&s.role.as_str()) {
            continue;
        }
        if graph.owner(e) != e {
            let group = (graph.owner(e), graph.entity(e).kind, s.signal, s.dims.as_str());
            groups.entry(group).or_default().entry(e).or_insert(i);
        }
        // Stores that one service calls side by side are its shards, if they are of one kind.
        let shards = matches!(graph.entity(e).kind, EntityKind::Cache | EntityKind::Database);
        for caller in graph.callers(e).iter().filter(|_| shards) {
            let group = (*caller, graph.entity(e).kind, s.signal, s.dims.as_str());
            groups.entry(group).or_default().entry(e).or_insert(i);
        }
    }
    let mut out = Vec::new();
    for ((owner, _, signal, _), members) in groups.into_iter().filter(|(_, m)| m.len() >= 3) {
        let members: Vec<(EntityId, usize)> = members.into_iter().collect();
        let level = |w: Window| -> Vec<f64> {
            let mean = |i: usize| {
                let v = inside(&rollups.series[i], w);
                if v.is_empty() { 0.0 } else { v.iter().sum::<f64>() / v.len() as f64 }
            };
            members.iter().map(|(_, i)| mean(*i)).collect()
        };
        if let Some(skew) = skew::skew(&level(windows.baseline), &level(windows.incident)) {
            out.push(SkewFeature { owner, signal, members, skew });
        }
    }
    out
}
