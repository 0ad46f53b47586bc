//! Tests on load and shape: skew, load that follows the entry, amplification, sawteeth, jumps.

use super::series::{candidates, described, ratio_text};
use super::{Context, Observation, Question, human, is_source};
use crate::diagnosis::EvidenceState::{Absent, Present};
use crate::features::{inside, sawtooth};
use crate::model::{EntityId, Subject, Unit};
use crate::rollup::Origin;
use crate::time;

/// The subject is the top member of a group and its share grew by at least `value`.
pub fn skew(q: &Question) -> Observation {
    let Question { context: c, subject: e, rule: r, value: v, .. } = *q;
    let Some(me) = e else { return Observation::unobservable() };
    let groups = c.features.skews.iter().filter(|s| {
        s.members.iter().any(|m| m.0 == me && is_source(c, &c.rollups.series[m.1], &r.source))
    });
    let best = groups.max_by(|a, b| a.skew.share.total_cmp(&b.skew.share));
    let Some(group) = best else { return Observation::unobservable() };
    let s = &group.skew;
    let (top, series) = group.members[s.top];
    let even = 1.0 / s.members as f64;
    let grown = s.share >= v * s.share_before.max(even);
    let state = if top == me && grown && s.top_to_median >= v + 1.0 { Present } else { Absent };
    described(c, series, None, state)
        .fact("share", human(s.share, Unit::Ratio))
        .fact("share_before", human(s.share_before, Unit::Ratio))
        .fact("times", format!("{:.1}", s.top_to_median))
        .fact("members", s.members.to_string())
        .fact("owner", c.name(group.owner).to_owned())
}

/// Growth of the traffic at the entry, found once; `None` when it is not known.
pub fn entry_ratio(c: &Context) -> Option<(f64, usize)> {
    *c.entry_ratio.get_or_init(|| find_entry_ratio(c))
}

fn find_entry_ratio(c: &Context) -> Option<(f64, usize)> {
    let mut ratios: Vec<(f64, usize)> = Vec::new();
    let traffic = c.of_source("role:traffic@server");
    for e in &c.entries {
        let own = traffic.at(Subject::Entity(*e)).iter();
        let series = own.min_by_key(|i| c.rollups.series[**i].origin);
        if let Some((i, shift)) = series.and_then(|i| c.features.series[*i].shift.map(|s| (*i, s)))
            && shift.ratio().is_finite()
        {
            ratios.push((shift.ratio(), i));
        }
    }
    ratios.into_iter().max_by(|a, b| a.0.total_cmp(&b.0))
}

/// Grew by the same factor as the traffic at the entry, within `value`.
pub fn follows_load(q: &Question) -> Observation {
    let Question { context: c, value: v, .. } = *q;
    let Some((load, _)) = entry_ratio(c) else { return Observation::unobservable() };
    let all = candidates(q);
    let near = |i: usize| {
        let own = c.features.series[i].shift.map(|s| s.ratio())?;
        Some((i, (own / load - 1.0).abs()))
    };
    match all.iter().filter_map(|(i, _)| near(*i)).max_by(|a, b| a.1.total_cmp(&b.1)) {
        None => Observation::unobservable(),
        Some((i, off)) => described(c, i, None, if off <= v { Present } else { Absent }),
    }
}

/// Calls per inbound request on an edge from the subject grew by at least `value`.
pub fn amplified(q: &Question) -> Observation {
    let Question { context: c, subject: e, value: v, .. } = *q;
    let Some(me) = e else { return Observation::unobservable() };
    let mut best: Option<(f64, f64, f64, usize, EntityId)> = None;
    for callee in c.telemetry.graph.callees(me) {
        let found = attempts(c, me, *callee);
        if let Some((before, during, i)) = found {
            let ratio = if before > 0.0 { during / before } else { continue };
            if best.is_none_or(|b| ratio > b.0) {
                best = Some((ratio, before, during, i, *callee));
            }
        }
    }
    match best {
        None => Observation::unobservable(),
        Some((ratio, before, during, i, callee)) => {
            let state = if ratio >= v { Present } else { Absent };
            let calls = described(c, i, Some(callee), state);
            let (b, d) = (calls.facts.get("before").cloned(), calls.facts.get("during").cloned());
            calls
                .fact("calls_before", b.unwrap_or_default())
                .fact("calls_during", d.unwrap_or_default())
                .fact("before", format!("{before:.1}"))
                .fact("during", format!("{during:.1}"))
                .fact("ratio", ratio_text(ratio))
        }
    }
}

/// Calls on an edge per request into its caller, in the two windows, and the edge's series.
pub fn attempts(c: &Context, caller: EntityId, callee: EntityId) -> Option<(f64, f64, usize)> {
    let rate = |subject: Subject, source: &str, origin: Origin| {
        let of_source = c.of_source(source);
        let fits = |i: &usize| c.rollups.series[*i].origin == origin;
        of_source.at(subject).iter().copied().find(fits)
    };
    for origin in [Origin::Metrics, Origin::Traces] {
        let edge = rate(Subject::Edge(caller, callee), "http.client.requests", origin);
        let inbound = rate(Subject::Entity(caller), "http.server.requests", origin);
        let (Some(edge), Some(inbound)) = (edge, inbound) else { continue };
        let total = |i: usize, w: crate::model::Window| {
            let values = inside(&c.rollups.series[i], w);
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        let per = |w: crate::model::Window| {
            Some(total(edge, w)? / total(inbound, w).filter(|x| *x > 0.0)?)
        };
        let windows = &c.features.windows;
        if let (Some(before), Some(during)) = (per(windows.baseline), per(windows.incident)) {
            return Some((before, during, edge));
        }
    }
    None
}

pub fn climbs_and_falls(q: &Question) -> Observation {
    let Question { context: c, value: v, .. } = *q;
    let all = own_and_parts(q);
    let known = all.iter().filter_map(|i| c.features.series[*i].sawtooth.as_ref().map(|s| (*i, s)));
    match known.max_by_key(|(i, s)| (s.falls.len(), std::cmp::Reverse(*i))) {
        None if all.is_empty() => Observation::unobservable(),
        None if all.iter().any(|i| sawtooth::too_coarse(&c.rollups.series[*i].points)) => {
            Observation::unobservable()
        }
        None => described(c, all[0], None, Absent).fact("falls", "0"),
        Some((i, s)) => {
            let unit = c.telemetry.signals.get(c.rollups.series[i].signal).unit();
            let state = if s.falls.len() as f64 >= v { Present } else { Absent };
            let per_hour = if unit == Unit::Ratio { s.slope * 3600.0 } else { s.slope * 60.0 };
            let per = if unit == Unit::Ratio { "hour" } else { "minute" };
            let mut o = described(c, i, None, state)
                .fact("falls", s.falls.len().to_string())
                .fact("teeth", s.teeth.to_string())
                .fact("period", time::duration(s.period_s))
                .fact("slope", format!("{} per {per}", human(per_hour, unit)))
                .fact("peak", human(s.peak, unit))
                .fact("floor", human(s.floor, unit));
            o.span = s.falls.first().copied().zip(s.falls.last().copied());
            o
        }
    }
}

/// Series of the source at the subject and at its instances.
pub(super) fn own_and_parts(q: &Question) -> Vec<usize> {
    let Question { context: c, subject: e, rule: r, .. } = *q;
    let Some(me) = e else { return Vec::new() };
    let mut all = c.with_parts(me);
    all.sort_unstable();
    let of_source = c.of_source(&r.source);
    all.iter().flat_map(|x| of_source.at(Subject::Entity(*x))).copied().collect()
}

/// Takes several values over the whole recording.
pub fn jumps(q: &Question) -> Observation {
    changing(q, |before, after| after > before + 0.5)
}

/// Changes between states that are whole numbers, e.g. a role, over the whole recording.
pub fn switches(q: &Question) -> Observation {
    changing(q, |before, after| (after - before).abs() > 0.5)
}

fn changing(q: &Question, changed: fn(f64, f64) -> bool) -> Observation {
    let Question { context: c, value: v, .. } = *q;
    let all = own_and_parts(q);
    let changes = |i: usize| {
        let points = &c.rollups.series[i].points;
        points.windows(2).filter(|w| changed(w[0].1, w[1].1)).count()
    };
    match all.iter().map(|i| (*i, changes(*i))).max_by_key(|(i, n)| (*n, std::cmp::Reverse(*i))) {
        None => Observation::unobservable(),
        Some((i, n)) => {
            let state = if n as f64 >= v { Present } else { Absent };
            described(c, i, None, state).fact("changes", n.to_string())
        }
    }
}
