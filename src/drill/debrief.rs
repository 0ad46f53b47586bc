//! The debrief: score, the engine's own ledger, the shortest proof, what was not looked at, what the
//! actions gave and took, and the review to write. In: a finished game. Out: lines.

use super::case::Case;
use super::content::Outcome;
use super::game::Game;
use super::proof::Places;
use super::runbook::plain;
use super::score::{CATEGORIES, Part};
use super::words;
use crate::catalog::On;
use crate::diagnosis::{ActionKind, EvidenceState, Hypothesis};
use crate::report::plain::probability;

/// Evidence of the ledger, and evidence that was not looked at.
const EVIDENCE: usize = 6;
const MISSED: usize = 5;
/// Questions for the review.
const QUESTIONS: usize = 3;

/// What a game master sees.
pub fn truth(case: &Case) -> Vec<String> {
    let plan = &case.plan;
    let mut out = vec![
        format!("   to blame: {}", words::together(&case.truth.entity)),
        format!("   mechanism: {}", case.truth.signature.join(", ")),
        format!("   begins {}", words::moment(plan, plan.onset)),
    ];
    out.extend(plan.over.map(|t| format!("   over {}", words::moment(plan, t))));
    out.extend(plan.pid.map(|p| format!("   session to blame: pid {p}")));
    if !case.truth.not.is_empty() {
        out.push(format!("   must not be concluded: {}", case.truth.not.join(", ")));
    }
    let notes = case.truth.notes.split_whitespace().collect::<Vec<_>>().join(" ");
    if !notes.is_empty() {
        out.push(format!("   notes: {notes}"));
    }
    out.extend(
        case.file.hint.iter().enumerate().map(|(i, h)| format!("   hint {}: {}", i + 1, h.say)),
    );
    let invented = case.file.decoy.iter().filter(|d| d.title.is_some());
    out.extend(invented.enumerate().map(|(i, d)| {
        let title = d.title.as_deref().unwrap_or_default();
        format!("   decoy {} (`inject {}`): {} {title}; {}", i + 1, i + 1, d.component, d.why)
    }));
    out
}

/// Everything that is told at the end.
pub fn debrief(game: &mut Game) -> Vec<String> {
    let case = game.case;
    let places = Places::new(case);
    let mut out = vec![String::new()];
    out.extend(score(game));
    out.extend(answer(case));
    out.extend(ledger(case));
    out.extend(proof(&places));
    out.extend(missed(game, &places));
    out.extend(decoys(game));
    out.extend(deeds(game));
    out.extend(review(case, game.seed));
    out
}

/// Parts of the score, each with what it lost points for.
fn score(game: &Game) -> Vec<String> {
    let s = &game.score;
    let clock = words::clock(&game.case.plan, game.now);
    let found = if game.solved { "found" } else { "not found" };
    let mut out = vec![format!(
        " == DEBRIEF: {:.0} of 100 ({}), cause {found}, {clock} after the page ==",
        s.total(),
        s.grade()
    )];
    for (part, name, most) in CATEGORIES {
        let why = match part {
            Part::Calibration => match s.mean_brier() {
                Some(b) => format!(
                    "Brier {b:.2} over {} (0 is best): {}",
                    words::count(s.guesses.len(), "guess").replace("guesss", "guesses"),
                    confidence(game)
                ),
                None => "no guess".to_owned(),
            },
            Part::Economy => economy(game),
            _ => {
                let lost = s.losses.iter().filter(|l| l.part == part);
                let mut lost: Vec<String> =
                    lost.map(|l| format!("-{:.0} {}", l.points, l.why)).collect();
                if part == Part::Cause && s.overspent() >= 1.0 {
                    lost.push(format!("{:.0} spent beyond the budget for looks", s.overspent()));
                }
                lost.join(", ")
            }
        };
        let why = match part {
            Part::Mitigation if why.is_empty() => mitigation(game),
            _ => why,
        };
        out.push(format!("   {name:<26} {:>3.0}/{most:<3.0} {why}", s.points(part)));
    }
    out
}

/// What the actions were worth, where none lost points by itself.
fn mitigation(game: &Game) -> String {
    if game.case.simulated {
        let share = game.score.helped.unwrap_or(0.0) * 100.0;
        return format!("{share:.0} % of what the best known action brings");
    }
    match game.deeds.iter().any(|d| d.outcome == Outcome::Helps) {
        true => String::new(),
        false => "nothing was done that helps".to_owned(),
    }
}

fn confidence(game: &Game) -> String {
    let one = |g: &super::score::Guessed| {
        format!("{:.0} % on a {} one", g.sure * 100.0, if g.right { "right" } else { "wrong" })
    };
    game.score.guesses.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// What was spent on what.
fn economy(game: &Game) -> String {
    let mut by: Vec<(String, usize, f64)> = Vec::new();
    for l in game.score.losses.iter().filter(|l| l.part == Part::Economy) {
        match by.iter_mut().find(|b| b.0 == l.why) {
            Some(b) => (b.1, b.2) = (b.1 + 1, b.2 + l.points),
            None => by.push((l.why.clone(), 1, l.points)),
        }
    }
    by.iter().map(|(why, n, p)| format!("{n} × {why} -{p:.0}")).collect::<Vec<_>>().join(", ")
}

/// What it was.
fn answer(case: &Case) -> Vec<String> {
    let plan = &case.plan;
    let mut out = vec![String::new(), " == WHAT IT WAS ==".to_owned()];
    let since = words::moment(plan, plan.onset);
    let (who, what) = (words::together(&case.truth.entity), case.truth.signature.join(" / "));
    out.push(format!("   {what} on {who}, from {since} UTC"));
    let notes = case.truth.notes.split_whitespace().collect::<Vec<_>>().join(" ");
    if !notes.is_empty() {
        out.push(format!("   {notes}"));
    }
    out
}

/// The engine's own case for it.
fn ledger(case: &Case) -> Vec<String> {
    let d = &case.diagnosis;
    let mut out = vec![String::new(), " == THE ENGINE'S LEDGER ==".to_owned()];
    if case.simulated {
        out.push("   of the incident as it goes when nobody acts".to_owned());
    }
    let Some(h) = case.ledger() else {
        let first = d.hypotheses.first().map_or("nothing".to_owned(), |h| h.headline.clone());
        out.push(format!("   the engine does not name it ({}): it says {first}", d.verdict.word()));
        return out;
    };
    out.push(format!(
        "   {} rank {}, probability {} ({}): {}",
        h.id,
        h.rank,
        probability(h.probability),
        d.verdict.word(),
        h.headline
    ));
    let mut evidence: Vec<_> = h.evidence.iter().collect();
    evidence.sort_by(|a, b| b.nats.total_cmp(&a.nats).then_with(|| a.id.cmp(&b.id)));
    for e in evidence.iter().take(EVIDENCE) {
        let state = match e.state {
            EvidenceState::Present => "+",
            EvidenceState::Absent => "-",
            EvidenceState::Unobservable => "?",
        };
        let said = match e.state {
            // A component may show the signal while the place that is asked for does not.
            EvidenceState::Unobservable => format!("{} ({})", e.said, place(case, h, &e.name)),
            _ if e.said.is_empty() => e.name.clone(),
            _ => e.said.clone(),
        };
        out.push(format!("   {state} {:<4} {said}", e.id));
    }
    out.push(format!("   in full: rootline explain {} {}", h.id, case.place));
    out
}

/// Where a piece of evidence looks.
fn place(case: &Case, h: &Hypothesis, evidence: &str) -> String {
    let file = h.signature.as_deref().and_then(|s| case.catalog.find(s).ok());
    let rule = file.and_then(|f| f.evidence.iter().find(|r| r.id == evidence));
    let name = &h.entity.name;
    match rule.map(|r| r.on) {
        Some(On::Caller) => format!("of the callers of {name}"),
        Some(On::Callee) => format!("of what {name} calls"),
        Some(On::EdgeIn) => format!("of the calls to {name}"),
        Some(On::EdgeOut) => format!("of the calls of {name}"),
        Some(On::Entry) => "at the entry".to_owned(),
        Some(On::Host) => format!("of what {name} runs on"),
        Some(On::Global) => "of the whole".to_owned(),
        _ => format!("of {name}"),
    }
}

/// The cheapest looks that put it first.
fn proof(places: &Places) -> Vec<String> {
    let mut out = vec![String::new(), " == THE SHORTEST PROOF ==".to_owned()];
    let Some((looks, clear)) = places.shortest() else {
        out.push("   no few looks decide it by themselves".to_owned());
        return out;
    };
    let cost: f64 = looks.iter().map(|l| l.points).sum();
    for l in &looks {
        out.push(format!("   {:<28} shows {}", l.typed, l.evidence.join(" ")));
    }
    let looks = words::count(looks.len(), "look");
    let text = match clear {
        true => "with their evidence alone it is three times as likely as any other explanation",
        false => "with their evidence alone it comes first, if not by much: the engine is no surer",
    };
    out.push(format!("   {looks}, {}: {text}", words::points(cost)));
    out
}

fn missed(game: &Game, places: &Places) -> Vec<String> {
    let missed = places.missed(&game.seen);
    let mut out = vec![String::new(), " == EVIDENCE YOU DID NOT LOOK AT ==".to_owned()];
    for (id, said, look) in missed.iter().take(MISSED) {
        out.push(format!("   {id:<4} {said} (`{look}`)"));
    }
    if missed.len() > MISSED {
        out.push(format!("   and {} more", missed.len() - MISSED));
    }
    if missed.is_empty() {
        out.push("   none: you saw all that speaks for it".to_owned());
    }
    out
}

/// What looked guilty.
fn decoys(game: &Game) -> Vec<String> {
    if game.case.file.decoy.is_empty() {
        return vec![];
    }
    let mut out = vec![String::new(), " == WHAT ONLY LOOKED GUILTY ==".to_owned()];
    for d in &game.case.file.decoy {
        let put =
            game.injected.iter().any(|(_, t)| d.title.as_ref().is_some_and(|d| t.contains(d)));
        if d.title.is_some() && !put {
            continue;
        }
        let fell = game.score.guesses.iter().any(|g| !g.right && g.component == d.component);
        let how = if fell { "you fell for it" } else { "you did not fall for it" };
        let invented = if put { "; put in by the trainer" } else { "" };
        out.push(format!("   {}: {} ({how}{invented})", d.component, d.why));
    }
    if out.len() == 2 { vec![] } else { out }
}

/// What was done, what the recorded people did, what nothing would have brought.
fn deeds(game: &Game) -> Vec<String> {
    let (case, plan) = (game.case, &game.case.plan);
    let mut out = vec![String::new(), " == ACTIONS AND WHAT THEY TRADE ==".to_owned()];
    if case.simulated {
        out.extend(game.deeds.iter().map(|d| format!("   you: {} {}", d.verb, d.target)));
        out.extend(game.outcome.iter().map(|o| format!("   {o}")));
        return out;
    }
    for d in &game.deeds {
        let word = match d.outcome {
            Outcome::Helps => "helped",
            Outcome::Relieves => "bought time",
            Outcome::Nothing => "did nothing",
            Outcome::Harms => "harmed",
        };
        let trade = if d.trade.is_empty() { String::new() } else { format!("; {}", d.trade) };
        out.push(format!("   you: {} {}: {word}{trade}", d.verb, d.target));
    }
    if game.deeds.is_empty() {
        out.push("   you did nothing".to_owned());
    }
    out.push(match plan.over {
        Some(t) => format!("   as recorded: it was over at {} UTC", words::moment(plan, t)),
        None => "   as recorded: it was not over when the recording ended".to_owned(),
    });
    let best = case.ledger().map_or(&[][..], |h| &h.mitigation);
    let best: Vec<_> = best.iter().filter(|m| m.kind == ActionKind::Now).take(2).collect();
    for m in best {
        let effect = m.effect.as_ref().map_or(String::new(), |e| format!(" (effect: {e})"));
        let command = m.command.as_ref().map_or(String::new(), |c| format!(": {c}"));
        let said = m.said.trim_end_matches('.');
        out.push(format!("   the runbook: {said}{command}{effect}"));
    }
    out
}

/// What is left to do for a person.
fn review(case: &Case, seed: u64) -> Vec<String> {
    let mut out = vec![String::new(), " == THE REVIEW TO WRITE ==".to_owned()];
    if let Some(id) = &case.file.drill.scenario {
        out.push(format!("   rootline simulate {id} --seed {seed} -o {}", case.place));
    }
    out.push(format!("   rootline report {} --template review -o review.md", case.place));
    let id = &case.file.drill.id;
    let told = !case.file.drill.summary.is_empty() || case.simulated;
    let id = if told { id } else { &case.place };
    out.push(format!("   rootline drill check-review review.md {id}"));
    let files = case.truth.signature.iter().filter_map(|s| case.catalog.find(s).ok());
    for s in files.take(1) {
        let questions = s.text.post_incident.iter().take(QUESTIONS);
        out.extend(questions.map(|q| format!("   ask: {}", plain(q))));
        out.extend(s.text.security.iter().take(1).map(|q| format!("   security: {}", plain(q))));
    }
    out.extend(case.file.lesson.iter().map(|l| format!("   lesson: {l}")));
    out
}
