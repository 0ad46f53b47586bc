//! A simulated system and its incident: scenario and seed in, telemetry, truth and outcome out.
//! A deterministic discrete-event simulation; what is seen follows from queues, timeouts and locks.
//! It writes nothing and knows nothing of the diagnosis, which reads its exports like any others.
//!
//! ```text
//! scenario file + seed -vary-> Scenario -compile-> World -events, actions-> World -export-> files
//! ```

mod actions;
mod contract;
mod draw;
pub mod evaluate;
mod export;
mod faults;
mod observe;
pub mod scenario;
mod scenarios;
mod station;
mod vary;
mod world;

pub use actions::{ACTIONS, Action, ActionRow, Cost, Offer, Subject, Verb};
pub use contract::{Clause, Outcome};
pub use scenario::{Scenario, Truth};
pub use scenarios::{SCENARIOS, named};

pub use faults::{FAULTS, FaultRow, Target};

use crate::error::Result;
use station::SECOND;
use world::World;

/// Where the truth of a folder stands; no reader of telemetry opens it.
const TRUTH: &str = "truth.toml";

/// The fault that makes many ask for one key.
const ONE_KEY: &str = "asks-for-one-key";

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
    world: World,
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
        let mut scenario = scenario.clone();
        if seed != 0 {
            if !scenario.vary.names.is_empty() {
                let text = vary::renamed(&scenario.text, &scenario, seed);
                scenario = scenario::read(&scenario.id, &text)?;
            }
            vary::moved(&mut scenario, seed);
        }
        scenario.truth.entity = hot_members(&scenario);
        let mut world = world::build(&scenario, seed)?;
        let zero = world.zero;
        world.run(zero);
        Ok(Run { scenario, seed, world, taken: Vec::new() })
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
        self.world.clock_s()
    }

    /// Seconds at which the recording ends.
    pub fn end_s(&self) -> f64 {
        self.scenario.duration_s
    }

    /// Begin of the recording.
    pub fn start(&self) -> crate::model::Micros {
        self.world.start_us
    }

    /// Events that the simulation has worked off so far.
    pub fn events(&self) -> u64 {
        self.world.events
    }

    /// Lets time pass until `to_s`, at most to the end. Time never goes back.
    pub fn advance(&mut self, to_s: f64) {
        let to_s = to_s.clamp(0.0, self.scenario.duration_s);
        let until = self.world.zero + (to_s * SECOND as f64) as u64;
        if until > self.world.now {
            self.world.run(until);
        }
    }

    /// What can be done now, with the names of this system.
    pub fn offers(&self) -> Vec<Offer> {
        actions::offers(&self.world)
    }

    /// Takes an action now. `wait` lets its time pass; every other takes effect at once and costs
    /// what its row states.
    ///
    /// # Errors
    ///
    /// When the subject does not exist or cannot take this action, with what can.
    pub fn act(&mut self, action: &Action) -> Result<Taken> {
        let at_s = self.now_s();
        let said = if action.verb == Verb::Wait {
            self.advance(at_s + action.amount);
            format!("{} s pass", action.amount)
        } else {
            actions::apply(&mut self.world, action)?
        };
        let row = action.verb.row();
        let units = if action.verb == Verb::ScaleOut { action.amount.max(1.0) } else { 1.0 };
        let cost = Cost { usd_per_month: row.cost.usd_per_month * units, ..row.cost };
        let taken = Taken { at_s, action: action.clone(), cost, said };
        self.taken.push(taken.clone());
        Ok(taken)
    }

    /// Reads an action; `cancel` takes an application's name as well as a process id.
    ///
    /// # Errors
    ///
    /// When the words are no action.
    pub fn action(&self, words: &str) -> Result<Action> {
        let mut action = Action::parse(words)?;
        if action.verb == Verb::Cancel
            && let Some(pid) = actions::pid_of(&self.world, &action.subject)
        {
            action.subject = pid.to_string();
        }
        Ok(action)
    }

    /// Actions so far, oldest first.
    pub fn taken(&self) -> &[Taken] {
        &self.taken
    }

    /// Telemetry of everything up to now, never later, as an incident folder.
    pub fn telemetry(&self, without: Without) -> Vec<File> {
        export::files(&self.world, without)
    }

    /// What is true of this run, with its names.
    pub fn truth(&self) -> &Truth {
        &self.scenario.truth
    }

    /// The truth in the format of the fixtures.
    pub fn truth_file(&self) -> File {
        export::truth(&self.world, &self.scenario, self.seed)
    }

    /// The page, once it was sent.
    pub fn page(&self) -> Option<Page> {
        contract::page(&self.world, &self.scenario)
    }

    /// What the users got so far, against the contract where there is one.
    pub fn outcome(&self) -> Outcome {
        contract::outcome(&self.world, &self.scenario)
    }
}

/// Who is to blame: where many ask for one key, of a store's partitions only the one that keeps it.
fn hot_members(scenario: &Scenario) -> Vec<String> {
    let hot = scenario.fault.iter().filter(|f| f.kind == ONE_KEY);
    let keys: Vec<u32> = hot.filter_map(|f| f.of.parse().ok()).collect();
    let is_cold = |name: &String| {
        let own = |s: &&scenario::Store| {
            name.strip_prefix(s.name.as_str()).is_some_and(|rest| rest.starts_with('-'))
        };
        let Some(store) = scenario.store.iter().find(own) else { return false };
        let members = keys.iter().map(|k| draw::member_of(*k, 0, store.partitions as usize));
        let mut names = members.map(|m| format!("{}-{m}", store.name));
        !keys.is_empty() && !names.any(|n| n == *name)
    };
    scenario.truth.entity.iter().filter(|e| !is_cold(e)).cloned().collect()
}

#[cfg(test)]
mod tests;
