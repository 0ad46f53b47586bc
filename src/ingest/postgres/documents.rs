//! Rows as JSON: `json_agg`, `row_to_json` by line, exports of GUIs (`{"select …": [ … ]}`), with
//! numbers as text or text as numbers. In: JSON. Out: [`Block`]s with the header of their keys.

use super::psql::Block;
use crate::ingest::Input;
use crate::ingest::json_scan::{self, Lines};
use crate::ingest::lenient;
use crate::ingest::raw::Raw;
use crate::ingest::table::Table;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// Keys of the first row of a JSON text: of the text itself, or of the first object of its array.
pub fn first_keys(text: &[u8]) -> Vec<String> {
    let opens = |at: usize, with: u8| text.get(at) == Some(&with);
    let mut at = json_scan::skip_space(text, 0);
    if opens(at, b'[') {
        at = json_scan::skip_space(text, at + 1);
    }
    let mut keys = Vec::new();
    while opens(at, b'{') || opens(at, b',') {
        let key = json_scan::skip_space(text, at + 1);
        let Some(end) = opens(key, b'"').then(|| json_scan::value_end(text, key)).flatten() else {
            break;
        };
        let value = json_scan::skip_space(text, json_scan::skip_space(text, end) + 1);
        let inner = json_scan::skip_space(text, value + 1);
        if keys.is_empty() && opens(value, b'[') && opens(inner, b'{') {
            // A wrapper around the rows.
            at = inner;
            continue;
        }
        keys.push(String::from_utf8_lossy(&text[key + 1..end - 1]).into_owned());
        let Some(end) = json_scan::value_end(text, value) else { break };
        at = json_scan::skip_space(text, end);
    }
    keys
}

/// The text of a JSON value as `psql --csv` would print it.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(cell).collect();
            format!("{{{}}}", items.join(","))
        }
        other => other.to_string(),
    }
}

/// A table that grows by objects whose keys may differ.
#[derive(Default)]
struct Growing {
    table: Table,
    places: HashMap<String, usize>,
}

/// Columns of one table: keys beyond them start another, so that rows stay as short as their text.
const COLUMNS_MAX: usize = 128;

impl Growing {
    /// Adds a row; gives the table before it where the row needs too many columns more.
    fn add(&mut self, object: &Map<String, Value>, line: u64) -> Option<Block> {
        let more = object.keys().filter(|k| !self.places.contains_key(*k)).count();
        let full = more > 0 && self.table.header.len() + more > COLUMNS_MAX;
        let before = if full { self.take() } else { None };
        let mut row: Vec<String> = Vec::with_capacity(object.len());
        for (key, value) in object {
            let place = *self.places.entry(key.clone()).or_insert_with(|| {
                self.table.header.push(key.clone());
                self.table.header.len() - 1
            });
            if row.len() <= place {
                row.resize(place + 1, String::new());
            }
            if let Some(slot) = row.get_mut(place) {
                *slot = cell(value);
            }
        }
        self.table.rows.push(row);
        self.table.lines.push(line);
        before
    }

    /// The table so far, if it has a row; the next one starts.
    fn take(&mut self) -> Option<Block> {
        let table = std::mem::take(self).table;
        (!table.rows.is_empty()).then_some(Block { table, at: None })
    }
}

/// Reads rows out of JSON: an array is a block, and so are the objects that follow each other.
pub fn blocks(input: &Input, raw: &mut Raw) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut loose = Growing::default();
    let mut lines = Lines::new(input.bytes);
    input.documents(raw, |base, document, raw| {
        let wrapped = document.first() == Some(&b'{') && !is_row(document);
        if document.first() == Some(&b'{') && !wrapped {
            blocks.extend(one(input, (lines.of(base), document), &mut loose, raw));
            return;
        }
        blocks.extend(loose.take());
        let mut rows = Growing::default();
        let open = wrapped.then(|| memchr::memchr(b'[', document)).flatten().unwrap_or(0);
        let inner = document.get(open..).unwrap_or_default();
        input.elements((base + open, inner), &[], "a row", raw, |at, element, raw| {
            blocks.extend(one(input, (lines.of(at), element), &mut rows, raw));
        });
        blocks.extend(rows.take());
    });
    blocks.extend(loose.take());
    blocks
}

/// Says whether an object is a row, and not a wrapper whose one value is the array of rows.
fn is_row(document: &[u8]) -> bool {
    let value = document.get(1..).unwrap_or_default();
    let key = value.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(0);
    let Some(end) = json_scan::value_end(value, key) else { return true };
    let colon = value.get(end..).unwrap_or_default();
    let mut behind = colon.iter().filter(|b| !b.is_ascii_whitespace());
    !(behind.next() == Some(&b':') && behind.next() == Some(&b'[') && behind.next() != Some(&b']'))
        || lenient::from_slice::<Map<String, Value>>(document).is_ok_and(|m| m.len() > 1)
}

/// Reads one object; `line` counts from the first of the input's bytes.
fn one(
    input: &Input,
    (line, text): (u64, &[u8]),
    rows: &mut Growing,
    raw: &mut Raw,
) -> Option<Block> {
    let line = line + input.first_line - 1;
    match lenient::from_slice::<Value>(text) {
        Ok(Value::Object(object)) => return rows.add(&object, line),
        Ok(_) => raw.skip(input.file, Some(line), "a row that is no JSON object", 1),
        Err(e) => {
            let first = || (Some(line), format!("a row is not readable: {e}"));
            raw.skip_like(input.file, "a row", 1, first);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_are_those_of_the_first_row() {
        let row = r#"{"a": {"x":1}, "b" :[1,2],"c":null}"#;
        for text in [row, &format!("[ {row}, {{\"d\":1}}]"), &format!("{{\"select 1\": [{row}]}}")]
        {
            assert_eq!(first_keys(text.as_bytes()), ["a", "b", "c"], "{text}");
        }
        assert_eq!(first_keys(br#"[{"a":1,"b":"cut"#), ["a", "b"]);
        for no in ["", "[", "{", "[1]", "{}", "{\"a", "[[{}]]", "{1:2}"] {
            assert!(first_keys(no.as_bytes()).is_empty(), "{no}");
        }
    }
}
