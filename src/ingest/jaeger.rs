//! Jaeger JSON: `data[]` of traces with `spans` and `processes`, one trace by itself, the state of
//! its page, spans as Elasticsearch stores them, and who calls whom.
//! In: JSON. Out: spans and edges; times are microseconds in this format.

use super::jaeger_usual::{self, Rest};
use super::lenient::{self, Scalar};
use super::raw::{Raw, RawEdge};
use super::spans::{self, or_default};
use super::traces::ends_inside;
use super::{Head, Input, json_scan};
use crate::ingest::text::beginning;
use crate::model::{Gap, GapKind};
use crate::time;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Accepts traces with Jaeger's spelling of ids, and stored spans.
pub fn accepts(head: &Head) -> bool {
    let stored = head.has_key("spanID") && head.has_key("operationName");
    head.has_key("traceID") && (head.has_key("spans") || stored)
}

/// Accepts the answer of `/api/dependencies`.
pub fn accepts_dependencies(head: &Head) -> bool {
    ["parent", "child", "callCount"].iter().all(|k| head.has_key(k))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Trace {
    #[serde(default, deserialize_with = "or_default")]
    spans: Vec<Span>,
    #[serde(default, deserialize_with = "or_default")]
    processes: BTreeMap<String, Process>,
    #[serde(default, deserialize_with = "or_default")]
    warnings: Vec<Scalar>,
}

#[derive(Deserialize)]
struct Process {
    #[serde(rename = "serviceName", default, deserialize_with = "or_default")]
    service_name: String,
    #[serde(default, deserialize_with = "or_default")]
    tags: Vec<Tag>,
    /// Tags that Elasticsearch stores as fields, `@` for the dots of their names.
    #[serde(default, deserialize_with = "or_default")]
    tag: BTreeMap<String, Scalar>,
}

#[derive(Deserialize)]
struct Tag {
    #[serde(default, deserialize_with = "or_default")]
    key: String,
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    kind: String,
    #[serde(default)]
    value: Scalar,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "refType", default, deserialize_with = "or_default")]
    kind: String,
    #[serde(rename = "traceID", default, deserialize_with = "or_default")]
    trace_id: String,
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
    #[serde(rename = "startTime", default)]
    start_time: Scalar,
    #[serde(rename = "startTimeMillis", default)]
    start_time_millis: Scalar,
    #[serde(default)]
    duration: Scalar,
    tags: Option<Vec<Tag>>,
    #[serde(default, deserialize_with = "or_default")]
    tag: BTreeMap<String, Scalar>,
    #[serde(rename = "processID", default, deserialize_with = "or_default")]
    process_id: String,
    process: Option<Process>,
    #[serde(default, deserialize_with = "or_default")]
    warnings: Vec<Scalar>,
}

/// Reads every trace; what cannot be read is counted and left out.
pub fn read(input: &Input, raw: &mut Raw) {
    let mut warned = Warned::default();
    let rest = jaeger_usual::read(input, raw, |at, trace, raw| {
        one_trace(input, at, trace, &mut warned, raw);
    });
    match rest {
        Rest::All => general(input, &mut warned, raw),
        Rest::CutTrace(at) => cut(input, at, &input.bytes[at..], raw),
        Rest::From(at) => {
            let first_line = input.line(at);
            let rest = Input { bytes: &input.bytes[at..], first_line, ..*input };
            general(&rest, &mut warned, raw);
        }
    }
    warned.say(input, raw);
}

/// Keeps the spans of a trace that has no end.
fn cut(input: &Input, at: usize, text: &[u8], raw: &mut Raw) {
    if span_by_span(input, at, text, raw) == 0 {
        ends_inside(input, at, "a trace", raw);
    }
}

/// Reads documents of any shape that Jaeger's data is kept in.
fn general(input: &Input, warned: &mut Warned, raw: &mut Raw) {
    input.documents(raw, |base, document, raw| {
        let open = match document.first() {
            Some(b'[') => Some(0),
            _ => json_scan::find_array(document, &["data", "hits"]),
        };
        let Some(open) = open else {
            // The page's state holds the trace in an object of that name.
            let from = json_scan::find_value(document, 0, &["data"], b'{').unwrap_or(0);
            return one_trace(input, base + from, &document[from..], warned, raw);
        };
        let mut elements = json_scan::Elements::new(document, open);
        for (at, element) in elements.by_ref() {
            one_trace(input, base + at, element, warned, raw);
        }
        if let Some(at) = elements.broken {
            cut(input, base + at, &document[at..], raw);
        }
    });
}

/// What Jaeger itself says is doubtful, e.g. clocks that it moved.
#[derive(Default)]
struct Warned {
    count: u64,
    /// The line of the first warning, and what it says.
    first: Option<(u64, String)>,
}

impl Warned {
    fn note(&mut self, input: &Input, at: usize, warnings: &[Scalar]) {
        self.count += warnings.len() as u64;
        if let (None, Some(first)) = (&self.first, warnings.first()) {
            let what = beginning(&first.text(), 120);
            self.first = Some((input.line(at), what));
        }
    }

    fn say(self, input: &Input, raw: &mut Raw) {
        let Some((line, first)) = self.first else { return };
        let what = format!("Jaeger warns of its own data: {first}");
        let gap = Gap::at(GapKind::Doubtful, input.path, Some(line), what);
        raw.gaps.push(Gap { count: self.count, ..gap });
    }
}

fn one_trace(input: &Input, at: usize, text: &[u8], warned: &mut Warned, raw: &mut Raw) {
    let whole = json_scan::value_end(text, 0).map_or(text, |end| &text[..end]);
    let is_trace = json_scan::find_array(whole, &["spans"]).is_some();
    let read = match is_trace {
        true => lenient::from_slice::<Trace>(whole),
        // A stored span by itself, perhaps in the envelope of a dump.
        false => {
            let inner = json_scan::find_value(whole, 0, &["_source"], b'{').unwrap_or(0);
            let end = json_scan::value_end(whole, inner).unwrap_or(whole.len());
            lenient::from_slice::<Span>(&whole[inner..end]).map(|span| Trace {
                spans: vec![span],
                processes: BTreeMap::new(),
                warnings: Vec::new(),
            })
        }
    };
    match read {
        Ok(trace) => {
            warned.note(input, at, &trace.warnings);
            for span in &trace.spans {
                warned.note(input, at, &span.warnings);
                one(input, span, &trace.processes, raw);
            }
        }
        Err(e) if is_trace && span_by_span(input, at, whole, raw) == 0 => {
            input.skip_unreadable(at, "a trace", e, raw);
        }
        Err(e) if !is_trace => input.skip_unreadable(at, "a span", e, raw),
        Err(_) => {}
    }
}

/// Reads a trace that has a defect, each span by itself; gives the number of spans seen.
fn span_by_span(input: &Input, base: usize, trace: &[u8], raw: &mut Raw) -> usize {
    let open_processes = json_scan::find_value(trace, 0, &["processes"], b'{');
    let end = open_processes.and_then(|o| json_scan::value_end(trace, o));
    let text = open_processes.zip(end).map(|(from, to)| &trace[from..to]).unwrap_or(b"{}");
    let processes = lenient::from_slice(text).unwrap_or_default();
    let mut seen = 0;
    let Some(open) = json_scan::find_array(trace, &["spans"]) else { return 0 };
    let mut elements = json_scan::Elements::new(trace, open);
    for (at, element) in elements.by_ref() {
        seen += 1;
        match lenient::from_slice::<Span>(element) {
            Ok(span) => one(input, &span, &processes, raw),
            Err(e) => input.skip_unreadable(base + at, "a span", e, raw),
        }
    }
    if let Some(at) = elements.broken {
        ends_inside(input, base + at, "a span", raw);
        // The gap stands for the trace that is not whole.
        seen += 1;
    }
    if open_processes.is_none() && seen > 0 {
        let what = "a trace is cut before its processes: its spans have no service";
        raw.gap(GapKind::Doubtful, input.file, Some(input.line(base)), what);
    }
    seen
}

/// The parent: the first reference into the own trace, one that waits for the span before one
/// that does not. References into other traces are links.
fn parent(span: &Span, trace: u128) -> u64 {
    let own = |r: &&Reference| {
        r.trace_id.is_empty() || spans::id128(&r.trace_id).is_none_or(|t| t == trace)
    };
    let of = |follows: bool| {
        let all = span.references.iter().flatten().filter(own);
        let mut some = all.filter(move |r| (r.kind == "FOLLOWS_FROM") == follows);
        some.find_map(|r| spans::id64(&r.span_id))
    };
    let deprecated = || spans::id64(&span.parent_span_id);
    of(false).or_else(deprecated).or_else(|| of(true)).unwrap_or(0)
}

/// Tags as text; those of bytes are left out.
fn texts(tags: &[Tag], fields: &BTreeMap<String, Scalar>) -> Vec<(String, String)> {
    let listed = tags.iter().filter(|t| t.kind != "binary");
    let listed = listed.map(|t| (t.key.clone(), t.value.text()));
    listed.chain(fields.iter().map(|(k, v)| (k.replace('@', "."), v.text()))).collect()
}

fn one(input: &Input, span: &Span, processes: &BTreeMap<String, Process>, raw: &mut Raw) {
    let (Some(trace), Some(id)) = (spans::id128(&span.trace_id), spans::id64(&span.span_id)) else {
        raw.skip(input.file, None, "span without a trace or span id", 1);
        return;
    };
    let millis = || span.start_time_millis.number().map(|ms| ms * 1e3);
    let start = span.start_time.number().or_else(millis).unwrap_or(0.0);
    let Some(start) = time::from_epoch(start, time::EpochUnit::Micros) else {
        raw.skip(input.file, None, "span start outside the years 1971 to 2199", 1);
        return;
    };
    let process = span.process.as_ref().or_else(|| processes.get(&span.process_id));
    let resource = process.map(|p| texts(&p.tags, &p.tag)).unwrap_or_default();
    let service = process.map_or("", |p| p.service_name.as_str());
    let get = |name: &str| {
        let own = (name == "service.name").then_some(service);
        let tag = || resource.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str());
        own.or_else(tag).filter(|v| !v.is_empty())
    };
    let mut out = spans::identity(&get, &mut raw.symbols);
    let tags = texts(span.tags.as_deref().unwrap_or_default(), &span.tag);
    let all: Vec<(&str, &str)> = tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    out.file = input.file;
    (out.trace, out.span) = (trace, id);
    out.parent = parent(span, trace);
    out.operation = raw.symbols.intern(&span.operation_name);
    let kind = all.iter().find(|(k, _)| *k == "span.kind").map_or("", |(_, v)| v);
    out.kind = jaeger_usual::kind(kind);
    let duration = span.duration.number().unwrap_or(0.0);
    (out.start, out.end) = (start, start + duration.clamp(0.0, 1e15) as i64);
    spans::attributes(&all, &mut out, &mut raw.symbols);
    raw.spans.push(out);
    raw.rows(input.file, 1);
}

/// Reads who calls whom; a pair that was never seen is no edge.
pub fn read_dependencies(input: &Input, raw: &mut Raw) {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Pair {
        #[serde(default, deserialize_with = "or_default")]
        parent: String,
        #[serde(default, deserialize_with = "or_default")]
        child: String,
        #[serde(default)]
        call_count: Scalar,
    }
    input.documents(raw, |base, document, raw| {
        let pair = |at: usize, text: &[u8], raw: &mut Raw| match lenient::from_slice::<Pair>(text) {
            Ok(p) if p.parent.is_empty() || p.child.is_empty() => {
                let line = || (Some(input.line(at)), "edge without a parent or a child".to_owned());
                raw.skip_like(input.file, "edge", 1, line);
            }
            Ok(p) if p.call_count.number() == Some(0.0) => {
                raw.skip(input.file, Some(input.line(at)), "a pair without calls is no edge", 1);
            }
            Ok(p) => {
                let (caller, callee) = (p.parent, p.child);
                raw.edges.push(RawEdge { caller, callee, kind: String::new() });
                raw.rows(input.file, 1);
            }
            Err(e) => input.skip_unreadable(at, "a dependency", e, raw),
        };
        input.elements((base, document), &["data"], "a dependency", raw, pair);
    });
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
