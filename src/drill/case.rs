//! Everything that a drill is played on, loaded once. In: telemetry, diagnosis, truth, catalogue and
//! text. Out: a [`Case`] with its plan: when the page comes, how long a beat is, who is to blame.

use super::content::DrillFile;
use super::cut;
use super::pager::{self, Symptom};
use crate::catalog::Catalog;
use crate::catalog::fixtures::Truth;
use crate::diagnosis::{Diagnosis, Hypothesis};
use crate::error::{Error, Result};
use crate::model::{EntityId, Micros, SECOND, Window};
use crate::rollup::{Rollups, roll_up};
use crate::telemetry::Telemetry;
use crate::time::{self, Zone};
use std::collections::{BTreeMap, BTreeSet};

/// Beats from the page to the end of the recording: a look costs one, so that a drill of an hour and
/// one of a week are played in as many looks.
const BEATS: i64 = 30;
/// Beats after which a recorded action shows.
pub const SETTLES: i64 = 3;

/// How much help there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Hints and everything recorded are there from the start, with what is usual.
    Guided,
    /// Stages unlock; hints cost points.
    Usual,
    /// Raw series and more decoys.
    Raw,
}

impl Level {
    /// The level of a number from 1 to 3.
    pub fn of(number: u8) -> Option<Level> {
        [Level::Guided, Level::Usual, Level::Raw].get(usize::from(number).checked_sub(1)?).copied()
    }

    /// 1 to 3.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }
}

/// A kind of panel that becomes visible at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// Requests, errors and latency of services and of their calls.
    Edges,
    /// Everything that services and servers measure of themselves.
    Services,
    /// Database sessions.
    Sessions,
    Traces,
}

impl Layer {
    /// The layer's name on the screen.
    pub fn word(self) -> &'static str {
        match self {
            Layer::Edges => "traffic, errors and latency",
            Layer::Services => "resources: pools, queues, processors, memory",
            Layer::Sessions => "database sessions",
            Layer::Traces => "traces",
        }
    }
}

/// What is decided before the drill begins.
#[derive(Clone, Debug)]
pub struct Plan {
    /// When the page comes; the drill's clock starts here.
    pub paged: Micros,
    /// Last time of the recording: the clock stops here.
    pub end: Micros,
    /// What one look takes.
    pub beat: Micros,
    /// What "usual" is taken from: the first half of what was recorded before the page.
    pub usual: Window,
    pub onset: Micros,
    /// When the recorded incident was over, where it was.
    pub over: Option<Micros>,
    pub symptom: Option<Symptom>,
    /// Who is to blame, of those that the graph knows.
    pub cause: BTreeSet<EntityId>,
    /// Hops along the causal chain from the cause.
    pub chain: BTreeMap<EntityId, u32>,
    /// Edges that a file names and no call was ever recorded of.
    pub told: BTreeSet<(String, String)>,
    /// Place of the true explanation among the hypotheses of the engine.
    pub ledger: Option<usize>,
    /// Session that is to blame.
    pub pid: Option<i64>,
    pub layers: Vec<Layer>,
}

/// A drill that can be played.
pub struct Case {
    pub file: DrillFile,
    /// The folder, as commands name it.
    pub place: String,
    /// Actions change what happens next.
    pub simulated: bool,
    pub telemetry: Telemetry,
    /// Of the whole recording.
    pub rollups: Rollups,
    pub diagnosis: Diagnosis,
    pub truth: Truth,
    pub catalog: Catalog,
    pub plan: Plan,
}

impl Case {
    /// Prepares a drill.
    ///
    /// # Errors
    ///
    /// When nothing is wrong in the folder, or nothing in it has a time.
    pub fn new(
        file: DrillFile,
        place: String,
        telemetry: Telemetry,
        diagnosis: Diagnosis,
        truth: Truth,
        catalog: Catalog,
    ) -> Result<Case> {
        if truth.is_healthy() || truth.signature.is_empty() {
            let what = "its truth names no cause: there is nothing to find";
            return Err(Error::usage(place, what).hint("`rootline drill list` shows the drills"));
        }
        let rollups = roll_up(&mut telemetry.clone());
        let plan = plan(&file, &place, (&telemetry, &rollups), &diagnosis, &truth)?;
        let simulated = file.drill.scenario.is_some();
        Ok(Case { file, place, simulated, telemetry, rollups, diagnosis, truth, catalog, plan })
    }

    /// The engine's hypothesis that is the truth, if it has one.
    pub fn ledger(&self) -> Option<&Hypothesis> {
        self.diagnosis.hypotheses.get(self.plan.ledger?)
    }
}

fn plan(
    file: &DrillFile,
    place: &str,
    (telemetry, rollups): (&Telemetry, &Rollups),
    d: &Diagnosis,
    truth: &Truth,
) -> Result<Plan> {
    let Some((first, end)) = telemetry.extent.filter(|(from, to)| to > from) else {
        return Err(Error::usage(
            place,
            "nothing in this folder has a time: it cannot be replayed",
        ));
    };
    let at = |text: &Option<String>| {
        text.as_deref().and_then(|t| time::parse(t, &Zone::default())).map(|p| p.at)
    };
    let onset = at(&truth.onset).unwrap_or(d.window.incident.from).clamp(first, end);
    let page = pager::page(d, telemetry, rollups, (onset, end), file.pager.after_s);
    let ledger = ledger(d, truth);
    let chain = chain(telemetry, d, truth, ledger);
    let called = cut::called(rollups);
    let edges = telemetry.graph.edges().map(|(a, b, _)| (a, b));
    let mut layers = vec![Layer::Edges, Layer::Services];
    layers.extend((!telemetry.sessions.is_empty()).then_some(Layer::Sessions));
    layers.extend((!telemetry.spans.shape.is_empty()).then_some(Layer::Traces));
    // A prepared transaction blocks under the number 0: it has no session.
    let pid = ledger.and_then(|i| d.hypotheses[i].facts.get("pid")?.parse().ok());
    let pid = pid.filter(|p: &i64| *p > 0);
    Ok(Plan {
        paged: page.at,
        end,
        beat: ((end - page.at) / BEATS).max(SECOND),
        usual: Window { from: first, to: first + ((page.at - first) / 2).max(1) },
        onset,
        over: at(&truth.end).filter(|t| *t <= end && *t > onset),
        symptom: page.symptom,
        cause: chain.iter().filter(|(_, hops)| **hops == 0).map(|(e, _)| *e).collect(),
        chain,
        told: edges
            .filter(|e| !called.contains(e))
            .map(|(a, b)| (name(telemetry, a), name(telemetry, b)))
            .collect(),
        ledger,
        pid,
        layers,
    })
}

fn name(t: &Telemetry, e: EntityId) -> String {
    t.graph.entity(e).name.clone()
}

/// The best hypothesis that names a true mechanism, on a true entity if one does.
fn ledger(d: &Diagnosis, truth: &Truth) -> Option<usize> {
    let mechanism =
        |h: &Hypothesis| h.signature.as_ref().is_some_and(|s| truth.signature.contains(s));
    let entity = |h: &Hypothesis| {
        [&h.entity.name, &h.entity.service].iter().any(|n| truth.entity.contains(n))
    };
    let both = d.hypotheses.iter().position(|h| mechanism(h) && entity(h));
    both.or_else(|| d.hypotheses.iter().position(mechanism))
}

/// Hops from those to blame along who depends on them, and along the engine's chain.
fn chain(
    telemetry: &Telemetry,
    d: &Diagnosis,
    truth: &Truth,
    ledger: Option<usize>,
) -> BTreeMap<EntityId, u32> {
    let graph = &telemetry.graph;
    let named = |e: &EntityId| truth.entity.contains(&graph.entity(*e).name);
    let cause: Vec<EntityId> = graph.ids().filter(named).collect();
    let mut hops: BTreeMap<EntityId, u32> = BTreeMap::new();
    let mut add = |e: EntityId, n: u32| {
        let known = hops.entry(e).or_insert(n);
        *known = n.min(*known);
    };
    for e in &cause {
        add(*e, 0);
        graph.dependants(graph.owner(*e)).into_iter().for_each(|(e, n)| add(e, n));
    }
    for (n, link) in ledger.iter().flat_map(|i| d.hypotheses[*i].chain.iter().enumerate()) {
        // A link of the chain is at least one hop away; how many the graph says better.
        let found = graph.ids().find(|e| graph.entity(*e).name == link.entity.name);
        found.into_iter().for_each(|e| add(e, (n as u32).max(1)));
    }
    hops
}
