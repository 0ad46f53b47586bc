//! Series for the tests of this folder. In: values by number, and how late. Out: a series.

use super::{Origin, SignalSeries, Source};
use crate::model::{EntityId, Micros, SECOND, Subject};
use crate::signals::{SignalId, Stat};

pub const STEP: Micros = 5 * SECOND;

/// A rate that wanders, and never the same way again.
pub fn rate(i: i64) -> f64 {
    let wave = |period: f64| (i as f64 / period).sin();
    50.0 + 20.0 * wave(7.3) + 12.0 * wave(3.1) + 9.0 * wave(17.9)
}

/// The traffic of one service, ten minutes of it: `value` by sample, told `late`.
pub fn series(value: impl Fn(i64) -> f64, late: Micros) -> SignalSeries {
    SignalSeries {
        subject: Subject::Entity(EntityId(0)),
        signal: SignalId(0),
        role: "traffic".to_owned(),
        stat: Stat::Value,
        dims: String::new(),
        points: (0..120).map(|i| (1_795_176_000 * SECOND + i * STEP + late, value(i))).collect(),
        step: STEP,
        smear: 0,
        origin: Origin::Metrics,
        guessed: false,
        source: Source { file: String::new(), series: String::new() },
    }
}
