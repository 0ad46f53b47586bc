//! How traces changed shape. In: rollups of operations and calls in two windows. Out: operations
//! whose own time moved, and calls that parents stopped or started making.
//!
//! Durations are compared on the logarithm with Welch's standard error; what counts is the lower
//! bound of the effect, so that few spans prove little. A call that was usual and vanished while
//! its parent still runs marks the parent: code that fails early makes fewer calls.

use crate::model::{EntityId, Window};
use crate::rollup::{CallRow, OperationRow, Rollups};
use std::collections::BTreeMap;

/// Standard errors taken off an effect before it counts.
const MARGIN_SE: f64 = 2.0;
/// Spread of log durations that is assumed at least: a factor of about 1.1.
const SPREAD_MIN: f64 = 0.1;
/// Fewest spans of an operation in either window.
const SPANS_MIN: f64 = 5.0;

/// Change of one operation between the windows.
#[derive(Clone, Debug, PartialEq)]
pub struct OperationShift {
    pub service: EntityId,
    pub operation: u32,
    pub entry: bool,
    /// Whom its spans call, if they are client spans.
    pub peer: Option<EntityId>,
    pub before: f64,
    pub during: f64,
    /// Lower bound of the absolute log ratio of durations, with the sign of the change; 0 if unclear.
    pub duration: f64,
    /// The same for self time.
    pub self_time: f64,
    /// Growth of mean self time, seconds per span.
    pub self_growth_s: f64,
    /// Growth of the share of failed spans.
    pub errors: f64,
}

/// Change of the number of calls per parent span.
#[derive(Clone, Debug, PartialEq)]
pub struct CallShift {
    pub caller: EntityId,
    pub caller_operation: u32,
    pub callee: EntityId,
    pub operation: u32,
    /// Calls per parent in the baseline and in the incident.
    pub before: f64,
    pub during: f64,
    pub parents_before: f64,
    pub parents_during: f64,
    /// Lower bound of the change of calls per parent, signed, as a share of the larger of the two.
    pub change: f64,
}

#[derive(Clone, Copy, Default)]
struct Sums {
    n: f64,
    errors: f64,
    ln: f64,
    ln2: f64,
    self_time: f64,
    self_ln: f64,
    self_ln2: f64,
}

impl Sums {
    fn add(&mut self, r: &OperationRow) {
        self.n += r.count;
        self.errors += r.errors;
        self.ln += r.ln;
        self.ln2 += r.ln2;
        self.self_time += r.self_time;
        self.self_ln += r.self_ln;
        self.self_ln2 += r.self_ln2;
    }
}

/// Lower bound of the change of a mean of logs, signed; 0 when it could be none.
fn bounded(a: (f64, f64, f64), b: (f64, f64, f64)) -> f64 {
    let stats = |(n, sum, squares): (f64, f64, f64)| {
        let mean = sum / n;
        let variance = (squares / n - mean * mean).max(SPREAD_MIN * SPREAD_MIN);
        (mean, variance / n)
    };
    let ((ma, va), (mb, vb)) = (stats(a), stats(b));
    let (effect, margin) = (mb - ma, MARGIN_SE * (va + vb).sqrt());
    effect.signum() * (effect.abs() - margin).max(0.0)
}

/// Compares every operation that has enough spans in both windows.
pub fn operations(rollups: &Rollups, baseline: Window, incident: Window) -> Vec<OperationShift> {
    type Key = (EntityId, u32, bool, Option<EntityId>);
    let mut by: BTreeMap<Key, (Sums, Sums)> = BTreeMap::new();
    for r in &rollups.operations {
        let (before, during) = by.entry((r.service, r.operation, r.entry, r.peer)).or_default();
        if baseline.contains(r.t) {
            before.add(r);
        } else if incident.contains(r.t) {
            during.add(r);
        }
    }
    let mut out = Vec::new();
    for ((service, operation, entry, peer), (a, b)) in by {
        if a.n < SPANS_MIN || b.n < SPANS_MIN {
            continue;
        }
        out.push(OperationShift {
            service,
            operation,
            entry,
            peer,
            before: a.n,
            during: b.n,
            duration: bounded((a.n, a.ln, a.ln2), (b.n, b.ln, b.ln2)),
            self_time: bounded((a.n, a.self_ln, a.self_ln2), (b.n, b.self_ln, b.self_ln2)),
            self_growth_s: b.self_time / b.n - a.self_time / a.n,
            errors: b.errors / b.n - a.errors / a.n,
        });
    }
    out
}

/// Compares calls per parent of every pair of operations.
pub fn calls(rollups: &Rollups, baseline: Window, incident: Window) -> Vec<CallShift> {
    let mut parents: BTreeMap<(EntityId, u32), (f64, f64)> = BTreeMap::new();
    for r in &rollups.operations {
        let slot = parents.entry((r.service, r.operation)).or_default();
        add(slot, r.t, r.count, baseline, incident);
    }
    let mut pairs: BTreeMap<(EntityId, u32, EntityId, u32), (f64, f64)> = BTreeMap::new();
    for r in &rollups.calls {
        let CallRow { caller, caller_operation, callee, operation, t, count } = r;
        let slot = pairs.entry((*caller, *caller_operation, *callee, *operation)).or_default();
        add(slot, *t, *count, baseline, incident);
    }
    let mut out = Vec::new();
    for ((caller, caller_operation, callee, operation), (calls_before, calls_during)) in pairs {
        let (a, b) = parents.get(&(caller, caller_operation)).copied().unwrap_or_default();
        if a < SPANS_MIN || b < SPANS_MIN {
            continue;
        }
        let (before, during) = (calls_before / a, calls_during / b);
        // Poisson counts: variance of calls per parent is calls / parents², at least one call.
        let se = (calls_before.max(1.0) / (a * a) + calls_during.max(1.0) / (b * b)).sqrt();
        let delta = during - before;
        let sure = delta.signum() * (delta.abs() - MARGIN_SE * se).max(0.0);
        let change = sure / before.max(during).max(f64::MIN_POSITIVE);
        if change != 0.0 {
            let shift = CallShift {
                caller,
                caller_operation,
                callee,
                operation,
                before,
                during,
                parents_before: a,
                parents_during: b,
                change,
            };
            out.push(shift);
        }
    }
    out
}

fn add(slot: &mut (f64, f64), t: i64, count: f64, baseline: Window, incident: Window) {
    if baseline.contains(t) {
        slot.0 += count;
    } else if incident.contains(t) {
        slot.1 += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_spans_prove_little_and_many_prove_the_factor() {
        let of = |n: f64, mean: f64| (n, n * mean, n * (mean * mean + 0.25));
        assert_eq!(bounded(of(4.0, 0.0), of(4.0, 0.5)), 0.0);
        let sure = bounded(of(1000.0, 0.0), of(1000.0, 2f64.ln()));
        assert!((sure - 2f64.ln()).abs() < 0.1, "{sure}");
        assert!(bounded(of(1000.0, 0.0), of(1000.0, -1.0)) < -0.9);
    }
}
