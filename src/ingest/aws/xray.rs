//! X-Ray traces: `batch-get-traces`, and segment documents one a line as the daemon takes them.
//! In: JSON, and JSON inside strings. Out: spans; inferred segments name callees and are no work.

use super::seconds;
use super::segment::{Exceptions, Segment};
use crate::ingest::lenient::{self, Scalar};
use crate::ingest::raw::{Raw, RawSpan, SpanKind, Sym};
use crate::ingest::spans::{self, or_default};
use crate::ingest::{Head, Input, json_scan};
use crate::model::GapKind;
use serde::Deserialize;
use std::collections::HashMap;

/// Longest header line of a daemon's document.
const HEADER_BYTES: usize = 64;
/// How deep subsegments that were sent apart may hang on each other.
const CHAIN_MAX: usize = 16;

/// Accepts answers with traces or their summaries, segments by their ids, and their header lines.
pub fn accepts(head: &Head) -> bool {
    let traces = head.has_key("Segments") && head.has_key("Document");
    let empty = head.has_key("Traces") && head.has_key("UnprocessedTraceIds");
    let id = || json_scan::find_value(head.bytes, 0, &["trace_id"], b'"');
    let segment = || {
        head.has_key("start_time") && id().is_some_and(|at| head.bytes[at..].starts_with(b"\"1-"))
    };
    traces
        || empty
        || head.has_key("TraceSummaries")
        || is_header(head.bytes)
        || (head.is_json() && segment())
}

/// Says whether a document is the `{"format":"json","version":1}` in front of a segment.
fn is_header(document: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Header {
        format: String,
        version: u8,
    }
    let short = document.len() <= HEADER_BYTES;
    let header = short.then(|| serde_json::from_slice::<Header>(document).ok()).flatten();
    header.is_some_and(|h| h.format == "json" && h.version == 1)
}

/// What is known of a file so far.
#[derive(Default)]
struct File {
    exceptions: Exceptions,
    /// Callee by the subsegment that an inferred segment mirrors.
    inferred: HashMap<(u128, u64), Sym>,
    /// Spans of subsegments that were sent apart from their segment.
    apart: Vec<usize>,
    /// Number of the file's first span.
    first: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Trace {
    #[serde(default, deserialize_with = "or_default")]
    segments: Vec<Part>,
    #[serde(default)]
    limit_exceeded: Scalar,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Part {
    #[serde(default, deserialize_with = "or_default")]
    document: String,
}

/// Reads every trace and every segment.
pub fn read(input: &Input, raw: &mut Raw) {
    let mut file = File { first: raw.spans.len(), ..File::default() };
    let mut left: Option<(u64, usize)> = None;
    let mut lines = json_scan::Lines::new(input.bytes);
    input.documents(raw, |base, document, raw| {
        if is_header(document) {
            return;
        }
        let line = lines.of(base) + input.first_line - 1;
        if json_scan::find_array(document, &["TraceSummaries"]).is_some() {
            return summaries(input, (base, line), document, raw);
        }
        let traces = json_scan::find_array(document, &["Traces"]).is_some();
        if !traces && !document.starts_with(b"[") {
            return one(input, base, document, &mut file, raw);
        }
        input.elements((base, document), &["Traces"], "a trace", raw, |at, element, raw| {
            one(input, at, element, &mut file, raw);
        });
        if let Some(open) = json_scan::find_array(document, &["UnprocessedTraceIds"]) {
            let count = json_scan::Elements::new(document, open).count();
            let before = left.map_or((line, 0), |l| l);
            left = Some((before.0, before.1 + count)).filter(|l| l.1 > 0);
        }
    });
    if let Some((line, count)) = left {
        let what =
            format!("X-Ray left {count} traces out (UnprocessedTraceIds): ask for them again");
        raw.gap(GapKind::Missing, input.file, Some(line), what);
    }
    file.finish(input, raw);
}

/// Says how to get what summaries only name.
fn summaries(input: &Input, (base, line): (usize, u64), document: &[u8], raw: &mut Raw) {
    let mut count = 0;
    let keys = ["TraceSummaries"];
    input.elements((base, document), &keys, "a summary", raw, |_, _, _| count += 1);
    let what = format!(
        "{count} trace summaries: ids and durations only, get the segments with `aws xray \
         batch-get-traces --trace-ids …`, five ids a call"
    );
    raw.gap(GapKind::Missing, input.file, Some(line), what);
}

/// Reads a trace with its documents, or a bare segment.
fn one(input: &Input, at: usize, text: &[u8], file: &mut File, raw: &mut Raw) {
    if json_scan::find_array(text, &["Segments"]).is_none() {
        return match lenient::from_slice::<Segment>(text) {
            Ok(segment) => file.segment(input, at, &segment, raw),
            Err(e) => input.skip_unreadable(at, "a segment", e, raw),
        };
    }
    let trace: Trace = match lenient::from_slice(text) {
        Ok(trace) => trace,
        Err(e) => return input.skip_unreadable(at, "a trace", e, raw),
    };
    if trace.limit_exceeded == Scalar::Bool(true) {
        let why = "trace is larger than X-Ray keeps: segments are missing";
        raw.skip_like(input.file, why, 1, || (Some(input.line(at)), why.to_owned()));
    }
    for part in &trace.segments {
        match lenient::from_slice::<Segment>(part.document.as_bytes()) {
            Ok(segment) => file.segment(input, at, &segment, raw),
            Err(e) => input.skip_unreadable(at, "a segment", e, raw),
        }
    }
}

/// `1-5759e988-bd862e3fe1be46a994272793`, or the 32 digits of W3C.
fn trace_id(text: &str) -> Option<u128> {
    let digits: String = text.strip_prefix("1-").unwrap_or(text).split('-').collect();
    (digits.len() == 32).then(|| spans::id128(&digits)).flatten()
}

/// What a subsegment has from the segment that it stands in.
#[derive(Clone, Copy)]
struct Within {
    trace: u128,
    parent: u64,
    identity: RawSpan,
    /// It was sent apart: whose it is shows later.
    apart: bool,
}

impl File {
    fn segment(&mut self, input: &Input, at: usize, segment: &Segment, raw: &mut Raw) {
        let Some(trace) = trace_id(&segment.trace_id) else {
            let first = || (Some(input.line(at)), "segment without a trace id".to_owned());
            return raw.skip_like(input.file, "segment without a trace id", 1, first);
        };
        let parent = spans::id64(&segment.parent_id).unwrap_or(0);
        if segment.inferred == Scalar::Bool(true) {
            let name = raw.symbols.intern(&segment.name);
            self.inferred.insert((trace, parent), name);
            return;
        }
        segment.exceptions(&mut self.exceptions);
        let apart = segment.own_type.text() == "subsegment";
        let resource = if apart { Vec::new() } else { segment.resource() };
        let get = |name: &str| {
            let found = resource.iter().find(|(k, v)| *k == name && !v.is_empty());
            found.map(|(_, v)| v.as_str())
        };
        let identity = spans::identity(&get, &mut raw.symbols);
        let within = Within { trace, parent, identity, apart };
        self.span(input, at, (segment, !apart), within, raw);
    }

    /// Makes the span of a segment and those of all that it holds.
    fn span(
        &mut self,
        input: &Input,
        at: usize,
        (segment, entry): (&Segment, bool),
        within: Within,
        raw: &mut Raw,
    ) {
        let id = spans::id64(&segment.id);
        for inner in &segment.subsegments {
            let within = Within { parent: id.unwrap_or(within.parent), ..within };
            self.span(input, at, (inner, false), within, raw);
        }
        let left_out = |why: &str, raw: &mut Raw| {
            raw.skip_like(input.file, why, 1, || (Some(input.line(at)), why.to_owned()));
        };
        let Some(id) = id else { return left_out("segment without an id", raw) };
        let Some(start) = seconds(&segment.start_time) else {
            return left_out("segment start outside the years 1971 to 2199", raw);
        };
        let Some(end) = seconds(&segment.end_time) else {
            let running = segment.in_progress == Scalar::Bool(true);
            return match running {
                true => left_out("segment was still in progress: it has no end", raw),
                false => left_out("segment without an end time", raw),
            };
        };
        let kind = segment.kind(entry);
        let attributes = segment.attributes(kind, &self.exceptions);
        let all: Vec<(&str, &str)> = attributes.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let mut span = RawSpan {
            file: input.file,
            trace: within.trace,
            span: id,
            parent: within.parent,
            operation: raw.symbols.intern(&segment.operation()),
            kind,
            start,
            end: end.max(start),
            ..within.identity
        };
        spans::attributes(&all, &mut span, &mut raw.symbols);
        if within.apart {
            self.apart.push(raw.spans.len());
        }
        raw.spans.push(span);
        raw.rows(input.file, 1);
    }

    /// Gives what was sent apart its service, and callees that only an inferred segment names.
    fn finish(mut self, input: &Input, raw: &mut Raw) {
        raw.spans.update_from(self.first, |span| {
            let Some(name) = self.inferred.get(&(span.trace, span.span)) else { return };
            // Only a call has a far side.
            if span.kind == SpanKind::Internal {
                span.kind = SpanKind::Client;
            }
            if span.peer == Sym::default() {
                span.peer = *name;
            }
        });
        let mut owner: HashMap<(u128, u64), RawSpan> = HashMap::new();
        if !self.apart.is_empty() {
            let own = raw.spans.iter().skip(self.first).filter(|s| s.service != Sym::default());
            owner = own.map(|s| ((s.trace, s.span), s)).collect();
        }
        for _ in 0..CHAIN_MAX {
            let before = self.apart.len();
            self.apart.retain(|i| {
                let Some(mut span) = raw.spans.get(*i) else { return false };
                let Some(of) = owner.get(&(span.trace, span.parent)) else { return true };
                (span.service, span.instance) = (of.service, of.instance);
                (span.version, span.host) = (of.version, of.host);
                owner.insert((span.trace, span.span), span);
                raw.spans.update(*i, |s| *s = span);
                false
            });
            if self.apart.is_empty() || self.apart.len() == before {
                break;
            }
        }
        if !self.apart.is_empty() {
            let count = self.apart.len();
            let what = format!(
                "{count} subsegments whose segment is not in this file: their service is not known"
            );
            raw.gap(GapKind::Missing, input.file, None, what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::read_text;

    #[test]
    fn ids_of_x_ray_are_those_of_w3c_with_dashes() {
        let want = spans::id128("58406520a006649127e371903a2de979");
        assert_eq!(trace_id("1-58406520-a006649127e371903a2de979"), want);
        assert_eq!(trace_id("58406520a006649127e371903a2de979"), want);
        assert_eq!(trace_id("1-58406520-a00664"), None);
        assert!(want.is_some());
    }

    #[test]
    fn a_subsegment_whose_segment_is_missing_is_a_gap() {
        let text = "{\"trace_id\":\"1-6b00a6c0-a006649127e371903a2de979\",\"id\":\"0a\",\
             \"name\":\"x\",\"type\":\"subsegment\",\"parent_id\":\"0b\",\
             \"start_time\":1.7952048E9,\
             \"end_time\":1.7952049E9,\"namespace\":\"remote\"}";
        let raw = read_text("a.json", text.as_bytes());
        assert_eq!((raw.spans.len(), raw.spans.shapes()[0].kind), (1, SpanKind::Client));
        assert!(raw.gaps[0].what.contains("1 subsegments"), "{:?}", raw.gaps);
    }
}
