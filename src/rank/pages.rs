//! What pages draw: charts with gaps, baseline band and limit, and the dependency graph with the
//! levels of its edges. In: rollups, features and the written hypotheses.

use super::answer::{Writer, entity_ref};
use super::{Ranking, sessions_view};
use crate::diagnosis::{
    Chart, ChartPoint, EdgeView, GraphView, Hypothesis, Levels, NodeView, Pages, Role, Span,
};
use crate::features::{inside, robust};
use crate::graph::EdgeKind;
use crate::matching::target_name;
use crate::model::{EntityId, Micros, Subject, Window};
use crate::rollup::SignalSeries;
use std::collections::{BTreeMap, BTreeSet};

/// Points of a chart at most: more than a screen shows.
const POINTS_MAX: i64 = 300;
/// Points farther apart than this many usual steps have a gap between them.
const GAP_STEPS: f64 = 2.5;
/// Nodes of the drawn graph at most; a picture of more shows nothing.
const NODES_MAX: usize = 120;
/// Quantiles of the usual range.
const BAND: (f64, f64) = (0.05, 0.95);

/// Roles whose values have a capacity in another series of the same subject.
const CAPACITIES: &[(&str, &str)] =
    &[("pool-used", "pool-max"), ("workers-busy", "workers-max"), ("memory", "memory-limit")];

/// Ids of evidence as they are given out, with the series each was read off.
#[derive(Default)]
pub struct Numbering {
    given: usize,
    series: Vec<(String, usize)>,
}

impl Numbering {
    /// The next id; remembers the series that it was read off.
    pub fn next(&mut self, series: Option<usize>) -> String {
        self.given += 1;
        let id = format!("E{}", self.given);
        if let Some(i) = series {
            self.series.push((id.clone(), i));
        }
        id
    }
}

/// Draws everything.
pub fn pages(
    writer: &Writer,
    ranking: &Ranking,
    numbering: &Numbering,
    hypotheses: &[Hypothesis],
) -> Pages {
    let mut charts = Vec::new();
    let mut known: BTreeMap<usize, usize> = BTreeMap::new();
    let mut by_evidence = BTreeMap::new();
    for (id, series) in &numbering.series {
        let at = *known.entry(*series).or_insert_with(|| {
            charts.push(writer.chart(*series));
            charts.len() - 1
        });
        by_evidence.insert(id.clone(), at);
    }
    let Window { from, to } = writer.axis;
    Pages {
        decided: None,
        axis: (to > from).then_some(Span { from, to }),
        charts,
        by_evidence,
        graph: writer.graph(ranking, hypotheses),
        sessions: sessions_view::sessions(writer.context, writer.axis),
    }
}

/// Joins what falls into one drawn point, and cuts at gaps.
fn runs(points: &[(Micros, f64)], axis: Window, step: Micros) -> Vec<Vec<ChartPoint>> {
    let cell = ((axis.to - axis.from) / POINTS_MAX).max(1);
    let hold = (GAP_STEPS * step.max(1) as f64) as i64;
    let mut out: Vec<Vec<ChartPoint>> = Vec::new();
    let mut last: Option<(Micros, i64, f64)> = None;
    for (t, v) in points.iter().filter(|p| axis.contains(p.0) && p.1.is_finite()) {
        let at = (t - axis.from) / cell;
        let count = match last {
            Some((before, _, _)) if t - before > hold.max(cell) => {
                out.push(Vec::new());
                0.0
            }
            Some((_, same, n)) if same == at => n,
            Some(_) => 0.0,
            None => {
                out.push(Vec::new());
                0.0
            }
        };
        last = Some((*t, at, count + 1.0));
        let Some(run) = out.last_mut() else { continue };
        match run.last_mut().filter(|_| count > 0.0) {
            Some(p) => {
                p.mean += (v - p.mean) / (count + 1.0);
                (p.low, p.high) = (p.low.min(*v), p.high.max(*v));
            }
            None => run.push(ChartPoint { at: *t, mean: *v, low: *v, high: *v }),
        }
    }
    out
}

/// Stretches of the axis without a point.
fn gaps(runs: &[Vec<ChartPoint>], axis: Window, step: Micros) -> Vec<Span> {
    let hold = (GAP_STEPS * step.max(1) as f64) as i64;
    let ends = runs.iter().filter_map(|r| Some((r.first()?.at, r.last()?.at)));
    let mut out = Vec::new();
    let mut end = axis.from;
    for (first, last) in ends.chain([(axis.to, axis.to)]) {
        if first - end > hold {
            out.push(Span { from: end, to: first });
        }
        end = last;
    }
    out
}

fn edge_word(kind: EdgeKind) -> &'static str {
    match kind {
        EdgeKind::Calls => "calls",
        EdgeKind::Messages => "messages",
        EdgeKind::RunsOn => "runs on",
        EdgeKind::ReplicaOf => "replica of",
    }
}

impl Writer<'_> {
    fn chart(&self, i: usize) -> Chart {
        let s = &self.context.rollups.series[i];
        let signal = self.context.telemetry.signals.get(s.signal);
        let w = &self.context.features.windows;
        let (before, during) = (inside(s, w.baseline), inside(s, w.incident));
        let quantile = |q| robust::quantile(&before, q);
        let runs = runs(&s.points.to_vec(), self.axis, s.step);
        let name = if s.guessed && !s.dims.is_empty() { &s.dims } else { &signal.name };
        Chart {
            title: format!("{} · {name}", target_name(self.context, s.subject)),
            unit: signal.unit(),
            band: quantile(BAND.0).zip(quantile(BAND.1)),
            limit: self.limit(i),
            before: robust::median(&before),
            during: robust::median(&during),
            gaps: gaps(&runs, self.axis, s.step),
            runs,
        }
    }

    /// The capacity that a series runs against: another series of its subject, or its own ceiling.
    fn limit(&self, i: usize) -> Option<f64> {
        let s = &self.context.rollups.series[i];
        if let Some((_, capacity)) = CAPACITIES.iter().find(|c| c.0 == s.role) {
            let all = self.context.series_of(s.subject).iter();
            let mut all = all.map(|j| &self.context.rollups.series[*j]);
            let of = |o: &&SignalSeries| o.role == *capacity && o.dims == s.dims;
            let top = all.find(of).and_then(|o| robust::median(&inside(o, self.axis)));
            return top.filter(|t| t.is_finite() && *t > 0.0);
        }
        let saturation = self.context.features.series[i].saturation;
        saturation.filter(|s| s.share > 0.0).map(|s| s.ceiling)
    }

    /// Median levels of a subject's series of a role.
    fn levels(&self, subject: Subject, role: &str) -> Levels {
        let w = &self.context.features.windows;
        let mut all = self.context.series_of(subject).iter();
        let mut own = all.by_ref().map(|i| &self.context.rollups.series[*i]);
        let Some(s) = own.find(|s| s.role == role && !s.guessed) else { return Levels::default() };
        let median = |window| robust::median(&inside(s, window));
        Levels { before: median(w.baseline), during: median(w.incident) }
    }

    fn graph(&self, ranking: &Ranking, hypotheses: &[Hypothesis]) -> GraphView {
        let graph = &self.context.telemetry.graph;
        let ids = self.drawn(ranking, hypotheses);
        let index: BTreeMap<EntityId, usize> =
            ids.iter().enumerate().map(|(at, id)| (*id, at)).collect();
        let nodes = ids.iter().map(|id| self.node(*id, ranking, hypotheses)).collect();
        let edges = graph.edges().filter_map(|(a, b, kind)| {
            let subject = Subject::Edge(a, b);
            Some(EdgeView {
                from: *index.get(&a)?,
                to: *index.get(&b)?,
                kind: edge_word(kind),
                traffic: self.levels(subject, "traffic"),
                errors: self.levels(subject, "errors"),
                latency: self.levels(subject, "latency"),
            })
        });
        let all = graph.ids().filter(|id| graph.owner(*id) == *id).count();
        GraphView { nodes, edges: edges.collect(), left_out: all.saturating_sub(ids.len()) }
    }

    /// Entities of the answer, then their neighbours, then the others, while there is room.
    fn drawn(&self, ranking: &Ranking, hypotheses: &[Hypothesis]) -> Vec<EntityId> {
        let graph = &self.context.telemetry.graph;
        let mut seen: BTreeSet<EntityId> = BTreeSet::new();
        let mut out: Vec<EntityId> = Vec::new();
        let mut add = |id: EntityId| {
            if out.len() < NODES_MAX && seen.insert(id) {
                out.push(id);
            }
        };
        let chain = hypotheses.first().map_or(&[][..], |h| &h.chain);
        chain.iter().filter_map(|l| graph.find(&l.entity.name)).for_each(&mut add);
        ranking
            .candidates
            .iter()
            .filter(|c| c.finding.is_some())
            .filter_map(|c| c.entity)
            .for_each(|e| {
                add(graph.owner(e));
                add(e);
            });
        let near: Vec<EntityId> = chain
            .iter()
            .filter_map(|l| graph.find(&l.entity.name))
            .flat_map(|e| graph.callers(e).iter().chain(graph.callees(e)).copied())
            .collect();
        near.into_iter().for_each(&mut add);
        graph.ids().filter(|id| graph.owner(*id) == *id).for_each(&mut add);
        out
    }

    fn node(&self, id: EntityId, ranking: &Ranking, hypotheses: &[Hypothesis]) -> NodeView {
        let entity = entity_ref(self.context, id);
        let link = hypotheses.first().and_then(|h| h.chain.iter().find(|l| l.entity == entity));
        let best = hypotheses
            .iter()
            .find(|h| h.entity == entity && h.signature.is_some() && h.role != Role::Rejected);
        let subject = Subject::Entity(id);
        NodeView {
            role: link.map(|l| l.role).or(best.map(|h| h.role)),
            in_chain: link.is_some(),
            hypothesis: best.map(|h| h.id.clone()),
            onset: ranking.anomalies.get(&id).and_then(|a| a.onset).map(|o| o.at),
            traffic: self.levels(subject, "traffic"),
            errors: self.levels(subject, "errors"),
            latency: self.levels(subject, "latency"),
            entity,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AXIS: Window = Window { from: 0, to: 30_000 };

    #[test]
    fn points_in_one_cell_are_joined_and_gaps_cut() {
        let points = [(0, 1.0), (50, 3.0), (100, 5.0), (150, f64::NAN), (20_000, 7.0)];
        let drawn = runs(&points, AXIS, 60);
        assert_eq!(drawn.len(), 2);
        assert_eq!(drawn[0][0], ChartPoint { at: 0, mean: 2.0, low: 1.0, high: 3.0 });
        assert_eq!((drawn[0].len(), drawn[1].len()), (2, 1));
        let cut = gaps(&drawn, AXIS, 60);
        let ends: Vec<_> = cut.iter().map(|g| (g.from, g.to)).collect();
        assert_eq!(ends, [(100, 20_000), (20_000, 30_000)]);
    }

    #[test]
    fn no_points_are_one_gap_and_an_axis_without_length_is_none() {
        assert_eq!(gaps(&runs(&[], AXIS, 1), AXIS, 1).len(), 1);
        let none = Window { from: 5, to: 5 };
        assert!(runs(&[(5, 1.0)], none, 1).is_empty() && gaps(&[], none, 1).is_empty());
    }

    #[test]
    fn a_long_series_is_drawn_with_few_points() {
        let axis = Window { from: 0, to: 10_000_000 };
        let points: Vec<(Micros, f64)> = (0..10_000).map(|i| (i * 1000, i as f64)).collect();
        let drawn = runs(&points, axis, 1000);
        assert!(drawn.len() == 1 && drawn[0].len() <= POINTS_MAX as usize + 1);
    }
}
