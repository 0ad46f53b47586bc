//! Tests on series: shifts, levels, saturation, ramps, sawteeth, skew, load and amplification.

use super::sources::{Candidate, Shared};
use super::{Context, Observation, Question};
use crate::catalog::{EvidenceRule, On};
use crate::diagnosis::EvidenceState::{Absent, Present};
use crate::features::shift::Shift;
use crate::features::{inside, robust};
use crate::model::{EntityId, Micros, Subject, Unit};
use crate::rollup::{Origin, SignalSeries};
use crate::time;
use std::collections::BTreeMap;

/// Of the rise from the usual level to the top: near the usual level up to, and near the top from.
const LOW_SHARE: f64 = 0.25;
const HIGH_SHARE: f64 = 0.9;
/// Robust standard deviations of the incident's median from which a shift is one.
pub(super) const SHIFT_Z: f64 = 3.0;
/// Robust standard deviations of the incident's p90 from which a spiky shift is one.
pub(super) const SPIKE_Z: f64 = 8.0;

/// Whom a rule looks at: subjects, and the neighbour they belong to.
fn targets(
    context: &Context,
    subject: Option<EntityId>,
    rule: &EvidenceRule,
) -> Vec<(Subject, Option<EntityId>)> {
    let graph = &context.telemetry.graph;
    let entity = |e: EntityId| (Subject::Entity(e), Some(e));
    let all = || {
        let with = context.of_source(&rule.source);
        with.subjects.iter().map(|s| (*s, Some(s.owner()))).collect()
    };
    let Some(me) = subject else {
        return match rule.on {
            On::Entry => context.entries.iter().map(|e| entity(*e)).collect(),
            _ => all(),
        };
    };
    match rule.on {
        On::Subject => vec![(Subject::Entity(me), None)],
        On::Caller => graph.callers(me).iter().map(|e| entity(*e)).collect(),
        On::Callee => graph.callees(me).iter().map(|e| entity(*e)).collect(),
        On::EdgeIn => graph.callers(me).iter().map(|c| (Subject::Edge(*c, me), Some(*c))).collect(),
        On::EdgeOut => {
            graph.callees(me).iter().map(|c| (Subject::Edge(me, *c), Some(*c))).collect()
        }
        On::Entry => context.entries.iter().map(|e| entity(*e)).collect(),
        On::Host => graph.hosts(me).iter().map(|e| entity(*e)).collect(),
        On::Resident => graph.residents(me).iter().map(|e| entity(*e)).collect(),
        On::Messaging => {
            // A consumer's span often names no queue: it is known by whose messages it takes.
            let near = graph.correspondents(me);
            let far = near.iter().flat_map(|e| graph.correspondents(*e)).copied();
            let all: std::collections::BTreeSet<EntityId> =
                near.iter().copied().chain(far).filter(|e| *e != me).collect();
            all.into_iter().map(entity).collect()
        }
        On::Global => all(),
    }
}

/// Series that a rule looks at, with the neighbour each belongs to.
pub(super) fn candidates(q: &Question) -> Vec<Candidate> {
    let Question { context, subject, rule, .. } = *q;
    let find = || found(context, subject, rule);
    match shared(q) {
        Some(same) => context.sources.shared(&same, find).to_vec(),
        None => find(),
    }
}

/// Where a rule looks that looks at the same for every subject.
fn shared(q: &Question) -> Option<Shared> {
    let Question { subject, rule, .. } = *q;
    let at_entries = rule.on == On::Entry;
    (at_entries || rule.on == On::Global || subject.is_none()).then(|| Shared {
        at_entries,
        source: rule.source.clone(),
        dims: rule.conditions.get("dims").cloned(),
    })
}

/// The answer of a test that looks at nothing but its candidates: asked once where it is the same for
/// every subject, for there may be thousands of both.
fn of_candidates(q: &Question, answer: impl FnOnce(&[Candidate]) -> Observation) -> Observation {
    let make = || answer(&candidates(q));
    match shared(q) {
        Some(same) => q.context.sources.answer((same, q.rule.test.clone(), q.value), make),
        None => make(),
    }
}

fn found(context: &Context, subject: Option<EntityId>, rule: &EvidenceRule) -> Vec<Candidate> {
    let of_source = context.of_source(&rule.source);
    let mut found = Vec::new();
    if of_source.subjects.is_empty() {
        return found;
    }
    for (target, at) in targets(context, subject, rule) {
        let fits = |i: &&usize| dims_fit(&context.rollups.series[**i], rule);
        let own: Vec<usize> = of_source.at(target).iter().filter(fits).copied().collect();
        let traffic = |i: &usize| context.rollups.series[*i].role == "traffic";
        let metered = |i: &usize| context.rollups.series[*i].origin == Origin::Metrics;
        // Sampled spans count a share of what the metrics of the same thing count in full.
        let counted = own.iter().any(|i| traffic(i) && metered(i));
        let kept = |i: &usize| !counted || !traffic(i) || metered(i);
        found.extend(own.into_iter().filter(kept).map(|i| (i, at)));
    }
    found
}

fn dims_fit(s: &SignalSeries, rule: &EvidenceRule) -> bool {
    rule.conditions.get("dims").is_none_or(|d| s.dims.contains(d.as_str()))
}

/// A value with its unit, as people read it.
pub fn human(value: f64, unit: Unit) -> String {
    let plain = |v: f64| match v.abs() {
        a if a >= 1e6 => format!("{:.1}M", v / 1e6),
        a if a >= 1e4 => format!("{:.0}k", v / 1e3),
        a if a >= 100.0 || v.fract() == 0.0 => format!("{v:.0}"),
        a if a >= 1.0 => format!("{v:.1}"),
        0.0 => "0".to_owned(),
        _ => format!("{v:.2}"),
    };
    match unit {
        Unit::Seconds if value != 0.0 && value.abs() < 0.000_999_5 => {
            format!("{:.0} us", value * 1e6)
        }
        Unit::Seconds if value.abs() < 0.9995 => format!("{:.0} ms", value * 1e3),
        Unit::Seconds if value.abs() < 120.0 => format!("{value:.1} s"),
        Unit::Seconds => time::duration(value),
        Unit::Ratio => format!("{:.1} %", value * 100.0),
        Unit::PerSecond => format!("{}/s", plain(value)),
        Unit::Bytes if value.abs() >= 1_073_741_824.0 => {
            format!("{:.1} GiB", value / 1_073_741_824.0)
        }
        Unit::Bytes => format!("{:.0} MiB", value / 1_048_576.0),
        Unit::BytesPerSecond => format!("{:.0} KiB/s", value / 1024.0),
        Unit::Cores => format!("{value:.2} cores"),
        Unit::Count | Unit::Instant | Unit::None => plain(value),
    }
}

/// Fills the facts that every level test binds.
pub(super) fn described(
    context: &Context,
    i: usize,
    at: Option<EntityId>,
    state: crate::diagnosis::EvidenceState,
) -> Observation {
    let s = &context.rollups.series[i];
    let signal = context.telemetry.signals.get(s.signal);
    let feature = &context.features.series[i];
    let mut o = Observation::of(state);
    o.series = Some(i);
    o.seen_at = at;
    let w = context.features.windows.incident;
    o.span = Some((w.from, w.to));
    o = o.fact("target", target_name(context, s.subject)).fact("signal", signal.name.clone());
    if let Some(shift) = &feature.shift {
        let (before, during) = (shift.baseline.median, shift.incident_median);
        o = o
            .fact("before", human(before, signal.unit()))
            .fact("during", human(during, signal.unit()));
        o = o.fact("ratio", ratio_text(shift.ratio()));
    }
    let onset = feature.onset.map(|o| time::clock(o.at));
    o.fact("at", onset.unwrap_or_else(|| time::clock(w.from)))
}

pub(super) fn ratio_text(ratio: f64) -> String {
    match ratio {
        r if !r.is_finite() => "from zero".to_owned(),
        r if r >= 100.0 => format!("x{r:.0}"),
        r => format!("x{r:.1}"),
    }
}

/// An entity's name, or `caller -> callee`.
pub fn target_name(context: &Context, subject: Subject) -> String {
    match subject {
        Subject::Entity(e) => context.name(e).to_owned(),
        Subject::Edge(a, b) => format!("{} -> {}", context.name(a), context.name(b)),
    }
}

/// Says whether a shift is up (or down) by at least `ratio` and clearly off the noise.
pub fn moved(shift: &Shift, up: bool, ratio: f64) -> bool {
    let sign = if up { 1.0 } else { -1.0 };
    let grown = |level: f64| match up {
        true => level >= ratio * shift.baseline.median && level > shift.baseline.median,
        false => level * ratio <= shift.baseline.median && level < shift.baseline.median,
    };
    let lasting = sign * shift.z_median >= SHIFT_Z && grown(shift.incident_median);
    let third = 1.0 + (ratio - 1.0) / 3.0;
    let follows = match up {
        true => shift.incident_median >= third * shift.baseline.median,
        false => shift.incident_median * third <= shift.baseline.median,
    };
    let spiky =
        sign * shift.z >= SPIKE_Z && sign * shift.z_median >= 1.0 && grown(shift.level) && follows;
    lasting || spiky
}

fn shifted(q: &Question, up: bool) -> Observation {
    let Question { context, value, .. } = *q;
    let sign = if up { 1.0 } else { -1.0 };
    of_candidates(q, |all| {
        let known = all.iter().filter_map(|(i, at)| {
            let shift = context.features.series[*i].shift?;
            Some((*i, *at, moved(&shift, up, value), sign * shift.z_median))
        });
        let best = known.max_by(|a, b| a.2.cmp(&b.2).then(a.3.total_cmp(&b.3)).then(b.0.cmp(&a.0)));
        match best {
            None => Observation::unobservable(),
            Some((i, at, true, _)) => described(context, i, at, Present),
            Some((i, at, false, _)) => described(context, i, at, Absent),
        }
    })
}

pub fn shift_up(q: &Question) -> Observation {
    shifted(q, true)
}

pub fn shift_down(q: &Question) -> Observation {
    shifted(q, false)
}

/// Present when every series of the source stayed within `value` of its baseline.
pub fn steady(q: &Question) -> Observation {
    let Question { context: c, value: v, .. } = *q;
    of_candidates(q, |all| {
        let known: Vec<(usize, Option<EntityId>, Shift)> = all
            .iter()
            .filter_map(|(i, at)| c.features.series[*i].shift.map(|s| (*i, *at, s)))
            .collect();
        let off = |s: &Shift| (s.ratio() - 1.0).abs() > v && s.z_median.abs() >= SHIFT_Z;
        let worst = known.iter().max_by(|a, b| a.2.z_median.abs().total_cmp(&b.2.z_median.abs()));
        match worst {
            None => Observation::unobservable(),
            Some((i, at, _)) => {
                let state = if known.iter().any(|k| off(&k.2)) { Absent } else { Present };
                described(c, *i, *at, state)
            }
        }
    })
}

fn levelled(q: &Question, above: bool) -> Observation {
    let Question { context: c, value, rule, .. } = *q;
    let sign = if above { 1.0 } else { -1.0 };
    let level =
        |i: usize| robust::median(&inside(&c.rollups.series[i], c.features.windows.incident));
    let each = rule.conditions.get("per").is_some_and(|per| per == "instance");
    // Of several processes the busiest is meant, whichever side is asked for.
    let order = if each { 1.0 } else { sign };
    let answer = |all: &[Candidate]| {
        let known = all.iter().filter_map(|(i, at)| level(*i).map(|l| (*i, *at, l)));
        match known.max_by(|a, b| (order * a.2).total_cmp(&(order * b.2)).then(b.0.cmp(&a.0))) {
            None => Observation::unobservable(),
            Some((i, at, l)) => {
                let state = if sign * l >= sign * value { Present } else { Absent };
                described(c, i, at, state)
            }
        }
    };
    // Instances are each subject's own: their answer is not kept for others.
    let own = if each { instances(q) } else { Vec::new() };
    if own.is_empty() { of_candidates(q, answer) } else { answer(&own) }
}

/// A rule's series of each instance of the subject: what a service uses is the sum of them.
fn instances(q: &Question) -> Vec<Candidate> {
    let of_source = q.context.of_source(&q.rule.source);
    let parts = q.subject.map(|me| q.context.with_parts(me)).unwrap_or_default();
    let own = parts.iter().skip(1).flat_map(|part| of_source.at(Subject::Entity(*part)));
    own.filter(|i| dims_fit(&q.context.rollups.series[**i], q.rule)).map(|i| (*i, None)).collect()
}

pub fn level_above(q: &Question) -> Observation {
    levelled(q, true)
}

pub fn level_below(q: &Question) -> Observation {
    levelled(q, false)
}

/// At the ceiling for at least `value` of the incident, and clearly more than in the baseline.
pub fn saturates(q: &Question) -> Observation {
    let Question { context: c, value: v, .. } = *q;
    let all = candidates(q);
    let baseline = c.features.windows.baseline;
    let known = all.iter().filter_map(|(i, at)| {
        let s = c.features.series[*i].saturation?;
        let before = inside(&c.rollups.series[*i], baseline);
        let was = before.iter().filter(|x| **x >= 0.95 * s.ceiling).count() as f64;
        Some((*i, *at, s, was / before.len().max(1) as f64))
    });
    match known.max_by(|a, b| a.2.share.total_cmp(&b.2.share).then(b.0.cmp(&a.0))) {
        // A level with a limit that never comes near it is observed, and not saturated.
        None if all.iter().any(|(i, _)| c.features.series[*i].shift.is_some()) => {
            described(c, all[0].0, all[0].1, Absent)
                .fact("share", "0 %")
                .fact("ceiling", "its maximum")
        }
        None => Observation::unobservable(),
        Some((i, at, s, was)) => {
            let unit = c.telemetry.signals.get(c.rollups.series[i].signal).unit();
            let state = if s.share >= v && was < 0.5 * s.share { Present } else { Absent };
            described(c, i, at, state)
                .fact("share", human(s.share, Unit::Ratio))
                .fact("ceiling", human(s.ceiling, unit))
        }
    }
}

/// Climbs to its top over several samples: the way from a quarter to nine tenths of the rise.
pub fn ramp(q: &Question) -> Observation {
    let Question { context: c, value: v, .. } = *q;
    let windows = &c.features.windows;
    let mut best: Option<(usize, Option<EntityId>, f64)> = None;
    let all = candidates(q);
    for (i, at) in &all {
        let Some(shift) = c.features.series[*i].shift else { continue };
        let from = windows.incident.from - crate::features::lead(windows);
        let points: Vec<(Micros, f64)> = c.rollups.series[*i]
            .points
            .iter()
            .filter(|p| p.0 >= from && p.0 < windows.incident.to)
            .collect();
        let top = points.iter().map(|p| p.1).fold(f64::MIN, f64::max);
        let rise = top - shift.baseline.median;
        if points.len() < 6 || rise <= 3.0 * shift.baseline.scale {
            continue;
        }
        let end = points
            .iter()
            .position(|p| p.1 >= shift.baseline.median + HIGH_SHARE * rise)
            .unwrap_or(0);
        let low = |p: &(Micros, f64)| p.1 <= shift.baseline.median + LOW_SHARE * rise;
        let start = points[..end].iter().rposition(low).unwrap_or(0);
        let steps = (end - start) as f64;
        if best.is_none_or(|b| steps > b.2) {
            best = Some((*i, *at, steps));
        }
    }
    match best {
        Some((i, at, steps)) => described(c, i, at, if steps >= v { Present } else { Absent }),
        None if all.is_empty() => Observation::unobservable(),
        None => described(c, all[0].0, all[0].1, Absent),
    }
}

/// Goes up to its top and back near its usual level at least `value` times during the incident:
/// what fills it is given back, again and again.
pub fn comes_back(q: &Question) -> Observation {
    let Question { context: c, value: v, .. } = *q;
    let windows = &c.features.windows;
    let all = candidates(q);
    let mut best: Option<(usize, Option<EntityId>, usize)> = None;
    for (i, at) in &all {
        let Some(shift) = c.features.series[*i].shift else { continue };
        let points = &c.rollups.series[*i].points;
        let inside =
            || points.iter().map(|p| (p.0, p.1)).filter(|p| windows.incident.contains(p.0));
        let rise = inside().map(|p| p.1).fold(f64::MIN, f64::max) - shift.baseline.median;
        if rise <= SHIFT_Z * shift.baseline.scale {
            continue;
        }
        let (mut high, mut returns) = (false, 0);
        for (_, value) in inside() {
            let share = (value - shift.baseline.median) / rise;
            if high && share <= LOW_SHARE {
                returns += 1;
            }
            high = share >= HIGH_SHARE || (high && share > LOW_SHARE);
        }
        if best.is_none_or(|b| returns > b.2) {
            best = Some((*i, *at, returns));
        }
    }
    match best {
        Some((i, at, returns)) => {
            let state = if returns as f64 >= v { Present } else { Absent };
            described(c, i, at, state).fact("falls", returns.to_string())
        }
        None if all.is_empty() => Observation::unobservable(),
        None => described(c, all[0].0, all[0].1, Absent).fact("falls", "0".to_owned()),
    }
}

/// Facts that a level test would bind, for reports of unclassified anomalies.
pub fn level_facts(context: &Context, i: usize) -> BTreeMap<String, String> {
    described(context, i, None, Present).facts
}
