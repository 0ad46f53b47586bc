//! The parts of a world.

use super::features::FeatureStore;
use super::pooler::PoolerState;
use crate::simulate::draw::Draw;
use crate::simulate::scenario::{self, Autoscale, Memory, Probe};
use crate::simulate::station::{Nanos, Station};
use hashbrown::HashMap;
use std::collections::{BTreeMap, VecDeque};

/// Bounds of every latency histogram, in seconds.
pub const BOUNDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// The same as a scrape writes them.
pub const BOUND_WORDS: [&str; BOUNDS.len()] =
    ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "30"];

/// Requests of one kind: how many, how long, and how they spread over [`BOUNDS`].
#[derive(Clone, Debug, Default)]
pub struct Meter {
    pub count: u64,
    pub sum_s: f64,
    pub buckets: [u64; BOUNDS.len()],
}

impl Meter {
    /// Adds what another one counted.
    pub fn merge(&mut self, other: &Meter) {
        self.count += other.count;
        self.sum_s += other.sum_s;
        self.buckets.iter_mut().zip(other.buckets).for_each(|(a, b)| *a += b);
    }

    pub fn add(&mut self, seconds: f64) {
        self.count += 1;
        self.sum_s += seconds;
        if let Some(at) = BOUNDS.iter().position(|b| seconds <= *b) {
            self.buckets[at] += 1;
        }
    }
}

/// What a version of a service does that version 0 does not.
#[derive(Clone, Debug)]
pub struct Effect {
    pub version: String,
    pub work: f64,
    pub errors: f64,
    /// Megabytes kept per request.
    pub leak_mb: f64,
    /// Share of requests that never give their connection back.
    pub leak_connections: f64,
    /// Runs of each statement of its reads.
    pub repeats: u16,
    /// A statement of the pool's database that a share of its requests runs as well.
    pub extra: Option<(u16, f64)>,
}

impl Breaker {
    /// One that has seen nothing yet and opens when a share fails.
    pub fn new(share: f64) -> Breaker {
        Breaker { share, good: 0.0, bad: 0.0, since: 0, open_until: 0 }
    }
}

impl Effect {
    pub fn none(version: &str) -> Effect {
        Effect {
            version: version.to_owned(),
            work: 1.0,
            errors: 0.0,
            leak_mb: 0.0,
            leak_connections: 0.0,
            repeats: 1,
            extra: None,
        }
    }
}

/// Connections of one instance to one database.
#[derive(Clone, Debug)]
pub struct PoolOf {
    pub database: u16,
    pub station: Station,
    pub idle: Vec<u32>,
    pub acquire: Nanos,
    pub statement: Option<Nanos>,
    pub requests: u64,
    pub timeouts: u64,
    pub use_s: f64,
    pub wait_s: f64,
    /// Connections that were never given back.
    pub leaked: u32,
}

/// One process of a service.
#[derive(Clone, Debug)]
pub struct Instance {
    pub name: String,
    /// Runs.
    pub up: bool,
    /// Answers requests.
    pub ready: bool,
    /// The load balancer sends it requests.
    pub in_target: bool,
    pub draining: bool,
    /// Was taken away for good.
    pub removed: bool,
    /// Number of the process; events of an older one are void.
    pub life: u32,
    pub version: u16,
    pub started: Nanos,
    pub knows: bool,
    pub workers: Station,
    pub cores: Station,
    pub pools: Vec<PoolOf>,
    pub leaked_mb: f64,
    /// Factor on what it keeps, of the connections that this process happens to have.
    pub keeps: f64,
    pub in_flight: u32,
    /// Factor on its work by garbage collection.
    pub collecting: f64,
    /// Time spent collecting, in seconds.
    pub gc_s: f64,
    /// Factor on its work by a neighbour on its host or by a quota.
    pub slowed: f64,
    pub fails: u32,
    pub passes: u32,
    pub probe: u64,
    pub probe_ok: u64,
    pub restarts: u32,
    pub killed_for_memory: u32,
    /// Busy seconds of cores at the last look of the autoscaler.
    pub busy_before: f64,
    /// Program and status to requests.
    pub served: BTreeMap<(u16, u16), Meter>,
    /// Edge and status to calls.
    pub called: BTreeMap<(u16, u16), Meter>,
    /// Source and status to requests, where the entry counts by client.
    pub clients: BTreeMap<(u16, u16), u64>,
    pub retries: BTreeMap<u16, u64>,
    pub fallbacks: u64,
    /// Cache and hit (1) or miss (0).
    pub looked: BTreeMap<(u16, u8), u64>,
    /// Messages sent, by queue.
    pub sent: BTreeMap<u16, Meter>,
    /// Work on messages, by queue and whether it succeeded (1) or not (0).
    pub done: BTreeMap<(u16, u8), Meter>,
    /// Store and partition to requests, and to those that gave up.
    pub partitions: BTreeMap<(u16, u16), Meter>,
    pub partition_timeouts: BTreeMap<(u16, u16), u64>,
    pub lookups: Meter,
    /// When what it knows of an edge's name ends.
    pub names: HashMap<u16, Nanos>,
}

/// A service.
#[derive(Clone, Debug)]
pub struct ServiceState {
    pub name: String,
    pub external: bool,
    pub shows_workers: bool,
    pub workers: u32,
    pub room: Option<u32>,
    pub cores: u32,
    pub boot: Nanos,
    pub usd_per_month: f64,
    pub memory: Memory,
    pub probe: Option<Probe>,
    pub probe_program: Option<u16>,
    /// The probe does not come back from these instances.
    pub probe_hangs: Vec<u16>,
    pub autoscale: Option<Autoscale>,
    pub pools: Vec<scenario::Pool>,
    pub instances: Vec<Instance>,
    pub turn: usize,
    pub versions: Vec<Effect>,
    /// Version that new processes run.
    pub version: u16,
    pub draw: Draw,
    // Faults and actions.
    pub work: f64,
    pub errors: f64,
    /// Share of its connections that are never given back.
    pub keeps_connections: f64,
    /// Answers of its reads are kept for this long, by key, in front of it.
    pub kept_for: Option<(Nanos, Vec<u16>)>,
    pub kept: HashMap<(u16, u32), Nanos>,
    pub hangs: bool,
    pub refuses: bool,
    /// Share of its transactions that run their statements in the other order.
    pub other_order: f64,
    /// Microseconds by which its clocks are ahead.
    pub ahead_us: i64,
    pub token_leeway_us: Option<i64>,
    pub features: Option<FeatureStore>,
    pub rate_limit: Option<f64>,
    pub granted: f64,
    pub granted_at: Nanos,
    pub shed: f64,
    pub unscraped: bool,
    /// Instances that start do not come up.
    pub stuck: bool,
    /// Megabytes that each process keeps a second, whatever it serves.
    pub leak_mb_s: f64,
    /// A process is replaced when its memory reaches this share of the limit.
    pub recycle_at: Option<f64>,
    /// How processes differ in what they keep.
    pub luck: Draw,
    /// Looks of the autoscaler in a row that wanted fewer instances.
    pub calm: u32,
}

/// Calls of one service to a route of another.
#[derive(Clone, Debug)]
pub struct Edge {
    pub from: u16,
    pub to: u16,
    pub program: u16,
    pub timeout: Nanos,
    pub attempts: u16,
    pub backoff: Nanos,
    pub budget: Option<f64>,
    pub tokens: f64,
    pub breaker: Option<Breaker>,
    pub delay: Nanos,
    pub loss: f64,
    pub handshake_fails: bool,
}

/// Stops calls for a while when too many fail.
#[derive(Clone, Debug)]
pub struct Breaker {
    pub share: f64,
    pub good: f64,
    pub bad: f64,
    pub since: Nanos,
    pub open_until: Nanos,
}

/// What a backend waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    None,
    Relation,
    Row,
    Advisory,
    LockTable,
    Read,
    Client,
}

/// What a backend is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Closed,
    Idle,
    Active,
    InTransaction,
}

/// A session of a database.
#[derive(Clone, Debug)]
pub struct Backend {
    pub pid: i32,
    pub application: String,
    pub user: String,
    pub port: u16,
    pub query: String,
    pub statement: u16,
    pub state: Operation,
    pub wait: Wait,
    pub began: Nanos,
    pub transaction: Option<Nanos>,
    pub query_began: Nanos,
    pub changed: Nanos,
    /// The task that uses it, or [`super::NONE`].
    pub task: u32,
    pub owner: Option<(u16, u16)>,
    pub serial: u32,
    /// Relations it holds: shared, or exclusive.
    pub holds: Vec<(u16, bool)>,
    pub rows: Vec<(u16, u32)>,
    /// What it waits for: relation, exclusive; a row's key.
    pub wants: Option<(u16, bool)>,
    pub wants_row: Option<(u16, u32)>,
    pub has_core: bool,
    /// Written by a fault and not by a service.
    pub guest: bool,
    /// The process of a standby that replays the primary's changes.
    pub startup: bool,
    /// Ends as soon as it has what it waits for: a schema change.
    pub brief: bool,
    /// Processors that it keeps busy.
    pub hogs: u32,
}

/// Who holds a relation, and who waits for it in order.
#[derive(Clone, Debug, Default)]
pub struct Relation {
    pub name: String,
    pub shared: u32,
    pub exclusive: Option<u32>,
    pub queue: VecDeque<(u32, bool)>,
}

/// A statement as the database knows it.
#[derive(Clone, Debug)]
pub struct StatementOf {
    pub name: String,
    pub sql: String,
    pub mean_ns: f64,
    pub relation: u16,
    pub lock: scenario::Lock,
    pub buffers: f64,
    /// Factor by faults: a changed plan.
    pub factor: f64,
    pub calls: u64,
    pub total_s: f64,
    pub touched: f64,
}

/// A database server.
#[derive(Clone, Debug)]
pub struct Db {
    pub name: String,
    pub cores: Station,
    pub all_cores: u32,
    /// Cores that guests' statements keep busy.
    pub hogs: u32,
    pub max_connections: u32,
    pub primary: Option<u16>,
    /// Name of the cluster, where a standby can take over.
    pub cluster: Option<String>,
    pub timeline: u32,
    pub usd_per_month: f64,
    pub statements: Vec<StatementOf>,
    pub relations: Vec<Relation>,
    pub rows: HashMap<(u16, u32), (u32, VecDeque<u32>)>,
    pub backends: Vec<Backend>,
    pub closed: Vec<u32>,
    pub statement_timeout: Option<Nanos>,
    pub pooler: Option<PoolerState>,
    /// The partition of the shared lock table through which every statement goes, and how long each
    /// keeps it: more relations than the fast path has slots for (16) must be entered there.
    pub lock_table: Station,
    pub lock_hold: Nanos,
    /// Room on the volume, what is used of it, and what else fills it in a second.
    pub disk_mb: Option<f64>,
    pub used_mb: f64,
    pub fills_mb_s: f64,
    pub down: bool,
    pub refuses_login: bool,
    /// Factor on every statement: a slow disk.
    pub disk: f64,
    /// Replay waits since.
    pub replay_waits: Option<Nanos>,
    pub commits: u64,
    pub rollbacks: u64,
    pub deadlocks: u64,
    pub read: f64,
    /// Seconds of guests' work, and of all work, at the last scrape.
    pub hog_s: f64,
    /// Seconds that statements waited for the disk.
    pub reading_s: f64,
    pub read_before_s: f64,
    pub spent_s: f64,
    pub scraped: Nanos,
    pub draw: Draw,
}

/// A Redis server.
#[derive(Clone, Debug)]
pub struct CacheServer {
    pub name: String,
    pub mean_ns: f64,
    pub usd_per_month: f64,
    /// Space and key to when it ends.
    pub keys: HashMap<(u16, u32), Nanos>,
    /// Who computes a key, and who waits for it.
    pub flights: HashMap<(u16, u32), Vec<(u32, u32)>>,
    pub single_flight: bool,
    pub edge: bool,
    pub down: bool,
    /// Removals that are lost.
    pub deaf: bool,
    pub hits: u64,
    pub misses: u64,
    pub commands: u64,
    pub expired: u64,
    pub draw: Draw,
}

/// A queue of messages.
#[derive(Clone, Debug)]
pub struct Topic {
    pub name: String,
    pub broker: String,
    pub limit: Option<u32>,
    pub waiting: VecDeque<Message>,
    pub unacknowledged: u32,
    pub consumer: Option<(u16, u16)>,
    pub published: u64,
    pub delivered: u64,
    pub acknowledged: u64,
    pub redelivered: u64,
    pub dropped: u64,
    /// Key whose message cannot be worked on.
    pub poison: Option<u32>,
}

/// A message in a queue.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    pub key: u32,
    pub at: Nanos,
    pub trace: u32,
    pub parent: u32,
}

/// A store in partitions.
#[derive(Clone, Debug)]
pub struct Partitions {
    pub name: String,
    pub mean_ns: f64,
    pub usd_per_month: f64,
    pub partitions: Vec<Station>,
    pub commands: Vec<u64>,
    pub ways: u32,
    pub draw: Draw,
}

/// Where requests come from.
#[derive(Clone, Debug)]
pub struct Source {
    pub program: u16,
    pub service: u16,
    pub rate: f64,
    pub curve: Vec<(f64, f64)>,
    pub keys: scenario::Keys,
    pub client: String,
    pub addresses: u32,
    /// Addresses seen since the last scrape.
    pub seen: hashbrown::HashSet<u32>,
    /// Factor by faults.
    pub factor: f64,
    /// Key that a share of the requests asks for.
    pub hot: Option<(u32, f64)>,
    pub draw: Draw,
}
