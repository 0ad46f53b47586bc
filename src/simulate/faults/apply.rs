//! How each fault begins and ends.

use crate::simulate::scenario::Fault;
use crate::simulate::world::{Effect, Operation, Wait, World};

fn or(begins: bool, size: f64, usual: f64) -> f64 {
    if begins { size } else { usual }
}

pub fn work(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    let factor = or(begins, fault.size, 1.0);
    if fault.of.is_empty() {
        world.services[usize::from(at)].work = factor;
        return;
    }
    let own = world.programs.iter_mut().filter(|p| p.service == at && p.name == fault.of);
    own.for_each(|p| p.factor = factor);
}

pub fn errors(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    world.services[usize::from(at)].errors = or(begins, fault.size, 0.0);
}

pub fn hangs(world: &mut World, at: u16, _: &Fault, begins: bool) {
    world.services[usize::from(at)].hangs = begins;
    if !begins {
        world.wake_hung(at);
    }
}

pub fn refuses(world: &mut World, at: u16, _: &Fault, begins: bool) {
    world.services[usize::from(at)].refuses = begins;
}

pub fn grants(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    let now = world.now;
    let s = &mut world.services[usize::from(at)];
    s.rate_limit = begins.then_some(fault.size);
    (s.granted, s.granted_at) = (fault.size, now);
}

pub fn memory(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    world.services[usize::from(at)].leak_mb_s = or(begins, fault.size / 60.0, 0.0);
}

pub fn recycle(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    world.services[usize::from(at)].recycle_at = begins.then_some(fault.size);
}

/// A new version goes out, one instance after the other; its end is the way back.
fn release(world: &mut World, at: u16, fault: &Fault, begins: bool, change: fn(&mut Effect, f64)) {
    let s = &mut world.services[usize::from(at)];
    let name = s.name.clone();
    if begins {
        let mut effect = Effect::none(&fault.by);
        change(&mut effect, fault.size);
        s.versions.push(effect);
        s.version = s.versions.len() as u16 - 1;
        world.note("deploy", &name, &format!("{name} {}", fault.by), &fault.by);
    } else {
        s.version = 0;
        let back = s.versions[0].version.clone();
        world.note("rollback", &name, &format!("{name} back to {back}"), &back);
    }
    world.roll(at);
}

pub fn release_slower(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    release(world, at, fault, begins, |e, size| e.work = size);
}

pub fn release_fails(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    release(world, at, fault, begins, |e, size| e.errors = size);
}

pub fn release_leaks(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    release(world, at, fault, begins, |e, size| e.leak_mb = size);
}

pub fn release_keeps(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    release(world, at, fault, begins, |e, size| e.leak_connections = size);
}

pub fn release_repeats(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    release(world, at, fault, begins, |e, size| e.repeats = size.clamp(1.0, 1000.0) as u16);
}

pub fn release_scans(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    release(world, at, fault, begins, |_, _| {});
    if !begins {
        return;
    }
    let s = &world.services[usize::from(at)];
    let pool = s.instances.first().and_then(|i| i.pools.first()).map(|p| p.database);
    let found = pool.and_then(|d| {
        let all = &world.databases[usize::from(d)].statements;
        all.iter().position(|s| s.name == fault.of)
    });
    if let Some(last) = world.services[usize::from(at)].versions.last_mut() {
        last.extra = found.map(|f| (f as u16, fault.size));
    }
}

pub fn host(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    let one = fault.of.parse::<usize>().ok();
    let all = world.services[usize::from(at)].instances.iter_mut().enumerate();
    let hit = all.filter(|(n, _)| one.is_none_or(|o| o == *n));
    hit.for_each(|(_, i)| i.slowed = or(begins, fault.size, 1.0));
}

pub fn process_ends(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    let there = world.living(at);
    if let Some(instance) = fault.of.parse().ok().filter(|i| begins && there.contains(i)) {
        world.restart(at, instance);
    }
}

pub fn probe_hangs(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    let Ok(instance) = fault.of.parse::<u16>() else { return };
    let s = &mut world.services[usize::from(at)];
    s.probe_hangs.retain(|i| *i != instance);
    if begins {
        s.probe_hangs.push(instance);
    }
}

/// Every edge between the two services of this one.
fn link(world: &mut World, at: u16, change: impl Fn(&mut crate::simulate::world::Edge)) {
    let (from, to) = (world.edges[usize::from(at)].from, world.edges[usize::from(at)].to);
    world.edges.iter_mut().filter(|e| e.from == from && e.to == to).for_each(change);
}

pub fn link_slower(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    let delay = (or(begins, fault.size, 0.0) * 1e6) as u64;
    link(world, at, |e| e.delay = delay);
}

pub fn link_loses(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    let loss = or(begins, fault.size, 0.0);
    link(world, at, |e| e.loss = loss);
}

pub fn handshake(world: &mut World, at: u16, _: &Fault, begins: bool) {
    world.edges.iter_mut().filter(|e| e.to == at).for_each(|e| e.handshake_fails = begins);
}

pub fn pool(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    let s = &mut world.services[usize::from(at)];
    let name = s.name.clone();
    let size = fault.size.max(1.0) as u32;
    for pool in 0..s.pools.len() {
        let usual = s.pools[pool].max;
        for i in &mut s.instances {
            i.pools[pool].station.servers = if begins { size } else { usual };
        }
    }
    if begins {
        world.note("config", &name, &format!("pool of {name} holds {size} connections"), "");
    }
}

pub fn scaled(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    let name = world.services[usize::from(at)].name.clone();
    let living = world.living(at);
    let wanted = fault.size.max(0.0) as usize;
    if begins {
        living.iter().skip(wanted).for_each(|i| world.remove_instance(at, *i));
        (living.len()..wanted).for_each(|_| {
            world.add_instance(at, false);
        });
        let text = format!("{name} scaled from {} to {wanted}", living.len());
        world.note("scale", &name, &text, "");
    } else {
        world.add_instance(at, false);
    }
}

pub fn starts_fail(world: &mut World, at: u16, _: &Fault, begins: bool) {
    world.services[usize::from(at)].stuck = begins;
}

pub fn export_stops(world: &mut World, at: u16, _: &Fault, begins: bool) {
    world.services[usize::from(at)].unscraped = begins;
}

pub fn users(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    world.sources[usize::from(at)].factor = or(begins, fault.size, 1.0);
}

pub fn one_key(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    let key = fault.of.parse().unwrap_or(0);
    world.sources[usize::from(at)].hot = begins.then_some((key, fault.size));
}

pub fn flushed(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    if begins {
        world.caches[usize::from(at)].keys.clear();
        if !fault.by.is_empty() {
            let name = world.caches[usize::from(at)].name.clone();
            world.note("config", &name, &fault.by, "");
        }
    }
}

pub fn cache_down(world: &mut World, at: u16, _: &Fault, begins: bool) {
    let c = &mut world.caches[usize::from(at)];
    c.down = begins;
    c.keys.clear();
}

pub fn removals_lost(world: &mut World, at: u16, _: &Fault, begins: bool) {
    world.caches[usize::from(at)].deaf = begins;
}

/// A session that belongs to no service; ends that of the same application, if the fault ends.
fn guest(world: &mut World, at: u16, fault: &Fault, begins: bool) -> Option<u32> {
    if begins {
        let backend = world.open_backend(at, &fault.by, None);
        let now = world.now;
        let b = world.backend(at, backend);
        b.user.clone_from(&fault.by);
        b.transaction = Some(now);
        b.state = Operation::Active;
        b.wait = Wait::None;
        return Some(backend);
    }
    let all = &world.databases[usize::from(at)].backends;
    let own = |b: &crate::simulate::world::Backend| {
        b.guest && b.application == fault.by && b.state != Operation::Closed
    };
    if let Some(found) = all.iter().position(own) {
        world.close_backend(at, found as u32);
    }
    None
}

fn relation(world: &World, at: u16, name: &str) -> Option<u16> {
    let all = &world.databases[usize::from(at)].relations;
    all.iter().position(|r| r.name == name).map(|at| at as u16)
}

pub fn report(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    let Some(backend) = guest(world, at, fault, begins) else { return };
    let hogs = fault.size.max(0.0) as u32;
    let b = world.backend(at, backend);
    b.query = format!(
        "SELECT date_trunc('week', p.created_at), avg(p.price), count(*) FROM {} p GROUP BY 1",
        fault.of
    );
    b.hogs = hogs;
    let d = &mut world.databases[usize::from(at)];
    d.hogs += hogs;
    d.cores.servers = d.all_cores - d.hogs.min(d.all_cores.saturating_sub(1));
    if let Some(relation) = relation(world, at, &fault.of) {
        world.take_relation(at, backend, relation, false);
    }
}

fn rows(world: &mut World, at: u16, backend: u32, fault: &Fault) {
    let Some(relation) = relation(world, at, &fault.of) else { return };
    world.take_relation(at, backend, relation, false);
    for key in 0..fault.size.max(1.0) as u32 {
        // One that somebody else holds at this moment is passed over.
        let taken = world.databases[usize::from(at)].rows.contains_key(&(relation, key));
        if !taken {
            world.take_row(at, backend, (relation, key));
        }
    }
}

pub fn sits(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    let Some(backend) = guest(world, at, fault, begins) else { return };
    rows(world, at, backend, fault);
    let b = world.backend(at, backend);
    b.state = Operation::InTransaction;
    b.wait = Wait::Client;
    b.query = format!("UPDATE {} SET checked = now() WHERE id = ANY($1)", fault.of);
}

pub fn writes(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    let Some(backend) = guest(world, at, fault, begins) else { return };
    rows(world, at, backend, fault);
    let b = world.backend(at, backend);
    b.query = format!("UPDATE {} SET price = round(price * 1.02, 2)", fault.of);
}

pub fn schema(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    let Some(backend) = guest(world, at, fault, begins) else { return };
    let text = format!("ALTER TABLE {} ADD COLUMN badge text", fault.of);
    let name = world.databases[usize::from(at)].name.clone();
    world.note("migration", &name, &text, "");
    let b = world.backend(at, backend);
    b.query = text;
    b.brief = true;
    let Some(relation) = relation(world, at, &fault.of) else { return };
    if world.take_relation(at, backend, relation, true) {
        world.close_backend(at, backend);
        world.replicate(at, relation);
    }
}

/// The primary has changed a relation; the standby's replay takes it for itself.
pub fn replay(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    if !begins {
        return;
    }
    let name = world.databases[usize::from(at)].name.clone();
    let text = format!("ALTER TABLE {} ADD COLUMN promo_badge text", fault.of);
    world.note("migration", &name, &text, "");
    if let Some(relation) = relation(world, at, &fault.of) {
        world.replay(at, relation);
    }
}

pub fn plan(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    let all = world.databases[usize::from(at)].statements.iter_mut();
    all.filter(|s| s.name == fault.of).for_each(|s| s.factor = or(begins, fault.size, 1.0));
}

pub fn disk(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    world.databases[usize::from(at)].disk = or(begins, fault.size, 1.0);
}

pub fn database_down(world: &mut World, at: u16, _: &Fault, begins: bool) {
    world.databases[usize::from(at)].down = begins;
    if begins {
        world.close_all(at);
    }
}

pub fn fails_over(world: &mut World, at: u16, _: &Fault, begins: bool) {
    if begins {
        world.databases[usize::from(at)].down = true;
        world.close_all(at);
        return;
    }
    world.promote(at);
    world.databases[usize::from(at)].down = false;
}

pub fn keeps(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    world.services[usize::from(at)].keeps_connections = or(begins, fault.size, 0.0);
}

pub fn login(world: &mut World, at: u16, _: &Fault, begins: bool) {
    world.databases[usize::from(at)].refuses_login = begins;
    if begins {
        world.close_all(at);
    }
}

pub fn poisoned(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    world.queues[usize::from(at)].poison = begins.then(|| fault.of.parse().unwrap_or(0));
}

pub fn names_slow(world: &mut World, _: u16, fault: &Fault, begins: bool) {
    if let Some((_, factor, _)) = &mut world.resolver {
        *factor = or(begins, fault.size, 1.0);
    }
}

pub fn names_down(world: &mut World, _: u16, _: &Fault, begins: bool) {
    if let Some((_, _, up)) = &mut world.resolver {
        *up = !begins;
    }
}

pub fn registry(world: &mut World, _: u16, _: &Fault, begins: bool) {
    world.registry_up = !begins;
}
