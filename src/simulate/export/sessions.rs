//! Snapshots of `pg_stat_activity` as CSV, one file for each server, in the columns of version 15
//! and `pg_blocking_pids` beside them.

use super::micros;
use crate::ingest::ACTIVITY_COLUMNS;
use crate::model::Micros;
use crate::simulate::File;
use crate::simulate::draw::hash;
use crate::simulate::observe::SessionRow;
use crate::simulate::world::{Operation, Wait, World};
use std::fmt::Write;

pub fn files(world: &World) -> Vec<File> {
    let mut files = Vec::new();
    for (db, d) in world.databases.iter().enumerate() {
        let mut csv = csv::Writer::from_writer(Vec::new());
        let head = ["snapshot_at"].into_iter().chain(ACTIVITY_COLUMNS).chain(["blocked_by"]);
        csv.write_record(head).expect("memory takes what is written");
        let rows = world.record.sessions.iter().filter(|r| usize::from(r.database) == db);
        rows.for_each(|r| csv.write_record(row(world, r)).expect("memory takes what is written"));
        let bytes = csv.into_inner().expect("memory takes what is written");
        files.push(File { path: format!("pg/{}_pg_stat_activity.csv", d.name), bytes });
    }
    files
}

/// Snapshots of `pg_stat_statements`, one file for each server.
pub fn statements(world: &World) -> Vec<File> {
    let mut files = Vec::new();
    for (db, d) in world.databases.iter().enumerate() {
        let mut text = String::from(
            "snapshot_at,queryid,query,calls,total_exec_time,rows,shared_blks_hit,\
             shared_blks_read\n",
        );
        let rows = world.record.statements.iter().filter(|r| usize::from(r.database) == db);
        for r in rows {
            let s = &d.statements[usize::from(r.statement)];
            let query = s.sql.replace('"', "\"\"");
            let id = (hash(&s.sql, 0) >> 1).to_string();
            let _ = writeln!(
                text,
                "{},{id},\"{query}\",{},{:.3},{},{:.0},{:.0}",
                stamp(micros(world, r.at)),
                r.calls,
                r.total_s * 1e3,
                r.calls,
                r.touched,
                r.touched * 0.002
            );
        }
        files.push(File {
            path: format!("pg/{}_pg_stat_statements.csv", d.name),
            bytes: text.into_bytes(),
        });
    }
    files
}

/// A time as PostgreSQL prints it.
fn stamp(at: Micros) -> String {
    let text = crate::time::rfc3339(at);
    let (seconds, _) = text.split_at(19);
    format!("{}.{:06}+00", seconds.replace('T', " "), at.rem_euclid(1_000_000))
}

fn row(world: &World, r: &SessionRow) -> Vec<String> {
    let time = |at: Option<u64>| at.map_or(String::new(), |at| stamp(micros(world, at)));
    let client = !r.startup;
    let only = |text: &str| if client { text.to_owned() } else { String::new() };
    let (kind, event) = match (r.wait, r.startup) {
        (Wait::Relation, _) => ("Lock", "relation"),
        (Wait::Row, _) => ("Lock", "transactionid"),
        (Wait::Advisory, _) => ("Lock", "advisory"),
        (Wait::LockTable, _) => ("LWLock", "LockManager"),
        (Wait::Read, _) => ("IO", "DataFileRead"),
        (_, true) => ("Activity", "RecoveryWalStream"),
        (Wait::Client, _) => ("Client", "ClientRead"),
        (Wait::None, _) => ("", ""),
    };
    let state = match r.state {
        _ if r.startup => "",
        Operation::Active => "active",
        Operation::Idle => "idle",
        Operation::InTransaction => "idle in transaction",
        Operation::Closed => "",
    };
    let blocked: Vec<String> = r.blocked_by.iter().map(i32::to_string).collect();
    vec![
        stamp(micros(world, r.at)),
        only("16386"),
        only("main"),
        r.pid.to_string(),
        String::new(),
        only("16384"),
        r.user.clone(),
        r.application.clone(),
        only("10.0.4.17"),
        String::new(),
        if client { r.port.to_string() } else { String::new() },
        time(Some(r.began)),
        time(r.transaction),
        time(r.query_began),
        time(r.changed),
        kind.to_owned(),
        event.to_owned(),
        state.to_owned(),
        String::new(),
        String::new(),
        if client { (hash(&r.query, 0) >> 1).to_string() } else { String::new() },
        r.query.clone(),
        (if r.startup { "startup" } else { "client backend" }).to_owned(),
        if blocked.is_empty() { String::new() } else { format!("{{{}}}", blocked.join(",")) },
    ]
}
