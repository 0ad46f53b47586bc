//! Rules about the fixtures of a signature: they exist, are labelled and recorded, and their labels
//! agree with what the tests expect.

use super::{Finding, World, error};
use crate::catalog::fixtures::{Label, Truth};
use crate::catalog::{Category, Expect, SignatureFile, Status, TestCase};

pub(super) fn fixtures_fit(s: &SignatureFile, world: &World) -> Vec<Finding> {
    let lenient = s.signature.status == Status::Experimental;
    let count = |expect: Expect| s.test.iter().filter(|t| t.expect == expect).count();
    let (hits, misses) = (count(Expect::Match), count(Expect::NoMatch));
    let lacks = |n: usize, what: &str| {
        let text = format!("{what} ({hits} hits, {misses} near misses)");
        (n == 0).then_some(text)
    };
    let hit = lacks(hits, "no test expects a match");
    let miss = lacks(misses, "no test is a near miss (no-match)");
    let missing = |t: &&TestCase| matches!((world.label)(&t.fixture), Label::Missing);
    let unknown = s.test.iter().filter(missing);
    let unknown = unknown.map(|t| format!("test \"{}\": no fixture {}", t.name, t.fixture));
    hit.into_iter().chain(miss).chain(unknown).map(|message| (message, lenient)).collect()
}

pub(super) fn fixtures_are_recorded(s: &SignatureFile, world: &World) -> Vec<Finding> {
    let mut found = Vec::new();
    for t in &s.test {
        let name = &t.fixture;
        match (world.label)(name) {
            Label::Missing | Label::Unlabelled => {}
            Label::Defective(what) => found.push(error(what)),
            Label::Labelled { unfilled, recorded, .. } => {
                if unfilled > 0 {
                    let what = format!("the label of {name} has {unfilled} lines to be filled in");
                    found.push(error(what));
                }
                if !recorded {
                    found.push(error(format!("{name} holds no recording yet, to be filled in")));
                }
            }
        }
    }
    found
}

pub(super) fn labels_agree(s: &SignatureFile, world: &World) -> Vec<Finding> {
    let mut found = Vec::new();
    for t in &s.test {
        if let Label::Labelled { truth, .. } = (world.label)(&t.fixture) {
            found.extend(disagreement(s, t, &truth).map(error));
            found.extend(unknown(&truth, &t.fixture, world));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// How a label contradicts a test.
fn disagreement(s: &SignatureFile, t: &TestCase, truth: &Truth) -> Option<String> {
    let (id, name) = (&s.signature.id, &t.fixture);
    let named = truth.signature.contains(id);
    let normal = s.signature.category == Category::Normal;
    match t.expect {
        Expect::Match if truth.is_healthy() && !normal => {
            Some(format!("it is to match on {name}, where nothing is wrong"))
        }
        Expect::Match if t.rank == Some(1) && !named => {
            Some(format!("it is to be first on {name}, whose label does not name it"))
        }
        Expect::NoMatch if named => {
            Some(format!("it is not to match on {name}, whose label names it"))
        }
        _ => None,
    }
}

/// Signatures in a label that do not exist.
fn unknown(truth: &Truth, name: &str, world: &World) -> Vec<Finding> {
    let misses = truth.signature.iter().chain(&truth.not).filter_map(|id| {
        let e = world.catalog.find(id).err()?;
        let hint = e.hint.map(|h| format!("; {h}")).unwrap_or_default();
        Some(error(format!("the label of {name}: {}{hint}", e.what)))
    });
    misses.collect()
}
