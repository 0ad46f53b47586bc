//! OTLP JSON traces in the dialects that collectors, Tempo, Grafana and Jaeger write.
//! In: JSON documents or lines. Out: spans; attributes under OpenTelemetry's present names.

use super::json_scan::{self, Elements};
use super::raw::{Raw, RawSpan, SpanKind, Symbols};
use super::{Head, Input, spans};
use crate::model::{GapKind, Micros};
use crate::time;
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Keys under which resource spans stand.
const KEYS: [&str; 3] = ["resourceSpans", "batches", "resource_spans"];

/// Accepts any document with resource spans.
pub fn accepts(head: &Head) -> bool {
    KEYS.iter().any(|k| head.has_key(k))
}

#[derive(Deserialize)]
struct ResourceSpans<'a> {
    #[serde(borrow, default)]
    resource: Resource<'a>,
    #[serde(
        borrow,
        default,
        alias = "scope_spans",
        alias = "instrumentationLibrarySpans",
        rename = "scopeSpans"
    )]
    scopes: Vec<ScopeSpans<'a>>,
}

#[derive(Deserialize, Default)]
struct Resource<'a> {
    #[serde(borrow, default)]
    attributes: Vec<Attribute<'a>>,
}

#[derive(Deserialize)]
struct ScopeSpans<'a> {
    #[serde(borrow, default)]
    spans: Vec<Span<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Span<'a> {
    #[serde(borrow, default, alias = "trace_id")]
    trace_id: Cow<'a, str>,
    #[serde(borrow, default, alias = "span_id")]
    span_id: Cow<'a, str>,
    #[serde(borrow, default, alias = "parent_span_id")]
    parent_span_id: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(default)]
    kind: Code,
    #[serde(default, alias = "start_time_unix_nano")]
    start_time_unix_nano: Nanos,
    #[serde(default, alias = "end_time_unix_nano")]
    end_time_unix_nano: Nanos,
    #[serde(borrow, default)]
    attributes: Vec<Attribute<'a>>,
    #[serde(default)]
    status: Status,
    #[serde(borrow, default)]
    events: Vec<SpanEvent<'a>>,
}

#[derive(Deserialize)]
struct SpanEvent<'a> {
    #[serde(borrow, default)]
    attributes: Vec<Attribute<'a>>,
}

#[derive(Deserialize, Default)]
struct Status {
    #[serde(default)]
    code: Code,
}

#[derive(Deserialize)]
struct Attribute<'a> {
    #[serde(borrow, default)]
    key: Cow<'a, str>,
    #[serde(borrow, default)]
    value: Value<'a>,
}

/// An attribute's value as text; lists and maps are dropped.
#[derive(Default)]
struct Value<'a>(Cow<'a, str>);

/// A number, or an enum name whose last word says which.
#[derive(Default)]
struct Code(u8);

/// Nanoseconds as a string, integer or float; `None` when missing or not a number.
#[derive(Default)]
struct Nanos(Option<Micros>);

macro_rules! any_visitor {
    ($name:ident, $what:literal, $from_text:expr, $from_number:expr) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                struct V;
                impl<'de> Visitor<'de> for V {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                        f.write_str($what)
                    }
                    fn visit_str<E: de::Error>(self, v: &str) -> Result<$name, E> {
                        Ok($name($from_text(v)))
                    }
                    fn visit_u64<E>(self, v: u64) -> Result<$name, E> {
                        Ok($name($from_number(v as f64)))
                    }
                    fn visit_i64<E>(self, v: i64) -> Result<$name, E> {
                        Ok($name($from_number(v as f64)))
                    }
                    fn visit_f64<E>(self, v: f64) -> Result<$name, E> {
                        Ok($name($from_number(v)))
                    }
                    fn visit_unit<E>(self) -> Result<$name, E> {
                        Ok($name::default())
                    }
                }
                d.deserialize_any(V)
            }
        }
    };
}

any_visitor!(Code, "a code or an enum name", code_of_name, |v: f64| v.clamp(0.0, 255.0) as u8);
any_visitor!(Nanos, "nanoseconds", nanos_of_text, |v: f64| time::believable((v / 1e3) as i64));

fn nanos_of_text(text: &str) -> Option<Micros> {
    let whole = text.parse::<i64>().ok().map(|n| n / 1000);
    whole.or_else(|| text.parse::<f64>().ok().map(|n| (n / 1e3) as i64)).and_then(time::believable)
}

fn code_of_name(name: &str) -> u8 {
    match name.rsplit('_').next().unwrap_or_default() {
        "INTERNAL" | "OK" => 1,
        "SERVER" | "ERROR" => 2,
        "CLIENT" => 3,
        "PRODUCER" => 4,
        "CONSUMER" => 5,
        other => other.parse().unwrap_or(0),
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Value<'de>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an attribute value")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
                let mut value = Value::default();
                while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                    match key.as_ref() {
                        "arrayValue" | "kvlistValue" => {
                            map.next_value::<IgnoredAny>()?;
                        }
                        _ => value = map.next_value()?,
                    }
                }
                Ok(value)
            }
            fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Value<'de>, E> {
                Ok(Value(Cow::Borrowed(v)))
            }
            fn visit_str<E>(self, v: &str) -> Result<Value<'de>, E> {
                Ok(Value(Cow::Owned(v.to_owned())))
            }
            fn visit_bool<E>(self, v: bool) -> Result<Value<'de>, E> {
                Ok(Value(Cow::Borrowed(if v { "true" } else { "false" })))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Value<'de>, E> {
                Ok(Value(Cow::Owned(v.to_string())))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Value<'de>, E> {
                Ok(Value(Cow::Owned(v.to_string())))
            }
            fn visit_f64<E>(self, v: f64) -> Result<Value<'de>, E> {
                Ok(Value(Cow::Owned(v.to_string())))
            }
            fn visit_unit<E>(self) -> Result<Value<'de>, E> {
                Ok(Value::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value<'de>, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Value::default())
            }
        }
        d.deserialize_any(V)
    }
}

/// Reads every resource-spans element of every document or line.
pub fn read(input: &Input, raw: &mut Raw) {
    let text = input.bytes;
    let mut defects = Vec::new();
    let documents = json_scan::documents(text, |at| defects.push(at));
    for (base, document) in documents {
        let Some(open) = json_scan::find_array(document, &KEYS) else { continue };
        let mut elements = Elements::new(document, open);
        for (at, element) in elements.by_ref() {
            match serde_json::from_slice::<ResourceSpans>(element) {
                Ok(group) => resource(input, &group, raw),
                Err(e) => {
                    let line = json_scan::line_of(text, base + at);
                    raw.skip(input.file, Some(line), format!("resource spans: {e}"), 1);
                }
            }
        }
        if let Some(at) = elements.broken {
            let line = json_scan::line_of(text, base + at);
            let what = format!("the file ends inside a span group, at byte {}", base + at);
            raw.gap(GapKind::Truncated, input.file, Some(line), what);
            defects.clear();
        }
    }
    for at in defects {
        raw.skip(input.file, Some(json_scan::line_of(text, at)), "not a JSON document", 1);
    }
}

fn resource(input: &Input, group: &ResourceSpans, raw: &mut Raw) {
    let attributes = |a: &str| {
        let found = group.resource.attributes.iter().find(|x| x.key == a);
        found.map(|x| x.value.0.as_ref()).filter(|v| !v.is_empty())
    };
    let identity = spans::identity(&attributes, &mut raw.symbols);
    for span in group.scopes.iter().flat_map(|s| &s.spans) {
        one(input, span, identity, raw);
    }
}

fn one(input: &Input, span: &Span, identity: RawSpan, raw: &mut Raw) {
    let (Some(start), Some(end)) = (span.start_time_unix_nano.0, span.end_time_unix_nano.0) else {
        raw.skip(input.file, None, "span without a start or an end time", 1);
        return;
    };
    let (Some(trace), Some(id)) = (spans::id128(&span.trace_id), spans::id64(&span.span_id)) else {
        raw.skip(input.file, None, "span without a trace or span id", 1);
        return;
    };
    let own = span.attributes.iter().map(|a| (a.key.as_ref(), a.value.0.as_ref()));
    let exception = span.events.iter().flat_map(|e| &e.attributes);
    let exception = exception.filter(|a| a.key == "exception.type");
    let all: Vec<(&str, &str)> =
        own.chain(exception.map(|a| (a.key.as_ref(), a.value.0.as_ref()))).collect();
    let mut out = RawSpan { file: input.file, trace, span: id, start, end, ..identity };
    out.parent = spans::id64(&span.parent_span_id).unwrap_or(0);
    out.kind = match span.kind.0 {
        2 => SpanKind::Server,
        3 => SpanKind::Client,
        4 => SpanKind::Producer,
        5 => SpanKind::Consumer,
        _ => SpanKind::Internal,
    };
    out.operation = raw.symbols.intern(&span.name);
    out.error = span.status.code.0 == 2;
    spans::attributes(&all, &mut out, &mut raw.symbols);
    if out.end < out.start {
        raw.skip(input.file, None, "span ends before it starts: taken as zero long", 1);
        out.end = out.start;
    }
    debug_assert_eq!(Symbols::EMPTY.0, 0);
    raw.spans.push(out);
    raw.rows(input.file, 1);
}
