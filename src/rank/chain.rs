//! From cause to what users felt. In: the ranking. Out: links in causal order, each with its part,
//! onset, evidence and sparkline.

use super::Ranking;
use super::anomaly::{Anomaly, Facet};
use super::answer::{Writer, entity_ref};
use crate::diagnosis::{ChainLink, Role};
use crate::matching::facts_symptom;
use crate::model::{EntityId, Subject};
use std::collections::{BTreeMap, BTreeSet};

/// Links of a chain that are shown at most.
const LINKS_MAX: usize = 12;

/// Walks from the cause to everything that depends on it and has symptoms, and to what the
/// amplifiers among them load on the side.
pub fn chain(writer: &Writer, ranking: &Ranking, cause: EntityId) -> Vec<ChainLink> {
    let graph = &writer.context.telemetry.graph;
    let mut links: Vec<(EntityId, Option<EntityId>)> = vec![(cause, None)];
    let mut seen = BTreeSet::from([cause]);
    let mut front = vec![cause];
    while !front.is_empty() && links.len() < LINKS_MAX {
        let mut ahead: BTreeMap<EntityId, EntityId> = BTreeMap::new();
        for from in &front {
            for caller in graph.callers(*from) {
                let hurt = writer.is_hurt(ranking, *caller);
                if hurt && !seen.contains(caller) {
                    ahead.entry(*caller).or_insert(*from);
                }
            }
        }
        front = ahead.keys().copied().collect();
        let onset = |e: &EntityId| {
            ranking.anomalies.get(e).and_then(|a| a.onset).map_or(i64::MAX, |o| o.at)
        };
        front.sort_by_key(|e| (onset(e), *e));
        for e in &front {
            seen.insert(*e);
            links.push((*e, ahead.get(e).copied()));
        }
    }
    for (e, _) in links.clone() {
        if writer.role_of(ranking, e) != Some(Role::Amplifier) {
            continue;
        }
        for callee in graph.callees(e).iter().filter(|c| !seen.contains(c)) {
            let load = ranking.anomalies.get(callee).is_some_and(|a| a.of(Facet::Traffic) > 0.5);
            if load && links.len() < LINKS_MAX {
                links.push((*callee, Some(e)));
            }
        }
        seen.extend(graph.callees(e));
    }
    links.truncate(LINKS_MAX);
    links.iter().map(|(e, after)| link(writer, ranking, *e, *after, cause)).collect()
}

fn link(
    writer: &Writer,
    ranking: &Ranking,
    e: EntityId,
    after: Option<EntityId>,
    cause: EntityId,
) -> ChainLink {
    let finding = writer.best_finding(ranking, e, e == cause);
    let anomaly = ranking.anomalies.get(&e);
    let onset = match finding.filter(|_| e == cause).and_then(|c| ranking.candidates[c].onset) {
        Some(o) => Some(o),
        None => anomaly.and_then(|a| a.onset),
    };
    let role =
        if e == cause { Role::Cause } else { writer.role_of(ranking, e).unwrap_or(Role::Victim) };
    // What an amplifier loads on the side is shown by its load, not by its own small wiggles.
    let graph = &writer.context.telemetry.graph;
    let loaded =
        after.filter(|a| graph.callees(*a).contains(&e)).and_then(|_| writer.load_series(anomaly));
    let series = loaded
        .or_else(|| writer.finding_series(ranking, e, e == cause))
        .or_else(|| writer.symptom_series(e))
        .or_else(|| anomaly.and_then(|a| a.series.first()).map(|s| s.series));
    let said = match finding {
        Some(c) => writer.headline(&ranking.candidates[c]),
        None => series.map_or_else(|| "in trouble".to_owned(), |i| writer.level_said(i)),
    };
    ChainLink {
        entity: entity_ref(writer.context, e),
        role,
        onset: onset.map(|o| o.at),
        onset_uncertainty_s: onset.map(|o| o.uncertainty_s()),
        after: after.map(|a| writer.context.name(a).to_owned()),
        said,
        spark: series.map(|i| writer.spark(i)),
        evidence: Vec::new(),
    }
}

impl Writer<'_> {
    /// Has symptoms, or a finding of its own.
    fn is_hurt(&self, ranking: &Ranking, e: EntityId) -> bool {
        self.symptom_series(e).is_some() || self.best_finding(ranking, e, false).is_some()
    }

    /// The series that shows how much more an entity is asked to do.
    fn load_series(&self, anomaly: Option<&Anomaly>) -> Option<usize> {
        let series = &anomaly?.series;
        series.iter().find(|s| s.facet == Facet::Traffic).map(|s| s.series)
    }

    /// The series that shows an entity's symptom best.
    pub fn symptom_series(&self, e: EntityId) -> Option<usize> {
        let own = self.context.series_of(Subject::Entity(e)).iter();
        own.filter_map(|i| facts_symptom(self.context, *i).map(|z| (*i, z)))
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
            .map(|(i, _)| i)
    }
}
