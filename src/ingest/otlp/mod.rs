//! OTLP JSON in the dialects that collectors, Tempo, Grafana and Jaeger write: documents or lines.

mod traces;

pub use traces::{accepts, read};
