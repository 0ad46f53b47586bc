//! Every format that is read, in the order in which they are asked. What is told apart by a key or a
//! magic stands before what is told apart by the shape of a table.

use super::columnar::{arrow_ipc, parquet};
use super::head::Accepts;
use super::traces::{clickhouse, tabular, tempo, zipkin};
use super::{
    Reader, aws, companions, datadog, grafana, har, heap, influx_csv, influx_line, jaeger,
    openmetrics, otlp, platform, postgres, prometheus, promtool, recorded, rolled, site, table,
    traces, victoriametrics,
};

/// Every format that is read; the first that accepts a file, or a document in it, reads it.
pub const READERS: &[Reader] = &[
    Reader {
        name: "incident",
        what: "incident.toml: windows, symptom, time zone",
        accepts: companions::accepts_incident,
        read: companions::read_incident,
    },
    Reader {
        name: "mapping",
        what: "mapping.toml: house metric names",
        accepts: companions::accepts_mapping,
        read: companions::read_mapping,
    },
    Reader {
        name: "params",
        what: "params.toml: a site's numbers in place of the signatures'",
        accepts: site::accepts_params,
        read: site::read_params,
    },
    Reader {
        name: "suppress",
        what: "suppress.toml: findings that are known and accepted",
        accepts: site::accepts_suppress,
        read: site::read_suppress,
    },
    Reader {
        name: "record-log",
        what: "record.log of `rootline record`: what did not come",
        accepts: recorded::accepts,
        read: recorded::read,
    },
    // --- columnar files
    Reader {
        name: "parquet",
        what: "Parquet: wide or long tables, tables of spans",
        accepts: parquet::accepts,
        read: parquet::read,
    },
    Reader {
        name: "arrow-ipc",
        what: "Arrow IPC file or stream: the same tables",
        accepts: arrow_ipc::accepts,
        read: arrow_ipc::read,
    },
    // --- OpenTelemetry
    Reader {
        name: "otlp",
        what: "OTLP JSON, traces and metrics: collector, Tempo, Jaeger v3",
        accepts: otlp::accepts,
        read: otlp::read,
    },
    Reader {
        name: "otlp-proto",
        what: "OTLP protobuf, and messages behind a length: collector",
        accepts: otlp::accepts_proto,
        read: otlp::read_proto,
    },
    // --- other traces
    Reader {
        name: "tempo-search",
        what: "Tempo search result: named, for it holds no spans",
        accepts: tempo::accepts,
        read: tempo::read,
    },
    Reader {
        name: "jaeger",
        what: "Jaeger JSON traces",
        accepts: jaeger::accepts,
        read: jaeger::read,
    },
    Reader {
        name: "jaeger-dependencies",
        what: "Jaeger dependencies: who calls whom",
        accepts: jaeger::accepts_dependencies,
        read: jaeger::read_dependencies,
    },
    Reader {
        name: "zipkin",
        what: "Zipkin v2 JSON spans",
        accepts: zipkin::accepts,
        read: zipkin::read,
    },
    Reader {
        name: "clickhouse-traces",
        what: "ClickHouse otel_traces, SigNoz: JSON, CSV, TSV",
        accepts: clickhouse::accepts,
        read: clickhouse::read,
    },
    Reader {
        name: "datadog-spans",
        what: "Datadog spans: API answers and agent form",
        accepts: traces::datadog::accepts,
        read: traces::datadog::read,
    },
    // --- Grafana frames: their meta has the words of Prometheus answers, so they stand before them
    Reader {
        name: "grafana-frames",
        what: "Grafana data frames: query answers, Inspect > JSON, snapshots",
        accepts: grafana::frames::accepts,
        read: grafana::frames::read,
    },
    // --- Prometheus and what speaks like it
    Reader {
        name: "manifest",
        what: "manifest of an export: file and query",
        accepts: prometheus::accepts_manifest,
        read: prometheus::read_manifest,
    },
    Reader {
        name: "prometheus",
        what: "Prometheus API JSON: query_range, query, bare results",
        accepts: prometheus::accepts,
        read: prometheus::read,
    },
    Reader {
        name: "prometheus-names",
        what: "Prometheus label sets without samples: /api/v1/series, seriesjson",
        accepts: prometheus::accepts_names,
        read: prometheus::read_names,
    },
    Reader {
        name: "promtool",
        what: "promtool query text: vectors, matrices, scalars",
        accepts: promtool::accepts,
        read: promtool::read,
    },
    Reader {
        name: "openmetrics",
        what: "Prometheus exposition text, OpenMetrics, federate, promtool tsdb dump",
        accepts: openmetrics::accepts,
        read: openmetrics::read,
    },
    // --- other metrics
    Reader {
        name: "victoriametrics",
        what: "VictoriaMetrics /api/v1/export JSON lines",
        accepts: victoriametrics::accepts,
        read: victoriametrics::read,
    },
    Reader {
        name: "victoriametrics-native",
        what: "VictoriaMetrics native export: refused, with what to export instead",
        accepts: victoriametrics::accepts_native,
        read: victoriametrics::refuse_native,
    },
    Reader {
        name: "datadog",
        what: "Datadog metric queries, v1 and v2",
        accepts: datadog::accepts,
        read: datadog::read,
    },
    Reader {
        name: "influx-csv",
        what: "InfluxDB annotated CSV, and the same without annotations",
        accepts: influx_csv::accepts,
        read: influx_csv::read,
    },
    Reader {
        name: "influx-line",
        what: "InfluxDB line protocol",
        accepts: influx_line::accepts,
        read: influx_line::read,
    },
    // --- Grafana
    Reader {
        name: "grafana-csv",
        what: "Grafana panel CSV: raw, formatted, joined, for Excel",
        accepts: grafana::csv::accepts,
        read: grafana::csv::read,
    },
    Reader {
        name: "grafana-annotations",
        what: "annotations of Grafana or Graphite",
        accepts: grafana::annotations::accepts,
        read: grafana::annotations::read,
    },
    Reader {
        name: "alertmanager",
        what: "Alertmanager: alerts of its API, amtool or a webhook",
        accepts: grafana::alerts::accepts,
        read: grafana::alerts::read,
    },
    Reader {
        name: "prometheus-alerts",
        what: "Prometheus alerts and rules",
        accepts: grafana::alerts::accepts_prometheus,
        read: grafana::alerts::read_prometheus,
    },
    // --- Amazon Web Services
    Reader {
        name: "cloudwatch-alarms",
        what: "CloudWatch alarms and their history",
        accepts: aws::accepts_alarms,
        read: aws::read_alarms,
    },
    Reader {
        name: "rds-insights",
        what: "RDS Performance Insights",
        accepts: aws::accepts_insights,
        read: aws::read_insights,
    },
    Reader {
        name: "rds-os",
        what: "RDS Enhanced Monitoring, bare or from CloudWatch Logs",
        accepts: aws::accepts_os,
        read: aws::read_os,
    },
    Reader {
        name: "container-insights",
        what: "Container Insights performance log events",
        accepts: aws::accepts_container,
        read: aws::read_container,
    },
    Reader {
        name: "xray-graph",
        what: "X-Ray service graph",
        accepts: aws::accepts_graph,
        read: aws::read_graph,
    },
    Reader {
        name: "xray",
        what: "X-Ray traces and segment documents",
        accepts: aws::accepts_xray,
        read: aws::read_xray,
    },
    Reader {
        name: "cloudwatch",
        what: "CloudWatch get-metric-data and get-metric-statistics JSON",
        accepts: aws::accepts_cloudwatch,
        read: aws::read_cloudwatch,
    },
    Reader {
        name: "cloudwatch-queries",
        what: "queries of get-metric-data: what its Ids mean",
        accepts: aws::accepts_queries,
        read: aws::read_queries,
    },
    Reader {
        name: "cloudwatch-csv",
        what: "CloudWatch console CSV; Logs Insights CSV and JSON",
        accepts: aws::accepts_console,
        read: aws::read_console,
    },
    Reader {
        name: "aws-cli-text",
        what: "AWS CLI text, table and YAML: says how to export again",
        accepts: aws::accepts_cli_text,
        read: aws::read_cli_text,
    },
    // --- PostgreSQL and PgBouncer
    Reader {
        name: "pg-locks",
        what: "pg_locks: CSV, JSON, psql text",
        accepts: postgres::accepts_locks,
        read: postgres::read,
    },
    Reader {
        name: "pg-log",
        what: "PostgreSQL server log: stderr, csvlog, jsonlog",
        accepts: postgres::logs::accepts,
        read: postgres::logs::read,
    },
    Reader {
        name: SESSIONS,
        what: "pg_stat_activity: CSV, JSON, psql text, one snapshot or many",
        accepts: postgres::accepts_sessions,
        read: postgres::read,
    },
    Reader {
        name: "pg-stat-database",
        what: "pg_stat_database: CSV, JSON, psql text",
        accepts: postgres::accepts_database,
        read: postgres::read,
    },
    Reader {
        name: "pg-stat-statements",
        what: "pg_stat_statements: CSV, JSON, psql text",
        accepts: postgres::accepts_statements,
        read: postgres::read,
    },
    Reader {
        name: "pg-settings",
        what: "pg_settings, SHOW ALL: CSV, JSON, psql text",
        accepts: postgres::accepts_settings,
        read: postgres::read,
    },
    Reader {
        name: "pg-stat-replication",
        what: "pg_stat_replication: CSV, JSON, psql text",
        accepts: postgres::accepts_replication,
        read: postgres::read,
    },
    Reader {
        name: "pg-stat-user-tables",
        what: "pg_stat_user_tables: CSV, JSON, psql text",
        accepts: postgres::accepts_tables,
        read: postgres::read,
    },
    Reader {
        name: "pgbouncer",
        what: "PgBouncer: SHOW POOLS, STATS, DATABASES, CLIENTS, LISTS, CONFIG",
        accepts: postgres::accepts_pgbouncer,
        read: postgres::read,
    },
    Reader {
        name: "patroni",
        what: "Patroni: /patroni, /cluster, /history",
        accepts: postgres::patroni::accepts,
        read: postgres::patroni::read,
    },
    // --- platforms, stores and queues
    Reader {
        name: "changes",
        what: "deployments of GitHub, GitLab and Argo CD, audit logs of feature flags",
        accepts: platform::changes::accepts,
        read: platform::changes::read,
    },
    Reader {
        name: "kubernetes",
        what: "kubectl get pods, events, deployments, nodes, … -o json, and event logs",
        accepts: platform::kubernetes::accepts,
        read: platform::kubernetes::read,
    },
    Reader {
        name: "redis-hotkeys",
        what: "redis-cli --hotkeys",
        accepts: platform::redis_hotkeys::accepts,
        read: platform::redis_hotkeys::read,
    },
    Reader {
        name: "redis-cluster",
        what: "redis-cli CLUSTER INFO and CLUSTER NODES",
        accepts: platform::redis_cluster::accepts,
        read: platform::redis_cluster::read,
    },
    Reader {
        name: "redis-info",
        what: "redis-cli INFO, one snapshot or many",
        accepts: platform::redis_info::accepts,
        read: platform::redis_info::read,
    },
    Reader {
        name: "kafka-groups",
        what: "kafka-consumer-groups --describe",
        accepts: platform::kafka::accepts,
        read: platform::kafka::read,
    },
    Reader {
        name: "rabbitmq",
        what: "rabbitmqctl list_queues (JSON, CSV, text) and /api/queues",
        accepts: platform::rabbitmq::accepts,
        read: platform::rabbitmq::read,
    },
    Reader {
        name: "haproxy",
        what: "HAProxy show stat CSV, one snapshot or many",
        accepts: platform::haproxy::accepts,
        read: platform::haproxy::read,
    },
    // --- browsers and heaps
    Reader {
        name: "har",
        what: "HAR 1.2: requests as a browser recorded them",
        accepts: har::accepts,
        read: har::read,
    },
    Reader {
        name: "heap-snapshot",
        what: "V8 heap snapshot of Node or Chrome",
        accepts: heap::accepts_snapshot,
        read: heap::read_snapshot,
    },
    Reader {
        name: "pprof",
        what: "pprof heap profile of Go or Node",
        accepts: heap::accepts_pprof,
        read: heap::read_pprof,
    },
    // --- tables by their columns
    Reader {
        name: "rollup",
        what: "rollups of spans: `rootline rollup`, or its SQL run elsewhere",
        accepts: rolled::accepts,
        read: rolled::read,
    },
    Reader {
        name: "spans-table",
        what: "table of spans: CSV or JSON rows (Honeycomb and others)",
        accepts: tabular::accepts,
        read: tabular::read,
    },
    Reader {
        name: "topology",
        what: "topology.toml, or caller,callee[,kind] CSV",
        accepts: companions::accepts_topology,
        read: companions::read_topology,
    },
    Reader {
        name: "events",
        what: "events: deploys, flags, restarts, alerts as CSV or JSON",
        accepts: companions::accepts_events,
        read: companions::read_events,
    },
    Reader {
        name: "table",
        what: "generic CSV, wide or long",
        accepts: table::accepts,
        read: table::read,
    },
];

/// The reader whose CSV is read in blocks of records.
pub const SESSIONS: &str = "pg-sessions";

/// Readers whose files hold one document a line, so that blocks of lines may be read apart; and what
/// the file's first block must say for that.
pub const LINES: &[(&str, Accepts)] = &[
    ("otlp", otlp::spans_only),
    ("victoriametrics", |head| head.is_json()),
    ("clickhouse-traces", |head| head.is_json()),
];
