//! Which columns of PostgreSQL's statistics views are read, under the names and in the units that
//! postgres_exporter gives them. Milliseconds become seconds.

use super::row::{Row, interval, server_of};
use super::series::{Column, Labels, Measured, Value, no_more};
use crate::ingest::sql;

/// Milliseconds of a second.
const MS: f64 = 1e3;

/// pg_stat_database: one row per database.
pub const DATABASE: Measured = Measured {
    server: server_of,
    view: "pg_stat_database",
    labels: &[("datname", "datname")],
    columns: &[
        Column("numbackends", "pg_stat_database_numbackends", 1.0, ""),
        Column("xact_commit", "pg_stat_database_xact_commit", 1.0, ""),
        Column("xact_rollback", "pg_stat_database_xact_rollback", 1.0, ""),
        Column("blks_read", "pg_stat_database_blks_read", 1.0, ""),
        Column("blks_hit", "pg_stat_database_blks_hit", 1.0, ""),
        Column("tup_returned", "pg_stat_database_tup_returned", 1.0, ""),
        Column("tup_fetched", "pg_stat_database_tup_fetched", 1.0, ""),
        Column("tup_inserted", "pg_stat_database_tup_inserted", 1.0, ""),
        Column("tup_updated", "pg_stat_database_tup_updated", 1.0, ""),
        Column("tup_deleted", "pg_stat_database_tup_deleted", 1.0, ""),
        Column("conflicts", "pg_stat_database_conflicts", 1.0, ""),
        Column("temp_files", "pg_stat_database_temp_files", 1.0, ""),
        Column("temp_bytes", "pg_stat_database_temp_bytes", 1.0, "bytes"),
        Column("deadlocks", "pg_stat_database_deadlocks", 1.0, ""),
        Column("blk_read_time", "pg_stat_database_blk_read_time", MS, "s"),
        Column("blk_write_time", "pg_stat_database_blk_write_time", MS, "s"),
        Column("checksum_failures", "pg_stat_database_checksum_failures", 1.0, ""),
        Column("session_time", "pg_stat_database_session_time", MS, "s"),
        Column("active_time", "pg_stat_database_active_time_seconds_total", MS, "s"),
        Column("idle_in_transaction_time", "pg_stat_database_idle_in_transaction_time", MS, "s"),
        Column("sessions", "pg_stat_database_sessions", 1.0, ""),
        Column("sessions_abandoned", "pg_stat_database_sessions_abandoned", 1.0, ""),
        Column("sessions_fatal", "pg_stat_database_sessions_fatal", 1.0, ""),
        Column("sessions_killed", "pg_stat_database_sessions_killed", 1.0, ""),
    ],
    counters: true,
    more: no_more,
};

/// pg_stat_statements: one row per statement, user and database.
pub const STATEMENTS: Measured = Measured {
    server: server_of,
    view: "pg_stat_statements",
    labels: &[
        ("queryid", "queryid"),
        ("datname", "datname"),
        ("dbid", "dbid"),
        ("userid", "userid"),
        ("usename", "user"),
        ("rolname", "user"),
        ("toplevel", "toplevel"),
    ],
    columns: &[
        Column("calls", "pg_stat_statements_calls_total", 1.0, ""),
        Column("total_exec_time", "pg_stat_statements_seconds_total", MS, "s"),
        Column("total_time", "pg_stat_statements_seconds_total", MS, "s"),
        Column("total_plan_time", "pg_stat_statements_plan_seconds_total", MS, "s"),
        Column("rows", "pg_stat_statements_rows_total", 1.0, ""),
        Column("shared_blks_read", "pg_stat_statements_shared_blks_read_total", 1.0, ""),
        Column("shared_blks_hit", "pg_stat_statements_shared_blks_hit_total", 1.0, ""),
        Column("temp_blks_written", "pg_stat_statements_temp_blks_written_total", 1.0, ""),
        Column("blk_read_time", "pg_stat_statements_block_read_seconds_total", MS, "s"),
        Column("shared_blk_read_time", "pg_stat_statements_block_read_seconds_total", MS, "s"),
        Column("blk_write_time", "pg_stat_statements_block_write_seconds_total", MS, "s"),
        Column("shared_blk_write_time", "pg_stat_statements_block_write_seconds_total", MS, "s"),
        Column("wal_bytes", "pg_stat_statements_wal_bytes_total", 1.0, "bytes"),
    ],
    counters: true,
    more: statement,
};

/// Names a statement by its fingerprint, and its verb and table; its text goes no further.
fn statement(row: &Row, labels: &mut Labels) -> Vec<Value> {
    let normalized = sql::normalize(row.text(&["query"])).text;
    if !normalized.is_empty() {
        labels.insert("query".to_owned(), sql::fingerprint(&normalized));
        labels.insert("statement".to_owned(), sql::summary(&normalized));
    }
    Vec::new()
}

/// pg_stat_replication: one row per standby or subscriber, seen from the primary.
pub const REPLICATION: Measured = Measured {
    server: server_of,
    view: "pg_stat_replication",
    labels: &[
        ("application_name", "application_name"),
        ("state", "state"),
        ("sync_state", "sync_state"),
    ],
    columns: &[],
    counters: false,
    more: replication,
};

/// Position in the write-ahead log: `16/B374D848`, in bytes.
fn lsn(text: &str) -> Option<f64> {
    let (high, low) = text.split_once('/')?;
    let part = |hex: &str| u64::from_str_radix(hex, 16).ok().map(|v| v as f64);
    Some(part(high)? * 4_294_967_296.0 + part(low)?)
}

fn replication(row: &Row, _: &mut Labels) -> Vec<Value> {
    let mut found = Vec::new();
    if let Some(lag) = interval(row.text(&["replay_lag"])) {
        found.push(("pg_replication_lag_seconds", "s", lag as f64 / 1e6));
    }
    let sent = lsn(row.text(&["pg_current_wal_lsn", "sent_lsn", "sent_location"]));
    let replayed = lsn(row.text(&["replay_lsn", "replay_location"]));
    if let (Some(sent), Some(replayed)) = (sent, replayed) {
        found.push(("pg_stat_replication_pg_wal_lsn_diff", "bytes", sent - replayed));
    }
    found
}

/// pg_stat_user_tables: one row per table.
pub const TABLES: Measured = Measured {
    server: server_of,
    view: "pg_stat_user_tables",
    labels: &[("datname", "datname"), ("schemaname", "schemaname"), ("relname", "relname")],
    columns: &[
        Column("seq_scan", "pg_stat_user_tables_seq_scan", 1.0, ""),
        Column("seq_tup_read", "pg_stat_user_tables_seq_tup_read", 1.0, ""),
        Column("idx_scan", "pg_stat_user_tables_idx_scan", 1.0, ""),
        Column("idx_tup_fetch", "pg_stat_user_tables_idx_tup_fetch", 1.0, ""),
        Column("n_tup_ins", "pg_stat_user_tables_n_tup_ins", 1.0, ""),
        Column("n_tup_upd", "pg_stat_user_tables_n_tup_upd", 1.0, ""),
        Column("n_tup_del", "pg_stat_user_tables_n_tup_del", 1.0, ""),
        Column("n_live_tup", "pg_stat_user_tables_n_live_tup", 1.0, ""),
        Column("n_dead_tup", "pg_stat_user_tables_n_dead_tup", 1.0, ""),
        Column("vacuum_count", "pg_stat_user_tables_vacuum_count", 1.0, ""),
        Column("autovacuum_count", "pg_stat_user_tables_autovacuum_count", 1.0, ""),
    ],
    counters: true,
    more: no_more,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_in_the_log_are_bytes() {
        assert_eq!(lsn("0/3000060").zip(lsn("0/3000000")).map(|(a, b)| a - b), Some(96.0));
        assert_eq!(lsn("1/0"), Some(4_294_967_296.0));
        assert_eq!(lsn("x"), None);
    }
}
