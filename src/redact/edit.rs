//! A text that is rewritten from left to right, its words, and the values that are assigned in it.

use super::keys::Class;

/// A text and what it has become so far.
pub(super) struct Edit<'a> {
    pub text: &'a str,
    out: String,
    done: usize,
}

impl<'a> Edit<'a> {
    /// Starts with nothing changed.
    pub fn new(text: &'a str) -> Self {
        Edit { text, out: String::new(), done: 0 }
    }

    /// Puts a token in place of a stretch.
    pub fn put(&mut self, from: usize, to: usize, token: &str) {
        self.out.push_str(&self.text[self.done..from]);
        self.out.push_str(token);
        self.done = to;
    }

    /// Says whether something was put in.
    pub fn is_changed(&self) -> bool {
        self.done > 0
    }

    /// The new text; `None` when nothing was put in.
    pub fn finish(mut self) -> Option<String> {
        (self.done > 0).then(|| {
            self.out.push_str(&self.text[self.done..]);
            self.out
        })
    }
}

/// Says whether a byte stands between words.
pub(super) fn parts(byte: u8) -> bool {
    byte.is_ascii_whitespace()
        || matches!(
            byte,
            b'"' | b'\''
                | b'('
                | b')'
                | b'{'
                | b'}'
                | b'['
                | b']'
                | b'<'
                | b'>'
                | b','
                | b';'
                | b'|'
                | b'&'
                | b'?'
                | b'\\'
                | b'/'
                | b'='
                | b'`'
        )
}

/// The end of the word that begins at an offset.
pub(super) fn word_end(bytes: &[u8], from: usize) -> usize {
    from + bytes[from..].iter().position(|b| parts(*b)).unwrap_or(bytes.len() - from)
}

/// Where a value begins, and the quote that ends it, with the backslashes before that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value {
    pub at: usize,
    pub quote: Option<(u8, usize)>,
}

impl Value {
    /// Says whether a value in a statement is a password that is no column and no function.
    pub fn is_data(&self, text: &str, class: Class) -> bool {
        let end = value_end(text, *self, class);
        let value = &text[self.at..end];
        let spaced = text[..self.at].ends_with(' ');
        let called = text[end..].starts_with('(') || value.contains(['.', '(', '$', '?']);
        matches!(class, Class::Secret | Class::Header)
            && !called
            && (!spaced || class == Class::Header)
            && value.bytes().any(|b| b.is_ascii_digit())
    }
}

/// The value of the field, or of the option of a command, whose name is the word at a place; `None`
/// where nothing is assigned.
pub(super) fn value_of(text: &str, from: usize, to: usize) -> Option<Value> {
    let bytes = text.as_bytes();
    let colon = memchr::memchr(b':', &bytes[from..to]).filter(|p| *p > 0);
    let mut at = match colon {
        Some(p) => from + p + 1,
        None => {
            let mut at = to;
            while matches!(bytes.get(at), Some(b'\\')) {
                at += 1;
            }
            let closed = matches!(bytes.get(at), Some(b'"' | b'\'' | b']'));
            at += usize::from(closed);
            at += spaces(bytes, at);
            let option = text[from..to].starts_with('-') && to - from > 2;
            match bytes.get(at) {
                Some(b'=' | b':') => at + 1,
                // `["--password", "hunter2"]`
                Some(b',') if option && closed => at + 1,
                // `--password hunter2`, where no other option follows.
                Some(next) if *next != b'-' && at > to && option && !closed => at,
                _ => return None,
            }
        }
    };
    at += usize::from(matches!(bytes.get(at), Some(b'>' | b'=' | b'~')));
    at += spaces(bytes, at);
    at += wrapper(&bytes[at..]);
    let slashes = bytes[at..].iter().take_while(|b| **b == b'\\').count();
    Some(match bytes.get(at + slashes) {
        Some(q @ (b'"' | b'\'')) => Value { at: at + slashes + 1, quote: Some((*q, slashes)) },
        _ => Value { at, quote: None },
    })
}

/// Blanks at an offset, at most four: more is a table.
fn spaces(bytes: &[u8], at: usize) -> usize {
    let blank = |b: &&u8| matches!(b, b' ' | b'\t');
    bytes.get(at..).map_or(0, |b| b.iter().take(4).take_while(blank).count())
}

/// Bytes of what may stand directly before a quote: `b'…'`, `SecretStr('…')`.
fn wrapper(rest: &[u8]) -> usize {
    let name = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
    let call = usize::from(rest.get(name) == Some(&b'('));
    let quoted = matches!(rest.get(name + call), Some(b'"' | b'\''));
    if quoted && (call == 1 || name == 1) { name + call } else { 0 }
}

/// Where a value ends: at its quote, or where the next word may begin.
pub(super) fn value_end(text: &str, value: Value, class: Class) -> usize {
    let bytes = text.as_bytes();
    let rest = &bytes[value.at..];
    let end = match value.quote {
        Some((quote, slashes)) => quote_end(rest, quote, slashes),
        None if class == Class::Header => header_end(rest),
        None if class == Class::Secret && begins_with_scheme(rest) => header_end(rest),
        None => rest.iter().position(ends_value),
    };
    value.at + end.unwrap_or(rest.len())
}

/// Where a value in single quotes ends in which a doubled quote stands for one.
pub(super) fn doubled_end(text: &str, value: Value) -> usize {
    let bytes = text.as_bytes();
    let mut at = value.at;
    while let Some(quote) = memchr::memchr(b'\'', &bytes[at..]).map(|p| at + p) {
        if bytes.get(quote + 1) != Some(&b'\'') {
            return quote;
        }
        at = quote + 2;
    }
    bytes.len()
}

fn ends_value(byte: &u8) -> bool {
    byte.is_ascii_whitespace()
        || matches!(
            byte,
            b'"' | b'\'' | b',' | b';' | b'&' | b'<' | b'>' | b'|' | b')' | b'}' | b']'
        )
}

/// A header reaches to the end of its line, unless it is a scheme and a token, or quoted with its name.
fn header_end(rest: &[u8]) -> Option<usize> {
    let word = rest.iter().position(|b| *b == b' ')?;
    // A digest is a list of fields.
    let digest = rest[..word].eq_ignore_ascii_case(b"digest");
    match begins_with_scheme(rest) && !digest {
        true => {
            let from = word + rest[word..].iter().take_while(|b| **b == b' ').count();
            rest[from..].iter().position(ends_value).map(|p| from + p)
        }
        false if digest => rest.iter().position(|b| matches!(b, b'\n' | b'\r')),
        false => rest.iter().position(|b| matches!(b, b'\n' | b'\r' | b'"' | b'\'')),
    }
}

/// Bytes in which the name of a scheme ends.
const SCHEME_MAX: usize = 16;

/// Says whether the name of a scheme, blanks and more begin a value.
fn begins_with_scheme(rest: &[u8]) -> bool {
    let word = rest.iter().take(SCHEME_MAX).position(|b| *b == b' ').unwrap_or(0);
    std::str::from_utf8(&rest[..word]).is_ok_and(is_scheme)
}

/// Says whether a word is what stands before a token in a header.
pub(super) fn is_scheme(word: &str) -> bool {
    ["bearer", "basic", "negotiate", "apikey", "digest", "token"]
        .iter()
        .any(|s| word.eq_ignore_ascii_case(s))
}

/// The offset of the closing quote: with as many backslashes before it as the opening one has.
pub(super) fn quote_end(rest: &[u8], quote: u8, slashes: usize) -> Option<usize> {
    memchr::memchr_iter(quote, rest).find_map(|p| {
        let before = rest[..p].iter().rev().take_while(|b| **b == b'\\').count();
        let closes = if slashes == 0 { before.is_multiple_of(2) } else { before <= slashes };
        closes.then(|| if slashes == 0 { p } else { p - before.min(slashes) })
    })
}

/// Where a token behind the name of its scheme ends.
pub(super) fn opaque_end(bytes: &[u8], from: usize) -> usize {
    let stops = |b: &u8| b.is_ascii_whitespace() || b"\"',;\\)|}]<>&".contains(b);
    bytes[from..].iter().position(stops).map_or(bytes.len(), |p| from + p)
}
