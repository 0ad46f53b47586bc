//! Amazon Web Services: CloudWatch, RDS, X-Ray.
//!
//! The JSON, text and table fixtures were printed by AWS CLI 1.46.2 (botocore 1.43.62), asked
//! against a local server that answers in the services' own protocols with the documented shapes.
//! Times are epoch numbers by default and ISO 8601 with `cli_timestamp_format = iso8601` (New York
//! and Kolkata with `TZ`). The `official-*` files are the samples in the CLI's own documentation
//! (what it leaves out of `official-metrics` is left out).
//!
//! By hand, from the documented rules: the YAML, the console CSV (its describing rows are not
//! verified against the console), the CSV of Logs Insights, the daemon's segments, the performance
//! log events, and the operating system documents (completed from a true PostgreSQL 16 one).

use super::support::{Scratch, bytes};
use rootline::ingest::raw::{Raw, RawSeries};
use rootline::ingest::{Settings, read_folder};
use rootline::model::{GapKind, Micros, SECOND};
use std::collections::BTreeMap;

/// 2026-11-20T20:00:00Z, the first time of all fixtures.
const START: Micros = 1_795_204_800 * SECOND;

fn minute(n: i64) -> Micros {
    START + n * 60 * SECOND
}

/// Reads fixtures, copied into one folder under their own names.
fn read(names: &[&str]) -> Raw {
    let files: Vec<(&str, Vec<u8>)> =
        names.iter().map(|n| (n.rsplit('/').next().unwrap_or(n), bytes(n))).collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(n, b)| (*n, b.as_slice())).collect();
    read_bytes(&files)
}

fn read_bytes(files: &[(&str, &[u8])]) -> Raw {
    let folder = Scratch::with(files);
    read_folder(folder.path(), &Settings::default()).expect("at least one file is read")
}

fn find<'a>(raw: &'a Raw, name: &str, statistic: &str) -> &'a RawSeries {
    let is = |s: &&RawSeries| s.name == name && s.statistic.as_deref().unwrap_or("") == statistic;
    let mut found = raw.series.iter().filter(is);
    let names: Vec<_> = raw.series.iter().map(|s| (&s.name, &s.statistic)).collect();
    let first = found.next().unwrap_or_else(|| panic!("no {name} {statistic} among {names:?}"));
    assert!(found.next().is_none(), "{name} {statistic} twice among {names:?}");
    first
}

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn says(raw: &Raw, kind: GapKind, line: Option<u64>, words: &str) {
    let found = raw.gaps.iter().any(|g| g.kind == kind && g.line == line && g.what.contains(words));
    assert!(found, "{words} at {line:?}: {:?}", raw.gaps);
}

/// Name, statistic, unit and samples.
type Shown = (String, Option<String>, Option<String>, Vec<(Micros, String)>);

/// What two exports of the same data must have in common.
fn measured(raw: &Raw) -> Vec<Shown> {
    let value = |s: (Micros, f64)| (s.0, format!("{:.9}", s.1));
    let one = |s: &RawSeries| {
        let samples = s.samples.iter().map(value).collect();
        (s.name.clone(), s.statistic.clone(), s.unit.clone(), samples)
    };
    let mut all: Vec<_> = raw.series.iter().map(one).collect();
    all.sort();
    all
}

const QUERIES: &str = "formats/cloudwatch-queries/queries.json";

#[test]
fn metric_data_gets_its_meaning_from_the_query_file() {
    let raw = read(&["formats/cloudwatch/metric-data.json", QUERIES]);
    let rows: Vec<_> = raw.files.iter().map(|f| (f.reader.as_str(), f.rows, f.skipped)).collect();
    assert_eq!(rows, [("cloudwatch", 70, 0), ("cloudwatch-queries", 8, 0)]);
    assert_eq!(raw.series.len(), 7);
    let balancer = [("LoadBalancer", "shop-edge"), ("TargetGroup", "checkout")];
    let time = find(&raw, "TargetResponseTime", "average");
    assert_eq!((time.unit.as_deref(), &time.labels), (Some("seconds"), &labels(&balancer)));
    assert_eq!(time.samples.first(), Some((START, 0.084)));
    assert_eq!(time.samples.last(), Some((minute(11), 0.09)));
    let p99 = find(&raw, "TargetResponseTime", "p99");
    assert_eq!(
        (p99.samples.at(7).1, p99.labels["label"].as_str()),
        (5.0, "TargetResponseTime p99")
    );
    let requests = find(&raw, "RequestCount", "rate");
    assert_eq!((requests.unit.as_deref(), requests.samples.at(0).1), (Some("1/s"), 21.0));
    let cpu = find(&raw, "CPUUtilization", "average");
    assert_eq!(cpu.labels, labels(&[("DBInstanceIdentifier", "shop-db")]));
    assert_eq!((cpu.unit.as_deref(), cpu.samples.at(7).1), (Some("percent"), 97.25));
    let connections = find(&raw, "DatabaseConnections", "average");
    assert_eq!((connections.unit.as_deref(), connections.samples.at(7).1), (Some("count"), 97.0));
    // An expression has a label and nothing else.
    let share = find(&raw, "error_rate", "");
    assert_eq!((share.samples.len(), share.labels.len()), (5, 0));
}

#[test]
fn a_counter_that_is_absent_when_zero_is_filled_from_its_siblings() {
    let raw = read(&["formats/cloudwatch/metric-data.json", QUERIES]);
    let failed = find(&raw, "HTTPCode_Target_5XX_Count", "rate");
    let values: Vec<f64> = failed.samples.iter().map(|s| s.1).collect();
    let want = [0.0, 0.0, 0.0, 0.0, 0.0, 18.0, 96.0, 151.0, 120.0, 36.0, 0.0, 0.0];
    assert_eq!(values, want.map(|v| v / 60.0));
    assert_eq!(failed.labels["label"], "5xx of checkout");
    says(&raw, GapKind::Inferred, Some(102), "absent when zero: 7 points");
    // Alone, it is left as it is.
    let alone = read(&["formats/cloudwatch/statistics-5xx.json"]);
    assert_eq!(find(&alone, "HTTPCode_Target_5XX_Count", "rate").samples.len(), 5);
    says(&alone, GapKind::Inferred, Some(4), "no other metric of its namespace says when");
}

#[test]
fn a_status_other_than_complete_and_its_messages_are_gaps() {
    let raw = read(&["formats/cloudwatch/metric-data.json", QUERIES]);
    says(&raw, GapKind::Missing, Some(206), "\"other\" the status Forbidden");
    says(&raw, GapKind::Missing, Some(206), "Access denied to account");
    assert!(!raw.series.iter().any(|s| s.name == "FreeableMemory"));
}

#[test]
fn the_same_data_through_every_form_of_cloudwatch_is_the_same() {
    let joined = read(&[
        "formats/cloudwatch/metric-data-epoch.json",
        "formats/cloudwatch-queries/wrapped.json",
    ]);
    let want = measured(&joined);
    assert_eq!(want.len(), 4);
    assert!(want.iter().all(|s| s.3.len() == 12), "{want:?}");
    let forms: [&[&str]; 5] = [
        &[
            "formats/cloudwatch/metric-data-new-york.json",
            "formats/cloudwatch-queries/wrapped.json",
        ],
        &["formats/cloudwatch/metric-data-pages.json", "formats/cloudwatch-queries/wrapped.json"],
        &["formats/cloudwatch/metric-data-epoch.json", QUERIES],
        &["formats/cloudwatch-csv/console.csv"],
        &[
            "formats/cloudwatch/statistics-response-time.json",
            "formats/cloudwatch/statistics-p99.json",
            "formats/cloudwatch/statistics-requests.json",
            "formats/cloudwatch/statistics-5xx.json",
        ],
    ];
    for form in forms {
        assert_eq!(measured(&read(form)), want, "{form:?}");
    }
    // The console's rows hold Ids as well: the same queries give them labels.
    let console =
        read(&["formats/cloudwatch-csv/console.csv", "formats/cloudwatch-queries/wrapped.json"]);
    assert_eq!(measured(&console), want);
    assert_eq!(find(&console, "RequestCount", "rate").labels["TargetGroup"], "checkout");
    // All pages but the last are partial, and that is no gap.
    let pages = read(&[
        "formats/cloudwatch/metric-data-pages.json",
        "formats/cloudwatch-queries/wrapped.json",
    ]);
    assert!(!pages.gaps.iter().any(|g| g.what.contains("PartialData")), "{:?}", pages.gaps);
}

#[test]
fn a_first_page_alone_is_a_gap() {
    let raw = read(&[
        "formats/cloudwatch/metric-data-first-page.json",
        "formats/cloudwatch-queries/wrapped.json",
    ]);
    says(&raw, GapKind::Missing, Some(1), "NextToken");
    says(&raw, GapKind::Missing, Some(3), "\"rt\" the status PartialData");
}

#[test]
fn without_queries_the_label_says_the_metric() {
    let raw = read(&["formats/cloudwatch/metric-data-new-york.json"]);
    assert_eq!(find(&raw, "TargetResponseTime", "").unit.as_deref(), Some("seconds"));
    assert_eq!(find(&raw, "TargetResponseTime", "p99").samples.at(0), (START, 0.31));
    assert_eq!(find(&raw, "RequestCount", "rate").samples.at(0), (START, 21.0));
    says(&raw, GapKind::Inferred, Some(69), "RequestCount: no query file");
    assert!(find(&raw, "RequestCount", "rate").labels.is_empty());
    // A house label stays what it is.
    assert_eq!(find(&raw, "5xx of checkout", "").samples.len(), 5);
}

#[test]
fn a_label_may_name_the_metric_and_whom_it_is_about() {
    let text = "{\"MetricDataResults\":[{\"Id\":\"a\",\"Label\":\"shop-db CPUUtilization Maximum\",\
                \"Timestamps\":[\"2026-11-20 20:00:00+00:00\"],\"Values\":[12.5]}]}";
    let raw = read_bytes(&[("a.json", text.as_bytes())]);
    let cpu = find(&raw, "CPUUtilization", "maximum");
    let want = [("entity", "shop-db"), ("label", "shop-db CPUUtilization Maximum")];
    assert_eq!((&cpu.labels, cpu.samples.at(0)), (&labels(&want), (START, 12.5)));
}

#[test]
fn queries_are_joined_within_a_folder_and_only_if_they_are_told_apart() {
    let data = bytes("formats/cloudwatch/metric-data-epoch.json");
    let queries = bytes("formats/cloudwatch-queries/wrapped.json");
    let apart = read_bytes(&[("a/data.json", &data), ("b/queries.json", &queries)]);
    says(&apart, GapKind::Inferred, Some(69), "no query file");
    // The same queries twice are one; another metric under the same Id is told by the label.
    let twice = [("data.json", data.as_slice()), ("q1.json", &queries), ("q2.json", &queries)];
    let joined = read_bytes(&[("data.json", &data), ("q1.json", &queries)]);
    assert_eq!(measured(&read_bytes(&twice)), measured(&joined));
    let text = String::from_utf8(queries.clone()).expect("fixtures are UTF-8");
    let (other, third) =
        (text.replace("ResponseTime", "Other"), text.replace("ResponseTime", "Third"));
    let told =
        read_bytes(&[("data.json", &data), ("q1.json", &queries), ("q2.json", other.as_bytes())]);
    assert_eq!(measured(&told), measured(&joined));
    let data = ("data.json", data.as_slice());
    let files = [data, ("q1.json", other.as_bytes()), ("q2.json", third.as_bytes())];
    says(
        &read_bytes(&files),
        GapKind::Doubtful,
        Some(3),
        "several queries of this folder are called \"rt\"",
    );
}

#[test]
fn absurd_values_and_depths_are_gaps() {
    let deep = format!("{}1{}", "{\\\"a\\\":".repeat(5_000), "}".repeat(5_000));
    let trace =
        format!("{{\"Traces\":[{{\"Segments\":[{{\"Id\":\"a\",\"Document\":\"{deep}\"}}]}}]}}");
    let segments = "{\"subsegments\":[".repeat(3_000);
    let start = "{\"trace_id\":\"1-6b00a6c0-a006649127e371903a2de979\",\"id\":\"0a\",";
    let open = format!(
        "{start}\"start_time\":1.7952048E9,\"subsegments\":[{segments}{}]}}",
        "]}".repeat(3_000)
    );
    let far = format!("{start}\"start_time\":1e308,\"end_time\":-1e308}}");
    let load = "{\"instanceID\":\"a\",\"cpuUtilization\":{},\"timestamp\":1795204800,\
                \"memory\":{\"total\":1e308}}";
    let data = "{\"MetricDataResults\":[{\"Id\":\"a\",\"Timestamps\":[1e300,\"x\",{}],\
                \"Values\":[1,2,3]}]}";
    for text in [trace.as_str(), &open, &far, load, data] {
        let raw = read_bytes(&[("a.json", text.as_bytes())]);
        assert!(raw.gaps.iter().any(|g| g.kind == GapKind::Skipped), "{:?}", raw.gaps);
    }
}

#[test]
fn every_statistic_is_a_series_of_its_own() {
    let raw = read(&[
        "formats/cloudwatch/statistics-connections.json",
        "formats/cloudwatch/statistics-cpu.json",
    ]);
    let at = |name, statistic| {
        let s = find(&raw, name, statistic);
        (s.samples.len(), s.samples.at(0), s.unit.as_deref())
    };
    assert_eq!(at("DatabaseConnections", "average"), (12, (START, 41.0), Some("count")));
    assert_eq!(at("DatabaseConnections", "maximum"), (12, (START, 44.0), Some("count")));
    assert_eq!(at("DatabaseConnections", "min"), (12, (START, 39.0), Some("count")));
    // How often a value was measured is not the value.
    assert_eq!(at("CPUUtilizationSampleCount", "samplecount"), (12, (START, 1.0), Some("count")));
    assert_eq!(at("CPUUtilization", "average").2, Some("percent"));
}

#[test]
fn a_console_csv_with_labels_only_is_read() {
    let raw = read(&["formats/cloudwatch-csv/console-labels.csv"]);
    assert_eq!(raw.files[0].reader, "cloudwatch-csv");
    assert_eq!(find(&raw, "RequestCount", "rate").samples.at(11), (minute(11), 21.0));
    says(&raw, GapKind::Doubtful, None, "taken as UTC");
}

#[test]
fn results_of_logs_insights_are_read_as_tables() {
    for name in ["formats/cloudwatch-csv/insights.json", "formats/cloudwatch-csv/insights.csv"] {
        let raw = read(&[name]);
        assert_eq!(raw.files[0].reader, "cloudwatch-csv", "{name}");
        let all: Vec<_> =
            raw.series.iter().map(|s| (s.labels["PodName"].as_str(), s.samples.at(0))).collect();
        let want = [
            ("checkout-6c9f-abc", (START, 181_403_648.0)),
            ("checkout-6c9f-def", (minute(1), 190e6)),
        ];
        assert_eq!(all, want, "{name}");
        assert!(raw.series.iter().all(|s| s.name == "pod_memory_working_set"), "{name}");
    }
    let bins = read(&["formats/cloudwatch-csv/insights-bins.csv"]);
    assert_eq!(find(&bins, "pod_memory_working_set_avg", "").samples.len(), 2);
}

#[test]
fn other_outputs_of_the_cli_say_how_to_export_again() {
    for call in ["statistics", "metric-data"] {
        for output in ["text", "table", "yaml"] {
            let name = format!("formats/aws-cli-text/{call}.{output}.txt");
            let raw = read(&[&name]);
            assert_eq!(
                (raw.files[0].reader.as_str(), raw.files[0].rows),
                ("aws-cli-text", 0),
                "{name}"
            );
            says(&raw, GapKind::Unreadable, None, &format!("--output {output}: not read"));
        }
    }
}

#[test]
fn performance_events_of_container_insights_are_series_of_pods_and_nodes() {
    let raw = read(&["formats/container-insights/performance.jsonl"]);
    assert_eq!((raw.files[0].reader.as_str(), raw.series.len()), ("container-insights", 18));
    let memory = find(&raw, "pod_memory_working_set", "");
    assert_eq!(memory.samples, [(START, 134_217_728.0), (minute(1), 201_326_592.0)]);
    assert_eq!(memory.labels["pod"], "checkout-6c9f5d7b8-abcde");
    assert_eq!(memory.labels["pod_workload"], "checkout");
    assert_eq!(
        (memory.labels["namespace"].as_str(), memory.unit.as_deref()),
        ("shop", Some("bytes"))
    );
    let unit = |name| find(&raw, name, "").unit.as_deref();
    assert_eq!(unit("pod_cpu_usage"), Some("millicores"));
    assert_eq!(unit("pod_memory_utilization_over_pod_limit"), Some("percent"));
    assert_eq!(unit("pod_network_rx_bytes"), Some("by/s"));
    assert_eq!(find(&raw, "pod_number_of_container_restarts", "").samples.at(1).1, 1.0);
    assert_eq!(find(&raw, "node_filesystem_utilization", "").labels["device"], "/dev/nvme0n1p1");
    for name in ["log-events.json", "insights.json"] {
        let wrapped = read(&[&format!("formats/container-insights/{name}")]);
        assert_eq!(wrapped.files[0].reader, "container-insights", "{name}");
        assert_eq!(measured(&wrapped), measured(&raw), "{name}");
    }
}

#[test]
fn alarms_and_their_history_are_alerts() {
    let raw = read(&["formats/cloudwatch-alarms/history.json"]);
    assert_eq!((raw.files[0].reader.as_str(), raw.files[0].rows), ("cloudwatch-alarms", 4));
    let all: Vec<_> =
        raw.events.iter().map(|e| (e.at, e.kind.as_str(), e.title.as_str())).collect();
    // The name of an alarm, both states and the reason from inside the string.
    let fired = "checkout-slow: OK to ALARM (Threshold Crossed: 2 datapoints [0.97, 1.34] were \
                 greater than the threshold (0.5).)";
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!(all[0], (1_795_205_226_805_000, "alert", fired));
    assert!(all[1].2.starts_with("checkout-slow: ALARM to OK"), "{all:?}");
    let now = read(&["formats/cloudwatch-alarms/alarms.json"]);
    let all: Vec<_> =
        now.events.iter().map(|e| (e.title.as_str(), e.target.as_str(), e.line)).collect();
    // An alarm that rests is no alert.
    assert_eq!(
        all,
        [("checkout-slow: ALARM", "checkout TargetResponseTime", 3), ("shop: ALARM", "", 63)]
    );
    says(&now, GapKind::Missing, Some(3), "only their present state");
}

#[test]
fn performance_insights_are_load_by_wait_event_and_statement() {
    let raw = read(&["formats/rds-insights/metrics.json"]);
    assert_eq!((raw.files[0].reader.as_str(), raw.files[0].skipped), ("rds-insights", 1));
    assert!(
        raw.series.iter().all(|s| s.name == "db.load.avg" && s.unit.as_deref() == Some("count"))
    );
    let by = |key: &str, value: &str| {
        let is = |s: &&RawSeries| s.labels.get(key).is_some_and(|v| v == value);
        raw.series.iter().find(is).unwrap_or_else(|| panic!("no {key}={value}: {:?}", raw.series))
    };
    let lock = by("db.wait_event.name", "Lock:transactionid");
    // The second data point has no value; the third is in exponent form.
    assert_eq!(lock.samples.to_vec()[..2], [(minute(1), 0.0), (minute(3), 8.533847837782684e-4)]);
    assert_eq!(lock.labels["DBInstanceIdentifier"], "db-LKCGOBK26374TPTDFXOIWVCPPM");
    let statement = by("db.sql_tokenized.id", "A1B2C3D4E5F60718");
    let text = "UPDATE stock SET n = n - ? WHERE sku = ? AND site = ?";
    assert_eq!(statement.labels["db.sql_tokenized.statement"], text);
    says(&raw, GapKind::Skipped, Some(72), "without a value");
    let local = read(&["formats/rds-insights/metrics-kolkata.json"]);
    assert_eq!(measured(&local), measured(&raw));
}

#[test]
fn dimension_keys_are_one_total_each() {
    let raw = read(&["formats/rds-insights/keys.json"]);
    let all: Vec<_> = raw
        .series
        .iter()
        .map(|s| (s.labels["db.wait_event.name"].as_str(), s.samples.at(0)))
        .collect();
    let want = [
        ("CPU", (START, 1.266_666_666_666_666_6)),
        ("IO:DataFileRead", (START, 8.533847837782684e-4)),
        ("Lock:transactionid", (START, 5.62507)),
    ];
    assert_eq!(all, want);
    says(&raw, GapKind::Inferred, None, "one total for the whole time");
}

#[test]
fn enhanced_monitoring_is_the_same_bare_and_wrapped() {
    let raw = read(&["formats/rds-os/lines.jsonl"]);
    assert_eq!(raw.files[0].reader, "rds-os");
    let free = find(&raw, "node_memory_MemFree_bytes", "");
    assert_eq!(free.samples, [(START, 181_592.0 * 1024.0), (minute(1), 90_000.0 * 1024.0)]);
    let cpu = find(&raw, "cpu_utilization", "");
    assert_eq!((cpu.unit.as_deref(), cpu.samples.at(1).1), (Some("ratio"), 88.4 * 0.01));
    assert_eq!(cpu.labels, labels(&[("DBInstanceIdentifier", "shop-db"), ("engine", "POSTGRES")]));
    let disk: Vec<_> = raw.series.iter().filter(|s| s.name == "rds_disk_await").collect();
    let devices: Vec<_> =
        disk.iter().map(|s| (s.labels["device"].as_str(), s.samples.at(1).1)).collect();
    assert_eq!(devices, [("nvme0n1", 0.61 * 1e-3), ("rdsdev", 14.2 * 1e-3)]);
    assert_eq!(find(&raw, "rds_processes", "").samples.at(0).1, 2.0);
    assert_eq!(find(&raw, "rds_processes_resident_bytes", "").samples.at(0).1, 65_764.0 * 1024.0);
    let shown = format!("{:?}", raw.series);
    assert!(!shown.contains("10.0.3.17") && !shown.contains("shop_app"), "names are kept");
    for name in ["formats/rds-os/log-events.json", "formats/rds-os/filtered.json"] {
        assert_eq!(measured(&read(&[name])), measured(&raw), "{name}");
    }
    assert_eq!(read(&["formats/rds-os/one.json"]).series.len(), raw.series.len());
}

/// Spans as another format has to have them as well.
fn spans(raw: &Raw) -> Vec<String> {
    let text = |sym| raw.symbols.text(sym);
    let one = |s: &rootline::ingest::raw::RawSpan| {
        let who = (text(s.service), text(s.instance), text(s.version), text(s.host));
        let what = (text(s.operation), s.kind, s.start, s.end, s.error, text(s.error_type));
        let whom = (text(s.peer), text(s.db_system), text(s.statement), s.messaging);
        format!("{:x} {:x} {:x} {who:?} {what:?} {whom:?}", s.trace, s.span, s.parent)
    };
    let mut all: Vec<String> = raw.spans.iter().map(|s| one(&s)).collect();
    all.sort();
    all
}

#[test]
fn an_x_ray_trace_is_the_same_as_the_trace_of_jaeger() {
    let raw = read(&["formats/xray/traces.json"]);
    assert_eq!((raw.files[0].reader.as_str(), raw.files[0].rows), ("xray", 6));
    let jaeger = read(&["formats/xray/same-trace.jaeger.json"]);
    assert_eq!(spans(&raw), spans(&jaeger));
    assert_eq!(spans(&raw), spans(&read(&["formats/xray/daemon.jsonl"])));
    let edges = |name: &str| {
        let answer =
            rootline::diagnose(&super::support::fixture(name), &rootline::Options::default());
        answer.map(|d| (d.entities, d.edges)).expect("traces are read")
    };
    assert_eq!(edges("formats/xray/traces.json"), edges("formats/xray/same-trace.jaeger.json"));
    says(&raw, GapKind::Skipped, Some(26), "still in progress");
    says(&raw, GapKind::Missing, Some(1), "left 1 traces out");
    let shown = format!("{:?}", spans(&raw));
    for secret in ["4111", "jo@example.com", "hunter2", "B-1177", "203.0.113.9"] {
        assert!(!shown.contains(secret), "{secret} is kept: {shown}");
    }
}

#[test]
fn a_service_graph_gives_edges_rates_and_latencies() {
    let raw = read(&["formats/xray-graph/graph.json"]);
    assert_eq!(raw.files[0].reader, "xray-graph");
    let edges: Vec<_> =
        raw.edges.iter().map(|e| (e.caller.as_str(), e.callee.as_str(), e.kind.as_str())).collect();
    let want = [("checkout", "inventory", ""), ("checkout", "orders-queue", "messages")];
    assert_eq!(edges, want);
    let of = |name: &str, pairs: &[(&str, &str)]| {
        let is = |s: &&RawSeries| s.name == name && s.labels == labels(pairs);
        let s = raw.series.iter().find(is).unwrap_or_else(|| panic!("no {name} {pairs:?}"));
        (s.samples.to_vec(), s.unit.clone().unwrap_or_default())
    };
    let checkout = [("service", "checkout")];
    let edge = [("service", "checkout"), ("callee", "inventory")];
    assert_eq!(of("http.server.requests", &checkout), (vec![(START, 1250.0 / 60.0)], "1/s".into()));
    assert_eq!(of("http.server.request.duration", &checkout), (vec![(START, 0.25)], "s".into()));
    assert_eq!(of("http.server.errors", &checkout), (vec![(START, 0.024)], "ratio".into()));
    assert_eq!(of("http.client.request.duration", &edge), (vec![(START, 0.15)], "s".into()));
    let throttled = [("service", "checkout"), ("callee", "inventory"), ("class", "throttle")];
    assert_eq!(of("xray.responses", &throttled).0, [(START, 1.0 / 60.0)]);
}

#[test]
fn trace_summaries_say_how_to_get_the_traces() {
    let raw = read(&["formats/xray/summaries.json"]);
    assert_eq!((raw.files[0].reader.as_str(), raw.files[0].rows), ("xray", 0));
    says(&raw, GapKind::Missing, Some(1), "1 trace summaries: ids and durations only");
}

#[test]
fn the_samples_of_the_aws_documentation_are_read() {
    let raw = read(&["formats/cloudwatch/official-statistics.json"]);
    let cpu = find(&raw, "CPUUtilization", "maximum");
    assert_eq!((cpu.samples.len(), cpu.unit.as_deref()), (23, Some("percent")));
    assert!(cpu.samples.is_rising(), "unordered");
    let raw = read(&[
        "formats/cloudwatch/official-metric-data.json",
        "formats/cloudwatch-queries/official-queries.json",
    ]);
    assert_eq!(find(&raw, "Avg Total IOPS", "").samples, [(1_727_647_800 * SECOND, 96.85)]);
    let raw = read(&["formats/cloudwatch-alarms/official-history.json"]);
    let titles: Vec<_> = raw.events.iter().map(|e| e.title.as_str()).collect();
    assert_eq!(titles[0], "myalarm: OK to ALARM (testing purposes)");
    assert!(titles[1].starts_with("myalarm: ALARM to OK (Threshold Crossed"), "{titles:?}");
    // An alarm that is OK is no event.
    assert!(read(&["formats/cloudwatch-alarms/official-alarms.json"]).events.is_empty());
    let raw = read(&["formats/rds-insights/official-metrics.json"]);
    let load: Vec<_> = raw.series.iter().map(|s| (s.labels.len(), s.samples.at(0))).collect();
    let at = 1_527_026_700 * SECOND;
    assert_eq!(load, [(1, (at, 1.353_333_333_333_333_3)), (2, (at, 0.856_666_666_666_666_7))]);
    assert_eq!(read(&["formats/rds-insights/official-keys.json"]).series.len(), 10);
    let raw = read(&["formats/xray/official-traces.json"]);
    let text = |sym| raw.symbols.text(sym);
    let shown: Vec<_> = raw
        .spans
        .iter()
        .map(|s| (text(s.service), text(s.operation), text(s.peer), s.end - s.start, s.parent))
        .collect();
    // The inferred segment is no span of its own.
    let update = ("Scorekeep", "UpdateItem", "scorekeep-user", 6_000, 0x54af_f573_5b12_dd28);
    assert_eq!(shown, [update, ("Scorekeep", "POST /api/user", "", 232_000, 0)]);
}

/// Every fixture of this family.
fn all() -> Vec<(String, Vec<u8>)> {
    let families = [
        "formats/cloudwatch",
        "formats/cloudwatch-queries",
        "formats/cloudwatch-csv",
        "formats/cloudwatch-alarms",
        "formats/container-insights",
        "formats/rds-insights",
        "formats/rds-os",
        "formats/xray",
        "formats/xray-graph",
        "formats/aws-cli-text",
    ];
    let mut found = Vec::new();
    for family in families {
        for path in super::support::files(&super::support::fixture(family)) {
            let name = super::support::name(&path);
            let content = bytes(&format!("{family}/{name}"));
            found.push((name, content));
        }
    }
    assert!(found.len() > 30, "fixtures were not found");
    found
}

#[test]
fn windows_line_ends_and_encodings_change_nothing() {
    for (name, plain) in all() {
        let want = read_bytes(&[(&name, &plain)]);
        let text = String::from_utf8(plain).expect("fixtures are UTF-8");
        let crlf = text.replace("\r\n", "\n").replace('\n', "\r\n");
        let utf16 = |s: &str| {
            let units = std::iter::once(0xfeff).chain(s.encode_utf16());
            units.flat_map(u16::to_le_bytes).collect::<Vec<u8>>()
        };
        let forms =
            [crlf.clone().into_bytes(), format!("\u{feff}{text}").into_bytes(), utf16(&crlf)];
        for (i, form) in forms.iter().enumerate() {
            let raw = read_bytes(&[(&name, form)]);
            assert_eq!(raw.files[0].reader, want.files[0].reader, "{name} {i}");
            assert_eq!(raw.files[0].rows, want.files[0].rows, "{name} {i}");
            assert_eq!(measured(&raw), measured(&want), "{name} {i}");
        }
    }
}

#[test]
fn a_cut_file_is_an_error_or_has_a_gap() {
    for (name, plain) in all() {
        let whole = read_bytes(&[(&name, &plain)]);
        for part in [1, 3, 10, 30, 50, 70, 90, 99] {
            let cut = &plain[..plain.len() * part / 100];
            let folder = Scratch::with(&[(&name, cut)]);
            let Ok(raw) = read_folder(folder.path(), &Settings::default()) else { continue };
            let lost = raw.files[0].rows < whole.files[0].rows;
            // Rows that end where the cut is leave no trace: lines and console tables.
            let lines = name.ends_with(".csv") || name.ends_with(".jsonl");
            assert!(!lost || lines || !raw.gaps.is_empty(), "{name} cut at {part} % is silent");
        }
    }
}

#[test]
fn valid_answers_without_data_are_recognised() {
    let empty = [
        ("cloudwatch", "{\"MetricDataResults\": [], \"Messages\": []}"),
        ("cloudwatch", "{\"Label\": \"CPUUtilization\", \"Datapoints\": []}"),
        ("cloudwatch-alarms", "{\"AlarmHistoryItems\": []}"),
        ("rds-insights", "{\"AlignedStartTime\": 1.7952048E9, \"MetricList\": []}"),
        ("rds-insights", "{\"AlignedStartTime\": 1.7952048E9, \"Keys\": []}"),
        ("xray", "{\"Traces\": [], \"UnprocessedTraceIds\": []}"),
        ("xray", "{\"TraceSummaries\": [], \"TracesProcessedCount\": 0}"),
        ("xray-graph", "{\"Services\": [], \"ContainsOldGroupVersions\": false}"),
    ];
    for (reader, text) in empty {
        let raw = read_bytes(&[("a.json", text.as_bytes())]);
        assert_eq!((raw.files[0].reader.as_str(), raw.files[0].rows), (reader, 0), "{text}");
        assert!(!raw.gaps.is_empty(), "{text}: silent");
    }
}
