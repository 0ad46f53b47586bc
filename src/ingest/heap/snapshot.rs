//! V8 heap snapshots (`.heapsnapshot` of Node and Chrome). In: JSON with flat lists of numbers, gone
//! through once without a tree of values. Out: own and retained bytes by type. Texts are not kept.

use super::super::json_scan::{self, Elements};
use super::super::raw::Raw;
use super::super::{Head, Input, lenient};
use super::dominators::{self, Edges, Tree};
use super::{Moment, RETAINED, SIZE, push};
use crate::model::GapKind;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

/// Accepts a snapshot by its description of the lists.
pub fn accepts(head: &Head) -> bool {
    head.has_key("snapshot") && head.has_key("node_fields") && head.has_key("edge_fields")
}

#[derive(Deserialize)]
struct Meta {
    node_fields: Vec<String>,
    node_types: Vec<serde_json::Value>,
    edge_fields: Vec<String>,
    edge_types: Vec<serde_json::Value>,
}

/// The parts of a node that are read.
struct Node {
    /// Index of the type's name.
    class: u32,
    size: f64,
    edges: u32,
}

/// A heap: nodes, and the edges that keep their targets.
struct Heap {
    nodes: Vec<Node>,
    /// Names of types, by index.
    classes: Vec<String>,
    edges: Edges,
}

/// Reads one snapshot.
pub fn read(input: &Input, raw: &mut Raw) {
    let heap = match heap(input.bytes) {
        Ok(heap) => heap,
        Err((at, what)) => {
            let line = Some(input.line(at));
            return raw.gap(GapKind::Truncated, input.file, line, what);
        }
    };
    let Some(at) = input.taken_at(raw) else {
        let what = "the snapshot holds no time: give --at";
        return raw.gap(GapKind::Missing, input.file, None, what);
    };
    let (process, instance) = process(input.name());
    let moment = Moment { process: &process, instance: instance.as_deref(), at };
    let mut sizes = vec![0.0; heap.classes.len()];
    for node in &heap.nodes {
        if let Some(sum) = sizes.get_mut(node.class as usize) {
            *sum += node.size;
        }
    }
    let retained = retained(&heap);
    let named = |sizes: Vec<f64>| -> BTreeMap<String, f64> {
        heap.classes.iter().cloned().zip(sizes).collect()
    };
    push(input, SIZE, &moment, named(sizes), raw);
    push(input, RETAINED, &moment, named(retained), raw);
    raw.rows(input.file, heap.nodes.len() as u64);
}

/// The process a snapshot is of: what stands before the time in the file's name, or the process id
/// in the names that Node gives (`Heap.<date>.<time>.<pid>.<thread>.<number>`).
fn process(name: &str) -> (String, Option<String>) {
    let parts: Vec<&str> = name.split('.').collect();
    if let ["Heap", date, _, pid, ..] = parts[..]
        && date.len() == 8
    {
        return ("node".to_owned(), Some(format!("pid-{pid}")));
    }
    let stem = name.split(|c: char| c.is_ascii_digit() || c == '.').next().unwrap_or_default();
    let stem = stem.trim_end_matches(['-', '_', ' ']);
    let process = if stem.is_empty() || stem.eq_ignore_ascii_case("heap") { "node" } else { stem };
    (process.to_owned(), None)
}

/// A defect: its offset and what it is.
type Defect = (usize, String);

fn heap(text: &[u8]) -> Result<Heap, Defect> {
    let missing = |what: &str| (text.len(), format!("the snapshot has no readable {what}"));
    let meta = json_scan::find_value(text, 0, &["meta"], b'{').ok_or_else(|| missing("meta"))?;
    let meta_end = json_scan::value_end(text, meta).ok_or_else(|| missing("meta"))?;
    let described: Meta = lenient::from_slice(&text[meta..meta_end])
        .map_err(|e| (meta, format!("the snapshot's meta is not readable: {e}")))?;
    let list = |from: usize, key: &str| {
        let open = json_scan::find_value(text, from, &[key], b'[').ok_or_else(|| missing(key))?;
        let end = json_scan::value_end(text, open);
        end.map(|end| (open, end)).ok_or((text.len(), format!("the file ends inside {key}")))
    };
    let (nodes_at, nodes_end) = list(meta_end, "nodes")?;
    let (edges_at, edges_end) = list(nodes_end, "edges")?;
    let (strings_at, _) = list(edges_end, "strings")?;
    let strings: Vec<(u32, u32)> =
        Elements::new(text, strings_at).map(|(at, s)| (at as u32, (at + s.len()) as u32)).collect();
    let string = |index: u64| {
        let (from, to) = strings.get(usize::try_from(index).ok()?)?;
        let text = text.get(*from as usize..*to as usize)?;
        serde_json::from_slice::<String>(text).ok()
    };
    let numbers = Numbers { text: &text[nodes_at..nodes_end], at: 0 };
    let (nodes, classes) = nodes(&described, numbers, string)
        .ok_or_else(|| (nodes_at, "the snapshot's nodes are not as its meta says".to_owned()))?;
    let numbers = Numbers { text: &text[edges_at..edges_end], at: 0 };
    let edges = edges(&described, numbers, &nodes)
        .ok_or_else(|| (edges_at, "the snapshot's edges are not as its meta says".to_owned()))?;
    Ok(Heap { nodes, classes, edges })
}

/// The numbers of a flat list.
struct Numbers<'a> {
    text: &'a [u8],
    at: usize,
}

impl Iterator for Numbers<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let rest = self.text.get(self.at..)?;
        let start = rest.iter().position(u8::is_ascii_digit)?;
        let digits = rest[start..].iter().take_while(|b| b.is_ascii_digit());
        let (mut value, mut count) = (0u64, 0);
        for digit in digits {
            value = value.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
            count += 1;
        }
        self.at += start + count;
        Some(value)
    }
}

/// The names of an enumeration in the meta's list of types.
fn names(types: &[serde_json::Value]) -> Vec<&str> {
    let first = types.first().and_then(|t| t.as_array());
    first.map(|all| all.iter().filter_map(|n| n.as_str()).collect()).unwrap_or_default()
}

fn nodes(
    meta: &Meta,
    mut numbers: Numbers,
    string: impl Fn(u64) -> Option<String>,
) -> Option<(Vec<Node>, Vec<String>)> {
    let field = |name: &str| meta.node_fields.iter().position(|f| f == name);
    let (kind, name) = (field("type")?, field("name")?);
    let (size, edges) = (field("self_size")?, field("edge_count")?);
    let kinds = names(&meta.node_types);
    let mut row = vec![0u64; meta.node_fields.len()];
    let (mut nodes, mut classes) = (Vec::new(), Vec::new());
    let mut known: HashMap<(u64, u64), u32> = HashMap::new();
    let mut by_name: HashMap<String, u32> = HashMap::new();
    while let Some(first) = numbers.next() {
        row[0] = first;
        for slot in row.iter_mut().skip(1) {
            *slot = numbers.next()?;
        }
        let word = kinds.get(row[kind] as usize).copied().unwrap_or("unknown");
        // Only constructors have a name that is none of the program's data.
        let own = matches!(word, "object" | "native");
        let key = (row[kind], if own { row[name] } else { 0 });
        let class = *known.entry(key).or_insert_with(|| {
            let name = own.then(|| string(key.1)).flatten();
            let name = name.map_or_else(|| format!("({word})"), |n| constructor(&n));
            *by_name.entry(name.clone()).or_insert_with(|| {
                classes.push(name);
                classes.len() as u32 - 1
            })
        });
        let edges = u32::try_from(row[edges]).ok()?;
        nodes.push(Node { class, size: row[size] as f64, edges });
    }
    (u32::try_from(nodes.len()).is_ok() && !nodes.is_empty()).then_some((nodes, classes))
}

/// A constructor's name; addresses of pages, which browsers put into some, lose their query.
fn constructor(name: &str) -> String {
    let plain = name.split(['?', '#']).next().unwrap_or_default();
    plain.chars().take(80).collect()
}

/// Edges that keep their target: all but weak ones, and shortcuts of the root only.
fn edges(meta: &Meta, mut numbers: Numbers, nodes: &[Node]) -> Option<Edges> {
    let field = |name: &str| meta.edge_fields.iter().position(|f| f == name);
    let (kind, to) = (field("type")?, field("to_node")?);
    let kinds = names(&meta.edge_types);
    let weak = kinds.iter().position(|k| *k == "weak");
    let shortcut = kinds.iter().position(|k| *k == "shortcut");
    let mut row = vec![0u64; meta.edge_fields.len()];
    let (mut from, mut targets) = (Vec::with_capacity(nodes.len() + 1), Vec::new());
    for (i, node) in nodes.iter().enumerate() {
        from.push(targets.len() as u32);
        for _ in 0..node.edges {
            for slot in &mut row {
                *slot = numbers.next()?;
            }
            let is = |k: Option<usize>| k.is_some_and(|k| k as u64 == row[kind]);
            if is(weak) || (is(shortcut) && i > 0) {
                continue;
            }
            // The target is given as an offset in the list of nodes.
            let target = row[to] / meta.node_fields.len().max(1) as u64;
            if target >= nodes.len() as u64 {
                return None;
            }
            targets.push(target as u32);
        }
    }
    from.push(u32::try_from(targets.len()).ok()?);
    Some(Edges { from, to: targets })
}

/// Bytes that each class keeps alive. An object that another of its class keeps counts with that.
fn retained(heap: &Heap) -> Vec<f64> {
    let Tree { order, parent } = dominators::tree(&heap.edges);
    let node = |v: usize| order.get(v).and_then(|n| heap.nodes.get(*n as usize));
    let mut kept: Vec<f64> = (0..order.len()).map(|v| node(v).map_or(0.0, |n| n.size)).collect();
    for v in (1..kept.len()).rev() {
        kept[parent[v] as usize] += kept[v];
    }
    let pairs = (1..order.len()).map(|v| (parent[v], v as u32));
    let children = Edges::sorted(order.len(), pairs);
    let mut sums = vec![0.0; heap.classes.len()];
    // How many dominators of a class the node on its way has.
    let mut above = vec![0u32; heap.classes.len()];
    let mut stack: Vec<(u32, bool)> = vec![(0, false)];
    while let Some((v, done)) = stack.pop() {
        let class = node(v as usize).map_or(0, |n| n.class as usize);
        if done {
            above[class] -= 1;
            continue;
        }
        if above[class] == 0 {
            sums[class] += kept[v as usize];
        }
        above[class] += 1;
        stack.push((v, true));
        let (from, to) =
            (children.from[v as usize] as usize, children.from[v as usize + 1] as usize);
        stack.extend(children.to[from..to].iter().map(|c| (*c, false)));
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_known_by_the_names_of_files() {
        let of = |name: &str| process(name);
        assert_eq!(of("cart-2026-11-20T20-10-00.heapsnapshot"), ("cart".to_owned(), None));
        let node = ("node".to_owned(), Some("pid-4711".to_owned()));
        assert_eq!(of("Heap.20261120.201000.4711.0.001.heapsnapshot"), node);
        assert_eq!(of("Heap-20261120T201000.heapsnapshot"), ("node".to_owned(), None));
    }

    /// root -> a (Session) -> b (Session) -> text; root -> text2; root -weak-> lost.
    const SMALL: &str = r#"{"snapshot":{"meta":{
        "node_fields":["type","name","id","self_size","edge_count"],
        "node_types":[["synthetic","object","string"],"string","number","number","number"],
        "edge_fields":["type","name_or_index","to_node"],
        "edge_types":[["property","weak","shortcut"],"string_or_number","node"]},"node_count":6},
        "nodes":[0,0,1,0,3, 1,1,2,10,1, 1,1,3,20,1, 2,2,4,100,0, 2,2,5,7,0, 1,3,6,1000,0],
        "edges":[0,1,5, 0,2,20, 1,3,25, 0,1,10, 0,2,15],
        "strings":["","Session","card 4111","Lost?token=1"]}"#;

    #[test]
    fn retained_bytes_follow_the_dominators_and_texts_are_not_kept() {
        let raw =
            crate::ingest::read_text("cart-2026-11-20T20-10-00.heapsnapshot", SMALL.as_bytes());
        let get = |name: &str, kind: &str| {
            let of =
                |s: &&crate::ingest::raw::RawSeries| s.name == name && s.labels["type"] == kind;
            raw.series.iter().find(of).map(|s| s.samples.at(0))
        };
        let at = 1_795_205_400_000_000;
        assert_eq!(get(SIZE, "Session"), Some((at, 30.0)));
        assert_eq!(get(RETAINED, "Session"), Some((at, 130.0)));
        assert_eq!(get(RETAINED, "(string)"), Some((at, 107.0)));
        assert_eq!((get(SIZE, "Lost"), get(RETAINED, "Lost")), (Some((at, 1000.0)), None));
        assert_eq!(get(RETAINED, "(synthetic)"), Some((at, 137.0)));
        assert!(raw.series.iter().all(|s| !s.labels["type"].contains("4111")));
    }

    #[test]
    fn a_cut_or_lying_snapshot_is_a_gap() {
        for cut in (300..SMALL.len()).step_by(17) {
            let raw = crate::ingest::read_text("a.heapsnapshot", &SMALL.as_bytes()[..cut]);
            assert!(!raw.gaps.is_empty() && raw.series.is_empty(), "cut at {cut}");
        }
        for (from, to) in [
            ("0,0,1,0,3", "0,0,1,0,4000000000"),
            ("0,1,5,", "0,1,5000,"),
            ("\"edge_count\"", "\"x\""),
        ] {
            let raw =
                crate::ingest::read_text("a.heapsnapshot", SMALL.replace(from, to).as_bytes());
            assert!(raw.series.is_empty() && !raw.gaps.is_empty(), "{to}");
        }
    }
}
