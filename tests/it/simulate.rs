//! Simulated incidents from outside: what the command writes, refuses, and what is said of it.

use super::support::{Run, Scratch, diagnosed, files, items, name, root, rootline, text};
use std::path::PathBuf;

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

/// Writes a scenario's incident; gives its folder and what the command said.
fn simulated(scratch: &Scratch, id: &str, seed: &str) -> (PathBuf, Run) {
    let folder = scratch.path().join("incident");
    let run = rootline(&["simulate", id, "--seed", seed, "-o", &folder.display().to_string()]);
    assert_eq!(run.code, 0, "{}", run.err);
    (folder, run)
}

#[test]
fn a_simulated_cascade_is_written_once_and_diagnosed_like_any_folder() {
    let scratch = Scratch::new();
    let (folder, run) = simulated(&scratch, "cascade", "5");
    assert!(run.out.contains("GatewayErrorRateHigh"), "{}", run.out);
    let names: Vec<String> = files(&folder).iter().map(|f| name(f)).collect();
    for wanted in ["truth.toml", "events.json", "services.json", "postgres.json"] {
        assert!(names.iter().any(|n| n == wanted), "no {wanted} in {names:?}");
    }
    let diagnosis = diagnosed(&folder);
    let first = &items(&diagnosis["hypotheses"])[0];
    assert_eq!(text(&first["signature"]), "long-running-query-blocking");
    assert_eq!(text(&first["entity"]["name"]), "pg-replica");
    let again = rootline(&["simulate", "cascade", "-o", &folder.display().to_string()]);
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

#[test]
fn every_promised_mode_has_a_scenario_or_says_why_not() {
    let place = root().join("tests/it/simulated.txt");
    let table = std::fs::read_to_string(&place).expect("the table is there");
    let rows: Vec<(&str, &str)> = table
        .lines()
        .filter(|l| !l.starts_with('#'))
        .map(|l| l.split_once(" | ").expect("mode | scenario"))
        .collect();
    let known = |id: &str| rootline::simulate::SCENARIOS.iter().any(|(known, _)| *known == id);
    for (mode, said) in &rows {
        let reason = said.strip_prefix("- ").is_some_and(|why| !why.is_empty());
        assert!(reason || known(said), "{mode}: no scenario {said}");
    }
    // What is simulated is an incident whose truth names a signature of the catalogue.
    let catalog = rootline::catalog::Catalog::built_in().expect("the catalogue is sound");
    for (mode, id) in rows.iter().filter(|r| !r.1.starts_with('-')) {
        let truth = rootline::simulate::named(id).expect(id).truth;
        assert!(!truth.signature.is_empty(), "{mode}");
        truth.signature.iter().for_each(|s| assert!(catalog.find(s).is_ok(), "{id}: {s}"));
    }
    let told = |id: &str| rows.iter().any(|r| r.1 == id) || id.starts_with("healthy");
    let variants = ["peak-sunday", "campaign"];
    for (id, _) in rootline::simulate::SCENARIOS {
        assert!(told(id) || variants.contains(id), "{id} keeps no promise");
    }
}

#[test]
fn a_seed_gives_other_names_rates_times_and_decoys() {
    let of = |seed| {
        let scenario = rootline::simulate::named("missing-index").expect("known");
        let run = rootline::simulate::Run::new(&scenario, seed).expect("it builds");
        let s = run.scenario().clone();
        let names: Vec<String> = s.service.iter().map(|s| s.name.clone()).collect();
        (names, s.traffic[0].rate, s.fault[0].at_s, s.change[0].at_s)
    };
    let all: Vec<_> = (1..=20).map(of).collect();
    type Drawn = (Vec<String>, f64, f64, f64);
    let distinct = |key: fn(&Drawn) -> String| {
        all.iter().map(key).collect::<std::collections::BTreeSet<_>>().len()
    };
    assert!(distinct(|v| v.0.join(" ")) >= 8, "names");
    assert_eq!(distinct(|v| v.1.to_string()), 20, "rates");
    assert!(distinct(|v| v.2.to_string()) >= 12, "times of the fault");
    assert!(distinct(|v| v.3.to_string()) >= 12, "times of the decoy");
    assert_eq!(of(7), of(7));
}

#[test]
fn two_processes_at_half_a_core_are_no_full_core() {
    let scratch = Scratch::new();
    let (folder, _) = simulated(&scratch, "flag", "101");
    let diagnosis = diagnosed(&folder);
    let matched = items(&diagnosis["hypotheses"]).iter().map(|h| text(&h["signature"]));
    assert!(
        !matched.clone().any(|id| id == "single-core-saturation"),
        "{:?}",
        matched.collect::<Vec<_>>()
    );
}

/// The verdict, and signature and entity of the first hypothesis of a folder.
fn first(folder: &std::path::Path) -> (String, String, String) {
    let d = diagnosed(folder);
    let h = &items(&d["hypotheses"])[0];
    let said = |v: &serde_json::Value| text(v).to_owned();
    (said(&d["verdict"]), said(&h["signature"]), said(&h["entity"]["name"]))
}

#[test]
fn a_flood_of_strangers_is_told_from_many_users() {
    let (one, other) = (Scratch::new(), Scratch::new());
    let (flood, _) = simulated(&one, "ddos", "503");
    let (_, signature, entity) = first(&flood);
    assert_eq!((signature.as_str(), entity.as_str()), ("ddos-storm", "gate"));
    let (users, _) = simulated(&other, "campaign", "503");
    let (_, signature, _) = first(&users);
    assert_eq!(signature, "traffic-surge");
    // Where neither the senders nor the cache were recorded nobody can tell, and it says so.
    let place = flood.join("prometheus/services.json");
    let text = std::fs::read_to_string(&place).expect("it was written");
    let mut all: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    let series = all["data"]["result"].as_array_mut().expect("a matrix");
    let before = series.len();
    series.retain(|s| {
        let name = s["metric"]["__name__"].as_str().unwrap_or_default();
        !["edge_unique_client_ips", "cache_requests_total"].contains(&name)
    });
    assert!(series.len() < before);
    std::fs::write(&place, all.to_string()).expect("it can be written");
    let (verdict, signature, _) = first(&flood);
    assert!(verdict != "confirmed", "{verdict}: {signature}");
}

/// At these seeds a statement is under way when the servers part; it went on at the wrong one.
#[test]
fn statements_do_not_survive_a_split_of_their_servers() {
    for seed in ["818", "820"] {
        let folder = Scratch::new();
        let out = folder.path().join("out");
        let out = out.display().to_string();
        let run = rootline(&["simulate", "split-brain", "--seed", seed, "-o", &out]);
        assert_eq!(run.code, 0, "{}", run.err);
    }
}
