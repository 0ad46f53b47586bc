//! Every format that is read, in the order in which they are asked. What is told apart by a key or a
//! magic stands before what is told apart by the shape of a table.

use super::{Reader, arrow_ipc, companions, jaeger, otlp, postgres, prometheus, table};

/// Every format that is read; the first that accepts a file, or a document in it, reads it.
pub const READERS: &[Reader] = &[
    // --- companions by name
    Reader {
        name: "incident",
        what: "incident.toml: windows, symptom, time zone",
        accepts: companions::accepts_incident,
        read: companions::read_incident,
        lines: false,
    },
    Reader {
        name: "mapping",
        what: "mapping.toml: house metric names",
        accepts: companions::accepts_mapping,
        read: companions::read_mapping,
        lines: false,
    },
    // --- columnar files
    Reader {
        name: "arrow-ipc",
        what: "Arrow IPC file or stream, wide or long",
        accepts: arrow_ipc::accepts,
        read: arrow_ipc::read,
        lines: false,
    },
    // --- OpenTelemetry
    Reader {
        name: "otlp",
        what: "OTLP JSON: collector, Tempo, Grafana, Jaeger v3",
        accepts: otlp::accepts,
        read: otlp::read,
        lines: true,
    },
    // --- other traces
    Reader {
        name: "jaeger",
        what: "Jaeger JSON traces",
        accepts: jaeger::accepts,
        read: jaeger::read,
        lines: false,
    },
    // --- Prometheus and what speaks like it
    Reader {
        name: "manifest",
        what: "manifest of an export: file and query",
        accepts: prometheus::accepts_manifest,
        read: prometheus::read_manifest,
        lines: false,
    },
    Reader {
        name: "prometheus",
        what: "Prometheus API JSON: query_range, query, bare results",
        accepts: prometheus::accepts,
        read: prometheus::read,
        lines: false,
    },
    // --- other metrics
    // --- Grafana
    // --- Amazon Web Services
    // --- PostgreSQL and PgBouncer
    Reader {
        name: "pg-locks",
        what: "pg_locks: CSV, JSON, psql text",
        accepts: postgres::accepts_locks,
        read: postgres::read,
        lines: false,
    },
    Reader {
        name: "pg-sessions",
        what: "pg_stat_activity: CSV, JSON, psql text, one snapshot or many",
        accepts: postgres::accepts_sessions,
        read: postgres::read,
        lines: false,
    },
    Reader {
        name: "pg-stat-database",
        what: "pg_stat_database: CSV, JSON, psql text",
        accepts: postgres::accepts_database,
        read: postgres::read,
        lines: false,
    },
    Reader {
        name: "pg-stat-statements",
        what: "pg_stat_statements: CSV, JSON, psql text",
        accepts: postgres::accepts_statements,
        read: postgres::read,
        lines: false,
    },
    Reader {
        name: "pg-settings",
        what: "pg_settings, SHOW ALL: CSV, JSON, psql text",
        accepts: postgres::accepts_settings,
        read: postgres::read,
        lines: false,
    },
    Reader {
        name: "pg-stat-replication",
        what: "pg_stat_replication: CSV, JSON, psql text",
        accepts: postgres::accepts_replication,
        read: postgres::read,
        lines: false,
    },
    Reader {
        name: "pg-stat-user-tables",
        what: "pg_stat_user_tables: CSV, JSON, psql text",
        accepts: postgres::accepts_tables,
        read: postgres::read,
        lines: false,
    },
    Reader {
        name: "pgbouncer",
        what: "PgBouncer: SHOW POOLS, STATS, DATABASES, CLIENTS, LISTS, CONFIG",
        accepts: postgres::accepts_pgbouncer,
        read: postgres::read,
        lines: false,
    },
    Reader {
        name: "patroni",
        what: "Patroni: /patroni, /cluster, /history",
        accepts: postgres::patroni::accepts,
        read: postgres::patroni::read,
        lines: false,
    },
    // --- platforms, stores and queues
    // --- browsers and heaps
    // --- tables by their columns
    Reader {
        name: "topology",
        what: "topology.toml, or caller,callee[,kind] CSV",
        accepts: companions::accepts_topology,
        read: companions::read_topology,
        lines: false,
    },
    Reader {
        name: "events",
        what: "events: deploys, flags, restarts, alerts as CSV or JSON",
        accepts: companions::accepts_events,
        read: companions::read_events,
        lines: false,
    },
    Reader {
        name: "table",
        what: "generic CSV, wide or long",
        accepts: table::accepts,
        read: table::read,
        lines: false,
    },
];
