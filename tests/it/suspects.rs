//! Suspects that show nothing themselves, or little: what is said of them, and when nothing is.

use super::support::{Scratch, diagnosed, items, text};
use serde_json::Value;
use std::fmt::Write as _;

/// Samples before the incident and in it, ten seconds apart.
const BEFORE: usize = 60;
const DURING: usize = 12;

/// A wide table of `columns`: each one's usual value and its value in the incident, with a little
/// movement that differs from column to column.
fn table(columns: &[(&str, f64, f64)]) -> String {
    let mut out = "time".to_owned();
    columns.iter().for_each(|c| _ = write!(out, ",{}", c.0));
    for row in 0..BEFORE + DURING {
        let _ = write!(out, "\n{}", 1_700_000_000 + 10 * row);
        for (k, (_, usual, then)) in columns.iter().enumerate() {
            let level = if row < BEFORE { usual } else { then };
            let wobble = 1.0 + 0.02 * (((7 * row + 13 * k) % 11) as f64 - 5.0) / 5.0;
            let _ = write!(out, ",{:.6}", level * wobble);
        }
    }
    out + "\n"
}

/// The incident of [`table`], told.
fn told() -> String {
    let at = |row: usize| 1_700_000_000 + 10 * row;
    format!(
        "schema = 1\ntitle = \"t\"\n[window]\nincident = [\"{}\", \"{}\"]\n",
        at(BEFORE),
        at(BEFORE + DURING)
    )
}

fn diagnosis(columns: &[(&str, f64, f64)], edges: &str) -> Value {
    let (data, incident) = (table(columns), told());
    diagnosed(
        Scratch::with(&[
            ("data.csv", data.as_bytes()),
            ("incident.toml", incident.as_bytes()),
            ("topology.csv", edges.as_bytes()),
        ])
        .path(),
    )
}

fn first(d: &Value) -> (&str, &str) {
    let h = &items(&d["hypotheses"])[0];
    (text(&h["entity"]["service"]), text(&h["headline"]))
}

const EDGES: &str = "caller,callee\nfront,search\nfront,orders\nsearch,stock\norders,stock\n";

#[test]
fn what_all_suffering_callers_share_is_suspected_and_not_claimed() {
    let columns = [
        ("front_latency", 0.030, 0.150),
        ("search_latency", 0.010, 0.130),
        ("orders_latency", 0.012, 0.132),
        ("stock_latency", 0.002, 0.002),
        ("stock_workload", 40.0, 40.0),
        ("search_workload", 20.0, 20.0),
        ("orders_workload", 20.0, 20.0),
    ];
    let d = diagnosis(&columns, EDGES);
    let (place, headline) = first(&d);
    assert_eq!(place, "stock", "{headline}");
    assert!(headline.contains("2 callers suffer at once"), "{headline}");
    assert_eq!(text(&d["verdict"]), "inconclusive");
    let because = d["reasons"].to_string();
    assert!(because.contains("stock shows nothing itself"), "{because}");
    let evidence = items(&d["hypotheses"][0]["evidence"]);
    assert_eq!(evidence.len(), 2, "the callers' symptoms");
}

#[test]
fn a_caller_with_a_reason_of_its_own_shares_none() {
    let columns = [
        ("front_latency", 0.030, 0.150),
        ("search_latency", 0.010, 0.130),
        ("search_cpu", 0.10, 0.95),
        ("orders_latency", 0.012, 0.0121),
        ("stock_latency", 0.002, 0.002),
    ];
    let d = diagnosis(&columns, EDGES);
    let (place, headline) = first(&d);
    assert_eq!(place, "search", "{headline}");
    let shared = |h: &&Value| text(&h["headline"]).contains("share it");
    assert_eq!(items(&d["hypotheses"]).iter().filter(shared).count(), 0);
    let because = d["reasons"].to_string();
    assert!(!because.contains("the way to"), "it has a reason of its own: {because}");
}

#[test]
fn one_suffering_caller_of_two_shares_none() {
    let columns = [
        ("front_latency", 0.030, 0.150),
        ("search_latency", 0.010, 0.130),
        ("orders_latency", 0.012, 0.0121),
        ("stock_latency", 0.002, 0.002),
    ];
    let d = diagnosis(&columns, EDGES);
    assert_eq!(first(&d).0, "search");
    // Slow by itself, or by the way to what it calls, which nobody measures.
    assert_eq!(text(&d["verdict"]), "likely");
    let because = d["reasons"].to_string();
    assert!(because.contains("the way to stock may be at fault as well"), "{because}");
}

/// An hour in which one service's processor was busy for a while, and is so again in the incident
/// that somebody tells.
fn episode_again(files: &[(&str, &[u8])]) -> Value {
    let mut data = "time,front_cpu,front_latency,stock_cpu\n".to_owned();
    for row in 0..BEFORE + DURING {
        let busy = (20..30).contains(&row) || row >= BEFORE;
        let wobble = 0.1 * (row % 5) as f64;
        let cpu = if busy { 20.0 } else { 1.5 } + wobble;
        let at = 1_700_000_000 + 10 * row;
        let _ = writeln!(data, "{at},{:.2},{:.4},{cpu:.2}", 5.0 + wobble, 0.03 + 0.001 * wobble);
    }
    let mut all = vec![("data.csv", data.as_bytes())];
    all.extend_from_slice(files);
    diagnosed(Scratch::with(&all).path())
}

#[test]
fn a_level_that_was_there_before_is_shown_faintly_in_a_told_incident() {
    let d = episode_again(&[("incident.toml", told().as_bytes())]);
    let first = &items(&d["hypotheses"])[0];
    assert_eq!(text(&first["entity"]["service"]), "stock");
    assert!(first["probability"].as_f64().is_some_and(|p| p < 0.5), "{first}");
    assert_eq!(text(&d["verdict"]), "inconclusive");
}

#[test]
fn a_level_that_comes_again_is_no_claim_where_nobody_tells_of_an_incident() {
    let d = episode_again(&[]);
    assert!(matches!(text(&d["verdict"]), "healthy" | "inconclusive"), "{}", d["verdict"]);
}
