//! Which looks prove the answer. In: the engine's ledger. Out: the cheapest set of looks whose
//! evidence alone puts the truth clearly first, and the evidence that a trainee did not look at.

use super::case::Case;
use super::command;
use crate::diagnosis::{Evidence, EvidenceRole, EvidenceState, Hypothesis};
use crate::model::EntityId;
use crate::rollup::Origin;
use std::collections::{BTreeMap, BTreeSet};

/// What has been looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    Component(EntityId),
    Sessions(EntityId),
    Traces(EntityId),
    AllTraces,
    Changes,
    /// File and name of a series.
    Series(String, String),
}

/// How much likelier than any other the truth must be by the looked-at evidence alone: three times;
/// where the engine itself is less sure, it must only come first.
pub const CLEAR: f64 = 3.0;
/// Looks in a proof at most; pairs and triples are tried before.
const LOOKS: usize = 4;
/// Looks among which the cheapest set is sought, those with most weight.
const CANDIDATES: usize = 14;

/// A hypothesis without evidence, and what each look adds, nats.
type Weight = (f64, BTreeMap<Seen, f64>);

/// A look and what it costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    pub seen: Seen,
    /// As it is typed.
    pub typed: String,
    pub points: f64,
    /// Evidence of the true hypothesis that it shows.
    pub evidence: Vec<String>,
}

/// Where each piece of evidence can be looked up.
pub struct Places<'a> {
    case: &'a Case,
}

impl<'a> Places<'a> {
    /// Those of a drill.
    pub fn new(case: &'a Case) -> Places<'a> {
        Places { case }
    }

    /// The look that shows a piece of evidence of a hypothesis, and its series if it has one.
    pub fn of(&self, h: &Hypothesis, e: &Evidence) -> Option<(Seen, Option<Seen>)> {
        let t = &self.case.telemetry;
        let subject = t.graph.ids().find(|id| t.graph.entity(*id).name == h.entity.name);
        let of_subject = subject.map(|s| (Seen::Component(t.graph.owner(s)), None));
        let Some(source) = &e.source else { return of_subject };
        let from = |file: u32| t.files.get(file as usize).is_some_and(|f| f.path == source.file);
        let same = self
            .case
            .rollups
            .series
            .iter()
            .find(|s| s.source.file == source.file && s.source.series == source.series);
        if same.is_none() && t.events.iter().any(|(_, e)| from(e.file)) {
            return Some((Seen::Changes, None));
        }
        let database = t.sessions.iter().find(|(_, s)| from(s.file)).map(|(db, _)| db);
        if let Some(db) = database {
            return Some((Seen::Sessions(db), None));
        }
        let Some(s) = same else { return of_subject };
        let owner = t.graph.owner(s.subject.owner());
        let series = Some(Seen::Series(source.file.clone(), source.series.clone()));
        Some(match s.origin {
            Origin::Traces if s.role.is_empty() => (Seen::Traces(owner), series),
            _ => (Seen::Component(owner), series),
        })
    }

    /// How a look is typed and what it costs.
    fn look(&self, seen: Seen, evidence: Vec<String>) -> Look {
        let name = |e: EntityId| self.case.telemetry.graph.entity(e).name.clone();
        let (word, typed) = match seen {
            Seen::Component(e) => ("look", format!("look {}", name(e))),
            Seen::Sessions(e) => ("sessions", format!("sessions {}", name(e))),
            Seen::Traces(e) => ("traces", format!("traces {}", name(e))),
            Seen::AllTraces => ("traces", "traces".to_owned()),
            Seen::Changes => ("changes", "changes".to_owned()),
            Seen::Series(..) => ("query", "query".to_owned()),
        };
        let points = command::find(word).map_or(0.0, |r| r.points);
        Look { seen, typed, points, evidence }
    }

    /// The cheapest looks whose evidence alone puts the truth first, and whether clearly; `None`
    /// where none does.
    pub fn shortest(&self) -> Option<(Vec<Look>, bool)> {
        let clear = self.cheapest(CLEAR.ln()).map(|l| (l, true));
        clear.or_else(|| self.cheapest(f64::EPSILON).map(|l| (l, false)))
    }

    fn cheapest(&self, margin: f64) -> Option<Vec<Look>> {
        let truth = self.case.ledger()?;
        let mut needed: BTreeSet<Seen> = BTreeSet::new();
        let mut shown: BTreeMap<Seen, (f64, Vec<String>)> = BTreeMap::new();
        for e in truth.evidence.iter().filter(|e| e.state == EvidenceState::Present) {
            let Some((seen, _)) = self.of(truth, e) else { continue };
            // A change alone proves nothing: it takes a required fact that was measured.
            if e.role == EvidenceRole::Required && seen != Seen::Changes {
                needed.insert(seen.clone());
            }
            let slot = shown.entry(seen).or_default();
            slot.0 += e.nats;
            slot.1.push(e.id.clone());
        }
        let mut looks: Vec<(f64, Look)> =
            shown.into_iter().map(|(seen, (nats, ids))| (nats, self.look(seen, ids))).collect();
        looks.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.typed.cmp(&b.1.typed)));
        looks.truncate(CANDIDATES);
        let weights = self.weights();
        let mut best: Option<(usize, f64, Vec<usize>)> = None;
        for set in 1u32..1 << looks.len() {
            let size = set.count_ones() as usize;
            let chosen: Vec<usize> = (0..looks.len()).filter(|i| set >> i & 1 == 1).collect();
            if size > LOOKS || best.as_ref().is_some_and(|b| b.0 < size) {
                continue;
            }
            let cost: f64 = chosen.iter().map(|i| looks[*i].1.points).sum();
            let seen: BTreeSet<Seen> = chosen.iter().map(|i| looks[*i].1.seen.clone()).collect();
            let better = best.as_ref().is_none_or(|b| (size, cost) < (b.0, b.1));
            let based = needed.is_empty() || !seen.is_disjoint(&needed);
            if better && based && self.proves(&weights, &seen, margin) {
                best = Some((size, cost, chosen));
            }
        }
        best.map(|(_, _, chosen)| chosen.into_iter().map(|i| looks[i].1.clone()).collect())
    }

    /// By hypothesis: what it has without evidence, and what each look adds, nats.
    fn weights(&self) -> Vec<Weight> {
        let weigh = |h: &Hypothesis| {
            let mut by: BTreeMap<Seen, f64> = BTreeMap::new();
            let mut bare = h.score;
            for e in h.evidence.iter().chain(&h.against) {
                let Some((seen, _)) = self.of(h, e) else { continue };
                *by.entry(seen).or_default() += e.nats;
                bare -= e.nats;
            }
            (bare, by)
        };
        self.case.diagnosis.hypotheses.iter().map(weigh).collect()
    }

    fn proves(&self, weights: &[Weight], seen: &BTreeSet<Seen>, margin: f64) -> bool {
        let Some(truth) = self.case.plan.ledger else { return false };
        let sum = |(bare, by): &Weight| {
            bare + by.iter().filter(|(s, _)| seen.contains(s)).map(|(_, n)| n).sum::<f64>()
        };
        let own = sum(&weights[truth]);
        let rivals = weights.iter().enumerate().filter(|(i, _)| *i != truth).map(|(_, w)| sum(w));
        own >= rivals.fold(f64::NEG_INFINITY, f64::max) + margin
    }

    /// Evidence for the truth that no look has shown, with the look that would have.
    pub fn missed(&self, seen: &BTreeSet<Seen>) -> Vec<(String, String, String)> {
        let Some(truth) = self.case.ledger() else { return vec![] };
        let present = truth.evidence.iter().filter(|e| e.state == EvidenceState::Present);
        let mut out = Vec::new();
        for e in present {
            let Some((place, series)) = self.of(truth, e) else { continue };
            let by_all = matches!(place, Seen::Traces(_)) && seen.contains(&Seen::AllTraces);
            if seen.contains(&place) || by_all || series.is_some_and(|s| seen.contains(&s)) {
                continue;
            }
            out.push((e.id.clone(), e.said.clone(), self.look(place, vec![]).typed));
        }
        out
    }
}
