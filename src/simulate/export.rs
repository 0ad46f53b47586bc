//! The files of an incident folder, in the formats that the tools of the trade export: the HTTP
//! API of Prometheus, OTLP as JSON lines, `pg_stat_activity` as CSV, a change log. Up to now.

mod otlp;
mod sessions;

use super::observe::Series;
use super::station::SECOND;
use super::world::World;
use super::{File, Scenario, Without};
use crate::model::Micros;
use crate::time::rfc3339;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Every file of what was recorded so far.
pub fn files(world: &World, without: Without) -> Vec<File> {
    let mut files = Vec::new();
    if !without.metrics {
        files.extend(prometheus(world));
    }
    if !without.traces {
        files.extend(otlp::files(world));
    }
    if !without.sessions {
        files.extend(sessions::files(world));
        files.extend(sessions::statements(world));
    }
    if !without.events && world.changes.iter().any(|c| c.at <= world.now) {
        files.push(events(world));
    }
    files
}

/// A time of the simulation on the wall clock.
fn micros(world: &World, at: u64) -> Micros {
    world.start_us + (at as i64 - world.zero as i64) / 1_000
}

/// Answers of `query_range`, one file for each kind of exporter.
fn prometheus(world: &World) -> Vec<File> {
    let record = &world.record;
    let clock = |at: u64| format!("{:.3}", micros(world, at) as f64 / 1e6);
    let times: Vec<String> = record.scrapes.iter().map(|at| clock(*at)).collect();
    let mut groups: BTreeMap<&str, Vec<&Series>> = BTreeMap::new();
    record.series.iter().for_each(|s| groups.entry(s.file).or_default().push(s));
    let mut files = Vec::new();
    for (name, mut series) in groups {
        series.sort_by(|a, b| a.metric.cmp(&b.metric));
        let mut text = String::from(
            "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[\n",
        );
        for (at, s) in series.iter().enumerate() {
            let comma = if at == 0 { "" } else { ",\n" };
            let _ = write!(text, "{comma}{{\"metric\":{},\"values\":[", s.metric);
            for (n, (scrape, value)) in s.samples.iter().enumerate() {
                let comma = if n == 0 { "" } else { "," };
                let time = &times[*scrape as usize];
                let _ = write!(text, "{comma}[{time},\"{value}\"]");
            }
            text.push_str("]}");
        }
        text.push_str("\n]}}\n");
        files.push(File { path: format!("prometheus/{name}.json"), bytes: text.into_bytes() });
    }
    files
}

/// The change log; nothing later than now.
fn events(world: &World) -> File {
    let mut noted: Vec<_> = world.changes.iter().filter(|c| c.at <= world.now).collect();
    noted.sort_by_key(|c| c.at);
    let rows: Vec<serde_json::Value> = noted
        .iter()
        .map(|c| {
            let second = micros(world, c.at / SECOND * SECOND);
            let mut row = serde_json::json!({
                "timestamp": rfc3339(second),
                "kind": c.kind,
                "service": c.service,
                "title": c.title,
            });
            if !c.version.is_empty() {
                row["version"] = c.version.clone().into();
            }
            row
        })
        .collect();
    let text = serde_json::to_string_pretty(&rows).expect("rows are JSON");
    File { path: "events.json".to_owned(), bytes: (text + "\n").into_bytes() }
}

/// The label of a run in the format of the fixtures.
pub fn truth(world: &World, scenario: &Scenario, seed: u64) -> File {
    let truth = &scenario.truth;
    let zero = |s: f64| rfc3339(world.start_us + (s * 1e6) as i64);
    let mut table = toml::Table::new();
    table.insert("verdict".to_owned(), truth.verdict.clone().into());
    let lists = [("entity", &truth.entity), ("signature", &truth.signature), ("not", &truth.not)];
    for (name, list) in lists {
        table.insert(name.to_owned(), list.clone().into());
    }
    let onset = scenario.fault.iter().map(|f| f.at_s).fold(f64::INFINITY, f64::min);
    if onset.is_finite() && truth.verdict == "incident" {
        table.insert("onset".to_owned(), zero(onset).into());
    }
    if !truth.notes.is_empty() {
        table.insert("notes".to_owned(), truth.notes.clone().into());
    }
    let mut file = toml::Table::new();
    file.insert("schema".to_owned(), 1.into());
    file.insert("source".to_owned(), "simulated".into());
    file.insert("recorded".to_owned(), format!("scenario {}, seed {seed}", scenario.id).into());
    file.insert("truth".to_owned(), table.into());
    let text = toml::to_string(&file).expect("a table is TOML");
    File { path: super::TRUTH.to_owned(), bytes: text.into_bytes() }
}
