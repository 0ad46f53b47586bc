//! Bundles that can be given away. In: the files of an incident folder, as streams. Out: the same
//! files with tokens in place of SQL literals and comments, mail and IP addresses, hosts with a
//! domain, users, passwords, keys, and what a site's own patterns match.
//!
//! The same value has the same token in all files of a bundle, and tokens keep the form that the
//! diagnosis reads: it is the same before and after but for the names. Names of services, databases
//! and nodes stay. Nothing is read but the streams, and nothing is written but to them.

mod binary;
mod columnar;
mod commands;
mod credentials;
mod delimited;
mod documents;
mod edit;
mod hosts;
mod json;
mod keys;
mod lines;
mod mask;
mod messages;
mod names;
mod places;
mod redis;
mod statement;
mod stream;
mod tokens;
mod words;
mod zipped;

use crate::error::{Error, Result};
use crate::ingest::Limits;
use keys::Class;
pub use mask::mask;
pub use names::Names;
use regex::Regex;
use statement::Tail;
use std::collections::{BTreeMap, HashMap};
pub use stream::Refused;
use tokens::Tokens;
use words::Scope;

/// What a value was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Secret,
    Mail,
    Address,
    Host,
    User,
    Literal,
    Comment,
    Custom,
}

/// How often something of each kind was replaced, in the order of [`Kind::ALL`].
type Hits = [u32; Kind::ALL.len()];

impl Kind {
    /// All kinds, each at its own number.
    const ALL: [Kind; 8] = [
        Kind::Secret,
        Kind::Mail,
        Kind::Address,
        Kind::Host,
        Kind::User,
        Kind::Literal,
        Kind::Comment,
        Kind::Custom,
    ];

    /// The kind in words.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Secret => "key, token or password",
            Kind::Mail => "mail address",
            Kind::Address => "IP address",
            Kind::Host => "host",
            Kind::User => "user",
            Kind::Literal => "literal of a statement",
            Kind::Comment => "comment of a statement",
            Kind::Custom => "custom pattern",
        }
    }
}

/// A value with its kind and its token, for the map.
pub type Mapped = (Kind, String, String);

/// A place in a file where something private stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    pub line: u64,
    pub kind: Kind,
}

/// What is hidden, behind a mark that is the same for all values, where no tokens are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Masking {
    /// Nothing: everything private has its token.
    #[default]
    Off,
    /// Credentials, literals and comments of statements.
    Credentials,
    /// These, and mail and IP addresses.
    Prose,
}

/// What a user may choose.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Key of the tokens: whoever has it can tell which value a token stands for.
    pub key: Vec<u8>,
    /// Regular expressions whose matches are replaced as well.
    pub patterns: Vec<String>,
    /// Keep values with their tokens for [`Redactor::take_map`].
    pub map: bool,
    /// Hide instead of replace.
    pub masking: Masking,
    /// How much is read.
    pub limits: Limits,
}

/// What stands in place of a credential that is only hidden, of a mail address, of an IP address.
const MASKED: &str = "xxxxx";
const MAIL: &str = "[mail]";
const ADDRESS: &str = "[address]";

/// Values that are remembered with what became of them.
const CACHE: usize = 1 << 16;
/// Longest value that is remembered, bytes.
const CACHED_MAX: usize = 256;
/// Findings of one file that are listed; the rest is counted.
const FINDINGS_MAX: usize = 1_000;
/// Largest compiled pattern, bytes.
const PATTERN_MAX: usize = 4 << 20;

/// What became of a value.
#[derive(Clone)]
struct Known {
    new: String,
    hits: Hits,
    /// Kind of its last replacement.
    last: Option<Kind>,
}

/// Replaces what is private, with one key and one map for a bundle.
pub struct Redactor {
    tokens: Tokens,
    patterns: Vec<Regex>,
    masking: Masking,
    limits: Limits,
    depth: usize,
    /// Replacements by kind.
    counts: BTreeMap<Kind, u64>,
    last: Option<Kind>,
    /// Replacements since the current value began.
    recent: Hits,
    cache: HashMap<(Class, String), Option<Known>>,
    findings: Vec<Finding>,
    found: u64,
    /// The end of the text that was last looked at, where a statement goes on behind it.
    tail: Option<Tail>,
}

impl Redactor {
    /// Starts a bundle.
    ///
    /// # Errors
    ///
    /// When a pattern is no regular expression.
    pub fn new(settings: &Settings) -> Result<Redactor> {
        let compile = |p: &String| {
            let built = regex::RegexBuilder::new(p).size_limit(PATTERN_MAX).build();
            built.map_err(|e| Error::usage("", format!("\"{p}\" is no regular expression: {e}")))
        };
        Ok(Redactor {
            tokens: Tokens::new(&settings.key, settings.map),
            patterns: settings.patterns.iter().map(compile).collect::<Result<_>>()?,
            masking: settings.masking,
            limits: settings.limits,
            depth: 0,
            counts: BTreeMap::new(),
            last: None,
            recent: Hits::default(),
            cache: HashMap::new(),
            findings: Vec::new(),
            found: 0,
            tail: None,
        })
    }

    /// Values with their tokens that are new since the last call.
    pub fn take_map(&mut self) -> Vec<Mapped> {
        self.tokens.take_fresh()
    }

    /// How often something of each kind was replaced so far.
    pub fn counts(&self) -> &BTreeMap<Kind, u64> {
        &self.counts
    }

    /// Places since the last call at which something was replaced (the first of them), and how many
    /// there were.
    pub fn take_findings(&mut self) -> (Vec<Finding>, u64) {
        (std::mem::take(&mut self.findings), std::mem::take(&mut self.found))
    }

    /// A name of a file.
    pub fn name(&mut self, name: &str) -> String {
        // A name's ending tells its format and is no top-level domain.
        let (stem, ending) = match name.rsplit_once('/') {
            Some((_, file)) => name.split_at(name.len() - file.len() + stem_of(file)),
            None => name.split_at(stem_of(name)),
        };
        let new = self.text(stem, Scope::Value).map_or_else(|| name.to_owned(), |s| s + ending);
        // A name stands on no line of a file.
        self.last = None;
        new
    }

    fn hit(&mut self, kind: Kind) {
        self.hits(kind, 1);
    }

    fn hits(&mut self, kind: Kind, times: u32) {
        *self.counts.entry(kind).or_default() += u64::from(times);
        self.recent[kind as usize] += times;
        self.last = Some(kind);
    }

    /// Notes the line on which a value was replaced.
    fn note(&mut self, line: u64) {
        let Some(kind) = self.last.take() else { return };
        self.found += 1;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { line, kind });
        }
    }

    /// The value of a field; `None` when it may stay.
    fn value(&mut self, class: Class, text: &str, line: u64) -> Option<String> {
        if class == Class::Other && is_plain(text) && !self.is_custom(text) {
            return None;
        }
        if text.len() > CACHED_MAX {
            let new = self.classed(class, text);
            self.note(line);
            return new;
        }
        let key = (class, text.to_owned());
        if let Some(known) = self.cache.get(&key) {
            let Known { new, hits, last } = known.clone()?;
            let kinds = Kind::ALL.into_iter().zip(hits).filter(|(_, times)| *times > 0);
            kinds.for_each(|(kind, times)| self.hits(kind, times));
            self.last = last;
            self.note(line);
            return Some(new);
        }
        self.recent = Hits::default();
        let new = self.classed(class, text);
        let last = self.last;
        self.note(line);
        if self.cache.len() >= CACHE {
            self.cache.clear();
        }
        let known = new.clone().map(|new| Known { new, hits: self.recent, last });
        self.cache.insert(key, known);
        new
    }

    /// Says whether a site's own patterns match.
    fn is_custom(&self, text: &str) -> bool {
        self.patterns.iter().any(|p| p.is_match(text))
    }

    fn classed(&mut self, class: Class, text: &str) -> Option<String> {
        match class {
            // Where the name is that of a count as well, a number is one.
            Class::Count if text.parse::<f64>().is_ok() => None,
            Class::Secret | Class::Header | Class::Count => self.secret(text),
            Class::Data => self.literal(text),
            Class::Sql => self.statement(text),
            Class::User => self.user(text),
            Class::Other => self.text(text, Scope::Value),
        }
    }

    /// A password, key or token; the scheme before it stays.
    fn secret(&mut self, text: &str) -> Option<String> {
        let first = text.split_once(' ').filter(|(_, rest)| !rest.trim_start().is_empty());
        let scheme = first.filter(|(w, _)| edit::is_scheme(w));
        let scheme = scheme.map_or(0, |(_, rest)| text.len() - rest.trim_start().len());
        let value = &text[scheme..];
        if keys::is_blank(value) || tokens::is_token(value) {
            return None;
        }
        let token = self.token(Kind::Secret, value);
        Some(format!("{}{token}", &text[..scheme]))
    }

    /// The token of a value, or the mark where values are only hidden.
    fn token(&mut self, kind: Kind, value: &str) -> String {
        self.hit(kind);
        match (self.is_mask(), kind) {
            (false, _) => self.tokens.word(kind, value),
            (true, Kind::Literal | Kind::Comment) => "?".to_owned(),
            (true, _) => MASKED.to_owned(),
        }
    }

    /// Says whether values are only hidden.
    fn is_mask(&self) -> bool {
        self.masking != Masking::Off
    }

    fn user(&mut self, text: &str) -> Option<String> {
        if self.is_mask() {
            return None;
        }
        let number = text.parse::<f64>().is_ok();
        if keys::is_blank(text) || keys::is_product(text) || tokens::is_token(text) || number {
            return None;
        }
        if text.contains('@') {
            return self.text(text, Scope::Line);
        }
        self.hit(Kind::User);
        Some(self.tokens.word(Kind::User, text))
    }
}

/// The length of a file's name without its endings.
fn stem_of(file: &str) -> usize {
    const ENDINGS: [&str; 16] = [
        ".gz", ".zst", ".zip", ".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".txt", ".log",
        ".toml", ".parquet", ".arrow", ".prom", ".pb", ".out",
    ];
    let mut stem = file;
    while let Some(shorter) = ENDINGS.iter().find_map(|e| stem.strip_suffix(e)) {
        stem = shorter;
    }
    stem.len()
}

/// Says at a glance that a value is a number, a word or an identifier in hex.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let short = bytes.len() < 12;
    let simple = |b: &u8| b.is_ascii_alphanumeric() || (*b == b'_' && short);
    let hex = |b: &u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    let number = |b: &u8| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E');
    (short && bytes.iter().all(simple))
        || bytes.iter().all(hex)
        || (bytes.iter().all(number) && bytes.iter().filter(|b| **b == b'.').count() < 2)
}

#[cfg(test)]
mod tests;
