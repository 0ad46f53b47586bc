//! What a scenario file holds: the system, its load, what goes wrong, the truth and the contract.
//! In: TOML. Out: checked types with times in seconds from the start. Nothing is simulated here.

mod extras;
mod parts;

pub use extras::{Features, Pooler, Registry, Resolver};
pub use parts::{
    Autoscale, Cache, Call, Consume, Database, Endpoint, Keys, Law, Lock, Memory, Pool, Probe,
    Queue, Service, Statement, Step, Store, Time, Traffic,
};

use crate::error::{Error, Result, line_column};
use schemars::JsonSchema;
use serde::Deserialize;

/// One scenario file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Version of this format: 1.
    pub schema: u32,
    pub id: String,
    pub title: String,
    /// What a trainee is told of the system, without the cause.
    #[serde(default)]
    pub story: String,
    /// Begin of what is recorded, RFC 3339 UTC.
    pub start: String,
    /// How long is recorded, in seconds.
    pub duration_s: f64,
    /// How long the system runs before the recording begins, in seconds.
    #[serde(default = "settle_s")]
    pub settle_s: f64,
    #[serde(default)]
    pub observe: Observe,
    pub traffic: Vec<Traffic>,
    pub service: Vec<Service>,
    #[serde(default)]
    pub database: Vec<Database>,
    #[serde(default)]
    pub cache: Vec<Cache>,
    #[serde(default)]
    pub queue: Vec<Queue>,
    #[serde(default)]
    pub store: Vec<Store>,
    #[serde(default)]
    pub resolver: Option<Resolver>,
    #[serde(default)]
    pub registry: Option<Registry>,
    #[serde(default)]
    pub fault: Vec<Fault>,
    /// Entries of the change log, decoys among them.
    #[serde(default)]
    pub change: Vec<Change>,
    pub truth: Truth,
    #[serde(default)]
    pub contract: Option<Contract>,
    #[serde(default)]
    pub pager: Pager,
    #[serde(default)]
    pub vary: Vary,
    /// The text it was read from, in which a seed changes names.
    #[serde(skip)]
    pub text: String,
}

fn settle_s() -> f64 {
    60.0
}

/// How the system is watched.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Observe {
    /// Seconds between scrapes.
    pub scrape_s: f64,
    /// Share of the traces that is kept, 0 to 1, decided at their root.
    pub trace_share: f64,
    /// Seconds between snapshots of `pg_stat_activity`.
    pub session_s: f64,
    /// Seconds by which a service's clock is ahead in its spans.
    pub clock_ahead_s: std::collections::BTreeMap<String, f64>,
    /// Services that export no metrics.
    pub unscraped: Vec<String>,
    /// Share of the scrapes that fail, 0 to 1.
    pub lost_scrapes: f64,
}

impl Default for Observe {
    fn default() -> Self {
        Observe {
            scrape_s: 5.0,
            trace_share: 0.08,
            session_s: 5.0,
            clock_ahead_s: std::collections::BTreeMap::new(),
            unscraped: Vec::new(),
            lost_scrapes: 0.0,
        }
    }
}

/// Something that goes wrong; the kinds are the rows of the fault table.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub kind: String,
    /// Seconds from the start of the recording.
    pub at_s: f64,
    /// When it ends by itself; never if absent.
    #[serde(default)]
    pub until_s: Option<f64>,
    /// Name of the service, database, cache, queue or store it befalls.
    pub on: String,
    /// Its size, in the unit that the kind states.
    #[serde(default = "one")]
    pub size: f64,
    /// Route, statement, relation, key or peer, as the kind states.
    #[serde(default)]
    pub of: String,
    /// Application, version or text, as the kind states.
    #[serde(default)]
    pub by: String,
}

fn one() -> f64 {
    1.0
}

/// An entry of the change log.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    pub at_s: f64,
    /// `deploy`, `flag`, `config`, `migration`, `scale`, ...
    pub kind: String,
    pub service: String,
    pub title: String,
    #[serde(default)]
    pub version: String,
    /// Has nothing to do with the incident; a seed moves it.
    #[serde(default)]
    pub decoy: bool,
}

/// What is true; the words of a fixture's `truth.toml`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Truth {
    /// `incident` or `healthy`.
    pub verdict: String,
    /// Entities of which one is to blame.
    #[serde(default)]
    pub entity: Vec<String>,
    /// Signatures of which one must come first.
    #[serde(default)]
    pub signature: Vec<String>,
    /// Signatures that must not come first.
    #[serde(default)]
    pub not: Vec<String>,
    /// From the cause to the users: the chain that a trainee may name a part of.
    #[serde(default)]
    pub chain: Vec<String>,
    /// Actions that end the incident, best first, as the command line takes them.
    #[serde(default)]
    pub best: Vec<String>,
    #[serde(default)]
    pub notes: String,
}

/// What the users were promised.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// Least share of requests that must succeed, 0 to 1.
    pub availability: f64,
    /// Most that the 95th percentile of the latency of successful requests may be.
    pub p95_ms: f64,
    /// Most that the system may cost.
    pub usd_per_month: f64,
}

/// When somebody is woken, and with which words.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pager {
    pub alert: String,
    /// Share of failing requests at the entry over a minute that pages.
    pub failing: f64,
    /// 95th percentile at the entry over a minute that pages.
    pub p95_ms: f64,
    /// Where no alert fires: when somebody calls instead.
    pub told_s: Option<f64>,
    /// What they say; `told_s` must be set.
    pub told: String,
}

impl Default for Pager {
    fn default() -> Self {
        Pager {
            alert: "EntryBurnRateHigh".to_owned(),
            failing: 0.05,
            p95_ms: 2_000.0,
            told_s: None,
            told: String::new(),
        }
    }
}

/// What a seed may change. Seed 0 changes nothing.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Vary {
    /// Name in this file to the names that may stand for it.
    pub names: std::collections::BTreeMap<String, Vec<String>>,
    /// Rates of traffic move by at most this share up or down.
    pub rate: f64,
    /// Faults, with the changes that belong to them, move by at most this many seconds later.
    pub shift_s: f64,
}

/// Reads a scenario.
///
/// # Errors
///
/// When the text is no TOML of this format, with `place:line:column`.
pub fn read(place: &str, text: &str) -> Result<Scenario> {
    let mut scenario: Scenario = toml::from_str(text).map_err(|e| {
        let at = e.span().map_or(0, |s| s.start);
        let (line, column) = line_column(text, at);
        Error::usage(format!("{place}:{line}:{column}"), e.message().to_owned())
    })?;
    if scenario.schema != 1 {
        return Err(Error::usage(place, format!("schema {} is not known", scenario.schema))
            .hint("this version reads schema = 1"));
    }
    scenario.text = text.to_owned();
    Ok(scenario)
}

/// JSON Schema of the format, for editors.
pub fn schema() -> String {
    let schema = schemars::schema_for!(Scenario);
    serde_json::to_string_pretty(&schema).expect("a schema is JSON")
}
