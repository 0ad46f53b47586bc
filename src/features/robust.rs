//! Centre and spread that outliers do not move. In: values. Out: median, scale, quantiles.
//! Empty input gives `None`; NaN never gets here (gaps are missing points).

use statrs::statistics::{Data, OrderStatistics};

/// Makes the median absolute deviation estimate the standard deviation of normal data
/// (Rousseeuw and Croux 1993).
const MAD_TO_SIGMA: f64 = 1.4826;
/// Interquartile range of normal data in standard deviations.
const IQR_OF_SIGMA: f64 = 1.349;

/// Robust description of a baseline.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Baseline {
    pub n: usize,
    pub median: f64,
    /// Estimate of the standard deviation: the larger of MAD and IQR; 0 for constant data.
    pub scale: f64,
    pub min: f64,
    pub max: f64,
}

/// Quantile `q` (0 to 1) of the values; `None` when there are none. (statrs: Hyndman-Fan type 8.)
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    (!values.is_empty()).then(|| Data::new(values.to_vec()).quantile(q.clamp(0.0, 1.0)))
}

/// Middle value; mean of the two middle ones for an even count; `None` when empty.
pub fn median(values: &[f64]) -> Option<f64> {
    median_of(values.to_vec())
}

/// [`median`] of values that nobody needs in their order any more: selects in place.
pub fn median_of(mut values: Vec<f64>) -> Option<f64> {
    let n = values.len();
    if n == 0 {
        return None;
    }
    let (below, middle, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    let upper = *middle;
    if n % 2 == 1 {
        return Some(upper);
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Some(lower + (upper - lower) / 2.0)
}

/// Median absolute deviation from the median, unscaled; `None` when empty.
pub fn mad(values: &[f64]) -> Option<f64> {
    let m = median(values)?;
    let deviations = values.iter().map(|v| (v - m).abs()).collect();
    median_of(deviations)
}

/// The values in rising order, for several quantiles of the same values.
pub fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

/// Quantile of sorted values, which must not be empty: Hyndman-Fan type 8, as [`quantile`].
pub fn quantile_of_sorted(sorted: &[f64], q: f64) -> f64 {
    let n = sorted.len();
    let h = place(n, q);
    let at = |k: f64| sorted[(k.clamp(1.0, n as f64) as usize) - 1];
    between(n, q, at(h.floor()), at(h.floor() + 1.0))
}

/// From this many values on, selecting a few of them takes less time than sorting all.
const SELECT_FROM: usize = 32;

/// Least value, quartiles as [`quantile`] and greatest value (Tukey 1977); `None` when empty.
fn five_numbers(values: &[f64]) -> Option<[f64; 5]> {
    let n = values.len();
    if n < SELECT_FROM {
        let sorted = sorted(values);
        let of = |q| quantile_of_sorted(&sorted, q);
        return Some([*sorted.first()?, of(0.25), of(0.5), of(0.75), *sorted.last()?]);
    }
    let mut all = values.to_vec();
    // Where the halves and the quarters part, between the two values that the quantile lies between.
    let [first, middle, last] = [0.25, 0.5, 0.75].map(|q| place(n, q).floor() as usize);
    let (below, at, above) = all.select_nth_unstable_by(middle - 1, f64::total_cmp);
    let median = between(n, 0.5, *at, least(above)?);
    let (lowest, at, rest) = below.select_nth_unstable_by(first - 1, f64::total_cmp);
    let lower = between(n, 0.25, *at, least(rest)?);
    let (_, at, highest) = above.select_nth_unstable_by(last - middle - 1, f64::total_cmp);
    let upper = between(n, 0.75, *at, least(highest)?);
    let max = highest.iter().copied().max_by(f64::total_cmp)?;
    Some([least(lowest)?, lower, median, upper, max])
}

fn least(values: &[f64]) -> Option<f64> {
    values.iter().copied().min_by(f64::total_cmp)
}

/// Where quantile `q` of `n` sorted values lies, the first of them at 1 (Hyndman-Fan type 8).
fn place(n: usize, q: f64) -> f64 {
    (n as f64 + 1.0 / 3.0) * q + 1.0 / 3.0
}

/// Quantile `q` of `n` values, of which it lies between these two.
fn between(n: usize, q: f64, low: f64, high: f64) -> f64 {
    let h = place(n, q);
    low + (h - h.floor()) * (high - low)
}

/// Describes a baseline. When more than half of the values are equal and IQR and MAD are both 0,
/// the standard deviation stands in, so that a mostly constant series keeps its noise.
pub fn baseline(values: &[f64]) -> Option<Baseline> {
    let n = values.len();
    let [min, lower, median, upper, max] = five_numbers(values)?;
    let spread = MAD_TO_SIGMA * median_of(values.iter().map(|v| (v - median).abs()).collect())?;
    let iqr = (upper - lower) / IQR_OF_SIGMA;
    let mut scale = spread.max(iqr);
    if scale == 0.0 {
        let mean = values.iter().sum::<f64>() / n as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64;
        scale = variance.sqrt();
    }
    Some(Baseline { n, median, scale, min, max })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_outlier_moves_neither_centre_nor_spread() {
        let b = baseline(&[1.0, 2.0, 3.0, 4.0, 1000.0]).expect("not empty");
        assert_eq!(b.median, 3.0);
        assert!(b.scale < 3.0 * 1000.0 / 10.0, "{}", b.scale);
        // scipy 1.17.1: stats.median_abs_deviation([1, 2, 3, 4, 1000]) = 1.0
        assert_eq!(mad(&[1.0, 2.0, 3.0, 4.0, 1000.0]), Some(1.0));
        // numpy: quantile([1, 2, 3, 4, 10, 20, 35], [.1, .5, .9], method="median_unbiased")
        let values = [1.0, 2.0, 3.0, 4.0, 10.0, 20.0, 35.0];
        for (q, wanted) in [(0.1, 1.066_666_666_666_666_7), (0.5, 4.0), (0.9, 34.0)] {
            let found = quantile(&values, q).expect("not empty");
            assert!((found - wanted).abs() < 1e-9, "{q}: {found}");
            let found = quantile_of_sorted(&sorted(&values), q);
            assert!((found - wanted).abs() < 1e-9, "{q}, sorted: {found}");
        }
    }

    proptest! {
        #[test]
        fn selected_quartiles_are_those_of_the_sorted_values(
            values in prop::collection::vec((-40i32..40).prop_map(|v| f64::from(v) * 0.3), 1..120),
        ) {
            let all = sorted(&values);
            let of = |q| quantile_of_sorted(&all, q);
            let want = [all[0], of(0.25), of(0.5), of(0.75), all[all.len() - 1]];
            let found = five_numbers(&values).expect("not empty");
            prop_assert_eq!(found.map(f64::to_bits), want.map(f64::to_bits));
        }
    }

    #[test]
    fn constant_and_empty_data_are_decided() {
        assert_eq!(baseline(&[7.0; 5]).map(|b| (b.median, b.scale)), Some((7.0, 0.0)));
        assert_eq!(baseline(&[]), None);
        assert!(baseline(&[0.0, 0.0, 0.0, 0.0, 0.0, 9.0]).expect("not empty").scale > 0.0);
    }
}
