//! A new failure mode needs a file and a fixture, and not a line of Rust: here one is put beside a
//! copy of the catalogue, and the program takes it up, tests it and documents it.

use super::support::{Scratch, files, items, name, root, rootline, text};
use std::fmt::Write;
use std::fs;

const SIGNATURE: &str = r#"schema = 1

[signature]
id = "redis-slow-command"
code = "RDS-0001"
revision = 1
title = "One slow command keeps Redis busy"
status = "experimental"
severity = "high"
category = "saturation"
tags = ["cache.redis"]
subject = ["cache"]
role = "cause"
prior = "usual"
created = "2026-11-26"
modified = "2026-11-26"
references = ["https://redis.io/docs/latest/operate/oss_and_stack/management/optimization/latency/"]
related = [{ id = "slow-dependency", type = "specialises" }]

[text]
headline = "a slow command keeps {subject} at {during} of its one core, at unchanged traffic"
mechanism = """\
  Redis runs commands one after the other. A command over a whole large key (KEYS, SMEMBERS, LRANGE \
  0 -1) holds the only thread, and all others wait behind it."""
impact = "Every call to {subject} is late, whatever its own command."
false_positives = ["A background save that forks: CPU is up for seconds only."]
detection = ["Alert on the slow log growing."]
post_incident = ["Which release brought the command, and what bounds the size of its key?"]

[params.growth]
value = 2
unit = "ratio"
why = "a doubled latency is felt"

[params.cpu_growth]
value = 1.5
unit = "ratio"
why = "at constant traffic the processor's share hardly moves otherwise"

[params.band]
value = 0.3
unit = "ratio"
why = "everyday change of traffic"

[[evidence]]
id = "busy"
on = "subject"
source = "role:cpu"
test = "shift-up"
value = "$cpu_growth"
role = "required"
strength = "strong"
if_absent = "refutes"
say = "the processor of {target}: {before} -> {during}"
say_absent = "the processor of {target} is no busier ({before} -> {during})"

[[evidence]]
id = "callers_slow"
on = "caller"
source = "role:latency@server"
test = "shift-up"
value = "$growth"
role = "required"
strength = "strong"
if_absent = "refutes"
say = "latency of {target}: {before} -> {during} ({ratio})"
say_absent = "latency of {target} stays ({before} -> {during})"

[[evidence]]
id = "no_more_commands"
on = "subject"
source = "redis.commands"
test = "steady"
value = "$band"
role = "required"
strength = "strong"
if_absent = "refutes"
say = "{target} gets as many commands as before ({before} -> {during})"
say_absent = "{target} gets {during} instead of {before} commands"

[[mitigation]]
kind = "now"
say = "Find the command in the slow log and switch off what sends it."

[[mitigation]]
kind = "recover"
say = "Nothing to clean up: waiting calls are served at once."

[[mitigation]]
kind = "prevent"
say = "Read large keys in pieces (SCAN, SSCAN), and forbid KEYS by an ACL."

[[test]]
name = "busy at constant traffic"
fixture = "fixtures/incidents/redis-slow-command"
expect = "match"
rank = 1

[[test]]
name = "busy with twice the traffic is no slow command"
fixture = "fixtures/incidents/redis-busy"
expect = "no-match"
"#;

const TRUTH: &str = "schema = 1\nsource = \"simulated\"\n[truth]\nverdict = \"incident\"\n\
    entity = [\"redis-main\"]\n";

/// Ten minutes of a shop and its cache; the last four are the incident.
fn recording(traffic_grows: bool) -> String {
    let mut csv = "timestamp,metric,value,service\n".to_owned();
    for i in 0..60 {
        let at = format!("2026-11-20T20:{:02}:{:02}Z", i / 6, 10 * (i % 6));
        let wiggle = 1.0 + 0.01 * f64::from(i * 7 % 5);
        let bad = i >= 36;
        let level = |good: f64, ill: f64| wiggle * if bad { ill } else { good };
        let load = if traffic_grows { 2.5 } else { 1.0 };
        let rows = [
            ("http_server_request_duration_seconds", "shop", level(0.04, 0.7)),
            ("http_requests", "shop", level(90.0, 90.0 * load)),
            ("cpu_utilization", "shop", level(0.2, 0.2)),
            ("redis_instantaneous_ops_per_sec", "redis-main", level(400.0, 400.0 * load)),
            ("cpu_utilization", "redis-main", level(0.21, 0.97)),
        ];
        for (metric, service, value) in rows {
            writeln!(csv, "{at},{metric},{value:.4},{service}").expect("strings grow");
        }
    }
    csv
}

/// A copy of the catalogue with the new signature, and its fixtures.
fn site() -> Scratch {
    let folder = Scratch::new();
    for file in files(&root().join("signatures")) {
        let inner = file.strip_prefix(root()).expect("below it").to_string_lossy().into_owned();
        if name(&file) != "signals.toml" {
            folder.file(&inner, &fs::read(&file).expect("signatures can be read"));
        }
    }
    folder.file("signatures/saturation/redis-slow-command.toml", SIGNATURE.as_bytes());
    let own = "signature = [\"redis-slow-command\"]\n";
    let not = "signature = [\"traffic-surge\"]\nnot = [\"redis-slow-command\"]\n";
    for (fixture, truth, grows) in [("redis-slow-command", own, false), ("redis-busy", not, true)] {
        let file = |n: &str| format!("fixtures/incidents/{fixture}/{n}");
        folder.file(&file("truth.toml"), format!("{TRUTH}{truth}").as_bytes());
        folder.file(&file("metrics.csv"), recording(grows).as_bytes());
        folder.file(&file("topology.csv"), b"caller,callee,kind\nshop,redis-main,calls\n");
    }
    folder
}

#[test]
fn a_new_signature_needs_no_rust() {
    let site = site();
    let signatures = site.path().join("signatures").to_string_lossy().into_owned();
    let incident = site.path().join("fixtures/incidents/redis-slow-command");
    let incident = incident.to_string_lossy();
    let without = rootline(&["diagnose", "--format", "json", &incident]).json();
    let known = |h: &serde_json::Value| h["signature"] == "redis-slow-command";
    assert!(!items(&without["hypotheses"]).iter().any(known), "it is not built in");
    let args = ["diagnose", "--format", "json", "--signatures", &signatures, &incident];
    let run = rootline(&args);
    assert_eq!(run.code, 0, "{}", run.err);
    let d = run.json();
    let first = &d["hypotheses"][0];
    let said = format!("{} {}: {}", first["signature"], first["entity"]["name"], d["reasons"]);
    assert_eq!(text(&first["signature"]), "redis-slow-command", "{said}");
    assert_eq!(text(&first["entity"]["name"]), "redis-main", "{said}");
    assert!(["likely", "confirmed"].contains(&text(&d["verdict"])), "{said}");
    assert!(
        text(&first["headline"]).starts_with("a slow command keeps redis-main at 98"),
        "{said}"
    );
    let page = rootline(&["explain", "redis-slow-command", "--signatures", &signatures]);
    assert!(page.out.contains("MECHANISM") && page.out.contains("must match"), "{}", page.out);
}

#[test]
fn its_own_tests_and_the_lint_hold_it_to_account() {
    let site = site();
    let only = site.path().join("signatures/saturation/redis-slow-command.toml");
    let alone = Scratch::with(&[(
        "signatures/saturation/redis-slow-command.toml",
        &fs::read(&only).expect("it was just written"),
    )]);
    let signatures = alone.path().join("signatures").to_string_lossy().into_owned();
    let place = ["--root", &site.arg(), "--signatures", &signatures].map(str::to_owned);
    let catalog = |command: &str| {
        let args = ["catalog", command, &place[0], &place[1], &place[2], &place[3]];
        rootline(&args)
    };
    let test = catalog("test");
    assert_eq!((test.code, test.out.as_str()), (0, "2 passed, 0 failed\n"), "{}", test.err);
    // Its ties and labels lead to signatures that are not in this catalogue: lint says so.
    let lint = catalog("lint");
    assert_eq!(lint.code, 3, "{}", lint.out);
    assert!(lint.out.contains("slow-dependency"), "{}", lint.out);
    let whole = site.path().join("signatures").to_string_lossy().into_owned();
    let lint = rootline(&["catalog", "lint", "--root", &site.arg(), "--signatures", &whole]);
    let own = |l: &&str| l.contains("redis-slow-command");
    let own: Vec<&str> = lint.out.lines().filter(own).collect();
    assert!(own.is_empty(), "{own:?}");
}
