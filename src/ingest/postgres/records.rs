//! Records of CSV without a copy of them: where each cell stands in the text. In: UTF-8 text that
//! begins with a record. Out: offsets. What RFC 4180 does not allow is told, never guessed.

use std::borrow::Cow;

/// A cell of one record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Span {
    from: usize,
    to: usize,
    /// Quotes within it are doubled.
    doubled: bool,
}

/// One record of a text.
#[derive(Debug, Default)]
pub struct Record {
    spans: Vec<Span>,
    /// Lines that it takes.
    pub lines: u64,
}

/// A quote in the middle of a cell, or one that is never closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl Record {
    /// Takes in the record that begins at `at`; gives the offset behind it.
    #[inline]
    pub fn read(&mut self, text: &[u8], mut at: usize, delimiter: u8) -> Result<usize, Malformed> {
        self.spans.clear();
        self.lines = 1;
        loop {
            let (span, end) = match text.get(at) {
                Some(b'"') => {
                    let found = quoted(text, at + 1)?;
                    let inside = &text[found.0.from..found.0.to];
                    self.lines += memchr::memchr_iter(b'\n', inside).count() as u64;
                    found
                }
                _ => bare(text, at, delimiter)?,
            };
            self.spans.push(span);
            match text.get(end) {
                Some(b) if *b == delimiter => at = end + 1,
                Some(b'\r') if text.get(end + 1) == Some(&b'\n') => return Ok(end + 2),
                Some(b'\n') => return Ok(end + 1),
                None => return Ok(end),
                Some(_) => return Err(Malformed),
            }
        }
    }

    /// Number of its cells; an empty line has none.
    #[inline]
    pub fn len(&self) -> usize {
        match self.spans.as_slice() {
            [only] if only.from == only.to => 0,
            spans => spans.len(),
        }
    }

    /// A cell as it stands in the text, with doubled quotes.
    #[inline]
    pub fn written<'a>(&self, text: &'a str, column: usize) -> &'a str {
        self.spans.get(column).and_then(|s| text.get(s.from..s.to)).unwrap_or_default()
    }

    /// A cell's content.
    pub fn cell<'a>(&self, text: &'a str, column: usize) -> Cow<'a, str> {
        let written = self.written(text, column);
        match self.spans.get(column).is_some_and(|s| s.doubled) {
            true => Cow::Owned(written.replace("\"\"", "\"")),
            false => Cow::Borrowed(written),
        }
    }

    /// Says whether any cell has doubled quotes.
    pub fn is_doubled(&self) -> bool {
        self.spans.iter().any(|s| s.doubled)
    }
}

#[inline]
fn quoted(text: &[u8], from: usize) -> Result<(Span, usize), Malformed> {
    let (mut at, mut doubled) = (from, false);
    loop {
        let rest = text.get(at..).ok_or(Malformed)?;
        let to = at + memchr::memchr(b'"', rest).ok_or(Malformed)?;
        if text.get(to + 1) != Some(&b'"') {
            return Ok((Span { from, to, doubled }, to + 1));
        }
        doubled = true;
        at = to + 2;
    }
}

#[inline]
fn bare(text: &[u8], from: usize, delimiter: u8) -> Result<(Span, usize), Malformed> {
    let rest = text.get(from..).unwrap_or_default();
    let end = memchr::memchr3(delimiter, b'\n', b'"', rest).map_or(text.len(), |n| from + n);
    let to = match text.get(end) {
        Some(b'"') => return Err(Malformed),
        Some(b'\n') if end > from && text[end - 1] == b'\r' => end - 1,
        _ => end,
    };
    Ok((Span { from, to, doubled: false }, to))
}

/// The offset behind the last line end that stands in no quotes, for a text that begins outside of
/// them.
pub fn last_end(text: &[u8]) -> Option<usize> {
    let mut end = memchr::memrchr(b'\n', text)? + 1;
    let quotes = |part: &[u8]| memchr::memchr_iter(b'"', part).count();
    let mut before = quotes(&text[..end]);
    while before % 2 == 1 {
        // Within quotes: the next candidate stands before the one that opened them.
        let open = memchr::memrchr(b'"', &text[..end])?;
        let next = memchr::memrchr(b'\n', &text[..open])? + 1;
        before -= quotes(&text[next..end]);
        end = next;
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All cells of a text, record by record.
    fn all(text: &str) -> Result<Vec<Vec<String>>, Malformed> {
        let (mut record, mut at, mut out) = (Record::default(), 0, Vec::new());
        while at < text.len() {
            at = record.read(text.as_bytes(), at, b',')?;
            if record.len() > 0 {
                out.push((0..record.len()).map(|i| record.cell(text, i).into_owned()).collect());
            }
        }
        Ok(out)
    }

    #[test]
    fn records_end_outside_of_quotes() {
        assert_eq!(last_end(b"a,b\nc,\"d\ne"), Some(4));
        assert_eq!(last_end(b"a,\"x\ny\"\nc"), Some(8));
        assert_eq!(last_end(b"a,\"x\"\"\ny"), None);
        assert_eq!(last_end(b"a\n\"b\",\"c\n\"\"d\n"), Some(2));
        assert_eq!(last_end(b""), None);
    }

    #[test]
    fn what_is_no_csv_is_told() {
        assert_eq!(all("a\"b,c\n"), Err(Malformed));
        assert_eq!(all("\"a\"b,c\n"), Err(Malformed));
        assert_eq!(all("\"a,c\n"), Err(Malformed));
        assert_eq!(
            all("a,b\r\n\n\"x\"\"y\",\"\"\r\n"),
            Ok(vec![vec!["a".to_owned(), "b".to_owned()], vec!["x\"y".to_owned(), String::new()],])
        );
    }

    proptest! {
        /// What is read is what the csv crate reads, and cuts fall between records.
        #[test]
        fn cells_are_those_of_the_csv_crate(rows in proptest::collection::vec(
            proptest::collection::vec("[a\",\n é]{0,6}", 3), 1..8), at in 0usize..80
        ) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            rows.iter().for_each(|r| writer.write_record(r).expect("written"));
            let bytes = writer.into_inner().expect("flushed");
            let text = String::from_utf8(bytes).expect("UTF-8");
            prop_assert_eq!(all(&text), Ok(rows));
            let cut = last_end(&text.as_bytes()[..at.min(text.len())]).unwrap_or(0);
            prop_assert!(all(&text[..cut]).is_ok() && all(&text[cut..]).is_ok());
        }
    }
}
