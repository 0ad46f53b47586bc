//! One file as it comes in to the same file without what is private: unpacked, recognised by its first
//! bytes, rewritten piece by piece, packed again as it was. Memory holds a few pieces of a text,
//! however long it is.

use super::delimited::{Table, delimiter};
use super::json::Walk;
use super::lines::Lines;
use super::{Redactor, binary, zipped};
use crate::ingest::{Head, Unpacked};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Cursor, Read, Write};

/// Why a file is not in the bundle.
#[derive(Debug)]
pub enum Refused {
    /// It cannot be redacted, or not be read.
    Unfit(String),
    /// The bundle cannot be written.
    Write(io::Error),
}

impl Refused {
    pub(super) fn unfit(what: impl Into<String>) -> Refused {
        Refused::Unfit(what.into())
    }
}

/// Bytes read at a time.
const PIECE: usize = 1 << 20;
/// Longest value or line; whatever is longer is no export.
const VALUE_MAX: usize = 64 << 20;
/// Largest file that has to be in memory whole: archives, columnar and binary files.
pub(super) const WHOLE_MAX: u64 = 1 << 30;
/// The mark before a text in UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";
/// Archives and packings within one another.
const NESTED_MAX: usize = 3;

type Done = std::result::Result<(), Refused>;

enum Form {
    Json(Walk),
    Table(Table),
    Lines(Lines),
}

impl Redactor {
    /// Rewrites one file; gives what has to be said about it.
    ///
    /// # Errors
    ///
    /// When the file cannot be redacted: what was written of it is to be thrown away.
    pub fn stream(
        &mut self,
        name: &str,
        from: Box<dyn Read + Send>,
        to: &mut dyn Write,
    ) -> std::result::Result<Vec<String>, Refused> {
        let mut said = Vec::new();
        self.nested(name, from, to, 0, &mut said)?;
        Ok(said)
    }

    pub(super) fn nested(
        &mut self,
        name: &str,
        mut from: Box<dyn Read + Send>,
        to: &mut dyn Write,
        level: usize,
        said: &mut Vec<String>,
    ) -> Done {
        if level > NESTED_MAX {
            return Err(Refused::unfit("packed within packed files: unpack it first"));
        }
        let mut head = Vec::new();
        let read = from.by_ref().take(PIECE as u64).read_to_end(&mut head);
        read.map_err(|e| Refused::unfit(format!("cannot be read: {e}")))?;
        let all: Box<dyn Read + Send> = Box::new(Cursor::new(head.clone()).chain(from));
        match head.as_slice() {
            [0x1f, 0x8b, ..] => {
                let mut packed = GzEncoder::new(to, Compression::fast());
                self.packed(name, all, &mut packed, level, said)?;
                packed.finish().map(drop).map_err(Refused::Write)
            }
            [0x28, 0xb5, 0x2f, 0xfd, ..] => {
                let mut packed = zstd::Encoder::new(to, 0).map_err(Refused::Write)?;
                self.packed(name, all, &mut packed, level, said)?;
                packed.finish().map(drop).map_err(Refused::Write)
            }
            [b'P', b'K', 3 | 5, 4 | 6, ..] => {
                let stored = whole(all)?;
                zipped::rewrite(self, stored, to, level, said)
            }
            _ => self.content(name, head, all, to, said),
        }
    }

    fn packed(
        &mut self,
        name: &str,
        all: Box<dyn Read + Send>,
        to: &mut dyn Write,
        level: usize,
        said: &mut Vec<String>,
    ) -> Done {
        let unpacked = Unpacked::new(all, self.limits)
            .map_err(|e| Refused::unfit(format!("cannot be unpacked: {e}")))?;
        let text = Tolerant::new(unpacked);
        let told = text.told.clone();
        self.nested(name, Box::new(text), to, level + 1, said)?;
        let mut told = told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match told.take() {
            Some(what) if what == crate::ingest::BOMB => Err(Refused::unfit(what)),
            what => {
                said.extend(what);
                Ok(())
            }
        }
    }

    /// What is not packed, or no more.
    fn content(
        &mut self,
        name: &str,
        head: Vec<u8>,
        all: Box<dyn Read + Send>,
        to: &mut dyn Write,
        said: &mut Vec<String>,
    ) -> Done {
        if binary::is_utf16(&head) {
            let text = crate::ingest::plain(whole(all)?);
            said.push("UTF-16: written as UTF-8".to_owned());
            return self.text_file(name, &text, Box::new(Cursor::new(text.clone())), to);
        }
        if binary::is_binary(&head) {
            let stored = whole(all)?;
            let new = binary::rewrite(self, name, &stored)?;
            return to.write_all(&new).map_err(Refused::Write);
        }
        let mut all = all;
        let head = match head.strip_prefix(MARK) {
            None => head.as_slice(),
            Some(rest) => {
                let mut mark = [0; MARK.len()];
                let passed = all.read_exact(&mut mark);
                passed.map_err(|e| Refused::unfit(e.to_string()))?;
                to.write_all(&mark).map_err(Refused::Write)?;
                rest
            }
        };
        self.text_file(name, head, all, to)
    }

    fn text_file(
        &mut self,
        name: &str,
        head: &[u8],
        mut all: Box<dyn Read + Send>,
        to: &mut dyn Write,
    ) -> Done {
        let mut form = match () {
            () if Head::new(name, head).is_json() => Form::Json(Walk::new()),
            () => match delimiter(head) {
                Some((d, above)) => Form::Table(Table::new(d, above)),
                None => Form::Lines(Lines::new()),
            },
        };
        let (mut text, mut out) = (Vec::new(), Vec::new());
        let mut want = PIECE;
        loop {
            let before = text.len();
            let read = all.by_ref().take(want as u64).read_to_end(&mut text);
            read.map_err(|e| Refused::unfit(format!("cannot be read: {e}")))?;
            let last = text.len() - before < want;
            let used = match &mut form {
                Form::Json(walk) => walk.feed(&text, last, self, &mut out),
                Form::Table(table) => table.feed(&text, last, self, &mut out),
                Form::Lines(lines) => lines.feed(&text, last, self, &mut out),
            };
            to.write_all(&out).map_err(Refused::Write)?;
            out.clear();
            text.drain(..used);
            if last {
                return Ok(());
            }
            if text.len() > VALUE_MAX {
                let what = format!("a value or line longer than {} MiB", VALUE_MAX >> 20);
                return Err(Refused::unfit(what));
            }
            // A long value is looked at again from its beginning: each time twice as far.
            want = PIECE.max(text.len());
        }
    }
}

/// All bytes of a file that has to be in memory.
fn whole(from: Box<dyn Read + Send>) -> std::result::Result<Vec<u8>, Refused> {
    let mut stored = Vec::new();
    let read = from.take(WHOLE_MAX + 1).read_to_end(&mut stored);
    read.map_err(|e| Refused::unfit(format!("cannot be read: {e}")))?;
    match stored.len() as u64 > WHOLE_MAX {
        true => Err(Refused::unfit(format!("larger than {} GiB", WHOLE_MAX >> 30))),
        false => Ok(stored),
    }
}

/// Unpacked text that ends where unpacking fails, and what is to be said of that.
struct Tolerant {
    from: Unpacked,
    given: usize,
    told: std::sync::Arc<std::sync::Mutex<Option<String>>>,
}

impl Tolerant {
    fn new(from: Unpacked) -> Tolerant {
        Tolerant { from, given: 0, told: std::sync::Arc::default() }
    }
}

impl Read for Tolerant {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let told = match self.from.read(buffer) {
            Ok(0) if self.from.is_bomb() => crate::ingest::BOMB.to_owned(),
            Ok(read) => {
                self.given += read;
                return Ok(read);
            }
            Err(e) => self.from.defect(self.given, &e),
        };
        *self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(told);
        Ok(0)
    }
}
