//! PostgreSQL's server log. `formats/pg-log` was written by PostgreSQL 15.20 in its three formats at
//! once: an idle transaction that writers, a DDL and readers wait for, a deadlock, a prepared
//! transaction, timeouts, a cancelled statement, a spill, checkpoints, refused connections; the
//! standby's by a reader that replay cancels.

use super::support::{Scratch, bytes, fixture};
use rootline::ingest::raw::{LogKind, Raw, RawLog};
use rootline::ingest::{Settings, read_folder};
use rootline::model::GapKind;
use rootline::normalize::normalize;
use std::collections::BTreeMap;

fn read(path: &str, format: &str) -> Raw {
    let name = format!("{path}_postgresql.{format}");
    let file = bytes(&format!("formats/pg-log/{name}"));
    content(&name, &file)
}

fn content(name: &str, file: &[u8]) -> Raw {
    let scratch = Scratch::with(&[(name, file)]);
    read_folder(scratch.path(), &Settings::default()).expect("it is read")
}

/// The facts without their place and what only some formats have.
fn facts(raw: &Raw) -> Vec<RawLog> {
    let plain = |l: &RawLog| RawLog { file: 0, line: 0, client_addr: String::new(), ..l.clone() };
    raw.logs.iter().map(plain).collect()
}

fn kinds(raw: &Raw) -> BTreeMap<LogKind, usize> {
    let mut kinds = BTreeMap::new();
    for l in &raw.logs {
        *kinds.entry(l.kind).or_default() += 1;
    }
    kinds
}

#[test]
fn the_three_formats_say_the_same() {
    for server in ["main", "standby"] {
        let [text, csv, json] = ["log", "csv", "json"].map(|f| read(server, f));
        for raw in [&text, &csv, &json] {
            assert_eq!((raw.files[0].reader.as_str(), raw.files[0].skipped), ("pg-log", 0));
            assert!(raw.files[0].rows > 15, "{:?}", raw.gaps);
        }
        let [text, csv, json] = [&text, &csv, &json].map(facts);
        assert_eq!((text.len(), json.len()), (csv.len(), csv.len()), "{server}");
        for (i, fact) in csv.iter().enumerate() {
            assert_eq!((&text[i], &json[i]), (fact, fact), "{server}");
        }
    }
}

#[test]
fn every_kind_of_line_is_understood() {
    let main = read("main", "log");
    let found = kinds(&main);
    for kind in [
        LogKind::LockWait,
        LogKind::LockTaken,
        LogKind::Deadlock,
        LogKind::Cancelled,
        LogKind::StatementTimeout,
        LogKind::IdleTimeout,
        LogKind::NoSlots,
        LogKind::CheckpointForced,
        LogKind::CheckpointDone,
        LogKind::TempFile,
        LogKind::Vacuum,
        LogKind::Analyze,
    ] {
        assert!(found.contains_key(&kind), "{kind:?} in {found:?}");
    }
    let wait = main.logs.iter().find(|l| l.mode == "AccessExclusiveLock").expect("the DDL waits");
    assert_eq!((wait.application.as_str(), wait.server.as_str()), ("migration", "main"));
    assert!(wait.waited_s.is_some_and(|w| w > 0.29) && !wait.holders.is_empty());
    let deadlock = main.logs.iter().find(|l| l.kind == LogKind::Deadlock).expect("a deadlock");
    assert_eq!(deadlock.holders.len(), 1);
    // Held by a prepared transaction, which is no process.
    assert!(main.logs.iter().any(|l| l.application == "jta" && l.holders == [0]));
    let standby = kinds(&read("standby", "json"));
    assert!(standby.contains_key(&LogKind::ReplayWait), "{standby:?}");
    assert!(standby.contains_key(&LogKind::RecoveryConflict), "{standby:?}");
}

#[test]
fn literals_stay_in_the_file() {
    for format in ["log", "csv", "json"] {
        let whole = String::from_utf8(bytes(&format!("formats/pg-log/main_postgresql.{format}")));
        assert!(whole.expect("UTF-8").contains("secret"), "the fixture holds one");
        let raw = read("main", format);
        let shown = format!("{:?} {:?}", raw.logs, raw.gaps);
        assert!(!shown.contains("secret"), "{format}");
    }
}

#[test]
fn counts_are_series_that_the_signals_know() {
    let telemetry = normalize(read("main", "csv")).expect("it is understood");
    let measured = |name: &str| {
        let id = telemetry.signals.named(name).expect("a signal");
        telemetry.series.iter().position(|s| s.signal == id)
    };
    let deadlocks = measured("postgresql.deadlocks").expect("deadlocks are counted");
    assert_eq!(telemetry.samples[deadlocks].last().map(|p| p.1), Some(1.0));
    for name in ["postgresql.temp_bytes", "postgresql.log.lock_waits"] {
        assert!(measured(name).is_some(), "{name}");
    }
}

#[test]
fn what_a_view_measures_too_is_not_added_to_the_logs_count() {
    let view = "now,datname,numbackends,xact_commit,deadlocks,temp_bytes\n";
    let row = |at: &str, n: u32| format!("2026-11-26T{at}Z,shop,3,{n},{n},0\n");
    let view = format!("{view}{}{}", row("13:00:00", 1), row("14:30:00", 2));
    let log = bytes("formats/pg-log/main_postgresql.csv");
    let scratch = Scratch::with(&[
        ("main_pg_stat_database.csv", view.as_bytes()),
        ("main_postgresql.csv", &log),
    ]);
    let raw = read_folder(scratch.path(), &Settings::default()).expect("it is read");
    let telemetry = normalize(raw).expect("it is understood");
    let id = telemetry.signals.named("postgresql.deadlocks").expect("a signal");
    assert_eq!(telemetry.series.iter().filter(|s| s.signal == id).count(), 1);
    let said = |g: &&rootline::model::Gap| g.what.contains("not to count twice");
    assert!(telemetry.gaps.iter().any(|g| said(&g)), "{:?}", telemetry.gaps);
}

#[test]
fn other_prefixes_and_damage_are_read_as_far_as_they_go() {
    let wait = "LOG:  process 7 still waiting for ShareLock on transaction 5 after 1000.5 ms\n";
    let prefixes = [
        "2026-11-20 20:10:01.446 UTC [7] ",
        "2026-11-20 20:10:01 UTC [7]: [3-1] user=shop,db=orders,app=web,client=10.0.0.5 ",
        "2026-11-20 20:10:01 UTC:10.0.0.5(5123):shop@orders:[7]:",
        "1795205401.446 [7] shop@orders ",
    ];
    for prefix in prefixes {
        let raw = content("a_postgresql.log", format!("{prefix}{wait}").as_bytes());
        let [line] = &raw.logs[..] else { panic!("{prefix}: {:?}", raw.gaps) };
        assert_eq!((line.kind, line.pid, line.line), (LogKind::LockWait, 7, 1), "{prefix}");
        assert_eq!(line.at / 1_000_000, 1_795_205_401, "{prefix}");
    }
    // A line without a time, a tail of a message that was cut off, half a row of CSV.
    let text = format!("\trest of a statement\n2026-11-20 20:10:01 UTC [7] {wait}[8] {wait}");
    let raw = content("a_postgresql.log", text.as_bytes());
    assert_eq!((raw.logs.len(), raw.files[0].skipped), (1, 2), "{:?}", raw.gaps);
    assert!(raw.gaps.iter().any(|g| g.kind == GapKind::Skipped && g.line == Some(3)));
    let csv = bytes("formats/pg-log/main_postgresql.csv");
    let cut = [&csv[..], b"2026-11-26 13:34:25.816 UTC,\"shop\",\"or"].concat();
    let raw = content("a_postgresql.csv", &cut);
    assert_eq!(raw.files[0].skipped, 1, "{:?}", raw.gaps);
}

#[test]
fn a_log_that_says_nothing_about_sessions_is_said_to() {
    let text = "2026-11-20 20:10:01 UTC [7] LOG:  listening on port 5432\n";
    let raw = content("a_postgresql.log", text.as_bytes());
    assert!(raw.logs.is_empty() && raw.series.is_empty());
    assert!(raw.gaps.iter().any(|g| g.what.contains("log_lock_waits")), "{:?}", raw.gaps);
    assert!(fixture("formats/pg-log").is_dir());
}
