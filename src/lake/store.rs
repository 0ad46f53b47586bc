//! Where Parquet lies: files of a folder here, or objects of a store that is far away. In: names and
//! ranges of bytes. Out: what a reader of Parquet asks for. Of an object only the footer and the columns
//! of one row group are fetched, in as few requests as there are stretches.

use super::sql::COLUMNS;
use crate::error::{Error, Result};
use ::parquet::errors::{ParquetError, Result as Read};
use ::parquet::file::metadata::RowGroupMetaData;
use ::parquet::file::reader::{ChunkReader, Length};
use prost::bytes::Bytes;
use std::fs::File;
use std::io::{BufReader, Cursor, Read as Source};
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes at an object's end that are fetched first: footers of a few row groups fit.
const TAIL: u64 = 16 << 10;
/// Bytes of a Parquet file's end: the length of its footer and four letters.
const ENDING: u64 = 8;
/// Bytes between two columns that are rather fetched than asked for apart.
const APART_MAX: u64 = 64 << 10;

/// Objects that are listed and read in ranges; a bucket, say.
pub trait Store: Send + Sync {
    /// Names and lengths (bytes) of all objects that are asked for.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    fn list(&self) -> Result<Vec<(String, u64)>>;

    /// `length` bytes of an object from `from` on.
    ///
    /// # Errors
    ///
    /// When they do not come, or fewer do.
    fn read(&self, name: &str, from: u64, length: u64) -> Result<Vec<u8>>;
}

/// Where one file is.
#[derive(Clone)]
pub enum Place {
    Here(PathBuf),
    Far { store: Arc<dyn Store>, name: String, length: u64 },
}

impl Place {
    /// The place as it is shown.
    pub fn shown(&self) -> String {
        match self {
            Place::Here(path) => path.display().to_string(),
            Place::Far { name, .. } => name.clone(),
        }
    }

    /// A reader of the footer.
    pub fn footer(&self) -> Result<Chunks> {
        let Place::Far { store, name, length } = self else { return self.opened() };
        let tail = |bytes: u64| {
            let from = length.saturating_sub(bytes);
            Ok::<_, Error>((from, Bytes::from(store.read(name, from, length - from)?)))
        };
        let (from, bytes) = tail(TAIL)?;
        let ending = bytes.len().checked_sub(ENDING as usize).map(|at| &bytes[at..at + 4]);
        let footer = ending.and_then(|e| e.try_into().ok()).map_or(0, u32::from_le_bytes);
        let whole = u64::from(footer) + ENDING;
        let held = match whole > TAIL && whole <= *length {
            true => vec![tail(whole)?],
            false => vec![(from, bytes)],
        };
        Ok(Chunks::Held { held, length: *length })
    }

    /// A reader of the columns of spans of one row group.
    pub fn columns(&self, meta: &RowGroupMetaData) -> Result<Chunks> {
        let Place::Far { store, name, length } = self else { return self.opened() };
        let held = stretches(meta).into_iter().map(|(from, many)| {
            Ok((from, Bytes::from(store.read(name, from, many.min(length.saturating_sub(from)))?)))
        });
        Ok(Chunks::Held { held: held.collect::<Result<_>>()?, length: *length })
    }

    fn opened(&self) -> Result<Chunks> {
        match self {
            Place::Here(path) => {
                let fail = |e: std::io::Error| Error::usage(self.shown(), format!("Parquet: {e}"));
                Ok(Chunks::File(File::open(path).map_err(fail)?))
            }
            Place::Far { .. } => Err(Error::usage(self.shown(), "not a file of this machine")),
        }
    }
}

/// Begins and lengths of what the columns of spans take, what is close together as one.
fn stretches(meta: &RowGroupMetaData) -> Vec<(u64, u64)> {
    let own = |c: &&::parquet::file::metadata::ColumnChunkMetaData| {
        c.column_path().parts().first().is_some_and(|p| COLUMNS.contains(&p.as_str()))
    };
    let mut ranges: Vec<(u64, u64)> =
        meta.columns().iter().filter(own).map(|c| c.byte_range()).collect();
    ranges.sort_unstable();
    let mut out: Vec<(u64, u64)> = Vec::new();
    for (from, many) in ranges {
        match out.last_mut() {
            Some((begin, length)) if from <= begin.saturating_add(*length) + APART_MAX => {
                *length = (*length).max(from.saturating_add(many) - *begin);
            }
            _ => out.push((from, many)),
        }
    }
    out
}

/// A file, or the parts of an object that were fetched.
pub enum Chunks {
    File(File),
    /// Begins and bytes of the parts, and the length of the whole.
    Held {
        held: Vec<(u64, Bytes)>,
        length: u64,
    },
}

impl Chunks {
    /// The fetched bytes from `start` on, to the end of their part.
    fn from(held: &[(u64, Bytes)], start: u64) -> Read<Bytes> {
        let part = held.iter().find(|(from, b)| *from <= start && start - from < b.len() as u64);
        let (from, bytes) = part.ok_or_else(|| {
            ParquetError::General(format!("byte {start} is outside of what the footer named"))
        })?;
        Ok(bytes.slice((start - from) as usize..))
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        match self {
            Chunks::File(file) => file.len(),
            Chunks::Held { length, .. } => *length,
        }
    }
}

impl ChunkReader for Chunks {
    type T = Box<dyn Source>;

    fn get_read(&self, start: u64) -> Read<Self::T> {
        match self {
            Chunks::File(file) => {
                let read: BufReader<File> = file.get_read(start)?;
                Ok(Box::new(read))
            }
            Chunks::Held { held, .. } => Ok(Box::new(Cursor::new(Chunks::from(held, start)?))),
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> Read<Bytes> {
        match self {
            Chunks::File(file) => file.get_bytes(start, length),
            Chunks::Held { held, .. } => {
                let bytes = Chunks::from(held, start)?;
                match length <= bytes.len() {
                    true => Ok(bytes.slice(..length)),
                    false => Err(ParquetError::EOF(format!("{length} bytes from {start} on"))),
                }
            }
        }
    }
}
