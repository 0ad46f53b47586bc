//! Parquet files. In: bytes, read row group by row group. Out: series or spans, by way of batches.

use super::super::raw::Raw;
use super::super::{Head, Input};
use super::{Sink, chunks, guarded, is_wide, pages, read_batches, series, sink, wanted};
use crate::model::GapKind;
use ::arrow::array::RecordBatch;
use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use prost::bytes::Bytes;

/// Cells that are decoded at a time, so that memory does not grow with the number of columns.
const CELLS: usize = 2 << 20;
/// Columns of numbers that are read at a time: each set is read to its end before the next, for pages
/// of columns that are read together lie unpacked in memory together.
const COLUMNS: usize = 1024;

/// Accepts the magic of plain and of encrypted files.
pub fn accepts(head: &Head) -> bool {
    head.starts_with(b"PAR1") || head.starts_with(b"PARE")
}

/// Reads every row group.
pub fn read(input: &Input, raw: &mut Raw) {
    guarded(input, raw, |raw| {
        if input.bytes.starts_with(b"PARE") || input.bytes.ends_with(b"PARE") {
            let what = "an encrypted Parquet file: write it without encryption";
            return Err((GapKind::Unreadable, what.to_owned()));
        }
        if input.bytes.len() < 12 || !input.bytes.ends_with(b"PAR1") {
            let what = "the file ends before its footer, without which Parquet cannot be read";
            return Err((GapKind::Truncated, what.to_owned()));
        }
        row_groups(input, raw).map_err(|e| (GapKind::Unreadable, told(&e.to_string())))
    });
}

fn row_groups(input: &Input, raw: &mut Raw) -> Result<(), Box<dyn std::error::Error>> {
    let bytes = input.shared();
    let known = ArrowReaderMetadata::load(&bytes, ArrowReaderOptions::default())?;
    if let Some(what) = pages::defect(input.bytes, known.metadata()) {
        return Err(what.into());
    }
    let schema = known.schema().clone();
    let mut into = None;
    if schema.fields().len() > COLUMNS && known.metadata().file_metadata().num_rows() > 0 {
        into = is_wide(&schema)
            .then(|| sink(input, &RecordBatch::new_empty(schema.clone()), raw))
            .flatten();
        match into {
            Some(Sink::Series(wide)) => match wide.column_sets(COLUMNS) {
                Some(sets) => return by_columns(input, &bytes, &known, (*wide, sets), raw),
                None => into = Some(Sink::Series(wide)),
            },
            other => into = other,
        }
    }
    let columns = schema.fields().len().max(1);
    let rows = (CELLS / columns).clamp(64, 8192);
    let mask = match wanted(&schema) {
        Some(roots) => ProjectionMask::roots(known.parquet_schema(), roots),
        None => ProjectionMask::all(),
    };
    Ok(read_batches(input, chunks::batches(&bytes, &known, mask, rows)?, into, raw)?)
}

/// Reads a table of numbers only, one set of columns after the other.
fn by_columns(
    input: &Input,
    bytes: &Bytes,
    known: &ArrowReaderMetadata,
    (mut sink, sets): (series::Sink, Vec<Vec<usize>>),
    raw: &mut Raw,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut one = |columns: &Vec<usize>| -> Result<(), Box<dyn std::error::Error>> {
        let mask = ProjectionMask::roots(known.parquet_schema(), columns.iter().copied());
        let batches = chunks::batches(bytes, known, mask, CELLS / COLUMNS)?;
        let mut rows = 0;
        for batch in batches {
            let batch = batch?;
            sink.add_some(input, &batch, columns, rows, raw)?;
            rows += batch.num_rows() as u64;
        }
        Ok(())
    };
    let read = sets.iter().try_for_each(&mut one);
    sink.finish(input, raw);
    read
}

/// A defect in words; where the footer is plain, encrypted columns show as fields that are missing.
fn told(defect: &str) -> String {
    let hint = if defect.contains("is missing") { " (are its columns encrypted?)" } else { "" };
    format!("Parquet: {defect}{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::read_text;
    use ::arrow::array::{ArrayRef, Float64Array, TimestampMillisecondArray};
    use ::parquet::arrow::ArrowWriter;
    use std::sync::Arc;

    #[test]
    fn columns_that_are_read_in_sets_are_those_of_the_table() {
        let (count, rows, start) = (2 * COLUMNS + 5, 70, 1_795_205_400_000);
        let value = |column: usize, row: usize| match (column, row) {
            (7, 3) => None,
            (9, 4) => Some(f64::INFINITY),
            (c, r) => Some((c * 1000 + r) as f64),
        };
        let column = |c: usize| -> (String, ArrayRef) {
            let values = (0..rows).map(|r| value(c, r));
            (format!("s{c}_cpu"), Arc::new(Float64Array::from_iter(values)))
        };
        let mut columns: Vec<(String, ArrayRef)> = (0..count).map(column).collect();
        // One row has no time; the time stands between the numbers.
        let at = (0..rows as i64).map(|r| (r != 5).then_some(start + r * 15_000));
        let times = TimestampMillisecondArray::from_iter(at);
        columns.insert(COLUMNS + 2, ("time".to_owned(), Arc::new(times)));
        let batch = RecordBatch::try_from_iter(columns).expect("a table");
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).expect("a writer");
        writer.write(&batch).expect("written");
        writer.close().expect("closed");
        let raw = read_text("wide.parquet", &bytes);
        assert_eq!(raw.series.len(), count);
        for (c, series) in raw.series.iter().enumerate() {
            assert_eq!(series.name, format!("s{c}_cpu"));
            let known = |r: &usize| *r != 5 && value(c, *r).is_some_and(f64::is_finite);
            let sample = |r: usize| ((start + r as i64 * 15_000) * 1000, (c * 1000 + r) as f64);
            let want: Vec<(i64, f64)> = (0..rows).filter(known).map(sample).collect();
            assert_eq!(series.samples, want, "{}", series.name);
        }
        let said: Vec<_> = raw.gaps.iter().map(|g| (g.what.as_str(), g.count)).collect();
        assert_eq!(said.len(), 2 + usize::from(!raw.zone_assumed.is_empty()), "{said:?}");
        assert!(said.contains(&("row without a readable time", 1)), "{said:?}");
        assert!(said.contains(&("value of s9_cpu is infinite", 1)), "{said:?}");
    }
}
