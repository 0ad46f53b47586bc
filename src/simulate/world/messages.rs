//! Messages: published, waiting, delivered to a free worker, acknowledged or returned.

use super::parts::Message;
use super::{NONE, Phase, World};
use crate::simulate::observe::{self, SpanKind};

/// A publish with the broker's confirmation.
const PUBLISH_NS: f64 = 1.2e6;

impl World {
    pub fn publish(&mut self, task: u32, queue: u16) {
        let q = &self.queues[usize::from(queue)];
        let full = q.limit.is_some_and(|l| q.waiting.len() >= l as usize);
        if full {
            self.queues[usize::from(queue)].dropped += 1;
            return self.finish(task, 503);
        }
        self.tasks[task as usize].place = queue;
        let length = self.network.time(PUBLISH_NS, Default::default(), 0.4);
        self.begin_for(task, Phase::Publishing, length);
    }

    /// The broker has the message.
    pub fn published(&mut self, task: u32) {
        let t = &self.tasks[task as usize];
        let (service, instance, queue, trace, key) =
            (t.service, t.instance, t.place, t.trace, t.key);
        let took = (self.now - t.since) as f64 / 1e9;
        self.instance(service, instance).sent.entry(queue).or_default().add(took);
        let parent = observe::inner(self, task, SpanKind::Send { queue });
        let q = &mut self.queues[usize::from(queue)];
        q.published += 1;
        q.waiting.push_back(Message { key, at: self.now, trace, parent });
        self.offer(queue);
        self.next_step(task);
    }

    /// Gives what waits to free workers.
    fn offer(&mut self, queue: u16) {
        let Some((service, _)) = self.queues[usize::from(queue)].consumer else { return };
        for instance in self.living(service) {
            self.take_messages(service, instance);
        }
    }

    /// An instance takes messages while it has workers.
    pub fn take_messages(&mut self, service: u16, instance: u16) {
        for queue in 0..self.queues.len() {
            let Some((consumer, program)) = self.queues[queue].consumer else { continue };
            if consumer != service {
                continue;
            }
            loop {
                let i = self.instance(service, instance);
                if !i.ready || i.draining || i.workers.busy >= i.workers.servers {
                    break;
                }
                let q = &mut self.queues[queue];
                let Some(message) = q.waiting.pop_front() else { break };
                q.delivered += 1;
                q.unacknowledged += 1;
                let task = self.new_task(program, instance);
                self.spans_given += 1;
                let t = &mut self.tasks[task as usize];
                t.caller = NONE;
                t.key = message.key;
                t.trace = message.trace;
                t.parent = message.parent;
                t.span = self.spans_given;
                t.mark = message.at;
                self.accept(task);
            }
        }
    }

    /// The message was worked on, or not.
    pub fn acknowledge(&mut self, task: u32, queue: u16, status: u16) {
        let t = &self.tasks[task as usize];
        let (service, instance, key) = (t.service, t.instance, t.key);
        let took = (self.now - t.arrived) as f64 / 1e9;
        let poisoned = self.queues[usize::from(queue)].poison == Some(key);
        let good = status == 200 && !poisoned;
        let meter = self.instance(service, instance).done.entry((queue, u8::from(good)));
        meter.or_default().add(took);
        if !good {
            return self.return_message(task, queue);
        }
        let q = &mut self.queues[usize::from(queue)];
        q.unacknowledged = q.unacknowledged.saturating_sub(1);
        q.acknowledged += 1;
    }

    /// The message goes back to the head of the queue.
    pub fn return_message(&mut self, task: u32, queue: u16) {
        let t = &self.tasks[task as usize];
        let message = Message { key: t.key, at: t.mark, trace: t.trace, parent: t.parent };
        let q = &mut self.queues[usize::from(queue)];
        q.unacknowledged = q.unacknowledged.saturating_sub(1);
        q.redelivered += 1;
        q.waiting.push_front(message);
    }
}
