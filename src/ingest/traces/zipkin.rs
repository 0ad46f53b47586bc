//! Zipkin v2 JSON: an array of spans, an array of traces, or one span a line.
//! In: JSON, times in microseconds. Out: spans; shared spans are parted into client and server.

use super::super::lenient::{self, Scalar};
use super::super::raw::{Raw, SpanKind, Sym};
use super::super::spans::{self, or_default};
use super::super::{Head, Input};
use super::{Place, Row, kind_of, objects};
use crate::time::{EpochUnit, from_epoch};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

/// Accepts spans with Zipkin's spelling of ids and endpoints.
pub fn accepts(head: &Head) -> bool {
    let has = |names: &[&str]| names.iter().all(|n| head.has_key(n));
    let ids = has(&["traceId", "id"]) && !has(&["spanId"]);
    ids && (has(&["localEndpoint"]) || has(&["name", "timestamp"]) || has(&["name", "kind"]))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Span {
    #[serde(default, deserialize_with = "or_default")]
    trace_id: String,
    #[serde(default, deserialize_with = "or_default")]
    id: String,
    #[serde(default, deserialize_with = "or_default")]
    parent_id: String,
    #[serde(default, deserialize_with = "or_default")]
    kind: String,
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default)]
    timestamp: Scalar,
    #[serde(default)]
    duration: Scalar,
    #[serde(default, deserialize_with = "or_default")]
    local_endpoint: Endpoint,
    #[serde(default, deserialize_with = "or_default")]
    remote_endpoint: Endpoint,
    #[serde(default, deserialize_with = "or_default")]
    tags: BTreeMap<String, Scalar>,
    #[serde(default, deserialize_with = "or_default")]
    annotations: Vec<Annotation>,
    #[serde(default, deserialize_with = "or_default")]
    shared: bool,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Endpoint {
    #[serde(default, deserialize_with = "or_default")]
    service_name: String,
    #[serde(default, deserialize_with = "or_default")]
    ipv4: String,
    #[serde(default, deserialize_with = "or_default")]
    ipv6: String,
    #[serde(default)]
    port: Scalar,
}

#[derive(Deserialize)]
struct Annotation {
    #[serde(default)]
    timestamp: Scalar,
}

/// Reads every span, then gives the server's half of each shared span an id of its own.
pub fn read(input: &Input, raw: &mut Raw) {
    let first = raw.spans.len();
    let mut halves = Halves::default();
    input.documents(raw, |base, document, raw| match document.first() {
        Some(b'[') => objects(input, (base, document), 0, raw, &mut |at, element, raw| {
            one(input, at, element, &mut halves, raw);
        }),
        _ => one(input, base, document, &mut halves, raw),
    });
    halves.part(first, raw);
}

fn one(input: &Input, at: usize, text: &[u8], halves: &mut Halves, raw: &mut Raw) {
    let span = match lenient::from_slice::<Span>(text) {
        Ok(span) => span,
        Err(e) => return input.skip_unreadable(at, "a span", e, raw),
    };
    let times = span.annotations.iter().filter_map(|a| a.timestamp.number());
    let (earliest, latest) = times.fold((f64::MAX, 0f64), |(a, b), t| (a.min(t), b.max(t)));
    // Without a time of its own a span lies where its annotations lie.
    let start = span.timestamp.number().filter(|t| *t > 0.0).unwrap_or(earliest);
    let noted = (latest > start).then_some(latest - start);
    let duration = span.duration.number().filter(|d| *d > 0.0).or(noted);
    let tags: Vec<(&str, String)> = span.tags.iter().map(|(k, v)| (k.as_str(), v.text())).collect();
    let mut attributes: Vec<(&str, &str)> = tags.iter().map(|(k, v)| (*k, v.as_str())).collect();
    // The tag's value is a message; that it is there says that the span failed.
    let error = span.tags.get("error").is_some_and(|v| v.text() != "false");
    let remote = &span.remote_endpoint;
    let (callee, port) = (remote.service_name.to_lowercase(), remote.port.text());
    attributes.push(("peer.service", &callee));
    attributes.push(("network.peer.address", address(remote)));
    attributes.push(("server.port", &port));
    let service = span.local_endpoint.service_name.to_lowercase();
    let mut resource = attributes.clone();
    // Names the instance where no tag does: of all names of one, this is looked at last.
    resource.push(("container.id", address(&span.local_endpoint)));
    let row = Row {
        place: Place::Offset(at),
        trace: spans::id128(&span.trace_id),
        span: spans::id64(&span.id),
        parent: spans::id64(&span.parent_id),
        service: &service,
        name: &span.name,
        kind: kind_of(&span.kind),
        start: from_epoch(start, EpochUnit::Micros),
        duration: duration.map(|d| d as i64),
        error,
        resource,
        attributes,
    };
    if row.push(input, raw) {
        halves.note(raw.spans.len() - 1, span.shared, raw);
    }
}

fn address(endpoint: &Endpoint) -> &str {
    if endpoint.ipv4.is_empty() { &endpoint.ipv6 } else { &endpoint.ipv4 }
}

/// Spans that share their id: the client's and the server's half of one call.
#[derive(Default)]
struct Halves {
    clients: HashMap<(u128, u64), Sym>,
    /// Places in `Raw::spans`; and whether the span itself says that it is shared.
    servers: Vec<(usize, bool)>,
}

impl Halves {
    fn note(&mut self, at: usize, shared: bool, raw: &Raw) {
        let Some(span) = raw.spans.get(at) else { return };
        match span.kind {
            SpanKind::Client => {
                self.clients.insert((span.trace, span.span), span.service);
            }
            SpanKind::Server => self.servers.push((at, shared)),
            _ => {}
        }
    }

    /// Makes each server half a child of its client half, and what the server did its children.
    fn part(self, first: usize, raw: &mut Raw) {
        let mut parted: HashMap<(u128, u64, Sym), u64> = HashMap::new();
        for (at, shared) in self.servers {
            let Some(span) = raw.spans.get(at) else { continue };
            let Some(caller) = self.clients.get(&(span.trace, span.span)) else { continue };
            let own = derived(span.span);
            // Without the flag, one service calling itself under one id is told by nothing.
            if shared || *caller != span.service {
                parted.insert((span.trace, span.span, span.service), own);
            }
            raw.spans.update(at, |s| (s.parent, s.span) = (s.span, own));
        }
        if parted.is_empty() {
            return;
        }
        raw.spans.update_from(first, |span| {
            let of_server = span.kind != SpanKind::Server;
            if let Some(own) = parted.get(&(span.trace, span.parent, span.service))
                && of_server
            {
                span.parent = *own;
            }
        });
    }
}

/// The id of the server's half: the same in every run, and none that a tracer would draw.
fn derived(id: u64) -> u64 {
    let mixed = (id ^ 0x5eed_0f5e_7e72_5a1f).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::read_text;

    const SERVER: &str = r#"{"traceId":"0a","id":"01","kind":"SERVER","name":"get","shared":true,
        "timestamp":1795205400001000,"duration":900,"localEndpoint":{"serviceName":"Cart"}}"#;
    const CLIENT: &str = r#"{"traceId":"0a","id":"01","kind":"CLIENT","name":"get",
        "timestamp":1795205400000000,"duration":2000,"localEndpoint":{"serviceName":"web"}}"#;
    const INNER: &str = r#"{"traceId":"0a","id":"02","parentId":"01","name":"load",
        "timestamp":1795205400001100,"duration":10,"localEndpoint":{"serviceName":"cart"}}"#;

    #[test]
    fn the_halves_of_a_shared_span_are_parted_in_any_order() {
        for order in [[SERVER, CLIENT, INNER], [INNER, SERVER, CLIENT], [CLIENT, INNER, SERVER]] {
            let raw = read_text("a.json", format!("[{}]", order.join(",")).as_bytes());
            let of = |service: &str, kind| {
                let is = |s: &crate::ingest::raw::RawSpan| {
                    raw.symbols.text(s.service) == service && s.kind == kind
                };
                raw.spans.iter().find(is).expect("there is one")
            };
            let (client, server) = (of("web", SpanKind::Client), of("cart", SpanKind::Server));
            assert_eq!((client.span, client.parent), (1, 0));
            assert_eq!((server.span, server.parent), (derived(1), 1));
            assert_eq!(of("cart", SpanKind::Internal).parent, server.span);
        }
    }

    #[test]
    fn a_shared_span_alone_keeps_its_id() {
        let raw = read_text("a.json", format!("[[{SERVER}],[{INNER}]]").as_bytes());
        let ids: Vec<_> = raw.spans.iter().map(|s| (s.span, s.parent)).collect();
        assert_eq!(ids, [(1, 0), (2, 1)]);
    }

    #[test]
    fn times_may_be_missing() {
        let text = r#"{"traceId":"0a","id":"01","name":"a","kind":"SERVER","localEndpoint":null}
{"traceId":"0a","id":"02","name":"b","timestamp":1795205400000000,"tags":null}
{"traceId":"0a","id":"03","name":"c","annotations":[{"timestamp":1795205400000000,"value":"sr"},
    {"timestamp":1795205400000500,"value":"ss"}],"localEndpoint":{"serviceName":"x"}}"#;
        let raw = read_text("a.json", text.as_bytes());
        let times: Vec<_> = raw.spans.iter().map(|s| (s.span, s.end - s.start)).collect();
        assert_eq!(times, [(2, 0), (3, 500)], "{:?}", raw.gaps);
        let said: Vec<_> = raw.gaps.iter().map(|g| (g.line, g.what.as_str())).collect();
        assert_eq!(said[0], (Some(1), "span without a readable start time"));
        assert_eq!(said[1], (Some(2), "span without a duration: taken as zero long"));
    }
}
