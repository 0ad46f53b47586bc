//! pg_stat_activity: one snapshot or many, with or without a snapshot time, `pg_blocking_pids` and
//! `waitstart`, of PostgreSQL 9 to 18 and its forks. In: tables. Out: sessions. Statements are
//! normalised here; literals go no further.

use super::locks::NO_BLOCKERS;
use super::psql::Block;
use super::row::{Row, SNAPSHOT};
use super::session_row::{Columns, Rows};
use crate::ingest::Input;
use crate::ingest::raw::{PerShape, Raw, Session};
use crate::model::{GapKind, SECOND};
use rayon::prelude::*;
use std::collections::{BTreeSet, HashSet};

/// Rows of one file, before their snapshots are numbered.
#[derive(Default)]
pub struct Found {
    /// Rows with a time, and rows without, both in the order of the file.
    pub dated: Vec<Session>,
    pub undated: Vec<Session>,
    pub told: Told,
}

/// Reads pg_stat_activity rows.
pub fn collect(input: &Input, blocks: &[Block], found: &mut Found, raw: &mut Raw) {
    let mut rows = Rows::new(input);
    for (number, block) in blocks.iter().enumerate() {
        let timed = is_timed(block);
        let columns = Columns::of(&block.table.header);
        found.told.add(block, &columns);
        for (row, line) in Row::all(&block.table) {
            let cell = |i: usize| row.cells.get(i).map_or("", String::as_str);
            match rows.session(&columns, &cell, (block.at, line), raw) {
                Some(session) if timed && session.at == 0 => {
                    untimed(input, row.text(&SNAPSHOT), line, raw);
                }
                Some(mut session) => {
                    session.snapshot = number as u32;
                    let rows = if timed { &mut found.dated } else { &mut found.undated };
                    rows.push(session);
                }
                None => raw.skip(input.file, Some(line), "session row without a readable pid", 1),
            }
        }
    }
}

impl Found {
    /// Adds what a further part of the file gave.
    pub fn append(&mut self, mut more: Found) {
        self.dated.append(&mut more.dated);
        self.undated.append(&mut more.undated);
        self.told.append(more.told);
    }

    /// Numbers the snapshots, says what the rows leave open and hands them over, without those of
    /// the exporting session.
    pub fn finish(mut self, input: &Input, raw: &mut Raw) {
        number_timed(&mut self.dated);
        number_untimed(&mut self.undated);
        take_time(&mut self.undated, input, raw);
        let first = self.dated.last().map_or(0, |r| r.snapshot + 1);
        for row in &mut self.undated {
            row.snapshot += first;
        }
        let mut rows = self.dated;
        rows.append(&mut self.undated);
        let (hidden, exporting) = hidden_and_exporting(&rows);
        about_rows(input, &self.told, (rows.len(), hidden), raw);
        raw.rows(input.file, rows.len() as u64);
        if !exporting.is_empty() {
            rows.retain(|r| !exporting.contains(&r.shape_id()));
        }
        match raw.sessions.is_empty() {
            true => raw.sessions = rows,
            false => raw.sessions.append(&mut rows),
        }
    }
}

/// Gives rows in which nothing has a time that at which the file was taken.
fn take_time(rows: &mut Vec<Session>, input: &Input, raw: &mut Raw) {
    let timeless = rows.iter().filter(|r| r.at == 0).count();
    if timeless == 0 {
        return;
    }
    match input.taken_at(raw) {
        Some(at) => rows.iter_mut().filter(|r| r.at == 0).for_each(|r| r.at = at),
        None => {
            rows.retain(|r| r.at != 0);
            raw.skip(input.file, None, "session row without any time", timeless as u64);
        }
    }
}

/// How many rows hide their statement, and the shapes of the exporting session.
fn hidden_and_exporting(rows: &[Session]) -> (usize, HashSet<usize>) {
    let each = rows.len().div_ceil(rayon::current_num_threads()).max(1);
    let of = |rows: &[Session]| {
        let mut looked: PerShape<bool> = PerShape::default();
        let mut exporting = HashSet::new();
        let mut hidden = 0;
        for r in rows {
            let is_hidden = looked.of(r, || {
                if r.query.contains(EXPORTS) {
                    exporting.insert(r.shape_id());
                }
                r.query.contains(HIDDEN)
            });
            hidden += usize::from(*is_hidden);
        }
        (hidden, exporting)
    };
    rows.par_chunks(each).map(of).reduce(Default::default, |mut all, (hidden, exporting)| {
        all.1.extend(exporting);
        (all.0 + hidden, all.1)
    })
}

/// What PostgreSQL shows in place of a statement that the user may not see.
const HIDDEN: &str = "insufficient privilege";
/// What the statement of the exporting session names.
const EXPORTS: &str = "pg_stat_activity";

fn is_timed(block: &Block) -> bool {
    block.at.is_some() || block.table.column(&SNAPSHOT).is_some()
}

/// What the tables of a file leave open.
#[derive(Default)]
pub struct Told {
    pub untimed: bool,
    pub unblocked: bool,
    /// Columns that the first table lacks; `None` before there is one.
    pub missing: Option<Vec<(&'static str, &'static str)>>,
}

impl Told {
    fn add(&mut self, block: &Block, columns: &Columns) {
        let rows = !block.table.rows.is_empty();
        self.untimed |= rows && !is_timed(block);
        self.unblocked |= rows && columns.blocked_by.is_none();
        self.missing.get_or_insert_with(|| columns.missing());
    }

    fn append(&mut self, more: Told) {
        self.untimed |= more.untimed;
        self.unblocked |= more.unblocked;
        self.missing = self.missing.take().or(more.missing);
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
    let missing = told.missing.as_deref().unwrap_or_default();
    if !missing.is_empty() && rows > 0 {
        let names: Vec<&str> = missing.iter().map(|m| m.0).collect();
        let unknown: Vec<&str> = missing.iter().map(|m| m.1).collect();
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
fn number_timed(rows: &mut [Session]) {
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
    let snapshots = rows.par_chunk_by_mut(|a, b| a.snapshot == b.snapshot);
    snapshots.filter(|s| !s.is_sorted_by_key(|r| r.pid)).for_each(|s| s.sort_by_key(|r| r.pid));
}

/// Says whether rows, sorted by time, share their times: most of them have another row's.
fn is_shared(rows: &[Session]) -> bool {
    let same = rows.chunk_by(|a, b| a.at == b.at).map(<[Session]>::len);
    same.filter(|n| *n > 1).sum::<usize>() * 2 > rows.len()
}

/// Numbers the snapshots of rows without a time and gives each its lower bound: a pid that comes
/// again starts the next one.
fn number_untimed(rows: &mut [Session]) {
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
            .flat_map(|r| [r.state_change(), r.query_start(), r.xact_start()])
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
    use crate::ingest::raw::RawSession;
    use crate::model::Micros;

    #[test]
    fn snapshots_without_a_time_are_split_where_a_pid_comes_again() {
        let row = |pid, t| {
            Session::from(RawSession { pid, query_start: Some(t), ..RawSession::default() })
        };
        let mut rows = vec![row(1, 10), row(2, 12), row(1, 20), row(2, 11)];
        number_untimed(&mut rows);
        assert_eq!(rows.iter().map(|r| r.snapshot).collect::<Vec<_>>(), [0, 0, 1, 1]);
        assert_eq!(rows.iter().map(|r| r.at).collect::<Vec<_>>(), [12, 12, 20, 20]);
    }

    fn numbered(rows: &[(i64, Micros)]) -> Vec<(i64, u32, Micros)> {
        let row = |&(pid, at): &(i64, Micros)| {
            Session::from(RawSession { pid, at, ..RawSession::default() })
        };
        let mut rows: Vec<Session> = rows.iter().map(row).collect();
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
        let rows: Vec<_> = raw.sessions.iter().map(|s| (s.pid, s.at, s.query_start())).collect();
        let (at, start) = (1_795_205_201_500_000, Some(1_795_205_201_000_000));
        assert_eq!(rows, [(1, at, start), (2, at, start)]);
        let gap = raw.gaps.iter().find(|g| g.what.contains("\"soon\"")).map(|g| (g.line, g.count));
        assert_eq!(gap, Some((Some(4), 2)));
        assert_eq!(raw.files[0].skipped, 3);
    }
}
