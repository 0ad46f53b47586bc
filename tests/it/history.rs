//! Diagnoses side by side, the history of them, the schema of the answer, completions, man pages.

use super::machine::faults;
use super::support::{Scratch, diagnosed, fixture, folders, items, rootline, text};
use serde_json::Value;

fn arg(name: &str) -> String {
    fixture(name).to_string_lossy().into_owned()
}

#[test]
fn the_answer_fits_its_published_schema() {
    let run = rootline(&["schema"]);
    let schema: Value = serde_json::from_str(&run.out).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("it is a schema");
    let all = [folders("incidents"), folders("healthy")].concat();
    let mut some: Vec<_> = all.iter().step_by(5).collect();
    let shipped = fixture("incidents/pool-exhaustion");
    some.push(&shipped);
    assert!(some.len() > 10);
    for folder in some {
        assert_eq!(faults(&validator, &diagnosed(folder)), [""; 0], "{}", folder.display());
    }
    let mut broken = diagnosed(&shipped);
    broken["verdict"] = Value::from("perhaps");
    broken["hypotheses"][0]["probability"] = Value::from("high");
    assert_eq!(faults(&validator, &broken).len(), 2);
    broken.as_object_mut().expect("an object").remove("gaps");
    assert_eq!(faults(&validator, &broken).len(), 3);
}

#[test]
fn a_diagnosis_is_like_itself_and_a_difference_is_told() {
    let (a, b) = (arg("incidents/pool-exhaustion"), arg("incidents/retry-storm"));
    let same = rootline(&["diff", &a, &a, "--format", "json"]).json();
    assert_eq!(
        (same["similarity"].as_f64(), &same["same_signature"]),
        (Some(1.0), &Value::from(true))
    );
    assert!(items(&same["only_a"]).is_empty() && items(&same["only_b"]).is_empty());
    let other = rootline(&["diff", &a, &b, "--format", "json"]).json();
    assert_eq!(other["same_signature"], false);
    assert!(other["similarity"].as_f64().is_some_and(|s| s < 0.5), "{}", other["similarity"]);
    let plain = rootline(&["diff", &a, &b]).out;
    assert!(plain.contains("another signature stands first") && plain.contains("ONLY IN A"));
    // A diagnosis that was written as JSON stands for its folder.
    let scratch = Scratch::new();
    let file = scratch.path().join("a.json").to_string_lossy().into_owned();
    assert_eq!(rootline(&["diagnose", "-q", "-o", &file, &a]).code, 0);
    let stored = rootline(&["diff", &file, &a, "--format", "json"]).json();
    assert_eq!(stored["similarity"].as_f64(), Some(1.0));
    assert_eq!(stored["a"], stored["b"]);
}

#[test]
fn a_history_finds_what_was_seen_before() {
    let scratch = Scratch::new();
    let store = scratch.path().join("kept").to_string_lossy().into_owned();
    let history = |args: &[&str]| rootline(&[&["history", "--store", &store], args].concat());
    let missing = history(&["search", &arg("incidents/pool-exhaustion")]);
    assert_eq!(missing.code, 2, "{}", missing.err);
    for name in [
        "incidents/standby-replay-stalled",
        "incidents/node-not-ready",
        "incidents/pool-exhaustion",
    ] {
        let run = history(&["add", &arg(name)]);
        assert_eq!(run.code, 0, "{}", run.err);
    }
    // The same data again is the same file.
    assert_eq!(history(&["add", &arg("incidents/pool-exhaustion")]).code, 0);
    assert_eq!(super::support::files(std::path::Path::new(&store)).len(), 3);
    scratch.file("kept/odd.json", b"{\"schema\":1}");
    let found = history(&["search", "--format", "json", &arg("incidents/pool-exhaustion")]);
    assert!(found.err.contains("odd.json"), "{}", found.err);
    let found = found.json();
    let first = &items(&found)[0];
    // Both share that the standby lags; the incident itself is left out.
    assert!(first[1].as_f64().is_some_and(|s| s > 0.0 && s < 1.0), "{first}");
    assert!(items(&first[2]["findings"]).iter().any(|f| text(&f["signature"]) == "replica-lag"));
}

#[test]
fn completions_and_man_pages_name_the_commands() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = rootline(&["completions", shell]);
        assert!(
            run.code == 0 && run.out.contains("diagnose") && run.out.contains("fail-on"),
            "{shell}"
        );
    }
    let scratch = Scratch::new();
    let dir = scratch.arg();
    assert_eq!(rootline(&["man", "--dir", &dir]).code, 0);
    let page = std::fs::read_to_string(scratch.path().join("rootline-diagnose.1")).expect("a page");
    assert!(page.contains("fail\\-on") && page.starts_with(".ie"), "{}", &page[..200]);
    assert!(scratch.path().join("rootline-history-add.1").exists());
    assert_eq!(rootline(&["man", "--dir", &dir]).code, 2, "pages are kept without --force");
    assert!(rootline(&["man"]).out.contains("rootline"));
}
