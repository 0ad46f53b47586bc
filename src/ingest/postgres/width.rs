//! Display columns of text, as psql counts them to align its tables. In: one line. Out: stretches of
//! it by their first and last column.

/// Columns that a character takes on a terminal: none for marks, two for East Asian letters.
fn columns(c: char) -> usize {
    match c as u32 {
        0x0300..=0x036f | 0x200b..=0x200f | 0x20d0..=0x20ff | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff => 2,
        0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 => 2,
        0x1f300..=0x1f64f | 0x1f900..=0x1f9ff | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// Cuts a line at display columns: one piece per pair of first and last (not included) column.
///
/// The pairs rise; a piece behind the end of the line is empty.
pub fn cut<'a>(line: &'a str, spans: &[(usize, usize)]) -> Vec<&'a str> {
    let mut pieces = Vec::with_capacity(spans.len());
    let mut places = line.char_indices().peekable();
    let mut column = 0;
    let mut offset_of = |wanted: usize| {
        while let Some((offset, c)) = places.peek().copied() {
            if column >= wanted && columns(c) > 0 {
                return offset;
            }
            column += columns(c);
            places.next();
        }
        line.len()
    };
    for (from, to) in spans {
        let start = offset_of(*from);
        let end = offset_of(*to);
        pieces.push(line.get(start..end).unwrap_or_default());
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_letters_take_two_columns_and_marks_none() {
        let spans = [(0, 4), (5, 9)];
        assert_eq!(cut("ab  |cd  ", &spans), ["ab  ", "cd  "]);
        assert_eq!(cut("価格|cd  ", &spans), ["価格", "cd  "]);
        assert_eq!(cut("e\u{301}   |cd", &spans), ["e\u{301}   ", "cd"]);
        assert_eq!(cut("a", &spans), ["a", ""]);
    }
}
