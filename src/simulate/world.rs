//! The state of a simulated system: who exists, what each is doing, and what was counted.
//! Built from a scenario; changed by events, faults and actions; read by the exports.

mod build;
mod calls;
mod databases;
mod endings;
mod engine;
mod failover;
mod features;
mod fleet;
mod locks;
mod made;
mod messages;
mod parts;
mod pooler;
mod steps;
mod users;

pub use parts::{
    BOUND_WORDS, Backend, Breaker, CacheServer, Db, Edge, Effect, Meter, Operation, Partitions,
    ServiceState, Source, Topic, Wait,
};

use super::draw::Draw;
use super::observe::Record;
use super::scenario::{Fault, Resolver, Time};
use super::station::Nanos;
pub use build::build;
use engine::Calendar;
pub use users::Ledger;

/// No index.
pub const NONE: u32 = u32::MAX;

/// Answers that are no HTTP status.
pub mod status {
    /// The connection was refused or reset.
    pub const REFUSED: u16 = 0;
    /// The caller stopped waiting.
    pub const TIMEOUT: u16 = 1;
    /// The name was not resolved.
    pub const NAME: u16 = 2;
    /// No call was made: the breaker is open.
    pub const OPEN: u16 = 3;
    /// The handshake failed.
    pub const HANDSHAKE: u16 = 4;
    /// The caller knows no endpoint.
    pub const UNKNOWN: u16 = 5;
}

/// What PostgreSQL says when a statement ends early (appendix A of its manual).
pub mod sqlstate {
    pub const CANCELLED: &str = "57014";
    pub const DEADLOCK: &str = "40P01";
    pub const DISK_FULL: &str = "53100";
}

/// One instruction of a program.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    Work(Time),
    Wait(Time),
    Call {
        edge: u16,
        fallback: Option<u16>,
        optional: bool,
    },
    Jump(u16),
    /// Takes a connection of a pool of the service.
    Acquire {
        pool: u16,
    },
    /// Runs a statement of that pool's database.
    Run {
        statement: u16,
        transaction: bool,
    },
    Release,
    /// Looks a key up; goes on at `past` if it is found.
    Look {
        cache: u16,
        space: u16,
        single: bool,
        past: u16,
    },
    Fill {
        cache: u16,
        space: u16,
        ttl: Nanos,
    },
    Forget {
        cache: u16,
    },
    Partition {
        store: u16,
        timeout: Nanos,
    },
    Publish {
        queue: u16,
    },
    Features {
        miss: Nanos,
    },
}

/// What a program is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A user who waits at the entry; `u16` is the source.
    User(u16),
    Route,
    /// A message of a queue.
    Message(u16),
    Probe,
}

/// The instructions of a route, a consumer, a probe or a user.
#[derive(Clone, Debug)]
pub struct Program {
    pub name: String,
    pub method: String,
    pub path: String,
    pub service: u16,
    pub purpose: Purpose,
    pub ops: Vec<Op>,
    /// Factor on its work, by faults.
    pub factor: f64,
}

/// What a task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Idle,
    WorkerQueue,
    CoreQueue,
    Working,
    Pause,
    Lookup,
    Network,
    Reply,
    Backoff,
    PoolQueue,
    Connect,
    PoolerQueue,
    LockQueue,
    TableQueue,
    TableHeld,
    DbQueue,
    DbRun,
    DbRead,
    CacheLook,
    CacheWrite,
    Flight,
    PartitionQueue,
    PartitionRun,
    Publishing,
}

/// A request in one service, from its arrival to its answer.
#[derive(Clone, Debug)]
pub struct Task {
    /// Changes whenever what it waits for is over, so that late events are known.
    pub stamp: u32,
    pub alive: bool,
    pub program: u16,
    pub service: u16,
    pub instance: u16,
    pub pc: u16,
    pub phase: Phase,
    /// Who gets the answer, while their stamp is this.
    pub caller: u32,
    pub caller_stamp: u32,
    pub key: u32,
    pub arrived: Nanos,
    pub trace: u32,
    pub span: u32,
    pub parent: u32,
    pub has_worker: bool,
    pub has_core: bool,
    /// Time of work that is still to be done, once there is a core.
    pub need: Nanos,
    /// When the present wait or step began.
    pub since: Nanos,
    // The call under way.
    pub edge: u16,
    pub attempt: u16,
    pub call_span: u32,
    pub call_began: Nanos,
    // The connection held.
    pub pool: u16,
    pub backend: u32,
    pub held: Nanos,
    pub statement: u16,
    pub repeat: u16,
    /// Has a server connection of a pooler.
    pub pooled: bool,
    /// Runs the statements of its transaction in the other order.
    pub reversed: bool,
    /// Partition, or cache space, of the present step.
    pub place: u16,
    /// Cache, space and key that it computes while others wait.
    pub flight: Option<(u16, u16, u32)>,
    /// Number of the probe, or time at which a message was published.
    pub mark: u64,
}

/// An entry of the change log.
#[derive(Clone, Debug)]
pub struct Noted {
    pub at: Nanos,
    pub kind: String,
    pub service: String,
    pub title: String,
    pub version: String,
}

impl World {
    /// Writes into the change log.
    pub fn note(&mut self, kind: &str, service: &str, title: &str, version: &str) {
        self.changes.push(Noted {
            at: self.now,
            kind: kind.to_owned(),
            service: service.to_owned(),
            title: title.to_owned(),
            version: version.to_owned(),
        });
    }
}

/// Everything.
#[derive(Clone, Debug)]
pub struct World {
    pub seed: u64,
    pub now: Nanos,
    /// Begin of the recording.
    pub zero: Nanos,
    /// Begin of the recording on the wall clock, in microseconds since 1970.
    pub start_us: i64,
    /// Events so far.
    pub events: u64,
    pub calendar: Calendar,
    pub tasks: Vec<Task>,
    pub free: Vec<u32>,
    pub programs: Vec<Program>,
    pub services: Vec<ServiceState>,
    pub edges: Vec<Edge>,
    pub databases: Vec<Db>,
    pub caches: Vec<CacheServer>,
    pub queues: Vec<Topic>,
    pub stores: Vec<Partitions>,
    pub sources: Vec<Source>,
    pub resolver: Option<(Resolver, f64, bool)>,
    pub registry_up: bool,
    pub faults: Vec<Fault>,
    pub network: Draw,
    pub chance: Draw,
    pub traces: u32,
    pub spans_given: u32,
    pub next_pid: i32,
    pub ledger: Ledger,
    pub record: Record,
    /// Change log: what faults and actions wrote into it.
    pub changes: Vec<Noted>,
    /// Restarts that are still to be done, one after the other.
    pub rolls: Vec<fleet::Roll>,
}
