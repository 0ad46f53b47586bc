//! Text of `promtool query`: vectors `series => value @[time]`, matrices `series =>` with a
//! `value @[time]` on each line behind it, scalars, and bare label sets of `query series`.

use super::gathered::Gathered;
use super::raw::{Raw, RawSeries};
use super::{Head, Input, prometheus, selector};
use crate::ingest::text::beginning;

/// Accepts a first line that is a series with an arrow, a scalar, or a label set by itself.
pub fn accepts(head: &Head) -> bool {
    let lines = head.bytes.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    let Some(line) = lines.into_iter().find(|l| !l.is_empty()) else { return false };
    // One word by itself is no label set.
    let ends = |end: usize| is_behind_series(&line[end..]) && (end < line.len() || is_set(line));
    let arrow = || selector::read(line).is_some_and(|(_, end)| ends(end));
    !head.is_json() && (value(line, b"scalar:").is_some() || arrow())
}

fn is_set(line: &[u8]) -> bool {
    line.ends_with(b"}")
}

/// Says whether an arrow follows a series, or nothing at all follows a label set.
fn is_behind_series(rest: &[u8]) -> bool {
    match rest.strip_prefix(b" =>").map(<[u8]>::trim_ascii) {
        Some(value) => value.is_empty() || memchr::memmem::find(value, b"@[").is_some(),
        None => rest.is_empty(),
    }
}

/// The value and the time (seconds) in `value @[time]` behind a prefix.
fn value(line: &[u8], prefix: &[u8]) -> Option<(f64, f64)> {
    let rest = std::str::from_utf8(line.strip_prefix(prefix)?).ok()?;
    let (value, time) = rest.trim().strip_suffix(']')?.split_once(" @[")?;
    Some((value.trim().parse().ok()?, time.parse().ok()?))
}

/// Reads every sample; a matrix' samples belong to the series above them.
pub fn read(input: &Input, raw: &mut Raw) {
    let mut all = Gathered::of(input);
    let (mut at, mut names) = (0, 0);
    let mut current = None;
    for line in input.bytes.split_inclusive(|b| *b == b'\n') {
        let start = at;
        at += line.len();
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        if let Some((v, t)) = value(text, b"") {
            match current {
                Some(series) => all.add(series, t, v, start),
                None => skip(input, start, text, raw),
            }
            continue;
        }
        let (selector, end) = match text.starts_with(b"scalar:") {
            true => (selector::Selector::default(), b"scalar:".len()),
            false => selector::read(text).unwrap_or_default(),
        };
        let rest = text[end..].trim_ascii();
        if end == 0 || (!rest.starts_with(b"=>") && !text.starts_with(b"scalar:")) {
            // A series by itself has no samples; an export of nothing else only names them.
            match end > 0 && rest.is_empty() {
                true => names += 1,
                false => skip(input, start, text, raw),
            }
            continue;
        }
        let (name, labels) = (selector.name, selector.labels);
        let make = || Some(RawSeries { name, labels, ..RawSeries::default() });
        current = all.series((&text[..end], b""), make);
        let behind = rest.strip_prefix(b"=>").unwrap_or(rest);
        match (value(behind, b""), current) {
            (Some((v, t)), Some(series)) => all.add(series, t, v, start),
            _ if behind.is_empty() => {}
            _ => skip(input, start, text, raw),
        }
    }
    if names > 0 {
        prometheus::names_only(input, names, raw);
    }
    all.finish(input, raw);
}

fn skip(input: &Input, at: usize, text: &[u8], raw: &mut Raw) {
    let shown = beginning(&String::from_utf8_lossy(&text[..text.len().min(240)]), 60);
    raw.skip_like(input.file, "sample", 1, || {
        (Some(input.line(at)), format!("\"{}\" is no sample", shown.escape_debug()))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stands_before_its_time() {
        assert_eq!(value(b"+Inf @[1795204951.581]", b""), Some((f64::INFINITY, 1_795_204_951.581)));
        assert_eq!(value(b"scalar: 2 @[1795235523]", b"scalar:"), Some((2.0, 1_795_235_523.0)));
        for no in ["{count:1, sum:2} @[17]", "1", "1 @[17", "@[17]"] {
            assert_eq!(value(no.as_bytes(), b""), None, "{no}");
        }
    }
}
