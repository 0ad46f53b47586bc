//! An action in a drill under way: on a recording it is replayed, on a simulation it changes what
//! comes.

use super::act::{self, Aim, Deed, Judged};
use super::case::SETTLES;
use super::content::{Decoy, Outcome};
use super::game::{Ask, Game};
use super::score::Part;
use super::verbs::{self, Verb};
use super::words;
use crate::ingest::raw::Session;
use crate::model::SECOND;

/// Beats after which it is shown what there is.
const SETTLED: i64 = 10;
/// Points for an action that does nothing, and for one that harms.
const IDLE: f64 = 3.0;
const HARM: f64 = 7.0;

/// How pg_stat_activity calls what a client opened.
const CLIENT: &str = "client backend";
/// Processes that work on what clients could do as well: the server lets them be cancelled and
/// ended. It refuses that for all others, which keep the server itself running.
const WORKERS: [&str; 5] = [
    "autovacuum worker",
    "parallel worker",
    "logical replication worker",
    "background worker",
    "walsender",
];

/// A process of a database server that no client opened.
struct Process {
    pid: i64,
    kind: String,
}

impl Process {
    fn is_auxiliary(&self) -> bool {
        !WORKERS.contains(&self.kind.as_str())
    }

    /// What the server answers for a process that is none of its sessions.
    fn refused(&self) -> Judged {
        let Process { pid, kind } = self;
        let said = format!("the server refuses: PID {pid} is the {kind}, which is no session");
        Judged { outcome: Outcome::Nothing, said: vec![said], until: None }
    }

    fn trade(&self) -> &'static str {
        match self.is_auxiliary() {
            true => "nothing",
            false => "what it has done is rolled back; the server starts it again",
        }
    }
}

impl Game<'_> {
    pub(super) fn act(&mut self, typed: &[String]) -> std::result::Result<Vec<String>, String> {
        if self.rerun.is_some() {
            return self.simulate(typed);
        }
        let Some(word) = typed.first() else { return Ok(self.offers(None)) };
        let verb = verbs::verb(word)?;
        let [_, target] = typed else { return Ok(self.offers(Some(verb))) };
        let aim = self.aim(verb, target)?;
        let process = aim.pid.and_then(|pid| self.process(pid));
        self.pay("act");
        let judged = match &process {
            Some(kind) if kind.is_auxiliary() => kind.refused(),
            _ => act::judge(self.case, verb, &aim, self.now),
        };
        let trade = process.filter(|_| verb.disruptive).map_or(verb.trade, |p| p.trade());
        let before = self.symptom();
        let mut out = judged.said.iter().map(|s| format!("   {s}")).collect::<Vec<_>>();
        if let Some(until) = judged.until {
            // As long as it takes until the symptom is gone: calls under way still end badly.
            for beats in SETTLES..=SETTLED {
                let at = until + beats * self.case.plan.beat;
                self.now = at.min(self.case.plan.end).max(self.now);
                if self.is_back() {
                    break;
                }
            }
            let at = words::moment(&self.case.plan, self.now);
            let seen = match before.zip(self.symptom()) {
                Some((then, now)) => format!("{then} → {now}"),
                None => "what was wrong is over".to_owned(),
            };
            out.push(format!("   replayed to {at}: {seen}"));
        }
        let head = match judged.outcome {
            Outcome::Helps => "IT HELPS",
            Outcome::Relieves => "IT RELIEVES, and leaves the cause",
            Outcome::Nothing => "NOTHING HAPPENS",
            Outcome::Harms => "IT HARMS",
        };
        out.insert(0, format!("   {head}: {word} {target} (price: {trade})"));
        let what = format!("{word} {target}");
        match judged.outcome {
            Outcome::Nothing => self.score.lose(Part::Mitigation, IDLE, what),
            Outcome::Harms => self.score.lose(Part::Mitigation, HARM, what),
            Outcome::Helps | Outcome::Relieves => {}
        }
        self.deeds.push(Deed {
            verb: word.clone(),
            target: target.clone(),
            outcome: judged.outcome,
            trade: trade.to_owned(),
        });
        match (judged.outcome, self.solved) {
            (Outcome::Helps, true) => {
                out.push("   the drill goes on: `done` when you want the debrief".to_owned());
            }
            (Outcome::Helps, false) => {
                out.push("   say what it was: `guess`, then `done`".to_owned());
            }
            _ => {}
        }
        Ok(out)
    }

    /// What a process of a database server is, where it is no session that a client opened.
    fn process(&mut self, pid: i64) -> Option<Process> {
        let instant = self.instant();
        let of = |s: &Session| s.pid == pid && !s.backend_type.is_empty();
        let all = instant.telemetry.sessions.iter();
        let kind = all.map(|(_, s)| s).find(|s| of(s))?.backend_type.to_string();
        (kind != CLIENT).then_some(Process { pid, kind })
    }

    fn simulate(&mut self, typed: &[String]) -> std::result::Result<Vec<String>, String> {
        let words = typed.join(" ");
        let (now, at) = (self.now, (self.now + self.case.plan.beat).min(self.case.plan.end));
        let Some(rerun) = self.rerun.as_mut() else { return Err("nothing to act on".to_owned()) };
        let ask = match typed {
            [] => Ask::Offers(now, None),
            // A verb alone asks what it can be done to.
            [verb] if verb != "wait" => Ask::Offers(now, Some(verb)),
            _ => Ask::Act(at, &words),
        };
        let answer = rerun(ask).map_err(|e| {
            format!("{e}{}", e.hint.as_ref().map_or(String::new(), |h| format!("; {h}")))
        })?;
        let mut out: Vec<String> = answer.said.iter().map(|s| format!("   {s}")).collect();
        let Some(telemetry) = answer.telemetry else { return Ok(out) };
        self.pay("act");
        // From now on the instant is cut from what the action makes of the rest.
        (self.future, self.now) = (Some(telemetry), at);
        self.forget();
        self.deeds.push(Deed {
            verb: typed.first().cloned().unwrap_or_default(),
            target: typed.get(1).cloned().unwrap_or_default(),
            outcome: Outcome::Relieves,
            trade: String::new(),
        });
        out.push("   what it brings shows with time: `wait`, `look`".to_owned());
        Ok(out)
    }

    fn aim(&mut self, verb: &Verb, target: &str) -> std::result::Result<Aim, String> {
        let name = target.to_owned();
        if !verb.is_of_session() {
            let entity = self.component(target);
            let instant = self.instant();
            let session = instant.telemetry.sessions.iter().any(|(_, s)| s.application == target);
            return match entity {
                Ok(e) => Ok(Aim { name, entity: Some(e), pid: None }),
                Err(_) if session || target == "system" => {
                    Ok(Aim { name, entity: None, pid: None })
                }
                Err(what) => Err(what),
            };
        }
        let pid: i64 = target.parse().map_err(|_| format!("{} needs a pid", verb.word))?;
        let instant = self.instant();
        match instant.telemetry.sessions.iter().any(|(_, s)| s.pid == pid) {
            true => Ok(Aim { name, entity: None, pid: Some(pid) }),
            false => Err(format!("no session with pid {pid} was seen so far")),
        }
    }

    /// Puts decoys among the changes: two of the drill's, which ones the seed says.
    pub(super) fn plant(&mut self) {
        let invented = |d: &&Decoy| d.title.is_some();
        let count = self.case.file.decoy.iter().filter(invented).count();
        let first = if count > 0 { self.seed as usize % count } else { 0 };
        (0..count.min(2)).for_each(|i| {
            self.inject((first + i) % count);
        });
    }

    /// Injects the drill's decoy of a number from 0; says whether there is one.
    pub(super) fn inject(&mut self, number: usize) -> bool {
        let mut invented = self.case.file.decoy.iter().filter(|d| d.title.is_some());
        let Some(d) = invented.nth(number) else { return false };
        let kind = d.kind.clone().unwrap_or_else(|| "deploy".to_owned());
        let title = d.title.clone().unwrap_or_default();
        let at = self.case.plan.paged.saturating_sub(d.before_s.saturating_mul(SECOND));
        self.injected.push((at, format!("{kind:<9} {}: {title}", d.component)));
        true
    }
}
