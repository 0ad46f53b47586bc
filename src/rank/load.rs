//! Load goes from caller to callee: who sends too much stands in front of what cannot serve it. In:
//! findings and the graph. Out: which finding is the more exact form of another, and the blame of a
//! sender.

use super::Scale;
use super::explain_away::Blame;
use crate::catalog::{Catalog, Category, Relation, Signature};
use crate::diagnosis::Role;
use crate::graph::Graph;
use crate::matching::Finding;
use crate::model::{EntityId, EntityKind};

/// Growth of its load from which a part behind a sender is the sender's matter.
const LOAD_GREW: f64 = 1.2;

/// Says whether `g` is about too much load that arrives in front of where `f` says that too much
/// cannot be served.
pub(super) fn sends(graph: &Graph, catalog: &Catalog, g: &Finding, f: &Finding) -> bool {
    let load =
        |f: &Finding| catalog.signatures[f.signature].signature.category == Category::Overload;
    let in_front = |(at, from)| graph.dependants(graph.owner(at)).contains_key(&graph.owner(from));
    load(g) && load(f) && f.subject.zip(g.subject).is_some_and(in_front)
}

/// The blame of a client that requests are counted by, and of an entry of which a signature says who
/// sends: load goes from caller to callee, so it has that of whichever part at it or behind it got
/// more requests and carries most.
pub(super) fn blame<'a>(scale: &Scale<'a>, s: &Signature, sender: EntityId) -> Option<&'a Blame> {
    let graph = &scale.context.telemetry.graph;
    let is_client = graph.entity(sender).kind == EntityKind::Client;
    let says_who = is_form_of_load(scale.catalog, s) && scale.context.entries.contains(&sender);
    if !(is_client || says_who) {
        return None;
    }
    let grew = |e: &EntityId| {
        scale.anomalies.get(e).and_then(|a| a.traffic_ratio).is_some_and(|r| r >= LOAD_GREW)
    };
    let sum = |b: &Blame| b.terms.iter().map(|t| t.1).sum::<f64>();
    let itself = (!is_client).then_some(sender);
    let behind = graph.reach(sender).into_keys().chain(itself).filter(grew);
    behind.filter_map(|e| scale.blames.get(&e)).max_by(|a, b| sum(a).total_cmp(&sum(b)))
}

/// Says whether a signature is a more exact form of too much load.
fn is_form_of_load(catalog: &Catalog, s: &Signature) -> bool {
    let overload = |s: &Signature| s.category == Category::Overload && s.role == Role::Cause;
    let generic = s.related.iter().filter(|r| r.kind == Relation::Specialises);
    let mut generic = generic.filter_map(|r| catalog.find(&r.id).ok());
    overload(s) && generic.any(|g| overload(&g.signature))
}
