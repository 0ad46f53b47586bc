//! A file of any format: the first byte chooses its name, by which some readers are told.
#![no_main]

mod hook;

use libfuzzer_sys::fuzz_target;
use rootline::catalog::Catalog;
use rootline::report::{self, Style};
use rootline::{Options, diagnose_with};
use std::fs;
use std::sync::LazyLock;

static CATALOG: LazyLock<Catalog> =
    LazyLock::new(|| Catalog::built_in().expect("the catalogue is sound"));

/// Names by which readers are told apart where the content does not.
const NAMES: [&str; 16] = [
    "a.json",
    "a.jsonl",
    "a.csv",
    "a.tsv",
    "a.txt",
    "a.log",
    "a.parquet",
    "a.arrow",
    "a.pb",
    "a.json.gz",
    "a.csv.zst",
    "pg_stat_activity.csv",
    "pg_stat_activity.txt",
    "postgresql.log",
    "manifest.json",
    "redis_info.txt",
];

fuzz_target!(init: hook::spare_guarded(), |data: &[u8]| {
    let Some((first, content)) = data.split_first() else { return };
    let folder = tempfile::tempdir().expect("a scratch folder");
    let name = NAMES[usize::from(*first) % NAMES.len()];
    fs::write(folder.path().join(name), content).expect("the scratch folder can be written");
    if let Ok(d) = diagnose_with(folder.path(), &CATALOG, &Options::default()) {
        report::text(&d, &Style::default());
        report::json(&d);
    }
});
