//! InfluxDB line protocol: `measurement,tag=value field=1,other=2i time`. In: text. Out: one series
//! a field, `measurement.field`; the field `value` has the measurement's own name.
//!
//! Times are nanoseconds or another unit, as their size says. Text fields are counted as left out.

use super::gathered::Gathered;
use super::raw::{Raw, RawSeries};
use super::{Head, Input};
use crate::model::GapKind;
use std::collections::BTreeMap;

/// One line, cut into its parts; times are as they stand.
struct Line<'a> {
    /// Measurement and tags.
    head: &'a [u8],
    fields: Vec<(&'a [u8], &'a [u8])>,
    time: Option<f64>,
}

/// Accepts a beginning whose first line that is no comment is a line of the protocol.
pub fn accepts(head: &Head) -> bool {
    if head.is_json() || head.bytes.contains(&0) {
        return false;
    }
    let exported = head.starts_with(b"# DDL") || head.starts_with(b"# DML");
    let mut at = 0;
    while let Some((text, next)) = next_line(head.bytes, at) {
        at = next;
        match text {
            [] | [b'#', ..] => {}
            // Nobody quotes a measurement; tables quote their first column.
            [b'"', ..] => return false,
            _ => return exported || line(text).is_some_and(|l| is_typed(&l)),
        }
    }
    false
}

/// Says whether every field has a value of the protocol: `a b=c` is many things.
fn is_typed(line: &Line) -> bool {
    line.fields.iter().all(|(_, v)| !matches!(value(v), Value::None))
}

/// The line at `at` without its end, and the offset of the next one; quoted text may hold lines.
fn next_line(text: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let rest = text.get(at..).filter(|r| !r.is_empty())?;
    let newline = |rest: &[u8]| rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
    let end = match rest.first() {
        Some(b'#') => newline(rest),
        // An open quote at the end of the file swallows no more than its own line.
        _ => end_of(rest, b'\n', true).unwrap_or_else(|| newline(rest)),
    };
    Some((rest[..end].trim_ascii(), at + end + 1))
}

/// The offset of the first `stop` that is not escaped, and not quoted where quotes count; the end
/// of the text without one. `None` where a quote stays open.
fn end_of(text: &[u8], stop: u8, quotes: bool) -> Option<usize> {
    let (mut at, mut quoted) = (0, false);
    while let Some(b) = text.get(at) {
        match b {
            b'\\' => at += 1,
            // A value's quote stands behind `=`; in names it is a letter.
            b'"' if quotes && (quoted || (at > 0 && text[at - 1] == b'=')) => quoted = !quoted,
            b if *b == stop && !quoted => return Some(at),
            _ => {}
        }
        at += 1;
    }
    (!quoted).then_some(text.len())
}

/// Cuts at each `by`; escapes stay.
fn parts(text: &[u8], by: u8) -> Option<Vec<&[u8]>> {
    let (mut found, mut rest) = (Vec::new(), text);
    loop {
        let end = end_of(rest, by, true)?;
        found.push(&rest[..end]);
        match rest.get(end + 1..) {
            Some(more) => rest = more,
            None => return Some(found),
        }
    }
}

fn pair(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = end_of(text, b'=', false)?;
    Some((&text[..at], text.get(at + 1..)?)).filter(|(k, _)| !k.is_empty())
}

fn line(text: &[u8]) -> Option<Line<'_>> {
    let end = end_of(text, b' ', false)?;
    let (head, rest) = (&text[..end], text.get(end + 1..)?.trim_ascii_start());
    let end = end_of(rest, b' ', true)?;
    let fields = parts(&rest[..end], b',')?.into_iter().map(pair).collect::<Option<Vec<_>>>()?;
    let time = std::str::from_utf8(rest.get(end..)?).ok()?.trim();
    let time = if time.is_empty() { None } else { Some(time.parse::<i64>().ok()? as f64) };
    Some(Line { head, fields, time }).filter(|_| !head.is_empty())
}

enum Value {
    Number(f64),
    Text,
    None,
}

fn value(text: &[u8]) -> Value {
    match text {
        [b'"', .., b'"'] => Value::Text,
        b"t" | b"T" | b"true" | b"True" | b"TRUE" => Value::Number(1.0),
        b"f" | b"F" | b"false" | b"False" | b"FALSE" => Value::Number(0.0),
        _ => {
            let number = text.strip_suffix(b"i").or_else(|| text.strip_suffix(b"u"));
            let number = std::str::from_utf8(number.unwrap_or(text)).ok();
            number.and_then(|t| t.parse().ok()).map_or(Value::None, Value::Number)
        }
    }
}

/// The text without the backslashes before what they keep.
fn plain(text: &[u8]) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(b) = text.get(at) {
        let kept = text.get(at + 1).filter(|n| *b == b'\\' && matches!(n, b',' | b'=' | b' '));
        out.push(*kept.unwrap_or(b));
        at += if kept.is_some() { 2 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The series of one field.
fn series(head: &[u8], field: &[u8]) -> Option<RawSeries> {
    let mut items = parts(head, b',')?.into_iter();
    let measurement = plain(items.next()?);
    let tags: BTreeMap<String, String> =
        items.filter_map(pair).map(|(k, v)| (plain(k), plain(v))).collect();
    let name = match plain(field).as_str() {
        "value" => measurement,
        // Telegraf's newer layout of what it scraped has Prometheus' names as fields.
        own if measurement == "prometheus" => own.to_owned(),
        own => format!("{measurement}.{own}"),
    };
    Some(RawSeries { name, labels: tags, ..RawSeries::default() })
}

/// Reads every line; samples without a time are those of the file's own.
pub fn read(input: &Input, raw: &mut Raw) {
    let mut all = Gathered::of(input);
    let (mut at, mut taken, mut defined) = (0, None, false);
    while let Some((text, next)) = next_line(input.bytes, at) {
        let start = at;
        at = next;
        if text.is_empty() || text.starts_with(b"#") {
            // What `influx_inspect export` puts before the data creates the database.
            defined = text.starts_with(b"# DDL") || (defined && !text.starts_with(b"# DML"));
            continue;
        }
        if defined {
            continue;
        }
        let last = next > input.bytes.len();
        let Some(line) = line(text) else {
            match last {
                true => truncated(input, start, raw),
                false => input.skip_unreadable(start, "a line", "it is no line protocol", raw),
            }
            continue;
        };
        for (field, text) in &line.fields {
            let number = match value(text) {
                Value::Number(v) => v,
                Value::Text => {
                    let why = "a text field is no sample";
                    raw.skip_like(input.file, why, 1, || (Some(input.line(start)), why.to_owned()));
                    continue;
                }
                Value::None => {
                    input.skip_unreadable(start, "a field", "its value has no type", raw);
                    continue;
                }
            };
            let Some(s) = all.series((line.head, field), || series(line.head, field)) else {
                continue;
            };
            match line.time {
                Some(t) => all.add(s, t, number, start),
                None => {
                    taken = taken.or_else(|| input.taken_at(raw));
                    match taken {
                        Some(t) => all.add_at(s, t, number, start),
                        None => raw.skip(input.file, None, "a line has no time (give --at)", 1),
                    }
                }
            }
        }
    }
    all.finish(input, raw);
}

fn truncated(input: &Input, at: usize, raw: &mut Raw) {
    let what = "the file ends inside a line";
    raw.gap(GapKind::Truncated, input.file, Some(input.line(at)), what);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_types_are_those_of_the_protocol() {
        let text =
            br#"weather\ station,city=New\ York,k\=v=a\,b t=1e2,n=3i,s="a, b=\"c\" ",up=T 17"#;
        let line = line(text).expect("a line");
        assert_eq!(line.time, Some(17.0));
        let keys: Vec<String> = line.fields.iter().map(|(k, _)| plain(k)).collect();
        assert_eq!(keys, ["t", "n", "s", "up"]);
        let found = series(line.head, b"t").expect("a series");
        assert_eq!(found.name, "weather station.t");
        let labels: Vec<_> = found.labels.iter().map(|(k, v)| format!("{k}:{v}")).collect();
        assert_eq!(labels, ["city:New York", "k=v:a,b"]);
        assert_eq!(series(b"up,job=a", b"value").map(|s| s.name).as_deref(), Some("up"));
        assert_eq!(series(b"prometheus", b"up").map(|s| s.name).as_deref(), Some("up"));
    }

    #[test]
    fn other_text_is_no_line_of_the_protocol() {
        for no in ["time,value", "up 1", "a b c=1", "cpu,host=a", "cpu v=", "cpu v=1 x", " v=1"] {
            let typed = line(no.as_bytes()).is_some_and(|l| is_typed(&l));
            assert!(!typed, "{no}");
        }
    }
}
