//! A task goes through its program: work, caches, partitions; then its answer.

use super::engine::is_waiting;
use super::parts::Effect;
use super::{NONE, Op, Phase, Purpose, World, status};
use crate::simulate::draw::member_of;
use crate::simulate::observe::{self, SpanKind};
use crate::simulate::scenario::Time;
use crate::simulate::station::{Entry, Nanos};

impl World {
    /// Goes on with the step at which the task stands, until it waits or is answered.
    pub fn step(&mut self, task: u32) {
        loop {
            let t = &self.tasks[task as usize];
            let ops = &self.programs[usize::from(t.program)].ops;
            let Some(op) = ops.get(usize::from(t.pc)).copied() else {
                return self.finish(task, 200);
            };
            match op {
                Op::Jump(to) => self.tasks[task as usize].pc = to,
                Op::Work(time) => return self.work(task, time),
                Op::Wait(time) => {
                    let length = self.length(task, time);
                    return self.begin_for(task, Phase::Pause, length);
                }
                Op::Call { edge, .. } => return self.call(task, edge),
                Op::Acquire { pool } => return self.acquire(task, pool),
                Op::Run { statement, transaction } => {
                    return self.run_statement(task, statement, transaction);
                }
                Op::Release => {
                    self.release_connection(task);
                    self.tasks[task as usize].pc += 1;
                }
                Op::Look { cache, .. } => return self.look(task, cache),
                Op::Fill { cache, .. } | Op::Forget { cache } => {
                    let c = &mut self.caches[usize::from(cache)];
                    let length = c.draw.time(c.mean_ns, Default::default(), 0.3);
                    return self.begin_for(task, Phase::CacheWrite, length);
                }
                Op::Partition { store, timeout } => {
                    return self.ask_partition(task, store, timeout);
                }
                Op::Publish { queue } => return self.publish(task, queue),
                Op::Features { miss } => {
                    if !self.has_features(task) {
                        return self.begin_for(task, Phase::Pause, miss);
                    }
                    self.tasks[task as usize].pc += 1;
                }
            }
        }
    }

    /// The step is done; the next one.
    pub fn next_step(&mut self, task: u32) {
        self.tasks[task as usize].pc += 1;
        self.step(task);
    }

    /// What the task waited for has come.
    pub fn go(&mut self, task: u32) {
        match self.tasks[task as usize].phase {
            Phase::WorkerQueue | Phase::Idle => self.start_work(task),
            Phase::Working => {
                self.leave_core(task);
                self.next_step(task);
            }
            Phase::Pause => self.next_step(task),
            Phase::Lookup => self.looked_up(task),
            Phase::Network => self.deliver(task),
            Phase::Backoff => self.attempt(task),
            Phase::PoolQueue => self.connect(task),
            Phase::Connect => self.next_step(task),
            Phase::PoolerQueue => self.pooled(task),
            Phase::LockQueue => self.go_for_locks(task),
            Phase::TableQueue => self.hold_table(task),
            Phase::TableHeld => self.table_held(task),
            Phase::DbRun => self.statement_computed(task),
            Phase::DbRead => self.statement_done(task),
            Phase::CacheLook => self.looked(task),
            Phase::CacheWrite => self.cache_written(task),
            Phase::Flight => self.step(task),
            Phase::PartitionRun => self.partition_done(task),
            Phase::Publishing => self.published(task),
            Phase::Reply | Phase::CoreQueue | Phase::DbQueue | Phase::PartitionQueue => {}
        }
    }

    /// The task has waited long enough.
    pub fn expire(&mut self, task: u32) {
        match self.tasks[task as usize].phase {
            Phase::Lookup => self.attempt_done(task, status::NAME),
            Phase::Network | Phase::Reply => self.attempt_done(task, status::TIMEOUT),
            Phase::PoolQueue => self.pool_timeout(task),
            Phase::PoolerQueue => self.pooler_timeout(task),
            Phase::PartitionQueue => {
                let t = &self.tasks[task as usize];
                let (service, instance, place) = (t.service, t.instance, t.place);
                if let Some(store) = self.store_of(task) {
                    self.stores[usize::from(store)].partitions[usize::from(place)].give_up();
                    let i = self.instance(service, instance);
                    *i.partition_timeouts.entry((store, place)).or_default() += 1;
                }
                self.finish(task, 503);
            }
            _ => {}
        }
    }

    /// A worker takes the request.
    pub fn start_work(&mut self, task: u32) {
        let t = &mut self.tasks[task as usize];
        t.has_worker = true;
        let service = usize::from(t.service);
        let s = &self.services[service];
        let hung = s.hangs
            || self.purpose(task) == Purpose::Probe
                && s.probe_hangs.contains(&self.tasks[task as usize].instance);
        if hung {
            // A process that was stopped: the kernel takes the connection, nobody answers.
            self.begin(task, Phase::Idle);
            return;
        }
        if self.is_out_of_time(task) {
            return self.finish(task, 401);
        }
        self.step(task);
    }

    /// The service checks tokens, and the caller's clock is further off than it allows.
    fn is_out_of_time(&self, task: u32) -> bool {
        let t = &self.tasks[task as usize];
        let s = &self.services[usize::from(t.service)];
        let Some(leeway) = s.token_leeway_us else { return false };
        if t.caller == NONE || self.purpose(task) != Purpose::Route {
            return false;
        }
        let caller = &self.services[usize::from(self.tasks[t.caller as usize].service)];
        // Users' tokens are made by the entry.
        !caller.name.starts_with("users-") && (caller.ahead_us - s.ahead_us).abs() > leeway
    }

    /// What the version of the task's process does.
    pub fn effect(&self, task: u32) -> &Effect {
        let t = &self.tasks[task as usize];
        let s = &self.services[usize::from(t.service)];
        &s.versions[usize::from(s.instances[usize::from(t.instance)].version)]
    }

    fn length(&mut self, task: u32, time: Time) -> Nanos {
        let factor = self.factor(task);
        let service = usize::from(self.tasks[task as usize].service);
        self.services[service].draw.time(time.ms * 1e6 * factor, time.law, time.spread)
    }

    /// How much longer than written the task's own work takes.
    fn factor(&self, task: u32) -> f64 {
        let t = &self.tasks[task as usize];
        let s = &self.services[usize::from(t.service)];
        self.programs[usize::from(t.program)].factor * s.work * self.effect(task).work
    }

    fn work(&mut self, task: u32, time: Time) {
        let t = &self.tasks[task as usize];
        let (service, instance) = (t.service, t.instance);
        let base = self.length(task, time);
        let i = self.instance(service, instance);
        let need = (base as f64 * i.slowed * i.collecting) as Nanos;
        i.gc_s += need as f64 * (1.0 - 1.0 / i.collecting) / 1e9;
        let stamp = self.begin(task, Phase::CoreQueue);
        self.tasks[task as usize].need = need;
        let now = self.now;
        if self.instance(service, instance).cores.enter(now, task, stamp) == Entry::Served {
            self.grant_core(task);
        }
    }

    fn grant_core(&mut self, task: u32) {
        let need = self.tasks[task as usize].need;
        self.tasks[task as usize].has_core = true;
        self.begin_for(task, Phase::Working, need);
    }

    fn leave_core(&mut self, task: u32) {
        let t = &mut self.tasks[task as usize];
        t.has_core = false;
        let (service, instance, now) = (t.service, t.instance, self.now);
        let tasks = &self.tasks;
        let cores = &mut self.services[usize::from(service)].instances[usize::from(instance)].cores;
        cores.leave(now);
        let waits = |w: &super::super::station::Waiter| is_waiting(tasks, w.task, w.stamp);
        if let Some(next) = cores.next(now, waits) {
            self.grant_core(next.task);
        }
    }

    fn look(&mut self, task: u32, cache: u16) {
        let c = &mut self.caches[usize::from(cache)];
        c.commands += 1;
        let length = c.draw.time(c.mean_ns, Default::default(), 0.3);
        self.begin_for(task, Phase::CacheLook, length);
    }

    /// The cache has answered.
    fn looked(&mut self, task: u32) {
        let t = &self.tasks[task as usize];
        let (service, instance, key, pc) = (t.service, t.instance, t.key, t.pc);
        let op = self.programs[usize::from(t.program)].ops[usize::from(pc)];
        let Op::Look { cache, space, single, past } = op else {
            return self.next_step(task);
        };
        let now = self.now;
        let c = &mut self.caches[usize::from(cache)];
        let hit = !c.down && c.keys.get(&(space, key)).is_some_and(|until| *until > now);
        *if hit { &mut c.hits } else { &mut c.misses } += 1;
        let single = (single || c.single_flight) && !c.down;
        *self.instance(service, instance).looked.entry((cache, u8::from(hit))).or_default() += 1;
        observe::inner(self, task, SpanKind::Look { cache, hit });
        if hit {
            self.tasks[task as usize].pc = past;
            return self.step(task);
        }
        if single {
            let stamp = self.tasks[task as usize].stamp.wrapping_add(1);
            let c = &mut self.caches[usize::from(cache)];
            if let Some(waiters) = c.flights.get_mut(&(space, key)) {
                waiters.push((task, stamp));
                self.begin(task, Phase::Flight);
                return;
            }
            c.flights.insert((space, key), Vec::new());
            self.tasks[task as usize].flight = Some((cache, space, key));
        }
        self.next_step(task);
    }

    fn cache_written(&mut self, task: u32) {
        let t = &self.tasks[task as usize];
        let key = t.key;
        let op = self.programs[usize::from(t.program)].ops[usize::from(t.pc)];
        match op {
            Op::Fill { cache, space, ttl } => {
                let c = &mut self.caches[usize::from(cache)];
                c.commands += 1;
                if !c.down {
                    // Keys of a system that has run for long end at all times, not together.
                    let settling = self.now < self.zero;
                    let part = if settling { c.draw.unit() } else { 1.0 };
                    let until = self.now.max(self.zero * u64::from(settling));
                    c.keys.insert((space, key), until + (ttl as f64 * part) as Nanos);
                }
                observe::inner(self, task, SpanKind::Fill { cache });
                self.land(task);
            }
            Op::Forget { cache } => {
                let c = &mut self.caches[usize::from(cache)];
                if !c.deaf {
                    c.commands += 1;
                    c.keys.retain(|(_, k), _| *k != key);
                    observe::inner(self, task, SpanKind::Forget { cache });
                }
            }
            _ => {}
        }
        self.next_step(task);
    }

    /// The task no longer computes a key: who waits for it looks again.
    fn land(&mut self, task: u32) {
        let Some((cache, space, key)) = self.tasks[task as usize].flight.take() else { return };
        let waiters = self.caches[usize::from(cache)].flights.remove(&(space, key));
        let now = self.now;
        for (task, stamp) in waiters.unwrap_or_default() {
            self.calendar.add(now, super::engine::Event::Go { task, stamp });
        }
    }

    fn store_of(&self, task: u32) -> Option<u16> {
        let t = &self.tasks[task as usize];
        match self.programs[usize::from(t.program)].ops.get(usize::from(t.pc)) {
            Some(Op::Partition { store, .. }) => Some(*store),
            _ => None,
        }
    }

    fn ask_partition(&mut self, task: u32, store: u16, timeout: Nanos) {
        let key = self.tasks[task as usize].key;
        let now = self.now;
        let s = &mut self.stores[usize::from(store)];
        // A salted key is as many keys as it has ways, each at a place of its own.
        let way = if s.ways > 1 { s.draw.below(s.ways) } else { 0 };
        let at = member_of(key, way, s.partitions.len());
        s.commands[at] += 1;
        self.tasks[task as usize].place = at as u16;
        let stamp = self.begin(task, Phase::PartitionQueue);
        let station = &mut self.stores[usize::from(store)].partitions[at];
        if station.enter(now, task, stamp) == Entry::Served {
            return self.run_partition(task, store);
        }
        self.calendar.add(now + timeout, super::engine::Event::Expire { task, stamp });
    }

    fn run_partition(&mut self, task: u32, store: u16) {
        let s = &mut self.stores[usize::from(store)];
        let length = s.draw.time(s.mean_ns, Default::default(), 0.4);
        let since = self.tasks[task as usize].since;
        self.begin_for(task, Phase::PartitionRun, length);
        self.tasks[task as usize].since = since;
    }

    fn partition_done(&mut self, task: u32) {
        let Some(store) = self.store_of(task) else { return self.next_step(task) };
        let t = &self.tasks[task as usize];
        let (service, instance, place) = (t.service, t.instance, t.place);
        let took = (self.now - t.since) as f64 / 1e9;
        self.instance(service, instance).partitions.entry((store, place)).or_default().add(took);
        observe::inner(self, task, SpanKind::Partition { store, place });
        self.leave_partition(store, place);
        self.next_step(task);
    }

    pub fn leave_partition(&mut self, store: u16, place: u16) {
        let now = self.now;
        let tasks = &self.tasks;
        let station = &mut self.stores[usize::from(store)].partitions[usize::from(place)];
        station.leave(now);
        let next = station.next(now, |w| is_waiting(tasks, w.task, w.stamp));
        if let Some(next) = next {
            self.run_partition(next.task, store);
        }
    }

    /// The task is answered: everything it holds is given back, and its caller goes on.
    pub fn finish(&mut self, task: u32, status: u16) {
        let status = self.own_errors(task, status);
        self.release_connection(task);
        self.land(task);
        let t = &self.tasks[task as usize];
        let (service, instance, program) = (t.service, t.instance, t.program);
        let took = (self.now - t.arrived) as f64 / 1e9;
        let (caller, stamp, worker, core) = (t.caller, t.caller_stamp, t.has_worker, t.has_core);
        if core {
            self.leave_core(task);
        }
        if !matches!(self.purpose(task), Purpose::User(_) | Purpose::Probe) {
            let leak = self.effect(task).leak_mb;
            let i = self.instance(service, instance);
            i.served.entry((program, status)).or_default().add(took);
            i.leaked_mb += leak;
            self.count_client(service, instance, caller, status);
            self.keep(service, program, task, status);
            observe::server(self, task, status);
        }
        let i = self.instance(service, instance);
        i.in_flight = i.in_flight.saturating_sub(1);
        match self.purpose(task) {
            Purpose::User(_) => self.served(task, status),
            Purpose::Probe => self.probe_answered(task, status),
            Purpose::Message(queue) => self.acknowledge(task, queue, status),
            Purpose::Route => {}
        }
        self.end_task(task);
        if worker {
            self.leave_worker(service, instance);
        }
        if caller != NONE && self.waits(caller, stamp) {
            self.attempt_done(caller, status);
        }
    }

    /// Counts a request by the client that sent it, where the entry does so.
    fn count_client(&mut self, service: u16, instance: u16, caller: u32, status: u16) {
        if caller == NONE {
            return;
        }
        if let Purpose::User(source) = self.purpose(caller)
            && !self.sources[usize::from(source)].client.is_empty()
        {
            let i = self.instance(service, instance);
            *i.clients.entry((source, status)).or_default() += 1;
        }
    }

    /// Keeps a good answer, where a cache stands in front of the service.
    fn keep(&mut self, service: u16, program: u16, task: u32, status: u16) {
        let (key, now) = (self.tasks[task as usize].key, self.now);
        let s = &mut self.services[usize::from(service)];
        let read = s.kept_for.as_ref().filter(|kept| status == 200 && kept.1.contains(&program));
        if let Some((length, _)) = read {
            s.kept.insert((program, key), now + length);
        }
    }

    /// A share of the requests fails by itself.
    fn own_errors(&mut self, task: u32, status: u16) -> u16 {
        if status != 200 || self.purpose(task) != Purpose::Route {
            return status;
        }
        let t = &self.tasks[task as usize];
        let share = self.services[usize::from(t.service)].errors + self.effect(task).errors;
        let service = usize::from(t.service);
        if self.services[service].draw.hits(share) { 500 } else { status }
    }

    /// A worker is free: the first who waits for one goes on.
    pub fn leave_worker(&mut self, service: u16, instance: u16) {
        let now = self.now;
        let tasks = &self.tasks;
        let i = &mut self.services[usize::from(service)].instances[usize::from(instance)];
        i.workers.leave(now);
        let next = i.workers.next(now, |w| is_waiting(tasks, w.task, w.stamp));
        if let Some(next) = next {
            // By the calendar and not at once, so that a long queue does not become a deep stack.
            let (task, stamp) = (next.task, next.stamp);
            self.calendar.add(now, super::engine::Event::Go { task, stamp });
        } else {
            self.take_messages(service, instance);
        }
    }

    /// The process of the task has ended.
    pub fn kill_task(&mut self, task: u32) {
        let t = &self.tasks[task as usize];
        let (phase, place) = (t.phase, t.place);
        match (phase, self.store_of(task)) {
            (Phase::PartitionQueue, Some(store)) => {
                self.stores[usize::from(store)].partitions[usize::from(place)].give_up();
            }
            (Phase::PartitionRun, Some(store)) => self.leave_partition(store, place),
            _ => {}
        }
        if phase == Phase::PoolerQueue {
            self.leave_pooler_queue(task);
        }
        self.drop_connection(task);
        self.land(task);
        if let Purpose::Message(queue) = self.purpose(task) {
            self.return_message(task, queue);
        }
        let t = &self.tasks[task as usize];
        let (caller, stamp) = (t.caller, t.caller_stamp);
        self.end_task(task);
        if caller != NONE && self.waits(caller, stamp) {
            self.attempt_done(caller, status::REFUSED);
        }
    }
}
