//! Metrics against traces of the same services. In: the series of both. Out: gaps about traces
//! that hold only a part of the requests and about clocks that differ between the two sources.

use super::{Origin, SignalSeries};
use crate::model::{Gap, GapKind, Micros, SECOND, Subject};
use crate::points::{Point, Points};
use crate::signals::{SignalId, Stat};
use crate::telemetry::Telemetry;
use crate::time;
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
/// Correlation of the two rates at the lag that is believed, and how far it must stand out.
const ALIKE: f64 = 0.8;
const CLEARLY: f64 = 0.3;
/// Points in common without which two rates are not correlated.
const COMMON_MIN: usize = 12;

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
    let mut out = favoured(&both);
    let sampled = sampled(&both, out.is_empty());
    out.extend(lag(&both));
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

/// A series in bins of one length; bins without a point are `None`.
fn binned(points: &Points, (from, to): (Micros, Micros), bin: Micros) -> Vec<Option<f64>> {
    let count = ((to - from) / bin + 1).clamp(0, 4096) as usize;
    let mut sums = vec![(0.0, 0u32); count];
    for (t, v) in within(points, (from, to)).into_iter().filter(|p| p.1.is_finite()) {
        if let Some(sum) = sums.get_mut(((t - from) / bin) as usize) {
            *sum = (sum.0 + v, sum.1 + 1);
        }
    }
    sums.into_iter().map(|(s, n)| (n > 0).then(|| s / f64::from(n))).collect()
}

/// Pearson's correlation of `a` moved back by `k` bins with `b`.
fn correlation(a: &[Option<f64>], b: &[Option<f64>], k: i64) -> Option<f64> {
    let pair = |(i, b): (usize, &Option<f64>)| {
        let at = usize::try_from(i as i64 + k).ok()?;
        Some(((*a.get(at)?)?, (*b)?))
    };
    let common: Vec<(f64, f64)> = b.iter().enumerate().filter_map(pair).collect();
    if common.len() < COMMON_MIN {
        return None;
    }
    let n = common.len() as f64;
    let (x, y) = common.iter().fold((0.0, 0.0), |s, p| (s.0 + p.0 / n, s.1 + p.1 / n));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (a, b) in &common {
        (xx, yy, xy) = (xx + (a - x).powi(2), yy + (b - y).powi(2), xy + (a - x) * (b - y));
    }
    let r = xy / (xx * yy).sqrt();
    r.is_finite().then_some(r)
}

/// Correlations of one service by lag in bins, and what a bin and an honest delay are.
fn by_lag(b: &Both, bin: Micros) -> Option<BTreeMap<i64, f64>> {
    let (metric, traced) = (&b.metric.points, &b.traced.points);
    let from = metric.first()?.0.min(traced.first()?.0);
    let to = metric.last()?.0.max(traced.last()?.0);
    let (a, c) = (binned(metric, (from, to), bin), binned(traced, (from, to), bin));
    let far = (traced.len().min(metric.len()) / 3) as i64;
    let far = far.min(60);
    Some((-far..=far).filter_map(|k| Some((k, correlation(&a, &c, k)?))).collect())
}

/// A lag between the request rates of metrics and traces that cannot be windows and steps.
fn lag(both: &[Both]) -> Option<Gap> {
    let bin = both.iter().map(|b| b.metric.step.max(b.traced.step)).max()?.max(1);
    let smear = both.iter().map(|b| b.metric.smear).max()?;
    // A rate is told at the end of its interval, a bucket of spans at its begin.
    let delay = (bin + smear) / 2 + bin / 2;
    let honest = |k: i64| (k * bin - delay).abs() <= 2 * bin + smear / 2;
    let each: Vec<BTreeMap<i64, f64>> = both.iter().filter_map(|b| by_lag(b, bin)).collect();
    let mut sums: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    for (k, r) in each.iter().flatten() {
        let sum = sums.entry(*k).or_default();
        *sum = (sum.0 + r, sum.1 + 1.0);
    }
    let means: BTreeMap<i64, f64> = sums.into_iter().map(|(k, (s, n))| (k, s / n)).collect();
    let peak = |of: &BTreeMap<i64, f64>| {
        let best = of.iter().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(a.0)));
        best.map(|(k, r)| (*k, *r))
    };
    let (k, r) = peak(&means)?;
    let near = |l: i64| means.get(&l).is_some_and(|near| *near > r - CLEARLY);
    let (mut from, mut to) = (k, k);
    while near(from - 1) {
        from -= 1;
    }
    while near(to + 1) {
        to += 1;
    }
    // One peak, whose both flanks are seen, and no delay that is usual lies on it.
    let closed = [from - 1, to + 1].iter().all(|l| means.contains_key(l));
    let alone = means.keys().all(|l| (from..=to).contains(l) || !near(*l));
    let stands_out = closed && alone && !(from..=to).any(honest);
    let agree = each.iter().filter(|e| peak(e).is_some_and(|p| (p.0 - k).abs() <= 1)).count();
    let zero_seen = means.keys().any(|l| honest(*l));
    if !zero_seen || r < ALIKE || !stands_out || agree * 2 <= each.len() {
        return None;
    }
    let ahead = (k * bin - delay) as f64 / SECOND as f64;
    let (side, other) = if ahead > 0.0 { ("metrics", "traces") } else { ("traces", "metrics") };
    let what = format!(
        "clocks differ: request rates agree best (correlation {r:.2}, {agree} services) if the \
         times of {side} are about {} later than those of {other}; nothing was moved",
        time::duration(ahead.abs())
    );
    Some(Gap { count: agree as u64, ..Gap::new(GapKind::Doubtful, what) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EntityId;
    use crate::rollup::Source;
    use proptest::prelude::*;

    const STEP: Micros = 5 * SECOND;

    /// A rate that wanders, and never the same way again.
    fn rate(i: i64) -> f64 {
        let wave = |period: f64| (i as f64 / period).sin();
        50.0 + 20.0 * wave(7.3) + 12.0 * wave(3.1) + 9.0 * wave(17.9)
    }

    fn series(value: impl Fn(i64) -> f64, late: Micros) -> SignalSeries {
        SignalSeries {
            subject: Subject::Entity(EntityId(0)),
            signal: SignalId(0),
            role: "traffic".to_owned(),
            stat: Stat::Value,
            dims: String::new(),
            points: (0..120)
                .map(|i| (1_795_176_000 * SECOND + i * STEP + late, value(i)))
                .collect(),
            step: STEP,
            smear: 0,
            origin: Origin::Metrics,
            guessed: false,
            source: Source { file: String::new(), series: String::new() },
        }
    }

    fn said(metric: &SignalSeries, traced: &SignalSeries, errors: [f64; 2]) -> Vec<String> {
        let errors = errors.map(|e| series(|_| e, 0));
        let [metric_errors, traced_errors] = [Some(&errors[0]), Some(&errors[1])];
        let both = [Both { name: "shop", metric, traced, metric_errors, traced_errors }];
        let all = [sampled(&both, true).into_iter().collect(), favoured(&both)];
        all.into_iter().flatten().chain(lag(&both)).map(|g: Gap| g.what).collect()
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

    #[test]
    fn a_lag_is_said_only_where_it_is_clear() {
        let traced = series(rate, 0);
        for (late, side) in [(95 * SECOND, "metrics"), (-85 * SECOND, "traces")] {
            let found = said(&series(rate, late), &traced, [0.0, 0.0]);
            let start = format!("if the times of {side} are about 1m30s later");
            assert!(found.len() == 1 && found[0].contains(&start), "{found:?}");
        }
        // Steps, windows, noise and a rhythm are no lag.
        assert_eq!(said(&series(rate, 2 * STEP), &traced, [0.0, 0.0]), [""; 0]);
        let other = series(|i| 50.0 + (i * i % 17) as f64, 0);
        assert_eq!(said(&other, &traced, [0.0, 0.0]), [""; 0]);
        let beat = |i: i64| if i % 12 < 6 { 60.0 } else { 40.0 };
        assert_eq!(said(&series(beat, 30 * SECOND), &series(beat, 0), [0.0, 0.0]), [""; 0]);
        let flat = series(|_| 50.0, 0);
        assert_eq!(said(&flat, &flat, [0.0, 0.0]), [""; 0]);
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
