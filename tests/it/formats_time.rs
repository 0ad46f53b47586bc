//! Times of several files: zones found by overlap, wrong zones, clocks and sampling.
//!
//! The folders are recorded fixtures, copied; sessions of `pool-exhaustion` are rewritten without
//! their zone and moved by whole hours, as `psql` prints them in another `timezone`.

use super::support::{self, Scratch, fixture, items, text};
use flate2::read::GzDecoder;
use rootline::ingest::{Settings, read_folder};
use rootline::time::Zone;
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::path::Path;

/// Copies a fixture; files whose name contains `part` are unpacked and rewritten.
fn copy(name: &str, to: &Path, part: &str, rewrite: impl Fn(&str) -> String) {
    let from = fixture(name);
    for path in support::files(&from) {
        let inner = path.strip_prefix(&from).expect("below the fixture").to_owned();
        let target = to.join(&inner);
        fs::create_dir_all(target.parent().expect("a folder")).expect("scratch");
        if !inner.to_string_lossy().contains(part) {
            fs::copy(&path, &target).expect("copied");
            continue;
        }
        let stored = fs::read(&path).expect("readable");
        let mut plain = String::new();
        GzDecoder::new(stored.as_slice()).read_to_string(&mut plain).expect("gzip of text");
        fs::write(target.with_extension(""), rewrite(&plain)).expect("written");
    }
}

/// Every time with the offset `+00` without it, on clocks that are `hours` ahead.
fn without_zone(csv: &str, hours: i64) -> String {
    let mut out = String::new();
    for whole in csv.split_inclusive([',', '\n']) {
        let cell = whole.trim_end_matches([',', '\n']);
        let bare = cell.strip_suffix("+00").and_then(|c| c.parse::<jiff::civil::DateTime>().ok());
        match bare {
            Some(t) => {
                let moved = t.saturating_add(jiff::Span::new().hours(hours));
                out.push_str(&moved.strftime("%Y-%m-%d %H:%M:%S%.f").to_string());
                out.push_str(&whole[cell.len()..]);
            }
            None => out.push_str(whole),
        }
    }
    out
}

/// The answer without what names files and gaps.
fn answer(folder: &Path) -> [Value; 3] {
    let found = support::diagnosed(folder);
    let hypotheses = items(&found["hypotheses"]).iter();
    let ranked: Vec<Value> = hypotheses
        .map(|h| serde_json::json!([h["signature"], h["entity"], h["probability"]]))
        .collect();
    [found["verdict"].clone(), found["window"].clone(), Value::from(ranked)]
}

#[test]
fn sessions_without_a_zone_give_the_same_diagnosis() {
    let plain = fixture("incidents/pool-exhaustion");
    for (hours, zone) in [(2, "UTC+02:00"), (-5, "UTC-05:00")] {
        let scratch = Scratch::new();
        let to = scratch.path();
        copy("incidents/pool-exhaustion", to, "pg_stat_activity", |t| without_zone(t, hours));
        assert_eq!(answer(to), answer(&plain));
        let found = support::diagnosed(to);
        let said = items(&found["gaps"]).iter().map(|g| text(&g["what"]));
        let read = format!("times have no zone: read as {zone}, where they overlap the other");
        assert_eq!(said.filter(|w| w.starts_with(&read)).count(), 2);
        // What the user names is never replaced.
        let settings = Settings { zone: Zone::named("UTC"), ..Settings::default() };
        let named = read_folder(to, &settings).expect("it is read");
        let same = read_folder(&plain, &Settings::default()).expect("it is read");
        let first = |r: &rootline::ingest::raw::Raw| r.sessions.iter().map(|s| s.at).min();
        let moved = first(&named).zip(first(&same)).map(|(a, b)| (a - b) / 3_600_000_000);
        assert_eq!(moved, Some(hours));
    }
}

#[test]
fn a_wrong_zone_is_doubted_and_nothing_moves() {
    let scratch = Scratch::new();
    let to = scratch.path();
    let wrong = |t: &str| t.replace("+00,", "-05,").replace("+00\n", "-05\n");
    copy("incidents/pool-exhaustion", to, "pg_stat_activity", wrong);
    let raw = read_folder(to, &Settings::default()).expect("it is read");
    let doubted = raw.gaps.iter().filter(|g| g.what.contains("if moved by -05:00"));
    let files: Vec<&str> = doubted.filter_map(|g| g.file.as_deref()).collect();
    assert_eq!(files, ["pg/primary_pg_stat_activity.csv", "pg/replica_pg_stat_activity.csv"]);
}

/// Recordings in which scrapes really are missing (a stalled recorder, a target that was down or
/// scaled away), and the one whose clocks really differ.
const TRUE_ALARMS: [&str; 6] = [
    "clock-skew",
    "deadlock-burst",
    "harmless-change",
    "restarting-service",
    "scaled-to-zero",
    "telemetry-blind-spot",
];

#[test]
fn recorded_folders_have_no_false_alarm_about_time() {
    for kind in ["incidents", "healthy"] {
        for folder in support::folders(kind) {
            if TRUE_ALARMS.iter().any(|f| folder.ends_with(f)) {
                continue;
            }
            let found = support::diagnosed(&folder);
            for gap in items(&found["gaps"]) {
                let what = text(&gap["what"]);
                let alarms = ["clocks differ", "timezone mistake", "have no zone", "scrapes are"];
                assert!(!alarms.iter().any(|a| what.contains(a)), "{}: {what}", folder.display());
            }
        }
    }
}

#[test]
fn every_file_of_a_folder_has_its_step() {
    let raw = read_folder(&fixture("incidents/pool-leak"), &Settings::default()).expect("read");
    let with_step = raw.times.iter().filter_map(|t| t.step);
    assert_eq!(with_step.collect::<Vec<_>>(), [5_000_000; 3]);
    assert!(raw.times.iter().all(|t| t.first <= t.last && t.missed == 0));
}
