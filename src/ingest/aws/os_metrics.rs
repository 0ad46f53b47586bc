//! RDS Enhanced Monitoring: one document of the operating system a second or a minute, bare or
//! wrapped by CloudWatch Logs. In: kilobytes and per cent. Out: series in bytes and ratios.
//!
//! Of the process list only sums are kept: its names hold users, databases and addresses.

use super::{Growing, logs, moment, skip_time};
use crate::ingest::lenient::{self, Scalar};
use crate::ingest::raw::Raw;
use crate::ingest::{Head, Input};
use crate::model::Micros;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Accepts documents by two of their keys, plain or inside log events.
pub fn accepts(head: &Head) -> bool {
    let plain = head.has_key("instanceID") && head.has_key("cpuUtilization");
    plain || logs::wraps(head, "cpuUtilization")
}

/// A group of values by their names; what is no number is none.
type Group = BTreeMap<String, Scalar>;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Document {
    #[serde(rename = "instanceID")]
    instance: Scalar,
    engine: Scalar,
    timestamp: Scalar,
    #[serde(rename = "numVCPUs")]
    cpus: Scalar,
    cpu_utilization: Option<Group>,
    load_average_minute: Option<Group>,
    memory: Option<Group>,
    tasks: Option<Group>,
    swap: Option<Group>,
    network: Option<Vec<Group>>,
    #[serde(rename = "diskIO")]
    disk_io: Option<Vec<Group>>,
    #[serde(rename = "physicalDeviceIO")]
    device_io: Option<Vec<Group>>,
    file_sys: Option<Vec<Group>>,
    process_list: Option<Vec<Group>>,
}

/// Key of a value, name of its series, unit, factor to it.
type Measure = (&'static str, &'static str, &'static str, f64);

const LOAD: [Measure; 3] = [
    ("one", "node_load1", "count", 1.0),
    ("five", "node_load5", "count", 1.0),
    ("fifteen", "node_load15", "count", 1.0),
];
const MEMORY: [Measure; 5] = [
    ("total", "node_memory_MemTotal_bytes", "bytes", 1024.0),
    ("free", "node_memory_MemFree_bytes", "bytes", 1024.0),
    ("cached", "node_memory_Cached_bytes", "bytes", 1024.0),
    ("buffers", "node_memory_Buffers_bytes", "bytes", 1024.0),
    ("active", "node_memory_Active_bytes", "bytes", 1024.0),
];
const SWAP: [Measure; 4] = [
    ("total", "node_memory_SwapTotal_bytes", "bytes", 1024.0),
    ("free", "node_memory_SwapFree_bytes", "bytes", 1024.0),
    ("in", "rds_swap_in_bytes", "by/s", 1024.0),
    ("out", "rds_swap_out_bytes", "by/s", 1024.0),
];
const TASKS: [Measure; 3] = [
    ("running", "node_procs_running", "count", 1.0),
    ("blocked", "node_procs_blocked", "count", 1.0),
    ("total", "rds_tasks", "count", 1.0),
];
const NETWORK: [Measure; 2] = [
    ("rx", "rds_network_receive_rate", "by/s", 1.0),
    ("tx", "rds_network_transmit_rate", "by/s", 1.0),
];
const DISK: [Measure; 7] = [
    ("await", "rds_disk_await", "s", 1e-3),
    ("util", "rds_disk_busy_ratio", "ratio", 0.01),
    ("avgQueueLen", "DiskQueueDepth", "count", 1.0),
    ("readIOsPS", "ReadIOPS", "1/s", 1.0),
    ("writeIOsPS", "WriteIOPS", "1/s", 1.0),
    ("readKbPS", "ReadThroughput", "by/s", 1024.0),
    ("writeKbPS", "WriteThroughput", "by/s", 1024.0),
];
const FILE_SYSTEM: [Measure; 3] = [
    ("usedPercent", "filesystem_utilization", "ratio", 0.01),
    ("used", "rds_filesystem_used_bytes", "bytes", 1024.0),
    ("total", "node_filesystem_size_bytes", "bytes", 1024.0),
];
/// Of the process list: what is summed.
const PROCESSES: [Measure; 2] = [
    ("rss", "rds_processes_resident_bytes", "bytes", 1024.0),
    ("cpuUsedPc", "rds_processes_busy_ratio", "ratio", 0.01),
];

/// Reads every document.
pub fn read(input: &Input, raw: &mut Raw) {
    let mut series = Growing::default();
    logs::each(input, raw, |at, text, raw| match lenient::from_slice::<Document>(text) {
        Ok(document) => match moment(input, &document.timestamp, raw) {
            Some(t) => one(&document, t, &mut series),
            None => skip_time(input, at, &document.timestamp, raw),
        },
        Err(e) => input.skip_unreadable(at, "a document", e, raw),
    });
    series.finish(input, raw);
}

fn one(document: &Document, t: Micros, series: &mut Growing) {
    let mut labels = BTreeMap::new();
    let instance = document.instance.text();
    for (name, value) in [("DBInstanceIdentifier", instance), ("engine", document.engine.text())] {
        if !value.is_empty() {
            labels.insert(name.to_owned(), value);
        }
    }
    for (mode, value) in document.cpu_utilization.iter().flatten() {
        let Some(v) = value.number() else { continue };
        let of = (t, v * 0.01);
        match mode.as_str() {
            // What is left of the total.
            "idle" => {}
            "total" => series.add(("cpu_utilization", Some("ratio")), &labels, of),
            _ => {
                let mut labels = labels.clone();
                labels.insert("mode".to_owned(), mode.clone());
                series.add(("rds_cpu_mode_ratio", Some("ratio")), &labels, of);
            }
        }
    }
    if let Some(cpus) = document.cpus.number() {
        series.add(("rds_vcpus", Some("count")), &labels, (t, cpus));
    }
    let groups: [(&Option<Group>, &[Measure]); 4] = [
        (&document.load_average_minute, &LOAD),
        (&document.memory, &MEMORY),
        (&document.swap, &SWAP),
        (&document.tasks, &TASKS),
    ];
    for (group, measures) in groups {
        group.iter().for_each(|g| measured(g, measures, &labels, t, series));
    }
    each(&document.network, &NETWORK, ("interface", "interface"), &labels, t, series);
    each(&document.disk_io, &DISK, ("device", "device"), &labels, t, series);
    each(&document.device_io, &DISK, ("device", "device"), &labels, t, series);
    each(&document.file_sys, &FILE_SYSTEM, ("mountPoint", "mountpoint"), &labels, t, series);
    if let Some(processes) = &document.process_list {
        let sum = |key: &str| processes.iter().filter_map(|p| p.get(key)?.number()).sum::<f64>();
        series.add(("rds_processes", Some("count")), &labels, (t, processes.len() as f64));
        for (key, name, unit, factor) in PROCESSES {
            series.add((name, Some(unit)), &labels, (t, sum(key) * factor));
        }
    }
}

/// Adds the measures of a list's groups, told apart by the value of `key` as `label`.
fn each(
    list: &Option<Vec<Group>>,
    measures: &[Measure],
    (key, label): (&str, &str),
    labels: &BTreeMap<String, String>,
    t: Micros,
    series: &mut Growing,
) {
    for group in list.iter().flatten() {
        let mut labels = labels.clone();
        labels.insert(label.to_owned(), group.get(key).map(Scalar::text).unwrap_or_default());
        measured(group, measures, &labels, t, series);
    }
}

fn measured(
    group: &Group,
    measures: &[Measure],
    labels: &BTreeMap<String, String>,
    t: Micros,
    series: &mut Growing,
) {
    for (key, name, unit, factor) in measures {
        if let Some(v) = group.get(*key).and_then(Scalar::number) {
            series.add((name, Some(unit)), labels, (t, v * factor));
        }
    }
}
