//! Trend. In: points. Out: Theil-Sen slope and the Mann-Kendall test of whether it is one.
//!
//! Sen 1968; Mann 1945, Kendall 1975 with tie correction. Fewer than four points have no trend;
//! constant data has slope 0 and p 1.

use super::robust;
use crate::model::{Micros, SECOND};
use statrs::distribution::{ContinuousCDF, Normal};

/// Pairs looked at exactly; longer series are thinned evenly to stay below it.
const POINTS_MAX: usize = 600;

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

/// Fits the trend.
pub fn trend(points: &[(Micros, f64)]) -> Option<Trend> {
    let thin = points.len().div_ceil(POINTS_MAX).max(1);
    let points: Vec<(f64, f64)> =
        points.iter().step_by(thin).map(|(t, v)| (*t as f64 / SECOND as f64, *v)).collect();
    let n = points.len();
    if n < 4 {
        return None;
    }
    let mut slopes = Vec::with_capacity(n * (n - 1) / 2);
    let mut s = 0i64;
    for (i, a) in points.iter().enumerate() {
        for b in &points[i + 1..] {
            if b.0 > a.0 {
                slopes.push((b.1 - a.1) / (b.0 - a.0));
            }
            s += i64::from(b.1 > a.1) - i64::from(b.1 < a.1);
        }
    }
    let slope = robust::median(&slopes)?;
    let pairs = (n * (n - 1) / 2) as f64;
    let mut sorted: Vec<f64> = points.iter().map(|p| p.1).collect();
    sorted.sort_by(f64::total_cmp);
    let ties: f64 = sorted
        .chunk_by(|a, b| a == b)
        .map(|c| c.len() as f64)
        .map(|t| t * (t - 1.0) * (2.0 * t + 5.0))
        .sum();
    let n = n as f64;
    let variance = (n * (n - 1.0) * (2.0 * n + 5.0) - ties) / 18.0;
    let z = if variance > 0.0 { (s - s.signum()) as f64 / variance.sqrt() } else { 0.0 };
    let normal = Normal::standard();
    Some(Trend { slope, tau: s as f64 / pairs, p: 2.0 * (1.0 - normal.cdf(z.abs())) })
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
    }
}
