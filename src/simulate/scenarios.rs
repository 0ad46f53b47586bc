//! The scenarios that come with the program.

use super::scenario::{self, Scenario};
use crate::error::{Error, Result};

/// Id and text of each, sorted by id.
pub const SCENARIOS: &[(&str, &str)] = &[
    ("autoscaler-maxed", include_str!("scenarios/autoscaler-maxed.toml")),
    ("bad-deploy", include_str!("scenarios/bad-deploy.toml")),
    ("cache-flushed", include_str!("scenarios/cache-flushed.toml")),
    ("cascade", include_str!("scenarios/cascade.toml")),
    ("certificate-expired", include_str!("scenarios/certificate-expired.toml")),
    ("connections-exhausted", include_str!("scenarios/connections-exhausted.toml")),
    ("contract-day", include_str!("scenarios/contract-day.toml")),
    ("credential-rotated", include_str!("scenarios/credential-rotated.toml")),
    ("disk-slow", include_str!("scenarios/disk-slow.toml")),
    ("failing-dependency", include_str!("scenarios/failing-dependency.toml")),
    ("failover", include_str!("scenarios/failover.toml")),
    ("healthy-peak", include_str!("scenarios/healthy-peak.toml")),
    ("healthy-release", include_str!("scenarios/healthy-release.toml")),
    ("healthy-report", include_str!("scenarios/healthy-report.toml")),
    ("healthy-shop", include_str!("scenarios/healthy-shop.toml")),
    ("healthy-single-flight", include_str!("scenarios/healthy-single-flight.toml")),
    ("hot-partition-lab", include_str!("scenarios/hot-partition-lab.toml")),
    ("idle-transaction", include_str!("scenarios/idle-transaction.toml")),
    ("long-writer", include_str!("scenarios/long-writer.toml")),
    ("memory-sawtooth", include_str!("scenarios/memory-sawtooth.toml")),
    ("missing-index", include_str!("scenarios/missing-index.toml")),
    ("missing-metrics", include_str!("scenarios/missing-metrics.toml")),
    ("n-plus-one", include_str!("scenarios/n-plus-one.toml")),
    ("names-slow", include_str!("scenarios/names-slow.toml")),
    ("names-unreachable", include_str!("scenarios/names-unreachable.toml")),
    ("network-slow", include_str!("scenarios/network-slow.toml")),
    ("noisy-client", include_str!("scenarios/noisy-client.toml")),
    ("peak-sunday", include_str!("scenarios/peak-sunday.toml")),
    ("plan-regression", include_str!("scenarios/plan-regression.toml")),
    ("poison-message", include_str!("scenarios/poison-message.toml")),
    ("pool-leak", include_str!("scenarios/pool-leak.toml")),
    ("pool-undersized", include_str!("scenarios/pool-undersized.toml")),
    ("probe-misfire", include_str!("scenarios/probe-misfire.toml")),
    ("queue-consumer-gone", include_str!("scenarios/queue-consumer-gone.toml")),
    ("queue-producer-surge", include_str!("scenarios/queue-producer-surge.toml")),
    ("queue-slow-consumer", include_str!("scenarios/queue-slow-consumer.toml")),
    ("rate-limited", include_str!("scenarios/rate-limited.toml")),
    ("registry-unreachable", include_str!("scenarios/registry-unreachable.toml")),
    ("restarting-checkout", include_str!("scenarios/restarting-checkout.toml")),
    ("retry-storm-lab", include_str!("scenarios/retry-storm-lab.toml")),
    ("scaled-to-zero", include_str!("scenarios/scaled-to-zero.toml")),
    ("schema-change-queue", include_str!("scenarios/schema-change-queue.toml")),
    ("slow-dependency", include_str!("scenarios/slow-dependency.toml")),
    ("stale-cache", include_str!("scenarios/stale-cache.toml")),
    ("stampede-lab", include_str!("scenarios/stampede-lab.toml")),
    ("third-party-hang", include_str!("scenarios/third-party-hang.toml")),
    ("traffic-surge", include_str!("scenarios/traffic-surge.toml")),
];

/// The scenario with this id.
///
/// # Errors
///
/// When there is none, with all that there are.
pub fn named(id: &str) -> Result<Scenario> {
    let Some((id, text)) = SCENARIOS.iter().find(|(known, _)| *known == id) else {
        let all = SCENARIOS.iter().map(|(id, _)| *id).collect::<Vec<_>>().join(", ");
        return Err(Error::usage(id, "no such scenario").hint(format!("scenarios: {all}")));
    };
    scenario::read(&format!("{id}.toml"), text)
}
