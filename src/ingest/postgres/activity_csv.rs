//! pg_stat_activity as CSV with snapshot times, the export that grows to gigabytes. In: a file, whole
//! or in blocks that are parsed at the same time. Out: sessions.
//!
//! Rows in PostgreSQL's usual form are read straight out of the text; a block in which anything is
//! out of the ordinary is read by the general reader, which knows every dialect and names defects.

use super::iso_time::Clock;
use super::records::{self, Record};
use super::row;
use super::session_row::{Columns, Rows};
use super::sessions::Found;
use super::{View, delimited, read_tables};
use crate::ingest::Input;
use crate::ingest::decode::Unpacked;
use crate::ingest::file::Source;
use crate::ingest::raw::{InputFile, Raw, Session, SessionShape, Shapes, Starts};
use crate::ingest::stream;
use crate::model::{Gap, GapKind, Micros};
use hashbrown::HashMap;
use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

/// Rows' common parts that are remembered as written.
const WRITTEN: usize = 1 << 17;
/// Sessions, and things that they do, that are remembered as written.
const HALVES: usize = 1 << 16;

/// Mark of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// What the header of a file says.
struct Layout {
    delimiter: u8,
    header: Vec<String>,
    columns: Columns,
    /// Columns of what a session is, and of what it does.
    is: Vec<usize>,
    does: Vec<usize>,
    snapshot: usize,
}

/// Something in a block is out of the ordinary.
struct Odd;

impl Layout {
    fn of(delimiter: u8, header: Vec<String>) -> Option<Layout> {
        let has = |name: &str| header.iter().any(|h| h.eq_ignore_ascii_case(name));
        let columns = Columns::of(&header);
        let snapshot = columns.snapshot.filter(|_| columns.has_pid())?;
        let activity = View::of(&has) == Some(View::Activity);
        let [is, does] = columns.of_shape();
        activity.then_some(Layout { delimiter, header, columns, is, does, snapshot })
    }

    /// The layout that the first line of a text gives.
    fn first(text: &[u8]) -> Option<Layout> {
        let (delimiter, header) = delimited::first_header(text)?;
        Layout::of(delimiter, header)
    }

    fn is_header(&self, text: &str, record: &Record) -> bool {
        let own = (0..record.len()).map(|i| record.written(text, i).trim());
        own.eq(self.header.iter().map(String::as_str))
    }

    /// The header as a line of the file.
    fn line(&self) -> Vec<u8> {
        let mut line = csv::WriterBuilder::new().delimiter(self.delimiter).from_writer(Vec::new());
        // Into memory, which never fails.
        let _ = line.write_record(&self.header);
        line.into_inner().unwrap_or_default()
    }
}

/// Numbers of some of a row's cells, as they are written.
#[derive(Default)]
struct Numbers(HashMap<Box<[u8]>, u32>);

impl Numbers {
    fn of(&mut self, cells: &[u8]) -> u32 {
        if let Some(known) = self.0.get(cells) {
            return *known;
        }
        let next = self.0.len() as u32;
        self.0.insert(cells.into(), next);
        next
    }
}

/// What is remembered from block to block, by one thread at a time.
///
/// A server has some hundred sessions that do some hundred things: these fit a processor's cache,
/// where what both make together does not.
struct Memory<'a> {
    rows: Rows<'a>,
    sessions: Numbers,
    doings: Numbers,
    /// Common parts of rows by the numbers of both.
    written: HashMap<(u32, u32), Arc<SessionShape>>,
    key: Vec<u8>,
    record: Record,
    clock: Clock,
}

impl<'a> Memory<'a> {
    /// Starts a file whose rows share shapes with those of other memories.
    fn new(input: &Input<'a>, shapes: Arc<Mutex<Shapes>>) -> Memory<'a> {
        Memory {
            rows: Rows::new(input).sharing(shapes),
            sessions: Numbers::default(),
            doings: Numbers::default(),
            written: HashMap::new(),
            key: Vec::new(),
            record: Record::default(),
            clock: Clock::default(),
        }
    }

    /// The rows of a text in the usual form.
    fn usual(&mut self, layout: &Layout, input: &Input) -> Result<Vec<Session>, Odd> {
        let text = std::str::from_utf8(input.bytes).map_err(|_| Odd)?;
        let mut found = Vec::new();
        let (mut at, mut line) = (0, input.first_line);
        while at < text.len() {
            let end = self.record.read(text.as_bytes(), at, layout.delimiter).map_err(|_| Odd)?;
            match self.record.len() {
                0 => {}
                n if n != layout.header.len() => return Err(Odd),
                _ if layout.is_header(text, &self.record) => {}
                _ => found.push(self.session(layout, text, (input, line))?),
            }
            line += self.record.lines;
            at = end;
        }
        Ok(found)
    }

    fn session(
        &mut self,
        layout: &Layout,
        text: &str,
        (input, line): (&Input, u64),
    ) -> Result<Session, Odd> {
        let columns = &layout.columns;
        let written = |i: usize| self.record.written(text, i);
        let clock = &mut self.clock;
        let at = clock.read(written(layout.snapshot)).filter(|t| *t != 0).ok_or(Odd)?;
        let mut start = |[column, age]: [Option<usize>; 2]| -> Result<Option<Micros>, Odd> {
            let cell = column.map_or("", written);
            if !cell.is_empty() {
                if let Some(t) = clock.read(cell) {
                    return Ok(Some(t));
                }
                if !row::said(cell).is_empty() {
                    return Err(Odd);
                }
            }
            let age = age.map_or("", |i| row::said(written(i)));
            Ok(row::interval(age).filter(|_| at > 0).map(|age| at.saturating_sub(age)))
        };
        let [first, second] = columns.wait_start;
        let starts = Starts {
            xact: start(columns.xact)?,
            query: start(columns.query_start)?,
            state: start(columns.state_change)?,
            wait: match start([first, None])? {
                Some(t) => Some(t),
                None => start([second, None])?,
            },
        };
        let xmin = columns.backend_xmin.map_or("", written);
        let xmin = if xmin.is_empty() { None } else { row::said(xmin).parse().ok() };
        let shape = self.shape(layout, text)?;
        Ok(Session::new(shape, (input.file, line), at, &starts, xmin))
    }

    /// The number of some of the row's cells.
    fn number(
        numbers: &mut Numbers,
        key: &mut Vec<u8>,
        cells: &[usize],
        (record, text): (&Record, &str),
    ) -> u32 {
        key.clear();
        for i in cells {
            key.extend_from_slice(record.written(text, *i).as_bytes());
            // A cell's end: a byte that no UTF-8 text has.
            key.push(0xff);
        }
        numbers.of(key)
    }

    /// What the row shares with others: its cells are understood once.
    fn shape(&mut self, layout: &Layout, text: &str) -> Result<Arc<SessionShape>, Odd> {
        if self.sessions.0.len().max(self.doings.0.len()) >= HALVES || self.written.len() >= WRITTEN
        {
            self.sessions.0.clear();
            self.doings.0.clear();
            self.written.clear();
        }
        let row = (&self.record, text);
        let key = (
            Self::number(&mut self.sessions, &mut self.key, &layout.is, row),
            Self::number(&mut self.doings, &mut self.key, &layout.does, row),
        );
        if let Some(known) = self.written.get(&key) {
            return Ok(known.clone());
        }
        let record = &self.record;
        let cells: Vec<Cow<str>> = match record.is_doubled() {
            true => (0..record.len()).map(|i| record.cell(text, i)).collect(),
            false => Vec::new(),
        };
        let cell = |i: usize| match cells.get(i) {
            Some(cell) => &**cell,
            None => record.written(text, i),
        };
        let start = layout.columns.backend_start.map_or("", |i| row::said(cell(i)));
        let began = self.clock.read(start);
        if began.is_none() && !start.is_empty() {
            return Err(Odd);
        }
        let shape = self.rows.shape(&layout.columns, &cell, began).ok_or(Odd)?;
        let shape = self.rows.share(shape);
        self.written.insert(key, shape.clone());
        Ok(shape)
    }
}

/// Reads a file whose rows are all in the usual form. Says no, and leaves nothing behind, for any
/// other.
pub fn read(input: &Input, raw: &mut Raw) -> bool {
    let Some(layout) = Layout::first(input.bytes) else { return false };
    let mut memory = Memory::new(input, Arc::default());
    let Ok(rows) = memory.usual(&layout, input) else { return false };
    let mut found = Found { dated: rows, ..Found::default() };
    tell(&layout, &mut found);
    found.finish(input, raw);
    true
}

fn tell(layout: &Layout, found: &mut Found) {
    found.told.unblocked |= layout.columns.blocked_by.is_none();
    found.told.missing.get_or_insert_with(|| layout.columns.missing());
}

/// What one block gave.
enum Part {
    Usual(Vec<Session>),
    /// Read by the general reader, with what it noted, and the header that goes on behind it.
    General(Box<(Found, Raw, Option<Layout>)>),
}

/// A file that is read in blocks.
struct Streamed<'a> {
    source: &'a Source<'a>,
    /// Memories that no thread uses now.
    idle: Mutex<Vec<Memory<'a>>>,
    shapes: Arc<Mutex<Shapes>>,
    /// The header in force; `None` behind one of another table.
    layout: Mutex<Option<Arc<Layout>>>,
}

impl Streamed<'_> {
    fn layout(&self) -> Option<Arc<Layout>> {
        self.layout.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn part(&self, block: &[u8], first_line: u64) -> Part {
        let layout = self.layout();
        let input = self.source.input(block, first_line);
        if let Some(layout) = &layout {
            let memory = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let new = || Memory::new(&self.source.input(&[], 1), self.shapes.clone());
            let mut memory = memory.unwrap_or_else(new);
            let rows = memory.usual(layout, &input);
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
            if let Ok(rows) = rows {
                return Part::Usual(rows);
            }
        }
        self.general(layout.as_deref(), block, first_line)
    }

    /// Reads a block under the header in force, whose line is put before it.
    fn general(&self, layout: Option<&Layout>, block: &[u8], first_line: u64) -> Part {
        let starts = Layout::first(block).is_some();
        let header = layout.filter(|_| !starts).map(Layout::line).unwrap_or_default();
        let text = [header.as_slice(), block].concat();
        let lines = u64::from(!header.is_empty());
        let input = self.source.input(&text, first_line.saturating_sub(lines));
        let files = vec![InputFile::named(self.source.shown)];
        let mut raw = Raw { files, ..Raw::default() };
        let mut found = Found::default();
        let last = read_tables(&input, &mut found, &mut raw);
        let next = last.and_then(|header| Layout::of(layout.map_or(b',', |l| l.delimiter), header));
        Part::General(Box::new((found, raw, next)))
    }
}

/// Reads a file of any size in blocks. Gives back what was read of it where its first block is not
/// in the usual form.
pub fn stream(
    source: &Source,
    first: Vec<u8>,
    unpacked: &mut Unpacked,
    raw: &mut Raw,
) -> Result<(), Vec<u8>> {
    let text = first.strip_prefix(MARK).unwrap_or(&first);
    let Some(layout) = Layout::first(text) else { return Err(first) };
    let whole = records::last_end(text).and_then(|end| text.get(..end)).unwrap_or_default();
    let input = source.input(whole, 1);
    let looked = || Memory::new(&input, Arc::default()).usual(&layout, &input);
    if whole.is_empty() || looked().is_err() {
        return Err(first);
    }
    let marked = first.len() - text.len();
    let text = if marked > 0 { text.to_vec() } else { first };
    let mut all = Found::default();
    tell(&layout, &mut all);
    let (idle, shapes) = Default::default();
    let file = Streamed { source, idle, shapes, layout: Mutex::new(Some(Arc::new(layout))) };
    let parse = |block: &[u8], first_line| (file.layout(), file.part(block, first_line));
    let take = |(under, part): (Option<Arc<Layout>>, Part), block: &[u8], first_line| {
        // The header changed in a block that was parsed at the same time.
        let now = file.layout();
        let same = match (&under, &now) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (a, b) => a.is_none() && b.is_none(),
        };
        match if same { part } else { file.part(block, first_line) } {
            Part::Usual(mut rows) => all.dated.append(&mut rows),
            Part::General(read) => {
                let (found, part, next) = *read;
                all.append(found);
                raw.absorb_block(part);
                let header = |l: &Layout| l.header.clone();
                if now.as_deref().map(header) != next.as_ref().map(header) {
                    let mut layout = file.layout.lock().unwrap_or_else(PoisonError::into_inner);
                    *layout = next.map(Arc::new);
                }
            }
        }
    };
    let defect = stream::in_blocks((text, unpacked), records::last_end, &parse, take);
    all.finish(&source.input(&[], 1), raw);
    if let Some(what) = defect {
        raw.gaps.push(Gap::at(GapKind::Truncated, source.shown, None, what));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::raw::RawSession;
    use crate::ingest::stream::BLOCK;
    use crate::time::{self, Zone};

    const HEADER: &str = "snapshot_at,pid,state,query,query_start,blocked_by\n";
    const TURNED: &str = "pid,snapshot_at,query,state,query_start,blocked_by\n";

    fn stamp(second: i64) -> String {
        let at = time::rfc3339(1_795_205_401_000_000 + second * 1_000_000);
        at.replace('T', " ").replace('Z', ".250000+00")
    }

    /// Rows of as many snapshots of two sessions, each with a statement over two lines.
    fn rows(from: i64, to: i64, turned: bool) -> String {
        let row = |second: i64| {
            let at = stamp(second);
            let query = format!("\"select t.\"\"a\"\"\nfrom t where id = {second}\"");
            match turned {
                true => format!("1,{at},{query},active,{at},{{}}\n2,{at},{query},idle,,{{1}}\n"),
                false => format!("{at},1,active,{query},{at},{{}}\n{at},2,idle,{query},,{{1}}\n"),
            }
        };
        (from..to).map(row).collect()
    }

    fn plain(raw: &Raw) -> Vec<RawSession> {
        raw.sessions.iter().map(RawSession::from).collect()
    }

    fn whole(text: &str) -> Raw {
        let files = vec![InputFile::named("main_pg_stat_activity.csv")];
        let mut raw = Raw { files, ..Raw::default() };
        let (zone, taken) = (Zone::default(), Default::default());
        let shown = "main_pg_stat_activity.csv";
        let source = Source {
            shown,
            zone: &zone,
            taken,
            literals: false,
            undigested: false,
            limits: Default::default(),
        };
        crate::ingest::postgres::read(&source.input(text.as_bytes(), 1), &mut raw);
        raw
    }

    #[test]
    fn a_file_in_blocks_is_read_as_the_whole_file_is() {
        let many = BLOCK as i64 / 40;
        let text = [HEADER, &rows(0, many, false), HEADER, &rows(many, many + 9, false)].concat();
        assert!(text.len() > 2 * BLOCK);
        let streamed = crate::ingest::read_text("main_pg_stat_activity.csv", text.as_bytes());
        let read = whole(&text);
        assert_eq!(streamed.files[0].rows, 2 * (many as u64 + 9));
        assert_eq!(plain(&streamed), plain(&read));
        assert_eq!(streamed.gaps, read.gaps);
        let last = streamed.sessions.last().expect("rows");
        let lines = memchr::memchr_iter(b'\n', text.as_bytes()).count() as u64;
        assert_eq!((last.line(), &*last.query), (lines - 1, "select t.\"a\" from t where id = ?"));
    }

    #[test]
    fn what_is_odd_in_a_later_block_is_said_and_a_new_header_counts_from_there() {
        let many = BLOCK as i64 / 100;
        let bad = "soon,7,active,x,,{}\n2026-11-20 20:10:01+00,none,active,x,,{}\n";
        let parts = [HEADER, &rows(0, many, false), bad, TURNED, &rows(many, 2 * many, true)];
        let text = parts.concat();
        let streamed = crate::ingest::read_text("main_pg_stat_activity.csv", text.as_bytes());
        let read = whole(&text);
        assert_eq!(streamed.files[0].skipped, 2);
        let said = |raw: &Raw| {
            let mut said: Vec<_> =
                raw.gaps.iter().map(|g| (g.what.clone(), g.line, g.count)).collect();
            said.sort();
            said
        };
        assert_eq!(said(&streamed), said(&read));
        assert_eq!(plain(&streamed), plain(&read));
    }
}
