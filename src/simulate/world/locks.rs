//! Locks of a database: relations, shared or exclusive, in the order of the queue; rows.
//! Who comes later waits behind who waits already, also where the holder would let them pass.

use super::engine::Event;
use super::parts::Wait;
use super::{NONE, World, sqlstate};
use crate::simulate::station::{Nanos, SECOND};
use std::collections::VecDeque;

/// `deadlock_timeout` as PostgreSQL comes: so long a lock is waited for before a circle is sought.
const DEADLOCK_TIMEOUT: Nanos = SECOND;

impl World {
    /// Takes a lock on a relation, or a place in its queue. Says whether it is held now.
    pub fn take_relation(&mut self, db: u16, backend: u32, relation: u16, exclusive: bool) -> bool {
        let d = &mut self.databases[usize::from(db)];
        let b = &mut d.backends[backend as usize];
        if b.holds.iter().any(|(r, e)| *r == relation && (*e || !exclusive)) {
            return true;
        }
        let r = &mut d.relations[usize::from(relation)];
        let free = r.queue.is_empty() && r.exclusive.is_none() && (!exclusive || r.shared == 0);
        if !free {
            b.wants = Some((relation, exclusive));
            b.wait = Wait::Relation;
            r.queue.push_back((backend, exclusive));
            return false;
        }
        b.holds.push((relation, exclusive));
        match exclusive {
            true => r.exclusive = Some(backend),
            false => r.shared += 1,
        }
        true
    }

    /// Takes a lock on a row, or a place in its queue. Says whether it is held now.
    pub fn take_row(&mut self, db: u16, backend: u32, row: (u16, u32)) -> bool {
        let d = &mut self.databases[usize::from(db)];
        let b = &mut d.backends[backend as usize];
        if b.rows.contains(&row) {
            return true;
        }
        if let Some((_, queue)) = d.rows.get_mut(&row) {
            b.wants_row = Some(row);
            b.wait = Wait::Row;
            queue.push_back(backend);
            let serial = b.serial;
            let due = self.now + DEADLOCK_TIMEOUT;
            self.calendar.add(due, Event::Deadlock { database: db, backend, serial });
            return false;
        }
        d.rows.insert(row, (backend, VecDeque::new()));
        b.rows.push(row);
        true
    }

    /// The server looks whether a session waits for itself, and ends its statement if so.
    pub fn look_for_circle(&mut self, db: u16, backend: u32, serial: u32) {
        let d = &self.databases[usize::from(db)];
        let next = |at: u32| {
            let row = d.backends[at as usize].wants_row?;
            d.rows.get(&row).map(|(holder, _)| *holder)
        };
        if d.backends[backend as usize].serial != serial {
            return;
        }
        let mut at = backend;
        for _ in 0..d.backends.len() {
            let Some(holder) = next(at) else { return };
            if holder == backend {
                self.databases[usize::from(db)].deadlocks += 1;
                return self.cancel(db, backend, sqlstate::DEADLOCK);
            }
            at = holder;
        }
    }

    /// Gives back every lock of a session, and lets the next ones have them.
    pub fn release_locks(&mut self, db: u16, backend: u32) {
        let d = &mut self.databases[usize::from(db)];
        let b = &mut d.backends[backend as usize];
        if b.holds.is_empty() && b.rows.is_empty() {
            return;
        }
        let (holds, rows) = (std::mem::take(&mut b.holds), std::mem::take(&mut b.rows));
        for (relation, exclusive) in &holds {
            let r = &mut d.relations[usize::from(*relation)];
            match exclusive {
                true => r.exclusive = None,
                false => r.shared = r.shared.saturating_sub(1),
            }
        }
        for (relation, _) in holds {
            self.grant_relation(db, relation);
        }
        for row in rows {
            self.grant_row(db, row);
        }
    }

    fn grant_relation(&mut self, db: u16, relation: u16) {
        loop {
            let d = &mut self.databases[usize::from(db)];
            let r = &mut d.relations[usize::from(relation)];
            let Some((backend, exclusive)) = r.queue.front().copied() else { return };
            if r.exclusive.is_some() || exclusive && r.shared > 0 {
                return;
            }
            r.queue.pop_front();
            match exclusive {
                true => r.exclusive = Some(backend),
                false => r.shared += 1,
            }
            let b = &mut d.backends[backend as usize];
            b.holds.push((relation, exclusive));
            b.wants = None;
            b.wait = Wait::None;
            self.granted(db, backend);
        }
    }

    fn grant_row(&mut self, db: u16, row: (u16, u32)) {
        let d = &mut self.databases[usize::from(db)];
        let Some((holder, queue)) = d.rows.get_mut(&row) else { return };
        let Some(next) = queue.pop_front() else {
            d.rows.remove(&row);
            return;
        };
        *holder = next;
        let b = &mut d.backends[next as usize];
        b.rows.push(row);
        b.wants_row = None;
        b.wait = Wait::None;
        self.granted(db, next);
    }

    /// A session has what it waited for.
    fn granted(&mut self, db: u16, backend: u32) {
        let now = self.now;
        let b = self.backend(db, backend);
        let task = b.task;
        if b.startup {
            self.replayed(db, backend);
        } else if b.brief {
            let relation = b.holds.first().map(|(r, _)| *r);
            self.close_backend(db, backend);
            self.databases[usize::from(db)].commits += 1;
            if let Some(relation) = relation {
                self.replicate(db, relation);
            }
        } else if task != NONE {
            let stamp = self.tasks[task as usize].stamp;
            self.calendar.add(now, Event::Go { task, stamp });
        }
    }

    /// The standby has applied the change: it catches up at once.
    fn replayed(&mut self, db: u16, backend: u32) {
        self.databases[usize::from(db)].replay_waits = None;
        self.release_locks(db, backend);
    }

    /// A schema change of a primary reaches its standbys, whose replay takes the same lock.
    pub fn replicate(&mut self, primary: u16, relation: u16) {
        let name =
            self.databases[usize::from(primary)].relations[usize::from(relation)].name.clone();
        for db in 0..self.databases.len() as u16 {
            if self.databases[usize::from(db)].primary != Some(primary) {
                continue;
            }
            let there = self.databases[usize::from(db)].relations.iter();
            if let Some(there) = there.clone().position(|r| r.name == name) {
                self.replay(db, there as u16);
            }
        }
    }

    /// A standby replays a change of a relation.
    pub fn replay(&mut self, db: u16, relation: u16) {
        let startup = self.startup(db);
        if self.take_relation(db, startup, relation, true) {
            self.replayed(db, startup);
        } else {
            self.databases[usize::from(db)].replay_waits = Some(self.now);
        }
    }

    /// The process of a standby that replays; made when it is first asked for.
    pub fn startup(&mut self, db: u16) -> u32 {
        let all = &self.databases[usize::from(db)].backends;
        if let Some(at) = all.iter().position(|b| b.startup) {
            return at as u32;
        }
        let at = self.open_backend(db, "", None);
        self.backend(db, at).startup = true;
        at
    }

    /// A session no longer waits for a lock.
    pub fn leave_lock_queues(&mut self, db: u16, backend: u32) {
        let d = &mut self.databases[usize::from(db)];
        let b = &mut d.backends[backend as usize];
        let (relation, row) = (b.wants.take(), b.wants_row.take());
        if let Some((relation, _)) = relation {
            d.relations[usize::from(relation)].queue.retain(|(who, _)| *who != backend);
            self.grant_relation(db, relation);
        }
        if let Some(row) = row
            && let Some((_, queue)) = self.databases[usize::from(db)].rows.get_mut(&row)
        {
            queue.retain(|who| *who != backend);
        }
    }

    /// Process ids that keep a session waiting, as `pg_blocking_pids` tells them: who holds the
    /// lock in a conflicting mode, and who waits for such a mode further in front.
    pub fn blockers(&self, db: u16, backend: u32) -> Vec<i32> {
        let d = &self.databases[usize::from(db)];
        let b = &d.backends[backend as usize];
        let mut found = Vec::new();
        if let Some(row) = b.wants_row
            && let Some((holder, _)) = d.rows.get(&row)
        {
            found.push(d.backends[*holder as usize].pid);
        }
        // Replay waits by conflict resolution, not in the lock's queue: nobody is named.
        let Some((relation, exclusive)) = b.wants.filter(|_| !b.startup) else { return found };
        let holds = |b: &&super::parts::Backend| {
            b.holds.iter().any(|(r, e)| *r == relation && (*e || exclusive))
        };
        found.extend(d.backends.iter().filter(holds).map(|b| b.pid));
        let queue = &d.relations[usize::from(relation)].queue;
        let before = queue.iter().take_while(|(who, _)| *who != backend);
        let before = before.filter(|(_, e)| *e || exclusive);
        found.extend(before.map(|(who, _)| d.backends[*who as usize].pid));
        found
    }
}
