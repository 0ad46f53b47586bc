//! Whether nothing is wrong. In: the windows, what moved although nothing was found disturbed. Out:
//! healthy, or why that cannot be said.
//!
//! "Healthy" is a claim as well: that what was recorded would have shown trouble. It is made only
//! where nothing that was recorded speaks against it.

use super::answer::Writer;
use super::doubts::{Claim, is_proved};
use crate::catalog::Category;
use crate::diagnosis::{Hypothesis, Role, Verdict};
use crate::features::window::{SYMPTOM_ROLES, is_felt};
use crate::features::{change, robust};
use crate::matching::{human, target_name};
use crate::model::{Subject, Unit};
use crate::rollup::Origin;

/// Score from which something is worth a look although nothing is disturbed.
const STANDS_OUT: f64 = 2.0;
/// Factor by which a symptom that stays below its noise must have moved to forbid "healthy".
const DOUBLED: f64 = 2.0;
/// Share of a recording that is its beginning, and fewest samples of it.
const BEGINNING: f64 = 0.2;
const BEGINNING_MIN: usize = 3;
/// Fewest samples with failures that are bursts.
const BURSTS_MIN: usize = 3;
/// Robust standard deviations from which a level clearly moved, as for evidence.
const CLEAR_Z: f64 = 3.0;
impl Writer<'_> {
    /// Says whether some symptom signal has a sample in the incident window.
    pub(super) fn symptoms_were_read(&self) -> bool {
        let incident = self.context.features.windows.incident;
        self.context.rollups.series.iter().any(|s| {
            SYMPTOM_ROLES.contains(&s.role.as_str())
                && s.points.iter().any(|p| incident.contains(p.0))
        })
    }

    /// The verdict where no window was given or found, unless something strong stands out.
    pub(super) fn undisturbed(&self, top: Option<&Hypothesis>) -> Option<(Verdict, Vec<String>)> {
        let normal = |h: &Hypothesis| {
            self.file_of(h).is_some_and(|f| f.signature.category == Category::Normal)
        };
        let stands_out = |h: &Hypothesis| {
            // A change that nothing followed is no incident.
            let exact = h.signature.is_some() && self.claim(h) != Claim::Moment;
            exact && !normal(h) && h.role == Role::Cause && h.score > STANDS_OUT
        };
        // Wrong data shows in no latency: where it is proved, nothing else need be disturbed.
        let silent = |h: &Hypothesis| {
            let data = self.file_of(h).is_some_and(|f| f.signature.category == Category::Data);
            data && h.role == Role::Cause && is_proved(h)
        };
        if top.is_some_and(|h| stands_out(h) || silent(h)) {
            return None;
        }
        if let Some(speaks) = self.speaks_against() {
            return Some((Verdict::Inconclusive, vec![speaks]));
        }
        let (verdict, what) = match self.symptoms_were_read() {
            true => (
                Verdict::Healthy,
                "no latency, error or availability signal leaves its usual level",
            ),
            false => (
                Verdict::Inconclusive,
                "no latency, error or availability signal was read in the window: nothing says \
                 that it is healthy",
            ),
        };
        Some((verdict, vec![what.to_owned()]))
    }

    /// A symptom whose middle level moved by what users feel between the halves, although its own
    /// noise is so large that this may be chance: that nothing is wrong cannot be said.
    fn hidden_in_noise(&self) -> Option<String> {
        let c = self.context;
        let moved = |i: &usize| {
            let s = &c.rollups.series[*i];
            let unit = c.telemetry.signals.get(s.signal).unit();
            let Some(shift) = c.features.series[*i].shift else { return false };
            SYMPTOM_ROLES.contains(&s.role.as_str())
                && is_felt(&s.role, unit, shift.baseline.median, shift.incident_median)
                && (shift.ratio() >= DOUBLED || shift.ratio() * DOUBLED <= 1.0)
        };
        let found = (0..c.rollups.series.len()).find(moved)?;
        Some(format!("{}: its noise hides whether that is chance", self.level_said(found)))
    }

    /// What was recorded that a healthy system does not show, although no window was found.
    fn speaks_against(&self) -> Option<String> {
        let series = || 0..self.context.rollups.series.len();
        self.hidden_in_noise()
            .or_else(|| series().find_map(|i| self.fails_later(i)))
            .or_else(|| series().find_map(|i| self.better_before(i)))
            .or_else(|| series().find_map(|i| self.slow_by_another_name(i)))
    }

    /// Failures that come in bursts leave the middle level where it was: what counts is the share
    /// that fails in the worst stretch as long as the beginning, against that at the beginning.
    fn fails_later(&self, i: usize) -> Option<String> {
        let c = self.context;
        let s = &c.rollups.series[i];
        let share = c.telemetry.signals.get(s.signal).unit() == Unit::Ratio && s.role == "errors";
        // Spans are sampled: one that fails is a large share of a thin bucket.
        let entity = matches!(s.subject, Subject::Entity(_)) && s.origin == Origin::Metrics;
        let values: Vec<f64> = s.points.iter().map(|p| p.1).filter(|v| v.is_finite()).collect();
        let first = (BEGINNING * values.len() as f64) as usize;
        if !share || !entity || first < BEGINNING_MIN {
            return None;
        }
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len().max(1) as f64;
        let before = mean(&values[..first]);
        // One failing sample is a blip wherever it lies.
        let bursts = |part: &&[f64]| part.iter().filter(|v| **v > 0.0).count() >= BURSTS_MIN;
        let after = values[first..].windows(first).filter(bursts).map(mean).fold(0.0, f64::max);
        let grew = is_felt(&s.role, Unit::Ratio, before, after) && after >= DOUBLED * before;
        grew.then(|| {
            let name = target_name(c, s.subject);
            let (before, after) = (human(before, Unit::Ratio), human(after, Unit::Ratio));
            format!("{name}: {before} of requests fail at first, up to {after} later, in bursts")
        })
    }

    /// A symptom, or a time of no known meaning, that was clearly better at first, for too short a
    /// time to call that the usual level: the recording may begin just before the trouble.
    fn better_before(&self, i: usize) -> Option<String> {
        let c = self.context;
        let s = &c.rollups.series[i];
        let entity = matches!(s.subject, Subject::Entity(_));
        let unit = c.telemetry.signals.get(s.signal).unit();
        let time = s.role == "other" && unit == Unit::Seconds;
        if !(time || SYMPTOM_ROLES.contains(&s.role.as_str())) || !entity {
            return None;
        }
        let role = if time { "latency" } else { s.role.as_str() };
        let values: Vec<f64> = s.points.iter().map(|p| p.1).collect();
        let segments = change::segments(&values);
        let first = segments.first().filter(|g| g.to < values.len())?;
        let before = robust::median(&values[..first.to])?;
        let after = robust::median(&values[first.to..])?;
        is_felt(role, unit, before, after).then(|| {
            let name = target_name(c, s.subject);
            let (before, after) = (human(before, unit), human(after, unit));
            format!(
                "{name}: {} {before} at first, {after} since: which is usual is not known",
                s.role
            )
        })
    }

    /// A time of no known meaning that clearly grew as much as a felt latency does.
    fn slow_by_another_name(&self, i: usize) -> Option<String> {
        let c = self.context;
        let s = &c.rollups.series[i];
        let shift = c.features.series[i].shift?;
        let time = c.telemetry.signals.get(s.signal).unit() == Unit::Seconds && s.role == "other";
        let (from, to) = (shift.baseline.median, shift.incident_median);
        let felt = is_felt("latency", Unit::Seconds, from, to) && to >= DOUBLED * from;
        let clear = shift.z_median >= CLEAR_Z;
        (time && felt && clear).then(|| {
            let (name, level) = (target_name(c, s.subject), self.level_said(i));
            format!("{name}: {level}, though no symptom of its users was seen")
        })
    }
}
