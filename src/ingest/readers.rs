//! Every format that is read, in the order in which they are asked. What is told apart by a key or a
//! magic stands before what is told apart by the shape of a table.

use super::{
    Reader, arrow_ipc, companions, datadog, influx_csv, influx_line, jaeger, openmetrics, otlp,
    prometheus, promtool, sessions, table, victoriametrics,
};

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
    Reader {
        name: "prometheus-names",
        what: "Prometheus label sets without samples: /api/v1/series, seriesjson",
        accepts: prometheus::accepts_names,
        read: prometheus::read_names,
        lines: false,
    },
    Reader {
        name: "promtool",
        what: "promtool query text: vectors, matrices, scalars",
        accepts: promtool::accepts,
        read: promtool::read,
        lines: false,
    },
    Reader {
        name: "openmetrics",
        what: "Prometheus exposition text, OpenMetrics, federate, promtool tsdb dump",
        accepts: openmetrics::accepts,
        read: openmetrics::read,
        lines: false,
    },
    // --- other metrics
    Reader {
        name: "victoriametrics",
        what: "VictoriaMetrics /api/v1/export JSON lines",
        accepts: victoriametrics::accepts,
        read: victoriametrics::read,
        lines: true,
    },
    Reader {
        name: "victoriametrics-native",
        what: "VictoriaMetrics native export: refused, with what to export instead",
        accepts: victoriametrics::accepts_native,
        read: victoriametrics::refuse_native,
        lines: false,
    },
    Reader {
        name: "datadog",
        what: "Datadog metric queries, v1 and v2",
        accepts: datadog::accepts,
        read: datadog::read,
        lines: false,
    },
    Reader {
        name: "influx-csv",
        what: "InfluxDB annotated CSV, and the same without annotations",
        accepts: influx_csv::accepts,
        read: influx_csv::read,
        lines: false,
    },
    Reader {
        name: "influx-line",
        what: "InfluxDB line protocol",
        accepts: influx_line::accepts,
        read: influx_line::read,
        lines: false,
    },
    // --- Grafana
    // --- Amazon Web Services
    // --- PostgreSQL and PgBouncer
    Reader {
        name: "pg-locks",
        what: "pg_locks CSV",
        accepts: sessions::accepts_locks,
        read: sessions::read_locks,
        lines: false,
    },
    Reader {
        name: "pg-sessions",
        what: "pg_stat_activity CSV, one snapshot or many",
        accepts: sessions::accepts,
        read: sessions::read,
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
