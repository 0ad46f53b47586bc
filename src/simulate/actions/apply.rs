//! What each action changes in the system, and which can be taken now.

use super::{ACTIONS, Action, Offer, Subject, Verb};
use crate::error::{Error, Result};
use crate::simulate::station::SECOND;
use crate::simulate::world::{Breaker, Noted, Op, Operation, World, sqlstate};

/// How long answers are kept in front of a service that was given a cache.
const KEPT_S: u64 = 30;
/// Calls in a row that are followed: services may call each other in a circle.
const CALLS_DEEP: u32 = 16;
/// Names of what can take an action that an error shows.
const SHOWN: usize = 12;
/// Share of the time of its reads that a new standby takes off a database.
const REPLICA_SHARE: f64 = 0.5;

/// The names that an action can be taken on now.
fn subjects(world: &World, kind: Subject) -> Vec<String> {
    let own = || world.services.iter().filter(|s| !s.external);
    match kind {
        Subject::Nothing => vec![String::new()],
        Subject::Service => own().map(|s| s.name.clone()).collect(),
        Subject::PoolOf => {
            let services = own().filter(|s| !s.pools.is_empty()).map(|s| s.name.clone());
            let poolers =
                world.databases.iter().filter_map(|d| Some(d.pooler.as_ref()?.name.clone()));
            services.chain(poolers).collect()
        }
        Subject::Instance => own()
            .flat_map(|s| s.instances.iter().filter(|i| !i.removed))
            .map(|i| i.name.clone())
            .collect(),
        Subject::Database => world.databases.iter().map(|d| d.name.clone()).collect(),
        Subject::Session => {
            let all = world.databases.iter().flat_map(|d| &d.backends);
            let open = all.filter(|b| !b.startup && b.transaction.is_some());
            open.filter(|b| b.state != Operation::Closed).map(|b| b.pid.to_string()).collect()
        }
        Subject::Cache => world.caches.iter().map(|c| c.name.clone()).collect(),
        Subject::Store => world.stores.iter().map(|s| s.name.clone()).collect(),
    }
}

/// Every action with every subject it fits, sessions only those of nobody's service.
pub fn offers(world: &World) -> Vec<Offer> {
    let mut found = Vec::new();
    for row in ACTIONS {
        for subject in subjects(world, row.subject) {
            if row.subject == Subject::Session && !is_guest(world, &subject) {
                continue;
            }
            if row.verb == Verb::FailOver && !has_standby(world, &subject) {
                continue;
            }
            let amount = row.amount.map_or(0.0, |(_, usual)| usual);
            let action = Action { verb: row.verb, subject, amount };
            found.push(Offer { action, cost: row.cost, says: row.says });
        }
    }
    found
}

fn has_standby(world: &World, primary: &str) -> bool {
    let at = world.databases.iter().position(|d| d.name == primary);
    at.is_some_and(|at| world.successor(at as u16).is_some())
}

fn is_guest(world: &World, pid: &str) -> bool {
    session(world, pid)
        .is_some_and(|(db, at)| world.databases[usize::from(db)].backends[at as usize].guest)
}

fn session(world: &World, pid: &str) -> Option<(u16, u32)> {
    let pid = pid.parse::<i32>().ok()?;
    world.databases.iter().enumerate().find_map(|(db, d)| {
        let open = |b: &crate::simulate::world::Backend| {
            b.pid == pid && b.state != Operation::Closed && !b.startup
        };
        d.backends.iter().position(open).map(|at| (db as u16, at as u32))
    })
}

/// Process id of the oldest session of an application that is in a transaction.
pub fn pid_of(world: &World, application: &str) -> Option<i32> {
    let all = world.databases.iter().flat_map(|d| &d.backends);
    let open = all.filter(|b| b.application == application && b.state != Operation::Closed);
    open.filter_map(|b| Some((b.transaction?, b.pid))).min().map(|(_, pid)| pid)
}

/// Takes an action. Says what happened at once.
///
/// # Errors
///
/// When the subject is none of those that can take it.
pub fn apply(world: &mut World, action: &Action) -> Result<String> {
    let row = action.verb.row();
    let all = subjects(world, row.subject);
    if !all.contains(&action.subject) {
        let what = format!("\"{}\" cannot take {}", action.subject, row.word);
        let hint = match row.subject {
            _ if all.is_empty() => "nothing in this system can".to_owned(),
            Subject::Session => "a session that is in a transaction can".to_owned(),
            _ => {
                let shown: Vec<String> = all.into_iter().take(SHOWN).collect();
                format!("these can: {}", shown.join(", "))
            }
        };
        return Err(Error::usage("action", what).hint(hint));
    }
    // Instances are billed by their service, whatever starts them.
    if action.verb != Verb::ScaleOut {
        world.ledger.extra_usd += row.cost.usd_per_month;
    }
    let name = action.subject.as_str();
    match row.subject {
        Subject::PoolOf if is_pooler(world, name) => Ok(resize_pooler(world, name, action.amount)),
        Subject::Service | Subject::PoolOf => on_service(world, action, place(world, name)),
        Subject::Instance => on_instance(world, action, name),
        Subject::Database => on_database(world, action, name),
        Subject::Session => {
            if let Some((db, backend)) = session(world, name) {
                world.cancel(db, backend, sqlstate::CANCELLED);
            }
            world.note("note", "", &format!("session {name} cancelled"), "");
            Ok(format!("session {name}: canceling statement due to user request"))
        }
        Subject::Cache => {
            world.caches.iter_mut().filter(|c| c.name == name).for_each(|c| c.single_flight = true);
            world.note("config", name, "one request computes a missing key", "");
            Ok(format!("{name}: one request computes a missing key"))
        }
        Subject::Store => {
            let ways = action.amount.clamp(1.0, 255.0) as u32;
            world.stores.iter_mut().filter(|s| s.name == name).for_each(|s| s.ways = ways);
            world.note("config", name, &format!("keys are salted {ways} ways"), "");
            Ok(format!("{name}: every key is spread over {ways} sub-keys"))
        }
        Subject::Nothing => Ok(String::new()),
    }
}

fn is_pooler(world: &World, name: &str) -> bool {
    world.databases.iter().any(|d| d.pooler.as_ref().is_some_and(|p| p.name == name))
}

/// Sets how many connections to the server a pooler may hold.
fn resize_pooler(world: &mut World, name: &str, amount: f64) -> String {
    let size = amount.clamp(1.0, 10_000.0) as u32;
    let poolers = world.databases.iter_mut().filter_map(|d| d.pooler.as_mut());
    poolers.filter(|p| p.name == name).for_each(|p| p.station.servers = size);
    let said = format!("default_pool_size of {name}: {size}");
    world.note("config", name, &said, "");
    said
}

fn place(world: &World, name: &str) -> u16 {
    world.services.iter().position(|s| s.name == name).unwrap_or(0) as u16
}

fn on_service(world: &mut World, action: &Action, at: u16) -> Result<String> {
    let name = action.subject.clone();
    let n = world.living(at).len();
    let amount = action.amount;
    let said = match action.verb {
        Verb::RestartRolling => {
            world.roll(at);
            format!("{name}: {n} instances restart one after the other")
        }
        Verb::RestartAll => {
            world.living(at).into_iter().for_each(|i| world.restart(at, i));
            format!("{name}: {n} instances restart at once")
        }
        Verb::RollBack => {
            let deployed = |c: &Noted| c.at <= world.now && c.kind == "deploy" && c.service == name;
            let logged = world.changes.iter().any(deployed);
            let s = &mut world.services[usize::from(at)];
            // What the log tells of can be taken back, whether or not it changed anything.
            if s.version == 0 && !logged {
                let what = format!("{name} was not deployed in this time");
                return Err(Error::usage("action", what).hint("`changes` shows what was"));
            }
            s.version = 0;
            let version = s.versions[0].version.clone();
            world.roll(at);
            world.note("rollback", &name, &format!("{name} back to {version}"), &version);
            format!("{name} goes back to {version}, one instance after the other")
        }
        Verb::ScaleOut => {
            let more = amount.clamp(1.0, 100.0) as usize;
            (0..more).for_each(|_| {
                world.add_instance(at, false);
            });
            world.note("scale", &name, &format!("{name}: {more} more instances"), "");
            format!("{name}: {more} instances start")
        }
        _ => return Ok(policy(world, action, at, &name)),
    };
    if matches!(action.verb, Verb::RestartRolling | Verb::RestartAll) {
        world.note("restart", &name, &said, "");
    }
    Ok(said)
}

/// Says whether a program writes nothing, nor does anything that it calls.
fn is_read(world: &World, program: u16, deep: u32) -> bool {
    let writes = |op: &Op| match op {
        Op::Run { transaction, .. } => *transaction,
        Op::Publish { .. } | Op::Forget { .. } => true,
        Op::Call { edge, .. } => {
            deep > 0 && !is_read(world, world.edges[usize::from(*edge)].program, deep - 1)
        }
        _ => false,
    };
    !world.programs[usize::from(program)].ops.iter().any(writes)
}

/// Settings of a service: limits, and how it calls.
fn policy(world: &mut World, action: &Action, at: u16, name: &str) -> String {
    let amount = action.amount;
    let own = world.edges.iter_mut().filter(|e| e.from == at);
    let said = match action.verb {
        Verb::RetryBudget => {
            own.for_each(|e| {
                e.budget = Some(amount);
                e.tokens = e.tokens.min(1.0);
            });
            format!("{name}: retries are at most {amount} of its calls")
        }
        Verb::Breaker => {
            let share = amount.clamp(0.01, 1.0);
            own.for_each(|e| {
                e.breaker = Some(Breaker::new(share));
            });
            format!("{name}: calls pause when a share of {share} fails")
        }
        Verb::Shed => {
            world.services[usize::from(at)].shed = amount.clamp(0.0, 1.0);
            format!("{name}: a share of {amount} is refused at once")
        }
        Verb::AddCache => {
            let own = 0..world.programs.len() as u16;
            let reads = own.filter(|p| world.programs[usize::from(*p)].service == at);
            let reads = reads.filter(|p| is_read(world, *p, CALLS_DEEP)).collect();
            world.services[usize::from(at)].kept_for = Some((KEPT_S * SECOND, reads));
            format!("{name}: answers are kept for {KEPT_S} s")
        }
        Verb::AddQueue => {
            world.services[usize::from(at)].room = None;
            let s = &mut world.services[usize::from(at)];
            s.instances.iter_mut().for_each(|i| i.workers.room = None);
            format!("{name}: what finds no worker waits and is not refused")
        }
        Verb::AddWorker => {
            let more = amount.clamp(1.0, 1_000.0) as u32;
            let s = &mut world.services[usize::from(at)];
            s.workers = s.workers.saturating_add(more);
            s.instances.iter_mut().for_each(|i| i.workers.servers += more);
            format!("{name}: {more} more workers each")
        }
        _ => {
            let size = amount.clamp(1.0, 10_000.0) as u32;
            let s = &mut world.services[usize::from(at)];
            s.pools.iter_mut().for_each(|p| p.max = size);
            let pools = s.instances.iter_mut().flat_map(|i| &mut i.pools);
            pools.for_each(|p| p.station.servers = size);
            format!("{name}: pools hold {size} connections")
        }
    };
    world.note("config", name, &said, "");
    said
}

fn on_instance(world: &mut World, action: &Action, name: &str) -> Result<String> {
    let found = world.services.iter().enumerate().find_map(|(s, service)| {
        let at = service.instances.iter().position(|i| i.name == name)?;
        Some((s as u16, at as u16))
    });
    let Some((service, instance)) = found else {
        return Err(Error::usage("action", format!("no instance \"{name}\"")));
    };
    let service_name = world.services[usize::from(service)].name.clone();
    if action.verb == Verb::Drain {
        world.instance(service, instance).draining = true;
        world.note("config", &service_name, &format!("{name} is drained"), "");
        return Ok(format!("{name} gets no new requests"));
    }
    world.restart(service, instance);
    world.note("restart", &service_name, &format!("{name} restarted"), "");
    Ok(format!("{name} restarts"))
}

fn on_database(world: &mut World, action: &Action, name: &str) -> Result<String> {
    let at = world.databases.iter().position(|d| d.name == name).unwrap_or(0) as u16;
    let said = match action.verb {
        Verb::StatementTimeout => {
            let limit = (action.amount.max(0.1) * SECOND as f64) as u64;
            world.limit_statements(at, limit);
            format!("{name}: statements end after {} s", action.amount)
        }
        Verb::AddReplica => {
            let d = &mut world.databases[usize::from(at)];
            let more = (f64::from(d.all_cores) * REPLICA_SHARE * 2.0).ceil() as u32;
            d.all_cores += more;
            d.cores.servers += more;
            format!("{name}: a standby with {more} processors takes reads")
        }
        _ => {
            if !world.promote(at) {
                let what = format!("{name} has no standby that can run its statements");
                return Err(Error::usage("action", what).hint("`add-replica` adds one"));
            }
            format!("a standby of {name} is the primary now; all sessions ended")
        }
    };
    world.note("config", name, &said, "");
    Ok(said)
}
