//! What busy sessions wait for, over time: one row per wait event type.

use super::View;
use crate::diagnosis::Spark;
use crate::error::Result;
use crate::features::session_frame::Counted;
use crate::model::Unit;
use serde::Serialize;
use std::collections::BTreeMap;

/// One wait event type of one server.
#[derive(Clone, Debug, Serialize)]
pub struct WaitRow {
    /// `Lock`, `IO`, …; `running` without a wait event.
    pub kind: String,
    /// Mean number of sessions per cell of time.
    pub cells: Spark,
    /// Mean number of sessions per snapshot, and the most at once.
    pub mean: f64,
    pub peak: usize,
    /// In the snapshot that is shown.
    pub shown: usize,
    /// Share of all busy sessions, pooled over the snapshots, 0 to 1.
    pub share: f64,
    /// Its events with their share of it, the most frequent first.
    pub events: Vec<(String, f64)>,
}

/// Rows by share, largest first.
pub(super) fn waits(view: &View) -> Result<Vec<WaitRow>> {
    let mut events: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for c in view.frame.events()? {
        let (kind, event) = c.name.split_once(':').unwrap_or((&c.name, ""));
        let known = events.entry(kind.to_owned()).or_default();
        *known.entry(event.to_owned()).or_default() += c.sessions;
    }
    let mut by: BTreeMap<String, Vec<Counted>> = BTreeMap::new();
    for c in view.frame.waits()? {
        by.entry(c.name.clone()).or_default().push(c);
    }
    let busy: usize = by.values().flatten().map(|c| c.sessions).sum();
    let mut rows: Vec<WaitRow> = Vec::new();
    for (kind, counts) in by {
        let mut values = vec![0.0; view.times.len()];
        for c in &counts {
            values[c.snapshot] = c.sessions as f64;
        }
        let total: usize = counts.iter().map(|c| c.sessions).sum();
        let own = events.remove(&kind).unwrap_or_default();
        let mut own: Vec<(String, f64)> =
            own.into_iter().map(|(e, n)| (e, n as f64 / total.max(1) as f64)).collect();
        own.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        rows.push(WaitRow {
            cells: view.spark(&values, Unit::Count),
            mean: total as f64 / view.times.len().max(1) as f64,
            peak: counts.iter().map(|c| c.sessions).max().unwrap_or(0),
            shown: values[view.shown] as usize,
            share: total as f64 / busy.max(1) as f64,
            events: own,
            kind,
        });
    }
    rows.sort_by(|a, b| b.share.total_cmp(&a.share).then(a.kind.cmp(&b.kind)));
    Ok(rows)
}
