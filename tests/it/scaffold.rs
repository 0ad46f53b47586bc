//! `catalog new`: what it makes is sound but for what is marked, and nothing is overwritten.

use super::support::{Run, Scratch, files, fixture, rootline};
use std::fs;

const ID: &str = "slow-tap";

fn catalog(folder: &Scratch, args: &[&str]) -> Run {
    let signatures = folder.path().join("signatures");
    let signatures = signatures.to_string_lossy();
    let place = ["--root", &folder.arg(), "--signatures", &signatures].map(str::to_owned);
    let place: Vec<&str> = place.iter().map(String::as_str).collect();
    rootline(&[&["catalog"], args, &place].concat())
}

fn new(folder: &Scratch) -> Run {
    catalog(folder, &["new", ID, "--category", "leak", "--title", "A tap drips"])
}

#[test]
fn a_new_signature_is_sound_but_for_what_is_to_be_filled_in() {
    let folder = Scratch::new();
    let run = new(&folder);
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(files(folder.path()).len(), 3, "{}", run.out);
    let lint = catalog(&folder, &["lint"]);
    assert_eq!(lint.code, 3, "{}", lint.out);
    let errors: Vec<&str> = lint.out.lines().filter(|l| l.starts_with("error: ")).collect();
    assert!(errors.len() >= 15, "{}", lint.out);
    let other: Vec<&&str> = errors.iter().filter(|l| !l.contains("to be filled in")).collect();
    assert!(other.is_empty(), "{other:?}");
    // Filled in and recorded, nothing is left to say.
    for file in files(folder.path()) {
        let text = fs::read_to_string(&file).expect("it was just written");
        fs::write(&file, text.replace("FILL IN: ", "")).expect("the scratch folder can be written");
    }
    let recording = fs::read(fixture("formats/incident/wide.csv")).expect("there");
    for kind in [format!("incidents/{ID}"), format!("healthy/{ID}-near-miss")] {
        folder.file(&format!("fixtures/{kind}/wide.csv"), &recording);
    }
    let lint = catalog(&folder, &["lint"]);
    assert_eq!(lint.code, 0, "{}", lint.out);
    assert!(lint.out.contains("1 signatures, 0 errors"), "{}", lint.out);
    let shown = catalog(&folder, &["show", ID]);
    assert!(shown.out.contains("NEW-0001 slow-tap: A tap drips"), "{}", shown.out);
}

#[test]
fn nothing_is_overwritten_and_nothing_half_written() {
    let folder = Scratch::new();
    assert_eq!(new(&folder).code, 0);
    let before: Vec<Vec<u8>> =
        files(folder.path()).iter().map(|f| fs::read(f).expect("there")).collect();
    let again = new(&folder);
    assert_eq!(again.code, 2, "{}", again.out);
    assert!(again.err.contains("there is a signature \"slow-tap\""), "{}", again.err);
    let after: Vec<Vec<u8>> =
        files(folder.path()).iter().map(|f| fs::read(f).expect("there")).collect();
    assert!(before == after);
    // A fixture of that name without a signature is somebody's recording.
    let folder = Scratch::with(&[("fixtures/healthy/slow-tap-near-miss/truth.toml", b"mine")]);
    let run = new(&folder);
    assert_eq!(run.code, 2, "{}", run.out);
    assert!(run.err.contains("the file exists"), "{}", run.err);
    assert_eq!(files(folder.path()).len(), 1, "nothing else was written");
}

#[test]
fn ids_and_categories_that_do_not_exist_are_usage_errors() {
    let folder = Scratch::new();
    for id in ["../tap", "Tap", "a b", "tap/../../x"] {
        let run = catalog(&folder, &["new", id]);
        assert_eq!(run.code, 2, "{id}: {}", run.out);
        assert!(run.err.contains("is no id"), "{id}: {}", run.err);
    }
    let run = catalog(&folder, &["new", ID, "--category", "leek"]);
    assert_eq!(run.code, 2, "{}", run.out);
    assert!(run.err.contains("did you mean \"leak\"?"), "{}", run.err);
    assert!(files(folder.path()).is_empty());
}
