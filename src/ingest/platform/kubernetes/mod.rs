//! What `kubectl get … -o json` and event exporters write: lists, single objects, lines.
//! In: pods, events, deployments, replica sets, nodes, autoscalers, endpoints. Out: events, values
//! under the names of kube-state-metrics. Environment values and manifests go no further.

mod controllers;
mod event;
mod object;
mod pod;
mod quantity;

use super::states::States;
use crate::ingest::json_scan::Lines;
use crate::ingest::lenient;
use crate::ingest::raw::Raw;
use crate::ingest::text::beginning;
use crate::ingest::{Head, Input};
use crate::model::{Gap, GapKind, Micros};
use event::{Events, Owners};
pub use object::Object;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::collections::BTreeSet;

/// Accepts objects of the Kubernetes API and the lines of event exporters.
pub fn accepts(head: &Head) -> bool {
    let event = ["involvedObject", "regarding"].iter().any(|k| head.has_key(k));
    head.has_key("kind") && (head.has_key("apiVersion") || event && head.has_key("reason"))
}

/// What a file says about a cluster.
#[derive(Default)]
struct Cluster {
    states: States,
    events: Events,
    owners: Owners,
    /// Objects of the snapshot that is being read: one that comes again starts the next.
    seen: BTreeSet<(String, String, String)>,
    newest: Option<Micros>,
    /// Restarts of which the export keeps no time.
    unknown_restarts: u64,
    /// Replica sets that a rollback numbered anew.
    reused_sets: u64,
    had_events: bool,
}

impl Cluster {
    /// Keeps the newest time; the export was made after it.
    fn saw(&mut self, at: Option<Micros>) {
        self.newest = self.newest.max(at);
    }
}

/// Reads every object; what is not read is counted by its kind.
pub fn read(input: &Input, raw: &mut Raw) {
    let mut cluster = Cluster::default();
    let mut lines = Lines::new(input.bytes);
    let mut line = |at: usize| lines.of(at) + input.first_line - 1;
    input.documents(raw, |base, document, raw| {
        // A list that is cut off is still gone through.
        let outer = serde_json::from_slice::<Outer>(document).ok();
        let single = outer.as_ref().is_some_and(|o| o.items.is_none());
        let kind = outer.and_then(|o| o.kind).unwrap_or_default();
        let item = kind.strip_suffix("List").unwrap_or(&kind);
        let mut each = |at: usize, text: &[u8], raw: &mut Raw| {
            match lenient::from_slice::<Value>(text) {
                Ok(value) => {
                    let object = Object { value: &value, line: line(at) };
                    one(unwrapped(object), item, &mut cluster, input, raw);
                }
                Err(e) => input.skip_unreadable(at, "an object", e, raw),
            };
        };
        if single || !input.elements((base, document), &["items"], "an object", raw, &mut each) {
            each(base, document, raw);
        }
    });
    finish(cluster, input, raw);
}

/// What a document is by its outermost keys.
#[derive(Deserialize)]
struct Outer {
    kind: Option<String>,
    items: Option<IgnoredAny>,
}

/// The object inside what watches (`type`, `object`) and event routers (`verb`, `event`) write.
fn unwrapped(outer: Object) -> Object {
    let inner = ["object", "event"].iter().find_map(|k| outer.value.get(*k));
    match inner.filter(|i| i.is_object() && outer.name().is_empty()) {
        Some(value) => Object { value, ..outer },
        None => outer,
    }
}

/// Reads one object; `listed` is the kind that its list is of.
fn one(object: Object, listed: &str, cluster: &mut Cluster, input: &Input, raw: &mut Raw) {
    let kind = match object.text("/kind") {
        "" => listed,
        own => own,
    };
    let about = ["involvedObject", "regarding"].iter().any(|k| object.value.get(*k).is_some());
    let kind = if about { "Event" } else { kind };
    let file = input.file;
    if kind == "Event" {
        cluster.had_events = true;
        match cluster.events.add(&object) {
            Some(at) => cluster.saw(Some(at)),
            None => raw.skip(file, Some(object.line), "event without a readable time", 1),
        }
        return;
    }
    let owned = |t: &str| t.to_owned();
    let key = (owned(kind), owned(object.namespace()), owned(object.name()));
    if cluster.states.is_empty() || !cluster.seen.insert(key.clone()) {
        cluster.states.begin(None, object.line);
        cluster.seen = BTreeSet::from([key]);
    }
    match kind {
        "Pod" => pod::read(object, cluster, file, raw),
        "ReplicaSet" => controllers::replica_set(object, cluster, file, raw),
        "Deployment" => controllers::controller(object, "deployment", cluster, file, raw),
        "StatefulSet" => controllers::controller(object, "statefulset", cluster, file, raw),
        "DaemonSet" => controllers::controller(object, "daemonset", cluster, file, raw),
        "HorizontalPodAutoscaler" => controllers::autoscaler(object, cluster, file, raw),
        "Node" => controllers::node(object, cluster, file, raw),
        "Endpoints" => controllers::endpoints(object, cluster),
        "Status" => {
            let message = object::without_queries(object.text("/message"), 200);
            let what = format!("the server answered with an error: {message}");
            raw.gap(GapKind::Missing, file, Some(object.line), what);
        }
        "" => raw.skip(file, Some(object.line), "object without a kind", 1),
        other => {
            let other = beginning(other, 40);
            raw.skip(file, Some(object.line), format!("{other}: not read of this kind"), 1);
        }
    }
}

/// Hands everything over and says what such an export cannot tell.
fn finish(mut cluster: Cluster, input: &Input, raw: &mut Raw) {
    cluster.events.finish(&cluster.owners, input.file, raw);
    if cluster.had_events {
        let what = "Kubernetes keeps events for an hour: what is not among them may have happened";
        raw.gap(GapKind::Missing, input.file, None, what);
    }
    for (count, what) in [
        (
            cluster.unknown_restarts,
            "restarts without a time: a pod keeps only the last termination of a container",
        ),
        (
            cluster.reused_sets,
            "replica sets that were used again: the time of such a rollback is not in the export",
        ),
    ] {
        if count > 0 {
            let gap = Gap::at(GapKind::Missing, input.path, None, what);
            raw.gaps.push(Gap { count, ..gap });
        }
    }
    if cluster.states.is_empty() {
        return;
    }
    // The export is not older than what it tells of.
    let taken = input.taken_at(raw);
    if let Some(at) = taken.max(cluster.newest) {
        cluster.states.set_at(at);
        if taken.is_some_and(|t| t < at) {
            let what = "the newest time in the file is later: the states are taken at that";
            raw.gap(GapKind::Inferred, input.file, None, what);
        }
    }
    cluster.states.finish(input, raw);
}
