//! Short excursions that come back again and again. In: a series. Out: how many, how far apart, how
//! regular, and whether the autocorrelation at that distance agrees.
//!
//! What stands clearly off the median of the quieter half is an excursion; its start counts. The
//! distance is the median of the distances of starts, where a missed excursion may double one. The
//! check is the sample autocorrelation (Box and Jenkins) of the series of excursions at that lag
//! against its 95 % bound for white noise, 1.96 / sqrt(n).

use super::robust;
use crate::model::{Micros, SECOND};
use crate::rollup::counter;

/// Fewest excursions with a period: two have only one distance.
const PULSES_MIN: usize = 3;
/// Fewest points in which three excursions and the quiet between them can be seen: eight a period.
/// With fewer, that none is found says nothing.
pub const POINTS_MIN: usize = 8 * PULSES_MIN;
/// Robust standard deviations of the quieter half from which a value is off.
const OFF_Z: f64 = 6.0;
/// A value is off only if it also differs by this share of the median; downwards less is much: a
/// ratio near 1 cannot fall far.
const BURST_SHARE: f64 = 0.25;
const DIP_SHARE: f64 = 0.05;
/// Largest share of points that are off: what is off most of the time is a level.
const DUTY_MAX: f64 = 0.5;
/// Distances that differ from a multiple of the period by this share of it are irregular.
const IRREGULAR: f64 = 0.3;
/// Least share of the distances that must be regular.
const REGULAR_SHARE: f64 = 0.75;
/// Two-sided 95 % bound of the autocorrelation of white noise, times sqrt(n).
const WHITE: f64 = 1.96;

/// Which way the excursions go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Up,
    Down,
}

/// A train of excursions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pulses {
    pub count: usize,
    /// Distance of starts, seconds.
    pub period_s: f64,
    /// Usual length of one, seconds.
    pub width_s: f64,
    /// Usual level between excursions, and the median of their extremes.
    pub level: f64,
    pub extreme: f64,
    /// Autocorrelation of the excursions at the period, -1 to 1.
    pub autocorrelation: f64,
    pub first: Micros,
    pub last: Micros,
}

/// Finds regular excursions.
///
/// `None` for empty, constant and short series, for fewer than three excursions, for a series that
/// is off half of the time, for irregular distances, and where the autocorrelation at the distance
/// does not leave what white noise has. Gaps are missing points: times count, not places.
pub fn pulses(points: &[(Micros, f64)], side: Side) -> Option<Pulses> {
    let sign = if side == Side::Up { 1.0 } else { -1.0 };
    let values: Vec<f64> = points.iter().map(|p| sign * p.1).collect();
    let middle = robust::median(&values)?;
    let quiet: Vec<f64> = values.iter().copied().filter(|v| *v <= middle).collect();
    let base = robust::baseline(&quiet)?;
    // Below the median only half of the spread is seen; the other half mirrors it.
    let scale = (middle - base.median).max(base.scale);
    let share = if side == Side::Up { BURST_SHARE } else { DIP_SHARE };
    let limit = middle + (OFF_Z * scale).max(share * middle.abs()).max(f64::MIN_POSITIVE);
    let off: Vec<bool> = values.iter().map(|v| *v > limit).collect();
    let duty = off.iter().filter(|o| **o).count() as f64 / off.len() as f64;
    let found = runs(&off);
    if found.len() < PULSES_MIN || duty >= DUTY_MAX {
        return None;
    }
    let step = counter::step_of(points.iter().copied())?;
    let starts: Vec<Micros> = found.iter().map(|(from, _)| points[*from].0).collect();
    let gaps: Vec<f64> = starts.windows(2).map(|w| (w[1] - w[0]) as f64).collect();
    let period = robust::median(&gaps)?;
    let regular = gaps.iter().filter(|g| {
        let times = (*g / period).round().max(1.0);
        let slack = (IRREGULAR * period).max(step as f64);
        (*g - times * period).abs() <= slack
    });
    if (regular.count() as f64) < REGULAR_SHARE * gaps.len() as f64 {
        return None;
    }
    let lag = (period / step as f64).round() as usize;
    let autocorrelation = autocorrelation(&off, lag)?;
    if autocorrelation <= WHITE / (off.len() as f64).sqrt() {
        return None;
    }
    let widths: Vec<f64> =
        found.iter().map(|(from, to)| ((to - from) as i64 * step) as f64).collect();
    let tops: Vec<f64> = found
        .iter()
        .map(|(from, to)| values[*from..*to].iter().copied().fold(f64::MIN, f64::max))
        .collect();
    let seconds = |micros: f64| micros / SECOND as f64;
    Some(Pulses {
        count: found.len(),
        period_s: seconds(period),
        width_s: seconds(robust::median(&widths)?),
        level: sign * middle,
        extreme: sign * robust::median(&tops)?,
        autocorrelation,
        first: starts[0],
        last: points[found[found.len() - 1].1 - 1].0,
    })
}

/// Stretches that are off, as `from..to`; one good point inside does not part a stretch.
fn runs(off: &[bool]) -> Vec<(usize, usize)> {
    let mut out: Vec<(usize, usize)> = Vec::new();
    for (i, _) in off.iter().enumerate().filter(|(_, o)| **o) {
        match out.last_mut().filter(|(_, to)| i <= *to + 1) {
            Some(last) => last.1 = i + 1,
            None => out.push((i, i + 1)),
        }
    }
    out
}

/// Sample autocorrelation at a lag, the largest of the lag and its neighbours: a period seldom is
/// a whole number of steps. `None` when the series is constant or no longer than the lag.
fn autocorrelation(off: &[bool], lag: usize) -> Option<f64> {
    let x: Vec<f64> = off.iter().map(|o| f64::from(u8::from(*o))).collect();
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    let whole: f64 = x.iter().map(|v| (v - mean).powi(2)).sum();
    if whole <= 0.0 || lag == 0 || lag >= x.len() {
        return None;
    }
    let at = |lag: usize| {
        let pairs = x.iter().zip(&x[lag.min(x.len())..]);
        pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / whole
    };
    Some([lag - 1, lag, lag + 1].into_iter().filter(|l| *l > 0).map(at).fold(f64::MIN, f64::max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::notation::points;
    use proptest::prelude::*;

    #[test]
    fn dips_at_a_period_are_counted_and_timed() {
        let text = "0.98x8 0.4 0.6 0.99x4 0.45 0.6 0.97x4 0.4 0.6 0.98x4 0.5 0.6 0.98x4";
        let p = pulses(&points(text), Side::Down).expect("dips");
        assert_eq!((p.count, p.period_s, p.width_s), (4, 60.0, 20.0));
        assert!(p.level > 0.95 && p.extreme < 0.5 && p.autocorrelation > 0.3, "{p:?}");
        assert_eq!(pulses(&points(text), Side::Up), None);
    }

    #[test]
    fn levels_lone_bursts_and_noise_have_no_period() {
        let noise = "5 6 5 4 5 6 7 5 4 5 6 5 5 4 6 5 7 5 4 5 6 5 5 6 4 5 5 6 5 4";
        let irregular = "1x5 9 1x2 9 1x14 9 1x4 9 1x23 9 1";
        for text in ["", "1", "1 9 1 9 1", "3x40", "1x20 9x20", "1x20 9 1x20", noise, irregular] {
            assert_eq!(pulses(&points(text), Side::Up), None, "{text}");
        }
    }

    #[test]
    fn a_missed_dip_and_a_gap_leave_the_period() {
        let text = "1x5 9 1x5 9 1x11 9 1x2 _ 1x2 9 1x5 9 1x5";
        let p = pulses(&points(text), Side::Up).expect("bursts");
        assert_eq!((p.count, p.period_s), (5, 60.0));
    }

    #[test]
    fn the_autocorrelation_is_the_sample_autocorrelation() {
        // numpy: m = x - x.mean(); (m[:-3] * m[3:]).sum() / (m * m).sum() = 1.43 / 2.1
        let off = [false, false, true, false, false, true, false, false, true, false];
        let r = autocorrelation(&off, 3).expect("not constant");
        assert!((r - 1.43 / 2.1).abs() < 1e-9, "{r}");
    }

    proptest! {
        #[test]
        fn scale_and_time_shift_do_not_matter(
            period in 4usize..9, factor in 0.01f64..1e4, late in 0i64..1_000_000,
        ) {
            let value = |i: usize| if i % period == 2 { 9.0 } else { 1.0 + 0.01 * (i % 3) as f64 };
            let at = |f: f64, late: Micros| -> Vec<(Micros, f64)> {
                (0..60).map(|i| (late + i as i64 * 10 * SECOND, f * value(i))).collect()
            };
            let plain = pulses(&at(1.0, 0), Side::Up).expect("regular");
            let other = pulses(&at(factor, late), Side::Up).expect("regular");
            prop_assert_eq!(plain.count, other.count);
            prop_assert_eq!(plain.period_s, 10.0 * period as f64);
            prop_assert_eq!(plain.period_s, other.period_s);
        }
    }
}
