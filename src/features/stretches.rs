//! How far the level of a stretch of time wanders by itself. In: the values of a quiet time and a
//! length. Out: centre and spread of the levels of all stretches of that length.
//!
//! One sample says little about the level of twenty where noise is autocorrelated or comes in
//! bursts: a mean of twenty such samples wanders nearly as far as one of them. Stretches of the
//! same length as the incident, cut from the quiet time itself, show how far (the moving blocks
//! of the block bootstrap, Künsch 1989). Short, empty and constant input is decided by the caller:
//! fewer than `ENOUGH` stretches give `None`; constant values give a spread of 0.

use super::robust;

/// Fewest stretches, half overlapping, that show a spread.
const ENOUGH: usize = 6;
/// Stretches that are looked at, at most.
const MOST: usize = 96;
/// Upper quantile whose distance from the median shows the spread of a skewed level, and that
/// distance of normal data in standard deviations. A quarter of the stretches may belong to an
/// incident that began early.
const SKEWED_Q: f64 = 0.75;
const SKEWED_SIGMA: f64 = 0.674;

/// Centre and spread of the levels of stretches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretches {
    pub n: usize,
    pub median: f64,
    /// Estimate of the standard deviation, towards the side that was asked for.
    pub scale: f64,
}

/// Measures quantile `q` of stretches of `length` values; `up` is the side that matters.
pub fn stretches(values: &[f64], length: usize, q: f64, up: bool) -> Option<Stretches> {
    let length = length.max(1);
    let room = values.len().checked_sub(length)?;
    let stride = (length / 2).max(room / MOST).max(1);
    let n = room / stride + 1;
    if n < ENOUGH {
        return None;
    }
    let level = |i: usize| robust::quantile(&values[i * stride..i * stride + length], q);
    let levels: Vec<f64> = (0..n).filter_map(level).collect();
    let base = robust::baseline(&levels)?;
    let side = robust::quantile(&levels, if up { SKEWED_Q } else { 1.0 - SKEWED_Q })?;
    let skewed = (side - base.median).abs() / SKEWED_SIGMA;
    Some(Stretches { n, median: base.median, scale: base.scale.max(skewed) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::notation::values;

    #[test]
    fn slow_waves_spread_the_levels_of_stretches_as_far_as_the_samples() {
        let wave = values("1x10 9x10 1x10 9x10 1x10 9x10 1x10 9x10");
        let slow = stretches(&wave, 6, 0.5, true).expect("enough");
        let quick = stretches(&values(&"1 9 ".repeat(40)), 6, 0.5, true).expect("enough");
        assert!(slow.scale > 4.0, "{slow:?}");
        assert!(quick.scale < 1e-9, "{quick:?}");
    }

    #[test]
    fn short_empty_and_constant_input_is_decided() {
        assert_eq!(stretches(&[], 3, 0.5, true), None);
        assert_eq!(stretches(&values("1 2 3 4 5 6"), 4, 0.5, true), None);
        let flat = stretches(&values("7x40"), 4, 0.9, false).expect("enough");
        assert_eq!((flat.median, flat.scale), (7.0, 0.0));
    }
}
