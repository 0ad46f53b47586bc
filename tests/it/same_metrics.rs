//! One set of metrics through every format of metrics. In: the writers. Out: the same series.

use super::same_data::{Files, T0, name, one, read, rolled_up, same, subject};
use super::same_metrics_written as written;
use super::support::gzip;
use rootline::ingest::raw::Raw;
use rootline::normalize::normalize;
use rootline::telemetry::Telemetry;
use std::collections::BTreeMap;

/// One canonical series: times in whole seconds.
pub struct Series {
    pub name: &'static str,
    pub labels: BTreeMap<String, String>,
    pub points: Vec<(i64, f64)>,
}

/// Points on the grid of 15 s.
const POINTS: i64 = 40;
/// Here every counter of `checkout` starts again.
pub const RESET: i64 = T0 + 25 * 15;

/// Three services with a counter of two codes, a gauge, a histogram and a pool; each family of each
/// service has gaps of its own.
pub fn canonical() -> Vec<Series> {
    let mut all = Vec::new();
    for (n, service) in ["checkout", "cart", "search"].into_iter().enumerate() {
        let n = n as i64;
        let restarts = service == "checkout";
        // What a counter has counted at point `i`, in steps.
        let counted = |i: i64| if restarts && i >= 25 { i - 24 } else { i + 100 * (n + 1) } as f64;
        let mut add = |family: i64, name, more: &[(&str, &str)], value: &dyn Fn(i64) -> f64| {
            let instance = format!("{service}-1");
            let own = [("service", service), ("instance", instance.as_str())];
            let labels = own.iter().chain(more).map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            let here = |i: &i64| !(8..8 + n).contains(i) && *i != 12 + family + n;
            let points = (0..POINTS).filter(here).map(|i| (T0 + i * 15, value(i))).collect();
            all.push(Series { name, labels: labels.collect(), points });
        };
        let route = ("route", "/api/items");
        let requests = "http_requests_total";
        add(0, requests, &[route, ("code", "200")], &|i| counted(i) * 30.0);
        add(0, requests, &[route, ("code", "503")], &|i| counted(i) * 2.0);
        add(1, "process_resident_memory_bytes", &[], &|i| 1e8 + (i * 1_048_576) as f64);
        let bucket = "http_request_duration_seconds_bucket";
        for (le, share) in [("0.1", 20.0), ("0.5", 27.0), ("+Inf", 32.0)] {
            add(2, bucket, &[route, ("le", le)], &|i| counted(i) * share);
        }
        add(2, "http_request_duration_seconds_count", &[route], &|i| counted(i) * 32.0);
        add(2, "http_request_duration_seconds_sum", &[route], &|i| counted(i) * 6.25);
        let pool = [("pool", "main")];
        add(3, "hikaricp_connections_active", &pool, &|i| ((i * 7 + n) % 11) as f64);
    }
    all
}

/// What a format cannot carry.
#[derive(Clone, Copy, PartialEq)]
enum Lacks {
    Nothing,
    /// OpenTelemetry calls service and instance by its own names.
    Labels,
    /// Every value of CloudWatch is a statistic over a period, here an average.
    Statistic,
}

/// Format, its reader, its writer, and what it cannot carry.
type Row = (&'static str, &'static str, fn(&[Series]) -> Files, Lacks);

const FORMATS: [Row; 33] = [
    ("Prometheus query_range JSON", "prometheus", written::range_json, Lacks::Nothing),
    ("bare matrix of promtool", "prometheus", written::bare_matrix, Lacks::Nothing),
    ("range JSON in two chunks", "prometheus", written::two_chunks, Lacks::Nothing),
    ("range JSON, gzip", "prometheus", gzipped, Lacks::Nothing),
    ("range JSON, zstd", "prometheus", zstd, Lacks::Nothing),
    ("range JSON, zip", "prometheus", zipped, Lacks::Nothing),
    ("range JSON, UTF-16 of PowerShell", "prometheus", utf_16, Lacks::Nothing),
    ("OpenMetrics with times", "openmetrics", written::openmetrics, Lacks::Nothing),
    ("exposition text in ms", "openmetrics", written::exposition, Lacks::Nothing),
    ("promtool tsdb dump", "openmetrics", written::tsdb_dump, Lacks::Nothing),
    ("promtool query text", "promtool", written::promtool, Lacks::Nothing),
    ("VictoriaMetrics lines", "victoriametrics", written::victoriametrics, Lacks::Nothing),
    ("Influx line protocol", "influx-line", written::influx_line, Lacks::Nothing),
    ("Influx line, field value", "influx-line", written::influx_line_value, Lacks::Nothing),
    ("Influx annotated CSV", "influx-csv", written::influx_csv, Lacks::Nothing),
    ("Grafana CSV, joined", "grafana-csv", written::grafana_joined, Lacks::Nothing),
    ("Grafana CSV, one a series", "grafana-csv", written::grafana_single, Lacks::Nothing),
    ("Grafana CSV for Excel", "grafana-csv", written::grafana_excel, Lacks::Nothing),
    ("Grafana frames of a query", "grafana-frames", written::grafana_frames, Lacks::Nothing),
    ("Grafana panel JSON", "grafana-frames", written::grafana_panel, Lacks::Nothing),
    ("OTLP JSON lines", "otlp", written::otlp_lines, Lacks::Labels),
    ("OTLP protobuf, framed", "otlp-proto", written::otlp_framed, Lacks::Labels),
    ("Datadog v1", "datadog", written::datadog_v1, Lacks::Nothing),
    ("Datadog v2", "datadog", written::datadog_v2, Lacks::Nothing),
    ("CloudWatch get-metric-data", "cloudwatch", written::cloudwatch, Lacks::Statistic),
    ("wide CSV", "table", written::wide_csv, Lacks::Nothing),
    ("wide CSV by series", "table", written::wide_csv_by_series, Lacks::Nothing),
    ("wide Parquet by series", "parquet", written::wide_parquet_by_series, Lacks::Nothing),
    ("long CSV", "table", written::long_csv, Lacks::Nothing),
    ("wide Parquet", "parquet", written::wide_parquet, Lacks::Nothing),
    ("long Parquet", "parquet", written::long_parquet, Lacks::Nothing),
    ("wide Arrow file", "arrow-ipc", written::wide_arrow, Lacks::Nothing),
    ("long Arrow stream", "arrow-ipc", written::long_arrow_stream, Lacks::Nothing),
];

fn gzipped(all: &[Series]) -> Files {
    let files = written::range_json(all).into_iter();
    files.map(|(name, bytes)| (format!("{name}.gz"), gzip(&bytes))).collect()
}

fn zstd(all: &[Series]) -> Files {
    let files = written::range_json(all).into_iter();
    let packed = |bytes: &[u8]| zstd::encode_all(bytes, 3).expect("memory can be written");
    files.map(|(name, bytes)| (format!("{name}.zst"), packed(&bytes))).collect()
}

fn zipped(all: &[Series]) -> Files {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in written::range_json(all) {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).expect("a member");
        std::io::Write::write_all(&mut zip, &bytes).expect("memory can be written");
    }
    one("export.zip", zip.finish().expect("memory can be written").into_inner())
}

fn utf_16(all: &[Series]) -> Files {
    let files = written::range_json(all).into_iter();
    let text = |bytes: Vec<u8>| written::utf_16(&String::from_utf8(bytes).expect("UTF-8"));
    files.map(|(name, bytes)| (name, text(bytes))).collect()
}

/// The series as they were read, with the labels of OpenTelemetry under their plain names.
fn raw_lines(raw: &Raw) -> Vec<String> {
    let plain = |key: &str| match key {
        "service.name" => "service".to_owned(),
        "service.instance.id" => "instance".to_owned(),
        other => other.to_owned(),
    };
    // Chunks and bodies of one series are put together when they are understood.
    let mut all: BTreeMap<String, Vec<(i64, f64)>> = BTreeMap::new();
    for s in &raw.series {
        let labels: BTreeMap<String, &String> =
            s.labels.iter().map(|(k, v)| (plain(k), v)).collect();
        all.entry(format!("{}{labels:?}", s.name)).or_default().extend(&s.samples);
    }
    let sorted = |mut points: Vec<(i64, f64)>| {
        points.sort_by_key(|p| p.0);
        points.dedup();
        points
    };
    all.into_iter().map(|(k, p)| format!("{k} {:?}", sorted(p))).collect()
}

/// The series as they are understood.
fn understood(t: &Telemetry, with_stat: bool) -> Vec<String> {
    let line = |(m, p): (&rootline::telemetry::SeriesMeta, &rootline::points::Points)| {
        let stat = if with_stat { format!("{:?}", m.stat) } else { String::new() };
        let id = |e: Option<rootline::model::EntityId>| e.map(|e| name(t, e.0)).unwrap_or_default();
        format!(
            "{} {} {:?} {stat} at {}/{} {:?} [{}] [{}] le {} window {} guessed {}: {p:?}",
            subject(t, m.subject),
            t.signals.get(m.signal).name,
            m.part,
            id(m.instance),
            id(m.member),
            m.class,
            m.state,
            m.dims,
            m.le,
            m.window_s,
            m.guessed
        )
    };
    let mut lines: Vec<String> = t.series.iter().zip(&t.samples).map(line).collect();
    lines.sort();
    lines
}

#[test]
fn metrics_are_the_same_through_every_format() {
    let all = canonical();
    let first = read(&written::range_json(&all), "prometheus");
    let want_raw = raw_lines(&first);
    assert_eq!(want_raw.len(), all.len());
    let first = normalize(first).expect("understood");
    assert_eq!(understood(&first, true).len(), all.len());
    assert!(rolled_up(&first, true).len() >= 12, "{:?}", rolled_up(&first, true));
    let mut wrong: Vec<String> = Vec::new();
    for (format, reader, write, lacks) in FORMATS {
        let with_stat = lacks != Lacks::Statistic;
        let raw = read(&write(&all), reader);
        wrong.extend(same(&format!("{format}, raw"), &raw_lines(&raw), &want_raw));
        let t = normalize(raw).expect("understood");
        wrong.extend(same(format, &understood(&t, with_stat), &understood(&first, with_stat)));
        let (found, want) = (rolled_up(&t, with_stat), rolled_up(&first, with_stat));
        wrong.extend(same(&format!("{format}, rolled up"), &found, &want));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn two_formats_in_one_folder_are_one_data_set() {
    let all = canonical();
    let want = normalize(read(&written::range_json(&all), "prometheus")).expect("understood");
    for write in [written::tsdb_dump, written::grafana_joined, written::long_parquet] {
        let folder = super::support::Scratch::new();
        for (name, bytes) in written::range_json(&all).into_iter().chain(write(&all)) {
            folder.file(&name, &bytes);
        }
        let raw =
            rootline::ingest::read_folder(folder.path(), &rootline::ingest::Settings::default())
                .expect("read");
        let t = normalize(raw).expect("understood");
        let wrong = same("both", &understood(&t, true), &understood(&want, true));
        assert_eq!(wrong, None);
    }
}
