//! Patroni's REST answers: `/patroni` (one member), `/cluster` (all members), `/history` (changes of
//! the leader). In: JSON. Out: series under the names of Patroni's own `/metrics`, and events.

use super::documents;
use super::series::Growing;
use crate::ingest::lenient::{self, Scalar};
use crate::ingest::raw::{Raw, RawEvent};
use crate::ingest::{Head, Input, cell};
use crate::model::Micros;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Accepts the status of a member, the list of members, or the history of leaders.
pub fn accepts(head: &Head) -> bool {
    if !head.is_json() {
        return false;
    }
    let keys = documents::first_keys(head.bytes);
    let has = |name: &str| keys.iter().any(|k| k == name);
    let own = ["patroni", "api_url", "timeline"].iter().any(|k| has(k));
    let member = has("state") && has("role") && own;
    let cluster = has("members") && head.has_key("role") && head.has_key("api_url");
    member || cluster || is_history(head.bytes)
}

/// Says whether the first element of the list is `[timeline, position, "reason", …]`.
fn is_history(text: &[u8]) -> bool {
    let start: Vec<u8> =
        text.iter().copied().filter(|b| !b.is_ascii_whitespace()).take(400).collect();
    let text = String::from_utf8_lossy(&start);
    let Some(inner) = text.strip_prefix("[[") else { return false };
    let mut fields = inner.splitn(3, ',');
    let mut number = || fields.next().is_some_and(|f| f.parse::<u64>().is_ok());
    number() && number() && inner.contains("\"norecoverytargetspecified")
}

#[derive(Deserialize)]
struct Member {
    #[serde(default)]
    name: Scalar,
    #[serde(default)]
    state: Scalar,
    #[serde(default)]
    role: Scalar,
    #[serde(default)]
    timeline: Scalar,
    #[serde(default)]
    lag: Scalar,
    #[serde(default)]
    cluster_unlocked: Scalar,
    #[serde(default)]
    dcs_last_seen: Scalar,
    #[serde(default)]
    pause: Scalar,
    #[serde(default)]
    pending_restart: Scalar,
    #[serde(default)]
    patroni: Option<Patroni>,
    #[serde(default)]
    xlog: Option<BTreeMap<String, Scalar>>,
    #[serde(default)]
    replication: Option<Vec<BTreeMap<String, Scalar>>>,
}

#[derive(Deserialize)]
struct Patroni {
    #[serde(default)]
    name: Scalar,
    #[serde(default)]
    scope: Scalar,
}

#[derive(Deserialize)]
struct Cluster {
    members: Vec<Member>,
    #[serde(default)]
    scope: Scalar,
    #[serde(default)]
    pause: Scalar,
}

/// Reads every document of a file, whichever answer it is.
pub fn read(input: &Input, raw: &mut Raw) {
    let mut growing = Growing::default();
    input.documents(raw, |at, document, raw| {
        if document.first() == Some(&b'[') {
            history(input, (at, document), raw);
            return;
        }
        if let Ok(cluster) = lenient::from_slice::<Cluster>(document) {
            let Some(taken) = input.taken_at(raw) else { return untaken(input, raw) };
            for member in &cluster.members {
                one(member, &cluster.scope.text(), taken, &mut growing);
                raw.rows(input.file, 1);
            }
            let labels = BTreeMap::from([("scope".to_owned(), cluster.scope.text())]);
            growing.add(("patroni_is_paused", ""), &labels, (taken, truth(&cluster.pause)));
            return;
        }
        match lenient::from_slice::<Member>(document) {
            Ok(member) => {
                let seen = member.dcs_last_seen.moment(input.zone);
                let Some(taken) = seen.or_else(|| input.taken_at(raw)) else {
                    return untaken(input, raw);
                };
                one(&member, "", taken, &mut growing);
                raw.rows(input.file, 1);
            }
            Err(e) => input.skip_unreadable(at, "a status", e, raw),
        }
    });
    growing.finish(input, raw);
}

fn untaken(input: &Input, raw: &mut Raw) {
    raw.skip(input.file, None, "a status whose time is not known (give --at)", 1);
}

fn truth(value: &Scalar) -> f64 {
    f64::from(u8::from(*value == Scalar::Bool(true)))
}

/// The series of one member.
fn one(member: &Member, scope: &str, at: Micros, growing: &mut Growing) {
    let own = member.patroni.as_ref().map(|p| (p.scope.text(), p.name.text()));
    let (scope, name) = own.unwrap_or((scope.to_owned(), String::new()));
    let name = if name.is_empty() { member.name.text() } else { name };
    let labels = BTreeMap::from([("scope".to_owned(), scope), ("name".to_owned(), name)]);
    let role = member.role.text();
    let is = |roles: &[&str]| f64::from(u8::from(roles.contains(&role.as_str())));
    let running = ["running", "streaming"].contains(&member.state.text().as_str());
    let mut add = |name, unit, value| growing.add((name, unit), &labels, (at, value));
    add("patroni_primary", "", is(&["primary", "master", "leader"]));
    add("patroni_standby_leader", "", is(&["standby_leader"]));
    add("patroni_replica", "", is(&["replica", "sync_standby", "quorum_standby"]));
    add("patroni_postgres_running", "", f64::from(u8::from(running)));
    if let Some(timeline) = member.timeline.number() {
        add("patroni_postgres_timeline", "", timeline);
    }
    if let Some(lag) = member.lag.number() {
        add("patroni_replication_lag_bytes", "bytes", lag);
    }
    if let Some(seen) = member.dcs_last_seen.number() {
        add("patroni_dcs_last_seen", "s", seen);
    }
    if member.patroni.is_some() {
        add("patroni_cluster_unlocked", "", truth(&member.cluster_unlocked));
        add("patroni_is_paused", "", truth(&member.pause));
        add("patroni_pending_restart", "", truth(&member.pending_restart));
    }
    let position = |key: &str| member.xlog.as_ref().and_then(|x| x.get(key)?.number());
    for (key, name) in [
        ("location", "patroni_xlog_location"),
        ("received_location", "patroni_xlog_received_location"),
        ("replayed_location", "patroni_xlog_replayed_location"),
    ] {
        if let Some(bytes) = position(key) {
            add(name, "bytes", bytes);
        }
    }
    if let Some(standbys) = &member.replication {
        let state =
            |s: &&BTreeMap<String, Scalar>| s.get("state").is_some_and(|s| s.text() == "streaming");
        add("patroni_streaming_standbys", "", standbys.iter().filter(state).count() as f64);
    }
}

/// Reads the history: `[timeline, position, reason, time, new leader]`, the last two since 1.6 and 2.1.
fn history(input: &Input, (base, document): (usize, &[u8]), raw: &mut Raw) {
    input.elements((base, document), &[], "a change of the leader", raw, |at, text, raw| {
        let fields = match lenient::from_slice::<Vec<Scalar>>(text) {
            Ok(fields) => fields,
            Err(e) => return input.skip_unreadable(at, "a change of the leader", e, raw),
        };
        let field = |i: usize| fields.get(i).map(Scalar::text).unwrap_or_default();
        let Some(when) = cell::moment(&field(3), input.zone) else {
            let line = Some(input.line(at));
            raw.skip(input.file, line, "a change of the leader without a time", 1);
            return;
        };
        let leader = field(4);
        let to = if leader.is_empty() { String::new() } else { format!(" to {leader}") };
        raw.events.push(RawEvent {
            at: when,
            kind: "failover".to_owned(),
            service: String::new(),
            target: leader,
            title: format!("timeline {} ended: leader changed{to} ({})", field(0), field(2)),
            version: String::new(),
            file: input.file,
            line: input.line(at),
        });
        raw.rows(input.file, 1);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histories_are_told_from_other_lists_of_lists() {
        let own =
            b"[[1, 25623960, \"no recovery target specified\", \"2019-09-23T16:57:57+00:00\"]]";
        assert!(is_history(own));
        assert!(
            !is_history(b"[[1, 2, \"x\"]]") && !is_history(b"[]") && !is_history(b"[[1795, 2]]")
        );
    }
}
