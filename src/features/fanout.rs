//! How many calls one run of an operation makes to somebody else. In: rollups of operations and
//! calls in two windows. Out: per parent operation and callee the calls per run before and during,
//! with the certain part of the growth, and what each call takes.
//!
//! Calls are counted over all operations of the callee together: a query that a change splits into
//! one plus N others has other names afterwards. Poisson counts, two standard errors off; fewer
//! than five parents in either window say nothing.

use crate::model::{EntityId, Window};
use crate::rollup::Rollups;
use std::collections::BTreeMap;

/// Fewest runs of the parent in either window.
const PARENTS_MIN: f64 = 5.0;
/// Standard errors taken off the growth.
const MARGIN_SE: f64 = 2.0;

/// Calls of one operation to one callee.
#[derive(Clone, Debug, PartialEq)]
pub struct FanOut {
    pub caller: EntityId,
    /// Symbol of the parent operation.
    pub operation: u32,
    pub callee: EntityId,
    /// Calls per run.
    pub before: f64,
    pub during: f64,
    /// Lower bound of `during / before`, at least one call per run before; 0 if it fell.
    pub growth: f64,
    /// Upper bound of the same: with few runs a growth can be neither shown nor ruled out.
    pub growth_max: f64,
    /// Mean seconds of one call; `None` before if there was none.
    pub each_before_s: Option<f64>,
    pub each_s: f64,
    /// Share of failed calls in the incident.
    pub errors: f64,
    /// The most frequent child operation, and its share of the calls.
    pub child: u32,
    pub child_share: f64,
    pub parents: f64,
}

#[derive(Clone, Copy, Default)]
struct Sum {
    n: f64,
    seconds: f64,
    errors: f64,
}

/// A child operation as its caller's spans know it: service of the span and operation.
type Child = (EntityId, u32);

/// Measures every pair of parent operation and callee.
pub fn fan_outs(rollups: &Rollups, baseline: Window, incident: Window) -> Vec<FanOut> {
    let side = |t: i64| match () {
        () if baseline.contains(t) => Some(0),
        () if incident.contains(t) => Some(1),
        () => None,
    };
    let mut spans: BTreeMap<Child, [Sum; 2]> = BTreeMap::new();
    let mut peers: BTreeMap<Child, EntityId> = BTreeMap::new();
    for r in &rollups.operations {
        peers.extend(r.peer.map(|p| ((r.service, r.operation), p)));
        let Some(side) = side(r.t) else { continue };
        let slot = &mut spans.entry((r.service, r.operation)).or_default()[side];
        slot.n += r.count;
        slot.seconds += r.duration;
        slot.errors += r.errors;
    }
    type Key = (EntityId, u32, EntityId);
    let mut calls: BTreeMap<Key, BTreeMap<Child, [f64; 2]>> = BTreeMap::new();
    for c in &rollups.calls {
        let child = (c.callee, c.operation);
        let callee = match c.callee == c.caller {
            true => peers.get(&child).copied(),
            false => Some(c.callee),
        };
        let (Some(callee), Some(side)) = (callee, side(c.t)) else { continue };
        let of = calls.entry((c.caller, c.caller_operation, callee)).or_default();
        of.entry(child).or_default()[side] += c.count;
    }
    let found = calls.iter().filter_map(|((caller, operation, callee), children)| {
        let [a, b] = spans.get(&(*caller, *operation))?.map(|s| s.n);
        (a >= PARENTS_MIN && b >= PARENTS_MIN)
            .then(|| fan_out((*caller, *operation, *callee), children, (a, b), &spans))
    });
    found.collect()
}

fn fan_out(
    (caller, operation, callee): (EntityId, u32, EntityId),
    children: &BTreeMap<Child, [f64; 2]>,
    (a, b): (f64, f64),
    spans: &BTreeMap<Child, [Sum; 2]>,
) -> FanOut {
    let total = |side: usize| children.values().map(|n| n[side]).sum::<f64>();
    let (n_a, n_b) = (total(0), total(1));
    let (before, during) = (n_a / a, n_b / b);
    let se = (n_a.max(1.0) / (a * a) + n_b.max(1.0) / (b * b)).sqrt();
    let sure = (during - before - MARGIN_SE * se).max(0.0);
    let most = (during + MARGIN_SE * se) / before.max(1.0);
    // Of its children's mean times, each by how often this parent calls it.
    let each = |side: usize| {
        let timed = children.iter().filter_map(|(child, n)| {
            let s = spans.get(child)?[side];
            (s.n > 0.0).then(|| (n[side], n[side] * s.seconds / s.n, n[side] * s.errors / s.n))
        });
        let sums = timed.fold((0.0, 0.0, 0.0), |x, y| (x.0 + y.0, x.1 + y.1, x.2 + y.2));
        (sums.0 > 0.0).then(|| (sums.1 / sums.0, sums.2 / sums.0))
    };
    let top = children.iter().max_by(|x, y| x.1[1].total_cmp(&y.1[1]).then(y.0.cmp(x.0)));
    let (child, calls) = top.map_or((0, 0.0), |(c, n)| (c.1, n[1]));
    FanOut {
        caller,
        operation,
        callee,
        before,
        during,
        growth: if sure > 0.0 { (before + sure) / before.max(1.0) } else { 0.0 },
        growth_max: most,
        each_before_s: each(0).map(|e| e.0),
        each_s: each(1).map_or(0.0, |e| e.0),
        errors: each(1).map_or(0.0, |e| e.1),
        child,
        child_share: calls / n_b.max(1.0),
        parents: b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollup::{CallRow, OperationRow};

    const DB: EntityId = EntityId(9);
    const BEFORE: Window = Window { from: 0, to: 10 };
    const DURING: Window = Window { from: 10, to: 20 };

    fn operation(
        operation: u32,
        peer: Option<EntityId>,
        t: i64,
        n: f64,
        each: f64,
    ) -> OperationRow {
        OperationRow {
            service: EntityId(1),
            operation,
            entry: peer.is_none(),
            peer,
            t,
            count: n,
            errors: 0.0,
            duration: n * each,
            ln: 0.0,
            ln2: 0.0,
            self_time: 0.0,
            self_ln: 0.0,
            self_ln2: 0.0,
        }
    }

    fn call(to: u32, t: i64, count: f64) -> CallRow {
        let (caller, callee) = (EntityId(1), EntityId(1));
        CallRow { caller, caller_operation: 1, callee, operation: to, t, count }
    }

    fn rollups(operations: Vec<OperationRow>, calls: Vec<CallRow>) -> Rollups {
        Rollups {
            series: Vec::new(),
            reads: Vec::new(),
            operations,
            calls,
            versions: Vec::new(),
            bucket: 1,
            gaps: Vec::new(),
            sampling: None,
        }
    }

    #[test]
    fn one_query_that_becomes_many_grows_whatever_their_names() {
        let db = Some(DB);
        let operations = vec![
            operation(1, None, 0, 40.0, 0.01),
            operation(1, None, 10, 40.0, 0.05),
            operation(2, db, 0, 40.0, 0.008),
            operation(3, db, 10, 1000.0, 0.002),
        ];
        let calls = vec![call(2, 0, 40.0), call(3, 10, 1000.0)];
        let found = fan_outs(&rollups(operations, calls), BEFORE, DURING);
        let [f] = &found[..] else { panic!("{found:?}") };
        assert_eq!((f.callee, f.before, f.during, f.child, f.child_share), (DB, 1.0, 25.0, 3, 1.0));
        assert!(f.growth > 20.0 && f.growth < 25.0, "{f:?}");
        assert_eq!((f.each_before_s, f.each_s), (Some(0.008), 0.002));
    }

    #[test]
    fn more_load_is_no_growth_and_few_runs_say_nothing() {
        let db = Some(DB);
        let operations = |n: f64| {
            vec![
                operation(1, None, 0, n, 0.01),
                operation(1, None, 10, 3.0 * n, 0.01),
                operation(2, db, 0, n, 0.008),
            ]
        };
        let calls = |n: f64| vec![call(2, 0, n), call(2, 10, 3.0 * n)];
        let found = fan_outs(&rollups(operations(40.0), calls(40.0)), BEFORE, DURING);
        assert_eq!((found.len(), found[0].growth), (1, 0.0));
        assert!(found[0].growth_max < 1.5, "forty runs rule a growth out: {:?}", found[0]);
        let few = fan_outs(&rollups(operations(6.0), calls(6.0)), BEFORE, DURING);
        assert!(few[0].growth == 0.0 && few[0].growth_max > 1.8, "six do not: {:?}", few[0]);
        assert!(fan_outs(&rollups(operations(4.0), calls(4.0)), BEFORE, DURING).is_empty());
        assert!(fan_outs(&rollups(Vec::new(), Vec::new()), BEFORE, DURING).is_empty());
    }
}
