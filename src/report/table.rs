//! Tables: competing hypotheses and the terms of a score; lists where there is no room.

use super::page::{Flow, Most, Page, wrapped};
use super::{evidence, number, sections};
use crate::diagnosis::{Diagnosis, EntityRef, Hypothesis, Role};
use tabled::{builder::Builder, settings::Style as Borders};
use unicode_width::UnicodeWidthStr;

const RIVALS: Most = (4, 2);
const REJECTED: Most = (3, 1);
/// Below this width a table becomes a list.
const NARROW: usize = 80;

/// The other hypotheses and what was ruled out.
pub(super) fn competing(page: &mut Page, d: &Diagnosis) {
    let rivals: Vec<&Hypothesis> =
        d.hypotheses.iter().skip(1).filter(|h| h.role != Role::Rejected).collect();
    let shown = page.limit(RIVALS, rivals.len());
    let title = page.title("COMPETING HYPOTHESES", shown, rivals.len());
    page.heading(&title);
    if rivals.is_empty() {
        page.line("   none");
    } else if page.width < NARROW || page.is_bare() {
        for h in &rivals[..shown] {
            listed(page, d, h);
        }
    } else {
        let head = ["#", "hypothesis", "entity", "role", "prob", "what speaks against it"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        for h in &rivals[..shown] {
            rows.push(vec![
                page.clean(&h.id),
                sections::named(page, h),
                page.clean(&h.entity.name),
                h.role.word().to_owned(),
                number::probability(h.probability),
                apart(page, d, h),
            ]);
        }
        table(page, &rows, &[4, 26, 18, 12, 5]);
    }
    page.more("   ", rivals.len() - shown, "");
    rejected(page, d);
}

fn listed(page: &mut Page, d: &Diagnosis, h: &Hypothesis) {
    let dot = page.glyphs.dot;
    let text = format!(
        "{} {}{dot}{}{dot}{}",
        number::probability(h.probability),
        sections::named(page, h),
        page.clean(&h.entity.name),
        h.role.word(),
    );
    let first = format!(" {:<3} ", page.clean(&h.id));
    let apart = apart(page, d, h);
    if page.width >= NARROW {
        page.wrap(&first, "     ", &format!("{text}{dot}{apart}"));
    } else {
        page.wrap(&first, "     ", &text);
        page.wrap("     ", "       ", &apart);
    }
}

/// What tells a hypothesis from the first one: what speaks against it, else the open question.
fn apart(page: &Page, d: &Diagnosis, h: &Hypothesis) -> String {
    if let Some(e) = evidence::strongest(&h.against).first() {
        return format!("{}: {}", page.clean(&e.id), evidence::sentence(page, e));
    }
    let first = d.hypotheses.first();
    let own = first.and_then(|f| h.discriminators.iter().find(|c| evidence::is_about(c, f)));
    let of_first =
        || first.and_then(|f| f.discriminators.iter().find(|c| evidence::is_about(c, h)));
    match own.or_else(of_first) {
        Some(check) => format!("open: {}", page.clean(&check.question)),
        None => {
            let worst = h.terms.iter().filter(|t| t.nats < -0.5);
            let worst = worst.min_by(|a, b| a.nats.total_cmp(&b.nats));
            worst.map_or("less likely".to_owned(), |t| page.clean(&t.said))
        }
    }
}

/// What was considered and ruled out, with the reason.
pub(super) fn rejected(page: &mut Page, d: &Diagnosis) {
    let at = |e: &EntityRef| page.clean(&e.name);
    if page.is_bare() {
        return ruled_out(page, d);
    }
    let mut lines = Vec::new();
    for h in d.hypotheses.iter().skip(1).filter(|h| h.role == Role::Rejected) {
        let reason = evidence::strongest(&h.against).first().map(|e| evidence::sentence(page, e));
        let reason = reason.unwrap_or_else(|| page.clean(&h.headline));
        lines.push(format!("{} on {}: {reason}", sections::named(page, h), at(&h.entity)));
    }
    for r in &d.rejected {
        if let Some(e) = &r.entity {
            let (name, reason) = (page.clean(&r.signature), page.clean(&r.reason));
            lines.push(format!("{name} on {}: {reason}", at(e)));
        }
    }
    let shown = page.limit(REJECTED, lines.len());
    let more = page.left_out(lines.len() - shown, "");
    for (n, line) in lines[..shown].iter().enumerate() {
        let tail = if n + 1 == shown { more.as_str() } else { "" };
        let flow =
            Flow { first: " ruled out: ", rest: "            ", text: line, ..Flow::default() };
        page.flow(Flow { tail, ..flow });
    }
}

/// The names of what was ruled out, as many as a line holds.
fn ruled_out(page: &mut Page, d: &Diagnosis) {
    let rivals = d.hypotheses.iter().skip(1).filter(|h| h.role == Role::Rejected);
    let mut names: Vec<String> = rivals
        .map(|h| format!("{} on {}", sections::named(page, h), page.clean(&h.entity.name)))
        .collect();
    for r in &d.rejected {
        if let Some(e) = &r.entity {
            names.push(format!("{} on {}", page.clean(&r.signature), page.clean(&e.name)));
        }
    }
    let said = |shown: usize| match names.len() - shown {
        0 => names.join(", "),
        left => format!("{}, {left} more", names[..shown].join(", ")),
    };
    let fits = |n: &usize| 12 + said(*n).width() <= page.width;
    if !names.is_empty() {
        let text = said((1..=names.len()).rev().find(fits).unwrap_or(1));
        page.wrap(" ruled out: ", "            ", &text);
    }
}

/// The terms that add up to a hypothesis' score.
pub(super) fn terms(page: &mut Page, h: &Hypothesis) {
    let sum = format!("{} in sum", number::nats(h.score));
    if h.terms.is_empty() {
        page.line(&format!("   no terms were recorded; {sum}"));
    } else if page.width < NARROW {
        for t in &h.terms {
            let text = format!("{}: {}", page.clean(&t.name), page.clean(&t.said));
            page.wrap(&format!("   {:>6} ", number::nats(t.nats)), "          ", &text);
        }
        page.line(&format!("   {sum}"));
    } else {
        let mut rows = vec![["term", "nats", "why"].map(str::to_owned).to_vec()];
        for t in &h.terms {
            rows.push(vec![page.clean(&t.name), number::nats(t.nats), page.clean(&t.said)]);
        }
        rows.push(vec!["score".to_owned(), number::nats(h.score), String::new()]);
        table(page, &rows, &[30, 8]);
    }
}

/// Sets rows as a table as wide as the page; `most` limits all columns but the last.
fn table(page: &mut Page, rows: &[Vec<String>], most: &[usize]) {
    let mut widths: Vec<usize> = most.to_vec();
    for (column, width) in widths.iter_mut().enumerate() {
        let widest = rows.iter().filter_map(|r| r.get(column)).map(|c| c.width()).max();
        *width = widest.unwrap_or(0).clamp(2, *width);
    }
    // One blank at the left of the table, two in each cell, one line between two cells.
    let frame = 1 + 2 * (most.len() + 1) + most.len();
    let room = page.width.saturating_sub(frame);
    while room.saturating_sub(widths.iter().sum()) < room / 3 {
        let Some(widest) = widths.iter_mut().max() else {
            break;
        };
        if *widest <= 12 {
            break;
        }
        *widest -= 1;
    }
    let last = room.saturating_sub(widths.iter().sum()).max(14);
    widths.push(last);
    let mut builder = Builder::default();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(c, w)| wrapped("", "", c, *w).join("\n"));
        builder.push_record(cells);
    }
    let mut table = builder.build();
    let drawn = match page.style.ascii {
        true => table.with(Borders::psql()).to_string(),
        false => table.with(Borders::rounded().remove_frame()).to_string(),
    };
    for line in drawn.lines() {
        page.line(&format!(" {line}"));
    }
}
