//! Session snapshots to per-snapshot facts: how many wait for locks, run, idle, hold transactions,
//! per database and per calling service.

use super::{Origin, SignalSeries, Source, counter};
use crate::ingest::raw::RawSession;
use crate::model::{EntityId, Micros, SECOND, Subject};
use crate::signals::Stat;
use crate::telemetry::{Points, Telemetry, service_of};
use std::collections::{BTreeMap, HashMap};

/// Says whether a row is a client's backend, or of an export without backend types.
pub fn is_client(s: &RawSession) -> bool {
    s.backend_type.is_empty() || s.backend_type == "client backend"
}

/// Says whether a session waits for a heavyweight lock: by its event, or, where events are hidden,
/// because it has blockers.
pub fn waits_for_lock(s: &RawSession) -> bool {
    s.wait_event_type.eq_ignore_ascii_case("lock")
        || s.wait_event_type.is_empty() && s.blocked_by.iter().any(|b| !b.is_empty())
}

/// Age below which a session is new, microseconds: below the usual lifetime of pooled connections.
const NEW: Micros = 30 * SECOND;

/// Processes that only a standby has.
const REPLAY: [&str; 2] = ["startup", "walreceiver"];

#[derive(Default)]
struct Facts {
    /// All client sessions, and those that were opened a moment ago.
    total: f64,
    new: f64,
    /// A process that replays or receives the log, and any other process of the server.
    replays: bool,
    server: bool,
    waiting: f64,
    active: f64,
    idle: f64,
    in_transaction: f64,
    oldest_s: f64,
}

/// Name of a series and how it is read from a snapshot's facts.
type Column = (&'static str, fn(&Facts) -> f64);

/// Makes the series of every database with session snapshots.
pub fn roll_up(telemetry: &Telemetry) -> Vec<SignalSeries> {
    let mut by: BTreeMap<Subject, BTreeMap<Micros, Facts>> = BTreeMap::new();
    let mut files: BTreeMap<EntityId, String> = BTreeMap::new();
    let mut services: HashMap<(&str, &str, &str), Option<EntityId>> = HashMap::new();
    for (db, s) in &telemetry.sessions {
        files.entry(*db).or_insert_with(|| {
            telemetry.files.get(s.file as usize).map(|f| f.path.clone()).unwrap_or_default()
        });
        let origin = (&*s.application, &*s.client_addr, &*s.user);
        let service = *services
            .entry(origin)
            .or_insert_with(|| service_of(&telemetry.graph, s).map(|(service, _)| service));
        let edge = service.map(|service| Subject::Edge(service, *db));
        for subject in [Some(Subject::Entity(*db)), edge].into_iter().flatten() {
            let facts = by.entry(subject).or_default().entry(s.at).or_default();
            if !is_client(s) {
                facts.server = true;
                facts.replays |= REPLAY.contains(&s.backend_type.as_str());
                continue;
            }
            facts.total += 1.0;
            let age = s.backend_start.map(|b| s.at - b);
            facts.new += f64::from(u8::from(age.is_some_and(|a| (0..NEW).contains(&a))));
            facts.waiting += f64::from(u8::from(waits_for_lock(s)));
            facts.active += f64::from(u8::from(s.state == "active"));
            facts.idle += f64::from(u8::from(s.state == "idle"));
            facts.in_transaction += f64::from(u8::from(s.state.starts_with("idle in transaction")));
            if let Some(start) = s.xact_start {
                facts.oldest_s = facts.oldest_s.max((s.at - start) as f64 / SECOND as f64);
            }
        }
    }
    let mut out = Vec::new();
    for (subject, snapshots) in &by {
        let db = match subject {
            Subject::Entity(db) | Subject::Edge(_, db) => db,
        };
        let file = files.get(db).cloned().unwrap_or_default();
        let mut columns: Vec<Column> = vec![
            ("total", |f| f.total),
            ("new", |f| f.new),
            ("lock_waiting", |f| f.waiting),
            ("active", |f| f.active),
            ("idle", |f| f.idle),
            ("idle_in_transaction", |f| f.in_transaction),
            ("oldest_transaction", |f| f.oldest_s),
        ];
        // Exports of client sessions alone do not tell a standby from a primary.
        let server = matches!(subject, Subject::Entity(_)) && snapshots.values().all(|f| f.server);
        if server {
            columns.push(("standby", |f| f64::from(u8::from(f.replays))));
        }
        for (name, value) in columns {
            let Some(signal) = telemetry.signals.named(&format!("postgresql.sessions.{name}"))
            else {
                continue;
            };
            let points: Points = snapshots.iter().map(|(t, f)| (*t, value(f))).collect();
            out.push(SignalSeries {
                subject: *subject,
                signal,
                role: telemetry.signals.get(signal).role.clone(),
                stat: Stat::Value,
                dims: String::new(),
                step: counter::step(&points).unwrap_or(0),
                points,
                smear: 0,
                origin: Origin::Sessions,
                guessed: false,
                source: Source { file: file.clone(), series: format!("sessions: {name}") },
            });
        }
    }
    out
}
