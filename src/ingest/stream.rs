//! Large files of one document or record a line, read in blocks: memory holds a few blocks and what was read
//! out of them, however long the file is, and blocks are parsed at the same time.
//!
//! Blocks have one size on every machine, so that the result does not depend on the machine.

use super::decode::Unpacked;
use super::file::Source;
use super::head::{Head, Reader};
use super::json_scan;
use super::raw::{InputFile, Raw};
use super::readers::LINES;
use crate::model::{Gap, GapKind};
use rayon::prelude::*;
use std::io::{self, Read};
use std::sync::mpsc;

/// Text that one task parses; a file that is shorter is read whole.
pub const BLOCK: usize = 4 << 20;
/// Blocks that are read ahead while others are parsed.
const AHEAD: usize = 4;
/// Longest line that is read; a longer one cannot be a document of a stream.
const LINE_MAX: usize = 512 << 20;

/// Says whether a reader's file is lines of one document each, as far as its first block tells.
pub fn is_lines(reader: &Reader, head: &Head, block: &[u8]) -> bool {
    LINES.iter().any(|(name, is)| *name == reader.name && is(head)) && one_a_line(block)
}

fn one_a_line(block: &[u8]) -> bool {
    let from = json_scan::skip_space(block, 0);
    let Some(end) = memchr::memchr(b'\n', block.get(from..).unwrap_or_default()) else {
        return false;
    };
    let line = block.get(from..from + end).unwrap_or_default().trim_ascii_end();
    json_scan::value_end(line, 0) == Some(line.len())
}

/// Blocks of whole lines or records out of anything that can be read.
struct Blocks<R> {
    from: R,
    /// Read, but not handed out: the beginning of a line.
    rest: Vec<u8>,
    done: bool,
    /// The offset behind the last whole line or record.
    cut: fn(&[u8]) -> Option<usize>,
}

impl<R: Read> Blocks<R> {
    /// The next block, in the memory of one that is `used` up; `None` at the end. An error of
    /// reading ends the text there.
    fn next(&mut self, mut block: Vec<u8>, defect: &mut Option<String>) -> Option<Vec<u8>> {
        let mut filled = self.rest.len();
        block.resize(filled.max(block.len()), 0);
        block[..filled].copy_from_slice(&self.rest);
        self.rest.clear();
        while !self.done {
            // One line may be longer than a block. What was used before is overwritten, not cleared.
            let wanted = if filled < BLOCK { BLOCK } else { 2 * filled };
            block.resize(wanted, 0);
            let got = fill(&mut self.from, &mut block[filled..], &mut filled);
            self.done = filled < wanted || filled > LINE_MAX;
            if let Err(e) = got {
                *defect = Some(format!("reading stopped: {e}"));
            }
            if filled > LINE_MAX {
                *defect = Some(format!("a line is longer than {} MiB", LINE_MAX >> 20));
            }
            if let Some(end) = (self.cut)(&block[..filled]).filter(|_| !self.done) {
                self.rest.extend_from_slice(&block[end..filled]);
                block.truncate(end);
                return Some(block);
            }
        }
        block.truncate(filled);
        (!block.is_empty()).then_some(block)
    }
}

/// Reads until `room` is full or the text ends, counting what came.
fn fill(from: &mut impl Read, mut room: &mut [u8], filled: &mut usize) -> io::Result<()> {
    while !room.is_empty() {
        match from.read(room) {
            Ok(0) => break,
            Ok(n) => {
                *filled += n;
                room = &mut room[n..];
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Reads a file of lines in blocks; `first` is what was read of it already.
pub fn read(
    source: &Source,
    reader: &'static Reader,
    first: Vec<u8>,
    unpacked: &mut Unpacked,
    raw: &mut Raw,
) {
    let parse = |block: &[u8], first_line| part(source, reader, block, first_line);
    let defect =
        in_blocks((first, unpacked), last_line, &parse, |part, _, _| raw.absorb_block(part));
    if let Some(what) = defect {
        raw.gaps.push(Gap::at(GapKind::Truncated, source.shown, None, what));
    }
}

/// The offset behind the last whole line.
fn last_line(block: &[u8]) -> Option<usize> {
    memchr::memrchr(b'\n', block).map(|end| end + 1)
}

/// Parses the text behind `first` block by block, several at the same time, and hands the results
/// over in their order, each with its block and the block's first line. `cut` says behind which
/// offset a block ends. Says what ended the text too early.
pub fn in_blocks<P: Send>(
    (first, unpacked): (Vec<u8>, &mut Unpacked),
    cut: fn(&[u8]) -> Option<usize>,
    parse: &(dyn Fn(&[u8], u64) -> P + Sync),
    mut take: impl FnMut(P, &[u8], u64),
) -> Option<String> {
    let (send, receive) = mpsc::sync_channel::<Vec<u8>>(AHEAD);
    let (give_back, used) = mpsc::channel::<Vec<u8>>();
    std::thread::scope(|scope| {
        let reading = scope.spawn(move || {
            let mut defect = None;
            let mut blocks = Blocks { from: unpacked, rest: first, done: false, cut };
            // The other side is gone only if it failed.
            while let Some(block) = blocks.next(used.try_recv().unwrap_or_default(), &mut defect)
                && send.send(block).is_ok()
            {}
            drop(send);
            defect
        });
        let mut first_line = 1;
        while let Ok(block) = receive.recv() {
            let mut group = vec![block];
            group.extend(receive.try_iter().take(rayon::current_num_threads() - 1));
            let starts = group.iter().scan(first_line, |line, block| {
                let own = *line;
                *line += memchr::memchr_iter(b'\n', block).count() as u64;
                Some((own, *line))
            });
            let starts: Vec<(u64, u64)> = starts.collect();
            first_line = starts.last().map_or(first_line, |s| s.1);
            let parts: Vec<P> =
                group.par_iter().zip(&starts).map(|(block, s)| parse(block, s.0)).collect();
            for ((part, block), (first_line, _)) in parts.into_iter().zip(group).zip(starts) {
                take(part, &block, first_line);
                // At the end of the file nobody wants it any more.
                let _ = give_back.send(block);
            }
        }
        reading.join().unwrap_or_else(|_| Some("reading failed".to_owned()))
    })
}

fn part(source: &Source, reader: &'static Reader, block: &[u8], first_line: u64) -> Raw {
    let mut raw = Raw { files: vec![InputFile::named(source.shown)], ..Raw::default() };
    (reader.read)(&source.input(block, first_line), &mut raw);
    raw
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(text: &[u8]) -> Vec<usize> {
        let mut blocks = Blocks { from: text, rest: Vec::new(), done: false, cut: last_line };
        let mut defect = None;
        let mut sizes = Vec::new();
        while let Some(block) = blocks.next(Vec::new(), &mut defect) {
            sizes.push(block.len());
        }
        assert_eq!(defect, None);
        sizes
    }

    #[test]
    fn blocks_end_with_lines_and_nothing_is_lost() {
        assert_eq!(blocks(b""), Vec::<usize>::new());
        assert_eq!(blocks(b"a\nb"), [3]);
        let line = format!("{{\"a\":\"{}\"}}\n", "x".repeat(1000));
        let text = line.repeat(2 * BLOCK / line.len() + 7);
        let sizes = blocks(text.as_bytes());
        assert_eq!(sizes.iter().sum::<usize>(), text.len());
        assert!(sizes.len() > 2 && sizes.iter().all(|s| s % line.len() == 0), "{sizes:?}");
        let long = "y".repeat(3 * BLOCK);
        assert_eq!(blocks(format!("{long}\nz\n").as_bytes()).iter().sum::<usize>(), 3 * BLOCK + 3);
    }

    #[test]
    fn lines_are_told_from_a_document_over_many_lines() {
        let is = |text: &str| one_a_line(text.as_bytes());
        assert!(is("{\"a\":1}\n{\"a\":2}\n") && is("{\"a\":1}\r\n{\"a\":2}\r\n"));
        assert!(!is("{\n\"a\":1}\n") && !is("{\"a\":1}") && !is("[1,\n2]\n"));
    }
}
