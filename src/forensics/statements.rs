//! What sessions ran, by fingerprint: how many at once, how old, since when, and whether it is new.

use super::View;
use crate::diagnosis::Spark;
use crate::features::statements::StatementLoad;
use crate::model::Unit;
use serde::Serialize;
use std::collections::BTreeMap;

/// Statements that are kept: the busiest, and all new ones.
const MOST: usize = 20;

/// One statement of one server.
#[derive(Clone, Debug, Serialize)]
pub struct StatementRow {
    pub fingerprint: String,
    /// Without literals.
    pub query: String,
    pub tag: String,
    /// Not seen in the baseline, not even as the last statement of an idle session; `None` where the
    /// baseline has too few snapshots to say.
    pub new: Option<bool>,
    /// Mean number of sessions per snapshot before (`None` without a snapshot then) and during.
    pub before: Option<f64>,
    pub during: f64,
    pub peak: usize,
    /// Share of busy sessions, 0 to 1.
    pub share: f64,
    pub age_s: f64,
    pub oldest_s: f64,
    pub lock_share: f64,
    pub io_share: f64,
    pub applications: BTreeMap<String, usize>,
    /// Sessions over all snapshots.
    pub sessions: Spark,
}

/// Statements by the time they took, the longest first.
pub(super) fn statements(view: &View) -> Vec<StatementRow> {
    let own = view.features.statements.iter().find(|s| s.database == view.database);
    let Some(own) = own else { return Vec::new() };
    let kept = |(i, s): &(usize, &StatementLoad)| *i < MOST || s.new == Some(true);
    let kept: Vec<&StatementLoad> =
        own.statements.iter().enumerate().filter(kept).map(|(_, s)| s).take(2 * MOST).collect();
    let prints: Vec<&str> = kept.iter().map(|s| s.fingerprint.as_str()).collect();
    let over_time = view.frame.statements_over_time(&prints, view.times.len());
    let row = |(s, values): (&&StatementLoad, &Vec<f64>)| StatementRow {
        fingerprint: s.fingerprint.clone(),
        query: s.query.to_string(),
        tag: s.place.query_tag.to_string(),
        new: s.new,
        before: s.before,
        during: s.during,
        peak: s.peak,
        share: s.share,
        age_s: s.age_s,
        oldest_s: s.oldest_s,
        lock_share: s.lock_share,
        io_share: s.io_share,
        applications: s.applications.clone(),
        sessions: view.spark(values, Unit::Count),
    };
    kept.iter().zip(&over_time).map(row).collect()
}
