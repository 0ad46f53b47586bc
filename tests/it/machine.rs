//! Outputs for other programs, checked as those programs would read them.

use super::support::{Scratch, fixture, items, program, rootline, text};
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};

const FOLDERS: [&str; 4] = [
    "incidents/pool-exhaustion",
    "incidents/retry-storm",
    "incidents/node-not-ready",
    "healthy/cache-single-flight",
];

/// Standard output of a command on a fixture.
fn output(name: &str, args: &[&str]) -> String {
    let folder = fixture(name);
    let folder = folder.to_string_lossy();
    let run = rootline(&[args, &[&folder]].concat());
    assert_eq!(run.code, 0, "{}", run.err);
    run.out
}

/// The published schema of SARIF, as the package of its matchers carries it (tests/data).
fn sarif_validator() -> jsonschema::Validator {
    let path = super::support::root().join("tests/data/sarif-2.1.0-rtm.5.json");
    let schema = std::fs::read_to_string(path).expect("the schema is there");
    // One of its patterns has a bracket too much, which only lenient engines let pass.
    let mended = schema.replacen("{2}]?$", "{2}?$", 1);
    assert_ne!(mended, schema);
    let schema: Value = serde_json::from_str(&mended).expect("it is JSON");
    jsonschema::validator_for(&schema).expect("it is a schema")
}

/// What a validator says against a document.
pub fn faults(validator: &jsonschema::Validator, document: &Value) -> Vec<String> {
    validator.iter_errors(document).map(|e| format!("{e} at {}", e.instance_path())).collect()
}

#[test]
fn sarif_fits_its_schema() {
    let validator = sarif_validator();
    let mut broken = serde_json::json!({ "version": "2.1.0", "runs": [{ "tool": {} }] });
    assert!(!faults(&validator, &broken).is_empty(), "the schema refuses a tool without driver");
    broken["runs"] = serde_json::json!([]);
    for name in FOLDERS {
        let log: Value = serde_json::from_str(&output(name, &["diagnose", "--format", "sarif"]))
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(faults(&validator, &log), [""; 0], "{name}");
        let results = items(&log["runs"][0]["results"]);
        assert_eq!(results.is_empty(), name.starts_with("healthy"), "{name}");
        for r in results {
            let index = r["ruleIndex"].as_u64().expect("an index") as usize;
            assert_eq!(log["runs"][0]["tool"]["driver"]["rules"][index]["id"], r["ruleId"]);
        }
    }
}

#[test]
fn sarif_points_at_the_evidence() {
    let log: Value = serde_json::from_str(&output(FOLDERS[0], &["diagnose", "--format", "sarif"]))
        .expect("JSON");
    let first = &log["runs"][0]["results"][0];
    assert_eq!((text(&first["level"]), text(&first["kind"])), ("error", ""));
    let place = &first["locations"][0]["physicalLocation"];
    assert_eq!(text(&place["artifactLocation"]["uri"]), "pg/replica_pg_stat_activity.csv.gz");
    assert_eq!(place["region"]["startLine"], 730);
    let artifacts = items(&log["runs"][0]["artifacts"]);
    assert!(artifacts.iter().all(|a| text(&a["hashes"]["sha-256"]).len() == 64));
}

#[test]
fn lines_of_json_hold_what_the_document_holds() {
    for name in FOLDERS {
        let whole: Value =
            serde_json::from_str(&output(name, &["diagnose", "--format", "json"])).expect("JSON");
        let lines = output(name, &["diagnose", "--format", "ndjson"]);
        let lines: Vec<Value> =
            lines.lines().map(|l| serde_json::from_str(l).expect("a line is JSON")).collect();
        let of = |kind: &str| lines.iter().filter(|l| text(&l["type"]) == kind).count();
        assert_eq!((of("diagnosis"), text(&lines[0]["type"])), (1, "diagnosis"));
        for (kind, list) in [
            ("hypothesis", "hypotheses"),
            ("moment", "timeline"),
            ("gap", "gaps"),
            ("input", "inputs"),
        ] {
            assert_eq!(of(kind), items(&whole[list]).len(), "{name} {kind}");
        }
        assert_eq!(lines[0]["verdict"], whole["verdict"]);
    }
}

/// Runs Graphviz on a graph where it is installed; gives what it says against it.
pub fn graphviz(dot: &str) -> Option<String> {
    let mut child = Command::new("dot")
        .arg("-Tsvg")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take().expect("it was piped");
    stdin.write_all(dot.as_bytes()).expect("dot reads");
    drop(stdin);
    let out = child.wait_with_output().expect("dot ends");
    Some(format!(
        "{}{}",
        if out.status.success() { "" } else { "failed: " },
        String::from_utf8_lossy(&out.stderr)
    ))
}

/// Every line of a graph is a statement of our own with its strings closed.
pub fn dot_is_whole(dot: &str) {
    let mut lines = dot.lines();
    assert_eq!(lines.next(), Some("digraph dependencies {"));
    assert_eq!(lines.next_back(), Some("}"));
    for line in lines {
        let bare = line.replace("\\\\", "").replace("\\\"", "");
        let parts: Vec<&str> = bare.split('"').collect();
        assert!(parts.len() % 2 == 1 && line.ends_with(';'), "{line}");
        let outside: String = parts.iter().step_by(2).copied().collect();
        assert!(!outside.contains(['<', '\\', '{']), "{line}");
    }
    if let Some(said) = graphviz(dot) {
        assert_eq!(said, "");
    }
}

/// Every line of a Mermaid flow chart is of a shape of our own.
pub fn mermaid_is_whole(chart: &str) {
    assert!(chart.starts_with("flowchart LR\n"));
    for line in chart.lines().skip(1) {
        let labels: Vec<&str> = line.split('"').collect();
        assert!(matches!(labels.len(), 1 | 3), "{line}");
        let label = labels.get(1).map_or(String::new(), |l| l.replace("<br/>", ""));
        assert!(!label.contains(['<', '>', '[', ']', '`', '"', '|']), "{line}");
        let start = line.trim_start();
        let own = ["classDef ", "class n", "linkStyle ", "n"].iter().any(|s| start.starts_with(s));
        assert!(own, "{line}");
    }
}

#[test]
fn graphs_are_read_by_their_programs_and_mark_the_cause() {
    let dot = output(FOLDERS[0], &["graph", "--dot"]);
    dot_is_whole(&dot);
    let cause = dot.lines().find(|l| l.contains("penwidth=3")).expect("the cause is marked");
    assert!(cause.contains("pg-replica\\ncause"));
    let chart = output(FOLDERS[0], &["graph", "--mermaid"]);
    mermaid_is_whole(&chart);
    assert!(chart.contains("[\"pg-replica<br/>cause\"]") && chart.contains("linkStyle "));
    let plain = output(FOLDERS[0], &["graph", "--ascii"]);
    assert!(plain.contains("pg-replica (cause)") && plain.contains("calls -> catalog"), "{plain}");
}

#[test]
fn the_timeline_is_told_whole() {
    let plain = output(FOLDERS[0], &["timeline"]);
    let whole: Value =
        serde_json::from_str(&output(FOLDERS[0], &["timeline", "--format", "json"])).expect("JSON");
    assert_eq!(plain.lines().filter(|l| l.contains("onset")).count(), {
        items(&whole).iter().filter(|m| text(&m["kind"]) == "onset").count()
    });
    assert!(plain.contains("---- incident begins ----") && plain.contains("V42"));
    let migration = items(&whole).iter().find(|m| text(&m["said"]).contains("V42")).expect("there");
    assert_eq!(
        (text(&migration["place"]["file"]), &migration["place"]["line"]),
        ("events/changes.jsonl", &Value::from(2))
    );
}

#[test]
fn fail_on_and_strict_data_end_as_documented() {
    let folder = fixture(FOLDERS[0]);
    let folder = folder.to_string_lossy();
    let code = |args: &[&str]| rootline(&[&["diagnose", "-q", &folder], args].concat()).code;
    assert_eq!(code(&[]), 0);
    assert_eq!(code(&["--fail-on", "likely"]), 4);
    assert_eq!(code(&["--fail-on", "confirmed"]), 4);
    let healthy = fixture(FOLDERS[3]);
    let healthy = healthy.to_string_lossy();
    let code = |args: &[&str]| rootline(&[&["diagnose", "-q", &healthy], args].concat()).code;
    assert_eq!(code(&["--fail-on", "likely"]), 0);
    assert_eq!(code(&["--fail-on", "never"]), 2);
}

#[test]
fn a_single_output_is_kept_without_force_and_dash_is_standard_output() {
    let scratch = Scratch::new();
    let folder = fixture(FOLDERS[3]);
    let folder = folder.to_string_lossy();
    let file = scratch.path().join("graph.dot").to_string_lossy().into_owned();
    let args = ["graph", "--dot", "-o", &file, &folder];
    assert_eq!((rootline(&args).code, rootline(&args).code), (0, 2));
    assert_eq!(rootline(&[&args[..], &["--force"]].concat()).code, 0);
    let left = super::support::files(scratch.path());
    assert_eq!(left.len(), 1, "no part file is left: {left:?}");
    assert!(rootline(&["graph", "--dot", "-o", "-", &folder]).out.starts_with("digraph"));
    let out = program(&["timeline", &folder]).output().expect("it runs");
    assert!(out.status.success());
}
