//! Rate windows of queries against the step of their file. In: what each series measures and how
//! dense its file is. Out: gaps about windows that see too little.

use crate::ingest::raw::{FileTimes, InputFile};
use crate::model::{Gap, GapKind, SECOND};
use crate::telemetry::SeriesMeta;
use crate::time::duration;
use std::collections::BTreeMap;

/// Says, once per file and window, where a window is shorter than twice the step: a rate needs two
/// scrapes, and between windows that do not touch nothing is seen.
pub fn gaps(metas: &[SeriesMeta], times: &[FileTimes], files: &[InputFile]) -> Vec<Gap> {
    let steps: BTreeMap<u32, f64> =
        times.iter().filter_map(|t| Some((t.file, t.step? as f64 / SECOND as f64))).collect();
    let mut short: BTreeMap<(u32, u64), u64> = BTreeMap::new();
    for meta in metas.iter().filter(|m| m.window_s > 0.0 && m.window_s.is_finite()) {
        let step = steps.get(&meta.file).copied().unwrap_or(0.0);
        if meta.window_s < 2.0 * step {
            *short.entry((meta.file, (meta.window_s * 1e3).round() as u64)).or_default() += 1;
        }
    }
    let gap = |((file, millis), count): ((u32, u64), u64)| {
        let (window, step) = (millis as f64 / 1e3, steps.get(&file).copied()?);
        let what = match window < step {
            true => format!(
                "rates over {} each {}: what happens between the windows is not seen",
                duration(window),
                duration(step)
            ),
            false => format!(
                "rates over {} each {}: less than twice the step, a missed scrape leaves a hole",
                duration(window),
                duration(step)
            ),
        };
        let path = &files.get(file as usize)?.path;
        Some(Gap { count, ..Gap::at(GapKind::Doubtful, path, None, what) })
    };
    short.into_iter().filter_map(gap).collect()
}
