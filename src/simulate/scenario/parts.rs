//! The parts of a system in a scenario file: services with their endpoints, what they call, and
//! the load. Times are in milliseconds where the name ends so, else in seconds.

use super::extras::{Features, Pooler};
use schemars::JsonSchema;
use serde::Deserialize;

/// Requests that arrive whether or not earlier ones were answered (an open loop).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// `service/route`, e.g. `gateway/product`.
    pub to: String,
    /// Mean requests a second where the curve is 1; arrivals are a Poisson process.
    pub rate: f64,
    /// `[seconds, factor]` points of the load curve, linear between; constant 1 if absent.
    #[serde(default)]
    pub curve: Vec<[f64; 2]>,
    #[serde(default)]
    pub keys: Keys,
    /// Users leave after this long.
    #[serde(default = "patience_ms")]
    pub patience_ms: f64,
    /// How often a user who got no answer tries again.
    #[serde(default)]
    pub refreshes: u32,
    /// Addresses that these requests come from, where the entry counts them.
    #[serde(default)]
    pub addresses: u32,
    /// Client that the entry counts these requests by, where it counts by client.
    #[serde(default)]
    pub client: String,
}

fn patience_ms() -> f64 {
    30_000.0
}

/// What requests ask for.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Keys {
    /// How many different keys there are.
    pub count: u32,
    /// Exponent of Zipf's law; 0 asks for all alike.
    pub zipf: f64,
}

impl Default for Keys {
    fn default() -> Self {
        Keys { count: 1000, zipf: 0.0 }
    }
}

/// A service: instances behind a load balancer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    pub name: String,
    #[serde(default = "one")]
    pub instances: u32,
    /// Requests an instance works on at once.
    #[serde(default = "workers")]
    pub workers: u32,
    /// Requests that may wait for a worker; without bound if absent.
    #[serde(default)]
    pub queue: Option<u32>,
    /// Processors of an instance.
    #[serde(default = "cores")]
    pub cores: u32,
    #[serde(default = "version")]
    pub version: String,
    /// Belongs to somebody else: no metrics, no spans, no instances to be seen.
    #[serde(default)]
    pub external: bool,
    /// Tokens are refused whose time is off by more; not checked if absent.
    #[serde(default)]
    pub token_leeway_s: Option<f64>,
    /// Features that its model looks up.
    #[serde(default)]
    pub features: Option<Features>,
    /// Exports the state of its worker pool.
    #[serde(default)]
    pub shows_workers: bool,
    /// Seconds from the start of a process to its first request.
    #[serde(default = "boot_s")]
    pub boot_s: f64,
    #[serde(default)]
    pub usd_per_month: f64,
    #[serde(default)]
    pub memory: Memory,
    #[serde(default)]
    pub probe: Option<Probe>,
    #[serde(default)]
    pub autoscale: Option<Autoscale>,
    #[serde(default)]
    pub pool: Vec<Pool>,
    #[serde(default)]
    pub endpoint: Vec<Endpoint>,
    #[serde(default)]
    pub consume: Vec<Consume>,
}

fn one() -> u32 {
    1
}

fn workers() -> u32 {
    64
}

fn cores() -> u32 {
    2
}

fn version() -> String {
    "1.0.0".to_owned()
}

fn boot_s() -> f64 {
    8.0
}

/// Memory of an instance.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Memory {
    pub base_mb: f64,
    /// The kernel ends the process here.
    pub limit_mb: f64,
    /// What a request in flight needs.
    pub request_mb: f64,
    /// Collects garbage: the cost grows as the free part of the heap shrinks.
    pub collected: bool,
}

impl Default for Memory {
    fn default() -> Self {
        Memory { base_mb: 120.0, limit_mb: 512.0, request_mb: 0.05, collected: false }
    }
}

/// How a load balancer or supervisor looks whether an instance is well.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    pub every_s: f64,
    pub timeout_ms: f64,
    /// Failures in a row until it acts; as many successes undo it.
    pub failures: u32,
    /// Asks the database through the pool, too.
    #[serde(default)]
    pub deep: bool,
    /// Restarts the instance, and not only takes it out of the target group.
    #[serde(default)]
    pub restarts: bool,
}

/// Adds instances by use of processors or memory.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Autoscale {
    pub max: u32,
    /// Mean use of the processors that it keeps, 0 to 1.
    #[serde(default)]
    pub cpu: f64,
    /// Mean use of the memory that it keeps, 0 to 1.
    #[serde(default)]
    pub memory: f64,
    pub every_s: f64,
}

/// Connections of one instance to a database.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    pub database: String,
    pub max: u32,
    /// How long a request waits for a connection.
    #[serde(default = "acquire_ms")]
    pub acquire_ms: f64,
    /// The client cancels a statement after this long; never if absent.
    #[serde(default)]
    pub statement_ms: Option<f64>,
}

fn acquire_ms() -> f64 {
    2_000.0
}

/// What a service does for one route.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    pub route: String,
    #[serde(default = "method")]
    pub method: String,
    /// First part of the path of its requests, where it is not the route's name.
    #[serde(default)]
    pub path: String,
    pub steps: Vec<Step>,
}

fn method() -> String {
    "GET".to_owned()
}

/// One step of the work.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// Work on a processor of the instance.
    Work(Time),
    /// Waiting without a processor.
    Wait(Time),
    Call(Box<Call>),
    /// One statement on a connection of the pool.
    Query {
        on: String,
        statement: String,
        #[serde(default = "once")]
        times: u32,
    },
    /// Several statements on one connection in one transaction.
    Transaction {
        on: String,
        statements: Vec<String>,
        /// What the service does between two of them, with its locks held.
        #[serde(default)]
        think_ms: f64,
    },
    /// Looks a key up and does `miss` where it is not found or too old.
    Cached {
        cache: String,
        ttl_s: f64,
        #[serde(default)]
        single_flight: bool,
        miss: Vec<Step>,
    },
    /// Removes the key.
    Invalidate {
        cache: String,
    },
    /// A request to the partition that holds the key.
    Partition {
        store: String,
        #[serde(default = "partition_ms")]
        timeout_ms: f64,
    },
    Publish {
        queue: String,
    },
    /// Looks the user's features up; where there are none, that takes longer and defaults are used.
    Features {
        miss_ms: f64,
    },
}

/// How long a step takes.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Time {
    /// The mean.
    pub ms: f64,
    #[serde(default)]
    pub law: Law,
    /// Standard deviation of the logarithm, where the law is log-normal.
    #[serde(default = "spread")]
    pub spread: f64,
}

fn spread() -> f64 {
    0.4
}

/// The distribution of a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Law {
    #[default]
    LogNormal,
    Exponential,
    Constant,
}

fn once() -> u32 {
    1
}

fn partition_ms() -> f64 {
    2_000.0
}

/// A call of another service, with the client's policy.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// `service/route`.
    pub to: String,
    #[serde(default = "timeout_ms")]
    pub timeout_ms: f64,
    #[serde(default = "once")]
    pub attempts: u32,
    /// Pause before the second attempt; it doubles with each further one.
    #[serde(default)]
    pub backoff_ms: f64,
    /// Retries as a share of requests; without bound if absent.
    #[serde(default)]
    pub budget: Option<f64>,
    /// Share of failures at which no call is made for a while; never if absent.
    #[serde(default)]
    pub breaker: Option<f64>,
    /// What is done instead, if the call fails.
    #[serde(default)]
    pub fallback: Vec<Step>,
    /// The request goes on without an answer.
    #[serde(default)]
    pub optional: bool,
}

fn timeout_ms() -> f64 {
    2_000.0
}

/// Messages that a service takes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Consume {
    pub queue: String,
    pub steps: Vec<Step>,
}

/// A PostgreSQL server.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Database {
    pub name: String,
    #[serde(default = "db_cores")]
    pub cores: u32,
    #[serde(default = "max_connections")]
    pub max_connections: u32,
    /// Patroni cluster that it is a member of.
    #[serde(default)]
    pub cluster: Option<String>,
    /// What stands between it and its clients.
    #[serde(default)]
    pub pooler: Option<Pooler>,
    /// Room on its volume; not watched if absent.
    #[serde(default)]
    pub disk_mb: Option<f64>,
    /// The primary whose changes it replays.
    #[serde(default)]
    pub replica_of: Option<String>,
    #[serde(default)]
    pub usd_per_month: f64,
    #[serde(default)]
    pub statement: Vec<Statement>,
}

fn db_cores() -> u32 {
    4
}

fn max_connections() -> u32 {
    100
}

/// A statement that services run.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    pub name: String,
    pub sql: String,
    pub ms: f64,
    pub relation: String,
    #[serde(default)]
    pub lock: Lock,
    /// Buffers that one run touches.
    #[serde(default = "buffers")]
    pub buffers: f64,
}

fn buffers() -> f64 {
    12.0
}

/// What a statement locks until its transaction ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Lock {
    /// The relation against schema changes.
    #[default]
    Read,
    /// And the row of the request's key against other writers.
    Row,
    /// An advisory lock that all of its runs share, until the transaction ends.
    Advisory,
    /// The relation against everybody.
    Exclusive,
}

/// A Redis server.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    pub name: String,
    #[serde(default = "cache_ms")]
    pub ms: f64,
    /// In the service's own edge (a CDN): no server of its own is to be seen.
    #[serde(default)]
    pub edge: bool,
    #[serde(default)]
    pub usd_per_month: f64,
}

fn cache_ms() -> f64 {
    0.4
}

/// A queue of a message broker.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    pub name: String,
    pub broker: String,
    /// Most messages it holds; without bound if absent.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// A store that is cut into partitions, each on a server of its own.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Store {
    pub name: String,
    pub partitions: u32,
    /// Mean time of a request.
    pub ms: f64,
    /// Requests that a partition works on at once.
    #[serde(default = "one")]
    pub parallel: u32,
    #[serde(default)]
    pub usd_per_month: f64,
}
