//! A series as Prometheus writes it: `name{label="value", …}`, `{__name__="name", …}` or
//! `{"quoted name", …}`. In: text that starts with one. Out: name, labels, and where they end.

use super::json_scan::skip_space;
use std::collections::BTreeMap;

/// A series' name (empty without one) and its labels.
#[derive(Debug, Default, PartialEq)]
pub struct Selector {
    pub name: String,
    pub labels: BTreeMap<String, String>,
}

/// Says whether a byte may stand in a name that is not quoted.
fn is_name(b: &u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b':' | b'.') || *b >= 0x80
}

/// Reads the series at the start of `text`; gives the offset behind it as well.
///
/// `None` where there is none, or where it is cut off.
pub fn read(text: &[u8]) -> Option<(Selector, usize)> {
    let (name, mut at) = word(text, 0);
    let mut found = Selector { name, labels: BTreeMap::new() };
    let brace = skip_space(text, at);
    if text.get(brace) != Some(&b'{') {
        return (!found.name.is_empty()).then_some((found, at));
    }
    at = skip_space(text, brace + 1);
    while *text.get(at)? != b'}' {
        let quoted = text[at] == b'"';
        let (label, end) = if quoted { string(text, at)? } else { word(text, at) };
        at = skip_space(text, end);
        match *text.get(at)? {
            b'=' => {
                let (value, end) = string(text, skip_space(text, at + 1))?;
                at = end;
                match label.as_str() {
                    "__name__" => found.name = value,
                    _ => drop(found.labels.insert(label, value)),
                }
            }
            // A quoted item without a value is the name.
            b',' | b'}' if quoted => found.name = label,
            _ => return None,
        }
        at = skip_space(text, at);
        match *text.get(at)? {
            b',' => at = skip_space(text, at + 1),
            b'}' => {}
            _ => return None,
        }
    }
    Some((found, at + 1))
}

fn word(text: &[u8], at: usize) -> (String, usize) {
    let rest = text.get(at..).unwrap_or_default();
    let end = at + rest.iter().position(|b| !is_name(b)).unwrap_or(rest.len());
    (String::from_utf8_lossy(&text[at.min(end)..end]).into_owned(), end)
}

/// Reads a quoted string with the escapes `\\`, `\"` and `\n`.
fn string(text: &[u8], open: usize) -> Option<(String, usize)> {
    if *text.get(open)? != b'"' {
        return None;
    }
    let (mut out, mut at) = (Vec::new(), open + 1);
    loop {
        match *text.get(at)? {
            b'"' => return Some((String::from_utf8_lossy(&out).into_owned(), at + 1)),
            b'\\' => {
                at += 1;
                match *text.get(at)? {
                    b'n' => out.push(b'\n'),
                    b @ (b'\\' | b'"') => out.push(b),
                    b => out.extend([b'\\', b]),
                }
            }
            b => out.push(b),
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_series_is_read() {
        let plain = br#"up{job="a",le="+Inf"} 1"#;
        let inside = br#"{__name__="up", job="a", le="+Inf"} 1"#;
        let quoted = br#"{"up", job="a", "le"="+Inf",} 1"#;
        let (first, end) = read(plain).expect("a series");
        assert_eq!((first.name.as_str(), first.labels.len(), end), ("up", 2, 21));
        for text in [inside.as_slice(), quoted] {
            assert_eq!(read(text).map(|(s, _)| s).as_ref(), Some(&first));
        }
        let (escaped, _) = read(br#"a{p="C:\\d \"x\"\n"}"#).expect("a series");
        assert_eq!(escaped.labels["p"], "C:\\d \"x\"\n");
        assert_eq!(read(b"up 1").map(|(s, end)| (s.name, end)), Some(("up".to_owned(), 2)));
        assert_eq!(read(b"{} 1").map(|(s, end)| (s.name, end)), Some((String::new(), 2)));
    }

    #[test]
    fn what_is_cut_or_no_series_is_none() {
        for bad in ["", "up{", "up{a", "up{a=", "up{a=\"", "up{a=\"b", "up{a=\"b\\", "{a}", "= 1"] {
            assert_eq!(read(bad.as_bytes()), None, "{bad}");
        }
    }
}
