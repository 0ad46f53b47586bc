//! Parquet files. In: bytes, read row group by row group. Out: series or spans, by way of batches.

use super::super::raw::Raw;
use super::super::{Head, Input};
use super::{guarded, pages, read_batches, wanted};
use crate::model::GapKind;
use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use prost::bytes::Bytes;

/// Cells that are decoded at a time, so that memory does not grow with the number of columns.
const CELLS: usize = 2 << 20;

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
    let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::copy_from_slice(input.bytes))?;
    if let Some(what) = pages::defect(input.bytes, builder.metadata()) {
        return Err(what.into());
    }
    let columns = builder.schema().fields().len().max(1);
    let rows = (CELLS / columns).clamp(64, 8192);
    let mask = wanted(builder.schema());
    let mask = mask.map(|roots| ProjectionMask::roots(builder.parquet_schema(), roots));
    let builder = match mask {
        Some(mask) => builder.with_projection(mask),
        None => builder,
    };
    Ok(read_batches(input, builder.with_batch_size(rows).build()?, raw)?)
}

/// A defect in words; where the footer is plain, encrypted columns show as fields that are missing.
fn told(defect: &str) -> String {
    let hint = if defect.contains("is missing") { " (are its columns encrypted?)" } else { "" };
    format!("Parquet: {defect}{hint}")
}
