//! psql's expanded tables: one line per column, one record behind the other. In: lines of text. Out:
//! the same header and rows that the aligned form would give.

use super::psql::{Lines, is_footer, title};
use crate::ingest::table::Table;
use std::collections::HashMap;

/// Says whether a line opens a record: `-[ RECORD 1 ]--+---`, or `* Record 1` without a border.
pub fn is_record(line: &str) -> bool {
    let rest = line.trim_start_matches(|c| "+-─═┌├╔╠╒╞".contains(c));
    let framed = line.len() > rest.len() && rest.starts_with("[ RECORD ") && rest.contains(" ]");
    framed || line.strip_prefix("* Record ").is_some_and(|n| n.trim().parse::<u64>().is_ok())
}

fn is_first(line: &str) -> bool {
    line.contains("[ RECORD 1 ]") || line.trim_end() == "* Record 1"
}

/// The separators between a name and its value: of a first line, of a line that goes on.
const SEPARATORS: [&str; 5] = ["|", "│", "║", ":", ";"];

/// One line of a record: the column's name (empty where the value goes on) and the value.
fn field(line: &str, bare: Option<usize>) -> Option<(&str, &str)> {
    if let Some(width) = bare {
        let at = line.char_indices().nth(width).map_or(line.len(), |(at, _)| at);
        return Some((line[..at].trim(), line[at..].trim()));
    }
    // A frame opens the line with a bar of its own and closes it with another.
    let framed = SEPARATORS[..3].iter().find_map(|s| line.strip_prefix(s));
    let inner = framed.unwrap_or(line);
    let at = SEPARATORS.iter().filter_map(|s| inner.find(s).map(|at| (at, s.len()))).min()?;
    let (name, value) = (&inner[..at.0], inner[at.0 + at.1..].trim());
    let value = match framed {
        Some(_) => SEPARATORS[..3].iter().find_map(|s| value.strip_suffix(s)).unwrap_or(value),
        None => value,
    };
    Some((name.trim(), value.trim_end()))
}

/// Width of the names without a border: no line says it, so it is that of the longest first word.
fn bare_width(lines: &Lines) -> usize {
    let mut longest = 0;
    for (_, line) in lines.clone() {
        if line.trim().is_empty() || is_record(line) {
            break;
        }
        let word = line.split(' ').next().unwrap_or_default();
        longest = longest.max(word.chars().count() + 1);
    }
    longest
}

/// Reads the records behind the line `first`, which opens one.
pub fn read(first: &str, lines: &mut Lines) -> Table {
    let mut table = Table::default();
    let bare = first.starts_with("* ").then(|| bare_width(lines));
    let mut record: Vec<(String, String)> = Vec::new();
    let mut start = lines.peek().map_or(0, |(number, _)| number);
    while let Some((number, line)) = lines.peek() {
        let opens = is_record(line);
        let next_table = opens && is_first(line);
        let over = line.trim().is_empty() || is_footer(line) || title(line).is_some();
        if over || next_table || is_frame_end(line) {
            break;
        }
        lines.next();
        if opens {
            keep(&mut table, std::mem::take(&mut record), start);
            start = number + 1;
            continue;
        }
        let Some((name, value)) = field(line, bare) else { continue };
        // A full record whose first column comes again: the line between them is damaged.
        let full = !record.is_empty() && record.len() == table.header.len();
        if full && table.header.first().is_some_and(|first| first == name) {
            keep(&mut table, std::mem::take(&mut record), start);
            start = number;
        }
        match record.last_mut() {
            Some((_, before)) if name.is_empty() => {
                let end = before.trim_end_matches(['+', '↵', '.', '…']).trim_end().len();
                before.truncate(end);
                before.push('\n');
                before.push_str(value);
            }
            _ => record.push((name.to_owned(), value.to_owned())),
        }
    }
    keep(&mut table, record, start);
    table
}

/// Says whether a line closes a frame.
fn is_frame_end(line: &str) -> bool {
    line.starts_with(['+', '└', '╚']) && !is_record(line)
}

/// Puts a record under the header; the first record makes it.
fn keep(table: &mut Table, record: Vec<(String, String)>, line: u64) {
    if record.is_empty() {
        return;
    }
    if table.header.is_empty() {
        table.header = record.iter().map(|(name, _)| name.clone()).collect();
    }
    let same = record.iter().map(|(name, _)| name).eq(&table.header);
    let row = match same {
        true => record.into_iter().map(|(_, value)| value).collect(),
        // The last record of a cut file, or text between: what fits is kept.
        false => {
            let mut known: HashMap<String, String> = record.into_iter().collect();
            table.header.iter().map(|h| known.remove(h).unwrap_or_default()).collect()
        }
    };
    table.rows.push(row);
    table.lines.push(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Vec<Vec<String>> {
        let mut lines = Lines::new(text.as_bytes(), 1);
        let (_, first) = lines.next().expect("a record");
        assert!(is_record(first), "{first}");
        let table = read(first, &mut lines);
        [vec![table.header], table.rows].concat()
    }

    #[test]
    fn every_border_gives_the_same_records() {
        let one = "-[ RECORD 1 ]------\npid   | 1\nquery | a | b  +\n      | c\n\
                   -[ RECORD 2 ]------\npid   | 2\nquery | \n\n";
        let two = "+-[ RECORD 1 ]--------+\n| pid   | 1          |\n| query | a | b     +|\n\
                   |       | c          |\n+-[ RECORD 2 ]--------+\n| pid   | 2          |\n\
                   | query |            |\n+-------+------------+\n";
        let none = "* Record 1\npid   1\nquery a | b +\n      c\n* Record 2\npid   2\nquery \n";
        let unicode = one.replace('|', "│").replace("-[", "─[").replace("a │ b  +", "a | b  ↵");
        let want = [["pid", "query"], ["1", "a | b\nc"], ["2", ""]];
        for text in [one, two, none, &unicode] {
            assert_eq!(table(text), want, "{text}");
        }
    }

    #[test]
    fn a_damaged_mark_between_records_costs_no_record() {
        let record = |n: u8, mark: &str| format!("-[ {mark} {n} ]---\npid   | {n}\nquery | q\n");
        let text = [record(1, "RECORD"), record(2, "RECORD"), record(3, "RE\"CORD")].concat();
        assert_eq!(table(&text), [["pid", "query"], ["1", "q"], ["2", "q"], ["3", "q"]]);
    }
}
