//! The matrix of signatures and fixtures as lines of text, and its totals.

use super::page::Page;
use super::{Style, clean};
use crate::matrix::{Cell, Row, Standing, Why};
use std::collections::BTreeMap;

/// One line of the matrix:
/// `fixture | verdict | the true signature @entity #rank class | others @entity class (why)`.
pub fn matrix_line(row: &Row) -> String {
    let at = |c: &Cell| format!("{} @{} {}", c.signature, c.entity, c.class);
    let truth = match (&row.hit, row.standing) {
        (None, Standing::NotAsked) => "-".to_owned(),
        (None, _) => format!("MISSING {}", row.wanted.join(" or ")),
        (Some(c), Standing::First) => format!("#1 {}", at(c)),
        (Some(c), Standing::Tied) => format!("#{} tied {}", c.rank, at(c)),
        (Some(c), _) => format!("#{} BEHIND {}", c.rank, at(c)),
    };
    let cross = |c: &Cell| format!("{} ({})", at(c), c.why.word());
    let mut others: Vec<String> = row.others.iter().map(cross).collect();
    if others.is_empty() {
        others.push("-".to_owned());
    }
    let line = [&row.fixture, row.verdict.word(), &truth, &others.join(", ")].join(" | ");
    clean::prose(&line, false)
}

/// The whole matrix with its totals.
pub fn matrix(rows: &[Row], style: &Style) -> String {
    let mut page = Page::new(style, false);
    for row in rows {
        let line = page.clean(&matrix_line(row));
        page.wrap("", "    ", &line);
        for fault in &row.faults {
            let fault = page.clean(fault);
            page.wrap("    FAULT: ", "      ", &fault);
        }
    }
    page.heading("CROSS-FIRES by signature, with the reasons they have");
    for (signature, whys) in cross_fires(rows) {
        let count: usize = whys.values().sum();
        let whys: Vec<String> = whys.iter().map(|(w, n)| format!("{n} {}", w.word())).collect();
        page.wrap("   ", "      ", &format!("{count:>3} {signature}: {}", whys.join(", ")));
    }
    page.blank();
    page.wrap("", "  ", &totals(rows));
    page.finish()
}

/// Cross-fires of each signature, by reason.
fn cross_fires(rows: &[Row]) -> BTreeMap<&str, BTreeMap<Why, usize>> {
    let mut found: BTreeMap<&str, BTreeMap<Why, usize>> = BTreeMap::new();
    for c in rows.iter().flat_map(|r| &r.others) {
        *found.entry(&c.signature).or_default().entry(c.why).or_default() += 1;
    }
    found
}

fn totals(rows: &[Row]) -> String {
    let asked = rows.iter().filter(|r| r.standing != Standing::NotAsked).count();
    let stands = |s: Standing| rows.iter().filter(|r| r.standing == s).count();
    let cells = || rows.iter().flat_map(|r| &r.others);
    let bare = cells().filter(|c| c.why == Why::Unexplained).count();
    let faults: usize = rows.iter().map(|r| r.faults.len()).sum();
    format!(
        "{} fixtures; true signature first in {} of {asked}, tied in {}; {} cross-fires, {bare} \
         of them unexplained; {faults} faults",
        rows.len(),
        stands(Standing::First),
        stands(Standing::Tied),
        cells().count(),
    )
}
