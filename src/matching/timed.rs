//! Tests on moments and on parts of a service: expiry, events while it lasts, failures around
//! restarts, newcomers against old instances, one route against the others.

use super::facts::{event_facts, is_about, trouble_of};
use super::series::{candidates, described, human};
use super::{Context, Observation, Question, Test};
use crate::diagnosis::EvidenceState::{Absent, Present};
use crate::features::structure::OperationShift;
use crate::features::{inside, lead, robust};
use crate::model::{EntityId, EntityKind, Micros, SECOND, Subject, Unit, Window};
use crate::time;
use std::collections::BTreeSet;

/// Tests of this file.
pub const TESTS: &[Test] = &[
    Test {
        name: "expired",
        what: "a time that the source names, or its last day, lies at the onset",
        default: 120.0,
        meaning: "largest distance, seconds",
        binds: &["target", "signal", "end", "lag"],
        on_series: true,
        run: expired,
    },
    Test {
        name: "happened",
        what: "events of a kind shortly before or while it lasts",
        default: 1.0,
        meaning: "least number of events",
        binds: &["count", "event", "event_kind", "event_at", "version", "lag"],
        on_series: false,
        run: happened,
    },
    Test {
        name: "around-restarts",
        what: "failures lie around restarts of the subject",
        default: 0.6,
        meaning: "least share of the failures",
        binds: &["target", "signal", "before", "during", "restarts", "share"],
        on_series: true,
        run: around_restarts,
    },
    Test {
        name: "newcomers",
        what: "instances that started late are worse than those that ran before",
        default: 2.0,
        meaning: "least ratio",
        binds: &["target", "signal", "new", "new_level", "old_level"],
        on_series: true,
        run: newcomers,
    },
    Test {
        name: "route-split",
        what: "some routes are worse and others as before",
        default: 1.0,
        meaning: "least number of routes that are as before",
        binds: &["route", "worse", "quiet", "routes", "fails", "slower"],
        on_series: false,
        run: route_split,
    },
];

/// Time around a restart in which failures are the restart's, besides a sample's step.
const AROUND: Micros = 15 * SECOND;
/// Failures gather around restarts when their share there is so much larger than that of the time.
const GATHERED: f64 = 1.3;
/// Steps after the first sample of a recording from which an instance is new.
const LATE_STEPS: i64 = 4;
/// A route is worse when its failed share grows by this, or its time by this (natural log).
const ROUTE_FAILS: f64 = 0.05;
const ROUTE_SLOWS: f64 = 0.3;
/// A route is as before when it moves by less than these.
const ROUTE_QUIET: (f64, f64) = (0.02, 0.15);

/// A time that the source names (not-after, expires-at) or the day on which days left run out lies
/// at most `value` seconds from the onset.
pub fn expired(q: &Question) -> Observation {
    let Question { context: c, value: v, .. } = *q;
    let all = candidates(q);
    let onset = c.features.windows.incident.from;
    let ends = all.iter().filter_map(|(i, at)| Some((*i, *at, end_of(c, *i)?)));
    let nearest = ends.min_by_key(|(i, _, end)| ((end - onset).abs(), *i));
    let Some((i, at, end)) = nearest else { return Observation::unobservable() };
    let lag = (onset - end) as f64 / SECOND as f64;
    let state = if lag.abs() <= v { Present } else { Absent };
    let when = match lag >= 0.0 {
        true => format!("{} before the onset", time::duration(lag)),
        false => format!("{} after the onset", time::duration(-lag)),
    };
    let mut o = described(c, i, at, state).fact("end", time::rfc3339(end)).fact("lag", when);
    o.span = Some((end, end));
    o
}

/// When what a series is about ends: the first end that it names, or when its days run out.
fn end_of(c: &Context, i: usize) -> Option<Micros> {
    let s = &c.rollups.series[i];
    let first = s.points.iter().find(|p| p.1.is_finite())?;
    match c.telemetry.signals.get(s.signal).unit() {
        Unit::Instant => (1e9..1e11).contains(&first.1).then_some((first.1 * 1e6) as Micros),
        _ => s.points.iter().find(|p| p.1 <= 0.0).map(|p| p.0),
    }
}

/// At least `value` events of the wanted kind and title between the lead of the incident and its
/// end, about the subject (or about anybody, where the rule looks at everything).
pub fn happened(q: &Question) -> Observation {
    let Question { context: c, value: v, .. } = *q;
    if c.telemetry.events.is_empty() {
        return Observation::unobservable();
    }
    let w = &c.features.windows;
    let look = Window { from: w.incident.from - lead(w), to: w.incident.to + 60 * SECOND };
    let mut found: Vec<_> = c
        .telemetry
        .events
        .iter()
        .filter(|(ids, x)| look.contains(x.at) && is_about(q, ids, x))
        .map(|(_, x)| x)
        .collect();
    found.sort_by_key(|x| ((x.at - w.incident.from).abs(), x.line));
    let count = found.iter().map(|x| times(&x.title)).fold(0, u64::saturating_add);
    match found.first().filter(|_| count as f64 >= v) {
        Some(x) => event_facts(c, trouble_of(c, q.subject), x, Observation::of(Present))
            .fact("count", count.to_string()),
        None => Observation::of(Absent).fact("count", count.to_string()),
    }
}

/// How often an event happened that a platform has put together: `… (x27 since …)` is 27 of them.
fn times(title: &str) -> u64 {
    let counted = title.rsplit_once("(x").map(|(_, rest)| rest);
    let digits = counted.map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    digits.flatten().and_then(|d| d.parse().ok()).unwrap_or(1)
}

/// At least `value` of the failures lie around restarts of the subject, of which there are two or
/// more, and clearly more than of the time.
pub fn around_restarts(q: &Question) -> Observation {
    let Question { context: c, subject: e, value: v, .. } = *q;
    let Some(me) = e else { return Observation::unobservable() };
    let incident = c.features.windows.incident;
    let mut restarts = restarts(c, me);
    restarts.retain(|t| incident.contains(*t));
    let all = candidates(q);
    let shares = all.iter().filter_map(|(i, at)| {
        let s = &c.rollups.series[*i];
        let usual = c.features.series[*i].shift.map_or(0.0, |h| h.baseline.median);
        if restarts.is_empty() {
            // Nothing lies around none, whatever there is of failures.
            let any = s.points.within(incident).iter().any(|v| *v > usual);
            return any.then_some((*i, *at, 0.0, 0.0));
        }
        let points: Vec<(Micros, f64)> =
            s.points.iter().filter(|p| incident.contains(p.0)).collect();
        let reach = AROUND + s.step;
        let near = |t: Micros| {
            let next = restarts.partition_point(|r| *r < t - reach);
            restarts.get(next).is_some_and(|r| *r <= t + reach)
        };
        let above = |p: &(Micros, f64)| (p.1 - usual).max(0.0);
        let total: f64 = points.iter().map(above).sum();
        // The sum of none is -0.0, which would be said so.
        let around = points.iter().filter(|p| near(p.0)).map(above).sum::<f64>() + 0.0;
        let time = points.iter().filter(|p| near(p.0)).count() as f64 / points.len().max(1) as f64;
        (total > 0.0).then_some((*i, *at, around / total, time))
    });
    let Some((i, at, share, time)) = shares.max_by(|a, b| a.2.total_cmp(&b.2).then(b.0.cmp(&a.0)))
    else {
        return match all.first() {
            Some((i, at)) => described(c, *i, *at, Absent)
                .fact("restarts", restarts.len().to_string())
                .fact("share", "0 %"),
            None => Observation::unobservable(),
        };
    };
    // Where restarts follow each other all the time, nothing is left to compare with.
    let gathered = share >= GATHERED * time || time > 0.9 && share > 0.99;
    let state = if restarts.len() >= 2 && share >= v && gathered { Present } else { Absent };
    described(c, i, at, state)
        .fact("restarts", restarts.len().to_string())
        .fact("share", human(share, Unit::Ratio))
}

/// Kinds of events in which somebody starts a service anew by intent.
const ROLLOUTS: [&str; 5] = ["deploy", "deployment", "release", "rollout", "rollback"];
/// A rollout has started an instance anew within this time.
const ROLLOUT: Micros = 60 * SECOND;

/// When a service or one of its instances started anew without being asked to: its counter of
/// restarts rises, its start time changes, or an event says so. The first start after a rollout of
/// it is that rollout's.
fn restarts(c: &Context, me: EntityId) -> Vec<Micros> {
    let owner = c.telemetry.graph.owner(me);
    let own = c.with_parts(owner);
    let mut out: Vec<Micros> = Vec::new();
    let series = own.iter().flat_map(|e| c.series_of(Subject::Entity(*e)));
    for s in series.map(|i| &c.rollups.series[*i]) {
        match s.role.as_str() {
            "restarts" => out.extend(s.points.iter().filter(|p| p.1 > 0.0).map(|p| p.0)),
            "start-time" => {
                let later = s.points.pairs().filter(|(a, b)| b.1 > a.1 + 0.5);
                out.extend(later.map(|(_, b)| b.0));
            }
            _ => {}
        }
    }
    let events = c.telemetry.events.iter();
    let events = events.filter(|(ids, _)| ids.iter().any(|e| own.contains(e))).map(|(_, x)| x);
    out.extend(events.clone().filter(|x| x.kind == "restart").map(|x| x.at));
    out.sort_unstable();
    for x in events.filter(|x| ROLLOUTS.contains(&x.kind.as_str())) {
        let next = out.partition_point(|t| *t < x.at - AROUND);
        if let Some(begun) = out.get(next).copied().filter(|t| *t <= x.at + ROLLOUT) {
            out.retain(|t| !(begun..=begun + AROUND).contains(t));
        }
    }
    // One restart, seen twice, is one.
    let mut last = Micros::MIN;
    out.retain(|t| {
        let new = t.saturating_sub(last) > AROUND;
        if new {
            last = *t;
        }
        new
    });
    out
}

/// Instances of the subject that started shortly before or in the incident are worse by `value`
/// than those that ran before, at the same time.
pub fn newcomers(q: &Question) -> Observation {
    let Question { context: c, subject: e, rule: r, value: v, .. } = *q;
    let Some(me) = e else { return Observation::unobservable() };
    let w = &c.features.windows;
    let graph = &c.telemetry.graph;
    let mut levels: [Vec<(f64, usize, EntityId)>; 2] = [Vec::new(), Vec::new()];
    let mut unit = Unit::None;
    let of_source = c.of_source(&r.source);
    for part in c.with_parts(me).into_iter().filter(|p| *p != me) {
        if graph.entity(part).kind != EntityKind::Instance {
            continue;
        }
        let series = c.series_of(Subject::Entity(part));
        // A target may be known before it runs.
        let ran = series.iter().filter(|i| c.rollups.series[**i].role != "up");
        // Traces count none where they have none: only what is not zero shows that it runs.
        let shows = |i: &usize| c.rollups.series[*i].points.iter().find(|p| p.1 > 0.0);
        let first = ran.filter_map(shows);
        let Some(first) = first.map(|p| p.0).min() else { continue };
        for i in of_source.at(Subject::Entity(part)) {
            let s = &c.rollups.series[*i];
            let late = w.baseline.from + LATE_STEPS * s.step.max(SECOND);
            let new = first > late && first >= w.incident.from - lead(w);
            if let Some(level) = robust::median(&inside(s, w.incident)) {
                unit = c.telemetry.signals.get(s.signal).unit();
                levels[usize::from(new)].push((level, *i, part));
            }
        }
    }
    let mean = |all: &[(f64, usize, EntityId)]| {
        (!all.is_empty()).then(|| all.iter().map(|x| x.0).sum::<f64>() / all.len() as f64)
    };
    let (Some(old), Some(new)) = (mean(&levels[0]), mean(&levels[1])) else {
        return Observation::unobservable();
    };
    let floor = if unit == Unit::Ratio { 0.02 } else { 0.0 };
    let names: BTreeSet<&str> = levels[1].iter().map(|x| c.name(x.2)).collect();
    let state = if new >= v * old && new - old > floor { Present } else { Absent };
    described(c, levels[1][0].1, Some(levels[1][0].2), state)
        .fact("new", names.into_iter().collect::<Vec<_>>().join(", "))
        .fact("new_level", human(new, unit))
        .fact("old_level", human(old, unit))
}

/// Of several routes into the subject some are worse, and at least `value` of them are as before.
pub fn route_split(q: &Question) -> Observation {
    let Question { context: c, subject: e, value: v, .. } = *q;
    let Some(me) = e else { return Observation::unobservable() };
    let own: Vec<&OperationShift> =
        c.features.operations.iter().filter(|o| o.service == me && o.entry).collect();
    if own.len() < 2 {
        return Observation::unobservable();
    }
    let worse = |o: &&&OperationShift| o.errors >= ROUTE_FAILS || o.duration >= ROUTE_SLOWS;
    let quiet =
        |o: &&&OperationShift| o.errors.abs() < ROUTE_QUIET.0 && o.duration.abs() < ROUTE_QUIET.1;
    let size = |o: &OperationShift| o.errors + o.duration;
    let name = |o: &OperationShift| {
        c.telemetry.symbols.get(o.operation as usize).cloned().unwrap_or_default()
    };
    let bad: Vec<&&OperationShift> = own.iter().filter(worse).collect();
    let still = own.iter().filter(quiet).count();
    let worst = bad.iter().max_by(|a, b| size(a).total_cmp(&size(b)));
    let state = if !bad.is_empty() && still as f64 >= v { Present } else { Absent };
    let mut o = Observation::of(state)
        .fact("route", worst.map_or("no route".to_owned(), |o| name(o)))
        .fact("worse", bad.len().to_string())
        .fact("quiet", still.to_string())
        .fact("routes", own.len().to_string());
    if let Some(w) = worst {
        o = o
            .fact("fails", human(w.errors.max(0.0), Unit::Ratio))
            .fact("slower", format!("x{:.1}", w.duration.exp()));
    } else {
        o = o.fact("fails", "0 %").fact("slower", "x1.0");
    }
    let incident = c.features.windows.incident;
    o.span = Some((incident.from, incident.to));
    o
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_that_were_put_together_count_as_many() {
        assert_eq!(times("Unhealthy: Readiness probe failed (x27 since 2026-06-01T08:20:08Z)"), 27);
        assert_eq!(times("BackOff: restarting (x2)"), 2);
        for title in
            ["Killing: Stopping container", "odd (x", "odd (xyz)", "(x99999999999999999999)"]
        {
            assert_eq!(times(title), 1, "{title}");
        }
    }
}
