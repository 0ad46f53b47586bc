//! Live capture against a server on loopback that answers what each test lets it: limits, refusals,
//! bodies that break off, redirects, answers without an end, and a second try after each.

use super::support::{Scratch, diagnosed, fixture, root, rootline, text};
use rootline::lake::{self, Question, Table};
use rootline::model::{SECOND, Window};
use rootline::record::secret::Secret;
use rootline::record::{self, Bucket, Limits, Login, Request, Roots, Source};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Begin of every window, seconds.
const FROM: i64 = 1_764_172_800;
/// `up[5m]` of two targets: one scraped each 30 s, the other each 5 s, once late.
const UP: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[
    {"metric":{},"values":[[1,"1"],[31,"1"],[61,"1"]]},
    {"metric":{},"values":[[1.1,"1"],[6.1,"1"],[11.1,"0"],[19,"1"],[24,"1"]]}]}}"#;
const NAMES: &str = r#"{"status":"success","data":["up","http_requests_total","zorkmids"]}"#;

/// One request: what was asked for and its header.
#[derive(Clone, Debug)]
struct Asked {
    target: String,
    head: String,
}

impl Asked {
    fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A parameter, with the few codes decoded that the tests use.
    fn get(&self, name: &str) -> String {
        let query = self.target.split_once('?').map_or("", |(_, q)| q);
        let pairs = query.split('&').filter_map(|p| p.split_once('='));
        let value = pairs.filter(|(k, _)| *k == name).map(|(_, v)| v).next();
        value.unwrap_or_default().replace("%5B", "[").replace("%5D", "]")
    }

    fn seconds(&self, name: &str) -> i64 {
        self.get(name).parse().unwrap_or_else(|e| panic!("{name} of {}: {e}", self.target))
    }
}

type Handler = Box<dyn Fn(&Asked, usize) -> Vec<u8> + Send>;

/// A server that ends with its owner.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Answers with what `answer` makes of a request and its number among those of the same target.
    fn new(answer: impl Fn(&Asked, usize) -> Vec<u8> + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let (asked, ends) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let (log, stop): (Arc<Mutex<Vec<Asked>>>, _) = (Arc::clone(&asked), Arc::clone(&ends));
        let answer: Handler = Box::new(answer);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                // Who hangs up early has seen enough.
                let _ = serve(stream, &log, &answer);
            }
        });
        Server { url, asked, ends, thread: Some(thread) }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("not poisoned").clone()
    }

    fn ranges(&self) -> Vec<Asked> {
        let all = self.asked().into_iter();
        all.filter(|a| a.path() == "/api/v1/query_range").collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(mut stream: TcpStream, log: &Mutex<Vec<Asked>>, answer: &Handler) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut head = String::new();
    let mut reader = BufReader::new(stream.try_clone()?);
    while reader.read_line(&mut head)? > 2 {}
    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let asked = Asked { target, head };
    let before = {
        let mut log = log.lock().expect("not poisoned");
        let before = log.iter().filter(|a| a.target == asked.target).count();
        log.push(asked.clone());
        before
    };
    stream.write_all(&answer(&asked, before))
}

/// A whole HTTP answer.
fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

fn ok(body: &str) -> Vec<u8> {
    http("200 OK", "", body)
}

/// What Prometheus says of a range: 1 at each step.
fn matrix(asked: &Asked) -> String {
    let step = asked.get("step").trim_end_matches('s').parse().expect("a step");
    let times = (asked.seconds("start")..=asked.seconds("end")).step_by(step);
    let values: Vec<String> = times.map(|t| format!("[{t},\"1\"]")).collect();
    let name = asked.get("query");
    format!(
        "{{\"status\":\"success\",\"data\":{{\"resultType\":\"matrix\",\"result\":[{{\"metric\":\
         {{\"__name__\":\"{name}\"}},\"values\":[{}]}}]}}}}",
        values.join(",")
    )
}

/// Answers like a Prometheus that scrapes each 5 s, except for ranges.
fn usual(asked: &Asked, range: impl Fn() -> Vec<u8>) -> Vec<u8> {
    match asked.path() {
        "/api/v1/label/__name__/values" => ok(NAMES),
        "/api/v1/query" => ok(UP),
        "/api/v1/query_range" => range(),
        _ => http("404 Not Found", "", "no"),
    }
}

fn source(url: &str) -> Option<Source> {
    Some(Source { url: url.to_owned(), login: Login::default() })
}

/// A request for `seconds` of the past, hasty enough for a test.
fn request(folder: &Path, seconds: i64) -> Request {
    Request {
        folder: folder.to_owned(),
        window: Window { from: FROM * SECOND, to: (FROM + seconds) * SECOND },
        window_said: "the test's window".to_owned(),
        follows: false,
        prometheus: None,
        jaeger: None,
        tempo: None,
        postgres: Vec::new(),
        spans: None,
        kubernetes_events: None,
        step_s: None,
        also: Vec::new(),
        every: Duration::from_millis(1),
        snapshots: 1,
        traces_max: 100,
        limits: Limits {
            rate: 1000.0,
            tries: 3,
            pause: Duration::from_millis(1),
            timeout: Duration::from_secs(5),
            body_max: 1 << 20,
        },
        roots: Roots::default(),
        say: |_| {},
    }
}

/// A recording of a server's metrics.
fn metrics(folder: &Path, server: &Server, seconds: i64) -> record::Summary {
    let request = Request { prometheus: source(&server.url), ..request(folder, seconds) };
    record::run(&request).expect("the folder can be written")
}

/// Times of all samples of a metric in the folder, each as often as it is there.
fn times(folder: &Path, metric: &str) -> Vec<i64> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder.join("prometheus")).expect("a folder").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(name.ends_with(".json"), "{name}");
        if name.split('.').next() == Some(metric) {
            let text = fs::read_to_string(entry.path()).expect("UTF-8");
            let answer: serde_json::Value = serde_json::from_str(&text).expect("whole JSON");
            let values = answer["data"]["result"][0]["values"].as_array().expect("values");
            found.extend(values.iter().map(|v| v[0].as_i64().expect("a time")));
        }
    }
    found.sort_unstable();
    found
}

fn log(folder: &Path) -> String {
    fs::read_to_string(folder.join("record.log")).expect("a log")
}

/// Lines of the log about what is missing.
fn gaps(folder: &Path) -> Vec<String> {
    log(folder).lines().filter(|l| l.contains("\tgap\t")).map(str::to_owned).collect()
}

fn every(step: usize, seconds: i64) -> Vec<i64> {
    (FROM..FROM + seconds).step_by(step).collect()
}

#[test]
fn what_the_catalogue_knows_is_asked_for_under_the_limit_of_points() {
    let server = Server::new(|asked, _| usual(asked, || ok(&matrix(asked))));
    let folder = Scratch::new();
    let seconds = 120_000;
    let summary = metrics(folder.path(), &server, seconds);
    assert_eq!((summary.missing, summary.stopped), (0, false));
    let ranges = server.ranges();
    for asked in &ranges {
        let points = (asked.seconds("end") - asked.seconds("start")) / 5 + 1;
        assert!(asked.get("step") == "5s" && points <= 11_000, "{asked:?}");
    }
    let metrics: BTreeSet<String> = ranges.iter().map(|a| a.get("query")).collect();
    assert_eq!(metrics.into_iter().collect::<Vec<_>>(), ["http_requests_total", "up"]);
    assert_eq!(ranges.len(), 6, "three stretches each");
    assert_eq!(times(folder.path(), "up"), every(5, seconds));
    let log = log(folder.path());
    assert!(log.contains("a sample each 5 s") && log.contains("not taken: zorkmids"), "{log}");
    assert!(log.trim_end().ends_with("\tend"), "{log}");
}

#[test]
fn a_server_that_is_busy_is_asked_again() {
    let server = Server::new(|asked, before| {
        usual(asked, || match before {
            0 => http("503 Service Unavailable", "Retry-After: 0\r\n", "starting"),
            1 => b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n{\"status\":\"succ".to_vec(),
            _ => ok(&matrix(asked)),
        })
    });
    let folder = Scratch::new();
    let summary = metrics(folder.path(), &server, 60);
    assert_eq!((summary.missing, server.ranges().len()), (0, 6));
    assert_eq!(times(folder.path(), "up"), every(5, 60));
}

#[test]
fn what_never_comes_is_a_gap_and_comes_with_the_next_try() {
    let broken = b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n{\"status\":\"succ".to_vec();
    let whole = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&whole);
    let server = Server::new(move |asked, _| {
        usual(asked, || match asked.get("query").as_str() {
            "up" if !now.load(Ordering::Relaxed) => broken.clone(),
            _ => ok(&matrix(asked)),
        })
    });
    let folder = Scratch::new();
    let summary = metrics(folder.path(), &server, 60);
    assert_eq!(summary.missing, 1);
    let said = gaps(folder.path());
    assert!(
        said.len() == 1 && said[0].contains("prometheus/up/") && said[0].contains("breaks off")
    );
    let before = server.ranges().len();
    assert_eq!(before, 4, "three tries and one");
    whole.store(true, Ordering::Relaxed);
    assert_eq!(metrics(folder.path(), &server, 60).missing, 0);
    assert_eq!(server.ranges().len(), before + 1, "only what was missing");
    assert_eq!(times(folder.path(), "up"), every(5, 60));
    metrics(folder.path(), &server, 60);
    assert_eq!(server.ranges().len(), before + 1, "nothing is left to do");
    let raw = read(folder.path());
    assert!(raw.gaps.iter().all(|g| !g.what.contains("not recorded")), "{:?}", raw.gaps);
}

fn read(folder: &Path) -> rootline::ingest::raw::Raw {
    let settings = rootline::ingest::Settings::default();
    rootline::ingest::read_folder(folder, &settings).expect("a recording")
}

#[test]
fn a_question_that_is_too_large_is_asked_in_halves() {
    let server = Server::new(|asked, _| {
        usual(asked, || match asked.seconds("end") - asked.seconds("start") {
            0..=100 => ok(&matrix(asked)),
            _ => http(
                "422 Unprocessable Entity",
                "",
                r#"{"status":"error","errorType":"execution","error":"query processing would load too many samples"}"#,
            ),
        })
    });
    let folder = Scratch::new();
    assert_eq!(metrics(folder.path(), &server, 600).missing, 0);
    assert_eq!(times(folder.path(), "up"), every(5, 600));
    // Another try knows which questions were too large, and that all is there.
    let asked = server.ranges().len();
    assert_eq!(metrics(folder.path(), &server, 600).missing, 0);
    assert_eq!(server.ranges().len(), asked);
}

#[test]
fn an_answer_without_an_end_is_bounded() {
    let server = Server::new(|asked, _| {
        usual(asked, || match asked.get("query").as_str() {
            "up" => ok(&"x".repeat(3 << 20)),
            _ => ok(&matrix(asked)),
        })
    });
    let folder = Scratch::new();
    let summary = metrics(folder.path(), &server, 20);
    assert_eq!(summary.missing, 1);
    let said = gaps(folder.path());
    assert!(
        said[0].contains("prometheus/up/") && said[0].contains("larger than 1 MiB"),
        "{said:?}"
    );
    assert!(!folder.path().join("prometheus").join(format!("up.{FROM}.json")).exists());
    assert_eq!(times(folder.path(), "http_requests_total"), every(5, 20));
}

#[test]
fn a_server_that_is_down_is_not_asked_for_every_metric() {
    let server = Server::new(|asked, _| match asked.path() {
        "/api/v1/label/__name__/values" => {
            let names: Vec<String> =
                (0..50).map(|i| format!("\"http_requests_{i}_total\"")).collect();
            ok(&format!("{{\"status\":\"success\",\"data\":[{}]}}", names.join(",")))
        }
        _ => http("502 Bad Gateway", "", "<html>nginx"),
    });
    let folder = Scratch::new();
    let why = metrics_error(folder.path(), &server);
    assert!(why.contains("nothing could be recorded"), "{why}");
    assert_eq!(server.ranges().len(), 5 * 3, "five metrics, three tries each");
    let said = gaps(folder.path());
    assert!(said.iter().any(|g| g.contains("45 metrics are not asked for")), "{said:?}");
    assert!(said[0].contains("HTTP status 502") && !said[0].contains("html"), "{said:?}");
}

fn metrics_error(folder: &Path, server: &Server) -> String {
    let request = Request { prometheus: source(&server.url), ..request(folder, 60) };
    let why = record::run(&request).expect_err("nothing came");
    format!("{why} {:?}", why.hint)
}

#[test]
fn redirects_are_followed_so_far_and_take_no_secret_elsewhere() {
    let other = Server::new(|asked, _| usual(asked, || ok(&matrix(asked))));
    let there = other.url.replace("127.0.0.1", "localhost");
    let server = Server::new(move |asked, _| match asked.get("query").as_str() {
        "up" if asked.path() == "/api/v1/query_range" => {
            let place = format!("Location: {}\r\n", asked.target);
            http("302 Found", &place, "")
        }
        _ => http("307 Temporary Redirect", &format!("Location: {there}{}\r\n", asked.target), ""),
    });
    let folder = Scratch::new();
    let login = Login { bearer: Some(Secret::new("t0ken-of-the-test")), ..Login::default() };
    let source = Source { url: server.url.clone(), login };
    let request = Request { prometheus: Some(source), ..request(folder.path(), 60) };
    let summary = record::run(&request).expect("recorded");
    assert_eq!(summary.missing, 1);
    assert!(gaps(folder.path())[0].contains("redirects"), "{:?}", gaps(folder.path()));
    assert_eq!(times(folder.path(), "http_requests_total"), every(5, 60));
    let bearer = |a: &Asked| a.head.contains("Bearer t0ken-of-the-test");
    assert!(server.asked().iter().all(bearer) && !server.asked().is_empty());
    assert!(!other.asked().iter().any(bearer) && !other.asked().is_empty());
}

#[test]
fn secrets_are_sent_and_never_written() {
    // A server that repeats what it is sent, as error pages do.
    let server = Server::new(|asked, _| http("500 Oops", "", &format!("who is {}", asked.head)));
    let folder = Scratch::new();
    let url = server.url.replace("http://", "http://joe:hunter2@");
    let login = Login { bearer: None, password: Some(Secret::new("hunter3")), tenant: None };
    for (url, login) in [(url, Login::default()), (server.url.replace("//", "//joe@"), login)] {
        let folder =
            folder.path().join(&url[url.len() - 3..]).join(login.password.is_some().to_string());
        let source = Source { url: url.clone(), login };
        let request = Request { prometheus: Some(source), ..request(&folder, 60) };
        let why = record::run(&request).expect_err("refused");
        let said = format!("{why} {:?} {}", why.hint, log(&folder));
        for secret in ["hunter2", "hunter3", "joe@", "joe:"] {
            assert!(!said.contains(secret), "{said}");
        }
    }
    // joe:hunter2 and joe:hunter3
    for basic in ["Basic am9lOmh1bnRlcjI=", "Basic am9lOmh1bnRlcjM="] {
        assert!(server.asked().iter().any(|a| a.head.contains(basic)));
    }
}

const SPAN: &str = r#""startTime":1764172801000000,"duration":1000,"tags":[],"references":[]"#;

/// A trace of one span as Jaeger answers it.
fn jaeger_trace(id: &str) -> String {
    format!(
        "{{\"traceID\":\"{id}\",\"spans\":[{{\"traceID\":\"{id}\",\"spanID\":\"{id}\",\"operationName\":\
         \"GET /\",\"processID\":\"p1\",{SPAN}}}],\"processes\":{{\"p1\":{{\"serviceName\":\"shop\"}}}}}}"
    )
}

#[test]
fn traces_of_jaeger_come_once_and_in_smaller_stretches_when_there_are_many() {
    let server = Server::new(|asked, _| match asked.path() {
        "/api/services" => ok(r#"{"data":["shop","cart"]}"#),
        _ if asked.seconds("end") - asked.seconds("start") > 20_000_000 => {
            let many: Vec<String> = (0..1000).map(|i| jaeger_trace(&format!("{i:016x}"))).collect();
            ok(&format!("{{\"data\":[{}]}}", many.join(",")))
        }
        _ => ok(&format!("{{\"data\":[{}]}}", jaeger_trace("00000000000000aa"))),
    });
    let folder = Scratch::new();
    let request = Request { jaeger: source(&server.url), ..request(folder.path(), 60) };
    let summary = record::run(&request).expect("recorded");
    assert_eq!(summary.missing, 0);
    let raw = read(folder.path());
    assert_eq!(raw.spans.len(), 1, "{:?}", raw.gaps);
    let asked = server.asked().len();
    record::run(&request).expect("complete");
    assert_eq!(server.asked().len(), asked);
}

#[test]
fn traces_of_tempo_are_named_first_and_a_name_is_no_path() {
    let server = Server::new(|asked, _| match asked.path() {
        "/api/search" => {
            ok(r#"{"traces":[{"traceID":"aa11"},{"traceID":"../../admin"},{"traceID":"bb22"}]}"#)
        }
        "/api/traces/aa11" => ok(
            r#"{"batches":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},
            "scopeSpans":[{"spans":[{"traceId":"000000000000000000000000000000aa","spanId":"00000000000000aa","name":"GET /",
            "kind":"SPAN_KIND_SERVER","startTimeUnixNano":"1764172801000000000","endTimeUnixNano":"1764172801500000000"}]}]}]}"#,
        ),
        _ => http("404 Not Found", "", "trace not found"),
    });
    let folder = Scratch::new();
    let request = Request { tempo: source(&server.url), ..request(folder.path(), 60) };
    record::run(&request).expect("recorded");
    let raw = read(folder.path());
    assert_eq!(raw.spans.len(), 1, "{:?}", raw.gaps);
    let said = gaps(folder.path());
    assert!(said.len() == 1 && said[0].contains("2 traces from"), "{said:?}");
    assert!(!server.asked().iter().any(|a| a.target.contains("admin")));
}

#[test]
fn what_is_missing_is_shown_by_the_diagnosis() {
    let server = Server::new(|asked, _| {
        usual(asked, || match asked.get("query").as_str() {
            "up" => http("403 Forbidden", "", "not for you"),
            _ => ok(&matrix(asked)),
        })
    });
    let scratch = Scratch::new();
    let folder = scratch.path().join("x");
    let folder = folder.to_str().expect("UTF-8");
    let window = ["--from", "2025-11-26T16:00:00Z", "--to", "2025-11-26T16:10:00Z"];
    let events = scratch.path().join("none.json");
    let events = ["--kubernetes-events", events.to_str().expect("UTF-8")];
    let args =
        [&["record", "--prometheus", &server.url, "-o", folder][..], &window, &events].concat();
    let run = rootline(&args);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.err.contains("missing: 2, as ") && run.err.contains("next: rootline diagnose"));
    let run = rootline(&["diagnose", folder, "--verbose"]);
    assert_eq!(run.code, 0, "{}", run.err);
    for word in ["record.log", "HTTP status 403", "kubernetes/events", "not recorded"] {
        assert!(run.out.contains(word), "no {word} in {}", run.out);
    }
}

#[test]
fn arguments_that_cannot_work_are_refused_before_anything_is_asked() {
    let scratch = Scratch::new();
    let folder = scratch.path().join("x");
    let folder = folder.to_str().expect("UTF-8");
    let refused = |args: &[&str], words: &[&str]| {
        let run = rootline(&[&["record", "-o", folder], args].concat());
        assert_eq!(run.code, 2, "{args:?}: {}", run.err);
        assert!(words.iter().all(|w| run.err.contains(w)), "{args:?}: {}", run.err);
        assert!(!run.err.contains("hunter2"), "{}", run.err);
        assert!(!Path::new(folder).exists(), "{args:?}");
    };
    refused(&[], &["nothing to record"]);
    refused(&["--prometheus", "http://joe:hunter2@h"], &["can be read by everybody", "hint: "]);
    refused(&["--postgres", "host=h password=hunter2"], &["can be read by everybody"]);
    refused(&["--postgres", "postgres://u:hunter2@h/d"], &["can be read by everybody"]);
    refused(&["--prometheus", "env:NO_SUCH_VARIABLE_9"], &["not set"]);
    refused(&["--prometheus", "http://h", "--bearer-token-file", "/no/such"], &["/no/such"]);
    let both = ["--prometheus", "http://h", "--jaeger", "http://j", "--password-file", "f"];
    refused(&both, &["which source", "prometheus=f"]);
    refused(&["--prometheus", "http://h", "--last", "soon"], &["--last", "30m"]);
    refused(&["--prometheus", "http://h", "--from", "2025-11-26T16:00:00Z"], &["--to"]);
    refused(&["--postgres", "postgres://h/d,postgres://h/e"], &["is the name of", "NAME="]);
    refused(&["--ca-file", "Cargo.toml", "--prometheus", "https://h"], &["no PEM certificate"]);
}

#[test]
fn the_log_of_a_recording_says_what_is_missing_with_its_line() {
    let raw = read(&fixture("formats/record-log"));
    let file = &raw.files[0];
    assert_eq!((file.reader.as_str(), file.rows, file.skipped), ("record-log", 9, 0));
    let said: Vec<_> = raw.gaps.iter().map(|g| (g.line, g.what.as_str())).collect();
    assert_eq!(said.len(), 1, "what came with a later try is not missing: {said:?}");
    assert!(said[0].0 == Some(8) && said[0].1.contains("too many clients already"), "{said:?}");
}

/// What `record --last 2m` took of real servers in the midst of an incident (tests/live/incident.py):
/// each snapshot of sessions is later than the last sample, and none is from before the incident.
#[test]
fn a_recording_from_the_midst_of_an_incident_has_its_cause_first() {
    let said = diagnosed(&root().join("tests/data/record-last"));
    let first = &said["hypotheses"][0];
    assert_eq!(text(&first["signature"]), "idle-in-transaction-blocker");
    assert_eq!(text(&first["entity"]["name"]), "primary");
}

/// Where the store of the test below is: a variable of the environment, which a test cannot set.
static STORE: std::sync::OnceLock<String> = std::sync::OnceLock::new();

fn of_store(name: &str) -> Option<String> {
    match name {
        "AWS_ENDPOINT_URL" => STORE.get().cloned(),
        "AWS_ACCESS_KEY_ID" => Some("an-id".to_owned()),
        "AWS_SECRET_ACCESS_KEY" => Some("hunter2hunter2".to_owned()),
        _ => None,
    }
}

/// First and last byte that a request wants.
fn range(asked: &Asked) -> Option<(usize, usize)> {
    let line = asked
        .head
        .lines()
        .find_map(|l| l.to_lowercase().strip_prefix("range: bytes=").map(str::to_owned))?;
    let (from, to) = line.split_once('-')?;
    Some((from.parse().ok()?, to.trim().parse().ok()?))
}

/// A bucket in two pages: a file of spans, one of another day, and what an engine leaves beside them.
fn answer_of_bucket(spans: &[u8], asked: &Asked, before: usize) -> Vec<u8> {
    let length = spans.len();
    let object =
        |key: &str| format!("<Contents><Key>p/{key}</Key><Size>{length}</Size></Contents>");
    let whole = match (asked.path(), asked.get("continuation-token").as_str()) {
        ("/lake", "") => {
            let more = "<NextContinuationToken>a&amp;b</NextContinuationToken>";
            let page = object("date=2026-11-20/a b.parquet") + &object("_temporary/c.parquet");
            return ok(&format!("<R>{page}{more}</R>"));
        }
        ("/lake", "a%26b") => return ok(&object("date=2026-11-01/x.parquet")),
        ("/lake/p/date%3D2026-11-20/a%20b.parquet", _) => spans,
        _ => return http("404 Not Found", "", "<Message>no such key</Message>"),
    };
    match range(asked).filter(|_| before > 0) {
        // Stores ask to be asked more slowly now and then.
        None => http("503 Slow Down", "Retry-After: 0\r\n", "<Message>slow down</Message>"),
        Some((from, to)) => {
            let body = &whole[from..=to.min(length - 1)];
            let head = format!(
                "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            [head.as_bytes(), body].concat()
        }
    }
}

#[test]
fn spans_of_a_store_are_rolled_up_and_only_the_window_is_fetched() {
    let spans = super::rollup::spans();
    let file = spans.clone();
    let server = Server::new(move |asked, before| answer_of_bucket(&file, asked, before));
    STORE.set(format!("{}/", server.url)).expect("one test only");
    let (folder, here) = (Scratch::new(), Scratch::with(&[("a.parquet", &spans)]));
    let bucket = |url: &str| Some(Bucket::of(url, of_store).expect("a bucket"));
    let begin = super::rollup::FROM;
    // Row groups hold 6 s each; these 9 s touch three of ten.
    let window = Window { from: begin + 10 * SECOND, to: begin + 19 * SECOND };
    let asking =
        |folder: &Path, url: &str| Request { window, spans: bucket(url), ..request(folder, 60) };
    let summary = record::run(&asking(folder.path(), "s3://lake/p/")).expect("recorded");
    assert_eq!((summary.missing, summary.stopped), (0, false), "{}", log(folder.path()));
    let question = Question { bucket: 10 * SECOND, from: Some(window.from), to: Some(window.to) };
    let local = lake::of_parquet(here.path(), &question).expect("spans");
    for table in Table::SPANS {
        let path = folder.path().join(format!("spans/{}.parquet", table.name()));
        assert!(fs::read(path).expect("there") == local.parquet(table).expect("ours"), "{table:?}");
    }
    let asked = server.asked();
    let read: usize = asked.iter().filter_map(range).map(|(from, to)| to + 1 - from).sum();
    assert!(read < spans.len(), "{read} of {} bytes, each asked for twice", spans.len());
    let said = log(folder.path());
    assert!(
        said.contains("1 files opened, 1 of other days") && said.contains("3 of 10 row"),
        "{said}"
    );
    assert!(!said.contains("hunter2") && asked.iter().all(|a| !a.head.contains("hunter2")));
    let signed = |a: &Asked| a.head.contains("AWS4-HMAC-SHA256 Credential=an-id/");
    assert!(asked.iter().all(signed), "{asked:?}");
    assert!(!asked.iter().any(|a| a.path().contains("11-01") || a.path().contains("_temporary")));

    let none = Scratch::new();
    let why = record::run(&asking(none.path(), "s3://elsewhere/")).expect_err("refused");
    assert!(why.to_string().contains("nothing could be recorded"), "{why}");
    assert!(gaps(none.path())[0].contains("404: no such key"), "{:?}", gaps(none.path()));
}
