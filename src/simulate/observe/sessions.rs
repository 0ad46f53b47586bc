//! Snapshots of `pg_stat_activity`, with who blocks whom.

use crate::simulate::station::Nanos;
use crate::simulate::world::{Operation, Wait, World};

/// A row of a snapshot.
#[derive(Clone, Debug)]
pub struct SessionRow {
    pub at: Nanos,
    pub database: u16,
    pub pid: i32,
    pub user: String,
    pub application: String,
    pub port: u16,
    pub began: Nanos,
    pub transaction: Option<Nanos>,
    pub query_began: Option<Nanos>,
    pub changed: Option<Nanos>,
    pub wait: Wait,
    pub state: Operation,
    pub startup: bool,
    pub query: String,
    pub blocked_by: Vec<i32>,
}

/// What `pg_stat_statements` says of a statement: totals since the start, of runs that ended.
#[derive(Clone, Copy, Debug)]
pub struct StatementRow {
    pub at: Nanos,
    pub database: u16,
    pub statement: u16,
    pub calls: u64,
    pub total_s: f64,
    /// Buffers.
    pub touched: f64,
}

/// Takes a snapshot of every database.
pub fn snapshot(world: &mut World) {
    let mut rows = Vec::new();
    for db in 0..world.databases.len() as u16 {
        let d = &world.databases[usize::from(db)];
        if d.down {
            continue;
        }
        for (at, b) in d.backends.iter().enumerate() {
            if b.state == Operation::Closed {
                continue;
            }
            let query = match b.guest {
                true => b.query.clone(),
                false => d.statements[usize::from(b.statement)].sql.clone(),
            };
            rows.push(SessionRow {
                at: world.now,
                database: db,
                pid: b.pid,
                user: b.user.clone(),
                application: b.application.clone(),
                port: b.port,
                began: b.began,
                transaction: b.transaction.filter(|_| !b.startup),
                query_began: (!b.startup).then_some(b.query_began),
                changed: (!b.startup).then_some(b.changed),
                wait: b.wait,
                state: b.state,
                startup: b.startup,
                query,
                blocked_by: world.blockers(db, at as u32),
            });
        }
    }
    world.record.sessions.extend(rows);
    for (db, d) in world.databases.iter().enumerate().filter(|(_, d)| !d.down) {
        for (at, s) in d.statements.iter().enumerate().filter(|(_, s)| s.calls > 0) {
            world.record.statements.push(StatementRow {
                at: world.now,
                database: db as u16,
                statement: at as u16,
                calls: s.calls,
                total_s: s.total_s,
                touched: s.touched,
            });
        }
    }
}
