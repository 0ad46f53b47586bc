//! Skew across members (partitions, shards, instances). In: each member's level in both windows.
//! Out: the top member's share, its share before, and the Gini coefficient.
//!
//! Fewer than two members, no load, or a negative one have none; equal members have a Gini of 0. A
//! member that is not in the baseline counts as having had its even share; NaN never gets here.

/// Skew of one signal over the members of one owner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Skew {
    pub members: usize,
    /// Index of the top member in the input.
    pub top: usize,
    /// Its share of the total in the incident, 0 to 1.
    pub share: f64,
    /// Its share in the baseline; `1 / members` when the baseline is empty.
    pub share_before: f64,
    /// Top member over the median of the others in the incident; capped at 1000.
    pub top_to_median: f64,
    /// Gini coefficient of the incident, 0 (even) to 1.
    pub gini: f64,
}

/// Largest ratio that is told apart from larger ones.
const RATIO_MAX: f64 = 1000.0;

/// Measures skew; `None` with fewer than two members or without any load in the incident.
pub fn skew(baseline: &[f64], incident: &[f64]) -> Option<Skew> {
    let n = incident.len();
    let total: f64 = incident.iter().sum();
    if n < 2 || total <= 0.0 || incident.iter().any(|v| *v < 0.0) {
        return None;
    }
    let top = (0..n).max_by(|a, b| incident[*a].total_cmp(&incident[*b]).then(b.cmp(a)))?;
    let before: f64 = baseline.iter().sum();
    let share_before = match baseline.get(top) {
        Some(v) if before > 0.0 => v / before,
        _ => 1.0 / n as f64,
    };
    let others: Vec<f64> = (0..n).filter(|i| *i != top).map(|i| incident[i]).collect();
    let middle = super::robust::median(&others)?;
    let ratio = if middle > 0.0 { incident[top] / middle } else { RATIO_MAX };
    let mut sorted = incident.to_vec();
    sorted.sort_by(f64::total_cmp);
    let weighted: f64 = sorted.iter().enumerate().map(|(i, v)| (i as f64 + 1.0) * v).sum();
    let gini = 2.0 * weighted / (n as f64 * total) - (n as f64 + 1.0) / n as f64;
    Some(Skew {
        members: n,
        top,
        share: incident[top] / total,
        share_before,
        top_to_median: ratio.min(RATIO_MAX),
        gini: gini.max(0.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hot_member_stands_out_against_its_own_past() {
        let s = skew(&[10.0, 10.0, 10.0, 10.0], &[100.0, 10.0, 10.0, 10.0]).expect("loaded");
        assert_eq!((s.top, s.share_before, s.top_to_median), (0, 0.25, 10.0));
        assert!((s.share - 100.0 / 130.0).abs() < 1e-12);
    }

    #[test]
    fn even_growth_has_no_skew() {
        let s = skew(&[10.0, 10.0], &[50.0, 50.0]).expect("loaded");
        assert!(s.gini.abs() < 1e-12 && (s.share - 0.5).abs() < 1e-12);
        assert_eq!(skew(&[], &[1.0]), None);
        assert_eq!(skew(&[], &[0.0, 0.0]), None);
    }
}
