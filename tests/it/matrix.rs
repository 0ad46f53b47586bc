//! All signatures against all fixtures, as one reviewed table: `matrix.txt` beside this file.
//!
//! One line per fixture, sorted: `fixture | verdict | true signature | cross-fires`. A cross-fire
//! is another signature that matched, with the class of its probability (high from 0.8, likely
//! from 0.45, low from 0.1, else faint) and what explains it: its own test asks for it (tested),
//! others are more exact forms of it (generic), it is a victim or an amplifier (follower),
//! it is a known look-alike, it says that nothing is wrong (null), or nothing (UNEXPLAINED).
//!
//! A new fixture or signature, or one that matches elsewhere than before, changes the table. Look
//! at the difference, then take it over with
//!
//! ```sh
//! UPDATE_MATRIX=1 cargo test --release --locked --test it -- matrix
//! ```
//!
//! and commit it with the change that made it. Git merges the table by taking the lines of both
//! sides (`.gitattributes`); where both changed one line, update it again. The same table, with
//! totals and for any catalogue: `rootline catalog matrix`.

use super::support::root;
use rootline::catalog::Catalog;
use rootline::matrix::{Row, Standing, Why, run};
use rootline::report::matrix_line;
use std::fs;
use std::sync::OnceLock;

/// Every row; all tests of this file share one run.
fn rows() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    ROWS.get_or_init(|| {
        let catalog = Catalog::built_in().expect("the built-in catalogue is sound");
        run(&catalog, root()).unwrap_or_else(|e| panic!("{e}"))
    })
}

#[test]
fn the_matrix_is_the_reviewed_one() {
    let path = root().join("tests/it/matrix.txt");
    let now: Vec<String> = rows().iter().map(matrix_line).collect();
    if std::env::var_os("UPDATE_MATRIX").is_some_and(|v| v == "1") {
        fs::write(&path, now.join("\n") + "\n").expect("the table can be written");
        return;
    }
    let reviewed = fs::read_to_string(&path).unwrap_or_default();
    let reviewed: Vec<&str> = reviewed.lines().collect();
    let gone = reviewed.iter().filter(|l| !now.iter().any(|n| n == **l)).map(|l| format!("- {l}"));
    let new = now.iter().filter(|n| !reviewed.contains(&n.as_str())).map(|l| format!("+ {l}"));
    let mut changed: Vec<String> = gone.chain(new).collect();
    changed.sort_by(|a, b| a[2..].cmp(&b[2..]));
    let hint = "UPDATE_MATRIX=1 cargo test --release --locked --test it -- matrix";
    assert!(changed.is_empty(), "the matrix changed; look, then\n  {hint}\n{}", changed.join("\n"));
    assert_eq!(reviewed.len(), now.len(), "tests/it/matrix.txt has a line twice; {hint}");
}

#[test]
fn every_true_signature_stands_first_and_nothing_false_is_claimed() {
    let rows = rows();
    assert!(rows.len() >= 16, "only {} fixtures", rows.len());
    let wrong: Vec<String> =
        rows.iter().flat_map(|r| r.faults.iter().map(|f| format!("{}: {f}", r.fixture))).collect();
    assert!(wrong.is_empty(), "\n  {}", wrong.join("\n  "));
    let asked = rows.iter().filter(|r| r.standing != Standing::NotAsked).count();
    assert!(asked >= 11, "only {asked} fixtures ask for a signature");
}

#[test]
fn no_cross_fire_is_without_a_reason() {
    let bare = |r: &Row| r.others.iter().any(|c| c.why == Why::Unexplained);
    let found: Vec<String> = rows().iter().filter(|r| bare(r)).map(matrix_line).collect();
    assert!(found.is_empty(), "a tie with its discriminator may explain\n{}", found.join("\n"));
}
