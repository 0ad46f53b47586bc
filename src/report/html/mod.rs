//! The HTML report: one file without scripts, fonts or anything else from elsewhere. Every string of
//! the data passes [`page_text`] and is escaped by maud.

mod chart;
mod evidence;
mod graph;
mod layout;
mod ledger;
mod opening;
mod sessions;

use super::{clean, number};
use crate::diagnosis::{Diagnosis, Verdict};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");
/// Nothing is loaded and nothing runs.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Writes the whole report.
pub fn html_report(d: &Diagnosis) -> String {
    let frame = chart::Frame::of(d);
    let frame = frame.as_ref();
    let first = d.hypotheses.first().filter(|_| d.verdict != Verdict::Healthy);
    let mut sections: Vec<(&str, &str, Markup)> = Vec::new();
    let mut add = |id, title, body: Option<Markup>| {
        if let Some(body) = body {
            sections.push((id, title, body));
        }
    };
    add("verdict", "Verdict", Some(opening::verdict(d, first)));
    add("actions", "Do first", first.and_then(opening::actions));
    add("impact", "Impact", opening::impact(d));
    add("chain", "From cause to impact", first.and_then(|h| opening::chain(frame, h)));
    add("evidence", "Evidence", first.map(|h| evidence::section(d, frame, h)));
    add("graph", "Dependencies", graph::section(d));
    add("rivals", "Other hypotheses", ledger::rivals(d));
    add("checks", "Next checks", first.and_then(|h| ledger::checks(d, h)));
    add("later", "Recover and prevent", first.and_then(opening::later));
    add("timeline", "Timeline", ledger::timeline(d));
    add("sessions", "Database sessions", sessions::section(d, frame));
    add("ledger", "Full ledger", ledger::ledger(d, frame));
    add("quality", "Data quality", Some(ledger::quality(d)));
    add("inputs", "Inputs", Some(ledger::inputs(d)));
    let title = opening::title(d);
    let body = html! {
        (chart::patterns())
        header.top {
            h1 { (page_text(&title)) }
            (opening::when(d))
            nav aria-label="Sections" {
                ul { @for (id, title, _) in &sections { li { a href={ "#" (id) } { (title) } } } }
            }
        }
        main {
            @for (id, title, body) in &sections {
                section aria-labelledby={ "h-" (id) } id=(id) {
                    h2 id={ "h-" (id) } { (title) }
                    (body)
                }
            }
        }
        (footer(d))
    };
    document(&title, &body)
}

/// The shell of every page.
pub(super) fn document(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="color-scheme" content="light dark";
                title { (page_text(title)) }
                style { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    };
    let mut out = page.into_string();
    out.push('\n');
    out
}

/// Which program and catalogue made it.
pub(super) fn footer(d: &Diagnosis) -> Markup {
    html! {
        footer {
            small {
                (d.tool.name) " " (d.tool.version) " · catalogue of "
                (number::count(d.catalog.signatures, "signature"))
                " · SHA-256 " span.mono { (page_text(&d.catalog.hash)) }
            }
        }
    }
}

/// A string of the data as pages show it: hazards become visible; maud escapes the rest.
pub(super) fn page_text(data: &str) -> String {
    clean::prose(data.trim(), false)
}

/// Text with every `E12` that exists made a link to it.
pub(super) fn linked(text: &str, known: &dyn Fn(&str) -> bool) -> Markup {
    let text = page_text(text);
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    html! {
        @for word in words {
            @let id = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            @if known(id) {
                a href={ "#" (id) } { (id) } (&word[id.len()..])
            } @else { (word) }
        }
    }
}
