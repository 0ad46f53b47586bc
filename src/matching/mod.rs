//! Evidence for every signature on every possible subject, three-valued. In: features, rollups,
//! graph, catalogue. Out: findings (matched), rejections with a reason, and what could not run.

mod facts;
mod series;

pub use facts::symptom as facts_symptom;
pub use series::{human, level_facts, target_name};

use crate::catalog::{Catalog, EvidenceRule, IfAbsent, On, SignatureFile};
use crate::diagnosis::{EvidenceRole, EvidenceState, Strength};
use crate::features::Features;
use crate::model::{EntityId, EntityKind, Micros, Subject};
use crate::rollup::Rollups;
use crate::telemetry::Telemetry;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Everything evidence is looked for in.
pub struct Context<'a> {
    pub telemetry: &'a Telemetry,
    pub rollups: &'a Rollups,
    pub features: &'a Features,
    /// Series of each subject, by index.
    pub by_subject: BTreeMap<Subject, Vec<usize>>,
    /// Services that nobody calls.
    pub entries: Vec<EntityId>,
}

impl<'a> Context<'a> {
    /// Indexes what was measured.
    pub fn new(telemetry: &'a Telemetry, rollups: &'a Rollups, features: &'a Features) -> Self {
        let mut by_subject: BTreeMap<Subject, Vec<usize>> = BTreeMap::new();
        for (i, s) in rollups.series.iter().enumerate() {
            by_subject.entry(s.subject).or_default().push(i);
        }
        let graph = &telemetry.graph;
        let has_traffic = |e: &EntityId| {
            let own = by_subject.get(&Subject::Entity(*e)).map_or(&[][..], Vec::as_slice);
            own.iter().any(|i| rollups.series[*i].role == "traffic")
        };
        let entries = graph
            .ids()
            .filter(|e| graph.entity(*e).kind == EntityKind::Service)
            .filter(|e| graph.callers(*e).is_empty() && has_traffic(e))
            .collect();
        Context { telemetry, rollups, features, by_subject, entries }
    }

    /// Series of a subject; empty when it has none.
    pub fn series_of(&self, subject: Subject) -> &[usize] {
        self.by_subject.get(&subject).map_or(&[], Vec::as_slice)
    }

    /// An entity's name.
    pub fn name(&self, id: EntityId) -> &str {
        &self.telemetry.graph.entity(id).name
    }
}

/// What one test saw.
#[derive(Clone, Debug)]
pub struct Observation {
    pub state: EvidenceState,
    /// Values for the templates.
    pub facts: BTreeMap<String, String>,
    /// Index of the series that decided, if one did.
    pub series: Option<usize>,
    /// File and line, when it was no series.
    pub place: Option<(String, Option<u64>)>,
    /// Stretch of time that shows it.
    pub span: Option<(Micros, Micros)>,
    pub inferred: bool,
    /// The neighbour it was seen at, when not at the subject itself.
    pub seen_at: Option<EntityId>,
}

impl Observation {
    fn unobservable() -> Self {
        Observation::of(EvidenceState::Unobservable)
    }

    fn of(state: EvidenceState) -> Self {
        Observation {
            state,
            facts: BTreeMap::new(),
            series: None,
            place: None,
            span: None,
            inferred: false,
            seen_at: None,
        }
    }

    fn fact(mut self, name: &str, value: impl Into<String>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }
}

/// A test of the closed set.
pub struct Test {
    pub name: &'static str,
    pub what: &'static str,
    /// Threshold when a rule gives none, and what it means.
    pub default: f64,
    pub meaning: &'static str,
    /// Facts the test binds, besides `subject`.
    pub binds: &'static [&'static str],
    /// Says whether the source names a signal or role (else a kind of fact).
    pub on_series: bool,
    run: fn(&Context, Option<EntityId>, &EvidenceRule, f64, &SignatureFile) -> Observation,
}

const LEVELS: &[&str] = &["target", "before", "during", "ratio", "at", "signal"];

/// Every test that evidence may use.
pub const TESTS: &[Test] = &[
    Test {
        name: "shift-up",
        what: "the level rose from the baseline",
        default: 1.25,
        meaning: "least ratio to the baseline",
        binds: LEVELS,
        on_series: true,
        run: series::shift_up,
    },
    Test {
        name: "shift-down",
        what: "the level fell from the baseline",
        default: 1.25,
        meaning: "least ratio of the baseline to it",
        binds: LEVELS,
        on_series: true,
        run: series::shift_down,
    },
    Test {
        name: "steady",
        what: "no series of the source moved",
        default: 0.3,
        meaning: "largest relative move",
        binds: LEVELS,
        on_series: true,
        run: series::steady,
    },
    Test {
        name: "level-above",
        what: "the incident's median is at least",
        default: 0.0,
        meaning: "least level, base unit",
        binds: LEVELS,
        on_series: true,
        run: series::level_above,
    },
    Test {
        name: "level-below",
        what: "the incident's median is at most",
        default: 0.0,
        meaning: "largest level, base unit",
        binds: LEVELS,
        on_series: true,
        run: series::level_below,
    },
    Test {
        name: "saturates",
        what: "at its ceiling",
        default: 0.5,
        meaning: "least share of the incident",
        binds: &["target", "share", "ceiling", "before", "during"],
        on_series: true,
        run: series::saturates,
    },
    Test {
        name: "ramp",
        what: "climbs step by step, not at once",
        default: 4.0,
        meaning: "least number of samples on the way up",
        binds: LEVELS,
        on_series: true,
        run: series::ramp,
    },
    Test {
        name: "sawtooth",
        what: "climbs and falls at one rate",
        default: 2.0,
        meaning: "least number of falls",
        binds: &[
            "target", "falls", "period", "slope", "peak", "floor", "teeth", "before", "during",
        ],
        on_series: true,
        run: series::sawtooth,
    },
    Test {
        name: "jumps",
        what: "takes several values, e.g. start times",
        default: 2.0,
        meaning: "least number of changes",
        binds: &["target", "changes"],
        on_series: true,
        run: series::jumps,
    },
    Test {
        name: "skew",
        what: "the subject takes far more than its members' even or earlier share",
        default: 2.0,
        meaning: "least growth of its share",
        binds: &["target", "share", "share_before", "times", "members", "owner"],
        on_series: true,
        run: series::skew,
    },
    Test {
        name: "follows-load",
        what: "scales with the traffic at the entry",
        default: 0.35,
        meaning: "largest relative difference of the two ratios",
        binds: LEVELS,
        on_series: true,
        run: series::follows_load,
    },
    Test {
        name: "amplified",
        what: "calls per inbound request grew on an edge from the subject",
        default: 1.5,
        meaning: "least growth",
        binds: &["target", "before", "during", "ratio", "calls_before", "calls_during"],
        on_series: false,
        run: series::amplified,
    },
    Test {
        name: "blocking",
        what: "a session at the root of a blocking tree",
        default: 0.0,
        meaning: "not used",
        binds: facts::BLOCKING,
        on_series: false,
        run: facts::blocking,
    },
    Test {
        name: "event",
        what: "a change before the incident",
        default: 1800.0,
        meaning: "longest lag, seconds",
        binds: facts::EVENT,
        on_series: false,
        run: facts::event,
    },
    Test {
        name: "onset-after-event",
        what: "a symptom of the subject begins right after the change",
        default: 120.0,
        meaning: "longest lag, seconds",
        binds: facts::EVENT,
        on_series: true,
        run: facts::onset_after_event,
    },
    Test {
        name: "version-split",
        what: "instances of the new version are worse than the old ones",
        default: 2.0,
        meaning: "least ratio",
        binds: &["new", "old", "new_level", "old_level", "signal"],
        on_series: true,
        run: facts::version_split,
    },
    Test {
        name: "dependants",
        what: "callers at several distances have symptoms",
        default: 3.0,
        meaning: "least number of them",
        binds: &["count", "hops", "names"],
        on_series: false,
        run: facts::dependants,
    },
    Test {
        name: "undisturbed",
        what: "nothing leaves its usual level",
        default: 0.0,
        meaning: "not used",
        binds: &[],
        on_series: false,
        run: facts::undisturbed,
    },
];

/// Finds a test by name.
pub fn test(name: &str) -> Option<&'static Test> {
    TESTS.iter().find(|t| t.name == name)
}

/// One rule's evidence in a finding.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Index of the rule in its signature.
    pub rule: usize,
    pub observation: Observation,
    /// What it adds, nats.
    pub nats: f64,
    pub said: String,
}

/// A signature that matched on a subject.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Index of the signature in the catalogue.
    pub signature: usize,
    /// `None` for null hypotheses, which are about the whole.
    pub subject: Option<EntityId>,
    pub seen: Vec<Seen>,
    pub facts: BTreeMap<String, String>,
    /// Sum of the evidence, nats.
    pub nats: f64,
}

/// A signature that was considered on a subject and failed.
#[derive(Clone, Debug)]
pub struct Rejection {
    pub signature: usize,
    pub subject: Option<EntityId>,
    pub reason: String,
    /// The required evidence that was there before it failed.
    pub present: usize,
    pub seen: Vec<Seen>,
    pub facts: BTreeMap<String, String>,
}

/// What matching gives.
#[derive(Debug, Default)]
pub struct Matches {
    pub findings: Vec<Finding>,
    pub rejections: Vec<Rejection>,
    /// Signatures that could not run anywhere, with what was missing.
    pub skipped: BTreeMap<usize, BTreeSet<String>>,
}

/// Value of a strength word, nats.
pub fn nats(strength: Strength) -> f64 {
    match strength {
        Strength::Decisive => 3.0,
        Strength::Strong => 2.0,
        Strength::Moderate => 1.0,
        Strength::Weak => 0.5,
    }
}

/// Evaluates the whole catalogue.
pub fn evaluate(context: &Context, catalog: &Catalog) -> Matches {
    let graph = &context.telemetry.graph;
    let mut work: Vec<(usize, Option<EntityId>)> = Vec::new();
    let mut matches = Matches::default();
    for (i, s) in catalog.signatures.iter().enumerate() {
        let missing = missing(context, s);
        if !missing.is_empty() {
            matches.skipped.insert(i, missing);
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
        work.extend(graph.ids().filter(fits).map(|e| (i, Some(e))));
    }
    let outcomes: Vec<Outcome> =
        work.par_iter().map(|(i, e)| one(context, &catalog.signatures[*i], *i, *e)).collect();
    let mut ran: BTreeSet<usize> = BTreeSet::new();
    let mut unseen: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for outcome in outcomes {
        match outcome {
            Outcome::Found(f) => {
                ran.insert(f.signature);
                matches.findings.push(f);
            }
            Outcome::Rejected(r) => {
                ran.insert(r.signature);
                matches.rejections.push(r);
            }
            Outcome::Unobservable(i, what) => {
                unseen.entry(i).or_default().insert(what);
            }
        }
    }
    for (i, what) in unseen.into_iter().filter(|(i, _)| !ran.contains(i)) {
        matches.skipped.insert(i, what);
    }
    matches
}

enum Outcome {
    Found(Finding),
    Rejected(Rejection),
    Unobservable(usize, String),
}

/// Inputs that a signature needs and that nobody gave.
fn missing(context: &Context, s: &SignatureFile) -> BTreeSet<String> {
    let there = |name: &String| match name.as_str() {
        "pg.sessions" => !context.telemetry.sessions.is_empty(),
        "pg.blocking" => context.telemetry.sessions.iter().any(|(_, s)| s.blocked_by.is_some()),
        "traces" => context.telemetry.spans.height() > 0,
        "events" => !context.telemetry.events.is_empty(),
        "graph" => context.telemetry.graph.edges().next().is_some(),
        other => context.rollups.series.iter().any(|x| is_source(context, x, other)),
    };
    let mut missing: BTreeSet<String> =
        s.requires.all.iter().filter(|n| !there(n)).cloned().collect();
    if !s.requires.any.is_empty() && !s.requires.any.iter().any(there) {
        missing.insert(s.requires.any.join(" or "));
    }
    missing
}

/// Says whether a series is of a source: a canonical name or `role:<role>[@view]`.
pub fn is_source(context: &Context, s: &crate::rollup::SignalSeries, source: &str) -> bool {
    let signal = context.telemetry.signals.get(s.signal);
    match source.strip_prefix("role:") {
        None => signal.name == source,
        Some(role) => {
            let (role, view) = role.split_once('@').unwrap_or((role, ""));
            let view_fits = match view {
                "" => true,
                "client" => signal.view == crate::signals::View::Client,
                _ => signal.view != crate::signals::View::Client,
            };
            s.role == role && view_fits
        }
    }
}

fn one(context: &Context, s: &SignatureFile, index: usize, subject: Option<EntityId>) -> Outcome {
    let subject_name = subject.map_or("the system", |e| context.name(e)).to_owned();
    let mut seen = Vec::new();
    let mut facts = BTreeMap::from([("subject".to_owned(), subject_name)]);
    let mut groups: BTreeMap<&str, (EvidenceState, String)> = BTreeMap::new();
    let mut failed: Option<(EvidenceState, String)> = None;
    let mut present = 0;
    for (i, rule) in s.evidence.iter().enumerate() {
        let Some(test) = test(&rule.test) else { continue };
        let value = rule.value.as_ref().map_or(test.default, |v| s.number(v));
        let observation = (test.run)(context, subject, rule, value, s);
        let state = observation.state;
        let required = rule.role == EvidenceRole::Required && rule.group.is_none();
        if state == EvidenceState::Present || required {
            for (k, v) in &observation.facts {
                facts.entry(k.clone()).or_insert_with(|| v.clone());
            }
        }
        let mut all = facts.clone();
        all.extend(observation.facts.clone());
        let template = match (state, &rule.say_absent) {
            (EvidenceState::Absent, Some(t)) => t,
            _ => &rule.say,
        };
        let said = match state {
            EvidenceState::Unobservable => format!("not observable: {}", rule.source),
            EvidenceState::Absent if rule.say_absent.is_none() => {
                format!("not so: {}", fill(template, &all))
            }
            _ => fill(template, &all),
        };
        present +=
            usize::from(rule.role == EvidenceRole::Required && state == EvidenceState::Present);
        if rule.role == EvidenceRole::Required && state != EvidenceState::Present {
            match &rule.group {
                None => failed = failed.or(Some((state, said.clone()))),
                Some(g) => {
                    let slot = groups.entry(g).or_insert((state, said.clone()));
                    if slot.0 == EvidenceState::Unobservable {
                        *slot = (state, said.clone());
                    }
                }
            }
        } else if let (EvidenceRole::Required, Some(g)) = (rule.role, &rule.group) {
            groups.insert(g, (EvidenceState::Present, said.clone()));
        }
        seen.push(Seen { rule: i, nats: worth(rule, state), observation, said });
    }
    let failed = failed.or_else(|| groups.into_values().find(|g| g.0 != EvidenceState::Present));
    match failed {
        Some((EvidenceState::Unobservable, what)) => {
            Outcome::Unobservable(index, what.trim_start_matches("not observable: ").to_owned())
        }
        Some((_, reason)) => {
            Outcome::Rejected(Rejection { signature: index, subject, reason, present, seen, facts })
        }
        None => {
            let nats = sum(&seen, s);
            Outcome::Found(Finding { signature: index, subject, seen, facts, nats })
        }
    }
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

/// Fills `{name}` with facts; a name without a fact stays readable as `?`.
pub fn fill(template: &str, facts: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, after)) = behind.split_once('}') else {
            out.push('{');
            rest = behind;
            continue;
        };
        out.push_str(facts.get(name).map_or("?", String::as_str));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Names in braces in a template.
pub fn placeholders(template: &str) -> Vec<&str> {
    template.split('{').skip(1).filter_map(|p| p.split_once('}').map(|(n, _)| n)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled_and_missing_facts_stay_visible() {
        let facts = BTreeMap::from([("pid".to_owned(), "42".to_owned())]);
        assert_eq!(fill("pid {pid} of {who}", &facts), "pid 42 of ?");
        assert_eq!(fill("odd { brace", &facts), "odd { brace");
        assert_eq!(placeholders("a {b} c {d}"), ["b", "d"]);
    }
}
