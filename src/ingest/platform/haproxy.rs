//! HAProxy's `show stat`. In: CSV that starts `# pxname,svname`, one snapshot or many. Out: values
//! under the names of haproxy_exporter, in seconds, and an alert for each server that is down.

use super::states::{self, States};
use crate::ingest::raw::{Raw, RawEvent};
use crate::ingest::{Head, Input, cell};
use crate::model::{Micros, SECOND};
use crate::time;

/// Columns of frontends, backends and servers: letters of those that have it, column, metric, factor.
const NAMES: [(&str, &str, &str, f64); 31] = [
    ("bs", "qcur", "current_queue", 1.0),
    ("bs", "qmax", "max_queue", 1.0),
    ("fbs", "scur", "current_sessions", 1.0),
    ("fbs", "smax", "max_sessions", 1.0),
    ("fbs", "slim", "limit_sessions", 1.0),
    ("fbs", "stot", "connections_total", 1.0),
    ("fbs", "bin", "bytes_in_total", 1.0),
    ("fbs", "bout", "bytes_out_total", 1.0),
    ("f", "dreq", "requests_denied_total", 1.0),
    ("f", "ereq", "request_errors_total", 1.0),
    ("bs", "econ", "connection_errors_total", 1.0),
    ("bs", "eresp", "response_errors_total", 1.0),
    ("bs", "wretr", "retry_warnings_total", 1.0),
    ("bs", "wredis", "redispatch_warnings_total", 1.0),
    ("bs", "weight", "weight", 1.0),
    ("s", "chkfail", "check_failures_total", 1.0),
    ("bs", "downtime", "downtime_seconds_total", 1.0),
    ("fbs", "rate", "current_session_rate", 1.0),
    ("f", "rate_lim", "limit_session_rate", 1.0),
    ("fbs", "rate_max", "max_session_rate", 1.0),
    ("s", "check_duration", "check_duration_seconds", 1e-3),
    ("f", "req_tot", "http_requests_total", 1.0),
    ("b", "act", "current_server", 1.0),
    ("bs", "cli_abrt", "client_aborts_total", 1.0),
    ("bs", "srv_abrt", "server_aborts_total", 1.0),
    ("bs", "qtime", "http_queue_time_average_seconds", 1e-3),
    ("bs", "ctime", "http_connect_time_average_seconds", 1e-3),
    ("bs", "rtime", "http_response_time_average_seconds", 1e-3),
    ("bs", "ttime", "http_total_time_average_seconds", 1e-3),
    ("fb", "ssl_failed_handshake", "ssl_failed_handshake_total", 1.0),
    ("s", "throttle", "current_throttle", 1.0),
];

/// Columns of answers by class.
const CLASSES: [(&str, &str); 6] = [
    ("hrsp_1xx", "1xx"),
    ("hrsp_2xx", "2xx"),
    ("hrsp_3xx", "3xx"),
    ("hrsp_4xx", "4xx"),
    ("hrsp_5xx", "5xx"),
    ("hrsp_other", "other"),
];

/// Accepts the header among the first lines, with or without its `# `.
pub fn accepts(head: &Head) -> bool {
    let text = String::from_utf8_lossy(head.bytes);
    text.lines().take(8).any(is_header)
}

fn is_header(line: &str) -> bool {
    line.trim_start_matches(['#', ' ']).starts_with("pxname,svname,")
}

/// Reads every snapshot: each begins with its header.
pub fn read(input: &Input, raw: &mut Raw) {
    let text = String::from_utf8_lossy(input.bytes);
    let mut states = States::default();
    let mut header: Vec<&str> = Vec::new();
    let mut down: Vec<Down> = Vec::new();
    let mut stamp = None;
    for (line, number) in text.lines().map(str::trim).zip(input.first_line..) {
        if is_header(line) {
            header = line.trim_start_matches(['#', ' ']).split(',').collect();
            states.begin(stamp.take(), number);
        } else if let Some(parsed) = states::stamp(line, input.zone) {
            stamp = Some(parsed.at);
            if parsed.zone_assumed {
                raw.zone_assumed(input.file);
            }
        } else if !line.is_empty() {
            let cells = cells(line);
            if header.is_empty() || cells.len() != header.len() {
                let what = "row has another number of fields than its header";
                raw.skip(input.file, Some(number), what, 1);
                continue;
            }
            let row = Row { header: &header, cells: &cells, line: number };
            for (column, _) in header.iter().zip(&cells).filter(|(c, v)| !v.is_empty() && !known(c))
            {
                raw.pass_over(input.file, "columns of `show stat` without a metric", column, 1);
            }
            down.extend(values(&row, &mut states, input, raw));
        }
    }
    if states.is_empty() {
        return;
    }
    let last = states.finish(input, raw);
    let mut said: Vec<RawEvent> = Vec::new();
    for down in down {
        let Some(at) = down.at.or(last) else { continue };
        let since = at.saturating_sub(down.seconds.saturating_mul(SECOND));
        let Some(since) = time::believable(since) else { continue };
        let event = event(down, since, input.file);
        // Every later snapshot says it again, to the second.
        let same = |e: &RawEvent| {
            (&e.target, &e.title) == (&event.target, &event.title)
                && (e.at - event.at).abs() <= 2 * SECOND
        };
        if !said.iter().rev().take(DOWN_MAX).any(same) {
            said.push(event);
        }
    }
    raw.rows(input.file, said.len() as u64);
    raw.events.append(&mut said);
}

/// Says whether something is made of a column.
fn known(column: &str) -> bool {
    let own = ["pxname", "svname", "type", "status", "lastchg", ""];
    own.contains(&column)
        || NAMES.iter().any(|n| n.1 == column)
        || CLASSES.iter().any(|c| c.0 == column)
}

/// Events that are looked back on to find one that was said before.
const DOWN_MAX: usize = 1_000;

/// The cells of a line; a health check's words may be quoted and hold commas.
fn cells(line: &str) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
    let first = reader.records().next().and_then(Result::ok);
    first.map(|r| r.iter().map(|c| c.trim().to_owned()).collect()).unwrap_or_default()
}

/// One row with the names of its cells.
struct Row<'a> {
    header: &'a [&'a str],
    cells: &'a [String],
    line: u64,
}

impl Row<'_> {
    fn get(&self, column: &str) -> &str {
        let place = self.header.iter().position(|h| *h == column);
        place.and_then(|p| self.cells.get(p)).map_or("", String::as_str)
    }
}

/// A server or a backend that is not up, and for how many seconds.
struct Down {
    /// Time of the snapshot, if the file says it.
    at: Option<Micros>,
    seconds: Micros,
    backend: String,
    server: String,
    status: String,
    line: u64,
}

/// Turns one row to values; gives what is down.
fn values(row: &Row, states: &mut States, input: &Input, raw: &mut Raw) -> Option<Down> {
    let (proxy, member) = (row.get("pxname"), row.get("svname"));
    let (letter, part, labels) = match member {
        "FRONTEND" => ('f', "frontend", vec![("frontend", proxy)]),
        "BACKEND" => ('b', "backend", vec![("backend", proxy)]),
        // A listener of a frontend is no server.
        _ if row.get("type") == "3" => return None,
        server => ('s', "server", vec![("backend", proxy), ("server", server)]),
    };
    for (kinds, column, name, factor) in NAMES {
        let text = row.get(column);
        if !kinds.contains(letter) || text.is_empty() {
            continue;
        }
        match cell::number(text) {
            Some(v) => states.put(&format!("haproxy_{part}_{name}"), &labels, v * factor),
            None => {
                let what = format!("{column} \"{}\" is not a number", text.escape_debug());
                raw.skip_like(input.file, "field", 1, || (Some(row.line), what));
            }
        }
    }
    for (column, code) in CLASSES {
        if let Some(v) = cell::number(row.get(column)) {
            let labels = [&labels[..], &[("code", code)]].concat();
            states.put(&format!("haproxy_{part}_http_responses_total"), &labels, v);
        }
    }
    let status = row.get("status");
    let up = ["UP", "OPEN", "no check"].iter().any(|s| status.starts_with(s));
    if letter != 'f' {
        states.put(&format!("haproxy_{part}_up"), &labels, f64::from(up));
    }
    let gone = ["DOWN", "MAINT", "NOLB", "DRAIN"].iter().any(|s| status.starts_with(s));
    let seconds = row.get("lastchg").parse::<Micros>().ok().filter(|_| gone)?;
    Some(Down {
        at: states.at(),
        seconds,
        backend: proxy.to_owned(),
        server: if letter == 's' { member.to_owned() } else { String::new() },
        status: status.to_owned(),
        line: row.line,
    })
}

fn event(down: Down, at: Micros, file: u32) -> RawEvent {
    let Down { backend, server, status, line, .. } = down;
    let kind = if status.starts_with("DOWN") { "alert" } else { "maintenance" };
    let who = if server.is_empty() { "backend".to_owned() } else { format!("server {server}") };
    RawEvent {
        at,
        kind: kind.to_owned(),
        title: format!("{who} of {backend} is {status} since then"),
        service: backend,
        target: server,
        version: String::new(),
        file,
        line,
    }
}
