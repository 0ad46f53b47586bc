//! Answers that stay under a bound: lists come in pages, long texts are cut and say so.

use crate::report::plain;
use serde_json::{Map, Value, json};

/// Longest answer, bytes: the whole line.
pub(super) const ANSWER_MAX: usize = 4096;
/// Longest string of an item, characters; the next is taken when one item alone is too long.
const CUTS: [usize; 5] = [500, 250, 120, 60, 20];

/// A successful answer as one line.
pub(super) fn line(id: &Value, result: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string()
}

/// The result of a tool: one text that holds JSON.
pub(super) fn result(answer: &Value, is_error: bool) -> Value {
    let text = answer.to_string();
    json!({ "content": [{ "type": "text", "text": text }], "isError": is_error })
}

/// Says whether a tool's answer keeps the bound.
pub(super) fn fits(id: &Value, answer: &Value) -> bool {
    line(id, &result(answer, false)).len() < ANSWER_MAX
}

/// As many items from `offset` on as fit, with where to go on.
pub(super) fn page(id: &Value, name: &str, items: &[Value], offset: usize) -> Value {
    let answer = |list: &[Value], next: Option<usize>| {
        let mut head = Map::new();
        head.insert("total".to_owned(), json!(items.len()));
        head.insert(name.to_owned(), json!(list));
        if let Some(next) = next {
            head.insert("next_offset".to_owned(), json!(next));
        }
        Value::Object(head)
    };
    let mut list: Vec<Value> = Vec::new();
    for item in items.iter().skip(offset) {
        // The next offset is counted in: it is the longest end an answer can have.
        let with = |item: Value| {
            let longer = [list.clone(), vec![item]].concat();
            answer(&longer, Some(items.len()))
        };
        let cut = match list.is_empty() {
            true => CUTS.iter().map(|c| short(item, *c)).find(|i| fits(id, &with(i.clone()))),
            false => Some(short(item, CUTS[0])).filter(|i| fits(id, &with(i.clone()))),
        };
        match cut {
            Some(item) => list.push(item),
            None => break,
        }
    }
    let end = offset + list.len();
    answer(&list, (end < items.len() && !list.is_empty()).then_some(end))
}

/// The first of several cuts of one object that fits.
pub(super) fn object(id: &Value, answer: &Value) -> Value {
    let mut cuts = CUTS.iter().map(|c| short(answer, *c));
    cuts.find(|a| fits(id, a)).unwrap_or_else(|| json!({ "error": "the answer is too long" }))
}

/// A value whose strings are safe and at most `most` characters long.
pub(super) fn short(value: &Value, most: usize) -> Value {
    match value {
        Value::String(s) => {
            let safe = plain::prose(s, false);
            match safe.char_indices().nth(most) {
                Some((at, _)) => json!(format!("{}…", &safe[..at])),
                None => json!(safe),
            }
        }
        Value::Array(all) => all.iter().map(|v| short(v, most)).collect(),
        Value::Object(all) => {
            Value::Object(all.iter().map(|(k, v)| (k.clone(), short(v, most))).collect())
        }
        other => other.clone(),
    }
}
