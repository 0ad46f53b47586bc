//! Samples of one file put together by series: the same series may stand on many lines, in any
//! order. Times are numbers whose unit the median of the file decides.

use super::Input;
use super::raw::{Raw, RawSeries};
use crate::model::Micros;
use crate::time;
use std::collections::HashMap;

/// Where a series' own text stands in the file: twice the same text is the same series.
pub type Key<'a> = (&'a [u8], &'a [u8]);

/// The series of a file as they come up.
#[derive(Default)]
pub struct Gathered<'a> {
    index: HashMap<Key<'a>, usize>,
    found: Vec<RawSeries>,
    /// Series, time, value and place of each sample whose time is a number.
    open: Vec<(usize, f64, f64, usize)>,
    not_finite: u64,
    first_not_finite: usize,
    /// Series that are kept.
    most: usize,
    /// Samples of those that are not.
    over: u64,
}

/// The number of every series beyond the limit.
const OVER: usize = usize::MAX;

impl<'a> Gathered<'a> {
    /// Starts without a series.
    pub fn of(input: &Input) -> Self {
        let most = usize::try_from(input.series).unwrap_or(OVER);
        Gathered { most, ..Gathered::default() }
    }

    /// The number of a series, which is made on first sight; `None` where it cannot be made.
    pub fn series(
        &mut self,
        key: Key<'a>,
        make: impl FnOnce() -> Option<RawSeries>,
    ) -> Option<usize> {
        if let Some(known) = self.index.get(&key) {
            return Some(*known);
        }
        let number = self.alone(make()?);
        if number == OVER {
            return Some(OVER);
        }
        self.index.insert(key, number);
        Some(number)
    }

    /// The number of a series that stands in one place only.
    pub fn alone(&mut self, series: RawSeries) -> usize {
        if self.found.len() >= self.most {
            return OVER;
        }
        self.found.push(series);
        self.found.len() - 1
    }

    fn is_value(&mut self, series: usize, value: f64, at: usize) -> bool {
        if series == OVER {
            self.over += 1;
            return false;
        }
        if !value.is_finite() {
            self.not_finite += 1;
            self.first_not_finite = if self.not_finite == 1 { at } else { self.first_not_finite };
        }
        value.is_finite()
    }

    /// Adds a sample whose time is a number since the epoch, in a unit not yet known.
    pub fn add(&mut self, series: usize, time: f64, value: f64, at: usize) {
        if self.is_value(series, value, at) {
            self.open.push((series, time, value, at));
        }
    }

    /// Adds a sample whose time is known.
    pub fn add_at(&mut self, series: usize, time: Micros, value: f64, at: usize) {
        if self.is_value(series, value, at)
            && let Some(found) = self.found.get_mut(series)
        {
            found.samples.push((time, value));
        }
    }

    /// Hands over the series that have samples; what has no believable time is counted.
    pub fn finish(mut self, input: &Input, raw: &mut Raw) {
        let mut times: Vec<f64> = self.open.iter().map(|s| s.1).collect();
        let middle = times.len() / 2;
        let unit = match times.is_empty() {
            true => time::EpochUnit::Seconds,
            false => time::epoch_unit(*times.select_nth_unstable_by(middle, f64::total_cmp).1),
        };
        for (series, t, value, at) in self.open {
            match (time::from_epoch(t, unit), self.found.get_mut(series)) {
                (Some(t), Some(found)) => found.samples.push((t, value)),
                _ => raw.skip_like(input.file, "time", 1, || {
                    let what = format!("time {t} is outside the years 1971 to 2199");
                    (Some(input.line(at)), what)
                }),
            }
        }
        if self.not_finite > 0 {
            let why = "value is NaN or infinite: left as a gap";
            raw.skip(input.file, Some(input.line(self.first_not_finite)), why, self.not_finite);
        }
        if self.over > 0 {
            raw.leave_out(input.file, input.series, self.over);
        }
        for series in self.found.into_iter().filter(|s| !s.samples.is_empty()) {
            raw.rows(input.file, series.samples.len() as u64);
            raw.series.push(RawSeries { file: input.file, ..series });
        }
    }
}
