//! Training on an incident that has been recorded or is simulated: a page first, then looks that
//! cost points and time, guesses with a confidence, actions, and a debrief against the engine's own
//! ledger. In: telemetry, its diagnosis, the truth, and a drill's text. Out: text.
//!
//! Nothing later than the drill's clock is shown: every panel is made of telemetry that was cut at
//! the clock before anything was computed ([`cut`]). The diagnosis never comes here.

mod act;
mod ask;
mod case;
mod clock;
mod command;
pub mod content;
pub mod cut;
mod debrief;
mod doing;
mod game;
mod graph;
mod guess;
mod guesses;
mod look;
mod offers;
mod pager;
pub mod progress;
mod proof;
mod query;
pub mod review;
mod runbook;
mod score;
mod sessions;
mod sheet;
mod traces;
mod verbs;
mod words;

pub use act::Deed;
pub use case::{Case, Level, Plan, SETTLES};
pub use game::{Answer, Ask, Game, Reply, Rerun};
pub use score::{CATEGORIES, Score, brier, expected};
pub use sheet::{kept, list, sheet};
pub use verbs::ACTIONS;
pub use words::together;

#[cfg(test)]
mod tests;
