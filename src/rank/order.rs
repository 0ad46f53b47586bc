//! Who left the usual level first. In: candidates with their onsets. Out: a term of each that is
//! later than the first strong one.
//!
//! The term is small and falls with the uncertainty of the onset: a scrape's step is longer than a
//! call takes, so what is later by less says nothing.

use super::{Candidate, term};
use crate::features::onset::Onset;

/// Largest weight of the order in time, nats.
const ORDER_MAX: f64 = 0.75;

/// Earlier than the others by more than the uncertainty speaks for a cause, later against it.
pub fn order_in_time(candidates: &mut [Candidate]) {
    let strong = |c: &Candidate| c.terms.iter().map(|t| t.nats).sum::<f64>() > 0.5;
    let known: Vec<Onset> =
        candidates.iter().filter(|c| strong(c)).filter_map(|c| c.onset).collect();
    let Some(first) = known.iter().copied().min_by_key(|o| o.at) else { return };
    for c in candidates.iter_mut() {
        let Some(own) = c.onset else { continue };
        let (nats, said) = if own.ties_with(&first) {
            (0.0, "among the first to leave its usual level".to_owned())
        } else if own.at < first.at {
            (0.0, "earlier than every strong candidate".to_owned())
        } else {
            let late = (own.earliest - first.at).max(0) as f64 / 1e6;
            let blur = 60.0 + 4.0 * own.uncertainty_s();
            let nats = -ORDER_MAX * (late / (late + blur));
            (nats, format!("{} later than the first", crate::time::duration(late)))
        };
        c.terms.push(term("order in time", nats, said));
    }
}
