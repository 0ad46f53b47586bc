//! One stored file to what its reader makes of it: unpacked, recognised, whole or in blocks.

use super::decode::{self, Unpacked};
use super::raw::{InputFile, Raw};
use super::readers::SESSIONS;
use super::stream::{self, BLOCK};
use super::taken::Taken;
use super::{Head, Input, Limits, READERS, Reader, head, json_scan, postgres};
use crate::model::{Gap, GapKind};
use crate::time::Zone;
use prost::bytes::Bytes;
use std::io::Read;

/// A file's name and what is known from outside about its times.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    pub shown: &'a str,
    pub zone: &'a Zone,
    pub taken: Taken,
    /// Statements are kept as they were written.
    pub literals: bool,
    /// Nobody asks for the file's digest.
    pub undigested: bool,
    pub limits: Limits,
}

impl<'a> Source<'a> {
    /// A file that gave nothing, and why.
    pub fn unreadable(&self, what: String) -> Raw {
        let gaps = vec![Gap::at(GapKind::Unreadable, self.shown, None, what)];
        Raw { files: vec![InputFile::named(self.shown)], gaps, ..Raw::default() }
    }

    /// The file's name without its folders.
    pub fn name(&self) -> &'a str {
        self.shown.rsplit('/').next().unwrap_or(self.shown)
    }

    /// What a reader gets: bytes that begin on a line of the file.
    pub fn input(&self, bytes: &'a [u8], first_line: u64) -> Input<'a> {
        Input {
            file: 0,
            path: self.shown,
            bytes,
            zone: self.zone,
            first_line,
            taken: self.taken,
            literals: self.literals,
            series: self.limits.series,
            memory: None,
        }
    }
}

/// The bytes of a file, or why they cannot be had.
pub type Stored = std::result::Result<Vec<u8>, String>;

/// The bytes of a file that has to be read whole.
pub fn bytes(mut file: std::fs::File, len: u64, limits: Limits) -> Stored {
    if len > limits.bytes {
        return Err(too_large(limits));
    }
    let mut bytes = Vec::new();
    let read = file.read_to_end(&mut bytes);
    read.map(|_| bytes).map_err(|e| format!("cannot be read: {e}"))
}

/// What is said of a file that is too large.
fn too_large(limits: Limits) -> String {
    format!("larger than {} bytes: not read (`--limit bytes=N` allows more)", limits.bytes)
}

/// Reads a file whose bytes are in memory.
pub fn read_stored(source: &Source, stored: Stored) -> Raw {
    match stored {
        Ok(bytes) => read(source, std::io::Cursor::new(bytes)),
        Err(what) => source.unreadable(what),
    }
}

/// Reads what stored bytes hold, or notes why it could not be had.
pub fn read(source: &Source, stored: impl Read + Send + 'static) -> Raw {
    let mut unpacked = match Unpacked::new(stored, source.limits) {
        Ok(unpacked) if source.undigested => unpacked.undigested(),
        Ok(unpacked) => unpacked,
        Err(e) => return source.unreadable(format!("cannot be read: {e}")),
    };
    let mut raw = Raw { files: vec![InputFile::named(source.shown)], ..Raw::default() };
    let mut text = Vec::new();
    let mut defect = unpacked.append(&mut text, BLOCK as u64);
    let more = text.len() == BLOCK;
    let head = Head::new(source.name(), &text);
    let known = head.reader(READERS).filter(|_| more);
    let lines = known.as_ref().is_some_and(|k| stream::is_lines(k.0, &head, &text));
    let rest = match known {
        Some(known) => in_blocks(source, known, (lines, text), &mut unpacked, &mut raw),
        None => Some(text),
    };
    if let Some(mut text) = rest {
        if more {
            defect = unpacked.append(&mut text, source.limits.bytes.saturating_sub(BLOCK as u64));
        }
        if text.len() as u64 >= source.limits.bytes {
            return source.unreadable(too_large(source.limits));
        }
        whole(source, &Bytes::from(decode::plain(text)), &mut raw);
    }
    if unpacked.is_bomb() {
        defect = Some(decode::BOMB.to_owned());
    }
    if let Some(what) = defect {
        raw.gaps.insert(0, Gap::at(GapKind::Truncated, source.shown, None, what));
    }
    (raw.files[0].sha256, raw.files[0].bytes) = unpacked.finish();
    raw
}

/// Reads a file in blocks, however long it is; gives back its first block where it has to be read
/// whole.
fn in_blocks(
    source: &Source,
    (reader, why): (&'static Reader, String),
    (lines, first): (bool, Vec<u8>),
    unpacked: &mut Unpacked,
    raw: &mut Raw,
) -> Option<Vec<u8>> {
    let rest = match () {
        () if lines => {
            stream::read(source, reader, first, unpacked, raw);
            None
        }
        () if reader.name == SESSIONS => {
            postgres::stream_sessions(source, first, unpacked, raw).err()
        }
        () => Some(first),
    };
    if rest.is_none() {
        reader.name.clone_into(&mut raw.files[0].reader);
        raw.files[0].why = why;
    }
    rest
}

/// Reads a text that is in memory.
fn whole(source: &Source, bytes: &Bytes, raw: &mut Raw) {
    let head = Head::new(source.name(), bytes);
    let sections = sections(&head, bytes);
    if sections.is_empty() {
        raw.gap(GapKind::Unreadable, 0, None, head::what_it_is(&head));
        return;
    }
    let readers = || sections.iter().filter_map(|s| s.reader.as_ref());
    raw.files[0].reader = joined(readers().map(|r| r.0.name), " + ");
    raw.files[0].why = joined(readers().map(|r| r.1.as_str()), "; ");
    for section in &sections {
        let input = source.input(&bytes[section.from..section.to], section.first_line);
        let input = Input { memory: Some(bytes), ..input };
        match &section.reader {
            Some((reader, _)) => (reader.read)(&input, raw),
            None => {
                let what = head::what_it_is(&Head::new(source.name(), input.bytes));
                raw.skip_like(0, "document", 1, || (Some(input.first_line), what));
            }
        }
    }
    if raw.gaps.is_empty() && raw.files[0].rows == 0 {
        raw.gap(GapKind::Missing, 0, None, "recognised, but there is not one row in it");
    }
}

/// A stretch of a file that one reader reads; `None` where none accepts it.
struct Section {
    from: usize,
    to: usize,
    first_line: u64,
    reader: Option<(&'static Reader, String)>,
}

/// Largest JSON file that is looked through for documents of several kinds.
const MIXED_MAX: usize = 64 << 20;

/// The stretches of a file: one, unless it is JSON whose documents are of several kinds (exports
/// put together with `cat`). Empty when no reader accepts anything.
fn sections(head: &Head, bytes: &[u8]) -> Vec<Section> {
    let reader = head.reader(READERS);
    let known = reader.is_some();
    let whole = Section { from: 0, to: bytes.len(), first_line: 1, reader };
    let whole = || known.then_some(whole).into_iter().collect();
    if !head.is_json() || bytes.len() > MIXED_MAX {
        return whole();
    }
    let mut found: Vec<Section> = Vec::new();
    let mut lines = json_scan::Lines::new(bytes);
    for (from, document) in json_scan::documents(bytes, |_| {}) {
        let reader = Head::new(head.name, document).reader(READERS);
        let name = |r: &Option<(&Reader, String)>| r.as_ref().map(|r| r.0.name);
        let same = |s: &Section| name(&s.reader) == name(&reader);
        match found.last_mut().filter(|s| same(s)) {
            Some(last) => last.to = from + document.len(),
            None => {
                let (to, first_line) = (from + document.len(), lines.of(from));
                found.push(Section { from, to, first_line, reader });
            }
        }
    }
    let known = found.iter().filter(|s| s.reader.is_some()).count();
    match known {
        // What stands before, between and behind the documents belongs to their only reader.
        _ if found.len() < 2 => whole(),
        0 => Vec::new(),
        _ => found,
    }
}

/// Texts put together, each once.
fn joined<'a>(all: impl Iterator<Item = &'a str>, between: &str) -> String {
    let mut texts: Vec<&str> = Vec::new();
    for one in all {
        if !texts.contains(&one) {
            texts.push(one);
        }
    }
    texts.join(between)
}
