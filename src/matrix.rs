//! All signatures against all labelled recordings. In: catalogue and fixtures. Out: one row per
//! fixture: the signature that is true and where it stands, and every other one that matched.
//!
//! A signature that matches where another one is true is a cross-fire. Some are meant (a victim's
//! pattern beside its cause's), some are not: each says why it may be there, if anything does.

use crate::catalog::fixtures::{Fixture, fixtures};
use crate::catalog::{Catalog, Category, Expect, Relation, SignatureFile};
use crate::diagnosis::{Diagnosis, Hypothesis, Role, Verdict};
use crate::error::Result;
use crate::{Options, diagnose_with};
use rayon::prelude::*;
use std::path::Path;

/// Probabilities that differ by less are a tie.
const TIE: f64 = 0.01;
/// Probability from which a match is as good as the answer, a contender, and worth a look.
const CLASSES: [(f64, &str); 3] = [(0.8, "high"), (0.45, "likely"), (0.1, "low")];

/// One fixture and what matched on it.
#[derive(Clone, Debug)]
pub struct Row {
    pub fixture: String,
    pub verdict: Verdict,
    /// Signatures of which one must stand first; empty where nothing is wrong or no signature is
    /// asked for.
    pub wanted: Vec<String>,
    /// The best of the wanted ones.
    pub hit: Option<Cell>,
    pub standing: Standing,
    /// Best match of every other signature, by id.
    pub others: Vec<Cell>,
    /// What must not be.
    pub faults: Vec<String>,
}

/// Where the true signature of a fixture stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    First,
    /// Beside a generic form of itself.
    Tied,
    Behind,
    Missing,
    /// The fixture asks for none.
    NotAsked,
}

/// A signature that matched.
#[derive(Clone, Debug)]
pub struct Cell {
    pub signature: String,
    pub entity: String,
    pub rank: usize,
    /// `high`, `likely`, `low` or `faint`: the numbers would move with every change.
    pub class: &'static str,
    pub why: Why,
}

/// Why another signature may match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Nothing explains it.
    Unexplained,
    /// It looks like the true one, and discriminators tell them apart.
    LookAlike,
    /// It is the generic form of others: it says where, not why.
    Generic,
    /// It is a victim, an amplifier or a description of the spread.
    Follower,
    /// It says that nothing is wrong.
    Null,
    /// Its own test asks for it.
    Tested,
}

impl Why {
    /// The reason as the table writes it.
    pub fn word(self) -> &'static str {
        match self {
            Why::Unexplained => "UNEXPLAINED",
            Why::LookAlike => "look-alike",
            Why::Generic => "generic",
            Why::Follower => "follower",
            Why::Null => "null",
            Why::Tested => "tested",
        }
    }
}

/// Diagnoses every fixture below `root` with the catalogue; rows are sorted by fixture.
///
/// # Errors
///
/// When a fixture or its truth cannot be read, or asks for a signature that does not exist.
pub fn run(catalog: &Catalog, root: &Path) -> Result<Vec<Row>> {
    let all = fixtures(root)?;
    all.par_iter().map(|f| of_fixture(catalog, f)).collect()
}

fn of_fixture(catalog: &Catalog, fixture: &Fixture) -> Result<Row> {
    for id in fixture.truth.signature.iter().chain(&fixture.truth.not) {
        catalog.find(id).map_err(|e| crate::error::Error { place: fixture.name.clone(), ..e })?;
    }
    let d = diagnose_with(&fixture.folder, catalog, &Options::default())?;
    Ok(row(catalog, fixture, &d))
}

fn row(catalog: &Catalog, fixture: &Fixture, d: &Diagnosis) -> Row {
    let truth = &fixture.truth;
    let names_null = |id: &str| catalog.find(id).is_ok_and(is_null);
    let asked = |id: &&String| !truth.is_healthy() && !names_null(id);
    let wanted: Vec<String> = truth.signature.iter().filter(asked).cloned().collect();
    let matched: Vec<&Hypothesis> = d.hypotheses.iter().filter(|h| h.signature.is_some()).collect();
    let is_wanted = |h: &&&Hypothesis| h.signature.as_ref().is_some_and(|s| wanted.contains(s));
    let cell = |h: &Hypothesis| Cell {
        signature: h.signature.clone().unwrap_or_default(),
        entity: h.entity.name.clone(),
        rank: h.rank,
        class: class(h.probability),
        why: why(catalog, h, &wanted, &fixture.name),
    };
    let best = matched.iter().find(is_wanted);
    let mut others: Vec<Cell> = Vec::new();
    for h in matched.iter().filter(|h| !is_wanted(h)) {
        if others.iter().all(|c| Some(&c.signature) != h.signature.as_ref()) {
            others.push(cell(h));
        }
    }
    others.sort_by(|a, b| a.signature.cmp(&b.signature));
    let standing = standing(catalog, d, best.copied(), wanted.is_empty());
    let mut row = Row {
        fixture: fixture.name.trim_start_matches("fixtures/").to_owned(),
        verdict: d.verdict,
        hit: best.map(|h| cell(h)),
        wanted,
        standing,
        others,
        faults: Vec::new(),
    };
    row.faults = faults(&row, fixture, d, &names_null);
    row
}

fn is_null(s: &SignatureFile) -> bool {
    s.signature.category == Category::Normal
}

/// The class of a probability.
fn class(probability: f64) -> &'static str {
    CLASSES.iter().find(|(least, _)| probability >= *least).map_or("faint", |(_, word)| word)
}

/// Says whether a signature is tied to another in its file.
fn is_tied(s: &SignatureFile, to: &str, kind: Relation) -> bool {
    s.signature.related.iter().any(|r| r.kind == kind && r.id == to)
}

fn why(catalog: &Catalog, h: &Hypothesis, wanted: &[String], fixture: &str) -> Why {
    let id = h.signature.as_deref().unwrap_or_default();
    let Ok(own) = catalog.find(id) else { return Why::Unexplained };
    let truths = || wanted.iter().filter_map(|w| catalog.find(w).ok());
    let asks = |e: Expect| own.test.iter().any(|t| t.expect == e && t.fixture == fixture);
    let mimics = |t: &SignatureFile| {
        is_tied(t, id, Relation::Mimics) || is_tied(own, &t.signature.id, Relation::Mimics)
    };
    match () {
        () if asks(Expect::Match) => Why::Tested,
        () if is_null(own) => Why::Null,
        () if catalog.signatures.iter().any(|t| is_tied(t, id, Relation::Specialises)) => {
            Why::Generic
        }
        () if own.signature.role != Role::Cause => Why::Follower,
        () if truths().any(mimics) => Why::LookAlike,
        () => Why::Unexplained,
    }
}

fn standing(catalog: &Catalog, d: &Diagnosis, best: Option<&Hypothesis>, free: bool) -> Standing {
    let Some(best) = best else {
        return if free { Standing::NotAsked } else { Standing::Missing };
    };
    let first = &d.hypotheses[0];
    let generic = first.signature.as_deref().is_some_and(|id| {
        let own = best.signature.as_deref().and_then(|s| catalog.find(s).ok());
        own.is_some_and(|s| is_tied(s, id, Relation::Specialises))
    });
    match () {
        () if best.rank == 1 => Standing::First,
        () if generic && first.probability - best.probability < TIE => Standing::Tied,
        () => Standing::Behind,
    }
}

fn faults(row: &Row, fixture: &Fixture, d: &Diagnosis, null: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    let sure = d.verdict > Verdict::Inconclusive;
    let first = d.hypotheses.first();
    let on_top = first.map_or_else(
        || "nothing".to_owned(),
        |h| {
            let name = h.signature.as_deref().unwrap_or("unclassified");
            format!("{name} on {}", h.entity.name)
        },
    );
    let id = first.and_then(|h| h.signature.as_deref()).unwrap_or_default();
    if matches!(row.standing, Standing::Behind | Standing::Missing) {
        let wanted = row.wanted.join(" or ");
        found.push(format!("{wanted} is not first: {on_top} is, verdict {}", d.verdict.word()));
    }
    if sure && fixture.truth.not.iter().any(|n| n == id) {
        found.push(format!("{on_top} is excluded, and the verdict is {}", d.verdict.word()));
    }
    if sure && fixture.truth.is_healthy() && !null(id) {
        found.push(format!("nothing is wrong, but {on_top} is {}", d.verdict.word()));
    }
    found
}
