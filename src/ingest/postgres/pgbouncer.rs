//! What PgBouncer's console shows (`SHOW POOLS`, `STATS`, `DATABASES`, `CLIENTS`, `SERVERS`,
//! `LISTS`, `CONFIG`) to series under the names of pgbouncer_exporter, in seconds and bytes.
//! Addresses of clients are never kept: clients and servers are counted by state.

use super::psql::Block;
use super::row::{Row, SNAPSHOT, server_of};
use super::series::{self, Column, Growing, Labels, Measured, Value, no_more, timed};
use crate::ingest::Input;
use crate::ingest::raw::Raw;

/// One of the console's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    Pools,
    Stats,
    Databases,
    Clients,
    Lists,
    Config,
}

impl Show {
    /// The table whose columns these are.
    pub fn of(has: &dyn Fn(&str) -> bool) -> Option<Show> {
        let all = |names: &[&str]| names.iter().all(|n| has(n));
        match () {
            () if all(&["cl_active", "cl_waiting", "sv_active"]) => Some(Show::Pools),
            () if all(&["avg_query_time", "total_xact_count"]) => Some(Show::Stats),
            () if all(&["pool_size", "max_connections", "pool_mode"]) => Some(Show::Databases),
            () if all(&["ptr", "request_time", "database", "state"]) => Some(Show::Clients),
            () if all(&["list", "items"]) => Some(Show::Lists),
            () if all(&["changeable", "key", "value"]) => Some(Show::Config),
            () => None,
        }
    }
}

/// Microseconds of a second.
const US: f64 = 1e6;

const POOLS: Measured = Measured {
    server: pooler_of,
    view: "SHOW POOLS",
    labels: &[("database", "database"), ("user", "user")],
    columns: &[
        Column("cl_active", "pgbouncer_pools_client_active_connections", 1.0, ""),
        Column("cl_waiting", "pgbouncer_pools_client_waiting_connections", 1.0, ""),
        Column("sv_active", "pgbouncer_pools_server_active_connections", 1.0, ""),
        Column("sv_idle", "pgbouncer_pools_server_idle_connections", 1.0, ""),
        Column("sv_used", "pgbouncer_pools_server_used_connections", 1.0, ""),
        Column("sv_tested", "pgbouncer_pools_server_testing_connections", 1.0, ""),
        Column("sv_login", "pgbouncer_pools_server_login_connections", 1.0, ""),
        Column("sv_being_canceled", "pgbouncer_pools_server_being_canceled_connections", 1.0, ""),
    ],
    counters: false,
    more: longest_wait,
};

/// The oldest client's wait, in two columns: seconds and the microseconds beside them.
fn longest_wait(row: &Row, _: &mut Labels) -> Vec<Value> {
    let seconds = row.number("maxwait");
    let wait = seconds.map(|s| s + row.number("maxwait_us").unwrap_or(0.0) / US);
    wait.map(|s| ("pgbouncer_pools_client_maxwait_seconds", "s", s)).into_iter().collect()
}

const STATS: Measured = Measured {
    server: pooler_of,
    view: "SHOW STATS",
    labels: &[("database", "database")],
    columns: &[
        Column("total_xact_count", "pgbouncer_stats_sql_transactions_pooled_total", 1.0, ""),
        Column("total_query_count", "pgbouncer_stats_queries_pooled_total", 1.0, ""),
        Column("total_received", "pgbouncer_stats_received_bytes_total", 1.0, "bytes"),
        Column("total_sent", "pgbouncer_stats_sent_bytes_total", 1.0, "bytes"),
        Column("total_xact_time", "pgbouncer_stats_server_in_transaction_seconds_total", US, "s"),
        Column("total_query_time", "pgbouncer_stats_queries_duration_seconds_total", US, "s"),
        Column("total_wait_time", "pgbouncer_stats_client_wait_seconds_total", US, "s"),
    ],
    counters: true,
    more: no_more,
};

const DATABASES: Measured = Measured {
    server: pooler_of,
    view: "SHOW DATABASES",
    labels: &[("name", "name"), ("database", "database")],
    columns: &[
        Column("pool_size", "pgbouncer_databases_pool_size", 1.0, ""),
        Column("reserve_pool", "pgbouncer_databases_reserve_pool", 1.0, ""),
        Column("reserve_pool_size", "pgbouncer_databases_reserve_pool", 1.0, ""),
        Column("max_connections", "pgbouncer_databases_max_connections", 1.0, ""),
        Column("current_connections", "pgbouncer_databases_current_connections", 1.0, ""),
        Column("paused", "pgbouncer_databases_paused", 1.0, ""),
        Column("disabled", "pgbouncer_databases_disabled", 1.0, ""),
    ],
    counters: false,
    more: no_more,
};

/// Words of file names that say which of the console's tables an export is.
const ASIDE: [&str; 8] =
    ["show", "pools", "stats", "databases", "clients", "servers", "lists", "config"];

/// The pooler's name from the file's name; `pgbouncer` where that names the table only.
pub fn pooler_of(path: &str) -> String {
    let name = server_of(path);
    let words = name.split(|c: char| !c.is_alphanumeric());
    let shape = ["", "watch", "expanded", "postgres"];
    let own = |w: &&str| !ASIDE.contains(w) && !shape.contains(w) && w.parse::<u64>().is_err();
    let kept: Vec<&str> = words.filter(own).collect();
    if kept.is_empty() { "pgbouncer".to_owned() } else { kept.join("-") }
}

/// Reads the blocks of one of the console's tables.
pub fn read(input: &Input, show: Show, blocks: &[Block], raw: &mut Raw) {
    match show {
        Show::Pools => series::read(input, &POOLS, blocks, raw),
        Show::Stats => series::read(input, &STATS, blocks, raw),
        Show::Databases => series::read(input, &DATABASES, blocks, raw),
        Show::Clients => connections(input, blocks, raw),
        Show::Lists => named(input, blocks, raw, ("list", &listed)),
        Show::Config => named(input, blocks, raw, ("key", &configured)),
    }
}

/// Counts clients or servers by database, user and state.
fn connections(input: &Input, blocks: &[Block], raw: &mut Raw) {
    let mut growing = Growing::default();
    let server = pooler_of(input.path);
    for (block, at) in timed(input, blocks, raw) {
        for (row, line) in Row::all(&block.table) {
            let Some(at) = row.time(&SNAPSHOT, input, raw).or(at) else {
                raw.skip(input.file, Some(line), "row without a snapshot time", 1);
                continue;
            };
            let name = match row.text(&["type"]) {
                "S" => "pgbouncer_servers_connections",
                _ => "pgbouncer_clients_connections",
            };
            let columns = ["database", "user", "state"];
            let mut labels: Labels = columns.map(|c| (c.to_owned(), row.owned(c))).into();
            labels.insert("server".to_owned(), server.clone());
            growing.sum((name, ""), &labels, (at, 1.0));
            raw.rows(input.file, 1);
        }
    }
    growing.finish(input, raw);
}

fn listed(row: &Row) -> Option<Value> {
    let name = match row.text(&["list"]) {
        "databases" => "pgbouncer_databases",
        "users" => "pgbouncer_users",
        "pools" => "pgbouncer_pools",
        "free_clients" => "pgbouncer_free_clients",
        "used_clients" => "pgbouncer_used_clients",
        "login_clients" => "pgbouncer_login_clients",
        "free_servers" => "pgbouncer_free_servers",
        "used_servers" => "pgbouncer_used_servers",
        "dns_names" => "pgbouncer_cached_dns_names",
        "dns_zones" => "pgbouncer_cached_dns_zones",
        "dns_queries" => "pgbouncer_in_flight_dns_queries",
        _ => return None,
    };
    Some((name, "", row.number("items")?))
}

fn configured(row: &Row) -> Option<Value> {
    let (name, unit) = match row.text(&["key"]) {
        "max_client_conn" => ("pgbouncer_config_max_client_connections", ""),
        "max_user_connections" => ("pgbouncer_config_max_user_connections", ""),
        "default_pool_size" => ("pgbouncer_config_default_pool_size", ""),
        "query_wait_timeout" => ("pgbouncer_config_query_wait_timeout_seconds", "s"),
        _ => return None,
    };
    Some((name, unit, row.number("value")?))
}

/// What a row is called, by its column, and how it is understood.
type Named<'a> = (&'a str, &'a dyn Fn(&Row) -> Option<Value>);

/// Reads a table of names and numbers; what is not known by name is counted.
fn named(input: &Input, blocks: &[Block], raw: &mut Raw, (column, value): Named) {
    let mut growing = Growing::default();
    let labels = Labels::from([("server".to_owned(), pooler_of(input.path))]);
    for (block, at) in timed(input, blocks, raw) {
        for (row, line) in Row::all(&block.table) {
            let Some((name, unit, v)) = value(&row) else {
                let called = row.text(&[column]);
                raw.pass_over(input.file, "rows of the console without a metric", called, 1);
                continue;
            };
            let Some(at) = row.time(&SNAPSHOT, input, raw).or(at) else {
                raw.skip(input.file, Some(line), "row without a snapshot time", 1);
                continue;
            };
            growing.add((name, unit), &labels, (at, v));
            raw.rows(input.file, 1);
        }
    }
    growing.finish(input, raw);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pooler_is_named_after_the_file_without_the_tables_name() {
        assert_eq!(pooler_of("pools-2026-11-20T20-10-00.csv"), "pgbouncer");
        assert_eq!(pooler_of("pgbouncer/show_pools.watch.txt"), "pgbouncer");
        assert_eq!(pooler_of("orders_pgbouncer_stats.csv"), "orders");
    }
}
