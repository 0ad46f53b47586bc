//! Grafana data frames as JSON: answers of `/api/ds/query`, "DataFrame JSON" and "Panel data" of
//! Inspect, snapshots. In: JSON. Out: series in base units; definitions without data are a gap.

use super::legend::{self, Named};
use super::sheet::{Sheet, Values};
use crate::ingest::lenient::{self, Scalar};
use crate::ingest::raw::Raw;
use crate::ingest::spans::or_default;
use crate::ingest::{Head, Input, json_scan, units};
use crate::model::{GapKind, Micros};
use crate::time::{self, EpochUnit};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Accepts frames in any wrapping, and dashboards and panels, which hold none.
pub fn accepts(head: &Head) -> bool {
    let schema = head.has_key("schema") && head.has_key("fields") && head.has_key("data");
    let results = json_scan::find_value(head.bytes, 0, &["results"], b'{').is_some();
    let answer = results && (head.has_key("frames") || head.has_key("error"));
    let inline = (head.has_key("series") || head.has_key("snapshotData"))
        && head.has_key("fields")
        && head.has_key("values");
    head.is_json() && (schema || answer || inline || is_definition(head))
}

fn is_definition(head: &Head) -> bool {
    let panel = head.has_key("gridPos") || head.has_key("fieldConfig");
    let dashboard = head.has_key("panels") && head.has_key("schemaVersion");
    let resource = memchr::memmem::find(head.bytes, b"\"dashboard.grafana.app/").is_some();
    dashboard || (panel && head.has_key("targets")) || (resource && head.has_key("apiVersion"))
}

/// Keys of arrays that hold frames.
const FRAMES: [&str; 3] = ["frames", "series", "snapshotData"];

#[derive(Default, Deserialize)]
struct Frame {
    #[serde(default, deserialize_with = "or_default")]
    schema: Option<Schema>,
    #[serde(default, deserialize_with = "or_default")]
    data: Data,
    /// Frames of "Panel data" and of snapshots have no schema: values stand in the fields.
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    meta: Meta,
    #[serde(default, deserialize_with = "or_default")]
    fields: Vec<Field>,
}

#[derive(Default, Deserialize)]
struct Schema {
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    meta: Meta,
    #[serde(default, deserialize_with = "or_default")]
    fields: Vec<Field>,
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(rename = "executedQueryString", default, deserialize_with = "or_default")]
    executed: String,
    #[serde(default, deserialize_with = "or_default")]
    notices: Vec<Notice>,
}

#[derive(Default, Deserialize)]
struct Notice {
    #[serde(default, deserialize_with = "or_default")]
    text: String,
}

#[derive(Default, Deserialize)]
struct Field {
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    kind: String,
    #[serde(default, deserialize_with = "or_default")]
    labels: BTreeMap<String, Scalar>,
    #[serde(default, deserialize_with = "or_default")]
    config: Config,
    #[serde(default, deserialize_with = "or_default")]
    values: Vec<Scalar>,
    #[serde(default, deserialize_with = "or_default")]
    entities: Entities,
    #[serde(default, deserialize_with = "or_default")]
    nanos: Vec<Scalar>,
}

#[derive(Default, Deserialize)]
struct Config {
    #[serde(rename = "displayName", default, deserialize_with = "or_default")]
    shown: String,
    #[serde(rename = "displayNameFromDS", default, deserialize_with = "or_default")]
    legend: String,
    #[serde(default, deserialize_with = "or_default")]
    unit: String,
}

#[derive(Default, Deserialize)]
struct Data {
    #[serde(default, deserialize_with = "or_default")]
    values: Vec<Option<Vec<Scalar>>>,
    #[serde(default, deserialize_with = "or_default")]
    entities: Vec<Option<Entities>>,
    #[serde(default, deserialize_with = "or_default")]
    enums: Vec<Option<Vec<String>>>,
    #[serde(default, deserialize_with = "or_default")]
    nanos: Vec<Option<Vec<Scalar>>>,
}

/// Rows whose values JSON cannot write. `Undef` is as good as null.
#[derive(Clone, Default, Deserialize)]
struct Entities {
    #[serde(rename = "NaN", default, deserialize_with = "or_default")]
    nan: Vec<usize>,
    #[serde(rename = "Inf", default, deserialize_with = "or_default")]
    inf: Vec<usize>,
    #[serde(rename = "NegInf", default, deserialize_with = "or_default")]
    neg_inf: Vec<usize>,
}

/// Reads every frame of the file.
pub fn read(input: &Input, raw: &mut Raw) {
    let mut lines = input.lines();
    input.documents(raw, |base, document, raw| {
        errors(input, lines.of(base), document, raw);
        if frames(input, base, document, &mut lines, raw) == 0 {
            single(input, (base, lines.of(base)), document, raw);
        }
    });
}

/// Reads the arrays of frames; gives how many elements they have.
fn frames(
    input: &Input,
    base: usize,
    document: &[u8],
    lines: &mut json_scan::Lines,
    raw: &mut Raw,
) -> usize {
    let mut found = 0;
    let mut array = |open: usize, raw: &mut Raw| {
        let part = (base + open, &document[open..]);
        input.elements(part, &[], "a frame", raw, |at, element, raw| {
            found += 1;
            frame(input, (at, lines.of(at)), element, raw);
        });
    };
    if document.first() == Some(&b'[') {
        array(0, raw);
        return found;
    }
    let mut from = 0;
    while let Some(open) = json_scan::find_value(document, from, &FRAMES, b'[') {
        array(open, raw);
        from = json_scan::value_end(document, open).unwrap_or(document.len());
    }
    found
}

/// A document that is one frame, or one that defines panels and holds no data.
fn single(input: &Input, (base, line): (usize, u64), document: &[u8], raw: &mut Raw) {
    let head = Head::new(input.name(), document);
    if is_definition(&head) {
        let what = "a dashboard or panel as it is defined: it holds queries and no data; export \
                    Inspect > Data > Download CSV, or Inspect > JSON > DataFrame JSON";
        raw.gap(GapKind::Missing, input.file, Some(line), what);
    } else if head.has_key("fields") {
        frame(input, (base, line), document, raw);
    }
}

/// Says which queries of an answer failed.
fn errors(input: &Input, line: u64, document: &[u8], raw: &mut Raw) {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        results: BTreeMap<String, Part>,
    }
    #[derive(Deserialize)]
    struct Part {
        #[serde(default, deserialize_with = "or_default")]
        error: String,
    }
    if memchr::memmem::find(document, b"\"error\"").is_none() {
        return;
    }
    let Ok(answer) = serde_json::from_slice::<Answer>(document) else { return };
    for (id, part) in answer.results.into_iter().filter(|(_, p)| !p.error.is_empty()) {
        let what = format!("query {id} failed: {}", super::without_queries(&part.error));
        raw.gap(GapKind::Missing, input.file, Some(line), what);
    }
}

fn frame(input: &Input, (at, line): (usize, u64), text: &[u8], raw: &mut Raw) {
    let mut frame: Frame = match lenient::from_slice(text) {
        Ok(frame) => frame,
        Err(e) => return input.skip_unreadable(at, "a frame", e, raw),
    };
    let line = Some(line);
    let schema = frame.schema.take();
    let (name, meta, fields) = match schema {
        Some(s) => (s.name, s.meta, s.fields),
        None => (frame.name, frame.meta, frame.fields),
    };
    for notice in meta.notices.iter().filter(|n| !n.text.is_empty()) {
        let what = format!("the data source says: {}", super::without_queries(&notice.text));
        raw.gap(GapKind::Doubtful, input.file, line, what);
    }
    let fields = joined(fields, frame.data);
    let Some(time) = fields.iter().position(|f| f.kind == "time") else {
        return raw.skip(input.file, line, "a frame without a time field", 1);
    };
    let times = times(input, &fields[time], line, raw);
    let mut sheet = Sheet { times, ..Sheet::default() };
    let query = meta.executed.lines().find_map(|l| l.strip_prefix("Expr: ")).map(str::to_owned);
    for field in fields.iter().enumerate().filter(|(i, _)| *i != time).map(|(_, f)| f) {
        match field.kind.as_str() {
            "number" | "boolean" => {
                let values = measured(input, field, (&name, &query), line, raw);
                sheet.values.push(values);
            }
            "string" | "enum" => {
                let rows = 0..sheet.times.len();
                let text = |r: usize| field.values.get(r).map(Scalar::text).unwrap_or_default();
                sheet.texts.push((field.name.clone(), rows.map(text).collect()));
            }
            _ => raw.skip_like(input.file, "field", 1, || {
                (line, format!("field \"{}\" holds neither numbers nor text: left out", field.name))
            }),
        }
    }
    match sheet.values.is_empty() {
        true => raw.skip(input.file, line, "a frame without numbers (logs, traces or a list)", 1),
        false => sheet.push(input.file, raw),
    }
}

/// Fields with the values of `data`; enums as words, types that are missing by their values.
fn joined(mut fields: Vec<Field>, mut data: Data) -> Vec<Field> {
    for (i, field) in fields.iter_mut().enumerate() {
        if let Some(values) = data.values.get_mut(i).and_then(Option::take) {
            field.values = values;
        }
        if let Some(entities) = data.entities.get_mut(i).and_then(Option::take) {
            field.entities = entities;
        }
        if let Some(nanos) = data.nanos.get_mut(i).and_then(Option::take) {
            field.nanos = nanos;
        }
        if let Some(words) = data.enums.get_mut(i).and_then(Option::take) {
            for value in &mut field.values {
                let word = value.whole().and_then(|v| words.get(usize::try_from(v).ok()?));
                *value = word.map_or(Scalar::Null, |w| Scalar::Text(w.clone()));
            }
            field.kind = "string".to_owned();
        }
        if field.kind.is_empty() {
            let first = field.values.iter().find(|v| **v != Scalar::Null);
            let kind = match first {
                _ if field.name.eq_ignore_ascii_case("time") => "time",
                Some(Scalar::Int(_) | Scalar::Float(_)) => "number",
                Some(Scalar::Bool(_)) => "boolean",
                Some(Scalar::Text(_)) => "string",
                _ => "other",
            };
            field.kind = kind.to_owned();
        }
    }
    fields
}

/// Milliseconds, with nanoseconds beside them in newer versions, or text.
fn times(input: &Input, field: &Field, line: Option<u64>, raw: &mut Raw) -> Vec<Option<Micros>> {
    let mut assumed = false;
    let mut one = |(row, value): (usize, &Scalar)| match value {
        Scalar::Text(text) if text.trim().parse::<f64>().is_err() => {
            let parsed = time::parse(text, input.zone)?;
            assumed |= parsed.zone_assumed;
            Some(parsed.at)
        }
        other => {
            let at = time::from_epoch(other.number()?, EpochUnit::Millis)?;
            let nanos = field.nanos.get(row).and_then(Scalar::number).unwrap_or(0.0);
            time::believable(at.saturating_add((nanos.clamp(0.0, 999_999.0) / 1e3) as Micros))
        }
    };
    let times: Vec<Option<Micros>> = field.values.iter().enumerate().map(&mut one).collect();
    if assumed {
        raw.zone_assumed(input.file);
    }
    let bad = times.iter().filter(|t| t.is_none()).count();
    if bad > 0 {
        raw.skip(input.file, line, "time that is not read, or outside 1971 to 2199", bad as u64);
    }
    times
}

/// A field of numbers or truths in base units.
fn measured(
    input: &Input,
    field: &Field,
    (frame, query): (&str, &Option<String>),
    line: Option<u64>,
    raw: &mut Raw,
) -> Values {
    let named = name_of(field, frame, query.is_some());
    let scale = units::of_id(&field.config.unit);
    let factor = scale.map_or(1.0, |(_, f)| f);
    let unit = scale.map_or(field.config.unit.as_str(), |(base, _)| base);
    let value = |v: &Scalar| match v {
        Scalar::Bool(b) => f64::from(u8::from(*b)),
        other => other.number().map_or(f64::NAN, |v| v * factor),
    };
    let e = &field.entities;
    let strange = e.nan.len() + e.inf.len() + e.neg_inf.len();
    if strange > 0 {
        let why = "value is NaN or infinite: left as a gap";
        raw.skip(input.file, line, why, strange as u64);
    }
    Values {
        name: named.name,
        labels: named.labels,
        unit: Some(unit).filter(|u| !u.is_empty()).map(str::to_owned),
        query: query.clone(),
        cells: field.values.iter().map(value).collect(),
    }
}

/// The metric's name: that among the labels, else that of the legend, the field or the frame. With
/// a query beside it, a legend says less than no name.
fn name_of(field: &Field, frame: &str, has_query: bool) -> Named {
    let mut labels: BTreeMap<String, String> =
        field.labels.iter().map(|(k, v)| (k.clone(), v.text())).collect();
    if let Some(name) = labels.remove("__name__") {
        return Named { name, labels };
    }
    let legends = [&field.config.legend, &field.config.shown];
    let read = legends.into_iter().find_map(|l| legend::selector(l));
    if let Some(mut read) = read.filter(|r| !r.name.is_empty()) {
        read.labels.extend(labels);
        return read;
    }
    let own = field.name.as_str();
    let plain = [own, &field.config.legend, &field.config.shown, frame];
    let mut known = plain.into_iter().filter(|n| !legend::is_nameless(n));
    let name = match has_query && legend::is_nameless(own) {
        true => "",
        false => known.next().unwrap_or_default(),
    };
    Named { name: name.to_owned(), labels }
}
