//! `rabbitmqctl list_queues` as JSON, CSV or tab text, and the management API's `/api/queues`.
//! In: queues with whatever columns were asked for. Out: values under the names of the plugin.

use super::states::{self, States};
use crate::ingest::json_scan::{self, Lines};
use crate::ingest::lenient::{self, Scalar};
use crate::ingest::raw::Raw;
use crate::ingest::{Head, Input, cell};
use std::collections::BTreeMap;

/// Columns and the metrics that they are, of the plugin or of rabbitmq_exporter.
const NAMES: [(&str, &str); 15] = [
    ("messages", "messages"),
    ("messages_ready", "messages_ready"),
    ("messages_unacknowledged", "messages_unacked"),
    ("messages_ram", "messages_ram"),
    ("messages_persistent", "messages_persistent"),
    ("message_bytes", "messages_bytes"),
    ("message_bytes_ready", "messages_ready_bytes"),
    ("message_bytes_unacknowledged", "messages_unacked_bytes"),
    ("consumers", "consumers"),
    ("consumer_utilisation", "consumer_utilisation"),
    ("consumer_capacity", "consumer_capacity"),
    ("memory", "process_memory_bytes"),
    ("disk_reads", "disk_reads_total"),
    ("disk_writes", "disk_writes_total"),
    ("head_message_timestamp", "head_message_timestamp"),
];

/// Counters below `message_stats` of the management API.
const STATS: [(&str, &str); 6] = [
    ("publish", "messages_published_total"),
    ("deliver", "messages_delivered_total"),
    ("deliver_no_ack", "messages_delivered_noack_total"),
    ("get", "messages_get_total"),
    ("ack", "messages_ack_total"),
    ("redeliver", "messages_redelivered_total"),
];

/// Accepts queues: JSON with `name` and `messages`, or text with its preamble or that header.
pub fn accepts(head: &Head) -> bool {
    if head.is_json() {
        let counted = ["messages", "messages_ready", "messages_unacknowledged", "consumers"];
        return head.has_key("name") && counted.iter().any(|k| has_count(head.bytes, k));
    }
    let text = String::from_utf8_lossy(head.bytes);
    let drawn = text.contains("\u{1b}(0");
    let known = |l: &str| l.starts_with("Listing queues for vhost") || header(l).is_some();
    !drawn && text.lines().take(8).any(known)
}

/// Says whether a key has a number behind it: chats have `messages` as well, but lists of them.
fn has_count(text: &[u8], key: &str) -> bool {
    let quoted = format!("\"{key}\"");
    let mut places = memchr::memmem::find_iter(text, quoted.as_bytes());
    places.any(|at| {
        let colon = json_scan::skip_space(text, at + quoted.len());
        let value = json_scan::skip_space(text, colon + 1);
        text.get(colon) == Some(&b':') && text.get(value).is_some_and(u8::is_ascii_digit)
    })
}

/// The columns of a line that is a header: `name` with at least one count.
fn header(line: &str) -> Option<Vec<String>> {
    let words: Vec<String> = cells(line);
    let has = |n: &str| words.iter().any(|w| w == n);
    let timed = ["time", "timestamp", "ts", "date"].iter().any(|t| has(t));
    let counted = has("messages") || has("messages_ready") || has("messages_unacknowledged");
    (has("name") && counted && !timed).then_some(words)
}

/// Cells between tabs, or between commas with quotes around each.
fn cells(line: &str) -> Vec<String> {
    let line = line.trim_end_matches(['\r', '\n']);
    if line.contains('\t') || !line.contains(',') {
        return line.split('\t').map(|c| c.trim().to_owned()).collect();
    }
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
    let first = reader.records().next().and_then(Result::ok);
    first.map(|r| r.iter().map(|c| c.trim().to_owned()).collect()).unwrap_or_default()
}

/// Reads queues in any of their forms.
pub fn read(input: &Input, raw: &mut Raw) {
    let mut states = States::default();
    match input.is_json() {
        true => json(input, &mut states, raw),
        false => text(input, &mut states, raw),
    }
    if !states.is_empty() {
        states.finish(input, raw);
    }
}

fn json(input: &Input, states: &mut States, raw: &mut Raw) {
    let mut lines = Lines::new(input.bytes);
    input.documents(raw, |base, document, raw| {
        states.begin(None, lines.of(base) + input.first_line - 1);
        let keys = ["items"];
        let found = input.elements((base, document), &keys, "a queue", raw, |at, element, raw| {
            match lenient::from_slice::<BTreeMap<String, Value>>(element) {
                Ok(queue) => {
                    let line = lines.of(at) + input.first_line - 1;
                    let flat = flat(queue);
                    one(&flat, "", line, input, states, raw);
                }
                Err(e) => input.skip_unreadable(at, "a queue", e, raw),
            }
        });
        if !found {
            input.skip_unreadable(base, "a document", "no list of queues", raw);
        }
    });
}

/// A field of a queue: a plain value, or a map of them.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Value {
    Map(BTreeMap<String, Scalar>),
    Plain(Scalar),
}

/// Fields by name; those of `message_stats` below that name.
fn flat(queue: BTreeMap<String, Value>) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for (key, value) in queue {
        match value {
            Value::Plain(v) => {
                out.insert(key, v.text());
            }
            Value::Map(map) if key == "message_stats" => {
                out.extend(map.into_iter().map(|(k, v)| (format!("message_stats.{k}"), v.text())));
            }
            // Kept by name, so that it can be said that nothing is made of it.
            Value::Map(_) => drop(out.insert(key, String::new())),
        }
    }
    out
}

fn text(input: &Input, states: &mut States, raw: &mut Raw) {
    let text = String::from_utf8_lossy(input.bytes);
    let (mut columns, mut vhost): (Vec<String>, String) = (Vec::new(), String::new());
    let mut stamp = None;
    for (line, number) in text.lines().zip(input.first_line..) {
        if let Some(name) = line.trim().strip_prefix("Listing queues for vhost ") {
            // Another virtual host belongs to the same look at the server.
            let next = name.trim_end_matches(" ...").to_owned();
            if states.is_empty() || stamp.is_some() || next == vhost {
                states.begin(stamp.take(), number);
            }
            vhost = next;
        } else if let Some(header) = header(line) {
            if states.is_empty() || stamp.is_some() || vhost.is_empty() {
                states.begin(stamp.take(), number);
            }
            columns = header;
        } else if let Some(parsed) = states::stamp(line, input.zone) {
            stamp = Some(parsed.at);
            if parsed.zone_assumed {
                raw.zone_assumed(input.file);
            }
        } else if !line.trim().is_empty() && !line.starts_with("Timeout:") {
            let row = cells(line);
            if columns.is_empty() || row.len() != columns.len() {
                let why = "row has another number of cells than its header";
                raw.skip(input.file, Some(number), why, 1);
                continue;
            }
            let queue = columns.iter().cloned().zip(row).collect();
            one(&queue, &vhost, number, input, states, raw);
        }
    }
}

/// Turns one queue to values; `vhost` is that of the listing, for queues that do not say theirs.
fn one(
    queue: &BTreeMap<String, String>,
    vhost: &str,
    line: u64,
    input: &Input,
    states: &mut States,
    raw: &mut Raw,
) {
    let get = |key: &str| queue.get(key).map_or("", String::as_str);
    let name = get("name");
    if name.is_empty() {
        return raw.skip(input.file, Some(line), "queue without a name", 1);
    }
    let vhost = if get("vhost").is_empty() { vhost } else { get("vhost") };
    let own = [("queue", name), ("vhost", vhost)];
    let stats = STATS.iter().map(|(k, n)| (format!("message_stats.{k}"), *n));
    let plain = NAMES.iter().map(|(k, n)| ((*k).to_owned(), *n));
    let known = |key: &str| {
        let stat = key.strip_prefix("message_stats.");
        let named = match stat {
            Some(stat) => STATS.iter().any(|(k, _)| *k == stat),
            None => NAMES.iter().any(|(k, _)| *k == key),
        };
        named || ["name", "vhost", "state"].contains(&key)
    };
    for key in queue.keys().filter(|k| !known(k)) {
        raw.pass_over(input.file, "columns of queues without a metric", key, 1);
    }
    for (key, metric) in plain.chain(stats) {
        let cell = get(&key);
        if cell::is_missing(cell) {
            continue;
        }
        match cell::number(cell) {
            Some(v) => states.put(&format!("rabbitmq_queue_{metric}"), &own, v),
            None => {
                let what = format!("{key} \"{}\" is not a number", cell.escape_debug());
                raw.skip_like(input.file, "count", 1, || (Some(line), what));
            }
        }
    }
    let state = get("state");
    if !state.is_empty() {
        let good = ["running", "idle"].contains(&state);
        let labels = [own[0], own[1], ("state", state)];
        states.put("rabbitmq_queue_state", &labels, f64::from(good));
    }
}
