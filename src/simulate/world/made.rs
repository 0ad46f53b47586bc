//! Parts of a scenario become parts of a world: nothing has happened to them yet.

use super::NONE;
use super::build::{index, seconds};
use super::features::FeatureStore;
use super::parts::{
    CacheServer, Db, Effect, Partitions, Relation, ServiceState, Source, StatementOf, Topic,
};
use super::pooler::PoolerState;
use crate::error::Result;
use crate::simulate::draw::Draw;
use crate::simulate::scenario::{self, Scenario};
use crate::simulate::station::Station;
use hashbrown::HashMap;

pub fn service(s: &scenario::Service, scenario: &Scenario, seed: u64) -> ServiceState {
    ServiceState {
        name: s.name.clone(),
        external: s.external,
        shows_workers: s.shows_workers,
        workers: s.workers,
        room: s.queue,
        cores: s.cores,
        boot: seconds(s.boot_s),
        usd_per_month: s.usd_per_month,
        memory: s.memory,
        probe: s.probe,
        probe_program: None,
        probe_hangs: Vec::new(),
        autoscale: s.autoscale,
        pools: s.pool.clone(),
        instances: Vec::new(),
        turn: 0,
        versions: vec![Effect::none(&s.version)],
        version: 0,
        draw: Draw::of(&format!("service {}", s.name), seed),
        work: 1.0,
        errors: 0.0,
        keeps_connections: 0.0,
        kept_for: None,
        kept: HashMap::new(),
        hangs: false,
        refuses: false,
        other_order: 0.0,
        ahead_us: scenario.observe.clock_ahead_s.get(&s.name).map_or(0, |a| (a * 1e6) as i64),
        token_leeway_us: s.token_leeway_s.map(|l| (l * 1e6) as i64),
        features: s.features.as_ref().map(FeatureStore::new),
        rate_limit: None,
        granted: 0.0,
        granted_at: 0,
        shed: 0.0,
        unscraped: scenario.observe.unscraped.contains(&s.name),
        stuck: false,
        leak_mb_s: 0.0,
        recycle_at: None,
        luck: Draw::of(&format!("processes of {}", s.name), seed),
        calm: 0,
    }
}

/// The users of a source: a service that is not part of the system.
pub fn users_of(source: usize, seed: u64) -> ServiceState {
    let text = format!("name = \"users-{source}\"\nexternal = true\nboot_s = 0.0");
    let users: scenario::Service = toml::from_str(&text).expect("the text is complete");
    ServiceState { workers: NONE, cores: NONE, ..service(&users, &empty(), seed) }
}

/// A scenario with nothing in it, for what is not part of the system.
pub fn empty() -> Scenario {
    let text = "schema = 1\nid = \"\"\ntitle = \"\"\nstart = \"\"\nduration_s = 0.0\n\
                traffic = []\nservice = []\n[truth]\nverdict = \"healthy\"";
    toml::from_str(text).expect("the text is complete")
}

pub fn source(t: &scenario::Traffic, at: usize, users: usize, program: usize, seed: u64) -> Source {
    Source {
        program: program as u16,
        service: users as u16,
        rate: t.rate,
        curve: t.curve.iter().map(|[s, f]| (*s, *f)).collect(),
        keys: t.keys,
        client: t.client.clone(),
        addresses: t.addresses,
        seen: Default::default(),
        factor: 1.0,
        hot: None,
        draw: Draw::of(&format!("traffic {at}"), seed),
    }
}

pub fn databases(scenario: &Scenario, known: &[String], seed: u64) -> Result<Vec<Db>> {
    scenario.database.iter().map(|d| database(d, known, seed)).collect()
}

pub fn database(d: &scenario::Database, known: &[String], seed: u64) -> Result<Db> {
    let mut relations: Vec<Relation> = Vec::new();
    let mut statements = Vec::new();
    for s in &d.statement {
        let at = relations.iter().position(|r| r.name == s.relation).unwrap_or_else(|| {
            relations.push(Relation { name: s.relation.clone(), ..Relation::default() });
            relations.len() - 1
        });
        statements.push(StatementOf {
            name: s.name.clone(),
            sql: s.sql.clone(),
            mean_ns: s.ms * 1e6,
            relation: at as u16,
            lock: s.lock,
            buffers: s.buffers,
            factor: 1.0,
            calls: 0,
            total_s: 0.0,
            touched: 0.0,
        });
    }
    let primary = d.replica_of.as_ref().map(|p| index(known, p, "database")).transpose()?;
    Ok(Db {
        name: d.name.clone(),
        cores: Station::new(d.cores, None),
        all_cores: d.cores,
        hogs: 0,
        max_connections: d.max_connections,
        primary,
        cluster: d.cluster.clone(),
        timeline: 1,
        usd_per_month: d.usd_per_month,
        statements,
        relations,
        rows: HashMap::new(),
        backends: Vec::new(),
        closed: Vec::new(),
        statement_timeout: None,
        pooler: d.pooler.as_ref().map(PoolerState::new),
        lock_table: Station::new(1, None),
        lock_hold: 0,
        disk_mb: d.disk_mb,
        used_mb: 0.0,
        fills_mb_s: 0.0,
        down: false,
        refuses_login: false,
        disk: 1.0,
        replay_waits: None,
        commits: 0,
        rollbacks: 0,
        deadlocks: 0,
        read: 0.0,
        hog_s: 0.0,
        reading_s: 0.0,
        read_before_s: 0.0,
        spent_s: 0.0,
        scraped: 0,
        draw: Draw::of(&format!("database {}", d.name), seed),
    })
}

pub fn cache(c: &scenario::Cache, seed: u64) -> CacheServer {
    CacheServer {
        name: c.name.clone(),
        mean_ns: c.ms * 1e6,
        usd_per_month: c.usd_per_month,
        keys: HashMap::new(),
        flights: HashMap::new(),
        single_flight: false,
        edge: c.edge,
        down: false,
        deaf: false,
        hits: 0,
        misses: 0,
        commands: 0,
        expired: 0,
        draw: Draw::of(&format!("cache {}", c.name), seed),
    }
}

pub fn topic(q: &scenario::Queue) -> Topic {
    Topic {
        name: q.name.clone(),
        broker: q.broker.clone(),
        limit: q.limit,
        waiting: Default::default(),
        unacknowledged: 0,
        consumer: None,
        published: 0,
        delivered: 0,
        acknowledged: 0,
        redelivered: 0,
        dropped: 0,
        poison: None,
    }
}

pub fn store(s: &scenario::Store, seed: u64) -> Partitions {
    let one = Station::new(s.parallel, None);
    Partitions {
        name: s.name.clone(),
        mean_ns: s.ms * 1e6,
        usd_per_month: s.usd_per_month,
        partitions: vec![one; s.partitions as usize],
        commands: vec![0; s.partitions as usize],
        ways: 1,
        draw: Draw::of(&format!("store {}", s.name), seed),
    }
}
