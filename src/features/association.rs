//! Whether two series rise and fall together. In: two series. Out: Spearman's rank correlation on
//! their common times.
//!
//! Spearman 1904, ties averaged: Pearson's correlation of the ranks. Robust to outliers and to any
//! monotone scale.

use super::change::ranks;
use crate::model::Micros;
use crate::rollup::counter;
use std::collections::BTreeMap;

/// Fewest common times: eight random pairs reach 0.74 once in forty times.
const PAIRS_MIN: usize = 8;

/// Rank correlation of the values at common times, -1 to 1; times fall into steps of the slower.
///
/// `None` with fewer than eight common steps and when either series is constant there. A gap in
/// either leaves the step out.
pub fn spearman(a: &[(Micros, f64)], b: &[(Micros, f64)]) -> Option<f64> {
    let own = |points: &[(Micros, f64)]| counter::step_of(points.iter().copied());
    let step = own(a)?.max(own(b)?);
    let grid = |points: &[(Micros, f64)]| {
        let mut slots: BTreeMap<Micros, (f64, f64)> = BTreeMap::new();
        for (t, v) in points {
            let slot = slots.entry(t.div_euclid(step)).or_default();
            *slot = (slot.0 + v, slot.1 + 1.0);
        }
        slots
    };
    let (left, right) = (grid(a), grid(b));
    let pairs: Vec<(f64, f64)> =
        left.iter().filter_map(|(t, x)| right.get(t).map(|y| (x.0 / x.1, y.0 / y.1))).collect();
    if pairs.len() < PAIRS_MIN {
        return None;
    }
    let (x, y): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
    let (x, y) = (ranks(&x), ranks(&y));
    let mean = (x.len() as f64 + 1.0) / 2.0;
    let product = |p: &[f64], q: &[f64]| -> f64 {
        p.iter().zip(q).map(|(a, b)| (a - mean) * (b - mean)).sum()
    };
    let spread = (product(&x, &x) * product(&y, &y)).sqrt();
    (spread > 0.0).then(|| product(&x, &y) / spread)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::notation::points;
    use crate::model::SECOND;
    use proptest::prelude::*;

    #[test]
    fn it_agrees_with_scipy() {
        // scipy 1.17.1: stats.spearmanr([2,1,4,3,1,5,2,6], [1,1,3,5,2,9,2,7])[0]
        let r = spearman(&points("2 1 4 3 1 5 2 6"), &points("1 1 3 5 2 9 2 7"));
        let r = r.expect("long enough");
        assert!((r - 0.853_658_536_585_365_8).abs() < 1e-9, "{r}");
    }

    #[test]
    fn short_constant_and_disjoint_series_have_none() {
        assert_eq!(spearman(&points("1 2 3"), &points("1 2 3")), None);
        assert_eq!(spearman(&points("1x20"), &points("1+1x20")), None);
        assert_eq!(spearman(&[], &points("1+1x20")), None);
        let late: Vec<_> = points("1+1x20").iter().map(|p| (p.0 + 900 * SECOND, p.1)).collect();
        assert_eq!(spearman(&points("1+1x20"), &late), None);
    }

    #[test]
    fn gaps_are_left_out() {
        let r = spearman(&points("1 2 _ 4 5 6 7 8 9 10 11"), &points("1 2 3 _ 5 6 7 8 9 10 11"));
        assert!((r.expect("nine pairs") - 1.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn any_rising_scale_is_the_same(
            values in prop::collection::vec((-5.0f64..5.0, -5.0f64..5.0), 8..40),
        ) {
            let at = |f: &dyn Fn(&(f64, f64)) -> f64| -> Vec<(Micros, f64)> {
                values.iter().enumerate().map(|(i, v)| (i as i64 * SECOND, f(v))).collect()
            };
            let plain = spearman(&at(&|v| v.0), &at(&|v| v.1));
            let bent = spearman(&at(&|v| v.0.exp()), &at(&|v| 3.0 * v.1 - 7.0));
            prop_assert_eq!(plain.is_some(), bent.is_some());
            if let (Some(a), Some(b)) = (plain, bent) {
                prop_assert!((a - b).abs() < 1e-9 && a.abs() <= 1.0 + 1e-9);
            }
        }
    }
}
