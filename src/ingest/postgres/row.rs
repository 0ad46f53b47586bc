//! One row of a table by the names of its columns: texts, numbers, times, intervals.

use crate::ingest::Input;
use crate::ingest::cell::{is_missing, moment, number};
use crate::ingest::raw::Raw;
use crate::ingest::table::Table;
use crate::model::{Micros, SECOND};
use crate::time;

/// Names of a column with the time of the snapshot.
pub const SNAPSHOT: [&str; 11] = [
    "snapshot_at",
    "now",
    "clock_timestamp",
    "captured_at",
    "sampled_at",
    "sample_time",
    "collected_at",
    "snapshot_time",
    "current_timestamp",
    "ts",
    "timestamp",
];

/// What people let psql and GUIs print for null, beside the words that every reader knows.
const NULLS: [&str; 5] = ["(null)", "[null]", "<null>", "∅", "¤"];

/// A row under its header.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    pub table: &'a Table,
    pub cells: &'a [String],
}

impl<'a> Row<'a> {
    /// The rows of a table with their lines.
    pub fn all(table: &'a Table) -> impl Iterator<Item = (Row<'a>, u64)> {
        let lines = table.lines.iter().copied();
        table.rows.iter().map(move |cells| Row { table, cells }).zip(lines)
    }

    /// The first of the named columns that says something; empty where none does.
    pub fn text(&self, names: &[&str]) -> &'a str {
        let cell = self.table.column(names).and_then(|i| self.cells.get(i));
        cell.map_or("", |c| said(c))
    }

    /// The same, of one column, to keep.
    pub fn owned(&self, name: &str) -> String {
        self.text(&[name]).to_owned()
    }

    /// A finite number.
    pub fn number(&self, name: &str) -> Option<f64> {
        number(self.text(&[name]))
    }

    /// A time; one without a zone is said once per file.
    pub fn time(&self, names: &[&str], input: &Input, raw: &mut Raw) -> Option<Micros> {
        let text = self.text(names);
        let at = moment(text, input.zone)?;
        if time::parse(text, input.zone).is_some_and(|p| p.zone_assumed) {
            raw.zone_assumed(input.file);
        }
        Some(at)
    }
}

/// What a cell says; empty for every form of null.
pub fn said(cell: &str) -> &str {
    let cell = cell.trim();
    let null = |n: &&str| cell.eq_ignore_ascii_case(n);
    // No word for null is longer.
    let missing = cell.len() <= 9 && (is_missing(cell) || NULLS.iter().any(null));
    if missing { "" } else { cell }
}

/// Reads an interval as PostgreSQL prints it, or seconds.
pub fn interval(text: &str) -> Option<Micros> {
    if let Some(seconds) = number(text) {
        return Some((seconds * SECOND as f64) as Micros);
    }
    let (days, clock) = match text.split_once(" day") {
        Some((days, rest)) => (days.parse::<i64>().ok()?, rest.trim_start_matches('s').trim()),
        None => (0, text),
    };
    let (sign, clock) = clock.strip_prefix('-').map_or((1.0, clock), |c| (-1.0, c));
    let parts: Vec<f64> = clock.split(':').map_while(|p| p.parse().ok()).collect();
    let seconds = match parts.as_slice() {
        [h, m, s] => h * 3600.0 + m * 60.0 + s,
        [] if clock.is_empty() && text.contains(" day") => 0.0,
        _ => return None,
    };
    let days = days.checked_mul(86_400 * SECOND).filter(|_| seconds.is_finite())?;
    Some(days.saturating_add((sign * seconds * SECOND as f64) as Micros))
}

/// Words of file names that say what an export is, not of which server.
const ASIDE: [&str; 14] = [
    "pg_stat_activity",
    "stat_activity",
    "pg_stat_statements",
    "pg_stat_database",
    "pg_stat_replication",
    "pg_stat_user_tables",
    "pg_settings",
    "pg_locks",
    "pgbouncer",
    "activity",
    "sessions",
    "settings",
    "locks",
    "patroni",
];

/// The server's name from the file's name: what is left without the view's name and its time.
pub fn server_of(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.split('.').next().unwrap_or(name).to_lowercase();
    let stem = without_time(&stem);
    let rest = ASIDE.iter().fold(stem.to_owned(), |s, w| s.replace(w, ""));
    let rest = rest.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
    let worthless = rest.is_empty() || rest.chars().all(|c| !c.is_alphabetic());
    if worthless || rest == "snapshot" || rest == "snapshots" {
        "postgres".to_owned()
    } else {
        rest
    }
}

/// A name without the date of this century that ends it, and what follows the date.
fn without_time(stem: &str) -> &str {
    let is_date = |at: &usize| {
        let digits = stem.as_bytes().iter().skip(*at).take(10).filter(|b| b.is_ascii_digit());
        let before = at.checked_sub(1).and_then(|b| stem.as_bytes().get(b));
        digits.count() >= 8 && before.is_none_or(|b| !b.is_ascii_alphanumeric())
    };
    let found = stem.match_indices("20").map(|(at, _)| at).find(is_date);
    found.and_then(|at| stem.get(..at)).unwrap_or(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_named_after_the_file() {
        assert_eq!(server_of("pg/replica_pg_stat_activity.csv.gz"), "replica");
        assert_eq!(server_of("pg_stat_activity.csv"), "postgres");
        assert_eq!(server_of("orders-db-activity-2.csv"), "orders-db--2");
        assert_eq!(server_of("main_pg_settings-2026-11-20T20-10-00.csv"), "main");
        assert_eq!(server_of("2026-11-20T20-10-00.csv"), "postgres");
    }

    #[test]
    fn intervals_are_read_in_seconds_and_as_they_are_printed() {
        assert_eq!(interval("00:00:03.5"), Some(3_500_000));
        assert_eq!(interval("-00:00:01"), Some(-1_000_000));
        assert_eq!(interval("1 day 02:03:04.5"), Some(93_784_500_000));
        assert_eq!(interval("2 days"), Some(172_800_000_000));
        assert_eq!(interval("3.5"), Some(3_500_000));
        for no in ["", "soon", "1:2", "99999999999999 days"] {
            assert_eq!(interval(no), None, "{no}");
        }
    }
}
