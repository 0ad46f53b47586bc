//! Column chunks of a Parquet file, to record batches. In: bytes and the footer. Out: batches.
//!
//! The library makes a zstd context (half a megabyte, and one to compress with) for every column
//! chunk. A dashboard's export is a table of thousands of short columns: there that takes longer than
//! unpacking them. So the library is told that their pages are not packed, and they are unpacked
//! here, with one context per thread.

use super::pages;
use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReader, RowGroups};
use ::parquet::arrow::parquet_to_arrow_field_levels;
use ::parquet::basic::Compression;
use ::parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use ::parquet::errors::{ParquetError, Result};
use ::parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use ::parquet::file::serialized_reader::SerializedPageReader;
use prost::bytes::Bytes;
use std::cell::RefCell;
use std::io::Read;
use std::sync::Arc;
use zstd::bulk::Decompressor;

/// The columns of a mask, batch by batch, of every row group.
pub fn batches(
    bytes: &Bytes,
    known: &ArrowReaderMetadata,
    mask: ProjectionMask,
    rows: usize,
) -> Result<ParquetRecordBatchReader> {
    let footer = known.metadata();
    let schema = footer.file_metadata().schema_descr();
    let levels = parquet_to_arrow_field_levels(schema, mask, Some(known.schema().fields()))?;
    let file = Chunks { bytes: Arc::new(bytes.clone()), footer: footer.clone() };
    ParquetRecordBatchReader::try_new_with_row_groups(&levels, &file, rows, None)
}

/// All row groups of a file.
struct Chunks {
    bytes: Arc<Bytes>,
    footer: Arc<ParquetMetaData>,
}

impl RowGroups for Chunks {
    fn num_rows(&self) -> usize {
        usize::try_from(self.footer.file_metadata().num_rows()).unwrap_or(0)
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        let (bytes, footer) = (self.bytes.clone(), self.footer.clone());
        Ok(Box::new(Column { bytes, footer, column, row_group: 0 }))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.footer.row_groups().iter())
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.footer
    }
}

/// The chunks of one column.
struct Column {
    bytes: Arc<Bytes>,
    footer: Arc<ParquetMetaData>,
    column: usize,
    row_group: usize,
}

impl Column {
    fn chunk(&self, group: &RowGroupMetaData) -> Result<Box<dyn PageReader>> {
        let defect = || ParquetError::General("a row group lacks a column".to_owned());
        let chunk = group.columns().get(self.column).ok_or_else(defect)?;
        let rows = usize::try_from(group.num_rows())?;
        let reader = |chunk| SerializedPageReader::new(self.bytes.clone(), chunk, rows, None);
        if !matches!(chunk.compression(), Compression::ZSTD(_)) {
            return Ok(Box::new(reader(chunk)?));
        }
        let plain = chunk.clone().into_builder().set_compression(Compression::UNCOMPRESSED);
        let most = pages::most(self.bytes.len());
        Ok(Box::new(Packed { pages: reader(&plain.build()?)?, most }))
    }
}

impl Iterator for Column {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        let footer = self.footer.clone();
        let group = footer.row_groups().get(self.row_group)?;
        self.row_group += 1;
        Some(self.chunk(group))
    }
}

impl PageIterator for Column {}

/// Pages that are packed, whatever their reader was told.
struct Packed {
    pages: SerializedPageReader<Bytes>,
    /// Most bytes that a page may unpack to.
    most: usize,
}

impl Packed {
    fn unpacked(&self, mut page: Page) -> Result<Page> {
        match &mut page {
            Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. } => {
                *buf = unpack(buf, 0, self.most)?;
            }
            Page::DataPageV2 {
                buf,
                def_levels_byte_len,
                rep_levels_byte_len,
                is_compressed,
                ..
            } => {
                let levels = def_levels_byte_len.saturating_add(*rep_levels_byte_len) as usize;
                // Levels are never packed; a page without values has nothing behind them.
                if *is_compressed && levels < buf.len() {
                    *buf = unpack(buf, levels, self.most)?;
                }
                *is_compressed = false;
            }
        }
        Ok(page)
    }
}

impl Iterator for Packed {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Packed {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        page.map(|page| self.unpacked(page)).transpose()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.pages.at_record_boundary()
    }
}

thread_local! {
    static UNPACKER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// A page's bytes with what follows the first `plain` ones unpacked.
fn unpack(bytes: &[u8], plain: usize, most: usize) -> Result<Bytes> {
    let (levels, packed) = bytes.split_at_checked(plain).unwrap_or_default();
    let claimed = Decompressor::upper_bound(packed).filter(|size| *size <= most);
    let mut text = Vec::with_capacity(levels.len() + claimed.unwrap_or(0));
    text.extend_from_slice(levels);
    match claimed {
        Some(size) => text.extend(in_one(packed, size)?),
        // Written as a stream, or a lie.
        None => {
            let mut stream = zstd::stream::read::Decoder::new(packed)?;
            stream.by_ref().take(most as u64).read_to_end(&mut text)?;
            if stream.read(&mut [0])? > 0 {
                let what = format!("a page unpacks to more than {most} bytes");
                return Err(ParquetError::General(what));
            }
        }
    }
    Ok(Bytes::from(text))
}

fn in_one(packed: &[u8], size: usize) -> std::io::Result<Vec<u8>> {
    UNPACKER.with_borrow_mut(|known| {
        let unpacker = match known.take() {
            Some(unpacker) => unpacker,
            None => Decompressor::new()?,
        };
        known.insert(unpacker).decompress(packed, size)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_unpacked_behind_its_levels() {
        let text = b"values, values, values".repeat(9);
        let packed = zstd::bulk::compress(&text, 3).expect("packed");
        let page = [b"lev".as_slice(), &packed].concat();
        let plain = unpack(&page, 3, 1 << 20).expect("a page");
        assert_eq!(&plain[..], [b"lev".as_slice(), &text].concat());
        assert!(unpack(&page, 0, 1 << 20).is_err(), "levels are no frame");
    }

    #[test]
    fn a_page_without_its_size_is_read_and_one_too_large_is_not() {
        let text = vec![7u8; 5000];
        let mut writer = zstd::stream::write::Encoder::new(Vec::new(), 3).expect("a writer");
        std::io::Write::write_all(&mut writer, &text).expect("written");
        let stream = writer.finish().expect("packed");
        assert_eq!(&unpack(&stream, 0, 5000).expect("a page")[..], text);
        assert!(unpack(&stream, 0, 4999).is_err());
        let whole = zstd::bulk::compress(&text, 3).expect("packed");
        assert!(unpack(&whole, 0, 4999).is_err());
        assert!(unpack(&whole[..whole.len() - 1], 0, 5000).is_err());
        assert!(unpack(&[], 0, 5000).is_ok_and(|page| page.is_empty()));
    }
}
