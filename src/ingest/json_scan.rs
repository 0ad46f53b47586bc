//! Finds values inside JSON text without building a tree: the elements of one named array, or the
//! documents of a stream. What stands before a cut or a defect is kept; the defect gets an offset.

use super::scan::string_end;

/// Splits `text` (a `[`…) into its element slices.
pub struct Elements<'a> {
    text: &'a [u8],
    at: usize,
    /// Offset of the place where the array stops being JSON, if it does.
    pub broken: Option<usize>,
    done: bool,
}

impl<'a> Elements<'a> {
    /// Starts at the `[` at offset `open` of `text`.
    pub fn new(text: &'a [u8], open: usize) -> Self {
        Elements { text, at: open + 1, broken: None, done: false }
    }
}

impl<'a> Iterator for Elements<'a> {
    /// Offset and text of one element.
    type Item = (usize, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.done {
            match self.text.get(self.at) {
                None => {
                    self.broken = Some(self.text.len());
                    self.done = true;
                }
                Some(b']') => {
                    self.at += 1;
                    self.done = true;
                }
                Some(b',' | b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(_) => {
                    let start = self.at;
                    let Some(end) = value_end(self.text, start) else {
                        self.broken = Some(start);
                        self.done = true;
                        return None;
                    };
                    self.at = end;
                    return Some((start, &self.text[start..end]));
                }
            }
        }
        None
    }
}

/// The offset behind the value that starts at `start`; `None` if the text ends inside it.
pub fn value_end(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    let mut depth = 0usize;
    loop {
        match *text.get(at)? {
            b'"' => at = string_end(text, at)?,
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                at += 1;
            }
            _ if depth == 0 => {
                let word = text[at..].iter().position(|b| b",]}[{\" \n\r\t:".contains(b));
                let end = at + word.unwrap_or(text.len() - at);
                return (end > start).then_some(end);
            }
            _ => at += 1,
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

/// The offset of the `[` that is the value of the first key in `keys`, at any depth.
pub fn find_array(text: &[u8], keys: &[&str]) -> Option<usize> {
    find_value(text, 0, keys, b'[')
}

/// The offset of the first value behind `from` that starts with `open` and has one of the `keys`.
pub fn find_value(text: &[u8], from: usize, keys: &[&str], open: u8) -> Option<usize> {
    let mut at = from;
    while at < text.len() {
        if text[at] != b'"' {
            at += 1;
            continue;
        }
        let end = string_end(text, at)?;
        let name = &text[at + 1..end - 1];
        let colon = skip_space(text, end);
        at = end;
        if text.get(colon) == Some(&b':') && keys.iter().any(|k| k.as_bytes() == name) {
            let value = skip_space(text, colon + 1);
            if text.get(value) == Some(&open) {
                return Some(value);
            }
        }
    }
    None
}

/// The first offset from `at` that is not white space.
pub fn skip_space(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(rest.len())
}

/// Values without an end that are looked for to the end of the text; behind them a value must end
/// on its line, or a text of unclosed values would be gone through once for each.
const UNCLOSED: usize = 16;

fn line_end(text: &[u8], at: usize) -> usize {
    memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |p| at + p)
}

/// The documents of a stream: JSON lines, concatenated or pretty-printed values.
///
/// A defect skips to the next line that starts a value; its offset is handed to `defect`.
pub fn documents(text: &[u8], mut defect: impl FnMut(usize)) -> Vec<(usize, &[u8])> {
    let mut found = Vec::new();
    let mut unclosed = 0;
    let mut at = skip_space(text, 0);
    while at < text.len() {
        let opens = matches!(text[at], b'{' | b'[');
        let within = if unclosed < UNCLOSED { text } else { &text[..line_end(text, at)] };
        match opens.then(|| value_end(within, at)).flatten() {
            Some(end) => {
                found.push((at, &text[at..end]));
                at = skip_space(text, end);
            }
            None => {
                defect(at);
                unclosed += usize::from(opens);
                let line_end = text[at..].iter().position(|b| *b == b'\n');
                let Some(next) = line_end.map(|p| skip_space(text, at + p)) else { break };
                if opens && found.is_empty() {
                    // A single cut-off document: its inside is still readable.
                    found.push((at, &text[at..]));
                    break;
                }
                at = next;
            }
        }
    }
    if found.is_empty() && matches!(text.first(), Some(b'{' | b'[')) {
        found.push((0, text));
    }
    found
}

/// Line numbers of offsets that are asked for in rising order: the text is gone through once.
pub struct Lines<'a> {
    text: &'a [u8],
    first: u64,
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    /// Starts at line 1 of `text`.
    pub fn new(text: &'a [u8]) -> Self {
        Lines::starting(text, 1)
    }

    /// Starts at line `first` of a text that is part of a longer one.
    pub fn starting(text: &'a [u8], first: u64) -> Self {
        Lines { text, first, at: 0, line: first }
    }

    /// Line number (from 1) of an offset.
    pub fn of(&mut self, at: usize) -> u64 {
        if at < self.at {
            *self = Lines::starting(self.text, self.first);
        }
        self.line += line_of(&self.text[self.at..], at - self.at) - 1;
        self.at = at.min(self.text.len());
        self.line
    }
}

/// Line number (from 1) of an offset.
pub fn line_of(text: &[u8], at: usize) -> u64 {
    text[..at.min(text.len())].iter().filter(|b| **b == b'\n').count() as u64 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(text: &str, key: &str) -> (Vec<String>, Option<usize>) {
        let open = find_array(text.as_bytes(), &[key]).expect("the test names an array");
        let mut it = Elements::new(text.as_bytes(), open);
        let found = it.by_ref().map(|(_, e)| String::from_utf8_lossy(e).into_owned()).collect();
        (found, it.broken)
    }

    #[test]
    fn elements_are_found_behind_strings_that_look_like_keys() {
        let text = r#"{"a":"\"x\":[1]","x":[{"b":"]"}, 2 ,"s"],"y":[]}"#;
        let (found, broken) = elements(text, "x");
        assert_eq!(found, [r#"{"b":"]"}"#, "2", "\"s\""]);
        assert_eq!(broken, None);
    }

    #[test]
    fn a_cut_keeps_what_stands_before_it() {
        let (found, broken) = elements(r#"{"x":[{"a":1},{"a":2},{"a""#, "x");
        assert_eq!(found.len(), 2);
        assert_eq!(broken, Some(22));
    }

    #[test]
    fn a_broken_line_costs_one_line() {
        let mut bad = Vec::new();
        let text = b"{\"a\":1}\nnot json\n{\"a\":2}\n{\"a\"";
        let docs = documents(text, |at| bad.push(line_of(text, at)));
        assert_eq!(docs.len(), 2);
        assert_eq!(bad, [2, 4]);
    }

    #[test]
    fn many_unclosed_lines_cost_no_more_than_their_length() {
        let lines = 200_000;
        let text = format!("{{}}\n{}{{\"a\":1}}\n", "{\"a\":[1,\n".repeat(lines));
        let (start, mut bad) = (std::time::Instant::now(), 0);
        let found = documents(text.as_bytes(), |_| bad += 1);
        assert_eq!((found.len(), bad), (2, lines));
        assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
    }

    #[test]
    fn lines_are_counted_once_and_again_when_asked_backwards() {
        let mut lines = Lines::new(b"a\nb\nc\n");
        assert_eq!([0, 2, 5, 99, 2].map(|at| lines.of(at)), [1, 2, 3, 4, 2]);
    }

    #[test]
    fn nothing_panics_on_hostile_text() {
        for text in ["", "[", "]", "{\"", "\"\\", "[[[", "}{", "[1,", "{\"x\":["] {
            documents(text.as_bytes(), |_| {});
            if let Some(open) = find_array(text.as_bytes(), &["x"]) {
                assert_eq!(Elements::new(text.as_bytes(), open).count(), 0);
            }
        }
    }
}
