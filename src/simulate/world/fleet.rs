//! Instances: they start, are probed, run out of memory, are replaced one by one, added, removed.

use super::engine::Event;
use super::parts::{Instance, Operation, PoolOf};
use super::{NONE, Purpose, World};
use crate::simulate::station::{Nanos, SECOND, Station};
use std::collections::{BTreeMap, VecDeque};

/// How long an instance that is to be restarted gets no new requests before.
const DRAIN: Nanos = 4 * SECOND;
/// What a restart waits for an instance that does not come up, before it looks again.
const LOOK_AGAIN: Nanos = 5 * SECOND;
/// Cost of collecting garbage, as a share of the work, where live and free memory are equal: each
/// collection marks what is live, and there are as many as the free part is small.
const COLLECTION: f64 = 0.04;
/// Least free share of the heap: room for a dozen requests between two collections. Below it the
/// process is at its limit.
const LEAST_FREE: f64 = 0.003;
/// Share of its usual memory that a process has when it starts, and how long it takes to fill: in
/// recordings of Python services 2 % are missing after a quarter of a minute.
const COLD: f64 = 0.8;
const WARM_S: f64 = 7.0;
/// Spread (of the logarithm) of what processes of one service keep under one load: clients hold their
/// connections for long, so that a process keeps what its own clients ask for.
const KEEPS_SPREAD: f64 = 0.1;
/// Looks in a row at too many instances before the autoscaler removes one.
const CALM_LOOKS: u32 = 10;

/// Instances of a service that are restarted one after the other.
#[derive(Clone, Debug)]
pub struct Roll {
    pub service: u16,
    pub todo: VecDeque<u16>,
    pub current: Option<u16>,
    pub booting: bool,
}

impl World {
    pub fn instance(&mut self, service: u16, instance: u16) -> &mut Instance {
        &mut self.services[usize::from(service)].instances[usize::from(instance)]
    }

    pub fn pool(&mut self, service: u16, instance: u16, pool: u16) -> &mut PoolOf {
        &mut self.instance(service, instance).pools[usize::from(pool)]
    }

    /// A new instance; at the very beginning it is ready at once.
    pub fn add_instance(&mut self, service: u16, at_once: bool) -> u16 {
        let s = &self.services[usize::from(service)];
        let at = s.instances.len() as u16;
        let pools = s.pools.iter().map(|p| PoolOf {
            database: 0,
            station: Station::new(p.max, None),
            idle: Vec::new(),
            acquire: super::build::ns(p.acquire_ms),
            statement: p.statement_ms.map(super::build::ns),
            requests: 0,
            timeouts: 0,
            use_s: 0.0,
            wait_s: 0.0,
            leaked: 0,
        });
        let mut pools: Vec<PoolOf> = pools.collect();
        for (pool, written) in pools.iter_mut().zip(&s.pools) {
            let found = self.databases.iter().position(|d| d.name == written.database);
            pool.database = found.unwrap_or(0) as u16;
        }
        let s = &mut self.services[usize::from(service)];
        let instance = Instance {
            name: format!("{}-{at}", s.name),
            up: false,
            ready: false,
            in_target: false,
            draining: false,
            removed: false,
            life: 0,
            version: s.version,
            started: self.now,
            knows: true,
            workers: Station::new(s.workers, s.room),
            cores: Station::new(s.cores, None),
            pools,
            leaked_mb: 0.0,
            keeps: 1.0,
            in_flight: 0,
            collecting: 1.0,
            gc_s: 0.0,
            slowed: 1.0,
            fails: 0,
            passes: 0,
            probe: 0,
            probe_ok: 0,
            restarts: 0,
            killed_for_memory: 0,
            busy_before: 0.0,
            served: BTreeMap::new(),
            called: BTreeMap::new(),
            clients: BTreeMap::new(),
            retries: BTreeMap::new(),
            fallbacks: 0,
            looked: BTreeMap::new(),
            sent: BTreeMap::new(),
            done: BTreeMap::new(),
            partitions: BTreeMap::new(),
            partition_timeouts: BTreeMap::new(),
            lookups: Default::default(),
            names: Default::default(),
        };
        s.instances.push(instance);
        let every = s.autoscale.map(|a| a.every_s);
        if let Some(every) = every.filter(|_| at == 0) {
            let first = self.now + super::build::seconds(every);
            self.calendar.add(first, Event::Autoscale { service });
        }
        self.start_process(service, at, if at_once { Some(0) } else { None });
        at
    }

    /// A process starts; it is ready after the service's boot time.
    fn start_process(&mut self, service: u16, instance: u16, boot: Option<Nanos>) {
        let registry = self.registry_up;
        let now = self.now;
        let s = &mut self.services[usize::from(service)];
        let (version, stuck) = (s.version, s.stuck);
        let boot = boot.unwrap_or(s.boot);
        let keeps = s.luck.time(1e6, Default::default(), KEEPS_SPREAD) as f64 / 1e6;
        let i = &mut s.instances[usize::from(instance)];
        i.life += 1;
        i.up = true;
        i.ready = false;
        i.version = version;
        i.started = now;
        i.knows = registry;
        i.leaked_mb = 0.0;
        i.keeps = keeps;
        i.collecting = 1.0;
        let life = i.life;
        let (name, pod) = (s.name.clone(), s.instances[usize::from(instance)].name.clone());
        if stuck {
            let said = format!("{pod}: Back-off pulling image, ImagePullBackOff");
            self.note("alert", &name, &said, "");
        } else {
            self.calendar.add(now + boot, Event::Ready { service, instance, life });
        }
    }

    /// A process takes requests.
    pub fn ready(&mut self, service: u16, instance: u16, life: u32) {
        let now = self.now;
        let i = self.instance(service, instance);
        if i.life != life || i.removed {
            return;
        }
        i.ready = true;
        i.in_target = true;
        i.draining = false;
        i.fails = 0;
        if let Some(probe) = self.services[usize::from(service)].probe {
            let offset = (probe.every_s * self.chance.unit() * 1e9) as Nanos;
            self.calendar.add(now + offset, Event::Probe { service, instance, life });
        }
        self.take_messages(service, instance);
    }

    /// The process ends: its requests are cut off, its counters are gone.
    pub fn stop_process(&mut self, service: u16, instance: u16) {
        let now = self.now;
        let i = self.instance(service, instance);
        i.up = false;
        i.ready = false;
        i.life += 1;
        i.workers.clear(now);
        i.cores.clear(now);
        i.in_flight = 0;
        for at in 0..self.tasks.len() as u32 {
            let t = &self.tasks[at as usize];
            if t.alive && t.service == service && t.instance == instance {
                // Their stations were cleared above.
                self.tasks[at as usize].has_core = false;
                self.tasks[at as usize].has_worker = false;
                self.kill_task(at);
            }
        }
        for db in 0..self.databases.len() as u16 {
            let n = self.databases[usize::from(db)].backends.len() as u32;
            for backend in 0..n {
                let b = self.backend(db, backend);
                if b.owner == Some((service, instance)) && b.state != Operation::Closed {
                    self.close_backend(db, backend);
                }
            }
        }
        let i = self.instance(service, instance);
        for pool in &mut i.pools {
            pool.station.clear(now);
            pool.idle.clear();
            (pool.requests, pool.timeouts, pool.leaked) = (0, 0, 0);
            (pool.use_s, pool.wait_s) = (0.0, 0.0);
        }
        i.served.clear();
        i.called.clear();
        i.clients.clear();
        i.retries.clear();
        i.looked.clear();
        i.sent.clear();
        i.done.clear();
        i.partitions.clear();
        i.partition_timeouts.clear();
        i.names.clear();
        i.lookups = Default::default();
        (i.fallbacks, i.gc_s, i.busy_before) = (0, 0.0, 0.0);
        i.workers = Station::new(i.workers.servers, i.workers.room);
        i.cores = Station::new(i.cores.servers, None);
    }

    /// Ends a process and starts it again.
    pub fn restart(&mut self, service: u16, instance: u16) {
        self.stop_process(service, instance);
        let i = self.instance(service, instance);
        i.restarts += 1;
        self.start_process(service, instance, None);
    }

    /// The instances of a service that exist.
    pub fn living(&self, service: u16) -> Vec<u16> {
        let all = self.services[usize::from(service)].instances.iter().enumerate();
        all.filter(|(_, i)| !i.removed).map(|(at, _)| at as u16).collect()
    }

    /// Restarts the instances of a service one after the other.
    pub fn roll(&mut self, service: u16) {
        let todo = self.living(service).into();
        self.rolls.push(Roll { service, todo, current: None, booting: false });
        let at = self.rolls.len() as u16 - 1;
        self.calendar.add(self.now, Event::Roll { at });
    }

    /// The next step of such a restart.
    pub fn roll_on(&mut self, at: u16) {
        let now = self.now;
        let roll = &mut self.rolls[usize::from(at)];
        let service = roll.service;
        let Some(current) = roll.current else {
            let Some(next) = roll.todo.pop_front() else { return };
            roll.current = Some(next);
            roll.booting = false;
            self.instance(service, next).draining = true;
            self.calendar.add(now + DRAIN, Event::Roll { at });
            return;
        };
        if !roll.booting {
            roll.booting = true;
            self.restart(service, current);
            let boot = self.services[usize::from(service)].boot;
            self.calendar.add(now + boot + SECOND, Event::Roll { at });
        } else if self.instance(service, current).ready {
            self.rolls[usize::from(at)].current = None;
            self.roll_on(at);
        } else {
            self.calendar.add(now + LOOK_AGAIN, Event::Roll { at });
        }
    }

    /// Looks whether an instance is well.
    pub fn probe(&mut self, service: u16, instance: u16, life: u32) {
        let s = &self.services[usize::from(service)];
        let (Some(probe), Some(program)) = (s.probe, s.probe_program) else { return };
        let i = self.instance(service, instance);
        if i.life != life || i.removed {
            return;
        }
        i.probe += 1;
        let (mark, ready) = (i.probe, i.ready);
        let due = self.now + super::build::ns(probe.timeout_ms);
        self.calendar.add(due, Event::ProbeDue { service, instance, life });
        let next = self.now + super::build::seconds(probe.every_s);
        self.calendar.add(next, Event::Probe { service, instance, life });
        if ready {
            let task = self.new_task(program, instance);
            self.tasks[task as usize].mark = mark;
            self.tasks[task as usize].caller = NONE;
            self.accept(task);
        }
    }

    /// A probe was answered.
    pub fn probe_answered(&mut self, task: u32, status: u16) {
        let t = &self.tasks[task as usize];
        let (service, instance, mark) = (t.service, t.instance, t.mark);
        if status == 200 {
            self.instance(service, instance).probe_ok = mark;
        }
    }

    /// The time of a probe is over.
    pub fn probe_due(&mut self, service: u16, instance: u16, life: u32) {
        let Some(probe) = self.services[usize::from(service)].probe else { return };
        let i = self.instance(service, instance);
        if i.life != life {
            return;
        }
        if i.probe_ok == i.probe {
            (i.fails, i.passes) = (0, i.passes + 1);
            i.in_target |= i.passes >= probe.failures;
            return;
        }
        (i.fails, i.passes) = (i.fails + 1, 0);
        if i.fails < probe.failures {
            return;
        }
        i.fails = 0;
        if probe.restarts {
            self.restart(service, instance);
        } else {
            self.instance(service, instance).in_target = false;
        }
    }

    /// What an instance's memory holds, in megabytes.
    pub fn memory_mb(&self, service: u16, instance: u16) -> f64 {
        let s = &self.services[usize::from(service)];
        let i = &s.instances[usize::from(instance)];
        let age = (self.now.saturating_sub(i.started)) as f64 / SECOND as f64;
        let warm = COLD + (1.0 - COLD) * (1.0 - (-age / WARM_S).exp());
        s.memory.base_mb * warm + i.leaked_mb + f64::from(i.in_flight) * s.memory.request_mb
    }

    /// Once a second: memory grows, is collected, runs out; the bill grows.
    pub fn second(&mut self) {
        let mut usd = 0.0;
        for service in 0..self.services.len() as u16 {
            let s = &self.services[usize::from(service)];
            if s.external {
                continue;
            }
            let (memory, leak, recycle) = (s.memory, s.leak_mb_s, s.recycle_at);
            let each = s.usd_per_month;
            for instance in self.living(service) {
                usd += each;
                if !self.instance(service, instance).up {
                    continue;
                }
                let i = self.instance(service, instance);
                i.leaked_mb += leak * i.keeps;
                let used = self.memory_mb(service, instance);
                let free = (1.0 - used / memory.limit_mb).max(LEAST_FREE);
                let i = self.instance(service, instance);
                if memory.collected {
                    i.collecting = 1.0 + COLLECTION * (1.0 - free) / free;
                }
                if used >= memory.limit_mb {
                    i.killed_for_memory += 1;
                    self.restart(service, instance);
                } else if recycle.is_some_and(|at| used >= at * memory.limit_mb) {
                    self.recycle(service, instance);
                }
            }
        }
        self.run_feature_jobs();
        self.fill_volumes();
        usd += self.databases.iter().map(|d| d.usd_per_month).sum::<f64>();
        usd += self.caches.iter().map(|c| c.usd_per_month).sum::<f64>();
        usd += self.stores.iter().map(|s| s.usd_per_month).sum::<f64>();
        let recording = self.now > self.zero;
        self.ledger.bill(usd, recording);
    }

    /// Replaces one instance in an orderly way, if no other is being replaced.
    fn recycle(&mut self, service: u16, instance: u16) {
        let busy = |r: &Roll| r.service == service && (r.current.is_some() || !r.todo.is_empty());
        if self.rolls.iter().any(busy) {
            return;
        }
        let todo = VecDeque::from([instance]);
        self.rolls.push(Roll { service, todo, current: None, booting: false });
        let at = self.rolls.len() as u16 - 1;
        self.roll_on(at);
    }

    /// The autoscaler looks: as many instances as keep the use at its target.
    pub fn autoscale(&mut self, service: u16) {
        let Some(scale) = self.services[usize::from(service)].autoscale else { return };
        let now = self.now;
        self.calendar.add(now + super::build::seconds(scale.every_s), Event::Autoscale { service });
        let living = self.living(service);
        let (mut cpu, mut memory) = (0.0, 0.0);
        let limit = self.services[usize::from(service)].memory.limit_mb;
        for instance in &living {
            memory += self.memory_mb(service, *instance) / limit;
            let i = self.instance(service, *instance);
            let busy = i.cores.busy_s(now);
            cpu += (busy - i.busy_before) / scale.every_s / f64::from(i.cores.servers);
            i.busy_before = busy;
        }
        let wanted = |sum: f64, target: f64| if target > 0.0 { (sum / target).ceil() } else { 0.0 };
        let wanted = wanted(cpu, scale.cpu).max(wanted(memory, scale.memory)) as usize;
        let s = &mut self.services[usize::from(service)];
        if wanted > living.len() && (living.len() as u32) < scale.max {
            s.calm = 0;
            self.add_instance(service, false);
        } else if wanted + 1 < living.len() && living.len() > 1 {
            s.calm += 1;
            if s.calm >= CALM_LOOKS {
                s.calm = 0;
                let last = living[living.len() - 1];
                self.remove_instance(service, last);
            }
        }
    }

    /// Takes an instance away for good.
    pub fn remove_instance(&mut self, service: u16, instance: u16) {
        self.stop_process(service, instance);
        let i = self.instance(service, instance);
        i.in_target = false;
        i.removed = true;
    }

    /// Processes that were stopped go on.
    pub fn wake_hung(&mut self, service: u16) {
        for task in 0..self.tasks.len() as u32 {
            let t = &self.tasks[task as usize];
            let hung = t.alive && t.service == service && t.phase == super::Phase::Idle;
            if hung && !matches!(self.purpose(task), Purpose::User(_)) {
                self.step(task);
            }
        }
    }
}
