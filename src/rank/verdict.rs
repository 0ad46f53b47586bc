//! The verdict and what it rests on. In: the hypotheses, best first. Out: how sure the first one
//! is, with the reasons in words.
//!
//! A verdict above inconclusive is a claim that people act on. It needs more than a high
//! probability: evidence that decides, a place that the graph tells from its neighbours, and no
//! explanation beside it that the data neither show nor rule out (see `doubts`).

use super::anomaly::Anomaly;
use super::answer::Writer;
use super::doubts::{Claim, is_proved};
use crate::catalog::{Category, SignatureFile};
use crate::diagnosis::{
    Evidence, EvidenceRole, EvidenceState, Hypothesis, Role, Strength, Verdict,
};
use crate::matching::Seen;
use crate::model::EntityKind;
use std::collections::BTreeMap;

/// Posterior from which the verdict is confirmed, with decisive evidence.
const CONFIRMED: f64 = 0.80;
/// The same where the match only says that something is slow or fails: that rests on the
/// abnormality alone.
pub(super) const CONFIRMED_GENERIC: f64 = 0.90;
/// Strength of a found window from which a vague explanation counts: two subjects 20 standard
/// deviations off, or more of them less far.
const CLEAR_STRENGTH: f64 = 6.0;
/// Odds below which two causes at one place are not told apart.
const CLOSE: f64 = 2.0;
/// Abnormality of latency or errors from which an entity suffers as well, 0 to 1.
const SUFFERS: f64 = 0.5;
/// Odds below which a place where something is slow or fails is not told from the next one.
const EVEN: f64 = 1.5;
/// Fewest samples of a usual level that tell how far it moves by itself: one or two have no spread.
const USUAL_MIN: usize = 3;
/// Tests by which a level left the usual one.
const COMPARING: [&str; 2] = ["shift-up", "shift-down"];
/// The test by which it did not, which decides nothing by itself.
const STEADY: &str = "steady";
/// Posterior of a place from which the verdict is likely.
const LIKELY: f64 = 0.45;

impl Writer<'_> {
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
        let told_apart = is_proved(top) || self.has_edges(&top.entity.service);
        // Two things at one time may be so by chance, however well they fit.
        let by_time = self.claim(top) == Claim::Moment;
        let enough = if self.is_generic(top) { CONFIRMED_GENERIC } else { CONFIRMED };
        let thin = self.thin_usual(top);
        let way = self.unseen_way(top);
        let sure = top.probability >= enough
            && decisive
            && windows.felt
            && told_apart
            && way.is_none()
            && !self.is_form_open(top)
            && (is_proved(top) || !self.is_unseen(top));
        let alike = !told_apart && self.is_symptom(top) && self.others_suffer(&top.entity.service);
        let supported = windows.disturbed || top.signature.is_some();
        // Any recording has a stretch that looks worst. A vague explanation of a stretch that was
        // found, not told, needs more than one subject that is clearly off at once.
        let faint = self.is_generic(top) && windows.strength < CLEAR_STRENGTH;
        let refuted = top.against.iter().any(refutes);
        // A culprit and a victim on one entity share its probability: the place is meant.
        let (there, elsewhere) = places(hypotheses, top);
        let even = self.is_generic(top) && elsewhere * EVEN >= there;
        let close = self.is_close(hypotheses, top);
        let doubts = self.doubts(hypotheses, top);
        let verdict = match () {
            () if faint || refuted || thin.is_some() => Verdict::Inconclusive,
            () if !doubts.is_empty() => Verdict::Inconclusive,
            () if sure && !by_time => Verdict::Confirmed,
            () if close || even || alike => Verdict::Inconclusive,
            () if there >= LIKELY && supported => Verdict::Likely,
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
        if even {
            reasons.push("another place is nearly as good".to_owned());
        }
        reasons.extend(doubts);
        if let Some(n) = thin {
            let of = if n == 1 { "one sample" } else { "two samples" };
            reasons.push(format!("only {of} before the incident to tell what is usual"));
        }
        if !told_apart {
            reasons.push("no dependency of it is known: culprit and victim look alike".to_owned());
        }
        reasons.extend(self.basis(top, decisive));
        reasons.extend(way);
        (verdict, reasons)
    }

    /// Says whether two causes at one place are nearly as good: the first would be named by chance.
    fn is_close(&self, hypotheses: &[Hypothesis], top: &Hypothesis) -> bool {
        let rival = |h: &&Hypothesis| {
            h.entity.service == top.entity.service && h.rank != top.rank && !self.is_generic(h)
        };
        let rival = hypotheses.iter().filter(rival).find(|h| h.role == Role::Cause);
        !self.is_generic(top) && rival.is_some_and(|h| h.probability * CLOSE >= top.probability)
    }

    /// How many samples the usual level has that the deciding evidence is held against, where they
    /// are too few; `None` where it rests on enough, or on no comparison.
    fn thin_usual(&self, top: &Hypothesis) -> Option<usize> {
        let graph = &self.context.telemetry.graph;
        let (file, subject) = (self.file_of(top)?, graph.find(&top.entity.name));
        let mut findings = self.matches.findings.iter();
        let finding = findings.find(|f| {
            let id = &self.catalog.signatures[f.signature].signature.id;
            Some(id) == top.signature.as_ref() && f.subject == subject
        })?;
        let deciding = finding.seen.iter().filter(|s| {
            let rule = &file.evidence[s.rule];
            s.observation.state == EvidenceState::Present
                && rule.role == EvidenceRole::Required
                && rule.strength >= Strength::Strong
                && rule.test != STEADY
        });
        let samples = |s: &Seen| {
            let compares = COMPARING.contains(&file.evidence[s.rule].test.as_str());
            let series = s.observation.series.filter(|_| compares)?;
            Some(self.context.features.series[series].shift?.baseline.n)
        };
        let most = deciding.map(|s| samples(s).unwrap_or(usize::MAX)).max()?;
        (most < USUAL_MIN).then_some(most)
    }

    /// Says whether a hypothesis says where, not why.
    fn is_generic(&self, h: &Hypothesis) -> bool {
        self.file_of(h).is_none_or(|f| f.signature.category == Category::Dependency)
    }

    /// Says whether a hypothesis rests on what a victim shows as well: slowness, failures, load.
    fn is_symptom(&self, h: &Hypothesis) -> bool {
        let load = |f: &SignatureFile| f.signature.category == Category::Overload;
        self.is_generic(h) || self.file_of(h).is_some_and(load)
    }

    fn kind_of(&self, h: &Hypothesis) -> Option<EntityKind> {
        let graph = &self.context.telemetry.graph;
        graph.find(&h.entity.name).map(|e| graph.entity(e).kind)
    }

    /// Says whether it is about a database into which no sessions let look: from outside, many of its
    /// causes look alike.
    fn is_unseen(&self, h: &Hypothesis) -> bool {
        self.kind_of(h) == Some(EntityKind::Database) && self.context.telemetry.sessions.is_empty()
    }

    /// Says whether another service than this one is slow or fails.
    fn others_suffer(&self, name: &str) -> bool {
        let graph = &self.context.telemetry.graph;
        let own = graph.find(name).map(|e| graph.owner(e));
        let suffers = |a: &Anomaly| a.suffering() > SUFFERS;
        self.anomalies.iter().any(|(e, a)| own != Some(graph.owner(*e)) && suffers(a))
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
        if self.kind_of(top) == Some(EntityKind::External) {
            let what = "it is only seen from outside: whether it or the way to it is at fault \
                        cannot be proven from this data";
            reasons.push(what.to_owned());
        }
        if self.is_unseen(top) {
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

/// Says whether a piece of evidence decides against what it is about.
fn refutes(e: &Evidence) -> bool {
    e.role == EvidenceRole::Refutes
        && e.strength == Strength::Decisive
        && e.state == EvidenceState::Present
}

/// Probabilities that the cause is at the place of `top`, and at the likeliest of the others.
fn places(hypotheses: &[Hypothesis], top: &Hypothesis) -> (f64, f64) {
    let mut all: BTreeMap<&str, f64> = BTreeMap::new();
    for h in hypotheses {
        *all.entry(&h.entity.service).or_default() += h.probability;
    }
    let there = all.remove(top.entity.service.as_str()).unwrap_or(0.0);
    (there, all.into_values().fold(0.0, f64::max))
}

/// A probability in words that never claims certainty.
fn pct(p: f64) -> String {
    match p {
        _ if p > 0.99 => "more than 99 in 100".to_owned(),
        _ if p < 0.01 => "less than 1 in 100".to_owned(),
        _ => format!("{:.0} in 100", 100.0 * p),
    }
}
