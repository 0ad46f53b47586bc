//! The server for agents, driven from outside: a session as a client has it, and requests that are
//! none.

use super::support::{fixture, program, rootline};
use rootline::Options;
use rootline::catalog::Catalog;
use rootline::mcp::Server;
use serde_json::{Value, json};
use std::io::Write;
use std::process::Stdio;

const INCIDENT: &str = "fixtures/incidents/pool-exhaustion";
/// Bound of one answer, bytes.
const ANSWER_MAX: usize = 4096;

/// Sends lines to one server and gives what it answers, each line checked for its bound.
fn session(lines: &[Vec<u8>]) -> Vec<Value> {
    let mut child = program(&["mcp", INCIDENT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut input = child.stdin.take().expect("it has a standard input");
    let sent = lines.concat();
    let writer = std::thread::spawn(move || input.write_all(&sent));
    let done = child.wait_with_output().expect("it ends with its input");
    writer.join().expect("the writer ends").expect("everything is read");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let out = String::from_utf8(done.stdout).expect("answers are UTF-8");
    out.lines()
        .map(|l| {
            assert!(l.len() < ANSWER_MAX, "{} bytes: {l}", l.len());
            let value: Value = serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"));
            assert_eq!(value["jsonrpc"], "2.0", "{l}");
            value
        })
        .collect()
}

fn request(id: u64, method: &str, params: Value) -> Vec<u8> {
    let all = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
    format!("{all}\n").into_bytes()
}

fn call(id: u64, tool: &str, arguments: Value) -> Vec<u8> {
    request(id, "tools/call", json!({ "name": tool, "arguments": arguments }))
}

/// What a tool answered, as JSON.
fn told(answer: &Value) -> Value {
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    let text = answer["result"]["content"][0]["text"].as_str().expect("a tool answers in text");
    serde_json::from_str(text).expect("the text is JSON")
}

#[test]
fn a_session_lists_five_tools_and_calls_each() {
    let hello = json!({ "protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } });
    let answers = session(&[
        request(1, "initialize", hello),
        b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n".to_vec(),
        request(2, "tools/list", json!({})),
        call(3, "diagnosis", json!({})),
        call(4, "hypotheses", json!({})),
        call(5, "evidence", json!({ "hypothesis": "h1" })),
        call(6, "timeline", Value::Null),
        call(7, "explain_signature", json!({ "signature": "DB-0001" })),
        request(8, "ping", Value::Null),
    ]);
    let ids: Vec<u64> = answers.iter().filter_map(|a| a["id"].as_u64()).collect();
    assert_eq!(ids, [1, 2, 3, 4, 5, 6, 7, 8], "a notification has no answer");
    assert_eq!(answers[0]["result"]["protocolVersion"], "2025-03-26");
    assert_eq!(answers[0]["result"]["serverInfo"]["name"], "rootline");
    let tools = answers[1]["result"]["tools"].as_array().expect("tools are a list");
    assert_eq!(tools.len(), 5);
    for tool in tools {
        assert_eq!(tool["annotations"]["readOnlyHint"], true, "{tool}");
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
    }
    let d = told(&answers[2]);
    assert_eq!(d["verdict"], "confirmed");
    assert_eq!(d["first"]["signature"], "long-running-query-blocking");
    assert!(
        d["do_now"][0]["command"].as_str().is_some_and(|c| c.contains("pg_cancel_backend(13305)"))
    );
    assert_eq!(told(&answers[3])["hypotheses"][0]["id"], "H1");
    let e = told(&answers[4]);
    assert_eq!(e["evidence"][0]["file"], "pg/replica_pg_stat_activity.csv.gz");
    assert_eq!(e["evidence"][0]["line"], 730);
    assert!(told(&answers[5])["timeline"].as_array().is_some_and(|t| t.len() > 5));
    let text = told(&answers[6])["lines"].to_string();
    assert!(text.contains("long-running-query-blocking"), "{text}");
}

#[test]
fn pages_join_to_the_whole_list() {
    let mut offset = 0;
    let (mut seen, mut total) = (Vec::new(), u64::MAX);
    while (seen.len() as u64) < total {
        let answers = session(&[call(1, "hypotheses", json!({ "offset": offset }))]);
        let page = told(&answers[0]);
        total = page["total"].as_u64().expect("a page says how many there are");
        let items = page["hypotheses"].as_array().expect("a page has items").clone();
        assert!(!items.is_empty(), "no page is empty before the end");
        seen.extend(items.iter().map(|h| h["id"].clone()));
        offset = page["next_offset"].as_u64().unwrap_or(total);
    }
    let all: Vec<Value> = (1..=total).map(|n| json!(format!("H{n}"))).collect();
    assert_eq!(seen, all);
    let past = session(&[call(1, "timeline", json!({ "offset": 1_000_000_u64 }))]);
    assert_eq!(told(&past[0])["timeline"], json!([]));
}

#[test]
fn what_is_no_request_gets_the_error_of_json_rpc() {
    let huge = [vec![b'x'; 200_000], b"\n".to_vec()].concat();
    let name = "n".repeat(3000);
    let long_id = format!("{{\"jsonrpc\":\"2.0\",\"id\":\"{name}\",\"method\":\"ping\"}}\n");
    let cases: Vec<(Vec<u8>, i64)> = vec![
        (b"not json\n".to_vec(), -32700),
        (b"{\"jsonrpc\":\"2.0\"\n".to_vec(), -32700),
        (b"\xff\xfe\n".to_vec(), -32700),
        (b"[]\n".to_vec(), -32600),
        (b"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]\n".to_vec(), -32600),
        (b"7\n".to_vec(), -32600),
        (b"{\"id\":1,\"method\":\"ping\"}\n".to_vec(), -32600),
        (b"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}\n".to_vec(), -32600),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1}\n".to_vec(), -32600),
        (b"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}\n".to_vec(), -32600),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":5}\n".to_vec(), -32600),
        (long_id.into_bytes(), -32600),
        (huge, -32600),
        (request(1, "resources/read", json!({ "uri": "file:///etc/passwd" })), -32601),
        (request(1, &name, json!({})), -32601),
        (request(1, "tools/call", json!({})), -32602),
        (request(1, "tools/call", json!([1])), -32602),
        (call(1, "shell", json!({ "command": "id" })), -32602),
        (call(1, "evidence", json!({})), -32602),
        (call(1, "evidence", json!({ "hypothesis": 1 })), -32602),
        (call(1, "evidence", json!([])), -32602),
        (call(1, "timeline", json!({ "offset": -1 })), -32602),
        (call(1, "timeline", json!({ "offset": 0.5 })), -32602),
        (call(1, "diagnosis", json!({ "folder": "/etc" })), -32602),
    ];
    // One server takes them all, and still answers afterwards.
    let mut lines: Vec<Vec<u8>> = cases.iter().map(|c| c.0.clone()).collect();
    lines.push(b"\n  \n".to_vec());
    lines.push(request(99, "ping", json!({})));
    let answers = session(&lines);
    assert_eq!(answers.len(), cases.len() + 1);
    for ((line, code), answer) in cases.iter().zip(&answers) {
        let shown: String = String::from_utf8_lossy(line).chars().take(100).collect();
        assert_eq!(answer["error"]["code"], *code, "{shown}: {answer}");
        assert!(answer.get("result").is_none(), "{answer}");
    }
    assert_eq!(answers[cases.len()]["result"], json!({}));
}

#[test]
fn a_name_that_is_not_known_is_an_error_of_the_tool() {
    let name = "\u{1F525}".repeat(9000);
    let answers = session(&[
        call(1, "evidence", json!({ "hypothesis": "H999" })),
        call(2, "explain_signature", json!({ "signature": "no-such-thing" })),
        call(3, "explain_signature", json!({ "signature": name })),
    ]);
    for a in &answers {
        assert_eq!(a["result"]["isError"], true, "{a}");
    }
    assert!(answers[0].to_string().contains("H1 to H"), "{}", answers[0]);
}

#[test]
fn a_folder_that_is_not_there_is_an_error_before_any_session() {
    let run = rootline(&["mcp", "no/such/folder"]);
    assert_eq!((run.code, run.out.as_str()), (2, ""), "{}", run.err);
}

#[test]
fn every_signature_and_every_hypothesis_is_told_within_the_bound() {
    let catalog = Catalog::built_in().expect("the built-in catalogue is sound");
    let folder = fixture("incidents/pool-exhaustion");
    let diagnosis = rootline::diagnose(&folder, &Options::default()).expect("it is readable");
    let server = Server { diagnosis: &diagnosis, catalog: &catalog };
    let names =
        catalog.signatures.iter().map(|s| ("explain_signature", "signature", &s.signature.id));
    let ids = diagnosis.hypotheses.iter().map(|h| ("evidence", "hypothesis", &h.id));
    for (tool, argument, name) in names.chain(ids) {
        let mut offset = 0;
        loop {
            let sent = call(1, tool, json!({ argument: name, "offset": offset }));
            let answer = server.answer(&sent).expect("a call is answered");
            assert!(answer.len() < ANSWER_MAX, "{tool} {name}: {} bytes", answer.len());
            let page = told(&serde_json::from_str(&answer).expect("it is JSON"));
            match page["next_offset"].as_u64() {
                Some(next) => assert!(next > offset, "{tool} {name} goes on"),
                None => break,
            }
            offset = page["next_offset"].as_u64().unwrap_or(offset);
        }
    }
}
