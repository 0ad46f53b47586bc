//! Change points by rank CUSUM. In: values in order. Out: where the level changes, as segments.
//!
//! The statistic is the largest standardised Wilcoxon rank sum over all splits (Pettitt 1979), on
//! ranks, so heavy tails do not matter; binary segmentation finds several changes. Fewer than
//! eight values and constant data have no change; gaps are values that are not there, and a NaN, which
//! normalising drops, would rank above everything.

/// Smallest standardised rank sum that counts as a change. Under independence the maximum over
/// splits of 100 values exceeds 3.2 in one of twenty series; recordings are autocorrelated.
const Z_MIN: f64 = 4.0;
/// Of a short series, a split must reach this share of the largest possible rank sum.
const NEARLY_PERFECT: f64 = 0.97;
/// Longest series in which a stretch in the middle is looked for, which takes n² steps.
const STRETCH_MAX: usize = 400;
/// Fewest values of a segment.
const SEGMENT_MIN: usize = 3;
/// Fewest values in which a change is looked for.
const VALUES_MIN: usize = 8;

/// Values `from..to` of one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    pub from: usize,
    pub to: usize,
}

/// Ranks from 1, ties averaged.
pub fn ranks(values: &[f64]) -> Vec<f64> {
    // Sorted with their places, for a place alone would fetch its value at each comparison.
    let mut order: Vec<(f64, usize)> = values.iter().copied().zip(0..).collect();
    order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let mut ranks = vec![0.0; values.len()];
    let mut i = 0;
    while i < order.len() {
        let ties = order[i..].iter().take_while(|o| o.0 == order[i].0).count();
        let rank = (2 * i + ties + 1) as f64 / 2.0;
        for (_, j) in &order[i..i + ties] {
            ranks[*j] = rank;
        }
        i += ties;
    }
    ranks
}

/// The best split (first index of the right part) and its standardised rank sum, without sign.
pub fn best_split(values: &[f64]) -> Option<(usize, f64)> {
    let n = values.len();
    if n < VALUES_MIN {
        return None;
    }
    let ranks = ranks(values);
    let mean = (n as f64 + 1.0) / 2.0;
    let variance = ranks.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (n as f64 - 1.0);
    if variance <= 0.0 {
        return None;
    }
    let mut sum = 0.0;
    let mut best: Option<(usize, f64)> = None;
    for k in 1..n {
        sum += ranks[k - 1] - mean;
        if k < SEGMENT_MIN || n - k < SEGMENT_MIN {
            continue;
        }
        let (left, right) = (k as f64, (n - k) as f64);
        let z = sum.abs() / (variance * left * right / n as f64).sqrt();
        if best.is_none_or(|(_, b)| z > b) {
            best = Some((k, z));
        }
    }
    best
}

/// Splits values into segments of one level, by binary segmentation.
pub fn segments(values: &[f64]) -> Vec<Segment> {
    let mut out = Vec::new();
    split(values, 0, &mut out, 0);
    out
}

/// Depth at which segmentation stops: at most 64 segments.
const DEPTH_MAX: u32 = 6;

fn split(values: &[f64], offset: usize, out: &mut Vec<Segment>, depth: u32) {
    let found = best_split(values).filter(|(k, z)| *z >= needed(*k, values.len()));
    let cuts = match found.filter(|_| depth < DEPTH_MAX) {
        Some((k, _)) => vec![k],
        // A bump in the middle has a small rank sum as a whole: look for a stretch against the rest.
        None if depth < DEPTH_MAX => best_stretch(values).map_or(vec![], |(i, j)| vec![i, j]),
        None => vec![],
    };
    if cuts.is_empty() {
        out.push(Segment { from: offset, to: offset + values.len() });
        return;
    }
    let bounds: Vec<usize> = [0].into_iter().chain(cuts).chain([values.len()]).collect();
    for w in bounds.windows(2).filter(|w| w[1] > w[0]) {
        split(&values[w[0]..w[1]], offset + w[0], out, depth + 1);
    }
}

/// The rank sum that a split of `k` out of `n` needs: [`Z_MIN`], or nearly the largest that so
/// few values can reach, sqrt(3 k (n - k) / (n + 1)) when every value on one side is larger.
fn needed(k: usize, n: usize) -> f64 {
    let (k, n) = (k as f64, n as f64);
    Z_MIN.min(NEARLY_PERFECT * (3.0 * k * (n - k) / (n + 1.0)).sqrt())
}

/// A stretch in the middle whose ranks differ most from those of the rest, if they do clearly.
/// Only for short series: long ones are split well enough at one end of the stretch.
fn best_stretch(values: &[f64]) -> Option<(usize, usize)> {
    let n = values.len();
    if !(VALUES_MIN..=STRETCH_MAX).contains(&n) {
        return None;
    }
    let ranks = ranks(values);
    let mean = (n as f64 + 1.0) / 2.0;
    let variance = ranks.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (n as f64 - 1.0);
    let mut sums = vec![0.0];
    for r in &ranks {
        sums.push(sums[sums.len() - 1] + r - mean);
    }
    let mut best: Option<(usize, usize, f64)> = None;
    for i in SEGMENT_MIN..n {
        for j in i + SEGMENT_MIN..=n.saturating_sub(SEGMENT_MIN) {
            let k = (j - i) as f64;
            let spread = (variance * k * (n as f64 - k) / n as f64).sqrt();
            let z = if spread > 0.0 { (sums[j] - sums[i]).abs() / spread } else { 0.0 };
            if best.is_none_or(|(_, _, b)| z > b) {
                best = Some((i, j, z));
            }
        }
    }
    best.filter(|(i, j, z)| *z >= needed(j - i, n)).map(|(i, j, _)| (i, j))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::notation::values;

    fn cuts(text: &str) -> Vec<usize> {
        segments(&values(text)).iter().skip(1).map(|s| s.from).collect()
    }

    #[test]
    fn a_step_and_a_bump_are_found_to_the_sample() {
        assert_eq!(cuts("1 2 1 2 1 2 1 2 1 2 9 8 9 8 9 8 9 8 9 8"), [10]);
        let quiet = "1 2 1 2 1 2 1 2 1 2 1 2 1 2 1 2 1 2 1 2";
        assert_eq!(cuts(&format!("{quiet} 9x12 {quiet}")), [20, 32]);
        assert_eq!(cuts("1 2 1 2 1 2 1 2 1 19 18 19 18 19 18 1 2 1 2 1 2 1 2 1"), [9, 15]);
    }

    #[test]
    fn constant_short_and_noisy_data_have_no_change() {
        assert!(cuts("5x40").is_empty());
        assert!(cuts("1 9 1 9 1").is_empty());
        assert!(cuts("3 1 4 1 5 9 2 6 5 3 5 8 9 7 9 3 2 3 8 4 6 2 6 4 3 3 8 3 2 7 9 5").is_empty());
    }

    #[test]
    fn ranks_average_ties() {
        assert_eq!(ranks(&[10.0, 20.0, 10.0]), [1.5, 3.0, 1.5]);
    }
}
