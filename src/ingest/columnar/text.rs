//! Tables whose columns a reader of text knows (pg_stat_activity, events) or whose numbers are text.
//! In: record batches. Out: what that reader makes of the same table as CSV.

use super::super::raw::Raw;
use super::super::{Input, Reader};
use ::arrow::array::{Array, ArrayRef, RecordBatch, make_array};
use ::arrow::compute::cast;
use ::arrow::datatypes::DataType;
use ::arrow::error::ArrowError;
use ::arrow::util::display::{ArrayFormatter, FormatOptions};

/// A table that is written down as it comes.
pub struct Sink {
    reader: &'static Reader,
    csv: Vec<u8>,
}

impl Sink {
    /// Starts an empty table for a reader.
    pub fn new(reader: &'static Reader) -> Sink {
        Sink { reader, csv: Vec::new() }
    }

    /// Writes the rows of one batch.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        if self.csv.is_empty() {
            let schema = batch.schema();
            let names = schema.fields().iter().map(|f| f.name().clone()).collect();
            self.csv = lines(&[names]);
        }
        let options = FormatOptions::default();
        let columns: Vec<ArrayRef> = batch.columns().iter().map(plain).collect::<Result<_, _>>()?;
        let columns: Vec<(&ArrayRef, ArrayFormatter)> = columns
            .iter()
            .map(|c| Ok((c, ArrayFormatter::try_new(c.as_ref(), &options)?)))
            .collect::<Result<_, ArrowError>>()?;
        let cell = |row: usize| {
            move |(column, shown): &(&ArrayRef, ArrayFormatter)| {
                let text = shown.value(row).to_string();
                // A list as PostgreSQL writes an array.
                match column.data_type() {
                    DataType::List(_) | DataType::LargeList(_) => {
                        text.replace('[', "{").replace(']', "}").replace(", ", ",")
                    }
                    _ => text,
                }
            }
        };
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = columns.iter().map(cell(row)).collect();
            self.csv.extend(lines(&[cells]));
        }
        Ok(())
    }

    /// Hands the table to its reader.
    pub fn finish(self, input: &Input, raw: &mut Raw) {
        (self.reader.read)(&Input { bytes: &self.csv, first_line: 1, ..*input }, raw);
    }
}

/// Records as CSV; memory can be written, so there is no error to tell.
pub fn lines<T: AsRef<[u8]>>(records: &[Vec<T>]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written = records.iter().try_for_each(|r| writer.write_record(r));
    written.ok().and_then(|()| writer.into_inner().ok()).unwrap_or_default()
}

/// Times count from the epoch in UTC whatever their zone is called: shown at an offset of zero.
/// Bytes are shown as the text that they are.
fn plain(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match column.data_type() {
        DataType::Timestamp(unit, Some(_)) => {
            let data = column.to_data().into_builder();
            let kind = DataType::Timestamp(*unit, Some("+00:00".into()));
            Ok(make_array(data.data_type(kind).build()?))
        }
        DataType::Dictionary(_, inner) => plain(&cast(column, inner)?),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            cast(column, &DataType::Utf8)
        }
        _ => Ok(column.clone()),
    }
}
