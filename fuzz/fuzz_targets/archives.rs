//! Packed files and archives, whatever is in them.
#![no_main]

mod hook;

use libfuzzer_sys::fuzz_target;
use rootline::ingest::{Settings, read_all};
use std::fs;

fuzz_target!(init: hook::spare_guarded(), |data: &[u8]| {
    let folder = tempfile::tempdir().expect("a scratch folder");
    fs::write(folder.path().join("a.zip"), data).expect("the scratch folder can be written");
    let _ = read_all(folder.path(), &Settings::default());
});
