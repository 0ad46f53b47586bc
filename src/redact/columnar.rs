//! Parquet and Arrow IPC. In: a file in memory. Out: the same columns, those of strings with other
//! strings; what a file says beside its columns (names of tools, paths) is left out.

use super::Redactor;
use super::keys::{self, Class};
use super::stream::Refused;
use crate::ingest::{arrow_defect, guard};
use arrow::array::{
    Array, ArrayData, ArrayRef, BinaryArray, LargeStringArray, RecordBatch, StringArray,
    StringViewArray, make_array,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};
use arrow::ipc::writer::{FileWriter, StreamWriter};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use prost::bytes::Bytes;
use std::io::Cursor;
use std::sync::Arc;

type Failed = Box<dyn std::error::Error>;
type Rewritten = std::result::Result<Vec<u8>, Refused>;

/// Rewrites a columnar file; `None` where it is none.
pub(super) fn rewrite(all: &mut Redactor, name: &str, stored: &[u8]) -> Option<Rewritten> {
    let is_stream = stored.starts_with(&[0xff; 4]) || name.contains(".arrow");
    let run: fn(&mut Redactor, &[u8]) -> Result<Vec<u8>, Failed> = match () {
        () if stored.starts_with(b"PAR1") => parquet_file,
        () if stored.starts_with(b"ARROW1") || is_stream => arrow,
        () => return None,
    };
    // The decoders index by what a file says, and trip over a file that lies.
    Some(match guard(|| run(all, stored)) {
        None => Err(Refused::unfit("the file contradicts itself")),
        Some(Err(e)) => Err(Refused::unfit(e.to_string())),
        Some(Ok(new)) => Ok(new),
    })
}

fn parquet_file(all: &mut Redactor, stored: &[u8]) -> Result<Vec<u8>, Failed> {
    let bytes = Bytes::copy_from_slice(stored);
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
    if let Some(what) = crate::ingest::parquet_defect(stored, builder.metadata()) {
        return Err(what.into());
    }
    let schema = renamed(all, builder.schema());
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut out = ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties))?;
    for batch in builder.build()? {
        out.write(&rewritten(all, &batch?, &schema)?)?;
    }
    Ok(out.into_inner()?)
}

fn arrow(all: &mut Redactor, stored: &[u8]) -> Result<Vec<u8>, Failed> {
    if let Some(what) = arrow_defect(stored) {
        return Err(what.into());
    }
    match stored.starts_with(b"ARROW1") {
        true => arrow_file(all, stored),
        false => arrow_stream(all, stored),
    }
}

fn arrow_file(all: &mut Redactor, stored: &[u8]) -> Result<Vec<u8>, Failed> {
    let reader = FileReader::try_new(Cursor::new(stored), None)?;
    let schema = renamed(all, &reader.schema());
    let mut out = FileWriter::try_new(Vec::new(), &schema)?;
    for batch in reader {
        out.write(&rewritten(all, &batch?, &schema)?)?;
    }
    Ok(out.into_inner()?)
}

fn arrow_stream(all: &mut Redactor, stored: &[u8]) -> Result<Vec<u8>, Failed> {
    let reader = StreamReader::try_new(Cursor::new(stored), None)?;
    let schema = renamed(all, &reader.schema());
    let mut out = StreamWriter::try_new(Vec::new(), &schema)?;
    for batch in reader {
        out.write(&rewritten(all, &batch?, &schema)?)?;
    }
    Ok(out.into_inner()?)
}

/// The schema with the names of its columns looked at, without anything said beside them.
fn renamed(all: &mut Redactor, schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|f| {
        let new = all.value(Class::Other, f.name(), 1);
        let name = new.unwrap_or_else(|| f.name().clone());
        Field::new(name, f.data_type().clone(), f.is_nullable())
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn rewritten(
    all: &mut Redactor,
    batch: &RecordBatch,
    schema: &SchemaRef,
) -> Result<RecordBatch, ArrowError> {
    let named = batch.schema();
    let columns = batch.columns().iter().zip(named.fields()).map(|(column, field)| {
        Ok(make_array(data(all, column.to_data(), keys::class(field.name()))?))
    });
    RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, ArrowError>>()?)
}

/// An array of any type with other strings in it.
fn data(all: &mut Redactor, old: ArrayData, class: Class) -> Result<ArrayData, ArrowError> {
    let array = make_array(old.clone());
    if let Some(new) = strings(all, &array, &|_| class) {
        return Ok(new.to_data());
    }
    if old.child_data().is_empty() {
        return Ok(old);
    }
    let mut children = Vec::new();
    for (i, child) in old.child_data().iter().enumerate() {
        let class = member_class(&old, i, class);
        // Attributes: a column of names beside the column of their values.
        let names = (i == 1).then(|| names_of(&old)).flatten();
        let by_name = names.and_then(|names| {
            let of = |row: usize| names.get(row).copied().unwrap_or_default();
            strings(all, &make_array(child.clone()), &of).map(|new| new.to_data())
        });
        children.push(match by_name {
            Some(new) => new,
            None => data(all, child.clone(), class)?,
        });
    }
    old.into_builder().child_data(children).build()
}

/// What the member `i` of a struct is; any other child is what its parent is.
fn member_class(parent: &ArrayData, i: usize, class: Class) -> Class {
    match parent.data_type() {
        DataType::Struct(fields) => match keys::class(fields[i].name()) {
            Class::Other => class,
            own => own,
        },
        _ => class,
    }
}

/// The classes that the first of two members of a struct, both strings, gives the second, by row.
fn names_of(parent: &ArrayData) -> Option<Vec<Class>> {
    let DataType::Struct(fields) = parent.data_type() else { return None };
    if fields.len() != 2 || !matches!(fields[0].data_type(), DataType::Utf8) {
        return None;
    }
    let names = make_array(parent.child_data().first()?.clone());
    let names = names.as_any().downcast_ref::<StringArray>()?;
    Some(names.iter().map(|n| keys::class(n.unwrap_or_default())).collect())
}

/// An array of strings with others; `None` where it holds none.
fn strings(
    all: &mut Redactor,
    array: &ArrayRef,
    class: &dyn Fn(usize) -> Class,
) -> Option<ArrayRef> {
    let mut new = |(row, text): (usize, Option<&str>)| {
        text.map(|t| all.value(class(row), t, row as u64 + 1).unwrap_or_else(|| t.to_owned()))
    };
    let any = array.as_any();
    if let Some(a) = any.downcast_ref::<StringArray>() {
        let all: StringArray = a.iter().enumerate().map(&mut new).collect();
        return Some(Arc::new(all));
    }
    if let Some(a) = any.downcast_ref::<LargeStringArray>() {
        let all: LargeStringArray = a.iter().enumerate().map(&mut new).collect();
        return Some(Arc::new(all));
    }
    if let Some(a) = any.downcast_ref::<StringViewArray>() {
        let all: StringViewArray = a.iter().enumerate().map(&mut new).collect();
        return Some(Arc::new(all));
    }
    let bytes = any.downcast_ref::<BinaryArray>()?;
    // Text is written as bytes by tools that do not say that it is text.
    let rows = bytes.iter().enumerate().map(|(row, b)| {
        let text = b.and_then(|b| std::str::from_utf8(b).ok());
        new((row, text)).map(String::into_bytes).or_else(|| b.map(<[u8]>::to_vec))
    });
    let rows: Vec<Option<Vec<u8>>> = rows.collect();
    Some(Arc::new(rows.iter().map(Option::as_deref).collect::<BinaryArray>()))
}
