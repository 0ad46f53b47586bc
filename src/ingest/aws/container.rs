//! Container Insights performance log events: one JSON object a line, by `Type`. In: bare objects,
//! or log events that hold them. Out: series under their own names, with pod, node and container.

use super::{Growing, logs, moment, skip_time};
use crate::ingest::lenient::{self, Scalar};
use crate::ingest::raw::Raw;
use crate::ingest::{Head, Input};
use std::collections::BTreeMap;

/// Beginnings of the fields that hold measurements, by the types that have them.
const MEASURED: [&str; 8] = [
    "pod_",
    "container_",
    "node_",
    "cluster_",
    "namespace_",
    "service_",
    "instance_",
    "number_of_",
];
/// Fields that name what is measured, and the label they become.
const NAMES: [(&str, &str); 9] = [
    ("ClusterName", "ClusterName"),
    ("Namespace", "namespace"),
    ("PodName", "pod_workload"),
    ("NodeName", "node"),
    ("InstanceId", "InstanceId"),
    ("Service", "service"),
    ("device", "device"),
    ("interface", "interface"),
    ("EBSVolumeId", "EBSVolumeId"),
];
/// Fields of `kubernetes` and the label they become; the pod's own name beats its workload's.
const KUBERNETES: [(&str, &str); 5] = [
    ("pod_name", "pod"),
    ("namespace_name", "namespace"),
    ("container_name", "container"),
    ("host", "node"),
    ("service_name", "service"),
];

/// Accepts performance events by their type, cluster and time, plain or inside log events.
pub fn accepts(head: &Head) -> bool {
    let plain = head.has_key("ClusterName") && head.has_key("Type") && head.has_key("Timestamp");
    plain || logs::wraps(head, "ClusterName")
}

/// Reads every event.
pub fn read(input: &Input, raw: &mut Raw) {
    let mut series = Growing::default();
    logs::each(input, raw, |at, text, raw| {
        match lenient::from_slice::<BTreeMap<String, Scalar>>(text) {
            Ok(fields) => {
                let nested: Nested = lenient::from_slice(text).unwrap_or_default();
                event(input, at, (&fields, &nested), &mut series, raw);
            }
            Err(e) => input.skip_unreadable(at, "a performance event", e, raw),
        }
    });
    series.finish(input, raw);
}

#[derive(Default, serde::Deserialize)]
struct Nested {
    #[serde(default)]
    kubernetes: Option<BTreeMap<String, Scalar>>,
}

fn event(
    input: &Input,
    at: usize,
    (fields, nested): (&BTreeMap<String, Scalar>, &Nested),
    series: &mut Growing,
    raw: &mut Raw,
) {
    let time = fields.get("Timestamp").cloned().unwrap_or_default();
    let Some(t) = moment(input, &time, raw) else { return skip_time(input, at, &time, raw) };
    let mut labels = BTreeMap::new();
    let mut add = |from: &BTreeMap<String, Scalar>, names: &[(&str, &str)]| {
        for (key, label) in names {
            let text = from.get(*key).map(Scalar::text).filter(|t| !t.is_empty());
            if let Some(text) = text {
                labels.insert((*label).to_owned(), text);
            }
        }
    };
    add(fields, &NAMES);
    add(nested.kubernetes.as_ref().unwrap_or(&BTreeMap::new()), &KUBERNETES);
    let own_type = fields.get("Type").map(Scalar::text).unwrap_or_default();
    let measured = |name: &str| MEASURED.iter().any(|m| name.starts_with(m));
    for (name, value) in fields.iter().filter(|(name, _)| measured(name)) {
        // Whole numbers and floats only: `pod_status` and the like are words.
        if let (Scalar::Int(_) | Scalar::Float(_), Some(v)) = (value, value.number()) {
            // `pod_cpu_usage_total` is a level: its ending would make it a counter.
            let shown = name.strip_suffix("_usage_total").map(|n| format!("{n}_usage"));
            series.add((shown.as_ref().unwrap_or(name), unit(name)), &labels, (t, v));
        }
    }
    if own_type.is_empty() {
        let first = || (Some(input.line(at)), "performance event without a Type".to_owned());
        raw.skip_like(input.file, "type", 1, first);
    }
}

/// The unit of a field, by the documented endings of its name.
fn unit(name: &str) -> Option<&'static str> {
    let ends = |e: &[&str]| e.iter().any(|e| name.ends_with(e));
    let has = |w: &str| name.contains(w);
    Some(match () {
        () if has("_utilization") || has("_reserved_capacity") => "percent",
        () if has("_cpu_") => "millicores",
        () if has("_network_") && ends(&["_bytes"]) => "by/s",
        () if has("_network_") || has("_diskio_") && !has("_bytes_") => "1/s",
        () if has("_diskio_") => "by/s",
        () if has("number_of_") || has("_status_") => "count",
        () if has("failcnt") || has("pgfault") || has("pgmajfault") || has("hierarchical") => {
            return None;
        }
        () if has("_memory_") || has("_filesystem_") && !has("inodes") => "bytes",
        () => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::unit;

    #[test]
    fn units_are_those_that_the_documentation_gives() {
        for (name, want) in [
            ("pod_memory_utilization_over_pod_limit", Some("percent")),
            ("pod_cpu_usage_total", Some("millicores")),
            ("pod_memory_working_set", Some("bytes")),
            ("pod_network_rx_bytes", Some("by/s")),
            ("node_diskio_io_service_bytes_read", Some("by/s")),
            ("pod_number_of_container_restarts", Some("count")),
            ("pod_memory_pgfault", None),
        ] {
            assert_eq!(unit(name), want, "{name}");
        }
    }
}
