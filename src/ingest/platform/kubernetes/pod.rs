//! Pods: restarts, last terminations, limits, readiness. In: pod objects. Out: values under the
//! names of kube-state-metrics, and a restart at the time at which a container ended.

use super::Cluster;
use super::object::{self, Object};
use super::quantity::quantity;
use crate::ingest::raw::{FileId, Raw, RawEdge, RawEvent};
use crate::ingest::text::beginning;
use crate::model::Micros;

/// A pod's names, as labels and events need them.
struct Pod<'a> {
    object: Object<'a>,
    name: &'a str,
    namespace: &'a str,
    service: String,
    version: String,
}

impl Pod<'_> {
    fn restart(&self, at: Micros, title: String, file: FileId, raw: &mut Raw) {
        raw.events.push(RawEvent {
            at,
            kind: "restart".to_owned(),
            service: self.service.clone(),
            target: self.name.to_owned(),
            title,
            version: self.version.clone(),
            file,
            line: self.object.line,
        });
        raw.rows(file, 1);
    }
}

/// Reads one pod.
pub fn read(object: Object, cluster: &mut Cluster, file: FileId, raw: &mut Raw) {
    let service = object.owner();
    let version = object.version("", &service);
    let (name, namespace) = (object.name(), object.namespace());
    let pod = Pod { object, name, namespace, service, version };
    let node = object.text("/spec/nodeName");
    if !node.is_empty() {
        object::host(node, raw);
        let (caller, callee) = (pod.service.clone(), node.to_owned());
        raw.edges.push(RawEdge { caller, callee, kind: "runs-on".to_owned() });
    }
    let own = [("namespace", namespace), ("pod", name)];
    for phase in ["Pending", "Running", "Succeeded", "Failed", "Unknown"] {
        let is = f64::from(object.text("/status/phase") == phase);
        let labels = [own[0], own[1], ("phase", phase)];
        cluster.states.put("kube_pod_status_phase", &labels, is);
    }
    let ready = object.list("/status/conditions").find(|c| c.text("/type") == "Ready");
    for condition in ["true", "false", "unknown"].iter().filter(|_| ready.is_some()) {
        let is = ready.is_some_and(|r| r.text("/status").eq_ignore_ascii_case(condition));
        let labels = [own[0], own[1], ("condition", condition)];
        cluster.states.put("kube_pod_status_ready", &labels, f64::from(is));
    }
    for container in object.list("/spec/containers") {
        resources(&pod, container, node, cluster, file, raw);
    }
    for (list, part) in [
        ("/status/containerStatuses", "kube_pod_container"),
        ("/status/initContainerStatuses", "kube_pod_init_container"),
        // kube-state-metrics has no names for ephemeral containers.
        ("/status/ephemeralContainerStatuses", "kube_pod_ephemeral_container"),
    ] {
        for status in object.list(list) {
            container(&pod, status, part, cluster, file, raw);
        }
    }
    evicted(&pod, cluster, file, raw);
    for condition in object.list("/status/conditions") {
        cluster.saw(condition.time(&["/lastTransitionTime"]));
    }
    cluster.saw(object.time(&["/metadata/creationTimestamp"]));
    let workload = pod.service;
    cluster.owners.insert((namespace.to_owned(), name.to_owned()), workload);
}

/// Limits and requests of one container.
fn resources(
    pod: &Pod,
    container: Object,
    node: &str,
    cluster: &mut Cluster,
    file: FileId,
    raw: &mut Raw,
) {
    let own = [
        ("namespace", pod.namespace),
        ("pod", pod.name),
        ("container", container.text("/name")),
        ("node", node),
    ];
    for what in ["limits", "requests"] {
        let map = container.value.pointer(&format!("/resources/{what}"));
        for (resource, value) in map.and_then(|m| m.as_object()).into_iter().flatten() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let Some(amount) = quantity(&text) else {
                let why = format!("quantity \"{}\" is not one of Kubernetes", cut(&text));
                raw.skip_like(file, "quantity", 1, || (Some(pod.object.line), why));
                continue;
            };
            let (resource, unit) = match resource.as_str() {
                "cpu" => ("cpu".to_owned(), "core"),
                r if r == "memory" || r.contains("storage") || r.starts_with("hugepages-") => {
                    (r.replace(['-', '/', '.'], "_"), "byte")
                }
                r => (r.replace(['-', '/', '.'], "_"), "integer"),
            };
            let labels = [&own[..], &[("resource", resource.as_str()), ("unit", unit)]].concat();
            let name = format!("kube_pod_container_resource_{what}");
            cluster.states.put(&name, &labels, amount);
        }
    }
}

fn cut(text: &str) -> String {
    beginning(text, 40)
}

/// State, restarts and last termination of one container.
fn container(
    pod: &Pod,
    status: Object,
    part: &str,
    cluster: &mut Cluster,
    file: FileId,
    raw: &mut Raw,
) {
    let container = status.text("/name");
    let own = [("namespace", pod.namespace), ("pod", pod.name), ("container", container)];
    let restarts = status.number("/restartCount").unwrap_or_default();
    cluster.states.put(&format!("{part}_status_restarts_total"), &own, restarts);
    let ready = status.value.pointer("/ready").and_then(|r| r.as_bool());
    if let Some(ready) = ready {
        cluster.states.put(&format!("{part}_status_ready"), &own, f64::from(ready));
    }
    let waiting = status.text("/state/waiting/reason");
    if !waiting.is_empty() {
        let labels = [&own[..], &[("reason", waiting)]].concat();
        cluster.states.put(&format!("{part}_status_waiting_reason"), &labels, 1.0);
    }
    cluster.saw(status.time(&["/state/running/startedAt"]));
    let last = status.text("/lastState/terminated/reason");
    if !last.is_empty() {
        let labels = [&own[..], &[("reason", last)]].concat();
        cluster.states.put(&format!("{part}_status_last_terminated_reason"), &labels, 1.0);
    }
    if let Some(code) = status.number("/lastState/terminated/exitCode") {
        cluster.states.put(&format!("{part}_status_last_terminated_exitcode"), &own, code);
    }
    let known = u64::from(status.value.pointer("/lastState/terminated").is_some());
    cluster.unknown_restarts += (restarts.max(0.0) as u64).saturating_sub(known);
    for state in ["/lastState/terminated", "/state/terminated"] {
        let Some(value) = status.value.pointer(state).filter(|v| v.is_object()) else { continue };
        let ended = Object { value, line: status.line };
        let reason = ended.text("/reason");
        let labels = [&own[..], &[("reason", reason)]].concat();
        if state == "/state/terminated" && !reason.is_empty() {
            cluster.states.put(&format!("{part}_status_terminated_reason"), &labels, 1.0);
        }
        // An init container or a job that is done has not been restarted.
        let code = ended.number("/exitCode").unwrap_or_default();
        let done = state == "/state/terminated" && reason == "Completed";
        let Some(at) = ended.time(&["/finishedAt", "/startedAt"]).filter(|_| !done) else {
            continue;
        };
        cluster.saw(Some(at));
        let reason = if reason.is_empty() { "Terminated" } else { reason };
        let count = if restarts > 0.0 { format!(", restart {restarts}") } else { String::new() };
        let signal = ended.number("/signal").filter(|s| *s > 0.0);
        let signal = signal.map(|s| format!(", signal {s}")).unwrap_or_default();
        let title =
            format!("{reason}: container {container} ended with exit code {code}{signal}{count}");
        pod.restart(at, title, file, raw);
    }
}

/// A pod that the node's agent put out; its containers may be gone.
fn evicted(pod: &Pod, cluster: &mut Cluster, file: FileId, raw: &mut Raw) {
    let object = pod.object;
    let reason = object.text("/status/reason");
    if object.text("/status/phase") != "Failed" || reason.is_empty() {
        return;
    }
    let own = [("namespace", pod.namespace), ("pod", pod.name), ("reason", reason)];
    cluster.states.put("kube_pod_status_reason", &own, 1.0);
    let times = object.list("/status/conditions");
    let at = times.filter_map(|c| c.time(&["/lastTransitionTime"])).max();
    match at {
        Some(at) => {
            let message = object::without_queries(object.text("/status/message"), 200);
            pod.restart(at, format!("{reason}: {message}"), file, raw);
        }
        None => raw.skip(file, Some(object.line), "failed pod without a time of its failure", 1),
    }
}
