//! Words that say where something is: URLs, mail addresses, IP addresses, hosts.

use super::edit::{Edit, word_end};
use super::words::Scope;
use super::{ADDRESS, Kind, MAIL, Masking, Redactor, credentials, hosts, keys, tokens};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Bytes behind `//` in which the `@` of a URL may stand.
const AUTHORITY_MAX: usize = 512;

impl Redactor {
    /// User, password and host of a URL whose `//` stands before an offset.
    pub(super) fn authority(&mut self, edit: &mut Edit, from: usize) -> usize {
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
            if port && !is_store(&text[..from]) {
                None
            } else {
                memchr::memrchr(b'@', &bytes[from..whole])
            }
        });
        let host = match at {
            None => from,
            Some(at) => {
                self.userinfo(edit, from, from + at);
                from + at + 1
            }
        };
        let end = word_end(bytes, host);
        self.plain(edit, host, end, Scope::Url);
        end
    }

    /// `user`, or `user:password`.
    pub(super) fn userinfo(&mut self, edit: &mut Edit, from: usize, to: usize) {
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
    pub(super) fn plain(&mut self, edit: &mut Edit, from: usize, to: usize, scope: Scope) {
        let text = edit.text;
        let word = text[from..to].trim_end_matches(['.', ':', '!', '…']);
        let to = from + word.len();
        if word.len() < 4 || word.bytes().all(|b| b.is_ascii_digit()) {
            return;
        }
        // In the query of a URL `@` is written `%40`.
        if let Some((at, sign)) =
            word.rfind('@').map(|at| (at, 1)).or(word.find("%40").map(|at| (at, 3)))
        {
            return self.at_sign(edit, (from, from + at, to), sign, scope);
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
            self.bare(edit, begin, begin + part.len(), scope);
            begin += part.len() + 1;
        }
    }

    /// A word without colons: an address, a host.
    fn bare(&mut self, edit: &mut Edit, from: usize, to: usize, scope: Scope) {
        let word = edit.text[from..to].trim_end_matches('.');
        let to = from + word.len();
        if let Some((begin, end, address)) = ipv4_in(word) {
            if hosts::is_private(address) && self.masking != Masking::Credentials {
                let token = match self.is_mask() {
                    true => ADDRESS.to_owned(),
                    false => self.tokens.ipv4(address).to_string(),
                };
                self.hit(Kind::Address);
                edit.put(from + begin, from + end, &token);
            }
            // `10.0.0.1-10.0.0.9`
            return self.bare(edit, from + end, to, scope);
        }
        if credentials::is_credential(word) {
            if let Some(token) = self.secret(word) {
                edit.put(from, to, &token);
            }
        } else if !self.is_mask()
            && scope != Scope::Statement
            && let Some(token) = hosts::token(word, &mut self.tokens, scope == Scope::Url)
        {
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
        let mapped = address.to_ipv4_mapped();
        let told =
            groups >= 3 || mapped.is_some() || bare.split(':').next().is_some_and(|g| g.len() >= 3);
        if address.is_loopback()
            || tokens::is_ipv6(address)
            || !told
            || self.masking == Masking::Credentials
        {
            return true;
        }
        let token = match mapped {
            Some(v4) if !hosts::is_private(v4) => return true,
            _ if self.is_mask() => ADDRESS.to_owned(),
            Some(v4) => format!("::ffff:{}", self.tokens.ipv4(v4)),
            None => self.tokens.ipv6(address).to_string(),
        };
        self.hit(Kind::Address);
        edit.put(from, from + bare.len(), &token);
        true
    }

    /// A mail address, `user:password@host`, or in a log `user@database`.
    fn at_sign(
        &mut self,
        edit: &mut Edit,
        (from, at, to): (usize, usize, usize),
        sign: usize,
        scope: Scope,
    ) {
        let (left, right) = (&edit.text[from..at], &edit.text[at + sign..to]);
        let domain = right.split(':').next().unwrap_or(right);
        let name = left.rsplit(':').next().unwrap_or(left);
        if domain == tokens::MAIL && tokens::is_token(name) || (left, right) == ("User", "Host") {
            return;
        }
        let begin = from + left.rfind(':').map_or(0, |p| p + 1);
        // `email:max@acme.com` is no user with a password.
        let key = left.rsplit_once(':').map_or("", |(key, _)| key);
        let named = |k: &str| ["mailto", "to", "from", "cc", "id"].contains(&k) || keys::is_mail(k);
        let mailto = begin > from && named(&key.to_ascii_lowercase());
        let top = domain.rsplit('.').next().unwrap_or_default();
        let mail =
            domain.contains('.') && top.len() > 1 && top.bytes().all(|b| b.is_ascii_alphabetic());
        match () {
            () if left.contains(':') && !mailto => {
                self.userinfo(edit, from, at);
                self.plain(edit, at + sign, to, scope);
            }
            () if mail && begin < at && self.masking == Masking::Credentials => {}
            () if mail && begin < at => {
                let end = at + sign + domain.len();
                let written = &edit.text[at..at + sign];
                let token = match self.is_mask() {
                    true => MAIL.to_owned(),
                    false => {
                        let mail = format!("{}@{domain}", &edit.text[begin..at]);
                        self.tokens.mail(&mail).replace('@', written)
                    }
                };
                self.hit(Kind::Mail);
                edit.put(begin, end, &token);
            }
            () if scope == Scope::Line && is_name(left) && is_name(right) => {
                if let Some(token) = self.user(left) {
                    edit.put(from, at, &token);
                }
            }
            () => {
                self.bare(edit, at + sign, to, scope);
            }
        }
    }
}

/// Says whether what stands before the `//` of a URL names a store, whose path holds no `@`.
fn is_store(before: &str) -> bool {
    const SCHEMES: [&str; 11] = [
        "postgres",
        "postgresql",
        "mysql",
        "mariadb",
        "redis",
        "rediss",
        "amqp",
        "amqps",
        "mongodb",
        "sqlserver",
        "clickhouse",
    ];
    let scheme = before
        .strip_suffix("://")
        .unwrap_or(before)
        .rsplit(|c: char| !c.is_ascii_alphabetic())
        .next();
    scheme.is_some_and(|s| SCHEMES.contains(&s))
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        && !text.starts_with("sha256")
        && !(text.starts_with('v') && text[1..].starts_with(|c: char| c.is_ascii_digit()))
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
        if free(before) && free(bytes.get(begin + len)) {
            // `10.1.2.3.5432` is an address with its port.
            let run = &word[begin..begin + len];
            let bare = run.rsplit_once('.').map_or(run, |(address, _)| address);
            if let Some(found) = [run, bare].into_iter().find(|a| a.parse::<Ipv4Addr>().is_ok()) {
                return Some((begin, begin + found.len(), found.parse().ok()?));
            }
        }
        at = begin + len;
    }
    None
}
