//! Session snapshots to per-snapshot facts: how many wait for locks, run, idle, hold transactions,
//! per database and per calling service.

use super::{Origin, SignalSeries, Source, counter};
use crate::ingest::raw::{PerShape, Session};
use crate::model::{EntityId, Micros, SECOND, Subject};
use crate::signals::Stat;
use crate::telemetry::{Points, Telemetry, service_of};
use std::collections::BTreeMap;

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

impl Facts {
    fn count(&mut self, s: &Session, known: &Known) {
        if !s.is_client() {
            self.server = true;
            self.replays |= known.replays;
            return;
        }
        self.total += 1.0;
        let age = known.backend_start.map(|b| s.at - b);
        self.new += f64::from(u8::from(age.is_some_and(|a| (0..NEW).contains(&a))));
        self.waiting += f64::from(u8::from(s.waits_for_lock()));
        self.active += known.active;
        self.idle += known.idle;
        self.in_transaction += known.in_transaction;
        if let Some(start) = s.xact_start() {
            self.oldest_s = self.oldest_s.max((s.at - start) as f64 / SECOND as f64);
        }
    }

    fn add(&mut self, more: &Facts) {
        self.total += more.total;
        self.new += more.new;
        self.replays |= more.replays;
        self.server |= more.server;
        self.waiting += more.waiting;
        self.active += more.active;
        self.idle += more.idle;
        self.in_transaction += more.in_transaction;
        self.oldest_s = self.oldest_s.max(more.oldest_s);
    }
}

/// What is looked up once for all rows of one shape.
struct Known {
    /// Place of the service's edge among the subjects.
    edge: Option<usize>,
    backend_start: Option<Micros>,
    replays: bool,
    active: f64,
    idle: f64,
    in_transaction: f64,
}

/// Facts of one subject by time.
type Snapshots = BTreeMap<Micros, Facts>;

/// Counts the rows of every database and of every service's edge to one.
fn facts(telemetry: &Telemetry) -> BTreeMap<Subject, Snapshots> {
    let mut places: BTreeMap<Subject, usize> = BTreeMap::new();
    let mut found: Vec<Vec<(Micros, Facts)>> = Vec::new();
    let mut known: PerShape<Known> = PerShape::default();
    for (db, rows) in telemetry.sessions.snapshots() {
        let own = place(&mut places, &mut found, Subject::Entity(db));
        for s in rows {
            let known = known.of(s, || {
                let service = service_of(&telemetry.graph, s).map(|(service, _)| service);
                let is = |yes: bool| f64::from(u8::from(yes));
                Known {
                    edge: service
                        .map(|service| Subject::Edge(service, db))
                        .map(|edge| place(&mut places, &mut found, edge)),
                    backend_start: s.backend_start,
                    replays: REPLAY.contains(&s.backend_type.as_str()),
                    active: is(s.state == "active"),
                    idle: is(s.state == "idle"),
                    in_transaction: is(s.state.starts_with("idle in transaction")),
                }
            });
            for place in [Some(own), known.edge].into_iter().flatten() {
                let all = &mut found[place];
                if all.last().is_none_or(|(at, _)| *at != s.at) {
                    all.push((s.at, Facts::default()));
                }
                if let Some((_, facts)) = all.last_mut() {
                    facts.count(s, known);
                }
            }
        }
    }
    let by_time = |all: &mut Vec<(Micros, Facts)>| {
        let mut out = Snapshots::new();
        for (at, facts) in all.drain(..) {
            out.entry(at).or_default().add(&facts);
        }
        out
    };
    places.into_iter().map(|(subject, i)| (subject, by_time(&mut found[i]))).collect()
}

/// The place of a subject, which is a new one at first.
fn place<T: Default>(
    places: &mut BTreeMap<Subject, usize>,
    found: &mut Vec<T>,
    subject: Subject,
) -> usize {
    *places.entry(subject).or_insert_with(|| {
        found.push(T::default());
        found.len() - 1
    })
}

/// Name of a series and how it is read from a snapshot's facts.
type Column = (&'static str, fn(&Facts) -> f64);

/// Makes the series of every database with session snapshots.
pub fn roll_up(telemetry: &Telemetry) -> Vec<SignalSeries> {
    let by = facts(telemetry);
    let mut files: BTreeMap<EntityId, String> = BTreeMap::new();
    for (db, s) in telemetry.sessions.firsts() {
        let file = telemetry.files.get(s.file as usize);
        files.entry(db).or_insert_with(|| file.map(|f| f.path.clone()).unwrap_or_default());
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
