//! pg_stat_activity and pg_locks as CSV: one snapshot or many, with or without a snapshot time,
//! `pg_blocking_pids` and `waitstart`. Statements are normalised here; literals go no further.

use super::cell::{is_missing, moment};
use super::raw::{Raw, RawLock, RawSession};
use super::table::Table;
use super::{Head, Input, csv_text, sql};
use crate::model::{GapKind, Micros, SECOND};
use std::collections::{BTreeMap, BTreeSet};

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
        moment(self.text(names), input.zone)
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
        let row = Row { table: &table, cells };
        match session(input, &row, *line) {
            Some(session) if timed && session.at == 0 => untimed(input, &row, *line, raw),
            Some(session) => rows.push(RawSession { snapshot, ..session }),
            None => raw.skip(input.file, Some(*line), "session row without a readable pid", 1),
        }
    }
    match timed {
        true => number_timed(&mut rows),
        false => number_untimed(&mut rows),
    }
    about_rows(input, &table, &rows, raw);
    raw.rows(input.file, rows.len() as u64);
    rows.retain(|r| !r.query.contains("pg_stat_activity"));
    raw.sessions.append(&mut rows);
}

/// Counts a row whose snapshot time is missing or not readable.
fn untimed(input: &Input, row: &Row, line: u64, raw: &mut Raw) {
    let bad = row.text(&SNAPSHOT);
    if bad.is_empty() {
        raw.skip(input.file, Some(line), "session row without a snapshot time", 1);
        return;
    }
    let what = || format!("snapshot time \"{bad}\" is not RFC 3339 or PostgreSQL ISO");
    raw.skip_like(input.file, "snapshot time", 1, || (Some(line), what()));
}

/// Says what the export leaves open: snapshot times, blockers, hidden statements.
fn about_rows(input: &Input, table: &Table, rows: &[RawSession], raw: &mut Raw) {
    let timed = table.column(&SNAPSHOT).is_some();
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
}

fn session(input: &Input, row: &Row, line: u64) -> Option<RawSession> {
    let pid = row.text(&["pid", "procpid"]).parse().ok()?;
    let statement = sql::normalize(row.text(&["query", "current_query"]));
    let named = row.text(&SERVER);
    let blocked_by = row.table.column(&BLOCKED_BY).map(|_| pids(row.text(&BLOCKED_BY)));
    Some(RawSession {
        file: input.file,
        line,
        server: if named.is_empty() { server_of(input.path) } else { named.to_owned() },
        at: row.time(&SNAPSHOT, input).unwrap_or(0),
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

/// Numbers the snapshots of rows that have a time.
///
/// With `now()` all rows of a snapshot share their time. With `clock_timestamp()` each row has its
/// own: there a snapshot ends where a pid comes again or a second passes, and has its first time.
fn number_timed(rows: &mut [RawSession]) {
    rows.sort_by_key(|r| (r.at, r.pid));
    let shared = is_shared(rows);
    let mut seen = BTreeSet::new();
    let (mut number, mut first, mut last) = (0, 0, None);
    for row in rows.iter_mut() {
        let next = match last {
            None => true,
            Some(t) if shared => row.at != t,
            Some(t) => row.at - t >= SECOND || seen.contains(&(row.server.clone(), row.pid)),
        };
        if next {
            number += u32::from(last.is_some());
            first = row.at;
            seen.clear();
        }
        seen.insert((row.server.clone(), row.pid));
        last = Some(row.at);
        (row.snapshot, row.at) = (number, first);
    }
    rows.sort_by_key(|r| (r.snapshot, r.pid));
}

/// Says whether rows share their times: most of them have another row's.
fn is_shared(rows: &[RawSession]) -> bool {
    let mut same: BTreeMap<Micros, usize> = BTreeMap::new();
    for row in rows {
        *same.entry(row.at).or_default() += 1;
    }
    same.values().filter(|n| **n > 1).sum::<usize>() * 2 > rows.len()
}

/// Numbers the snapshots of rows without a time and gives each its lower bound: a pid that comes
/// again starts the next one.
fn number_untimed(rows: &mut [RawSession]) {
    let mut seen = BTreeSet::new();
    let (mut number, mut block) = (0, rows.first().map_or(0, |r| r.snapshot));
    for row in rows.iter_mut() {
        if row.snapshot != block || !seen.insert(row.pid) {
            block = row.snapshot;
            number += 1;
            seen = BTreeSet::from([row.pid]);
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
        number_untimed(&mut rows);
        assert_eq!(rows.iter().map(|r| r.snapshot).collect::<Vec<_>>(), [0, 0, 1, 1]);
        assert_eq!(rows.iter().map(|r| r.at).collect::<Vec<_>>(), [12, 12, 20, 20]);
    }

    fn numbered(rows: &[(i64, Micros)]) -> Vec<(i64, u32, Micros)> {
        let row = |&(pid, at): &(i64, Micros)| RawSession { pid, at, ..RawSession::default() };
        let mut rows: Vec<RawSession> = rows.iter().map(row).collect();
        number_timed(&mut rows);
        rows.iter().map(|r| (r.pid, r.snapshot, r.at)).collect()
    }

    #[test]
    fn rows_with_a_time_each_are_one_snapshot() {
        let half = SECOND / 2;
        let rows = [(3, 100), (1, 101), (2, 105), (3, half), (4, half + 2), (5, 5 * SECOND)];
        let want = [(1, 0, 100), (2, 0, 100), (3, 0, 100)];
        let then = [(3, 1, half), (4, 1, half), (5, 2, 5 * SECOND)];
        assert_eq!(numbered(&rows), [want, then].concat());
    }

    #[test]
    fn shared_times_stay_as_they_are() {
        let t = SECOND / 4;
        let rows = [(2, 0), (3, 0), (1, t), (2, t), (3, t), (4, 2 * t), (5, 2 * t)];
        let numbers: Vec<_> = numbered(&rows).iter().map(|r| (r.1, r.2)).collect();
        assert_eq!(numbers, [(0, 0), (0, 0), (1, t), (1, t), (1, t), (2, 2 * t), (2, 2 * t)]);
        // One row per snapshot, a second apart.
        let rows = [(1, 0), (2, SECOND), (3, 2 * SECOND)];
        assert_eq!(numbered(&rows).iter().map(|r| r.1).collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn times_are_read_as_text_and_as_numbers() {
        let text = "snapshot_at,pid,state,query,query_start\n\
                    1795205201.5,1,active,x,1795205201000\n\
                    1795205201500,2,active,x,2026-11-20T20:06:41Z\n\
                    soon,3,active,x,\n\
                    later,4,active,x,\n\
                    ,5,active,x,\n";
        let raw = crate::ingest::read_text("pg_stat_activity.csv", text.as_bytes());
        let rows: Vec<_> = raw.sessions.iter().map(|s| (s.pid, s.at, s.query_start)).collect();
        let (at, start) = (1_795_205_201_500_000, Some(1_795_205_201_000_000));
        assert_eq!(rows, [(1, at, start), (2, at, start)]);
        let gap = raw.gaps.iter().find(|g| g.what.contains("\"soon\"")).map(|g| (g.line, g.count));
        assert_eq!(gap, Some((Some(4), 2)));
        assert_eq!(raw.files[0].skipped, 3);
    }

    #[test]
    fn blockers_are_read_from_every_array_form() {
        assert_eq!(pids("{31608}"), [31608]);
        assert_eq!(pids("[1, 2]"), [1, 2]);
        assert_eq!(pids("{}"), Vec::<i64>::new());
    }
}
