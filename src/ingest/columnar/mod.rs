//! Columnar files (Parquet, Arrow IPC) to series and spans. In: record batches. Out: what a table
//! of text with the same columns would give; columns of numbers and times never become text.

pub mod arrow_ipc;
mod chunks;
mod claims;
mod pages;
pub mod parquet;
mod series;
mod spans;
mod text;
mod times;
mod values;

pub use claims::defect as arrow_defect;
pub use pages::defect as parquet_defect;

use super::raw::Raw;
use super::{Head, Input, READERS, Reader};
use crate::ingest::text::beginning;
use crate::model::GapKind;
use ::arrow::array::RecordBatch;
use ::arrow::datatypes::{DataType, Schema};
use ::arrow::error::ArrowError;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Says whether this thread is inside a decoder whose panics are caught and become gaps: a panic
/// hook has nothing to print then.
pub fn in_guarded_decoder() -> bool {
    GUARDED.get()
}

/// Runs a decoder that indexes by what a file says; `None` when it tripped over a file that lies.
pub fn guard<T>(run: impl FnOnce() -> T) -> Option<T> {
    GUARDED.set(true);
    let result = catch_unwind(AssertUnwindSafe(run));
    GUARDED.set(false);
    result.ok()
}

/// Reads a whole file; what the library cannot read, or trips over, is a gap.
fn guarded(
    input: &Input,
    raw: &mut Raw,
    read: impl FnOnce(&mut Raw) -> Result<(), (GapKind, String)>,
) {
    match guard(|| read(raw)) {
        Some(Ok(())) => {}
        Some(Err((kind, what))) => raw.gap(kind, input.file, None, what),
        None => {
            let what = "the file contradicts itself: what stands before was read";
            raw.gap(GapKind::Unreadable, input.file, None, what);
        }
    }
}

/// Where the rows of a file go.
enum Sink {
    Spans(spans::Sink),
    Series(Box<series::Sink>),
    Text(text::Sink),
}

/// Columns that are needed, if it is known beforehand that not all are.
fn wanted(schema: &Schema) -> Option<Vec<usize>> {
    spans::is_spans(schema).then(|| spans::wanted(schema))
}

/// The reader that knows tables of text with these columns; `None` where it is the generic one.
fn known_table(input: &Input, schema: &Schema) -> Option<&'static Reader> {
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    let text = text::lines(&[names.clone(), vec!["0"; names.len()]]);
    let head = Head::new(input.name(), &text);
    let columnar = ["parquet", "arrow-ipc"];
    let found = READERS.iter().filter(|r| !columnar.contains(&r.name)).find(|r| (r.accepts)(&head));
    found.filter(|r| r.name != "table")
}

fn sink(input: &Input, batch: &RecordBatch, raw: &mut Raw) -> Option<Sink> {
    let schema = batch.schema();
    if spans::is_spans(&schema) {
        return Some(Sink::Spans(spans::Sink::new(&schema)));
    }
    if let Some(reader) = known_table(input, &schema) {
        return Some(Sink::Text(text::Sink::new(reader)));
    }
    match series::Sink::shape(input, batch, raw) {
        series::Shape::Typed(sink) => Some(Sink::Series(sink)),
        // Numbers written as text: the reader of text knows their units and words for nothing.
        series::Shape::Text => {
            let generic = READERS.iter().find(|r| r.name == "table");
            generic.map(|r| Sink::Text(text::Sink::new(r)))
        }
        series::Shape::Unknown => None,
    }
}

/// Reads batches until one is defective; gives the defect. They go `into` what is given, or into
/// what the first of them is fit for.
fn read_batches(
    input: &Input,
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
    mut into: Option<Sink>,
    raw: &mut Raw,
) -> Result<(), ArrowError> {
    let mut rows = 0u64;
    let mut defect = Ok(());
    for batch in batches {
        let batch = match batch {
            Ok(batch) => batch,
            Err(e) => {
                defect = Err(e);
                break;
            }
        };
        if batch.num_rows() == 0 {
            continue;
        }
        if into.is_none() {
            into = sink(input, &batch, raw);
        }
        let read = match &mut into {
            Some(Sink::Spans(sink)) => sink.add(input, &batch, rows, raw),
            Some(Sink::Series(sink)) => sink.add(input, &batch, rows, raw),
            Some(Sink::Text(sink)) => sink.add(&batch),
            None => {
                let names: Vec<&str> =
                    batch.schema_ref().fields().iter().map(|f| f.name().as_str()).collect();
                let names = beginning(&names.join(", "), 200);
                let what = || format!("no time column among the columns {names}");
                raw.skip_like(input.file, "no time", batch.num_rows() as u64, || (None, what()));
                Ok(())
            }
        };
        if let Err(e) = read {
            defect = Err(e);
            break;
        }
        rows += batch.num_rows() as u64;
    }
    match into {
        Some(Sink::Series(sink)) => sink.finish(input, raw),
        Some(Sink::Text(sink)) => sink.finish(input, raw),
        Some(Sink::Spans(_)) | None => {}
    }
    defect
}

/// Says whether a table holds times and numbers only.
fn is_wide(schema: &Schema) -> bool {
    let kinds = schema.fields().iter().map(|f| f.data_type());
    kinds.into_iter().all(|kind| times::is_time(kind) || values::is_number(kind))
}

/// Says whether a column holds text, as such or in a dictionary.
fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, inner) => is_text(inner),
        kind => {
            use DataType::{Binary, BinaryView, LargeBinary, LargeUtf8, Utf8, Utf8View};
            matches!(kind, Utf8 | LargeUtf8 | Utf8View | Binary | LargeBinary | BinaryView)
        }
    }
}
