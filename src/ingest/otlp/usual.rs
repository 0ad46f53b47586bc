//! OTLP traces of the usual shape, in one pass over the bytes. What is of any other shape (a float
//! for a time, an unknown wrapper, a defect) goes to the general reader, span by span.

use super::super::raw::{Raw, RawSpan, SpanKind};
use super::super::scan::Scan;
use super::super::spans::{self, Known};
use super::super::{Input, json_scan};
use super::traces;
use crate::model::Micros;
use crate::time;
use std::borrow::Cow;

/// Room that is used again for each group, so that a span costs no allocation.
#[derive(Default)]
struct Room<'a> {
    spans: Vec<RawSpan>,
    known: Known<'a>,
}

/// Reads what the pass over the bytes does not: a document at an offset of the input.
type General<'g> = &'g mut dyn FnMut(&Input, usize, &[u8], &mut Raw);

/// Reads a stream of documents: those of spans here, everything else by `general`.
pub fn read(input: &Input, raw: &mut Raw, general: General) {
    let before = raw.spans.len();
    let mut scan = Scan::new(input.bytes, 0);
    let mut room = Room::default();
    while scan.peek().is_some() {
        let (from, mark) = (scan.at, raw.spans.len());
        if document(&mut scan, input, &mut room, raw).is_some() {
            continue;
        }
        raw.spans.truncate(mark);
        match json_scan::value_end(input.bytes, from) {
            Some(end) if input.bytes[from] == b'{' => {
                general(input, from, &input.bytes[from..end], raw);
                scan.at = end;
            }
            // Cut off, or no JSON: the rest is told apart line by line.
            _ => {
                let first_line = input.line(from);
                let rest = Input { bytes: &input.bytes[from..], first_line, ..*input };
                rest.documents(raw, |at, document, raw| general(&rest, at, document, raw));
                break;
            }
        }
    }
    raw.rows(input.file, (raw.spans.len() - before) as u64);
}

/// `{"resourceSpans":[…]}` and nothing else.
fn document<'a>(
    scan: &mut Scan<'a>,
    input: &Input,
    room: &mut Room<'a>,
    raw: &mut Raw,
) -> Option<()> {
    scan.object(|scan, key| match key {
        b"resourceSpans" | b"batches" | b"resource_spans" => {
            scan.array(|scan| resource_spans(scan, input, room, raw))
        }
        _ => None,
    })
}

fn resource_spans<'a>(
    scan: &mut Scan<'a>,
    input: &Input,
    room: &mut Room<'a>,
    raw: &mut Raw,
) -> Option<()> {
    room.spans.clear();
    let mut owner = RawSpan::default();
    scan.object(|scan, key| match key {
        b"resource" => {
            owner = resource(scan, raw)?;
            Some(())
        }
        b"scopeSpans"
        | b"instrumentationLibrarySpans"
        | b"scope_spans"
        | b"instrumentation_library_spans" => scan.array(|scan| scope(scan, input, room, raw)),
        _ => scan.skip(),
    })?;
    // The resource may stand behind its spans.
    for span in room.spans.drain(..) {
        let (service, instance) = (owner.service, owner.instance);
        let (version, host) = (owner.version, owner.host);
        raw.spans.push(RawSpan { service, instance, version, host, ..span });
    }
    Some(())
}

fn resource(scan: &mut Scan, raw: &mut Raw) -> Option<RawSpan> {
    let mut all: Vec<(&[u8], Cow<str>)> = Vec::new();
    scan.object(|scan, key| match key {
        b"attributes" => scan.array(|scan| {
            let (key, value) = attribute(scan, |_| true)?;
            all.extend(value.map(|v| (key, v)));
            Some(())
        }),
        _ => scan.skip(),
    })?;
    let get = |name: &str| {
        let same = |(key, value): &&(&[u8], Cow<str>)| *key == name.as_bytes() && !value.is_empty();
        all.iter().find(same).map(|(_, value)| value.as_ref())
    };
    Some(spans::identity(&get, &mut raw.symbols))
}

fn scope<'a>(scan: &mut Scan<'a>, input: &Input, room: &mut Room<'a>, raw: &mut Raw) -> Option<()> {
    scan.object(|scan, key| match key {
        b"spans" => scan.array(|scan| {
            let mut made = None;
            let mut other = None;
            scan.element(
                |scan| span(scan, &mut room.known, raw).map(|s| made = Some(s)),
                |at, e| other = Some((at, e)),
            )?;
            match (made, other) {
                (Some(span), _) => room.spans.push(RawSpan { file: input.file, ..span }),
                (_, Some((at, element))) => {
                    room.spans.extend(traces::lone_span(input, at, element, raw));
                }
                _ => {}
            }
            Some(())
        }),
        _ => scan.skip(),
    })
}

fn span<'a>(scan: &mut Scan<'a>, known: &mut Known<'a>, raw: &mut Raw) -> Option<RawSpan> {
    let mut out = RawSpan::default();
    known.clear();
    let (mut start, mut end) = (None, None);
    scan.object(|scan, key| match key {
        b"traceId" | b"trace_id" => {
            out.trace = spans::hex128(scan.raw_string()?.0)?;
            Some(())
        }
        b"spanId" | b"span_id" => {
            out.span = spans::hex64(scan.raw_string()?.0)?;
            Some(())
        }
        b"parentSpanId" | b"parent_span_id" => {
            let id = scan.raw_string()?.0;
            out.parent = if id.is_empty() { 0 } else { spans::hex64(id)? };
            Some(())
        }
        b"name" => {
            out.operation = raw.symbols.intern(&scan.string()?);
            Some(())
        }
        b"kind" => {
            out.kind = kind(scan)?;
            Some(())
        }
        b"startTimeUnixNano" | b"start_time_unix_nano" => {
            start = micros(scan);
            start.map(drop)
        }
        b"endTimeUnixNano" | b"end_time_unix_nano" => {
            end = micros(scan);
            end.map(drop)
        }
        b"attributes" => scan.array(|scan| attribute_of_span(scan, known)),
        b"events" => scan.array(|scan| event(scan, known)),
        b"status" => scan.object(|scan, key| match key {
            b"code" => {
                let code = scan.scalar()?;
                out.error = matches!(code.as_ref(), "2" | "STATUS_CODE_ERROR");
                Some(())
            }
            _ => scan.skip(),
        }),
        _ => scan.skip(),
    })?;
    (out.start, out.end) = (start?, end?);
    // What lacks an id or runs backwards is counted by the general reader.
    if out.trace == 0 || out.span == 0 || out.end < out.start {
        return None;
    }
    spans::understand(known, &mut out, &mut raw.symbols);
    Some(out)
}

fn micros(scan: &mut Scan) -> Option<Micros> {
    let nanos = scan.whole()?;
    time::believable((nanos / 1000) as i64)
}

fn kind(scan: &mut Scan) -> Option<SpanKind> {
    let code = scan.scalar()?;
    Some(match code.strip_prefix("SPAN_KIND_").unwrap_or(&code) {
        "0" | "1" | "" | "UNSPECIFIED" | "INTERNAL" => SpanKind::Internal,
        "2" | "SERVER" => SpanKind::Server,
        "3" | "CLIENT" => SpanKind::Client,
        "4" | "PRODUCER" => SpanKind::Producer,
        "5" | "CONSUMER" => SpanKind::Consumer,
        _ => return None,
    })
}

fn attribute_of_span<'a>(scan: &mut Scan<'a>, known: &mut Known<'a>) -> Option<()> {
    let mut place = None;
    let (_, value) = attribute(scan, |key| {
        place = Known::place(key);
        place.is_some()
    })?;
    if let (Some(place), Some(value)) = (place, value) {
        known.put(place, value);
    }
    Some(())
}

/// Of an event only the type of an exception matters.
fn event<'a>(scan: &mut Scan<'a>, known: &mut Known<'a>) -> Option<()> {
    scan.object(|scan, key| match key {
        b"attributes" => scan.array(|scan| {
            let (key, value) = attribute(scan, |key| key == b"exception.type")?;
            if let (Some(value), Some(place)) = (value, Known::place(key)) {
                known.put(place, value);
            }
            Some(())
        }),
        _ => scan.skip(),
    })
}

/// `{"key":K,"value":{"…Value":V}}`; the value only where `wanted`, and never of lists and maps.
#[inline]
fn attribute<'a>(
    scan: &mut Scan<'a>,
    wanted: impl FnOnce(&'a [u8]) -> bool,
) -> Option<(&'a [u8], Option<Cow<'a, str>>)> {
    scan.expect(b'{')?;
    if scan.key()? != b"key" {
        return None;
    }
    let (key, escaped) = scan.raw_string()?;
    if escaped {
        return None;
    }
    if scan.take(b'}') {
        return Some((key, None));
    }
    scan.expect(b',')?;
    if scan.key()? != b"value" {
        return None;
    }
    let value = match wanted(key) {
        true => value(scan)?,
        false => {
            scan.skip()?;
            None
        }
    };
    scan.expect(b'}')?;
    Some((key, value))
}

fn value<'a>(scan: &mut Scan<'a>) -> Option<Option<Cow<'a, str>>> {
    let mut value = None;
    scan.object(|scan, _| match scan.peek()? {
        b'{' | b'[' => scan.skip(),
        _ => {
            value = Some(scan.scalar()?);
            Some(())
        }
    })?;
    Some(value)
}
