//! What is kept of a drill: enough to play it again line by line. In and out: one JSON file per
//! session. Reading is strict: a damaged file is an error that names it, and stays as it is.

use super::game::Game;
use super::score::CATEGORIES;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Raised when a field changes its meaning.
pub const SCHEMA: u32 = 1;

/// One session, under way or over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    pub schema: u32,
    /// Id of the drill, or the folder that was drilled.
    pub drill: String,
    pub title: String,
    pub level: u8,
    pub seed: u64,
    pub lines: Vec<String>,
    pub over: bool,
    pub solved: bool,
    /// Points in all and by part.
    pub score: f64,
    pub parts: BTreeMap<String, f64>,
    /// Mean Brier score of the guesses.
    pub brier: Option<f64>,
    /// Seconds from the page to now, in the drill's time.
    pub clock_s: f64,
}

impl Session {
    /// What is to be kept of a game; `drill` is how it was named.
    pub fn of(game: &Game, drill: &str) -> Session {
        let tenth = |p: f64| (p * 10.0).round() / 10.0;
        let parts = CATEGORIES.iter().map(|c| (c.1.to_owned(), tenth(game.score.points(c.0))));
        Session {
            schema: SCHEMA,
            drill: drill.to_owned(),
            title: game.case.file.drill.title.clone(),
            level: game.level.number(),
            seed: game.seed,
            lines: game.lines.clone(),
            over: game.over,
            solved: game.solved,
            score: tenth(game.score.total()),
            parts: parts.collect(),
            brier: game.score.mean_brier(),
            clock_s: (game.now - game.case.plan.paged) as f64 / crate::model::SECOND as f64,
        }
    }

    /// Reads a session.
    ///
    /// # Errors
    ///
    /// In words, with line and column, when the text is none or of a later schema.
    pub fn parse(text: &str) -> Result<Session, String> {
        let session: Session = serde_json::from_str(text).map_err(|e| e.to_string())?;
        match session.schema {
            SCHEMA => Ok(session),
            other => Err(format!("schema {other}; this program reads {SCHEMA}")),
        }
    }

    /// Writes it as JSON with a final newline.
    pub fn to_json(&self) -> String {
        // Strings, numbers, lists and maps with string keys: nothing that JSON cannot hold.
        let mut out = serde_json::to_string_pretty(self).unwrap_or_default();
        out.push('\n');
        out
    }
}
