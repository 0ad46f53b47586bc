//! Every signature on every possible subject: evidence, its worth, and whether enough is there.

use super::{Context, Finding, Matches, Observation, Question, Rejection, Seen, Undecided};
use super::{fill, nats, near, test};
use crate::catalog::{Catalog, EvidenceRule, IfAbsent, On, SignatureFile};
use crate::diagnosis::{EvidenceRole, EvidenceState, Strength};
use crate::model::{EntityId, Subject};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Pairs of signature and subject that are looked at together: enough for all threads, and few
/// enough that what comes of them takes no memory to speak of.
const TOGETHER: usize = 1 << 14;

/// Evaluates the whole catalogue.
pub fn evaluate(context: &Context, catalog: &Catalog) -> Matches {
    let graph = &context.telemetry.graph;
    let mut work: Vec<(usize, Option<EntityId>)> = Vec::new();
    let mut gathered = Gathered::default();
    for (i, s) in catalog.signatures.iter().enumerate() {
        let missing = missing(context, s);
        if !missing.is_empty() {
            gathered.matches.skipped.insert(i, missing);
            continue;
        }
        if s.signature.subject.is_empty() {
            work.push((i, None));
            continue;
        }
        // A lone instance only repeats its service.
        let part = |e: &EntityId| graph.owner(*e) != *e;
        let fits = |e: &EntityId| {
            s.signature.subject.contains(&graph.entity(*e).kind)
                && (!part(e) || !context.series_of(Subject::Entity(*e)).is_empty())
        };
        for e in graph.ids().filter(fits) {
            work.push((i, Some(e)));
            if work.len() == TOGETHER {
                gathered.look(context, catalog, &work);
                work.clear();
            }
        }
    }
    gathered.look(context, catalog, &work);
    gathered.finish()
}

/// What came of the pairs that were looked at so far.
#[derive(Default)]
struct Gathered {
    matches: Matches,
    /// Signatures that ran on some subject.
    ran: BTreeSet<usize>,
    /// What a signature could not see on some subject.
    unseen: BTreeMap<usize, BTreeSet<String>>,
}

impl Gathered {
    fn look(&mut self, context: &Context, catalog: &Catalog, work: &[(usize, Option<EntityId>)]) {
        let outcomes: Vec<Outcome> =
            work.par_iter().map(|(i, e)| one(context, &catalog.signatures[*i], *i, *e)).collect();
        for outcome in outcomes {
            match outcome {
                Outcome::Found(f) => {
                    self.ran.insert(f.signature);
                    self.matches.findings.push(f);
                }
                Outcome::Rejected(r) => {
                    self.ran.insert(r.signature);
                    self.matches.rejections.push(r);
                }
                Outcome::Unobservable(signature, subject, Unseen { rule, open, told }) => {
                    let all = self.unseen.entry(signature).or_default();
                    if !all.contains(&rule.source) {
                        all.insert(rule.source.clone());
                    }
                    if open {
                        let lacks = rule.source.clone();
                        let undecided = Undecided { signature, subject, lacks, told };
                        self.matches.undecided.push(undecided);
                    }
                }
            }
        }
    }

    fn finish(mut self) -> Matches {
        for (i, what) in self.unseen.into_iter().filter(|(i, _)| !self.ran.contains(i)) {
            self.matches.skipped.insert(i, what);
        }
        self.matches
    }
}

enum Outcome<'a> {
    Found(Finding),
    Rejected(Rejection),
    /// A signature on a subject. There may be millions: it owns nothing.
    Unobservable(usize, Option<EntityId>, Unseen<'a>),
}

/// What every signature misses where neither metrics nor traces nor sessions were read.
const NOTHING_MEASURED: &str = "measurements";

/// Inputs that a signature needs and that nobody gave.
fn missing(context: &Context, s: &SignatureFile) -> BTreeSet<String> {
    if context.telemetry.extent.is_none() {
        return BTreeSet::from([NOTHING_MEASURED.to_owned()]);
    }
    let there = |name: &String| match name.as_str() {
        "pg.sessions" => !context.telemetry.sessions.is_empty(),
        "pg.blocking" => {
            let told = || context.telemetry.sessions.iter().any(|(_, s)| s.blocked_by.is_some());
            !context.features.blockers.is_empty() || told()
        }
        "pg.log" => !context.telemetry.log_times.is_empty(),
        "traces" => context.telemetry.trace_file.is_some(),
        "events" => !context.telemetry.events.is_empty(),
        "graph" => context.telemetry.graph.edges().next().is_some(),
        other => !context.of_source(other).subjects.is_empty(),
    };
    let mut missing: BTreeSet<String> =
        s.requires.all.iter().filter(|n| !there(n)).cloned().collect();
    if !s.requires.any.is_empty() && !s.requires.any.iter().any(there) {
        missing.insert(s.requires.any.join(" or "));
    }
    missing
}

/// Why a signature cannot be judged on a subject.
struct Unseen<'a> {
    /// The first required rule that could not be looked for.
    rule: &'a EvidenceRule,
    /// Some required evidence is there and none is absent: it may hold all the same.
    open: bool,
    /// The strongest of what is there.
    told: Option<Strength>,
}

/// What the tests of the required rules saw, up to the first that is absent.
///
/// # Errors
///
/// When a required rule before that could not be looked for.
fn decisive<'a>(
    ask: &impl Fn(&EvidenceRule) -> Option<Observation>,
    s: &'a SignatureFile,
) -> Result<BTreeMap<usize, Observation>, Unseen<'a>> {
    let mut known = BTreeMap::new();
    let mut missing = None;
    let required = |r: &EvidenceRule| r.role == EvidenceRole::Required;
    let rules = s.evidence.iter().enumerate().filter(|(_, r)| required(r));
    for (i, rule) in rules.clone().filter(|(_, r)| r.group.is_none()) {
        let Some(observation) = ask(rule) else { continue };
        match (observation.state, missing) {
            (EvidenceState::Absent, Some(rule)) => {
                return Err(Unseen { rule, open: false, told: None });
            }
            (EvidenceState::Unobservable, None) => missing = Some(rule),
            _ => {}
        }
        let absent = observation.state == EvidenceState::Absent;
        known.insert(i, observation);
        if absent {
            return Ok(known);
        }
    }
    let Some(rule) = missing else { return Ok(known) };
    let there = known.iter().filter(|(_, o)| o.state == EvidenceState::Present);
    let mut told = there.map(|(i, _)| s.evidence[*i].strength).max();
    // A group is absent where one of its rules is and none is present.
    let mut absent: BTreeMap<&str, bool> = BTreeMap::new();
    for (rule, group) in rules.filter_map(|(_, r)| Some((r, r.group.as_deref()?))) {
        match ask(rule).map(|o| o.state) {
            Some(EvidenceState::Present) => {
                told = told.max(Some(rule.strength));
                absent.insert(group, false);
            }
            Some(EvidenceState::Absent) => {
                absent.entry(group).or_insert(true);
            }
            _ => {}
        }
    }
    Err(Unseen { rule, open: told.is_some() && !absent.values().any(|a| *a), told })
}

fn one<'a>(
    context: &Context,
    s: &'a SignatureFile,
    index: usize,
    subject: Option<EntityId>,
) -> Outcome<'a> {
    let ask = |rule: &EvidenceRule| {
        let test = test(&rule.test)?;
        let value = rule.value.as_ref().map_or(test.default, |v| s.number(v));
        Some((test.run)(&Question { context, subject, rule, value, signature: s }))
    };
    // Most subjects lack what most signatures need: nothing more is asked of those.
    let mut known = match decisive(&ask, s) {
        Ok(known) => known,
        Err(unseen) => return Outcome::Unobservable(index, subject, unseen),
    };
    let subject_name = subject.map_or("the system", |e| context.name(e)).to_owned();
    let mut seen = Vec::new();
    let mut facts = BTreeMap::from([("subject".to_owned(), subject_name)]);
    // By place in `seen`: what fails the signature, and what speaks for each group of rules.
    let mut groups: BTreeMap<&str, usize> = BTreeMap::new();
    let mut failed: Option<usize> = None;
    let mut present = 0;
    for (i, rule) in s.evidence.iter().enumerate() {
        let Some(observation) = known.remove(&i).or_else(|| ask(rule)) else { continue };
        let state = observation.state;
        let required = rule.role == EvidenceRole::Required && rule.group.is_none();
        if state == EvidenceState::Present || required {
            for (k, v) in &observation.facts {
                facts.entry(k.clone()).or_insert_with(|| v.clone());
            }
        }
        let mut all = facts.clone();
        all.extend(observation.facts.clone());
        let said = words(rule, state, &all);
        present +=
            usize::from(rule.role == EvidenceRole::Required && state == EvidenceState::Present);
        let place = seen.len();
        seen.push(Seen { rule: i, nats: worth(rule, state), observation, said });
        match &rule.group {
            _ if rule.role != EvidenceRole::Required => {}
            None if state != EvidenceState::Present => failed = failed.or(Some(place)),
            None => {}
            Some(g) => {
                let slot = groups.entry(g).or_insert(place);
                let weaker = seen[*slot].observation.state == EvidenceState::Unobservable;
                if weaker || state == EvidenceState::Present {
                    *slot = place;
                }
            }
        }
    }
    let state = |place: usize| seen[place].observation.state;
    let refuted = groups.values().any(|g| state(*g) == EvidenceState::Absent);
    let failed =
        failed.or_else(|| groups.into_values().find(|g| state(*g) != EvidenceState::Present));
    match failed {
        Some(place) if state(place) == EvidenceState::Unobservable => {
            let (rule, told) = (&s.evidence[seen[place].rule], strongest(s, &seen));
            let open = told.is_some() && !refuted;
            Outcome::Unobservable(index, subject, Unseen { rule, open, told })
        }
        Some(place) => {
            let reason = seen[place].said.clone();
            let near = near::nearly(context, s, &seen).filter(|_| present > 0);
            let r = Rejection { signature: index, subject, reason, present, near, seen, facts };
            Outcome::Rejected(r)
        }
        None => {
            let nats = sum(&seen, s);
            Outcome::Found(Finding { signature: index, subject, seen, facts, nats })
        }
    }
}

/// What a rule says of what was seen, with the facts filled in.
fn words(rule: &EvidenceRule, state: EvidenceState, facts: &BTreeMap<String, String>) -> String {
    match (state, &rule.say_absent) {
        (EvidenceState::Unobservable, _) => format!("not observable: {}", rule.source),
        (EvidenceState::Absent, Some(template)) => fill(template, facts),
        (EvidenceState::Absent, None) => format!("not so: {}", fill(&rule.say, facts)),
        (EvidenceState::Present, _) => fill(&rule.say, facts),
    }
}

/// The strongest required evidence that is there.
fn strongest(s: &SignatureFile, seen: &[Seen]) -> Option<Strength> {
    let there = seen.iter().filter(|x| x.observation.state == EvidenceState::Present);
    let required = there.map(|x| &s.evidence[x.rule]).filter(|r| r.role == EvidenceRole::Required);
    required.map(|r| r.strength).max()
}

/// What a piece of evidence adds in its state, nats.
fn worth(rule: &EvidenceRule, state: EvidenceState) -> f64 {
    let full = nats(rule.strength);
    match (state, rule.role) {
        (EvidenceState::Unobservable, _) => 0.0,
        (EvidenceState::Present, EvidenceRole::Refutes) => -full,
        (EvidenceState::Present, _) => full,
        (EvidenceState::Absent, EvidenceRole::Refutes) => 0.0,
        (EvidenceState::Absent, _) => match rule.if_absent {
            IfAbsent::Refutes => -full,
            IfAbsent::Weakens => -full / 2.0,
            IfAbsent::Neutral => 0.0,
        },
    }
}

/// Adds evidence up; further pieces from the same neighbour and source count half each time.
fn sum(seen: &[Seen], s: &SignatureFile) -> f64 {
    let mut used: BTreeMap<(On, &str), u32> = BTreeMap::new();
    let mut total = 0.0;
    for one in seen.iter().filter(|o| o.nats != 0.0) {
        let rule = &s.evidence[one.rule];
        let times = used.entry((rule.on, rule.source.as_str())).or_default();
        total += one.nats / f64::from(1u32 << (*times).min(8));
        *times += 1;
    }
    total
}
