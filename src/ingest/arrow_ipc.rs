//! Arrow IPC files and streams: the same wide and long tables as CSV, with typed columns.

use super::raw::Raw;
use super::table::{self, Table};
use super::{Head, Input};
use crate::model::GapKind;
use arrow::array::{ArrayRef, RecordBatch, make_array};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use std::io::Cursor;

/// Accepts the magic of an IPC file or the continuation marker of a stream.
pub fn accepts(head: &Head) -> bool {
    head.starts_with(b"ARROW1") || head.starts_with(&[0xff, 0xff, 0xff, 0xff])
}

/// Reads every record batch as rows of a table.
pub fn read(input: &Input, raw: &mut Raw) {
    let mut table = Table::default();
    if let Err(e) = batches(input.bytes, &mut table) {
        raw.gap(GapKind::Truncated, input.file, None, format!("Arrow IPC: {e}"));
    }
    if table.column(&["timestamp", "time", "ts"]).is_none() && !table.header.is_empty() {
        let names = table.header.join(", ");
        let what = format!("no time column among the columns {names}");
        raw.skip(input.file, None, what, table.rows.len() as u64);
        return;
    }
    table::read_table(input, &table, raw);
}

fn batches(bytes: &[u8], table: &mut Table) -> Result<(), ArrowError> {
    let cursor = Cursor::new(bytes);
    if bytes.starts_with(b"ARROW1") {
        for batch in FileReader::try_new(cursor, None)? {
            append(&batch?, table)?;
        }
    } else {
        for batch in StreamReader::try_new(cursor, None)? {
            append(&batch?, table)?;
        }
    }
    Ok(())
}

fn append(batch: &RecordBatch, table: &mut Table) -> Result<(), ArrowError> {
    if table.header.is_empty() {
        table.header = batch.schema().fields().iter().map(|f| f.name().clone()).collect();
    }
    let options = FormatOptions::default();
    let columns = batch.columns().iter().map(|c| plain(c)).collect::<Result<Vec<_>, _>>()?;
    let columns = columns
        .iter()
        .map(|c| ArrayFormatter::try_new(c.as_ref(), &options))
        .collect::<Result<Vec<_>, _>>()?;
    for row in 0..batch.num_rows() {
        table.rows.push(columns.iter().map(|c| c.value(row).to_string()).collect());
        table.lines.push(table.rows.len() as u64);
    }
    Ok(())
}

/// Times count from the epoch in UTC whatever their zone is called: shown at an offset of zero.
fn plain(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match column.data_type() {
        DataType::Timestamp(unit, Some(_)) => {
            let data = column.to_data().into_builder();
            let kind = DataType::Timestamp(*unit, Some("+00:00".into()));
            Ok(make_array(data.data_type(kind).build()?))
        }
        _ => Ok(column.clone()),
    }
}
