//! Traces as the file exporter of the OpenTelemetry collector writes them: JSON lines, one file
//! for each service.

use super::micros;
use crate::simulate::File;
use crate::simulate::draw::mix;
use crate::simulate::observe::{Span, SpanKind};
use crate::simulate::world::{World, status};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Spans of one line.
const BATCH: usize = 200;

pub fn files(world: &World) -> Vec<File> {
    let mut groups: BTreeMap<(u16, u16, u16), Vec<&Span>> = BTreeMap::new();
    for span in &world.record.spans {
        groups.entry((span.service, span.instance, span.version)).or_default().push(span);
    }
    let mut files: BTreeMap<u16, String> = BTreeMap::new();
    for ((service, instance, version), spans) in groups {
        let s = &world.services[usize::from(service)];
        let text = files.entry(service).or_default();
        let resource = [
            ("service.name", s.name.as_str()),
            ("service.instance.id", &s.instances[usize::from(instance)].name),
            ("service.version", &s.versions[usize::from(version)].version),
            ("host.name", &s.instances[usize::from(instance)].name),
        ];
        let resource: Vec<Value> = resource.iter().map(|(k, v)| text_of(k, v)).collect();
        for batch in spans.chunks(BATCH) {
            let spans: Vec<Value> = batch.iter().map(|s| span(world, s)).collect();
            let line = json!({"resourceSpans": [{
                "resource": {"attributes": resource},
                "scopeSpans": [{"scope": {"name": "simulated"}, "spans": spans}],
            }]});
            text.push_str(&line.to_string());
            text.push('\n');
        }
    }
    let file = |(service, text): (u16, String)| {
        let name = &world.services[usize::from(service)].name;
        File { path: format!("otlp/{name}.jsonl"), bytes: text.into_bytes() }
    };
    files.into_iter().map(file).collect()
}

fn text_of(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn number(key: &str, value: u64) -> Value {
    json!({"key": key, "value": {"intValue": value.to_string()}})
}

/// The span of a message, sent or worked on.
fn message(world: &World, queue: u16, verb: &str, kind: u8) -> (String, u8, Vec<Value>) {
    let name = &world.queues[usize::from(queue)].name;
    let attributes = vec![
        text_of("messaging.system", "rabbitmq"),
        text_of("messaging.destination.name", name),
        text_of("messaging.operation.type", verb),
    ];
    (format!("{verb} {name}"), kind, attributes)
}

/// The span of a command to a Redis server.
fn redis(name: &str, verb: &str, key: u32) -> (String, u8, Vec<Value>) {
    let attributes = vec![
        text_of("db.system.name", "redis"),
        text_of("db.operation.name", verb),
        text_of("db.query.text", &format!("{verb} item:{key}")),
        text_of("server.address", name),
    ];
    (verb.to_owned(), 3, attributes)
}

/// Name, kind and attributes of a span.
fn shape(world: &World, s: &Span) -> (String, u8, Vec<Value>) {
    let cache = |cache: u16| world.caches[usize::from(cache)].name.as_str();
    match s.kind {
        SpanKind::Server { program } => {
            let p = &world.programs[usize::from(program)];
            let route = format!("/{}/{{id}}", p.path);
            let mut attributes = vec![
                text_of("http.request.method", &p.method),
                text_of("http.route", &route),
                text_of("url.path", &format!("/{}/{}", p.path, s.key)),
            ];
            attributes.push(number("http.response.status_code", u64::from(s.status)));
            (format!("{} {route}", p.method), 2, attributes)
        }
        SpanKind::Client { edge, attempt } => {
            let e = &world.edges[usize::from(edge)];
            let (to, p) =
                (&world.services[usize::from(e.to)].name, &world.programs[usize::from(e.program)]);
            let mut attributes =
                vec![text_of("http.request.method", &p.method), text_of("server.address", to)];
            attributes.push(text_of("url.full", &format!("http://{to}/{}/{}", p.path, s.key)));
            if attempt > 1 {
                attributes.push(number("http.request.resend_count", u64::from(attempt - 1)));
            }
            match crate::simulate::observe::error_word(s.status) {
                Some(word) => attributes.push(text_of("error.type", word)),
                None => attributes.push(number("http.response.status_code", s.status.into())),
            }
            (p.method.clone(), 3, attributes)
        }
        SpanKind::Refused { database, down } => {
            let (word, code) = if down {
                ("ConnectionRefusedError", "08001")
            } else {
                ("InvalidPassword", "28P01")
            };
            let d = &world.databases[usize::from(database)];
            let attributes = vec![
                text_of("db.system.name", "postgresql"),
                text_of("db.namespace", "main"),
                text_of("server.address", &d.name),
                text_of("error.type", word),
                text_of("db.response.status_code", code),
            ];
            ("connect".to_owned(), 3, attributes)
        }
        SpanKind::Statement { database, statement, error } => {
            let d = &world.databases[usize::from(database)];
            let sql = &d.statements[usize::from(statement)].sql;
            let verb = sql.split_whitespace().next().unwrap_or("SELECT").to_owned();
            let mut attributes = vec![
                text_of("db.system.name", "postgresql"),
                text_of("db.namespace", "main"),
                text_of("db.query.text", sql),
                text_of("server.address", &d.name),
            ];
            if !error.is_empty() {
                attributes.push(text_of("error.type", error));
                attributes.push(text_of("db.response.status_code", error));
            }
            (verb, 3, attributes)
        }
        SpanKind::Look { cache: c, hit } => {
            let (name, kind, mut attributes) = redis(cache(c), "GET", s.key);
            attributes.push(json!({"key": "cache.hit", "value": {"boolValue": hit}}));
            (name, kind, attributes)
        }
        SpanKind::Fill { cache: c } => redis(cache(c), "SETEX", s.key),
        SpanKind::Forget { cache: c } => redis(cache(c), "DEL", s.key),
        SpanKind::Partition { store, place } => {
            redis(&format!("{}-{place}", world.stores[usize::from(store)].name), "EVAL", s.key)
        }
        SpanKind::Send { queue } => message(world, queue, "send", 4),
        SpanKind::Receive { queue } => message(world, queue, "process", 5),
        SpanKind::Name => ("dns.lookup".to_owned(), 1, vec![text_of("dns.question.name", "")]),
    }
}

fn span(world: &World, s: &Span) -> Value {
    let (name, kind, attributes) = shape(world, s);
    let ahead = s.ahead_us * 1_000;
    let clock = |at: u64| {
        let micros = micros(world, at);
        (micros * 1_000 + (at % 1_000) as i64 + ahead).to_string()
    };
    let id = |n: u32| format!("{:016x}", mix(world.seed ^ (u64::from(n) << 20) ^ 0x5bd1));
    let trace = format!(
        "{:016x}{:016x}",
        mix(world.seed.wrapping_add(u64::from(s.trace) << 1)),
        mix(world.seed.wrapping_add(u64::from(s.trace) << 33))
    );
    let failed = match s.kind {
        SpanKind::Client { .. } => s.status != 200,
        SpanKind::Refused { .. } => true,
        _ => s.status >= 500 || s.status < 100 && s.status != status::OPEN,
    };
    let mut span = json!({
        "traceId": trace,
        "spanId": id(s.span),
        "name": name,
        "kind": kind,
        "startTimeUnixNano": clock(s.from),
        "endTimeUnixNano": clock(s.to),
        "attributes": attributes,
        "status": if failed { json!({"code": 2}) } else { json!({}) },
    });
    if s.parent != 0 {
        span["parentSpanId"] = id(s.parent).into();
    }
    span
}
