//! Evidence with its pointers, and what to look at or do next.

use super::number;
use super::page::{Flow, Most, Page};
use super::sections;
use crate::diagnosis::{
    Action, ActionKind, Diagnosis, Discriminator, Evidence, EvidenceSource, EvidenceState,
    Hypothesis,
};
use crate::time;
use unicode_width::UnicodeWidthStr;

const EVIDENCE: Most = (6, 6);
const AGAINST: Most = (3, 2);
const CHECKS: Most = (3, 1);
const ACTIONS: Most = (3, 1);

/// The strongest evidence of a hypothesis, then what speaks against it.
pub(super) fn decisive(page: &mut Page, h: &Hypothesis) {
    let shown = page.limit(EVIDENCE, h.evidence.len());
    let title = page.title("DECISIVE EVIDENCE", shown, h.evidence.len());
    page.heading(&format!("{title}   {}", legend(page)));
    if h.evidence.is_empty() {
        page.line("   none was recorded");
    }
    list(page, &h.evidence, shown);
    against(page, h, page.limit(AGAINST, h.against.len()));
}

/// What the marks mean.
pub(super) fn legend(page: &Page) -> String {
    let sign = |state| page.mark(state).0;
    format!(
        "({} seen, {} looked for and not there, {} not observable)",
        sign(EvidenceState::Present),
        sign(EvidenceState::Absent),
        sign(EvidenceState::Unobservable)
    )
}

/// What speaks against a hypothesis; says so when nothing does.
pub(super) fn against(page: &mut Page, h: &Hypothesis, limit: usize) {
    match h.against.len() {
        0 => page.line("   nothing that was looked for speaks against it"),
        _ => page.line(" speaks against it:"),
    }
    list(page, &h.against, limit);
}

/// The strongest first; within one strength what weighs most.
fn list(page: &mut Page, evidence: &[Evidence], limit: usize) {
    for e in strongest(evidence).into_iter().take(limit) {
        item(page, e);
    }
    page.more("   ", evidence.len().saturating_sub(limit), "");
}

/// Evidence in the order in which it is shown; the answer itself keeps its order.
pub(super) fn strongest(evidence: &[Evidence]) -> Vec<&Evidence> {
    let mut sorted: Vec<&Evidence> = evidence.iter().collect();
    sorted.sort_by(|a, b| {
        let known = |e: &Evidence| e.state != EvidenceState::Unobservable;
        let rank = |e: &Evidence| (known(e), e.strength, e.state == EvidenceState::Present);
        rank(b).cmp(&rank(a)).then(b.nats.abs().total_cmp(&a.nats.abs()))
    });
    sorted
}

fn item(page: &mut Page, e: &Evidence) {
    let (sign, paint) = page.mark(e.state);
    let first = format!(" {:<3} {sign} ", page.clean(&e.id));
    let rest = " ".repeat(if page.style.ascii { 9 } else { 7 });
    let text = sentence(page, e);
    let mut tails = Vec::new();
    if let Some(source) = &e.source {
        let when = when(source);
        tails.push(format!("{}{when}", pointer(page, source)));
        if source.line.is_none() && !source.file.is_empty() {
            tails.push(format!("{}{when}", page.clean(&source.file)));
        }
        let name = EvidenceSource { file: base(&source.file).to_owned(), ..source.clone() };
        let name = match name.line {
            None if !name.file.is_empty() => page.clean(&name.file),
            _ => pointer(page, &name),
        };
        tails.push(format!("{name}{when}"));
    }
    let painted = Some((sign, paint));
    let flow = Flow { first: &first, rest: &rest, text: &text, tail: "", painted };
    let tail = page.tail(&flow, &tails);
    page.flow(Flow { tail: &tail, ..flow });
}

/// From when on it is to be seen there.
fn when(s: &EvidenceSource) -> String {
    s.from.map_or(String::new(), |at| format!(" @{}", time::clock(at)))
}

/// The name of a file without its folders.
fn base(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

/// What a piece of evidence says, with what must be known about it.
pub(super) fn sentence(page: &Page, e: &Evidence) -> String {
    let mut text = page.clean(&e.said);
    if text.is_empty() {
        text = page.clean(&e.name);
    }
    if e.inferred {
        text.push_str(" (inferred)");
    }
    text
}

/// Where to look: `file:line`, or the file and the series.
pub(super) fn pointer(page: &Page, s: &EvidenceSource) -> String {
    let (file, series) = (page.clean(&s.file), page.clean(&s.series));
    match (s.line, series.is_empty()) {
        (Some(line), _) => format!("{file}:{line}"),
        (None, true) => file,
        (None, false) if file.is_empty() => series,
        (None, false) => format!("{file}{}{series}", page.glyphs.dot),
    }
}

/// What would settle the question, then how to get well and stay so.
pub(super) fn next(page: &mut Page, d: &Diagnosis, h: &Hypothesis) {
    let of = |kind| h.mitigation.iter().filter(|a| a.kind == kind).collect::<Vec<_>>();
    let (recover, prevent) = (of(ActionKind::Recover), of(ActionKind::Prevent));
    if h.discriminators.is_empty() && recover.is_empty() && prevent.is_empty() {
        return;
    }
    let shown = page.limit(CHECKS, h.discriminators.len());
    let title = page.title("NEXT CHECKS", shown, h.discriminators.len());
    page.heading(if h.discriminators.is_empty() { "LATER" } else { &title });
    for (n, check) in h.discriminators.iter().take(shown).enumerate() {
        discriminator(page, d, h, n + 1, check);
    }
    page.more("   ", h.discriminators.len() - shown, "");
    if page.is_least() && shown > 0 {
        return;
    }
    actions(page, "recover", &recover);
    actions(page, "prevent", &prevent);
}

fn actions(page: &mut Page, label: &str, actions: &[&Action]) {
    let shown = page.limit(ACTIONS, actions.len());
    for a in actions.iter().take(shown) {
        // Its command can wait as well.
        let brief = Action { command: None, effect: None, on: None, ..(*a).clone() };
        let a = if page.is_bare() { &brief } else { a };
        sections::action(page, &format!(" {label}: "), "   ", a);
    }
    if !page.is_bare() {
        page.more("   ", actions.len() - shown, "");
    }
}

/// A question, how to answer it without changing anything, and what each answer means.
pub(super) fn discriminator(
    page: &mut Page,
    d: &Diagnosis,
    h: &Hypothesis,
    n: usize,
    check: &Discriminator,
) {
    let cost = page.clean(&check.cost);
    let cost = if cost.is_empty() { String::new() } else { format!("(read-only, {cost})") };
    let question = page.clean(&check.question);
    let first = format!(" {n} ");
    page.flow(Flow { first: &first, rest: "   ", text: &question, tail: &cost, painted: None });
    if let Some(command) = &check.command {
        page.command("       ", command);
    }
    let other = d.hypotheses.iter().find(|o| is_about(check, o));
    let other = other.map_or(page.clean(&check.against), |o| {
        format!("{} {}", page.clean(&o.id), sections::named(page, o))
    });
    let arrow = page.glyphs.arrow;
    let this = format!("if {}{arrow}{}", page.clean(&check.this), page.clean(&h.id));
    let other = format!("if {}{arrow}{other}", page.clean(&check.other));
    let both = format!("{this}{}{other}", page.glyphs.dot);
    if 3 + both.width() <= page.width {
        page.wrap("   ", "     ", &both);
    } else {
        page.wrap("   ", "     ", &this);
        page.wrap("   ", "     ", &other);
    }
}

/// Says whether a check tells a hypothesis from this one.
pub(super) fn is_about(check: &Discriminator, h: &Hypothesis) -> bool {
    check.against == h.id || h.signature.as_ref() == Some(&check.against)
}

/// The nats of a piece of evidence, as the ledger writes them.
pub(super) fn weight(e: &Evidence) -> String {
    format!("{} nats", number::nats(e.nats))
}
