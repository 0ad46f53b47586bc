//! HAR 1.2, what a browser records of its requests. In: JSON. Out: one client span a request, and
//! how long each phase of its connection took. Cookies, headers, bodies and queries are not kept.

use super::lenient::{self, Scalar};
use super::raw::{Raw, RawSeries, SpanKind};
use super::spans::{self, or_default};
use super::{Head, Input};
use crate::model::{GapKind, Micros, SECOND};
use crate::time;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Name of the service that sends the requests.
const BROWSER: &str = "browser";
/// A request that took longer hung: browsers' users have left by then.
const HUNG: Micros = 30 * SECOND;
/// The longest duration that is believed, in milliseconds: a day.
const LONGEST_MS: f64 = 86_400_000.0;

/// Accepts a log with entries that have requests.
pub fn accepts(head: &Head) -> bool {
    let version = head.has_key("log") && head.has_key("creator");
    version && (head.has_key("entries") || head.has_key("pageTimings"))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default, deserialize_with = "or_default")]
    pageref: String,
    #[serde(default, deserialize_with = "or_default")]
    started_date_time: String,
    #[serde(default)]
    time: Scalar,
    #[serde(default, deserialize_with = "or_default")]
    request: Request,
    #[serde(default, deserialize_with = "or_default")]
    response: Response,
    #[serde(rename = "_resourceType", default, deserialize_with = "or_default")]
    resource_type: String,
    #[serde(default, deserialize_with = "or_default")]
    timings: BTreeMap<String, Scalar>,
}

#[derive(Default, Deserialize)]
struct Request {
    #[serde(default, deserialize_with = "or_default")]
    method: String,
    #[serde(default, deserialize_with = "or_default")]
    url: String,
}

#[derive(Default, Deserialize)]
struct Response {
    #[serde(default)]
    status: Scalar,
    #[serde(rename = "_error", default)]
    error: Scalar,
}

/// Phases in the order in which they follow each other; `ssl` is a part of `connect`.
const PHASES: [&str; 7] = ["blocked", "dns", "connect", "ssl", "send", "wait", "receive"];

/// Series of phases by host and phase, and the requests that hung.
#[derive(Default)]
struct Recording {
    phases: BTreeMap<(String, &'static str), Vec<(Micros, f64)>>,
    entries: u64,
    hung: u64,
    first_hung: Option<(u64, String)>,
}

/// Reads every entry of every log.
pub fn read(input: &Input, raw: &mut Raw) {
    let mut found = Recording::default();
    input.documents(raw, |base, document, raw| {
        let keys = ["entries"];
        let entries = input.elements((base, document), &keys, "a request", raw, |at, e, raw| {
            match lenient::from_slice::<Entry>(e) {
                Ok(entry) => one(input, at, &entry, &mut found, raw),
                Err(e) => input.skip_unreadable(at, "a request", e, raw),
            }
        });
        if !entries {
            let what = "a HAR log without entries";
            raw.gap(GapKind::Missing, input.file, Some(input.line(base)), what);
        }
    });
    if let Some((line, first)) = found.first_hung.take() {
        let what = format!(
            "{} of {} requests hung: no answer at all, or later than after {} s (first: {first})",
            found.hung,
            found.entries,
            HUNG / SECOND
        );
        raw.gap(GapKind::Inferred, input.file, Some(line), what);
    }
    for ((host, phase), samples) in found.phases {
        let labels = [("service.name", BROWSER), ("server.address", &host), ("phase", phase)];
        let labels = labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        raw.series.push(RawSeries {
            file: input.file,
            name: "http.client.phase.duration".to_owned(),
            unit: Some("s".to_owned()),
            labels,
            samples: apart(samples).into(),
            ..RawSeries::default()
        });
    }
}

/// Samples by time; those of the same microsecond follow each other by one, so that all are kept.
fn apart(mut samples: Vec<(Micros, f64)>) -> Vec<(Micros, f64)> {
    samples.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut last = Micros::MIN;
    for sample in &mut samples {
        sample.0 = sample.0.max(last.saturating_add(1));
        last = sample.0;
    }
    samples
}

/// Host and path of an address that is asked over HTTP; `None` for any other.
fn place(url: &str) -> Option<(&str, &str)> {
    let (scheme, place) = url.split_once("://")?;
    let (host, path) = place.split_once('/').unwrap_or((place, ""));
    let host = host.rsplit('@').next().unwrap_or_default();
    matches!(scheme, "http" | "https").then_some((host, path))
}

impl Entry {
    /// Milliseconds of the whole request, where the browser knew them.
    fn total(&self) -> Option<f64> {
        duration(&self.time)
    }

    fn phase(&self, name: &str) -> Option<f64> {
        self.timings.get(name).and_then(duration)
    }

    fn length(&self) -> Micros {
        let parts = PHASES.iter().filter(|p| **p != "ssl");
        let sum = || parts.filter_map(|p| self.phase(p)).sum();
        (self.total().unwrap_or_else(sum) * 1e3) as Micros
    }

    /// The status of the answer; 0 without one.
    fn status(&self) -> i64 {
        self.response.status.whole().unwrap_or(0).max(0)
    }

    fn is_hung(&self) -> bool {
        let silent = self.status() == 0 && self.phase("wait").is_none();
        self.length() > HUNG || self.total().is_none() || silent
    }

    /// Open as long as the page wants, so that its time says nothing.
    fn is_stream(&self) -> bool {
        self.status() == 101 || self.resource_type == "eventsource"
    }
}

/// Milliseconds; -1 stands for what did not take place.
fn duration(value: &Scalar) -> Option<f64> {
    value.number().filter(|ms| (0.0..LONGEST_MS).contains(ms))
}

fn one(input: &Input, at: usize, entry: &Entry, found: &mut Recording, raw: &mut Raw) {
    let url = entry.request.url.split(['?', '#']).next().unwrap_or_default();
    let Some((host, path)) = place(url).filter(|_| !entry.is_stream()) else {
        let why = "not a request and its answer: data:, blob:, an extension, a socket, a stream";
        raw.skip(input.file, None, why, 1);
        return;
    };
    let Some(start) = time::parse(&entry.started_date_time, input.zone) else {
        let first = || (Some(input.line(at)), "request without a readable start".to_owned());
        raw.skip_like(input.file, "request start", 1, first);
        return;
    };
    if start.zone_assumed {
        raw.zone_assumed(input.file);
    }
    found.entries += 1;
    let operation = format!("{} /{path}", entry.request.method);
    if entry.is_hung() {
        found.hung += 1;
        found.first_hung.get_or_insert_with(|| (input.line(at), format!("{operation} of {host}")));
    }
    let service = |name: &str| (name == "service.name").then_some(BROWSER);
    let mut span = spans::identity(&service, &mut raw.symbols);
    span.file = input.file;
    span.trace = trace(input.path, &entry.pageref);
    span.span = found.entries;
    span.kind = SpanKind::Client;
    span.operation = raw.symbols.intern(&operation);
    (span.start, span.end) = (start.at, start.at + entry.length());
    let (status, error) = (entry.status(), entry.response.error.text());
    let code = if status > 0 { status.to_string() } else { String::new() };
    let error = if error.is_empty() && status == 0 { "no response" } else { &error };
    let all = [("url.full", url), ("http.response.status_code", &code), ("error.type", error)];
    spans::attributes(&all, &mut span, &mut raw.symbols);
    raw.spans.push(span);
    raw.rows(input.file, 1);
    for phase in PHASES {
        if let Some(ms) = entry.phase(phase) {
            let series = found.phases.entry((host.to_owned(), phase)).or_default();
            series.push((start.at, ms / 1e3));
        }
    }
}

/// The trace of a page: the same for all requests of one page in one file.
fn trace(path: &str, page: &str) -> u128 {
    let digest = Sha256::new().chain_update(path).chain_update([0]).chain_update(page).finalize();
    digest.iter().take(16).fold(0, |v, b| v << 8 | u128::from(*b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_the_same_moment_are_all_kept() {
        let samples = vec![(5, 2.0), (5, 1.0), (6, 3.0), (9, 4.0)];
        assert_eq!(apart(samples), [(5, 1.0), (6, 2.0), (7, 3.0), (9, 4.0)]);
    }
}
