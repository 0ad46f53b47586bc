//! Spans that are too many to be held. One definition of their rollup: as SQL for the engine that has
//! the spans already, and as our own pass over Parquet. Both give the same rows, to the last digit:
//! every quantity is a whole number, and durations are kept in slots whose counts add up.
//!
//! | table | one row for each | columns |
//! |---|---|---|
//! | operations | bucket, service, operation, kind, error type | spans, errors, time, own time, children |
//! | durations | bucket, service, kind, slot | spans |
//! | edges | bucket, caller, callee, operation | attempts, parents, errors and times of both sides |
//! | samples | bucket, series | samples, least, most, first, last and its time, sum, resets |
//! | sessions | snapshot, server, database, application, user, state, wait | sessions, blocked, starts |
//!
//! Own time is a span's duration less the durations of its children, 0 where these are longer (they ran
//! at the same time). A slot is one of 16 between a power of two and the next, in microseconds: its
//! middle is off by at most 1/32 of any duration in it, and histograms of any buckets add up (the
//! layout of HdrHistogram; cf. Dunning and Ertl, "Computing extremely accurate quantiles using
//! t-digests", section 2, on why averaged quantiles do not).

mod facts;
mod large;
mod local;
mod partition;
mod scan;
pub mod sql;
mod store;
mod write;

pub use large::Large;
pub use scan::Tally;
pub use store::Store;

use crate::error::{Error, Result};
use crate::ingest;
use crate::ingest::raw::Raw;
use crate::ingest::rolled::{SLOTS, slot};
use crate::model::Micros;
use facts::Facts;
use local::{Names, Rolled, Shards, Span};
use std::path::Path;
use std::sync::Arc;

/// What is asked of the spans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Length of a bucket, microseconds; above 0.
    pub bucket: Micros,
    /// Only spans that start in this window; half-open.
    pub from: Option<Micros>,
    pub to: Option<Micros>,
}

impl Question {
    /// Says whether a span that starts at `t` is asked for.
    fn takes(&self, t: Micros) -> bool {
        self.from.is_none_or(|f| f <= t) && self.to.is_none_or(|e| t < e)
    }
}

/// The tables of a rollup, each a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    Operations,
    Durations,
    Edges,
    Samples,
    Sessions,
}

impl Table {
    /// All of them.
    pub const ALL: [Table; 5] =
        [Table::Operations, Table::Durations, Table::Edges, Table::Samples, Table::Sessions];
    /// Those of spans.
    pub const SPANS: [Table; 3] = [Table::Operations, Table::Durations, Table::Edges];

    /// Name of the table and of its file.
    pub fn name(self) -> &'static str {
        match self {
            Table::Operations => "operations",
            Table::Durations => "durations",
            Table::Edges => "edges",
            Table::Samples => "samples",
            Table::Sessions => "sessions",
        }
    }
}

/// The rollup of some telemetry.
pub struct Rollup {
    rolled: Rolled,
    names: Names,
    facts: Facts,
    pub tally: Tally,
}

impl Rollup {
    /// The file of a table, as Parquet.
    ///
    /// # Errors
    ///
    /// When the library refuses what it is given, which would be a defect of ours.
    pub fn parquet(&self, table: Table) -> Result<Vec<u8>> {
        write::parquet(&self.rolled, &self.names, &self.facts, table)
            .map_err(|e| Error::runtime(table.name(), format!("Parquet: {e}")))
    }

    /// What a folder of the files of some tables is read as.
    ///
    /// # Errors
    ///
    /// When our own reader does not understand a table, which would be a defect of ours.
    pub fn read(&self, tables: &[Table]) -> Result<Raw> {
        let mut raw = Raw::default();
        for table in tables.iter().filter(|t| self.rows(**t) > 0) {
            let read = ingest::read_text(table.name(), &self.parquet(*table)?);
            if let Some(gap) = read.gaps.first() {
                return Err(Error::runtime(table.name(), gap.what.clone()));
            }
            raw.absorb(read);
        }
        Ok(raw)
    }

    /// Rows of a table.
    pub fn rows(&self, table: Table) -> usize {
        match table {
            Table::Operations => self.rolled.operations.len(),
            Table::Durations => self.rolled.durations.len(),
            Table::Edges => self.rolled.edges.len(),
            Table::Samples => self.facts.samples.len(),
            Table::Sessions => self.facts.sessions.len(),
        }
    }
}

/// Says whether a folder holds Parquet of spans with the columns that are read in passes.
pub fn is_lake(folder: &Path) -> bool {
    scan::is_lake(folder)
}

/// Rolls up Parquet of spans, however many they are.
///
/// # Errors
///
/// When the folder has no such file, or one that cannot be read.
pub fn of_parquet(folder: &Path, question: &Question) -> Result<Rollup> {
    let (rolled, names, tally) = scan::roll_up(folder, question)?;
    Ok(Rollup { rolled, names, facts: Facts::default(), tally })
}

/// Rolls up Parquet of spans that a store has; `shown` is what it is called in errors.
///
/// # Errors
///
/// When the store does not answer, or has no such object, or one that cannot be read.
pub fn of_store(store: &Arc<dyn Store>, shown: &str, question: &Question) -> Result<Rollup> {
    let (rolled, names, tally) = scan::of_store(store, shown, question)?;
    Ok(Rollup { rolled, names, facts: Facts::default(), tally })
}

/// Rolls up what was read from any format.
pub fn of_raw(raw: &Raw, question: &Question) -> Rollup {
    let mut names = Names::default();
    let shards = Shards::default();
    let mut tally = Tally { files: raw.files.len() as u64, passes: 1, ..Tally::default() };
    let spans = raw.spans.iter().filter(|s| question.takes(s.start)).map(|s| {
        tally.spans += 1;
        Span {
            trace: s.trace,
            span: s.span,
            parent: s.parent,
            start_us: s.start,
            duration_us: s.end - s.start,
            service: names.of(raw.symbols.text(s.service)),
            operation: names.of(raw.symbols.text(s.operation)),
            error_type: names.of(raw.symbols.text(s.error_type)),
            kind: s.kind,
            error: s.error,
        }
    });
    shards.add(spans);
    Rollup { rolled: shards.roll_up(question), names, facts: Facts::of(raw, question), tally }
}
