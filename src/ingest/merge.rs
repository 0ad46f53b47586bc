//! Puts the parts that were read in parallel together, in the order of the files' names.

use super::raw::{FileId, Raw, Sym};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How many series the files before each file hold, as far as they are read: what stands behind as
/// many as a folder may have is let go as soon as it is read, not when all are.
pub struct Room {
    most: u64,
    /// Series of each file; none where it is not read yet.
    read: Mutex<Vec<u64>>,
}

impl Room {
    /// For a folder of so many files, and the series that it may have.
    pub fn new(files: usize, most: u64) -> Room {
        Room { most, read: Mutex::new(vec![0; files]) }
    }

    /// Takes away the series of file `at` that are over the limit whatever the files before it that
    /// are not read yet hold; gives how many, for each part.
    pub fn trim(&self, at: usize, parts: &mut [Raw]) -> Vec<u64> {
        let own = parts.iter().map(|p| p.series.len() as u64).sum();
        let before: u64 = {
            let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            read[at] = own;
            read[..at].iter().sum()
        };
        let mut left = self.most.saturating_sub(before);
        let mut trimmed = Vec::new();
        for part in parts {
            let all = part.series.len() as u64;
            let kept = all.min(left);
            left -= kept;
            part.series.truncate(kept as usize);
            part.series.shrink_to_fit();
            trimmed.push(all - kept);
        }
        trimmed
    }
}

impl Raw {
    /// Leaves out series beyond the limit of a file or a folder, and says so.
    pub fn cap_series(&mut self, most: u64) {
        let over = (self.series.len() as u64).saturating_sub(most);
        if over > 0 {
            let file = self.series[most as usize].file;
            self.series.truncate(most as usize);
            self.leave_out(file, most, over);
        }
    }

    /// Notes series, or rows of them, that are beyond the limit.
    pub fn leave_out(&mut self, file: FileId, most: u64, count: u64) {
        let what = format!(
            "more than {most} series: the rest is left out (leave labels out where it is exported, \
             or give `--limit series=N`)"
        );
        self.skip(file, None, what, count);
    }

    /// Appends what one file gave; file ids and symbols are renumbered.
    pub fn absorb(&mut self, mut part: Raw) {
        let file = self.files.len() as u32;
        self.files.append(&mut part.files);
        self.gaps.append(&mut part.gaps);
        self.take(file, part);
    }

    /// Appends what a further block of the only file gave; its reasons for leaving rows out are
    /// counted together with those of the blocks before, and other notes are made once.
    pub fn absorb_block(&mut self, mut part: Raw) {
        for (own, more) in self.files.iter_mut().zip(&part.files) {
            own.rows += more.rows;
        }
        let reasons: BTreeMap<usize, String> =
            part.skipped.drain().map(|((_, reason), at)| (at, reason)).collect();
        for (at, gap) in part.gaps.drain(..).enumerate() {
            match reasons.get(&at) {
                Some(reason) => self.skip_like(0, reason, gap.count, || (gap.line, gap.what)),
                None if self.gaps.iter().any(|g| g.kind == gap.kind && g.what == gap.what) => {}
                None => self.gaps.push(gap),
            }
        }
        self.take(0, part);
    }

    fn take(&mut self, file: FileId, mut part: Raw) {
        self.symbols.intern("");
        self.zone_assumed.extend(part.zone_assumed.iter().map(|_| file));
        self.undated.extend(part.undated.iter().map(|_| file));
        self.series.extend(part.series.into_iter().map(|s| super::raw::RawSeries { file, ..s }));
        let mut known: Vec<Option<Sym>> = Vec::new();
        let symbols = &mut self.symbols;
        let mut map = |sym: Sym| {
            let at = sym.0 as usize;
            if known.len() <= at {
                known.resize(at + 1, None);
            }
            *known[at].get_or_insert_with(|| symbols.intern(part.symbols.text(sym)))
        };
        self.spans.append(part.spans, |mut span| {
            span.file = file;
            for sym in [
                &mut span.service,
                &mut span.instance,
                &mut span.version,
                &mut span.host,
                &mut span.operation,
                &mut span.error_type,
                &mut span.peer,
                &mut span.db_system,
                &mut span.statement,
            ] {
                *sym = map(*sym);
            }
            span
        });
        part.sessions.iter_mut().for_each(|s| s.file = file);
        match self.sessions.is_empty() {
            // They may be gigabytes.
            true => self.sessions = part.sessions,
            false => self.sessions.append(&mut part.sessions),
        }
        self.locks.extend(part.locks.into_iter().map(|l| super::raw::RawLock { file, ..l }));
        self.logs.extend(part.logs.into_iter().map(|l| super::raw::RawLog { file, ..l }));
        let times = part.log_times.into_iter().map(|(_, server, times)| (file, server, times));
        self.log_times.extend(times);
        self.events.extend(part.events.into_iter().map(|e| super::raw::RawEvent { file, ..e }));
        self.edges.extend(part.edges);
        self.aliases.extend(part.aliases);
        self.kinds.extend(part.kinds);
        self.mapping.extend(part.mapping);
        self.site.params.extend(part.site.params);
        self.site.suppressions.extend(part.site.suppressions);
        self.queries.extend(part.queries);
        self.passed.absorb(file, part.passed);
        self.cloudwatch.absorb(part.cloudwatch, file);
        let own = part.incident;
        let windows = own.incident.or(own.baseline).is_some();
        let words = [&own.title, &own.symptom_entity, &own.symptom_signal, &own.zone];
        if windows || words.iter().any(|w| w.is_some()) {
            self.incident = own;
        }
    }
}
