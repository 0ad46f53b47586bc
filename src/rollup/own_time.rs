//! How much of each span its children cover: parallel children count once.

use polars::prelude::*;
use rayon::prelude::*;

/// Kind of a span that consumes a message: nobody waits for it.
const CONSUMER: u32 = 4;

/// Trace, parent, start and end of a child.
type Child = (u64, u64, i64, i64);

/// Seconds of each span, by row, in which at least one of its children ran.
pub fn covered(spans: &DataFrame) -> PolarsResult<Vec<f64>> {
    let ids = |name: &str| -> PolarsResult<Vec<u64>> {
        Ok(spans.column(name)?.u64()?.iter().map(|v| v.unwrap_or(0)).collect())
    };
    let times = |name: &str| -> PolarsResult<Vec<i64>> {
        Ok(spans.column(name)?.i64()?.iter().map(|v| v.unwrap_or(0)).collect())
    };
    let (trace, span, parent) = (ids("trace")?, ids("span")?, ids("parent")?);
    let (start, end) = (times("start")?, times("end")?);
    let kinds = spans.column("kind")?.u32()?;
    let mut children: Vec<Child> = kinds
        .iter()
        .enumerate()
        .filter(|(i, kind)| parent[*i] != 0 && *kind != Some(CONSUMER))
        .map(|(i, _)| (trace[i], parent[i], start[i], end[i]))
        .collect();
    children.par_sort_unstable();
    let one = |i: usize| {
        let key = (trace[i], span[i]);
        let from = children.partition_point(|c| (c.0, c.1) < key);
        let own = children[from..].iter().take_while(|c| (c.0, c.1) == key);
        union(own.map(|c| (c.2, c.3)), start[i], end[i]) as f64 / 1e6
    };
    Ok((0..trace.len()).into_par_iter().map(one).collect())
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
        let frame = df!(
            "trace" => vec![7u64; 6],
            "span" => [1u64, 2, 3, 4, 5, 6],
            "parent" => [0u64, 1, 1, 1, 1, 1],
            "kind" => [1u32, 2, 2, 2, 2, 2],
            "start" => [0i64, 10_000, 10_000, 10_000, 10_000, 400_000],
            "end" => [500_000i64, 210_000, 210_000, 210_000, 210_000, 900_000],
        );
        let covered = covered(&frame.expect("a frame")).expect("columns are there");
        assert_eq!(covered, [0.3, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn a_union_ignores_what_lies_inside_or_outside() {
        assert_eq!(union([(0, 10), (2, 5), (8, 12), (20, 30)].into_iter(), 1, 25), 16);
        assert_eq!(union(std::iter::empty(), 0, 10), 0);
    }
}
