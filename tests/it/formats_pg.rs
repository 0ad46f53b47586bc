//! PostgreSQL, PgBouncer and Patroni. The fixtures `pg-*/v10` to `v18` and `pg-stat-*` are exports of
//! true servers (10.23, 11.22, 12.22, 13.23, 14.23, 16.14, 17.10, 18.4 from `@embedded-postgres`, 15.20
//! from Debian) made by psql 15.20: one transaction held open, two updates and a DDL waiting behind it. All shapes of
//! `v<n>/` but `watch` are of one snapshot: they were made in one transaction. `pgbouncer/` is of
//! PgBouncer 1.18 with two connections and five clients. `pg-sessions/old` (9.x, a GUI) and
//! `patroni/` are after the samples of the formats' descriptions, not recorded.

use super::support::{Scratch, bytes, fixture};
use rootline::ingest::raw::{Raw, RawSeries, RawSession, Session};
use rootline::ingest::{Settings, read_folder};
use rootline::model::{GapKind, Micros, SECOND};
use rootline::time::{self, Zone};
use std::path::Path;

fn read_with(path: &Path, settings: &Settings) -> Raw {
    read_folder(path, settings).unwrap_or_else(|e| panic!("{}: {e:?}", path.display()))
}

fn read(name: &str) -> Raw {
    read_with(&fixture(name), &Settings::default())
}

fn content(name: &str, bytes: &[u8]) -> Raw {
    read_with(Scratch::with(&[(name, bytes)]).path(), &Settings::default())
}

fn at(text: &str) -> Micros {
    time::parse(text, &Zone::default()).unwrap_or_else(|| panic!("{text} is a time")).at
}

fn has_gap(raw: &Raw, kind: GapKind, words: &str) -> bool {
    raw.gaps.iter().any(|g| g.kind == kind && g.what.contains(words))
}

/// Reader, rows and rows left out of the only file.
fn file(raw: &Raw) -> (&str, u64, u64) {
    (&raw.files[0].reader, raw.files[0].rows, raw.files[0].skipped)
}

/// Sessions by pid, without what says where they stood in their file.
fn sessions(raw: &Raw) -> Vec<RawSession> {
    let plain = |s: &Session| RawSession { file: 0, line: 0, ..s.into() };
    let mut all: Vec<RawSession> = raw.sessions.iter().map(plain).collect();
    all.sort_by_key(|s| (s.snapshot, s.pid));
    all
}

const VERSIONS: [&str; 9] = ["v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18"];

fn activity(version: &str, shape: &str) -> Raw {
    read(&format!("formats/pg-sessions/{version}/main_pg_stat_activity.{shape}"))
}

#[test]
fn every_version_gives_the_same_sessions_in_every_shape() {
    for version in VERSIONS {
        let csv = activity(version, "csv");
        let want = sessions(&csv);
        // Seven rows and the exporting session, which is left out.
        assert_eq!(file(&csv), ("pg-sessions", 8, 0), "{version}: {:?}", csv.gaps);
        assert_eq!(want.len(), 7, "{version}");
        for shape in ["json", "aligned.txt", "expanded.txt"] {
            let raw = activity(version, shape);
            assert_eq!(file(&raw), ("pg-sessions", 8, 0), "{version} {shape}: {:?}", raw.gaps);
            assert_eq!(sessions(&raw), want, "{version} {shape}");
        }
    }
    let want = sessions(&activity("v15", "csv"));
    let shapes = ["rows.jsonl", "unicode.txt", "old-ascii.txt", "unaligned.txt", "copy.csv"];
    for shape in shapes {
        let raw = activity("v15", shape);
        assert_eq!(sessions(&raw), want, "{shape}: {:?}", raw.gaps);
    }
}

#[test]
fn sessions_hold_what_the_server_said() {
    let raw = activity("v15", "aligned.txt");
    let all = sessions(&raw);
    let of = |application: &str| {
        let found = all.iter().filter(|s| s.application == application);
        found.collect::<Vec<_>>()
    };
    let holder = of("checkout")[0];
    assert_eq!(
        (holder.state.as_str(), holder.wait_event.as_str()),
        ("idle in transaction", "ClientRead")
    );
    assert_eq!(holder.blocked_by, Some(vec![]));
    assert_eq!(holder.query, "update orders set v=? where id=?");
    assert_eq!((holder.server.as_str(), holder.database.as_str()), ("main", "shop"));
    assert_eq!(holder.xact_start, Some(at("2026-11-21T04:31:20.444845Z")));
    assert_eq!(holder.at, at("2026-11-21T04:31:23.997438Z"));
    let waiting = of("orders?api");
    assert_eq!(waiting[0].blocked_by, Some(vec![holder.pid]));
    assert_eq!(waiting[0].wait_event, "transactionid");
    assert_eq!(waiting[0].query, "update orders set v=? where id=?");
    assert_eq!(waiting[0].query_tag, "multi line \"comment\"");
    assert_eq!(
        (waiting[1].wait_event.as_str(), waiting[1].wait_event_type.as_str()),
        ("tuple", "Lock")
    );
    let ddl = of("migrator")[0];
    assert_eq!(ddl.blocked_by, Some(vec![waiting[1].pid, waiting[0].pid, holder.pid]));
    let own = all.iter().find(|s| s.backend_type == "checkpointer").expect("it is in every export");
    assert_eq!((own.database.as_str(), own.xact_start), ("", None));
}

#[test]
fn literals_of_statements_stay_in_the_reader_whatever_the_shape() {
    let folder = fixture("formats/pg-sessions");
    let raw = read_with(&folder, &Settings::default());
    let shown = format!("{:?} {:?} {:?}", raw.sessions, raw.gaps, raw.series);
    for word in ["secret-", "größe", "'paid'", "idle one"] {
        assert!(!shown.contains(word), "{word}");
    }
}

#[test]
fn watch_gives_a_snapshot_per_title_and_the_same_sessions() {
    for version in ["v10", "v11", "v12", "v13", "v14", "v15", "v17", "v18"] {
        let raw = activity(version, "watch.txt");
        assert_eq!(raw.files[0].skipped, 0, "{version}: {:?}", raw.gaps);
        assert!(has_gap(&raw, GapKind::Doubtful, "times have no zone"), "{:?}", raw.gaps);
        let once = sessions(&activity(version, "csv"));
        let watched = sessions(&raw);
        assert_eq!(watched.iter().map(|s| s.snapshot).max(), Some(2), "{version}: three titles");
        for snapshot in 0..3 {
            let own = watched.iter().filter(|s| s.snapshot == snapshot);
            let own: Vec<_> = own.map(|s| untimed(s, &once)).collect();
            let all = once.iter().filter(|s| s.database == "shop");
            assert_eq!(own, all.map(|s| untimed(s, &once)).collect::<Vec<_>>(), "{version}");
        }
    }
    let raw = activity("v15", "watch.txt");
    assert_eq!(raw.sessions[0].at, at("2026-11-21T04:31:24Z"));
    assert_eq!(raw.sessions.last().map(|s| s.at), Some(at("2026-11-21T04:31:26Z")));
}

/// A session without its snapshot; the address of the client was not among the watched columns.
fn untimed(session: &RawSession, _: &[RawSession]) -> RawSession {
    let client_addr = "".into();
    RawSession { at: 0, snapshot: 0, client_addr, backend_xmin: None, ..session.clone() }
}

#[test]
fn watch_is_the_same_in_csv_and_expanded() {
    let plain = |shape: &str| -> Vec<RawSession> {
        sessions(&activity("v15", shape))
            .iter()
            .map(|s| RawSession { at: 0, ..s.clone() })
            .collect()
    };
    assert_eq!(plain("watch-expanded.txt"), plain("watch.txt"));
    assert_eq!(plain("watch.csv"), plain("watch.txt"));
    let csv = activity("v15", "watch.csv");
    assert!(!has_gap(&csv, GapKind::Doubtful, "no zone"), "{:?}", csv.gaps);
}

#[test]
fn titles_are_local_time_of_the_zone_that_was_given() {
    let zone = Zone::named("America/New_York");
    let path = fixture("formats/pg-sessions/v15/main_pg_stat_activity.watch.txt");
    let raw = read_with(&path, &Settings { zone, ..Settings::default() });
    assert_eq!(raw.sessions[0].at, at("2026-11-21T09:31:24Z"));
    assert!(!has_gap(&raw, GapKind::Doubtful, "no zone"), "{:?}", raw.gaps);
}

#[test]
fn copy_text_is_read_where_the_columns_of_a_version_fit() {
    for version in ["v10", "v11", "v12", "v13", "v15", "v17"] {
        let raw = activity(version, "copy.tsv");
        assert_eq!(file(&raw), ("pg-sessions", 8, 0), "{version}: {:?}", raw.gaps);
        // No snapshot time and no blockers in it: the rest is the same.
        let bare = |s: &RawSession| RawSession { at: 0, blocked_by: None, ..s.clone() };
        let want: Vec<_> = sessions(&activity(version, "csv")).iter().map(bare).collect();
        assert_eq!(sessions(&raw).iter().map(bare).collect::<Vec<_>>(), want, "{version}");
    }
    let raw = read("formats/pg-sessions/old/main_pg_stat_activity.five-columns.tsv");
    assert!(has_gap(&raw, GapKind::Unreadable, "export with `csv header`"), "{:?}", raw.gaps);
    assert_eq!(raw.gaps[0].line, Some(1));
}

#[test]
fn json_inside_an_aligned_table_is_read() {
    let raw = activity("v15", "json_agg.txt");
    let pids = |raw: &Raw| sessions(raw).iter().map(|s| (s.pid, s.at)).collect::<Vec<_>>();
    assert_eq!(pids(&raw), pids(&activity("v15", "csv")), "{:?}", raw.gaps);
    assert_eq!(sessions(&raw)[2].query, "update orders set v=? where id=?");
}

#[test]
fn json_in_the_only_column_of_csv_and_unaligned_text_is_read() {
    let text = bytes("formats/pg-sessions/v15/main_pg_stat_activity.json");
    let text = String::from_utf8(text).expect("UTF-8");
    let quoted = format!("json_agg\n\"{}\"\n", text.trim().replace('"', "\"\""));
    let bare = format!("json_agg\n{}\n(1 row)\n", text.trim());
    for text in [quoted, bare] {
        let raw = content("main_pg_stat_activity.csv", text.as_bytes());
        assert_eq!(sessions(&raw), sessions(&activity("v15", "csv")), "{:?}", raw.gaps);
    }
}

#[test]
fn statements_that_are_hidden_are_a_gap() {
    let raw = activity("v15", "hidden.csv");
    assert!(has_gap(&raw, GapKind::Missing, "rows hide their statement"), "{:?}", raw.gaps);
    assert!(has_gap(&raw, GapKind::Missing, "no pg_blocking_pids column"), "{:?}", raw.gaps);
}

#[test]
fn every_date_style_gives_the_same_times() {
    let style = |name: &str| format!("formats/pg-sessions/styles/main_pg_stat_activity.{name}.csv");
    let times = |raw: &Raw| -> Vec<_> {
        sessions(raw).iter().map(|s| (s.pid, s.at, s.xact_start, s.query_start)).collect()
    };
    // The exporting session is not known from the first 30 characters of its statement: it is last.
    let want = times(&activity("v15", "csv"));
    for name in ["sql-mdy", "german", "postgres-mdy", "postgres-dmy"] {
        let raw = read(&style(name));
        assert_eq!(times(&raw)[..7], want, "{name}: {:?}", raw.gaps);
    }
    // IST is three zones: only who says which one gets an answer.
    let path = fixture(&style("sql-dmy"));
    let zone = Zone::named("Asia/Kolkata");
    let named = read_with(&path, &Settings { zone, ..Settings::default() });
    assert_eq!(times(&named)[..7], want);
    let raw = read_with(&path, &Settings::default());
    assert!(raw.sessions.is_empty());
    let gap = raw.gaps.iter().find(|g| g.what.contains("several countries")).expect("it is said");
    assert_eq!(gap.line, Some(2));
    assert!(gap.what.contains("IST") && gap.what.contains("--timezone"), "{}", gap.what);
}

#[test]
fn old_servers_and_guis_are_read() {
    let old = read("formats/pg-sessions/old/main_pg_stat_activity.9-5.csv");
    let rows = |raw: &Raw| -> Vec<_> {
        let row = |s: &RawSession| (s.pid, s.state.to_string(), s.wait_event_type.to_string());
        sessions(raw).iter().map(row).collect()
    };
    let holder = (31608, "idle in transaction".to_owned(), String::new());
    let want = [holder.clone(), (31609, "active".to_owned(), "Lock".to_owned())];
    assert_eq!(rows(&old), want, "{:?}", old.gaps);
    assert_eq!(rows(&read("formats/pg-sessions/old/main_pg_stat_activity.9-1.csv")), want);
    let gui = read("formats/pg-sessions/old/main_pg_stat_activity.gui.json");
    assert_eq!(file(&gui), ("pg-sessions", 2, 0), "{:?}", gui.gaps);
    let all = sessions(&gui);
    assert_eq!(rows(&gui), [holder, (31609, String::new(), String::new())]);
    let taken = at("2026-11-20T19:54:11.969Z");
    assert_eq!(all[0].at, taken);
    assert_eq!(all[0].xact_start, Some(taken - 9 * SECOND));
    assert_eq!(all[1].xact_start, Some(taken - 93_784_500_000));
    assert_eq!(all[1].blocked_by, Some(vec![31608, 31610]));
    assert_eq!(all[0].query, "update orders set v=?");
}

#[test]
fn locks_tell_who_blocks_whom_where_sessions_do_not() {
    for version in ["v10", "v11", "v12", "v15", "v17"] {
        let locks = bytes(&format!("formats/pg-locks/{version}/main_pg_locks.csv"));
        let sessions_of = |name: &str| bytes(&format!("formats/pg-sessions/{version}/{name}"));
        let csv = String::from_utf8(sessions_of("main_pg_stat_activity.csv")).expect("UTF-8");
        // The same export without its column of blockers.
        let without = csv.replacen("blocked_by", "note", 1);
        let files: [(&str, &[u8]); 2] =
            [("main_pg_stat_activity.csv", without.as_bytes()), ("main_pg_locks.csv", &locks)];
        let joined = read_with(Scratch::with(&files).path(), &Settings::default());
        assert!(has_gap(&joined, GapKind::Inferred, "taken from pg_locks"), "{:?}", joined.gaps);
        assert!(!has_gap(&joined, GapKind::Missing, "pg_blocking_pids"), "{:?}", joined.gaps);
        let truth = sessions(&activity(version, "csv"));
        for (own, truth) in sessions(&joined).iter().zip(&truth) {
            let mut want = truth.blocked_by.clone().unwrap_or_default();
            want.sort_unstable();
            if ["v10", "v11", "v12"].contains(&version) && truth.application == "report" {
                // It waits behind a waiting one: without waitstart (14) that cannot be seen.
                want.clear();
            }
            assert_eq!(own.blocked_by, Some(want), "{version}: pid {}", own.pid);
        }
    }
}

#[test]
fn locks_are_the_same_in_csv_and_aligned_text() {
    for version in ["v10", "v11", "v12", "v15", "v17"] {
        let csv = read(&format!("formats/pg-locks/{version}/main_pg_locks.csv"));
        let text = read(&format!("formats/pg-locks/{version}/main_pg_locks.aligned.txt"));
        assert_eq!(file(&csv), ("pg-locks", 20, 0), "{:?}", csv.gaps);
        assert_eq!(file(&text), ("pg-locks", 20, 0), "{:?}", text.gaps);
        // 10, 11 and 17 were asked twice, so that the times of their two snapshots differ.
        let rows = |raw: &Raw| -> Vec<_> {
            raw.locks.iter().map(|l| (l.pid, l.mode.clone(), l.granted)).collect()
        };
        assert_eq!(rows(&csv), rows(&text), "{version}");
        assert!(text.locks.iter().all(|l| l.at.is_some()), "{version}");
        // Cast to regclass, the relation has its name.
        assert!(text.locks.iter().any(|l| l.relation == "orders" && !l.granted));
    }
}

/// The series of a name whose labels hold these pairs.
fn series<'a>(raw: &'a Raw, name: &str, labels: &[(&str, &str)]) -> &'a RawSeries {
    let fits = |s: &&RawSeries| {
        let has = |(k, v): &(&str, &str)| s.labels.get(*k).map(String::as_str) == Some(*v);
        s.name == name && labels.iter().all(has)
    };
    let names = || raw.series.iter().map(|s| format!("{} {:?}", s.name, s.labels));
    raw.series
        .iter()
        .find(fits)
        .unwrap_or_else(|| panic!("{name}: {:?}", names().collect::<Vec<_>>()))
}

fn values(series: &RawSeries) -> Vec<f64> {
    series.samples.iter().map(|s| s.1).collect()
}

/// A series' name, its labels and unit, and its samples.
type Shown = (String, String, Vec<(Micros, f64)>);

/// All series by name and labels, to compare exports.
fn all_series(raw: &Raw) -> Vec<Shown> {
    let mut all: Vec<Shown> = raw
        .series
        .iter()
        .map(|s| (s.name.clone(), format!("{:?} {:?}", s.labels, s.unit), s.samples.to_vec()))
        .collect();
    all.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    all
}

#[test]
fn two_snapshots_of_pg_stat_database_are_counters() {
    for version in ["v10", "v11", "v12", "v15", "v17", "v18"] {
        let raw = read(&format!("formats/pg-stat-database/{version}_pg_stat_database.csv"));
        assert_eq!(file(&raw), ("pg-stat-database", 4, 0), "{version}: {:?}", raw.gaps);
        let shop = [("datname", "shop"), ("server", version)];
        let commits = values(series(&raw, "pg_stat_database_xact_commit", &shop));
        assert!(commits.len() == 2 && commits[1] > commits[0], "{version}: {commits:?}");
        assert!(!has_gap(&raw, GapKind::Missing, "one snapshot"), "{:?}", raw.gaps);
    }
    let raw = read("formats/pg-stat-database/v15_pg_stat_database.watch-expanded.txt");
    let active = series(&raw, "pg_stat_database_active_time_seconds_total", &[]);
    assert_eq!(active.samples.at(0).0, at("2026-11-21T04:31:37Z"));
    assert!((active.samples.at(0).1 - 0.097_127).abs() < 1e-9);
    assert_eq!(active.unit.as_deref(), Some("s"));
    let read_time = series(&raw, "pg_stat_database_blk_read_time", &[("datname", "shop")]);
    assert!((read_time.samples.at(0).1 - 0.000_058).abs() < 1e-12);
}

#[test]
fn one_snapshot_of_counters_says_that_it_gives_no_rates() {
    let csv = String::from_utf8(bytes("formats/pg-stat-database/v15_pg_stat_database.csv"));
    let csv = csv.expect("UTF-8");
    let one: Vec<&str> = csv.lines().take(3).collect();
    let raw = content("v15_pg_stat_database.csv", one.join("\n").as_bytes());
    assert!(has_gap(&raw, GapKind::Missing, "one snapshot of pg_stat_database"), "{:?}", raw.gaps);
}

#[test]
fn statements_are_counters_by_query_id_and_fingerprint() {
    for version in ["v12", "v15", "v18"] {
        let raw = read(&format!("formats/pg-stat-statements/{version}_pg_stat_statements.csv"));
        assert_eq!(file(&raw).0, "pg-stat-statements", "{:?}", raw.gaps);
        assert_eq!(raw.files[0].skipped, 0, "{:?}", raw.gaps);
        let print = rootline::ingest::sql::fingerprint("select count(*) from orders where id > ?");
        let labels = [("query", print.as_str()), ("datname", "shop")];
        assert_eq!(values(series(&raw, "pg_stat_statements_calls_total", &labels)), [1.0, 2.0]);
        let time = values(series(&raw, "pg_stat_statements_seconds_total", &labels));
        assert!(time[1] > time[0] && time[1] < 0.1, "{time:?}");
        let own = series(&raw, "pg_stat_statements_calls_total", &labels);
        assert!(own.labels["queryid"].parse::<i64>().is_ok());
        assert_eq!(own.labels["statement"], "SELECT orders");
    }
    let top = read("formats/pg-stat-statements/v15_pg_stat_statements.top-2026-11-21T04-40-00.txt");
    assert!(
        has_gap(&top, GapKind::Missing, "one snapshot of pg_stat_statements"),
        "{:?}",
        top.gaps
    );
    let calls = series(&top, "pg_stat_statements_calls_total", &[("statement", "SELECT orders")]);
    assert_eq!(calls.samples.at(0).0, at("2026-11-21T04:40:00Z"));
}

#[test]
fn settings_are_gauges_in_base_units() {
    let rows = read("formats/pg-settings/main_pg_settings-2026-11-21T04-31-30.csv");
    let shown = read("formats/pg-settings/main_pg_settings.show-all-2026-11-21T04-31-30.txt");
    for raw in [&rows, &shown] {
        let value = |name: &str| values(series(raw, name, &[("server", "main")]));
        assert_eq!(value("pg_settings_max_connections"), [30.0], "{:?}", raw.gaps);
        assert_eq!(value("pg_settings_shared_buffers_bytes"), [16_777_216.0]);
        assert_eq!(value("pg_settings_deadlock_timeout_seconds"), [1.0]);
        assert_eq!(value("pg_settings_checkpoint_timeout_seconds"), [300.0]);
        assert_eq!(value("pg_settings_work_mem_bytes"), [4_194_304.0]);
        assert_eq!(value("pg_settings_statement_timeout_seconds"), [0.0]);
        assert!(has_gap(raw, GapKind::Inferred, "read from the file's name"), "{:?}", raw.gaps);
    }
}

#[test]
fn standbys_and_tables_are_measured() {
    let text = read("formats/pg-stat-replication/primary_pg_stat_replication.txt");
    let csv = read("formats/pg-stat-replication/primary_pg_stat_replication.csv");
    let standby = [("application_name", "standby1"), ("server", "primary")];
    for (raw, reader) in [(&text, "text"), (&csv, "csv")] {
        assert_eq!(file(raw), ("pg-stat-replication", 1, 0), "{reader}: {:?}", raw.gaps);
        let lag = series(raw, "pg_replication_lag_seconds", &standby);
        assert_eq!(lag.unit.as_deref(), Some("s"));
    }
    assert_eq!(values(series(&text, "pg_replication_lag_seconds", &standby)), [0.236_066]);
    assert_eq!(values(series(&text, "pg_stat_replication_pg_wal_lsn_diff", &standby)), [32.0]);
    let tables = read("formats/pg-stat-user-tables/v18_pg_stat_user_tables.csv");
    let orders = [("relname", "orders"), ("schemaname", "public")];
    assert_eq!(file(&tables).0, "pg-stat-user-tables", "{:?}", tables.gaps);
    assert!(values(series(&tables, "pg_stat_user_tables_n_tup_ins", &orders))[0] >= 2.0);
}

#[test]
fn the_console_of_pgbouncer_is_the_same_in_csv_and_text() {
    for show in ["pools", "stats", "databases", "clients", "servers", "lists"] {
        let csv = read(&format!("formats/pgbouncer/{show}-2026-11-21T04-42-22.csv"));
        let text = read(&format!("formats/pgbouncer/{show}-2026-11-21T04-42-22.txt"));
        assert_eq!(file(&csv).0, "pgbouncer", "{show}: {:?}", csv.gaps);
        assert!(csv.files[0].rows > 0 && csv.files[0].skipped == 0, "{show}: {:?}", csv.gaps);
        let names = |raw: &Raw| -> Vec<_> {
            all_series(raw).into_iter().map(|(name, labels, s)| (name, labels, s.len())).collect()
        };
        assert_eq!(names(&csv), names(&text), "{show}");
        let shown = format!("{:?}", csv.series);
        assert!(!shown.contains("127.0.0.1"), "addresses are not kept: {show}");
    }
}

#[test]
fn pools_have_the_exporters_names_and_units() {
    let raw = read("formats/pgbouncer/pools-2026-11-21T04-42-22.csv");
    let shop = [("database", "shop"), ("user", "app"), ("server", "pgbouncer")];
    let value = |name: &str| values(series(&raw, name, &shop));
    assert_eq!(value("pgbouncer_pools_client_waiting_connections"), [3.0]);
    assert_eq!(value("pgbouncer_pools_server_active_connections"), [2.0]);
    assert_eq!(value("pgbouncer_pools_client_maxwait_seconds"), [1.888_446]);
    let taken = series(&raw, "pgbouncer_pools_client_active_connections", &shop).samples.at(0).0;
    assert_eq!(taken, at("2026-11-21T04:42:22Z"));
    let databases = read("formats/pgbouncer/databases-2026-11-21T04-42-22.csv");
    let size = series(&databases, "pgbouncer_databases_pool_size", &[("name", "shop")]);
    assert_eq!(values(size), [2.0]);
    let clients = read("formats/pgbouncer/clients-2026-11-21T04-42-22.csv");
    let state = [("database", "shop"), ("user", "app"), ("state", "waiting")];
    assert_eq!(values(series(&clients, "pgbouncer_clients_connections", &state)), [3.0]);
    let stats = read("formats/pgbouncer/stats-2026-11-21T04-42-22.csv");
    let wait = series(&stats, "pgbouncer_stats_client_wait_seconds_total", &[("database", "shop")]);
    assert_eq!(values(wait), [0.018_117]);
    let config = read("formats/pgbouncer/config-2026-11-21T04-42-22.csv");
    let most = series(&config, "pgbouncer_config_max_client_connections", &[]);
    assert_eq!(values(most), [50.0]);
    let expanded = read("formats/pgbouncer/pools-expanded-2026-11-21T04-42-22.txt");
    let waiting = series(&expanded, "pgbouncer_pools_client_waiting_connections", &shop);
    assert_eq!(values(waiting), [3.0]);
}

#[test]
fn a_watched_console_is_a_series_and_without_titles_its_last_state() {
    let raw = read("formats/pgbouncer/pools-watch.txt");
    let shop = [("database", "shop")];
    let waiting = series(&raw, "pgbouncer_pools_client_waiting_connections", &shop);
    let first = at("2026-11-21T04:42:23Z");
    let times: Vec<Micros> = waiting.samples.iter().map(|s| s.0).collect();
    assert_eq!(times, [first, first + SECOND, first + 2 * SECOND], "{:?}", raw.gaps);
    assert!(has_gap(&raw, GapKind::Doubtful, "times have no zone"), "{:?}", raw.gaps);
    let stats = read("formats/pgbouncer/stats-watch.txt");
    let total = values(series(&stats, "pgbouncer_stats_queries_pooled_total", &shop));
    assert!(total.len() >= 3 && total[0] == 5.0, "{total:?}");
    let csv = read("formats/pgbouncer/pools-watch-2026-11-21T04-42-29.csv");
    assert_eq!(series(&csv, "pgbouncer_pools_client_waiting_connections", &shop).samples.len(), 1);
    assert!(has_gap(&csv, GapKind::Missing, "only the last is kept"), "{:?}", csv.gaps);
}

#[test]
fn patroni_says_who_leads_and_when_that_changed() {
    let member = read("formats/patroni/patroni-2026-11-20T20-10-00.json");
    let a = [("scope", "shop"), ("name", "pg-a")];
    let value = |raw: &Raw, name: &str, labels: &[(&str, &str)]| values(series(raw, name, labels));
    assert_eq!(value(&member, "patroni_primary", &a), [1.0], "{:?}", member.gaps);
    assert_eq!(value(&member, "patroni_cluster_unlocked", &a), [1.0]);
    assert_eq!(value(&member, "patroni_postgres_timeline", &a), [2.0]);
    assert_eq!(value(&member, "patroni_streaming_standbys", &a), [1.0]);
    let seen = series(&member, "patroni_primary", &a).samples.at(0).0;
    assert_eq!(seen, 1_795_205_401 * SECOND);
    let cluster = read("formats/patroni/cluster-2026-11-20T20-10-00.json");
    let of = |name| [("scope", "shop"), ("name", name)];
    assert_eq!(value(&cluster, "patroni_primary", &of("pg-b")), [0.0], "{:?}", cluster.gaps);
    assert_eq!(value(&cluster, "patroni_replication_lag_bytes", &of("pg-b")), [16_777_216.0]);
    assert_eq!(value(&cluster, "patroni_postgres_running", &of("pg-c")), [0.0]);
    assert!(!format!("{:?}", cluster.series).contains("10.0.0."));
    let history = read("formats/patroni/history.json");
    let events: Vec<_> =
        history.events.iter().map(|e| (e.at, e.kind.as_str(), e.target.as_str())).collect();
    let (first, then) = (at("2026-11-20T20:05:57Z"), at("2026-11-20T20:09:30Z"));
    assert_eq!(events, [(first, "failover", "pg-b"), (then, "failover", "pg-a")]);
    assert!(has_gap(&history, GapKind::Skipped, "without a time"), "{:?}", history.gaps);
}

#[test]
fn several_views_in_one_file_are_all_read() {
    let parts = ["pg-sessions/v15/main_pg_stat_activity", "pg-locks/v15/main_pg_locks"];
    for end in ["aligned.txt", "csv"] {
        let both = parts.map(|p| bytes(&format!("formats/{p}.{end}"))).concat();
        let raw = content(&format!("main_pg_stat_activity.{end}"), &both);
        assert_eq!((raw.sessions.len(), raw.locks.len()), (7, 20), "{end}: {:?}", raw.gaps);
    }
    let prompt = b"shop=> select 1;\n pid | state | query\n-----+-------+-------\n   1 | idle  | x\n(1 row)\n";
    let raw = content("main_pg_stat_activity.txt", prompt);
    let gap = raw.gaps.iter().find(|g| g.kind == GapKind::Skipped).expect("a prompt is no row");
    assert_eq!((gap.line, raw.sessions.len()), (Some(1), 1));
}

/// One export of every shape and view.
fn exports() -> Vec<(String, Vec<u8>)> {
    let names = [
        "pg-sessions/v15/main_pg_stat_activity.csv",
        "pg-sessions/v15/main_pg_stat_activity.json",
        "pg-sessions/v15/main_pg_stat_activity.aligned.txt",
        "pg-sessions/v15/main_pg_stat_activity.expanded.txt",
        "pg-sessions/v15/main_pg_stat_activity.unaligned.txt",
        "pg-sessions/v15/main_pg_stat_activity.copy.tsv",
        "pg-sessions/v15/main_pg_stat_activity.unicode.txt",
        "pg-sessions/v15/main_pg_stat_activity.watch.txt",
        "pg-locks/v15/main_pg_locks.aligned.txt",
        "pg-stat-database/v15_pg_stat_database.watch-expanded.txt",
        "pg-stat-statements/v15_pg_stat_statements.csv",
        "pgbouncer/pools-watch.txt",
        "patroni/cluster-2026-11-20T20-10-00.json",
        "patroni/history.json",
    ];
    names.iter().map(|n| (n.replace('/', "-"), bytes(&format!("formats/{n}")))).collect()
}

#[test]
fn a_cut_anywhere_costs_no_more_than_what_stands_behind_it() {
    for (name, whole) in exports() {
        let count =
            |raw: &Raw| raw.sessions.len() + raw.locks.len() + raw.series.len() + raw.events.len();
        let all = count(&content(&name, &whole));
        for part in 1..12 {
            let cut = &whole[..whole.len() * part / 12];
            let folder =
                Scratch::with(&[(&name, cut), ("note.csv", b"time,cpu\n2026-11-20T20:10:00Z,1\n")]);
            let raw = read_with(folder.path(), &Settings::default());
            // The good file beside it has one series; the exporting session may lose what tells it.
            assert!(count(&raw) <= all + 2, "{name} cut at {part}/12");
        }
    }
}

#[test]
fn drawn_tables_that_are_cut_inside_a_line_say_where() {
    for shape in ["aligned.txt", "expanded.txt", "watch.txt"] {
        let whole = bytes(&format!("formats/pg-sessions/v15/main_pg_stat_activity.{shape}"));
        assert!(!has_gap(&activity("v15", shape), GapKind::Truncated, "inside a table"));
        let behind = memchr::memmem::rfind(&whole, b"secret-8").expect("a statement");
        let raw = content("main_pg_stat_activity.txt", &whole[..behind + 3]);
        let line = whole[..behind].iter().filter(|b| **b == b'\n').count() as u64 + 1;
        let gap = raw.gaps.iter().find(|g| g.kind == GapKind::Truncated).expect("it is said");
        assert_eq!(gap.line, Some(line), "{shape}");
        assert!(!format!("{:?}", raw.sessions).contains("sec"), "{shape}");
    }
}

#[test]
fn text_in_another_encoding_keeps_its_columns() {
    for shape in ["aligned.txt", "csv", "expanded.txt"] {
        let text = bytes(&format!("formats/pg-sessions/v15/main_pg_stat_activity.{shape}"));
        let text = String::from_utf8(text).expect("UTF-8");
        // ISO 8859-1 as far as this text goes: one byte a character.
        let latin: Vec<u8> =
            text.chars().map(|c| u8::try_from(c).expect("a Latin letter")).collect();
        let raw = content(&format!("main_pg_stat_activity.{shape}"), &latin);
        assert_eq!(sessions(&raw), sessions(&activity("v15", "csv")), "{shape}: {:?}", raw.gaps);
    }
}

#[test]
fn windows_line_ends_and_utf_16_change_nothing() {
    for (name, whole) in exports() {
        let text = String::from_utf8(whole).expect("the fixtures are UTF-8");
        let plain = content(&name, text.as_bytes());
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        let wide: Vec<u8> = units.flat_map(u16::to_le_bytes).collect();
        let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        for other in [wide.as_slice(), windows.as_bytes()] {
            let raw = content(&name, other);
            assert_eq!(sessions(&raw), sessions(&plain), "{name}: {:?}", raw.gaps);
            assert_eq!(all_series(&raw), all_series(&plain), "{name}");
            assert_eq!(raw.locks, plain.locks, "{name}");
            assert_eq!(raw.events.len(), plain.events.len(), "{name}");
        }
    }
}

#[test]
fn an_export_without_rows_says_so() {
    let empty: [(&str, &str); 5] = [
        ("main_pg_stat_activity.csv", "now,pid,state,query\n"),
        ("main_pg_stat_activity.txt", " pid | state | query \n-----+-------+-------\n(0 rows)\n\n"),
        ("main_pg_locks.csv", "locktype,mode,granted,pid\n"),
        ("pools.csv", "database,user,cl_active,cl_waiting,sv_active\n"),
        ("patroni.json", "{\"members\":[],\"scope\":\"shop\",\"role\":1,\"api_url\":2}"),
    ];
    for (name, text) in empty {
        let raw = content(name, text.as_bytes());
        assert_ne!(raw.files[0].reader, "none", "{name}");
        assert!(!raw.gaps.is_empty(), "{name} says nothing");
    }
}
