//! Reading exports against counting their newlines and against the libraries that read them, on the
//! same bytes in one run: what counts is the ratio of a group's rows. `cargo bench --bench ingest`.
//! The comparison with other tools on real sizes is `benches/peers/run.py`.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use opentelemetry_proto::tonic::trace::v1::TracesData;
use rootline::ingest::{Settings, read_folder};
use std::path::PathBuf;
use std::sync::LazyLock;

fn main() {
    divan::main();
}

/// A file and its text.
struct Export {
    path: PathBuf,
    text: String,
}

fn export(name: &str, text: String) -> Export {
    let path = std::env::temp_dir().join(format!("{}-bench-{name}", std::process::id()));
    std::fs::write(&path, &text).expect("the temporary folder can be written");
    Export { path, text }
}

/// Spans of two services, eight a line.
static OTLP: LazyLock<Export> = LazyLock::new(|| {
    let span = |i: u64| {
        format!(
            "{{\"traceId\":\"{:032x}\",\"spanId\":\"{i:016x}\",\"parentSpanId\":\"{:016x}\",\
             \"name\":\"GET /items/{{id}}\",\"kind\":{},\"startTimeUnixNano\":\"{}\",\
             \"endTimeUnixNano\":\"{}\",\"attributes\":[{{\"key\":\"http.request.method\",\"value\":\
             {{\"stringValue\":\"GET\"}}}},{{\"key\":\"http.response.status_code\",\"value\":\
             {{\"intValue\":\"200\"}}}},{{\"key\":\"server.address\",\"value\":{{\"stringValue\":\
             \"basket\"}}}}],\"status\":{{}}}}",
            i / 8 + 1,
            if i % 8 == 1 { 0 } else { i - 1 },
            2 + i % 2,
            1_795_205_400_000_000_000 + i * 1_000_000,
            1_795_205_400_000_900_000 + i * 1_000_000,
        )
    };
    let line = |l: u64| {
        let spans: Vec<String> = (l * 8 + 1..l * 8 + 9).map(span).collect();
        format!(
            "{{\"resourceSpans\":[{{\"resource\":{{\"attributes\":[{{\"key\":\"service.name\",\
             \"value\":{{\"stringValue\":\"shop{}\"}}}}]}},\"scopeSpans\":[{{\"spans\":[{}]}}]}}]}}\n",
            l % 2,
            spans.join(",")
        )
    };
    export("traces.jsonl", (0..4000).map(line).collect())
});

/// 500 series of 240 points.
static PROMETHEUS: LazyLock<Export> = LazyLock::new(|| {
    let series = |s: u64| {
        let points: Vec<String> =
            (0..240).map(|p| format!("[{},\"{}.25\"]", 1_795_205_400 + p * 15, p * s)).collect();
        let values = points.join(",");
        format!(
            "{{\"metric\":{{\"__name__\":\"cpu\",\"service\":\"s{s}\"}},\"values\":[{values}]}}"
        )
    };
    let all: Vec<String> = (0..500).map(series).collect();
    let head = "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[";
    export("range.json", format!("{head}{}]}}}}", all.join(",")))
});

/// 500 columns of 240 rows.
static WIDE: LazyLock<Export> = LazyLock::new(|| {
    let names: Vec<String> = (0..500).map(|s| format!("s{s}_cpu")).collect();
    let row = |r: u64| {
        let cells: Vec<String> = (0..500).map(|c| format!("{}.25", r * c)).collect();
        format!("{},{}\n", 1_795_205_400 + r * 15, cells.join(","))
    };
    let rows: String = (0..240).map(row).collect();
    export("wide.csv", format!("time,{}\n{rows}", names.join(",")))
});

fn newlines(bencher: Bencher, export: &Export) {
    let count = || black_box(export.text.as_bytes()).iter().filter(|b| **b == b'\n').count();
    bencher.counter(BytesCount::of_str(&export.text)).bench_local(count);
}

fn rootline(bencher: Bencher, export: &Export) {
    let read = || read_folder(black_box(&export.path), &Settings::default()).expect("an export");
    bencher.counter(BytesCount::of_str(&export.text)).bench_local(read);
}

#[divan::bench_group]
mod otlp_lines {
    use super::*;

    #[divan::bench]
    fn newlines(bencher: Bencher) {
        super::newlines(bencher, &OTLP);
    }

    #[divan::bench]
    fn rootline(bencher: Bencher) {
        super::rootline(bencher, &OTLP);
    }

    #[divan::bench]
    fn opentelemetry_proto_serde(bencher: Bencher) {
        let read = || -> usize {
            let lines = OTLP.text.lines().map(serde_json::from_str::<TracesData>);
            lines.map(|l| l.expect("OTLP").resource_spans.len()).sum()
        };
        bencher.counter(BytesCount::of_str(&OTLP.text)).bench_local(read);
    }
}

#[divan::bench_group]
mod prometheus_range {
    use super::*;

    #[divan::bench]
    fn newlines(bencher: Bencher) {
        super::newlines(bencher, &PROMETHEUS);
    }

    #[divan::bench]
    fn rootline(bencher: Bencher) {
        super::rootline(bencher, &PROMETHEUS);
    }

    #[divan::bench]
    fn serde_json_value(bencher: Bencher) {
        let read = || serde_json::from_str::<serde_json::Value>(&PROMETHEUS.text).expect("JSON");
        bencher.counter(BytesCount::of_str(&PROMETHEUS.text)).bench_local(read);
    }
}

#[divan::bench_group]
mod wide_csv {
    use super::*;

    #[divan::bench]
    fn newlines(bencher: Bencher) {
        super::newlines(bencher, &WIDE);
    }

    #[divan::bench]
    fn rootline(bencher: Bencher) {
        super::rootline(bencher, &WIDE);
    }

    #[divan::bench]
    fn csv_crate(bencher: Bencher) {
        let read = || -> f64 {
            let mut reader = csv::Reader::from_reader(WIDE.text.as_bytes());
            let cells = |r: csv::StringRecord| -> f64 {
                r.iter().map(|c| c.parse::<f64>().expect("a number")).sum()
            };
            reader.records().map(|r| cells(r.expect("a row"))).sum()
        };
        bencher.counter(BytesCount::of_str(&WIDE.text)).bench_local(read);
    }
}

/// Events of a simulated incident: a million a second on one core is the mark.
#[divan::bench_group]
mod simulated_events {
    use super::*;
    use divan::counter::ItemsCount;
    use rootline::simulate::{Run, named};

    #[divan::bench(args = ["cascade", "hot-partition-lab", "lock-table", "traffic-surge"])]
    fn rootline(bencher: Bencher, id: &str) {
        let scenario = named(id).expect("it comes with the program");
        let play = || {
            let mut run = Run::new(&scenario, 0).expect("it builds");
            run.advance(run.end_s());
            run.events()
        };
        bencher.counter(ItemsCount::new(play())).bench_local(|| black_box(play()));
    }
}
