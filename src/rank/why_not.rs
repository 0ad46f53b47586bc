//! Why something is not the answer. In: the diagnosis and the name of a hypothesis, signature or
//! entity. Out: what separates it from the first hypothesis, term by term, what could not be seen,
//! and the checks that would tell, cheapest first.

use crate::diagnosis::{Diagnosis, Difference, Discriminator, EvidenceState, Hypothesis, WhyNot};

/// Seconds that a check takes which tells no time: one look, or more of them.
const LOOK_S: f64 = 30.0;
const LOOKS_S: f64 = 60.0;
const MINUTE_S: f64 = 60.0;

/// Looks a name up: `H2`, a signature's id or code, an entity.
pub fn why_not<'d>(d: &'d Diagnosis, name: &str) -> WhyNot<'d> {
    let is = |other: &str| other.eq_ignore_ascii_case(name);
    let named = |h: &&Hypothesis| {
        is(&h.id)
            || h.signature.as_deref().is_some_and(is)
            || h.code.as_deref().is_some_and(is)
            || is(&h.entity.name)
            || is(&h.entity.service)
    };
    let found = d.hypotheses.iter().find(named);
    match (found, d.hypotheses.first()) {
        (Some(own), Some(first)) if own.rank == first.rank => WhyNot::IsFirst(own),
        (Some(own), Some(first)) => between(own, first),
        _ => {
            if let Some(r) = d.rejected.iter().find(|r| is(&r.signature)) {
                return WhyNot::Rejected(&r.reason);
            }
            let skipped = d.skipped.iter().find(|s| is(&s.signature));
            skipped.map_or(WhyNot::Unknown, |s| WhyNot::Skipped(&s.missing))
        }
    }
}

/// What separates a hypothesis from another one, which reports call the first.
pub fn between<'d>(own: &'d Hypothesis, first: &'d Hypothesis) -> WhyNot<'d> {
    let mut names: Vec<&str> =
        own.terms.iter().chain(&first.terms).map(|t| t.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let of = |h: &'d Hypothesis, name: &str| h.terms.iter().find(|t| t.name == name);
    let difference = |name: &&str| {
        let (mine, theirs) = (of(own, name), of(first, name));
        Difference {
            name: (*name).to_owned(),
            own: mine.map_or(0.0, |t| t.nats),
            first: theirs.map_or(0.0, |t| t.nats),
            said: mine.or(theirs).map_or_else(String::new, |t| t.said.clone()),
        }
    };
    let mut terms: Vec<Difference> = names.iter().map(difference).collect();
    terms.sort_by(|a, b| b.lead().total_cmp(&a.lead()));
    let unseen = own.evidence.iter().filter(|e| e.state == EvidenceState::Unobservable);
    let all = [own, first].into_iter();
    let all = all.flat_map(|h| h.discriminators.iter().map(move |c| (h, c)));
    let between = |(h, c): &(&Hypothesis, &Discriminator)| {
        let other = if h.rank == own.rank { first } else { own };
        other.signature.as_ref() == Some(&c.against)
    };
    let mut checks: Vec<_> = all.clone().filter(between).collect();
    if checks.is_empty() {
        checks = all.collect();
    }
    checks.sort_by(|a, b| seconds(&a.1.cost).total_cmp(&seconds(&b.1.cost)));
    WhyNot::Behind { own, first, terms, unseen: unseen.map(|e| e.said.as_str()).collect(), checks }
}

/// What a check costs: its seconds or minutes where it tells them, else by how much is looked at.
fn seconds(cost: &str) -> f64 {
    let mut words = cost.split_whitespace();
    match words.next().and_then(|w| w.parse::<f64>().ok()) {
        Some(n) if words.next().is_some_and(|unit| unit.starts_with("min")) => MINUTE_S * n,
        Some(n) => n,
        None if cost.contains("one") => LOOK_S,
        None => LOOKS_S,
    }
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn a_query_of_seconds_is_cheaper_than_looking_at_graphs() {
        let costs = ["look at two graphs", "2 min", "10 s", "look at one graph"];
        let mut sorted = costs;
        sorted.sort_by(|a, b| seconds(a).total_cmp(&seconds(b)));
        assert_eq!(sorted, ["10 s", "look at one graph", "look at two graphs", "2 min"]);
    }
}
