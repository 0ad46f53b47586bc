//! Time until a limit is reached. In: a level's points, its limit and which way it goes. Out: when
//! the line through them meets the limit.
//!
//! Theil-Sen slope (Sen 1968) through the median of the last points, with the Mann-Kendall test of
//! whether there is a trend at all (see `trend`). Empty, constant, falling-away and short series
//! (under six points) have no such time; gaps change nothing but the number of points.

use super::{robust, trend};
use crate::model::{Micros, SECOND};

/// Fewest points; five in a row rise by chance once in 120 times.
const POINTS_MIN: usize = 6;
/// Largest p-value of a trend, and least strength: nine pairs of ten agree.
const P_MAX: f64 = 0.01;
const TAU_MIN: f64 = 0.6;
/// Points at the end whose median is the level now.
const NOW_POINTS: usize = 3;
/// A level that has come this near the limit, as a share of its way there, has reached it.
const REACHED: f64 = 0.97;

/// When a level meets its limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exhaustion {
    /// Units per second, towards the limit.
    pub slope: f64,
    /// Level at the start and at the end.
    pub start: f64,
    pub now: f64,
    /// Seconds from the last point to the limit; 0 when reached.
    pub left_s: f64,
    /// The time of it.
    pub at: Micros,
    pub reached: bool,
}

/// Finds when `points` reach `limit`; `up` when they rise to it, else they fall.
pub fn exhaustion(points: &[(Micros, f64)], limit: f64, up: bool) -> Option<Exhaustion> {
    let points: Vec<(Micros, f64)> = points.iter().filter(|p| p.1.is_finite()).copied().collect();
    if points.len() < POINTS_MIN || !limit.is_finite() {
        return None;
    }
    let sign = if up { 1.0 } else { -1.0 };
    let end = points.last()?.0;
    let median =
        |part: &[(Micros, f64)]| robust::median(&part.iter().map(|p| p.1).collect::<Vec<f64>>());
    let start = median(&points[..NOW_POINTS])?;
    let now = median(&points[points.len() - NOW_POINTS..])?;
    // A level that has stopped at its limit has no slope any more: the climb to it is the trend.
    let gap = |v: f64| sign * (limit - v);
    let whole = gap(start);
    let reached = whole > 0.0 && gap(now) <= (1.0 - REACHED) * whole;
    let climb = match reached {
        false => &points[..],
        true => {
            let there = points.iter().position(|p| gap(p.1) <= (1.0 - REACHED) * whole)?;
            &points[..=there]
        }
    };
    let trend = trend::trend(climb)?;
    let strong = trend.p <= P_MAX && sign * trend.tau >= TAU_MIN && sign * trend.slope > 0.0;
    if !strong || whole <= 0.0 {
        return None;
    }
    let left_s = if reached { 0.0 } else { gap(now).max(0.0) / (sign * trend.slope) };
    // Far beyond any calendar: the limit is not met.
    let at = end.checked_add((left_s.min(1e12) * SECOND as f64) as Micros)?;
    let at = if reached { climb.last()?.0 } else { at };
    Some(Exhaustion { slope: sign * trend.slope, start, now, left_s, at, reached })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::notation::points;

    #[test]
    fn a_steady_climb_meets_its_limit() {
        // 0 to 0.58 in 29 steps of ten seconds: 0.002 a second, the last median is 0.54.
        let e = exhaustion(&points("0+0.02x29"), 1.0, true).expect("a trend");
        assert!((e.slope - 0.002).abs() < 1e-9 && (e.left_s - 230.0).abs() < 1e-6, "{e:?}");
        let e = exhaustion(&points("500-10x29"), 0.0, false).expect("a trend");
        assert!(
            (e.slope - 1.0).abs() < 1e-9 && !e.reached && (e.left_s - 230.0).abs() < 1e-6,
            "{e:?}"
        );
    }

    #[test]
    fn a_limit_that_is_reached_is_known_by_the_climb() {
        let e = exhaustion(&points("100-10x10 0x20"), 0.0, false).expect("a trend");
        assert!(e.reached && e.left_s == 0.0, "{e:?}");
        assert_eq!(e.at, 100 * SECOND);
    }

    #[test]
    fn no_trend_no_time() {
        assert_eq!(exhaustion(&[], 1.0, true), None);
        assert_eq!(exhaustion(&points("0.5x30"), 1.0, true), None);
        assert_eq!(exhaustion(&points("0+0.1x4"), 1.0, true), None);
        assert_eq!(exhaustion(&points("0.5-0.01x30"), 1.0, true), None);
        assert_eq!(exhaustion(&points("0.5 0.52 0.49 0.51x9 0.5 0.52 0.49"), 1.0, true), None);
        let mut nan = points("0+0.02x29");
        nan[3].1 = f64::NAN;
        assert!(exhaustion(&nan, 1.0, true).is_some());
    }
}
