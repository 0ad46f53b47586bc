//! How statements and sessions end before their time: cancelled, over their limit, cut off.

use super::engine::Event;
use super::parts::{Operation, Wait};
use super::{NONE, Phase, World, sqlstate};
use crate::simulate::observe::{self, SpanKind};
use crate::simulate::station::Nanos;

impl World {
    /// The statement ran longer than allowed.
    pub fn overdue(&mut self, database: u16, backend: u32, serial: u32) {
        let b = self.backend(database, backend);
        if b.serial == serial && b.state == Operation::Active {
            self.cancel(database, backend, sqlstate::CANCELLED);
        }
    }

    /// Ends what a session is doing; its client gets an error. A guest goes away.
    pub fn cancel(&mut self, database: u16, backend: u32, error: &'static str) {
        let task = self.backend(database, backend).task;
        if task != NONE && self.tasks[task as usize].alive {
            let statement = self.tasks[task as usize].statement;
            observe::inner(self, task, SpanKind::Statement { database, statement, error });
        }
        self.abort(database, backend);
        let b = self.backend(database, backend);
        if b.guest {
            return self.close_backend(database, backend);
        }
        b.state = Operation::Idle;
        b.transaction = None;
        if task != NONE && self.tasks[task as usize].alive {
            self.finish(task, 500);
        }
    }

    /// Takes a session out of every queue and off its processor, and rolls it back.
    fn abort(&mut self, database: u16, backend: u32) {
        let now = self.now;
        let b = self.backend(database, backend);
        b.serial = b.serial.wrapping_add(1);
        b.changed = now;
        b.wait = Wait::Client;
        let (task, busy) = (b.task, b.transaction.is_some());
        match (task != NONE).then(|| self.tasks[task as usize].phase) {
            Some(Phase::DbQueue) => self.databases[usize::from(database)].cores.give_up(),
            Some(Phase::TableQueue) => self.databases[usize::from(database)].lock_table.give_up(),
            Some(Phase::TableHeld) => self.leave_table(database),
            _ => {}
        }
        self.leave_db_core(database, backend);
        self.leave_lock_queues(database, backend);
        self.release_locks(database, backend);
        self.databases[usize::from(database)].rollbacks += u64::from(busy);
    }

    /// Ends a session.
    pub fn close_backend(&mut self, database: u16, backend: u32) {
        self.abort(database, backend);
        let db = &mut self.databases[usize::from(database)];
        let b = &mut db.backends[backend as usize];
        if b.state != Operation::Closed {
            b.state = Operation::Closed;
            b.task = NONE;
            db.hogs -= std::mem::take(&mut b.hogs).min(db.hogs);
            db.closed.push(backend);
            let hogs = db.hogs.min(db.all_cores.saturating_sub(1));
            db.cores.servers = db.all_cores - hogs;
        }
    }

    /// The process that held the task's connection has ended.
    pub fn drop_connection(&mut self, task: u32) {
        let backend = self.tasks[task as usize].backend;
        if backend != NONE {
            let database = self.database_of(task);
            self.close_backend(database, backend);
            self.leave_pooler(task, database);
            self.tasks[task as usize].backend = NONE;
        }
    }

    /// Ends every session of a server; whoever used one gets an error.
    pub fn close_all(&mut self, database: u16) {
        self.close_those(database, |_, _, _| true);
    }

    /// Ends the sessions of a server that instances of odd number use.
    pub fn close_odd(&mut self, database: u16) {
        self.close_those(database, |world, backend, task| {
            let t = (task != NONE).then(|| &world.tasks[task as usize]);
            t.is_some_and(|t| t.alive && t.backend == backend && t.instance % 2 == 1)
        });
    }

    /// Ends the sessions of a server that are meant, by number and task.
    fn close_those(&mut self, database: u16, meant: impl Fn(&World, u32, u32) -> bool) {
        let n = self.databases[usize::from(database)].backends.len() as u32;
        for backend in 0..n {
            let b = self.backend(database, backend);
            let (task, gone) = (b.task, b.state == Operation::Closed || b.startup);
            if gone || !meant(self, backend, task) {
                continue;
            }
            self.close_backend(database, backend);
            if task != NONE && self.tasks[task as usize].alive {
                self.finish(task, 503);
            }
        }
    }

    /// When a statement of this session began, for a limit that is set while it runs.
    pub fn limit_statements(&mut self, database: u16, limit: Nanos) {
        let now = self.now;
        let db = &mut self.databases[usize::from(database)];
        db.statement_timeout = Some(limit);
        let running = db.backends.iter().enumerate();
        let running = running.filter(|(_, b)| b.state == Operation::Active && !b.startup);
        for (at, b) in running {
            let due = (b.query_began + limit).max(now);
            let event = Event::Overdue { database, backend: at as u32, serial: b.serial };
            self.calendar.add(due, event);
        }
    }
}
