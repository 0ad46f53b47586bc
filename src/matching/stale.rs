//! The test on reads after writes.

use super::{Observation, Question, Test};
use crate::diagnosis::EvidenceState::{Absent, Present};
use crate::features::lead;
use crate::model::{SECOND, Window};
use crate::rollup::staleness::Read;
use crate::time;

/// Fewest reads after a write from which a share of them means something.
const READS_MIN: usize = 5;

/// The tests of this file.
pub const TESTS: &[Test] = &[Test {
    name: "stale-reads",
    what: "reads after a write of the same path come from the cache, which nothing refreshed",
    default: 0.5,
    meaning: "least share of the first reads after a write",
    binds: &["stale", "reads", "share", "before", "oldest", "at"],
    on_series: false,
    run: stale_reads,
}];

fn stale_reads(q: &Question) -> Observation {
    let Question { context: c, subject: e, value: v, .. } = *q;
    let w = &c.features.windows;
    let window = Window { from: w.incident.from - lead(w), to: w.incident.to };
    let own = || c.rollups.reads.iter().filter(|r| e.is_none_or(|me| r.service == me));
    let seen: Vec<&Read> = own().filter(|r| window.contains(r.at)).collect();
    if seen.len() < READS_MIN {
        return Observation::unobservable();
    }
    let stale: Vec<&&Read> = seen.iter().filter(|r| r.stale).collect();
    let share = stale.len() as f64 / seen.len() as f64;
    let earlier: Vec<&Read> = own().filter(|r| r.at < window.from).collect();
    let before = match earlier.len() {
        0 => "unknown".to_owned(),
        n => format!("{} of {n}", earlier.iter().filter(|r| r.stale).count()),
    };
    let oldest = stale.iter().map(|r| r.at - r.written).max().unwrap_or(0);
    let first = stale.first().map_or(window.from, |r| r.at);
    let mut o = Observation::of(if share >= v { Present } else { Absent })
        .fact("stale", stale.len().to_string())
        .fact("reads", seen.len().to_string())
        .fact("share", format!("{:.0} %", 100.0 * share))
        .fact("before", before)
        .fact("oldest", time::duration(oldest as f64 / SECOND as f64))
        .fact("at", time::clock(first));
    o.span = stale.first().zip(stale.last()).map(|(a, b)| (a.at, b.at));
    o.place = c
        .telemetry
        .trace_file
        .and_then(|f| c.telemetry.files.get(f as usize))
        .map(|f| (f.path.clone(), None));
    o
}
