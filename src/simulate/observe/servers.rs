//! Scrapes of the servers behind the services: PostgreSQL, Redis, partitions, a message broker.

use super::Record;
use crate::simulate::scenario::Lock;
use crate::simulate::station::SECOND;
use crate::simulate::world::{Operation, World};

const POSTGRES: &str = "postgres";
const REDIS: &str = "redis";
const PATRONI: &str = "patroni";
const PGBOUNCER: &str = "pgbouncer";
const RABBITMQ: &str = "rabbitmq";

pub fn database(world: &mut World, db: usize, record: &mut Record) {
    let now = world.now;
    let d = &mut world.databases[db];
    let busy = d.cores.busy_s(now);
    let name = d.name.clone();
    let job = format!("postgres-{name}");
    let own = [("instance", name.as_str()), ("job", job.as_str())];
    record.put(POSTGRES, "pg_up", &own, f64::from(u8::from(!d.down)));
    if d.down {
        return;
    }
    let mut all = own.to_vec();
    all.push(("datname", "main"));
    let open = |state| {
        let open = d.backends.iter().filter(move |b| !b.startup && b.state == state);
        open.collect::<Vec<_>>()
    };
    let age = |since: u64| (now - since) as f64 / SECOND as f64;
    let mut total = 0;
    for (word, state) in [
        ("active", Operation::Active),
        ("idle", Operation::Idle),
        ("idle in transaction", Operation::InTransaction),
    ] {
        let open = open(state);
        total += open.len();
        let oldest = open.iter().filter_map(|b| b.transaction).map(age).fold(0.0, f64::max);
        let mut labels = all.clone();
        labels.push(("state", word));
        record.put(POSTGRES, "pg_stat_activity_count", &labels, open.len() as f64);
        record.put(POSTGRES, "pg_stat_activity_max_tx_duration", &labels, oldest);
    }
    let lag = d.replay_waits.map_or(0.0, age);
    record.put(POSTGRES, "pg_replication_lag_seconds", &own, lag);
    let standby = f64::from(u8::from(d.primary.is_some()));
    record.put(POSTGRES, "pg_replication_is_replica", &own, standby);
    if let Some(cluster) = &d.cluster {
        // Patroni's view of itself, by its REST API.
        let own = [
            ("instance", name.as_str()),
            ("job", "patroni"),
            ("name", name.as_str()),
            ("scope", cluster.as_str()),
        ];
        record.put(PATRONI, "patroni_primary", &own, 1.0 - standby);
        record.put(PATRONI, "patroni_replica", &own, standby);
        record.put(PATRONI, "patroni_postgres_running", &own, 1.0);
        record.put(PATRONI, "patroni_postgres_timeline", &own, f64::from(d.timeline));
    }
    record.put(POSTGRES, "pg_settings_max_connections", &own, f64::from(d.max_connections));
    let calls: u64 = d.statements.iter().map(|s| s.calls).sum();
    let written: u64 = d.statements.iter().filter(|s| s.lock == Lock::Row).map(|s| s.calls).sum();
    let rows = [
        ("pg_stat_database_tup_updated", written as f64),
        ("pg_stat_database_numbackends", total as f64),
        ("pg_stat_database_xact_commit", d.commits as f64),
        ("pg_stat_database_xact_rollback", d.rollbacks as f64),
        ("pg_stat_database_deadlocks", d.deadlocks as f64),
        ("pg_stat_database_blks_hit", d.read.round()),
        ("pg_stat_database_blks_read", (d.read * (d.disk - 1.0).max(0.002)).round()),
        ("pg_stat_database_tup_fetched", calls as f64),
    ];
    rows.iter().for_each(|(name, value)| record.put(POSTGRES, name, &all, *value));
    let hogs = f64::from(d.hogs.min(d.all_cores));
    let step = (now - d.scraped) as f64 / SECOND as f64;
    d.hog_s += hogs * step;
    let spent = busy + d.hog_s;
    let use_of_cores = (spent - d.spent_s) / (step * f64::from(d.all_cores)).max(1e-9);
    record.put(POSTGRES, "db_cpu_utilization", &own, (use_of_cores.min(1.0) * 1e4).round() / 1e4);
    // Little's law: reads in progress are the time spent reading per second.
    let reading = (d.reading_s - d.read_before_s) / step.max(1e-9);
    record.put(POSTGRES, "DiskQueueDepth", &own, (reading * 1e3).round() / 1e3);
    if let Some(room) = d.disk_mb {
        let free = (room - d.used_mb).max(0.0) * 1e6;
        record.put(POSTGRES, "FreeStorageSpace", &own, free.round());
    }
    d.read_before_s = d.reading_s;
    (d.spent_s, d.scraped) = (spent, now);
}

/// PgBouncer as its exporter shows it.
pub fn pooler(world: &mut World, db: usize, record: &mut Record) {
    let now = world.now;
    let Some(p) = world.databases[db].pooler.as_mut() else { return };
    let busy_s = p.station.busy_s(now);
    let own = [("instance", p.name.as_str()), ("job", "pgbouncer")];
    record.put(PGBOUNCER, "pgbouncer_up", &own, 1.0);
    let mut base = own.to_vec();
    base.push(("database", "main"));
    let mut users = base.clone();
    users.push(("user", "main"));
    let busy = f64::from(p.station.busy);
    let waiting = p.station.waiting() as f64;
    let rows = [
        ("pgbouncer_pools_client_active_connections", busy),
        ("pgbouncer_pools_client_waiting_connections", waiting),
        ("pgbouncer_pools_client_maxwait_seconds", p.station.oldest(now) as f64 / 1e9),
        ("pgbouncer_pools_server_active_connections", busy),
        ("pgbouncer_pools_server_idle_connections", p.idle.len() as f64),
    ];
    rows.iter().for_each(|(name, value)| record.put(PGBOUNCER, name, &users, *value));
    let rows = [
        ("pgbouncer_databases_pool_size", f64::from(p.station.servers)),
        ("pgbouncer_databases_current_connections", busy + p.idle.len() as f64),
        ("pgbouncer_stats_client_wait_seconds_total", p.station.wait_s()),
        ("pgbouncer_stats_queries_duration_seconds_total", busy_s),
        ("pgbouncer_stats_queries_pooled_total", p.transactions as f64),
        ("pgbouncer_stats_sql_transactions_pooled_total", p.transactions as f64),
    ];
    rows.iter().for_each(|(name, value)| record.put(PGBOUNCER, name, &base, *value));
}

fn redis_server(record: &mut Record, name: &str, rows: &[(&str, f64)]) {
    let own = [("instance", name), ("job", "redis")];
    rows.iter().for_each(|(name, value)| record.put(REDIS, name, &own, *value));
}

pub fn cache(world: &mut World, cache: usize, record: &mut Record) {
    let now = world.now;
    let c = &mut world.caches[cache];
    let before = c.keys.len();
    c.keys.retain(|_, until| *until > now);
    c.expired += (before - c.keys.len()) as u64;
    if c.edge {
        return;
    }
    let name = c.name.clone();
    let up = f64::from(u8::from(!c.down));
    redis_server(record, &name, &[("redis_up", up)]);
    if !c.down {
        let rows = [
            ("redis_keyspace_hits_total", c.hits as f64),
            ("redis_keyspace_misses_total", c.misses as f64),
            ("redis_commands_processed_total", c.commands as f64),
            ("redis_expired_keys_total", c.expired as f64),
            ("redis_evicted_keys_total", 0.0),
            ("redis_memory_used_bytes", 1.2e6 + 2_000.0 * c.keys.len() as f64),
        ];
        redis_server(record, &name, &rows);
        let labels = [("db", "db0"), ("instance", name.as_str()), ("job", "redis")];
        record.put(REDIS, "redis_db_keys", &labels, c.keys.len() as f64);
    }
}

pub fn partitions(world: &mut World, store: usize, record: &mut Record) {
    let now = world.now;
    let s = &mut world.stores[store];
    let parallel: Vec<f64> = s.partitions.iter_mut().map(|p| p.busy_s(now)).collect();
    for (at, busy) in parallel.iter().enumerate() {
        let name = format!("{}-{at}", s.name);
        let rows = [
            ("redis_up", 1.0),
            ("redis_commands_processed_total", s.commands[at] as f64),
            ("redis_cpu_user_seconds_total", *busy),
        ];
        redis_server(record, &name, &rows);
    }
}

pub fn queue(world: &World, queue: usize, record: &mut Record) {
    let q = &world.queues[queue];
    let own = [("instance", q.broker.as_str()), ("job", "rabbitmq")];
    let consumers = q.consumer.map_or(0, |(service, _)| {
        let all = &world.services[usize::from(service)].instances;
        all.iter().filter(|i| i.ready && !i.removed).count()
    });
    let workers = q.consumer.map_or(0, |(service, _)| world.services[usize::from(service)].workers);
    let capacity = consumers as f64 * f64::from(workers);
    let busy = f64::from(q.unacknowledged);
    let free = if capacity > 0.0 { (1.0 - busy / capacity).clamp(0.0, 1.0) } else { 0.0 };
    let head = q
        .waiting
        .front()
        .map(|m| world.record_start_s() + world.seconds_from_zero(0) + m.at as f64 / SECOND as f64);
    let mut labels = own.to_vec();
    labels.push(("queue", &q.name));
    labels.push(("vhost", "/"));
    let (ready, unacked) = (q.waiting.len() as f64, f64::from(q.unacknowledged));
    let rows = [
        ("rabbitmq_queue_messages", ready + unacked),
        ("rabbitmq_queue_messages_ready", ready),
        ("rabbitmq_queue_messages_unacked", unacked),
        ("rabbitmq_queue_consumers", consumers as f64),
        ("rabbitmq_queue_consumer_utilisation", free),
    ];
    rows.iter().for_each(|(name, value)| record.put(RABBITMQ, name, &labels, *value));
    if let Some(head) = head {
        record.put(RABBITMQ, "rabbitmq_queue_head_message_timestamp", &labels, head.floor());
    }
    let mut global = own.to_vec();
    global.push(("protocol", "amqp091"));
    let rows = [
        ("rabbitmq_global_messages_received_total", q.published),
        ("rabbitmq_global_messages_delivered_total", q.delivered),
        ("rabbitmq_global_messages_acknowledged_total", q.acknowledged),
        ("rabbitmq_global_messages_redelivered_total", q.redelivered),
    ];
    rows.iter().for_each(|(name, n)| record.put(RABBITMQ, name, &global, *n as f64));
    record.put(RABBITMQ, "up", &own, 1.0);
}
