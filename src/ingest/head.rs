//! What a reader sees of a file: its head, by which it is recognised, and then all of it.

use super::raw::{FileId, Raw};
use super::taken::Taken;
use super::why::Found;
use super::{cell, csv_text, json_scan, platform};
use crate::ingest::text::beginning;
use crate::model::GapKind;
use crate::time::Zone;
use prost::bytes::Bytes;
use serde_json::Value;

/// Says something about a file from its head.
pub type Accepts = fn(&Head) -> bool;

/// One export format.
pub struct Reader {
    pub name: &'static str,
    pub what: &'static str,
    pub accepts: Accepts,
    pub read: fn(&Input, &mut Raw),
}

/// A file's first bytes, looked at by the sniffers.
pub struct Head<'a> {
    pub name: &'a str,
    pub bytes: &'a [u8],
    /// Lower-cased cells of the first record, when the text is delimited.
    pub header: Vec<String>,
    /// Says whether the header goes on behind the head: its last cell is torn.
    pub header_torn: bool,
    json: bool,
    /// What was asked for and found, to say afterwards why the file was taken for what it is.
    found: Found,
}

/// Bytes that are looked at to recognise a file.
const HEAD_BYTES: usize = 64 << 10;

impl<'a> Head<'a> {
    /// Looks at the beginning of `all`; `name` is the file's own, without folders.
    pub fn new(name: &'a str, all: &'a [u8]) -> Self {
        let bytes = &all[..all.len().min(HEAD_BYTES)];
        let json = is_json(bytes);
        let text = !json && !bytes.contains(&0);
        let header = if text {
            csv_text::header(csv_text::whole_lines(all, HEAD_BYTES))
        } else {
            Vec::new()
        };
        let header = header.iter().map(|h| h.to_lowercase()).collect();
        let header_torn = all.len() > bytes.len() && !bytes.contains(&b'\n');
        Head { name, bytes, header, header_torn, json, found: Found::default() }
    }

    /// The first reader that accepts the file, and why.
    pub fn reader(&self, readers: &'static [Reader]) -> Option<(&'static Reader, String)> {
        let accepts = |r: &&Reader| {
            self.found.forget();
            (r.accepts)(self)
        };
        let reader = readers.iter().find(accepts)?;
        Some((reader, self.found.said(self)))
    }

    /// Says whether the first bytes are `magic`.
    pub fn starts_with(&self, magic: &[u8]) -> bool {
        self.found.magic(magic, self.bytes.starts_with(magic))
    }

    /// Says whether the text is JSON, by its first character.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Says whether a column of that (lower-cased) name stands in the header.
    pub fn has_column(&self, name: &str) -> bool {
        self.found.name(name, self.header.iter().any(|h| h == name))
    }

    /// Says whether `"key"` followed by a colon stands near the beginning of a JSON text.
    pub fn has_key(&self, key: &str) -> bool {
        let quoted = format!("\"{key}\"");
        let is_key = |at: usize| {
            let behind = json_scan::skip_space(self.bytes, at + quoted.len());
            self.bytes.get(behind) == Some(&b':')
        };
        let found =
            self.json && memchr::memmem::find_iter(self.bytes, quoted.as_bytes()).any(is_key);
        self.found.name(key, found)
    }
}

/// Says whether a text begins as JSON does: `{` stands before a key, for in Prometheus' text it
/// stands before a label.
fn is_json(text: &[u8]) -> bool {
    let open = json_scan::skip_space(text, 0);
    let inner = json_scan::skip_space(text, open + 1);
    match (text.get(open), text.get(inner)) {
        (Some(b'['), _) => is_list(text, inner),
        (Some(b'{'), None) => true,
        (Some(b'{'), Some(b'"')) => {
            let behind = json_scan::value_end(text, inner).map(|e| json_scan::skip_space(text, e));
            matches!(behind.map(|b| text.get(b)), None | Some(None | Some(b':')))
        }
        // What ends too early or has a slip of the pen in it is still no label.
        (Some(b'{'), Some(first)) => !first.is_ascii_alphabetic() && *first != b'_',
        _ => false,
    }
}

/// Says whether a list begins whose first value may begin at an offset: `[main]`, `[error] gone` and
/// `[2026-11-20 20:10:00]` begin lines of configuration and logs.
fn is_list(text: &[u8], first: usize) -> bool {
    let scalar = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    let Some(byte) = text.get(first) else { return true };
    if !scalar(byte) {
        return true;
    }
    let len = text[first..].iter().position(|b| !scalar(b)).unwrap_or(text.len() - first);
    let word = std::str::from_utf8(&text[first..first + len]).unwrap_or_default();
    let known = matches!(word, "true" | "false" | "null" | "NaN") || word.parse::<f64>().is_ok();
    let behind = json_scan::skip_space(text, first + len);
    match text.get(behind) {
        None => known,
        Some(b',') => known,
        // Behind the end of a list nothing follows on its line.
        Some(b']') => {
            known && text.get(behind + 1).is_none_or(|b| matches!(b, b'\n' | b'\r' | b','))
        }
        Some(_) => false,
    }
}

/// A whole file in memory, decompressed, or some of its documents.
pub struct Input<'a> {
    pub file: FileId,
    pub path: &'a str,
    pub bytes: &'a [u8],
    pub zone: &'a Zone,
    /// Line of the file (from 1) on which `bytes` begins.
    pub first_line: u64,
    pub taken: Taken,
    /// Statements are kept as they were written.
    pub literals: bool,
    /// Series that are read of a file.
    pub series: u64,
    /// The memory that `bytes` is a part of, where a reader may keep it.
    pub memory: Option<&'a Bytes>,
}

impl<'a> Input<'a> {
    /// The bytes for a reader that keeps them: copied only where they are nobody's yet.
    pub fn shared(&self) -> Bytes {
        let inside = |all: &&Bytes| {
            let (all, own) = (all.as_ptr_range(), self.bytes.as_ptr_range());
            all.start <= own.start && own.end <= all.end
        };
        match self.memory.filter(inside) {
            Some(all) => all.slice_ref(self.bytes),
            None => Bytes::copy_from_slice(self.bytes),
        }
    }

    /// Line of the file (from 1) on which an offset of `bytes` stands.
    pub fn line(&self, at: usize) -> u64 {
        json_scan::line_of(self.bytes, at) + self.first_line - 1
    }

    /// Lines of the file for offsets of `bytes` that are asked for in rising order.
    pub fn lines(&self) -> json_scan::Lines<'a> {
        json_scan::Lines::starting(self.bytes, self.first_line)
    }

    /// The file's name without its folders.
    pub fn name(&self) -> &'a str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }

    /// Counts the places where a document should start and none does; the first one is named.
    pub fn skip_defects(&self, defects: &[usize], what: &str, raw: &mut Raw) {
        if let Some(at) = defects.first() {
            raw.skip(self.file, Some(self.line(*at)), what, defects.len() as u64);
        }
    }

    /// Says whether the text is JSON, by its first character.
    pub fn is_json(&self) -> bool {
        let first = self.bytes.iter().find(|b| !b.is_ascii_whitespace());
        matches!(first, Some(b'{' | b'['))
    }

    /// Hands over every document of a JSON stream with its offset; what is none is counted.
    pub fn documents(&self, raw: &mut Raw, mut each: impl FnMut(usize, &'a [u8], &mut Raw)) {
        let mut defects = Vec::new();
        for (at, document) in json_scan::documents(self.bytes, |at| defects.push(at)) {
            let gaps = raw.gaps.len();
            each(at, document, raw);
            // A document that ends too early has said so itself.
            if raw.gaps[gaps..].iter().any(|g| g.kind == GapKind::Truncated) {
                defects.clear();
            }
        }
        self.skip_defects(&defects, "not a JSON document", raw);
    }

    /// Hands over the elements of a document's array with their offsets in the file: of the
    /// document itself when it is an array, else of the first one whose key is among `keys`.
    ///
    /// Gives `false` when there is no such array. A cut inside it is a gap that says `what` the
    /// elements are.
    pub fn elements(
        &self,
        (base, document): (usize, &'a [u8]),
        keys: &[&str],
        what: &str,
        raw: &mut Raw,
        mut each: impl FnMut(usize, &'a [u8], &mut Raw),
    ) -> bool {
        let open = match document.first() {
            Some(b'[') => Some(0),
            _ => json_scan::find_array(document, keys),
        };
        let Some(open) = open else { return false };
        let mut elements = json_scan::Elements::new(document, open);
        for (at, element) in elements.by_ref() {
            each(base + at, element, raw);
        }
        if let Some(at) = elements.broken {
            let line = Some(self.line(base + at));
            let what = format!("the file ends inside {what}, at byte {}", base + at);
            raw.gap(GapKind::Truncated, self.file, line, what);
        }
        true
    }

    /// Counts one `what` that cannot be read, with the line and the reason of the first one.
    pub fn skip_unreadable(
        &self,
        at: usize,
        what: &str,
        why: impl std::fmt::Display,
        raw: &mut Raw,
    ) {
        let first = || (Some(self.line(at)), format!("{what} is not readable: {why}"));
        raw.skip_like(self.file, what, 1, first);
    }
}

/// Magic bytes of things that people put beside their exports.
const OTHER: [(&[u8], &str); 11] = [
    (b"BZh", "compressed by bzip2: unpack it first (gzip, zstd and zip are read)"),
    (b"\xfd7zXZ\0", "compressed by xz: unpack it first (gzip, zstd and zip are read)"),
    (b"\x04\"M\x18", "compressed by lz4: unpack it first (gzip, zstd and zip are read)"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it first (zip is read)"),
    (b"Rar!", "a RAR archive: unpack it first (zip is read)"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x89PNG", "a PNG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a zip archive (unpack it first)"),
    (b"SQLite format 3", "an SQLite database"),
];

/// Says whether a text is a page for a browser: white space, a declaration of XML and comments may
/// stand before its first tag.
fn is_html(bytes: &[u8]) -> bool {
    let mut rest = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    while let Some((_, end)) = ASIDE.iter().find(|(open, _)| rest.starts_with(open)) {
        let Some(at) = memchr::memmem::find(rest, end) else { return false };
        rest = rest.get(at + end.len()..).unwrap_or_default().trim_ascii_start();
    }
    let begins = |tag: &&[u8]| rest.get(..tag.len()).is_some_and(|b| b.eq_ignore_ascii_case(tag));
    [&b"<!doctype html"[..], b"<html", b"<head", b"<body"].iter().any(begins)
}

/// What may stand before a page's first tag: its beginning and its end.
const ASIDE: [(&[u8], &[u8]); 2] = [(b"<!--", b"-->"), (b"<?xml", b"?>")];

/// Where an archive of tar has its magic bytes: behind name, owner, size and time of its first file.
const TAR: std::ops::Range<usize> = 257..262;

/// What a file holds that is an answer without anything in it; `None` where there is something.
fn nothing(bytes: &[u8]) -> Option<&'static str> {
    let dense: Vec<u8> =
        bytes.iter().copied().filter(|b| !b.is_ascii_whitespace()).take(9).collect();
    match dense.as_slice() {
        _ if bytes.is_empty() => Some("the file is empty"),
        b"" => Some("there is nothing but white space in the file"),
        b"{}" | b"null" => Some(EMPTY_ANSWER),
        _ if is_hollow(bytes) => Some(EMPTY_ANSWER),
        _ => None,
    }
}

/// What is said of an answer in which nothing is.
const EMPTY_ANSWER: &str =
    "an empty JSON answer: nothing matched what was asked for, or not at that time";

/// Says whether a text is a JSON document with lists, and nothing stands in any of them.
fn is_hollow(bytes: &[u8]) -> bool {
    /// Lists of a value, and those with something in them.
    fn lists(value: &Value) -> (usize, usize) {
        match value {
            Value::Array(all) if all.is_empty() => (1, 0),
            Value::Array(all) => {
                let inner = all.iter().map(lists).fold((1, 0), |a, b| (a.0 + b.0, a.1 + b.1));
                // A list of empty lists is empty.
                let full = all.iter().any(|v| !v.is_array());
                (inner.0, inner.1 + usize::from(full))
            }
            Value::Object(all) => {
                all.values().map(lists).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
            }
            _ => (0, 0),
        }
    }
    let document = serde_json::from_slice::<Value>(bytes);
    document.is_ok_and(|d| matches!(lists(&d), (1.., 0)))
}

/// Says what a file is that no reader accepts, as far as its head tells.
pub fn what_it_is(head: &Head) -> String {
    if let Some(what) = nothing(head.bytes) {
        return format!("not recognised: {what}");
    }
    if head.bytes.get(TAR) == Some(b"ustar") {
        return "not recognised: a tar archive: unpack it first (zip is read)".to_owned();
    }
    if let Some((_, what)) = OTHER.iter().find(|(magic, _)| head.starts_with(magic)) {
        return format!("not recognised: {what}");
    }
    if is_html(head.bytes) {
        return "not recognised: an HTML page: a login or error page, not an export".to_owned();
    }
    if let Some(what) = platform::refused(head.bytes).filter(|_| !head.json) {
        return format!("not read: {what}");
    }
    let binary = head.bytes.iter().take(512).any(|b| *b == 0);
    let start = String::from_utf8_lossy(&head.bytes[..head.bytes.len().min(240)]);
    // As it is written, or what hides passwords would not know it: reports make it harmless.
    let first = start.trim_start().lines().next().unwrap_or_default();
    let start = beginning(first, 60);
    match () {
        () if head.has_key("schema_version") && head.has_key("tool") => {
            "not an export: an answer of rootline".to_owned()
        }
        () if head.header.iter().any(|c| cell::moment(c, &Zone::default()).is_some()) => {
            "not recognised: a table that has no header line: put the names of its columns in \
             front (timestamp,metric,value and labels)"
                .to_owned()
        }
        () if binary => "not recognised: binary data".to_owned(),
        () if head.json => format!("not recognised: JSON of an unknown shape, it starts {start}"),
        () if !head.header.is_empty() => {
            format!("not recognised: a table without a time column, its header is {start}")
        }
        () => format!("not recognised: text that starts {start}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_known_when_its_first_row_reaches_beyond_the_head() {
        for columns in [4_000, 5_000, 7_000] {
            let names: Vec<String> = (0..columns).map(|i| format!("svc{i}_cpu")).collect();
            let row = format!("2026-11-20T20:00:00Z{}\n", ",0.5".repeat(columns));
            let text = format!("time,{}\n{row}{row}", names.join(","));
            assert!(text.len() > HEAD_BYTES, "{columns}");
            let head = Head::new("wide.csv", text.as_bytes());
            assert!(head.has_column("time") && head.header.len() > 1, "{columns}");
        }
    }
}
