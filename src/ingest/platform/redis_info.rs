//! `redis-cli INFO`, one snapshot or several appended. In: `# Section` and `key:value` lines.
//! Out: values under the names of redis_exporter, and a restart where the run id changes.

use super::states::{self, States};
use crate::ingest::raw::{Raw, RawEvent};
use crate::ingest::{Head, Input, cell};
use crate::model::{GapKind, Micros, SECOND};
use crate::time;
use std::collections::{BTreeMap, BTreeSet};

const SECTIONS: [&str; 15] = [
    "Server",
    "Clients",
    "Memory",
    "Persistence",
    "Stats",
    "Replication",
    "CPU",
    "Modules",
    "Commandstats",
    "Latencystats",
    "Errorstats",
    "Cluster",
    "Keyspace",
    "Sentinel",
    "Threads",
];

/// A field, the exporter's name of it, and the factor to the exporter's unit.
type Name = (&'static str, &'static str, f64);

/// Fields whose name the exporter changes.
const NAMES: [Name; 37] = [
    ("used_memory", "memory_used_bytes", 1.0),
    ("used_memory_rss", "memory_used_rss_bytes", 1.0),
    ("used_memory_peak", "memory_used_peak_bytes", 1.0),
    ("used_memory_overhead", "memory_used_overhead_bytes", 1.0),
    ("used_memory_startup", "memory_used_startup_bytes", 1.0),
    ("used_memory_dataset", "memory_used_dataset_bytes", 1.0),
    ("used_memory_lua", "memory_used_lua_bytes", 1.0),
    ("maxmemory", "memory_max_bytes", 1.0),
    ("maxclients", "max_clients", 1.0),
    ("client_recent_max_input_buffer", "client_recent_max_input_buffer_bytes", 1.0),
    ("client_recent_max_output_buffer", "client_recent_max_output_buffer_bytes", 1.0),
    ("mem_not_counted_for_evict", "mem_not_counted_for_eviction_bytes", 1.0),
    ("loading", "loading_dump_file", 1.0),
    ("rdb_last_save_time", "rdb_last_save_timestamp_seconds", 1.0),
    ("rdb_last_bgsave_time_sec", "rdb_last_bgsave_duration_sec", 1.0),
    ("rdb_current_bgsave_time_sec", "rdb_current_bgsave_duration_sec", 1.0),
    ("latest_fork_usec", "latest_fork_seconds", 1e-6),
    ("total_connections_received", "connections_received_total", 1.0),
    ("total_commands_processed", "commands_processed_total", 1.0),
    ("total_net_input_bytes", "net_input_bytes_total", 1.0),
    ("total_net_output_bytes", "net_output_bytes_total", 1.0),
    ("rejected_connections", "rejected_connections_total", 1.0),
    ("expired_keys", "expired_keys_total", 1.0),
    ("expired_stale_perc", "expired_stale_percentage", 1.0),
    ("evicted_keys", "evicted_keys_total", 1.0),
    ("keyspace_hits", "keyspace_hits_total", 1.0),
    ("keyspace_misses", "keyspace_misses_total", 1.0),
    ("used_cpu_sys", "cpu_sys_seconds_total", 1.0),
    ("used_cpu_user", "cpu_user_seconds_total", 1.0),
    ("used_cpu_sys_children", "cpu_sys_children_seconds_total", 1.0),
    ("used_cpu_user_children", "cpu_user_children_seconds_total", 1.0),
    ("sync_full", "replica_resyncs_full", 1.0),
    ("sync_partial_ok", "replica_partial_resync_accepted", 1.0),
    ("sync_partial_err", "replica_partial_resync_denied", 1.0),
    ("repl_backlog_size", "replication_backlog_bytes", 1.0),
    ("repl_backlog_active", "repl_backlog_is_active", 1.0),
    ("repl_backlog_histlen", "repl_backlog_history_bytes", 1.0),
];

/// Fields that the exporter hands on under their own names.
const SAME: [&str; 27] = [
    "connected_clients",
    "blocked_clients",
    "tracking_clients",
    "clients_in_timeout_table",
    "cluster_connections",
    "cluster_enabled",
    "uptime_in_seconds",
    "io_threads_active",
    "mem_fragmentation_ratio",
    "mem_fragmentation_bytes",
    "allocator_frag_ratio",
    "lazyfree_pending_objects",
    "active_defrag_running",
    "rdb_changes_since_last_save",
    "rdb_bgsave_in_progress",
    "aof_enabled",
    "aof_rewrite_in_progress",
    "instantaneous_ops_per_sec",
    "instantaneous_input_kbps",
    "instantaneous_output_kbps",
    "pubsub_channels",
    "pubsub_patterns",
    "total_error_replies",
    "unexpected_error_replies",
    "connected_slaves",
    "master_repl_offset",
    "slave_priority",
];

/// Fields that are `ok`, `up` or something else.
const STATUS: [(&str, &str); 4] = [
    ("rdb_last_bgsave_status", "rdb_last_bgsave_status"),
    ("aof_last_bgrewrite_status", "aof_last_bgrewrite_status"),
    ("aof_last_write_status", "aof_last_write_status"),
    ("master_link_status", "master_link_up"),
];

/// Accepts a section's title followed by fields.
pub fn accepts(head: &Head) -> bool {
    let text = String::from_utf8_lossy(head.bytes);
    let mut lines = text.lines().take(40).map(str::trim).skip_while(|l| section(l).is_none());
    let titled = lines.next().is_some();
    titled && lines.find(|l| !l.is_empty()).is_some_and(|l| field(l).is_some())
}

fn section(line: &str) -> Option<&str> {
    line.strip_prefix("# ").filter(|s| SECTIONS.contains(s))
}

fn field(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(':')?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-|.".contains(&b);
    (!key.is_empty() && key.bytes().all(plain)).then_some((key, value))
}

/// The server that a file is about by its name, without words of the command and times.
pub fn instance(name: &str) -> String {
    const WORDS: [&str; 7] =
        ["info", "cluster", "nodes", "hotkeys", "appended", "cli", "snapshots"];
    let stem = name.split('.').next().unwrap_or(name);
    let words = stem.split(['-', '_', ' ']).filter(|w| {
        let timed = w.starts_with(|c: char| c.is_ascii_digit()) && w.len() > 1;
        !w.is_empty() && !timed && !WORDS.contains(w)
    });
    let name = words.collect::<Vec<_>>().join("-");
    if name.is_empty() { "redis".to_owned() } else { name }
}

/// What one snapshot says about who it is of.
#[derive(Clone, Default)]
struct Server {
    fields: Vec<(String, String)>,
    line: u64,
    stamp: Option<Micros>,
}

impl Server {
    fn get(&self, key: &str) -> &str {
        self.fields.iter().find(|(k, _)| k == key).map_or("", |(_, v)| v.as_str())
    }

    /// The server's own clock, else the line before the snapshot.
    fn at(&self) -> Option<Micros> {
        let own: Option<Micros> = self.get("server_time_usec").parse().ok();
        own.and_then(time::believable).or(self.stamp)
    }

    fn uptime(&self) -> Option<Micros> {
        let seconds: Micros = self.get("uptime_in_seconds").parse().ok()?;
        seconds.checked_mul(SECOND)
    }
}

/// Reads every snapshot.
pub fn read(input: &Input, raw: &mut Raw) {
    let mut all = snapshots(input, raw);
    date_by_uptime(&mut all, input, raw);
    let ports: BTreeSet<&str> = all.iter().map(|s| s.get("tcp_port")).collect();
    let several = ports.len() > 1;
    let name = instance(input.name());
    let mut states = States::default();
    for server in &all {
        let port = server.get("tcp_port");
        let instance = if several { format!("{name}:{port}") } else { name.clone() };
        states.begin(server.at(), server.line);
        values(server, &instance, &mut states, input, raw);
    }
    let mut latest: BTreeMap<&str, &Server> = BTreeMap::new();
    for server in &all {
        let Some(before) = latest.insert(server.get("tcp_port"), server) else { continue };
        let (old, new) = (before.get("run_id"), server.get("run_id"));
        let started = server.at().zip(server.uptime());
        let started = started.and_then(|(at, up)| time::believable(at.saturating_sub(up)));
        if let (true, Some(at)) = (old != new, started) {
            raw.events.push(RawEvent {
                at,
                kind: "restart".to_owned(),
                service: name.clone(),
                target: name.clone(),
                title: "redis was started again: another run_id".to_owned(),
                version: server.get("redis_version").to_owned(),
                file: input.file,
                line: server.line,
            });
            raw.rows(input.file, 1);
        }
    }
    if all.len() == 1 {
        let what = "one snapshot: counters since the server's start give no rates (take two)";
        raw.gap(GapKind::Missing, input.file, None, what);
    }
    states.finish(input, raw);
}

/// Splits the text into snapshots: one begins where a section's title comes again.
fn snapshots(input: &Input, raw: &mut Raw) -> Vec<Server> {
    let text = String::from_utf8_lossy(input.bytes);
    let mut all: Vec<Server> = Vec::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut stamp = None;
    for (line, number) in text.lines().map(str::trim).zip(input.first_line..) {
        if let Some(title) = section(line) {
            if all.is_empty() || !seen.insert(title) {
                seen = BTreeSet::from([title]);
                all.push(Server { line: number, stamp: stamp.take(), ..Server::default() });
            }
        } else if let Some(parsed) = states::stamp(line, input.zone) {
            if parsed.zone_assumed {
                raw.zone_assumed(input.file);
            }
            stamp = Some(parsed.at);
        } else if let (Some((key, value)), Some(server)) = (field(line), all.last_mut()) {
            server.fields.push((key.to_owned(), value.trim().to_owned()));
        } else if !line.is_empty() && !line.starts_with('#') {
            raw.skip(input.file, Some(number), "not a field of INFO", 1);
        }
    }
    all
}

/// Older servers tell no time: the last snapshot is as old as the file, and the ones before it
/// are as much older as the uptime says.
fn date_by_uptime(all: &mut [Server], input: &Input, raw: &mut Raw) {
    let count = all.len();
    let Some(last) = all.last().filter(|_| count > 1) else { return };
    let (run, up) = (last.get("run_id").to_owned(), last.uptime());
    if all.iter().any(|s| s.at().is_some()) {
        return;
    }
    let (Some(at), Some(up)) = (input.taken_at(raw), up) else { return };
    for server in all.iter_mut().filter(|s| s.get("run_id") == run) {
        let age = |u: Micros| at.saturating_sub(up.saturating_sub(u));
        server.stamp = server.uptime().and_then(|u| time::believable(age(u)));
    }
}

/// Turns the fields of one snapshot to values.
fn values(server: &Server, instance: &str, states: &mut States, input: &Input, raw: &mut Raw) {
    let own = ("instance", instance);
    states.put("redis_up", &[own], 1.0);
    for (key, value) in &server.fields {
        let name = |n: &str| format!("redis_{n}");
        let number = || cell::number(value);
        let renamed = NAMES.iter().find(|(k, _, _)| k == key).map(|(_, n, f)| (*n, *f));
        let known = renamed.or_else(|| SAME.iter().find(|k| *k == key).map(|k| (*k, 1.0)));
        if let Some((n, factor)) = known {
            match number() {
                Some(v) => states.put(&name(n), &[own], v * factor),
                None => {
                    let what = format!("{key} \"{}\" is not a number", value.escape_debug());
                    raw.skip_like(input.file, "field", 1, || (Some(server.line), what));
                }
            }
        } else if let Some((_, n)) = STATUS.iter().find(|(k, _)| k == key) {
            let good = ["ok", "up"].contains(&value.as_str());
            states.put(&name(n), &[own], f64::from(good));
        } else if key == "role" {
            states.put("redis_instance_info", &[own, ("role", value)], 1.0);
        } else if key == "master_last_io_seconds_ago" {
            states.put("redis_master_last_io_seconds_ago", &[own], number().unwrap_or(-1.0));
        } else if !(value.contains('=') && parts(key, value, own, states)) {
            raw.pass_over(input.file, "fields of INFO without a metric", key, 1);
        }
    }
}

/// Fields with several values: `db0:keys=1,expires=0`, `slave0:…`, `cmdstat_get:…`; says whether it
/// is one that is known.
fn parts(key: &str, value: &str, own: (&str, &str), states: &mut States) -> bool {
    let get = |name: &str| {
        value.split(',').filter_map(|p| p.split_once('=')).find(|(k, _)| *k == name).map(|p| p.1)
    };
    let number = |name: &str| get(name).and_then(cell::number);
    let numbered = |prefix: &str| {
        key.strip_prefix(prefix).is_some_and(|n| !n.is_empty() && n.parse::<u32>().is_ok())
    };
    let (labels, fields): (Vec<(&str, &str)>, &[Name]) = if numbered("db") {
        (
            vec![own, ("db", key)],
            &[
                ("keys", "redis_db_keys", 1.0),
                ("expires", "redis_db_keys_expiring", 1.0),
                ("avg_ttl", "redis_db_avg_ttl_seconds", 1e-3),
            ],
        )
    } else if numbered("slave") {
        let label = |name: &str| get(name).unwrap_or_default();
        let (ip, port, state) = (label("ip"), label("port"), label("state"));
        let labels = vec![own, ("slave_ip", ip), ("slave_port", port), ("slave_state", state)];
        (
            labels,
            &[
                ("offset", "redis_connected_slave_offset_bytes", 1.0),
                ("lag", "redis_connected_slave_lag_seconds", 1.0),
            ],
        )
    } else if let Some(command) = key.strip_prefix("cmdstat_") {
        (
            vec![own, ("cmd", command)],
            &[
                ("calls", "redis_commands_total", 1.0),
                ("usec", "redis_commands_duration_seconds_total", 1e-6),
                ("rejected_calls", "redis_commands_rejected_calls_total", 1.0),
                ("failed_calls", "redis_commands_failed_calls_total", 1.0),
            ],
        )
    } else if let Some(error) = key.strip_prefix("errorstat_") {
        (vec![own, ("err", error)], &[("count", "redis_errors_total", 1.0)])
    } else {
        return false;
    };
    for (field, name, factor) in fields {
        if let Some(v) = number(field) {
            states.put(name, &labels, v * factor);
        }
    }
    true
}
