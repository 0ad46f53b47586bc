//! Trend. In: points. Out: Theil-Sen slope and the Mann-Kendall test of whether it is one.
//!
//! Sen 1968; Mann 1945, Kendall 1975 with tie correction, counted in n log n steps (Knight 1966).
//! Fewer than four points have no trend; constant data has slope 0 and p 1; gaps are points that
//! are not there; NaN never gets here.

use super::robust;
use crate::model::{Micros, SECOND};
use statrs::distribution::{ContinuousCDF, Normal};

/// Points of which the slopes of all pairs are taken; longer series are thinned evenly to stay
/// below it: the median of 8,000 slopes is as good as that of a million.
const SLOPE_POINTS_MAX: usize = 128;

/// A monotone trend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// Units per second.
    pub slope: f64,
    /// Kendall's tau, -1 to 1.
    pub tau: f64,
    /// Two-sided Mann-Kendall p-value.
    pub p: f64,
}

/// Fits the trend of points that are sorted by time.
pub fn trend(points: &[(Micros, f64)]) -> Option<Trend> {
    trend_from(points, f64::NEG_INFINITY)
}

/// [`trend`] where tau is at least `tau_min`; slopes, which take most of the time, are not looked at
/// otherwise.
pub fn trend_from(points: &[(Micros, f64)], tau_min: f64) -> Option<Trend> {
    let n = points.len();
    if n < 4 {
        return None;
    }
    let pairs = (n * (n - 1) / 2) as f64;
    let mut values: Vec<f64> = points.iter().map(|p| p.1).collect();
    // Pairs that fall, and then, of the sorted values, pairs that are tied; the others rise.
    let falls = inversions(&mut values) as f64;
    let (mut tied, mut ties) = (0.0, 0.0);
    for t in values.chunk_by(|a, b| a == b).map(|c| c.len() as f64) {
        tied += t * (t - 1.0) / 2.0;
        ties += t * (t - 1.0) * (2.0 * t + 5.0);
    }
    let s = pairs - tied - 2.0 * falls;
    if s / pairs < tau_min {
        return None;
    }
    let slope = theil_sen(points)?;
    let n = n as f64;
    let variance = (n * (n - 1.0) * (2.0 * n + 5.0) - ties) / 18.0;
    let continuous = s - if s == 0.0 { 0.0 } else { s.signum() };
    let z = if variance > 0.0 { continuous / variance.sqrt() } else { 0.0 };
    let normal = Normal::standard();
    Some(Trend { slope, tau: s / pairs, p: 2.0 * (1.0 - normal.cdf(z.abs())) })
}

/// Median of the slopes between all pairs of the (thinned) points.
fn theil_sen(points: &[(Micros, f64)]) -> Option<f64> {
    let thin = points.len().div_ceil(SLOPE_POINTS_MAX).max(1);
    let points: Vec<(f64, f64)> =
        points.iter().step_by(thin).map(|(t, v)| (*t as f64 / SECOND as f64, *v)).collect();
    let mut slopes = Vec::with_capacity(points.len() * (points.len() - 1) / 2);
    for (i, a) in points.iter().enumerate() {
        let ahead = points[i + 1..].iter().filter(|b| b.0 > a.0);
        slopes.extend(ahead.map(|b| (b.1 - a.1) / (b.0 - a.0)));
    }
    robust::median_of(slopes)
}

/// Sorts the values and counts the pairs that stood in falling order (merge sort).
fn inversions(values: &mut [f64]) -> u64 {
    let mut buffer = values.to_vec();
    sort_counting(values, &mut buffer)
}

fn sort_counting(values: &mut [f64], buffer: &mut [f64]) -> u64 {
    let n = values.len();
    if n < 2 {
        return 0;
    }
    let (left, right) = values.split_at_mut(n / 2);
    let (left_buffer, right_buffer) = buffer.split_at_mut(n / 2);
    let mut count = sort_counting(left, left_buffer) + sort_counting(right, right_buffer);
    let (mut i, mut j) = (0, 0);
    for slot in buffer.iter_mut() {
        if j == right.len() || (i < left.len() && left[i] <= right[j]) {
            *slot = left[i];
            i += 1;
        } else {
            // Everything left of it that is still to come is larger.
            count += (left.len() - i) as u64;
            *slot = right[j];
            j += 1;
        }
    }
    values.copy_from_slice(buffer);
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::notation::points;

    #[test]
    fn the_slope_is_per_second_and_outliers_do_not_move_it() {
        let mut p = points("0+1x30");
        p[7].1 = 1e6;
        let t = trend(&p).expect("long enough");
        assert!((t.slope - 0.1).abs() < 1e-9, "{}", t.slope);
        assert!(t.p < 1e-6);
    }

    #[test]
    fn it_agrees_with_scipy() {
        // scipy 1.17.1: stats.theilslopes(x, 10 * arange(n))[0]; S over all pairs, its variance with
        // ties as in Hipel and McLeod 1994, p = 2 (1 - norm.cdf(|z|)) with continuity correction.
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        let t = trend(&points("2 1 4 3 1 5 2 6 1 3")).expect("long enough");
        assert!(near(t.slope, 0.011_111_111_111_111_112), "{}", t.slope);
        assert!(near(t.tau, 6.0 / 45.0) && near(t.p, 0.647_161_773_909_683_8), "{t:?}");
        let t = trend(&points("1 3 2 5 4 7 6 9 8 12 11 15")).expect("long enough");
        assert!(near(t.slope, 0.1125) && near(t.tau, 0.848_484_848_484_848_5), "{t:?}");
        assert!((t.p - 0.000_162_275_566_476).abs() < 1e-8, "{t:?}");
    }

    #[test]
    fn constant_and_short_data_are_decided() {
        let t = trend(&points("5x10")).expect("long enough");
        assert_eq!((t.slope, t.tau, t.p), (0.0, 0.0, 1.0));
        assert_eq!(trend(&points("1 2 3")), None);
        let climbs = points("1 2 4 3 5 6 8 7");
        let tau = trend(&climbs).map_or(0.0, |t| t.tau);
        assert_eq!(trend_from(&climbs, tau), trend(&climbs));
        assert_eq!(trend_from(&climbs, tau + 0.01), None);
    }
}
