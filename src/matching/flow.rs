//! Tests on flows: backlogs that grow, one rate that outpaces another, excursions that come back,
//! two series that move together.

use super::series::{candidates, described, human, ratio_text};
use super::{Context, Observation, Question, Test};
use crate::catalog::{EvidenceRule, On};
use crate::diagnosis::EvidenceState::{Absent, Present};
use crate::features::growth::{self, Growth};
use crate::features::pulses::{self, Pulses, Side};
use crate::features::{association, inside, lead};
use crate::model::{EntityId, Micros, Subject, Unit, Window};
use crate::time;

/// Kendall's tau of a climb, and the largest p-value of it.
const TAU_MIN: f64 = 0.6;
const P_MAX: f64 = 0.05;
/// Backlogs below this are what is under way anyway: messages, and seconds of age.
const FEW: f64 = 5.0;
const YOUNG_S: f64 = 1.0;

/// The tests of this file.
pub const TESTS: &[Test] = &[
    Test {
        name: "grows",
        what: "a backlog climbs beyond everything seen before",
        default: 3.0,
        meaning: "least ratio of its top to the highest level before",
        binds: &["target", "before", "during", "rate", "for", "at", "signal"],
        on_series: true,
        run: grows,
    },
    Test {
        name: "outpaces",
        what: "one rate exceeds another of the same target while the backlog climbs",
        default: 1.2,
        meaning: "least ratio of the two",
        binds: &["target", "in", "out", "ratio", "signal"],
        on_series: true,
        run: outpaces,
    },
    Test {
        name: "pulses-up",
        what: "short bursts at a fixed distance",
        default: 3.0,
        meaning: "least number of them",
        binds: &["target", "pulses", "period", "width", "level", "extreme", "signal"],
        on_series: true,
        run: pulses_up,
    },
    Test {
        name: "pulses-down",
        what: "short dips at a fixed distance",
        default: 3.0,
        meaning: "least number of them",
        binds: &["target", "pulses", "period", "width", "level", "extreme", "signal"],
        on_series: true,
        run: pulses_down,
    },
    Test {
        name: "moves-with",
        what: "rises and falls together with another series during the incident",
        default: 0.5,
        meaning: "least rank correlation",
        binds: &["target", "other", "correlation", "signal"],
        on_series: true,
        run: moves_with,
    },
];

/// Where a climb that belongs to this incident may lie.
fn look(c: &Context) -> Window {
    let w = &c.features.windows;
    Window { from: w.incident.from - lead(w), to: w.incident.to }
}

fn climb(c: &Context, i: usize) -> Option<Growth> {
    let w = &c.features.windows;
    growth::growth(&c.rollups.series[i].points, w.baseline, look(c))
}

fn least(unit: Unit) -> f64 {
    match unit {
        Unit::Count => FEW,
        Unit::Seconds => YOUNG_S,
        _ => 0.0,
    }
}

fn grows(q: &Question) -> Observation {
    let Question { context: c, value: v, .. } = *q;
    let all = candidates(q);
    let unit = |i: usize| c.telemetry.signals.get(c.rollups.series[i].signal).unit();
    let steep = |i: usize, g: &Growth| g.peak / g.before.max(least(unit(i))).max(f64::MIN_POSITIVE);
    let found = all.iter().filter_map(|(i, at)| Some((*i, *at, climb(c, *i)?)));
    let best =
        found.max_by(|a, b| steep(a.0, &a.2).total_cmp(&steep(b.0, &b.2)).then(b.0.cmp(&a.0)));
    let nothing = |o: Observation| o.fact("rate", "0").fact("for", "0 s");
    match best {
        None if all.iter().all(|(i, _)| c.features.series[*i].shift.is_none()) => {
            Observation::unobservable()
        }
        None => nothing(described(c, all[0].0, all[0].1, Absent)),
        Some((i, at, g)) => {
            let trend = g.tau >= TAU_MIN && g.p <= P_MAX;
            let state = if trend && steep(i, &g) >= v { Present } else { Absent };
            let unit = unit(i);
            let mut o = described(c, i, at, state)
                .fact("before", human(g.start, unit))
                .fact("during", human(g.peak, unit))
                .fact("rate", format!("{}/s", human(g.slope, Unit::None)))
                .fact("for", time::duration((g.top - g.from) as f64 / 1e6))
                .fact("at", time::clock(g.from));
            o.span = Some((g.from, g.top));
            o
        }
    }
}

/// The steepest climb of a backlog at the target or, failing that, anywhere: while it lasts, what
/// goes in must exceed what comes out.
fn climbing(c: &Context, target: Subject) -> Option<Growth> {
    let backlog = |i: &usize| c.rollups.series[*i].role == "lag";
    let steepest = |all: &mut dyn Iterator<Item = usize>| {
        all.filter_map(|i| climb(c, i))
            .filter(|g| g.tau >= TAU_MIN && g.p <= P_MAX)
            .max_by(|a, b| a.slope.total_cmp(&b.slope))
    };
    let own = steepest(&mut c.series_of(target).iter().copied().filter(backlog));
    own.or_else(|| steepest(&mut (0..c.rollups.series.len()).filter(backlog)))
}

fn outpaces(q: &Question) -> Observation {
    let Question { context: c, rule: r, value: v, .. } = *q;
    let Some(than) = r.conditions.get("than") else { return Observation::unobservable() };
    let others = c.of_source(than);
    let mut best: Option<(f64, usize, Option<EntityId>, f64, f64)> = None;
    for (i, at) in candidates(q) {
        let target = c.rollups.series[i].subject;
        let window = climbing(c, target)
            .map_or(c.features.windows.incident, |g| Window { from: g.from, to: g.top });
        let mean = |i: usize| {
            let values = inside(&c.rollups.series[i], window);
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        let out = others.at(target).first().and_then(|j| mean(*j));
        let (Some(into), Some(out)) = (mean(i), out) else { continue };
        let ratio = if out > 0.0 { into / out } else { f64::INFINITY };
        if into > 0.0 && best.is_none_or(|b| ratio > b.0) {
            best = Some((ratio, i, at, into, out));
        }
    }
    let Some((ratio, i, at, into, out)) = best else { return Observation::unobservable() };
    described(c, i, at, if ratio >= v { Present } else { Absent })
        .fact("in", human(into, Unit::PerSecond))
        .fact("out", human(out, Unit::PerSecond))
        .fact("ratio", if ratio.is_finite() { ratio_text(ratio) } else { "nothing out".into() })
}

fn pulsing(q: &Question, side: Side) -> Observation {
    let Question { context: c, value: v, .. } = *q;
    let all = candidates(q);
    let window = look(c);
    let found = |i: usize| -> Option<Pulses> {
        let points: Vec<(Micros, f64)> =
            c.rollups.series[i].points.iter().filter(|p| window.contains(p.0)).copied().collect();
        pulses::pulses(&points, side)
    };
    let best = all
        .iter()
        .filter_map(|(i, at)| Some((*i, *at, found(*i)?)))
        .max_by(|a, b| a.2.count.cmp(&b.2.count).then(b.0.cmp(&a.0)));
    let measured = |(i, _): &(usize, Option<EntityId>)| {
        let points = c.rollups.series[*i].points.iter().filter(|p| window.contains(p.0)).count();
        c.features.series[*i].shift.is_some() && points >= pulses::POINTS_MIN
    };
    match (best, all.iter().find(|x| measured(x))) {
        (None, None) => Observation::unobservable(),
        (None, Some((i, at))) => described(c, *i, *at, Absent)
            .fact("pulses", "0")
            .fact("period", "none")
            .fact("width", "0 s")
            .fact("level", "?")
            .fact("extreme", "?"),
        (Some((i, at, p)), _) => {
            let unit = c.telemetry.signals.get(c.rollups.series[i].signal).unit();
            let mut o = described(c, i, at, if p.count as f64 >= v { Present } else { Absent })
                .fact("pulses", p.count.to_string())
                .fact("period", time::duration(p.period_s))
                .fact("width", time::duration(p.width_s))
                .fact("level", human(p.level, unit))
                .fact("extreme", human(p.extreme, unit));
            o.span = Some((p.first, p.last));
            o
        }
    }
}

fn pulses_up(q: &Question) -> Observation {
    pulsing(q, Side::Up)
}

fn pulses_down(q: &Question) -> Observation {
    pulsing(q, Side::Down)
}

/// Whom the other series of `moves-with` belongs to.
fn place(name: &str) -> On {
    match name {
        "caller" => On::Caller,
        "callee" => On::Callee,
        "edge-in" => On::EdgeIn,
        "edge-out" => On::EdgeOut,
        "entry" => On::Entry,
        "host" => On::Host,
        "resident" => On::Resident,
        _ => On::Subject,
    }
}

fn moves_with(q: &Question) -> Observation {
    let Question { context: c, rule: r, value: v, .. } = *q;
    let Some(with) = r.conditions.get("with") else { return Observation::unobservable() };
    let on = r.conditions.get("at").map_or(On::Subject, |p| place(p));
    let conditions = std::collections::BTreeMap::new();
    let other = EvidenceRule { on, source: with.clone(), conditions, ..r.clone() };
    let others = candidates(&Question { rule: &other, ..*q });
    let window = look(c);
    let part = |i: usize| -> Vec<(Micros, f64)> {
        c.rollups.series[i].points.iter().filter(|p| window.contains(p.0)).copied().collect()
    };
    let mut best: Option<(f64, usize, Option<EntityId>, usize)> = None;
    for (i, at) in candidates(q) {
        let own = part(i);
        for (j, _) in others.iter().filter(|(j, _)| *j != i) {
            let found = association::spearman(&own, &part(*j));
            if let Some(rho) = found.filter(|rho| best.is_none_or(|b| *rho > b.0)) {
                best = Some((rho, i, at, *j));
            }
        }
    }
    let Some((rho, i, at, j)) = best else { return Observation::unobservable() };
    described(c, i, at, if rho >= v { Present } else { Absent })
        .fact("correlation", format!("{rho:.2}"))
        .fact("other", super::target_name(c, c.rollups.series[j].subject))
}
