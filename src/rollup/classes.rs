//! Spans as the rollups look at them. In: the spans of the telemetry. Out: each span's class, bucket,
//! duration and own time; and spans put together by what their classes have in common.

use super::own_time;
use crate::ingest::raw::SpanKind;
use crate::model::Micros;
use crate::telemetry::{NONE, SpanShape, Spans};
use hashbrown::HashMap;
use std::hash::Hash;

/// Spans that no rollup tells apart but by their times: of one shape, below one operation.
#[derive(Clone, Copy, Debug)]
pub struct Class {
    pub shape: SpanShape,
    /// Service and operation of the parents, [`NONE`] where they were not recorded.
    pub p_service: u32,
    pub p_op: u32,
    /// Number of spans, their earliest start and latest end.
    pub count: usize,
    pub first: Micros,
    pub last: Micros,
}

impl Class {
    /// A request enters the service here.
    pub fn entry(&self) -> bool {
        self.p_service != self.shape.service
    }

    /// The span waits for somebody else.
    pub fn waits(&self) -> bool {
        matches!(self.shape.kind, SpanKind::Client | SpanKind::Producer)
    }
}

/// The spans of an incident; row `i` of `class`, `bucket`, `dur` and `own` is one span.
pub struct Measured {
    /// In the order in which the spans have them.
    pub classes: Vec<Class>,
    /// Start of each bucket in which a span starts, ascending.
    pub times: Vec<Micros>,
    /// Index in `classes`.
    pub class: Vec<u32>,
    /// Index in `times`.
    pub bucket: Vec<u32>,
    /// Duration, seconds.
    pub dur: Vec<f64>,
    /// Duration without the time in which children ran, seconds.
    pub own: Vec<f64>,
}

impl Measured {
    /// Measures the spans; buckets are `bucket` microseconds long.
    pub fn new(spans: &Spans, bucket: Micros) -> Self {
        let (times, buckets) = buckets(&spans.start, bucket);
        let (classes, class) = classes(spans);
        let (start, end) = (&spans.start, &spans.end);
        let awaited = |row: usize| {
            let shape = spans.shapes.get(spans.shape[row] as usize);
            shape.is_some_and(|s| s.kind != SpanKind::Consumer)
        };
        let mut own = own_time::covered(&spans.parent, start, end, awaited);
        let dur: Vec<f64> = start.iter().zip(end).map(|(s, e)| (e - s) as f64 / 1e6).collect();
        own.iter_mut().zip(&dur).for_each(|(own, dur)| *own = (dur - *own).max(0.0));
        Measured { classes, times, class, bucket: buckets, dur, own }
    }

    /// The class of a row.
    #[inline]
    pub fn class(&self, row: usize) -> &Class {
        &self.classes[self.class[row] as usize]
    }

    /// Puts the spans of all classes of one key together; those of classes without a key are left
    /// out. Groups come in the order of their first spans.
    pub fn groups<K: Copy + Eq + Hash>(&self, key: impl Fn(&Class) -> Option<K>) -> Groups<K> {
        let mut numbers: HashMap<K, u32> = HashMap::new();
        let mut groups = Groups { keys: Vec::new(), ends: Vec::new(), rows: Vec::new() };
        let mut number = |class: &Class| {
            let Some(key) = key(class) else { return NONE };
            let number = *numbers.entry(key).or_insert_with(|| {
                groups.keys.push(key);
                groups.ends.push(0);
                groups.keys.len() as u32 - 1
            });
            groups.ends[number as usize] += class.count;
            number
        };
        let of_class: Vec<u32> = self.classes.iter().map(&mut number).collect();
        let mut next = 0;
        for end in &mut groups.ends {
            (*end, next) = (next, next + *end);
        }
        // Where each group goes on: behind the last row, that is where it ends.
        groups.rows = vec![0; next];
        for (row, class) in self.class.iter().enumerate() {
            if let Some(at) = groups.ends.get_mut(of_class[*class as usize] as usize) {
                groups.rows[*at] = row as u32;
                *at += 1;
            }
        }
        groups
    }
}

/// Rows of spans by group, ascending in each.
pub struct Groups<K> {
    pub keys: Vec<K>,
    ends: Vec<usize>,
    rows: Vec<u32>,
}

impl<K> Groups<K> {
    /// The rows of a group.
    pub fn rows(&self, group: usize) -> impl Iterator<Item = usize> + Clone + '_ {
        let from = group.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.rows[from..self.ends[group]].iter().map(|row| *row as usize)
    }
}

/// Sums by bucket, made for one group after the other.
pub struct ByBucket<T> {
    /// Place in `found` of each bucket, [`NONE`] where it has no sum yet.
    place: Vec<u32>,
    found: Vec<(u32, T)>,
}

impl<T: Default> ByBucket<T> {
    /// Room for a number of buckets.
    pub fn new(buckets: usize) -> Self {
        ByBucket { place: vec![NONE; buckets], found: Vec::new() }
    }

    /// The sum of a bucket.
    pub fn at(&mut self, bucket: u32) -> &mut T {
        let place = &mut self.place[bucket as usize];
        if *place == NONE {
            *place = self.found.len() as u32;
            self.found.push((bucket, T::default()));
        }
        &mut self.found[*place as usize].1
    }

    /// The buckets that have a sum, ascending; the next group starts anew.
    pub fn take(&mut self) -> Vec<(u32, T)> {
        let mut found = std::mem::take(&mut self.found);
        found.sort_by_key(|f| f.0);
        found.iter().for_each(|f| self.place[f.0 as usize] = NONE);
        found
    }
}

/// Starts of the buckets that have spans, ascending, and the bucket of each span.
fn buckets(start: &[Micros], bucket: Micros) -> (Vec<Micros>, Vec<u32>) {
    let mut numbers: HashMap<Micros, u32> = HashMap::new();
    let mut last = None;
    let number = |start: &Micros| {
        let at = start - start % bucket;
        match last {
            Some((known, number)) if known == at => number,
            _ => {
                let next = numbers.len() as u32;
                let number = *numbers.entry(at).or_insert(next);
                last = Some((at, number));
                number
            }
        }
    };
    let mut of_row: Vec<u32> = start.iter().map(number).collect();
    let mut times: Vec<(Micros, u32)> = numbers.into_iter().collect();
    times.sort_unstable();
    let mut rank = vec![0; times.len()];
    for (i, (_, number)) in times.iter().enumerate() {
        rank[*number as usize] = i as u32;
    }
    of_row.iter_mut().for_each(|number| *number = rank[*number as usize]);
    (times.into_iter().map(|t| t.0).collect(), of_row)
}

/// The classes, and the class of each span.
fn classes(spans: &Spans) -> (Vec<Class>, Vec<u32>) {
    // Parents are told apart by service and operation only.
    let mut operations: HashMap<(u32, u32), u32> = HashMap::new();
    let operation = |s: &SpanShape| {
        let next = operations.len() as u32;
        *operations.entry((s.service, s.op)).or_insert(next)
    };
    let operation: Vec<u32> = spans.shapes.iter().map(operation).collect();
    let mut classes: Vec<Class> = Vec::new();
    let mut numbers: HashMap<(u32, u32), u32> = HashMap::new();
    let mut of_row = Vec::with_capacity(spans.shape.len());
    for (row, shape) in spans.shape.iter().enumerate() {
        let above = spans.shape.get(spans.parent[row] as usize).map(|s| *s as usize);
        let key = (*shape, above.map_or(NONE, |s| operation[s]));
        let number = *numbers.entry(key).or_insert_with(|| {
            let parent = above.map(|s| &spans.shapes[s]);
            let (p_service, p_op) = parent.map_or((NONE, NONE), |p| (p.service, p.op));
            let shape = spans.shapes[*shape as usize];
            let (count, first, last) = (0, Micros::MAX, Micros::MIN);
            classes.push(Class { shape, p_service, p_op, count, first, last });
            classes.len() as u32 - 1
        });
        let class = &mut classes[number as usize];
        class.count += 1;
        class.first = class.first.min(spans.start[row]);
        class.last = class.last.max(spans.end[row]);
        of_row.push(number);
    }
    (classes, of_row)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans() -> Spans {
        let shape = |service, kind| SpanShape {
            service,
            instance: NONE,
            version: 0,
            op: service,
            etype: 0,
            kind,
            error: false,
            peer: NONE,
        };
        // A server of service 1 that calls service 2 twice, in other buckets each.
        Spans {
            shapes: vec![shape(1, SpanKind::Server), shape(2, SpanKind::Server)],
            shape: vec![0, 1, 1],
            parent: vec![NONE, 0, 0],
            start: vec![25, 12, 31],
            end: vec![45, 15, 41],
            key: vec![0; 3],
        }
    }

    #[test]
    fn spans_are_told_apart_by_shape_and_parent() {
        let m = Measured::new(&spans(), 10);
        assert_eq!((m.times.as_slice(), m.bucket.as_slice()), (&[10, 20, 30][..], &[1, 0, 2][..]));
        let told: Vec<_> = m.classes.iter().map(|c| (c.p_service, c.count, c.entry())).collect();
        assert_eq!(told, [(NONE, 1, true), (1, 2, true)]);
        assert_eq!((m.classes[1].first, m.classes[1].last), (12, 41));
        assert_eq!(m.own, [0.00001, 0.000003, 0.00001]);
    }

    #[test]
    fn groups_hold_the_rows_of_their_classes() {
        let m = Measured::new(&spans(), 10);
        let all = m.groups(|_| Some(()));
        assert_eq!(all.rows(0).collect::<Vec<_>>(), [0, 1, 2]);
        let called = m.groups(|c| (c.p_service != NONE).then_some(c.shape.op));
        assert_eq!(
            (called.keys.as_slice(), called.rows(0).collect::<Vec<_>>()),
            (&[2][..], vec![1, 2])
        );
        assert!(m.groups(|_| None::<u32>).keys.is_empty());
    }

    #[test]
    fn sums_come_in_the_order_of_the_buckets_and_start_anew() {
        let mut sums: ByBucket<u32> = ByBucket::new(3);
        for bucket in [2, 0, 2] {
            *sums.at(bucket) += 1;
        }
        assert_eq!(sums.take(), [(0, 1), (2, 2)]);
        *sums.at(1) += 1;
        assert_eq!(sums.take(), [(1, 1)]);
    }
}
