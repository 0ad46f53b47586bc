//! How abnormal each entity is, by role. In: features. Out: one [`Anomaly`] per top-level entity,
//! compressed to log scale so that signals of different units can be compared.

use super::shared;
use crate::features::onset::Onset;
use crate::features::shift::Shift;
use crate::matching::Context;
use crate::model::{EntityId, Micros, Subject, Unit};
use crate::signals::{Direction, View};
use std::collections::{BTreeMap, BTreeSet};

/// Robust standard deviations that any of many quiet series reaches by chance.
const NOISE_Z: f64 = 3.0;
/// A relative move of this much (natural log) counts in full: a factor of two.
const FULL_EFFECT: f64 = std::f64::consts::LN_2;
/// A move of this share of requests counts in full.
const FULL_SHARE: f64 = 0.05;

/// What counts of a level that the baseline had before, in an incident that somebody tells.
const SEEN_BEFORE: f64 = 0.1;

/// Score of an entity that accounts for all growth of own time.
const OWN_MAX: f64 = 2.5;

/// A call has vanished when at least this share of the calls per parent is gone for sure.
const VANISHED: f64 = 0.4;
/// Weight of a natural-log unit of size beyond a factor of two.
const BEYOND_WEIGHT: f64 = 0.1;
/// Score of an entity that is gone.
const GONE: f64 = 2.5;
/// Score of a database in which sessions wait behind one that stays, without an earlier snapshot.
const BLOCKED: f64 = 2.5;
/// Sessions that wait at once: one may be an everyday lock.
const VICTIMS_MIN: usize = 2;
/// Fewest requests that were due for their absence to mean something.
const DUE_MIN: f64 = 30.0;
/// Traffic below this share of the baseline is none.
const UNSERVED: f64 = 0.1;
/// Least share of the runs of an operation in which it passes its one call on.
const PASSED_ON: f64 = 0.9;

/// Groups of roles that are explained in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Facet {
    /// Latency as served.
    Latency,
    /// Errors and availability as served.
    Errors,
    /// Queues, pools, workers, in-flight requests: pile up behind whatever is slow.
    Backlog,
    /// Processor, memory, disk, garbage collection, throttling, restarts, descriptors.
    Resource,
    /// Locks, transactions, replication: inside a database.
    Contention,
    /// Own time in traces, calls that vanished, changed operations.
    Own,
    /// Requests served.
    Traffic,
    /// Stopped reporting.
    Silence,
    /// What the entity sees of those it calls.
    Outgoing,
    /// House metrics without a known meaning.
    Other,
    /// Trouble that all its callers show and that nothing else behind them explains.
    Shared,
}

/// The facet of a role; `None` for limits, versions and housekeeping.
pub fn facet(role: &str, view: View) -> Option<Facet> {
    Some(match role {
        "latency" | "errors" | "traffic" if view == View::Client => Facet::Outgoing,
        "latency" | "process-time" => Facet::Latency,
        "errors" | "availability" | "up" | "rollbacks" | "deadlocks" | "leader-changes" => {
            Facet::Errors
        }
        "traffic" | "pool-requests" | "cache-requests" => Facet::Traffic,
        "queue"
        | "lag"
        | "pool-pending"
        | "pool-timeouts"
        | "pool-wait"
        | "pool-utilization"
        | "pool-use-time"
        | "workers-busy"
        | "workers-utilization"
        | "connections"
        | "retries"
        | "descriptors"
        | "broker-alarm"
        | "consumers" => Facet::Backlog,
        "cpu" | "memory" | "disk" | "gc" | "throttle" | "restarts" | "uptime" => Facet::Resource,
        "lock-waiters" | "transaction-age" | "idle-in-transaction" | "locks" => Facet::Contention,
        "replication-lag" => Facet::Contention,
        "fallback" | "hit-ratio" | "attempts" => Facet::Outgoing,
        "other" | "network" => Facet::Other,
        _ => return None,
    })
}

/// One abnormal series.
#[derive(Clone, Copy, Debug)]
pub struct Scored {
    pub series: usize,
    pub facet: Facet,
    /// Log-compressed abnormality, 0 (usual) to about 4.
    pub score: f64,
}

/// The abnormality of one entity.
#[derive(Clone, Debug, Default)]
pub struct Anomaly {
    /// Largest score per facet.
    pub facets: BTreeMap<Facet, f64>,
    /// All abnormal series, most abnormal first.
    pub series: Vec<Scored>,
    /// The callers' symptoms behind [`Facet::Shared`], most abnormal first.
    pub shared: Vec<Scored>,
    pub onset: Option<Onset>,
    /// Traffic in the incident over the baseline.
    pub traffic_ratio: Option<f64>,
    /// Waiting that traces put down to it, seconds a second: at it, or on the way to it.
    pub own_gain: f64,
    /// Requests that the incident would have seen at the baseline's rate.
    pub due: f64,
    /// Number of series that could have shown something, and of those that stopped.
    pub observed: usize,
    pub silent: usize,
}

impl Anomaly {
    /// The score of a facet; 0 if nothing abnormal was seen.
    pub fn of(&self, facet: Facet) -> f64 {
        self.facets.get(&facet).copied().unwrap_or(0.0)
    }

    /// The largest of several facets.
    pub fn most(&self, facets: &[Facet]) -> f64 {
        facets.iter().map(|f| self.of(*f)).fold(0.0, f64::max)
    }

    /// What its callers feel of it: latency or errors.
    pub fn suffering(&self) -> f64 {
        self.most(&[Facet::Latency, Facet::Errors])
    }

    fn raise(&mut self, facet: Facet, score: f64) {
        let slot = self.facets.entry(facet).or_default();
        *slot = slot.max(score);
    }
}

/// Log-compressed abnormality of a shift in its bad direction, weighted by the size of the move
/// and by how unusual the level is among the baseline's own values.
pub fn score(shift: &Shift, direction: Direction, unit: Unit, facet: Facet) -> f64 {
    let floor = 1.0 / (shift.baseline.n as f64 + 1.0);
    let unusual = (1.0 - 10.0 * (shift.p - floor)).clamp(0.0, 1.0);
    let size = surprise(shift.bad(direction)) * effect(shift, unit, facet);
    unusual * (size + beyond(shift, unit, facet))
}

/// What remains of a level that stands out by its middle, though an earlier episode had it as well:
/// that one ended, and somebody says that this one is an incident.
fn score_again(shift: &Shift, direction: Direction, unit: Unit, facet: Facet) -> f64 {
    let middle = Shift { settled: shift.z_median, ..*shift };
    SEEN_BEFORE * surprise(middle.bad(direction)) * effect(shift, unit, facet)
}

/// Log of a distance in robust standard deviations, over that of noise; 0 within the noise.
fn surprise(z: f64) -> f64 {
    ((1.0 + z) / (1.0 + NOISE_Z)).ln().max(0.0)
}

/// A little for every further factor of two: a hundredfold move is more than a threefold one,
/// though both are far beyond the noise.
fn beyond(shift: &Shift, unit: Unit, facet: Facet) -> f64 {
    let bounded = unit == Unit::Ratio && facet == Facet::Errors;
    let (from, to) = (shift.baseline.median, shift.level);
    if bounded || from * to <= 0.0 || shift.settled.abs() <= NOISE_Z {
        return 0.0;
    }
    BEYOND_WEIGHT * ((to / from).ln().abs() - FULL_EFFECT).clamp(0.0, 6.0)
}

/// How large the move is for whoever feels it, 0 to 1.
fn effect(shift: &Shift, unit: Unit, facet: Facet) -> f64 {
    let (from, to) = (shift.baseline.median, shift.level);
    if unit == Unit::Ratio && facet == Facet::Errors {
        return ((to - from).abs() / FULL_SHARE).min(1.0);
    }
    if from * to <= 0.0 {
        return 1.0;
    }
    ((to / from).ln().abs() / FULL_EFFECT).min(1.0)
}

/// Measures every top-level entity. Instances and partitions count for their owner.
pub fn measure(context: &Context) -> BTreeMap<EntityId, Anomaly> {
    let graph = &context.telemetry.graph;
    let mut out: BTreeMap<EntityId, Anomaly> = BTreeMap::new();
    for (i, s) in context.rollups.series.iter().enumerate() {
        let signal = context.telemetry.signals.get(s.signal);
        let Some(facet) = facet(&s.role, signal.view) else { continue };
        let feature = &context.features.series[i];
        let owner = match s.subject {
            Subject::Entity(e) => graph.owner(e),
            Subject::Edge(_, callee) if graph.callees(callee).is_empty() => callee,
            Subject::Edge(..) => continue,
        };
        // The caller's view of a leaf stands for the leaf, which may not report itself.
        let seen_as = match (s.subject, facet) {
            (Subject::Edge(..), Facet::Outgoing) => match s.role.as_str() {
                "latency" => Facet::Latency,
                "errors" => Facet::Errors,
                "traffic" => Facet::Traffic,
                _ => continue,
            },
            (Subject::Edge(..), Facet::Contention) => continue,
            (_, facet) => facet,
        };
        let anomaly = out.entry(owner).or_default();
        anomaly.observed += 1;
        anomaly.silent += usize::from(feature.silent && matches!(s.subject, Subject::Entity(_)));
        let Some(shift) = &feature.shift else { continue };
        let mut one = score(shift, signal.direction, signal.unit(), seen_as);
        if context.features.windows.given {
            one = one.max(score_again(shift, signal.direction, signal.unit(), seen_as));
        }
        if seen_as == Facet::Traffic && shift.ratio().is_finite() {
            anomaly.traffic_ratio = Some(anomaly.traffic_ratio.unwrap_or(0.0).max(shift.ratio()));
            let seconds = context.features.windows.incident.seconds();
            anomaly.due = anomaly.due.max(shift.baseline.median * seconds);
        }
        let kept = if s.guessed { 0.9 * one } else { one };
        if kept > 0.0 {
            anomaly.series.push(Scored { series: i, facet: seen_as, score: kept });
        }
    }
    for anomaly in out.values_mut() {
        finish(context, anomaly);
    }
    own_time(context, &mut out);
    gone(context, &mut out);
    blocked(context, &mut out);
    for (id, shown) in shared::shared(context, &out) {
        let slot = out.entry(id).or_default();
        // No more than the second caller shows: what only one shows need not be shared.
        slot.raise(Facet::Shared, shown[1].score);
        slot.shared = shown;
    }
    out
}

/// Adds databases whose sessions were looked at only when the incident had begun, as whoever is called
/// does: there is no earlier snapshot to compare with, and waiting behind one session that stays is
/// never usual. It began at the earliest when that session's transaction did.
fn blocked(context: &Context, out: &mut BTreeMap<EntityId, Anomaly>) {
    let begin = context.features.windows.incident.from;
    let mut looked_at: BTreeMap<EntityId, Micros> = BTreeMap::new();
    for (database, session) in context.telemetry.sessions.firsts() {
        let first = looked_at.entry(database).or_insert(session.at);
        *first = session.at.min(*first);
    }
    for root in context.features.blockers.iter().filter(|r| r.stays()) {
        let late = looked_at.get(&root.database).filter(|first| **first >= begin);
        let Some(first) = late.filter(|_| root.victims >= VICTIMS_MIN) else { continue };
        let slot = out.entry(root.database).or_default();
        slot.raise(Facet::Contention, BLOCKED);
        let earliest = root.session.xact_start().unwrap_or(root.since).min(root.since);
        slot.onset = slot.onset.or(Some(Onset { at: *first, earliest }));
    }
}

/// Adds what is missing: entities that stopped reporting, serve nothing any more while their
/// callers go on, or answer at once where callers get errors.
fn gone(context: &Context, out: &mut BTreeMap<EntityId, Anomaly>) {
    let failing = |out: &BTreeMap<EntityId, Anomaly>, id: &EntityId| {
        let callers = context.telemetry.graph.callers(*id);
        callers.iter().any(|c| out.get(c).is_some_and(|a| a.of(Facet::Errors) > 0.5))
    };
    let still = |out: &BTreeMap<EntityId, Anomaly>, id: &EntityId| {
        let callers = context.telemetry.graph.callers(*id);
        let loaded =
            |c: &EntityId| out.get(c).and_then(|a| a.traffic_ratio).is_some_and(|r| r > 0.5);
        match callers.is_empty() {
            true => out.keys().any(|c| c != id && loaded(c)),
            false => callers.iter().any(loaded),
        }
    };
    let ids: Vec<EntityId> = out.keys().copied().collect();
    for id in ids {
        let a = &out[&id];
        let mostly_silent = a.silent > 0 && 2 * a.silent >= a.observed;
        let unserved =
            a.traffic_ratio.is_some_and(|r| r < UNSERVED) && a.due >= DUE_MIN && still(out, &id);
        let fast = fails_fast(context, id, a) && failing(out, &id);
        let slot = out.entry(id).or_default();
        if mostly_silent || unserved {
            slot.raise(Facet::Silence, GONE);
        }
        if fast {
            slot.raise(Facet::Errors, GONE);
        }
    }
}

/// Says whether an entity answers in less than half the usual time at its usual load.
fn fails_fast(context: &Context, id: EntityId, a: &Anomaly) -> bool {
    let usual_load = a.traffic_ratio.is_none_or(|r| (0.6..1.7).contains(&r));
    let own = context.series_of(Subject::Entity(id)).iter();
    usual_load
        && own.filter(|i| context.rollups.series[**i].role == "latency").any(|i| {
            let view = context.telemetry.signals.get(context.rollups.series[*i].signal).view;
            let shift = context.features.series[*i].shift;
            view != View::Client && shift.is_some_and(|s| s.z_median <= -NOISE_Z && s.ratio() < 0.5)
        })
}

/// Sorts the series, fills the facets (corroboration by a second signal adds a little) and finds
/// the entity's onset: the earliest of its clearly abnormal series.
fn finish(context: &Context, anomaly: &mut Anomaly) {
    anomaly.series.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.series.cmp(&b.series)));
    let mut best: BTreeMap<Facet, f64> = BTreeMap::new();
    for s in &anomaly.series {
        let slot = best.entry(s.facet).or_default();
        *slot = slot.max(s.score);
    }
    for (facet, score) in best {
        anomaly.raise(facet, score);
    }
    let clear = anomaly.series.iter().filter(|s| s.score >= 1.0 && s.facet != Facet::Traffic);
    let late = |i: usize| context.telemetry.signals.get(context.rollups.series[i].signal).late;
    let mut onsets: Vec<Onset> = clear
        .filter(|s| !late(s.series))
        .filter_map(|s| context.features.series[s.series].onset)
        .collect();
    onsets.sort_by_key(|o| (o.at, o.earliest));
    // One early series may be chance; where a quarter of them have left, the entity has.
    anomaly.onset = onsets.get(onsets.len() / 4).copied();
}

/// Adds what traces say about each service's own part: its share in the growth of time, calls
/// that its code stopped making, operations that began to fail by themselves.
fn own_time(context: &Context, out: &mut BTreeMap<EntityId, Anomaly>) {
    let wrappers = wrappers(context);
    let waiting = waiting(context);
    let mut growth: BTreeMap<EntityId, f64> = BTreeMap::new();
    let mut clearest: BTreeMap<EntityId, f64> = BTreeMap::new();
    for o in &context.features.operations {
        // A client span's own time, or that of a span that only passes a call on, is the callee's.
        let wrapped = wrappers.get(&(o.service, o.operation)).copied();
        let unreached = waiting.get(&(o.service, o.operation)).copied();
        let blamed = o.peer.or(unreached).or(wrapped).unwrap_or(o.service);
        if o.self_time > 0.0 && o.self_growth_s > 0.0 {
            *growth.entry(blamed).or_default() += o.self_growth_s * o.during;
        }
        let slot = clearest.entry(blamed).or_default();
        *slot = slot.max(o.self_time);
    }
    let total: f64 = growth.values().sum();
    for (blamed, grown) in &growth {
        let sure = clearest.get(blamed).copied().unwrap_or(0.0);
        let own = (sure / FULL_EFFECT).min(1.0) * (grown / total).sqrt();
        let slot = out.entry(*blamed).or_default();
        slot.raise(Facet::Own, OWN_MAX * own);
        slot.own_gain = grown / context.features.windows.incident.seconds().max(1.0);
    }
    let mut lost: BTreeMap<EntityId, f64> = BTreeMap::new();
    for call in &context.features.calls {
        let waits = waiting.contains_key(&(call.caller, call.caller_operation));
        if call.change < 0.0 && call.before >= 0.2 && !waits {
            let weight = -call.change * (1.0 + call.parents_during).ln().min(4.0) / 2.0;
            let slot = lost.entry(call.caller).or_default();
            *slot = slot.max(weight);
        }
    }
    for (service, score) in lost {
        out.entry(service).or_default().raise(Facet::Own, score);
    }
}

/// Operations that only pass a call on: every run makes one call to one other service and has no
/// other child. Exports without span kinds show client spans so.
fn wrappers(context: &Context) -> BTreeMap<(EntityId, u32), EntityId> {
    let mut runs: BTreeMap<(EntityId, u32), f64> = BTreeMap::new();
    for o in &context.rollups.operations {
        *runs.entry((o.service, o.operation)).or_default() += o.count;
    }
    let mut children: BTreeMap<(EntityId, u32), BTreeMap<(EntityId, u32), f64>> = BTreeMap::new();
    for c in &context.rollups.calls {
        let of = children.entry((c.caller, c.caller_operation)).or_default();
        *of.entry((c.callee, c.operation)).or_default() += c.count;
    }
    let mut out = BTreeMap::new();
    for (key, of) in children {
        if let [((callee, _), calls)] = of.into_iter().collect::<Vec<_>>()[..] {
            let per_run = calls / runs.get(&key).copied().unwrap_or(0.0).max(1.0);
            if callee != key.0 && (PASSED_ON..=1.0 / PASSED_ON).contains(&per_run) {
                out.insert(key, callee);
            }
        }
    }
    out
}

/// Operations that take longer by themselves while their calls to somebody else vanish: they wait
/// for what they call before they reach it (a pool, a lock), and a blocked call has no span yet.
fn waiting(context: &Context) -> BTreeMap<(EntityId, u32), EntityId> {
    let peers: BTreeMap<(EntityId, u32), EntityId> = context
        .rollups
        .operations
        .iter()
        .filter_map(|o| o.peer.map(|p| ((o.service, o.operation), p)))
        .collect();
    let slower: BTreeSet<(EntityId, u32)> = context
        .features
        .operations
        .iter()
        .filter(|o| o.self_time > 0.0 && o.self_growth_s > 0.0)
        .map(|o| (o.service, o.operation))
        .collect();
    let mut out = BTreeMap::new();
    for c in context.features.calls.iter().filter(|c| c.change <= -VANISHED) {
        let parent = (c.caller, c.caller_operation);
        let peer = match c.callee == c.caller {
            true => peers.get(&(c.callee, c.operation)).copied(),
            false => Some(c.callee),
        };
        if let Some(peer) = peer.filter(|_| slower.contains(&parent)) {
            out.entry(parent).or_insert(peer);
        }
    }
    out
}
