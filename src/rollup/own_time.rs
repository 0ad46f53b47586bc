//! How much of each span its children cover: parallel children count once.

use rayon::prelude::*;

/// Kind of a span that consumes a message: nobody waits for it.
const CONSUMER: u32 = 4;

/// Row of the parent, start and end of a child.
type Child = (u32, i64, i64);

/// Seconds of each span, by row, in which at least one of its children ran.
///
/// `parent` holds rows; `start` and `end` are microseconds.
pub fn covered(parent: &[u32], kind: &[u32], start: &[i64], end: &[i64]) -> Vec<f64> {
    let mut children: Vec<Child> = (0..parent.len())
        .filter(|i| (parent[*i] as usize) < parent.len() && kind[*i] != CONSUMER)
        .map(|i| (parent[i], start[i], end[i]))
        .collect();
    children.par_sort_unstable();
    let mut covered = vec![0.0; parent.len()];
    for own in children.chunk_by(|a, b| a.0 == b.0) {
        let row = own[0].0 as usize;
        let times = own.iter().map(|c| (c.1, c.2));
        covered[row] = union(times, start[row], end[row]) as f64 / 1e6;
    }
    covered
}

/// Length of the union of intervals, sorted by their start, inside `from..to`.
fn union(intervals: impl Iterator<Item = (i64, i64)>, from: i64, to: i64) -> i64 {
    let (mut total, mut done) = (0, from);
    for (start, end) in intervals {
        let (start, end) = (start.max(done), end.min(to));
        if end > start {
            total += end - start;
            done = end;
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parallel_children_cover_their_parent_once() {
        // A parent of 0.5 s, four parallel children of 0.2 s, and one that outlives it.
        let start = [0, 10_000, 10_000, 10_000, 10_000, 400_000];
        let end = [500_000, 210_000, 210_000, 210_000, 210_000, 900_000];
        let parent = [u32::MAX, 0, 0, 0, 0, 0];
        let covered = covered(&parent, &[1, 2, 2, 2, 2, 2], &start, &end);
        assert_eq!(covered, [0.3, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn a_union_ignores_what_lies_inside_or_outside() {
        assert_eq!(union([(0, 10), (2, 5), (8, 12), (20, 30)].into_iter(), 1, 25), 16);
        assert_eq!(union(std::iter::empty(), 0, 10), 0);
    }
}
