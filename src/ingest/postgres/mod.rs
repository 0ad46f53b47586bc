//! PostgreSQL's views and PgBouncer's tables, in every shape that psql and GUIs export them: CSV,
//! `\copy` text, JSON, aligned, expanded and unaligned text, once or by `\watch`. In: a file. Out:
//! sessions, locks and series. Each shape becomes [`psql::Block`]s; each view is read out of those.

mod activity_csv;
mod aligned;
mod date_style;
mod delimited;
mod documents;
mod expanded;
mod iso_time;
mod locks;
mod log_facts;
mod log_language;
mod log_prefix;
pub mod logs;
pub mod patroni;
mod pgbouncer;
mod psql;
mod records;
mod row;
mod series;
mod session_row;
mod sessions;
mod settings;
mod views;
mod width;

pub use activity_csv::stream as stream_sessions;
pub use delimited::ACTIVITY as ACTIVITY_COLUMNS;
pub use locks::join as join_locks;
pub use psql::{Drawn, drawn};

use super::raw::Raw;
use super::table::Table;
use super::{Head, Input};
use psql::Block;

/// What a table shows, known by its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    Activity,
    Locks,
    Database,
    Statements,
    Settings,
    Replication,
    Tables,
    Bouncer(pgbouncer::Show),
}

/// Columns of pg_stat_activity of which two stand beside the pid.
const ACTIVITY: [&str; 17] = [
    "state",
    "wait_event_type",
    "wait_event",
    "query",
    "current_query",
    "backend_start",
    "usename",
    "datname",
    "xact_start",
    "query_start",
    "backend_type",
    "query_id",
    "xact_age",
    "state_change",
    "application_name",
    "blocked_by",
    "pg_blocking_pids",
];

impl View {
    /// The view whose columns these are.
    fn of(has: &dyn Fn(&str) -> bool) -> Option<View> {
        let all = |names: &[&str]| names.iter().all(|n| has(n));
        let any = |names: &[&str]| names.iter().any(|n| has(n));
        let time = ["total_exec_time", "total_time", "mean_exec_time", "mean_time"];
        if let Some(show) = pgbouncer::Show::of(has) {
            return Some(View::Bouncer(show));
        }
        let pid = any(&["pid", "procpid"]);
        let view = match () {
            () if all(&["locktype", "mode", "granted"]) => View::Locks,
            () if all(&["calls"]) && any(&["query", "queryid"]) && any(&time) => View::Statements,
            () if all(&["numbackends", "xact_commit"]) => View::Database,
            () if any(&["sent_lsn", "sent_location"]) && has("state") => View::Replication,
            () if pid && ACTIVITY.iter().filter(|n| has(n)).count() >= 2 && !has("granted") => {
                View::Activity
            }
            () if has("relname") && any(&["n_live_tup", "seq_scan", "n_dead_tup"]) => View::Tables,
            () if all(&["setting", "name"]) => View::Settings,
            () => return None,
        };
        Some(view)
    }

    fn of_table(table: &Table) -> Option<View> {
        View::of(&|name| table.header.iter().any(|h| h.trim().eq_ignore_ascii_case(name)))
    }

    /// The view of the first table of a file.
    fn of_head(head: &Head) -> Option<View> {
        if head.is_json() {
            let keys = documents::first_keys(head.bytes);
            return View::of(&|name| keys.iter().any(|k| k.eq_ignore_ascii_case(name)));
        }
        if head.bytes.contains(&0) {
            return None;
        }
        if let Some(view) = View::of(&|name| head.has_column(name)) {
            return Some(view);
        }
        if delimited::is_copy_text(head.bytes) {
            return Some(View::Activity);
        }
        let drawn = psql::header(head.bytes)
            .or_else(|| delimited::unaligned_header(head.bytes))
            .or_else(|| delimited::first_header(head.bytes).map(|(_, header)| header))
            .or_else(|| json_header(head.bytes))?;
        if is_json_column(&drawn) {
            return View::of(&|name| holds_key(head.bytes, name));
        }
        View::of(&|name| drawn.iter().any(|h| h.eq_ignore_ascii_case(name)))
    }
}

/// Names that PostgreSQL gives to a column made of JSON.
fn is_json_column(header: &[String]) -> bool {
    let made = ["json_agg", "jsonb_agg", "row_to_json", "to_json", "to_jsonb", "array_to_json"];
    matches!(header, [only] if made.contains(&only.trim()))
}

fn holds_key(bytes: &[u8], name: &str) -> bool {
    // In CSV the quotes of the JSON are doubled: one of them stands on either side still.
    memchr::memmem::find(bytes, format!("\"{name}\"").as_bytes()).is_some()
}

/// The first line as a header, where it is the name of a column made of JSON and nothing else.
fn json_header(bytes: &[u8]) -> Option<Vec<String>> {
    let (_, line) = psql::Lines::new(bytes, 1).next()?;
    let header = vec![line.trim().to_owned()];
    is_json_column(&header).then_some(header)
}

/// A table of one column of JSON, as CSV or without quotes.
fn json_column(header: Vec<String>, input: &Input) -> Block {
    let start = memchr::memchr(b'\n', input.bytes).map_or(input.bytes.len(), |at| at + 1);
    let rest = String::from_utf8_lossy(input.bytes.get(start..).unwrap_or_default());
    let text = match rest.trim_start().starts_with('"') {
        true => rest.replace("\"\"", "\u{0}").replace('"', "").replace('\u{0}', "\""),
        false => rest.lines().filter(|l| !psql::is_footer(l)).collect::<Vec<_>>().join("\n"),
    };
    let lines = vec![input.first_line + 1];
    Block { table: Table { header, rows: vec![vec![text]], lines }, at: None }
}

/// Accepts pg_stat_activity in any shape.
pub fn accepts_sessions(head: &Head) -> bool {
    View::of_head(head) == Some(View::Activity)
}

/// Accepts pg_locks in any shape.
pub fn accepts_locks(head: &Head) -> bool {
    View::of_head(head) == Some(View::Locks)
}

/// Accepts pg_stat_database in any shape.
pub fn accepts_database(head: &Head) -> bool {
    View::of_head(head) == Some(View::Database)
}

/// Accepts pg_stat_statements in any shape.
pub fn accepts_statements(head: &Head) -> bool {
    View::of_head(head) == Some(View::Statements)
}

/// Accepts pg_settings or `SHOW ALL` in any shape.
pub fn accepts_settings(head: &Head) -> bool {
    View::of_head(head) == Some(View::Settings)
}

/// Accepts pg_stat_replication in any shape.
pub fn accepts_replication(head: &Head) -> bool {
    View::of_head(head) == Some(View::Replication)
}

/// Accepts pg_stat_user_tables in any shape.
pub fn accepts_tables(head: &Head) -> bool {
    View::of_head(head) == Some(View::Tables)
}

/// Accepts what PgBouncer shows, in any shape.
pub fn accepts_pgbouncer(head: &Head) -> bool {
    matches!(View::of_head(head), Some(View::Bouncer(_)))
}

/// Reads every table of a file, whatever views they show.
pub fn read(input: &Input, raw: &mut Raw) {
    if !input.is_json() && activity_csv::read(input, raw) {
        return;
    }
    let mut found = sessions::Found::default();
    read_tables(input, &mut found, raw);
    found.finish(input, raw);
}

/// Reads every table of a text, sessions into `found`; gives the header of the last one.
fn read_tables(input: &Input, found: &mut sessions::Found, raw: &mut Raw) -> Option<Vec<String>> {
    let mut groups: Vec<(View, Vec<Block>)> = Vec::new();
    let mut last = None;
    for mut block in blocks(input, raw) {
        last = Some(block.table.header.clone());
        let Some(view) = View::of_table(&block.table) else {
            let columns = block.table.header.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
            let line = block.table.lines.first().copied();
            let what = || format!("rows of a table that is not known, of {columns}");
            let rows = block.table.rows.len() as u64;
            raw.skip_like(input.file, "unknown table", rows, || (line, what()));
            continue;
        };
        date_style::settle(input, &mut block.table, raw);
        match groups.iter_mut().find(|(v, _)| *v == view) {
            Some((_, blocks)) => blocks.push(block),
            None => groups.push((view, vec![block])),
        }
    }
    for (view, blocks) in groups {
        match view {
            View::Activity => sessions::collect(input, &blocks, found, raw),
            View::Locks => locks::read(input, &blocks, raw),
            View::Settings => settings::read(input, &blocks, raw),
            View::Bouncer(show) => pgbouncer::read(input, show, &blocks, raw),
            View::Database => series::read(input, &views::DATABASE, &blocks, raw),
            View::Statements => series::read(input, &views::STATEMENTS, &blocks, raw),
            View::Replication => series::read(input, &views::REPLICATION, &blocks, raw),
            View::Tables => series::read(input, &views::TABLES, &blocks, raw),
        }
    }
    last
}

/// The tables of a file in their order, whatever their shape.
fn blocks(input: &Input, raw: &mut Raw) -> Vec<Block> {
    if input.is_json() {
        return documents::blocks(input, raw);
    }
    // Text in another encoding keeps its columns: what is not UTF-8 becomes one character a byte.
    let text = String::from_utf8_lossy(input.bytes);
    let input = &Input { bytes: text.as_bytes(), ..*input };
    if delimited::is_copy_text(input.bytes) {
        return delimited::copy_text(input, raw);
    }
    // Before drawn text: a statement in quotes may have lines that look like a rule.
    if delimited::first_header(input.bytes).is_some() {
        return delimited::csv(input, raw);
    }
    if let Some(header) = json_header(input.bytes).filter(|_| psql::header(input.bytes).is_none()) {
        return out_of_json(json_column(header, input), input, raw);
    }
    if psql::header(input.bytes).is_some() {
        let blocks = psql::blocks(input, raw);
        return blocks.into_iter().flat_map(|b| out_of_json(b, input, raw)).collect();
    }
    match delimited::unaligned_header(input.bytes) {
        Some(_) => delimited::unaligned(input, raw),
        None => delimited::csv(input, raw),
    }
}

/// The rows within a table whose only column holds JSON; any other table as it is.
fn out_of_json(block: Block, input: &Input, raw: &mut Raw) -> Vec<Block> {
    if !is_json_column(&block.table.header) {
        return vec![block];
    }
    let text: Vec<&str> = block.table.rows.iter().flatten().map(String::as_str).collect();
    let first_line = block.table.lines.first().copied().unwrap_or(input.first_line);
    let text = text.join("\n");
    let inner = Input { bytes: text.as_bytes(), first_line, ..*input };
    let blocks = documents::blocks(&inner, raw);
    blocks.into_iter().map(|b| Block { at: block.at, ..b }).collect()
}
