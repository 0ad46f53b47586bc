//! The files that a person writes beside the exports, next to an export that is sound.
#![no_main]

mod hook;

use libfuzzer_sys::fuzz_target;
use rootline::catalog::Catalog;
use rootline::{Options, diagnose_with};
use std::fs;
use std::sync::LazyLock;

static CATALOG: LazyLock<Catalog> =
    LazyLock::new(|| Catalog::built_in().expect("the catalogue is sound"));

const NAMES: [&str; 7] = [
    "incident.toml",
    "topology.toml",
    "topology.csv",
    "mapping.toml",
    "params.toml",
    "suppress.toml",
    "events.csv",
];

fuzz_target!(init: hook::spare_guarded(), |data: &[u8]| {
    let Some((first, content)) = data.split_first() else { return };
    let folder = tempfile::tempdir().expect("a scratch folder");
    let name = NAMES[usize::from(*first) % NAMES.len()];
    fs::write(folder.path().join(name), content).expect("the scratch folder can be written");
    let good = include_bytes!("../../fixtures/formats/table/wide.csv");
    fs::write(folder.path().join("good.csv"), good).expect("the scratch folder can be written");
    let _ = diagnose_with(folder.path(), &CATALOG, &Options::default());
});
