//! The one model everything after ingest works on. Nothing here knows a file format.
//!
//! What grows with the data is held in two Polars frames with fixed columns ([`Telemetry::samples`]
//! and [`Telemetry::spans`]); what stays small (series, sessions, locks, events) in plain rows.

use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::ingest::raw::{FileId, IncidentFile, InputFile, RawEvent, RawLock, RawSession};
use crate::model::{EntityId, Gap, Micros, Subject};
use crate::signals::{Part, SignalId, SignalTable, Stat};
use polars::prelude::*;

/// Columns of the samples frame: `series` u32 (index into [`Telemetry::series`]), `t` i64
/// (microseconds, UTC), `v` f64 (base unit). Sorted by series, then time.
pub const SAMPLES: [&str; 3] = ["series", "t", "v"];

/// Columns of the spans frame. Entities and symbols are u32, [`NONE`] where there is none.
///
/// `trace` u64, `span` u64, `parent` u64 (0 for a root), `service` u32, `instance` u32, `version`
/// u32, `op` u32 (symbol), `kind` u32 (0 internal, 1 server, 2 client, 3 producer, 4 consumer),
/// `start` i64, `end` i64, `error` bool, `peer` u32 (entity called), `etype` u32 (symbol).
pub const SPANS: [&str; 13] = [
    "trace", "span", "parent", "service", "instance", "version", "op", "kind", "start", "end",
    "error", "peer", "etype",
];

/// Marks a missing entity in a frame.
pub const NONE: u32 = u32::MAX;

/// Whether a status label marks the series as failures or successes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    #[default]
    All,
    Good,
    Failed,
}

/// What one series measures.
#[derive(Clone, Debug)]
pub struct SeriesMeta {
    pub file: FileId,
    /// Exporter's name with its labels, as a person would look it up.
    pub shown: String,
    pub signal: SignalId,
    pub part: Part,
    pub stat: Stat,
    pub guessed: bool,
    pub subject: Subject,
    /// Instance that measured, when the subject is its service.
    pub instance: Option<EntityId>,
    /// Partition or shard the values are about.
    pub member: Option<EntityId>,
    pub class: Class,
    /// Value of the label that splits the signal by state.
    pub state: String,
    /// Container and pod, and the name of a container without a pod.
    pub container: Option<String>,
    pub pod: Option<String>,
    pub container_alone: bool,
    /// Version that a label names.
    pub version: Option<String>,
    /// Further labels that tell series of one subject apart (pool, route, operation).
    pub dims: String,
    /// Upper bound of a histogram bucket, in the base unit.
    pub le: f64,
    /// Length of the rate window of the query, seconds; 0 for raw samples.
    pub window_s: f64,
    /// The values are already a rate or a ratio although the name is a counter's.
    pub derived: bool,
    /// A house name without an alias, kept for did-you-mean.
    pub raw_name: String,
}

/// Everything known about an incident, with names understood.
pub struct Telemetry {
    pub files: Vec<InputFile>,
    pub series: Vec<SeriesMeta>,
    pub samples: DataFrame,
    pub spans: DataFrame,
    /// The first file that gave spans.
    pub trace_file: Option<FileId>,
    /// Texts of the symbols in the spans frame.
    pub symbols: Vec<String>,
    /// Database server of each session, by index of [`Telemetry::sessions`].
    pub sessions: Vec<(EntityId, RawSession)>,
    pub locks: Vec<(EntityId, RawLock)>,
    pub events: Vec<(Vec<EntityId>, RawEvent)>,
    pub incident: IncidentFile,
    pub graph: Graph,
    pub signals: SignalTable,
    pub gaps: Vec<Gap>,
}

/// Turns a Polars error, which would be a defect of ours, into an error that names the step.
pub fn frame_error(step: &str) -> impl Fn(PolarsError) -> Error + '_ {
    move |e| Error::runtime("", format!("{step}: {e}"))
}

impl Telemetry {
    /// Builds the samples frame from per-series points; `points[i]` belongs to series `i`.
    pub fn samples_frame(points: &[Vec<(Micros, f64)>]) -> Result<DataFrame> {
        let rows: usize = points.iter().map(Vec::len).sum();
        let mut series = Vec::with_capacity(rows);
        let mut t = Vec::with_capacity(rows);
        let mut v = Vec::with_capacity(rows);
        for (i, points) in points.iter().enumerate() {
            series.extend(std::iter::repeat_n(i as u32, points.len()));
            t.extend(points.iter().map(|p| p.0));
            v.extend(points.iter().map(|p| p.1));
        }
        df!("series" => series, "t" => t, "v" => v).map_err(frame_error("samples"))
    }

    /// The points of every series, in order of series id.
    pub fn points(&self) -> Result<Vec<Vec<(Micros, f64)>>> {
        let frame = &self.samples;
        let fail = frame_error("samples");
        let series = frame.column("series").and_then(|c| c.u32().cloned()).map_err(&fail)?;
        let t = frame.column("t").and_then(|c| c.i64().cloned()).map_err(&fail)?;
        let v = frame.column("v").and_then(|c| c.f64().cloned()).map_err(&fail)?;
        let mut points = vec![Vec::new(); self.series.len()];
        let rows = series.into_no_null_iter().zip(t.into_no_null_iter()).zip(v.into_no_null_iter());
        for ((s, t), v) in rows {
            points[s as usize].push((t, v));
        }
        Ok(points)
    }

    /// The earliest and latest time of samples, spans and sessions; `None` without any.
    pub fn extent(&self) -> Result<Option<(Micros, Micros)>> {
        let mut bounds: Vec<Micros> = Vec::new();
        let fail = frame_error("extent");
        for (frame, column) in [(&self.samples, "t"), (&self.spans, "start"), (&self.spans, "end")]
        {
            let column = frame.column(column).and_then(|c| c.i64().cloned()).map_err(&fail)?;
            bounds.extend(column.min());
            bounds.extend(column.max());
        }
        bounds.extend(self.sessions.iter().map(|(_, s)| s.at));
        Ok(bounds.iter().min().copied().zip(bounds.iter().max().copied()))
    }
}
