//! What the pages of a Parquet file claim to unpack to. In: bytes and the footer. Out: a defect
//! where a row group claims more than a file of this size can hold: the decoder would ask for that
//! much memory. Only the pages' headers (Thrift, compact protocol) are read, not their values.

use ::parquet::basic::Compression;
use ::parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use std::io::{Read, copy, sink};

/// Bytes that the pages of one row group may unpack to however small the file is.
const GROUP: u64 = 512 << 20;
/// How many times the file's size they may unpack to.
const RATIO: u64 = 10;
/// Most bytes that one byte of deflate stands for.
const DEFLATE_RATIO: u64 = 1032;
/// Values that a file may hold however small it is, and how many more for each of its bytes: runs of
/// one value take next to nothing, but a time series has times that differ.
const VALUES: u64 = 16 << 20;
const VALUES_RATIO: u64 = 16;
/// Structs in structs of a page's header; true ones have three levels.
const DEPTH: usize = 8;

/// Says what is wrong where the columns of a row group, of which the decoder holds a page each,
/// claim too much.
pub fn defect(bytes: &[u8], footer: &ParquetMetaData) -> Option<String> {
    let len = bytes.len() as u64;
    let rows = |g: &RowGroupMetaData| u64::try_from(g.num_rows()).unwrap_or(0);
    let values = |g: &RowGroupMetaData| rows(g).saturating_mul(g.columns().len() as u64);
    let all = footer.row_groups().iter().map(values).fold(0, u64::saturating_add);
    if all > VALUES.max(len.saturating_mul(VALUES_RATIO)) {
        return Some(format!("{all} values in {len} bytes: no telemetry is packed so well"));
    }
    let most = most(bytes.len()) as u64;
    let too_much = footer.row_groups().iter().find_map(|group| {
        let mut claimed = 0u64;
        for column in group.columns() {
            claimed = claimed.saturating_add(of_column(bytes, column, most));
        }
        (claimed > most).then_some(claimed)
    })?;
    let what = "pages claim to unpack to at least";
    Some(format!("{what} {too_much} bytes at a time: the file contradicts itself"))
}

/// Most bytes that pages of one row group may unpack to in a file of this many bytes.
pub fn most(bytes: usize) -> usize {
    usize::try_from(GROUP.max((bytes as u64).saturating_mul(RATIO))).unwrap_or(usize::MAX)
}

/// The largest page of a column, and its dictionary, which is held beside it.
fn of_column(bytes: &[u8], column: &ColumnChunkMetaData, most: u64) -> u64 {
    let first = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
    let first = first.min(column.data_page_offset());
    let (Ok(from), Ok(len)) = (usize::try_from(first), usize::try_from(column.compressed_size()))
    else {
        return 0;
    };
    let mut rest = bytes.get(from..from.saturating_add(len).min(bytes.len())).unwrap_or_default();
    let gzip = matches!(column.compression(), Compression::GZIP(_));
    let (mut largest, mut dictionary) = (0, 0);
    while let Some(page) = Page::read(rest) {
        let behind = rest.get(page.header..).unwrap_or_default();
        let stored = behind.get(..page.stored.min(behind.len())).unwrap_or_default();
        let claimed = match gzip && (stored.len() as u64).saturating_mul(DEFLATE_RATIO) > most {
            // This decoder believes the data, not the claim.
            true => page.claimed.max(inflated(stored, most)),
            false => page.claimed,
        };
        match page.dictionary {
            true => dictionary = claimed,
            false => largest = claimed.max(largest),
        }
        match behind.get(page.stored..) {
            Some(next) if next.len() < rest.len() => rest = next,
            _ => break,
        }
    }
    largest.saturating_add(dictionary)
}

/// Counts what a gzip page holds, up to one byte more than `most`.
fn inflated(stored: &[u8], most: u64) -> u64 {
    let mut text = flate2::read::MultiGzDecoder::new(stored).take(most.saturating_add(1));
    // A defect is the decoder's to tell.
    copy(&mut text, &mut sink()).unwrap_or(0)
}

/// A page's header.
struct Page {
    /// Length of the header itself.
    header: usize,
    /// Length of the page as it is stored.
    stored: usize,
    claimed: u64,
    dictionary: bool,
}

impl Page {
    /// Reads a header; `None` where it is not one.
    fn read(bytes: &[u8]) -> Option<Page> {
        let mut thrift = Thrift { bytes, at: 0 };
        let (mut kind, mut claimed, mut stored) = (None, None, None);
        let mut id = 0i64;
        while let Some(field) = thrift.field(&mut id)? {
            match (id, field) {
                (1, I32) => kind = Some(thrift.number()?),
                (2, I32) => claimed = Some(thrift.number()?),
                (3, I32) => stored = Some(thrift.number()?),
                _ => thrift.skip(field, DEPTH)?,
            }
        }
        Some(Page {
            header: thrift.at,
            stored: usize::try_from(stored?).ok()?,
            claimed: u64::try_from(claimed?).ok()?,
            dictionary: kind? == 2,
        })
    }
}

/// Type of a field of 32 bits.
const I32: u8 = 5;

/// Bytes of Thrift's compact protocol and how far they are read.
struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Thrift<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn jump(&mut self, len: u64) -> Option<()> {
        let to = self.at.checked_add(usize::try_from(len).ok()?)?;
        self.at = Some(to).filter(|to| *to <= self.bytes.len())?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// A signed number, zigzag.
    fn number(&mut self) -> Option<i64> {
        let raw = self.varint()?;
        Some((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    /// The type of the next field, whose id is put into `id`; `Some(None)` at the struct's end.
    fn field(&mut self, id: &mut i64) -> Option<Option<u8>> {
        let head = self.byte()?;
        let kind = head & 0x0f;
        if kind == 0 {
            return Some(None);
        }
        *id = match head >> 4 {
            0 => self.number()?,
            step => id.checked_add(i64::from(step))?,
        };
        Some(Some(kind))
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        let deeper = depth.checked_sub(1)?;
        match kind {
            1 | 2 => Some(()),
            3 => self.jump(1),
            4..=6 => self.varint().map(drop),
            7 => self.jump(8),
            8 => {
                let len = self.varint()?;
                self.jump(len)
            }
            9 | 10 => {
                let head = self.byte()?;
                let len = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
                // A flag in a list is a byte; an element that takes none cannot be.
                let of = if head & 0x0f <= 2 { 3 } else { head & 0x0f };
                (0..len).try_for_each(|_| self.skip(of, deeper))
            }
            12 => {
                let mut id = 0;
                while let Some(inner) = self.field(&mut id)? {
                    self.skip(inner, deeper)?;
                }
                Some(())
            }
            // No header of a page has a map.
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Type 0, 100 bytes of 40 stored, a struct with a number and a binary, a flag.
    const HEADER: [u8; 16] =
        [0x15, 0x00, 0x15, 0xc8, 0x01, 0x15, 0x50, 0x2c, 0x15, 0x04, 0x18, 0x02, b'a', b'b', 0, 0];

    #[test]
    fn a_header_is_read_and_what_follows_it_is_not() {
        let page = Page::read(&[&HEADER[..], &[9; 40]].concat()).expect("a header");
        assert_eq!((page.header, page.stored, page.claimed), (16, 40, 100));
        assert!(!page.dictionary);
    }

    #[test]
    fn a_header_that_is_cut_or_lies_is_none() {
        for len in 0..HEADER.len() {
            assert!(Page::read(&HEADER[..len]).is_none(), "{len}");
        }
        // A negative size, a struct without an end, and a list longer than the file.
        assert!(Page::read(&[0x15, 0, 0x15, 1, 0x15, 0x50, 0]).is_none());
        assert!(Page::read(&[0x1c; 64]).is_none());
        assert!(Page::read(&[0x19, 0xf5, 0xff, 0xff, 0xff, 0xff, 0x7f, 1]).is_none());
    }
}
