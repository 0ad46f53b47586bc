//! What one message of PostgreSQL's log says about locks, cancelled statements, refused connections,
//! checkpoints, temporary files, vacuum and conflicts. In: the message. Out: a fact, or nothing.

use super::log_language;
use super::logs::Message;
use crate::ingest::raw::LogKind;

/// What is known from one message.
#[derive(Debug)]
pub(super) struct Fact {
    pub kind: LogKind,
    /// The process the message is about, where it is not the one that wrote it.
    pub pid: Option<i64>,
    pub mode: String,
    pub relation: String,
    pub waited_s: Option<f64>,
    /// Processes that hold what is waited for.
    pub holders: Vec<i64>,
    /// Bytes of a temporary file, seconds of a checkpoint or vacuum; 0 elsewhere.
    pub amount: f64,
    /// The message, without anything that a user wrote.
    pub said: String,
}

fn fact(kind: LogKind, said: impl Into<String>) -> Fact {
    Fact {
        kind,
        pid: None,
        mode: String::new(),
        relation: String::new(),
        waited_s: None,
        holders: Vec::new(),
        amount: 0.0,
        said: said.into(),
    }
}

/// Messages that say all by how they begin.
const FIXED: [(&str, LogKind); 17] = [
    ("canceling statement due to user request", LogKind::Cancelled),
    ("canceling statement due to statement timeout", LogKind::StatementTimeout),
    ("canceling statement due to lock timeout", LogKind::LockTimeout),
    ("canceling statement due to conflict with recovery", LogKind::RecoveryConflict),
    ("terminating connection due to conflict with recovery", LogKind::RecoveryConflict),
    ("terminating connection due to administrator command", LogKind::Terminated),
    ("terminating connection due to idle-in-transaction timeout", LogKind::IdleTimeout),
    ("terminating connection due to idle-session timeout", LogKind::IdleTimeout),
    ("terminating connection because of crash", LogKind::Crash),
    ("remaining connection slots are reserved", LogKind::NoSlots),
    ("sorry, too many clients already", LogKind::NoSlots),
    ("too many connections for", LogKind::NoSlots),
    ("checkpoints are occurring too frequently", LogKind::CheckpointForced),
    ("checkpoint starting: wal", LogKind::CheckpointForced),
    ("checkpoint starting: immediate", LogKind::CheckpointForced),
    ("checkpoint starting:", LogKind::Checkpoint),
    ("could not serialize access", LogKind::Serialization),
];

/// Reads one message.
pub(super) fn of(m: &Message) -> Option<Fact> {
    let text = m.text.as_str();
    if let Some((start, kind)) = FIXED.iter().find(|(start, _)| text.starts_with(start)) {
        let said = match kind {
            LogKind::Checkpoint | LogKind::CheckpointForced => text.lines().next().unwrap_or(text),
            _ => start,
        };
        return Some(fact(*kind, said));
    }
    if text.starts_with("process ") {
        return lock(m);
    }
    if text.starts_with("deadlock detected") {
        let pids = processes(&m.detail);
        let holders = pids.into_iter().filter(|p| *p != m.pid).collect();
        return Some(Fact { holders, ..fact(LogKind::Deadlock, "deadlock detected") });
    }
    if let Some(rest) = text.strip_prefix("recovery still waiting after ") {
        let (waited, why) = rest.split_once(" ms: ")?;
        let said = format!("recovery waits: {}", why.lines().next().unwrap_or(why));
        let holders = numbers(m.detail.strip_prefix("Conflicting process").unwrap_or_default());
        let waited_s = waited.parse::<f64>().ok().map(|ms| ms / 1000.0);
        return Some(Fact { waited_s, holders, ..fact(LogKind::ReplayWait, said) });
    }
    if let Some(rest) = text.strip_prefix("temporary file: ") {
        let amount = rest.rsplit_once("size ")?.1.trim().parse().ok()?;
        return Some(Fact { amount, ..fact(LogKind::TempFile, "temporary file") });
    }
    if text.starts_with("checkpoint complete: ") {
        let said = text.split(';').next().unwrap_or(text);
        return Some(Fact {
            amount: seconds(text, "total=")?,
            ..fact(LogKind::CheckpointDone, said)
        });
    }
    // The process that receives the log is nobody's session.
    let of_session = !text.starts_with("terminating walreceiver");
    let state = if of_session { m.state.as_str() } else { "" };
    let by_state = || log_language::of_state(state).map(|(kind, said)| fact(kind, said));
    vacuum(text).or_else(by_state)
}

/// `automatic aggressive vacuum to prevent wraparound of table "shop.public.items": …`
fn vacuum(text: &str) -> Option<Fact> {
    let (first, rest) = text.split_once(" of table \"")?;
    let kind = match first {
        "automatic analyze" => LogKind::Analyze,
        f if f.starts_with("automatic ") && f.contains("vacuum") => LogKind::Vacuum,
        _ => return None,
    };
    let table = rest.split('"').next().unwrap_or_default();
    let amount = seconds(text, "elapsed: ").unwrap_or(0.0);
    let relation = table.split_once('.').map_or(table, |(_, t)| t).to_owned();
    Some(Fact { relation, amount, ..fact(kind, first) })
}

/// `process 1 still waiting for ShareLock on transaction 2 after 1000.1 ms`
fn lock(m: &Message) -> Option<Fact> {
    let text = m.text.as_str();
    let (pid, rest) = text.strip_prefix("process ")?.split_once(' ')?;
    let kinds = [
        ("still waiting for ", LogKind::LockWait),
        ("acquired ", LogKind::LockTaken),
        ("avoided deadlock for ", LogKind::LockWait),
        ("detected deadlock while waiting for ", LogKind::LockWait),
    ];
    let (rest, kind) = kinds.iter().find_map(|(w, k)| Some((rest.strip_prefix(w)?, *k)))?;
    let (what, after) = rest.rsplit_once(" after ")?;
    let (mode, thing) = what.split_once(" on ").unwrap_or((what, ""));
    // Numbers of relations say little; kinds of things say what to look at.
    let relation = match thing.split_whitespace().next() {
        Some("relation" | "tuple" | "page" | "extension") => {
            let name = thing.split("relation ").nth(1).unwrap_or_default();
            name.split_whitespace().next().unwrap_or_default().to_owned()
        }
        // `while updating tuple (0,7) in relation "items"`
        _ => m
            .context
            .split("relation \"")
            .nth(1)
            .and_then(|r| r.split('"').next())
            .unwrap_or_default()
            .to_owned(),
    };
    let waited = after.split_whitespace().next()?.parse::<f64>().ok()?;
    let verb = if kind == LogKind::LockTaken { "waited for" } else { "waits for" };
    let holding = m.detail.split("Wait queue").next().unwrap_or_default();
    Some(Fact {
        pid: pid.parse().ok(),
        mode: mode.to_owned(),
        relation,
        waited_s: Some(waited / 1000.0),
        holders: numbers(holding),
        ..fact(kind, format!("{verb} {mode} on {thing}"))
    })
}

/// All numbers of a text.
fn numbers(text: &str) -> Vec<i64> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|w| w.parse().ok()).collect()
}

/// Processes that a deadlock's detail names: `Process 1 waits for …; blocked by process 2.`
fn processes(detail: &str) -> Vec<i64> {
    let words: Vec<&str> = detail.split(|c: char| !c.is_alphanumeric()).collect();
    let named = words.windows(2).filter(|w| w[0].eq_ignore_ascii_case("process"));
    let mut pids: Vec<i64> = named.filter_map(|w| w[1].parse().ok()).collect();
    pids.sort_unstable();
    pids.dedup();
    pids
}

/// The number of seconds behind a word.
fn seconds(text: &str, word: &str) -> Option<f64> {
    let rest = text.split_once(word)?.1;
    rest.split(|c: char| c != '.' && !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_text(text: &str, detail: &str) -> Option<Fact> {
        of(&Message { pid: 1, text: text.into(), detail: detail.into(), ..Message::default() })
    }

    #[test]
    fn a_wait_tells_mode_relation_time_and_holders() {
        let text = "process 7 still waiting for AccessShareLock on relation 16425 of database 5 \
                    after 1000.100 ms";
        let f =
            of_text(text, "Process holding the lock: 13, 14. Wait queue: 7, 8.").expect("a wait");
        assert_eq!(
            (f.kind, f.pid, f.mode.as_str()),
            (LogKind::LockWait, Some(7), "AccessShareLock")
        );
        assert_eq!((f.relation.as_str(), f.waited_s), ("16425", Some(1.0001)));
        assert_eq!(f.holders, [13, 14]);
    }

    #[test]
    fn deadlocks_name_the_others() {
        let detail = "Process 1 waits for ShareLock on transaction 9; blocked by process 2.\n\
                      Process 2 waits for ShareLock on transaction 8; blocked by process 1.";
        assert_eq!(of_text("deadlock detected", detail).expect("a deadlock").holders, [2]);
    }

    #[test]
    fn amounts_are_read_and_other_messages_left() {
        let f = of_text("temporary file: path \"base/x.0\", size 14000", "").expect("a file");
        assert_eq!((f.kind, f.amount), (LogKind::TempFile, 14000.0));
        let text = "checkpoint complete: wrote 44 buffers; write=0.033 s, sync=0.1 s, total=2.5 s";
        assert_eq!(of_text(text, "").map(|f| f.amount), Some(2.5));
        let f = of_text("automatic vacuum of table \"shop.public.items\": index scans: 0", "");
        assert_eq!(f.map(|f| f.relation), Some("public.items".to_owned()));
        for other in ["duplicate key value", "process", "temporary file: size x", ""] {
            assert!(of_text(other, "").is_none(), "{other}");
        }
    }
}
