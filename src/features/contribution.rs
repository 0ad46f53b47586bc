//! Who brought an increase. In: each part's level in both windows. Out: the part that grew most and
//! its share of all growth, with its share of the whole before.
//!
//! Parts that shrank do not count: a share of the growth is between 0 and 1. Where all grow by one
//! factor, a part's share of the growth is its share of the whole.

/// The part behind an increase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contribution {
    pub parts: usize,
    /// Index of the part that grew most.
    pub top: usize,
    /// Its share of the growth of all that grew, 0 to 1.
    pub share: f64,
    /// Its share of the whole before and during; before is 0 when there was nothing.
    pub share_before: f64,
    pub share_during: f64,
    /// The whole during over the whole before; infinite from nothing.
    pub ratio: f64,
}

/// Finds the part behind the increase; levels are rates of one unit, by the same index.
///
/// `None` with fewer than two parts, for levels that are negative or NaN, and when nothing grew or
/// the whole did not.
pub fn contribution(before: &[f64], during: &[f64]) -> Option<Contribution> {
    let n = during.len();
    let odd = |v: &f64| v.is_nan() || *v < 0.0;
    if n < 2 || before.len() != n || before.iter().chain(during).any(odd) {
        return None;
    }
    let growth: Vec<f64> = before.iter().zip(during).map(|(b, d)| (d - b).max(0.0)).collect();
    let grown: f64 = growth.iter().sum();
    let (was, is): (f64, f64) = (before.iter().sum(), during.iter().sum());
    if grown <= 0.0 || is <= was {
        return None;
    }
    let top = (0..n).max_by(|a, b| growth[*a].total_cmp(&growth[*b]).then(b.cmp(a)))?;
    Some(Contribution {
        parts: n,
        top,
        share: growth[top] / grown,
        share_before: if was > 0.0 { before[top] / was } else { 0.0 },
        share_during: during[top] / is,
        ratio: is / was,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_that_grows_alone_brought_it_all() {
        let c = contribution(&[9.0, 7.0, 5.0, 4.0], &[9.0, 6.5, 50.0, 4.0]).expect("grew");
        assert_eq!((c.top, c.parts, c.share), (2, 4, 1.0));
        assert!((c.share_before - 0.2).abs() < 1e-12 && c.ratio > 2.7);
    }

    #[test]
    fn where_all_grow_alike_nobody_stands_out() {
        let c = contribution(&[9.0, 7.0, 4.0], &[27.0, 21.0, 12.0]).expect("grew");
        assert!((c.share - c.share_before).abs() < 1e-12, "{c:?}");
    }

    #[test]
    fn without_growth_parts_or_sense_there_is_none() {
        assert_eq!(contribution(&[], &[]), None);
        assert_eq!(contribution(&[1.0], &[9.0]), None);
        assert_eq!(contribution(&[1.0, 2.0], &[1.0, 2.0]), None);
        assert_eq!(contribution(&[5.0, 5.0], &[9.0, 0.0]), None, "the whole shrank");
        assert_eq!(contribution(&[1.0, f64::NAN], &[1.0, 2.0]), None);
        assert_eq!(contribution(&[1.0], &[1.0, 2.0]), None);
        assert_eq!(contribution(&[0.0, 0.0], &[1.0, 2.0]).expect("grew").ratio, f64::INFINITY);
    }

    proptest! {
        #[test]
        fn scale_and_order_do_not_matter(
            parts in prop::collection::vec((0.0f64..50.0, 0.0f64..500.0), 2..9),
            factor in 0.01f64..100.0,
        ) {
            let split = |f: f64, all: &[(f64, f64)]| {
                let one: Vec<f64> = all.iter().map(|p| f * p.0).collect();
                contribution(&one, &all.iter().map(|p| f * p.1).collect::<Vec<_>>())
            };
            let plain = split(1.0, &parts);
            let scaled = split(factor, &parts);
            let turned = split(1.0, &parts.iter().rev().copied().collect::<Vec<_>>());
            prop_assert_eq!(plain.is_some(), turned.is_some());
            if let (Some(a), Some(b), Some(c)) = (plain, scaled, turned) {
                prop_assert!((a.share - b.share).abs() < 1e-9 && (a.share - c.share).abs() < 1e-9);
                prop_assert!((0.0..=1.0).contains(&a.share));
            }
        }
    }
}
