//! Documents that CloudWatch Logs wraps. In: `get-log-events`, `filter-log-events`, rows of Logs
//! Insights with `@message`, or documents bare, one a line or in a list. Out: each document
//! with the offset of what holds it.

use crate::ingest::lenient;
use crate::ingest::raw::Raw;
use crate::ingest::spans::or_default;
use crate::ingest::{Head, Input, json_scan};
use serde::Deserialize;

/// Says whether log events near the beginning hold JSON with that key.
pub fn wraps(head: &Head, key: &str) -> bool {
    let inner = format!("\\\"{key}\\\"");
    let found = || memchr::memmem::find(head.bytes, inner.as_bytes()).is_some();
    let events = head.has_key("events") && head.has_key("message");
    let rows = head.has_key("results") && head.has_key("field");
    (events || rows) && found()
}

/// One field of a row of Logs Insights.
#[derive(Deserialize)]
struct Field {
    #[serde(default, deserialize_with = "or_default")]
    field: String,
    #[serde(default, deserialize_with = "or_default")]
    value: String,
}

/// Hands over every document of the file, taken out of its log event where it is wrapped.
pub fn each(input: &Input, raw: &mut Raw, mut one: impl FnMut(usize, &[u8], &mut Raw)) {
    #[derive(Deserialize)]
    struct Event {
        #[serde(default, deserialize_with = "or_default")]
        message: String,
    }
    input.documents(raw, |base, document, raw| {
        if json_scan::find_array(document, &["results"]).is_some() {
            return rows(input, (base, document), raw, &mut one);
        }
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

/// Hands over the messages of a query's rows.
fn rows(
    input: &Input,
    document: (usize, &[u8]),
    raw: &mut Raw,
    one: &mut dyn FnMut(usize, &[u8], &mut Raw),
) {
    input.elements(document, &["results"], "a row", raw, |at, element, raw| {
        let fields: Vec<Field> = match lenient::from_slice(element) {
            Ok(fields) => fields,
            Err(e) => return input.skip_unreadable(at, "a row", e, raw),
        };
        match fields.iter().find(|f| f.field == "@message") {
            Some(message) => one(at, message.value.as_bytes(), raw),
            None => input.skip_unreadable(at, "a row", "it has no @message", raw),
        }
    });
}
