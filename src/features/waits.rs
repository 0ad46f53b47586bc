//! What sessions wait for, and who holds the sessions. In: session snapshots. Out: per server the
//! share of busy sessions by wait event, before and during the incident, and sessions by application.
//!
//! Shares are pooled over snapshots (waiting sessions over busy sessions), so that a snapshot with
//! two sessions does not weigh as much as one with eighty. Without a snapshot in a window the share
//! there is `None`, not zero.

use super::forest::{Snapshot, snapshots};
use crate::ingest::raw::{PerShape, Session};
use crate::ingest::{sql, verbs};
use crate::model::{EntityId, Micros, SECOND, Window};
use crate::telemetry::Telemetry;
use std::collections::{BTreeMap, BTreeSet};

/// Waits of sessions that have nothing to do.
const AT_REST: [&str; 3] = ["", "Client", "Activity"];

/// One wait event of one server.
#[derive(Clone, Debug, Default)]
pub struct WaitShare {
    pub event_type: String,
    pub event: String,
    /// Share of the busy client sessions that wait for it, 0 to 1, before and during.
    pub before: Option<f64>,
    pub during: f64,
    /// Mean number of waiting sessions per snapshot of the incident, and the most at once.
    pub sessions: f64,
    pub peak: usize,
    /// Waiting sessions by statement (a short name) and by application, over the incident.
    pub statements: BTreeMap<String, usize>,
    pub applications: BTreeMap<String, usize>,
    /// Longest time that one of them had waited, seconds.
    pub longest_s: f64,
    /// First and last snapshot of the incident that shows it.
    pub span: Option<(Micros, Micros)>,
    /// Where it is seen most.
    pub place: Session,
}

/// The client sessions of one application on one server.
#[derive(Clone, Debug, Default)]
pub struct Holder {
    pub application: String,
    pub user: String,
    /// Most sessions at once before the incident; `None` without a snapshot then.
    pub before: Option<usize>,
    /// Most sessions at once in the incident, and the share of all client sessions then.
    pub during: usize,
    pub share: f64,
    /// Its sessions in that snapshot by state.
    pub states: BTreeMap<String, usize>,
    /// Snapshot with most of its sessions.
    pub at: Micros,
    pub place: Session,
}

/// All waits and holders of one server.
#[derive(Clone, Debug)]
pub struct ServerSessions {
    pub database: EntityId,
    /// Snapshots in the incident.
    pub snapshots: usize,
    /// Share of client rows whose state is hidden from the user who took the snapshots.
    pub hidden: f64,
    /// Some row says what it waits for.
    pub tells_waits: bool,
    pub waits: Vec<WaitShare>,
    /// By number of sessions, most first.
    pub holders: Vec<Holder>,
}

/// Measures every server with snapshots in `incident`.
pub fn servers(telemetry: &Telemetry, baseline: Window, incident: Window) -> Vec<ServerSessions> {
    let (mut before, during) =
        rayon::join(|| tallies(telemetry, baseline), || tallies(telemetry, incident));
    let with_before = |(db, during)| (db, (before.remove(&db).unwrap_or_default(), during));
    let by: BTreeMap<EntityId, (Tally, Tally)> = during.into_iter().map(with_before).collect();
    let known = by.into_iter().filter(|(_, (_, during))| during.snapshots > 0);
    known.map(|(database, (before, during))| server(database, &before, &during)).collect()
}

/// What each server's snapshots of a window show.
fn tallies(telemetry: &Telemetry, window: Window) -> BTreeMap<EntityId, Tally<'_>> {
    let mut by: BTreeMap<EntityId, Tally> = BTreeMap::new();
    for snapshot in snapshots(telemetry, window) {
        by.entry(snapshot.database).or_default().add(&snapshot);
    }
    by
}

/// Says whether a client session does or wants something.
fn is_busy(s: &Session) -> bool {
    s.state == "active" || s.state.is_empty() && !AT_REST.contains(&s.wait_event_type.as_str())
}

/// What is looked up once for all rows of one shape, and how many wait.
struct Known<'a> {
    session: &'a Session,
    busy: bool,
    hidden: bool,
    tells_wait: bool,
    event: Option<usize>,
    application: usize,
    waiting: usize,
}

/// Events and applications in the order in which they are first seen.
#[derive(Default)]
struct Places<'a> {
    events: Vec<WaitShare>,
    event_of: BTreeMap<(&'a str, &'a str), usize>,
    holders: Vec<Holder>,
    holder_of: BTreeMap<&'a str, usize>,
}

impl<'a> Places<'a> {
    fn look(&mut self, s: &'a Session) -> Known<'a> {
        let busy = is_busy(s);
        let waits = busy && !AT_REST.contains(&s.wait_event_type.as_str());
        Known {
            session: s,
            busy,
            hidden: s.state.is_empty() && verbs::is_hidden(&s.query),
            tells_wait: !s.wait_event_type.is_empty(),
            event: waits.then(|| self.event(s)),
            application: self.holder(s),
            waiting: 0,
        }
    }

    fn event(&mut self, s: &'a Session) -> usize {
        let events = &mut self.events;
        *self.event_of.entry((&s.wait_event_type, &s.wait_event)).or_insert_with(|| {
            events.push(WaitShare {
                event_type: s.wait_event_type.to_string(),
                event: s.wait_event.to_string(),
                place: s.clone(),
                ..WaitShare::default()
            });
            events.len() - 1
        })
    }

    fn holder(&mut self, s: &'a Session) -> usize {
        let holders = &mut self.holders;
        *self.holder_of.entry(name(s)).or_insert_with(|| {
            holders.push(Holder { application: name(s).to_owned(), ..Holder::default() });
            holders.len() - 1
        })
    }
}

#[derive(Default)]
struct Tally<'a> {
    snapshots: usize,
    clients: usize,
    hidden: usize,
    busy: usize,
    tells_waits: bool,
    known: PerShape<'a, Known<'a>>,
    places: Places<'a>,
    /// Sessions of one snapshot by event, and by application.
    waiting: Vec<usize>,
    held: Vec<usize>,
}

impl<'a> Tally<'a> {
    fn add(&mut self, snapshot: &Snapshot<'a>) {
        self.snapshots += 1;
        self.waiting.fill(0);
        self.held.fill(0);
        let mut clients = 0;
        for s in snapshot.rows.iter().copied().filter(|s| s.is_client()) {
            clients += 1;
            let known = self.known.of(s, || self.places.look(s));
            self.waiting.resize(self.places.events.len(), 0);
            self.held.resize(self.places.holders.len(), 0);
            self.held[known.application] += 1;
            self.hidden += usize::from(known.hidden);
            self.tells_waits |= known.tells_wait;
            self.busy += usize::from(known.busy);
            if let Some(event) = known.event {
                known.waiting += 1;
                self.waiting[event] += 1;
                let w = &mut self.places.events[event];
                let since = s.wait_start().or(s.query_start()).unwrap_or(s.at);
                w.longest_s = w.longest_s.max((s.at - since) as f64 / SECOND as f64);
                w.span = Some((w.span.map_or(s.at, |x| x.0.min(s.at)), s.at));
            }
        }
        self.clients += clients;
        for (w, n) in self.places.events.iter_mut().zip(&self.waiting) {
            w.sessions += *n as f64;
            w.peak = w.peak.max(*n);
        }
        for (holder, n) in self.places.holders.iter_mut().zip(&self.held) {
            if *n > holder.during {
                *holder = held(&holder.application, snapshot, clients);
            }
        }
    }

    /// Waits and holders by their names.
    fn named(&self) -> (BTreeMap<(String, String), WaitShare>, BTreeMap<String, Holder>) {
        let mut events = self.places.events.clone();
        for known in self.known.all().filter(|k| k.waiting > 0) {
            let Some(w) = known.event.and_then(|e| events.get_mut(e)) else { continue };
            let s = known.session;
            if !verbs::is_hidden(&s.query) {
                *w.statements.entry(sql::summary(&s.query)).or_default() += known.waiting;
            }
            *w.applications.entry(name(s).to_owned()).or_default() += known.waiting;
        }
        let events = events.into_iter().map(|w| ((w.event_type.clone(), w.event.clone()), w));
        let holders = self.places.holders.iter().map(|h| (h.application.clone(), h.clone()));
        (events.collect(), holders.collect())
    }
}

/// An application's sessions in the snapshot that has most of them so far.
fn held(application: &str, snapshot: &Snapshot, clients: usize) -> Holder {
    let own = |s: &&&Session| s.is_client() && name(s) == application;
    let rows: Vec<&&Session> = snapshot.rows.iter().filter(own).collect();
    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    for s in &rows {
        let state = if s.state.is_empty() { "unknown state" } else { &s.state };
        *states.entry(state.to_owned()).or_default() += 1;
    }
    let place = rows.first().map(|s| (**s).clone()).unwrap_or_default();
    Holder {
        application: application.to_owned(),
        user: place.user.to_string(),
        before: None,
        during: rows.len(),
        share: rows.len() as f64 / clients.max(1) as f64,
        states,
        at: snapshot.at,
        place,
    }
}

fn name(s: &Session) -> &str {
    match (s.application.as_str(), s.user.as_str()) {
        ("", "") => "unnamed",
        ("", user) => user,
        (application, _) => application,
    }
}

fn server(database: EntityId, before: &Tally, during: &Tally) -> ServerSessions {
    let ((was_waiting, was_held), (waits, holders)) = (before.named(), during.named());
    let share = |n: f64, busy: usize| if busy == 0 { 0.0 } else { n / busy as f64 };
    let (busy, snapshots) = (during.busy, during.snapshots);
    let waits = waits.into_iter().map(|(key, w)| {
        let was = was_waiting.get(&key).map_or(0.0, |b| b.sessions);
        WaitShare {
            before: (before.snapshots > 0).then(|| share(was, before.busy)),
            during: share(w.sessions, busy),
            sessions: w.sessions / snapshots as f64,
            ..w
        }
    });
    let holders = holders.into_iter().map(|(application, h)| {
        let was = was_held.get(&application).map_or(0, |b| b.during);
        Holder { before: (before.snapshots > 0).then_some(was), ..h }
    });
    let mut holders: Vec<Holder> = holders.collect();
    holders.sort_by(|a, b| b.during.cmp(&a.during).then(a.application.cmp(&b.application)));
    ServerSessions {
        database,
        snapshots,
        hidden: share(during.hidden as f64, during.clients),
        tells_waits: during.tells_waits,
        waits: waits.collect(),
        holders,
    }
}

/// Several events as one, e.g. the names that one lock had in different versions of PostgreSQL.
///
/// Shares and sessions add up; `None` without any.
pub fn combined<'a>(all: impl Iterator<Item = &'a WaitShare>) -> Option<WaitShare> {
    all.cloned().reduce(|mut a, b| {
        let add = |to: &mut BTreeMap<String, usize>, from: BTreeMap<String, usize>| {
            for (name, n) in from {
                *to.entry(name).or_default() += n;
            }
        };
        if b.sessions > a.sessions {
            a.place = b.place;
        }
        let names = BTreeSet::from([a.event.as_str(), b.event.as_str()]);
        a.event = names.into_iter().collect::<Vec<_>>().join(" and ");
        a.before = a.before.zip(b.before).map(|(x, y)| x + y);
        a.during += b.during;
        a.sessions += b.sessions;
        a.peak += b.peak;
        add(&mut a.statements, b.statements);
        add(&mut a.applications, b.applications);
        a.longest_s = a.longest_s.max(b.longest_s);
        a.span = a.span.into_iter().chain(b.span).reduce(|x, y| (x.0.min(y.0), x.1.max(y.1)));
        a
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::raw::RawSession;

    fn row(pid: i64, application: &str, state: &str, wait: (&str, &str)) -> RawSession {
        RawSession {
            pid,
            application: application.into(),
            state: state.into(),
            wait_event_type: wait.0.into(),
            wait_event: wait.1.into(),
            query: "select ? from t".into(),
            query_start: Some(0),
            at: 5 * SECOND,
            ..RawSession::default()
        }
    }

    fn measured(before: &[Vec<RawSession>], during: &[Vec<RawSession>]) -> ServerSessions {
        let kept = |rows: &Vec<RawSession>| rows.iter().cloned().map(Session::from).collect();
        let sides = [before, during].map(|all| all.iter().map(kept).collect::<Vec<Vec<Session>>>());
        let [before, during] = [0, 1].map(|side: usize| {
            let mut tally = Tally::default();
            for rows in &sides[side] {
                let (at, rows) = (5 * SECOND, rows.iter().collect());
                tally.add(&Snapshot { database: EntityId(0), at, rows });
            }
            tally
        });
        server(EntityId(0), &before, &during)
    }

    #[test]
    fn shares_are_of_the_busy_sessions_and_against_the_baseline() {
        let lock = ("LWLock", "LockManager");
        let rest = ("Client", "ClientRead");
        let quiet = vec![row(1, "a", "active", ("", "")), row(2, "a", "idle", rest)];
        let hot = vec![
            row(1, "a", "active", lock),
            row(2, "b", "active", lock),
            row(3, "a", "active", ("", "")),
            row(4, "a", "active", ("IO", "WALSync")),
            row(5, "a", "idle", rest),
        ];
        let s = measured(&[quiet], &[hot.clone(), hot]);
        let w = s.waits.iter().find(|w| w.event == "LockManager").expect("it is waited for");
        assert_eq!((w.before, w.during, w.sessions, w.peak), (Some(0.0), 0.5, 2.0, 2));
        assert_eq!((w.applications.len(), w.longest_s), (2, 5.0));
        let of = |h: &Holder| (h.application.clone(), h.before, h.during, h.share);
        assert_eq!(of(&s.holders[0]), ("a".to_owned(), Some(2), 4, 0.8));
        let both = combined(s.waits.iter()).expect("two events");
        assert_eq!((both.during, both.event.as_str()), (0.75, "LockManager and WALSync"));
    }

    #[test]
    fn without_a_baseline_the_share_before_is_unknown() {
        let s = measured(&[], &[vec![row(1, "", "active", ("Lock", "tuple"))]]);
        assert_eq!((s.waits[0].before, s.holders[0].before), (None, None));
        assert_eq!(s.holders[0].application, "unnamed");
        assert!(combined([].into_iter()).is_none());
    }

    #[test]
    fn rows_that_hide_their_state_are_counted() {
        let hidden =
            RawSession { query: "<insufficient privilege>".into(), ..row(1, "a", "", ("", "")) };
        let s = measured(&[], &[vec![hidden]]);
        assert_eq!((s.hidden, s.tells_waits, s.waits.len()), (1.0, false, 0));
    }

    #[test]
    fn shares_depend_on_neither_the_order_of_rows_nor_the_number_of_snapshots() {
        let rows: Vec<RawSession> = (0..6)
            .map(|pid| row(pid, "a", "active", if pid < 2 { ("Lock", "tuple") } else { ("", "") }))
            .collect();
        let turned: Vec<RawSession> = rows.iter().rev().cloned().collect();
        let share = |snapshots: &[Vec<RawSession>]| {
            let s = measured(&[], snapshots);
            (s.waits[0].during, s.waits[0].sessions, s.waits[0].peak)
        };
        let once = share(std::slice::from_ref(&rows));
        assert_eq!(once, (1.0 / 3.0, 2.0, 2));
        assert_eq!(share(std::slice::from_ref(&turned)), once);
        assert_eq!(share(&[rows.clone(), turned, rows]), once);
    }
}
