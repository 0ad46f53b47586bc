//! Columns of times of every physical type. In: timestamps, dates, numbers, text. Out: microseconds.

use super::super::table;
use super::super::traces::epoch;
use super::{is_text, values};
use crate::model::Micros;
use crate::time::{self, EpochUnit, Zone};
use ::arrow::array::{Array, ArrayRef, AsArray};
use ::arrow::compute::cast;
use ::arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use ::arrow::error::ArrowError;

/// Times of a column, row by row.
#[derive(Default)]
pub struct Times {
    pub at: Vec<Option<Micros>>,
    /// There was a time without a zone, and none was named.
    pub zone_assumed: bool,
}

/// Says whether a column holds times by its type alone.
pub fn is_time(kind: &DataType) -> bool {
    matches!(kind, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
}

/// Reads a column of times; numbers count from the epoch, in the unit that their size tells.
pub fn times(column: &ArrayRef, zone: &Zone) -> Result<Times, ArrowError> {
    let mut out = Times::default();
    match column.data_type() {
        DataType::Timestamp(_, of) => {
            let micros = cast(column, &DataType::Timestamp(TimeUnit::Microsecond, of.clone()))?;
            let micros = micros.as_primitive::<TimestampMicrosecondType>();
            match of {
                // What has a zone counts from the epoch in UTC whatever the zone is called.
                Some(_) => out.at = micros.iter().map(|t| t.and_then(time::believable)).collect(),
                None => wall(micros.iter(), zone, &mut out),
            }
        }
        DataType::Date32 | DataType::Date64 => {
            let kind = DataType::Timestamp(TimeUnit::Microsecond, None);
            let micros = cast(column, &kind)?;
            wall(micros.as_primitive::<TimestampMicrosecondType>().iter(), zone, &mut out);
        }
        DataType::Dictionary(_, inner) if !is_text(inner) => {
            return times(&cast(column, inner)?, zone);
        }
        kind if is_text(kind) => {
            let texts = values::texts(column)?;
            let cells: Vec<&str> = texts.iter().map(Option::unwrap_or_default).collect();
            let parsed = table::times(&cells, zone);
            out.zone_assumed = parsed.iter().flatten().any(|p| p.zone_assumed);
            out.at = parsed.into_iter().map(|p| p.map(|p| p.at)).collect();
        }
        kind if kind.is_integer() => {
            let whole = cast(column, &DataType::Int64)?;
            out.at = whole.as_primitive::<Int64Type>().iter().map(|t| epoch(t?)).collect();
        }
        _ => {
            let numbers = values::numbers(column)?;
            let mut known: Vec<f64> = numbers.iter().flatten().filter(|v| v.is_finite()).collect();
            known.sort_by(f64::total_cmp);
            let typical = known.get(known.len() / 2);
            let unit = typical.map_or(EpochUnit::Seconds, |t| time::epoch_unit(*t));
            out.at = numbers.iter().map(|t| time::from_epoch(t?, unit)).collect();
        }
    }
    Ok(out)
}

fn wall(clock: impl Iterator<Item = Option<i64>>, zone: &Zone, out: &mut Times) {
    for reading in clock {
        let parsed = reading.and_then(|t| time::of_wall_clock(t, zone));
        out.zone_assumed |= parsed.is_some_and(|p| p.zone_assumed);
        out.at.push(parsed.map(|p| p.at));
    }
}

/// Lengths of time in microseconds; `unit` is that of bare numbers.
pub fn lengths(column: &ArrayRef, unit: f64) -> Result<Vec<Option<i64>>, ArrowError> {
    if let DataType::Duration(_) = column.data_type() {
        let seconds = values::numbers(column)?;
        return Ok(seconds.iter().map(|s| s.map(|s| (s * 1e6).round() as i64)).collect());
    }
    let numbers = cast(column, &DataType::Float64)?;
    let numbers = numbers.as_primitive::<Float64Type>();
    let micros = |v: f64| v.is_finite().then(|| (v * unit).round() as i64);
    Ok(numbers.iter().map(|v| v.and_then(micros)).collect())
}
