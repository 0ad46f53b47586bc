//! The text report: verdict before evidence, what to do now before what to do later.

use super::page::{Density, Flow, Page, verdict_paint};
use super::{Style, Verbosity, chain, closing, evidence, explain, number, sections, site, table};
use crate::diagnosis::{ActionKind, Diagnosis, Verdict};

/// Writes the report for a terminal.
pub fn text(d: &Diagnosis, style: &Style) -> String {
    let mut page = Page::new(style, false);
    if style.verbosity == Verbosity::Quiet {
        quiet(&mut page, d);
        return page.finish();
    }
    write(&mut page, d);
    for density in [Density::Tight, Density::Bare, Density::Least] {
        if style.verbosity == Verbosity::Normal && page.is_long() {
            page = Page::dense(style, density);
            write(&mut page, d);
        }
    }
    if style.explain {
        explain::scores(&mut page, d);
    }
    closing::footer(&mut page, d);
    page.finish()
}

/// All sections but the last.
fn write(page: &mut Page, d: &Diagnosis) {
    sections::header(page, d);
    sections::verdict(page, d);
    site::suppressed(page, d);
    if d.verdict == Verdict::Healthy {
        // Nothing may look like a cause when there is none.
        sections::healthy_notes(page, d);
    } else if let Some(first) = d.hypotheses.first() {
        sections::mitigate(page, d, first);
        chain::section(page, d, first);
        evidence::decisive(page, first);
        table::competing(page, d);
        evidence::next(page, d, first);
    } else {
        table::rejected(page, d);
    }
    closing::timeline(page, d);
    closing::quality(page, d);
}

/// The verdict and the first thing to do.
fn quiet(page: &mut Page, d: &Diagnosis) {
    let word = sections::verdict_word(d.verdict);
    let first = d.hypotheses.first().filter(|_| d.verdict != Verdict::Healthy);
    let said = match first {
        Some(h) => format!(
            "{word}: {} ({} {})",
            page.clean(&h.headline),
            page.clean(&h.id),
            number::probability(h.probability)
        ),
        None => format!("{word}: {}", sections::verdict_meaning(d)),
    };
    let painted = Some((word, verdict_paint(d.verdict)));
    page.flow(Flow { first: "", rest: "  ", text: &said, painted, ..Flow::default() });
    let actions = first.map_or(&[][..], |h| &h.mitigation);
    if let Some(action) = actions.iter().find(|a| a.kind == ActionKind::Now) {
        sections::action(page, "now: ", "     ", action);
    }
}
