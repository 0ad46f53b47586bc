//! Kubernetes events under the names of core/v1 and of events.k8s.io/v1. In: event objects.
//! Out: changes and alerts, one per event object; alerts and notes about one thing are put together.

use super::object::{self, Object};
use crate::ingest::raw::{FileId, Raw, RawEvent};
use crate::ingest::workload;
use crate::model::Micros;
use crate::time;
use serde_json::Value;
use std::collections::BTreeMap;

/// Reasons that tell of a container or a pod that ended.
const RESTARTS: [&str; 11] = [
    "OOMKilling",
    "OOMKilled",
    "SystemOOM",
    "Killing",
    "BackOff",
    "CrashLoopBackOff",
    "Evicted",
    "Preempted",
    "Preempting",
    "TaintManagerEviction",
    "Rebooted",
];
/// Reasons that tell of another number of pods.
const SCALES: [&str; 3] = ["ScalingReplicaSet", "SuccessfulRescale", "TriggeredScaleUp"];
/// Reasons that are trouble although some senders call them normal.
const ALERTS: [&str; 5] =
    ["NodeNotReady", "NodeNotSchedulable", "Unhealthy", "FailedScheduling", "NetworkNotReady"];
/// Characters of a message that are kept.
const MESSAGE: usize = 200;

/// Workloads of pods, by namespace and name.
pub type Owners = BTreeMap<(String, String), String>;

/// What kind of change a reason is.
fn kind(reason: &str, kind: &str, message: &str) -> &'static str {
    match reason {
        // The same word is used for a container that crashes and an image that cannot be had.
        "BackOff" if message.contains("pulling image") => "alert",
        r if RESTARTS.contains(&r) => "restart",
        r if SCALES.contains(&r) => "scale",
        "DeploymentRollback" => "rollback",
        r if ALERTS.contains(&r) || kind == "Warning" => "alert",
        _ => "note",
    }
}

/// One event object as it was last seen.
struct Occurrence {
    at: Micros,
    first: Option<Micros>,
    count: u64,
    kind: &'static str,
    about: String,
    namespace: String,
    name: String,
    reason: String,
    message: String,
    line: u64,
}

/// The events of a file, each object once.
#[derive(Default)]
pub struct Events(BTreeMap<(String, String), Occurrence>);

impl Events {
    /// Adds one event object, which a log repeats whenever its count rises.
    ///
    /// Gives its time, or `None` when none of its times can be read.
    pub fn add(&mut self, event: &Object) -> Option<Micros> {
        let about = ["involvedObject", "regarding"].iter().find_map(|k| event.value.get(*k));
        let about = Object { value: about.unwrap_or(&Value::Null), line: event.line };
        let at = event.time(&[
            "/series/lastObservedTime",
            "/lastTimestamp",
            "/deprecatedLastTimestamp",
            "/eventTime",
            "/firstTimestamp",
            "/deprecatedFirstTimestamp",
            "/metadata/creationTimestamp",
        ])?;
        let first = event.time(&[
            "/firstTimestamp",
            "/deprecatedFirstTimestamp",
            "/eventTime",
            "/metadata/creationTimestamp",
        ]);
        let counts = ["/series/count", "/count", "/deprecatedCount"];
        let count = counts.iter().find_map(|p| event.value.pointer(p)?.as_u64()).unwrap_or(1);
        let text = |p: &str| event.text(p).to_owned();
        let reason = text("/reason");
        let message = object::without_queries(event.first_text(&["/message", "/note"]), MESSAGE);
        let namespace = about.first_text(&["/namespace"]);
        let namespace =
            if namespace.is_empty() { event.text("/metadata/namespace") } else { namespace };
        let new = Occurrence {
            at,
            first,
            count: count.max(1),
            kind: kind(&reason, event.text("/type"), &message),
            about: about.text("/kind").to_owned(),
            namespace: namespace.to_owned(),
            name: about.text("/name").to_owned(),
            reason,
            message,
            line: event.line,
        };
        let own = event.text("/metadata/name");
        let own = if own.is_empty() { format!("line {}", event.line) } else { own.to_owned() };
        let key = (text("/metadata/namespace"), own);
        if self.0.get(&key).is_none_or(|old| (old.at, old.count) <= (new.at, new.count)) {
            self.0.insert(key, new);
        }
        Some(at)
    }

    /// Hands over the events; `owners` are the workloads of pods, by namespace and name.
    pub fn finish(self, owners: &Owners, file: FileId, raw: &mut Raw) {
        let mut together: BTreeMap<(String, String, String), Occurrence> = BTreeMap::new();
        let mut all = Vec::new();
        for event in self.0.into_values() {
            if !["alert", "note"].contains(&event.kind) {
                all.push(event);
                continue;
            }
            let key = (event.about.clone(), event.name.clone(), event.reason.clone());
            match together.remove(&key) {
                Some(other) => together.insert(key, joined(other, event)),
                None => together.insert(key, event),
            };
        }
        for event in all.into_iter().chain(together.into_values()) {
            let service = service(&event, owners);
            if event.about == "Node" {
                object::host(&service, raw);
            }
            raw.events.push(RawEvent {
                at: event.at,
                kind: event.kind.to_owned(),
                title: title(&event),
                service,
                target: event.name,
                version: String::new(),
                file,
                line: event.line,
            });
            raw.rows(file, 1);
        }
    }
}

/// Two alerts about one thing: the later one, with the first time and the count of both.
fn joined(a: Occurrence, b: Occurrence) -> Occurrence {
    let first = a.first.into_iter().chain(b.first).min();
    let count = a.count + b.count;
    let last = if a.at > b.at { a } else { b };
    Occurrence { first, count, ..last }
}

/// The workload that an event is about.
fn service(event: &Occurrence, owners: &Owners) -> String {
    let known = || owners.get(&(event.namespace.clone(), event.name.clone())).cloned();
    match event.about.as_str() {
        "Pod" => known().unwrap_or_else(|| workload(&event.name, "pod").to_owned()),
        "ReplicaSet" | "Job" => workload(&event.name, "replicaset").to_owned(),
        "Namespace" => String::new(),
        _ => event.name.clone(),
    }
}

fn title(event: &Occurrence) -> String {
    let Occurrence { reason, message, count, first, .. } = event;
    let mut title = format!("{reason}: {message}");
    if *count > 1 {
        let since = first.filter(|f| *f < event.at).map(|f| format!(" since {}", time::rfc3339(f)));
        title.push_str(&format!(" (x{count}{})", since.unwrap_or_default()));
    }
    title
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_cannot_be_pulled_is_no_restart() {
        let of = |reason, message| kind(reason, "Warning", message);
        assert_eq!(of("BackOff", "Back-off restarting failed container"), "restart");
        assert_eq!(of("BackOff", "Back-off pulling image \"shop/api:9\""), "alert");
        assert_eq!(of("FailedMount", "timeout"), "alert");
        assert_eq!(kind("NodeNotReady", "Normal", ""), "alert");
        assert_eq!(kind("Scheduled", "Normal", ""), "note");
        assert_eq!(kind("SuccessfulRescale", "Normal", "New size: 4"), "scale");
    }
}
