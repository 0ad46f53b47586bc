//! Counters to rates and histogram buckets to quantiles, as Prometheus defines them, with the two
//! cases that trip naive code: resets, and counters that are born in the middle of the recording.

use crate::model::{Micros, SECOND};
use crate::points::{Point, Points};

/// Share of falling steps above which a series is not a counter, whatever its name says.
const FALLS_MAX: f64 = 0.1;
/// A fall to at most this share of the value before it is a counter that starts anew.
const RESET_SHARE: f64 = 0.5;

/// Says whether values behave like a counter: they rise or stay, but for a few resets.
///
/// Empty and one-point series are counters if their name says so.
pub fn behaves_like_counter(values: &[f64]) -> bool {
    let steps = values.len().saturating_sub(1);
    let falls = values.windows(2).filter(|w| w[1] < w[0]).count();
    values.iter().all(|v| *v >= 0.0) && (steps == 0 || falls as f64 <= FALLS_MAX * steps as f64)
}

/// Says whether values are a counter's although no name says so: they fall only to start anew.
pub fn only_resets(values: &[f64]) -> bool {
    behaves_like_counter(values)
        && values.windows(2).all(|w| w[1] >= w[0] || w[1] <= RESET_SHARE * w[0])
}

/// Per-second rates at the end of each interval. A fall is a reset: counting starts at zero.
///
/// `born` is the time at which a late counter was still zero; its first value then counts whole.
/// Intervals longer than `gap` are left out: nothing is known about their inside.
pub fn rates(points: &Points, born: Option<Micros>, gap: Micros) -> Points {
    rises(points, born, gap, |rise, length| rise / (length as f64 / SECOND as f64))
}

/// Like [`rates`], but how much was counted in each interval.
pub fn increases(points: &Points, born: Option<Micros>, gap: Micros) -> Points {
    rises(points, born, gap, |rise, _| rise)
}

/// The end of each interval, with what `told` makes of its rise and length.
fn rises(
    points: &Points,
    born: Option<Micros>,
    gap: Micros,
    told: impl Fn(f64, Micros) -> f64,
) -> Points {
    let mut out = Points::with_capacity(points.len());
    let mut last: Option<Point> = match (born, points.first()) {
        (Some(t), Some(first)) if t < first.0 => Some((t, 0.0)),
        _ => None,
    };
    for (t, v) in points {
        if let Some((t0, v0)) = last
            && t > t0
            && t - t0 <= gap
        {
            out.push((t, told(if v < v0 { v } else { v - v0 }, t - t0)));
        }
        last = Some((t, v));
    }
    out
}

/// The most frequent distance of neighbouring times; `None` with fewer than two points.
pub fn step(points: &Points) -> Option<Micros> {
    points.even_step().or_else(|| step_of(points.iter()))
}

/// [`step`] of points that are rows.
pub fn step_of(points: impl Iterator<Item = Point> + Clone) -> Option<Micros> {
    let behind = points.clone().skip(1);
    let mut steps: Vec<Micros> = points.zip(behind).map(|(a, b)| b.0 - a.0).collect();
    steps.sort_unstable();
    let middle = steps.get(steps.len() / 2).copied()?;
    (middle > 0).then_some(middle)
}

/// Quantile `q` (0 to 1) from cumulative bucket rates `(upper bound, rate)`, linear inside a
/// bucket (Prometheus `histogram_quantile`). In the open last bucket: its lower bound.
///
/// `None` when nothing was observed or there is no `+Inf` bucket.
pub fn quantile(buckets: &mut [(f64, f64)], q: f64) -> Option<f64> {
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total = buckets.last().filter(|b| b.0.is_infinite())?.1;
    if total <= 0.0 {
        return None;
    }
    let rank = q * total;
    let at = buckets.iter().position(|b| b.1 >= rank)?;
    let (lower, below) = if at == 0 { (0.0, 0.0) } else { buckets[at - 1] };
    let (upper, upto) = buckets[at];
    if upper.is_infinite() {
        return Some(lower);
    }
    let share = if upto > below { (rank - below) / (upto - below) } else { 1.0 };
    Some(lower + (upper - lower) * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(values: &[f64]) -> Points {
        values.iter().enumerate().map(|(i, v)| (i as i64 * 10 * SECOND, *v)).collect()
    }

    #[test]
    fn a_reset_counts_from_zero_and_a_gap_is_left_out() {
        let mut points = at(&[10.0, 30.0, 5.0]);
        points.push((200 * SECOND, 50.0));
        let r = rates(&points, None, 60 * SECOND);
        assert_eq!(r, [(10 * SECOND, 2.0), (20 * SECOND, 0.5)]);
    }

    #[test]
    fn a_counter_born_late_counts_its_first_value() {
        let points = vec![(100 * SECOND, 38.0), (105 * SECOND, 38.0)].into();
        let r = rates(&points, Some(95 * SECOND), 60 * SECOND);
        assert_eq!(r, [(100 * SECOND, 7.6), (105 * SECOND, 0.0)]);
    }

    #[test]
    fn a_gauge_with_a_counters_name_is_found_out() {
        assert!(behaves_like_counter(&[0.0, 1.0, 1.0, 9.0]));
        assert!(!behaves_like_counter(&[5.0, 3.0, 6.0, 2.0]));
        assert!(behaves_like_counter(&[]));
    }

    #[test]
    fn events_are_counted_per_interval() {
        let r = increases(&at(&[3.0, 3.0, 5.0, 1.0]), None, 60 * SECOND);
        assert_eq!(r, [(10 * SECOND, 0.0), (20 * SECOND, 2.0), (30 * SECOND, 1.0)]);
    }

    #[test]
    fn a_counter_without_a_counters_name_falls_only_to_start_anew() {
        let mut rising: Vec<f64> = (0..20).map(|i| 100.0 * f64::from(i)).collect();
        assert!(only_resets(&rising));
        rising.push(12.0);
        assert!(only_resets(&rising));
        rising.extend([500.0, 490.0]);
        assert!(!only_resets(&rising));
    }

    #[test]
    fn quantiles_agree_with_prometheus() {
        // promql: histogram_quantile(0.5, …) over le 0.1:50 0.5:90 +Inf:100 gives 0.1.
        let mut b = [(f64::INFINITY, 100.0), (0.1, 50.0), (0.5, 90.0)];
        assert_eq!(quantile(&mut b, 0.5), Some(0.1));
        assert_eq!(quantile(&mut b, 0.7), Some(0.1 + 0.4 * 0.5));
        assert_eq!(quantile(&mut b, 0.99), Some(0.5));
        assert_eq!(quantile(&mut [(f64::INFINITY, 0.0)], 0.5), None);
        assert_eq!(quantile(&mut [], 0.5), None);
    }
}
