//! OTLP in the dialects that collectors, Tempo, Grafana and Jaeger write: JSON documents or lines,
//! and protobuf. In: traces and metrics, mixed as they come. Out: spans and series; logs are a gap.

mod framed;
mod from_proto;
mod metrics;
mod points;
mod proto;
mod series;
mod traces;
mod usual;

pub use framed::{accepts as accepts_proto, read as read_proto};

use super::raw::Raw;
use super::{Head, Input};
use series::Growing;

/// Keys of log records, which are recognised and left out.
const LOG_KEYS: [&str; 2] = ["resourceLogs", "resource_logs"];

/// Accepts any document with resource spans, resource metrics or resource logs.
pub fn accepts(head: &Head) -> bool {
    traces::accepts(head) || metrics::accepts(head) || is_logs(head)
}

fn is_logs(head: &Head) -> bool {
    LOG_KEYS.iter().any(|k| head.has_key(k))
}

/// Says whether a file holds spans alone: metrics are sums over the whole file.
pub fn spans_only(head: &Head) -> bool {
    !metrics::accepts(head)
}

/// Reads each document or line by the signal that it holds.
pub fn read(input: &Input, raw: &mut Raw) {
    let mut series = Growing::default();
    mixed(input, &mut series, raw);
    series.finish(input.file, raw);
}

fn mixed(input: &Input, series: &mut Growing, raw: &mut Raw) {
    usual::read(input, raw, &mut |input, at, document, raw| {
        let head = Head::new(input.name(), document);
        match () {
            () if traces::accepts(&head) => traces::document(input, at, document, raw),
            () if metrics::accepts(&head) => metrics::read(input, (at, document), series, raw),
            () if is_logs(&head) => skip_logs(input.file, || input.line(at), raw),
            () => {
                let what = "a document without spans or metrics";
                raw.skip_like(input.file, what, 1, || (Some(input.line(at)), what.to_owned()));
            }
        }
    });
}

/// Counts one message of logs; the first says where.
fn skip_logs(file: u32, line: impl FnOnce() -> u64, raw: &mut Raw) {
    let what = "OTLP logs are not read: only traces and metrics are";
    raw.skip_like(file, "logs", 1, || (Some(line()), what.to_owned()));
}
