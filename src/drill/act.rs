//! Actions on a recording: they replay what happened, or say what the runbook knows. In: a verb and
//! a target. Out: whether it helps, in words, and the time at which its effect can be seen.
//!
//! On a simulated incident the simulator answers instead.

use super::case::Case;
use super::content::Outcome;
use super::runbook;
use super::verbs::Verb;
use crate::model::{EntityId, Micros};
use crate::time;

/// An action that was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Deed {
    pub verb: String,
    pub target: String,
    pub outcome: Outcome,
    /// What it gives and takes.
    pub trade: String,
}

/// What an action comes to.
pub struct Judged {
    pub outcome: Outcome,
    pub said: Vec<String>,
    /// The clock goes on to this time, where the recording shows the effect.
    pub until: Option<Micros>,
}

/// Judges an action on a recording at a time.
pub fn judge(case: &Case, verb: &Verb, target: &Aim, now: Micros) -> Judged {
    if let Some(a) = told(case, verb, target) {
        let until = (a.0 == Outcome::Helps).then(|| over(case, now)).flatten();
        return Judged { outcome: a.0, said: vec![a.1], until };
    }
    let right = is_right(case, verb, target);
    let (outcome, mut said) = match recorded(case, verb, target, now) {
        Some(found) => found,
        None => runbook::ask(case, verb, right),
    };
    let until = (outcome == Outcome::Helps).then(|| over(case, now)).flatten();
    if outcome == Outcome::Helps && until.is_none() && case.plan.over.is_none() {
        said.push(
            "the recording ends before anybody did it: this is what the runbook says".to_owned(),
        );
    }
    // What takes something away from users and gives nothing harms.
    let harms = verb.disruptive && outcome == Outcome::Nothing;
    let outcome = if harms { Outcome::Harms } else { outcome };
    Judged { outcome, said, until }
}

/// What an action is aimed at.
#[derive(Clone, Debug)]
pub struct Aim {
    pub name: String,
    pub entity: Option<EntityId>,
    pub pid: Option<i64>,
}

/// Whether the target is to blame, holds or is part of what is, was changed when it began, or, for
/// what is done upstream, is in the chain.
fn is_right(case: &Case, verb: &Verb, aim: &Aim) -> bool {
    /// A change this part of the recording before the onset may have brought it.
    const BEFORE: i64 = 10;
    let graph = &case.telemetry.graph;
    let of_cause = |e: EntityId| {
        let same = |c: &EntityId| *c == e || graph.owner(*c) == e || graph.owner(e) == *c;
        case.plan.cause.iter().any(same)
    };
    let in_chain = |e: EntityId| verb.upstream && case.plan.chain.contains_key(&graph.owner(e));
    let plan = &case.plan;
    let near = plan.onset - (plan.end - plan.usual.from) / BEFORE;
    let changed = |e: EntityId| {
        case.telemetry.events.iter().any(|(all, event)| {
            verb.events.contains(&event.kind.as_str())
                && (near..=plan.paged).contains(&event.at)
                && all.iter().any(|a| graph.owner(*a) == graph.owner(e))
        })
    };
    let pid = aim.pid.is_some() && aim.pid == plan.pid;
    let entity = aim.entity.is_some_and(|e| of_cause(e) || in_chain(e) || changed(e));
    pid || entity || case.truth.entity.contains(&aim.name)
}

/// What the drill's author says of it.
fn told(case: &Case, verb: &Verb, aim: &Aim) -> Option<(Outcome, String)> {
    let graph = &case.telemetry.graph;
    let owner = aim.entity.map(|e| graph.entity(graph.owner(e)).name.as_str());
    let same = |on: &Option<String>| match on {
        None => true,
        Some(on) => {
            let pid = aim.pid.is_some_and(|p| *on == p.to_string());
            *on == aim.name || owner == Some(on.as_str()) || pid
        }
    };
    let found = case.file.action.iter().find(|a| a.act == verb.word && same(&a.on))?;
    Some((found.outcome, found.say.clone()))
}

/// The end of the recorded incident, if it is still to come.
fn over(case: &Case, now: Micros) -> Option<Micros> {
    case.plan.over.filter(|t| *t > now)
}

/// What the recording shows of the action: the change of its kind that ended the incident.
fn recorded(case: &Case, verb: &Verb, aim: &Aim, now: Micros) -> Option<(Outcome, Vec<String>)> {
    /// An event this part of the incident before its end is what ended it.
    const NEAR: i64 = 4;
    let over = case.plan.over?;
    let near = (over - case.plan.onset) / NEAR;
    let graph = &case.telemetry.graph;
    let about = |all: &[EntityId], service: &str| {
        let owner = aim.entity.map(|e| graph.owner(e));
        all.iter().any(|e| Some(graph.owner(*e)) == owner)
            || service.split(',').any(|s| s.trim() == aim.name)
    };
    let ended = |at: Micros| (over - near..=over + case.plan.beat).contains(&at);
    let found = case.telemetry.events.iter().find(|(all, e)| {
        ended(e.at) && verb.events.contains(&e.kind.as_str()) && about(all, &e.service)
    })?;
    if now > found.1.at {
        let said =
            format!("that was done at {} already: {}", time::clock(found.1.at), found.1.title);
        return Some((Outcome::Nothing, vec![said]));
    }
    Some((Outcome::Helps, vec![format!("as it was recorded: {}", found.1.title)]))
}
