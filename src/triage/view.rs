//! What is read in full: a hypothesis, a piece of evidence, an entity, a server, a moment, two
//! hypotheses side by side, a command, the keys.

use super::app::App;
use super::instant;
use super::rows::{levels_now, node_now, value_at};
use crate::diagnosis::{EdgeView, Evidence, EvidenceState, Levels};
use crate::model::Unit;
use crate::rank::why_not::between;
use crate::report::{self, Style, Verbosity, plain};
use crate::time;

/// What is opened.
#[derive(Clone, Debug, PartialEq)]
pub enum View {
    /// Index of a hypothesis, of a node, of a server, of a moment.
    Hypothesis(usize),
    Node(usize),
    Server(usize),
    Moment(usize),
    /// Id of a piece of evidence.
    Evidence(String),
    /// The one of lower rank, and the other.
    Compare(usize, usize),
    Command(String),
    Help,
}

/// The keys; shown by `?`.
const KEYS: [(&str, &str); 13] = [
    ("left right, h l", "move the cursor in time; H L ten steps, 0 $ to the ends"),
    ("[ ]", "to the moment before or after in the timeline"),
    ("up down, k j", "select; PageUp PageDown ten rows"),
    ("1 to 5, Tab", "hypotheses, evidence, graph, sessions, timeline"),
    ("Enter", "read what is selected in full; Esc goes back"),
    ("/", "filter the pane; Esc takes the filter away"),
    ("c", "mark a hypothesis; on another one: compare the two"),
    ("x", "reject the hypothesis and say why; again: take it back"),
    ("y", "copy the command of the hypothesis (OSC 52), and show it"),
    ("e", "export rejections and ranking to a new TOML file"),
    ("?", "these keys"),
    ("q, Ctrl-C", "leave; nothing is written"),
    ("", "Everything shows the instant of the cursor. Nothing here changes a system."),
];

impl View {
    /// What stands above it.
    pub fn title(&self, app: &App) -> String {
        let name = |i: &usize| app.d.hypotheses.get(*i).map_or(String::new(), |h| h.id.clone());
        match self {
            View::Hypothesis(i) => format!("Hypothesis {}", name(i)),
            View::Node(_) => "Entity".to_owned(),
            View::Server(_) => "Sessions".to_owned(),
            View::Moment(_) => "Moment".to_owned(),
            View::Evidence(id) => format!("Evidence {id}"),
            View::Compare(a, b) => format!("{} against {}", name(a), name(b)),
            View::Command(_) => "Command".to_owned(),
            View::Help => "Keys".to_owned(),
        }
    }

    /// Its lines, at most `width` columns wide but for commands.
    pub fn lines(&self, app: &App, width: usize) -> Vec<String> {
        let style = Style {
            width,
            color: false,
            ascii: app.ascii,
            verbosity: Verbosity::Verbose,
            explain: false,
        };
        let text = match self {
            View::Hypothesis(i) => hypothesis(app, *i, &style),
            View::Compare(own, first) => {
                let all = &app.d.hypotheses;
                all.get(*own).zip(all.get(*first)).map_or(String::new(), |(a, b)| {
                    report::why_not(app.d, &a.id, &between(a, b), &style)
                })
            }
            View::Node(i) => plain::wrapped(&node(app, *i), &style),
            View::Server(i) => plain::wrapped(&server(app, *i), &style),
            View::Moment(i) => plain::wrapped(&moment(app, *i), &style),
            View::Evidence(id) => plain::wrapped(&evidence(app, id), &style),
            View::Command(command) => plain::wrapped(&told(command, app), &style),
            View::Help => {
                let rows = KEYS.iter().map(|(k, what)| [(*k).to_owned(), (*what).to_owned()]);
                report::two_columns(rows, &style)
            }
        };
        text.lines().map(str::to_owned).collect()
    }
}

fn hypothesis(app: &App, i: usize, style: &Style) -> String {
    let Some(h) = app.d.hypotheses.get(i) else { return String::new() };
    let rejected = app.rejected.get(&h.id).map(|why| format!("You rejected it: {why}"));
    let rejected = rejected.map_or(String::new(), |s| plain::wrapped(&[s, String::new()], style));
    rejected + &report::hypothesis(app.d, h, style)
}

fn told(command: &str, app: &App) -> Vec<String> {
    vec![
        plain::command(command, app.ascii),
        String::new(),
        "Sent to the clipboard of your terminal (OSC 52). Where the terminal does not take it, select \
         the line above. It was not run."
            .to_owned(),
    ]
}

fn find<'a>(app: &'a App, id: &str) -> Option<&'a Evidence> {
    let all = app.d.hypotheses.iter().flat_map(|h| h.evidence.iter().chain(&h.against));
    all.into_iter().find(|e| e.id == id)
}

fn evidence(app: &App, id: &str) -> Vec<String> {
    let Some(e) = find(app, id) else { return vec![] };
    let state = match e.state {
        EvidenceState::Present => "seen",
        EvidenceState::Absent => "looked for, and not there",
        EvidenceState::Unobservable => "not observable in this data",
    };
    let inferred = if e.inferred { ", inferred" } else { "" };
    let mut out =
        vec![e.said.clone(), String::new(), format!("{id} ({}): {state}{inferred}", e.name)];
    out.push(format!("weight: {:+.2} nats", e.nats));
    let now = value_at(app, e);
    if !now.is_empty() {
        out.push(format!("at {}: {}", time::clock(app.cursor), now.trim()));
    }
    if let Some(s) = &e.source {
        out.push(String::new());
        out.push(format!("file   {}{}", s.file, s.line.map_or(String::new(), |l| format!(":{l}"))));
        if !s.series.is_empty() {
            out.push(format!("series {}", s.series));
        }
        if let (Some(from), Some(to)) = (s.from, s.to) {
            out.push(format!("time   {} to {} UTC", time::rfc3339(from), time::rfc3339(to)));
        }
    }
    out
}

/// Usual and incident level, where there is one.
fn levels(name: &str, of: &Levels, unit: Unit) -> Option<String> {
    let said = |v: Option<f64>| v.map_or("?".to_owned(), |v| plain::value(v, unit));
    (!of.is_empty()).then(|| format!("{name} {} -> {}", said(of.before), said(of.during)))
}

fn all_levels(traffic: &Levels, errors: &Levels, latency: &Levels) -> String {
    let all = [
        levels("traffic", traffic, Unit::PerSecond),
        levels("errors", errors, Unit::Ratio),
        levels("latency", latency, Unit::Seconds),
    ];
    let all: Vec<String> = all.into_iter().flatten().collect();
    if all.is_empty() { "no levels were recorded".to_owned() } else { all.join(", ") }
}

fn node(app: &App, i: usize) -> Vec<String> {
    let g = &app.d.pages.graph;
    let Some(node) = g.nodes.get(i) else { return vec![] };
    let role = node.role.map_or("", crate::diagnosis::Role::word);
    let mut out = vec![format!("{} ({}) {role}", node.entity.name, node.entity.kind)];
    out.push(format!("at {}: {}", time::clock(app.cursor), node_now(app, node)));
    let levels = levels_now(app, node);
    if !levels.is_empty() && levels != node_now(app, node) {
        out.push(levels);
    }
    let onset = node.onset.map_or("not seen".to_owned(), |at| format!("{} UTC", time::clock(at)));
    out.push(format!("onset: {onset}"));
    out.push(all_levels(&node.traffic, &node.errors, &node.latency));
    let name = |n: usize| g.nodes.get(n).map_or("?", |n| n.entity.name.as_str());
    let said = |e: &EdgeView| {
        let levels = all_levels(&e.traffic, &e.errors, &e.latency);
        format!("  {} {} {}: {levels}", name(e.from), e.kind, name(e.to))
    };
    out.push(String::new());
    out.push("edges, usual level -> level in the incident:".to_owned());
    out.extend(g.edges.iter().filter(|e| e.from == i || e.to == i).map(said));
    out.push(String::new());
    for h in app.d.hypotheses.iter().filter(|h| h.entity == node.entity) {
        out.push(format!("{} {} {}", h.id, plain::probability(h.probability), h.headline));
    }
    out
}

fn server(app: &App, i: usize) -> Vec<String> {
    let Some(view) = app.d.pages.sessions.get(i) else { return vec![] };
    let mut out = vec![{
        let at = time::clock(app.cursor);
        format!("{}: sessions by what they wait for, at {at} and at most", view.server.name)
    }];
    let waits = instant::waits_at(view, app.cursor);
    for row in &view.waits {
        let most = row.cells.iter().flatten().max().copied().unwrap_or(0);
        let now = waits.iter().flatten().find(|w| w.0 == row.event).map(|w| w.1.to_string());
        let now = now.unwrap_or_else(|| "?".to_owned());
        out.push(format!("  now {now:>4}, at most {most:>4}  {}", row.event));
    }
    out.push(String::new());
    match view.forest_at {
        None => out.push("no session blocked another one".to_owned()),
        Some(at) => {
            out.push(format!("who blocked whom at {} UTC, when it was worst:", time::clock(at)))
        }
    }
    for line in &view.forest {
        let inferred = if line.inferred { " (inferred)" } else { "" };
        let place = line.line.map_or(line.file.clone(), |n| format!("{}:{n}", line.file));
        let indent = "  ".repeat(line.depth.min(8) + 1);
        out.push(format!("{indent}pid {} {}{inferred}  {place}", line.pid, line.said));
    }
    out
}

fn moment(app: &App, i: usize) -> Vec<String> {
    let Some(m) = app.d.timeline.get(i) else { return vec![] };
    let name = m.entity.as_ref().map_or(String::new(), |e| format!("{}: ", e.name));
    let mut out = vec![format!("{name}{}", m.said), String::new()];
    let near = m.uncertainty_s.map_or(String::new(), |s| format!(", give or take {s:.0} s"));
    out.push(format!("{} at {} UTC{near}", m.kind, time::rfc3339(m.at)));
    if let Some(p) = &m.place {
        out.push(format!("file {}{}", p.file, p.line.map_or(String::new(), |l| format!(":{l}"))));
    }
    out.push("The cursor stands there now.".to_owned());
    out
}
