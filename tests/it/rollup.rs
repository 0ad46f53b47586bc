//! Rollups of spans: the same from Parquet in passes and from any other export, the SQL as it was
//! reviewed, and a folder of rollups as an incident folder.
//!
//! `benches/lake/engines.py` runs the SQL of `tests/data/rollup` on DuckDB and ClickHouse, and
//! `benches/lake/cluster.py` on Spark, and holds the rows against ours.

use super::support::{Scratch, diagnosed, fixture, items, rootline, text};
use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use rootline::Options;
use rootline::catalog::Catalog;
use rootline::diagnosis::Diagnosis;
use rootline::ingest::raw::Raw;
use rootline::ingest::{Limits, Settings, read_folder};
use rootline::lake::{self, Question, Table};
use rootline::model::SECOND;
use std::fs;
use std::sync::Arc;

pub(super) const FROM: i64 = 1_795_204_800 * SECOND;
/// Traces in the Parquet of the tests, one each 100 ms.
const TRACES: i64 = 600;
/// Rows of a row group: four spans of 60 traces.
const GROUP: usize = 240;

/// Spans of web, its call, cart and cart's query; each fifth call fails, each tenth is repeated.
pub(super) fn spans() -> Vec<u8> {
    let mut columns: [Vec<String>; 8] = Default::default();
    let (mut start, mut duration) = (Vec::new(), Vec::new());
    for trace in 0..TRACES {
        let id = |n: i64| if n == 0 { String::new() } else { format!("{:016x}", trace * 10 + n) };
        for (own, parent, service, name, kind, took) in [
            (1, 0, "web", "GET /", "SERVER", 90_000 + trace * 131),
            (2, 1, "web", "GET cart", "CLIENT", 70_000),
            (3, 2, "cart", "GET /cart", "SPAN_KIND_SERVER", 60_000 + trace),
            (4, 3, "cart", "SELECT", "client", 50_000),
        ] {
            let failed = own == 3 && trace % 5 == 0;
            let status = if failed { "ERROR" } else { "UNSET" };
            let trace_id = format!("{:032x}", i128::from(trace) << 70 | 7);
            let cells = [trace_id, id(own), id(parent), service.into(), name.into(), kind.into()];
            let cells = cells.into_iter().chain([status.into(), String::new()]);
            columns.iter_mut().zip(cells).for_each(|(column, cell)| column.push(cell));
            start.push(FROM + trace * SECOND / 10 + own * 1000);
            duration.push(took);
        }
    }
    let text = |i: usize| Arc::new(StringArray::from(columns[i].clone())) as ArrayRef;
    let number = |v: &Vec<i64>| Arc::new(Int64Array::from(v.clone())) as ArrayRef;
    let all = [text(0), text(1), text(2), text(3), text(4), text(5), number(&start)];
    let all = all.into_iter().chain([number(&duration), text(6), text(7)]);
    let batch =
        RecordBatch::try_from_iter(lake::sql::COLUMNS.into_iter().zip(all)).expect("a table");
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(GROUP)).build();
    let mut writer =
        ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).expect("new");
    writer.write(&batch).expect("written");
    writer.into_inner().expect("closed")
}

fn tables(rollup: &lake::Rollup) -> Vec<Vec<u8>> {
    Table::ALL.iter().map(|t| rollup.parquet(*t).expect("written")).collect()
}

#[test]
fn parquet_in_passes_and_any_other_reading_give_the_same_rollup() {
    let folder = Scratch::with(&[("spans/minute=0/a.parquet", &spans())]);
    assert!(lake::is_lake(folder.path()));
    let question = Question { bucket: 10 * SECOND, from: None, to: None };
    let streamed = lake::of_parquet(folder.path(), &question).expect("spans");
    assert_eq!(streamed.tally.spans, TRACES as u64 * 4);
    let raw = read_folder(folder.path(), &Settings::default()).expect("spans");
    assert!(tables(&streamed) == tables(&lake::of_raw(&raw, &question)), "they differ");
    assert_eq!(streamed.rows(Table::Edges), 6, "web calls cart in six buckets");
}

#[test]
fn only_row_groups_of_the_window_are_read() {
    let folder = Scratch::with(&[("a.parquet", &spans()), ("_SUCCESS", b"")]);
    let second = |s: i64| Some(FROM + s * SECOND);
    // Row groups hold 6 s each; these 9 s touch three.
    let question = Question { bucket: SECOND, from: second(10), to: second(19) };
    let rollup = lake::of_parquet(folder.path(), &question).expect("spans");
    let tally = rollup.tally;
    assert_eq!((tally.row_groups, tally.row_groups_read, tally.spans), (10, 3, 360));
    assert!(tally.bytes_read * 3 < tally.bytes, "{tally:?}");
}

#[test]
fn what_is_no_table_of_spans_is_refused_with_the_columns_it_needs() {
    let empty = Scratch::new();
    let question = Question { bucket: SECOND, from: None, to: None };
    assert!(lake::of_parquet(empty.path(), &question).is_err());
    let one: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let batch = RecordBatch::try_from_iter([("trace_id", one)]).expect("a table");
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("new");
    writer.write(&batch).expect("written");
    let other = Scratch::with(&[("a.parquet", &writer.into_inner().expect("closed"))]);
    let why = lake::of_parquet(other.path(), &question).err().expect("refused");
    assert!(why.to_string().contains("no column span_id") && why.hint.is_some(), "{why}");
    let torn = Scratch::with(&[("a.parquet", &spans()[..999])]);
    assert!(lake::of_parquet(torn.path(), &question).is_err());
}

/// The SQL is reviewed as text: write what the program prints there when it is meant to change.
#[test]
fn the_sql_is_that_which_was_held_against_the_engines() {
    let from = ["--from", "2026-11-20T20:00:00Z", "--to", "2026-11-20T20:30:00Z"];
    for engine in ["clickhouse", "spark", "duckdb"] {
        for what in ["spans", "samples", "sessions"] {
            let what_of = ["rollup", "--emit-sql", engine, "--what", what];
            let run = rootline(&[&what_of[..], &from].concat());
            assert_eq!(run.code, 0, "{}", run.err);
            let name = if what == "spans" { String::new() } else { format!("-{what}") };
            let path = super::support::root().join(format!("tests/data/rollup/{engine}{name}.sql"));
            let reviewed = fs::read_to_string(&path).expect("it was reviewed");
            assert_eq!(run.out, reviewed, "{engine} {what}");
        }
    }
}

#[test]
fn a_folder_of_rollups_is_an_incident_folder() {
    let (folder, out) = (fixture("incidents/pool-exhaustion/otlp"), Scratch::new());
    let (folder, to) = (folder.to_string_lossy(), out.path().join("rolled"));
    let run = rootline(&["rollup", &folder, "-o", &to.to_string_lossy()]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.err.contains("operations") && run.err.contains("next: rootline diagnose"));
    let rolled = diagnosed(&to);
    let readers: Vec<&str> = items(&rolled["inputs"]).iter().map(|i| text(&i["reader"])).collect();
    assert!(readers.len() >= 3 && readers.iter().all(|r| *r == "parquet"), "{rolled}");
    let whole = diagnosed(&fixture("incidents/pool-exhaustion/otlp"));
    assert!(
        rolled["edges"].as_u64() > Some(0) && rolled["edges"].as_u64() <= whole["edges"].as_u64()
    );
    let again = rootline(&["rollup", &folder, "-o", &to.to_string_lossy()]);
    assert_eq!(again.code, 2);
    assert!(again.err.contains("exists") && again.err.contains("--force"), "{}", again.err);
    let only = Scratch::with(&[(
        "changes.csv",
        b"time,kind,service,title\n2026-11-20T20:00:30Z,deploy,a,v\n",
    )]);
    let none = rootline(&["rollup", &only.path().to_string_lossy(), "-o", "/nowhere/x"]);
    assert!(none.code == 2 && none.err.contains("no spans"), "{}", none.err);
}

#[test]
fn rollups_of_other_engines_are_read_as_text_too() {
    let raw = read_folder(&fixture("formats/rollup"), &Settings::default()).expect("rollups");
    assert!(raw.files.iter().all(|f| f.reader == "rollup"), "{:?}", raw.files);
    assert_eq!(raw.edges.len(), 1);
    assert!(raw.gaps.is_empty(), "{:?}", raw.gaps);
}

#[test]
fn more_spans_than_are_held_are_rolled_up_as_they_are_read() {
    let event = b"time,kind,service,title\n2026-11-20T20:00:30Z,deploy,cart,v2\n";
    let parts: [(&str, &[u8]); 3] =
        [("m=0/a.parquet", &spans()), ("m=1/b.parquet", &spans()), ("changes.csv", event)];
    let folder = Scratch::with(&parts);
    let of = |spans| {
        let limits = Limits { spans, ..Limits::default() };
        let options = Options { limits, ..Options::default() };
        rootline::diagnose(folder.path(), &options).expect("read")
    };
    let (held, rolled) = (of(10_000), of(TRACES as u64 * 8 - 1));
    let files = |d: &Diagnosis| -> Vec<(String, String, u64)> {
        let all = d.inputs.iter().map(|i| (i.path.clone(), i.sha256.clone(), i.rows));
        let mut all: Vec<_> = all.collect();
        all.sort();
        all
    };
    assert_eq!(files(&held), files(&rolled), "each file is accounted for");
    let said = |d: &Diagnosis| d.gaps.iter().filter(|g| g.what.contains("held one by one")).count();
    assert_eq!((said(&held), said(&rolled)), (0, 1), "{:?}", rolled.gaps);
    assert_eq!(rolled.edges, held.edges);
}

/// What an incident of a fixture is called first, with its spans as they are and rolled up.
fn first_of(raw: Raw, catalog: &Catalog) -> Option<(Option<String>, String)> {
    let found = rootline::diagnose_raw(raw, catalog, &Options::default()).expect("diagnosed");
    let first = found.hypotheses.first()?;
    Some((first.signature.clone(), first.entity.name.clone()))
}

/// Recordings that are called something else, or nothing, when only buckets of 10 s are left, and the same
/// from buckets of 1 s: their incidents last for a minute or two, of which ten points are too few.
const NEED_SECONDS: [&str; 4] = ["checkpoint-storm", "failover", "plan-regression", "pool-leak"];

/// Recordings that are called something else, or nothing, however short the buckets are, and the fact that
/// is in no table.
const NEED_MORE: [(&str, &str); 8] = [
    ("clock-skew", "when both ends of one call began: spans that no two clocks allow"),
    ("config-or-flag-change", "one operation beside others of its service, which are read as one"),
    ("database-surge", "calls to a database, which has no spans of its own (near tie either way)"),
    ("ephemeral-ports-exhausted", "how calls end at the caller: refused, timed out, no address"),
    ("n-plus-one", "which operation makes the calls, and calls to a database as above"),
    ("redis-split-brain", "calls to Redis, which has no spans of its own: whom clients write to"),
    ("stale-cache", "what one trace reads after another wrote it"),
    ("third-party-hang-browser", "calls that end at a round timeout, to a callee without spans"),
];

/// Names of the recordings that are called something else from buckets of so many seconds.
fn changed_by<const N: usize>(seconds: [i64; N]) -> [Vec<String>; N] {
    let catalog = Catalog::built_in().expect("valid");
    let mut folders: Vec<_> =
        fs::read_dir(fixture("incidents")).expect("a folder").flatten().collect();
    folders.sort_by_key(|f| f.file_name());
    let mut changed = [const { Vec::new() }; N];
    for folder in folders {
        let name = folder.file_name().to_string_lossy().into_owned();
        let read = || read_folder(&folder.path(), &Settings::default());
        let Ok(raw) = read() else { continue };
        let rolled = seconds.map(|s| {
            let question = Question { bucket: s * SECOND, from: None, to: None };
            let rolled = lake::of_raw(&raw, &question);
            let mut small = read().expect("exports");
            small.spans.truncate(0);
            small.series.clear();
            for tables in [&Table::SPANS[..], &[Table::Samples]] {
                small.absorb(rolled.read(tables).expect("our own"));
            }
            first_of(small, &catalog)
        });
        let whole = first_of(raw, &catalog);
        for ((found, changed), seconds) in rolled.iter().zip(&mut changed).zip(seconds) {
            if *found != whole {
                println!("{name}: {whole:?}, from {seconds} s {found:?}");
                changed.push(name.clone());
            }
        }
    }
    changed
}

#[test]
fn rolled_spans_and_samples_lead_to_the_same_first_hypothesis() {
    let need_more: Vec<&str> = NEED_MORE.iter().map(|n| n.0).collect();
    let mut need_seconds = [&NEED_SECONDS[..], &need_more].concat();
    need_seconds.sort_unstable();
    let [ten, one] = changed_by([10, 1]);
    assert_eq!(ten, need_seconds, "from buckets of 10 s");
    assert_eq!(one, need_more, "from buckets of 1 s");
}
