//! Signatures that failed by a margin. In: the evidence of a rejection. Out: whether what failed
//! did so although the series that it asks about moved the way it asks for, and what it fell short
//! of.
//!
//! A threshold is a line through a continuum, drawn for data that are whole. Where samples are few
//! or windows are off by some, a true pattern falls short of it; what does not move at all does
//! not.
//! Tests of a shape (bursts, teeth, periods) have no margin that a level could tell.

use super::series::{SHIFT_Z, SPIKE_Z};
use super::{Context, Seen, test};
use crate::catalog::{EvidenceRule, SignatureFile};
use crate::diagnosis::{EvidenceRole, EvidenceState};
use crate::features::shift::Shift;
use std::collections::BTreeMap;

/// Share of what a rule asks for, of growth and of standard deviations, that is near it.
const HALF: f64 = 0.5;
/// Tests of a level: what they ask about moves in its bad direction before it reaches their line.
const OF_LEVEL: [&str; 5] = ["level-above", "exhausts", "saturates", "skew", "grows"];

/// What a near miss falls short of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Near {
    /// What is asked for, although it clearly moved.
    Line,
    /// Certainty only: it moved as far as is asked for, in few or noisy samples.
    Certainty,
}

/// How near a rejected signature is: all required evidence is there, unobservable or near.
pub fn nearly(c: &Context, s: &SignatureFile, seen: &[Seen]) -> Option<Near> {
    let mut worst: Option<Near> = None;
    let mut note = |standing: Standing| match standing {
        Standing::Near(near) => {
            worst = Some(worst.map_or(near, |w| w.min(near)));
            true
        }
        standing => standing != Standing::Failed,
    };
    // A group stands by the best of its rules.
    let mut groups: BTreeMap<&str, Standing> = BTreeMap::new();
    for one in seen {
        let rule = &s.evidence[one.rule];
        if rule.role != EvidenceRole::Required {
            continue;
        }
        let standing = standing(c, s, rule, one);
        match &rule.group {
            Some(g) => {
                let slot = groups.entry(g).or_insert(standing);
                *slot = (*slot).max(standing);
            }
            None if !note(standing) => return None,
            None => {}
        }
    }
    groups.into_values().all(note).then_some(worst).flatten()
}

/// How a required rule stands, worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Failed,
    Unseen,
    Near(Near),
    Present,
}

fn standing(c: &Context, s: &SignatureFile, rule: &EvidenceRule, seen: &Seen) -> Standing {
    match seen.observation.state {
        EvidenceState::Present => Standing::Present,
        EvidenceState::Unobservable => Standing::Unseen,
        EvidenceState::Absent => {
            let shift = seen.observation.series.and_then(|i| {
                let signal = c.telemetry.signals.get(c.rollups.series[i].signal);
                Some((c.features.series[i].shift?, signal.direction))
            });
            let asked = || test(&rule.test).map_or(1.0, |t| t.default);
            let value = rule.value.as_ref().map_or_else(asked, |v| s.number(v));
            let near = shift.and_then(|(shift, direction)| match rule.test.as_str() {
                "shift-up" => half_moved(&shift, 1.0, value),
                "shift-down" => half_moved(&shift, -1.0, value),
                of if OF_LEVEL.contains(&of) => {
                    let far = of == "level-above" && shift.level < HALF * value;
                    (shift.bad(direction) >= SHIFT_Z && !far).then_some(Near::Line)
                }
                _ => None,
            });
            near.map_or(Standing::Failed, Standing::Near)
        }
    }
}

/// Half of the growth asked for, at half the distance from the noise.
fn half_moved(shift: &Shift, sign: f64, ratio: f64) -> Option<Near> {
    let (from, to) = (shift.baseline.median, shift.incident_median);
    let grown = |ratio: f64| match sign > 0.0 {
        true => to >= ratio * from && to > from,
        false => to * ratio <= from && to < from,
    };
    let lasting = sign * shift.z_median >= HALF * SHIFT_Z;
    let spiky = sign * shift.z >= HALF * SPIKE_Z && sign * shift.z_median >= HALF;
    let off = lasting || spiky;
    match off {
        true if grown(ratio) => Some(Near::Certainty),
        true if grown(1.0 + HALF * (ratio - 1.0)) => Some(Near::Line),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::robust::Baseline;

    fn moved(to: f64, z_median: f64, z: f64) -> Option<Near> {
        let baseline = Baseline { median: 1.0, ..Baseline::default() };
        let shift = Shift { baseline, incident_median: to, z_median, z, ..Shift::default() };
        half_moved(&shift, 1.0, 3.0)
    }

    #[test]
    fn what_moves_half_as_far_or_is_half_as_clear_is_near() {
        assert_eq!(moved(2.0, 9.0, 9.0), Some(Near::Line));
        assert_eq!(moved(3.0, 1.5, 2.0), Some(Near::Certainty));
        assert_eq!(moved(3.0, 0.6, 5.0), Some(Near::Certainty));
    }

    #[test]
    fn what_hardly_moves_is_not_near() {
        assert_eq!(moved(1.9, 9.0, 9.0), None);
        assert_eq!(moved(3.0, 1.4, 3.9), None);
        assert_eq!(moved(0.2, -9.0, -9.0), None);
    }
}
