//! What every reader must bear, whatever the format: another encoding, other line ends, an export
//! without a row, a large export. Damage of every kind is in `damaged`.

use super::support::{Scratch, bytes, files, fixture, folders, name};
use arrow::array::{ArrayRef, Float64Array, StringArray, TimestampMillisecondArray};
use arrow::record_batch::RecordBatch;
use rootline::ingest::raw::Raw;
use rootline::ingest::{READERS, Settings, read_folder};
use rootline::model::Gap;
use rootline::time::Zone;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Time of exports that hold none: the same in every run.
const AT: i64 = 1_795_205_400_000_000;

/// Reads one file of that name; `None` when the folder is refused.
fn read(name: &str, content: &[u8]) -> Option<Raw> {
    let folder = Scratch::with(&[(name, content)]);
    let zone = Zone::named("UTC");
    let settings = Settings { at: Some(AT), zone, ..Settings::default() };
    read_folder(&folder.path().join(name), &settings).ok()
}

/// Reads a file beside one that is good, so that the folder is not refused.
fn beside_a_table(name: &str, content: &[u8]) -> Raw {
    let good = b"time,cart_cpu\n2026-11-20T20:10:00Z,1\n";
    let folder = Scratch::with(&[(name, content), ("good/cart.csv", good)]);
    read_folder(folder.path(), &Settings::default()).expect("one file is good")
}

/// Reader, rows, rows left out, and how much of everything came out of a file.
fn amounts(raw: &Raw) -> (String, [usize; 9]) {
    let file = &raw.files[0];
    let samples = raw.series.iter().map(|s| s.samples.len()).sum();
    let (rows, skipped) = (file.rows as usize, file.skipped as usize);
    let (spans, sessions, locks) = (raw.spans.len(), raw.sessions.len(), raw.locks.len());
    let (events, edges, series) = (raw.events.len(), raw.edges.len(), raw.series.len());
    let all = [rows, skipped, series, samples, spans, sessions, locks, events, edges];
    (file.reader.clone(), all)
}

/// The fixtures that are text, with their names.
fn texts() -> Vec<(String, String)> {
    let all =
        files(&fixture("formats")).into_iter().filter(|p| !p.to_string_lossy().ends_with(".py"));
    let text = |p: &Path| {
        let whole = std::fs::read(p).expect("the fixture can be read");
        String::from_utf8(whole).ok().filter(|t| !t.contains('\0'))
    };
    all.filter_map(|p| Some((name(&p), text(&p)?))).collect()
}

#[test]
fn another_encoding_or_line_end_changes_nothing_of_any_export() {
    let all = texts();
    let mut wrong: Vec<String> = Vec::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for (name, text) in &all {
        let Some(plain) = read(name, text.as_bytes()) else { continue };
        let want = amounts(&plain);
        seen.extend(want.0.split(" + ").map(str::to_owned));
        let lines = text.replace("\r\n", "\n");
        let windows = lines.replace('\n', "\r\n");
        let units = |t: &str, to: fn(u16) -> [u8; 2]| -> Vec<u8> {
            std::iter::once(0xfeff).chain(t.encode_utf16()).flat_map(to).collect()
        };
        let forms = [
            ("LF", lines.clone().into_bytes()),
            ("CRLF", windows.clone().into_bytes()),
            ("UTF-8 with a mark", format!("\u{feff}{text}").into_bytes()),
            ("UTF-16LE", units(&windows, u16::to_le_bytes)),
            ("UTF-16BE", units(&lines, u16::to_be_bytes)),
        ];
        for (form, content) in forms {
            let found = read(name, &content).map(|raw| amounts(&raw));
            if found.as_ref() != Some(&want) {
                wrong.push(format!("{name} in {form}: {found:?} for {want:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    // The others have no text: their fixtures are binary.
    let binary =
        ["arrow-ipc", "heap-snapshot", "otlp-proto", "parquet", "pprof", "victoriametrics-native"];
    let readers = READERS.iter().map(|r| r.name);
    let without: Vec<&str> =
        readers.filter(|r| !seen.contains(*r) && !binary.contains(r)).collect();
    assert!(without.is_empty(), "no text of {without:?} was tried");
}

/// Exports in which nothing is: reader, name and content. By `none` those of which only an
/// element would tell the format: they are named as empty answers.
const EMPTY: &[(&str, &str, &str)] = &[
    ("otlp", "a.json", r#"{"resourceSpans":[]}"#),
    ("otlp", "b.json", r#"{"resourceMetrics":[{"resource":{},"scopeMetrics":[]}]}"#),
    ("none", "tempo-search.json", r#"{"traces":[],"metrics":{"inspectedTraces":0}}"#),
    ("none", "jaeger.json", r#"{"data":[],"total":0,"limit":0,"offset":0,"errors":null}"#),
    ("clickhouse-traces", "a.csv", "Timestamp,TraceId,SpanId,ParentSpanId,SpanName,Duration\n"),
    ("none", "datadog-spans.json", r#"{"data":[],"meta":{"page":{}},"links":{}}"#),
    ("grafana-frames", "a.json", r#"{"results":{"A":{"status":200,"frames":[]}}}"#),
    ("none", "manifest.json", r#"{"queries":[]}"#),
    ("prometheus", "a.json", r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#),
    ("none", "prometheus-names.json", r#"{"status":"success","data":[]}"#),
    ("openmetrics", "a.txt", "# EOF\n"),
    ("victoriametrics", "a.jsonl", r#"{"metric":{"__name__":"up"},"values":[],"timestamps":[]}"#),
    ("datadog", "a.json", r#"{"status":"ok","res_type":"time_series","series":[],"query":"q"}"#),
    (
        "influx-csv",
        "a.csv",
        "#group,false,false,true\n#datatype,string,long,double\n#default,,,\n,result,table,_value\n",
    ),
    ("grafana-csv", "a.csv", "\"Time\",\"up\"\r\n"),
    (
        "none",
        "alertmanager.json",
        r#"{"version":"4","groupKey":"g","status":"firing","alerts":[]}"#,
    ),
    ("prometheus-alerts", "a.json", r#"{"status":"success","data":{"alerts":[]}}"#),
    ("none", "prometheus-rules.json", r#"{"status":"success","data":{"groups":[]}}"#),
    ("cloudwatch-alarms", "a.json", r#"{"MetricAlarms":[],"CompositeAlarms":[]}"#),
    ("rds-insights", "a.json", r#"{"AlignedStartTime":1.7952048E9,"MetricList":[]}"#),
    ("rds-os", "a.json", r#"{"instanceID":"db","cpuUtilization":{}}"#),
    ("container-insights", "a.jsonl", r#"{"ClusterName":"c","Type":"Pod","Timestamp":"x"}"#),
    ("xray-graph", "a.json", r#"{"Services":[],"ContainsOldGroupVersions":false}"#),
    ("xray", "a.json", r#"{"Traces":[],"UnprocessedTraceIds":[]}"#),
    ("cloudwatch", "a.json", r#"{"MetricDataResults":[],"Messages":[]}"#),
    ("cloudwatch", "b.json", r#"{"Label":"CPUUtilization","Datapoints":[]}"#),
    ("cloudwatch-csv", "a.csv", "Full label,CPUUtilization\nLabel,CPUUtilization\n"),
    ("pg-locks", "a.csv", "locktype,mode,granted,pid\n"),
    ("pg-sessions", "a.csv", "now,pid,state,query\n"),
    ("pg-sessions", "a.txt", " pid | state | query \n-----+-------+-------\n(0 rows)\n\n"),
    ("pg-stat-database", "a.csv", "now,datname,numbackends,xact_commit,xact_rollback\n"),
    ("pg-stat-statements", "a.csv", "now,queryid,calls,total_exec_time,query\n"),
    ("pg-settings", "a.csv", "name,setting,unit\n"),
    ("pg-stat-replication", "a.csv", "now,pid,application_name,state,sent_lsn,replay_lsn\n"),
    ("pg-stat-user-tables", "a.csv", "now,schemaname,relname,seq_scan,n_live_tup,n_dead_tup\n"),
    ("pgbouncer", "a.csv", "database,user,cl_active,cl_waiting,sv_active\n"),
    ("none", "patroni.json", r#"{"members":[],"scope":"shop"}"#),
    ("kubernetes", "a.json", r#"{"apiVersion":"v1","kind":"List","items":[]}"#),
    (
        "kafka-groups",
        "a.txt",
        "GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID HOST CLIENT-ID\n",
    ),
    ("rabbitmq", "a.csv", "\"name\",\"messages\",\"consumers\"\n"),
    ("haproxy", "a.csv", "# pxname,svname,qcur,qmax,scur,smax,slim,stot,status,\n"),
    ("har", "a.har", r#"{"log":{"version":"1.2","creator":{"name":"x"},"entries":[]}}"#),
    ("spans-table", "a.csv", "trace_id,span_id,timestamp,duration_ms\n"),
    ("topology", "topology.csv", "caller,callee,kind\n"),
    ("events", "events.csv", "time,kind,service,what\n"),
    ("table", "a.csv", "time,cart_cpu\n"),
    ("table", "a.tsv", "time\tmetric\tvalue\n"),
];

#[test]
fn an_export_without_a_row_is_recognised_and_says_so() {
    let mut wrong: Vec<String> = Vec::new();
    for (reader, name, text) in EMPTY {
        let raw = beside_a_table(name, text.as_bytes());
        let own = raw.files.iter().find(|f| f.path == *name).expect("it is listed");
        let gaps: Vec<&Gap> = raw.gaps.iter().filter(|g| g.file.as_deref() == Some(name)).collect();
        let empty = gaps.iter().any(|g| g.what.contains("an empty JSON answer"));
        let told = !gaps.is_empty() && (empty || *reader != "none");
        if own.reader != *reader || own.rows > 0 || !told {
            wrong
                .push(format!("{reader}: {name} by {:?}: {} rows, {gaps:?}", own.reader, own.rows));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Size of a large export.
const LARGE: usize = 1 << 20;

/// Of the arrays of objects or arrays in a JSON document those least deep, and of these the longest:
/// the bytes between its brackets.
fn longest_array(text: &str) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let (mut open, mut quoted, mut at) = (Vec::new(), false, 0);
    let mut best: Option<(usize, usize, usize)> = None;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => open.push(at),
            b']' | b'}' if !quoted => {
                let from = open.pop()? + 1;
                let first = text[from..at].trim_start().bytes().next();
                let is_list = bytes[from - 1] == b'[' && matches!(first, Some(b'{' | b'['));
                let better = |(depth, a, b): (usize, usize, usize)| {
                    open.len() < depth || open.len() == depth && at - from > b - a
                };
                if is_list && best.is_none_or(better) {
                    best = Some((open.len(), from, at));
                }
            }
            _ => {}
        }
        at += 1;
    }
    best.map(|(_, from, to)| (from, to))
}

/// The export with its rows many times, and how often: elements of a list, lines behind a header, or
/// the whole text.
///
/// The number of a copy stands behind the `varying` words.
fn enlarged(name: &str, text: &str, varying: &[&str]) -> Option<(String, usize)> {
    let times = |part: &str| (LARGE / part.len().max(1)).max(2);
    let copy = |part: &str, n: usize| {
        let varied = |part: String, word: &&str| {
            // In drawn columns the number takes the place of the word.
            let to = match part.contains(&format!("{word} ")) {
                true => format!("{n:0width$}", width = word.len()),
                false => format!("{word}{n}"),
            };
            part.replace(word, &to)
        };
        varying.iter().fold(part.to_owned(), varied)
    };
    let whole = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    if whole {
        let (from, to) = longest_array(text)?;
        let part = &text[from..to];
        let n = times(part);
        let all = (0..n).map(|n| copy(part, n)).collect::<Vec<_>>().join(",");
        return Some((format!("{}{all}{}", &text[..from], &text[to..]), n));
    }
    let table = [".csv", ".tsv"].iter().any(|e| name.ends_with(e));
    let head = if table { text.find('\n')? + 1 } else { 0 };
    let (header, rows) = text.split_at(head);
    let rows = if rows.ends_with('\n') { rows.to_owned() } else { format!("{rows}\n") };
    let n = times(&rows);
    let all: String = (0..n).map(|n| copy(&rows, n)).collect();
    Some((format!("{header}{all}"), n))
}

/// What names the things of a state: two of one name are one.
const VARYING: [(&str, &[&str]); 4] = [
    ("kubernetes", &["\"name\": \""]),
    ("rabbitmq", &["\"name\":\""]),
    ("kafka-groups", &["customer-app", "my-group", "customer-avro", "test-events"]),
    ("haproxy", &["web", "shop", "raw"]),
];

/// Readers whose files hold one state of one thing, or are refused: nothing in them repeats. Columnar
/// files have a test of their own.
const NEVER_LARGE: [&str; 14] = [
    "redis-hotkeys",
    "redis-cluster",
    "incident",
    "mapping",
    "params",
    "suppress",
    "tempo-search",
    "aws-cli-text",
    "prometheus-names",
    "victoriametrics-native",
    "parquet",
    "arrow-ipc",
    "heap-snapshot",
    "pprof",
];

#[test]
fn a_large_export_of_any_format_is_read_to_its_end() {
    let mut wrong: Vec<String> = Vec::new();
    for reader in READERS.iter().filter(|r| !NEVER_LARGE.contains(&r.name)) {
        let mut tried: Vec<String> = Vec::new();
        let varying = VARYING.iter().find(|v| v.0 == reader.name).map_or(&[][..], |v| v.1);
        let all = files(&fixture(&format!("formats/{}", reader.name)));
        let grows = all.iter().any(|path| {
            let own = name(path);
            let whole = std::fs::read(path).expect("the fixture can be read");
            let Some(small) = read(&own, &whole) else { return false };
            let rows = small.files[0].rows as usize;
            let large = match String::from_utf8(whole.clone()) {
                Ok(text) => enlarged(&own, &text, varying).map(|(t, n)| (t.into_bytes(), n)),
                Err(_) => Some((whole.repeat(LARGE / whole.len()), LARGE / whole.len())),
            };
            let Some((large, n)) = large.filter(|_| rows > 0) else { return false };
            let Some(raw) = read(&own, &large) else { return false };
            let (found, cut) = (&raw.files[0], raw.gaps.iter().any(|g| g.what.contains("ends in")));
            // A header or a state that stands once in the small file counts once in the large one.
            let ends = found.rows as usize * 10 >= rows * n * 9 && !cut;
            if !ends {
                tried.push(format!("{own}: {} rows for {n} times {rows}", found.rows));
            }
            ends && found.reader == reader.name
        });
        if !grows {
            wrong.push(format!("{}: {tried:?}", reader.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_large_columnar_file_is_read_to_its_end() {
    let rows = 200_000_i64;
    let time: ArrayRef = Arc::new(
        (0..rows).map(|i| Some(AT / 1000 + i * 1000)).collect::<TimestampMillisecondArray>(),
    );
    let cpu: ArrayRef = Arc::new((0..rows).map(|i| Some((i % 7) as f64)).collect::<Float64Array>());
    let pod: ArrayRef =
        Arc::new((0..rows).map(|i| Some(format!("p{}", i % 3))).collect::<StringArray>());
    let columns = [("time", time), ("cart_cpu", cpu), ("pod", pod)];
    let batch = RecordBatch::try_from_iter(columns).expect("columns of one length");
    let mut parquet = Vec::new();
    let writer = parquet::arrow::ArrowWriter::try_new(&mut parquet, batch.schema(), None);
    let mut writer = writer.expect("a schema");
    writer.write(&batch).expect("memory can be written");
    writer.close().expect("memory can be written");
    let mut arrow =
        arrow::ipc::writer::FileWriter::try_new(Vec::new(), &batch.schema()).expect("a schema");
    arrow.write(&batch).expect("memory can be written");
    let arrow = arrow.into_inner().expect("memory can be written");
    for (name, content) in [("a.parquet", parquet), ("a.arrow", arrow)] {
        let raw = read(name, &content).expect("one file");
        assert_eq!(amounts(&raw).1[..4], [200_000, 0, 3, 200_000], "{name}: {:?}", raw.gaps);
    }
}

#[test]
fn every_reader_has_a_minimal_sample() {
    let with: BTreeSet<String> = folders("formats")
        .iter()
        .filter(|folder| {
            let all = files(folder);
            let own = name(folder);
            all.iter().any(|p| {
                let content = bytes(&p.strip_prefix(fixture("")).expect("below").to_string_lossy());
                read(&name(p), &content).is_some_and(|r| r.files[0].reader.contains(&own))
            })
        })
        .map(|folder| name(folder))
        .collect();
    let without: Vec<&str> =
        READERS.iter().map(|r| r.name).filter(|r| !with.contains(*r)).collect();
    assert!(without.is_empty(), "no fixture is read by {without:?}");
}
