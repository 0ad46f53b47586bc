//! OTLP JSON traces in the dialects that collectors, Tempo, Grafana and Jaeger write.
//! In: JSON documents or lines. Out: spans; attributes under OpenTelemetry's present names.

use super::super::json_scan::{self, Elements};
use super::super::raw::{Raw, RawSpan, SpanKind};
use super::super::spans::{self, or_default};
use super::super::{Head, Input};
use crate::model::Micros;
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
    #[serde(borrow, default, deserialize_with = "or_default")]
    resource: Resource<'a>,
    #[serde(
        borrow,
        default,
        deserialize_with = "or_default",
        alias = "scope_spans",
        alias = "instrumentationLibrarySpans",
        alias = "instrumentation_library_spans",
        rename = "scopeSpans"
    )]
    scopes: Vec<ScopeSpans<'a>>,
}

#[derive(Deserialize, Default)]
struct Resource<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    attributes: Vec<Attribute<'a>>,
}

#[derive(Deserialize)]
struct ScopeSpans<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    spans: Vec<Span<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Span<'a> {
    #[serde(borrow, default, alias = "trace_id")]
    trace_id: Text<'a>,
    #[serde(borrow, default, alias = "span_id")]
    span_id: Text<'a>,
    #[serde(borrow, default, alias = "parent_span_id")]
    parent_span_id: Text<'a>,
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(default)]
    kind: Code,
    #[serde(default, alias = "start_time_unix_nano")]
    start_time_unix_nano: Nanos,
    #[serde(default, alias = "end_time_unix_nano")]
    end_time_unix_nano: Nanos,
    #[serde(borrow, default, deserialize_with = "or_default")]
    attributes: Vec<Attribute<'a>>,
    #[serde(default, deserialize_with = "or_default")]
    status: Status,
    #[serde(borrow, default, deserialize_with = "or_default")]
    events: Vec<SpanEvent<'a>>,
}

#[derive(Deserialize)]
struct SpanEvent<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
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
    key: Text<'a>,
    #[serde(borrow, default)]
    value: Value<'a>,
}

/// A value as text; `null`, lists and maps are dropped.
#[derive(Default)]
struct Value<'a>(Cow<'a, str>);

/// A string, or `null` for the empty one; anything else is an error.
#[derive(Default)]
struct Text<'a>(Cow<'a, str>);

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

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(v)))
            }
            fn visit_str<E>(self, v: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(v.to_owned())))
            }
            fn visit_unit<E>(self) -> Result<Text<'de>, E> {
                Ok(Text::default())
            }
        }
        d.deserialize_any(V)
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

/// Reads every resource-spans element of a document that is not of the usual shape.
pub fn document(input: &Input, base: usize, document: &[u8], raw: &mut Raw) {
    input.elements((base, document), &KEYS, "a span group", raw, |at, element, raw| {
        match serde_json::from_slice::<ResourceSpans>(element) {
            Ok(group) => resource(input, &group, raw),
            Err(e) if span_by_span(input, at, element, raw) == 0 => {
                let first = || (Some(input.line(at)), format!("resource spans: {e}"));
                raw.skip_like(input.file, "resource spans", 1, first);
            }
            Err(_) => {}
        }
    });
}

/// Reads a group that has a defect, each span by itself; gives the number of spans seen.
fn span_by_span(input: &Input, base: usize, group: &[u8], raw: &mut Raw) -> usize {
    let open = json_scan::find_value(group, 0, &["resource"], b'{');
    let value = open.and_then(|o| json_scan::value_end(group, o).map(|end| &group[o..end]));
    let owner = value.map(serde_json::from_slice::<Resource>);
    if let Some(Err(e)) = &owner {
        let line = || Some(input.line(base + open.unwrap_or(0)));
        let first = || (line(), format!("a resource is not readable, its spans have none: {e}"));
        raw.skip_like(input.file, "resource", 1, first);
    }
    let identity = identity(&owner.and_then(Result::ok).unwrap_or_default(), raw);
    let (mut seen, mut from) = (0, 0);
    while let Some(open) = json_scan::find_value(group, from, &["spans"], b'[') {
        from = open + 1;
        for (at, element) in Elements::new(group, open) {
            (seen, from) = (seen + 1, at + element.len());
            let span = lone_span_of(input, identity, base + at, element, raw);
            raw.spans.extend(span);
        }
    }
    seen
}

/// Reads one span by itself; what it belongs to is set later.
pub fn lone_span(input: &Input, at: usize, element: &[u8], raw: &mut Raw) -> Option<RawSpan> {
    lone_span_of(input, RawSpan::default(), at, element, raw)
}

fn lone_span_of(
    input: &Input,
    owner: RawSpan,
    at: usize,
    element: &[u8],
    raw: &mut Raw,
) -> Option<RawSpan> {
    match serde_json::from_slice::<Span>(element) {
        Ok(span) => one(input, &span, owner, raw),
        Err(e) => {
            let first = || (Some(input.line(at)), format!("a span is not readable: {e}"));
            raw.skip_like(input.file, "span", 1, first);
            None
        }
    }
}

fn identity(resource: &Resource, raw: &mut Raw) -> RawSpan {
    let attributes = |a: &str| {
        let found = resource.attributes.iter().find(|x| x.key.0 == a);
        found.map(|x| x.value.0.as_ref()).filter(|v| !v.is_empty())
    };
    spans::identity(&attributes, &mut raw.symbols)
}

fn resource(input: &Input, group: &ResourceSpans, raw: &mut Raw) {
    let identity = identity(&group.resource, raw);
    for span in group.scopes.iter().flat_map(|s| &s.spans) {
        let span = one(input, span, identity, raw);
        raw.spans.extend(span);
    }
}

fn one(input: &Input, span: &Span, identity: RawSpan, raw: &mut Raw) -> Option<RawSpan> {
    let (Some(start), Some(end)) = (span.start_time_unix_nano.0, span.end_time_unix_nano.0) else {
        raw.skip(input.file, None, "span without a start or an end time", 1);
        return None;
    };
    let (Some(trace), Some(id)) = (spans::id128(&span.trace_id.0), spans::id64(&span.span_id.0))
    else {
        raw.skip(input.file, None, "span without a trace or span id", 1);
        return None;
    };
    let own = span.attributes.iter().map(|a| (a.key.0.as_ref(), a.value.0.as_ref()));
    let exception = span.events.iter().flat_map(|e| &e.attributes);
    let exception = exception.filter(|a| a.key.0 == "exception.type");
    let all: Vec<(&str, &str)> =
        own.chain(exception.map(|a| (a.key.0.as_ref(), a.value.0.as_ref()))).collect();
    let mut out = RawSpan { file: input.file, trace, span: id, start, end, ..identity };
    out.parent = spans::id64(&span.parent_span_id.0).unwrap_or(0);
    out.kind = match span.kind.0 {
        2 => SpanKind::Server,
        3 => SpanKind::Client,
        4 => SpanKind::Producer,
        5 => SpanKind::Consumer,
        _ => SpanKind::Internal,
    };
    out.operation = raw.symbols.intern(&span.name.0);
    out.error = span.status.code.0 == 2;
    spans::attributes(&all, &mut out, &mut raw.symbols);
    if out.end < out.start {
        raw.skip(input.file, None, "span ends before it starts: taken as zero long", 1);
        out.end = out.start;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use crate::ingest::raw::Raw;
    use crate::ingest::read_text;

    /// A group of four spans, the third with `own` fields, each on its line from line 2.
    fn group(resource: &str, own: &str) -> Raw {
        let span = |i: usize| {
            let own = if i == 3 { own } else { "\"name\":\"x\"" };
            format!(
                "{{\"traceId\":\"0{i}\",\"spanId\":\"0{i}\",\"startTimeUnixNano\":\
                 \"1795205401000000000\",\"endTimeUnixNano\":\"1795205402000000000\",{own}}}"
            )
        };
        let spans: Vec<String> = (1..=4).map(span).collect();
        let spans = spans.join(",\n");
        let scopes = format!("[{{\"spans\":[\n{spans}]}}]");
        let group = format!("{{\"resource\":{resource},\"scopeSpans\":{scopes}}}");
        let text = format!("{{\"resourceSpans\":[{group}]}}");
        read_text("a.json", text.as_bytes())
    }

    const CART: &str =
        "{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"cart\"}}]}";

    #[test]
    fn null_is_as_good_as_absent() {
        let null = "\"attributes\":null,\"events\":null,\"status\":null,\"parentSpanId\":null,\
                    \"name\":null,\"kind\":null";
        for own in [null, "\"events\":[{\"attributes\":null}],\"status\":{\"code\":null}"] {
            let raw = group(CART, own);
            assert_eq!((raw.spans.len(), raw.gaps.len()), (4, 0), "{:?}", raw.gaps);
        }
        for resource in ["null", "{\"attributes\":null}"] {
            assert_eq!(group(resource, null).spans.len(), 4);
        }
    }

    #[test]
    fn a_bad_span_costs_one_span() {
        for own in ["\"attributes\":\"none\"", "\"events\":[7]", "\"name\":NaN"] {
            let raw = group(CART, own);
            let said: Vec<_> = raw.gaps.iter().map(|g| (g.line, g.count)).collect();
            assert_eq!((raw.spans.len(), said), (3, vec![(Some(4), 1)]), "{:?}", raw.gaps);
            assert_eq!(raw.symbols.text(raw.spans.shapes()[0].service), "cart");
        }
    }

    #[test]
    fn a_group_without_spans_that_is_no_group_is_told() {
        let raw = read_text("a.json", br#"{"resourceSpans":[{"resource":{"attributes":[[[]]]}}]}"#);
        assert!(!raw.gaps.is_empty());
    }

    #[test]
    fn a_bad_resource_does_not_cost_its_spans() {
        let raw = group("{\"attributes\":7}", "\"name\":\"x\"");
        let said: Vec<_> = raw.gaps.iter().map(|g| (g.line, g.count)).collect();
        assert_eq!((raw.spans.len(), said), (4, vec![(Some(1), 1)]), "{:?}", raw.gaps);
    }
}
