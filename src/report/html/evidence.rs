//! Evidence with its charts.

use super::super::evidence::strongest;
use super::super::number;
use super::chart::{self, Frame};
use super::page_text;
use crate::diagnosis::{
    Diagnosis, Evidence, EvidenceRole, EvidenceSource, EvidenceState, Hypothesis, Span, Strength,
};
use crate::time;
use maud::{Markup, html};

/// The evidence of the first hypothesis, a chart for each piece.
pub(super) fn section(d: &Diagnosis, frame: Option<&Frame>, h: &Hypothesis) -> Markup {
    html! {
        @if let Some(f) = frame { (key(d, f)) }
        @for e in strongest(&h.evidence) { (piece(d, frame, e)) }
        h3 { "Speaks against it" }
        @if h.against.is_empty() { p { "Nothing that was looked for speaks against it." } }
        @for e in strongest(&h.against) { (piece(d, frame, e)) }
    }
}

/// What the parts of a chart mean; the changes that are marked, by time.
fn key(d: &Diagnosis, frame: &Frame) -> Markup {
    let changes = d.timeline.iter().filter(|m| frame.marks.contains(&m.at));
    let mut changes = changes.filter(|m| matches!(m.kind, "change" | "alert")).peekable();
    html! {
        ul.key aria-label="Parts of the charts" {
            li { i.k-inc {} "incident" }
            li { i.k-band {} "usual range (5 % to 95 % of the baseline)" }
            li { i.k-gap {} "nothing recorded" }
            li { i.k-cap {} "limit" }
            @if changes.peek().is_some() { li { i.k-mark {} "change or alert" } }
        }
        @if changes.peek().is_some() {
            p.soft {
                "Marked: "
                @for (n, m) in changes.enumerate() {
                    @if n > 0 { "; " }
                    (time::clock(m.at)) " " (page_text(&m.said))
                }
            }
        }
    }
}

/// The state of a piece of evidence as a sign, a word and a colour.
pub(super) fn state(s: EvidenceState) -> Markup {
    let (class, said) = match s {
        EvidenceState::Present => ("good", "✔ seen"),
        EvidenceState::Absent => ("absent", "✘ not there"),
        EvidenceState::Unobservable => ("warn", "? not observable"),
    };
    html! { span class={ "state " (class) } { (said) } }
}

/// The word for the weight of a piece of evidence.
pub(super) fn strength(e: &Evidence) -> &'static str {
    match e.strength {
        Strength::Weak => "weak",
        Strength::Moderate => "moderate",
        Strength::Strong => "strong",
        Strength::Decisive => "decisive",
    }
}

/// The word for the part that a piece of evidence plays.
pub(super) fn role(e: &Evidence) -> &'static str {
    match e.role {
        EvidenceRole::Required => "required",
        EvidenceRole::Supports => "supports",
        EvidenceRole::Refutes => "refutes",
    }
}

/// What it says; its name where it says nothing.
pub(super) fn sentence(e: &Evidence) -> String {
    let said = if e.said.trim().is_empty() { &e.name } else { &e.said };
    format!("{}{}", page_text(said), if e.inferred { " (inferred)" } else { "" })
}

/// File, line or series, and time.
pub(super) fn place(s: &EvidenceSource) -> Markup {
    html! {
        code {
            (page_text(&s.file))
            @if let Some(line) = s.line { ":" (line) }
        }
        @if !s.series.is_empty() { " · " code { (page_text(&s.series)) } }
        @if let (Some(from), Some(to)) = (s.from, s.to) {
            " · " (time::clock(from)) @if to > from { " – " (time::clock(to)) }
        }
    }
}

/// One piece: what it says, where it was read, and its chart.
pub(super) fn piece(d: &Diagnosis, frame: Option<&Frame>, e: &Evidence) -> Markup {
    html! {
        article.card.ev id=(e.id) {
            h3 { (e.id) " " (state(e.state)) " " (sentence(e)) }
            p.where {
                (role(e)) " · " (strength(e)) " · " (number::nats(e.nats)) " nats"
                @if let Some(s) = &e.source { " · " (place(s)) }
            }
            (drawing(d, frame, e))
        }
    }
}

/// The chart of a piece of evidence, or the stretch of time in which it was seen.
pub(super) fn drawing(d: &Diagnosis, frame: Option<&Frame>, e: &Evidence) -> Markup {
    let span = e.source.as_ref().and_then(|s| Some(Span { from: s.from?, to: s.to? }));
    html! {
        @if let Some(frame) = frame {
            @if let Some(c) = d.pages.chart(&e.id) { (chart::chart(frame, c)) }
            @else if let (Some(span), EvidenceState::Present) = (span, e.state) {
                (chart::strip(frame, span))
            }
        }
    }
}
