//! pg_settings and `SHOW ALL` to gauges in base units, for the settings that bound something:
//! `pg_settings_max_connections`, `pg_settings_shared_buffers_bytes`, as postgres_exporter does.

use super::psql::Block;
use super::row::{Row, SNAPSHOT, server_of};
use super::series::{Growing, timed};
use crate::ingest::Input;
use crate::ingest::cell::number;
use crate::ingest::raw::Raw;
use std::collections::BTreeMap;

/// Settings that are kept: the series and the unit of its values.
const KEPT: [(&str, &str, &str); 30] = [
    ("max_connections", "pg_settings_max_connections", ""),
    ("superuser_reserved_connections", "pg_settings_superuser_reserved_connections", ""),
    ("reserved_connections", "pg_settings_reserved_connections", ""),
    ("max_worker_processes", "pg_settings_max_worker_processes", ""),
    ("max_parallel_workers", "pg_settings_max_parallel_workers", ""),
    ("max_parallel_workers_per_gather", "pg_settings_max_parallel_workers_per_gather", ""),
    ("autovacuum", "pg_settings_autovacuum", ""),
    ("autovacuum_max_workers", "pg_settings_autovacuum_max_workers", ""),
    ("max_locks_per_transaction", "pg_settings_max_locks_per_transaction", ""),
    ("max_prepared_transactions", "pg_settings_max_prepared_transactions", ""),
    ("max_wal_senders", "pg_settings_max_wal_senders", ""),
    ("max_replication_slots", "pg_settings_max_replication_slots", ""),
    ("autovacuum_freeze_max_age", "pg_settings_autovacuum_freeze_max_age", ""),
    ("random_page_cost", "pg_settings_random_page_cost", ""),
    ("statement_timeout", "pg_settings_statement_timeout_seconds", "s"),
    ("lock_timeout", "pg_settings_lock_timeout_seconds", "s"),
    ("deadlock_timeout", "pg_settings_deadlock_timeout_seconds", "s"),
    ("transaction_timeout", "pg_settings_transaction_timeout_seconds", "s"),
    ("idle_session_timeout", "pg_settings_idle_session_timeout_seconds", "s"),
    (
        "idle_in_transaction_session_timeout",
        "pg_settings_idle_in_transaction_session_timeout_seconds",
        "s",
    ),
    ("checkpoint_timeout", "pg_settings_checkpoint_timeout_seconds", "s"),
    ("max_standby_streaming_delay", "pg_settings_max_standby_streaming_delay_seconds", "s"),
    ("shared_buffers", "pg_settings_shared_buffers_bytes", "bytes"),
    ("effective_cache_size", "pg_settings_effective_cache_size_bytes", "bytes"),
    ("work_mem", "pg_settings_work_mem_bytes", "bytes"),
    ("maintenance_work_mem", "pg_settings_maintenance_work_mem_bytes", "bytes"),
    ("wal_buffers", "pg_settings_wal_buffers_bytes", "bytes"),
    ("max_wal_size", "pg_settings_max_wal_size_bytes", "bytes"),
    ("temp_file_limit", "pg_settings_temp_file_limit_bytes", "bytes"),
    ("max_slot_wal_keep_size", "pg_settings_max_slot_wal_keep_size_bytes", "bytes"),
];

/// PostgreSQL's own units: all of them binary.
const UNITS: [(&str, f64); 11] = [
    ("us", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("min", 60.0),
    ("h", 3600.0),
    ("d", 86_400.0),
    ("B", 1.0),
    ("kB", 1024.0),
    ("MB", 1_048_576.0),
    ("GB", 1_073_741_824.0),
    ("TB", 1_099_511_627_776.0),
];

/// A setting in base units; its unit stands in a column (`8kB` for pages) or behind the number.
fn value(setting: &str, unit: &str) -> Option<f64> {
    match setting {
        "on" => return Some(1.0),
        "off" => return Some(0.0),
        _ => {}
    }
    let split = |text: &str| {
        let at = text.rfind(|c: char| c.is_ascii_digit()).map_or(0, |at| at + 1);
        (text[..at].to_owned(), text[at..].trim().to_owned())
    };
    let (amount, own) = split(setting);
    let amount = number(&amount)?;
    // -1 and 0 stand for "no limit" and "off" whatever the unit.
    if amount <= 0.0 {
        return Some(amount);
    }
    let (times, unit) = split(if own.is_empty() { unit } else { &own });
    let times = if times.is_empty() { 1.0 } else { number(&times)? };
    let factor = match unit.as_str() {
        "" => 1.0,
        known => UNITS.iter().find(|(u, _)| *u == known)?.1,
    };
    Some(amount * times * factor)
}

/// Reads the settings that bound something; the others are counted.
pub fn read(input: &Input, blocks: &[Block], raw: &mut Raw) {
    let labels = BTreeMap::from([("server".to_owned(), server_of(input.path))]);
    let mut growing = Growing::default();
    for (block, at) in timed(input, blocks, raw) {
        for (row, line) in Row::all(&block.table) {
            let name = row.text(&["name"]);
            let Some((_, series, base)) = KEPT.iter().find(|(n, _, _)| *n == name) else {
                raw.pass_over(input.file, "settings without a metric", name, 1);
                continue;
            };
            let at = row.time(&SNAPSHOT, input, raw).or(at);
            let value = value(row.text(&["setting"]), row.text(&["unit"]));
            let (Some(at), Some(value)) = (at, value) else {
                raw.skip(input.file, Some(line), "setting without a readable value or time", 1);
                continue;
            };
            growing.add((series, base), &labels, (at, value));
            raw.rows(input.file, 1);
        }
    }
    growing.finish(input, raw);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_out_in_base_units() {
        assert_eq!(value("2048", "8kB"), Some(16_777_216.0));
        assert_eq!(value("16MB", ""), Some(16_777_216.0));
        assert_eq!(value("1000", "ms"), Some(1.0));
        assert_eq!(value("5min", ""), Some(300.0));
        assert_eq!(value("30", ""), Some(30.0));
        assert_eq!(value("-1", "kB"), Some(-1.0));
        assert_eq!(value("on", ""), Some(1.0));
        assert_eq!(value("replica", ""), None);
    }
}
