//! What a guess is worth. In: component and mechanism. Out: whether it is right, and partial credit
//! along the causal chain: by hops for the component, by the catalogue's ties for the mechanism.

use super::case::Case;
use super::content::Decoy;
use crate::catalog::Relation;
use crate::model::{EntityId, Micros};

/// Credit for the right service and another of its instances, or the instance's service.
const OWNER: f64 = 0.8;
/// Credit for a mechanism that is the more general or the more exact form of the true one.
const SPECIALISES: f64 = 0.7;
/// Credit for one that follows from the true one, or that it looks like.
const FOLLOWS: f64 = 0.5;
const MIMICS: f64 = 0.3;

/// How right a guess is.
#[derive(Clone, Debug, PartialEq)]
pub struct Worth {
    pub right: bool,
    /// 0 to 1 each.
    pub component: f64,
    pub mechanism: f64,
    /// The component is in the chain of those who suffer.
    pub victim: bool,
    /// It is one of the drill's decoys, or a mechanism that the truth rules out.
    pub decoy: Option<String>,
}

impl Worth {
    /// Half for the component, half for the mechanism.
    pub fn credit(&self) -> f64 {
        (self.component + self.mechanism) / 2.0
    }
}

/// Weighs a guess.
///
/// `injected` are the invented decoys that the trainee can have seen.
pub fn weigh(
    case: &Case,
    (name, entity): (&str, Option<EntityId>),
    mechanism: &str,
    injected: &[(Micros, String)],
) -> Worth {
    let component = component(case, name, entity);
    let tied = self::mechanism(case, mechanism);
    let hops = entity.and_then(|e| case.plan.chain.get(&case.telemetry.graph.owner(e)));
    let seen = |d: &Decoy| {
        d.title.as_ref().is_none_or(|title| injected.iter().any(|(_, i)| i.contains(title)))
    };
    let same = |d: &&Decoy| d.component == name && seen(d);
    let decoy = case.file.decoy.iter().find(same).filter(|_| component < 1.0);
    let ruled_out = case.truth.not.iter().any(|n| n == mechanism);
    let decoy = match decoy {
        Some(d) => Some(d.why.clone()),
        // Who names a victim has seen a symptom, not a decoy.
        None if ruled_out && tied < SPECIALISES && component == 0.0 => Some(String::new()),
        None => None,
    };
    let right = component >= OWNER && tied >= 1.0;
    Worth { right, component, mechanism: tied, victim: hops.is_some_and(|h| *h > 0), decoy }
}

fn component(case: &Case, name: &str, entity: Option<EntityId>) -> f64 {
    let graph = &case.telemetry.graph;
    if case.truth.entity.iter().any(|e| e == name) {
        return 1.0;
    }
    let Some(e) = entity else { return 0.0 };
    let owner = graph.owner(e);
    if case.plan.cause.contains(&owner) || case.plan.cause.iter().any(|c| graph.owner(*c) == owner)
    {
        return OWNER;
    }
    match case.plan.chain.get(&owner).or(case.plan.chain.get(&e)) {
        Some(hops) => 0.5_f64.powi(*hops as i32),
        None => 0.0,
    }
}

/// Credit of a mechanism by the ties of the catalogue, in either direction.
fn mechanism(case: &Case, id: &str) -> f64 {
    let one = |truth: &String| {
        if truth == id {
            return 1.0;
        }
        let (Ok(a), Ok(b)) = (case.catalog.find(truth), case.catalog.find(id)) else { return 0.0 };
        let ties = a.signature.related.iter().filter(|r| r.id == id);
        let ties = ties.chain(b.signature.related.iter().filter(|r| r.id == *truth));
        let worth = |kind: Relation| match kind {
            Relation::Specialises => SPECIALISES,
            Relation::FollowsFrom => FOLLOWS,
            Relation::Mimics => MIMICS,
        };
        ties.map(|r| worth(r.kind)).fold(0.0, f64::max)
    };
    case.truth.signature.iter().map(one).fold(0.0, f64::max)
}
