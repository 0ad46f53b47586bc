//! The opening of the HTML report: what it is, how sure, what to do, who felt it, the chain.

use super::super::{number, sections};
use super::chart::{self, Frame};
use super::{clean, linked, page_text};
use crate::diagnosis::{Action, ActionKind, ChainLink, Diagnosis, Hypothesis, Verdict};
use crate::time;
use maud::{Markup, html};

/// The title of the incident, or what the page is.
pub(super) fn title(d: &Diagnosis) -> String {
    let title = d.title.as_deref().map(str::trim).filter(|t| !t.is_empty());
    let date = time::date(d.window.incident.from);
    title.map_or_else(|| format!("Diagnosis of {}", date.trim()), str::to_owned)
}

/// When it was and what was read.
pub(super) fn when(d: &Diagnosis) -> Markup {
    let w = &d.window;
    let from = if w.found { w.incident.from } else { w.baseline.from };
    let length = time::duration(number::length(from, w.incident.to).round());
    let what = if w.found { "Incident" } else { "Recording" };
    html! {
        p {
            (what) " " strong { (time::date(from)) " " (time::clock(from)) " → "
            (time::beside(w.incident.to, from)) " UTC" } " (" (length) ") · baseline "
            (time::beside(w.baseline.from, from)) " – "
            (time::beside(w.baseline.to, w.baseline.from))
        }
        p.soft {
            (page_text(&w.how)) " · " (number::count(d.inputs.len(), "file")) ", "
            (number::count(d.series, "series")) ", " (number::count(d.entities, "entity")) ", "
            (number::count(d.edges, "edge"))
        }
    }
}

/// Says whether an id is one of a piece of evidence that the page shows.
pub(super) fn is_evidence(d: &Diagnosis, id: &str) -> bool {
    let all = d.hypotheses.iter().flat_map(|h| h.evidence.iter().chain(&h.against));
    id.starts_with('E') && all.into_iter().any(|e| e.id == id)
}

/// The verdict, the first hypothesis, the reasons.
pub(super) fn verdict(d: &Diagnosis, first: Option<&Hypothesis>) -> Markup {
    let sure = matches!(d.verdict, Verdict::Likely | Verdict::Confirmed);
    let known = |id: &str| is_evidence(d, id);
    html! {
        div class={ "card verdict " (d.verdict.word()) } {
            p { span.word { (sections::verdict_word(d.verdict)) } }
            @match first.filter(|_| sure) {
                Some(h) => p.headline { (page_text(&h.headline)) },
                None => p.headline { (sections::verdict_meaning(d)) },
            }
            @if let Some(h) = first {
                @if !sure { p { "Closest: " (page_text(&h.headline)) } }
                (candidate(d, h, sure))
            }
            @if !d.reasons.is_empty() {
                ul { @for r in &d.reasons { li { (linked(r, &known)) } } }
            }
        }
        @for s in &d.suppressed {
            div.card {
                p { strong { "Accepted by the site: " } (page_text(&s.headline)) }
                p.soft {
                    (page_text(&s.signature)) " on " (page_text(&s.entity.name)) ", until "
                    (page_text(&s.until)) ": " (page_text(&s.reason)) " (" (page_text(&s.place)) ")"
                }
            }
        }
    }
}

fn candidate(d: &Diagnosis, h: &Hypothesis, sure: bool) -> Markup {
    let width =
        if h.probability.is_finite() { (h.probability * 100.0).clamp(0.0, 100.0) } else { 0.0 };
    html! {
        dl {
            dt { "Probability" }
            dd {
                (number::probability(h.probability))
                div.bar aria-hidden="true" { i style={ "width:" (chart::xy(width)) "%" } {} }
            }
            dt { (if sure { "Cause" } else { "Suspect" }) }
            dd { (page_text(&h.entity.name)) " (" (h.entity.kind) ")" }
            dt { "Failure mode" }
            dd { (named(h)) " · " (sections::severity(h)) " severity" }
            @if let Some(f) = &d.first_failure {
                dt { "First failure" }
                dd {
                    (time::clock(f.at)) " UTC"
                    @if let Some(near) = number::uncertainty(Some(f.uncertainty_s)) { " ±" (near) }
                    " · " (page_text(&f.entity.name)) ": " (page_text(&f.said))
                }
            }
            @if let Some(next) = d.hypotheses.get(1) {
                dt { "Runner-up" }
                dd {
                    (number::probability(next.probability)) " · " (named(next)) " on "
                    (page_text(&next.entity.name))
                }
            }
        }
    }
}

/// The signature of a hypothesis with its code.
pub(super) fn named(h: &Hypothesis) -> String {
    match (&h.signature, &h.code) {
        (Some(s), Some(c)) => page_text(&format!("{s} ({c})")),
        (Some(s), None) => page_text(s),
        (None, _) => "unclassified".to_owned(),
    }
}

fn list(actions: &[&Action]) -> Markup {
    html! { ol.acts { @for a in actions { li { (action(a)) } } } }
}

/// What to do, where, and what it costs.
fn action(a: &Action) -> Markup {
    html! {
        (page_text(&a.said))
        @if let Some(on) = &a.on { span.soft { " (run on " (page_text(on)) ")" } }
        @if let Some(command) = &a.command { pre { code { (clean::command(command, false)) } } }
        @if let Some(effect) = &a.effect { p.soft { "Effect: " (page_text(effect)) } }
    }
}

fn of_kind(h: &Hypothesis, kind: ActionKind) -> Vec<&Action> {
    h.mitigation.iter().filter(|a| a.kind == kind).collect()
}

/// What stops the bleeding, and what shows that it worked.
pub(super) fn actions(h: &Hypothesis) -> Option<Markup> {
    let (now, confirm) = (of_kind(h, ActionKind::Now), of_kind(h, ActionKind::Confirm));
    (!now.is_empty() || !confirm.is_empty()).then(|| {
        html! {
            (list(&now))
            @if !confirm.is_empty() { h3 { "Then confirm" } (list(&confirm)) }
        }
    })
}

/// What brings everything back and keeps it from coming again.
pub(super) fn later(h: &Hypothesis) -> Option<Markup> {
    let (recover, prevent) = (of_kind(h, ActionKind::Recover), of_kind(h, ActionKind::Prevent));
    (!recover.is_empty() || !prevent.is_empty()).then(|| {
        html! {
            @if !recover.is_empty() { h3 { "Recover" } (list(&recover)) }
            @if !prevent.is_empty() { h3 { "Prevent" } (list(&prevent)) }
        }
    })
}

/// Who felt what.
pub(super) fn impact(d: &Diagnosis) -> Option<Markup> {
    (!d.impact.is_empty()).then(|| {
        html! {
            table.wide {
                thead { tr {
                    th scope="col" { "Service" } th scope="col" { "What" }
                    th.num scope="col" { "Before" } th.num scope="col" { "During" }
                    th scope="col" { "Read from" }
                } }
                tbody {
                    @for i in &d.impact { tr {
                        td { strong { (page_text(&i.entity.name)) } }
                        td { (page_text(&i.said)) }
                        td.num data-l="before" { (number::value(i.before, i.unit)) }
                        td.num data-l="during" { (number::value(i.during, i.unit)) }
                        td data-l="read from" { code { (page_text(&i.source.file)) } }
                    } }
                }
            }
        }
    })
}

/// The links from the cause to what users felt, each with its picture.
pub(super) fn chain(frame: Option<&Frame>, h: &Hypothesis) -> Option<Markup> {
    let start = h.chain.first()?.onset;
    Some(html! {
        ol.chain {
            @for link in &h.chain {
                li class=(link.role.word()) { (self::link(link, start)) (picture(frame, link)) }
            }
        }
        @if let Some(f) = frame { (f.times()) }
    })
}

fn link(link: &ChainLink, start: Option<i64>) -> Markup {
    html! {
        div {
            span.name { (page_text(&link.entity.name)) } " "
            span class={ "tag " (link.role.word()) } { (link.role.word()) } " "
            @if let Some(at) = link.onset {
                span.soft {
                    (time::clock(at))
                    @if let Some(start) = start.filter(|s| *s != at) { " (" (number::delay(start, at)) ")" }
                    @if let Some(near) = number::uncertainty(link.onset_uncertainty_s) { " ±" (near) }
                }
            }
            div { (page_text(&link.said)) }
            div.soft {
                @if let Some(after) = &link.after { "after " (page_text(after)) " " }
                @for id in &link.evidence { a href={ "#" (id) } { (id) } " " }
            }
        }
    }
}

fn picture(frame: Option<&Frame>, link: &ChainLink) -> Markup {
    html! {
        div {
            @if let (Some(frame), Some(spark)) = (frame, &link.spark) {
                (chart::small(frame, spark, &link.entity.name))
                small {
                    "level" (chart::levels(spark.before, spark.during, spark.unit))
                }
            }
        }
    }
}
