//! Published and simple ways to rank, kept to be beaten: a ranking that is no better than the
//! loudest series has no business being complicated. In: the series and the graph. Out: a score
//! per top-level entity.

use crate::features::inside;
use crate::features::shift::Shift;
use crate::matching::Context;
use crate::model::{EntityId, Subject};
use std::collections::{BTreeMap, BTreeSet};

type Scores = BTreeMap<EntityId, f64>;

/// Robust standard deviations from which a series counts as abnormal.
const ABNORMAL: f64 = 3.0;

/// One way to rank.
#[derive(Clone, Copy)]
pub struct Baseline {
    pub name: &'static str,
    pub what: &'static str,
    score: fn(&Context) -> Scores,
}

impl Baseline {
    /// Scores of all entities with at least one series.
    pub fn scores(&self, context: &Context) -> Scores {
        (self.score)(context)
    }
}

/// Every baseline.
pub const BASELINES: &[Baseline] = &[
    Baseline {
        name: "robust-z",
        what: "largest robust z of the 90th percentile of any series",
        score: robust_z,
    },
    Baseline {
        name: "n-sigma",
        what: "largest distance from the mean in standard deviations of any sample",
        score: n_sigma,
    },
    Baseline {
        name: "baro",
        what: "largest distance from the median in interquartile ranges (RobustScorer, BARO 2024)",
        score: baro,
    },
    Baseline {
        name: "traversal",
        what: "abnormal entities without an abnormal callee, by the sum of scores of their callers",
        score: traversal,
    },
    Baseline { name: "symptom-count", what: "number of abnormal series", score: symptom_count },
];

/// Finds a baseline by name.
pub fn baseline(name: &str) -> Option<&'static Baseline> {
    BASELINES.iter().find(|b| b.name == name)
}

/// The series of entities, not of edges, with their owner.
fn own_series<'a>(context: &'a Context) -> impl Iterator<Item = (EntityId, usize)> + 'a {
    context.rollups.series.iter().enumerate().filter_map(|(i, s)| match s.subject {
        Subject::Entity(e) => Some((context.telemetry.graph.owner(e), i)),
        Subject::Edge(..) => None,
    })
}

/// The largest of a score over each entity's series.
fn largest(context: &Context, score: impl Fn(usize) -> Option<f64>) -> Scores {
    let mut out = Scores::new();
    for (owner, i) in own_series(context) {
        let Some(score) = score(i).filter(|s| s.is_finite()) else { continue };
        let slot = out.entry(owner).or_default();
        *slot = slot.max(score);
    }
    out
}

fn shift(context: &Context, i: usize) -> Option<Shift> {
    context.features.series[i].shift
}

fn robust_z(context: &Context) -> Scores {
    largest(context, |i| shift(context, i).map(|s| s.z.abs()))
}

/// The largest distance of a sample of the incident from `centre`, in units of `spread`.
fn farthest(context: &Context, i: usize, centre: f64, spread: f64) -> Option<f64> {
    let values = inside(&context.rollups.series[i], context.features.windows.incident);
    let far = values.iter().map(|v| (v - centre).abs()).reduce(f64::max)?;
    // As published: a series without any spread has a spread of one.
    Some(far / if spread > 0.0 { spread } else { 1.0 })
}

fn n_sigma(context: &Context) -> Scores {
    largest(context, |i| {
        let values = inside(&context.rollups.series[i], context.features.windows.baseline);
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        farthest(context, i, mean, variance.sqrt())
    })
}

fn baro(context: &Context) -> Scores {
    use crate::features::robust::{median, quantile};
    largest(context, |i| {
        let values = inside(&context.rollups.series[i], context.features.windows.baseline);
        let range = quantile(&values, 0.75)? - quantile(&values, 0.25)?;
        farthest(context, i, median(&values)?, range)
    })
}

fn symptom_count(context: &Context) -> Scores {
    let mut out = Scores::new();
    for (owner, i) in own_series(context) {
        let abnormal = shift(context, i).is_some_and(|s| s.z.abs() >= ABNORMAL);
        *out.entry(owner).or_default() += f64::from(u8::from(abnormal));
    }
    out
}

/// The traversal of the PetShop benchmark: from an abnormal entity down to the last abnormal one.
fn traversal(context: &Context) -> Scores {
    let graph = &context.telemetry.graph;
    let z = robust_z(context);
    let abnormal: BTreeSet<EntityId> =
        z.iter().filter(|(_, z)| **z >= ABNORMAL).map(|(e, _)| *e).collect();
    let score = |e: &EntityId| {
        let leaf = !graph.callees(*e).iter().any(|c| c != e && abnormal.contains(c));
        if !abnormal.contains(e) || !leaf {
            return 0.0;
        }
        let path = graph.dependants(*e).into_keys().filter(|d| abnormal.contains(d));
        z[e] + path.map(|d| z.get(&d).copied().unwrap_or(0.0)).sum::<f64>()
    };
    z.keys().map(|e| (*e, score(e))).collect()
}
