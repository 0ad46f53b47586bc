//! Broken, hostile and absurd input: never a panic, always a gap or an error that names the file.

use super::support::{Run, Scratch, bytes, finish, fixture, gunzip, gzip, items, program, text};
use proptest::prelude::*;
use rootline::Options;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// A good file, so that a broken one beside it is a gap and not the end.
const GOOD: &str = "formats/table/wide.csv";

/// Runs `diagnose` as JSON or text and asserts what holds for any input at all.
fn survives(folder: &Path, format: &str) -> Run {
    let args = ["diagnose", "--format", format, "-v", &folder.to_string_lossy()];
    let run = finish(&mut program(&args));
    assert!((0..=2).contains(&run.code), "exit {}: {}", run.code, run.err);
    assert!(!run.err.contains("panicked"), "{}", run.err);
    for (name, shown) in [("output", &run.out), ("message", &run.err)] {
        let hazard = shown.chars().find(|c| {
            (c.is_control() && *c != '\n')
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        });
        // JSON escapes control characters; invisible ones may stand in its strings.
        let harmless = format == "json" && hazard.is_some_and(|c| !c.is_control());
        assert!(hazard.is_none() || harmless, "{hazard:?} raw in the {name}: {shown}");
    }
    run
}

/// Diagnoses files beside a good one; gives the gaps, in text as well.
fn beside_a_good_file(files: &[(&str, &[u8])]) -> Vec<Value> {
    let folder = Scratch::with(files);
    folder.file("good.csv", &bytes(GOOD));
    let run = survives(folder.path(), "json");
    assert_eq!(run.code, 0, "{}", run.err);
    survives(folder.path(), "text");
    items(&run.json()["gaps"]).to_vec()
}

fn find<'a>(gaps: &'a [Value], file: &str) -> Vec<&'a Value> {
    gaps.iter().filter(|g| g["file"] == file).collect()
}

/// A file beside a good one must have a gap; gives the first.
fn gap(name: &str, content: &[u8]) -> Value {
    let gaps = beside_a_good_file(&[(name, content)]);
    let own = find(&gaps, name);
    (*own.first().unwrap_or_else(|| panic!("nothing is said about {name}: {gaps:?}"))).clone()
}

fn services() -> Vec<u8> {
    gunzip(&bytes("incidents/pool-exhaustion/prometheus/raw/services.json.gz"))
}

#[test]
fn prometheus_json_cut_anywhere_keeps_what_stands_before() {
    let whole = services();
    for (i, cut) in [1, 2, 3, 4, 9].map(|tenth| whole.len() * tenth / 10).iter().enumerate() {
        let gaps = beside_a_good_file(&[("services.json", &whole[..*cut])]);
        let own = find(&gaps, "services.json");
        let said = own.iter().any(|g| g["kind"] == "truncated" && g["line"].is_u64());
        assert!(said, "cut {i} at {cut}: {own:?}");
    }
    let folder = Scratch::with(&[("services.json", &whole[..whole.len() / 2])]);
    let rows = &survives(folder.path(), "json").json()["inputs"][0]["rows"];
    assert!(rows.as_u64() > Some(5_000), "{rows} rows before the cut");
}

#[test]
fn a_cut_before_the_first_value_is_told() {
    let whole = services();
    for cut in [1, 12, 40, 60] {
        gap("services.json", &whole[..cut]);
    }
}

#[test]
fn cut_gzip_and_zstd_files_keep_what_stands_before() {
    let packed = bytes("incidents/pool-exhaustion/prometheus/raw/services.json.gz");
    let cut = gap("services.json.gz", &packed[..packed.len() / 2]);
    assert_eq!(cut["kind"], "truncated", "{cut}");
    assert!(text(&cut["what"]).contains("decompression stopped"), "{cut}");
    gap("services.json.gz", &packed[..10]);
    let zst = zstd::encode_all(services().as_slice(), 3).expect("memory can be written");
    assert_eq!(gap("services.json.zst", &zst[..zst.len() / 2])["kind"], "truncated");
    let mut damaged = packed.clone();
    damaged[packed.len() / 3] ^= 0x5a;
    gap("services.json.gz", &damaged);
}

#[test]
fn a_compressed_bomb_is_stopped() {
    let bomb = gzip(&vec![b' '; 16 << 20]);
    let mut twice = bomb.clone();
    twice.extend(&bomb);
    let said = gap("spaces.json.gz", &twice);
    assert!(matches!(text(&said["kind"]), "unreadable" | "truncated"), "{said}");
}

#[test]
fn a_broken_line_among_otlp_lines_costs_that_line() {
    let said = gap("traces.jsonl", &bytes("formats/broken/broken-line.jsonl"));
    assert_eq!((&said["line"], &said["count"]), (&Value::from(3), &Value::from(1)), "{said}");
}

#[test]
fn a_bad_timestamp_is_named_with_its_line() {
    let said = gap("cart.csv", &bytes("formats/broken/bad-time-on-line-17.csv"));
    assert_eq!(said["line"], 17, "{said}");
    assert!(text(&said["what"]).contains("2026-11-20T25:61:00Z"), "{said}");
}

#[test]
fn ragged_rows_are_counted() {
    let gaps = beside_a_good_file(&[("cart.csv", &bytes("formats/broken/ragged.csv"))]);
    let own = find(&gaps, "cart.csv").into_iter().filter(|g| g["kind"] == "skipped");
    let lines: Vec<&Value> = own.map(|g| &g["line"]).collect();
    assert_eq!(lines, [6, 10], "{gaps:?}");
}

#[test]
fn a_cell_that_is_no_number_does_not_cost_its_column() {
    let folder = Scratch::with(&[("cart.csv", &bytes("formats/broken/not-numbers.csv"))]);
    let answer = survives(folder.path(), "json").json();
    // 24 rows of three columns; NaN, inf, -Infinity, 1e999 and `fast` are no values.
    assert_eq!(answer["inputs"][0]["rows"], 67, "{}", answer["gaps"]);
    assert_eq!(answer["series"], 3, "{}", answer["gaps"]);
}

#[test]
fn nan_and_infinite_samples_are_counted() {
    let said = gap("api.json", &bytes("formats/broken/not-numbers.json"));
    let gaps = beside_a_good_file(&[("api.json", &bytes("formats/broken/not-numbers.json"))]);
    let not_finite = find(&gaps, "api.json").into_iter().find(|g| text(&g["what"]).contains("NaN"));
    assert_eq!(not_finite.map(|g| &g["count"]), Some(&Value::from(12)), "{said}");
}

#[test]
fn times_in_the_years_1_and_9999_are_left_out() {
    for (name, own) in [("cart.csv", "far-years.csv"), ("api.json", "not-numbers.json")] {
        let folder = Scratch::with(&[(name, &bytes(&format!("formats/broken/{own}")))]);
        let answer = survives(folder.path(), "json").json();
        let from = text(&answer["window"]["baseline"]["from"]).to_owned();
        let to = text(&answer["window"]["incident"]["to"]).to_owned();
        assert!(
            from.starts_with("2026-11-20") && to.starts_with("2026-11-20"),
            "{name}: {from} {to}"
        );
        assert!(!find(items(&answer["gaps"]), name).is_empty(), "{}", answer["gaps"]);
    }
}

#[test]
fn repeated_and_unsorted_samples_are_put_in_order() {
    let said = gap("cart.csv", &bytes("formats/broken/unsorted-duplicated.csv"));
    assert!(text(&said["what"]).contains("two different values at the same time"), "{said}");
    assert_eq!(said["count"], 1, "{said}");
}

/// One sample of each of `n` series, in the forms that hold most of them.
fn many_series(n: usize) -> Vec<(&'static str, Vec<u8>)> {
    let rows = (0..n).map(|i| format!("2026-11-20T20:10:00Z,http_requests_total,1,u{i}\n"));
    let csv: String =
        std::iter::once("timestamp,metric,value,user\n".to_owned()).chain(rows).collect();
    let lines = (0..n).map(|i| format!("http_requests_total{{user=\"u{i}\"}} 1 1795205400000\n"));
    let head = "# TYPE http_requests_total counter\n".to_owned();
    let exposition: String = std::iter::once(head).chain(lines).collect();
    let one = |i| {
        let metric = format!("{{\"__name__\":\"http_requests_total\",\"user\":\"u{i}\"}}");
        format!("{{\"metric\":{metric},\"values\":[[1795205400,\"1\"]]}}")
    };
    let result: Vec<String> = (0..n).map(one).collect();
    let json = format!(
        "{{\"status\":\"success\",\"data\":{{\"resultType\":\"matrix\",\"result\":[{}]}}}}",
        result.join(",")
    );
    let users: arrow::array::StringArray = (0..n).map(|i| Some(format!("u{i}"))).collect();
    let times = arrow::array::TimestampMicrosecondArray::from(vec![1_795_205_400_000_000; n]);
    let columns: [(&str, arrow::array::ArrayRef); 3] = [
        ("timestamp", std::sync::Arc::new(times.with_timezone("UTC"))),
        (
            "http_requests_total",
            std::sync::Arc::new(arrow::array::Float64Array::from(vec![1.0; n])),
        ),
        ("user", std::sync::Arc::new(users)),
    ];
    let batch = arrow::array::RecordBatch::try_from_iter(columns).expect("three columns");
    let mut parquet =
        parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("a schema");
    parquet.write(&batch).expect("memory can be written");
    vec![
        ("a.csv", csv.into_bytes()),
        ("a.prom", exposition.into_bytes()),
        ("a.json", json.into_bytes()),
        ("a.parquet", parquet.into_inner().expect("memory can be written")),
    ]
}

#[test]
fn series_beyond_the_limit_are_left_out_and_told() {
    let mut limits = rootline::ingest::Limits::default();
    limits.set("series=10").expect("a limit");
    let settings = rootline::ingest::Settings { limits, ..Default::default() };
    for (name, content) in many_series(25) {
        let folder = Scratch::with(&[(name, &content)]);
        let of = |settings: &rootline::ingest::Settings| {
            rootline::ingest::read_folder(folder.path(), settings).expect("read")
        };
        let whole = of(&Default::default());
        assert_eq!(whole.series.len(), 25, "{name}: {:?}", whole.gaps);
        let cut = of(&settings);
        assert_eq!(cut.series.len(), 10, "{name}");
        let told = cut.gaps.iter().find(|g| g.what.contains("more than 10 series"));
        let told = told.unwrap_or_else(|| panic!("{name}: {:?}", cut.gaps));
        assert_eq!((told.file.as_deref(), told.count), (Some(name), 15), "{name}");
    }
    // Many files of few series each.
    let files: Vec<(String, Vec<u8>)> = (0..9)
        .map(|f| {
            let names: String = (0..8).map(|c| format!(",c{f}_{c}")).collect();
            let content = format!("timestamp{names}\n2026-11-20T20:10:00Z{}\n", ",1".repeat(8));
            (format!("{f}.csv"), content.into_bytes())
        })
        .collect();
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let folder = Scratch::with(&files);
    let cut = rootline::ingest::read_folder(folder.path(), &settings).expect("read");
    assert_eq!(cut.series.len(), 20);
    let told = cut.gaps.iter().filter(|g| g.what.contains("more than 20 series"));
    let told: Vec<_> = told.map(|g| (g.file.as_deref().unwrap_or_default(), g.count)).collect();
    let files = ["2.csv", "3.csv", "4.csv", "5.csv", "6.csv", "7.csv", "8.csv"];
    assert_eq!(told, files.map(|f| (f, if f == "2.csv" { 4 } else { 8 })), "{:?}", cut.gaps);
}

#[test]
fn deep_nesting_does_not_exhaust_the_stack() {
    let depth = 100_000;
    let open = "[".repeat(depth);
    let objects = "{\"a\":".repeat(depth);
    let closed = format!("{open}{}", "]".repeat(depth));
    let head = "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":";
    let inside = format!("{head}[{{\"metric\":{{}},\"values\":{closed}}}]}}}}");
    let spans = format!("{{\"resourceSpans\":[{{\"resource\":{{\"attributes\":{closed}}}}}]}}");
    let value = format!(
        "{{\"resourceSpans\":[{{\"resource\":{{\"attributes\":[{{\"key\":\"service.name\",\
         \"value\":{objects}1{}}}]}}}}]}}",
        "}".repeat(depth)
    );
    let traces = format!("{{\"data\":[{{\"traceID\":\"1\",\"spans\":{closed}}}]}}");
    let events = format!("[{{\"kind\":\"deploy\",\"time\":{closed}}}]");
    for content in [&open, &objects, &closed, &inside, &spans, &value, &traces, &events] {
        gap("deep.json", content.as_bytes());
    }
}

#[test]
fn a_gigantic_line_is_read_or_refused_in_time() {
    let long = "x".repeat(5 << 20);
    gap("log.txt", long.as_bytes());
    gap("log.json", format!("{{\"{long}").as_bytes());
    gap("cart.csv", format!("time,cart_cpu\n2026-11-20T20:10:00Z,{long}\n").as_bytes());
    gap("cart.csv", format!("time,cart_cpu\n\"{long}\n").as_bytes());
    let comma = ",".repeat(1 << 20);
    survives(Scratch::with(&[("a.csv", comma.as_bytes())]).path(), "json");
}

/// Names under which readers expect something.
const NAMES: [&str; 16] = [
    "a.json",
    "a.jsonl",
    "a.csv",
    "a.tsv",
    "a.arrow",
    "a.parquet",
    "a.csv.gz",
    "a.json.zst",
    "a.toml",
    "incident.toml",
    "topology.toml",
    "mapping.toml",
    "pg_stat_activity.csv",
    "events.json",
    "manifest.json",
    "noname",
];

#[test]
fn binary_garbage_under_every_name_is_refused() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut noise = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    let garbage: Vec<u8> = (0..4096).map(|_| noise()).collect();
    let heads: [&[u8]; 7] = [
        b"",
        b"ARROW1\0\0",
        b"\xff\xff\xff\xff",
        b"\x1f\x8b\x08\0",
        b"\x28\xb5\x2f\xfd",
        b"PAR1",
        b"{\"data\":",
    ];
    for head in heads {
        let content = [head, &garbage].concat();
        let files: Vec<(&str, &[u8])> = NAMES.iter().map(|n| (*n, content.as_slice())).collect();
        let gaps = beside_a_good_file(&files);
        let silent: Vec<&&str> = NAMES.iter().filter(|n| find(&gaps, n).is_empty()).collect();
        assert!(silent.is_empty(), "nothing is said about {silent:?} that start {head:?}");
    }
}

#[test]
fn empty_files_are_named_unless_empty_is_fine() {
    let files: Vec<(&str, &[u8])> = NAMES.iter().map(|n| (*n, b"".as_slice())).collect();
    let gaps = beside_a_good_file(&files);
    for name in NAMES.iter().filter(|n| !n.ends_with(".toml")) {
        assert!(!find(&gaps, name).is_empty(), "nothing is said about {name}");
    }
    let only = Scratch::with(&[("a.csv", b"")]);
    let run = survives(only.path(), "json");
    assert_eq!(run.code, 2);
    assert!(run.err.contains("empty"), "{}", run.err);
}

#[test]
fn a_header_without_rows_is_told() {
    let files: [(&str, &[u8]); 4] = [
        ("cart.csv", b"time,cart_cpu,cart_latency\n"),
        (
            "api.json",
            b"{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[]}}",
        ),
        ("traces.json", b"{\"resourceSpans\":[]}"),
        ("pg_stat_activity.csv", b"pid,state,query,wait_event\n"),
    ];
    let gaps = beside_a_good_file(&files);
    let silent: Vec<&str> =
        files.iter().map(|f| f.0).filter(|n| find(&gaps, n).is_empty()).collect();
    assert!(silent.is_empty(), "0 rows, and nothing is said about {silent:?}");
}

#[test]
fn an_error_names_the_file_that_was_looked_at() {
    let folder = Scratch::with(&[("shopping-list.txt", b"milk and bread")]);
    let run = survives(folder.path(), "text");
    assert_eq!(run.code, 2);
    assert!(run.err.contains("shopping-list.txt"), "{}", run.err);
}

#[test]
fn names_that_steer_a_terminal_are_shown_harmless() {
    let names = bytes("formats/broken/steering-names.json");
    let folder = Scratch::with(&[("api.json", &names)]);
    let path = folder.arg();
    survives(folder.path(), "text");
    survives(folder.path(), "json");
    for args in [&["inspect", path.as_str()][..], &["explain", "H1", path.as_str()]] {
        let run = finish(&mut program(args));
        let raw = run.out.chars().chain(run.err.chars()).find(|c| c.is_control() && *c != '\n');
        assert_eq!(raw, None, "{args:?}: {}", run.out);
        assert!(!run.out.contains('\u{202e}') && !run.out.contains('\u{200b}'), "{}", run.out);
    }
    let file = Scratch::with(&[("\u{1b}[31mred\u{202e}.csv", b"milk and bread".as_slice())]);
    survives(file.path(), "text");
    file.file("good.csv", &bytes(GOOD));
    survives(file.path(), "text");
    let header = "time,\u{1b}[2J_cpu,ca\u{7}rt_latency\n2026-11-20T20:10:00Z,1,2\n";
    survives(Scratch::with(&[("a.csv", header.as_bytes())]).path(), "text");
    let words = Scratch::with(&[("a.txt", "milk \u{1b}[31m and \u{202e} bread\u{9b}".as_bytes())]);
    survives(words.path(), "text");
}

#[test]
fn an_error_shows_a_path_harmless() {
    let missing = finish(&mut program(&["diagnose", "no\u{1b}[31msuch"]));
    assert_eq!(missing.code, 2);
    assert!(!missing.err.contains('\u{1b}'), "{:?}", missing.err);
}

#[cfg(unix)]
#[test]
fn a_loop_of_links_ends() {
    let folder = Scratch::with(&[("good.csv", &bytes(GOOD))]);
    let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, folder.path().join(name));
    link(folder.path(), "loop").expect("links can be made");
    link(Path::new("b"), "a").expect("links can be made");
    link(Path::new("a"), "b").expect("links can be made");
    link(Path::new("gone"), "dangling.csv").expect("links can be made");
    let answer = survives(folder.path(), "json").json();
    assert_eq!(items(&answer["inputs"]).len(), 1, "{}", answer["inputs"]);
    for (name, why) in [("loop", "link to a folder"), ("dangling.csv", "link to nothing")] {
        let gaps = find(items(&answer["gaps"]), name);
        assert!(gaps.iter().any(|g| text(&g["what"]).contains(why)), "{name}: {gaps:?}");
    }
    let root = folder.path().join("loop");
    assert_eq!(survives(&root, "json").code, 0);
}

/// A clock that was wrong for one span must not stretch the recording by half a century.
#[test]
fn a_span_far_from_all_others_is_left_out_and_told() {
    let gateway = gunzip(&bytes("incidents/pool-exhaustion/otlp/gateway.jsonl.gz"));
    let plain = String::from_utf8(gateway).expect("text");
    let moved = |to: i64| {
        let (before, rest) = plain.split_once("\"startTimeUnixNano\":\"").expect("a span");
        let (_, rest) = rest.split_once('"').expect("its start");
        let (between, rest) = rest.split_once("\"endTimeUnixNano\":\"").expect("its end");
        let (_, rest) = rest.split_once('"').expect("its end");
        let end = to + 5_000_000;
        format!(
            "{before}\"startTimeUnixNano\":\"{to}\"{between}\"endTimeUnixNano\":\"{end}\"{rest}"
        )
    };
    let whole = rootline::diagnose(&fixture("incidents/pool-exhaustion"), &Options::default());
    let whole = whole.expect("the fixture is analysed");
    for to in [170_000_000_000_000_000, 1_795_000_000_000_000_000] {
        let copy = Scratch::copy(&fixture("incidents/pool-exhaustion"), |_| false);
        copy.file("otlp/gateway.jsonl.gz", &gzip(moved(to).as_bytes()));
        let d = rootline::diagnose(copy.path(), &Options::default()).expect("it is analysed");
        assert_eq!((d.verdict, d.window.baseline), (whole.verdict, whole.window.baseline));
        let stray = |g: &&rootline::model::Gap| g.what.contains("far from that of all others");
        let gap = d.gaps.iter().find(stray).expect("it is told");
        assert_eq!((gap.file.as_deref(), gap.count), (Some("otlp/gateway.jsonl.gz"), 1));
    }
}

#[test]
fn a_defect_of_the_incident_file_is_a_gap_with_its_line() {
    let gap = |own: &str| gap("incident.toml", &bytes(&format!("formats/broken/{own}")));
    let key = gap("incident-unknown-key.toml");
    assert_eq!(key["line"], 4, "{key}");
    assert!(text(&key["what"]).contains("incidents"), "{key}");
    let window = gap("incident-inverted-window.toml");
    assert!(text(&window["what"]).contains("window.incident"), "{window}");
    let zone = gap("incident-unknown-zone.toml");
    assert!(text(&zone["what"]).contains("Europe/Atlantis"), "{zone}");
}

#[test]
fn a_window_outside_the_data_is_told() {
    let far = b"[window]\nincident = [\"2020-01-01T00:00:00Z\", \"2020-01-01T01:00:00Z\"]\n";
    let folder = Scratch::with(&[("incident.toml", far), ("good.csv", &bytes(GOOD))]);
    let answer = survives(folder.path(), "json").json();
    assert_ne!(answer["verdict"], "healthy", "nothing was seen of the window that was given");
    let mut said = items(&answer["gaps"]).iter().chain(items(&answer["reasons"]));
    let about = |v: &Value| v.to_string().contains("window");
    assert!(said.any(about), "{} {}", answer["gaps"], answer["reasons"]);
}

#[test]
fn an_event_of_an_unknown_kind_is_doubtful_with_its_line() {
    let gaps = beside_a_good_file(&[("changes.csv", &bytes("formats/broken/unknown-kind.csv"))]);
    let own = find(&gaps, "changes.csv");
    assert_eq!(own.len(), 2, "{own:?}");
    assert!(own.iter().all(|g| g["kind"] == "doubtful"), "{own:?}");
    let slip = own.iter().find(|g| g["line"] == 3).expect("the slip is on line 3");
    assert!(text(&slip["what"]).contains("did you mean \"restart\"?"), "{slip}");
}

#[test]
fn a_cycle_of_calls_and_of_aliases_ends() {
    let topology = "[aliases]\na = \"b\"\nb = \"a\"\nc = \"c\"\n\n[[edge]]\ncaller = \"cart\"\n\
                    callee = \"checkout\"\n\n[[edge]]\ncaller = \"checkout\"\ncallee = \"cart\"\n\n\
                    [[edge]]\ncaller = \"cart\"\ncallee = \"cart\"\n";
    let folder = Scratch::with(&[("topology.toml", topology.as_bytes())]);
    folder.file("good.csv", &bytes(GOOD));
    assert_eq!(survives(folder.path(), "json").code, 0);
}

/// Valid small inputs of each reader, by the name they need.
const SEEDS: [(&str, &str); 15] = [
    ("a.json", "formats/jaeger/one-trace.json"),
    ("a.jsonl", "formats/otlp/collector.jsonl"),
    ("a.json", "formats/otlp/tempo.json"),
    ("a.json", "formats/prometheus/query_range.json"),
    ("a.json", "formats/prometheus/query.json"),
    ("manifest.json", "formats/manifest/manifest.json"),
    ("pg_stat_activity.csv", "formats/pg-sessions/main_pg_stat_activity.csv"),
    ("pg_stat_activity.csv", "formats/pg-sessions/untimed_pg_stat_activity.csv"),
    ("pg_locks.csv", "formats/pg-locks/main_pg_locks.csv"),
    ("wide.csv", "formats/table/wide.csv"),
    ("long.csv", "formats/table/long.csv"),
    ("mapping.toml", "formats/mapping/mapping.toml"),
    ("topology.toml", "formats/topology/topology.toml"),
    ("incident.toml", "formats/incident/incident.toml"),
    ("events.csv", "formats/events/events.csv"),
];

/// One change of a text: where (per mille), what is put there, how much is taken away.
fn mutation() -> impl Strategy<Value = (usize, Vec<u8>, usize)> {
    let words: [&[u8]; 18] = [
        b"",
        b"\"",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b";",
        b"\n",
        b"\0",
        b"\xff",
        b"-1",
        b"1e309",
        b"NaN",
        b"99999999999999999999",
        b"null",
        b"\xe2\x80\xae",
        b"9999-12-31T23:59:59Z",
    ];
    let words = words.map(<[u8]>::to_vec).to_vec();
    let put = prop_oneof![4 => prop::sample::select(words), 1 => prop::collection::vec(any::<u8>(), 0..8)];
    (0..=1000usize, put, prop_oneof![3 => 0..4usize, 1 => 0..200usize])
}

fn mutate(seed: &[u8], changes: &[(usize, Vec<u8>, usize)]) -> Vec<u8> {
    let mut out = seed.to_vec();
    for (place, put, take) in changes {
        let at = out.len() * place / 1000;
        let end = (at + take).min(out.len());
        out.splice(at..end, put.iter().copied());
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400, max_shrink_time: 5_000, failure_persistence: None,
        rng_seed: prop::test_runner::RngSeed::Fixed(20_261_121), ..ProptestConfig::default()
    })]

    #[test]
    fn mutated_exports_never_panic(
        seed in prop::sample::select(SEEDS.to_vec()),
        changes in prop::collection::vec(mutation(), 1..6),
        alone in any::<bool>(),
    ) {
        let (name, path) = seed;
        let mutated = mutate(&fs::read(fixture(path)).expect("the seed is there"), &changes);
        let folder = Scratch::with(&[(name, &mutated)]);
        if !alone {
            folder.file("good.csv", &bytes(GOOD));
        }
        match rootline::diagnose(folder.path(), &Options::default()) {
            Ok(d) => {
                prop_assert!(d.inputs.iter().any(|i| i.path == name));
                prop_assert!(d.hypotheses.iter().all(|h| h.score.is_finite()));
                let style = rootline::report::Style::default();
                let shown = rootline::report::text(&d, &style);
                prop_assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{}", shown);
                rootline::report::json(&d);
            }
            Err(e) => prop_assert!(alone, "a good file lies beside it: {}", e),
        }
    }
}
