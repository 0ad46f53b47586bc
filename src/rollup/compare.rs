//! Metrics against traces of the same services. In: the series of both. Out: gaps about traces
//! that hold only a part of the requests, or failed ones rather than others.

use super::{Origin, SignalSeries};
use crate::model::{Gap, GapKind, Micros, SECOND, Subject};
use crate::points::{Point, Points};
use crate::signals::{SignalId, Stat};
use crate::telemetry::Telemetry;
use std::collections::BTreeMap;

/// Services that are compared; more would cost time and add nothing.
const SERVICES_MAX: usize = 64;
/// Requests by metrics without which a share says nothing.
const REQUESTS_MIN: f64 = 50.0;
/// Traces that hold at least this share are whole: health checks and scrapes are not traced.
const WHOLE: f64 = 0.7;
/// Errors are favoured if their share in traces is larger by this factor and this difference.
const FAVOUR_FACTOR: f64 = 3.0;
const FAVOUR_MORE: f64 = 0.1;
/// Failed traces without which nothing is said about errors.
const FAILED_MIN: f64 = 10.0;

/// Request rates and shares of errors of one service, by metrics and by traces.
struct Both<'a> {
    name: &'a str,
    metric: &'a SignalSeries,
    traced: &'a SignalSeries,
    metric_errors: Option<&'a SignalSeries>,
    traced_errors: Option<&'a SignalSeries>,
}

/// Gaps that a comparison of metrics and traces gives, and what part of the requests is traced.
pub fn gaps(telemetry: &Telemetry, series: &[SignalSeries]) -> (Vec<Gap>, Option<Gap>) {
    let both = pairs(telemetry, series);
    let out = favoured(&both);
    let sampled = sampled(&both, out.is_empty());
    (out, sampled)
}

fn pairs<'a>(telemetry: &'a Telemetry, series: &'a [SignalSeries]) -> Vec<Both<'a>> {
    let named = |name: &str| telemetry.signals.named(name);
    let Some(requests) = named("http.server.requests") else { return Vec::new() };
    let errors = named("http.server.errors");
    let mut found: BTreeMap<(Subject, SignalId, bool), &SignalSeries> = BTreeMap::new();
    for s in series.iter().filter(|s| s.stat == Stat::Value && s.dims.is_empty() && !s.guessed) {
        if s.signal == requests || Some(s.signal) == errors {
            let traced = match s.origin {
                Origin::Traces => true,
                Origin::Metrics => false,
                Origin::Sessions => continue,
            };
            found.entry((s.subject, s.signal, traced)).or_insert(s);
        }
    }
    let metrics = found.iter().filter(|((_, signal, traced), _)| *signal == requests && !traced);
    let both = metrics.filter_map(|((subject, ..), metric)| {
        let Subject::Entity(id) = *subject else { return None };
        let entity = telemetry.graph.entity(id);
        let of = |traced: bool| found.get(&(*subject, errors?, traced)).copied();
        entity.service.is_none().then_some(Both {
            name: &entity.name,
            metric,
            traced: found.get(&(*subject, requests, true))?,
            metric_errors: of(false),
            traced_errors: of(true),
        })
    });
    both.take(SERVICES_MAX).collect()
}

/// The stretch that two series have in common.
fn common(a: &Points, b: &Points) -> Option<(Micros, Micros)> {
    let from = a.first()?.0.max(b.first()?.0);
    let to = a.last()?.0.min(b.last()?.0);
    (from < to).then_some((from, to))
}

fn within(points: &Points, (from, to): (Micros, Micros)) -> Vec<Point> {
    points.iter().filter(|p| from <= p.0 && p.0 <= to).collect()
}

fn mean(points: &[Point]) -> Option<f64> {
    let sum: f64 = points.iter().map(|p| p.1).sum();
    let mean = sum / points.len() as f64;
    mean.is_finite().then_some(mean)
}

/// Requests by traces and by metrics in the stretch that both cover.
fn requests(b: &Both) -> Option<(f64, f64)> {
    let range = common(&b.metric.points, &b.traced.points)?;
    let seconds = (range.1 - range.0) as f64 / SECOND as f64;
    let count = |s: &SignalSeries| Some(mean(&within(&s.points, range))? * seconds);
    let (traced, metric) = (count(b.traced)?, count(b.metric)?);
    (metric >= REQUESTS_MIN && traced >= 1.0).then_some((traced, metric))
}

/// Head sampling: how many of the requests are traced.
fn sampled(both: &[Both], evenly: bool) -> Option<Gap> {
    let mut shares: Vec<(f64, &str, f64, f64)> = Vec::new();
    for b in both {
        if let Some((traced, metric)) = requests(b) {
            shares.push((traced / metric, b.name, traced, metric));
        }
    }
    shares.retain(|s| s.0 < WHOLE);
    shares.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(b.1)));
    let (share, ..) = *shares.get(shares.len() / 2)?;
    let each = |s: &(f64, &str, f64, f64)| format!("{} {:.0} of {:.0}", s.1, s.2, s.3);
    let first: Vec<String> = shares.iter().take(3).map(each).collect();
    let one_in = 1.0 / share;
    let one_in =
        if one_in < 10.0 { format!("{one_in:.1}") } else { format!("{:.0}", one_in.round()) };
    let what = format!(
        "traces hold about 1 in {} requests ({}): their counts and rates are too low by that{}",
        one_in.trim_end_matches(".0"),
        first.join(", "),
        if evenly { "; shares and durations hold" } else { "" }
    );
    Some(Gap { count: shares.len() as u64, ..Gap::new(GapKind::Inferred, what) })
}

/// Share of errors, weighted by requests, and how many there were.
fn errors(
    shares: &SignalSeries,
    rates: &SignalSeries,
    range: (Micros, Micros),
) -> Option<[f64; 2]> {
    let rate: BTreeMap<Micros, f64> = within(&rates.points, range).into_iter().collect();
    let (mut failed, mut all) = (0.0, 0.0);
    for (t, share) in within(&shares.points, range) {
        let weight = rate.get(&t).copied().unwrap_or(0.0);
        (failed, all) = (failed + share * weight, all + weight);
    }
    let seconds = rates.step as f64 / SECOND as f64;
    (all > 0.0 && failed.is_finite()).then_some([failed / all, failed * seconds])
}

/// Tail sampling: traces that were kept because they failed.
fn favoured(both: &[Both]) -> Vec<Gap> {
    let one = |b: &Both| {
        let (traced, metric) = requests(b)?;
        let range = common(&b.metric.points, &b.traced.points)?;
        let [by_metrics, _] = errors(b.metric_errors?, b.metric, range)?;
        let [by_traces, failed] = errors(b.traced_errors?, b.traced, range)?;
        let more = by_traces > FAVOUR_FACTOR * by_metrics && by_traces > by_metrics + FAVOUR_MORE;
        if traced >= WHOLE * metric || failed < FAILED_MIN || !more {
            return None;
        }
        let what = format!(
            "traces of {} are sampled in favour of errors: {:.0} % of them fail, {:.1} % of its \
             requests by metrics",
            b.name,
            100.0 * by_traces,
            100.0 * by_metrics
        );
        Some(Gap::new(GapKind::Doubtful, what))
    };
    both.iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollup::example::{rate, series};
    use proptest::prelude::*;

    fn said(metric: &SignalSeries, traced: &SignalSeries, errors: [f64; 2]) -> Vec<String> {
        let errors = errors.map(|e| series(|_| e, 0));
        let [metric_errors, traced_errors] = [Some(&errors[0]), Some(&errors[1])];
        let both = [Both { name: "shop", metric, traced, metric_errors, traced_errors }];
        let all = [sampled(&both, true).into_iter().collect(), favoured(&both)];
        all.into_iter().flatten().map(|g: Gap| g.what).collect()
    }

    #[test]
    fn sampled_traces_are_said_with_their_share() {
        let (metric, whole) = (series(rate, 0), series(|i| rate(i) * 0.9, 0));
        assert_eq!(said(&metric, &whole, [0.0, 0.0]), [""; 0]);
        let few = series(|i| rate(i) / 20.0, 0);
        let found = said(&metric, &few, [0.01, 0.01]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("traces hold about 1 in 20 requests (shop "), "{found:?}");
    }

    #[test]
    fn traces_kept_for_their_errors_are_said() {
        let (metric, few) = (series(rate, 0), series(|i| rate(i) / 20.0, 0));
        let found = said(&metric, &few, [0.02, 0.4]);
        let start = "traces of shop are sampled in favour of errors: 40 % of them fail, 2.0 %";
        assert!(found[1].starts_with(start), "{found:?}");
        assert_eq!(said(&metric, &metric, [0.02, 0.4]), [""; 0]);
    }

    proptest! {
        #[test]
        fn any_values_are_compared_without_a_panic(
            a in prop::collection::vec(prop::num::f64::ANY, 0..60),
            b in prop::collection::vec(prop::num::f64::ANY, 0..60),
        ) {
            let cut = |values: &[f64]| {
                let mut s = series(|i| values.get(i as usize).copied().unwrap_or(0.0), 0);
                s.points = s.points.iter().take(values.len()).collect();
                s
            };
            said(&cut(&a), &cut(&b), [0.1, 0.9]);
        }
    }
}
