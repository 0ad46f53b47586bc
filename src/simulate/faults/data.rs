//! Faults of what stands around a database, of clocks and of data.

use crate::simulate::scenario::Fault;
use crate::simulate::world::World;

pub fn pooler(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    let d = &mut world.databases[usize::from(at)];
    let Some(pooler) = d.pooler.as_mut() else { return };
    let usual = pooler.usual;
    let size = if begins { fault.size.max(1.0) as u32 } else { usual };
    pooler.station.servers = size;
    let name = pooler.name.clone();
    if begins {
        let text = format!("default_pool_size of {name}: {usual} to {size}");
        world.note("config", &name, &text, "");
    }
}

pub fn lock_table(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    let hold = if begins { fault.size.max(0.0) * 1e6 } else { 0.0 };
    world.databases[usize::from(at)].lock_hold = hold as u64;
}

pub fn other_order(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    world.services[usize::from(at)].other_order = if begins { fault.size } else { 0.0 };
    let name = world.services[usize::from(at)].name.clone();
    if begins && !fault.by.is_empty() {
        world.note("deploy", &name, &format!("{name} {}", fault.by), &fault.by);
    }
}

pub fn clock(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    let by = (fault.size * 1e6) as i64;
    world.services[usize::from(at)].ahead_us += if begins { by } else { -by };
}

pub fn takes_over(world: &mut World, at: u16, _: &Fault, begins: bool) {
    world.split(at, begins);
}

pub fn pipeline(world: &mut World, at: u16, _: &Fault, begins: bool) {
    if let Some(features) = world.services[usize::from(at)].features.as_mut() {
        features.stopped = begins;
    }
}

pub fn volume(world: &mut World, at: u16, fault: &Fault, begins: bool) {
    let d = &mut world.databases[usize::from(at)];
    d.fills_mb_s = if begins { fault.size } else { 0.0 };
    if !begins {
        d.used_mb = 0.0;
    }
}
