//! Spans to entities: services and peers become entities, symbols stay numbers, ids become rows.

use super::identity::{Resolver, kind_by_name};
use crate::graph::{EdgeKind, EdgeSource};
use crate::ingest::raw::{FileId, Raw, RawSpan, RawSpans, SpanKind, Sym, Symbols};
use crate::model::{EntityId, EntityKind, Gap, GapKind};
use crate::telemetry::{NONE, SpanShape, Spans};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};

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

/// Understands the spans and finds the call edges that they prove; `parent` is of [`once`].
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

/// The parents of all spans, and spans that are no further ones.
#[derive(Debug, Default, PartialEq)]
pub struct Parents {
    /// The row of each span's parent, [`NONE`] where it was not recorded.
    pub rows: Vec<u32>,
    /// Rows in which every field is that of an earlier row of the same file, rising.
    pub copies: Vec<u32>,
}

/// Finds the parents; of spans with one id in one trace the first counts. A copy is seen on the way:
/// only spans whose ids repeat are compared.
pub fn parents(spans: &RawSpans) -> Parents {
    let mut parts: Vec<Vec<u32>> = vec![Vec::new(); PARTS];
    for row in 0..spans.len() {
        parts[spans.part_of(row, PARTS)].push(row as u32);
    }
    let found: Vec<Parents> = parts.par_iter().map(|rows| parents_of(spans, rows)).collect();
    let (mut rows, mut copies) = (vec![NONE; spans.len()], Vec::new());
    for (part, own) in parts.into_iter().zip(found) {
        for (row, parent) in part.into_iter().zip(own.rows) {
            rows[row as usize] = parent;
        }
        copies.extend(own.copies);
    }
    copies.sort_unstable();
    Parents { rows, copies }
}

/// The parents of the spans of whole traces, which stand in some rows.
fn parents_of(spans: &RawSpans, of: &[u32]) -> Parents {
    let mut out = Parents { rows: Vec::with_capacity(of.len()), copies: Vec::new() };
    let mut rows: hashbrown::HashMap<(u64, u64), u32> = hashbrown::HashMap::new();
    // A call's two sides may share an id (Zipkin): the second kind is kept here.
    let mut further: hashbrown::HashMap<(u64, u64, u8), u32> = hashbrown::HashMap::new();
    for row in of {
        let (trace, span, _) = spans.ids(*row as usize);
        let first = *rows.entry((trace, span)).or_insert(*row);
        if first == *row || span == 0 {
            continue;
        }
        let Some(own) = spans.get(*row as usize) else { continue };
        let other = *further.entry((trace, span, own.kind as u8)).or_insert(*row);
        let is_own = |known: u32| known != *row && spans.get(known as usize) == Some(own);
        if is_own(first) || is_own(other) {
            out.copies.push(*row);
        }
    }
    for row in of {
        let (trace, _, parent) = spans.ids(*row as usize);
        let found = if parent == 0 { None } else { rows.get(&(trace, parent)) };
        out.rows.push(found.copied().unwrap_or(NONE));
    }
    out
}

/// The parents of spans of which each counts once: an exporter that tries again writes the same
/// spans twice. What was left out is said by file.
pub fn once(raw: &mut Raw) -> Vec<u32> {
    let Parents { rows, copies } = parents(&raw.spans);
    if copies.is_empty() {
        return rows;
    }
    let mut left_out: BTreeMap<FileId, u64> = BTreeMap::new();
    for copy in copies.iter().filter_map(|row| raw.spans.get(*row as usize)) {
        *left_out.entry(copy.file).or_default() += 1;
    }
    raw.spans.leave_out(&copies);
    for (file, count) in left_out {
        let Some(path) = raw.files.get(file as usize).map(|f| f.path.as_str()) else { continue };
        let what = "spans that the file holds twice, the same in every field: each is counted once";
        raw.gaps.push(Gap { count, ..Gap::at(GapKind::Inferred, path, None, what) });
    }
    parents(&raw.spans).rows
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::raw::InputFile;

    #[test]
    fn a_span_that_its_file_holds_twice_counts_once() {
        let span = |file, span, parent, kind| {
            let (trace, start, end) = (7, 10, 20);
            RawSpan { file, trace, span, parent, kind, start, end, ..RawSpan::default() }
        };
        let (client, server) = (SpanKind::Client, SpanKind::Server);
        let all = [
            span(0, 1, 0, client),
            span(0, 1, 0, server),
            span(0, 2, 1, client),
            span(0, 1, 0, server),
            span(0, 1, 0, client),
            span(0, 2, 1, client),
            span(1, 2, 1, client),
            RawSpan { end: 21, ..span(0, 2, 1, client) },
            span(0, 0, 1, client),
            span(0, 0, 1, client),
        ];
        let mut raw = Raw::default();
        raw.files.extend(["a", "b"].map(InputFile::named));
        raw.spans.extend(all);
        assert_eq!(parents(&raw.spans).copies, [3, 4, 5]);
        // The two sides of a call, another file's span, another length and no ids are no copies.
        let rows = once(&mut raw);
        assert_eq!(rows, [NONE, NONE, 0, 0, 0, 0, 0]);
        assert_eq!((raw.spans.len(), raw.gaps.len(), raw.gaps[0].count), (7, 1, 3));
        assert_eq!(raw.gaps[0].file.as_deref(), Some("a"));
    }
}
