//! What stands between a client and its statement besides the pool: PgBouncer, the shared lock table,
//! room on the volume. In: tasks with a connection or a place in a pool. Out: they go on, or fail.

use super::engine::{Event, is_waiting};
use super::parts::{Operation, Wait};
use super::{NONE, Op, Phase, World};
use crate::simulate::scenario::{self, Lock};
use crate::simulate::station::{Entry, Station, Waiter};

/// What a writing statement leaves on the volume: a row, its index entries and its log.
const WRITE_MB: f64 = 0.01;

/// PgBouncer.
#[derive(Clone, Debug)]
pub struct PoolerState {
    pub name: String,
    /// Connections that it was configured with.
    pub usual: u32,
    /// Its connections to the server, and the clients that wait for one.
    pub station: Station,
    pub idle: Vec<u32>,
    /// Transactions that were given a connection.
    pub transactions: u64,
}

impl PoolerState {
    pub fn new(p: &scenario::Pooler) -> PoolerState {
        PoolerState {
            name: p.name.clone(),
            usual: p.size,
            station: Station::new(p.size, None),
            idle: Vec::new(),
            transactions: 0,
        }
    }
}

impl World {
    fn pooler(&mut self, database: u16) -> Option<&mut PoolerState> {
        self.databases[usize::from(database)].pooler.as_mut()
    }

    /// The task has a client connection to the pooler and asks for one to the server.
    pub fn ask_pooler(&mut self, task: u32, database: u16) {
        let t = &self.tasks[task as usize];
        let (service, instance, pool, now) = (t.service, t.instance, t.pool, self.now);
        let stamp = self.begin(task, Phase::PoolerQueue);
        let Some(pooler) = self.pooler(database) else { return };
        match pooler.station.enter(now, task, stamp) {
            Entry::Served => self.pooled(task),
            _ => {
                // The client's own limit of a statement goes on in the pooler's queue.
                if let Some(limit) = self.pool(service, instance, pool).statement {
                    self.calendar.add(now + limit, Event::Expire { task, stamp });
                }
            }
        }
    }

    /// The pooler has given the task a server connection.
    pub fn pooled(&mut self, task: u32) {
        let database = self.database_of(task);
        self.tasks[task as usize].pooled = true;
        if let Some(pooler) = self.pooler(database) {
            pooler.transactions += 1;
        }
        self.take_session(task, database);
    }

    /// No server connection came in time.
    pub fn pooler_timeout(&mut self, task: u32) {
        self.leave_pooler_queue(task);
        let t = &self.tasks[task as usize];
        let (service, instance, pool) = (t.service, t.instance, t.pool);
        self.leave_pool(service, instance, pool);
        self.finish(task, 500);
    }

    /// The task no longer waits for the pooler.
    pub fn leave_pooler_queue(&mut self, task: u32) {
        let database = self.database_of(task);
        if let Some(pooler) = self.pooler(database) {
            pooler.station.give_up();
        }
    }

    /// The task's transaction is over: its server connection is free for the next.
    pub fn leave_pooler(&mut self, task: u32, database: u16) {
        if !std::mem::take(&mut self.tasks[task as usize].pooled) {
            return;
        }
        let now = self.now;
        let tasks = &self.tasks;
        let Some(pooler) = self.databases[usize::from(database)].pooler.as_mut() else { return };
        pooler.station.leave(now);
        let waits = |w: &Waiter| is_waiting(tasks, w.task, w.stamp);
        if let Some(Waiter { task, stamp, .. }) = pooler.station.next(now, waits) {
            self.calendar.add(now, Event::Go { task, stamp });
        }
    }

    /// Idle connections that a task may take.
    pub fn idle(&mut self, service: u16, instance: u16, pool: u16, pooled: bool) -> &mut Vec<u32> {
        let database = self.pool(service, instance, pool).database;
        match pooled && self.databases[usize::from(database)].pooler.is_some() {
            true => &mut self.databases[usize::from(database)].pooler.as_mut().expect("seen").idle,
            false => &mut self.pool(service, instance, pool).idle,
        }
    }

    /// The statement enters its relations into the shared lock table, one session at a time.
    pub fn go_for_table(&mut self, task: u32) {
        let database = self.database_of(task);
        let backend = self.tasks[task as usize].backend;
        let stamp = self.begin(task, Phase::TableQueue);
        let now = self.now;
        let d = &mut self.databases[usize::from(database)];
        match d.lock_table.enter(now, task, stamp) {
            Entry::Served => self.hold_table(task),
            _ => d.backends[backend as usize].wait = Wait::LockTable,
        }
    }

    /// The task has the lock table.
    pub fn hold_table(&mut self, task: u32) {
        let database = self.database_of(task);
        let backend = self.tasks[task as usize].backend;
        let d = &mut self.databases[usize::from(database)];
        d.backends[backend as usize].wait = Wait::None;
        let mean = d.lock_hold as f64;
        let length = d.draw.time(mean, Default::default(), 0.3);
        self.begin_for(task, Phase::TableHeld, length);
    }

    /// Its relations are entered.
    pub fn table_held(&mut self, task: u32) {
        let database = self.database_of(task);
        self.leave_table(database);
        self.go_for_core(task);
    }

    /// The lock table is free for the next session.
    pub fn leave_table(&mut self, database: u16) {
        let now = self.now;
        let tasks = &self.tasks;
        let table = &mut self.databases[usize::from(database)].lock_table;
        table.leave(now);
        let next = table.next(now, |w| is_waiting(tasks, w.task, w.stamp));
        if let Some(Waiter { task, stamp, .. }) = next {
            self.calendar.add(now, Event::Go { task, stamp });
        }
    }

    /// A statement that writes finds no room on the volume.
    pub fn has_no_room(&mut self, database: u16, statement: u16) -> bool {
        let d = &mut self.databases[usize::from(database)];
        let writes = d.statements[usize::from(statement)].lock == Lock::Row;
        let Some(room) = d.disk_mb.filter(|_| writes) else { return false };
        let full = d.used_mb >= room;
        d.used_mb += if full { 0.0 } else { WRITE_MB };
        full
    }

    /// A transaction of a version that locks in the other order runs its statements from the last to
    /// the first.
    pub fn in_its_order(&mut self, task: u32, written: u16, transaction: bool) -> u16 {
        let t = &self.tasks[task as usize];
        let (service, pc) = (usize::from(t.service), usize::from(t.pc));
        if !transaction || self.services[service].other_order <= 0.0 {
            return written;
        }
        let first = self.backend_is_fresh(task);
        if first {
            let s = &mut self.services[service];
            let reversed = s.draw.hits(s.other_order);
            self.tasks[task as usize].reversed = reversed;
        }
        let t = &self.tasks[task as usize];
        let ops = &self.programs[usize::from(t.program)].ops;
        let own = |op: &Op| match op {
            Op::Run { statement, transaction: true } => Some(*statement),
            _ => None,
        };
        let is_edge = |op: &Op| matches!(op, Op::Acquire { .. } | Op::Release);
        let from = ops[..pc].iter().rposition(is_edge).map_or(0, |at| at + 1);
        let to = ops[pc..].iter().position(is_edge).map_or(ops.len(), |at| pc + at);
        let all: Vec<u16> = ops[from..to].iter().filter_map(own).collect();
        let place = ops[from..pc].iter().filter_map(own).count();
        match t.reversed {
            true => all.iter().rev().nth(place).copied().unwrap_or(written),
            false => written,
        }
    }

    /// The task's session has not begun its transaction.
    fn backend_is_fresh(&mut self, task: u32) -> bool {
        let database = self.database_of(task);
        let backend = self.tasks[task as usize].backend;
        backend != NONE && self.backend(database, backend).state == Operation::Idle
    }

    /// Once a second: something else fills the volume.
    pub fn fill_volumes(&mut self) {
        for d in self.databases.iter_mut().filter(|d| d.fills_mb_s > 0.0) {
            let room = d.disk_mb.unwrap_or(f64::INFINITY);
            d.used_mb = (d.used_mb + d.fills_mb_s).min(room);
        }
    }
}
