//! How often a diagnosis is right, over many simulated incidents. In: for each run the truth and
//! what came first. Out: a table with accuracy, calibration, false alarms, and every miss.

use super::Run;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Classes of probability in the table of calibration.
const CLASSES: usize = 5;

/// One run and what was said of it.
#[derive(Clone, Debug)]
pub struct Answer {
    pub scenario: String,
    pub seed: u64,
    pub healthy: bool,
    /// `healthy`, `inconclusive`, `likely` or `confirmed`.
    pub verdict: String,
    /// What came first, e.g. `slow-thing on catalog`.
    pub first: String,
    pub probability: f64,
    /// Signature and entity are both right.
    pub right: bool,
    pub right_signature: bool,
    pub right_entity: bool,
}

/// Compares what came first (signature, entity, probability) with the truth of a run.
pub fn judge(
    run: &Run,
    verdict: &str,
    first: Option<(Option<&str>, &str, f64)>,
    service: Option<&str>,
) -> Answer {
    let truth = run.truth();
    let healthy = truth.verdict != "incident";
    let (signature, entity, probability) = first.unwrap_or((None, "", 0.0));
    let right_signature = truth.signature.iter().any(|s| Some(s.as_str()) == signature);
    let named = |name: &str| truth.entity.iter().any(|e| e == name);
    let right_entity = named(entity) || service.is_some_and(named);
    let abstained = verdict == "healthy" || verdict == "inconclusive";
    let right = if healthy { abstained } else { right_signature && right_entity };
    Answer {
        scenario: run.scenario().id.clone(),
        seed: run.seed(),
        healthy,
        verdict: verdict.to_owned(),
        first: format!("{} on {entity}", signature.unwrap_or("unclassified")),
        probability,
        right,
        right_signature,
        right_entity,
    }
}

/// All answers of an evaluation.
#[derive(Clone, Debug)]
pub struct Table {
    answers: Vec<Answer>,
}

impl Table {
    pub fn of(answers: Vec<Answer>) -> Table {
        Table { answers }
    }

    /// Share of the incidents whose first hypothesis is right; `None` of none.
    pub fn accuracy(&self) -> Option<f64> {
        share(self.answers.iter().filter(|a| !a.healthy), |a| a.right)
    }

    /// Share of the healthy runs that were called likely or confirmed incidents; `None` of none.
    pub fn false_alarms(&self) -> Option<f64> {
        share(self.answers.iter().filter(|a| a.healthy), |a| !a.right)
    }

    /// Expected calibration error of the first hypothesis over equal classes of probability.
    pub fn calibration_error(&self) -> f64 {
        let incidents: Vec<&Answer> = self.answers.iter().filter(|a| !a.healthy).collect();
        let classes = classes(&incidents);
        let weighted = classes.iter().map(|(n, said, right)| *n as f64 * (said - right).abs());
        weighted.sum::<f64>() / incidents.len().max(1) as f64
    }

    /// The report.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut groups: BTreeMap<&str, Vec<&Answer>> = BTreeMap::new();
        self.answers.iter().for_each(|a| groups.entry(&a.scenario).or_default().push(a));
        let _ = writeln!(
            text,
            "{:<26}{:>6}{:>8}{:>8}{:>8}{:>8}",
            "scenario", "runs", "AC@1", "entity", "signat.", "mean P"
        );
        for (name, all) in &groups {
            let of = |test: fn(&Answer) -> bool| {
                share(all.iter().copied(), test).map_or(0.0, |s| s * 100.0)
            };
            let mean = all.iter().map(|a| a.probability).sum::<f64>() / all.len() as f64;
            let _ = writeln!(
                text,
                "{name:<26}{:>6}{:>7.0}%{:>7.0}%{:>7.0}%{mean:>8.2}",
                all.len(),
                of(|a| a.right),
                of(|a| a.right_entity),
                of(|a| a.right_signature)
            );
        }
        let percent = |s: Option<f64>| s.map_or("-".to_owned(), |s| format!("{:.1} %", s * 100.0));
        let _ = writeln!(text, "\nincidents: AC@1 {}", percent(self.accuracy()));
        let _ = writeln!(text, "healthy: false alarms {}", percent(self.false_alarms()));
        let _ = writeln!(text, "calibration error {:.3}", self.calibration_error());
        let incidents: Vec<&Answer> = self.answers.iter().filter(|a| !a.healthy).collect();
        for (n, said, right) in classes(&incidents) {
            let _ = writeln!(text, "  said {said:.2}, right {right:.2} of {n}");
        }
        let misses: Vec<&Answer> = self.answers.iter().filter(|a| !a.right).collect();
        let _ = writeln!(text, "\n{} misses", misses.len());
        for a in misses {
            let _ = writeln!(
                text,
                "  {} seed {}: {}, {} ({:.2})",
                a.scenario, a.seed, a.verdict, a.first, a.probability
            );
        }
        text
    }
}

fn share<'a>(all: impl Iterator<Item = &'a Answer>, test: impl Fn(&Answer) -> bool) -> Option<f64> {
    let (mut n, mut hits) = (0_u32, 0_u32);
    for answer in all {
        n += 1;
        hits += u32::from(test(answer));
    }
    (n > 0).then(|| f64::from(hits) / f64::from(n))
}

/// Count, mean probability and share that is right, of each class that is not empty.
fn classes(all: &[&Answer]) -> Vec<(usize, f64, f64)> {
    let class = |p: f64| ((p * CLASSES as f64) as usize).min(CLASSES - 1);
    let of = |c: usize| {
        let inside: Vec<_> = all.iter().filter(|a| class(a.probability) == c).collect();
        let n = inside.len();
        let said = inside.iter().map(|a| a.probability).sum::<f64>() / n.max(1) as f64;
        let right = inside.iter().filter(|a| a.right).count() as f64 / n.max(1) as f64;
        (n, said, right)
    };
    (0..CLASSES).map(of).filter(|(n, _, _)| *n > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(healthy: bool, right: bool, probability: f64) -> Answer {
        Answer {
            scenario: "s".to_owned(),
            seed: 1,
            healthy,
            verdict: "likely".to_owned(),
            first: "x on y".to_owned(),
            probability,
            right,
            right_signature: right,
            right_entity: right,
        }
    }

    #[test]
    fn accuracy_counts_incidents_and_alarms_count_healthy_runs() {
        let table = Table::of(vec![
            answer(false, true, 0.9),
            answer(false, true, 0.9),
            answer(false, false, 0.5),
            answer(false, true, 0.5),
            answer(true, false, 0.7),
            answer(true, true, 0.2),
        ]);
        assert_eq!(table.accuracy(), Some(0.75));
        assert_eq!(table.false_alarms(), Some(0.5));
        // Two said 0.9 and both are right; two said 0.5 and one is.
        assert!((table.calibration_error() - 0.05).abs() < 1e-9);
        assert!(table.text().contains("\n2 misses\n"), "{}", table.text());
    }
}
