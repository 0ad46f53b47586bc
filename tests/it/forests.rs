//! The blocking forest of every snapshot against the one that PostgreSQL itself computed while the
//! snapshots were taken: a recursive query over pg_blocking_pids of the same rows, kept below
//! `fixtures/forests/<incident>/<server>.csv.gz` (waiter, root, length of the shortest chain).

use super::support::{files, fixture, folders, name};
use flate2::read::GzDecoder;
use rootline::features::forest;
use rootline::ingest::{self, Settings};
use rootline::model::{Micros, Window};
use rootline::normalize::normalize;
use rootline::telemetry::Telemetry;
use rootline::time;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;

/// Waiter, root and depth by time of the snapshot.
type Forest = BTreeMap<Micros, BTreeSet<(i64, i64, usize)>>;

fn computed_live(path: &std::path::Path) -> Forest {
    let mut text = String::new();
    let file = File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    GzDecoder::new(file).read_to_string(&mut text).expect("a CSV file");
    let mut forest = Forest::new();
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let [at, waiter, root, depth] = cells[..] else { panic!("{line}") };
        let at = time::parse(at, &time::Zone::default()).expect("a time").at;
        let number = |text: &str| text.parse::<i64>().expect("a number");
        let wait = (number(waiter), number(root), number(depth) as usize);
        forest.entry(at).or_default().insert(wait);
    }
    forest
}

fn telemetry(incident: &str) -> Telemetry {
    let folder = fixture("incidents").join(incident);
    let raw = ingest::read_folder(&folder, &Settings::default()).expect("a fixture is read");
    normalize(raw).expect("it is understood")
}

fn ours(telemetry: &Telemetry, server: &str) -> Forest {
    let all = Window { from: i64::MIN, to: i64::MAX };
    let mut found = Forest::new();
    for snapshot in forest::snapshots(telemetry, all) {
        if telemetry.graph.entity(snapshot.database).name == server {
            let waits = forest::waits(&snapshot.rows);
            let waits = waits.iter().map(|w| (w.waiter, w.root, w.depth)).collect();
            found.insert(snapshot.at, waits);
        }
    }
    found
}

#[test]
fn the_forest_is_the_one_that_postgresql_computed_on_every_snapshot() {
    let (mut snapshots, mut waits) = (0, 0);
    for folder in folders("forests") {
        let incident = name(&folder);
        let telemetry = telemetry(&incident);
        for file in files(&folder) {
            let server = name(&file).trim_end_matches(".csv.gz").to_owned();
            let (live, ours) = (computed_live(&file), ours(&telemetry, &server));
            assert!(!ours.is_empty(), "{incident}: no snapshots of {server}");
            for at in live.keys() {
                assert!(ours.contains_key(at), "{incident}: snapshot {} is lost", time::clock(*at));
            }
            // A snapshot without a line has nobody waiting.
            let none = BTreeSet::new();
            for (at, own) in &ours {
                let wanted = live.get(at).unwrap_or(&none);
                assert_eq!(own, wanted, "{incident}, {server} at {}", time::clock(*at));
                snapshots += 1;
                waits += own.len();
            }
        }
    }
    assert!(snapshots > 200 && waits > 1000, "only {snapshots} snapshots, {waits} waits");
}
