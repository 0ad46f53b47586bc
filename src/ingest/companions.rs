//! The optional companions of an incident folder: incident.toml, topology, mapping and events.
//! They are the user's own words, so a defect in one is reported with its line.

use super::cell::moment;
use super::raw::{MappingRow, Raw, RawEdge, RawEvent};
use super::table::{TIME, mostly_numbers};
use super::{Head, Input, csv_text, json_scan};
use crate::error::{did_you_mean, line_column};
use crate::model::{EntityKind, GapKind, Window};
use crate::time::Zone;
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

/// Accepts `topology.toml`, or a table with caller and callee that measures nothing.
pub fn accepts_topology(head: &Head) -> bool {
    let has = |n: &str| head.has_column(n);
    let pair = has("caller") && has("callee") && !TIME.iter().any(|t| has(t)) && !has("value");
    head.name == "topology.toml" || (pair && !measures(head))
}

/// Says whether a column beside the pair, its kind and a count of calls holds numbers.
fn measures(head: &Head) -> bool {
    let own = ["caller", "callee", "kind", "count", "calls"];
    let rows = csv_text::rows(head.bytes, EDGE_ROWS);
    let columns = head.header.iter().enumerate().filter(|(_, h)| !own.contains(&h.as_str()));
    let filled = |i: usize| rows.iter().filter_map(move |r| r.get(i)).map(String::as_str);
    columns.into_iter().any(|(i, _)| filled(i).next().is_some() && mostly_numbers(filled(i)))
}

/// Rows looked at to tell a topology from measurements of edges.
const EDGE_ROWS: usize = 200;

/// Accepts a table or JSON with `kind` and a time, or a change log by name.
pub fn accepts_events(head: &Head) -> bool {
    let has = |n: &str| head.has_column(n) || head.has_key(n);
    let timed = ["timestamp", "time", "at"].iter().any(|n| has(n));
    let json = head.is_json() && has("kind") && timed && !has("traceId") && !has("localEndpoint");
    let json = json && !head.has_key("schema_version");
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
            moment(&text, &zone)
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
    let mut lines = json_scan::Lines::new(text);
    for (base, document) in json_scan::documents(text, |at| defects.push(at)) {
        let line = lines.of(base);
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
    input.skip_defects(&defects, "not a JSON document", raw);
}

fn event(input: &Input, line: u64, get: &dyn Fn(&[&str]) -> String, raw: &mut Raw) {
    let when = get(&["timestamp", "time", "at", "ts", "startsAt"]);
    let Some(at) = moment(&when, input.zone) else {
        let first = || (Some(line), format!("timestamp \"{when}\" is not RFC 3339"));
        raw.skip_like(input.file, "timestamp", 1, first);
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

#[cfg(test)]
mod tests {
    use crate::ingest::read_text;

    fn reader(text: &str) -> String {
        read_text("edges.csv", text.as_bytes()).files[0].reader.clone()
    }

    #[test]
    fn measurements_of_edges_are_no_topology() {
        assert_eq!(reader("caller,callee,kind\na,b,calls\n"), "topology");
        assert_eq!(reader("caller,callee,calls\na,b,12\n"), "topology");
        assert_eq!(reader("caller,callee,note\na,b,\nb,c,old\n"), "topology");
        let timed = "time,caller,callee,rps,latency\n2026-11-20T20:10:00Z,a,b,3,0.1\n";
        assert_eq!(reader(timed), "table");
        assert_eq!(read_text("edges.csv", timed.as_bytes()).series.len(), 2);
        assert_eq!(reader("ts,caller,callee,calls\n2026-11-20T20:10:00Z,a,b,3\n"), "table");
        assert_eq!(reader("caller,callee,latency\na,b,0.3\nb,c,0.4\n"), "none");
    }

    #[test]
    fn windows_may_be_numbers() {
        let text = "[window]\nincident = [1795205201, 1795205301500]\n\
                    baseline = [1795201201.5, \"2026-11-20T20:00:00Z\"]\n";
        let raw = read_text("incident.toml", text.as_bytes());
        let incident = raw.incident.incident.expect("two times in order");
        assert_eq!((incident.from, incident.to), (1_795_205_201_000_000, 1_795_205_301_500_000));
        let baseline = raw.incident.baseline.expect("two times in order");
        assert_eq!(baseline.from, 1_795_201_201_500_000);
    }

    #[test]
    fn bad_times_of_events_are_one_gap() {
        let text = "{\"at\":\"12:61\",\"kind\":\"note\"}\n{\"at\":\"12:62\",\"kind\":\"note\"}\n";
        let raw = read_text("changes.jsonl", text.as_bytes());
        let said: Vec<_> = raw.gaps.iter().map(|g| (g.line, g.count)).collect();
        assert_eq!(said, [(Some(1), 2)], "{:?}", raw.gaps);
    }
}
