//! Evidence for every signature on every possible subject, three-valued. In: features, rollups,
//! graph, catalogue. Out: findings (matched), rejections with a reason, and what could not run.

mod conditions;
mod edges;
mod evaluate;
mod facts;
mod flow;
mod load;
mod members;
mod series;
mod sessions;
mod stale;
mod statements;
mod timed;

pub use evaluate::evaluate;

pub use facts::symptom as facts_symptom;
pub use series::{human, level_facts, target_name};

use crate::catalog::{EvidenceRule, SignatureFile};
use crate::diagnosis::{EvidenceState, Strength};
use crate::features::Features;
use crate::model::{EntityId, EntityKind, Micros, Subject};
use crate::rollup::Rollups;
use crate::telemetry::Telemetry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

/// Everything evidence is looked for in.
pub struct Context<'a> {
    pub telemetry: &'a Telemetry,
    pub rollups: &'a Rollups,
    pub features: &'a Features,
    /// Series of each subject, by index.
    pub by_subject: BTreeMap<Subject, Vec<usize>>,
    /// Services that nobody calls.
    pub entries: Vec<EntityId>,
    /// Instances and partitions of each entity that has some, in order of id.
    pub parts: BTreeMap<EntityId, Vec<EntityId>>,
    /// Growth of the traffic at the entries, and its series; every subject asks for it.
    entry_ratio: OnceLock<Option<(f64, usize)>>,
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
        // Tenants and keys by which requests are counted are the users of an entry.
        let is_client = |e: &EntityId| graph.entity(*e).kind == EntityKind::Client;
        let entries = graph
            .ids()
            .filter(|e| graph.entity(*e).kind == EntityKind::Service)
            .filter(|e| graph.callers(*e).iter().all(is_client) && has_traffic(e))
            .collect();
        let mut parts: BTreeMap<EntityId, Vec<EntityId>> = BTreeMap::new();
        for part in graph.ids() {
            let owner = graph.owner(part);
            if owner != part {
                parts.entry(owner).or_default().push(part);
            }
        }
        let entry_ratio = OnceLock::new();
        Context { telemetry, rollups, features, by_subject, entries, parts, entry_ratio }
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

/// What one rule asks of one subject.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    pub context: &'a Context<'a>,
    /// Nobody in particular for a signature of the whole system.
    pub subject: Option<EntityId>,
    pub rule: &'a EvidenceRule,
    /// The rule's threshold, or the test's own.
    pub value: f64,
    pub signature: &'a SignatureFile,
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
    run: fn(&Question) -> Observation,
}

/// Meaning of the threshold of a test that has none.
pub const NOT_USED: &str = "not used";

const LEVELS: &[&str] = &["target", "before", "during", "ratio", "at", "signal"];

/// Tests of levels, load and facts; the others stand beside their code.
const TESTS: &[Test] = &[
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
        run: load::sawtooth,
    },
    Test {
        name: "jumps",
        what: "takes several values, e.g. start times",
        default: 2.0,
        meaning: "least number of changes",
        binds: &["target", "changes"],
        on_series: true,
        run: load::jumps,
    },
    Test {
        name: "switches",
        what: "changes between states, e.g. standby and primary",
        default: 1.0,
        meaning: "least number of changes",
        binds: &["target", "changes"],
        on_series: true,
        run: load::switches,
    },
    Test {
        name: "skew",
        what: "the subject takes far more than its members' even or earlier share",
        default: 2.0,
        meaning: "least growth of its share",
        binds: &["target", "share", "share_before", "times", "members", "owner"],
        on_series: true,
        run: load::skew,
    },
    Test {
        name: "follows-load",
        what: "scales with the traffic at the entry",
        default: 0.35,
        meaning: "largest relative difference of the two ratios",
        binds: LEVELS,
        on_series: true,
        run: load::follows_load,
    },
    Test {
        name: "amplified",
        what: "calls per inbound request grew on an edge from the subject",
        default: 1.5,
        meaning: "least growth",
        binds: &["target", "before", "during", "ratio", "calls_before", "calls_during"],
        on_series: false,
        run: load::amplified,
    },
    Test {
        name: "blocking",
        what: "a session at the root of a blocking tree",
        default: 0.0,
        meaning: NOT_USED,
        binds: sessions::BLOCKING,
        on_series: false,
        run: sessions::blocking,
    },
    Test {
        name: "contention",
        what: "sessions wait for each other over several snapshots",
        default: 0.0,
        meaning: "not used",
        binds: sessions::CONTENTION,
        on_series: false,
        run: sessions::contention,
    },
    Test {
        name: "waits",
        what: "busy sessions wait for the named events",
        default: 0.25,
        meaning: "least share of the busy sessions",
        binds: sessions::WAITS,
        on_series: false,
        run: sessions::waits,
    },
    Test {
        name: "session-holders",
        what: "an application holds more sessions than before",
        default: 5.0,
        meaning: "least number of sessions more",
        binds: sessions::HOLDERS,
        on_series: false,
        run: sessions::holders,
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
        meaning: NOT_USED,
        binds: &[],
        on_series: false,
        run: facts::undisturbed,
    },
];

/// Every test that evidence may use.
pub fn tests() -> impl Iterator<Item = &'static Test> {
    let families = [
        TESTS,
        edges::TESTS,
        flow::TESTS,
        members::TESTS,
        stale::TESTS,
        statements::TESTS,
        timed::TESTS,
    ];
    families.into_iter().flatten()
}

/// Finds a test by name.
pub fn test(name: &str) -> Option<&'static Test> {
    tests().find(|t| t.name == name)
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
