//! OTLP metrics and protobuf, browser recordings, heap snapshots and zip archives.
//!
//! How the fixtures were made:
//! - `otlp/sdk-*.jsonl`, `otlp-proto/*`: bodies that the Python SDK 1.45.2 of OpenTelemetry with its
//!   OTLP/HTTP exporter (protobuf 7.36) sent to a receiver on loopback: three rounds of traces,
//!   cumulative and delta metrics. As JSON by `google.protobuf.json_format` with ids in hex; behind
//!   lengths of four bytes as the Collector's file exporter documents it, plain and as zstd.
//! - `otlp/variant-*.json`: one trace in each dialect of FORMATS 5.1, by a script.
//! - `otlp/mixed.jsonl`, `otlp/snake-metrics.json`, `otlp/exemplars.json`: by hand, after the samples of FORMATS 4.11.
//! - `har/*.har`: by hand, in the fields that Chrome's and Firefox's developer tools write; no browser
//!   was at hand to record one.
//! - `heap-snapshot/*`: `v8.writeHeapSnapshot()` of Node 20.20.2 running a class `Session` that is kept
//!   in an array and a list, 50 and 450 times; cut down by the script beside them.
//! - `pprof/*`: `runtime/pprof` of Go 1.19.8 with every allocation sampled, the program `checkout`
//!   keeping 100 and 1100 slices of 4096 bytes; `cpu.pb.gz` is a CPU profile of the same.
//!   `orders.pb.gz`: `@datadog/pprof` 5.20.0 in Node 20.20.2, keeping 2000 lists of 512 numbers.

use super::support::{Scratch, bytes, fixture};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::metrics::v1::{HistogramDataPoint, metric, number_data_point};
use prost::Message;
use rootline::ingest::raw::{Raw, RawSeries, SpanKind};
use rootline::ingest::{Settings, read_folder};
use rootline::model::GapKind;
use std::collections::BTreeMap;

fn read(path: &str) -> Raw {
    let read = read_folder(&fixture(path), &Settings::default());
    read.unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Reads one file of these bytes.
fn read_bytes(name: &str, bytes: &[u8]) -> Option<Raw> {
    let folder = Scratch::with(&[(name, bytes)]);
    read_folder(folder.path(), &Settings::default()).ok()
}

fn series<'a>(raw: &'a Raw, name: &str, labels: &[(&str, &str)]) -> &'a RawSeries {
    let has = |s: &&RawSeries| labels.iter().all(|(k, v)| s.labels.get(*k).is_some_and(|x| x == v));
    let mut found = raw.series.iter().filter(|s| s.name == name).filter(has);
    let first = found.next();
    let names: Vec<_> = raw.series.iter().map(|s| &s.name).collect();
    let first = first.unwrap_or_else(|| panic!("{name} {labels:?} is not in {names:?}"));
    assert!(found.next().is_none(), "{name} {labels:?} is there twice");
    first
}

fn values(raw: &Raw, name: &str, labels: &[(&str, &str)]) -> Vec<f64> {
    series(raw, name, labels).samples.iter().map(|s| s.1).collect()
}

fn has_gap(raw: &Raw, kind: GapKind, line: Option<u64>, words: &str) -> bool {
    raw.gaps.iter().any(|g| g.kind == kind && g.line == line && g.what.contains(words))
}

/// Everything a span says, with the strings in place of their symbols.
fn spans(raw: &Raw) -> Vec<String> {
    let text = |s| raw.symbols.text(s);
    let one = |s: &rootline::ingest::raw::RawSpan| {
        let ids = format!("{:032x} {:016x} {:016x}", s.trace, s.span, s.parent);
        let who = [s.service, s.instance, s.version, s.host].map(text).join("|");
        let what = [s.operation, s.error_type, s.peer, s.db_system, s.statement].map(text);
        let what = what.join("|");
        format!("{ids} {who} {what} {:?} {}..{} {}", s.kind, s.start, s.end, s.error)
    };
    raw.spans.iter().map(|s| one(&s)).collect()
}

/// Name, labels, unit and samples of every series, in order.
fn all_series(raw: &Raw) -> Vec<String> {
    let one = |s: &RawSeries| format!("{} {:?} {:?} {:?}", s.name, s.labels, s.unit, s.samples);
    let mut all: Vec<String> = raw.series.iter().map(one).collect();
    all.sort();
    all
}

const VARIANTS: [&str; 13] = [
    "01-plain",
    "02-upper-hex",
    "03-base64-ids",
    "04-number-nanos",
    "05-float-nanos",
    "06-enum-names",
    "07-number-ints-text-doubles",
    "08-batches",
    "09-snake-case",
    "10-old-scopes",
    "11-tempo-v2-wrapper",
    "12-zeros-left-out",
    "13-jaeger-v3-wrapper",
];

#[test]
fn short_ids_and_a_zero_parent_in_base64_are_read() {
    let text = String::from_utf8(bytes("formats/otlp/variant-03-base64-ids.json")).expect("UTF-8");
    let rootless = text.replace("\"parentSpanId\": \"\"", "\"parentSpanId\": \"AAAAAAAAAAA=\"");
    assert_ne!(rootless, text, "the fixture has a root");
    let folder = Scratch::with(&[("a.json", rootless.as_bytes())]);
    let raw = read_folder(folder.path(), &Settings::default()).expect("read");
    assert_eq!(spans(&raw), spans(&read("formats/otlp/variant-01-plain.json")));
    let short = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"ab1","spanId":"f1",
        "parentSpanId":"0","name":"a","startTimeUnixNano":"1795205400000000000",
        "endTimeUnixNano":"1795205400200000000"}]}]}]}"#;
    let folder = Scratch::with(&[("a.json", short.as_bytes())]);
    let raw = read_folder(folder.path(), &Settings::default()).expect("read");
    let ids: Vec<_> = raw.spans.iter().map(|s| (s.trace, s.span, s.parent)).collect();
    assert_eq!(ids, [(0xab1, 0xf1, 0)], "{:?}", raw.gaps);
}

#[test]
fn all_dialects_of_otlp_give_the_same_spans() {
    let plain = spans(&read("formats/otlp/variant-01-plain.json"));
    assert_eq!(plain.len(), 4);
    let first = "5b8efff798038103d269b633813fc7aa eee19b7ec3c1b101 0000000000000000 \
                 gateway|gateway-7d9f-abc|| GET /orders|503||| Server \
                 1795205400000000..1795205400200000 true";
    assert_eq!(plain[0], first);
    assert!(plain[3].contains("pg-main|postgresql|"), "{}", plain[3]);
    for name in VARIANTS {
        let raw = read(&format!("formats/otlp/variant-{name}.json"));
        assert_eq!(spans(&raw), plain, "{name}");
        assert!(raw.gaps.is_empty(), "{name}: {:?}", raw.gaps);
    }
}

#[test]
fn opentelemetry_proto_reads_the_same_spans() {
    let mut compared = 0;
    let names = VARIANTS.iter().map(|v| format!("variant-{v}.json"));
    for name in names.chain(["sdk-cumulative.jsonl".to_owned(), "collector.jsonl".to_owned()]) {
        let text = String::from_utf8(bytes(&format!("formats/otlp/{name}"))).expect("UTF-8");
        let documents: Vec<&str> = match name.ends_with("l") {
            true => text.lines().filter(|l| l.contains("resourceSpans")).collect(),
            false => vec![&text],
        };
        let parsed: Result<Vec<ExportTraceServiceRequest>, _> =
            documents.into_iter().map(serde_json::from_str).collect();
        // Base64 ids, float nanos, enum names and other keys are beyond the crate.
        let Ok(parsed) = parsed else { continue };
        let groups = parsed.into_iter().flat_map(|r| r.resource_spans);
        let theirs: Vec<_> = groups.flat_map(|g| g.scope_spans).flat_map(|s| s.spans).collect();
        if theirs.is_empty() {
            continue;
        }
        let raw = read(&format!("formats/otlp/{name}"));
        assert_eq!(raw.spans.len(), theirs.len(), "{name}");
        for (own, their) in raw.spans.iter().zip(&theirs) {
            assert_eq!(own.trace.to_be_bytes()[..], their.trace_id, "{name}");
            assert_eq!(own.span.to_be_bytes()[..], their.span_id, "{name}");
            assert_eq!(own.start as u64, their.start_time_unix_nano / 1000, "{name}");
            assert_eq!(own.end as u64, their.end_time_unix_nano / 1000, "{name}");
            assert_eq!(raw.symbols.text(own.operation), their.name, "{name}");
            assert_eq!(own.kind == SpanKind::Server, their.kind == 2, "{name}");
            let parent = their.parent_span_id.iter().fold(0u64, |v, b| v << 8 | u64::from(*b));
            assert_eq!(own.parent, parent, "{name}");
        }
        compared += 1;
    }
    assert!(compared >= 5, "only {compared} files were compared");
}

/// Asserts that one point's buckets are samples of ours; gives their number.
fn same_buckets(raw: &Raw, name: &str, point: &HistogramDataPoint) -> usize {
    let status = point.attributes.iter().find(|a| a.key == "http.response.status_code");
    let status = match status.and_then(|a| a.value.as_ref()?.value.as_ref()) {
        Some(any_value::Value::IntValue(v)) => v.to_string(),
        other => panic!("not recorded: {other:?}"),
    };
    let bounds = point.explicit_bounds.iter().map(f64::to_string);
    let mut sum = 0;
    for (le, count) in bounds.chain(["+Inf".to_owned()]).zip(&point.bucket_counts) {
        sum += count;
        let labels = [("http.response.status_code", status.as_str()), ("le", &le)];
        let own = series(raw, &format!("{name}_bucket"), &labels);
        let sample = (point.time_unix_nano as i64 / 1000, sum as f64);
        assert!(
            own.samples.iter().any(|s| s == sample),
            "{labels:?}: {sample:?} in {:?}",
            own.samples
        );
    }
    point.bucket_counts.len()
}

#[test]
fn opentelemetry_proto_reads_the_same_points() {
    let text = String::from_utf8(bytes("formats/otlp/sdk-cumulative.jsonl")).expect("UTF-8");
    let raw = read("formats/otlp/sdk-cumulative.jsonl");
    let mut numbers: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut counts: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut buckets = 0;
    for line in text.lines().filter(|l| l.contains("resourceMetrics")) {
        let request: ExportMetricsServiceRequest = serde_json::from_str(line).expect("readable");
        let scopes = request.resource_metrics.into_iter().flat_map(|r| r.scope_metrics);
        for m in scopes.flat_map(|s| s.metrics) {
            let number = |v| match v {
                Some(number_data_point::Value::AsInt(v)) => v as f64,
                Some(number_data_point::Value::AsDouble(v)) => v,
                None => f64::NAN,
            };
            match m.data {
                Some(metric::Data::Gauge(g)) => {
                    let all = g.data_points.into_iter().map(|p| number(p.value));
                    numbers.entry(m.name).or_default().extend(all);
                }
                Some(metric::Data::Sum(s)) => {
                    let name = m.name + if s.is_monotonic { "_total" } else { "" };
                    let all = s.data_points.into_iter().map(|p| number(p.value));
                    numbers.entry(name).or_default().extend(all);
                }
                Some(metric::Data::Histogram(h)) => {
                    buckets +=
                        h.data_points.iter().map(|p| same_buckets(&raw, &m.name, p)).sum::<usize>();
                }
                Some(metric::Data::ExponentialHistogram(h)) => {
                    let all = h.data_points.into_iter().map(|p| p.count as f64);
                    counts.entry(m.name).or_default().extend(all);
                }
                other => panic!("not recorded: {other:?}"),
            }
        }
    }
    assert_eq!((numbers.len(), buckets), (3, 6 * 5), "{numbers:?}");
    for (name, theirs) in numbers {
        assert_eq!(values(&raw, &name, &[]), theirs, "{name}");
    }
    assert_eq!(values(&raw, "rpc.client.duration_count", &[]), counts["rpc.client.duration"]);
}

#[test]
fn exemplars_are_counted_as_unused_in_json_and_in_protobuf() {
    let text = bytes("formats/otlp/exemplars.json");
    let request: ExportMetricsServiceRequest = serde_json::from_slice(&text).expect("readable");
    let binary = read_bytes("a.binpb", &request.encode_to_vec()).expect("recognised");
    let json = read("formats/otlp/exemplars.json");
    let want = [("http.server.request.duration".to_owned(), 2), ("orders".to_owned(), 1)];
    for raw in [&json, &binary] {
        let (kind, names) = raw.passed.of(0).next().expect("exemplars are listed");
        assert_eq!((kind, names), ("exemplars (links to traces)", &BTreeMap::from(want.clone())));
    }
    assert_eq!(all_series(&binary), all_series(&json));
}

#[test]
fn metrics_of_a_real_sdk_are_read_with_names_labels_and_units() {
    let raw = read("formats/otlp/sdk-cumulative.jsonl");
    assert_eq!(raw.files[0].reader, "otlp");
    assert_eq!((raw.spans.len(), raw.files[0].rows, raw.files[0].skipped), (6, 6 + 18, 0));
    assert_eq!(values(&raw, "shop.orders.placed_total", &[("route", "/cart")]), [8.0, 16.0, 24.0]);
    let carts = series(&raw, "shop.carts.open", &[]);
    assert_eq!(carts.unit.as_deref(), Some("{cart}"));
    assert_eq!(carts.samples.iter().map(|s| s.1).collect::<Vec<_>>(), [2.0, 4.0, 6.0]);
    assert_eq!(carts.samples.at(0).0, 1_795_236_477_805_635);
    let labels: Vec<_> = carts.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let own = [
        ("host_name", "node-a"),
        ("service.instance.id", "cart-0"),
        ("service.name", "cart"),
        ("service.version", "1.4.2"),
    ];
    assert_eq!(labels, own);
    let ok = ("http.response.status_code", "200");
    let bucket = |le| values(&raw, "http.server.request.duration_bucket", &[ok, ("le", le)]);
    assert_eq!(bucket("0.005"), [1.0, 1.0, 1.0]);
    assert_eq!(bucket("0.5"), [3.0, 6.0, 8.0]);
    assert_eq!(bucket("+Inf"), [3.0, 6.0, 9.0]);
    assert_eq!(values(&raw, "http.server.request.duration_count", &[ok]), [3.0, 6.0, 9.0]);
}

#[test]
fn an_exponential_histogram_has_the_same_bounds_at_all_times_in_seconds() {
    let raw = read("formats/otlp/sdk-cumulative.jsonl");
    let sum = series(&raw, "rpc.client.duration_sum", &[("server.address", "orders")]);
    assert_eq!((sum.unit.as_deref(), sum.samples.at(0).1), (Some("s"), 1.943));
    let buckets = raw.series.iter().filter(|s| s.name == "rpc.client.duration_bucket");
    let mut bounds: Vec<(f64, Vec<f64>)> = buckets
        .map(|s| {
            let le = s.labels["le"].parse().expect("a bound is a number");
            (le, s.samples.iter().map(|s| s.1).collect())
        })
        .collect();
    bounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    assert!(bounds.iter().all(|(_, v)| v.len() == 3), "{bounds:?}");
    assert!(bounds.windows(2).all(|w| w[0].1.iter().zip(&w[1].1).all(|(a, b)| a <= b)));
    // 3, 200, 40 and 1700 ms; then twice and three times that.
    let below = |t: f64| bounds.iter().rfind(|(le, _)| *le <= t).map(|(_, v)| v.clone());
    assert_eq!(below(0.5), Some(vec![3.0, 6.0, 8.0]));
    assert_eq!(
        bounds.last().map(|(le, v)| (*le, v.clone())),
        Some((f64::INFINITY, vec![4.0, 8.0, 12.0]))
    );
}

#[test]
fn deltas_add_up_to_what_the_cumulative_export_says() {
    let delta = read("formats/otlp/sdk-delta.jsonl");
    let cumulative = read("formats/otlp/sdk-cumulative.jsonl");
    let names = |raw: &Raw| {
        let of = |s: &RawSeries| (s.name.clone(), s.labels.clone());
        let mut all: Vec<_> = raw.series.iter().map(of).collect();
        all.sort();
        all
    };
    assert_eq!(names(&delta), names(&cumulative));
    for own in &delta.series {
        let same = |s: &&RawSeries| s.name == own.name && s.labels == own.labels;
        let other = cumulative.series.iter().find(same).expect("the names are the same");
        for (a, b) in own.samples.iter().zip(&other.samples) {
            assert!((a.1 - b.1).abs() < 1e-9, "{} {:?}: {a:?} {b:?}", own.name, own.labels);
        }
    }
}

#[test]
fn one_file_may_mix_traces_metrics_and_logs_line_by_line() {
    let raw = read("formats/otlp/mixed.jsonl");
    assert_eq!(raw.files[0].reader, "otlp");
    assert_eq!(spans(&raw), spans(&read("formats/otlp/variant-01-plain.json")));
    assert!(has_gap(&raw, GapKind::Skipped, Some(2), "logs are not read"), "{:?}", raw.gaps);
    assert!(has_gap(&raw, GapKind::Skipped, None, "NaN"), "{:?}", raw.gaps);
    assert!(has_gap(&raw, GapKind::Skipped, None, "nothing was recorded"), "{:?}", raw.gaps);
    assert!(has_gap(&raw, GapKind::Skipped, None, "of a known kind"), "{:?}", raw.gaps);
    // The restart at 90 s counts 150 since then: a zero makes it a fall.
    let t = 1_795_205_400_000_000;
    let counted = &series(&raw, "counter-int_total", &[]).samples;
    let want =
        [(t, 123.0), (t + 60_000_000, 130.0), (t + 90_000_000, 0.0), (t + 120_000_000, 150.0)];
    assert_eq!(*counted, want);
    assert_eq!(values(&raw, "pool.size", &[]), [4.0]);
    let age = series(&raw, "queue.age", &[]);
    assert_eq!((age.unit.as_deref(), &age.samples.to_vec()[..]), (Some("s"), &[(t, 1.5)][..]));
    assert_eq!(values(&raw, "http.client.duration", &[("quantile", "0.99")]), [0.9]);
    assert_eq!(values(&raw, "http.client.duration_sum", &[]), [2.5]);
    // A random instance id gives way to the host, as for spans, but keeps processes apart.
    let uuid = "0a1b2c3d-0000-4000-8000-000000000001";
    assert_eq!(age.labels["service.instance.id"], "node-a");
    assert_eq!(age.labels["process"], uuid);
    assert!(raw.series.iter().all(|s| s.labels.values().all(|v| !v.contains("hunter2"))));
}

#[test]
fn snake_case_metrics_are_the_same() {
    let snake = read("formats/otlp/snake-metrics.json");
    assert_eq!(all_series(&snake), all_series(&read("formats/otlp/mixed.jsonl")));
}

#[test]
fn protobuf_json_and_compressed_messages_give_the_same() {
    let json = read("formats/otlp/sdk-cumulative.jsonl");
    for name in ["frames.binpb", "frames-zstd-json.bin", "frames-zstd-proto.bin"] {
        let raw = read(&format!("formats/otlp-proto/{name}"));
        assert_eq!(raw.files[0].reader, "otlp-proto", "{name}");
        assert_eq!(spans(&raw), spans(&json), "{name}");
        assert_eq!(all_series(&raw), all_series(&json), "{name}");
        assert_eq!((raw.files[0].rows, raw.gaps.len()), (24, 0), "{name}: {:?}", raw.gaps);
    }
    let bare = read("formats/otlp-proto/request.binpb");
    assert_eq!((bare.files[0].reader.as_str(), bare.files[0].rows), ("otlp-proto", 6));
    assert_eq!(values(&bare, "shop.orders.placed_total", &[]), [8.0]);
}

#[test]
fn a_cut_file_of_messages_keeps_what_stands_before() {
    for name in ["frames.binpb", "frames-zstd-json.bin", "frames-zstd-proto.bin"] {
        let whole = bytes(&format!("formats/otlp-proto/{name}"));
        for tenth in 1..10 {
            let raw = read_bytes(name, &whole[..whole.len() * tenth / 10]);
            let raw = raw.unwrap_or_else(|| panic!("{name} cut at {tenth} is not recognised"));
            let said = raw.gaps.iter().any(|g| g.kind == GapKind::Truncated && g.line.is_some());
            assert!(said, "{name} cut at {tenth}: {:?}", raw.gaps);
        }
        let half = read_bytes(name, &whole[..whole.len() / 2]).expect("recognised");
        assert!(half.files[0].rows > 0, "{name}");
    }
    let mut damaged = bytes("formats/otlp-proto/frames.binpb");
    damaged[530] = 0xff;
    damaged[540] = 0xff;
    let raw = read_bytes("frames.binpb", &damaged).expect("recognised");
    assert!(!raw.gaps.is_empty() && raw.files[0].rows > 6, "{:?}", raw.gaps);
}

#[test]
fn empty_messages_and_line_ends_do_no_harm() {
    let empty = read_bytes("m.json", b"{\"resourceMetrics\":[]}\r\n").expect("recognised");
    assert!(has_gap(&empty, GapKind::Missing, None, "not one row"), "{:?}", empty.gaps);
    let text = String::from_utf8(bytes("formats/otlp/mixed.jsonl")).expect("UTF-8");
    let dos = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    let raw = read_bytes("mixed.jsonl", dos.as_bytes()).expect("recognised");
    assert_eq!(all_series(&raw), all_series(&read("formats/otlp/mixed.jsonl")));
    let cut = read_bytes("mixed.jsonl", &text.as_bytes()[..text.len() - 60]).expect("recognised");
    assert!(!cut.gaps.is_empty());
}

/// Whether any string of what was read has these words.
fn keeps(raw: &Raw, words: &str) -> bool {
    let symbols = (0..).map_while(|i| raw.symbols.get(i)).any(|s| s.contains(words));
    let labels = raw.series.iter().flat_map(|s| s.labels.values());
    let gaps = raw.gaps.iter().any(|g| g.what.contains(words));
    symbols || gaps || labels.into_iter().any(|v| v.contains(words))
}

#[test]
fn requests_of_a_browser_are_client_spans_without_their_secrets() {
    let raw = read("formats/har/chrome.har");
    assert_eq!(raw.files[0].reader, "har");
    assert_eq!((raw.spans.len(), raw.files[0].rows, raw.files[0].skipped), (7, 7, 2));
    let text = |s| raw.symbols.text(s);
    let all: Vec<_> = raw
        .spans
        .iter()
        .map(|s| (text(s.operation), text(s.peer), (s.end - s.start) / 1000, text(s.error_type)))
        .collect();
    let api = "api.shop.example";
    let want = [
        ("GET /cart", "shop.example", 181, ""),
        ("GET /v1/items", api, 41, ""),
        ("GET /v1/prices", api, 52, "503"),
        ("POST /v1/orders", api, 45_200, ""),
        ("GET /a.js", "cdn.example", 8, "net::ERR_NAME_NOT_RESOLVED"),
        ("GET /v1/stream", api, 2, "no response"),
        ("GET /v1/missing", api, 30, "404"),
    ];
    assert_eq!(all, want);
    let services = raw.spans.iter().all(|s| text(s.service) == "browser");
    assert!(services && raw.spans.iter().all(|s| s.kind == SpanKind::Client));
    assert!(
        raw.spans.iter().all(|s| s.trace == raw.spans.get(0).expect("a span").trace),
        "one page, one trace"
    );
    assert_eq!(raw.spans.iter().map(|s| s.error).filter(|e| *e).count(), 4);
    // An offset in the time is read.
    assert_eq!(raw.spans.get(6).expect("a span").start, 1_795_205_405_000_000);
    assert!(has_gap(&raw, GapKind::Skipped, None, "data:"), "{:?}", raw.gaps);
    for secret in ["s3cr3t", "4111", "sid", "203.0.113.9", "?"] {
        assert!(!keeps(&raw, secret), "{secret}");
    }
}

#[test]
fn phases_of_connections_are_series_of_their_host_and_hung_requests_are_told() {
    let raw = read("formats/har/chrome.har");
    let phase = |host, phase| {
        let labels = [("server.address", host), ("phase", phase), ("service.name", "browser")];
        series(&raw, "http.client.phase.duration", &labels)
    };
    let dns = phase("api.shop.example", "dns");
    assert_eq!(
        (dns.unit.as_deref(), &dns.samples.to_vec()[..]),
        (Some("s"), &[(1_795_205_401_000_000, 5.0)][..])
    );
    // Two requests of the same millisecond are two samples; -1 is none.
    let wait: Vec<f64> = phase("api.shop.example", "wait").samples.iter().map(|s| s.1).collect();
    assert_eq!(wait, [0.039, 0.05, 40.198, 0.028]);
    assert_eq!(phase("shop.example", "ssl").samples.at(0).1, 0.04);
    let hung = raw.gaps.iter().find(|g| g.what.contains("hung")).expect("hung requests are said");
    assert!(hung.what.starts_with("2 of 7 requests hung"), "{}", hung.what);
    assert!(hung.what.contains("POST /v1/orders of api.shop.example"), "{}", hung.what);
    assert!(hung.kind == GapKind::Inferred && hung.line.is_some());
}

#[test]
fn an_empty_or_cut_recording_is_a_gap() {
    let empty = read("formats/har/empty.har");
    assert!(has_gap(&empty, GapKind::Missing, None, "not one row"), "{:?}", empty.gaps);
    let whole = bytes("formats/har/chrome.har");
    for tenth in 2..10 {
        let raw = read_bytes("a.har", &whole[..whole.len() * tenth / 10]).expect("recognised");
        let said = raw.gaps.iter().any(|g| g.kind == GapKind::Truncated && g.line.is_some());
        assert!(said, "cut at {tenth}: {:?}", raw.gaps);
    }
    let dos = String::from_utf8(whole).expect("UTF-8").replace('\n', "\r\n");
    let utf16: Vec<u8> =
        std::iter::once(0xfeff).chain(dos.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let raw = read_bytes("a.har", &utf16).expect("recognised");
    assert_eq!((raw.spans.len(), raw.files[0].reader.as_str()), (7, "har"));
}

#[test]
fn two_heap_snapshots_of_a_process_tell_what_grew() {
    let raw = read("formats/heap-snapshot");
    let own: Vec<_> = raw.files.iter().filter(|f| f.reader == "heap-snapshot").collect();
    assert_eq!(own.len(), 2);
    // The program had kept 50 objects of class Session, then 450.
    let sizes = |name, kind| -> Vec<(i64, f64)> {
        let of = |s: &&RawSeries| s.name == name && s.labels["type"] == kind;
        raw.series.iter().filter(of).map(|s| s.samples.at(0)).collect()
    };
    let sessions = sizes("heap.objects.size", "Session");
    let (first, second) = (1_795_205_400_000_000, 1_795_207_200_000_000);
    assert_eq!(sessions.iter().map(|s| s.0).collect::<Vec<_>>(), [first, second]);
    assert_eq!(sessions[1].1 / sessions[0].1, 9.0);
    let retained = sizes("heap.retained.size", "Session");
    assert!(retained.iter().zip(&sessions).all(|(r, s)| r.1 >= s.1));
    assert!(raw.series.iter().all(|s| s.labels["service.name"] == "cart"));
    let said = raw.gaps.iter().find(|g| g.what.contains("heap of cart grew by"));
    let said = said.unwrap_or_else(|| panic!("{:?}", raw.gaps));
    assert!(said.kind == GapKind::Inferred && said.what.contains("% in Session"), "{}", said.what);
    assert!(said.what.contains("between 2026-11-20T20:10:00Z and 2026-11-20T20:40:00Z"));
}

#[test]
fn heap_profiles_of_go_are_read_as_pprof_shows_them() {
    let raw = read("formats/pprof/checkout-b.pb.gz");
    assert_eq!(raw.files[0].reader, "pprof");
    // What `go tool pprof -top` says of the same file.
    let size = |name, kind| {
        let labels = [("type", kind), ("service.name", "checkout")];
        series(&raw, name, &labels).samples.at(0).1
    };
    assert_eq!(size("heap.objects.size", "main.parseOrder"), 4_532_000.0);
    assert_eq!(size("heap.objects.size", "main.cacheOrders"), 10_240.0);
    assert_eq!(size("heap.retained.size", "main.cacheOrders"), 4_542_240.0);
    assert_eq!(size("heap.retained.size", "main.main"), 4_550_688.0);
    assert_eq!(size("heap.package.size", "main"), 4_542_240.0);
    assert!(size("heap.allocated.size_total", "main.cacheOrders") > 10_240.0);
    let at = raw.series[0].samples.at(0).0;
    assert_eq!(at, 1_795_237_246_177_538);
    let both = read("formats/pprof");
    let grew = both.gaps.iter().find(|g| g.what.contains("heap of checkout grew by 4.1 MB"));
    let grew = grew.unwrap_or_else(|| panic!("{:?}", both.gaps));
    assert!(grew.what.contains("% in main.parseOrder"), "{}", grew.what);
    let cpu = both.gaps.iter().find(|g| g.what.contains("only heap profiles are read"));
    assert_eq!(cpu.and_then(|g| g.file.as_deref()), Some("cpu.pb.gz"), "{:?}", both.gaps);
}

#[test]
fn heap_profiles_of_node_are_read() {
    let raw = read("formats/pprof/orders.pb.gz");
    assert_eq!((raw.files[0].reader.as_str(), raw.files[0].skipped), ("pprof", 0));
    let size = |name, kind| {
        let labels = [("type", kind), ("service.name", "orders")];
        series(&raw, name, &labels).samples.at(0).1
    };
    // 2000 lists of 512 numbers, of which V8 tells a sample of one in 1024 bytes.
    let own = size("heap.objects.size", "parseOrder");
    assert!((4e6..16e6).contains(&own), "{own}");
    assert!(size("heap.retained.size", "cacheOrders") >= own);
    assert!(size("heap.package.size", "orders.js") >= own);
}

#[test]
fn cut_profiles_are_gaps() {
    let whole = super::support::gunzip(&bytes("formats/pprof/checkout-a.pb.gz"));
    for tenth in 1..10 {
        let raw = read_bytes("a.pb", &whole[..whole.len() * tenth / 10]).expect("recognised");
        assert!(!raw.gaps.is_empty(), "cut at {tenth}");
    }
}

/// A zip archive of these members.
fn zipped(members: &[(&str, &[u8])]) -> Vec<u8> {
    use std::io::Write;
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in members {
        let options = zip::write::SimpleFileOptions::default();
        writer.start_file(*name, options).expect("memory can be written");
        writer.write_all(content).expect("memory can be written");
    }
    writer.finish().expect("memory can be written").into_inner()
}

#[test]
fn members_of_a_zip_archive_are_inputs_of_their_own() {
    let wide = bytes("formats/table/wide.csv");
    let trace = bytes("formats/otlp/variant-01-plain.json");
    let nested = zipped(&[("x.csv", &wide)]);
    let gz = super::support::gzip(&trace);
    let members: [(&str, &[u8]); 7] = [
        ("metrics/wide.csv", &wide),
        ("../../traces.json.gz", &gz),
        ("inner.zip", &nested),
        ("photo.png", b"\x89PNG\r\n"),
        ("__MACOSX/._wide.csv", &wide),
        ("truth.toml", b"x = 1"),
        ("empty/", b""),
    ];
    let raw = read_bytes("export.zip", &zipped(&members)).expect("read");
    let files: Vec<_> = raw.files.iter().map(|f| (f.path.as_str(), f.reader.as_str())).collect();
    let want = [
        ("export.zip/metrics/wide.csv", "table"),
        ("export.zip/traces.json.gz", "otlp"),
        ("export.zip/inner.zip", "none"),
        ("export.zip/photo.png", "none"),
    ];
    assert_eq!(files, want);
    assert_eq!(spans(&raw), spans(&read("formats/otlp/variant-01-plain.json")));
    assert!(has_gap(&raw, GapKind::Unreadable, None, "archive inside an archive"));
    assert!(has_gap(&raw, GapKind::Unreadable, None, "a PNG picture"), "{:?}", raw.gaps);
    let direct = read("formats/table/wide.csv");
    let from_zip: Vec<_> = raw.series.iter().map(|s| (&s.name, &s.samples)).collect();
    assert_eq!(from_zip, direct.series.iter().map(|s| (&s.name, &s.samples)).collect::<Vec<_>>());
}

/// An archive whose directory lists one and the same content under nine names.
fn overlapping(content: &[u8]) -> Vec<u8> {
    let one = zipped(&[("1.csv", content)]);
    let find = |magic: &[u8]| one.windows(4).rposition(|w| w == magic).expect("it is there");
    let (directory, end) = (find(b"PK\x01\x02"), find(b"PK\x05\x06"));
    let mut out = one[..directory].to_vec();
    for digit in b'1'..=b'9' {
        let mut entry = one[directory..end].to_vec();
        entry[46] = digit;
        out.extend(entry);
    }
    let mut last = one[end..].to_vec();
    let size = 9 * (end - directory) as u32;
    last[8..12].copy_from_slice(&[9, 0, 9, 0]);
    last[12..16].copy_from_slice(&size.to_le_bytes());
    out.extend(last);
    out
}

#[test]
fn a_bomb_of_overlapping_members_is_stopped() {
    let bomb = overlapping(&vec![b' '; 64 << 20]);
    let wide = bytes("formats/table/wide.csv");
    let folder = Scratch::with(&[("export.zip", &bomb), ("good.csv", &wide)]);
    let raw = read_folder(folder.path(), &Settings::default()).expect("one file is good");
    assert!(raw.gaps.iter().any(|g| g.what.contains("limit of an archive")), "{:?}", raw.gaps);
}

#[test]
fn a_cut_broken_or_encrypted_archive_is_a_gap() {
    let wide = bytes("formats/table/wide.csv");
    let whole = zipped(&[("wide.csv", &wide), ("again.csv", &wide)]);
    let beside = |archive: &[u8]| {
        let folder = Scratch::with(&[("export.zip", archive), ("good.csv", &wide)]);
        read_folder(folder.path(), &Settings::default()).expect("one file is good")
    };
    for tenth in 1..10 {
        let raw = beside(&whole[..whole.len() * tenth / 10]);
        assert!(has_gap(&raw, GapKind::Unreadable, None, "directory is not readable"));
    }
    // Bit 0 of the flags says that a member is encrypted: in its own header and in the directory.
    let mut encrypted = whole.clone();
    let entry = encrypted.windows(4).position(|w| w == b"PK\x01\x02").expect("a directory");
    encrypted[6] |= 1;
    encrypted[entry + 8] |= 1;
    let raw = beside(&encrypted);
    assert!(has_gap(&raw, GapKind::Unreadable, None, "encrypted"), "{:?}", raw.gaps);
    assert_eq!(raw.files.iter().filter(|f| f.reader == "table").count(), 2);
    let mut damaged = whole.clone();
    damaged[60] ^= 0x55;
    assert!(!beside(&damaged).gaps.is_empty());
    let raw = beside(&zipped(&[]));
    assert!(has_gap(&raw, GapKind::Unreadable, None, "empty zip archive"), "{:?}", raw.gaps);
    let office = beside(&zipped(&[("[Content_Types].xml", b"<x/>"), ("xl/a.xml", b"<x/>")]));
    assert!(has_gap(&office, GapKind::Unreadable, None, "Office document"), "{:?}", office.gaps);
}

#[test]
fn bytes_changed_at_random_never_panic() {
    let snapshot = "formats/heap-snapshot/cart-2026-11-20T20-10-00.heapsnapshot.gz";
    let unpacked = |name: &str| super::support::gunzip(&bytes(name));
    let inputs = [
        ("a.binpb", bytes("formats/otlp-proto/frames.binpb")),
        ("b.binpb", bytes("formats/otlp-proto/request.binpb")),
        ("a.pb", unpacked("formats/pprof/checkout-a.pb.gz")),
        ("a.heapsnapshot", unpacked(snapshot)),
        ("a.har", bytes("formats/har/chrome.har")),
        ("a.jsonl", bytes("formats/otlp/mixed.jsonl")),
        ("a.zip", zipped(&[("wide.csv", &bytes("formats/table/wide.csv"))])),
    ];
    let mut state = 11u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
        (state >> 33) as usize % below
    };
    for (name, whole) in &inputs {
        let folder = Scratch::new();
        for _ in 0..100 {
            let mut changed = whole.clone();
            for _ in 0..=random(4) {
                let at = random(changed.len());
                changed[at] = random(256) as u8;
            }
            folder.file(name, &changed);
            // What comes of it is an answer or an error: both will do.
            let _ = read_folder(folder.path(), &Settings::default());
        }
    }
}
