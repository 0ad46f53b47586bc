//! Jaeger JSON: `data[]` of traces with `spans` and `processes`, or one trace by itself.
//! In: JSON. Out: spans; times are microseconds in this format.

use super::json_scan::{self, Elements};
use super::raw::{Raw, SpanKind};
use super::{Head, Input, spans};
use crate::model::GapKind;
use crate::time;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Accepts traces with Jaeger's spelling of ids.
pub fn accepts(head: &Head) -> bool {
    head.has_key("traceID") && head.has_key("spans")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Trace {
    #[serde(default)]
    spans: Vec<Span>,
    #[serde(default)]
    processes: BTreeMap<String, Process>,
}

#[derive(Deserialize)]
struct Process {
    #[serde(rename = "serviceName", default)]
    service_name: String,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    #[serde(default)]
    key: String,
    #[serde(default)]
    value: Value,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "spanID", default)]
    span_id: String,
}

#[derive(Deserialize)]
struct Span {
    #[serde(rename = "traceID", default)]
    trace_id: String,
    #[serde(rename = "spanID", default)]
    span_id: String,
    #[serde(rename = "parentSpanID", default)]
    parent_span_id: String,
    #[serde(rename = "operationName", default)]
    operation_name: String,
    #[serde(default)]
    references: Option<Vec<Reference>>,
    #[serde(rename = "startTime")]
    start_time: f64,
    #[serde(default)]
    duration: f64,
    #[serde(default)]
    tags: Option<Vec<Tag>>,
    #[serde(rename = "processID", default)]
    process_id: String,
    process: Option<Process>,
}

/// Reads every trace; a trace that cannot be read is counted and left out.
pub fn read(input: &Input, raw: &mut Raw) {
    let text = input.bytes;
    let mut defects = Vec::new();
    for (base, document) in json_scan::documents(text, |at| defects.push(at)) {
        let Some(open) = json_scan::find_array(document, &["data"]) else {
            one_trace(input, base, document, raw);
            continue;
        };
        let mut elements = Elements::new(document, open);
        for (at, element) in elements.by_ref() {
            one_trace(input, base + at, element, raw);
        }
        if let Some(at) = elements.broken {
            let line = json_scan::line_of(text, base + at);
            let what = format!("the file ends inside a trace, at byte {}", base + at);
            raw.gap(GapKind::Truncated, input.file, Some(line), what);
            defects.clear();
        }
    }
    for at in defects {
        raw.skip(input.file, Some(json_scan::line_of(text, at)), "not a JSON document", 1);
    }
}

fn one_trace(input: &Input, at: usize, text: &[u8], raw: &mut Raw) {
    match serde_json::from_slice::<Trace>(text) {
        Ok(trace) => {
            for span in &trace.spans {
                one(input, span, &trace.processes, raw);
            }
        }
        Err(e) => {
            let line = json_scan::line_of(input.bytes, at);
            raw.skip(input.file, Some(line), format!("a trace is not readable: {e}"), 1);
        }
    }
}

fn tag_text(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
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
        tags.iter().map(|t| (t.key.clone(), tag_text(&t.value))).collect()
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
