//! What keeps a first hypothesis from being claimed: explanations beside it that the data neither
//! show nor rule out. In: hypotheses, what was undecided, what nearly matched. Out: reasons.
//!
//! How much doubt counts depends on what the hypothesis claims. That a thing is slow or fails says
//! only where: a reason known at another place beats it. That a change did it rests on two things
//! happening at one time, which they often do by chance: any mechanism beside it counts. A
//! mechanism that matched is doubted only by its own more exact forms and its look-alikes.

use super::answer::Writer;
use super::verdict::CONFIRMED_GENERIC;
use super::{explain_away, shared};
use crate::catalog::{Category, Relation, Signature, SignatureFile};
use crate::diagnosis::{EvidenceRole, EvidenceState, Hypothesis, Role, Strength};
use crate::graph::EdgeKind;
use crate::matching::{Near, Undecided};
use crate::model::{EntityId, Subject};

/// Odds below which a mechanism that matched in full beside a claim of a place or a moment leaves
/// it open: such a claim rests on the abnormality that the mechanism explains as well.
const RIVAL_ODDS: f64 = 5.0;
/// Share of what users felt from which an entity accounts for the major part.
const MAJOR: f64 = 0.5;
/// Robust standard deviations of the middle from which a level moved, as for evidence.
const LASTING_Z: f64 = 3.0;
/// Tests by which a signature rests on a change that happened at the time.
const MOMENTS: [&str; 2] = ["event", "onset-after-event"];

/// What a hypothesis claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// Where the trouble is, not why.
    Place,
    /// That a change did it, because it came right before.
    Moment,
    /// Why.
    Mechanism,
}

impl Writer<'_> {
    /// The signature of a hypothesis, if it has one.
    pub(super) fn file_of(&self, h: &Hypothesis) -> Option<&SignatureFile> {
        self.catalog.find(h.signature.as_deref()?).ok()
    }

    /// What a hypothesis claims. A change is told from a coincidence only by a decisive fact, such
    /// as old and new versions side by side.
    pub(super) fn claim(&self, h: &Hypothesis) -> Claim {
        let exact = |f: &&SignatureFile| f.signature.category != Category::Dependency;
        let Some(file) = self.file_of(h).filter(exact) else { return Claim::Place };
        let moment = is_about_a_moment(file) && !is_proved(h);
        if moment { Claim::Moment } else { Claim::Mechanism }
    }

    /// Why the first hypothesis is not claimed, if its rivals forbid it.
    pub(super) fn doubts(&self, hypotheses: &[Hypothesis], top: &Hypothesis) -> Vec<String> {
        let claim = self.claim(top);
        let found = [
            self.untested_form(top, claim),
            self.near_miss(top, claim),
            self.rival(hypotheses, top, claim),
            self.unheard(top, claim),
            self.small_part(top, claim),
            self.only_shared(top),
            self.only_spikes(top),
        ];
        found.into_iter().flatten().collect()
    }

    /// The entity of a hypothesis, or that of which it is a part.
    fn place_of(&self, h: &Hypothesis) -> Option<EntityId> {
        let graph = &self.context.telemetry.graph;
        let at = graph.find(&h.entity.service).or_else(|| graph.find(&h.entity.name))?;
        Some(graph.owner(at))
    }

    /// Entities whose trouble shows at `at`: what it calls and what it runs on.
    fn behind(&self, at: EntityId) -> Vec<EntityId> {
        let graph = &self.context.telemetry.graph;
        let hosts = graph.edges().filter(|e| e.0 == at && e.2 == EdgeKind::RunsOn).map(|e| e.1);
        graph.callees(at).iter().copied().chain(hosts).collect()
    }

    /// Says whether trouble by `form` at `subject` is beside a hypothesis: it would change what
    /// the hypothesis claims.
    fn is_beside(
        &self,
        top: &Hypothesis,
        claim: Claim,
        form: &Signature,
        subject: Option<EntityId>,
    ) -> bool {
        let Some(at) = self.place_of(top) else { return false };
        let graph = &self.context.telemetry.graph;
        let owner = subject.map(|e| graph.owner(e));
        let here = owner == Some(at);
        let behind = owner.is_some_and(|o| self.behind(at).contains(&o));
        let cause = form.role == Role::Cause && !is_vague(form);
        match claim {
            // The place stays the same with a reason; another place does not.
            Claim::Place => cause && behind && !here,
            Claim::Moment => cause && (here || behind),
            // Who sends too much is seen in front of what cannot serve it.
            Claim::Mechanism => {
                let front = self.is_load_in_front(top, form, subject);
                (here || behind || front) && self.relates(form, top, Relation::Specialises)
            }
        }
    }

    /// Load goes from caller to callee: too much of it has its place in front of where it shows.
    fn is_load_in_front(&self, top: &Hypothesis, form: &Signature, e: Option<EntityId>) -> bool {
        let graph = &self.context.telemetry.graph;
        let Some((at, from)) = self.place_of(top).zip(e.map(|e| graph.owner(e))) else {
            return false;
        };
        form.category == Category::Overload && graph.dependants(at).contains_key(&from)
    }

    fn is_same(&self, top: &Hypothesis, subject: Option<EntityId>) -> bool {
        let graph = &self.context.telemetry.graph;
        subject.map(|e| graph.owner(e)).is_some_and(|e| Some(e) == self.place_of(top))
    }

    fn relates(&self, form: &Signature, top: &Hypothesis, kind: Relation) -> bool {
        let own = top.signature.as_deref();
        form.related.iter().any(|r| r.kind == kind && Some(r.id.as_str()) == own)
    }

    /// Something more exact that nothing speaks against and whose input was recorded, too thinly to
    /// test it to its end. A mechanism with a decisive fact is open only where a series is thin;
    /// any other claim where more than the symptoms fits, or where the trouble behind it speaks
    /// against it.
    fn untested_form(&self, top: &Hypothesis, claim: Claim) -> Option<String> {
        let by_fact = is_proved(top);
        let at = self.place_of(top);
        let open = |u: &&Undecided| {
            let form = &self.catalog.signatures[u.signature].signature;
            let elsewhere = u.subject.map(|e| self.context.telemetry.graph.owner(e)) != at;
            let counts = match claim {
                Claim::Mechanism => !by_fact || u.lacks.starts_with("role:"),
                _ => u.told >= Some(Strength::Strong) || elsewhere && !top.against.is_empty(),
            };
            counts && self.recorded(u) && self.is_beside(top, claim, form, u.subject)
        };
        let found = self.matches.undecided.iter().find(open)?;
        let form = &self.catalog.signatures[found.signature].signature.id;
        let place = found.subject.map_or("the system", |e| self.context.name(e));
        Some(format!("{form} on {place} could not be ruled out: too little of {}", found.lacks))
    }

    /// Says whether a more exact form is open for which nothing was recorded, while something speaks
    /// against the plain one: it may be that, and nobody can tell.
    pub(super) fn is_form_open(&self, top: &Hypothesis) -> bool {
        let open = |u: &Undecided| {
            let form = &self.catalog.signatures[u.signature].signature;
            self.is_beside(top, Claim::Mechanism, form, u.subject)
        };
        !is_proved(top) && !top.against.is_empty() && self.matches.undecided.iter().any(open)
    }

    /// Says whether there is something of what a signature lacked: it was too little.
    fn recorded(&self, u: &Undecided) -> bool {
        match u.lacks.as_str() {
            // A subject that calls somebody, in traces that hold few of its runs.
            "traces" => {
                let calls =
                    u.subject.is_some_and(|e| !self.context.telemetry.graph.callees(e).is_empty());
                calls && self.context.telemetry.trace_file.is_some()
            }
            "pg.sessions" => !self.context.telemetry.sessions.is_empty(),
            "pg.log" => !self.context.telemetry.log_times.is_empty(),
            lacks => u
                .subject
                .is_some_and(|e| !self.context.of_source(lacks).at(Subject::Entity(e)).is_empty()),
        }
    }

    /// Something more exact, or a look-alike on the same subject, that failed by a margin although
    /// what it is about clearly moved.
    fn near_miss(&self, top: &Hypothesis, claim: Claim) -> Option<String> {
        let mut near = self.matches.rejections.iter().filter_map(|r| Some((r, r.near?)));
        let (found, _) = near.find(|(r, near)| {
            let form = &self.catalog.signatures[r.signature].signature;
            let alike = *near == Near::Certainty
                && self.relates(form, top, Relation::Mimics)
                && self.is_same(top, r.subject);
            let front = claim == Claim::Place && self.is_load_in_front(top, form, r.subject);
            alike || front || self.is_beside(top, claim, form, r.subject)
        })?;
        let form = &self.catalog.signatures[found.signature].signature.id;
        let place = found.subject.map_or("the system", |e| self.context.name(e));
        Some(format!("{form} on {place} is nearly so, and not ruled out: {}", found.reason))
    }

    /// A mechanism that matched in full beside a claim that names none.
    fn rival(&self, all: &[Hypothesis], top: &Hypothesis, claim: Claim) -> Option<String> {
        if claim == Claim::Mechanism {
            return None;
        }
        let at = self.place_of(top)?;
        let graph = &self.context.telemetry.graph;
        let beside = |h: &&Hypothesis| {
            let Some(other) = self.place_of(h) else { return false };
            let near = self.behind(at).contains(&other) || graph.callers(at).contains(&other);
            other != at && near
        };
        let strong = |h: &&Hypothesis| {
            h.role == Role::Cause
                && h.probability * RIVAL_ODDS >= top.probability
                && self.claim(h) == Claim::Mechanism
        };
        let found = all.iter().filter(|h| h.rank != top.rank).filter(strong).find(beside)?;
        let id = found.signature.as_deref().unwrap_or_default();
        Some(format!("{id} on {} says why, and explains it as well", found.entity.name))
    }

    /// A place that says nothing itself, seen only by its callers, while it depends on others:
    /// whether it or one of those is at fault cannot be told.
    fn unheard(&self, top: &Hypothesis, claim: Claim) -> Option<String> {
        let at = self.place_of(top).filter(|_| claim == Claim::Place && top.signature.is_some())?;
        let graph = &self.context.telemetry.graph;
        let says = self
            .context
            .with_parts(at)
            .into_iter()
            .any(|e| !self.context.series_of(Subject::Entity(e)).is_empty());
        let depends = !graph.callees(at).is_empty();
        (depends && !says).then(|| {
            let name = self.context.name(at);
            format!("{name} reports nothing itself: it or what it calls may be at fault")
        })
    }

    /// A place whose own waiting or failing is a minor part of what users felt, short of near
    /// certainty: the major part comes from somewhere else.
    fn small_part(&self, top: &Hypothesis, claim: Claim) -> Option<String> {
        let share = explain_away::size_of(&top.terms)?;
        let minor = claim == Claim::Place && share < MAJOR && top.probability < CONFIRMED_GENERIC;
        minor.then(|| format!("it accounts for {:.0} % of what users felt", 100.0 * share))
    }

    /// A place that shows nothing itself: that all its callers suffer speaks for it, and as much for
    /// anything else that they share.
    fn only_shared(&self, top: &Hypothesis) -> Option<String> {
        let at = self.place_of(top).filter(|_| top.signature.is_none())?;
        let shared = self.anomalies.get(&at).is_some_and(|a| !a.shared.is_empty());
        shared.then(|| {
            let name = self.context.name(at);
            format!(
                "{name} shows nothing itself: it, the way to it or what else its callers share may \
                 be at fault"
            )
        })
    }

    /// A slow place that depends on others, where nobody measures how long its calls take: it is
    /// mostly the place all the same, and never sure.
    pub(super) fn unseen_way(&self, top: &Hypothesis) -> Option<String> {
        let at = self.place_of(top).filter(|_| self.claim(top) == Claim::Place)?;
        let callee = shared::unseen_way(self.context, self.anomalies, at)?;
        let (name, callee) = (self.context.name(at), self.context.name(callee));
        Some(format!(
            "{name} shows no reason of its own, and nothing measures its calls: the way to {callee} \
             may be at fault as well"
        ))
    }

    /// A place that no signature explains and of which no series lastingly left its usual level:
    /// its highest samples are higher, its middle is as before.
    fn only_spikes(&self, top: &Hypothesis) -> Option<String> {
        let at = self.place_of(top).filter(|_| top.signature.is_none())?;
        let c = self.context;
        let lasting = |i: usize| {
            c.features.series[i].shift.is_some_and(|s| s.z_median.abs() >= LASTING_Z)
                || c.features.series[i].silent
        };
        let lasts = self.anomalies.get(&at).is_some_and(|shown| {
            shown.silent > 0
                || !shown.shared.is_empty()
                || shown.series.iter().any(|s| lasting(s.series))
        });
        (!lasts).then(|| "no level of it lastingly moved: only its highest samples did".to_owned())
    }
}

/// Says whether a decisive fact is there.
pub(super) fn is_proved(h: &Hypothesis) -> bool {
    h.evidence.iter().any(|e| e.state == EvidenceState::Present && e.strength == Strength::Decisive)
}

/// Says whether a signature rests on a change that came right before.
fn is_about_a_moment(file: &SignatureFile) -> bool {
    let mut required = file.evidence.iter().filter(|r| r.role == EvidenceRole::Required);
    required.any(|r| MOMENTS.contains(&r.test.as_str()))
}

fn is_vague(s: &Signature) -> bool {
    matches!(s.category, Category::Dependency | Category::Normal)
}
