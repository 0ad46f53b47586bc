//! What the site changed: findings that it accepts and numbers that it set.

use super::number;
use super::page::{Flow, Most, Page};
use crate::diagnosis::Diagnosis;

const OVERRIDES: Most = (4, 2);

/// Findings that are known and accepted; always shown, whatever the verdict.
pub(super) fn suppressed(page: &mut Page, d: &Diagnosis) {
    if d.suppressed.is_empty() {
        return;
    }
    page.heading("SUPPRESSED BY THE SITE (found, and not counted)");
    for s in &d.suppressed {
        let text = format!(
            "{} ({}) on {}, {} without this: {}; until {}: {}",
            page.clean(&s.signature),
            page.clean(&s.code),
            page.clean(&s.entity.name),
            number::probability(s.probability),
            page.clean(&s.headline),
            page.clean(&s.until),
            page.clean(&s.reason),
        );
        let flow = Flow { first: "   - ", rest: "     ", text: &text, ..Flow::default() };
        let tail = page.tail(&flow, &[page.clean(&s.place)]);
        page.flow(Flow { tail: &tail, ..flow });
    }
}

/// Parameters that have another value at this site.
pub(super) fn overrides(page: &mut Page, d: &Diagnosis) {
    let shown = page.limit(OVERRIDES, d.overrides.len());
    for (n, o) in d.overrides.iter().take(shown).enumerate() {
        let why = if o.why.is_empty() { String::new() } else { format!(": {}", o.why) };
        let text = page.clean(&format!(
            "{} of {} is {} {} instead of {}{why}",
            o.param, o.signature, o.value, o.unit, o.default
        ));
        let first = if n == 0 { " site        " } else { "             " };
        let flow = Flow { first, rest: "             ", text: &text, ..Flow::default() };
        let tail = page.tail(&flow, &[page.clean(&o.place)]);
        page.flow(Flow { tail: &tail, ..flow });
    }
    page.more("             ", d.overrides.len() - shown, " numbers of the site");
}
