//! Evidence for every signature on every possible subject, three-valued. In: features, rollups,
//! graph, catalogue. Out: findings (matched), rejections with a reason, and what could not run.

mod conditions;
mod edges;
mod evaluate;
mod facts;
mod flow;
mod load;
mod logged;
mod members;
mod near;
mod series;
mod sessions;
mod sources;
mod stale;
mod statements;
mod timed;
mod vocabulary;

pub use evaluate::evaluate;

pub use facts::symptom as facts_symptom;
pub use near::Near;
pub use series::{human, level_facts, target_name};
pub use sources::is_source;
pub use vocabulary::{NOT_USED, Test, test, tests};

use crate::catalog::{EvidenceRule, SignatureFile};
use crate::diagnosis::{EvidenceState, Strength};
use crate::features::Features;
use crate::model::{EntityId, EntityKind, Micros, Subject};
use crate::rollup::Rollups;
use crate::telemetry::Telemetry;
use sources::{OfSource, Sources};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

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
    sources: Sources,
    /// Groups of [`Features::skews`] that each entity is a member of, by index.
    skews_of: BTreeMap<EntityId, Vec<usize>>,
    /// The first time of all series.
    first: Option<Micros>,
}

/// Entries that are looked at, at most: every rule on entries is asked for every subject.
const ENTRIES_MAX: usize = 64;

/// The entries with most traffic, in order of id.
fn busiest(
    mut entries: Vec<EntityId>,
    by_subject: &BTreeMap<Subject, Vec<usize>>,
    rollups: &Rollups,
) -> Vec<EntityId> {
    if entries.len() <= ENTRIES_MAX {
        return entries;
    }
    let traffic = |e: &EntityId| -> f64 {
        let own = by_subject.get(&Subject::Entity(*e)).map_or(&[][..], Vec::as_slice);
        let series = own.iter().map(|i| &rollups.series[*i]).filter(|s| s.role == "traffic");
        series.flat_map(|s| &s.points).map(|p| p.1).sum()
    };
    let sums: BTreeMap<EntityId, f64> = entries.iter().map(|e| (*e, traffic(e))).collect();
    entries.sort_by(|a, b| sums[b].total_cmp(&sums[a]).then(a.cmp(b)));
    entries.truncate(ENTRIES_MAX);
    entries.sort_unstable();
    entries
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
        let entries: Vec<EntityId> = graph
            .ids()
            .filter(|e| graph.entity(*e).kind == EntityKind::Service)
            .filter(|e| graph.callers(*e).iter().all(is_client) && has_traffic(e))
            .collect();
        let entries = busiest(entries, &by_subject, rollups);
        let mut parts: BTreeMap<EntityId, Vec<EntityId>> = BTreeMap::new();
        for part in graph.ids() {
            let owner = graph.owner(part);
            if owner != part {
                parts.entry(owner).or_default().push(part);
            }
        }
        let mut skews_of: BTreeMap<EntityId, Vec<usize>> = BTreeMap::new();
        for (i, group) in features.skews.iter().enumerate() {
            for (member, _) in &group.members {
                skews_of.entry(*member).or_default().push(i);
            }
        }
        Context {
            telemetry,
            rollups,
            features,
            by_subject,
            entries,
            parts,
            entry_ratio: OnceLock::new(),
            sources: Sources::new(&rollups.series),
            skews_of,
            first: rollups.series.iter().filter_map(|s| s.points.first()).map(|p| p.0).min(),
        }
    }

    /// Series of a subject; empty when it has none.
    pub fn series_of(&self, subject: Subject) -> &[usize] {
        self.by_subject.get(&subject).map_or(&[], Vec::as_slice)
    }

    /// An entity and its instances and partitions.
    pub fn with_parts(&self, id: EntityId) -> Vec<EntityId> {
        let parts = self.parts.get(&id).into_iter().flatten().copied();
        std::iter::once(id).chain(parts).collect()
    }

    /// Series of all edges.
    pub fn on_edges(&self) -> impl Iterator<Item = usize> + '_ {
        // Edges stand behind entities in the order of subjects.
        let edges = self.by_subject.iter().rev().take_while(|s| matches!(s.0, Subject::Edge(..)));
        edges.flat_map(|(_, all)| all.iter().copied())
    }

    /// Series of a source, by subject; found once for each source.
    pub(crate) fn of_source(&self, source: &str) -> Arc<OfSource> {
        self.sources.of(self.telemetry.signals, &self.rollups.series, source)
    }

    /// Who loads an entity, counted by a source; found once for both.
    pub(crate) fn loads(
        &self,
        source: &str,
        owner: EntityId,
        make: impl FnOnce() -> Vec<members::Load>,
    ) -> Arc<Vec<members::Load>> {
        self.sources.loads(source, owner, make)
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
    /// What failed did so by a margin, while what it asks about moved.
    pub near: Option<Near>,
    pub seen: Vec<Seen>,
    pub facts: BTreeMap<String, String>,
}

/// A signature that may or may not hold on a subject: of its required evidence some is there, none
/// is absent, and some could not be looked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Undecided {
    /// Index of the signature in the catalogue.
    pub signature: usize,
    pub subject: Option<EntityId>,
    /// The source that was missing.
    pub lacks: String,
    /// The strongest required evidence that is there.
    pub told: Option<Strength>,
}

/// What matching gives.
#[derive(Debug, Default)]
pub struct Matches {
    pub findings: Vec<Finding>,
    pub rejections: Vec<Rejection>,
    pub undecided: Vec<Undecided>,
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

/// Fills a command that people copy: a value that is more than one plain word, as a hostile name
/// would be, stays open as `?` for whoever runs it.
pub fn fill_command(template: &str, facts: &BTreeMap<String, String>) -> String {
    let plain = |c: char| c.is_alphanumeric() || ".,:/_-+@=".contains(c);
    let word = |v: &String| !v.starts_with('-') && v.chars().all(plain);
    let facts = facts.iter().filter(|(_, v)| word(v));
    fill(template, &facts.map(|(k, v)| (k.clone(), v.clone())).collect())
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

    #[test]
    fn a_command_takes_plain_words_only() {
        let of = |v: &str| {
            let facts = BTreeMap::from([("x".to_owned(), v.to_owned())]);
            fill_command("get {x}", &facts)
        };
        assert_eq!(of("shop/größe-1.2_a"), "get shop/größe-1.2_a");
        assert_eq!(of("2026-11-20T20:09:29.923509Z"), "get 2026-11-20T20:09:29.923509Z");
        for bad in ["a; rm -rf /", "`id`", "$(id)", "a'b", "a|b", "a b", "--all", "a\nb", "a>b"] {
            assert_eq!(of(bad), "get ?", "{bad}");
        }
    }
}
