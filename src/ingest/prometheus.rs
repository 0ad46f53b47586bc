//! Prometheus HTTP API answers (`query_range`, `query`), enveloped or bare, and export manifests.
//! In: JSON text. Out: series under their exporter names; NaN and infinities are gaps, and so is
//! what the server warns of. Native histograms become classic ones.

use super::json_scan::{self, skip_space};
use super::lenient::{self, Scalar};
use super::native_histogram::{self, Histogram};
use super::raw::{Raw, RawSeries};
use super::scan::Scan;
use super::{Head, Input};
use crate::model::{GapKind, Micros};
use crate::time;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// Accepts an API answer or the bare array of `promtool query -o json`.
pub fn accepts(head: &Head) -> bool {
    let enveloped = head.has_key("resultType") && head.has_key("data");
    let error = head.has_key("errorType") && head.has_key("status");
    let sampled = ["values", "value", "histograms", "histogram"];
    let bare = head.has_key("metric") && sampled.iter().any(|k| head.has_key(k));
    enveloped || error || (bare && !head.has_key("timestamps") && head.starts_with(b"["))
}

/// One sample `[time, "value"]`.
struct Sample(f64, f64);

impl<'de> Deserialize<'de> for Sample {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Sample;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("[time, value]")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Sample, A::Error> {
                let missing = || de::Error::custom("a sample needs a time and a value");
                let t: f64 = seq.next_element()?.ok_or_else(missing)?;
                let v: Scalar = seq.next_element()?.ok_or_else(missing)?;
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Sample(t, v.number().unwrap_or(f64::NAN)))
            }
        }
        d.deserialize_seq(V)
    }
}

#[derive(Default, serde::Deserialize)]
struct Item {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    #[serde(default)]
    values: Vec<Sample>,
    value: Option<Sample>,
    #[serde(default)]
    histograms: Vec<(f64, Histogram)>,
    histogram: Option<(f64, Histogram)>,
}

/// Reads every document of the file.
pub fn read(input: &Input, raw: &mut Raw) {
    input.documents(raw, |base, document, raw| {
        if let Some(message) = error_answer(document) {
            let what = format!("the server answered with an error: {message}");
            raw.gap(GapKind::Missing, input.file, Some(input.line(base)), what);
        }
        warnings(input, base, document, raw);
        if single(input, base, document, raw) {
            return;
        }
        input.elements((base, document), &["result"], "a series", raw, |at, element, raw| {
            item(input, at, element, raw);
        });
    });
}

/// Notes what the server itself says about its answer.
fn warnings(input: &Input, base: usize, document: &[u8], raw: &mut Raw) {
    for (key, kind) in [
        ("\"warnings\"", GapKind::Doubtful),
        ("\"infos\"", GapKind::Doubtful),
        ("\"isPartial\"", GapKind::Missing),
    ] {
        // The values of labels are strings: a list or a bare word is the envelope's.
        for at in memchr::memmem::find_iter(document, key) {
            let colon = skip_space(document, at + key.len());
            let value = skip_space(document, colon + 1);
            let end = json_scan::value_end(document, value).unwrap_or(value);
            if document.get(colon) != Some(&b':') || end <= value {
                continue;
            }
            let line = Some(input.line(base + at));
            let text = &document[value..end];
            if text == b"true" {
                raw.gap(kind, input.file, line, "the server says that its answer is partial");
            }
            for said in serde_json::from_slice::<Vec<String>>(text).unwrap_or_default() {
                raw.gap(kind, input.file, line, format!("the server says: {said}"));
            }
        }
    }
}

/// Reads an answer that is one value instead of series; gives `false` for any other.
fn single(input: &Input, base: usize, document: &[u8], raw: &mut Raw) -> bool {
    #[derive(serde::Deserialize)]
    struct Answer {
        data: Data,
    }
    #[derive(serde::Deserialize)]
    struct Data {
        #[serde(rename = "resultType")]
        kind: String,
        result: (f64, Scalar),
    }
    // Such an answer is short; its numbers make it no list of series.
    let answer = (document.len() < 1 << 16).then(|| serde_json::from_slice::<Answer>(document));
    let Some(Ok(Answer { data })) = answer else { return false };
    let (t, value) = data.result;
    match (data.kind.as_str(), value.number(), time::from_epoch(t, time::epoch_unit(t))) {
        ("scalar", Some(v), Some(t)) => {
            raw.rows(input.file, 1);
            let samples = vec![(t, v)].into();
            raw.series.push(RawSeries { file: input.file, samples, ..RawSeries::default() });
        }
        (kind, ..) => {
            let what = format!("the answer is a {kind} without a number, not a series");
            raw.skip(input.file, Some(input.line(base)), what, 1);
        }
    }
    true
}

fn error_answer(document: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Answer {
        status: Option<String>,
        error: Option<String>,
    }
    if document.len() > 1 << 16 {
        return None;
    }
    let answer: Answer = serde_json::from_slice(document).ok()?;
    (answer.status.as_deref() == Some("error")).then(|| answer.error.unwrap_or_default())
}

/// A series of labels and samples alone, in one pass; `None` for anything else.
fn usual(scan: &mut Scan) -> Option<Item> {
    let mut item = Item::default();
    scan.object(|scan, key| match key {
        b"metric" => scan.object(|scan, label| {
            let label = std::str::from_utf8(label).ok()?.to_owned();
            item.metric.insert(label, scan.string()?.into_owned());
            Some(())
        }),
        b"values" => scan.array(|scan| {
            scan.expect(b'[')?;
            let t = number(scan.word()?)?;
            scan.expect(b',')?;
            let (value, _) = scan.raw_string()?;
            item.values.push(Sample(t, number(value)?));
            scan.expect(b']')
        }),
        _ => None,
    })?;
    Some(item)
}

fn number(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn item(input: &Input, at: usize, element: &[u8], raw: &mut Raw) {
    let line = || Some(input.line(at));
    let left_out = |why: &str, count: u64, raw: &mut Raw| {
        raw.skip_like(input.file, why, count, || (line(), why.to_owned()));
    };
    let item = match usual(&mut Scan::new(element, 0)) {
        Some(item) => item,
        None => match lenient::from_slice(element) {
            Ok(item) => item,
            Err(e) => return input.skip_unreadable(at, "a series", e, raw),
        },
    };
    let mut labels = item.metric;
    let name = labels.remove("__name__").unwrap_or_default();
    let mut series = RawSeries { file: input.file, name, labels, ..RawSeries::default() };
    let histograms = item.histograms.into_iter().chain(item.histogram);
    histogram_series(input, at, &series, histograms.collect(), raw);
    let (mut bad_times, mut not_finite) = (0, 0);
    let samples: Vec<Sample> = item.values.into_iter().chain(item.value).collect();
    // One unit for a whole series: a single absurd time must not be read in another one.
    let mut times: Vec<f64> = samples.iter().map(|s| s.0).collect();
    times.sort_by(f64::total_cmp);
    let unit = time::epoch_unit(times.get(times.len() / 2).copied().unwrap_or_default());
    for Sample(t, v) in samples {
        match time::from_epoch(t, unit) {
            None => bad_times += 1,
            Some(_) if !v.is_finite() => not_finite += 1,
            Some(t) => series.samples.push((t, v)),
        }
    }
    if bad_times > 0 {
        left_out("time outside the years 1971 to 2199", bad_times, raw);
    }
    if not_finite > 0 {
        left_out("value is NaN or infinite: left as a gap", not_finite, raw);
    }
    if raw.series.len() as u64 >= input.series {
        raw.leave_out(input.file, input.series, 1);
        return;
    }
    raw.rows(input.file, series.samples.len() as u64);
    if !series.samples.is_empty() {
        raw.series.push(series);
    }
}

/// Adds the classic series of a native histogram; without a name it is called after its file.
fn histogram_series(
    input: &Input,
    at: usize,
    of: &RawSeries,
    histograms: Vec<(f64, Histogram)>,
    raw: &mut Raw,
) {
    if histograms.is_empty() {
        return;
    }
    let stem = input.name().split('.').next().unwrap_or_default();
    let name = if of.name.is_empty() { stem } else { &of.name };
    let of = RawSeries { name: name.to_owned(), ..of.clone() };
    let count = histograms.len();
    let dated = histograms.into_iter();
    let dated = dated.filter_map(|(t, h)| Some((time::from_epoch(t, time::epoch_unit(t))?, h)));
    let dated: Vec<(Micros, Histogram)> = dated.collect();
    if dated.len() < count {
        let why = "time outside the years 1971 to 2199";
        raw.skip_like(input.file, why, (count - dated.len()) as u64, || {
            (Some(input.line(at)), why.to_owned())
        });
    }
    let unreadable = native_histogram::unreadable(&dated);
    if unreadable > 0 {
        let why = "bucket of a native histogram is not readable: those above it count too little";
        raw.skip_like(input.file, "native bucket", unreadable, || {
            (Some(input.line(at)), why.to_owned())
        });
    }
    for series in native_histogram::classic(&of, &dated) {
        raw.rows(input.file, series.samples.len() as u64);
        raw.series.push(series);
    }
}

/// Accepts label sets without samples: `/api/v1/series`, or dumped with `--format=seriesjson`.
pub fn accepts_names(head: &Head) -> bool {
    let open = skip_space(head.bytes, 0);
    let answer = head.has_key("status") && head.has_key("data");
    let array = json_scan::find_array(head.bytes, &["data"]).filter(|_| answer);
    let first = array.map_or(open, |at| skip_space(head.bytes, at + 1));
    let Some(end) = json_scan::value_end(head.bytes, first) else { return false };
    let labels = serde_json::from_slice::<BTreeMap<String, String>>(&head.bytes[first..end]);
    head.is_json() && labels.is_ok_and(|l| l.contains_key("__name__"))
}

/// Says how many series are only named.
pub fn read_names(input: &Input, raw: &mut Raw) {
    let mut names = 0;
    input.documents(raw, |base, document, raw| {
        let each = |_, _: &[u8], _: &mut Raw| names += 1;
        if !input.elements((base, document), &["data"], "a label set", raw, each) {
            names += 1;
        }
    });
    names_only(input, names, raw);
}

/// Notes that an export names series and holds no samples.
pub fn names_only(input: &Input, names: u64, raw: &mut Raw) {
    let what = format!(
        "the names of {names} series without samples: export their samples with query_range or \
         promtool tsdb dump"
    );
    raw.gap(GapKind::Missing, input.file, None, what);
}

/// Accepts a manifest that names the query of each exported file.
pub fn accepts_manifest(head: &Head) -> bool {
    head.has_key("queries") && head.has_key("query") && head.has_key("file")
}

/// Reads `{"queries": [{"file", "query"}]}`.
pub fn read_manifest(input: &Input, raw: &mut Raw) {
    #[derive(serde::Deserialize)]
    struct Query {
        file: String,
        query: String,
    }
    input.elements((0, input.bytes), &["queries"], "the manifest", raw, |at, element, raw| {
        match lenient::from_slice::<Query>(element) {
            Ok(q) => {
                raw.queries.insert(q.file, q.query);
                raw.rows(input.file, 1);
            }
            Err(e) => input.skip_unreadable(at, "manifest entry", e, raw),
        }
    });
}
