//! Datadog's answers to metric queries: v1 `series[].pointlist` and v2 `times` with `values`.
//! In: JSON. Out: series with their tags as labels, scaled to the base unit of their family.

use super::gathered::Gathered;
use super::lenient::{self, Scalar};
use super::raw::{Raw, RawSeries};
use super::{Head, Input};
use crate::model::GapKind;
use std::collections::BTreeMap;

/// Accepts an answer of either version, an error as well.
pub fn accepts(head: &Head) -> bool {
    let first = head.has_key("series") && (head.has_key("pointlist") || head.has_key("res_type"));
    let second = head.has_key("attributes") && head.has_key("times") && head.has_key("values");
    first || second
}

/// Half of a unit: what is counted, or per what.
#[derive(serde::Deserialize)]
struct Unit {
    #[serde(default)]
    family: Scalar,
    #[serde(default)]
    scale_factor: Scalar,
}

#[derive(serde::Deserialize)]
struct Series {
    #[serde(default)]
    metric: Scalar,
    #[serde(default)]
    scope: Scalar,
    tag_set: Option<Vec<String>>,
    group_tags: Option<Vec<String>>,
    unit: Option<Vec<Option<Unit>>>,
    pointlist: Option<Vec<(Scalar, Scalar)>>,
}

#[derive(serde::Deserialize)]
struct Attributes {
    #[serde(default)]
    series: Vec<Series>,
    #[serde(default)]
    times: Vec<Scalar>,
    #[serde(default)]
    values: Vec<Vec<Scalar>>,
}

#[derive(serde::Deserialize)]
struct Data {
    attributes: Attributes,
}

#[derive(serde::Deserialize)]
struct Answer {
    #[serde(default)]
    series: Vec<Series>,
    data: Option<Data>,
    #[serde(default)]
    error: Scalar,
}

/// The unit's name and what to multiply by to reach it.
fn unit(of: &Series) -> (Option<String>, f64) {
    let half = |i: usize| of.unit.as_ref().and_then(|u| u.get(i)?.as_ref());
    let scale = |u: &Unit| u.scale_factor.number().filter(|f| *f > 0.0).unwrap_or(1.0);
    let Some(counted) = half(0) else { return (None, 1.0) };
    let per = half(1);
    let base = match (counted.family.text().as_str(), per) {
        ("time", None) => Some("s"),
        ("bytes", None) => Some("bytes"),
        ("percentage", None) => Some("percent"),
        ("cpu", None) => Some("cores"),
        ("bytes", Some(_)) => Some("by/s"),
        (_, Some(_)) => Some("1/s"),
        _ => None,
    };
    (base.map(str::to_owned), scale(counted) / per.map_or(1.0, scale))
}

/// Tags as labels: of the list, else of the scope; `*` is no tag.
fn labels(of: &Series) -> BTreeMap<String, String> {
    let scope = of.scope.text();
    let listed = of.group_tags.iter().chain(&of.tag_set).flatten().map(String::as_str);
    let tags = listed.chain(scope.split(',')).filter_map(|t| t.trim().split_once(':'));
    tags.map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

/// Reads every series of every answer.
pub fn read(input: &Input, raw: &mut Raw) {
    let mut all = Gathered::of(input);
    input.documents(raw, |at, document, raw| {
        let answer = match lenient::from_slice::<Answer>(document) {
            Ok(answer) => answer,
            Err(e) if e.is_eof() || e.to_string().contains("EOF") => {
                let what = format!("the file ends inside the answer: {e}");
                return raw.gap(GapKind::Truncated, input.file, Some(input.line(at)), what);
            }
            Err(e) => return input.skip_unreadable(at, "an answer", e, raw),
        };
        let error = answer.error.text();
        if !error.is_empty() {
            let what = format!("the server answered with an error: {error}");
            raw.gap(GapKind::Missing, input.file, Some(input.line(at)), what);
        }
        let mut unreadable = 0;
        let mut add = |series: &Series, points: &mut dyn Iterator<Item = (&Scalar, &Scalar)>| {
            let (unit, factor) = unit(series);
            let (name, labels) = (series.metric.text(), labels(series));
            let own = all.alone(RawSeries { name, labels, unit, ..RawSeries::default() });
            for (t, v) in points {
                match (t.number(), v.number()) {
                    (Some(t), Some(v)) => all.add(own, t, v * factor, at),
                    // Null is Datadog's word for an interval without data.
                    _ if *v == Scalar::Null => {}
                    _ => unreadable += 1,
                }
            }
        };
        for series in &answer.series {
            let points = series.pointlist.iter().flatten();
            add(series, &mut points.map(|(t, v)| (t, v)));
        }
        let attributes = answer.data.map(|d| d.attributes);
        if let Some(a) = &attributes {
            for (series, values) in a.series.iter().zip(&a.values) {
                add(series, &mut a.times.iter().zip(values));
            }
        }
        if unreadable > 0 {
            let what = "point whose time or value is not a number";
            raw.skip(input.file, Some(input.line(at)), what, unreadable);
        }
    });
    all.finish(input, raw);
}
