//! Why something is not the answer, written out.

use super::page::Page;
use super::{Style, evidence, number, sections};
use crate::diagnosis::{Diagnosis, Difference, Discriminator, Hypothesis, WhyNot};

/// Writes what separates something from the answer; `name` is how the user called it.
pub fn why_not(d: &Diagnosis, name: &str, found: &WhyNot, style: &Style) -> String {
    let mut page = Page::new(style, false);
    let name = page.clean(name);
    match found {
        WhyNot::IsFirst(h) => {
            let p = number::probability(h.probability);
            page.wrap(" ", " ", &format!("{name} is the first hypothesis, probability {p}"));
        }
        WhyNot::Behind { own, first, terms, unseen, checks } => {
            lead(&mut page, own, first);
            separates(&mut page, own, first, terms);
            against(&mut page, own);
            could_change(&mut page, own, first, unseen);
            list(&mut page, d, checks);
        }
        WhyNot::Rejected(reason) => {
            let reason = page.clean(reason);
            page.wrap(" ", " ", &format!("{name} was looked for and ruled out: {reason}"));
            let hint = "it would stand in the ranking if that were otherwise";
            page.wrap(" ", " ", hint);
        }
        WhyNot::Skipped(missing) => {
            let missing = page.clean(&missing.join(", "));
            let text = format!("{name} could not be tested: the data lack {missing}");
            page.wrap(" ", " ", &text);
        }
        WhyNot::Unknown => {
            let text = format!("nothing abnormal was seen at {name}, and no signature matches it");
            page.wrap(" ", " ", &text);
        }
    }
    page.finish()
}

fn lead(page: &mut Page, own: &Hypothesis, first: &Hypothesis) {
    let one = |page: &Page, h: &Hypothesis| {
        format!(
            "{} {} on {} (probability {})",
            page.clean(&h.id),
            sections::named(page, h),
            page.clean(&h.entity.name),
            number::probability(h.probability)
        )
    };
    let text = format!(
        "{} stands behind {} by {} nats",
        one(page, own),
        one(page, first),
        number::nats(first.score - own.score).trim_start_matches('+')
    );
    page.wrap(" ", " ", &text);
}

fn separates(page: &mut Page, own: &Hypothesis, first: &Hypothesis, terms: &[Difference]) {
    let (a, b) = (page.clean(&own.id), page.clean(&first.id));
    page.heading(&format!("WHAT SEPARATES THEM (nats of {a}, of {b})"));
    for t in terms {
        let head = format!(
            "   {:>6} {:>6}  {}: ",
            number::nats(t.own),
            number::nats(t.first),
            page.clean(&t.name)
        );
        let said = page.clean(&t.said);
        page.wrap(&head, "                  ", &said);
    }
}

fn against(page: &mut Page, own: &Hypothesis) {
    if own.against.is_empty() {
        return;
    }
    page.heading("WHAT SPEAKS AGAINST IT");
    for e in evidence::strongest(&own.against) {
        let text = evidence::sentence(page, e);
        page.wrap(" - ", "   ", &text);
    }
}

fn could_change(page: &mut Page, own: &Hypothesis, first: &Hypothesis, unseen: &[&str]) {
    page.heading("WHAT WOULD CHANGE THE VERDICT");
    for said in unseen {
        let text = format!("{}: {}", page.clean(&own.id), page.clean(said));
        page.wrap(" - ", "   ", &text);
    }
    let carries = first.evidence.iter().max_by(|a, b| a.nats.total_cmp(&b.nats));
    if let Some(e) = carries.filter(|e| e.nats > 0.0) {
        let said = evidence::sentence(page, e);
        let text = format!("{} rests most on {}: {said}", page.clean(&first.id), page.clean(&e.id));
        page.wrap(" - ", "   ", &text);
    }
}

fn list(page: &mut Page, d: &Diagnosis, checks: &[(&Hypothesis, &Discriminator)]) {
    page.heading("CHECKS THAT WOULD TELL, CHEAPEST FIRST");
    if checks.is_empty() {
        page.line("   none is known that tells the two apart");
    }
    for (n, (h, check)) in checks.iter().enumerate() {
        evidence::discriminator(page, d, h, n + 1, check);
    }
}
