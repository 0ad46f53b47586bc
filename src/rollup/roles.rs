//! Which spans wait for somebody else, where an export does not say. In: the columns of the spans.
//! Out: kinds and peers with client spans marked.
//!
//! Some tracers write one kind for every span. There a client span shows by its shape: nearly every
//! run of the operation has one child, in another service. Its own time is then the way to the
//! callee and back, which belongs to the edge, not to the caller.

use crate::telemetry::NONE;
use std::collections::HashMap;

/// Kind of a client span in the frame of spans.
const CLIENT: u32 = 2;
/// Share of the runs of an operation that pass one call on to another service.
const PASSES_ON: f64 = 0.9;

/// Kinds and peers with client spans marked; `None` where the kinds differ, and so say something.
///
/// `parent` holds rows. A child that was not recorded leaves its parent as it is.
pub fn inferred(
    parent: &[u32],
    service: &[u32],
    op: &[u32],
    kind: &[u32],
    peer: &[u32],
) -> Option<(Vec<u32>, Vec<u32>)> {
    let first = *kind.first()?;
    if kind.iter().any(|k| *k != first) || matches!(first, 2..=4) {
        return None;
    }
    // Per span: how many children, and whether one is in another service.
    let mut children = vec![0u32; parent.len()];
    let mut callee = vec![NONE; parent.len()];
    for (row, p) in parent.iter().enumerate() {
        let Some(count) = children.get_mut(*p as usize) else { continue };
        *count += 1;
        if service[row] != service[*p as usize] {
            callee[*p as usize] = service[row];
        }
    }
    let passes = |row: usize| children[row] == 1 && callee[row] != NONE;
    let mut runs: HashMap<(u32, u32), (u32, u32)> = HashMap::new();
    for row in 0..parent.len() {
        let slot = runs.entry((service[row], op[row])).or_default();
        // Runs whose child was lost, as at the edge of a recording, say nothing.
        slot.0 += u32::from(children[row] > 0);
        slot.1 += u32::from(passes(row));
    }
    let is_client = |row: usize| {
        let (all, passed) = runs[&(service[row], op[row])];
        passes(row) && f64::from(passed) >= PASSES_ON * f64::from(all)
    };
    let marked: Vec<bool> = (0..parent.len()).map(is_client).collect();
    let kinds = kind.iter().zip(&marked).map(|(k, m)| if *m { CLIENT } else { *k }).collect();
    let peers = (0..peer.len())
        .map(|i| if marked[i] && peer[i] == NONE { callee[i] } else { peer[i] })
        .collect();
    Some((kinds, peers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_that_only_pass_a_call_on_are_client_spans() {
        // 0: shop serves; 1: its call (operation 7); 2: stock serves; 3: stock's inner step.
        let parent = [NONE, 0, 1, 2];
        let (service, op) = ([0, 0, 1, 1], [5, 7, 6, 8]);
        let none = [NONE; 4];
        let (kinds, peers) = inferred(&parent, &service, &op, &[1; 4], &none).expect("one kind");
        assert_eq!(kinds, [1, 2, 1, 1]);
        assert_eq!(peers, [NONE, 1, NONE, NONE]);
        assert_eq!(inferred(&parent, &service, &op, &[1, 2, 1, 0], &none), None);
        assert_eq!(inferred(&[], &[], &[], &[], &[]), None);
    }

    #[test]
    fn an_operation_that_also_works_by_itself_is_none() {
        // Operation 7 of service 0 calls service 1 once, and once only its own step.
        let parent = [NONE, 0, NONE, 2];
        let (service, op) = ([0, 1, 0, 0], [7, 6, 7, 9]);
        let (kinds, _) = inferred(&parent, &service, &op, &[0; 4], &[NONE; 4]).expect("one kind");
        assert_eq!(kinds, [0; 4]);
    }
}
