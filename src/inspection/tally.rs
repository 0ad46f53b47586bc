//! What each file gave, counted before names are understood: later, series of several files may
//! have become one and spans no longer know their file.

use super::Unused;
use crate::ingest::raw::{FileId, Raw, Sym};
use crate::model::Micros;
use crate::normalize::shown;
use crate::rollup::counter;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Counts and times of one file.
#[derive(Debug, Default)]
pub struct Tally {
    /// Each series by the hash of its name and labels.
    pub(super) series: Vec<u64>,
    pub(super) spans: u64,
    pub(super) sessions: u64,
    pub(super) events: u64,
    pub(super) first: Option<Micros>,
    pub(super) last: Option<Micros>,
    /// Usual distance of the points of a series, or of snapshots.
    pub(super) step: Option<Micros>,
    /// Services that recorded spans.
    pub(super) services: BTreeSet<String>,
    pub(super) unused: Vec<Unused>,
}

/// The hash by which a series is found again.
pub(super) fn hash(shown: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    shown.hash(&mut hasher);
    hasher.finish()
}

/// What is needed only while counting.
#[derive(Default)]
struct Open {
    tally: Tally,
    steps: Vec<Micros>,
    snapshots: BTreeSet<Micros>,
    services: BTreeSet<Sym>,
}

impl Open {
    fn covers(&mut self, from: Micros, to: Micros) {
        let t = &mut self.tally;
        t.first = Some(t.first.map_or(from, |f| f.min(from)));
        t.last = Some(t.last.map_or(to, |l| l.max(to)));
    }

    fn close(mut self, raw: &Raw) -> Tally {
        self.steps.sort_unstable();
        let snapshots = self.snapshots.iter().map(|at| (*at, 0.0));
        let usual = self.steps.get(self.steps.len() / 2).copied();
        self.tally.step = usual.or_else(|| counter::step_of(snapshots));
        let names = self.services.iter().map(|s| raw.symbols.text(*s).to_owned());
        self.tally.services = names.filter(|n| !n.is_empty()).collect();
        self.tally
    }
}

impl Tally {
    /// Counts every file of a folder that was read.
    pub fn of_files(raw: &Raw) -> Vec<Tally> {
        let mut all: Vec<Open> = raw.files.iter().map(|_| Open::default()).collect();
        let mut file = |id: FileId, each: &mut dyn FnMut(&mut Open)| {
            if let Some(open) = all.get_mut(id as usize) {
                each(open);
            }
        };
        for s in &raw.series {
            file(s.file, &mut |open| {
                open.tally.series.push(hash(&shown(s)));
                open.steps.extend(counter::step(&s.samples));
                if let (Some(first), Some(last)) = (s.samples.first(), s.samples.last()) {
                    open.covers(first.0, last.0);
                }
            });
        }
        for s in raw.spans.alike() {
            file(s.file, &mut |open| {
                open.tally.spans += s.count;
                open.services.insert(s.service);
                open.covers(s.first, s.last);
            });
        }
        for s in &raw.sessions {
            file(s.file, &mut |open| {
                open.tally.sessions += 1;
                open.snapshots.insert(s.at);
                open.covers(s.at, s.at);
            });
        }
        for e in &raw.events {
            file(e.file, &mut |open| {
                open.tally.events += 1;
                open.covers(e.at, e.at);
            });
        }
        let mut all: Vec<Tally> = all.into_iter().map(|open| open.close(raw)).collect();
        for (id, tally) in (0..).zip(&mut all) {
            let unused = raw.passed.of(id).map(|(what, names)| Unused {
                what: what.to_owned(),
                count: names.values().sum(),
                names: names.keys().cloned().collect(),
            });
            tally.unused = unused.collect();
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::raw::{InputFile, RawEvent, RawSeries, RawSession, RawSpan};
    use crate::model::SECOND;

    #[test]
    fn each_file_has_its_own_counts_times_and_step() {
        let mut raw = Raw::default();
        raw.files = ["a", "b", "c"].map(InputFile::named).to_vec();
        let samples = (0..5).map(|i| (i * 15 * SECOND, 1.0)).collect();
        raw.series.push(RawSeries { name: "up".into(), samples, ..RawSeries::default() });
        let service = raw.symbols.intern("cart");
        let span = RawSpan { file: 1, service, start: 7, end: 9, ..RawSpan::default() };
        raw.spans.extend([span, span]);
        for at in [0, 0, 10, 20] {
            let at = at * SECOND;
            raw.sessions.push(RawSession { file: 2, at, ..RawSession::default() }.into());
        }
        let texts = || String::new();
        raw.events.push(RawEvent {
            at: 60 * SECOND,
            kind: "deploy".into(),
            service: texts(),
            target: texts(),
            title: texts(),
            version: texts(),
            file: 2,
            line: 1,
        });
        let said: Vec<_> = Tally::of_files(&raw)
            .iter()
            .map(|t| (t.series.len(), t.spans, t.sessions, t.events, t.first, t.last, t.step))
            .collect();
        assert_eq!(said[0], (1, 0, 0, 0, Some(0), Some(60 * SECOND), Some(15 * SECOND)));
        assert_eq!(said[1], (0, 2, 0, 0, Some(7), Some(9), None));
        assert_eq!(said[2], (0, 0, 4, 1, Some(0), Some(60 * SECOND), Some(10 * SECOND)));
        assert!(Tally::of_files(&raw)[1].services.contains("cart"));
    }
}
