//! The dependency graph as text, DOT (Graphviz) and Mermaid: the cause marked, edges with their calls
//! and errors before and during the incident.

use super::super::page::{Flow, Page};
use super::super::{Style, clean, number};
use crate::diagnosis::{Diagnosis, EdgeView, GraphView, Levels, NodeView, Role};
use crate::model::Unit;

/// Share of failed calls by which an edge is marked.
const HURT: f64 = 0.01;

fn is_cause(n: &NodeView) -> bool {
    n.in_chain && n.role == Some(Role::Cause)
}

fn is_hurt(e: &EdgeView) -> bool {
    e.errors.during.unwrap_or(0.0) - e.errors.before.unwrap_or(0.0) >= HURT
}

/// Nodes with an edge or a part in the answer, by index.
fn shown(g: &GraphView) -> Vec<usize> {
    let linked = |i: usize| g.edges.iter().any(|e| e.from == i || e.to == i);
    (0..g.nodes.len()).filter(|i| linked(*i) || g.nodes[*i].in_chain).collect()
}

fn part(n: &NodeView) -> &'static str {
    n.role.filter(|_| n.in_chain).map_or(n.entity.kind, Role::word)
}

/// `12/s -> 60/s`; nothing where nothing was recorded.
fn level(l: Levels, unit: Unit) -> Option<String> {
    let value = |v: Option<f64>| v.map_or("?".to_owned(), |v| number::value(v, unit));
    (!l.is_empty()).then(|| format!("{} -> {}", value(l.before), value(l.during)))
}

/// What is known about an edge: calls, then errors where they grew.
fn said(e: &EdgeView) -> Vec<String> {
    let calls = level(e.traffic, Unit::PerSecond);
    let errors = level(e.errors, Unit::Ratio).filter(|_| is_hurt(e));
    calls.into_iter().chain(errors.map(|s| format!("errors {s}"))).collect()
}

/// Writes the graph for Graphviz.
pub fn dot(d: &Diagnosis) -> String {
    let g = &d.pages.graph;
    let mut out = String::from("digraph dependencies {\n  rankdir=LR;\n");
    out.push_str("  node [shape=box, style=\"rounded,filled\", fillcolor=\"#f6f8fa\", ");
    out.push_str("fontname=\"sans-serif\"];\n");
    out.push_str("  edge [fontname=\"sans-serif\", fontsize=10];\n");
    for i in shown(g) {
        let n = &g.nodes[i];
        let look = match (is_cause(n), n.in_chain) {
            (true, _) => ", fillcolor=\"#fbd5d0\", color=\"#b42318\", penwidth=3",
            (_, true) => ", color=\"#8a4b00\", penwidth=2",
            _ => "",
        };
        let label = format!("{}\\n{}", quoted(&n.entity.name), quoted(part(n)));
        out.push_str(&format!("  n{i} [label=\"{label}\"{look}];\n"));
    }
    for e in &g.edges {
        let mut label: Vec<String> = said(e).iter().map(|s| quoted(s)).collect();
        if e.kind != "calls" {
            label.insert(0, e.kind.to_owned());
        }
        let look = match (is_hurt(e), e.kind) {
            (true, _) => ", color=\"#b42318\", penwidth=2",
            (_, "calls") => "",
            _ => ", style=dashed",
        };
        let label = label.join("\\n");
        out.push_str(&format!("  n{} -> n{} [label=\"{label}\"{look}];\n", e.from, e.to));
    }
    out.push_str("}\n");
    out
}

/// Text inside a quoted DOT string.
fn quoted(text: &str) -> String {
    clean::prose(text.trim(), false).replace('\\', "\\\\").replace('"', "\\\"")
}

/// Writes the graph for Mermaid.
pub fn mermaid(d: &Diagnosis) -> String {
    let g = &d.pages.graph;
    let mut out = String::from("flowchart LR\n");
    let shown = shown(g);
    for i in &shown {
        let n = &g.nodes[*i];
        out.push_str(&format!(
            "  n{i}[\"{}<br/>{}\"]\n",
            entities(&n.entity.name),
            entities(part(n))
        ));
    }
    for e in &g.edges {
        let mut label: Vec<String> = said(e).iter().map(|s| entities(s)).collect();
        if e.kind != "calls" {
            label.insert(0, e.kind.to_owned());
        }
        let line = if e.kind == "calls" { "-->" } else { "-.->" };
        let label = match label.is_empty() {
            true => String::new(),
            false => format!("|\"{}\"|", label.join("<br/>")),
        };
        out.push_str(&format!("  n{} {line}{label} n{}\n", e.from, e.to));
    }
    out.push_str("  classDef cause fill:#fbd5d0,stroke:#b42318,stroke-width:3px,color:#1b1f24\n");
    out.push_str("  classDef chain stroke:#8a4b00,stroke-width:2px\n");
    for i in shown {
        let n = &g.nodes[i];
        if n.in_chain {
            out.push_str(&format!(
                "  class n{i} {}\n",
                if is_cause(n) { "cause" } else { "chain" }
            ));
        }
    }
    let hurt: Vec<String> = g
        .edges
        .iter()
        .enumerate()
        .filter(|(_, e)| is_hurt(e))
        .map(|(i, _)| i.to_string())
        .collect();
    if !hurt.is_empty() {
        out.push_str(&format!("  linkStyle {} stroke:#b42318,stroke-width:2px\n", hurt.join(",")));
    }
    out
}

/// Text inside a quoted Mermaid label: everything but letters, digits and plain signs as an entity.
fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean::prose(text.trim(), false).chars() {
        match c {
            c if c.is_alphanumeric() || " .,:/_-+%()?".contains(c) => out.push(c),
            c => out.push_str(&format!("#{};", c as u32)),
        }
    }
    out
}

/// Writes the graph for a terminal: every entity with what it depends on.
pub fn graph_text(d: &Diagnosis, style: &Style) -> String {
    let g = &d.pages.graph;
    let mut page = Page::new(style, false);
    let shown = shown(g);
    if shown.is_empty() {
        page.line("no dependencies are known: give traces, edge labels or topology.csv");
    }
    for i in &shown {
        let n = &g.nodes[*i];
        let name = page.clean(&n.entity.name);
        page.line(&format!("{name} ({})", part(n)));
        for e in g.edges.iter().filter(|e| e.from == *i) {
            let to = g.nodes.get(e.to).map_or("?".to_owned(), |n| page.clean(&n.entity.name));
            let arrow = page.glyphs.arrow.trim();
            let first = format!("  {} {arrow} {to}  ", e.kind);
            let text = said(e).join(page.glyphs.dot).replace(" -> ", page.glyphs.arrow);
            page.flow(Flow { first: &first, rest: "      ", text: &text, ..Flow::default() });
        }
    }
    if g.left_out > 0 {
        page.line(&format!("{} left out", number::count(g.left_out, "entity")));
    }
    page.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_their_quotes() {
        assert_eq!(quoted("a\"]; b [x=\"\\n\n"), "a\\\"]; b [x=\\\"\\\\n");
        assert_eq!(entities("a\"]<b>;#`"), "a#34;#93;#60;b#62;#59;#35;#96;");
    }
}
