//! OTLP JSON in the dialects that collectors, Tempo, Grafana and Jaeger write: documents or lines.

mod traces;
mod usual;

use super::raw::Raw;
use super::{Head, Input};

/// Accepts any document with resource spans.
pub fn accepts(head: &Head) -> bool {
    traces::accepts(head)
}

/// Reads every document or line.
pub fn read(input: &Input, raw: &mut Raw) {
    usual::read(input, raw, traces::document);
}
