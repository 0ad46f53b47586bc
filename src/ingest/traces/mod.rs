//! Traces that are neither OTLP nor Jaeger. In: Zipkin, Datadog, ClickHouse, tables of spans.
//! Out: spans, by way of one [`Row`] that says what a span is in any of them.

pub mod clickhouse;
pub mod datadog;
pub mod literal;
pub mod roles;
pub mod rows;
pub mod tabular;
pub mod tempo;
pub mod zipkin;

use super::cell::is_missing;
use super::raw::{Raw, SpanKind};
use super::spans;
use super::{Input, json_scan};
use crate::model::{GapKind, Micros};
use crate::time::{self, Zone};

/// Where a row stands; its line is only counted when a gap needs it.
#[derive(Clone, Copy, Debug, Default)]
pub enum Place {
    #[default]
    Unknown,
    Line(u64),
    /// Offset in the input's bytes.
    Offset(usize),
}

impl Place {
    /// Line of the file, from 1.
    pub fn line(self, input: &Input) -> Option<u64> {
        match self {
            Place::Unknown => None,
            Place::Line(line) => Some(line),
            Place::Offset(at) => Some(input.line(at)),
        }
    }
}

/// Longest span that is believed, in microseconds: about 30 years.
const LONGEST: i64 = 1_000_000_000_000_000;

/// What one span says, before its attributes are understood.
#[derive(Default)]
pub struct Row<'a> {
    pub place: Place,
    pub trace: Option<u128>,
    pub span: Option<u64>,
    pub parent: Option<u64>,
    pub service: &'a str,
    pub name: &'a str,
    pub kind: SpanKind,
    pub start: Option<Micros>,
    /// Microseconds.
    pub duration: Option<i64>,
    /// The format's own flag; attributes may say it too.
    pub error: bool,
    pub resource: Vec<(&'a str, &'a str)>,
    pub attributes: Vec<(&'a str, &'a str)>,
}

impl<'a> Row<'a> {
    /// Adds the span; gives `false`, and counts it, where it has no identity or no time.
    pub fn push(&self, input: &Input, raw: &mut Raw) -> bool {
        let mut skip = |why: &str| {
            raw.skip_like(input.file, why, 1, || (self.place.line(input), why.to_owned()));
        };
        let (Some(trace), Some(span)) = (self.trace, self.span) else {
            skip("span without a trace or span id");
            return false;
        };
        let Some(start) = self.start else {
            skip("span without a readable start time");
            return false;
        };
        match self.duration {
            None => skip("span without a duration: taken as zero long"),
            Some(d) if d < 0 => skip("span ends before it starts: taken as zero long"),
            Some(_) => {}
        }
        let mut out = spans::identity(&|name| self.identity(name), &mut raw.symbols);
        out.file = input.file;
        (out.trace, out.span, out.parent) = (trace, span, self.parent.unwrap_or(0));
        out.operation = raw.symbols.intern(self.name);
        (out.kind, out.error) = (self.kind, self.error);
        (out.start, out.end) = (start, start + self.duration.unwrap_or(0).clamp(0, LONGEST));
        spans::attributes(&self.attributes, &mut out, &mut raw.symbols);
        raw.spans.push(out);
        raw.rows(input.file, 1);
        true
    }

    fn identity(&self, name: &str) -> Option<&'a str> {
        let own = (name == "service.name").then_some(self.service);
        let tag = || self.resource.iter().find(|(k, _)| *k == name).map(|(_, v)| *v);
        own.filter(|v| !v.is_empty()).or_else(tag).filter(|v| !v.is_empty())
    }
}

/// Deepest list of lists of spans that is gone into.
const LISTS: usize = 3;

/// Hands over the objects of the array at `open`, and of arrays inside it, with their offsets in
/// the file; a cut keeps what stands before it.
pub fn objects<'a>(
    input: &Input,
    (base, text): (usize, &'a [u8]),
    open: usize,
    raw: &mut Raw,
    each: &mut dyn FnMut(usize, &'a [u8], &mut Raw),
) {
    lists(input, (base, text), (open, 1), raw, each);
}

fn lists<'a>(
    input: &Input,
    (base, text): (usize, &'a [u8]),
    (open, depth): (usize, usize),
    raw: &mut Raw,
    each: &mut dyn FnMut(usize, &'a [u8], &mut Raw),
) {
    let is_list = |at: usize| text.get(at) == Some(&b'[') && depth < LISTS;
    let mut elements = json_scan::Elements::new(text, open);
    for (at, element) in elements.by_ref() {
        match is_list(at) {
            true => lists(input, (base + at, element), (0, depth + 1), raw, each),
            false => each(base + at, element, raw),
        }
    }
    match elements.broken {
        Some(at) if is_list(at) => {
            lists(input, (base + at, &text[at..]), (0, depth + 1), raw, each)
        }
        Some(at) => ends_inside(input, base + at, "a span", raw),
        None => {}
    }
}

/// Says that the file ends too early.
pub fn ends_inside(input: &Input, at: usize, what: &str, raw: &mut Raw) {
    let what = format!("the file ends inside {what}, at byte {at}");
    raw.gap(GapKind::Truncated, input.file, Some(input.line(at)), what);
}

/// A span kind by its name in any spelling, or by its number in OTLP.
pub fn kind_of(text: &str) -> SpanKind {
    let word = text.trim().rsplit(['_', '.']).next().unwrap_or_default();
    let is = |names: [&str; 2]| names.iter().any(|n| word.eq_ignore_ascii_case(n));
    match () {
        () if is(["server", "2"]) => SpanKind::Server,
        () if is(["client", "3"]) => SpanKind::Client,
        () if is(["producer", "4"]) => SpanKind::Producer,
        () if is(["consumer", "5"]) => SpanKind::Consumer,
        () => SpanKind::Internal,
    }
}

/// Says whether a status column names a failure: OTLP's code 2 or its names, or an HTTP 5xx.
pub fn failed(status: &str) -> bool {
    let word = status.trim().rsplit('_').next().unwrap_or_default();
    let code = word.parse::<u16>().unwrap_or(0);
    word.eq_ignore_ascii_case("error") || code == 2 || (500..600).contains(&code)
}

/// Says whether a column that flags errors is set.
pub fn flagged(cell: &str) -> bool {
    let cell = cell.trim();
    let off = ["false", "0", "no", "ok"].iter().any(|w| cell.eq_ignore_ascii_case(w));
    !off && !is_missing(cell)
}

/// A point in time: whole numbers without a detour over floats, else as any cell.
pub fn moment(text: &str, zone: &Zone) -> Option<time::Parsed> {
    let text = text.trim();
    let known = |at| Some(time::Parsed { at, zone_assumed: false });
    if let Ok(whole) = text.parse::<i64>() {
        return epoch(whole).and_then(known);
    }
    match text.parse::<f64>() {
        Ok(v) => time::from_epoch(v, time::epoch_unit(v)).and_then(known),
        Err(_) => time::parse(text, zone),
    }
}

/// A whole number of seconds, milli-, micro- or nanoseconds since the epoch, by its magnitude.
pub fn epoch(whole: i64) -> Option<Micros> {
    let micros = match time::epoch_unit(whole as f64) {
        time::EpochUnit::Seconds => whole.checked_mul(1_000_000)?,
        time::EpochUnit::Millis => whole.checked_mul(1_000)?,
        time::EpochUnit::Micros => whole,
        time::EpochUnit::Nanos => whole / 1_000,
    };
    time::believable(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_states_are_known_in_every_spelling() {
        for server in ["SERVER", "Server", "SPAN_KIND_SERVER", "server", "2"] {
            assert_eq!(kind_of(server), SpanKind::Server, "{server}");
        }
        assert_eq!(kind_of(""), SpanKind::Internal);
        for bad in ["Error", "STATUS_CODE_ERROR", "2", "503"] {
            assert!(failed(bad), "{bad}");
        }
        for good in ["Unset", "STATUS_CODE_OK", "0", "1", "200", "404", ""] {
            assert!(!failed(good), "{good}");
        }
        assert!(flagged("true") && flagged("1") && flagged("connection reset"));
        assert!(!flagged("false") && !flagged("0") && !flagged("") && !flagged("null"));
    }

    #[test]
    fn whole_times_keep_every_microsecond() {
        let at = |text| moment(text, &Zone::default()).map(|p| p.at);
        let want = Some(1_795_205_400_123_457);
        assert_eq!(at("1795205400123457999"), want);
        assert_eq!(at("1795205400123457"), want);
        assert_eq!(at("2026-11-20 20:10:00.123457999"), want);
        assert_eq!(at("9223372036854775807"), None);
        assert_eq!(at("7"), None);
    }
}
