//! What an engineer can do during an incident: words, costs and what each needs to be told.

mod apply;

pub use apply::{apply, offers, pid_of};

use crate::error::{Error, Result};
use std::fmt;

/// What an action is done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Nothing,
    Service,
    Instance,
    /// A service that keeps a pool of connections, or a pooler.
    PoolOf,
    Database,
    /// The process id of a session.
    Session,
    Cache,
    Store,
}

impl Subject {
    /// What it is called where an action's words are told, e.g. `SERVICE`.
    pub fn word(self) -> &'static str {
        match self {
            Subject::Nothing => "",
            Subject::Service => "SERVICE",
            Subject::PoolOf => "POOL-OF",
            Subject::Instance => "INSTANCE",
            Subject::Database => "DATABASE",
            Subject::Session => "PID",
            Subject::Cache => "CACHE",
            Subject::Store => "STORE",
        }
    }
}

/// The kinds of action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Wait,
    RestartOne,
    RestartRolling,
    RestartAll,
    RollBack,
    ScaleOut,
    AddReplica,
    AddCache,
    AddQueue,
    AddWorker,
    RaisePool,
    Cancel,
    StatementTimeout,
    RetryBudget,
    Breaker,
    Shed,
    Salt,
    SingleFlight,
    Drain,
    FailOver,
}

/// What an action costs besides its consequences.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Added to the bill from then on, in US dollars a month, for each unit of the amount.
    pub usd_per_month: f64,
    /// Time of the engineer; the clock of the run does not move by it.
    pub minutes: f64,
}

/// One row of [`ACTIONS`].
#[derive(Clone, Copy, Debug)]
pub struct ActionRow {
    pub verb: Verb,
    /// How it is typed.
    pub word: &'static str,
    pub subject: Subject,
    /// Unit and usual value of the number that may follow; `None` where none may.
    pub amount: Option<(&'static str, f64)>,
    pub cost: Cost,
    /// What it does, in a sentence.
    pub says: &'static str,
}

/// Every action, in the order in which help shows them.
pub const ACTIONS: &[ActionRow] = &[
    row(Verb::Wait, "wait", Subject::Nothing, Some(("s", 30.0)), 0.0, 0.0, "Let time pass."),
    row(
        Verb::RestartOne,
        "restart-one",
        Subject::Instance,
        None,
        0.0,
        1.0,
        "End one instance and start it again.",
    ),
    row(
        Verb::RestartRolling,
        "restart-rolling",
        Subject::Service,
        None,
        0.0,
        2.0,
        "Restart the instances one after the other, each once the one before is ready.",
    ),
    row(
        Verb::RestartAll,
        "restart-all",
        Subject::Service,
        None,
        0.0,
        1.0,
        "Restart all instances at once.",
    ),
    row(
        Verb::RollBack,
        "roll-back",
        Subject::Service,
        None,
        0.0,
        3.0,
        "Bring the version before the last deploy back, one instance after the other.",
    ),
    row(
        Verb::ScaleOut,
        "scale-out",
        Subject::Service,
        Some(("instances", 1.0)),
        60.0,
        1.0,
        "Add instances.",
    ),
    row(
        Verb::AddReplica,
        "add-replica",
        Subject::Database,
        None,
        180.0,
        10.0,
        "Add a standby that takes half of the reads.",
    ),
    row(
        Verb::AddCache,
        "add-cache",
        Subject::Service,
        None,
        50.0,
        10.0,
        "Keep the answers of its reads in a cache for 30 s.",
    ),
    row(
        Verb::AddQueue,
        "add-queue",
        Subject::Service,
        None,
        40.0,
        10.0,
        "Let requests that find no worker wait in a queue, and refuse none.",
    ),
    row(
        Verb::AddWorker,
        "add-worker",
        Subject::Service,
        Some(("workers", 4.0)),
        15.0,
        1.0,
        "Give every instance more workers.",
    ),
    row(
        Verb::RaisePool,
        "raise-pool",
        Subject::PoolOf,
        Some(("connections", 20.0)),
        0.0,
        1.0,
        "Let every pool of the service, or the pooler, hold this many connections.",
    ),
    row(Verb::Cancel, "cancel", Subject::Session, None, 0.0, 1.0, "Cancel a session's statement."),
    row(
        Verb::StatementTimeout,
        "statement-timeout",
        Subject::Database,
        Some(("s", 5.0)),
        0.0,
        1.0,
        "Cancel every statement that runs longer.",
    ),
    row(
        Verb::RetryBudget,
        "retry-budget",
        Subject::Service,
        Some(("share of requests", 0.1)),
        0.0,
        2.0,
        "Let the service's retries be at most this share of its calls.",
    ),
    row(
        Verb::Breaker,
        "breaker",
        Subject::Service,
        Some(("share of failures", 0.5)),
        0.0,
        2.0,
        "Stop the service's calls to a callee for a while when more fail.",
    ),
    row(
        Verb::Shed,
        "shed",
        Subject::Service,
        Some(("share of requests", 0.5)),
        0.0,
        1.0,
        "Refuse this share of the requests at once.",
    ),
    row(
        Verb::Salt,
        "salt",
        Subject::Store,
        Some(("ways", 10.0)),
        0.0,
        15.0,
        "Spread every key over this many sub-keys.",
    ),
    row(
        Verb::SingleFlight,
        "single-flight",
        Subject::Cache,
        None,
        0.0,
        5.0,
        "Let one request compute a missing key while the others wait for it.",
    ),
    row(Verb::Drain, "drain", Subject::Instance, None, 0.0, 1.0, "Send it no new requests."),
    row(
        Verb::FailOver,
        "fail-over",
        Subject::Database,
        None,
        0.0,
        5.0,
        "Promote the standby; connections break, sessions end.",
    ),
];

const fn row(
    verb: Verb,
    word: &'static str,
    subject: Subject,
    amount: Option<(&'static str, f64)>,
    usd_per_month: f64,
    minutes: f64,
    says: &'static str,
) -> ActionRow {
    ActionRow { verb, word, subject, amount, cost: Cost { usd_per_month, minutes }, says }
}

impl Verb {
    /// Its row.
    pub fn row(self) -> &'static ActionRow {
        ACTIONS.iter().find(|r| r.verb == self).expect("every verb has a row")
    }
}

/// One action, as it is typed: `restart-rolling catalog`, `cancel 13305`, `wait 30`.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    pub verb: Verb,
    /// Name of the service, instance, database, cache or store, or a process id.
    pub subject: String,
    pub amount: f64,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = self.verb.row();
        write!(f, "{}", row.word)?;
        if row.subject != Subject::Nothing {
            write!(f, " {}", self.subject)?;
        }
        row.amount.map_or(Ok(()), |_| write!(f, " {}", self.amount))
    }
}

impl Action {
    /// Reads an action from its words.
    ///
    /// # Errors
    ///
    /// When the verb is not known, the subject is missing, or the number is none.
    pub fn parse(text: &str) -> Result<Action> {
        let mut words = text.split_whitespace();
        let word = words.next().unwrap_or_default();
        let wrong = |what: String| Error::usage(format!("\"{text}\""), what);
        let row = ACTIONS.iter().find(|r| r.word == word).ok_or_else(|| {
            let all = ACTIONS.iter().map(|r| r.word).collect::<Vec<_>>().join(", ");
            wrong("no such action".to_owned()).hint(format!("actions: {all}"))
        })?;
        let subject = match row.subject {
            Subject::Nothing => String::new(),
            kind => {
                let what = || wrong(format!("{word} of what? Name {}", kind.word()));
                words.next().ok_or_else(what)?.to_owned()
            }
        };
        let amount = match (words.next(), row.amount) {
            (None, usual) => usual.map_or(0.0, |(_, value)| value),
            (Some(given), Some((unit, _))) => {
                let number = given.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0);
                number.ok_or_else(|| wrong(format!("\"{given}\" is no number ({unit})")))?
            }
            (Some(given), None) => return Err(wrong(format!("\"{given}\" is one word too many"))),
        };
        match words.next() {
            Some(more) => Err(wrong(format!("\"{more}\" is one word too many"))),
            None => Ok(Action { verb: row.verb, subject, amount }),
        }
    }
}

/// An action that can be taken now.
#[derive(Clone, Debug)]
pub struct Offer {
    pub action: Action,
    pub cost: Cost,
    pub says: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_read_as_it_is_written() {
        for row in ACTIONS {
            let subject = if row.subject == Subject::Nothing { "" } else { "x" };
            let text = format!("{} {subject}", row.word);
            let action = Action::parse(&text).expect(row.word);
            assert_eq!(Action::parse(&action.to_string()).expect("reads back"), action);
            assert_eq!(action.verb, row.verb);
        }
    }

    #[test]
    fn what_cannot_be_an_action_is_refused() {
        let refused = |text: &str| Action::parse(text).expect_err(text).to_string();
        assert!(refused("reboot x").contains("no such action"));
        assert!(refused("cancel").contains("of what"));
        assert!(refused("wait soon").contains("is no number"));
        assert!(refused("wait -3").contains("is no number"));
        assert!(refused("drain a-1 2").contains("too many"));
    }
}
