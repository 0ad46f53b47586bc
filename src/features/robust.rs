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
    let h = (n as f64 + 1.0 / 3.0) * q + 1.0 / 3.0;
    let at = |k: f64| sorted[(k.clamp(1.0, n as f64) as usize) - 1];
    let (low, high) = (at(h.floor()), at(h.floor() + 1.0));
    low + (h - h.floor()) * (high - low)
}

/// Describes a baseline. When more than half of the values are equal and IQR and MAD are both 0,
/// the standard deviation stands in, so that a mostly constant series keeps its noise.
pub fn baseline(values: &[f64]) -> Option<Baseline> {
    let n = values.len();
    let sorted = sorted(values);
    let (min, max) = (*sorted.first()?, *sorted.last()?);
    let median = quantile_of_sorted(&sorted, 0.5);
    let spread = MAD_TO_SIGMA * median_of(sorted.iter().map(|v| (v - median).abs()).collect())?;
    let iqr =
        (quantile_of_sorted(&sorted, 0.75) - quantile_of_sorted(&sorted, 0.25)) / IQR_OF_SIGMA;
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

    #[test]
    fn constant_and_empty_data_are_decided() {
        assert_eq!(baseline(&[7.0; 5]).map(|b| (b.median, b.scale)), Some((7.0, 0.0)));
        assert_eq!(baseline(&[]), None);
        assert!(baseline(&[0.0, 0.0, 0.0, 0.0, 0.0, 9.0]).expect("not empty").scale > 0.0);
    }
}
