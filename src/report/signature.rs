//! The offline page of one signature: what it is, how it shows, what to do, what it is taken for.

use super::page::Page;
use super::{Style, clean};
use crate::catalog::{DiscriminatorRule, Mitigation, Requires, SignatureFile};
use crate::diagnosis::{ActionKind, EvidenceRole};
use crate::documentation::{Documentation, EvidenceText};

/// One signature as documentation.
pub fn signature(d: &Documentation, style: &Style) -> String {
    let mut page = Page::new(style, false);
    let (s, text) = (d.file, &d.file.text);
    head(&mut page, s);
    prose(&mut page, "MECHANISM", &text.mechanism);
    prose(&mut page, "IMPACT", &text.impact);
    list(&mut page, "DETECTION", &text.detection);
    needs(&mut page, &s.requires);
    let of = |role| d.evidence.iter().filter(move |e| e.role == role);
    evidence(&mut page, "EVIDENCE THAT MUST BE THERE", of(EvidenceRole::Required));
    evidence(&mut page, "EVIDENCE THAT HELPS", of(EvidenceRole::Supports));
    evidence(&mut page, "EVIDENCE AGAINST IT", of(EvidenceRole::Refutes));
    params(&mut page, d);
    actions(&mut page, "IMMEDIATE ACTIONS", s, ActionKind::Now);
    actions(&mut page, "SHOW THAT IT WORKED", s, ActionKind::Confirm);
    actions(&mut page, "RECOVERY", s, ActionKind::Recover);
    actions(&mut page, "PREVENTION", s, ActionKind::Prevent);
    list(&mut page, "AFTER THE INCIDENT", &text.post_incident);
    list(&mut page, "SECURITY CHECK", &text.security);
    list(&mut page, "FALSE POSITIVES", &text.false_positives);
    apart(&mut page, &s.discriminator);
    let ties = d.ties.iter().map(|t| format!("{} {}: {}", t.what, t.id, t.title));
    list(&mut page, "LOOK-ALIKES AND RELATIVES", &ties.collect::<Vec<_>>());
    list(&mut page, "TESTS", &d.tests);
    list(&mut page, "REFERENCES", &s.signature.references);
    page.finish()
}

fn head(page: &mut Page, s: &SignatureFile) {
    let about = &s.signature;
    let title = page.clean(&format!("{} {}: {}", about.code, about.id, about.title));
    page.wrap("", "  ", &title);
    let kinds: Vec<&str> = about.subject.iter().map(|k| k.word()).collect();
    let subject = if kinds.is_empty() { "the whole system".to_owned() } else { kinds.join(" or ") };
    let word = |shown: String| shown.to_lowercase();
    let standing = [
        word(format!("{:?}", about.category)),
        word(format!("{:?} severity", about.severity)),
        format!("{} on {subject}", about.role.word()),
        word(format!("{:?} as a cause", about.prior)),
        word(format!("{:?} revision {}", about.status, about.revision)),
        about.modified.clone(),
    ];
    let standing = page.clean(&standing.join(page.glyphs.dot));
    page.wrap("", "  ", &standing);
    let mut place = s.path.clone();
    if !about.tags.is_empty() {
        place.push_str(&format!("{}{}", page.glyphs.dot, about.tags.join(", ")));
    }
    let place = page.clean(&place);
    page.wrap("", "  ", &place);
}

fn prose(page: &mut Page, title: &str, text: &str) {
    page.heading(title);
    let text = page.clean(text);
    page.wrap("   ", "   ", &text);
}

fn list(page: &mut Page, title: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    page.heading(title);
    for item in items {
        let item = page.clean(item);
        page.wrap("   - ", "     ", &item);
    }
}

fn needs(page: &mut Page, r: &Requires) {
    let mut items = Vec::new();
    if !r.all.is_empty() {
        items.push(r.all.join(" and "));
    }
    if !r.any.is_empty() {
        items.push(r.any.join(" or "));
    }
    list(page, "CANNOT RUN WITHOUT", &items);
}

fn evidence<'a>(page: &mut Page, title: &str, all: impl Iterator<Item = &'a EvidenceText<'a>>) {
    let all: Vec<_> = all.collect();
    if all.is_empty() {
        return;
    }
    page.heading(title);
    for e in all {
        let first = page.clean(&format!("{} ({}); {}", e.id, e.standing, e.absence));
        page.wrap("   - ", "     ", &first);
        let looks = page.clean(e.looks.as_str());
        page.wrap("     ", "       ", &looks);
        let say = page.clean(&format!("\"{}\"", e.say));
        page.wrap("     ", "       ", &say);
        if let Some(absent) = e.say_absent {
            let absent = page.clean(&format!("else \"{absent}\""));
            page.wrap("     ", "       ", &absent);
        }
    }
}

fn params(page: &mut Page, d: &Documentation) {
    if d.params.is_empty() {
        return;
    }
    page.heading("NUMBERS (params.toml of a site may change them)");
    for p in &d.params {
        let text = page.clean(&format!("{} = {}: {}", p.name, p.value, p.why));
        page.wrap("   - ", "     ", &text);
    }
}

fn actions(page: &mut Page, title: &str, s: &SignatureFile, kind: ActionKind) {
    let all: Vec<&Mitigation> = s.mitigation.iter().filter(|m| m.kind == kind).collect();
    if all.is_empty() {
        return;
    }
    page.heading(title);
    for (n, m) in all.iter().enumerate() {
        let on = m.on.as_ref().map(|on| format!(" (on {on})")).unwrap_or_default();
        let text = page.clean(&format!("{}{on}", m.say));
        page.wrap(&format!(" {:>2} ", n + 1), "    ", &text);
        command(page, m.command.as_deref());
        if let Some(effect) = &m.effect {
            let effect = page.clean(&format!("effect: {effect}"));
            page.wrap("    ", "      ", &effect);
        }
    }
}

/// A command whole on a line of its own: it is there to be copied.
fn command(page: &mut Page, command: Option<&str>) {
    for line in command.unwrap_or_default().lines().filter(|l| !l.trim().is_empty()) {
        page.command("       ", line);
    }
}

fn apart(page: &mut Page, all: &[DiscriminatorRule]) {
    if all.is_empty() {
        return;
    }
    page.heading("TOLD APART BY");
    for d in all {
        let text = page.clean(&format!("{}: {}", d.against, d.question));
        page.wrap("   - ", "     ", &text);
        for (answer, means) in [(&d.this, "this one"), (&d.other, d.against.as_str())] {
            let line = page.clean(answer);
            let arrow = if page.style.ascii { "=>" } else { "→" };
            let means = clean::prose(means, page.style.ascii);
            page.wrap("     ", "       ", &format!("{line} {arrow} {means}"));
        }
        command(page, d.command.as_deref());
        let cost = page.clean(&format!("costs {}, changes nothing", d.cost));
        page.wrap("     ", "       ", &cost);
    }
}
