//! The dependency graph as a layered picture: callers at the left, what they depend on at the right,
//! the cause and its chain marked; and the same as a table.

use super::super::number;
use super::chart::xy;
use super::{layout, page_text};
use crate::diagnosis::{Diagnosis, EdgeView, GraphView, Levels, NodeView, Role};
use crate::model::Unit;
use maud::{Markup, html};
use std::collections::BTreeMap;

/// Nodes in the picture at most; the table has all.
const NODES_MAX: usize = 40;
/// Size of a box and the room between boxes, pixels.
const BOX: (f64, f64) = (158.0, 50.0);
const ROOM: (f64, f64) = (74.0, 20.0);
const MARGIN: f64 = 12.0;
/// Height of the place of a line that passes a layer.
const BEND: f64 = 8.0;
/// Letters that fit into a box.
const LETTERS: usize = 21;
/// Share of failed calls from which an edge is drawn as hurt.
const HURT: f64 = 0.01;

/// A box of the picture.
struct Placed<'a> {
    node: &'a NodeView,
    x: f64,
    y: f64,
}

/// A line of the picture: its edge, and the points from the right side of one box to the left side
/// of another.
struct Line<'a> {
    edge: &'a EdgeView,
    said: String,
    points: Vec<(f64, f64)>,
}

/// What is drawn, and on how much room.
struct Picture<'a> {
    boxes: Vec<Placed<'a>>,
    lines: Vec<Line<'a>>,
    size: (f64, f64),
}

/// The picture and the table; nothing for a single entity.
pub(super) fn section(d: &Diagnosis) -> Option<Markup> {
    let g = &d.pages.graph;
    if g.edges.is_empty() {
        return None;
    }
    let picture = picture(g);
    let (w, h) = (xy(picture.size.0), xy(picture.size.1));
    let hidden = g.nodes.len() + g.left_out - picture.boxes.len();
    Some(html! {
        p.soft {
            "Callers at the left, what they depend on at the right. Filled and framed in red: the cause; "
            "framed: its chain; red lines: calls that failed more."
            @if hidden > 0 { " " (number::count(hidden, "entity")) " without a part in it not drawn." }
        }
        div.scroll.graph tabindex="0" role="region" aria-label="Dependency graph" {
            svg width=(w) height=(h) viewBox={ "0 0 " (w) " " (h) } role="img"
                aria-label="Layered dependency graph; the table below says the same" {
                @for l in &picture.lines { (edge(l)) }
                @for p in &picture.boxes { (node(p)) }
            }
        }
        details {
            summary { "The graph as a table" }
            (table(g))
        }
    })
}

/// Who is drawn, and where.
fn picture(g: &GraphView) -> Picture<'_> {
    let linked = |i: usize| g.edges.iter().any(|e| e.from == i || e.to == i);
    let shown: Vec<usize> =
        (0..g.nodes.len()).filter(|i| linked(*i) || g.nodes[*i].in_chain).take(NODES_MAX).collect();
    let at = |i: usize| shown.iter().position(|s| *s == i);
    let drawn: Vec<(&EdgeView, (usize, usize))> =
        g.edges.iter().filter_map(|e| Some((e, (at(e.from)?, at(e.to)?)))).collect();
    let ends: Vec<(usize, usize)> = drawn.iter().map(|d| d.1).collect();
    let layout = layout::layout(shown.len(), &ends);
    let tall = |n: &usize| if *n < shown.len() { BOX.1 } else { BEND } + ROOM.1;
    let length = |layer: &Vec<usize>| layer.iter().map(tall).sum::<f64>() - ROOM.1;
    let height = layout.layers.iter().map(length).fold(0.0, f64::max);
    let mut places: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    for (column, layer) in layout.layers.iter().enumerate() {
        let x = MARGIN + column as f64 * (BOX.0 + ROOM.0);
        let mut y = MARGIN + (height - length(layer)) / 2.0;
        for n in layer {
            places.insert(*n, (x, y));
            y += tall(n);
        }
    }
    let place = |n: usize| places.get(&n).copied().unwrap_or_default();
    let boxes = shown.iter().enumerate().map(|(n, i)| {
        let (x, y) = place(n);
        Placed { node: &g.nodes[*i], x, y }
    });
    let lines = drawn.iter().zip(&layout.bends).map(|((edge, (a, b)), bends)| {
        let (a, b) = (place(*a), place(*b));
        let side =
            |p: (f64, f64), right: bool| (p.0 + if right { BOX.0 } else { 0.0 }, p.1 + BOX.1 / 2.0);
        let back = b.0 <= a.0;
        let mut points = vec![side(a, !back)];
        for (x, y) in bends.iter().map(|n| place(*n)) {
            let (left, right) = ((x, y + BEND / 2.0), (x + BOX.0, y + BEND / 2.0));
            points.extend(if back { [right, left] } else { [left, right] });
        }
        points.push(side(b, back));
        let name = |i: usize| page_text(&g.nodes[i].entity.name);
        Line { edge, said: format!("{} {} {}", name(edge.from), edge.kind, name(edge.to)), points }
    });
    let width = layout.layers.len() as f64 * (BOX.0 + ROOM.0) - ROOM.0;
    Picture {
        boxes: boxes.collect(),
        lines: lines.collect(),
        size: (width + 2.0 * MARGIN, height + 2.0 * MARGIN),
    }
}

/// Cuts a name at its end.
fn short(name: &str, letters: usize) -> String {
    let name = page_text(name);
    if name.chars().count() <= letters {
        return name;
    }
    let kept: String = name.chars().take(letters - 1).collect();
    format!("{kept}…")
}

fn node(p: &Placed) -> Markup {
    let n = p.node;
    let class = match (n.role, n.in_chain) {
        (Some(Role::Cause), true) => "box cause",
        (_, true) => "box chain",
        _ => "box",
    };
    let role = n.role.filter(|_| n.in_chain).map_or(n.entity.kind, Role::word);
    let level = [(n.errors, Unit::Ratio, "err"), (n.latency, Unit::Seconds, "")];
    let level = level.iter().find_map(|(l, unit, what)| worse(*l, *unit, what));
    html! {
        g {
            title { (page_text(&n.entity.name)) " (" (n.entity.kind) ")" }
            rect class=(class) x=(xy(p.x)) y=(xy(p.y)) width=(BOX.0) height=(BOX.1) rx="6" {}
            text x=(xy(p.x + 10.0)) y=(xy(p.y + 21.0)) { (short(&n.entity.name, LETTERS)) }
            text.sub x=(xy(p.x + 10.0)) y=(xy(p.y + 39.0)) {
                (role) @if let Some(l) = level { " · " (l) }
            }
        }
    }
}

/// A level that was recorded and changed visibly.
fn worse(l: Levels, unit: Unit, what: &str) -> Option<String> {
    let (before, during) = (l.before?, l.during?);
    let (b, d) = (number::value(before, unit), number::value(during, unit));
    (during > before && b != d).then(|| format!("{what} {b}→{d}").trim().to_owned())
}

fn is_hurt(e: &EdgeView) -> bool {
    let more = |l: Levels| l.during.unwrap_or(0.0) - l.before.unwrap_or(0.0);
    more(e.errors) >= HURT
}

/// Curves through the points of a line, and the tip at its end.
fn edge(line: &Line) -> Markup {
    let (Some(first), Some(last)) = (line.points.first(), line.points.last()) else {
        return html! {};
    };
    let side = if last.0 < first.0 { -1.0 } else { 1.0 };
    let end = last.0 - 8.0 * side;
    let mut path = format!("M{} {}", xy(first.0), xy(first.1));
    for (n, w) in line.points.windows(2).enumerate() {
        let (a, mut b) = (w[0], w[1]);
        if n + 2 == line.points.len() {
            b.0 = end;
        }
        let bend = (b.0 - a.0) / 2.0;
        let way = [a.0 + bend, a.1, b.0 - bend, b.1, b.0, b.1].map(xy);
        path.push_str(&format!("C{}", way.join(" ")));
    }
    let tip = format!(
        "M{} {}L{} {}L{} {}Z",
        xy(last.0),
        xy(last.1),
        xy(end),
        xy(last.1 - 4.5),
        xy(end),
        xy(last.1 + 4.5)
    );
    let hurt = if is_hurt(line.edge) { " hurt" } else { "" };
    let soft = if line.edge.kind == "calls" { "" } else { " soft" };
    html! {
        g {
            title { (line.said) }
            path class={ "edge" (hurt) (soft) } d=(path) {}
            path class={ "tip" (hurt) } d=(tip) {}
        }
    }
}

fn cell(l: Levels, unit: Unit, label: &str) -> Markup {
    let value = |v: Option<f64>| v.map_or("?".to_owned(), |v| number::value(v, unit));
    html! {
        td.num data-l=(label) {
            @if l.is_empty() { "–" } @else { (value(l.before)) " → " (value(l.during)) }
        }
    }
}

fn table(g: &GraphView) -> Markup {
    let name = |i: usize| g.nodes.get(i).map_or("?", |n| n.entity.name.as_str());
    html! {
        table.wide {
            thead { tr {
                th scope="col" { "From" } th scope="col" { "Edge" } th scope="col" { "To" }
                th.num scope="col" { "Calls" } th.num scope="col" { "Errors" }
                th.num scope="col" { "Latency" }
            } }
            tbody {
                @for e in &g.edges { tr {
                    td { (page_text(name(e.from))) } td { (e.kind) } td { (page_text(name(e.to))) }
                    (cell(e.traffic, Unit::PerSecond, "calls"))
                    (cell(e.errors, Unit::Ratio, "errors"))
                    (cell(e.latency, Unit::Seconds, "latency"))
                } }
            }
        }
        p.soft { "Medians before → during the incident; – where nothing was recorded." }
    }
}
