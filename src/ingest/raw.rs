//! What readers produce: series, spans, sessions, locks, events and companions, still with the
//! exporter's own names. Nothing here knows which format a value came from.

use crate::model::{EntityKind, Gap, GapKind, Micros, Window};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// Index of an input file in [`Raw::files`].
pub type FileId = u32;

/// An interned string; [`Symbols::EMPTY`] is the empty one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sym(pub u32);

/// Strings that repeat millions of times (service and operation names), stored once.
#[derive(Debug, Default)]
pub struct Symbols {
    index: HashMap<String, Sym>,
    names: Vec<String>,
}

impl Symbols {
    /// The symbol of the empty string.
    pub const EMPTY: Sym = Sym(0);

    /// Returns the symbol of `text`, adding it if it is new.
    pub fn intern(&mut self, text: &str) -> Sym {
        if self.names.is_empty() {
            self.names.push(String::new());
            self.index.insert(String::new(), Symbols::EMPTY);
        }
        if let Some(sym) = self.index.get(text) {
            return *sym;
        }
        let sym = Sym(self.names.len() as u32);
        self.names.push(text.to_owned());
        self.index.insert(text.to_owned(), sym);
        sym
    }

    /// The string of a symbol.
    pub fn text(&self, sym: Sym) -> &str {
        self.names.get(sym.0 as usize).map_or("", String::as_str)
    }

    /// The string with number `index`, if there is one.
    pub fn get(&self, index: usize) -> Option<String> {
        self.names.get(index).cloned()
    }
}

/// One file that was read, and how much of it.
#[derive(Clone, Debug, Serialize)]
pub struct InputFile {
    pub path: String,
    pub sha256: String,
    pub bytes: u64,
    /// Name of the reader in the READERS table, or `none`.
    pub reader: String,
    /// Samples, spans, session rows or events read.
    pub rows: u64,
    /// Rows left out, with the reasons in `gaps`.
    pub skipped: u64,
}

/// A measured series under its exporter's name.
#[derive(Clone, Debug, Default)]
pub struct RawSeries {
    pub file: FileId,
    pub name: String,
    /// PromQL (or the like) that made the series, if the export says.
    pub query: Option<String>,
    pub unit: Option<String>,
    pub statistic: Option<String>,
    pub labels: BTreeMap<String, String>,
    /// Sorted by time after [`Raw::finish`], with unique times.
    pub samples: Vec<(Micros, f64)>,
}

/// OpenTelemetry's span kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SpanKind {
    #[default]
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

/// One span; ids are binary, strings interned.
#[derive(Clone, Copy, Debug, Default)]
pub struct RawSpan {
    pub file: FileId,
    pub trace: u128,
    pub span: u64,
    /// 0 for a root.
    pub parent: u64,
    pub service: Sym,
    pub instance: Sym,
    pub version: Sym,
    pub host: Sym,
    pub operation: Sym,
    pub kind: SpanKind,
    pub start: Micros,
    pub end: Micros,
    pub error: bool,
    /// What kind of error, e.g. `503` or `PoolTimeout`.
    pub error_type: Sym,
    /// Who is called, by name or address, on client and producer spans.
    pub peer: Sym,
    /// `postgresql`, `redis`, … on database spans.
    pub db_system: Sym,
    /// Statement fingerprint on database spans.
    pub statement: Sym,
    pub messaging: bool,
}

/// One row of pg_stat_activity; `None` where the column is empty or missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawSession {
    pub file: FileId,
    pub line: u64,
    /// Database server as the file names it.
    pub server: String,
    /// Time of the snapshot; inferred if the file has no such column.
    pub at: Micros,
    /// Number of the snapshot within the file.
    pub snapshot: u32,
    pub pid: i64,
    pub leader_pid: Option<i64>,
    pub database: String,
    pub user: String,
    pub application: String,
    pub client_addr: String,
    pub backend_start: Option<Micros>,
    pub xact_start: Option<Micros>,
    pub query_start: Option<Micros>,
    pub state_change: Option<Micros>,
    pub wait_start: Option<Micros>,
    pub wait_event_type: String,
    pub wait_event: String,
    pub state: String,
    pub backend_type: String,
    /// Statement with literals and comments removed.
    pub query: String,
    /// Leading comment's tag, e.g. `metabase: weekly_price_position`.
    pub query_tag: String,
    /// Pids from pg_blocking_pids; `None` when the export has no such column.
    pub blocked_by: Option<Vec<i64>>,
}

/// One row of pg_locks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawLock {
    pub server: String,
    pub at: Option<Micros>,
    pub pid: i64,
    pub relation: String,
    pub mode: String,
    pub granted: bool,
}

/// A change or an alert.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RawEvent {
    pub at: Micros,
    /// `deploy`, `flag`, `config`, `commit`, `migration`, `restart`, `scale`, `alert`, `note`.
    pub kind: String,
    /// Comma-separated services; empty when the change is about none.
    pub service: String,
    pub target: String,
    pub title: String,
    pub version: String,
    pub file: FileId,
    pub line: u64,
}

/// One caller-callee pair from a topology file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RawEdge {
    pub caller: String,
    pub callee: String,
    pub kind: String,
}

/// `incident.toml`: what the user says about the incident.
#[derive(Clone, Debug, Default)]
pub struct IncidentFile {
    pub title: Option<String>,
    pub incident: Option<Window>,
    pub baseline: Option<Window>,
    pub symptom_entity: Option<String>,
    pub symptom_signal: Option<String>,
    pub zone: Option<String>,
}

/// One line of `mapping.toml`: a house name and what it means.
#[derive(Clone, Debug)]
pub struct MappingRow {
    pub metric: String,
    pub signal: String,
    pub unit: Option<String>,
    pub entity_label: Option<String>,
}

/// Everything that was read, before any name is understood.
#[derive(Debug, Default)]
pub struct Raw {
    pub files: Vec<InputFile>,
    pub symbols: Symbols,
    pub series: Vec<RawSeries>,
    pub spans: Vec<RawSpan>,
    pub sessions: Vec<RawSession>,
    pub locks: Vec<RawLock>,
    pub events: Vec<RawEvent>,
    pub edges: Vec<RawEdge>,
    pub aliases: BTreeMap<String, String>,
    pub kinds: BTreeMap<String, EntityKind>,
    pub incident: IncidentFile,
    pub mapping: Vec<MappingRow>,
    /// Queries by file path, from an export manifest.
    pub queries: BTreeMap<String, String>,
    pub gaps: Vec<Gap>,
}

impl Raw {
    /// Notes `count` rows left out of a file for one reason; the first line is kept.
    pub fn skip(&mut self, file: FileId, line: Option<u64>, why: impl Into<String>, count: u64) {
        let what = why.into();
        let Some(input) = self.files.get_mut(file as usize) else { return };
        input.skipped += count;
        let path = input.path.clone();
        let same = |g: &&mut Gap| {
            g.kind == GapKind::Skipped && g.file.as_ref() == Some(&path) && g.what == what
        };
        if let Some(gap) = self.gaps.iter_mut().find(same) {
            gap.count += count;
            return;
        }
        let gap = Gap { count, ..Gap::at(GapKind::Skipped, &path, line, what) };
        self.gaps.push(gap);
    }

    /// Notes a gap about a file that is not a count of rows.
    pub fn gap(&mut self, kind: GapKind, file: FileId, line: Option<u64>, what: impl Into<String>) {
        let path = self.files.get(file as usize).map(|f| f.path.clone()).unwrap_or_default();
        self.gaps.push(Gap::at(kind, &path, line, what));
    }

    /// Counts rows that were read from a file.
    pub fn rows(&mut self, file: FileId, rows: u64) {
        if let Some(input) = self.files.get_mut(file as usize) {
            input.rows += rows;
        }
    }

    /// Sorts samples, drops repeated times (a differing value is a gap) and orders events.
    pub fn finish(&mut self) {
        let mut clashes: Vec<(FileId, u64)> = Vec::new();
        for series in &mut self.series {
            series.samples.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
            let mut clash = 0;
            series.samples.dedup_by(|b, a| {
                let same = a.0 == b.0;
                clash += u64::from(same && a.1.to_bits() != b.1.to_bits());
                same
            });
            if clash > 0 {
                clashes.push((series.file, clash));
            }
        }
        for (file, count) in clashes {
            let why = "two different values at the same time in one series: the smaller is kept";
            self.skip(file, None, why, count);
        }
        self.events.sort();
        self.events.dedup();
        self.edges.sort();
        self.edges.dedup();
    }
}
