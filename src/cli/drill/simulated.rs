//! Drills on simulated incidents: the scenario runs to its end, and each action makes the rest anew.

use super::super::{Terminal, write_incident};
use super::load::{self, Loaded};
use crate::catalog::fixtures;
use crate::cli::simulate::tempdir;
use crate::drill::content::{Decoy, DrillFile};
use crate::drill::{Answer, Ask, together};
use crate::error::Result;
use crate::ingest;
use crate::model::{Micros, SECOND};
use crate::normalize::normalize;
use crate::redact;
use crate::simulate::scenario::Change;
use crate::simulate::{ACTIONS, Outcome, Run, Scenario, Subject, Verb, Without, named};
use crate::telemetry::Telemetry;
use std::collections::BTreeMap;
use std::path::Path;

/// A simulated incident under way.
pub struct Simulated {
    /// As it stands after the actions so far.
    run: Run,
    /// Begin of the recording.
    start: Micros,
    /// What the users get if nobody does anything, and if the best is done at the page.
    none: Outcome,
    best: Option<(String, Outcome)>,
    /// What they get after the actions so far.
    own: Outcome,
}

/// Runs a scenario and prepares its drill.
pub fn load(mut file: DrillFile, id: &str, seed: u64, terminal: Terminal) -> Result<Loaded> {
    let run = Run::new(&named(id)?, seed)?;
    let (scenario, start) = (run.scenario(), run.start());
    let onset_s = scenario.fault.iter().map(|f| f.at_s).fold(f64::INFINITY, f64::min);
    let mut none = run.clone();
    none.advance(none.end_s());
    if let Some(page) = none.page() {
        let who = if page.alert.is_empty() { "a colleague".to_owned() } else { page.alert };
        file.pager.from.get_or_insert(who);
        file.pager.text.get_or_insert(page.text);
        if onset_s.is_finite() {
            file.pager.after_s.get_or_insert((page.at_s - onset_s).max(0.0) as i64);
        }
    }
    let paged_s = none.page().map_or(onset_s, |p| p.at_s);
    file.decoy.extend(decoys(scenario));
    let best = best(&run, paged_s);
    let (folder, none) = (tempdir()?, (none.outcome(), none));
    let inside = folder.path().join("incident");
    let mut files = none.1.telemetry(Without::default());
    files.push(none.1.truth_file());
    write_incident(&inside, &files)?;
    let truth = fixtures::truth(&inside)?;
    let case = load::case(file, "FOLDER".to_owned(), &inside, truth, terminal)?;
    Ok(Loaded {
        case,
        simulated: Some(Simulated { run, start, own: none.0.clone(), none: none.0, best }),
        progress: terminal.progress.is_some(),
    })
}

/// Changes of the scenario that brought nothing, under the names that the seed gave them.
fn decoys(scenario: &Scenario) -> Vec<Decoy> {
    let one = |c: &Change| Decoy {
        component: c.service.clone(),
        kind: Some(c.kind.clone()),
        // It is among the recorded changes: nobody needs to put it there.
        title: None,
        before_s: 0,
        why: format!("\"{}\" changes nothing of how it works", c.title),
    };
    scenario.change.iter().filter(|c| c.decoy).map(one).collect()
}

/// The outcome of the scenario's own best actions, all of them at the page.
fn best(run: &Run, paged_s: f64) -> Option<(String, Outcome)> {
    let mut run = run.clone();
    run.advance(paged_s);
    let words = run.truth().best.clone();
    for action in &words {
        let action = run.action(action).ok()?;
        run.act(&action).ok()?;
    }
    run.advance(run.end_s());
    (!words.is_empty()).then(|| (words.join(", then "), run.outcome()))
}

fn telemetry(run: &Run) -> Result<Telemetry> {
    let folder = tempdir()?;
    let inside = folder.path().join("incident");
    write_incident(&inside, &run.telemetry(Without::default()))?;
    read(&inside)
}

/// Reads a folder by the same door as any other, without what no report shows.
pub fn read(folder: &Path) -> Result<Telemetry> {
    let mut raw = ingest::read_folder(folder, &ingest::Settings::default())?;
    redact::mask(&mut raw)?;
    normalize(raw)
}

impl Simulated {
    /// Takes an action, or says at the end what all of them brought.
    pub fn answer(&mut self, ask: Ask) -> Result<Answer> {
        match ask {
            Ask::Act(at, words) => {
                let mut next = self.run.clone();
                next.advance((at - self.start) as f64 / SECOND as f64);
                let action = next.action(words)?;
                let said = format!("{action}: {}", next.act(&action)?.said);
                self.run = next;
                let mut whole = self.run.clone();
                whole.advance(whole.end_s());
                self.own = whole.outcome();
                let telemetry = Some(telemetry(&whole)?);
                Ok(Answer { telemetry, said: vec![said], helped: 0.0 })
            }
            Ask::Outcome => Ok(self.outcome()),
            Ask::Offers(at, only) => {
                if let Some(word) = only.filter(|w| ACTIONS.iter().all(|r| r.word != *w)) {
                    // Its error names the actions that there are.
                    self.run.action(word)?;
                }
                let mut now = self.run.clone();
                now.advance((at - self.start) as f64 / SECOND as f64);
                Ok(Answer { telemetry: None, said: offers(&now, only), helped: 0.0 })
            }
        }
    }

    fn outcome(&self) -> Answer {
        let own = &self.own;
        let mut said = vec![format!("nothing at all: {}", in_short(&self.none))];
        let n = self.run.taken().len();
        let what = if n == 1 { "action" } else { "actions" };
        said.push(format!("your {n} {what}: {}", in_short(own)));
        let mut helped = 0.0;
        if let Some((words, best)) = &self.best {
            said.push(format!("the best known ({words}, at the page): {}", in_short(best)));
            let gained = |o: &Outcome| o.availability - self.none.availability;
            // Where nothing fails for want of an action, users are spared the waiting.
            let sooner = |o: &Outcome| self.none.p95_ms - o.p95_ms;
            helped = match (gained(best), sooner(best)) {
                (gain, _) if gain > 0.0 => gained(own) / gain,
                (_, gain) if gain > 0.0 => sooner(own) / gain,
                _ => 0.0,
            };
            helped = helped.clamp(0.0, 1.0);
        }
        let broken = own.clauses.iter().map(|c| {
            let word = if c.kept { "kept" } else { "broken" };
            format!("contract, {}: {word}; {}", c.name, c.said)
        });
        said.extend(broken);
        Answer { telemetry: None, said, helped }
    }
}

/// Every action that can be taken now, or one of them, with what it does and costs, and by kind what
/// it can be done to.
fn offers(run: &Run, only: Option<&str>) -> Vec<String> {
    let offers = run.offers();
    let mut said = Vec::new();
    let mut kinds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in ACTIONS.iter().filter(|r| only.is_none_or(|o| o == r.word)) {
        let own = offers.iter().filter(|o| o.action.verb == row.verb);
        let names: Vec<&str> = match row.subject {
            // Which sessions there are, and whose, is for `sessions` to show.
            Subject::Session if has_databases(run) => vec!["the pid of a session (`sessions`)"],
            Subject::Session => vec![],
            _ => own.map(|o| o.action.subject.as_str()).collect(),
        };
        if names.is_empty() || row.verb == Verb::Wait {
            continue;
        }
        let kind = row.subject.word();
        let amount = row
            .amount
            .map_or(String::new(), |(unit, usual)| format!(" [{unit}: {usual} unless you say]"));
        let bill = match row.cost.usd_per_month {
            0.0 => String::new(),
            usd => format!(" Costs {usd} $ a month each."),
        };
        said.push(format!("{} {kind}{amount}: {}{bill}", row.word, row.says));
        kinds.insert(kind, names);
    }
    if said.is_empty() {
        return vec!["nothing in this system can take that".to_owned()];
    }
    said.extend(kinds.iter().map(|(kind, n)| format!("{kind} is one of: {}", together(n))));
    said
}

fn has_databases(run: &Run) -> bool {
    !run.scenario().database.is_empty()
}

fn in_short(o: &Outcome) -> String {
    let bill = match o.usd_per_month {
        0.0 => String::new(),
        usd => format!(", {usd:.0} $ a month"),
    };
    let share = o.availability * 100.0;
    let (p95, bad) = (o.p95_ms, o.bad_s);
    format!("{share:.2} % of requests succeeded, p95 {p95:.0} ms, {bad:.0} s bad{bill}")
}
