//! The opening sections of the text report: header, verdict, first aid.

use super::number;
use super::page::{Flow, Most, Page, verdict_paint};
use crate::diagnosis::{Action, ActionKind, Diagnosis, EntityRef, Hypothesis, Impact, Verdict};
use crate::time;
use std::collections::BTreeMap;
use unicode_width::UnicodeWidthStr;

/// Columns of the labels at the left.
const LABEL: &str = "             ";
const IMPACTS: Most = (4, 4);
const REASONS: Most = (3, 3);
/// Columns of an effect that stands beside its action, not under it.
const SHORT: usize = 16;

/// When it was, what was read, what users felt.
pub(super) fn header(page: &mut Page, d: &Diagnosis) {
    let g = page.glyphs;
    let w = &d.window;
    let (mut from, to) = (w.incident.from, w.incident.to);
    if !w.found {
        from = w.baseline.from;
    }
    if let Some(title) = d.title.as_deref().filter(|t| !t.trim().is_empty()) {
        let title = page.clean(title);
        page.wrap(" ", LABEL, &title);
    }
    let text = format!(
        "{} {}{}{} UTC ({}){}baseline {}{}{}",
        time::date(from),
        time::clock(from),
        g.arrow,
        time::beside(to, from),
        time::duration(number::length(from, to).round()),
        g.dot,
        time::beside(w.baseline.from, from),
        g.dash,
        time::beside(w.baseline.to, w.baseline.from),
    );
    labelled(page, if w.found { "INCIDENT" } else { "RECORDING" }, &text);
    let how = page.clean(&w.how);
    let is_usual = page.is_bare() && w.found;
    if !how.is_empty() && !is_usual {
        labelled(page, "window", &how);
    }
    let text = read(page, d);
    labelled(page, "read", &text);
    impact(page, d);
}

fn read(page: &Page, d: &Diagnosis) -> String {
    let graph = [
        number::count(d.series, "series"),
        number::count(d.entities, "entity"),
        number::count(d.edges, "edge"),
    ];
    let files = if page.is_tight() { files(d) } else { readers(page, d) };
    format!("{}{}{}", files.join(", "), page.glyphs.dot, graph.join(", "))
}

/// How many files were read, and how many were not.
fn files(d: &Diagnosis) -> Vec<String> {
    let unknown = d.inputs.iter().filter(|i| i.reader == "none").count();
    let rows = d.inputs.iter().map(|i| i.rows as f64).sum();
    let files = number::count(d.inputs.len() - unknown, "file");
    let mut parts = vec![format!("{files} ({} rows)", number::number(rows))];
    if unknown > 0 {
        parts.push(format!("{unknown} not recognised"));
    }
    parts
}

/// How many files each reader took.
fn readers(page: &Page, d: &Diagnosis) -> Vec<String> {
    let mut readers: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for input in &d.inputs {
        let slot = readers.entry(&input.reader).or_default();
        slot.0 += 1;
        slot.1 += input.rows;
    }
    let mut readers: Vec<_> = readers.into_iter().collect();
    readers.sort_by_key(|(name, (files, _))| (*name == "none", std::cmp::Reverse(*files)));
    let mut parts: Vec<String> = readers
        .into_iter()
        .map(|(name, (files, rows))| match name {
            "none" => format!("{files} not recognised"),
            _ => format!("{files} {} ({} rows)", page.clean(name), number::number(rows as f64)),
        })
        .collect();
    if parts.is_empty() {
        parts.push("no files".to_owned());
    }
    parts
}

fn impact(page: &mut Page, d: &Diagnosis) {
    let shown = page.limit(IMPACTS, d.impact.len());
    if page.is_bare() {
        return impact_line(page, d);
    }
    let names = d.impact.iter().take(shown).map(|i| page.clean(&i.entity.name).width());
    let width = names.max().unwrap_or(0).min(24);
    for (n, i) in d.impact.iter().take(shown).enumerate() {
        let felt = felt(page, i);
        let name = super::page::pad(&page.clean(&i.entity.name), width);
        let label = if n == 0 { "impact" } else { "" };
        let first = format!(" {label:<12}{name}  ");
        page.wrap(&first, &format!("{LABEL}  "), &felt);
    }
    page.more(LABEL, d.impact.len().saturating_sub(shown), "");
}

/// What users felt at one entity, in words and numbers.
fn felt(page: &Page, i: &Impact) -> String {
    let during = number::value(i.during, i.unit);
    let said = page.clean(&i.said);
    // What the sentence has already said in numbers is not said again.
    if said.contains(&during) || said.contains("->") || said.contains('→') {
        return said;
    }
    format!("{said} {}{}{during}", number::value(i.before, i.unit), page.glyphs.arrow)
}

/// What users felt, entity by entity in one paragraph.
fn impact_line(page: &mut Page, d: &Diagnosis) {
    const NAMED: usize = 4;
    let mut parts: Vec<(String, Vec<String>)> = Vec::new();
    for i in d.impact.iter().take(NAMED) {
        let (name, said) = (page.clean(&i.entity.name), felt(page, i));
        match parts.iter_mut().find(|p| p.0 == name) {
            Some(part) => part.1.push(said),
            None => parts.push((name, vec![said])),
        }
    }
    let all = parts.iter().map(|(name, said)| format!("{name} {}", said.join(", ")));
    let mut all: Vec<String> = all.collect();
    if d.impact.len() > NAMED {
        all.push(format!("{} more", d.impact.len() - NAMED));
    }
    if !all.is_empty() {
        labelled(page, "impact", &all.join(page.glyphs.dot));
    }
}

/// How sure the answer is, as a word that cannot be overlooked.
pub(super) fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Healthy => "HEALTHY",
        Verdict::Inconclusive => "INCONCLUSIVE",
        Verdict::Likely => "LIKELY",
        Verdict::Confirmed => "CONFIRMED",
    }
}

/// A verdict without a cause, in one sentence.
pub(super) fn verdict_meaning(d: &Diagnosis) -> &'static str {
    match (d.verdict, d.hypotheses.is_empty()) {
        (Verdict::Healthy, _) => "nothing in this data needs a cause",
        (_, true) => "no explanation fits what was seen",
        _ => "no explanation is supported well enough to be called the cause",
    }
}

/// The verdict, the first hypothesis with its probability, the runner-up, the reasons.
pub(super) fn verdict(page: &mut Page, d: &Diagnosis) {
    page.blank();
    let word = verdict_word(d.verdict);
    let first = d.hypotheses.first().filter(|_| d.verdict != Verdict::Healthy);
    let sure = matches!(d.verdict, Verdict::Likely | Verdict::Confirmed);
    let said = match first {
        Some(h) if sure => format!("{word}: {}", page.clean(&h.headline)),
        _ => format!("{word}: {}", verdict_meaning(d)),
    };
    let flow = Flow { first: " VERDICT     ", rest: LABEL, text: &said, ..Flow::default() };
    page.flow(Flow { painted: Some((word, verdict_paint(d.verdict))), ..flow });
    if let Some(h) = first {
        if !sure {
            let headline = page.clean(&h.headline);
            labelled(page, "closest", &headline);
        }
        candidate(page, d, h);
    }
    if page.is_tight() && !d.reasons.is_empty() {
        let text = page.clean(&d.reasons.join("; "));
        return labelled(page, "because", &text);
    }
    let shown = page.limit(REASONS, d.reasons.len());
    for (n, reason) in d.reasons.iter().take(shown).enumerate() {
        let text = page.clean(reason);
        let first = if n == 0 { " because     - " } else { "             - " };
        page.wrap(first, "               ", &text);
    }
    page.more(LABEL, d.reasons.len().saturating_sub(shown), " reasons");
}

/// Who the first hypothesis is about, how likely it is and how far the next one is away.
fn candidate(page: &mut Page, d: &Diagnosis, h: &Hypothesis) {
    let g = page.glyphs;
    let mut bar = format!(
        "{} {} {}",
        page.clean(&h.id),
        number::probability(h.probability),
        super::sparkline::bar(h.probability, 20, page.style.ascii),
    );
    match d.hypotheses.get(1) {
        Some(next) => {
            let (p, name) = (number::probability(next.probability), named(page, next));
            bar.push_str(&format!("{}runner-up {} {p} {name}", g.dot, page.clean(&next.id)));
        }
        None => bar.push_str(&format!("{}no other hypothesis", g.dot)),
    }
    labelled(page, "probability", &bar);
    let mut about = format!("{}{}{}", entity(page, &h.entity), g.dot, named(page, h));
    about.push_str(&format!("{}{} severity", g.dot, severity(h)));
    let sure = matches!(d.verdict, Verdict::Likely | Verdict::Confirmed);
    labelled(page, if sure { h.role.word() } else { "suspect" }, &about);
    // On a tight page the first line of the chain says it.
    if let Some(f) = d.first_failure.as_ref().filter(|_| !page.is_tight() || h.chain.is_empty()) {
        let near = number::uncertainty(Some(f.uncertainty_s));
        let near = near.map_or(String::new(), |s| format!(" {}{s}", g.near));
        let name = page.clean(&f.entity.name);
        let text = format!("{}{near} {name}: {}", time::clock(f.at), page.clean(&f.said));
        labelled(page, "began", &text);
    }
}

/// The word for the harm of a hypothesis.
pub(super) fn severity(h: &Hypothesis) -> &'static str {
    use crate::model::Severity;
    match h.severity {
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

/// The signature of a hypothesis, with its short code.
pub(super) fn named(page: &Page, h: &Hypothesis) -> String {
    match (&h.signature, &h.code) {
        (Some(s), Some(c)) => format!("{} ({})", page.clean(s), page.clean(c)),
        (Some(s), None) => page.clean(s),
        (None, _) => "unclassified".to_owned(),
    }
}

/// An entity with its kind, and its service where that is another name.
pub(super) fn entity(page: &Page, e: &EntityRef) -> String {
    let (name, service) = (page.clean(&e.name), page.clean(&e.service));
    match service.is_empty() || service == name {
        true => format!("{name} ({})", e.kind),
        false => format!("{name} ({} of {service})", e.kind),
    }
}

/// What stops the bleeding, and what shows that it worked.
pub(super) fn mitigate(page: &mut Page, d: &Diagnosis, h: &Hypothesis) {
    let of = |kind| h.mitigation.iter().filter(move |a| a.kind == kind);
    let sure = matches!(d.verdict, Verdict::Likely | Verdict::Confirmed);
    page.heading(match (sure, h.discriminators.is_empty()) {
        (true, _) => "MITIGATE FIRST",
        (false, true) => "IF YOU MUST ACT NOW (the cause is not certain)",
        (false, false) => "IF YOU MUST ACT NOW (not certain: see NEXT CHECKS first)",
    });
    if of(ActionKind::Now).next().is_none() {
        page.line("   no immediate action is known for this");
    }
    for (n, a) in of(ActionKind::Now).enumerate() {
        action(page, &format!(" {} ", n + 1), "   ", a);
    }
    for a in of(ActionKind::Confirm) {
        action(page, " then confirm: ", "   ", a);
    }
}

/// One action: what, where, the command on its own line, what it costs.
pub(super) fn action(page: &mut Page, first: &str, rest: &str, a: &Action) {
    let said = page.clean(&a.said);
    let on = a.on.as_deref().map(|on| page.clean(on)).filter(|on| !on.is_empty());
    let effect = a.effect.as_deref().map(|e| page.clean(e));
    // A word or two need no line of their own.
    let short = effect.as_deref().filter(|e| e.width() <= SHORT && a.command.is_some());
    let short = short.map(|e| e.trim_end_matches('.').to_lowercase());
    let on =
        on.map(|on| if a.command.is_some() { format!("run on {on}") } else { format!("on {on}") });
    let aside: Vec<&str> = [on.as_deref(), short.as_deref()].into_iter().flatten().collect();
    let text = match (aside.is_empty(), a.command.is_some()) {
        (true, _) => said,
        (_, true) => format!("{} ({}):", said.trim_end_matches(['.', ':']), aside.join("; ")),
        (_, false) => format!("{said} ({})", aside.join("; ")),
    };
    page.wrap(first, rest, &text);
    if let Some(command) = &a.command {
        page.command(&format!("{rest}    "), command);
    }
    if let Some(effect) = effect.filter(|_| short.is_none()) {
        let text = format!("effect: {effect}");
        page.wrap(rest, &format!("{rest}  "), &text);
    }
}

/// For a healthy verdict: what was looked at, never as a cause.
pub(super) fn healthy_notes(page: &mut Page, d: &Diagnosis) {
    let text = match d.hypotheses.len() {
        0 => return,
        n => format!("{} considered, none is needed", number::count(n, "explanation")),
    };
    labelled(page, "", &text);
}

fn labelled(page: &mut Page, label: &str, text: &str) {
    page.wrap(&format!(" {label:<12}"), LABEL, text);
}
