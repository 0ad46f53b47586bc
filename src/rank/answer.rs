//! The ranking written up as a [`Diagnosis`]: evidence with ids and places, headline, chain,
//! impact, timeline and verdict with its reasons.

use super::anomaly::Anomaly;
use super::conclude::missing_inputs;
use super::pages::{Numbering, pages};
use super::suppress::{Held, expired};
use super::{Candidate, Ranking, chain};
use crate::catalog::Catalog;
use crate::diagnosis::{
    Action, CatalogRef, Diagnosis, Discriminator, EntityRef, Evidence, EvidenceRole,
    EvidenceSource, EvidenceState, FirstFailure, Hypothesis, Role, SCHEMA_VERSION, Span, Spark,
    Strength, Suppressed, Tool, Verdict, WindowReport,
};
use crate::features::{inside, robust};
use crate::matching::{Context, Matches, Seen, fill, fill_command, level_facts, target_name};
use crate::model::{EntityId, SECOND, Severity, Subject, Window};
use std::collections::BTreeMap;

/// Cells of a sparkline.
const CELLS: usize = 48;
/// Hypotheses whose chain is drawn, and evidence ids per link.
const CHAINS: usize = 3;
const EVIDENCE_PER_LINK: usize = 3;
/// Hypotheses that are written up.
const HYPOTHESES_MAX: usize = 40;

/// Writes parts of the answer.
pub struct Writer<'a> {
    pub context: &'a Context<'a>,
    pub catalog: &'a Catalog,
    pub matches: &'a Matches,
    pub anomalies: &'a BTreeMap<EntityId, Anomaly>,
    pub axis: Window,
}

/// An entity as reports name it.
pub fn entity_ref(context: &Context, id: EntityId) -> EntityRef {
    let e = context.telemetry.graph.entity(id);
    EntityRef {
        kind: e.kind.word(),
        name: e.name.clone(),
        service: e.service.clone().unwrap_or_else(|| e.name.clone()),
    }
}

fn system() -> EntityRef {
    EntityRef { kind: "system", name: "system".to_owned(), service: "system".to_owned() }
}

/// Writes the whole answer.
pub fn answer(
    context: &Context,
    catalog: &Catalog,
    matches: &Matches,
    ranking: &Ranking,
) -> Diagnosis {
    let windows = &context.features.windows;
    let anomalies = &ranking.anomalies;
    let writer = Writer { context, catalog, matches, anomalies, axis: axis(context) };
    let mut ids = Numbering::default();
    let kept = ranking.candidates.iter().filter(|c| worth_showing(c, ranking)).take(HYPOTHESES_MAX);
    let mut hypotheses: Vec<Hypothesis> =
        kept.enumerate().map(|(i, c)| writer.hypothesis(c, i + 1, &mut ids)).collect();
    let evidence = evidence_by_entity(&hypotheses);
    for h in hypotheses.iter_mut().take(CHAINS) {
        let Some(id) = context.telemetry.graph.find(&h.entity.service) else { continue };
        h.chain = chain::chain(&writer, ranking, id);
        for link in &mut h.chain {
            link.evidence = evidence.get(&link.entity.name).cloned().unwrap_or_default();
        }
    }
    let suppressed: Vec<Suppressed> =
        ranking.suppressed.iter().map(|held| writer.suppressed(held)).collect();
    let (verdict, mut reasons) = writer.verdict(&hypotheses);
    reasons.extend(suppressed.iter().filter(|s| s.first).map(accepted));
    let mut gaps = context.telemetry.gaps.clone();
    gaps.extend(context.rollups.gaps.iter().cloned());
    gaps.extend(context.rollups.sampling.clone());
    gaps.extend(missing_inputs(context.telemetry));
    gaps.extend(expired(context));
    let first = hypotheses.first().filter(|_| verdict > Verdict::Inconclusive);
    let first_failure = first.and_then(|h| {
        let link = h.chain.iter().filter(|l| l.onset.is_some()).min_by_key(|l| l.onset)?;
        Some(FirstFailure {
            entity: link.entity.clone(),
            at: link.onset?,
            uncertainty_s: link.onset_uncertainty_s.unwrap_or(0.0),
            said: link.said.clone(),
        })
    });
    Diagnosis {
        schema_version: SCHEMA_VERSION,
        tool: Tool { name: "rootline", version: env!("CARGO_PKG_VERSION") },
        catalog: CatalogRef { hash: catalog.hash.clone(), signatures: catalog.signatures.len() },
        title: context.telemetry.incident.title.clone(),
        inputs: context.telemetry.files.clone(),
        window: WindowReport {
            baseline: span(windows.baseline),
            incident: span(windows.incident),
            how: windows.how.clone(),
            found: windows.disturbed,
        },
        entities: context.telemetry.graph.ids().count(),
        edges: context.telemetry.graph.edges().count(),
        series: context.rollups.series.len(),
        verdict,
        reasons,
        impact: writer.impact(),
        first_failure,
        timeline: writer.timeline(ranking, verdict),
        skipped: writer.skipped(),
        rejected: writer.rejected(),
        pages: pages(&writer, ranking, &ids, &hypotheses),
        hypotheses,
        suppressed,
        overrides: Vec::new(),
        gaps,
    }
}

/// Why the first explanation is not the answer.
fn accepted(s: &Suppressed) -> String {
    let (id, on, until, reason) = (&s.signature, &s.entity.name, &s.until, &s.reason);
    format!("{id} on {on} would stand first, but the site accepts it until {until}: {reason}")
}

/// The strongest present evidence of each entity's findings, by id, at most three.
fn evidence_by_entity(hypotheses: &[Hypothesis]) -> BTreeMap<String, Vec<String>> {
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for h in hypotheses.iter().filter(|h| h.signature.is_some()) {
        let ids = out.entry(h.entity.name.clone()).or_default();
        let present = h.evidence.iter().filter(|e| e.state == EvidenceState::Present);
        let room = EVIDENCE_PER_LINK.saturating_sub(ids.len());
        ids.extend(present.take(room).map(|e| e.id.clone()));
    }
    out
}

fn span(w: Window) -> Span {
    Span { from: w.from, to: w.to }
}

fn axis(context: &Context) -> Window {
    let w = &context.features.windows;
    let length = (w.incident.to - w.incident.from).max(SECOND);
    let last = context.rollups.series.iter().filter_map(|s| s.points.last()).map(|p| p.0).max();
    let after = last.unwrap_or(w.incident.to).min(w.incident.to + length);
    Window { from: w.baseline.from.max(w.incident.from - 2 * length), to: after.max(w.incident.to) }
}

/// Unclassified entities without anything abnormal are no explanation; a baseline's are all it has.
fn worth_showing(c: &Candidate, ranking: &Ranking) -> bool {
    c.finding.is_some()
        || c.terms.len() == 1
        || c.entity.and_then(|e| ranking.blames.get(&e)).is_some_and(|b| b.local > 0.0)
}

impl Writer<'_> {
    fn suppressed(&self, held: &Held) -> Suppressed {
        let by = &self.context.telemetry.site.suppressions[held.by];
        let code = self.catalog.find(&by.id).map(|s| s.signature.code.clone());
        Suppressed {
            signature: by.id.clone(),
            code: code.unwrap_or_default(),
            headline: self.headline(&held.candidate),
            entity: held.candidate.entity.map_or_else(system, |e| entity_ref(self.context, e)),
            probability: held.candidate.probability,
            first: held.first,
            until: by.until_said.clone(),
            reason: by.reason.clone(),
            place: by.place.clone(),
        }
    }

    fn hypothesis(&self, c: &Candidate, rank: usize, ids: &mut Numbering) -> Hypothesis {
        let entity = c.entity.map_or_else(system, |e| entity_ref(self.context, e));
        let finding = c.finding.map(|f| &self.matches.findings[f]);
        let file = finding.map(|f| &self.catalog.signatures[f.signature]);
        let facts = finding.map(|f| f.facts.clone()).unwrap_or_default();
        let mut evidence = match finding {
            Some(f) => f.seen.iter().map(|s| self.evidence(f.signature, s, ids)).collect(),
            None => self.anomalies(c, ids),
        };
        let against_it = |e: &Evidence| e.nats < 0.0;
        let against: Vec<Evidence> = evidence.iter().filter(|e| against_it(e)).cloned().collect();
        evidence.retain(|e| !against_it(e));
        evidence.sort_by(|a, b| {
            (a.state, b.nats).partial_cmp(&(b.state, a.nats)).unwrap_or(std::cmp::Ordering::Equal)
        });
        Hypothesis {
            id: format!("H{rank}"),
            rank,
            signature: file.map(|f| f.signature.id.clone()),
            code: file.map(|f| f.signature.code.clone()),
            title: file.map_or_else(
                || "behaviour that no signature explains".to_owned(),
                |f| f.signature.title.clone(),
            ),
            headline: self.headline(c),
            entity,
            probability: c.probability,
            score: c.score,
            role: c.role,
            severity: file.map_or(Severity::Medium, |f| f.signature.severity),
            onset: c.onset.map(|o| o.at),
            onset_uncertainty_s: c.onset.map(|o| o.uncertainty_s()),
            discriminators: self.discriminators(c, &facts),
            mitigation: self.mitigation(c, &facts),
            facts,
            evidence,
            against,
            chain: Vec::new(),
            terms: c.terms.clone(),
        }
    }

    /// The title with the incident's own values.
    pub fn headline(&self, c: &Candidate) -> String {
        if let Some(f) = c.finding.map(|f| &self.matches.findings[f]) {
            return fill(&self.catalog.signatures[f.signature].text.headline, &f.facts);
        }
        let name = c.entity.map_or("the system", |e| self.context.name(e));
        let shared = c.entity.and_then(|e| self.anomalies.get(&e)).map(|a| a.shared.len());
        if let Some(callers) = shared.filter(|n| *n > 0) {
            return format!(
                "{name} or the way to it: {callers} callers suffer at once, and share it"
            );
        }
        match c.entity.and_then(|e| self.worst(e)) {
            Some(i) => format!("{name}: {}", self.level_said(i)),
            None => format!("{name} behaves unusually"),
        }
    }

    fn worst(&self, e: EntityId) -> Option<usize> {
        self.symptom_series(e).or_else(|| {
            let own = self.context.series_of(Subject::Entity(e)).iter().copied();
            let z = |i: usize| self.context.features.series[i].shift.map_or(0.0, |s| s.z.abs());
            own.max_by(|a, b| z(*a).total_cmp(&z(*b)).then(b.cmp(a)))
        })
    }

    /// `latency 5 ms -> 8.0 s (x1600)`.
    pub fn level_said(&self, i: usize) -> String {
        let facts = level_facts(self.context, i);
        let s = &self.context.rollups.series[i];
        let get = |k: &str| facts.get(k).cloned().unwrap_or_else(|| "?".to_owned());
        let what = if s.guessed { s.dims.clone() } else { s.role.clone() };
        format!("{what} {} -> {}", get("before"), get("during"))
    }

    fn evidence(&self, signature: usize, seen: &Seen, ids: &mut Numbering) -> Evidence {
        let rule = &self.catalog.signatures[signature].evidence[seen.rule];
        let o = &seen.observation;
        let (from, to) = (o.span.map(|s| s.0), o.span.map(|s| s.1));
        let source = match (o.series, &o.place) {
            (Some(i), _) => {
                let s = &self.context.rollups.series[i].source;
                Some(EvidenceSource {
                    file: s.file.clone(),
                    line: None,
                    series: s.series.clone(),
                    from,
                    to,
                })
            }
            (None, Some((file, line))) => Some(EvidenceSource {
                file: file.clone(),
                line: *line,
                series: String::new(),
                from,
                to,
            }),
            (None, None) => None,
        };
        Evidence {
            id: ids.next(o.series),
            name: rule.id.clone(),
            state: o.state,
            role: rule.role,
            strength: rule.strength,
            nats: seen.nats,
            said: seen.said.clone(),
            inferred: o.inferred,
            source,
            spark: o.series.map(|i| self.spark(i)),
        }
    }

    /// Evidence of an unclassified hypothesis: its most abnormal series.
    fn anomalies(&self, c: &Candidate, ids: &mut Numbering) -> Vec<Evidence> {
        let Some(id) = c.entity else { return Vec::new() };
        let Some(anomaly) = self.anomalies.get(&id) else { return Vec::new() };
        let own = anomaly.series.iter().filter(|s| s.score > 0.3);
        own.chain(&anomaly.shared)
            .take(6)
            .map(|s| {
                let series = &self.context.rollups.series[s.series];
                let w = self.context.features.windows.incident;
                let strength = match s.score {
                    x if x >= 2.5 => Strength::Strong,
                    x if x >= 1.2 => Strength::Moderate,
                    _ => Strength::Weak,
                };
                let at = target_name(self.context, series.subject);
                Evidence {
                    id: ids.next(Some(s.series)),
                    name: "anomaly".to_owned(),
                    state: EvidenceState::Present,
                    role: EvidenceRole::Supports,
                    strength,
                    nats: s.score,
                    said: format!("{at}: {}", self.level_said(s.series)),
                    inferred: false,
                    source: Some(EvidenceSource {
                        file: series.source.file.clone(),
                        line: None,
                        series: series.source.series.clone(),
                        from: Some(w.from),
                        to: Some(w.to),
                    }),
                    spark: Some(self.spark(s.series)),
                }
            })
            .collect()
    }

    fn discriminators(
        &self,
        c: &Candidate,
        facts: &BTreeMap<String, String>,
    ) -> Vec<Discriminator> {
        let Some(f) = c.finding.map(|f| &self.matches.findings[f]) else { return Vec::new() };
        let rules = &self.catalog.signatures[f.signature].discriminator;
        rules
            .iter()
            .map(|d| Discriminator {
                against: d.against.clone(),
                question: fill(&d.question, facts),
                this: fill(&d.this, facts),
                other: fill(&d.other, facts),
                command: d.command.as_ref().map(|x| fill_command(x, facts)),
                cost: d.cost.clone(),
            })
            .collect()
    }

    fn mitigation(&self, c: &Candidate, facts: &BTreeMap<String, String>) -> Vec<Action> {
        let Some(f) = c.finding.map(|f| &self.matches.findings[f]) else { return Vec::new() };
        let mut actions: Vec<Action> = self.catalog.signatures[f.signature]
            .mitigation
            .iter()
            .map(|m| Action {
                kind: m.kind,
                said: fill(&m.say, facts),
                command: m.command.as_ref().map(|x| fill_command(x, facts)),
                on: m.on.as_ref().map(|x| fill(x, facts)),
                effect: m.effect.as_ref().map(|x| fill(x, facts)),
            })
            .collect();
        actions.sort_by_key(|a| a.kind);
        actions
    }

    /// The series on the report's axis: means of equal cells, gaps where nothing was recorded.
    pub fn spark(&self, i: usize) -> Spark {
        let s = &self.context.rollups.series[i];
        let w = &self.context.features.windows;
        let width = ((self.axis.to - self.axis.from) / CELLS as i64).max(1);
        let mut cells: Vec<(f64, f64)> = vec![(0.0, 0.0); CELLS];
        for (t, v) in s.points.iter().filter(|p| self.axis.contains(p.0)) {
            let at = (((t - self.axis.from) / width) as usize).min(CELLS - 1);
            cells[at] = (cells[at].0 + v, cells[at].1 + 1.0);
        }
        let hold = (s.step + s.step / 2) / width;
        let mut filled: Vec<Option<f64>> =
            cells.iter().map(|(sum, n)| (*n > 0.0).then(|| sum / n)).collect();
        // A step longer than a cell is not a gap: the value holds until the next sample is due.
        let mut since = i64::MAX;
        for at in 0..CELLS {
            match filled[at] {
                Some(_) => since = 0,
                None if since < hold => {
                    since += 1;
                    filled[at] = filled[at - 1];
                }
                None => since = i64::MAX,
            }
        }
        let median = |window: Window| robust::median(&inside(s, window));
        Spark {
            axis: span(self.axis),
            cells: filled,
            unit: self.context.telemetry.signals.get(s.signal).unit(),
            before: median(w.baseline),
            during: median(w.incident),
        }
    }

    /// Index of the best candidate with a finding on an entity: as the cause, or as what it is
    /// in somebody else's chain, where another cause would contradict the chain.
    pub fn best_finding(&self, ranking: &Ranking, e: EntityId, as_cause: bool) -> Option<usize> {
        let on = |c: &Candidate| c.entity == Some(e) && c.finding.is_some();
        let wanted = |c: &Candidate| match as_cause {
            true => c.role == Role::Cause || c.role == Role::Amplifier,
            false => matches!(c.role, Role::Victim | Role::Amplifier),
        };
        ranking.candidates.iter().position(|c| on(c) && wanted(c))
    }

    /// The part an entity plays besides being the cause: an amplifier before a victim.
    pub fn role_of(&self, ranking: &Ranking, e: EntityId) -> Option<Role> {
        let roles =
            ranking.candidates.iter().filter(|c| c.entity == Some(e) && c.finding.is_some());
        let roles: Vec<Role> = roles.map(|c| c.role).collect();
        [Role::Amplifier, Role::Victim].into_iter().find(|r| roles.contains(r))
    }

    /// The series of the strongest present evidence of an entity's finding.
    pub fn finding_series(&self, ranking: &Ranking, e: EntityId, as_cause: bool) -> Option<usize> {
        let f = ranking.candidates[self.best_finding(ranking, e, as_cause)?].finding?;
        let seen = self.matches.findings[f].seen.iter();
        seen.filter(|s| s.observation.state == EvidenceState::Present && s.nats > 0.0)
            .filter_map(|s| s.observation.series.map(|i| (i, s.nats)))
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
            .map(|(i, _)| i)
    }
}
