//! What was recorded at one instant.

use crate::diagnosis::{Chart, Diagnosis, SessionsView, Span, Spark};
use crate::model::{Micros, SECOND};

/// Steps that the cursor takes from one end of the recording to the other.
const STEPS: i64 = 120;

/// The stretch of time that the cursor moves on.
pub fn axis(d: &Diagnosis) -> Span {
    let (a, b) = (d.window.baseline, d.window.incident);
    let whole = Span { from: a.from.min(b.from), to: a.to.max(b.to) };
    d.pages.axis.filter(|x| x.to > x.from).unwrap_or(whole)
}

/// How far the cursor moves at once.
pub fn step(axis: Span) -> Micros {
    (axis.to.saturating_sub(axis.from) / STEPS).max(SECOND)
}

/// The mean at an instant; `None` inside a gap.
pub fn chart_at(chart: &Chart, at: Micros, slack: Micros) -> Option<f64> {
    let covers = |run: &&Vec<crate::diagnosis::ChartPoint>| {
        let ends = run.first().zip(run.last());
        ends.is_some_and(|(a, b)| {
            a.at.saturating_sub(slack) <= at && at <= b.at.saturating_add(slack)
        })
    };
    let run = chart.runs.iter().find(covers)?;
    let next = run.partition_point(|p| p.at <= at);
    run.get(next.saturating_sub(1)).map(|p| p.mean).filter(|v| v.is_finite())
}

/// The cell of a sparkline at an instant.
pub fn spark_at(spark: &Spark, at: Micros) -> Option<f64> {
    let Span { from, to } = spark.axis;
    if !(from..=to).contains(&at) || to <= from || spark.cells.is_empty() {
        return None;
    }
    let share = (at - from) as f64 / (to - from) as f64;
    let cell = (share * spark.cells.len() as f64) as usize;
    spark.cells[cell.min(spark.cells.len() - 1)].filter(|v| v.is_finite())
}

/// Waiting sessions of a server at an instant, by wait event; `None` without a snapshot.
pub fn waits_at(view: &SessionsView, at: Micros) -> Option<Vec<(&str, usize)>> {
    let column = view.columns.partition_point(|t| *t <= at).checked_sub(1)?;
    let cell = |cells: &[Option<usize>]| cells.get(column).copied().flatten();
    let seen: Vec<_> =
        view.waits.iter().filter_map(|r| Some((r.event.as_str(), cell(&r.cells)?))).collect();
    (!seen.is_empty()).then_some(seen)
}

/// The means of a chart in `width` equal columns of an axis; `None` where nothing was recorded.
pub fn columns(chart: &Chart, axis: Span, width: usize) -> Vec<Option<f64>> {
    let mut sums = vec![(0.0, 0u32); width];
    let length = (axis.to - axis.from).max(1) as f64;
    let points = chart.runs.iter().flatten().filter(|p| p.mean.is_finite());
    for p in points.filter(|p| (axis.from..=axis.to).contains(&p.at)) {
        let column = ((p.at - axis.from) as f64 / length * width as f64) as usize;
        if let Some(slot) = sums.get_mut(column.min(width.saturating_sub(1))) {
            *slot = (slot.0 + p.mean, slot.1 + 1);
        }
    }
    let mut out: Vec<Option<f64>> =
        sums.iter().map(|(sum, n)| (*n > 0).then(|| sum / f64::from(*n))).collect();
    // Columns between two points of one run are no gap.
    for run in chart.runs.iter().filter(|r| r.len() > 1) {
        for pair in run.windows(2) {
            let column = |at: Micros| (at - axis.from) as f64 / length * width as f64;
            let (a, b) = (column(pair[0].at), column(pair[1].at));
            let (first, last) = (a.max(0.0) as usize + 1, (b.max(0.0) as usize).min(width));
            for slot in out.get_mut(first..last.max(first)).into_iter().flatten() {
                *slot = slot.or(Some(pair[0].mean));
            }
        }
    }
    out
}
