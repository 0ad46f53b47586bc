//! Tables of spans by any tool (Honeycomb and others): CSV, or JSON rows.
//! In: rows with a trace id, a span id, a start and a length. Out: spans.

use super::super::aws::logs;
use super::super::raw::Raw;
use super::super::{Head, Input, csv_text, json_scan};
use super::{roles, rows};

/// Arrays under which rows stand.
const KEYS: [&str; 4] = ["data", "results", "rows", "spans"];

/// Accepts columns or keys that make a table of spans.
pub fn accepts(head: &Head) -> bool {
    match head.is_json() {
        true => roles::is_spans(keys(head.bytes).into_iter()) || is_logged(head),
        false => roles::is_spans(head.header.iter().map(String::as_str)),
    }
}

/// Says whether CloudWatch Logs wraps the spans (`aws/spans` of Transaction Search).
fn is_logged(head: &Head) -> bool {
    ["traceId", "spanId", "startTimeUnixNano"].iter().all(|key| logs::wraps(head, key))
}

/// The keys of the first row, those of nested objects with dots left out.
fn keys(text: &[u8]) -> Vec<&str> {
    let open = match text.iter().find(|b| !b.is_ascii_whitespace()) {
        Some(b'[') => text.iter().position(|b| *b == b'['),
        _ => json_scan::find_array(text, &KEYS),
    };
    let from = json_scan::skip_space(text, open.map_or(0, |o| o + 1));
    let end = json_scan::value_end(text, from).unwrap_or(text.len());
    let mut at = from;
    let mut found = Vec::new();
    while let Some(quote) = text[at..end].iter().position(|b| *b == b'"').map(|p| at + p) {
        let Some(close) = json_scan::value_end(text, quote) else { break };
        let colon = json_scan::skip_space(text, close);
        if text.get(colon) == Some(&b':') {
            found.extend(std::str::from_utf8(&text[quote + 1..close - 1]));
        }
        at = close.min(end);
    }
    found
}

/// Reads every row.
pub fn read(input: &Input, raw: &mut Raw) {
    if input.is_json() && is_logged(&Head::new("", input.bytes)) {
        return rows::logged(input, raw);
    }
    if input.is_json() {
        return rows::json(input, &KEYS, None, raw);
    }
    let table = csv_text::table(input, raw);
    rows::table(input, &table, None, raw);
}
