//! Small true exports of every format: how many rows are read, what entities and edges come out.

use super::support::{Scratch, bytes, fixture, gzip};
use arrow::array::{ArrayRef, Float64Array, StringArray, TimestampMillisecondArray};
use arrow::ipc::writer::{FileWriter, StreamWriter};
use arrow::record_batch::RecordBatch;
use rootline::Options;
use rootline::diagnosis::{Diagnosis, Verdict};
use rootline::ingest::READERS;
use rootline::model::GapKind;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

fn diagnose(path: &Path) -> Diagnosis {
    let answer = rootline::diagnose(path, &Options::default());
    answer.unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn read(name: &str) -> Diagnosis {
    diagnose(&fixture(name))
}

/// What one file gave: reader, rows read, rows left out.
fn file<'a>(d: &'a Diagnosis, name: &str) -> (&'a str, u64, u64) {
    let found = d.inputs.iter().find(|i| i.path == name);
    let input = found.unwrap_or_else(|| panic!("{name} is not among the inputs"));
    (&input.reader, input.rows, input.skipped)
}

/// Entities, call edges and series of an answer.
fn counts(d: &Diagnosis) -> (usize, usize, usize) {
    (d.entities, d.edges, d.series)
}

fn has_gap(d: &Diagnosis, kind: GapKind, line: Option<u64>, words: &str) -> bool {
    d.gaps.iter().any(|g| g.kind == kind && g.line == line && g.what.contains(words))
}

#[test]
fn every_reader_has_a_fixture() {
    // Arrow files are made by the test: their bytes would say nothing in a diff.
    let folders =
        super::support::folders("formats").iter().map(|p| super::support::name(p)).collect();
    let names: BTreeSet<String> = READERS.iter().map(|r| r.name.to_owned()).collect();
    let without: Vec<&String> = names.difference(&folders).filter(|n| *n != "arrow-ipc").collect();
    assert!(without.is_empty(), "{without:?}");
}

#[test]
fn jaeger_answers_are_read_and_a_bad_id_costs_one_span() {
    let d = read("formats/jaeger/api-traces.json");
    assert_eq!(file(&d, "api-traces.json"), ("jaeger", 9, 1));
    // frontend, cart and their two hosts; frontend calls cart.
    assert_eq!((d.entities, d.edges), (4, 1));
    assert!(has_gap(&d, GapKind::Skipped, None, "span id"), "{:?}", d.gaps);
}

#[test]
fn a_single_jaeger_trace_with_inline_processes_is_read() {
    let d = read("formats/jaeger/one-trace.json");
    assert_eq!(file(&d, "one-trace.json"), ("jaeger", 2, 0));
    // worker calls pg-main.
    assert_eq!((d.entities, d.edges), (2, 1));
}

#[test]
fn otlp_lines_of_a_collector_are_read() {
    let d = read("formats/otlp/collector.jsonl");
    assert_eq!(file(&d, "collector.jsonl"), ("otlp", 8, 0));
    // gateway, its instance, orders.
    assert_eq!((d.entities, d.edges), (3, 1));
}

#[test]
fn otlp_with_base64_ids_enum_names_batches_and_old_scopes_is_read() {
    let d = read("formats/otlp/tempo.json");
    assert_eq!(file(&d, "tempo.json"), ("otlp", 4, 1));
    // gateway, its pod, orders (once, although called by its cluster name), pg-main.
    assert_eq!((d.entities, d.edges), (4, 2));
    assert!(has_gap(&d, GapKind::Skipped, None, "end time"), "{:?}", d.gaps);
}

#[test]
fn prometheus_matrices_are_the_same_with_and_without_envelope() {
    let enveloped = read("formats/prometheus/query_range.json");
    let bare = read("formats/prometheus/bare-matrix.json");
    assert_eq!(file(&enveloped, "query_range.json"), ("prometheus", 48, 0));
    assert_eq!(file(&bare, "bare-matrix.json"), ("prometheus", 48, 0));
    // cart, checkout and an instance of each.
    assert_eq!(counts(&enveloped), (4, 0, 2));
    assert_eq!(counts(&bare), counts(&enveloped));
}

#[test]
fn a_prometheus_vector_is_read_and_nan_is_a_gap() {
    let d = read("formats/prometheus/query.json");
    assert_eq!(file(&d, "query.json"), ("prometheus", 2, 1));
    assert!(has_gap(&d, GapKind::Skipped, Some(27), "NaN"), "{:?}", d.gaps);
}

#[test]
fn an_error_answer_of_prometheus_is_a_gap() {
    let d = read("formats/prometheus/error.json");
    assert_eq!(file(&d, "error.json"), ("prometheus", 0, 0));
    assert!(has_gap(&d, GapKind::Missing, Some(1), "parse error: unexpected end"), "{:?}", d.gaps);
}

#[test]
fn where_nothing_was_measured_nothing_is_healthy() {
    let names = [
        "prometheus/error.json",
        "manifest/manifest.json",
        "events/changes.jsonl",
        "topology/topology.csv",
        "pg-locks/main_pg_locks.csv",
        "mapping/mapping.toml",
    ];
    let healthy = |n: &&&str| read(&format!("formats/{n}")).verdict == Verdict::Healthy;
    let wrong: Vec<&&str> = names.iter().filter(healthy).collect();
    assert!(wrong.is_empty(), "called healthy without a single symptom signal: {wrong:?}");
}

#[test]
fn a_manifest_gives_label_poor_series_their_meaning() {
    let d = read("formats/manifest");
    assert_eq!(file(&d, "manifest.json"), ("manifest", 2, 0));
    assert_eq!(file(&d, "raw/p95.json"), ("prometheus", 24, 0));
    assert_eq!(counts(&d), (1, 0, 1));
    let unnamed = d.gaps.iter().any(|g| g.what.contains("unknown") || g.what.contains("no name"));
    assert!(!unnamed, "{:?}", d.gaps);
}

#[test]
fn sessions_with_a_snapshot_time_give_the_blocker() {
    let d = read("formats/pg-sessions/main_pg_stat_activity.csv");
    assert_eq!(file(&d, "main_pg_stat_activity.csv"), ("pg-sessions", 18, 0));
    assert_eq!((d.entities, d.edges), (1, 0));
    let first = d.hypotheses.first().expect("a blocking tree is an explanation");
    assert_eq!(first.facts.get("pid").map(String::as_str), Some("101"), "{first:?}");
    assert_eq!(first.facts.get("victims").map(String::as_str), Some("4"));
    let shown = format!("{d:?}");
    assert!(!shown.contains("north"), "literals of statements stay inside the reader");
}

#[test]
fn sessions_without_a_snapshot_time_are_dated_and_say_so() {
    let d = read("formats/pg-sessions/untimed_pg_stat_activity.csv");
    assert_eq!(file(&d, "untimed_pg_stat_activity.csv"), ("pg-sessions", 18, 0));
    assert!(has_gap(&d, GapKind::Inferred, None, "no snapshot time column"), "{:?}", d.gaps);
    let day = rootline::time::date(d.window.incident.from);
    assert_eq!(day, "2026-11-20");
}

#[test]
fn sessions_without_blockers_say_that_blocking_is_not_known() {
    let d = read("formats/pg-sessions/without_blockers_pg_stat_activity.csv");
    assert_eq!(file(&d, "without_blockers_pg_stat_activity.csv"), ("pg-sessions", 18, 0));
    assert!(has_gap(&d, GapKind::Missing, None, "no pg_blocking_pids column"), "{:?}", d.gaps);
    assert_ne!(d.verdict, Verdict::Confirmed);
}

#[test]
fn snapshots_appended_with_their_headers_are_one_export() {
    let whole = String::from_utf8(bytes("formats/pg-sessions/main_pg_stat_activity.csv"));
    let whole = whole.expect("the fixture is UTF-8");
    let (header, rows) = whole.split_once('\n').expect("a header and rows");
    let rows: Vec<&str> = rows.lines().collect();
    // As `psql --csv … >> file` writes them: six sessions a snapshot.
    let appended: String =
        rows.chunks(6).map(|snapshot| format!("{header}\n{}\n", snapshot.join("\n"))).collect();
    let folder = Scratch::with(&[("main_pg_stat_activity.csv", appended.as_bytes())]);
    let d = diagnose(folder.path());
    assert_eq!(file(&d, "main_pg_stat_activity.csv"), ("pg-sessions", 18, 0), "{:?}", d.gaps);
    let once = read("formats/pg-sessions/main_pg_stat_activity.csv");
    assert_eq!(d.hypotheses[0].facts, once.hypotheses[0].facts);
}

#[test]
fn locks_are_read_and_a_row_without_a_pid_is_counted() {
    let d = read("formats/pg-locks/main_pg_locks.csv");
    assert_eq!(file(&d, "main_pg_locks.csv"), ("pg-locks", 3, 1));
    assert!(has_gap(&d, GapKind::Skipped, Some(4), "pid"), "{:?}", d.gaps);
}

#[test]
fn a_wide_table_names_entity_and_metric_in_its_columns() {
    let d = read("formats/table/wide.csv");
    assert_eq!(file(&d, "wide.csv"), ("table", 96, 0));
    // cart and checkout with two columns each.
    assert_eq!(counts(&d), (2, 0, 4));
}

#[test]
fn a_step_of_latency_in_a_small_table_is_found() {
    let d = read("formats/table/wide.csv");
    // x19 for six samples of 15 s, errors 0 to 40 %, from 20:13:30.
    let from = rootline::time::clock(d.window.incident.from);
    assert!(("20:13:10".."20:13:50").contains(&from.as_str()), "{from}: {}", d.window.how);
}

#[test]
fn a_long_table_is_split_by_metric_and_label() {
    let d = read("formats/table/long.csv");
    assert_eq!(file(&d, "long.csv"), ("table", 71, 0));
    // cart and payments with an instance each; latency twice, traffic once.
    assert_eq!(counts(&d), (4, 0, 3));
}

#[test]
fn semicolons_and_tabs_separate_as_commas_do() {
    let (semicolon, tab) = (read("formats/table/semicolon.csv"), read("formats/table/tab.tsv"));
    assert_eq!(file(&semicolon, "semicolon.csv"), ("table", 48, 0));
    assert_eq!(file(&tab, "tab.tsv"), ("table", 48, 0));
    assert_eq!(counts(&semicolon), (1, 0, 2));
    assert_eq!(counts(&tab), (1, 0, 2));
}

#[test]
fn compressed_files_are_read_as_they_are() {
    let plain = bytes("formats/table/wide.csv");
    let zst = zstd::encode_all(plain.as_slice(), 3).expect("memory can be written");
    let two_members = [gzip(&plain[..200]), gzip(&plain[200..])].concat();
    let known = counts(&read("formats/table/wide.csv"));
    for (name, packed) in
        [("wide.csv.gz", gzip(&plain)), ("wide.csv.zst", zst), ("two.csv.gz", two_members)]
    {
        let folder = Scratch::with(&[(name, &packed)]);
        let d = diagnose(folder.path());
        assert_eq!(file(&d, name), ("table", 96, 0));
        assert_eq!(counts(&d), known, "{name}");
    }
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_no_part_of_the_data() {
    let plain = String::from_utf8(bytes("formats/table/wide.csv")).expect("UTF-8");
    let windows = format!("\u{feff}{}", plain.replace('\n', "\r\n"));
    let folder = Scratch::with(&[("wide.csv", windows.as_bytes())]);
    let d = diagnose(folder.path());
    assert_eq!(file(&d, "wide.csv"), ("table", 96, 0));
    assert_eq!(counts(&d), counts(&read("formats/table/wide.csv")));
}

/// One batch: a time column of a zone, two wide metrics, 24 rows with one null.
fn batch(zone: Option<&str>) -> RecordBatch {
    let start = 1_795_205_400_000_i64;
    let times: Vec<i64> = (0..24).map(|i| start + i * 15_000).collect();
    let time = TimestampMillisecondArray::from(times).with_timezone_opt(zone);
    let cpu: Float64Array = (0..24).map(|i| (i != 5).then_some(0.3 + f64::from(i % 4))).collect();
    let latency: Float64Array = (0..24).map(|i| Some(0.05 * f64::from(1 + i % 3))).collect();
    let columns: [(&str, ArrayRef); 3] = [
        ("time", Arc::new(time)),
        ("cart_cpu", Arc::new(cpu)),
        ("cart_latency", Arc::new(latency)),
    ];
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

fn arrow_file(batch: &RecordBatch) -> Vec<u8> {
    let mut stored = Vec::new();
    let mut writer = FileWriter::try_new(&mut stored, &batch.schema()).expect("memory");
    writer.write(batch).and_then(|()| writer.finish()).expect("memory can be written");
    drop(writer);
    stored
}

#[test]
fn arrow_files_and_streams_are_wide_tables() {
    let batch = batch(Some("+00:00"));
    let mut streamed = Vec::new();
    let mut writer = StreamWriter::try_new(&mut streamed, &batch.schema()).expect("memory");
    writer.write(&batch).and_then(|()| writer.finish()).expect("memory can be written");
    drop(writer);
    for (name, packed) in [("wide.arrow", arrow_file(&batch)), ("wide.arrows", streamed)] {
        let folder = Scratch::with(&[(name, &packed)]);
        let d = diagnose(folder.path());
        assert_eq!(file(&d, name), ("arrow-ipc", 47, 0), "{:?}", d.gaps);
        assert_eq!(counts(&d), (1, 0, 2));
        assert_eq!(rootline::time::date(d.window.baseline.from), "2026-11-20");
    }
}

#[test]
fn arrow_times_are_read_whatever_their_zone_is_called() {
    for zone in [None, Some("UTC"), Some("Europe/Berlin"), Some("+01:00")] {
        let folder = Scratch::with(&[("wide.arrow", &arrow_file(&batch(zone)))]);
        let d = diagnose(folder.path());
        assert_eq!(file(&d, "wide.arrow"), ("arrow-ipc", 47, 0), "{zone:?}: {:?}", d.gaps);
        // Arrow counts from the epoch in UTC; the zone is for showing.
        let from = rootline::time::rfc3339(d.window.baseline.from);
        assert_eq!(from, "2026-11-20T20:10:00Z", "{zone:?}");
    }
}

#[test]
fn an_arrow_file_without_a_time_column_is_left_out_and_said() {
    let names: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    let batch = RecordBatch::try_from_iter([("name", names)]).expect("one column");
    let stored = arrow_file(&batch);
    let good = bytes("formats/table/wide.csv");
    let folder = Scratch::with(&[("names.arrow", &stored), ("wide.csv", &good)]);
    let d = diagnose(folder.path());
    assert_eq!(file(&d, "names.arrow"), ("arrow-ipc", 0, 2));
    assert!(has_gap(&d, GapKind::Skipped, None, "no time column"), "{:?}", d.gaps);
}

#[test]
fn a_mapping_gives_house_names_a_meaning() {
    let with = read("formats/mapping");
    assert_eq!(file(&with, "mapping.toml").0, "mapping");
    assert_eq!(file(&with, "cart.csv"), ("table", 48, 0));
    // The file is named after the service.
    assert_eq!(counts(&with), (1, 0, 2));
    assert!(!with.gaps.iter().any(|g| g.what.contains("zork")), "{:?}", with.gaps);
    let without = read("formats/mapping/cart.csv");
    assert!(without.gaps.iter().any(|g| g.what.contains("zork")), "{:?}", without.gaps);
}

#[test]
fn a_mapping_to_a_signal_that_does_not_exist_is_a_gap() {
    let table = bytes("formats/mapping/cart.csv");
    let mapping = b"[[metric]]\nname = \"zork_ms\"\nsignal = \"http.server.request.duratoin\"\n";
    let folder = Scratch::with(&[("cart.csv", &table), ("mapping.toml", mapping)]);
    let d = diagnose(folder.path());
    let said = d.gaps.iter().any(|g| g.what.contains("http.server.request.duratoin"));
    assert!(said, "{:?}", d.gaps);
}

#[test]
fn a_topology_gives_edges_kinds_and_aliases() {
    let d = read("formats/topology");
    assert_eq!(file(&d, "topology.toml"), ("topology", 1, 0));
    assert_eq!(file(&d, "topology.csv"), ("topology", 2, 1));
    // gateway, checkout, cart, pg-main, mailer: the address and `basket` are aliases.
    assert_eq!((d.entities, d.edges), (5, 5));
    assert!(has_gap(&d, GapKind::Skipped, Some(4), "caller"), "{:?}", d.gaps);
    assert!(!d.gaps.iter().any(|g| g.what.contains("no dependency graph")), "{:?}", d.gaps);
}

#[test]
fn an_incident_file_sets_windows_and_the_zone_of_times_without_one() {
    let d = read("formats/incident");
    assert_eq!(file(&d, "incident.toml"), ("incident", 1, 0));
    assert_eq!(file(&d, "wide.csv"), ("table", 48, 0));
    assert_eq!(d.title.as_deref(), Some("checkout slow on Friday evening"));
    // 20:13:30 in Berlin.
    assert_eq!(rootline::time::rfc3339(d.window.incident.from), "2026-11-20T19:13:30Z");
    assert_eq!(rootline::time::rfc3339(d.window.baseline.from), "2026-11-20T19:10:00Z");
    let shifted = d.impact.first().expect("latency leaves its level in the given window");
    assert!(shifted.during > 5.0 * shifted.before, "{shifted:?}");
}

#[test]
fn a_zone_that_was_given_is_not_said_to_be_assumed() {
    let d = read("formats/incident");
    let wrong: Vec<_> = d.gaps.iter().filter(|g| g.what.contains("taken as UTC")).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn events_are_read_from_tables_arrays_and_lines() {
    let d = read("formats/events");
    assert_eq!(file(&d, "events.csv"), ("events", 3, 1));
    assert_eq!(file(&d, "events.json"), ("events", 2, 0));
    assert_eq!(file(&d, "changes.jsonl"), ("events", 2, 0));
    assert!(has_gap(&d, GapKind::Skipped, Some(5), "\"12:61\""), "{:?}", d.gaps);
    assert!(has_gap(&d, GapKind::Doubtful, Some(4), "did you mean \"deploy\"?"), "{:?}", d.gaps);
}
