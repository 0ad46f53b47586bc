//! When a series left its baseline. In: points, baseline, where to look. Out: the first sample of
//! the departure and the interval in which it may really lie.
//!
//! Empty and constant series have none; five points are enough when they stay away. A gap widens the
//! interval back to the last point before it, by four steps at most; a NaN never departs.

use super::robust::Baseline;
use crate::model::{Micros, Window};

/// Robust standard deviations beyond which a point counts as departed.
const DEPARTED_Z: f64 = 4.0;
/// Of this many points from the onset on, most must be departed: one wild point is no onset.
const RUN: usize = 4;

/// An onset with its uncertainty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Onset {
    pub at: Micros,
    /// It lies in `[earliest, at]`: one step and the rate window before `at`, at least.
    pub earliest: Micros,
}

impl Onset {
    /// Length of the interval, seconds.
    pub fn uncertainty_s(&self) -> f64 {
        (self.at - self.earliest) as f64 / crate::model::SECOND as f64
    }

    /// Says whether two onsets cannot be told apart: their intervals, one step wider, overlap.
    pub fn ties_with(&self, other: &Onset) -> bool {
        let slack = (self.at - self.earliest).max(other.at - other.earliest);
        self.at.max(other.at) - slack <= self.at.min(other.at)
    }
}

/// Finds the onset in `window`; `up` is the direction of the departure.
///
/// `step` is the distance of samples and `smear` the length of the rate window behind each.
/// Empty input, and a series that never stays away from its baseline, have no onset.
pub fn onset(
    points: &[(Micros, f64)],
    baseline: &Baseline,
    window: Window,
    up: bool,
    step: Micros,
    smear: Micros,
) -> Option<Onset> {
    let inside: Vec<&(Micros, f64)> = points.iter().filter(|p| window.contains(p.0)).collect();
    let departed = |v: f64| {
        let z = (v - baseline.median) / baseline.scale.max(f64::MIN_POSITIVE);
        let beyond = if up { v > baseline.max } else { v < baseline.min };
        (if up { z } else { -z }) >= DEPARTED_Z && (beyond || z.abs() >= 2.0 * DEPARTED_Z)
    };
    let first = (0..inside.len()).find(|i| {
        let run = &inside[*i..(*i + RUN).min(inside.len())];
        let away = run.iter().filter(|p| departed(p.1)).count();
        departed(run[0].1) && 2 * away > run.len()
    })?;
    let at = inside[first].0;
    let before =
        points.iter().rev().find(|p| p.0 < at).map_or(at - step, |p| p.0.max(at - 4 * step));
    Some(Onset { at, earliest: before.min(at - step) - smear })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::notation::{points, values};
    use crate::features::robust;
    use crate::model::SECOND;

    fn find(text: &str, base: usize, up: bool) -> Option<i64> {
        let p = points(text);
        let b = robust::baseline(&values(text)[..base]).expect("not empty");
        let b = Baseline { scale: b.scale.max(0.1), ..b };
        let window = Window { from: p[base].0, to: i64::MAX };
        onset(&p, &b, window, up, 10 * SECOND, 0).map(|o| o.at / (10 * SECOND))
    }

    #[test]
    fn the_first_sample_of_a_lasting_departure_is_the_onset() {
        assert_eq!(find("1 2 1 2 1 2 1 9x6", 6, true), Some(7));
        assert_eq!(find("1 2 1 2 1 2 9 1 2 1 9x6", 6, true), Some(10));
        assert_eq!(find("5x6 5 5 1x5", 6, false), Some(8));
        assert_eq!(find("1 2 1 2 1 2 1 2 1 2", 6, true), None);
    }

    #[test]
    fn onsets_within_their_uncertainty_are_ties() {
        let o = |at: i64| Onset { at: at * SECOND, earliest: (at - 5) * SECOND };
        assert!(o(10).ties_with(&o(15)));
        assert!(!o(10).ties_with(&o(16)));
    }
}
