//! What can go wrong: one table. A fault changes a mechanism (a factor, a lock, a limit, a process)
//! and never a curve; what is seen follows from the simulation.

mod apply;
mod data;

use super::scenario::Fault;
use super::world::World;
use crate::error::{Error, Result};

/// What a fault befalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Service,
    /// `caller>callee`.
    Link,
    /// The traffic to `service/route`.
    Traffic,
    Database,
    Cache,
    Queue,
    /// The resolver or the registry; its name is of no account.
    System,
}

/// One row of [`FAULTS`].
#[derive(Clone, Copy)]
pub struct FaultRow {
    pub kind: &'static str,
    pub target: Target,
    /// What it does, with the unit of `size` and what `of` and `by` name.
    pub says: &'static str,
    /// Begins (`true`) or ends it.
    apply: fn(&mut World, u16, &Fault, bool),
}

const fn row(
    kind: &'static str,
    target: Target,
    says: &'static str,
    apply: fn(&mut World, u16, &Fault, bool),
) -> FaultRow {
    FaultRow { kind, target, says, apply }
}

/// Every fault.
pub const FAULTS: &[FaultRow] = &[
    row(
        "work-slower",
        Target::Service,
        "work takes `size` times as long; `of` a route or all",
        apply::work,
    ),
    row(
        "errors",
        Target::Service,
        "the share `size` of its requests fails with 500",
        apply::errors,
    ),
    row("hangs", Target::Service, "it takes connections and answers nothing", apply::hangs),
    row("refuses", Target::Service, "it refuses connections", apply::refuses),
    row("grants-less", Target::Service, "it answers 429 above `size` a second", apply::grants),
    row("keeps-memory", Target::Service, "each process keeps `size` MB a minute", apply::memory),
    row(
        "fills-heap",
        Target::Service,
        "each process keeps `size` MB more from then on",
        apply::fills_heap,
    ),
    row(
        "recycled-at",
        Target::Service,
        "a process is replaced at the share `size` of its limit",
        apply::recycle,
    ),
    row(
        "release-slower",
        Target::Service,
        "version `by`: work takes `size` times as long",
        apply::release_slower,
    ),
    row(
        "release-fails",
        Target::Service,
        "version `by`: the share `size` fails",
        apply::release_fails,
    ),
    row(
        "release-leaks",
        Target::Service,
        "version `by`: `size` MB are kept a request",
        apply::release_leaks,
    ),
    row(
        "release-keeps-connections",
        Target::Service,
        "version `by`: the share `size` of the connections is not given back",
        apply::release_keeps,
    ),
    row(
        "release-repeats",
        Target::Service,
        "version `by`: each statement of a read runs `size` times",
        apply::release_repeats,
    ),
    row(
        "release-scans",
        Target::Service,
        "version `by`: the share `size` of its reads runs statement `of`",
        apply::release_scans,
    ),
    row(
        "host-slower",
        Target::Service,
        "instance `of` (or all) gets 1/`size` of its processors",
        apply::host,
    ),
    row(
        "process-ends",
        Target::Service,
        "instance `of` ends and is started again",
        apply::process_ends,
    ),
    row(
        "probe-hangs",
        Target::Service,
        "the probe of instance `of` is not answered",
        apply::probe_hangs,
    ),
    row("link-slower", Target::Link, "`size` milliseconds more", apply::link_slower),
    row("link-loses", Target::Link, "the share `size` of the segments is lost", apply::link_loses),
    row("handshake-fails", Target::Service, "every handshake with it fails", apply::handshake),
    row("pool-resized", Target::Service, "its pools hold `size` connections", apply::pool),
    row("scaled-to", Target::Service, "`size` instances are left", apply::scaled),
    row(
        "starts-fail",
        Target::Service,
        "a process that starts does not become ready",
        apply::starts_fail,
    ),
    row("export-stops", Target::Service, "its metrics are no longer scraped", apply::export_stops),
    row("more-users", Target::Traffic, "`size` times the rate", apply::users),
    row("asks-for-one-key", Target::Traffic, "the share `size` asks for key `of`", apply::one_key),
    row("flushed", Target::Cache, "every key is removed, once", apply::flushed),
    row("cache-down", Target::Cache, "it answers nothing", apply::cache_down),
    row("removals-lost", Target::Cache, "removed keys stay", apply::removals_lost),
    row(
        "report-runs",
        Target::Database,
        "`by` runs a query that reads relation `of` and keeps `size` processors busy",
        apply::report,
    ),
    row(
        "sits-in-transaction",
        Target::Database,
        "`by` has locked the first `size` rows of relation `of` and does nothing",
        apply::sits,
    ),
    row(
        "writes-long",
        Target::Database,
        "`by` updates the first `size` rows of relation `of` in one statement",
        apply::writes,
    ),
    row(
        "schema-changes",
        Target::Database,
        "`by` wants relation `of` for itself, briefly; standbys replay it",
        apply::schema,
    ),
    row(
        "replays-schema-change",
        Target::Database,
        "a standby replays a change of relation `of`, which takes it for itself",
        apply::replay,
    ),
    row("plan-changes", Target::Database, "statement `of` takes `size` times as long", apply::plan),
    row(
        "disk-slower",
        Target::Database,
        "every statement takes `size` times as long, reading",
        apply::disk,
    ),
    row(
        "database-down",
        Target::Database,
        "it takes no connections, sessions end",
        apply::database_down,
    ),
    row(
        "fails-over",
        Target::Database,
        "it goes away; when the fault ends a standby is the primary",
        apply::fails_over,
    ),
    row(
        "keeps-connections",
        Target::Service,
        "the share `size` of its connections is not given back",
        apply::keeps,
    ),
    row(
        "login-refused",
        Target::Database,
        "no new session is let in; all were ended once",
        apply::login,
    ),
    row(
        "pooler-resized",
        Target::Database,
        "its pooler keeps `size` connections to it",
        data::pooler,
    ),
    row(
        "locks-many",
        Target::Database,
        "each statement keeps the shared lock table for `size` milliseconds",
        data::lock_table,
    ),
    row(
        "locks-in-other-order",
        Target::Service,
        "the share `size` of its transactions runs from the last statement to the first",
        data::other_order,
    ),
    row("clock-jumps", Target::Service, "its clocks are `size` seconds ahead", data::clock),
    row(
        "takes-over",
        Target::Database,
        "a standby leads as well, for every other instance; both take writes",
        data::takes_over,
    ),
    row("pipeline-stops", Target::Service, "the job that writes its features", data::pipeline),
    row("fills-volume", Target::Database, "something else writes `size` MB a second", data::volume),
    row("poisoned", Target::Queue, "the message of key `of` cannot be worked on", apply::poisoned),
    row("names-slow", Target::System, "lookups take `size` times as long", apply::names_slow),
    row("names-unreachable", Target::System, "lookups are not answered", apply::names_down),
    row(
        "registry-unreachable",
        Target::System,
        "a process that starts learns no endpoint",
        apply::registry,
    ),
];

/// Begins or ends a fault of the world.
pub fn happen(world: &mut World, at: usize, begins: bool) {
    let Some(fault) = world.faults.get(at).cloned() else { return };
    let found = FAULTS.iter().find(|r| r.kind == fault.kind);
    if let Some(row) = found
        && let Some(target) = target(world, row.target, &fault.on)
    {
        (row.apply)(world, target, &fault, begins);
    }
}

/// Checks that every fault is known and its target there.
///
/// # Errors
///
/// When a kind or a target is none.
pub fn check(world: &World) -> Result<()> {
    for fault in &world.faults {
        let Some(row) = FAULTS.iter().find(|r| r.kind == fault.kind) else {
            let all = FAULTS.iter().map(|r| r.kind).collect::<Vec<_>>().join(", ");
            let place = format!("\"{}\"", fault.kind);
            return Err(Error::usage(place, "no such fault").hint(format!("faults: {all}")));
        };
        if target(world, row.target, &fault.on).is_none() {
            let what = format!("{} has no target \"{}\"", fault.kind, fault.on);
            return Err(Error::usage("fault", what).hint(row.says));
        }
    }
    Ok(())
}

fn target(world: &World, kind: Target, name: &str) -> Option<u16> {
    let service = |name: &str| world.services.iter().position(|s| s.name == name);
    let at = match kind {
        Target::Service => service(name),
        Target::Link => {
            let (from, to) = name.split_once('>')?;
            let (from, to) = (service(from)? as u16, service(to)? as u16);
            world.edges.iter().position(|e| e.from == from && e.to == to)
        }
        Target::Traffic => {
            let (to, route) = name.split_once('/')?;
            let to = service(to)? as u16;
            let program = |at: usize| &world.programs[usize::from(world.edges[at].program)];
            let calls = |at: usize| world.edges[at].to == to && program(at).name == route;
            let from = |at: usize, s: &super::world::Source| world.edges[at].from == s.service;
            world
                .sources
                .iter()
                .position(|s| (0..world.edges.len()).any(|e| from(e, s) && calls(e)))
        }
        Target::Database => world.databases.iter().position(|d| d.name == name),
        Target::Cache => world.caches.iter().position(|c| c.name == name),
        Target::Queue => world.queues.iter().position(|q| q.name == name),
        Target::System => Some(0),
    };
    at.map(|at| at as u16)
}
