//! A level that starts high and settles by itself, as that of an instance with cold caches does.
//! In: the first points of a young series. Out: the early and the late level, and when half of
//! the way between them was gone.
//!
//! The early level is the median of the first points, the late one that of the last third; the way
//! down must be a trend (Mann-Kendall, see `trend`).

use super::{robust, trend};
use crate::model::{Micros, SECOND};

/// Fewest points in which a way down is looked for.
const POINTS_MIN: usize = 6;
/// Points that stand for the start.
const EARLY_POINTS: usize = 3;
/// Share of the points, at the end, that stands for the settled level.
const LATE_SHARE: usize = 3;
/// Largest p-value of the way down.
const P_MAX: f64 = 0.05;

/// A level that settled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Warmup {
    pub early: f64,
    pub late: f64,
    /// Seconds from the first point until half of the way down was gone.
    pub half_s: f64,
    pub from: Micros,
}

/// Measures the way down from the start of `points`.
///
/// `None` for fewer than six points, for constant and rising series, and where the way down is not
/// clear of chance. A gap moves the half time by at most its length.
pub fn warmup(points: &[(Micros, f64)]) -> Option<Warmup> {
    let n = points.len();
    if n < POINTS_MIN {
        return None;
    }
    let level =
        |part: &[(Micros, f64)]| robust::median(&part.iter().map(|p| p.1).collect::<Vec<_>>());
    let early = level(&points[..EARLY_POINTS])?;
    let late = level(&points[n - n / LATE_SHARE..])?;
    let fit = trend::trend(points)?;
    if late >= early || fit.tau >= 0.0 || fit.p > P_MAX {
        return None;
    }
    let half = (early + late) / 2.0;
    let reached = points.iter().find(|p| p.1 <= half).map_or(points[n - 1].0, |p| p.0);
    let half_s = (reached - points[0].0) as f64 / SECOND as f64;
    Some(Warmup { early, late, half_s, from: points[0].0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::notation::points;
    use proptest::prelude::*;

    #[test]
    fn a_cold_start_settles() {
        let w =
            warmup(&points("1.7 1.2 0.9 0.7 0.5 0.4 0.3 0.2 0.15 0.1 0.09 0.09")).expect("down");
        assert_eq!((w.early, w.half_s), (1.2, 40.0));
        assert!(w.late <= 0.1);
    }

    #[test]
    fn steady_rising_and_short_series_do_not_settle() {
        for text in ["", "9", "9 5 2 1 1", "3x20", "1+1x20", "5 6 5 4 5 6 5 4 6 5 5 6 4 5"] {
            assert_eq!(warmup(&points(text)), None, "{text}");
        }
    }

    #[test]
    fn a_gap_leaves_the_levels() {
        let w = warmup(&points("1.6 1.2 _ _ 0.6 0.5 0.3 _ 0.2 0.1 0.1 0.1")).expect("down");
        assert_eq!((w.early, w.late), (1.2, 0.1));
    }

    proptest! {
        #[test]
        fn scale_and_shift_keep_the_half_time(factor in 0.1f64..100.0, offset in 0.0f64..50.0) {
            let at = |f: f64, o: f64| -> Vec<(Micros, f64)> {
                let level = |i: i64| f * (-(i as f64) / 4.0).exp() + o;
                (0..20).map(|i| (i * 10 * SECOND, level(i))).collect()
            };
            let plain = warmup(&at(1.0, 0.0)).expect("down");
            let other = warmup(&at(factor, offset)).expect("down");
            prop_assert!((plain.half_s - other.half_s).abs() < 1e-9);
            prop_assert!((factor * plain.early + offset - other.early).abs() < 1e-6 * other.early);
        }
    }
}
