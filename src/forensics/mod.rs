//! What PostgreSQL sessions did, after the fact: who blocked whom and when, what sessions waited for,
//! who held them, what kept old rows alive, what to end first. In: telemetry, rollups and features.
//! Out: [`Forensics`], which reports render. Nothing is ranked here: that is the diagnosis' part.
//!
//! What an export does not show is said in [`Server::unknown`], never taken as absent.

mod blocking;
mod holders;
mod log;
mod mitigation;
mod pools;
mod statements;
mod unknown;
mod waits;
mod who;
mod workers;

pub use blocking::{Blocking, Circle, Node, RootRow, Tree};
pub use holders::{OpenRow, PreparedRow, RunningRow, XminRow};
pub use log::LogRow;
pub use mitigation::{Step, StepKind};
pub use pools::{ClientRow, PoolRow, Pools, States};
pub use statements::StatementRow;
pub use waits::WaitRow;
pub use who::Who;
pub use workers::{ConflictRow, WorkerRow};

use crate::diagnosis::{SCHEMA_VERSION, Span, Spark, Tool, at};
use crate::error::{Error, Result};
use crate::features::forest::{self, Edges, Snapshot};
use crate::features::session_frame::SessionFrame;
use crate::features::{Features, blocking as roots};
use crate::ingest::raw::{FileId, Session};
use crate::model::{EntityId, Gap, Micros, SECOND, Unit, Window};
use crate::rollup::Rollups;
use crate::telemetry::Telemetry;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Cells of a series over time: as many as a wide terminal shows.
const CELLS: usize = 120;

/// What the user wants to see.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The snapshot to show: the last one at or before this time. Otherwise the worst.
    pub at: Option<Micros>,
    /// Only sessions of this database (`datname`).
    pub database: Option<String>,
}

/// The whole answer of `rootline sessions`.
#[derive(Clone, Debug, Serialize)]
pub struct Forensics {
    pub schema_version: u32,
    pub tool: Tool,
    pub servers: Vec<Server>,
    pub gaps: Vec<Gap>,
}

/// One server with session snapshots.
#[derive(Clone, Debug, Serialize)]
pub struct Server {
    pub name: String,
    /// It replays or receives another server's log.
    pub standby: bool,
    pub snapshots: usize,
    pub rows: usize,
    pub recorded: Span,
    /// Median distance of snapshots, seconds; `None` with one.
    pub every_s: Option<f64>,
    /// Windows that "new" and "before" are about; `None` where nothing was disturbed.
    pub baseline: Option<Span>,
    pub incident: Option<Span>,
    /// The snapshot that is shown in full, and why this one.
    #[serde(serialize_with = "at")]
    pub shown_at: Micros,
    pub shown_why: &'static str,
    pub blocking: Blocking,
    pub waits: Vec<WaitRow>,
    pub pools: Pools,
    pub xmin: Vec<XminRow>,
    pub transactions: Vec<OpenRow>,
    pub running: Vec<RunningRow>,
    pub statements: Vec<StatementRow>,
    pub prepared: Vec<PreparedRow>,
    pub workers: Vec<WorkerRow>,
    pub conflicts: Vec<ConflictRow>,
    pub log: Vec<LogRow>,
    pub mitigation: Vec<Step>,
    /// What cannot be known from this export, and what would tell it.
    pub unknown: Vec<String>,
}

/// One server's snapshots in the order of time, and what all parts share.
struct View<'a> {
    telemetry: &'a Telemetry,
    rollups: &'a Rollups,
    features: &'a Features,
    database: EntityId,
    snapshots: Vec<Snapshot<'a>>,
    edges: Vec<Edges>,
    times: Vec<Micros>,
    frame: SessionFrame,
    /// Index of the snapshot that is shown.
    shown: usize,
    /// Some row is of a process that only a standby has.
    standby: bool,
}

/// Looks at every server with session snapshots.
///
/// # Errors
///
/// When there are no session snapshots, or none of the wanted database.
pub fn analyse(
    telemetry: &Telemetry,
    rollups: &Rollups,
    features: &Features,
    wanted: &Wanted,
) -> Result<Forensics> {
    let own = |s: &Session| match &wanted.database {
        // Processes of the server itself are of no database.
        Some(name) => s.database.is_empty() || s.database == *name,
        None => true,
    };
    if let Some(name) = &wanted.database {
        known_database(telemetry, name)?;
    }
    let all = Window { from: Micros::MIN, to: Micros::MAX };
    let mut by: BTreeMap<EntityId, Vec<Snapshot>> = BTreeMap::new();
    for mut snapshot in forest::snapshots(telemetry, all) {
        snapshot.rows.retain(|s| own(s));
        by.entry(snapshot.database).or_default().push(snapshot);
    }
    if by.is_empty() {
        return Err(Error::usage("", "no snapshots of pg_stat_activity were found")
            .hint("`rootline record --print-sql postgres` prints the query that takes them"));
    }
    let mut servers = Vec::new();
    for (database, snapshots) in by {
        let view = View::new(telemetry, (rollups, features), database, snapshots, wanted);
        servers.push(server(&view, wanted)?);
    }
    // Where most wait comes first.
    servers.sort_by_key(|s| std::cmp::Reverse(s.blocking.most_waiting));
    let tool = Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") };
    let files: BTreeSet<FileId> = telemetry.sessions.files().collect();
    let paths: BTreeSet<&str> = files
        .iter()
        .filter_map(|f| telemetry.files.get(*f as usize))
        .map(|f| f.path.as_str())
        .collect();
    let about_sessions = |g: &&Gap| g.file.as_deref().is_none_or(|f| paths.contains(f));
    let gaps = telemetry.gaps.iter().filter(about_sessions).cloned().collect();
    Ok(Forensics { schema_version: SCHEMA_VERSION, tool, servers, gaps })
}

fn known_database(telemetry: &Telemetry, name: &str) -> Result<()> {
    let names: BTreeSet<&str> = telemetry.sessions.iter().map(|(_, s)| &*s.database).collect();
    if names.contains(&name) {
        return Ok(());
    }
    let known: Vec<&str> = names.into_iter().filter(|n| !n.is_empty()).take(8).collect();
    Err(Error::usage("", format!("no session is connected to a database \"{name}\""))
        .hint(format!("databases here: {}", known.join(", "))))
}

impl<'a> View<'a> {
    fn new(
        telemetry: &'a Telemetry,
        (rollups, features): (&'a Rollups, &'a Features),
        database: EntityId,
        snapshots: Vec<Snapshot<'a>>,
        wanted: &Wanted,
    ) -> View<'a> {
        let times: Vec<Micros> = snapshots.iter().map(|s| s.at).collect();
        let (frame, edges) =
            rayon::join(|| SessionFrame::new(&snapshots), || Edges::of_all(&snapshots));
        let rows = || snapshots.iter().flat_map(|s| s.rows.iter().copied());
        let standby = rows().any(workers::only_on_standbys);
        let shown = match wanted.at {
            Some(at) => times.partition_point(|t| *t <= at).saturating_sub(1),
            None => worst(&snapshots, &edges),
        };
        View {
            telemetry,
            rollups,
            features,
            database,
            snapshots,
            edges,
            times,
            frame,
            shown,
            standby,
        }
    }

    /// The snapshot that is shown.
    fn now(&self) -> &Snapshot<'a> {
        &self.snapshots[self.shown]
    }

    fn span(&self) -> Span {
        let (from, to) = (self.times.first(), self.times.last());
        Span { from: from.copied().unwrap_or(0), to: to.copied().unwrap_or(0) }
    }

    /// All rows, snapshot by snapshot.
    fn rows(&self) -> impl Iterator<Item = &'a Session> + '_ {
        self.snapshots.iter().flat_map(|s| s.rows.iter().copied())
    }

    /// A value per snapshot, as the mean of equal cells of the whole time.
    fn spark(&self, values: &[f64], unit: Unit) -> Spark {
        let axis = self.span();
        let length = (axis.to - axis.from).max(1) as f64;
        let count = CELLS.min(values.len()).max(1);
        let mut sums = vec![(0.0, 0usize); count];
        for (t, value) in self.times.iter().zip(values) {
            let place = (*t - axis.from) as f64 / length * count as f64;
            let cell = &mut sums[(place as usize).min(count - 1)];
            *cell = (cell.0 + value, cell.1 + 1);
        }
        let mean = |(sum, n): &(f64, usize)| (*n > 0).then(|| sum / *n as f64);
        Spark { axis, cells: sums.iter().map(mean).collect(), unit, before: None, during: None }
    }
}

/// The snapshot with most waiting clients, of several the one with the longest wait; without any, the
/// one with most busy clients.
fn worst(snapshots: &[Snapshot], edges: &[Edges]) -> usize {
    let most = edges.iter().map(|e| e.blockers.len()).max().unwrap_or(0);
    let longest = |i: usize| {
        let behind = snapshots[i].rows.iter().filter(|s| edges[i].blockers.contains_key(&s.pid));
        behind.filter_map(|s| s.wait_start().or(s.query_start()).map(|t| s.at - t)).max()
    };
    let busy = |i: usize| snapshots[i].rows.iter().filter(|r| r.state == "active").count();
    let size = |i: usize| if most > 0 { (longest(i), 0) } else { (None, busy(i)) };
    let candidates = (0..snapshots.len()).filter(|i| edges[*i].blockers.len() == most);
    candidates.max_by_key(|i| (size(*i), std::cmp::Reverse(*i))).unwrap_or(0)
}

fn server(view: &View, wanted: &Wanted) -> Result<Server> {
    // What goes through all rows goes through them at the same time.
    let ((found, transactions), (unknown, workers)) = rayon::join(
        || {
            let found = || roots::blocking_of(view.telemetry, &view.snapshots, &view.edges);
            rayon::join(found, || holders::transactions(view))
        },
        || rayon::join(|| unknown::unknown(view), || workers::workers(view)),
    );
    let (prepared, (pools, statements)) = rayon::join(
        || holders::prepared(view, &found.roots),
        || (pools::pools(view), statements::statements(view)),
    );
    let windows = &view.features.windows;
    let span = |w: Window| Span { from: w.from, to: w.to };
    let of = |w: Window| windows.disturbed.then(|| span(w));
    let waiting = !view.edges[view.shown].blockers.is_empty();
    Ok(Server {
        name: view.telemetry.graph.entity(view.database).name.clone(),
        standby: view.standby,
        snapshots: view.snapshots.len(),
        rows: view.rows().count(),
        recorded: view.span(),
        every_s: every(&view.times),
        baseline: of(windows.baseline),
        incident: of(windows.incident),
        shown_at: view.now().at,
        shown_why: match (wanted.at, waiting) {
            (Some(_), _) => "as asked",
            (None, true) => "most sessions wait",
            (None, false) => "most sessions are busy; none waits for another",
        },
        blocking: blocking::blocking(view, &found.roots),
        waits: waits::waits(view)?,
        pools,
        xmin: holders::xmin(view),
        transactions,
        running: holders::running(view),
        statements,
        prepared,
        workers,
        conflicts: workers::conflicts(view),
        log: log::rows(view),
        mitigation: mitigation::steps(view, &found.roots),
        unknown,
    })
}

/// Median distance of snapshots in seconds.
fn every(times: &[Micros]) -> Option<f64> {
    let mut steps: Vec<Micros> = times.windows(2).map(|w| w[1] - w[0]).collect();
    steps.sort_unstable();
    steps.get(steps.len() / 2).map(|s| *s as f64 / SECOND as f64)
}

/// How long ago a time was, seconds; never negative.
fn ago(at: Micros, t: Option<Micros>) -> Option<f64> {
    t.map(|t| at.saturating_sub(t).max(0) as f64 / SECOND as f64)
}
