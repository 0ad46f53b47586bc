//! `graph`: who calls whom, as far as it had been recorded by now.

use super::look::View;
use super::words;
use crate::graph::EdgeKind;
use crate::model::EntityId;
use std::collections::{BTreeMap, BTreeSet};

/// Callers that are shown.
const LINES: usize = 24;

impl View<'_> {
    /// One line per caller, entries first, and what replicates or runs on what.
    pub fn map(&self) -> Vec<String> {
        let t = &self.instant.telemetry;
        let graph = &t.graph;
        let known = |e: EntityId| self.instant.known.contains(&e);
        let mut callees: BTreeMap<EntityId, BTreeSet<EntityId>> = BTreeMap::new();
        let mut other: Vec<String> = Vec::new();
        let mut add = |a: EntityId, b: EntityId| {
            let (a, b) = (graph.owner(a), graph.owner(b));
            if a != b {
                callees.entry(a).or_default().insert(b);
            }
        };
        self.instant.called.iter().for_each(|(a, b)| add(*a, *b));
        for (a, b, kind) in graph.edges().filter(|(a, b, _)| known(*a) && known(*b)) {
            let word = match kind {
                // A call that no file names is known when it is first recorded.
                EdgeKind::Calls if self.is_told(a, b) => {
                    add(a, b);
                    continue;
                }
                EdgeKind::Calls => continue,
                EdgeKind::Messages => "sends to",
                EdgeKind::RunsOn => "runs on",
                EdgeKind::ReplicaOf => "replicates",
            };
            other.push(format!("   {} {word} {}", words::name(t, a), words::name(t, b)));
        }
        let called: BTreeSet<EntityId> = callees.values().flatten().copied().collect();
        let mut order: Vec<&EntityId> = callees.keys().collect();
        order.sort_by_key(|e| (called.contains(e), **e));
        let line = |e: &&EntityId| {
            let to: Vec<&str> = callees[*e].iter().map(|c| words::name(t, *c)).collect();
            format!("   {} → {}", words::name(t, **e), words::together(&to))
        };
        let mut out: Vec<String> = order.iter().map(line).collect();
        let alone: Vec<&str> = self
            .instant
            .known
            .iter()
            .filter(|e| graph.owner(**e) == **e)
            .filter(|e| !callees.contains_key(e) && !called.contains(e))
            .map(|e| words::name(t, *e))
            .collect();
        out.extend(other);
        if !alone.is_empty() {
            out.push(format!("   also known: {}", words::together(&alone)));
        }
        let left = out.len().saturating_sub(LINES);
        out.truncate(LINES);
        if left > 0 {
            out.push(format!("   and {left} more lines"));
        }
        out
    }

    /// Whether a file names a call that was never recorded.
    fn is_told(&self, a: EntityId, b: EntityId) -> bool {
        let name = |e| words::name(&self.instant.telemetry, e).to_owned();
        self.plan.told.contains(&(name(a), name(b)))
    }
}
