//! Spans to entities: services and peers become entities, symbols stay numbers, ids become rows.

use super::identity::{Resolver, kind_by_name};
use crate::graph::{EdgeKind, EdgeSource};
use crate::ingest::raw::{Raw, RawSpan, RawSpans, SpanKind, Sym, Symbols};
use crate::model::{EntityId, EntityKind};
use crate::telemetry::{NONE, SpanShape, Spans};
use std::collections::{BTreeSet, HashMap};

/// Services by span first, so that labels and peers resolve to them.
pub fn register(raw: &Raw, resolver: &mut Resolver) {
    let symbols: BTreeSet<Sym> = raw.spans.shapes().iter().map(|s| s.service).collect();
    let services: BTreeSet<&str> = symbols.into_iter().map(|s| raw.symbols.text(s)).collect();
    for name in services.into_iter().filter(|n| !n.is_empty()) {
        resolver.graph.top(EntityKind::Service, name);
    }
}

fn peer_kind(symbols: &Symbols, span: &RawSpan) -> EntityKind {
    let system = symbols.text(span.db_system);
    match () {
        () if span.messaging => EntityKind::Queue,
        () if system.is_empty() => kind_by_name(symbols.text(span.peer), EntityKind::External),
        () if ["redis", "memcached", "valkey"].contains(&system) => EntityKind::Cache,
        () => EntityKind::Database,
    }
}

/// Understands the spans and finds the call edges that they prove; `parent` is of [`parents`].
pub fn understood(
    spans: RawSpans,
    symbols: &Symbols,
    parent: Vec<u32>,
    resolver: &mut Resolver,
) -> Spans {
    let shapes = shapes(&spans, symbols, resolver);
    let (shape, start, end, key) = spans.into_columns();
    let spans = Spans { shapes, shape, parent, start, end, key };
    parent_edges(&spans, resolver);
    spans
}

/// What the spans have in common, as entities; and the call edges that client spans name.
fn shapes(spans: &RawSpans, symbols: &Symbols, resolver: &mut Resolver) -> Vec<SpanShape> {
    let mut ids: HashMap<(Sym, Sym), (u32, u32)> = HashMap::new();
    let mut peers: HashMap<(Sym, EntityKind), u32> = HashMap::new();
    let mut one = |span: &RawSpan| {
        let (service, instance) = *ids.entry((span.service, span.instance)).or_insert_with(|| {
            let name = symbols.text(span.service);
            let name = if name.is_empty() { "unknown_service" } else { name };
            let s = resolver.graph.top(EntityKind::Service, name);
            let instance = symbols.text(span.instance);
            let part = (!instance.is_empty() && instance != name)
                .then(|| resolver.graph.part(EntityKind::Instance, instance, s).0);
            (s.0, part.unwrap_or(NONE))
        });
        let kind = peer_kind(symbols, span);
        let peer =
            *peers.entry((span.peer, kind)).or_insert_with(|| match symbols.text(span.peer) {
                "" => NONE,
                name => resolver.peer(name, kind).0,
            });
        if peer != NONE && peer != service {
            let edge = if span.messaging { EdgeKind::Messages } else { EdgeKind::Calls };
            resolver.graph.connect(EntityId(service), EntityId(peer), edge, EdgeSource::Traces);
        }
        let (version, op, etype) = (span.version.0, span.operation.0, span.error_type.0);
        let (kind, error) = (span.kind, span.error);
        SpanShape { service, instance, version, op, kind, error, peer, etype }
    };
    spans.shapes().iter().map(&mut one).collect()
}

/// Parts of the spans in which parents are looked for: few enough spans each that a part's table
/// stays in the processor's cache.
const PARTS: usize = 256;

/// The row of each span's parent, [`NONE`] where it was not recorded; of spans with one id in one
/// trace the first counts.
pub fn parents(spans: &RawSpans) -> Vec<u32> {
    // A trace lies in one part; the multiplier (of Fibonacci hashing) spreads ids that count up.
    let part = |row: usize| (spans.ids(row).0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize;
    let mut parts: Vec<Vec<u32>> = vec![Vec::new(); PARTS];
    for row in 0..spans.len() {
        parts[part(row)].push(row as u32);
    }
    let mut parents = vec![NONE; spans.len()];
    let mut rows: hashbrown::HashMap<(u64, u64), u32> = hashbrown::HashMap::new();
    for part in parts {
        rows.clear();
        for row in &part {
            let (trace, span, _) = spans.ids(*row as usize);
            rows.entry((trace, span)).or_insert(*row);
        }
        for row in &part {
            let (trace, _, parent) = spans.ids(*row as usize);
            if parent != 0 {
                let found = rows.get(&(trace, parent));
                parents[*row as usize] = found.copied().unwrap_or(NONE);
            }
        }
    }
    parents
}

/// A span whose parent is of another service proves a call between the two.
fn parent_edges(spans: &Spans, resolver: &mut Resolver) {
    let mut edges: BTreeSet<(u32, u32, bool)> = BTreeSet::new();
    let mut seen: hashbrown::HashSet<(u32, u32)> = hashbrown::HashSet::new();
    for (shape, parent) in spans.shape.iter().zip(&spans.parent) {
        let Some(above) = spans.shape.get(*parent as usize) else { continue };
        if seen.insert((*above, *shape)) {
            let (caller, callee) = (spans.shapes[*above as usize], spans.shapes[*shape as usize]);
            let edge = (caller.service, callee.service, callee.kind == SpanKind::Consumer);
            edges.extend((caller.service != callee.service).then_some(edge));
        }
    }
    for (from, to, messages) in edges {
        let kind = if messages { EdgeKind::Messages } else { EdgeKind::Calls };
        resolver.graph.connect(EntityId(from), EntityId(to), kind, EdgeSource::Traces);
    }
}
