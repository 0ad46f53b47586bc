//! What the catalogue's runbooks say of an action. In: a verb, and whether it is aimed at who is to
//! blame. Out: what it would do, with the line that says so.

use super::case::Case;
use super::content::Outcome;
use super::verbs::Verb;
use crate::catalog::SignatureFile;
use crate::diagnosis::ActionKind;
use std::collections::BTreeMap;

/// What the runbooks know: of the true mechanism, else of those that it is taken for.
pub fn ask(case: &Case, verb: &Verb, right: bool) -> (Outcome, Vec<String>) {
    let of = |ids: &[String]| -> Vec<&SignatureFile> {
        ids.iter().filter_map(|id| case.catalog.find(id).ok()).collect()
    };
    // Only who is right has said by the target whom it is about.
    let facts = case.ledger().filter(|_| right).map(|h| h.facts.clone()).unwrap_or_default();
    for s in of(&case.truth.signature) {
        let Some((kind, say, warns)) = line(s, verb) else { continue };
        let quoted = format!("the runbook: {}", bound(say, &facts));
        return match (warns, right, kind) {
            (true, ..) => (Outcome::Harms, vec![quoted]),
            (_, false, _) => (
                Outcome::Nothing,
                vec!["nothing changes: it is aimed at the wrong place".to_owned()],
            ),
            (_, _, ActionKind::Now) => (Outcome::Helps, vec![quoted]),
            (_, _, ActionKind::Recover) => {
                (Outcome::Relieves, vec![quoted, "it helps after the cause is gone".to_owned()])
            }
            _ => (
                Outcome::Nothing,
                vec![quoted, "it keeps this from coming again; it does not end it now".to_owned()],
            ),
        };
    }
    if of(&case.truth.not).into_iter().any(|s| line(s, verb).is_some()) {
        let said = "it is the remedy for another mechanism: nothing changes";
        return (Outcome::Nothing, vec![said.to_owned()]);
    }
    (
        Outcome::Nothing,
        vec!["nobody did it in the recording, and no runbook of this incident names it".to_owned()],
    )
}

/// The first line of a runbook that speaks of a verb, and whether it warns of it.
fn line<'a>(s: &'a SignatureFile, verb: &Verb) -> Option<(ActionKind, &'a str, bool)> {
    let mut lines: Vec<_> = s.mitigation.iter().filter(|m| m.kind != ActionKind::Confirm).collect();
    lines.sort_by_key(|m| m.kind);
    for m in lines {
        // Sentence by sentence: "Cancel it. Do not restart callers."
        for sentence in m.say.split_inclusive(['.', ';', ':']) {
            let low = sentence.to_lowercase();
            if verb.stems.iter().any(|stem| low.contains(stem)) {
                let warns = ["do not", "never", "does not", "do nothing", "does nothing"];
                let warns = warns.iter().any(|w| low.contains(w));
                return Some((m.kind, &m.say, warns));
            }
        }
    }
    None
}

/// A sentence of the catalogue without the places for facts: each by the noun for what it would be.
pub fn plain(say: &str) -> String {
    bound(say, &BTreeMap::new())
}

/// A sentence of the catalogue with the facts that are known.
pub fn bound(say: &str, facts: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = say;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        let end = rest[at..].find('}').map_or(rest.len(), |e| at + e + 1);
        let fact = rest[at..end].trim_matches(['{', '}']);
        match facts.get(fact) {
            Some(value) => out.push_str(value),
            None => out.push_str(noun(fact).unwrap_or("it")),
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What stands for a fact of the catalogue where it is not known; `None` for one that no sentence
/// for people holds.
pub(super) fn noun(fact: &str) -> Option<&'static str> {
    Some(match fact {
        "subject" => "it",
        "application" => "that application",
        "client" => "its host",
        "count" => "several",
        "event" => "that change",
        "event_at" => "that change",
        "event_kind" => "the last change",
        "floor" => "its level after a restart",
        "names" => "those that depend on it",
        "oldest" => "some time",
        "owner" => "the service",
        "peak" => "its limit",
        "period" => "one cycle",
        "pid" => "of the blocker",
        "relation" => "a table",
        "route" => "that route",
        "share_before" => "its usual share",
        "statement" => "that statement",
        "target" => "the callee",
        "version" => "",
        _ => return None,
    })
}
