//! The same data through every format that can carry it gives the same telemetry: raw, understood
//! and rolled up. No fixtures: one canonical set of metrics, of traces and of sessions is written by
//! the small functions of `same_*.rs`, by true libraries where there is one (arrow, parquet,
//! prost with opentelemetry-proto, serde_json, csv).

use super::support::Scratch;
use rootline::ingest::raw::Raw;
use rootline::ingest::{Settings, read_folder};
use rootline::model::{EntityId, Subject};
use rootline::rollup;
use rootline::telemetry::{NONE, Telemetry};

/// 2026-11-20T20:10:00Z, seconds; a multiple of 15.
pub const T0: i64 = 1_795_205_400;

/// Files of one export: names and bytes.
pub type Files = Vec<(String, Vec<u8>)>;

pub fn one(name: &str, bytes: impl Into<Vec<u8>>) -> Files {
    vec![(name.to_owned(), bytes.into())]
}

/// Reads an export; every file must be taken by this reader, and nothing may be left out.
pub fn read(files: &Files, reader: &str) -> Raw {
    let folder = Scratch::new();
    for (name, bytes) in files {
        folder.file(name, bytes);
    }
    let raw = read_folder(folder.path(), &Settings::default());
    let raw = raw.unwrap_or_else(|e| panic!("{reader}: {e}"));
    for file in raw.files.iter().filter(|f| f.reader != "cloudwatch-queries") {
        assert_eq!(file.reader, reader, "{}: {:?}", file.path, raw.gaps);
        assert_eq!(file.skipped, 0, "{}: {:?}", file.path, raw.gaps);
    }
    raw
}

pub fn name(t: &Telemetry, id: u32) -> String {
    if id == NONE { String::new() } else { t.graph.entity(EntityId(id)).name.clone() }
}

pub fn subject(t: &Telemetry, of: Subject) -> String {
    let shown = |e: EntityId| {
        let e = t.graph.entity(e);
        format!("{}:{}", e.kind.word(), e.name)
    };
    match of {
        Subject::Entity(e) => shown(e),
        Subject::Edge(a, b) => format!("{} -> {}", shown(a), shown(b)),
    }
}

/// Every series of the rollups, as lines.
pub fn rolled_up(t: &Telemetry, with_stat: bool) -> Vec<String> {
    let rollups = rollup::roll_up(&mut t.clone());
    let line = |s: &rollup::SignalSeries| {
        let stat = if with_stat { format!("{:?}", s.stat) } else { String::new() };
        format!(
            "{} {} {stat} [{}] step {} smear {} {:?} guessed {}: {:?}",
            subject(t, s.subject),
            t.signals.get(s.signal).name,
            s.dims,
            s.step,
            s.smear,
            s.origin,
            s.guessed,
            s.points
        )
    };
    let mut lines: Vec<String> = rollups.series.iter().map(line).collect();
    lines.push(format!("{} rows of operations", rollups.operations.len()));
    lines.push(format!("{} rows of calls", rollups.calls.len()));
    lines.sort();
    lines
}

/// Says where two lists of lines part, in few words; nothing where they do not.
pub fn same(what: &str, found: &[String], want: &[String]) -> Option<String> {
    let only = |a: &[String], b: &[String]| -> Vec<String> {
        let cut = |l: &String| l.chars().take(300).collect();
        a.iter().filter(|l| !b.contains(l)).take(3).map(cut).collect()
    };
    let (more, less) = (only(found, want), only(want, found));
    let counts = format!("{} lines for {}", found.len(), want.len());
    (found != want).then(|| format!("{what}: {counts}\nonly here: {more:#?}\nmissing: {less:#?}\n"))
}
