//! Traces other than OTLP and X-Ray, and columnar files.
//!
//! Fixtures: `clickhouse-traces/*`, `parquet/otel_*`, `parquet/signoz.parquet`,
//! `parquet/clickhouse-datetime.parquet` and `arrow-ipc/otel_traces.*` were written by ClickHouse
//! 26.9.2 (chdb 4.4.0 on PyPI) from the collector's table; `signoz.*` selects SigNoz's index columns
//! from it. The other Parquet and Arrow files: pyarrow 26.0.1, polars 2.1.0 (`polars.*`), duckdb
//! 2.0.0 (`duckdb.parquet`). Zipkin, Datadog, Jaeger and the tables of spans were written by the
//! rules of their formats: no tool that makes them is in a package registry.

use super::support::{Scratch, bytes, fixture};
use rootline::ingest::raw::{Raw, RawSpan, SpanKind};
use rootline::ingest::{Settings, read_folder};
use rootline::model::GapKind;
use rootline::points::Points;
use std::collections::BTreeMap;

const T0: i64 = 1_795_205_400_000_000;

fn read(name: &str) -> Raw {
    let path = fixture(name);
    read_folder(&path, &Settings::default()).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Reads these bytes under that name.
fn read_bytes(name: &str, content: &[u8]) -> Raw {
    let folder = Scratch::with(&[(name, content)]);
    read_folder(folder.path(), &Settings::default()).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Reader, rows and rows left out of the only file.
fn file(raw: &Raw) -> (&str, u64, u64) {
    let f = raw.files.first().expect("one file was read");
    (f.reader.as_str(), f.rows, f.skipped)
}

/// Kind, line, count and text of each gap.
fn gaps(raw: &Raw) -> Vec<(GapKind, Option<u64>, u64, &str)> {
    raw.gaps.iter().map(|g| (g.kind, g.line, g.count, g.what.as_str())).collect()
}

fn said(raw: &Raw, words: &str) -> bool {
    raw.gaps.iter().any(|g| g.what.contains(words))
}

/// Id, parent, service, operation, kind, start and length in microseconds, error.
type Shown = (u64, u64, String, String, SpanKind, i64, i64, bool);

fn shown(raw: &Raw) -> Vec<Shown> {
    let one = |s: &RawSpan| {
        let text = |sym| raw.symbols.text(sym).to_owned();
        let (service, operation) = (text(s.service), text(s.operation));
        (s.span, s.parent, service, operation, s.kind, s.start - T0, s.end - s.start, s.error)
    };
    let mut all: Vec<Shown> = raw.spans.iter().map(|s| one(&s)).collect();
    all.sort_by_key(|s| (s.5, s.0));
    all
}

fn row(
    (id, parent): (u64, u64),
    (service, operation): (&str, &str),
    kind: SpanKind,
    (start, length): (i64, i64),
    error: bool,
) -> Shown {
    (id, parent, service.to_owned(), operation.to_owned(), kind, start, length, error)
}

/// The trace that stands in every format.
fn seven() -> Vec<Shown> {
    use SpanKind::{Client, Consumer, Internal, Producer, Server};
    let id = |n: u64| 0x00f0_67aa_0ba9_02b0 + n;
    vec![
        row((id(0), 0), ("gateway", "GET /cart"), Server, (0, 90_000), true),
        row((id(4), id(0)), ("gateway", "publish orders"), Producer, (1_000, 2_000), false),
        row((id(1), id(0)), ("gateway", "GET"), Client, (5_000, 80_000), true),
        row((id(2), id(1)), ("cart", "GET /items"), Server, (8_000, 70_000), true),
        row((id(6), id(2)), ("cart", "cache lookup"), Internal, (8_500, 300), false),
        row((id(3), id(2)), ("cart", "SELECT shop"), Client, (9_000, 60_123), false),
        row((id(5), id(4)), ("billing", "process orders"), Consumer, (500_000, 20_000), false),
    ]
}

/// Peer, error type, statement, instance, version and database of each span by its start.
fn details(raw: &Raw) -> Vec<[String; 6]> {
    let mut all: Vec<RawSpan> = raw.spans.iter().collect();
    all.sort_by_key(|s| (s.start, s.span));
    let syms =
        |s: &RawSpan| [s.peer, s.error_type, s.statement, s.instance, s.version, s.db_system];
    all.iter().map(|s| syms(s).map(|sym| raw.symbols.text(sym).to_owned())).collect()
}

#[test]
fn one_trace_is_the_same_in_every_format() {
    let files = [
        ("formats/otlp/seven-spans.json", "otlp"),
        ("formats/jaeger/seven-spans.json", "jaeger"),
        ("formats/zipkin/seven-spans.json", "zipkin"),
        ("formats/zipkin/seven-spans-lines.json", "zipkin"),
        ("formats/zipkin/seven-spans-traces.json", "zipkin"),
        ("formats/clickhouse-traces/otel_traces.csv", "clickhouse-traces"),
        ("formats/clickhouse-traces/otel_traces.tsv", "clickhouse-traces"),
        ("formats/clickhouse-traces/otel_traces_types.tsv", "clickhouse-traces"),
        ("formats/clickhouse-traces/otel_traces.jsonl", "clickhouse-traces"),
        ("formats/clickhouse-traces/otel_traces_old.jsonl", "clickhouse-traces"),
        ("formats/clickhouse-traces/otel_traces.json", "clickhouse-traces"),
        ("formats/clickhouse-traces/otel_traces_compact.json", "clickhouse-traces"),
        ("formats/clickhouse-traces/signoz.jsonl", "clickhouse-traces"),
        ("formats/clickhouse-traces/signoz.csv", "clickhouse-traces"),
        ("formats/parquet/otel_traces.parquet", "parquet"),
        ("formats/parquet/otel_traces-binary.parquet", "parquet"),
        ("formats/parquet/signoz.parquet", "parquet"),
        ("formats/arrow-ipc/otel_traces.arrow", "arrow-ipc"),
        ("formats/arrow-ipc/otel_traces-lz4.arrow", "arrow-ipc"),
        ("formats/arrow-ipc/otel_traces.arrowstream", "arrow-ipc"),
        ("formats/spans-table/honeycomb.csv", "spans-table"),
        ("formats/spans-table/honeycomb-crlf.csv", "spans-table"),
        ("formats/spans-table/honeycomb.json", "spans-table"),
        ("formats/spans-table/start-and-end.csv", "spans-table"),
        ("formats/spans-table/rows.jsonl", "spans-table"),
        ("formats/spans-table/aws-spans.jsonl", "spans-table"),
        ("formats/spans-table/aws-spans-log-events.json", "spans-table"),
        ("formats/spans-table/aws-spans-insights.json", "spans-table"),
    ];
    for (name, reader) in files {
        let raw = read(name);
        assert_eq!(file(&raw), (reader, 7, 0), "{name}: {:?}", raw.gaps);
        assert_eq!(shown(&raw), seven(), "{name}");
        assert!(raw.spans.iter().all(|s| s.trace == 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736));
    }
}

#[test]
fn what_attributes_say_is_the_same_in_every_format_that_has_them() {
    let otlp = details(&read("formats/otlp/seven-spans.json"));
    let statement = "SELECT * FROM items WHERE owner = ? AND id IN (?)";
    assert_eq!(otlp[5], ["pg-main", "", statement, "cart-7f", "1.4.2", "postgresql"]);
    assert_eq!(otlp[3], ["", "PoolTimeout", "", "cart-7f", "1.4.2", ""]);
    assert_eq!([&otlp[1][0], &otlp[2][0], &otlp[2][1]], ["orders", "cart", "503"]);
    for name in [
        "formats/jaeger/seven-spans.json",
        "formats/spans-table/honeycomb.csv",
        "formats/spans-table/aws-spans.jsonl",
        "formats/spans-table/aws-spans-log-events.json",
    ] {
        assert_eq!(details(&read(name)), otlp, "{name}");
    }
    // ClickHouse's table has the exception of the root span's event, too.
    let mut with_event = otlp.clone();
    with_event[0][1] = "IOException".to_owned();
    let all = [
        "formats/clickhouse-traces/otel_traces.csv",
        "formats/clickhouse-traces/otel_traces.tsv",
        "formats/clickhouse-traces/otel_traces.jsonl",
        "formats/clickhouse-traces/otel_traces.json",
        "formats/clickhouse-traces/otel_traces_compact.json",
        "formats/parquet/otel_traces.parquet",
        "formats/parquet/otel_traces-binary.parquet",
        "formats/arrow-ipc/otel_traces.arrow",
    ];
    for name in all {
        assert_eq!(details(&read(name)), with_event, "{name}");
    }
    for name in ["formats/clickhouse-traces/signoz.jsonl", "formats/clickhouse-traces/signoz.csv"] {
        assert_eq!(details(&read(name)), otlp, "{name}");
    }
    assert_eq!(details(&read("formats/parquet/signoz.parquet")), otlp);
    // Zipkin's endpoints name an instance where nothing else does.
    let mut zipkin = details(&read("formats/zipkin/seven-spans.json"));
    assert_eq!(zipkin[6][3], "10.0.0.3");
    zipkin[6][3] = String::new();
    assert_eq!(zipkin, otlp);
}

#[test]
fn times_of_clickhouse_text_have_no_zone_and_those_of_parquet_have() {
    assert!(said(&read("formats/clickhouse-traces/otel_traces.csv"), "times have no zone"));
    assert!(said(&read("formats/clickhouse-traces/otel_traces.jsonl"), "times have no zone"));
    assert_eq!(gaps(&read("formats/parquet/otel_traces.parquet")), []);
}

#[test]
fn shared_spans_of_zipkin_are_parted_and_losses_are_told() {
    let raw = read("formats/zipkin/shared.json");
    assert_eq!(file(&raw).1, 6);
    let spans = shown(&raw);
    let find = |service: &str, op: &str| {
        spans
            .iter()
            .find(|s| s.2 == service && s.3 == op)
            .unwrap_or_else(|| panic!("{service} {op}"))
    };
    let client = find("favstar", "get");
    assert_eq!(
        (client.0, client.1, client.7),
        (0xffdc_9bb9_a645_3df3, 0x6b22_1d5b_c9e6_496c, true)
    );
    let server = find("users", "get");
    assert!(server.0 != client.0 && server.1 == client.0 && server.4 == SpanKind::Server);
    assert!(server.7, "an empty tag `error` is there");
    assert_eq!(find("users", "select").1, server.0, "what the server did");
    assert_eq!(find("favstar", "render").1, client.0, "what the client did");
    assert!(!find("favstar", "send").7);
    assert_eq!(find("mailer", "receive").6, 2_000, "from its annotations");
    let peers: Vec<&str> = raw.spans.iter().map(|s| raw.symbols.text(s.peer)).collect();
    assert_eq!(peers[..3], ["users", "", "10.0.0.9:5432"]);
    let told: Vec<_> = raw.gaps.iter().map(|g| (g.line, g.count, g.what.as_str())).collect();
    assert_eq!(
        told,
        [
            (Some(9), 1, "span without a duration: taken as zero long"),
            (Some(10), 1, "span without a readable start time"),
            (Some(12), 1, "span without a trace or span id"),
        ]
    );
}

#[test]
fn references_of_jaeger_give_the_parent_or_a_link() {
    let raw = read("formats/jaeger/references.json");
    assert_eq!(file(&raw), ("jaeger", 8, 0));
    let parents: Vec<(u64, u64)> = raw.spans.iter().map(|s| (s.span, s.parent)).collect();
    let want = [
        (0xa1, 0),
        (0xa2, 0xa3),   // CHILD_OF beats the earlier FOLLOWS_FROM
        (0xa3, 0xa1),   // the other trace's is a link; the id has leading zeros
        (0xa4, 0xa1),   // FOLLOWS_FROM alone
        (0xa5, 0xffff), // not in the file
        (0xa6, 0),      // in another trace
        (0xa7, 0xa1),   // parentSpanID
        (0xa8, 0xa1),
    ];
    assert_eq!(parents, want);
    let later = raw.spans.get(3).expect("a span");
    assert!(later.error && later.kind == SpanKind::Consumer, "the status is text: \"503\"");
    assert_eq!(raw.symbols.text(later.instance), "q-1");
    assert_eq!(
        raw.spans.get(7).expect("a span").end - raw.spans.get(7).expect("a span").start,
        2_000,
        "times may be text"
    );
    let warned = raw.gaps.iter().find(|g| g.what.contains("clock skew")).expect("told once");
    assert_eq!((warned.kind, warned.line, warned.count), (GapKind::Doubtful, Some(3), 3));
    assert_eq!(raw.gaps.len(), 1, "{:?}", raw.gaps);
}

#[test]
fn jaeger_is_read_from_its_page_and_from_elasticsearch() {
    let raw = read("formats/jaeger/page-state.json");
    assert_eq!(file(&raw), ("jaeger", 2, 0));
    let spans: Vec<_> = shown(&raw).into_iter().map(|s| (s.0, s.1, s.2)).collect();
    assert_eq!(spans, [(0xa1, 0, "web".to_owned()), (0xa2, 0xa1, "queue".to_owned())]);
    for name in ["elasticsearch-hits.json", "elasticdump.jsonl", "stored-spans.jsonl"] {
        let raw = read(&format!("formats/jaeger/{name}"));
        assert_eq!(file(&raw), ("jaeger", 2, 0), "{name}: {:?}", raw.gaps);
        let want = [
            row((0xa1, 0), ("web", "op a1"), SpanKind::Server, (0, 1_500), true),
            row((0xa2, 0xa1), ("cart", "op a2"), SpanKind::Server, (0, 1_500), false),
        ];
        assert_eq!(shown(&raw), want, "{name}");
        assert_eq!(raw.symbols.text(raw.spans.get(0).expect("a span").version), "7", "{name}");
    }
}

#[test]
fn a_bad_span_of_a_jaeger_trace_costs_one_span() {
    let text = String::from_utf8(bytes("formats/jaeger/references.json")).expect("it is text");
    let bad = text.replacen("\"processID\": \"p1\"", "\"processID\": 7", 1);
    let raw = read_bytes("a.json", bad.as_bytes());
    assert_eq!(file(&raw), ("jaeger", 7, 1), "{:?}", raw.gaps);
    assert!(
        raw.gaps.iter().any(|g| g.line == Some(6) && g.what.contains("a span is not readable"))
    );
}

#[test]
fn dependencies_of_jaeger_are_edges() {
    let raw = read("formats/jaeger-dependencies/dependencies.json");
    assert_eq!(file(&raw), ("jaeger-dependencies", 2, 2));
    let edges: Vec<_> = raw.edges.iter().map(|e| (e.caller.as_str(), e.callee.as_str())).collect();
    assert_eq!(edges, [("cart", "pg-main"), ("gateway", "cart")]);
    let unused = (GapKind::Skipped, Some(13), 1, "a pair without calls is no edge");
    let lost = (GapKind::Skipped, Some(18), 1, "edge without a parent or a child");
    assert_eq!(gaps(&raw), [unused, lost]);
}

#[test]
fn datadog_spans_are_the_same_from_the_api_and_from_the_agent() {
    let big = 13_446_744_073_709_551_615;
    let want = |cart: bool| {
        vec![
            row((11, 0), ("gateway", "GET /cart"), SpanKind::Server, (0, 90_000), true),
            row((12, 11), ("gateway", "GET"), SpanKind::Client, (5_000, 80_000), true),
            row((big, 12), ("cart", "GET /items"), SpanKind::Server, (8_000, 70_000), cart),
            row((14, big), ("cart", "postgres.query"), SpanKind::Client, (9_000, 60_000), false),
        ]
    };
    for name in ["api-v2.json", "agent.json", "agent-strings.json"] {
        let raw = read(&format!("formats/datadog-spans/{name}"));
        assert_eq!(file(&raw), ("datadog-spans", 4, 0), "{name}: {:?}", raw.gaps);
        assert_eq!(shown(&raw), want(true), "{name}");
        let found = details(&raw);
        let statement = "SELECT * FROM items WHERE owner = ?";
        assert_eq!(found[3][0], "pg-main", "{name}");
        assert_eq!((found[3][2].as_str(), found[3][5].as_str()), (statement, "postgresql"));
        assert_eq!([&found[1][0], &found[2][1], &found[0][4]], ["cart", "PoolTimeout", "1.4.2"]);
        assert_eq!(raw.symbols.text(raw.spans.get(0).expect("a span").host), "i-0abc", "{name}");
        let trace = match name {
            "api-v2.json" => 0xa3ce_929d_0e0e_4736,
            _ => 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736,
        };
        assert!(raw.spans.iter().all(|s| s.trace == trace), "{name}");
    }
}

#[test]
fn a_tempo_search_result_says_how_to_get_the_traces() {
    let raw = read("formats/tempo-search/search.json");
    assert_eq!(file(&raw), ("tempo-search", 0, 0));
    let gap = &raw.gaps[0];
    assert_eq!((gap.kind, gap.line, raw.gaps.len()), (GapKind::Missing, Some(1), 1));
    assert!(gap.what.contains("names 2 traces") && gap.what.contains("/api/v2/traces/"));
}

#[test]
fn durations_without_a_unit_are_told_by_their_size() {
    let raw = read("formats/spans-table/no-unit.tsv");
    assert_eq!(file(&raw), ("spans-table", 7, 2), "{:?}", raw.gaps);
    assert_eq!(shown(&raw), seven());
    let told = gaps(&raw);
    assert!(told[0].3.contains("microseconds") && told[0].0 == GapKind::Inferred, "{told:?}");
    assert_eq!(told[1], (GapKind::Skipped, Some(9), 1, "span without a trace or span id"));
    assert_eq!(told[2], (GapKind::Skipped, Some(10), 1, "span without a readable start time"));
}

#[test]
fn a_table_that_only_names_traces_stays_a_table() {
    let raw = read("formats/spans-table/log-with-ids.csv");
    assert_eq!(file(&raw).0, "table");
}

#[test]
fn empty_exports_of_traces_are_told() {
    for (name, reader) in [
        ("formats/clickhouse-traces/empty.csv", "clickhouse-traces"),
        ("formats/clickhouse-traces/empty.json", "clickhouse-traces"),
        ("formats/parquet/otel_traces-empty.parquet", "parquet"),
        ("formats/parquet/empty.parquet", "parquet"),
    ] {
        let raw = read(name);
        assert_eq!(file(&raw), (reader, 0, 0), "{name}");
        assert!(said(&raw, "not one row"), "{name}: {:?}", raw.gaps);
    }
}

#[test]
fn traces_cut_anywhere_keep_what_stands_before_and_say_so() {
    for name in [
        "formats/zipkin/shared.json",
        "formats/zipkin/seven-spans-lines.json",
        "formats/jaeger/references.json",
        "formats/jaeger/elasticsearch-hits.json",
        "formats/datadog-spans/api-v2.json",
        "formats/datadog-spans/agent.json",
        "formats/clickhouse-traces/otel_traces.jsonl",
        "formats/clickhouse-traces/otel_traces.json",
        "formats/spans-table/honeycomb.json",
    ] {
        let whole = bytes(name);
        let rows = read(name).spans.len();
        for part in [6, 7, 9] {
            let raw = read_bytes("a.json", &whole[..whole.len() * part / 10]);
            assert!(!raw.spans.is_empty() && raw.spans.len() < rows, "{name} at {part}/10");
            assert!(!raw.gaps.is_empty(), "{name} at {part}/10");
        }
    }
}

#[test]
fn traces_in_utf_16_and_with_crlf_are_read() {
    for name in
        ["formats/zipkin/seven-spans-lines.json", "formats/clickhouse-traces/otel_traces.csv"]
    {
        let text = String::from_utf8(bytes(name)).expect("it is text");
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        let wide: Vec<u8> = units.flat_map(u16::to_le_bytes).collect();
        assert_eq!(shown(&read_bytes("a.csv", &wide)), seven(), "{name}");
        let crlf = text.replace("}\n", "}\r\n").replace("\"[]\"\n", "\"[]\"\r\n");
        assert_eq!(shown(&read_bytes("a.csv", crlf.as_bytes())), seven(), "{name}");
    }
}

/// Series by name and labels: unit, statistic and samples as seconds since the start.
type Series = BTreeMap<(String, BTreeMap<String, String>), (Option<String>, Vec<(i64, f64)>)>;

fn series(raw: &Raw) -> Series {
    let samples = |s: &Points| s.iter().map(|(t, v)| ((t - T0) / 1_000_000, v)).collect();
    let one = |s: &rootline::ingest::raw::RawSeries| {
        ((s.name.clone(), s.labels.clone()), (s.unit.clone(), samples(&s.samples)))
    };
    raw.series.iter().map(one).collect()
}

#[test]
fn a_wide_table_is_the_same_with_times_of_every_type() {
    let csv = series(&read("formats/parquet/wide.csv"));
    assert_eq!(csv.len(), 3);
    let cpu = &csv[&("cart_cpu".to_owned(), BTreeMap::new())];
    assert_eq!(cpu.1, [(0, 0.25), (60, 0.5), (180, 0.75), (240, 1.0), (300, 1.25)]);
    let typed = [
        "ts-ms-utc",
        "ts-ns-utc",
        "ts-s-berlin",
        "int64-s",
        "int64-ms",
        "int64-us",
        "int64-ns",
        "uint32",
        "double",
        "double-ms",
        "iso",
        "iso-binary",
        "iso-dictionary",
        "iso-largestring",
        "decimal",
    ];
    for kind in typed {
        let raw = read(&format!("formats/parquet/time-{kind}.parquet"));
        assert_eq!(series(&raw), csv, "{kind}");
        assert_eq!((file(&raw), gaps(&raw)), (("parquet", 16, 0), vec![]), "{kind}");
    }
    for name in ["index-pandas-name", "row-groups", "pages-v2-delta", "duckdb"] {
        let raw = read(&format!("formats/parquet/{name}.parquet"));
        assert_eq!(series(&raw), csv, "{name}: {:?}", raw.gaps);
    }
    for codec in ["snappy", "gzip", "lz4", "zstd"] {
        assert_eq!(
            series(&read(&format!("formats/parquet/codec-{codec}.parquet"))),
            csv,
            "{codec}"
        );
    }
    for name in ["wide.arrow", "wide.arrows", "wide-lz4.arrow"] {
        let raw = read(&format!("formats/arrow-ipc/{name}"));
        assert_eq!(series(&raw), csv, "{name}");
        assert_eq!(file(&raw), ("arrow-ipc", 16, 0), "{name}");
    }
    // Times without a zone are the same, and say so.
    for name in ["time-ts-us", "time-int96"] {
        let raw = read(&format!("formats/parquet/{name}.parquet"));
        assert_eq!(series(&raw), csv, "{name}");
        assert!(said(&raw, "times have no zone"), "{name}");
    }
}

#[test]
fn a_wall_clock_is_read_in_the_zone_that_is_named() {
    let berlin = rootline::time::Zone::named("Europe/Berlin");
    let settings = Settings { zone: berlin, ..Settings::default() };
    let path = fixture("formats/parquet/time-ts-us.parquet");
    let raw = read_folder(&path, &settings).expect("it is read");
    assert_eq!(raw.series[0].samples.at(0).0, T0 - 3_600_000_000);
    assert_eq!(gaps(&raw), []);
    for name in ["date32", "date64"] {
        let raw = read(&format!("formats/parquet/{name}.parquet"));
        assert_eq!(raw.series[0].samples.at(0).0, 1_795_132_800_000_000, "{name}: midnight");
        assert!(said(&raw, "times have no zone"), "{name}");
    }
}

#[test]
fn what_polars_writes_is_read_with_its_categories() {
    for name in ["formats/parquet/polars.parquet", "formats/arrow-ipc/polars.arrow"] {
        let raw = read(name);
        let found = series(&raw);
        let labels = BTreeMap::from([("pod".to_owned(), "a".to_owned())]);
        let cpu = &found[&("cart_cpu".to_owned(), labels)];
        assert_eq!((found.len(), cpu.1.len(), cpu.1[0]), (3, 5, (0, 0.25)), "{name}");
    }
}

#[test]
fn values_of_every_type_are_numbers() {
    let raw = read("formats/parquet/value-types.parquet");
    let found = series(&raw);
    let of = |name: &str| {
        let s = &found[&(name.to_owned(), BTreeMap::new())];
        (s.0.clone(), s.1.iter().map(|(_, v)| *v).collect::<Vec<_>>())
    };
    for name in ["a_i8", "a_u64"] {
        assert_eq!(of(name), (None, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), "{name}");
    }
    for (name, value) in [("a_f32", 0.5), ("a_f16", 0.5), ("a_dec", 1.5)] {
        assert_eq!(of(name), (None, vec![value; 6]), "{name}");
    }
    assert_eq!(of("a_bool").1, [1.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
    assert_eq!(of("a_wait"), (Some("s".to_owned()), vec![1.5; 6]));
    assert_eq!(of("a_inf").1, [1.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(found.len(), 8, "nothing of the column without values: {:?}", found.keys());
    let told = gaps(&raw);
    let lost = "columns that hold no number and no word: seen, tags";
    assert_eq!(told[0], (GapKind::Skipped, None, 1, lost));
    assert_eq!(told[1], (GapKind::Skipped, None, 1, "value of a_inf is infinite"));
    let text = read("formats/parquet/numbers-as-text.parquet");
    let text = &series(&text)[&("cart_cpu".to_owned(), BTreeMap::new())];
    assert_eq!((text.0.as_deref(), text.1.len(), text.1[0]), (Some("s"), 5, (0, 0.012)));
}

#[test]
fn a_long_table_is_the_same_in_every_format() {
    let csv = series(&read("formats/parquet/long.csv"));
    assert_eq!(csv.len(), 4);
    let labels = [("service", "cart"), ("code", "200")];
    let labels: BTreeMap<String, String> =
        labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let want = (Some("s".to_owned()), vec![(0, 0.0), (60, 2.0), (120, 4.0)]);
    assert_eq!(csv[&("cpu".to_owned(), labels.clone())], want);
    let plain = read("formats/parquet/long-plain.parquet");
    assert_eq!(series(&plain), csv, "{:?}", plain.gaps);
    // With a map of labels beside the columns of labels.
    let mut with_map = labels;
    with_map.insert("zone".to_owned(), "a".to_owned());
    for name in ["formats/parquet/long.parquet", "formats/arrow-ipc/long.arrow"] {
        let raw = read(name);
        let found = series(&raw);
        assert_eq!(found[&("cpu".to_owned(), with_map.clone())], want, "{name}");
        assert_eq!((found.len(), file(&raw).1), (4, 12), "{name}");
    }
    let raw = read("formats/parquet/mid.parquet");
    let found: Vec<_> = series(&raw).into_iter().map(|(k, v)| (k.0, k.1, v.1.len())).collect();
    let of = |s: &str| BTreeMap::from([("service".to_owned(), s.to_owned())]);
    let want = [
        ("cpu".to_owned(), of("cart"), 4),
        ("cpu".to_owned(), of("web"), 4),
        ("latency".to_owned(), of("cart"), 4),
        ("latency".to_owned(), of("web"), 3),
    ];
    assert_eq!(found, want);
}

#[test]
fn metrics_of_clickhouse_are_read() {
    let raw = read("formats/parquet/clickhouse-datetime.parquet");
    assert_eq!(file(&raw), ("parquet", 12, 0));
    let found = series(&raw);
    let cpu = &found[&("cart_cpu".to_owned(), BTreeMap::new())];
    assert_eq!((cpu.1[1], cpu.1.len()), ((60, 0.1), 6));
    let raw = read("formats/parquet/otel_metrics_gauge.parquet");
    let gauge = &raw.series[0];
    assert_eq!((gauge.name.as_str(), gauge.samples.len()), ("process.cpu.utilization", 4));
    assert_eq!(gauge.samples.at(1), (T0 + 60_000_000, 0.1));
    assert_eq!(gauge.labels.get("state").map(String::as_str), Some("user"));
    assert_eq!(gauge.labels.get("service.name").map(String::as_str), Some("cart"));
}

#[test]
fn flat_spans_are_read_from_columns_of_every_type() {
    let want = [
        row(
            (0x00f0_67aa_0ba9_02b0, 0),
            ("gateway", "GET /cart"),
            SpanKind::Server,
            (0, 90_000),
            true,
        ),
        row(
            (0x00f0_67aa_0ba9_02b1, 0x00f0_67aa_0ba9_02b0),
            ("gateway", "GET"),
            SpanKind::Client,
            (5_000, 80_000),
            true,
        ),
    ];
    for name in ["spans-flat", "spans-binary-ids"] {
        let raw = read(&format!("formats/parquet/{name}.parquet"));
        assert_eq!(shown(&raw), want, "{name}");
        assert_eq!((file(&raw), gaps(&raw)), (("parquet", 2, 0), vec![]), "{name}");
        assert_eq!(raw.symbols.text(raw.spans.get(1).expect("a span").peer), "cart", "{name}");
        assert!(raw.spans.iter().all(|s| s.trace == 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736));
    }
    let raw = read("formats/parquet/spans-struct.parquet");
    let lengths: Vec<_> = shown(&raw).iter().map(|s| (s.0, s.1, s.5, s.6, s.7)).collect();
    assert_eq!(lengths, [(0xb0, 0, 0, 90_000, true), (0xb1, 0xb0, 5_000, 80_000, true)]);
    assert_eq!(raw.symbols.text(raw.spans.get(1).expect("a span").peer), "cart", "{:?}", raw.gaps);
}

#[test]
fn sessions_in_parquet_go_the_way_of_text() {
    let raw = read("formats/parquet/main_pg_stat_activity.parquet");
    assert_eq!(file(&raw).1, 3, "{:?}", raw.gaps);
    let blocked: Vec<_> = raw.sessions.iter().map(|s| (s.pid, s.blocked_by.clone())).collect();
    assert_eq!(blocked[1], (102, Some(vec![101])));
    assert_eq!(blocked[2], (103, Some(vec![101, 102])));
    assert!(raw.sessions.iter().all(|s| s.at == T0 && !s.query.contains("secret")));
}

#[test]
fn what_cannot_be_read_of_columnar_files_is_a_gap_with_the_reason() {
    for (name, words) in [
        ("formats/parquet/codec-brotli.parquet", "brotli"),
        ("formats/parquet/encrypted.parquet", "an encrypted Parquet file"),
        ("formats/parquet/encrypted-plain-footer.parquet", "ncrypt"),
    ] {
        let raw = read(name);
        let told = gaps(&raw);
        let text = told[0].3.to_lowercase();
        assert!(text.contains(words) || told[0].3.contains(words), "{name}: {told:?}");
        assert_eq!((told.len(), told[0].0), (1, GapKind::Unreadable), "{name}");
    }
    let whole = bytes("formats/parquet/row-groups.parquet");
    for cut in [4, 11, 200, whole.len() - 4, whole.len() - 1] {
        let raw = read_bytes("a.parquet", &whole[..cut]);
        assert_eq!(raw.gaps[0].kind, GapKind::Truncated, "at {cut}");
        assert!(raw.gaps[0].what.contains("before its footer"), "at {cut}");
    }
}

#[test]
fn columnar_files_with_changed_bytes_never_end_the_run() {
    for name in [
        "formats/parquet/row-groups.parquet",
        "formats/parquet/long.parquet",
        "formats/parquet/spans-struct.parquet",
        "formats/parquet/codec-zstd.parquet",
        "formats/arrow-ipc/wide.arrow",
        "formats/arrow-ipc/long.arrow",
        "formats/arrow-ipc/wide.arrows",
    ] {
        let whole = bytes(name);
        for at in (5..whole.len() - 5).step_by(7) {
            let mut bad = whole.clone();
            bad[at] ^= 0x5a;
            // Whether it is read or refused: it comes back.
            let folder = Scratch::with(&[("a.parquet", &bad[..]), ("b.arrow", &whole[..at])]);
            let _ = read_folder(folder.path(), &Settings::default());
        }
    }
}
