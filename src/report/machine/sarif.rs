//! A diagnosis as SARIF 2.1.0 (OASIS, 2020): a rule per signature, a result per hypothesis that is
//! not refuted, a location per place of its evidence, every input with its hash.

use super::super::{clean, json};
use crate::diagnosis::{Diagnosis, Evidence, EvidenceState, Hypothesis, Role, Verdict};
use crate::encoding::percent_encoded;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Rule of a hypothesis that no signature explains.
const UNCLASSIFIED: &str = "unclassified";

/// Writes the log.
pub fn sarif(d: &Diagnosis) -> String {
    let shown: Vec<&Hypothesis> = match d.verdict {
        Verdict::Healthy => Vec::new(),
        _ => d.hypotheses.iter().filter(|h| h.role != Role::Rejected).collect(),
    };
    let rules: BTreeMap<&str, &Hypothesis> = shown.iter().map(|h| (rule(h), *h)).collect();
    let index = |h: &Hypothesis| rules.keys().position(|r| *r == rule(h));
    let run = json!({
        "tool": { "driver": {
            "name": d.tool.name,
            "version": d.tool.version,
            "semanticVersion": d.tool.version,
            "properties": { "catalogue": d.catalog.hash },
            "rules": rules.iter().map(|(id, h)| descriptor(id, h)).collect::<Vec<_>>(),
        } },
        "columnKind": "unicodeCodePoints",
        "artifacts": d.inputs.iter().map(artifact).collect::<Vec<_>>(),
        "results": shown.iter().map(|h| result(d, h, index(h))).collect::<Vec<_>>(),
        "properties": { "verdict": d.verdict, "reasons": d.reasons },
    });
    json(&json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }))
}

fn rule(h: &Hypothesis) -> &str {
    h.signature.as_deref().unwrap_or(UNCLASSIFIED)
}

fn descriptor(id: &str, h: &Hypothesis) -> Value {
    let mut out = json!({ "id": id, "shortDescription": { "text": plain(&h.title) } });
    if let (Some(code), Some(fields)) = (&h.code, out.as_object_mut()) {
        fields.insert("properties".to_owned(), json!({ "code": code }));
    }
    out
}

fn artifact(i: &crate::ingest::raw::InputFile) -> Value {
    let mut out = json!({ "location": { "uri": uri(&i.path) } });
    if let (false, Some(fields)) = (i.sha256.is_empty(), out.as_object_mut()) {
        fields.insert("length".to_owned(), json!(i.bytes));
        fields.insert("hashes".to_owned(), json!({ "sha-256": i.sha256 }));
    }
    out
}

fn result(d: &Diagnosis, h: &Hypothesis, index: Option<usize>) -> Value {
    let level = match (h.rank, d.verdict) {
        (1, Verdict::Confirmed) => "error",
        (1, Verdict::Likely) => "warning",
        _ => "note",
    };
    let seen = h.evidence.iter().filter(|e| e.state == EvidenceState::Present);
    json!({
        "ruleId": rule(h),
        "ruleIndex": index,
        "level": level,
        "rank": (h.probability.clamp(0.0, 1.0) * 1000.0).round() / 10.0,
        "message": { "text": plain(&h.headline) },
        "locations": seen.filter_map(location).collect::<Vec<_>>(),
        "partialFingerprints": { "signatureAndEntity/v1": plain(&format!("{}@{}", rule(h), h.entity.name)) },
        "properties": {
            "hypothesis": h.id, "probability": h.probability, "role": h.role,
            "entity": h.entity, "severity": h.severity,
        },
    })
}

fn location(e: &Evidence) -> Option<Value> {
    let s = e.source.as_ref().filter(|s| !s.file.is_empty())?;
    let mut physical = json!({ "artifactLocation": { "uri": uri(&s.file) } });
    if let (Some(line), Some(fields)) = (s.line.filter(|l| *l > 0), physical.as_object_mut()) {
        fields.insert("region".to_owned(), json!({ "startLine": line }));
    }
    let text = plain(&format!("{}: {}", e.id, e.said));
    Some(json!({ "physicalLocation": physical, "message": { "text": text } }))
}

/// Plain text of a message: brackets would make a link and braces a placeholder (3.11.5, 3.11.6).
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean::prose(text.trim(), false).chars() {
        match c {
            '[' | ']' | '\\' => out.extend(['\\', c]),
            '{' | '}' => out.extend([c, c]),
            c => out.push(c),
        }
    }
    out
}

/// A path as a relative reference (RFC 3986): what is not unreserved is written in percent.
fn uri(path: &str) -> String {
    percent_encoded(path.replace('\\', "/").trim_start_matches('/'), "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_hold_no_links_and_paths_are_references() {
        assert_eq!(plain("a [x](y) {0} \\"), "a \\[x\\](y) {{0}} \\\\");
        assert_eq!(uri("a b/ü:1.csv"), "a%20b/%C3%BC%3A1.csv");
        assert_eq!(uri("//host/x"), "host/x");
    }
}
