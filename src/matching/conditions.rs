//! Conditions of a rule on the facts of one thing, three-valued. In: a rule's `where` and what is
//! known. Out: whether it fits, or `None` where a fact that it asks for is not known.

use crate::catalog::{EvidenceRule, SignatureFile};

/// Comparisons of numbers, longer ones first.
const COMPARISONS: [&str; 4] = ["<=", ">=", "<", ">"];

/// Says whether all conditions hold; numbers compare with `>=`, `<=`, `<`, `>`, texts with `|` and `!`.
///
/// `number` and `text` answer `None` for what is not known, e.g. the state of a hidden session. One
/// condition that fails decides, whatever is unknown besides.
pub fn fits(
    rule: &EvidenceRule,
    s: &SignatureFile,
    number: &dyn Fn(&str) -> Option<f64>,
    text: &dyn Fn(&str) -> Option<String>,
) -> Option<bool> {
    let one = |(key, wanted): (&String, &String)| -> Option<bool> {
        let operator = COMPARISONS.iter().find(|op| wanted.starts_with(**op));
        if let Some(op) = operator {
            let right = wanted[op.len()..].trim();
            let right = match right.strip_prefix('$') {
                Some(name) => s.params.get(name).map_or(f64::NAN, |p| p.value),
                None => right.parse().unwrap_or(f64::NAN),
            };
            return number(key).map(|left| match *op {
                ">=" => left >= right,
                "<=" => left <= right,
                ">" => left > right,
                _ => left < right,
            });
        }
        let is = text(key)?;
        Some(match wanted.strip_prefix('!') {
            Some(not) => !not.split('|').any(|w| w.trim() == is),
            None => wanted.split('|').any(|w| w.trim() == is),
        })
    };
    let all: Vec<Option<bool>> = rule.conditions.iter().map(one).collect();
    match () {
        () if all.contains(&Some(false)) => Some(false),
        () if all.contains(&None) => None,
        () => Some(true),
    }
}
