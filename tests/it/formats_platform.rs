//! Exports of platforms, stores and queues: names, labels, units, times, counts and gaps.
//!
//! Kubernetes: written by the API's schema (core/v1, apps/v1, autoscaling/v2, events.k8s.io/v1) as
//! kubectl prints it, from the samples of the format's reference; no cluster was at hand.
//! Redis: 7.0.15 of Debian 12 on loopback under redis-benchmark (a server with 12 clients at most,
//! its replica, a cluster of three of which one was ended); only the `os:` line was replaced.
//! RabbitMQ: 3.10.8 of Debian 12 on loopback, three queues and one consumer that holds five
//! messages. HAProxy: 2.6.12 of Debian 12, one server up and one down; `snapshots.csv` is two
//! answers with `date -Is` before each.
//! Changes: by the schemas of the APIs of GitHub, GitLab, Argo CD, LaunchDarkly and Unleash.
//! Kafka: the public transcripts of the format's reference and the tool's older headers.

use super::support::{Scratch, bytes, fixture};
use rootline::ingest::raw::{Raw, RawEvent};
use rootline::ingest::{Settings, read_folder};
use rootline::model::GapKind;
use rootline::time::rfc3339;

fn read(name: &str) -> Raw {
    let path = fixture(name);
    read_folder(&path, &Settings::default()).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Reads one file of these bytes.
fn read_bytes(name: &str, content: &[u8]) -> Result<Raw, String> {
    let folder = Scratch::with(&[(name, content)]);
    read_folder(folder.path(), &Settings::default()).map_err(|e| e.to_string())
}

/// Samples of the series of that name with all of these labels.
fn samples(raw: &Raw, name: &str, labels: &[(&str, &str)]) -> Vec<(String, f64)> {
    let fits = |s: &&rootline::ingest::raw::RawSeries| {
        s.name == name && labels.iter().all(|(k, v)| s.labels.get(*k).is_some_and(|x| x == v))
    };
    let found: Vec<_> = raw.series.iter().filter(fits).collect();
    let known: Vec<_> = raw.series.iter().map(|s| (&s.name, &s.labels)).collect();
    let [series] = found[..] else { panic!("{} times {name} {labels:?}: {known:?}", found.len()) };
    series.samples.iter().map(|(t, v)| (rfc3339(t), v)).collect()
}

/// The only value of a series.
fn value(raw: &Raw, name: &str, labels: &[(&str, &str)]) -> f64 {
    let all = samples(raw, name, labels);
    let [(_, value)] = &all[..] else { panic!("{name}: {all:?}") };
    *value
}

fn has_gap(raw: &Raw, kind: GapKind, line: Option<u64>, words: &str) -> bool {
    raw.gaps.iter().any(|g| g.kind == kind && g.line == line && g.what.contains(words))
}

/// Kind, service, target, time and title of each event.
fn events(raw: &Raw) -> Vec<[String; 5]> {
    let row = |e: &RawEvent| {
        [e.kind.clone(), e.service.clone(), e.target.clone(), rfc3339(e.at), e.title.clone()]
    };
    raw.events.iter().map(row).collect()
}

fn has_event(raw: &Raw, want: [&str; 4], words: &str) -> bool {
    events(raw).iter().any(|e| e[..4] == want && e[4].contains(words))
}

/// No cut, line ending or byte order mark makes a reader panic or say nothing.
fn survives(name: &str) {
    let whole = bytes(name);
    let file = name.rsplit('/').next().expect("a file's name");
    for tenth in 1..10 {
        let cut = &whole[..whole.len() * tenth / 10];
        if let Ok(raw) = read_bytes(file, cut) {
            assert!(raw.files[0].rows > 0 || !raw.gaps.is_empty(), "{name} cut at {}", cut.len());
        }
    }
    // Bytes at the places of a simple congruence are replaced: a panic ends the test.
    for (i, byte) in (0..48_usize).zip(b"{}[],:\"'\n\t-#9\\ \xff".iter().cycle()) {
        let mut broken = whole.clone();
        let place = (i * 7919 + 13) % broken.len();
        broken[place] = *byte;
        let _ = read_bytes(file, &broken);
    }
    let text = String::from_utf8(whole).expect("fixtures are UTF-8").replace("\r\n", "\n");
    let rows =
        |content: &[u8]| read_bytes(file, content).map(|r| (r.files[0].rows, r.series.len()));
    let plain = rows(text.as_bytes()).expect("read");
    assert_eq!(rows(text.replace('\n', "\r\n").as_bytes()).expect("CRLF"), plain, "{name}");
    assert_eq!(rows(format!("\u{feff}{text}").as_bytes()).expect("BOM"), plain, "{name}");
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(rows(&[&b"\xff\xfe"[..], &wide].concat()).expect("UTF-16"), plain, "{name}");
}

const POD: (&str, &str) = ("pod", "api-7f9d8b6c5-x2v4z");

#[test]
fn an_oom_killed_container_is_a_restart_at_the_time_at_which_it_ended() {
    for name in ["pods-2026-05-01T10-10-00Z", "podlist-2026-05-01T10-10-00Z"] {
        let raw = read(&format!("formats/kubernetes/{name}.json"));
        let want = ["restart", "api", "api-7f9d8b6c5-x2v4z", "2026-05-01T10:05:31Z"];
        let title = "OOMKilled: container api ended with exit code 137, restart 3";
        assert!(has_event(&raw, want, title), "{:?}", events(&raw));
        assert_eq!(raw.events.iter().find(|e| e.target == POD.1).expect("it").version, "1.42");
        assert!(
            raw.gaps.iter().any(|g| g.what.contains("restarts without a time") && g.count == 2)
        );
        let container = [POD, ("container", "api"), ("namespace", "shop")];
        let restarts = samples(&raw, "kube_pod_container_status_restarts_total", &container);
        assert_eq!(restarts, [("2026-05-01T10:10:00Z".to_owned(), 3.0)]);
        let of = |name: &str, label| value(&raw, name, &[container[0], container[1], label]);
        let oom = ("reason", "OOMKilled");
        assert_eq!(of("kube_pod_container_status_last_terminated_reason", oom), 1.0);
        let waiting = ("reason", "CrashLoopBackOff");
        assert_eq!(of("kube_pod_container_status_waiting_reason", waiting), 1.0);
        let limit = |r| of("kube_pod_container_resource_limits", r);
        assert_eq!(limit(("resource", "memory")), 536_870_912.0);
        assert_eq!(limit(("unit", "core")), 0.5);
        let request = |r| of("kube_pod_container_resource_requests", r);
        assert_eq!(request(("resource", "memory")), 128_974_848.0);
        assert_eq!(value(&raw, "kube_pod_status_ready", &[POD, ("condition", "true")]), 0.0);
    }
}

#[test]
fn pods_give_evictions_init_containers_and_nodes() {
    let raw = read("formats/kubernetes/pods-2026-05-01T10-10-00Z.json");
    let evicted = ["restart", "orders-db", "orders-db-0", "2026-05-01T10:06:10Z"];
    assert!(has_event(&raw, evicted, "Evicted: The node was low on resource"), "{raw:?}");
    let init = ["restart", "migrate", "migrate-28391820-abcde", "2026-05-01T08:59:30Z"];
    assert!(has_event(&raw, init, "exit code 1, signal 15, restart 1"), "{:?}", events(&raw));
    // OOMKilled, Evicted, the init container; what completed is no restart.
    assert_eq!(raw.events.len(), 3, "{:?}", events(&raw));
    let gpu = [("pod", "orders-db-0"), ("resource", "nvidia_com_gpu"), ("unit", "integer")];
    assert_eq!(value(&raw, "kube_pod_container_resource_limits", &gpu), 1.0);
    assert!(has_gap(&raw, GapKind::Skipped, Some(225), "quantity \"lots\""), "{:?}", raw.gaps);
    let edge = raw.edges.iter().find(|e| e.caller == "orders-db").expect("runs on a node");
    assert_eq!((edge.callee.as_str(), edge.kind.as_str()), ("n1", "runs-on"));
    assert!(!format!("{raw:?}").contains("hunter2"), "secrets stay inside the reader");
}

#[test]
fn a_single_pod_is_taken_no_earlier_than_what_it_tells_of() {
    let raw = read("formats/kubernetes/pod-2026-05-01T10-00-00Z.json");
    let restarts = samples(&raw, "kube_pod_container_status_restarts_total", &[POD]);
    assert_eq!(restarts, [("2026-05-01T10:05:32Z".to_owned(), 3.0)]);
    assert!(has_gap(&raw, GapKind::Inferred, None, "newest time in the file"), "{:?}", raw.gaps);
}

#[test]
fn events_have_the_time_of_their_last_sight_and_their_count() {
    let raw = read("formats/kubernetes/events.json");
    let pod = POD.1;
    let restart = ["restart", "api", pod, "2026-05-01T10:07:00Z"];
    let title = "BackOff: Back-off restarting failed container (x18 since 2026-05-01T10:00:00Z)";
    assert!(has_event(&raw, restart, title), "{:?}", events(&raw));
    // Two probes fail: one alert, with the later message and both counts.
    let alert = ["alert", "api", pod, "2026-05-01T10:06:00Z"];
    assert!(has_event(&raw, alert, "503 (x8 since 2026-05-01T10:02:00Z)"), "{:?}", events(&raw));
    let oom = ["restart", "n1", "n1", "2026-05-01T10:05:31Z"];
    assert!(has_event(&raw, oom, "OOMKilling: Memory cgroup out of memory"));
    assert!(has_event(&raw, ["scale", "api", "api", "2026-05-01T09:58:00Z"], "to 4 from 2"));
    let image = ["alert", "web", "web-5c9f7d6b4-q8r2t", "2026-05-01T10:04:00Z"];
    assert!(has_event(&raw, image, "Back-off pulling image"));
    // eventTime only.
    let unplaced = ["alert", "cart", "cart-0", "2026-05-01T10:02:30.123456Z"];
    assert!(has_event(&raw, unplaced, "Insufficient memory"), "{:?}", events(&raw));
    assert!(
        has_gap(&raw, GapKind::Skipped, Some(193), "without a readable time"),
        "{:?}",
        raw.gaps
    );
    let expire: Vec<_> = raw.gaps.iter().filter(|g| g.what.contains("for an hour")).collect();
    assert_eq!((expire.len(), raw.files[0].rows, raw.events.len()), (1, 6, 6));
    assert!(!format!("{raw:?}").contains("hunter2"), "secrets stay inside the reader");
}

#[test]
fn events_of_the_newer_api_and_of_event_logs_are_the_same() {
    let raw = read("formats/kubernetes/events-v1.json");
    let killed = ["restart", "api", POD.1, "2026-05-01T10:06:30.5Z"];
    assert!(has_event(&raw, killed, "liveness probe, will be restarted (x3 since"), "{raw:?}");
    let scaled = ["scale", "api", "api", "2026-05-01T09:58:00Z"];
    assert!(has_event(&raw, scaled, "New size: 4; reason: cpu"), "{:?}", events(&raw));
    // Three updates of one event, bare and in two wrappings.
    let raw = read("formats/kubernetes/event-log.jsonl");
    let title = "BackOff: Back-off restarting failed container (x7 since 2026-05-01T10:00:00Z)";
    let one = ["restart", "api", POD.1, "2026-05-01T10:07:00Z", title].map(str::to_owned);
    assert_eq!(events(&raw), [one]);
}

#[test]
fn controllers_give_rollouts_replicas_and_conditions() {
    let raw = read("formats/kubernetes/workloads-2026-05-01T10-10-00Z.json");
    let made = ["deploy", "api", "api-7f9d8b6c5", "2026-05-01T09:57:00Z"];
    assert!(has_event(&raw, made, "rollout of revision 2"), "{:?}", events(&raw));
    assert!(raw.events.iter().any(|e| e.version == "1.42" && e.target == "api-7f9d8b6c5"));
    let first = ["deploy", "api", "api-6d5c4b7f8", "2026-04-20T09:00:00Z"];
    assert!(has_event(&raw, first, "rollout of revision 1"));
    assert!(has_gap(&raw, GapKind::Missing, None, "used again"), "{:?}", raw.gaps);
    let at = |kind, time| [kind, "api", "api", time];
    assert!(has_event(&raw, at("restart", "2026-05-01T10:03:00Z"), "rollout restart"));
    assert!(has_event(&raw, at("deploy", "2026-05-01T10:04:20Z"), "revision 3 complete"));
    assert!(has_event(&raw, at("alert", "2026-05-01T10:05:40Z"), "MinimumReplicasUnavailable"));
    assert!(has_event(&raw, at("scale", "2026-05-01T09:58:00Z"), "4 replicas wanted"));
    let lost = ["alert", "n2", "n2", "2026-05-01T10:06:40Z"];
    assert!(has_event(&raw, lost, "Ready Unknown, NodeStatusUnknown"), "{:?}", events(&raw));
    let api = [("deployment", "api")];
    assert_eq!(value(&raw, "kube_deployment_status_replicas_available", &api), 3.0);
    assert_eq!(value(&raw, "kube_horizontalpodautoscaler_spec_max_replicas", &api), 4.0);
    let cpu = [("node", "n2"), ("resource", "cpu")];
    assert_eq!(value(&raw, "kube_node_status_allocatable", &cpu), 3.92);
    let api = [("endpoint", "api"), ("service", "api")];
    assert_eq!(value(&raw, "kube_endpoint_address_available", &api), 3.0);
    assert_eq!(value(&raw, "kube_endpoint_address_not_ready", &api), 1.0);
    assert!(raw.gaps.iter().any(|g| g.what.contains("ConfigMap: not read of this kind")));
    assert!(!format!("{raw:?}").contains("hunter2"), "secrets stay inside the reader");
}

#[test]
fn what_kubectl_writes_for_people_is_refused_with_a_hint() {
    for (name, hint) in [
        ("describe.txt", "`kubectl describe`: export with `kubectl get -o json`"),
        ("events.txt", "`kubectl get events`: export with `-o json`"),
        ("pods.yaml", "Kubernetes YAML: export with `-o json`"),
    ] {
        let said = read_bytes(name, &bytes(&format!("formats/kubernetes/{name}")));
        assert!(said.as_ref().is_err_and(|e| e.contains(hint)), "{name}: {said:?}");
    }
    let empty = read("formats/kubernetes/empty.json");
    assert!(has_gap(&empty, GapKind::Missing, None, "not one row"), "{:?}", empty.gaps);
}

#[test]
fn kubernetes_exports_survive_cuts_and_encodings() {
    survives("formats/kubernetes/pods-2026-05-01T10-10-00Z.json");
    survives("formats/kubernetes/events.json");
    survives("formats/kubernetes/event-log.jsonl");
    survives("formats/kubernetes/workloads-2026-05-01T10-10-00Z.json");
}

const CART: (&str, &str) = ("instance", "cart-redis");

#[test]
fn info_gives_the_values_under_the_exporters_names() {
    let raw = read("formats/redis-info/cart-redis-info.txt");
    let at = "2026-11-21T04:27:22.580847Z".to_owned();
    let used = samples(&raw, "redis_memory_used_bytes", &[CART]);
    let fixture = bytes("formats/redis-info/cart-redis-info.txt");
    let text = String::from_utf8(fixture).expect("the fixture is UTF-8");
    let said = |key: &str| -> f64 {
        let line = text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(':'));
        line.and_then(|v| v.parse().ok()).unwrap_or_else(|| panic!("{key}"))
    };
    let micros = said("server_time_usec") as i64;
    assert_eq!(used, [(rfc3339(micros), said("used_memory"))], "{at}");
    for (field, name) in [
        ("maxmemory", "redis_memory_max_bytes"),
        ("connected_clients", "redis_connected_clients"),
        ("blocked_clients", "redis_blocked_clients"),
        ("keyspace_hits", "redis_keyspace_hits_total"),
        ("keyspace_misses", "redis_keyspace_misses_total"),
        ("total_commands_processed", "redis_commands_processed_total"),
        ("mem_fragmentation_ratio", "redis_mem_fragmentation_ratio"),
    ] {
        assert_eq!(value(&raw, name, &[CART]), said(field), "{name}");
    }
    assert_eq!(value(&raw, "redis_max_clients", &[CART]), 12.0);
    assert_eq!(value(&raw, "redis_blocked_clients", &[CART]), 1.0);
    let db = [CART, ("db", "db0")];
    assert_eq!(value(&raw, "redis_db_keys_expiring", &db), 1.0);
    let replica = [CART, ("slave_port", "7392"), ("slave_state", "online")];
    assert_eq!(value(&raw, "redis_connected_slave_lag_seconds", &replica), 0.0);
    assert!(has_gap(&raw, GapKind::Missing, None, "one snapshot"), "{:?}", raw.gaps);
    assert_eq!(raw.files[0].skipped, 0, "{:?}", raw.gaps);
    let raw = read("formats/redis-info/cart-replica-info.txt");
    let own = ("instance", "cart-replica");
    assert_eq!(value(&raw, "redis_master_link_up", &[own]), 1.0);
    assert_eq!(value(&raw, "redis_instance_info", &[own, ("role", "slave")]), 1.0);
}

#[test]
fn snapshots_of_info_are_the_same_values_as_the_exporters() {
    let raw = read("formats/redis-info/cart-redis-appended.txt");
    let rejected = samples(&raw, "redis_rejected_connections_total", &[CART]);
    assert_eq!(rejected.len(), 2);
    assert!(rejected[0].1 > 0.0 && rejected[0].0 < rejected[1].0, "{rejected:?}");
    assert!(!raw.gaps.iter().any(|g| g.what.contains("one snapshot")), "{:?}", raw.gaps);
    // What Prometheus would have scraped at those times.
    let hits = samples(&raw, "redis_keyspace_hits_total", &[CART]);
    let [a, b] = &hits[..] else { panic!("{hits:?}") };
    let seconds = |t: &str| rootline::time::parse(t, &Default::default()).expect("a time").at;
    let text = format!(
        "[{{\"metric\":{{\"__name__\":\"redis_keyspace_hits_total\",\"instance\":\"cart-redis\"}},\
         \"values\":[[{:.6},\"{}\"],[{:.6},\"{}\"]]}}]",
        seconds(&a.0) as f64 / 1e6,
        a.1,
        seconds(&b.0) as f64 / 1e6,
        b.1
    );
    let scraped = read_bytes("scraped.json", text.as_bytes()).expect("a Prometheus answer");
    assert_eq!(samples(&scraped, "redis_keyspace_hits_total", &[CART]), hits);
}

#[test]
fn snapshots_of_older_servers_are_dated_by_their_uptime() {
    let section = |up: u32, hits: u32, run: &str| {
        format!(
            "# Server\r\nredis_version:5.0.7\r\nrun_id:{run}\r\ntcp_port:6379\r\nuptime_in_seconds:{up}\r\n# Stats\r\nkeyspace_hits:{hits}\r\n"
        )
    };
    let text = [section(900, 5, "a"), section(10, 1, "b"), section(40, 9, "b")].concat();
    let raw = read_bytes("shop 2026-11-20 20:10.txt", text.as_bytes()).expect("INFO");
    let hits = samples(&raw, "redis_keyspace_hits_total", &[("instance", "shop")]);
    let at = |t: &str, v| (format!("2026-11-20T20:{t}Z"), v);
    assert_eq!(hits, [at("09:30", 1.0), at("10:00", 9.0)]);
    assert!(has_gap(&raw, GapKind::Skipped, Some(1), "time is not known"), "{:?}", raw.gaps);
    assert!(has_event(&raw, ["restart", "shop", "shop", "2026-11-20T20:09:20Z"], "started again"));
}

#[test]
fn a_cluster_tells_its_state_and_its_failed_node() {
    let own = ("instance", "redis");
    let good = read("formats/redis-cluster/cluster-info-2026-11-21T04-27-37Z.txt");
    let bad = read("formats/redis-cluster/cluster-info-2026-11-21T04-27-56Z.txt");
    let of = |raw: &Raw, name: &str| value(raw, &format!("redis_cluster_{name}"), &[own]);
    assert_eq!((of(&good, "state"), of(&good, "slots_fail")), (1.0, 0.0));
    assert_eq!((of(&bad, "state"), of(&bad, "slots_fail")), (0.0, 5462.0));
    assert_eq!((of(&bad, "current_epoch"), of(&bad, "messages_sent_total")), (2.0, 51.0));
    let state = samples(&bad, "redis_cluster_state", &[own]);
    assert_eq!(state[0].0, "2026-11-21T04:27:56Z");
    let nodes = read("formats/redis-cluster/cluster-nodes.txt");
    let down = [("instance", "127.0.0.1:7403")];
    assert_eq!(
        samples(&nodes, "redis_up", &down),
        [("2026-11-21T04:27:56.500Z".to_owned(), 0.0)].map(|(t, v)| (t.replace(".500", ".5"), v))
    );
    assert_eq!(value(&nodes, "redis_up", &[("instance", "127.0.0.1:7402")]), 1.0);
    assert_eq!(value(&nodes, "redis_cluster_node_slots", &down), 5462.0);
    let alert = ["alert", "127.0.0.1:7403", "127.0.0.1:7403", "2026-11-21T04:27:41.443Z"];
    assert!(has_event(&nodes, alert, "fail: no answer since then"), "{:?}", events(&nodes));
}

#[test]
fn hot_keys_keep_no_names_and_say_that_they_are_logarithmic() {
    let name = "formats/redis-hotkeys/cart-redis-hotkeys-2026-11-21T04-27-20Z.txt";
    let raw = read(name);
    // Sixteen in the summary; the progress lines say them again.
    assert_eq!(raw.series.len(), 16, "{:?}", raw.series.len());
    assert!(raw.series.iter().all(|s| s.labels["key"].starts_with("key:#")));
    assert!(has_gap(&raw, GapKind::Doubtful, None, "logarithmic"), "{:?}", raw.gaps);
    assert!(!format!("{raw:?}").contains("key:00"), "names of keys stay inside the reader");
    let whole = bytes(name);
    let cut = whole.windows(8).position(|w| w == b"hot key ").expect("a summary");
    let raw = read_bytes("keys-2026-11-21T04-27-20Z.txt", &whole[..cut]).expect("progress lines");
    assert!(has_gap(&raw, GapKind::Truncated, None, "no summary"), "{:?}", raw.gaps);
    assert!(raw.series.len() > 10 && !format!("{raw:?}").contains("key:00"));
    let error = b"# Scanning the entire keyspace to find hot keys as well as\n\nError: ERR An LFU maxmemory policy is not selected\n";
    let raw = read_bytes("keys.txt", error).expect("recognised");
    assert!(has_gap(&raw, GapKind::Missing, Some(3), "LFU maxmemory policy"), "{:?}", raw.gaps);
}

#[test]
fn redis_exports_survive_cuts_and_encodings() {
    survives("formats/redis-info/cart-redis-info.txt");
    survives("formats/redis-cluster/cluster-info-2026-11-21T04-27-56Z.txt");
    survives("formats/redis-cluster/cluster-nodes.txt");
    survives("formats/redis-hotkeys/cart-redis-hotkeys-2026-11-21T04-27-20Z.txt");
}

/// Lag of a partition in an export taken at 04:00.
fn lag(raw: &Raw, group: &str, topic: &str, partition: &str) -> f64 {
    let labels = [("consumergroup", group), ("topic", topic), ("partition", partition)];
    let all = samples(raw, "kafka_consumergroup_lag", &labels);
    assert_eq!(all[0].0, "2026-11-21T04:00:00Z");
    all[0].1
}

#[test]
fn consumer_groups_give_lag_and_offsets() {
    for (name, rows) in [("one-group", 9), ("verbose", 7)] {
        let raw = read(&format!("formats/kafka-groups/{name}-2026-11-21T04-00-00Z.txt"));
        assert_eq!(lag(&raw, "customer-app", "customer-avro", "0"), 366.0);
        assert_eq!(lag(&raw, "customer-app", "customer-avro", "3"), 0.0);
        let end = [("topic", "customer-avro"), ("partition", "0")];
        assert_eq!(value(&raw, "kafka_topic_partition_current_offset", &end), 1566.0);
        let members = [("consumergroup", "customer-app")];
        assert_eq!(value(&raw, "kafka_consumergroup_members", &members), 1.0);
        assert_eq!(raw.files[0].rows, rows, "{:?}", raw.series);
        assert!(!format!("{raw:?}").contains("10.1.2.3"), "hosts of clients are not kept");
    }
    let raw = read("formats/kafka-groups/one-group-2026-11-21T04-00-00Z.txt");
    assert!(has_gap(&raw, GapKind::Skipped, Some(5), "without a lag"), "{:?}", raw.gaps);
}

#[test]
fn several_groups_stand_behind_one_another() {
    let raw = read("formats/kafka-groups/all-groups-2026-11-21T04-00-00Z.txt");
    assert_eq!(lag(&raw, "mail sender", "mails", "0"), 500.0);
    assert_eq!(lag(&raw, "audit", "mails", "0"), 5.0);
    assert_eq!(lag(&raw, "billing", "invoices", "0"), 2.0);
    let members = |group| value(&raw, "kafka_consumergroup_members", &[("consumergroup", group)]);
    assert_eq!((members("mail sender"), members("audit")), (0.0, 1.0));
    let end = [("topic", "mails"), ("partition", "0")];
    assert_eq!(value(&raw, "kafka_topic_partition_current_offset", &end), 510.0);
    assert!(has_event(
        &raw,
        ["alert", "billing", "billing", "2026-11-21T04:00:00Z"],
        "rebalancing"
    ));
    assert!(has_gap(&raw, GapKind::Skipped, Some(15), "row without a readable"), "{:?}", raw.gaps);
    assert!(has_gap(&raw, GapKind::Missing, Some(17), "'nobody' does not exist"), "{:?}", raw.gaps);
}

#[test]
fn older_forms_of_consumer_groups_are_read() {
    let raw = read("formats/kafka-groups/old-2026-11-21T04-00-00Z.txt");
    assert_eq!(lag(&raw, "payments", "charges", "0"), 3.0);
    let raw = read("formats/kafka-groups/owner-2026-11-21T04-00-00Z.txt");
    assert_eq!(lag(&raw, "legacy", "clicks", "0"), 30.0);
    let end = [("topic", "clicks"), ("partition", "1")];
    assert_eq!(value(&raw, "kafka_topic_partition_current_offset", &end), 8.0);
    assert!(has_gap(&raw, GapKind::Skipped, Some(3), "without a lag"), "{:?}", raw.gaps);
    let one = bytes("formats/kafka-groups/one-group-2026-11-21T04-00-00Z.txt");
    let one = String::from_utf8(one).expect("UTF-8");
    let timed = format!("2026-11-21T03:59:00Z\n{one}2026-11-21T04:00:00Z\n{one}");
    let raw = read_bytes("groups.txt", timed.as_bytes()).expect("two snapshots");
    let labels = [("topic", "customer-avro"), ("partition", "0")];
    assert_eq!(samples(&raw, "kafka_consumergroup_lag", &labels).len(), 2);
    survives("formats/kafka-groups/all-groups-2026-11-21T04-00-00Z.txt");
    survives("formats/kafka-groups/owner-2026-11-21T04-00-00Z.txt");
}

#[test]
fn queues_are_the_same_in_every_form() {
    let read = |form: &str| read(&format!("formats/rabbitmq/{form}"));
    let (json, text) =
        (read("queues-2026-11-21T04-31-20Z.json"), read("queues-2026-11-21T04-31-20Z.txt"));
    let (csv, api) =
        (read("queues-2026-11-21T04-31-20Z.csv"), read("api-queues-2026-11-21T04-31-20Z.json"));
    let at = "2026-11-21T04:31:20Z";
    let of = |raw: &Raw, queue: &str, name: &str| {
        let all = samples(raw, &format!("rabbitmq_queue_{name}"), &[("queue", queue)]);
        assert_eq!(all[0].0, at);
        all[0].1
    };
    for raw in [&json, &text, &api] {
        assert_eq!(of(raw, "orders", "messages"), 40.0);
        assert_eq!(of(raw, "orders", "messages_ready"), 35.0);
        assert_eq!(of(raw, "orders", "messages_unacked"), 5.0);
        assert_eq!(of(raw, "orders", "consumers"), 1.0);
        assert_eq!(of(raw, "mail jobs", "messages_ready"), 7.0);
        assert_eq!(raw.files[0].skipped, 0, "{:?}", raw.gaps);
    }
    assert_eq!((of(&csv, "orders", "messages"), of(&csv, "orders", "consumers")), (40.0, 1.0));
    let default = read("default-2026-11-21T04-31-20Z.txt");
    assert_eq!((of(&default, "orders", "messages"), default.series.len()), (40.0, 3));
    // The preamble and the management API name the virtual host; the other forms do not.
    let vhost = |raw: &Raw| raw.series[0].labels.get("vhost").cloned();
    assert_eq!([&text, &api].map(vhost), [Some("/".to_owned()), Some("/".to_owned())]);
    assert_eq!([&json, &csv].map(vhost), [None, None]);
    assert_eq!(of(&api, "orders", "messages_published_total"), 40.0);
    assert_eq!(of(&api, "orders", "messages_bytes"), 4000.0);
    assert_eq!(of(&api, "idle", "state"), 1.0);
    assert_eq!(json.series.len(), text.series.len());
}

#[test]
fn empty_drawn_and_broken_queue_listings_say_so() {
    for name in ["empty.txt", "empty.json"] {
        let said = read_bytes(name, &bytes(&format!("formats/rabbitmq/{name}")));
        let spoken = said.as_ref().map_or_else(|e| e.clone(), |r| format!("{:?}", r.gaps));
        assert!(
            spoken.contains("not one row") || spoken.contains("an empty JSON answer"),
            "{spoken}"
        );
    }
    let drawn = read_bytes("pretty.txt", &bytes("formats/rabbitmq/pretty.txt"));
    assert!(drawn.as_ref().is_err_and(|e| e.contains("--formatter json")), "{drawn:?}");
    let bad = b"Listing queues for vhost a ...\nname\tmessages\nq\tmany\nr\nListing queues for vhost b ...\nname\tmessages\nq\t3\n";
    let raw = read_bytes("q-2026-11-21T04-31-20Z.txt", bad).expect("recognised");
    assert!(has_gap(&raw, GapKind::Skipped, Some(3), "\"many\" is not a number"), "{:?}", raw.gaps);
    assert!(has_gap(&raw, GapKind::Skipped, Some(4), "number of cells"), "{:?}", raw.gaps);
    assert_eq!(value(&raw, "rabbitmq_queue_messages", &[("queue", "q"), ("vhost", "b")]), 3.0);
    survives("formats/rabbitmq/queues-2026-11-21T04-31-20Z.json");
    survives("formats/rabbitmq/queues-2026-11-21T04-31-20Z.txt");
    survives("formats/rabbitmq/queues-2026-11-21T04-31-20Z.csv");
    survives("formats/rabbitmq/api-queues-2026-11-21T04-31-20Z.json");
}

#[test]
fn haproxy_rows_are_frontends_backends_and_servers_in_seconds() {
    let raw = read("formats/haproxy/stat-2026-11-21T04-29-00Z.csv");
    let (web, shop) = (("frontend", "web"), ("backend", "shop"));
    let a = [shop, ("server", "a")];
    let sessions = samples(&raw, "haproxy_frontend_max_sessions", &[web]);
    assert_eq!(sessions, [("2026-11-21T04:29:00Z".to_owned(), 15.0)]);
    assert_eq!(value(&raw, "haproxy_frontend_limit_sessions", &[web]), 200.0);
    assert_eq!(value(&raw, "haproxy_frontend_http_requests_total", &[web]), 19.0);
    let bad = value(&raw, "haproxy_frontend_http_responses_total", &[web, ("code", "5xx")]);
    assert_eq!(bad, 6.0);
    assert_eq!(value(&raw, "haproxy_backend_max_queue", &[shop]), 14.0);
    assert_eq!(value(&raw, "haproxy_backend_connection_errors_total", &[shop]), 4.0);
    // 439 ms, 66 ms.
    assert_eq!(value(&raw, "haproxy_backend_http_queue_time_average_seconds", &[shop]), 0.439);
    assert_eq!(value(&raw, "haproxy_backend_http_response_time_average_seconds", &[shop]), 0.066);
    assert_eq!(value(&raw, "haproxy_server_up", &a), 1.0);
    assert_eq!(value(&raw, "haproxy_server_up", &[shop, ("server", "b")]), 0.0);
    assert_eq!(value(&raw, "haproxy_frontend_ssl_failed_handshake_total", &[web]), 0.0);
    let down = ["alert", "shop", "b", "2026-11-21T04:28:56Z"];
    assert!(has_event(&raw, down, "server b of shop is DOWN"), "{:?}", events(&raw));
    assert_eq!((raw.events.len(), raw.files[0].skipped), (1, 0), "{:?}", raw.gaps);
}

#[test]
fn haproxy_snapshots_have_the_times_before_them() {
    let raw = read("formats/haproxy/snapshots.csv");
    let queue = samples(&raw, "haproxy_backend_current_queue", &[("backend", "shop")]);
    let at = |t: &str, v| (format!("2026-11-21T04:29:{t}Z"), v);
    assert_eq!(queue, [at("00", 0.0), at("02", 4.0)]);
    assert_eq!(raw.events.len(), 1, "{:?}", events(&raw));
    // Without times only the last one can be placed.
    let one = bytes("formats/haproxy/stat-2026-11-21T04-29-00Z.csv");
    let raw = read_bytes("two-2026-11-21T04-29-00Z.csv", &[&one[..], &one].concat());
    let raw = raw.expect("two snapshots");
    assert!(has_gap(&raw, GapKind::Skipped, Some(1), "time is not known"), "{:?}", raw.gaps);
    let header = one.split(|b| *b == b'\n').next().expect("a header");
    let empty = read_bytes("stat.csv", header).expect("recognised");
    assert!(!empty.gaps.is_empty() && empty.series.is_empty());
    survives("formats/haproxy/stat-2026-11-21T04-29-00Z.csv");
    survives("formats/haproxy/snapshots.csv");
}

#[test]
fn change_logs_of_delivery_tools_are_events_without_users() {
    let raw = read("formats/changes/github-deployments.json");
    let deploy = ["deploy", "api", "production", "2026-11-20T20:06:40Z"];
    assert!(has_event(&raw, deploy, "v1.42 to production: deploy"), "{:?}", events(&raw));
    assert_eq!(raw.events[0].version, "a84d88e7554f");
    assert!(has_gap(&raw, GapKind::Skipped, Some(3), "without a readable time"), "{:?}", raw.gaps);
    let secret = |raw: &Raw| {
        let shown = format!("{raw:?}").to_lowercase();
        shown.contains("hunter2") || shown.contains("alice")
    };
    assert!(!secret(&raw));
    let raw = read("formats/changes/gitlab-deployments.json");
    let deploy = ["deploy", "cart", "production", "2026-11-20T20:07:05Z"];
    assert!(has_event(&raw, deploy, "main to production: success") && !secret(&raw));
    let raw = read("formats/changes/argo-application.json");
    let at = |kind, t: &'static str| [kind, "checkout", "", t];
    assert!(has_event(&raw, at("deploy", "2026-11-20T20:06:40Z"), "Argo CD deployed"));
    assert!(has_event(&raw, at("alert", "2026-11-20T20:08:20Z"), "synchronisation: Failed"));
    assert_eq!((raw.events.len(), raw.files[0].reader.as_str()), (3, "changes"));
    let raw = read("formats/changes/flag-audit.json");
    let flag = ["flag", "", "new-pricing", "2026-11-20T20:06:40Z"];
    assert!(has_event(&raw, flag, "turned on the flag new-pricing") && !secret(&raw));
    assert_eq!(raw.events.len(), 2);
    let raw = read("formats/changes/flag-events.json");
    assert!(has_event(&raw, flag, "enabled new-pricing in production") && !secret(&raw));
    survives("formats/changes/github-deployments.json");
    survives("formats/changes/argo-application.json");
}
