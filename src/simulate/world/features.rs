//! Features of a model: a job writes them, a store forgets them, the model looks them up and users
//! click or turn away. In: requests of users. Out: hits, defaults and clicks, which nobody calls an
//! error.

use super::World;
use super::build::seconds;
use crate::simulate::draw::mix;
use crate::simulate::scenario;
use crate::simulate::station::{Nanos, SECOND};

/// Share of the users whom the job knows nothing of.
const UNKNOWN: f64 = 0.02;

/// The store of one service's features.
#[derive(Clone, Debug)]
pub struct FeatureStore {
    pub view: String,
    every: Nanos,
    ttl: Nanos,
    clicks: [f64; 2],
    /// When the job last ran.
    pub fresh_at: Nanos,
    /// The job does not run.
    pub stopped: bool,
    /// Look-ups, those answered by defaults, and clicks since the last scrape.
    pub asked: f64,
    pub defaults: f64,
    pub clicked: f64,
}

impl FeatureStore {
    pub fn new(f: &scenario::Features) -> FeatureStore {
        FeatureStore {
            view: f.view.clone(),
            every: seconds(f.every_s),
            ttl: seconds(f.ttl_s),
            clicks: [f.clicks_default, f.clicks],
            fresh_at: 0,
            stopped: false,
            asked: 0.0,
            defaults: 0.0,
            clicked: 0.0,
        }
    }

    /// Seconds since the job last ran.
    pub fn age_s(&self, now: Nanos) -> f64 {
        (now - self.fresh_at) as f64 / SECOND as f64
    }
}

impl World {
    /// Looks up the features of the task's user, who then clicks or not.
    pub fn has_features(&mut self, task: u32) -> bool {
        let now = self.now;
        let t = &self.tasks[task as usize];
        let (service, key) = (usize::from(t.service), t.key);
        // A run writes those who were active since the one before: each user's entry is from another
        // time within the interval.
        let place = mix(u64::from(key) ^ 0x5eed) as f64 / u64::MAX as f64;
        let s = &mut self.services[service];
        let Some(f) = s.features.as_mut() else { return true };
        let written = f.fresh_at.saturating_sub((place * f.every as f64) as Nanos);
        let found = place >= UNKNOWN && now - written <= f.ttl;
        f.asked += 1.0;
        f.defaults += f64::from(u8::from(!found));
        let share = f.clicks[usize::from(found)];
        f.clicked += f64::from(u8::from(s.draw.hits(share)));
        found
    }

    /// Once a second: jobs that are due run.
    pub fn run_feature_jobs(&mut self) {
        let now = self.now;
        let all = self.services.iter_mut().filter_map(|s| s.features.as_mut());
        for f in all.filter(|f| !f.stopped && now - f.fresh_at >= f.every) {
            f.fresh_at = now;
        }
    }
}
