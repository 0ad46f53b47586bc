//! Dominator tree of a graph by Lengauer and Tarjan (1979), the version with path compression:
//! O(edges · log nodes), without recursion. In: edges from one root. Out: who keeps whom.

/// No node, no number.
const NONE: u32 = u32::MAX;

/// Edges of a graph, those of one node side by side.
pub struct Edges {
    /// Where the edges of each node begin; one more than there are nodes.
    pub from: Vec<u32>,
    pub to: Vec<u32>,
}

impl Edges {
    fn of(&self, node: u32) -> &[u32] {
        let at = |n: u32| self.from.get(n as usize).map_or(0, |i| *i as usize);
        self.to.get(at(node)..at(node + 1)).unwrap_or_default()
    }

    /// Puts (from, to) pairs side by side, by counting them.
    pub fn sorted(nodes: usize, pairs: impl Iterator<Item = (u32, u32)> + Clone) -> Edges {
        let mut from = vec![0u32; nodes + 1];
        for (a, _) in pairs.clone() {
            from[a as usize + 1] += 1;
        }
        for i in 1..from.len() {
            from[i] += from[i - 1];
        }
        let mut next = from.clone();
        let mut to = vec![0; from[nodes] as usize];
        for (a, b) in pairs {
            let slot = &mut next[a as usize];
            to[*slot as usize] = b;
            *slot += 1;
        }
        Edges { from, to }
    }
}

/// Nodes in the order of a depth-first search, each with its immediate dominator.
pub struct Tree {
    /// Node by number of the search; the root is first, and no dominator stands behind its node.
    pub order: Vec<u32>,
    /// Number of the immediate dominator by number of the search; the root has itself.
    pub parent: Vec<u32>,
}

/// Computes the dominators of all nodes that node 0 reaches.
pub fn tree(edges: &Edges) -> Tree {
    let nodes = edges.from.len().saturating_sub(1);
    let (order, number, ancestor) = search(edges, nodes);
    let n = order.len();
    let pairs = (0..n as u32).flat_map(|v| {
        let to = edges.of(order[v as usize]).iter();
        let known = to.map(|w| number[*w as usize]).filter(|w| *w != NONE);
        known.map(move |w| (w, v))
    });
    let before = Edges::sorted(n, pairs);
    let mut forest = Forest {
        ancestor: vec![NONE; n],
        label: (0..n as u32).collect(),
        semi: (0..n as u32).collect(),
        path: Vec::new(),
    };
    let mut dominator = vec![0u32; n];
    // The nodes with one semidominator, as chains.
    let (mut first, mut next) = (vec![NONE; n], vec![NONE; n]);
    for w in (1..n as u32).rev() {
        for v in before.of(w) {
            let u = forest.lowest(*v);
            let semi = forest.semi[u as usize];
            forest.semi[w as usize] = forest.semi[w as usize].min(semi);
        }
        let semi = forest.semi[w as usize] as usize;
        next[w as usize] = first[semi];
        first[semi] = w;
        let up = ancestor[w as usize];
        forest.ancestor[w as usize] = up;
        let mut v = std::mem::replace(&mut first[up as usize], NONE);
        while v != NONE {
            let u = forest.lowest(v);
            let below = forest.semi[u as usize] < forest.semi[v as usize];
            dominator[v as usize] = if below { u } else { up };
            v = next[v as usize];
        }
    }
    for w in 1..n {
        if dominator[w] != forest.semi[w] {
            dominator[w] = dominator[dominator[w] as usize];
        }
    }
    Tree { order, parent: dominator }
}

/// Depth-first search from node 0: nodes in order, their numbers, and the parent of each number.
fn search(edges: &Edges, nodes: usize) -> (Vec<u32>, Vec<u32>, Vec<u32>) {
    let mut number = vec![NONE; nodes];
    let (mut order, mut parent) = (Vec::new(), Vec::new());
    // A node on its way, and its next edge.
    let mut stack: Vec<(u32, u32)> = Vec::new();
    if nodes > 0 {
        number[0] = 0;
        order.push(0);
        parent.push(0);
        stack.push((0, 0));
    }
    while let Some((node, edge)) = stack.last_mut() {
        let own = *node;
        let Some(to) = edges.of(own).get(*edge as usize).copied() else {
            stack.pop();
            continue;
        };
        *edge += 1;
        if number[to as usize] == NONE {
            number[to as usize] = order.len() as u32;
            order.push(to);
            parent.push(number[own as usize]);
            stack.push((to, 0));
        }
    }
    (order, number, parent)
}

/// The forest of nodes that are done, with shortened paths.
struct Forest {
    ancestor: Vec<u32>,
    label: Vec<u32>,
    semi: Vec<u32>,
    path: Vec<u32>,
}

impl Forest {
    /// The node with the lowest semidominator between `v` and the root of its tree.
    fn lowest(&mut self, v: u32) -> u32 {
        if self.ancestor[v as usize] == NONE {
            return v;
        }
        let mut at = v;
        while self.ancestor[self.ancestor[at as usize] as usize] != NONE {
            self.path.push(at);
            at = self.ancestor[at as usize];
        }
        while let Some(w) = self.path.pop() {
            let up = self.ancestor[w as usize] as usize;
            let (own, above) = (self.label[w as usize], self.label[up]);
            if self.semi[above as usize] < self.semi[own as usize] {
                self.label[w as usize] = above;
            }
            self.ancestor[w as usize] = self.ancestor[up];
        }
        self.label[v as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn dominators(nodes: usize, pairs: &[(u32, u32)]) -> Vec<Option<u32>> {
        let tree = tree(&Edges::sorted(nodes, pairs.iter().copied()));
        let mut out = vec![None; nodes];
        for (v, d) in tree.parent.iter().enumerate() {
            out[tree.order[v] as usize] = Some(tree.order[*d as usize]);
        }
        out
    }

    /// By definition: what cannot be reached without a node is dominated by it.
    fn by_definition(nodes: usize, pairs: &[(u32, u32)]) -> Vec<Option<u32>> {
        let reach = |without: Option<u32>| {
            let mut seen = BTreeSet::new();
            let mut todo: Vec<u32> = (0..1).filter(|n| Some(*n) != without).collect();
            while let Some(n) = todo.pop() {
                if seen.insert(n) {
                    let next = pairs.iter().filter(|p| p.0 == n && Some(p.1) != without);
                    todo.extend(next.map(|p| p.1));
                }
            }
            seen
        };
        let all = reach(None);
        let strict: Vec<BTreeSet<u32>> =
            (0..nodes as u32).map(|d| all.difference(&reach(Some(d))).copied().collect()).collect();
        let doms = |n: u32| (0..nodes as u32).filter(move |d| *d != n).filter(|d| all.contains(d));
        (0..nodes as u32)
            .map(|n| match n {
                0 => Some(0),
                _ if !all.contains(&n) => None,
                // The immediate one is dominated by all the others.
                _ => doms(n)
                    .filter(|d| strict[*d as usize].contains(&n))
                    .max_by_key(|d| doms(*d).filter(|e| strict[*e as usize].contains(d)).count()),
            })
            .collect()
    }

    #[test]
    fn the_tree_is_that_of_the_definition() {
        let mut state = 7u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
            ((state >> 33) % below) as u32
        };
        for round in 0..200 {
            let nodes = 2 + round % 12;
            let edges = random(3 * nodes as u64) as usize;
            let pairs: Vec<(u32, u32)> =
                (0..edges).map(|_| (random(nodes as u64), random(nodes as u64))).collect();
            assert_eq!(dominators(nodes, &pairs), by_definition(nodes, &pairs), "{pairs:?}");
        }
    }

    #[test]
    fn a_long_list_whose_members_share_a_node_is_no_trouble() {
        // Each member also points at node 1, as all objects of a class do at their shape.
        let n = 200_000u32;
        let list = (0..n - 1).filter(|i| *i != 1).map(|i| (i, if i == 0 { 2 } else { i + 1 }));
        let pairs: Vec<(u32, u32)> = list.clone().chain((2..n).map(|i| (i, 1))).collect();
        let found = dominators(n as usize, &pairs);
        assert_eq!((found[1], found[n as usize - 1]), (Some(2), Some(n - 2)));
    }
}
