//! The picture of the state: pure, so that a test backend draws what a terminal shows.

use super::app::{App, Mode, PANES, Pane};
use super::rows::{Mark, Row, rows};
use super::{instant, view::View};
use crate::diagnosis::Chart;
use crate::report::plain;
use crate::time;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::border;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

/// From this size on every pane has its place.
const ROOMY: (u16, u16) = (120, 34);
/// Lines of the head: verdict, axis, instant.
const HEAD: u16 = 3;
/// Lines of the chart of the selected evidence, its frame included.
const CHART: u16 = 6;
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

const ASCII: border::Set = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

/// Draws everything.
pub fn draw(frame: &mut Frame, app: &App) {
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(HEAD), Constraint::Min(5), Constraint::Length(2)])
            .areas(frame.area());
    self::head(frame, app, head);
    match &app.mode {
        Mode::Read { view, top } => read(frame, app, view, *top, body),
        _ if frame.area().width >= ROOMY.0 && frame.area().height >= ROOMY.1 => {
            roomy(frame, app, body);
        }
        _ => narrow(frame, app, body),
    }
    self::foot(frame, app, foot);
}

/// All panes at once, the chart below.
fn roomy(frame: &mut Frame, app: &App, area: Rect) {
    let [left, right] =
        Layout::horizontal([Constraint::Percentage(42), Constraint::Percentage(58)]).areas(area);
    let [hypotheses, timeline] =
        Layout::vertical([Constraint::Percentage(50), Constraint::Percentage(50)]).areas(left);
    let [evidence, chart, graph, sessions] = Layout::vertical([
        Constraint::Percentage(30),
        Constraint::Length(CHART + 4),
        Constraint::Percentage(32),
        Constraint::Min(5),
    ])
    .areas(right);
    pane(frame, app, Pane::Hypotheses, hypotheses);
    pane(frame, app, Pane::Timeline, timeline);
    pane(frame, app, Pane::Evidence, evidence);
    self::chart(frame, app, chart);
    pane(frame, app, Pane::Graph, graph);
    pane(frame, app, Pane::Sessions, sessions);
}

/// The hypotheses, one other pane, and the chart.
fn narrow(frame: &mut Frame, app: &App, area: Rect) {
    let chart_lines = if area.height >= 16 { CHART } else { 0 };
    let [top, middle, chart] = Layout::vertical([
        Constraint::Percentage(if app.pane == Pane::Hypotheses { 40 } else { 30 }),
        Constraint::Min(3),
        Constraint::Length(chart_lines),
    ])
    .areas(area);
    pane(frame, app, Pane::Hypotheses, top);
    let other = if app.pane == Pane::Hypotheses { Pane::Evidence } else { app.pane };
    pane(frame, app, other, middle);
    self::chart(frame, app, chart);
}

fn block(app: &App, title: String, active: bool) -> Block<'static> {
    let set = match (app.ascii, active) {
        (true, _) => ASCII,
        (false, true) => border::THICK,
        (false, false) => border::PLAIN,
    };
    let style = if active { Modifier::BOLD } else { Modifier::empty() };
    Block::bordered()
        .border_set(set)
        .title(Line::from(title).style(Style::new().add_modifier(style)))
}

fn style(app: &App, mark: Mark) -> Style {
    let plain = Style::new();
    match (mark, app.color) {
        (Mark::Dim, _) => plain.add_modifier(Modifier::DIM),
        (_, false) | (Mark::None, _) => plain,
        (Mark::Good, true) => plain.fg(Color::Green),
        (Mark::Bad, true) => plain.fg(Color::Red),
        (Mark::Unsure, true) => plain.fg(Color::Yellow),
    }
}

/// One list, scrolled so that the selected row is seen.
fn pane(frame: &mut Frame, app: &App, which: Pane, area: Rect) {
    let all = rows(app, which);
    let active = app.pane == which;
    let number = PANES.iter().position(|p| *p == which).unwrap_or(0) + 1;
    let filter = &app.filters[which as usize];
    let filter = match filter.is_empty() {
        true => String::new(),
        false => format!(" /{}/", plain::prose(filter, app.ascii)),
    };
    let of = app.hypothesis().filter(|_| which == Pane::Evidence);
    let of = of.map_or(String::new(), |h| format!(" of {}", plain::prose(&h.id, app.ascii)));
    let here = if active { "*" } else { "" };
    let title = format!(" {here}{number} {}{of} ({}){filter} ", which.word(), all.len());
    let block = block(app, title, active);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let room = usize::from(inner.height);
    let at = app.selected[which as usize].min(all.len().saturating_sub(1));
    let from = at.saturating_sub(room.saturating_sub(1));
    let lines: Vec<Line> =
        all.iter().enumerate().skip(from).take(room).map(|(i, r)| row(app, r, i == at)).collect();
    let lines = if all.is_empty() { vec![Line::from(empty(app, which))] } else { lines };
    frame.render_widget(Paragraph::new(lines), inner);
}

fn row<'a>(app: &App, row: &'a Row, selected: bool) -> Line<'a> {
    let sign = if selected { ">" } else { " " };
    let mut look = style(app, row.mark);
    if selected {
        look = look.add_modifier(Modifier::REVERSED);
    }
    Line::from(vec![Span::raw(sign), Span::styled(row.text.as_str(), look)])
}

fn empty(app: &App, which: Pane) -> &'static str {
    match which {
        _ if !app.filters[which as usize].is_empty() => " nothing fits the filter (Esc)",
        Pane::Hypotheses => " no hypothesis",
        Pane::Evidence => " no evidence",
        Pane::Graph => " no entity was seen",
        Pane::Sessions => " no pg_stat_activity snapshots were given",
        Pane::Timeline => " nothing is on record",
    }
}

/// Verdict, axis with the incident and the cursor, the instant in words.
fn head(frame: &mut Frame, app: &App, area: Rect) {
    let d = app.d;
    let first = d.hypotheses.first().map_or("no hypothesis", |h| h.headline.as_str());
    let word = d.verdict.word().to_uppercase();
    let is_out = d.hypotheses.first().is_some_and(|h| app.rejected.contains_key(&h.id));
    let said = match is_out {
        true => format!(" YOU REJECTED what was {word}: {first}"),
        false => format!(" {word}: {first}"),
    };
    let width = usize::from(area.width);
    let (from, to) = (time::clock(app.axis.from), time::clock(app.axis.to));
    let room = width.saturating_sub(from.len() + to.len() + 4);
    let cursor = column(app, app.cursor, room);
    let (plain, shaded) = if app.ascii { ('-', '#') } else { ('─', '▓') };
    let sign = |i: usize| {
        let inside = column(app, d.window.incident.from, room) <= i
            && i <= column(app, d.window.incident.to, room);
        if inside && d.window.found { shaded } else { plain }
    };
    let ruler: String = (0..room).map(sign).collect();
    let middle = ruler.char_indices().nth(cursor).map_or(ruler.len(), |(at, _)| at);
    let (before, after) = ruler.split_at(middle);
    let rest: String = after.chars().skip(1).collect();
    let caret = Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD);
    let lines = vec![
        Line::styled(
            cut(&plain::prose(&said, app.ascii), width, app.ascii),
            Style::new().add_modifier(Modifier::BOLD),
        ),
        Line::from(vec![
            Span::raw(format!(" {from} ")),
            Span::raw(before.to_owned()),
            Span::styled("^", caret),
            Span::raw(rest),
            Span::raw(format!(" {to}")),
        ]),
        Line::from(format!(" now {} UTC, {}", time::clock(app.cursor), place(app))),
    ];
    frame.render_widget(Paragraph::new(lines), area);
}

/// The left end of a text, which says when it is cut.
fn cut(text: &str, width: usize, ascii: bool) -> String {
    let sign = if ascii { "..." } else { "…" };
    match text.chars().count() > width {
        true => text.chars().take(width.saturating_sub(3)).collect::<String>() + sign,
        false => text.to_owned(),
    }
}

/// Where an instant lies on an axis of `room` columns.
fn column(app: &App, at: i64, room: usize) -> usize {
    let length = (app.axis.to - app.axis.from).max(1) as f64;
    let share = (at - app.axis.from) as f64 / length;
    (share.clamp(0.0, 1.0) * room as f64).min(room.saturating_sub(1) as f64) as usize
}

/// Where the cursor stands with respect to the incident.
fn place(app: &App) -> String {
    let w = app.d.window.incident;
    let far = |from: i64, to: i64| time::duration(((to - from) as f64 / 1e6).round());
    match app.cursor {
        _ if !app.d.window.found => "no incident was found in this recording".to_owned(),
        at if at < w.from => format!("{} before the incident", far(at, w.from)),
        at if at <= w.to => format!("{} into the incident", far(w.from, at)),
        at => format!("{} after the incident", far(w.to, at)),
    }
}

/// The selected evidence with its series, else the first of its hypothesis that has one.
fn charted<'a>(app: &'a App) -> Option<(String, &'a Chart)> {
    let own = app.row(Pane::Evidence).map(|r| r.id);
    let h = app.hypothesis()?;
    let others = h.evidence.iter().chain(&h.against).map(|e| e.id.clone());
    let mut all = own.into_iter().chain(others);
    all.find_map(|id| Some((id.clone(), app.d.pages.chart(&id)?)))
}

/// The series of the selected evidence, with the cursor in it.
fn chart(frame: &mut Frame, app: &App, area: Rect) {
    if area.height < 3 {
        return;
    }
    let Some((id, chart)) = charted(app) else {
        let block = block(app, " no evidence of this is read off a series ".to_owned(), false);
        return frame.render_widget(block, area);
    };
    let slack = instant::step(app.axis) / 2;
    let now = instant::chart_at(chart, app.cursor, slack);
    let now = now.map_or("no data".to_owned(), |v| plain::value(v, chart.unit));
    let band = chart.band.map_or(String::new(), |(low, high)| {
        format!(", usually {} to {}", plain::value(low, chart.unit), plain::value(high, chart.unit))
    });
    let title = plain::prose(&format!(" {id} {}: {now}{band} ", chart.title), app.ascii);
    let block = block(app, title, false);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let lines = picture(app, chart, usize::from(inner.width), usize::from(inner.height));
    frame.render_widget(Paragraph::new(lines), inner);
}

/// Columns of blocks from zero up; blank where nothing was recorded, the cursor's column reversed.
fn picture(app: &App, chart: &Chart, width: usize, height: usize) -> Vec<Line<'static>> {
    let label = plain::value(
        instant::columns(chart, app.axis, width).into_iter().flatten().fold(0.0, f64::max),
        chart.unit,
    );
    let label_width = label.chars().count() + 1;
    let room = width.saturating_sub(label_width).max(1);
    let columns = instant::columns(chart, app.axis, room);
    let high = columns.iter().flatten().fold(0.0_f64, |a, b| a.max(*b));
    let cursor = column(app, app.cursor, room);
    let steps = (height * BLOCKS.len()) as f64;
    let level = |v: f64| if high > 0.0 { (v / high * steps).round().max(1.0) as usize } else { 1 };
    let cell = |value: Option<f64>, line: usize| {
        let Some(value) = value else { return ' ' };
        let above = (height - 1 - line) * BLOCKS.len();
        match level(value.max(0.0)).saturating_sub(above) {
            0 => ' ',
            n if app.ascii => {
                if n >= BLOCKS.len() / 2 {
                    '#'
                } else {
                    '.'
                }
            }
            n => BLOCKS[n.min(BLOCKS.len()) - 1],
        }
    };
    let row = |line: usize| {
        let head = if line == 0 { label.clone() } else { String::new() };
        let text = |range: std::ops::Range<usize>| -> String {
            range.map(|i| cell(columns[i], line)).collect()
        };
        let caret = Style::new().add_modifier(Modifier::REVERSED);
        Line::from(vec![
            Span::raw(format!("{head:>width$} ", width = label_width - 1)),
            Span::raw(text(0..cursor)),
            Span::styled(text(cursor..cursor + 1), caret),
            Span::raw(text(cursor + 1..room)),
        ])
    };
    (0..height).map(row).collect()
}

/// What is read in full.
fn read(frame: &mut Frame, app: &App, view: &View, top: usize, area: Rect) {
    let lines = view.lines(app, app.read_width());
    let room = usize::from(area.height.saturating_sub(2));
    let last = (top + room).min(lines.len());
    let title = format!(" {} (lines {} to {last} of {}) ", view.title(app), top + 1, lines.len());
    let block = block(app, plain::prose(&title, app.ascii), true);
    let inner = block.inner(area);
    frame.render_widget(Clear, area);
    frame.render_widget(block, area);
    // A command may be longer than a line and is shown whole.
    let whole = matches!(view, View::Command(_));
    let text: Vec<Line> = lines.into_iter().skip(top).take(room).map(Line::from).collect();
    let text = Paragraph::new(text);
    let text = if whole { text.wrap(ratatui::widgets::Wrap { trim: false }) } else { text };
    frame.render_widget(text, inner);
}

/// What is typed or was said, and the keys.
fn foot(frame: &mut Frame, app: &App, area: Rect) {
    let caution = app.remaining().caution(app.rejected.len());
    let said = match (&app.mode, &app.message) {
        (_, Some(message)) => message.clone(),
        (Mode::Filter, None) => format!("filter: {}_", app.filters[app.pane as usize]),
        (Mode::Reject(reason), None) => {
            let id = app.hypothesis().map_or("", |h| h.id.as_str());
            format!("why is {id} not the cause? {reason}_")
        }
        (_, None) => caution.unwrap_or_default(),
    };
    let keys = match app.mode {
        Mode::Browse => {
            "</> time  [ ] moment  1-5 pane  Enter open  / filter  c compare  x reject  y copy  \
             e export  ? keys  q leave"
        }
        Mode::Filter => "Enter keep  Esc clear",
        Mode::Reject(_) => "Enter reject  Esc back",
        Mode::Read { .. } => "up/down scroll  </> time  y copy command  Esc back",
    };
    // 80 columns hold the short form.
    let short = "</> time 1-5 pane Enter open / filter c compare x reject y copy e export ? keys";
    let keys = if keys.len() + 1 > usize::from(area.width) { short } else { keys };
    let lines = vec![
        Line::styled(
            plain::prose(&format!(" {said}"), app.ascii),
            Style::new().add_modifier(Modifier::BOLD),
        ),
        Line::styled(format!(" {keys}"), Style::new().add_modifier(Modifier::DIM)),
    ];
    frame.render_widget(Paragraph::new(lines), area);
}
