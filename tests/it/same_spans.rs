//! One set of traces through every format of traces. In: the writers. Out: the same spans.

use super::same_data::{Files, T0, name, read, rolled_up, same};
use super::same_spans_written as written;
use rootline::ingest::raw::SpanKind;
use rootline::normalize::normalize;
use rootline::telemetry::{NONE, Telemetry};

/// One canonical span; times in microseconds.
#[derive(Clone)]
pub struct Span {
    pub trace: u128,
    pub id: u64,
    pub parent: u64,
    pub service: &'static str,
    pub name: &'static str,
    pub kind: SpanKind,
    pub start: i64,
    pub length: i64,
    pub error: bool,
    pub attributes: Vec<(&'static str, &'static str)>,
}

impl Span {
    pub fn pod(&self) -> String {
        format!("{}-0", self.service)
    }

    pub fn attribute(&self, name: &str) -> &'static str {
        self.attributes.iter().find(|(k, _)| *k == name).map_or("", |(_, v)| v)
    }
}

/// Eight traces over five services; two fail in a pool, one was caught without its first spans.
pub fn canonical() -> Vec<Span> {
    use SpanKind::{Client, Consumer, Internal, Producer, Server};
    let mut all = Vec::new();
    for k in 0..8u64 {
        let trace = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4700 + u128::from(k);
        let from = (T0 + 20 * k as i64) * 1_000_000 + 123_457;
        let fails = k == 3 || k == 6;
        let id = |n: u64| 0x00f0_67aa_0ba9_0200 + 16 * k + n;
        let mut add =
            |n: u64, parent: u64, (service, name), kind, (at, length), error, more: &[_]| {
                let parent = if parent == 0 { 0 } else { id(parent) };
                let attributes = more.to_vec();
                let start = from + at;
                let id = id(n);
                all.push(Span {
                    trace,
                    id,
                    parent,
                    service,
                    name,
                    kind,
                    start,
                    length,
                    error,
                    attributes,
                });
            };
        let status = if fails { "503" } else { "200" };
        let code = ("http.response.status_code", status);
        let call = |peer| [code, ("peer.service", peer)];
        if k != 7 {
            add(1, 0, ("gateway", "GET /checkout"), Server, (0, 90_000), fails, &[code]);
            add(2, 1, ("gateway", "POST"), Client, (1_000, 80_000), fails, &call("checkout"));
            let fine = [("http.response.status_code", "200"), ("peer.service", "search")];
            add(3, 1, ("gateway", "GET"), Client, (82_000, 5_001), false, &fine);
            add(4, 3, ("search", "GET /find"), Server, (83_000, 3_000), false, &fine[..1]);
        }
        add(5, 2, ("checkout", "POST /orders"), Server, (2_000, 70_000), fails, &[code]);
        add(6, 5, ("checkout", "price cart"), Internal, (2_500, 300), false, &[]);
        add(7, 5, ("checkout", "POST"), Client, (3_000, 60_000), fails, &call("payment"));
        let pool = [code, ("error.type", "PoolTimeout")];
        let more = if fails { &pool[..] } else { &pool[..1] };
        add(8, 7, ("payment", "POST /pay"), Server, (4_000, 55_000), fails, more);
        let statement = "SELECT * FROM cards WHERE owner = 'ann' AND id = 7";
        let query = [
            ("db.system", "postgresql"),
            ("db.statement", statement),
            ("server.address", "pg-main"),
        ];
        add(9, 8, ("payment", "SELECT cards"), Client, (5_000, 40_000 + k as i64), false, &query);
        let queue = [("messaging.destination.name", "orders")];
        add(10, 5, ("checkout", "publish orders"), Producer, (64_000, 2_000), false, &queue);
        add(11, 10, ("billing", "process orders"), Consumer, (500_000, 20_000), false, &queue);
    }
    all
}

/// What a format cannot carry.
#[derive(Clone, Copy, PartialEq)]
enum Lacks {
    Nothing,
    /// X-Ray's calls are called after method and path or callee, work is called after its service,
    /// and there are no producers and consumers.
    Names,
}

/// Format, its reader, its writer, and what it cannot carry.
type Row = (&'static str, &'static str, fn(&[Span]) -> Files, Lacks);

const FORMATS: [Row; 17] = [
    ("OTLP JSON of the collector", "otlp", written::otlp_json, Lacks::Nothing),
    ("OTLP JSON of Tempo", "otlp", written::otlp_tempo, Lacks::Nothing),
    ("OTLP JSON of snake case", "otlp", written::otlp_snake, Lacks::Nothing),
    ("OTLP protobuf, framed", "otlp-proto", written::otlp_framed, Lacks::Nothing),
    ("OTLP protobuf, one message", "otlp-proto", written::otlp_message, Lacks::Nothing),
    ("Jaeger", "jaeger", written::jaeger, Lacks::Nothing),
    ("Zipkin", "zipkin", written::zipkin, Lacks::Nothing),
    ("Datadog agent", "datadog-spans", written::datadog_agent, Lacks::Nothing),
    ("Datadog API", "datadog-spans", written::datadog_api, Lacks::Nothing),
    ("ClickHouse JSONEachRow", "clickhouse-traces", written::clickhouse_rows, Lacks::Nothing),
    ("ClickHouse CSV", "clickhouse-traces", written::clickhouse_csv, Lacks::Nothing),
    ("ClickHouse Parquet", "parquet", written::clickhouse_parquet, Lacks::Nothing),
    ("table of spans, CSV", "spans-table", written::table_csv, Lacks::Nothing),
    ("table of spans, JSON", "spans-table", written::table_json, Lacks::Nothing),
    ("table of spans, JSON lines", "spans-table", written::table_lines, Lacks::Nothing),
    ("X-Ray batch-get-traces", "xray", written::xray, Lacks::Names),
    ("X-Ray segments a line", "xray", written::xray_lines, Lacks::Names),
];

/// The spans as they are understood, the parent by its service and start.
fn understood(t: &Telemetry, lacks: Lacks) -> Vec<String> {
    let word = |sym: u32| t.symbols.get(sym as usize).cloned().unwrap_or_default();
    let (shapes, start) = (&t.spans.shapes, &t.spans.start);
    let shape = |row: usize| &shapes[t.spans.shape[row] as usize];
    let of =
        |row: usize| format!("{} +{}", name(t, shape(row).service), start[row] - T0 * 1_000_000);
    let line = |row: usize| {
        let (own, parent) = (shape(row), t.spans.parent[row]);
        let above = if parent == NONE { "-".to_owned() } else { of(parent as usize) };
        let named = match lacks {
            Lacks::Nothing => format!("{} kind {:?} {}", word(own.op), own.kind, word(own.etype)),
            Lacks::Names => String::new(),
        };
        format!(
            "{} {named} pod {} {} for {} error {} calls {:?} below {above}",
            of(row),
            name(t, own.instance),
            word(own.version),
            t.spans.end[row] - start[row],
            own.error,
            name(t, own.peer)
        )
    };
    let mut lines: Vec<String> = (0..start.len()).map(line).collect();
    lines.sort();
    lines
}

#[test]
fn traces_are_the_same_through_every_format() {
    let all = canonical();
    let first = read(&written::otlp_json(&all), "otlp");
    assert_eq!(first.spans.len(), all.len());
    let statement = |raw: &rootline::ingest::raw::Raw| {
        let sym = raw.spans.iter().map(|s| s.statement).max().unwrap_or_default();
        raw.symbols.text(sym).to_owned()
    };
    assert_eq!(statement(&first), "SELECT * FROM cards WHERE owner = ? AND id = ?");
    let first = normalize(first).expect("understood");
    assert_eq!(understood(&first, Lacks::Nothing).len(), all.len());
    assert!(rolled_up(&first, true).len() >= 12, "{:?}", rolled_up(&first, true));
    let mut wrong: Vec<String> = Vec::new();
    for (format, reader, write, lacks) in FORMATS {
        let raw = read(&write(&all), reader);
        assert_eq!(statement(&raw), "SELECT * FROM cards WHERE owner = ? AND id = ?", "{format}");
        let t = normalize(raw).expect("understood");
        wrong.extend(same(format, &understood(&t, lacks), &understood(&first, lacks)));
        if lacks == Lacks::Nothing {
            let (found, want) = (rolled_up(&t, true), rolled_up(&first, true));
            wrong.extend(same(&format!("{format}, rolled up"), &found, &want));
        }
        let edges = |t: &Telemetry| t.graph.edges().count();
        assert_eq!(edges(&t), edges(&first), "{format}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_browser_sees_the_client_side_of_the_same_requests() {
    let all = canonical();
    let calls: Vec<Span> =
        all.into_iter().filter(|s| !s.attribute("peer.service").is_empty()).collect();
    let raw = read(&written::har(&calls), "har");
    let mut found: Vec<_> = raw
        .spans
        .iter()
        .map(|s| (s.start, s.end - s.start, s.error, raw.symbols.text(s.peer).to_owned()))
        .collect();
    let mut want: Vec<_> = calls
        .iter()
        .map(|s| (s.start / 1000 * 1000, s.length, s.error, s.attribute("peer.service").to_owned()))
        .collect();
    found.sort();
    want.sort();
    assert_eq!(found, want);
}
