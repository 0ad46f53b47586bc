//! Actions on a recording: they replay what happened, or say what the runbook knows. In: a verb and
//! a target. Out: whether it helps, in words, and the time at which its effect can be seen.
//!
//! On a simulated incident the simulator answers instead.

use super::case::Case;
use super::content::Outcome;
use super::runbook;
use crate::error::did_you_mean;
use crate::model::{EntityId, Micros};
use crate::time;

/// What an action is done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Component,
    Session,
}

/// A verb that a recording understands.
#[derive(Clone, Copy, Debug)]
pub struct Verb {
    pub word: &'static str,
    pub target: Target,
    /// How runbooks speak of it, in lower case.
    pub(super) stems: &'static [&'static str],
    /// Kinds of event by which a recording shows it.
    events: &'static [&'static str],
    /// It takes something away from users even if it helps.
    disruptive: bool,
    /// It is done at those who call what is to blame.
    upstream: bool,
    /// What it gives and what it takes.
    pub trade: &'static str,
}

const fn row(
    word: &'static str,
    target: Target,
    stems: &'static [&'static str],
    events: &'static [&'static str],
    disruptive: bool,
    trade: &'static str,
) -> Verb {
    Verb { word, target, stems, events, disruptive, upstream: false, trade }
}

const fn upstream(
    word: &'static str,
    stems: &'static [&'static str],
    disruptive: bool,
    trade: &'static str,
) -> Verb {
    let verb = row(word, Component, stems, &[], disruptive, trade);
    Verb { upstream: true, ..verb }
}

use Target::{Component, Session};

/// Every verb, in the order in which `act` lists them; words are those of the simulator where it has
/// the action.
pub const ACTIONS: &[Verb] = &[
    row("cancel", Session, &["cancel"], &[], false, "one statement's result is lost, nothing else"),
    row(
        "terminate",
        Session,
        &["terminate", "end the session", "let its owner end", "kill"],
        &[],
        true,
        "the session's work is rolled back and its client loses the connection",
    ),
    row(
        "stop-job",
        Component,
        &[
            "pause",
            "slow {application}",
            "fewer workers",
            "let its owner end",
            "stop or ",
            "stop the migration",
            "stop the neighbour",
            "switch off what runs it",
            "number of sessions",
        ],
        &[],
        false,
        "its work is late",
    ),
    row(
        "roll-back",
        Component,
        &[
            "roll back",
            "roll that",
            "roll the",
            "roll {",
            "roll it back",
            "rolled back",
            "take it back",
            "take back",
            "take the change back",
            "take the last",
            "undo",
            "turn it back",
            "set it back",
        ],
        &["deploy", "rollback", "config", "flag", "migration", "scale"],
        false,
        "what the change brought is away again",
    ),
    row(
        "switch-off",
        Component,
        &[
            "switch off",
            "switch that part",
            "switch the",
            "feature off",
            "turn it back",
            "drop optional",
            "switch retries",
        ],
        &["flag"],
        false,
        "users miss the feature",
    ),
    row(
        "restart-one",
        Component,
        &["restart one instance of", "restart the fullest", "one instance at a time"],
        &["restart"],
        true,
        "what that instance has in flight is lost; its caches are cold",
    ),
    row(
        "restart-rolling",
        Component,
        &["one at a time", "one instance at a time", "rolling restart", "recycle"],
        &["restart"],
        true,
        "takes long, keeps capacity; the cause stays if it lies elsewhere",
    ),
    row(
        "restart-all",
        Component,
        &["restart the instances", "restart {subject}: it works"],
        &["restart"],
        true,
        "everything in flight is lost, caches are cold and all connect at once",
    ),
    row(
        "scale-out",
        Component,
        &["add instances", "add consumers", "raise the maximum if", "more processes", "start more"],
        &["scale"],
        false,
        "costs money, and more callers for what stands behind",
    ),
    row(
        "add-worker",
        Component,
        &[
            "workers, take it back",
            "number of workers",
            "tier whose workers",
            "processes (workers)",
        ],
        &[],
        false,
        "more load behind",
    ),
    row(
        "raise-pool",
        Component,
        &["pool_size", "raise the maximum"],
        &[],
        false,
        "more load behind",
    ),
    row(
        "raise-limit",
        Component,
        &["raise", "enlarge", "remove the processor limit", "more work_mem", "add room"],
        &[],
        false,
        "takes from what others may use",
    ),
    upstream(
        "shed",
        &["shed", "limit {subject}", "limit per", "limit who", "send less", "block list"],
        true,
        "some users are refused at once",
    ),
    upstream(
        "retry-budget",
        &["retries of", "retry budget", "switch retries"],
        false,
        "single failures reach the user",
    ),
    upstream("breaker", &["breaker"], false, "the part behind it is away while it is open"),
    upstream(
        "fall-back",
        &["answer from", "can do without", "last known value", "serve the", "serve a simple"],
        false,
        "answers are older or plainer",
    ),
    upstream(
        "move",
        &[
            "move the services",
            "move traffic",
            "move what opens",
            "send the longer",
            "send reads",
            "point the resolver",
            "point it to another",
        ],
        false,
        "load elsewhere",
    ),
    upstream("single-flight", &["one request computes", "stale-while"], false, "some wait longer"),
    row(
        "drop-entries",
        Component,
        &["drop the entries"],
        &[],
        false,
        "reads go to the store until they are back",
    ),
    row("salt", Component, &["hot keys from memory", "salt"], &[], false, "reads must gather"),
    row(
        "drain",
        Component,
        &["out of rotation", "drain it", "take the new instances out", "take it out"],
        &[],
        false,
        "less capacity",
    ),
    row(
        "fail-over",
        Component,
        &["fail over", "promote", "switch over"],
        &[],
        true,
        "connections break; writes may be lost",
    ),
    row("fence", Component, &["fence", "stop writes"], &[], true, "that side takes no writes"),
    row(
        "renew",
        Component,
        &["renew", "new credential", "old one valid"],
        &["secret", "certificate"],
        false,
        "none if it is tested",
    ),
    row(
        "start-consumers",
        Component,
        &["start the consumers", "start its consumer", "start it again"],
        &[],
        false,
        "a backlog arrives at once behind them",
    ),
    row(
        "skip-message",
        Component,
        &["dead-letter", "skip its offset"],
        &[],
        false,
        "one message waits for a repair",
    ),
    row(
        "free-disk",
        Component,
        &["remove what may go", "drop that slot", "add room"],
        &[],
        false,
        "what is removed is gone",
    ),
    row(
        "build-index",
        Component,
        &["build it again", "create index", "refresh its statistics"],
        &[],
        false,
        "load while it is built",
    ),
    row(
        "fix-check",
        Component,
        &["check shallow", "raise its timeout"],
        &[],
        false,
        "a check that sees less",
    ),
    row("decide", Component, &["decide it"], &[], false, "a wrong decision makes data differ"),
    row("fix-scrape", Component, &["metrics endpoint"], &[], false, "none"),
    row(
        "sync-clock",
        Component,
        &["time service"],
        &[],
        false,
        "a step may disorder what is written",
    ),
];

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

/// The verb of a word, or the nearest in words.
pub fn verb(word: &str) -> Result<&'static Verb, String> {
    ACTIONS.iter().find(|v| v.word == word).ok_or_else(|| {
        match did_you_mean(word, ACTIONS.iter().map(|v| v.word)) {
            Some(near) => format!("no action is called \"{word}\": did you mean `{near}`?"),
            None => format!("no action is called \"{word}\": `act` alone lists the verbs"),
        }
    })
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
