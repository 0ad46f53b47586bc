//! The drill's clock: what a command takes, what opens with time, and what time brings.

use super::case::{Layer, Level};
use super::command::{self, WAIT_BEATS};
use super::game::Game;
use super::score::Part;
use super::words;
use crate::model::Micros;

/// Beats that a symptom must have been away until the pager takes the alert back.
const CALM_BEATS: i64 = 2;
/// Share of the way from what was usual to the alert's threshold under which it counts as away.
const CLEARED: f64 = 0.5;
/// Beats after which the next stage opens; a guess opens it as well.
const STAGE_BEATS: i64 = 3;

impl Game<'_> {
    /// Says why a layer cannot be looked at, if it cannot.
    pub(super) fn closed(&self, layer: Layer) -> std::result::Result<(), String> {
        let layers = &self.case.plan.layers;
        match layers.iter().position(|l| *l == layer) {
            None => Err(format!("nothing was recorded of {}", layer.word())),
            Some(at) if at < self.stage => Ok(()),
            Some(at) => Err(format!(
                "{} open with stage {}: at {}, or with your next guess",
                layer.word(),
                at + 1,
                words::moment(&self.case.plan, self.opens(at))
            )),
        }
    }

    /// When a stage opens by itself.
    pub(super) fn opens(&self, stage: usize) -> Micros {
        self.case.plan.paged + stage as i64 * STAGE_BEATS * self.case.plan.beat
    }

    /// Takes the points and the time of a command.
    pub(super) fn pay(&mut self, name: &str) {
        let Some(row) = command::find(name) else { return };
        self.score.lose(Part::Economy, row.points, name);
        self.pass(row.beats * self.case.plan.beat);
    }

    pub(super) fn pass(&mut self, by: Micros) {
        self.now = self.now.saturating_add(by).min(self.case.plan.end);
    }

    /// What time has brought since a line began: stages, the end of the alert and of the recording.
    pub(super) fn passed(&mut self, (now, stage): (Micros, usize)) -> Vec<String> {
        let mut out = Vec::new();
        while self.stage < self.case.plan.layers.len() && self.opens(self.stage) <= self.now {
            self.stage += 1;
        }
        for (at, layer) in self.case.plan.layers.iter().enumerate().take(self.stage).skip(stage) {
            out.push(format!(" -- stage {} is open: {} --", at + 1, layer.word()));
            if self.level == Level::Guided {
                out.extend(self.next_hint());
            }
        }
        if self.now == now {
            return out;
        }
        if !self.resolved && self.is_resolved() {
            self.resolved = true;
            let said = self.symptom().unwrap_or_default();
            out.push(format!(" pager: RESOLVED {said}"));
        }
        if self.now == self.case.plan.end && !self.ended {
            self.ended = true;
            out.push(
                " the recording ends here: the clock stands still, you can still guess".to_owned(),
            );
        }
        out
    }

    pub(super) fn wait(&mut self, by: Micros) -> Vec<String> {
        let by = by.min(self.case.plan.end - self.now);
        let beats = by as f64 / (WAIT_BEATS * self.case.plan.beat) as f64;
        self.score.lose(Part::Economy, beats.ceil().max(1.0), "wait");
        self.pass(by);
        let said = self.symptom().map(|s| format!("; {s}")).unwrap_or_default();
        vec![format!("   it is {}{said}", words::moment(&self.case.plan, self.now))]
    }

    /// Whether the alert of the page is withdrawn: the symptom is back near what it was and has
    /// stayed there, for a wave that ebbs is not over.
    fn is_resolved(&mut self) -> bool {
        let plan = &self.case.plan;
        let Some(symptom) = plan.symptom.as_ref() else { return false };
        if plan.over.is_some_and(|o| self.now < o) {
            return false;
        }
        let instant = self.instant();
        let since = plan.paged.max(self.now - CALM_BEATS * plan.beat);
        let Some(s) = symptom.find(&instant) else { return false };
        let up = symptom.threshold >= symptom.before;
        let limit = symptom.before + CLEARED * (symptom.threshold - symptom.before);
        let mut last = s.points.iter().rev().take_while(|p| p.0 > since).peekable();
        last.peek().is_some() && last.all(|p| (p.1 < limit) == up)
    }

    /// Whether the symptom of the page is gone, and what caused it as well.
    pub(super) fn is_back(&mut self) -> bool {
        let plan = &self.case.plan;
        let Some(symptom) = plan.symptom.as_ref() else { return false };
        let instant = self.instant();
        let last = symptom.find(&instant).and_then(|s| s.points.last());
        let up = symptom.threshold >= symptom.before;
        let back = last.is_some_and(|l| (l.1 < symptom.threshold) == up && l.0 > plan.paged);
        back && plan.over.is_none_or(|o| self.now >= o)
    }
}
