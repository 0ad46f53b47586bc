//! What stands in place of a private value. In: the value. Out: a token that only the holder of the
//! key can make again: the same for the same value, of a shape that the diagnosis reads alike.
//!
//! A token tells nothing of its value but its kind: it is cut from HMAC-SHA256 (RFC 2104). Tokens
//! are known by their shape, so that what is redacted twice stays as it is.

use super::Kind;
use crate::model::EntityKind;
use crate::normalize::kind_by_name;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Letters of a token: no vowels, so that no word arises, and no `b`, so that none ends in `db`.
const LETTERS: &[u8; 16] = b"cdfghjklmnpqrstv";
/// Letters behind the mark: 56 bits, so that of a million values two share a token once in 10^5.
const LENGTH: usize = 14;
/// What a token of letters begins with.
const MARK: char = 'x';
/// What a token of digits begins with; 12 digits follow, and no statement is long enough to mind.
const DIGITS: &str = "770";
/// Digits behind that mark.
const DIGITS_LENGTH: usize = 12;
/// The unique local prefix of tokens for IPv6 addresses: `fd72:6f6f:746c::/48`, its name in ASCII.
const PREFIX: [u8; 6] = *b"\xfdrootl";
/// The domain of tokens for mail addresses, reserved by RFC 2606.
pub const MAIL: &str = "mail.invalid";
/// Values that are kept with their tokens; beyond it tokens are made anew, which takes longer.
const KEPT: usize = 1 << 20;

/// Makes tokens with one key.
pub struct Tokens {
    mac: Hmac<Sha256>,
    /// Tokens by value, as long as there is room.
    made: HashMap<String, String>,
    /// IPv4 addresses have few tokens: each is given once, to the value that comes first.
    given: HashMap<u32, Ipv4Addr>,
    given_to: HashMap<Ipv4Addr, u32>,
    /// New values with their tokens since they were last taken.
    fresh: Vec<(Kind, String, String)>,
    remember: bool,
}

impl Tokens {
    /// Starts with a key; `remember` when a map is wanted.
    pub fn new(key: &[u8], remember: bool) -> Tokens {
        let mac = Hmac::new_from_slice(key).expect("HMAC takes a key of any length");
        Tokens {
            mac,
            made: HashMap::new(),
            given: HashMap::new(),
            given_to: HashMap::new(),
            fresh: Vec::new(),
            remember,
        }
    }

    /// New values since the last call, in the order in which they came.
    pub fn take_fresh(&mut self) -> Vec<(Kind, String, String)> {
        std::mem::take(&mut self.fresh)
    }

    fn hash(&self, value: &[u8]) -> [u8; 32] {
        let mut mac = self.mac.clone();
        mac.update(value);
        mac.finalize().into_bytes().into()
    }

    fn remember(
        &mut self,
        kind: Kind,
        value: &str,
        make: impl FnOnce(&mut Self) -> String,
    ) -> String {
        if let Some(known) = self.made.get(value) {
            return known.clone();
        }
        let token = make(self);
        if self.remember {
            self.fresh.push((kind, value.to_owned(), token.clone()));
        }
        if self.made.len() < KEPT || self.remember {
            self.made.insert(value.to_owned(), token.clone());
        }
        token
    }

    /// A token of letters, or of digits for a whole number.
    pub fn word(&mut self, kind: Kind, value: &str) -> String {
        let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
        self.remember(kind, value, |own| {
            let hash = own.hash(value.as_bytes());
            match digits {
                true => number(&hash),
                false => letters(&hash),
            }
        })
    }

    /// A token of digits for a number of any form.
    pub fn digits(&mut self, kind: Kind, value: &str) -> String {
        if value.bytes().all(|b| b.is_ascii_digit()) {
            return self.word(kind, value);
        }
        // Beside the token of letters that the same text has where it is no number.
        self.remember(kind, &format!("{value}\0"), |own| number(&own.hash(value.as_bytes())))
    }

    /// A mail address for a mail address.
    pub fn mail(&mut self, value: &str) -> String {
        self.remember(Kind::Mail, value, |own| {
            // Mailboxes differ by more than their case in theory only.
            let hash = own.hash(value.to_ascii_lowercase().as_bytes());
            format!("{}@{MAIL}", letters(&hash))
        })
    }

    /// An address of class E (RFC 1112, reserved) for an IPv4 address.
    pub fn ipv4(&mut self, address: Ipv4Addr) -> Ipv4Addr {
        if let Some(known) = self.given_to.get(&address) {
            return Ipv4Addr::from_bits(*known);
        }
        let hash = self.hash(&address.octets());
        let mut turn = 0u32;
        let token = loop {
            let mut part = [hash[0], hash[1], hash[2], hash[3]];
            if turn > 0 {
                let again = self.hash(&[&address.octets()[..], &turn.to_be_bytes()].concat());
                part.copy_from_slice(&again[..4]);
            }
            let token = 0xf000_0000 | (u32::from_be_bytes(part) & 0x0fff_ffff);
            // 255.255.255.255 is the broadcast address.
            if token != u32::MAX && !self.given.contains_key(&token) {
                break token;
            }
            turn += 1;
        };
        self.given.insert(token, address);
        self.given_to.insert(address, token);
        let shown = Ipv4Addr::from_bits(token);
        if self.remember {
            self.fresh.push((Kind::Address, address.to_string(), shown.to_string()));
        }
        shown
    }

    /// An address of one unique local prefix (RFC 4193) for an IPv6 address.
    pub fn ipv6(&mut self, address: Ipv6Addr) -> Ipv6Addr {
        let hash = self.hash(&address.octets());
        let mut octets = [0; 16];
        octets[..PREFIX.len()].copy_from_slice(&PREFIX);
        octets[PREFIX.len()..].copy_from_slice(&hash[..16 - PREFIX.len()]);
        let token = Ipv6Addr::from(octets);
        let value = address.to_string();
        if self.remember && !self.made.contains_key(&value) {
            self.made.insert(value.clone(), token.to_string());
            self.fresh.push((Kind::Address, value, token.to_string()));
        }
        token
    }

    /// One label of a host's name; what says the kind of a store stays in it.
    pub fn label(&mut self, label: &str) -> String {
        if let Some(address) = dashed(label) {
            let token = self.ipv4(address).to_string().replace('.', "-");
            return format!("ip-{token}");
        }
        let token = self.word(Kind::Host, &label.to_ascii_lowercase());
        match kind_by_name(label, EntityKind::Service) {
            EntityKind::Database => format!("db-{token}"),
            EntityKind::Cache => format!("cache-{token}"),
            EntityKind::Queue => format!("queue-{token}"),
            _ => token,
        }
    }
}

/// The address in `ip-10-0-3-7`.
fn dashed(label: &str) -> Option<Ipv4Addr> {
    label.strip_prefix("ip-")?.replace('-', ".").parse().ok()
}

fn letters(hash: &[u8; 32]) -> String {
    let mut out = String::with_capacity(LENGTH + 1);
    out.push(MARK);
    for byte in &hash[..LENGTH / 2] {
        out.push(char::from(LETTERS[usize::from(byte >> 4)]));
        out.push(char::from(LETTERS[usize::from(byte & 15)]));
    }
    out
}

fn number(hash: &[u8; 32]) -> String {
    let mut part = [0; 8];
    part.copy_from_slice(&hash[..8]);
    let number = u64::from_be_bytes(part) % 10u64.pow(DIGITS_LENGTH as u32);
    format!("{DIGITS}{number:012}")
}

/// Says whether a text is a token, or made of tokens only.
pub fn is_token(text: &str) -> bool {
    let text = text.strip_suffix(MAIL).and_then(|t| t.strip_suffix('@')).unwrap_or(text);
    is_letters(text) || is_number(text)
}

fn is_letters(text: &str) -> bool {
    let parts = ["db-", "cache-", "queue-"];
    let bare = parts.iter().find_map(|p| text.strip_prefix(p)).unwrap_or(text);
    bare.len() == LENGTH + 1
        && bare.starts_with(MARK)
        && bare.bytes().skip(1).all(|b| LETTERS.contains(&b))
}

fn is_number(text: &str) -> bool {
    text.len() == DIGITS.len() + DIGITS_LENGTH
        && text.starts_with(DIGITS)
        && text.bytes().all(|b| b.is_ascii_digit())
}

/// Says whether an IPv4 address is a token.
pub fn is_ipv4(address: Ipv4Addr) -> bool {
    address.octets()[0] >= 0xf0
}

/// Says whether an IPv6 address is a token.
pub fn is_ipv6(address: Ipv6Addr) -> bool {
    address.octets().starts_with(&PREFIX)
}

/// Says whether a label of a host's name is a token.
pub fn is_label(label: &str) -> bool {
    is_letters(label) || is_number(label) || dashed(label).is_some_and(is_ipv4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_one_token_and_another_key_gives_another() {
        let (mut a, mut b) = (Tokens::new(b"one", false), Tokens::new(b"two", false));
        let token = a.word(Kind::User, "alice");
        assert_eq!(token, a.word(Kind::Secret, "alice"));
        assert!(is_token(&token), "{token}");
        assert_ne!(token, a.word(Kind::User, "bob"));
        assert_ne!(token, b.word(Kind::User, "alice"));
        assert_eq!(Tokens::new(b"one", true).word(Kind::User, "alice"), token);
        assert!(is_token(&a.word(Kind::Literal, "4711")));
        assert!(is_token(&a.mail("a@b.example")) && !is_token("a@mail.invalid"));
    }

    #[test]
    fn an_address_stays_one_and_no_two_share_a_token() {
        let mut tokens = Tokens::new(b"key", false);
        let all: Vec<Ipv4Addr> =
            (0..40_000u32).map(|i| tokens.ipv4(Ipv4Addr::from_bits(0x0a00_0000 + i))).collect();
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert!(all.iter().all(|a| a.octets()[0] >= 0xf0));
        assert_eq!(tokens.ipv4(Ipv4Addr::new(10, 0, 0, 0)), all[0]);
        let six = tokens.ipv6("fd00::1".parse().expect("an address"));
        assert!(six.to_string().starts_with("fd72:6f6f:746c:"), "{six}");
    }

    #[test]
    fn a_label_keeps_the_kind_of_a_store() {
        let mut tokens = Tokens::new(b"key", false);
        for (label, kind) in [
            ("redis-cart", EntityKind::Cache),
            ("ordersdb", EntityKind::Database),
            ("web", EntityKind::Service),
        ] {
            let token = tokens.label(label);
            assert_eq!(kind_by_name(&token, EntityKind::Service), kind, "{label}: {token}");
            assert!(is_label(&token), "{token}");
        }
        assert!(is_label(&tokens.label("ip-10-0-3-7")));
    }
}
