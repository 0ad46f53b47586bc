//! Charts as SVG: one series over the common axis with the incident shaded, the usual range as a
//! band, the limit, gaps hatched and changes marked. Shapes stretch with the page, labels do not.

use super::super::{clean, number};
use super::page_text;
use crate::diagnosis::{Chart, Diagnosis, Span, Spark};
use crate::model::Unit;
use crate::time;
use maud::{Markup, html};
use std::fmt::Write;

/// Size of the drawing, in its own units.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 100.0;
/// Room above the highest value, as a share of the range.
const HEADROOM: f64 = 0.08;

/// What all charts of one report share.
pub(super) struct Frame {
    pub axis: Span,
    pub incident: Option<Span>,
    /// Times of changes and alerts inside the axis.
    pub marks: Vec<i64>,
}

impl Frame {
    /// The frame of a diagnosis; `None` where it spans no time.
    pub(super) fn of(d: &Diagnosis) -> Option<Frame> {
        let axis = d.pages.axis.or_else(|| {
            let chain = d.hypotheses.iter().flat_map(|h| &h.chain);
            let pieces = d.hypotheses.iter().flat_map(|h| h.evidence.iter().chain(&h.against));
            let sparks = pieces.filter_map(|e| e.spark.as_ref());
            let sparks = sparks.chain(chain.filter_map(|l| l.spark.as_ref()));
            super::super::sparkline::shared_axis(sparks)
        });
        let axis = axis.filter(|a| a.to > a.from)?;
        let changes = d.timeline.iter().filter(|m| matches!(m.kind, "change" | "alert"));
        let marks = changes.map(|m| m.at).filter(|t| axis.from <= *t && *t <= axis.to);
        let incident = d.window.found.then_some(d.window.incident);
        Some(Frame { axis, incident, marks: marks.collect() })
    }

    /// Where a time lies, in units of the drawing.
    fn x(&self, t: i64) -> f64 {
        let share = (t - self.axis.from) as f64 / (self.axis.to - self.axis.from) as f64;
        (share * WIDTH).clamp(0.0, WIDTH)
    }

    fn block(&self, class: &str, span: Span) -> Markup {
        let (from, to) = (self.x(span.from), self.x(span.to));
        let width = xy(to - from);
        html! { rect class=(class) x=(xy(from)) y="0" width=(width) height=(HEIGHT) {} }
    }

    fn shading(&self) -> Markup {
        html! { @if let Some(i) = self.incident { (self.block("inc", i)) } }
    }

    fn changes(&self) -> Markup {
        html! {
            @for t in &self.marks {
                @let x = xy(self.x(*t));
                line class="mark" x1=(x) x2=(x) y1="0" y2=(HEIGHT) {}
            }
        }
    }

    /// Begin, middle and end of the axis.
    pub(super) fn times(&self) -> Markup {
        let middle = self.axis.from + (self.axis.to - self.axis.from) / 2;
        html! {
            div.times {
                span { (time::clock(self.axis.from)) }
                span { (time::clock(middle)) }
                span { (time::clock(self.axis.to)) " UTC" }
            }
        }
    }
}

/// The pattern that every hatched area refers to; once per page.
pub(super) fn patterns() -> Markup {
    html! {
        svg width="0" height="0" aria-hidden="true" focusable="false" style="position:absolute" {
            defs {
                pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse"
                    patternTransform="rotate(45)" {
                    line class="hatch" x1="0" y1="0" x2="0" y2="6" {}
                }
            }
        }
    }
}

/// A number of the drawing: one decimal, never `-0.0` or a word.
pub(super) fn xy(v: f64) -> String {
    let v = if v.is_finite() { (v * 10.0).round() / 10.0 } else { 0.0 };
    format!("{}", if v == 0.0 { 0.0 } else { v })
}

/// From the lowest value to the highest with the limit and the band; zero is always in it.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn of(values: impl Iterator<Item = f64>) -> Scale {
        let (mut low, mut high) = (0.0_f64, 0.0_f64);
        for v in values.filter(|v| v.is_finite()) {
            (low, high) = (low.min(v), high.max(v));
        }
        if high <= low {
            high = low + 1.0;
        }
        Scale { low, high }
    }

    fn y(&self, v: f64) -> f64 {
        let share = (v - self.low) / ((self.high - self.low) * (1.0 + HEADROOM));
        (HEIGHT * (1.0 - share)).clamp(0.0, HEIGHT)
    }
}

/// The chart of a piece of evidence.
pub(super) fn chart(frame: &Frame, chart: &Chart) -> Markup {
    let points = || chart.runs.iter().flatten();
    let band = chart.band.map_or([0.0; 2], |b| [b.0, b.1]);
    let values = points().flat_map(|p| [p.low, p.high]).chain(band).chain(chart.limit);
    let scale = Scale::of(values);
    let cap = chart.limit.map(|l| (xy(scale.y(l)), l));
    let value = |v| number::value(v, chart.unit);
    html! {
        figure {
            figcaption { (page_text(&chart.title)) (levels(chart.before, chart.during, chart.unit)) }
            div.plot role="img" aria-label=(said(chart)) {
                svg viewBox="0 0 1000 100" preserveAspectRatio="none" aria-hidden="true" {
                    (frame.shading())
                    @if let Some((low, high)) = chart.band { (self::band(&scale, low, high)) }
                    @for gap in &chart.gaps { (frame.block("gap", *gap)) }
                    @for run in &chart.runs {
                        @let line: Vec<_> = run.iter().map(|p| (frame.x(p.at), p.mean)).collect();
                        @if run.iter().any(|p| p.high > p.low) {
                            path class="spread" d=(spread(frame, &scale, run)) {}
                        }
                        path class="run" d=(path(&scale, &line)) {}
                    }
                    @if let Some((y, _)) = &cap {
                        line class="cap" x1="0" x2=(WIDTH) y1=(y) y2=(y) {}
                    }
                    (frame.changes())
                }
                span.hi { (value(scale.high)) }
                span.lo { (value(scale.low)) }
                @if let Some((y, limit)) = &cap {
                    span.cap style={ "top:" (y) "%" } { "limit " (value(*limit)) }
                }
            }
            (frame.times())
        }
    }
}

/// What a chart shows, for those who do not see it.
fn said(chart: &Chart) -> String {
    let value = |v: Option<f64>| v.map_or("nothing".to_owned(), |v| number::value(v, chart.unit));
    let mut out = format!(
        "Chart of {}: median {} before, {} during the incident",
        clean::prose(&chart.title, false),
        value(chart.before),
        value(chart.during)
    );
    if let Some(l) = chart.limit {
        let _ = write!(out, ", limit {}", number::value(l, chart.unit));
    }
    if !chart.gaps.is_empty() {
        let _ = write!(out, ", {}", number::count(chart.gaps.len(), "gap"));
    }
    out
}

/// `before → during`, where both are known.
pub(super) fn levels(before: Option<f64>, during: Option<f64>, unit: Unit) -> Markup {
    let value = |v: Option<f64>| v.map_or("?".to_owned(), |v| number::value(v, unit));
    html! {
        @if before.is_some() || during.is_some() {
            ": " strong { (value(before)) " → " (value(during)) }
        }
    }
}

fn band(scale: &Scale, low: f64, high: f64) -> Markup {
    let (top, bottom) = (scale.y(high), scale.y(low));
    // A band of no height is still drawn: the usual level does not move.
    let height = (bottom - top).max(1.5);
    html! { rect class="band" x="0" width=(WIDTH) y=(xy(top.min(HEIGHT - height))) height=(xy(height)) {} }
}

/// A line through points of a run; a single point is a short dash.
fn path(scale: &Scale, line: &[(f64, f64)]) -> String {
    let mut out = String::new();
    for (i, (x, v)) in line.iter().enumerate() {
        let _ = write!(out, "{}{} {}", if i == 0 { "M" } else { "L" }, xy(*x), xy(scale.y(*v)));
    }
    if line.len() == 1 {
        out.push_str("h3");
    }
    out
}

/// The area between the extremes of a run.
fn spread(frame: &Frame, scale: &Scale, run: &[crate::diagnosis::ChartPoint]) -> String {
    let top = run.iter().map(|p| (p.at, p.high));
    let bottom = run.iter().rev().map(|p| (p.at, p.low));
    let mut out = String::new();
    for (i, (t, v)) in top.chain(bottom).enumerate() {
        let letter = if i == 0 { "M" } else { "L" };
        let _ = write!(out, "{letter}{} {}", xy(frame.x(t)), xy(scale.y(v)));
    }
    out.push('Z');
    out
}

/// A small chart of a link of the chain: steps of equal length.
pub(super) fn small(frame: &Frame, spark: &Spark, what: &str) -> Markup {
    let count = spark.cells.len().max(1) as i64;
    let width = (spark.axis.to - spark.axis.from).max(1) / count;
    let scale = Scale::of(spark.cells.iter().flatten().copied());
    let mut runs: Vec<Vec<(f64, f64)>> = vec![Vec::new()];
    for (i, cell) in spark.cells.iter().enumerate() {
        match (cell.filter(|v| v.is_finite()), runs.last_mut()) {
            (Some(v), Some(run)) => {
                run.push((frame.x(spark.axis.from + i as i64 * width + width / 2), v));
            }
            (None, Some(run)) if !run.is_empty() => runs.push(Vec::new()),
            _ => {}
        }
    }
    runs.retain(|r| !r.is_empty());
    let value = |v: Option<f64>| v.map_or("?".to_owned(), |v| number::value(v, spark.unit));
    let said = format!("{what}: {} before, {} during", value(spark.before), value(spark.during));
    html! {
        div.plot.small role="img" aria-label=(clean::prose(&said, false)) {
            svg viewBox="0 0 1000 100" preserveAspectRatio="none" aria-hidden="true" {
                (frame.shading())
                @for run in &runs { path class="run" d=(path(&scale, run)) {} }
                (frame.changes())
            }
        }
    }
}

/// Evidence that is a stretch of time, not a series.
pub(super) fn strip(frame: &Frame, span: Span) -> Markup {
    let said = match span.to > span.from {
        true => format!("seen from {} to {} UTC", time::clock(span.from), time::clock(span.to)),
        false => format!("seen at {} UTC", time::clock(span.from)),
    };
    let (from, to) = (frame.x(span.from), frame.x(span.to));
    html! {
        figure {
            figcaption { (said) }
            div.plot.small role="img" aria-label=(said) {
                svg viewBox="0 0 1000 100" preserveAspectRatio="none" aria-hidden="true" {
                    (frame.shading())
                    rect class="span" x=(xy(from)) y="35" width=(xy((to - from).max(4.0))) height="30" {}
                    (frame.changes())
                }
            }
            (frame.times())
        }
    }
}
