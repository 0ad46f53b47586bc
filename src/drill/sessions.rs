//! `sessions [DATABASE]`: the last snapshot of pg_stat_activity by now, alike rows together.

use super::look::View;
use super::words;
use crate::ingest::raw::Session;
use crate::model::{EntityId, Micros, SECOND};
use crate::time;
use std::collections::{BTreeMap, BTreeSet};

/// Groups of a snapshot that are shown.
const LINES: usize = 14;
/// Characters of a statement.
const STATEMENT: usize = 60;

/// What rows of one line have in common.
type Alike = (String, String, String, String);

impl View<'_> {
    /// Databases with snapshots so far.
    pub fn databases(&self) -> BTreeSet<EntityId> {
        self.instant.telemetry.sessions.iter().map(|(db, _)| db).collect()
    }

    /// The last snapshot of each database, or of one.
    pub fn snapshot(&self, database: Option<EntityId>) -> Vec<String> {
        let mut out = Vec::new();
        let all = self.databases();
        for db in all.iter().filter(|d| database.is_none_or(|w| w == **d)) {
            out.extend(self.of(*db));
        }
        if out.is_empty() {
            out.push("   no snapshot of its sessions was taken so far".to_owned());
        }
        out
    }

    fn of(&self, db: EntityId) -> Vec<String> {
        let t = &self.instant.telemetry;
        let rows = || t.sessions.iter().filter(move |(d, _)| *d == db).map(|(_, s)| s);
        let Some(at) = rows().map(|s| s.at).max() else { return vec![] };
        let now: Vec<&Session> = rows().filter(|s| s.at == at).collect();
        let earlier: BTreeSet<Micros> = rows().map(|s| s.at).filter(|t| *t < at).collect();
        let mut groups: BTreeMap<Alike, Vec<&Session>> = BTreeMap::new();
        for s in &now {
            groups.entry(alike(s)).or_default().push(s);
        }
        let mut groups: Vec<(Alike, Vec<&Session>)> = groups.into_iter().collect();
        groups.sort_by_key(|(key, rows)| (key.2.is_empty(), std::cmp::Reverse(rows.len())));
        let head = format!(
            " {} at {} ({} in all; {} before)",
            words::name(t, db),
            words::moment(self.plan, at),
            words::count(now.len(), "session"),
            words::count(earlier.len(), "snapshot"),
        );
        let mut out = vec![head];
        let behind = |pid: i64| {
            now.iter().filter(|s| s.blocked_by.iter().flatten().any(|b| *b == pid)).count()
        };
        for (key, rows) in groups.iter().take(LINES) {
            out.push(line(key, rows, at, &behind));
        }
        if groups.len() > LINES {
            out.push(format!("   and {} more kinds of session", groups.len() - LINES));
        }
        out.extend(self.locks(db, at));
        out
    }

    /// Locks that were waited for when they were last looked at near the snapshot.
    fn locks(&self, db: EntityId, at: Micros) -> Vec<String> {
        const NEAR: Micros = 10 * SECOND;
        let t = &self.instant.telemetry;
        let waiting = || t.locks.iter().filter(|(d, l)| *d == db && !l.granted).map(|(_, l)| l);
        let near = waiting().filter_map(|l| l.at).filter(|l| (at - l).abs() <= NEAR).max();
        let mut waits: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for l in waiting().filter(|l| near.is_some() && l.at == near) {
            *waits.entry((&l.mode, &l.relation)).or_default() += 1;
        }
        let said = |((mode, relation), n): ((&str, &str), usize)| {
            format!("   locks: {n} wait for {mode} {relation}")
        };
        waits.into_iter().map(said).collect()
    }
}

/// Who, in which state, waiting for what, on what.
fn alike(s: &Session) -> Alike {
    let who = match (s.application.is_empty(), s.backend_type.is_empty()) {
        (false, _) => s.application.to_string(),
        (true, false) => s.backend_type.to_string(),
        (true, true) => "?".to_owned(),
    };
    let wait = match (s.wait_event_type.is_empty(), s.wait_event.is_empty()) {
        (true, true) => String::new(),
        _ => format!("{}/{}", s.wait_event_type, s.wait_event),
    };
    // Idle sessions wait for their client: that is no wait to look at.
    let wait = if wait.starts_with("Client/") || wait.starts_with("Activity/") {
        String::new()
    } else {
        wait
    };
    (who, s.state.to_string(), wait, s.wait_relation.to_string())
}

fn line(key: &Alike, rows: &[&Session], at: Micros, behind: &dyn Fn(i64) -> usize) -> String {
    let (who, state, wait, relation) = key;
    let mut parts = vec![format!("{:>4} × {who:<18} {state:<20}", rows.len())];
    if !wait.is_empty() {
        parts.push(wait.clone());
    }
    if !relation.is_empty() {
        parts.push(format!("on {relation}"));
    }
    let blockers: BTreeSet<i64> =
        rows.iter().flat_map(|s| s.blocked_by.iter().flatten()).copied().collect();
    if !blockers.is_empty() {
        let shown: Vec<String> = blockers.iter().take(3).map(i64::to_string).collect();
        let more = if blockers.len() > 3 { " …" } else { "" };
        parts.push(format!("blocked by {}{more}", shown.join(", ")));
    }
    // The one with the oldest transaction stands for all.
    let start = |s: &Session| s.xact_start().or(s.query_start());
    let oldest = rows.iter().min_by_key(|s| (start(s).unwrap_or(Micros::MAX), s.pid));
    let Some(s) = oldest else { return parts.join("  ") };
    let pid =
        if rows.len() == 1 { format!("pid {}", s.pid) } else { format!("oldest pid {}", s.pid) };
    let age = start(s).map(|t| time::duration((at - t).max(0) as f64 / SECOND as f64));
    let age = age.filter(|_| state != "idle").map_or(String::new(), |a| format!(" for {a}"));
    parts.push(format!("{pid}{age}"));
    if behind(s.pid) > 0 {
        parts.push(format!("blocks {}", behind(s.pid)));
    }
    let tag =
        if s.query_tag.is_empty() { String::new() } else { format!("/* {} */ ", s.query_tag) };
    let query: String = s.query.chars().take(STATEMENT).collect();
    if !query.is_empty() && state != "idle" {
        parts.push(format!("{tag}{query}"));
    }
    format!("  {}", parts.join("  "))
}
