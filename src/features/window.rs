//! The incident window: given, or found where users' symptoms leave their usual level.
//! In: series. Out: baseline and incident windows and how they were decided.
//!
//! Each symptom series is cut into segments of one level (rank CUSUM); segments that are clearly
//! worse than the normal one are disturbances; the stretch in which most subjects are disturbed
//! is the incident. Thresholds are about what a user can feel, not about any data set.

use super::{change, robust};
use crate::ingest::raw::IncidentFile;
use crate::model::{EntityId, Micros, Subject, Unit, Window};
use crate::rollup::SignalSeries;
use crate::signals::{Direction, SignalTable};
use std::collections::{BTreeMap, BTreeSet};

/// Robust standard deviations that a disturbed segment lies off the normal one.
const DISTURBED_Z: f64 = 3.5;
/// A latency is worse when it grows by this factor …
const LATENCY_RATIO: f64 = 1.4;
/// … and by this many seconds.
const LATENCY_S: f64 = 0.005;
/// An error ratio or availability is worse when it moves by this share of requests.
const SHARE: f64 = 0.01;
/// Any other trouble signal is worse when it grows by this factor.
const OTHER_RATIO: f64 = 2.0;
/// A disturbance of fewer points, or a smaller share of the recording, is a blip.
const BLIP_POINTS: usize = 4;
const BLIP_SHARE: f64 = 0.02;
/// A first segment at least this share of the recording is the normal one.
const NORMAL_SHARE: f64 = 0.15;
/// The incident is where at least this share of the most subjects disturbed at once are disturbed.
const VOTE_SHARE: f64 = 0.34;

/// A sample belongs to a disturbance when it has gone this share of the way to its level.
const DEPARTED_SHARE: f64 = 0.25;
/// The incident begins when this share of the disturbances that overlap its peak have begun: a
/// single early one may be chance, and each entity's own onset is looked for before it anyway.
const BEGUN_SHARE: f64 = 0.2;

/// Time before a given incident that is left out of the baseline, at most.
const GUARD: Micros = 30 * crate::model::SECOND;

/// Roles by which users feel an incident.
pub const SYMPTOM_ROLES: [&str; 3] = ["latency", "errors", "availability"];
/// Roles that show trouble which users need not feel yet.
const TROUBLE_ROLES: [&str; 14] = [
    "queue",
    "lag",
    "pool-pending",
    "pool-timeouts",
    "pool-wait",
    "lock-waiters",
    "restarts",
    "up",
    "throttle",
    "replication-lag",
    "workers-utilization",
    "pool-utilization",
    "broker-alarm",
    "leader-changes",
];

/// Resources whose lasting growth without more load is worth a look even if nobody felt it.
const RESOURCE_ROLES: [&str; 3] = ["cpu", "memory", "disk"];
/// Traffic that moves by this factor explains resources that move with it.
const LOAD_RATIO: f64 = 1.3;

/// A bump is like another up to this ratio of their sizes.
const BREATH_Z: f64 = 1.5;

/// The two windows that everything is compared between.
#[derive(Clone, Debug)]
pub struct Windows {
    pub baseline: Window,
    pub incident: Window,
    /// In words, for every report.
    pub how: String,
    /// False when nothing disturbed was found and no window was given.
    pub disturbed: bool,
    /// The windows were given by the user.
    pub given: bool,
    /// Users' symptoms, not only internal trouble, decided.
    pub felt: bool,
}

/// A stretch in which one series is clearly worse than normal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Disturbance {
    pub series: usize,
    pub subject: Subject,
    pub from: Micros,
    pub to: Micros,
    pub z: f64,
}

/// Decides the windows of an incident.
pub fn windows(
    incident: &IncidentFile,
    series: &[SignalSeries],
    table: &SignalTable,
    symptom: Option<EntityId>,
    extent: (Micros, Micros),
) -> Windows {
    let (first, last) = extent;
    if let Some(given) = incident.incident {
        // Alarms fire late: what stands just before the given start may belong to the incident.
        let guard = ((given.from - first) / 10).clamp(0, GUARD);
        let before = Window { from: first, to: given.from - guard };
        let baseline = incident.baseline.unwrap_or(before);
        let how = match (incident.baseline, baseline.seconds() > 0.0) {
            (Some(_), _) => "both windows given in incident.toml",
            (None, true) => "incident given in incident.toml, baseline is everything before it",
            (None, false) => "incident given in incident.toml; nothing was recorded before it",
        };
        let how = how.to_owned();
        return Windows {
            baseline,
            incident: given,
            how,
            disturbed: true,
            given: true,
            felt: true,
        };
    }
    let top = |s: &&usize| is_top(&series[**s]);
    let all: Vec<usize> = (0..series.len()).collect();
    let told: Vec<usize> =
        all.iter().filter(|i| is_told(&series[**i], incident, symptom)).copied().collect();
    let felt: Vec<usize> = all
        .iter()
        .filter(top)
        .filter(|i| SYMPTOM_ROLES.contains(&series[**i].role.as_str()))
        .copied()
        .collect();
    let trouble: Vec<usize> = all
        .iter()
        .filter(top)
        .filter(|i| TROUBLE_ROLES.contains(&series[**i].role.as_str()))
        .copied()
        .collect();
    let resources: Vec<usize> = all
        .iter()
        .filter(top)
        .filter(|i| RESOURCE_ROLES.contains(&series[**i].role.as_str()))
        .filter(|i| !load_moved(series[**i].subject, series))
        .copied()
        .collect();
    let rounds = [
        (told, true, "the symptom named in incident.toml leaves its usual level"),
        (felt, true, "latency, errors or availability leave their usual level"),
        (trouble, false, "internal signals leave their usual level; no user symptom does"),
        (resources, false, "resources leave their usual level without more load; nobody felt it"),
    ];
    for (candidates, felt, why) in rounds {
        let mut found: Vec<Disturbance> =
            candidates.iter().flat_map(|i| disturbances(*i, &series[*i], table)).collect();
        if !felt {
            breathing(&mut found, last);
        }
        let Some(window) = vote(&found) else { continue };
        let guard = ((window.from - first) / 20).max(0);
        let baseline = incident.baseline.unwrap_or(Window { from: first, to: window.from - guard });
        let n = found.iter().map(|d| d.subject).collect::<BTreeSet<_>>().len();
        let how = format!("found: {why} ({n} subjects); baseline is everything before");
        return Windows { baseline, incident: window, how, disturbed: true, given: false, felt };
    }
    let middle = first + (last - first) / 2;
    Windows {
        baseline: incident.baseline.unwrap_or(Window { from: first, to: middle }),
        incident: Window { from: middle, to: last + 1 },
        how: "no disturbance found: the second half is compared with the first".to_owned(),
        disturbed: false,
        given: false,
        felt: false,
    }
}

/// Drops bumps that nobody felt and that only repeat an earlier one of their series, as a queue
/// does that takes a batch and is drained: normal was left as far before, and came back by itself.
fn breathing(found: &mut Vec<Disturbance>, last: Micros) {
    let all = found.clone();
    found.retain(|d| {
        let like = |o: &&Disturbance| {
            o.series == d.series && o.from != d.from && o.to <= last && d.z <= BREATH_Z * o.z
        };
        d.to > last || !all.iter().any(|o| like(&o))
    });
}

fn is_top(s: &SignalSeries) -> bool {
    s.points.len() >= 8
}

/// Says whether the traffic of a subject changed its level in the recording.
fn load_moved(subject: Subject, series: &[SignalSeries]) -> bool {
    series.iter().filter(|s| s.subject == subject && s.role == "traffic").any(|s| {
        let values: Vec<f64> = s.points.iter().map(|p| p.1).collect();
        let segments = change::segments(&values);
        let levels = segments.iter().filter_map(|g| robust::median(&values[g.from..g.to]));
        let (low, high) = levels.fold((f64::MAX, 0.0f64), |(l, h), v| (l.min(v), h.max(v)));
        high >= LOAD_RATIO * low
    })
}

/// Says whether a series is the symptom that the user named.
fn is_told(s: &SignalSeries, incident: &IncidentFile, symptom: Option<EntityId>) -> bool {
    let named = incident.symptom_signal.as_deref().unwrap_or_default();
    let signal = named.is_empty()
        || s.role == named
        || s.source.series.starts_with(named)
        || s.dims == named;
    symptom.is_some_and(|e| s.subject == Subject::Entity(e)) && signal && !named.is_empty()
}

/// The stretches in which a series is clearly worse than its normal level.
pub fn disturbances(index: usize, s: &SignalSeries, table: &SignalTable) -> Vec<Disturbance> {
    let values: Vec<f64> = s.points.iter().map(|p| p.1).collect();
    let segments = change::segments(&values);
    if segments.len() < 2 {
        return Vec::new();
    }
    let signal = table.get(s.signal);
    let down = signal.direction == Direction::Down;
    let level = |i: usize| robust::median(&values[segments[i].from..segments[i].to]).unwrap_or(0.0);
    let length = |i: usize| segments[i].to - segments[i].from;
    let worse = |i: usize, normal: usize| {
        let base = robust::baseline(&values[segments[normal].from..segments[normal].to])
            .unwrap_or_default();
        let (from, to) = (base.median, level(i));
        let scale = base
            .scale
            .max(0.01 * from.abs())
            .max(super::shift::absolute_floor(signal.unit(), to.abs()));
        let z = if down { (from - to) / scale } else { (to - from) / scale };
        (z, z >= DISTURBED_Z && is_felt(s.role.as_str(), signal.unit(), from, to))
    };
    let long = (NORMAL_SHARE * values.len() as f64).max(5.0) as usize;
    let first_is_normal = length(0) >= long;
    let longest = (0..segments.len()).max_by_key(|i| (length(*i), usize::MAX - i)).unwrap_or(0);
    let best =
        (0..segments.len()).filter(|i| length(*i) >= long.min(length(longest))).min_by(|a, b| {
            if down { level(*b).total_cmp(&level(*a)) } else { level(*a).total_cmp(&level(*b)) }
        });
    let normal = if first_is_normal { 0 } else { best.unwrap_or(0) };
    let mut out: Vec<Disturbance> = Vec::new();
    for (i, segment) in segments.iter().enumerate() {
        let (z, is_worse) = worse(i, normal);
        let short = length(i) < BLIP_POINTS.max((BLIP_SHARE * values.len() as f64) as usize);
        if !is_worse || i == normal || short {
            continue;
        }
        // Ranks blur the start of a segment by a few samples: it starts where values clearly left.
        let base =
            robust::median(&values[segments[normal].from..segments[normal].to]).unwrap_or(0.0);
        let left = base + DEPARTED_SHARE * (level(i) - base);
        let gone = |v: f64| if down { v <= left } else { v >= left };
        let start = (segment.from..segment.to).find(|k| gone(values[*k])).unwrap_or(segment.from);
        let from = s.points[start].0 - s.step;
        let to = s.points.get(segment.to).map_or(s.points[values.len() - 1].0 + 1, |p| p.0);
        match out.last_mut().filter(|d| d.to >= from) {
            Some(d) => (d.to, d.z) = (to, d.z.max(z)),
            None => out.push(Disturbance { series: index, subject: s.subject, from, to, z }),
        }
    }
    out
}

/// Says whether a move from one level to another is large enough to matter to anyone.
pub fn is_felt(role: &str, unit: Unit, from: f64, to: f64) -> bool {
    match (role, unit) {
        ("latency", _) => to >= LATENCY_RATIO * from && to - from >= LATENCY_S,
        ("errors", Unit::Ratio) => to - from >= SHARE,
        ("availability" | "up", _) => from - to >= SHARE,
        _ if to >= from => to >= OTHER_RATIO * from && to > 0.0,
        _ => from >= OTHER_RATIO * to,
    }
}

/// The stretch around the time at which most subjects are disturbed.
fn vote(found: &[Disturbance]) -> Option<Window> {
    let mut edges: BTreeSet<Micros> = BTreeSet::new();
    for d in found {
        edges.extend([d.from, d.to]);
    }
    let edges: Vec<Micros> = edges.into_iter().collect();
    let at = |t: Micros| -> f64 {
        let mut by: BTreeMap<Subject, f64> = BTreeMap::new();
        for d in found.iter().filter(|d| d.from <= t && t < d.to) {
            let weight = by.entry(d.subject).or_default();
            *weight = weight.max((1.0 + d.z).ln());
        }
        by.values().sum()
    };
    let votes: Vec<f64> = edges.iter().map(|t| at(*t)).collect();
    let peak = (0..votes.len()).max_by(|a, b| votes[*a].total_cmp(&votes[*b]).then(b.cmp(a)))?;
    if votes[peak] <= 0.0 {
        return None;
    }
    let enough = |i: usize| votes[i] >= VOTE_SHARE * votes[peak];
    let mut from = peak;
    while from > 0 && enough(from - 1) {
        from -= 1;
    }
    let mut to = peak;
    while to + 1 < votes.len() && enough(to) {
        to += 1;
    }
    let mut starts: Vec<Micros> = found
        .iter()
        .filter(|d| d.from <= edges[peak] && d.to > edges[peak] && d.to > edges[from])
        .map(|d| d.from)
        .collect();
    starts.sort_unstable();
    let begun = starts.get((BEGUN_SHARE * starts.len() as f64) as usize).copied();
    Some(Window { from: begun.unwrap_or(edges[from]), to: edges[to] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::notation::points;
    use crate::model::SECOND;
    use crate::rollup::{Origin, Source};
    use crate::signals::Stat;

    fn latency(table: &SignalTable, text: &str, id: u32) -> SignalSeries {
        SignalSeries {
            subject: Subject::Entity(EntityId(id)),
            signal: table.named("http.server.request.duration").expect("known"),
            role: "latency".into(),
            stat: Stat::Mean,
            dims: String::new(),
            points: points(text),
            step: 10 * SECOND,
            smear: 0,
            origin: Origin::Metrics,
            guessed: false,
            source: Source { file: String::new(), series: String::new() },
        }
    }

    fn find(series: &[&str]) -> Windows {
        let table = SignalTable::built_in().expect("valid");
        let all: Vec<SignalSeries> =
            series.iter().enumerate().map(|(i, t)| latency(&table, t, i as u32)).collect();
        let extent = (0, all[0].points.last().expect("points").0);
        windows(&IncidentFile::default(), &all, &table, None, extent)
    }

    #[test]
    fn a_bump_of_latency_is_the_incident() {
        let w = find(&["0.1 0.11x19 0.9x12 0.1x10", "0.2 0.21x19 0.8x12 0.2x10"]);
        assert!(w.disturbed && w.felt);
        assert_eq!((w.incident.from, w.incident.to), (190 * SECOND, 320 * SECOND));
        assert!(w.baseline.to <= w.incident.from);
    }

    #[test]
    fn wiggles_and_small_moves_are_healthy() {
        assert!(
            !find(&["0.1 0.12 0.11 0.1 0.13 0.11 0.12 0.1 0.11 0.12 0.1 0.13 0.11 0.1"]).disturbed
        );
        assert!(!find(&["0.100x20 0.104x20"]).disturbed);
    }
}
