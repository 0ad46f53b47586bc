//! How panels are written: values, small pictures, times, lists. In: points and names. Out: lines,
//! which [`page`] makes safe, wraps and paints.

use super::case::Plan;
use crate::diagnosis::{Span, Spark};
use crate::model::{EntityId, Micros, Subject, Unit};
use crate::report::{Style, plain};
use crate::rollup::{Origin, SignalSeries};
use crate::signals::Stat;
use crate::telemetry::Telemetry;
use crate::time;
use std::collections::BTreeMap;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns of a small picture, and where there is little room.
const PICTURE: usize = 20;
const SMALL: usize = 10;
/// Columns from which there is room.
const ROOM: usize = 80;
/// Beats that a picture shows.
const SHOWN: i64 = 30;
/// Steps after which a series without a point counts as silent.
const SILENT: f64 = 3.0;
/// Beats and steps, whichever is longer, that the rate of traced requests is taken over: the last
/// bucket lacks the spans that have not ended, and few requests are traced.
const TRACED_BEATS: i64 = 4;
const TRACED_STEPS: i64 = 3;
/// Names in a row from which only the first and the last are written.
const RUN: usize = 4;

/// The signs that are painted, with their colour: each says the same in words.
const PAINTED: &[(&str, u8)] = &[
    ("FIRING", 31),
    ("CORRECT", 32),
    ("NOT YET", 33),
    ("NOTHING HAPPENS", 33),
    ("IT HELPS", 32),
    ("IT RELIEVES", 33),
    ("IT HARMS", 31),
];

/// Lines as text: safe, no wider than the style allows, painted where it may be.
pub fn page(lines: &[String], style: &Style) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let text: String = lines.iter().map(|l| wrapped(l, style)).collect();
    if !style.color {
        return text;
    }
    let paint = |line: &str| {
        let sign = PAINTED.iter().find(|(s, _)| line.trim_start().starts_with(s));
        let title = line.starts_with(" == ") || line.starts_with(" DRILL");
        match sign {
            Some((s, code)) => line.replacen(s, &format!("\u{1b}[1;{code}m{s}\u{1b}[0m"), 1),
            None if title => format!("\u{1b}[1m{line}\u{1b}[0m"),
            None => line.to_owned(),
        }
    };
    text.lines().map(|l| paint(l) + "\n").collect()
}

/// A line made safe, and broken at blanks where it is too long; what is set in columns stays so.
fn wrapped(line: &str, style: &Style) -> String {
    let line = plain::prose(line.trim_end(), style.ascii);
    let indent = (line.len() - line.trim_start().len() + 2).min(style.width / 3);
    let (mut out, mut rest) = (String::new(), line.as_str());
    let mut before = String::new();
    while before.width() + rest.width() > style.width {
        let room = style.width - before.width();
        let mut used = 0;
        let fits = rest.char_indices().take_while(|(_, c)| {
            used += c.width().unwrap_or(0);
            used <= room
        });
        // At least one character, so that it ends.
        let end = fits.last().map_or(rest.len(), |(i, c)| i + c.len_utf8());
        let blank = rest[..end].rfind(' ').filter(|b| *b > end / 2);
        let (head, tail) = rest.split_at(blank.unwrap_or(end));
        out.push_str(&format!("{before}{}\n", head.trim_end()));
        rest = tail.trim_start();
        before = " ".repeat(indent);
    }
    out.push_str(&format!("{before}{rest}\n"));
    out
}

/// The drill's clock: time since the page, in two units at most.
pub fn clock(plan: &Plan, now: Micros) -> String {
    time::duration((now - plan.paged).max(0) as f64 / crate::model::SECOND as f64)
}

/// A time of the recording; with its day where the recording is longer than one.
pub fn moment(plan: &Plan, at: Micros) -> String {
    const DAY: Micros = 86_400 * crate::model::SECOND;
    match plan.end - plan.usual.from > DAY {
        true => format!("{} {}", time::date(at), time::clock(at)),
        false => time::clock(at),
    }
}

/// Points, `1 point`.
pub fn points(p: f64) -> String {
    let p = (p * 10.0).round() / 10.0;
    format!("{p} point{}", if p == 1.0 { "" } else { "s" })
}

/// The axis of pictures at a time.
pub fn axis(plan: &Plan, now: Micros) -> Span {
    Span { from: plan.usual.from.max(now - SHOWN * plan.beat), to: now.max(plan.usual.from + 1) }
}

/// Columns of a small picture on a screen.
pub fn picture_width(style: &Style) -> usize {
    if style.width < ROOM { SMALL } else { PICTURE }
}

/// A small picture of a series up to `now`.
pub fn picture(s: &SignalSeries, unit: Unit, plan: &Plan, now: Micros, style: &Style) -> String {
    let axis = axis(plan, now);
    let length = (axis.to - axis.from).max(1);
    let width = picture_width(style);
    let cells = (length / s.step.max(1)).clamp(1, width as i64) as usize;
    let mut sums = vec![(0.0, 0u32); cells];
    for (t, v) in
        s.points.iter().filter(|p| (axis.from..=axis.to).contains(&p.0) && p.1.is_finite())
    {
        let cell = ((t - axis.from) as f64 / length as f64 * cells as f64) as usize;
        let slot = &mut sums[cell.min(cells - 1)];
        *slot = (slot.0 + v, slot.1 + 1);
    }
    let cells = sums.iter().map(|(sum, n)| (*n > 0).then(|| sum / f64::from(*n))).collect();
    let spark = Spark { axis, cells, unit, before: None, during: None };
    plain::spark(&spark, axis, width, style.ascii)
}

/// The last value, or that there is none any more.
pub fn last(s: &SignalSeries, unit: Unit, plan: &Plan, now: Micros) -> String {
    let Some((t, v)) = s.points.iter().rev().find(|p| p.1.is_finite()) else {
        return "no data".to_owned();
    };
    if let Some(mean) = traced(s, plan, now) {
        return plain::value(mean, unit);
    }
    let silent = (now - t) as f64 > SILENT * s.step.max(1) as f64 && now - t > plan.beat;
    match silent {
        true => format!("no data since {}, last {}", moment(plan, t), plain::value(v, unit)),
        false => plain::value(v, unit),
    }
}

/// The mean of the last while of a rate that was made of traces.
fn traced(s: &SignalSeries, plan: &Plan, now: Micros) -> Option<f64> {
    let from = now - (TRACED_BEATS * plan.beat).max(TRACED_STEPS * s.step);
    let of_traces = s.origin == Origin::Traces && s.role == "traffic";
    let last = s.points.iter().filter(|p| of_traces && p.0 > from && p.1.is_finite());
    let (n, sum) = last.fold((0u32, 0.0), |(n, sum), p| (n + 1, sum + p.1));
    (n > 0).then(|| sum / f64::from(n))
}

/// The unit of a series: what a counter of unknown meaning counts is a rate, and what failed of a
/// histogram's count a share.
pub fn unit(t: &Telemetry, s: &SignalSeries) -> Unit {
    let unit = t.signals.get(s.signal).unit();
    if unit != Unit::None || !s.guessed {
        return unit;
    }
    match (is_counted(s), raw(s).ends_with("_total")) {
        (true, _) if s.role == "errors" => Unit::Ratio,
        (true, _) | (_, true) => Unit::PerSecond,
        _ => unit,
    }
}

/// The exporter's name of a series.
fn raw(s: &SignalSeries) -> &str {
    s.source.series.split(['{', ' ']).next().unwrap_or_default()
}

/// Whether a guessed series is how often a histogram counted, not what it measured.
fn is_counted(s: &SignalSeries) -> bool {
    let part = raw(s).ends_with("_count") || raw(s).ends_with("_bucket");
    s.guessed && part && s.stat == Stat::Value
}

/// The median of what is usual; `None` without points there.
pub fn usual(s: &SignalSeries, plan: &Plan) -> Option<f64> {
    let inside = s.points.iter().filter(|p| plan.usual.contains(p.0) && p.1.is_finite());
    let mut values: Vec<f64> = inside.map(|p| p.1).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Name of an entity.
pub fn name(t: &Telemetry, e: EntityId) -> &str {
    &t.graph.entity(e).name
}

/// What a series is about.
pub fn subject(t: &Telemetry, s: Subject) -> String {
    match s {
        Subject::Entity(e) => name(t, e).to_owned(),
        Subject::Edge(a, b) => format!("{} → {}", name(t, a), name(t, b)),
    }
}

/// What a series is called: its signal, or the exporter's words where those were not understood.
pub fn signal(t: &Telemetry, s: &SignalSeries) -> String {
    let signal = t.signals.get(s.signal);
    // Values say enough of labels, whose names are long; a lone value is one of several states.
    let value = |d: &str| match d.split_once('=') {
        Some((_, value)) => value.to_owned(),
        None if signal.state_labels.is_empty() || signal.role == "outcome" => d.to_owned(),
        None => format!("state {d}"),
    };
    let values: Vec<String> = s.dims.split(',').map(value).collect();
    let dims = if s.dims.is_empty() { String::new() } else { format!(" {{{}}}", values.join(",")) };
    let stat = match s.stat {
        Stat::Quantile(q) => format!(" p{q}"),
        Stat::Max => " max".to_owned(),
        Stat::Min => " min".to_owned(),
        _ => String::new(),
    };
    let from = if s.origin == Origin::Traces { " (traces)" } else { "" };
    let counted = match (is_counted(s), s.role.as_str()) {
        (true, "errors") => " failed",
        (true, _) => " calls",
        _ => "",
    };
    match s.guessed && !s.dims.is_empty() {
        true => format!("{}{counted}{stat}{from}", s.dims),
        false => format!("{}{stat}{dims}{from}", signal.name),
    }
}

/// Series with what `title` calls them; where two are called the same, with the exporter's name.
pub fn titled<'s>(
    series: &[&'s SignalSeries],
    title: impl Fn(&SignalSeries) -> String,
) -> Vec<(String, &'s SignalSeries)> {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    series.iter().for_each(|s| *count.entry(title(s)).or_default() += 1);
    let mut given: BTreeMap<String, usize> = BTreeMap::new();
    let mut one = |s: &&'s SignalSeries| {
        let plain = title(s);
        let said = if count[&plain] == 1 { plain } else { format!("{plain} ({})", raw(s)) };
        // Exporters that use one name for two things leave only their order.
        let before = given.entry(said.clone()).or_default();
        *before += 1;
        let said = if *before == 1 { said } else { format!("{said} #{before}") };
        (said, *s)
    };
    series.iter().map(&mut one).collect()
}

/// Names in a list; a run of numbered ones by its first and its last.
pub fn together<S: AsRef<str>>(names: &[S]) -> String {
    let number = |name: &str| -> Option<(String, u64)> {
        let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let (stem, n) = name.split_at(name.len() - digits);
        Some((stem.to_owned(), n.parse().ok()?))
    };
    let mut runs: Vec<Vec<&str>> = Vec::new();
    for name in names.iter().map(AsRef::as_ref) {
        let next = runs.last().and_then(|run| number(run.last()?)).map(|(stem, n)| (stem, n + 1));
        match runs.last_mut() {
            Some(run) if next.is_some() && next == number(name) => run.push(name),
            _ => runs.push(vec![name]),
        }
    }
    let said = |run: &Vec<&str>| match run.len() >= RUN {
        true => format!("{} to {}", run[0], run[run.len() - 1]),
        false => run.join(", "),
    };
    runs.iter().map(said).collect::<Vec<_>>().join(", ")
}

/// A number of things and their noun.
pub fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
