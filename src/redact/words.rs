//! What is private by its look, wherever it stands. In: a text without structure of its own: a value,
//! a name, a line. Out: the text with tokens for keys and tokens of services, passwords in URLs and
//! behind their names, mail addresses, IP addresses, hosts with a domain, users in paths and messages.
//!
//! A text is cut into words; each is looked at with what stands directly before and behind it. Bare
//! names (`cart`, `pg-primary`) stay: they are what an incident is told in.

use super::hosts;
use super::keys::{self, Class};
use super::{Kind, Redactor, credentials, statement, tokens};
use memchr::memmem;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Where a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In a field of its own.
    Value,
    /// A line of a log, in which `alice@shop` is who speaks.
    Line,
}

/// Texts within texts that are followed; what is deeper is replaced whole.
const DEPTH_MAX: usize = 4;
/// Bytes behind `//` in which the `@` of a URL may stand.
const AUTHORITY_MAX: usize = 512;

/// A text and what it has become so far.
pub(super) struct Edit<'a> {
    pub text: &'a str,
    out: String,
    done: usize,
}

impl<'a> Edit<'a> {
    fn new(text: &'a str) -> Self {
        Edit { text, out: String::new(), done: 0 }
    }

    /// Puts a token in place of a stretch.
    pub fn put(&mut self, from: usize, to: usize, token: &str) {
        self.out.push_str(&self.text[self.done..from]);
        self.out.push_str(token);
        self.done = to;
    }

    fn finish(mut self) -> Option<String> {
        (self.done > 0).then(|| {
            self.out.push_str(&self.text[self.done..]);
            self.out
        })
    }
}

fn parts(byte: u8) -> bool {
    byte.is_ascii_whitespace()
        || matches!(
            byte,
            b'"' | b'\''
                | b'('
                | b')'
                | b'{'
                | b'}'
                | b'['
                | b']'
                | b'<'
                | b'>'
                | b','
                | b';'
                | b'|'
                | b'&'
                | b'?'
                | b'\\'
                | b'/'
                | b'='
                | b'`'
        )
}

/// The end of the word that begins at an offset.
fn word_end(bytes: &[u8], from: usize) -> usize {
    from + bytes[from..].iter().position(|b| parts(*b)).unwrap_or(bytes.len() - from)
}

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
        for step in [Redactor::custom, Redactor::private_key, Redactor::row_values] {
            now = step(self, now.as_deref().unwrap_or(text)).or(now);
        }
        let begun = now.as_deref().unwrap_or(text);
        let lead = begun.trim_start().starts_with("/*") || begun.trim_start().starts_with("--");
        let done = match lead.then(|| statement::begin(begun)).flatten() {
            Some(at) => self.from_statement(begun, at),
            None => self.words(begun, scope),
        };
        self.depth -= 1;
        done.or(now)
    }

    /// A text with tokens for what a site's own patterns match.
    fn custom(&mut self, text: &str) -> Option<String> {
        let mut out: Option<String> = None;
        for i in 0..self.patterns.len() {
            let now = out.as_deref().unwrap_or(text);
            let found = self.patterns[i].find_iter(now).map(|m| m.range());
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
            if !body.is_empty() && !tokens::is_token(body.trim_matches(['\\', 'n', 'r'])) {
                let token = self.tokens.word(Kind::Secret, body);
                self.hit(Kind::Secret);
                edit.put(open, close, &token);
            }
            at = close.max(open);
        }
        edit.finish()
    }

    /// A message of PostgreSQL without the rows that it tells: `Key (mail)=(a@b)`.
    fn row_values(&mut self, text: &str) -> Option<String> {
        const OPENS: [&str; 2] = [")=(", "row contains ("];
        let mut edit = Edit::new(text);
        for open in OPENS {
            if edit.done > 0 {
                break;
            }
            let mut at = 0;
            while let Some(from) = memmem::find(&text.as_bytes()[at..], open.as_bytes()) {
                let from = at + from + open.len();
                let len = text[from..].find(").").or_else(|| text[from..].find(')'));
                let to = len.map_or(text.len(), |l| from + l);
                if let Some(token) = self.literal(&text[from..to]) {
                    edit.put(from, to, &token);
                }
                at = to;
            }
        }
        edit.finish()
    }

    pub(super) fn words(&mut self, text: &str, scope: Scope) -> Option<String> {
        let bytes = text.as_bytes();
        let mut edit = Edit::new(text);
        let (mut at, mut before, mut tries) = (0, (0, 0), 0);
        while at < bytes.len() {
            if parts(bytes[at]) {
                at += 1;
                continue;
            }
            let end = word_end(bytes, at);
            if statement::begins(&bytes[at..]) && bytes.get(end).is_some_and(|b| parts(*b)) {
                tries += 1;
                if tries > statement::TRIES || statement::is_whole(text, at) {
                    if let Some(new) = self.literals(&text[at..], true) {
                        edit.put(at, bytes.len(), &new);
                    }
                    break;
                }
            }
            let next = self.word(&mut edit, (at, end), before, scope);
            before = (at, end);
            at = next.max(end);
        }
        edit.finish()
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
        if let Some(value) = value_of(text, from, to) {
            let key = word.split(':').next().unwrap_or(word);
            let class = keys::class(key);
            let numbered = |n: &str| n.starts_with(|c: char| c.is_ascii_digit());
            let parameter = key.strip_prefix('$').is_some_and(numbered) && value.quote.is_some();
            if parameter {
                let end = value_end(text, value, class);
                if let Some(token) = self.literal(&text[value.at..end]) {
                    edit.put(value.at, end, &token);
                }
                return end;
            }
            if (class != Class::Other || value.quote.is_some())
                && let Some(end) = self.assigned(edit, class, value)
            {
                return end;
            }
        }
        if is_scheme(word) && bytes.get(to) == Some(&b' ') {
            let end = opaque_end(bytes, to + 1);
            let value = &text[to + 1..end];
            if credentials::is_opaque(value) && !tokens::is_token(value) {
                let token = self.tokens.word(Kind::Secret, value);
                self.hit(Kind::Secret);
                edit.put(to + 1, end, &token);
                return end;
            }
        }
        let who = ["user", "role", "username"].iter().any(|w| word.eq_ignore_ascii_case(w));
        if who && bytes.get(to) == Some(&b' ') && matches!(bytes.get(to + 1), Some(b'"' | b'\'')) {
            let value = Value { at: to + 2, quote: Some((bytes[to + 1], 0)) };
            return self.assigned(edit, Class::User, value).unwrap_or(to);
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

    /// Replaces the value of a field whose name says what it is; `None` where there is none.
    fn assigned(&mut self, edit: &mut Edit, class: Class, value: Value) -> Option<usize> {
        let end = value_end(edit.text, value, class);
        let inner = &edit.text[value.at..end];
        if inner.trim().is_empty() {
            return None;
        }
        let new = match class {
            Class::Sql if value.quote.is_none() => return None,
            Class::User if inner.contains(['/', '\\']) => return None,
            _ => match value.quote {
                Some((quote, 0)) if inner.contains('\\') => self.escaped(class, inner, quote),
                _ => self.classed(class, inner),
            },
        };
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

    /// User, password and host of a URL whose `//` stands before an offset.
    fn authority(&mut self, edit: &mut Edit, from: usize) -> usize {
        let text = edit.text;
        let bytes = text.as_bytes();
        let most = bytes.len().min(from + AUTHORITY_MAX);
        let stops =
            |b: &u8| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'<' | b'>' | b'\\');
        let whole = bytes[from..most].iter().position(stops).map_or(most, |p| from + p);
        let short = bytes[from..whole].iter().position(|b| matches!(b, b'/' | b'?' | b'#'));
        let short = short.map_or(whole, |p| from + p);
        // A password may hold a `/`; a path may hold an `@`, but then no `:` stands in its host.
        let at = memchr::memrchr(b'@', &bytes[from..short]).or_else(|| {
            let colon = memchr::memchr(b':', &bytes[from..short])?;
            let port = bytes[from + colon + 1..short].iter().all(u8::is_ascii_digit);
            if port { None } else { memchr::memrchr(b'@', &bytes[from..whole]) }
        });
        let host = match at {
            None => from,
            Some(at) => {
                self.userinfo(edit, from, from + at);
                from + at + 1
            }
        };
        let end = word_end(bytes, host);
        self.plain(edit, host, end, Scope::Value);
        end
    }

    /// `user`, or `user:password`.
    fn userinfo(&mut self, edit: &mut Edit, from: usize, to: usize) {
        let text = edit.text;
        let colon = text[from..to].find(':').map_or(to, |p| from + p);
        if let Some(token) = self.user(&text[from..colon]) {
            edit.put(from, colon, &token);
        }
        if colon < to
            && let Some(token) = self.secret(&text[colon + 1..to])
        {
            edit.put(colon + 1, to, &token);
        }
    }

    /// A word that nothing around it explains.
    fn plain(&mut self, edit: &mut Edit, from: usize, to: usize, scope: Scope) {
        let text = edit.text;
        let word = text[from..to].trim_end_matches(['.', ':', '!']);
        let to = from + word.len();
        if word.len() < 4 || word.bytes().all(|b| b.is_ascii_digit()) {
            return;
        }
        if let Some(at) = word.rfind('@') {
            return self.at_sign(edit, from, from + at, to, scope);
        }
        if credentials::is_credential(word) {
            if let Some(token) = self.secret(word) {
                edit.put(from, to, &token);
            }
            return;
        }
        if word.bytes().filter(|b| *b == b':').count() >= 2 && self.ipv6(edit, from, to) {
            return;
        }
        // `host:port`, `key:value`, `tcp:host`.
        let mut begin = from;
        for part in word.split(':') {
            self.bare(edit, begin, begin + part.len());
            begin += part.len() + 1;
        }
    }

    /// A word without colons: an address, a host.
    fn bare(&mut self, edit: &mut Edit, from: usize, to: usize) {
        let word = edit.text[from..to].trim_end_matches('.');
        let to = from + word.len();
        if let Some((begin, end, address)) = ipv4_in(word) {
            if hosts::is_private(address) {
                let token = self.tokens.ipv4(address).to_string();
                self.hit(Kind::Address);
                edit.put(from + begin, from + end, &token);
            }
            return;
        }
        if credentials::is_credential(word) {
            if let Some(token) = self.secret(word) {
                edit.put(from, to, &token);
            }
        } else if let Some(token) = hosts::token(word, &mut self.tokens) {
            self.hit(Kind::Host);
            edit.put(from, to, &token);
        }
    }

    fn ipv6(&mut self, edit: &mut Edit, from: usize, to: usize) -> bool {
        let word = &edit.text[from..to];
        let bare = word.split('%').next().unwrap_or(word);
        let Ok(address) = bare.parse::<Ipv6Addr>() else { return false };
        let groups = bare.split(':').filter(|g| !g.is_empty()).count();
        // `a::b` is a name of some language.
        let told = groups >= 3 || bare.split(':').next().is_some_and(|g| g.len() >= 3);
        if address.is_loopback() || tokens::is_ipv6(address) || !told {
            return true;
        }
        let token = match address.to_ipv4_mapped() {
            Some(v4) if !hosts::is_private(v4) => return true,
            Some(v4) => format!("::ffff:{}", self.tokens.ipv4(v4)),
            None => self.tokens.ipv6(address).to_string(),
        };
        self.hit(Kind::Address);
        edit.put(from, from + bare.len(), &token);
        true
    }

    /// A mail address, `user:password@host`, or in a log `user@database`.
    fn at_sign(&mut self, edit: &mut Edit, from: usize, at: usize, to: usize, scope: Scope) {
        let (left, right) = (&edit.text[from..at], &edit.text[at + 1..to]);
        let domain = right.split(':').next().unwrap_or(right);
        if domain == tokens::MAIL && tokens::is_token(left) {
            return;
        }
        let begin = from + left.rfind(':').map_or(0, |p| p + 1);
        let mailto = begin > from && left[..begin - from].eq_ignore_ascii_case("mailto:");
        let top = domain.rsplit('.').next().unwrap_or_default();
        let mail =
            domain.contains('.') && top.len() > 1 && top.bytes().all(|b| b.is_ascii_alphabetic());
        match () {
            () if left.contains(':') && !mailto => {
                self.userinfo(edit, from, at);
                self.plain(edit, at + 1, to, scope);
            }
            () if mail && begin < at => {
                let end = at + 1 + domain.len();
                let token = self.tokens.mail(&edit.text[begin..end]);
                self.hit(Kind::Mail);
                edit.put(begin, end, &token);
            }
            () if scope == Scope::Line && is_name(left) && is_name(right) => {
                if let Some(token) = self.user(left) {
                    edit.put(from, at, &token);
                }
            }
            () => {
                self.bare(edit, at + 1, to);
            }
        }
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        && !text.starts_with("sha256")
        && !(text.starts_with('v') && text[1..].starts_with(|c: char| c.is_ascii_digit()))
}

fn is_scheme(word: &str) -> bool {
    ["bearer", "basic", "negotiate", "apikey", "digest", "token"]
        .iter()
        .any(|s| word.eq_ignore_ascii_case(s))
}

/// The IPv4 address in a word, with its place.
fn ipv4_in(word: &str) -> Option<(usize, usize, Ipv4Addr)> {
    let bytes = word.as_bytes();
    if memchr::memchr_iter(b'.', bytes).count() < 3 {
        return None;
    }
    let part = |b: &u8| b.is_ascii_digit() || *b == b'.';
    let mut at = 0;
    while at < bytes.len() {
        let begin = at + bytes[at..].iter().position(|b| b.is_ascii_digit())?;
        let len = bytes[begin..].iter().position(|b| !part(b)).unwrap_or(bytes.len() - begin);
        let free = |b: Option<&u8>| b.is_none_or(|b| !b.is_ascii_alphanumeric() && *b != b'.');
        let before = begin.checked_sub(1).and_then(|b| bytes.get(b));
        if free(before)
            && free(bytes.get(begin + len))
            && let Ok(address) = word[begin..begin + len].parse()
        {
            return Some((begin, begin + len, address));
        }
        at = begin + len;
    }
    None
}

/// Where a value begins, and the quote that ends it, with the backslashes before that.
#[derive(Clone, Copy, Debug)]
struct Value {
    at: usize,
    quote: Option<(u8, usize)>,
}

/// The value of the field whose name is the word at a place; `None` where nothing is assigned.
fn value_of(text: &str, from: usize, to: usize) -> Option<Value> {
    let bytes = text.as_bytes();
    let colon = memchr::memchr(b':', &bytes[from..to]).filter(|p| *p > 0);
    let mut at = match colon {
        Some(p) => from + p + 1,
        None => {
            let mut at = to;
            while matches!(bytes.get(at), Some(b'\\')) {
                at += 1;
            }
            at += usize::from(matches!(bytes.get(at), Some(b'"' | b'\'' | b']')));
            at += spaces(bytes, at);
            if !matches!(bytes.get(at), Some(b'=' | b':')) {
                return None;
            }
            at + 1
        }
    };
    at += usize::from(matches!(bytes.get(at), Some(b'>' | b'=')));
    at += spaces(bytes, at);
    let slashes = bytes[at..].iter().take_while(|b| **b == b'\\').count();
    Some(match bytes.get(at + slashes) {
        Some(q @ (b'"' | b'\'')) => Value { at: at + slashes + 1, quote: Some((*q, slashes)) },
        _ => Value { at, quote: None },
    })
}

/// Blanks at an offset, at most four: more is a table.
fn spaces(bytes: &[u8], at: usize) -> usize {
    bytes.get(at..).map_or(0, |b| b.iter().take(4).take_while(|b| **b == b' ').count())
}

fn value_end(text: &str, value: Value, class: Class) -> usize {
    let bytes = text.as_bytes();
    let rest = &bytes[value.at..];
    let end = match value.quote {
        Some((quote, slashes)) => quote_end(rest, quote, slashes),
        None if class == Class::Header => {
            rest.iter().position(|b| matches!(b, b'\n' | b'\r' | b'"' | b'\''))
        }
        None => rest.iter().position(|b| {
            b.is_ascii_whitespace()
                || matches!(
                    b,
                    b'"' | b'\'' | b',' | b';' | b'&' | b'<' | b'>' | b'|' | b')' | b'}' | b']'
                )
        }),
    };
    value.at + end.unwrap_or(rest.len())
}

/// The offset of the closing quote: with as many backslashes before it as the opening one has.
fn quote_end(rest: &[u8], quote: u8, slashes: usize) -> Option<usize> {
    memchr::memchr_iter(quote, rest).find_map(|p| {
        let before = rest[..p].iter().rev().take_while(|b| **b == b'\\').count();
        let closes = if slashes == 0 { before.is_multiple_of(2) } else { before <= slashes };
        closes.then(|| if slashes == 0 { p } else { p - before.min(slashes) })
    })
}

fn opaque_end(bytes: &[u8], from: usize) -> usize {
    let stops =
        |b: &u8| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b',' | b';' | b'\\' | b')');
    bytes[from..].iter().position(stops).map_or(bytes.len(), |p| from + p)
}
