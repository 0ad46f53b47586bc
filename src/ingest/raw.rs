//! What readers produce: series, spans, sessions, locks, events and companions, still with the
//! exporter's own names. Nothing here knows which format a value came from.

pub use super::raw_logs::{LogKind, RawLog};
pub use super::raw_sessions::{
    PerShape, RawSession, Session, SessionShape, Shapes, Starts, reshape,
};
pub use super::raw_spans::{Alike, RawSpans};
pub use super::steps::{FileTimes, ZoneSource};
use crate::model::{EntityKind, Gap, GapKind, Micros, Window};
use crate::points::Points;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasher;

/// Index of an input file in [`Raw::files`].
pub type FileId = u32;

/// An interned string; [`Symbols::EMPTY`] is the empty one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sym(pub u32);

/// Strings that repeat millions of times (service and operation names), stored once.
#[derive(Debug, Default)]
pub struct Symbols {
    /// Numbers of `names`, found by the hash of the name.
    index: hashbrown::HashTable<Sym>,
    hasher: hashbrown::DefaultHashBuilder,
    names: Vec<String>,
    /// Symbols of normalised statements by the statement as it was written.
    statements: HashMap<String, Sym>,
}

/// Statements that are remembered as written; more are normalised again each time.
const STATEMENTS: usize = 4096;

impl Symbols {
    /// The symbol of the empty string.
    pub const EMPTY: Sym = Sym(0);

    /// Returns the symbol of `text`, adding it if it is new.
    pub fn intern(&mut self, text: &str) -> Sym {
        if text.is_empty() {
            if self.names.is_empty() {
                self.names.push(String::new());
            }
            return Symbols::EMPTY;
        }
        let hash = self.hasher.hash_one(text);
        let (names, hasher) = (&mut self.names, &self.hasher);
        if let Some(sym) = self.index.find(hash, |s| names[s.0 as usize] == text) {
            return *sym;
        }
        if names.is_empty() {
            names.push(String::new());
        }
        let sym = Sym(names.len() as u32);
        names.push(text.to_owned());
        self.index.insert_unique(hash, sym, |s| hasher.hash_one(names[s.0 as usize].as_str()));
        sym
    }

    /// Returns the symbol of what `normalize` makes of a statement, which it does once.
    pub fn statement(&mut self, written: &str, normalize: impl FnOnce(&str) -> String) -> Sym {
        if let Some(sym) = self.statements.get(written) {
            return *sym;
        }
        let sym = self.intern(&normalize(written));
        if self.statements.len() < STATEMENTS {
            self.statements.insert(written.to_owned(), sym);
        }
        sym
    }

    /// The string of a symbol.
    pub fn text(&self, sym: Sym) -> &str {
        self.names.get(sym.0 as usize).map_or("", String::as_str)
    }

    /// Lets `change` change each string; symbols keep their numbers.
    pub fn each(&mut self, mut change: impl FnMut(&mut String)) {
        self.names.iter_mut().skip(1).for_each(&mut change);
        self.index.clear();
        self.statements.clear();
        let (names, hasher) = (&self.names, &self.hasher);
        for (i, name) in names.iter().enumerate().skip(1) {
            let hash = |s: &Sym| hasher.hash_one(names[s.0 as usize].as_str());
            let sym = Sym(i as u32);
            // Two that have become alike keep their numbers; the first is found.
            if self.index.find(hash(&sym), |s| names[s.0 as usize] == *name).is_none() {
                self.index.insert_unique(hash(&sym), sym, hash);
            }
        }
    }

    /// Says whether some string is such.
    pub fn any(&self, is: impl Fn(&str) -> bool) -> bool {
        self.names.iter().any(|name| is(name))
    }

    /// The string with number `index`, if there is one.
    pub fn get(&self, index: usize) -> Option<String> {
        self.names.get(index).cloned()
    }
}

/// One file that was read, and how much of it.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct InputFile {
    pub path: String,
    pub sha256: String,
    pub bytes: u64,
    /// Name of the reader in the READERS table, or `none`.
    pub reader: String,
    /// What decided: keys, columns, first bytes or name; empty where no reader accepted it.
    pub why: String,
    /// Samples, spans, session rows or events read.
    pub rows: u64,
    /// Rows left out, with the reasons in `gaps`.
    pub skipped: u64,
    /// Its series were counted from spans: what they say is said by traces.
    pub of_spans: bool,
}

impl InputFile {
    /// A file of which nothing but the path is known yet.
    pub fn named(path: &str) -> Self {
        InputFile {
            path: path.to_owned(),
            sha256: String::new(),
            bytes: 0,
            reader: "none".to_owned(),
            why: String::new(),
            rows: 0,
            skipped: 0,
            of_spans: false,
        }
    }
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
    pub samples: Points,
}

/// OpenTelemetry's span kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpanKind {
    #[default]
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

impl SpanKind {
    /// The kind's word in tables.
    pub fn word(self) -> &'static str {
        match self {
            SpanKind::Internal => "internal",
            SpanKind::Server => "server",
            SpanKind::Client => "client",
            SpanKind::Producer => "producer",
            SpanKind::Consumer => "consumer",
        }
    }
}

/// One span; ids are binary, strings interned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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
    /// Hash of the path or cache key that the span is about; 0 for none.
    pub key: u32,
}

/// One row of pg_locks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawLock {
    pub file: FileId,
    pub server: String,
    pub at: Option<Micros>,
    pub pid: i64,
    pub relation: String,
    pub mode: String,
    pub granted: bool,
    /// Pids that hold, or waited earlier for, a lock on the same thing in a conflicting mode.
    pub blocked_by: Vec<i64>,
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
    pub spans: RawSpans,
    pub sessions: Vec<Session>,
    pub locks: Vec<RawLock>,
    pub logs: Vec<RawLog>,
    /// Files of server logs: their servers, first and last times.
    pub log_times: Vec<(FileId, String, (Micros, Micros))>,
    pub events: Vec<RawEvent>,
    pub edges: Vec<RawEdge>,
    pub aliases: BTreeMap<String, String>,
    pub kinds: BTreeMap<String, EntityKind>,
    pub incident: IncidentFile,
    pub mapping: Vec<MappingRow>,
    /// What params.toml and suppress.toml say about the catalogue.
    pub site: super::site::Site,
    /// Queries by file path, from an export manifest.
    pub queries: BTreeMap<String, String>,
    pub gaps: Vec<Gap>,
    /// Results of CloudWatch that wait for the queries of their folder; empty after `finish`.
    pub(super) cloudwatch: super::aws::CloudWatch,
    /// When each file was recorded; empty until all are read.
    pub times: Vec<FileTimes>,
    /// What readers knew and made nothing of.
    pub passed: super::passed::Passed,
    /// Files with times whose zone was assumed.
    pub(super) zone_assumed: BTreeSet<FileId>,
    /// Files without a time of their own, which stand at that of their modification: a copy of the
    /// file moves it, so it says nothing about when the recording began or ended.
    pub undated: BTreeSet<FileId>,
    /// Place in `gaps` of what was skipped, by file and reason.
    pub(super) skipped: HashMap<(FileId, String), usize>,
}

impl Raw {
    /// Notes `count` rows left out of a file for one reason; the first line is kept.
    pub fn skip(&mut self, file: FileId, line: Option<u64>, why: impl Into<String>, count: u64) {
        let what = why.into();
        self.skip_like(file, &what, count, || (line, what.clone()));
    }

    /// Notes `count` rows left out of a file for one `reason` whose text has an example in it.
    ///
    /// `first` gives the line and the text; it is asked once per file and reason.
    pub fn skip_like(
        &mut self,
        file: FileId,
        reason: &str,
        count: u64,
        first: impl FnOnce() -> (Option<u64>, String),
    ) {
        let Some(input) = self.files.get_mut(file as usize) else { return };
        input.skipped += count;
        let key = (file, reason.to_owned());
        if let Some(gap) = self.skipped.get(&key).and_then(|at| self.gaps.get_mut(*at)) {
            gap.count += count;
            return;
        }
        let (line, what) = first();
        self.skipped.insert(key, self.gaps.len());
        self.gaps.push(Gap { count, ..Gap::at(GapKind::Skipped, &input.path, line, what) });
    }

    /// Notes a gap about a file that is not a count of rows.
    pub fn gap(&mut self, kind: GapKind, file: FileId, line: Option<u64>, what: impl Into<String>) {
        let path = self.files.get(file as usize).map(|f| f.path.clone()).unwrap_or_default();
        self.gaps.push(Gap::at(kind, &path, line, what));
    }

    /// Notes, once per file, that it has times without a zone and none was named.
    pub fn zone_assumed(&mut self, file: FileId) {
        if self.zone_assumed.insert(file) {
            let what = "times have no zone: taken as UTC (give --timezone, or set `[time] zone` \
                        in incident.toml)";
            self.gap(GapKind::Doubtful, file, None, what);
        }
    }

    /// Counts rows that were read from a file.
    pub fn rows(&mut self, file: FileId, rows: u64) {
        if let Some(input) = self.files.get_mut(file as usize) {
            input.rows += rows;
        }
    }

    /// Sorts samples, drops repeated times (a differing value is a gap) and orders events.
    pub fn finish(&mut self) {
        super::aws::complete(self);
        let mut clashes: Vec<(FileId, u64)> = Vec::new();
        for series in self.series.iter_mut().filter(|s| !s.samples.is_rising()) {
            let mut samples = series.samples.to_vec();
            samples.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
            let mut clash = 0;
            samples.dedup_by(|b, a| {
                let same = a.0 == b.0;
                clash += u64::from(same && a.1.to_bits() != b.1.to_bits());
                same
            });
            series.samples = samples.into();
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

#[cfg(test)]
mod tests {
    use super::*;

    pub fn one_file(path: &str) -> Raw {
        Raw { files: vec![InputFile::named(path)], ..Raw::default() }
    }

    #[test]
    fn one_reason_is_one_gap_with_the_first_example() {
        let mut raw = one_file("a.csv");
        for i in 0..60_000 {
            raw.skip_like(0, "time", 1, || (Some(i + 2), format!("time \"{i}\" is bad")));
        }
        raw.skip(0, Some(9), "row without a pid", 2);
        raw.skip(0, Some(10), "row without a pid", 1);
        let said: Vec<_> = raw.gaps.iter().map(|g| (g.line, g.what.as_str(), g.count)).collect();
        let time = (Some(2), "time \"0\" is bad", 60_000);
        assert_eq!(said, [time, (Some(9), "row without a pid", 3)]);
        assert_eq!(raw.files[0].skipped, 60_003);
    }

    #[test]
    fn what_is_put_together_keeps_its_file() {
        let mut all = Raw::default();
        for (i, path) in ["a.csv", "b.csv"].into_iter().enumerate() {
            let mut part = one_file(path);
            part.skip(0, Some(3), "row without a pid", 1);
            part.sessions.push(RawSession { pid: i as i64, ..RawSession::default() }.into());
            part.series.push(RawSeries::default());
            all.absorb(part);
        }
        assert_eq!(
            all.sessions.iter().map(|s| (s.file, s.pid)).collect::<Vec<_>>(),
            [(0, 0), (1, 1)]
        );
        assert_eq!(all.series.iter().map(|s| s.file).collect::<Vec<_>>(), [0, 1]);
        all.skip(1, None, "row without a pid", 1);
        let files: Vec<_> = all.gaps.iter().map(|g| (g.file.as_deref(), g.count)).collect();
        assert_eq!(files[..2], [(Some("a.csv"), 1), (Some("b.csv"), 1)]);
    }

    #[test]
    fn an_incident_file_with_a_baseline_only_is_kept() {
        let mut all = Raw::default();
        let mut part = one_file("incident.toml");
        part.incident.baseline = Some(Window { from: 1, to: 2 });
        all.absorb(part);
        all.absorb(one_file("b.csv"));
        assert!(all.incident.baseline.is_some());
    }
}
