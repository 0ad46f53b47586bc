//! The tests that signatures carry: each names a fixture and what must come out. In: catalogue and
//! the folder where fixture paths start. Out: one result per test.

use crate::catalog::{Catalog, Expect, SignatureFile, TestCase};
use crate::diagnosis::Diagnosis;
use crate::error::{Error, Result};
use crate::{Options, diagnose_with};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Outcome of one test of one signature.
#[derive(Clone, Debug)]
pub struct TestResult {
    pub signature: String,
    pub name: String,
    pub fixture: String,
    /// `None` when it passed.
    pub failure: Option<String>,
}

/// Runs all tests; every fixture is diagnosed once.
pub fn run(catalog: &Catalog, root: &Path) -> Result<Vec<TestResult>> {
    let fixtures: BTreeSet<&str> =
        catalog.signatures.iter().flat_map(|s| &s.test).map(|t| t.fixture.as_str()).collect();
    let fixtures: Vec<&str> = fixtures.into_iter().collect();
    let one = |f: &&str| match diagnose_with(&root.join(f), catalog, &Options::default()) {
        Ok(d) => ((*f).to_owned(), Ok(d)),
        Err(e) => ((*f).to_owned(), Err(e)),
    };
    let answers: BTreeMap<String, Result<Diagnosis>> = fixtures.par_iter().map(one).collect();
    let mut out = Vec::new();
    for s in &catalog.signatures {
        for t in &s.test {
            let failure = match answers.get(&t.fixture) {
                Some(Ok(d)) => failure(s, t, d),
                Some(Err(e)) => Some(e.to_string()),
                None => Some("was not run".to_owned()),
            };
            out.push(TestResult {
                signature: s.signature.id.clone(),
                name: t.name.clone(),
                fixture: t.fixture.clone(),
                failure,
            });
        }
    }
    if out.is_empty() {
        return Err(Error::catalog("", "the catalogue has no tests"));
    }
    Ok(out)
}

fn failure(s: &SignatureFile, t: &TestCase, d: &Diagnosis) -> Option<String> {
    let id = s.signature.id.as_str();
    let on =
        |name: &str, service: &str| t.entity.as_deref().is_none_or(|e| e == name || e == service);
    let found = d
        .hypotheses
        .iter()
        .find(|h| h.signature.as_deref() == Some(id) && on(&h.entity.name, &h.entity.service));
    let skipped = d.skipped.iter().find(|k| k.signature == id);
    match (t.expect, found) {
        (Expect::Match, Some(h)) => {
            let wanted = t.rank?;
            (h.rank > wanted).then(|| format!("rank {} instead of {wanted}", h.rank))
        }
        (Expect::Match, None) => {
            let why = d.rejected.iter().find(|r| r.signature == id).map(|r| r.reason.clone());
            let why = why.or_else(|| skipped.map(|k| format!("skipped: {}", k.missing.join(", "))));
            Some(format!("no match: {}", why.unwrap_or_else(|| "not on this entity".to_owned())))
        }
        (Expect::NoMatch, Some(h)) => Some(format!("matched on {}: {}", h.entity.name, h.headline)),
        (Expect::NoMatch, None) => None,
        (Expect::Skipped, _) => skipped.is_none().then(|| "was not skipped".to_owned()),
    }
}
