//! Small pictures in text: sparklines on one shared time axis, the ruler above them, bars.

use crate::diagnosis::{Span, Spark};

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Darkness in ASCII; nothing recorded is a space, so the lowest level is a dot.
const DARKNESS: [char; 9] = ['.', ':', '-', '=', '+', '*', '#', '%', '@'];

/// Draws a series over `axis` in `width` columns; columns without a value stay blank.
///
/// The scale starts at zero, so that noise on a large number looks as flat as it is.
pub(super) fn line(spark: &Spark, axis: Span, width: usize, ascii: bool) -> String {
    let columns: Vec<Option<f64>> = (0..width).map(|i| column(spark, axis, i, width)).collect();
    let finite = || columns.iter().flatten().copied();
    let low = finite().fold(0.0, f64::min);
    let high = finite().fold(0.0, f64::max);
    let levels: &[char] = if ascii { &DARKNESS } else { &BLOCKS };
    let level = |v: f64| {
        let share = if high > low { (v - low) / (high - low) } else { 0.0 };
        levels[((share * (levels.len() - 1) as f64).round() as usize).min(levels.len() - 1)]
    };
    columns.iter().map(|v| v.map_or(' ', level)).collect()
}

/// The mean of the cells under one column; `None` where most of it was not recorded.
fn column(spark: &Spark, axis: Span, index: usize, width: usize) -> Option<f64> {
    let count = spark.cells.len() as f64;
    let start = spark.axis.from as f64;
    let length = spark.axis.to as f64 - start;
    let edge = |i: usize| match length > 0.0 && axis.to > axis.from {
        true => (at(axis, i, width) - start) / length * count,
        false => i as f64 / width as f64 * count,
    };
    let (from, to) = (edge(index), edge(index + 1));
    let first = from.max(0.0) as usize;
    let last = to.ceil().clamp(0.0, count) as usize;
    let (mut sum, mut covered) = (0.0, 0.0);
    for (i, cell) in spark.cells.get(first..last)?.iter().enumerate() {
        let i = (first + i) as f64;
        let overlap = to.min(i + 1.0) - from.max(i);
        if let Some(v) = cell.filter(|v| v.is_finite()) {
            sum += v * overlap;
            covered += overlap;
        }
    }
    (covered > 0.0 && covered * 2.0 >= to - from).then(|| sum / covered)
}

fn at(axis: Span, index: usize, width: usize) -> f64 {
    let (from, to) = (axis.from as f64, axis.to as f64);
    from + (to - from) * index as f64 / width.max(1) as f64
}

/// The axis with the incident shaded; blank when the axis has no length.
pub(super) fn ruler(axis: Span, incident: Span, width: usize, ascii: bool) -> String {
    let (plain, shaded) = if ascii { ('-', '#') } else { ('─', '▓') };
    if axis.to <= axis.from {
        return String::new();
    }
    let inside = |i| {
        at(axis, i, width) < incident.to as f64 && at(axis, i + 1, width) > incident.from as f64
    };
    (0..width).map(|i| if inside(i) { shaded } else { plain }).collect()
}

/// The axis that covers every series, to draw them all on.
pub(super) fn shared_axis<'a>(sparks: impl Iterator<Item = &'a Spark>) -> Option<Span> {
    sparks.map(|s| s.axis).reduce(|a, b| Span { from: a.from.min(b.from), to: a.to.max(b.to) })
}

/// A bar of `width` columns filled to `share`.
pub(super) fn bar(share: f64, width: usize, ascii: bool) -> String {
    let (full, empty) = if ascii { ("#", ".") } else { ("█", "░") };
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    // Rounded down: only certainty fills the bar.
    let filled = (share * width as f64) as usize;
    full.repeat(filled) + &empty.repeat(width - filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Unit;

    fn spark(cells: &[Option<f64>]) -> Spark {
        let axis = Span { from: 0, to: 100 };
        Spark { axis, cells: cells.to_vec(), unit: Unit::Count, before: None, during: None }
    }

    const AXIS: Span = Span { from: 0, to: 100 };

    #[test]
    fn the_highest_value_fills_the_cell_and_gaps_are_blank() {
        let s = spark(&[Some(0.0), None, Some(7.0), Some(f64::NAN)]);
        assert_eq!(line(&s, AXIS, 4, false), "▁ █ ");
        assert_eq!(line(&s, AXIS, 4, true), ". @ ");
        assert_eq!(line(&s, AXIS, 8, false), "▁▁  ██  ");
        assert_eq!(line(&s, AXIS, 2, false), "▁█");
        assert_eq!(line(&s, AXIS, 1, false), "█");
    }

    #[test]
    fn a_flat_series_looks_flat() {
        assert_eq!(line(&spark(&[Some(25.3), Some(25.2)]), AXIS, 2, false), "██");
        assert_eq!(line(&spark(&[Some(0.0), Some(0.0)]), AXIS, 2, false), "▁▁");
    }

    #[test]
    fn a_shorter_series_stands_at_its_place_on_the_shared_axis() {
        let mut s = spark(&[Some(1.0)]);
        s.axis = Span { from: 50, to: 100 };
        assert_eq!(line(&s, AXIS, 4, false), "  ██");
    }

    #[test]
    fn an_axis_without_length_and_an_empty_series_are_drawn_without_panic() {
        let zero = Span { from: 5, to: 5 };
        let mut s = spark(&[Some(1.0), Some(2.0)]);
        assert_eq!(line(&s, zero, 2, false).chars().count(), 2);
        s.cells.clear();
        assert_eq!(line(&s, AXIS, 3, false), "   ");
        assert_eq!(line(&s, AXIS, 0, false), "");
        assert_eq!(ruler(zero, AXIS, 4, false), "");
    }

    #[test]
    fn the_ruler_shades_the_incident() {
        assert_eq!(ruler(AXIS, Span { from: 50, to: 75 }, 4, false), "──▓─");
        assert_eq!(ruler(AXIS, Span { from: 60, to: 60 }, 4, true), "--#-");
    }

    #[test]
    fn bars_show_shares() {
        assert_eq!(bar(0.5, 4, false), "██░░");
        assert_eq!(bar(f64::NAN, 4, true), "....");
        assert_eq!(bar(7.0, 2, true), "##");
    }
}
