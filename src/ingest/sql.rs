//! A lexer for SQL of any dialect that survives text cut off anywhere. In: a statement as a server
//! shows it. Out: the statement without literals and comments, and the tag of a leading comment.
//! It never parses, and literals never leave it.

use super::sql_dialect::{Dialect, setting_value};
use crate::encoding::hex;
use crate::ingest::text::beginning;
use sha2::{Digest, Sha256};

/// A statement fit to be shown and compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Normalized {
    /// Literals are `?`, comments gone, white space folded, `IN (?, ?)` collapsed.
    pub text: String,
    /// Content of the first block or line comment, cut to 80 characters, e.g. a report's name.
    pub tag: String,
}

/// Longest tag that is kept, in characters.
const TAG_CHARS: usize = 80;

/// Normalises one statement.
pub fn normalize(sql: &str) -> Normalized {
    let chars: Vec<char> = sql.chars().collect();
    let mut out = String::with_capacity(sql.len());
    let mut tag = String::new();
    let (dialect, setting) = (Dialect::of(&chars), setting_value(&chars));
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        let next = chars.get(at + 1).copied().unwrap_or(' ');
        match c {
            _ if setting.is_some_and(|(from, _)| from == at) => {
                out.push('?');
                at = setting.map_or(at + 1, |(_, to)| to);
            }
            '-' if next == '-' => {
                at = comment(&chars, at + 2, &['\n'], &mut tag);
                blank(&mut out);
            }
            '/' if next == '*' => {
                at = comment(&chars, at + 2, &['*', '/'], &mut tag);
                blank(&mut out);
            }
            _ if dialect.is_literal(c, at) => {
                literal(&mut out);
                at = string(&chars, at, dialect.ticked).0;
            }
            '"' | '`' => {
                let end = quoted(&chars, at, c).0;
                out.extend(&chars[at..end]);
                at = end;
            }
            '$' => at = dollar(&chars, at, &mut out),
            _ if c.is_whitespace() => {
                blank(&mut out);
                at += 1;
            }
            _ if c.is_ascii_digit() && !ends_in_word(&out) => {
                out.push('?');
                at = number(&chars, at);
            }
            _ => {
                out.push(c);
                at += 1;
            }
        }
    }
    Normalized { text: collapse_lists(out.trim_end().trim_end_matches(';')), tag }
}

/// Parts two words, as white space and comments do.
fn blank(out: &mut String) {
    if !out.ends_with(' ') && !out.is_empty() {
        out.push(' ');
    }
}

/// What a stretch of a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// `'…'` without the prefix that says its kind, or `"…"` where that is a literal.
    Text,
    /// The bare value of a custom setting: `SET app.user = alice`.
    Bare,
    /// `$tag$ … $tag$`.
    Dollar,
    Number,
    /// `-- …` without its line end.
    Line,
    /// `/* … */`.
    Block,
    /// `"…"` or `` `…` ``.
    Name,
    /// Key words, bare names, signs, white space, parameters.
    Rest,
}

/// A stretch of a statement, and whether it was cut off before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch<'a> {
    pub piece: Piece,
    pub text: &'a str,
    pub cut: bool,
}

/// Cuts a statement as [`normalize`] sees it; the stretches put together are the statement.
pub fn stretches(sql: &str) -> Vec<Stretch<'_>> {
    let (starts, chars): (Vec<usize>, Vec<char>) = sql.char_indices().unzip();
    let mut out: Vec<Stretch> = Vec::new();
    let byte = |at: usize| starts.get(at).copied().unwrap_or(sql.len());
    // As in `normalize`: what stands before a digit says whether it begins a number.
    let (mut at, mut in_word, mut rest) = (0, false, 0);
    let (dialect, setting) = (Dialect::of(&chars), setting_value(&chars));
    while at < chars.len() {
        let c = chars[at];
        let next = chars.get(at + 1).copied().unwrap_or(' ');
        let found = match c {
            _ if setting.is_some_and(|(from, _)| from == at) => {
                setting.map(|(_, to)| (Piece::Bare, to, false))
            }
            '-' if next == '-' => {
                let end = comment(&chars, at + 2, &['\n'], &mut String::new());
                let cut = chars[end - 1] != '\n' || end < at + 3;
                Some((Piece::Line, end - usize::from(!cut), cut))
            }
            '/' if next == '*' => {
                let end = comment(&chars, at + 2, &['*', '/'], &mut String::new());
                let closed = end >= at + 4 && chars[end - 2..end] == ['*', '/'];
                Some((Piece::Block, end, !closed))
            }
            _ if dialect.is_literal(c, at) => {
                let (end, closed) = string(&chars, at, dialect.ticked);
                Some((Piece::Text, end, !closed))
            }
            '"' | '`' => {
                let (end, closed) = quoted(&chars, at, c);
                Some((Piece::Name, end, !closed))
            }
            '$' => {
                let end = dollar(&chars, at, &mut String::new());
                let fenced = chars[at..end].iter().filter(|c| **c == '$').count() > 1;
                let closed = fenced && chars[end - 1] == '$' && is_fenced(&chars[at..end]);
                fenced.then_some((Piece::Dollar, end, !closed))
            }
            _ if c.is_ascii_digit() && !in_word => Some((Piece::Number, number(&chars, at), false)),
            _ => None,
        };
        let Some((piece, end, cut)) = found else {
            in_word = c.is_alphanumeric() || c == '_' || c == '$';
            at = if c == '$' { dollar(&chars, at, &mut String::new()).max(at + 1) } else { at + 1 };
            in_word &= c != '$';
            continue;
        };
        if rest < at {
            let text = &sql[byte(rest)..byte(at)];
            out.push(Stretch { piece: Piece::Rest, text, cut: false });
        }
        out.push(Stretch { piece, text: &sql[byte(at)..byte(end)], cut });
        in_word = false;
        (at, rest) = (end, end);
    }
    if rest < chars.len() {
        out.push(Stretch { piece: Piece::Rest, text: &sql[byte(rest)..], cut: false });
    }
    out
}

/// Says whether a `$tag$` literal ends with the tag that it begins with.
fn is_fenced(run: &[char]) -> bool {
    let Some(open) = run.iter().skip(1).position(|c| *c == '$') else { return false };
    let fence = &run[..open + 2];
    run.len() >= 2 * fence.len() && run.ends_with(fence)
}

/// A short name for one statement whatever its literals: eight hex digits of the SHA-256 of its
/// normalised text, without regard to case.
pub fn fingerprint(normalized: &str) -> String {
    hex(Sha256::digest(normalized.to_lowercase().as_bytes()).into_iter().take(4))
}

/// The verb and the first table, e.g. `SELECT products`: a short name for a statement.
pub fn summary(normalized: &str) -> String {
    let words: Vec<&str> = normalized
        .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.' || c == '"'))
        .filter(|w| !w.is_empty())
        .collect();
    let Some(verb) = words.first() else { return String::new() };
    let is_lead = |w: &str| {
        ["from", "into", "update", "join", "table"].iter().any(|k| w.eq_ignore_ascii_case(k))
    };
    let table = words.windows(2).find(|w| is_lead(w[0])).map(|w| w[1]);
    match table {
        Some(t) => format!("{} {t}", verb.to_ascii_uppercase()),
        None => verb.to_ascii_uppercase(),
    }
}

/// Tables a normalised statement names after FROM, JOIN, INTO, UPDATE or TABLE, lower-cased.
pub fn tables(normalized: &str) -> Vec<String> {
    let words: Vec<&str> = normalized
        .split(|c: char| c.is_whitespace() || c == '(' || c == ')' || c == ',')
        .filter(|w| !w.is_empty())
        .collect();
    let lead = ["from", "into", "update", "join", "table", "only"];
    let mut found: Vec<String> = words
        .windows(2)
        .filter(|w| lead.iter().any(|k| w[0].eq_ignore_ascii_case(k)))
        .map(|w| w[1].trim_matches('"').to_lowercase())
        .filter(|t| t.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_'))
        .filter(|t| !["select", "only", "lateral", "set"].contains(&t.as_str()))
        .collect();
    found.sort();
    found.dedup();
    found
}

fn ends_in_word(out: &str) -> bool {
    out.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$')
}

pub(super) fn number(chars: &[char], from: usize) -> usize {
    let is_part = |c: &char| c.is_ascii_alphanumeric() || *c == '.' || *c == '_';
    from + chars[from..].iter().position(|c| !is_part(c)).unwrap_or(chars.len() - from)
}

/// Writes the placeholder of a string literal, taking in an `E`, `B`, `X` or `N` prefix.
fn literal(out: &mut String) {
    let prefixed = out.ends_with(|c| "EeBbXxNn".contains(c))
        && !out[..out.len() - 1].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    if prefixed {
        out.pop();
    }
    out.push('?');
}

/// The offset behind a quoted name that may double its quote, and whether it ends there rather than
/// being cut off.
pub(super) fn quoted(chars: &[char], open: usize, quote: char) -> (usize, bool) {
    let mut at = open + 1;
    while at < chars.len() {
        match chars[at] {
            c if c == quote && chars.get(at + 1) == Some(&quote) => at += 2,
            c if c == quote => return (at + 1, true),
            _ => at += 1,
        }
    }
    (chars.len(), false)
}

/// The offset behind a string literal, and whether it ends there rather than being cut off.
///
/// A backslash takes the quote behind it in `E'…'` and in MySQL, of which names in backticks tell; in
/// standard SQL it is a character like any other. Where a quote may end the literal or not, all that
/// follows may be literal by one of both readings: it is taken for that.
pub(super) fn string(chars: &[char], open: usize, ticked: bool) -> (usize, bool) {
    let quote = chars[open];
    let before = |back: usize| open.checked_sub(back).and_then(|at| chars.get(at)).copied();
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    let prefixed = matches!(before(1), Some('e' | 'E')) && !before(2).is_some_and(in_word);
    let escapes = ticked || prefixed && quote == '\'';
    let (mut at, mut odd) = (open + 1, false);
    while at < chars.len() {
        let backslash = chars[at] == '\\';
        match chars[at] {
            '\\' if escapes => at += 2,
            c if c != quote => at += 1,
            _ if odd && at == open + 2 && is_behind_escape(&chars[..open]) => {
                return (at + 1, true);
            }
            _ if odd => break,
            _ if chars.get(at + 1) == Some(&quote) => at += 2,
            _ => return (at + 1, true),
        }
        odd = backslash && !odd;
    }
    (chars.len(), false)
}

/// Says whether `ESCAPE` is the last word: `LIKE 'a' ESCAPE '\'` is standard SQL.
fn is_behind_escape(chars: &[char]) -> bool {
    let last = chars.iter().rev().skip_while(|c| c.is_whitespace()).take(6);
    last.map(char::to_ascii_uppercase).eq("EPACSE".chars())
}

/// A `$1` parameter or a `$tag$ … $tag$` literal.
pub(super) fn dollar(chars: &[char], open: usize, out: &mut String) -> usize {
    let is_tag = |c: &char| c.is_alphanumeric() || *c == '_';
    let len = chars[open + 1..].iter().position(|c| !is_tag(c)).unwrap_or(chars.len() - open - 1);
    let end = open + 1 + len;
    if chars.get(end) != Some(&'$') || chars.get(open + 1).is_some_and(char::is_ascii_digit) {
        out.push('?');
        return end.max(open + 1);
    }
    out.push('?');
    let fence = &chars[open..=end];
    let body = &chars[end + 1..];
    let close = body.windows(fence.len()).position(|w| w == fence);
    close.map_or(chars.len(), |p| end + 1 + p + fence.len())
}

pub(super) fn comment(chars: &[char], from: usize, close: &[char], tag: &mut String) -> usize {
    let body = &chars[from.min(chars.len())..];
    let len = match close {
        ['*', '/'] => block_len(body),
        _ => body.windows(close.len()).position(|w| w == close).unwrap_or(body.len()),
    };
    if tag.is_empty() {
        // Enough to fill the tag when white space is folded, and no more of a long comment.
        let text: String = body[..len].iter().take(4 * TAG_CHARS).collect();
        *tag = beginning(&text.split_whitespace().collect::<Vec<_>>().join(" "), TAG_CHARS);
    }
    (from + len + close.len()).min(chars.len())
}

/// Characters of a block comment before its end; one may stand in another, as in standard SQL.
fn block_len(body: &[char]) -> usize {
    let (mut at, mut depth) = (0, 1);
    while at + 1 < body.len() {
        match (body[at], body[at + 1]) {
            ('*', '/') if depth == 1 => return at,
            ('*', '/') => (at, depth) = (at + 2, depth - 1),
            ('/', '*') => (at, depth) = (at + 2, depth + 1),
            _ => at += 1,
        }
    }
    body.len()
}

/// `(?, ?, ?)` and repeated `VALUES` rows become `(?)`.
fn collapse_lists(text: &str) -> String {
    let mut out = text.to_owned();
    for (from, to) in [("?, ?", "?"), ("?,?", "?"), ("(?), (?)", "(?)"), ("(?),(?)", "(?)")] {
        while out.contains(from) {
            out = out.replace(from, to);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(sql: &str) -> String {
        normalize(sql).text
    }

    #[test]
    fn literals_and_comments_leave_and_the_tag_stays() {
        let n = normalize("/* metabase: weekly */ SELECT a1 FROM t WHERE x = 'o''k' AND y=$2 -- s");
        assert_eq!(n.text, "SELECT a1 FROM t WHERE x = ? AND y=?");
        assert_eq!(n.tag, "metabase: weekly");
    }

    #[test]
    fn a_statement_cut_off_anywhere_gives_no_literal_away() {
        let sql = "update t set v=E'top\\'secret', w=$x$hidden$x$ /* tail */ where id in (1, 2,3)";
        for cut in 0..sql.len() {
            let shown = text(&sql[..cut]);
            assert!(!shown.contains("secret") && !shown.contains("hidden"), "{shown}");
        }
        assert_eq!(text(sql), "update t set v=?, w=? where id in (?)");
    }

    #[test]
    fn a_backslash_before_a_quote_gives_no_literal_away() {
        for (sql, want) in [
            (
                "SELECT 1 FROM t WHERE a LIKE 'x!_' ESCAPE '\\' AND s = 'leak' FOR UPDATE",
                "SELECT ? FROM t WHERE a LIKE ? ESCAPE ? AND s = ? FOR UPDATE",
            ),
            ("UPDATE t SET a = E'it\\'s', b = 2", "UPDATE t SET a = ?, b = ?"),
            ("UPDATE `t` SET a = 'it\\'s', b = 2", "UPDATE `t` SET a = ?, b = ?"),
            ("SELECT 'C:\\temp\\', 'leak'", "SELECT ?"),
            ("SELECT '\\' || 'leak'", "SELECT ?"),
            ("SELECT 'a\\\\', 'leak'", "SELECT ?"),
            ("SELECT 'a\\b', c", "SELECT ?, c"),
            ("SELECT /* a /* b */ leak */ c FROM t", "SELECT c FROM t"),
        ] {
            assert_eq!(text(sql), want, "{sql}");
            let whole: String = stretches(sql).iter().map(|s| s.text).collect();
            assert_eq!(whole, sql);
        }
    }

    #[test]
    fn double_quotes_hold_literals_where_they_hold_no_name() {
        for (sql, want) in [
            (
                "SELECT a FROM u WHERE n = \"leak\" AND m IN (\"leak\", 2)",
                "SELECT a FROM u WHERE n = ? AND m IN (?)",
            ),
            ("INSERT INTO u VALUES (\"a\\\"leak\", 1)", "INSERT INTO u VALUES (?"),
            ("UPDATE `u` SET a = \"it\\\"s\", b = 2", "UPDATE `u` SET a = ?, b = ?"),
            (
                "SELECT \"t\".\"a\" FROM t WHERE \"b\" = 'leak'",
                "SELECT \"t\".\"a\" FROM t WHERE \"b\" = ?",
            ),
            (
                "SELECT a FROM \"T\" WHERE \"b\" = \"T\".\"c\"",
                "SELECT a FROM \"T\" WHERE \"b\" = \"T\".\"c\"",
            ),
            ("select 'from' || \"leak\"", "select ? || ?"),
            ("alter user app identified by \"leak\"", "alter user app identified by ?"),
            ("select a from t where j->\"$.email\" = \"leak\"", "select a from t where j->? = ?"),
            (
                "insert into p values (\"{\\\"msg\\\":\\\"not leak\\\"}\")",
                "insert into p values (?",
            ),
            (
                "UPDATE t SET x = 1 WHERE \"b\" = 'x' AND c = \"leak\"",
                "UPDATE t SET x = ? WHERE \"b\" = ? AND c = ?",
            ),
            (
                "SELECT \"u\".* FROM \"u\" WHERE \"u\".\"m\" = $1 [[\"m\", \"leak\"]]",
                "SELECT \"u\".* FROM \"u\" WHERE \"u\".\"m\" = ? [[?]]",
            ),
            ("SET LOCAL app.user TO leak-17", "SET LOCAL app.user TO ?"),
            ("set app.who = leak; select 1", "set app.who = ?; select ?"),
            ("SET search_path TO shop", "SET search_path TO shop"),
            (
                "select \"userId\" from o where \"at\" > 'leak'",
                "select \"userId\" from o where \"at\" > ?",
            ),
            (
                "select a from o where b between \"leak\" and \"leak\"",
                "select a from o where b between ? and ?",
            ),
        ] {
            assert_eq!(text(sql), want, "{sql}");
            let whole: String = stretches(sql).iter().map(|s| s.text).collect();
            assert_eq!(whole, sql);
        }
    }

    #[test]
    fn one_statement_has_one_fingerprint_whatever_its_literals() {
        let of = |sql: &str| fingerprint(&normalize(sql).text);
        assert_eq!(of("SELECT a FROM t WHERE x = 1"), of("select a  from t where x = 'z' -- c"));
        assert_ne!(of("select a from t"), of("select b from t"));
        assert_eq!(of("select 1").len(), 8);
    }

    #[test]
    fn tables_and_a_short_name_are_found() {
        let n =
            text("SELECT avg((SELECT 1 FROM \"products\" b)) FROM products a JOIN sales s ON 1=1");
        assert_eq!(tables(&n), ["products", "sales"]);
        assert_eq!(summary("delete from orders where id = ?"), "DELETE orders");
        assert_eq!(summary(""), "");
    }
}
