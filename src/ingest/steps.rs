//! How often each file was measured. In: everything that was read. Out: [`FileTimes`] of each file,
//! and gaps for missed scrapes and for steps that differ within one file.

use super::raw::{FileId, Raw, RawSeries};
use super::zones;
use crate::model::{Gap, GapKind, Micros, SECOND};
use crate::time;
use serde::Serialize;
use std::collections::BTreeMap;

/// Series of one file that are looked at, evenly chosen.
const SERIES_MAX: usize = 400;
/// Samples of a series without which its step is not known.
const SAMPLES_MIN: usize = 5;
/// A hole is longer than this many steps.
const LATE: f64 = 1.6;
/// Another step counts if it differs by this factor and this share of the series has it.
const OTHER_FACTOR: f64 = 1.5;
const OTHER_SHARE: f64 = 0.1;
/// Share of the steps that must be the usual one: else the series tells events, not scrapes.
const REGULAR: f64 = 0.8;

/// Where the zone of a file's times comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ZoneSource {
    /// The times say it themselves, or the user named it.
    Given,
    /// No time says it: taken as UTC.
    Assumed,
    /// No time says it: concluded from other times; minutes ahead of UTC.
    Found(i64),
}

/// When and how often a file was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileTimes {
    pub file: FileId,
    /// First and last time of its samples, spans and sessions, microseconds since the epoch.
    pub first: Micros,
    pub last: Micros,
    pub zone: ZoneSource,
    /// Usual distance of samples, microseconds; `None` without series of several samples.
    pub step: Option<Micros>,
    /// Further steps, with the number of series that have them.
    pub other_steps: Vec<(Micros, usize)>,
    /// Scrapes that are missing inside its series.
    pub missed: u64,
}

/// Fills [`Raw::times`] and says what is irregular; `offsets` are the zones that were found.
pub fn look(raw: &mut Raw, offsets: &BTreeMap<FileId, i64>) {
    let mut by_file: BTreeMap<FileId, Vec<&RawSeries>> = BTreeMap::new();
    for series in raw.series.iter().filter(|s| s.samples.len() >= SAMPLES_MIN) {
        by_file.entry(series.file).or_default().push(series);
    }
    let mut gaps = Vec::new();
    let mut times = Vec::new();
    for (file, (first, last)) in zones::ranges(raw) {
        let zone = match offsets.get(&file) {
            Some(minutes) => ZoneSource::Found(*minutes),
            None if raw.zone_assumed.contains(&file) => ZoneSource::Assumed,
            None => ZoneSource::Given,
        };
        let series = by_file.remove(&file).unwrap_or_default();
        let every = series.len().div_ceil(SERIES_MAX).max(1);
        let some: Vec<&RawSeries> = series.into_iter().step_by(every).collect();
        let (step, other_steps) = steps(&some);
        let holes = step.map(|_| missed(&some)).unwrap_or_default();
        let path = raw.files.get(file as usize).map(|f| f.path.as_str()).unwrap_or_default();
        gaps.extend(step.and_then(|step| mixed(path, step, &other_steps)));
        gaps.extend(step.and_then(|step| late(path, step, &holes)));
        let missed = holes.iter().map(|h| h.2).sum();
        times.push(FileTimes { file, first, last, zone, step, other_steps, missed });
    }
    raw.times = times;
    raw.gaps.append(&mut gaps);
}

/// The most frequent distance, if it is regular. Distances are rounded to what scrapes waver by.
fn step_of(times: &[Micros]) -> Option<Micros> {
    let mut distances: Vec<Micros> =
        times.windows(2).map(|w| w[1] - w[0]).filter(|d| *d > 0).collect();
    distances.sort_unstable();
    let middle = distances.get(distances.len() / 2).copied()?;
    let near = |d: &&Micros| (**d - middle).abs() * 4 <= middle;
    let regular = distances.iter().filter(near).count();
    if (regular as f64) < REGULAR * distances.len() as f64 {
        return None;
    }
    let grain = if middle >= 2 * SECOND { SECOND } else { SECOND / 20 };
    Some(((middle + grain / 2) / grain * grain).max(middle.min(grain)))
}

/// The step that most series have, and the others that many have.
fn steps(series: &[&RawSeries]) -> (Option<Micros>, Vec<(Micros, usize)>) {
    let mut count: BTreeMap<Micros, usize> = BTreeMap::new();
    for s in series {
        let times: Vec<Micros> = s.samples.iter().map(|p| p.0).collect();
        if let Some(step) = step_of(&times) {
            *count.entry(step).or_default() += 1;
        }
    }
    let total: usize = count.values().sum();
    let most = count.iter().max_by_key(|(step, n)| (**n, std::cmp::Reverse(**step)));
    let Some(usual) = most.map(|(step, _)| *step) else { return (None, Vec::new()) };
    let differs = |step: Micros| {
        let factor = step.max(usual) as f64 / step.min(usual) as f64;
        factor >= OTHER_FACTOR
    };
    let many = |n: usize| n as f64 >= OTHER_SHARE * total as f64;
    let others = count.into_iter().filter(|(step, n)| differs(*step) && many(*n)).collect();
    (Some(usual), others)
}

/// Begin and end of each hole, and how many scrapes it lacks. Series of one target are scraped
/// together: where one of them has a sample, no scrape is missing.
fn missed(series: &[&RawSeries]) -> Vec<(Micros, Micros, u64)> {
    let mut targets: BTreeMap<[&str; 2], Vec<Micros>> = BTreeMap::new();
    for s in series {
        let label = |name: &str| s.labels.get(name).map_or("", String::as_str);
        let times = targets.entry([label("job"), label("instance")]).or_default();
        times.extend(s.samples.iter().map(|p| p.0));
    }
    let mut holes = Vec::new();
    for mut times in targets.into_values() {
        times.sort_unstable();
        times.dedup();
        let Some(step) = step_of(&times) else { continue };
        for pair in times.windows(2) {
            let steps = (pair[1] - pair[0]) as f64 / step as f64;
            if steps > LATE {
                holes.push((pair[0], pair[1], (steps.round() as u64).saturating_sub(1).max(1)));
            }
        }
    }
    holes.sort_unstable();
    holes
}

fn mixed(path: &str, step: Micros, others: &[(Micros, usize)]) -> Option<Gap> {
    let shown = |s: Micros| time::duration(s as f64 / SECOND as f64);
    let list: Vec<String> =
        others.iter().map(|(s, n)| format!("{} ({n} series)", shown(*s))).collect();
    let what = format!(
        "series are not equally dense: mostly one sample each {}, also {}",
        shown(step),
        list.join(", ")
    );
    (!others.is_empty()).then(|| Gap::at(GapKind::Inferred, path, None, what))
}

fn late(path: &str, step: Micros, holes: &[(Micros, Micros, u64)]) -> Option<Gap> {
    let (from, to, _) = holes.iter().max_by_key(|h| (h.1 - h.0, std::cmp::Reverse(h.0)))?;
    let what = format!(
        "scrapes are missing (usually one each {}); longest hole {} to {}",
        time::duration(step as f64 / SECOND as f64),
        time::clock(*from),
        time::clock(*to)
    );
    let count = holes.iter().map(|h| h.2).sum();
    Some(Gap { count, ..Gap::at(GapKind::Doubtful, path, None, what) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::raw::InputFile;
    use proptest::prelude::*;

    fn scraped(name: &str, step: i64, left_out: &[i64]) -> RawSeries {
        let kept = (0..40).filter(|i| !left_out.contains(i));
        // Scrapes waver by some milliseconds.
        let at = |i: i64| 1_795_176_000 * SECOND + i * step * SECOND + i % 3 * 4000;
        let samples = kept.map(|i| (at(i), 1.0)).collect();
        RawSeries { name: name.to_owned(), samples, ..RawSeries::default() }
    }

    fn looked(series: Vec<RawSeries>) -> Raw {
        let files = vec![InputFile::named("p.json")];
        let mut raw = Raw { files, series, ..Raw::default() };
        look(&mut raw, &BTreeMap::new());
        raw
    }

    #[test]
    fn the_step_is_the_usual_distance() {
        let raw = looked(vec![scraped("a", 15, &[]), scraped("b", 15, &[3])]);
        assert_eq!(raw.times[0].step, Some(15 * SECOND));
        assert_eq!((raw.times[0].missed, raw.times[0].zone), (0, ZoneSource::Given));
        assert_eq!(raw.gaps, []);
    }

    #[test]
    fn missed_scrapes_are_counted_once_per_target() {
        let raw = looked(vec![scraped("a", 15, &[7, 8, 20]), scraped("b", 15, &[7, 8, 20, 30])]);
        assert_eq!(raw.times[0].missed, 3);
        assert_eq!((raw.gaps[0].kind, raw.gaps[0].count), (GapKind::Doubtful, 3));
        assert!(raw.gaps[0].what.contains("usually one each 15s"), "{:?}", raw.gaps);
        assert!(raw.gaps[0].what.contains("hole 12:01:30 to 12:02:15"), "{:?}", raw.gaps);
    }

    #[test]
    fn different_steps_in_one_file_are_said() {
        let raw = looked(vec![scraped("a", 15, &[]), scraped("b", 15, &[]), scraped("c", 60, &[])]);
        assert_eq!(raw.times[0].other_steps, [(60 * SECOND, 1)]);
        assert!(raw.gaps[0].what.contains("also 1m00s (1 series)"), "{:?}", raw.gaps);
    }

    proptest! {
        #[test]
        fn any_times_have_a_step_or_none(mut times in prop::collection::vec(0i64..1 << 50, 0..50)) {
            times.sort_unstable();
            prop_assert!(step_of(&times).is_none_or(|s| s > 0));
        }
    }
}
