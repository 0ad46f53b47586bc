//! Who holds the connections: by application and client, by what they do, against the server's limit
//! and the pool sizes that other telemetry knows.

use super::View;
use super::who;
use crate::diagnosis::{Spark, at};
use crate::features::session_frame::{Doing, Held, owner};
use crate::ingest::raw::Session;
use crate::model::{EntityId, Micros, Subject, Unit};
use serde::Serialize;

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
pub(super) fn pools(view: &View) -> Pools {
    let mut totals = vec![0.0; view.times.len()];
    for held in &view.frame.holders {
        totals.iter_mut().zip(&held.totals).for_each(|(all, own)| *all += f64::from(*own));
    }
    let peak_at = first_peak(&totals);
    let mut applications: Vec<PoolRow> =
        view.frame.holders.iter().map(|held| application(view, held)).collect();
    applications
        .sort_by(|a, b| b.peak.cmp(&a.peak).then_with(|| a.application.cmp(&b.application)));
    let limit = setting(view, "postgresql.connection.max");
    let peak = totals[peak_at] as usize;
    Pools {
        max_connections: limit,
        reserved: setting(view, "postgresql.connection.reserved"),
        peak,
        peak_at: view.times[peak_at],
        peak_share: limit.filter(|l| *l > 0.0).map(|l| peak as f64 / l),
        shown: states(view, view.shown, |_| true),
        total: view.spark(&totals, Unit::Count),
        applications,
    }
}

/// The first snapshot with most.
fn first_peak(totals: &[f64]) -> usize {
    let by_size = |a: &usize, b: &usize| totals[*a].total_cmp(&totals[*b]).then(b.cmp(a));
    (0..totals.len()).max_by(by_size).unwrap_or(0)
}

/// What the client sessions of a snapshot do.
fn states(view: &View, snapshot: usize, own: impl Fn(&Session) -> bool) -> States {
    let mut states = States::default();
    for s in view.snapshots[snapshot].rows.iter().filter(|s| s.is_client() && own(s)) {
        states.add(Doing::of(s), 1);
    }
    states
}

fn application(view: &View, held: &Held) -> PoolRow {
    let name = held.application.as_str();
    let totals: Vec<f64> = held.totals.iter().copied().map(f64::from).collect();
    let peak_at = first_peak(&totals);
    let client = |(client, (peak, at)): (&String, &(usize, usize))| {
        let own = |s: &Session| owner(s) == name && s.client_addr == *client;
        ClientRow { client: client.clone(), peak: *peak, at_peak: states(view, *at, own) }
    };
    let mut clients: Vec<ClientRow> = held.clients.iter().map(client).collect();
    clients.sort_by(|a, b| b.peak.cmp(&a.peak).then_with(|| a.client.cmp(&b.client)));
    let own = view.snapshots[peak_at].rows.iter().find(|s| s.is_client() && owner(s) == name);
    let service = own.and_then(|s| who::service(s, view.telemetry)).map(|(name, _)| name);
    PoolRow {
        application: name.to_owned(),
        pool_size: service.as_deref().and_then(|s| pool_size(view, s)),
        service,
        peak: totals[peak_at] as usize,
        peak_at: view.times[peak_at],
        at_peak: states(view, peak_at, |s| owner(s) == name),
        shown: states(view, view.shown, |s| owner(s) == name),
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
