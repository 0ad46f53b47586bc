//! What grew between the first and the last look at the heap of one process. In: series by type of
//! all files. Out: one inferred fact a process, with the types that grew most.

use super::super::raw::{Raw, RawSeries};
use super::{RETAINED, SIZE};
use crate::model::{Gap, GapKind, Micros};
use crate::time;
use std::collections::BTreeMap;

/// Types that are named.
const NAMED: usize = 3;
/// Growth below this share of the first size is no growth.
const GROWTH_MIN: f64 = 0.02;
/// Share of the growth that is worth a word.
const SHARE_MIN: f64 = 0.01;

/// Bytes by type at each time.
type Times<'a> = BTreeMap<Micros, BTreeMap<&'a str, f64>>;

/// Growth of types in bytes between the first and the last time; the largest first.
fn growth(times: &Times) -> Vec<(String, f64)> {
    let (Some((_, first)), Some((_, last))) = (times.first_key_value(), times.last_key_value())
    else {
        return Vec::new();
    };
    let before = |kind: &str| first.get(kind).copied().unwrap_or(0.0);
    let mut all: Vec<(String, f64)> =
        last.iter().map(|(kind, v)| ((*kind).to_owned(), v - before(kind))).collect();
    let gone = first.iter().filter(|(kind, _)| !last.contains_key(*kind));
    all.extend(gone.map(|(kind, v)| ((*kind).to_owned(), -v)));
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    all
}

/// Says for each process with two looks at its heap how much it grew, and in what.
pub fn say(raw: &mut Raw) {
    let mut processes: BTreeMap<Vec<&str>, [Times; 2]> = BTreeMap::new();
    let mut files: BTreeMap<Vec<&str>, (Micros, u32)> = BTreeMap::new();
    for series in &raw.series {
        let Some(which) = [SIZE, RETAINED].iter().position(|n| series.name == *n) else { continue };
        let (Some(kind), Some((at, bytes))) = (series.labels.get("type"), series.samples.first())
        else {
            continue;
        };
        let who = process(series);
        let last = files.entry(who.clone()).or_insert((at, series.file));
        *last = (*last).max((at, series.file));
        let times = &mut processes.entry(who).or_default()[which];
        times.entry(at).or_default().insert(kind, bytes);
    }
    let mut said = Vec::new();
    for (who, [sizes, retained]) in &processes {
        let path = files.get(who).and_then(|(_, f)| raw.files.get(*f as usize)).map(|f| &f.path);
        let (Some(path), Some(what)) = (path, sentence(&who.join(" "), sizes, retained)) else {
            continue;
        };
        said.push(Gap::at(GapKind::Inferred, path, None, what));
    }
    raw.gaps.extend(said);
}

/// Service and instance of a series.
fn process(series: &RawSeries) -> Vec<&str> {
    let parts = ["service.name", "service.instance.id"];
    parts.iter().filter_map(|l| series.labels.get(*l)).map(String::as_str).collect()
}

fn sentence(who: &str, sizes: &Times, retained: &Times) -> Option<String> {
    let ((from, first), (to, last)) = (sizes.first_key_value()?, sizes.last_key_value()?);
    let (before, after): (f64, f64) = (first.values().sum(), last.values().sum());
    if from == to || after - before <= GROWTH_MIN * before {
        return None;
    }
    let risen = after - before;
    let top = |rows: Vec<(String, f64)>, show: &dyn Fn(f64) -> String| {
        // Roots keep everything alive.
        let told = |r: &(String, f64)| r.1 >= SHARE_MIN * risen && r.0 != "(synthetic)";
        let rows = rows.into_iter().filter(told).take(NAMED);
        rows.map(|(kind, v)| format!("{} in {kind}", show(v))).collect::<Vec<_>>().join(", ")
    };
    let share = |v: f64| format!("{:.0} %", 100.0 * v / risen);
    let mut what = format!(
        "heap of {who} grew by {} between {} and {}: {}",
        amount(risen),
        time::rfc3339(*from),
        time::rfc3339(*to),
        top(growth(sizes), &share)
    );
    let held = top(growth(retained), &amount);
    if !held.is_empty() {
        what.push_str(&format!("; with what they keep alive: {held}"));
    }
    Some(what)
}

/// `41 MB`, `2.1 kB`: decimal units.
fn amount(bytes: f64) -> String {
    let units = [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    match units.iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) if bytes < 10.0 * size => format!("{:.1} {unit}", bytes / size),
        Some((size, unit)) => format!("{:.0} {unit}", bytes / size),
        None => format!("{bytes:.0} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_told_by_type_from_the_first_to_the_last_time() {
        let at = |rows: &[(&'static str, f64)]| rows.iter().copied().collect::<BTreeMap<_, _>>();
        let first = at(&[("(closure)", 1e6), ("Array", 5e6), ("Map", 1e6)]);
        let last = at(&[("(closure)", 39e6), ("Array", 8e6), ("(synthetic)", 50e6)]);
        let sizes =
            Times::from([(0, first.clone()), (60_000_000, first.clone()), (90_000_000, last)]);
        let risen = growth(&sizes);
        assert_eq!(risen.last(), Some(&("Map".to_owned(), -1e6)));
        let said = sentence("cart", &sizes, &Times::new()).expect("it grew");
        let want = "heap of cart grew by 90 MB between 1970-01-01T00:00:00Z and \
                    1970-01-01T00:01:30Z: 42 % in (closure), 3 % in Array";
        assert_eq!(said, want);
        let same = Times::from([(0, first.clone()), (60_000_000, first.clone())]);
        assert_eq!(sentence("cart", &same, &Times::new()), None);
        assert_eq!(sentence("cart", &Times::from([(0, first)]), &Times::new()), None);
    }
}
