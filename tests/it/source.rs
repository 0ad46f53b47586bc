//! A reading of Rust source that is just good enough for `invariants`: comments and the insides of
//! strings are blanked, `#[cfg(test)]` items are known, paths and functions are found.

use super::support;
use std::collections::BTreeSet;
use std::path::Path;

/// One file of `src/`.
pub struct Source {
    /// Path below `src/`, with `/`.
    pub path: String,
    /// Module of `lib.rs` that it belongs to; `lib` and `main` for the roots.
    pub module: String,
    pub text: String,
    /// The text without tests, comments and the insides of literals; same lines as `text`.
    pub code: String,
    /// String literals outside tests, each with its line from 1.
    pub strings: Vec<(usize, String)>,
    /// Lines outside `#[cfg(test)]`.
    pub lines: usize,
}

/// Every file of `src/` that is not wholly a test.
pub fn sources() -> Vec<Source> {
    let root = support::root().join("src");
    let mut all: Vec<Source> = support::files(&root)
        .iter()
        .filter(|p| p.extension().is_some_and(|e| e == "rs"))
        .map(|p| read(&root, p))
        .collect();
    let tests: BTreeSet<String> = all.iter().flat_map(test_files).collect();
    all.retain(|s| !tests.contains(&s.path));
    assert!(all.len() > 40, "only {} files were found", all.len());
    all
}

fn read(root: &Path, path: &Path) -> Source {
    let text = std::fs::read_to_string(path).expect("source is UTF-8");
    let inner = path.strip_prefix(root).expect("found below it").to_string_lossy();
    let inner = inner.replace('\\', "/");
    let module = inner.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
    let (blanked, mut strings) = blank(&text);
    let (code, test_lines) = without_tests(&blanked);
    strings.retain(|(line, _)| !test_lines.contains(line));
    let lines = text.lines().count() - test_lines.len();
    Source { path: inner, module, text, code, strings, lines }
}

/// Files that a module declares as `#[cfg(test)] mod name;`.
fn test_files(s: &Source) -> Vec<String> {
    let folder = s.path.strip_suffix("mod.rs").map(str::to_owned);
    let folder = folder.unwrap_or_else(|| format!("{}/", s.path.trim_end_matches(".rs")));
    let mut found = Vec::new();
    let mut lines = s.text.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            continue;
        }
        let item = lines.next().unwrap_or_default().trim().trim_start_matches("pub(crate) ");
        let item = item.trim_start_matches("pub ");
        if let Some(name) = item.strip_prefix("mod ").and_then(|n| n.strip_suffix(';')) {
            found.push(format!("{folder}{name}.rs"));
        }
    }
    found
}

/// Blanks comments and literals, line feeds kept; gives the string literals apart.
fn blank(text: &str) -> (String, Vec<(usize, String)>) {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut strings = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let end = match (chars[at], chars.get(at + 1)) {
            ('/', Some('/')) => line_end(&chars, at),
            ('/', Some('*')) => comment_end(&chars, at),
            ('"', _) => string_end(&chars, at),
            ('r', Some('"' | '#')) if !is_word(&chars, at) => raw_end(&chars, at),
            ('\'', _) => char_end(&chars, at),
            _ => at,
        };
        if end == at {
            code.push(chars[at]);
            at += 1;
            continue;
        }
        let literal: String = chars[at..end].iter().collect();
        if let Some(inner) = content(&literal) {
            let line = code.matches('\n').count() + 1;
            strings.push((line, inner));
            code.push('"');
        }
        code.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
        at = end;
    }
    (code, strings)
}

/// Says whether the character before is part of the same word.
fn is_word(chars: &[char], at: usize) -> bool {
    at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_')
}

fn content(literal: &str) -> Option<String> {
    let inner = literal.trim_start_matches('r').trim_matches('#');
    let inner = inner.strip_prefix('"')?.strip_suffix('"')?;
    Some(inner.to_owned())
}

fn line_end(chars: &[char], at: usize) -> usize {
    at + chars[at..].iter().position(|c| *c == '\n').unwrap_or(chars.len() - at)
}

fn comment_end(chars: &[char], open: usize) -> usize {
    let (mut at, mut depth) = (open, 0);
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) if depth == 1 => return at + 2,
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    chars.len()
}

fn string_end(chars: &[char], open: usize) -> usize {
    let mut at = open + 1;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

fn raw_end(chars: &[char], at: usize) -> usize {
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    if chars.get(at + 1 + hashes) != Some(&'"') {
        return at;
    }
    let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let body = at + 2 + hashes;
    let found = chars[body..].windows(close.len()).position(|w| w == close);
    found.map_or(chars.len(), |p| body + p + close.len())
}

/// The end of a character literal; `at` itself for a lifetime.
fn char_end(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => {
            let close = chars[at + 3..].iter().position(|c| *c == '\'');
            close.map_or(at, |p| at + p + 4)
        }
        (Some(_), Some('\'')) => at + 3,
        _ => at,
    }
}

/// Blanks items under `#[cfg(test)]`; gives the lines they stand on.
fn without_tests(code: &str) -> (String, BTreeSet<usize>) {
    const MARK: &str = "#[cfg(test)]";
    let mut out = String::with_capacity(code.len());
    let mut lines = BTreeSet::new();
    let mut rest = code;
    while let Some(at) = rest.find(MARK) {
        let item = &rest[at..];
        let end = item_end(item);
        out.push_str(&rest[..at]);
        let first = out.matches('\n').count() + 1;
        lines.extend(first..=first + item[..end].matches('\n').count());
        out.extend(item[..end].chars().filter(|c| *c == '\n'));
        rest = &item[end..];
    }
    out.push_str(rest);
    (out, lines)
}

/// The end of the item at the start of `code`: its `;`, or the brace that closes its first one.
fn item_end(code: &str) -> usize {
    let mut depth = 0;
    for (i, c) in code.char_indices() {
        match c {
            ';' if depth == 0 => return i + 1,
            '{' => depth += 1,
            '}' if depth == 1 => return i + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// The first names after `root::` wherever it stands, `{…}` groups included.
pub fn first_names(code: &str, root: &str) -> BTreeSet<String> {
    let mark = format!("{root}::");
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(&mark) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &code[at + mark.len()..];
        match rest.strip_prefix('{') {
            None => found.extend(word(rest)),
            Some(group) => found.extend(members(group)),
        }
    }
    found
}

/// The first name of each member of a group, up to the brace that closes it.
fn members(group: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (i, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                found.extend(word(group[start..i].trim_start()));
                start = i + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    found
}

fn word(text: &str) -> Option<String> {
    let word: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!word.is_empty()).then_some(word)
}

/// Functions with a body: name, first line and number of lines.
pub fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        if code[..at].chars().next_back().is_some_and(|c| !c.is_whitespace() && c != '(') {
            continue;
        }
        let Some(name) = word(&code[at + 3..]) else { continue };
        let item = &code[at..item_end(&code[at..]) + at];
        if item.ends_with('}') {
            let line = code[..at].matches('\n').count() + 1;
            found.push((name, line, item.matches('\n').count() + 1));
        }
    }
    found
}

#[test]
fn the_reading_of_source_knows_comments_literals_and_tests() {
    let text = "use crate::{a, b::{c, d}};\n// crate::no\nfn f<'a>(x: &'a str) -> char {\n    \
                let _ = \"crate::{no} \\\" {\"; // }\n    let _ = r#\"raw \" }\"#;\n    '{'\n}\n\
                #[cfg(test)]\nmod tests {\n    fn g() { crate::e::x(\"t\"); }\n}\nfn h() {}\n";
    let (blanked, strings) = blank(text);
    let (code, tests) = without_tests(&blanked);
    assert_eq!(first_names(&code, "crate"), ["a", "b"].map(str::to_owned).into());
    assert_eq!(strings[0], (4, "crate::{no} \\\" {".to_owned()));
    assert_eq!(strings[1], (5, "raw \" }".to_owned()));
    assert_eq!(tests, (8..=11).collect());
    assert_eq!(functions(&code), [("f".to_owned(), 3, 5), ("h".to_owned(), 12, 1)]);
}
