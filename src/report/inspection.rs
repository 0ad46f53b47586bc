//! What a folder holds, file by file; what was not recognised; which signatures can run.

use super::page::{Most, Page};
use super::{Style, Verbosity, number};
use crate::diagnosis::{EntityRef, Span};
use crate::inspection::{Certainty, FileReport, Inspection, SignalCount};
use crate::model::Gap;
use crate::time;

const SIGNALS: Most = (8, 8);
const ENTITIES: Most = (8, 8);
const GAPS: Most = (5, 5);
/// Names of what nothing is made of; all with `-v`.
const UNUSED: Most = (4, 200);
/// Exporter's names of one signal.
const NAMES: usize = 2;
/// Columns of the labels at the left of a file's lines.
const LABEL: &str = "             ";

/// The whole inspection as text.
pub fn inspection(i: &Inspection, style: &Style) -> String {
    let mut page = Page::new(style, false);
    header(&mut page, i);
    if style.verbosity == Verbosity::Quiet {
        return page.finish();
    }
    let (known, unknown): (Vec<_>, Vec<_>) = i.files.iter().partition(|f| f.reader.is_some());
    for (n, f) in known.into_iter().enumerate() {
        match n {
            0 => page.heading("FILES"),
            _ => page.blank(),
        }
        file(&mut page, f);
    }
    not_recognised(&mut page, &unknown);
    if !i.gaps.is_empty() {
        page.heading("GAPS THAT ARE ABOUT NO SINGLE FILE");
        for g in &i.gaps {
            let text = gap(&page, g);
            page.wrap("   - ", "     ", &text);
        }
    }
    signatures(&mut page, i);
    page.finish()
}

fn header(page: &mut Page, i: &Inspection) {
    let t = &i.totals;
    let dot = page.glyphs.dot;
    let mut files = number::count(t.files, "file");
    if t.not_recognised > 0 {
        files.push_str(&format!(", {} not recognised", number::whole(t.not_recognised as u64)));
    }
    let mut parts = vec![files, rows(t.rows, t.skipped)];
    parts.extend(held(t.series, t.spans, t.sessions, t.events));
    parts.push(number::count(t.entities, "entity"));
    parts.push(number::count(t.edges, "edge"));
    page.wrap(" ", "   ", &parts.join(dot));
    if let Some(s) = &i.recorded {
        let text = format!("recorded {}", stretch(page, s));
        page.wrap(" ", "   ", &text);
    }
    if let Some(w) = &i.window {
        let text = format!("windows: {}", page.clean(&w.how));
        page.wrap(" ", "   ", &text);
    }
}

fn file(page: &mut Page, f: &FileReport) {
    let dot = page.glyphs.dot;
    let reader = f.reader.as_deref().unwrap_or_default();
    let title = format!("{}{dot}{}", page.clean(&f.path), page.clean(reader));
    page.wrap(" ", "     ", &title);
    labelled(page, "format", &f.what);
    labelled(page, "because", &f.why);
    let mut parts = vec![rows(f.rows, f.skipped)];
    parts.extend(held(f.series, f.spans, f.sessions, f.events));
    labelled(page, "holds", &parts.join(dot));
    if let Some(s) = &f.recorded {
        let mut text = stretch(page, s);
        if let Some(step) = f.step_s {
            text.push_str(&format!("{dot}every {}", number::pause(step)));
        }
        let windows: Vec<String> = f.rate_windows_s.iter().map(|w| number::pause(*w)).collect();
        if !windows.is_empty() {
            text.push_str(&format!("{dot}rates over {}", windows.join(", ")));
        }
        labelled(page, "time", &text);
    }
    let shown = page.limit(SIGNALS, f.signals.len());
    let signals = f.signals.iter().take(shown).map(signal).collect();
    several(page, "signals", signals, f.signals.len());
    let shown = page.limit(ENTITIES, f.entities.len());
    let entities = f.entities.iter().take(shown).map(entity).collect();
    several(page, "entities", entities, f.entities.len());
    for u in &f.unused {
        let shown = page.limit(UNUSED, u.names.len());
        let names = u.names.iter().take(shown).cloned().collect::<Vec<_>>().join(", ");
        let more = if shown < u.names.len() {
            format!(", {}", page.glyphs.ellipsis)
        } else {
            String::new()
        };
        let text = format!("{} {} ({names}{more})", number::whole(u.count), u.what);
        labelled(page, "unused", &text);
    }
    let shown = page.limit(GAPS, f.gaps.len());
    for (n, g) in f.gaps.iter().take(shown).enumerate() {
        let label = if n == 0 { "gaps" } else { "" };
        let text = gap(page, g);
        page.wrap(&format!("   {label:<10}- "), &format!("{LABEL}  "), &text);
    }
    page.more(LABEL, f.gaps.len() - shown, " gaps");
}

/// A line with its label; nothing where there is no text.
fn labelled(page: &mut Page, label: &str, text: &str) {
    if !text.is_empty() {
        let text = page.clean(text);
        page.wrap(&format!("   {label:<10}"), LABEL, &text);
    }
}

/// Some of `all` things in one paragraph.
fn several(page: &mut Page, label: &str, mut shown: Vec<String>, all: usize) {
    let left = all - shown.len();
    if left > 0 {
        shown.push(format!("{} and {left} more (-v)", page.glyphs.ellipsis));
    }
    labelled(page, label, &shown.join(", "));
}

fn rows(rows: u64, skipped: u64) -> String {
    let left = match skipped {
        0 => String::new(),
        n => format!(" ({} left out)", number::whole(n)),
    };
    format!("{}{left}", number::count(rows as usize, "row"))
}

/// What there is of series, spans, sessions and events.
fn held(series: u64, spans: u64, sessions: u64, events: u64) -> Vec<String> {
    let all = [(series, "series"), (spans, "span"), (sessions, "session"), (events, "event")];
    let some = all.iter().filter(|(n, _)| *n > 0);
    some.map(|(n, noun)| number::count(*n as usize, noun)).collect()
}

fn stretch(page: &Page, s: &Span) -> String {
    let at = |t| format!("{} {}", time::date(t), time::clock(t));
    let to = time::beside(s.to, s.from);
    match s.from == s.to {
        true => format!("{} UTC", at(s.from)),
        false => format!(
            "{}{}{to} UTC ({})",
            at(s.from),
            page.glyphs.arrow,
            time::duration(number::length(s.from, s.to).round())
        ),
    }
}

/// A signal with its number of series, and the names it was guessed from.
fn signal(s: &SignalCount) -> String {
    let names: Vec<&str> = s.names.iter().take(NAMES).map(String::as_str).collect();
    let more = if s.names.len() > NAMES { ", …" } else { "" };
    let names = format!("{}{more}", names.join(", "));
    let said = match s.certainty {
        Certainty::Known => s.signal.clone(),
        Certainty::Guessed => format!("{} (guessed from {names})", s.signal),
        Certainty::Unknown => format!("no known meaning ({names})"),
    };
    match s.series {
        1 => said,
        n => format!("{said} x{}", number::whole(n)),
    }
}

fn entity(e: &EntityRef) -> String {
    match e.kind {
        "service" => e.name.clone(),
        kind if e.service == e.name => format!("{} ({kind})", e.name),
        kind => format!("{} ({kind} of {})", e.name, e.service),
    }
}

/// A gap without its file.
fn gap(page: &Page, g: &Gap) -> String {
    let kind = format!("{:?}", g.kind).to_lowercase();
    let place = g.line.map_or(String::new(), |l| format!(", line {l}"));
    let times = match g.count {
        0 | 1 => String::new(),
        n => format!(" ({}{})", page.glyphs.times, number::whole(n)),
    };
    format!("{kind}{place}: {}{times}", page.clean(&g.what))
}

fn not_recognised(page: &mut Page, files: &[&FileReport]) {
    if files.is_empty() {
        return;
    }
    page.heading("NOT RECOGNISED (`rootline inspect --formats` lists what is read)");
    for f in files {
        let path = page.clean(&f.path);
        let reasons: Vec<String> = f.gaps.iter().map(|g| page.clean(&g.what)).collect();
        page.wrap("   - ", "     ", &format!("{path}: {}", reasons.join("; ")));
    }
}

fn signatures(page: &mut Page, i: &Inspection) {
    let (can, cannot) = (&i.signatures.can_run, &i.signatures.cannot_run);
    page.heading(&format!("SIGNATURES THAT CAN RUN ({})", can.len()));
    let names = if can.is_empty() { "none".to_owned() } else { page.clean(&can.join(", ")) };
    page.wrap("   ", "   ", &names);
    if cannot.is_empty() {
        return;
    }
    page.heading(&format!("SIGNATURES THAT CANNOT RUN ({})", cannot.len()));
    for s in cannot {
        let text = page.clean(&format!("{}: needs {}", s.signature, s.missing.join(", ")));
        page.wrap("   - ", "     ", &text);
    }
}
