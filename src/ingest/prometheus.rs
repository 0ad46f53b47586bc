//! Prometheus HTTP API answers (`query_range`, `query`), enveloped or bare, and export manifests.
//! In: JSON text. Out: series under their exporter names; NaN and infinities are gaps.

use super::lenient::{self, Scalar};
use super::raw::{Raw, RawSeries};
use super::{Head, Input};
use crate::model::GapKind;
use crate::time;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// Accepts an API answer or the bare array of `promtool query -o json`.
pub fn accepts(head: &Head) -> bool {
    let enveloped = head.has_key("resultType") && head.has_key("data");
    let error = head.has_key("errorType") && head.has_key("status");
    let bare = head.has_key("metric") && (head.has_key("values") || head.has_key("value"));
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

#[derive(serde::Deserialize)]
struct Item {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    #[serde(default)]
    values: Vec<Sample>,
    value: Option<Sample>,
    histograms: Option<IgnoredAny>,
    histogram: Option<IgnoredAny>,
}

/// Reads every document of the file.
pub fn read(input: &Input, raw: &mut Raw) {
    input.documents(raw, |base, document, raw| {
        if let Some(message) = error_answer(document) {
            let what = format!("the server answered with an error: {message}");
            raw.gap(GapKind::Missing, input.file, Some(input.line(base)), what);
        }
        input.elements((base, document), &["result"], "a series", raw, |at, element, raw| {
            item(input, at, element, raw);
        });
    });
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

fn item(input: &Input, at: usize, element: &[u8], raw: &mut Raw) {
    let line = || Some(input.line(at));
    let left_out = |why: &str, count: u64, raw: &mut Raw| {
        raw.skip_like(input.file, why, count, || (line(), why.to_owned()));
    };
    let item: Item = match lenient::from_slice(element) {
        Ok(item) => item,
        Err(e) => return input.skip_unreadable(at, "a series", e, raw),
    };
    if item.histograms.is_some() || item.histogram.is_some() {
        left_out("native histograms are not read yet", 1, raw);
    }
    let mut labels = item.metric;
    let name = labels.remove("__name__").unwrap_or_default();
    let mut series = RawSeries { file: input.file, name, labels, ..RawSeries::default() };
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
    raw.rows(input.file, series.samples.len() as u64);
    if !series.samples.is_empty() {
        raw.series.push(series);
    }
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
