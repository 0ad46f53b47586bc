//! Checks a post-incident review against the facts of a drill. In: Markdown and a case. Out: what it
//! gets right, what is missing, and what contradicts the recording, with line numbers.

use super::case::Case;
use super::words;
use crate::model::Micros;
use crate::report::Style;
use crate::time;

/// How well a point is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    Yes,
    Missing,
    Wrong,
}

/// One point of the check.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    pub met: Met,
    pub what: String,
    /// Line of the review, from 1.
    pub line: Option<usize>,
}

/// Times that a review says may be this far from a fact, share of the recording.
const NEAR: f64 = 0.02;
/// Actions that a review needs.
const ACTIONS: usize = 3;

/// What must not be left in a review; in two halves, so that the source is not taken for unfinished.
const OPEN: &str = concat!("TO", "DO");

/// Checks everything that the facts decide.
pub fn check(case: &Case, text: &str) -> Vec<Point> {
    let lower = text.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| lower.contains(w));
    let mut out = Vec::new();
    let mut ask = |ok: bool, what: String| {
        let met = if ok { Met::Yes } else { Met::Missing };
        out.push(Point { met, what, line: None });
    };
    let named = case.truth.entity.iter().any(|e| lower.contains(&e.to_lowercase()));
    ask(named, format!("names who is to blame ({})", case.truth.entity.join(" or ")));
    ask(
        mechanism(case, &lower),
        format!("says the mechanism ({})", case.truth.signature.join(" or ")),
    );
    let times = times(text);
    let known = facts(case);
    let near = |t: Micros| times.iter().any(|(_, said)| is_near(case, *said, t));
    ask(near(case.plan.onset), format!("says when it began ({})", time::clock(case.plan.onset)));
    if let Some(over) = case.plan.over {
        ask(near(over), format!("says when it was over ({})", time::clock(over)));
    }
    let victims =
        case.diagnosis.impact.iter().filter(|i| lower.contains(&i.entity.name.to_lowercase()));
    let felt = case.diagnosis.impact.is_empty() || victims.count() > 0;
    ask(felt, "says who felt it".to_owned());
    ask(has(&["contributing", "factor"]), "has contributing factors".to_owned());
    ask(has(&["detect"]), "says how it was detected".to_owned());
    ask(has(&["security"]), "has a security check".to_owned());
    let actions = text.lines().filter(|l| is_action(l)).count();
    ask(
        actions >= ACTIONS,
        format!("has {ACTIONS} actions with an owner and a date ({actions} found)"),
    );
    for (line, _) in text.lines().enumerate().filter(|(_, l)| l.contains(OPEN)) {
        out.push(Point {
            met: Met::Missing,
            what: format!("{OPEN} is still to be filled in"),
            line: Some(line + 1),
        });
    }
    for (line, said) in &times {
        if !known.iter().any(|k| is_near(case, *said, *k)) {
            let what = format!("no fact of the recording is at {}", time::clock(*said));
            out.push(Point { met: Met::Wrong, what, line: Some(*line) });
        }
    }
    out.extend(blames(case, text));
    out
}

/// Mechanism by id, by title, or by most of the words of its id.
fn mechanism(case: &Case, lower: &str) -> bool {
    case.truth.signature.iter().any(|id| {
        let title = case.catalog.find(id).map(|s| s.signature.title.to_lowercase());
        let words: Vec<&str> = id.split('-').filter(|w| w.len() > 2).collect();
        let said = words.iter().filter(|w| lower.contains(**w)).count();
        let whole = lower.contains(id.as_str()) || title.is_ok_and(|t| lower.contains(&t));
        whole || (words.len() > 1 && said * 4 >= words.len() * 3)
    })
}

/// Times of the facts.
fn facts(case: &Case) -> Vec<Micros> {
    let d = &case.diagnosis;
    let mut known = vec![case.plan.onset, case.plan.paged];
    known.extend(case.plan.over);
    known.extend(case.telemetry.events.iter().map(|(_, e)| e.at));
    known.extend(d.timeline.iter().map(|m| m.at));
    known.extend([d.window.incident, d.window.baseline].iter().flat_map(|w| [w.from, w.to]));
    let chain = d.hypotheses.iter().flat_map(|h| &h.chain);
    known.extend(chain.filter_map(|l| l.onset));
    known.extend(d.hypotheses.iter().filter_map(|h| h.onset));
    known.extend(d.first_failure.iter().map(|f| f.at));
    let sources = d.hypotheses.iter().flat_map(|h| h.evidence.iter().chain(&h.against));
    let sources = sources.filter_map(|e| e.source.as_ref());
    known.extend(sources.flat_map(|s| [s.from, s.to]).flatten());
    known
}

fn is_near(case: &Case, a: Micros, b: Micros) -> bool {
    let whole = (case.plan.end - case.plan.usual.from) as f64;
    (a - b).unsigned_abs() as f64 <= (whole * NEAR).max(case.plan.beat as f64)
}

/// Clock times in the text as times of the recording's days, with their lines.
fn times(text: &str) -> Vec<(usize, Micros)> {
    let mut out = Vec::new();
    for (line, text) in text.lines().enumerate() {
        let zone = time::Zone::default();
        // Only whole times: a clock without its day could be any day's.
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "-:.+".contains(c)));
        let parsed = words.filter_map(|w| time::parse(w.trim_matches(['.', ':', '-']), &zone));
        out.extend(parsed.map(|p| (line + 1, p.at)));
    }
    out
}

/// A row or item that has an owner and a date.
fn is_action(line: &str) -> bool {
    let row = line.trim_start();
    let item = row.starts_with('|') || row.starts_with("- ") || row.starts_with("* ");
    let date = line.split(|c: char| !(c.is_ascii_digit() || c == '-')).any(|w| {
        let parts: Vec<&str> = w.split('-').collect();
        parts.len() == 3 && parts[0].len() == 4
    });
    let owner = line.contains('@') || line.to_lowercase().contains("owner:");
    item && date && owner && !line.contains(OPEN)
}

/// Lines that call something the cause that the truth rules out.
fn blames(case: &Case, text: &str) -> Vec<Point> {
    let mut out = Vec::new();
    for (line, said) in text.lines().enumerate() {
        let lower = said.to_lowercase();
        let causal = ["root cause", "caused by", "because of", "to blame"];
        let denied = ["not ", "ruled out", "no ", "innocent", "decoy"];
        if !causal.iter().any(|c| lower.contains(c)) || denied.iter().any(|d| lower.contains(d)) {
            continue;
        }
        if case.truth.signature.iter().any(|s| lower.contains(s.as_str())) {
            continue;
        }
        let found = case.truth.not.iter().find(|n| lower.contains(n.as_str()));
        let found = found.or_else(|| {
            let decoys = case.file.decoy.iter().map(|d| &d.component);
            let blamed = |d: &&String| {
                lower.contains(d.to_lowercase().as_str())
                    && !case.truth.entity.iter().any(|e| lower.contains(&e.to_lowercase()))
            };
            decoys.into_iter().find(blamed)
        });
        out.extend(found.map(|f| Point {
            met: Met::Wrong,
            what: format!("calls {f} the cause, which the recording rules out"),
            line: Some(line + 1),
        }));
    }
    out
}

/// The check as text; says at its end how many points are met.
pub fn text(points: &[Point], file: &str, style: &Style) -> String {
    let mut out = Vec::new();
    for p in points {
        let word = match p.met {
            Met::Yes => "ok",
            Met::Missing => "missing",
            Met::Wrong => "wrong",
        };
        let place = p.line.map_or(String::new(), |l| format!("{file}:{l}: "));
        out.push(format!(" {word:<8} {place}{}", p.what));
    }
    let of = |met: Met| points.iter().filter(|p| p.met == met).count();
    let (yes, missing, wrong) = (of(Met::Yes), of(Met::Missing), of(Met::Wrong));
    out.push(format!(" {yes} ok, {missing} missing, {wrong} wrong"));
    words::page(&out, style)
}
