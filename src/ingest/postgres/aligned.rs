//! psql's aligned tables: ascii, old-ascii and unicode lines, border 0 to 2. In: lines of text. Out:
//! header and rows, cut at the columns of the rule line, for statements hold `|` themselves.

use super::psql::{Lines, is_footer};
use super::width;
use crate::ingest::table::Table;

/// Characters that a rule line is made of.
const DASHES: [char; 3] = ['-', '─', '═'];
const CROSSES: [char; 11] = ['+', '┼', '├', '┤', '╪', '╞', '╡', '╬', '╠', '╣', ' '];
/// Marks behind a cell that goes on in the next line: after a line feed, or wrapped.
const FEED: [char; 2] = ['+', '↵'];
const WRAPPED: [char; 2] = ['.', '…'];

/// First and last (not included) display column of every cell; `None` where it is no rule line.
///
/// A rule of one column counts only when it is told to be one by its frame or its length.
pub fn rule(line: &str) -> Option<Vec<(usize, usize)>> {
    let line = line.trim_end();
    let body = line.chars().all(|c| DASHES.contains(&c) || CROSSES.contains(&c));
    if !body || !line.contains(DASHES) {
        return None;
    }
    let (mut spans, mut start) = (Vec::new(), None);
    for (column, c) in line.chars().enumerate() {
        match (DASHES.contains(&c), start) {
            (true, None) => start = Some(column),
            (false, Some(from)) => {
                spans.push((from, column));
                start = None;
            }
            _ => {}
        }
    }
    if let Some(from) = start {
        spans.push((from, line.chars().count()));
    }
    let long = spans.first().is_some_and(|(from, to)| to - from >= 3);
    (spans.len() > 1 || long).then_some(spans)
}

/// A cell's text and how it goes on: `None`, after a line feed, or wrapped.
struct Piece<'a> {
    text: &'a str,
    goes_on: Option<bool>,
}

/// Cuts one line; the mark stands on the last column of a cell, or behind it without a border.
fn pieces<'a>(line: &'a str, spans: &[(usize, usize)], spaced: bool) -> Vec<Piece<'a>> {
    let wide: Vec<(usize, usize)>;
    let spans = if spaced {
        wide = spans.iter().map(|(from, to)| (*from, to + 1)).collect();
        &wide
    } else {
        spans
    };
    let full = |piece: &str, span: &(usize, usize)| piece.chars().count() + 1 >= span.1 - span.0;
    let one = |(piece, span): (&'a str, &(usize, usize))| {
        let mark = piece.chars().next_back().filter(|_| full(piece, span));
        let goes_on = match mark {
            Some(c) if FEED.contains(&c) => Some(true),
            Some(c) if WRAPPED.contains(&c) => Some(false),
            _ => None,
        };
        let text = match (goes_on, mark) {
            (Some(_), Some(c)) => &piece[..piece.len() - c.len_utf8()],
            _ => piece,
        };
        Piece { text: text.trim(), goes_on }
    };
    width::cut(line, spans).into_iter().zip(spans).map(one).collect()
}

/// Says whether a line of an old-ascii table carries a row on: its separators are no bars.
fn carries_on(line: &str, spans: &[(usize, usize)]) -> bool {
    let between: Vec<(usize, usize)> =
        spans.windows(2).map(|w| (w[0].1, w[1].0)).filter(|(from, to)| to == &(from + 1)).collect();
    let marks = width::cut(line, &between);
    marks.iter().any(|m| [":", ";"].contains(m))
}

/// Reads one table whose header line is `header` and whose rule line is the next of `lines`.
pub fn read(header: &str, lines: &mut Lines) -> Table {
    let mut table = Table::default();
    let Some((_, line)) = lines.next() else { return table };
    let Some(spans) = rule(line) else { return table };
    // Without a border the rule has spaces between its columns and no padding inside them.
    let spaced = line.trim_end().contains(' ') && !line.contains(['+', '┼', '╪', '╬']);
    table.header = pieces(header, &spans, spaced).iter().map(|p| p.text.to_owned()).collect();
    let mut goes_on: Vec<Option<bool>> = Vec::new();
    while let Some((number, line)) = lines.peek() {
        let open = goes_on.iter().any(Option::is_some);
        let over = is_footer(line) || rule(line).is_some() || is_bottom(line);
        if !open && (line.trim().is_empty() || over) {
            // A frame's last line belongs to its table; so does the footer.
            if over {
                lines.next();
            }
            break;
        }
        lines.next();
        let cells = pieces(line, &spans, spaced);
        match table.rows.last_mut() {
            Some(row) if open || carries_on(line, &spans) => {
                for (i, (cell, piece)) in row.iter_mut().zip(&cells).enumerate() {
                    match goes_on.get(i).copied().flatten() {
                        Some(false) => cell.push_str(piece.text),
                        _ if piece.text.is_empty() => {}
                        _ => {
                            cell.push('\n');
                            cell.push_str(piece.text);
                        }
                    }
                }
            }
            _ => {
                table.rows.push(cells.iter().map(|p| p.text.to_owned()).collect());
                table.lines.push(number);
            }
        }
        goes_on = cells.iter().map(|p| p.goes_on).collect();
    }
    table
}

/// Says whether a line closes a unicode frame.
fn is_bottom(line: &str) -> bool {
    let line = line.trim();
    line.starts_with(['└', '╚']) && line.chars().all(|c| "└┴┘╚╩╝─═╧".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Vec<Vec<String>> {
        let mut lines = Lines::new(text.as_bytes(), 1);
        let (_, header) = lines.next().expect("a header");
        let table = read(header, &mut lines);
        [vec![table.header], table.rows].concat()
    }

    #[test]
    fn cells_are_cut_where_the_rule_has_its_crosses() {
        let text = "  pid  |    query     \n-------+--------------\n 31608 | a || 'b'    +\n       \
                    | limit 1\n     9 | \n(2 rows)\n";
        assert_eq!(table(text), [["pid", "query"], ["31608", "a || 'b'\nlimit 1"], ["9", ""]]);
    }

    #[test]
    fn wrapped_cells_are_put_together_without_a_feed() {
        let text = " pid |  query  \n-----+---------\n   1 | select .\n     | 1\n";
        assert_eq!(table(text)[1], ["1", "select1"]);
    }

    #[test]
    fn no_border_and_no_frame_are_the_same_table() {
        let text = "pid  query \n--- -------\n  1 update +\n    t\n  2 x\n(2 rows)\n";
        assert_eq!(table(text), [["pid", "query"], ["1", "update\nt"], ["2", "x"]]);
    }

    #[test]
    fn rules_are_told_from_other_lines() {
        assert_eq!(rule("-----+---"), Some(vec![(0, 5), (6, 9)]));
        assert_eq!(rule("+-----+---+"), Some(vec![(1, 6), (7, 10)]));
        assert_eq!(rule("├──┼──┤"), Some(vec![(1, 3), (4, 6)]));
        for no in ["", "--", "-- a comment", "---\tx", "a | b", "+"] {
            assert_eq!(rule(no), None, "{no}");
        }
    }
}
