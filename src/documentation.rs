//! A signature as documentation: what its file says, with the words of the tests, the numbers that
//! hold at this site and its ties in both directions. In: catalogue. Out: [`Documentation`], which
//! reports render. Nothing is evaluated.

use crate::catalog::{Catalog, Expect, IfAbsent, On, Relation, SignatureFile, Value};
use crate::diagnosis::EvidenceRole;
use crate::matching;

/// One signature, ready to be written up.
pub struct Documentation<'a> {
    pub file: &'a SignatureFile,
    pub evidence: Vec<EvidenceText<'a>>,
    pub params: Vec<ParamText<'a>>,
    pub ties: Vec<Tie<'a>>,
    pub tests: Vec<String>,
}

/// One piece of evidence in words.
pub struct EvidenceText<'a> {
    pub id: &'a str,
    pub role: EvidenceRole,
    /// `decisive`, and `one of "why" is enough` where it has a group.
    pub standing: String,
    /// What is looked for where, with the numbers.
    pub looks: String,
    pub say: &'a str,
    pub say_absent: Option<&'a str>,
    /// What its absence means, where it could have been seen.
    pub absence: &'static str,
}

/// A parameter, and what the site made of it.
pub struct ParamText<'a> {
    pub name: &'a str,
    pub value: String,
    pub why: &'a str,
}

/// Another signature that this one is tied to.
pub struct Tie<'a> {
    pub what: &'static str,
    pub id: &'a str,
    pub title: &'a str,
}

/// Writes a signature up.
pub fn documentation<'a>(catalog: &'a Catalog, file: &'a SignatureFile) -> Documentation<'a> {
    Documentation {
        file,
        evidence: file.evidence.iter().map(|r| evidence(file, r)).collect(),
        params: file.params.iter().map(|(name, p)| param(name, p)).collect(),
        ties: ties(catalog, file),
        tests: file.test.iter().map(test).collect(),
    }
}

fn evidence<'a>(
    file: &'a SignatureFile,
    rule: &'a crate::catalog::EvidenceRule,
) -> EvidenceText<'a> {
    let mut standing = format!("{:?}", rule.strength).to_lowercase();
    if let Some(group) = &rule.group {
        standing.push_str(&format!("; of the group \"{group}\" one is enough"));
    }
    let absence = match (rule.role, rule.if_absent) {
        (EvidenceRole::Required, _) => "without it there is no match",
        (EvidenceRole::Refutes, _) => "its absence says nothing",
        (_, IfAbsent::Refutes) => "its absence speaks against it",
        (_, IfAbsent::Weakens) => "its absence weakens it",
        (_, IfAbsent::Neutral) => "its absence says nothing",
    };
    EvidenceText {
        id: &rule.id,
        role: rule.role,
        standing,
        looks: looks(file, rule),
        say: &rule.say,
        say_absent: rule.say_absent.as_deref(),
        absence,
    }
}

fn place(on: On) -> &'static str {
    match on {
        On::Subject => "the subject",
        On::Caller => "a caller",
        On::Callee => "a callee",
        On::EdgeIn => "calls to it",
        On::EdgeOut => "calls from it",
        On::Entry => "the services at the entry",
        On::Host => "its host or broker",
        On::Resident => "what runs on it",
        On::Messaging => "what sends it messages or takes them",
        On::Global => "the whole system",
    }
}

/// Test, source and place of a rule, with its threshold and conditions.
fn looks(file: &SignatureFile, rule: &crate::catalog::EvidenceRule) -> String {
    let mut out = format!("{} of {} at {}", rule.test, rule.source, place(rule.on));
    if let Some(test) = matching::test(&rule.test) {
        out.push_str(&format!(": {}", test.what));
        let threshold = match &rule.value {
            Some(Value::Param(name)) => Some(format!("${name}{}", number(file, name))),
            Some(Value::Number(n)) => Some(n.to_string()),
            None if test.meaning == matching::NOT_USED => None,
            None => Some(format!("{} by default", test.default)),
        };
        if let Some(threshold) = threshold {
            out.push_str(&format!(" ({}: {threshold})", test.meaning));
        }
    }
    let conditions = rule.conditions.iter().map(|(key, wanted)| match wanted.split_once('$') {
        Some((_, name)) => format!("{key} {wanted}{}", number(file, name.trim())),
        None => format!("{key} = {wanted}"),
    });
    let conditions: Vec<String> = conditions.collect();
    if !conditions.is_empty() {
        out.push_str(&format!("; where {}", conditions.join(", ")));
    }
    out
}

/// A parameter's value in brackets.
fn number(file: &SignatureFile, name: &str) -> String {
    file.params.get(name).map_or(String::new(), |p| format!(" = {} {}", p.value, p.unit))
}

fn param<'a>(name: &'a str, p: &'a crate::catalog::Param) -> ParamText<'a> {
    let value = match &p.site {
        None => format!("{} {}", p.value, p.unit),
        Some(s) => {
            let why = if s.why.is_empty() { String::new() } else { format!(": {}", s.why) };
            let (value, unit, default, place) = (p.value, &p.unit, s.default, &s.place);
            format!("{value} {unit} at this site instead of {default} ({place}{why})")
        }
    };
    ParamText { name, value, why: &p.why }
}

/// Ties that the file names, and those that other files name.
fn ties<'a>(catalog: &'a Catalog, file: &'a SignatureFile) -> Vec<Tie<'a>> {
    let me = file.signature.id.as_str();
    let title = |id: &str| catalog.find(id).map_or("", |s| s.signature.title.as_str());
    let mut found: Vec<Tie> = Vec::new();
    for r in &file.signature.related {
        let what = match r.kind {
            Relation::Mimics => "looks like",
            Relation::Specialises => "is a more exact form of",
            Relation::FollowsFrom => "follows from",
        };
        found.push(Tie { what, id: &r.id, title: title(&r.id) });
    }
    for other in &catalog.signatures {
        let ties = other.signature.related.iter().filter(|r| r.id == me);
        for r in ties {
            let what = match r.kind {
                Relation::Mimics => "looks like",
                Relation::Specialises => "has the more exact form",
                Relation::FollowsFrom => "brings about",
            };
            let (id, title) = (other.signature.id.as_str(), other.signature.title.as_str());
            if !found.iter().any(|t| t.id == id && t.what == what) {
                found.push(Tie { what, id, title });
            }
        }
    }
    found
}

fn test(t: &crate::catalog::TestCase) -> String {
    let expect = match t.expect {
        Expect::Match => "must match",
        Expect::NoMatch => "must not match",
        Expect::Skipped => "cannot run",
    };
    let on = t.entity.as_ref().map(|e| format!(" on {e}")).unwrap_or_default();
    let rank = t.rank.map(|r| format!(", rank {r}")).unwrap_or_default();
    format!("{expect}{on}{rank}: {} ({})", t.name, t.fixture)
}
