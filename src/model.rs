//! The words every module shares: time, windows, entities, units, gaps. Depends on nothing.

use serde::{Deserialize, Serialize};

/// Microseconds since the Unix epoch, UTC.
pub type Micros = i64;

/// One second in [`Micros`].
pub const SECOND: Micros = 1_000_000;

/// A half-open stretch of time, `from <= t < to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub from: Micros,
    pub to: Micros,
}

impl Window {
    /// Says whether `t` lies in the window.
    pub fn contains(&self, t: Micros) -> bool {
        self.from <= t && t < self.to
    }

    /// Length in seconds; never negative.
    pub fn seconds(&self) -> f64 {
        (self.to - self.from).max(0) as f64 / SECOND as f64
    }
}

/// What an entity is. The order is the order of preference when one name has two kinds.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum EntityKind {
    Service,
    Database,
    Cache,
    Queue,
    Partition,
    Instance,
    Host,
    /// A tenant, customer or key that requests are counted by.
    Client,
    External,
}

impl EntityKind {
    /// The kind's name as reports and companion files write it.
    pub fn word(self) -> &'static str {
        match self {
            EntityKind::Service => "service",
            EntityKind::Database => "database",
            EntityKind::Cache => "cache",
            EntityKind::Queue => "queue",
            EntityKind::Partition => "partition",
            EntityKind::Instance => "instance",
            EntityKind::Host => "host",
            EntityKind::Client => "client",
            EntityKind::External => "external",
        }
    }
}

/// Index of an entity in the graph of one diagnosis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityId(pub u32);

/// Something that can be at fault.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entity {
    pub kind: EntityKind,
    pub name: String,
    /// The service an instance or partition belongs to.
    pub service: Option<String>,
}

/// What a series, a feature or a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    Entity(EntityId),
    /// Calls from the first entity to the second.
    Edge(EntityId, EntityId),
}

impl Subject {
    /// The entity that takes the blame: the entity itself, or the caller of an edge.
    pub fn owner(self) -> EntityId {
        match self {
            Subject::Entity(e) | Subject::Edge(e, _) => e,
        }
    }
}

/// Base units; everything is converted to one of these on the way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, schemars::JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    Seconds,
    Bytes,
    /// 0 to 1.
    Ratio,
    Count,
    PerSecond,
    BytesPerSecond,
    /// Cores in use.
    Cores,
    /// Seconds since the epoch.
    Instant,
    None,
}

/// Harm if the hypothesis is true; says nothing about how likely it is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

/// Why something could not be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GapKind {
    /// The file was not recognised or could not be read at all.
    Unreadable,
    /// Part of a file was skipped.
    Skipped,
    /// The file ends in the middle of a value.
    Truncated,
    /// Something that would help was not there.
    Missing,
    /// Read, but not to be trusted as it stands.
    Doubtful,
    /// A fact that was concluded, not read.
    Inferred,
}

/// Input that is unreadable, missing or doubtful; every report shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
pub struct Gap {
    pub kind: GapKind,
    /// Path inside the incident folder, if the gap is about a file.
    pub file: Option<String>,
    /// First line concerned, counted from 1.
    pub line: Option<u64>,
    pub what: String,
    /// How many rows or series are concerned; 1 for a whole file.
    pub count: u64,
}

impl Gap {
    /// Makes a gap that is not about one file.
    pub fn new(kind: GapKind, what: impl Into<String>) -> Self {
        Gap { kind, file: None, line: None, what: what.into(), count: 1 }
    }

    /// Makes a gap about a file, with the first line concerned where it is known.
    pub fn at(kind: GapKind, file: &str, line: Option<u64>, what: impl Into<String>) -> Self {
        Gap { kind, file: Some(file.to_owned()), line, what: what.into(), count: 1 }
    }
}
