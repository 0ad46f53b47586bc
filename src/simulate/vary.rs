//! What a seed changes in a scenario: names, rates, the times of faults and of decoys.

use super::draw::Draw;
use super::scenario::Scenario;

/// Words in which names are replaced are bounded by characters that no name has.
fn rename(text: &str, from: &str, to: &str) -> String {
    let is_name = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(from) {
        let before = rest[..at].chars().next_back().or(out.chars().next_back());
        let after = rest[at + from.len()..].chars().next();
        out.push_str(&rest[..at]);
        // `catalog-1` is an instance of `catalog`.
        let instance = after == Some('-')
            && rest[at + from.len() + 1..].chars().next().is_some_and(|c| c.is_ascii_digit());
        let whole = !before.is_some_and(is_name) && (instance || !after.is_some_and(is_name));
        out.push_str(if whole { to } else { from });
        rest = &rest[at + from.len()..];
    }
    out.push_str(rest);
    out
}

/// The text of a scenario under other names. `vary.names` itself stays.
pub fn renamed(text: &str, scenario: &Scenario, seed: u64) -> String {
    let mut draw = Draw::of("names", seed);
    // By numbers first, so that a new name that is another's old one is not replaced again.
    let mut text = text.to_owned();
    let mut chosen = Vec::new();
    for (at, (from, names)) in scenario.vary.names.iter().enumerate() {
        let to = match draw.below(names.len() as u32 + 1) as usize {
            0 => from,
            n => &names[n - 1],
        };
        let mark = format!("\u{1}{at}\u{1}");
        text = rename(&text, from, &mark);
        chosen.push((mark, to.clone()));
    }
    chosen.iter().fold(text, |text, (mark, to)| text.replace(mark, to))
}

/// Moves rates, faults and decoys.
pub fn moved(scenario: &mut Scenario, seed: u64) {
    let mut draw = Draw::of("variation", seed);
    let rate = 1.0 + scenario.vary.rate * (2.0 * draw.unit() - 1.0);
    scenario.traffic.iter_mut().for_each(|t| t.rate *= rate);
    let shift = (draw.unit() * scenario.vary.shift_s).round();
    for fault in &mut scenario.fault {
        fault.at_s += shift;
        fault.until_s = fault.until_s.map(|until| until + shift);
    }
    for change in &mut scenario.change {
        change.at_s +=
            if change.decoy { (draw.unit() * 2.0 - 1.0) * scenario.vary.shift_s } else { shift };
        change.at_s = change.at_s.max(1.0).round();
    }
    scenario.pager.told_s = scenario.pager.told_s.map(|told| told + shift);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_names_are_replaced() {
        let text = "catalog/price catalog-1 catalog-db \"catalog\" subcatalog";
        let wanted = "goods/price goods-1 catalog-db \"goods\" subcatalog";
        assert_eq!(rename(text, "catalog", "goods"), wanted);
    }
}
