//! Findings to a ranking. In: matches, anomalies, graph. Out: hypotheses, best first: signatures
//! on entities, and entities whose behaviour no signature explains, in one list.
//!
//! The score of a hypothesis is a sum of named terms in nats (natural-log units): what the entity's
//! own abnormality and place in the graph say, what the signature's evidence says, the prior, the
//! order in time, and the part it plays. A softmax over the scores and "none of these" gives the
//! probability, after calibration.

pub mod anomaly;
pub mod answer;
pub mod baselines;
mod calm;
mod chain;
mod conclude;
mod doubts;
pub mod explain_away;
mod load;
mod order;
mod pages;
mod sessions_view;
mod shared;
mod suppress;
mod verdict;
pub mod why_not;

pub use conclude::missing_inputs;

use crate::catalog::{Catalog, Category, Prior, Relation, Signature};
use crate::diagnosis::{EvidenceState, Role, Term};
use crate::features::onset::Onset;
use crate::graph::{EdgeKind, Graph};
use crate::matching::{Context, Finding, Matches};
use crate::model::{EntityId, EntityKind};
use anomaly::Anomaly;
use explain_away::Blame;
use std::collections::{BTreeMap, BTreeSet};
use suppress::Held;

/// How much a nat of a signature's evidence counts: evidence of one incident is correlated.
const EVIDENCE_WEIGHT: f64 = 0.5;
/// The same for "it is slow" and "it fails": most of their evidence is the abnormality itself,
/// which counts already.
const GENERIC_WEIGHT: f64 = 0.2;
/// The same for victims and amplifiers: that the pattern is there does not say that it began it.
const FOLLOWER_WEIGHT: f64 = 0.2;
/// Score of "none of these".
const NONE_SCORE: f64 = -0.5;
/// Score of an unclassified entity besides its blame: a known pattern explains more.
const UNCLASSIFIED: f64 = -0.25;
/// What a victim, amplifier or description of the spread loses as a root cause while there is a
/// cause that it can follow from, and without one.
const FOLLOWS: f64 = -2.5;
const ALONE: f64 = -0.75;
/// What "it is slow" or "it fails" loses where the reason is known.
const GENERIC: f64 = -1.5;
/// What a slow way loses if the caller that sees it is itself short of processor or memory.
const STARVED_CALLER: f64 = -3.0;
/// What an amplifier loses whose own calls make up the callee's growth in load.
const SUSTAINS: f64 = -0.25;
/// What a vague candidate loses where nothing is disturbed.
const CALM: f64 = -2.5;
/// Abnormality of what stands behind the callee from which it is in trouble by itself.
const TROUBLE_BEHIND: f64 = 1.0;
/// Growth of a callee's load from which an amplifier can keep it overloaded.
const SUSTAINED_LOAD: f64 = 1.4;

/// One candidate explanation before it is written up.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Index into the findings; `None` for an unclassified entity.
    pub finding: Option<usize>,
    pub entity: Option<EntityId>,
    pub role: Role,
    pub terms: Vec<Term>,
    pub score: f64,
    pub probability: f64,
    pub onset: Option<Onset>,
}

/// Everything the ranking found out.
pub struct Ranking {
    pub anomalies: BTreeMap<EntityId, Anomaly>,
    pub blames: BTreeMap<EntityId, Blame>,
    /// Best first.
    pub candidates: Vec<Candidate>,
    /// Known to the site and accepted, best first.
    pub suppressed: Vec<Held>,
    pub symptom: Option<EntityId>,
}

/// A part of the method that can be left out, to measure what it is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Who calls whom.
    Graph,
    /// All signatures but the null hypotheses.
    Signatures,
    /// Who left the usual level first.
    Order,
    /// The temperature of the softmax, without which its probabilities claim too little.
    Calibration,
}

/// Every part, by the name it has on the command line.
pub const PARTS: &[(&str, Part)] = &[
    ("graph", Part::Graph),
    ("signatures", Part::Signatures),
    ("order", Part::Order),
    ("calibration", Part::Calibration),
];

/// How to rank; the default is the whole method.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Rank by a simple published score instead, by its name in [`baselines::BASELINES`].
    pub baseline: Option<&'static str>,
    /// Parts that are left out.
    pub without: Vec<Part>,
    /// Seconds by which the begin of the incident is moved.
    pub misplaced_s: i64,
}

impl Settings {
    /// Says whether a part is left out.
    pub fn is_without(&self, part: Part) -> bool {
        self.without.contains(&part)
    }
}

/// Says whether a finding is that nothing is wrong.
pub fn is_null(catalog: &Catalog, finding: &Finding) -> bool {
    catalog.signatures[finding.signature].signature.category == Category::Normal
}

/// Ranks everything.
pub fn rank(
    context: &Context,
    catalog: &Catalog,
    matches: &Matches,
    settings: &Settings,
) -> Ranking {
    let graph = &context.telemetry.graph;
    let anomalies = anomaly::measure(context);
    let named = context.telemetry.incident.symptom_entity.as_deref();
    let symptom = named.and_then(|n| graph.find(n));
    let blames = explain_away::assign(context, &anomalies, symptom);
    if let Some(simple) = settings.baseline.and_then(baselines::baseline) {
        let candidates = by_baseline(context, &anomalies, simple);
        let suppressed = Vec::new();
        return Ranking { anomalies, blames, candidates, suppressed, symptom };
    }
    let mut candidates = Vec::new();
    let findings: Vec<&Finding> = specific(graph, catalog, &matches.findings);
    let known = Known::new(catalog, &findings);
    let scale = Scale { context, catalog, blames: &blames, anomalies: &anomalies, known };
    for finding in &findings {
        let at = matches.findings.iter().position(|f| std::ptr::eq(f, *finding));
        candidates.push(of_finding(&scale, finding, at));
    }
    let classified: BTreeSet<EntityId> = findings.iter().filter_map(|f| f.subject).collect();
    for (id, blame) in &blames {
        if classified.contains(id) && scale.known.causes.contains(id) {
            continue;
        }
        candidates.push(unclassified(*id, blame, &anomalies));
    }
    if !context.features.windows.disturbed {
        calm(catalog, matches, &mut candidates);
    }
    if !settings.is_without(Part::Order) {
        order::order_in_time(&mut candidates);
    }
    for c in &mut candidates {
        c.score = c.terms.iter().map(|t| t.nats).sum();
    }
    candidates.sort_by(|a, b| {
        b.score.total_cmp(&a.score).then(a.entity.cmp(&b.entity)).then(a.finding.cmp(&b.finding))
    });
    let sharpness = if settings.is_without(Part::Calibration) { 1.0 } else { SHARPNESS };
    calibrate(&mut candidates, sharpness);
    let suppressed = suppress::take_out(context, catalog, matches, &mut candidates);
    if !suppressed.is_empty() {
        calibrate(&mut candidates, sharpness);
    }
    Ranking { anomalies, blames, candidates, suppressed, symptom }
}

/// Entities by one simple score; its share of the sum stands for the probability.
fn by_baseline(
    context: &Context,
    anomalies: &BTreeMap<EntityId, Anomaly>,
    simple: &baselines::Baseline,
) -> Vec<Candidate> {
    let scores = simple.scores(context);
    let total: f64 = scores.values().sum::<f64>().max(f64::MIN_POSITIVE);
    let mut out: Vec<Candidate> = scores
        .iter()
        .filter(|(_, s)| **s > 0.0)
        .map(|(id, score)| Candidate {
            finding: None,
            entity: Some(*id),
            role: Role::Cause,
            terms: vec![term(simple.name, *score, simple.what)],
            score: *score,
            probability: score / total,
            onset: anomalies.get(id).and_then(|a| a.onset),
        })
        .collect();
    out.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.entity.cmp(&b.entity)));
    out
}

/// Entities on which something matched, by how much the match says.
struct Known {
    /// Anything that can be a cause.
    causes: BTreeSet<EntityId>,
    /// Causes that say why. That a dependency is slow or fails says only where: an amplifier may
    /// keep it so.
    exact: BTreeSet<EntityId>,
    /// Any pattern but that, also of victims and amplifiers.
    patterns: BTreeSet<EntityId>,
}

impl Known {
    fn new(catalog: &Catalog, findings: &[&Finding]) -> Known {
        let about = |f: &&&Finding| &catalog.signatures[f.signature].signature;
        let of = |keep: &dyn Fn(Role, Category) -> bool| {
            let kept = findings.iter().filter(|f| keep(about(f).role, about(f).category));
            kept.filter_map(|f| f.subject).collect()
        };
        let generic = Category::Dependency;
        Known {
            causes: of(&|role, _| role == Role::Cause),
            exact: of(&|role, category| role == Role::Cause && category != generic),
            patterns: of(&|role, category| role != Role::Contributing && category != generic),
        }
    }
}

/// Drops a generic signature where its specialised form matched on the same subject, or on the
/// host that the subject runs on.
fn specific<'a>(graph: &Graph, catalog: &Catalog, findings: &'a [Finding]) -> Vec<&'a Finding> {
    let id = |f: &Finding| catalog.signatures[f.signature].signature.id.as_str();
    let runs = graph.edges().filter(|e| e.2 == EdgeKind::RunsOn);
    let runs: BTreeSet<(EntityId, EntityId)> = runs.map(|(e, host, _)| (e, host)).collect();
    let same = |g: &Finding, f: &Finding| {
        let on_it = |(e, host)| runs.contains(&(graph.owner(e), host));
        g.subject == f.subject || f.subject.zip(g.subject).is_some_and(on_it)
    };
    let beside = |g: &Finding, f: &Finding| same(g, f) || load::sends(graph, catalog, g, f);
    let beaten = |f: &Finding| {
        findings.iter().filter(|g| beside(g, f) && g.signature != f.signature).any(|g| {
            let related = &catalog.signatures[g.signature].signature.related;
            related.iter().any(|r| r.kind == Relation::Specialises && r.id == id(f))
        })
    };
    findings.iter().filter(|f| !beaten(f)).collect()
}

fn term(name: &str, nats: f64, said: impl Into<String>) -> Term {
    Term { name: name.to_owned(), nats, said: said.into() }
}

fn blame_terms(blame: Option<&Blame>) -> Vec<Term> {
    let all = blame.map(|b| b.terms.as_slice()).unwrap_or_default();
    all.iter().map(|(name, nats, said)| term(name, *nats, said.clone())).collect()
}

/// Where nothing is disturbed, the two halves of a recording still differ by chance: only an exact
/// pattern is worth a claim.
fn calm(catalog: &Catalog, matches: &Matches, candidates: &mut [Candidate]) {
    for c in candidates {
        let signature = c.finding.map(|f| &catalog.signatures[matches.findings[f].signature]);
        let vague = signature.is_none_or(|s| s.signature.category == Category::Dependency);
        if vague {
            c.terms.push(term("nothing is disturbed", CALM, "no signal left its usual level"));
        }
    }
}

/// What all candidates are scored with.
struct Scale<'a> {
    context: &'a Context<'a>,
    catalog: &'a Catalog,
    blames: &'a BTreeMap<EntityId, Blame>,
    anomalies: &'a BTreeMap<EntityId, Anomaly>,
    known: Known,
}

fn of_finding(scale: &Scale, finding: &Finding, at: Option<usize>) -> Candidate {
    let Scale { context, blames, .. } = scale;
    let s = &scale.catalog.signatures[finding.signature].signature;
    // An instance or partition stands in the graph through its owner.
    let owner = finding.subject.map(|e| context.telemetry.graph.owner(e));
    let blame = finding.subject.and_then(|e| blames.get(&e)).or(owner.and_then(|e| blames.get(&e)));
    let blame = finding.subject.and_then(|e| load::blame(scale, s, e)).or(blame);
    let shared = (s.category != Category::Normal).then_some(finding.subject);
    let shared = shared.and_then(|e| explain_away::behind_many(context, blames, e));
    let mut terms = match shared {
        Some(all) => all.into_iter().map(|(name, nats, said)| term(name, nats, said)).collect(),
        None => blame_terms(blame),
    };
    let follower = matches!(s.role, Role::Victim | Role::Amplifier | Role::Contributing)
        && s.category != Category::Normal;
    let sustains = s.role == Role::Amplifier && loads_callee(scale, finding);
    terms.extend(evidence_terms(s, finding, follower && !sustains));
    let parts = |e: &EntityId| owner.is_some() && Some(context.telemetry.graph.owner(*e)) == owner;
    if s.category == Category::Dependency && scale.known.patterns.iter().any(parts) {
        let said = "a more exact pattern matches on it or on a part of it".to_owned();
        terms.push(term("generic", GENERIC, said));
    }
    let starved = owner.filter(|_| s.category == Category::Network);
    let starved = starved.and_then(|e| explain_away::starved_caller(context, scale.anomalies, e));
    if let Some(caller) = starved {
        let said = format!(
            "its caller {} is short of a resource and reads answers late",
            context.name(caller)
        );
        terms.push(term("seen by a starved caller", STARVED_CALLER, said));
    }
    if follower {
        terms.push(part_played(scale, s.role, finding, sustains));
    }
    let facts = finding.seen.iter().filter(|x| x.observation.series.is_none());
    let exact = facts.filter_map(|x| x.observation.span).map(|(from, _)| from).min();
    let exact = exact.map(|at| Onset { at, earliest: at });
    let known = || owner.and_then(|e| scale.anomalies.get(&e)).and_then(|a| a.onset);
    let onset = exact.or_else(known);
    let (entity, role) = (finding.subject, s.role);
    Candidate { finding: at, entity, role, terms, score: 0.0, probability: 0.0, onset }
}

/// The evidence, by what it can say, and the prior.
fn evidence_terms(s: &Signature, finding: &Finding, follows: bool) -> [Term; 2] {
    let present = finding.seen.iter().filter(|x| x.nats > 0.0).count();
    let against = finding.seen.iter().filter(|x| x.nats < 0.0).count();
    let said = format!(
        "{present} pieces for, {against} against, worth {:.1} nats before discount",
        finding.nats
    );
    let weight = match s.category {
        Category::Dependency => GENERIC_WEIGHT,
        _ if follows => FOLLOWER_WEIGHT,
        _ => EVIDENCE_WEIGHT,
    };
    let prior = match s.prior {
        Prior::Common => 0.0,
        Prior::Usual => -0.4,
        Prior::Rare => -1.0,
    };
    let rarity = format!("the failure mode is {:?} as a cause", s.prior).to_lowercase();
    [term("evidence", weight * finding.nats, said), term("prior", prior, rarity)]
}

/// What a victim, an amplifier or a description of the spread loses as a root cause.
fn part_played(scale: &Scale, role: Role, finding: &Finding, sustains: bool) -> Term {
    let Scale { context, known, .. } = scale;
    let upstream = finding.subject.and_then(|e| {
        let reach = context.telemetry.graph.reach(e);
        let all = if sustains { &known.exact } else { &known.causes };
        let itself = role == Role::Contributing;
        all.iter().find(|c| reach.contains_key(c) || itself && **c == e)
    });
    let (nats, said) = match upstream.map(|c| context.name(*c)) {
        Some(c) if role == Role::Contributing => {
            (FOLLOWS, format!("it says how trouble spreads from {c}"))
        }
        Some(c) => (FOLLOWS, format!("it follows from the trouble of {c}")),
        None if sustains => (SUSTAINS, "its own extra calls keep the callee overloaded".to_owned()),
        None => (ALONE, "it needs a cause, and none is seen behind it".to_owned()),
    };
    term("part it plays", nats, said)
}

/// Says whether a callee of the amplifier gets clearly more requests than before, and nothing
/// behind that callee is in trouble by itself: then the extra calls may be all that is wrong.
fn loads_callee(scale: &Scale, finding: &Finding) -> bool {
    let Scale { context, blames, anomalies, .. } = scale;
    // Only the callee at which the extra calls were seen.
    let present = finding.seen.iter().filter(|s| s.observation.state == EvidenceState::Present);
    let seen: BTreeSet<EntityId> = present.filter_map(|s| s.observation.seen_at).collect();
    let callees = finding.subject.map(|e| context.telemetry.graph.callees(e)).unwrap_or_default();
    let callees: Vec<EntityId> = callees.iter().copied().filter(|c| seen.contains(c)).collect();
    let alone = |c: &EntityId| {
        blames.get(c).and_then(|b| b.explained_by).is_none_or(|(_, by)| by < TROUBLE_BEHIND)
    };
    callees.iter().filter(|c| alone(c)).any(|c| {
        anomalies.get(c).and_then(|a| a.traffic_ratio).is_some_and(|r| r >= SUSTAINED_LOAD)
    })
}

fn unclassified(id: EntityId, blame: &Blame, anomalies: &BTreeMap<EntityId, Anomaly>) -> Candidate {
    let mut terms = blame_terms(Some(blame));
    terms.push(term("prior", UNCLASSIFIED, "no signature explains it"));
    let onset = anomalies.get(&id).and_then(|a| a.onset);
    let role = Role::Cause;
    Candidate { finding: None, entity: Some(id), role, terms, score: 0.0, probability: 0.0, onset }
}

/// Softmax over all candidates and "none of these", at a temperature of 1 / `sharpness` (temperature
/// scaling, Guo et al. 2017: one number that changes how sure the ranking is, never the ranking).
fn calibrate(candidates: &mut [Candidate], sharpness: f64) {
    let weight = |score: f64| (sharpness * score).exp();
    let total: f64 = weight(NONE_SCORE) + candidates.iter().map(|c| weight(c.score)).sum::<f64>();
    for c in candidates.iter_mut() {
        c.probability = weight(c.score) / total;
    }
}

/// Sharpness of the softmax.
const SHARPNESS: f64 = 1.2;

/// Says whether an entity is one that people run or call, not a host or a lone instance.
pub fn is_component(kind: EntityKind) -> bool {
    !matches!(kind, EntityKind::Host | EntityKind::Instance)
}
