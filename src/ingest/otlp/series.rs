//! Data points that come one by one to whole series. In: one point at a time, in any order.
//! Out: [`RawSeries`] by time; deltas as running sums, restarts as a fall of the counter.

use super::super::raw::{FileId, Raw, RawSeries};
use crate::model::Micros;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Labels of one series.
pub type Labels = BTreeMap<String, String>;

/// Bounds that the series of one exponential histogram have at most.
const BOUNDS_MAX: i64 = 80;
/// Finest scale that is kept: four bounds between a value and its double.
const SCALE_MAX: i32 = 2;
/// Scales that the data model has.
const SCALES: std::ops::RangeInclusive<i32> = -10..=20;

/// How the values of a series follow on each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// Each value stands for itself.
    Gauge,
    /// Counted since the start time.
    Cumulative,
    /// Counted since the point before.
    Delta,
}

/// When a point was measured, and since when it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct When {
    pub at: Micros,
    pub start: Option<Micros>,
}

/// The whole of an exponential histogram at one time.
#[derive(Clone, Debug, Default)]
pub struct Exponential {
    pub scale: i32,
    /// Observations at most as large as the zero threshold, and all negative ones.
    pub low: f64,
    /// Index of the first bucket.
    pub offset: i64,
    pub counts: Vec<f64>,
}

impl Exponential {
    /// The index at a coarser `scale` of bucket `i`.
    fn index(&self, i: usize, scale: i32) -> i64 {
        (self.offset + i as i64) >> (self.scale - scale).max(0)
    }

    /// First and last index of the buckets that hold anything.
    fn range(&self, scale: i32) -> Option<(i64, i64)> {
        let first = self.counts.iter().position(|c| *c > 0.0)?;
        let last = self.counts.iter().rposition(|c| *c > 0.0)?;
        Some((self.index(first, scale), self.index(last, scale)))
    }

    /// Observations in or below each bucket of `from..=to`.
    fn cumulative(&self, scale: i32, from: i64, to: i64) -> Vec<f64> {
        let mut counts = vec![0.0; (to - from + 1).max(0) as usize];
        for (i, count) in self.counts.iter().enumerate().filter(|(_, c)| **c > 0.0) {
            let at = usize::try_from(self.index(i, scale) - from).unwrap_or(usize::MAX);
            if let Some(slot) = counts.get_mut(at) {
                *slot += count;
            }
        }
        let mut sum = self.low;
        for slot in &mut counts {
            sum += *slot;
            *slot = sum;
        }
        counts
    }
}

struct Series {
    series: RawSeries,
    growth: Growth,
    points: Vec<(When, f64)>,
}

struct Histogram {
    name: String,
    unit: Option<String>,
    labels: Labels,
    growth: Growth,
    /// Divides bounds, to get to the base unit.
    divisor: f64,
    points: Vec<(When, Exponential)>,
}

/// The series of a file while it is read.
#[derive(Default)]
pub struct Growing {
    at: HashMap<String, usize>,
    all: Vec<Series>,
    exponential_at: HashMap<String, usize>,
    exponential: Vec<Histogram>,
}

fn key(name: &str, unit: Option<&str>, labels: &Labels) -> String {
    let mut key = format!("{name}\0{}", unit.unwrap_or_default());
    for (k, v) in labels {
        key.extend(["\0", k, "\0", v]);
    }
    key
}

impl Growing {
    /// Adds one point to the series of that name and those labels.
    pub fn push(
        &mut self,
        (name, unit): (&str, Option<&str>),
        labels: &Labels,
        growth: Growth,
        point: (When, f64),
    ) {
        let all = &mut self.all;
        let at = *self.at.entry(key(name, unit, labels)).or_insert_with(|| {
            let unit = unit.map(str::to_owned);
            let (name, labels) = (name.to_owned(), labels.clone());
            let series = RawSeries { name, unit, labels, ..RawSeries::default() };
            all.push(Series { series, growth, points: Vec::new() });
            all.len() - 1
        });
        if let Some(series) = self.all.get_mut(at) {
            series.points.push(point);
        }
    }

    /// Adds an exponential histogram; its bounds are known when all of its points are.
    ///
    /// Gives `false` when the scale is none that the data model has.
    pub fn push_exponential(
        &mut self,
        (name, unit, divisor): (&str, Option<&str>, f64),
        labels: &Labels,
        growth: Growth,
        point: (When, Exponential),
    ) -> bool {
        if !SCALES.contains(&point.1.scale) {
            return false;
        }
        let all = &mut self.exponential;
        let at = *self.exponential_at.entry(key(name, unit, labels)).or_insert_with(|| {
            let unit = unit.map(str::to_owned);
            let (name, labels) = (name.to_owned(), labels.clone());
            all.push(Histogram { name, unit, labels, growth, divisor, points: Vec::new() });
            all.len() - 1
        });
        if let Some(histogram) = self.exponential.get_mut(at) {
            histogram.points.push(point);
        }
        true
    }

    /// Hands all series over, each sorted by time.
    pub fn finish(mut self, file: FileId, raw: &mut Raw) {
        for histogram in std::mem::take(&mut self.exponential) {
            self.buckets(histogram);
        }
        for mut series in self.all {
            series.points.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
            series.series.file = file;
            series.series.samples = match series.growth {
                Growth::Gauge => series.points.iter().map(|(w, v)| (w.at, *v)).collect(),
                Growth::Cumulative => since_start(&series.points).into(),
                Growth::Delta => running_sum(&mut series.points).into(),
            };
            raw.series.push(series.series);
        }
    }

    /// Makes series with the same bounds at all times of one exponential histogram.
    fn buckets(&mut self, histogram: Histogram) {
        let points = &histogram.points;
        let finest = points.iter().map(|p| p.1.scale).min().unwrap_or(0).min(SCALE_MAX);
        let range = |scale: i32| {
            let ranges = points.iter().filter_map(|p| p.1.range(scale));
            ranges.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
        };
        let fits = |scale: &i32| range(*scale).is_none_or(|(from, to)| to - from < BOUNDS_MAX);
        let scale = (*SCALES.start()..=finest).rev().find(fits).unwrap_or(*SCALES.start());
        // Without any observation above zero there is one bound: zero.
        let (from, to) = range(scale).unwrap_or((0, -1));
        let to = to.min(from + BOUNDS_MAX);
        // A bucket's upper bound is the base (2 to the 2^-scale) to the power of its index plus one.
        let doublings = |index: i64| (index + 1) as f64 * 2f64.powi(-scale);
        let upper = |index: i64| 2f64.powf(doublings(index)) / histogram.divisor;
        let bounds: Vec<String> =
            (from..=to).map(upper).filter(|b| b.is_finite()).map(|b| b.to_string()).collect();
        let bounds = if bounds.is_empty() { vec!["0".to_owned()] } else { bounds };
        let name = format!("{}_bucket", histogram.name);
        let unit = histogram.unit.as_deref();
        let mut labels = histogram.labels.clone();
        for (when, point) in points {
            let mut counts = point.cumulative(scale, from, to);
            counts.resize(bounds.len(), point.low);
            for (bound, count) in bounds.iter().zip(counts) {
                labels.insert("le".to_owned(), bound.clone());
                self.push((&name, unit), &labels, histogram.growth, (*when, count));
            }
        }
    }
}

/// Cumulative values; where a restart does not show as a fall, the zero at its start is added.
fn since_start(points: &[(When, f64)]) -> Vec<(Micros, f64)> {
    let mut out: Vec<(Micros, f64)> = Vec::with_capacity(points.len());
    let mut last: Option<(When, f64)> = None;
    for &(when, value) in points {
        if let (Some((before, v)), Some(start)) = (last, when.start)
            && before.start.is_some_and(|s| s < start)
            && (before.at < start && start < when.at)
            && value >= v
        {
            out.push((start, 0.0));
        }
        out.push((when.at, value));
        last = Some((when, value));
    }
    out
}

/// Deltas as what was counted up to each time; a point that was sent twice counts once.
fn running_sum(points: &mut Vec<(When, f64)>) -> Vec<(Micros, f64)> {
    let mut seen = BTreeSet::new();
    points.retain(|(when, value)| seen.insert((*when, value.to_bits())));
    let mut out: Vec<(Micros, f64)> = Vec::with_capacity(points.len());
    let mut sum = 0.0;
    for (when, value) in points {
        sum += *value;
        match out.last_mut().filter(|last| last.0 == when.at) {
            Some(last) => last.1 = sum,
            None => out.push((when.at, sum)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn when(at: Micros, start: Micros) -> When {
        When { at, start: Some(start) }
    }

    #[test]
    fn a_restart_is_a_fall_even_where_the_new_count_is_larger() {
        let points = [(when(10, 0), 5.0), (when(20, 0), 9.0), (when(40, 25), 30.0)];
        assert_eq!(since_start(&points), [(10, 5.0), (20, 9.0), (25, 0.0), (40, 30.0)]);
        let falls = [(when(10, 0), 5.0), (when(30, 20), 2.0)];
        assert_eq!(since_start(&falls), [(10, 5.0), (30, 2.0)]);
    }

    #[test]
    fn deltas_add_up_and_a_repeated_point_counts_once() {
        let mut points =
            vec![(when(10, 0), 5.0), (when(10, 0), 5.0), (when(20, 10), 0.0), (when(30, 20), 2.0)];
        assert_eq!(running_sum(&mut points), [(10, 5.0), (20, 5.0), (30, 7.0)]);
    }

    #[test]
    fn buckets_of_finer_scales_fall_into_coarser_ones() {
        // At scale 3 the buckets 8..16 lie between 2 and 4, which scale 0 holds in bucket 1.
        let fine = Exponential { scale: 3, low: 1.0, offset: 8, counts: vec![1.0; 9] };
        assert_eq!(fine.range(0), Some((1, 2)));
        assert_eq!(fine.cumulative(0, 0, 3), [1.0, 9.0, 10.0, 10.0]);
        let below = Exponential { scale: 0, low: 0.0, offset: -3, counts: vec![2.0] };
        assert_eq!(below.cumulative(0, -4, -2), [0.0, 2.0, 2.0]);
    }

    #[test]
    fn a_histogram_of_absurd_width_stays_small() {
        let mut growing = Growing::default();
        for offset in [i64::from(i32::MIN), i64::from(i32::MAX)] {
            let point = Exponential { scale: 20, low: 0.0, offset, counts: vec![1.0] };
            let what = ("x", None, 1.0);
            let point = (when(offset, 0), point);
            assert!(growing.push_exponential(what, &Labels::new(), Growth::Cumulative, point));
        }
        let mut raw = Raw::default();
        growing.finish(0, &mut raw);
        assert!(raw.series.len() <= BOUNDS_MAX as usize + 1, "{}", raw.series.len());
    }
}
