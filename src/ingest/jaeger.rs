//! Jaeger JSON: `data[]` of traces with `spans` and `processes`, or one trace by itself.
//! In: JSON. Out: spans; times are microseconds in this format.

use super::lenient::{self, Scalar};
use super::raw::{Raw, SpanKind};
use super::spans::{self, or_default};
use super::{Head, Input};
use crate::time;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Accepts traces with Jaeger's spelling of ids.
pub fn accepts(head: &Head) -> bool {
    head.has_key("traceID") && head.has_key("spans")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Trace {
    #[serde(default, deserialize_with = "or_default")]
    spans: Vec<Span>,
    #[serde(default, deserialize_with = "or_default")]
    processes: BTreeMap<String, Process>,
}

#[derive(Deserialize)]
struct Process {
    #[serde(rename = "serviceName", default, deserialize_with = "or_default")]
    service_name: String,
    #[serde(default, deserialize_with = "or_default")]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    #[serde(default, deserialize_with = "or_default")]
    key: String,
    #[serde(default)]
    value: Scalar,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "spanID", default, deserialize_with = "or_default")]
    span_id: String,
}

#[derive(Deserialize)]
struct Span {
    #[serde(rename = "traceID", default, deserialize_with = "or_default")]
    trace_id: String,
    #[serde(rename = "spanID", default, deserialize_with = "or_default")]
    span_id: String,
    #[serde(rename = "parentSpanID", default, deserialize_with = "or_default")]
    parent_span_id: String,
    #[serde(rename = "operationName", default, deserialize_with = "or_default")]
    operation_name: String,
    references: Option<Vec<Reference>>,
    #[serde(rename = "startTime", default, deserialize_with = "or_default")]
    start_time: f64,
    #[serde(default, deserialize_with = "or_default")]
    duration: f64,
    tags: Option<Vec<Tag>>,
    #[serde(rename = "processID", default, deserialize_with = "or_default")]
    process_id: String,
    process: Option<Process>,
}

/// Reads every trace; a trace that cannot be read is counted and left out.
pub fn read(input: &Input, raw: &mut Raw) {
    input.documents(raw, |base, document, raw| {
        let found = input.elements((base, document), &["data"], "a trace", raw, |at, e, raw| {
            one_trace(input, at, e, raw);
        });
        if !found {
            one_trace(input, base, document, raw);
        }
    });
}

fn one_trace(input: &Input, at: usize, text: &[u8], raw: &mut Raw) {
    match lenient::from_slice::<Trace>(text) {
        Ok(trace) => {
            for span in &trace.spans {
                one(input, span, &trace.processes, raw);
            }
        }
        Err(e) => input.skip_unreadable(at, "a trace", e, raw),
    }
}

fn one(input: &Input, span: &Span, processes: &BTreeMap<String, Process>, raw: &mut Raw) {
    let (Some(trace), Some(id)) = (spans::id128(&span.trace_id), spans::id64(&span.span_id)) else {
        raw.skip(input.file, None, "span without a trace or span id", 1);
        return;
    };
    let Some(start) = time::from_epoch(span.start_time, time::EpochUnit::Micros) else {
        raw.skip(input.file, None, "span start outside the years 1971 to 2199", 1);
        return;
    };
    let process = span.process.as_ref().or_else(|| processes.get(&span.process_id));
    let texts = |tags: &[Tag]| -> Vec<(String, String)> {
        tags.iter().map(|t| (t.key.clone(), t.value.text())).collect()
    };
    let resource = process.map(|p| texts(&p.tags)).unwrap_or_default();
    let service = process.map_or("", |p| p.service_name.as_str());
    let get = |name: &str| {
        let own = (name == "service.name").then_some(service);
        let tag = || resource.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str());
        own.or_else(tag).filter(|v| !v.is_empty())
    };
    let mut out = spans::identity(&get, &mut raw.symbols);
    let tags = texts(span.tags.as_deref().unwrap_or_default());
    let all: Vec<(&str, &str)> = tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let parent = span.references.iter().flatten().find_map(|r| spans::id64(&r.span_id));
    out.file = input.file;
    (out.trace, out.span) = (trace, id);
    out.parent = parent.or_else(|| spans::id64(&span.parent_span_id)).unwrap_or(0);
    out.operation = raw.symbols.intern(&span.operation_name);
    let kind = all.iter().find(|(k, _)| *k == "span.kind").map_or("", |(_, v)| v);
    out.kind = match kind {
        "server" => SpanKind::Server,
        "client" => SpanKind::Client,
        "producer" => SpanKind::Producer,
        "consumer" => SpanKind::Consumer,
        _ => SpanKind::Internal,
    };
    (out.start, out.end) = (start, start + span.duration.clamp(0.0, 1e15) as i64);
    spans::attributes(&all, &mut out, &mut raw.symbols);
    raw.spans.push(out);
    raw.rows(input.file, 1);
}

#[cfg(test)]
mod tests {
    use crate::ingest::read_text;

    #[test]
    fn null_is_as_good_as_absent() {
        let span = r#"{"traceID":"0a","spanID":"0b","startTime":1795205401000000,"duration":null,
            "tags":null,"references":null,"operationName":null,"processID":null,"process":null,
            "parentSpanID":null}"#;
        let untimed = r#"{"traceID":"0a","spanID":"0c","startTime":null}"#;
        let text = format!("{{\"data\":[{{\"spans\":[{span},{untimed}],\"processes\":null}}]}}");
        let raw = read_text("a.json", text.as_bytes());
        assert_eq!((raw.spans.len(), raw.files[0].skipped), (1, 1), "{:?}", raw.gaps);
    }
}
