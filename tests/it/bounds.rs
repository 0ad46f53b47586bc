//! Memory and time of hostile inputs: never more than ten times the input or 1 GB, whichever is
//! more, and never more processor time than a large honest input takes. Each run has a hard limit
//! of address space and processor seconds, and its peak is read from the kernel as well.

use super::support::{Scratch, bytes, files, program, rootline, watched};
use std::fs;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What any input may take, bytes.
const FREE: u64 = 1 << 30;
/// How many times its size a larger input may take.
const TIMES: u64 = 10;
/// Address space beside the memory in use: stacks, arenas, the program itself.
const RESERVE: u64 = 1 << 30;
/// Processor seconds; a run of this file's inputs takes 1 to 8 on a quiet machine.
const SECONDS: u32 = 60;

/// What a run leaves behind: how it ended, what it said, its peak memory.
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
    peak: u64,
}

/// Starts a run with hard limits; a fixed number of threads, since each has its own arena.
fn limited(folder: &Scratch, size: u64) -> Child {
    let own = program(&["diagnose", "--format", "json", &folder.arg()]);
    let space = (FREE.max(size * TIMES) + RESERVE) >> 10;
    let limits = format!("ulimit -v {space} && ulimit -t {SECONDS} && exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &limits]).arg(own.get_program()).args(own.get_args());
    command.env("RAYON_NUM_THREADS", "2").env("POLARS_MAX_THREADS", "2").env("TERM", "xterm");
    command.stdin(Stdio::null());
    let to = |name: &str| fs::File::create(folder.path().join(name)).expect("can be written");
    command.stdout(to(".out")).stderr(to(".err")).spawn().expect("a shell starts")
}

/// Runs to the end and reads the highest resident memory while it runs.
fn run(folder: &Scratch, size: u64) -> Ended {
    let mut child = limited(folder, size);
    // Its processor seconds are limited; on a busy machine they take longer.
    let (ended, peak) = watched(&mut child, Duration::from_secs(600));
    let ended = ended.expect("the limit of processor seconds ends it");
    let read = |name: &str| {
        String::from_utf8_lossy(&fs::read(folder.path().join(name)).unwrap_or_default())
            .into_owned()
    };
    Ended { code: ended.code(), out: read(".out"), err: read(".err"), peak }
}

/// Diagnoses one hostile file within the bounds; gives what was said.
fn bounded(name: &str, content: &[u8]) -> String {
    let folder = Scratch::with(&[(name, content)]);
    let size = content.len() as u64;
    let ended = run(&folder, size);
    let Ended { code, out, err, peak } = ended;
    let shown = err.chars().take(400).collect::<String>();
    assert!(matches!(code, Some(0..=2)), "{name}: exit {code:?}, {} MiB: {shown}", peak >> 20);
    assert!(!err.contains("panicked"), "{name}: {shown}");
    assert!(peak > 1 << 20, "{name}: the peak was not measured");
    assert!(peak <= FREE.max(size * TIMES), "{name}: {} MiB for {size} bytes", peak >> 20);
    let said = out.contains("\"gaps\"") || !err.is_empty();
    assert!(said, "{name}: nothing is said");
    out + &err
}

/// `head`, then `part` again and again, then `tail`.
fn repeated(head: &str, part: &str, times: usize, tail: &str) -> Vec<u8> {
    [head.as_bytes(), &part.as_bytes().repeat(times), tail.as_bytes()].concat()
}

/// Label sets, services or columns of the inputs that have many. Twice as many take .55 GB (services)
/// and .65 GB (label sets), and half a minute of processor time.
const MANY: usize = 100_000;

#[test]
fn a_table_of_very_many_services_is_bounded() {
    let mut long = String::from("time,service,cpu_usage\n");
    for i in 0..2 * MANY {
        long += &format!("2026-11-20T20:{}:00Z,svc-{},{}\n", 10 + i % 5, i / 2, i % 7);
    }
    bounded("long.csv", long.as_bytes());
    let mut wide = String::from("time");
    for i in 0..MANY {
        wide += &format!(",svc{i}_cpu");
    }
    for minute in 10..13 {
        wide += &format!("\n2026-11-20T20:{minute}:00Z{}", ",1".repeat(MANY));
    }
    bounded("wide.csv", wide.as_bytes());
}

#[test]
fn very_many_label_sets_are_bounded() {
    let series = |i: usize| {
        format!(
            r#"{{"metric":{{"__name__":"http_requests_total","job":"api{i}","path":"/p{i}"}},
            "values":[[1795205400,"1"],[1795205430,"2"]]}}"#
        )
    };
    let all: Vec<String> = (0..MANY).map(series).collect();
    let head = r#"{"status":"success","data":{"resultType":"matrix","result":["#;
    bounded("query.json", format!("{head}{}]}}}}", all.join(",")).as_bytes());
}

#[test]
fn spans_of_very_many_services_are_bounded() {
    let line = |i: usize| {
        format!(
            r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"s{i}"}}}}]}},"scopeSpans":[{{"spans":[{{"traceId":"{:032x}","spanId":"{:016x}","name":"op{i}","kind":2,"startTimeUnixNano":"1795205400{i:09}","endTimeUnixNano":"1795205401{i:09}"}}]}}]}}]}}
"#,
            i + 1,
            i + 1
        )
    };
    let all: String = (0..MANY / 4).map(line).collect();
    bounded("traces.jsonl", all.as_bytes());
}

#[test]
fn deep_and_empty_json_is_bounded() {
    let matrix = r#"{"status":"success","data":{"resultType":"matrix","result":["#;
    let values = format!(r#"{matrix}{{"metric":{{}},"values":["#);
    let heads: [(&str, &str); 10] = [
        ("", "["),
        ("", "{\"a\":"),
        ("[", "0,"),
        ("[", "{},"),
        (matrix, "{},"),
        (&values, "[1,\"1\"],"),
        (r#"{"resourceSpans":["#, "{},"),
        (r#"{"data":[{"traceID":"1","spans":["#, "{},"),
        (r#"{"kind":"PodList","apiVersion":"v1","items":["#, "{},"),
        (r#"{"data":{"values":["#, "[],"),
    ];
    for (head, part) in heads {
        bounded("a.json", &repeated(head, part, (24 << 20) / part.len(), ""));
    }
}

#[test]
fn one_giant_line_is_bounded() {
    let mb = 1 << 20;
    bounded("a.log", &repeated("", "x", 64 * mb, ""));
    bounded("a.csv", &repeated("time,cart_cpu\n2026-11-20T20:10:00Z,", "x", 64 * mb, "\n"));
    bounded("a.csv", &repeated("time,cart_cpu\n\"", "x\n", 32 * mb, ""));
    bounded("a.csv", &repeated("time,cart_cpu\n", "\n", 64 * mb, ""));
    bounded("a.csv", &repeated("", ",", 32 * mb, ""));
}

/// A gzip file of `part` again and again, written in pieces.
fn packed(head: &str, part: &[u8], times: usize) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(head.as_bytes()).expect("memory can be written");
    for _ in 0..times {
        out.write_all(part).expect("memory can be written");
    }
    out.finish().expect("memory can be written")
}

#[test]
fn bombs_are_stopped() {
    let mb = 1 << 20;
    let heads = ["", "{\"a\":\"", "time,cart_cpu\n\"", "{\"resourceSpans\":["];
    for head in heads {
        let bomb = packed(head, &vec![b' '; mb], 2_000);
        let said = bounded("a.json.gz", &bomb);
        assert!(said.contains("no telemetry is packed so well"), "{head}: {said}");
    }
    let zeros = zstd::encode_all(std::io::repeat(b'0').take(2_000 * mb as u64), 1);
    let said = bounded("a.csv.zst", &zeros.expect("memory can be written"));
    assert!(said.contains("no telemetry is packed so well"), "{said}");
}

#[test]
fn a_page_that_claims_two_gigabytes_is_refused() {
    let said = bounded("a.parquet", &bytes("formats/broken/page-claims-2-gb.parquet"));
    assert!(said.contains("the file contradicts itself"), "{said}");
}

#[test]
fn arrow_files_that_claim_gigabytes_are_refused() {
    // Found by the campaign of `redaction`: buffers that claim to unpack to 49 TB, whose allocation
    // ended the program, a block of 12 GB in a file of 800 bytes, and buffers that claim 127 TB in a
    // message longer than its block says.
    for claims in
        ["batch-claims-49-tb.arrow", "block-claims-12-gb.arrow", "message-beyond-its-block.arrow"]
    {
        let claims = bytes(&format!("formats/broken/{claims}"));
        let said = bounded("a.arrow", &claims);
        assert!(said.contains("the file contradicts itself"), "{said}");
        let from = Scratch::with(&[("a.arrow", &claims)]);
        let to = Scratch::new();
        let out = to.path().join("out");
        let run = rootline(&["redact", &from.arg(), "-o", &out.to_string_lossy()]);
        assert!(run.code == 2 && run.err.contains("the file contradicts itself"), "{}", run.err);
        assert!(files(to.path()).is_empty(), "it was written");
    }
}

#[test]
fn values_that_take_no_bytes_are_refused() {
    // 17.6 million rows of one time and one value in 17 kB.
    let said = bounded("a.parquet", &bytes("formats/broken/values-without-bytes.parquet"));
    assert!(said.contains("no telemetry is packed so well"), "{said}");
}
