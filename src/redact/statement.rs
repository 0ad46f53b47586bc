//! Statements without what was put into them. In: SQL, cut off anywhere. Out: the same statement with
//! tokens for its literals and comments; [`crate::ingest::sql::normalize`] makes the same of both.

use super::words::{self, Scope};
use super::{Kind, Redactor, documents, tokens};
use crate::ingest::sql::{Piece, Stretch, stretches};
use regex::Regex;
use std::sync::LazyLock;

/// Numbers that say nothing.
const PLAIN: [&str; 2] = ["0", "1"];

/// Words by which a statement begins, with what must follow.
const BEGINS: [&str; 23] = [
    "select",
    "insert into",
    "update",
    "delete from",
    "with",
    "merge into",
    "replace into",
    "copy",
    "call",
    "execute",
    "create",
    "alter",
    "drop",
    "grant",
    "revoke",
    "declare",
    "explain",
    "values",
    "prepare",
    "truncate",
    "lock table",
    "do $",
    "set",
];

/// First words of the statements of all servers that speak SQL, and of Cypher. They are words of prose
/// too: they tell only where a statement is known to stand.
const COMMANDS: [&str; 71] = [
    "abort",
    "alter",
    "analyze",
    "begin",
    "call",
    "change",
    "checkpoint",
    "close",
    "cluster",
    "comment",
    "commit",
    "copy",
    "create",
    "deallocate",
    "declare",
    "delete",
    "desc",
    "describe",
    "discard",
    "do",
    "drop",
    "end",
    "exec",
    "execute",
    "explain",
    "fetch",
    "flush",
    "grant",
    "handler",
    "import",
    "insert",
    "kill",
    "listen",
    "load",
    "lock",
    "match",
    "merge",
    "move",
    "notify",
    "optimize",
    "optional",
    "prepare",
    "purge",
    "reassign",
    "refresh",
    "reindex",
    "release",
    "rename",
    "repair",
    "replace",
    "reset",
    "revoke",
    "rollback",
    "savepoint",
    "security",
    "select",
    "set",
    "show",
    "start",
    "table",
    "truncate",
    "unlisten",
    "unload",
    "unwind",
    "update",
    "upsert",
    "use",
    "vacuum",
    "values",
    "with",
    "xa",
];

/// Beginnings that are looked at; a text with more of them is taken for statements.
pub(super) const TRIES: usize = 16;
/// Bytes behind a beginning that tell whether it is one.
const LOOK: usize = 16 << 10;

/// Where in a text a statement begins; `None` where there is none.
pub fn begin(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    memchr::memchr3(b' ', b'\n', b'\t', bytes)?;
    let (mut word, mut tries) = (true, 0);
    for (at, byte) in bytes.iter().enumerate() {
        if word && byte.is_ascii_alphabetic() && begins(&bytes[at..]) {
            tries += 1;
            if tries > TRIES || is_whole(text, at) {
                return Some(at);
            }
        }
        word = !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'.' | b'-');
    }
    None
}

/// Says whether a text that is known to hold a statement begins with one, or with its comment.
pub(super) fn is_command(text: &str) -> bool {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
    let word = text.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    text.starts_with("/*")
        || text.starts_with("--")
        || COMMANDS.iter().any(|c| c.eq_ignore_ascii_case(word))
}

/// Where the statement begins that a message of a server announces: `statement: …`,
/// `execute NAME: …`, `QUERY:  …`, also behind the comment that stands before it.
pub(super) fn announced(text: &str) -> Option<usize> {
    static MARK: LazyLock<Regex> = LazyLock::new(|| {
        let mark = r"(?i)\b(?:statement|query|query text|sql):\s+|\b(?:execute|parse|bind) [^:\n]{1,80}:\s+";
        Regex::new(mark).expect("the pattern is sound")
    });
    memchr::memchr(b':', text.as_bytes())?;
    MARK.find_iter(text).map(|m| m.end()).find(|at| is_command(&text[*at..]))
}

/// The end of a line with which its statement does not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    pub in_literal: bool,
}

impl Tail {
    /// The end of a statement with its last stretch; `None` where nothing says that it goes on.
    fn of(sql: &str, last: &Stretch) -> Option<Tail> {
        const WORDS: [&str; 13] = [
            "values",
            "and",
            "or",
            "set",
            "from",
            "where",
            "select",
            "in",
            "like",
            "not",
            "on",
            "into",
            "returning",
        ];
        let in_literal = last.cut && last.piece == Piece::Text && last.text.starts_with('\'');
        let bare = sql.trim_end();
        let word = bare.rsplit(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        let open =
            bare.ends_with([',', '(', '=']) || WORDS.iter().any(|w| w.eq_ignore_ascii_case(word));
        (in_literal || open).then_some(Tail { in_literal })
    }
}

/// Where a statement in a message ends that begins at an offset: before the next process of a
/// deadlock, before the nodes of a plan, at the quote in which PL/pgSQL shows it.
pub(super) fn statement_end(text: &str, at: usize) -> usize {
    static BEHIND: LazyLock<Regex> = LazyLock::new(|| {
        let behind = r"\n\s*(?:Process \d+: |[^\n']*\(cost=\d|[^\n']*\(actual )";
        Regex::new(behind).expect("the pattern is sound")
    });
    let rest = &text[at..];
    let Some(first) = memchr::memchr(b'\n', rest.as_bytes()) else { return text.len() };
    let near = rest.floor_char_boundary(LOOK);
    let quoted = text[..at].ends_with('"').then(|| rest[..near].find("\"\n")).flatten();
    let behind = BEHIND.find_at(rest, first).map(|m| m.start());
    quoted.into_iter().chain(behind).min().map_or(text.len(), |end| at + end)
}

pub(super) fn begins(rest: &[u8]) -> bool {
    let hit = |b: &&str| {
        rest.get(..b.len()).is_some_and(|r| r.eq_ignore_ascii_case(b.as_bytes()))
            && rest.get(b.len()).is_none_or(|c| !c.is_ascii_alphanumeric() && *c != b'_')
    };
    // The first letter sorts out nearly all.
    matches!(
        rest[0] | 0x20,
        b's' | b'i'
            | b'u'
            | b'd'
            | b'w'
            | b'm'
            | b'r'
            | b'c'
            | b'e'
            | b'a'
            | b'g'
            | b'v'
            | b'p'
            | b't'
            | b'l'
            | b'b'
    ) && BEGINS.iter().any(hit)
}

/// Says whether what begins like a statement goes on like one: prose uses the same words. A word in
/// capitals is a key word; in small letters the words that belong together must stand together.
pub(super) fn is_whole(text: &str, at: usize) -> bool {
    let rest = &text.as_bytes()[at..];
    let rest = String::from_utf8_lossy(&rest[..rest.len().min(LOOK)]);
    let first = rest.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    let capitals = first.bytes().all(|b| b.is_ascii_uppercase());
    let rest = rest.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| rest.contains(w));
    let alone =
        text[..at].trim_end().is_empty() || text[..at].trim_end().ends_with([':', '(', '/']);
    let begun = |shapes: &[Regex]| shapes.iter().any(|s| s.is_match(&rest));
    match rest.get(..first.len()).unwrap_or_default() {
        "select" if capitals => alone || has(&[" from", " where ", "(", " '"]),
        "select" => begun(&SHAPES[0]) || alone && has(&[" from ", "\nfrom "]),
        "update" if capitals => has(&[" set ", "\nset ", "\tset "]),
        "update" => begun(&SHAPES[1]),
        "with" => has(&[" as (", " as(", " as materialized", " as not materialized"]),
        "set" => alone && begun(&SHAPES[2]),
        "copy" => begun(&SHAPES[3]),
        "call" | "execute" | "values" => begun(&SHAPES[4]),
        "create" | "alter" | "drop" | "truncate" => begun(&SHAPES[5]),
        "grant" | "revoke" => has(&[" on ", " to ", " from "]),
        "explain" => has(&["select", "insert", "update", "delete"]),
        "declare" => has(&[" cursor"]),
        "prepare" => has(&[" as ", "transaction"]),
        _ => true,
    }
}

/// How statements go on behind their first word, in small letters.
static SHAPES: LazyLock<[Vec<Regex>; 6]> = LazyLock::new(|| {
    const NAME: &str = r#"[\w.$"`\[\]]+"#;
    let all = |shapes: &[&str]| {
        let shapes = shapes.iter().map(|s| format!("^{}", s.replace("NAME", NAME)));
        shapes.map(|s| Regex::new(&s).expect("the shape is sound")).collect()
    };
    [
        all(&[
            concat!(
                r#"select\s+(distinct\s+|all\s+|top \d+\s+)?([*'"`(]|/\*|case\s+when|"#,
                r"(not\s+)?exists\b|-?\d+\s*(,|;|$|from\b|as\b)|NAME\s*[,(*]|",
                r"NAME(\s+as)?(\s+NAME)?\s+from\s)"
            ),
            r"select\s+[^.!?]*?\sfrom\s+NAME\s+(\w+\s+)?(where|join|order|group|limit)\b",
            r"select\s+NAME\s*([-+:|>]|$)",
        ]),
        all(&[
            r"update\s+(only\s+|ignore\s+|low_priority\s+)*NAME(\s+(as\s+)?\w+)?\s+set\s",
            r"update\s+NAME[^.!?]*?(,|join\s)[^!?]*?\sset\s+NAME\s*=",
        ]),
        all(&[
            r"set\s+(local\s+|session\s+|global\s+|role\s+|names\s+)?[@\w.]+\s*(=|:=|\bto\s|'|$)",
        ]),
        all(&[r"copy\s+(\(|NAME\s*(\([^)]*\)\s*)?(from|to)\s)"]),
        all(&[r"values\s*\(", r"(call|execute)\s+(immediate\s|NAME\s*\()"]),
        all(&[concat!(
            r"(create|alter|drop|truncate)\s+(or\s+replace\s+|unique\s+|temp\s+|temporary\s+|",
            r"unlogged\s+|materialized\s+|global\s+|local\s+|event\s+|foreign\s+|recursive\s+)*",
            r"(table|user|role|index|view|function|procedure|database|schema|sequence|type|policy|",
            r"trigger|server|subscription|publication|extension|system|default|group|domain|",
            r"keyspace|login)\b"
        )]),
    ]
});

/// Says whether a text is a statement without its beginning: clauses in capitals, as in no prose.
pub(super) fn is_fragment(text: &str) -> bool {
    let clauses = text.contains(" FROM ") && text.contains(" WHERE ") || text.contains(" VALUES (");
    clauses && begin(text).is_none()
}

impl Redactor {
    /// The value of a field that holds statements.
    pub(super) fn statement(&mut self, text: &str) -> Option<String> {
        if documents::is_filter(text) {
            return self.filter(text);
        }
        if let Some(at) = begin(text) {
            return self.with_statement(text, at, Scope::Value);
        }
        if let Some(done) = self.redis(text) {
            return done;
        }
        if is_command(text) || text.starts_with('(') {
            return self.literals(text, true);
        }
        // Text of another language: quoted text is a literal in all of them.
        let told =
            ["= \"", "like \"", "LIKE \"", "in (\"", "IN (\""].iter().any(|c| text.contains(c));
        match text.contains('\'') || told && !text.starts_with('{') {
            true => self.literals(text, false),
            false => self.text(text, Scope::Value),
        }
    }

    /// A text in which a statement begins at an offset; `scope` is of what stands before it.
    pub(super) fn with_statement(&mut self, text: &str, at: usize, scope: Scope) -> Option<String> {
        // A comment, a parenthesis or another command may stand before it.
        let lead = text[..at].rfind("/*").filter(|c| text[*c..at].contains("*/"));
        let at = if is_command(&text[..at]) { 0 } else { lead.unwrap_or(at) };
        let end = statement_end(text, at);
        let before = self.text(&text[..at], scope);
        let own = self.literals(&text[at..end], true);
        self.tail = self.tail.filter(|_| end == text.len());
        let behind = self.text(&text[end..], scope);
        if before.is_none() && own.is_none() && behind.is_none() {
            return None;
        }
        let kept = |new: Option<String>, old: &str| new.unwrap_or_else(|| old.to_owned());
        let (own, behind) = (kept(own, &text[at..end]), kept(behind, &text[end..]));
        Some(kept(before, &text[..at]) + &own + &behind)
    }

    /// Tokens for the literals and comments of a statement; numbers only where it is SQL.
    pub(super) fn literals(&mut self, sql: &str, numbers: bool) -> Option<String> {
        let mut out = String::with_capacity(sql.len() + 32);
        let mut changed = false;
        let all = stretches(sql);
        for stretch in &all {
            let new = match stretch.piece {
                Piece::Text => self.quoted(stretch),
                Piece::Bare => self.literal(stretch.text),
                Piece::Dollar => self.fenced(stretch),
                Piece::Number if numbers => self.number(stretch.text),
                Piece::Line => self.comment(stretch.text, 2, 0),
                Piece::Block => self.comment(stretch.text, 2, if stretch.cut { 0 } else { 2 }),
                Piece::Name => self.text(stretch.text, Scope::Value),
                // What is no part of a statement may stand behind it.
                Piece::Rest => self.words(stretch.text, Scope::Statement),
                Piece::Number => None,
            };
            changed |= new.is_some();
            out.push_str(new.as_deref().unwrap_or(stretch.text));
        }
        self.tail = all.last().and_then(|last| Tail::of(sql, last));
        changed.then_some(out)
    }

    fn quoted(&mut self, stretch: &Stretch) -> Option<String> {
        let end = stretch.text.len() - usize::from(!stretch.cut);
        let (quote, inner) = stretch.text[..end].split_at(1);
        match quote {
            "'" => Some(format!("'{}'", self.literal(inner)?)),
            // In double quotes a token, which is a word, could be a name: a blank tells that it is none.
            _ => Some(format!("\" {}\"", self.literal(inner.trim_start())?)),
        }
    }

    fn fenced(&mut self, stretch: &Stretch) -> Option<String> {
        let open = stretch.text[1..].find('$')? + 2;
        let close = if stretch.cut { 0 } else { open };
        let inner = stretch.text.get(open..stretch.text.len() - close)?;
        let token = self.literal(inner)?;
        Some(format!("$${token}$$"))
    }

    /// The token of a literal: of its own shape where the whole of it is an address and the like.
    pub(super) fn literal(&mut self, inner: &str) -> Option<String> {
        if inner.is_empty() || inner == "?" || tokens::is_token(inner) || words::is_tokens(inner) {
            return None;
        }
        if self.is_mask() {
            return Some(self.token(Kind::Literal, inner));
        }
        self.hit(Kind::Literal);
        match self.text(inner, Scope::Value) {
            Some(whole) if words::is_tokens(&whole) => Some(whole),
            _ => Some(self.tokens.word(Kind::Literal, inner)),
        }
    }

    pub(super) fn number(&mut self, text: &str) -> Option<String> {
        if PLAIN.contains(&text) || tokens::is_token(text) {
            return None;
        }
        if self.is_mask() {
            return Some(self.token(Kind::Literal, text));
        }
        self.hit(Kind::Literal);
        Some(self.tokens.digits(Kind::Literal, text))
    }

    fn comment(&mut self, text: &str, open: usize, close: usize) -> Option<String> {
        let inner = &text[open..text.len() - close];
        let body = inner.trim();
        if body.is_empty() || body == "?" || tokens::is_token(body) {
            return None;
        }
        let token = self.token(Kind::Comment, body);
        Some(format!("{} {token}{}", &text[..open], if close > 0 { " */" } else { "" }))
    }
}
