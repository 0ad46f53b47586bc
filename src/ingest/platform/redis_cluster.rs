//! `redis-cli CLUSTER INFO` and `CLUSTER NODES`. In: `key:value` lines, or one line per node.
//! Out: values under the names of redis_exporter, and an alert for each node that fails.

use super::redis_info::instance;
use super::states::{self, States};
use crate::ingest::raw::{Raw, RawEvent};
use crate::ingest::{Head, Input, cell};
use crate::model::Micros;
use crate::time::{self, EpochUnit};

/// Accepts `cluster_state:` or the line of a node.
pub fn accepts(head: &Head) -> bool {
    let text = String::from_utf8_lossy(head.bytes);
    !head.is_json()
        && text.lines().take(8).any(|l| l.starts_with("cluster_state:") || node(l).is_some())
}

/// One line of `CLUSTER NODES`.
struct Node<'a> {
    address: &'a str,
    flags: Vec<&'a str>,
    ping: Option<Micros>,
    pong: Option<Micros>,
    linked: bool,
    slots: u64,
}

/// `<id> ip:port@cport[,host] flags master ping-sent pong-recv epoch link-state slots…`
fn node(line: &str) -> Option<Node<'_>> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [id, address, flags, _, ping, pong, epoch, link, slots @ ..] = &words[..] else {
        return None;
    };
    let hex = id.len() == 40 && id.bytes().all(|b| b.is_ascii_hexdigit());
    if !hex || epoch.parse::<u64>().is_err() || !address.contains(':') {
        return None;
    }
    let at = |t: &str| time::from_epoch(t.parse().ok()?, EpochUnit::Millis);
    let slots = slots.iter().filter(|s| !s.starts_with('[')).filter_map(|s| {
        let (from, to) = s.split_once('-').unwrap_or((s, s));
        Some(to.parse::<u64>().ok()?.saturating_sub(from.parse().ok()?).saturating_add(1))
    });
    Some(Node {
        address: address.split(['@', ',']).next().unwrap_or_default(),
        flags: flags.split(',').collect(),
        ping: at(ping),
        pong: at(pong),
        linked: *link == "connected",
        slots: slots.sum::<u64>().min(16_384),
    })
}

/// Reads one answer or several, one behind the other.
pub fn read(input: &Input, raw: &mut Raw) {
    let text = String::from_utf8_lossy(input.bytes);
    let name = instance(input.name());
    let mut states = States::default();
    let (mut stamp, mut newest) = (None, None);
    for (line, number) in text.lines().map(str::trim).zip(input.first_line..) {
        if let Some(node) = node(line) {
            newest = newest.max(node.ping).max(node.pong);
            if states.is_empty() || node.flags.contains(&"myself") && states.at().is_some() {
                states.begin(stamp, number);
            }
            one(&node, &mut states);
            failed(&node, number, input, raw);
        } else if let Some((key, value)) = line.split_once(':').filter(|(k, _)| field(k).is_some())
        {
            if key == "cluster_state" || states.is_empty() {
                states.begin(stamp.take(), number);
            }
            let value = match value {
                "ok" => Some(1.0),
                "fail" => Some(0.0),
                v => cell::number(v),
            };
            match (field(key), value) {
                (Some(field), Some(v)) => states.put(&field, &[("instance", &name)], v),
                _ => raw.skip(input.file, Some(number), "field that is not a number", 1),
            }
        } else if let Some(parsed) = states::stamp(line, input.zone) {
            stamp = Some(parsed.at);
            if parsed.zone_assumed {
                raw.zone_assumed(input.file);
            }
        } else if !line.is_empty() {
            raw.skip(input.file, Some(number), "not a line of CLUSTER INFO or NODES", 1);
        }
    }
    // The nodes' own clock: the last answer came just before.
    if let (None, Some(at)) = (states.at(), newest) {
        states.set_at(at);
    }
    states.finish(input, raw);
}

/// The exporter's name of a field of `CLUSTER INFO`; it has none for counts by kind of message.
fn field(key: &str) -> Option<String> {
    match key {
        "cluster_stats_messages_sent" | "cluster_stats_messages_received" => {
            Some(format!("redis_{}_total", key.replace("stats_", "")))
        }
        k if k.starts_with("cluster_") || k.starts_with("total_cluster_") => {
            Some(format!("redis_{k}"))
        }
        _ => None,
    }
}

fn one(node: &Node, states: &mut States) {
    let up = !node.flags.iter().any(|f| f.starts_with("fail") || *f == "noaddr") && node.linked;
    let own = [("instance", node.address)];
    states.put("redis_up", &own, f64::from(up));
    states.put("redis_cluster_node_slots", &own, node.slots as f64);
}

/// A node that fails did so after the first ping that it has not answered.
fn failed(node: &Node, line: u64, input: &Input, raw: &mut Raw) {
    let Some(flag) = node.flags.iter().find(|f| ["fail", "fail?"].contains(f)) else { return };
    let Some(at) = node.ping.or(node.pong) else {
        return raw.skip(input.file, Some(line), "failed node without a time", 1);
    };
    let slots = node.slots;
    raw.events.push(RawEvent {
        at,
        kind: "alert".to_owned(),
        service: node.address.to_owned(),
        target: node.address.to_owned(),
        title: format!("cluster node is {flag}: no answer since then, {slots} slots"),
        version: String::new(),
        file: input.file,
        line,
    });
    raw.rows(input.file, 1);
}
