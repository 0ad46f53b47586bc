//! Two diagnoses side by side, and what a history holds that is like one.

use super::page::{Flow, Page};
use super::{Style, number};
use crate::history::{Comparison, Digest, Finding, Shared};

/// Findings of one side that are named.
const LONE: usize = 6;
/// Facts of a shared signature that are named.
const FACTS: usize = 8;

fn line(page: &mut Page, first: &str, text: &str) {
    let rest = " ".repeat(first.chars().count());
    page.flow(Flow { first, rest: &rest, text, ..Flow::default() });
}

/// What one answer is, in a line.
fn about(page: &Page, d: &Digest) -> String {
    let title =
        if d.title.is_empty() { String::new() } else { format!("{}: ", page.clean(&d.title)) };
    let found = match d.findings.first() {
        Some(f) => format!("{}{}", page.glyphs.dot, finding(page, f)),
        None => String::new(),
    };
    format!(
        "{title}{} to {}, {}{found}",
        page.clean(&d.from),
        page.clean(&d.to),
        page.clean(&d.verdict)
    )
}

fn finding(page: &Page, f: &Finding) -> String {
    let (signature, entity) = (page.clean(&f.signature), page.clean(&f.entity));
    format!("{signature} on {entity} {}", number::probability(f.probability))
}

/// Writes a comparison.
pub fn comparison(c: &Comparison, style: &Style) -> String {
    let mut page = Page::new(style, false);
    let (a, b) = (about(&page, &c.a), about(&page, &c.b));
    line(&mut page, " A  ", &a);
    line(&mut page, " B  ", &b);
    page.blank();
    let said = match (c.same_signature, c.a.findings.is_empty() && c.b.findings.is_empty()) {
        (true, _) => "the same signature stands first in both",
        (_, true) => "neither has a finding",
        _ => "another signature stands first",
    };
    let said =
        format!("{said}; alike {} (1 is the same findings)", number::probability(c.similarity));
    line(&mut page, " ", &said);
    if !c.shared.is_empty() {
        page.heading("IN BOTH");
        c.shared.iter().for_each(|s| shared(&mut page, s));
    }
    lone(&mut page, "ONLY IN A", &c.only_a);
    lone(&mut page, "ONLY IN B", &c.only_b);
    page.finish()
}

fn shared(page: &mut Page, s: &Shared) {
    let side = |page: &Page, f: &Finding| {
        let p = number::probability(f.probability);
        format!("{} {p} ({})", page.clean(&f.entity), page.clean(&f.role))
    };
    let (a, b) = (side(page, &s.a), side(page, &s.b));
    let text = format!("{}: A {a}, B {b}", page.clean(&s.signature));
    line(page, "   ", &text);
    for (name, only) in [("A", &s.evidence_only_a), ("B", &s.evidence_only_b)] {
        if !only.is_empty() {
            let text = format!("evidence only in {name}: {}", page.clean(&only.join(", ")));
            line(page, "     ", &text);
        }
    }
    let shown = page.limit((FACTS, FACTS), s.facts.len());
    for (name, a, b) in s.facts.iter().take(shown) {
        let or = |v: &String| if v.is_empty() { "none".to_owned() } else { page.clean(v) };
        let text = format!("{}: {}{}{}", page.clean(name), or(a), page.glyphs.arrow, or(b));
        line(page, "     ", &text);
    }
    page.more("     ", s.facts.len() - shown, " facts");
}

fn lone(page: &mut Page, title: &str, findings: &[Finding]) {
    if findings.is_empty() {
        return;
    }
    page.heading(title);
    let shown = page.limit((LONE, LONE), findings.len());
    for f in findings.iter().take(shown) {
        let text = format!("{} ({})", finding(page, f), page.clean(&f.role));
        line(page, "   ", &text);
    }
    page.more("   ", findings.len() - shown, "");
}

/// Writes what is most like an answer: file, likeness, digest; best first.
pub fn alike(found: &[(String, f64, Digest)], kept: usize, style: &Style) -> String {
    let mut page = Page::new(style, false);
    if found.is_empty() {
        let text = format!("nothing alike among {}", number::count(kept, "kept answer"));
        line(&mut page, "", &text);
    }
    for (file, likeness, d) in found {
        let about = about(&page, d);
        let file = page.clean(file);
        let first = format!("{}  ", number::probability(*likeness));
        page.flow(Flow { first: &first, rest: "      ", text: &about, tail: &file, painted: None });
    }
    page.finish()
}
