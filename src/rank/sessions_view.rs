//! The sessions of each server as pages draw them: waits over time, and the blocking forest of the
//! snapshot in which most sessions waited.

use super::answer::entity_ref;
use crate::diagnosis::{SessionsView, TreeLine, WaitRow};
use crate::features::forest::{Edges, Snapshot, snapshots};
use crate::ingest::raw::Session;
use crate::ingest::sql;
use crate::matching::Context;
use crate::model::{EntityId, Micros, SECOND, Window};
use std::collections::{BTreeMap, BTreeSet};

/// Columns of the map at most.
const COLUMNS: i64 = 60;
/// Rows of the map and lines of the forest at most.
const EVENTS_MAX: usize = 8;
const LINES_MAX: usize = 40;

/// Draws every server with snapshots inside `axis`.
pub fn sessions(context: &Context, axis: Window) -> Vec<SessionsView> {
    let mut by: BTreeMap<EntityId, Vec<Snapshot>> = BTreeMap::new();
    for snapshot in snapshots(context.telemetry, axis) {
        by.entry(snapshot.database).or_default().push(snapshot);
    }
    let mut out: Vec<SessionsView> =
        by.iter().map(|(id, all)| server(context, *id, all, axis)).collect();
    out.sort_by(|a, b| a.server.cmp(&b.server));
    out
}

fn server(context: &Context, id: EntityId, all: &[Snapshot], axis: Window) -> SessionsView {
    let width = ((axis.to - axis.from) / COLUMNS).max(SECOND);
    let count = (((axis.to - axis.from) + width - 1) / width).max(1) as usize;
    let mut rows: BTreeMap<String, Vec<Option<usize>>> = BTreeMap::new();
    let mut seen = vec![false; count];
    for snapshot in all {
        let at = (((snapshot.at - axis.from) / width) as usize).min(count - 1);
        seen[at] = true;
        let mut now: BTreeMap<String, usize> = BTreeMap::new();
        for s in snapshot.rows.iter().filter(|s| s.is_client()) {
            if let Some(event) = event(s) {
                *now.entry(event).or_default() += 1;
            }
        }
        for (event, n) in now {
            let cell = &mut rows.entry(event).or_insert_with(|| vec![None; count])[at];
            *cell = Some(cell.unwrap_or(0).max(n));
        }
    }
    let filled = |cells: Vec<Option<usize>>| -> Vec<Option<usize>> {
        cells.iter().zip(&seen).map(|(c, seen)| c.or(seen.then_some(0))).collect()
    };
    let mut waits: Vec<WaitRow> =
        rows.into_iter().map(|(event, cells)| WaitRow { event, cells: filled(cells) }).collect();
    let sum = |w: &WaitRow| w.cells.iter().flatten().sum::<usize>();
    waits.sort_by(|a, b| sum(b).cmp(&sum(a)).then_with(|| a.event.cmp(&b.event)));
    waits.truncate(EVENTS_MAX);
    let worst = all
        .iter()
        .map(|s| (Edges::new(&s.rows), s))
        .filter(|(e, _)| !e.blockers.is_empty())
        .max_by(|a, b| a.0.blockers.len().cmp(&b.0.blockers.len()).then(b.1.at.cmp(&a.1.at)));
    SessionsView {
        server: entity_ref(context, id),
        columns: (0..count).map(|i| axis.from + i as i64 * width).collect(),
        waits,
        forest_at: worst.as_ref().map(|w| w.1.at),
        forest: worst.map(|(edges, s)| forest(context, &edges, s)).unwrap_or_default(),
    }
}

/// What a busy session waits for; `None` for one that has nothing to do.
fn event(s: &Session) -> Option<String> {
    if s.state.starts_with("idle in transaction") {
        return Some(s.state.to_string());
    }
    match (s.state.as_str(), s.wait_event_type.as_str()) {
        ("active", "") => Some("running".to_owned()),
        (_, "" | "Client" | "Activity") => None,
        _ => Some(format!("{}: {}", s.wait_event_type, s.wait_event)),
    }
}

/// The forest as lines, each root followed by what waits for it; a circle is cut where it closes.
fn forest(context: &Context, edges: &Edges, snapshot: &Snapshot) -> Vec<TreeLine> {
    let mut waiters: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for (waiter, blockers) in &edges.blockers {
        for blocker in blockers {
            waiters.entry(*blocker).or_default().push(*waiter);
        }
    }
    let roots = waiters.keys().filter(|p| !edges.blockers.contains_key(*p)).copied();
    // In a circle nobody is a root: begin at its lowest pid, after the trees.
    let starts: Vec<i64> = roots.chain(edges.blockers.keys().copied()).collect();
    let mut out = Vec::new();
    let mut seen: BTreeSet<i64> = BTreeSet::new();
    for start in starts {
        let mut stack = vec![(start, 0)];
        while let Some((pid, depth)) = stack.pop() {
            if out.len() == LINES_MAX || !seen.insert(pid) {
                continue;
            }
            out.push(line(context, edges, snapshot, pid, depth));
            let below = waiters.get(&pid).map_or(&[][..], Vec::as_slice);
            stack.extend(below.iter().rev().map(|p| (*p, depth + 1)));
        }
    }
    out
}

fn line(context: &Context, edges: &Edges, snapshot: &Snapshot, pid: i64, depth: usize) -> TreeLine {
    let row = snapshot.rows.iter().find(|s| s.pid == pid);
    let file = row.and_then(|s| context.telemetry.files.get(s.file as usize));
    TreeLine {
        depth,
        pid,
        said: row.map_or_else(|| "not listed in the export".to_owned(), |s| said(s, snapshot.at)),
        inferred: edges.inferred.contains(&pid),
        file: file.map(|f| f.path.clone()).unwrap_or_default(),
        line: row.map(|s| s.line()),
    }
}

/// Who it is, what it does and for how long.
fn said(s: &Session, at: Micros) -> String {
    let who = [&s.application, &s.user, &s.backend_type].into_iter().find(|w| !w.is_empty());
    let state = match s.wait_event_type.as_str() {
        "" => s.state.to_string(),
        kind => format!("{} ({kind}: {})", s.state, s.wait_event).trim_start().to_owned(),
    };
    let age = s.xact_start().map(|x| format!("{} s in its transaction", (at - x).max(0) / SECOND));
    let query = (!s.query.is_empty()).then(|| sql::summary(&s.query));
    let parts = [who.map(|w| w.to_string()), Some(state), age, query];
    parts.into_iter().flatten().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" · ")
}
