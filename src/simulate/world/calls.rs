//! Calls between services: names, the network, the load balancer, and the caller's policy of
//! timeouts, retries, budgets, breakers and fallbacks.

use super::engine::Event;
use super::{Op, Phase, Purpose, World, status};
use crate::simulate::observe;
use crate::simulate::station::{Entry, Nanos, SECOND};

/// One way through the network, there and back in one.
const NETWORK: Nanos = 400_000;
/// First wait of TCP for a lost segment on an open connection; it doubles (RFC 6298 allows 1 s,
/// Linux takes 200 ms).
const RETRANSMISSION: Nanos = 200_000_000;
/// Most segments lost in a row that are told apart.
const LOSSES: u32 = 6;
/// A breaker looks at this much of the past.
const BREAKER_WINDOW: Nanos = 10 * SECOND;
/// Calls it needs to judge.
const BREAKER_CALLS: f64 = 20.0;
/// How long it stays open.
const BREAKER_PAUSE: Nanos = 5 * SECOND;
/// Second to last retries wait at most this much longer than the first.
const BACKOFF_DOUBLINGS: u16 = 6;

impl World {
    /// The task calls: first attempt.
    pub fn call(&mut self, task: u32, edge: u16) {
        let t = &mut self.tasks[task as usize];
        t.edge = edge;
        t.attempt = 0;
        let e = &mut self.edges[usize::from(edge)];
        if let Some(share) = e.budget {
            e.tokens = (e.tokens + share).min(super::build::BUDGET_BURST);
        }
        self.attempt(task);
    }

    /// One attempt: the name, then the network.
    pub fn attempt(&mut self, task: u32) {
        let now = self.now;
        self.spans_given += 1;
        let span = self.spans_given;
        let t = &mut self.tasks[task as usize];
        t.attempt += 1;
        t.call_began = now;
        t.call_span = span;
        let (edge, service, instance) = (t.edge, t.service, t.instance);
        if self.breaker_open(edge) {
            return self.attempt_done(task, status::OPEN);
        }
        if !self.instance(service, instance).knows {
            return self.attempt_done(task, status::UNKNOWN);
        }
        let is_user = matches!(self.purpose(task), Purpose::User(_));
        let resolver = self.resolver.as_ref().filter(|_| !is_user);
        let Some((lookup, limit, slow, up)) =
            resolver.map(|(r, slow, up)| (r.ms * 1e6, r.timeout_ms, *slow, *up))
        else {
            return self.send(task);
        };
        let known = self.instance(service, instance).names.get(&edge).copied().unwrap_or(0);
        if known > now {
            return self.send(task);
        }
        let patience = self.edges[usize::from(edge)].timeout;
        let limit = super::build::ns(limit).min(patience);
        let length = self.network.time(lookup * slow, Default::default(), 0.4);
        if !up || length >= limit {
            let stamp = self.begin(task, Phase::Lookup);
            self.calendar.add(now + limit, Event::Expire { task, stamp });
            self.instance(service, instance).lookups.add(limit as f64 / 1e9);
            return;
        }
        self.instance(service, instance).lookups.add(length as f64 / 1e9);
        self.begin_for(task, Phase::Lookup, length);
    }

    /// The name is known now.
    pub fn looked_up(&mut self, task: u32) {
        let t = &self.tasks[task as usize];
        let (edge, service, instance) = (t.edge, t.service, t.instance);
        let ttl = self.resolver.as_ref().map_or(0.0, |(r, _, _)| r.ttl_s);
        let until = self.now + super::build::seconds(ttl);
        self.instance(service, instance).names.insert(edge, until);
        observe::inner(self, task, observe::SpanKind::Name);
        self.send(task);
    }

    fn send(&mut self, task: u32) {
        let t = &self.tasks[task as usize];
        let (edge, deadline) = (t.edge, t.call_began);
        let e = &self.edges[usize::from(edge)];
        let (delay, loss, timeout) = (e.delay, e.loss, e.timeout);
        let mut length = self.network.time((NETWORK + delay) as f64, Default::default(), 0.2);
        for lost in 0..LOSSES {
            if !self.network.hits(loss) {
                break;
            }
            length += RETRANSMISSION << lost;
        }
        let deadline = deadline + timeout;
        if self.now + length >= deadline {
            let stamp = self.begin(task, Phase::Network);
            self.calendar.add(deadline, Event::Expire { task, stamp });
            return;
        }
        self.begin_for(task, Phase::Network, length);
    }

    /// The request reaches the callee's load balancer.
    pub fn deliver(&mut self, task: u32) {
        let t = &self.tasks[task as usize];
        let (edge, key, trace, parent) = (t.edge, t.key, t.trace, t.call_span);
        let deadline = t.call_began + self.edges[usize::from(edge)].timeout;
        let e = &self.edges[usize::from(edge)];
        let (to, program) = (e.to, e.program);
        if e.handshake_fails {
            return self.attempt_done(task, status::HANDSHAKE);
        }
        let stamp = self.begin(task, Phase::Reply);
        self.calendar.add(deadline, Event::Expire { task, stamp });
        if self.services[usize::from(to)].refuses {
            return self.attempt_done(task, status::REFUSED);
        }
        if let Some(refused) = self.turned_away(to) {
            return self.attempt_done(task, refused);
        }
        if self.is_kept(to, program, key) {
            return self.attempt_done(task, 200);
        }
        let Some(instance) = self.choose(to) else {
            return self.attempt_done(task, 503);
        };
        if !self.instance(to, instance).ready {
            return self.attempt_done(task, status::REFUSED);
        }
        let callee = self.new_task(program, instance);
        self.spans_given += 1;
        let c = &mut self.tasks[callee as usize];
        c.caller = task;
        c.caller_stamp = stamp;
        c.key = key;
        c.trace = trace;
        c.span = self.spans_given;
        c.parent = parent;
        self.accept(callee);
    }

    /// A cache in front of the service has the answer.
    fn is_kept(&mut self, service: u16, program: u16, key: u32) -> bool {
        let now = self.now;
        let s = &mut self.services[usize::from(service)];
        s.kept_for.is_some() && s.kept.get(&(program, key)).is_some_and(|until| *until > now)
    }

    /// An instance takes a request in: a worker, the queue, or no room.
    pub fn accept(&mut self, task: u32) {
        let t = &self.tasks[task as usize];
        let (service, instance, now) = (t.service, t.instance, self.now);
        let stamp = self.begin(task, Phase::WorkerQueue);
        let i = self.instance(service, instance);
        i.in_flight += 1;
        match i.workers.enter(now, task, stamp) {
            Entry::Served => self.start_work(task),
            Entry::Queued => {}
            Entry::Refused => self.finish(task, 503),
        }
    }

    /// The next instance in turn that is in the target group.
    fn choose(&mut self, service: u16) -> Option<u16> {
        let s = &mut self.services[usize::from(service)];
        let n = s.instances.len();
        for step in 0..n {
            let at = (s.turn + step) % n;
            let i = &s.instances[at];
            if i.in_target && !i.draining && !i.removed {
                s.turn = at + 1;
                return Some(at as u16);
            }
        }
        None
    }

    /// Limits in front of a service: shed load, a rate that was granted.
    fn turned_away(&mut self, service: u16) -> Option<u16> {
        let now = self.now;
        let s = &mut self.services[usize::from(service)];
        if s.draw.hits(s.shed) {
            return Some(503);
        }
        let rate = s.rate_limit?;
        let passed = (now - s.granted_at) as f64 / 1e9;
        s.granted = (s.granted + passed * rate).min(rate.max(1.0));
        s.granted_at = now;
        if s.granted < 1.0 {
            return Some(429);
        }
        s.granted -= 1.0;
        None
    }

    /// An attempt has its answer, or none: the caller goes on, tries again, falls back or fails.
    pub fn attempt_done(&mut self, task: u32, answer: u16) {
        let t = &self.tasks[task as usize];
        let (edge, service, instance, attempt) = (t.edge, t.service, t.instance, t.attempt);
        let took = (self.now - t.call_began) as f64 / 1e9;
        let good = answer == 200;
        if answer != status::OPEN {
            self.judge(edge, good);
        }
        let is_user = matches!(self.purpose(task), Purpose::User(_));
        // Where no request was sent, no HTTP client measures one.
        let sent = !matches!(answer, status::OPEN | status::UNKNOWN);
        if !is_user && sent {
            self.instance(service, instance).called.entry((edge, answer)).or_default().add(took);
            observe::client(self, task, answer);
        }
        if good {
            return self.next_step(task);
        }
        let e = &mut self.edges[usize::from(edge)];
        let again = attempt < e.attempts && !matches!(answer, status::OPEN | 400..=428 | 430..=499);
        let paid = match e.budget {
            Some(_) if again && e.tokens < 1.0 => false,
            Some(_) if again => {
                e.tokens -= 1.0;
                true
            }
            _ => true,
        };
        if again && paid {
            let backoff = e.backoff << attempt.saturating_sub(1).min(BACKOFF_DOUBLINGS);
            if !is_user {
                *self.instance(service, instance).retries.entry(edge).or_default() += 1;
            }
            // Half of the pause is drawn anew each time, so that callers do not come together.
            let jitter = 0.5 + 0.5 * self.network.unit();
            return self.begin_for(task, Phase::Backoff, (backoff as f64 * jitter) as Nanos);
        }
        self.call_failed(task, answer);
    }

    fn call_failed(&mut self, task: u32, answer: u16) {
        let t = &mut self.tasks[task as usize];
        let (service, instance) = (t.service, t.instance);
        let op = self.programs[usize::from(t.program)].ops.get(usize::from(t.pc)).copied();
        match op {
            Some(Op::Call { fallback: Some(to), .. }) => {
                t.pc = to;
                self.instance(service, instance).fallbacks += 1;
                self.step(task);
            }
            Some(Op::Call { optional: true, .. }) => self.next_step(task),
            _ if answer == status::TIMEOUT => self.finish(task, 504),
            _ if answer == 429 => self.finish(task, 503),
            _ if matches!(self.purpose(task), Purpose::User(_)) => {
                self.finish(task, answer.max(502))
            }
            _ => self.finish(task, 502),
        }
    }

    fn breaker_open(&mut self, edge: u16) -> bool {
        let now = self.now;
        let e = &mut self.edges[usize::from(edge)];
        e.breaker.as_ref().is_some_and(|b| b.open_until > now)
    }

    /// Tells the breaker of an edge what came of a call.
    fn judge(&mut self, edge: u16, good: bool) {
        let now = self.now;
        let Some(b) = self.edges[usize::from(edge)].breaker.as_mut() else { return };
        if now - b.since > BREAKER_WINDOW {
            (b.good, b.bad, b.since) = (b.good / 4.0, b.bad / 4.0, now);
        }
        *if good { &mut b.good } else { &mut b.bad } += 1.0;
        let all = b.good + b.bad;
        if all >= BREAKER_CALLS && b.bad >= b.share * all {
            (b.good, b.bad, b.since) = (0.0, 0.0, now);
            b.open_until = now + BREAKER_PAUSE;
        }
    }
}
