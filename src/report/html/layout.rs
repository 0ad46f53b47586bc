//! Where the nodes of a layered drawing stand. In: how many nodes, and who points at whom. Out: the
//! layers, each with its nodes in order, and the bends of edges that pass layers.
//!
//! Layers are longest paths from the nodes that nobody points at; edges that close a circle are
//! turned for this. An edge that passes a layer gets a place of its own there, so that it does not
//! run below a node. Within a layer everything is ordered by the mean place of its neighbours
//! (Sugiyama, Tagawa & Toda 1981), a fixed number of sweeps, ties by index.

/// Sweeps over the layers, each down and up.
const SWEEPS: usize = 4;

/// A finished arrangement.
pub(super) struct Layout {
    /// Indices of nodes; those from the number of nodes on are bends.
    pub layers: Vec<Vec<usize>>,
    /// The bends of each edge, in the order from its begin to its end.
    pub bends: Vec<Vec<usize>>,
}

/// Arranges `count` nodes.
pub(super) fn layout(count: usize, edges: &[(usize, usize)]) -> Layout {
    let layer = depths(count, &without_circles(count, edges));
    let depth = layer.iter().max().map_or(0, |m| m + 1);
    let mut layers = vec![Vec::new(); depth];
    for (node, at) in layer.iter().enumerate() {
        layers[*at].push(node);
    }
    let mut next = count;
    let mut pieces = Vec::new();
    let mut bends = Vec::new();
    for (a, b) in edges {
        let (from, to) = (layer[*a], layer[*b]);
        let mut own: Vec<usize> = Vec::new();
        for between in layers.iter_mut().take(from.max(to)).skip(from.min(to) + 1) {
            between.push(next);
            own.push(next);
            next += 1;
        }
        if from > to {
            own.reverse();
        }
        let way: Vec<usize> = std::iter::once(*a).chain(own.iter().copied()).chain([*b]).collect();
        pieces.extend(way.windows(2).map(|w| (w[0], w[1])));
        bends.push(own);
    }
    for _ in 0..SWEEPS {
        for at in 1..depth {
            order(&mut layers, at, at - 1, &pieces);
        }
        for at in (0..depth.saturating_sub(1)).rev() {
            order(&mut layers, at, at + 1, &pieces);
        }
    }
    Layout { layers, bends }
}

/// The longest path to each node.
fn depths(count: usize, forward: &[(usize, usize)]) -> Vec<usize> {
    let mut layer = vec![0; count];
    // A path without circles has less than `count` edges.
    for _ in 0..count {
        let mut changed = false;
        for (a, b) in forward {
            if layer[*b] <= layer[*a] {
                layer[*b] = layer[*a] + 1;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    layer
}

/// The edges, those that close a circle turned round.
fn without_circles(count: usize, edges: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut next = vec![Vec::new(); count];
    for (a, b) in edges.iter().filter(|(a, b)| a != b) {
        next[*a].push(*b);
    }
    let (mut open, mut done) = (vec![false; count], vec![false; count]);
    let mut out = Vec::new();
    for start in 0..count {
        if done[start] {
            continue;
        }
        let mut stack = vec![(start, 0)];
        open[start] = true;
        while let Some((node, at)) = stack.pop() {
            let Some(to) = next[node].get(at).copied() else {
                (open[node], done[node]) = (false, true);
                continue;
            };
            stack.push((node, at + 1));
            out.push(if open[to] { (to, node) } else { (node, to) });
            if !open[to] && !done[to] {
                open[to] = true;
                stack.push((to, 0));
            }
        }
    }
    out
}

/// Orders one layer by the places of the neighbours in another.
fn order(layers: &mut [Vec<usize>], at: usize, by: usize, edges: &[(usize, usize)]) {
    let place = |n: usize| layers[by].iter().position(|x| *x == n);
    let centre = |node: usize, now: usize| {
        let near = edges.iter().filter_map(|(a, b)| match node {
            n if n == *a => place(*b),
            n if n == *b => place(*a),
            _ => None,
        });
        let (sum, n) = near.fold((0.0, 0.0), |(s, n), p| (s + p as f64, n + 1.0));
        if n > 0.0 { sum / n } else { now as f64 }
    };
    let own = layers[at].iter().enumerate();
    let mut keyed: Vec<(f64, usize)> = own.map(|(i, node)| (centre(*node, i), *node)).collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    layers[at] = keyed.into_iter().map(|k| k.1).collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_longest_paths_and_circles_end() {
        let of = |count, edges: &[(usize, usize)]| layout(count, edges).layers;
        assert_eq!(of(4, &[(0, 1), (1, 2), (2, 3)]), [[0], [1], [2], [3]]);
        assert_eq!(of(2, &[(0, 1), (1, 0)]), [[0], [1]]);
        assert_eq!(of(2, &[(0, 0)]), [[0, 1]]);
        assert!(of(0, &[]).is_empty());
    }

    #[test]
    fn neighbours_are_drawn_side_by_side() {
        // Two parents whose children would cross in order of index.
        assert_eq!(layout(4, &[(0, 3), (1, 2)]).layers, [[0, 1], [3, 2]]);
    }

    #[test]
    fn an_edge_that_passes_a_layer_has_a_place_there() {
        let drawn = layout(3, &[(0, 1), (1, 2), (0, 2)]);
        assert_eq!(drawn.bends, [vec![], vec![], vec![3]]);
        assert_eq!(drawn.layers[1].len(), 2);
        let back = layout(3, &[(0, 1), (1, 2), (2, 0)]);
        assert_eq!((back.layers.len(), back.bends[2].len()), (3, 1));
    }
}
