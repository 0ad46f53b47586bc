//! A file of any format: the first byte chooses its name, by which some readers are told.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rootline::Options;
use std::fs;

/// Names by which readers are told apart where the content does not.
const NAMES: [&str; 16] = [
    "a.json", "a.jsonl", "a.csv", "a.tsv", "a.txt", "a.log", "a.parquet", "a.arrow", "a.pb",
    "a.json.gz", "a.csv.zst", "pg_stat_activity.csv", "pg_stat_activity.txt", "postgresql.log",
    "manifest.json", "redis_info.txt",
];

fuzz_target!(|data: &[u8]| {
    let Some((first, content)) = data.split_first() else { return };
    let folder = tempfile::tempdir().expect("a scratch folder");
    let name = NAMES[usize::from(*first) % NAMES.len()];
    fs::write(folder.path().join(name), content).expect("the scratch folder can be written");
    let _ = rootline::diagnose(folder.path(), &Options::default());
});
