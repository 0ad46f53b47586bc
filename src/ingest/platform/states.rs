//! Snapshots of a state that stand one behind the other in a file: each is one sample per series.
//! In: values with their labels. Out: series, at the times that the file or its surroundings give.

use crate::ingest::Input;
use crate::ingest::raw::{Raw, RawSeries};
use crate::model::{Micros, SECOND};
use crate::points::Points;
use crate::time::{self, Parsed, Zone};
use std::collections::BTreeMap;

/// One snapshot: its time, if the file says it, and the line on which it begins.
struct Snapshot {
    at: Option<Micros>,
    line: u64,
}

/// A series' name and labels.
type Key = (String, BTreeMap<String, String>);

/// The series of a file of snapshots as they come up.
#[derive(Default)]
pub struct States {
    snapshots: Vec<Snapshot>,
    values: BTreeMap<Key, Vec<(usize, f64)>>,
}

impl States {
    /// Starts the next snapshot.
    pub fn begin(&mut self, at: Option<Micros>, line: u64) {
        self.snapshots.push(Snapshot { at, line });
    }

    /// Says whether no snapshot has started yet.
    pub fn is_empty(&self) -> bool {
        self.snapshots.is_empty()
    }

    /// Time of the snapshot that is being read, if the file says it.
    pub fn at(&self) -> Option<Micros> {
        self.snapshots.last().and_then(|s| s.at)
    }

    /// Gives the snapshot that is being read its time.
    pub fn set_at(&mut self, at: Micros) {
        if let Some(last) = self.snapshots.last_mut() {
            last.at = Some(at);
        }
    }

    /// Adds a value of the snapshot that is being read; said twice, the last one counts.
    pub fn put(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let Some(now) = self.snapshots.len().checked_sub(1) else { return };
        let labels = labels.iter().filter(|(_, v)| !v.is_empty());
        let labels = labels.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let samples = self.values.entry((name.to_owned(), labels)).or_default();
        match samples.last_mut() {
            Some(last) if last.0 == now => last.1 = value,
            _ => samples.push((now, value)),
        }
    }

    /// Hands over the series and gives the time of the last snapshot.
    ///
    /// A last snapshot without a time is taken at that of the file; others are counted.
    pub fn finish(mut self, input: &Input, raw: &mut Raw) -> Option<Micros> {
        if self.values.is_empty() {
            return None;
        }
        let timed = self.snapshots.iter().any(|s| s.at.is_some());
        if let Some(last) = self.snapshots.last_mut().filter(|s| s.at.is_none() && !timed) {
            last.at = input.taken_at(raw);
        }
        let mut lost: BTreeMap<usize, u64> = BTreeMap::new();
        for ((name, labels), values) in self.values {
            let mut samples = Points::with_capacity(values.len());
            for (number, value) in values {
                match self.snapshots.get(number).and_then(|s| s.at) {
                    Some(at) => samples.push((at, value)),
                    None => *lost.entry(number).or_default() += 1,
                }
            }
            raw.rows(input.file, samples.len() as u64);
            if !samples.is_empty() {
                let file = input.file;
                raw.series.push(RawSeries { file, name, labels, samples, ..RawSeries::default() });
            }
        }
        for (number, values) in lost {
            let line = self.snapshots.get(number).map(|s| s.line);
            let why = "values of a snapshot whose time is not known (write `date -Is` before each)";
            raw.skip(input.file, line, why, values);
        }
        self.snapshots.iter().rev().find_map(|s| s.at)
    }
}

/// The time that a line of its own says: RFC 3339, seconds since the epoch, or what `date` writes.
pub fn stamp(line: &str, zone: &Zone) -> Option<Parsed> {
    let line = line.trim().trim_matches(|c: char| "#=-[] ".contains(c));
    if line.len() < 10 || !line.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    let epoch = || {
        let value: f64 = line.parse().ok()?;
        let at = time::from_epoch(value, time::epoch_unit(value))?;
        Some(Parsed { at, zone_assumed: false })
    };
    epoch().or_else(|| time::parse(line, zone)).or_else(|| date(line))
}

/// `Fri Nov 20 20:10:01 UTC 2026` and `Fri Nov 20 08:10:01 PM UTC 2026`.
fn date(line: &str) -> Option<Parsed> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, month, day, clock, rest @ .., zone, year] = &words[..] else { return None };
    let month = MONTHS.iter().position(|m| m == month)? + 1;
    let day: u32 = day.parse().ok()?;
    let half: Micros = match rest {
        [] => 0,
        ["AM"] if clock.starts_with("12") => -12,
        ["PM"] if !clock.starts_with("12") => 12,
        ["AM" | "PM"] => 0,
        _ => return None,
    };
    // Names of other zones mean several things; they are not guessed.
    if !["UTC", "GMT"].contains(zone) {
        return None;
    }
    let parsed = time::parse(&format!("{year}-{month:02}-{day:02}T{clock}Z"), &Zone::default())?;
    Some(Parsed { at: parsed.at + half * 3600 * SECOND, ..parsed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_say_a_time_are_read() {
        let at = |line| stamp(line, &Zone::default()).map(|p| p.at);
        let want = Some(1_795_205_401_000_000);
        for line in [
            "2026-11-20T20:10:01Z",
            "2026-11-20T21:10:01+01:00",
            "=== 2026-11-20 20:10:01 ===",
            "1795205401",
            "Fri Nov 20 20:10:01 UTC 2026",
            "Fri Nov 20 08:10:01 PM UTC 2026",
        ] {
            assert_eq!(at(line), want, "{line}");
        }
        for line in ["", "shop,a,0,0", "orders\t40", "Fri Nov 20 20:10:01 CST 2026", "# Server"] {
            assert_eq!(at(line), None, "{line}");
        }
    }
}
