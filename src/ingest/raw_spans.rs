//! Spans in columns. In: spans as readers make them. Out: ids and times by row, and once each what
//! many spans have in common: a few thousand shapes stand for millions of spans.

use super::raw::{FileId, RawSpan, Sym};
use crate::model::Micros;
use std::hash::BuildHasher;

/// Spans as they were read; row `i` of each column is one span.
#[derive(Debug, Default)]
pub struct RawSpans {
    /// What spans have in common: each combination once, with ids and times of zero.
    shapes: Vec<RawSpan>,
    /// Numbers of `shapes`, found by the hash of the shape.
    index: hashbrown::HashTable<u32>,
    hasher: hashbrown::DefaultHashBuilder,
    shape: Vec<u32>,
    trace: Vec<u128>,
    span: Vec<u64>,
    parent: Vec<u64>,
    start: Vec<Micros>,
    end: Vec<Micros>,
    /// What each span is about, see [`RawSpan::key`].
    key: Vec<u32>,
}

/// The spans of one shape, taken together.
#[derive(Clone, Copy, Debug)]
pub struct Alike {
    pub file: FileId,
    pub service: Sym,
    pub count: u64,
    pub first: Micros,
    pub last: Micros,
}

/// Number of a shape that is not known yet.
const UNKNOWN: u32 = u32::MAX;

impl RawSpans {
    /// Appends a span.
    #[inline]
    pub fn push(&mut self, span: RawSpan) {
        let shape = self.shape_of(span);
        self.shape.push(shape);
        self.trace.push(span.trace);
        self.span.push(span.span);
        self.parent.push(span.parent);
        self.start.push(span.start);
        self.end.push(span.end);
        self.key.push(span.key);
    }

    /// The number of what a span shares with others.
    fn shape_of(&mut self, span: RawSpan) -> u32 {
        let shape = RawSpan { trace: 0, span: 0, parent: 0, start: 0, end: 0, key: 0, ..span };
        let hash = self.hasher.hash_one(shape);
        let (shapes, hasher) = (&mut self.shapes, &self.hasher);
        if let Some(known) = self.index.find(hash, |s| shapes[*s as usize] == shape) {
            return *known;
        }
        let number = shapes.len() as u32;
        shapes.push(shape);
        self.index.insert_unique(hash, number, |s| hasher.hash_one(shapes[*s as usize]));
        number
    }

    /// Number of spans.
    pub fn len(&self) -> usize {
        self.shape.len()
    }

    /// Says whether there is no span.
    pub fn is_empty(&self) -> bool {
        self.shape.is_empty()
    }

    /// The span of a row.
    pub fn get(&self, row: usize) -> Option<RawSpan> {
        let shape = self.shapes.get(*self.shape.get(row)? as usize)?;
        let (trace, span, parent) = (self.trace[row], self.span[row], self.parent[row]);
        let (start, end, key) = (self.start[row], self.end[row], self.key[row]);
        Some(RawSpan { trace, span, parent, start, end, key, ..*shape })
    }

    /// Every span, in the order of the rows.
    pub fn iter(&self) -> impl Iterator<Item = RawSpan> + '_ {
        (0..self.len()).filter_map(|row| self.get(row))
    }

    /// Changes the span of a row, if there is one.
    pub fn update(&mut self, row: usize, change: impl FnOnce(&mut RawSpan)) {
        let Some(mut span) = self.get(row) else { return };
        change(&mut span);
        self.shape[row] = self.shape_of(span);
        (self.trace[row], self.span[row], self.parent[row]) = (span.trace, span.span, span.parent);
        (self.start[row], self.end[row], self.key[row]) = (span.start, span.end, span.key);
    }

    /// Changes every span from a row on.
    pub fn update_from(&mut self, first: usize, mut change: impl FnMut(&mut RawSpan)) {
        for row in first..self.len() {
            self.update(row, &mut change);
        }
    }

    /// Drops the spans from a row on.
    pub fn truncate(&mut self, rows: usize) {
        self.shape.truncate(rows);
        self.trace.truncate(rows);
        self.span.truncate(rows);
        self.parent.truncate(rows);
        self.start.truncate(rows);
        self.end.truncate(rows);
        self.key.truncate(rows);
    }

    /// Keeps the spans for which `keep` says so, in their order.
    pub fn retain(&mut self, mut keep: impl FnMut(RawSpan) -> bool) {
        let mut kept = 0;
        for row in 0..self.len() {
            if !self.get(row).is_some_and(&mut keep) {
                continue;
            }
            self.shape[kept] = self.shape[row];
            self.trace[kept] = self.trace[row];
            self.span[kept] = self.span[row];
            self.parent[kept] = self.parent[row];
            self.start[kept] = self.start[row];
            self.end[kept] = self.end[row];
            self.key[kept] = self.key[row];
            kept += 1;
        }
        self.truncate(kept);
    }

    /// Drops rows, which are rising.
    pub fn leave_out(&mut self, rows: &[u32]) {
        if rows.is_empty() {
            return;
        }
        let (mut row, mut next) = (0, rows.iter().copied().peekable());
        self.retain(|_| {
            let is_out = next.next_if_eq(&row).is_some();
            row += 1;
            !is_out
        });
    }

    /// Makes room for spans that are appended.
    pub fn reserve(&mut self, more: usize) {
        self.shape.reserve(more);
        self.trace.reserve(more);
        self.span.reserve(more);
        self.parent.reserve(more);
        self.start.reserve(more);
        self.end.reserve(more);
        self.key.reserve(more);
    }

    /// One of a number of parts, a power of two up to 256: spans of one trace are in one.
    #[inline]
    pub fn part_of(&self, row: usize, parts: usize) -> usize {
        // The multiplier (of Fibonacci hashing) spreads ids that count up.
        (self.ids(row).0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize % parts
    }

    /// Appends other spans; `translate` gives one of their shapes with the numbers of symbols and
    /// files that are used here. It is asked once for each shape that a span has, in the order of
    /// the spans.
    pub fn append(&mut self, other: RawSpans, mut translate: impl FnMut(RawSpan) -> RawSpan) {
        let mut own = vec![UNKNOWN; other.shapes.len()];
        self.shape.reserve(other.shape.len());
        for shape in other.shape {
            let at = shape as usize;
            if own[at] == UNKNOWN {
                own[at] = self.shape_of(translate(other.shapes[at]));
            }
            self.shape.push(own[at]);
        }
        join(&mut self.trace, other.trace);
        join(&mut self.span, other.span);
        join(&mut self.parent, other.parent);
        join(&mut self.start, other.start);
        join(&mut self.end, other.end);
        join(&mut self.key, other.key);
    }

    /// Moves the times of each file's spans by what `by` says, microseconds.
    pub fn shift(&mut self, by: impl Fn(FileId) -> Micros) {
        let by: Vec<Micros> = self.shapes.iter().map(|s| by(s.file)).collect();
        for (row, shape) in self.shape.iter().enumerate() {
            self.start[row] += by[*shape as usize];
            self.end[row] += by[*shape as usize];
        }
    }

    /// Files, services, counts and times of the spans that are alike.
    pub fn alike(&self) -> Vec<Alike> {
        let none = |s: &RawSpan| {
            let (first, last) = (Micros::MAX, Micros::MIN);
            Alike { file: s.file, service: s.service, count: 0, first, last }
        };
        let mut all: Vec<Alike> = self.shapes.iter().map(none).collect();
        for (row, shape) in self.shape.iter().enumerate() {
            let own = &mut all[*shape as usize];
            own.count += 1;
            own.first = own.first.min(self.start[row]);
            own.last = own.last.max(self.end[row].max(self.start[row]));
        }
        all.retain(|a| a.count > 0);
        all
    }

    /// What spans have in common, by the numbers in [`RawSpans::columns`].
    pub fn shapes(&self) -> &[RawSpan] {
        &self.shapes
    }

    /// Shape, start and end of each span.
    pub fn columns(&self) -> (&[u32], &[Micros], &[Micros]) {
        (&self.shape, &self.start, &self.end)
    }

    /// Trace (folded to 64 bits), id and id of the parent (0 for a root) of a row that exists.
    #[inline]
    pub fn ids(&self, row: usize) -> (u64, u64, u64) {
        let trace = self.trace[row];
        ((trace >> 64) as u64 ^ trace as u64, self.span[row], self.parent[row])
    }

    /// Gives up the ids for what is left: shape, start, end and key of each span.
    pub fn into_columns(self) -> (Vec<u32>, Vec<Micros>, Vec<Micros>, Vec<u32>) {
        (self.shape, self.start, self.end, self.key)
    }
}

impl Extend<RawSpan> for RawSpans {
    fn extend<T: IntoIterator<Item = RawSpan>>(&mut self, spans: T) {
        spans.into_iter().for_each(|s| self.push(s));
    }
}

/// Appends a column without a copy where there is nothing before it.
fn join<T>(own: &mut Vec<T>, more: Vec<T>) {
    match own.is_empty() && own.capacity() < more.len() {
        true => *own = more,
        false => own.extend(more),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(service: u32, start: Micros) -> RawSpan {
        let (trace, span) = (7, start as u64);
        RawSpan { service: Sym(service), trace, span, start, end: start + 5, ..RawSpan::default() }
    }

    #[test]
    fn spans_come_back_as_they_were_put_in() {
        let mut spans = RawSpans::default();
        let all = [span(1, 10), span(2, 20), span(1, 30)];
        spans.extend(all);
        assert_eq!(spans.shapes().len(), 2);
        assert_eq!(spans.iter().collect::<Vec<_>>(), all);
        spans.update(1, |s| s.service = Sym(1));
        assert_eq!(spans.get(1), Some(RawSpan { service: Sym(1), ..all[1] }));
        spans.truncate(2);
        assert_eq!((spans.len(), spans.get(2)), (2, None));
    }

    #[test]
    fn shapes_that_no_span_has_any_more_are_not_taken_over() {
        let mut part = RawSpans::default();
        part.extend([span(1, 10), span(9, 20)]);
        part.update(1, |s| s.service = Sym(2));
        let mut all = RawSpans::default();
        all.append(part, |s| RawSpan { service: Sym(s.service.0 + 100), file: 3, ..s });
        let services: Vec<u32> = all.shapes().iter().map(|s| s.service.0).collect();
        assert_eq!(services, [101, 102]);
        all.shift(Micros::from);
        let alike: Vec<_> = all.alike().iter().map(|a| (a.count, a.first, a.last)).collect();
        assert_eq!(alike, [(1, 13, 18), (1, 23, 28)]);
    }
}
