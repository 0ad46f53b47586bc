//! Diagnoses side by side. In: two answers, or their digests kept in files. Out: how alike they are
//! by what was found, and what differs.

use crate::diagnosis::Diagnosis;
use crate::encoding::hex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Raised when a kept digest changes its meaning.
pub const SCHEMA: u32 = 1;
/// Weight of a finding, whatever its probability: it was seen.
const SEEN: f64 = 0.02;
/// Share of a signature's weight that equal names give without any equal evidence.
const NAME_SHARE: f64 = 0.5;
/// Letters of a key.
const KEY: usize = 12;

/// What is kept of a diagnosis.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    pub schema: u32,
    /// From the hashes of the inputs: the same data, the same key.
    pub key: String,
    pub title: String,
    /// Window of the incident, RFC 3339.
    pub from: String,
    pub to: String,
    pub verdict: String,
    /// Hash of the catalogue.
    pub catalog: String,
    /// Hypotheses of a signature that are not refuted, best first.
    pub findings: Vec<Finding>,
    pub impact: Vec<Felt>,
}

/// One hypothesis.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub signature: String,
    pub entity: String,
    pub kind: String,
    pub role: String,
    pub probability: f64,
    /// Names of the present evidence.
    pub evidence: BTreeSet<String>,
    pub facts: BTreeMap<String, String>,
}

/// What users felt, as the answer says it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Felt {
    pub entity: String,
    pub said: String,
}

impl Digest {
    /// The digest of an answer.
    pub fn of(d: &Diagnosis) -> Digest {
        serde_json::to_value(d).ok().and_then(|v| Digest::of_json(&v)).unwrap_or_default()
    }

    /// The digest of an answer that was written as JSON; `None` for anything else.
    pub fn of_json(v: &Value) -> Option<Digest> {
        let hypotheses = v.get("hypotheses")?.as_array()?;
        let incident = v.get("window")?.get("incident")?;
        let hashes = v.get("inputs")?.as_array()?.iter();
        let hashes: BTreeSet<String> = hashes.map(|i| text(&i["sha256"])).collect();
        let impact = v["impact"].as_array().map_or(&[][..], Vec::as_slice).iter();
        Some(Digest {
            schema: SCHEMA,
            key: key(&hashes),
            title: text(&v["title"]),
            from: text(&incident["from"]),
            to: text(&incident["to"]),
            verdict: text(v.get("verdict")?),
            catalog: v.pointer("/catalog/hash").map(text).unwrap_or_default(),
            findings: hypotheses.iter().filter_map(finding).collect(),
            impact: impact
                .map(|i| Felt { entity: text(&i["entity"]["name"]), said: text(&i["said"]) })
                .collect(),
        })
    }

    /// Weight of each signature: the probability of its best finding.
    fn weights(&self) -> BTreeMap<&str, f64> {
        let mut out: BTreeMap<&str, f64> = BTreeMap::new();
        for f in &self.findings {
            let slot = out.entry(&f.signature).or_insert(SEEN);
            *slot = slot.max(f.probability.clamp(0.0, 1.0));
        }
        out
    }

    fn best(&self, signature: &str) -> Option<&Finding> {
        self.findings.iter().find(|f| f.signature == signature)
    }
}

fn text(v: &Value) -> String {
    v.as_str().unwrap_or_default().to_owned()
}

fn key(hashes: &BTreeSet<String>) -> String {
    let mut hash = Sha256::new();
    for h in hashes {
        hash.update(h.as_bytes());
        hash.update(b"\n");
    }
    hex(hash.finalize()).chars().take(KEY).collect()
}

fn finding(h: &Value) -> Option<Finding> {
    let signature = h["signature"].as_str()?.to_owned();
    if text(&h["role"]) == "rejected" {
        return None;
    }
    let evidence = h["evidence"].as_array().map_or(&[][..], Vec::as_slice).iter();
    let present = evidence.filter(|e| text(&e["state"]) == "present").map(|e| text(&e["name"]));
    let facts = h["facts"].as_object().into_iter().flatten();
    Some(Finding {
        signature,
        entity: text(&h["entity"]["name"]),
        kind: text(&h["entity"]["kind"]),
        role: text(&h["role"]),
        probability: h["probability"].as_f64().unwrap_or(0.0),
        evidence: present.collect(),
        facts: facts.map(|(k, v)| (k.clone(), text(v))).collect(),
    })
}

/// How alike two answers are by their findings, 0 to 1: a weighted Jaccard index (Ruzicka) over the
/// signatures, each weighted by its probability and, one half of it, by the share of equal evidence.
/// Symmetric; 1 for equal answers with findings, 0 where either has none.
pub fn similarity(a: &Digest, b: &Digest) -> f64 {
    let (wa, wb) = (a.weights(), b.weights());
    let names: BTreeSet<&str> = wa.keys().chain(wb.keys()).copied().collect();
    let (mut common, mut all) = (0.0, 0.0);
    for name in names {
        let (x, y) = (wa.get(name).copied(), wb.get(name).copied());
        all += x.unwrap_or(0.0).max(y.unwrap_or(0.0));
        if let (Some(x), Some(y), Some(f), Some(g)) = (x, y, a.best(name), b.best(name)) {
            common +=
                x.min(y) * (NAME_SHARE + (1.0 - NAME_SHARE) * jaccard(&f.evidence, &g.evidence));
        }
    }
    if all > 0.0 { common / all } else { 0.0 }
}

/// Share of what both have of what either has; 1 for two empty sets.
fn jaccard(a: &BTreeSet<String>, b: &BTreeSet<String>) -> f64 {
    let all = a.union(b).count();
    if all == 0 { 1.0 } else { a.intersection(b).count() as f64 / all as f64 }
}

/// Two answers, compared.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    pub a: Digest,
    pub b: Digest,
    pub similarity: f64,
    /// Both name the same signature first.
    pub same_signature: bool,
    /// Signatures found in both.
    pub shared: Vec<Shared>,
    /// Signatures found in one of them only.
    pub only_a: Vec<Finding>,
    pub only_b: Vec<Finding>,
}

/// A signature that both have, by its best finding in each.
#[derive(Clone, Debug, Serialize)]
pub struct Shared {
    pub signature: String,
    pub a: Finding,
    pub b: Finding,
    pub evidence_only_a: Vec<String>,
    pub evidence_only_b: Vec<String>,
    /// Facts with another value: name, in the first, in the second.
    pub facts: Vec<(String, String, String)>,
}

/// Compares two answers.
pub fn compare(a: Digest, b: Digest) -> Comparison {
    let shared: Vec<Shared> =
        unique(&a).into_iter().filter_map(|f| b.best(&f.signature).map(|g| shared(f, g))).collect();
    let without = |own: &Digest, other: &Digest| -> Vec<Finding> {
        let lone = unique(own).into_iter().filter(|f| other.best(&f.signature).is_none());
        lone.cloned().collect()
    };
    let first = |d: &Digest| d.findings.first().map(|f| f.signature.clone());
    Comparison {
        similarity: similarity(&a, &b),
        same_signature: first(&a).is_some() && first(&a) == first(&b),
        shared,
        only_a: without(&a, &b),
        only_b: without(&b, &a),
        a,
        b,
    }
}

/// The best finding of each signature, in their order.
fn unique(d: &Digest) -> Vec<&Finding> {
    let mut seen = BTreeSet::new();
    d.findings.iter().filter(|f| seen.insert(f.signature.as_str())).collect()
}

fn shared(f: &Finding, g: &Finding) -> Shared {
    let only = |x: &Finding, y: &Finding| x.evidence.difference(&y.evidence).cloned().collect();
    let names: BTreeSet<&String> = f.facts.keys().chain(g.facts.keys()).collect();
    let get = |of: &Finding, name: &String| of.facts.get(name).cloned().unwrap_or_default();
    let facts = names.into_iter().map(|n| (n.clone(), get(f, n), get(g, n)));
    Shared {
        signature: f.signature.clone(),
        evidence_only_a: only(f, g),
        evidence_only_b: only(g, f),
        facts: facts.filter(|(_, x, y)| x != y).collect(),
        a: f.clone(),
        b: g.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(findings: &[(&str, f64, &[&str])]) -> Digest {
        let finding = |(s, p, e): &(&str, f64, &[&str])| Finding {
            signature: (*s).to_owned(),
            probability: *p,
            evidence: e.iter().map(|e| (*e).to_owned()).collect(),
            ..Finding::default()
        };
        Digest { findings: findings.iter().map(finding).collect(), ..Digest::default() }
    }

    #[test]
    fn likeness_counts_what_was_found_and_its_evidence() {
        let a = digest(&[("x", 0.8, &["p", "q"]), ("y", 0.2, &[])]);
        assert_eq!(similarity(&a, &a), 1.0);
        let b = digest(&[("x", 0.8, &["p", "r"])]);
        // 0.8 (1/2 + 1/2 * 1/3) of 0.8 + 0.2
        assert!((similarity(&a, &b) - 0.8 * (0.5 + 0.5 / 3.0)).abs() < 1e-12);
        assert_eq!(similarity(&a, &b), similarity(&b, &a));
        assert_eq!(similarity(&a, &digest(&[("z", 0.9, &[])])), 0.0);
        assert_eq!(similarity(&digest(&[]), &digest(&[])), 0.0);
    }

    #[test]
    fn a_comparison_says_what_is_shared_and_what_is_not() {
        let a = digest(&[("x", 0.8, &["p", "q"]), ("x", 0.1, &[]), ("y", 0.2, &[])]);
        let c = compare(a, digest(&[("x", 0.7, &["p"]), ("z", 0.1, &[])]));
        assert!(c.same_signature && c.shared.len() == 1);
        assert_eq!(c.shared[0].evidence_only_a, ["q"]);
        assert_eq!((c.only_a[0].signature.as_str(), c.only_b[0].signature.as_str()), ("y", "z"));
    }

    #[test]
    fn other_json_is_no_answer() {
        for text in ["{}", "[]", "{\"hypotheses\":3}", "{\"hypotheses\":[],\"window\":1}"] {
            let v: Value = serde_json::from_str(text).expect("JSON");
            assert_eq!(Digest::of_json(&v), None, "{text}");
        }
    }
}
