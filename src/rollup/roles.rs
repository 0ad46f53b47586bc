//! Which spans wait for somebody else, where an export does not say. In: spans. Out: the same, with
//! client spans marked.
//!
//! Some tracers write one kind for every span. There a client span shows by its shape: nearly every
//! run of the operation has one child, in another service. Its own time is then the way to the
//! callee and back, which belongs to the edge, not to the caller.

use crate::ingest::raw::SpanKind;
use crate::telemetry::{NONE, SpanShape, Spans};
use std::collections::HashMap;

/// Share of the runs of an operation that pass one call on to another service.
const PASSES_ON: f64 = 0.9;

/// Marks client spans where all spans are of one kind, which then says nothing.
///
/// A child that was not recorded leaves its parent as it is.
pub fn infer(spans: &mut Spans) {
    let shape = |row: usize| &spans.shapes[spans.shape[row] as usize];
    let Some(first) = spans.shape.first().map(|s| spans.shapes[*s as usize].kind) else { return };
    let says = matches!(first, SpanKind::Client | SpanKind::Producer | SpanKind::Consumer);
    if says || (0..spans.shape.len()).any(|row| shape(row).kind != first) {
        return;
    }
    // Per span: how many children, and which other service one of them is in.
    let rows = spans.shape.len();
    let (mut children, mut callee) = (vec![0u32; rows], vec![NONE; rows]);
    for (row, parent) in spans.parent.iter().enumerate() {
        let Some(count) = children.get_mut(*parent as usize) else { continue };
        *count += 1;
        if shape(row).service != shape(*parent as usize).service {
            callee[*parent as usize] = shape(row).service;
        }
    }
    let passes = |row: usize| children[row] == 1 && callee[row] != NONE;
    let mut runs: HashMap<(u32, u32), (u32, u32)> = HashMap::new();
    for (row, count) in children.iter().enumerate() {
        let slot = runs.entry((shape(row).service, shape(row).op)).or_default();
        // Runs whose child was lost, as at the edge of a recording, say nothing.
        slot.0 += u32::from(*count > 0);
        slot.1 += u32::from(passes(row));
    }
    let is_client = |row: usize| {
        let (all, passed) = runs[&(shape(row).service, shape(row).op)];
        passes(row) && f64::from(passed) >= PASSES_ON * f64::from(all)
    };
    let marked: Vec<bool> = (0..rows).map(is_client).collect();
    let mut known: HashMap<(u32, u32), u32> = HashMap::new();
    for row in (0..rows).filter(|row| marked[*row]) {
        let own = spans.shape[row];
        let next = *known.entry((own, callee[row])).or_insert_with(|| {
            let before = spans.shapes[own as usize];
            let peer = if before.peer == NONE { callee[row] } else { before.peer };
            spans.shapes.push(SpanShape { kind: SpanKind::Client, peer, ..before });
            spans.shapes.len() as u32 - 1
        });
        spans.shape[row] = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kinds and peers after marking spans given as `(parent, service, operation, kind)`.
    fn marked(all: &[(u32, u32, u32, SpanKind)]) -> Vec<(SpanKind, u32)> {
        let mut spans = Spans::default();
        for (row, (parent, service, op, kind)) in all.iter().copied().enumerate() {
            let (instance, peer, version, etype, error) = (NONE, NONE, 0, 0, false);
            let shape = SpanShape { service, instance, version, op, etype, kind, error, peer };
            spans.shapes.push(shape);
            spans.shape.push(row as u32);
            spans.parent.push(parent);
        }
        infer(&mut spans);
        let shape = |s: &u32| spans.shapes[*s as usize];
        spans.shape.iter().map(shape).map(|s| (s.kind, s.peer)).collect()
    }

    #[test]
    fn spans_that_only_pass_a_call_on_are_client_spans() {
        use SpanKind::{Client, Internal, Server};
        // 0: shop serves; 1: its call (operation 7); 2: stock serves; 3: stock's inner step.
        let all = |kinds: [SpanKind; 4]| {
            let [a, b, c, d] = kinds;
            marked(&[(NONE, 0, 5, a), (0, 0, 7, b), (1, 1, 6, c), (2, 1, 8, d)])
        };
        let wanted = [(Server, NONE), (Client, 1), (Server, NONE), (Server, NONE)];
        assert_eq!(all([Server; 4]), wanted);
        let told = [Server, Client, Server, Internal];
        assert_eq!(all(told), told.map(|k| (k, NONE)));
        assert_eq!(marked(&[]), []);
    }

    #[test]
    fn an_operation_that_also_works_by_itself_is_none() {
        // Operation 7 of service 0 calls service 1 once, and once only its own step.
        let kind = SpanKind::Internal;
        let all = [(NONE, 0, 7, kind), (0, 1, 6, kind), (NONE, 0, 7, kind), (2, 0, 9, kind)];
        assert_eq!(marked(&all), [(kind, NONE); 4]);
    }
}
