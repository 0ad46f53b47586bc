//! Spans to the spans frame: services and peers become entities, symbols stay numbers.

use super::identity::{Resolver, kind_by_name};
use crate::error::Result;
use crate::graph::{EdgeKind, EdgeSource};
use crate::ingest::raw::{Raw, RawSpan, SpanKind, Sym};
use crate::model::{EntityId, EntityKind};
use crate::telemetry::{NONE, frame_error};
use polars::prelude::*;
use std::collections::{BTreeSet, HashMap};

/// Services by span first, so that labels and peers resolve to them.
pub fn register(raw: &Raw, resolver: &mut Resolver) {
    let symbols: BTreeSet<Sym> = raw.spans.iter().map(|s| s.service).collect();
    let services: BTreeSet<&str> = symbols.into_iter().map(|s| raw.symbols.text(s)).collect();
    for name in services.into_iter().filter(|n| !n.is_empty()) {
        resolver.graph.top(EntityKind::Service, name);
    }
}

fn peer_kind(raw: &Raw, span: &RawSpan) -> EntityKind {
    let system = raw.symbols.text(span.db_system);
    match () {
        () if span.messaging => EntityKind::Queue,
        () if system.is_empty() => kind_by_name(raw.symbols.text(span.peer), EntityKind::External),
        () if ["redis", "memcached", "valkey"].contains(&system) => EntityKind::Cache,
        () => EntityKind::Database,
    }
}

/// Builds the spans frame and the call edges that client spans name; `parent` is of [`parents`].
pub fn frame(raw: &Raw, parent: Vec<u32>, resolver: &mut Resolver) -> Result<DataFrame> {
    let n = raw.spans.len();
    let mut ids: HashMap<(Sym, Sym), (u32, u32)> = HashMap::new();
    let mut peers: HashMap<(Sym, EntityKind), u32> = HashMap::new();
    let columns: [Vec<u32>; 6] = std::array::from_fn(|_| Vec::with_capacity(n));
    let [mut service, mut instance, mut version, mut op, mut peer, mut etype] = columns;
    for span in &raw.spans {
        let (s, i) = *ids.entry((span.service, span.instance)).or_insert_with(|| {
            let name = raw.symbols.text(span.service);
            let name = if name.is_empty() { "unknown_service" } else { name };
            let s = resolver.graph.top(EntityKind::Service, name);
            let instance = raw.symbols.text(span.instance);
            let part = (!instance.is_empty() && instance != name)
                .then(|| resolver.graph.part(EntityKind::Instance, instance, s).0);
            (s.0, part.unwrap_or(NONE))
        });
        let kind = peer_kind(raw, span);
        let p =
            *peers.entry((span.peer, kind)).or_insert_with(|| match raw.symbols.text(span.peer) {
                "" => NONE,
                name => resolver.peer(name, kind).0,
            });
        if p != NONE && p != s {
            let edge = if span.messaging { EdgeKind::Messages } else { EdgeKind::Calls };
            resolver.graph.connect(EntityId(s), EntityId(p), edge, EdgeSource::Traces);
        }
        service.push(s);
        instance.push(i);
        version.push(span.version.0);
        op.push(span.operation.0);
        peer.push(p);
        etype.push(span.error_type.0);
    }
    parent_edges(raw, &parent, &service, resolver);
    let kind = |s: &RawSpan| match s.kind {
        SpanKind::Internal => 0u32,
        SpanKind::Server => 1,
        SpanKind::Client => 2,
        SpanKind::Producer => 3,
        SpanKind::Consumer => 4,
    };
    let spans = &raw.spans;
    df!(
        "parent" => parent,
        "service" => service,
        "instance" => instance,
        "version" => version,
        "op" => op,
        "kind" => spans.iter().map(kind).collect::<Vec<u32>>(),
        "start" => spans.iter().map(|s| s.start).collect::<Vec<i64>>(),
        "end" => spans.iter().map(|s| s.end).collect::<Vec<i64>>(),
        "error" => spans.iter().map(|s| s.error).collect::<Vec<bool>>(),
        "peer" => peer,
        "etype" => etype,
        "key" => spans.iter().map(|s| s.key).collect::<Vec<u32>>(),
    )
    .map_err(frame_error("spans"))
}

/// The row of each span's parent, [`NONE`] where it was not recorded; of spans with one id in one
/// trace the first counts.
pub fn parents(spans: &[RawSpan]) -> Vec<u32> {
    let trace = |s: &RawSpan| (s.trace >> 64) as u64 ^ s.trace as u64;
    let mut rows: hashbrown::HashMap<(u64, u64), u32> = hashbrown::HashMap::new();
    rows.reserve(spans.len());
    for (row, span) in spans.iter().enumerate() {
        rows.entry((trace(span), span.span)).or_insert(row as u32);
    }
    let parent = |s: &RawSpan| match s.parent {
        0 => NONE,
        id => rows.get(&(trace(s), id)).copied().unwrap_or(NONE),
    };
    spans.iter().map(parent).collect()
}

/// A span whose parent is of another service proves a call between the two.
fn parent_edges(raw: &Raw, parent: &[u32], service: &[u32], resolver: &mut Resolver) {
    let mut edges: BTreeSet<(u32, u32, bool)> = BTreeSet::new();
    for ((span, row), callee) in raw.spans.iter().zip(parent).zip(service) {
        let caller = service.get(*row as usize).copied().unwrap_or(*callee);
        if caller != *callee {
            edges.insert((caller, *callee, span.kind == SpanKind::Consumer));
        }
    }
    for (from, to, messages) in edges {
        let kind = if messages { EdgeKind::Messages } else { EdgeKind::Calls };
        resolver.graph.connect(EntityId(from), EntityId(to), kind, EdgeSource::Traces);
    }
}
