//! Time at a ceiling. In: a level and its limit, or the level alone. Out: the share of time at the
//! ceiling, and whether the ceiling was given or had to be inferred from repeated maxima.
//!
//! Empty input and a constant without a given ceiling have none; of five points three must repeat the
//! maximum to infer one. Gaps are points that are not there; a NaN is never at the ceiling.

use crate::model::{Micros, Window};

/// A level of at least this share of the ceiling is at the ceiling.
const AT_CEILING: f64 = 0.95;
/// An inferred ceiling must be reached by this share of the points.
const REPEATED_SHARE: f64 = 0.2;

/// Saturation in one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Saturation {
    /// Share of points at the ceiling, 0 to 1.
    pub share: f64,
    pub ceiling: f64,
    /// The ceiling is the repeated maximum, not a given limit.
    pub inferred: bool,
}

/// Measures saturation in `window`; `None` without points or without a ceiling.
///
/// A constant series has no inferred ceiling: a level that never moves says nothing.
pub fn saturation(
    points: &[(Micros, f64)],
    limit: Option<f64>,
    window: Window,
) -> Option<Saturation> {
    let inside: Vec<f64> = points.iter().filter(|p| window.contains(p.0)).map(|p| p.1).collect();
    if inside.is_empty() {
        return None;
    }
    let top = points.iter().map(|p| p.1).fold(f64::MIN, f64::max);
    let low = points.iter().map(|p| p.1).fold(f64::MAX, f64::min);
    let ceiling = match limit {
        Some(l) if l > 0.0 => l,
        Some(_) => return None,
        None => {
            let repeated = inside.iter().filter(|v| **v == top).count();
            let enough = repeated as f64 >= REPEATED_SHARE * inside.len() as f64 && repeated >= 3;
            (enough && top > low).then_some(top)?
        }
    };
    let at = inside.iter().filter(|v| **v >= AT_CEILING * ceiling).count();
    Some(Saturation { share: at as f64 / inside.len() as f64, ceiling, inferred: limit.is_none() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::notation::points;

    const ALL: Window = Window { from: 0, to: i64::MAX };

    #[test]
    fn a_given_limit_and_a_repeated_maximum_are_told_apart() {
        let given = saturation(&points("3x5 10x5"), Some(10.0), ALL).expect("points");
        assert_eq!((given.share, given.inferred), (0.5, false));
        let inferred = saturation(&points("3 4 5 3 10x6"), None, ALL).expect("points");
        assert_eq!((inferred.share, inferred.inferred), (0.6, true));
    }

    #[test]
    fn constant_and_empty_series_have_no_ceiling_of_their_own() {
        assert_eq!(saturation(&points("10x9"), None, ALL), None);
        assert_eq!(saturation(&[], Some(1.0), ALL), None);
    }
}
