//! Compares when the files of a folder were recorded. In: everything that was read. Out: zone-less
//! times moved to the offset at which they overlap the other files, and a gap for every move and
//! for every file whose written zone looks wrong. Companion files never move.

use super::raw::{FileId, Raw, Session, SessionShape};
use crate::model::{Gap, GapKind, Micros, SECOND};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

const MINUTE: Micros = 60 * SECOND;
/// Offsets from UTC that are in use, in minutes (IANA time zone database, 2026).
const OFFSETS: [i64; 40] = [
    -720, -660, -600, -570, -540, -480, -420, -360, -300, -240, -210, -180, -150, -120, -60, 0, 60,
    120, 180, 210, 240, 270, 300, 330, 345, 360, 390, 420, 480, 525, 540, 570, 600, 630, 660, 720,
    765, 780, 825, 840,
];
/// Share of the shorter range that must lie inside the other after a move.
const INSIDE: f64 = 0.5;
/// A file that fits at least this much of the best fit as it stands is left alone.
const FITS_ALREADY: f64 = 0.5;
/// A rival this close to the best fit leaves the offset open …
const RIVAL: f64 = 0.85;
/// … unless the best leaves less than this share of what the rival leaves uncovered.
const MISFIT: f64 = 0.5;
/// Rows start at most this long before their snapshot, and by rounding this much behind it.
const BEFORE_SNAPSHOT: std::ops::Range<Micros> = -5 * SECOND..MINUTE;

pub type Range = (Micros, Micros);

/// What of a file is compared: when it was recorded and of what.
struct Recorded {
    file: FileId,
    range: Range,
    /// Fingerprints of its series, traced services and database servers.
    content: HashSet<u64>,
}

/// What the ranges of files say about an offset.
#[derive(Debug, PartialEq)]
enum Choice {
    /// The file fits as it stands, or nowhere.
    Stays,
    One(i64),
    /// Several offsets, in minutes, fit about equally.
    Open(Vec<i64>),
}

/// Moves zone-less times to where they overlap the files with a zone; returns the offsets from
/// UTC, in minutes, that were found. Doubts written zones that look wrong.
pub fn align(raw: &mut Raw) -> BTreeMap<FileId, i64> {
    let mut found = by_row_starts(raw);
    let recorded = recorded(raw);
    let assumed =
        |r: &&Recorded| raw.zone_assumed.contains(&r.file) && !found.contains_key(&r.file);
    let (bare, sure): (Vec<&Recorded>, Vec<&Recorded>) = recorded.iter().partition(assumed);
    let sure = main_group(&sure);
    let mut gaps: Vec<Gap> = sure.doubted.iter().map(|(file, by)| doubt(raw, *file, *by)).collect();
    let mut choices: BTreeMap<FileId, Choice> = BTreeMap::new();
    for own in bare {
        let others: Vec<Range> =
            sure.files.iter().filter(|o| !continues(own, o)).map(|o| o.range).collect();
        choices.insert(own.file, choose(own.range, &others, &OFFSETS));
    }
    let agreed: BTreeSet<i64> = choices.values().filter_map(Choice::only).collect();
    let agreed = (agreed.len() == 1).then(|| agreed.first().copied()).flatten();
    let mut moves: BTreeMap<FileId, i64> = BTreeMap::new();
    for (file, choice) in choices {
        let open = match choice {
            Choice::Stays => continue,
            Choice::One(offset) => {
                moves.insert(file, offset);
                continue;
            }
            Choice::Open(open) => open,
        };
        match agreed.filter(|a| open.contains(a)) {
            Some(offset) => drop(moves.insert(file, offset)),
            None => say(raw, file, GapKind::Doubtful, &undecided(&open)),
        }
    }
    for (file, offset) in &moves {
        let zone = shown(*offset);
        let what =
            format!("times have no zone: read as {zone}, where they overlap the other files");
        say(raw, *file, GapKind::Inferred, &format!("{what} (give --timezone if that is wrong)"));
    }
    shift(raw, &moves);
    found.extend(moves);
    raw.gaps.append(&mut gaps);
    found
}

impl Choice {
    fn only(&self) -> Option<i64> {
        match self {
            Choice::One(offset) => Some(*offset),
            _ => None,
        }
    }
}

/// `UTC+02:00`.
pub fn shown(minutes: i64) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("UTC{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

fn undecided(open: &[i64]) -> String {
    let zones: Vec<String> = open.iter().map(|o| shown(*o)).collect();
    format!(
        "times have no zone: taken as UTC, where they do not fit the other files; they would as \
         {} (give --timezone)",
        zones.join(" or ")
    )
}

/// Says what is taken for the zone of a file in the place of what its reader said.
fn say(raw: &mut Raw, file: FileId, kind: GapKind, what: &str) {
    let path = raw.files.get(file as usize).map(|f| f.path.clone());
    let old = raw.gaps.iter_mut().find(|g| {
        g.file == path && g.kind == GapKind::Doubtful && g.what.starts_with("times have no zone")
    });
    match old {
        Some(gap) => (gap.kind, gap.what) = (kind, what.to_owned()),
        None => raw.gap(kind, file, None, what),
    }
}

fn doubt(raw: &Raw, file: FileId, minutes: i64) -> Gap {
    let path = raw.files.get(file as usize).map(|f| f.path.as_str()).unwrap_or_default();
    let what = format!(
        "looks like a timezone mistake: the times overlap no other file's, but would if moved by \
         {}; nothing was moved",
        shown(minutes).trim_start_matches("UTC")
    );
    Gap::at(GapKind::Doubtful, path, None, what)
}

/// Rows of sessions that one task goes through.
const TOGETHER: usize = 1 << 16;

/// When each file with samples, spans or sessions was recorded, and of what, by file.
fn recorded(raw: &Raw) -> Vec<Recorded> {
    let mut all: BTreeMap<FileId, Recorded> = BTreeMap::new();
    let mut add = |file: FileId, from: Micros, to: Micros, content: u64| {
        let new = || Recorded { file, range: (from, to), content: HashSet::new() };
        let own = all.entry(file).or_insert_with(new);
        own.range = (own.range.0.min(from), own.range.1.max(to));
        own.content.insert(content);
    };
    for s in &raw.series {
        if let (Some(first), Some(last)) = (s.samples.first(), s.samples.last()) {
            add(s.file, first.0, last.0, print(("series", &s.name, &s.query, &s.labels)));
        }
    }
    for s in raw.spans.alike() {
        add(s.file, s.first, s.last, u64::from(s.service.0));
    }
    let timed = |s: &&Session| s.at != 0;
    let range = |run: &[Session]| {
        let times = run.iter().filter(timed).map(|s| s.at);
        let range = times.fold(None, |r: Option<Range>, t| {
            Some(r.map_or((t, t), |(from, to)| (from.min(t), to.max(t))))
        });
        range.map(|range| (run[0].file, range, print(("sessions", &run[0].server))))
    };
    let runs = raw.sessions.par_chunks(TOGETHER).flat_map_iter(|rows| {
        rows.chunk_by(|a, b| {
            a.file == b.file && (a.shape_id() == b.shape_id() || a.server == b.server)
        })
    });
    let ranges: Vec<_> = runs.filter_map(range).collect();
    for (file, (from, to), content) in ranges {
        add(file, from, to, content);
    }
    all.into_values().collect()
}

/// First and last time of each file with samples, spans or sessions.
pub fn ranges(raw: &Raw) -> Vec<(FileId, Range)> {
    recorded(raw).into_iter().map(|r| (r.file, r.range)).collect()
}

fn print(content: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}

/// The second file is of another time of the same things: chunks of one export, or a baseline.
fn continues(own: &Recorded, other: &Recorded) -> bool {
    let shared = own.content.iter().filter(|c| other.content.contains(c)).count();
    shared * 2 > own.content.len()
}

fn overlap(a: Range, b: Range) -> Micros {
    (a.1.min(b.1) - a.0.max(b.0)).max(0)
}

/// How well a range fits others: 1 where all are equal, 0 where none touches it. The second value
/// is the share of the shorter range that lies inside the longer.
fn fit(own: Range, others: &[Range]) -> (f64, f64) {
    // An instant is as long as a second.
    let filled = |r: Range| (r.0, r.1.max(r.0 + SECOND));
    let (own, count) = (filled(own), others.len().max(1) as f64);
    let (mut equal, mut inside) = (0.0, 0.0);
    for other in others.iter().copied().map(filled) {
        let both = overlap(own, other) as f64;
        let (a, b) = ((own.1 - own.0) as f64, (other.1 - other.0) as f64);
        equal += both / (a + b - both) / count;
        inside += both / a.min(b) / count;
    }
    ((equal + inside) / 2.0, inside)
}

/// The one offset of `offsets` (minutes) in which zone-less times fit the others' ranges.
fn choose(own: Range, others: &[Range], offsets: &[i64]) -> Choice {
    let moved = |o: i64| (own.0 - o * MINUTE, own.1 - o * MINUTE);
    let mut fits: Vec<(f64, f64, i64)> = Vec::with_capacity(offsets.len());
    for offset in offsets {
        let (score, inside) = fit(moved(*offset), others);
        fits.push((score, inside, *offset));
    }
    fits.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.2.abs().cmp(&b.2.abs())).then(a.2.cmp(&b.2)));
    let Some((best, inside, _)) = fits.first().copied() else { return Choice::Stays };
    if inside < INSIDE || fit(own, others).0 > FITS_ALREADY * best {
        return Choice::Stays;
    }
    let rival = |f: &&(f64, f64, i64)| f.0 > RIVAL * best && 1.0 - best >= MISFIT * (1.0 - f.0);
    let near: Vec<i64> = fits.iter().filter(rival).map(|f| f.2).collect();
    match fits.first() {
        Some(first) if near.iter().all(|o| *o == first.2) => Choice::One(first.2),
        _ => Choice::Open(near),
    }
}

/// The files with a zone that were recorded together, and those that look moved against them.
struct Group<'a> {
    files: Vec<&'a Recorded>,
    /// File and minutes by which it would have to be moved.
    doubted: Vec<(FileId, i64)>,
}

/// Finds the largest group of files whose ranges touch; equal ones: that of the first file.
fn main_group<'a>(sure: &[&'a Recorded]) -> Group<'a> {
    let mut order: Vec<&'a Recorded> = sure.to_vec();
    order.sort_by_key(|r| (r.range, r.file));
    let mut groups: Vec<(Micros, Vec<&Recorded>)> = Vec::new();
    for r in order {
        match groups.last_mut().filter(|(end, _)| r.range.0 <= *end) {
            Some((end, group)) => {
                *end = (*end).max(r.range.1);
                group.push(r);
            }
            None => groups.push((r.range.1, vec![r])),
        }
    }
    let first = |g: &[&Recorded]| g.iter().map(|r| r.file).min();
    groups.sort_by_key(|(_, g)| (std::cmp::Reverse(g.len()), first(g)));
    let mut groups = groups.into_iter().map(|(_, g)| g);
    let files = groups.next().unwrap_or_default();
    let ranges: Vec<Range> = files.iter().map(|r| r.range).collect();
    let halves: Vec<i64> = (-28..=28).map(|h| h * 30).collect();
    let mut doubted = Vec::new();
    for own in groups.flatten() {
        // An instant says too little, and another time of the same things is no mistake.
        if own.range.1 - own.range.0 < MINUTE || files.iter().any(|f| continues(own, f)) {
            continue;
        }
        if let Choice::One(offset) = choose(own.range, &ranges, &halves) {
            doubted.push((own.file, -offset));
        }
    }
    doubted.sort_unstable();
    Group { files, doubted }
}

/// Snapshots whose title has no zone while the times in their rows have one: a row that has just
/// started tells the offset.
fn by_row_starts(raw: &mut Raw) -> BTreeMap<FileId, i64> {
    let mut ages: BTreeMap<FileId, BTreeMap<u32, Micros>> = BTreeMap::new();
    let bare = raw.sessions.iter().filter(|s| s.at != 0 && raw.zone_assumed.contains(&s.file));
    for s in bare {
        let starts = [s.backend_start, s.xact_start(), s.query_start(), s.state_change()];
        let Some(last) = starts.into_iter().flatten().max() else { continue };
        let age = ages.entry(s.file).or_default().entry(s.snapshot).or_insert(Micros::MAX);
        *age = (*age).min(s.at - last);
    }
    let mut found = BTreeMap::new();
    for (file, ages) in ages {
        let fits = |o: i64| {
            let near = ages.values().filter(|a| BEFORE_SNAPSHOT.contains(&(**a - o * MINUTE)));
            near.count() * 5 >= ages.len() * 4
        };
        let offset = OFFSETS.into_iter().find(|o| ages.len() > 1 && fits(*o));
        if let Some(offset) = offset.filter(|o| *o != 0) {
            found.insert(file, offset);
        }
    }
    for s in raw.sessions.iter_mut().filter(|_| !found.is_empty()) {
        s.at -= found.get(&s.file).copied().unwrap_or(0) * MINUTE;
    }
    for (file, offset) in &found {
        let zone = shown(*offset);
        let what = format!(
            "times have no zone: those of the snapshots are read as {zone}, where they fit the \
             start times in their rows (give --timezone if that is wrong)"
        );
        say(raw, *file, GapKind::Inferred, &what);
    }
    found
}

/// Moves all that was read from files by their offsets, in minutes.
fn shift(raw: &mut Raw, offsets: &BTreeMap<FileId, i64>) {
    if offsets.is_empty() {
        return;
    }
    let by = |file: FileId| -offsets.get(&file).copied().unwrap_or(0) * MINUTE;
    for series in &mut raw.series {
        let by = by(series.file);
        series.samples.shift(by);
    }
    raw.spans.shift(by);
    move_sessions(&mut raw.sessions, by);
    for lock in &mut raw.locks {
        let by = by(lock.file);
        lock.at = lock.at.map(|t| t + by);
    }
    for log in &mut raw.logs {
        log.at += by(log.file);
    }
    for (file, _, (first, last)) in &mut raw.log_times {
        *first += by(*file);
        *last += by(*file);
    }
    for event in &mut raw.events {
        event.at += by(event.file);
    }
    raw.events.sort();
}

fn move_sessions(sessions: &mut [Session], by: impl Fn(FileId) -> Micros) {
    // Rows go on sharing their shapes: each is moved once per offset.
    let mut moved: HashMap<(usize, Micros), Arc<SessionShape>> = HashMap::new();
    for s in sessions {
        let by = by(s.file);
        s.shift(by);
        let shape = moved.entry((s.shape_id(), by)).or_insert_with(|| s.moved(by).kept()).clone();
        s.reshape(shape);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::raw::{InputFile, RawEvent, RawSeries, RawSession, RawSpan};
    use proptest::prelude::*;

    const NOON: Micros = 1_795_176_000 * SECOND;

    fn series(file: FileId, name: &str, from: Micros, minutes: i64) -> RawSeries {
        let samples = (0..=minutes * 4).map(|i| (from + i * 15 * SECOND, i as f64)).collect();
        RawSeries { file, name: name.to_owned(), samples, ..RawSeries::default() }
    }

    /// One file per range; the names in `bare` have no zone.
    fn folder(files: &[(&str, Micros, i64)], bare: &[&str]) -> Raw {
        let mut raw = Raw::default();
        for (i, (name, from, minutes)) in files.iter().enumerate() {
            raw.files.push(InputFile::named(name));
            raw.series.push(series(i as FileId, name, *from, *minutes));
            if bare.contains(name) {
                raw.zone_assumed(i as FileId);
            }
        }
        raw
    }

    fn said(raw: &Raw) -> Vec<(GapKind, &str)> {
        raw.gaps.iter().map(|g| (g.kind, g.what.as_str())).collect()
    }

    const HOUR: i64 = 60 * MINUTE;

    #[test]
    fn zone_less_times_move_to_where_they_overlap() {
        for minutes in [120, -300, 330, -570] {
            let from = NOON + minutes * MINUTE;
            let mut raw = folder(&[("p", NOON, 20), ("bare", from, 19)], &["bare"]);
            raw.spans.push(RawSpan { file: 1, start: from, end: from + 5, ..RawSpan::default() });
            let title = "deploy".to_owned();
            let (kind, service) = (title.clone(), String::new());
            let (target, version) = (service.clone(), service.clone());
            let at = from + MINUTE;
            let event = RawEvent { at, kind, service, target, title, version, file: 1, line: 1 };
            raw.events.push(event);
            assert_eq!(align(&mut raw), BTreeMap::from([(1, minutes)]));
            assert_eq!(raw.series[1].samples.at(0).0, NOON);
            let moved = raw.spans.get(0).map(|s| (s.start, s.end));
            assert_eq!(moved, Some((NOON, NOON + 5)));
            assert_eq!(raw.events[0].at, NOON + MINUTE);
            assert_eq!(raw.gaps.len(), 1, "{:?}", raw.gaps);
            assert_eq!(raw.gaps[0].kind, GapKind::Inferred);
            let zone = format!("read as {}, where they overlap", shown(minutes));
            assert!(raw.gaps[0].what.contains(&zone), "{:?}", raw.gaps);
        }
    }

    #[test]
    fn nothing_moves_without_need_or_without_another_file() {
        let fits = [("p", NOON, 60), ("bare", NOON + 20 * MINUTE, 30)];
        let alone = [("a", NOON, 60), ("bare", NOON + 2 * HOUR, 60)];
        let far = [("p", NOON, 60), ("bare", NOON + 40 * HOUR, 60)];
        for (files, bare) in [(fits, vec!["bare"]), (alone, vec!["a", "bare"]), (far, vec!["bare"])]
        {
            let mut raw = folder(&files, &bare);
            assert!(align(&mut raw).is_empty());
            assert_eq!(raw.series[1].samples.at(0).0, files[1].1);
            assert!(raw.gaps.iter().all(|g| g.what.contains("taken as UTC (give")));
        }
    }

    #[test]
    fn another_time_of_the_same_series_is_a_baseline() {
        let mut raw = folder(&[("p", NOON, 60), ("q", NOON - 3 * HOUR, 60)], &["q"]);
        raw.series[1].name = "p".to_owned();
        assert!(align(&mut raw).is_empty());
        let mut raw = folder(&[("p", NOON, 60), ("q", NOON + HOUR + MINUTE, 60)], &[]);
        raw.series[1].name = "p".to_owned();
        assert!(align(&mut raw).is_empty());
        assert_eq!(said(&raw), []);
    }

    #[test]
    fn several_offsets_that_fit_are_named_and_none_is_taken() {
        let india = NOON + 330 * MINUTE + 20 * MINUTE;
        let files = [("p", NOON, 60), ("bare", india, 5), ("more", NOON + 330 * MINUTE, 60)];
        let mut raw = folder(&files[..2], &["bare"]);
        assert!(align(&mut raw).is_empty());
        assert_eq!(raw.gaps[0].kind, GapKind::Doubtful);
        for zone in ["UTC+05:00", "UTC+05:30", "UTC+05:45"] {
            assert!(raw.gaps[0].what.contains(zone), "{:?}", raw.gaps);
        }
        // A file of the same folder in which it is clear decides.
        let mut raw = folder(&files, &["bare", "more"]);
        assert_eq!(align(&mut raw), BTreeMap::from([(1, 330), (2, 330)]));
    }

    #[test]
    fn a_written_zone_is_doubted_but_not_changed() {
        let files = [("p", NOON, 20), ("q", NOON, 20), ("traces", NOON - 5 * HOUR, 20)];
        let mut raw = folder(&files, &[]);
        assert!(align(&mut raw).is_empty());
        assert_eq!(raw.series[2].samples.at(0).0, NOON - 5 * HOUR);
        assert_eq!(raw.gaps.len(), 1, "{:?}", raw.gaps);
        assert_eq!(raw.gaps[0].file.as_deref(), Some("traces"));
        assert!(raw.gaps[0].what.contains("if moved by +05:00; nothing was moved"));
    }

    #[test]
    fn the_zone_of_snapshot_titles_is_told_by_their_rows() {
        let mut raw = folder(&[("p", NOON, 20), ("pg", NOON, 0)], &["pg"]);
        raw.series.pop();
        for snapshot in 0..10 {
            let at = NOON + i64::from(snapshot) * MINUTE;
            let query_start = Some(at - SECOND);
            let at = at + 2 * HOUR;
            let row = RawSession { file: 1, snapshot, at, query_start, ..RawSession::default() };
            raw.sessions.push(row.into());
        }
        assert_eq!(align(&mut raw), BTreeMap::from([(1, 120)]));
        assert_eq!(raw.sessions[0].at, NOON);
        assert_eq!(raw.sessions[0].query_start(), Some(NOON - SECOND));
        assert!(raw.gaps[0].what.contains("read as UTC+02:00"), "{:?}", raw.gaps);
    }

    proptest! {
        #[test]
        fn every_offset_in_use_is_found_again(
            index in 0..OFFSETS.len(),
            minutes in 5i64..55,
            late in 0i64..60,
        ) {
            let (offset, short) = (OFFSETS[index], minutes * 60 * 98 / 100);
            let own = (NOON + late * SECOND.min(short * SECOND / 100), NOON + short * SECOND);
            let own = (own.0 + offset * MINUTE, own.1 + offset * MINUTE);
            let found = choose(own, &[(NOON, NOON + minutes * MINUTE)], &OFFSETS);
            let right = match offset {
                0 => Choice::Stays,
                o => Choice::One(o),
            };
            prop_assert_eq!(found, right);
        }

        #[test]
        fn any_ranges_are_decided_without_a_panic(
            own in (0i64..1 << 50, 0i64..1 << 40),
            other in (0i64..1 << 50, 0i64..1 << 40),
        ) {
            let (own, other) = ((own.0, own.0 + own.1), (other.0, other.0 + other.1));
            let (score, inside) = fit(own, &[other, other]);
            prop_assert!((0.0..=1.000_001).contains(&score) && (0.0..=1.000_001).contains(&inside));
            choose(own, &[other], &OFFSETS);
            prop_assert_eq!(choose(own, &[], &OFFSETS), Choice::Stays);
        }
    }
}
