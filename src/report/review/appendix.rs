//! The evidence appendix of a review: what each id that the review uses stands for, and where it was
//! read.

use super::super::number;
use super::sections::id;
use super::{Section, Source};
use crate::diagnosis::{Diagnosis, Evidence, EvidenceSource, EvidenceState};
use crate::time;
use std::collections::BTreeSet;

/// The sources of every id in the sections, in the order of the answer.
pub(super) fn appendix(d: &Diagnosis, sections: &[Section]) -> Vec<Source> {
    let items = sections.iter().flat_map(|s| &s.items).flat_map(|i| &i.rests_on);
    let tables = sections.iter().filter_map(|s| s.table.as_ref());
    let rows = tables.flat_map(|t| &t.rows).flat_map(|r| &r.rests_on);
    let used: BTreeSet<&str> = items.chain(rows).map(String::as_str).collect();
    all(d).into_iter().filter(|s| used.contains(s.id.as_str())).collect()
}

fn all(d: &Diagnosis) -> Vec<Source> {
    let w = &d.window;
    let (from, to) = (time::rfc3339(w.incident.from), time::rfc3339(w.incident.to));
    let before = (time::rfc3339(w.baseline.from), time::rfc3339(w.baseline.to));
    let said = format!("Incident {from} to {to}; baseline {} to {}", before.0, before.1);
    let mut out = vec![Source { id: "W1".to_owned(), said, place: w.how.clone() }];
    for (n, i) in d.impact.iter().enumerate() {
        let said = format!("{} of {}: {}", i.signal, i.entity.name, i.said);
        out.push(Source {
            id: id('I', n),
            said,
            place: of_series(&i.source.file, &i.source.series),
        });
    }
    for (n, m) in d.timeline.iter().enumerate() {
        let place =
            m.place.as_ref().map_or("the recording".to_owned(), |p| at_line(&p.file, p.line));
        out.push(Source {
            id: id('T', n),
            said: format!("{} {}", time::rfc3339(m.at), m.said),
            place,
        });
    }
    for (n, l) in d.hypotheses.first().iter().flat_map(|h| &h.chain).enumerate() {
        let at = l.onset.map_or("unknown".to_owned(), time::rfc3339);
        let near = number::uncertainty(l.onset_uncertainty_s);
        let near = near.map_or(String::new(), |s| format!(" ±{s}"));
        let said = format!("Onset of {}: {at}{near}; {}", l.entity.name, l.said);
        out.push(Source {
            id: id('C', n),
            said,
            place: "chain of the first hypothesis".to_owned(),
        });
    }
    for h in &d.hypotheses {
        let name = h.signature.as_deref().unwrap_or("unclassified");
        let said = format!(
            "Hypothesis {} on {} ({}), probability {}",
            name,
            h.entity.name,
            h.role.word(),
            number::probability(h.probability)
        );
        let place = format!("rank {} of {}", h.rank, d.hypotheses.len());
        out.push(Source { id: h.id.clone(), said, place });
        out.extend(h.evidence.iter().chain(&h.against).map(evidence));
    }
    if let Some((file, notes)) = &d.pages.decided {
        for (n, r) in notes.rejected.iter().enumerate() {
            let said = format!("Note of a person on {}: {}", r.entity, r.reason);
            out.push(Source { id: id('N', n), said, place: file.clone() });
        }
    }
    for (n, g) in d.gaps.iter().enumerate() {
        let place = g.file.as_deref().map_or("the recording".to_owned(), |f| at_line(f, g.line));
        out.push(Source { id: id('Q', n), said: g.what.clone(), place });
    }
    out
}

fn evidence(e: &Evidence) -> Source {
    let state = match e.state {
        EvidenceState::Present => "seen",
        EvidenceState::Absent => "looked for and not there",
        EvidenceState::Unobservable => "not observable",
    };
    let inferred = if e.inferred { ", concluded" } else { "" };
    let said = format!("{} ({state}{inferred})", e.said.trim());
    let place = e.source.as_ref().map_or("the recording".to_owned(), pointer);
    Source { id: e.id.clone(), said, place }
}

fn pointer(s: &EvidenceSource) -> String {
    let place = match s.line {
        Some(_) => at_line(&s.file, s.line),
        None => of_series(&s.file, &s.series),
    };
    match (s.from, s.to) {
        (Some(from), Some(to)) => format!("{place}, {} to {}", time::clock(from), time::clock(to)),
        _ => place,
    }
}

fn at_line(file: &str, line: Option<u64>) -> String {
    line.map_or(file.to_owned(), |l| format!("{file}:{l}"))
}

fn of_series(file: &str, series: &str) -> String {
    if series.is_empty() { file.to_owned() } else { format!("{file}, {series}") }
}
