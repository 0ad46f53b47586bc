//! What a site says about the catalogue, as the answer shows it.

use super::EntityRef;
use serde::Serialize;

/// A parameter that has another value at this site.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct OverrideReport {
    pub signature: String,
    pub param: String,
    pub value: f64,
    pub unit: String,
    /// The signature's own number.
    pub default: f64,
    pub why: String,
    /// `file:line`.
    pub place: String,
}

/// A hypothesis that the site knows and accepts: shown, and not counted.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Suppressed {
    pub signature: String,
    pub code: String,
    pub headline: String,
    pub entity: EntityRef,
    /// What it would have without the suppression.
    pub probability: f64,
    /// It would stand first without the suppression.
    pub first: bool,
    /// When the suppression ends, as its file says.
    pub until: String,
    pub reason: String,
    /// `file:line`.
    pub place: String,
}
