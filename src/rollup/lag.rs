//! Clocks of metrics and traces that differ. In: rates, times and shares of errors of the same
//! services by both. Out: by how much the metrics are ahead, where that is beyond doubt.
//!
//! Each pair of series is correlated at all lags (Pearson, times on a logarithmic scale); a pair
//! votes where one lag stands out. What windows, steps and requests that take long explain is no
//! difference of clocks: a metric is told when a request ends, a span when it begins.

use super::{Origin, SignalSeries};
use crate::model::{Gap, GapKind, Micros, SECOND, Subject};
use crate::points::Points;
use crate::signals::{Stat, View};
use crate::telemetry::Telemetry;
use crate::time;
use std::collections::BTreeMap;

/// Pairs that are compared; more would cost time and add nothing.
const PAIRS_MAX: usize = 128;
/// Correlation at the lag that is believed, and how far it must stand out of the honest ones.
const ALIKE: f64 = 0.8;
const CLEARLY: f64 = 0.3;
/// Points in common without which two series are not correlated.
const COMMON_MIN: usize = 12;
/// Bins of lag that are looked at, at most, and share of the shorter series that they may take.
const FAR_MAX: usize = 60;
const FAR_SHARE: usize = 3;
/// Bins by which votes may differ and mean the same lag.
const SAME: i64 = 1;

/// One signal of one service by metrics and by traces.
struct Pair<'a> {
    name: &'a str,
    role: &'a str,
    metric: &'a SignalSeries,
    traced: &'a SignalSeries,
}

/// A difference of clocks.
#[derive(Clone, Debug, PartialEq)]
pub struct Lag {
    /// Microseconds by which the metrics are ahead of the traces.
    pub ahead: Micros,
    pub gap: Gap,
}

/// Finds the difference of the clocks of metrics and traces, if there is one for sure.
pub fn lag(telemetry: &Telemetry, series: &[SignalSeries]) -> Option<Lag> {
    decided(&pairs(telemetry, series))
}

fn pairs<'a>(telemetry: &'a Telemetry, series: &'a [SignalSeries]) -> Vec<Pair<'a>> {
    type Key<'k> = (Subject, &'k str);
    let mut found: BTreeMap<Key, [Option<&SignalSeries>; 2]> = BTreeMap::new();
    for s in series.iter().filter(|s| s.dims.is_empty() && !s.guessed) {
        let usable = match s.role.as_str() {
            "traffic" | "errors" => s.stat == Stat::Value,
            "latency" => s.stat == Stat::Mean,
            _ => false,
        };
        let served = telemetry.signals.get(s.signal).view == View::Server;
        let side = match s.origin {
            Origin::Metrics => 0,
            Origin::Traces => 1,
            Origin::Sessions => continue,
        };
        if usable && served {
            let both = found.entry((s.subject, s.role.as_str())).or_default();
            both[side] = both[side].or(Some(s));
        }
    }
    let pair = |((subject, role), both): (Key<'a>, [Option<&'a SignalSeries>; 2])| {
        let Subject::Entity(id) = subject else { return None };
        let entity = telemetry.graph.entity(id);
        let ([Some(metric), Some(traced)], None) = (both, &entity.service) else { return None };
        Some(Pair { name: &entity.name, role, metric, traced })
    };
    found.into_iter().filter_map(pair).take(PAIRS_MAX).collect()
}

/// A series in bins of one length; bins without a point are `None`.
fn binned(
    points: &Points,
    (from, to): (Micros, Micros),
    bin: Micros,
    scale: fn(f64) -> f64,
) -> Vec<Option<f64>> {
    let count = ((to - from) / bin + 1).clamp(0, 4096) as usize;
    let mut sums = vec![(0.0, 0u32); count];
    for (t, v) in points.iter().filter(|p| p.1.is_finite() && scale(p.1).is_finite()) {
        if let Some(sum) = sums.get_mut(((t - from) / bin) as usize) {
            *sum = (sum.0 + scale(v), sum.1 + 1);
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

/// Correlations of one pair by lag in bins.
fn by_lag(pair: &Pair, bin: Micros) -> Option<BTreeMap<i64, f64>> {
    let (metric, traced) = (&pair.metric.points, &pair.traced.points);
    let from = metric.first()?.0.min(traced.first()?.0);
    let to = metric.last()?.0.max(traced.last()?.0);
    let scale: fn(f64) -> f64 = if pair.role == "latency" { f64::ln } else { |v| v };
    let bins = |points: &Points| binned(points, (from, to), bin, scale);
    let (a, c) = (bins(metric), bins(traced));
    let far = (traced.len().min(metric.len()) / FAR_SHARE).min(FAR_MAX) as i64;
    Some((-far..=far).filter_map(|k| Some((k, correlation(&a, &c, k)?))).collect())
}

/// The lag for which a pair votes; 0 for one that windows, steps and long requests explain.
fn vote(of: &BTreeMap<i64, f64>, honest: impl Fn(i64) -> bool) -> Option<i64> {
    let best = of.iter().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.abs().cmp(&a.0.abs())));
    let (k, r) = best.map(|(k, r)| (*k, *r)).filter(|(_, r)| *r >= ALIKE)?;
    if honest(k) {
        return Some(0);
    }
    // One peak: no honest lag, and none on the far side of the honest ones, is nearly as good.
    let near = |l: i64| of.get(&l).is_some_and(|near| *near > r - CLEARLY);
    let (mut from, mut to) = (k, k);
    while near(from - 1) {
        from -= 1;
    }
    while near(to + 1) {
        to += 1;
    }
    let alone = of.keys().all(|l| (from..=to).contains(l) || !near(*l));
    let seen = of.keys().any(|l| honest(*l));
    (seen && alone && !of.keys().any(|l| honest(*l) && near(*l))).then_some(k)
}

fn decided(pairs: &[Pair]) -> Option<Lag> {
    let bin = pairs.iter().map(|p| p.metric.step.max(p.traced.step)).max()?.max(1);
    let smear = pairs.iter().map(|p| p.metric.smear).max()?;
    // A rate is told at the end of its interval, a bucket of spans at its begin.
    let delay = (bin + smear) / 2 + bin / 2;
    let times = pairs.iter().filter(|p| p.role == "latency").flat_map(|p| &p.traced.points);
    let longest = times.map(|p| p.1).filter(|v| v.is_finite()).fold(0.0, f64::max);
    let longest = (longest * SECOND as f64) as Micros;
    let honest = |k: i64| {
        let off = k.saturating_mul(bin) - delay;
        let slack = 2 * bin + smear / 2;
        -slack <= off && off <= slack.saturating_add(longest)
    };
    let votes: Vec<(i64, f64, &Pair)> = pairs
        .iter()
        .filter_map(|p| {
            let lags = by_lag(p, bin)?;
            let k = vote(&lags, honest)?;
            Some((k, lags.get(&k).copied().unwrap_or(0.0), p))
        })
        .collect();
    let mut known: Vec<i64> = votes.iter().map(|v| v.0).collect();
    known.sort_unstable();
    let k = *known.get(known.len() / 2)?;
    let agree: Vec<&(i64, f64, &Pair)> =
        votes.iter().filter(|v| v.0 != 0 && (v.0 - k).abs() <= SAME).collect();
    // One pair alone may look alike by chance, unless nothing else could have been looked at.
    let few = agree.len() < 2 && pairs.len() > 3;
    if k == 0 || few || agree.len() * 3 < votes.len() * 2 {
        return None;
    }
    let ahead = k * bin - delay;
    let best = agree.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let (side, other) = if ahead > 0 { ("metrics", "traces") } else { ("traces", "metrics") };
    let what = format!(
        "clocks differ: {} of {} (and {} more) agree best (correlation {:.2}) if the times of \
         {side} are about {} later than those of {other}; metrics were read on the clock of the \
         traces, their order to events and sessions is uncertain by that",
        best.2.role,
        best.2.name,
        agree.len() - 1,
        best.1,
        time::duration(ahead.abs() as f64 / SECOND as f64)
    );
    let gap = Gap { count: agree.len() as u64, ..Gap::new(GapKind::Doubtful, what) };
    Some(Lag { ahead, gap })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollup::example::{STEP, rate, series};
    use proptest::prelude::*;

    fn found(role: &str, metric: &SignalSeries, traced: &SignalSeries) -> Option<Lag> {
        decided(&[Pair { name: "shop", role, metric, traced }])
    }

    #[test]
    fn a_lag_of_rates_is_found_only_where_it_is_clear() {
        let traced = series(rate, 0);
        for (late, side) in [(95 * SECOND, "metrics"), (-85 * SECOND, "traces")] {
            let lag = found("traffic", &series(rate, late), &traced).expect("a lag");
            let start = format!("if the times of {side} are about 1m30s later");
            assert!(lag.gap.what.contains(&start), "{lag:?}");
            // A bucket of spans is told at its begin, a rate at its end.
            assert_eq!(lag.ahead, late - STEP);
        }
        // Steps, windows, noise and a rhythm are no lag.
        assert_eq!(found("traffic", &series(rate, 2 * STEP), &traced), None);
        let other = series(|i| 50.0 + (i * i % 17) as f64, 0);
        assert_eq!(found("traffic", &other, &traced), None);
        let beat = |i: i64| if i % 12 < 6 { 60.0 } else { 40.0 };
        let late = series(beat, 30 * SECOND);
        assert_eq!(found("traffic", &late, &series(beat, 0)), None);
        let flat = series(|_| 50.0, 0);
        assert_eq!(found("traffic", &flat, &flat), None);
    }

    #[test]
    fn the_edges_of_an_incident_show_a_lag_unless_requests_take_as_long() {
        let bump = |high: f64| move |i: i64| if (50..65).contains(&i) { high } else { 0.02 };
        let late = series(bump(0.8), 40 * SECOND);
        let lag = found("latency", &late, &series(bump(0.8), 0)).expect("a lag");
        assert!((lag.ahead - 40 * SECOND).abs() <= 2 * STEP, "{lag:?}");
        let late = series(bump(60.0), 40 * SECOND);
        assert_eq!(found("latency", &late, &series(bump(60.0), 0)), None);
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
            for role in ["traffic", "latency"] {
                found(role, &cut(&a), &cut(&b));
            }
        }
    }
}
