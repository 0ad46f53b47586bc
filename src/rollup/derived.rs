//! Series made from series: ratios of signals that belong together. And which of two series that
//! say the same is kept.

use super::{Origin, SignalSeries, Source, counter};
use crate::model::{EntityId, EntityKind, Micros, Subject};
use crate::signals::{Derive, SignalId, SignalTable, Stat};
use crate::telemetry::Points;
use crate::telemetry::Telemetry;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// A numerator that reports at least this share of the denominator's steps reports all the time:
/// what is missing in between was lost.
const DENSE: f64 = 0.5;

/// Pointwise quotient on the denominator's times. A missing numerator is zero there, as of failures
/// that nobody counts before the first; a hole in one that else reports all the time is a gap.
pub fn ratio(numerator: &Points, denominator: &Points) -> Points {
    let step = counter::step(denominator).unwrap_or(crate::model::SECOND).max(1);
    // Of several in one step the last counts.
    let mut top: Vec<(Micros, f64)> = Vec::with_capacity(numerator.len());
    for (t, v) in numerator.iter().map(|(t, v)| (t.div_euclid(step), v)) {
        match top.last_mut().filter(|last| last.0 == t) {
            Some(last) => last.1 = v,
            None => top.push((t, v)),
        }
    }
    let ends = top.first().zip(top.last()).map(|(a, b)| (a.0, b.0));
    let (first, last) = ends.unwrap_or((0, 0));
    let dense = top.len() as f64 >= DENSE * (last - first + 1) as f64;
    let mut next = 0;
    let share = |(t, d): (Micros, f64)| {
        let slot = t.div_euclid(step);
        next += top[next..].iter().take_while(|(t, _)| *t < slot).count();
        let n = match top.get(next).filter(|(t, _)| *t == slot) {
            Some((_, n)) => *n,
            None if dense && first < slot && slot < last => return None,
            None => 0.0,
        };
        (d > 0.0).then_some((t, n / d))
    };
    denominator.iter().filter_map(share).collect()
}

/// Signals that are ratios of others of the same subject and dims.
pub fn derive(telemetry: &Telemetry, series: &[SignalSeries]) -> Vec<SignalSeries> {
    let table = &telemetry.signals;
    let mut out = Vec::new();
    let mut of_subject: BTreeMap<Subject, Vec<&SignalSeries>> = BTreeMap::new();
    for s in series.iter().filter(|s| s.stat == Stat::Value) {
        of_subject.entry(s.subject).or_default().push(s);
    }
    for d in table.derives.iter().filter(|d| d.limit) {
        out.extend(of_limits(table, d, &of_subject));
    }
    for d in table.derives.iter().filter(|d| !d.limit) {
        let (Some(signal), Some(top)) = (table.named(&d.signal), table.named(&d.numerator)) else {
            continue;
        };
        let below: Vec<SignalId> = d.denominator.iter().filter_map(|n| table.named(n)).collect();
        let wanted = |s: &&SignalSeries| match &d.numerator_state {
            Some(state) => s.dims == *state,
            None => true,
        };
        let of = |n: &SignalSeries| -> Option<SignalSeries> {
            let same = |s: &&SignalSeries| {
                let dims = d.numerator_state.is_some() || s.dims == n.dims || s.dims.is_empty();
                below.contains(&s.signal) && dims
            };
            let beside = || of_subject.get(&n.subject).into_iter().flatten().copied();
            let mut parts: Vec<&SignalSeries> = beside().filter(same).collect();
            if parts.is_empty() {
                let near =
                    |s: &&SignalSeries| below.contains(&s.signal) && labels_agree(&n.dims, &s.dims);
                parts = beside().filter(near).collect();
            }
            let points = match parts.as_slice() {
                [] => return None,
                [one] => ratio(&n.points, &one.points),
                several => ratio(&n.points, &total(several, 1.0)),
            };
            if points.is_empty() {
                return None;
            }
            let role = table.get(signal).role.clone();
            let shown = format!("{} / {}", n.source.series, parts[0].source.series);
            let source = Source { file: n.source.file.clone(), series: shown };
            let dims = if d.numerator_state.is_some() { String::new() } else { n.dims.clone() };
            Some(SignalSeries { signal, role, points, source, dims, ..n.clone() })
        };
        let tops = series.par_iter().filter(|s| s.signal == top && s.stat == Stat::Value);
        out.par_extend(tops.filter(wanted).filter_map(of));
    }
    out
}

/// Sums of several series at each time, over a limit.
fn total(series: &[&SignalSeries], limit: f64) -> Points {
    let mut total: BTreeMap<Micros, f64> = BTreeMap::new();
    for (t, v) in series.iter().flat_map(|s| &s.points) {
        *total.entry(t).or_default() += v / limit;
    }
    total.into_iter().collect()
}

/// Says whether two series' labels, as `key=value,…`, have one in common and none that differs: an
/// exporter may label a pool by its user as well, and its size by its server.
fn labels_agree(a: &str, b: &str) -> bool {
    let pairs = |dims: &str| -> BTreeMap<String, String> {
        let pair = |p: &str| p.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
        dims.split(',').filter_map(pair).collect()
    };
    let (a, b) = (pairs(a), pairs(b));
    let mut common = a.iter().filter_map(|(k, v)| b.get(k).map(|w| v == w)).peekable();
    common.peek().is_some() && common.all(|same| same)
}

/// Levels as shares of a limit: one series per subject and input.
fn of_limits(
    table: &SignalTable,
    d: &Derive,
    of_subject: &BTreeMap<Subject, Vec<&SignalSeries>>,
) -> Vec<SignalSeries> {
    let (Some(signal), Some(top)) = (table.named(&d.signal), table.named(&d.numerator)) else {
        return Vec::new();
    };
    let ids = |names: &[String]| names.iter().filter_map(|n| table.named(n)).collect::<Vec<_>>();
    let (below, less) = (ids(&d.denominator), ids(&d.less));
    let mut out = Vec::new();
    for own in of_subject.values() {
        let last = |all: &[SignalId]| {
            let of = own.iter().filter(|s| all.contains(&s.signal));
            of.filter_map(|s| s.points.last()).map(|p| p.1).filter(|v| *v > 0.0).sum::<f64>()
        };
        let limit = last(&below) - last(&less);
        if limit <= 0.0 {
            continue;
        }
        for origin in [Origin::Metrics, Origin::Sessions] {
            let levels: Vec<&SignalSeries> =
                own.iter().copied().filter(|s| s.signal == top && s.origin == origin).collect();
            // A level of the whole is not added to its parts by state.
            let whole = levels.iter().any(|s| s.dims.is_empty());
            let levels = levels.into_iter().filter(|s| !whole || s.dims.is_empty());
            let levels: Vec<&SignalSeries> = levels.collect();
            let Some(first) = levels.first() else { continue };
            let shown = format!("{} / {limit}", first.source.series);
            out.push(SignalSeries {
                signal,
                role: table.get(signal).role.clone(),
                points: total(&levels, limit),
                source: Source { file: first.source.file.clone(), series: shown },
                dims: String::new(),
                ..(*first).clone()
            });
        }
    }
    out
}

/// Drops what a smeared panel says where raw counters say the same.
pub fn prefer_raw(series: &mut Vec<SignalSeries>) {
    let raw: BTreeSet<(Subject, String)> =
        series.iter().filter(|s| s.smear == 0).map(|s| (s.subject, s.role.clone())).collect();
    series.retain(|s| s.smear == 0 || !raw.contains(&(s.subject, s.role.clone())));
}

/// cAdvisor's series of whole pods and nodes where it also reports their containers.
pub fn cgroup_sums(telemetry: &Telemetry) -> BTreeSet<usize> {
    let (mut parts, mut wholes) = (BTreeSet::new(), Vec::new());
    let all = telemetry.series.iter().enumerate();
    for (i, meta) in all.filter(|(_, m)| m.raw_name.starts_with("container_")) {
        let container = meta.container.clone().unwrap_or_default();
        let pod = meta.pod.clone().unwrap_or_default();
        if container.is_empty() && pod.is_empty() && meta.container_alone {
            continue;
        }
        match ["", "POD"].contains(&container.as_str()) {
            true => wholes.push((i, meta.raw_name.clone(), pod)),
            false => {
                parts.insert((meta.raw_name.clone(), pod));
                parts.insert((meta.raw_name.clone(), String::new()));
            }
        }
    }
    wholes
        .into_iter()
        .filter(|(_, n, p)| parts.contains(&(n.clone(), p.clone())))
        .map(|w| w.0)
        .collect()
}

/// Drops instance series that only repeat their service: the service has one instance.
pub fn drop_lone_parts(telemetry: &Telemetry, series: Vec<SignalSeries>) -> Vec<SignalSeries> {
    let graph = &telemetry.graph;
    let mut parts: BTreeMap<(EntityId, EntityKind, SignalId), BTreeSet<EntityId>> = BTreeMap::new();
    let kind = |e: EntityId| graph.entity(e).kind;
    for s in &series {
        if let Subject::Entity(e) = s.subject
            && graph.owner(e) != e
        {
            parts.entry((graph.owner(e), kind(e), s.signal)).or_default().insert(e);
        }
    }
    let lone = |s: &SignalSeries| match s.subject {
        Subject::Entity(e) if graph.owner(e) != e => {
            parts.get(&(graph.owner(e), kind(e), s.signal)).is_none_or(|p| p.len() < 2)
        }
        _ => false,
    };
    series.into_iter().filter(|s| !lone(s)).collect()
}

#[cfg(test)]
mod tests {
    use super::{labels_agree, ratio};
    use crate::model::SECOND;
    use crate::points::Points;

    #[test]
    fn a_lost_sample_of_the_numerator_is_a_gap_and_one_not_yet_counted_is_zero() {
        let at = |i: i64| i * 5 * SECOND;
        let all: Points = (0..8).map(|i| (at(i), 10.0)).collect();
        let of = |kept: &[i64]| -> Vec<_> {
            let top: Points = kept.iter().map(|i| (at(*i), 4.0)).collect();
            ratio(&top, &all).iter().map(|p| (p.0 / SECOND, p.1)).collect()
        };
        assert_eq!(
            of(&[3, 4, 6, 7]),
            [(0, 0.0), (5, 0.0), (10, 0.0), (15, 0.4), (20, 0.4), (30, 0.4), (35, 0.4)]
        );
        // A series that tells only what happens is silent in between, and that is none.
        assert_eq!(of(&[0, 7])[3], (15, 0.0));
    }

    #[test]
    fn labels_of_a_pool_and_of_its_size_agree() {
        assert!(labels_agree("database=shop,user=web", "database=shop,host=db,port=5432"));
        assert!(!labels_agree("database=shop,user=web", "database=stock,host=db"));
        assert!(!labels_agree("user=web", "host=db"));
        assert!(!labels_agree("", "host=db") && !labels_agree("a1b2", "a1b2"));
    }
}
