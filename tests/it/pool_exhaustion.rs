//! The whole story of one incident: a report on a standby exhausts the pool of a service.

use super::support::{Scratch, diagnosed, fixture, items, text};
use serde_json::Value;
use std::sync::LazyLock;

static ANSWER: LazyLock<Value> = LazyLock::new(|| diagnosed(&fixture("incidents/pool-exhaustion")));
static WITHOUT_PG: LazyLock<Value> = LazyLock::new(|| {
    let folder = fixture("incidents/pool-exhaustion");
    let copy = Scratch::copy(&folder, |p| p.starts_with("pg/") || p == "truth.toml");
    diagnosed(copy.path())
});

fn hypothesis<'a>(d: &'a Value, signature: &str, entity: &str) -> &'a Value {
    let same = |h: &&Value| h["signature"] == signature && h["entity"]["name"] == entity;
    let found = items(&d["hypotheses"]).iter().find(same);
    found.unwrap_or_else(|| panic!("no {signature} on {entity} in {}", d["hypotheses"]))
}

#[test]
fn the_report_that_blocks_is_named_with_its_pid_and_owner() {
    let first = &ANSWER["hypotheses"][0];
    assert_eq!(first["signature"], "long-running-query-blocking");
    assert_eq!(first["entity"]["name"], "pg-replica");
    assert_eq!(first["role"], "cause");
    assert_eq!(first["facts"]["pid"], "13305");
    assert_eq!(first["facts"]["application"], "metabase");
    let victims: u32 = text(&first["facts"]["victims"]).parse().expect("victims are counted");
    assert!(victims >= 8, "{victims} victims");
    assert_eq!(ANSWER["verdict"], "confirmed");
}

#[test]
fn cancelling_the_statement_is_the_first_change_to_make() {
    let actions = items(&ANSWER["hypotheses"][0]["mitigation"]);
    let reads = |a: &Value| text(&a["effect"]).starts_with("Read-only");
    let changes = |a: &&Value| a["command"].is_string() && !reads(a);
    let first = actions.iter().find(changes).expect("there is something to do");
    assert_eq!(first["kind"], "now");
    // Guarded in one statement: by then the pid may belong to somebody else.
    let command = text(&first["command"]);
    assert!(command.starts_with("SELECT pg_cancel_backend(13305)"), "{command}");
    assert!(command.contains("backend_start = '2026-11-20T20:09:29"), "{command}");
    assert_eq!(first["on"], "pg-replica");
    let now = actions.iter().take_while(|a| a["kind"] == "now").count();
    assert!(actions[now..].iter().all(|a| a["kind"] != "now"), "what is due now stands first");
}

#[test]
fn victims_and_amplifiers_have_their_roles() {
    let pool = hypothesis(&ANSWER, "pool-victim-of-slow-dependency", "catalog");
    assert_eq!(pool["role"], "victim");
    let storm = hypothesis(&ANSWER, "retry-storm", "checkout");
    assert_eq!(storm["role"], "amplifier");
    let chain = items(&ANSWER["hypotheses"][0]["chain"]);
    let role = |name: &str| chain.iter().find(|l| l["entity"]["name"] == name).map(|l| &l["role"]);
    assert_eq!(chain[0]["entity"]["name"], "pg-replica");
    assert_eq!(role("pg-replica"), Some(&Value::from("cause")));
    assert_eq!(role("catalog"), Some(&Value::from("victim")));
    assert_eq!(role("checkout"), Some(&Value::from("amplifier")));
    assert!(role("gateway").is_some(), "the chain reaches the users");
}

#[test]
fn decoys_are_rejected_with_a_number_or_a_time() {
    let rejected = |signature: &str| {
        let same = |r: &&Value| r["signature"] == signature;
        let found = items(&ANSWER["rejected"]).iter().find(same);
        found.unwrap_or_else(|| panic!("{signature} is not among {}", ANSWER["rejected"]))
    };
    for signature in ["traffic-surge", "bad-deploy"] {
        let reason = text(&rejected(signature)["reason"]);
        assert!(reason.contains(|c: char| c.is_ascii_digit()), "{signature}: {reason}");
    }
    assert_eq!(rejected("bad-deploy")["entity"]["name"], "recommendation");
    let ranked = items(&ANSWER["hypotheses"]).iter();
    let decoy = |h: &&Value| ["traffic-surge", "bad-deploy"].contains(&text(&h["signature"]));
    assert_eq!(ranked.filter(decoy).count(), 0);
}

#[test]
fn the_window_and_the_first_failure_fit_the_recording() {
    let onset = text(&ANSWER["first_failure"]["at"]);
    assert!(onset.starts_with("2026-11-20T20:10:0"), "{onset}");
    let incident = &ANSWER["window"]["incident"];
    let (from, to) = (text(&incident["from"]), text(&incident["to"]));
    assert!(("2026-11-20T20:09:45Z".."2026-11-20T20:10:20Z").contains(&from), "{from}");
    assert!(("2026-11-20T20:12:45Z".."2026-11-20T20:13:30Z").contains(&to), "{to}");
    let felt = items(&ANSWER["impact"]).iter().any(|i| i["entity"]["name"] == "gateway");
    assert!(felt, "users feel it at the gateway: {}", ANSWER["impact"]);
}

#[test]
fn without_sessions_nothing_is_confirmed() {
    let first = &WITHOUT_PG["hypotheses"][0];
    assert_ne!(
        WITHOUT_PG["verdict"], "confirmed",
        "{} on {} is called the cause, and what happens in the database was not seen",
        first["signature"], first["entity"]["name"]
    );
    assert_ne!(WITHOUT_PG["verdict"], "healthy");
    assert_eq!(first["entity"]["name"], "pg-replica", "not another cause: {}", first["headline"]);
}

#[test]
fn without_sessions_the_answer_says_what_is_missing() {
    let gaps = items(&WITHOUT_PG["gaps"]).iter().map(|g| text(&g["what"]));
    let mut said = gaps.chain(items(&WITHOUT_PG["reasons"]).iter().map(text));
    assert!(said.any(|s| s.contains("pg_stat_activity")), "{}", WITHOUT_PG["gaps"]);
    let mut skipped = items(&WITHOUT_PG["skipped"]).iter().map(|s| text(&s["signature"]));
    assert!(skipped.any(|s| s == "long-running-query-blocking"), "{}", WITHOUT_PG["skipped"]);
}

#[test]
fn the_stretch_before_it_is_healthy() {
    let before = diagnosed(&fixture("healthy/pool-exhaustion-before"));
    assert_eq!(before["verdict"], "healthy", "{}", before["hypotheses"][0]["headline"]);
    assert_eq!(before["first_failure"], Value::Null);
}
