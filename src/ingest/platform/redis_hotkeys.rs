//! `redis-cli --hotkeys`. In: progress lines and a summary. Out: one counter per key; of a key only
//! its prefix before `:` and a digest are kept, for keys may hold names of users.

use super::redis_info::instance;
use super::states::States;
use crate::encoding::hex;
use crate::ingest::raw::Raw;
use crate::ingest::{Head, Input};
use crate::model::GapKind;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Accepts the tool's first words or its summary.
pub fn accepts(head: &Head) -> bool {
    let text = String::from_utf8_lossy(head.bytes);
    let known = |l: &str| {
        l.contains("scanning the entire keyspace to find hot keys")
            || l.starts_with("hot key found with counter:")
    };
    text.lines()
        .take(40)
        .any(|l| known(&l.trim_start_matches("# ").replace("Scanning", "scanning")))
}

/// Prefix and digest of a key: `session:#1f0a9c22`.
fn shown(key: &str) -> String {
    let plain = |p: &&str| {
        p.len() <= 32 && p.bytes().all(|b| b.is_ascii_alphabetic() || b"_-.".contains(&b))
    };
    let prefix = key.split_once(':').map(|(p, _)| p).filter(plain);
    let digest = hex(Sha256::digest(key.as_bytes()).into_iter().take(4));
    prefix.map_or_else(|| format!("#{digest}"), |p| format!("{p}:#{digest}"))
}

/// `[12.00%] Hot key '"k"' found so far with counter 9`
fn progress(line: &str) -> Option<(&str, &str)> {
    let (_, rest) = line.split_once("Hot key '\"")?;
    rest.rsplit_once("\"' found so far with counter ")
}

/// `hot key found with counter: 9⇥keyname: "k"`
fn summary(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix("hot key found with counter:")?;
    let (counter, key) = rest.split_once("keyname:")?;
    Some((key.trim().trim_matches('"'), counter))
}

/// Reads the summary, or the progress of a scan that was cut off.
pub fn read(input: &Input, raw: &mut Raw) {
    let text = String::from_utf8_lossy(input.bytes);
    let (mut found, mut last) = (BTreeMap::new(), BTreeMap::new());
    for (line, number) in text.lines().map(str::trim).zip(input.first_line..) {
        let (into, parsed) = match (summary(line), progress(line)) {
            (Some(s), _) => (&mut last, s),
            (None, Some(p)) => (&mut found, p),
            (None, None) => {
                if line.to_lowercase().contains("error") || line.contains("ERR ") {
                    let what = format!("the tool answered with an error: {line}");
                    raw.gap(GapKind::Missing, input.file, Some(number), what);
                }
                continue;
            }
        };
        match parsed.1.trim().parse::<u32>() {
            Ok(counter) => {
                into.insert(shown(parsed.0), f64::from(counter));
            }
            Err(_) => raw.skip(input.file, Some(number), "hot key without a counter", 1),
        }
    }
    if last.is_empty() && !found.is_empty() {
        let what = "no summary: the scan was cut off, keys found so far are read";
        raw.gap(GapKind::Truncated, input.file, None, what);
        last = found;
    }
    if last.is_empty() {
        return;
    }
    let what = "counters of hot keys are logarithmic (LFU): no rates, and no sums of them";
    raw.gap(GapKind::Doubtful, input.file, None, what);
    let (name, mut states) = (instance(input.name()), States::default());
    states.begin(None, input.first_line);
    for (key, counter) in &last {
        states.put("redis_hotkey_lfu_counter", &[("instance", &name), ("key", key)], *counter);
    }
    states.finish(input, raw);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_key_only_a_plain_prefix_is_kept() {
        assert!(shown("session:alice@example.com").starts_with("session:#"));
        for key in ["alice@example.com:cart", "49170123456:cart", "no prefix"] {
            let shown = shown(key);
            assert!(shown.starts_with('#') && shown.len() == 9, "{shown}");
        }
        assert_ne!(shown("a:1"), shown("a:2"));
    }
}
