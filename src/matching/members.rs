//! Tests on the members of something: who brought an increase, instances that start cold, members
//! that lead at once, a lead that changes again and again.

use super::load::own_and_parts;
use super::series::{described, human};
use super::{Context, Observation, Question, Test};
use crate::catalog::On;
use crate::diagnosis::EvidenceState::{Absent, Present};
use crate::features::contribution::{self, Contribution};
use crate::features::{inside, lead, leadership, robust, warmup};
use crate::graph::EdgeKind;
use crate::model::{EntityId, EntityKind, Micros, Subject, Unit, Window};
use crate::rollup::{Origin, SignalSeries};
use crate::time;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Growth of the whole from which it is an increase.
const INCREASE_MIN: f64 = 1.2;
/// One who brings an increase had at most this share of it before, as a share of the whole.
const UNUSUAL: f64 = 0.5;
/// Fewest changes of a lead that is lost again and again: a failover and its way back are two.
const CHANGES_MIN: f64 = 3.0;
/// Times the level of its siblings at which a young instance has settled.
const SETTLED: f64 = 1.5;
/// Steps after the start of the recording before which nothing is young.
const YOUNG_STEPS: i64 = 3;

/// The tests of this file.
pub const TESTS: &[Test] = &[
    Test {
        name: "brings-increase",
        what: "most of the growth of a callee's load comes from the subject alone",
        default: 0.6,
        meaning: "least share of the growth",
        binds: &["target", "share", "share_before", "parts", "owner", "before", "during"],
        on_series: true,
        run: brings_increase,
    },
    Test {
        name: "warms-up",
        what: "instances that have just started are worse than the others and settle",
        default: 2.0,
        meaning: "least ratio of the start to the siblings, or to the settled level",
        binds: &["target", "instances", "early", "late", "others", "half", "at"],
        on_series: true,
        run: warms_up,
    },
    Test {
        name: "leads-twice",
        what: "more members lead at once than before, for longer than a scrape",
        default: 10.0,
        meaning: "least certain length, seconds",
        binds: &["leaders", "names", "for", "usual", "at"],
        on_series: true,
        run: leads_twice,
    },
    Test {
        name: "churns",
        what: "the lead or the term changes again and again",
        default: 2.0,
        meaning: "least changes a minute",
        binds: &["target", "changes", "per_minute", "before"],
        on_series: true,
        run: churns,
    },
];

/// Mean rate of a series in a window; 0 without points: who is not counted sent nothing.
fn mean(s: &SignalSeries, w: Window) -> f64 {
    let values = inside(s, w);
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Those who load an entity, with a series each, and who of them brings most of its growth.
#[derive(Debug)]
pub struct Load {
    group: BTreeMap<EntityId, usize>,
    found: Option<(EntityId, Contribution)>,
}

/// What is known of the load of `owner`: asked by each of those who load it, found once.
fn loads(c: &Context, q: &Question, owner: EntityId) -> Arc<Vec<Load>> {
    let w = &c.features.windows;
    c.loads(&q.rule.source, owner, || {
        let of = |group: BTreeMap<EntityId, usize>| {
            let level = |w: Window| -> Vec<f64> {
                group.values().map(|i| mean(&c.rollups.series[*i], w)).collect()
            };
            let one = contribution::contribution(&level(w.baseline), &level(w.incident));
            let found = one.and_then(|one| Some((*group.keys().nth(one.top)?, one)));
            Load { group, found }
        };
        sources_of_load(c, q, owner).into_iter().map(of).collect()
    })
}

/// Those who load `owner`: its clients that metrics count, or its callers, with a series each.
fn sources_of_load(c: &Context, q: &Question, owner: EntityId) -> Vec<BTreeMap<EntityId, usize>> {
    let graph = &c.telemetry.graph;
    let of_source = c.of_source(&q.rule.source);
    let (mut clients, mut callers) = (BTreeMap::new(), [BTreeMap::new(), BTreeMap::new()]);
    for caller in graph.callers(owner) {
        let client = graph.entity(*caller).kind == EntityKind::Client;
        let subject = if client { Subject::Entity(*caller) } else { Subject::Edge(*caller, owner) };
        for i in of_source.at(subject) {
            let group = match (client, c.rollups.series[*i].origin) {
                (true, _) => &mut clients,
                (false, Origin::Metrics) => &mut callers[0],
                (false, _) => &mut callers[1],
            };
            group.entry(*caller).or_insert(*i);
        }
    }
    let [metered, traced] = callers;
    [clients, metered, traced].into_iter().filter(|g| g.len() >= 2).collect()
}

/// The subject as one who loads its callees; with `on = "entry"` every client of every entry.
fn brings_increase(q: &Question) -> Observation {
    let Question { context: c, subject: e, value: v, .. } = *q;
    let graph = &c.telemetry.graph;
    let pairs: Vec<(EntityId, EntityId)> = match (q.rule.on, e) {
        (On::Entry, _) => {
            let clients =
                |x: &EntityId| graph.callers(*x).iter().map(|y| (*y, *x)).collect::<Vec<_>>();
            c.entries.iter().flat_map(clients).collect()
        }
        (_, Some(me)) => graph.callees(me).iter().map(|x| (me, *x)).collect(),
        (_, None) => Vec::new(),
    };
    let mut best: Option<(bool, Contribution, usize, EntityId)> = None;
    for (me, owner) in pairs {
        for Load { group, found } in loads(c, q, owner).iter() {
            let (Some(own), Some((first, one))) = (group.get(&me), *found) else { continue };
            let top = first == me;
            let alone = one.share >= v && one.share_before <= UNUSUAL * one.share;
            let fits = top && alone && one.ratio >= INCREASE_MIN;
            if best.is_none_or(|b| (fits, one.share) > (b.0, b.1.share)) {
                best = Some((fits, one, *own, owner));
            }
        }
    }
    let Some((fits, one, i, owner)) = best else { return Observation::unobservable() };
    described(c, i, None, if fits { Present } else { Absent })
        .fact("share", human(one.share, Unit::Ratio))
        .fact("share_before", human(one.share_before, Unit::Ratio))
        .fact("parts", one.parts.to_string())
        .fact("owner", c.name(owner).to_owned())
}

/// When the process behind a series began, if it did so in the recording: a start time that
/// changed, or a first point long after everything else's.
fn born(c: &Context, s: &SignalSeries, first: Micros) -> Option<Micros> {
    let jumped = c.series_of(s.subject).iter().filter_map(|i| {
        let other = &c.rollups.series[*i];
        let mut changes = other.points.pairs().filter(|(a, b)| b.1 > a.1 + 0.5);
        (other.role == "start-time").then(|| changes.next_back().map(|(_, b)| b.0)).flatten()
    });
    let began = s.points.first()?.0;
    let late = began - first > YOUNG_STEPS * s.step.max(1);
    jumped.max().or(late.then_some(began))
}

fn warms_up(q: &Question) -> Observation {
    let Question { context: c, subject: e, value: v, .. } = *q;
    let Some(me) = e else { return Observation::unobservable() };
    let all: Vec<usize> = own_and_parts(q)
        .into_iter()
        .filter(|i| c.rollups.series[*i].subject != Subject::Entity(me))
        .collect();
    if all.is_empty() {
        return Observation::unobservable();
    }
    let Some(first) = c.first else { return Observation::unobservable() };
    let window = Window {
        from: c.features.windows.incident.from - lead(&c.features.windows),
        to: c.features.windows.incident.to,
    };
    let births: BTreeMap<usize, Micros> = all
        .iter()
        .filter_map(|i| Some((*i, born(c, &c.rollups.series[*i], first)?)))
        .filter(|(_, at)| window.contains(*at))
        .collect();
    let mut best: Option<(f64, usize, warmup::Warmup, Option<f64>)> = None;
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for (i, at) in &births {
        let s = &c.rollups.series[*i];
        let points: Vec<(Micros, f64)> = s.points.iter().filter(|p| p.0 >= *at).collect();
        let Some(w) = warmup::warmup(&points) else { continue };
        let same = |j: &&usize| {
            let o = &c.rollups.series[**j];
            !births.contains_key(*j) && (o.signal, o.stat, &o.dims) == (s.signal, s.stat, &s.dims)
        };
        let levels: Vec<f64> = all
            .iter()
            .filter(same)
            .filter_map(|j| robust::median(&inside(&c.rollups.series[*j], window)))
            .collect();
        let others = robust::median(&levels);
        let usual = others.unwrap_or(w.late);
        let settled = w.late <= SETTLED * usual || w.early >= v * w.late;
        let ratio = if usual > 0.0 { w.early / usual } else { 0.0 };
        if ratio < v || !settled {
            continue;
        }
        if let Subject::Entity(part) = s.subject {
            names.insert(c.name(part));
        }
        if best.is_none_or(|b| ratio > b.0) {
            best = Some((ratio, *i, w, others));
        }
    }
    let unit = |i: usize| c.telemetry.signals.get(c.rollups.series[i].signal).unit();
    match best {
        None => described(c, all[0], None, Absent)
            .fact("instances", births.len().to_string())
            .fact("early", "?")
            .fact("late", "?")
            .fact("others", "?")
            .fact("half", "?"),
        Some((_, i, w, others)) => described(c, i, None, Present)
            .fact("target", c.name(me).to_owned())
            .fact("instances", names.into_iter().collect::<Vec<_>>().join(", "))
            .fact("early", human(w.early, unit(i)))
            .fact("late", human(w.late, unit(i)))
            .fact("others", others.map_or("no others".to_owned(), |o| human(o, unit(i))))
            .fact("half", time::duration(w.half_s))
            .fact("at", time::clock(w.from)),
    }
}

/// Members of one group of which usually one leads: instances of the subject, or the subject with
/// those of its kind that replicate it, share a caller or name the same cluster.
fn electorate(c: &Context, q: &Question, me: EntityId) -> BTreeMap<EntityId, usize> {
    let graph = &c.telemetry.graph;
    let mut all: BTreeMap<EntityId, usize> = BTreeMap::new();
    let of_source = c.of_source(&q.rule.source);
    for subject in &of_source.subjects {
        if let (Subject::Entity(x), Some(i)) = (*subject, of_source.at(*subject).first()) {
            all.insert(x, *i);
        }
    }
    let parts: BTreeMap<EntityId, usize> = all
        .iter()
        .filter(|(x, _)| **x != me && graph.owner(**x) == me)
        .map(|(x, i)| (*x, *i))
        .collect();
    if parts.len() >= 2 {
        return parts;
    }
    if !all.contains_key(&me) {
        return BTreeMap::new();
    }
    let named = |x: EntityId| -> BTreeSet<&str> {
        let about = |m: &&crate::telemetry::SeriesMeta| m.subject == Subject::Entity(x);
        let cluster = |d: &&str| d.starts_with("scope=") || d.starts_with("cluster=");
        let of = c.telemetry.series.iter().filter(about);
        of.flat_map(|m| m.dims.split(',')).filter(cluster).collect()
    };
    let callers = |x: EntityId| graph.callers(x).iter().copied().collect::<BTreeSet<_>>();
    let (own_callers, own_name) = (callers(me), named(me));
    let replicated = |x: EntityId| {
        graph
            .edges()
            .any(|(a, b, k)| k == EdgeKind::ReplicaOf && ((a, b) == (me, x) || (a, b) == (x, me)))
    };
    let related = |x: EntityId| {
        !own_callers.is_disjoint(&callers(x)) || !own_name.is_disjoint(&named(x)) || replicated(x)
    };
    let kind = graph.entity(me).kind;
    all.retain(|x, _| *x == me || graph.entity(*x).kind == kind && related(*x));
    all
}

fn leads_twice(q: &Question) -> Observation {
    let Question { context: c, subject: e, value: v, .. } = *q;
    let Some(me) = e else { return Observation::unobservable() };
    let group = electorate(c, q, me);
    if group.len() < 2 {
        return Observation::unobservable();
    }
    let w = &c.features.windows;
    let since = w.incident.from - lead(w).min((w.incident.from - w.baseline.from) / 2);
    let series: Vec<Vec<(Micros, f64)>> =
        group.values().map(|i| c.rollups.series[*i].points.to_vec()).collect();
    let step = group.values().map(|i| c.rollups.series[*i].step).max().unwrap_or(0);
    let found = leadership::overlap(&series, step, since);
    let i = group.get(&me).or(group.values().next()).copied().unwrap_or(0);
    let Some(o) = found else {
        return described(c, i, None, Absent)
            .fact("leaders", "1")
            .fact("names", "one at a time")
            .fact("for", "0 s")
            .fact("usual", "1");
    };
    let members: Vec<EntityId> = group.keys().copied().collect();
    let leading: Vec<EntityId> = o.leaders.iter().map(|k| members[*k]).collect();
    let names: Vec<&str> = leading.iter().map(|e| c.name(*e)).collect();
    let mine = leading.contains(&me) || group.keys().all(|x| *x != me);
    let state = if o.seconds >= v && mine { Present } else { Absent };
    let mut seen = described(c, i, None, state)
        .fact("leaders", o.most.to_string())
        .fact("names", names.join(" and "))
        .fact("for", time::duration((o.to - o.from) as f64 / 1e6))
        .fact("usual", o.usual.to_string())
        .fact("at", time::clock(o.from));
    seen.span = Some((o.from, o.to));
    seen
}

fn churns(q: &Question) -> Observation {
    let Question { context: c, value: v, .. } = *q;
    let w = &c.features.windows;
    let per_minute = |i: usize, w: Window| -> Option<f64> {
        let s = &c.rollups.series[i];
        let points: Vec<(Micros, f64)> = s.points.iter().filter(|p| w.contains(p.0)).collect();
        let minutes = (points.last()?.0 - points.first()?.0) as f64 / 60e6;
        // A term is a level that only grows; changes that were counted are a rate per second.
        let counted = s.role == "leader-changes";
        let changes = match counted {
            true => points.iter().map(|p| p.1).sum::<f64>() * s.step as f64 / 1e6,
            false => leadership::advances(&points),
        };
        (minutes > 0.0).then_some(changes / minutes)
    };
    let known = own_and_parts(q)
        .into_iter()
        .filter_map(|i| Some((i, per_minute(i, w.incident)?, per_minute(i, w.baseline))));
    let best = known.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
    let Some((i, now, before)) = best else { return Observation::unobservable() };
    let usual = before.unwrap_or(0.0);
    let minutes = w.incident.seconds() / 60.0;
    let often = now >= v && now * minutes >= CHANGES_MIN;
    let state = if often && usual <= UNUSUAL * now { Present } else { Absent };
    described(c, i, None, state)
        .fact("changes", format!("{:.0}", now * minutes))
        .fact("per_minute", format!("{now:.1}"))
        .fact("before", format!("{usual:.1}"))
}
