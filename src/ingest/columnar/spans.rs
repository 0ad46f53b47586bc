//! Tables of spans in columns: `otel_traces` of ClickHouse, and flat tables of any tool.
//! In: record batches. Out: spans, through the same roles of columns as in text.

use super::super::Input;
use super::super::raw::Raw;
use super::super::spans::{id64, id128};
use super::super::traces::roles::{self, Role, meaning};
use super::super::traces::rows::assume_unit;
use super::super::traces::{Place, Row, failed, flagged, kind_of, literal};
use super::times::{Times, lengths, times};
use super::values::{Pairs, range, texts};
use ::arrow::array::{Array, ArrayRef, AsArray, BinaryArray, ListArray, RecordBatch, StringArray};
use ::arrow::compute::cast;
use ::arrow::datatypes::{DataType, Float64Type, Schema, UInt64Type};
use ::arrow::error::ArrowError;
use std::collections::HashMap;

/// Microseconds in the unit of `Duration` beside ClickHouse's `SpanName`.
const NANOS: f64 = 1e-3;

/// Says whether the columns are those of spans.
pub fn is_spans(schema: &Schema) -> bool {
    roles::is_spans(schema.fields().iter().map(|f| f.name().as_str()))
}

/// The columns that say something of a span.
pub fn wanted(schema: &Schema) -> Vec<usize> {
    let used = |i: &usize| meaning(schema.field(*i).name()).role != Role::Unused;
    (0..schema.fields().len()).filter(used).collect()
}

/// What the columns are; of several with one role, the one that fits best.
pub struct Sink {
    columns: HashMap<Role, (usize, usize)>,
    maps: Vec<(Role, usize)>,
    single: Vec<(Role, String, usize)>,
    /// Microseconds in one unit of the durations, once it is known.
    unit: Option<f64>,
}

impl Sink {
    /// Understands the columns.
    pub fn new(schema: &Schema) -> Sink {
        let (mut columns, mut unit): (HashMap<Role, (usize, usize)>, _) = (HashMap::new(), None);
        let (mut maps, mut single) = (Vec::new(), Vec::new());
        for (at, field) in schema.fields().iter().enumerate() {
            let m = meaning(field.name());
            match m.role {
                Role::Unused => {}
                Role::Resource | Role::Attributes | Role::Events => maps.push((m.role, at)),
                Role::OneResource | Role::OneAttribute => single.push((m.role, m.attribute, at)),
                role if columns.get(&role).is_none_or(|(rank, _)| *rank > m.rank) => {
                    columns.insert(role, (m.rank, at));
                    if role == Role::Duration {
                        unit = m.unit;
                    }
                }
                _ => {}
            }
        }
        let is_clickhouse = schema.field_with_name("SpanName").is_ok();
        let unit = unit.or_else(|| is_clickhouse.then_some(NANOS));
        Sink { columns, maps, single, unit }
    }

    /// Reads the spans of one batch; `before` rows came before it.
    pub fn add(
        &mut self,
        input: &Input,
        batch: &RecordBatch,
        before: u64,
        raw: &mut Raw,
    ) -> Result<(), ArrowError> {
        let column = |role| self.columns.get(&role).map(|(_, at)| batch.column(*at));
        let words = |role| column(role).map(texts).transpose();
        let ids = |role| column(role).map(ids).transpose();
        let clock = |role| column(role).map(|c| times(c, input.zone)).transpose();
        let (start, end) = (clock(Role::Start)?, clock(Role::End)?);
        if start.as_ref().is_some_and(|t| t.zone_assumed) {
            raw.zone_assumed(input.file);
        }
        let duration = match column(Role::Duration) {
            Some(c) => {
                let unit = match self.unit {
                    Some(unit) => unit,
                    None => assumed(c, input, raw)?,
                };
                self.unit = Some(unit);
                Some(lengths(c, unit)?)
            }
            None => None,
        };
        let cells = Cells {
            trace: ids(Role::Trace)?,
            span: ids(Role::Span)?,
            parent: ids(Role::Parent)?,
            service: words(Role::Service)?,
            name: words(Role::Name)?,
            kind: words(Role::Kind)?,
            status: words(Role::Status)?,
            failed: words(Role::Failed)?,
            start,
            end,
            duration,
            nested: nested(&self.maps, batch)?,
            single: self
                .single
                .iter()
                .map(|(role, name, at)| Ok((*role, name.as_str(), texts(batch.column(*at))?)))
                .collect::<Result<_, ArrowError>>()?,
        };
        for row in 0..batch.num_rows() {
            cells.push(row, before, input, raw);
        }
        Ok(())
    }
}

/// The unit of bare durations, by the first ones.
fn assumed(column: &ArrayRef, input: &Input, raw: &mut Raw) -> Result<f64, ArrowError> {
    if matches!(column.data_type(), DataType::Duration(_)) {
        return Ok(1.0);
    }
    let numbers = cast(column, &DataType::Float64)?;
    let some = numbers.as_primitive::<Float64Type>().iter().flatten().take(500).collect();
    Ok(assume_unit(some, input, raw))
}

/// Ids as text, as bytes or as numbers.
enum Ids {
    Text(StringArray),
    Bytes(BinaryArray),
    Number(::arrow::array::UInt64Array),
}

fn ids(column: &ArrayRef) -> Result<Ids, ArrowError> {
    Ok(match column.data_type() {
        DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) => {
            Ids::Bytes(cast(column, &DataType::Binary)?.as_binary::<i32>().clone())
        }
        kind if kind.is_integer() => {
            Ids::Number(cast(column, &DataType::UInt64)?.as_primitive::<UInt64Type>().clone())
        }
        _ => Ids::Text(texts(column)?),
    })
}

impl Ids {
    fn get(&self, row: usize, bits: u32) -> Option<u128> {
        let text = |t: &str| match bits {
            64 => id64(t).map(u128::from),
            _ => id128(t),
        };
        match self {
            Ids::Text(t) => t.is_valid(row).then(|| text(t.value(row)))?,
            Ids::Number(n) => n.is_valid(row).then(|| u128::from(n.value(row))).filter(|v| *v != 0),
            Ids::Bytes(b) if b.is_valid(row) => {
                let bytes = b.value(row);
                // Older writers do not mark text as such.
                let marked = std::str::from_utf8(bytes).ok().and_then(text);
                let whole = || bytes.iter().fold(0u128, |v, b| v << 8 | u128::from(*b));
                let whole = || Some(whole()).filter(|v| *v != 0 && bytes.len() <= 16);
                marked.or_else(whole)
            }
            Ids::Bytes(_) => None,
        }
    }
}

/// A nested column: pairs by row, or lists of them.
enum Nested {
    Pairs(Pairs),
    Lists(ListArray, Pairs),
}

fn nested(maps: &[(Role, usize)], batch: &RecordBatch) -> Result<Vec<(Role, Nested)>, ArrowError> {
    let mut out = Vec::new();
    for (role, at) in maps {
        let column = batch.column(*at);
        let found = match column.data_type() {
            DataType::List(_) => {
                let list = column.as_list::<i32>().clone();
                Pairs::new(list.values())?.map(|p| Nested::Lists(list, p))
            }
            _ => Pairs::new(column)?.map(Nested::Pairs),
        };
        out.extend(found.map(|n| (*role, n)));
    }
    Ok(out)
}

/// One batch, its columns by role.
struct Cells<'a> {
    trace: Option<Ids>,
    span: Option<Ids>,
    parent: Option<Ids>,
    service: Option<StringArray>,
    name: Option<StringArray>,
    kind: Option<StringArray>,
    status: Option<StringArray>,
    failed: Option<StringArray>,
    start: Option<Times>,
    end: Option<Times>,
    duration: Option<Vec<Option<i64>>>,
    nested: Vec<(Role, Nested)>,
    single: Vec<(Role, &'a str, StringArray)>,
}

fn word(column: &Option<StringArray>, row: usize) -> &str {
    column.as_ref().filter(|c| c.is_valid(row)).map_or("", |c| c.value(row))
}

impl Cells<'_> {
    fn push(&self, row: usize, before: u64, input: &Input, raw: &mut Raw) {
        let at = |t: &Option<Times>| t.as_ref().and_then(|t| t.at.get(row).copied().flatten());
        let id = |ids: &Option<Ids>, bits| ids.as_ref().and_then(|i| i.get(row, bits));
        let id64 = |ids| id(ids, 64).map(|v| v as u64);
        let (start, end) = (at(&self.start), at(&self.end));
        let said = self.duration.as_ref().and_then(|d| d.get(row).copied().flatten());
        let mut span = Row {
            place: Place::Line(before + row as u64 + 1),
            trace: id(&self.trace, 128),
            span: id64(&self.span),
            parent: id64(&self.parent),
            service: word(&self.service, row),
            name: word(&self.name, row),
            kind: kind_of(word(&self.kind, row)),
            start,
            duration: said.or_else(|| Some(end? - start?)),
            error: failed(word(&self.status, row)) || flagged(word(&self.failed, row)),
            ..Row::default()
        };
        let written = self.written(row);
        let written = written.iter().map(|(r, k, v)| (*r, k.as_str(), v.as_str()));
        let single = self.single.iter().filter(|(_, _, c)| c.is_valid(row));
        let single = single.map(|(role, name, c)| (*role, *name, c.value(row)));
        for (role, key, value) in written.chain(single) {
            match role {
                Role::Resource | Role::OneResource => span.resource.push((key, value)),
                _ => span.attributes.push((key, value)),
            }
        }
        for (role, nested) in &self.nested {
            match nested {
                Nested::Pairs(pairs) => pairs.each(row, |k, v| match role {
                    Role::Resource => span.resource.push((k, v)),
                    _ => span.attributes.push((k, v)),
                }),
                Nested::Lists(lists, pairs) => {
                    for inner in range(lists.value_offsets(), row) {
                        pairs.each(inner, |k, v| {
                            if k == "exception.type" {
                                span.attributes.push((k, v));
                            }
                        });
                    }
                }
            }
        }
        span.push(input, raw);
    }

    /// Attributes that stand in text: JSON, or a literal of ClickHouse.
    fn written(&self, row: usize) -> Vec<(Role, String, String)> {
        let mut out = Vec::new();
        for (role, nested) in &self.nested {
            if let Nested::Pairs(pairs) = nested
                && let Some(text) = pairs.text(row)
            {
                let events = *role == Role::Events;
                let found = literal::pairs(text).0.into_iter();
                let found = found.filter(|(k, _)| !events || k == "exception.type");
                out.extend(found.map(|(k, v)| (*role, k, v)));
            }
        }
        out
    }
}
