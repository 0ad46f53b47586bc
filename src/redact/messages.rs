//! What messages of database servers tell of the rows, parameters and plans that they speak of. In: a
//! message. Out: the same with tokens for the values, names of tables, columns and types as they are.

use super::edit::Edit;
use super::{Redactor, documents, tokens};
use memchr::memmem;
use regex::Regex;
use std::sync::LazyLock;

/// What stands before a value in quotes, and what stands directly behind its last quote; with nothing
/// behind it, the value reaches to the last quote of its line.
const QUOTED: [(&str, &str, char); 18] = [
    ("invalid input syntax", "", '"'),
    ("invalid input value", "", '"'),
    ("invalid value for", "", '"'),
    ("out of range: ", "", '"'),
    ("value ", " is out of range", '"'),
    ("Token ", " is invalid", '"'),
    ("malformed array literal", "", '"'),
    ("malformed record literal", "", '"'),
    ("malformed range literal", "", '"'),
    ("at or near ", "", '"'),
    (", line ", "", '"'),
    ("Duplicate entry ", " for key", '\''),
    ("Incorrect ", " for ", '\''),
    ("Incorrect syntax near ", "", '\''),
    ("Truncated incorrect ", "", '\''),
    ("the right syntax to use near ", " at line", '\''),
    ("SQL syntax; near ", " at line", '\''),
    ("Data truncation: ", "", '\''),
];
/// What stands behind the values of a key.
const KEY_ENDS: [&str; 4] =
    [") already exists", ") is not present", ") is still referenced", ") conflicts with"];
/// Longest row of which the end is looked for, bytes; a longer one takes all of its line.
const ROW_MAX: usize = 8 << 10;
/// What stands before the condition of a node of a plan.
const CONDITIONS: [&str; 2] = ["Cond: (", "Filter: ("];

impl Redactor {
    /// A message without the values that it tells; `None` when it tells none.
    pub(super) fn told_values(&mut self, text: &str) -> Option<String> {
        let mut now: Option<String> = None;
        let steps = [
            Redactor::row_values,
            Redactor::quoted_values,
            Redactor::conditions,
            Redactor::parameters,
            Redactor::told_users,
        ];
        for step in steps {
            now = step(self, now.as_deref().unwrap_or(text)).or(now);
        }
        now
    }

    /// Rows: `Key (mail)=(a@b) already exists`, `Failing row contains (1, a@b)`.
    fn row_values(&mut self, text: &str) -> Option<String> {
        const OPENS: [&str; 2] = [")=(", "row contains ("];
        let mut edit = Edit::new(text);
        for open in OPENS {
            if edit.is_changed() {
                break;
            }
            let mut at = 0;
            while let Some(from) = memmem::find(&text.as_bytes()[at..], open.as_bytes()) {
                let from = at + from + open.len();
                let to = from + row_len(&text[from..]);
                if let Some(token) = self.literal(&text[from..to]) {
                    edit.put(from, to, &token);
                }
                at = to;
            }
        }
        edit.finish()
    }

    fn quoted_values(&mut self, text: &str) -> Option<String> {
        memchr::memchr2(b'"', b'\'', text.as_bytes())?;
        let mut edit = Edit::new(text);
        let mut done = 0;
        for line in text.split_inclusive('\n') {
            let begun = done;
            done += line.len();
            let Some((from, to)) = quoted_value(line) else { continue };
            if let Some(token) = self.literal(&line[from..to]) {
                edit.put(begun + from, begun + to, &token);
            }
        }
        edit.finish()
    }

    /// What stands behind the announcement of parameters, rows or documents, to the end of its line.
    fn parameters(&mut self, text: &str) -> Option<String> {
        static MARK: LazyLock<Regex> = LazyLock::new(|| {
            // Hibernate, MyBatis, Rails, SQLAlchemy, EF, Prisma; MongoDB; PostgreSQL; InnoDB.
            let marks = [
                r"(?i:\bbinding parameter )[^\n]*?(?:- |<- )",
                r"(?:\bParameters: |\[parameters: |\[Parameters=|\bParams: |\bBindings: )",
                r"\[cached since [^\]]*\] ",
                r"\bdup key: ",
                r"\b(?:command|originatingCommand|query|filter): (?:\w+ )?",
                r"\bJSON data, line \d+: ",
                r"; hex [0-9a-f]+; asc ",
            ];
            Regex::new(&marks.join("|")).expect("the pattern is sound")
        });
        memchr::memchr3(b':', b'[', b'-', text.as_bytes())?;
        let mut edit = Edit::new(text);
        let (mut done, mut end) = (0, 0);
        for mark in MARK.find_iter(text) {
            if mark.start() < done {
                continue;
            }
            let at = mark.end();
            if at >= end {
                end = text[at..].find('\n').map_or(text.len(), |p| at + p);
            }
            let rest = &text[at..end];
            let new = match () {
                () if mark.as_str().ends_with("asc ") => {
                    let hex = mark.start() + "; hex ".len();
                    let run = text[hex..].find(';').map_or(at, |p| hex + p);
                    if let Some(token) = self.literal(&text[hex..run]) {
                        edit.put(hex, run, &token);
                    }
                    let asc = rest.split(';').next().unwrap_or(rest);
                    self.literal(asc).map(|token| token + &rest[asc.len()..])
                }
                // `$1 = 'it''s'` is written as SQL writes it.
                () if rest.starts_with("$1") => None,
                () if rest.starts_with('{')
                    || rest.starts_with('[') && !is_announced(mark.as_str()) =>
                {
                    documents::is_filter(rest).then(|| self.filter(rest)).flatten()
                }
                () if mark.as_str().to_ascii_lowercase().starts_with("binding")
                    && rest.starts_with('[') =>
                {
                    let inner = rest[1..].trim_end().trim_end_matches(']');
                    self.literal(inner).map(|token| format!("[{token}]"))
                }
                () if rest.starts_with(['[', '(']) => self.filter(rest),
                () if mark.as_str().contains("arameter") => self.bare_parameters(rest),
                () => None,
            };
            // What was looked at once need not be so again.
            if new.is_some() || rest.starts_with(['{', '[', '(']) {
                done = end;
            }
            if let Some(new) = new {
                edit.put(at, end, &new);
            }
        }
        edit.finish()
    }

    /// `alice(String), 4711(Long)`, or the value alone.
    fn bare_parameters(&mut self, rest: &str) -> Option<String> {
        let mut out = Vec::new();
        let mut changed = false;
        for part in rest.split(", ") {
            let value = match part.rfind('(').filter(|_| part.ends_with(')')) {
                Some(at) => &part[..at],
                None => part,
            };
            let new = self.literal(value.trim());
            changed |= new.is_some();
            out.push(new.map_or_else(|| part.to_owned(), |new| new + &part[value.len()..]));
        }
        changed.then(|| out.join(", "))
    }

    /// Users whom MySQL's slow log and access logs tell: `# User@Host: app[alice] @`, `10.0.0.7 - alice [`.
    fn told_users(&mut self, text: &str) -> Option<String> {
        static WHO: LazyLock<Regex> = LazyLock::new(|| {
            let who =
                r"User@Host: ([^\s\[]+)\[([^\]\s]*)\]|^\S+ \S+ ([^\s-]\S*) \[\d\d/\w{3}/\d{4}:";
            Regex::new(who).expect("the pattern is sound")
        });
        memchr::memchr(b'[', text.as_bytes())?;
        let mut edit = Edit::new(text);
        for found in WHO.captures_iter(text) {
            for who in found.iter().skip(1).flatten() {
                if let Some(token) = self.user(who.as_str()) {
                    edit.put(who.start(), who.end(), &token);
                }
            }
        }
        edit.finish()
    }

    fn conditions(&mut self, text: &str) -> Option<String> {
        memmem::find(text.as_bytes(), b": (")?;
        let tail = self.tail;
        let mut edit = Edit::new(text);
        let mut done = 0;
        for line in text.split_inclusive('\n') {
            let begun = done;
            done += line.len();
            let Some(at) = CONDITIONS.iter().find_map(|c| line.find(c).map(|p| p + c.len())) else {
                continue;
            };
            if let Some(new) = self.literals(&line[at..], true) {
                edit.put(begun + at, done, &new);
            }
        }
        self.tail = tail;
        edit.finish()
    }
}

/// Says whether it is parameters that are announced, and no document.
fn is_announced(mark: &str) -> bool {
    let mark = mark.to_ascii_lowercase();
    ["param", "bindings", "cached"].iter().any(|word| mark.contains(word))
}

/// Bytes of the values of a row, before the parenthesis that ends them.
fn row_len(rest: &str) -> usize {
    let near = &rest[..rest.floor_char_boundary(ROW_MAX)];
    let end = near.find('\n');
    let line = &near[..end.unwrap_or(near.len())];
    let last = || line.rfind(").").or_else(|| line.rfind(')')).unwrap_or(line.len());
    match KEY_ENDS.iter().filter_map(|e| line.find(e)).min() {
        Some(told) => told,
        None if end.is_some() || near.len() == rest.len() => last(),
        None => rest.find('\n').unwrap_or(rest.len()),
    }
}

/// The value that a line tells in quotes.
fn quoted_value(line: &str) -> Option<(usize, usize)> {
    QUOTED.iter().find_map(|(lead, behind, quote)| {
        let from = line.find(lead)? + lead.len();
        let open = from + line[from..].find(*quote)? + 1;
        let end = match *behind {
            "" => line[open..].rfind(*quote)?,
            behind => line[open..].find(&format!("{quote}{behind}"))?,
        };
        let value = &line[open..open + end];
        (!value.is_empty() && !tokens::is_token(value)).then_some((open, open + end))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Masking, Redactor, Settings};

    #[test]
    fn values_in_messages_leave() {
        let settings = Settings { masking: Masking::Prose, ..Settings::default() };
        let mut all = Redactor::new(&settings).expect("there are no patterns");
        for (text, want) in [
            ("Key (lower(a))=(b (c) leak) already exists.", "Key (lower(a))=(?) already exists."),
            (
                "Key (a)=(leak) conflicts with existing key (a)=(leak).",
                "Key (a)=(?) conflicts with existing key (a)=(?).",
            ),
            ("Failing row contains (1, leak (x), null).", "Failing row contains (?)."),
            (
                "invalid input syntax for type json: \"a \"leak\"\" at character 20",
                "invalid input syntax for type json: \"?\" at character 20",
            ),
            ("Duplicate entry 'it's leak' for key 'u.m'", "Duplicate entry '?' for key 'u.m'"),
            ("COPY t, line 3, column c: \"leak\"", "COPY t, line 3, column c: \"?\""),
            ("==> Parameters: leak(String), 4711(Long)", "==> Parameters: ?(String), ?(Long)"),
            (
                "binding parameter [1] as [VARCHAR] - [leak]",
                "binding parameter [1] as [VARCHAR] - [?]",
            ),
            ("E11000 dup key: { mail: \"leak\" }", "E11000 dup key: { mail: \"?\" }"),
            ("3: len 6; hex 4c45; asc leak;;", "3: len 6; hex ?; asc ?;;"),
            ("[SQL: x] [parameters: ('leak', 5)]", "[SQL: x] [parameters: ('?', 5)]"),
            (
                "Seq Scan\n  Filter: (a = 'leak')\n  Rows: 1",
                "Seq Scan\n  Filter: (a = '?')\n  Rows: 1",
            ),
        ] {
            assert_eq!(all.told_values(text).as_deref(), Some(want));
        }
        for stays in ["relation \"t\" does not exist", "cannot filter (a)", "role \"app\" is gone"]
        {
            assert_eq!(all.told_values(stays), None);
        }
    }
}
