//! The contract at the end of a run: what was promised, what the users got, and why it broke.

use serde::Serialize;

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
