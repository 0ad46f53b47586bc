//! What is private by its look, wherever it stands. In: a text without structure of its own: a value,
//! a name, a line. Out: the text with tokens for keys and tokens of services, passwords in URLs and
//! behind their names, mail addresses, IP addresses, hosts with a domain, users in paths and messages.
//!
//! A text is cut into words; each is looked at with what stands directly before and behind it. Bare
//! names (`cart`, `pg-primary`) stay: they are what an incident is told in.

use super::edit::{
    Edit, Value, doubled_end, is_scheme, opaque_end, parts, value_end, value_of, word_end,
};
use super::keys::{self, Class};
use super::{Kind, Redactor, commands, credentials, hosts, statement, tokens};
use memchr::memmem;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Where a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In a field of its own.
    Value,
    /// Where a URL has its host: no name of a package, an attribute or a class.
    Url,
    /// A line of a log, in which `alice@shop` is who speaks.
    Line,
    /// Between the literals of a statement, where `user = owner` and `t.info` are columns.
    Statement,
}

/// Texts within texts that are followed; what is deeper is replaced whole.
const DEPTH_MAX: usize = 4;

/// Says whether a text is nothing but tokens and what holds them together.
pub fn is_tokens(text: &str) -> bool {
    let mut words = text.split(['.', '/', ':', ' ']).filter(|w| !w.is_empty()).peekable();
    let address = |w: &str| w.parse::<Ipv4Addr>().is_ok_and(tokens::is_ipv4);
    words.peek().is_some()
        && (address(text)
            || text.parse::<Ipv6Addr>().is_ok_and(tokens::is_ipv6)
            || tokens::is_token(text)
            || hosts::is_token(text))
}

/// Says whether a variable of a shell or a template begins a text.
fn is_placeholder(text: &str) -> bool {
    let name = text.strip_prefix("${").or_else(|| text.strip_prefix('$')).unwrap_or_default();
    let part = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_';
    let len = name.bytes().take_while(part).count();
    // What follows `:-` in braces is a value.
    let over = name[len..].bytes().next().is_none_or(parts);
    text.starts_with("{{") || len > 1 && over && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// What the name of a value says of it, with what stands before the name.
fn class_at(text: &str, from: usize, key: &str, value: Value) -> Class {
    match key {
        "value" | "Value" => commands::told_beside(text, from, value.quote.is_some()),
        _ if text[..from].ends_with(['?', '&']) => keys::query_class(key),
        _ => keys::class(key),
    }
}

impl Redactor {
    /// A text with tokens; `None` when nothing in it is private.
    pub(super) fn text(&mut self, text: &str, scope: Scope) -> Option<String> {
        if text.len() < 4 {
            return None;
        }
        if self.depth >= DEPTH_MAX {
            return self.secret(text);
        }
        self.depth += 1;
        let mut now: Option<String> = None;
        for step in [Redactor::custom, Redactor::private_key, Redactor::told_values] {
            now = step(self, now.as_deref().unwrap_or(text)).or(now);
        }
        let begun = now.as_deref().unwrap_or(text);
        let lead = begun.trim_start().starts_with("/*") || begun.trim_start().starts_with("--");
        let lead = lead.then(|| statement::begin(begun)).flatten();
        let told = lead
            .or_else(|| (scope != Scope::Statement).then(|| statement::announced(begun)).flatten());
        let done = match told {
            Some(at) => self.with_statement(begun, at, scope),
            // Whoever cut it to pieces may have thrown away its beginning.
            None if self.is_mask() && statement::is_fragment(begun) => self.literals(begun, true),
            None => self.words(begun, scope),
        };
        self.depth -= 1;
        done.or(now)
    }

    /// A text with tokens for what a site's own patterns match.
    fn custom(&mut self, text: &str) -> Option<String> {
        let mut out: Option<String> = None;
        let patterns = std::mem::take(&mut self.patterns);
        for pattern in &patterns {
            let now = out.as_deref().unwrap_or(text);
            let found = pattern.find_iter(now).map(|m| m.range());
            let found: Vec<_> = found.filter(|r| !r.is_empty()).collect();
            let mut edit = Edit::new(now);
            for range in found {
                if !is_tokens(&now[range.clone()]) {
                    let token = self.tokens.word(Kind::Custom, &now[range.clone()]);
                    self.hit(Kind::Custom);
                    edit.put(range.start, range.end, &token);
                }
            }
            out = edit.finish().or(out);
        }
        self.patterns = patterns;
        out
    }

    /// A text without the private keys that stand in it in PEM.
    fn private_key(&mut self, text: &str) -> Option<String> {
        memmem::find(text.as_bytes(), b"PRIVATE KEY-----")?;
        let mut edit = Edit::new(text);
        let mut at = 0;
        while let Some(begin) = text[at..].find("-----BEGIN ").map(|p| at + p) {
            let Some(open) = text[begin..].find("PRIVATE KEY-----").map(|p| begin + p + 16) else {
                break;
            };
            let close = text[open..].find("-----END ").map_or(text.len(), |p| open + p);
            let body = text[open..close].trim();
            let done =
                tokens::is_token(body.trim_matches(['\\', 'n', 'r'])) || keys::is_blank(body);
            if !done {
                let token = self.token(Kind::Secret, body);
                edit.put(open, close, &token);
            }
            at = close.max(open);
        }
        edit.finish()
    }

    pub(super) fn words(&mut self, text: &str, scope: Scope) -> Option<String> {
        let bytes = text.as_bytes();
        let mut edit = Edit::new(text);
        let (mut at, mut before, mut tries, mut open) = (0, (0, 0), 0, false);
        while at < bytes.len() {
            if parts(bytes[at]) {
                at = match bytes[at] {
                    b'/' if scope != Scope::Statement => self.aside(&mut edit, at, &mut open),
                    _ => at + 1,
                };
                continue;
            }
            let end = word_end(bytes, at);
            let told = scope != Scope::Statement && statement::begins(&bytes[at..]);
            if told && bytes.get(end).is_some_and(|b| parts(*b)) {
                tries += 1;
                if tries > statement::TRIES || statement::is_whole(text, at) {
                    let over = statement::statement_end(text, at);
                    if let Some(new) = self.literals(&text[at..over], true) {
                        edit.put(at, over, &new);
                    }
                    self.tail = self.tail.filter(|_| over == bytes.len());
                    (before, at) = ((at, at), over);
                    continue;
                }
            }
            let next = self.word(&mut edit, (at, end), before, scope);
            before = (at, end);
            at = next.max(end);
        }
        edit.finish()
    }

    /// A comment at a slash; gives the offset at which to go on. `open` says that no comment ends
    /// behind it.
    fn aside(&mut self, edit: &mut Edit, at: usize, open: &mut bool) -> usize {
        let text = edit.text;
        let free = at == 0 || matches!(text.as_bytes()[at - 1], b' ' | b'\t' | b'\n' | b':' | b'(');
        if !free || *open || !text[at..].starts_with("/*") {
            return at + 1;
        }
        let Some(len) = text[at + 2..].find("*/") else {
            *open = true;
            return at + 1;
        };
        let end = at + len + 4;
        let new = self.literals(&text[at..end], true);
        if let Some(new) = new {
            edit.put(at, end, &new);
        }
        end
    }

    /// Looks at one word; gives the offset at which to go on.
    fn word(
        &mut self,
        edit: &mut Edit,
        (from, to): (usize, usize),
        before: (usize, usize),
        scope: Scope,
    ) -> usize {
        let (text, bytes) = (edit.text, edit.text.as_bytes());
        let word = &text[from..to];
        if from >= 2 && bytes[from - 2..from] == *b"//" {
            return self.authority(edit, from);
        }
        if scope != Scope::Statement
            && let Some(end) = self.element(edit, from, to).or_else(|| self.option(edit, from, to))
        {
            return end;
        }
        if let Some(value) = value_of(text, from, to) {
            let key = word.trim_start_matches(':').split(':').next().unwrap_or(word);
            let class = class_at(text, from, key, value);
            let numbered = |n: &str| n.starts_with(|c: char| c.is_ascii_digit());
            let parameter = key.strip_prefix('$').is_some_and(numbered) && value.quote.is_some();
            if parameter {
                let end = doubled_end(text, value);
                if let Some(token) = self.literal(&text[value.at..end]) {
                    edit.put(value.at, end, &token);
                }
                return end;
            }
            if matches!(class, Class::Secret | Class::Header)
                && scope != Scope::Statement
                && let Some(end) = self.block(edit, from, value.at)
            {
                return end;
            }
            let column = scope == Scope::Statement && !value.is_data(text, class);
            if !column
                && (class != Class::Other || value.quote.is_some())
                && let Some(end) = self.assigned(edit, class, value)
            {
                return end;
            }
        }
        if let Some(end) = self.beside(edit, (from, to), before, scope) {
            return end;
        }
        let slash = from > 0 && matches!(bytes[from - 1], b'/' | b'\\');
        if slash && matches!(&text[before.0..before.1], "home" | "Users") {
            if let Some(token) = self.user(word) {
                edit.put(from, to, &token);
            }
            return to;
        }
        self.plain(edit, from, to, scope);
        to
    }

    /// A word that says what stands behind a blank: a scheme before its token, a role before its name.
    fn beside(
        &mut self,
        edit: &mut Edit,
        (from, to): (usize, usize),
        before: (usize, usize),
        scope: Scope,
    ) -> Option<usize> {
        let (text, bytes) = (edit.text, edit.text.as_bytes());
        let word = &text[from..to];
        // Configuration of Redis has no sign between a name and its value.
        if matches!(word, "requirepass" | "masterauth") && bytes.get(to) == Some(&b' ') {
            let value = Value { at: to + 1, quote: None };
            return Some(self.assigned(edit, Class::Secret, value).unwrap_or(to));
        }
        if is_scheme(word) && bytes.get(to) == Some(&b' ') {
            let end = opaque_end(bytes, to + 1);
            let value = &text[to + 1..end];
            if credentials::is_opaque(value) && !tokens::is_token(value) {
                let token = self.token(Kind::Secret, value);
                edit.put(to + 1, end, &token);
                return Some(end);
            }
        }
        let who = ["user", "role", "username"].iter().any(|w| word.eq_ignore_ascii_case(w));
        // `CREATE ROLE alice`: elsewhere in a statement it is a column.
        let defined = ["create", "alter", "drop", "set"]
            .iter()
            .any(|c| text[before.0..before.1].eq_ignore_ascii_case(c));
        if who && defined && scope == Scope::Statement && bytes.get(to) == Some(&b' ') {
            let end = word_end(bytes, to + 1);
            if let Some(token) = self.user(&text[to + 1..end]) {
                edit.put(to + 1, end, &token);
            }
            return Some(end);
        }
        let who = who && scope != Scope::Statement;
        if who && bytes.get(to) == Some(&b' ') && matches!(bytes.get(to + 1), Some(b'"' | b'\'')) {
            let value = Value { at: to + 2, quote: Some((bytes[to + 1], 0)) };
            return Some(self.assigned(edit, Class::User, value).unwrap_or(to));
        }
        None
    }

    /// Replaces the value of a field whose name says what it is; `None` where there is none.
    fn assigned(&mut self, edit: &mut Edit, class: Class, value: Value) -> Option<usize> {
        let end = value_end(edit.text, value, class);
        let inner = &edit.text[value.at..end];
        if inner.trim().is_empty() {
            return None;
        }
        // What goes on behind the line is the text around the value.
        let tail = self.tail;
        let new = match class {
            Class::Sql if value.quote.is_none() => return None,
            Class::User if inner.contains(['/', '\\']) => return None,
            // What stands for a value is none: `${PASSWORD}`, `$USER`, `{{ .Values.password }}`.
            Class::User | Class::Secret if is_placeholder(&edit.text[value.at..]) => return None,
            // What opens an object or a list says nothing itself.
            _ if value.quote.is_none() && matches!(inner, "{" | "[" | "(" | "[{") => return None,
            _ => match value.quote {
                Some((quote, 0)) if inner.contains('\\') => self.escaped(class, inner, quote),
                _ => self.classed(class, inner),
            },
        };
        self.tail = tail;
        if let Some(new) = new {
            edit.put(value.at, end, &new);
        }
        Some(end)
    }

    /// The inside of a quoted text in which a backslash stands before each quote.
    fn escaped(&mut self, class: Class, inner: &str, quote: u8) -> Option<String> {
        let quote = char::from(quote);
        let mut plain = String::with_capacity(inner.len());
        let mut chars = inner.chars().peekable();
        while let Some(c) = chars.next() {
            match chars.peek() {
                Some(next) if c == '\\' && (*next == quote || *next == '\\') => {
                    plain.push(*next);
                    chars.next();
                }
                _ => plain.push(c),
            }
        }
        let new = self.classed(class, &plain)?;
        let escape = |c: char| if c == quote || c == '\\' { vec!['\\', c] } else { vec![c] };
        Some(new.chars().flat_map(escape).collect())
    }
}
