//! What a person decided in the interactive view: a small TOML file that `triage` writes and reads
//! again, and that a review can take.

use super::Diagnosis;
use crate::time;
use serde::{Deserialize, Serialize};

/// Raised when a field changes its meaning.
pub const NOTES_SCHEMA: u32 = 1;

/// Decisions of a person about one diagnosis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriageNotes {
    pub schema: u32,
    /// Begin of the incident, RFC 3339: tells whether the notes belong to a diagnosis.
    pub incident: String,
    /// SHA-256 of the catalogue.
    pub catalog: String,
    /// The instant that was looked at last, RFC 3339.
    pub cursor: String,
    /// By rank of the diagnosis.
    #[serde(default)]
    pub rejected: Vec<RejectedByHand>,
    /// What is left, by rank of the diagnosis.
    #[serde(default)]
    pub ranking: Vec<Left>,
}

/// A hypothesis that a person rejected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RejectedByHand {
    pub hypothesis: String,
    /// Empty for an unclassified one.
    pub signature: String,
    pub entity: String,
    /// In the person's own words.
    pub reason: String,
    /// What the diagnosis gave it.
    pub probability: f64,
}

/// A hypothesis that was not rejected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Left {
    pub hypothesis: String,
    pub signature: String,
    pub entity: String,
    /// What the diagnosis gave it, and its share of what is left.
    pub probability: f64,
    pub share: f64,
}

impl TriageNotes {
    /// Reads notes.
    ///
    /// # Errors
    ///
    /// In words, with line and column, when the text is no such file or of a later schema.
    pub fn parse(text: &str) -> Result<TriageNotes, String> {
        let notes: TriageNotes = toml::from_str(text).map_err(|e| e.to_string())?;
        match notes.schema {
            NOTES_SCHEMA => Ok(notes),
            other => Err(format!("schema {other}; this program reads {NOTES_SCHEMA}")),
        }
    }

    /// Says whether they were taken of the same incident.
    pub fn belong_to(&self, d: &Diagnosis) -> bool {
        self.incident == time::rfc3339(d.window.incident.from)
    }

    /// Writes them as TOML.
    pub fn to_toml(&self) -> String {
        let head =
            "# Written by `rootline triage`; `rootline triage --resume FILE` reads it again.\n";
        // Strings, numbers and lists of them: nothing that TOML cannot hold.
        format!("{head}{}", toml::to_string(self).unwrap_or_default())
    }
}
