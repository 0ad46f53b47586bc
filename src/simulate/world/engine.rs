//! The engine: a calendar of events in the order of time, and what each event sets off.

use super::{NONE, Phase, Purpose, Task, World};
use crate::simulate::faults;
use crate::simulate::observe;
use crate::simulate::station::{Nanos, SECOND};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What can happen at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// The next request of a source.
    Arrive {
        source: u16,
    },
    /// What a task waited for has come.
    Go {
        task: u32,
        stamp: u32,
    },
    /// A task has waited long enough for a connection, a partition or an answer.
    Expire {
        task: u32,
        stamp: u32,
    },
    /// A statement has run too long.
    Overdue {
        database: u16,
        backend: u32,
        serial: u32,
    },
    /// A session has waited for a row so long that the server looks for a circle.
    Deadlock {
        database: u16,
        backend: u32,
        serial: u32,
    },
    /// A process is ready.
    Ready {
        service: u16,
        instance: u16,
        life: u32,
    },
    /// An instance is probed, and later it is looked whether it answered.
    Probe {
        service: u16,
        instance: u16,
        life: u32,
    },
    ProbeDue {
        service: u16,
        instance: u16,
        life: u32,
    },
    Autoscale {
        service: u16,
    },
    Fault {
        at: u16,
        begins: bool,
    },
    Roll {
        at: u16,
    },
    Second,
    Scrape,
    Snapshot,
}

/// Events to come, in the order of time and, at one time, of their making.
#[derive(Clone, Debug, Default)]
pub struct Calendar {
    heap: BinaryHeap<Reverse<(Nanos, u64, Event)>>,
    made: u64,
}

impl Calendar {
    pub fn add(&mut self, at: Nanos, event: Event) {
        self.made += 1;
        self.heap.push(Reverse((at, self.made, event)));
    }

    fn take(&mut self, until: Nanos) -> Option<(Nanos, Event)> {
        let Reverse((at, _, _)) = self.heap.peek()?;
        if *at > until {
            return None;
        }
        self.heap.pop().map(|Reverse((at, _, event))| (at, event))
    }
}

/// Says whether a task still waits for what a stamp stands for.
pub fn is_waiting(tasks: &[Task], task: u32, stamp: u32) -> bool {
    tasks.get(task as usize).is_some_and(|t| t.alive && t.stamp == stamp)
}

impl World {
    /// Lets everything happen up to and including `until`.
    pub fn run(&mut self, until: Nanos) {
        while let Some((at, event)) = self.calendar.take(until) {
            self.now = at;
            self.events += 1;
            self.happen(event);
        }
        self.now = self.now.max(until);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive { source } => self.arrive(source),
            Event::Go { task, stamp } => {
                if self.waits(task, stamp) {
                    self.go(task);
                }
            }
            Event::Expire { task, stamp } => {
                if self.waits(task, stamp) {
                    self.expire(task);
                }
            }
            Event::Overdue { database, backend, serial } => self.overdue(database, backend, serial),
            Event::Deadlock { database, backend, serial } => {
                self.look_for_circle(database, backend, serial);
            }
            Event::Ready { service, instance, life } => self.ready(service, instance, life),
            Event::Probe { service, instance, life } => self.probe(service, instance, life),
            Event::ProbeDue { service, instance, life } => self.probe_due(service, instance, life),
            Event::Autoscale { service } => self.autoscale(service),
            Event::Fault { at, begins } => faults::happen(self, usize::from(at), begins),
            Event::Roll { at } => self.roll_on(at),
            Event::Second => {
                self.second();
                self.calendar.add(self.now + SECOND, Event::Second);
            }
            Event::Scrape => {
                observe::scrape(self);
                let step = self.record.scrape_every;
                self.calendar.add(self.now + step, Event::Scrape);
            }
            Event::Snapshot => {
                observe::snapshot(self);
                let step = self.record.snapshot_every;
                self.calendar.add(self.now + step, Event::Snapshot);
            }
        }
    }

    /// Says whether the task still waits for what this stamp stands for.
    pub fn waits(&self, task: u32, stamp: u32) -> bool {
        is_waiting(&self.tasks, task, stamp)
    }

    /// Starts a wait: older events of the task are void from now on. Gives the new stamp.
    pub fn begin(&mut self, task: u32, phase: Phase) -> u32 {
        let now = self.now;
        let t = &mut self.tasks[task as usize];
        t.stamp = t.stamp.wrapping_add(1);
        t.phase = phase;
        t.since = now;
        t.stamp
    }

    /// Starts a wait that ends by itself.
    pub fn begin_for(&mut self, task: u32, phase: Phase, length: Nanos) {
        let stamp = self.begin(task, phase);
        self.calendar.add(self.now + length, Event::Go { task, stamp });
    }

    /// A new task in a free place; its stamp goes on from the place's last one.
    pub fn new_task(&mut self, program: u16, instance: u16) -> u32 {
        let service = self.programs[usize::from(program)].service;
        let at = self.free.pop().unwrap_or_else(|| {
            self.tasks.push(empty_task());
            self.tasks.len() as u32 - 1
        });
        let now = self.now;
        let task = &mut self.tasks[at as usize];
        let stamp = task.stamp.wrapping_add(1);
        *task = Task {
            stamp,
            alive: true,
            program,
            service,
            instance,
            arrived: now,
            since: now,
            ..empty_task()
        };
        at
    }

    /// The task is over; its place may be used again.
    pub fn end_task(&mut self, task: u32) {
        let t = &mut self.tasks[task as usize];
        t.alive = false;
        t.stamp = t.stamp.wrapping_add(1);
        self.free.push(task);
    }

    /// What the task is run for.
    pub fn purpose(&self, task: u32) -> Purpose {
        self.programs[usize::from(self.tasks[task as usize].program)].purpose
    }
}

fn empty_task() -> Task {
    Task {
        stamp: 0,
        alive: false,
        program: 0,
        service: 0,
        instance: 0,
        pc: 0,
        phase: Phase::Idle,
        caller: NONE,
        caller_stamp: 0,
        key: 0,
        arrived: 0,
        trace: 0,
        span: 0,
        parent: 0,
        has_worker: false,
        has_core: false,
        need: 0,
        since: 0,
        edge: 0,
        attempt: 0,
        call_span: 0,
        call_began: 0,
        pool: 0,
        backend: NONE,
        held: 0,
        statement: 0,
        repeat: 0,
        pooled: false,
        reversed: false,
        place: 0,
        flight: None,
        mark: 0,
    }
}
