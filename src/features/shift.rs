//! Level against baseline. In: baseline and incident values. Out: how far the level moved, in
//! robust standard deviations and as a ratio, with the chance of that under the baseline.
//!
//! The upper quantile (p90) of the incident stands for its level, not the maximum: max-based
//! scores collapse under heavy-tailed noise (METHODS section 2). An empty window has no shift, a
//! constant baseline gets a floor, five points of it widen the spread by 1.4; gaps are values that are
//! not there, and normalising drops NaN.

use super::robust::{self, Baseline};
use super::stretches::stretches;
use crate::model::Unit;
use crate::signals::Direction;

/// Robust standard deviations from which a level is compared with stretches of the baseline.
const NOTABLE_Z: f64 = 2.0;
/// Quantile of the incident window that stands for its level in the bad direction.
const LEVEL_Q: f64 = 0.9;
/// Spread below this share of the centre is not believed.
const RELATIVE_FLOOR: f64 = 0.01;
/// Largest z that is told apart from larger ones; keeps near-constant series from exploding.
pub const Z_MAX: f64 = 200.0;

/// A shift of one series between the windows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shift {
    pub baseline: Baseline,
    pub incident_n: usize,
    pub incident_median: f64,
    /// The incident's level in the direction of the shift (p90 when up, p10 when down).
    pub level: f64,
    /// Signed robust z of `level`: positive up, negative down; capped at [`Z_MAX`].
    pub z: f64,
    /// Robust z of the incident's median, signed.
    pub z_median: f64,
    /// The smaller of `z` and the distance of `level` from the levels of equally long stretches
    /// of the baseline: what is left when the noise is autocorrelated or comes in bursts. Equal to
    /// `z` where the baseline has too few such stretches; 0 where the two disagree on the side.
    pub settled: f64,
    /// Share of baseline points at least as extreme as `level`, add-one smoothed (conformal).
    pub p: f64,
}

impl Shift {
    /// The incident's median over the baseline's; infinite from zero, 1 when both are zero.
    pub fn ratio(&self) -> f64 {
        match (self.baseline.median, self.incident_median) {
            (b, i) if b == i => 1.0,
            (b, i) => i / b,
        }
    }

    /// How far it moved in the bad direction, beyond what it wanders by itself; 0 when it moved
    /// the other way.
    pub fn bad(&self, direction: Direction) -> f64 {
        match direction {
            Direction::Up => self.settled.max(0.0),
            Direction::Down => (-self.settled).max(0.0),
            Direction::Both => self.settled.abs(),
            Direction::None => 0.0,
        }
    }
}

/// The smallest spread that is believed for a unit, whatever the data say.
pub fn absolute_floor(unit: Unit, largest: f64) -> f64 {
    match unit {
        Unit::Seconds => 1e-3,
        Unit::Ratio => 5e-3,
        Unit::Count => 0.5,
        Unit::PerSecond => 0.05,
        Unit::Cores => 5e-3,
        // Megabytes or shares under a byte signal's name are small numbers, not small memories.
        Unit::Bytes | Unit::BytesPerSecond if largest >= 1e6 => 1024.0,
        Unit::Bytes | Unit::BytesPerSecond => 0.02 * largest,
        Unit::Instant => 1.0,
        Unit::None => 0.02 * largest,
    }
}

/// Measures the shift; `None` when either window has no point.
///
/// Short baselines widen the spread by `1 + 2 / n`: five points know their noise badly. Constant
/// baselines get the floors, so that a step from a constant is large but finite.
pub fn shift(
    baseline: &[f64],
    incident: &[f64],
    unit: Unit,
    direction: Direction,
) -> Option<Shift> {
    let b = robust::baseline(baseline)?;
    let largest = incident.iter().map(|v| v.abs()).fold(b.max.abs(), f64::max);
    let floor = (RELATIVE_FLOOR * b.median.abs()).max(absolute_floor(unit, largest));
    let scale = b.scale.max(floor).max(f64::MIN_POSITIVE) * (1.0 + 2.0 / b.n as f64);
    if incident.is_empty() {
        return None;
    }
    let sorted = robust::sorted(incident);
    let of = |q: f64| {
        let level = robust::quantile_of_sorted(&sorted, q);
        ((level - b.median) / scale, level, q)
    };
    let (up, down, middle) = (of(LEVEL_Q), of(1.0 - LEVEL_Q), of(0.5));
    let median = middle.1;
    let (z, level, q) = match direction {
        Direction::Up if up.0 >= 0.0 => up,
        Direction::Down if down.0 <= 0.0 => down,
        Direction::Up | Direction::Down => middle,
        Direction::Both | Direction::None if up.0.abs() >= down.0.abs() => up,
        Direction::Both | Direction::None => down,
    };
    // What does not stand out from the samples need not be compared with stretches.
    let notable = Some(z).filter(|z| z.abs() >= NOTABLE_Z);
    let among = notable.and_then(|z| stretches(baseline, incident.len(), q, z >= 0.0)).map(|s| {
        let widened = s.scale.max(floor).max(f64::MIN_POSITIVE) * (1.0 + 2.0 / s.n as f64);
        (level - s.median) / widened
    });
    let settled = match among {
        None => z,
        Some(other) if (other > 0.0) != (z > 0.0) => 0.0,
        Some(other) => z.signum() * z.abs().min(other.abs()),
    };
    let extreme = |v: &&f64| if z >= 0.0 { **v >= level } else { **v <= level };
    let beyond = baseline.iter().filter(extreme).count();
    Some(Shift {
        baseline: Baseline { scale, ..b },
        incident_n: incident.len(),
        incident_median: median,
        level,
        z: z.clamp(-Z_MAX, Z_MAX),
        settled: settled.clamp(-Z_MAX, Z_MAX),
        z_median: ((median - b.median) / scale).clamp(-Z_MAX, Z_MAX),
        p: (beyond + 1) as f64 / (b.n + 1) as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::notation::values;

    fn up(baseline: &str, incident: &str) -> Shift {
        shift(&values(baseline), &values(incident), Unit::None, Direction::Up).expect("not empty")
    }

    #[test]
    fn a_step_from_a_constant_is_large_but_finite() {
        let s = shift(&values("1x20"), &values("0.5x5"), Unit::Ratio, Direction::Down);
        let z = s.expect("not empty").z;
        assert!((-100.0..-30.0).contains(&z), "{z}");
    }

    #[test]
    fn one_wild_point_of_twenty_is_no_shift() {
        let s = up(
            "10 11 9 10 12 8 10 11 9 10",
            "10 9 11 10 10 9 11 10 10 500 10 9 11 10 10 9 11 10 10 9",
        );
        assert!(s.z < 3.0, "{}", s.z);
    }

    #[test]
    fn shifting_and_scaling_both_windows_changes_nothing() {
        let (b, i) = (values("10 12 9 11 10 13"), values("30 31 29"));
        let z = |f: &dyn Fn(f64) -> f64| {
            let go = |v: &[f64]| v.iter().map(|x| f(*x)).collect::<Vec<_>>();
            shift(&go(&b), &go(&i), Unit::None, Direction::Up).expect("not empty").z
        };
        assert!((z(&|x| x) - z(&|x| 3.0 * x)).abs() < 1e-9);
    }

    #[test]
    fn a_wave_that_comes_again_is_no_shift() {
        let wave = "1 1.1 0.9 1 1.1 5 5.1 4.9 5 5.1 ";
        let s = up(&format!("1 1.1 0.9 1 1.1 1 {}", wave.repeat(5)), "5 5.1 4.9 5 5.2");
        assert!(s.settled < 3.0 && s.settled <= s.z, "{s:?}");
        let far = up(&"1 1.1 0.9 1 1.1 ".repeat(8), "5 5.1 4.9 5 5.2");
        assert!(far.settled > 10.0, "{far:?}");
    }

    #[test]
    fn empty_windows_give_nothing() {
        assert_eq!(shift(&[], &[1.0], Unit::None, Direction::Up), None);
        assert_eq!(shift(&[1.0], &[], Unit::None, Direction::Up), None);
    }
}
