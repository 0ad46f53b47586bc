//! The optional companions of an incident folder: incident.toml, topology, mapping and events.
//! They are the user's own words, so a defect in one is reported with its line.

use super::raw::{MappingRow, Raw, RawEdge, RawEvent};
use super::{Head, Input, csv_text, json_scan};
use crate::error::{did_you_mean, line_column};
use crate::model::{EntityKind, GapKind, Micros, Window};
use crate::time::{self, Zone};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Accepts the file name `incident.toml`.
pub fn accepts_incident(head: &Head) -> bool {
    head.name == "incident.toml"
}

/// Accepts the file name `mapping.toml`.
pub fn accepts_mapping(head: &Head) -> bool {
    head.name == "mapping.toml"
}

/// Accepts `topology.toml`, or a table with caller and callee.
pub fn accepts_topology(head: &Head) -> bool {
    let has = |n: &str| head.header.iter().any(|h| h == n);
    let pair = has("caller") && has("callee") && !has("timestamp") && !has("value");
    head.name == "topology.toml" || pair
}

/// Accepts a table or JSON with `kind` and a time, or a change log by name.
pub fn accepts_events(head: &Head) -> bool {
    let has = |n: &str| head.header.iter().any(|h| h == n) || head.has_key(n);
    let timed = ["timestamp", "time", "at"].iter().any(|n| has(n));
    let json = head.is_json() && has("kind") && timed && !has("traceId") && !has("localEndpoint");
    json || (!head.is_json() && timed && has("kind") && (has("title") || has("service")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IncidentToml {
    #[serde(default)]
    schema: Option<u32>,
    title: Option<String>,
    window: Option<WindowToml>,
    symptom: Option<SymptomToml>,
    time: Option<TimeToml>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowToml {
    incident: Option<(toml::Value, toml::Value)>,
    baseline: Option<(toml::Value, toml::Value)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SymptomToml {
    entity: Option<String>,
    signal: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TimeToml {
    zone: Option<String>,
}

/// Parses a companion TOML file; a defect becomes a gap with its line.
fn toml_file<T: for<'de> Deserialize<'de>>(input: &Input, raw: &mut Raw) -> Option<T> {
    let text = String::from_utf8_lossy(input.bytes);
    match toml::from_str(&text) {
        Ok(value) => {
            raw.rows(input.file, 1);
            Some(value)
        }
        Err(e) => {
            let line = e.span().map(|s| line_column(&text, s.start).0 as u64);
            let what = format!("not used: {}", e.message().trim().replace('\n', " "));
            raw.gap(GapKind::Unreadable, input.file, line, what);
            None
        }
    }
}

/// Reads incident.toml.
pub fn read_incident(input: &Input, raw: &mut Raw) {
    let Some(file) = toml_file::<IncidentToml>(input, raw) else { return };
    if file.schema.is_some_and(|s| s != 1) {
        raw.gap(GapKind::Doubtful, input.file, None, "schema is not 1: read as 1");
    }
    let zone_name = file.time.and_then(|t| t.zone);
    let zone = match zone_name.as_deref().map(|n| (n, Zone::named(n))) {
        Some((name, None)) => {
            let what = format!("time zone \"{name}\" is not known: UTC is used");
            raw.gap(GapKind::Doubtful, input.file, None, what);
            Zone::default()
        }
        Some((_, Some(zone))) => zone,
        None => Zone::default(),
    };
    let mut window = |pair: Option<(toml::Value, toml::Value)>, name: &str| {
        let (from, to) = pair?;
        let read = |v: &toml::Value| {
            let text = v.as_str().map_or_else(|| v.to_string(), str::to_owned);
            time::parse(&text, &zone).map(|p| p.at)
        };
        match (read(&from), read(&to)) {
            (Some(from), Some(to)) if from < to => Some(Window { from, to }),
            _ => {
                let what = format!("window.{name} is not two times in order: not used");
                raw.gap(GapKind::Unreadable, input.file, None, what);
                None
            }
        }
    };
    let windows =
        file.window.map(|w| (window(w.incident, "incident"), window(w.baseline, "baseline")));
    let (incident, baseline) = windows.unwrap_or((None, None));
    let symptom = file.symptom;
    raw.incident = super::raw::IncidentFile {
        title: file.title,
        incident,
        baseline,
        symptom_entity: symptom.as_ref().and_then(|s| s.entity.clone()),
        symptom_signal: symptom.and_then(|s| s.signal),
        zone: zone_name,
    };
}

/// Reads mapping.toml: `[[metric]] name, signal, unit?, entity_label?`.
pub fn read_mapping(input: &Input, raw: &mut Raw) {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Row {
        name: String,
        signal: String,
        unit: Option<String>,
        entity_label: Option<String>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[serde(default, rename = "metric")]
        metrics: Vec<Row>,
    }
    let Some(file) = toml_file::<File>(input, raw) else { return };
    raw.mapping.extend(file.metrics.into_iter().map(|r| MappingRow {
        metric: r.name,
        signal: r.signal,
        unit: r.unit,
        entity_label: r.entity_label,
    }));
}

/// Reads topology.toml (`[[edge]]`, `[kinds]`, `[aliases]`) or a caller,callee[,kind] table.
pub fn read_topology(input: &Input, raw: &mut Raw) {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Edge {
        caller: String,
        callee: String,
        #[serde(default)]
        kind: String,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[serde(default)]
        aliases: BTreeMap<String, String>,
        #[serde(default)]
        kinds: BTreeMap<String, EntityKind>,
        #[serde(default, rename = "edge")]
        edges: Vec<Edge>,
    }
    if input.path.ends_with(".toml") {
        let Some(file) = toml_file::<File>(input, raw) else { return };
        raw.aliases.extend(file.aliases);
        raw.kinds.extend(file.kinds);
        let row = |e: Edge| RawEdge { caller: e.caller, callee: e.callee, kind: e.kind };
        raw.edges.extend(file.edges.into_iter().map(row));
        return;
    }
    let table = csv_text::table(input, raw);
    let column = |n: &str| table.column(&[n]);
    let (Some(caller), Some(callee)) = (column("caller"), column("callee")) else { return };
    let kind = column("kind");
    for (row, line) in table.rows.iter().zip(&table.lines) {
        let cell = |i: usize| row[i].trim().to_owned();
        if cell(caller).is_empty() || cell(callee).is_empty() {
            raw.skip(input.file, Some(*line), "edge without a caller or a callee", 1);
            continue;
        }
        let kind = kind.map(cell).unwrap_or_default();
        raw.edges.push(RawEdge { caller: cell(caller), callee: cell(callee), kind });
        raw.rows(input.file, 1);
    }
}

/// Kinds an event may have.
pub const EVENT_KINDS: [&str; 12] = [
    "deploy",
    "flag",
    "config",
    "commit",
    "migration",
    "restart",
    "scale",
    "alert",
    "note",
    "maintenance",
    "failover",
    "rollback",
];

/// Reads events as CSV, a JSON array or JSON lines.
pub fn read_events(input: &Input, raw: &mut Raw) {
    if input.is_json() {
        return json_events(input, raw);
    }
    let table = csv_text::table(input, raw);
    for (row, line) in table.rows.iter().zip(&table.lines) {
        let get = |names: &[&str]| {
            table.column(names).map(|i| row[i].trim().to_owned()).unwrap_or_default()
        };
        event(input, *line, &get, raw);
    }
}

fn json_events(input: &Input, raw: &mut Raw) {
    let text = input.bytes;
    let mut defects = Vec::new();
    for (base, document) in json_scan::documents(text, |at| defects.push(at)) {
        let line = json_scan::line_of(text, base);
        let values = match serde_json::from_slice::<Value>(document) {
            Ok(Value::Array(items)) => items,
            Ok(Value::Object(mut o)) => match o.remove("events") {
                Some(Value::Array(items)) => items,
                _ => vec![Value::Object(o)],
            },
            Ok(_) | Err(_) => {
                raw.skip(input.file, Some(line), "not an event", 1);
                continue;
            }
        };
        for value in values {
            let get = |names: &[&str]| {
                let found = names.iter().find_map(|n| value.get(n));
                found
                    .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
                    .unwrap_or_default()
            };
            event(input, line, &get, raw);
        }
    }
    for at in defects {
        raw.skip(input.file, Some(json_scan::line_of(text, at)), "not a JSON document", 1);
    }
}

fn event(input: &Input, line: u64, get: &dyn Fn(&[&str]) -> String, raw: &mut Raw) {
    let when = get(&["timestamp", "time", "at", "ts", "startsAt"]);
    let number = when.parse::<f64>().ok();
    let at: Option<Micros> = number
        .and_then(|v| time::from_epoch(v, time::epoch_unit(v)))
        .or_else(|| time::parse(&when, input.zone).map(|p| p.at));
    let Some(at) = at else {
        raw.skip(input.file, Some(line), format!("timestamp \"{when}\" is not RFC 3339"), 1);
        return;
    };
    let kind = get(&["kind", "type"]).to_lowercase();
    if !EVENT_KINDS.contains(&kind.as_str()) {
        let near = did_you_mean(&kind, EVENT_KINDS).map(|k| format!(", did you mean \"{k}\"?"));
        let what = format!("event kind \"{kind}\" is not known{}", near.unwrap_or_default());
        raw.gap(GapKind::Doubtful, input.file, Some(line), what);
    }
    raw.events.push(RawEvent {
        at,
        kind,
        service: get(&["service", "entity", "app", "component"]),
        target: get(&["target", "database", "host"]),
        title: get(&["title", "note", "text", "message", "summary", "name"]),
        version: get(&["version", "revision", "sha"]),
        file: input.file,
        line,
    });
    raw.rows(input.file, 1);
}
