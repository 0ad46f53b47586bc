//! Stored bytes to the bytes that a reader looks at: inflated, and text as UTF-8 without its mark.

use super::Limits;
use crate::encoding::hex;
use sha2::{Digest, Sha256};
use std::io::{self, Cursor, Read};
use std::sync::{Arc, Mutex, PoisonError};

/// A stored file as its bytes come in: hashed as stored, handed on inflated.
pub struct Unpacked {
    text: Box<dyn Read + Send>,
    stored: Arc<Mutex<Stored>>,
    packed: bool,
    /// Bytes of text so far.
    given: u64,
    bomb: bool,
    limits: Limits,
}

/// The stored bytes, and what is known of those that have gone by.
struct Stored {
    from: Box<dyn Read + Send>,
    /// `None` where nobody asks for it.
    hash: Option<Sha256>,
    bytes: u64,
}

impl Read for Stored {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(CHUNK);
        let read = self.from.read(&mut buffer[..most])?;
        if let Some(hash) = &mut self.hash {
            hash.update(&buffer[..read]);
        }
        self.bytes += read as u64;
        Ok(read)
    }
}

/// The stored bytes for a decoder that owns its source.
struct Shared(Arc<Mutex<Stored>>);

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).read(buffer)
    }
}

/// What is said of a file that unpacks to more than telemetry does.
pub const BOMB: &str = "decompression stopped: no telemetry is packed so well (`--limit ratio=N` \
                        allows more)";

/// Stored bytes that are handed on in one piece: few enough to be hashed while they are still in the
/// processor's cache.
const CHUNK: usize = 256 << 10;

impl Unpacked {
    /// Takes stored bytes; gzip (of several members) and zstd are inflated.
    ///
    /// # Errors
    ///
    /// When the first bytes cannot be read.
    pub fn new(from: impl Read + Send + 'static, limits: Limits) -> io::Result<Unpacked> {
        let stored = Stored { from: Box::new(from), hash: Some(Sha256::new()), bytes: 0 };
        let stored = Arc::new(Mutex::new(stored));
        let mut magic = Vec::new();
        Shared(stored.clone()).take(4).read_to_end(&mut magic)?;
        let gzip = magic.starts_with(&[0x1f, 0x8b]);
        let zstd = magic == [0x28, 0xb5, 0x2f, 0xfd];
        let all = Cursor::new(magic).chain(Shared(stored.clone()));
        let text: Box<dyn Read + Send> = match () {
            () if gzip => {
                let all = io::BufReader::with_capacity(CHUNK, all);
                Box::new(flate2::bufread::MultiGzDecoder::new(all))
            }
            () if zstd => {
                let all = io::BufReader::with_capacity(CHUNK, all);
                Box::new(zstd::stream::read::Decoder::with_buffer(all)?)
            }
            () => Box::new(all),
        };
        let packed = gzip || zstd;
        Ok(Unpacked { text, stored, packed, given: 0, bomb: false, limits })
    }

    /// The same without a digest, which takes a twelfth of the time of reading a table.
    pub fn undigested(self) -> Unpacked {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).hash = None;
        self
    }

    /// Appends at most `most` bytes of text; says what went wrong. What came before it is kept.
    pub fn append(&mut self, text: &mut Vec<u8>, most: u64) -> Option<String> {
        let before = text.len();
        let result = self.by_ref().take(most).read_to_end(text);
        result.err().map(|e| self.defect(text.len() - before, &e))
    }

    /// Says in words that a text ended too early.
    pub fn defect(&self, behind: usize, e: &io::Error) -> String {
        match self.packed {
            true => format!("decompression stopped after {behind} bytes: {e}"),
            false => format!("reading stopped after {behind} bytes: {e}"),
        }
    }

    /// Says whether the text was cut because no telemetry is packed so well.
    pub fn is_bomb(&self) -> bool {
        self.bomb
    }

    /// SHA-256 (hex; empty if it is undigested) and length of what is stored; reads what was not asked
    /// for.
    pub fn finish(self) -> (String, u64) {
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        // Behind a defect of the packing there may be more: it belongs to the file all the same.
        let _ = io::copy(&mut *stored, &mut io::sink());
        let digest = stored.hash.take().map(Digest::finalize);
        (hex(digest.into_iter().flatten()), stored.bytes)
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.packed && self.given >= self.limits.unpacked.min(self.limits.bytes) {
            // Measured by what has been unpacked so far: a bomb ends early however long it is.
            let stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner).bytes;
            self.bomb = self.given > self.limits.unpacked_max(stored);
        }
        if self.bomb {
            return Ok(0);
        }
        let read = self.text.read(buffer)?;
        self.given += read as u64;
        Ok(read)
    }
}

/// Inflates gzip (of several members) and zstd; what was read before a defect is kept.
pub fn decompress(stored: Vec<u8>) -> (Vec<u8>, Option<String>) {
    let mut text = Vec::new();
    let defect = match Unpacked::new(Cursor::new(stored), Limits::default()) {
        Ok(mut unpacked) => {
            let defect = unpacked.append(&mut text, Limits::default().bytes);
            defect.or_else(|| unpacked.is_bomb().then(|| BOMB.to_owned()))
        }
        Err(e) => Some(e.to_string()),
    };
    (text, defect)
}

/// Bytes by which UTF-16 without a mark is told: more than any binary format has of Latin letters
/// between zeros.
const UNMARKED: usize = 32;

/// The first printable character of Latin-1 behind ASCII.
const FIRST_LATIN_1: u8 = 0xa0;

/// Says whether bytes begin as Latin text in UTF-16 does: of each pair the byte `zero` is 0, and the
/// other is printable.
fn is_wide(bytes: &[u8], zero: usize) -> bool {
    let text = |b: u8| b.is_ascii_graphic() || b.is_ascii_whitespace() || b >= FIRST_LATIN_1;
    let pair = |p: &[u8]| p[zero] == 0 && text(p[1 - zero]);
    bytes.len() >= UNMARKED && bytes[..UNMARKED].chunks_exact(2).all(pair)
}

/// Text in UTF-8 without a byte order mark; UTF-16 is transcoded, the rest stays.
pub fn plain(mut bytes: Vec<u8>) -> Vec<u8> {
    let (mark, order): (usize, fn([u8; 2]) -> u16) = match bytes.get(..2) {
        Some([0xff, 0xfe]) => (2, u16::from_le_bytes),
        Some([0xfe, 0xff]) => (2, u16::from_be_bytes),
        _ if is_wide(&bytes, 1) => (0, u16::from_le_bytes),
        _ if is_wide(&bytes, 0) => (0, u16::from_be_bytes),
        _ => {
            if bytes.starts_with(b"\xef\xbb\xbf") {
                bytes.drain(..3);
            }
            return bytes;
        }
    };
    // An odd last byte is half a character: a cut, shown as one unreadable character.
    let pairs = bytes[mark..].chunks(2).map(|p| match p {
        [a, b] => order([*a, *b]),
        _ => 0xfffd,
    });
    let text = char::decode_utf16(pairs).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
    text.collect::<String>().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_with_a_mark_becomes_utf_8() {
        let text = "time,µs\n1,𝄞\n";
        let units: Vec<u16> = text.encode_utf16().collect();
        let little = units.iter().flat_map(|u| u.to_le_bytes());
        let big = units.iter().flat_map(|u| u.to_be_bytes());
        assert_eq!(plain([0xff, 0xfe].into_iter().chain(little).collect()), text.as_bytes());
        assert_eq!(plain([0xfe, 0xff].into_iter().chain(big).collect()), text.as_bytes());
        assert_eq!(plain(b"\xef\xbb\xbfa,b".to_vec()), b"a,b");
        let arrow = vec![0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(plain(arrow.clone()), arrow);
        assert_eq!(plain(vec![0xff, 0xfe, b'a', 0, b'b']), "a\u{fffd}".as_bytes());
        assert_eq!(plain(vec![0xff, 0xfe, 0, 0xd8]), "\u{fffd}".as_bytes());
    }

    #[test]
    fn utf_16_without_a_mark_is_told_by_its_zeros() {
        let text = "time,cart_cpu,Käufe\r\n2026-11-20T20:10:00Z,0.3,1\r\n";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(plain(little.clone()), text.as_bytes());
        assert_eq!(plain(big), text.as_bytes());
        assert_eq!(plain(little[..UNMARKED - 2].to_vec()), &little[..UNMARKED - 2]);
        let frames = [&b"\0\0\0\x40"[..], &[b'a'; 64]].concat();
        assert_eq!(plain(frames.clone()), frames);
    }

    #[test]
    fn a_table_in_utf_16_is_read() {
        let text = "time,cart_cpu\r\n2026-11-20T20:10:00Z,0.3\r\n";
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        let bytes: Vec<u8> = units.flat_map(u16::to_le_bytes).collect();
        let raw = crate::ingest::read_text("cart.csv", &bytes);
        assert_eq!((raw.files[0].reader.as_str(), raw.files[0].rows), ("table", 1));
    }
}
