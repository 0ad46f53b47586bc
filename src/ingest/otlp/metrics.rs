//! The shape of OTLP metrics in JSON, of any dialect; protobuf fills the same structures.
//! In: JSON documents. Out: metrics, handed on to [`points`].

use super::super::lenient::{self, Scalar};
use super::super::raw::Raw;
use super::super::spans::or_default;
use super::super::{Head, Input};
use super::points;
use super::series::Growing;
use crate::model::Micros;
use crate::time;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

/// Keys under which resource metrics stand.
pub const KEYS: [&str; 2] = ["resourceMetrics", "resource_metrics"];

/// Accepts any document with resource metrics.
pub fn accepts(head: &Head) -> bool {
    KEYS.iter().any(|k| head.has_key(k))
}

#[derive(Deserialize)]
struct ResourceMetrics {
    #[serde(default, deserialize_with = "or_default")]
    resource: Resource,
    #[serde(
        default,
        deserialize_with = "or_default",
        alias = "scope_metrics",
        alias = "instrumentationLibraryMetrics",
        alias = "instrumentation_library_metrics",
        rename = "scopeMetrics"
    )]
    scopes: Vec<ScopeMetrics>,
}

#[derive(Default, Deserialize)]
struct Resource {
    #[serde(default, deserialize_with = "or_default")]
    attributes: Vec<Attribute>,
}

#[derive(Deserialize)]
struct ScopeMetrics {
    #[serde(default, deserialize_with = "or_default")]
    metrics: Vec<Metric>,
}

/// A key and its value as text; lists and maps are empty.
#[derive(Deserialize)]
pub struct Attribute {
    #[serde(default, deserialize_with = "or_default")]
    pub key: String,
    #[serde(default, deserialize_with = "any_value")]
    pub value: String,
}

/// One metric; of its kinds one is there.
#[derive(Default, Deserialize)]
pub struct Metric {
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub unit: String,
    pub gauge: Option<Data>,
    pub sum: Option<Data>,
    pub histogram: Option<Data>,
    #[serde(alias = "exponential_histogram", rename = "exponentialHistogram")]
    pub exponential_histogram: Option<Data>,
    pub summary: Option<Data>,
}

/// The data points of one metric.
#[derive(Default, Deserialize)]
pub struct Data {
    #[serde(
        default,
        deserialize_with = "or_default",
        alias = "data_points",
        rename = "dataPoints"
    )]
    pub points: Vec<Point>,
    #[serde(
        default,
        deserialize_with = "is_delta",
        alias = "aggregation_temporality",
        rename = "aggregationTemporality"
    )]
    pub delta: bool,
    #[serde(
        default,
        deserialize_with = "or_default",
        alias = "is_monotonic",
        rename = "isMonotonic"
    )]
    pub monotonic: bool,
}

/// One data point of any kind; fields of other kinds are empty.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Point {
    #[serde(deserialize_with = "or_default")]
    pub attributes: Vec<Attribute>,
    #[serde(deserialize_with = "nanos", alias = "start_time_unix_nano")]
    pub start_time_unix_nano: Option<Micros>,
    #[serde(deserialize_with = "nanos", alias = "time_unix_nano")]
    pub time_unix_nano: Option<Micros>,
    #[serde(deserialize_with = "number", alias = "as_int")]
    pub as_int: Option<f64>,
    #[serde(deserialize_with = "number", alias = "as_double")]
    pub as_double: Option<f64>,
    #[serde(deserialize_with = "number")]
    pub flags: Option<f64>,
    #[serde(deserialize_with = "number")]
    pub count: Option<f64>,
    #[serde(deserialize_with = "number")]
    pub sum: Option<f64>,
    #[serde(deserialize_with = "numbers", alias = "bucket_counts")]
    pub bucket_counts: Vec<f64>,
    #[serde(deserialize_with = "numbers", alias = "explicit_bounds")]
    pub explicit_bounds: Vec<f64>,
    #[serde(deserialize_with = "number")]
    pub scale: Option<f64>,
    #[serde(deserialize_with = "number", alias = "zero_count")]
    pub zero_count: Option<f64>,
    #[serde(deserialize_with = "or_default")]
    pub positive: Buckets,
    #[serde(deserialize_with = "or_default")]
    pub negative: Buckets,
    #[serde(deserialize_with = "or_default", alias = "quantile_values")]
    pub quantile_values: Vec<Quantile>,
    /// How many there are: links to traces, of which nothing is made.
    #[serde(deserialize_with = "length")]
    pub exemplars: u64,
}

/// Buckets of an exponential histogram.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Buckets {
    #[serde(deserialize_with = "number")]
    pub offset: Option<f64>,
    #[serde(deserialize_with = "numbers", alias = "bucket_counts")]
    pub bucket_counts: Vec<f64>,
}

/// A quantile of a summary; 0 where the field is left out.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Quantile {
    #[serde(deserialize_with = "number")]
    pub quantile: Option<f64>,
    #[serde(deserialize_with = "number")]
    pub value: Option<f64>,
}

fn number<'de, D: Deserializer<'de>>(d: D) -> Result<Option<f64>, D::Error> {
    Scalar::deserialize(d).map(|v| v.number())
}

fn length<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
    let all = Option::<Vec<IgnoredAny>>::deserialize(d)?;
    Ok(all.map_or(0, |all| all.len() as u64))
}

fn numbers<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<f64>, D::Error> {
    let all = Option::<Vec<Scalar>>::deserialize(d)?.unwrap_or_default();
    Ok(all.iter().map(|v| v.number().unwrap_or(f64::NAN)).collect())
}

fn nanos<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Micros>, D::Error> {
    let value = Scalar::deserialize(d)?;
    let whole = value.whole().map(|n| n / 1000);
    let micros = whole.or_else(|| value.number().map(|n| (n / 1e3) as i64));
    Ok(micros.and_then(time::believable))
}

fn is_delta<'de, D: Deserializer<'de>>(d: D) -> Result<bool, D::Error> {
    let value = Scalar::deserialize(d)?;
    Ok(value.number() == Some(1.0) || value.text().ends_with("_DELTA"))
}

/// Reads `{"stringValue": …}` and its sisters as text.
fn any_value<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    #[derive(Default, Deserialize)]
    struct Any {
        #[serde(
            default,
            rename = "stringValue",
            alias = "string_value",
            alias = "boolValue",
            alias = "bool_value",
            alias = "intValue",
            alias = "int_value",
            alias = "doubleValue",
            alias = "double_value"
        )]
        value: Scalar,
    }
    Ok(Option::<Any>::deserialize(d)?.unwrap_or_default().value.text())
}

/// Reads the resource metrics of one document.
pub fn read(input: &Input, (base, document): (usize, &[u8]), series: &mut Growing, raw: &mut Raw) {
    input.elements((base, document), &KEYS, "resource metrics", raw, |at, element, raw| {
        match lenient::from_slice::<ResourceMetrics>(element) {
            Ok(group) => {
                let labels = points::resource_labels(&group.resource.attributes, raw);
                for metric in group.scopes.iter().flat_map(|s| &s.metrics) {
                    points::one(input, metric, &labels, series, raw);
                }
            }
            Err(e) => input.skip_unreadable(at, "resource metrics", e, raw),
        }
    });
}
