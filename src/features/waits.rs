//! What sessions wait for, and who holds the sessions. In: session snapshots. Out: per server the
//! share of busy sessions by wait event, before and during the incident, and sessions by application.
//!
//! Shares are pooled over snapshots (waiting sessions over busy sessions), so that a snapshot with
//! two sessions does not weigh as much as one with eighty. Without a snapshot in a window the share
//! there is `None`, not zero.

use super::forest::{Snapshot, snapshots};
use crate::ingest::raw::RawSession;
use crate::ingest::{sql, verbs};
use crate::model::{EntityId, Micros, SECOND, Window};
use crate::rollup::sessions::is_client;
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
    pub place: RawSession,
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
    pub place: RawSession,
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
    let mut by: BTreeMap<EntityId, (Tally, Tally)> = BTreeMap::new();
    for snapshot in snapshots(telemetry, baseline) {
        by.entry(snapshot.database).or_default().0.add(&snapshot);
    }
    for snapshot in snapshots(telemetry, incident) {
        by.entry(snapshot.database).or_default().1.add(&snapshot);
    }
    let known = by.into_iter().filter(|(_, (_, during))| during.snapshots > 0);
    known.map(|(database, (before, during))| server(database, &before, during)).collect()
}

/// Says whether a client session does or wants something.
fn is_busy(s: &RawSession) -> bool {
    s.state == "active" || s.state.is_empty() && !AT_REST.contains(&s.wait_event_type.as_str())
}

#[derive(Default)]
struct Tally {
    snapshots: usize,
    clients: usize,
    hidden: usize,
    busy: usize,
    tells_waits: bool,
    events: BTreeMap<(String, String), WaitShare>,
    holders: BTreeMap<String, Holder>,
}

impl Tally {
    fn add(&mut self, snapshot: &Snapshot) {
        self.snapshots += 1;
        let clients: Vec<&RawSession> =
            snapshot.rows.iter().copied().filter(|s| is_client(s)).collect();
        let mut now: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for s in &clients {
            self.hidden += usize::from(s.state.is_empty() && verbs::is_hidden(&s.query));
            self.tells_waits |= !s.wait_event_type.is_empty();
            if !is_busy(s) {
                continue;
            }
            self.busy += 1;
            if !AT_REST.contains(&s.wait_event_type.as_str()) {
                *now.entry((&s.wait_event_type, &s.wait_event)).or_default() += 1;
                self.wait(s);
            }
        }
        self.clients += clients.len();
        for ((kind, event), n) in now {
            let key = (kind.to_owned(), event.to_owned());
            let Some(known) = self.events.get_mut(&key) else { continue };
            known.peak = known.peak.max(n);
        }
        self.hold(snapshot.at, &clients);
    }

    fn wait(&mut self, s: &RawSession) {
        let key = (s.wait_event_type.to_string(), s.wait_event.to_string());
        let w = self.events.entry(key).or_insert_with(|| WaitShare {
            event_type: s.wait_event_type.to_string(),
            event: s.wait_event.to_string(),
            place: s.clone(),
            ..WaitShare::default()
        });
        w.sessions += 1.0;
        if !verbs::is_hidden(&s.query) {
            *w.statements.entry(sql::summary(&s.query)).or_default() += 1;
        }
        *w.applications.entry(name(s).to_owned()).or_default() += 1;
        let since = s.wait_start.or(s.query_start).unwrap_or(s.at);
        w.longest_s = w.longest_s.max((s.at - since) as f64 / SECOND as f64);
        w.span = Some((w.span.map_or(s.at, |x| x.0.min(s.at)), s.at));
    }

    fn hold(&mut self, at: Micros, clients: &[&RawSession]) {
        let mut now: BTreeMap<&str, Vec<&RawSession>> = BTreeMap::new();
        for s in clients {
            now.entry(name(s)).or_default().push(s);
        }
        for (application, rows) in now {
            let known = self.holders.get(application).map_or(0, |h| h.during);
            if rows.len() <= known {
                continue;
            }
            let mut states: BTreeMap<String, usize> = BTreeMap::new();
            for s in &rows {
                let state = if s.state.is_empty() { "unknown state" } else { &s.state };
                *states.entry(state.to_owned()).or_default() += 1;
            }
            let holder = Holder {
                application: application.to_owned(),
                user: rows[0].user.to_string(),
                before: None,
                during: rows.len(),
                share: rows.len() as f64 / clients.len().max(1) as f64,
                states,
                at,
                place: rows[0].clone(),
            };
            self.holders.insert(application.to_owned(), holder);
        }
    }
}

fn name(s: &RawSession) -> &str {
    match (s.application.as_str(), s.user.as_str()) {
        ("", "") => "unnamed",
        ("", user) => user,
        (application, _) => application,
    }
}

fn server(database: EntityId, before: &Tally, during: Tally) -> ServerSessions {
    let share = |n: f64, busy: usize| if busy == 0 { 0.0 } else { n / busy as f64 };
    let (busy, snapshots) = (during.busy, during.snapshots);
    let waits = during.events.into_iter().map(|(key, w)| {
        let was = before.events.get(&key).map_or(0.0, |b| b.sessions);
        WaitShare {
            before: (before.snapshots > 0).then(|| share(was, before.busy)),
            during: share(w.sessions, busy),
            sessions: w.sessions / snapshots as f64,
            ..w
        }
    });
    let holders = during.holders.into_iter().map(|(application, h)| {
        let was = before.holders.get(&application).map_or(0, |b| b.during);
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

    fn tally(snapshots: &[Vec<RawSession>]) -> Tally {
        let mut tally = Tally::default();
        for rows in snapshots {
            let (at, rows) = (5 * SECOND, rows.iter().collect());
            tally.add(&Snapshot { database: EntityId(0), at, rows });
        }
        tally
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
        let s = server(EntityId(0), &tally(&[quiet]), tally(&[hot.clone(), hot]));
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
        let s = server(
            EntityId(0),
            &Tally::default(),
            tally(&[vec![row(1, "", "active", ("Lock", "tuple"))]]),
        );
        assert_eq!((s.waits[0].before, s.holders[0].before), (None, None));
        assert_eq!(s.holders[0].application, "unnamed");
        assert!(combined([].into_iter()).is_none());
    }

    #[test]
    fn rows_that_hide_their_state_are_counted() {
        let hidden =
            RawSession { query: "<insufficient privilege>".into(), ..row(1, "a", "", ("", "")) };
        let s = server(EntityId(0), &Tally::default(), tally(&[vec![hidden]]));
        assert_eq!((s.hidden, s.tells_waits, s.waits.len()), (1.0, false, 0));
    }

    #[test]
    fn shares_depend_on_neither_the_order_of_rows_nor_the_number_of_snapshots() {
        let rows: Vec<RawSession> = (0..6)
            .map(|pid| row(pid, "a", "active", if pid < 2 { ("Lock", "tuple") } else { ("", "") }))
            .collect();
        let turned: Vec<RawSession> = rows.iter().rev().cloned().collect();
        let share = |snapshots: &[Vec<RawSession>]| {
            let s = server(EntityId(0), &Tally::default(), tally(snapshots));
            (s.waits[0].during, s.waits[0].sessions, s.waits[0].peak)
        };
        let once = share(std::slice::from_ref(&rows));
        assert_eq!(once, (1.0 / 3.0, 2.0, 2));
        assert_eq!(share(std::slice::from_ref(&turned)), once);
        assert_eq!(share(&[rows.clone(), turned, rows]), once);
    }
}
