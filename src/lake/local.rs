//! The rollup by our own hands. In: spans in any order. Out: the rows that the SQL gives, to the last
//! digit. Spans of a trace come together in one shard, so that shards are joined and summed apart.

use super::{Question, slot};
use crate::ingest::raw::SpanKind;
use hashbrown::{HashMap, HashSet};
use rayon::prelude::*;
use std::sync::Mutex;

/// Shards of what is held at a time; more than cores, so that none waits for the last.
const SHARDS: usize = 16;

/// Number of a text in [`Names`].
pub type Name = u32;

/// Texts by number.
#[derive(Default)]
pub struct Names {
    index: HashMap<String, Name>,
    texts: Vec<String>,
}

impl Names {
    /// The number of a text.
    pub fn of(&mut self, text: &str) -> Name {
        if let Some(known) = self.index.get(text) {
            return *known;
        }
        let number = self.texts.len() as Name;
        self.texts.push(text.to_owned());
        self.index.insert(text.to_owned(), number);
        number
    }

    /// The text of a number.
    pub fn text(&self, name: Name) -> &str {
        self.texts.get(name as usize).map_or("", String::as_str)
    }
}

/// What a rollup needs of a span; 64 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub trace: u128,
    pub span: u64,
    /// 0 for none.
    pub parent: u64,
    pub start_us: i64,
    pub duration_us: i64,
    pub service: Name,
    pub operation: Name,
    pub error_type: Name,
    pub kind: SpanKind,
    pub error: bool,
}

/// Reads `SERVER`, `server` or `SPAN_KIND_SERVER`, as the SQL of the same rollup does.
pub fn kind_of(text: &str) -> SpanKind {
    let text = text.strip_prefix("SPAN_KIND_").unwrap_or(text);
    let all = [SpanKind::Server, SpanKind::Client, SpanKind::Producer, SpanKind::Consumer];
    all.into_iter().find(|k| k.word().eq_ignore_ascii_case(text)).unwrap_or_default()
}

fn is_call(kind: SpanKind) -> bool {
    matches!(kind, SpanKind::Client | SpanKind::Producer)
}

/// Key of the table of operations: bucket, service, operation, kind, error type.
pub type OperationKey = (i64, Name, Name, SpanKind, Name);
/// Key of the table of durations: bucket, service, kind, slot.
pub type DurationKey = (i64, Name, SpanKind, i64);
/// Key of the table of edges: bucket, caller, callee, operation of the callee.
pub type EdgeKey = (i64, Name, Name, Name);

/// Sums of an operation; times in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operation {
    pub spans: i64,
    pub errors: i64,
    pub time_us: i64,
    pub self_us: i64,
    pub children: i64,
}

/// Sums of the calls of an edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    pub attempts: i64,
    /// Distinct spans that made these calls: fewer than attempts where calls were repeated.
    pub parents: i64,
    pub errors_caller: i64,
    pub errors_callee: i64,
    pub client_us: i64,
    pub server_us: i64,
}

/// The three tables.
#[derive(Default)]
pub struct Rolled {
    pub operations: HashMap<OperationKey, Operation>,
    pub durations: HashMap<DurationKey, i64>,
    pub edges: HashMap<EdgeKey, Edge>,
}

impl Rolled {
    /// Adds another part of the spans; no trace may be in both.
    pub fn absorb(&mut self, other: Rolled) {
        for (key, o) in other.operations {
            let sum = self.operations.entry(key).or_default();
            sum.spans += o.spans;
            sum.errors += o.errors;
            sum.time_us = sum.time_us.saturating_add(o.time_us);
            sum.self_us = sum.self_us.saturating_add(o.self_us);
            sum.children += o.children;
        }
        for (key, spans) in other.durations {
            *self.durations.entry(key).or_default() += spans;
        }
        for (key, e) in other.edges {
            let sum = self.edges.entry(key).or_default();
            sum.attempts += e.attempts;
            sum.parents += e.parents;
            sum.errors_caller += e.errors_caller;
            sum.errors_callee += e.errors_callee;
            sum.client_us = sum.client_us.saturating_add(e.client_us);
            sum.server_us = sum.server_us.saturating_add(e.server_us);
        }
    }
}

/// Spans that are held until all of their traces are there.
pub struct Shards {
    shards: Vec<Mutex<Vec<Span>>>,
}

impl Default for Shards {
    fn default() -> Self {
        Shards { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }
}

/// Spreads traces evenly, also where their ids are not random (Fibonacci hashing).
pub fn spread(trace: u128) -> u64 {
    let folded = (trace as u64) ^ ((trace >> 64) as u64);
    folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
}

impl Shards {
    /// Adds spans, from any thread.
    pub fn add(&self, spans: impl Iterator<Item = Span>) {
        let mut parts: Vec<Vec<Span>> = vec![Vec::new(); SHARDS];
        for span in spans {
            // Not the bits by which passes are told apart.
            parts[(spread(span.trace) >> 32) as usize % SHARDS].push(span);
        }
        for (shard, part) in self.shards.iter().zip(parts) {
            shard.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(part);
        }
    }

    /// Joins and sums what is held.
    pub fn roll_up(self, question: &Question) -> Rolled {
        let each = |shard: Mutex<Vec<Span>>| {
            let spans = shard.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
            of_traces(spans, question.bucket)
        };
        let parts: Vec<Rolled> = self.shards.into_par_iter().map(each).collect();
        parts.into_iter().fold(Rolled::default(), |mut all, part| {
            all.absorb(part);
            all
        })
    }
}

/// Rolls up spans of whole traces.
fn of_traces(mut spans: Vec<Span>, bucket: i64) -> Rolled {
    spans.sort_unstable_by_key(|s| (s.trace, s.span, s.start_us));
    let mut out = Rolled::default();
    for trace in spans.chunk_by(|a, b| a.trace == b.trace) {
        of_trace(trace, bucket, &mut out);
    }
    out
}

/// Rolls up one trace; its spans are sorted by id, and an id may be there twice.
fn of_trace(trace: &[Span], bucket: i64, out: &mut Rolled) {
    let begin = |s: &Span| s.start_us - s.start_us % bucket;
    let mut children = vec![(0i64, 0i64); trace.len()];
    let mut makers: HashSet<(EdgeKey, u64)> = HashSet::new();
    for child in trace.iter().filter(|s| s.parent != 0) {
        let first = trace.partition_point(|s| s.span < child.parent);
        let parents = trace[first..].iter().take_while(|s| s.span == child.parent);
        for (i, parent) in parents.enumerate() {
            let sum = &mut children[first + i];
            *sum = (sum.0.saturating_add(child.duration_us), sum.1 + 1);
            if parent.service == child.service {
                continue;
            }
            let key = (begin(parent), parent.service, child.service, child.operation);
            let calls = is_call(parent.kind);
            let maker = if calls { parent.parent } else { parent.span };
            let edge = out.edges.entry(key).or_default();
            edge.attempts += 1;
            edge.parents += i64::from(makers.insert((key, maker)));
            edge.errors_caller += i64::from(calls && parent.error);
            edge.errors_callee += i64::from(child.error);
            let client_us = if calls { parent.duration_us } else { 0 };
            edge.client_us = edge.client_us.saturating_add(client_us);
            edge.server_us = edge.server_us.saturating_add(child.duration_us);
        }
    }
    for (span, (children_us, many)) in trace.iter().zip(children) {
        let (t, service, kind) = (begin(span), span.service, span.kind);
        let key = (t, service, span.operation, kind, span.error_type);
        let sum = out.operations.entry(key).or_default();
        let own = span.duration_us.saturating_sub(children_us).max(0);
        sum.spans += 1;
        sum.errors += i64::from(span.error);
        sum.time_us = sum.time_us.saturating_add(span.duration_us);
        sum.self_us = sum.self_us.saturating_add(own);
        sum.children += many;
        let slot = slot(span.duration_us);
        *out.durations.entry((t, service, kind, slot)).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: Question = Question { bucket: 10, from: None, to: None };

    fn span(
        trace: u128,
        span: u64,
        parent: u64,
        service: Name,
        kind: SpanKind,
        times: (i64, i64),
    ) -> Span {
        let (start_us, duration_us) = times;
        let (operation, error_type, error) = (7, 0, false);
        Span {
            trace,
            span,
            parent,
            start_us,
            duration_us,
            service,
            operation,
            error_type,
            kind,
            error,
        }
    }

    fn rolled(spans: &[Span]) -> Rolled {
        let shards = Shards::default();
        shards.add(spans.iter().copied());
        shards.roll_up(&QUESTION)
    }

    #[test]
    fn a_call_that_was_repeated_has_more_attempts_than_parents() {
        let failed = |s: Span| Span { error: true, ..s };
        let spans = [
            span(1, 1, 0, 0, SpanKind::Server, (100, 50)),
            failed(span(1, 2, 1, 0, SpanKind::Client, (101, 20))),
            span(1, 3, 2, 1, SpanKind::Server, (103, 15)),
            span(1, 4, 1, 0, SpanKind::Client, (125, 20)),
            span(1, 5, 4, 1, SpanKind::Server, (126, 10)),
            // Another trace with the same ids.
            span(2, 2, 0, 0, SpanKind::Client, (108, 9)),
            span(2, 3, 2, 1, SpanKind::Server, (109, 5)),
        ];
        let out = rolled(&spans);
        let first = out.edges[&(100, 0, 1, 7)];
        let parts = (first.attempts, first.parents, first.errors_caller, first.errors_callee);
        assert_eq!(parts, (2, 2, 1, 0));
        assert_eq!((first.client_us, first.server_us), (29, 20));
        assert_eq!(out.edges[&(120, 0, 1, 7)].attempts, 1);
        let root = out.operations[&(100, 0, 7, SpanKind::Server, 0)];
        assert_eq!((root.spans, root.time_us, root.self_us, root.children), (1, 50, 10, 2));
        // Two calls of one request in one bucket have one parent.
        let again: Vec<Span> = spans[..5].iter().map(|s| Span { start_us: 100, ..*s }).collect();
        let edge = rolled(&again).edges[&(100, 0, 1, 7)];
        assert_eq!((edge.attempts, edge.parents), (2, 1));
    }

    #[test]
    fn children_that_ran_at_the_same_time_leave_no_own_time() {
        let out = rolled(&[
            span(1, 1, 0, 0, SpanKind::Server, (0, 10)),
            span(1, 2, 1, 0, SpanKind::Internal, (0, 9)),
            span(1, 3, 1, 0, SpanKind::Internal, (0, 9)),
        ]);
        assert_eq!(out.operations[&(0, 0, 7, SpanKind::Server, 0)].self_us, 0);
        assert!(out.edges.is_empty());
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        let all: Vec<Span> = (0..2000u64)
            .map(|i| {
                let kind = if i % 2 == 0 { SpanKind::Client } else { SpanKind::Server };
                let parent = if i % 4 == 0 { 0 } else { i };
                let times = (i64::from(i as u32 % 50), i64::from(i as u32 * 37 % 900));
                span(u128::from(i / 4), i + 1, parent, (i % 3) as Name, kind, times)
            })
            .collect();
        let whole = rolled(&all);
        let mut parts = Rolled::default();
        for p in 0..3 {
            let own: Vec<Span> = all.iter().filter(|s| spread(s.trace) % 3 == p).copied().collect();
            assert!(!own.is_empty());
            parts.absorb(rolled(&own));
        }
        assert!(whole.operations == parts.operations && whole.durations == parts.durations);
        assert!(whole.edges == parts.edges && whole.edges.len() > 10);
    }
}
