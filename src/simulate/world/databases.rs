//! Connections and statements: the pool, the login, locks, processors, and the end of a statement.

use super::engine::Event;
use super::engine::is_waiting;
use super::parts::{Backend, Operation, Wait};
use super::{NONE, Op, Phase, World, sqlstate};
use crate::simulate::observe::{self, SpanKind};
use crate::simulate::scenario::Lock;
use crate::simulate::station::{Entry, Waiter};

/// Key of an advisory lock, which is no row's.
const ADVISORY: u32 = u32::MAX;
/// Login of a new connection: a fork, authentication, the first catalogue reads.
const LOGIN_NS: f64 = 4e6;

impl World {
    /// The task asks its pool for a connection.
    pub fn acquire(&mut self, task: u32, pool: u16) {
        let t = &mut self.tasks[task as usize];
        t.pool = pool;
        let (service, instance, now) = (t.service, t.instance, self.now);
        let stamp = self.begin(task, Phase::PoolQueue);
        let p = &mut self.instance(service, instance).pools[usize::from(pool)];
        p.requests += 1;
        let limit = p.acquire;
        match p.station.enter(now, task, stamp) {
            Entry::Served => self.connect(task),
            _ => self.calendar.add(now + limit, Event::Expire { task, stamp }),
        }
    }

    /// Nobody gave a connection back in time.
    pub fn pool_timeout(&mut self, task: u32) {
        let t = &self.tasks[task as usize];
        let (service, instance, pool) = (t.service, t.instance, t.pool);
        let p = &mut self.instance(service, instance).pools[usize::from(pool)];
        p.station.give_up();
        p.timeouts += 1;
        p.wait_s += p.acquire as f64 / 1e9;
        self.finish(task, 503);
    }

    /// The task has a place in the pool: an idle connection, or a new one.
    pub fn connect(&mut self, task: u32) {
        let now = self.now;
        let t = &mut self.tasks[task as usize];
        t.held = now;
        let (service, instance, pool, since) = (t.service, t.instance, t.pool, t.since);
        let p = &mut self.instance(service, instance).pools[usize::from(pool)];
        p.wait_s += (now - since) as f64 / 1e9;
        let database = p.database;
        if self.databases[usize::from(database)].pooler.is_some() {
            return self.ask_pooler(task, database);
        }
        self.take_session(task, database);
    }

    /// The task takes an idle connection, of its pool or of the pooler, or opens one.
    pub fn take_session(&mut self, task: u32, database: u16) {
        let t = &self.tasks[task as usize];
        let (service, instance, pool, pooled) = (t.service, t.instance, t.pool, t.pooled);
        while let Some(backend) = self.idle(service, instance, pool, pooled).pop() {
            if self.backend(database, backend).state != Operation::Closed {
                self.hold(task, database, backend);
                return self.next_step(task);
            }
        }
        let db = &mut self.databases[usize::from(database)];
        let open = db.backends.iter().filter(|b| !b.startup && b.state != Operation::Closed);
        if db.down || db.refuses_login || open.count() as u32 >= db.max_connections {
            let (down, refused) = (db.down, db.refuses_login);
            if down || refused {
                observe::inner(self, task, SpanKind::Refused { database, down });
            }
            let status = if down { 503 } else { 500 };
            self.leave_pooler(task, database);
            self.leave_pool(service, instance, pool);
            return self.finish(task, status);
        }
        let login = db.draw.time(LOGIN_NS, Default::default(), 0.3);
        let name = self.services[usize::from(service)].name.clone();
        let owner = (!pooled).then_some((service, instance));
        let backend = self.open_backend(database, &name, owner);
        self.backend(database, backend).guest = false;
        self.hold(task, database, backend);
        self.begin_for(task, Phase::Connect, login);
    }

    fn hold(&mut self, task: u32, database: u16, backend: u32) {
        self.tasks[task as usize].backend = backend;
        self.backend(database, backend).task = task;
    }

    /// The database of the pool that the task uses.
    pub fn database_of(&self, task: u32) -> u16 {
        let t = &self.tasks[task as usize];
        let s = &self.services[usize::from(t.service)];
        s.instances[usize::from(t.instance)].pools[usize::from(t.pool)].database
    }

    pub fn backend(&mut self, database: u16, backend: u32) -> &mut Backend {
        &mut self.databases[usize::from(database)].backends[backend as usize]
    }

    /// A new session.
    pub fn open_backend(
        &mut self,
        database: u16,
        application: &str,
        owner: Option<(u16, u16)>,
    ) -> u32 {
        self.next_pid += 1 + self.chance.below(7) as i32;
        let backend = Backend {
            pid: self.next_pid,
            application: application.to_owned(),
            user: application.to_owned(),
            port: 40_000 + (self.next_pid % 20_000) as u16,
            query: String::new(),
            statement: 0,
            state: Operation::Idle,
            wait: Wait::Client,
            began: self.now,
            transaction: None,
            query_began: self.now,
            changed: self.now,
            task: NONE,
            owner,
            serial: 0,
            holds: Vec::new(),
            rows: Vec::new(),
            wants: None,
            wants_row: None,
            has_core: false,
            guest: owner.is_none(),
            startup: false,
            brief: false,
            hogs: 0,
        };
        let db = &mut self.databases[usize::from(database)];
        match db.closed.pop() {
            Some(at) => {
                let serial = db.backends[at as usize].serial;
                db.backends[at as usize] = Backend { serial: serial.wrapping_add(1), ..backend };
                at
            }
            None => {
                db.backends.push(backend);
                db.backends.len() as u32 - 1
            }
        }
    }

    /// The task runs a statement on its connection.
    pub fn run_statement(&mut self, task: u32, written: u16, transaction: bool) {
        let database = self.database_of(task);
        let statement = self.instead(task, written, transaction);
        let statement = self.in_its_order(task, statement, transaction);
        let t = &mut self.tasks[task as usize];
        t.statement = statement;
        let (backend, service, instance, pool) = (t.backend, t.service, t.instance, t.pool);
        let now = self.now;
        let own = self.pool(service, instance, pool).statement;
        let limit = [own, self.databases[usize::from(database)].statement_timeout];
        let b = self.backend(database, backend);
        b.serial = b.serial.wrapping_add(1);
        b.state = Operation::Active;
        b.statement = statement;
        b.wait = Wait::None;
        b.query_began = now;
        b.changed = now;
        b.transaction = b.transaction.or(Some(now));
        let serial = b.serial;
        if let Some(limit) = limit.into_iter().flatten().min() {
            self.calendar.add(now + limit, Event::Overdue { database, backend, serial });
        }
        self.go_for_locks(task);
    }

    /// A version may run another statement than the one that is written.
    fn instead(&mut self, task: u32, written: u16, transaction: bool) -> u16 {
        let extra = self.effect(task).extra;
        let t = &self.tasks[task as usize];
        match extra {
            Some((extra, share)) if !transaction && t.pool == 0 && t.repeat == 0 => {
                let service = usize::from(t.service);
                if self.services[service].draw.hits(share) { extra } else { written }
            }
            _ => written,
        }
    }

    /// Takes what the statement locks, one after the other, then a processor of the database.
    pub fn go_for_locks(&mut self, task: u32) {
        let database = self.database_of(task);
        let t = &self.tasks[task as usize];
        let (backend, statement, key) = (t.backend, t.statement, t.key);
        let s = &self.databases[usize::from(database)].statements[usize::from(statement)];
        let (relation, lock) = (s.relation, s.lock);
        let exclusive = lock == Lock::Exclusive;
        self.begin(task, Phase::LockQueue);
        if !self.take_relation(database, backend, relation, exclusive) {
            return;
        }
        if lock == Lock::Row && !self.take_row(database, backend, (relation, key)) {
            return;
        }
        if lock == Lock::Advisory && !self.take_row(database, backend, (relation, ADVISORY)) {
            self.backend(database, backend).wait = Wait::Advisory;
            return;
        }
        match self.databases[usize::from(database)].lock_hold {
            0 => self.go_for_core(task),
            _ => self.go_for_table(task),
        }
    }

    /// The task has its locks: a processor of the database.
    pub fn go_for_core(&mut self, task: u32) {
        let database = self.database_of(task);
        let backend = self.tasks[task as usize].backend;
        let stamp = self.begin(task, Phase::DbQueue);
        let now = self.now;
        let db = &mut self.databases[usize::from(database)];
        db.backends[backend as usize].wait = Wait::None;
        if db.cores.enter(now, task, stamp) == Entry::Served {
            self.run_core(database, task);
        }
    }

    fn run_core(&mut self, database: u16, task: u32) {
        let t = &self.tasks[task as usize];
        let (backend, statement) = (t.backend, t.statement);
        if self.has_no_room(database, statement) {
            self.backend(database, backend).has_core = true;
            return self.cancel(database, backend, sqlstate::DISK_FULL);
        }
        let db = &mut self.databases[usize::from(database)];
        let s = &db.statements[usize::from(statement)];
        let crowd = f64::from(db.hogs) / f64::from(db.all_cores);
        let mean = s.mean_ns * s.factor * crowd.max(1.0);
        let length = db.draw.time(mean, Default::default(), 0.35);
        let reads = (length as f64 * (db.disk - 1.0).max(0.0)) as u64;
        db.backends[backend as usize].has_core = true;
        self.tasks[task as usize].need = reads;
        self.begin_for(task, Phase::DbRun, length);
    }

    /// The statement has used its processor; on a slow disk it waits for reads as well.
    pub fn statement_computed(&mut self, task: u32) {
        let database = self.database_of(task);
        let t = &mut self.tasks[task as usize];
        let (backend, reads) = (t.backend, std::mem::take(&mut t.need));
        self.leave_db_core(database, backend);
        if reads == 0 {
            return self.statement_done(task);
        }
        let b = self.backend(database, backend);
        b.wait = Wait::Read;
        self.databases[usize::from(database)].reading_s += reads as f64 / 1e9;
        self.begin_for(task, Phase::DbRead, reads);
    }

    /// The statement has run.
    pub fn statement_done(&mut self, task: u32) {
        let database = self.database_of(task);
        let now = self.now;
        let t = &self.tasks[task as usize];
        let (backend, statement, pc, program) = (t.backend, t.statement, t.pc, t.program);
        let db = &mut self.databases[usize::from(database)];
        let b = &mut db.backends[backend as usize];
        let took = (now - b.query_began) as f64 / 1e9;
        b.changed = now;
        b.serial = b.serial.wrapping_add(1);
        let s = &mut db.statements[usize::from(statement)];
        s.calls += 1;
        s.total_s += took;
        s.touched += s.buffers * s.factor;
        db.read += s.buffers * s.factor;
        let op = self.programs[usize::from(program)].ops[usize::from(pc)];
        let transaction = matches!(op, Op::Run { transaction: true, .. });
        let b = self.backend(database, backend);
        b.wait = Wait::Client;
        b.state = if transaction { Operation::InTransaction } else { Operation::Idle };
        if !transaction {
            b.transaction = None;
            self.databases[usize::from(database)].commits += 1;
            self.release_locks(database, backend);
        }
        observe::inner(self, task, SpanKind::Statement { database, statement, error: "" });
        let repeats = if transaction { 1 } else { self.effect(task).repeats };
        let t = &mut self.tasks[task as usize];
        t.repeat += 1;
        if t.repeat < repeats {
            return self.step(task);
        }
        t.repeat = 0;
        self.next_step(task);
    }

    pub fn leave_db_core(&mut self, database: u16, backend: u32) {
        let now = self.now;
        let tasks = &self.tasks;
        let db = &mut self.databases[usize::from(database)];
        if !std::mem::take(&mut db.backends[backend as usize].has_core) {
            return;
        }
        db.cores.leave(now);
        let waits = |w: &Waiter| is_waiting(tasks, w.task, w.stamp);
        if let Some(next) = db.cores.next(now, waits) {
            self.run_core(database, next.task);
        }
    }

    /// Gives the connection back to the pool, if the task has one.
    pub fn release_connection(&mut self, task: u32) {
        let t = &self.tasks[task as usize];
        let (backend, service, instance, pool) = (t.backend, t.service, t.instance, t.pool);
        if backend == NONE {
            return;
        }
        let database = self.database_of(task);
        let held = (self.now - t.held) as f64 / 1e9;
        let now = self.now;
        self.tasks[task as usize].backend = NONE;
        self.release_locks(database, backend);
        let leaks = self.effect(task).leak_connections
            + self.services[usize::from(service)].keeps_connections;
        let lost = self.services[usize::from(service)].draw.hits(leaks);
        let db = &mut self.databases[usize::from(database)];
        let b = &mut db.backends[backend as usize];
        b.task = NONE;
        let closed = b.state == Operation::Closed;
        if !closed {
            db.commits += u64::from(b.state == Operation::InTransaction);
            b.state = Operation::Idle;
            b.transaction = None;
            b.changed = now;
        }
        let p = self.pool(service, instance, pool);
        p.use_s += held;
        if lost && !closed {
            p.leaked += 1;
            return;
        }
        if !closed {
            let pooled = self.tasks[task as usize].pooled;
            self.idle(service, instance, pool, pooled).push(backend);
        }
        self.leave_pooler(task, database);
        self.leave_pool(service, instance, pool);
    }

    pub fn leave_pool(&mut self, service: u16, instance: u16, pool: u16) {
        let now = self.now;
        let tasks = &self.tasks;
        let i = &mut self.services[usize::from(service)].instances[usize::from(instance)];
        let station = &mut i.pools[usize::from(pool)].station;
        station.leave(now);
        let waits = |w: &Waiter| is_waiting(tasks, w.task, w.stamp);
        if let Some(Waiter { task, stamp, .. }) = station.next(now, waits) {
            self.calendar.add(now, Event::Go { task, stamp });
        }
    }
}
