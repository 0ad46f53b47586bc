//! What the answer concludes besides the hypotheses: the verdict with its reasons, impact, timeline,
//! what could not run, what was ruled out, which inputs are missing.

mod log_moments;

use super::Ranking;
use super::answer::{Writer, entity_ref};
use crate::catalog::{Category, Prior, Related, Relation};
use crate::diagnosis::{
    Evidence, EvidenceRole, EvidenceState, Hypothesis, Impact, Moment, Place, Rejected, Role,
    Skipped, Strength, Verdict,
};
use crate::features::window::{SYMPTOM_ROLES, is_felt};
use crate::graph::EdgeKind;
use crate::ingest::raw::FileId;
use crate::matching::{Rejection, Undecided, facts_symptom, is_source};
use crate::model::{EntityId, EntityKind, Gap, GapKind, Micros, SECOND, Subject};
use crate::telemetry::Telemetry;
use std::collections::{BTreeMap, BTreeSet};

/// Posterior from which the verdict is confirmed, with decisive evidence.
const CONFIRMED: f64 = 0.80;
/// The same where the match only says that something is slow or fails: that rests on the
/// abnormality alone.
const CONFIRMED_GENERIC: f64 = 0.90;
/// Score from which something is worth a look although nothing is disturbed.
const STANDS_OUT: f64 = 2.0;
/// Strength of a found window from which a vague explanation counts: two subjects 20 standard
/// deviations off, or more of them less far.
const CLEAR_STRENGTH: f64 = 6.0;
/// Odds below which two causes at one place are not told apart.
const CLOSE: f64 = 2.0;
/// Factor by which a symptom that stays below its noise must have moved to forbid "healthy".
const DOUBLED: f64 = 2.0;
/// Posterior of a place from which the verdict is likely.
const LIKELY: f64 = 0.45;

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
        let mut moments = log_moments::moments(self.context);
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
            let start = s.xact_start().or(s.query_start());
            let who = if s.application.is_empty() { &s.user } else { &s.application };
            let mut add = |at: Micros, said: String| {
                let entity = Some(entity_ref(self.context, b.database));
                let (kind, place) = ("session", self.place(s.file, s.line()));
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

    /// Says whether some symptom signal has a sample in the incident window.
    fn symptoms_were_read(&self) -> bool {
        let incident = self.context.features.windows.incident;
        self.context.rollups.series.iter().any(|s| {
            SYMPTOM_ROLES.contains(&s.role.as_str())
                && s.points.iter().any(|p| incident.contains(p.0))
        })
    }

    /// The verdict and what it rests on.
    pub(super) fn verdict(&self, hypotheses: &[Hypothesis]) -> (Verdict, Vec<String>) {
        let windows = &self.context.features.windows;
        let top = hypotheses.iter().find(|h| h.role != Role::Rejected);
        if !windows.disturbed
            && let Some(quiet) = self.undisturbed(top)
        {
            return quiet;
        }
        let mut reasons = Vec::new();
        if !self.symptoms_were_read() {
            reasons.push("no latency, error or availability sample lies in the window".to_owned());
        }
        let Some(top) = top else {
            reasons.push("nothing abnormal was seen that could be a cause".to_owned());
            return (Verdict::Inconclusive, reasons);
        };
        let runner_up = hypotheses.get(1).map_or(0.0, |h| h.probability);
        let (first, next) = (pct(top.probability), pct(runner_up));
        reasons.push(format!("{first} that it is the cause, the next {next}"));
        let present = || top.evidence.iter().filter(|e| e.state == EvidenceState::Present);
        let decisive =
            present().any(|e| e.role == EvidenceRole::Required && e.strength >= Strength::Strong);
        // Without an edge nothing tells a culprit from a victim, unless a fact decides by itself.
        let by_fact = present().any(|e| e.strength == Strength::Decisive);
        let told_apart = by_fact || self.has_edges(&top.entity.service);
        let enough = if self.is_generic(top) { CONFIRMED_GENERIC } else { CONFIRMED };
        let sure = top.probability >= enough && decisive && windows.felt && told_apart;
        let supported = windows.disturbed || top.signature.is_some();
        // Any recording has a stretch that looks worst. A vague explanation of a stretch that was
        // found, not told, needs more than one subject that is clearly off at once.
        let faint = self.is_generic(top) && windows.strength < CLEAR_STRENGTH;
        let refutes = |e: &Evidence| {
            e.role == EvidenceRole::Refutes
                && e.strength == Strength::Decisive
                && e.state == EvidenceState::Present
        };
        let refuted = top.against.iter().any(refutes);
        // A culprit and a victim on one entity share its probability: the place is meant.
        let place = |h: &&Hypothesis| h.entity.service == top.entity.service;
        let there: f64 = hypotheses.iter().filter(place).map(|h| h.probability).sum();
        // Two causes at one place, nearly as good: the first would be named by chance.
        let rival = |h: &&Hypothesis| place(h) && h.rank != top.rank && !self.is_generic(h);
        let rival = hypotheses.iter().filter(rival).find(|h| h.role == Role::Cause);
        let close = !self.is_generic(top)
            && rival.is_some_and(|h| h.probability * CLOSE >= top.probability);
        let untested = self.untested_form(top, by_fact);
        let verdict = match () {
            () if faint || refuted || untested.is_some() => Verdict::Inconclusive,
            () if sure => Verdict::Confirmed,
            () if there >= LIKELY && supported && !close => Verdict::Likely,
            () => Verdict::Inconclusive,
        };
        if faint {
            reasons.push("too little is off at once to tell it from chance".to_owned());
        }
        if refuted {
            reasons.push("decisive evidence speaks against it, and nothing fits better".to_owned());
        }
        if close {
            reasons.push("another cause at the same place is nearly as good".to_owned());
        }
        reasons.extend(untested);
        if !told_apart {
            reasons.push("no dependency of it is known: culprit and victim look alike".to_owned());
        }
        reasons.extend(self.basis(top, decisive));
        (verdict, reasons)
    }

    /// A more exact form of the hypothesis, on the same subject or its callee, that nothing speaks
    /// against and whose input was recorded, too thinly to test it to its end. Where the hypothesis
    /// only says where, it claims nothing that the exact form would change; nor where a fact
    /// decides for it, unless a series is what is too thin.
    fn untested_form(&self, top: &Hypothesis, by_fact: bool) -> Option<String> {
        let own = top.signature.as_deref().filter(|_| !self.is_generic(top))?;
        let graph = &self.context.telemetry.graph;
        let at = graph.find(&top.entity.service).or_else(|| graph.find(&top.entity.name))?;
        let at = graph.owner(at);
        let open = |u: &&Undecided| {
            let form = &self.catalog.signatures[u.signature].signature;
            let exact = |r: &Related| r.kind == Relation::Specialises && r.id == own;
            let owner = u.subject.map(|e| graph.owner(e));
            let here = owner.is_some_and(|o| o == at || graph.callees(at).contains(&o));
            let counts = !by_fact || u.lacks.starts_with("role:");
            here && counts && self.recorded(u) && form.related.iter().any(exact)
        };
        let found = self.matches.undecided.iter().find(open)?;
        let form = &self.catalog.signatures[found.signature].signature.id;
        let place = found.subject.map_or("the system", |e| self.context.name(e));
        Some(format!("{form} on {place} could not be ruled out: too little of {}", found.lacks))
    }

    /// Says whether there is something of what a signature lacked: it was too little.
    fn recorded(&self, u: &Undecided) -> bool {
        let series = &self.context.rollups.series;
        let own = u.subject.map(|e| self.context.series_of(Subject::Entity(e)));
        match u.lacks.as_str() {
            // A subject that calls somebody, in traces that hold few of its runs.
            "traces" => {
                let calls =
                    u.subject.is_some_and(|e| !self.context.telemetry.graph.callees(e).is_empty());
                calls && self.context.telemetry.trace_file.is_some()
            }
            "pg.sessions" => !self.context.telemetry.sessions.is_empty(),
            "pg.log" => !self.context.telemetry.log_times.is_empty(),
            lacks => own.into_iter().flatten().any(|i| is_source(self.context, &series[*i], lacks)),
        }
    }

    /// The verdict where no window was given or found, unless something strong stands out.
    fn undisturbed(&self, top: Option<&Hypothesis>) -> Option<(Verdict, Vec<String>)> {
        let normal = |h: &Hypothesis| {
            let file = h.signature.as_deref().and_then(|id| self.catalog.find(id).ok());
            file.is_some_and(|f| f.signature.category == Category::Normal)
        };
        let stands_out = |h: &Hypothesis| {
            h.signature.is_some() && !normal(h) && h.role == Role::Cause && h.score > STANDS_OUT
        };
        // Wrong data shows in no latency: where it is proved, nothing else need be disturbed.
        let silent = |h: &Hypothesis| {
            let file = h.signature.as_deref().and_then(|id| self.catalog.find(id).ok());
            let data = file.is_some_and(|f| f.signature.category == Category::Data);
            let proved = |e: &crate::diagnosis::Evidence| {
                e.state == EvidenceState::Present && e.strength == Strength::Decisive
            };
            data && h.role == Role::Cause && h.evidence.iter().any(proved)
        };
        if top.is_some_and(|h| stands_out(h) || silent(h)) {
            return None;
        }
        if let Some(hidden) = self.hidden_in_noise() {
            return Some((Verdict::Inconclusive, vec![hidden]));
        }
        let (verdict, what) = match self.symptoms_were_read() {
            true => (
                Verdict::Healthy,
                "no latency, error or availability signal leaves its usual level",
            ),
            false => (
                Verdict::Inconclusive,
                "no latency, error or availability signal was read in the window: nothing says \
                 that it is healthy",
            ),
        };
        Some((verdict, vec![what.to_owned()]))
    }

    /// A symptom whose middle level moved by what users feel between the halves, although its own
    /// noise is so large that this may be chance: that nothing is wrong cannot be said.
    fn hidden_in_noise(&self) -> Option<String> {
        let c = self.context;
        let moved = |i: &usize| {
            let s = &c.rollups.series[*i];
            let unit = c.telemetry.signals.get(s.signal).unit();
            let Some(shift) = c.features.series[*i].shift else { return false };
            SYMPTOM_ROLES.contains(&s.role.as_str())
                && is_felt(&s.role, unit, shift.baseline.median, shift.incident_median)
                && (shift.ratio() >= DOUBLED || shift.ratio() * DOUBLED <= 1.0)
        };
        let found = (0..c.rollups.series.len()).find(moved)?;
        Some(format!("{}: its noise hides whether that is chance", self.level_said(found)))
    }

    /// Says whether a hypothesis says where, not why.
    fn is_generic(&self, h: &Hypothesis) -> bool {
        let file = h.signature.as_deref().and_then(|id| self.catalog.find(id).ok());
        file.is_none_or(|f| f.signature.category == Category::Dependency)
    }

    fn has_edges(&self, name: &str) -> bool {
        let graph = &self.context.telemetry.graph;
        let known = graph.find(name);
        known.is_some_and(|e| !graph.callers(e).is_empty() || !graph.callees(e).is_empty())
    }

    /// What decides, and what is missing that would.
    fn basis(&self, top: &Hypothesis, decisive: bool) -> Vec<String> {
        let mut reasons = Vec::new();
        if top.signature.is_none() {
            let what =
                "the place is known better than the failure mode: no signature matches there";
            reasons.push(what.to_owned());
        } else if decisive {
            let strong = top.evidence.iter().filter(|e| e.nats >= 2.0);
            let by: Vec<&str> = strong.map(|e| e.id.as_str()).take(4).collect();
            let verb = if by.len() == 1 { "decides" } else { "decide" };
            reasons.push(format!("{} {verb} it", by.join(" ")));
        }
        let graph = &self.context.telemetry.graph;
        let kind = graph.find(&top.entity.name).map(|e| graph.entity(e).kind);
        if kind == Some(EntityKind::External) {
            let what = "it is only seen from outside: whether it or the way to it is at fault \
                        cannot be proven from this data";
            reasons.push(what.to_owned());
        }
        if kind == Some(EntityKind::Database) && self.context.telemetry.sessions.is_empty() {
            let what = "pg_stat_activity snapshots are missing: what happens inside the database \
                        cannot be seen";
            reasons.push(what.to_owned());
        }
        if !self.context.features.windows.felt {
            reasons.push("no user symptom was seen".to_owned());
        }
        reasons
    }
}

/// A probability in words that never claims certainty.
fn pct(p: f64) -> String {
    match p {
        _ if p > 0.99 => "more than 99 in 100".to_owned(),
        _ if p < 0.01 => "less than 1 in 100".to_owned(),
        _ => format!("{:.0} in 100", 100.0 * p),
    }
}
