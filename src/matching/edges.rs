//! Tests on edges and on coverage: how calls end, many edges at once, entities that are alive
//! although nothing measures them.

use super::conditions::fits;
use super::series::{candidates, described, human, moved, target_name};
use super::{Context, Observation, Question, Test, is_source};
use crate::diagnosis::EvidenceState::{Absent, Present};
use crate::features::shift::Shift;
use crate::features::window::is_felt;
use crate::features::{inside, robust};
use crate::model::{EntityId, EntityKind, Micros, SECOND, Subject, Unit, Window};
use crate::rollup::{Origin, SignalSeries};
use crate::time;
use std::collections::{BTreeMap, BTreeSet};

/// Tests of this file.
pub const TESTS: &[Test] = &[
    Test {
        name: "outcome-share",
        what: "calls end in one way: refused, credentials, certificate, …",
        default: 0.5,
        meaning: "least share of all calls",
        binds: &["target", "before", "during", "at", "signal", "share", "outcome"],
        on_series: true,
        run: outcome_share,
    },
    Test {
        name: "together",
        what: "many edges are worse at once, and their callees are not by themselves",
        default: 3.0,
        meaning: "least number of edges, and of callees",
        binds: &["edges", "count", "of", "callers", "callees", "before", "during"],
        on_series: true,
        run: together,
    },
    Test {
        name: "coverage",
        what: "alive in traces or at its callers, and no metric of its own is there",
        default: 2.0,
        meaning: "least number of its like that have metrics",
        binds: &["alive", "since", "peers", "during"],
        on_series: false,
        run: coverage,
    },
];

/// Source of the time on the way, without the callee's own.
const GAP: &str = "role:edge-gap";
/// Growth of a share of calls from which it is no longer the usual trickle.
const OUTCOME_GROWTH: f64 = 2.0;
/// Growth of the time on an edge from which it is slower.
const EDGE_GROWTH: f64 = 1.5;
/// Share of the entities of one kind that must have metrics for their absence to be a hole.
const PEERS_SHARE: f64 = 0.5;
/// Steps at the beginning of the incident in which an entity may have reported for the last time.
const EDGE_STEPS: i64 = 2;
/// Share of its earlier requests from which an entity is alive.
const ALIVE_SHARE: f64 = 0.5;

/// The share of calls that end in the wanted way reaches `value`, and was no more than half before.
///
/// A target of which failures are known, but none that ended so, is observed and has none.
pub fn outcome_share(q: &Question) -> Observation {
    let Question { context: c, rule: r, value: v, .. } = *q;
    let wanted = r.conditions.get("outcome").map_or("", String::as_str);
    let all = candidates(q);
    let level = |i: usize, baseline: bool| {
        let w = &c.features.windows;
        let values = inside(&c.rollups.series[i], if baseline { w.baseline } else { w.incident });
        robust::median(&values)
    };
    let named = all
        .iter()
        .filter(|(i, _)| wanted.split('|').any(|w| w.trim() == c.rollups.series[*i].dims));
    let known = named.filter_map(|(i, at)| Some((*i, *at, level(*i, false)?)));
    let best = known.max_by(|a, b| a.2.total_cmp(&b.2).then(b.0.cmp(&a.0)));
    let Some((i, at, share)) = best else { return without_outcome(q, wanted) };
    let before = level(i, true).unwrap_or(0.0);
    let state = if share >= v && share >= OUTCOME_GROWTH * before { Present } else { Absent };
    described(c, i, at, state)
        .fact("share", human(share, Unit::Ratio))
        .fact("outcome", c.rollups.series[i].dims.clone())
}

/// Whether failures of the same targets are observed at all.
fn without_outcome(q: &Question, wanted: &str) -> Observation {
    let mut rule = q.rule.clone();
    let view = rule.source.split_once('@').map_or(String::new(), |(_, v)| format!("@{v}"));
    rule.source = format!("role:errors{view}");
    rule.conditions.clear();
    let failures = candidates(&Question { rule: &rule, ..*q });
    match failures.first() {
        None => Observation::unobservable(),
        Some((i, at)) => described(q.context, *i, *at, Absent)
            .fact("share", "0 %")
            .fact("outcome", wanted.replace('|', " or ")),
    }
}

/// At least `value` edges, to as many callees, are worse at once while their callees are as before.
///
/// Reads the source on every edge: a gap or latency that grew, or calls that fail. The facts
/// `callers`, `callees` and `share` (of all edges that are observed) can be asked for.
pub fn together(q: &Question) -> Observation {
    let Question { context: c, rule: r, value: v, signature: s, .. } = *q;
    let mut observed: BTreeSet<Subject> = BTreeSet::new();
    let mut worse: BTreeMap<(EntityId, EntityId), (f64, usize)> = BTreeMap::new();
    let mut behind: BTreeMap<(EntityId, EntityId), (f64, usize)> = BTreeMap::new();
    for i in c.on_edges() {
        let series = &c.rollups.series[i];
        let Subject::Edge(from, to) = series.subject else { continue };
        let Some(shift) = c.features.series[i].shift.filter(|_| is_source(c, series, &r.source))
        else {
            continue;
        };
        observed.insert(series.subject);
        if is_worse(c, series, &shift) {
            let edges = if by_itself(c, to) { &mut behind } else { &mut worse };
            let slot = edges.entry((from, to)).or_insert((0.0, i));
            if shift.z_median > slot.0 {
                *slot = (shift.z_median, i);
            }
        }
    }
    if observed.is_empty() {
        return Observation::unobservable();
    }
    if r.source == GAP {
        add_those_who_wait_themselves(&mut worse, &mut behind);
    }
    let callers: BTreeSet<EntityId> = worse.keys().map(|e| e.0).collect();
    let callees: BTreeSet<EntityId> = worse.keys().map(|e| e.1).collect();
    let share = worse.len() as f64 / observed.len() as f64;
    let number = |key: &str| match key {
        "callers" => Some(callers.len() as f64),
        "share" => Some(share),
        _ => None,
    };
    let many = worse.len() as f64 >= v && callees.len() as f64 >= v;
    let holds = many && fits(r, s, &number, &|_| None) == Some(true);
    let mut edges: Vec<(f64, usize)> = worse.values().copied().collect();
    edges.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let names: Vec<String> =
        edges.iter().take(4).map(|e| target_name(c, c.rollups.series[e.1].subject)).collect();
    let shown = edges.first().map(|e| e.1);
    let o = match shown {
        Some(i) => described(c, i, None, if holds { Present } else { Absent }),
        None => Observation::of(Absent).fact("before", "?").fact("during", "?"),
    };
    let edges_said = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    o.fact("edges", edges_said)
        .fact("count", worse.len().to_string())
        .fact("of", observed.len().to_string())
        .fact("callers", callers.len().to_string())
        .fact("callees", callees.len().to_string())
}

/// Adds the edges to callees that are slow because their own ways are worse: of a gap, the callee's
/// own time is taken off already, so such a callee is no reason to doubt the way to it.
fn add_those_who_wait_themselves(
    worse: &mut BTreeMap<(EntityId, EntityId), (f64, usize)>,
    behind: &mut BTreeMap<(EntityId, EntityId), (f64, usize)>,
) {
    loop {
        let waits = |to: EntityId| worse.keys().any(|(from, _)| *from == to);
        let found: Vec<_> = behind.keys().filter(|(_, to)| waits(*to)).copied().collect();
        if found.is_empty() {
            return;
        }
        worse.extend(found.into_iter().filter_map(|e| Some((e, behind.remove(&e)?))));
    }
}

fn is_worse(c: &Context, s: &SignalSeries, shift: &Shift) -> bool {
    let unit = c.telemetry.signals.get(s.signal).unit();
    let role = if unit == Unit::Seconds { "latency" } else { s.role.as_str() };
    let felt = is_felt(role, unit, shift.baseline.median, shift.incident_median);
    felt && moved(shift, true, EDGE_GROWTH)
}

/// Says whether an entity's own latency or errors, as it serves, rose.
fn by_itself(c: &Context, id: EntityId) -> bool {
    c.series_of(Subject::Entity(id)).iter().any(|i| {
        let s = &c.rollups.series[*i];
        let served = ["role:latency@server", "role:errors@server"];
        let is_served = served.iter().any(|source| is_source(c, s, source));
        is_served && c.features.series[*i].shift.is_some_and(|h| is_worse(c, s, &h))
    })
}

/// Traces, sessions or callers show the subject alive, and no metric of its own is there at the
/// end of the incident, while at least `value` of its like have metrics.
pub fn coverage(q: &Question) -> Observation {
    let Question { context: c, subject: e, value: v, .. } = *q;
    let Some(me) = e else { return Observation::unobservable() };
    let Some((series, by)) = alive(c, me) else { return Observation::unobservable() };
    let incident = c.features.windows.incident;
    let step = c.rollups.series[series].step.max(SECOND);
    // The first samples of the incident may be the last ones, and the last the first again.
    let within = Window { from: incident.from + EDGE_STEPS * step, to: incident.to - step };
    let last = last_metric(c, me, within.to);
    let gone = within.seconds() > 0.0 && last.is_none_or(|at| at < within.from);
    // Its like are looked at only where it matters: that takes every series of each of them.
    let peers = if gone { like(c, me) } else { Vec::new() };
    let measured = peers.iter().filter(|p| last_metric(c, **p, incident.to).is_some()).count();
    let enough = measured as f64 >= v && measured as f64 >= PEERS_SHARE * peers.len() as f64;
    if gone && !enough {
        return Observation::unobservable();
    }
    let since = match last {
        None => "at any time".to_owned(),
        Some(at) => format!("after {}", time::clock(at)),
    };
    described(c, series, None, if gone { Present } else { Absent })
        .fact("alive", by)
        .fact("since", since)
        .fact("peers", measured.to_string())
}

/// Other entities of the same kind that traces or calls know.
fn like(c: &Context, me: EntityId) -> Vec<EntityId> {
    let graph = &c.telemetry.graph;
    let kind = graph.entity(me).kind;
    let called = |e: &EntityId| !graph.callers(*e).is_empty() || !graph.callees(*e).is_empty();
    let same = graph.ids().filter(|e| *e != me && graph.entity(*e).kind == kind);
    same.filter(|e| kind != EntityKind::External && called(e)).collect()
}

/// When an entity, or a part of it, last gave a metric about itself before `to`; what others probe,
/// orchestrate or see of it is none.
fn last_metric(c: &Context, id: EntityId, to: Micros) -> Option<Micros> {
    let own = c.with_parts(id).into_iter().map(Subject::Entity);
    let calls = c.telemetry.graph.callees(id).iter().map(|callee| Subject::Edge(id, *callee));
    let series = own.chain(calls).flat_map(|s| c.series_of(s)).map(|i| &c.rollups.series[*i]);
    let said =
        series.filter(|s| s.origin == Origin::Metrics && !FOREIGN.contains(&s.role.as_str()));
    said.filter_map(|s| s.points.iter().rev().find(|p| p.0 < to)).map(|p| p.0).max()
}

/// Roles that somebody else reports about an entity.
const FOREIGN: [&str; 7] =
    ["up", "restarts", "replicas-desired", "autoscaler", "certificate", "endpoints", "info"];

/// A series that shows the entity serving in the incident as before, and who says so.
fn alive(c: &Context, me: EntityId) -> Option<(usize, &'static str)> {
    let incident = c.features.windows.incident;
    let goes_on = |i: &usize| {
        let s = &c.rollups.series[*i];
        let during = robust::median(&inside(s, incident)).unwrap_or(0.0);
        let before = c.features.series[*i].shift.map_or(0.0, |h| h.baseline.median);
        s.role == "traffic" && during > 0.0 && during >= ALIVE_SHARE * before
    };
    let traced = |i: &usize| c.rollups.series[*i].origin != Origin::Metrics;
    let own = c.series_of(Subject::Entity(me)).iter().copied();
    if let Some(i) = own.filter(traced).find(goes_on) {
        return Some((i, "traces"));
    }
    let works = |caller: EntityId| {
        let edge = c.series_of(Subject::Edge(caller, me));
        let fails = edge.iter().any(|i| {
            let s = &c.rollups.series[*i];
            let shift = c.features.series[*i].shift;
            s.role == "errors" && shift.is_some_and(|h| is_worse(c, s, &h))
        });
        edge.iter().copied().find(goes_on).filter(|_| !fails)
    };
    let callers = c.telemetry.graph.callers(me);
    callers.iter().find_map(|caller| works(*caller)).map(|i| (i, "its callers"))
}
