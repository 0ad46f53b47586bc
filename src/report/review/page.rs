//! A review as an HTML page, in the dress of the report.

use super::super::html::{document, footer, page_text};
use super::super::{clean, number};
use super::{Item, OPEN, Review, Section, Table};
use crate::diagnosis::Diagnosis;
use maud::{Markup, html};

/// Writes the review.
pub(super) fn write(r: &Review, d: &Diagnosis) -> String {
    let body = html! {
        header.top {
            h1 { (page_text(&r.title)) }
            p.soft { (r.status) "." }
        }
        main {
            @for (n, s) in r.sections.iter().enumerate() { (section(n, s)) }
            section aria-labelledby="h-evidence" {
                h2 id="h-evidence" { "Evidence" }
                dl {
                    @for s in &r.appendix {
                        dt id=(s.id) { (s.id) }
                        dd { (page_text(&s.said)) br; span.soft { (page_text(&s.place)) } }
                    }
                }
                (files(d))
            }
        }
        (footer(d))
    };
    document(&r.title, &body)
}

fn files(d: &Diagnosis) -> Markup {
    html! {
        details {
            summary { (number::count(d.inputs.len(), "file")) }
            ul {
                @for i in &d.inputs {
                    li { code { (page_text(&i.path)) } " " span.mono { (page_text(&i.sha256)) } }
                }
            }
        }
    }
}

fn section(n: usize, s: &Section) -> Markup {
    let id = format!("s{n}");
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) { (s.title) }
            @if !s.items.is_empty() { ul { @for i in &s.items { li { (item(i)) } } } }
            @if let Some(t) = s.table.as_ref().filter(|t| !t.rows.is_empty()) { (table(t)) }
        }
    }
}

fn open() -> Markup {
    html! { span.todo { (OPEN) } }
}

fn ids(ids: &[String]) -> Markup {
    html! { @for id in ids { " " a href={ "#" (id) } { (id) } } }
}

fn item(i: &Item) -> Markup {
    html! {
        @if i.open { (open()) " " }
        (page_text(&i.said)) (ids(&i.rests_on))
        @if let Some(command) = &i.command { pre { code { (clean::command(command, false)) } } }
    }
}

fn table(t: &Table) -> Markup {
    html! {
        table.wide {
            thead { tr { @for h in &t.head { th scope="col" { (h) } } } }
            tbody {
                @for r in &t.rows { tr {
                    @for (n, c) in r.cells.iter().enumerate() {
                        td data-l=[t.head.get(n).filter(|_| n > 0)] {
                            @match c { Some(c) => (page_text(c)), None => (open()) }
                        }
                    }
                    td data-l="Evidence" { (ids(&r.rests_on)) }
                } }
            }
        }
    }
}
