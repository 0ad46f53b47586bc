//! A guess in a drill under way: what it earns, what it costs, and what is said to it.

use super::game::Game;
use super::guess::{self, Worth};
use super::score::{Guessed, Part};
use super::words;
use crate::ingest::raw::Session;

/// Points for a wrong guess: one that names who suffers, one that falls for a decoy, any other.
const VICTIM: f64 = 5.0;
const DECOY: f64 = 8.0;
const ASTRAY: f64 = 6.0;
/// Points for the cause that go with the time it takes, and without the session that is to blame.
const LATE: f64 = 6.0;
const NO_PID: f64 = 5.0;
/// How sure somebody is who does not say it: it may be so, or not.
const UNSAID: f64 = 0.5;

impl Game<'_> {
    pub(super) fn guess(
        &mut self,
        component: String,
        mechanism: String,
        said: Option<f64>,
        pid: Option<i64>,
    ) -> std::result::Result<Vec<String>, String> {
        if self.solved {
            return Err("you have found it: `act`, or `done` for the debrief".to_owned());
        }
        let id = match self.case.catalog.find(&mechanism) {
            Ok(s) => s.signature.id.clone(),
            Err(e) => return Err(format!("{e}; {}", e.hint.clone().unwrap_or_default())),
        };
        let entity = self.component(&component);
        let instant = self.instant();
        let named =
            |s: &Session| s.application == component.as_str() || s.user == component.as_str();
        let session = instant.telemetry.sessions.iter().any(|(_, s)| named(s));
        let entity = match entity {
            Ok(e) => Some(e),
            // The whole of it, e.g. where every caller suffers at once.
            Err(_) if session || component == "system" => None,
            Err(what) => return Err(what),
        };
        let entity = entity.and_then(|e| self.first(&instant, e));
        let worth = guess::weigh(self.case, (&component, entity), &id, &self.injected);
        self.pay("guess");
        let sure = said.unwrap_or(UNSAID);
        let guessed =
            Guessed { component, mechanism: id, sure, right: worth.right, credit: worth.credit() };
        let mut out =
            if worth.right { self.right(&guessed, pid) } else { self.wrong(&guessed, &worth) };
        if said.is_none() {
            out.push(format!("   taken as {:.0} % sure: --sure says it", sure * 100.0));
        }
        self.score.guesses.push(guessed);
        Ok(out)
    }

    fn right(&mut self, g: &Guessed, pid: Option<i64>) -> Vec<String> {
        let plan = &self.case.plan;
        self.solved = true;
        let share = (self.now - plan.paged) as f64 / (plan.end - plan.paged).max(1) as f64;
        self.score.lose(
            Part::Cause,
            LATE * share,
            format!("{} after the page", words::clock(plan, self.now)),
        );
        let mut out = vec![format!(
            "   CORRECT: {} on {}; you were {:.0} % sure",
            g.mechanism,
            g.component,
            g.sure * 100.0
        )];
        match (plan.pid, pid) {
            (Some(true_pid), Some(p)) if true_pid == p => {
                out.push(format!("   and pid {p} is the session that is to blame"));
            }
            (Some(_), given) => {
                self.score.lose(Part::Cause, NO_PID, "the session to blame was not named");
                let said = match given {
                    Some(p) => format!("   but pid {p} is not the session that is to blame"),
                    None => "   which session it is was not said (--pid)".to_owned(),
                };
                out.push(said);
            }
            (None, _) => {}
        }
        out.push(
            "   now `act` on it (`act` lists what there is), or `done` for the debrief".to_owned(),
        );
        out
    }

    fn wrong(&mut self, g: &Guessed, w: &Worth) -> Vec<String> {
        self.stage = (self.stage + 1).min(self.case.plan.layers.len());
        let (points, said) = match w {
            Worth { decoy: Some(why), .. } => {
                let why =
                    if why.is_empty() { "the evidence rules that mechanism out" } else { why };
                (DECOY, format!("that only looks guilty: {why}"))
            }
            w if w.component >= 1.0 && w.mechanism > 0.0 => {
                (VICTIM, "right place; the mechanism is near, but another one".to_owned())
            }
            w if w.component >= 1.0 => (VICTIM, "right place, wrong mechanism".to_owned()),
            w if w.victim => (
                VICTIM,
                format!(
                    "right symptom, wrong end of the chain: what does {} wait for?",
                    g.component
                ),
            ),
            w if w.mechanism >= 1.0 => {
                (VICTIM, "right mechanism; look at another place".to_owned())
            }
            _ => (ASTRAY, "that is not in the causal chain".to_owned()),
        };
        self.score.lose(Part::Symptoms, points, format!("{} on {}", g.mechanism, g.component));
        vec![
            format!("   NOT YET: {said}"),
            format!(
                "   worth {:.0} % of the cause; {:.0} % sure costs {:.0} of 100 in calibration",
                g.credit * 100.0,
                g.sure * 100.0,
                g.sure * g.sure * 100.0
            ),
        ]
    }
}
