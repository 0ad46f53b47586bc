//! Counters to rates and histogram buckets to quantiles, as Prometheus defines them, with the two
//! cases that trip naive code: resets, and counters that are born in the middle of the recording.

use crate::model::{Micros, SECOND};

/// Share of falling steps above which a series is not a counter, whatever its name says.
const FALLS_MAX: f64 = 0.1;
/// A fall to at most this share of the value before it is a counter that starts anew.
const RESET_SHARE: f64 = 0.5;

/// Says whether values behave like a counter: they rise or stay, but for a few resets.
///
/// Empty and one-point series are counters if their name says so.
pub fn behaves_like_counter(points: &[(Micros, f64)]) -> bool {
    let steps = points.len().saturating_sub(1);
    let falls = points.windows(2).filter(|w| w[1].1 < w[0].1).count();
    points.iter().all(|p| p.1 >= 0.0) && (steps == 0 || falls as f64 <= FALLS_MAX * steps as f64)
}

/// Says whether values are a counter's although no name says so: they fall only to start anew.
pub fn only_resets(points: &[(Micros, f64)]) -> bool {
    behaves_like_counter(points)
        && points.windows(2).all(|w| w[1].1 >= w[0].1 || w[1].1 <= RESET_SHARE * w[0].1)
}

/// Per-second rates at the end of each interval. A fall is a reset: counting starts at zero.
///
/// `born` is the time at which a late counter was still zero; its first value then counts whole.
/// Intervals longer than `gap` are left out: nothing is known about their inside.
pub fn rates(points: &[(Micros, f64)], born: Option<Micros>, gap: Micros) -> Vec<(Micros, f64)> {
    let rate =
        |(t, rise, length): (Micros, f64, Micros)| (t, rise / (length as f64 / SECOND as f64));
    rises(points, born, gap).into_iter().map(rate).collect()
}

/// Like [`rates`], but how much was counted in each interval.
pub fn increases(
    points: &[(Micros, f64)],
    born: Option<Micros>,
    gap: Micros,
) -> Vec<(Micros, f64)> {
    rises(points, born, gap).into_iter().map(|(t, rise, _)| (t, rise)).collect()
}

/// End, rise and length of each interval.
fn rises(
    points: &[(Micros, f64)],
    born: Option<Micros>,
    gap: Micros,
) -> Vec<(Micros, f64, Micros)> {
    let mut out = Vec::with_capacity(points.len());
    let mut last = match (born, points.first()) {
        (Some(t), Some(first)) if t < first.0 => Some((t, 0.0)),
        _ => None,
    };
    for &(t, v) in points {
        if let Some((t0, v0)) = last
            && t > t0
            && t - t0 <= gap
        {
            out.push((t, if v < v0 { v } else { v - v0 }, t - t0));
        }
        last = Some((t, v));
    }
    out
}

/// The most frequent distance of neighbouring times; `None` with fewer than two points.
pub fn step(points: &[(Micros, f64)]) -> Option<Micros> {
    let mut steps: Vec<Micros> = points.windows(2).map(|w| w[1].0 - w[0].0).collect();
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

    fn at(values: &[f64]) -> Vec<(Micros, f64)> {
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
        let points = [(100 * SECOND, 38.0), (105 * SECOND, 38.0)];
        let r = rates(&points, Some(95 * SECOND), 60 * SECOND);
        assert_eq!(r, [(100 * SECOND, 7.6), (105 * SECOND, 0.0)]);
    }

    #[test]
    fn a_gauge_with_a_counters_name_is_found_out() {
        assert!(behaves_like_counter(&at(&[0.0, 1.0, 1.0, 9.0])));
        assert!(!behaves_like_counter(&at(&[5.0, 3.0, 6.0, 2.0])));
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
        assert!(only_resets(&at(&rising)));
        rising.push(12.0);
        assert!(only_resets(&at(&rising)));
        rising.extend([500.0, 490.0]);
        assert!(!only_resets(&at(&rising)));
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
