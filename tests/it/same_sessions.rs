//! One set of sessions through every shape of pg_stat_activity. In: the writers below.
//! Out: the same sessions.

use super::same_data::{Files, T0, name, one, read, rolled_up, same};
use super::same_metrics_written::{parquet, utf_16};
use arrow::array::{ArrayRef, StringArray};
use arrow::record_batch::RecordBatch;
use rootline::ingest::raw::{RawSession, Session};
use rootline::model::EntityId;
use rootline::normalize::normalize;
use rootline::telemetry::Telemetry;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const COLUMNS: [&str; 15] = [
    "now",
    "datid",
    "datname",
    "pid",
    "usename",
    "application_name",
    "client_addr",
    "xact_start",
    "query_start",
    "wait_event_type",
    "wait_event",
    "state",
    "query",
    "backend_type",
    "blocked_by",
];

/// Rows of cells as `psql --csv` writes them; an empty one is null.
type Rows = Vec<Vec<String>>;

/// `2026-11-20 20:10:00.5+00` of a time within the hour.
fn moment(t: i64) -> String {
    let seconds = t - T0 + 600;
    format!("2026-11-20 20:{:02}:{:02}.5+00", seconds / 60, seconds % 60)
}

/// Three snapshots: one transaction held open, one waiting for it, one running, and a checkpointer.
fn canonical() -> Rows {
    let mut rows = Rows::new();
    for k in 0..3 {
        let now = T0 + 30 * k;
        let (begun, later) = (moment(T0 - 60), moment(now - 2));
        let mut add = |pid: &str, app: &str, times: [&str; 2], wait: [&str; 2], rest: [&str; 4]| {
            let [state, query, kind, blockers] = rest;
            let client = kind == "client backend";
            let of = |text: &str| if client { text } else { "" }.to_owned();
            let at = moment(now);
            let own = [at.as_str(), pid, app].map(str::to_owned);
            let [now, pid, app] = own;
            let row = [
                [now, of("16385"), of("shop"), pid, of("app"), app, of("10.0.0.7")].to_vec(),
                [times, wait].concat().into_iter().map(str::to_owned).collect(),
                [state, query, kind, blockers].map(str::to_owned).to_vec(),
            ];
            rows.push(row.concat());
        };
        let lock = "update t set v='x|y' /* multi\nline \"comment\" */ where id=1";
        let client = "client backend";
        add(
            "501",
            "checkout",
            [&begun, &begun],
            ["Client", "ClientRead"],
            ["idle in transaction", "update t set v='a' where id=1", client, "{}"],
        );
        add(
            "502",
            "orders",
            [&later, &later],
            ["Lock", "transactionid"],
            ["active", lock, client, "{501}"],
        );
        add(
            "503",
            "orders",
            [&later, &later],
            ["Lock", "tuple"],
            ["active", lock, client, "{501,502}"],
        );
        add(
            "504",
            "search",
            [&later, &later],
            ["", ""],
            ["active", "select größe from items where name = 'ann'", client, "{}"],
        );
        add("99", "", ["", ""], ["Activity", "CheckpointerMain"], ["", "", "checkpointer", "{}"]);
    }
    rows
}

fn csv_of(rows: &Rows, by: u8) -> Vec<u8> {
    let mut out = csv::WriterBuilder::new().delimiter(by).from_writer(Vec::new());
    out.write_record(COLUMNS).expect("memory can be written");
    rows.iter().for_each(|r| out.write_record(r).expect("memory can be written"));
    out.into_inner().expect("memory can be written")
}

fn csv_file(rows: &Rows) -> Files {
    one("main_pg_stat_activity.csv", csv_of(rows, b','))
}

fn semicolons(rows: &Rows) -> Files {
    one("main_pg_stat_activity.csv", csv_of(rows, b';'))
}

/// The header again before each snapshot, as with `\watch`.
fn watched_csv(rows: &Rows) -> Files {
    let parts = rows.chunks(5).flat_map(|part| csv_of(&part.to_vec(), b','));
    one("main_pg_stat_activity.csv", parts.collect::<Vec<u8>>())
}

fn excel(rows: &Rows) -> Files {
    let text = String::from_utf8(csv_of(rows, b'\t')).expect("UTF-8");
    one("main_pg_stat_activity.csv", utf_16(&text))
}

/// A row as `row_to_json` writes it: oids as text, times with `T`, arrays.
fn object(row: &[String]) -> Value {
    let cell = |column: &str, text: &String| match column {
        _ if text.is_empty() => Value::Null,
        "pid" => json!(text.parse::<i64>().expect("a pid")),
        "now" | "xact_start" | "query_start" => {
            json!(text.replace(' ', "T").replace("+00", "+00:00"))
        }
        "blocked_by" => {
            let pids = text.trim_matches(['{', '}']).split(',').filter(|p| !p.is_empty());
            json!(pids.map(|p| p.parse::<i64>().expect("a pid")).collect::<Vec<_>>())
        }
        _ => json!(text),
    };
    let cells = COLUMNS.iter().zip(row).map(|(c, t)| ((*c).to_owned(), cell(c, t)));
    Value::Object(cells.collect::<Map<_, _>>())
}

fn json_agg(rows: &Rows) -> Files {
    let all: Vec<Value> = rows.iter().map(|r| object(r)).collect();
    one("main_pg_stat_activity.json", json!(all).to_string())
}

fn json_lines(rows: &Rows) -> Files {
    let lines = rows.iter().map(|r| format!("{}\n", object(r)));
    one("main_pg_stat_activity.jsonl", lines.collect::<String>())
}

fn width(text: &str) -> usize {
    text.split('\n').map(|l| l.chars().count()).max().unwrap_or(0)
}

fn padded(text: &str, to: usize) -> String {
    format!("{text}{}", " ".repeat(to.saturating_sub(text.chars().count())))
}

/// The table of psql, a line break inside a cell as `+`.
fn aligned(rows: &Rows) -> Files {
    let widths: Vec<usize> = (0..COLUMNS.len())
        .map(|i| rows.iter().map(|r| width(&r[i])).chain([COLUMNS[i].len()]).max().unwrap_or(0))
        .collect();
    let header: Vec<String> =
        COLUMNS.iter().zip(&widths).map(|(c, w)| format!(" {} ", padded(c, *w))).collect();
    let rule: Vec<String> = widths.iter().map(|w| "-".repeat(w + 2)).collect();
    let mut text = format!("{}\n{}\n", header.join("|"), rule.join("+"));
    for row in rows {
        let cells: Vec<Vec<&str>> = row.iter().map(|c| c.split('\n').collect()).collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(1);
        for line in 0..height {
            let cell = |(c, w): (&Vec<&str>, &usize)| {
                let more = if line + 1 < c.len() { '+' } else { ' ' };
                format!(" {}{more}", padded(c.get(line).unwrap_or(&""), *w))
            };
            let line: Vec<String> = cells.iter().zip(&widths).map(cell).collect();
            text += &format!("{}\n", line.join("|").trim_end());
        }
    }
    one("main_pg_stat_activity.txt", format!("{text}({} rows)\n\n", rows.len()))
}

fn expanded(rows: &Rows) -> Files {
    let mut text = String::new();
    for (n, row) in rows.iter().enumerate() {
        let title = format!("-[ RECORD {} ]", n + 1);
        text += &format!("{title}{}+{}\n", "-".repeat(17 - title.len()), "-".repeat(60));
        for (column, value) in COLUMNS.iter().zip(row) {
            let mut lines = value.split('\n').peekable();
            let mut named = *column;
            while let Some(line) = lines.next() {
                let more = if lines.peek().is_some() { "+" } else { "" };
                let line = if more.is_empty() { line.to_owned() } else { padded(line, 59) };
                text += &format!("{}| {line}{more}\n", padded(named, 17));
                named = "";
            }
        }
    }
    one("main_pg_stat_activity.txt", text)
}

fn parquet_of(rows: &Rows) -> Files {
    let column = |i: usize| -> ArrayRef {
        let cell = |r: &Vec<String>| (!r[i].is_empty()).then(|| r[i].clone());
        Arc::new(rows.iter().map(cell).collect::<StringArray>())
    };
    let columns = COLUMNS.iter().enumerate().map(|(i, c)| (*c, column(i), true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length");
    one("main_pg_stat_activity.parquet", parquet(&batch))
}

/// Shape, its reader and its writer. None of them lacks anything.
type Row = (&'static str, &'static str, fn(&Rows) -> Files);

const SHAPES: [Row; 9] = [
    ("CSV with semicolons", "pg-sessions", semicolons),
    ("CSV of \\watch", "pg-sessions", watched_csv),
    ("tabs in UTF-16", "pg-sessions", excel),
    ("json_agg", "pg-sessions", json_agg),
    ("row_to_json", "pg-sessions", json_lines),
    ("aligned", "pg-sessions", aligned),
    ("expanded", "pg-sessions", expanded),
    ("Parquet", "parquet", parquet_of),
    ("CSV", "pg-sessions", csv_file),
];

fn understood(t: &Telemetry) -> Vec<String> {
    let line = |(server, s): (EntityId, &Session)| {
        let plain = RawSession { file: 0, line: 0, ..s.into() };
        format!("{:05} {} {plain:?}", s.pid, name(t, server.0))
    };
    let mut lines: Vec<String> = t.sessions.iter().map(line).collect();
    lines.sort();
    lines
}

#[test]
fn sessions_are_the_same_through_every_shape() {
    let rows = canonical();
    let first = read(&csv_file(&rows), "pg-sessions");
    assert_eq!(first.sessions.len(), rows.len());
    let waits = first.sessions.iter().find(|s| s.pid == 503).expect("it waits");
    assert_eq!(waits.blocked_by, Some(vec![501, 502]));
    let first = normalize(first).expect("understood");
    assert!(rolled_up(&first, true).len() > 4, "{:?}", rolled_up(&first, true));
    let mut wrong: Vec<String> = Vec::new();
    for (shape, reader, write) in SHAPES {
        let raw = read(&write(&rows), reader);
        let t = normalize(raw).expect("understood");
        wrong.extend(same(shape, &understood(&t), &understood(&first)));
        let (found, want) = (rolled_up(&t, true), rolled_up(&first, true));
        wrong.extend(same(&format!("{shape}, rolled up"), &found, &want));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
