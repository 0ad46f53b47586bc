//! Every failure mode that the product promises, held against the catalogue and its fixtures as one
//! reviewed table: `scenarios.txt` beside this file.
//!
//! The modes and the signatures that stand for them are written here; which recording each one
//! hits and on which look-alikes it stays silent is read from the signatures, and whether a folder
//! was recorded from real servers or made by hand from its label. A mode without a signature, a
//! signature without a hit or without a look-alike fails. A new mode is a new line here; take the
//! table over with
//!
//! ```sh
//! UPDATE_SCENARIOS=1 cargo test --release --locked --test it -- scenarios
//! ```

use super::support::root;
use rootline::catalog::{Catalog, Expect, SignatureFile};
use std::collections::BTreeSet;
use std::fs;

/// A failure mode and the signatures that answer for it.
const MODES: &[(&str, &[&str])] = &[
    // The reference incidents.
    ("one query takes down five services", &["long-running-query-blocking", "cascading-failure"]),
    ("fallback doubles the load", &["fallback-load"]),
    ("memory sawtooth", &["memory-leak-sawtooth"]),
    ("retry storm", &["retry-storm"]),
    ("cache stampede", &["cache-stampede"]),
    ("split brain", &["split-brain"]),
    ("hot partition, hot shard", &["hot-partition"]),
    ("queue overload", &["queue-overload", "queue-producer-surge", "queue-slow-consumer"]),
    ("DNS", &["dns-outage", "dns-latency"]),
    ("service discovery", &["service-discovery-failure"]),
    ("cascading failure", &["cascading-failure"]),
    ("missing index fills the pool", &["missing-index-pool-exhaustion"]),
    ("stale cache", &["stale-cache"]),
    ("third party hangs", &["third-party-hang"]),
    ("restarting service", &["restarting-service"]),
    ("silent degradation of a model", &["silent-model-degradation"]),
    ("missing metrics", &["telemetry-blind-spot"]),
    ("DDoS", &["ddos-storm"]),
    ("certificate expired", &["certificate-expired"]),
    ("split brain of databases", &["database-split-brain"]),
    // Database contention.
    ("idle in transaction", &["idle-in-transaction-blocker", "prepared-transaction-blocker"]),
    ("DDL lock queue", &["ddl-lock-queue"]),
    ("long writer", &["long-writer"]),
    ("hot row", &["hot-row"]),
    ("deadlock burst", &["deadlock-burst"]),
    ("autovacuum against wraparound", &["autovacuum-wraparound-block"]),
    ("LWLock lock_manager", &["lwlock-lock-manager"]),
    ("subtransaction SLRU", &["subtrans-slru"]),
    ("advisory-lock convoy", &["advisory-lock-convoy"]),
    ("blocker not to be seen", &["lock-contention"]),
    ("recovery conflict", &["recovery-conflict"]),
    // Database resources and plans.
    ("max_connections", &["max-connections"]),
    ("plan regression", &["plan-regression"]),
    ("N+1", &["n-plus-one"]),
    ("database IO", &["db-io-saturation"]),
    ("database CPU", &["db-cpu-saturation"]),
    ("temp spill", &["temp-spill"]),
    ("replica lag", &["replica-lag"]),
    ("checkpoint storm", &["checkpoint-storm"]),
    ("disk full by WAL", &["disk-full-wal"]),
    ("bloat", &["vacuum-starved-bloat"]),
    ("failover", &["database-failover"]),
    // Pools, queues, threads.
    ("pool leak", &["pool-leak"]),
    ("pool undersized", &["pool-undersized"]),
    ("pool is a victim", &["pool-victim-of-slow-dependency"]),
    ("PgBouncer queue", &["pgbouncer-queue"]),
    ("thread pool", &["thread-pool-starvation"]),
    ("event loop or interpreter lock", &["event-loop-blocked", "single-core-saturation"]),
    (
        "consumer lag",
        &[
            "queue-slow-consumer",
            "queue-consumer-gone",
            "poison-message",
            "poison-message-requeued",
        ],
    ),
    ("broker back-pressure", &["broker-backpressure"]),
    // Overload and feedback.
    ("traffic surge", &["traffic-surge"]),
    ("cold start", &["cold-start", "cold-cache"]),
    ("rate-limited dependency", &["rate-limited-dependency"]),
    ("noisy client", &["noisy-client"]),
    ("eviction storm", &["cache-eviction-storm"]),
    // Resources of an instance.
    ("GC thrash", &["gc-thrash"]),
    ("CPU throttling", &["cpu-throttling"]),
    ("noisy neighbour", &["noisy-neighbour"]),
    (
        "descriptors, ports, conntrack",
        &["file-descriptors-exhausted", "ephemeral-ports-exhausted", "conntrack-full"],
    ),
    ("disk or inodes full", &["disk-full"]),
    // Dependencies, network, platform, change.
    ("slow or failing dependency", &["slow-dependency", "failing-dependency"]),
    ("packet loss or latency", &["network-latency"]),
    ("rotated credential", &["credential-rotated"]),
    ("bad deploy", &["bad-deploy"]),
    ("config or flag", &["config-or-flag-change"]),
    ("probe misfire", &["probe-misfire"]),
    (
        "rollout, scale, autoscaler, node",
        &["rollout-stuck", "scaled-to-zero", "autoscaler-maxed", "node-not-ready"],
    ),
    ("policy or port", &["policy-or-port-misroute"]),
    ("clock skew", &["clock-skew"]),
    ("leader elections", &["leader-election-storm"]),
    // Nothing is wrong.
    ("healthy", &["healthy"]),
    ("expected load", &["expected-load"]),
];

/// `real` or `hand`, as the label of a recording says.
fn source(fixture: &str) -> String {
    let path = root().join(fixture).join("truth.toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let label: toml::Table = text.parse().unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    label["source"].as_str().unwrap_or_else(|| panic!("{fixture}: no source")).to_owned()
}

/// The fixtures of a signature's tests that expect `expect`, each with its source.
fn tested(signature: &SignatureFile, expect: Expect) -> Vec<String> {
    let tests = signature.test.iter().filter(|t| t.expect == expect);
    tests
        .map(|t| {
            let name = t.fixture.rsplit('/').next().unwrap_or(&t.fixture);
            format!("{name} ({})", source(&t.fixture))
        })
        .collect()
}

/// One line per mode and signature; what is missing is said in `faults`.
fn table(catalog: &Catalog, faults: &mut Vec<String>) -> Vec<String> {
    let mut lines = Vec::new();
    for (mode, ids) in MODES {
        for id in *ids {
            let found = catalog.signatures.iter().find(|s| s.signature.id == *id);
            let Some(signature) = found else {
                faults.push(format!("{mode}: no signature {id}"));
                continue;
            };
            let hits = tested(signature, Expect::Match);
            let silent = tested(signature, Expect::NoMatch);
            if hits.is_empty() {
                faults.push(format!("{mode}: no fixture on which {id} must match"));
            }
            if silent.is_empty() {
                faults.push(format!("{mode}: no look-alike on which {id} must be silent"));
            }
            lines.push(format!("{mode} | {id} | {} | {}", hits.join(", "), silent.join(", ")));
        }
    }
    lines
}

#[test]
fn every_promised_mode_has_a_signature_a_hit_and_a_look_alike() {
    let catalog = Catalog::built_in().expect("the built-in catalogue is sound");
    let mut faults = Vec::new();
    let now = table(&catalog, &mut faults).join("\n") + "\n";
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let path = root().join("tests/it/scenarios.txt");
    if std::env::var_os("UPDATE_SCENARIOS").is_some_and(|v| v == "1") {
        fs::write(&path, now).expect("the table can be written");
        return;
    }
    let reviewed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        reviewed == now,
        "the table changed; look, then\n  \
         UPDATE_SCENARIOS=1 cargo test --release --locked --test it -- scenarios\n{now}"
    );
}

#[test]
fn every_signature_answers_for_a_mode() {
    let catalog = Catalog::built_in().expect("the built-in catalogue is sound");
    let named: BTreeSet<&str> = MODES.iter().flat_map(|(_, ids)| ids.iter().copied()).collect();
    let idle: Vec<&str> = catalog
        .signatures
        .iter()
        .map(|s| s.signature.id.as_str())
        .filter(|id| !named.contains(id))
        .collect();
    assert!(idle.is_empty(), "signatures of no promised mode: {idle:?}");
}
