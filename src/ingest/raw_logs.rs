//! Lines of a database server's log that say something about its sessions.

use super::raw::FileId;
use crate::model::Micros;
use serde::Serialize;

/// What a line of a server's log is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogKind {
    /// A session waits for a lock for longer than `deadlock_timeout`.
    #[default]
    LockWait,
    /// It has it now.
    LockTaken,
    Deadlock,
    /// A user cancelled a statement.
    Cancelled,
    StatementTimeout,
    LockTimeout,
    /// An administrator ended a session.
    Terminated,
    IdleTimeout,
    /// Replay of a standby ended a statement or a session.
    RecoveryConflict,
    /// Replay of a standby waits for a session.
    ReplayWait,
    /// A connection was refused: all are taken.
    NoSlots,
    /// A checkpoint by time, or by request or volume.
    Checkpoint,
    CheckpointForced,
    CheckpointDone,
    TempFile,
    Vacuum,
    Analyze,
    Crash,
    Serialization,
}

impl LogKind {
    /// All kinds with their names.
    pub const NAMED: [(LogKind, &'static str); 19] = [
        (LogKind::LockWait, "lock-wait"),
        (LogKind::LockTaken, "lock-taken"),
        (LogKind::Deadlock, "deadlock"),
        (LogKind::Cancelled, "cancelled"),
        (LogKind::StatementTimeout, "statement-timeout"),
        (LogKind::LockTimeout, "lock-timeout"),
        (LogKind::Terminated, "terminated"),
        (LogKind::IdleTimeout, "idle-timeout"),
        (LogKind::RecoveryConflict, "conflict-with-recovery"),
        (LogKind::ReplayWait, "replay-wait"),
        (LogKind::NoSlots, "no-slots"),
        (LogKind::Checkpoint, "checkpoint"),
        (LogKind::CheckpointForced, "checkpoint-forced"),
        (LogKind::CheckpointDone, "checkpoint-done"),
        (LogKind::TempFile, "temp-file"),
        (LogKind::Vacuum, "vacuum"),
        (LogKind::Analyze, "analyze"),
        (LogKind::Crash, "crash"),
        (LogKind::Serialization, "serialization"),
    ];

    /// The kind of a name.
    pub fn named(name: &str) -> Option<LogKind> {
        LogKind::NAMED.iter().find(|(_, n)| *n == name).map(|(kind, _)| *kind)
    }

    /// An error or the end of a session, which PostgreSQL logs unless `log_min_messages` is raised;
    /// the others stand in a log only where a setting asks for them.
    pub fn is_always_logged(self) -> bool {
        matches!(
            self,
            LogKind::Deadlock
                | LogKind::StatementTimeout
                | LogKind::LockTimeout
                | LogKind::Terminated
                | LogKind::IdleTimeout
                | LogKind::RecoveryConflict
                | LogKind::NoSlots
                | LogKind::Crash
                | LogKind::Serialization
        )
    }

    /// Kinds that are counted, and the name and unit of the counter.
    pub const COUNTED: [(LogKind, (&'static str, &'static str)); 7] = [
        (LogKind::LockWait, ("pg_log_lock_waits_total", "")),
        (LogKind::Deadlock, ("pg_log_deadlocks_total", "")),
        (LogKind::RecoveryConflict, ("pg_log_recovery_conflicts_total", "")),
        (LogKind::NoSlots, ("pg_log_refused_connections_total", "")),
        (LogKind::CheckpointForced, ("pg_log_checkpoints_requested_total", "")),
        (LogKind::TempFile, ("pg_log_temp_bytes_total", "bytes")),
        (LogKind::StatementTimeout, ("pg_log_statement_timeouts_total", "")),
    ];
}

/// One line; fields are empty where it does not say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawLog {
    pub file: FileId,
    pub line: u64,
    /// Database server as the file names it.
    pub server: String,
    pub at: Micros,
    /// Process that it is about.
    pub pid: i64,
    pub database: String,
    pub user: String,
    pub application: String,
    pub client_addr: String,
    pub kind: LogKind,
    /// The message, without what users wrote.
    pub said: String,
    pub mode: String,
    pub relation: String,
    pub waited_s: Option<f64>,
    /// Processes that hold what is waited for; 0 is a prepared transaction.
    pub holders: Vec<i64>,
    /// Bytes of a temporary file, seconds of a checkpoint or vacuum.
    pub amount: f64,
    /// Statement with literals and comments removed.
    pub query: String,
}
