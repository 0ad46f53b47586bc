//! Prometheus exposition text, OpenMetrics, `/federate` and `promtool tsdb dump`, one scrape or
//! many. In: lines `name{labels} value [time]`. Out: series under their exporter's names.
//!
//! Times are seconds or milliseconds, as their size says. Exemplars are links to traces, not
//! samples: they are passed over and counted.

use super::gathered::Gathered;
use super::raw::{Raw, RawSeries};
use super::{Head, Input, selector};
use crate::ingest::text::beginning;
use crate::model::{GapKind, Micros};
use crate::time;

/// Lines of a head that are looked at.
const LOOK: usize = 5;

/// Accepts metadata lines, or a beginning of nothing but samples.
pub fn accepts(head: &Head) -> bool {
    if head.is_json() {
        return false;
    }
    let lines = head.bytes.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    let (mut samples, mut others) = (0, 0);
    for line in lines.filter(|l| !l.is_empty()).take(LOOK) {
        match line {
            _ if is_metadata(line) => return true,
            [b'#', ..] => {}
            _ if date(line, &time::Zone::default()).is_some() => {}
            _ if sample(line).is_some() => samples += 1,
            _ if samples == 0 => return false,
            _ => others += 1,
        }
    }
    samples > others
}

fn is_metadata(line: &[u8]) -> bool {
    [&b"# HELP "[..], b"# TYPE ", b"# UNIT ", b"# EOF"].iter().any(|m| line.starts_with(m))
}

/// A line of nothing but a time, as `date -Is` writes it before each scrape.
fn date(line: &[u8], zone: &time::Zone) -> Option<time::Parsed> {
    let line = line.strip_prefix(b"#").unwrap_or(line);
    time::parse(std::str::from_utf8(line).ok()?, zone)
}

/// The length of a sample's series, its value, and its time.
fn sample(line: &[u8]) -> Option<(usize, &str, Option<f64>)> {
    let (_, end) = selector::read(line)?;
    let (value, time) = value(&line[end..])?;
    Some((end, value, time))
}

/// The value and the time behind a series, without an exemplar.
fn value(rest: &[u8]) -> Option<(&str, Option<f64>)> {
    let rest = std::str::from_utf8(rest).ok()?;
    // `{count:…}` in the place of a number is a native histogram.
    let open = rest.trim_start();
    let (value, behind) = match open.starts_with('{') {
        true => open.split_at(open.find('}')? + 1),
        false => open.split_at(open.find(char::is_whitespace).unwrap_or(open.len())),
    };
    if !open.starts_with('{') {
        value.parse::<f64>().ok()?;
    }
    let behind = behind.split('#').next().unwrap_or_default().trim();
    match behind {
        "" => Some((value, None)),
        time => Some((value, Some(time.parse().ok()?))),
    }
}

/// Scrapes of one file: where each begins, and when it was taken if a line says so.
struct Scrapes {
    /// First family of the file: its metadata begin a new scrape.
    first: Option<Vec<u8>>,
    count: u64,
    at: Option<Micros>,
    /// A line with a time began the scrape, not its metadata.
    dated: bool,
    ended: bool,
}

impl Scrapes {
    /// Takes notice of a line that is no sample; says whether a new scrape begins behind it.
    fn line(&mut self, line: &[u8], dated: Option<Micros>) -> bool {
        if let Some(at) = dated {
            (self.at, self.dated, self.ended) = (Some(at), true, false);
            self.count += 1;
            return true;
        }
        if line.starts_with(b"# EOF") {
            self.ended = true;
            return false;
        }
        let again = match &self.first {
            None if is_metadata(line) => {
                self.first = Some(line.to_vec());
                false
            }
            first => self.ended || first.as_deref() == Some(line),
        };
        if again && is_metadata(line) {
            (self.ended, self.count) = (false, self.count + u64::from(!self.dated));
            // The line that dates this scrape stood right before it.
            self.at = self.at.filter(|_| self.dated);
            self.dated = false;
            return true;
        }
        false
    }
}

/// Reads every sample; of scrapes without any time the last one is kept.
pub fn read(input: &Input, raw: &mut Raw) {
    let mut all = Gathered::of(input);
    let mut scrapes = Scrapes { first: None, count: 1, at: None, dated: false, ended: false };
    // Samples of this scrape that have no time: series, value, place.
    let mut untimed: Vec<(usize, f64, usize)> = Vec::new();
    let (mut at, mut lost) = (0, 0);
    let mut exemplars = 0;
    for line in input.bytes.split_inclusive(|b| *b == b'\n') {
        let start = at;
        at += line.len();
        let text = line.trim_ascii();
        if !line.ends_with(b"\n") && !text.starts_with(b"# EOF") && !text.is_empty() {
            let what = "the file ends inside a line";
            raw.gap(GapKind::Truncated, input.file, Some(input.line(start)), what);
            break;
        }
        let dated = date(text, input.zone);
        if text.is_empty() || text.starts_with(b"#") || dated.is_some() {
            if dated.is_some_and(|d| d.zone_assumed) {
                raw.zone_assumed(input.file);
            }
            let before = scrapes.at;
            if scrapes.line(text, dated.map(|d| d.at)) {
                lost += settle(&mut all, &mut untimed, before);
            }
            continue;
        }
        let Some((end, value, time)) = sample(text) else {
            skip(input, start, "is no sample", text, raw);
            continue;
        };
        exemplars += u64::from(memchr::memmem::find(&text[end..], b"# {").is_some());
        let Ok(value) = value.parse::<f64>() else {
            skip(input, start, "is a native histogram: not read", text, raw);
            continue;
        };
        let make = || {
            let (found, _) = selector::read(text)?;
            Some(RawSeries { name: found.name, labels: found.labels, ..RawSeries::default() })
        };
        let Some(series) = all.series((&text[..end], b""), make) else { continue };
        match time {
            Some(t) => all.add(series, t, value, start),
            None => untimed.push((series, value, start)),
        }
    }
    raw.pass_over(input.file, "exemplars (links to traces)", "# {…}", exemplars);
    if lost > 0 {
        let what = "scrapes without times: only the last one can be dated (put `date -Is` \
                    before each one)";
        raw.skip(input.file, None, what, lost);
    }
    if !untimed.is_empty() {
        let taken = scrapes.at.or_else(|| input.taken_at(raw));
        let left = settle(&mut all, &mut untimed, taken);
        if left > 0 {
            raw.skip(input.file, None, "samples without a time (give --at)", left);
        }
    }
    all.finish(input, raw);
}

/// Dates the samples of a scrape; gives the number of those that cannot be dated.
fn settle(all: &mut Gathered, untimed: &mut Vec<(usize, f64, usize)>, at: Option<Micros>) -> u64 {
    let Some(t) = at else {
        let lost = untimed.len() as u64;
        untimed.clear();
        return lost;
    };
    for (series, value, place) in untimed.drain(..) {
        all.add_at(series, t, value, place);
    }
    0
}

fn skip(input: &Input, at: usize, why: &str, text: &[u8], raw: &mut Raw) {
    let shown = beginning(&String::from_utf8_lossy(&text[..text.len().min(240)]), 60);
    raw.skip_like(input.file, why, 1, || {
        (Some(input.line(at)), format!("\"{}\" {why}", shown.escape_debug()))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::read_text;

    #[test]
    fn samples_are_told_from_other_text() {
        let of = |line: &'static str| sample(line.as_bytes()).map(|(_, v, t)| (v, t));
        assert_eq!(of("up{a=\"b\"} 1 1700226034.330"), Some(("1", Some(1_700_226_034.33))));
        assert_eq!(of("u{} +Inf"), Some(("+Inf", None)));
        assert_eq!(of("a_total 1.0 # {trace_id=\"x\"} 0.67 1.5e9"), Some(("1.0", None)));
        assert_eq!(
            of("h{a=\"b\"} {count:3, sum:2} 1700226034330").map(|v| v.1.is_some()),
            Some(true)
        );
        for no in ["# Server", "redis_version:7", "cpu,host=a v=1 2", "a b c", "total 4 x", "up"] {
            assert_eq!(of(no), None, "{no}");
        }
    }

    #[test]
    fn names_with_dots_are_read_in_either_spelling() {
        let text = "{\"http.server.duration\", le=\"1\"} 3 1795235482472\n\
                    # TYPE x counter\nhttp.server.duration{le=\"1\"} 4 1795235487472\n";
        let raw = read_text("a.txt", text.as_bytes());
        let shown: Vec<_> = raw.series.iter().map(|s| (s.name.as_str(), s.samples.len())).collect();
        assert_eq!(shown, [("http.server.duration", 1), ("http.server.duration", 1)]);
        assert_eq!(raw.files[0].reader, "openmetrics");
    }
}
