//! Tests on session snapshots: roots of blocking trees, roots that come and go, what busy sessions
//! wait for, who holds the sessions.
//!
//! All are three-valued: what the export hides (`<insufficient privilege>`, a missing column) is
//! unobservable, never absent.

use super::conditions::fits;
use super::{Context, Observation, Question};
use crate::diagnosis::EvidenceState::{Absent, Present};
use crate::features::blocking::{Contention, RootBlocker};
use crate::features::waits::{self, Holder, ServerSessions, WaitShare};
use crate::ingest::raw::Session;
use crate::ingest::{sql, verbs};
use crate::model::{EntityId, SECOND, Unit};
use crate::time;
use std::collections::BTreeMap;

/// Facts that the blocking test binds.
pub const BLOCKING: &[&str] = &[
    "pid",
    "application",
    "user",
    "client",
    "database",
    "state",
    "query",
    "fingerprint",
    "tag",
    "short",
    "relation",
    "age",
    "still",
    "waited",
    "victims",
    "victim_list",
    "snapshots",
    "since",
    "started",
    "through",
    "depth",
    "backend_start",
];

/// Facts that the contention test binds.
pub const CONTENTION: &[&str] = &[
    "roots",
    "snapshots",
    "top_share",
    "circles",
    "waiting",
    "relation",
    "event",
    "event_share",
    "statement",
    "application",
    "applications",
    "since",
];

/// Facts that the waits test binds.
pub const WAITS: &[&str] = &[
    "event",
    "share",
    "share_before",
    "waiting",
    "peak",
    "statements",
    "statement",
    "application",
    "applications",
    "longest",
];

/// Facts that the session-holders test binds.
pub const HOLDERS: &[&str] =
    &["application", "user", "sessions", "sessions_before", "share", "states", "at"];

/// Share of client rows from which hidden states leave open what sessions do.
const MOSTLY_HIDDEN: f64 = 0.5;
/// Names in a list of applications or states.
const NAMES: usize = 4;

/// A root blocker of the subject database that fulfils the conditions.
pub fn blocking(q: &Question) -> Observation {
    let Question { context: c, subject: e, rule: r, signature: s, .. } = *q;
    let Some(db) = e else { return Observation::unobservable() };
    let own: Vec<&RootBlocker> = c.features.blockers.iter().filter(|b| b.database == db).collect();
    if own.is_empty() && !tells_blockers(c, db) {
        return Observation::unobservable();
    }
    let tried = own.iter().map(|b| (*b, fits(r, s, &|k| number(b, k), &|k| text(b, k))));
    let tried: Vec<(&RootBlocker, Option<bool>)> = tried.collect();
    match tried.iter().find(|(_, fit)| *fit == Some(true)) {
        Some((b, _)) => root(c, b),
        None if tried.iter().any(|(_, fit)| fit.is_none()) => Observation::unobservable(),
        None => Observation::of(Absent),
    }
}

/// Says whether the snapshots of a server have a column of blockers, or their locks say it.
fn tells_blockers(c: &Context, db: EntityId) -> bool {
    c.telemetry.sessions.iter().any(|(d, x)| d == db && x.blocked_by.is_some())
}

fn number(b: &RootBlocker, key: &str) -> Option<f64> {
    match key {
        "victims" => Some(b.victims as f64),
        "age_s" => b.session.xact_start().or(b.session.query_start()).map(|_| b.age_s),
        "held_s" => b.held_s,
        "still_s" => b.still_s,
        "waited_s" => Some(b.waited_s),
        "snapshots" => Some(b.snapshots as f64),
        "share" => Some(b.share),
        "depth" => Some(b.depth as f64),
        _ => None,
    }
}

fn text(b: &RootBlocker, key: &str) -> Option<String> {
    let query = &b.session.query;
    let shown = !verbs::is_hidden(query);
    match key {
        "state" => Some(b.session.state.to_string()).filter(|state| !state.is_empty()),
        "ddl" => shown.then(|| verbs::is_ddl(query).to_string()),
        "writes" => shown.then(|| verbs::writes(query).to_string()),
        "row_locks" => b.row_locks.map(|on_rows| on_rows.to_string()),
        "autovacuum" => Some(verbs::autovacuum(query).to_owned()),
        "ddl_waits" => Some(b.ddl_waits.to_string()),
        "backend" => Some(b.session.backend_type.to_string()),
        "standby" => Some(b.through.is_some().to_string()),
        _ => None,
    }
}

fn or(a: &str, b: &str) -> String {
    if a.is_empty() { b.to_owned() } else { a.to_owned() }
}

/// `8 x orders, 2 x report`, the most first.
fn list(count: &BTreeMap<String, usize>) -> String {
    let mut all: Vec<(&String, &usize)> = count.iter().collect();
    all.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let shown: Vec<String> =
        all.iter().take(NAMES).map(|(a, n)| format!("{n} x {}", or(a, "unnamed"))).collect();
    let more = all.len().saturating_sub(NAMES);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", shown.join(", "))
}

/// The most frequent name.
fn most(count: &BTreeMap<String, usize>) -> String {
    let best = count.iter().max_by_key(|(name, n)| (**n, std::cmp::Reverse(*name)));
    best.map_or_else(String::new, |(name, _)| name.clone())
}

fn place(c: &Context, s: &Session) -> Option<(String, Option<u64>)> {
    let file = c.telemetry.files.get(s.file as usize).map(|f| f.path.clone()).unwrap_or_default();
    Some((file, Some(s.line())))
}

fn root(c: &Context, b: &RootBlocker) -> Observation {
    let s = &b.session;
    let started = s.xact_start().or(s.query_start()).map_or_else(|| "?".to_owned(), time::clock);
    let client = s.client_addr.as_str();
    let unnamed = match s.backend_type.as_str() {
        "" | "client backend" => "unnamed application",
        auxiliary => auxiliary,
    };
    let who = if s.pid == 0 { "prepared transaction" } else { unnamed };
    let mut o = Observation::of(Present)
        .fact("pid", s.pid.to_string())
        .fact("application", or(&s.application, &or(&s.user, who)))
        .fact("user", or(&s.user, "?"))
        .fact("client", or(client, "local"))
        .fact("database", s.database.to_string())
        .fact("state", or(&s.state, "in a state that the export does not show"))
        .fact("query", s.query.to_string())
        .fact("fingerprint", sql::fingerprint(&s.query))
        .fact("tag", or(own_tag(s), &or(&sql::summary(&s.query), "statement not shown")))
        .fact("short", sql::summary(&s.query))
        .fact("relation", or(&b.relation, "a relation"))
        .fact("age", time::duration(b.age_s))
        .fact("still", b.still_s.map_or_else(|| "an unknown time".to_owned(), time::duration))
        .fact("waited", time::duration(b.waited_s))
        .fact("victims", b.victims.to_string())
        .fact("victim_list", list(&b.victim_applications))
        .fact("snapshots", b.snapshots.to_string())
        .fact("since", time::clock(b.since))
        .fact("started", started)
        .fact(
            "through",
            b.through.clone().map_or(String::new(), |t| format!(", through the {t} process")),
        )
        .fact("depth", b.depth.to_string())
        .fact("backend_start", began(s));
    o.place = place(c, s);
    o.span = Some((b.since.max(b.first_seen - 60 * SECOND).min(b.first_seen), b.last_seen));
    o.inferred = b.inferred;
    o
}

/// When a session began, as a command names it. Where that is hidden the command says how to get it,
/// and PostgreSQL refuses to run it as it is: a pid alone may be another session's by now.
pub fn began(s: &Session) -> String {
    let ask =
        || format!("<hidden: SELECT backend_start FROM pg_stat_activity WHERE pid = {}>", s.pid);
    s.backend_start.map_or_else(ask, time::rfc3339)
}

/// The statement's tag without the application's name in front.
fn own_tag(s: &Session) -> &str {
    let rest = s.query_tag.strip_prefix(s.application.as_str()).unwrap_or(&s.query_tag);
    rest.trim_start_matches([':', ' '])
}

/// Sessions wait for each other over several snapshots, in the way the conditions say.
pub fn contention(q: &Question) -> Observation {
    let Question { context: c, subject: e, rule: r, signature: s, .. } = *q;
    let Some(db) = e else { return Observation::unobservable() };
    let Some(x) = c.features.contention.iter().find(|x| x.database == db) else {
        return if tells_blockers(c, db) {
            Observation::of(Absent)
        } else {
            Observation::unobservable()
        };
    };
    let number = |key: &str| match key {
        "roots" => Some(x.roots as f64),
        "snapshots" => Some(x.snapshots as f64),
        "top_share" => Some(x.top_share),
        "circle_share" => Some(x.circle_share),
        "victims" => Some(x.victims),
        "applications" => Some(x.applications.len() as f64),
        "event_share" => Some(x.event_share).filter(|_| !x.event.is_empty()),
        "relation_share" => Some(x.relation_share).filter(|_| !x.relation.is_empty()),
        "statement_share" => Some(x.statement_share).filter(|_| !x.statement.is_empty()),
        _ => None,
    };
    let known = |value: &str| Some(value.to_owned()).filter(|v| !v.is_empty());
    let text = |key: &str| match key {
        "event" => known(&x.event),
        "relation" => known(&x.relation),
        _ => None,
    };
    match fits(r, s, &number, &text) {
        Some(true) => contended(c, x),
        Some(false) => Observation::of(Absent),
        None => Observation::unobservable(),
    }
}

fn contended(c: &Context, x: &Contention) -> Observation {
    let percent = |share: f64| super::human(share, Unit::Ratio);
    let mut o = Observation::of(Present)
        .fact("roots", x.roots.to_string())
        .fact("snapshots", x.snapshots.to_string())
        .fact("top_share", percent(x.top_share))
        .fact("circles", percent(x.circle_share))
        .fact("waiting", format!("{:.0}", x.victims))
        .fact("relation", or(&x.relation, "a relation"))
        .fact("event", or(&x.event, "a lock"))
        .fact("event_share", percent(x.event_share))
        .fact("statement", or(&x.statement, "statement not shown"))
        .fact("application", most(&x.applications))
        .fact("applications", x.applications.len().to_string())
        .fact("since", time::clock(x.first));
    o.place = place(c, &x.worst);
    o.span = Some((x.first, x.last));
    o
}

fn server<'a>(c: &Context<'a>, e: Option<EntityId>) -> Option<&'a ServerSessions> {
    let db = e?;
    c.features.servers.iter().find(|s| s.database == db)
}

/// At least `value` of the busy sessions wait for the events that the conditions name.
pub fn waits(q: &Question) -> Observation {
    let Question { context: c, subject: e, rule: r, value: v, signature: s, .. } = *q;
    let Some(all) = server(c, e) else { return Observation::unobservable() };
    if !all.tells_waits || all.hidden > MOSTLY_HIDDEN {
        return Observation::unobservable();
    }
    let named = |key: &str, is: &str| {
        let wanted = r.conditions.get(key);
        wanted.is_none_or(|w| w.split('|').any(|w| w.trim().eq_ignore_ascii_case(is)))
    };
    let fitting =
        all.waits.iter().filter(|w| named("type", &w.event_type) && named("event", &w.event));
    let Some(w) = waits::combined(fitting) else { return Observation::of(Absent) };
    let number = |key: &str| match key {
        "growth" => w.before.map(|b| if b > 0.0 { w.during / b } else { f64::INFINITY }),
        "sessions" => Some(w.sessions),
        "peak" => Some(w.peak as f64),
        "statements" => Some(w.statements.len() as f64).filter(|n| *n > 0.0),
        "applications" => Some(w.applications.len() as f64),
        "longest_s" => Some(w.longest_s),
        _ => None,
    };
    // The names were looked at already.
    let text = |key: &str| r.conditions.get(key).map(|w| or(w.split('|').next().unwrap_or(""), ""));
    match (w.during >= v, fits(r, s, &number, &text)) {
        (true, Some(true)) => waited(c, &w),
        (true, None) => Observation::unobservable(),
        _ => Observation::of(Absent),
    }
}

fn waited(c: &Context, w: &WaitShare) -> Observation {
    let percent = |share: f64| super::human(share, Unit::Ratio);
    let mut o = Observation::of(Present)
        .fact("event", format!("{}:{}", w.event_type, w.event))
        .fact("share", percent(w.during))
        .fact("share_before", w.before.map_or_else(|| "an unknown share".to_owned(), percent))
        .fact("waiting", super::human(w.sessions, Unit::Count))
        .fact("peak", w.peak.to_string())
        .fact("statements", w.statements.len().to_string())
        .fact("statement", or(&most(&w.statements), "statement not shown"))
        .fact("application", most(&w.applications))
        .fact("applications", w.applications.len().to_string())
        .fact("longest", time::duration(w.longest_s));
    o.place = place(c, &w.place);
    o.span = w.span;
    o
}

/// An application took at least `value` sessions more than before, in the way the conditions say.
pub fn holders(q: &Question) -> Observation {
    let Question { context: c, subject: e, rule: r, value: v, signature: s, .. } = *q;
    let Some(all) = server(c, e) else { return Observation::unobservable() };
    let grown = |h: &Holder| h.during as f64 - h.before.unwrap_or(0) as f64;
    let Some(h) = all.holders.iter().max_by(|a, b| {
        grown(a).total_cmp(&grown(b)).then_with(|| b.application.cmp(&a.application))
    }) else {
        return Observation::unobservable();
    };
    let of_state = |state: &str| {
        let n = h.states.iter().filter(|(name, _)| name.starts_with(state)).map(|(_, n)| n);
        n.sum::<usize>() as f64 / h.during.max(1) as f64
    };
    let number = |key: &str| match key {
        "sessions" => Some(h.during as f64),
        "share" => Some(h.share),
        "growth" => h.before.map(|b| h.during as f64 / b.max(1) as f64),
        "idle_share" => Some(of_state("idle")),
        "active_share" => Some(of_state("active")),
        _ => None,
    };
    match (grown(h) >= v, fits(r, s, &number, &|_| None)) {
        (true, Some(true)) => held(c, h),
        (true, None) => Observation::unobservable(),
        _ => Observation::of(Absent),
    }
}

fn held(c: &Context, h: &Holder) -> Observation {
    let before = h.before.map_or_else(|| "an unknown number".to_owned(), |b| b.to_string());
    let mut o = Observation::of(Present)
        .fact("application", h.application.clone())
        .fact("user", or(&h.user, "?"))
        .fact("sessions", h.during.to_string())
        .fact("sessions_before", before)
        .fact("share", super::human(h.share, Unit::Ratio))
        .fact("states", list(&h.states))
        .fact("at", time::clock(h.at));
    o.place = place(c, &h.place);
    o.span = Some((h.at, h.at));
    o
}
