//! OTLP in binary files: protobuf messages, or messages of any kind behind a length of four bytes,
//! as the Collector's file exporter writes them. Out: spans and series; logs are a gap.

use super::super::decode;
use super::super::raw::Raw;
use super::super::{Head, Input};
use super::from_proto::{self, Content};
use super::series::Growing;
use super::{mixed, skip_logs};
use crate::model::GapKind;

/// Magic of a message that is compressed by itself.
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Bytes of a length.
const PREFIX: usize = 4;

/// Accepts messages behind their length, and one bare protobuf message.
pub fn accepts(head: &Head) -> bool {
    let bytes = head.bytes;
    match frame(bytes) {
        Some(body) if body.starts_with(ZSTD) => true,
        Some(body) => looks_like_json(body) || from_proto::looks_like(body),
        None => from_proto::looks_like(bytes),
    }
}

fn looks_like_json(body: &[u8]) -> bool {
    body.starts_with(b"{\"resource") || body.starts_with(b"{ \"resource")
}

/// The message behind the length at the start of `bytes`, or as much of it as there is.
fn frame(bytes: &[u8]) -> Option<&[u8]> {
    let (prefix, rest) = bytes.split_first_chunk::<PREFIX>()?;
    let length = u32::from_be_bytes(*prefix) as usize;
    // No message of a gigabyte is written: its first byte is zero or small, which text never is.
    (length > 0 && prefix[0] < 0x08).then(|| &rest[..length.min(rest.len())])
}

/// Reads message by message; the number of a message stands for its line.
pub fn read(input: &Input, raw: &mut Raw) {
    let mut series = Growing::default();
    if from_proto::looks_like(input.bytes) {
        protobuf(input, 1, input.bytes, &mut series, raw);
        return series.finish(input.file, raw);
    }
    let (mut at, mut number) = (0, 0);
    while let Some(body) = input.bytes.get(at..).and_then(frame) {
        number += 1;
        let length = input.bytes.get(at..at + PREFIX).and_then(|p| p.try_into().ok());
        let length = length.map_or(0, |p| u32::from_be_bytes(p) as usize);
        at += PREFIX;
        if body.len() < length {
            cut(input, number, at, raw);
            return series.finish(input.file, raw);
        }
        message(input, number, body, &mut series, raw);
        at += length;
    }
    if at < input.bytes.len() {
        cut(input, number + 1, at, raw);
    }
    series.finish(input.file, raw);
}

fn cut(input: &Input, number: u64, at: usize, raw: &mut Raw) {
    let what = format!("the file ends inside message {number}, at byte {at}");
    raw.gap(GapKind::Truncated, input.file, Some(number), what);
}

/// Reads one message, inflated if need be.
fn message(input: &Input, number: u64, body: &[u8], series: &mut Growing, raw: &mut Raw) {
    let (body, defect) = match body.starts_with(ZSTD) {
        true => decode::decompress(body.to_vec()),
        false => (body.to_vec(), None),
    };
    if let Some(what) = defect {
        raw.gap(GapKind::Truncated, input.file, Some(number), format!("message {number}: {what}"));
    }
    match body.first() {
        Some(b'{') => {
            mixed(&Input { bytes: &body, first_line: number, ..*input }, series, raw);
        }
        _ => protobuf(input, number, &body, series, raw),
    }
}

fn protobuf(input: &Input, number: u64, body: &[u8], series: &mut Growing, raw: &mut Raw) {
    let unreadable = |e: prost::DecodeError| {
        let what = format!("message {number} is not readable as OTLP: {e}");
        (Some(number), what)
    };
    match from_proto::contents(body) {
        Ok(groups) => {
            for group in groups {
                for item in group.items {
                    match item {
                        Content::Span(span) => from_proto::span(input, &span, &group.resource, raw),
                        Content::Metric(metric) => {
                            from_proto::metric(input, metric, &group.resource, series, raw);
                        }
                        Content::Log => skip_logs(input.file, || number, raw),
                    }
                }
            }
        }
        Err(e) => raw.skip_like(input.file, "message", 1, || unreadable(e)),
    }
}
