//! pg_stat_activity: one snapshot or many, with or without a snapshot time, `pg_blocking_pids` and
//! `waitstart`, of PostgreSQL 9 to 18 and its forks. In: tables. Out: sessions. Statements are
//! normalised here; literals go no further.

use super::locks::NO_BLOCKERS;
use super::psql::Block;
use super::row::{Row, SNAPSHOT};
use super::session_row::{BLOCKED_BY, Columns, Rows};
use super::{View, delimited};
use crate::ingest::Input;
use crate::ingest::raw::{Raw, RawSession};
use crate::ingest::text::Text;
use crate::model::{GapKind, SECOND};
use std::collections::{BTreeSet, HashMap};

/// Reads pg_stat_activity rows and groups them into snapshots.
pub fn read(input: &Input, blocks: &[Block], raw: &mut Raw) {
    let (mut dated, mut undated) = (Vec::new(), Vec::new());
    let mut told = Told::default();
    let mut rows = Rows::new(input);
    for (number, block) in blocks.iter().enumerate() {
        let timed = is_timed(block);
        told.add(block);
        let columns = Columns::of(&block.table.header);
        if number == 0 {
            told.missing = columns.missing();
        }
        for (row, line) in Row::all(&block.table) {
            let cell = |i: usize| row.cells.get(i).map_or("", String::as_str);
            match rows.session(&columns, &cell, (block.at, line), raw) {
                Some(session) if timed && session.at == 0 => {
                    untimed(input, row.text(&SNAPSHOT), line, raw);
                }
                Some(session) => {
                    let rows = if timed { &mut dated } else { &mut undated };
                    rows.push(RawSession { snapshot: number as u32, ..session });
                }
                None => raw.skip(input.file, Some(line), NO_PID, 1),
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
    finish(input, &told, rows, raw);
}

const NO_PID: &str = "session row without a readable pid";

/// Reads CSV of snapshots with times row by row, without a table in between. Says no, and leaves
/// nothing behind, where the file is of another kind or its times are in another style.
pub fn read_csv(input: &Input, raw: &mut Raw) -> bool {
    let Some((delimiter, header)) = delimited::first_header(input.bytes) else { return false };
    let is_activity = |cells: &[String]| {
        View::of(&|name| cells.iter().any(|h| h.eq_ignore_ascii_case(name))) == Some(View::Activity)
    };
    let columns = Columns::of(&header);
    if !is_activity(&header) || columns.snapshot.is_none() {
        return false;
    }
    let mut builder = csv::ReaderBuilder::new();
    builder.delimiter(delimiter).has_headers(false).flexible(true);
    let mut reader = builder.from_reader(input.bytes);
    let mut record = csv::StringRecord::new();
    let mut rows = Rows::new(input);
    let mut found = Vec::new();
    let mut skipped: Vec<(u64, Skipped)> = Vec::new();
    loop {
        let line = reader.position().line() + input.first_line - 1;
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) if record.iter().map(str::trim).eq(header.iter().map(String::as_str)) => {}
            Ok(true) if record.len() != header.len() => return false,
            Ok(true) => {
                let cell = |i: usize| record.get(i).unwrap_or_default();
                match rows.session(&columns, &cell, (None, line), raw) {
                    _ if rows.odd => return false,
                    Some(session) if session.at == 0 => skipped.push((line, Skipped::Untimed)),
                    Some(session) => found.push(session),
                    None => skipped.push((line, Skipped::NoPid)),
                }
            }
            Err(_) => return false,
        }
    }
    for (line, why) in skipped {
        match why {
            Skipped::Untimed => untimed(input, "", line, raw),
            Skipped::NoPid => raw.skip(input.file, Some(line), NO_PID, 1),
        }
    }
    number_timed(&mut found);
    let (unblocked, missing) = (columns.blocked_by.is_none(), columns.missing());
    let told = Told { untimed: false, unblocked, missing };
    finish(input, &told, found, raw);
    true
}

/// Why a row is left out.
enum Skipped {
    Untimed,
    NoPid,
}

/// Says what the rows leave open and hands them over, without those of the exporting session.
fn finish(input: &Input, told: &Told, mut rows: Vec<RawSession>, raw: &mut Raw) {
    // The same statements come again and again: each is looked at once.
    let mut known: HashMap<Text, (bool, bool)> = HashMap::new();
    let mut look = |query: &Text| match known.get(query) {
        Some(seen) => *seen,
        None => {
            let hidden = query.contains("insufficient privilege");
            let seen = (hidden, query.contains("pg_stat_activity"));
            known.insert(query.clone(), seen);
            seen
        }
    };
    let hidden = rows.iter().filter(|r| look(&r.query).0).count();
    about_rows(input, told, (rows.len(), hidden), raw);
    raw.rows(input.file, rows.len() as u64);
    rows.retain(|r| !look(&r.query).1);
    match raw.sessions.is_empty() {
        true => raw.sessions = rows,
        false => raw.sessions.append(&mut rows),
    }
}

fn is_timed(block: &Block) -> bool {
    block.at.is_some() || block.table.column(&SNAPSHOT).is_some()
}

/// What the tables of a file leave open.
#[derive(Default)]
struct Told {
    untimed: bool,
    unblocked: bool,
    missing: Vec<(&'static str, &'static str)>,
}

impl Told {
    fn add(&mut self, block: &Block) {
        let rows = !block.table.rows.is_empty();
        self.untimed |= rows && !is_timed(block);
        self.unblocked |= rows && block.table.column(&BLOCKED_BY).is_none();
    }
}

/// Counts a row whose snapshot time is missing or not readable.
fn untimed(input: &Input, bad: &str, line: u64, raw: &mut Raw) {
    if bad.is_empty() {
        raw.skip(input.file, Some(line), "session row without a snapshot time", 1);
        return;
    }
    let what = || format!("snapshot time \"{bad}\" is not RFC 3339 or PostgreSQL ISO");
    raw.skip_like(input.file, "snapshot time", 1, || (Some(line), what()));
}

/// Says what the export leaves open: snapshot times, blockers, hidden statements.
fn about_rows(input: &Input, told: &Told, (rows, hidden): (usize, usize), raw: &mut Raw) {
    if told.untimed && rows > 0 {
        let what = "no snapshot time column: each snapshot's time is a lower bound, the latest \
                    state_change or query_start in it (add `now()` to the query)";
        raw.gap(GapKind::Inferred, input.file, None, what);
    }
    if told.unblocked && rows > 0 {
        raw.gap(GapKind::Missing, input.file, None, NO_BLOCKERS);
    }
    if !told.missing.is_empty() && rows > 0 {
        let names: Vec<&str> = told.missing.iter().map(|m| m.0).collect();
        let unknown: Vec<&str> = told.missing.iter().map(|m| m.1).collect();
        let what = format!(
            "no column {}: not known is {} (`rootline record --print-sql postgres` asks for all)",
            names.join(", "),
            unknown.join(", ")
        );
        raw.gap(GapKind::Missing, input.file, None, what);
    }
    if hidden > 0 {
        let what =
            format!("{hidden} rows hide their statement: export as a pg_read_all_stats role");
        raw.gap(GapKind::Missing, input.file, None, what);
    }
}

/// Numbers the snapshots of rows that have a time.
///
/// With `now()` all rows of a snapshot share their time. With `clock_timestamp()` each row has its
/// own: there a snapshot ends where a pid comes again or a second passes, and has its first time.
fn number_timed(rows: &mut [RawSession]) {
    if !rows.is_sorted_by_key(|r| r.at) {
        rows.sort_by_key(|r| (r.at, r.pid));
    }
    let shared = is_shared(rows);
    if !shared {
        rows.sort_by_key(|r| (r.at, r.pid));
    }
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
        if !shared {
            seen.insert((row.server.clone(), row.pid));
        }
        last = Some(row.at);
        (row.snapshot, row.at) = (number, first);
    }
    // Snapshot by snapshot: a sort of all rows would need half as much memory again.
    for snapshot in rows.chunk_by_mut(|a, b| a.snapshot == b.snapshot) {
        snapshot.sort_by_key(|r| r.pid);
    }
}

/// Says whether rows, sorted by time, share their times: most of them have another row's.
fn is_shared(rows: &[RawSession]) -> bool {
    let same = rows.chunk_by(|a, b| a.at == b.at).map(<[RawSession]>::len);
    same.filter(|n| *n > 1).sum::<usize>() * 2 > rows.len()
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
    use crate::model::Micros;

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
}
