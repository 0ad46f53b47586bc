//! Who leads, over time. In: what each member says about itself (1 leads, 0 or nothing does not).
//! Out: the longest time in which more members lead than usual, and how often the lead changes.
//!
//! Members are scraped one after another, so a change of leader may show both for one scrape: an
//! overlap is the time between the first and the last scrape that show it, less one step.

use crate::model::{Micros, SECOND};
use std::collections::{BTreeMap, BTreeSet};

/// A member leads from this value on.
const LEADS: f64 = 0.5;

/// A stretch with more leaders than usual.
#[derive(Clone, Debug, PartialEq)]
pub struct Overlap {
    pub from: Micros,
    pub to: Micros,
    /// Certain length: scrapes may be one step apart, seconds.
    pub seconds: f64,
    /// Most leaders at once, and the usual number before.
    pub most: usize,
    pub usual: usize,
    /// Indices of the members that led during it.
    pub leaders: Vec<usize>,
}

/// Finds the longest stretch after `since` with at least two leaders and more than usual before.
///
/// `None` without members, without a stretch, or with a step of 0. Shards that all lead all the
/// time are as many as usual. A scrape that is missing says nothing: it ends no stretch.
pub fn overlap(members: &[Vec<(Micros, f64)>], step: Micros, since: Micros) -> Option<Overlap> {
    if step <= 0 {
        return None;
    }
    let mut at: BTreeMap<Micros, BTreeSet<usize>> = BTreeMap::new();
    for (i, points) in members.iter().enumerate() {
        for (t, v) in points {
            let leading = at.entry(t.div_euclid(step)).or_default();
            if *v >= LEADS {
                leading.insert(i);
            }
        }
    }
    let before: Vec<f64> = at
        .iter()
        .filter(|(slot, _)| *slot * step < since)
        .map(|(_, leading)| leading.len() as f64)
        .collect();
    let usual = super::robust::median(&before).unwrap_or(1.0).round() as usize;
    let mut best: Option<Overlap> = None;
    let mut open: Option<Overlap> = None;
    for (slot, leading) in &at {
        let t = slot * step;
        if t < since || leading.len() < 2 || leading.len() <= usual {
            open = None;
            continue;
        }
        let now = open.get_or_insert_with(|| Overlap {
            from: t,
            to: t,
            seconds: 0.0,
            most: 0,
            usual,
            leaders: Vec::new(),
        });
        now.to = t;
        now.seconds = ((t - now.from - step).max(0)) as f64 / SECOND as f64;
        now.most = now.most.max(leading.len());
        let all: BTreeSet<usize> = now.leaders.iter().chain(leading).copied().collect();
        now.leaders = all.into_iter().collect();
        if best.as_ref().is_none_or(|b| now.seconds > b.seconds) {
            best = Some(now.clone());
        }
    }
    best
}

/// Positive steps of a term or epoch that only grows, within the points; 0 for fewer than two.
pub fn advances(points: &[(Micros, f64)]) -> f64 {
    points.windows(2).map(|w| (w[1].1 - w[0].1).max(0.0)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::notation::points;
    use proptest::prelude::*;

    const STEP: Micros = 10 * SECOND;

    fn of(members: &[&str]) -> Option<Overlap> {
        let all: Vec<Vec<(Micros, f64)>> = members.iter().map(|m| points(m)).collect();
        overlap(&all, STEP, 10 * STEP)
    }

    #[test]
    fn two_leaders_for_long_are_an_overlap() {
        let o = of(&["1x30", "0x12 1x8 0x10", "0x30"]).expect("two lead");
        assert_eq!((o.leaders, o.most, o.usual, o.seconds), (vec![0, 1], 2, 1, 60.0));
    }

    #[test]
    fn a_handover_lasts_no_longer_than_a_scrape() {
        assert_eq!(of(&["1x15 0x15", "0x15 1x15"]), None);
        let o = of(&["1x16 0x14", "0x15 1x15"]).expect("both in one scrape");
        assert_eq!(o.seconds, 0.0);
    }

    #[test]
    fn shards_and_silence_are_no_overlap() {
        assert_eq!(of(&["1x30", "1x30", "1x30"]), None, "all lead all the time");
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["", ""]), None);
        assert_eq!(overlap(&[points("1x30"), points("0x12 1x18")], 0, 0), None);
        // The old leader is silent while another leads.
        assert_eq!(of(&["1x14 _ _ _ _ 0x12", "0x15 1x15"]), None);
    }

    #[test]
    fn terms_only_count_upwards() {
        assert_eq!(advances(&points("4 4 5 7 7 3 4")), 4.0);
        assert_eq!(advances(&points("4")), 0.0);
    }

    proptest! {
        #[test]
        fn the_order_of_members_does_not_matter(
            lead in prop::collection::vec(prop::collection::vec(0u8..2, 30), 2..5),
        ) {
            let series = |m: &Vec<u8>| -> Vec<(Micros, f64)> {
                m.iter().enumerate().map(|(i, v)| (i as i64 * STEP, f64::from(*v))).collect()
            };
            let all: Vec<_> = lead.iter().map(series).collect();
            let back: Vec<_> = all.iter().rev().cloned().collect();
            let (a, b) = (overlap(&all, STEP, 0), overlap(&back, STEP, 0));
            prop_assert_eq!(a.as_ref().map(|o| o.from), b.as_ref().map(|o| o.from));
            prop_assert_eq!(a.map(|o| (o.most, o.to)), b.map(|o| (o.most, o.to)));
        }
    }
}
