//! The time column of a panel's CSV. In: text cells. Out: times; clocks that were set back or
//! forward, and zones that had to be assumed, are gaps.

use crate::ingest::Input;
use crate::ingest::cell::iso;
use crate::ingest::raw::Raw;
use crate::ingest::table::{self, Table};
use crate::ingest::text::beginning;
use crate::model::{GapKind, Micros};
use crate::time::{self, Zone};

/// The times of the rows, and whether they were written for people.
pub fn read(
    input: &Input,
    table: &Table,
    time: usize,
    raw: &mut Raw,
) -> (Vec<Option<Micros>>, bool) {
    let cells: Vec<String> = table.rows.iter().map(|r| iso(&r[time])).collect();
    let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
    let numeric = cells.iter().filter(|c| c.trim().parse::<f64>().is_ok()).count();
    // Formatted times have no offset; those of Grafana up to 6 have one and stand by full values.
    let bare = |c: &&str| time::parse(c, &Zone::default()).is_some_and(|p| p.zone_assumed);
    let formatted = cells.iter().any(bare);
    let parsed = match numeric * 2 > cells.len() {
        true => table::times(&cells, input.zone),
        false => {
            let column = time::column(&cells, input.zone);
            clocks(input, table, &column, &cells, raw);
            column.times
        }
    };
    if parsed.iter().flatten().any(|p| p.zone_assumed) {
        raw.zone_assumed(input.file);
    }
    for (row, _) in parsed.iter().enumerate().filter(|(_, p)| p.is_none()) {
        let cell = beginning(&table.rows[row][time], 40);
        let first = || (table.lines.get(row).copied(), format!("timestamp \"{cell}\" is not read"));
        raw.skip_like(input.file, "timestamp", 1, first);
    }
    (parsed.into_iter().map(|p| p.map(|p| p.at)).collect(), formatted)
}

/// Says where a clock that was set back or forward stands between the rows and their times.
fn clocks(input: &Input, table: &Table, column: &time::Column, cells: &[&str], raw: &mut Raw) {
    let line = |row: usize| table.lines.get(row).copied();
    if let Some(row) = column.twice.first() {
        let what = format!(
            "{} rows from \"{}\" lie in an hour that comes twice, for clocks were set back: the \
             order of the rows decides",
            column.twice.len(),
            cells[*row]
        );
        raw.gap(GapKind::Inferred, input.file, line(*row), what);
    }
    if let Some(row) = column.never.first() {
        let what = format!(
            "{} rows from \"{}\" lie in an hour that the zone leaves out, for clocks were set \
             forward: is --timezone right?",
            column.never.len(),
            cells[*row]
        );
        raw.gap(GapKind::Doubtful, input.file, line(*row), what);
    }
    let assumed = column.times.iter().flatten().any(|p| p.zone_assumed);
    if let Some(row) = column.back.filter(|_| assumed) {
        let what = format!(
            "times go back to \"{}\": clocks were set back there (give --timezone), or two exports \
             were put together",
            cells[row]
        );
        raw.gap(GapKind::Doubtful, input.file, line(row), what);
    }
}
