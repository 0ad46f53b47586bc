//! Delimited exports: CSV of psql, `\copy` and GUIs, psql's unaligned text, and the text format of
//! `\copy`, which has no header. In: bytes. Out: [`Block`]s, a new one where a header comes again.

use super::View;
use super::psql::{Block, Lines, is_footer, title};
use crate::ingest::Input;
use crate::ingest::csv_text;
use crate::ingest::raw::Raw;
use crate::ingest::table::Table;
use crate::model::GapKind;

/// The columns of pg_stat_activity in `\copy` text, by their number: 10 to 12, 13, 14 to 18.
pub const ACTIVITY: [&str; 22] = [
    "datid",
    "datname",
    "pid",
    "leader_pid",
    "usesysid",
    "usename",
    "application_name",
    "client_addr",
    "client_hostname",
    "client_port",
    "backend_start",
    "xact_start",
    "query_start",
    "state_change",
    "wait_event_type",
    "wait_event",
    "state",
    "backend_xid",
    "backend_xmin",
    "query_id",
    "query",
    "backend_type",
];

/// The header that a line of `\copy` text would have; `None` when no version fits.
fn known_columns(cells: &[&str]) -> Option<Vec<String>> {
    let without: &[&str] = match cells.len() {
        20 => &["leader_pid", "query_id"],
        21 => &["query_id"],
        22 => &[],
        _ => return None,
    };
    let header: Vec<&str> = ACTIVITY.iter().filter(|c| !without.contains(c)).copied().collect();
    let cell = |name: &str| header.iter().position(|h| *h == name).and_then(|i| cells.get(i));
    let whole = |name| cell(name).is_some_and(|c| *c == "\\N" || c.parse::<i64>().is_ok());
    let fits = whole("datid") && whole("pid") && cell("backend_start").is_some_and(|c| is_time(c));
    fits.then(|| header.iter().map(|h| (*h).to_owned()).collect())
}

fn is_time(cell: &str) -> bool {
    cell.len() >= 19 && cell.as_bytes().get(4) == Some(&b'-') && cell.contains(':')
}

/// Says whether a text is `\copy` output of pg_stat_activity, of known columns or not.
pub fn is_copy_text(head: &[u8]) -> bool {
    let Some((_, line)) = Lines::new(head, 1).next() else { return false };
    let cells: Vec<&str> = line.split('\t').collect();
    let null = cells.contains(&"\\N") && cells.iter().any(|c| is_time(c));
    let state = ["active", "idle", "idle in transaction", "client backend", "checkpointer"];
    let said = cells.iter().any(|c| state.contains(c) || c.ends_with(" launcher"));
    cells.len() >= 5 && (known_columns(&cells).is_some() || (null && said))
}

/// Reads `\copy` text; where its columns are not known, a gap asks for a header.
pub fn copy_text(input: &Input, raw: &mut Raw) -> Vec<Block> {
    let mut table = Table::default();
    for (number, line) in Lines::new(input.bytes, input.first_line) {
        let cells: Vec<&str> = line.split('\t').collect();
        if table.header.is_empty() {
            let Some(header) = known_columns(&cells) else {
                let what = "text of \\copy has no header and its columns are not those of \
                            pg_stat_activity 10 to 18 (export with `csv header`)";
                raw.gap(GapKind::Unreadable, input.file, Some(number), what);
                return Vec::new();
            };
            table.header = header;
        }
        if line.is_empty() || line == "\\." {
            continue;
        }
        if cells.len() != table.header.len() {
            let what = format!("row has {} fields instead of {}", cells.len(), table.header.len());
            raw.skip(input.file, Some(number), what, 1);
            continue;
        }
        table.rows.push(cells.iter().map(|c| unescape(c)).collect());
        table.lines.push(number);
    }
    vec![Block { table, at: None }]
}

/// A cell of `\copy` text: `\N` is null, a backslash gives feeds, tabs and itself.
fn unescape(cell: &str) -> String {
    if cell == "\\N" {
        return String::new();
    }
    let mut out = String::with_capacity(cell.len());
    let mut chars = cell.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('r')) => out.push('\r'),
            ('\\', Some('t')) => out.push('\t'),
            ('\\', Some('b' | 'f' | 'v')) => out.push(' '),
            ('\\', Some(other)) => out.push(other),
            (c, _) => out.push(c),
        }
    }
    out
}

/// Says whether cells are a header of something that is read.
fn is_header(cells: &[String]) -> bool {
    let lower: Vec<String> = cells.iter().map(|c| c.trim().to_lowercase()).collect();
    View::of(&|name| lower.iter().any(|c| c == name)).is_some()
}

/// The header that the first line is, and its delimiter: for files of several tables, whose rows
/// are of no one width.
pub fn first_header(head: &[u8]) -> Option<(u8, Vec<String>)> {
    let (_, line) = Lines::new(head, 1).next()?;
    let cells = |d: u8| -> Vec<String> {
        line.split(d as char).map(|c| c.trim().trim_matches('"').to_owned()).collect()
    };
    let tried = [b',', b';', b'\t'].into_iter().map(|d| (d, cells(d)));
    tried.into_iter().find(|(_, cells)| is_header(cells))
}

/// Reads CSV, TSV or semicolons; every header starts a block.
pub fn csv(input: &Input, raw: &mut Raw) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mixed = || first_header(input.bytes).map(|(delimiter, _)| delimiter);
    let Some(delimiter) = csv_text::delimiter(input.bytes).or_else(mixed) else { return blocks };
    let mut builder = csv::ReaderBuilder::new();
    builder.delimiter(delimiter).has_headers(false).flexible(true);
    let mut reader = builder.from_reader(input.bytes);
    let mut record = csv::ByteRecord::new();
    loop {
        let line = reader.position().line() + input.first_line - 1;
        match reader.read_byte_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                let cells =
                    record.iter().map(|c| String::from_utf8_lossy(c).into_owned()).collect();
                add(&mut blocks, cells, line, input, raw);
            }
            Err(e) => {
                raw.skip(input.file, Some(line), format!("row is not readable: {e}"), 1);
                break;
            }
        }
    }
    blocks
}

/// Adds a record: as a header, as a row, or as one that does not fit.
fn add(blocks: &mut Vec<Block>, cells: Vec<String>, line: u64, input: &Input, raw: &mut Raw) {
    let known = blocks.last().map(|b| b.table.header.as_slice()).unwrap_or_default();
    let again = cells.iter().map(|c| c.trim()).eq(known.iter().map(String::as_str));
    if known.is_empty() || again || is_header(&cells) {
        let header = cells.iter().map(|c| c.trim().trim_matches('"').to_owned()).collect();
        let table = Table { header, ..Table::default() };
        blocks.push(Block { table, at: None });
        return;
    }
    if cells.len() != known.len() {
        let what = format!("row has {} fields instead of {}", cells.len(), known.len());
        raw.skip(input.file, Some(line), what, 1);
        return;
    }
    if let Some(block) = blocks.last_mut() {
        block.table.rows.push(cells);
        block.table.lines.push(line);
    }
}

/// The header of psql's unaligned text, whose first line splits at bars into known columns.
pub fn unaligned_header(head: &[u8]) -> Option<Vec<String>> {
    let mut lines = Lines::new(head, 1).filter(|(_, l)| !l.trim().is_empty() && title(l).is_none());
    let (_, line) = lines.next()?;
    let cells: Vec<String> = line.split('|').map(|c| c.trim().to_owned()).collect();
    (cells.len() > 1 && is_header(&cells)).then_some(cells)
}

/// Reads psql's unaligned text as well as it can be read: nothing in it is quoted, so that bars and
/// line feeds of a statement are told from separators by the number of fields only.
pub fn unaligned(input: &Input, raw: &mut Raw) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open: Option<Open> = None;
    let what = "unaligned text quotes nothing: bars and line ends in statements are guessed \
                (export with --csv)";
    raw.gap(GapKind::Doubtful, input.file, None, what);
    for (number, line) in Lines::new(input.bytes, input.first_line) {
        if open.is_none() && (line.is_empty() || title(line).is_some() || is_footer(line)) {
            continue;
        }
        let mut row = open.take().unwrap_or(Open { line: number, ..Open::default() });
        row.add(line);
        let width = blocks.last().map_or(0, |b| b.table.header.len());
        if row.bars + 1 < width && row.text.len() < ROW_MAX {
            open = Some(row);
            continue;
        }
        let query = blocks.last().and_then(|b| b.table.column(&["query"]));
        let cells: Vec<String> = row.text.split('|').map(str::to_owned).collect();
        let cells = if is_header(&cells) { cells } else { joined(cells, width, query) };
        add(&mut blocks, cells, row.line, input, raw);
    }
    if let Some(row) = open {
        raw.skip(input.file, Some(row.line), "row with too few fields", 1);
    }
    blocks
}

/// Longest text of one row of unaligned text.
const ROW_MAX: usize = 1 << 20;

/// A row of unaligned text that lacks fields still.
#[derive(Default)]
struct Open {
    line: u64,
    text: String,
    bars: usize,
}

impl Open {
    fn add(&mut self, line: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(line);
        self.bars += line.matches('|').count();
    }
}

/// Puts fields that are too many back into the statement that they come from.
fn joined(cells: Vec<String>, width: usize, query: Option<usize>) -> Vec<String> {
    let more = cells.len().saturating_sub(width);
    let Some(query) = query.filter(|_| width > 0 && more > 0) else { return cells };
    let (before, rest) = cells.split_at(query);
    let (statement, behind) = rest.split_at(more + 1);
    [before, &[statement.join("|")], behind].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_copy_text_are_freed_of_their_backslashes() {
        assert_eq!(unescape("a\\nb\\tc\\\\d"), "a\nb\tc\\d");
        assert_eq!(unescape("\\N"), "");
        assert_eq!(unescape("\\"), "\\");
    }

    #[test]
    fn surplus_fields_belong_to_the_statement() {
        let cells = ["1", "a ", " b", "x"].map(str::to_owned).to_vec();
        assert_eq!(joined(cells, 3, Some(1)), ["1", "a | b", "x"]);
    }
}
