//! The verbs of `act` on a recording: what each does, to what, at which price, and how runbooks speak
//! of it. In: a word. Out: its row.

use crate::error::did_you_mean;
use crate::model::EntityKind;

/// A verb that a recording understands.
#[derive(Clone, Copy, Debug)]
pub struct Verb {
    pub word: &'static str,
    /// Kinds of component that it is meant for; none where it is done to a session.
    pub kinds: &'static [EntityKind],
    /// What it does.
    pub says: &'static str,
    /// How runbooks speak of it, in lower case.
    pub(super) stems: &'static [&'static str],
    /// Kinds of event by which a recording shows it.
    pub(super) events: &'static [&'static str],
    /// It takes something away from users even if it helps.
    pub(super) disruptive: bool,
    /// It is done at those who call what is to blame.
    pub(super) upstream: bool,
    /// What it takes.
    pub trade: &'static str,
}

use EntityKind::{Cache, Client, Database, Host, Instance, Partition, Queue, Service};

const SESSION: &[EntityKind] = &[];
const SERVICE: &[EntityKind] = &[Service];
const DATABASE: &[EntityKind] = &[Database];
/// Whatever keeps data.
const STORE: &[EntityKind] = &[Service, Database, Cache, Partition];
/// One of several.
const MEMBER: &[EntityKind] = &[Service, Instance, Partition, Database, Cache];
/// Whatever sends or works.
const WORKS: &[EntityKind] = &[Service, Client, Database, Queue];
const ANY: &[EntityKind] = &[Service, Instance, Database, Cache, Queue, Partition, Host];

const fn row(
    word: &'static str,
    kinds: &'static [EntityKind],
    says: &'static str,
    stems: &'static [&'static str],
    events: &'static [&'static str],
    disruptive: bool,
    trade: &'static str,
) -> Verb {
    Verb { word, kinds, says, stems, events, disruptive, upstream: false, trade }
}

const fn upstream(
    word: &'static str,
    kinds: &'static [EntityKind],
    says: &'static str,
    stems: &'static [&'static str],
    disruptive: bool,
    trade: &'static str,
) -> Verb {
    Verb { upstream: true, ..row(word, kinds, says, stems, &[], disruptive, trade) }
}

impl Verb {
    /// Whether it is done to a session of a database.
    pub fn is_of_session(&self) -> bool {
        self.kinds.is_empty()
    }

    /// What it is done to, in a word.
    pub fn aimed_at(&self) -> &'static str {
        let words = [
            (SESSION, "PID"),
            (SERVICE, "SERVICE"),
            (DATABASE, "DATABASE"),
            (STORE, "STORE"),
            (MEMBER, "MEMBER"),
            (WORKS, "WORKER"),
        ];
        words.iter().find(|(kinds, _)| *kinds == self.kinds).map_or("COMPONENT", |(_, w)| w)
    }
}

/// Every verb, in the order in which `act` lists them; words are those of the simulator where it has
/// the action.
pub const ACTIONS: &[Verb] = &[
    row(
        "cancel",
        SESSION,
        "cancel the statement that a session runs",
        &["cancel"],
        &[],
        false,
        "one statement's result is lost, nothing else",
    ),
    row(
        "terminate",
        SESSION,
        "end a session",
        &["terminate", "end the session", "let its owner end", "kill"],
        &[],
        true,
        "the session's work is rolled back and its client loses the connection",
    ),
    row(
        "stop-job",
        WORKS,
        "pause the job, the batch or the migration that it runs",
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
        ANY,
        "take the last change of it back",
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
        SERVICE,
        "switch an optional part or a flag of it off",
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
        MEMBER,
        "restart one instance",
        &["restart one instance of", "restart the fullest", "one instance at a time"],
        &["restart"],
        true,
        "what that instance has in flight is lost; its caches are cold",
    ),
    row(
        "restart-rolling",
        ANY,
        "restart its instances one after the other",
        &["one at a time", "one instance at a time", "rolling restart", "recycle"],
        &["restart"],
        true,
        "takes long, keeps capacity; the cause stays if it lies elsewhere",
    ),
    row(
        "restart-all",
        ANY,
        "restart all its instances at once",
        &["restart the instances", "restart {subject}: it works"],
        &["restart"],
        true,
        "everything in flight is lost, caches are cold and all connect at once",
    ),
    row(
        "scale-out",
        SERVICE,
        "add instances",
        &["add instances", "add consumers", "raise the maximum if", "more processes", "start more"],
        &["scale"],
        false,
        "costs money, and more callers for what stands behind",
    ),
    row(
        "add-worker",
        SERVICE,
        "give each instance more workers",
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
        SERVICE,
        "let its connection pool hold more",
        &["pool_size", "raise the maximum"],
        &[],
        false,
        "more load behind",
    ),
    row(
        "raise-limit",
        ANY,
        "raise the limit that it runs into: memory, processor, descriptors, connections, disk",
        &["raise", "enlarge", "remove the processor limit", "more work_mem", "add room"],
        &[],
        false,
        "takes from what others may use",
    ),
    upstream(
        "shed",
        WORKS,
        "refuse a part of the requests that it takes or sends",
        &["shed", "limit {subject}", "limit per", "limit who", "send less", "block list"],
        true,
        "some users are refused at once",
    ),
    upstream(
        "retry-budget",
        SERVICE,
        "let it repeat only a small share of its calls",
        &["retries of", "retry budget", "switch retries"],
        false,
        "single failures reach the user",
    ),
    upstream(
        "breaker",
        SERVICE,
        "let it stop calls that mostly fail, for a while",
        &["breaker"],
        false,
        "the part behind it is away while it is open",
    ),
    upstream(
        "fall-back",
        SERVICE,
        "let it answer without what it calls: a default, the last known value",
        &["answer from", "can do without", "last known value", "serve the", "serve a simple"],
        false,
        "answers are older or plainer",
    ),
    upstream(
        "move",
        ANY,
        "send what it does or what it takes to another place",
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
    upstream(
        "single-flight",
        STORE,
        "let one request compute what is missing, the others wait for it",
        &["one request computes", "stale-while"],
        false,
        "some wait longer",
    ),
    row(
        "drop-entries",
        STORE,
        "drop the entries that are wrong",
        &["drop the entries"],
        &[],
        false,
        "reads go to the store until they are back",
    ),
    row(
        "salt",
        STORE,
        "spread its hot keys over many",
        &["hot keys from memory", "salt"],
        &[],
        false,
        "reads must gather",
    ),
    row(
        "drain",
        MEMBER,
        "take it out of rotation",
        &["out of rotation", "drain it", "take the new instances out", "take it out"],
        &[],
        false,
        "less capacity",
    ),
    row(
        "fail-over",
        STORE,
        "promote its standby",
        &["fail over", "promote", "switch over"],
        &[],
        true,
        "connections break; writes may be lost",
    ),
    row(
        "fence",
        STORE,
        "take no more writes at it",
        &["fence", "stop writes"],
        &[],
        true,
        "that side takes no writes",
    ),
    row(
        "renew",
        ANY,
        "renew its certificate or credential",
        &["renew", "new credential", "old one valid"],
        &["secret", "certificate"],
        false,
        "none if it is tested",
    ),
    row(
        "start-consumers",
        ANY,
        "start what consumes its queue again",
        &["start the consumers", "start its consumer", "start it again"],
        &[],
        false,
        "a backlog arrives at once behind them",
    ),
    row(
        "skip-message",
        ANY,
        "put the message that cannot be worked off aside",
        &["dead-letter", "skip its offset"],
        &[],
        false,
        "one message waits for a repair",
    ),
    row(
        "free-disk",
        ANY,
        "remove what may go from its volume",
        &["remove what may go", "drop that slot", "add room"],
        &[],
        false,
        "what is removed is gone",
    ),
    row(
        "build-index",
        DATABASE,
        "build the index that is missing, refresh the statistics",
        &["build it again", "create index", "refresh its statistics"],
        &[],
        false,
        "load while it is built",
    ),
    row(
        "fix-check",
        ANY,
        "make its health check shallow, or raise the limit of it",
        &["check shallow", "raise its timeout"],
        &[],
        false,
        "a check that sees less",
    ),
    row(
        "decide",
        DATABASE,
        "commit or roll back the prepared transaction",
        &["decide it"],
        &[],
        false,
        "a wrong decision makes data differ",
    ),
    row(
        "fix-scrape",
        ANY,
        "repair the endpoint that its metrics are read from",
        &["metrics endpoint"],
        &[],
        false,
        "none",
    ),
    row(
        "sync-clock",
        MEMBER,
        "set its clock right",
        &["time service"],
        &[],
        false,
        "a step may disorder what is written",
    ),
];

/// The verb of a word, or the nearest in words.
pub fn verb(word: &str) -> Result<&'static Verb, String> {
    ACTIONS.iter().find(|v| v.word == word).ok_or_else(|| {
        match did_you_mean(word, ACTIONS.iter().map(|v| v.word)) {
            Some(near) => format!("no action is called \"{word}\": did you mean `{near}`?"),
            None => format!("no action is called \"{word}\": `act` alone lists them"),
        }
    })
}
