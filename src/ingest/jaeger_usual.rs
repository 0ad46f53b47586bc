//! Jaeger's API answers of the usual shape, in one pass over the bytes. A trace of any other shape
//! goes to the general reader.

use super::raw::{Raw, RawSpan, SpanKind};
use super::scan::Scan;
use super::spans::{self, Known};
use super::{Input, json_scan};
use crate::time;
use std::borrow::Cow;

/// What remains to be read after the pass.
pub enum Rest {
    /// Nothing of the file was of the usual shape.
    All,
    /// A trace without an end starts at this offset.
    CutTrace(usize),
    /// Text that begins at this offset stands behind the answer.
    From(usize),
}

/// Reads `{"data":[…],…}`; traces that are not of the usual shape go to `general`.
pub fn read(input: &Input, raw: &mut Raw, mut general: impl FnMut(usize, &[u8], &mut Raw)) -> Rest {
    let mut scan = Scan::new(input.bytes, 0);
    if scan.expect(b'{').is_none() || scan.key() != Some(b"data") || scan.expect(b'[').is_none() {
        return Rest::All;
    }
    let mut first = true;
    while !scan.take(b']') {
        if !first && scan.expect(b',').is_none() {
            return Rest::CutTrace(scan.at);
        }
        first = false;
        let Some(b'{') = scan.peek() else { return Rest::CutTrace(scan.at) };
        let (from, mark) = (scan.at, raw.spans.len());
        if trace(&mut scan, input, raw).is_some() {
            raw.rows(input.file, (raw.spans.len() - mark) as u64);
            continue;
        }
        raw.spans.truncate(mark);
        let Some(end) = json_scan::value_end(input.bytes, from) else {
            return Rest::CutTrace(from);
        };
        general(from, &input.bytes[from..end], raw);
        scan.at = end;
    }
    // `total`, `limit` and the like.
    while scan.take(b',') {
        if scan.key().and_then(|_| scan.skip()).is_none() {
            return Rest::From(scan.at);
        }
    }
    scan.take(b'}');
    Rest::From(scan.at)
}

fn trace<'a>(scan: &mut Scan<'a>, input: &Input, raw: &mut Raw) -> Option<()> {
    let mut spans: Vec<(RawSpan, &'a [u8])> = Vec::new();
    let mut processes: Vec<(&'a [u8], RawSpan)> = Vec::new();
    let (mut listed, mut is_trace) = (true, false);
    scan.object(|scan, key| match key {
        b"spans" => {
            is_trace = true;
            scan.array(|scan| {
                spans.push(span(scan, raw)?);
                Some(())
            })
        }
        b"processes" => scan.object(|scan, id| {
            processes.push((id, process(scan, raw)?));
            Some(())
        }),
        // What Jaeger warns of is told by the general reader.
        b"warnings" => scan.array(|_| None),
        b"data" | b"hits" | b"_source" => {
            listed = false;
            None
        }
        _ => scan.skip(),
    })?;
    for (span, owner) in spans {
        let known = processes.iter().find(|(id, _)| *id == owner)?.1;
        let (service, instance) = (known.service, known.instance);
        let (version, host) = (known.version, known.host);
        raw.spans.push(RawSpan { file: input.file, service, instance, version, host, ..span });
    }
    (listed && is_trace).then_some(())
}

fn process(scan: &mut Scan, raw: &mut Raw) -> Option<RawSpan> {
    let mut service = Cow::Borrowed("");
    let mut tags: Vec<(&[u8], Cow<str>)> = Vec::new();
    scan.object(|scan, key| match key {
        b"serviceName" => {
            service = scan.string()?;
            Some(())
        }
        b"tags" => scan.array(|scan| {
            tags.extend(tag(scan)?);
            Some(())
        }),
        b"tag" => None,
        _ => scan.skip(),
    })?;
    let get = |name: &str| {
        let own = (name == "service.name").then_some(service.as_ref());
        let same = |(key, _): &&(&[u8], Cow<str>)| *key == name.as_bytes();
        let tag = || tags.iter().find(same).map(|(_, value)| value.as_ref());
        own.or_else(tag).filter(|v| !v.is_empty())
    };
    Some(spans::identity(&get, &mut raw.symbols))
}

/// Key and value of a tag; `Some(None)` where it has no plain value.
fn tag<'a>(scan: &mut Scan<'a>) -> Option<Option<(&'a [u8], Cow<'a, str>)>> {
    let (mut key, mut value, mut binary) = (None, None, false);
    scan.object(|scan, name| match name {
        b"key" => {
            key = Some(scan.raw_string().filter(|(_, escaped)| !escaped)?.0);
            Some(())
        }
        b"value" => {
            value = match scan.peek()? {
                b'{' | b'[' => {
                    scan.skip()?;
                    None
                }
                _ => Some(scan.scalar()?),
            };
            Some(())
        }
        b"type" => {
            binary = scan.raw_string()?.0 == b"binary";
            Some(())
        }
        _ => scan.skip(),
    })?;
    Some(key.zip(value).filter(|_| !binary))
}

/// A reference as it stands: whether nobody waits for the span, trace and span.
type Reference = (bool, u128, u64);

fn span<'a>(scan: &mut Scan<'a>, raw: &mut Raw) -> Option<(RawSpan, &'a [u8])> {
    let mut out = RawSpan::default();
    let mut known = Known::default();
    let mut references: Vec<Reference> = Vec::new();
    let (mut start, mut duration, mut owner) = (None, 0, None);
    scan.object(|scan, key| match key {
        b"traceID" => {
            out.trace = spans::hex128(scan.raw_string()?.0)?;
            Some(())
        }
        b"spanID" => {
            out.span = spans::hex64(scan.raw_string()?.0)?;
            Some(())
        }
        b"operationName" => {
            out.operation = raw.symbols.intern(&scan.string()?);
            Some(())
        }
        b"references" => scan.array(|scan| {
            references.push(reference(scan)?);
            Some(())
        }),
        b"startTime" => {
            start = time::believable(i64::try_from(scan.whole()?).ok()?);
            start.map(drop)
        }
        b"duration" => {
            duration = scan.whole()?.min(1_000_000_000_000_000) as i64;
            Some(())
        }
        b"tags" => scan.array(|scan| {
            if let Some((key, value)) = tag(scan)? {
                match Known::place(key) {
                    Some(place) => known.put(place, value),
                    None if key == b"span.kind" => out.kind = kind(&value),
                    None => {}
                }
            }
            Some(())
        }),
        b"processID" => {
            owner = Some(scan.raw_string()?.0);
            Some(())
        }
        b"warnings" => scan.array(|_| None),
        // Older and stored forms.
        b"parentSpanID" | b"process" | b"tag" | b"startTimeMillis" => None,
        _ => scan.skip(),
    })?;
    (out.start, out.end) = (start?, start? + duration);
    if out.trace == 0 || out.span == 0 {
        return None;
    }
    let own = |follows: bool| {
        let fits = |r: &&Reference| r.0 == follows && r.1 == out.trace && r.2 != 0;
        references.iter().find(fits).map(|r| r.2)
    };
    out.parent = own(false).or_else(|| own(true)).unwrap_or(0);
    spans::understand(&known, &mut out, &mut raw.symbols);
    Some((out, owner?))
}

fn reference(scan: &mut Scan) -> Option<Reference> {
    let mut out = (false, 0, 0);
    scan.object(|scan, key| match key {
        b"refType" => {
            out.0 = scan.raw_string()?.0 == b"FOLLOWS_FROM";
            Some(())
        }
        b"traceID" => {
            out.1 = spans::hex128(scan.raw_string()?.0)?;
            Some(())
        }
        b"spanID" => {
            out.2 = spans::hex64(scan.raw_string()?.0)?;
            Some(())
        }
        _ => scan.skip(),
    })?;
    // Without a trace it is the own one: rare enough for the general reader.
    (out.1 != 0).then_some(out)
}

/// What the tag `span.kind` says; internal for anything else.
pub fn kind(text: &str) -> SpanKind {
    match text {
        "server" => SpanKind::Server,
        "client" => SpanKind::Client,
        "producer" => SpanKind::Producer,
        "consumer" => SpanKind::Consumer,
        _ => SpanKind::Internal,
    }
}
