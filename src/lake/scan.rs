//! Spans from Parquet that is too large to be held. In: a folder of files or a store of objects, also in
//! partitions. Out: the rollup, in as many passes as memory asks for; only row groups of the window are
//! read, and of partitions by date only those near it.

use super::Question;
use super::local::{Name, Names, Rolled, Shards, Span, kind_of, spread};
use super::partition;
use super::sql::COLUMNS;
use super::store::{Place, Store};
use crate::error::{Error, Result};
use ::arrow::array::{Array, AsArray, DictionaryArray, RecordBatch, StringArray};
use ::arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema};
use ::arrow::error::ArrowError;
use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder as Builder,
};
use ::parquet::file::metadata::RowGroupMetaData;
use ::parquet::file::statistics::Statistics;
use rayon::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Spans that are held at a time, 64 bytes each: 1.8 GB. A pass more reads everything once more.
const HELD: u64 = 28_000_000;
/// Rows that are decoded at a time.
const BATCH: usize = 32 << 10;
/// Columns by their place in [`COLUMNS`].
const START: usize = 6;
const DURATION: usize = 7;

/// What was looked at and what was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub files: u64,
    /// Files of partitions by date that are not near the window, which were not opened.
    pub files_left_out: u64,
    pub row_groups: u64,
    pub row_groups_read: u64,
    /// Stored bytes of the columns that are needed.
    pub bytes: u64,
    /// Of these, those of row groups in the window, once.
    pub bytes_read: u64,
    pub passes: u64,
    /// Spans in the window.
    pub spans: u64,
}

/// One row group to read.
struct Part {
    file: Arc<Known>,
    row_group: usize,
}

/// A file of spans whose footer is read.
pub struct Known {
    pub place: Place,
    metadata: ArrowReaderMetadata,
    mask: ProjectionMask,
}

impl Known {
    /// Path of the file; of an object its name.
    pub fn path(&self) -> &Path {
        match &self.place {
            Place::Here(path) => path,
            Place::Far { name, .. } => Path::new(name),
        }
    }

    /// Number of spans.
    pub fn spans(&self) -> u64 {
        u64::try_from(self.metadata.metadata().file_metadata().num_rows()).unwrap_or(0)
    }
}

/// Says whether a folder holds Parquet files of spans only.
pub fn is_lake(root: &Path) -> bool {
    let files = parquet_files(root);
    files.is_ok_and(|f| f.first().is_some_and(|first| open(here(first)).is_ok()))
}

/// Rolls up every span below a folder that starts in the window.
///
/// # Errors
///
/// When the folder has no Parquet file, or one of them cannot be read or has other columns.
pub fn roll_up(root: &Path, question: &Question) -> Result<(Rolled, Names, Tally)> {
    let places = parquet_files(root)?.into_iter().map(|path| {
        let below = path.strip_prefix(root).unwrap_or(&path);
        (below.to_string_lossy().into_owned(), Place::Here(path))
    });
    of_places(places.collect(), &root.display().to_string(), question)
}

/// Rolls up every span of a store that starts in the window.
///
/// # Errors
///
/// When the store does not answer, has no Parquet, or some with other columns.
pub fn of_store(
    store: &Arc<dyn Store>,
    shown: &str,
    question: &Question,
) -> Result<(Rolled, Names, Tally)> {
    let mut places = Vec::new();
    for (name, length) in store.list()? {
        let hidden = name.split('/').any(is_hidden);
        if name.ends_with(".parquet") && !hidden {
            places.push((name.clone(), Place::Far { store: Arc::clone(store), name, length }));
        }
    }
    places.sort_by(|a, b| a.0.cmp(&b.0));
    of_places(places, shown, question)
}

/// Opens what may hold spans of the window and rolls it up.
fn of_places(
    places: Vec<(String, Place)>,
    shown: &str,
    question: &Question,
) -> Result<(Rolled, Names, Tally)> {
    let all = places.len();
    if all == 0 {
        return Err(Error::usage(shown, "there are no Parquet files"));
    }
    let near = places.into_par_iter().filter(|(name, _)| partition::is_near(name, question));
    let files: Vec<Known> = near.map(|(_, place)| open(place)).collect::<Result<_>>()?;
    let left_out = (all - files.len()) as u64;
    let (rolled, names, tally) = of_files(files, question)?;
    Ok((rolled, names, Tally { files_left_out: left_out, ..tally }))
}

/// The Parquet files below a folder that hold spans; a file that cannot be read is none of them.
pub fn span_files(root: &Path) -> Vec<Known> {
    let files = parquet_files(root).unwrap_or_default();
    files.iter().filter_map(|path| open(here(path)).ok()).collect()
}

/// Rolls up the spans of some files that start in the window.
///
/// # Errors
///
/// When one of them cannot be read.
pub fn of_files(files: Vec<Known>, question: &Question) -> Result<(Rolled, Names, Tally)> {
    let mut tally = Tally::default();
    let mut parts = Vec::new();
    for file in files {
        let file = Arc::new(file);
        tally.files += 1;
        for (row_group, meta) in file.metadata.metadata().row_groups().iter().enumerate() {
            let bytes = needed(meta);
            (tally.row_groups, tally.bytes) = (tally.row_groups + 1, tally.bytes + bytes);
            if overlaps(meta, question) {
                tally.row_groups_read += 1;
                tally.bytes_read += bytes;
                tally.spans += u64::try_from(meta.num_rows()).unwrap_or(0);
                parts.push(Part { file: Arc::clone(&file), row_group });
            }
        }
    }
    tally.passes = tally.spans.div_ceil(HELD).max(1);
    let names = Mutex::new(Names::default());
    let mut rolled = Rolled::default();
    let mut spans = 0;
    for pass in 0..tally.passes {
        let shards = Shards::default();
        let taken = |trace: u128| spread(trace) % tally.passes == pass;
        let each = |part: &Part| one(part, question, &names, &shards, taken);
        spans += parts.par_iter().map(each).sum::<Result<u64>>()?;
        rolled.absorb(shards.roll_up(question));
    }
    tally.spans = spans;
    Ok((rolled, names.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner), tally))
}

/// All Parquet files below a folder, sorted.
fn parquet_files(root: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        let fail = |e: std::io::Error| Error::usage(folder.display().to_string(), e.to_string());
        for entry in fs::read_dir(&folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_hidden(&name) {
                continue;
            }
            match entry.file_type().map_err(fail)? {
                kind if kind.is_dir() => folders.push(entry.path()),
                _ if name.ends_with(".parquet") => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Markers and unfinished files of an engine begin so.
fn is_hidden(name: &str) -> bool {
    name.starts_with(['_', '.'])
}

fn here(path: &Path) -> Place {
    Place::Here(path.to_owned())
}

fn defect(place: &Place, e: impl std::fmt::Display) -> Error {
    Error::usage(place.shown(), format!("Parquet: {e}"))
}

/// Reads a footer. Words are asked for as dictionaries: each text is looked up once a batch.
fn open(place: Place) -> Result<Known> {
    let file = place.footer()?;
    let plain =
        ArrowReaderMetadata::load(&file, ArrowReaderOptions::new().with_skip_arrow_metadata(true));
    let plain = plain.map_err(|e| defect(&place, e))?;
    let schema = plain.schema();
    if let Some(missing) = COLUMNS.iter().find(|c| schema.field_with_name(c).is_err()) {
        let what = format!("no column {missing}");
        return Err(
            defect(&place, what).hint(format!("spans need the columns {}", COLUMNS.join(", ")))
        );
    }
    let ids = &COLUMNS[..3];
    let fields = schema.fields().iter().map(|f| {
        let name = f.name().as_str();
        let words =
            COLUMNS.contains(&name) && !ids.contains(&name) && *f.data_type() == DataType::Utf8;
        let words = words
            .then(|| DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)));
        let kind = words.unwrap_or_else(|| f.data_type().clone());
        Field::new(name, kind, f.is_nullable())
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = ArrowReaderOptions::new().with_schema(schema);
    let metadata = ArrowReaderMetadata::load(&file, options).map_err(|e| defect(&place, e))?;
    let leaves = metadata.metadata().file_metadata().schema_descr();
    let mask = ProjectionMask::columns(leaves, COLUMNS);
    Ok(Known { place, metadata, mask })
}

/// Stored bytes of the columns of spans.
fn needed(meta: &RowGroupMetaData) -> u64 {
    let own = meta
        .columns()
        .iter()
        .filter(|c| c.column_path().parts().first().is_some_and(|p| COLUMNS.contains(&p.as_str())));
    own.map(|c| u64::try_from(c.compressed_size()).unwrap_or(0)).sum()
}

/// Says whether a row group may hold spans of the window; without statistics it may.
fn overlaps(meta: &RowGroupMetaData, question: &Question) -> bool {
    let start = meta.columns().iter().find(|c| c.column_path().string() == COLUMNS[START]);
    let Some(Statistics::Int64(s)) = start.and_then(|c| c.statistics()) else { return true };
    let before = s.max_opt().zip(question.from).is_some_and(|(max, from)| *max < from);
    let behind = s.min_opt().zip(question.to).is_some_and(|(min, to)| *min >= to);
    !before && !behind
}

/// Reads one row group; gives how many spans of the window and of this pass it has.
fn one(
    part: &Part,
    question: &Question,
    names: &Mutex<Names>,
    shards: &Shards,
    taken: impl Fn(u128) -> bool,
) -> Result<u64> {
    let Known { place, metadata, mask } = &*part.file;
    let fail = |e: ArrowError| defect(place, e);
    let file = place.columns(metadata.metadata().row_group(part.row_group))?;
    let builder = Builder::new_with_metadata(file, metadata.clone()).with_projection(mask.clone());
    let batches = builder.with_row_groups(vec![part.row_group]).with_batch_size(BATCH).build();
    let mut count = 0;
    for batch in batches.map_err(|e| defect(place, e))? {
        let batch = batch.map_err(fail)?;
        let columns = Columns::new(&batch, names).map_err(fail)?;
        let mut spans = Vec::new();
        for row in 0..batch.num_rows() {
            if !question.takes(columns.start.value(row)) {
                continue;
            }
            let trace = id(columns.ids[0], row).map_err(|why| defect(place, why))?;
            if taken(trace) {
                spans.push(columns.span(trace, row).map_err(|why| defect(place, why))?);
            }
        }
        count += spans.len() as u64;
        shards.add(spans.into_iter());
    }
    Ok(count)
}

/// The columns of a batch.
struct Columns<'a> {
    ids: [&'a StringArray; 3],
    start: &'a ::arrow::array::Int64Array,
    duration: &'a ::arrow::array::Int64Array,
    service: Words<'a>,
    operation: Words<'a>,
    kind: Words<'a>,
    status: Words<'a>,
    error_type: Words<'a>,
}

/// A column of words: for each row the number of its text among [`Names`].
struct Words<'a> {
    keys: &'a DictionaryArray<Int32Type>,
    names: Vec<Name>,
    texts: &'a StringArray,
}

impl Words<'_> {
    fn name(&self, row: usize) -> Name {
        // The first name is the empty text, which null counts as.
        self.keys.key(row).and_then(|k| self.names.get(k)).copied().unwrap_or(0)
    }

    fn text(&self, row: usize) -> &str {
        self.keys.key(row).map_or("", |k| self.texts.value(k))
    }
}

impl<'a> Columns<'a> {
    fn new(batch: &'a RecordBatch, names: &Mutex<Names>) -> std::result::Result<Self, ArrowError> {
        let other = |name: &str| ArrowError::SchemaError(format!("column {name} has another type"));
        let column = |at: usize| {
            let name = COLUMNS[at];
            batch.column_by_name(name).ok_or_else(|| other(name))
        };
        let ids = |at| column(at)?.as_string_opt::<i32>().ok_or_else(|| other(COLUMNS[at]));
        let number =
            |at| column(at)?.as_primitive_opt::<Int64Type>().ok_or_else(|| other(COLUMNS[at]));
        let words = |at| {
            let keys = column(at)?.as_dictionary_opt::<Int32Type>();
            let keys = keys.ok_or_else(|| other(COLUMNS[at]))?;
            let texts = keys.values().as_string_opt::<i32>().ok_or_else(|| other(COLUMNS[at]))?;
            let mut known = names.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            known.of("");
            let names = texts.iter().map(|t| known.of(t.unwrap_or_default())).collect();
            Ok::<_, ArrowError>(Words { keys, names, texts })
        };
        Ok(Columns {
            ids: [ids(0)?, ids(1)?, ids(2)?],
            start: number(START)?,
            duration: number(DURATION)?,
            service: words(3)?,
            operation: words(4)?,
            kind: words(5)?,
            status: words(8)?,
            error_type: words(9)?,
        })
    }

    fn span(&self, trace: u128, row: usize) -> std::result::Result<Span, String> {
        let [_, span, parent] = self.ids;
        let status = self.status.text(row);
        Ok(Span {
            trace,
            span: id64(span, row)?,
            parent: id64(parent, row)?,
            start_us: self.start.value(row),
            duration_us: self.duration.value(row),
            service: self.service.name(row),
            operation: self.operation.name(row),
            error_type: self.error_type.name(row),
            kind: kind_of(self.kind.text(row)),
            error: ["ERROR", "STATUS_CODE_ERROR"].iter().any(|e| status.eq_ignore_ascii_case(e)),
        })
    }
}

/// An identifier of up to 128 bits; empty and null are 0.
fn id(column: &StringArray, row: usize) -> std::result::Result<u128, String> {
    let text = if column.is_null(row) { "" } else { column.value(row) };
    match text {
        "" => Ok(0),
        text => u128::from_str_radix(text, 16).map_err(|_| {
            format!("\"{}\" is no hexadecimal id", text.chars().take(40).collect::<String>())
        }),
    }
}

fn id64(column: &StringArray, row: usize) -> std::result::Result<u64, String> {
    let whole = id(column, row)?;
    u64::try_from(whole).map_err(|_| format!("{whole:x} is longer than a span's id"))
}
