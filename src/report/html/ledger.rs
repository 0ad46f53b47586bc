//! The closing parts of the HTML report: rivals, checks, timeline, every hypothesis with all of its
//! evidence, what could not be seen, and the inputs with their hashes.

use super::super::{closing, evidence as text_evidence, number};
use super::chart::Frame;
use super::evidence::{drawing, place, role, sentence, state, strength};
use super::opening::named;
use super::{clean, page_text};
use crate::diagnosis::{Diagnosis, Discriminator, Evidence, Hypothesis, Moment};
use crate::model::Gap;
use crate::time;
use maud::{Markup, html};

/// What else was considered, and what was ruled out.
pub(super) fn rivals(d: &Diagnosis) -> Option<Markup> {
    let others = d.hypotheses.get(1..).unwrap_or_default();
    (!others.is_empty() || !d.rejected.is_empty()).then(|| {
        html! {
            @if !others.is_empty() {
                table.wide {
                    thead { tr {
                        th scope="col" { "#" } th scope="col" { "Hypothesis" }
                        th scope="col" { "On" } th scope="col" { "Part" }
                        th.num scope="col" { "Probability" } th scope="col" { "What speaks against it" }
                    } }
                    tbody { @for h in others { (rival(d, h)) } }
                }
            }
            @if !d.rejected.is_empty() {
                details {
                    summary { (number::count(d.rejected.len(), "signature")) " ruled out" }
                    ul { @for r in &d.rejected { li {
                        strong { (page_text(&r.signature)) }
                        @if let Some(e) = &r.entity { " on " (page_text(&e.name)) }
                        ": " (page_text(&r.reason))
                    } } }
                }
            }
        }
    })
}

fn rival(d: &Diagnosis, h: &Hypothesis) -> Markup {
    let against = text_evidence::strongest(&h.against);
    html! {
        tr {
            td { a href={ "#" (h.id) } { (h.id) } }
            td { (named(h)) }
            td data-l="on" { (page_text(&h.entity.name)) }
            td { span class={ "tag " (h.role.word()) } { (h.role.word()) } }
            td.num data-l="probability" { (number::probability(h.probability)) }
            td data-l="against" {
                @match (against.first(), open(d, h)) {
                    (Some(e), _) => { a href={ "#" (e.id) } { (e.id) } " " (sentence(e)) },
                    (None, Some(check)) => { "open: " (page_text(&check.question)) },
                    (None, None) => "less likely",
                }
            }
        }
    }
}

/// A check of the first hypothesis that would tell it from this one.
fn open<'d>(d: &'d Diagnosis, h: &Hypothesis) -> Option<&'d Discriminator> {
    let first = d.hypotheses.first()?;
    first.discriminators.iter().find(|c| text_evidence::is_about(c, h))
}

/// Questions that would settle it.
pub(super) fn checks(d: &Diagnosis, h: &Hypothesis) -> Option<Markup> {
    let other = |c: &Discriminator| {
        let known = d.hypotheses.iter().find(|o| text_evidence::is_about(c, o));
        known.map_or_else(|| page_text(&c.against), |o| format!("{} {}", o.id, named(o)))
    };
    (!h.discriminators.is_empty()).then(|| {
        html! {
            ol.acts { @for c in &h.discriminators { li {
                (page_text(&c.question))
                @if !c.cost.trim().is_empty() { span.soft { " (read-only, " (page_text(&c.cost)) ")" } }
                @if let Some(command) = &c.command {
                    pre { code { (clean::command(command, false)) } }
                }
                ul {
                    li { "if " (page_text(&c.this)) " → " strong { (h.id) } }
                    li { "if " (page_text(&c.other)) " → " strong { (other(c)) } }
                }
            } } }
        }
    })
}

/// What happened, oldest first.
pub(super) fn timeline(d: &Diagnosis) -> Option<Markup> {
    (!d.timeline.is_empty()).then(|| {
        html! {
            table.wide {
                thead { tr {
                    th scope="col" { "UTC" } th scope="col" { "Kind" } th scope="col" { "Where" }
                    th scope="col" { "What" } th scope="col" { "Read from" }
                } }
                tbody { @for (n, m) in d.timeline.iter().enumerate() { (moment(n, m)) } }
            }
        }
    })
}

fn moment(n: usize, m: &Moment) -> Markup {
    html! {
        tr id={ "T" (n + 1) } {
            td.time {
                (time::clock(m.at))
                @if let Some(near) = number::uncertainty(m.uncertainty_s) { " ±" (near) }
            }
            td { (m.kind) }
            td { @if let Some(e) = &m.entity { (page_text(&e.name)) } }
            td { (page_text(&m.said)) }
            td {
                @if let Some(p) = &m.place {
                    code { (page_text(&p.file)) @if let Some(l) = p.line { ":" (l) } }
                }
            }
        }
    }
}

/// Every hypothesis with all of its evidence; what the first one's says stands above.
pub(super) fn ledger(d: &Diagnosis, frame: Option<&Frame>) -> Option<Markup> {
    (!d.hypotheses.is_empty()).then(|| {
        html! {
            @for (n, h) in d.hypotheses.iter().enumerate() {
                // A healthy recording has no section on evidence above: then all of it stands here.
                (hypothesis(d, frame, h, n == 0 && d.verdict != crate::diagnosis::Verdict::Healthy))
            }
        }
    })
}

fn hypothesis(d: &Diagnosis, frame: Option<&Frame>, h: &Hypothesis, above: bool) -> Markup {
    let pieces: Vec<&Evidence> =
        [&h.evidence, &h.against].into_iter().flat_map(|e| text_evidence::strongest(e)).collect();
    html! {
        details id=(h.id) {
            summary {
                (h.id) " · " (number::probability(h.probability)) " · " (named(h)) " on "
                (page_text(&h.entity.name)) " (" (h.role.word()) ")"
            }
            p { (page_text(&h.headline)) }
            div.scroll tabindex="0" role="region" aria-label={ "Score of " (h.id) } {
                table {
                    thead { tr {
                        th scope="col" { "Term" } th.num scope="col" { "Nats" } th scope="col" { "Says" }
                    } }
                    tbody { @for t in &h.terms { tr {
                        td { (page_text(&t.name)) } td.num { (number::nats(t.nats)) }
                        td { (page_text(&t.said)) }
                    } } }
                }
            }
            @for e in pieces {
                @if above {
                    p { a href={ "#" (e.id) } { (e.id) } " " (state(e.state)) " " (sentence(e)) }
                } @else { (entry(d, frame, e)) }
            }
        }
    }
}

fn entry(d: &Diagnosis, frame: Option<&Frame>, e: &Evidence) -> Markup {
    html! {
        div.ev id=(e.id) {
            p { (e.id) " " (state(e.state)) " " (sentence(e)) }
            p.where {
                (role(e)) " · " (strength(e)) " · " (number::nats(e.nats)) " nats"
                @if let Some(s) = &e.source { " · " (place(s)) }
            }
            (drawing(d, frame, e))
        }
    }
}

/// What could not be seen, and which signatures therefore did not run.
pub(super) fn quality(d: &Diagnosis) -> Markup {
    html! {
        @if d.gaps.is_empty() && d.skipped.is_empty() && d.overrides.is_empty() {
            p { "No gaps were found in what was read." }
        }
        @if !d.gaps.is_empty() { ul { @for g in &d.gaps { li { (gap(g)) } } } }
        @for o in &d.overrides {
            p {
                "Site: " (page_text(&o.param)) " of " (page_text(&o.signature)) " is " (o.value) " "
                (page_text(&o.unit)) " instead of " (o.default)
                @if !o.why.is_empty() { ": " (page_text(&o.why)) } " (" code { (page_text(&o.place)) } ")"
            }
        }
        @if !d.skipped.is_empty() {
            details {
                summary {
                    (d.skipped.len()) " of " (number::count(d.catalog.signatures, "signature"))
                    " lack an input"
                }
                ul { @for s in &d.skipped { li {
                    strong { (page_text(&s.signature)) } ": " (page_text(&s.missing.join(", ")))
                } } }
            }
        }
    }
}

fn gap(g: &Gap) -> Markup {
    html! {
        strong { (closing::kind_word(g.kind)) } ": " (page_text(&g.what))
        @if g.count > 1 { " (×" (number::whole(g.count)) ")" }
        @if let Some(file) = &g.file {
            " " code { (page_text(file)) @if let Some(l) = g.line { ":" (l) } }
        }
    }
}

/// Every file with its hash.
pub(super) fn inputs(d: &Diagnosis) -> Markup {
    html! {
        details open[d.inputs.len() <= 12] {
            summary { (number::count(d.inputs.len(), "file")) }
            div.scroll tabindex="0" role="region" aria-label="Input files" {
                table {
                    thead { tr {
                        th scope="col" { "File" } th scope="col" { "Read as" }
                        th.num scope="col" { "Rows" } th.num scope="col" { "Left out" }
                        th scope="col" { "SHA-256" }
                    } }
                    tbody { @for i in &d.inputs { tr {
                        td { code { (page_text(&i.path)) } } td { (page_text(&i.reader)) }
                        td.num { (number::whole(i.rows)) } td.num { (number::whole(i.skipped)) }
                        td { span.mono { (page_text(&i.sha256)) } }
                    } } }
                }
            }
        }
    }
}
