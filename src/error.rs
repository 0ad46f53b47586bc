//! The crate's one error type and its exit codes. Bad input degrades to a [`crate::model::Gap`];
//! an [`Error`] is for what stops the run: unusable arguments, nothing to read, a bad catalogue.

use std::fmt;

/// Exit codes, as `--help` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// Analysed, whatever was found.
    Analysed = 0,
    /// Runtime or I/O error.
    Runtime = 1,
    /// Usage error or unusable input.
    Usage = 2,
    /// Catalogue lint or catalogue test failure.
    Catalog = 3,
    /// `--fail-on` reached.
    FailOn = 4,
    /// Inconclusive or data missing, with `--strict-data`.
    StrictData = 5,
    /// `redact --check` found something private.
    Private = 6,
    /// Interrupted by the user.
    Interrupted = 130,
}

/// What went wrong, where, and one remedy.
#[derive(Debug)]
pub struct Error {
    pub what: String,
    /// `path`, `path:line` or `path:line:column`; empty when there is no place.
    pub place: String,
    pub hint: Option<String>,
    pub code: ExitCode,
}

/// The crate's result type.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An I/O or runtime error at a place.
    pub fn runtime(place: impl Into<String>, what: impl Into<String>) -> Self {
        Error { what: what.into(), place: place.into(), hint: None, code: ExitCode::Runtime }
    }

    /// Arguments or input that cannot be used.
    pub fn usage(place: impl Into<String>, what: impl Into<String>) -> Self {
        Error { what: what.into(), place: place.into(), hint: None, code: ExitCode::Usage }
    }

    /// A defect of a signature, with `file:line:column`.
    pub fn catalog(place: impl Into<String>, what: impl Into<String>) -> Self {
        Error { what: what.into(), place: place.into(), hint: None, code: ExitCode::Catalog }
    }

    /// Adds the one remedy.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Says whether a character moves the cursor, hides itself or turns the reading direction.
pub(crate) fn is_hazard(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names come from outside: what could steer a terminal is escaped.
        let shown = match self.place.is_empty() {
            true => self.what.clone(),
            false => format!("{}: {}", self.place, self.what),
        };
        f.write_str(&self::shown(&shown))
    }
}

/// A text from outside without what could steer a terminal; line feeds stay.
pub fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if is_hazard(c) && c != '\n' => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

impl std::error::Error for Error {}

/// Turns byte offset `at` of `text` into a line and column, both from 1.
pub fn line_column(text: &str, at: usize) -> (usize, usize) {
    let at = at.min(text.len());
    let before = &text.as_bytes()[..at];
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |p| p + 1);
    (line, at - start + 1)
}

/// The nearest of `known` to `word`, if it is near enough to be a slip of the keyboard.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    let limit = (length / 3).max(1);
    // Words are at least as far apart as they differ in length; a name of a megabyte is near none.
    let near = |k: &&str| k.chars().count().abs_diff(length) <= limit;
    known
        .into_iter()
        .filter(near)
        .map(|k| (edit_distance(word, k), k))
        .filter(|(d, _)| *d <= limit)
        .min()
        .map(|(_, k)| k)
}

/// Edit distance in characters; two neighbours that changed places count once.
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let other = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j - 1] + other).min(row[j - 1] + 1).min(rows[i - 1][j] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_keyboard_is_recognised_and_another_word_is_not() {
        assert_eq!(did_you_mean("titel", ["title", "status"]), Some("title"));
        assert_eq!(did_you_mean("xyz", ["title", "status"]), None);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        // Compared letter by letter, these would take minutes and gigabytes.
        let known: Vec<String> = (0..3_000).map(|i| format!("some_metric_name_{i}")).collect();
        let long = "x".repeat(1 << 20);
        assert_eq!(did_you_mean(&long, known.iter().map(String::as_str)), None);
    }

    #[test]
    fn names_in_an_error_cannot_steer_a_terminal() {
        let shown = Error::usage("a\u{2066}b\u{feff}c", "\u{1b}[2J is not\na folder").to_string();
        assert_eq!(shown, "a\\u{2066}b\\u{feff}c: \\u{1b}[2J is not\na folder");
    }

    #[test]
    fn offsets_become_lines_and_columns() {
        assert_eq!(line_column("ab\ncd", 4), (2, 2));
        assert_eq!(line_column("", 9), (1, 1));
    }
}
