//! Clocks and completeness of traces. In: spans as they were read. Out: gaps about hosts whose
//! clocks differ and about spans whose parents are not there. No time is changed: durations are
//! of one clock each and stay right.
//!
//! A call is served after it was sent and before its answer came. So the callee's clock is ahead
//! of the caller's by an offset between `s.end - c.end` and `s.start - c.start`, which is NTP's
//! bound (RFC 5905, section 8) and what Jaeger's clock skew adjuster centres a span in.

use crate::ingest::raw::{Raw, RawSpan, RawSpans, SpanKind, Sym};
use crate::model::{Gap, GapKind, Micros};
use crate::telemetry::NONE;
use std::collections::HashMap;

/// Calls without which two clocks are not compared.
const CALLS_MIN: usize = 5;
/// Calls between two hosts that are kept for the estimate.
const CALLS_MAX: usize = 20_000;
/// Share of the calls that must be impossible without an offset to one side.
const IMPOSSIBLE: f64 = 0.5;
/// Offsets of clocks up to here are rounding of exporters that write milliseconds, microseconds.
pub const ROUNDING: Micros = 2_000;
/// Pairs of hosts that are said one by one.
const SAID: usize = 5;
/// Spans with a lost parent that are not worth a word, as a share.
const LOST: f64 = 0.05;
const SPANS_MIN: usize = 20;

/// Whose clock it is: service, and host or instance where it is known.
type Clock = (Sym, Sym);

/// What the calls between two clocks say about the callee's.
#[derive(Default)]
struct Calls {
    /// Middles of the possible offsets of calls that are impossible without one.
    early: Vec<Micros>,
    late: Vec<Micros>,
    /// Calls in all that could be compared.
    compared: usize,
}

/// An offset between two clocks.
#[derive(Debug, PartialEq)]
struct Skew {
    caller: Clock,
    callee: Clock,
    /// Microseconds by which the callee's clock is ahead.
    ahead: Micros,
    impossible: usize,
    compared: usize,
}

/// Gaps about the clocks and the completeness of the spans; `parent` is the row of each parent.
pub fn gaps(raw: &Raw, parent: &[u32]) -> Vec<Gap> {
    let mut out = Vec::new();
    let skews = skews(&raw.spans, parent);
    for skew in skews.iter().take(SAID) {
        let what = format!(
            "clocks differ: {} is {} {} {}, by {} of {} calls that are else impossible; span \
             times are as written: the order of starts across the two is off by that",
            shown(raw, skew.callee),
            millis(skew.ahead.abs()),
            if skew.ahead > 0 { "ahead of" } else { "behind" },
            shown(raw, skew.caller),
            skew.impossible,
            skew.compared
        );
        out.push(Gap { count: skew.impossible as u64, ..Gap::new(GapKind::Doubtful, what) });
    }
    if skews.len() > SAID {
        let more = (skews.len() - SAID) as u64;
        let what = "further pairs of hosts whose clocks differ by less";
        out.push(Gap { count: more, ..Gap::new(GapKind::Doubtful, what) });
    }
    out.extend(lost_parents(&raw.spans, parent));
    out
}

/// Offsets between clocks that their calls prove, largest first.
fn skews(spans: &RawSpans, parent: &[u32]) -> Vec<Skew> {
    let mut pairs: HashMap<(Clock, Clock), Calls> = HashMap::new();
    let (shapes, (shape, start, end)) = (spans.shapes(), spans.columns());
    for (server, row) in parent.iter().enumerate() {
        let client = *row as usize;
        let Some(caller) = shape.get(client).map(|s| &shapes[*s as usize]) else { continue };
        let callee = &shapes[shape[server] as usize];
        let (from, to) = (clock(caller), clock(callee));
        let call = caller.kind == SpanKind::Client && callee.kind == SpanKind::Server;
        let told = from.0 != to.0 || [from.1, to.1].iter().all(|p| *p != Sym::default());
        if !call || from == to || !told {
            continue;
        }
        let (least, most) = (end[server] - end[client], start[server] - start[client]);
        // Longer than its caller waited: abandoned, says nothing about clocks.
        if least > most {
            continue;
        }
        let calls = pairs.entry((from, to)).or_default();
        if calls.compared >= CALLS_MAX {
            continue;
        }
        calls.compared += 1;
        let middle = least + (most - least) / 2;
        match () {
            () if least > 0 => calls.late.push(middle),
            () if most < 0 => calls.early.push(middle),
            () => {}
        }
    }
    let mut out: Vec<Skew> = pairs.into_iter().filter_map(|(k, calls)| skew(k, calls)).collect();
    out.sort_by_key(|s| (std::cmp::Reverse(s.ahead.abs()), s.caller, s.callee));
    out
}

fn clock(span: &RawSpan) -> Clock {
    (span.service, if span.host == Sym::default() { span.instance } else { span.host })
}

fn skew((caller, callee): (Clock, Clock), calls: Calls) -> Option<Skew> {
    let mut middles = match calls.late.len() >= calls.early.len() {
        true => calls.late,
        false => calls.early,
    };
    let (impossible, compared) = (middles.len(), calls.compared);
    if compared < CALLS_MIN || impossible as f64 <= IMPOSSIBLE * compared as f64 {
        return None;
    }
    middles.sort_unstable();
    let ahead = middles.get(middles.len() / 2).copied()?;
    (ahead.abs() > ROUNDING).then_some(Skew { caller, callee, ahead, impossible, compared })
}

fn shown(raw: &Raw, (service, place): Clock) -> String {
    let (service, place) = (raw.symbols.text(service), raw.symbols.text(place));
    match place {
        "" => service.to_owned(),
        place if place == service => service.to_owned(),
        place => format!("{service} on {place}"),
    }
}

fn millis(t: Micros) -> String {
    match t {
        0..10_000 => format!("{:.1} ms", t as f64 / 1e3),
        10_000..1_000_000 => format!("{} ms", (t + 500) / 1000),
        _ => format!("{:.1} s", t as f64 / 1e6),
    }
}

/// Spans whose parent was not exported: sampling, or files that lack.
fn lost_parents(spans: &RawSpans, parent: &[u32]) -> Option<Gap> {
    let inner = parent.iter().enumerate().filter(|(row, _)| spans.ids(*row).2 != 0);
    let (mut all, mut lost) = (0usize, 0usize);
    for (_, row) in inner {
        all += 1;
        lost += usize::from(*row == NONE);
    }
    if all < SPANS_MIN || (lost as f64) < LOST * all as f64 {
        return None;
    }
    let what = format!(
        "{lost} of {all} spans with a parent lack it: traces are not whole (sampled per span, \
         cut, or a service's spans are missing)"
    );
    Some(Gap { count: lost as u64, ..Gap::new(GapKind::Doubtful, what) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Calls of 100 ms that are served in 60, on a clock ahead by `ahead` microseconds.
    fn calls(count: usize, ahead: impl Fn(usize) -> Micros) -> (Raw, Vec<u32>) {
        let mut raw = Raw::default();
        let (shop, store) = (raw.symbols.intern("shop"), raw.symbols.intern("store"));
        let host = raw.symbols.intern("node-2");
        let mut parent = Vec::new();
        for i in 0..count {
            let start = 1_795_176_000_000_000 + i as Micros * 1_000_000;
            let span = |service, kind, start, end| RawSpan {
                service,
                kind,
                start,
                end,
                parent: 1,
                ..RawSpan::default()
            };
            raw.spans.push(span(shop, SpanKind::Client, start, start + 100_000));
            let (begin, end) = (start + ahead(i) + 20_000, start + ahead(i) + 80_000);
            let served = span(store, SpanKind::Server, begin, end);
            raw.spans.push(RawSpan { host, ..served });
            parent.extend([NONE, 2 * i as u32]);
        }
        raw.spans.update_from(0, |s| {
            if s.kind == SpanKind::Client {
                s.parent = 0;
            }
        });
        (raw, parent)
    }

    fn said(raw: &Raw, parent: &[u32]) -> Vec<String> {
        gaps(raw, parent).into_iter().map(|g| g.what).collect()
    }

    #[test]
    fn a_clock_ahead_is_said_with_its_offset() {
        let (raw, parent) = calls(8, |_| 250_000);
        let found = gaps(&raw, &parent);
        assert_eq!((found.len(), found[0].kind, found[0].count), (1, GapKind::Doubtful, 8));
        let start = "clocks differ: store on node-2 is 250 ms ahead of shop, by 8 of 8 calls";
        assert!(found[0].what.starts_with(start), "{found:?}");
        let (raw, parent) = calls(8, |_| -1_500_000);
        assert!(said(&raw, &parent)[0].contains("is 1.5 s behind shop"));
    }

    #[test]
    fn possible_calls_few_calls_and_abandoned_calls_say_nothing() {
        for ahead in [0, 15_000, -15_000] {
            let (raw, parent) = calls(20, |_| ahead);
            assert_eq!(said(&raw, &parent), [""; 0]);
        }
        let (raw, parent) = calls(4, |_| 250_000);
        assert_eq!(said(&raw, &parent), [""; 0]);
        let (raw, parent) = calls(20, |i| if i % 3 == 0 { 250_000 } else { 0 });
        assert_eq!(said(&raw, &parent), [""; 0]);
        let (mut raw, parent) = calls(20, |_| 0);
        raw.spans.update_from(0, |s| {
            if s.kind == SpanKind::Server {
                s.end += 900_000;
            }
        });
        assert_eq!(said(&raw, &parent), [""; 0]);
    }

    #[test]
    fn lost_parents_are_counted() {
        let (raw, mut parent) = calls(30, |_| 0);
        parent[1..13].fill(NONE);
        let found = gaps(&raw, &parent);
        assert!(found[0].what.starts_with("6 of 30 spans with a parent lack it"), "{found:?}");
        assert_eq!(found[0].count, 6);
    }

    proptest! {
        #[test]
        fn an_offset_is_found_within_the_slack_of_the_calls(ahead in -10_000_000i64..10_000_000) {
            let (raw, parent) = calls(6, |_| ahead);
            let found = skews(&raw.spans, &parent);
            prop_assert_eq!(found.len(), usize::from(ahead.abs() > 20_000));
            prop_assert!(found.iter().all(|s| (s.ahead - ahead).abs() <= 20_000));
        }
    }
}
