//! Files that are no text. In: a file in memory. Out: protobuf messages (OTLP, pprof), Parquet and
//! Arrow IPC with other strings; anything else is refused, for what is not understood may hold
//! anything.

use super::keys::{self, Class};
use super::stream::Refused;
use super::{Redactor, columnar};
use crate::ingest::{BOMB, Unpacked};
use std::io::{Cursor, Read};

/// Bytes by which text is told from what is none.
const LOOK: usize = 4 << 10;
/// Messages within messages that are followed.
const DEPTH_MAX: usize = 40;
/// Bytes of the length before a message of the Collector's file exporter.
const PREFIX: usize = 4;

type Rewritten = std::result::Result<Vec<u8>, Refused>;

/// Says whether a text is in UTF-16, with a mark or by its zeros.
pub(super) fn is_utf16(head: &[u8]) -> bool {
    let ascii =
        |p: &[u8], zero: usize| p.len() == 2 && p[zero] == 0 && p[1 - zero].is_ascii_graphic();
    let some = &head[..head.len().min(32)];
    head.starts_with(&[0xff, 0xfe]) && !head.starts_with(&[0xff, 0xfe, 0, 0])
        || head.starts_with(&[0xfe, 0xff])
        || some.len() == 32 && [0, 1].iter().any(|z| some.chunks(2).all(|p| ascii(p, *z)))
}

/// Says whether bytes are no text: text has line feeds, tabs and escapes, no other control.
pub(super) fn is_binary(head: &[u8]) -> bool {
    let control = |b: &u8| matches!(b, 0..=8 | 0x0e..=0x1a | 0x1c..=0x1f);
    head.starts_with(b"PAR1") || head.starts_with(b"ARROW1") || head.iter().take(LOOK).any(control)
}

pub(super) fn rewrite(all: &mut Redactor, name: &str, stored: &[u8]) -> Rewritten {
    if let Some(done) = columnar::rewrite(all, name, stored) {
        return done;
    }
    if let Some(new) = message(all, stored, Class::Other, 0) {
        return Ok(new);
    }
    match frames(all, stored)? {
        Some(new) => Ok(new),
        None => Err(Refused::unfit("binary data of a form that is not known")),
    }
}

/// Messages behind their length in four bytes; `None` where the bytes are none.
fn frames(all: &mut Redactor, stored: &[u8]) -> std::result::Result<Option<Vec<u8>>, Refused> {
    let (mut out, mut rest) = (Vec::with_capacity(stored.len()), stored);
    while let Some((prefix, behind)) = rest.split_first_chunk::<PREFIX>() {
        let length = u32::from_be_bytes(*prefix) as usize;
        let Some(body) = behind.get(..length).filter(|b| !b.is_empty()) else { return Ok(None) };
        let Some(new) = frame(all, body)? else { return Ok(None) };
        out.extend_from_slice(&(new.len() as u32).to_be_bytes());
        out.extend_from_slice(&new);
        rest = &behind[length..];
    }
    Ok((rest.is_empty() && !out.is_empty()).then_some(out))
}

fn frame(all: &mut Redactor, body: &[u8]) -> std::result::Result<Option<Vec<u8>>, Refused> {
    if body.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let unpacked = Unpacked::new(Cursor::new(body.to_vec()), all.limits);
        let mut unpacked = unpacked.map_err(|e| Refused::unfit(e.to_string()))?;
        let mut text = Vec::new();
        let read = unpacked.by_ref().take(super::stream::WHOLE_MAX).read_to_end(&mut text);
        read.map_err(|e| Refused::unfit(format!("a message cannot be unpacked: {e}")))?;
        if unpacked.is_bomb() {
            return Err(Refused::unfit(BOMB));
        }
        let Some(new) = plain_frame(all, &text) else { return Ok(None) };
        return zstd::encode_all(new.as_slice(), 0).map(Some).map_err(Refused::Write);
    }
    Ok(plain_frame(all, body))
}

fn plain_frame(all: &mut Redactor, body: &[u8]) -> Option<Vec<u8>> {
    if body.starts_with(b"{") {
        let mut out = Vec::new();
        super::json::Walk::new().feed(body, true, all, &mut out);
        return Some(out);
    }
    message(all, body, Class::Other, 0)
}

/// One protobuf message with other strings; `None` where the bytes are none.
///
/// No schema is needed: what is text is text, what parses as a message to its last byte is one, and
/// the first field of a pair is the name of the second.
fn message(all: &mut Redactor, bytes: &[u8], class: Class, depth: usize) -> Option<Vec<u8>> {
    if bytes.is_empty() || depth > DEPTH_MAX {
        return None;
    }
    let fields = fields(bytes)?;
    let (mut out, mut told) = (Vec::with_capacity(bytes.len() + 16), class);
    for field in fields {
        let Some(body) = field.body else {
            out.extend_from_slice(&bytes[field.from..field.to]);
            continue;
        };
        let body = &bytes[body..field.to];
        let text = std::str::from_utf8(body).ok().filter(|t| is_text(t));
        let nested = match text.is_none() || body.starts_with(b"\n") {
            true => message(all, body, told, depth + 1),
            false => None,
        };
        let new = match (nested, text) {
            (Some(new), _) => new,
            (None, Some(text)) => {
                let new = all.value(told, text, 1);
                if field.number == 1 && class == Class::Other {
                    told = keys::class(text);
                }
                new.map_or_else(|| body.to_vec(), String::into_bytes)
            }
            (None, None) => body.to_vec(),
        };
        varint(u64::from(field.number) << 3 | 2, &mut out);
        varint(new.len() as u64, &mut out);
        out.extend_from_slice(&new);
    }
    Some(out)
}

fn is_text(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

struct Field {
    number: u32,
    from: usize,
    to: usize,
    /// Where the bytes behind the length begin, of a field that has one.
    body: Option<usize>,
}

/// The fields of a message; `None` where the bytes are none.
fn fields(bytes: &[u8]) -> Option<Vec<Field>> {
    /// Largest number of a field in any format that is read.
    const NUMBER_MAX: u64 = 2_048;
    let (mut at, mut out) = (0, Vec::new());
    while at < bytes.len() {
        let from = at;
        let tag = read_varint(bytes, &mut at)?;
        let number = tag >> 3;
        if !(1..=NUMBER_MAX).contains(&number) {
            return None;
        }
        let mut body = None;
        match tag & 7 {
            0 => drop(read_varint(bytes, &mut at)?),
            1 => at += 8,
            5 => at += 4,
            2 => {
                let length = usize::try_from(read_varint(bytes, &mut at)?).ok()?;
                body = Some(at);
                at = at.checked_add(length)?;
            }
            _ => return None,
        }
        if at > bytes.len() {
            return None;
        }
        out.push(Field { number: number as u32, from, to: at, body });
    }
    Some(out)
}

fn read_varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
