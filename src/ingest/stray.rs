//! Spans of a clock that was wrong: one that begins in 1975 would stretch the recording by half a
//! century, and its baseline with it. In: all spans. Out: those of one time, and a gap for each file
//! that had others.

use super::raw::{FileId, Raw};
use crate::model::{Gap, GapKind, Micros, SECOND};
use std::collections::BTreeMap;

/// Spans without which nothing says which time is the usual one.
const SPANS_MIN: usize = 20;
/// Spans that are looked at for the quartiles, evenly chosen.
const LOOK: usize = 1 << 16;
/// Distance from the quartiles, by that between them, from which a time is far out: three times what
/// Tukey (Exploratory Data Analysis, 1977) calls so, for calls come in bursts.
const FAR: Micros = 9;
/// Distance that is never far: an export may hold single traces of the days before.
const NEAR: Micros = 86_400 * SECOND;
/// Of so many spans one may be stray; more are a recording of their own.
const ONE_IN: usize = 100;

/// Leaves out single spans whose time is far from that of all others.
pub(super) fn leave_out(raw: &mut Raw) {
    let (_, starts, ends) = raw.spans.columns();
    let Some((first, last)) = usual(starts) else { return };
    let is_far = |(start, end): (&Micros, &Micros)| *start < first || *start > last || *end > last;
    let far = starts.iter().zip(ends).enumerate().filter(|(_, times)| is_far(*times));
    let rows: Vec<u32> = far.map(|(row, _)| row as u32).collect();
    if rows.is_empty() || rows.len() > (starts.len() / ONE_IN).max(1) {
        return;
    }
    let mut by_file: BTreeMap<FileId, u64> = BTreeMap::new();
    for span in rows.iter().filter_map(|row| raw.spans.get(*row as usize)) {
        *by_file.entry(span.file).or_default() += 1;
    }
    raw.spans.leave_out(&rows);
    for (file, count) in by_file {
        let Some(path) = raw.files.get(file as usize).map(|f| f.path.as_str()) else { continue };
        let what = "span at a time far from that of all others: a wrong clock?";
        raw.gaps.push(Gap { count, ..Gap::at(GapKind::Doubtful, path, None, what) });
    }
}

/// The times between which spans are of one recording; `None` where there are too few.
fn usual(starts: &[Micros]) -> Option<(Micros, Micros)> {
    if starts.len() < SPANS_MIN {
        return None;
    }
    let step = starts.len().div_ceil(LOOK);
    let mut some: Vec<Micros> = starts.iter().copied().step_by(step).collect();
    let quartile = |some: &mut Vec<Micros>, at: usize| *some.select_nth_unstable(at).1;
    let len = some.len();
    let (low, high) = (quartile(&mut some, len / 4), quartile(&mut some, 3 * len / 4));
    let reach = (high - low).saturating_mul(FAR).max(NEAR);
    Some((low.saturating_sub(reach), high.saturating_add(reach)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Micros = NEAR;

    #[test]
    fn the_usual_time_is_that_of_the_middle_half() {
        let mut starts: Vec<Micros> = (0..100).map(|i| 1_000 * DAY + i * SECOND).collect();
        starts.push(DAY);
        let (first, last) = usual(&starts).expect("there are enough");
        assert!(first > 990 * DAY && last < 1_010 * DAY);
        assert_eq!(usual(&starts[..10]), None);
        let days: Vec<Micros> = (0..100).map(|i| i * DAY).collect();
        let (first, last) = usual(&days).expect("there are enough");
        assert!(first < -300 * DAY && last > 400 * DAY, "a long recording is whole");
    }
}
