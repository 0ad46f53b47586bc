//! A site's own numbers (`params.toml`) and accepted findings (`suppress.toml`): in the folder and
//! on the command line, shown wherever they act, and never a reason to fall over.

use super::support::{Scratch, diagnosed, fixture, items, rootline, text};
use rootline::ingest::{Settings, read_folder};
use serde_json::Value;

const INCIDENT: &str = "incidents/pool-undersized";
const TRUE_ONE: &str = "pool-undersized";

/// The incident with a companion file.
fn with(name: &str, content: &str) -> Scratch {
    let folder = Scratch::copy(&fixture(INCIDENT), |_| false);
    folder.file(name, content.as_bytes());
    folder
}

/// An override that lets the true signature match nowhere.
const STRICT: &str = "schema = 1\n[params.pool-undersized]\n\
    full_share = { value = 1.01, unit = \"ratio\", why = \"full by design\" }\n";

fn suppression(subject: &str, until: &str) -> String {
    format!(
        "schema = 1\n[[suppress]]\nid = \"{TRUE_ONE}\"\nsubject = \"{subject}\"\n\
         until = \"{until}\"\nreason = \"larger database in January\"\n"
    )
}

fn first(d: &Value) -> &str {
    text(&d["hypotheses"][0]["signature"])
}

fn matched(d: &Value) -> bool {
    items(&d["hypotheses"]).iter().any(|h| h["signature"] == TRUE_ONE)
}

fn gap<'a>(d: &'a Value, words: &str) -> &'a Value {
    let found = items(&d["gaps"]).iter().find(|g| text(&g["what"]).contains(words));
    found.unwrap_or_else(|| panic!("no gap says \"{words}\": {}", d["gaps"]))
}

#[test]
fn the_companions_of_a_site_are_read_with_their_lines() {
    let read = |name: &str| read_folder(&fixture(name), &Settings::default()).expect("read");
    let raw = read("formats/params");
    assert_eq!(raw.site.params.len(), 2);
    assert_eq!((raw.files[0].reader.as_str(), raw.files[0].rows), ("params", 2));
    let raw = read("formats/suppress");
    assert_eq!(raw.site.suppressions.len(), 2);
    assert_eq!((raw.files[0].reader.as_str(), raw.files[0].rows), ("suppress", 2));
    assert!(raw.series.is_empty() && raw.gaps.is_empty(), "companions, not telemetry");
}

#[test]
fn a_number_of_the_site_acts_and_is_shown() {
    let plain = diagnosed(&fixture(INCIDENT));
    assert_eq!(first(&plain), TRUE_ONE);
    assert!(items(&plain["overrides"]).is_empty());
    let folder = with("params.toml", STRICT);
    let d = diagnosed(folder.path());
    assert!(!matched(&d), "no pool is full for more than the whole incident");
    let own = &d["overrides"][0];
    assert_eq!((own["value"].as_f64(), own["default"].as_f64()), (Some(1.01), Some(0.4)));
    assert_eq!((text(&own["unit"]), text(&own["place"])), ("ratio", "params.toml:3"));
    assert_eq!(d["series"], plain["series"], "companions, not telemetry");
    let report = rootline(&["diagnose", &folder.arg()]).out;
    let said = "full_share of pool-undersized is 1.01 ratio instead of 0.4: full by design";
    assert!(report.contains(said), "{report}");
}

#[test]
fn the_command_line_beats_the_folder_and_reaches_explain() {
    let folder = with("params.toml", STRICT);
    let outside = Scratch::new();
    let lax = outside.file("site.toml", STRICT.replace("1.01", "0.3").as_bytes());
    let lax = lax.to_string_lossy();
    let args = ["diagnose", "--format", "json", "--params", &lax, &folder.arg()];
    let run = rootline(&args);
    assert_eq!(run.code, 0, "{}", run.err);
    let d = run.json();
    assert_eq!(first(&d), TRUE_ONE);
    assert_eq!(d["overrides"][0]["value"], 0.3);
    gap(&d, "is also set in params.toml:3");
    let page = rootline(&["explain", TRUE_ONE, "--params", &lax, "--width", "200"]).out;
    let said = "full_share = 0.3 ratio at this site instead of 0.4";
    assert!(page.contains(said), "{page}");
    let page = rootline(&["explain", TRUE_ONE]).out;
    assert!(page.contains("full_share = 0.4 ratio: ") && !page.contains("at this site"), "{page}");
}

#[test]
fn what_does_not_exist_is_a_gap_in_the_folder_and_an_error_on_the_command_line() {
    let cases = [
        ("pool-undersizd", "full_share", "ratio", "did you mean \"pool-undersized\"?"),
        ("pool-undersized", "ful_share", "ratio", "did you mean \"full_share\"?"),
        ("pool-undersized", "full_share", "%", "is \"ratio\", not \"%\""),
    ];
    for (id, param, unit, said) in cases {
        let content =
            format!("schema = 1\n[params.{id}]\n{param} = {{ value = 0.5, unit = \"{unit}\" }}\n");
        let folder = with("params.toml", &content);
        let d = diagnosed(folder.path());
        let gap = gap(&d, said);
        assert_eq!((text(&gap["file"]), gap["line"].as_u64()), ("params.toml", Some(3)));
        assert_eq!(first(&d), TRUE_ONE, "the rest holds");
        let file = folder.path().join("params.toml");
        let file = file.to_string_lossy();
        for command in ["diagnose", "inspect"] {
            let run = rootline(&[command, &fixture(INCIDENT).to_string_lossy(), "--params", &file]);
            assert_eq!(run.code, 2, "{command}: {}", run.err);
            assert!(run.err.contains("params.toml:3") && run.err.contains(said), "{}", run.err);
        }
    }
    let run = rootline(&["explain", TRUE_ONE, "--params", "no/such.toml"]);
    assert_eq!(run.code, 2, "{}", run.err);
}

#[test]
fn a_suppressed_finding_stays_visible_and_is_not_the_answer() {
    for subject in ["billing", "*"] {
        let folder = with("suppress.toml", &suppression(subject, "2027-01-31"));
        let d = diagnosed(folder.path());
        assert!(!matched(&d), "it is not counted");
        let own = &d["suppressed"][0];
        assert_eq!((text(&own["signature"]), text(&own["place"])), (TRUE_ONE, "suppress.toml:2"));
        assert_eq!((text(&own["until"]), own["first"].as_bool()), ("2027-01-31", Some(true)));
        assert!(own["probability"].as_f64() > Some(0.5), "{own}");
        let because = |r: &Value| text(r).contains("would stand first");
        assert!(items(&d["reasons"]).iter().any(because), "{}", d["reasons"]);
        let report = rootline(&["diagnose", &folder.arg()]).out;
        assert!(report.contains("SUPPRESSED BY THE SITE"), "{report}");
        let words: Vec<&str> = report.split_whitespace().collect();
        assert!(words.join(" ").contains("larger database in January"), "{report}");
    }
    let alarm = with("suppress.toml", &suppression("billing", "2027-01-31"));
    let run = rootline(&["diagnose", "--fail-on", "confirmed", &alarm.arg()]);
    assert_eq!(run.code, 0, "what is accepted raises no alarm");
}

#[test]
fn an_expired_suppression_or_one_about_another_hides_nothing() {
    let folder = with("suppress.toml", &suppression("billing", "2026-01-31"));
    let d = diagnosed(folder.path());
    assert_eq!(first(&d), TRUE_ONE);
    assert!(items(&d["suppressed"]).is_empty());
    gap(&d, "ended 2026-01-31, before the incident: it counts again");
    let folder = with("suppress.toml", &suppression("checkout", "2027-01-31"));
    assert_eq!(first(&diagnosed(folder.path())), TRUE_ONE);
    let unknown = suppression("billing", "2027-01-31").replace(TRUE_ONE, "pool-undersizd");
    let d = diagnosed(with("suppress.toml", &unknown).path());
    assert_eq!(first(&d), TRUE_ONE);
    gap(&d, "did you mean \"pool-undersized\"?");
}

#[test]
fn a_companion_of_somebody_else_or_a_broken_one_changes_nothing_but_is_said() {
    let deep = format!("a = {}", "[".repeat(20_000));
    let long = format!("schema = 1\n[params.\"{}\"]\n", "x".repeat(1 << 20));
    let bad = [
        "learning_rate = 0.1\n",
        "",
        "\u{0}\u{1}\u{2}",
        "schema = 1\nschema = 1\n",
        "schema = 99999999999999999999\n",
        "schema = 1\n[params.pool-undersized]\nfull_share = { value = nan, unit = \"ratio\" }\n",
        "schema = 1\n[params]\npool-undersized = 7\n",
        &deep,
        &long,
    ];
    let plain = diagnosed(&fixture(INCIDENT));
    for (i, content) in bad.iter().enumerate() {
        for name in ["params.toml", "suppress.toml"] {
            let d = diagnosed(with(name, content).path());
            assert_eq!(d["hypotheses"], plain["hypotheses"], "{i} {name}");
            let said = items(&d["gaps"]).iter().any(|g| g["file"] == name);
            assert!(said || *content == long && name == "params.toml", "{i} {name}");
        }
    }
}
