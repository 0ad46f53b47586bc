//! What several callers have in common. In: anomalies and the graph. Out: for each entity that shows
//! nothing itself, the trouble that all its callers show and that nothing else behind them explains.
//!
//! Callers that suffer at one moment, each without a reason of its own, have one cause rather than
//! several (the principle of parsimony of abductive diagnosis, Peng and Reggia 1990): something that
//! they share, such as a callee that answers late only by the time its answers arrive. A callee
//! whose way is measured by its callers is not guessed at: their measure of it says more.

use super::anomaly::{Anomaly, Facet, Scored};
use crate::features::onset::Onset;
use crate::matching::Context;
use crate::model::{EntityId, Subject};
use std::collections::BTreeMap;

/// Abnormality from which something is in trouble of its own.
const OWN_TROUBLE: f64 = 0.5;
/// What an entity suffers for, if it is in itself.
const REASONS: [Facet; 4] = [Facet::Own, Facet::Silence, Facet::Contention, Facet::Resource];
/// Fewest callers that suffer for no reason of their own: one may simply be the cause.
const CALLERS_MIN: usize = 2;

/// The trouble that callers share, by what they share: one symptom of each caller that has no
/// other reason, most abnormal first.
pub fn shared(
    context: &Context,
    anomalies: &BTreeMap<EntityId, Anomaly>,
) -> BTreeMap<EntityId, Vec<Scored>> {
    let graph = &context.telemetry.graph;
    let troubled = |id: &EntityId| anomalies.get(id).is_some_and(|a| a.suffering() > OWN_TROUBLE);
    let reason = |id: &EntityId| anomalies.get(id).is_some_and(|a| a.most(&REASONS) > OWN_TROUBLE);
    let quiet = |id: &EntityId| !troubled(id) && !reason(id);
    let without_reason = |id: &EntityId, shared: EntityId| {
        let others = graph.callees(*id).iter().filter(|c| **c != shared && *c != id);
        !reason(id) && others.into_iter().all(quiet)
    };
    let mut out = BTreeMap::new();
    for id in graph.ids().filter(quiet) {
        let callers: Vec<EntityId> =
            graph.callers(id).iter().filter(|c| **c != id).copied().collect();
        if callers.len() < CALLERS_MIN || !callers.iter().all(troubled) {
            continue;
        }
        let alone =
            callers.iter().filter(|c| without_reason(c, id) && !is_measured(context, **c, id));
        let alone: Vec<&Anomaly> = alone.filter_map(|c| anomalies.get(c)).collect();
        let onsets: Vec<Onset> = alone.iter().filter_map(|a| a.onset).collect();
        let at_once = onsets.iter().all(|a| onsets.iter().all(|b| a.ties_with(b)));
        if alone.len() < CALLERS_MIN || !at_once {
            continue;
        }
        let symptom = |s: &&Scored| matches!(s.facet, Facet::Latency | Facet::Errors);
        let mut shown: Vec<Scored> =
            alone.iter().filter_map(|a| a.series.iter().find(symptom)).copied().collect();
        shown.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.series.cmp(&b.series)));
        if shown.len() >= CALLERS_MIN {
            out.insert(id, shown);
        }
    }
    out
}

/// A callee whose answers a slow entity may wait for unseen: the entity shows nothing but that it is
/// slow, and nobody measures how long its calls take. The way between them may be at fault as well.
pub fn unseen_way(
    context: &Context,
    anomalies: &BTreeMap<EntityId, Anomaly>,
    at: EntityId,
) -> Option<EntityId> {
    let shown = anomalies.get(&at)?;
    let slow = shown.of(Facet::Latency) > OWN_TROUBLE;
    let reason = shown.most(&REASONS).max(shown.most(&[Facet::Other, Facet::Outgoing]));
    let mut unseen = context.telemetry.graph.callees(at).iter().copied();
    let found = unseen.find(|c| *c != at && !is_measured(context, at, *c))?;
    (slow && reason <= OWN_TROUBLE).then_some(found)
}

/// Says whether a caller measures its calls to the entity by themselves.
fn is_measured(context: &Context, caller: EntityId, callee: EntityId) -> bool {
    let series = context.series_of(Subject::Edge(caller, callee)).iter();
    series
        .map(|i| context.rollups.series[*i].role.as_str())
        .any(|r| r == "latency" || r == "errors")
}
