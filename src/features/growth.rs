//! Growth of a backlog. In: its depth over time, and the windows. Out: the climb that ends at the
//! incident's highest point: rise, slope, whether it is a trend, and whether it was drained again.
//!
//! The slope is Theil-Sen's and the test Mann-Kendall's (see `trend`). What went in less what came
//! out must add up to the rise (conservation of messages); [`net`] says what the rates predict.

use super::{robust, trend};
use crate::model::{Micros, SECOND, Window};

/// Fewest points of a climb: Mann-Kendall cannot tell four from chance.
const POINTS_MIN: usize = 5;
/// Quantile of the baseline from below which a climb starts.
const FROM_Q: f64 = 0.9;
/// A backlog that has lost this share of its rise has been drained.
const DRAINED_SHARE: f64 = 0.5;

/// A climb of a backlog.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    pub from: Micros,
    pub top: Micros,
    /// Level at the start of the climb and at its top, in the series' unit.
    pub start: f64,
    pub peak: f64,
    /// Units per second.
    pub slope: f64,
    /// Kendall's tau of the climb, -1 to 1, and its two-sided p-value.
    pub tau: f64,
    pub p: f64,
    /// Highest level of the baseline; 0 without one.
    pub before: f64,
    /// Half of the rise is gone again at the end of the series.
    pub drained: bool,
}

/// Finds the climb to the highest point of `look`.
///
/// `None` for an empty, constant or falling series and for a climb of fewer than five points.
/// Gaps are missing points: they shorten the climb and change nothing else.
pub fn growth(points: &[(Micros, f64)], baseline: Window, look: Window) -> Option<Growth> {
    let before: Vec<f64> = points.iter().filter(|p| baseline.contains(p.0)).map(|p| p.1).collect();
    let inside: Vec<(Micros, f64)> =
        points.iter().filter(|p| look.contains(p.0)).copied().collect();
    if inside.is_empty() {
        return None;
    }
    let mut top = 0;
    for (i, p) in inside.iter().enumerate() {
        if p.1 > inside[top].1 {
            top = i;
        }
    }
    let lowest = inside[..inside.len().min(top + 1)].iter().map(|p| p.1).fold(f64::MAX, f64::min);
    let usual = robust::quantile(&before, FROM_Q).unwrap_or(lowest).max(lowest);
    let start = inside.get(..top)?.iter().rposition(|p| p.1 <= usual).unwrap_or(0);
    let climb = &inside[start..=top];
    if climb.len() < POINTS_MIN || climb[climb.len() - 1].1 <= climb[0].1 {
        return None;
    }
    let fit = trend::trend(climb)?;
    let (from, to) = (climb[0], climb[climb.len() - 1]);
    let last = points.last().map_or(to.1, |p| p.1);
    Some(Growth {
        from: from.0,
        top: to.0,
        start: from.1,
        peak: to.1,
        slope: fit.slope,
        tau: fit.tau,
        p: fit.p,
        before: before.iter().copied().fold(0.0, f64::max),
        drained: to.1 - last >= DRAINED_SHARE * (to.1 - from.1),
    })
}

/// What went in less what came out between two times, from their mean rates per second; `None`
/// when either has no point there.
pub fn net(
    inflow: &[(Micros, f64)],
    outflow: &[(Micros, f64)],
    from: Micros,
    to: Micros,
) -> Option<f64> {
    let mean = |points: &[(Micros, f64)]| {
        let values: Vec<f64> =
            points.iter().filter(|p| from < p.0 && p.0 <= to).map(|p| p.1).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let seconds = (to - from) as f64 / SECOND as f64;
    Some((mean(inflow)? - mean(outflow)?) * seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::notation::points;
    use proptest::prelude::*;

    const BEFORE: Window = Window { from: 0, to: 100 * SECOND };
    const AFTER: Window = Window { from: 100 * SECOND, to: i64::MAX };

    #[test]
    fn a_climb_has_its_slope_and_its_end() {
        let g = growth(&points("3 4 2 3 4 3 2 4 3 3 3+20x10"), BEFORE, AFTER).expect("a climb");
        assert_eq!((g.start, g.peak, g.before), (3.0, 183.0, 4.0));
        assert!((g.slope - 2.0).abs() < 1e-9 && g.tau > 0.99 && !g.drained, "{g:?}");
        let g = growth(&points("3x10 3+20x10 183-60x4"), BEFORE, AFTER).expect("a climb");
        assert!(g.drained);
    }

    #[test]
    fn noise_short_and_constant_series_do_not_climb() {
        for text in ["", "5", "1 2 3 4 5", "7x30", "3x10 9 9 9", "9-1x30"] {
            assert_eq!(growth(&points(text), BEFORE, AFTER), None, "{text}");
        }
        let breathing = "0 20 40 20 0 0 20 40 20 0 0 20 40 20 0";
        assert_eq!(growth(&points(breathing), BEFORE, AFTER), None);
    }

    #[test]
    fn gaps_change_neither_slope_nor_ends() {
        let g = growth(&points("3x10 3 23 _ 63 83 _ _ 143 163 183"), BEFORE, AFTER);
        let g = g.expect("a climb");
        assert!((g.slope - 2.0).abs() < 1e-9 && g.peak == 183.0, "{g:?}");
    }

    #[test]
    fn what_the_rates_say_is_what_the_depth_gained() {
        // 24 in and 9 out a second for 100 s.
        let (i, o) = (points("24x11"), points("9x11"));
        assert_eq!(net(&i, &o, 0, 100 * SECOND), Some(1500.0));
        assert_eq!(net(&i, &[], 0, 100 * SECOND), None);
    }

    proptest! {
        #[test]
        fn scaling_scales_the_slope_and_shifting_changes_nothing(
            values in prop::collection::vec(0.0f64..100.0, 25..60),
            factor in 0.5f64..20.0,
            offset in -50.0f64..50.0,
        ) {
            let at = |f: &dyn Fn(f64) -> f64| -> Vec<(Micros, f64)> {
                let each = values.iter().enumerate();
                each.map(|(i, v)| (i as i64 * 10 * SECOND, f(*v + i as f64))).collect()
            };
            let plain = growth(&at(&|v| v), BEFORE, AFTER);
            let scaled = growth(&at(&|v| factor * v), BEFORE, AFTER);
            let moved = growth(&at(&|v| v + offset), BEFORE, AFTER);
            prop_assert_eq!(plain.is_some(), scaled.is_some());
            if let (Some(a), Some(b), Some(c)) = (plain, scaled, moved) {
                prop_assert!((a.slope * factor - b.slope).abs() <= 1e-6 * b.slope.abs().max(1.0));
                prop_assert!((a.tau - c.tau).abs() < 1e-12 && a.from == c.from && a.top == c.top);
            }
        }
    }
}
