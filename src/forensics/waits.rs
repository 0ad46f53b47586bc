//! What busy sessions wait for, over time: one row per wait event type.

use super::View;
use crate::diagnosis::Spark;
use crate::error::Result;
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
    let mut events: BTreeMap<String, Vec<(String, usize)>> = BTreeMap::new();
    for e in view.frame.events()? {
        let (kind, event) = e.name.split_once(':').unwrap_or((&e.name, ""));
        events.entry(kind.to_owned()).or_default().push((event.to_owned(), e.sessions));
    }
    let kinds = view.frame.waits()?;
    let names: Vec<&str> = kinds.iter().map(|k| k.name.as_str()).collect();
    let over_time = view.frame.waits_over_time(&names, view.times.len());
    let busy: usize = kinds.iter().map(|k| k.sessions).sum();
    let mut rows: Vec<WaitRow> = Vec::new();
    for (kind, values) in kinds.iter().zip(over_time) {
        let own = events.remove(&kind.name).unwrap_or_default();
        let share = |n: usize| n as f64 / kind.sessions.max(1) as f64;
        let mut own: Vec<(String, f64)> = own.into_iter().map(|(e, n)| (e, share(n))).collect();
        own.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        rows.push(WaitRow {
            cells: view.spark(&values, Unit::Count),
            mean: kind.sessions as f64 / view.times.len().max(1) as f64,
            peak: kind.peak,
            shown: values[view.shown] as usize,
            share: kind.sessions as f64 / busy.max(1) as f64,
            events: own,
            kind: kind.name.clone(),
        });
    }
    rows.sort_by(|a, b| b.share.total_cmp(&a.share).then(a.kind.cmp(&b.kind)));
    Ok(rows)
}
