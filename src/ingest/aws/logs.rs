//! Documents that CloudWatch Logs wraps. In: `get-log-events` and `filter-log-events`, or documents
//! bare, one a line or in a list. Out: each document with the offset of what holds it.

use crate::ingest::lenient;
use crate::ingest::raw::Raw;
use crate::ingest::spans::or_default;
use crate::ingest::{Head, Input, json_scan};
use serde::Deserialize;

/// Says whether log events near the beginning hold JSON with that key.
pub fn wraps(head: &Head, key: &str) -> bool {
    let inner = format!("\\\"{key}\\\"");
    let found = || memchr::memmem::find(head.bytes, inner.as_bytes()).is_some();
    head.has_key("events") && head.has_key("message") && found()
}

/// Hands over every document of the file, taken out of its log event where it is wrapped.
pub fn each(input: &Input, raw: &mut Raw, mut one: impl FnMut(usize, &[u8], &mut Raw)) {
    #[derive(Deserialize)]
    struct Event {
        #[serde(default, deserialize_with = "or_default")]
        message: String,
    }
    input.documents(raw, |base, document, raw| {
        let wrapped = json_scan::find_array(document, &["events"]).is_some();
        if !wrapped && !document.starts_with(b"[") {
            return one(base, document, raw);
        }
        input.elements((base, document), &["events"], "a log event", raw, |at, element, raw| {
            if !wrapped {
                return one(at, element, raw);
            }
            match lenient::from_slice::<Event>(element) {
                Ok(event) => one(at, event.message.as_bytes(), raw),
                Err(e) => input.skip_unreadable(at, "a log event", e, raw),
            }
        });
    });
}
