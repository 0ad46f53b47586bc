//! Columns as arrays of one type, and the entries of nested columns.
//! In: arrays of any physical type. Out: numbers as 64-bit floats, words as UTF-8, pairs of maps.

use super::is_text;
use ::arrow::array::{Array, ArrayRef, AsArray, Float64Array, StringArray, StructArray};
use ::arrow::buffer::OffsetBuffer;
use ::arrow::compute::cast;
use ::arrow::datatypes::{DataType, Float64Type, TimeUnit};
use ::arrow::error::ArrowError;

/// Says whether a column measures something by its type alone.
pub fn is_number(kind: &DataType) -> bool {
    let whole = kind.is_numeric();
    match kind {
        DataType::Dictionary(_, inner) => is_number(inner),
        DataType::Boolean | DataType::Null | DataType::Duration(_) => true,
        _ => whole,
    }
}

/// A column of numbers; durations are seconds.
pub fn numbers(column: &ArrayRef) -> Result<Float64Array, ArrowError> {
    let per_second = match column.data_type() {
        DataType::Duration(TimeUnit::Millisecond) => 1e3,
        DataType::Duration(TimeUnit::Microsecond) => 1e6,
        DataType::Duration(TimeUnit::Nanosecond) => 1e9,
        _ => 1.0,
    };
    let whole = match column.data_type() {
        DataType::Duration(_) => cast(column, &DataType::Int64)?,
        DataType::Null => return Ok(Float64Array::new_null(column.len())),
        _ => column.clone(),
    };
    let out = cast(&whole, &DataType::Float64)?.as_primitive::<Float64Type>().clone();
    Ok(if per_second == 1.0 { out } else { out.unary(|v| v / per_second) })
}

/// A column as words; bytes that are no UTF-8 are null.
pub fn texts(column: &ArrayRef) -> Result<StringArray, ArrowError> {
    let kind = column.data_type();
    let plain = match kind {
        DataType::Dictionary(_, inner) if is_text(inner) => &cast(column, inner)?,
        _ => column,
    };
    Ok(cast(plain, &DataType::Utf8)?.as_string::<i32>().clone())
}

/// A column of maps, structs or JSON text, of which each row gives pairs.
pub enum Pairs {
    Map { offsets: OffsetBuffer<i32>, keys: StringArray, values: StringArray },
    Fields(Vec<(String, StringArray)>),
    Text(StringArray),
}

impl Pairs {
    /// Prepares a column; `None` when it holds nothing of the kind.
    pub fn new(column: &ArrayRef) -> Result<Option<Pairs>, ArrowError> {
        Ok(match column.data_type() {
            DataType::Map(..) => {
                let map = column.as_map();
                let (keys, values) = (texts(map.keys())?, words(map.values())?);
                let offsets = map.offsets().clone();
                values.map(|values| Pairs::Map { offsets, keys, values })
            }
            DataType::Struct(_) => Some(Pairs::Fields(fields("", column.as_struct(), 0)?)),
            kind if is_text(kind) => Some(Pairs::Text(texts(column)?)),
            _ => None,
        })
    }

    /// Hands over the pairs of one row that say something.
    pub fn each<'a>(&'a self, row: usize, mut each: impl FnMut(&'a str, &'a str)) {
        match self {
            Pairs::Map { offsets, keys, values } => {
                for at in range(offsets, row) {
                    if keys.is_valid(at) && values.is_valid(at) {
                        each(keys.value(at), values.value(at));
                    }
                }
            }
            Pairs::Fields(fields) => {
                for (name, values) in fields.iter().filter(|(_, v)| v.is_valid(row)) {
                    each(name, values.value(row));
                }
            }
            // Text needs room of its own: see `text`.
            Pairs::Text(_) => {}
        }
    }

    /// The row's text, where the pairs stand in one.
    pub fn text(&self, row: usize) -> Option<&str> {
        match self {
            Pairs::Text(t) if t.is_valid(row) => Some(t.value(row)),
            _ => None,
        }
    }
}

/// The places that belong to one row of a nested column.
pub fn range(offsets: &[i32], row: usize) -> std::ops::Range<usize> {
    match (offsets.get(row), offsets.get(row + 1)) {
        (Some(from), Some(to)) => *from as usize..*to as usize,
        _ => 0..0,
    }
}

/// A column as words, unless it is nested.
fn words(column: &ArrayRef) -> Result<Option<StringArray>, ArrowError> {
    let kind = column.data_type();
    let plain = is_text(kind) || is_number(kind);
    if plain { texts(column).map(Some) } else { Ok(None) }
}

/// The plain fields of a struct under their dotted names.
fn fields(
    path: &str,
    of: &StructArray,
    depth: usize,
) -> Result<Vec<(String, StringArray)>, ArrowError> {
    let mut out = Vec::new();
    for (field, column) in of.fields().iter().zip(of.columns()) {
        let name =
            if path.is_empty() { field.name().clone() } else { format!("{path}.{}", field.name()) };
        match column.data_type() {
            DataType::Struct(_) if depth < 4 => {
                out.extend(fields(&name, column.as_struct(), depth + 1)?);
            }
            _ => out.extend(words(column)?.map(|w| (name, w))),
        }
    }
    Ok(out)
}
