//! The scenarios that come with the program.

use super::scenario::{self, Scenario};
use crate::error::{Error, Result};

/// Id and text of each, sorted by id: the files of `fixtures/scenarios`.
pub const SCENARIOS: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/scenarios.rs"));

/// The scenario with this id.
///
/// # Errors
///
/// When there is none, with all that there are.
pub fn named(id: &str) -> Result<Scenario> {
    let Some((id, text)) = SCENARIOS.iter().find(|(known, _)| *known == id) else {
        let all = SCENARIOS.iter().map(|(id, _)| *id).collect::<Vec<_>>().join(", ");
        return Err(Error::usage(id, "no such scenario").hint(format!("scenarios: {all}")));
    };
    scenario::read(&format!("{id}.toml"), text)
}
