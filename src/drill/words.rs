//! How panels are written: values, small pictures, times, lists. In: points and names. Out: lines,
//! which [`page`] makes safe, wraps and paints.

use super::case::Plan;
use crate::diagnosis::{Span, Spark};
use crate::model::{EntityId, Micros, Subject, Unit};
use crate::report::{Style, plain};
use crate::rollup::{Origin, SignalSeries};
use crate::telemetry::Telemetry;
use crate::time;
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
    let silent = (now - t) as f64 > SILENT * s.step.max(1) as f64 && now - t > plan.beat;
    match silent {
        true => format!("no data since {} ({})", moment(plan, *t), plain::value(*v, unit)),
        false => plain::value(*v, unit),
    }
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
    // Values say enough: the names of their labels are long.
    let values: Vec<&str> =
        s.dims.split(',').map(|d| d.split_once('=').map_or(d, |(_, value)| value)).collect();
    let dims = if s.dims.is_empty() { String::new() } else { format!(" {{{}}}", values.join(",")) };
    let stat = match s.stat {
        crate::signals::Stat::Quantile(q) => format!(" p{q}"),
        crate::signals::Stat::Max => " max".to_owned(),
        crate::signals::Stat::Min => " min".to_owned(),
        _ => String::new(),
    };
    let from = if s.origin == Origin::Traces { " (traces)" } else { "" };
    match s.guessed && !s.dims.is_empty() {
        true => s.dims.clone(),
        false => format!("{}{stat}{dims}{from}", signal.name),
    }
}

/// A number of things and their noun.
pub fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
