//! Where the blame belongs. In: anomalies and the graph. Out: for each entity what remains after
//! its callees explain its symptoms and its callers explain its load, and how much of what users
//! felt it can explain.
//!
//! A caller's latency, errors and backlog are explained by a callee in trouble: the more abnormal
//! the callee, the less of the caller's own counts (CIRCA's and PetShop's observation that the
//! deepest abnormal node on the path is the place to look, without a hard threshold).

use super::anomaly::{Anomaly, Facet};
use crate::diagnosis::Term;
use crate::graph::EdgeKind;
use crate::matching::Context;
use crate::model::{EntityId, EntityKind, Subject, Unit};
use crate::signals::{Stat, View};
use std::collections::{BTreeMap, BTreeSet};

/// Callee abnormality that explains half of the caller's.
const HALF_EXPLAINED: f64 = 0.6;
/// What a second, independent facet adds.
const CORROBORATION: f64 = 0.25;
/// Abnormality of a caller's own resources from which it may read answers late.
const STARVED: f64 = 1.5;
/// Weight of explaining what users felt.
const COVER_WEIGHT: f64 = 1.5;
/// Weight of the size of an entity's own gain against what users felt.
const CONTRIBUTION_WEIGHT: f64 = 2.0;
/// Share of what users felt that speaks neither for nor against: its root is a half.
const NEUTRAL_SHARE: f64 = 0.25;
/// Name of that term.
const SIZE: &str = "size";
/// Share of the weight that a gain of the other symptom than the one named has.
const OTHER_SYMPTOM: f64 = 0.5;
/// Taken off when the entity cannot have caused the given symptom: nothing leads from it there.
const UNREACHED: f64 = 1.5;

/// What counts for and against one entity, in nats; the sum is its localisation score.
#[derive(Clone, Debug, Default)]
pub struct Blame {
    /// Own abnormality that nothing else explains.
    pub local: f64,
    /// Share of the felt symptoms at it and its dependants, 0 to 1.
    pub cover: f64,
    /// The callee that explains most of it.
    pub explained_by: Option<(EntityId, f64)>,
    pub reaches_symptom: bool,
    pub terms: Vec<(&'static str, f64, String)>,
}

impl Blame {
    /// Sum of the terms.
    pub fn score(&self) -> f64 {
        self.terms.iter().map(|t| t.1).sum()
    }
}

const VISIBLE: [Facet; 6] =
    [Facet::Latency, Facet::Errors, Facet::Contention, Facet::Silence, Facet::Own, Facet::Shared];

/// Trouble that callers of an entity can feel.
fn visible(a: &Anomaly) -> f64 {
    a.most(&VISIBLE)
}

/// Shares the blame out.
pub fn assign(
    context: &Context,
    anomalies: &BTreeMap<EntityId, Anomaly>,
    symptom: Option<EntityId>,
) -> BTreeMap<EntityId, Blame> {
    let graph = &context.telemetry.graph;
    let felt = felt(context, anomalies, symptom);
    let total: f64 = felt.values().sum();
    let gains: BTreeMap<EntityId, Gain> =
        graph.ids().map(|id| (id, gain(context, id, anomalies.get(&id)))).collect();
    let wanted = demand(context, &gains, &felt);
    let mut out = BTreeMap::new();
    for (id, a) in anomalies {
        let mut blame = Blame::default();
        let callees = graph.callees(*id).iter().filter(|c| *c != id);
        let seen = |c: &EntityId| {
            let Some(a) = anomalies.get(c) else { return 0.0 };
            // What callers share is not in the callee's own measures.
            (visible(a) * weight_of(&gains[c], &gains[id]).sqrt()).max(a.of(Facet::Shared))
        };
        blame.explained_by = callees
            .map(|c| (*c, seen(c)))
            .filter(|(_, v)| *v > 0.0)
            .max_by(|x, y| x.1.total_cmp(&y.1).then(y.0.cmp(&x.0)));
        let by = blame.explained_by.map_or(0.0, |b| b.1);
        let left = HALF_EXPLAINED / (HALF_EXPLAINED + by);
        let symptoms = a.most(&[Facet::Latency, Facet::Errors, Facet::Backlog]);
        let load = load_explains(a);
        let resource = a.of(Facet::Resource) * load;
        let own = a.of(Facet::Own);
        let contention = a.of(Facet::Contention);
        let silence = a.of(Facet::Silence);
        let other = 0.5 * a.of(Facet::Other);
        let shared = a.of(Facet::Shared);
        let mut parts = [symptoms * left * load, resource, own, contention, silence, shared, other];
        parts.sort_by(|x, y| y.total_cmp(x));
        blame.local = parts[0] + CORROBORATION * parts[1];
        let reach = graph.dependants(*id);
        let explained: f64 =
            felt.iter().filter(|(f, _)| *f == id || reach.contains_key(f)).map(|(_, w)| w).sum();
        blame.cover = if total > 0.0 { explained / total } else { 0.0 };
        blame.reaches_symptom = symptom.is_none_or(|s| s == *id || reach.contains_key(&s))
            || graph_is_blind(context, *id);
        let mut terms =
            vec![("own abnormality", blame.local, describe(context, a, blame.explained_by, left))];
        if total > 0.0 && !graph_is_blind(context, *id) {
            let said = format!(
                "{:.0} % of what users felt is at it or depends on it",
                100.0 * blame.cover
            );
            terms.push(("explains symptoms", COVER_WEIGHT * (blame.cover - 0.5), said));
        }
        // Without a path to what users felt, the busiest entity would always seem the largest.
        let leads = felt.keys().any(|f| f == id || reach.contains_key(f));
        let size = match leads && a.shared.is_empty() && !graph_is_blind(context, *id) {
            true => contribution(context, &gains[id], &wanted),
            false => None,
        };
        if let Some((share, said)) = size {
            let nats = CONTRIBUTION_WEIGHT * (share.sqrt() - NEUTRAL_SHARE.sqrt());
            terms.push((SIZE, nats, said));
        }
        if !blame.reaches_symptom {
            let said = "no call path leads from the symptom to it".to_owned();
            terms.push(("cannot cause the symptom", -UNREACHED, said));
        }
        if let Some(e) = view_of(context, anomalies, *id) {
            let said = format!(
                "an address that its callers see; {} stands behind it or beside it",
                context.name(e)
            );
            terms.push(("client-side view", -1.0, said));
        }
        blame.terms = terms;
        out.insert(*id, blame);
    }
    out
}

/// What users felt: symptoms at the given entity, else at every entity, entries counting double.
fn felt(
    context: &Context,
    anomalies: &BTreeMap<EntityId, Anomaly>,
    symptom: Option<EntityId>,
) -> BTreeMap<EntityId, f64> {
    let weight = Anomaly::suffering;
    if let Some(s) = symptom {
        let own = anomalies.get(&s).map_or(0.0, weight);
        if own > 0.0 {
            return BTreeMap::from([(s, own)]);
        }
    }
    let entry = |id: &EntityId| if context.entries.contains(id) { 2.0 } else { 1.0 };
    anomalies.iter().map(|(id, a)| (*id, entry(id) * weight(a))).filter(|(_, w)| *w > 0.5).collect()
}

/// Waiting time (seconds a second) and failures (a second) that an entity's requests gained.
#[derive(Clone, Copy, Debug, Default)]
struct Gain {
    waiting: Option<f64>,
    failures: Option<f64>,
}

/// Growth of mean latency and of the failed share, times the rate of requests in the incident.
fn gain(context: &Context, id: EntityId, anomaly: Option<&Anomaly>) -> Gain {
    let own = context.series_of(Subject::Entity(id));
    let pick = |role: &str, usable: fn(Stat) -> bool| {
        let fits = |i: &&usize| {
            let s = &context.rollups.series[**i];
            let server = context.telemetry.signals.get(s.signal).view == View::Server;
            s.role == role && server && usable(s.stat)
        };
        let first = own.iter().filter(fits).min_by_key(|i| context.rollups.series[**i].origin);
        first.and_then(|i| context.features.series[*i].shift)
    };
    let mean = |s: Stat| matches!(s, Stat::Mean | Stat::Value);
    // What traces put down to it adds to what it measures itself; alone it says too little, for
    // calls that are blocked have no spans yet.
    let traced = anomaly.map_or(0.0, |a| a.own_gain);
    let Some(rate) = pick("traffic", |s| matches!(s, Stat::Value | Stat::Sum)) else {
        return Gain { waiting: None, failures: unseen(context, id) };
    };
    let rate = rate.incident_median.max(rate.baseline.median);
    let grown = |s: crate::features::shift::Shift| (s.incident_median - s.baseline.median).max(0.0);
    let lost = |s: crate::features::shift::Shift| (s.baseline.median - s.incident_median).max(0.0);
    let failures = pick("errors", mean).map(grown).or(pick("availability", mean).map(lost));
    // Failures that are counted, not a share of requests, are a rate already.
    let counted = own.iter().any(|i| {
        let s = &context.rollups.series[*i];
        s.role == "errors" && context.telemetry.signals.get(s.signal).unit() != Unit::Ratio
    });
    let per = if counted { 1.0 } else { rate };
    let failures = failures.map(|f| per * f);
    Gain {
        waiting: pick("latency", mean).map(|s| (rate * grown(s)).max(traced)),
        failures: [failures, unseen(context, id)].into_iter().flatten().reduce(f64::max),
    }
}

/// Failed calls a second that an entity's callers gained: of calls that never arrive, or that are
/// turned down with an answer, the callee itself counts none as failed.
fn unseen(context: &Context, id: EntityId) -> Option<f64> {
    let edge = |caller: &EntityId| {
        let own = context.series_of(Subject::Edge(*caller, id)).iter();
        let pick = |role: &str| {
            let fits = |i: &&usize| {
                let s = &context.rollups.series[**i];
                s.role == role && context.telemetry.signals.get(s.signal).view == View::Client
            };
            let first = own.clone().filter(fits).min_by_key(|i| context.rollups.series[**i].origin);
            first.and_then(|i| context.features.series[*i].shift)
        };
        let (failed, calls) = (pick("errors")?, pick("traffic")?);
        let grown = (failed.incident_median - failed.baseline.median).clamp(0.0, 1.0);
        Some(grown * calls.incident_median)
    };
    context.telemetry.graph.callers(id).iter().filter_map(edge).reduce(|a, b| a + b)
}

/// How much of an entity's gain a callee's gain amounts to, at most 1; 1 where it is not known.
/// A callee that waits a hundredth longer explains no more than that of its caller's waiting.
fn weight_of(callee: &Gain, own: &Gain) -> f64 {
    let parts = [share(callee.waiting, own.waiting), share(callee.failures, own.failures)];
    parts.into_iter().flatten().reduce(f64::max).unwrap_or(1.0)
}

/// The share of `all` that `part` is, at most 1; `None` where either is not known.
fn share(part: Option<f64>, all: Option<f64>) -> Option<f64> {
    let all = all.filter(|a| *a > 0.0)?;
    Some((part? / all).min(1.0))
}

/// The largest gain among the entities where users felt it and those that they depend on: a
/// fallback or a few slow calls can hide from a caller's mean what a callee's own mean shows.
fn demand(
    context: &Context,
    gains: &BTreeMap<EntityId, Gain>,
    felt: &BTreeMap<EntityId, f64>,
) -> Gain {
    let graph = &context.telemetry.graph;
    let mut concerned: BTreeSet<EntityId> = felt.keys().copied().collect();
    concerned.extend(felt.keys().flat_map(|e| graph.reach(*e).into_keys()));
    let largest = |of: fn(&Gain) -> Option<f64>| {
        concerned.iter().filter_map(|e| of(&gains[e])).reduce(f64::max)
    };
    Gain { waiting: largest(|g| g.waiting), failures: largest(|g| g.failures) }
}

/// What share of the waiting or failing that users felt an entity's own gain amounts to: what
/// adds a hundredth of the waiting cannot be its cause. `None` where either is not known.
fn contribution(context: &Context, own: &Gain, wanted: &Gain) -> Option<(f64, String)> {
    let waiting = share(own.waiting, wanted.waiting);
    let failing = share(own.failures, wanted.failures);
    // Where one of the two is not measured, what is known is a lower bound: it may speak for the
    // entity and not against it.
    let unknown = (waiting.is_none() && wanted.waiting.is_some_and(|w| w > 0.0))
        || (failing.is_none() && wanted.failures.is_some_and(|f| f > 0.0));
    // The user's own word on the symptom decides which of the two is meant; the other one only
    // hints, for a slow callee can make calls fail and retries of failed calls take time.
    let told = context.telemetry.incident.symptom_signal.as_deref().unwrap_or_default();
    let best = match () {
        () if ["latency", "duration"].iter().any(|w| told.contains(w)) => {
            waiting.or(failing.map(|f| f * OTHER_SYMPTOM))
        }
        () if ["availability", "error", "5xx", "fail"].iter().any(|w| told.contains(w)) => {
            failing.or(waiting.map(|w| w * OTHER_SYMPTOM))
        }
        () => [waiting, failing].into_iter().flatten().reduce(f64::max),
    }
    .filter(|b| !(unknown && *b < NEUTRAL_SHARE))?;
    Some((
        best,
        format!("its own waiting or failing amounts to {:.0} % of what users felt", 100.0 * best),
    ))
}

/// The terms of what stands behind many: the whole system (a resolver, a network), or a host with
/// those that run on it. It is as abnormal as the most abnormal of them, and explains what they do;
/// `None` for anything else.
pub fn behind_many(
    context: &Context,
    blames: &BTreeMap<EntityId, Blame>,
    subject: Option<EntityId>,
) -> Option<Vec<(&'static str, f64, String)>> {
    let graph = &context.telemetry.graph;
    let on_it = |id: &EntityId| match subject {
        None => true,
        Some(host) => graph.edges().any(|e| e == (*id, host, EdgeKind::RunsOn)),
    };
    if subject.is_some_and(|e| graph.entity(e).kind != EntityKind::Host) {
        return None;
    }
    let worst = blames
        .iter()
        .filter(|(id, _)| on_it(id))
        .max_by(|a, b| a.1.local.total_cmp(&b.1.local).then(b.0.cmp(a.0)))?;
    let concerned = blames.iter().filter(|(id, _)| on_it(id));
    let cover = concerned.map(|(_, b)| b.cover).fold(0.0, f64::max);
    let worst_said = format!("as that of {}, the worst of those behind it", context.name(*worst.0));
    let cover_said =
        format!("{:.0} % of what users felt is at those or depends on them", 100.0 * cover);
    Some(vec![
        ("own abnormality", worst.1.local, worst_said),
        ("explains symptoms", COVER_WEIGHT * (cover - 0.5), cover_said),
    ])
}

/// The share of what users felt that an entity's own waiting or failing amounts to, by its terms.
pub fn size_of(terms: &[Term]) -> Option<f64> {
    let term = terms.iter().find(|t| t.name == SIZE)?;
    Some((term.nats / CONTRIBUTION_WEIGHT + NEUTRAL_SHARE.sqrt()).powi(2))
}

/// What is left of resource use when more requests explain it: 1 when traffic did not grow.
fn load_explains(a: &Anomaly) -> f64 {
    match a.traffic_ratio {
        Some(r) if r > 1.2 => (1.0 / r).max(0.3),
        _ => 1.0,
    }
}

/// A caller that is short of a resource of its own, much more than the entity: it reads answers
/// late, so that the way to whatever it calls seems long.
pub fn starved_caller(
    context: &Context,
    anomalies: &BTreeMap<EntityId, Anomaly>,
    id: EntityId,
) -> Option<EntityId> {
    let short =
        |e: &EntityId| anomalies.get(e).map_or(0.0, |a| a.of(Facet::Resource) * load_explains(a));
    let own = short(&id);
    let callers = context.telemetry.graph.callers(id).iter();
    callers
        .filter(|c| **c != id && short(c) >= STARVED && short(c) > 2.0 * own)
        .max_by(|a, b| short(a).total_cmp(&short(b)).then(b.cmp(a)))
        .copied()
}

/// No edge is known for an entity: the graph says nothing about it.
fn graph_is_blind(context: &Context, id: EntityId) -> bool {
    let graph = &context.telemetry.graph;
    graph.callers(id).is_empty() && graph.callees(id).is_empty()
}

/// An address that one caller sees, while a service with the same caller is in trouble too, is
/// most likely that service seen from its client's side: a load balancer's or a pool's name.
fn view_of(
    context: &Context,
    anomalies: &BTreeMap<EntityId, Anomaly>,
    id: EntityId,
) -> Option<EntityId> {
    let graph = &context.telemetry.graph;
    let name = &graph.entity(id).name;
    let address = name.contains('.') && !name.contains(' ');
    let external = graph.entity(id).kind == EntityKind::External || address;
    if !external || !graph.callees(id).is_empty() {
        return None;
    }
    let siblings = graph.callers(id).iter().flat_map(|c| graph.callees(*c));
    siblings
        .filter(|s| **s != id && !graph.entity(**s).name.contains('.'))
        .filter(|s| anomalies.get(s).is_some_and(|a| visible(a) > 0.5))
        .max_by(|a, b| {
            let v = |x: &EntityId| anomalies.get(x).map_or(0.0, visible);
            v(a).total_cmp(&v(b)).then(b.cmp(a))
        })
        .copied()
}

fn describe(context: &Context, a: &Anomaly, by: Option<(EntityId, f64)>, left: f64) -> String {
    let mut said: Vec<String> = a
        .facets
        .iter()
        .filter(|(_, s)| **s >= 0.3)
        .map(|(f, s)| format!("{f:?} {s:.1}").to_lowercase())
        .collect();
    if said.is_empty() {
        said.push("nothing clearly abnormal".to_owned());
    }
    if let Some((callee, _)) = by.filter(|_| left < 0.7) {
        said.push(format!(
            "symptoms count {:.0} %: {} explains them",
            100.0 * left,
            context.name(callee)
        ));
    }
    said.join(", ")
}
