//! What each series says over time, made once per series: rates of counters, counts of rare
//! events, the values themselves of anything else.

use super::counter;
use crate::model::{EntityId, Micros, SECOND};
use crate::signals::{Part, words};
use crate::telemetry::{Points, SeriesMeta, Telemetry};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Steps without a sample after which a counter's interval is a gap.
const GAP_STEPS: i64 = 4;
/// Words by which a name says that its values are rates already.
const RATE_WORDS: [&str; 4] = ["per", "rps", "qps", "rate"];

/// The points of one series, and whether they are those of a counter.
pub struct Rated {
    pub points: Points,
    pub counter: bool,
}

/// First sample of each file and instance: a counter that starts later is born late.
type Starts = BTreeMap<(u32, Option<EntityId>), Micros>;

/// Every series of the telemetry, in its order.
pub fn of(telemetry: &Telemetry, samples: Vec<Points>) -> Vec<Rated> {
    let mut starts = Starts::new();
    for (meta, points) in telemetry.series.iter().zip(&samples) {
        if let Some((first, _)) = points.first() {
            let at = starts.entry((meta.file, meta.instance)).or_insert(first);
            *at = (*at).min(first);
        }
    }
    let one = |(meta, points): (&SeriesMeta, Points)| {
        if !counts(telemetry, meta, &points) {
            return Rated { points, counter: false };
        }
        let events = telemetry.signals.get(meta.signal).role == "restarts";
        let start = starts.get(&(meta.file, meta.instance)).copied();
        Rated { points: rates(&points, start, events), counter: true }
    };
    telemetry.series.par_iter().zip(samples).map(one).collect()
}

/// Says whether a series is a counter, by its name or its signal, and by its values.
fn counts(telemetry: &Telemetry, meta: &SeriesMeta, points: &Points) -> bool {
    if meta.derived {
        return false;
    }
    if meta.part != Part::Value {
        return counter::behaves_like_counter(points.values());
    }
    let rate = || words(&meta.raw_name).iter().any(|w| RATE_WORDS.contains(&w.as_str()));
    telemetry.signals.get(meta.signal).counter && !rate() && counter::only_resets(points.values())
}

/// Rates with the late-born case. Of rare events their number in each interval: a rate of them is
/// too small to mean anything.
fn rates(points: &Points, start: Option<Micros>, events: bool) -> Points {
    let step = counter::step(points).unwrap_or(SECOND);
    let first = points.first().map_or(0, |p| p.0);
    let late = start.is_some_and(|s| first - s > step + step / 2);
    let (born, gap) = (late.then_some(first - step), GAP_STEPS * step);
    let rates = match events {
        true => counter::increases(points, born, gap),
        false => counter::rates(points, born, gap),
    };
    let Some(start) = start.filter(|_| late) else { return rates };
    // Its process was alive without it: it stood at zero.
    let unborn = (1..).map(|i| start + i * step).take_while(|t| *t < first).take(100_000);
    unborn.map(|t| (t, 0.0)).chain(rates).collect()
}
