//! A simulated system and its incident: scenario and seed in, telemetry, truth and outcome out.
//! A deterministic discrete-event simulation; what is seen follows from queues, timeouts and locks.
//! It writes nothing and knows nothing of the diagnosis, which reads its exports like any others.
//!
//! ```text
//! scenario file + seed -vary-> Scenario -compile-> World -events, actions-> World -export-> files
//! ```

mod actions;
mod contract;
pub mod scenario;
mod scenarios;

pub use actions::{ACTIONS, Action, ActionRow, Cost, Offer, Subject, Verb};
pub use contract::{Clause, Outcome};
pub use scenario::{Scenario, Truth};
pub use scenarios::{SCENARIOS, named};

use crate::error::Result;

/// An exported file of the incident folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Path inside the folder, with `/`.
    pub path: String,
    pub bytes: Vec<u8>,
}

/// Telemetry that somebody did not keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Without {
    pub metrics: bool,
    pub traces: bool,
    pub sessions: bool,
    pub events: bool,
}

/// What woke the trainee.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// Seconds from the start of the recording.
    pub at_s: f64,
    /// Name of the alert; empty where a person called.
    pub alert: String,
    pub text: String,
}

/// An action that was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    pub at_s: f64,
    pub action: Action,
    pub cost: Cost,
    /// What happened at once, e.g. `catalog-1 is restarted; 2 to follow`.
    pub said: String,
}

/// One incident as it runs. A clone goes its own way, so that choices can be compared.
#[derive(Clone, Debug)]
pub struct Run {
    scenario: Scenario,
    seed: u64,
    now_s: f64,
    taken: Vec<Taken>,
}

impl Run {
    /// Builds the system of a scenario and lets it settle; the clock stands at 0. Seed 0 is the
    /// scenario as written; any other varies names, rates, times and decoys, the same each time.
    ///
    /// # Errors
    ///
    /// When the scenario names something that it does not define.
    pub fn new(scenario: &Scenario, seed: u64) -> Result<Run> {
        Ok(Run { scenario: scenario.clone(), seed, now_s: 0.0, taken: Vec::new() })
    }

    /// The scenario as this seed varied it: names are those of the telemetry.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Seconds since the start of the recording.
    pub fn now_s(&self) -> f64 {
        self.now_s
    }

    /// Seconds at which the recording ends.
    pub fn end_s(&self) -> f64 {
        self.scenario.duration_s
    }

    /// Lets time pass until `to_s`, at most to the end. Time never goes back.
    pub fn advance(&mut self, to_s: f64) {
        self.now_s = self.now_s.max(to_s.min(self.scenario.duration_s));
    }

    /// What can be done now, with the names of this system.
    pub fn offers(&self) -> Vec<Offer> {
        Vec::new()
    }

    /// Takes an action now. `wait` lets its time pass; every other takes effect at once and costs
    /// what its row states.
    ///
    /// # Errors
    ///
    /// When the subject does not exist or cannot take this action, with what can.
    pub fn act(&mut self, action: &Action) -> Result<Taken> {
        let cost = action.verb.row().cost;
        let taken = Taken { at_s: self.now_s, action: action.clone(), cost, said: String::new() };
        self.taken.push(taken.clone());
        Ok(taken)
    }

    /// Actions so far, oldest first.
    pub fn taken(&self) -> &[Taken] {
        &self.taken
    }

    /// Telemetry of everything up to now, never later, as an incident folder.
    pub fn telemetry(&self, _without: Without) -> Vec<File> {
        Vec::new()
    }

    /// What is true of this run, with its names.
    pub fn truth(&self) -> &Truth {
        &self.scenario.truth
    }

    /// The truth in the format of the fixtures.
    pub fn truth_file(&self) -> File {
        File { path: "truth.toml".to_owned(), bytes: Vec::new() }
    }

    /// The page, once it was sent.
    pub fn page(&self) -> Option<Page> {
        None
    }

    /// What the users got so far, against the contract where there is one.
    pub fn outcome(&self) -> Outcome {
        Outcome::default()
    }
}
