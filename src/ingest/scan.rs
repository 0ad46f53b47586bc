//! A cursor over JSON text for the formats that come in gigabytes: no tree, no copies, one pass.
//!
//! Each step gives `None` where the text is not of the expected shape; the caller then hands the
//! element to the general reader, which knows every dialect and names the defect.

use super::json_scan;
use std::borrow::Cow;

/// A place in a JSON text.
pub struct Scan<'a> {
    text: &'a [u8],
    pub at: usize,
}

/// Bytes looked at in one step.
const STEP: usize = 8;
const ONES: u64 = u64::from_ne_bytes([0x01; STEP]);
const HIGHS: u64 = u64::from_ne_bytes([0x80; STEP]);

/// Marks, by its high bit, every byte of `word` that is `byte`; bytes behind the first may be
/// marked wrongly (Mycroft's test), so only the lowest mark counts.
const fn marks(word: u64, byte: u8) -> u64 {
    let x = word ^ u64::from_ne_bytes([byte; STEP]);
    x.wrapping_sub(ONES) & !x & HIGHS
}

/// The offset from `at` of the first quote or backslash; `None` without any.
fn quote_or_escape(text: &[u8], mut at: usize) -> Option<usize> {
    while let Some(bytes) = text.get(at..).and_then(|t| t.first_chunk::<STEP>()) {
        let word = u64::from_le_bytes(*bytes);
        let found = marks(word, b'"') | marks(word, b'\\');
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += STEP;
    }
    let rest = text.get(at..)?;
    rest.iter().position(|b| matches!(b, b'"' | b'\\')).map(|p| at + p)
}

/// The offset behind the string whose opening quote is at `open`; `None` when it is cut off.
pub fn string_end(text: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    loop {
        at = quote_or_escape(text, at)?;
        match text[at] {
            b'"' => return Some(at + 1),
            _ => at += 2,
        }
    }
}

impl<'a> Scan<'a> {
    /// Starts at an offset of `text`.
    pub fn new(text: &'a [u8], at: usize) -> Self {
        Scan { text, at }
    }

    /// The next byte that is not white space, which is not consumed.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        loop {
            match *self.text.get(self.at)? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    /// Consumes `byte`, after white space; `None` if another stands there.
    #[inline]
    pub fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Consumes `byte` if it stands next.
    #[inline]
    pub fn take(&mut self, byte: u8) -> bool {
        self.peek() == Some(byte) && {
            self.at += 1;
            true
        }
    }

    /// The inside of a string as it is written, and whether it has escapes.
    #[inline]
    pub fn raw_string(&mut self) -> Option<(&'a [u8], bool)> {
        self.expect(b'"')?;
        let from = self.at;
        let first = quote_or_escape(self.text, from)?;
        let escaped = self.text[first] == b'\\';
        let end = if escaped { string_end(self.text, from - 1)? } else { first + 1 };
        self.at = end;
        Some((&self.text[from..end - 1], escaped))
    }

    /// A key and its colon.
    #[inline]
    pub fn key(&mut self) -> Option<&'a [u8]> {
        let (key, escaped) = self.raw_string()?;
        self.expect(b':')?;
        (!escaped).then_some(key)
    }

    /// A string's text, unescaped.
    #[inline]
    pub fn string(&mut self) -> Option<Cow<'a, str>> {
        self.peek()?;
        let open = self.at;
        let (inside, escaped) = self.raw_string()?;
        match escaped {
            false => std::str::from_utf8(inside).ok().map(Cow::Borrowed),
            true => serde_json::from_slice(&self.text[open..self.at]).ok().map(Cow::Owned),
        }
    }

    /// A string, a number, true or false as text; empty for null. `None` for lists and maps.
    #[inline]
    pub fn scalar(&mut self) -> Option<Cow<'a, str>> {
        match self.peek()? {
            b'"' => self.string(),
            b'{' | b'[' => None,
            _ => {
                let word = self.word()?;
                let word = if word == b"null" { &word[..0] } else { word };
                std::str::from_utf8(word).ok().map(Cow::Borrowed)
            }
        }
    }

    /// A number or a name such as `null`, as it is written.
    pub fn word(&mut self) -> Option<&'a [u8]> {
        self.peek()?;
        let rest = &self.text[self.at..];
        let is_part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.');
        let len = rest.iter().position(|b| !is_part(b)).unwrap_or(rest.len());
        self.at += len;
        (len > 0).then(|| &rest[..len])
    }

    /// A whole number of at most 19 digits, bare or in quotes; `None` for anything else.
    #[inline]
    pub fn whole(&mut self) -> Option<u64> {
        let quoted = self.take(b'"');
        let from = self.at;
        let mut value = 0u64;
        while let Some(digit) = self.text.get(self.at).map(|b| b.wrapping_sub(b'0')) {
            if digit > 9 {
                break;
            }
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
            self.at += 1;
        }
        let digits = self.at - from;
        let ended = match self.text.get(self.at)? {
            b'"' if quoted => {
                self.at += 1;
                true
            }
            b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t' => !quoted,
            _ => false,
        };
        (ended && (1..=19).contains(&digits)).then_some(value)
    }

    /// Skips one value of any kind.
    #[inline]
    pub fn skip(&mut self) -> Option<()> {
        self.peek()?;
        self.at = json_scan::value_end(self.text, self.at)?;
        Some(())
    }

    /// Goes through an object: `field` gets each key and must consume its value.
    #[inline]
    pub fn object(
        &mut self,
        mut field: impl FnMut(&mut Self, &'a [u8]) -> Option<()>,
    ) -> Option<()> {
        self.expect(b'{')?;
        if self.take(b'}') {
            return Some(());
        }
        loop {
            let key = self.key()?;
            field(self, key)?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    /// Goes through a list: `element` must consume each element. `null` is an empty list.
    #[inline]
    pub fn array(&mut self, mut element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        if self.peek()? == b'n' {
            return (self.word()? == b"null").then_some(());
        }
        self.expect(b'[')?;
        if self.take(b']') {
            return Some(());
        }
        loop {
            element(self)?;
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    /// Consumes one element: by `fast`, or else by handing its text to `general`.
    ///
    /// `None` when the element has no end.
    pub fn element(
        &mut self,
        fast: impl FnOnce(&mut Self) -> Option<()>,
        general: impl FnOnce(usize, &'a [u8]),
    ) -> Option<()> {
        self.peek()?;
        let from = self.at;
        if fast(self).is_none() {
            let end = json_scan::value_end(self.text, from)?;
            general(from, &self.text[from..end]);
            self.at = end;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn strings_end_where_they_end() {
        for text in ["\"\"", "\"a\"", "\"\\\"\"", "\"0123456789\\\\\"", "\"01234567\\\"89\" x"] {
            let mut scan = Scan::new(text.as_bytes(), 0);
            let want: String = serde_json::Deserializer::from_str(text)
                .into_iter()
                .next()
                .and_then(Result::ok)
                .expect("a string");
            assert_eq!(scan.string().expect("a string"), want);
        }
        assert_eq!(Scan::new(b"\"cut", 0).string(), None);
        assert_eq!(Scan::new(b"{\"\":l[}", 0).object(|s, _| s.skip()), None);
        assert_eq!(Scan::new(b"\"cut\\", 0).string(), None);
    }

    #[test]
    fn whole_numbers_are_read_bare_and_quoted() {
        let of = |text: &str| Scan::new(text.as_bytes(), 0).whole();
        assert_eq!(of("1795205401000000000,"), Some(1_795_205_401_000_000_000));
        assert_eq!(of(" \"17\""), Some(17));
        for no in ["1.5,", "-1,", "\"1", "\"\"", "null", "1e9,", "123456789012345678901,", "1"] {
            assert_eq!(of(no), None, "{no}");
        }
    }

    proptest! {
        #[test]
        fn any_text_in_quotes_is_read_as_serde_reads_it(text in "\\PC{0,40}") {
            let written = serde_json::to_string(&text).expect("text");
            let mut scan = Scan::new(written.as_bytes(), 0);
            prop_assert_eq!(scan.string().expect("a string"), text);
            prop_assert_eq!(scan.at, written.len());
        }

        #[test]
        fn nothing_panics_and_nothing_runs_past_the_end(text in "[\\[\\]{},:\"\\\\ a0nul.-]{0,40}") {
            let mut scan = Scan::new(text.as_bytes(), 0);
            let object = scan.object(|s, _| s.skip());
            prop_assert!(scan.at <= text.len());
            if object.is_some() {
                let end = json_scan::value_end(text.as_bytes(), json_scan::skip_space(text.as_bytes(), 0));
                prop_assert_eq!(Some(scan.at), end);
            }
            Scan::new(text.as_bytes(), 0).array(|s| s.scalar().map(drop));
        }
    }
}
