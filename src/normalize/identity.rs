//! Who a series, a span or a session is about. In: labels and addresses. Out: entities of the
//! graph, one per thing, however many names it has.

use super::columns::Columns;
use crate::graph::{EdgeKind, EdgeSource, Graph};
use crate::ingest::raw::{Raw, RawSeries};
use crate::ingest::{Component, component, workload};
use crate::model::{EntityId, EntityKind, Gap, GapKind, Subject};
use crate::signals::{Exporter, SignalTable, View};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Words in a name that say what kind of store it is.
const KIND_WORDS: [(EntityKind, &[&str]); 3] = [
    (EntityKind::Cache, &["redis", "cache", "memcached", "valkey", "elasticache"]),
    (EntityKind::Queue, &["kafka", "rabbitmq", "sqs", "nats", "queue", "pulsar", "amqp"]),
    (
        EntityKind::Database,
        &[
            "postgres",
            "postgresql",
            "mysql",
            "mariadb",
            "mongo",
            "mongodb",
            "db",
            "database",
            "rds",
            "dynamodb",
            "cassandra",
            "sql",
            "pg",
            "aurora",
            "oracle",
        ],
    ),
];

/// The kind that a name suggests; `fallback` when it suggests none.
pub fn kind_by_name(name: &str, fallback: EntityKind) -> EntityKind {
    let words = crate::signals::words(name);
    let hit = |known: &[&str]| words.iter().any(|w| known.contains(&w.as_str()));
    if let Some((kind, _)) = KIND_WORDS.iter().find(|(_, known)| hit(known)) {
        return *kind;
    }
    let lower = name.to_lowercase();
    if lower.ends_with("db") && words.len() == 1 { EntityKind::Database } else { fallback }
}

/// Says whether a name is an address: `host:port` of a bare IP or of localhost.
pub fn is_address(name: &str) -> bool {
    let host = name
        .rsplit_once(':')
        .map_or(name, |(h, p)| if p.bytes().all(|b| b.is_ascii_digit()) { h } else { name });
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok()
}

/// The name that an address of a managed service or of a cluster's DNS begins with, or that the
/// identifier of a load balancer (`app/name/id`) holds.
fn short_name(host: &str) -> Option<&str> {
    let mut parts = host.split('/');
    if let (Some("app" | "net" | "targetgroup"), Some(name), Some(_)) =
        (parts.next(), parts.next(), parts.next())
    {
        return Some(name);
    }
    let first = host.split('.').next()?;
    let stores = [".rds.amazonaws.com", ".cache.amazonaws.com"];
    let cluster = host.ends_with(".svc") || host.contains(".svc.");
    (cluster || stores.iter().any(|s| host.ends_with(s))).then_some(first)
}

/// The host of a probed address; any other name as it is.
fn host_of(name: &str) -> &str {
    let Some((_, rest)) = name.split_once("://") else { return name };
    let host = rest.split(['/', '?']).next().unwrap_or(rest);
    let host = host.rsplit_once('@').map_or(host, |(_, h)| h);
    let known = host.split_once(':').map_or(host, |(h, _)| h);
    if is_address(host) { host } else { short_name(known).unwrap_or(known) }
}

/// What a series is about.
#[derive(Clone, Copy, Debug)]
pub struct About {
    pub subject: Subject,
    pub instance: Option<EntityId>,
    pub member: Option<EntityId>,
}

/// Resolves names to entities of one graph.
pub struct Resolver<'a> {
    pub graph: Graph,
    pub table: &'a SignalTable,
    pub gaps: Vec<Gap>,
    /// Workloads of a mesh that report the requests they get themselves.
    reported: BTreeSet<String>,
    columns: Columns,
}

/// Names that an address is said to have, by address.
fn addresses(all: &[RawSeries]) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for series in all {
        let (server, instance) = (series.labels.get("server"), series.labels.get("instance"));
        if let (Some(server), Some(instance)) = (server, instance)
            && is_address(server)
            && !is_address(instance)
        {
            found.entry(server.clone()).or_default().insert(instance.clone());
        }
    }
    found
}

/// Warns of names that stand for more than one address: two servers may be taken for one.
fn several_addresses(addresses: &BTreeMap<String, BTreeSet<String>>) -> Vec<Gap> {
    let mut of_name: BTreeMap<&str, BTreeMap<String, &str>> = BTreeMap::new();
    for (address, names) in addresses {
        // One loopback address in its several spellings is one.
        let one =
            ["127.0.0.1", "[::1]"].iter().fold(address.clone(), |a, l| match a.strip_prefix(l) {
                Some(port) => format!("localhost{port}"),
                None => a,
            });
        for name in names {
            of_name.entry(name).or_default().insert(one.clone(), address);
        }
    }
    let several = of_name.into_iter().filter(|(_, all)| all.len() > 1);
    let warn = |(name, all): (&str, BTreeMap<String, &str>)| {
        let all: Vec<&str> = all.into_values().collect();
        let what = format!(
            "{name} has the addresses {}: taken as one (if they are two servers, name each in \
             topology.toml)",
            all.join(", ")
        );
        Gap::new(GapKind::Doubtful, what)
    };
    several.map(warn).collect()
}

/// Says whether the proxy of a call's `side` (`source`, `destination`) measured a mesh's series.
fn is_reported_by(series: &RawSeries, side: &str) -> bool {
    series.labels.get("reporter").is_some_and(|r| r == side)
}

/// The workload that a mesh's series says is called.
fn called(series: &RawSeries) -> Option<&str> {
    series.labels.get("destination_workload").map(String::as_str).filter(|w| *w != "unknown")
}

impl<'a> Resolver<'a> {
    /// Starts with the user's aliases and kinds, and the addresses that exporters give away.
    pub fn new(raw: &Raw, table: &'a SignalTable) -> Self {
        let mut graph = Graph::default();
        for (from, to) in &raw.aliases {
            graph.alias(from, to);
        }
        let addresses = addresses(&raw.series);
        let mut gaps = several_addresses(&addresses);
        for (from, names) in &addresses {
            let mut each = names.iter();
            match (each.next(), each.next()) {
                (Some(to), None) => graph.alias(from, to),
                _ if raw.aliases.contains_key(from) => {}
                _ => {
                    let names: Vec<&str> = names.iter().map(String::as_str).collect();
                    let names = names.join(", ");
                    let what = format!("address {from} is that of {names}: taken as none of them");
                    gaps.push(Gap::new(GapKind::Doubtful, what));
                }
            }
        }
        let reported = raw.series.iter().filter(|s| is_reported_by(s, "destination"));
        let reported = reported.filter_map(called).map(str::to_owned).collect();
        let named = raw.series.par_iter().filter(|s| s.query.is_none() && s.labels.is_empty());
        let columns = Columns::of(table, named.map(|s| s.name.as_str()));
        let mut resolver = Resolver { graph, table, gaps, reported, columns };
        for (name, kind) in &raw.kinds {
            let id = resolver.graph.top(*kind, name);
            resolver.graph.set_kind(id, *kind);
        }
        resolver
    }

    /// First label of a part (`service`, `instance`, …) that a series has, by the table's order.
    pub fn label<'s>(&self, series: &'s RawSeries, part: &str) -> Option<&'s str> {
        let get = |name: &String| {
            let exact = series.labels.get(name);
            let folded = || {
                let same = |(k, _): &(&String, &String)| k.eq_ignore_ascii_case(name);
                series.labels.iter().find(same).map(|(_, v)| v)
            };
            exact.or_else(folded).filter(|v| !v.trim().is_empty())
        };
        self.table.label_names(part).iter().find_map(get).map(String::as_str)
    }

    /// The service, database, cache or host that a series' labels name.
    pub fn labelled(&mut self, series: &RawSeries) -> Option<(EntityId, Option<EntityId>)> {
        // A service label says more than an exporter's prefix or an instance that it is known by.
        let told = self.label(series, "service").is_some() && !self.only_job(series);
        let exporter = self.table.exporters.iter().find(|e| series.name.starts_with(&e.prefix));
        let orchestrated = exporter.filter(|e| e.kind == EntityKind::Service);
        if let Some(found) = orchestrated.and_then(|e| self.orchestrated(series, e)) {
            return Some(found);
        }
        if let Some(exporter) = exporter.filter(|e| !told && e.kind != EntityKind::Service) {
            let values: Vec<&str> = exporter
                .name_labels
                .iter()
                .filter_map(|l| series.labels.get(l))
                .map(String::as_str)
                .filter(|v| !v.is_empty())
                .collect();
            let named = values.iter().find(|v| !is_address(v)).or(values.first());
            if let Some(name) = named {
                let id = self.graph.top(exporter.kind, name);
                let ground = exporter.runs_on.as_ref().and_then(|l| series.labels.get(l));
                if let Some(ground) = ground.filter(|g| !g.is_empty() && !is_address(g)) {
                    let ground = self.graph.top(exporter.kind, ground);
                    self.graph.connect(id, ground, EdgeKind::RunsOn, EdgeSource::Labels);
                }
                return Some((id, None));
            }
        }
        let service = self.label(series, "service").map(str::to_owned);
        let instance = self.label(series, "instance").map(str::to_owned);
        // The instance is a store or a host that an exporter made known: the job is its exporter.
        let store = instance.as_deref().filter(|_| !told).and_then(|i| self.graph.find(i));
        if let Some(id) = store.filter(|id| {
            let kind = self.graph.entity(*id).kind;
            !matches!(kind, EntityKind::Service | EntityKind::Instance | EntityKind::External)
        }) {
            return Some((id, None));
        }
        let host = self.label(series, "host").map(str::to_owned);
        match (service, instance, host) {
            (Some(service), instance, _) => {
                let stored = self.stored(series);
                let known = self.graph.find(&service).is_some();
                // A mesh names the port of a service that traces know without it.
                let port = ["-grpc", "-http"].iter().find_map(|p| service.strip_suffix(p));
                let port = port.filter(|name| self.graph.find(name).is_some());
                let short = short_name(&service).or(port).filter(|_| !known).unwrap_or(&service);
                let kind = stored.unwrap_or_else(|| kind_by_name(short, EntityKind::Service));
                let id = self.graph.top(kind, short);
                let instance = instance.filter(|i| *i != service);
                let part = instance.map(|i| self.graph.part(EntityKind::Instance, &i, id));
                Some((id, part))
            }
            (None, Some(instance), _) => {
                Some((self.graph.top(EntityKind::Instance, &instance), None))
            }
            (None, None, Some(host)) => Some((self.graph.top(EntityKind::Host, &host), None)),
            (None, None, None) => self.component(series),
        }
    }

    /// What the component's id of a series names.
    fn component(&mut self, series: &RawSeries) -> Option<(EntityId, Option<EntityId>)> {
        let id = self.label(series, "component")?.to_owned();
        match component(&id) {
            Component::Host(name) => Some((self.graph.top(EntityKind::Host, name), None)),
            Component::Whole(name) => {
                Some((self.graph.top(kind_by_name(name, EntityKind::Service), name), None))
            }
            Component::Instance(name, instance) => {
                let kind = kind_by_name(name, EntityKind::Service);
                let service = self.graph.top(kind, name);
                Some((service, Some(self.graph.part(EntityKind::Instance, instance, service))))
            }
        }
    }

    /// The service that an orchestrator's or a mesh's series is about, whatever scrape labels say.
    fn orchestrated(
        &mut self,
        series: &RawSeries,
        exporter: &Exporter,
    ) -> Option<(EntityId, Option<EntityId>)> {
        // Where scrape labels had the same names, the exporter's own are called `exported_…`.
        let get = |l: &String| {
            let own = series.labels.get(&format!("exported_{l}"));
            own.or_else(|| series.labels.get(l)).map(String::as_str)
        };
        let real = |v: &&str| !["", "POD", "unknown"].contains(v);
        let parts = exporter.instance_labels.iter();
        let part = parts.clone().find_map(|l| get(l).filter(real));
        let podded = parts.clone().any(|l| l.starts_with("pod"));
        let label = exporter.name_labels.iter().find(|l| get(l).is_some_and(|v| real(&v)))?;
        let named = host_of(workload(get(label)?, label));
        // A container called `server` or `istio-proxy` says less than the workload of its pod.
        let pod = part.filter(|_| podded).map(|p| workload(p, "pod"));
        let name = pod.filter(|p| !p.contains(named) && !named.contains(p)).unwrap_or(named);
        let id = self.graph.top(kind_by_name(name, exporter.kind), name);
        let part = part.filter(|p| *p != name);
        Some((id, part.map(|p| self.graph.part(EntityKind::Instance, p, id))))
    }

    /// Says whether a mesh's series repeats what its callee reports: the caller's side measured the
    /// same requests, and does not say who called.
    pub fn is_told_by_callee(&self, series: &RawSeries) -> bool {
        let caller = self.label(series, "caller").filter(|c| *c != "unknown");
        let callee = called(series).filter(|_| is_reported_by(series, "source"));
        caller.is_none() && callee.is_some_and(|c| self.reported.contains(c))
    }

    /// Caller and callee of a mesh's metric that the caller's side reports.
    fn mesh_call(&mut self, series: &RawSeries) -> Option<Subject> {
        let source = is_reported_by(series, "source");
        let caller = self.label(series, "caller").filter(|c| source && *c != "unknown")?.to_owned();
        let (callee, _) = self.labelled(series)?;
        let caller = self.peer(&caller, EntityKind::Service);
        (caller != callee).then_some(Subject::Edge(caller, callee))
    }

    /// The kind of store that a managed service's dimension stands for.
    fn stored(&self, series: &RawSeries) -> Option<EntityKind> {
        let named = self.label(series, "service")?;
        let kinds = [
            ("database", EntityKind::Database),
            ("cache", EntityKind::Cache),
            ("queue", EntityKind::Queue),
        ];
        kinds.into_iter().find(|(part, _)| self.label(series, part) == Some(named)).map(|k| k.1)
    }

    /// The only service label is Prometheus' `job`, which names the scrape, not always the service.
    fn only_job(&self, series: &RawSeries) -> bool {
        let names = self.table.label_names("service");
        !names.iter().any(|n| n != "job" && series.labels.keys().any(|k| k.eq_ignore_ascii_case(n)))
    }

    /// The entity behind a peer's name: an alias, a known name without port or cluster suffix.
    pub fn peer(&mut self, name: &str, kind: EntityKind) -> EntityId {
        if let Some(id) = self.graph.find(name) {
            return self.graph.top(kind, &self.graph.entity(id).name.clone());
        }
        // Envoy's clusters: `outbound|8080||cart.shop.svc.cluster.local`.
        let name = name.rsplit('|').next().unwrap_or(name);
        let host = name.split_once(':').map_or(name, |(h, _)| h);
        let short = host.split('.').next().unwrap_or(host);
        let cluster = host.ends_with(".local") || short_name(host).is_some();
        let known = [host, short].into_iter().find(|n| self.graph.find(n).is_some());
        match known {
            Some(n) if !is_address(name) && (n == host || cluster) => {
                let n = n.to_owned();
                self.graph.top(kind, &n)
            }
            _ if is_address(name) => self.graph.top(kind, name),
            _ => self.graph.top(kind, short_name(host).unwrap_or(host)),
        }
    }

    /// What a series is about, from its labels, its name or its file; `None` if nothing says.
    pub fn about(&mut self, series: &RawSeries, view: View) -> Option<About> {
        if let Some(subject) = self.mesh_call(series) {
            return Some(About { subject, instance: None, member: None });
        }
        let caller = self.label(series, "caller").map(str::to_owned);
        let callee = self.label(series, "callee").map(str::to_owned);
        let owner = self.labelled(series);
        let from = match (&caller, owner) {
            (Some(c), None) => Some((self.peer(c, EntityKind::Service), None)),
            (Some(c), Some(_)) if callee.is_some() => {
                Some((self.peer(c, EntityKind::Service), None))
            }
            (_, owner) => owner,
        };
        let (entity, instance) = from?;
        let edge = callee.filter(|_| view == View::Client || caller.is_some());
        let subject = match edge {
            Some(callee) => {
                let kind = kind_by_name(&callee, EntityKind::External);
                Subject::Edge(entity, self.peer(&callee, kind))
            }
            None => Subject::Entity(entity),
        };
        let member = self.label(series, "member").map(str::to_owned);
        let member = member.map(|m| self.graph.part(EntityKind::Partition, &m, entity));
        let member = member.or_else(|| self.client(series, subject, view));
        Some(About { subject, instance, member })
    }

    /// The tenant or key on whose behalf the requests of a server's series came: a caller of it.
    fn client(&mut self, series: &RawSeries, subject: Subject, view: View) -> Option<EntityId> {
        let Subject::Entity(service) = subject else { return None };
        let name = self.label(series, "tenant").filter(|_| view == View::Server)?.to_owned();
        let id = self.graph.part(EntityKind::Client, &name, service);
        self.graph.connect(id, service, EdgeKind::Calls, EdgeSource::Labels);
        Some(id)
    }

    /// Splits `<entity>_<metric>`, the name of a wide table's column.
    pub fn split_name<'n>(&self, name: &'n str) -> Option<(&'n str, &'n str)> {
        self.columns.split(self.table, name)
    }

    /// The database a session file is about: its own name, or the one known store whose name
    /// contains the file's words.
    pub fn server(&mut self, name: &str, file: &str) -> EntityId {
        if let Some(id) = self.graph.find(name) {
            return self.graph.top(EntityKind::Database, &self.graph.entity(id).name.clone());
        }
        let stores: Vec<EntityId> = self
            .graph
            .ids()
            .filter(|id| self.graph.entity(*id).kind == EntityKind::Database)
            .collect();
        let words = crate::signals::words(name);
        let matching: Vec<EntityId> = stores
            .iter()
            .copied()
            .filter(|id| {
                let own = crate::signals::words(&self.graph.entity(*id).name);
                words.iter().all(|w| own.contains(w)) || name == "postgres" && stores.len() == 1
            })
            .collect();
        if let [only] = matching[..] {
            let known = self.graph.entity(only).name.clone();
            let what = format!("sessions of \"{name}\" are taken to be those of {known}");
            self.gaps.push(Gap::at(GapKind::Inferred, file, None, what));
            self.graph.alias(name, &known);
            return only;
        }
        self.graph.top(EntityKind::Database, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_from_names_and_services_stay_services() {
        let kind = |n| kind_by_name(n, EntityKind::Service);
        assert_eq!(kind("pg-replica"), EntityKind::Database);
        assert_eq!(kind("productdb"), EntityKind::Database);
        assert_eq!(kind("redis-cache"), EntityKind::Cache);
        assert_eq!(kind("checkout"), EntityKind::Service);
    }

    fn subject_of(name: &str, labels: &[(&str, &str)]) -> (String, String) {
        let table = SignalTable::built_in().expect("valid");
        let mut r = Resolver::new(&Raw::default(), table);
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let series = RawSeries { name: name.into(), labels, ..RawSeries::default() };
        let about = r.about(&series, View::Internal).expect("labels name it");
        let shown = |e: EntityId| r.graph.entity(e).name.clone();
        let subject = match about.subject {
            Subject::Entity(e) => shown(e),
            Subject::Edge(a, b) => format!("{} -> {}", shown(a), shown(b)),
        };
        (subject, about.instance.map(shown).unwrap_or_default())
    }

    #[test]
    fn kubernetes_series_are_about_the_workload_not_the_scrape() {
        let pod = ("pod", "payment-6c9f-abc");
        let payment = ("payment".to_owned(), "payment-6c9f-abc".to_owned());
        let cadvisor = "container_cpu_usage_seconds_total";
        let stack = [("service", "kps-kubelet"), ("job", "kubelet"), ("container", "payment"), pod];
        assert_eq!(subject_of(cadvisor, &stack), payment);
        let plain = [("job", "kubernetes-cadvisor"), ("container", "server"), pod];
        assert_eq!(subject_of(cadvisor, &plain), payment);
        let network = [("job", "kubelet"), ("container", "POD"), pod];
        assert_eq!(subject_of("container_network_receive_bytes_total", &network), payment);
        let state = [
            ("service", "kps-kube-state-metrics"),
            ("container", "kube-state-metrics"),
            ("pod", "kps-kube-state-metrics-5d9f8c7b6d-x2v4z"),
        ];
        let own = [("exported_container", "payment"), ("exported_pod", "payment-6c9f-abc")];
        let restarts = "kube_pod_container_status_restarts_total";
        assert_eq!(subject_of(restarts, &[&state[..], &own].concat()), payment);
        let ready = "kube_deployment_status_replicas_available";
        let deployed = [&state[..], &[("deployment", "payment")]].concat();
        assert_eq!(subject_of(ready, &deployed).0, "payment");
    }

    #[test]
    fn pod_names_lose_their_random_parts() {
        assert_eq!(workload("cart-service-7d9f8b6c5-x2v4z", "pod"), "cart-service");
        assert_eq!(workload("postgres-0", "pod"), "postgres");
        assert_eq!(workload("node-agent-k7x2p", "pod"), "node-agent");
        assert_eq!(workload("front-end", "pod"), "front-end");
        assert_eq!(workload("payment-7d9f8b6c5", "replicaset"), "payment");
    }

    #[test]
    fn a_mesh_reports_servers_and_calls() {
        let both = [("source_workload", "web"), ("destination_workload", "cart"), ("app", "web")];
        let at = |reporter| [&both[..], &[("reporter", reporter)]].concat();
        assert_eq!(subject_of("istio_requests_total", &at("destination")).0, "cart");
        assert_eq!(subject_of("istio_requests_total", &at("source")).0, "web -> cart");
    }

    #[test]
    fn a_call_from_nobody_known_is_not_counted_beside_the_callees_own_report() {
        let of = |reporter: &str, source: &str, callee: &str| RawSeries {
            name: "istio_requests_total".into(),
            labels: [
                ("reporter", reporter),
                ("source_workload", source),
                ("destination_workload", callee),
            ]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
            ..RawSeries::default()
        };
        let table = SignalTable::built_in().expect("valid");
        let mut raw = Raw::default();
        raw.series = vec![of("destination", "unknown", "cart")];
        let r = Resolver::new(&raw, table);
        assert!(r.is_told_by_callee(&of("source", "unknown", "cart")));
        assert!(!r.is_told_by_callee(&of("source", "web", "cart")));
        assert!(!r.is_told_by_callee(&of("destination", "unknown", "cart")));
        // Nobody else tells of a callee outside the mesh.
        assert!(!r.is_told_by_callee(&of("source", "unknown", "bank")));
    }

    #[test]
    fn a_name_with_two_addresses_is_doubtful() {
        let warned = |servers: &[&str]| {
            let all: Vec<RawSeries> = servers
                .iter()
                .map(|server| RawSeries {
                    labels: [("server", *server), ("instance", "pg-main")]
                        .map(|(k, v)| (k.to_owned(), v.to_owned()))
                        .into(),
                    ..RawSeries::default()
                })
                .collect();
            several_addresses(&addresses(&all)).into_iter().map(|g| g.what).collect::<Vec<_>>()
        };
        let two = warned(&["10.0.0.1:5432", "10.0.0.2:5432"]);
        assert!(two[0].starts_with("pg-main has the addresses 10.0.0.1:5432, 10.0.0.2"), "{two:?}");
        assert_eq!(warned(&["localhost:5432", "127.0.0.1:5432"]), Vec::<String>::new());
        assert_eq!(warned(&["10.0.0.1:5432"]), Vec::<String>::new());
    }

    #[test]
    fn tenants_are_clients_of_the_service_and_queues_live_on_their_broker() {
        let table = SignalTable::built_in().expect("valid");
        let mut r = Resolver::new(&Raw::default(), table);
        let series = |name: &str, labels: &[(&str, &str)]| RawSeries {
            name: name.into(),
            labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            ..RawSeries::default()
        };
        let counted = series("http_requests_total", &[("job", "api"), ("tenant", "acme")]);
        let client = r.about(&counted, View::Server).and_then(|a| a.member).expect("a tenant");
        assert_eq!(r.graph.entity(client).kind, EntityKind::Client);
        assert!(r.about(&counted, View::Internal).is_some_and(|a| a.member.is_none()));
        let depth = series("rabbitmq_queue_messages", &[("queue", "jobs"), ("instance", "mq-1")]);
        r.about(&depth, View::Internal).expect("a queue");
        let kinds: Vec<EdgeKind> = r.graph.edges().map(|e| e.2).collect();
        assert_eq!(kinds, [EdgeKind::Calls, EdgeKind::RunsOn]);
    }

    #[test]
    fn addresses_are_told_from_names() {
        assert!(is_address("127.0.0.1:5432") && is_address("localhost:80"));
        assert!(!is_address("pg-main:5432") && !is_address("pg-main"));
    }

    #[test]
    fn managed_and_cluster_addresses_are_the_thing_that_they_name() {
        assert_eq!(short_name("orders.abc123.eu-west-1.rds.amazonaws.com"), Some("orders"));
        assert_eq!(short_name("cart.shop.svc.cluster.local"), Some("cart"));
        assert_eq!(short_name("app/front/50dc6c495c0c9188"), Some("front"));
        assert_eq!(short_name("api.example.com"), None);
        let table = SignalTable::built_in().expect("valid");
        let mut r = Resolver::new(&Raw::default(), table);
        let long = r.peer("cart.shop.svc.cluster.local:8080", EntityKind::External);
        assert_eq!(long, r.peer("cart", EntityKind::Service));
    }

    #[test]
    fn a_loopback_address_of_two_servers_is_neither() {
        let at = |instance: &str| RawSeries {
            name: "pg_up".into(),
            labels: [("server", "127.0.0.1:5432"), ("instance", instance)]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into(),
            ..RawSeries::default()
        };
        let table = SignalTable::built_in().expect("valid");
        let mut raw = Raw::default();
        raw.series = vec![at("pg-a"), at("pg-b")];
        let r = Resolver::new(&raw, table);
        assert_eq!(r.graph.canonical("127.0.0.1:5432"), "127.0.0.1:5432");
        assert!(r.gaps[0].what.contains("pg-a, pg-b"), "{:?}", r.gaps);
        raw.series.truncate(1);
        assert_eq!(Resolver::new(&raw, table).graph.canonical("127.0.0.1:5432"), "pg-a");
    }
}
