//! The closing sections of the text report: timeline, data quality, where to go on.

use super::page::{Flow, Most, Page};
use super::{number, site};
use crate::diagnosis::{Diagnosis, Moment, Verdict};
use crate::model::{Gap, GapKind};
use crate::time;
use std::collections::{BTreeMap, BTreeSet};

const MOMENTS: Most = (8, 7);
const GAPS: Most = (6, 2);
/// How many missing inputs of signatures are named.
const MISSING: usize = 5;

/// The whole timeline without a heading.
pub(super) fn whole(page: &mut Page, d: &Diagnosis) {
    moments(page, d, &d.timeline.iter().collect::<Vec<_>>());
}

/// What happened, oldest first, with the borders of the incident.
pub(super) fn timeline(page: &mut Page, d: &Diagnosis) {
    let chain = d.hypotheses.first().map_or(&[][..], |h| &h.chain);
    if d.timeline.is_empty() {
        return;
    }
    let drawn = |m: &Moment| {
        m.kind == "onset" && chain.iter().any(|l| m.entity.as_ref() == Some(&l.entity))
    };
    // What the chain above already shows is a matter of -v.
    let brief = !page.verbose() && d.verdict != Verdict::Healthy;
    let is_told = |m: &Moment| !page.is_least() || m.kind == "change";
    let (told, apart): (Vec<&Moment>, Vec<&Moment>) =
        d.timeline.iter().partition(|m| !brief || (!drawn(m) && is_told(m)));
    let total = told.len();
    let mut moments = told;
    // Those nearest to the start of the incident are shown.
    moments.sort_by_key(|m| m.at.abs_diff(d.window.incident.from));
    moments.truncate(page.limit(MOMENTS, moments.len()));
    moments.sort_by_key(|m| m.at);
    if moments.is_empty() || (page.is_bare() && moments.iter().all(|m| m.kind == "recovery")) {
        return;
    }
    let title = page.title("TIMELINE", moments.len(), total);
    page.heading(&match apart.iter().any(|m| drawn(m)) {
        true => format!("{title} (UTC; the onsets of the chain stand above)"),
        false => format!("{title} (UTC)"),
    });
    self::moments(page, d, &moments);
    page.more("   ", total.saturating_sub(moments.len()), "");
}

fn moments(page: &mut Page, d: &Diagnosis, moments: &[&Moment]) {
    let incident = d.window.incident;
    let mut borders = vec![(incident.from, "incident begins"), (incident.to, "incident ends")];
    borders.retain(|_| d.window.found && !page.is_least());
    for m in moments {
        while borders.first().is_some_and(|(at, _)| *at <= m.at) {
            let (at, said) = borders.remove(0);
            page.line(&format!(" {}  ---- {said} ----", time::clock(at)));
        }
        moment(page, m);
    }
    // The header says when it ends.
    borders.retain(|_| !page.is_bare());
    for (at, said) in borders {
        page.line(&format!(" {}  ---- {said} ----", time::clock(at)));
    }
}

fn moment(page: &mut Page, m: &Moment) {
    let near = number::uncertainty(m.uncertainty_s);
    let near = near.map_or(String::new(), |s| format!(" ({}{s})", page.glyphs.near));
    let first = format!(" {}  {:<8} ", time::clock(m.at), m.kind);
    let name = m.entity.as_ref().map(|e| page.clean(&e.name)).filter(|n| !n.is_empty());
    let name = name.map_or(String::new(), |n| format!("{n}: "));
    let text = format!("{name}{}{near}", page.clean(&m.said));
    page.wrap(&first, &" ".repeat(20), &text);
}

/// What could not be seen, and what therefore was not asked.
pub(super) fn quality(page: &mut Page, d: &Diagnosis) {
    let title = page.title("DATA QUALITY", page.limit(GAPS, d.gaps.len()), d.gaps.len());
    page.heading(&title);
    site::overrides(page, d);
    if d.gaps.is_empty() && d.skipped.is_empty() && d.overrides.is_empty() {
        page.line("   no gaps were found in what was read");
    }
    let mut kinds: BTreeMap<GapKind, Vec<&Gap>> = BTreeMap::new();
    for gap in &d.gaps {
        kinds.entry(gap.kind).or_default().push(gap);
    }
    let limit = page.limit(GAPS, d.gaps.len());
    let mut left = limit;
    let mut others = kinds.len();
    for (kind, mut gaps) in kinds {
        // Every kind gets a line as long as there are lines.
        others -= 1;
        gaps.sort_by_key(|g| std::cmp::Reverse(g.count));
        let room = left.saturating_sub(others).max(usize::from(left > 0));
        for (n, gap) in gaps.iter().take(room).enumerate() {
            self::gap(page, if n == 0 { kind_word(kind) } else { "" }, gap);
        }
        left = left.saturating_sub(gaps.len().min(room));
    }
    page.more("   ", d.gaps.len().saturating_sub(limit), "");
    skipped(page, d);
}

pub(super) fn kind_word(kind: GapKind) -> &'static str {
    match kind {
        GapKind::Unreadable => "unreadable",
        GapKind::Skipped => "left out",
        GapKind::Truncated => "cut off",
        GapKind::Missing => "missing",
        GapKind::Doubtful => "doubtful",
        GapKind::Inferred => "inferred",
    }
}

fn gap(page: &mut Page, kind: &str, gap: &Gap) {
    let count = match gap.count {
        0 | 1 => String::new(),
        n => format!(" ({}{})", page.glyphs.times, number::whole(n)),
    };
    let text = format!("{}{count}", page.clean(&gap.what));
    let tails = match (&gap.file, gap.line) {
        (Some(file), Some(line)) => vec![format!("{}:{line}", page.clean(file))],
        (Some(file), None) => vec![page.clean(file)],
        (None, _) => vec![],
    };
    let first = format!(" {kind:<11} ");
    let rest = " ".repeat(13);
    let flow = Flow { first: &first, rest: &rest, text: &text, ..Flow::default() };
    let tail = page.tail(&flow, &tails);
    page.flow(Flow { tail: &tail, ..flow });
}

fn skipped(page: &mut Page, d: &Diagnosis) {
    if d.skipped.is_empty() {
        return;
    }
    let missing: BTreeSet<&str> =
        d.skipped.iter().flat_map(|s| &s.missing).map(String::as_str).collect();
    let mut list: Vec<String> = missing.iter().take(MISSING).map(|m| page.clean(m)).collect();
    if missing.len() > MISSING {
        list.push(format!("{} more", missing.len() - MISSING));
    }
    let text = format!(
        "{} of {} lack an input: {}",
        d.skipped.len(),
        number::count(d.catalog.signatures, "signature"),
        list.join(", ")
    );
    page.wrap(" not tested  ", "             ", &text);
    for s in d.skipped.iter().take(page.limit((0, 0), d.skipped.len())) {
        let missing: Vec<String> = s.missing.iter().map(|m| page.clean(m)).collect();
        let text = format!("{}: {}", page.clean(&s.signature), missing.join(", "));
        page.wrap("             - ", "               ", &text);
    }
}

/// Where to go on from here.
pub(super) fn footer(page: &mut Page, d: &Diagnosis) {
    page.blank();
    let mut hints = Vec::new();
    if let Some(h) = d.hypotheses.first().filter(|_| d.verdict != Verdict::Healthy) {
        hints.push(format!("rootline explain {} FOLDER", page.clean(&h.id)));
    }
    if !page.verbose() {
        hints.push("-v shows everything".to_owned());
    }
    let version = page.clean(d.tool.version);
    let hash: String = page.clean(&d.catalog.hash).chars().take(12).collect();
    hints.push(format!("{} {version}, catalogue {hash}", page.clean(d.tool.name)));
    let text = hints.join(page.glyphs.dot);
    page.wrap(" ", " ", &text);
}
