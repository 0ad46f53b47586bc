//! X-Ray's service graph. In: `get-service-graph`. Out: edges, and for the graph's stretch of time
//! one sample each of request rate, share of faults and mean response time, by service and by edge.

use super::{Growing, moment};
use crate::ingest::lenient::{self, Scalar};
use crate::ingest::raw::{Raw, RawEdge};
use crate::ingest::spans::or_default;
use crate::ingest::{Head, Input};
use crate::model::{Micros, SECOND};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Accepts services that refer to each other by number.
pub fn accepts(head: &Head) -> bool {
    head.has_key("Services") && head.has_key("ReferenceId")
        || head.has_key("ContainsOldGroupVersions")
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Service {
    #[serde(default)]
    reference_id: Scalar,
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(rename = "Type", default)]
    own_type: Scalar,
    #[serde(default, deserialize_with = "or_default")]
    edges: Vec<Edge>,
    #[serde(default)]
    start_time: Scalar,
    #[serde(default)]
    end_time: Scalar,
    summary_statistics: Option<Statistics>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Edge {
    #[serde(default)]
    reference_id: Scalar,
    #[serde(default)]
    start_time: Scalar,
    #[serde(default)]
    end_time: Scalar,
    summary_statistics: Option<Statistics>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statistics {
    #[serde(default)]
    ok_count: Scalar,
    #[serde(default, deserialize_with = "or_default")]
    error_statistics: Counts,
    #[serde(default, deserialize_with = "or_default")]
    fault_statistics: Counts,
    #[serde(default)]
    total_count: Scalar,
    #[serde(default)]
    total_response_time: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Counts {
    throttle_count: Scalar,
    other_count: Scalar,
    total_count: Scalar,
}

/// Reads the services of all graphs in the file.
pub fn read(input: &Input, raw: &mut Raw) {
    let mut series = Growing::default();
    input.documents(raw, |base, document, raw| {
        let mut services: Vec<Service> = Vec::new();
        let keys = ["Services"];
        input.elements((base, document), &keys, "a service", raw, |at, element, raw| {
            match lenient::from_slice::<Service>(element) {
                Ok(service) => services.push(service),
                Err(e) => input.skip_unreadable(at, "a service", e, raw),
            }
        });
        graph(input, &services, &mut series, raw);
    });
    series.finish(input, raw);
}

fn graph(input: &Input, services: &[Service], series: &mut Growing, raw: &mut Raw) {
    let by_number: BTreeMap<i64, &Service> =
        services.iter().filter_map(|s| Some((s.reference_id.whole()?, s))).collect();
    // Users are nodes as well: of the type `client`, under the name of what they call.
    let real = |s: &&Service| s.own_type.text() != "client" && !s.name.is_empty();
    for service in services.iter().filter(real) {
        raw.rows(input.file, 1);
        let labels = BTreeMap::from([("service".to_owned(), service.name.clone())]);
        let times = (&service.start_time, &service.end_time);
        if let Some(statistics) = &service.summary_statistics {
            samples(input, "http.server", &labels, times, statistics, series, raw);
        }
        for edge in &service.edges {
            let callee = edge.reference_id.whole().and_then(|n| by_number.get(&n));
            let Some(callee) = callee.copied().filter(real) else {
                raw.skip(input.file, None, "edge to a service that is not in the graph", 1);
                continue;
            };
            // A function and its platform have one name.
            if callee.name == service.name {
                continue;
            }
            let own_type = callee.own_type.text();
            let queue = ["AWS::SQS", "AWS::SNS"].iter().any(|q| own_type.starts_with(q));
            let kind = if queue { "messages" } else { "" }.to_owned();
            let (caller, callee) = (service.name.clone(), callee.name.clone());
            let pair = [("service", &caller), ("callee", &callee)];
            let labels = pair.map(|(k, v)| (k.to_owned(), v.clone())).into();
            if let Some(statistics) = &edge.summary_statistics {
                let times = (&edge.start_time, &edge.end_time);
                samples(input, "http.client", &labels, times, statistics, series, raw);
            }
            raw.edges.push(RawEdge { caller, callee, kind });
            raw.rows(input.file, 1);
        }
    }
}

/// Adds one sample of each measure, at the beginning of its stretch of time.
fn samples(
    input: &Input,
    side: &str,
    labels: &BTreeMap<String, String>,
    (start, end): (&Scalar, &Scalar),
    statistics: &Statistics,
    series: &mut Growing,
    raw: &mut Raw,
) {
    let (Some(start), Some(end)) = (moment(input, start, raw), moment(input, end, raw)) else {
        return;
    };
    let Some(seconds) = positive((end - start) as f64 / SECOND as f64) else { return };
    let total = statistics.total_count.number().unwrap_or(0.0);
    let fault = statistics.fault_statistics.total_count.number().unwrap_or(0.0);
    let mut add = |name: String, unit, labels: &BTreeMap<String, String>, at: Micros, value| {
        series.add((&name, Some(unit)), labels, (at, value));
    };
    add(format!("{side}.requests"), "1/s", labels, start, total / seconds);
    if let Some(total) = positive(total) {
        add(format!("{side}.errors"), "ratio", labels, start, fault / total);
        if let Some(spent) = statistics.total_response_time.number() {
            add(format!("{side}.request.duration"), "s", labels, start, spent / total);
        }
    }
    let errors = &statistics.error_statistics;
    let classes = [
        ("ok", &statistics.ok_count),
        ("error", &errors.other_count),
        ("throttle", &errors.throttle_count),
        ("fault", &statistics.fault_statistics.total_count),
    ];
    for (class, count) in classes {
        let Some(count) = count.number() else { continue };
        let mut labels = labels.clone();
        labels.insert("class".to_owned(), class.to_owned());
        add("xray.responses".to_owned(), "1/s", &labels, start, count / seconds);
    }
}

fn positive(value: f64) -> Option<f64> {
    Some(value).filter(|v| *v > 0.0)
}
