//! Writers of the canonical traces, one for each format. In: spans. Out: the files of an export.

use super::same_data::{Files, one};
use super::same_metrics_written::parquet;
use super::same_spans::Span;
use arrow::array::{
    ArrayRef, MapBuilder, StringArray, StringBuilder, TimestampNanosecondArray, UInt64Array,
};
use arrow::record_batch::RecordBatch;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use rootline::ingest::raw::SpanKind;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const VERSION: &str = "1.4.2";

fn number(kind: SpanKind) -> u8 {
    match kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}

fn word(kind: SpanKind) -> String {
    format!("{kind:?}")
}

fn hex(id: u64) -> String {
    if id == 0 { String::new() } else { format!("{id:016x}") }
}

fn hex128(id: u128) -> String {
    format!("{id:032x}")
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for part in bytes.chunks(3) {
        let bits = part.iter().fold(0u32, |v, b| v << 8 | u32::from(*b)) << (8 * (3 - part.len()));
        for i in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * i) & 63) as usize];
            out.push(if i <= part.len() { digit as char } else { '=' });
        }
    }
    out
}

fn services(all: &[Span]) -> BTreeMap<&'static str, Vec<&Span>> {
    let mut out: BTreeMap<&'static str, Vec<&Span>> = BTreeMap::new();
    for span in all {
        out.entry(span.service).or_default().push(span);
    }
    out
}

fn resource(span: &Span) -> [(&'static str, String); 3] {
    [
        ("service.name", span.service.to_owned()),
        ("k8s.pod.name", span.pod()),
        ("service.version", VERSION.to_owned()),
    ]
}

fn otlp_attributes(span: &Span) -> Vec<Value> {
    let one = |(k, v): &(&str, &str)| match v.parse::<i64>() {
        Ok(number) => json!({"key": k, "value": {"intValue": number.to_string()}}),
        Err(_) => json!({"key": k, "value": {"stringValue": v}}),
    };
    span.attributes.iter().map(one).collect()
}

fn otlp_resource(span: &Span) -> Value {
    let one = |(k, v): &(&str, String)| json!({"key": k, "value": {"stringValue": v}});
    json!({"attributes": resource(span).iter().map(one).collect::<Vec<_>>()})
}

fn nanos(micros: i64) -> String {
    format!("{micros}000")
}

/// Resource spans of the collector's file exporter.
fn collector(all: &[Span]) -> Value {
    let span = |s: &&Span| {
        let status = if s.error { json!({"code": 2}) } else { json!({}) };
        json!({"traceId": hex128(s.trace), "spanId": hex(s.id), "parentSpanId": hex(s.parent),
            "name": s.name, "kind": number(s.kind), "startTimeUnixNano": nanos(s.start),
            "endTimeUnixNano": nanos(s.start + s.length), "attributes": otlp_attributes(s),
            "status": status})
    };
    let group = |own: &Vec<&Span>| {
        json!({"resource": otlp_resource(own[0]),
            "scopeSpans": [{"scope": {}, "spans": own.iter().map(span).collect::<Vec<_>>()}]})
    };
    json!({"resourceSpans": services(all).values().map(group).collect::<Vec<_>>()})
}

pub fn otlp_json(all: &[Span]) -> Files {
    one("traces.json", collector(all).to_string())
}

/// Base64 ids and the names of enums under `batches`.
pub fn otlp_tempo(all: &[Span]) -> Files {
    let span = |s: &&Span| {
        let kind = format!("SPAN_KIND_{}", word(s.kind).to_uppercase());
        let mut span = json!({"traceId": base64(&s.trace.to_be_bytes()),
            "spanId": base64(&s.id.to_be_bytes()), "name": s.name, "kind": kind,
            "startTimeUnixNano": nanos(s.start), "endTimeUnixNano": nanos(s.start + s.length),
            "attributes": otlp_attributes(s)});
        if s.parent != 0 {
            span["parentSpanId"] = json!(base64(&s.parent.to_be_bytes()));
        }
        if s.error {
            span["status"] = json!({"code": "STATUS_CODE_ERROR"});
        }
        span
    };
    let group = |own: &Vec<&Span>| {
        json!({"resource": otlp_resource(own[0]),
            "scopeSpans": [{"scope": {}, "spans": own.iter().map(span).collect::<Vec<_>>()}]})
    };
    let groups: Vec<Value> = services(all).values().map(group).collect();
    one("tempo.json", json!({"batches": groups}).to_string())
}

/// Field names of the protocol itself, times as numbers, the old name of scopes.
pub fn otlp_snake(all: &[Span]) -> Files {
    let text = collector(all).to_string();
    let text = [
        ("resourceSpans", "resource_spans"),
        ("scopeSpans", "instrumentation_library_spans"),
        ("traceId", "trace_id"),
        ("parentSpanId", "parent_span_id"),
        ("spanId", "span_id"),
        ("startTimeUnixNano", "start_time_unix_nano"),
        ("endTimeUnixNano", "end_time_unix_nano"),
        ("stringValue", "string_value"),
        ("intValue", "int_value"),
    ]
    .iter()
    .fold(text, |text, (camel, snake)| {
        text.replace(&format!("\"{camel}\""), &format!("\"{snake}\""))
    });
    one("snake.json", text)
}

/// What the crate of OpenTelemetry makes of the collector's JSON.
fn request(all: &[Span]) -> ExportTraceServiceRequest {
    serde_json::from_value(collector(all)).expect("the crate reads the collector's dialect")
}

pub fn otlp_framed(all: &[Span]) -> Files {
    let (first, second) = all.split_at(all.len() / 2);
    let framed = |part: &[Span]| {
        let body = request(part).encode_to_vec();
        [&(body.len() as u32).to_be_bytes()[..], &body].concat()
    };
    one("traces.binpb", [framed(first), framed(second)].concat())
}

pub fn otlp_message(all: &[Span]) -> Files {
    one("request.binpb", request(all).encode_to_vec())
}

fn traces(all: &[Span]) -> BTreeMap<u128, Vec<&Span>> {
    let mut out: BTreeMap<u128, Vec<&Span>> = BTreeMap::new();
    for span in all {
        out.entry(span.trace).or_default().push(span);
    }
    out
}

pub fn jaeger(all: &[Span]) -> Files {
    let tag = |k: &str, v: &str| match v.parse::<i64>() {
        Ok(n) => json!({"key": k, "type": "int64", "value": n}),
        Err(_) => json!({"key": k, "type": "string", "value": v}),
    };
    let span = |s: &&Span| {
        let mut tags: Vec<Value> = s.attributes.iter().map(|(k, v)| tag(k, v)).collect();
        if s.kind != SpanKind::Internal {
            tags.push(tag("span.kind", &word(s.kind).to_lowercase()));
        }
        if s.error {
            tags.push(json!({"key": "error", "type": "bool", "value": true}));
        }
        let parent =
            json!({"refType": "CHILD_OF", "traceID": hex128(s.trace), "spanID": hex(s.parent)});
        let references = if s.parent == 0 { json!([]) } else { json!([parent]) };
        json!({"traceID": hex128(s.trace), "spanID": hex(s.id), "operationName": s.name,
            "references": references, "startTime": s.start, "duration": s.length, "tags": tags,
            "logs": [], "processID": s.service, "warnings": null})
    };
    let trace = |own: &Vec<&Span>| {
        let mut processes = Map::new();
        for s in own {
            let tags: Vec<Value> = resource(s)[1..].iter().map(|(k, v)| tag(k, v)).collect();
            processes.insert(s.service.to_owned(), json!({"serviceName": s.service, "tags": tags}));
        }
        let spans: Vec<Value> = own.iter().map(span).collect();
        json!({"traceID": hex128(own[0].trace), "spans": spans, "processes": processes})
    };
    let data: Vec<Value> = traces(all).values().map(trace).collect();
    one("jaeger.json", json!({"data": data, "total": 0, "errors": null}).to_string())
}

fn texts(span: &Span) -> BTreeMap<String, String> {
    let own = span.attributes.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    own.collect()
}

pub fn zipkin(all: &[Span]) -> Files {
    let span = |s: &Span| {
        let mut tags = texts(s);
        tags.extend(resource(s).into_iter().skip(1).map(|(k, v)| (k.to_owned(), v)));
        if s.error {
            tags.insert("error".to_owned(), "it failed".to_owned());
        }
        let mut span = json!({"traceId": hex128(s.trace), "id": hex(s.id), "name": s.name,
            "timestamp": s.start, "duration": s.length,
            "localEndpoint": {"serviceName": s.service}, "tags": tags});
        if s.parent != 0 {
            span["parentId"] = json!(hex(s.parent));
        }
        if s.kind != SpanKind::Internal {
            span["kind"] = json!(word(s.kind).to_uppercase());
        }
        span
    };
    one("zipkin.json", json!(all.iter().map(span).collect::<Vec<_>>()).to_string())
}

/// Type, name and resource as Datadog has them: a store's resource is its statement.
fn datadog_names(s: &Span) -> (&'static str, &'static str, &'static str) {
    match s.kind {
        _ if !s.attribute("db.statement").is_empty() => {
            ("sql", s.name, s.attribute("db.statement"))
        }
        SpanKind::Server => ("web", "web.request", s.name),
        SpanKind::Client => ("http", "http.request", s.name),
        _ => ("custom", "custom", s.name),
    }
}

pub fn datadog_agent(all: &[Span]) -> Files {
    let span = |s: &&Span| {
        let (kind, name, resource_name) = datadog_names(s);
        let mut meta = texts(s);
        meta.remove("db.statement");
        meta.insert("span.kind".to_owned(), word(s.kind).to_lowercase());
        meta.insert("version".to_owned(), VERSION.to_owned());
        meta.insert("k8s.pod.name".to_owned(), s.pod());
        meta.insert("_dd.p.tid".to_owned(), format!("{:016x}", (s.trace >> 64) as u64));
        json!({"trace_id": s.trace as u64, "span_id": s.id, "parent_id": s.parent,
            "service": s.service, "name": name, "resource": resource_name, "type": kind,
            "start": s.start * 1000, "duration": s.length * 1000, "error": i32::from(s.error),
            "meta": meta, "metrics": {}})
    };
    let trace = |own: &Vec<&Span>| own.iter().map(span).collect::<Vec<_>>();
    let all: Vec<Vec<Value>> = traces(all).values().map(trace).collect();
    one("agent.json", json!(all).to_string())
}

/// `2026-11-20T20:10:00.123457Z`.
fn iso(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros).expect("a time").to_string()
}

/// `{"a": {"b": 1}}` for `a.b`.
fn nested(all: BTreeMap<String, String>) -> Value {
    let mut out = json!({});
    for (key, value) in all {
        let slot = key.split('.').fold(&mut out, |at, part| &mut at[part]);
        *slot = json!(value);
    }
    out
}

pub fn datadog_api(all: &[Span]) -> Files {
    let span = |s: &Span| {
        let (kind, name, resource_name) = datadog_names(s);
        let mut own = texts(s);
        own.remove("db.statement");
        own.insert("span.kind".to_owned(), word(s.kind).to_lowercase());
        let tags = [format!("version:{VERSION}"), format!("k8s.pod.name:{}", s.pod())];
        let status = if s.error { "error" } else { "ok" };
        json!({"id": hex(s.id), "type": "spans", "attributes": {
            "trace_id": hex128(s.trace), "span_id": s.id.to_string(),
            "parent_id": s.parent.to_string(), "service": s.service, "operation_name": name,
            "resource_name": resource_name, "type": kind, "status": status,
            "start_timestamp": iso(s.start), "end_timestamp": iso(s.start + s.length),
            "tags": tags, "custom": nested(own)}})
    };
    let all: Vec<Value> = all.iter().map(span).collect();
    one("api.json", json!({"data": all, "meta": {"status": "done"}}).to_string())
}

fn status(s: &Span) -> &'static str {
    if s.error { "Error" } else { "Unset" }
}

/// Time as ClickHouse writes it, in UTC.
fn clickhouse_time(micros: i64) -> String {
    let text = iso(micros).replace('T', " ");
    format!("{}000", text.trim_end_matches('Z'))
}

pub fn clickhouse_rows(all: &[Span]) -> Files {
    let row = |s: &Span| {
        let resource: BTreeMap<_, _> = resource(s).into_iter().collect();
        let row = json!({"Timestamp": clickhouse_time(s.start), "TraceId": hex128(s.trace),
            "SpanId": hex(s.id), "ParentSpanId": hex(s.parent), "SpanName": s.name,
            "SpanKind": word(s.kind), "ServiceName": s.service, "ResourceAttributes": resource,
            "SpanAttributes": texts(s), "Duration": s.length * 1000, "StatusCode": status(s)});
        format!("{row}\n")
    };
    one("otel_traces.jsonl", all.iter().map(row).collect::<String>())
}

/// A map as ClickHouse writes it into a cell.
fn literal<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let escaped = |t: &str| t.replace('\\', "\\\\").replace('\'', "\\'");
    let all: Vec<String> = pairs.map(|(k, v)| format!("'{}':'{}'", k, escaped(v))).collect();
    format!("{{{}}}", all.join(","))
}

fn csv_text(rows: impl Iterator<Item = Vec<String>>) -> Vec<u8> {
    let mut out = csv::Writer::from_writer(Vec::new());
    rows.for_each(|r| out.write_record(r).expect("memory can be written"));
    out.into_inner().expect("memory can be written")
}

pub fn clickhouse_csv(all: &[Span]) -> Files {
    let header = "Timestamp,TraceId,SpanId,ParentSpanId,SpanName,SpanKind,ServiceName,\
                  ResourceAttributes,SpanAttributes,Duration,StatusCode";
    let header = header.split(',').map(str::to_owned).collect();
    let rows = all.iter().map(|s| {
        let own = resource(s);
        vec![
            clickhouse_time(s.start),
            hex128(s.trace),
            hex(s.id),
            hex(s.parent),
            s.name.to_owned(),
            word(s.kind),
            s.service.to_owned(),
            literal(own.iter().map(|(k, v)| (*k, v.as_str()))),
            literal(s.attributes.iter().copied()),
            (s.length * 1000).to_string(),
            status(s).to_owned(),
        ]
    });
    one("otel_traces.csv", csv_text([header].into_iter().chain(rows)))
}

fn map(rows: impl Iterator<Item = Vec<(String, String)>>) -> ArrayRef {
    let mut out = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for row in rows {
        for (k, v) in row {
            out.keys().append_value(k);
            out.values().append_value(v);
        }
        out.append(true).expect("keys and values");
    }
    Arc::new(out.finish())
}

pub fn clickhouse_parquet(all: &[Span]) -> Files {
    let words = |get: &dyn Fn(&Span) -> String| -> ArrayRef {
        Arc::new(all.iter().map(|s| Some(get(s))).collect::<StringArray>())
    };
    let start: Vec<i64> = all.iter().map(|s| s.start * 1000).collect();
    let length: Vec<u64> = all.iter().map(|s| s.length as u64 * 1000).collect();
    let owned = |(k, v): (&str, String)| (k.to_owned(), v);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("Timestamp", Arc::new(TimestampNanosecondArray::from(start).with_timezone("UTC"))),
        ("TraceId", words(&|s| hex128(s.trace))),
        ("SpanId", words(&|s| hex(s.id))),
        ("ParentSpanId", words(&|s| hex(s.parent))),
        ("SpanName", words(&|s| s.name.to_owned())),
        ("SpanKind", words(&|s| word(s.kind))),
        ("ServiceName", words(&|s| s.service.to_owned())),
        (
            "ResourceAttributes",
            map(all.iter().map(|s| resource(s).into_iter().map(owned).collect())),
        ),
        ("SpanAttributes", map(all.iter().map(|s| texts(s).into_iter().collect()))),
        ("Duration", Arc::new(UInt64Array::from(length))),
        ("StatusCode", words(&|s| status(s).to_owned())),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("columns of one length");
    one("otel_traces.parquet", parquet(&batch))
}

/// A span as a flat row, under the names of Honeycomb.
fn flat(s: &Span) -> BTreeMap<String, String> {
    let mut row = texts(s);
    row.extend(resource(s).into_iter().map(|(k, v)| (k.to_owned(), v)));
    let more = [
        ("Timestamp", iso(s.start)),
        ("trace.trace_id", hex128(s.trace)),
        ("trace.span_id", hex(s.id)),
        ("trace.parent_id", hex(s.parent)),
        ("name", s.name.to_owned()),
        ("span.kind", word(s.kind).to_lowercase()),
        ("duration_ms", format!("{}.{:03}", s.length / 1000, s.length % 1000)),
        ("error", if s.error { "true" } else { "" }.to_owned()),
    ];
    row.extend(more.into_iter().map(|(k, v)| (k.to_owned(), v)));
    row
}

pub fn table_csv(all: &[Span]) -> Files {
    let rows: Vec<BTreeMap<String, String>> = all.iter().map(flat).collect();
    let header: BTreeSet<&String> = rows.iter().flat_map(BTreeMap::keys).collect();
    let cell = |row: &BTreeMap<String, String>, key: &String| row.get(key).cloned();
    let cells = rows
        .iter()
        .map(|row| header.iter().map(|k| cell(row, k).unwrap_or_default()).collect::<Vec<_>>());
    let first = header.iter().map(|k| (*k).clone()).collect();
    one("spans.csv", csv_text([first].into_iter().chain(cells)))
}

pub fn table_json(all: &[Span]) -> Files {
    one("spans.json", json!(all.iter().map(flat).collect::<Vec<_>>()).to_string())
}

pub fn table_lines(all: &[Span]) -> Files {
    let line = |s: &Span| format!("{}\n", json!(flat(s)));
    one("spans.jsonl", all.iter().map(line).collect::<String>())
}

fn seconds(micros: i64) -> Value {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    json!(text.parse::<f64>().expect("a number"))
}

/// A segment, or a subsegment with what stands below it in its own service.
fn segment(s: &Span, all: &[&Span], inner: bool) -> Value {
    let below = all.iter().filter(|o| o.parent == s.id && o.service == s.service);
    let subsegments: Vec<Value> = below.map(|o| segment(o, all, true)).collect();
    let mut out = json!({"id": hex(s.id), "start_time": seconds(s.start),
        "end_time": seconds(s.start + s.length), "subsegments": subsegments});
    let status = s.attribute("http.response.status_code").parse::<i64>();
    if let Ok(status) = status {
        out["http"] = json!({"request": {"method": "GET"}, "response": {"status": status}});
    }
    if s.error {
        out["fault"] = json!(true);
    }
    let called = ["server.address", "peer.service", "messaging.destination.name"];
    let called = called.map(|n| s.attribute(n)).into_iter().find(|v| !v.is_empty());
    out["name"] = json!(if inner { called.unwrap_or(s.name) } else { s.service });
    if !inner {
        out["trace_id"] = json!(trace_id(s.trace));
        out["service"] = json!({"version": VERSION});
        out["aws"] = json!({"eks": {"pod": s.pod()}});
        if s.parent != 0 {
            out["parent_id"] = json!(hex(s.parent));
        }
        return out;
    }
    if s.kind != SpanKind::Internal {
        out["namespace"] = json!("remote");
    }
    if s.kind == SpanKind::Producer {
        out["namespace"] = json!("aws");
        out["aws"] = json!({"operation": "SendMessage",
            "queue_url": "https://sqs.eu-west-1.amazonaws.com/1/orders"});
    }
    if !s.attribute("db.statement").is_empty() {
        out["sql"] = json!({"database_type": "PostgreSQL",
            "sanitized_query": s.attribute("db.statement")});
    }
    out
}

fn trace_id(trace: u128) -> String {
    let hex = hex128(trace);
    format!("1-{}-{}", &hex[..8], &hex[8..])
}

fn segments(own: &[&Span]) -> Vec<Value> {
    let same = |s: &&&Span| own.iter().any(|o| o.id == s.parent && o.service == s.service);
    own.iter().filter(|s| !same(s)).map(|s| segment(s, own, false)).collect()
}

pub fn xray(all: &[Span]) -> Files {
    let trace = |own: &Vec<&Span>| {
        let document = |s: Value| json!({"Id": s["id"], "Document": s.to_string()});
        let all: Vec<Value> = segments(own).into_iter().map(document).collect();
        json!({"Id": trace_id(own[0].trace), "Duration": 0.1, "Segments": all})
    };
    let traces: Vec<Value> = traces(all).values().map(trace).collect();
    one("xray.json", json!({"Traces": traces, "UnprocessedTraceIds": []}).to_string())
}

pub fn xray_lines(all: &[Span]) -> Files {
    let own = traces(all);
    let lines = own.values().flat_map(|own| segments(own)).map(|s| format!("{s}\n"));
    one("segments.jsonl", lines.collect::<String>())
}

pub fn har(calls: &[Span]) -> Files {
    let entry = |s: &Span| {
        let url = format!("http://{}/api?token=x", s.attribute("peer.service"));
        let status: i64 = s.attribute("http.response.status_code").parse().expect("a status");
        json!({"startedDateTime": iso(s.start / 1000 * 1000), "time": s.length as f64 / 1e3,
            "request": {"method": "GET", "url": url, "headers": []},
            "response": {"status": status, "headers": []},
            "timings": {"send": 0, "wait": s.length as f64 / 1e3, "receive": 0}})
    };
    let entries: Vec<Value> = calls.iter().map(entry).collect();
    let log = json!({"version": "1.2", "creator": {"name": "x", "version": "1"},
        "entries": entries});
    one("page.har", json!({"log": log}).to_string())
}
