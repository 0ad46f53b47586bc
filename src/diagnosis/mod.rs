//! The whole answer, as one serde type with a schema version. Every report renders it and computes
//! nothing. In JSON, times are RFC 3339 in UTC, durations seconds, ratios 0 to 1.

mod pages;
pub mod schema;
mod site;
mod triage;
mod why_not;

pub use pages::{
    Chart, ChartPoint, EdgeView, GraphView, Levels, NodeView, Pages, SessionsView, TreeLine,
    WaitRow,
};
pub use site::{OverrideReport, Suppressed};
pub use triage::{Left, NOTES_SCHEMA, RejectedByHand, TriageNotes};
pub use why_not::{Difference, WhyNot};

use crate::ingest::raw::InputFile;
use crate::model::{Gap, Micros, Severity, Unit};
use crate::rollup::Source;
use crate::time;
use serde::{Serialize, Serializer};

/// Raised when a field changes its meaning; fields may be added without.
pub const SCHEMA_VERSION: u32 = 1;

/// How sure the whole answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Healthy,
    Inconclusive,
    Likely,
    Confirmed,
}

impl Verdict {
    /// The verdict's name as reports and JSON write it.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Healthy => "healthy",
            Verdict::Inconclusive => "inconclusive",
            Verdict::Likely => "likely",
            Verdict::Confirmed => "confirmed",
        }
    }
}

/// What part a hypothesis plays in the incident.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    Cause,
    Trigger,
    Amplifier,
    Victim,
    Contributing,
    /// Considered and refuted by evidence.
    Rejected,
}

impl Role {
    /// The role's name as reports and JSON write it.
    pub fn word(self) -> &'static str {
        match self {
            Role::Cause => "cause",
            Role::Trigger => "trigger",
            Role::Amplifier => "amplifier",
            Role::Victim => "victim",
            Role::Contributing => "contributing",
            Role::Rejected => "rejected",
        }
    }
}

/// Three-valued evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceState {
    Present,
    Absent,
    Unobservable,
}

/// Weight of a piece of evidence, in words with fixed values.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Strength {
    Weak,
    Moderate,
    Strong,
    Decisive,
}

/// Whether a piece of evidence must be there, helps, or speaks against.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceRole {
    Required,
    Supports,
    Refutes,
}

pub(crate) fn at<S: Serializer>(t: &Micros, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&time::rfc3339(*t))
}

pub(crate) fn maybe_at<S: Serializer>(t: &Option<Micros>, s: S) -> Result<S::Ok, S::Error> {
    match t {
        Some(t) => s.serialize_str(&time::rfc3339(*t)),
        None => s.serialize_none(),
    }
}

/// A stretch of time in a report.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Span {
    #[serde(serialize_with = "at")]
    #[schemars(with = "String")]
    pub from: Micros,
    #[serde(serialize_with = "at")]
    #[schemars(with = "String")]
    pub to: Micros,
}

/// Baseline and incident windows and how they were decided.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct WindowReport {
    pub baseline: Span,
    pub incident: Span,
    pub how: String,
    /// False when nothing was disturbed: `incident` is then only the second half.
    pub found: bool,
}

/// The program that made the answer.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Tool {
    pub name: &'static str,
    pub version: &'static str,
}

/// The catalogue that was matched.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct CatalogRef {
    /// SHA-256 over all signature files.
    pub hash: String,
    pub signatures: usize,
}

/// An entity as reports name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
pub struct EntityRef {
    pub kind: &'static str,
    pub name: String,
    /// The service of an instance or partition; the name itself for a service.
    pub service: String,
}

/// A series on the report's common time axis: equal cells, `None` where nothing was recorded.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Spark {
    pub axis: Span,
    pub cells: Vec<Option<f64>>,
    pub unit: Unit,
    /// Median in the baseline and in the incident.
    pub before: Option<f64>,
    pub during: Option<f64>,
}

/// What users felt.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Impact {
    pub entity: EntityRef,
    pub signal: String,
    pub said: String,
    pub before: f64,
    pub during: f64,
    pub unit: Unit,
    pub source: Source,
}

/// The earliest failure in the chain of the first hypothesis.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct FirstFailure {
    pub entity: EntityRef,
    #[serde(serialize_with = "at")]
    #[schemars(with = "String")]
    pub at: Micros,
    pub uncertainty_s: f64,
    pub said: String,
}

/// One piece of evidence, seen, missed or not observable.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Evidence {
    /// `E1`, `E2`, … unique in the whole answer.
    pub id: String,
    /// Name of the evidence in its signature; `anomaly` for unclassified hypotheses.
    pub name: String,
    pub state: EvidenceState,
    pub role: EvidenceRole,
    pub strength: Strength,
    /// What it adds to the hypothesis' score, nats.
    pub nats: f64,
    pub said: String,
    /// The fact was concluded, not read.
    pub inferred: bool,
    pub source: Option<EvidenceSource>,
    pub spark: Option<Spark>,
}

/// Where a piece of evidence can be looked up.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct EvidenceSource {
    pub file: String,
    pub line: Option<u64>,
    pub series: String,
    #[serde(serialize_with = "maybe_at")]
    #[schemars(with = "Option<String>")]
    pub from: Option<Micros>,
    #[serde(serialize_with = "maybe_at")]
    #[schemars(with = "Option<String>")]
    pub to: Option<Micros>,
}

/// A question that tells two hypotheses apart.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Discriminator {
    pub against: String,
    pub question: String,
    pub this: String,
    pub other: String,
    /// Read-only.
    pub command: Option<String>,
    pub cost: String,
}

/// When an action is due.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ActionKind {
    /// Stops the bleeding, reversible.
    Now,
    /// Shows that it worked.
    Confirm,
    /// Brings everything back.
    Recover,
    /// Keeps it from coming again.
    Prevent,
}

impl ActionKind {
    /// The kind's name as files and JSON write it.
    pub fn word(self) -> &'static str {
        match self {
            ActionKind::Now => "now",
            ActionKind::Confirm => "confirm",
            ActionKind::Recover => "recover",
            ActionKind::Prevent => "prevent",
        }
    }
}

/// Something to do.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Action {
    pub kind: ActionKind,
    pub said: String,
    /// Exact statement or command, with the incident's own values filled in.
    pub command: Option<String>,
    /// Where to run it.
    pub on: Option<String>,
    /// What it costs or breaks.
    pub effect: Option<String>,
}

/// One step from cause to what users felt.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct ChainLink {
    pub entity: EntityRef,
    pub role: Role,
    #[serde(serialize_with = "maybe_at")]
    #[schemars(with = "Option<String>")]
    pub onset: Option<Micros>,
    pub onset_uncertainty_s: Option<f64>,
    /// Name of the link that it follows from; `None` for the first.
    pub after: Option<String>,
    pub said: String,
    pub spark: Option<Spark>,
    pub evidence: Vec<String>,
}

/// One term of a score, for `--explain`.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Term {
    pub name: String,
    /// Natural-log units.
    pub nats: f64,
    pub said: String,
}

/// One explanation of the incident.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Hypothesis {
    /// `H1`, `H2`, … in order of rank.
    pub id: String,
    pub rank: usize,
    /// `None` for an entity whose behaviour no signature explains.
    pub signature: Option<String>,
    pub code: Option<String>,
    pub title: String,
    /// The title with the incident's own values.
    pub headline: String,
    pub entity: EntityRef,
    /// That this is the root cause, 0 to 1, among all hypotheses and "none of these".
    pub probability: f64,
    /// Sum of the terms, nats.
    pub score: f64,
    pub role: Role,
    pub severity: Severity,
    #[serde(serialize_with = "maybe_at")]
    #[schemars(with = "Option<String>")]
    pub onset: Option<Micros>,
    pub onset_uncertainty_s: Option<f64>,
    /// Values bound by the match, e.g. `pid`, `application`, `victims`.
    pub facts: std::collections::BTreeMap<String, String>,
    pub evidence: Vec<Evidence>,
    pub against: Vec<Evidence>,
    pub discriminators: Vec<Discriminator>,
    pub mitigation: Vec<Action>,
    pub chain: Vec<ChainLink>,
    pub terms: Vec<Term>,
}

/// Something that happened, for the timeline.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Moment {
    #[serde(serialize_with = "at")]
    #[schemars(with = "String")]
    pub at: Micros,
    /// `change`, `alert`, `onset`, `session`, `log`, `recovery`.
    pub kind: &'static str,
    pub entity: Option<EntityRef>,
    pub said: String,
    pub uncertainty_s: Option<f64>,
    /// Where it was read: path and line.
    pub place: Option<Place>,
}

/// A line of an input file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Place {
    pub file: String,
    pub line: Option<u64>,
}

/// A signature that could not run, or that was refuted.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Skipped {
    pub signature: String,
    pub missing: Vec<String>,
}

/// A signature that ran and did not match, with the first reason.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Rejected {
    pub signature: String,
    pub title: String,
    pub entity: Option<EntityRef>,
    pub reason: String,
}

/// The whole answer.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Diagnosis {
    pub schema_version: u32,
    pub tool: Tool,
    pub catalog: CatalogRef,
    pub title: Option<String>,
    pub inputs: Vec<InputFile>,
    pub window: WindowReport,
    /// Entities and call edges in the graph.
    pub entities: usize,
    pub edges: usize,
    pub series: usize,
    pub verdict: Verdict,
    pub reasons: Vec<String>,
    pub impact: Vec<Impact>,
    pub first_failure: Option<FirstFailure>,
    pub hypotheses: Vec<Hypothesis>,
    /// Best first.
    pub suppressed: Vec<Suppressed>,
    /// Parameters that the site changed.
    pub overrides: Vec<OverrideReport>,
    pub timeline: Vec<Moment>,
    pub skipped: Vec<Skipped>,
    pub rejected: Vec<Rejected>,
    pub gaps: Vec<Gap>,
    /// What pages draw besides; left out of JSON.
    #[serde(skip)]
    pub pages: Pages,
}
