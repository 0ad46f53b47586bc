//! Listings: signatures, formats, results of catalogue tests.

use super::page::{Flow, Page};
use super::{Style, clean};
use crate::catalog::SignatureFile;
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

/// One signature as documentation.
pub fn signature(s: &SignatureFile, style: &Style) -> String {
    let mut page = Page::new(style, false);
    let about = &s.signature;
    page.line(&format!("{} {}  ({})", about.code, about.id, s.path));
    paragraph(&mut page, "", &about.title);
    let standing = format!(
        "{:?} severity, {:?}, revision {}, {}",
        about.severity,
        about.status,
        about.revision,
        about.role.word()
    );
    paragraph(&mut page, "", &standing.to_lowercase());
    section(&mut page, "MECHANISM", std::slice::from_ref(&s.text.mechanism));
    section(&mut page, "IMPACT", std::slice::from_ref(&s.text.impact));
    section(&mut page, "DETECTION", &s.text.detection);
    let evidence: Vec<String> = s
        .evidence
        .iter()
        .map(|e| {
            let role = format!("{:?}", e.role).to_lowercase();
            let strength = format!("{:?}", e.strength).to_lowercase();
            format!("{} ({role}, {strength}): {} {} — {}", e.id, e.test, e.source, e.say)
        })
        .collect();
    section(&mut page, "EVIDENCE", &evidence);
    let params: Vec<String> =
        s.params.iter().map(|(n, p)| format!("{n} = {} {} — {}", p.value, p.unit, p.why)).collect();
    section(&mut page, "PARAMETERS", &params);
    let actions: Vec<String> = s
        .mitigation
        .iter()
        .map(|m| {
            let kind = format!("{:?}", m.kind).to_lowercase();
            let command = m.command.as_ref().map(|c| format!(": {}", c.trim())).unwrap_or_default();
            format!("{kind}: {}{command}", m.say)
        })
        .collect();
    section(&mut page, "RUNBOOK", &actions);
    section(&mut page, "FALSE POSITIVES", &s.text.false_positives);
    let apart: Vec<String> = s
        .discriminator
        .iter()
        .map(|d| {
            format!("against {}: {} This: {} Other: {}", d.against, d.question, d.this, d.other)
        })
        .collect();
    section(&mut page, "TOLD APART BY", &apart);
    section(&mut page, "AFTER THE INCIDENT", &s.text.post_incident);
    section(&mut page, "SECURITY", &s.text.security);
    section(&mut page, "REFERENCES", &about.references);
    page.finish()
}

fn section(page: &mut Page, title: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    page.line("");
    page.line(title);
    for item in items {
        paragraph(page, "- ", item);
    }
}

fn paragraph(page: &mut Page, mark: &str, text: &str) {
    let text = page.clean(text);
    let rest = " ".repeat(mark.len());
    page.flow(Flow { first: mark, rest: &rest, text: &text, ..Flow::default() });
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
