//! Listings: signatures, formats, results of catalogue tests.

use super::page::{Flow, Page};
use super::{Style, clean};
use crate::selftest::TestResult;

/// Rows of a name and what it is, the names in one column.
pub fn two_columns(rows: impl Iterator<Item = [String; 2]>, style: &Style) -> String {
    let rows: Vec<[String; 2]> = rows.collect();
    let widest = rows.iter().map(|r| r[0].chars().count()).max().unwrap_or(0);
    let mut page = Page::new(style, false);
    let indent = " ".repeat(widest + 2);
    for [name, what] in rows {
        let first = format!("{:<widest$}  ", page.clean(&name));
        let text = page.clean(&what);
        page.flow(Flow { first: &first, rest: &indent, text: &text, ..Flow::default() });
    }
    page.finish()
}

/// One line per failed test, and the count.
pub fn catalog_tests(results: &[TestResult]) -> String {
    let mut out = String::new();
    for r in results {
        if let Some(why) = &r.failure {
            let why = clean::prose(why, false);
            out.push_str(&format!("FAIL {} on {} ({}): {why}\n", r.signature, r.fixture, r.name));
        }
    }
    let failed = results.iter().filter(|r| r.failure.is_some()).count();
    out.push_str(&format!("{} passed, {failed} failed\n", results.len() - failed));
    out
}
