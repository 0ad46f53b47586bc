//! What messages of database servers tell of the rows, parameters and plans that they speak of. In: a
//! message. Out: the same with tokens for the values, names of tables, columns and types as they are.

use super::edit::Edit;
use super::{Redactor, tokens};
use memchr::memmem;

/// What stands before a value in quotes, and what stands directly behind its last quote; with nothing
/// behind it, the value reaches to the last quote of its line.
const QUOTED: [(&str, &str, char); 16] = [
    ("invalid input syntax", "", '"'),
    ("invalid input value", "", '"'),
    ("invalid value for", "", '"'),
    ("out of range: ", "", '"'),
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
/// What stands before the condition of a node of a plan.
const CONDITIONS: [&str; 2] = ["Cond: (", "Filter: ("];

impl Redactor {
    /// A message without the values that it tells; `None` when it tells none.
    pub(super) fn told_values(&mut self, text: &str) -> Option<String> {
        let mut now: Option<String> = None;
        for step in [Redactor::row_values, Redactor::quoted_values, Redactor::conditions] {
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

    fn conditions(&mut self, text: &str) -> Option<String> {
        memmem::find(text.as_bytes(), b": (")?;
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
        edit.finish()
    }
}

/// Bytes of the values of a row, before the parenthesis that ends them.
fn row_len(rest: &str) -> usize {
    let line = rest.lines().next().unwrap_or_default();
    let told = KEY_ENDS.iter().filter_map(|e| line.find(e)).min();
    let last = || line.rfind(").").or_else(|| line.rfind(')'));
    told.or_else(last).unwrap_or(line.len())
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
