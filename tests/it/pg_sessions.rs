//! `rootline sessions` and `rootline record`: what is said of the recordings, what is said not to be
//! known, that no command hits a victim, that reports keep to their width.

use super::support::{Scratch, bytes, fixture, folders, items, name, rootline, text};
use rootline::ingest::{Settings, read_folder};
use serde_json::Value;
use std::collections::BTreeSet;
use unicode_width::UnicodeWidthStr;

fn answer(folder: &str, more: &[&str]) -> Value {
    let run = rootline(&[&["sessions", "--format", "json", folder], more].concat());
    assert_eq!(run.code, 0, "{folder}: {}", run.err);
    run.json()
}

fn incident(name: &str) -> String {
    fixture("incidents").join(name).to_string_lossy().into_owned()
}

fn server<'a>(answer: &'a Value, name: &str) -> &'a Value {
    let all = items(&answer["servers"]);
    all.iter().find(|s| text(&s["name"]) == name).unwrap_or_else(|| panic!("no server {name}"))
}

fn unknown(server: &Value) -> String {
    items(&server["unknown"]).iter().map(text).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_blocker_stands_at_the_root_with_all_behind_it_and_is_the_only_one_to_end() {
    let a = answer(&incident("idle-worker-transaction"), &[]);
    let s = server(&a, "pg-main");
    let tree = &s["blocking"]["trees"][0];
    assert_eq!(text(&tree["root"]["application"]), "settlement-worker");
    assert_eq!((tree["victims"].as_u64(), tree["nodes"][0]["depth"].as_u64()), (Some(8), Some(1)));
    assert_eq!(text(&tree["nodes"][0]["relation"]), "items");
    let [step] = items(&s["mitigation"]) else { panic!("{}", s["mitigation"]) };
    // A cancel does nothing to a session that runs nothing.
    assert_eq!(text(&step["kind"]), "terminate");
    let command = text(&step["command"]);
    let pid = tree["root"]["pid"].as_i64().expect("a pid");
    assert!(command.contains(&format!("pid = {pid} AND backend_start = '2026-11-26T10:02:")));
    // The pool of the service is known, and so is the server's limit.
    let store = items(&s["pools"]["applications"]);
    let store = store.iter().find(|a| text(&a["application"]) == "store").expect("a pool");
    assert_eq!((store["pool_size"].as_f64(), text(&store["service"])), (Some(8.0), "store"));
    assert_eq!(s["pools"]["max_connections"].as_f64(), Some(60.0));
}

#[test]
fn replay_on_a_standby_hangs_behind_the_reader_by_an_edge_that_is_marked() {
    let a = answer(&incident("pool-exhaustion"), &[]);
    let s = items(&a["servers"]).iter().find(|s| s["standby"] == true).expect("a standby");
    let tree = &s["blocking"]["trees"][0];
    assert_eq!(text(&tree["root"]["application"]), "metabase");
    let first = &tree["nodes"][0];
    assert_eq!(
        (text(&first["who"]["backend"]), first["inferred"].as_bool()),
        ("startup", Some(true))
    );
    assert!(items(&s["conflicts"]).iter().any(|c| text(&c["event"]) == "Lock:relation"));
    let kinds: Vec<&str> = items(&s["mitigation"]).iter().map(|m| text(&m["kind"])).collect();
    // Look before acting on what was concluded; cancel before terminate.
    assert_eq!(kinds, ["check", "cancel", "terminate"]);
}

#[test]
fn no_command_ever_names_a_session_that_waits() {
    let mut commands = 0;
    for folder in folders("forests") {
        let a = answer(&incident(&name(&folder)), &[]);
        for s in items(&a["servers"]) {
            let trees = items(&s["blocking"]["trees"]);
            let nodes = trees.iter().flat_map(|t| items(&t["nodes"]));
            let victims: BTreeSet<i64> =
                nodes.flat_map(|n| items(&n["pids"])).map(|p| p.as_i64().expect("a pid")).collect();
            let ends = ["cancel", "terminate"];
            for step in items(&s["mitigation"]).iter().filter(|m| ends.contains(&text(&m["kind"])))
            {
                let pid = step["pid"].as_i64().expect("a pid");
                let command = text(&step["command"]);
                assert!(!victims.contains(&pid), "{}: {command}", name(&folder));
                assert!(
                    command.contains(&format!("pid = {pid} AND backend_start = ")),
                    "{command}"
                );
                commands += 1;
            }
        }
    }
    assert!(commands >= 3, "only {commands} commands were looked at");
}

#[test]
fn what_an_export_lacks_is_said_plainly() {
    let bare = fixture("formats/pg-sessions/without_blockers_pg_stat_activity.csv");
    let a = answer(&bare.to_string_lossy(), &[]);
    let said = unknown(&a["servers"][0]);
    for words in ["who blocks whom", "no waitstart", "lock modes", "no backend_xmin"] {
        assert!(said.contains(words), "{words} in:\n{said}");
    }
    let hidden = "snapshot_at,pid,state,query,backend_type,blocked_by\n\
                  2026-11-20T20:10:00Z,1,,<insufficient privilege>,client backend,{}\n\
                  2026-11-20T20:10:00Z,2,active,select 1,client backend,{1}\n";
    let scratch = Scratch::with(&[("a_pg_stat_activity.csv", hidden.as_bytes())]);
    let a = answer(&scratch.arg(), &[]);
    let s = &a["servers"][0];
    let said = unknown(s);
    assert!(said.contains("pg_read_all_stats") && said.contains("no backend_start"), "{said}");
    assert!(said.contains("one snapshot only"), "{said}");
    // Without the start of the backend a pid may be another's by now: look, but end nothing.
    assert_eq!(text(&s["mitigation"][0]["kind"]), "check");
    assert_eq!(text(&s["blocking"]["trees"][0]["nodes"][0]["who"]["query"]), "select ?");
}

#[test]
fn literals_are_shown_only_where_they_are_asked_for() {
    let folder = fixture("formats/pg-sessions/record");
    let folder = folder.to_string_lossy();
    let plain = rootline(&["sessions", "-v", "--format", "json", &folder]);
    assert!(plain.code == 0 && !plain.out.contains("secret"), "{}", plain.err);
    let asked = rootline(&["sessions", "--show-literals", "--format", "json", &folder]);
    assert!(asked.code == 0 && asked.out.contains("'secret"), "{}", asked.err);
    // What they run has the same short name either way.
    let (plain, asked) = (plain.json(), asked.json());
    let print = |a: &Value| {
        text(&a["servers"][0]["blocking"]["trees"][0]["root"]["fingerprint"]).to_owned()
    };
    assert_eq!(print(&plain), print(&asked));
}

#[test]
fn a_missing_column_is_said_in_every_report() {
    let few = "snapshot_at,pid,usename,wait_event_type,query\n\
               2026-11-20T20:10:00Z,1,shop,,select 1\n";
    let scratch = Scratch::with(&[("a_pg_stat_activity.csv", few.as_bytes())]);
    for command in ["diagnose", "inspect", "sessions"] {
        let run = rootline(&[command, "-v", "--width", "200", &scratch.arg()]);
        let words = run.out.split_whitespace().collect::<Vec<_>>().join(" ");
        let said = "no column state, xact_start, query_start, backend_start, application_name";
        assert!(words.contains(said), "{command}: {}", run.out);
    }
}

#[test]
fn sessions_are_joined_to_services_by_address_and_user_too() {
    let rows = "snapshot_at,pid,usename,application_name,client_addr,state,query,backend_type\n\
                2026-11-20T20:10:00Z,1,shop,,10.0.0.5,active,select 1,client backend\n\
                2026-11-20T20:10:00Z,2,billing,,10.0.0.9,active,select 1,client backend\n\
                2026-11-20T20:10:00Z,3,billing,psql,127.0.0.1,active,select 1,client backend\n";
    let topology = "[aliases]\n\"10.0.0.5\" = \"orders\"\n\n\
                    [[edge]]\ncaller = \"billing\"\ncallee = \"orders\"\n";
    let scratch = Scratch::with(&[
        ("a_pg_stat_activity.csv", rows.as_bytes()),
        ("topology.toml", topology.as_bytes()),
    ]);
    let a = answer(&scratch.arg(), &[]);
    let all = items(&a["servers"][0]["pools"]["applications"]);
    let service = |name: &str| {
        let row = all.iter().find(|r| text(&r["application"]) == name).expect("a row");
        text(&row["service"]).to_owned()
    };
    let found = [service("shop"), service("billing"), service("psql")];
    assert_eq!(found, ["orders", "billing", ""], "{all:?}");
}

#[test]
fn a_time_and_a_database_can_be_asked_for() {
    let folder = incident("idle-worker-transaction");
    let a = answer(&folder, &["--at", "2026-11-26T10:01:30Z"]);
    let s = server(&a, "pg-main");
    assert!(text(&s["shown_at"]) <= "2026-11-26T10:01:30Z" && text(&s["shown_why"]) == "as asked");
    assert!(items(&s["blocking"]["trees"]).is_empty(), "nobody waited then");
    let run = rootline(&["sessions", &folder, "--database", "orders"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("databases here: "), "{}", run.err);
    let run = rootline(&["sessions", &fixture("formats/prometheus").to_string_lossy()]);
    assert!(run.code == 2 && run.err.contains("--print-sql postgres"), "{}", run.err);
}

#[test]
fn reports_keep_to_their_width_and_to_ascii_where_asked() {
    for name in ["pool-exhaustion", "ddl-lock-queue", "prepared-transaction-blocker", "hot-row"] {
        for width in ["60", "100"] {
            let run = rootline(&["sessions", &incident(name), "--width", width, "--ascii"]);
            assert!(run.code == 0 && run.out.is_ascii(), "{name}");
            let most: usize = width.parse().expect("a number");
            for line in run.out.lines().filter(|l| !l.trim_start().starts_with("SELECT ")) {
                assert!(line.width() <= most, "{name} at {width}: {line}");
            }
        }
    }
}

#[test]
fn the_script_of_record_asks_for_what_is_read_and_only_reads() {
    let run = rootline(&["record", "--print-sql", "postgres", "--server", "main", "--every", "1"]);
    assert_eq!(run.code, 0, "{}", run.err);
    for words in ["main_pg_stat_activity.csv", "\\watch 1", "read_only = on", "pg_blocking_pids"] {
        assert!(run.out.contains(words), "{words}");
    }
    let code = run.out.lines().filter(|l| !l.starts_with("--")).collect::<Vec<_>>().join(" ");
    let words: BTreeSet<String> = code
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .map(str::to_lowercase)
        .collect();
    for verb in ["insert", "update", "delete", "create", "drop", "alter", "pg_terminate_backend"] {
        assert!(!words.contains(verb), "the script must not {verb}");
    }
    let bad = rootline(&["record", "--print-sql", "postgres", "--server", "a; drop table b"]);
    assert_eq!(bad.code, 2);
    // The export that this script made on PostgreSQL 15, column by column.
    let path = "formats/pg-sessions/record/main_pg_stat_activity.csv";
    let export = String::from_utf8(bytes(path)).expect("UTF-8");
    let header = export.lines().next().expect("a header");
    for column in header.split(',') {
        assert!(words.contains(column), "{column} is not asked for");
    }
}

#[test]
fn the_export_of_the_script_lacks_nothing() {
    let folder = fixture("formats/pg-sessions/record");
    let raw = read_folder(&folder, &Settings::default()).expect("it is read");
    assert!(raw.gaps.is_empty(), "{:?}", raw.gaps);
    let waiting = raw.sessions.iter().filter(|s| s.blocked_by.iter().any(|b| !b.is_empty()));
    let waiting: Vec<_> = waiting.collect();
    assert!(waiting.len() > 20, "{}", waiting.len());
    assert!(waiting.iter().all(|s| s.wait_start().is_some() && !s.wait_mode.is_empty()));
    assert!(waiting.iter().any(|s| &*s.wait_relation == "items"));
    assert!(raw.sessions.iter().any(|s| s.backend_xmin().is_some()));
    assert!(raw.sessions.iter().all(|s| !s.query.contains("secret")), "a literal got through");
    let a = answer(&folder.to_string_lossy(), &[]);
    let s = server(&a, "main");
    let prepared = items(&s["prepared"]);
    assert_eq!(text(&prepared[0]["gid"]), "order-17");
    for words in ["who blocks whom", "lock modes", "since when", "backend_xmin", "backend_start"] {
        assert!(!unknown(s).contains(words), "{words}: {}", unknown(s));
    }
}

/// The script ran on 13.23, 14.23, 16.14, 17.10 and 18.4 without an error; 15 is above.
#[test]
fn the_script_gives_the_same_on_every_version() {
    for version in ["13", "14", "16", "17", "18"] {
        let path = format!("formats/pg-sessions/record-versions/v{version}_pg_stat_activity.csv");
        let raw = read_folder(&fixture(&path), &Settings::default()).expect("it is read");
        assert!(raw.gaps.is_empty(), "{version}: {:?}", raw.gaps);
        let ddl = raw.sessions.iter().find(|s| s.application == "ddl").expect("the DDL");
        assert_eq!((&*ddl.wait_mode, &*ddl.wait_relation), ("AccessExclusiveLock", "items"));
        // It waits for a prepared transaction too, which has no process.
        let blockers = ddl.blocked_by.as_deref().unwrap_or_default();
        assert!(blockers.contains(&0) && blockers.len() > 1, "{version}: {blockers:?}");
        assert_eq!(ddl.wait_start().is_some(), version != "13", "{version}: waitstart is of 14");
        assert!(raw.sessions.iter().any(|s| s.pid == 0 && s.application == "gid-1"), "{version}");
    }
}

#[test]
fn an_export_without_any_time_is_of_the_time_it_was_taken() {
    let rows = "pid,datname,usename,state,query,wait_event_type,wait_event\n\
                1,shop,app,active,SELECT 1 FROM t,,\n\
                2,shop,app,active,UPDATE t SET a = 1,Lock,transactionid\n";
    for (name, want) in
        [("main_pg_stat_activity-20261120-201000.csv", "2026-11-20 20:10:00"), ("main.csv", "20")]
    {
        let folder = Scratch::with(&[(name, rows.as_bytes())]);
        let run = rootline(&["sessions", &folder.arg()]);
        assert_eq!(run.code, 0, "{}", run.err);
        assert!(run.out.contains(want) && !run.out.contains("1970"), "{}", run.out);
        let said = answer(&folder.arg(), &[])["gaps"].to_string();
        assert!(said.contains("the file holds no time"), "{said}");
    }
}
