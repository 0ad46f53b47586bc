//! pg_stat_activity: one snapshot or many, with or without a snapshot time, `pg_blocking_pids` and
//! `waitstart`, of PostgreSQL 9 to 18 and its forks. In: tables. Out: sessions. Statements are
//! normalised here; literals go no further.

use super::locks::NO_BLOCKERS;
use super::psql::Block;
use super::row::{Row, SNAPSHOT, server_of};
use crate::ingest::raw::{Raw, RawSession};
use crate::ingest::{Input, sql};
use crate::model::{GapKind, Micros, SECOND};
use std::collections::{BTreeMap, BTreeSet};

const BLOCKED_BY: [&str; 5] =
    ["blocked_by", "pg_blocking_pids", "blocking_pids", "blockers", "blocking"];
const SERVER: [&str; 4] = ["server", "server_name", "db_instance", "instance"];

/// Reads pg_stat_activity rows and groups them into snapshots.
pub fn read(input: &Input, blocks: &[Block], raw: &mut Raw) {
    let (mut dated, mut undated) = (Vec::new(), Vec::new());
    let mut told = Told::default();
    for (number, block) in blocks.iter().enumerate() {
        let timed = is_timed(block);
        told.add(block);
        for (row, line) in Row::all(&block.table) {
            match session(input, &row, (block.at, line), raw) {
                Some(session) if timed && session.at == 0 => untimed(input, &row, line, raw),
                Some(session) => {
                    let rows = if timed { &mut dated } else { &mut undated };
                    rows.push(RawSession { snapshot: number as u32, ..session });
                }
                None => raw.skip(input.file, Some(line), "session row without a readable pid", 1),
            }
        }
    }
    number_timed(&mut dated);
    number_untimed(&mut undated);
    let first = dated.last().map_or(0, |r| r.snapshot + 1);
    for row in &mut undated {
        row.snapshot += if dated.is_empty() { 0 } else { first };
    }
    let mut rows = dated;
    rows.append(&mut undated);
    about_rows(input, &told, &rows, raw);
    raw.rows(input.file, rows.len() as u64);
    rows.retain(|r| !r.query.contains("pg_stat_activity"));
    raw.sessions.append(&mut rows);
}

fn is_timed(block: &Block) -> bool {
    block.at.is_some() || block.table.column(&SNAPSHOT).is_some()
}

/// What the tables of a file leave open.
#[derive(Default)]
struct Told {
    untimed: bool,
    unblocked: bool,
}

impl Told {
    fn add(&mut self, block: &Block) {
        let rows = !block.table.rows.is_empty();
        self.untimed |= rows && !is_timed(block);
        self.unblocked |= rows && block.table.column(&BLOCKED_BY).is_none();
    }
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
fn about_rows(input: &Input, told: &Told, rows: &[RawSession], raw: &mut Raw) {
    if told.untimed && !rows.is_empty() {
        let what = "no snapshot time column: each snapshot's time is a lower bound, the latest \
                    state_change or query_start in it (add `now()` to the query)";
        raw.gap(GapKind::Inferred, input.file, None, what);
    }
    if told.unblocked && !rows.is_empty() {
        raw.gap(GapKind::Missing, input.file, None, NO_BLOCKERS);
    }
    let hidden = rows.iter().filter(|r| r.query.contains("insufficient privilege")).count();
    if hidden > 0 {
        let what =
            format!("{hidden} rows hide their statement: export as a pg_read_all_stats role");
        raw.gap(GapKind::Missing, input.file, None, what);
    }
}

/// Names of the statement's column, `left(query, n)` and forks included.
const QUERY: [&str; 7] =
    ["query", "current_query", "left", "substr", "substring", "query_text", "q"];
/// Ages that stand for a start, as people name them.
const XACT_AGE: [&str; 5] =
    ["xact_age", "xact_duration", "transaction_age", "tx_age", "xact_runtime"];
const QUERY_AGE: [&str; 5] =
    ["query_age", "query_duration", "duration", "runtime", "query_runtime"];
const STATE_AGE: [&str; 3] = ["state_age", "idle_age", "state_duration"];

/// What is waited for, in exports that join pg_locks.
const WAIT_MODE: [&str; 4] = ["wait_mode", "lock_mode", "waiting_mode", "mode"];
const WAIT_RELATION: [&str; 3] = ["wait_relation", "lock_relation", "waiting_relation"];

fn session(
    input: &Input,
    row: &Row,
    (title, line): (Option<Micros>, u64),
    raw: &mut Raw,
) -> Option<RawSession> {
    let pid = row.text(&["pid", "procpid"]).parse().ok()?;
    let shown = row.text(&QUERY);
    let statement = sql::normalize(shown);
    let named = row.text(&SERVER);
    let blocked_by = row.table.column(&BLOCKED_BY).map(|_| pids(row.text(&BLOCKED_BY)));
    let at = row.time(&SNAPSHOT, input, raw).or(title).unwrap_or(0);
    let mut start = |column: &str, ages: &[&str]| {
        let before = || row.interval(ages).filter(|_| at > 0).map(|age| at.saturating_sub(age));
        row.time(&[column], input, raw).or_else(before)
    };
    Some(RawSession {
        file: input.file,
        line,
        server: if named.is_empty() { server_of(input.path) } else { named.to_owned() },
        at,
        snapshot: 0,
        pid,
        leader_pid: row.text(&["leader_pid"]).parse().ok(),
        database: row.owned("datname"),
        user: row.owned("usename"),
        application: row.owned("application_name"),
        client_addr: row.owned("client_addr"),
        backend_start: start("backend_start", &[]),
        xact_start: start("xact_start", &XACT_AGE),
        query_start: start("query_start", &QUERY_AGE),
        state_change: start("state_change", &STATE_AGE),
        wait_start: start("waitstart", &[]).or_else(|| start("wait_start", &[])),
        wait_event_type: wait_event_type(row),
        wait_event: row.owned("wait_event"),
        state: state(row, shown),
        backend_type: row.owned("backend_type"),
        query: statement.text,
        query_tag: statement.tag,
        blocked_by,
        backend_xmin: row.text(&["backend_xmin"]).parse().ok(),
        wait_mode: row.text(&WAIT_MODE).to_owned(),
        wait_relation: row.text(&WAIT_RELATION).to_owned(),
    })
}

/// What is waited for; up to 9.5 there is only `waiting`, which is about heavyweight locks.
fn wait_event_type(row: &Row) -> String {
    let waiting = ["t", "true", "1"].contains(&row.text(&["waiting"]));
    let known = row.table.column(&["wait_event_type"]).is_some();
    if waiting && !known { "Lock".to_owned() } else { row.owned("wait_event_type") }
}

/// The state; servers without that column say it in place of the statement (`<IDLE>`).
fn state(row: &Row, shown: &str) -> String {
    if row.table.column(&["state"]).is_some() || row.table.column(&["current_query"]).is_none() {
        return row.owned("state");
    }
    let state = match shown {
        "" | "<insufficient privilege>" => "",
        "<IDLE>" => "idle",
        "<IDLE> in transaction" => "idle in transaction",
        "<IDLE> in transaction (aborted)" => "idle in transaction (aborted)",
        _ => "active",
    };
    state.to_owned()
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

#[cfg(test)]
mod tests {
    use super::*;

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
