//! What a statement tells of the server that it is meant for. In: its characters. Out: whether double
//! quotes hold literals, whether a backslash takes a quote, where the value of a setting stands.

use super::sql::{comment, dollar, number, quoted, string};

/// What a statement's quotes tell of the server that it is meant for.
#[derive(Debug)]
pub(super) struct Dialect {
    /// Names stand in backticks, as in MySQL, where a backslash takes the quote behind it.
    pub ticked: bool,
    /// Where names in double quotes begin, rising; what stands in others is a literal, as in MySQL.
    names: Vec<usize>,
}

impl Dialect {
    pub fn of(chars: &[char]) -> Dialect {
        let ticked = chars.contains(&'`');
        let looked = !ticked && chars.contains(&'"');
        Dialect { ticked, names: if looked { quoted_names(chars) } else { Vec::new() } }
    }

    /// Says whether the character at an offset opens a literal.
    pub fn is_literal(&self, c: char, at: usize) -> bool {
        c == '\'' || c == '"' && self.names.binary_search(&at).is_err()
    }
}

/// Words that a name follows, and no literal.
const LEADS: [&str; 10] =
    ["from", "join", "into", "update", "table", "only", "by", "where", "set", "returning"];
/// Words that a literal follows.
const BEFORE_LITERALS: [&str; 8] =
    ["like", "ilike", "rlike", "regexp", "escape", "separator", "interval", "identified"];
/// Words before a `BY` that a literal follows.
const BY_LITERALS: [&str; 5] = ["identified", "terminated", "enclosed", "escaped", "starting"];
/// Words that follow a name, and seldom a literal.
const COMPARES: [&str; 5] = ["is", "in", "like", "ilike", "between"];

/// What stands before a place in a statement.
#[derive(Default)]
struct Before {
    /// The last word, if nothing but white space and comments follows it, and the one before.
    word: String,
    earlier: String,
    /// The last sign, if no word follows it.
    sign: Option<char>,
    /// For each parenthesis that is open, whether it lists values; and so for the last one closed.
    lists: Vec<bool>,
    closed: bool,
}

impl Before {
    fn word(&mut self, word: String) {
        self.earlier = std::mem::replace(&mut self.word, word);
        self.sign = None;
    }

    fn sign(&mut self, sign: char) {
        match sign {
            '(' => {
                let again = self.sign == Some(',') && self.closed;
                self.lists.push(again || ["in", "values", "value"].contains(&self.word.as_str()));
            }
            '[' => self.lists.push(true),
            ')' | ']' => self.closed = self.lists.pop().unwrap_or(false),
            _ => {}
        }
        self.word.clear();
        self.earlier.clear();
        self.sign = Some(sign);
    }

    fn compares(&self) -> bool {
        matches!(self.sign, Some('=' | '<' | '>' | '~' | '!'))
    }

    fn leads_to_literal(&self) -> bool {
        let listed = self.lists.last() == Some(&true) && matches!(self.sign, Some('(' | '[' | ','));
        let by = self.word == "by" && BY_LITERALS.contains(&self.earlier.as_str());
        self.compares() || listed || by || BEFORE_LITERALS.contains(&self.word.as_str())
    }
}

/// Where names in double quotes begin.
///
/// What is no word, or stands behind a comparison or in a list of values, is a literal. All else is
/// a name where one thing in double quotes stands where only a name can: beside a dot, behind a word
/// that a name follows, before a comparison. Whoever writes one name so writes all of them so.
fn quoted_names(chars: &[char]) -> Vec<usize> {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    let word_at = |from: usize| -> String {
        chars[from..].iter().take_while(|c| in_word(**c)).flat_map(|c| c.to_lowercase()).collect()
    };
    let (mut names, mut told) = (Vec::new(), false);
    let (mut at, mut before) = (0, Before::default());
    while at < chars.len() {
        let next = chars.get(at + 1).copied().unwrap_or(' ');
        match chars[at] {
            '-' if next == '-' => at = comment(chars, at + 2, &['\n'], &mut String::new()),
            '/' if next == '*' => at = comment(chars, at + 2, &['*', '/'], &mut String::new()),
            '\'' => {
                at = string(chars, at, false).0;
                before.sign('\'');
            }
            '$' => {
                at = dollar(chars, at, &mut String::new()).max(at + 1);
                before.sign('$');
            }
            '"' => {
                let (end, closed) = quoted(chars, at, '"');
                let inner = &chars[at + 1..end - usize::from(closed)];
                let dotted = before.sign == Some('.') || chars.get(end) == Some(&'.');
                let plain = inner.iter().all(|c| in_word(*c))
                    && inner.first().is_some_and(|c| !c.is_numeric());
                if !dotted && (!plain || before.leads_to_literal()) {
                    at = string(chars, at, false).0;
                } else {
                    names.push(at);
                    told |= dotted || LEADS.contains(&before.word.as_str());
                    told |= is_compared(chars, end, word_at);
                    at = end;
                }
                before.sign('"');
            }
            c if c.is_ascii_digit() => {
                at = number(chars, at);
                before.sign('0');
            }
            c if in_word(c) => {
                before.word(word_at(at));
                at += chars[at..].iter().take_while(|c| in_word(**c)).count();
            }
            c => {
                if !c.is_whitespace() {
                    before.sign(c);
                }
                at += 1;
            }
        }
    }
    if told { names } else { Vec::new() }
}

/// Says whether a comparison, a cast or a step into a document follows.
fn is_compared(chars: &[char], end: usize, word_at: impl Fn(usize) -> String) -> bool {
    let blank = chars[end..].iter().take_while(|c| c.is_whitespace()).count();
    let rest = &chars[end + blank..];
    rest.first().is_some_and(|c| "=<>!~".contains(*c))
        || rest.starts_with(&[':', ':'])
        || rest.starts_with(&['-', '>'])
        || COMPARES.contains(&word_at(end + blank).as_str())
}

/// Where the bare value of a custom setting stands, with which applications tell PostgreSQL for whom
/// they ask: `SET LOCAL app.user TO alice`. Other settings are words of the server.
pub(super) fn setting_value(chars: &[char]) -> Option<(usize, usize)> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let word = |from: usize| -> (usize, usize) {
        let begin = from + chars[from..].iter().take_while(|c| c.is_whitespace()).count();
        (begin, begin + chars[begin..].iter().take_while(|c| is_part(**c)).count())
    };
    let is = |(from, to): (usize, usize), what: &str| {
        chars[from..to].iter().map(char::to_ascii_lowercase).eq(what.chars())
    };
    let set = word(0);
    let mut name = word(set.1);
    if !is(set, "set") {
        return None;
    }
    if is(name, "local") || is(name, "session") {
        name = word(name.1);
    }
    let sign = word(name.1);
    let behind = match chars.get(sign.0) {
        Some('=') => sign.0 + 1,
        _ if is(sign, "to") => sign.1,
        _ => return None,
    };
    let value = word(behind);
    let custom = chars[name.0..name.1].contains(&'.');
    let bare = chars.get(value.0).is_some_and(|c| c.is_alphabetic() || *c == '_');
    let ends = |c: &&char| !c.is_whitespace() && !matches!(c, ';' | ',' | '\'' | '"');
    let len = chars[value.0..].iter().take_while(ends).count();
    (custom && bare).then_some((value.0, value.0 + len))
}
