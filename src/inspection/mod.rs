//! What a folder holds, as one serde type with a schema version: per file what it was taken for and
//! what it gives, and which signatures can run on all of it. In: everything that was read.
//! Out: [`Inspection`], which reports render. Nothing is ranked and no verdict is given.
//!
//! In JSON, times are RFC 3339 in UTC and durations seconds. The shape is stable: fields may be
//! added, and [`SCHEMA_VERSION`] is raised when one changes its meaning.

mod tally;
mod write;

pub use tally::Tally;
pub use write::inspection;

use crate::diagnosis::{CatalogRef, EntityRef, Skipped, Span, Tool, WindowReport};
use crate::model::Gap;
use serde::Serialize;

/// Raised when a field changes its meaning; fields may be added without.
pub const SCHEMA_VERSION: u32 = 1;

/// Everything `inspect` says about a folder.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    pub schema_version: u32,
    pub tool: Tool,
    pub catalog: CatalogRef,
    /// False when not one file was recognised: nothing can be diagnosed.
    pub usable: bool,
    /// In the order of their paths.
    pub files: Vec<FileReport>,
    pub totals: Totals,
    /// First and last time in the folder; `null` where nothing has a time.
    pub recorded: Option<Span>,
    /// What would be compared with what; `null` where nothing was measured.
    pub window: Option<WindowReport>,
    pub signatures: Signatures,
    /// Gaps that are about no single file: names without a meaning, inputs that nobody gave.
    pub gaps: Vec<Gap>,
}

/// Sums over all files.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Totals {
    pub files: usize,
    pub not_recognised: usize,
    pub rows: u64,
    pub skipped: u64,
    pub series: u64,
    pub spans: u64,
    pub sessions: u64,
    pub events: u64,
    /// Entities and edges of the dependency graph.
    pub entities: usize,
    pub edges: usize,
}

/// One file: what it was taken for and why, and what is in it.
#[derive(Clone, Debug, Serialize)]
pub struct FileReport {
    /// Path inside the folder.
    pub path: String,
    pub sha256: String,
    pub bytes: u64,
    /// Name of its reader, several with ` + ` between; `null` where it was not recognised.
    pub reader: Option<String>,
    /// The format in words.
    pub what: String,
    /// What decided: keys, columns, first bytes or name.
    pub why: String,
    pub rows: u64,
    /// Rows left out, with the reasons in `gaps`.
    pub skipped: u64,
    pub series: u64,
    pub spans: u64,
    pub sessions: u64,
    pub events: u64,
    /// First and last time in the file.
    pub recorded: Option<Span>,
    /// Usual distance of the points of its series, or of its snapshots, seconds.
    pub step_s: Option<f64>,
    /// Windows of the rates in its queries, seconds, rising.
    pub rate_windows_s: Vec<f64>,
    /// What its series, spans or sessions measure; the most frequent first.
    pub signals: Vec<SignalCount>,
    /// What its series, spans, sessions and events are about.
    pub entities: Vec<EntityRef>,
    /// What is in it and nothing is made of, e.g. fields that have no metric's name.
    pub unused: Vec<Unused>,
    /// What was lost or is doubtful, with line numbers where they are known.
    pub gaps: Vec<Gap>,
}

/// Values of a file of which nothing is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unused {
    /// What they are, in the plural.
    pub what: String,
    /// How many values.
    pub count: u64,
    /// Their different names, sorted.
    pub names: Vec<String>,
}

/// How sure the meaning of a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// An alias or mapping.toml knows the name.
    Known,
    /// The words of the name decided.
    Guessed,
    /// Nothing is known but that it is a number.
    Unknown,
}

/// A canonical signal that a file carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignalCount {
    pub signal: String,
    pub certainty: Certainty,
    /// Series that carry it; of spans and sessions those that are made from them.
    pub series: u64,
    /// The exporter's names for it, sorted; none for spans and sessions.
    pub names: Vec<String>,
}

/// Which signatures have their input.
#[derive(Clone, Debug, Serialize)]
pub struct Signatures {
    /// Ids of those that can run, sorted.
    pub can_run: Vec<String>,
    /// Those that cannot, and what each misses.
    pub cannot_run: Vec<Skipped>,
}
