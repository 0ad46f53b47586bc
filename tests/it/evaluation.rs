//! How good the ranking is on the project's own recordings: AC@k, Avg@5, MRR, and whether
//! probabilities mean what they say. A change of the ranking shows its effect in the reviewed table
//! `evaluation.txt` beside this file: what each part of the method is worth, how far a misplaced
//! onset hurts, what simple published scores reach. Look at the difference, then take it over with
//!
//! ```sh
//! UPDATE_EVALUATION=1 cargo test --release --locked --test it -- evaluation
//! ```

use super::support::{diagnosed, folders, items, name, root, rootline, text};
use rayon::prelude::*;
use rootline::Options;
use rootline::catalog::Catalog;
use rootline::rank::baselines::BASELINES;
use rootline::rank::{PARTS, Settings};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

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
            "{what:18} {:3} {:6.3} {:6.3} {:6.3} {:6.3} {:6.3} {:6.3}",
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

/// One run of the method, whole or changed, over all recordings of incidents.
struct Run {
    name: String,
    scores: Scores,
    misses: Vec<String>,
    /// Probability of the first place and whether it was right.
    said: Vec<(f64, bool)>,
    /// Verdicts of `likely` or above, and how many of them named the true place.
    claims: (usize, usize),
}

fn run(name: impl Into<String>, ranking: &Settings) -> Run {
    let catalog = Catalog::built_in().expect("the built-in catalogue is sound");
    let folders = folders("incidents");
    let one = |folder: &PathBuf| {
        let options = Options { ranking: ranking.clone(), ..Options::default() };
        let d = rootline::diagnose_with(folder, &catalog, &options).expect("a fixture is read");
        let json: Value = serde_json::from_str(&rootline::report::json(&d)).expect("JSON");
        (
            json["verdict"] == "likely" || json["verdict"] == "confirmed",
            outcome(&json, &wanted(folder)),
        )
    };
    let all: Vec<(bool, (Option<usize>, f64))> = folders.par_iter().map(one).collect();
    let right = |o: &(Option<usize>, f64)| o.0 == Some(1);
    let claimed = all.iter().filter(|a| a.0);
    let missed = folders.iter().zip(&all).filter(|(_, a)| !right(&a.1));
    Run {
        name: name.into(),
        claims: (claimed.clone().count(), claimed.filter(|a| right(&a.1)).count()),
        misses: missed.map(|(f, a)| format!("{}: rank {:?}", self::name(f), a.1.0)).collect(),
        said: all.iter().map(|a| (a.1.1, right(&a.1))).collect(),
        scores: Scores::of(&all.into_iter().map(|a| a.1).collect::<Vec<_>>()),
    }
}

/// The whole method first, then without each part, with the begin of the incident misplaced, and
/// the simple published scores.
fn runs() -> &'static [Run] {
    static RUNS: OnceLock<Vec<Run>> = OnceLock::new();
    RUNS.get_or_init(|| {
        let mut all = vec![run("rootline", &Settings::default())];
        for (name, part) in PARTS {
            let without = Settings { without: vec![*part], ..Settings::default() };
            all.push(run(format!("without {name}"), &without));
        }
        for seconds in [-120, -60, 60, 120] {
            let misplaced = Settings { misplaced_s: seconds, ..Settings::default() };
            all.push(run(format!("onset {seconds:+} s"), &misplaced));
        }
        for simple in BASELINES {
            let simple = Settings { baseline: Some(simple.name), ..Settings::default() };
            all.push(run(simple.baseline.unwrap_or_default(), &simple));
        }
        all
    })
}

/// How often what was said with some probability was so.
fn reliability(said: &[(f64, bool)]) -> Vec<String> {
    let bounds = [0.0, 0.4, 0.6, 0.8, 0.9, 0.98, 1.01];
    let mut out = vec!["probability of the first place   n   said   true".to_owned()];
    for b in bounds.windows(2) {
        let bin: Vec<_> = said.iter().filter(|s| (b[0]..b[1]).contains(&s.0)).collect();
        if bin.is_empty() {
            continue;
        }
        let n = bin.len() as f64;
        let (mean, hit) =
            (bin.iter().map(|s| s.0).sum::<f64>() / n, bin.iter().filter(|s| s.1).count());
        let to = b[1].min(1.0);
        out.push(format!(
            "{:.2} to {to:.2} {:>20} {mean:6.2} {:6.2}",
            b[0],
            bin.len(),
            hit as f64 / n
        ));
    }
    out
}

#[test]
fn the_evaluation_is_the_reviewed_one() {
    let mut now =
        vec![format!("{:18}   n   AC@1   AC@3  Avg@5    MRR    ECE  Brier  claims right", "")];
    for run in runs() {
        let (claims, right) = run.claims;
        now.push(format!("{} {claims:7} {right:5}", run.scores.row(&run.name)));
    }
    now.push(String::new());
    now.extend(reliability(&runs()[0].said));
    now.push(String::new());
    now.extend(runs()[0].misses.iter().map(|m| format!("missed {m}")));
    let now = now.iter().map(|l| l.trim_end().to_owned() + "\n").collect::<String>();
    let path = root().join("tests/it/evaluation.txt");
    if std::env::var_os("UPDATE_EVALUATION").is_some_and(|v| v == "1") {
        std::fs::write(&path, now).expect("the table can be written");
        return;
    }
    let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
    let hint = "UPDATE_EVALUATION=1 cargo test --release --locked --test it -- evaluation";
    assert!(now == reviewed, "the evaluation changed; look, then\n  {hint}\n{now}");
}

#[test]
fn the_ranking_is_right_on_its_recordings_and_says_how_sure_it_is() {
    let whole = &runs()[0];
    let (s, row) = (&whole.scores, whole.scores.row(&whole.name));
    let misses = whole.misses.join("\n  ");
    assert!(s.ac[0] >= 0.95 && s.mrr >= 0.95, "{row}\n  {misses}");
    assert!(s.ece <= 0.15 && s.brier <= 0.10, "not calibrated: {row}\n  {misses}");
    for simple in runs().iter().filter(|r| BASELINES.iter().any(|b| b.name == r.name)) {
        let both = format!("{}\n{row}", simple.scores.row(&simple.name));
        let worse = simple.scores.ac[0] < s.ac[0] && simple.scores.mrr < s.mrr;
        assert!(worse, "not beaten:\n{both}");
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
