//! What the trainee types. In: a line. Out: a [`Command`], or what is wrong with it in words.

use crate::error::did_you_mean;
use crate::model::{Micros, SECOND};

/// A command and what it costs.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub name: &'static str,
    pub usage: &'static str,
    /// Points of evidence economy.
    pub points: f64,
    /// Game time, in beats.
    pub beats: i64,
    pub says: &'static str,
}

const fn row(
    name: &'static str,
    usage: &'static str,
    points: f64,
    beats: i64,
    says: &'static str,
) -> Row {
    Row { name, usage, points, beats, says }
}

/// Points of a hint where it is not free.
pub const HINT: f64 = 10.0;
/// Columns of what is typed, in the help.
const USAGE: usize = 34;
/// Beats of waiting that cost one point: users suffer meanwhile.
pub const WAIT_BEATS: i64 = 3;

/// Every command; `help` shows them in this order.
pub const COMMANDS: &[Row] = &[
    row("look", "look COMPONENT", 2.0, 1, "panels of a service, database, cache, queue or host"),
    row("query", "query SIGNAL [COMPONENT]", 1.0, 1, "every series whose name holds these words"),
    row("sessions", "sessions [DATABASE]", 3.0, 1, "the last snapshot of database sessions"),
    row("traces", "traces [SERVICE]", 3.0, 1, "operations and calls of the last while"),
    row("changes", "changes", 1.0, 1, "deploys, flags, migrations, alerts so far"),
    row("graph", "graph", 1.0, 1, "who calls whom, as far as it is known"),
    row("hint", "hint", HINT, 0, "the next hint (free at level 1)"),
    row(
        "ask",
        "ask PERSON | ask MECHANISM",
        2.0,
        1,
        "a colleague, or the catalogue about a mechanism",
    ),
    row(
        "guess",
        "guess COMPONENT MECHANISM [--sure PERCENT] [--pid N]",
        1.0,
        1,
        "what you believe",
    ),
    row("act", "act VERB [TARGET]", 1.0, 1, "do something; `act` alone lists what there is (free)"),
    row("wait", "wait DURATION", 0.0, 0, "let time pass, e.g. 30s, 5m: one point for three beats"),
    row("mechanisms", "mechanisms [WORD]", 0.0, 0, "the catalogue's mechanisms (free)"),
    row("done", "done", 0.0, 0, "end the drill after a guess: the debrief"),
    row("give", "give up", 0.0, 0, "end the drill: the debrief"),
    row("quit", "quit", 0.0, 0, "leave; `rootline drill resume` goes on where you left"),
    row("help", "help", 0.0, 0, "this (free)"),
];

/// Other words for a command.
const ALIASES: &[(&str, &str)] = &[("?", "help"), ("exit", "quit"), ("q", "quit")];

/// For the game master only.
pub const MASTER: &[Row] = &[
    row("truth", "truth", 0.0, 0, "the truth (game master)"),
    row("inject", "inject N", 0.0, 0, "put decoy N among the changes (game master)"),
];

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    Look(String),
    Query(Vec<String>),
    Sessions(Option<String>),
    Traces(Option<String>),
    Changes,
    Graph,
    Hint,
    Ask(Option<String>),
    /// How sure is `None` where it was not said.
    Guess {
        component: String,
        mechanism: String,
        sure: Option<f64>,
        pid: Option<i64>,
    },
    Act(Vec<String>),
    Wait(Micros),
    Mechanisms(Option<String>),
    Done,
    GiveUp,
    Quit,
    Help,
    Truth,
    Inject(usize),
}

/// The row of a command word.
pub fn find(word: &str) -> Option<&'static Row> {
    COMMANDS.iter().chain(MASTER).find(|r| r.name == word)
}

/// Reads a line; comments (`#`) and blank lines are nothing.
///
/// # Errors
///
/// In words, with the usage of the command.
pub fn parse(line: &str) -> Result<Option<Command>, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let Some(first) = words.first().filter(|w| !w.starts_with('#')) else { return Ok(None) };
    let first = first.to_lowercase();
    let alias = ALIASES.iter().find(|a| a.0 == first).map(|a| a.1);
    let Some(row) = find(alias.unwrap_or(&first)) else {
        let near = did_you_mean(&first, COMMANDS.iter().map(|r| r.name));
        let near = near.map_or("`help` lists them".to_owned(), |n| format!("did you mean `{n}`?"));
        return Err(format!("no command is called \"{first}\": {near}"));
    };
    let rest = &words[1..];
    let usage = || format!("usage: {}", row.usage);
    let one = || match rest {
        [] => Ok(None),
        [word] => Ok(Some((*word).to_owned())),
        _ => Err(usage()),
    };
    let none = |c: Command| if rest.is_empty() { Ok(c) } else { Err(usage()) };
    Ok(Some(match row.name {
        "look" => Command::Look(one()?.ok_or_else(usage)?),
        "query" if !rest.is_empty() => {
            Command::Query(rest.iter().map(|w| w.to_lowercase()).collect())
        }
        "sessions" => Command::Sessions(one()?),
        "traces" => Command::Traces(one()?),
        "changes" => none(Command::Changes)?,
        "graph" => none(Command::Graph)?,
        "hint" => none(Command::Hint)?,
        "ask" => Command::Ask(one()?),
        "guess" => guess(rest).map_err(|e| format!("{e}; {}", usage()))?,
        "act" => Command::Act(rest.iter().map(|w| (*w).to_owned()).collect()),
        "wait" => Command::Wait(rest.first().and_then(|w| duration(w)).ok_or_else(usage)?),
        "mechanisms" => Command::Mechanisms(one()?),
        "done" => none(Command::Done)?,
        "give" if rest == ["up"] => Command::GiveUp,
        "quit" => none(Command::Quit)?,
        "help" => Command::Help,
        "truth" => none(Command::Truth)?,
        "inject" => Command::Inject(one()?.and_then(|n| n.parse().ok()).ok_or_else(usage)?),
        _ => return Err(usage()),
    }))
}

fn guess(words: &[&str]) -> Result<Command, String> {
    let (mut plain, mut sure, mut pid) = (Vec::new(), None, None);
    let mut at = words.iter();
    while let Some(word) = at.next() {
        match *word {
            "--sure" => {
                let text = at.next().ok_or("--sure needs a number")?;
                let value: f64 = text
                    .trim_end_matches('%')
                    .parse()
                    .map_err(|_| format!("\"{text}\" is no percentage"))?;
                let known = (1.0..=99.0).contains(&value);
                sure = Some(known.then_some(value / 100.0).ok_or("--sure is 1 to 99 (per cent)")?);
            }
            "--pid" => {
                let text = at.next().ok_or("--pid needs a number")?;
                pid = Some(text.parse().map_err(|_| format!("\"{text}\" is no pid"))?);
            }
            option if option.starts_with("--") => return Err(format!("\"{option}\" is not known")),
            word => plain.push(word),
        }
    }
    let [component, mechanism] = plain[..] else {
        return Err("name one component (`graph`) and one mechanism (`mechanisms WORD`)".to_owned());
    };
    Ok(Command::Guess {
        component: component.to_owned(),
        mechanism: mechanism.to_owned(),
        sure,
        pid,
    })
}

/// Reads `30s`, `5m`, `2h`, `1d` or seconds; `None` for anything else, and for nothing.
pub fn duration(text: &str) -> Option<Micros> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let scale = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    let number: i64 = digits.parse().ok().filter(|n| *n > 0)?;
    number.checked_mul(scale)?.checked_mul(SECOND)
}

/// Names of all commands in a line.
pub fn names() -> String {
    let name = |r: &Row| if r.name == "give" { r.usage } else { r.name };
    COMMANDS.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// Every command with its costs; `beat` is how long a beat is in this drill.
pub fn help(beat: &str) -> Vec<String> {
    let line = |r: &Row| {
        let cost = match (r.points, r.beats) {
            (p, _) if r.name == "hint" => format!("{p}p"),
            (0.0, 0) => String::new(),
            (p, b) => format!("{p}p, {b} beat"),
        };
        // What is longer than its column stands on a line of its own.
        let (own, usage) = match r.usage.len() > USAGE {
            true => (format!("   {}\n", r.usage), ""),
            false => (String::new(), r.usage),
        };
        format!("{own}   {usage:<USAGE$} {cost:<12} {}", r.says)
    };
    let rows: Vec<String> = COMMANDS.iter().map(line).collect();
    let mut out: Vec<String> = rows.iter().flat_map(|r| r.split('\n')).map(str::to_owned).collect();
    out.push("   COMPONENT may be `system` where everything is hit at once.".to_owned());
    out.push("   --sure: how sure you are, 1 to 99; 50 where you do not say it.".to_owned());
    out.push("   --pid: the database session to blame, where there is one.".to_owned());
    out.push("   What is not understood or cannot be done costs nothing.".to_owned());
    out.push(format!(
        "   A beat is {beat} here: a thirtieth of the time from the page to the end."
    ));
    out
}
