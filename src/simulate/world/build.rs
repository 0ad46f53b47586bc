//! From a scenario to a world: names become numbers, steps become instructions.

use super::engine::{Calendar, Event};
use super::made::{cache, databases, service, source, store, topic, users_of};
use super::parts::{Breaker, Edge, ServiceState, Source, Topic};
use super::{Ledger, Noted, Op, Program, Purpose, World};
use crate::error::{Error, Result};
use crate::simulate::draw::Draw;
use crate::simulate::observe::Record;
use crate::simulate::scenario::{self, Scenario, Step};
use crate::simulate::station::{Nanos, SECOND};

/// Retries that a budget saves up for a burst.
pub const BUDGET_BURST: f64 = 10.0;

/// Nanoseconds of milliseconds.
pub fn ns(ms: f64) -> Nanos {
    (ms.max(0.0) * 1e6) as Nanos
}

/// Nanoseconds of seconds.
pub fn seconds(s: f64) -> Nanos {
    (s.max(0.0) * SECOND as f64) as Nanos
}

/// The place of a name in a list.
pub fn index(names: &[String], name: &str, what: &str) -> Result<u16> {
    match names.iter().position(|n| n == name) {
        Some(at) => Ok(at as u16),
        None => Err(Error::usage(format!("\"{name}\""), format!("no such {what}"))
            .hint(format!("there are: {}", names.join(", ")))),
    }
}

/// What steps may name.
struct Names<'a> {
    scenario: &'a Scenario,
    services: Vec<String>,
    databases: Vec<String>,
    caches: Vec<String>,
    queues: Vec<String>,
    stores: Vec<String>,
    /// `service/route` of every program so far.
    routes: Vec<String>,
    edges: Vec<Edge>,
    spaces: u16,
}

fn names<T>(all: &[T], name: impl Fn(&T) -> &String) -> Vec<String> {
    all.iter().map(|x| name(x).clone()).collect()
}

/// Builds the world of a scenario; nothing has happened in it yet.
///
/// # Errors
///
/// When a step names a service, route, database, statement, cache, queue or store that is none.
pub fn build(scenario: &Scenario, seed: u64) -> Result<World> {
    let mut known = Names {
        scenario,
        services: names(&scenario.service, |s| &s.name),
        databases: names(&scenario.database, |d| &d.name),
        caches: names(&scenario.cache, |c| &c.name),
        queues: names(&scenario.queue, |q| &q.name),
        stores: names(&scenario.store, |s| &s.name),
        routes: Vec::new(),
        edges: Vec::new(),
        spaces: 0,
    };
    for service in &scenario.service {
        known
            .routes
            .extend(service.endpoint.iter().map(|e| format!("{}/{}", service.name, e.route)));
    }
    let mut programs = Vec::new();
    let (mut services, queues) = known.services(&mut programs, seed)?;
    let sources = known.users(&mut programs, &mut services, seed)?;
    let mut world = World {
        seed,
        now: 0,
        zero: seconds(scenario.settle_s),
        start_us: crate::time::parse(&scenario.start, &Default::default())
            .map(|p| p.at)
            .ok_or_else(|| {
                Error::usage(format!("\"{}\"", scenario.start), "start is no RFC 3339 time")
            })?,
        events: 0,
        calendar: Calendar::default(),
        tasks: Vec::new(),
        free: Vec::new(),
        programs,
        services,
        edges: known.edges,
        databases: databases(scenario, &known.databases, seed)?,
        caches: scenario.cache.iter().map(|c| cache(c, seed)).collect(),
        queues,
        stores: scenario.store.iter().map(|s| store(s, seed)).collect(),
        sources,
        resolver: scenario.resolver.clone().map(|r| (r, 1.0, true)),
        registry_up: true,
        faults: scenario.fault.clone(),
        network: Draw::of("network", seed),
        chance: Draw::of("chance", seed),
        traces: 0,
        spans_given: 0,
        next_pid: 12_000 + (Draw::of("pids", seed).below(9_000)) as i32,
        ledger: Ledger::new(scenario.duration_s),
        record: Record::new(scenario, seed),
        changes: changes(scenario),
        rolls: Vec::new(),
    };
    crate::simulate::faults::check(&world)?;
    start(&mut world, scenario);
    Ok(world)
}

/// Instances come up, and the calendar gets its first entries.
fn start(world: &mut World, scenario: &Scenario) {
    for at in 0..world.services.len() {
        let wanted = scenario.service.get(at).map_or(1, |s| s.instances);
        for _ in 0..wanted {
            world.add_instance(at as u16, true);
        }
    }
    for at in 0..world.sources.len() {
        world.plan_arrival(at as u16);
    }
    world.calendar.add(SECOND, Event::Second);
    world.calendar.add(world.zero, Event::Scrape);
    world.calendar.add(world.zero, Event::Snapshot);
    for (at, fault) in scenario.fault.iter().enumerate() {
        let begin = world.zero + seconds(fault.at_s);
        world.calendar.add(begin, Event::Fault { at: at as u16, begins: true });
        if let Some(until) = fault.until_s {
            let end = world.zero + seconds(until);
            world.calendar.add(end, Event::Fault { at: at as u16, begins: false });
        }
    }
}

/// The change log as the scenario tells it.
fn changes(scenario: &Scenario) -> Vec<Noted> {
    let noted = |c: &scenario::Change| Noted {
        at: seconds(scenario.settle_s + c.at_s),
        kind: c.kind.clone(),
        service: c.service.clone(),
        title: c.title.clone(),
        version: c.version.clone(),
    };
    scenario.change.iter().map(noted).collect()
}

fn program(name: &str, service: usize, purpose: Purpose, ops: Vec<Op>) -> Program {
    Program {
        name: name.to_owned(),
        method: "GET".to_owned(),
        path: name.to_owned(),
        service: service as u16,
        purpose,
        ops,
        factor: 1.0,
    }
}

impl Names<'_> {
    /// The programs of every service, and the services and queues that they belong to.
    fn services(
        &mut self,
        programs: &mut Vec<Program>,
        seed: u64,
    ) -> Result<(Vec<ServiceState>, Vec<Topic>)> {
        let scenario = self.scenario;
        for (at, service) in scenario.service.iter().enumerate() {
            for endpoint in &service.endpoint {
                let ops = self.program(at, &endpoint.steps)?;
                let path = if endpoint.path.is_empty() { &endpoint.route } else { &endpoint.path };
                programs.push(Program {
                    method: endpoint.method.clone(),
                    path: path.clone(),
                    ..program(&endpoint.route, at, Purpose::Route, ops)
                });
            }
        }
        let mut services: Vec<ServiceState> =
            scenario.service.iter().map(|s| service(s, scenario, seed)).collect();
        let mut queues: Vec<Topic> = scenario.queue.iter().map(topic).collect();
        for (at, service) in scenario.service.iter().enumerate() {
            for consume in &service.consume {
                let queue = index(&self.queues, &consume.queue, "queue")?;
                let ops = self.program(at, &consume.steps)?;
                queues[usize::from(queue)].consumer = Some((at as u16, programs.len() as u16));
                programs.push(program(&consume.queue, at, Purpose::Message(queue), ops));
            }
            if service.probe.is_some() {
                services[at].probe_program = Some(programs.len() as u16);
                let deep = service.probe.is_some_and(|p| p.deep) && !service.pool.is_empty();
                let ops =
                    if deep { vec![Op::Acquire { pool: 0 }, Op::Release] } else { Vec::new() };
                programs.push(program("/healthz", at, Purpose::Probe, ops));
            }
        }
        Ok((services, queues))
    }

    /// A program and a service of their own for the users of each source.
    fn users(
        &mut self,
        programs: &mut Vec<Program>,
        services: &mut Vec<ServiceState>,
        seed: u64,
    ) -> Result<Vec<Source>> {
        let scenario = self.scenario;
        let mut sources = Vec::new();
        for (at, traffic) in scenario.traffic.iter().enumerate() {
            let users = services.len();
            let to = index(&self.routes, &traffic.to, "service/route")?;
            let call = scenario::Call {
                to: traffic.to.clone(),
                timeout_ms: traffic.patience_ms,
                attempts: traffic.refreshes + 1,
                backoff_ms: 1_000.0,
                budget: None,
                breaker: None,
                fallback: Vec::new(),
                optional: false,
            };
            let edge = self.edge(users as u16, &call, to)?;
            let op = Op::Call { edge, fallback: None, optional: false };
            sources.push(source(traffic, at, users, programs.len(), seed));
            programs.push(program("users", users, Purpose::User(at as u16), vec![op]));
            services.push(users_of(at, seed));
        }
        Ok(sources)
    }

    fn program(&mut self, service: usize, steps: &[Step]) -> Result<Vec<Op>> {
        let mut ops = Vec::new();
        self.steps(service, steps, &mut ops)?;
        Ok(ops)
    }

    fn steps(&mut self, service: usize, steps: &[Step], ops: &mut Vec<Op>) -> Result<()> {
        steps.iter().try_for_each(|step| self.step(service, step, ops))
    }

    fn step(&mut self, service: usize, step: &Step, ops: &mut Vec<Op>) -> Result<()> {
        match step {
            Step::Work(time) => ops.push(Op::Work(*time)),
            Step::Wait(time) => ops.push(Op::Wait(*time)),
            Step::Call(call) => self.call(service, call, ops)?,
            Step::Query { on, statement, times } => {
                let (pool, found) = self.statement(service, on, statement)?;
                ops.push(Op::Acquire { pool });
                let run = Op::Run { statement: found, transaction: false };
                ops.extend((0..*times).map(|_| run));
                ops.push(Op::Release);
            }
            Step::Transaction { on, statements, think_ms } => {
                for (at, statement) in statements.iter().enumerate() {
                    let (pool, statement) = self.statement(service, on, statement)?;
                    ops.extend((at == 0).then_some(Op::Acquire { pool }));
                    let pause =
                        scenario::Time { ms: *think_ms, law: Default::default(), spread: 0.3 };
                    ops.extend((at > 0 && *think_ms > 0.0).then_some(Op::Wait(pause)));
                    ops.push(Op::Run { statement, transaction: true });
                }
                ops.push(Op::Release);
            }
            Step::Cached { cache, ttl_s, single_flight, miss } => {
                let cache = index(&self.caches, cache, "cache")?;
                let space = self.spaces;
                self.spaces += 1;
                let look = ops.len();
                ops.push(Op::Release);
                self.steps(service, miss, ops)?;
                ops.push(Op::Fill { cache, space, ttl: seconds(*ttl_s) });
                let past = ops.len() as u16;
                ops[look] = Op::Look { cache, space, single: *single_flight, past };
            }
            Step::Invalidate { cache } => {
                ops.push(Op::Forget { cache: index(&self.caches, cache, "cache")? });
            }
            Step::Partition { store, timeout_ms } => {
                let store = index(&self.stores, store, "sharded store")?;
                ops.push(Op::Partition { store, timeout: ns(*timeout_ms) });
            }
            Step::Features { miss_ms } => ops.push(Op::Features { miss: ns(*miss_ms) }),
            Step::Publish { queue } => {
                ops.push(Op::Publish { queue: index(&self.queues, queue, "queue")? });
            }
        }
        Ok(())
    }

    fn call(&mut self, service: usize, call: &scenario::Call, ops: &mut Vec<Op>) -> Result<()> {
        let to = index(&self.routes, &call.to, "service/route")?;
        let edge = self.edge(service as u16, call, to)?;
        let at = ops.len();
        ops.push(Op::Call { edge, fallback: None, optional: call.optional });
        if !call.fallback.is_empty() {
            ops.push(Op::Jump(0));
            self.steps(service, &call.fallback, ops)?;
            ops[at + 1] = Op::Jump(ops.len() as u16);
            ops[at] = Op::Call { edge, fallback: Some(at as u16 + 2), optional: false };
        }
        Ok(())
    }

    fn edge(&mut self, from: u16, call: &scenario::Call, program: u16) -> Result<u16> {
        let name = call.to.split('/').next().unwrap_or_default();
        let to = index(&self.services, name, "service")?;
        let breaker = call.breaker.map(Breaker::new);
        self.edges.push(Edge {
            from,
            to,
            program,
            timeout: ns(call.timeout_ms),
            attempts: call.attempts.clamp(1, 100) as u16,
            backoff: ns(call.backoff_ms),
            budget: call.budget,
            tokens: BUDGET_BURST,
            breaker,
            delay: 0,
            loss: 0.0,
            handshake_fails: false,
        });
        Ok(self.edges.len() as u16 - 1)
    }

    fn statement(&self, service: usize, on: &str, statement: &str) -> Result<(u16, u16)> {
        let pools = names(&self.scenario.service[service].pool, |p| &p.database);
        let pool = index(&pools, on, "pool of the service")?;
        let database = usize::from(index(&self.databases, on, "database")?);
        let known = names(&self.scenario.database[database].statement, |s| &s.name);
        Ok((pool, index(&known, statement, "statement")?))
    }
}
