//! The contract at the end of a run: what was promised, what the users got, and why it broke.

use super::Page;
use super::scenario::Scenario;
use super::world::{Ledger, World};
use serde::Serialize;

/// A stretch in which more of the requests fail is a bad one.
const BAD: f64 = 0.05;
/// How long something must be wrong until somebody is paged, in seconds.
const PAGED_AFTER_S: f64 = 60.0;

/// What the users got, in total and against the contract.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    /// Every clause is kept; true where there is no contract.
    pub kept: bool,
    pub clauses: Vec<Clause>,
    /// Requests at the entries that came to an end.
    pub requests: u64,
    pub failed: u64,
    /// Share of requests that succeeded, 0 to 1; 1 before the first.
    pub availability: f64,
    /// Of successful requests, in milliseconds.
    pub p95_ms: f64,
    /// Mean over the run, with what the actions added.
    pub usd_per_month: f64,
    /// Seconds in which more than a twentieth of the requests failed.
    pub bad_s: f64,
}

/// One promise.
#[derive(Clone, Debug, Serialize)]
pub struct Clause {
    /// `availability`, `p95` or `budget`.
    pub name: String,
    pub promised: f64,
    pub got: f64,
    pub kept: bool,
    /// The reason in words, e.g. when most of the failures fell.
    pub said: String,
}

/// What the users got until now.
pub fn outcome(world: &World, scenario: &Scenario) -> Outcome {
    let ledger = &world.ledger;
    let total = ledger.total();
    let requests = total.good + total.failed;
    let availability = if requests > 0 { total.good as f64 / requests as f64 } else { 1.0 };
    let p95_ms = total.quantile_s(0.95) * 1e3;
    let usd_per_month = ledger.usd_per_month();
    let bad = ledger.stretches.iter().filter(|s| is_bad(s.good, s.failed)).count();
    let bad_s = bad as f64 * ledger.step_s;
    let clauses: Vec<Clause> = scenario
        .contract
        .iter()
        .flat_map(|c| {
            [
                clause("availability", c.availability, availability, true, &worst(ledger)),
                clause("p95", c.p95_ms, p95_ms, false, &slowest(ledger)),
                clause("budget", c.usd_per_month, usd_per_month, false, &bill(world)),
            ]
        })
        .collect();
    Outcome {
        kept: clauses.iter().all(|c| c.kept),
        clauses,
        requests,
        failed: total.failed,
        availability,
        p95_ms,
        usd_per_month,
        bad_s,
    }
}

fn is_bad(good: u64, failed: u64) -> bool {
    failed as f64 > BAD * (good + failed) as f64
}

fn clause(name: &str, promised: f64, got: f64, at_least: bool, said: &str) -> Clause {
    let kept = if at_least { got >= promised } else { got <= promised };
    Clause { name: name.to_owned(), promised, got, kept, said: said.to_owned() }
}

/// When most of the failures fell.
fn worst(ledger: &Ledger) -> String {
    let failed: u64 = ledger.stretches.iter().map(|s| s.failed).sum();
    let bad: Vec<usize> = (0..ledger.stretches.len())
        .filter(|at| is_bad(ledger.stretches[*at].good, ledger.stretches[*at].failed))
        .collect();
    let (Some(first), Some(last)) = (bad.first(), bad.last()) else {
        return format!("{failed} requests failed, never more than a twentieth for long");
    };
    let inside: u64 = bad.iter().map(|at| ledger.stretches[*at].failed).sum();
    format!(
        "{failed} requests failed, {inside} of them in {:.0} s between {:.0} s and {:.0} s",
        bad.len() as f64 * ledger.step_s,
        *first as f64 * ledger.step_s,
        (*last + 1) as f64 * ledger.step_s
    )
}

/// When it was slowest.
fn slowest(ledger: &Ledger) -> String {
    let of = |at: &usize| ledger.stretches[*at].quantile_s(0.95);
    let at = (0..ledger.stretches.len()).max_by(|a, b| of(a).total_cmp(&of(b)));
    at.map_or(String::new(), |at| {
        format!("worst at {:.0} s: {:.0} ms", at as f64 * ledger.step_s, of(&at) * 1e3)
    })
}

fn bill(world: &World) -> String {
    let services = world
        .services
        .iter()
        .filter(|s| !s.external)
        .map(|s| format!("{} x {}", s.instances.iter().filter(|i| !i.removed).count(), s.name));
    let services: Vec<String> = services.collect();
    format!("now {}; actions added {:.0} $", services.join(", "), world.ledger.extra_usd)
}

/// The page: the first minute in which the entry is bad, or somebody's call.
pub fn page(world: &World, scenario: &Scenario) -> Option<Page> {
    let pager = &scenario.pager;
    let now_s = world.clock_s();
    if let Some(told) = pager.told_s {
        let page = Page { at_s: told, alert: String::new(), text: pager.told.clone() };
        return (now_s >= told).then_some(page);
    }
    let ledger = &world.ledger;
    let needed = (PAGED_AFTER_S / ledger.step_s).ceil().max(1.0) as usize;
    let wrong = |at: usize| {
        let s = &ledger.stretches[at];
        let all = (s.good + s.failed) as f64;
        let slow = s.quantile_s(0.95) * 1e3 > pager.p95_ms;
        all > 0.0 && (s.failed as f64 > pager.failing * all || slow)
    };
    // Only stretches that are over.
    let over = ((now_s / ledger.step_s).floor() as usize).min(ledger.stretches.len());
    let at = (needed..=over).find(|end| (end - needed..*end).all(wrong))?;
    let s = &ledger.stretches[at - 1];
    let share = s.failed as f64 / (s.good + s.failed).max(1) as f64;
    let p95 = s.quantile_s(0.95) * 1e3;
    // The latency is that of requests that succeed.
    let slowness = match s.good {
        0 => "none succeeds".to_owned(),
        _ => format!("p95 {p95:.0} ms (limit {:.0} ms)", pager.p95_ms),
    };
    let text = format!(
        "failing requests {share:.2} (limit {:.2}), {slowness} for {PAGED_AFTER_S:.0} s",
        pager.failing
    );
    Some(Page { at_s: at as f64 * ledger.step_s, alert: pager.alert.clone(), text })
}
