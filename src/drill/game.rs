//! One drill as it is played. In: a case and lines that the trainee types. Out: text, and at the end
//! the debrief. The same case, level, seed and lines give the same text.

use super::act::Deed;
use super::ask;
use super::case::{Case, Layer, Level};
use super::command::{self, Command, HINT};
use super::content::Outcome;
use super::cut::{self, Instant};
use super::debrief;
use super::look::View;
use super::proof::Seen;
use super::score::{Part, Score};
use super::words;
use crate::error::{Result, did_you_mean};
use crate::model::{EntityId, Micros};
use crate::report::Style;
use crate::telemetry::Telemetry;
use std::collections::BTreeSet;
use std::rc::Rc;

/// What is asked of a simulated incident.
pub enum Ask<'a> {
    /// Take an action at a time.
    Act(Micros, &'a str),
    /// What can be done at a time, or what one verb can be done to.
    Offers(Micros, Option<&'a str>),
    /// What the users got, against doing nothing and the best.
    Outcome,
}

/// What a simulated incident answers.
pub struct Answer {
    /// Everything from its begin to its end, after an action.
    pub telemetry: Option<Telemetry>,
    pub said: Vec<String>,
    /// How much of what could be gained was gained, 0 to 1; at the end.
    pub helped: f64,
}

/// Answers for a simulated incident.
pub type Rerun<'a> = dyn FnMut(Ask) -> Result<Answer> + 'a;

/// What a line brings.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    pub text: String,
    /// The debrief was shown, or the trainee left: nothing more can be done.
    pub over: bool,
}

/// A drill under way.
pub struct Game<'a> {
    pub case: &'a Case,
    pub level: Level,
    pub seed: u64,
    pub now: Micros,
    pub score: Score,
    pub seen: BTreeSet<Seen>,
    pub deeds: Vec<Deed>,
    pub solved: bool,
    /// Lines that did something, for a replay.
    pub lines: Vec<String>,
    pub over: bool,
    /// The trainee left; it can be gone on with.
    pub left: bool,
    pub(super) master: bool,
    pub(super) style: Style,
    pub(super) stage: usize,
    pub(super) hints: usize,
    pub(super) injected: Vec<(Micros, String)>,
    pub(super) resolved: bool,
    pub(super) ended: bool,
    pub(super) future: Option<Telemetry>,
    pub(super) rerun: Option<&'a mut Rerun<'a>>,
    /// What the simulation says at the end.
    pub(super) outcome: Vec<String>,
    /// Cut when it is asked for.
    pub(super) instant: Option<Rc<Instant>>,
}

impl<'a> Game<'a> {
    /// Starts at the page. `rerun` is given for simulated incidents.
    pub fn new(
        case: &'a Case,
        (level, seed, master): (Level, u64, bool),
        style: Style,
        rerun: Option<&'a mut Rerun<'a>>,
    ) -> Game<'a> {
        let mut game = Game {
            case,
            level,
            seed,
            now: case.plan.paged,
            score: Score::default(),
            seen: BTreeSet::new(),
            deeds: Vec::new(),
            solved: false,
            lines: Vec::new(),
            over: false,
            left: false,
            master,
            style,
            stage: if level == Level::Guided { case.plan.layers.len() } else { 1 },
            hints: 0,
            injected: Vec::new(),
            resolved: false,
            ended: false,
            future: None,
            rerun,
            outcome: Vec::new(),
            instant: None,
        };
        if level == Level::Raw {
            game.plant();
        }
        game
    }

    /// Layers that can be seen.
    pub fn open(&self) -> &'a [Layer] {
        &self.case.plan.layers[..self.stage.min(self.case.plan.layers.len())]
    }

    pub(super) fn view<'v>(&'v self, instant: &'v Instant) -> View<'v> {
        let (plan, open) = (&self.case.plan, self.open());
        View { instant, plan, level: self.level, open, style: &self.style }
    }

    /// What is known now.
    pub(super) fn instant(&mut self) -> Rc<Instant> {
        let now = self.now;
        if let Some(made) = self.instant.as_ref().filter(|i| i.now == now) {
            return made.clone();
        }
        let whole = self.future.as_ref().unwrap_or(&self.case.telemetry);
        self.instant.insert(Rc::new(cut::at(whole, now))).clone()
    }

    /// Lets the instant be made anew.
    pub(super) fn forget(&mut self) {
        self.instant = None;
    }

    /// The page, the map and what can be done.
    pub fn opening(&mut self) -> String {
        let (case, instant) = (self.case, self.instant());
        let plan = &case.plan;
        let (level, stages) = (self.level.number(), plan.layers.len());
        let mut out = vec![
            format!(" DRILL \"{}\" {}", case.file.drill.title, case.file.drill.summary),
            format!(
                " level {level} · seed {} · stage {} of {stages} · 100 points",
                self.seed, self.stage
            ),
            String::new(),
            format!(
                " You are on call. It is {} UTC. The pager says:",
                words::moment(plan, self.now)
            ),
        ];
        let from = case.file.pager.from.as_deref().unwrap_or("alert");
        if let Some(text) = &case.file.pager.text {
            out.push(format!("   {from}: {text}"));
        }
        out.extend(self.symptom().map(|s| format!("   FIRING {s}")));
        out.push(String::new());
        out.push(" You know the map:".to_owned());
        out.extend(self.view(&instant).map());
        let people = ask::people(case, self.now);
        if !people.is_empty() {
            out.push(format!(" You can ask: {}", people.join(", ")));
        }
        out.extend(self.task());
        out.push(format!(" Commands: {} (`help` for costs)", command::names()));
        if self.level == Level::Guided {
            out.extend(self.next_hint());
        }
        words::page(&out, &self.style)
    }

    /// What the trainee is to do, in two sentences.
    fn task(&self) -> Vec<String> {
        let acts = match self.rerun.is_some() {
            true => "What you `act` changes what comes.",
            false => "It is a recording: `act` says what an action would have brought.",
        };
        vec![
            " Find the component to blame and the mechanism, say both with `guess`, and end it."
                .to_owned(),
            format!(" {acts} Every look takes time and points; `done` ends with the debrief."),
        ]
    }

    /// The symptom that the page is about, as it stands now.
    pub(super) fn symptom(&mut self) -> Option<String> {
        let symptom = self.case.plan.symptom.as_ref()?;
        let instant = self.instant();
        let s = symptom.find(&instant)?;
        let unit = words::unit(&instant.telemetry, s);
        let now = words::last(s, unit, &self.case.plan, self.now);
        let usual = words::usual(s, &self.case.plan);
        let usual = usual.map_or(String::new(), |v| {
            format!(" (usual {})", crate::report::plain::value(v, unit))
        });
        Some(format!("{} {} {now}{usual}", symptom.entity, symptom.signal))
    }

    /// What stands before the line that is typed.
    pub fn prompt(&self) -> String {
        format!("drill {} {:.0}p> ", words::clock(&self.case.plan, self.now), self.score.total())
    }

    /// Does what a line says.
    pub fn execute(&mut self, line: &str) -> Reply {
        let before = (self.now, self.stage);
        let lines = match command::parse(line) {
            _ if self.over => vec!["   the drill is over".to_owned()],
            Ok(None) => vec![],
            Err(what) => vec![format!("   {what}")],
            Ok(Some(command)) => {
                let did = self.run(command);
                let did_something = did.is_ok() && !self.left;
                self.lines.extend(did_something.then(|| line.trim().to_owned()));
                did.unwrap_or_else(|what| vec![format!("   {what}")])
            }
        };
        let mut lines = lines;
        if !self.over {
            lines.extend(self.passed(before));
        }
        Reply { text: words::page(&lines, &self.style), over: self.over || self.left }
    }

    /// Runs a command; what cannot be done costs nothing.
    fn run(&mut self, c: Command) -> std::result::Result<Vec<String>, String> {
        match c {
            Command::Look(name) => {
                let e = self.component(&name)?;
                self.pay("look");
                let instant = self.instant();
                let seen = [e, instant.telemetry.graph.owner(e)].map(|e| self.first(&instant, e));
                self.seen.extend(seen.into_iter().flatten().map(Seen::Component));
                Ok(self.view(&instant).component(e))
            }
            Command::Query(wanted) => self.query(&wanted),
            Command::Sessions(name) => self.sessions(name),
            Command::Traces(name) => {
                self.closed(Layer::Traces)?;
                let e = name.map(|n| self.component(&n)).transpose()?;
                self.pay("traces");
                let instant = self.instant();
                let seen = e.and_then(|e| self.first(&instant, e)).map(Seen::Traces);
                self.seen.insert(seen.unwrap_or(Seen::AllTraces));
                Ok(self.view(&instant).spans(e))
            }
            Command::Changes => {
                self.pay("changes");
                let instant = self.instant();
                self.seen.insert(Seen::Changes);
                Ok(self.view(&instant).changes(&self.injected))
            }
            Command::Graph => {
                self.pay("graph");
                let instant = self.instant();
                Ok(self.view(&instant).map())
            }
            Command::Hint => Ok(self.hint()),
            Command::Ask(topic) => self.ask(topic),
            Command::Guess { component, mechanism, sure, pid } => {
                self.guess(component, mechanism, sure, pid)
            }
            Command::Act(words) => self.act(&words),
            Command::Wait(by) => Ok(self.wait(by)),
            Command::Mechanisms(word) => Ok(ask::mechanisms(&self.case.catalog, word.as_deref())),
            Command::Help => {
                let beat = self.case.plan.beat as f64 / crate::model::SECOND as f64;
                Ok(command::help(&crate::time::duration(beat)))
            }
            Command::Quit => {
                self.left = true;
                Ok(vec![])
            }
            Command::Truth if self.master => Ok(debrief::truth(self.case)),
            Command::Inject(n) if self.master => {
                match n.checked_sub(1).is_some_and(|n| self.inject(n)) {
                    true => Ok(vec!["   it stands among the changes now".to_owned()]),
                    false => Err("there is no such decoy: `truth` lists them".to_owned()),
                }
            }
            Command::Truth | Command::Inject(_) => {
                Err("that is for the game master (--gm)".to_owned())
            }
            Command::Done if self.score.guesses.is_empty() => {
                Err("guess first, or `give up`".to_owned())
            }
            Command::Done | Command::GiveUp => Ok(self.finish()),
        }
    }

    fn query(&mut self, wanted: &[String]) -> std::result::Result<Vec<String>, String> {
        let before = self.instant();
        if self.view(&before).matching(wanted).is_empty() {
            let later = self.view(&before).later(wanted);
            later.map_or(Ok(()), |layer| self.closed(layer))?;
            return Err(self.view(&before).unknown(wanted));
        }
        self.pay("query");
        let instant = self.instant();
        let view = self.view(&instant);
        let series = |s: &&crate::rollup::SignalSeries| {
            Seen::Series(s.source.file.clone(), s.source.series.clone())
        };
        let found: Vec<Seen> = view.matching(wanted).iter().map(series).collect();
        let out = view.query(wanted);
        self.seen.extend(found);
        Ok(out)
    }

    fn sessions(&mut self, name: Option<String>) -> std::result::Result<Vec<String>, String> {
        self.closed(Layer::Sessions)?;
        let e = name.map(|n| self.component(&n)).transpose()?;
        self.pay("sessions");
        let instant = self.instant();
        let view = self.view(&instant);
        let e = e.map(|e| instant.telemetry.graph.owner(e));
        let shown: Vec<Seen> = view
            .databases()
            .into_iter()
            .filter(|d| e.is_none_or(|e| e == *d))
            .filter_map(|d| self.first(&instant, d))
            .map(Seen::Sessions)
            .collect();
        let out = view.snapshot(e);
        self.seen.extend(shown);
        Ok(out)
    }

    fn hint(&mut self) -> Vec<String> {
        let left = self.hints < self.case.file.hint.len();
        let said = self.next_hint();
        if left && self.level != Level::Guided {
            self.score.lose(Part::Economy, HINT, "hint");
        }
        said
    }

    pub(super) fn next_hint(&mut self) -> Vec<String> {
        match self.case.file.hint.get(self.hints) {
            Some(h) => {
                self.hints += 1;
                vec![format!(" hint: {}", h.say)]
            }
            None if self.hints == 0 => vec!["   this drill has no hints".to_owned()],
            None => vec!["   there is no further hint".to_owned()],
        }
    }

    fn ask(&mut self, topic: Option<String>) -> std::result::Result<Vec<String>, String> {
        let people = ask::people(self.case, self.now);
        let Some(topic) = topic else {
            return Ok(vec![
                format!("   people who answer by now: {}", none_or(&people.join(", "))),
                "   or a mechanism of the catalogue: `mechanisms`".to_owned(),
            ]);
        };
        let Some(answer) = ask::answer(self.case, &topic, self.now) else {
            let ids = self.case.catalog.signatures.iter().map(|s| s.signature.id.as_str());
            let near = did_you_mean(&topic, people.into_iter().chain(ids));
            let near = near.map_or(String::new(), |n| format!(": did you mean \"{n}\"?"));
            return Err(format!("nobody and no mechanism is called \"{topic}\"{near}"));
        };
        let answer = answer?;
        self.pay("ask");
        Ok(answer)
    }

    /// The same entity in the telemetry that the plan was made of: an action may number them anew.
    pub(super) fn first(&self, instant: &Instant, e: EntityId) -> Option<EntityId> {
        let graph = &self.case.telemetry.graph;
        if self.future.is_none() {
            return Some(e);
        }
        let wanted = instant.telemetry.graph.entity(e);
        graph.ids().find(|id| {
            graph.entity(*id).name == wanted.name && graph.entity(*id).service == wanted.service
        })
    }

    /// The component of a name among those that are known by now.
    pub(super) fn component(&mut self, name: &str) -> std::result::Result<EntityId, String> {
        let instant = self.instant();
        let graph = &instant.telemetry.graph;
        let known = &instant.known;
        let same = |e: &&EntityId| graph.entity(**e).name.eq_ignore_ascii_case(name);
        let alias = graph.find(name).filter(|e| known.contains(e));
        // A service before an instance of the same name.
        let found = known.iter().filter(same).min_by_key(|e| graph.owner(**e) != **e).copied();
        found.or(alias).ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(|e| graph.entity(*e).name.as_str()).collect();
            let near = did_you_mean(name, names);
            let near =
                near.map_or("`graph` shows them".to_owned(), |n| format!("did you mean {n}?"));
            format!("no component is called \"{name}\" by now: {near}")
        })
    }

    /// Ends the drill and tells everything.
    pub(super) fn finish(&mut self) -> Vec<String> {
        self.over = true;
        let best = self.score.guesses.iter().map(|g| g.credit).fold(0.0, f64::max);
        // Half of what the best guess was worth, for it was not the answer.
        self.score.cause = Some(if self.solved { 1.0 } else { best / 2.0 });
        let helped = |d: &Deed| match d.outcome {
            Outcome::Helps => 1.0,
            Outcome::Relieves => 0.5,
            Outcome::Nothing | Outcome::Harms => 0.0,
        };
        self.score.helped = Some(self.deeds.iter().map(helped).fold(0.0, f64::max));
        // The simulation has no opinion: it counts what users got.
        if let Some(Ok(answer)) = self.rerun.as_mut().map(|r| r(Ask::Outcome)) {
            self.score.helped = Some(answer.helped);
            self.outcome = answer.said;
        }
        debrief::debrief(self)
    }
}

fn none_or(text: &str) -> String {
    if text.is_empty() { "nobody".to_owned() } else { text.to_owned() }
}
