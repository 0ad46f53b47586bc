//! Simulated incidents from outside: what the command writes, refuses, and what is said of it.

use super::support::{Scratch, diagnosed, files, items, name, rootline, text};

#[test]
fn the_list_names_every_scenario_and_an_unknown_one_is_an_error() {
    let run = rootline(&["simulate", "list"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.lines().count() > 40, "{}", run.out);
    assert!(run.out.contains("cascade "), "{}", run.out);
    let run = rootline(&["simulate", "cascad"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("no such scenario") && run.err.contains("cascade"), "{}", run.err);
}

#[test]
fn a_simulated_cascade_is_written_once_and_diagnosed_like_any_folder() {
    let scratch = Scratch::new();
    let folder = scratch.path().join("incident");
    let out = folder.display().to_string();
    let run = rootline(&["simulate", "cascade", "--seed", "5", "-o", &out]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("GatewayErrorRateHigh"), "{}", run.out);
    let names: Vec<String> = files(&folder).iter().map(|f| name(f)).collect();
    for wanted in ["truth.toml", "events.json", "services.json", "postgres.json"] {
        assert!(names.iter().any(|n| n == wanted), "no {wanted} in {names:?}");
    }
    let diagnosis = diagnosed(&folder);
    let first = &items(&diagnosis["hypotheses"])[0];
    assert_eq!(text(&first["signature"]), "long-running-query-blocking");
    assert_eq!(text(&first["entity"]["name"]), "pg-replica");
    let again = rootline(&["simulate", "cascade", "-o", &out]);
    assert_eq!(again.code, 2, "{}", again.out);
    assert!(again.err.contains("there is something already"), "{}", again.err);
}

#[test]
fn an_action_changes_what_the_users_get() {
    let play = |act: &[&str]| {
        let run = rootline(&[&["simulate", "cascade"], act].concat());
        assert_eq!(run.code, 0, "{}", run.err);
        let words: Vec<&str> = run.out.split_whitespace().collect();
        let at = words.iter().position(|w| *w == "failed:").expect("failures are told");
        words[at - 1].parse::<u64>().expect("a number")
    };
    let alone = play(&[]);
    let cancelled = play(&["--act", "480:cancel metabase"]);
    assert!(2 * cancelled < alone, "{cancelled} of {alone}");
    let run = rootline(&["simulate", "cascade", "--act", "480:cancel nobody"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("cannot take cancel"), "{}", run.err);
    let run = rootline(&["simulate", "cascade", "--act", "soon:wait"]);
    assert!(run.code == 2 && run.err.contains("SECONDS:ACTION"), "{}", run.err);
}

#[test]
fn a_scenario_of_ones_own_is_read_with_the_place_of_what_is_wrong() {
    let scratch = Scratch::with(&[("own.toml", b"schema = 1\nid = \"x\"\ntitel = \"typo\"\n")]);
    let path = scratch.path().join("own.toml").display().to_string();
    let run = rootline(&["simulate", "--file", &path]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("own.toml:3:1"), "{}", run.err);
    let schema = rootline(&["simulate", "--schema"]);
    assert!(schema.out.contains("\"$schema\""), "{}", schema.out);
}
