//! What platforms, stores and queues say about themselves: state listings and change logs.
//! In: answers of kubectl, redis-cli, Kafka, RabbitMQ, HAProxy and deployment tools. Out: series
//! under the names of the well-known exporters, and events.

pub mod changes;
pub mod haproxy;
pub mod kafka;
pub mod kubernetes;
pub mod rabbitmq;
pub mod redis_cluster;
pub mod redis_hotkeys;
pub mod redis_info;
mod states;
mod workload;

pub use workload::{Component, component, workload};

/// Forms of these exports that are known but not read, by words at the beginning of a line.
const REFUSED: [(&[&str], &str); 5] = [
    (&["apiVersion: ", "kind: "], "Kubernetes YAML: export with `-o json`"),
    (&["Name: ", "Namespace: "], "text of `kubectl describe`: export with `kubectl get -o json`"),
    (&["LAST SEEN ", "TYPE "], "text of `kubectl get events`: export with `-o json`"),
    (&["NAME ", "READY ", "RESTARTS "], "text of `kubectl get pods`: export with `-o json`"),
    (&["Listing queues", "\u{1b}(0"], "a drawn table of rabbitmqctl: use `--formatter json`"),
];

/// Says what a text is that is known but not read, and how to export it instead.
pub fn refused(head: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(head.get(..4096).unwrap_or(head));
    let has = |word: &&str| {
        text.lines().take(40).any(|l| l.starts_with(*word) || l.contains(&format!("  {word}")))
    };
    REFUSED.iter().find(|(words, _)| words.iter().all(has)).map(|(_, what)| *what)
}
