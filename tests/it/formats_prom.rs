//! Prometheus' text formats, its API answers, and the metrics formats beside them.
//!
//! Fixtures of `prometheus/` (raw-samples, native-histogram(s), scalar, string, http_requests,
//! chunks), `prometheus-names/series.json`, `promtool/` and `openmetrics/tsdb-dump.txt`,
//! `federate.txt` were recorded from one Prometheus 2.42 that scraped a program with
//! prometheus_client 0.26 (whose own answers are the scrapes in `openmetrics/`), which was
//! restarted once; `victoriametrics/export.jsonl`, `headless.csv` and `native.bin` are from
//! VictoriaMetrics 1.79 that Prometheus wrote the same samples to. `dump-openmetrics.txt` was
//! written from `tsdb-dump.txt` by the rule of FORMATS 4.2, for promtool 2.42 cannot.
//! `influx-line/prometheus.lp` is the same dump as line protocol: measurement = name, tags =
//! labels, one field `value`, NaN and build_info (a line break in a tag) left out. The other Influx
//! and the Datadog fixtures are the samples of FORMATS 4.9 and 4.10, completed by their rules.
//! `warnings.json`, `seriesjson.jsonl` and `with-header.csv` are by hand.

use super::support::{Scratch, bytes, fixture};
use rootline::diagnosis::Diagnosis;
use rootline::ingest::raw::Raw;
use rootline::ingest::{Settings, read_folder};
use rootline::model::{GapKind, Micros};
use rootline::{Options, normalize};
use std::collections::BTreeMap;
use std::path::Path;

const SECOND: Micros = 1_000_000;
/// First sample of the recording.
const START: Micros = 1_795_235_482_472_000;

fn read_path(path: &Path) -> Raw {
    read_folder(path, &Settings::default()).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn read(name: &str) -> Raw {
    read_path(&fixture(name))
}

fn read_bytes(name: &str, content: &[u8]) -> Raw {
    read_path(Scratch::with(&[(name, content)]).path())
}

fn diagnose(name: &str) -> Diagnosis {
    rootline::diagnose(&fixture(name), &Options::default())
        .unwrap_or_else(|e| panic!("{name}: {e}"))
}

type Series = BTreeMap<String, Vec<(Micros, f64)>>;

/// Samples by name and labels.
fn series(raw: &Raw) -> Series {
    let mut all = Series::new();
    for s in &raw.series {
        let samples = all.entry(format!("{}{:?}", s.name, s.labels)).or_default();
        samples.extend(&s.samples);
        samples.sort_by_key(|s| s.0);
    }
    all
}

/// Reader, rows read and rows left out of the only file.
fn file(raw: &Raw) -> (&str, u64, u64) {
    assert_eq!(raw.files.len(), 1);
    (&raw.files[0].reader, raw.files[0].rows, raw.files[0].skipped)
}

fn gaps(raw: &Raw) -> Vec<(GapKind, Option<u64>, u64)> {
    raw.gaps.iter().map(|g| (g.kind, g.line, g.count)).collect()
}

fn says(raw: &Raw, words: &str) -> bool {
    raw.gaps.iter().any(|g| g.what.contains(words))
}

#[test]
fn the_same_samples_are_the_same_series_in_every_format() {
    let api = read("formats/prometheus/raw-samples.json");
    let known = series(&api);
    // Two counters, four buckets, up, build_info and the ratio that was NaN twice.
    assert_eq!((file(&api), known.len()), (("prometheus", 63, 2), 9));
    let up = &known["up{\"instance\": \"127.0.0.1:9411\", \"job\": \"cart\"}"];
    let at = |i: Micros| START + 5 * i * SECOND;
    let values = [1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0];
    let want: Vec<_> = values.iter().enumerate().map(|(i, v)| (at(i as Micros), *v)).collect();
    assert_eq!(*up, want);
    for (name, reader, lost) in [
        ("formats/openmetrics/tsdb-dump.txt", "openmetrics", 10),
        ("formats/openmetrics/dump-openmetrics.txt", "openmetrics", 10),
        ("formats/victoriametrics/export.jsonl", "victoriametrics", 8),
        ("formats/promtool/matrix.txt", "promtool", 2),
    ] {
        let other = read(name);
        assert_eq!(series(&other), known, "{name}: {:?}", other.gaps);
        // The ends of eight series are NaN where staleness is exported.
        assert_eq!(file(&other), (reader, 63, lost), "{name}");
        assert!(says(&other, "NaN"), "{name}");
    }
}

#[test]
fn the_same_samples_are_understood_the_same() {
    let understood = |name: &str| {
        let t = normalize::normalize(read(name)).expect("understood");
        let mut all: Vec<_> = t.series.iter().zip(&t.samples).collect();
        all.sort_by(|a, b| a.0.shown.cmp(&b.0.shown));
        let show = |(m, p): &(&rootline::telemetry::SeriesMeta, &rootline::points::Points)| {
            format!("{} {:?} {:?} {} {p:?}", m.shown, m.signal, m.part, m.le)
        };
        all.iter().map(show).collect::<Vec<_>>()
    };
    let api = understood("formats/prometheus/raw-samples.json");
    for name in [
        "formats/openmetrics/tsdb-dump.txt",
        "formats/victoriametrics/export.jsonl",
        "formats/promtool/matrix.txt",
    ] {
        assert_eq!(understood(name), api, "{name}");
    }
}

#[test]
fn escapes_in_labels_are_undone() {
    for name in [
        "formats/prometheus/raw-samples.json",
        "formats/openmetrics/tsdb-dump.txt",
        "formats/promtool/vector.txt",
    ] {
        let raw = read(name);
        let found = raw.series.iter().find(|s| s.name == "build_info").expect("build_info");
        assert_eq!(found.labels["path"], "C:\\dir \"x\"\nnext, {a=\"b\"} # 1", "{name}");
    }
}

#[test]
fn federated_text_has_its_times_in_milliseconds() {
    let raw = read("formats/openmetrics/federate.txt");
    let all = series(&raw);
    let up = &all["up{\"instance\": \"127.0.0.1:9411\", \"job\": \"cart\"}"];
    assert_eq!((all.len(), up.len()), (9, 1));
    assert_eq!((up[0].0 - START) % (5 * SECOND), 0);
    assert!(raw.gaps.is_empty(), "{:?}", raw.gaps);
}

#[test]
fn scrapes_without_times_are_dated_by_the_files_name() {
    for name in ["metrics", "openmetrics"] {
        let raw = read(&format!("formats/openmetrics/{name}-2026-11-21T04-33-06Z.txt"));
        let requests: Vec<_> =
            raw.series.iter().filter(|s| s.name == "http_requests_total").collect();
        assert_eq!(requests.len(), 2, "{name}");
        assert_eq!(requests[0].samples.at(0).0, 1_795_235_586 * SECOND, "{name}");
        assert!(says(&raw, "read from the file's name"), "{:?}", raw.gaps);
        // No limit is infinite.
        assert_eq!(file(&raw).2, 1, "{name}");
        let bucket = raw.series.iter().find(|s| s.labels.get("le").is_some_and(|l| l == "+Inf"));
        assert!(bucket.is_some_and(|b| b.samples.at(0).1 > 1.0), "exemplars are passed over");
    }
}

#[test]
fn repeated_scrapes_are_dated_by_the_lines_between_them() {
    let raw = read("formats/openmetrics/dated-scrapes.txt");
    let all = series(&raw);
    let gets = all.iter().find(|(k, _)| k.contains("GET")).expect("a counter").1;
    let (times, values): (Vec<_>, Vec<_>) = gets.iter().copied().unzip();
    assert_eq!(values, [492.0, 504.0, 516.0]);
    assert_eq!(times, [0, 2, 4].map(|s| (1_795_235_586 + s) * SECOND));
    assert!(raw.gaps.is_empty(), "{:?}", raw.gaps);
}

#[test]
fn of_scrapes_without_times_the_last_one_is_kept_and_said() {
    let raw = read("formats/openmetrics/undated-scrapes-2026-11-21T04-33-10Z.txt");
    assert_eq!(file(&raw), ("openmetrics", 3, 6));
    let gets = series(&raw).into_iter().find(|(k, _)| k.contains("GET")).expect("a counter").1;
    assert_eq!(gets, [(1_795_235_590 * SECOND, 516.0)]);
    assert!(says(&raw, "only the last one can be dated"), "{:?}", raw.gaps);
}

#[test]
fn a_native_histogram_in_text_is_counted_with_its_line() {
    let text = "{__name__=\"up\", job=\"a\"} 1 1795235482472\n\
                {__name__=\"h\", job=\"a\"} {count:3, sum:2, (0.5,1]:3} 1795235482472\n\
                not a sample at all\n";
    let raw = read_bytes("dump.txt", text.as_bytes());
    let skipped = |line| (GapKind::Skipped, Some(line), 1);
    assert_eq!(gaps(&raw), [skipped(2), skipped(3)], "{:?}", raw.gaps);
    assert!(says(&raw, "native histogram"));
}

#[test]
fn label_sets_without_samples_are_said_to_be_names_only() {
    let names = [
        "formats/prometheus-names/series.json",
        "formats/prometheus-names/seriesjson.jsonl",
        "formats/promtool/series.txt",
    ];
    for name in names {
        let raw = read(name);
        assert!(says(&raw, "the names of 2 series without samples"), "{name}: {:?}", raw.gaps);
        assert!(raw.series.is_empty());
    }
}

#[test]
fn vectors_and_scalars_of_promtool_are_read() {
    let vector = read("formats/promtool/vector.txt");
    assert_eq!(file(&vector), ("promtool", 9, 0));
    assert!(vector.series.iter().all(|s| s.samples.at(0).0 == 1_795_235_523 * SECOND));
    let scalar = read("formats/promtool/scalar.txt");
    assert_eq!(scalar.series[0].samples, [(1_795_235_523 * SECOND, 2.0)]);
}

#[test]
fn scalars_texts_and_warnings_of_the_api_are_told() {
    let scalar = read("formats/prometheus/scalar.json");
    assert_eq!(scalar.series[0].samples, [(1_795_235_523_500_000, 2.0)]);
    let text = read("formats/prometheus/string.json");
    assert_eq!(gaps(&text), [(GapKind::Skipped, Some(1), 1)], "{:?}", text.gaps);
    let warned = read("formats/prometheus/warnings.json");
    assert_eq!(file(&warned), ("prometheus", 1, 0));
    let words = ["No StoreAPIs matched", "might not be a counter", "answer is partial"];
    assert!(words.iter().all(|w| says(&warned, w)), "{:?}", warned.gaps);
}

#[test]
fn native_histograms_become_classic_ones() {
    let raw = read("formats/prometheus/native-histograms.json");
    let all = series(&raw);
    // Seven or eight times: six bounds of four, one zero and one negative bucket, and +Inf.
    let get = |name: &str, le: &str| {
        let found = all.iter().find(|(k, _)| {
            k.starts_with(name) && (le.is_empty() || k.contains(&format!("\"le\": \"{le}\"")))
        });
        found.unwrap_or_else(|| panic!("{name} {le}: {:?}", all.keys())).1
    };
    let last = |name, le| get(name, le).last().map(|s| s.1);
    assert_eq!(last("rpc_duration_seconds_count", ""), last("rpc_duration_seconds_bucket", "+Inf"));
    assert_eq!(last("rpc_duration_seconds_count", ""), last("rpc_duration_seconds_bucket", "4"));
    let lengths: Vec<usize> = all.values().map(Vec::len).collect();
    assert!(lengths.iter().all(|l| *l == lengths[0] && *l > 5), "{lengths:?}");
    // count, sum, +Inf, and the bounds -1 -0.5 -0.001 0.001 0.5 1 2 4.
    assert_eq!(all.len(), 11, "{:?}", all.keys());
    let one = read("formats/prometheus/native-histogram.json");
    let le_1 = one.series.iter().find(|s| s.labels.get("le").is_some_and(|l| l == "1"));
    // Two below nought, three about nought, eleven from 0.5 to 1.
    assert_eq!(le_1.expect("a bound").samples, [(1_795_235_523 * SECOND, 16.0)]);
}

#[test]
fn two_chunks_of_one_series_are_one_series() {
    let d = diagnose("formats/prometheus/chunks");
    let rows: Vec<u64> = d.inputs.iter().map(|i| i.rows).collect();
    assert_eq!((rows, d.series), (vec![9, 10], 1));
}

#[test]
fn a_series_without_a_name_is_called_after_its_file() {
    let raw = read("formats/prometheus/http_requests.json");
    assert_eq!((raw.series.len(), raw.series[0].name.as_str()), (1, ""));
    let t = normalize::normalize(raw).expect("understood");
    // Nothing ties it to an entity, which is said.
    assert!(t.series.len() == 1 || t.gaps.iter().any(|g| g.what.contains("ties")), "{:?}", t.gaps);
    assert!(!t.gaps.iter().any(|g| g.what.contains("without a name")), "{:?}", t.gaps);
}

#[test]
fn the_binary_export_and_a_headless_table_are_refused_with_a_hint() {
    let raw = read("formats/victoriametrics-native/native.bin");
    assert_eq!(file(&raw), ("victoriametrics-native", 0, 0));
    assert!(says(&raw, "/api/v1/export"), "{:?}", raw.gaps);
    let good = bytes("formats/table/wide.csv");
    let headless = bytes("formats/victoriametrics/headless.csv");
    let folder = Scratch::with(&[("wide.csv", &good), ("up.csv", &headless)]);
    let raw = read_path(folder.path());
    assert!(says(&raw, "no header line"), "{:?}", raw.gaps);
    let with = read("formats/victoriametrics/with-header.csv");
    assert_eq!(file(&with), ("table", 3, 0));
    assert_eq!(
        (with.series[0].name.as_str(), with.series[0].labels["job"].as_str()),
        ("up", "cart")
    );
}

/// The recordings that are cut and rewritten below.
const WHOLE: [&str; 5] = [
    "formats/influx-line/prometheus.lp",
    "formats/openmetrics/tsdb-dump.txt",
    "formats/openmetrics/openmetrics-2026-11-21T04-33-06Z.txt",
    "formats/victoriametrics/export.jsonl",
    "formats/promtool/matrix.txt",
];

#[test]
fn a_cut_file_keeps_what_stands_before_and_says_so() {
    for name in WHOLE {
        let whole = bytes(name);
        let all = read(name).files[0].rows;
        for tenth in [3, 5, 7, 9] {
            let cut = &whole[..whole.len() * tenth / 10];
            let raw = read_bytes(name.rsplit('/').next().expect("a name"), cut);
            let rows = raw.files[0].rows;
            assert!(rows > 0 && rows < all, "{name} {tenth}: {rows} of {all}");
        }
    }
    let dump = bytes("formats/openmetrics/tsdb-dump.txt");
    let raw = read_bytes("dump.txt", &dump[..dump.len() - 3]);
    assert!(gaps(&raw).contains(&(GapKind::Truncated, Some(73), 1)), "{:?}", raw.gaps);
}

#[test]
fn windows_line_ends_and_byte_order_marks_change_nothing() {
    for name in WHOLE {
        let own = name.rsplit('/').next().expect("a name");
        let plain = String::from_utf8(bytes(name)).expect("UTF-8");
        let windows = format!("\u{feff}{}", plain.replace('\n', "\r\n"));
        let wide: Vec<u8> = windows.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for text in [windows.as_bytes(), &wide] {
            assert_eq!(series(&read_bytes(own, text)), series(&read(name)), "{name}");
        }
    }
}

#[test]
fn exports_without_a_series_say_so() {
    let empty: [(&str, &str); 3] = [
        ("eof.txt", "# EOF\n"),
        ("help.txt", "# HELP up Up.\n# TYPE up gauge\n"),
        ("api.json", "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[]}}"),
    ];
    for (name, text) in empty {
        let raw = read_bytes(name, text.as_bytes());
        assert!(says(&raw, "not one row"), "{name}: {:?}", raw.gaps);
    }
}

#[test]
fn line_protocol_holds_the_same_series() {
    let mut known = series(&read("formats/prometheus/raw-samples.json"));
    known.retain(|k, _| !k.starts_with("build_info"));
    let raw = read("formats/influx-line/prometheus.lp");
    assert_eq!(series(&raw), known);
    assert_eq!(file(&raw), ("influx-line", 56, 0), "{:?}", raw.gaps);
}

#[test]
fn types_escapes_and_precisions_of_line_protocol_are_read() {
    let raw = read("formats/influx-line/types.lp");
    let all = series(&raw);
    let weather = |field: &str| {
        let tags = "{\"city\": \"New York\", \"k=v\": \"a,b\"}";
        all.get(&format!("weather station.{field}{tags}")).map(|s| s[0])
    };
    assert_eq!(weather("temp"), Some((START, 82.5)));
    assert_eq!(weather("hits"), Some((START, 3.0)));
    assert_eq!(weather("size"), Some((START, 18_446_744_073_709_551_615.0)));
    assert_eq!((weather("up"), weather("down")), (Some((START, 1.0)), Some((START, 0.0))));
    // The text field has a line break: the lines behind it are still counted right.
    let lost = |line| (GapKind::Skipped, Some(line), 1);
    assert!([2, 6].iter().all(|l| gaps(&raw).contains(&lost(*l))), "{:?}", raw.gaps);
    let idle = "cpu.usage_idle{\"host\": \"web-1\"}";
    assert_eq!(all[idle], [(START, 91.5), (START + 5 * SECOND, 90.5)]);
    assert_eq!(all[idle], series(&read("formats/influx-line/millis.lp"))[idle]);
    let untimed = read("formats/influx-line/untimed-2026-11-21T04-31-22Z.lp");
    assert!(says(&untimed, "read from the file's name"), "{:?}", untimed.gaps);
    assert_eq!(series(&untimed)[idle], [(START / SECOND * SECOND, 91.5)]);
}

#[test]
fn tables_of_annotated_csv_may_differ_and_fail() {
    let raw = read("formats/influx-csv/annotated.csv");
    assert_eq!(file(&raw), ("influx-csv", 5, 0), "{:?}", raw.gaps);
    let all = series(&raw);
    let at = |s: Micros| 1_672_534_320 * SECOND + s * SECOND;
    assert_eq!(all["m.mem{\"host\": \"A\"}"], [(at(0), 15.43), (at(60), 59.25)]);
    assert_eq!(all["m.mem{\"host\": \"B\"}"], [(at(60), 52.62)]);
    assert_eq!(all["db.waiting{\"pool\": \"main\"}"], [(at(0), 7.0), (at(60), 9.0)]);
    assert_eq!(raw.series.iter().filter(|s| s.statistic.as_deref() == Some("mean")).count(), 2);
    assert_eq!(gaps(&raw), [(GapKind::Missing, Some(21), 1)]);
    assert!(says(&raw, "maximum allowed memory"));
    assert_eq!(series(&read("formats/influx-csv/ui.csv")), all);
}

#[test]
fn datadog_answers_are_scaled_and_labelled() {
    let raw = read("formats/datadog/query.json");
    assert_eq!(file(&raw), ("datadog", 5, 0), "{:?}", raw.gaps);
    let t = 1_700_000_000 * SECOND;
    let shown: Vec<_> =
        raw.series.iter().map(|s| (s.unit.as_deref(), s.samples.to_vec())).collect();
    assert_eq!(shown[0], (Some("percent"), vec![(t, 12.5), (t + 40 * SECOND, 13.5)]));
    assert_eq!(shown[1], (Some("s"), vec![(t, 0.12), (t + 20 * SECOND, 0.25)]));
    assert_eq!(shown[2], (Some("by/s"), vec![(t, 1024.0)]));
    assert_eq!(raw.series[1].labels["service"], "web");
    let second = read("formats/datadog/timeseries-v2.json");
    assert_eq!(second.series[0].samples, raw.series[0].samples);
    assert_eq!((second.series.len(), second.series[1].labels["host"].as_str()), (2, "web-2"));
    let error = read("formats/datadog/error.json");
    assert!(says(&error, "unable to parse query"), "{:?}", error.gaps);
    let table = read("formats/datadog/graph.csv");
    assert_eq!(file(&table), ("table", 5, 0));
    assert_eq!(table.series[0].samples, raw.series[0].samples);
}
