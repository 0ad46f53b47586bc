//! Statements of document stores: filters and commands as JSON or as a shell writes them, queries of
//! GraphQL. In: such a text, cut off anywhere. Out: the same with tokens for the data in it; names of
//! fields, operators, collections and indexes stay.

use super::edit::quote_end;
use super::words::Scope;
use super::{Redactor, statement};

/// Fields at the top of a command whose value is a name.
const NAMED: [&str; 19] = [
    "find",
    "aggregate",
    "insert",
    "update",
    "delete",
    "count",
    "distinct",
    "findAndModify",
    "findandmodify",
    "getMore",
    "mapReduce",
    "collection",
    "createIndexes",
    "dropIndexes",
    "drop",
    "ns",
    "$db",
    "_index",
    "op",
];

/// First words of the queries of GraphQL.
const GRAPHQL: [&str; 4] = ["query", "mutation", "subscription", "fragment"];

/// Most words that stand before the braces of a statement: `insert users {…}`.
const LEAD_MAX: usize = 3;

/// Says whether the value of a field of a command is a name.
pub(super) fn is_named(field: &str) -> bool {
    NAMED.contains(&field)
}

/// Says whether a statement is written in braces, or as a call of a shell.
pub(super) fn is_filter(text: &str) -> bool {
    let text = text.trim_start();
    let Some(open) = text.find(['{', '[']) else { return false };
    let lead = &text[..open];
    let word = text.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    // `up{job="cart"}` selects series by what the incident is told in.
    let label = text[open + 1..].trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
    let selects = label.trim_start().starts_with(['=', '!']) || text.as_bytes()[open..] == *b"{}";
    let inner = text[open + 1..].trim_start();
    let arguments = text.as_bytes()[open] == b'[' && !inner.starts_with(['{', '[']);
    if selects || arguments || !lead.is_empty() && statement::begin(text).is_some() {
        return false;
    }
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '$' | '(' | ' ');
    let brief = lead.chars().all(plain) && lead.split_whitespace().count() <= LEAD_MAX;
    GRAPHQL.contains(&word)
        || lead.is_empty()
        || brief && !lead.trim().is_empty()
        || text.starts_with("db.")
}

impl Redactor {
    /// Tokens for the strings and numbers that are data.
    pub(super) fn filter(&mut self, text: &str) -> Option<String> {
        let bytes = text.as_bytes();
        let mut out = String::with_capacity(text.len() + 32);
        let (mut at, mut depth, mut name) = (0, 0usize, "");
        let mut changed = false;
        while at < bytes.len() {
            let (end, new) = match bytes[at] {
                quote @ (b'"' | b'\'') => {
                    let end =
                        quote_end(&bytes[at + 1..], quote, 0).map_or(bytes.len(), |p| at + p + 2);
                    let inner = text[at + 1..end].strip_suffix(char::from(quote));
                    let inner = inner.unwrap_or(&text[at + 1..end]);
                    let new = if is_name(bytes, end) {
                        name = inner;
                        self.text(inner, Scope::Value)
                    } else if depth <= 1 && NAMED.contains(&name) {
                        self.text(inner, Scope::Value)
                    } else {
                        self.literal(inner)
                    };
                    let quote = char::from(quote);
                    (end, new.map(|new| format!("{quote}{new}{quote}")))
                }
                b if b.is_ascii_digit() => {
                    let end = at + run(bytes, at, |b| b.is_ascii_alphanumeric() || *b == b'.');
                    let number = &text[at..end];
                    let data = number.len() > 1 && !is_name(bytes, end);
                    (end, data.then(|| self.number(number)).flatten())
                }
                b if b.is_ascii_alphabetic() || matches!(b, b'_' | b'$') || !b.is_ascii() => {
                    let end = at + run(bytes, at, |b| !is_mark(*b));
                    if is_name(bytes, end) {
                        name = &text[at..end];
                    }
                    (end, self.text(&text[at..end], Scope::Value))
                }
                mark => {
                    match mark {
                        b'{' | b'[' => depth += 1,
                        b'}' | b']' => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                    (at + 1, None)
                }
            };
            changed |= new.is_some();
            out.push_str(new.as_deref().unwrap_or(&text[at..end]));
            at = end;
        }
        changed.then_some(out)
    }
}

/// Bytes of a run at an offset, at least one.
fn run(bytes: &[u8], at: usize, of: impl Fn(&u8) -> bool) -> usize {
    bytes[at + 1..].iter().position(|b| !of(b)).map_or(bytes.len() - at, |p| p + 1)
}

fn is_mark(byte: u8) -> bool {
    byte.is_ascii_whitespace()
        || matches!(byte, b'{' | b'}' | b'[' | b']' | b'(' | b')' | b',' | b':' | b'"' | b'\'')
}

/// Says whether a colon follows: what ends here is the name of a field.
fn is_name(bytes: &[u8], end: usize) -> bool {
    bytes[end..].iter().find(|b| !b.is_ascii_whitespace()) == Some(&b':')
}

#[cfg(test)]
mod tests {
    use super::super::{Redactor, Settings};
    use super::*;

    #[test]
    fn data_of_a_filter_leaves_and_names_stay() {
        let settings = Settings { masking: crate::redact::Masking::Prose, ..Settings::default() };
        let mut all = Redactor::new(&settings).expect("there are no patterns");
        for (text, want) in [
            (
                r#"{"find":"users","filter":{"mail":"leak","n":{"$in":["leak",4711]}},"limit":1}"#,
                r#"{"find":"users","filter":{"mail":"?","n":{"$in":["?",?]}},"limit":1}"#,
            ),
            (
                r#"db.users.find({name: "leak", tags: ['leak\'']})"#,
                r#"db.users.find({name: "?", tags: ['?']})"#,
            ),
            (r#"query u { user(id: "leak") { name } }"#, r#"query u { user(id: "?") { name } }"#),
            (r#"{ find: "users", filter: { a: "lea"#, r#"{ find: "users", filter: { a: "?""#),
        ] {
            assert!(is_filter(text), "{text}");
            assert_eq!(all.filter(text).as_deref(), Some(want));
        }
        assert!(is_filter("insert users {a: 1}") && is_filter("users.find({a: 1})"));
        assert!(is_filter("[{\"$match\": 1}]") && !is_filter("[\"nginx\", \"-g\"]"));
        assert!(!is_filter("rate(up{job=\"cart\"}[5m])") && !is_filter("SELECT [a] FROM t"));
        assert!(!is_filter("SELECT 1 FROM t") && !is_filter("query_id = 5"));
    }
}
