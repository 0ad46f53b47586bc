//! What the answer concludes besides the hypotheses and the verdict: impact, timeline, what could
//! not run, what was ruled out, which inputs are missing.

use super::Ranking;
use super::answer::{Writer, entity_ref};
use crate::catalog::Prior;
use crate::diagnosis::{Impact, Moment, Place, Rejected, Role, Skipped, Verdict};
use crate::graph::EdgeKind;
use crate::ingest::raw::FileId;
use crate::matching::{Rejection, facts_symptom};
use crate::model::{EntityId, EntityKind, Gap, GapKind, Micros, SECOND, Subject};
use crate::telemetry::Telemetry;
use std::collections::{BTreeMap, BTreeSet};

/// Kinds of input that nobody gave, and what cannot be seen without them.
pub fn missing_inputs(t: &Telemetry) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let databases = t.graph.ids().any(|e| t.graph.entity(e).kind == EntityKind::Database);
    if databases && t.sessions.is_empty() {
        let what = "no pg_stat_activity snapshots: locks and blocking sessions cannot be seen";
        gaps.push(Gap::new(GapKind::Missing, what));
    }
    if t.trace_file.is_none() {
        gaps.push(Gap::new(
            GapKind::Missing,
            "no traces: own time and calls per request cannot be seen",
        ));
    }
    let tells = |kind| matches!(kind, EdgeKind::Calls | EdgeKind::Messages);
    if !t.graph.edges().any(|(_, _, kind)| tells(kind)) {
        let what = "no dependency graph (traces, edge labels or topology.csv): cause and \
                    victim cannot be told apart by it";
        gaps.push(Gap::new(GapKind::Missing, what));
    }
    if t.events.is_empty() {
        gaps.push(Gap::new(
            GapKind::Missing,
            "no change events (deploys, flags): changes cannot be tested",
        ));
    }
    gaps
}

impl Writer<'_> {
    pub(super) fn impact(&self) -> Vec<Impact> {
        if !self.context.features.windows.disturbed {
            return Vec::new();
        }
        let graph = &self.context.telemetry.graph;
        let mut found: Vec<(bool, f64, Impact)> = Vec::new();
        let mut seen: BTreeSet<(EntityId, String)> = BTreeSet::new();
        for (i, s) in self.context.rollups.series.iter().enumerate() {
            let Subject::Entity(e) = s.subject else { continue };
            let (Some(z), EntityKind::Service) =
                (facts_symptom(self.context, i), graph.entity(e).kind)
            else {
                continue;
            };
            if !seen.insert((e, s.role.clone())) {
                continue;
            }
            let Some(shift) = self.context.features.series[i].shift else { continue };
            let impact = Impact {
                entity: entity_ref(self.context, e),
                signal: self.context.telemetry.signals.get(s.signal).name.clone(),
                said: self.level_said(i),
                before: shift.baseline.median,
                during: shift.incident_median,
                unit: self.context.telemetry.signals.get(s.signal).unit(),
                source: s.source.clone(),
            };
            found.push((self.context.entries.contains(&e), z, impact));
        }
        found.sort_by(|a, b| b.0.cmp(&a.0).then(b.1.total_cmp(&a.1)).then(a.2.said.cmp(&b.2.said)));
        found.into_iter().map(|f| f.2).collect()
    }

    pub(super) fn timeline(&self, ranking: &Ranking, verdict: Verdict) -> Vec<Moment> {
        let mut moments: Vec<Moment> = Vec::new();
        for (ids, e) in &self.context.telemetry.events {
            let title = if e.title.is_empty() { e.kind.clone() } else { e.title.clone() };
            let version = if title.contains(&e.version) { "" } else { e.version.as_str() };
            let said = format!("{} {title} {version}", e.kind);
            moments.push(Moment {
                at: e.at,
                kind: if e.kind == "alert" { "alert" } else { "change" },
                entity: ids.first().map(|i| entity_ref(self.context, *i)),
                said: said.split_whitespace().collect::<Vec<_>>().join(" "),
                uncertainty_s: None,
                place: self.place(e.file, e.line),
            });
        }
        if verdict > Verdict::Healthy {
            for (id, a) in &ranking.anomalies {
                if let Some(o) = a.onset.filter(|_| a.series.first().is_some_and(|s| s.score > 1.0))
                {
                    moments.push(Moment {
                        at: o.at,
                        kind: "onset",
                        entity: Some(entity_ref(self.context, *id)),
                        said: a
                            .series
                            .first()
                            .map_or_else(String::new, |s| self.level_said(s.series)),
                        uncertainty_s: Some(o.uncertainty_s()),
                        place: a.series.first().map(|s| {
                            let file = self.context.rollups.series[s.series].source.file.clone();
                            Place { file, line: None }
                        }),
                    });
                }
            }
        }
        for b in self.context.features.blockers.iter().filter(|b| b.stays()) {
            let s = &b.session;
            let start = s.xact_start.or(s.query_start);
            let who = if s.application.is_empty() { &s.user } else { &s.application };
            let mut add = |at: Micros, said: String| {
                let entity = Some(entity_ref(self.context, b.database));
                let (kind, place) = ("session", self.place(s.file, s.line));
                moments.push(Moment { at, kind, entity, said, uncertainty_s: None, place });
            };
            if let Some(t) = start {
                add(
                    t,
                    format!(
                        "pid {} ({who}) starts {}",
                        s.pid,
                        crate::ingest::sql::summary(&s.query)
                    ),
                );
            }
            add(b.since, format!("first session waits behind pid {}", s.pid));
            add(b.last_seen, format!("pid {} blocks {} sessions, last seen", s.pid, b.victims));
        }
        let w = &self.context.features.windows;
        let last =
            self.context.rollups.series.iter().filter_map(|s| s.points.last()).map(|p| p.0).max();
        if w.disturbed && !w.given && last.is_some_and(|l| l > w.incident.to + 5 * SECOND) {
            let said = "symptoms are back at their usual level".to_owned();
            moments.push(Moment {
                at: w.incident.to,
                kind: "recovery",
                entity: None,
                said,
                uncertainty_s: None,
                place: None,
            });
        }
        moments.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.said.cmp(&b.said)));
        moments.dedup_by(|a, b| a.at == b.at && a.said == b.said && a.entity == b.entity);
        moments
    }

    /// Where a row was read.
    fn place(&self, file: FileId, line: u64) -> Option<Place> {
        let file = self.context.telemetry.files.get(file as usize)?.path.clone();
        Some(Place { file, line: (line > 0).then_some(line) })
    }

    pub(super) fn skipped(&self) -> Vec<Skipped> {
        let name = |i: &usize| self.catalog.signatures[*i].signature.id.clone();
        let all = self.matches.skipped.iter();
        all.map(|(i, m)| Skipped { signature: name(i), missing: m.iter().cloned().collect() })
            .collect()
    }

    /// Refuted signatures: those that came nearest to a match, once per signature.
    pub(super) fn rejected(&self) -> Vec<Rejected> {
        let found: BTreeSet<usize> = self.matches.findings.iter().map(|f| f.signature).collect();
        let tried = |r: &&Rejection| r.present > 0 || !found.contains(&r.signature);
        let mut best: BTreeMap<usize, &Rejection> = BTreeMap::new();
        for r in self.matches.rejections.iter().filter(tried) {
            let slot = best.entry(r.signature).or_insert(r);
            let entry =
                |x: &Rejection| x.subject.is_some_and(|e| self.context.entries.contains(&e));
            if (r.present, entry(r)) > (slot.present, entry(slot)) {
                *slot = r;
            }
        }
        type Order = ((bool, bool), std::cmp::Reverse<usize>);
        let mut out: Vec<(Order, Rejected)> = best
            .values()
            .map(|r| {
                let s = &self.catalog.signatures[r.signature].signature;
                let rejected = Rejected {
                    signature: s.id.clone(),
                    title: s.title.clone(),
                    entity: r.subject.map(|e| entity_ref(self.context, e)),
                    reason: r.reason.clone(),
                };
                // What people would think of first, then what came nearest to a match.
                let rarity = (s.role != Role::Cause, s.prior != Prior::Common);
                ((rarity, std::cmp::Reverse(r.present)), rejected)
            })
            .collect();
        out.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.signature.cmp(&b.1.signature)));
        out.into_iter().map(|r| r.1).collect()
    }
}
