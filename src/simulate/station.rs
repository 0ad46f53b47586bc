//! Servers with one queue in front: worker pools, processors, connection pools, partitions.
//! In: who comes and who leaves, with times. Out: who is served, and how busy it was.

use std::collections::VecDeque;

/// Nanoseconds since the system was built.
pub type Nanos = u64;

/// One second in [`Nanos`].
pub const SECOND: Nanos = 1_000_000_000;

/// Somebody who waits: valid while its stamp is the task's.
#[derive(Clone, Copy, Debug)]
pub struct Waiter {
    pub task: u32,
    pub stamp: u32,
    pub since: Nanos,
}

/// What came of an arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    Served,
    Queued,
    /// The queue has no room.
    Refused,
}

/// Servers with a queue, first come first served.
#[derive(Clone, Debug, Default)]
pub struct Station {
    pub servers: u32,
    pub busy: u32,
    /// Most that may wait; without bound if `None`.
    pub room: Option<u32>,
    queue: VecDeque<Waiter>,
    /// Of the queue, those that gave up.
    gone: usize,
    busy_ns: f64,
    wait_ns: f64,
    since: Nanos,
}

impl Station {
    pub fn new(servers: u32, room: Option<u32>) -> Station {
        Station { servers, room, ..Station::default() }
    }

    /// Takes a server if one is free, else a place in the queue.
    pub fn enter(&mut self, now: Nanos, task: u32, stamp: u32) -> Entry {
        if self.busy < self.servers {
            self.count(now);
            self.busy += 1;
            return Entry::Served;
        }
        if self.room.is_some_and(|room| self.waiting() >= room as usize) {
            return Entry::Refused;
        }
        self.queue.push_back(Waiter { task, stamp, since: now });
        Entry::Queued
    }

    /// Frees a server.
    pub fn leave(&mut self, now: Nanos) {
        self.count(now);
        self.busy = self.busy.saturating_sub(1);
    }

    /// Gives a free server to the first in the queue who still waits.
    pub fn next(&mut self, now: Nanos, waits: impl Fn(&Waiter) -> bool) -> Option<Waiter> {
        while self.busy < self.servers {
            let first = self.queue.pop_front()?;
            if waits(&first) {
                self.count(now);
                self.busy += 1;
                self.wait_ns += (now - first.since) as f64;
                return Some(first);
            }
            self.gone = self.gone.saturating_sub(1);
        }
        None
    }

    /// Somebody in the queue gave up; they are skipped when their turn comes.
    pub fn give_up(&mut self) {
        self.gone += 1;
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.queue.len().saturating_sub(self.gone)
    }

    /// How long the first in the queue has waited.
    pub fn oldest(&self, now: Nanos) -> Nanos {
        let first = self.queue.front().filter(|_| self.waiting() > 0);
        first.map_or(0, |w| now - w.since)
    }

    /// Everybody leaves at once.
    pub fn clear(&mut self, now: Nanos) {
        self.count(now);
        self.busy = 0;
        self.queue.clear();
        self.gone = 0;
    }

    /// Seconds of work done so far, over all servers.
    pub fn busy_s(&mut self, now: Nanos) -> f64 {
        self.count(now);
        self.busy_ns / SECOND as f64
    }

    /// Seconds that those waited who were served in the end.
    pub fn wait_s(&self) -> f64 {
        self.wait_ns / SECOND as f64
    }

    fn count(&mut self, now: Nanos) {
        self.busy_ns += f64::from(self.busy) * (now - self.since) as f64;
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gave_up_is_skipped_and_not_counted() {
        let mut station = Station::new(1, Some(2));
        assert_eq!(station.enter(0, 1, 0), Entry::Served);
        assert_eq!(station.enter(10, 2, 0), Entry::Queued);
        assert_eq!(station.enter(10, 3, 0), Entry::Queued);
        assert_eq!(station.enter(10, 4, 0), Entry::Refused);
        station.give_up();
        assert_eq!(station.waiting(), 1);
        station.leave(SECOND);
        let next = station.next(SECOND, |w| w.task != 2).map(|w| w.task);
        assert_eq!((next, station.waiting(), station.busy), (Some(3), 0, 1));
        assert!((station.busy_s(2 * SECOND) - 2.0).abs() < 1e-9);
    }
}
