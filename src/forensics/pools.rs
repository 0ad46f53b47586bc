//! Who holds the connections: by application and client, by what they do, against the server's limit
//! and the pool sizes that other telemetry knows.

use super::View;
use super::who;
use crate::diagnosis::{Spark, at};
use crate::error::Result;
use crate::features::session_frame::{Doing, Held, owner};
use crate::model::{EntityId, Micros, Subject, Unit};
use crate::rollup::sessions::is_client;
use serde::Serialize;
use std::collections::BTreeMap;

/// All client connections of one server.
#[derive(Clone, Debug, Serialize)]
pub struct Pools {
    pub max_connections: Option<f64>,
    /// Connections that ordinary users cannot take.
    pub reserved: Option<f64>,
    pub peak: usize,
    #[serde(serialize_with = "at")]
    pub peak_at: Micros,
    /// Share of the limit that the peak takes, 0 to 1.
    pub peak_share: Option<f64>,
    pub shown: States,
    pub total: Spark,
    /// By number of connections, most first.
    pub applications: Vec<PoolRow>,
}

/// Sessions by what they do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct States {
    pub active: usize,
    pub waiting: usize,
    pub idle: usize,
    pub idle_in_transaction: usize,
    pub unknown: usize,
}

impl States {
    fn add(&mut self, doing: Doing, n: usize) {
        let slot = match doing {
            Doing::Active => &mut self.active,
            Doing::Waiting => &mut self.waiting,
            Doing::Idle => &mut self.idle,
            Doing::InTransaction => &mut self.idle_in_transaction,
            Doing::Unknown => &mut self.unknown,
        };
        *slot += n;
    }

    /// All of them.
    pub fn total(&self) -> usize {
        self.active + self.waiting + self.idle + self.idle_in_transaction + self.unknown
    }
}

/// The connections of one application.
#[derive(Clone, Debug, Serialize)]
pub struct PoolRow {
    pub application: String,
    pub service: Option<String>,
    /// Most connections at once, when, and what they did then.
    pub peak: usize,
    #[serde(serialize_with = "at")]
    pub peak_at: Micros,
    pub at_peak: States,
    pub shown: States,
    pub total: Spark,
    /// Size of its pool, all instances together, where telemetry says it.
    pub pool_size: Option<f64>,
    /// By number of connections at its peak, most first.
    pub clients: Vec<ClientRow>,
}

/// The connections of one client address.
#[derive(Clone, Debug, Serialize)]
pub struct ClientRow {
    /// Empty for a local connection, or where the export has no addresses.
    pub client: String,
    pub peak: usize,
    pub at_peak: States,
}

/// The pools of one server.
pub(super) fn pools(view: &View) -> Result<Pools> {
    let held = view.frame.holders()?;
    let everything: Vec<&Held> = held.iter().collect();
    let (totals, peak_at) = totals(view, &everything);
    let mut by: BTreeMap<&str, Vec<&Held>> = BTreeMap::new();
    for h in &held {
        by.entry(&h.application).or_default().push(h);
    }
    let mut applications: Vec<PoolRow> =
        by.into_iter().map(|(name, held)| application(view, name, &held)).collect();
    applications
        .sort_by(|a, b| b.peak.cmp(&a.peak).then_with(|| a.application.cmp(&b.application)));
    let limit = setting(view, "postgresql.connection.max");
    let peak = totals[peak_at] as usize;
    Ok(Pools {
        max_connections: limit,
        reserved: setting(view, "postgresql.connection.reserved"),
        peak,
        peak_at: view.times[peak_at],
        peak_share: limit.filter(|l| *l > 0.0).map(|l| peak as f64 / l),
        shown: states(&everything, view.shown),
        total: view.spark(&totals, Unit::Count),
        applications,
    })
}

/// Connections per snapshot, and the first snapshot with most.
fn totals(view: &View, held: &[&Held]) -> (Vec<f64>, usize) {
    let mut totals = vec![0.0; view.times.len()];
    for h in held {
        totals[h.snapshot] += h.sessions as f64;
    }
    let by_size = |a: &usize, b: &usize| totals[*a].total_cmp(&totals[*b]).then(b.cmp(a));
    let peak = (0..totals.len()).max_by(by_size).unwrap_or(0);
    (totals, peak)
}

fn states(held: &[&Held], snapshot: usize) -> States {
    let mut states = States::default();
    for h in held.iter().filter(|h| h.snapshot == snapshot) {
        states.add(h.doing, h.sessions);
    }
    states
}

fn application(view: &View, name: &str, held: &[&Held]) -> PoolRow {
    let (totals, peak_at) = totals(view, held);
    let mut clients: BTreeMap<&str, Vec<&Held>> = BTreeMap::new();
    for h in held {
        clients.entry(&h.client).or_default().push(h);
    }
    let client = |(client, held): (&str, Vec<&Held>)| {
        let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
        for h in &held {
            *sizes.entry(h.snapshot).or_default() += h.sessions;
        }
        let most = sizes.iter().max_by_key(|(at, n)| (**n, std::cmp::Reverse(**at)));
        let (at, peak) = most.map_or((0, 0), |(at, n)| (*at, *n));
        ClientRow { client: client.to_owned(), peak, at_peak: states(&held, at) }
    };
    let mut clients: Vec<ClientRow> = clients.into_iter().map(client).collect();
    clients.sort_by(|a, b| b.peak.cmp(&a.peak).then_with(|| a.client.cmp(&b.client)));
    let own = view.snapshots[peak_at].rows.iter().find(|s| is_client(s) && owner(s) == name);
    let service = own.and_then(|s| who::service(s, view.telemetry)).map(|(name, _)| name);
    PoolRow {
        application: name.to_owned(),
        pool_size: service.as_deref().and_then(|s| pool_size(view, s)),
        service,
        peak: totals[peak_at] as usize,
        peak_at: view.times[peak_at],
        at_peak: states(held, peak_at),
        shown: states(held, view.shown),
        total: view.spark(&totals, Unit::Count),
        clients,
    }
}

/// A number that the server's own metrics or settings give.
fn setting(view: &View, signal: &str) -> Option<f64> {
    largest(view, signal, |subject| subject == Subject::Entity(view.database))
}

/// The size of a service's pools towards this server, or towards all where it is not said which.
fn pool_size(view: &View, service: &str) -> Option<f64> {
    let id: EntityId = view.telemetry.graph.find(service)?;
    let signal = "db.client.connection.max";
    let here = largest(view, signal, |subject| subject == Subject::Edge(id, view.database));
    here.or_else(|| largest(view, signal, |subject| subject == Subject::Entity(id)))
}

fn largest(view: &View, signal: &str, own: impl Fn(Subject) -> bool) -> Option<f64> {
    let id = view.telemetry.signals.named(signal)?;
    let series = view.rollups.series.iter().filter(|s| s.signal == id && own(s.subject));
    series.flat_map(|s| s.points.iter().map(|p| p.1)).filter(|v| v.is_finite()).reduce(f64::max)
}
