//! The one model everything after ingest works on. Nothing here knows a file format.
//!
//! What grows with the data is held in columns ([`Telemetry::samples`] by series, and
//! [`Telemetry::spans`]); what stays small (series, sessions, locks, events) in plain rows.

use crate::graph::Graph;
use crate::ingest::raw::{
    FileId, FileTimes, IncidentFile, InputFile, RawEvent, RawLock, RawLog, Session, SpanKind,
};
use crate::ingest::site::Site;
use crate::model::{EntityId, EntityKind, Gap, Micros, Subject};
pub use crate::points::Points;
use crate::signals::{Part, SignalId, SignalTable, Stat};

/// What many spans have in common. Entities and symbols are numbers, [`NONE`] where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanShape {
    pub service: u32,
    pub instance: u32,
    /// Symbol, as the two below.
    pub version: u32,
    pub op: u32,
    pub etype: u32,
    pub kind: SpanKind,
    pub error: bool,
    /// Entity that is called.
    pub peer: u32,
}

/// Spans in columns; row `i` of each column but `shapes` is one span.
#[derive(Clone, Debug, Default)]
pub struct Spans {
    pub shapes: Vec<SpanShape>,
    /// Index in `shapes`.
    pub shape: Vec<u32>,
    /// Row of the parent span, [`NONE`] where it was not recorded.
    pub parent: Vec<u32>,
    pub start: Vec<Micros>,
    pub end: Vec<Micros>,
    /// Hash of the path or cache key that it is about, 0 for none.
    pub key: Vec<u32>,
}

/// The service that a session belongs to, and by what: its application's name, the address it comes
/// from, or, without an application's name, its user.
///
/// An address or a user names a service only where other telemetry knows it as that service's own;
/// the loopback address is everybody's.
pub fn service_of(graph: &Graph, s: &Session) -> Option<(EntityId, &'static str)> {
    let service = |name: &str| {
        let id = graph.find(name).filter(|_| !name.is_empty())?;
        let owner = graph.owner(id);
        (graph.entity(owner).kind == EntityKind::Service).then_some(owner)
    };
    let local = s.client_addr.starts_with("127.") || s.client_addr == "::1";
    let by_application = || service(&s.application).map(|id| (id, "application_name"));
    let by_client = || service(&s.client_addr).filter(|_| !local).map(|id| (id, "client_addr"));
    let by_user = || service(&s.user).filter(|_| s.application.is_empty()).map(|id| (id, "user"));
    by_application().or_else(by_client).or_else(by_user)
}

/// Rows of pg_stat_activity, each with its database server.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    rows: Vec<Session>,
    servers: Vec<EntityId>,
}

impl Sessions {
    /// Rows and, in the same order, their servers.
    pub fn new(rows: Vec<Session>, mut server: impl FnMut(&Session) -> EntityId) -> Sessions {
        let servers = rows.iter().map(&mut server).collect();
        Sessions { rows, servers }
    }

    /// The rows of snapshots up to a time.
    pub fn until(&self, now: Micros) -> Sessions {
        let kept = self.iter().filter(|(_, s)| s.at <= now);
        let (servers, rows) = kept.map(|(server, s)| (server, s.clone())).unzip();
        Sessions { rows, servers }
    }

    /// All rows in the order of their files.
    pub fn iter(&self) -> impl Iterator<Item = (EntityId, &Session)> {
        self.servers.iter().copied().zip(&self.rows)
    }

    /// Stretches of rows of one server and one snapshot, in the order of their files.
    pub fn snapshots(&self) -> impl Iterator<Item = (EntityId, &[Session])> {
        let of = |s: &Session| (s.at, s.snapshot);
        let mut from = 0;
        std::iter::from_fn(move || {
            let (server, first) = (*self.servers.get(from)?, of(&self.rows[from]));
            let rest = self.servers[from..].iter().zip(&self.rows[from..]);
            let to = from + rest.take_while(|(d, s)| **d == server && of(s) == first).count();
            let stretch = &self.rows[from..to];
            from = to;
            Some((server, stretch))
        })
    }

    /// Servers with the first row of each stretch of theirs.
    pub fn firsts(&self) -> impl Iterator<Item = (EntityId, &Session)> {
        let mut from = 0;
        let runs = self.servers.chunk_by(|a, b| a == b).map(|run| (run[0], run.len()));
        runs.map(move |(server, len)| {
            from += len;
            (server, &self.rows[from - len])
        })
    }

    /// The files that rows stand in, each at least once.
    pub fn files(&self) -> impl Iterator<Item = FileId> {
        self.rows.chunk_by(|a, b| a.file == b.file).filter_map(|r| r.first()).map(|s| s.file)
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }
}

/// Marks a missing entity, symbol or row.
pub const NONE: u32 = u32::MAX;

/// Whether a status label marks the series as failures or successes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    #[default]
    All,
    Good,
    Failed,
}

/// What one series measures.
#[derive(Clone, Debug)]
pub struct SeriesMeta {
    pub file: FileId,
    /// Exporter's name with its labels, as a person would look it up.
    pub shown: String,
    pub signal: SignalId,
    pub part: Part,
    pub stat: Stat,
    pub guessed: bool,
    pub subject: Subject,
    /// Instance that measured, when the subject is its service.
    pub instance: Option<EntityId>,
    /// Partition or shard the values are about.
    pub member: Option<EntityId>,
    pub class: Class,
    /// The status says "too many requests".
    pub rate_limited: bool,
    /// How the calls that are counted ended, where a status label says it.
    pub outcome: Option<String>,
    /// Value of the label that splits the signal by state.
    pub state: String,
    /// Container and pod, and the name of a container without a pod.
    pub container: Option<String>,
    pub pod: Option<String>,
    pub container_alone: bool,
    /// Version that a label names.
    pub version: Option<String>,
    /// Further labels that tell series of one subject apart (pool, route, operation).
    pub dims: String,
    /// Upper bound of a histogram bucket, in the base unit.
    pub le: f64,
    /// Length of the rate window of the query, seconds; 0 for raw samples.
    pub window_s: f64,
    /// The values are already a rate or a ratio although the name is a counter's.
    pub derived: bool,
    /// A house name without an alias, kept for did-you-mean.
    pub raw_name: String,
}

/// Everything known about an incident, with names understood.
#[derive(Clone)]
pub struct Telemetry {
    pub files: Vec<InputFile>,
    /// When and how often each file was recorded, by file.
    pub times: Vec<FileTimes>,
    pub series: Vec<SeriesMeta>,
    /// Points of each series, by its index: sorted by time, values in the base unit. The rollups take
    /// them.
    pub samples: Vec<Points>,
    /// The rollups take them.
    pub spans: Spans,
    /// The earliest and latest time of samples, spans and sessions; `None` without any.
    pub extent: Option<(Micros, Micros)>,
    /// The first file that gave spans.
    pub trace_file: Option<FileId>,
    /// Texts of the symbols of the spans.
    pub symbols: Vec<String>,
    /// Rows of pg_stat_activity with their database servers.
    pub sessions: Sessions,
    pub locks: Vec<(EntityId, RawLock)>,
    /// Lines of server logs that are about sessions.
    pub logs: Vec<(EntityId, RawLog)>,
    /// First and last time of each server log.
    pub log_times: Vec<(EntityId, (Micros, Micros))>,
    pub events: Vec<(Vec<EntityId>, RawEvent)>,
    pub incident: IncidentFile,
    /// What the site says about the catalogue.
    pub site: Site,
    pub graph: Graph,
    pub signals: &'static SignalTable,
    pub gaps: Vec<Gap>,
}
