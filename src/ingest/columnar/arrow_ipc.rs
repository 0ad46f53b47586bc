//! Arrow IPC files and streams. In: bytes. Out: series or spans, by way of record batches.

use super::super::raw::Raw;
use super::super::{Head, Input};
use super::{claims, guarded, read_batches};
use crate::model::GapKind;
use ::arrow::error::ArrowError;
use ::arrow::ipc::reader::{FileReader, StreamReader};
use std::io::Cursor;

/// Accepts the magic of an IPC file or the continuation marker of a stream.
pub fn accepts(head: &Head) -> bool {
    head.starts_with(b"ARROW1") || head.starts_with(&[0xff, 0xff, 0xff, 0xff])
}

/// Reads every record batch.
pub fn read(input: &Input, raw: &mut Raw) {
    guarded(input, raw, |raw| {
        if let Some(what) = claims::defect(input.bytes) {
            return Err((GapKind::Unreadable, format!("Arrow IPC: {what}")));
        }
        batches(input, raw).map_err(|e| told(&e))
    });
}

fn batches(input: &Input, raw: &mut Raw) -> Result<(), ArrowError> {
    let cursor = Cursor::new(input.bytes);
    if input.bytes.starts_with(b"ARROW1") {
        read_batches(input, FileReader::try_new(cursor, None)?, None, raw)
    } else {
        read_batches(input, StreamReader::try_new(cursor, None)?, None, raw)
    }
}

/// A defect and what can be done about it.
fn told(e: &ArrowError) -> (GapKind, String) {
    let text = e.to_string();
    if text.contains("compression") {
        let hint = "write it without compression, or as Parquet";
        return (GapKind::Unreadable, format!("Arrow IPC: {text} ({hint})"));
    }
    (GapKind::Truncated, format!("Arrow IPC: {text}"))
}
