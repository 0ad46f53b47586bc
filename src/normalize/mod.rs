//! Raw tables to [`Telemetry`]: names to signals, units to base units, labels and addresses to
//! entities. What cannot be understood is listed as a gap, never dropped in silence.

mod clocks;
mod columns;
pub mod files;
mod identity;
mod labels;
mod merged;
mod promql;
mod series;
mod spans;
#[cfg(test)]
mod tests;
mod twins;
mod units;
mod unmapped;
mod windows;

pub use identity::kind_by_name;

use crate::error::Result;
use crate::graph::{EdgeKind, EdgeSource};
use crate::ingest::raw::{FileId, PerShape, Raw, RawLock, RawLog, RawSeries};
use crate::ingest::text::Text;
use crate::model::{EntityId, EntityKind, Micros, Subject};
use crate::signals::SignalTable;
use crate::telemetry::{Points, SeriesMeta, Sessions, Spans, Telemetry, service_of};
pub use clocks::ROUNDING;
use identity::Resolver;
use merged::merged;
use rayon::prelude::*;
use series::Run;
pub use series::shown;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Understands everything that was read.
pub fn normalize(mut raw: Raw) -> Result<Telemetry> {
    let table = SignalTable::built_in()?;
    let mut resolver = Resolver::new(&raw, table);
    spans::register(&raw, &mut resolver);
    // Stores that exporters name first, so that other labels resolve to them.
    let by_exporter =
        |s: &&RawSeries| table.exporters.iter().any(|e| s.name.starts_with(&e.prefix));
    for series in raw.series.iter().filter(by_exporter) {
        resolver.labelled(series);
    }
    for series in raw.series.iter().filter(|s| !s.name.is_empty()) {
        resolver.labelled(series);
    }
    let mut run = Run {
        resolver,
        table,
        largest: BTreeMap::new(),
        unknown: BTreeMap::new(),
        lost: BTreeMap::new(),
        told: BTreeMap::new(),
    };
    let homes = run.homes(&raw);
    run.largest = run.largest_values(&raw);
    let (mut metas, mut points) = (Vec::new(), Vec::new());
    let all = merged(std::mem::take(&mut raw.series));
    let understood: Vec<_> = all.par_iter().map(|s| run.understand(&raw, s)).collect();
    for (series, understood) in all.into_iter().zip(understood) {
        if let Some((meta, values)) = run.series(&raw, series, understood, &homes) {
            metas.push(meta);
            points.push(values);
        }
    }
    twins::leave_out(table, &mut metas, &mut points, &mut run.resolver.gaps);
    twins::leave_out_copies(&raw.files, table, (&mut metas, &mut points), &mut run.resolver.gaps);
    run.report(&raw);
    let mut resolver = run.resolver;
    let parent = spans::once(&mut raw);
    let mut gaps = std::mem::take(&mut raw.gaps);
    label_edges(&metas, &mut resolver);
    topology_edges(std::mem::take(&mut raw.edges), &mut resolver);
    let trace_file = raw.spans.shapes().iter().map(|s| s.file).min();
    gaps.extend(clocks::gaps(&raw, &parent));
    gaps.extend(windows::gaps(&metas, &raw.times, &raw.files));
    let spans = std::mem::take(&mut raw.spans);
    let spans = spans::understood(spans, &raw.symbols, parent, &mut resolver);
    let sessions = of_servers(&mut raw, &mut resolver);
    let (locks, logs, log_times) = server_rows(&mut raw, &mut resolver);
    session_edges(&sessions, &mut resolver);
    let events = std::mem::take(&mut raw.events);
    let events: Vec<_> =
        events.into_iter().map(|e| (event_services(&e.service, &mut resolver), e)).collect();
    gaps.extend(std::mem::take(&mut resolver.gaps));
    gaps.sort();
    gaps.dedup();
    let mut graph = resolver.graph;
    graph.finish();
    let symbols = (0..).map(|i| raw.symbols.get(i)).take_while(Option::is_some).flatten().collect();
    Ok(Telemetry {
        files: raw.files,
        times: raw.times,
        extent: extent((&metas, &points), &spans, &sessions, &raw.undated),
        samples: points,
        series: metas,
        spans,
        trace_file,
        symbols,
        sessions,
        locks,
        logs,
        log_times,
        events,
        incident: raw.incident,
        site: raw.site,
        graph,
        signals: table,
        gaps,
    })
}

/// Sessions with the servers that they are of; each name is looked up once.
fn of_servers(raw: &mut Raw, resolver: &mut Resolver) -> Sessions {
    let mut servers: HashMap<Text, EntityId> = HashMap::new();
    let mut of_shape: Vec<Option<EntityId>> = Vec::new();
    let sessions = std::mem::take(&mut raw.sessions);
    Sessions::new(sessions, |s| {
        let at = s.shape_id();
        if at >= of_shape.len() {
            of_shape.resize(at + 1, None);
        }
        *of_shape[at].get_or_insert_with(|| {
            *servers.entry(s.server.clone()).or_insert_with(|| {
                let path = raw.files.get(s.file as usize).map_or("", |f| f.path.as_str());
                resolver.server(&s.server, path)
            })
        })
    })
}

/// Locks, lines of logs and the times of logs with the servers that they are of.
type ServerRows =
    (Vec<(EntityId, RawLock)>, Vec<(EntityId, RawLog)>, Vec<(EntityId, (Micros, Micros))>);

fn server_rows(raw: &mut Raw, resolver: &mut Resolver) -> ServerRows {
    let (locks, logs) = (std::mem::take(&mut raw.locks), std::mem::take(&mut raw.logs));
    let locks = locks.into_iter().map(|l| (resolver.server(&l.server, ""), l)).collect();
    let logs = logs.into_iter().map(|l| (resolver.server(&l.server, ""), l)).collect();
    let times = std::mem::take(&mut raw.log_times).into_iter();
    (locks, logs, times.map(|(_, server, times)| (resolver.server(&server, ""), times)).collect())
}

/// The earliest and latest time of samples, spans and sessions; `None` without any. Files without a
/// time of their own count only where no other has one.
fn extent(
    (metas, points): (&[SeriesMeta], &[Points]),
    spans: &Spans,
    sessions: &Sessions,
    undated: &BTreeSet<FileId>,
) -> Option<(Micros, Micros)> {
    let grown = |range: Option<(Micros, Micros)>, t: Micros| match range {
        Some((first, last)) => Some((first.min(t), last.max(t))),
        None => Some((t, t)),
    };
    let ends = |of_undated: bool| {
        let series = metas.iter().zip(points);
        let series = series.filter(move |(m, _)| undated.contains(&m.file) == of_undated);
        let samples = series.flat_map(|(_, p)| [p.first(), p.last()]).flatten().map(|p| p.0);
        let sessions = sessions.iter().map(|(_, s)| s);
        let sessions = sessions.filter(move |s| undated.contains(&s.file) == of_undated);
        samples.chain(sessions.map(|s| s.at))
    };
    let spans = spans.start.iter().chain(&spans.end).copied();
    ends(false).chain(spans).fold(None, grown).or_else(|| ends(true).fold(None, grown))
}

/// Edges that the user's topology names.
fn topology_edges(edges: Vec<crate::ingest::raw::RawEdge>, resolver: &mut Resolver) {
    for e in edges {
        let from = resolver.peer(&e.caller, identity::kind_by_name(&e.caller, EntityKind::Service));
        let to = resolver.peer(&e.callee, identity::kind_by_name(&e.callee, EntityKind::Service));
        let kind = match e.kind.as_str() {
            "messages" | "queue" | "async" => EdgeKind::Messages,
            "runs-on" => EdgeKind::RunsOn,
            "replica-of" => EdgeKind::ReplicaOf,
            _ => EdgeKind::Calls,
        };
        resolver.graph.connect(from, to, kind, EdgeSource::Topology);
    }
}

fn event_services(names: &str, resolver: &mut Resolver) -> Vec<EntityId> {
    let each = names.split(',').map(str::trim).filter(|n| !n.is_empty());
    let names: Vec<String> = each.map(str::to_owned).collect();
    let kind = |n: &str| identity::kind_by_name(n, EntityKind::Service);
    names.iter().map(|n| resolver.peer(n, kind(n))).collect()
}

/// Edges that metrics with a callee label prove.
fn label_edges(metas: &[SeriesMeta], resolver: &mut Resolver) {
    for meta in metas {
        if let Subject::Edge(from, to) = meta.subject {
            resolver.graph.connect(from, to, EdgeKind::Calls, EdgeSource::Labels);
        }
    }
}

/// Edges from applications to the database whose sessions they hold.
fn session_edges(sessions: &Sessions, resolver: &mut Resolver) {
    let mut seen: HashSet<(EntityId, &str, &str, &str)> = HashSet::new();
    let mut looked: PerShape<()> = PerShape::default();
    for (db, s) in sessions.iter().filter(|(_, s)| s.is_client()) {
        looked.of(s, || {
            if seen.insert((db, &s.application, &s.client_addr, &s.user))
                && let Some((service, _)) = service_of(&resolver.graph, s)
            {
                resolver.graph.connect(service, db, EdgeKind::Calls, EdgeSource::Sessions);
            }
        });
    }
}
