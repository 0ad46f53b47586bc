//! Files to raw tables. In: a folder, or one file. Out: [`Raw`] with every file accounted for.
//! Files are recognised by content through [`READERS`]; what is not recognised is a gap.

mod arrow_ipc;
mod cell;
mod companions;
mod csv_text;
mod datadog;
mod decode;
mod gathered;
mod head;
mod influx_csv;
mod influx_line;
mod jaeger;
mod json_scan;
mod lenient;
mod merge;
mod native_histogram;
mod openmetrics;
mod otlp;
mod prometheus;
mod promtool;
pub mod raw;
mod readers;
mod selector;
mod sessions;
mod spans;
pub mod sql;
mod table;
mod taken;
mod victoriametrics;

pub use companions::EVENT_KINDS;
pub use head::{Head, Input, Reader};
pub use readers::READERS;

use crate::error::{Error, Result};
use crate::model::{Gap, GapKind, Micros};
use crate::time::{self, Zone};
use raw::{InputFile, Raw};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use taken::Taken;

/// Files in one folder that are looked at; more is an error, not a silent cut.
const FILES_MAX: usize = 100_000;
/// Size of one file after decompression.
const BYTES_MAX: u64 = 4 << 30;
/// Ratio of decompressed to compressed size that no telemetry reaches.
const RATIO_MAX: u64 = 2_000;

/// What the user says about the files.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Paths (relative, `/`-separated) to leave out.
    pub exclude: Vec<String>,
    /// Zone of times without one; beats `[time] zone` of incident.toml.
    pub zone: Option<Zone>,
    /// Time of exports that hold none.
    pub at: Option<Micros>,
}

/// Reads a folder or a file.
pub fn read_folder(root: &Path, settings: &Settings) -> Result<Raw> {
    let mut paths = walk(root)?;
    paths.retain(|p| !settings.exclude.contains(&relative(root, p)));
    if paths.is_empty() {
        let place = root.display().to_string();
        return Err(Error::usage(place, "the folder has no files").hint(
            "put exports of metrics, traces or pg_stat_activity into it; see `rootline --help`",
        ));
    }
    let zone = settings.zone.clone().unwrap_or_else(|| zone_of(&paths));
    let read = |p: &PathBuf| read_file(root, p, &zone, settings.at);
    let mut parts: Vec<Raw> = paths.par_iter().map(read).collect();
    let mut raw = Raw::default();
    for part in &mut parts {
        raw.absorb(std::mem::take(part));
    }
    if raw.files.iter().all(|f| f.reader == "none") {
        let place = root.display().to_string();
        let what = format!("none of {} files is an export that rootline reads", raw.files.len());
        let first = raw.gaps.first();
        let first = first.map(|g| (g.file.as_deref().unwrap_or_default(), g.what.as_str()));
        let (file, why) = first.unwrap_or_default();
        return Err(Error::usage(place, format!("{what} (first: {file}: {why})"))
            .hint("`rootline inspect --formats` lists the formats that are read"));
    }
    raw.finish();
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

/// Names that are never an input: the truth of a fixture, and reports.
fn is_aside(name: &str) -> bool {
    name.starts_with('.') || name == "truth.toml" || name.starts_with("expected.")
}

fn walk(root: &Path) -> Result<Vec<PathBuf>> {
    let place = || root.display().to_string();
    let meta = fs::metadata(root).map_err(|e| {
        let what = if e.kind() == std::io::ErrorKind::NotFound {
            "no such file or folder".to_owned()
        } else {
            e.to_string()
        };
        Error::usage(place(), what)
    })?;
    if !meta.is_dir() {
        return Ok(vec![root.to_owned()]);
    }
    let (mut found, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder)
            .map_err(|e| Error::runtime(folder.display().to_string(), e.to_string()))?;
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(kind) = entry.file_type() else { continue };
            match () {
                () if is_aside(&name) => {}
                () if kind.is_dir() => folders.push(entry.path()),
                // A link is followed to a file only: a loop of folders cannot arise.
                () if kind.is_file() || entry.path().is_file() => found.push(entry.path()),
                () => {}
            }
        }
        if found.len() > FILES_MAX {
            let what = format!("more than {FILES_MAX} files");
            return Err(Error::usage(place(), what).hint("point at one incident's folder"));
        }
    }
    found.sort_by_key(|p| relative(root, p));
    Ok(found)
}

/// Path within the folder with `/` between parts; the bare name for a single file.
fn relative(root: &Path, path: &Path) -> String {
    let inner = path.strip_prefix(root).ok().filter(|p| !p.as_os_str().is_empty());
    let inner = inner.unwrap_or_else(|| Path::new(path.file_name().unwrap_or(path.as_os_str())));
    let parts: Vec<String> =
        inner.components().map(|c| c.as_os_str().to_string_lossy().into_owned()).collect();
    parts.join("/")
}

fn read_file(root: &Path, path: &Path, zone: &Zone, said: Option<Micros>) -> Raw {
    let shown = relative(root, path);
    let meta = fs::metadata(path);
    let changed = meta.as_ref().ok().and_then(|m| m.modified().ok());
    let stored = match meta.map(|m| m.len()) {
        Ok(len) if len > BYTES_MAX => Err(format!("larger than {} GiB: not read", BYTES_MAX >> 30)),
        Ok(_) => fs::read(path).map_err(|e| format!("cannot be read: {e}")),
        Err(e) => Err(format!("cannot be read: {e}")),
    };
    read_stored(&shown, stored, zone, Taken { said, modified: changed.and_then(time::of_system) })
}

/// Reads what a file holds, or notes why it could not be had.
fn read_stored(
    shown: &str,
    stored: std::result::Result<Vec<u8>, String>,
    zone: &Zone,
    taken: Taken,
) -> Raw {
    let mut raw = Raw::default();
    let mut file = InputFile {
        path: shown.to_owned(),
        sha256: String::new(),
        bytes: 0,
        reader: "none".to_owned(),
        rows: 0,
        skipped: 0,
    };
    let unreadable = |what: String| Gap::at(GapKind::Unreadable, shown, None, what);
    let stored = match stored {
        Ok(bytes) => bytes,
        Err(what) => {
            raw.gaps.push(unreadable(what));
            raw.files.push(file);
            return raw;
        }
    };
    file.bytes = stored.len() as u64;
    file.sha256 = Sha256::digest(&stored).iter().map(|b| format!("{b:02x}")).collect();
    let (bytes, defect) = decode::decompress(stored);
    if let Some(what) = defect {
        raw.gaps.push(Gap::at(GapKind::Truncated, shown, None, what));
    }
    let bytes = &decode::plain(bytes);
    let name = shown.rsplit('/').next().unwrap_or(shown);
    let head = Head::new(name, bytes);
    let sections = sections(&head, bytes);
    match sections.is_empty() {
        true => raw.gaps.push(unreadable(head::what_it_is(&head))),
        false => file.reader = names(&sections),
    }
    raw.files.push(file);
    for section in &sections {
        let input = Input {
            file: 0,
            path: shown,
            bytes: &bytes[section.from..section.to],
            zone,
            first_line: section.first_line,
            taken,
        };
        match section.reader {
            Some(reader) => (reader.read)(&input, &mut raw),
            None => {
                let what = head::what_it_is(&Head::new(name, input.bytes));
                raw.skip_like(0, "document", 1, || (Some(input.first_line), what));
            }
        }
    }
    if !sections.is_empty() && raw.gaps.is_empty() && raw.files.iter().all(|f| f.rows == 0) {
        raw.gap(GapKind::Missing, 0, None, "recognised, but there is not one row in it");
    }
    raw
}

/// A stretch of a file that one reader reads; `None` where none accepts it.
struct Section {
    from: usize,
    to: usize,
    first_line: u64,
    reader: Option<&'static Reader>,
}

/// Largest JSON file that is looked through for documents of several kinds.
const MIXED_MAX: usize = 64 << 20;

fn reader_of(head: &Head) -> Option<&'static Reader> {
    READERS.iter().find(|r| (r.accepts)(head))
}

/// The stretches of a file: one, unless it is JSON whose documents are of several kinds (exports
/// put together with `cat`). Empty when no reader accepts anything.
fn sections(head: &Head, bytes: &[u8]) -> Vec<Section> {
    let reader = reader_of(head);
    let whole = Section { from: 0, to: bytes.len(), first_line: 1, reader };
    if !head.is_json() || bytes.len() > MIXED_MAX {
        return reader.map(|_| whole).into_iter().collect();
    }
    let mut found: Vec<Section> = Vec::new();
    let mut lines = json_scan::Lines::new(bytes);
    for (from, document) in json_scan::documents(bytes, |_| {}) {
        let reader = reader_of(&Head::new(head.name, document));
        let same = |s: &Section| s.reader.map(|r| r.name) == reader.map(|r| r.name);
        match found.last_mut().filter(|s| same(s)) {
            Some(last) => last.to = from + document.len(),
            None => {
                let (to, first_line) = (from + document.len(), lines.of(from));
                found.push(Section { from, to, first_line, reader });
            }
        }
    }
    let known = found.iter().filter(|s| s.reader.is_some()).count();
    match known {
        // What stands before, between and behind the documents belongs to their only reader.
        _ if found.len() < 2 => reader.map(|_| whole).into_iter().collect(),
        0 => Vec::new(),
        _ => found,
    }
}

/// The names of a file's readers, each once.
fn names(sections: &[Section]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in sections.iter().filter_map(|s| s.reader).map(|r| r.name) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(" + ")
}

/// Reads one file's bytes as a folder's walk would.
#[cfg(test)]
fn read_text(name: &str, bytes: &[u8]) -> Raw {
    read_stored(name, Ok(bytes.to_vec()), &Zone::default(), Taken::default())
}
