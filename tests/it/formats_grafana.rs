//! Grafana and the alerting around it.
//!
//! `grafana-csv`: every cell was written by `@grafana/data` 13.2.3 (npm): fields with the processor
//! of `applyRawFieldOverrides` (raw) or `getDisplayProcessor` (formatted), joined by
//! `outerJoinDataFrames`, printed by `toCSV`; the Excel files as `download.ts` encodes them. By
//! hand, after Grafana's own tests and sources: `old-*` (`file_export.test.ts` of version 6) and
//! `browser-locale-*`. `grafana-frames`: `dataFrameToJSON` and `JSON.stringify` of the same frames;
//! `entities`, `dashboard`, `panel` and `snapshot` by hand after `DataFrameJSON.ts`.
//! `grafana-annotations`: by hand after the API's documentation. `alertmanager`: Alertmanager
//! 0.25.0 (API, amtool, webhook). `prometheus-alerts`: Prometheus 2.42.0.

use super::support::{Scratch, bytes, files, fixture};
use rootline::ingest::raw::{Raw, RawEvent, RawSeries};
use rootline::ingest::{Settings, read_folder};
use rootline::model::{Gap, GapKind};
use rootline::time::{Zone, rfc3339};
use std::collections::BTreeMap;
use std::path::Path;

/// 2026-11-20T20:10:00Z.
const START: i64 = 1_795_205_400_000_000;
const SECOND: i64 = 1_000_000;

fn read_path(path: &Path, zone: &str) -> Raw {
    let settings = Settings { zone: Zone::named(zone), ..Settings::default() };
    read_folder(path, &settings).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Reads a fixture in UTC.
fn read(name: &str) -> Raw {
    read_path(&fixture(name), "UTC")
}

/// Reads a text as a file of that name.
fn read_as(name: &str, text: &[u8]) -> Raw {
    read_path(&Scratch::with(&[(name, text)]).path().join(name), "UTC")
}

/// Reader, rows read, rows left out of the only file.
fn file(raw: &Raw) -> (&str, u64, u64) {
    let f = &raw.files[0];
    (&f.reader, f.rows, f.skipped)
}

/// `name{label=value,…}` of a series.
fn shown(s: &RawSeries) -> String {
    let labels: Vec<String> = s.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    format!("{}{{{}}}", s.name, labels.join(","))
}

type Samples = Vec<(i64, f64)>;

/// Every series by its name and labels.
fn series(raw: &Raw) -> BTreeMap<String, Samples> {
    let all = raw.series.iter().map(|s| (shown(s), s.samples.to_vec()));
    all.collect()
}

/// Seconds since the start and values of one series.
fn samples(raw: &Raw, name: &str) -> Vec<(i64, f64)> {
    let all = series(raw);
    let found = all.get(name).unwrap_or_else(|| panic!("{name} is not among {:?}", all.keys()));
    found.iter().map(|(t, v)| ((t - START) / SECOND, *v)).collect()
}

fn gap<'a>(raw: &'a Raw, words: &str) -> &'a Gap {
    let found = raw.gaps.iter().find(|g| g.what.contains(words));
    found.unwrap_or_else(|| panic!("no gap says \"{words}\": {:?}", raw.gaps))
}

/// Says whether two values agree in three digits.
fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 0.005 * a.abs().max(b.abs())
}

#[test]
fn the_same_series_come_out_of_every_raw_form() {
    let known = series(&read("formats/grafana-csv/same/query_range.json"));
    assert_eq!(known.len(), 2);
    let h1 = "process_resident_memory_bytes{instance=h1:9100,job=cart}";
    assert_eq!(known[h1][..2], [(START, 716_800.0), (START + 15 * SECOND, 1_218_560.0)]);
    for name in [
        "formats/grafana-csv/same/raw-joined.csv",
        "formats/grafana-csv/same/excel.csv",
        "formats/grafana-csv/same/sep-comma.csv",
        "formats/grafana-csv/same/sep-semicolon.csv",
        "formats/grafana-frames/frames.json",
        "formats/grafana-frames/ds-query.json",
        "formats/grafana-frames/panel-data.json",
    ] {
        let raw = read(name);
        assert_eq!(series(&raw), known, "{name}");
        let reader = name.split('/').nth(1).expect("a folder");
        assert_eq!(file(&raw), (reader, 24, 0), "{name}: {:?}", raw.gaps);
        assert!(raw.gaps.is_empty(), "{name}: {:?}", raw.gaps);
    }
    let mut single = series(&read("formats/grafana-csv/same/raw-h1.csv"));
    single.extend(series(&read("formats/grafana-csv/same/raw-h2.csv")));
    assert_eq!(single, known, "one file a series");
}

#[test]
fn formatted_cells_agree_in_three_digits_and_say_so() {
    let known = series(&read("formats/grafana-csv/same/raw-joined.csv"));
    for (name, zone) in [
        ("formatted-utc.csv", "UTC"),
        ("formatted-kolkata.csv", "Asia/Kolkata"),
        ("excel-formatted.csv", "UTC"),
    ] {
        let raw = read_path(&fixture(&format!("formats/grafana-csv/same/{name}")), zone);
        assert_eq!(file(&raw), ("grafana-csv", 24, 0), "{name}");
        let found = series(&raw);
        assert_eq!(found.keys().collect::<Vec<_>>(), known.keys().collect::<Vec<_>>(), "{name}");
        for (key, samples) in &found {
            let agree = |(a, b): (&(i64, f64), &(i64, f64))| a.0 == b.0 && near(a.1, b.1);
            assert!(samples.iter().zip(&known[key]).all(agree), "{name}: {key}: {samples:?}");
        }
        assert!(raw.series.iter().all(|s| s.unit.as_deref() == Some("bytes")), "{name}");
        let low = gap(&raw, "low precision");
        assert_eq!((low.kind, low.line), (GapKind::Doubtful, Some(2)), "{name}");
    }
}

#[test]
fn a_zone_that_nobody_named_is_said_to_be_assumed() {
    let path = fixture("formats/grafana-csv/same/formatted-utc.csv");
    let raw = read_folder(&path, &Settings::default()).expect("it is an export");
    assert_eq!(gap(&raw, "taken as UTC").kind, GapKind::Doubtful);
    let raw = read_folder(&fixture("formats/grafana-csv/same/raw-h1.csv"), &Settings::default());
    assert!(raw.expect("it is an export").gaps.is_empty());
}

/// Unit ids of `units/`, what their values count and the base unit: value × factor is the base.
const UNITS: [(&str, f64, &str); 43] = [
    ("bytes", 1.0, "bytes"),
    ("decbytes", 1.0, "bytes"),
    ("mbytes", 1_048_576.0, "bytes"),
    ("s", 1.0, "s"),
    ("ms", 1e-3, "s"),
    ("percent", 0.01, "ratio"),
    ("percentunit", 1.0, "ratio"),
    ("short", 1.0, ""),
    ("reqps", 1.0, "1/s"),
    ("ops", 1.0, "1/s"),
    ("cps", 1.0, "1/s"),
    ("Bps", 1.0, "by/s"),
    ("binBps", 1.0, "by/s"),
    ("bps", 0.125, "by/s"),
    ("none", 1.0, ""),
    ("locale", 1.0, ""),
    ("dtdurations", 1.0, "s"),
    ("dthms", 1.0, "s"),
    ("dtdhms", 1.0, "s"),
    ("clocks", 1.0, "s"),
    ("currencyUSD", 1.0, "$"),
    ("µs", 1e-6, "s"),
    ("ns", 1e-9, "s"),
    ("m", 60.0, "s"),
    ("h", 3600.0, "s"),
    ("d", 86_400.0, "s"),
    ("kbytes", 1024.0, "bytes"),
    ("deckbytes", 1e3, "bytes"),
    ("bits", 0.125, "bytes"),
    ("decbits", 0.125, "bytes"),
    ("pps", 1.0, "1/s"),
    ("hertz", 1.0, "1/s"),
    ("iops", 1.0, "1/s"),
    ("opm", 1.0 / 60.0, "1/s"),
    ("KBs", 1e3, "by/s"),
    ("MiBs", 1_048_576.0, "by/s"),
    ("Kbits", 125.0, "by/s"),
    ("sci", 1.0, ""),
    ("dtdurationms", 1e-3, "s"),
    ("clockms", 1e-3, "s"),
    ("timeticks", 0.01, "s"),
    ("currencySEK", 1.0, "kr"),
    ("dB", 1.0, "dB"),
];

/// Units that Grafana cuts off rather than rounds: `1 day` for 98765 s, `01s` for 1.5 s.
const CUT: [&str; 6] = ["dtdurations", "dtdurationms", "dthms", "dtdhms", "clocks", "clockms"];

#[test]
fn every_unit_of_a_cell_comes_to_its_base() {
    let formatted = read("formats/grafana-csv/units/formatted.csv");
    let raw = series(&read("formats/grafana-csv/units/raw.csv"));
    for (id, factor, base) in UNITS {
        let name = format!("in {id}");
        let found = formatted.series.iter().find(|s| s.name == name);
        let found = found.unwrap_or_else(|| panic!("{name} is not there"));
        assert_eq!(found.unit.as_deref().unwrap_or(""), base, "{name}");
        let whole: BTreeMap<i64, f64> = raw[&format!("{name}{{}}")].iter().copied().collect();
        for (t, v) in &found.samples {
            let want = whole[&t] * factor;
            // `locale` keeps three decimals; a stopwatch counts from midnight, so not below nought.
            let lost =
                (id == "locale" && want.abs() < 0.001) || (id.starts_with("clock") && want < 0.0);
            let coarse = |rest: f64| CUT.contains(&id) && (v - want).abs() <= rest;
            // The largest part that is left out is half of the value.
            let cut = coarse(factor) || coarse(want.abs() * 0.5);
            assert!(lost || cut || near(v, want), "{name}: {v} for {want}");
        }
        let kept = if id.starts_with("dtduration") { 9 } else { 11 };
        assert!(found.samples.len() >= kept, "{name}: {}", found.samples.len());
    }
    // `350 m` may be anything.
    let left = gap(&formatted, "\"350 m\" in \"in sishort\"");
    assert_eq!((left.kind, left.line, left.count), (GapKind::Skipped, Some(4), 1));
}

#[test]
fn unit_ids_of_frames_come_to_their_base() {
    let frame = read("formats/grafana-frames/units.json");
    let raw = series(&read("formats/grafana-csv/units/raw.csv"));
    for (id, factor, base) in UNITS.iter().filter(|(id, ..)| !id.starts_with("currency")) {
        let name = format!("in {id}");
        let found = frame.series.iter().find(|s| s.name == name);
        let found = found.unwrap_or_else(|| panic!("{name} is not there"));
        assert_eq!(found.unit.as_deref().unwrap_or(""), *base, "{name}");
        for ((t, v), (at, whole)) in found.samples.iter().zip(&raw[&format!("{name}{{}}")]) {
            assert!(t == *at && (v - whole * factor).abs() <= 1e-12 * v.abs(), "{name}: {v}");
        }
    }
}

#[test]
fn missing_values_of_a_join_are_no_values_and_infinities_are_counted() {
    for (name, reader) in [("missing-joined.csv", 3), ("missing-formatted.csv", 3)] {
        let raw = read(&format!("formats/grafana-csv/{name}"));
        assert_eq!(file(&raw), ("grafana-csv", 5, reader), "{name}: {:?}", raw.gaps);
        let h1 = samples(&raw, "up{instance=h1,job=api}");
        assert_eq!(h1, [(0, 0.35), (30, 1.0), (90, 0.5)], "{name}");
        assert_eq!(samples(&raw, "up{instance=h2,job=api}"), [(0, 7.0), (45, 5.0)], "{name}");
        let lost = gap(&raw, "NaN or infinite");
        assert_eq!((lost.line, lost.count), (Some(5), 3), "{name}");
    }
}

#[test]
fn infinities_with_a_unit_are_left_as_gaps() {
    let raw = read("formats/grafana-csv/infinities.csv");
    assert_eq!(file(&raw), ("grafana-csv", 6, 18));
    let lost = gap(&raw, "NaN or infinite");
    assert_eq!((lost.kind, lost.line, lost.count), (GapKind::Skipped, Some(3), 18));
    assert_eq!(samples(&raw, "in reqps{}"), [(0, 1.5)]);
}

#[test]
fn value_mappings_are_states_or_visible_gaps() {
    let raw = read("formats/grafana-csv/mappings.csv");
    let up = samples(&raw, "up{instance=h1}");
    assert_eq!(up, [(0, 1.0), (15, 1.0), (30, 0.0), (45, 1.0)]);
    assert_eq!(gap(&raw, "up is read as 1 and down as 0").kind, GapKind::Inferred);
    let bad = samples(&raw, "health{instance=h1,state=Degraded}");
    assert_eq!(bad, [(0, 0.0), (15, 0.0), (30, 1.0), (45, 0.0)]);
    assert_eq!(gap(&raw, "kept as states Degraded, OK").kind, GapKind::Doubtful);
    assert_eq!(samples(&raw, "replicas{instance=h1}"), [(0, 3.0), (15, 3.0), (45, 2.0)]);
    assert_eq!(gap(&raw, "\"none left\"").line, Some(4));
}

#[test]
fn an_hour_that_comes_twice_is_told_by_the_order_of_rows() {
    let known = series(&read("formats/grafana-csv/clock-back/raw.csv"));
    let folder = "formats/grafana-csv/clock-back";
    let berlin = |name: &str| read_path(&fixture(&format!("{folder}/{name}")), "Europe/Berlin");
    let raw = berlin("formatted-berlin.csv");
    assert_eq!(series(&raw), known);
    let twice = gap(&raw, "8 rows from \"2026-10-25 02:00:00\" lie in an hour that comes twice");
    assert_eq!((twice.kind, twice.line), (GapKind::Inferred, Some(6)));
    let raw = berlin("from-the-second-hour.csv");
    assert_eq!(rfc3339(raw.series[0].samples.at(0).0), "2026-10-25T01:00:00Z");
    let steps = raw.series[0].samples.pairs().map(|(a, b)| (b.0 - a.0) / SECOND);
    assert!(steps.clone().all(|s| s == 900), "{:?}", steps.collect::<Vec<_>>());
    // Without a zone the rows go back, and that is said.
    let path = fixture("formats/grafana-csv/clock-back/formatted-berlin.csv");
    let raw = read_folder(&path, &Settings::default()).expect("it is an export");
    assert_eq!(gap(&raw, "times go back to \"2026-10-25 02:00:00\"").line, Some(10));
}

#[test]
fn an_hour_that_is_left_out_is_no_hole() {
    let known = series(&read("formats/grafana-csv/clock-forward/raw.csv"));
    let path = fixture("formats/grafana-csv/clock-forward/formatted-berlin.csv");
    let raw = read_path(&path, "Europe/Berlin");
    assert_eq!(series(&raw), known);
    assert!(raw.gaps.is_empty(), "{:?}", raw.gaps);
    // The night of Berlin in New York: 02:15 is an hour that only another zone has.
    let text =
        b"\"Time\",\"up{job=\"\"a\"\"}\"\r\n2026-03-08 01:45:00,1\r\n2026-03-08 02:15:00,1\r\n";
    let scratch = Scratch::with(&[("a.csv", text)]);
    let raw = read_path(&scratch.path().join("a.csv"), "America/New_York");
    let never = gap(&raw, "is --timezone right?");
    assert_eq!((never.kind, never.line), (GapKind::Doubtful, Some(3)));
}

#[test]
fn times_of_short_ranges_have_milliseconds() {
    let path = fixture("formats/grafana-csv/short-range.csv");
    let raw = read_path(&path, "Europe/Berlin");
    let times: Vec<i64> = raw.series[0].samples.iter().map(|s| s.0 - START).collect();
    assert_eq!(times, [500_000, 5_500_000, 10_500_000]);
}

#[test]
fn headers_that_are_selectors_give_names_and_labels() {
    let raw = read("formats/grafana-csv/selectors.csv");
    let names: Vec<String> = series(&raw).into_keys().collect();
    let path = "a_total{msg=say \"hi\", \\o/,path=/x{y=\"z\"}}";
    let other = ["usage_idle{host=web-1,region=eu}", "{instance=h1,job=api}"];
    assert_eq!(names, [path, other[0], other[1]]);
    assert_eq!(
        series(&read("formats/grafana-csv/single-label.csv")).into_keys().next(),
        Some("p1{}".into())
    );
}

#[test]
fn a_panels_title_names_what_has_no_name() {
    let name = "formats/grafana-csv/Request duration p99-data-2026-11-20 20_15_00.csv";
    let raw = read(name);
    assert_eq!(samples(&raw, "Request duration p99{}"), [(0, 1.25), (15, 2.5), (30, 3.75)]);
    assert_eq!(gap(&raw, "the panel \"Request duration p99\"").kind, GapKind::Inferred);
    let raw = read(
        "formats/grafana-csv/Request duration p99-data-as-joinbyfield-2026-11-20 20_15_00.csv",
    );
    let names: Vec<String> = series(&raw).into_keys().collect();
    let expected = [
        "cart \"v2\", eu: Request duration p99{}",
        "checkout: Request duration p99{}",
        "payment_request_duration_seconds{}",
    ];
    assert_eq!(names, expected);
}

#[test]
fn tables_are_split_by_their_columns_of_text() {
    for name in ["table-raw.csv", "table-formatted.csv"] {
        let raw = read(&format!("formats/grafana-csv/{name}"));
        assert_eq!(file(&raw), ("grafana-csv", 8, 1), "{name}");
        let pay = samples(&raw, "latency{note=a\nb,service=pay, \"eu\"}");
        assert!(pay[0] == (0, 1.5) && pay[1].0 == 60 && near(pay[1].1, 61.0), "{name}: {pay:?}");
        let healthy = samples(&raw, "healthy{note=a\nb,service=pay, \"eu\"}");
        assert_eq!(healthy, [(0, 0.0), (60, 1.0)], "{name}");
        assert_eq!(gap(&raw, "\"meta\" holds objects").line, Some(1));
    }
    let frame = read("formats/grafana-frames/long.json");
    assert_eq!(series(&frame), series(&read("formats/grafana-csv/table-raw.csv")));
}

#[test]
fn exports_up_to_version_6_are_read() {
    let raw = read("formats/grafana-csv/old-series-as-rows.csv");
    assert_eq!(file(&raw), ("grafana-csv", 5, 0));
    assert_eq!(samples(&raw, "up{instance=h1,job=api}"), [(0, 1.0), (30, 0.0)]);
    assert_eq!(samples(&raw, "up{instance=h2,job=api}"), [(0, 5.0), (15, 6.0), (30, 7.0)]);
    let raw = read("formats/grafana-csv/old-series-as-columns.csv");
    assert_eq!(samples(&raw, "cart_latency{}"), [(0, 0.25), (30, 0.5)]);
    assert_eq!(samples(&raw, "pay_latency{}"), [(0, 11.0), (15, 13.0)]);
    assert!(raw.gaps.is_empty(), "{:?}", raw.gaps);
    let raw = read("formats/grafana-csv/old-unquoted.csv");
    assert_eq!((file(&raw), raw.series.len()), (("grafana-csv", 2, 0), 2));
}

#[test]
fn times_in_the_browsers_locale_are_read() {
    let raw = read("formats/grafana-csv/browser-locale-us.csv");
    assert_eq!(samples(&raw, "up{job=api}"), [(-72_300, 0.0), (0, 1.0)]);
    let raw = read("formats/grafana-csv/browser-locale-de.csv");
    assert_eq!(samples(&raw, "up{job=api}"), [(0, 1.0), (15, 0.0)]);
    let text = b"\"Time\",\"up{job=\"\"a\"\"}\"\r\n20/11/2026 20:10:00,1\r\n";
    let raw = read_as("a.csv", text);
    assert_eq!(gap(&raw, "timestamp \"20/11/2026 20:10:00\" is not read").line, Some(2));
}

#[test]
fn tables_of_others_are_not_taken_for_grafanas() {
    let others: [&[u8]; 4] = [
        b"\"time\",\"cart_cpu\"\n1795205400,0.3\n1795205415,0.4\n",
        b"\"Time\",\"cart_cpu\"\r\n\"1795205400\",\"0.3\"\r\n\"1795205415\",\"0.4\"\r\n",
        b"Time,cart_cpu\n1795205400,0.3\n1795205415,0.4\n",
        b"time,service,cpu\n1795205400,a,0.3\n1795205415,a,0.4\n",
    ];
    for text in others {
        let raw = read_as("a.csv", text);
        assert_eq!(file(&raw).0, "table", "{}", String::from_utf8_lossy(text));
    }
    // Re-saved by a spreadsheet: the quotes are gone, the names are Grafana's.
    let text = b"Time,\"up{job=\"\"a\"\"}\"\n2026-11-20 20:10:00,1\n";
    assert_eq!(file(&read_as("a.csv", text)), ("grafana-csv", 1, 0));
}

#[test]
fn line_ends_and_marks_are_no_part_of_the_data() {
    let plain = String::from_utf8(bytes("formats/grafana-csv/same/raw-joined.csv")).expect("UTF-8");
    let known = series(&read("formats/grafana-csv/same/raw-joined.csv"));
    for text in [plain.replace("\r\n", "\n"), format!("\u{feff}{plain}"), format!("{plain}\r\n")] {
        assert_eq!(series(&read_as("a.csv", text.as_bytes())), known);
    }
    let units: Vec<u16> = format!("\u{feff}{plain}").encode_utf16().collect();
    let big: Vec<u8> = units.into_iter().flat_map(u16::to_be_bytes).collect();
    assert_eq!(series(&read_as("a.csv", &big)), known);
}

#[test]
fn an_export_without_rows_says_so() {
    let raw = read("formats/grafana-csv/empty.csv");
    assert_eq!(file(&raw), ("grafana-csv", 0, 0));
    assert_eq!(gap(&raw, "not one row").kind, GapKind::Missing);
    for (name, text) in [
        ("a.json", r#"{"results":{"A":{"status":200,"frames":[]}}}"#),
        ("b.json", r#"{"status":"success","data":{"alerts":[]}}"#),
        (
            "c.json",
            concat!(
                r#"{"schema":{"fields":[{"name":"Time","type":"time"},"#,
                r#"{"name":"Value","type":"number"}]},"data":{"values":[[],[]]}}"#
            ),
        ),
    ] {
        let raw = read_as(name, text.as_bytes());
        assert_ne!(file(&raw).0, "none", "{name}");
        assert_eq!(gap(&raw, "not one row").kind, GapKind::Missing, "{name}");
    }
}

#[test]
fn frames_have_entities_enums_nanos_and_failures() {
    let raw = read("formats/grafana-frames/entities.json");
    assert_eq!(file(&raw), ("grafana-frames", 6, 5));
    let ratio = raw.series.iter().find(|s| s.name.is_empty()).expect("the ratio has no name");
    assert_eq!(ratio.query.as_deref(), Some("rate(errors_total[5m]) / rate(requests_total[5m])"));
    // 250 µs and 999 µs beside the milliseconds.
    assert_eq!(ratio.samples, [(START + 250, 0.35), (START + 60 * SECOND + 999, 0.5)]);
    assert_eq!(gap(&raw, "NaN or infinite").count, 3);
    assert_eq!(samples(&raw, "pods{phase=Pending}"), [(0, 1.0), (15, 0.0)]);
    let failed = gap(&raw, "query C failed: bad_data: 1:7: parse error");
    assert_eq!(failed.kind, GapKind::Missing);
    assert_eq!(gap(&raw, "the data source says").what.split("docs").last(), Some(""));
    assert_eq!(gap(&raw, "without numbers").line, Some(150));
    assert_eq!(gap(&raw, "without a time field").line, Some(175));
}

#[test]
fn a_wide_frame_has_several_fields_in_base_units() {
    let raw = read("formats/grafana-frames/wide.json");
    assert_eq!(file(&raw), ("grafana-frames", 9, 0));
    assert_eq!(samples(&raw, "cpu{host=web-1}"), [(0, 0.125), (15, 0.5)]);
    let wait = samples(&raw, "read_wait{host=web-1}");
    assert!(wait.len() == 3 && near(wait[2].1, 0.25), "{wait:?}");
    let ready = samples(&raw, "ready{host=web-1}");
    assert_eq!(ready, [(0, 1.0), (15, 1.0), (30, 0.0), (45, 1.0)]);
}

#[test]
fn definitions_without_data_say_what_to_export() {
    for name in ["dashboard.json", "panel.json"] {
        let raw = read(&format!("formats/grafana-frames/{name}"));
        assert_eq!(file(&raw), ("grafana-frames", 0, 0), "{name}");
        assert_eq!(gap(&raw, "no data; export Inspect").kind, GapKind::Missing, "{name}");
    }
    let raw = read("formats/grafana-frames/snapshot.json");
    assert_eq!(samples(&raw, "up{job=api}"), [(0, 1.0), (15, 0.0)]);
}

/// Seconds since the start, kind, service, target and title.
fn event(e: &RawEvent) -> (i64, &str, &str, &str, &str) {
    ((e.at - START) / SECOND, &e.kind, &e.service, &e.target, &e.title)
}

#[test]
fn newer_dashboards_and_failed_queries_are_known_for_what_they_are() {
    let resource = r#"{"apiVersion":"dashboard.grafana.app/v2","kind":"Dashboard","spec":{}}"#;
    let raw = read_as("a.json", resource.as_bytes());
    assert_eq!(file(&raw).0, "grafana-frames");
    assert_eq!(gap(&raw, "no data; export Inspect").kind, GapKind::Missing);
    let failed = r#"{"results":{"A":{"error":"timeout","errorSource":"downstream","status":504}}}"#;
    let raw = read_as("a.json", failed.as_bytes());
    assert_eq!(gap(&raw, "query A failed: timeout").line, Some(1));
}

#[test]
fn annotations_are_changes_alerts_and_notes() {
    let raw = read("formats/grafana-annotations/annotations.json");
    assert_eq!(file(&raw), ("grafana-annotations", 4, 1));
    let all: Vec<_> = raw.events.iter().map(event).collect();
    let alert = "HighErrorRate {alertname=HighErrorRate, service=cart, instance=10.0.0.7:9100} \
                 - Alerting (until 2026-11-20T20:12:30Z)";
    let expected = [
        (0, "deploy", "cart", "", "cart 1.8.2, see https://ci.example/run/7"),
        (
            60,
            "maintenance",
            "",
            "pg-main",
            "vacuum of the orders table (until 2026-11-20T20:16:00Z)",
        ),
        (90, "alert", "cart", "10.0.0.7:9100", alert),
        (120, "note", "", "", "users complain"),
    ];
    assert_eq!(all, expected);
    assert_eq!(raw.events[0].version, "1.8.2");
    assert_eq!(gap(&raw, "time \"soon\"").line, Some(78));
    let raw = read("formats/grafana-annotations/graphite.json");
    let all: Vec<_> = raw.events.iter().map(event).collect();
    let expected =
        [(0, "deploy", "cart", "", "cart 1.8.2"), (60, "restart", "", "web-1", "web-1 restarted")];
    assert_eq!(all, expected);
}

#[test]
fn alerts_of_alertmanager_are_open_until_they_are_resolved() {
    let raw = read("formats/alertmanager/alerts.json");
    assert_eq!(file(&raw), ("alertmanager", 2, 0));
    let titles = |raw: &Raw| -> Vec<String> {
        raw.events.iter().map(|e| format!("{} {}: {}", rfc3339(e.at), e.service, e.title)).collect()
    };
    let firing = "2026-11-21T04:40:31Z cart: HighErrorRate (critical, still firing)";
    let silenced =
        "2026-11-21T04:41:01Z batch: BatchLate (warning, silenced or inhibited, still firing)";
    assert_eq!(titles(&raw), [firing, silenced]);
    assert_eq!(raw.events[0].target, "10.0.0.7:9100");
    assert_eq!(gap(&raw, "of the moment of export").kind, GapKind::Missing);
    assert_eq!(titles(&read("formats/alertmanager/amtool.json")), [silenced]);
    let firing_body = read("formats/alertmanager/webhook-firing.json");
    assert_eq!(titles(&firing_body), [firing]);
    assert!(firing_body.gaps.is_empty(), "{:?}", firing_body.gaps);
    let resolved =
        "2026-11-21T04:40:31Z cart: HighErrorRate (critical, until 2026-11-21T04:42:05Z)";
    assert_eq!(titles(&read("formats/alertmanager/webhook-resolved.json")), [resolved]);
}

#[test]
fn alerts_of_prometheus_are_events_with_the_expressions_of_their_rules() {
    let told = |name: &str| -> Vec<String> {
        let raw = read(&format!("formats/prometheus-alerts/{name}"));
        assert_eq!(file(&raw), ("prometheus-alerts", 2, 0), "{name}");
        raw.events.iter().map(|e| format!("{}|{}|{}", e.service, e.target, e.title)).collect()
    };
    let alerts = [
        "|cart-7f9d-x2|PodRestarting (warning, pending)",
        "cart||HighErrorRate (critical, firing)",
    ];
    assert_eq!(told("alerts.json"), alerts);
    let rules = [
        "|cart-7f9d-x2|PodRestarting (warning, pending): vector(3) > 2",
        "cart||HighErrorRate (critical, firing): job:http_errors:rate5m > 0.05",
    ];
    assert_eq!(told("rules.json"), rules);
}

#[test]
fn alerts_in_groups_are_read() {
    let alerts = String::from_utf8(bytes("formats/alertmanager/alerts.json")).expect("UTF-8");
    let groups = format!(r#"[{{"alerts":{alerts},"labels":{{}},"receiver":{{"name":"hook"}}}}]"#);
    let grouped = read_as("groups.json", groups.as_bytes());
    assert_eq!(grouped.events, read("formats/alertmanager/alerts.json").events);
}

#[test]
fn large_exports_are_read_to_their_last_line() {
    let header = "\"Time\",\"up{job=\"\"a\"\"}\",\"up{job=\"\"b\"\"}\"\r\n";
    let row = |i: i64| format!("{},{i},{}\r\n", START / 1000 + i * 1000, i % 7);
    let rows: String = (0..50_000).map(row).collect();
    let raw = read_as("a.csv", format!("{header}{rows}soon,1,2").as_bytes());
    assert_eq!(file(&raw), ("grafana-csv", 100_000, 1));
    assert_eq!(gap(&raw, "timestamp \"soon\"").line, Some(50_002));
    let alert = |i: i64| {
        let time = rfc3339(START + i * SECOND);
        format!(r#"{{"labels":{{"alertname":"A{i}"}},"fingerprint":"{i}","startsAt":"{time}"}}"#)
    };
    let alerts: Vec<String> = (0..20_000).map(alert).collect();
    let raw = read_as("a.json", format!("[{}]", alerts.join(",\n")).as_bytes());
    assert_eq!(file(&raw), ("alertmanager", 20_000, 0));
    assert_eq!(raw.events.last().map(|e| e.line), Some(20_000));
}

#[test]
fn secrets_and_people_stay_inside_the_readers() {
    for folder in ["grafana-annotations", "alertmanager", "prometheus-alerts", "grafana-frames"] {
        for path in files(&fixture(&format!("formats/{folder}"))) {
            let raw = read_path(&path, "UTC");
            let shown = format!("{:?} {:?} {:?}", raw.events, raw.gaps, raw.series);
            for secret in ["s3cr3t", "example.org", "runbook", "g0.expr"] {
                assert!(!shown.contains(secret), "{}: {secret}", path.display());
            }
        }
    }
}

#[test]
fn a_file_that_is_cut_anywhere_is_an_error_or_a_gap() {
    for name in [
        "formats/grafana-csv/same/raw-joined.csv",
        "formats/grafana-csv/same/excel-formatted.csv",
        "formats/grafana-csv/same/sep-semicolon.csv",
        "formats/grafana-csv/units/formatted.csv",
        "formats/grafana-csv/clock-back/formatted-berlin.csv",
        "formats/grafana-frames/ds-query.json",
        "formats/grafana-frames/entities.json",
        "formats/grafana-annotations/annotations.json",
        "formats/alertmanager/alerts.json",
        "formats/prometheus-alerts/rules.json",
    ] {
        let whole = bytes(name);
        let file_name = name.rsplit('/').next().expect("a name");
        for tenth in 1..10 {
            let cut = &whole[..whole.len() * tenth / 10];
            let scratch = Scratch::with(&[(file_name, cut)]);
            let settings = Settings { zone: Zone::named("UTC"), ..Settings::default() };
            let read = read_folder(&scratch.path().join(file_name), &settings);
            // A table cut between two rows is a shorter table; JSON always says that it ends early.
            let said = read.is_ok_and(|raw| raw.gaps.is_empty() && name.ends_with(".json"));
            assert!(!said, "{name} cut at {tenth}0 % is silent");
        }
    }
}

#[test]
fn damaged_exports_are_read_or_refused_without_a_panic() {
    let mut state = 7_u64;
    let mut next = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    let all = ["grafana-csv", "grafana-frames", "grafana-annotations", "alertmanager"];
    for folder in all.into_iter().chain(["prometheus-alerts"]) {
        for path in files(&fixture(&format!("formats/{folder}"))) {
            let whole = std::fs::read(&path).expect("the fixture can be read");
            let name = path.file_name().expect("a file").to_string_lossy().into_owned();
            for _ in 0..25 {
                let mut damaged = whole.clone();
                for _ in 0..=next(6) {
                    let at = next(damaged.len());
                    let end = (at + next(9)).min(damaged.len());
                    let new: Vec<u8> =
                        (0..next(4)).map(|_| b"\"{}[],:;\t\n0e9-\\\xff\xe2"[next(17)]).collect();
                    damaged.splice(at..end, new);
                }
                let scratch = Scratch::with(&[(&name, &damaged)]);
                let zone = Zone::named("Europe/Berlin");
                let settings = Settings { zone, ..Settings::default() };
                let _ = read_folder(&scratch.path().join(&name), &settings);
            }
        }
    }
}
