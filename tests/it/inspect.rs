//! `rootline inspect`: what each file was taken for and why, what is in it, which signatures can
//! run; on an incident, on a folder of many formats, on broken files and on single ones.

use super::support::{
    Run, Scratch, bytes, diagnosed, finish, fixture, gzip, items, program, rootline, text,
};
use serde_json::Value;
use std::path::Path;
use unicode_width::UnicodeWidthStr;

const INCIDENT: &str = "fixtures/incidents/pool-exhaustion";

fn inspected(folder: &Path) -> Value {
    let run = rootline(&["inspect", "--format", "json", &folder.to_string_lossy()]);
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{}", folder.display());
    run.json()
}

fn file<'a>(answer: &'a Value, path: &str) -> &'a Value {
    let found = items(&answer["files"]).iter().find(|f| text(&f["path"]) == path);
    found.unwrap_or_else(|| panic!("{path} is not among the files"))
}

fn texts<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    items(list).iter().map(|i| text(&i[key])).collect()
}

/// Files by their paths in a scratch folder and below `fixtures/formats`.
fn folder(files: &[(&str, &str)]) -> Scratch {
    let scratch = Scratch::new();
    for (name, from) in files {
        scratch.file(name, &bytes(&format!("formats/{from}")));
    }
    scratch
}

fn shown(folder: &Scratch, more: &[&str]) -> Run {
    rootline(&[&["inspect", folder.arg().as_str()], more].concat())
}

#[test]
fn every_file_of_an_incident_says_what_it_holds() {
    let answer = inspected(&fixture("incidents/pool-exhaustion"));
    let spans = file(&answer, "otlp/catalog.jsonl.gz");
    assert_eq!(spans["reader"], "otlp");
    assert_eq!(spans["what"], "OTLP JSON, traces and metrics: collector, Tempo, Jaeger v3");
    assert_eq!(spans["why"], "JSON with the key resourceSpans");
    assert_eq!(
        (&spans["rows"], &spans["spans"], &spans["series"]),
        (&505.into(), &505.into(), &0.into())
    );
    assert_eq!(texts(&spans["entities"], "name"), ["catalog"]);
    assert!(texts(&spans["signals"], "signal").contains(&"http.server.request.duration"));
    let replica = file(&answer, "pg/replica_pg_stat_activity.csv.gz");
    assert_eq!((&replica["sessions"], &replica["skipped"]), (&1089.into(), &0.into()));
    assert!(text(&replica["why"]).starts_with("a table of 24 columns with pid, state"));
    assert_eq!(texts(&replica["entities"], "name"), ["pg-replica"]);
    assert!((replica["step_s"].as_f64().expect("known") - 5.0).abs() < 0.1);
    let inferred = &replica["gaps"][0];
    assert_eq!((&inferred["kind"], &inferred["count"]), (&"inferred".into(), &1.into()));
    let metrics = file(&answer, "prometheus/raw/postgres.json.gz");
    assert_eq!((&metrics["series"], &metrics["step_s"]), (&78.into(), &5.0.into()));
    assert_eq!(texts(&metrics["entities"], "kind"), ["database", "database"]);
    let locks = items(&metrics["signals"]).iter().find(|s| s["signal"] == "postgresql.locks");
    let locks = locks.expect("its locks are known");
    assert_eq!((&locks["certainty"], &locks["series"]), (&"known".into(), &18.into()));
    assert_eq!(locks["names"], serde_json::json!(["pg_locks_count"]));
    let events = file(&answer, "events/changes.jsonl");
    assert_eq!(events["recorded"]["from"], "2026-11-20T20:07:39Z");
    assert_eq!((&events["events"], &events["step_s"]), (&2.into(), &Value::Null));
}

#[test]
fn sums_are_those_of_the_files_and_signatures_those_of_the_diagnosis() {
    let path = fixture("incidents/pool-exhaustion");
    let (answer, diagnosis) = (inspected(&path), diagnosed(&path));
    assert_eq!((&answer["schema_version"], &answer["usable"]), (&1.into(), &true.into()));
    for key in ["rows", "skipped", "series", "spans", "sessions", "events"] {
        let sum: u64 = items(&answer["files"]).iter().filter_map(|f| f[key].as_u64()).sum();
        assert_eq!(answer["totals"][key], sum, "{key}");
    }
    assert_eq!(answer["totals"]["entities"], diagnosis["entities"]);
    assert_eq!(answer["window"], diagnosis["window"]);
    let cannot = &answer["signatures"]["cannot_run"];
    let mut skipped = items(&diagnosis["skipped"]).to_vec();
    skipped.sort_by_key(|s| text(&s["signature"]).to_owned());
    assert_eq!(items(cannot), skipped);
    let all = items(cannot).len() + items(&answer["signatures"]["can_run"]).len();
    assert_eq!(answer["catalog"]["signatures"], all);
    let gaps: Vec<&Value> =
        items(&answer["files"]).iter().flat_map(|f| items(&f["gaps"])).collect();
    let gaps = gaps.into_iter().chain(items(&answer["gaps"]));
    assert_eq!(gaps.count(), items(&diagnosis["gaps"]).len());
}

#[test]
fn a_folder_of_many_formats_is_told_apart() {
    let mixed = folder(&[
        ("cart-redis-info-2026-11-20T20-10-00.txt", "redis-info/cart-redis-info.txt"),
        ("long.parquet", "parquet/long.parquet"),
        ("metrics.json", "prometheus/query_range.json"),
        ("topology.toml", "topology/topology.toml"),
        ("tsdb.txt", "openmetrics/tsdb-dump.txt"),
        ("wide.csv", "table/wide.csv"),
        ("zipkin.json", "zipkin/seven-spans.json"),
    ]);
    mixed.file("notes.txt", b"milk and bread");
    mixed.file("login.html", b"<!DOCTYPE html><html></html>");
    let answer = inspected(mixed.path());
    let said: Vec<(&str, &str, &str)> = items(&answer["files"])
        .iter()
        .map(|f| (text(&f["path"]), text(&f["reader"]), text(&f["why"])))
        .collect();
    let expected = [
        (
            "cart-redis-info-2026-11-20T20-10-00.txt",
            "redis-info",
            "text of this form, it begins with # Server",
        ),
        ("login.html", "", ""),
        ("long.parquet", "parquet", "the first bytes PAR1"),
    ];
    assert_eq!(said[..3], expected);
    let readers: Vec<&str> = said[3..].iter().map(|s| s.1).collect();
    assert_eq!(readers, ["prometheus", "", "topology", "openmetrics", "table", "zipkin"]);
    assert_eq!(said[5].2, "the name topology.toml");
    assert_eq!(answer["totals"]["not_recognised"], 2);
    let why = &file(&answer, "login.html")["gaps"][0];
    assert_eq!(why["kind"], "unreadable");
    assert!(text(&why["what"]).contains("an HTML page: a login or error page"), "{why}");
    let text = shown(&mixed, &["--width", "200"]).out;
    assert!(text.contains("9 files, 2 not recognised"), "{text}");
    assert!(text.contains("notes.txt: not recognised: text that starts milk and bread"), "{text}");
    assert!(text.contains("`rootline inspect --formats`"), "{text}");
}

#[test]
fn a_series_that_goes_on_in_a_second_file_is_understood_in_both() {
    let row =
        |hour: u32, v: u32| format!("2026-11-20T{hour}:00:00Z,http_requests_total,{v},cart\n");
    let head = "timestamp,metric,value,service\n";
    let (a, b) = (format!("{head}{}", row(19, 1)), format!("{head}{}{}", row(20, 5), row(21, 9)));
    let parts = Scratch::with(&[("a.csv", a.as_bytes()), ("b.csv", b.as_bytes())]);
    let answer = inspected(parts.path());
    for (path, step) in [("a.csv", Value::Null), ("b.csv", 3600.0.into())] {
        let f = file(&answer, path);
        assert_eq!((&f["series"], &f["step_s"]), (&1.into(), &step), "{path}");
        assert_eq!(texts(&f["signals"], "signal"), ["http.server.requests"], "{path}");
        assert_eq!(texts(&f["entities"], "name"), ["cart"], "{path}");
    }
}

#[test]
fn a_rate_window_is_known_from_its_query() {
    let values = r#"[[1795205400,"1"],[1795205415,"2"],[1795205430,"2"]]"#;
    let result = format!(r#"[{{"metric":{{"service":"cart"}},"values":{values}}}]"#);
    let answer =
        format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":{result}}}}}"#);
    let query = "sum by (service) (rate(http_requests_total[5m]))";
    let manifest = format!(r#"{{"queries":[{{"file":"a.json","query":"{query}"}}]}}"#);
    let parts = [("a.json", answer.as_bytes()), ("manifest.json", manifest.as_bytes())];
    let folder = Scratch::with(&parts);
    let rates = inspected(folder.path());
    let f = file(&rates, "a.json");
    assert_eq!((&f["step_s"], &f["rate_windows_s"]), (&15.0.into(), &serde_json::json!([300.0])));
    let text = shown(&folder, &[]).out;
    assert!(text.contains(" · every 15s · rates over 5m00s"), "{text}");
}

#[test]
fn guessed_and_unknown_names_are_marked() {
    let csv = b"time,cart_zorkmids,cart_reconcile_duration_seconds\n2026-11-20T20:10:00Z,1,2\n";
    let house = Scratch::with(&[("house.csv", csv.as_slice())]);
    let answer = inspected(house.path());
    let signals = &file(&answer, "house.csv")["signals"];
    assert_eq!(texts(signals, "certainty"), ["guessed", "unknown"]);
    assert_eq!(signals[1]["names"], serde_json::json!(["cart_zorkmids"]));
    let text = shown(&house, &["--width", "200"]).out;
    assert!(text.contains("(guessed from cart_reconcile_duration_seconds)"), "{text}");
    assert!(text.contains("no known meaning (cart_zorkmids)"), "{text}");
    assert!(text.contains("metric \"cart_zorkmids\" has no known meaning"), "{text}");
}

#[test]
fn broken_files_say_where_and_how_much() {
    let run = rootline(&["inspect", "fixtures/formats/broken"]);
    assert_eq!(run.code, 0, "{}", run.err);
    for line in [
        "skipped, line 17: timestamp \"2026-11-20T25:61:00Z\" is not RFC 3339",
        "holds     69 rows (1 left out) · 3 series",
        "truncated, line 3: the file ends inside a span group, at byte 20",
        "skipped, line 5: value \"inf\" is not a number (×4)",
        "did you mean \"restart\"?",
        "- incident-unknown-zone.toml: not recognised: text that starts",
    ] {
        assert!(run.out.contains(line), "{line:?} in\n{}", run.out);
    }
}

#[test]
fn nothing_recognised_is_listed_all_the_same() {
    let files = [("a.txt", b"milk".as_slice()), ("b.bin", b"\0\x01\x02"), ("c.csv", b"")];
    let folder = Scratch::with(&files);
    let run = shown(&folder, &[]);
    assert_eq!((run.code, run.err.as_str()), (2, ""), "{}", run.out);
    for line in ["3 files, 3 not recognised", "a.txt: ", "binary data", "the file is empty"] {
        assert!(run.out.contains(line), "{line:?} in\n{}", run.out);
    }
    let json = shown(&folder, &["--format", "json"]);
    assert_eq!((json.code, &json.json()["usable"]), (2, &false.into()));
    let empty = Scratch::new();
    let run = shown(&empty, &[]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("the folder has no files"), "{}", run.err);
}

#[test]
fn what_cannot_be_diagnosed_is_inspected() {
    for (name, from, reader) in [
        ("topology.toml", "topology/topology.toml", "topology"),
        ("events.csv", "events/events.csv", "events"),
        ("checkout.pb.gz", "pprof/checkout-a.pb.gz", "pprof"),
        (
            "cart.heapsnapshot.gz",
            "heap-snapshot/cart-2026-11-20T20-10-00.heapsnapshot.gz",
            "heap-snapshot",
        ),
        ("names.json", "zipkin/empty.json", ""),
    ] {
        let alone = folder(&[(name, from)]);
        let run = shown(&alone, &["--format", "json"]);
        let recognised = !reader.is_empty();
        if recognised {
            let answer = run.json();
            assert_eq!((run.code, text(&answer["files"][0]["reader"])), (0, reader), "{name}");
        }
        let run = shown(&alone, &[]);
        assert!(run.out.contains(name) && run.out.contains("SIGNATURES THAT"), "{}", run.out);
    }
}

#[test]
fn the_text_fits_and_steers_nothing() {
    for target in [INCIDENT, "fixtures/formats/broken", "fixtures/formats/parquet"] {
        for width in ["60", "100", "200"] {
            for more in [&[][..], &["-v"], &["--ascii"]] {
                let args = [&["inspect", target, "--width", width], more].concat();
                let run = rootline(&args);
                let limit: usize = width.parse().expect("a number");
                let wide: Vec<&str> = run.out.lines().filter(|l| l.width() > limit).collect();
                assert!(wide.is_empty(), "{args:?}:\n{}", wide.join("\n"));
                assert!(!run.out.contains('\u{1b}') && !run.out.contains('\u{202e}'), "{args:?}");
                assert!(run.out.is_ascii() || !more.contains(&"--ascii"), "{}", run.out);
            }
        }
    }
}

#[test]
fn the_surroundings_change_only_what_they_should() {
    let args = ["inspect", INCIDENT];
    let plain = rootline(&args).out;
    assert_eq!(finish(program(&args).env("NO_COLOR", "1")).out, plain);
    assert_eq!(finish(program(&args).env("RAYON_NUM_THREADS", "1")).out, plain);
    let lines = |flag: &str| rootline(&["inspect", INCIDENT, flag]).out.lines().count();
    assert!(lines("-q") < 6 && lines("-v") > plain.lines().count());
}

#[test]
fn hostile_names_of_files_are_shown_harmless() {
    let csv = bytes("formats/table/wide.csv");
    let files = [("\u{1b}[31mred\u{202e}.csv", csv.as_slice()), ("\u{7}\u{200b}.txt", b"\x1b[2Jx")];
    let hostile = Scratch::with(&files);
    for more in [&[][..], &["--format", "json"]] {
        let run = shown(&hostile, more);
        let raw = run.out.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!((run.code, raw), (0, None), "{}", run.out);
        assert!(!run.out.contains('\u{202e}') && !run.out.contains('\u{200b}'), "{}", run.out);
    }
}

#[test]
fn what_nothing_is_made_of_is_counted_by_name() {
    let folder = folder(&[
        ("cart-redis-info.txt", "redis-info/cart-redis-info.txt"),
        ("config.csv", "pgbouncer/config-2026-11-21T04-42-22.csv"),
        ("stat.csv", "haproxy/stat-2026-11-21T04-29-00Z.csv"),
        ("main_pg_settings.csv", "pg-settings/main_pg_settings-2026-11-21T04-31-30.csv"),
    ]);
    let answer = inspected(folder.path());
    for (path, what, name) in [
        ("cart-redis-info.txt", "fields of INFO without a metric", "redis_version"),
        ("config.csv", "rows of the console without a metric", "min_pool_size"),
        ("stat.csv", "columns of `show stat` without a metric", "pid"),
        ("main_pg_settings.csv", "settings without a metric", "application_name"),
    ] {
        let unused = &items(&file(&answer, path)["unused"])[0];
        assert_eq!(text(&unused["what"]), what, "{path}");
        let names: Vec<&str> = items(&unused["names"]).iter().map(text).collect();
        assert!(names.contains(&name), "{path}: {names:?}");
        assert!(unused["count"].as_u64() >= Some(names.len() as u64), "{path}");
    }
    let page = shown(&folder, &[]);
    assert!(page.out.contains("fields of INFO without a metric ("), "{}", page.out);
}

#[test]
fn a_login_page_is_known_behind_space_and_comments() {
    let pages = [
        "\u{feff}\r\n  <!doctype HTML><title>Sign in</title>",
        "<?xml version=\"1.0\"?>\n<!-- saved -->\n<html lang=\"en\">",
        "<!-- a -->\n<!-- b --><HEAD>",
    ];
    for page in pages {
        let folder = Scratch::with(&[("panel.csv", page.as_bytes())]);
        let out = shown(&folder, &[]).out;
        assert!(out.contains("an HTML page: a login or error page"), "{page}: {out}");
    }
}

#[test]
fn what_cannot_be_read_is_named_with_what_helps() {
    let mut tar = vec![0; 512];
    tar[..8].copy_from_slice(b"up.json\0");
    tar[257..263].copy_from_slice(b"ustar\0");
    let cases: [(&str, &[u8], &str); 8] = [
        ("a.json.bz2", b"BZh91AY&SY\x8e\x01", "compressed by bzip2: unpack it first"),
        ("a.json.xz", b"\xfd7zXZ\0\0\x04", "compressed by xz: unpack it first"),
        ("a.json.lz4", b"\x04\"M\x18d@", "compressed by lz4: unpack it first"),
        ("a.7z", b"7z\xbc\xaf\x27\x1c\0\x04", "a 7z archive: unpack it first"),
        ("a.tar.gz", &gzip(&tar), "a tar archive: unpack it first"),
        ("a.json", b"[ ]\n", "an empty JSON answer: nothing matched what was asked for"),
        ("b.json", b"null", "an empty JSON answer"),
        ("c.json", b" \n\n", "nothing but white space"),
    ];
    for (name, content, said) in cases {
        let folder = Scratch::with(&[(name, content)]);
        let run = shown(&folder, &[]);
        assert!(run.code == 2 && run.out.contains(said), "{name}: {}", run.out);
    }
}

#[test]
fn where_nothing_was_measured_no_signature_can_run() {
    let folder = Scratch::with(&[("a.json", b"[]"), ("error.json", &bytes(ERROR))]);
    let answer = inspected(folder.path());
    assert_eq!(answer["signatures"]["can_run"], serde_json::json!([]));
    let missing = &items(&answer["signatures"]["cannot_run"])[0]["missing"];
    assert_eq!(missing, &serde_json::json!(["measurements"]));
}

/// An answer that is no measurement.
const ERROR: &str = "formats/prometheus/error.json";

#[test]
fn an_exporter_that_wrote_its_spans_twice_is_counted_once() {
    let once = bytes("formats/otlp/seven-spans.json");
    let twice = [once.as_slice(), b"\n", once.as_slice()].concat();
    let folder = Scratch::with(&[("retry.jsonl", &twice)]);
    let answer = inspected(folder.path());
    let retry = file(&answer, "retry.jsonl");
    let said = items(&retry["gaps"]).iter().find(|g| text(&g["what"]).contains("holds twice"));
    assert_eq!(said.map(|g| &g["count"]), Some(&7.into()), "{retry}");
    let shared = Scratch::with(&[("shared.json", &bytes("formats/zipkin/shared.json"))]);
    let gaps = inspected(shared.path()).to_string();
    assert!(!gaps.contains("holds twice"), "two sides of a call are no copies: {gaps}");
}

#[test]
fn one_trace_saved_in_two_formats_is_counted_once() {
    let both = folder(&[
        ("a.json", "otlp/variant-01-plain.json"),
        ("b.json", "otlp/variant-02-upper-hex.json"),
    ]);
    let answer = inspected(both.path());
    let (a, b) = (file(&answer, "a.json"), file(&answer, "b.json"));
    assert!(a["spans"].as_u64() > Some(0), "{a}");
    assert_eq!(b["spans"], 0, "{b}");
    let gaps = texts(&b["gaps"], "what");
    assert!(gaps.iter().any(|g| g.contains("stand in a.json as well")), "{gaps:?}");
}
