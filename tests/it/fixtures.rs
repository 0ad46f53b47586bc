//! Every recorded incident and every healthy stretch against its truth, through the program.

use super::support::{diagnosed, folders, items, name, root, text};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What `truth.toml` says.
struct Truth {
    verdict: String,
    entity: Vec<String>,
    signature: Vec<String>,
    not: Vec<String>,
}

fn truth(folder: &Path) -> Truth {
    let text = fs::read_to_string(folder.join("truth.toml")).expect("a fixture has a truth");
    let file: toml::Table = text.parse().unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let get = |key: &str| file["truth"].get(key).cloned();
    let list = |key: &str| -> Vec<String> {
        let found = get(key).and_then(|v| v.as_array().cloned()).unwrap_or_default();
        found.iter().filter_map(|v| v.as_str()).map(str::to_owned).collect()
    };
    Truth {
        verdict: get("verdict").and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default(),
        entity: list("entity"),
        signature: list("signature"),
        not: list("not"),
    }
}

/// Signatures that say that nothing is wrong.
fn null_hypotheses() -> BTreeSet<String> {
    let files = super::support::files(&root().join("signatures/normal"));
    files.iter().map(|p| name(p).trim_end_matches(".toml").to_owned()).collect()
}

fn shown(h: &Value) -> String {
    let signature = h["signature"].as_str().unwrap_or("unclassified");
    format!("{signature} on {} ({:.2})", text(&h["entity"]["name"]), h["probability"])
}

/// What is wrong with one answer; empty when it is right.
fn faults(folder: &Path) -> Vec<String> {
    let truth = truth(folder);
    let d = diagnosed(folder);
    let mut found = Vec::new();
    let first = &d["hypotheses"][0];
    let signature = text(&first["signature"]);
    if truth.not.iter().any(|n| n == signature) {
        found.push(format!("{} stands at rank 1 and is excluded", shown(first)));
    }
    if truth.verdict == "healthy" {
        if text(&d["verdict"]) != "healthy" {
            found.push(format!("verdict {}: {}", d["verdict"], shown(first)));
        }
        return found;
    }
    if text(&d["verdict"]) == "healthy" {
        found.push("verdict healthy in an incident".to_owned());
    }
    let (place, service) = (text(&first["entity"]["name"]), text(&first["entity"]["service"]));
    if !truth.entity.iter().any(|e| e == place || e == service) {
        found.push(format!("{} is not at {}", shown(first), truth.entity.join(" or ")));
    }
    let null = null_hypotheses();
    let mut wanted = truth.signature.iter().filter(|s| !null.contains(*s)).peekable();
    if wanted.peek().is_some() && !wanted.any(|s| s == signature) {
        found.push(format!("{} is not {}", shown(first), truth.signature.join(" or ")));
    }
    found
}

/// Checks every folder of a kind; says everything that is wrong at once.
fn all_are_right(kind: &str, at_least: usize) {
    let folders = folders(kind);
    assert!(folders.len() >= at_least, "only {} fixtures in {kind}", folders.len());
    let wrong: Vec<String> = folders
        .iter()
        .flat_map(|f| faults(f).into_iter().map(|what| format!("{}: {what}", name(f))))
        .collect();
    assert!(wrong.is_empty(), "\n  {}", wrong.join("\n  "));
}

#[test]
fn every_incident_names_its_true_cause_first() {
    all_are_right("incidents", 11);
}

#[test]
fn every_healthy_stretch_is_called_healthy() {
    all_are_right("healthy", 5);
}

#[test]
fn every_answer_is_complete() {
    for folder in [folders("incidents"), folders("healthy")].concat() {
        let d = diagnosed(&folder);
        let at = name(&folder);
        assert_eq!(d["schema_version"], 1, "{at}");
        assert!(!items(&d["reasons"]).is_empty(), "{at}: a verdict has reasons");
        let ranks: Vec<u64> =
            items(&d["hypotheses"]).iter().filter_map(|h| h["rank"].as_u64()).collect();
        assert_eq!(ranks, (1..=ranks.len() as u64).collect::<Vec<_>>(), "{at}: ranks");
        let sum: f64 =
            items(&d["hypotheses"]).iter().filter_map(|h| h["probability"].as_f64()).sum();
        assert!(sum <= 1.0 + 1e-9, "{at}: probabilities sum to {sum}");
        let read: BTreeSet<&str> = items(&d["inputs"]).iter().map(|i| text(&i["path"])).collect();
        assert!(!read.contains("truth.toml"), "{at}: the truth was read");
        for evidence in items(&d["hypotheses"]).iter().flat_map(|h| items(&h["evidence"])) {
            let file = text(&evidence["source"]["file"]);
            assert!(file.is_empty() || read.contains(file), "{at}: evidence from {file}");
        }
    }
}
