//! Where the time of a call goes, from both ends of its spans: what the caller waits for longer
//! than the callee works, calls that end at a round timeout, clocks that cannot both be right.
//! In: spans. Out: series per edge.
//!
//! A call is served after it was sent and before its answer came (the bound of RFC 5905, section
//! 8): what remains when the callee's duration is taken off the caller's was spent between the two.
//! Durations are of one clock each, so the difference holds however far the clocks are apart.

use super::SignalSeries;
use super::classes::Measured;
use super::trace_series::Maker;
use crate::ingest::raw::SpanKind;
use crate::model::{EntityId, Micros, Subject};
use crate::normalize::ROUNDING;
use crate::signals::Stat;
use crate::telemetry::{NONE, Spans};
use std::collections::BTreeMap;

/// Timeouts that people set, seconds.
const ROUND_S: [f64; 13] =
    [1.0, 2.0, 3.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 300.0];
/// A call ends at a timeout when it takes at most this share and these seconds longer: timers and
/// busy event loops fire late, never early, …
const LATE_SHARE: f64 = 0.02;
const LATE_S: f64 = 0.1;
/// … and some clients (aiohttp's `ceil_threshold`) round timeouts above 5 s up to a whole second of
/// their loop's clock.
const ROUNDED_FROM_S: f64 = 5.0;
const ROUNDED_BY_S: f64 = 1.0;

type Pair = (u32, u32);
/// Sum and number by bucket.
type Cells = BTreeMap<Micros, (f64, f64)>;

/// Says whether a duration in seconds lies just above a timeout that people set.
pub fn at_timeout(duration: f64) -> bool {
    let late = |r: f64| {
        let rounded = if r > ROUNDED_FROM_S { ROUNDED_BY_S } else { 0.0 };
        LATE_SHARE * r + LATE_S + rounded
    };
    ROUND_S.iter().any(|r| (0.0..=late(*r)).contains(&(duration - r)))
}

/// By how many seconds two clocks are apart at least, judged by one call; 0 if they can agree.
///
/// `caller` and `callee` are start and end in microseconds, by the clock of each. A call that failed
/// may have been given up and served from a queue later: only one that was `answered` proves that
/// the callee's clock is ahead. That it is behind, any call proves: nothing starts before its cause.
fn offset(caller: (Micros, Micros), callee: (Micros, Micros), answered: bool) -> f64 {
    let (least, most) = (callee.1 - caller.1, callee.0 - caller.0);
    match () {
        // Longer than its caller waited: abandoned, says nothing about clocks.
        () if least > most => 0.0,
        () if least > ROUNDING && !answered => 0.0,
        () if least > ROUNDING => least as f64 / 1e6,
        () if most < -ROUNDING => -most as f64 / 1e6,
        () => 0.0,
    }
}

/// Says whether the type of an error is the status of an HTTP answer.
fn is_status(etype: &str) -> bool {
    etype.len() == 3 && etype.parse::<u16>().is_ok_and(|n| (400..600).contains(&n))
}

impl Maker<'_> {
    /// Gap, share of calls at a timeout and clock offset of every edge.
    pub fn edge_times(
        &self,
        spans: &Spans,
        measured: &Measured,
        symbols: &[String],
        out: &mut Vec<SignalSeries>,
    ) {
        let (start, end, dur) = (&spans.start, &spans.end, &measured.dur);
        let [mut gaps, mut waits, mut clocks]: [BTreeMap<Pair, Cells>; 3] = Default::default();
        let add = |to: &mut BTreeMap<Pair, Cells>, pair: Pair, row: usize, v: f64| {
            let t = measured.times[measured.bucket[row] as usize];
            let cell = to.entry(pair).or_default().entry(t).or_default();
            *cell = (cell.0 + v, cell.1 + 1.0);
        };
        for row in 0..start.len() {
            let own = &measured.class(row).shape;
            if own.kind == SpanKind::Client && own.peer != NONE && own.peer != own.service {
                let hit = f64::from(u8::from(at_timeout(dur[row])));
                add(&mut waits, (own.service, own.peer), row, hit);
            }
            let caller = spans.parent[row] as usize;
            if own.kind != SpanKind::Server || caller >= start.len() {
                continue;
            }
            let above = &measured.class(caller).shape;
            if above.kind != SpanKind::Client || above.service == own.service {
                continue;
            }
            let pair = (above.service, own.service);
            // A caller that gave up before the callee did says nothing about the way.
            if dur[caller] >= dur[row] {
                add(&mut gaps, pair, caller, dur[caller] - dur[row]);
            }
            let times = ((start[caller], end[caller]), (start[row], end[row]));
            // A call that failed with a status was answered: no caller had given it up.
            let etype = symbols.get(above.etype as usize).map_or("", String::as_str);
            let answered = !above.error || is_status(etype);
            add(&mut clocks, pair, caller, offset(times.0, times.1, answered));
        }
        for (name, edges) in
            [("edge.gap", gaps), ("edge.at_timeout", waits), ("edge.clock_offset", clocks)]
        {
            for ((caller, callee), cells) in edges {
                let subject = Subject::Edge(EntityId(caller), EntityId(callee));
                let points = cells.into_iter().map(|(t, (sum, n))| (t, sum / n)).collect();
                self.emit(name, subject, Stat::Mean, points, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_just_above_a_round_number_are_timeouts() {
        for d in [1.0, 3.02, 10.004, 10.97, 30.5, 60.0] {
            assert!(at_timeout(d), "{d}");
        }
        for d in [0.0, 0.99, 1.3, 4.2, 9.99, 12.0, 29.0, 31.9, f64::NAN] {
            assert!(!at_timeout(d), "{d}");
        }
    }

    #[test]
    fn a_status_is_an_answer_and_a_timeout_is_none() {
        assert!(is_status("401") && is_status("503"));
        assert!(!is_status("timeout") && !is_status("") && !is_status("200") && !is_status("4010"));
    }

    #[test]
    fn only_impossible_calls_prove_an_offset() {
        let of = |callee, answered| offset((0, 100_000), callee, answered);
        assert_eq!(of((10_000, 90_000), true), 0.0);
        assert_eq!(of((5_010_000, 5_090_000), true), 4.99);
        assert_eq!(of((-5_010_000, -4_930_000), false), 5.01);
        // The callee went on after its caller had left, or took it up only then.
        assert_eq!(of((10_000, 900_000), true), 0.0);
        assert_eq!(of((5_010_000, 5_090_000), false), 0.0);
    }
}
