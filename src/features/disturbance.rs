//! Where one series is clearly worse than usual. In: a series. Out: stretches with their distance.
//!
//! The series is cut into segments of one level (rank CUSUM). The usual level is the one held long
//! enough, at the beginning or at its best; what is clearly worse, lasts, and lies beyond what
//! equally long stretches of the quiet time wander by themselves, is a disturbance. Fewer than two
//! segments, so also constant, short and empty series, have none.

use super::stretches::stretches;
use super::window::{RESOURCE_ROLES, is_felt};
use super::{change, robust, shift};
use crate::model::{Micros, Subject, Unit};
use crate::rollup::SignalSeries;
use crate::signals::{Direction, SignalTable};

/// Robust standard deviations that a disturbed segment lies off the normal one.
const DISTURBED_Z: f64 = 3.5;
/// A disturbance of fewer points, or a smaller share of the recording, is a blip.
const BLIP_POINTS: usize = 4;
const BLIP_SHARE: f64 = 0.02;
/// A first segment at least this share of the recording is the normal one.
const NORMAL_SHARE: f64 = 0.15;
/// A sample belongs to a disturbance when it has gone this share of the way to its level.
const DEPARTED_SHARE: f64 = 0.25;
/// Such growth counts from this factor, if it stands out by this many standard deviations.
const RESOURCE_RATIO: f64 = 1.3;
const RESOURCE_Z: f64 = 8.0;
/// Share of the recording in which such a move is over.
const ABRUPT_SHARE: f64 = 0.05;
/// A stretch in which one series is clearly worse than normal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Disturbance {
    pub series: usize,
    pub subject: Subject,
    pub from: Micros,
    pub to: Micros,
    pub z: f64,
    /// Its level over the usual one; infinite from zero.
    pub ratio: f64,
}

/// Levels of the segments of one series, and which way is bad.
struct Levels<'a> {
    series: &'a SignalSeries,
    unit: Unit,
    down: bool,
    values: &'a [f64],
    segments: Vec<change::Segment>,
    medians: Vec<f64>,
}

impl Levels<'_> {
    /// Says whether a move from one level to another matters. Resources move by less than a user
    /// would feel when something takes them.
    fn matters(&self, from: f64, to: f64) -> bool {
        let resource = RESOURCE_ROLES.contains(&self.series.role.as_str());
        let taken = resource && to >= RESOURCE_RATIO * from && to > 0.0;
        taken || self.is_felt(from, to)
    }

    fn is_felt(&self, from: f64, to: f64) -> bool {
        is_felt(self.series.role.as_str(), self.unit, from, to)
    }

    fn length(&self, i: usize) -> usize {
        self.segments[i].to - self.segments[i].from
    }

    fn all(&self) -> std::ops::Range<usize> {
        0..self.segments.len()
    }

    /// Values of the segments that are kept.
    fn values_of(&self, keep: impl Fn(usize) -> bool) -> Vec<f64> {
        let kept = self.all().filter(|i| keep(*i));
        kept.flat_map(|i| self.values[self.segments[i].from..self.segments[i].to].to_vec())
            .collect()
    }

    /// Which segments show the usual level: those about as good as the first ones where these are
    /// long enough, else as the best level that is held long enough. Slow waves cut a usual time
    /// into many short segments; what counts is how much time is spent at about one level.
    fn usual(&self) -> Vec<bool> {
        let alike = |i: usize, j: usize| {
            let (a, b) = (self.medians[i], self.medians[j]);
            let (from, to) = if self.down { (a.max(b), a.min(b)) } else { (a.min(b), a.max(b)) };
            !self.matters(from, to)
        };
        let held = |i: usize| self.all().filter(|j| alike(i, *j)).map(|j| self.length(j)).sum();
        let held: Vec<usize> = self.all().map(held).collect();
        let long = (NORMAL_SHARE * self.values.len() as f64).max(5.0) as usize;
        let lead: usize = self.all().take_while(|i| alike(0, *i)).map(|i| self.length(i)).sum();
        let most = held.iter().copied().max().unwrap_or(0);
        let level = |i: &usize| if self.down { -self.medians[*i] } else { self.medians[*i] };
        let best = self
            .all()
            .filter(|i| held[*i] >= long.min(most))
            .min_by(|a, b| level(a).total_cmp(&level(b)));
        let normal = if lead >= long { 0 } else { best.unwrap_or(0) };
        self.all().map(|i| alike(normal, i)).collect()
    }

    /// Says whether a move of `size` happens at once: values right after it differ from those
    /// right before by half of it. What warms up or leaks climbs slowly, and has signatures.
    fn is_abrupt(&self, at: usize, size: f64) -> bool {
        let near = BLIP_POINTS.max((ABRUPT_SHARE * self.values.len() as f64) as usize);
        let before = robust::median(&self.values[at.saturating_sub(near)..at]);
        let after = robust::median(&self.values[at..(at + near).min(self.values.len())]);
        before.zip(after).is_some_and(|(b, a)| (a - b).abs() >= 0.5 * size.abs())
    }
}

/// The stretches in which a series is clearly worse than its usual level.
pub fn disturbances(index: usize, s: &SignalSeries, table: &SignalTable) -> Vec<Disturbance> {
    let values = s.points.values();
    let segments = change::segments(values);
    if segments.len() < 2 {
        return Vec::new();
    }
    let signal = table.get(s.signal);
    let (unit, down) = (signal.unit(), signal.direction == Direction::Down);
    let median = |g: &change::Segment| robust::median(&values[g.from..g.to]).unwrap_or(0.0);
    let medians = segments.iter().map(median).collect();
    let l = Levels { series: s, unit, down, medians, segments, values };
    let usual = l.usual();
    let base = robust::baseline(&l.values_of(|i| usual[i])).unwrap_or_default();
    let off = |from: f64, to: f64, spread: f64| {
        let floor = shift::absolute_floor(unit, to.abs()).max(0.01 * from.abs());
        (if down { from - to } else { to - from }) / spread.max(floor)
    };
    let worse: Vec<bool> = l
        .all()
        .map(|i| {
            let to = l.medians[i];
            off(base.median, to, base.scale) >= DISTURBED_Z && l.matters(base.median, to)
        })
        .collect();
    let quiet = l.values_of(|i| !worse[i]);
    let numbers: Vec<usize> = l.all().collect();
    let mut out: Vec<Disturbance> = Vec::new();
    // Segments in a row that are all worse, as on a ramp, are one disturbance.
    for run in numbers.chunk_by(|a, b| worse[*a] == worse[*b]).filter(|r| worse[r[0]]) {
        let (from, to) = (l.segments[run[0]].from, l.segments[run[run.len() - 1]].to);
        let short = BLIP_POINTS.max((BLIP_SHARE * l.values.len() as f64) as usize);
        if to - from < short {
            continue;
        }
        let level = robust::median(&l.values[from..to]).unwrap_or(0.0);
        let wanders = stretches(&quiet, to - from, 0.5, !down);
        let beyond = wanders.map_or(f64::INFINITY, |w| off(w.median, level, w.scale));
        let z = off(base.median, level, base.scale).min(beyond);
        // Ranks blur the start of a segment by a few samples: it starts where values clearly left.
        let left = base.median + DEPARTED_SHARE * (level - base.median);
        let gone = |v: f64| if down { v <= left } else { v >= left };
        let start = (from..to).find(|k| gone(l.values[*k])).unwrap_or(from);
        let taken = !l.is_felt(base.median, level);
        let stands = z >= DISTURBED_Z && (!taken || z >= RESOURCE_Z);
        if !stands || (taken && !l.is_abrupt(start, level - base.median)) {
            continue;
        }
        let from = s.points.at(start).0 - s.step;
        let to = s.points.get(to).map_or(s.points.at(l.values.len() - 1).0 + 1, |p| p.0);
        let ratio = level / base.median;
        out.push(Disturbance { series: index, subject: s.subject, from, to, z, ratio });
    }
    out
}
