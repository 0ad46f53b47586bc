//! The ranking without what a person has rejected.

use crate::diagnosis::Diagnosis;
use std::collections::BTreeMap;

/// Below this share of what was probable, what is left says little about the cause.
const LITTLE: f64 = 0.5;

/// What is left after rejections.
#[derive(Clone, Debug, PartialEq)]
pub struct Remaining {
    /// Share of each hypothesis in what is left, 0 to 1, in the order of the diagnosis; `None` for a
    /// rejected one, and for all when nothing is left.
    pub shares: Vec<Option<f64>>,
    /// What the rejected ones had together, 0 to 1.
    pub taken: f64,
    /// Share of "none of these".
    pub none: f64,
}

/// Divides the probabilities of what is left by their sum, that of "none of these" included.
///
/// That is what rejecting means when the person is certain; it is no new evidence.
pub fn remaining(d: &Diagnosis, rejected: &BTreeMap<String, String>) -> Remaining {
    let p = |h: &crate::diagnosis::Hypothesis| {
        if h.probability.is_finite() { h.probability.clamp(0.0, 1.0) } else { 0.0 }
    };
    let all: f64 = d.hypotheses.iter().map(p).sum();
    let is_out = |id: &str| rejected.contains_key(id);
    let taken: f64 = d.hypotheses.iter().filter(|h| is_out(&h.id)).map(p).sum();
    let none = (1.0 - all).max(0.0);
    let left = all - taken + none;
    let share = |v: f64| (left > f64::EPSILON).then(|| (v / left).clamp(0.0, 1.0));
    let shares =
        d.hypotheses.iter().map(|h| if is_out(&h.id) { None } else { share(p(h)) }).collect();
    Remaining { shares, taken, none: share(none).unwrap_or(0.0) }
}

impl Remaining {
    /// What has to be known to read the shares; `None` when nothing was rejected.
    pub fn caution(&self, rejected: usize) -> Option<String> {
        let share = format!("{:.0} %", 100.0 * self.taken);
        match rejected {
            0 => None,
            _ if self.shares.iter().all(Option::is_none) => {
                Some("all rejected: none of these is the cause, or a rejection is wrong".to_owned())
            }
            n if self.taken > LITTLE => Some(format!(
                "you rejected {n} ({share}); the rest was unlikely: shares are no new evidence"
            )),
            n => Some(format!("without {n} rejected by you ({share}): shares of what is left")),
        }
    }
}
