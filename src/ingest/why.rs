//! Why a file was taken for what it is. In: what its reader asked the head for and found there.
//! Out: a short text; it names keys, columns and first bytes, never values of the data.

use super::head::Head;
use super::json_scan;
use super::text;
use std::cell::RefCell;

/// Names that are listed; the rest are counted.
const SHOWN: usize = 6;
/// Characters of one name, and of the beginning of a text.
const LONGEST: usize = 40;

/// What one reader asked for and found: keys or columns, and first bytes.
#[derive(Default)]
pub struct Found {
    names: RefCell<Vec<String>>,
    magic: RefCell<Option<String>>,
}

impl Found {
    /// Starts anew, for the next reader.
    pub fn forget(&self) {
        self.names.borrow_mut().clear();
        *self.magic.borrow_mut() = None;
    }

    /// Notes a key or column if it is there; gives back whether it is.
    pub fn name(&self, name: &str, there: bool) -> bool {
        let mut names = self.names.borrow_mut();
        if there && !names.iter().any(|n| n == name) {
            names.push(name.to_owned());
        }
        there
    }

    /// Notes the first bytes if they are there; gives back whether they are.
    pub fn magic(&self, bytes: &[u8], there: bool) -> bool {
        if there {
            *self.magic.borrow_mut() = Some(bytes.escape_ascii().to_string());
        }
        there
    }

    /// What was found; where the reader asked for nothing by name, what the head looks like.
    pub fn said(&self, head: &Head) -> String {
        let names = self.names.borrow();
        let json = head.is_json();
        let magic = self.magic.borrow();
        match &*magic {
            _ if head.name.ends_with(".toml") => format!("the name {}", head.name),
            _ if !names.is_empty() && json => listed("JSON with the key", &names),
            _ if !names.is_empty() && head.header.len() > 1 => {
                let least = if head.header_torn { "at least " } else { "" };
                listed(&format!("a table of {least}{} columns with", head.header.len()), &names)
            }
            _ if json => listed("JSON with the key", &keys(head.bytes)),
            Some(magic) => format!("the first bytes {magic}"),
            _ if head.bytes.contains(&0) => "binary data of this form".to_owned(),
            None => format!("text of this form, it begins with {}", beginning(head.bytes)),
        }
    }
}

/// `what` and the first names; a key has its plural.
fn listed(what: &str, names: &[String]) -> String {
    let plural = if what.ends_with("key") && names.len() != 1 { "s" } else { "" };
    let shown: Vec<String> = names.iter().take(SHOWN).map(|n| cut(n)).collect();
    let more = if names.len() > SHOWN { ", …" } else { "" };
    match shown.is_empty() {
        true => "JSON without keys".to_owned(),
        false => format!("{what}{plural} {}{more}", shown.join(", ")),
    }
}

/// The keys of the first object of a JSON text, in their order; those the head holds.
fn keys(text: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut at = memchr::memchr(b'{', text).map_or(text.len(), |open| open + 1);
    while found.len() <= SHOWN {
        let from = json_scan::skip_space(text, at);
        let Some(end) = json_scan::value_end(text, from) else { break };
        let colon = json_scan::skip_space(text, end);
        let key = text.get(from..end).unwrap_or_default();
        if text.get(colon) != Some(&b':') || key.first() != Some(&b'"') {
            break;
        }
        found.push(String::from_utf8_lossy(key).trim_matches('"').to_owned());
        let value = json_scan::value_end(text, json_scan::skip_space(text, colon + 1));
        let Some(comma) = value.map(|end| json_scan::skip_space(text, end)) else { break };
        if text.get(comma) != Some(&b',') {
            break;
        }
        at = comma + 1;
    }
    found
}

/// The first word of a text, with the word behind a `#`.
fn beginning(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text.get(..200.min(text.len())).unwrap_or_default());
    let mut words = text.split_whitespace();
    let first = words.next().unwrap_or_default();
    match first.chars().all(|c| c == '#') {
        true => cut(&format!("{first} {}", words.next().unwrap_or_default())),
        false => cut(first),
    }
}

fn cut(text: &str) -> String {
    text::beginning(text, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::READERS;

    fn why(name: &str, text: &[u8]) -> (&'static str, String) {
        let (reader, why) = Head::new(name, text).reader(READERS).expect("recognised");
        (reader.name, why)
    }

    #[test]
    fn what_the_reader_asked_for_and_found_is_named() {
        let otlp = br#"{"resourceSpans":[]}"#;
        assert_eq!(why("a", otlp), ("otlp", "JSON with the key resourceSpans".to_owned()));
        let table = b"time,cart_cpu,cart_mem\n2026-11-20T20:10:00Z,1,2\n";
        let said = "a table of 3 columns with time".to_owned();
        assert_eq!(why("a.csv", table), ("table", said));
        assert_eq!(why("incident.toml", b"").1, "the name incident.toml");
        assert_eq!(why("a", b"PAR1\0\0"), ("parquet", "the first bytes PAR1".to_owned()));
        let wide = format!("time{}\n", ",cart_latency".repeat(9_000));
        // The head ends in the middle of a name.
        let said = "a table of at least 5042 columns with time".to_owned();
        assert_eq!(why("a.csv", wide.as_bytes()), ("table", said));
        let text = b"# HELP up Is it up\n# TYPE up gauge\nup 1\n";
        let said = "text of this form, it begins with # HELP".to_owned();
        assert_eq!(why("a", text), ("openmetrics", said));
    }

    #[test]
    fn what_a_reader_that_refused_found_is_forgotten() {
        let head = Head::new("a", br#"{"spans":1,"traceID":2,"other":3}"#);
        assert!(head.has_key("other"));
        let (reader, why) = head.reader(READERS).expect("recognised");
        assert_eq!((reader.name, why.as_str()), ("jaeger", "JSON with the keys traceID, spans"));
    }

    #[test]
    fn the_keys_of_the_first_object_are_those_the_head_holds() {
        assert_eq!(keys(br#"[{"a":{"x":1},"b":[1,2],"c":"d"}]"#), ["a", "b", "c"]);
        assert_eq!(keys(br#"{"a":1,"b":[1,"#), ["a", "b"]);
        assert_eq!(keys(b"{}"), Vec::<String>::new());
        assert_eq!(keys(br#"{"a" 1}"#), Vec::<String>::new());
        let many: Vec<String> = (0..9).map(|i| format!("k{i}")).collect();
        assert_eq!(listed("with", &many), "with k0, k1, k2, k3, k4, k5, …");
        assert_eq!(cut(&"é".repeat(41)), format!("{}…", "é".repeat(40)));
    }
}
