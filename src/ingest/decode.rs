//! Stored bytes to the bytes that a reader looks at: inflated, and text as UTF-8 without its mark.

use super::{BYTES_MAX, RATIO_MAX};
use std::io::{Cursor, Read};

/// Inflates gzip (of several members) and zstd; what was read before a defect is kept.
pub fn decompress(stored: Vec<u8>) -> (Vec<u8>, Option<String>) {
    let limit = BYTES_MAX.min((stored.len() as u64).saturating_mul(RATIO_MAX).max(1 << 20));
    let mut out = Vec::new();
    let result = if stored.starts_with(&[0x1f, 0x8b]) {
        flate2::read::MultiGzDecoder::new(Cursor::new(&stored)).take(limit).read_to_end(&mut out)
    } else if stored.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        zstd::stream::read::Decoder::new(Cursor::new(&stored))
            .and_then(|d| d.take(limit).read_to_end(&mut out))
    } else {
        return (stored, None);
    };
    let defect = match result {
        Err(e) => Some(format!("decompression stopped after {} bytes: {e}", out.len())),
        Ok(_) if out.len() as u64 == limit => {
            Some(format!("decompression stopped at the limit of {limit} bytes"))
        }
        Ok(_) => None,
    };
    (out, defect)
}

/// Text in UTF-8 without a byte order mark; UTF-16 with one is transcoded, the rest stays.
pub fn plain(mut bytes: Vec<u8>) -> Vec<u8> {
    let order: fn([u8; 2]) -> u16 = match bytes.get(..2) {
        Some([0xff, 0xfe]) => u16::from_le_bytes,
        Some([0xfe, 0xff]) => u16::from_be_bytes,
        _ => {
            if bytes.starts_with(b"\xef\xbb\xbf") {
                bytes.drain(..3);
            }
            return bytes;
        }
    };
    // An odd last byte is half a character: a cut, shown as one unreadable character.
    let pairs = bytes[2..].chunks(2).map(|p| match p {
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
    fn a_table_in_utf_16_is_read() {
        let text = "time,cart_cpu\r\n2026-11-20T20:10:00Z,0.3\r\n";
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        let bytes: Vec<u8> = units.flat_map(u16::to_le_bytes).collect();
        let raw = crate::ingest::read_text("cart.csv", &bytes);
        assert_eq!((raw.files[0].reader.as_str(), raw.files[0].rows), ("table", 1));
    }
}
