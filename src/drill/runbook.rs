//! What the catalogue's runbooks say of an action. In: a verb, and whether it is aimed at who is to
//! blame. Out: what it would do, with the line that says so.

use super::act::Verb;
use super::case::Case;
use super::content::Outcome;
use crate::catalog::SignatureFile;
use crate::diagnosis::ActionKind;

/// What the runbooks know: of the true mechanism, else of those that it is taken for.
pub fn ask(case: &Case, verb: &Verb, right: bool) -> (Outcome, Vec<String>) {
    let of = |ids: &[String]| -> Vec<&SignatureFile> {
        ids.iter().filter_map(|id| case.catalog.find(id).ok()).collect()
    };
    for s in of(&case.truth.signature) {
        let Some((kind, say, warns)) = line(s, verb) else { continue };
        let quoted = format!("the runbook: {say}");
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
fn line(s: &SignatureFile, verb: &Verb) -> Option<(ActionKind, String, bool)> {
    let mut lines: Vec<_> = s.mitigation.iter().filter(|m| m.kind != ActionKind::Confirm).collect();
    lines.sort_by_key(|m| m.kind);
    for m in lines {
        // Sentence by sentence: "Cancel it. Do not restart callers."
        for sentence in m.say.split_inclusive(['.', ';', ':']) {
            let low = sentence.to_lowercase();
            if verb.stems.iter().any(|stem| low.contains(stem)) {
                let warns = ["do not", "never", "does not", "do nothing", "does nothing"];
                let warns = warns.iter().any(|w| low.contains(w));
                return Some((m.kind, plain(&m.say), warns));
            }
        }
    }
    None
}

/// A sentence of the catalogue without the places for facts that were not bound.
pub fn plain(say: &str) -> String {
    let mut out = String::new();
    let mut rest = say;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        let end = rest[at..].find('}').map_or(rest.len(), |e| at + e + 1);
        let fact = rest[at..end].trim_matches(['{', '}']);
        out.push_str(match fact {
            "subject" => "it",
            "application" => "the application",
            "pid" => "its pid",
            _ => "…",
        });
        rest = &rest[end..];
    }
    out.push_str(rest);
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}
