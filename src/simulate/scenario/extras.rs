//! Parts of a system beside services and servers: names, the registry, a pooler, features of a model.

use schemars::JsonSchema;
use serde::Deserialize;

/// Where names are looked up before a new connection.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resolver {
    pub name: String,
    pub ms: f64,
    /// How long a caller keeps an answer.
    pub ttl_s: f64,
    /// How long a lookup is waited for.
    pub timeout_ms: f64,
}

/// Where instances learn, when they start, who serves what.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    pub name: String,
}

/// PgBouncer in front of a database, pooling by transaction.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pooler {
    pub name: String,
    /// Connections to the server: `default_pool_size`.
    pub size: u32,
}

/// Features that a model looks up, filled by a job.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Features {
    /// Name of the feature view.
    pub view: String,
    /// Seconds between two runs of the job.
    pub every_s: f64,
    /// The store forgets features after this long.
    pub ttl_s: f64,
    /// Share of the users who click on what the model shows, with their features and without.
    pub clicks: f64,
    pub clicks_default: f64,
}
