//! RDS Performance Insights: `get-resource-metrics` and `describe-dimension-keys`. In: JSON with
//! times as numbers or text. Out: series such as `db.load.avg` with their dimensions as labels.

use super::{Growing, moment, skip_time};
use crate::ingest::lenient::{self, Scalar};
use crate::ingest::raw::Raw;
use crate::ingest::spans::or_default;
use crate::ingest::{Head, Input, json_scan, sql};
use crate::model::{GapKind, Micros};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Accepts answers that say how their times were aligned.
pub fn accepts(head: &Head) -> bool {
    let list = head.has_key("MetricList") || head.has_key("Keys");
    head.has_key("AlignedStartTime") && list
        || head.has_key("MetricList") && head.has_key("DataPoints")
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Key {
    #[serde(deserialize_with = "or_default")]
    metric: String,
    #[serde(deserialize_with = "or_default")]
    dimensions: BTreeMap<String, Scalar>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    #[serde(default, deserialize_with = "or_default")]
    key: Key,
    #[serde(default, deserialize_with = "or_default")]
    data_points: Vec<Point>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Point {
    #[serde(default)]
    timestamp: Scalar,
    value: Option<Scalar>,
}

/// One key of describe-dimension-keys: its share of the load over the whole stretch of time.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Total {
    #[serde(default, deserialize_with = "or_default")]
    dimensions: BTreeMap<String, Scalar>,
    #[serde(default)]
    total: Scalar,
}

/// Reads every answer.
pub fn read(input: &Input, raw: &mut Raw) {
    let mut series = Growing::default();
    let mut totals = 0;
    input.documents(raw, |base, document, raw| {
        let database = text_of(document, "Identifier");
        let keys = ["MetricList"];
        let found = input.elements((base, document), &keys, "a metric", raw, |at, e, raw| {
            match lenient::from_slice::<Metric>(e) {
                Ok(one) if !one.key.metric.is_empty() => {
                    metric(input, at, (&one, &database), &mut series, raw);
                }
                // Older answers hold their keys under the same name.
                Ok(_) => {
                    totals += dimension_keys(input, document, (at, e), &mut series, raw);
                }
                Err(e) => input.skip_unreadable(at, "a metric", e, raw),
            }
        });
        if !found {
            totals += dimension_keys(input, document, (base, document), &mut series, raw);
        }
    });
    if totals > 0 {
        let what = "describe-dimension-keys: one total for the whole time and taken to be of \
                    db.load.avg; get-resource-metrics gives its course";
        raw.gap(GapKind::Inferred, input.file, None, what);
    }
    series.finish(input, raw);
}

/// The text of a key of a document; empty if there is none.
fn text_of(document: &[u8], key: &str) -> String {
    let at = json_scan::find_value(document, 0, &[key], b'"');
    let value = at.and_then(|at| Some(&document[at..json_scan::value_end(document, at)?]));
    value.and_then(|v| serde_json::from_slice(v).ok()).unwrap_or_default()
}

fn metric(
    input: &Input,
    at: usize,
    (metric, database): (&Metric, &str),
    series: &mut Growing,
    raw: &mut Raw,
) {
    let labels = labels(&metric.key.dimensions, database);
    let name = (metric.key.metric.as_str(), unit(&metric.key.metric));
    let mut missing = 0;
    for point in &metric.data_points {
        let value = point.value.as_ref().and_then(Scalar::number);
        match (moment(input, &point.timestamp, raw), value) {
            (Some(t), Some(v)) => series.add(name, &labels, (t, v)),
            (Some(_), None) => missing += 1,
            (None, _) => skip_time(input, at, &point.timestamp, raw),
        }
    }
    if missing > 0 {
        let first =
            || (Some(input.line(at)), "data point without a value: left as a gap".to_owned());
        raw.skip_like(input.file, "no value", missing, first);
    }
}

/// Unit of a metric where it is documented; average active sessions are a count.
fn unit(metric: &str) -> Option<&'static str> {
    match metric {
        m if m.starts_with("db.load") => Some("count"),
        m if m.starts_with("os.cpuUtilization") => Some("percent"),
        m if m.starts_with("os.memory") || m.starts_with("os.swap.") => Some("KiB"),
        _ => None,
    }
}

/// Dimensions as labels: statements without literals, blockers and blocked apart.
fn labels(dimensions: &BTreeMap<String, Scalar>, database: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for (name, value) in dimensions {
        let text = value.text();
        let value = match name.ends_with(".statement") {
            true => sql::normalize(&text).text,
            false => text,
        };
        if !value.is_empty() {
            labels.insert(name.clone(), value);
        }
    }
    if !database.is_empty() {
        labels.insert("DBInstanceIdentifier".to_owned(), database.to_owned());
    }
    labels
}

/// Reads keys with their totals: one sample each, at the beginning of the stretch of time. Gives
/// their number.
fn dimension_keys(
    input: &Input,
    whole: &[u8],
    inner: (usize, &[u8]),
    series: &mut Growing,
    raw: &mut Raw,
) -> usize {
    let start = time_of(input, whole, "AlignedStartTime", raw);
    let database = text_of(whole, "Identifier");
    let mut count = 0;
    input.elements(inner, &["Keys"], "a key", raw, |at, element, raw| {
        let key: Total = match lenient::from_slice(element) {
            Ok(key) => key,
            Err(e) => return input.skip_unreadable(at, "a key", e, raw),
        };
        match (start, key.total.number()) {
            (Some(t), Some(v)) => {
                count += 1;
                let labels = labels(&key.dimensions, &database);
                series.add(("db.load.avg", Some("count")), &labels, (t, v));
            }
            _ => raw.skip(input.file, None, "key without a time or a total", 1),
        }
    });
    count
}

/// A time of a document, as a number or as text.
fn time_of(input: &Input, document: &[u8], key: &str, raw: &mut Raw) -> Option<Micros> {
    let quoted = format!("\"{key}\"");
    let at = memchr::memmem::find(document, quoted.as_bytes())? + quoted.len();
    let colon = json_scan::skip_space(document, at);
    let from = json_scan::skip_space(document, colon + 1);
    let value = document.get(from..json_scan::value_end(document, from)?)?;
    let value: Scalar = serde_json::from_slice(value).ok()?;
    moment(input, &value, raw)
}

#[cfg(test)]
mod tests {
    use crate::ingest::read_text;

    #[test]
    fn keys_may_stand_inside_a_list_of_metrics() {
        let text = "{\"AlignedStartTime\":1.5270264E9,\"Identifier\":\"db-a\",\
             \"MetricList\":[{\"Keys\":[{\"Dimensions\":{\"db.sql.statement\":\
             \"SELECT 1 FROM t WHERE a = 'x'\"},\"Total\":1.5E0}]}]}";
        let raw = read_text("a.json", text.as_bytes());
        assert_eq!(raw.series[0].labels["db.sql.statement"], "SELECT ? FROM t WHERE a = ?");
        assert_eq!(raw.series[0].samples, [(1_527_026_400_000_000, 1.5)]);
    }
}
