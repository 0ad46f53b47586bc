//! What a reader knows to be in a file and makes nothing of: fields without a metric's name, empty
//! cells, exemplars. No defect of the input, so no gap of a diagnosis: `inspect` lists it.

use super::raw::{FileId, Raw};
use std::collections::BTreeMap;

/// Different names of one kind that are kept for one file; a hostile file may have any number.
const NAMES_MAX: usize = 200;

/// Names and how often each was passed over, by file and kind.
#[derive(Debug, Default)]
pub struct Passed(BTreeMap<(FileId, &'static str), BTreeMap<String, u64>>);

impl Passed {
    /// What was passed over in a file: kind, names, and how often each.
    pub fn of(&self, file: FileId) -> impl Iterator<Item = (&'static str, &BTreeMap<String, u64>)> {
        self.0.range((file, "")..).take_while(move |(k, _)| k.0 == file).map(|(k, n)| (k.1, n))
    }

    /// Lets `change` give what stands in place of a name.
    pub fn each_name(&mut self, mut change: impl FnMut(&str) -> Option<String>) {
        for names in self.0.values_mut() {
            let old = std::mem::take(names);
            for (name, count) in old {
                let name = change(&name).unwrap_or(name);
                *names.entry(name).or_default() += count;
            }
        }
    }

    fn add(&mut self, file: FileId, kind: &'static str, name: &str, count: u64) {
        let names = self.0.entry((file, kind)).or_default();
        let kept = names.contains_key(name) || names.len() < NAMES_MAX;
        *names.entry(if kept { name } else { MORE }.to_owned()).or_default() += count;
    }

    /// Takes over what was passed over in another part's only file.
    pub(super) fn absorb(&mut self, file: FileId, part: Passed) {
        for ((_, kind), names) in part.0 {
            for (name, count) in names {
                self.add(file, kind, &name, count);
            }
        }
    }
}

/// Stands for all names beyond those that are kept.
const MORE: &str = "\u{2026}";

impl Raw {
    /// Notes that `count` values called `name` were passed over; `kind` says in the plural what
    /// they are and why.
    pub fn pass_over(&mut self, file: FileId, kind: &'static str, name: &str, count: u64) {
        if count > 0 {
            self.passed.add(file, kind, name, count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_counted_by_file_and_bounded() {
        let mut raw = Raw::default();
        for i in 0..NAMES_MAX + 5 {
            raw.pass_over(3, "fields", &i.to_string(), 1);
        }
        raw.pass_over(3, "fields", "7", 2);
        raw.pass_over(4, "cells", "x", 0);
        let mut all = Raw::default();
        all.passed.absorb(9, std::mem::take(&mut raw.passed));
        let (kind, names) = all.passed.of(9).next().expect("one kind");
        assert_eq!((kind, names.len()), ("fields", NAMES_MAX + 1));
        assert_eq!((names["7"], names[MORE]), (3, 5));
        assert_eq!((all.passed.of(9).count(), all.passed.of(4).count()), (1, 0));
    }
}
