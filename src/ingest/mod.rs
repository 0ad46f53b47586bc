//! Files to raw tables. In: a folder, or one file. Out: [`Raw`] with every file accounted for.
//! Files are recognised by content through [`READERS`]; what is not recognised is a gap.

mod arrow_ipc;
mod cell;
mod companions;
mod csv_text;
mod decode;
mod jaeger;
mod json_scan;
mod merge;
mod otlp;
mod prometheus;
pub mod raw;
mod sessions;
mod spans;
pub mod sql;
mod table;

pub use companions::EVENT_KINDS;

use crate::error::{Error, Result};
use crate::model::{Gap, GapKind};
use crate::time::Zone;
use raw::{FileId, InputFile, Raw};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// One export format.
pub struct Reader {
    pub name: &'static str,
    pub what: &'static str,
    pub accepts: fn(&Head) -> bool,
    pub read: fn(&Input, &mut Raw),
}

/// Every format that is read; the first that accepts a file reads it.
pub const READERS: &[Reader] = &[
    Reader {
        name: "incident",
        what: "incident.toml: windows, symptom, time zone",
        accepts: companions::accepts_incident,
        read: companions::read_incident,
    },
    Reader {
        name: "mapping",
        what: "mapping.toml: house metric names",
        accepts: companions::accepts_mapping,
        read: companions::read_mapping,
    },
    Reader {
        name: "arrow-ipc",
        what: "Arrow IPC file or stream, wide or long",
        accepts: arrow_ipc::accepts,
        read: arrow_ipc::read,
    },
    Reader {
        name: "otlp-traces",
        what: "OTLP JSON traces: collector, Tempo, Grafana",
        accepts: otlp::accepts,
        read: otlp::read,
    },
    Reader {
        name: "jaeger",
        what: "Jaeger JSON traces",
        accepts: jaeger::accepts,
        read: jaeger::read,
    },
    Reader {
        name: "manifest",
        what: "manifest of an export: file and query",
        accepts: prometheus::accepts_manifest,
        read: prometheus::read_manifest,
    },
    Reader {
        name: "prometheus",
        what: "Prometheus API JSON: query_range, query, bare results",
        accepts: prometheus::accepts,
        read: prometheus::read,
    },
    Reader {
        name: "pg-locks",
        what: "pg_locks CSV",
        accepts: sessions::accepts_locks,
        read: sessions::read_locks,
    },
    Reader {
        name: "pg-sessions",
        what: "pg_stat_activity CSV, one snapshot or many",
        accepts: sessions::accepts,
        read: sessions::read,
    },
    Reader {
        name: "topology",
        what: "topology.toml, or caller,callee[,kind] CSV",
        accepts: companions::accepts_topology,
        read: companions::read_topology,
    },
    Reader {
        name: "events",
        what: "events: deploys, flags, restarts, alerts as CSV or JSON",
        accepts: companions::accepts_events,
        read: companions::read_events,
    },
    Reader {
        name: "table",
        what: "generic CSV, wide or long",
        accepts: table::accepts,
        read: table::read,
    },
];

/// A file's first bytes, looked at by the sniffers.
pub struct Head<'a> {
    pub name: &'a str,
    bytes: &'a [u8],
    /// Lower-cased cells of the first record, when the text is delimited.
    pub header: Vec<String>,
    json: bool,
}

/// Bytes that are looked at to recognise a file.
const HEAD_BYTES: usize = 64 << 10;

impl<'a> Head<'a> {
    fn new(name: &'a str, all: &'a [u8]) -> Self {
        let bytes = &all[..all.len().min(HEAD_BYTES)];
        let json = matches!(bytes.iter().find(|b| !b.is_ascii_whitespace()), Some(b'{' | b'['));
        let text = !json && !bytes.contains(&0);
        let header = if text { csv_text::header(bytes) } else { Vec::new() };
        let header = header.iter().map(|h| h.to_lowercase()).collect();
        Head { name, bytes, header, json }
    }

    /// Says whether the first bytes are `magic`.
    pub fn starts_with(&self, magic: &[u8]) -> bool {
        self.bytes.starts_with(magic)
    }

    /// Says whether the text is JSON, by its first character.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Says whether `"key"` followed by a colon stands near the beginning of a JSON text.
    pub fn has_key(&self, key: &str) -> bool {
        let quoted = format!("\"{key}\"");
        let needle = quoted.as_bytes();
        let is_key = |at: usize| {
            let behind = json_scan::skip_space(self.bytes, at + needle.len());
            self.bytes.get(behind) == Some(&b':')
        };
        self.json
            && self.bytes.windows(needle.len()).enumerate().any(|(i, w)| w == needle && is_key(i))
    }
}

/// A whole file in memory, decompressed.
pub struct Input<'a> {
    pub file: FileId,
    pub path: &'a str,
    pub bytes: &'a [u8],
    pub zone: &'a Zone,
}

impl Input<'_> {
    /// Counts the places where a document should start and none does; the first one is named.
    fn skip_defects(&self, defects: &[usize], what: &str, raw: &mut Raw) {
        if let Some(at) = defects.first() {
            let line = json_scan::line_of(self.bytes, *at);
            raw.skip(self.file, Some(line), what, defects.len() as u64);
        }
    }

    /// Says whether the text is JSON, by its first character.
    pub fn is_json(&self) -> bool {
        let first = self.bytes.iter().find(|b| !b.is_ascii_whitespace());
        matches!(first, Some(b'{' | b'['))
    }
}

/// Files in one folder that are looked at; more is an error, not a silent cut.
const FILES_MAX: usize = 100_000;
/// Size of one file after decompression.
const BYTES_MAX: u64 = 4 << 30;
/// Ratio of decompressed to compressed size that no telemetry reaches.
const RATIO_MAX: u64 = 2_000;

/// Reads a folder or a file. `exclude` names paths (relative, `/`-separated) to leave out.
pub fn read_folder(root: &Path, exclude: &[String]) -> Result<Raw> {
    let mut paths = walk(root)?;
    paths.retain(|p| !exclude.contains(&relative(root, p)));
    if paths.is_empty() {
        let place = root.display().to_string();
        return Err(Error::usage(place, "the folder has no files").hint(
            "put exports of metrics, traces or pg_stat_activity into it; see `rootline --help`",
        ));
    }
    let zone = zone_of(&paths);
    let mut parts: Vec<Raw> = paths.par_iter().map(|p| read_file(root, p, &zone)).collect();
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

fn read_file(root: &Path, path: &Path, zone: &Zone) -> Raw {
    let shown = relative(root, path);
    let stored = match fs::metadata(path).map(|m| m.len()) {
        Ok(len) if len > BYTES_MAX => Err(format!("larger than {} GiB: not read", BYTES_MAX >> 30)),
        Ok(_) => fs::read(path).map_err(|e| format!("cannot be read: {e}")),
        Err(e) => Err(format!("cannot be read: {e}")),
    };
    read_stored(&shown, stored, zone)
}

/// Reads what a file holds, or notes why it could not be had.
fn read_stored(shown: &str, stored: std::result::Result<Vec<u8>, String>, zone: &Zone) -> Raw {
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
    let reader = READERS.iter().find(|r| (r.accepts)(&head));
    match reader {
        None => raw.gaps.push(unreadable(what_it_is(&head))),
        Some(r) => r.name.clone_into(&mut file.reader),
    }
    raw.files.push(file);
    if let Some(r) = reader {
        (r.read)(&Input { file: 0, path: shown, bytes, zone }, &mut raw);
        if raw.gaps.is_empty() && raw.files.iter().all(|f| f.rows == 0) {
            raw.gap(GapKind::Missing, 0, None, "recognised, but there is not one row in it");
        }
    }
    raw
}

/// Magic bytes of things that people put beside their exports.
const OTHER: [(&[u8], &str); 9] = [
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x89PNG", "a PNG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a zip archive (unpack it first)"),
    (b"PAR1", "a Parquet file (not read yet)"),
    (b"<!DOCTYPE", "an HTML page: a login or error page, not an export"),
    (b"<html", "an HTML page: a login or error page, not an export"),
    (b"SQLite format 3", "an SQLite database"),
];

fn what_it_is(head: &Head) -> String {
    if head.bytes.is_empty() {
        return "not recognised: the file is empty".to_owned();
    }
    if let Some((_, what)) = OTHER.iter().find(|(magic, _)| head.starts_with(magic)) {
        return format!("not recognised: {what}");
    }
    let binary = head.bytes.iter().take(512).any(|b| *b == 0);
    let start = String::from_utf8_lossy(&head.bytes[..head.bytes.len().min(60)]);
    let start: String = start.chars().flat_map(char::escape_debug).take(60).collect();
    let header = head.header.join(",");
    match () {
        () if header.contains("calls") && header.contains("query") => {
            "not read yet: pg_stat_statements".to_owned()
        }
        () if header.starts_with("name,setting") => "not read yet: pg_settings".to_owned(),
        () if head.has_key("schema_version") && head.has_key("tool") => {
            "not an export: an answer of rootline".to_owned()
        }
        () if binary => "not recognised: binary data".to_owned(),
        () if head.json => format!("not recognised: JSON of an unknown shape, it starts {start}"),
        () if !head.header.is_empty() => {
            format!("not recognised: a table without a time column, its header is {start}")
        }
        () => format!("not recognised: text that starts {start}"),
    }
}

/// Reads one file's bytes as a folder's walk would.
#[cfg(test)]
fn read_text(name: &str, bytes: &[u8]) -> Raw {
    read_stored(name, Ok(bytes.to_vec()), &Zone::default())
}
