//! `ask`: what colleagues know by now, or what the catalogue says of a mechanism. `mechanisms`: its
//! ids.

use super::case::Case;
use super::runbook::plain;
use crate::catalog::Catalog;
use crate::model::{Micros, SECOND};

/// Mechanisms that are listed at once.
const LINES: usize = 40;

/// Whom one may ask by now.
pub fn people(case: &Case, now: Micros) -> Vec<&str> {
    let since = now - case.plan.paged;
    let known = case.file.clue.iter().filter(|c| c.after_s.saturating_mul(SECOND) <= since);
    known.map(|c| c.ask.as_str()).collect()
}

/// The answer, or that there is none yet; `None` when nobody and no mechanism is called that.
pub fn answer(case: &Case, topic: &str, now: Micros) -> Option<Result<Vec<String>, String>> {
    let clue = case.file.clue.iter().find(|c| c.ask == topic);
    if let Some(c) = clue.filter(|_| people(case, now).contains(&topic)) {
        return Some(Ok(vec![format!("   {}: {}", c.ask, c.say)]));
    }
    if clue.is_some() {
        return Some(Err(format!("{topic} does not answer yet")));
    }
    let s = case.catalog.find(topic).ok()?;
    let mut out = vec![format!("   {}: {}", s.signature.id, s.signature.title)];
    out.push(format!("   {}", plain(&s.text.mechanism)));
    for d in s.discriminator.iter().take(3) {
        out.push(format!("   or {}? {}", d.against, plain(&d.question)));
        out.push(format!("      this one if {}; the other if {}", plain(&d.this), plain(&d.other)));
    }
    Some(Ok(out))
}

/// Ids of the catalogue whose id or title holds a word.
pub fn mechanisms(catalog: &Catalog, word: Option<&str>) -> Vec<String> {
    let wanted = word.unwrap_or_default().to_lowercase();
    let fits =
        |id: &str, title: &str| id.contains(&wanted) || title.to_lowercase().contains(&wanted);
    let mut found: Vec<String> = catalog
        .signatures
        .iter()
        .filter(|s| fits(&s.signature.id, &s.signature.title))
        .map(|s| format!("   {:<32} {}", s.signature.id, s.signature.title))
        .collect();
    let left = found.len().saturating_sub(LINES);
    if word.is_none() {
        // By name only, several a line.
        let ids: Vec<&str> = catalog.signatures.iter().map(|s| s.signature.id.as_str()).collect();
        return vec![format!("   {}", ids.join(", ")), "   `mechanisms WORD` says more".to_owned()];
    }
    found.truncate(LINES);
    if left > 0 {
        found.push(format!("   and {left} more"));
    }
    if found.is_empty() {
        found.push(format!("   no mechanism holds the word \"{wanted}\""));
    }
    found
}
