//! What the server's own log says about its sessions: by kind and application, with the sessions that
//! the snapshots show under the same pid.

use super::{View, Who};
use crate::diagnosis::{Span, Spark};
use crate::features::session_frame::owner;
use crate::ingest::raw::{LogKind, RawLog, RawSession, Session};
use crate::model::{Micros, SECOND, Unit};
use serde::Serialize;
use std::collections::BTreeMap;

/// A pid of the log is the session that a snapshot shows under it within this time.
const NEAR: Micros = 60 * SECOND;

/// Lines of one kind.
#[derive(Clone, Debug, Serialize)]
pub struct LogRow {
    pub kind: LogKind,
    pub lines: usize,
    pub span: Span,
    /// Lines per cell of the time of the snapshots.
    pub over_time: Spark,
    /// By application, else by user; of processes of the server by nothing.
    pub applications: BTreeMap<String, usize>,
    /// Longest wait that a line tells, seconds.
    pub waited_s: Option<f64>,
    /// Bytes or seconds, added up.
    pub amount: f64,
    /// Relations and lock modes that are named.
    pub relations: BTreeMap<String, usize>,
    pub modes: BTreeMap<String, usize>,
    /// Who held what was waited for, most lines first, with the number of lines.
    pub holders: Vec<(Who, usize)>,
    /// One line, and where it stands.
    pub said: String,
    pub place: String,
}

/// Lines of the server's log by kind.
pub(super) fn rows(view: &View) -> Vec<LogRow> {
    let mut by: BTreeMap<LogKind, Vec<&RawLog>> = BTreeMap::new();
    for (_, l) in view.telemetry.logs.iter().filter(|(d, _)| *d == view.database) {
        by.entry(l.kind).or_default().push(l);
    }
    by.into_values().map(|lines| row(view, &lines)).collect()
}

fn row(view: &View, lines: &[&RawLog]) -> LogRow {
    let mut applications: BTreeMap<String, usize> = BTreeMap::new();
    let mut relations: BTreeMap<String, usize> = BTreeMap::new();
    let mut modes: BTreeMap<String, usize> = BTreeMap::new();
    let mut holders: BTreeMap<i64, (Option<&Session>, usize)> = BTreeMap::new();
    for l in lines {
        let known = session(view, l.pid, l.at);
        let named = [l.application.as_str(), known.map_or("", owner), l.user.as_str()];
        let named =
            named.into_iter().find(|n| !n.is_empty() && *n != "[unknown]" && *n != "unnamed");
        *applications.entry(named.unwrap_or("the server itself").to_owned()).or_default() += 1;
        let add = |to: &mut BTreeMap<String, usize>, name: &str| {
            if !name.is_empty() && !name.bytes().all(|b| b.is_ascii_digit()) {
                *to.entry(name.to_owned()).or_default() += 1;
            }
        };
        add(&mut relations, &l.relation);
        add(&mut modes, &l.mode);
        for pid in &l.holders {
            let slot = holders.entry(*pid).or_insert((None, 0));
            slot.0 = slot.0.or_else(|| session(view, *pid, l.at));
            slot.1 += 1;
        }
    }
    let who = |(pid, (row, n)): (i64, (Option<&Session>, usize))| {
        let unseen = RawSession { pid, ..RawSession::default() }.into();
        (Who::of(row.unwrap_or(&unseen), view.telemetry), n)
    };
    let mut holders: Vec<(Who, usize)> = holders.into_iter().map(who).collect();
    holders.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.pid.cmp(&b.0.pid)));
    let first = lines[0];
    let path = view.telemetry.files.get(first.file as usize).map_or("", |f| f.path.as_str());
    let times = || lines.iter().map(|l| l.at);
    LogRow {
        kind: first.kind,
        lines: lines.len(),
        span: Span { from: times().min().unwrap_or(0), to: times().max().unwrap_or(0) },
        over_time: per_snapshot(view, lines),
        applications,
        waited_s: lines.iter().filter_map(|l| l.waited_s).reduce(f64::max),
        amount: lines.iter().map(|l| l.amount).sum(),
        relations,
        modes,
        holders,
        said: first.said.clone(),
        place: format!("{path}:{}", first.line),
    }
}

/// Lines between a snapshot and the one before it.
fn per_snapshot(view: &View, lines: &[&RawLog]) -> Spark {
    let mut counts = vec![0.0; view.times.len()];
    for l in lines {
        let place = view.times.partition_point(|t| *t < l.at).min(counts.len().saturating_sub(1));
        if let Some(count) = counts.get_mut(place) {
            *count += 1.0;
        }
    }
    view.spark(&counts, Unit::Count)
}

/// The session that the nearest snapshot with this pid shows.
pub(super) fn session<'a>(view: &View<'a>, pid: i64, at: Micros) -> Option<&'a Session> {
    let first = view.times.partition_point(|t| *t < at - NEAR);
    let near = view.snapshots[first..].iter().take_while(|s| s.at <= at + NEAR);
    let own = near.filter_map(|s| s.rows.iter().copied().find(|r| r.pid == pid && pid != 0));
    own.min_by_key(|s| (s.at - at).abs())
}
