//! What the names that readers and exporters give come to: one series in; its signal, subject,
//! class, state and value in base units out.

use super::normalize;
use crate::ingest::raw::{InputFile, Raw, RawSeries};
use crate::model::{SECOND, Subject};
use crate::telemetry::{Class, Telemetry};

/// Ten equal samples of a metric; its labels are written `name=value`, apart by spaces.
fn series(name: &str, labels: &str, unit: &str, value: f64) -> RawSeries {
    let pairs = labels.split_whitespace().filter_map(|l| l.split_once('='));
    RawSeries {
        name: name.to_owned(),
        labels: pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        unit: Some(unit.to_owned()).filter(|u| !u.is_empty()),
        samples: (0..10).map(|i| (i * 10 * SECOND, value)).collect(),
        ..RawSeries::default()
    }
}

fn read(path: &str, all: Vec<RawSeries>) -> Telemetry {
    let file = InputFile::named(path);
    let mut raw = Raw::default();
    (raw.files, raw.series) = (vec![file], all);
    normalize(raw).expect("understood")
}

fn subject(t: &Telemetry, i: usize) -> String {
    let name = |e| t.graph.entity(e).name.clone();
    match t.series[i].subject {
        Subject::Entity(e) => name(e),
        Subject::Edge(a, b) => format!("{} -> {}", name(a), name(b)),
    }
}

/// Signal, factor to its base unit, class and state of a series.
fn meaning(name: &str, labels: &str, unit: &str) -> Option<(String, f64, Class, String)> {
    let labels = if labels.is_empty() { "service=shop" } else { labels };
    let t = read("m.csv", vec![series(name, labels, unit, 1.0)]);
    let meta = t.series.first()?;
    assert!(!meta.guessed || name.starts_with("trace."), "{name} is guessed");
    let factor = t.samples[0].at(0).1;
    Some((t.signals.get(meta.signal).name.clone(), factor, meta.class, meta.state.clone()))
}

/// Name, unit as exported, signal, factor to its base unit.
type Row = (&'static str, &'static str, &'static str, f64);

const AWS: [Row; 82] = [
    ("RequestCount", "1/s", "http.server.requests", 1.0),
    ("RequestCountPerTarget", "1/s", "request.failures.parts", 1.0),
    ("ActiveConnectionCount", "count", "connections", 1.0),
    ("UnHealthyHostCount", "count", "replicas.unhealthy", 1.0),
    ("HealthyHostCount", "count", "replicas.ready", 1.0),
    ("TargetResponseTime", "s", "http.server.request.duration", 1.0),
    ("HTTPCode_Target_2XX_Count", "1/s", "request.failures.parts", 1.0),
    ("HTTPCode_Target_4XX_Count", "1/s", "request.client_errors", 1.0),
    ("HTTPCode_Target_5XX_Count", "1/s", "request.failures", 1.0),
    ("HTTPCode_ELB_4XX_Count", "1/s", "request.client_errors", 1.0),
    ("HTTPCode_ELB_5XX_Count", "1/s", "request.failures", 1.0),
    ("HTTPCode_ELB_500_Count", "1/s", "request.failures.parts", 1.0),
    ("HTTPCode_ELB_502_Count", "1/s", "request.failures.parts", 1.0),
    ("HTTPCode_ELB_503_Count", "1/s", "request.failures.parts", 1.0),
    ("HTTPCode_ELB_504_Count", "1/s", "request.failures.parts", 1.0),
    ("RejectedConnectionCount", "1/s", "request.failures", 1.0),
    ("TargetConnectionErrorCount", "1/s", "request.failures", 1.0),
    ("ClientTLSNegotiationErrorCount", "1/s", "tls.failures", 1.0),
    ("TargetTLSNegotiationErrorCount", "1/s", "tls.failures", 1.0),
    ("SpilloverCount", "1/s", "request.failures", 1.0),
    ("SurgeQueueLength", "count", "worker.queue.length", 1.0),
    ("BackendConnectionErrors", "1/s", "request.failures", 1.0),
    ("HTTPCode_Backend_5XX", "1/s", "request.failures", 1.0),
    ("ProcessedBytes", "by/s", "network.io", 1.0),
    ("Latency", "milliseconds", "http.server.request.duration", 1e-3),
    ("Latency", "seconds", "http.server.request.duration", 1.0),
    ("IntegrationLatency", "milliseconds", "http.server.request.duration", 1e-3),
    ("Count", "1/s", "http.server.requests", 1.0),
    ("4XXError", "1/s", "request.client_errors", 1.0),
    ("5XXError", "1/s", "request.failures", 1.0),
    ("Invocations", "1/s", "http.server.requests", 1.0),
    ("Throttles", "1/s", "request.failures", 1.0),
    ("Duration", "milliseconds", "http.server.request.duration", 1e-3),
    ("ConcurrentExecutions", "count", "http.server.active_requests", 1.0),
    ("IteratorAge", "milliseconds", "messaging.oldest_age", 1e-3),
    ("GetRecords.IteratorAgeMilliseconds", "milliseconds", "messaging.oldest_age", 1e-3),
    ("MaxOffsetLag", "count", "messaging.lag", 1.0),
    ("EstimatedMaxTimeLag", "seconds", "messaging.oldest_age", 1.0),
    ("ApproximateNumberOfMessagesNotVisible", "count", "messaging.unacked", 1.0),
    ("NumberOfMessagesSent", "1/s", "messaging.sent", 1.0),
    ("NumberOfMessagesDeleted", "1/s", "messaging.consumed", 1.0),
    ("ConsumedReadCapacityUnits", "1/s", "db.consumed_capacity", 1.0),
    ("ConsumedWriteCapacityUnits", "1/s", "db.consumed_capacity", 1.0),
    ("ThrottledRequests", "1/s", "throttled.requests", 1.0),
    ("SuccessfulRequestLatency", "milliseconds", "db.query.duration", 1e-3),
    ("DiskQueueDepth", "count", "disk.queue", 1.0),
    ("ReadIOPS", "1/s", "disk.operations", 1.0),
    ("WriteThroughput", "by/s", "disk.io", 1.0),
    ("ReadLatency", "seconds", "db.query.duration", 1.0),
    ("CommitLatency", "milliseconds", "db.query.duration", 1e-3),
    ("FreeableMemory", "bytes", "memory.free", 1.0),
    ("FreeStorageSpace", "bytes", "disk.free", 1.0),
    ("SwapUsage", "bytes", "memory.other", 1.0),
    ("BurstBalance", "percent", "disk.burst_balance", 0.01),
    ("AuroraReplicaLag", "milliseconds", "postgresql.replication.lag", 1e-3),
    ("OldestReplicationSlotLag", "bytes", "postgresql.replication.lag_bytes", 1.0),
    ("TransactionLogsDiskUsage", "bytes", "postgresql.wal.size", 1.0),
    ("MaximumUsedTransactionIDs", "count", "database.info", 1.0),
    ("DBLoad", "", "postgresql.sessions.active", 1.0),
    ("DBLoadCPU", "", "database.info", 1.0),
    ("db.load.avg", "", "postgresql.sessions.active", 1.0),
    ("ClientConnections", "count", "connections", 1.0),
    ("DatabaseConnectionsCurrentlyBorrowed", "count", "db.client.connection.count", 1.0),
    ("DatabaseConnectionsBorrowLatency", "microseconds", "db.client.connection.wait_time", 1e-6),
    ("EngineCPUUtilization", "percent", "cpu.utilization", 0.01),
    ("DatabaseMemoryUsagePercentage", "percent", "memory.utilization", 0.01),
    ("Evictions", "1/s", "cache.evictions", 1.0),
    ("CurrConnections", "count", "redis.clients", 1.0),
    ("DaysToExpiry", "count", "certificate.days_left", 1.0),
    ("pod_cpu_utilization", "percent", "cpu.utilization", 0.01),
    ("pod_memory_utilization", "percent", "memory.utilization", 0.01),
    ("pod_memory_utilization_over_pod_limit", "percent", "memory.limit.utilization", 0.01),
    ("pod_cpu_usage_total", "millicores", "process.cpu.time", 1e-3),
    ("pod_number_of_container_restarts", "count", "restarts", 1.0),
    ("node_cpu_utilization", "percent", "node.cpu.utilization", 0.01),
    ("node_filesystem_utilization", "percent", "disk.utilization", 0.01),
    ("node_memory_MemFree_bytes", "bytes", "node.other", 1.0),
    ("node_memory_Cached_bytes", "bytes", "node.other", 1.0),
    ("xray.responses", "1/s", "xray.responses", 1.0),
    ("rds_disk_await", "s", "disk.await", 1.0),
    ("rds_disk_busy_ratio", "ratio", "disk.busy", 1.0),
    ("rds_network_receive_rate", "by/s", "network.io", 1.0),
];

const EXPORTERS: [Row; 66] = [
    (
        "pgbouncer_pools_client_waiting_connections",
        "",
        "db.client.connection.pending_requests",
        1.0,
    ),
    ("pgbouncer_pools_server_used_connections", "", "connections.idle", 1.0),
    ("pgbouncer_pools_server_login_connections", "", "pgbouncer.info", 1.0),
    ("pgbouncer_databases_pool_size", "", "db.client.connection.max", 1.0),
    ("pgbouncer_databases_current_connections", "", "pgbouncer.info", 1.0),
    ("pgbouncer_config_max_client_connections", "", "pgbouncer.info", 1.0),
    ("pgbouncer_stats_queries_pooled_total", "", "db.client.connection.requests", 1.0),
    ("pgbouncer_stats_client_wait_seconds_total", "s", "db.client.connection.wait_time", 1.0),
    ("patroni_primary", "", "leader.self", 1.0),
    ("patroni_replication_lag_bytes", "bytes", "postgresql.replication.lag_bytes", 1.0),
    ("patroni_is_paused", "", "cluster.info", 1.0),
    ("patroni_dcs_last_seen", "s", "patroni.dcs_last_seen", 1.0),
    ("pg_stat_statements_seconds_total", "s", "postgresql.statements.time", 1.0),
    ("pg_stat_statements_calls_total", "", "postgresql.statements.calls", 1.0),
    ("pg_stat_replication_pg_wal_lsn_diff", "bytes", "postgresql.replication.lag_bytes", 1.0),
    ("pg_stat_database_session_time", "s", "postgresql.other", 1.0),
    ("pg_stat_database_sessions_fatal", "", "postgresql.other", 1.0),
    ("pg_settings_max_connections", "", "postgresql.connection.max", 1.0),
    ("haproxy_frontend_http_requests_total", "", "http.server.requests", 1.0),
    ("haproxy_backend_http_responses_total", "", "http.server.responses", 1.0),
    ("haproxy_server_http_responses_total", "", "haproxy.server.responses", 1.0),
    ("haproxy_backend_current_queue", "", "worker.queue.length", 1.0),
    ("haproxy_backend_http_response_time_average_seconds", "", "http.server.request.duration", 1.0),
    ("haproxy_frontend_ssl_failed_handshake_total", "", "tls.failures", 1.0),
    ("haproxy_backend_connection_errors_total", "", "request.failures", 1.0),
    ("haproxy_frontend_request_errors_total", "", "request.client_errors", 1.0),
    ("haproxy_backend_up", "", "up", 1.0),
    ("redis_max_clients", "", "housekeeping", 1.0),
    ("redis_rejected_connections_total", "", "redis.rejected_connections", 1.0),
    ("redis_master_link_up", "", "leader.present", 1.0),
    ("redis_connected_slaves", "", "cluster.info", 1.0),
    ("redis_connected_slave_lag_seconds", "", "leader.contact", 1.0),
    ("redis_cluster_known_nodes", "", "cluster.info", 1.0),
    ("redis_errors_total", "", "redis.errors", 1.0),
    ("redis_evicted_keys_total", "", "cache.evictions", 1.0),
    ("kafka_consumergroup_current_offset", "", "messaging.consumed", 1.0),
    ("kafka_consumergroup_lag_sum", "", "messaging.lag", 1.0),
    ("kafka_topic_partition_in_sync_replica", "", "cluster.info", 1.0),
    ("rabbitmq_queue_messages", "", "messaging.lag", 1.0),
    ("rabbitmq_queue_consumers", "", "messaging.members", 1.0),
    ("rabbitmq_queue_messages_published_total", "", "messaging.sent", 1.0),
    ("rabbitmq_queue_head_message_timestamp", "", "messaging.head_time", 1.0),
    ("kube_pod_container_status_last_terminated_reason", "", "container.terminated", 1.0),
    ("kube_pod_container_status_waiting_reason", "", "container.terminated", 1.0),
    ("kube_deployment_status_replicas_unavailable", "", "replicas.unhealthy", 1.0),
    ("kube_horizontalpodautoscaler_status_desired_replicas", "", "kube.info", 1.0),
    ("kube_node_status_condition", "", "node.ready", 1.0),
    ("kube_endpoint_address_available", "", "discovery.endpoints", 1.0),
    ("http.client.phase.duration", "s", "http.client.phase.duration", 1.0),
    ("heap.objects.size", "bytes", "heap.objects.size", 1.0),
    ("heap.allocated.size_total", "bytes", "heap.allocated.size", 1.0),
    ("cpu.usage_idle", "", "node.cpu.idle", 0.01),
    ("cpu.usage_user", "", "node.cpu.utilization", 0.01),
    ("mem.used_percent", "", "memory.utilization", 0.01),
    ("system.cpu.user", "", "node.cpu.utilization", 0.01),
    ("system.net.bytes_rcvd", "", "network.io", 1.0),
    ("kubernetes.cpu.usage.total", "", "process.cpu.time", 1e-9),
    ("kubernetes.memory.usage", "", "process.memory.usage", 1.0),
    ("trace.flask.request.hits", "", "http.server.requests", 1.0),
    ("trace.flask.request.duration", "", "http.server.request.duration", 1.0),
    ("trace.flask.request.errors", "", "guess.errors", 1.0),
    ("memcached_commands_total", "", "memcached.commands", 1.0),
    ("envoy_cluster_upstream_rq_total", "", "http.client.requests", 1.0),
    ("consul_rpc_request", "", "cluster.info", 1.0),
    ("coredns_nodecache_setup_errors_total", "", "dns.failures", 1.0),
    ("probe_ssl_earliest_cert_expiry", "s", "certificate.not_after", 1.0),
];

#[test]
fn names_of_readers_and_exporters_come_to_signals_in_base_units() {
    let mut wrong = Vec::new();
    for (name, unit, signal, factor) in AWS.into_iter().chain(EXPORTERS) {
        let found = meaning(name, "", unit).map(|m| (m.0, m.1));
        let right =
            found.as_ref().is_some_and(|(s, f)| s == signal && (f / factor - 1.0).abs() < 1e-9);
        if !right {
            wrong.push(format!("{name} {unit}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_label_decides_on_class_and_state() {
    let of = |name: &str, labels: &str| meaning(name, labels, "").map(|m| (m.2, m.3));
    let none = String::new;
    let upstream = "service=web envoy_response_code_class=5";
    assert_eq!(of("envoy_cluster_upstream_rq_xx", upstream), Some((Class::Failed, none())));
    let backend = "haproxy_backend_http_responses_total";
    assert_eq!(of(backend, "backend=api code=5xx"), Some((Class::Failed, none())));
    assert_eq!(of(backend, "backend=api code=2xx"), Some((Class::Good, none())));
    let heap = of("heap.retained.size", "service=api type=closure");
    assert_eq!(heap, Some((Class::All, "closure".to_owned())));
    let pool = "db.client.connection.count";
    let used = of(pool, "service.name=api db.client.connection.state=used");
    assert_eq!(used, Some((Class::All, "used".to_owned())));
    assert_eq!(of(pool, "service.name=api db.client.connection.state=idle"), None);
    assert_eq!(of("db.client.connections.usage", "service.name=api state=idle"), None);
    assert_eq!(of("jvm.memory.used", "service.name=api jvm.memory.type=non_heap"), None);
}

#[test]
fn times_of_creation_and_absolute_times_mean_nothing_else() {
    let created = series("orders_created", "service=shop", "", 1.763e9);
    let t = read("m.csv", vec![created]);
    assert_eq!(t.signals.get(t.series[0].signal).name, "housekeeping");
    let t = read("m.csv", vec![series("orders_created", "service=shop", "", 12.0)]);
    assert_ne!(t.signals.get(t.series[0].signal).name, "housekeeping");
}

#[test]
fn labels_and_dimensions_name_the_entity() {
    let of =
        |name: &str, labels: &str| subject(&read("m.csv", vec![series(name, labels, "", 1.0)]), 0);
    assert_eq!(of("RequestCount", "LoadBalancer=app/front/50dc6c495c0c9188"), "front");
    assert_eq!(of("haproxy_server_up", "backend=api server=web1"), "api");
    assert_eq!(of("pgbouncer_pools_client_active_connections", "server=orders"), "orders");
    assert_eq!(
        of("probe_success", "job=blackbox instance=https://shop.example.com/x"),
        "shop.example.com"
    );
    assert_eq!(of("cpu_usage", "k8s.deployment.name=cart"), "cart");
    let rds = read("m.csv", vec![series("CPUUtilization", "DBInstanceIdentifier=orders", "", 1.0)]);
    let host = "orders.abc123.eu-west-1.rds.amazonaws.com";
    let e = rds.graph.find("orders").expect("known");
    assert_eq!(rds.graph.entity(e).kind, crate::model::EntityKind::Database);
    let both = vec![
        series("CPUUtilization", "DBInstanceIdentifier=orders", "", 1.0),
        series("http_client_duration", &format!("service=web server.address={host}"), "", 1.0),
    ];
    assert_eq!(subject(&read("m.csv", both), 1), "web -> orders");
}

#[test]
fn a_grafana_export_without_labels_is_about_its_panel() {
    let path = "Request duration p99-data-2026-11-20 10_00_00.csv";
    assert_eq!(subject(&read(path, vec![series("Value", "", "", 1.0)]), 0), "Request duration p99");
    let path = "Load-data-as-joinbyfield-2026-11-20 10_00_00.csv";
    assert_eq!(subject(&read(path, vec![series("Value", "", "", 1.0)]), 0), "Load");
}
