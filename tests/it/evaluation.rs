//! How good the ranking is on the project's own recordings: AC@k, Avg@5, MRR, and whether
//! probabilities mean what they say. A change of the ranking shows its effect here.

use super::support::{diagnosed, folders, items, name, rootline, text};
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

/// Places that count as distinct candidates, best first, each with its probability of all
/// hypotheses together: a victim and a culprit on one entity are one place.
fn places(d: &Value) -> Vec<(String, Vec<String>, f64)> {
    let mut out: Vec<(String, Vec<String>, f64)> = Vec::new();
    for h in items(&d["hypotheses"]) {
        let (own, service) = (text(&h["entity"]["name"]), text(&h["entity"]["service"]));
        let p = h["probability"].as_f64().unwrap_or(0.0);
        match out.iter_mut().find(|o| o.0 == service) {
            Some(place) => {
                place.1.push(own.to_owned());
                place.2 += p;
            }
            None => out.push((service.to_owned(), vec![own.to_owned()], p)),
        }
    }
    out
}

fn wanted(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("truth.toml")).expect("a fixture has a truth");
    let file: toml::Table = text.parse().expect("truth.toml is TOML");
    let list = file["truth"].get("entity").and_then(|v| v.as_array().cloned()).unwrap_or_default();
    list.iter().filter_map(|v| v.as_str()).map(str::to_owned).collect()
}

/// Rank of the true place, from 1, and the probability of the first place.
fn outcome(d: &Value, truth: &[String]) -> (Option<usize>, f64) {
    let places = places(d);
    let is_true = |(service, own, _): &(String, Vec<String>, f64)| {
        truth.iter().any(|t| t == service || own.contains(t))
    };
    let rank = places.iter().position(is_true).map(|i| i + 1);
    (rank, places.first().map_or(0.0, |p| p.2))
}

struct Scores {
    n: usize,
    ac: [f64; 5],
    mrr: f64,
    ece: f64,
    brier: f64,
}

impl Scores {
    fn of(outcomes: &[(Option<usize>, f64)]) -> Scores {
        let n = outcomes.len().max(1) as f64;
        let within =
            |k: usize| outcomes.iter().filter(|o| o.0.is_some_and(|r| r <= k)).count() as f64 / n;
        let hit = |o: &(Option<usize>, f64)| f64::from(u8::from(o.0 == Some(1)));
        let mut sorted = outcomes.to_vec();
        sorted.sort_by(|a, b| a.1.total_cmp(&b.1));
        // Equal-mass bins of about five.
        let bins = sorted.chunks((sorted.len() / 5).max(5));
        let gap = |bin: &[(Option<usize>, f64)]| {
            (bin.iter().map(hit).sum::<f64>() - bin.iter().map(|o| o.1).sum::<f64>()).abs()
        };
        Scores {
            n: outcomes.len(),
            ac: [1, 2, 3, 4, 5].map(within),
            mrr: outcomes.iter().filter_map(|o| o.0).map(|r| 1.0 / r as f64).sum::<f64>() / n,
            ece: bins.map(gap).sum::<f64>() / n,
            brier: outcomes.iter().map(|o| (o.1 - hit(o)).powi(2)).sum::<f64>() / n,
        }
    }

    fn row(&self, what: &str) -> String {
        format!(
            "{what:14} n {:2}  AC@1 {:.3}  AC@3 {:.3}  Avg@5 {:.3}  MRR {:.3}  ECE {:.3}  Brier {:.3}",
            self.n,
            self.ac[0],
            self.ac[2],
            self.ac.iter().sum::<f64>() / 5.0,
            self.mrr,
            self.ece,
            self.brier
        )
    }
}

#[test]
fn the_ranking_is_right_on_its_recordings_and_says_how_sure_it_is() {
    let folders = folders("incidents");
    let mut misses = String::new();
    let mut outcomes = Vec::new();
    for folder in &folders {
        let o = outcome(&diagnosed(folder), &wanted(folder));
        if o.0 != Some(1) {
            write!(misses, "\n  {}: rank {:?}", name(folder), o.0).expect("a string takes all");
        }
        outcomes.push(o);
    }
    let s = Scores::of(&outcomes);
    let row = s.row("rootline");
    assert!(s.ac[0] >= 0.95 && s.mrr >= 0.95, "{row}{misses}");
    assert!(s.ece <= 0.20 && s.brier <= 0.10, "not calibrated: {row}{misses}");
    for baseline in ["robust-z", "n-sigma", "baro", "traversal", "symptom-count"] {
        let run = |folder: &std::path::PathBuf| {
            let at = folder.to_string_lossy();
            let run = rootline(&["diagnose", "--baseline", baseline, "--format", "json", &at]);
            assert_eq!(run.code, 0, "{}", run.err);
            outcome(&run.json(), &wanted(folder))
        };
        let simple = Scores::of(&folders.iter().map(run).collect::<Vec<_>>());
        let both = format!("{}\n{row}", simple.row(baseline));
        assert!(simple.ac[0] < s.ac[0] && simple.mrr < s.mrr, "not beaten:\n{both}");
    }
}

#[test]
fn an_unknown_baseline_is_refused_with_the_known_ones() {
    let run = rootline(&["diagnose", "--baseline", "best", "fixtures/incidents/pool-leak"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("traversal"), "{}", run.err);
}

#[test]
fn why_not_says_what_separates_and_what_would_tell() {
    let folder = "fixtures/incidents/pool-exhaustion";
    let d = diagnosed(&super::support::root().join(folder));
    let second = &items(&d["hypotheses"])[1];
    let run = rootline(&["diagnose", folder, "--why-not", "H2"]);
    assert_eq!(run.code, 0, "{}", run.err);
    for said in ["WHAT SEPARATES THEM", "CHECKS THAT WOULD TELL", text(&second["entity"]["name"])] {
        assert!(run.out.contains(said), "{said} is missing:\n{}", run.out);
    }
    let first = rootline(&["diagnose", folder, "--why-not", "h1"]);
    assert!(first.out.contains("is the first hypothesis"), "{}", first.out);
    let rejected = &items(&d["rejected"])[0];
    let run = rootline(&["diagnose", folder, "--why-not", text(&rejected["signature"])]);
    assert!(run.out.contains("ruled out") || run.out.contains("stands behind"), "{}", run.out);
    let run = rootline(&["diagnose", folder, "--why-not", "no-such-thing"]);
    assert!(run.out.contains("nothing abnormal was seen at no-such-thing"), "{}", run.out);
}
