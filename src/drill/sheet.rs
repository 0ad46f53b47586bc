//! Lists of drills and of kept sessions, and the sheet of a session for a team. In: drills or
//! sessions. Out: text.

use super::content::{self, DrillFile};
use super::progress::Session;
use super::words;
use crate::report::Style;
use crate::time;

/// Every drill by its number: difficulty, title, what it is about. The ids, many of which are the
/// answer, are for a game master.
pub fn list(
    all: &[DrillFile],
    best: &dyn Fn(&str) -> Option<f64>,
    master: bool,
    style: &Style,
) -> String {
    let mut out = Vec::new();
    for (at, d) in content::numbered(all).into_iter().enumerate() {
        let stars = "*".repeat(usize::from(d.drill.difficulty));
        let done = best(&d.drill.id).map_or(String::new(), |s| format!(" [best {s:.0}]"));
        let kind = if d.drill.scenario.is_some() { "simulated: " } else { "" };
        let id = if master { format!("{:<30} ", d.drill.id) } else { String::new() };
        let head = format!(" {:>3} {stars:<3} {id}\"{}\"", at + 1, d.drill.title);
        out.push(format!("{head} {kind}{}{done}", d.drill.summary));
    }
    out.push(String::new());
    out.push(format!(
        " {}: `rootline drill start NUMBER` (or its id: `drill list --gm`), or",
        words::count(all.len(), "drill")
    ));
    out.push("   `rootline drill start surprise --seed N`: the seed says which".to_owned());
    out.push(
        "   `rootline drill start sim-ID` with any scenario of `rootline simulate`".to_owned(),
    );
    out.push("   `rootline drill start FOLDER` with any folder that holds its truth".to_owned());
    words::page(&out, style)
}

/// Kept sessions by number, oldest first.
pub fn kept(all: &[(u32, Session)], style: &Style) -> String {
    let mut out = Vec::new();
    if all.is_empty() {
        out.push(" no drill was played yet: `rootline drill list`".to_owned());
    }
    for (number, s) in all {
        let state = match (s.over, s.solved) {
            (false, _) => "not ended",
            (true, true) => "found",
            (true, false) => "not found",
        };
        let brier = s.brier.map_or(String::new(), |b| format!(" · Brier {b:.2}"));
        out.push(format!(
            " {number:>4} {:<30} level {} seed {:<6} {:>3.0} points · {state} · {}{brier}",
            // The id often is the answer.
            if s.over { &s.drill } else { &s.title },
            s.level,
            s.seed,
            s.score,
            time::duration(s.clock_s)
        ));
    }
    let over: Vec<&Session> = all.iter().map(|s| &s.1).filter(|s| s.over).collect();
    if !over.is_empty() {
        let n = over.len() as f64;
        let score = over.iter().map(|s| s.score).sum::<f64>() / n;
        let briers: Vec<f64> = over.iter().filter_map(|s| s.brier).collect();
        let brier = match briers.is_empty() {
            true => String::new(),
            false => format!(", Brier {:.2}", briers.iter().sum::<f64>() / briers.len() as f64),
        };
        let ended = words::count(over.len(), "ended drill");
        out.push(format!(" mean of {ended}: {score:.0} points{brier}"));
    }
    words::page(&out, style)
}

/// The debrief sheet of a session in Markdown; `transcript` is its replay.
pub fn sheet(session: &Session, transcript: &str) -> String {
    let mut out = format!("# Drill: {}\n\n", inline(&session.title));
    let state = if session.solved { "cause found" } else { "cause not found" };
    out.push_str(&format!(
        "`{}`, level {}, seed {}: {:.0} of 100 points, {state}, {} after the page.\n\n",
        session.drill.replace('`', "'"),
        session.level,
        session.seed,
        session.score,
        time::duration(session.clock_s)
    ));
    out.push_str("| part | points |\n|---|---|\n");
    for (part, points) in &session.parts {
        out.push_str(&format!("| {} | {points:.0} |\n", inline(part)));
    }
    // Longer than any run of ticks inside, so that the transcript cannot end it.
    let fence = "`".repeat(3.max(longest(transcript) + 1));
    out.push_str(&format!("\n## Transcript\n\n{fence}text\n{}\n{fence}\n", transcript.trim_end()));
    out.push_str("\n## What we take from it\n\n- What did we look at first, and why?\n");
    out.push_str("- What would have shown the cause sooner?\n");
    out.push_str("- Which alert, limit or runbook do we change, who does it, by when?\n");
    out
}

fn longest(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Text of the data as Markdown that stays text.
fn inline(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if "\\`*_{}[]<>#|!".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
