//! Rows of numbers to series. In: the blocks of one view and what its columns are called by the
//! exporters. Out: a series per row and column, with a sample per snapshot.

use super::psql::Block;
use super::row::{Row, SNAPSHOT};
use crate::ingest::Input;
use crate::ingest::raw::{Raw, RawSeries};
use crate::model::{GapKind, Micros};
use std::collections::{BTreeMap, HashMap};

/// A column that is measured: its name, the series, how many of its units make one base unit, and
/// the base unit's name.
pub struct Column(pub &'static str, pub &'static str, pub f64, pub &'static str);

/// Labels of a series.
pub type Labels = BTreeMap<String, String>;
/// A measured value: the series, its unit, the value in it.
pub type Value = (&'static str, &'static str, f64);

/// How the rows of a view become series.
pub struct Measured {
    /// The server's name from the file's.
    pub server: fn(&str) -> String,
    /// Name of the view, for messages.
    pub view: &'static str,
    /// Columns that become labels, and the labels' names.
    pub labels: &'static [(&'static str, &'static str)],
    pub columns: &'static [Column],
    /// Most columns count from the server's start: one snapshot says little.
    pub counters: bool,
    /// What else a row says: more labels, more values.
    pub more: fn(&Row, &mut Labels) -> Vec<Value>,
}

/// Nothing else.
pub fn no_more(_: &Row, _: &mut Labels) -> Vec<Value> {
    Vec::new()
}

/// Series of one file as they come up.
#[derive(Default)]
pub struct Growing {
    index: HashMap<(&'static str, Labels), usize>,
    series: Vec<RawSeries>,
}

impl Growing {
    /// Adds one sample to its series, which is made on first sight.
    pub fn add(
        &mut self,
        (name, unit): (&'static str, &'static str),
        labels: &Labels,
        sample: (Micros, f64),
    ) {
        let place = match self.index.get(&(name, labels.clone())) {
            Some(place) => *place,
            None => {
                let place = self.series.len();
                self.index.insert((name, labels.clone()), place);
                self.series.push(RawSeries {
                    name: name.to_owned(),
                    unit: (!unit.is_empty()).then(|| unit.to_owned()),
                    labels: labels.clone(),
                    ..RawSeries::default()
                });
                place
            }
        };
        if let Some(series) = self.series.get_mut(place) {
            series.samples.push(sample);
        }
    }

    /// Adds one sample whose value another row of the same snapshot may have added to: their sum.
    pub fn sum(
        &mut self,
        (name, unit): (&'static str, &'static str),
        labels: &Labels,
        (at, value): (Micros, f64),
    ) {
        let known = self.index.get(&(name, labels.clone())).and_then(|i| self.series.get_mut(*i));
        let known = known.filter(|s| s.samples.last().is_some_and(|last| last.0 == at));
        match known.and_then(|s| s.samples.last_value()) {
            Some(last) => *last += value,
            None => self.add((name, unit), labels, (at, value)),
        }
    }

    /// Hands the series over.
    pub fn finish(self, input: &Input, raw: &mut Raw) {
        raw.series.extend(self.series.into_iter().map(|s| RawSeries { file: input.file, ..s }));
    }
}

/// The blocks that have a time of their own, each with it; where none has, the last one with the
/// time at which the file was taken.
pub fn timed<'a>(
    input: &Input,
    blocks: &'a [Block],
    raw: &mut Raw,
) -> Vec<(&'a Block, Option<Micros>)> {
    let dated = |b: &&Block| b.at.is_some() || b.table.column(&SNAPSHOT).is_some();
    let known: Vec<_> = blocks.iter().filter(dated).map(|b| (b, b.at)).collect();
    let lost = blocks.len() - known.len();
    let Some(last) = blocks.last().filter(|_| known.is_empty()) else {
        if lost > 0 {
            let what = format!("{lost} snapshots without a time beside others with one: left out");
            raw.gap(GapKind::Missing, input.file, None, what);
        }
        return known;
    };
    if blocks.len() > 1 {
        let what = format!(
            "{} snapshots without a time: only the last is kept (aligned text of \\watch has one)",
            blocks.len()
        );
        raw.gap(GapKind::Missing, input.file, None, what);
    }
    let at = input.taken_at(raw);
    if at.is_none() {
        let what = "when it was taken is not known (give --at)";
        raw.gap(GapKind::Missing, input.file, None, what);
    }
    at.map(|at| (last, Some(at))).into_iter().collect()
}

/// Reads the rows of one view.
pub fn read(input: &Input, measured: &Measured, blocks: &[Block], raw: &mut Raw) {
    let mut growing = Growing::default();
    let server = (measured.server)(input.path);
    let mut first: Option<Micros> = None;
    let mut snapshots = false;
    for (block, at) in timed(input, blocks, raw) {
        for (row, line) in Row::all(&block.table) {
            let Some(at) = row.time(&SNAPSHOT, input, raw).or(at) else {
                raw.skip(input.file, Some(line), "row without a snapshot time", 1);
                continue;
            };
            snapshots |= first.is_some_and(|f| f != at);
            first = first.or(Some(at));
            let mut labels = BTreeMap::from([("server".to_owned(), server.clone())]);
            for (column, label) in measured.labels {
                let value = row.text(&[column]);
                if !value.is_empty() {
                    labels.insert((*label).to_owned(), value.to_owned());
                }
            }
            let more = (measured.more)(&row, &mut labels);
            for Column(column, name, parts, unit) in measured.columns {
                if let Some(v) = row.number(column) {
                    growing.add((name, unit), &labels, (at, v / parts));
                }
            }
            for (name, unit, value) in more {
                growing.add((name, unit), &labels, (at, value));
            }
            raw.rows(input.file, 1);
        }
    }
    if measured.counters && !snapshots && first.is_some() {
        let what = format!(
            "one snapshot of {}: totals since the statistics were reset, no rates (export it twice \
             with now(), or by \\watch)",
            measured.view
        );
        raw.gap(GapKind::Missing, input.file, None, what);
    }
    growing.finish(input, raw);
}
