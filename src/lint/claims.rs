//! Rules about what a signature says to people: nothing is left to be filled in, the runbook is
//! whole, checks only read, and the headline claims nothing that no evidence looks at.

use super::{Finding, World, error, warning};
use crate::catalog::scaffold::UNFILLED;
use crate::catalog::{Category, Relation, SignatureFile};
use crate::diagnosis::ActionKind;
use std::collections::BTreeSet;

/// Every text of a signature with the field it stands in.
fn texts(s: &SignatureFile) -> Vec<(String, &str)> {
    let mut all: Vec<(String, &str)> = vec![
        ("title".to_owned(), &s.signature.title),
        ("headline".to_owned(), &s.text.headline),
        ("mechanism".to_owned(), &s.text.mechanism),
        ("impact".to_owned(), &s.text.impact),
    ];
    let lists = [
        ("false_positives", &s.text.false_positives),
        ("detection", &s.text.detection),
        ("post_incident", &s.text.post_incident),
        ("security", &s.text.security),
    ];
    for (name, list) in lists {
        all.extend(list.iter().map(|t| (name.to_owned(), t.as_str())));
    }
    all.extend(s.params.iter().map(|(n, p)| (format!("why of \"{n}\""), p.why.as_str())));
    for e in &s.evidence {
        all.push((format!("say of \"{}\"", e.id), &e.say));
        let absent = e.say_absent.as_deref();
        all.extend(absent.map(|t| (format!("say_absent of \"{}\"", e.id), t)));
    }
    for m in &s.mitigation {
        let texts = [Some(&m.say), m.command.as_ref(), m.on.as_ref(), m.effect.as_ref()];
        let field = format!("mitigation \"{}\"", m.kind.word());
        all.extend(texts.into_iter().flatten().map(|t| (field.clone(), t.as_str())));
    }
    for d in &s.discriminator {
        let texts = [&d.question, &d.this, &d.other, &d.cost];
        let texts = texts.into_iter().chain(&d.command);
        all.extend(texts.map(|t| (format!("discriminator against {}", d.against), t.as_str())));
    }
    all.extend(s.test.iter().map(|t| (format!("name of the test on {}", t.fixture), &*t.name)));
    all
}

pub(super) fn all_is_filled_in(s: &SignatureFile, _: &World) -> Vec<Finding> {
    let left = texts(s).into_iter().filter(|(_, t)| t.contains(UNFILLED));
    let fields: BTreeSet<String> = left.map(|(field, _)| field).collect();
    fields.into_iter().map(|f| error(format!("{f} is still to be filled in"))).collect()
}

pub(super) fn runbook_is_whole(s: &SignatureFile, _: &World) -> Vec<Finding> {
    if s.signature.category == Category::Normal {
        return Vec::new();
    }
    let has = |kind| s.mitigation.iter().any(|m| m.kind == kind);
    let parts = [
        (s.text.detection.is_empty(), "what to alert on (detection)"),
        (!has(ActionKind::Now), "an immediate action (mitigation \"now\")"),
        (!has(ActionKind::Recover), "a recovery step (mitigation \"recover\")"),
        (!has(ActionKind::Prevent), "a lasting remedy (mitigation \"prevent\")"),
        (s.text.post_incident.is_empty(), "questions for the review (post_incident)"),
    ];
    let lacking = parts.into_iter().filter(|(lacks, _)| *lacks);
    lacking.map(|(_, what)| error(format!("the runbook lacks {what}"))).collect()
}

/// Words of a text in lower case.
fn words(text: &str) -> Vec<String> {
    let parts = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    parts.filter(|w| !w.is_empty()).map(str::to_lowercase).collect()
}

/// What lets somebody in who should stay outside, or skips a check, when it fails.
const SECURITY: &str = "fallback certificate credential credentials password token authorisation";

pub(super) fn security_is_considered(s: &SignatureFile, _: &World) -> Vec<Finding> {
    let about = [&s.signature.title, &s.text.mechanism, &s.text.headline];
    let said: BTreeSet<String> = about.into_iter().flat_map(|t| words(t)).collect();
    let named = SECURITY.split(' ').find(|w| said.contains(*w));
    match named.filter(|_| s.text.security.is_empty()) {
        Some(word) => vec![warning(format!("it is about a {word} and has no security check"))],
        None => Vec::new(),
    }
}

/// First words of statements and commands that change something.
const CHANGES: &str = "alter create delete drop insert kill reboot reindex restart rm stop truncate \
    update vacuum flushall flushdb config_set";
/// Second words of tools that can both look and change.
const CHANGES_BY_TOOL: &str = "annotate apply cordon delete drain edit flushall flushdb patch purge \
    restart scale set stop taint";
/// Third words of a rollout that change something; its status and history only tell.
const ROLLOUT: &str = "pause restart resume undo";
/// Tools that can both look and change.
const TOOLS: &str = "docker kubectl rabbitmqctl redis systemctl";
/// Functions that change something wherever they stand.
const FUNCTIONS: &str = "pg_cancel_backend pg_terminate_backend pg_reload_conf";

fn changes(command: &str) -> bool {
    let is = |list: &str, word: &str| list.split(' ').any(|w| w == word);
    command.split([';', '|', '&', '\n']).any(|statement| {
        let words = words(statement);
        let mut own = words.iter().skip_while(|w| *w == "sudo");
        let (first, second, third) = (own.next(), own.next(), own.next());
        let of = |w: Option<&String>, list| w.is_some_and(|w| is(list, w));
        of(first, CHANGES)
            || (of(first, TOOLS) && of(second, CHANGES_BY_TOOL))
            || (of(second, "rollout") && of(third, ROLLOUT))
            || words.iter().any(|w| is(FUNCTIONS, w))
    })
}

pub(super) fn checks_only_read(s: &SignatureFile, _: &World) -> Vec<Finding> {
    let with = s.discriminator.iter().filter(|d| d.command.as_deref().is_some_and(changes));
    with.map(|d| {
        error(format!("the command against \"{}\" changes something: checks only read", d.against))
    })
    .collect()
}

pub(super) fn specialises_no_circle(s: &SignatureFile, world: &World) -> Vec<Finding> {
    let me = s.signature.id.as_str();
    let forms = |id: &str| -> Vec<&str> {
        let own = world.catalog.signatures.iter().find(|o| o.signature.id == id);
        let related = own.map_or(&[][..], |o| &o.signature.related);
        let kept = related.iter().filter(|r| r.kind == Relation::Specialises);
        kept.map(|r| r.id.as_str()).collect()
    };
    let (mut seen, mut next) = (BTreeSet::new(), forms(me));
    while let Some(id) = next.pop() {
        if id == me {
            return vec![error("it specialises itself, by a circle: both would be dropped".into())];
        }
        if seen.insert(id) {
            next.extend(forms(id));
        }
    }
    Vec::new()
}

/// Words of a claim, and parts of sources, roles or tests of which one has to look at it.
const CLAIMS: [(&str, &str); 12] = [
    ("cpu", "cpu throttle"),
    ("memory heap", "memory heap gc"),
    ("disk", "disk io wal"),
    ("lock locks", "lock blocking"),
    ("pool", "pool"),
    ("deploy rollout release", "event version"),
    ("dns", "dns lookup"),
    ("certificate", "cert tls expir"),
    ("queue backlog", "queue lag pending wait"),
    ("retry retries retrying", "amplif retr attempt"),
    ("traffic surge", "traffic load"),
    ("cache", "cache hit miss"),
];

pub(super) fn claims_are_looked_at(s: &SignatureFile, world: &World) -> Vec<Finding> {
    let looked: Vec<String> = s
        .evidence
        .iter()
        .map(|r| {
            let signal = world.signals.named(&r.source).map(|id| world.signals.get(id));
            let role = signal.map_or("", |x| x.role.as_str());
            format!("{} {} {role}", r.source, r.test).to_lowercase()
        })
        .collect();
    let said: BTreeSet<String> =
        [&s.signature.title, &s.text.headline].into_iter().flat_map(|t| words(t)).collect();
    let mut found = Vec::new();
    for (claim, sources) in CLAIMS {
        let Some(word) = claim.split(' ').find(|w| said.contains(*w)) else { continue };
        let looks = sources.split(' ').any(|part| looked.iter().any(|l| l.contains(part)));
        if !looks {
            found.push(warning(format!("it speaks of \"{word}\", and no evidence looks at that")));
        }
    }
    found
}
