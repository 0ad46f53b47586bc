//! The rows of the panes, as they read at the cursor's instant.

use super::app::{App, Pane};
use super::instant;
use crate::diagnosis::{Chart, Evidence, EvidenceState, Levels, NodeView, Spark};
use crate::model::{Micros, Unit};
use crate::report::plain;
use crate::time;

/// How a row stands out; the text says it as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    None,
    Good,
    Bad,
    Unsure,
    /// Rejected, or later than the cursor.
    Dim,
}

/// One row of a pane.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub text: String,
    pub mark: Mark,
    /// Index in the list that the pane shows.
    pub key: usize,
    /// Id of the piece of evidence; empty in the other panes.
    pub id: String,
}

impl Row {
    fn new(key: usize, text: String, mark: Mark) -> Row {
        Row { text, mark, key, id: String::new() }
    }
}

/// The rows of a pane that its filter leaves.
pub fn rows(app: &App, pane: Pane) -> Vec<Row> {
    let all = match pane {
        Pane::Hypotheses => hypotheses(app),
        Pane::Evidence => evidence(app),
        Pane::Graph => graph(app),
        Pane::Sessions => sessions(app),
        Pane::Timeline => timeline(app),
    };
    let wanted = app.filters[pane as usize].to_lowercase();
    all.into_iter().filter(|r| r.text.to_lowercase().contains(&wanted)).collect()
}

/// Whether something had begun at the cursor, as a sign.
fn begun(app: &App, onset: Option<Micros>) -> &'static str {
    match (onset, app.ascii) {
        (Some(at), true) if at <= app.cursor => "*",
        (Some(at), false) if at <= app.cursor => "●",
        (Some(_), true) => "o",
        (Some(_), false) => "○",
        (None, _) => "?",
    }
}

fn hypotheses(app: &App) -> Vec<Row> {
    let left = app.remaining();
    let row = |(key, h): (usize, &crate::diagnosis::Hypothesis)| {
        let name = h.signature.as_deref().unwrap_or("unclassified");
        let share = match left.shares[key] {
            Some(p) => plain::probability(p),
            None => "out".to_owned(),
        };
        let marked = if app.marked.as_ref() == Some(&h.id) { "=" } else { "" };
        let text = format!(
            "{marked}{:<3} {share:>5} {} {name} {}",
            h.id,
            begun(app, h.onset),
            h.entity.name
        );
        let mark = match app.rejected.contains_key(&h.id) {
            true => Mark::Dim,
            false => Mark::None,
        };
        Row::new(key, plain::prose(&text, app.ascii), mark)
    };
    let mut rows: Vec<Row> = app.d.hypotheses.iter().enumerate().map(row).collect();
    // What is rejected goes to the end, in its old order.
    rows.sort_by_key(|r| r.mark == Mark::Dim);
    rows
}

/// The value of a piece of evidence at the cursor, with its usual one; empty without a series.
pub(super) fn value_at(app: &App, e: &Evidence) -> String {
    let slack = instant::step(app.axis) / 2;
    let (value, before, unit) = match (app.d.pages.chart(&e.id), &e.spark) {
        (Some(chart), _) => (instant::chart_at(chart, app.cursor, slack), chart.before, chart.unit),
        (None, Some(spark)) => (instant::spark_at(spark, app.cursor), spark.before, spark.unit),
        (None, None) => return String::new(),
    };
    let value = value.map_or("no data".to_owned(), |v| plain::value(v, unit));
    let before = before.map_or(String::new(), |v| format!(", usually {}", plain::value(v, unit)));
    plain::prose(&format!("[{value}{before}] "), app.ascii)
}

fn evidence(app: &App) -> Vec<Row> {
    let Some(h) = app.hypothesis() else { return vec![] };
    let row = |(key, e): (usize, &Evidence)| {
        let (sign, mark) = match (e.state, app.ascii) {
            (EvidenceState::Present, false) => ("✔", Mark::Good),
            (EvidenceState::Present, true) => ("x", Mark::Good),
            (EvidenceState::Absent, false) => ("✘", Mark::Bad),
            (EvidenceState::Absent, true) => ("-", Mark::Bad),
            (EvidenceState::Unobservable, _) => ("?", Mark::Unsure),
        };
        let said = if e.said.is_empty() { &e.name } else { &e.said };
        let side = if key < h.evidence.len() { "" } else { "against: " };
        let inferred = if e.inferred { " (inferred)" } else { "" };
        let said = plain::prose(&format!("{side}{said}{inferred}"), app.ascii);
        let text = format!("{:<4} {sign} {}{said}", e.id, value_at(app, e));
        Row { id: e.id.clone(), ..Row::new(key, text, mark) }
    };
    h.evidence.iter().chain(&h.against).enumerate().map(row).collect()
}

/// Before its onset what is usual, from then on what the incident showed.
fn level(app: &App, node: &NodeView, name: &str, of: &Levels, unit: Unit) -> Option<String> {
    let incident = app.d.window.incident;
    let started = node.onset.unwrap_or(incident.from);
    let (value, when) = match (started..=incident.to).contains(&app.cursor) {
        true => (of.during, "incident"),
        false => (of.before, "usual"),
    };
    value.map(|v| format!("{name} {} ({when})", plain::value(v, unit)))
}

/// What an entity shows at the cursor: the picture of the chain where it has one, else its levels.
pub(super) fn node_now(app: &App, node: &NodeView) -> String {
    chain_now(app, node).unwrap_or_else(|| levels_now(app, node))
}

/// The value in the chain's picture at the cursor.
fn chain_now(app: &App, node: &NodeView) -> Option<String> {
    let chain = app.hypothesis().map_or(&[][..], |h| &h.chain);
    let link = chain.iter().find(|l| l.entity == node.entity)?;
    let spark = link.spark.as_ref()?;
    let said = |v: f64| plain::value(v, spark.unit);
    let now = instant::spark_at(spark, app.cursor).map_or("no data".to_owned(), said);
    let usual = spark.before.map_or(String::new(), |v| format!(", usually {}", said(v)));
    let name = signal(app, &link.evidence, spark).unwrap_or_default();
    Some(format!("{name}now {now}{usual}"))
}

/// What a picture of the chain shows, by the chart of the evidence that it was taken from.
fn signal(app: &App, evidence: &[String], spark: &Spark) -> Option<String> {
    let charts = evidence.iter().filter_map(|id| app.d.pages.chart(id));
    let same = |c: &&Chart| c.unit == spark.unit && c.before == spark.before;
    let title = &charts.into_iter().find(same)?.title;
    let name = title.rsplit([' ', '.']).next()?;
    Some(format!("{} ", name.replace('_', " ")))
}

/// The levels of before the onset, or of the incident.
pub(super) fn levels_now(app: &App, node: &NodeView) -> String {
    let levels = [
        level(app, node, "errors", &node.errors, Unit::Ratio),
        level(app, node, "latency", &node.latency, Unit::Seconds),
        level(app, node, "traffic", &node.traffic, Unit::PerSecond),
    ];
    let all: Vec<String> = levels.into_iter().flatten().collect();
    all.join(", ")
}

/// Nodes from the entity of the selected hypothesis along who depends on it, each once, with depth
/// and kind of the edge; then the others.
fn order(app: &App) -> Vec<(usize, usize, &'static str)> {
    let g = &app.d.pages.graph;
    let root = app.hypothesis().map(|h| &h.entity);
    let root = g.nodes.iter().position(|n| Some(&n.entity) == root);
    let mut seen = vec![false; g.nodes.len()];
    let mut out = Vec::new();
    for start in root.into_iter().chain(0..g.nodes.len()) {
        let is_root = out.is_empty() && Some(start) == root;
        let mut stack = vec![(start, 0, "")];
        while let Some((node, depth, kind)) = stack.pop() {
            if std::mem::replace(&mut seen[node], true) {
                continue;
            }
            out.push((node, depth, kind));
            // Only the entity of the hypothesis has a tree: the rest is a list.
            let next = g.edges.iter().rev().filter(|e| e.to == node && (is_root || depth > 0));
            stack.extend(next.filter(|e| !seen[e.from]).map(|e| (e.from, depth + 1, e.kind)));
        }
    }
    out
}

fn graph(app: &App) -> Vec<Row> {
    /// Deeper ones are not indented further.
    const DEPTH: usize = 8;
    let corner = if app.ascii { "`- " } else { "└ " };
    let nodes = &app.d.pages.graph.nodes;
    let row = |(key, depth, kind): (usize, usize, &str)| {
        let node = &nodes[key];
        let onset = node.onset.or_else(|| node.in_chain.then_some(app.d.window.incident.from));
        let branch = match depth {
            0 => String::new(),
            n => format!("{}{corner}", "  ".repeat(n.min(DEPTH) - 1)),
        };
        let kind = if depth == 0 { String::new() } else { format!(" {kind} it") };
        let role = node.role.map_or(String::new(), |r| format!(", {}", r.word()));
        let (begun, name) = (begun(app, onset), &node.entity.name);
        let text = format!("{begun} {branch}{name}{kind}{role}  {}", node_now(app, node));
        let mark = if node.in_chain { Mark::Bad } else { Mark::None };
        Row::new(key, plain::prose(text.trim_end(), app.ascii), mark)
    };
    order(app).into_iter().map(row).collect()
}

fn sessions(app: &App) -> Vec<Row> {
    let mut out = Vec::new();
    for (key, view) in app.d.pages.sessions.iter().enumerate() {
        let name = plain::prose(&view.server.name, app.ascii);
        match instant::waits_at(view, app.cursor) {
            None => {
                out.push(Row::new(key, format!("{name}: no snapshot at this time"), Mark::Unsure))
            }
            Some(waits) => {
                let total: usize = waits.iter().map(|w| w.1).sum();
                out.push(Row::new(
                    key,
                    format!("{name}: {total} sessions by what they wait for"),
                    Mark::None,
                ));
                for (event, n) in waits.into_iter().filter(|w| w.1 > 0) {
                    let bar = if app.ascii { "#" } else { "█" }.repeat(n.min(20));
                    let event = plain::prose(event, app.ascii);
                    out.push(Row::new(key, format!("  {n:>4} {bar:<20} {event}"), Mark::None));
                }
            }
        }
    }
    out
}

fn timeline(app: &App) -> Vec<Row> {
    let row = |(key, m): (usize, &crate::diagnosis::Moment)| {
        let name = m.entity.as_ref().map_or(String::new(), |e| format!("{}: ", e.name));
        let later = m.at > app.cursor;
        let sign = match (later, app.ascii) {
            (true, _) => " ",
            (false, true) => "*",
            (false, false) => "●",
        };
        let text = format!("{sign} {} {:<8} {name}{}", time::clock(m.at), m.kind, m.said);
        let mark = if later { Mark::Dim } else { Mark::None };
        Row::new(key, plain::prose(&text, app.ascii), mark)
    };
    app.d.timeline.iter().enumerate().map(row).collect()
}
