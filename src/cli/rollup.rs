//! `rootline rollup`: spans, samples and sessions made small, here or as SQL where they are.

use super::{Instant, Outcome, moment};
use crate::error::{Error, Result};
use crate::ingest;
use crate::lake::sql::{self, Dialect};
use crate::lake::{self, Question, Rollup, Table};
use crate::model::SECOND;
use crate::redact;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

/// Arguments of `rollup`.
#[derive(Debug, Args)]
pub struct RollupArgs {
    /// Folder with spans as partitioned Parquet of any size, or with any exports.
    #[arg(value_name = "FOLDER", required_unless_present = "emit_sql")]
    folder: Option<PathBuf>,
    /// Folder for the rollup, which `diagnose` reads.
    #[arg(short, long, value_name = "OUT", required_unless_present = "emit_sql")]
    out: Option<PathBuf>,
    /// Print the same rollup as SQL, for the engine that has the spans.
    #[arg(long, value_enum, value_name = "ENGINE", conflicts_with_all = ["folder", "out"])]
    emit_sql: Option<Engine>,
    /// With --emit-sql: what is rolled up.
    #[arg(long, value_enum, value_name = "WHAT", default_value = "spans", requires = "emit_sql")]
    what: What,
    /// With --emit-sql: the table, or what the engine reads in its place.
    #[arg(long, value_name = "SOURCE", requires = "emit_sql")]
    source: Option<String>,
    /// Seconds of a bucket: 1, 10 or 60.
    #[arg(long, value_name = "SECONDS", default_value = "10",
        value_parser = clap::builder::PossibleValuesParser::new(["1", "10", "60"]))]
    bucket: String,
    /// Only what is of this time or later (spans: that start), with a zone.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<Instant>,
    /// Only what is before this time, with a zone.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    to: Option<Instant>,
    /// Overwrite files of an earlier rollup.
    #[arg(long)]
    force: bool,
}

/// Engines whose SQL is known.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Engine {
    /// The OpenTelemetry exporter's table `otel_traces`.
    Clickhouse,
    /// Parquet, partitioned or not.
    Spark,
    /// Parquet.
    Duckdb,
}

/// What the SQL rolls up.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// Spans to counts and times of operations and edges.
    Spans,
    /// Samples (`metric`, `labels`, `time_us`, `value`) to buckets.
    Samples,
    /// Snapshots of `pg_stat_activity` to facts of each.
    Sessions,
}

impl What {
    fn tables(self) -> &'static [Table] {
        match self {
            What::Spans => &Table::SPANS,
            What::Samples => &[Table::Samples],
            What::Sessions => &[Table::Sessions],
        }
    }
}

impl RollupArgs {
    pub(super) fn run(&self) -> Result<Outcome> {
        let seconds: i64 = self.bucket.parse().expect("clap took one of three numbers");
        let question = Question {
            bucket: seconds * SECOND,
            from: self.from.map(|t| t.0),
            to: self.to.map(|t| t.0),
        };
        if let Some(engine) = self.emit_sql {
            let dialect = match engine {
                Engine::Clickhouse => Dialect::ClickHouse,
                Engine::Spark => Dialect::Spark,
                Engine::Duckdb => Dialect::DuckDb,
            };
            let (tables, source) = (self.what.tables(), self.source.as_deref());
            return Ok(Outcome::text(sql::script(dialect, tables, source, &question)));
        }
        let (Some(folder), Some(out)) = (&self.folder, &self.out) else {
            return Err(Error::usage("", "no folder given").hint("rootline rollup FOLDER -o OUT"));
        };
        let files = Table::ALL.map(|t| (t, out.join(format!("{}.parquet", t.name()))));
        for (_, path) in &files {
            super::keep_existing(path, self.force)?;
        }
        let rollup = match lake::is_lake(folder) {
            true => lake::of_parquet(folder, &question)?,
            false => of_exports(folder, &question)?,
        };
        let mut written = Vec::new();
        for (table, path) in files.into_iter().filter(|(t, _)| rollup.rows(*t) > 0) {
            written.push((path, rollup.parquet(table)?));
        }
        match out.exists() {
            true => super::write_files(written.iter().map(|(p, b)| (p.as_path(), b)), self.force)?,
            false => {
                let names: Vec<String> =
                    written.iter().map(|(path, _)| ingest::relative(out, path)).collect();
                let bytes = written.iter().map(|(_, bytes)| bytes.as_slice());
                super::write_folder(out, names.iter().map(String::as_str).zip(bytes))?;
            }
        }
        Ok(Outcome { stderr: said(&rollup, out), ..Outcome::text(String::new()) })
    }
}

fn of_exports(folder: &Path, question: &Question) -> Result<Rollup> {
    let mut raw = ingest::read_folder(folder, &ingest::Settings::default())?;
    redact::mask(&mut raw)?;
    let rollup = lake::of_raw(&raw, question);
    match Table::ALL.iter().any(|t| rollup.rows(*t) > 0) {
        false => {
            let what = "there are no spans, samples or sessions of that time in the folder";
            Err(Error::usage(folder.display().to_string(), what)
                .hint("`rootline inspect FOLDER` says what is"))
        }
        true => Ok(rollup),
    }
}

/// What was read and what came of it.
fn said(rollup: &Rollup, out: &Path) -> String {
    let tally = rollup.tally;
    let read = match tally.row_groups {
        0 => String::new(),
        all => format!(
            " ({} of {} MB in {} of {all} row groups, {} passes)",
            tally.bytes_read / 1_000_000,
            tally.bytes / 1_000_000,
            tally.row_groups_read,
            tally.passes
        ),
    };
    let some = Table::ALL.iter().filter(|t| rollup.rows(**t) > 0);
    let rows: Vec<String> =
        some.map(|t| format!("{} rows of {}", rollup.rows(*t), t.name())).collect();
    let rows = rows.join(", ");
    format!(
        "{} spans of {} files{read} became {rows}\nnext: rootline diagnose {}\n",
        tally.spans,
        tally.files,
        out.display()
    )
}
