//! The one model everything after ingest works on. Nothing here knows a file format.
//!
//! What grows with the data is held in two Polars frames with fixed columns ([`Telemetry::samples`]
//! and [`Telemetry::spans`]); what stays small (series, sessions, locks, events) in plain rows.

use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::ingest::raw::{
    FileId, FileTimes, IncidentFile, InputFile, RawEvent, RawLock, RawSession,
};
use crate::ingest::site::Site;
use crate::model::{EntityId, Gap, Micros, Subject};
use crate::signals::{Part, SignalId, SignalTable, Stat};
use polars::prelude::*;

/// Columns of the samples frame: `series` u32 (index into [`Telemetry::series`]), `t` i64
/// (microseconds, UTC), `v` f64 (base unit). Sorted by series, then time.
pub const SAMPLES: [&str; 3] = ["series", "t", "v"];

/// Columns of the spans frame. Rows, entities and symbols are u32, [`NONE`] where there is none.
///
/// `parent` u32 (row of the parent span), `service` u32, `instance` u32, `version` u32, `op` u32
/// (symbol), `kind` u32 (0 internal, 1 server, 2 client, 3 producer, 4 consumer), `start` i64,
/// `end` i64, `error` bool, `peer` u32 (entity called), `etype` u32 (symbol).
pub const SPANS: [&str; 11] = [
    "parent", "service", "instance", "version", "op", "kind", "start", "end", "error", "peer",
    "etype",
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
    /// When and how often each file was recorded, by file.
    pub times: Vec<FileTimes>,
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
    /// What the site says about the catalogue.
    pub site: Site,
    pub graph: Graph,
    pub signals: SignalTable,
    pub gaps: Vec<Gap>,
}

/// The samples frame, cut into series.
pub struct SamplesBySeries<'a> {
    /// Row behind the last one of each series.
    ends: Vec<usize>,
    t: &'a [i64],
    v: &'a [f64],
}

impl SamplesBySeries<'_> {
    /// The points of every series, in order of series id.
    pub fn all(&self) -> impl Iterator<Item = Vec<(Micros, f64)>> {
        (0..self.ends.len()).map(|series| self.of(series))
    }

    /// The points of one series, sorted by time; empty for a series that does not exist.
    pub fn of(&self, series: usize) -> Vec<(Micros, f64)> {
        let to = self.ends.get(series).copied().unwrap_or(0);
        let from = series.checked_sub(1).map_or(0, |before| self.ends[before]).min(to);
        self.t[from..to].iter().copied().zip(self.v[from..to].iter().copied()).collect()
    }

    /// The time of a series' first point.
    pub fn first(&self, series: usize) -> Option<Micros> {
        let from =
            series.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.t.get(from).copied().filter(|_| self.ends.get(series).is_some_and(|to| *to > from))
    }
}

/// Turns a Polars error, which would be a defect of ours, into an error that names the step.
pub fn frame_error(step: &str) -> impl Fn(PolarsError) -> Error + '_ {
    move |e| Error::runtime("", format!("{step}: {e}"))
}

impl Telemetry {
    /// Builds the samples frame from per-series points; `points[i]` belongs to series `i` and is
    /// given back as soon as it is copied.
    pub fn samples_frame(points: Vec<Vec<(Micros, f64)>>) -> Result<DataFrame> {
        let rows: usize = points.iter().map(Vec::len).sum();
        let mut series = Vec::with_capacity(rows);
        let mut t = Vec::with_capacity(rows);
        let mut v = Vec::with_capacity(rows);
        for (i, points) in points.into_iter().enumerate() {
            series.extend(std::iter::repeat_n(i as u32, points.len()));
            t.extend(points.iter().map(|p| p.0));
            v.extend(points.iter().map(|p| p.1));
        }
        df!("series" => series, "t" => t, "v" => v).map_err(frame_error("samples"))
    }

    /// The samples, by series.
    pub fn points(&self) -> Result<SamplesBySeries<'_>> {
        let fail = frame_error("samples");
        let frame = &self.samples;
        let column = |name: &str| frame.column(name).map_err(&fail);
        let series = column("series")?.u32().and_then(|c| c.cont_slice()).map_err(&fail)?;
        let t = column("t")?.i64().and_then(|c| c.cont_slice()).map_err(&fail)?;
        let v = column("v")?.f64().and_then(|c| c.cont_slice()).map_err(&fail)?;
        let mut ends = Vec::with_capacity(self.series.len());
        let mut end = 0;
        for id in 0..self.series.len() as u32 {
            end += series[end..].partition_point(|s| *s <= id);
            ends.push(end);
        }
        Ok(SamplesBySeries { ends, t, v })
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
