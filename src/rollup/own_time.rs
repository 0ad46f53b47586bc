//! How much of each span its children cover: parallel children count once.

/// Seconds of each span, by row, in which at least one of its children ran.
///
/// `parent` holds rows; `start` and `end` are microseconds. Children that are not `awaited`
/// (consumers of messages) do not count.
pub fn covered(
    parent: &[u32],
    start: &[i64],
    end: &[i64],
    awaited: impl Fn(usize) -> bool,
) -> Vec<f64> {
    let counts = |child: &usize| (parent[*child] as usize) < parent.len() && awaited(*child);
    // The children by parent: those of row `i` stand before `until[i]`, behind those of `i - 1`.
    let mut until = vec![0u32; parent.len() + 1];
    for child in (0..parent.len()).filter(counts) {
        until[parent[child] as usize + 1] += 1;
    }
    for i in 1..until.len() {
        until[i] += until[i - 1];
    }
    let mut children = vec![0u32; until.last().map_or(0, |n| *n as usize)];
    for child in (0..parent.len()).filter(counts) {
        let place = &mut until[parent[child] as usize];
        children[*place as usize] = child as u32;
        *place += 1;
    }
    let mut covered = vec![0.0; parent.len()];
    let mut from = 0;
    for (row, covered) in covered.iter_mut().enumerate() {
        let own = &mut children[from..until[row] as usize];
        from = until[row] as usize;
        own.sort_unstable_by_key(|c| (start[*c as usize], end[*c as usize]));
        let times = own.iter().map(|c| (start[*c as usize], end[*c as usize]));
        *covered = union(times, start[row], end[row]) as f64 / 1e6;
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
        let awaited = covered(&parent, &start, &end, |_| true);
        assert_eq!(awaited, [0.3, 0.0, 0.0, 0.0, 0.0, 0.0]);
        // Nobody waits for the one that outlives its parent.
        assert_eq!(covered(&parent, &start, &end, |row| row < 5)[0], 0.2);
    }

    #[test]
    fn a_union_ignores_what_lies_inside_or_outside() {
        assert_eq!(union([(0, 10), (2, 5), (8, 12), (20, 30)].into_iter(), 1, 25), 16);
        assert_eq!(union(std::iter::empty(), 0, 10), 0);
    }
}
