//! `traces [SERVICE]`: operations of the last while against what is usual, and how often they call.

use super::look::View;
use super::words;
use crate::model::{EntityId, Unit, Window};
use crate::report::plain;
use crate::rollup::OperationRow;
use std::collections::BTreeMap;

/// Beats that "now" covers.
const NOW: i64 = 4;
/// Operations and calls that are shown.
const LINES: usize = 10;

#[derive(Default)]
struct Sum {
    count: f64,
    errors: f64,
    duration: f64,
    own: f64,
}

impl Sum {
    fn add(&mut self, r: &OperationRow) {
        self.count += r.count;
        self.errors += r.errors;
        self.duration += r.duration;
        self.own += r.self_time;
    }

    fn said(&self) -> String {
        if self.count == 0.0 {
            return "none".to_owned();
        }
        let mean = |sum: f64| plain::value(sum / self.count, Unit::Seconds);
        let errors = plain::value(self.errors / self.count, Unit::Ratio);
        let (took, own) = (mean(self.duration), mean(self.own));
        format!("{} spans, {errors} errors, {took} (own {own})", self.count)
    }
}

impl View<'_> {
    fn window(&self) -> Window {
        let now = self.instant.now;
        Window { from: now - NOW * self.plan.beat.max(self.instant.rollups.bucket), to: now + 1 }
    }

    /// Operations of a service, or of every one.
    pub fn spans(&self, service: Option<EntityId>) -> Vec<String> {
        let t = &self.instant.telemetry;
        let now = self.window();
        let mut sums: BTreeMap<(EntityId, u32, Option<EntityId>), (Sum, Sum)> = BTreeMap::new();
        let rows = self.instant.rollups.operations.iter();
        for r in rows.filter(|r| service.is_none_or(|s| r.service == s)) {
            let sum = sums.entry((r.service, r.operation, r.peer)).or_default();
            if self.plan.usual.contains(r.t) {
                sum.0.add(r);
            }
            if now.contains(r.t) {
                sum.1.add(r);
            }
        }
        let mut all: Vec<_> =
            sums.into_iter().filter(|(_, (a, b))| a.count + b.count > 0.0).collect();
        // Where most time is spent now comes first.
        all.sort_by(|a, b| b.1.1.duration.total_cmp(&a.1.1.duration));
        let symbol = |n: u32| t.symbols.get(n as usize).map_or("?", String::as_str);
        let mut out = Vec::new();
        for ((service, op, peer), (usual, current)) in all.iter().take(LINES) {
            let to = peer.map_or(String::new(), |p| format!(" → {}", words::name(t, p)));
            out.push(format!("   {} {}{to}", words::name(t, *service), symbol(*op)));
            out.push(format!("      now {}; usual {}", current.said(), usual.said()));
        }
        if all.len() > LINES {
            out.push(format!("   and {} more operations", all.len() - LINES));
        }
        out.extend(self.fan_out(service, now));
        if out.is_empty() {
            out.push("   no span has ended so far".to_owned());
        }
        out
    }

    /// How many calls an operation makes, where that changed.
    fn fan_out(&self, service: Option<EntityId>, now: Window) -> Vec<String> {
        /// A change below this factor is not worth a line.
        const CHANGED: f64 = 1.3;
        let t = &self.instant.telemetry;
        let entries = |caller: EntityId, op: u32, w: Window| -> f64 {
            let rows = self.instant.rollups.operations.iter();
            let own = rows.filter(|r| r.service == caller && r.operation == op && w.contains(r.t));
            own.map(|r| r.count).sum()
        };
        let mut sums: BTreeMap<(EntityId, u32, EntityId, u32), (f64, f64)> = BTreeMap::new();
        let calls = self.instant.rollups.calls.iter();
        for c in calls.filter(|c| c.caller != c.callee || service.is_some()) {
            if service.is_some_and(|s| c.caller != s && c.callee != s) {
                continue;
            }
            let key = (c.caller, c.caller_operation, c.callee, c.operation);
            let sum = sums.entry(key).or_default();
            let within = |w: Window| if w.contains(c.t) { c.count } else { 0.0 };
            (sum.0, sum.1) = (sum.0 + within(self.plan.usual), sum.1 + within(now));
        }
        let symbol = |n: u32| t.symbols.get(n as usize).map_or("?", String::as_str);
        let mut out = Vec::new();
        for ((caller, op, callee, called), (usual, current)) in sums {
            let per = |n: f64, w: Window| n / entries(caller, op, w).max(1.0);
            let (usual, current) = (per(usual, self.plan.usual), per(current, now));
            let apart = current > usual * CHANGED || usual > current * CHANGED;
            if apart && out.len() < LINES && current.max(usual) > 0.0 {
                out.push(format!(
                    "   calls per {} of {}: {} of {} {} → {}",
                    symbol(op),
                    words::name(t, caller),
                    symbol(called),
                    words::name(t, callee),
                    plain::value(usual, Unit::Count),
                    plain::value(current, Unit::Count),
                ));
            }
        }
        out
    }
}
