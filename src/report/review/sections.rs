//! The sections of a review. Each says what the data say, with ids, and asks for the rest.

use super::super::evidence::strongest;
use super::super::number;
use super::{Item, Row, Section, Table};
use crate::diagnosis::{
    Action, ActionKind, Diagnosis, Evidence, EvidenceState, Hypothesis, Moment, Role, Verdict,
};
use crate::model::GapKind;
use crate::time;

/// Pieces of evidence that the cause is told with.
const EVIDENCE: usize = 5;
/// Contributing factors, and hypotheses that were ruled out.
const FACTORS: usize = 6;
/// Id of the windows.
const WINDOW: &str = "W1";

/// An id with a number from 1.
pub(super) fn id(letter: char, index: usize) -> String {
    format!("{letter}{}", index + 1)
}

fn window() -> Vec<String> {
    vec![WINDOW.to_owned()]
}

/// The first hypothesis, where the answer has one.
fn first(d: &Diagnosis) -> Option<&Hypothesis> {
    d.hypotheses.first().filter(|_| d.verdict != Verdict::Healthy)
}

fn is_sure(d: &Diagnosis) -> bool {
    matches!(d.verdict, Verdict::Likely | Verdict::Confirmed)
}

/// The hypothesis and its strongest evidence.
fn basis(h: &Hypothesis) -> Vec<String> {
    let present = strongest(&h.evidence).into_iter();
    let ids = present.filter(|e| e.state == EvidenceState::Present).take(3).map(|e| e.id.clone());
    std::iter::once(h.id.clone()).chain(ids).collect()
}

fn sentence(said: &str) -> String {
    let said = said.trim();
    if said.ends_with(['.', '!', '?']) { said.to_owned() } else { format!("{said}.") }
}

/// What happened, in a few sentences.
pub(super) fn summary(d: &Diagnosis) -> Section {
    let w = d.window.incident;
    let length = time::duration(number::length(w.from, w.to).round());
    let (date, from, to) = (time::date(w.from), time::clock(w.from), time::beside(w.to, w.from));
    let mut items = Vec::new();
    if d.window.found {
        let said =
            format!("The incident lasted from {} {from} to {to} UTC ({length}).", date.trim());
        items.push(Item::fact(said, &window()));
    } else {
        items.push(Item::fact("No disturbance was found in the recording.", &window()));
    }
    if let Some(i) = d.impact.first() {
        let said = format!("What users of {} felt: {}.", i.entity.name, i.said);
        items.push(Item::fact(said, &[id('I', 0)]));
    }
    match first(d) {
        Some(h) if is_sure(d) => {
            let p = number::probability(h.probability);
            let said = format!("Cause ({}, probability {p}): {}", d.verdict.word(), h.headline);
            items.push(Item::fact(sentence(&said), &basis(h)));
        }
        Some(h) => {
            let said = format!("The cause is not settled; the closest explanation: {}", h.headline);
            items.push(Item::fact(sentence(&said), &basis(h)));
        }
        None => {}
    }
    items.push(Item::open("one sentence for people who were not there"));
    Section { title: "Summary", items, table: None }
}

/// What people rejected in `triage`, in their own words; nothing without such notes.
pub(super) fn decided(d: &Diagnosis) -> Option<Section> {
    let (_, notes) = d.pages.decided.as_ref()?;
    let items = notes.rejected.iter().enumerate().map(|(n, r)| {
        let is_it = |h: &&Hypothesis| {
            h.signature.as_deref().unwrap_or_default() == r.signature && h.entity.name == r.entity
        };
        let own = d.hypotheses.iter().find(is_it).map(|h| h.id.clone());
        let name = if r.signature.is_empty() { "unclassified" } else { &r.signature };
        let p = number::probability(r.probability);
        let said = format!("{name} on {} ({p} by the data) was rejected: {}", r.entity, r.reason);
        let ids: Vec<String> = std::iter::once(id('N', n)).chain(own).collect();
        Item::fact(sentence(&said), &ids)
    });
    let mut items: Vec<Item> = items.collect();
    items.push(Item::open("who rejected it, and what was looked at"));
    Some(Section { title: "Rejected by people, not by the data", items, table: None })
}

/// Who felt it, for how long and how badly.
pub(super) fn impact(d: &Diagnosis) -> Section {
    let mut items: Vec<Item> = d
        .impact
        .iter()
        .enumerate()
        .map(|(n, i)| {
            let levels = match i.said.contains("->") {
                true => String::new(),
                false => {
                    let (before, during) =
                        (number::value(i.before, i.unit), number::value(i.during, i.unit));
                    format!(" (median {before} → {during})")
                }
            };
            Item::fact(format!("{}: {}{levels}.", i.entity.name, i.said), &[id('I', n)])
        })
        .collect();
    if items.is_empty() {
        items.push(Item::fact("No effect on users was seen in the data.", &window()));
    }
    items.push(Item::open("how many users and which customers; lost orders or money; SLO budget"));
    Section { title: "Impact", items, table: None }
}

/// Whether people could know it while it happened.
fn known(m: &Moment) -> &'static str {
    match m.kind {
        "change" | "alert" => "then",
        _ => "later",
    }
}

/// What happened when, with the borders of the incident.
pub(super) fn timeline(d: &Diagnosis) -> Section {
    let mut rows: Vec<(i64, Row)> = Vec::new();
    let cells = |at: i64, what: String, known: &str| {
        [time::clock(at), what, known.to_owned()].into_iter().map(Some).collect()
    };
    if d.window.found {
        let w = d.window.incident;
        for (at, said) in [(w.from, "incident begins"), (w.to, "incident ends")] {
            rows.push((at, Row { cells: cells(at, said.to_owned(), "later"), rests_on: window() }));
        }
    }
    for (n, m) in d.timeline.iter().enumerate() {
        let name = m.entity.as_ref().map_or(String::new(), |e| format!("{}: ", e.name));
        let near =
            number::uncertainty(m.uncertainty_s).map_or(String::new(), |s| format!(" (±{s})"));
        let what = format!("{}: {name}{}{near}", m.kind, m.said);
        rows.push((m.at, Row { cells: cells(m.at, what, known(m)), rests_on: vec![id('T', n)] }));
    }
    rows.sort_by_key(|r| r.0);
    let date = time::date(d.window.incident.from);
    let said = format!(
        "Times are UTC, {}. Known \"then\": changes and alerts; \"later\": dated from the recording.",
        date.trim()
    );
    let open = "when people noticed, decided and acted: from chat and tickets";
    Section {
        title: "Timeline",
        items: vec![Item::fact(said, &window()), Item::open(open)],
        table: Some(Table {
            head: vec!["UTC", "What", "Known", "Evidence"],
            rows: rows.into_iter().map(|r| r.1).collect(),
        }),
    }
}

fn pieces(evidence: &[Evidence], most: usize) -> impl Iterator<Item = Item> {
    let seen = strongest(evidence).into_iter().filter(|e| e.state != EvidenceState::Unobservable);
    seen.take(most).map(|e| {
        let inferred = if e.inferred { " (concluded, not read)" } else { "" };
        Item::fact(sentence(&format!("{}{inferred}", e.said)), std::slice::from_ref(&e.id))
    })
}

/// The cause, its evidence, and how it spread.
pub(super) fn cause(d: &Diagnosis) -> Section {
    let mut items = Vec::new();
    match first(d) {
        Some(h) => {
            let name = h.signature.as_deref().unwrap_or("no known failure mode");
            let said = format!("{} ({name}) on {}: {}", h.title, h.entity.name, h.headline);
            items.push(Item::fact(sentence(&said), &basis(h)));
            items.extend(pieces(&h.evidence, EVIDENCE));
            for (n, l) in h.chain.iter().enumerate() {
                let at = l.onset.map_or("at an unknown time".to_owned(), time::clock);
                let after = l.after.as_deref().map_or(String::new(), |a| format!(" after {a}"));
                let said =
                    format!("{} ({}) from {at}{after}: {}", l.entity.name, l.role.word(), l.said);
                let ids: Vec<String> =
                    std::iter::once(id('C', n)).chain(l.evidence.iter().cloned()).collect();
                items.push(Item::fact(sentence(&said), &ids));
            }
            if !is_sure(d) {
                items.push(Item::open("this is not settled: see the checks that would settle it"));
            }
        }
        None => items.push(Item::fact("Nothing in the data needs a cause.", &window())),
    }
    Section { title: "Root cause", items, table: None }
}

/// What made it worse or possible: other findings that play a part.
pub(super) fn factors(d: &Diagnosis) -> Section {
    let part = |h: &&Hypothesis| {
        h.signature.is_some()
            && matches!(h.role, Role::Amplifier | Role::Contributing | Role::Victim)
    };
    let others = d.hypotheses.iter().skip(1).filter(part).take(FACTORS);
    let mut items: Vec<Item> = others
        .map(|h| {
            let said = format!("{} ({}): {}", h.entity.name, h.role.word(), h.headline);
            Item::fact(sentence(&said), &basis(h))
        })
        .collect();
    items.push(Item::open("why this was possible: design, process, limits, missing tests"));
    Section { title: "Contributing factors", items, table: None }
}

/// Changes before the first failure, and whether they were tested.
pub(super) fn trigger(d: &Diagnosis) -> Section {
    let start = d.first_failure.as_ref().map_or(d.window.incident.from, |f| f.at);
    let mut items = Vec::new();
    for h in d.hypotheses.iter().filter(|h| h.role == Role::Trigger) {
        items.push(Item::fact(sentence(&h.headline), &basis(h)));
    }
    for (n, m) in d.timeline.iter().enumerate().filter(|(_, m)| m.kind == "change") {
        if !d.window.found || m.at > d.window.incident.to {
            continue;
        }
        let name = m.entity.as_ref().map_or(String::new(), |e| format!("{}: ", e.name));
        let when = match number::delay(start, m.at) {
            late if m.at > start => format!("{} after the first failure", &late[1..]),
            early => format!("{} before the first failure", &early[1..]),
        };
        let tested = first(d).and_then(|h| cites(h, m));
        let verdict = match tested {
            Some(_) => "the evidence of the cause names it",
            None => "no evidence of the cause names it",
        };
        let said = format!("{name}{}, {when}; {verdict}.", m.said);
        let ids: Vec<String> = std::iter::once(id('T', n)).chain(tested).collect();
        items.push(Item::fact(said, &ids));
    }
    if items.is_empty() {
        items.push(Item::fact("No change is known from the data.", &window()));
    }
    items.push(Item::open("what set it off, and why then"));
    Section { title: "Trigger", items, table: None }
}

/// The present evidence of a hypothesis that was read from the place of a moment.
fn cites(h: &Hypothesis, m: &Moment) -> Option<String> {
    let place = m.place.as_ref()?;
    let found = h.evidence.iter().find(|e| {
        let at = e.source.as_ref();
        e.state == EvidenceState::Present
            && at.is_some_and(|s| s.file == place.file && s.line.is_some() && s.line == place.line)
    });
    found.map(|e| e.id.clone())
}

/// How late it was noticed.
pub(super) fn detection(d: &Diagnosis) -> Section {
    let start = d.first_failure.as_ref().map_or(d.window.incident.from, |f| f.at);
    let alert = d.timeline.iter().enumerate().find(|(_, m)| m.kind == "alert" && m.at >= start);
    let onset =
        d.hypotheses.first().and_then(|h| h.chain.iter().position(|l| l.onset == Some(start)));
    let onset = onset.map_or_else(window, |n| vec![id('C', n)]);
    let mut items = Vec::new();
    let found = d.window.found || d.first_failure.is_some();
    if found {
        let said = format!("The first failure began at {} UTC.", time::clock(start));
        items.push(Item::fact(said, &onset));
    }
    match alert.filter(|_| found) {
        Some((n, m)) => {
            let gap = number::delay(start, m.at);
            let said = format!(
                "The first alert after it came at {} UTC, {} later: {}.",
                time::clock(m.at),
                &gap[1..],
                m.said
            );
            items.push(Item::fact(said, &[vec![id('T', n)], onset].concat()));
        }
        None => {
            items.push(Item::fact("No alert after it is in the data.", &window()));
            items.push(Item::open(
                "when and by whom it was noticed, and the gap to the first failure",
            ));
        }
    }
    items.push(Item::open("which alert would have come earlier"));
    Section { title: "Detection", items, table: None }
}

/// What ended it.
pub(super) fn mitigation(d: &Diagnosis) -> Section {
    let mut items = Vec::new();
    let ends =
        |m: &Moment| m.kind == "recovery" || m.kind == "session" && m.said.ends_with("last seen");
    for (n, m) in d.timeline.iter().enumerate().filter(|(_, m)| ends(m)) {
        let name = m.entity.as_ref().map_or(String::new(), |e| format!("{}: ", e.name));
        let said = format!("{} UTC: {name}{}.", time::clock(m.at), m.said);
        items.push(Item::fact(said, &[id('T', n)]));
    }
    items.push(Item::open("what was done, by whom and when; did it work, or did it end by itself"));
    if let Some(h) = first(d) {
        for a in of_kind(h, ActionKind::Now) {
            let on = a.on.as_deref().map_or(String::new(), |on| format!(" (on {on})"));
            let said = format!("Advised for this failure mode{on}: {}", a.said);
            let fact = Item::fact(sentence(&said), std::slice::from_ref(&h.id));
            items.push(Item { command: a.command.clone(), ..fact });
        }
    }
    Section { title: "Mitigation", items, table: None }
}

fn of_kind(h: &Hypothesis, kind: ActionKind) -> impl Iterator<Item = &Action> {
    h.mitigation.iter().filter(move |a| a.kind == kind)
}

/// What nobody may forget to ask.
pub(super) fn security(_: &Diagnosis) -> Section {
    let items = [
        "was it caused or used by an attacker",
        "was data read, changed or lost by someone who should not",
        "were secrets exposed, access widened or checks switched off while it was fought",
        "is anyone to be told (customers, authorities)",
    ];
    let items = items.map(Item::open).to_vec();
    Section { title: "Security check", items, table: None }
}

/// What people learned.
pub(super) fn lessons(_: &Diagnosis) -> Section {
    let items = ["what went well", "what went badly", "where we were lucky"];
    Section { title: "Lessons", items: items.map(Item::open).to_vec(), table: None }
}

/// What was considered and does not hold.
pub(super) fn ruled_out(d: &Diagnosis) -> Section {
    let others = d.hypotheses.iter().skip(1).filter(|h| !h.against.is_empty()).take(FACTORS);
    let items = others.flat_map(|h| {
        let name = h.signature.as_deref().unwrap_or("unclassified");
        let why = strongest(&h.against).into_iter().next()?;
        let said = format!("Not {name} on {}: {}", h.entity.name, why.said);
        Some(Item::fact(sentence(&said), &[h.id.clone(), why.id.clone()]))
    });
    let mut items: Vec<Item> = items.collect();
    if items.is_empty() {
        items.push(Item::open(
            "nothing speaks against the other hypotheses by itself: compare them",
        ));
    }
    Section { title: "Considered and ruled out", items, table: None }
}

/// What to do so that it does not come again, with room for owner and date.
pub(super) fn actions(d: &Diagnosis) -> Section {
    let mut rows = Vec::new();
    let mut add = |what: String, rests_on: Vec<String>| {
        rows.push(Row { cells: vec![Some(what), None, None], rests_on });
    };
    if let Some(h) = first(d) {
        for kind in [ActionKind::Prevent, ActionKind::Recover] {
            for a in of_kind(h, kind) {
                add(format!("{}: {}", kind.word(), a.said.trim()), vec![h.id.clone()]);
            }
        }
    }
    for (n, g) in d.gaps.iter().enumerate().filter(|(_, g)| g.kind == GapKind::Missing) {
        add(format!("record what was missing: {}", g.what), vec![id('Q', n)]);
    }
    Section {
        title: "Action items",
        items: vec![Item::open("choose from these and add others; each needs an owner and a date")],
        table: Some(Table { head: vec!["Action", "Owner", "Due", "Evidence"], rows }),
    }
}

/// What is not certain.
pub(super) fn doubts(d: &Diagnosis) -> Section {
    let gaps = d.gaps.iter().enumerate();
    let mut items: Vec<Item> =
        gaps.map(|(n, g)| Item::fact(sentence(&g.what), &[id('Q', n)])).collect();
    for c in first(d).map_or(&[][..], |h| &h.discriminators) {
        items.push(Item { command: c.command.clone(), ..Item::open(c.question.clone()) });
    }
    if items.is_empty() {
        items.push(Item::fact("No gaps were found in what was read.", &window()));
    }
    Section { title: "Doubts and open checks", items, table: None }
}
