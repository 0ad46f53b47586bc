//! Database sessions: what they waited for over time, and who blocked whom when it was worst.

use super::super::number;
use super::chart::{Frame, xy};
use super::page_text;
use crate::diagnosis::{Diagnosis, SessionsView, TreeLine, WaitRow};
use crate::time;
use maud::{Markup, html};

/// Lines of a forest in the open; the rest is one click away.
const LINES: usize = 14;
/// Shade of a cell with few sessions, so that it is seen at all.
const FAINT: f64 = 0.15;

/// One part per server with snapshots.
pub(super) fn section(d: &Diagnosis, frame: Option<&Frame>) -> Option<Markup> {
    let shown: Vec<&SessionsView> =
        d.pages.sessions.iter().filter(|s| !s.waits.is_empty() || !s.forest.is_empty()).collect();
    (!shown.is_empty()).then(|| {
        html! {
            @for s in shown {
                h3 { (page_text(&s.server.name)) }
                (heat(s, frame))
                (forest(s))
            }
        }
    })
}

fn heat(s: &SessionsView, frame: Option<&Frame>) -> Markup {
    let most = s.waits.iter().flat_map(|w| &w.cells).flatten().max().copied().unwrap_or(0);
    html! {
        @if most > 0 {
            p.soft {
                "Most client sessions at once in each stretch; darkest: " (most)
                "; hatched: no snapshot. Number at the right: the most of the row."
            }
            div.heat {
                @for w in &s.waits { (row(w, most)) }
                @if let Some(f) = frame { span.ev-name {} (f.times()) span {} }
            }
        }
    }
}

fn row(w: &WaitRow, most: usize) -> Markup {
    let top = w.cells.iter().flatten().max().copied().unwrap_or(0);
    let shade = |n: usize| FAINT + (1.0 - FAINT) * n as f64 / most.max(1) as f64;
    let event = page_text(&w.event);
    let view = format!("0 0 {} 10", w.cells.len() * 10);
    html! {
        span.ev-name { (event) }
        svg viewBox=(view) preserveAspectRatio="none" role="img"
            aria-label={ (event) ": " (top) " sessions at most" } {
            @for (i, cell) in w.cells.iter().enumerate() {
                @match cell {
                    Some(0) => {},
                    Some(n) => rect x=(i * 10) y="0" width="10" height="10"
                        fill-opacity=(format!("{:.2}", shade(*n))) {},
                    None => rect.gap x=(i * 10) y="0" width="10" height="10" {},
                }
            }
        }
        span { (top) }
    }
}

fn forest(s: &SessionsView) -> Markup {
    let (open, rest) = s.forest.split_at(s.forest.len().min(LINES));
    html! {
        @if let Some(at) = s.forest_at.filter(|_| !s.forest.is_empty()) {
            p {
                "Who blocked whom at " (time::clock(at)) " UTC, when most sessions waited "
                span.soft { "(each waits for the one it is indented below)" }
            }
            ul.forest { @for l in open { (line(l)) } }
            @if !rest.is_empty() {
                details {
                    summary { (number::count(rest.len(), "more session")) }
                    ul.forest { @for l in rest { (line(l)) } }
                }
            }
        }
    }
}

fn line(l: &TreeLine) -> Markup {
    let indent = format!("margin-left:{}rem", xy(l.depth.min(8) as f64 * 1.25));
    html! {
        li.root[l.depth == 0] style=(indent) {
            "pid " (l.pid) " · " (page_text(&l.said))
            @if l.inferred { " " span.warn { "(inferred)" } }
            @if !l.file.is_empty() {
                " " code.soft { (page_text(&l.file)) @if let Some(n) = l.line { ":" (n) } }
            }
        }
    }
}
