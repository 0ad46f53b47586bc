//! The gap of an edge from metrics: mean time that its caller waits less the mean time that its
//! callee works. In: series of both. Out: one series per edge.
//!
//! The callee's mean is over all its callers and routes, so the level of the difference means
//! little; its change does, while the mix of calls stays.

use super::{Origin, SignalSeries};
use crate::model::{Micros, Subject};
use crate::signals::{SignalTable, Stat, View};
use crate::telemetry::Points;
use std::collections::BTreeMap;

/// Gaps of every edge of which both ends are measured by metrics.
pub fn gaps(table: &SignalTable, series: &[SignalSeries]) -> Vec<SignalSeries> {
    let Some(signal) = table.named("edge.gap") else { return Vec::new() };
    let mean = |s: &&SignalSeries| {
        s.origin == Origin::Metrics && s.role == "latency" && s.stat == Stat::Mean && !s.guessed
    };
    let mut served: BTreeMap<Subject, &SignalSeries> = BTreeMap::new();
    for s in series.iter().filter(mean).filter(|s| table.get(s.signal).view == View::Server) {
        served.entry(s.subject).or_insert(s);
    }
    let mut out = Vec::new();
    for s in series.iter().filter(mean) {
        let Subject::Edge(_, callee) = s.subject else { continue };
        let Some(own) = served.get(&Subject::Entity(callee)) else { continue };
        let points = less(&s.points, &own.points, s.step.max(own.step).max(1));
        if points.is_empty() {
            continue;
        }
        let mut source = s.source.clone();
        source.series = format!("{} less {}", source.series, own.source.series);
        let (role, smear) = (table.get(signal).role.clone(), s.smear.max(own.smear));
        out.push(SignalSeries { signal, role, points, source, smear, ..s.clone() });
    }
    out
}

/// `a - b` where both have a point in the same step, at least 0.
fn less(a: &Points, b: &Points, step: Micros) -> Points {
    let own: BTreeMap<Micros, f64> = b.iter().map(|(t, v)| (t.div_euclid(step), v)).collect();
    let point = |(t, v): (Micros, f64)| own.get(&t.div_euclid(step)).map(|w| (t, (v - w).max(0.0)));
    a.iter().filter_map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_needs_both_ends_in_a_step() {
        let a = vec![(10, 0.5), (20, 0.6), (30, 0.7)].into();
        let b = vec![(12, 0.2), (34, 0.9)].into();
        assert_eq!(less(&a, &b, 10), [(10, 0.3), (30, 0.0)]);
        assert!(less(&a, &Points::new(), 10).is_empty());
    }
}
