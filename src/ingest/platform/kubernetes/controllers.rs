//! What is not a pod: replica sets, deployments and the like, autoscalers, nodes, endpoints.
//! In: their objects. Out: values under the names of kube-state-metrics, rollouts and alerts.

use super::Cluster;
use super::object::{self, Object};
use super::quantity::quantity;
use crate::ingest::raw::{FileId, Raw, RawEvent};
use crate::ingest::workload;
use crate::model::Micros;

/// One change of what is called `service`.
fn event(
    (at, kind, object): (Option<Micros>, &str, Object),
    service: &str,
    (title, version): (String, String),
    file: FileId,
    raw: &mut Raw,
) {
    let Some(at) = at else {
        let why = format!("{kind} of which the time is not readable");
        return raw.skip(file, Some(object.line), why, 1);
    };
    let (kind, service, target) = (kind.to_owned(), service.to_owned(), object.name().to_owned());
    raw.events.push(RawEvent {
        at,
        kind,
        service,
        target,
        title,
        version,
        file,
        line: object.line,
    });
    raw.rows(file, 1);
}

/// A replica set is made by each new revision of its deployment.
pub fn replica_set(object: Object, cluster: &mut Cluster, file: FileId, raw: &mut Raw) {
    let made = object.time(&["/metadata/creationTimestamp"]);
    cluster.saw(made);
    let owner = object.list("/metadata/ownerReferences").next();
    let owner = owner.map(|o| o.text("/name")).filter(|n| !n.is_empty());
    let service = owner.unwrap_or_else(|| workload(object.name(), "replicaset"));
    let revision = object.text("/metadata/annotations/deployment.kubernetes.io~1revision");
    replicas(object, "replicaset", cluster);
    if revision.is_empty() {
        return;
    }
    let version = object.version("/spec/template", service);
    let history = "/metadata/annotations/deployment.kubernetes.io~1revision-history";
    let history = object.text(history);
    // A rollback numbers an old set anew; it was made for the first of its revisions.
    let first = history.split(',').next().filter(|h| !h.is_empty()).unwrap_or(revision);
    let title = format!("rollout of revision {first}");
    event((made, "deploy", object), service, (title, version), file, raw);
    if !history.is_empty() {
        cluster.reused_sets += 1;
    }
}

/// Numbers of replicas under the names that each controller's kind has.
fn replicas(object: Object, kind: &str, cluster: &mut Cluster) {
    const FIELDS: [(&str, &str, &str); 11] = [
        ("deployment", "/spec/replicas", "spec_replicas"),
        ("deployment", "/status/replicas", "status_replicas"),
        ("deployment", "/status/availableReplicas", "status_replicas_available"),
        ("deployment", "/status/unavailableReplicas", "status_replicas_unavailable"),
        ("deployment", "/status/updatedReplicas", "status_replicas_updated"),
        ("replicaset", "/spec/replicas", "spec_replicas"),
        ("replicaset", "/status/readyReplicas", "status_ready_replicas"),
        ("statefulset", "/spec/replicas", "replicas"),
        ("statefulset", "/status/readyReplicas", "status_replicas_ready"),
        ("daemonset", "/status/desiredNumberScheduled", "status_desired_number_scheduled"),
        ("daemonset", "/status/numberUnavailable", "status_number_unavailable"),
    ];
    let own = [("namespace", object.namespace()), (kind, object.name())];
    for (_, path, name) in FIELDS.iter().filter(|f| f.0 == kind) {
        // The API leaves a zero out.
        let value = object.number(path).unwrap_or_default();
        cluster.states.put(&format!("kube_{kind}_{name}"), &own, value);
    }
}

/// A deployment, stateful set or daemon set: replicas, the end of its last rollout, a restart by
/// hand, and whether it is available.
pub fn controller(object: Object, kind: &str, cluster: &mut Cluster, file: FileId, raw: &mut Raw) {
    replicas(object, kind, cluster);
    let service = object.name();
    let version = object.version("/spec/template", service);
    let restarted = "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt";
    if !object.text(restarted).is_empty() {
        let at = object.time(&[restarted]);
        let title = "kubectl rollout restart".to_owned();
        event((at, "restart", object), service, (title, version.clone()), file, raw);
        cluster.saw(at);
    }
    let revision = object.text("/metadata/annotations/deployment.kubernetes.io~1revision");
    for condition in object.list("/status/conditions") {
        let at = condition.time(&["/lastUpdateTime", "/lastTransitionTime"]);
        let changed = condition.time(&["/lastTransitionTime"]);
        cluster.saw(at.max(changed));
        let (is, reason) = (condition.text("/type"), condition.text("/reason"));
        match (is, condition.text("/status")) {
            ("Progressing", "True") if reason == "NewReplicaSetAvailable" => {
                let title = format!("rollout of revision {revision} complete");
                event((at, "deploy", object), service, (title, version.clone()), file, raw);
            }
            ("Progressing" | "Available", "False") | ("ReplicaFailure", "True") => {
                let message = object::without_queries(condition.text("/message"), 200);
                let title = format!("{reason}: {message}");
                event((changed, "alert", object), service, (title, String::new()), file, raw);
            }
            _ => {}
        }
    }
}

/// A horizontal autoscaler: replicas now, wanted and allowed.
pub fn autoscaler(object: Object, cluster: &mut Cluster, file: FileId, raw: &mut Raw) {
    let target = object.text("/spec/scaleTargetRef/name");
    let own = [
        ("namespace", object.namespace()),
        ("horizontalpodautoscaler", object.name()),
        ("deployment", target),
    ];
    for (path, name) in [
        ("/spec/minReplicas", "spec_min_replicas"),
        ("/spec/maxReplicas", "spec_max_replicas"),
        ("/status/currentReplicas", "status_current_replicas"),
        ("/status/desiredReplicas", "status_desired_replicas"),
    ] {
        if let Some(value) = object.number(path) {
            let name = format!("kube_horizontalpodautoscaler_{name}");
            cluster.states.put(&name, &own, value);
        }
    }
    if let Some(at) = object.time(&["/status/lastScaleTime"]) {
        let count = object.number("/status/desiredReplicas").unwrap_or_default();
        let title = format!("last scaling: {count} replicas wanted");
        event((Some(at), "scale", object), target, (title, String::new()), file, raw);
        cluster.saw(Some(at));
    }
}

/// A node: what it has to give, and its conditions.
pub fn node(object: Object, cluster: &mut Cluster, file: FileId, raw: &mut Raw) {
    let name = object.name();
    object::host(name, raw);
    let allocatable = object.value.pointer("/status/allocatable").and_then(|a| a.as_object());
    for (resource, unit) in [("cpu", "core"), ("memory", "byte"), ("pods", "integer")] {
        let value = allocatable.and_then(|a| a.get(resource)?.as_str());
        if let Some(value) = value.and_then(quantity) {
            let labels = [("node", name), ("resource", resource), ("unit", unit)];
            cluster.states.put("kube_node_status_allocatable", &labels, value);
        }
    }
    let closed = object.value.pointer("/spec/unschedulable").and_then(|u| u.as_bool());
    let closed = f64::from(closed.unwrap_or_default());
    cluster.states.put("kube_node_spec_unschedulable", &[("node", name)], closed);
    for condition in object.list("/status/conditions") {
        let (is, status) = (condition.text("/type"), condition.text("/status"));
        let at = condition.time(&["/lastTransitionTime"]);
        cluster.saw(condition.time(&["/lastHeartbeatTime"]).max(at));
        for known in ["true", "false", "unknown"] {
            let labels = [("node", name), ("condition", is), ("status", known)];
            let holds = f64::from(status.eq_ignore_ascii_case(known));
            cluster.states.put("kube_node_status_condition", &labels, holds);
        }
        // All conditions but readiness tell of trouble when they hold.
        let (reason, message) = (condition.text("/reason"), condition.text("/message"));
        if (is == "Ready") != (status == "True") && (is == "Ready" || status != "Unknown") {
            let title =
                object::without_queries(&format!("{is} {status}, {reason}: {message}"), 200);
            event((at, "alert", object), name, (title, String::new()), file, raw);
        }
    }
}

/// The endpoints of a service: how many addresses are ready and how many are not.
pub fn endpoints(object: Object, cluster: &mut Cluster) {
    let name = object.name();
    let own = [("namespace", object.namespace()), ("endpoint", name), ("service", name)];
    let mut count = |list: &str, name: &str| {
        let subsets = object.list("/subsets");
        let addresses: usize = subsets.map(|s| s.list(list).count()).sum();
        cluster.states.put(name, &own, addresses as f64);
    };
    count("/addresses", "kube_endpoint_address_available");
    count("/notReadyAddresses", "kube_endpoint_address_not_ready");
}
