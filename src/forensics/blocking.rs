//! The blocking forest of the snapshot that is shown, and how blocking went over all snapshots.

use super::{View, Who, ago};
use crate::diagnosis::{Spark, at};
use crate::features::blocking::RootBlocker;
use crate::ingest::raw::{RawLock, RawSession, Session};
use crate::ingest::sql;
use crate::model::{Micros, SECOND, Unit};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Rows of pg_locks and of pg_stat_activity within this time are of one snapshot.
const NEAR: Micros = 10 * SECOND;

/// Blocking in the snapshot shown, and over time.
#[derive(Clone, Debug, Serialize)]
pub struct Blocking {
    pub trees: Vec<Tree>,
    /// Sessions that wait for each other in a circle: deadlocks that are not yet broken.
    pub circles: Vec<Circle>,
    /// Snapshots with a waiting session.
    pub snapshots: usize,
    /// Waiting sessions, roots, longest chain and longest wait (seconds) per cell of time.
    pub waiting: Spark,
    pub roots: Spark,
    pub depth: Spark,
    pub waited_s: Spark,
    /// The most there was of each.
    pub most_waiting: usize,
    pub deepest: usize,
    pub longest_s: f64,
    /// Who was a root, over all snapshots; most harm first.
    pub blockers: Vec<RootRow>,
}

/// One root and those behind it, parents before children.
#[derive(Clone, Debug, Serialize)]
pub struct Tree {
    pub root: Who,
    /// Age of its transaction, and how long it is in its state, seconds.
    pub age_s: Option<f64>,
    pub still_s: Option<f64>,
    pub victims: usize,
    pub nodes: Vec<Node>,
}

/// Sessions that wait in the same way for the same blocker.
#[derive(Clone, Debug, Serialize)]
pub struct Node {
    /// Distance from the root, from 1.
    pub depth: usize,
    pub pids: Vec<i64>,
    pub who: Who,
    pub blocked_by: Vec<i64>,
    /// The edge was concluded, not read.
    pub inferred: bool,
    pub wait: String,
    pub relation: String,
    pub mode: String,
    /// Longest wait of them, seconds; `None` where no start is shown.
    pub waited_s: Option<f64>,
    /// The wait's start is shown by `waitstart`; otherwise the statement's start bounds it.
    pub exact: bool,
}

/// Sessions in a circle.
#[derive(Clone, Debug, Serialize)]
pub struct Circle {
    pub members: Vec<Who>,
}

/// A session at the root of a tree in some snapshots.
#[derive(Clone, Debug, Serialize)]
pub struct RootRow {
    pub who: Who,
    #[serde(serialize_with = "at")]
    pub first: Micros,
    #[serde(serialize_with = "at")]
    pub last: Micros,
    pub snapshots: usize,
    /// Share of the snapshots with blocking, 0 to 1.
    pub share: f64,
    pub victims: usize,
    pub victim_applications: BTreeMap<String, usize>,
    pub depth: usize,
    pub waited_s: f64,
    pub age_s: f64,
    pub relation: String,
    pub mode: String,
    pub inferred: bool,
    /// Auxiliary process through which it blocks.
    pub through: Option<String>,
}

/// Blocking of one server.
pub(super) fn blocking(view: &View, roots: &[RootBlocker]) -> Blocking {
    let (mut waiting, mut rooted, mut depth, mut waited) = (vec![], vec![], vec![], vec![]);
    for (snapshot, edges) in view.snapshots.iter().zip(&view.edges) {
        let waits = edges.waits();
        waiting.push(edges.blockers.len() as f64);
        rooted.push(waits.iter().map(|w| w.root).collect::<BTreeSet<_>>().len() as f64);
        depth.push(waits.iter().map(|w| w.depth).max().unwrap_or(0) as f64);
        let behind = snapshot.rows.iter().filter(|s| edges.blockers.contains_key(&s.pid));
        let longest = behind.filter_map(|s| ago(s.at, s.wait_start().or(s.query_start())));
        waited.push(longest.fold(0.0, f64::max));
    }
    let most = |v: &[f64]| v.iter().copied().fold(0.0, f64::max);
    let (trees, circles) = forest(view);
    Blocking {
        trees,
        circles,
        snapshots: waiting.iter().filter(|n| **n > 0.0).count(),
        waiting: view.spark(&waiting, Unit::Count),
        roots: view.spark(&rooted, Unit::Count),
        depth: view.spark(&depth, Unit::Count),
        waited_s: view.spark(&waited, Unit::Seconds),
        most_waiting: most(&waiting) as usize,
        deepest: most(&depth) as usize,
        longest_s: most(&waited),
        blockers: roots.iter().map(|r| root_row(view, r)).collect(),
    }
}

fn root_row(view: &View, r: &RootBlocker) -> RootRow {
    let place = view.times.iter().position(|t| *t == r.session.at);
    let first_behind = place.and_then(|i| {
        let behind = |s: &&&Session| {
            view.edges[i].blockers.get(&s.pid).is_some_and(|b| b.contains(&r.session.pid))
        };
        view.snapshots[i].rows.iter().find(behind)
    });
    let (relation, mode) = first_behind.map(|s| wanted(view, s)).unwrap_or_default();
    RootRow {
        who: Who::of(&r.session, view.telemetry),
        first: r.first_seen,
        last: r.last_seen,
        snapshots: r.snapshots,
        share: r.share,
        victims: r.victims,
        victim_applications: r.victim_applications.clone(),
        depth: r.depth,
        waited_s: r.waited_s,
        age_s: r.age_s,
        relation: if r.relation.is_empty() { relation } else { r.relation.clone() },
        mode,
        inferred: r.inferred,
        through: r.through.clone(),
    }
}

/// Relation and mode of the lock that a session waits for, as far as anything says it.
fn wanted(view: &View, s: &Session) -> (String, String) {
    let near = |l: &RawLock| l.at.is_none_or(|t| (t - s.at).abs() < NEAR);
    let own = |l: &&RawLock| l.pid == s.pid && !l.granted && near(l);
    let locks = view.telemetry.locks.iter().filter(|(d, _)| *d == view.database).map(|(_, l)| l);
    let lock = locks.filter(own).min_by_key(|l| l.at.map_or(0, |t| (t - s.at).abs()));
    let named = |name: &str| !name.is_empty() && !name.bytes().all(|b| b.is_ascii_digit());
    let mut relation = s.wait_relation.to_string();
    let mut mode = s.wait_mode.to_string();
    if let Some(lock) = lock {
        if relation.is_empty() && named(&lock.relation) {
            relation = lock.relation.clone();
        }
        if mode.is_empty() {
            mode = lock.mode.clone();
        }
    }
    if relation.is_empty() {
        // A statement on one table waits for that table or its rows.
        if let [only] = sql::tables(&s.query).as_slice() {
            relation = only.clone();
        }
    }
    (relation, mode)
}

/// The trees and circles of the snapshot that is shown.
fn forest(view: &View) -> (Vec<Tree>, Vec<Circle>) {
    let (snapshot, edges) = (view.now(), &view.edges[view.shown]);
    let rows: BTreeMap<i64, &Session> = snapshot.rows.iter().map(|s| (s.pid, *s)).collect();
    let mut behind: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for (waiter, blockers) in &edges.blockers {
        for blocker in blockers {
            behind.entry(*blocker).or_default().push(*waiter);
        }
    }
    let mut roots: Vec<i64> =
        behind.keys().filter(|p| !edges.blockers.contains_key(p)).copied().collect();
    let mut placed: BTreeSet<i64> = BTreeSet::new();
    let mut trees: Vec<Tree> = Vec::new();
    roots.sort_by_key(|p| (std::cmp::Reverse(behind.get(p).map_or(0, Vec::len)), *p));
    for root in roots {
        let unseen = RawSession { pid: root, at: snapshot.at, ..RawSession::default() }.into();
        let row = rows.get(&root).copied().unwrap_or(&unseen);
        let lines = lines_behind(view, root, &behind, &rows, &mut placed);
        let still = if row.state == "active" { row.query_start() } else { row.state_change() };
        trees.push(Tree {
            root: Who::of(row, view.telemetry),
            age_s: ago(snapshot.at, row.xact_start()),
            still_s: ago(snapshot.at, still),
            victims: lines.iter().map(|n| n.pids.len()).sum(),
            nodes: lines,
        });
    }
    let left: Vec<i64> = edges.blockers.keys().filter(|p| !placed.contains(p)).copied().collect();
    (trees, circles(view, &left, &rows))
}

/// Everybody behind one root, breadth first within each parent, alike ones together.
fn lines_behind(
    view: &View,
    root: i64,
    behind: &BTreeMap<i64, Vec<i64>>,
    rows: &BTreeMap<i64, &Session>,
    placed: &mut BTreeSet<i64>,
) -> Vec<Node> {
    let mut lines = Vec::new();
    let mut stack: Vec<(i64, usize)> = vec![(root, 0)];
    let mut waiting: Vec<Node> = Vec::new();
    while let Some((pid, depth)) = stack.pop() {
        if let Some(at) = waiting.iter().position(|n| n.pids.first() == Some(&pid)) {
            lines.push(waiting.swap_remove(at));
        }
        let next: Vec<i64> =
            behind.get(&pid).into_iter().flatten().copied().filter(|p| placed.insert(*p)).collect();
        let mut groups: Vec<Node> = Vec::new();
        for waiter in next {
            let Some(row) = rows.get(&waiter) else { continue };
            let node = node(view, row, depth + 1);
            let leaf = !behind.contains_key(&waiter);
            let alike =
                |n: &&mut Node| leaf && n.is_alike(&node) && !behind.contains_key(&n.pids[0]);
            match groups.iter_mut().find(alike) {
                Some(known) => {
                    known.pids.push(waiter);
                    known.waited_s = longest(known.waited_s, node.waited_s);
                }
                None => groups.push(node),
            }
        }
        groups.sort_by_key(|n| (std::cmp::Reverse(behind.contains_key(&n.pids[0])), n.pids[0]));
        stack.extend(groups.iter().rev().map(|n| (n.pids[0], depth + 1)));
        waiting.append(&mut groups);
    }
    lines
}

fn longest(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    a.into_iter().chain(b).reduce(f64::max)
}

impl Node {
    fn is_alike(&self, other: &Node) -> bool {
        let key = |n: &Node| {
            let who = (n.who.application.clone(), n.who.user.clone(), n.who.fingerprint.clone());
            (who, n.wait.clone(), n.relation.clone(), n.mode.clone(), n.blocked_by.first().copied())
        };
        key(self) == key(other)
    }
}

fn node(view: &View, s: &Session, depth: usize) -> Node {
    let edges = &view.edges[view.shown];
    let (relation, mode) = wanted(view, s);
    let wait = match (s.wait_event_type.is_empty(), s.wait_event.is_empty()) {
        (true, _) => String::new(),
        (false, true) => s.wait_event_type.to_string(),
        (false, false) => format!("{}:{}", s.wait_event_type, s.wait_event),
    };
    Node {
        depth,
        pids: vec![s.pid],
        who: Who::of(s, view.telemetry),
        blocked_by: edges.blockers.get(&s.pid).cloned().unwrap_or_default(),
        inferred: edges.inferred.contains(&s.pid),
        wait,
        relation,
        mode,
        waited_s: ago(s.at, s.wait_start().or(s.query_start())),
        exact: s.wait_start().is_some(),
    }
}

/// Waiters without a root, each circle with those behind it as one.
fn circles(view: &View, left: &[i64], rows: &BTreeMap<i64, &Session>) -> Vec<Circle> {
    let edges = &view.edges[view.shown];
    let mut seen: BTreeSet<i64> = BTreeSet::new();
    let mut found = Vec::new();
    for start in left {
        let (mut members, mut front) = (Vec::new(), vec![*start]);
        while let Some(pid) = front.pop() {
            if !left.contains(&pid) || !seen.insert(pid) {
                continue;
            }
            members.push(pid);
            front.extend(edges.blockers.get(&pid).into_iter().flatten());
            let after = left.iter().filter(|p| edges.blockers[p].contains(&pid));
            front.extend(after);
        }
        members.sort_unstable();
        let rows = members.iter().filter_map(|p| rows.get(p)).filter(|s| s.is_client());
        let members: Vec<Who> = rows.map(|s| Who::of(s, view.telemetry)).collect();
        if !members.is_empty() {
            found.push(Circle { members });
        }
    }
    found
}
