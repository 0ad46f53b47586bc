//! Everything about one hypothesis, so that a wrong answer can be argued with.

use super::page::{Flow, Page, verdict_paint};
use super::{Style, chain, evidence, number, sections, sparkline, table};
use crate::diagnosis::{ActionKind, Diagnosis, Evidence, EvidenceRole, Hypothesis, Strength};
use crate::diagnosis::{Role, Verdict};
use crate::time;

/// How many hypotheses `--explain` takes apart.
const EXPLAINED: usize = 8;

/// Writes the full ledger of one hypothesis.
pub fn hypothesis(d: &Diagnosis, h: &Hypothesis, style: &Style) -> String {
    let mut page = Page::new(style, false);
    head(&mut page, d, h);
    facts(&mut page, h);
    actions(&mut page, h, "DO NOW", &[ActionKind::Now, ActionKind::Confirm]);
    chain::section(&mut page, d, h);
    page.heading(&format!("EVIDENCE   {}", evidence::legend(&page)));
    if h.evidence.is_empty() {
        page.line("   none was recorded");
    }
    for e in evidence::strongest(&h.evidence) {
        entry(&mut page, e);
    }
    page.heading("AGAINST IT");
    if h.against.is_empty() {
        page.line("   nothing that was looked for speaks against it");
    }
    for e in evidence::strongest(&h.against) {
        entry(&mut page, e);
    }
    if !h.discriminators.is_empty() {
        page.heading("WHAT WOULD SETTLE IT");
        for (n, check) in h.discriminators.iter().enumerate() {
            evidence::discriminator(&mut page, d, h, n + 1, check);
        }
    }
    actions(&mut page, h, "RECOVER", &[ActionKind::Recover]);
    actions(&mut page, h, "PREVENT", &[ActionKind::Prevent]);
    page.heading("SCORE (nats add up; probability compares the sums of all hypotheses)");
    table::terms(&mut page, h);
    page.finish()
}

/// The terms of every hypothesis' score.
pub(super) fn scores(page: &mut Page, d: &Diagnosis) {
    page.heading("SCORES (nats add up; probability compares the sums of all hypotheses)");
    if d.hypotheses.is_empty() {
        page.line("   no hypotheses");
    }
    for h in d.hypotheses.iter().take(EXPLAINED) {
        let text = format!(
            "{} on {}, probability {}",
            sections::named(page, h),
            page.clean(&h.entity.name),
            number::probability(h.probability)
        );
        page.blank();
        let first = format!(" {:<3} ", page.clean(&h.id));
        page.wrap(&first, "     ", &text);
        table::terms(page, h);
    }
    let left = d.hypotheses.len().saturating_sub(EXPLAINED);
    if left > 0 {
        page.line(&format!("   {left} more: rootline explain H{} FOLDER", EXPLAINED + 1));
    }
}

fn head(page: &mut Page, d: &Diagnosis, h: &Hypothesis) {
    let dot = page.glyphs.dot;
    let first = format!(" {:<3} ", page.clean(&h.id));
    let headline = page.clean(&h.headline);
    page.wrap(&first, "     ", &headline);
    let text = format!(
        "{}{dot}{}{dot}rank {} of {}",
        sections::named(page, h),
        page.clean(&h.title),
        h.rank,
        d.hypotheses.len()
    );
    page.wrap("     ", "     ", &text);
    let about = format!(
        "{}{dot}{}{dot}{} severity",
        sections::entity(page, &h.entity),
        h.role.word(),
        sections::severity(h)
    );
    page.wrap("     ", "     ", &about);
    let mut sure = format!(
        "probability {} {}",
        number::probability(h.probability),
        sparkline::bar(h.probability, 20, page.style.ascii)
    );
    if let Some(onset) = h.onset {
        let near = number::uncertainty(h.onset_uncertainty_s);
        let near = near.map_or(String::new(), |s| format!(" {}{s}", page.glyphs.near));
        sure.push_str(&format!("{dot}since {} {}{near}", time::date(onset), time::clock(onset)));
    }
    page.wrap("     ", "     ", &sure);
    let word = sections::verdict_word(d.verdict);
    let meaning = match (d.verdict, h.role) {
        (Verdict::Healthy, _) => "this was considered and is not a cause of anything",
        (_, Role::Rejected) => "this was considered and ruled out",
        (Verdict::Inconclusive, _) => "no explanation is supported well enough to be the cause",
        _ if h.rank <= 1 => "this is the explanation the answer gives",
        _ => "this is not the explanation the answer gives",
    };
    let text = format!("the whole answer is {word}: {meaning}");
    let painted = Some((word, verdict_paint(d.verdict)));
    page.flow(Flow { first: "     ", rest: "     ", text: &text, painted, ..Flow::default() });
}

fn facts(page: &mut Page, h: &Hypothesis) {
    if h.facts.is_empty() {
        return;
    }
    page.heading("FACTS");
    for (name, value) in &h.facts {
        let text = format!("{} = {}", page.clean(name), page.clean(value));
        page.wrap("   ", "     ", &text);
    }
}

fn actions(page: &mut Page, h: &Hypothesis, title: &str, kinds: &[ActionKind]) {
    let mut actions = h.mitigation.iter().filter(|a| kinds.contains(&a.kind)).peekable();
    if actions.peek().is_none() {
        return;
    }
    page.heading(title);
    for a in actions {
        let first = if a.kind == ActionKind::Confirm { "   then confirm: " } else { " - " };
        sections::action(page, first, "   ", a);
    }
}

/// One line of the ledger: what, how heavy, where.
fn entry(page: &mut Page, e: &Evidence) {
    let (sign, paint) = page.mark(e.state);
    let indent = if page.style.ascii { 9 } else { 7 };
    let first = format!(" {:<3} {sign} ", page.clean(&e.id));
    let rest = " ".repeat(indent);
    let text = evidence::sentence(page, e);
    let painted = Some((sign, paint));
    page.flow(Flow { first: &first, rest: &rest, text: &text, tail: "", painted });
    let dot = page.glyphs.dot;
    let weight = evidence::weight(e);
    let (name, strength, role) = (page.clean(&e.name), strength(e), role(e));
    let mut about = format!("{weight}{dot}{name}{dot}{strength} {role}");
    if let Some(s) = &e.source {
        about.push_str(&format!("{dot}{}", evidence::pointer(page, s)));
        if s.line.is_some() && !s.series.is_empty() {
            about.push_str(&format!("{dot}{}", page.clean(&s.series)));
        }
        if let (Some(from), Some(to)) = (s.from, s.to) {
            let (from, to) = (time::clock(from), time::clock(to));
            about.push_str(&format!("{dot}{from}{}{to}", page.glyphs.dash));
        }
    }
    page.wrap(&rest, &format!("{rest}  "), &about);
    if let Some(spark) = &e.spark {
        let room = page.width.saturating_sub(indent + 24).clamp(8, 60);
        let picture = sparkline::line(spark, spark.axis, room, page.style.ascii);
        let said = |v: Option<f64>| v.map_or("?".to_owned(), |v| number::value(v, spark.unit));
        let (before, during) = (said(spark.before), said(spark.during));
        page.line(&format!("{rest}{picture}  {before}{}{during}", page.glyphs.arrow));
    }
}

fn strength(e: &Evidence) -> &'static str {
    match e.strength {
        Strength::Weak => "weak",
        Strength::Moderate => "moderate",
        Strength::Strong => "strong",
        Strength::Decisive => "decisive",
    }
}

fn role(e: &Evidence) -> &'static str {
    match e.role {
        EvidenceRole::Required => "(required)",
        EvidenceRole::Supports => "(supports)",
        EvidenceRole::Refutes => "(refutes, if present)",
    }
}
