//! Entities and how they depend on each other. In: names with kinds, and typed edges. Out: ids,
//! parents (instance of a service, partition of a store), callers, callees and reachability.

use crate::model::{Entity, EntityId, EntityKind};
use std::collections::{BTreeMap, BTreeSet};

/// What an edge means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EdgeKind {
    /// The first calls the second.
    Calls,
    /// The first sends messages that the second consumes; neither waits.
    Messages,
    /// The first runs on the second (a host).
    RunsOn,
    /// The first is a replica of the second.
    ReplicaOf,
}

/// Where an edge is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EdgeSource {
    Topology,
    Traces,
    Labels,
    Sessions,
}

/// All entities and typed edges of one diagnosis. Ids are dense and in order of first sight.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    entities: Vec<Entity>,
    index: BTreeMap<(String, Option<String>), EntityId>,
    aliases: BTreeMap<String, String>,
    edges: BTreeMap<(EntityId, EntityId, EdgeKind), BTreeSet<EdgeSource>>,
    callees: Vec<Vec<EntityId>>,
    callers: Vec<Vec<EntityId>>,
    /// Owner of each entity, once the graph is finished.
    owners: Vec<EntityId>,
}

impl Graph {
    /// Makes `from` another name of `to`.
    pub fn alias(&mut self, from: &str, to: &str) {
        if key(from) != key(to) {
            self.owners.clear();
            self.aliases.insert(key(from), to.to_owned());
        }
    }

    /// The name behind an alias, or the name itself.
    pub fn canonical<'a>(&'a self, name: &'a str) -> &'a str {
        let mut name = name;
        for _ in 0..4 {
            match self.aliases.get(&key(name)) {
                Some(to) => name = to,
                None => break,
            }
        }
        name
    }

    /// Finds a top-level entity (not an instance or partition) by name or alias.
    pub fn find(&self, name: &str) -> Option<EntityId> {
        self.index.get(&(key(self.canonical(name)), None)).copied()
    }

    /// Returns the top-level entity of this name, adding it if it is new.
    ///
    /// A kind that says more (a service, a store) replaces one that says less (an address).
    pub fn top(&mut self, kind: EntityKind, name: &str) -> EntityId {
        let name = self.canonical(name).trim().to_owned();
        let index = (key(&name), None);
        if let Some(id) = self.index.get(&index) {
            let known = &mut self.entities[id.0 as usize].kind;
            if certainty(kind) > certainty(*known) {
                *known = kind;
            }
            return *id;
        }
        self.add(index, Entity { kind, name, service: None })
    }

    /// Returns the instance or partition `name` of a service, adding it if it is new.
    pub fn part(&mut self, kind: EntityKind, name: &str, service: EntityId) -> EntityId {
        let owner = self.entity(service).name.clone();
        let index = (key(name), Some(key(&owner)));
        if let Some(id) = self.index.get(&index) {
            return *id;
        }
        self.add(index, Entity { kind, name: name.trim().to_owned(), service: Some(owner) })
    }

    fn add(&mut self, index: (String, Option<String>), entity: Entity) -> EntityId {
        let id = EntityId(self.entities.len() as u32);
        self.owners.clear();
        self.index.insert(index, id);
        self.entities.push(entity);
        id
    }

    /// Overrides an entity's kind, as a topology file may.
    pub fn set_kind(&mut self, id: EntityId, kind: EntityKind) {
        self.entities[id.0 as usize].kind = kind;
    }

    /// The entity of an id.
    pub fn entity(&self, id: EntityId) -> &Entity {
        &self.entities[id.0 as usize]
    }

    /// Every id, in order.
    pub fn ids(&self) -> impl Iterator<Item = EntityId> + use<> {
        (0..self.entities.len() as u32).map(EntityId)
    }

    /// The service of an instance or partition; the entity itself otherwise.
    pub fn owner(&self, id: EntityId) -> EntityId {
        self.owners.get(id.0 as usize).copied().unwrap_or_else(|| self.find_owner(id))
    }

    fn find_owner(&self, id: EntityId) -> EntityId {
        match &self.entity(id).service {
            Some(s) => self.find(s).unwrap_or(id),
            None => id,
        }
    }

    /// Adds an edge, or one more place where it is known from. A self-edge is ignored.
    pub fn connect(&mut self, from: EntityId, to: EntityId, kind: EdgeKind, source: EdgeSource) {
        if from != to {
            self.edges.entry((from, to, kind)).or_default().insert(source);
        }
    }

    /// Fills the lists of neighbours and owners; call once after the last edge.
    pub fn finish(&mut self) {
        self.owners = self.ids().map(|id| self.find_owner(id)).collect();
        self.callees = vec![Vec::new(); self.entities.len()];
        self.callers = vec![Vec::new(); self.entities.len()];
        for (from, to, kind) in self.edges.keys() {
            if *kind == EdgeKind::Calls {
                self.callees[from.0 as usize].push(*to);
                self.callers[to.0 as usize].push(*from);
            }
        }
    }

    /// Forgets who calls whom, to measure what knowing it is worth.
    pub fn forget_edges(&mut self) {
        self.edges.clear();
        self.finish();
    }

    /// Whom an entity calls, in order of id.
    pub fn callees(&self, id: EntityId) -> &[EntityId] {
        self.callees.get(id.0 as usize).map_or(&[], Vec::as_slice)
    }

    /// Who calls an entity, in order of id.
    pub fn callers(&self, id: EntityId) -> &[EntityId] {
        self.callers.get(id.0 as usize).map_or(&[], Vec::as_slice)
    }

    /// Every edge with its kind.
    pub fn edges(&self) -> impl Iterator<Item = (EntityId, EntityId, EdgeKind)> + '_ {
        self.edges.keys().copied()
    }

    /// Everything that `from` depends on through calls, with the number of hops; cycles end.
    pub fn reach(&self, from: EntityId) -> BTreeMap<EntityId, u32> {
        self.walk(from, |id| self.callees(id))
    }

    /// Everything that depends on `from` through calls, with the number of hops; cycles end.
    pub fn dependants(&self, from: EntityId) -> BTreeMap<EntityId, u32> {
        self.walk(from, |id| self.callers(id))
    }

    fn walk<'a>(
        &'a self,
        from: EntityId,
        next: impl Fn(EntityId) -> &'a [EntityId],
    ) -> BTreeMap<EntityId, u32> {
        let mut found = BTreeMap::new();
        let mut front = vec![from];
        let mut hops = 0;
        while !front.is_empty() {
            hops += 1;
            let mut ahead = Vec::new();
            for id in front.iter().flat_map(|f| next(*f)) {
                if *id != from && !found.contains_key(id) {
                    found.insert(*id, hops);
                    ahead.push(*id);
                }
            }
            front = ahead;
        }
        found
    }
}

/// How much a kind says about an entity.
fn certainty(kind: EntityKind) -> u8 {
    match kind {
        EntityKind::External => 0,
        EntityKind::Instance => 1,
        _ => 2,
    }
}

/// Names are compared without regard to case and surrounding space.
fn key(name: &str) -> String {
    name.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reach_ends_on_cycles_and_counts_hops() {
        let mut g = Graph::default();
        let ids: Vec<EntityId> =
            ["a", "b", "c"].iter().map(|n| g.top(EntityKind::Service, n)).collect();
        for (f, t) in [(0, 1), (1, 2), (2, 0)] {
            g.connect(ids[f], ids[t], EdgeKind::Calls, EdgeSource::Topology);
        }
        g.finish();
        assert_eq!(g.reach(ids[0]), BTreeMap::from([(ids[1], 1), (ids[2], 2)]));
        assert_eq!(g.dependants(ids[0]), BTreeMap::from([(ids[2], 1), (ids[1], 2)]));
    }

    #[test]
    fn aliases_and_case_lead_to_one_entity() {
        let mut g = Graph::default();
        g.alias("127.0.0.1:5432", "pg-main");
        let a = g.top(EntityKind::External, "127.0.0.1:5432");
        let b = g.top(EntityKind::Database, "PG-Main");
        assert_eq!((a, g.entity(a).kind), (b, EntityKind::Database));
    }
}
