//! pg_stat_activity and pg_locks as CSV: one snapshot or many, with or without a snapshot time,
//! `pg_blocking_pids` and `waitstart`. Statements are normalised here; literals go no further.

use super::raw::{Raw, RawLock, RawSession};
use super::table::{Table, is_missing};
use super::{Head, Input, csv_text, sql};
use crate::model::{GapKind, Micros};
use crate::time;

const SNAPSHOT: [&str; 10] = [
    "snapshot_at",
    "now",
    "clock_timestamp",
    "captured_at",
    "sampled_at",
    "sample_time",
    "collected_at",
    "snapshot_time",
    "ts",
    "timestamp",
];
const BLOCKED_BY: [&str; 5] =
    ["blocked_by", "pg_blocking_pids", "blocking_pids", "blockers", "blocking"];
const SERVER: [&str; 4] = ["server", "server_name", "db_instance", "instance"];

/// Accepts a header with `pid` and two more columns of the view.
pub fn accepts(head: &Head) -> bool {
    let known = [
        "state",
        "wait_event_type",
        "wait_event",
        "query",
        "backend_start",
        "usename",
        "datname",
        "xact_start",
        "query_start",
        "backend_type",
    ];
    let has = |n: &str| head.header.iter().any(|h| h == n);
    has("pid") && known.iter().filter(|n| has(n)).count() >= 2 && !has("granted")
}

/// Accepts a header of pg_locks.
pub fn accepts_locks(head: &Head) -> bool {
    ["locktype", "mode", "granted"].iter().all(|n| head.header.iter().any(|h| h == n))
}

/// The server's name from the file's name: what is left without the view's name.
fn server_of(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.split('.').next().unwrap_or(name).to_lowercase();
    let rest = ["pg_stat_activity", "stat_activity", "pg_locks", "activity", "sessions", "locks"]
        .iter()
        .fold(stem, |s, w| s.replace(w, ""));
    let rest = rest.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
    let worthless = rest.is_empty() || rest.chars().all(|c| !c.is_alphabetic());
    if worthless || rest == "snapshot" || rest == "snapshots" {
        "postgres".to_owned()
    } else {
        rest
    }
}

struct Row<'a> {
    table: &'a Table,
    cells: &'a [String],
}

impl<'a> Row<'a> {
    fn text(&self, names: &[&str]) -> &'a str {
        let cell = self.table.column(names).and_then(|i| self.cells.get(i));
        cell.map(|c| c.trim()).filter(|c| !is_missing(c)).unwrap_or_default()
    }

    fn owned(&self, name: &str) -> String {
        self.text(&[name]).to_owned()
    }

    fn time(&self, names: &[&str], input: &Input) -> Option<Micros> {
        time::parse(self.text(names), input.zone).map(|p| p.at)
    }
}

/// Reads pg_stat_activity rows and groups them into snapshots.
pub fn read(input: &Input, raw: &mut Raw) {
    let table = csv_text::table(input, raw);
    let timed = table.column(&SNAPSHOT).is_some();
    let mut rows = Vec::new();
    let mut snapshot = 0;
    for (cells, line) in table.rows.iter().zip(&table.lines) {
        if cells.iter().map(|c| c.trim()).eq(table.header.iter().map(String::as_str)) {
            snapshot += 1;
            continue;
        }
        match session(input, &Row { table: &table, cells }, *line, raw) {
            Some(session) => rows.push(RawSession { snapshot, ..session }),
            None => raw.skip(input.file, Some(*line), "session row without a readable pid", 1),
        }
    }
    if timed {
        let before = rows.len();
        let bad = rows.iter().find(|r| r.at == 0).map(|r| r.line);
        rows.retain(|r| r.at != 0);
        if let Some(line) = bad {
            let why = "session row without a readable snapshot time";
            raw.skip(input.file, Some(line), why, (before - rows.len()) as u64);
        }
    }
    number_snapshots(&mut rows, timed);
    if !timed && !rows.is_empty() {
        let what = "no snapshot time column: each snapshot's time is a lower bound, the latest \
                    state_change or query_start in it (add `now()` to the query)";
        raw.gap(GapKind::Inferred, input.file, None, what);
    }
    if !rows.is_empty() && table.column(&BLOCKED_BY).is_none() {
        let what = "no pg_blocking_pids column: who blocks whom is not known";
        raw.gap(GapKind::Missing, input.file, None, what);
    }
    let hidden = rows.iter().filter(|r| r.query.contains("insufficient privilege")).count();
    if hidden > 0 {
        let what =
            format!("{hidden} rows hide their statement: export as a pg_read_all_stats role");
        raw.gap(GapKind::Missing, input.file, None, what);
    }
    raw.rows(input.file, rows.len() as u64);
    rows.retain(|r| !r.query.contains("pg_stat_activity"));
    raw.sessions.append(&mut rows);
}

fn session(input: &Input, row: &Row, line: u64, raw: &mut Raw) -> Option<RawSession> {
    let pid = row.text(&["pid", "procpid"]).parse().ok()?;
    let statement = sql::normalize(row.text(&["query", "current_query"]));
    let named = row.text(&SERVER);
    let blocked_by = row.table.column(&BLOCKED_BY).map(|_| pids(row.text(&BLOCKED_BY)));
    let at = row.time(&SNAPSHOT, input);
    if at.is_none() && row.table.column(&SNAPSHOT).is_some() && !row.text(&SNAPSHOT).is_empty() {
        let bad = row.text(&SNAPSHOT);
        let what = format!("snapshot time \"{bad}\" is not RFC 3339 or PostgreSQL ISO");
        raw.gap(GapKind::Skipped, input.file, Some(line), what);
    }
    Some(RawSession {
        file: input.file,
        line,
        server: if named.is_empty() { server_of(input.path) } else { named.to_owned() },
        at: at.unwrap_or(0),
        snapshot: 0,
        pid,
        leader_pid: row.text(&["leader_pid"]).parse().ok(),
        database: row.owned("datname"),
        user: row.owned("usename"),
        application: row.owned("application_name"),
        client_addr: row.owned("client_addr"),
        backend_start: row.time(&["backend_start"], input),
        xact_start: row.time(&["xact_start"], input),
        query_start: row.time(&["query_start"], input),
        state_change: row.time(&["state_change"], input),
        wait_start: row.time(&["waitstart", "wait_start"], input),
        wait_event_type: row.owned("wait_event_type"),
        wait_event: row.owned("wait_event"),
        state: row.owned("state"),
        backend_type: row.owned("backend_type"),
        query: statement.text,
        query_tag: statement.tag,
        blocked_by,
    })
}

fn pids(cell: &str) -> Vec<i64> {
    cell.split(|c: char| !c.is_ascii_digit()).filter_map(|p| p.parse().ok()).collect()
}

/// Gives each row the number of its snapshot, and each untimed snapshot its lower bound.
fn number_snapshots(rows: &mut [RawSession], timed: bool) {
    if timed {
        rows.sort_by(|a, b| (a.at, a.pid).cmp(&(b.at, b.pid)));
        let mut number = 0;
        for i in 0..rows.len() {
            if i > 0 && rows[i].at != rows[i - 1].at {
                number += 1;
            }
            rows[i].snapshot = number;
        }
        return;
    }
    // Without a time, a pid that comes again starts the next snapshot.
    let mut seen = std::collections::BTreeSet::new();
    let (mut number, mut block) = (0, rows.first().map_or(0, |r| r.snapshot));
    for row in rows.iter_mut() {
        if row.snapshot != block || !seen.insert(row.pid) {
            block = row.snapshot;
            number += 1;
            seen = std::collections::BTreeSet::from([row.pid]);
        }
        row.snapshot = number;
    }
    let mut start = 0;
    while start < rows.len() {
        let end =
            start + rows[start..].iter().take_while(|r| r.snapshot == rows[start].snapshot).count();
        let latest = rows[start..end]
            .iter()
            .flat_map(|r| [r.state_change, r.query_start, r.xact_start])
            .flatten()
            .max();
        for row in &mut rows[start..end] {
            row.at = latest.unwrap_or(0);
        }
        start = end;
    }
}

/// Reads pg_locks rows.
pub fn read_locks(input: &Input, raw: &mut Raw) {
    let table = csv_text::table(input, raw);
    for (cells, line) in table.rows.iter().zip(&table.lines) {
        let row = Row { table: &table, cells };
        let Ok(pid) = row.text(&["pid"]).parse() else {
            raw.skip(input.file, Some(*line), "lock row without a readable pid", 1);
            continue;
        };
        raw.locks.push(RawLock {
            server: server_of(input.path),
            at: row.time(&SNAPSHOT, input),
            pid,
            relation: row.owned("relation"),
            mode: row.owned("mode"),
            granted: ["t", "true", "1"].contains(&row.text(&["granted"])),
        });
        raw.rows(input.file, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_named_after_the_file() {
        assert_eq!(server_of("pg/replica_pg_stat_activity.csv.gz"), "replica");
        assert_eq!(server_of("pg_stat_activity.csv"), "postgres");
        assert_eq!(server_of("orders-db-activity-2.csv"), "orders-db--2");
    }

    #[test]
    fn snapshots_without_a_time_are_split_where_a_pid_comes_again() {
        let row = |pid, t| RawSession { pid, query_start: Some(t), ..RawSession::default() };
        let mut rows = vec![row(1, 10), row(2, 12), row(1, 20), row(2, 11)];
        number_snapshots(&mut rows, false);
        assert_eq!(rows.iter().map(|r| r.snapshot).collect::<Vec<_>>(), [0, 0, 1, 1]);
        assert_eq!(rows.iter().map(|r| r.at).collect::<Vec<_>>(), [12, 12, 20, 20]);
    }

    #[test]
    fn blockers_are_read_from_every_array_form() {
        assert_eq!(pids("{31608}"), [31608]);
        assert_eq!(pids("[1, 2]"), [1, 2]);
        assert_eq!(pids("{}"), Vec::<i64>::new());
    }
}
