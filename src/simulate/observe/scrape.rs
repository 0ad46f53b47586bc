//! One scrape of everything that exports metrics, with the names that real exporters use.

use super::Record;
use super::servers::{cache, database, partitions, pooler, queue};
use crate::simulate::station::SECOND;
use crate::simulate::world::{BOUND_WORDS, Meter, World, status};
use std::collections::BTreeMap;

const SERVICES: &str = "services";
const KUBE: &str = "kube";
/// What a process holds besides requests, in files.
const FILES: f64 = 24.0;
/// Share by which resident memory moves from scrape to scrape.
const ALLOCATOR: f64 = 0.02;

type Labels<'a> = Vec<(&'a str, &'a str)>;

/// Scrapes every target once.
pub fn scrape(world: &mut World) {
    let mut record = std::mem::replace(&mut world.record, Record::empty());
    record.scrapes.push(world.now);
    for service in 0..world.services.len() {
        let s = &world.services[service];
        if s.external || s.unscraped {
            continue;
        }
        for instance in 0..world.services[service].instances.len() {
            if world.services[service].instances[instance].removed {
                continue;
            }
            let lost = record.lost_scrapes;
            let lost = record.draw.hits(lost);
            let at = (service, instance);
            let i = &world.services[service].instances[instance];
            let alive = i.ready && !world.services[service].hangs && !lost;
            let job = world.services[service].name.clone();
            let name = i.name.clone();
            let own = [("instance", name.as_str()), ("job", job.as_str())];
            record.put(SERVICES, "up", &own, f64::from(u8::from(alive)));
            if alive {
                process(world, at, &own, &mut record);
                requests(world, at, &own, &mut record);
                stores(world, at, &own, &mut record);
                pools(world, at, &own, &mut record);
            }
        }
        features(world, service, &mut record);
        platform(world, service, &mut record);
    }
    addresses(world, &mut record);
    (0..world.databases.len()).for_each(|db| database(world, db, &mut record));
    (0..world.databases.len()).for_each(|db| pooler(world, db, &mut record));
    (0..world.caches.len()).for_each(|c| cache(world, c, &mut record));
    (0..world.stores.len()).for_each(|s| partitions(world, s, &mut record));
    (0..world.queues.len()).for_each(|q| queue(world, q, &mut record));
    world.record = record;
}

impl Record {
    /// Stands in while a scrape reads the world.
    fn empty() -> Record {
        Record {
            scrape_every: SECOND,
            snapshot_every: SECOND,
            trace_share: 0.0,
            lost_scrapes: 0.0,
            scrapes: Vec::new(),
            series: Vec::new(),
            index: Default::default(),
            line: String::new(),
            spans: Vec::new(),
            sessions: Vec::new(),
            statements: Vec::new(),
            draw: crate::simulate::draw::Draw::of("", 0),
        }
    }

    /// A histogram; without buckets where they are of no use.
    fn meter(&mut self, name: &str, labels: &Labels, m: &Meter, buckets: bool) {
        self.put(SERVICES, &format!("{name}_count"), labels, m.count as f64);
        self.put(SERVICES, &format!("{name}_sum"), labels, m.sum_s);
        if !buckets {
            return;
        }
        let mut below = 0;
        let bucket = format!("{name}_bucket");
        let mut labels = labels.clone();
        for (bound, n) in BOUND_WORDS.iter().zip(m.buckets) {
            below += n;
            labels.push(("le", bound));
            self.put(SERVICES, &bucket, &labels, below as f64);
            labels.pop();
        }
        labels.push(("le", "+Inf"));
        self.put(SERVICES, &bucket, &labels, m.count as f64);
    }
}

fn process(world: &mut World, at: (usize, usize), own: &[(&str, &str)], record: &mut Record) {
    let now = world.now;
    // The allocator takes and gives pages back: what is resident is never quite still.
    let breath = 1.0 + ALLOCATOR * (2.0 * record.draw.unit() - 1.0);
    let memory = world.memory_mb(at.0 as u16, at.1 as u16) * breath;
    let start = world.record_start_s() + world.seconds_from_zero(0);
    let s = &mut world.services[at.0];
    let version = {
        let i = &s.instances[at.1];
        s.versions[usize::from(i.version)].version.clone()
    };
    let (shows, limit) = (s.shows_workers, s.memory.limit_mb);
    let i = &mut s.instances[at.1];
    let cpu = i.cores.busy_s(now);
    let started = start + i.started as f64 / SECOND as f64;
    let pools: u32 = i.pools.iter().map(|p| p.station.busy).sum();
    record.put(SERVICES, "process_cpu_seconds_total", own, cpu);
    record.put(SERVICES, "process_resident_memory_bytes", own, (memory * 1e6).round());
    record.put(SERVICES, "process_memory_limit_bytes", own, limit * 1e6);
    record.put(SERVICES, "process_start_time_seconds", own, started);
    let files = FILES + f64::from(i.in_flight) + f64::from(pools);
    record.put(SERVICES, "process_open_fds", own, files);
    record.put(SERVICES, "http_server_active_requests", own, f64::from(i.in_flight));
    let mut info = own.to_vec();
    info.push(("version", &version));
    record.put(SERVICES, "app_build_info", &info, 1.0);
    if i.gc_s > 0.0 {
        record.put(SERVICES, "nodejs_gc_duration_seconds_sum", own, i.gc_s);
    }
    if shows {
        record.put(SERVICES, "worker_busy", own, f64::from(i.workers.busy));
        record.put(SERVICES, "worker_pool_size", own, f64::from(i.workers.servers));
        record.put(SERVICES, "worker_queue_length", own, i.workers.waiting() as f64);
        record.put(SERVICES, "worker_wait_seconds_total", own, i.workers.wait_s());
    }
}

/// The word for an answer that is no HTTP status, as HTTP clients name it.
pub fn error_word(answer: u16) -> Option<&'static str> {
    match answer {
        status::REFUSED => Some("ClientConnectorError"),
        status::TIMEOUT => Some("timeout"),
        status::NAME => Some("ClientConnectorDNSError"),
        status::OPEN => Some("CircuitOpenError"),
        status::HANDSHAKE => Some("ClientConnectorCertificateError"),
        status::UNKNOWN => Some("NoEndpointsError"),
        _ => None,
    }
}

fn requests(world: &World, at: (usize, usize), own: &[(&str, &str)], record: &mut Record) {
    let s = &world.services[at.0];
    let i = &s.instances[at.1];
    for ((program, code), meter) in &i.served {
        let p = &world.programs[usize::from(*program)];
        if matches!(p.purpose, crate::simulate::world::Purpose::Message(_)) {
            continue;
        }
        let (code, route) = (code.to_string(), format!("/{}/{{id}}", p.path));
        let mut labels = own.to_vec();
        labels.push(("http_request_method", &p.method));
        labels.push(("http_response_status_code", &code));
        labels.push(("http_route", &route));
        record.meter("http_server_request_duration_seconds", &labels, meter, true);
    }
    // Two routes that call the same one are one series: a client does not say for whom it calls.
    let mut called: BTreeMap<(u16, u16), Meter> = BTreeMap::new();
    for ((edge, answer), meter) in &i.called {
        let program = world.edges[usize::from(*edge)].program;
        called.entry((program, *answer)).or_default().merge(meter);
    }
    for ((program, answer), meter) in &called {
        let p = &world.programs[usize::from(*program)];
        let callee = &world.services[usize::from(p.service)].name;
        let code = answer.to_string();
        let mut labels = own.to_vec();
        match error_word(*answer) {
            Some(word) => labels.push(("error_type", word)),
            None => {
                if *answer >= 400 {
                    labels.push(("error_type", &code));
                }
                labels.push(("http_response_status_code", &code));
            }
        }
        let route = format!("/{}", p.name);
        labels.push(("server_address", callee));
        labels.push(("url_template", &route));
        record.meter("http_client_request_duration_seconds", &labels, meter, false);
    }
    for ((source, status), n) in &i.clients {
        let code = status.to_string();
        let mut labels = own.to_vec();
        labels.push(("http_response_status_code", &code));
        labels.push(("tenant", &world.sources[usize::from(*source)].client));
        record.put(SERVICES, "api_requests_total", &labels, *n as f64);
    }
    let mut retries: BTreeMap<u16, u64> = BTreeMap::new();
    for (edge, n) in &i.retries {
        *retries.entry(world.edges[usize::from(*edge)].to).or_default() += n;
    }
    for (callee, n) in retries {
        let mut labels = own.to_vec();
        labels.push(("server_address", &world.services[usize::from(callee)].name));
        record.put(SERVICES, "http_client_retries_total", &labels, n as f64);
    }
    if i.fallbacks > 0 {
        record.put(SERVICES, "fallback_total", own, i.fallbacks as f64);
    }
    if i.lookups.count > 0 {
        record.meter("dns_lookup_duration_seconds", &own.to_vec(), &i.lookups, false);
    }
}

fn stores(world: &World, at: (usize, usize), own: &[(&str, &str)], record: &mut Record) {
    let i = &world.services[at.0].instances[at.1];
    for ((cache, hit), n) in &i.looked {
        let mut labels = own.to_vec();
        labels.push(("cache", &world.caches[usize::from(*cache)].name));
        labels.push(("result", if *hit == 1 { "hit" } else { "miss" }));
        record.put(SERVICES, "cache_requests_total", &labels, *n as f64);
    }
    for ((store, place), meter) in &i.partitions {
        let store = &world.stores[usize::from(*store)];
        let name = format!("{}-{place}", store.name);
        let mut labels = own.to_vec();
        labels.push(("partition", &name));
        record.meter("partition_request_duration_seconds", &labels, meter, false);
        let waiting = store.partitions[usize::from(*place)].waiting() as f64;
        record.put(SERVICES, "partition_queue_length", &labels, waiting);
    }
    for ((store, place), n) in &i.partition_timeouts {
        let name = format!("{}-{place}", world.stores[usize::from(*store)].name);
        let mut labels = own.to_vec();
        labels.push(("partition", &name));
        record.put(SERVICES, "partition_timeouts_total", &labels, *n as f64);
    }
    for (queue, meter) in &i.sent {
        let mut labels = own.to_vec();
        labels.push(("messaging_destination_name", &world.queues[usize::from(*queue)].name));
        labels.push(("messaging_operation_name", "send"));
        record.meter("messaging_client_operation_duration_seconds", &labels, meter, false);
    }
    for ((queue, good), meter) in &i.done {
        let mut labels = own.to_vec();
        if *good == 0 {
            labels.push(("error_type", "rejected"));
        }
        labels.push(("messaging_destination_name", &world.queues[usize::from(*queue)].name));
        record.meter("messaging_process_duration_seconds", &labels, meter, false);
    }
}

fn pools(world: &World, at: (usize, usize), own: &[(&str, &str)], record: &mut Record) {
    let s = &world.services[at.0];
    for pool in &s.instances[at.1].pools {
        let database = &world.databases[usize::from(pool.database)].name;
        let name = format!("{}-{database}", s.name);
        let mut labels = own.to_vec();
        labels.push(("db_client_connection_pool_name", &name));
        let busy = f64::from(pool.station.busy);
        for (state, n) in [("idle", pool.idle.len() as f64), ("used", busy)] {
            let mut labels = labels.clone();
            labels.push(("db_client_connection_state", state));
            record.put(SERVICES, "db_client_connection_count", &labels, n);
        }
        let waiting = pool.station.waiting() as f64;
        let rows = [
            ("db_client_connection_max", f64::from(pool.station.servers)),
            ("db_client_connection_pending_requests", waiting),
            ("db_client_connection_requests_total", pool.requests as f64),
            ("db_client_connection_timeouts_total", pool.timeouts as f64),
            ("db_client_connection_use_time_seconds_total", pool.use_s),
            ("db_client_connection_wait_time_seconds_total", pool.wait_s),
        ];
        rows.iter().for_each(|(name, value)| record.put(SERVICES, name, &labels, *value));
    }
}

/// Features that a model asked for since the last scrape.
fn features(world: &mut World, service: usize, record: &mut Record) {
    let now = world.now;
    let s = &mut world.services[service];
    let (name, first) = (s.name.clone(), s.instances.first().map(|i| i.name.clone()));
    let (Some(f), Some(instance)) = (s.features.as_mut(), first) else { return };
    let own = [("instance", instance.as_str()), ("job", name.as_str())];
    let asked = std::mem::take(&mut f.asked);
    let (defaults, clicked) = (std::mem::take(&mut f.defaults), std::mem::take(&mut f.clicked));
    let mut labels = own.to_vec();
    labels.push(("feature_view", &f.view));
    record.put(SERVICES, "feature_freshness_seconds", &labels, f.age_s(now));
    if asked > 0.0 {
        let four = |share: f64| (share * 1e4).round() / 1e4;
        record.put(SERVICES, "feature_default_ratio", &own, four(defaults / asked));
        record.put(SERVICES, "recommendation_ctr", &own, four(clicked / asked));
    }
}

/// How many addresses each entry saw since the last scrape.
fn addresses(world: &mut World, record: &mut Record) {
    let mut seen: BTreeMap<u16, usize> = BTreeMap::new();
    for at in 0..world.sources.len() {
        let source = &mut world.sources[at];
        if source.addresses > 0 {
            let n = source.seen.len();
            source.seen.clear();
            let from = source.service;
            let to = world.edges.iter().find(|e| e.from == from).map(|e| e.to);
            *seen.entry(to.unwrap_or(from)).or_default() += n;
        }
    }
    for (service, n) in seen {
        let s = &world.services[usize::from(service)];
        let instance = s.instances.first().map_or(s.name.as_str(), |i| i.name.as_str());
        let own = [("instance", instance), ("job", s.name.as_str())];
        record.put(SERVICES, "edge_unique_client_ips", &own, n as f64);
    }
}

/// What the platform knows of a service: replicas, restarts, the autoscaler.
fn platform(world: &World, service: usize, record: &mut Record) {
    let s = &world.services[service];
    let own = [
        ("instance", "kube-state-metrics-0"),
        ("job", "kube-state-metrics"),
        ("namespace", "main"),
    ];
    let living = s.instances.iter().filter(|i| !i.removed);
    let (all, good) = (living.clone().count(), living.clone().filter(|i| i.ready && i.in_target));
    let good = good.count();
    let mut labels = own.to_vec();
    labels.push(("deployment", &s.name));
    let rows = [
        ("kube_deployment_spec_replicas", all),
        ("kube_deployment_status_replicas_available", good),
        ("kube_deployment_status_replicas_unavailable", all - good),
    ];
    rows.iter().for_each(|(name, n)| record.put(KUBE, name, &labels, *n as f64));
    for i in living {
        let mut labels = own.to_vec();
        labels.push(("container", &s.name));
        labels.push(("pod", &i.name));
        let name = "kube_pod_container_status_restarts_total";
        record.put(KUBE, name, &labels, f64::from(i.restarts));
        if i.killed_for_memory > 0 {
            labels.push(("reason", "OOMKilled"));
            let name = "kube_pod_container_status_last_terminated_reason";
            record.put(KUBE, name, &labels, 1.0);
        }
    }
    if let Some(scale) = s.autoscale {
        let mut labels = own.to_vec();
        labels.push(("horizontalpodautoscaler", &s.name));
        labels.push(("scaletargetref_kind", "Deployment"));
        labels.push(("scaletargetref_name", &s.name));
        let name = "kube_horizontalpodautoscaler_spec_max_replicas";
        record.put(KUBE, name, &labels, f64::from(scale.max));
        let name = "kube_horizontalpodautoscaler_status_current_replicas";
        record.put(KUBE, name, &labels, all as f64);
    }
}
