//! Files to raw tables. In: a folder, or one file. Out: [`Raw`] with every file accounted for.
//! Files are recognised by content through [`READERS`]; what is not recognised is a gap.

mod archive;
mod aws;
mod cell;
mod columnar;
mod companions;
mod copies;
mod csv_text;
mod datadog;
mod decode;
mod file;
mod gathered;
mod grafana;
mod har;
mod head;
mod heap;
mod influx_csv;
mod influx_line;
mod jaeger;
mod jaeger_usual;
mod json_scan;
mod lenient;
mod limits;
mod merge;
mod native_histogram;
mod openmetrics;
mod otlp;
pub mod passed;
mod platform;
mod postgres;
mod prometheus;
mod promtool;
pub mod raw;
mod raw_logs;
mod raw_sessions;
mod raw_spans;
mod readers;
pub mod recorded;
pub mod rolled;
mod rolled_facts;
mod rows;
mod scan;
mod selector;
pub mod site;
mod spans;
pub mod sql;
mod sql_dialect;
mod steps;
mod stray;
mod stream;
mod table;
mod taken;
pub mod text;
pub mod texts;
mod traces;
mod units;
pub mod verbs;
mod victoriametrics;
mod walk;
mod why;
mod zones;

pub use archive::plain_name;
pub use columnar::{arrow_defect, guard, in_guarded_decoder, parquet_defect};
pub use companions::EVENT_KINDS;
pub use decode::{BOMB, Unpacked, plain};
use file::Source;
pub use head::{Head, Input, Reader};
pub use limits::{LIMITS, Limits};
pub use platform::{Component, component, workload};
pub use postgres::{ACTIVITY_COLUMNS, Drawn, drawn};
pub use readers::READERS;
pub use scan::string_end;
use walk::walk;
pub use walk::{Walked, files_of, leads_out, relative};

use crate::error::{Error, Result};
use crate::model::Micros;
use crate::model::{Gap, GapKind};
use crate::time::{self, Zone};
use merge::Room;
use raw::Raw;
use rayon::prelude::*;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use taken::Taken;

/// What the user says about the files.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Paths (relative, `/`-separated) to leave out.
    pub exclude: Vec<String>,
    /// Zone of times without one; beats `[time] zone` of incident.toml.
    pub zone: Option<Zone>,
    /// Time of exports that hold none.
    pub at: Option<Micros>,
    /// Keep sessions' statements as they were written, besides the normalised ones.
    pub literals: bool,
    /// No report names the files' digests: they are not made.
    pub undigested: bool,
    /// How much is read.
    pub limits: Limits,
    /// Told after each file, from several threads.
    pub progress: Option<fn(Progress)>,
}

/// How far the reading of a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Files that are read.
    pub done: usize,
    /// Files of the folder; `done` equals it once, at the end.
    pub files: usize,
}

/// Reads a folder or a file of which something has to be an export, as it is: what a report is made
/// of goes through the mask of `redact` first.
pub fn read_folder(root: &Path, settings: &Settings) -> Result<Raw> {
    usable(root, read_all(root, settings)?)
}

/// What was read, if something of it is an export.
pub fn usable(root: &Path, raw: Raw) -> Result<Raw> {
    unusable(root, &raw).map_or(Ok(raw), Err)
}

/// Why a folder cannot be used, when not one of its files was recognised.
pub fn unusable(root: &Path, raw: &Raw) -> Option<Error> {
    let unknown = raw.files.iter().all(|f| f.reader == "none");
    let place = root.display().to_string();
    let what = format!("none of {} files is an export that rootline reads", raw.files.len());
    let first = raw.gaps.first();
    let first = first.map(|g| (g.file.as_deref().unwrap_or_default(), g.what.as_str()));
    let (file, why) = first.unwrap_or_default();
    unknown.then(|| {
        Error::usage(place, format!("{what} (first: {file}: {why})"))
            .hint("`rootline inspect --formats` lists the formats that are read")
    })
}

/// Reads a folder or a file, whatever is in it.
pub fn read_all(root: &Path, settings: &Settings) -> Result<Raw> {
    read_with(root, settings, Vec::new())
}

/// Reads a folder or a file of which some parts were read already.
pub fn read_with(root: &Path, settings: &Settings, known: Vec<Raw>) -> Result<Raw> {
    let Walked { files: mut paths, passed } = walk(root, settings.limits)?;
    let excluded: HashSet<&str> = settings.exclude.iter().map(String::as_str).collect();
    paths.retain(|p| !excluded.contains(relative(root, p).as_str()));
    if paths.is_empty() && known.is_empty() {
        let place = root.display().to_string();
        return Err(Error::usage(place, "the folder has no files").hint(
            "put exports of metrics, traces or pg_stat_activity into it; see `rootline --help`",
        ));
    }
    let zone = settings.zone.clone().unwrap_or_else(|| zone_of(&paths));
    let done = AtomicUsize::new(0);
    let most = settings.limits.series.saturating_mul(SERIES_FILES);
    let room = Room::new(paths.len(), most);
    let read = |(i, p): (usize, &PathBuf)| {
        let mut raws = read_file(root, p, &zone, settings);
        raws.iter_mut().for_each(Raw::cut_long);
        let over = room.trim(i, &mut raws);
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(tell) = settings.progress {
            tell(Progress { done, files: paths.len() });
        }
        (i, raws, over)
    };
    // In their order, so that there is room for the first.
    let mut parts: Vec<_> = paths.iter().enumerate().par_bridge().map(read).collect();
    parts.sort_by_key(|(i, ..)| *i);
    let mut raw = Raw::default();
    let spans = parts.iter().flat_map(|(_, raws, _)| raws).map(|p| p.spans.len()).sum();
    raw.spans.reserve(spans);
    let known = known.into_iter().map(|part| (part, 0));
    let parts = parts.into_iter().flat_map(|(_, raws, over)| raws.into_iter().zip(over));
    for (part, over) in parts.chain(known) {
        let file = raw.files.len() as raw::FileId;
        raw.absorb(part);
        raw.cap_series(most);
        if over > 0 {
            raw.leave_out(file, most, over);
        }
    }
    let passed = passed.iter().map(|(name, what)| Gap::at(GapKind::Unreadable, name, None, *what));
    raw.gaps.extend(passed);
    copies::leave_out(&mut raw);
    stray::leave_out(&mut raw);
    raw.finish();
    let offsets = zones::align(&mut raw);
    steps::look(&mut raw, &offsets);
    postgres::join_locks(&mut raw);
    heap::say_growth(&mut raw);
    Ok(raw)
}

/// Finds the zone of zone-less times before any other file is read.
fn zone_of(paths: &[PathBuf]) -> Zone {
    let incident = paths.iter().find(|p| p.file_name().is_some_and(|n| n == "incident.toml"));
    let stored = incident.and_then(|p| fs::read(p).ok()).unwrap_or_default();
    let text = String::from_utf8(decode::plain(stored)).unwrap_or_default();
    let value = text.parse::<toml::Table>().unwrap_or_default();
    let name = value.get("time").and_then(|t| t.get("zone")).and_then(|z| z.as_str());
    name.and_then(Zone::named).unwrap_or_default()
}

/// Series of a folder by those of one file: the same ones may stand in many files, one for each hour.
const SERIES_FILES: u64 = 2;

/// Reads a file, or each member of an archive.
fn read_file(root: &Path, path: &Path, zone: &Zone, settings: &Settings) -> Vec<Raw> {
    let shown = relative(root, path);
    let meta = fs::metadata(path);
    let changed = meta.as_ref().ok().and_then(|m| m.modified().ok());
    let taken = Taken { said: settings.at, modified: changed.and_then(time::of_system) };
    let Settings { literals, undigested, limits, .. } = *settings;
    let source = Source { shown: &shown, zone, taken, literals, undigested, limits };
    let opened = meta.and_then(|m| Ok((fs::File::open(path)?, m.len())));
    match opened {
        Ok((file, len)) if archive::is_zip(&file) => {
            archive::read(&source, file::bytes(file, len, limits), &settings.exclude)
        }
        Ok((file, _)) => vec![file::read(&source, file)],
        Err(e) => vec![source.unreadable(format!("cannot be read: {e}"))],
    }
}

/// Reads one file's bytes as a folder's walk would.
pub fn read_text(name: &str, bytes: &[u8]) -> Raw {
    let (zone, taken) = (Zone::default(), Taken::default());
    let stored = std::io::Cursor::new(bytes.to_vec());
    let limits = Limits::default();
    let (literals, undigested) = (false, false);
    file::read(&Source { shown: name, zone: &zone, taken, literals, undigested, limits }, stored)
}
