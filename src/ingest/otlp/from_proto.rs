//! OTLP protobuf to spans and metrics. In: the bytes of one export request. Out: spans as they are,
//! and metrics in the structures that JSON fills, so that both mean the same.

use super::super::Input;
use super::super::raw::{Raw, RawSpan, SpanKind};
use super::super::spans;
use super::metrics::{self, Attribute, Buckets, Data, Point, Quantile};
use super::points;
use super::proto::{self, KeyValue, Metric, Span};
use super::series::Growing;
use crate::model::Micros;
use crate::time;
use prost::{DecodeError, Message};

/// What one resource of a request sent.
pub struct Group {
    pub resource: Vec<Attribute>,
    pub items: Vec<Content>,
}

/// One item of a request.
pub enum Content {
    Span(Span),
    Metric(Metric),
    Log,
}

/// Says whether bytes begin as an export request does: groups that begin with a resource or a
/// scope, each as long as its contents. What lies behind the end of `bytes` is not looked at.
pub fn looks_like(bytes: &[u8]) -> bool {
    let fields = |bytes: &[u8], tags: &[u64]| {
        let (mut at, mut seen) = (0, 0);
        while at < bytes.len() {
            let Some((tag, body)) = varint(bytes, at) else { return seen > 0 };
            let Some((length, body)) = varint(bytes, body) else { return seen > 0 };
            if !tags.contains(&tag) {
                return false;
            }
            seen += 1;
            at = body.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
        }
        seen > 0
    };
    let group = varint(bytes, 1).map(|(length, from)| {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        &bytes[from..from.saturating_add(length).min(bytes.len())]
    });
    // Fields 1, 2, 3 and 1000, all with a length.
    let inner = group.is_some_and(|g| fields(g, &[0x0a, 0x12, 0x1a, 0x1f42]));
    bytes.first() == Some(&0x0a) && inner && fields(bytes, &[0x0a])
}

/// The number at `at`, and the offset behind it.
fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut rest = bytes.get(at..)?;
    let before = rest.len();
    let value = prost::encoding::decode_varint(&mut rest).ok()?;
    Some((value, at + before - rest.len()))
}

/// Decodes a request of whatever signal.
///
/// # Errors
///
/// When the bytes are no protobuf of that shape.
pub fn contents(body: &[u8]) -> Result<Vec<Group>, DecodeError> {
    let request = proto::Request::decode(body)?;
    let mut groups = Vec::with_capacity(request.groups.len());
    for group in request.groups {
        let resource = attributes(&group.resource.unwrap_or_default().attributes);
        let scopes = group.scopes.into_iter().chain(group.libraries);
        let items = scopes.flat_map(|s| s.items).map(|i| content(&i)).collect();
        groups.push(Group { resource, items });
    }
    Ok(groups)
}

/// Tells the items apart by what only one of them can be.
fn content(item: &[u8]) -> Content {
    let ids = |s: &Span| s.trace_id.len() == 16 && s.span_id.len() == 8 && s.start > 0;
    if let Some(span) = Span::decode(item).ok().filter(ids) {
        return Content::Span(span);
    }
    let named = |m: &Metric| !m.name.is_empty();
    Metric::decode(item).ok().filter(named).map_or(Content::Log, Content::Metric)
}

fn attributes(all: &[KeyValue]) -> Vec<Attribute> {
    let text = |kv: &KeyValue| {
        let value = kv.value.clone().unwrap_or_default();
        let number = || value.int.map(|v| v.to_string());
        let double = || value.double.map(|v| v.to_string());
        let boolean = || value.boolean.map(|v| v.to_string());
        value.text.clone().or_else(number).or_else(double).or_else(boolean).unwrap_or_default()
    };
    all.iter().map(|kv| Attribute { key: kv.key.clone(), value: text(kv) }).collect()
}

fn micros(nanos: u64) -> Option<Micros> {
    i64::try_from(nanos / 1000).ok().and_then(time::believable)
}

/// Adds one span.
pub fn span(input: &Input, span: &Span, resource: &[Attribute], raw: &mut Raw) {
    let (Some(start), Some(end)) = (micros(span.start), micros(span.end)) else {
        raw.skip(input.file, None, "span without a start or an end time", 1);
        return;
    };
    let get = |name: &str| {
        let found = resource.iter().find(|a| a.key == name);
        found.map(|a| a.value.as_str()).filter(|v| !v.is_empty())
    };
    let number = |id: &[u8]| id.iter().fold(0u128, |v, b| v << 8 | u128::from(*b));
    let (trace, id) = (number(&span.trace_id), number(&span.span_id) as u64);
    let identity = spans::identity(&get, &mut raw.symbols);
    let mut out = RawSpan { file: input.file, trace, span: id, start, end, ..identity };
    out.parent = number(&span.parent_span_id) as u64;
    out.kind = match span.kind {
        2 => SpanKind::Server,
        3 => SpanKind::Client,
        4 => SpanKind::Producer,
        5 => SpanKind::Consumer,
        _ => SpanKind::Internal,
    };
    out.operation = raw.symbols.intern(&span.name);
    out.error = span.status.as_ref().is_some_and(|s| s.code == 2);
    let mut own = attributes(&span.attributes);
    let events = span.events.iter().flat_map(|e| attributes(&e.attributes));
    own.extend(events.filter(|a| a.key == "exception.type"));
    let all: Vec<(&str, &str)> = own.iter().map(|a| (a.key.as_str(), a.value.as_str())).collect();
    spans::attributes(&all, &mut out, &mut raw.symbols);
    if out.end < out.start {
        raw.skip(input.file, None, "span ends before it starts: taken as zero long", 1);
        out.end = out.start;
    }
    raw.spans.push(out);
    raw.rows(input.file, 1);
}

/// Adds the points of one metric.
pub fn metric(
    input: &Input,
    metric: Metric,
    resource: &[Attribute],
    series: &mut Growing,
    raw: &mut Raw,
) {
    let labels = points::resource_labels(resource, raw);
    let metric = metrics::Metric {
        name: metric.name,
        unit: metric.unit,
        gauge: metric.gauge.map(numbers),
        sum: metric.sum.map(numbers),
        histogram: metric.histogram.map(|h| data(h.temporality, h.points, histogram)),
        exponential_histogram: metric
            .exponential
            .map(|h| data(h.temporality, h.points, exponential)),
        summary: metric.summary.map(|s| data(2, s.points, summary)),
    };
    points::one(input, &metric, &labels, series, raw);
}

fn data<P>(temporality: i32, points: Vec<P>, point: fn(P) -> Point) -> Data {
    let points = points.into_iter().map(point).collect();
    Data { points, delta: temporality == 1, monotonic: false }
}

fn numbers(of: proto::Numbers) -> Data {
    Data { monotonic: of.monotonic, ..data(of.temporality, of.points, number) }
}

/// The fields that points of all kinds have.
fn common(own: &[KeyValue], (start, at): (u64, u64), flags: u32) -> Point {
    Point {
        attributes: attributes(own),
        start_time_unix_nano: micros(start),
        time_unix_nano: micros(at),
        flags: Some(flags.into()),
        ..Point::default()
    }
}

fn floats(counts: &[u64]) -> Vec<f64> {
    counts.iter().map(|c| *c as f64).collect()
}

fn number(p: proto::NumberPoint) -> Point {
    let finite = p.double.filter(|v| v.is_finite());
    Point {
        as_int: p.int.map(|v| v as f64),
        as_double: finite,
        exemplars: p.exemplars.len() as u64,
        ..common(&p.attributes, (p.start, p.at), p.flags)
    }
}

fn histogram(p: proto::HistogramPoint) -> Point {
    Point {
        count: Some(p.count as f64),
        sum: p.sum,
        bucket_counts: floats(&p.counts),
        explicit_bounds: p.bounds,
        exemplars: p.exemplars.len() as u64,
        ..common(&p.attributes, (p.start, p.at), p.flags)
    }
}

fn exponential(p: proto::ExponentialPoint) -> Point {
    let buckets = |b: Option<proto::ExponentialBuckets>| {
        let b = b.unwrap_or_default();
        Buckets { offset: Some(b.offset.into()), bucket_counts: floats(&b.counts) }
    };
    Point {
        count: Some(p.count as f64),
        sum: p.sum,
        scale: Some(p.scale.into()),
        zero_count: Some(p.zeros as f64),
        positive: buckets(p.positive),
        negative: buckets(p.negative),
        exemplars: p.exemplars.len() as u64,
        ..common(&p.attributes, (p.start, p.at), p.flags)
    }
}

fn summary(p: proto::SummaryPoint) -> Point {
    let quantile = |q: proto::SummaryQuantile| Quantile {
        quantile: Some(q.quantile),
        value: Some(q.value).filter(|v| v.is_finite()),
    };
    Point {
        count: Some(p.count as f64),
        sum: Some(p.sum),
        quantile_values: p.quantiles.into_iter().map(quantile).collect(),
        ..common(&p.attributes, (p.start, p.at), p.flags)
    }
}
