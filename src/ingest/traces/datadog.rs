//! Datadog spans: the API's answer (`data[].type` is `spans`) and the agent's form (arrays of spans,
//! nanoseconds, decimal ids). In: JSON. Out: spans.

use super::super::lenient::{self, Scalar};
use super::super::raw::{Raw, SpanKind};
use super::super::spans::{self, or_default};
use super::super::{Head, Input, json_scan};
use super::literal::flatten;
use super::{Place, Row, epoch, flagged, kind_of, moment, objects};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// Accepts answers of the spans API, and agent spans.
pub fn accepts(head: &Head) -> bool {
    let has = |names: &[&str]| names.iter().all(|n| head.has_key(n));
    let api = has(&["attributes", "span_id", "start_timestamp"]) && !has(&["resourceSpans"]);
    api || has(&["trace_id", "span_id", "resource", "start", "duration"])
}

/// An id as a number or a string: decimal, or hexadecimal of 128 bits.
#[derive(Deserialize, Default)]
#[serde(untagged)]
enum Id {
    Number(u64),
    Signed(i64),
    Text(String),
    #[default]
    None,
}

impl Id {
    fn value(&self) -> Option<u128> {
        let value = match self {
            Id::Number(n) => u128::from(*n),
            Id::Signed(n) => u128::from(*n as u64),
            Id::Text(t) if t.len() == 32 => return spans::id128(t),
            Id::Text(t) => match t.trim().parse::<u64>() {
                Ok(n) => u128::from(n),
                Err(_) => return spans::id128(t.trim_start_matches("0x")),
            },
            Id::None => 0,
        };
        (value != 0).then_some(value)
    }

    fn span(&self) -> Option<u64> {
        self.value().map(|v| v as u64).filter(|v| *v != 0)
    }
}

#[derive(Deserialize)]
struct Item {
    #[serde(default, deserialize_with = "or_default")]
    attributes: Answer,
}

/// A span as the API answers it.
#[derive(Deserialize, Default)]
struct Answer {
    #[serde(default)]
    trace_id: Id,
    #[serde(default)]
    span_id: Id,
    #[serde(default)]
    parent_id: Id,
    #[serde(default, deserialize_with = "or_default")]
    service: String,
    #[serde(default, deserialize_with = "or_default")]
    resource_name: String,
    #[serde(default, deserialize_with = "or_default")]
    operation_name: String,
    #[serde(default, deserialize_with = "or_default")]
    host: String,
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    kind: String,
    #[serde(default, deserialize_with = "or_default")]
    status: String,
    #[serde(default)]
    start_timestamp: Scalar,
    #[serde(default)]
    end_timestamp: Scalar,
    #[serde(default, deserialize_with = "or_default")]
    tags: Vec<Scalar>,
    #[serde(default)]
    attributes: Value,
    #[serde(default)]
    custom: Value,
}

/// A span as tracers hand it to the agent.
#[derive(Deserialize)]
struct AgentSpan {
    #[serde(default)]
    trace_id: Id,
    #[serde(default)]
    span_id: Id,
    #[serde(default)]
    parent_id: Id,
    #[serde(default, deserialize_with = "or_default")]
    service: String,
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    resource: String,
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    kind: String,
    #[serde(default)]
    start: Scalar,
    #[serde(default)]
    duration: Scalar,
    #[serde(default)]
    error: Scalar,
    #[serde(default, deserialize_with = "or_default")]
    meta: BTreeMap<String, Scalar>,
    #[serde(default, deserialize_with = "or_default")]
    metrics: BTreeMap<String, Scalar>,
}

/// Reads every span of either form.
pub fn read(input: &Input, raw: &mut Raw) {
    let first = raw.spans.len();
    let mut upper = HashMap::new();
    input.documents(raw, |base, document, raw| {
        let open = match document.first() {
            Some(b'[') => Some(0),
            _ => json_scan::find_array(document, &["data", "spans", "traces"]),
        };
        match open {
            Some(open) => objects(input, (base, document), open, raw, &mut |at, span, raw| {
                one(input, at, span, &mut upper, raw);
            }),
            None => one(input, base, document, &mut upper, raw),
        }
    });
    // Only a trace's first span carries the upper half of its id.
    raw.spans.update_from(first, |span| {
        if let Some(upper) = u64::try_from(span.trace).ok().and_then(|low| upper.get(&low)) {
            span.trace |= u128::from(*upper) << 64;
        }
    });
}

fn one(input: &Input, at: usize, text: &[u8], upper: &mut HashMap<u64, u64>, raw: &mut Raw) {
    let is_answer = json_scan::find_value(text, 0, &["attributes"], b'{').is_some();
    let read = match is_answer {
        true => {
            lenient::from_slice(text).map(|item: Item| answer(input, at, &item.attributes, raw))
        }
        false => lenient::from_slice(text).map(|span: AgentSpan| {
            agent(input, at, &span, raw);
            let high = span.meta.get("_dd.p.tid").map(Scalar::text);
            let high = high.and_then(|h| u64::from_str_radix(&h, 16).ok());
            let low = span.trace_id.value().and_then(|id| u64::try_from(id).ok());
            upper.extend(low.zip(high));
        }),
    };
    if let Err(e) = read {
        input.skip_unreadable(at, "a span", e, raw);
    }
}

/// A span's kind by its `span.kind`, else by what Datadog calls its type.
fn kind(said: &str, of_type: &str) -> SpanKind {
    match of_type {
        _ if !said.is_empty() => kind_of(said),
        "web" => SpanKind::Server,
        "http" | "grpc" => SpanKind::Client,
        t if is_store(t) => SpanKind::Client,
        _ => SpanKind::Internal,
    }
}

fn is_store(of_type: &str) -> bool {
    let stores = ["sql", "db", "cache", "redis", "memcached", "mongodb", "cassandra"];
    stores.contains(&of_type) || of_type == "elasticsearch"
}

/// What both forms say of a call, under the names of OpenTelemetry.
struct Call<'a> {
    kind: &'a str,
    operation: &'a str,
    resource: &'a str,
    host: &'a str,
}

impl<'a> Call<'a> {
    /// Fills what follows from type, resource and tags; a store's resource is its statement.
    fn fill(&self, tags: &'a [(String, String)], row: &mut Row<'a>) {
        let tag = |name: &str| tags.iter().find(|(k, _)| k == name).map_or("", |(_, v)| v);
        let statement = is_store(self.kind) && !self.operation.is_empty();
        row.name = match () {
            () if statement => self.operation,
            () if self.resource.is_empty() => self.operation,
            () => self.resource,
        };
        row.kind = kind(tag("span.kind"), self.kind);
        row.attributes = tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        if statement {
            row.attributes.push(("db.query.text", self.resource));
        }
        row.attributes.push(("server.address", tag("out.host")));
        row.attributes.push(("server.port", tag("network.destination.port")));
        row.attributes.push(("db.system", tag("db.type")));
        row.resource = row.attributes.clone();
        row.resource.push(("host.name", self.host));
        row.resource.push(("service.version", tag("version")));
    }
}

fn answer(input: &Input, at: usize, span: &Answer, raw: &mut Raw) {
    let mut tags = Vec::new();
    flatten("", &span.attributes, &mut tags);
    flatten("", &span.custom, &mut tags);
    for tag in span.tags.iter().map(Scalar::text) {
        tags.extend(tag.split_once(':').map(|(k, v)| (k.to_owned(), v.to_owned())));
    }
    let time = |t: &Scalar| moment(&t.text(), input.zone).map(|t| t.at);
    let (start, end) = (time(&span.start_timestamp), time(&span.end_timestamp));
    let mut row = Row {
        place: Place::Offset(at),
        trace: span.trace_id.value(),
        span: span.span_id.span(),
        parent: span.parent_id.span(),
        service: &span.service,
        start,
        duration: start.zip(end).map(|(from, to)| to - from),
        error: span.status == "error",
        ..Row::default()
    };
    let (kind, host) = (span.kind.as_str(), span.host.as_str());
    let call = Call { kind, operation: &span.operation_name, resource: &span.resource_name, host };
    call.fill(&tags, &mut row);
    row.push(input, raw);
}

fn agent(input: &Input, at: usize, span: &AgentSpan, raw: &mut Raw) {
    let all = span.meta.iter().chain(&span.metrics);
    let tags: Vec<(String, String)> = all.map(|(k, v)| (k.clone(), v.text())).collect();
    let host = span.meta.get("_dd.hostname").or_else(|| span.meta.get("hostname"));
    let host = host.map(Scalar::text).unwrap_or_default();
    let mut row = Row {
        place: Place::Offset(at),
        trace: span.trace_id.value(),
        span: span.span_id.span(),
        parent: span.parent_id.span(),
        service: &span.service,
        start: span.start.whole().and_then(epoch),
        duration: span.duration.whole().map(|d| d / 1000),
        error: flagged(&span.error.text()),
        ..Row::default()
    };
    let kind = span.kind.as_str();
    let call = Call { kind, operation: &span.name, resource: &span.resource, host: &host };
    call.fill(&tags, &mut row);
    row.push(input, raw);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::read_text;

    #[test]
    fn ids_of_64_bits_are_kept_whole_as_numbers_and_as_text() {
        let id = |text: &str| serde_json::from_str::<Id>(text).expect("any id").value();
        assert_eq!(id("18446744073709551615"), Some(u128::from(u64::MAX)));
        assert_eq!(id("\"18446744073709551615\""), Some(u128::from(u64::MAX)));
        assert_eq!(id("\"4bf92f3577b34da6a3ce929d0e0e4736\""), spans::id128(TRACE));
        assert_eq!(id("\"a3ce929d0e0e4736\""), Some(0xa3ce_929d_0e0e_4736));
        assert_eq!((id("0"), id("\"0\""), id("null")), (None, None, None));
    }

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn the_upper_half_of_a_trace_id_reaches_all_its_spans() {
        let span = |id: u64, meta: &str| {
            format!(
                "{{\"trace_id\":11803532876627986230,\"span_id\":{id},\"service\":\"a\",\
                 \"name\":\"web.request\",\"resource\":\"GET /\",\"start\":1795205400000000000,\
                 \"duration\":1000,\"error\":0,\"meta\":{{{meta}}}}}"
            )
        };
        let with = span(1, "\"_dd.p.tid\":\"4bf92f3577b34da6\"");
        let raw = read_text("a.json", format!("[[{},{with}]]", span(2, "")).as_bytes());
        let want = spans::id128(TRACE);
        assert!(raw.spans.len() == 2 && raw.spans.iter().all(|s| Some(s.trace) == want));
    }
}
