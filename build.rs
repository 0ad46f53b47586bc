//! Lists every signature and every drill, so that a new one needs no line of Rust.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    list("signatures", "signatures.rs");
    list("fixtures/drills", "drills.rs");
}

/// Writes the files of a folder as a list of path and text.
fn list(folder: &str, name: &str) {
    println!("cargo::rerun-if-changed={folder}");
    let mut files = Vec::new();
    collect(Path::new(folder), &mut files);
    files.sort();
    let mut list = String::from("[\n");
    for file in files {
        let shown = file.display().to_string().replace('\\', "/");
        let full = fs::canonicalize(&file).expect("a file that was just listed exists");
        let full = full.display().to_string();
        writeln!(list, "    ({shown:?}, include_str!({full:?})),").expect("strings grow");
    }
    list.push_str("]\n");
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(out.join(name), list).expect("OUT_DIR is writable");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_toml = path.extension().is_some_and(|e| e == "toml");
        if path.is_dir() {
            println!("cargo::rerun-if-changed={}", path.display());
            collect(&path, files);
        } else if is_toml && path.file_name().is_some_and(|n| n != "signals.toml") {
            files.push(path);
        }
    }
}
