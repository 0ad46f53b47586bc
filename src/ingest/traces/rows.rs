//! Rows of text to spans: JSON objects, and records of CSV and TSV.
//! In: rows with named cells, the names understood by [`roles`]. Out: spans.

use super::super::aws::logs;
use super::super::cell::{number, quantity};
use super::super::raw::Raw;
use super::super::table::Table;
use super::super::{Component, Input, component, lenient, spans};
use super::literal::{flatten, pairs};
use super::roles::{Meaning, Role, meaning};
use super::{Place, Row, failed, flagged, kind_of, moment};
use crate::model::GapKind;
use serde_json::Value;
use std::collections::HashMap;

/// Rows looked at to decide the unit of durations whose column does not name it.
const LOOK: usize = 500;

/// Microseconds in one unit of a typical duration, and the unit's name.
pub fn unit_by_magnitude(mut durations: Vec<f64>) -> (f64, &'static str) {
    durations.retain(|d| *d > 0.0);
    durations.sort_by(f64::total_cmp);
    match durations.get(durations.len() / 2) {
        // Spans take milliseconds, rarely seconds: the unit in which they do.
        Some(d) if *d < 1.0 => (1e6, "seconds"),
        Some(d) if *d < 1e3 => (1e3, "milliseconds"),
        Some(d) if *d < 1e6 => (1.0, "microseconds"),
        Some(_) => (1e-3, "nanoseconds"),
        None => (1e3, "milliseconds"),
    }
}

/// Decides the unit of durations without one, and says so.
pub fn assume_unit(durations: Vec<f64>, input: &Input, raw: &mut Raw) -> f64 {
    if durations.is_empty() {
        return 1e3;
    }
    let (unit, name) = unit_by_magnitude(durations);
    let what = format!("durations name no unit: taken as {name}, by their magnitude");
    raw.gap(GapKind::Inferred, input.file, None, what);
    unit
}

/// One cell: what its column means, and what it says.
type Field<'a> = (&'a Meaning, &'a str);

/// The fields of a row that count: of each role the best one that says something.
#[derive(Default)]
struct Best<'a>(HashMap<Role, Field<'a>>);

impl<'a> Best<'a> {
    fn offer(&mut self, field: Field<'a>) {
        let better = |known: &Field| known.0.rank > field.0.rank;
        if !field.1.is_empty() && self.0.get(&field.0.role).is_none_or(better) {
            self.0.insert(field.0.role, field);
        }
    }

    fn text(&self, role: Role) -> &'a str {
        self.0.get(&role).map_or("", |f| f.1)
    }
}

/// Microseconds that a duration cell says, which may hold its own unit (`12 ms`).
fn duration((meaning, text): Field, assumed: f64) -> Option<i64> {
    let micros = match quantity(text)? {
        (v, "") => v * meaning.unit.unwrap_or(assumed),
        (v, "s") => v * 1e6,
        _ => return None,
    };
    micros.is_finite().then(|| micros.round() as i64)
}

/// Makes a span of a row's fields.
fn push(place: Place, fields: &[Field], assumed: f64, input: &Input, raw: &mut Raw) {
    let mut best = Best::default();
    let mut row = Row { place, ..Row::default() };
    for field in fields {
        match field.0.role {
            Role::OneResource => row.resource.push((&field.0.attribute, field.1)),
            Role::OneAttribute => row.attributes.push((&field.0.attribute, field.1)),
            _ => best.offer(*field),
        }
    }
    let at = |role| moment(best.text(role), input.zone);
    let (start, end) = (at(Role::Start), at(Role::End));
    if start.is_some_and(|t| t.zone_assumed) {
        raw.zone_assumed(input.file);
    }
    row.start = start.map(|t| t.at);
    let said = best.0.get(&Role::Duration).and_then(|f| duration(*f, assumed));
    row.duration = said.or_else(|| Some(end?.at - row.start?));
    row.trace = spans::id128(best.text(Role::Trace));
    row.span = spans::id64(best.text(Role::Span));
    row.parent = spans::id64(best.text(Role::Parent));
    (row.service, row.name) = (best.text(Role::Service), best.text(Role::Name));
    if row.service.is_empty() {
        row.service = match component(best.text(Role::Component)) {
            Component::Host(name) | Component::Whole(name) => name,
            Component::Instance(service, pod) => {
                row.resource.push(("k8s.pod.name", pod));
                service
            }
        };
    }
    row.kind = kind_of(best.text(Role::Kind));
    row.error = failed(best.text(Role::Status)) || flagged(best.text(Role::Failed));
    row.push(input, raw);
}

/// Reads objects: documents of a stream, or the elements of an array under one of `keys`.
///
/// `unit` is that of durations, in microseconds, where the format fixes it.
pub fn json(input: &Input, keys: &[&str], unit: Option<f64>, raw: &mut Raw) {
    let mut reading = Objects { meanings: HashMap::new(), unit, waiting: Vec::new() };
    input.documents(raw, |base, document, raw| {
        let columns = columns(document);
        let found = input.elements((base, document), keys, "a span", raw, |at, element, raw| {
            reading.one(input, (at, element), &columns, raw);
        });
        if !found {
            reading.one(input, (base, document), &columns, raw);
        }
    });
    reading.decide(input, raw);
}

/// Reads objects that CloudWatch Logs wraps, one a log event.
pub fn logged(input: &Input, raw: &mut Raw) {
    let mut reading = Objects { meanings: HashMap::new(), unit: None, waiting: Vec::new() };
    logs::each(input, raw, |at, text, raw| reading.one(input, (at, text), &[], raw));
    reading.decide(input, raw);
}

/// Names of the columns that ClickHouse puts before rows that are arrays.
fn columns(document: &[u8]) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Column {
        name: String,
    }
    let open = super::super::json_scan::find_array(document, &["meta"]);
    let end = open.and_then(|o| super::super::json_scan::value_end(document, o));
    let text = open.zip(end).map(|(from, to)| &document[from..to]).unwrap_or_default();
    let read: Vec<Column> = serde_json::from_slice(text).unwrap_or_default();
    read.into_iter().map(|c| c.name).collect()
}

/// Objects of a stream, whose names are understood once each.
struct Objects {
    meanings: HashMap<String, Meaning>,
    unit: Option<f64>,
    /// The first rows, until the unit is known.
    waiting: Vec<(usize, Vec<(String, String)>)>,
}

impl Objects {
    fn one(
        &mut self,
        input: &Input,
        (at, text): (usize, &[u8]),
        columns: &[String],
        raw: &mut Raw,
    ) {
        let value = match lenient::from_slice::<Value>(text) {
            Ok(Value::Array(cells)) if !columns.is_empty() => {
                Value::Object(columns.iter().cloned().zip(cells).collect())
            }
            Ok(value @ Value::Object(_)) => value,
            Ok(_) => return input.skip_unreadable(at, "a span", "it is not an object", raw),
            Err(e) => return input.skip_unreadable(at, "a span", e, raw),
        };
        let mut cells = Vec::new();
        flatten("", &value, &mut cells);
        for (name, _) in &cells {
            if !self.meanings.contains_key(name) {
                self.meanings.insert(name.clone(), meaning(name));
            }
        }
        cells.retain(|(name, _)| self.meanings[name].role != Role::Unused);
        match self.unit {
            Some(unit) => self.push(at, &cells, unit, input, raw),
            None => {
                self.waiting.push((at, cells));
                if self.waiting.len() >= LOOK {
                    self.decide(input, raw);
                }
            }
        }
    }

    fn push(&self, at: usize, cells: &[(String, String)], unit: f64, input: &Input, raw: &mut Raw) {
        let fields: Vec<Field> = cells
            .iter()
            .filter_map(|(name, text)| Some((self.meanings.get(name)?, text.as_str())))
            .collect();
        push(Place::Offset(at), &fields, unit, input, raw);
    }

    /// Decides the unit by the rows that wait for it, and reads them.
    fn decide(&mut self, input: &Input, raw: &mut Raw) {
        let bare = |(name, text): &(String, String)| {
            let m = self.meanings.get(name)?;
            (m.role == Role::Duration && m.unit.is_none()).then(|| number(text))?
        };
        let rows = std::mem::take(&mut self.waiting);
        if rows.is_empty() {
            return;
        }
        let durations = rows.iter().flat_map(|(_, cells)| cells).filter_map(bare).collect();
        let unit = assume_unit(durations, input, raw);
        self.unit = Some(unit);
        for (at, cells) in &rows {
            self.push(*at, cells, unit, input, raw);
        }
    }
}

/// Reads the rows of a table.
pub fn table(input: &Input, table: &Table, unit: Option<f64>, raw: &mut Raw) {
    let meanings: Vec<Meaning> = table.header.iter().map(|h| meaning(h)).collect();
    let unit = unit.unwrap_or_else(|| {
        let bare = |m: &Meaning| m.role == Role::Duration && m.unit.is_none();
        let bare: Vec<usize> = (0..meanings.len()).filter(|i| bare(&meanings[*i])).collect();
        let cells = table.rows.iter().take(LOOK).flat_map(|r| bare.iter().map(|i| r.get(*i)));
        assume_unit(cells.flatten().filter_map(|c| number(c)).collect(), input, raw)
    });
    for (cells, line) in table.rows.iter().zip(&table.lines) {
        let maps: Vec<(Meaning, String)> = maps(&meanings, cells, *line, input, raw);
        let mut fields: Vec<Field> =
            meanings.iter().zip(cells).map(|(m, c)| (m, c.trim())).collect();
        fields.extend(maps.iter().map(|(m, v)| (m, v.as_str())));
        push(Place::Line(*line), &fields, unit, input, raw);
    }
}

/// The entries of a row's cells that are maps of attributes.
fn maps(
    meanings: &[Meaning],
    cells: &[String],
    line: u64,
    input: &Input,
    raw: &mut Raw,
) -> Vec<(Meaning, String)> {
    let mut out = Vec::new();
    for (column, cell) in meanings.iter().zip(cells) {
        let role = match column.role {
            Role::Resource => Role::OneResource,
            Role::Attributes | Role::Events => Role::OneAttribute,
            _ => continue,
        };
        let (found, whole) = pairs(cell);
        if !whole {
            raw.skip(input.file, Some(line), "attributes are not a map: read up to the defect", 1);
        }
        for (key, value) in found {
            if column.role != Role::Events || key == "exception.type" {
                out.push((Meaning { role, attribute: key, ..Meaning::default() }, value));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_of_durations_is_told_by_their_size() {
        let unit = |values: &[f64]| unit_by_magnitude(values.to_vec()).0;
        assert_eq!(unit(&[0.01, 0.2, 3.0]), 1e6);
        assert_eq!(unit(&[0.0, 12.5, 90.0, 1500.0]), 1e3);
        assert_eq!(unit(&[12_500.0, 90_000.0]), 1.0);
        assert_eq!(unit(&[12_500_000.0]), 1e-3);
        assert_eq!(unit(&[]), 1e3);
    }

    #[test]
    fn a_duration_may_hold_its_unit() {
        let ms = Meaning { unit: Some(1e3), ..Meaning::default() };
        assert_eq!(duration((&ms, "12.5"), 1.0), Some(12_500));
        assert_eq!(duration((&ms, "1.5 s"), 1.0), Some(1_500_000));
        assert_eq!(duration((&Meaning::default(), "7"), 1.0), Some(7));
        assert_eq!(duration((&ms, "fast"), 1.0), None);
    }
}
