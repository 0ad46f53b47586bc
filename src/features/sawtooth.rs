//! Sawtooth: a level that climbs steadily, falls at once, and climbs again at the same rate.
//! In: points of a memory-like series. Out: cycles, slope, reset depth, time to the ceiling.
//!
//! Constant, empty and short series (under ten points) have none; a gap inside a tooth leaves its
//! slope; a NaN is no point of a fall. Split at drops of more than a third of the range; Theil-Sen
//! slope per tooth. Warm-up that plateaus, growth without a fall, and fewer than two full teeth are
//! no sawtooth.

use super::{robust, trend};
use crate::model::{Micros, SECOND};

/// A fall by more than this share of the whole range between neighbours ends a tooth.
const FALL_SHARE: f64 = 0.33;
/// Fewest points of a tooth.
const TOOTH_MIN: usize = 4;
/// Fewest teeth that climb.
const TEETH_MIN: usize = 2;
/// A tooth climbs if its Kendall tau is at least this.
const TAU_MIN: f64 = 0.6;
/// The range must be this share of the peak: wiggles of a flat series are not teeth.
const RANGE_SHARE_MIN: f64 = 0.15;

/// A sawtooth.
#[derive(Clone, Debug, PartialEq)]
pub struct Sawtooth {
    /// Teeth that climb, the last partial one included.
    pub teeth: usize,
    /// Times of the falls.
    pub falls: Vec<Micros>,
    /// Median climb, units per second.
    pub slope: f64,
    /// Median length of the full cycles, seconds.
    pub period_s: f64,
    /// Median level just before the falls and just after.
    pub peak: f64,
    pub floor: f64,
    /// Ratio of the smallest to the largest slope of the teeth, 0 to 1.
    pub evenness: f64,
}

/// Looks for a sawtooth; at least ten points are needed.
pub fn sawtooth(points: &[(Micros, f64)]) -> Option<Sawtooth> {
    if points.len() < 10 {
        return None;
    }
    let high = points.iter().map(|p| p.1).fold(f64::MIN, f64::max);
    let low = points.iter().map(|p| p.1).fold(f64::MAX, f64::min);
    let range = high - low;
    if range <= 0.0 || range < RANGE_SHARE_MIN * high.abs() {
        return None;
    }
    let cuts: Vec<usize> = (1..points.len())
        .filter(|i| points[*i - 1].1 - points[*i].1 > FALL_SHARE * range)
        .collect();
    let bounds: Vec<usize> =
        [0].into_iter().chain(cuts.iter().copied()).chain([points.len()]).collect();
    let climbs: Vec<trend::Trend> = bounds
        .windows(2)
        .map(|w| &points[w[0]..w[1]])
        .filter(|tooth| tooth.len() >= TOOTH_MIN)
        .filter_map(|tooth| trend::trend_from(tooth, TAU_MIN))
        .filter(|t| t.slope > 0.0)
        .collect();
    if climbs.len() < TEETH_MIN || cuts.is_empty() {
        return None;
    }
    let slopes: Vec<f64> = climbs.iter().map(|t| t.slope).collect();
    let largest = slopes.iter().copied().fold(f64::MIN, f64::max);
    let smallest = slopes.iter().copied().fold(f64::MAX, f64::min);
    let cycles: Vec<f64> =
        cuts.windows(2).map(|w| (points[w[1]].0 - points[w[0]].0) as f64 / SECOND as f64).collect();
    let before: Vec<f64> = cuts.iter().map(|i| points[*i - 1].1).collect();
    let after: Vec<f64> = cuts.iter().map(|i| points[*i].1).collect();
    let first_cycle = || (points[cuts[0]].0 - points[0].0) as f64 / SECOND as f64;
    Some(Sawtooth {
        teeth: climbs.len(),
        falls: cuts.iter().map(|i| points[*i].0).collect(),
        slope: robust::median(&slopes)?,
        period_s: robust::median(&cycles).unwrap_or_else(first_cycle),
        peak: robust::median(&before)?,
        floor: robust::median(&after)?,
        evenness: smallest / largest,
    })
}

/// Says whether a level falls again and again, and is sampled too coarsely to see whether it climbs
/// between: the usual tooth has fewer points than a slope needs.
///
/// Empty, constant and short series do not fall; gaps only lower the number of points; a NaN
/// neither climbs nor falls.
pub fn too_coarse(points: &[(Micros, f64)]) -> bool {
    let high = points.iter().map(|p| p.1).fold(f64::MIN, f64::max);
    let low = points.iter().map(|p| p.1).fold(f64::MAX, f64::min);
    let range = high - low;
    if points.is_empty() || !range.is_finite() || range < RANGE_SHARE_MIN * high.abs() {
        return false;
    }
    let fell = |w: &&[(Micros, f64)]| w[0].1 - w[1].1 > FALL_SHARE * range;
    let falls = points.windows(2).filter(fell).count();
    falls >= TEETH_MIN && points.len() / (falls + 1) <= TOOTH_MIN
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::notation::points;

    #[test]
    fn teeth_of_one_slope_are_counted_with_a_partial_last_one() {
        let s = sawtooth(&points("10+5x16 10+5x16 10+5x16 10+5x6")).expect("a sawtooth");
        assert_eq!((s.teeth, s.falls.len()), (4, 3));
        assert!((s.slope - 0.5).abs() < 1e-9);
        assert_eq!((s.period_s, s.peak, s.floor), (160.0, 85.0, 10.0));
        assert!(s.evenness > 0.99);
    }

    #[test]
    fn teeth_of_three_points_are_too_coarse_to_tell() {
        assert!(too_coarse(&points("10 40 80 10 45 75 10 50 80 10 40 75")));
        assert!(!too_coarse(&points("10+5x16 10+5x16 10+5x16")), "teeth that can be seen");
        assert!(!too_coarse(&points("50 51 50 52 50 51 50 53 50 51 50")), "wiggles");
        assert!(!too_coarse(&points("10x9")) && !too_coarse(&[]), "constant and empty");
        assert!(!too_coarse(&points("10+5x40")), "no fall");
    }

    #[test]
    fn look_alikes_are_none() {
        assert_eq!(sawtooth(&points("10+5x16 90x30")), None, "warm-up with a plateau");
        assert_eq!(sawtooth(&points("10+5x40")), None, "growth without a fall");
        assert_eq!(sawtooth(&points("50 51 50 52 50 51 50 53 50 51 50")), None, "wiggles");
        assert_eq!(sawtooth(&points("10x10 90x10 10x10 90x10")), None, "a batch job's steps");
        assert_eq!(sawtooth(&points("1 2 3")), None, "too short");
    }
}
