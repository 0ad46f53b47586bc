//! Every format that is read, in the order in which they are asked. What is told apart by a key or a
//! magic stands before what is told apart by the shape of a table.

use super::{Reader, arrow_ipc, companions, har, heap, jaeger, otlp, prometheus, sessions, table};

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
        what: "OTLP JSON, traces and metrics: collector, Tempo, Jaeger v3",
        accepts: otlp::accepts,
        read: otlp::read,
        lines: true,
    },
    Reader {
        name: "otlp-proto",
        what: "OTLP protobuf, and messages behind a length: collector",
        accepts: otlp::accepts_proto,
        read: otlp::read_proto,
        lines: false,
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
    Reader {
        name: "har",
        what: "HAR 1.2: requests as a browser recorded them",
        accepts: har::accepts,
        read: har::read,
        lines: false,
    },
    Reader {
        name: "heap-snapshot",
        what: "V8 heap snapshot of Node or Chrome",
        accepts: heap::accepts_snapshot,
        read: heap::read_snapshot,
        lines: false,
    },
    Reader {
        name: "pprof",
        what: "pprof heap profile of Go or Node",
        accepts: heap::accepts_pprof,
        read: heap::read_pprof,
        lines: false,
    },
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
