//! What pages draw besides the sparklines: a chart per piece of evidence, the dependency graph, and
//! the sessions of each server. Computed with the diagnosis; not part of its JSON, to keep that small.

use super::{EntityRef, Role, Span, TriageNotes};
use crate::model::{Micros, Unit};
use std::collections::BTreeMap;

/// Everything that only pages and interactive views draw.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    /// The stretch of time that every chart is drawn on.
    pub axis: Option<Span>,
    pub charts: Vec<Chart>,
    /// Index in `charts` by id of the evidence; evidence without a series has none.
    pub by_evidence: BTreeMap<String, usize>,
    pub graph: GraphView,
    /// Servers with session snapshots, by name.
    pub sessions: Vec<SessionsView>,
    /// What a person decided in `triage`, and the file that says so.
    pub decided: Option<(String, TriageNotes)>,
}

impl Pages {
    /// The chart of a piece of evidence, if it was read off a series.
    pub fn chart(&self, evidence: &str) -> Option<&Chart> {
        self.charts.get(*self.by_evidence.get(evidence)?)
    }
}

/// A series as a chart draws it.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// Subject and signal.
    pub title: String,
    pub unit: Unit,
    /// Runs of points without a gap, in order of time; a few hundred points in all at most.
    pub runs: Vec<Vec<ChartPoint>>,
    /// Usual range: 5th to 95th percentile of the baseline.
    pub band: Option<(f64, f64)>,
    /// Capacity, where it is known or was inferred from repeated maxima.
    pub limit: Option<f64>,
    /// Median in the baseline and in the incident.
    pub before: Option<f64>,
    pub during: Option<f64>,
    /// Gaps inside the axis, as stretches of time.
    pub gaps: Vec<Span>,
}

/// One drawn point: the mean of what it stands for, and its extremes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChartPoint {
    pub at: Micros,
    pub mean: f64,
    pub low: f64,
    pub high: f64,
}

/// The dependency graph around the answer.
#[derive(Clone, Debug, Default)]
pub struct GraphView {
    /// Those of the answer first, then by name.
    pub nodes: Vec<NodeView>,
    pub edges: Vec<EdgeView>,
    /// Entities that are not drawn because there are too many.
    pub left_out: usize,
}

/// An entity of the graph.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeView {
    pub entity: EntityRef,
    /// Its part in the chain of the first hypothesis, or that of its best hypothesis.
    pub role: Option<Role>,
    /// In the chain of the first hypothesis.
    pub in_chain: bool,
    /// Its best hypothesis.
    pub hypothesis: Option<String>,
    pub onset: Option<Micros>,
    pub traffic: Levels,
    pub errors: Levels,
    pub latency: Levels,
}

/// Median before and during the incident; `None` where nothing was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Levels {
    pub before: Option<f64>,
    pub during: Option<f64>,
}

impl Levels {
    /// Says whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.before.is_none() && self.during.is_none()
    }
}

/// Who depends on whom.
#[derive(Clone, Debug, PartialEq)]
pub struct EdgeView {
    /// Indices of nodes.
    pub from: usize,
    pub to: usize,
    /// `calls`, `messages`, `runs on`, `replica of`.
    pub kind: &'static str,
    /// Per second, share, seconds.
    pub traffic: Levels,
    pub errors: Levels,
    pub latency: Levels,
}

/// The sessions of one server over time, and who blocked whom when it was worst.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionsView {
    pub server: EntityRef,
    /// Begin of each column, and what the columns cover.
    pub columns: Vec<Micros>,
    /// Most first.
    pub waits: Vec<WaitRow>,
    /// The blocking forest of the snapshot with most waiters, roots before what waits for them.
    pub forest: Vec<TreeLine>,
    pub forest_at: Option<Micros>,
}

/// Sessions with one wait event: the most at once in each column, `None` without a snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct WaitRow {
    pub event: String,
    pub cells: Vec<Option<usize>>,
}

/// One session of a blocking forest.
#[derive(Clone, Debug, PartialEq)]
pub struct TreeLine {
    /// 0 for a root.
    pub depth: usize,
    pub pid: i64,
    pub said: String,
    /// The edge above it was concluded, not read.
    pub inferred: bool,
    /// Where the row stands.
    pub file: String,
    pub line: Option<u64>,
}
