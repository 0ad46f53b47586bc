//! Findings that the site knows and accepts: taken out of the ranking, never out of sight.
//!
//! A suppression holds while the incident begins before its end; the incident's own time counts,
//! so that an old recording gives the same answer at any time.

use super::Candidate;
use crate::catalog::Catalog;
use crate::ingest::site::Suppression;
use crate::matching::{Context, Matches};
use crate::model::{EntityId, Gap, GapKind};

/// What stands for every entity.
const EVERYBODY: &str = "*";

/// A candidate that is not counted.
pub struct Held {
    pub candidate: Candidate,
    /// Index of the suppression in the telemetry's site.
    pub by: usize,
    /// It stood first.
    pub first: bool,
}

fn holds(context: &Context, s: &Suppression) -> bool {
    s.until > context.features.windows.incident.from
}

/// Says whether a suppression is about an entity; `None` is the whole system.
fn is_about(context: &Context, s: &Suppression, entity: Option<EntityId>) -> bool {
    let named = |e: EntityId| context.name(e) == s.subject;
    let owner = |e: EntityId| context.telemetry.graph.owner(e);
    s.subject == EVERYBODY || entity.is_some_and(|e| named(e) || named(owner(e)))
}

/// Takes suppressed candidates out; their probabilities are those without a suppression.
pub fn take_out(
    context: &Context,
    catalog: &Catalog,
    matches: &Matches,
    candidates: &mut Vec<Candidate>,
) -> Vec<Held> {
    let all = &context.telemetry.site.suppressions;
    let by = |c: &Candidate| {
        let finding = &matches.findings[c.finding?];
        let id = &catalog.signatures[finding.signature].signature.id;
        all.iter().position(|s| s.id == *id && holds(context, s) && is_about(context, s, c.entity))
    };
    let (mut held, mut kept) = (Vec::new(), Vec::new());
    for (rank, candidate) in std::mem::take(candidates).into_iter().enumerate() {
        match by(&candidate) {
            Some(by) => held.push(Held { candidate, by, first: rank == 0 }),
            None => kept.push(candidate),
        }
    }
    *candidates = kept;
    held
}

/// Suppressions that ended before the incident began.
pub fn expired(context: &Context) -> Vec<Gap> {
    let all = context.telemetry.site.suppressions.iter();
    let ended = all.filter(|s| !holds(context, s)).map(|s| {
        let (id, subject, until) = (&s.id, &s.subject, &s.until_said);
        let what = format!(
            "the suppression of {id} on {subject} ({}) ended {until}, before the incident: it \
             counts again",
            s.place
        );
        Gap::new(GapKind::Doubtful, what)
    });
    ended.collect()
}
