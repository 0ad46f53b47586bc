//! rootline: from dashboard exports to a ranked, explained root cause. Offline and deterministic.
//!
//! ```text
//! folder -ingest, mask-> Raw -normalize-> Telemetry -+-rollup-> Rollups -features-> Features -+
//!                                              +-> Graph                               |
//! signatures/ -catalog-> Catalog ---------------------------------matching-> Matches <-+
//!                                                                                |
//!                              report <- Diagnosis <- rank (Matches, Features, Graph)
//! ```
//!
//! The modules stand in the order of the data; [`diagnose`] reads like the picture.
//!
//! Invariants, checked by `tests/it/invariants.rs`:
//!
//! 1. A module uses only modules above it in this file's list.
//! 2. Only `main` prints, exits or reads the environment; `triage::terminal` draws while the
//!    interactive view is open. Files are touched only by `ingest`,
//!    `catalog`, `lake`, `record` and `cli` (outputs); only `record` opens a connection or asks the clock.
//! 3. Polars stays inside `ingest`, `telemetry`, `normalize`, `rollup` and `features`.
//! 4. Unreadable, missing or doubtful input is a [`model::Gap`] that every report shows: never a
//!    panic, never a silent "absent".
//! 5. No signature id, service name or threshold of a signature stands in Rust outside tests; the
//!    null hypotheses are known by their category.
//! 6. Reports compute nothing.
//! 7. The diagnosis never opens `truth.toml`: `catalog::fixtures` does, for the catalogue's own tests
//!    and for drills, and nothing above imports `drill`.
//! 8. Same input, same bytes: sorted maps, ties broken by id; parallelism never changes a result.

#![forbid(unsafe_code)]

pub mod model;

pub mod points;

pub mod error;

pub mod encoding;

pub mod time;

pub mod signals;

pub mod graph;

pub mod ingest;

pub mod lake;

pub mod telemetry;

pub mod normalize;

pub mod rollup;

pub mod features;

pub mod diagnosis;

pub mod forensics;

pub mod catalog;

pub mod matching;

pub mod rank;

pub mod inspection;

pub mod documentation;

pub mod lint;

pub mod selftest;

pub mod matrix;

pub mod history;

pub mod record;

pub mod redact;

pub mod report;

pub mod triage;

pub mod simulate;

pub mod drill;

#[cfg(feature = "mcp")]
pub mod mcp;

pub mod cli;

use catalog::Catalog;
use catalog::site::AtSite;
use diagnosis::Diagnosis;
use error::Result;
use ingest::raw::Raw;
use inspection::{Inspection, Tally};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// What a caller may choose.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Paths inside the folder that are left out, e.g. an output file that lies there.
    pub exclude: Vec<String>,
    /// Folder of signatures to use instead of the built-in ones.
    pub signatures: Option<PathBuf>,
    /// Zone of times without one; beats `[time] zone` of incident.toml.
    pub zone: Option<time::Zone>,
    /// Time of exports that hold none.
    pub at: Option<model::Micros>,
    /// Show sessions' statements with their literals.
    pub show_literals: bool,
    /// How much is read.
    pub limits: ingest::Limits,
    /// How to rank; the default is the whole method.
    pub ranking: rank::Settings,
    /// A site's own numbers, besides the folder's params.toml, over which they win.
    pub params: Option<PathBuf>,
    /// Findings that the site accepts, besides the folder's suppress.toml.
    pub suppress: Option<PathBuf>,
    /// Told after each file that was read.
    pub progress: Option<fn(ingest::Progress)>,
}

/// Diagnoses an incident folder (or one file) with the catalogue that the options name.
///
/// # Errors
///
/// When the folder cannot be read or holds nothing that is understood, or when a signature is
/// defective. Input that is only partly readable is no error: the answer lists its gaps.
pub fn diagnose(folder: &Path, options: &Options) -> Result<Diagnosis> {
    diagnose_with(folder, &catalog_of(options)?, options)
}

/// Reads a folder (or one file) and understands its names: what programs roll up and look at
/// themselves ([`rollup::roll_up`], [`features::extract`]).
///
/// # Errors
///
/// When the folder cannot be read or holds nothing that is understood.
pub fn telemetry_of(folder: &Path, options: &Options) -> Result<telemetry::Telemetry> {
    normalize::normalize(read(folder, options)?)
}

/// Diagnoses with a catalogue that is already loaded.
///
/// # Errors
///
/// As [`diagnose`].
pub fn diagnose_with(folder: &Path, catalog: &Catalog, options: &Options) -> Result<Diagnosis> {
    diagnose_raw(read(folder, options)?, catalog, options)
}

/// Diagnoses what was read.
///
/// # Errors
///
/// When a site's file that the options name is defective or does not fit the catalogue.
pub fn diagnose_raw(raw: Raw, catalog: &Catalog, options: &Options) -> Result<Diagnosis> {
    let mut telemetry = normalize::normalize(raw)?;
    let site = at_site(catalog, &mut telemetry, options)?;
    if options.ranking.is_without(rank::Part::Graph) {
        telemetry.graph.forget_edges();
    }
    let rollups = rollup::roll_up(&mut telemetry);
    let mut features = features::extract(&telemetry, &rollups)?;
    if options.ranking.misplaced_s != 0 {
        telemetry.incident.misplace(&features.windows, options.ranking.misplaced_s);
        features = features::extract(&telemetry, &rollups)?;
    }
    let context = matching::Context::new(&telemetry, &rollups, &features);
    let mut matches = matching::evaluate(&context, &site.catalog);
    if options.ranking.is_without(rank::Part::Signatures) {
        matches.findings.retain(|f| rank::is_null(&site.catalog, f));
    }
    let ranking = rank::rank(&context, &site.catalog, &matches, &options.ranking);
    let answer = rank::answer::answer(&context, &site.catalog, &matches, &ranking);
    Ok(Diagnosis { overrides: site.overrides, ..answer })
}

/// Says what a folder (or one file) holds: each file, and which signatures can run on it.
///
/// # Errors
///
/// When the folder cannot be read or is empty, or when a signature is defective. A folder in which
/// nothing is recognised is no error: the answer says so, file by file.
pub fn inspect(folder: &Path, options: &Options) -> Result<Inspection> {
    let catalog = catalog_of(options)?;
    let raw = read_all(folder, settings(options))?;
    let tallies = Tally::of_files(&raw);
    let mut telemetry = normalize::normalize(raw)?;
    let site = at_site(&catalog, &mut telemetry, options)?;
    let rollups = rollup::roll_up(&mut telemetry);
    let features = features::extract(&telemetry, &rollups)?;
    let context = matching::Context::new(&telemetry, &rollups, &features);
    let matches = matching::evaluate(&context, &site.catalog);
    inspection::inspection(&context, &site.catalog, &matches, &tallies)
}

/// Says what the PostgreSQL sessions of a folder (or one file) did.
///
/// # Errors
///
/// When the folder cannot be read, or holds no session snapshots that are wanted.
pub fn sessions(
    folder: &Path,
    options: &Options,
    wanted: &forensics::Wanted,
) -> Result<forensics::Forensics> {
    let settings = ingest::Settings { undigested: true, ..settings(options) };
    let raw = read_with(folder, settings)?;
    let mut telemetry = normalize::normalize(raw)?;
    let rollups = rollup::roll_up(&mut telemetry);
    let features = features::extract(&telemetry, &rollups)?;
    let answer = forensics::analyse(&telemetry, &rollups, &features, wanted);
    // Millions of rows take a while to give back; nobody has to wait for it.
    rayon::spawn(move || drop((telemetry, rollups, features)));
    answer
}

/// Reads a folder of which something has to be an export.
fn read(folder: &Path, options: &Options) -> Result<Raw> {
    read_with(folder, settings(options))
}

fn read_with(folder: &Path, settings: ingest::Settings) -> Result<Raw> {
    ingest::usable(folder, read_all(folder, settings)?)
}

/// Reads a folder whatever is in it, without what no report shows. Spans that are too many to be held
/// are rolled up on the way.
fn read_all(folder: &Path, mut settings: ingest::Settings) -> Result<Raw> {
    let mut raw = match lake::Large::in_folder(folder, settings.limits) {
        None => ingest::read_all(folder, &settings)?,
        Some(large) => {
            settings.exclude.extend(large.paths());
            ingest::read_with(folder, &settings, vec![large.read()?])?
        }
    };
    redact::mask(&mut raw)?;
    Ok(raw)
}

/// The catalogue with the numbers of the folder and of the options; what is accepted stays in the
/// telemetry, for the ranking.
fn at_site<'a>(
    catalog: &'a Catalog,
    telemetry: &mut telemetry::Telemetry,
    options: &Options,
) -> Result<AtSite<'a>> {
    let given = ingest::site::read(options.params.as_deref(), options.suppress.as_deref())?;
    let mut site = catalog::site::at_site(catalog, std::mem::take(&mut telemetry.site), given)?;
    telemetry.site.suppressions = std::mem::take(&mut site.suppressions);
    telemetry.gaps.append(&mut site.gaps);
    Ok(site)
}

/// The catalogue that the options name, with the numbers of their site.
///
/// # Errors
///
/// When a signature is defective, or the site's file does not fit the catalogue.
pub fn catalog_at_site(options: &Options) -> Result<Catalog> {
    let given = ingest::site::read(options.params.as_deref(), options.suppress.as_deref())?;
    let catalog = catalog_of(options)?;
    Ok(catalog::site::at_site(&catalog, ingest::site::Site::default(), given)?.catalog.into_owned())
}

fn catalog_of(options: &Options) -> Result<Catalog> {
    // The built-in one is parsed once in a process.
    static BUILT_IN: OnceLock<Catalog> = OnceLock::new();
    match (&options.signatures, BUILT_IN.get()) {
        (Some(folder), _) => Catalog::from_folder(folder),
        (None, Some(catalog)) => Ok(catalog.clone()),
        (None, None) => {
            let catalog = Catalog::built_in()?;
            Ok(BUILT_IN.get_or_init(|| catalog).clone())
        }
    }
}

fn settings(options: &Options) -> ingest::Settings {
    ingest::Settings {
        exclude: options.exclude.clone(),
        zone: options.zone.clone(),
        at: options.at,
        literals: options.show_literals,
        undigested: false,
        limits: options.limits,
        progress: options.progress,
    }
}
