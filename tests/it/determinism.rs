//! Same input, same bytes: whatever the threads, the order on the disk or the folder's name.

use super::support::{Scratch, files, finish, fixture, program};
use std::fs;
use std::path::Path;

const FOLDERS: [&str; 3] =
    ["incidents/pool-exhaustion", "incidents/retry-storm", "healthy/uniform-load-growth"];

/// JSON and text of a folder, with variables of the environment.
fn answers(folder: &Path, variables: &[(&str, &str)]) -> [String; 2] {
    let folder = folder.to_string_lossy();
    ["json", "text"].map(|format| {
        let mut command = program(&["diagnose", &folder, "--format", format, "-v"]);
        let run = finish(command.envs(variables.iter().copied()));
        assert_eq!(run.code, 0, "{}", run.err);
        run.out
    })
}

/// Compares two answers and shows the first line that differs.
fn same(a: &[String; 2], b: &[String; 2], what: &str) {
    for (a, b) in a.iter().zip(b) {
        if a != b {
            let differs = a.lines().zip(b.lines()).find(|(x, y)| x != y);
            panic!("{what} changes the answer: {differs:#?}");
        }
    }
}

#[test]
fn a_second_run_gives_the_same_bytes() {
    for name in FOLDERS {
        let folder = fixture(name);
        same(&answers(&folder, &[]), &answers(&folder, &[]), name);
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    for name in FOLDERS {
        let folder = fixture(name);
        let one = [("RAYON_NUM_THREADS", "1"), ("POLARS_MAX_THREADS", "1")];
        let first = answers(&folder, &one);
        same(&first, &answers(&folder, &[("RAYON_NUM_THREADS", "4")]), name);
        same(&first, &answers(&folder, &[("POLARS_MAX_THREADS", "4")]), name);
    }
}

#[test]
fn the_order_on_the_disk_and_the_folders_name_change_nothing() {
    for name in FOLDERS {
        let folder = fixture(name);
        let mut paths = files(&folder);
        let forth = Scratch::copy(&folder, |_| false);
        let back = Scratch::new();
        paths.reverse();
        for path in &paths {
            let inner = path.strip_prefix(&folder).expect("below it").to_string_lossy();
            back.file(&inner, &fs::read(path).expect("the fixture can be read"));
        }
        let plain = answers(&folder, &[]);
        same(&plain, &answers(forth.path(), &[]), "another name of the folder");
        same(&plain, &answers(back.path(), &[]), "another order of creation");
        let slash = format!("{}/", folder.display());
        same(&plain, &answers(Path::new(&slash), &[]), "a slash at the end");
    }
}

#[test]
fn a_file_without_times_does_not_stretch_the_recording_by_when_it_was_copied() {
    let settings = "fixtures/formats/pg-settings/main_pg_settings-2026-11-21T04-31-30.csv";
    let settings = fs::read(super::support::root().join(settings)).expect("the settings are there");
    let answer = |days: u64| {
        let folder = Scratch::copy(&fixture("healthy/pool-exhaustion-before"), |_| false);
        // Its name says no time either: what is left is when it was last modified.
        let path = folder.file("pg/primary_pg_settings.csv", &settings);
        let last = std::time::UNIX_EPOCH + std::time::Duration::from_secs(20_800 * 86_400);
        let then = last + std::time::Duration::from_secs(days * 86_400);
        let file = fs::File::options().append(true).open(&path).expect("it was written");
        file.set_modified(then).expect("the time can be set");
        let run = finish(&mut program(&["diagnose", &folder.path().to_string_lossy()]));
        assert_eq!(run.code, 0, "{}", run.err);
        assert!(run.out.contains("HEALTHY"), "{}", run.out);
        let recorded = run.out.lines().find(|l| l.contains("RECORDING")).map(str::to_owned);
        recorded.expect("the report says what was recorded")
    };
    assert_eq!(answer(0), answer(400));
}
