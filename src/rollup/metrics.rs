//! Samples to one series per subject and signal: rates, ratios, means and quantiles from counters
//! and histograms, gauges combined over instances, ratios of signals that belong together.

use super::derived::{cgroup_sums, derive, drop_lone_parts, prefer_raw, ratio};
use super::rates::{self, Rated};
use super::{Origin, SignalSeries, Source, VersionSpan, counter};
use crate::model::{Micros, Subject, Unit};
use crate::signals::{Combine, Part, SignalId, Stat, View};
use crate::telemetry::{Class, Points, SeriesMeta, Telemetry};
use std::collections::{BTreeMap, BTreeSet};

/// Series that are one signal of one subject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) subject: Subject,
    pub(super) signal: SignalId,
    pub(super) stat: Stat,
    pub(super) dims: String,
    /// Counted from spans before they came here: never one sum with what metrics count.
    pub(super) traced: bool,
}

pub(super) struct Context<'a> {
    pub(super) telemetry: &'a Telemetry,
    /// What each series says over time, by its index.
    rated: Vec<Rated>,
    /// Groups that still need each series.
    uses: Vec<u32>,
}

/// Makes every series of the metrics.
pub fn roll_up(telemetry: &Telemetry, samples: Vec<Points>) -> Vec<SignalSeries> {
    let uses = vec![0; telemetry.series.len()];
    let mut context = Context { telemetry, rated: rates::of(telemetry, samples), uses };
    let sums = cgroup_sums(telemetry);
    let mut groups: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
    for (i, meta) in telemetry.series.iter().enumerate().filter(|(i, _)| !sums.contains(i)) {
        for key in keys(telemetry, meta) {
            groups.entry(key).or_default().push(i);
            context.uses[i] += 1;
        }
    }
    let mut out = Vec::new();
    for (key, members) in &groups {
        let raw: Vec<usize> =
            members.iter().copied().filter(|m| telemetry.series[*m].window_s == 0.0).collect();
        let used = if raw.is_empty() { members } else { &raw };
        context.group(key, used, &mut out);
        context.release(members);
    }
    let derived = derive(telemetry, &out);
    out.extend(derived);
    prefer_raw(&mut out);
    drop_lone_parts(telemetry, out)
}

/// The groups a series belongs to: its subject's, its instance's and its member's.
fn keys(telemetry: &Telemetry, meta: &SeriesMeta) -> Vec<Key> {
    let signal = telemetry.signals.get(meta.signal);
    let pooled = signal.role.starts_with("pool") || meta.guessed;
    let mut dims = if pooled { meta.dims.clone() } else { String::new() };
    let stateful = !signal.state_labels.is_empty() && signal.state_kept.is_empty();
    if stateful && signal.state_dropped.is_empty() && !meta.state.is_empty() {
        dims = meta.state.clone();
    }
    if meta.guessed {
        // House metrics are told apart by their names: they share a guessed signal.
        let cut = ["_bucket", "_sum", "_count"].iter().find_map(|s| meta.raw_name.strip_suffix(s));
        let base = cut.filter(|_| meta.part != Part::Value).unwrap_or(&meta.raw_name);
        dims = format!("{base}{dims}");
    }
    let stat = if meta.part == Part::Value { meta.stat } else { Stat::Value };
    let id = match meta.subject {
        Subject::Edge(..) => client_side(telemetry, meta.signal),
        Subject::Entity(_) => meta.signal,
    };
    let traced = telemetry.files.get(meta.file as usize).is_some_and(|f| f.of_spans);
    let key = |subject| Key { subject, signal: id, stat, dims: dims.clone(), traced };
    let mut keys = vec![key(meta.subject)];
    if let (Some(instance), Subject::Entity(_)) = (meta.instance, meta.subject) {
        keys.push(key(Subject::Entity(instance)));
    }
    if let Some(member) = meta.member {
        keys.push(key(Subject::Entity(member)));
    }
    keys
}

/// What is measured about calls from one to another is their caller's view.
fn client_side(telemetry: &Telemetry, signal: SignalId) -> SignalId {
    let name = telemetry.signals.get(signal).name.strip_prefix("http.server.");
    let client = name.and_then(|n| telemetry.signals.named(&format!("http.client.{n}")));
    client.unwrap_or(signal)
}

impl Context<'_> {
    pub(super) fn meta(&self, i: usize) -> &SeriesMeta {
        &self.telemetry.series[i]
    }

    /// Rates of a counter; the values themselves of anything else.
    fn values(&self, i: usize) -> &Points {
        &self.rated[i].points
    }

    fn group(&mut self, key: &Key, members: &[usize], out: &mut Vec<SignalSeries>) {
        let signal = self.telemetry.signals.get(key.signal);
        let parts: BTreeSet<Part> = members.iter().map(|m| self.meta(*m).part).collect();
        let histogram = parts.contains(&Part::Count) || parts.contains(&Part::Bucket);
        let derived = members.iter().all(|m| self.meta(*m).derived);
        let guessed = members.iter().all(|m| self.meta(*m).guessed);
        let seconds = signal.unit() == Unit::Seconds;
        let timed =
            signal.role == "latency" || seconds && (guessed || signal.combine == Combine::Mean);
        if timed && histogram && !derived {
            return self.histogram(key, members, out);
        }
        let classed = members.iter().any(|m| self.meta(*m).class == Class::Failed);
        if signal.role == "traffic" {
            let all = self.combined(members, Combine::Sum);
            self.rate_limited(key, members, &all, |_| true, out);
            if classed {
                let failed = self.sum(members, |m| m.class == Class::Failed);
                let name = if signal.view == View::Client {
                    "http.client.errors"
                } else {
                    "http.server.errors"
                };
                self.emit_named(name, key, members, ratio(&failed, &all), out);
            }
            self.outcomes(key, members, &all, out);
            self.emit(key, key.signal, members, all, out);
            return;
        }
        let combine = if members.iter().any(|m| self.rated[*m].counter) {
            Combine::Sum
        } else {
            signal.combine
        };
        // Time spent is the histogram's sum; how often is another matter.
        let spent = |m: &&usize| seconds && histogram && self.meta(**m).part == Part::Sum;
        let spent: Vec<usize> = members.iter().filter(spent).copied().collect();
        let members = if spent.is_empty() { members } else { &spent };
        let points = match members {
            // Nobody else looks at its values: they need not be copied.
            [one] if self.uses[*one] == 1 => std::mem::take(&mut self.rated[*one].points),
            _ => self.combined(members, combine),
        };
        self.emit(key, key.signal, members, points, out);
    }

    /// Notes that a group is done; what no other group needs is given back.
    fn release(&mut self, members: &[usize]) {
        for m in members {
            self.uses[*m] -= 1;
            if self.uses[*m] == 0 {
                self.rated[*m].points = Points::new();
            }
        }
    }

    /// Traffic, errors, mean and 99th percentile from the parts of a histogram.
    fn histogram(&self, key: &Key, members: &[usize], out: &mut Vec<SignalSeries>) {
        let view = self.telemetry.signals.get(key.signal).view;
        let count = |m: &SeriesMeta| m.part == Part::Count;
        let all = self.sum(members, count);
        let failed = self.sum(members, |m| count(m) && m.class == Class::Failed);
        let sums = self.sum(members, |m| m.part == Part::Sum);
        let guessed = members.iter().all(|m| self.meta(*m).guessed);
        let (requests, errors) = match (view, guessed) {
            // Its count is no request of anybody.
            (View::Internal, _) => ("", ""),
            (_, true) => ("guess.traffic", "guess.errors"),
            (View::Client, _) => ("http.client.requests", "http.client.errors"),
            (_, false) => ("http.server.requests", "http.server.errors"),
        };
        if !all.is_empty() {
            let classed = members.iter().any(|m| self.meta(*m).class != Class::All);
            if classed {
                self.emit_named(errors, key, members, ratio(&failed, &all), out);
            }
            if !guessed && view != View::Internal {
                self.rate_limited(key, members, &all, count, out);
            }
            self.outcomes(key, members, &all, out);
            let mean = ratio(&sums, &all);
            let mean_key = Key { stat: Stat::Mean, ..key.clone() };
            self.emit(&mean_key, key.signal, members, mean, out);
            self.emit_named(requests, key, members, all, out);
        }
        let p99 = self.quantile(members, 0.99);
        let key = Key { stat: Stat::Quantile(99), ..key.clone() };
        self.emit(&key, key.signal, members, p99, out);
    }

    /// The share of the counts that a server refused as too many, where it refused any.
    fn rate_limited(
        &self,
        key: &Key,
        members: &[usize],
        all: &Points,
        counts: impl Fn(&SeriesMeta) -> bool,
        out: &mut Vec<SignalSeries>,
    ) {
        if !members.iter().any(|m| self.meta(*m).rate_limited) {
            return;
        }
        let refused = self.sum(members, |m| counts(m) && m.rate_limited);
        let name = match self.telemetry.signals.get(key.signal).view {
            View::Client => "http.client.rate_limited",
            _ => "http.server.rate_limited",
        };
        self.emit_named(name, key, members, ratio(&refused, all), out);
    }

    fn quantile(&self, members: &[usize], q: f64) -> Points {
        let bounds: BTreeMap<u64, f64> = members
            .iter()
            .map(|m| self.meta(*m))
            .filter(|m| m.part == Part::Bucket && !m.le.is_nan())
            .map(|m| (m.le.to_bits(), m.le))
            .collect();
        let mut at: BTreeMap<Micros, Vec<(f64, f64)>> = BTreeMap::new();
        for le in bounds.values() {
            let one = self.sum(members, |m| m.part == Part::Bucket && m.le == *le);
            for (t, v) in one {
                at.entry(t).or_default().push((*le, v));
            }
        }
        at.into_iter()
            .filter_map(|(t, mut b)| counter::quantile(&mut b, q).map(|v| (t, v)))
            .collect()
    }

    pub(super) fn sum(&self, members: &[usize], keep: impl Fn(&SeriesMeta) -> bool) -> Points {
        let kept: Vec<usize> = members.iter().copied().filter(|m| keep(self.meta(*m))).collect();
        self.combined(&kept, Combine::Sum)
    }

    /// Puts several series on one grid and combines what falls into the same bucket.
    fn combined(&self, members: &[usize], combine: Combine) -> Points {
        if let [one] = members {
            return self.values(*one).clone();
        }
        let all: Vec<&Points> = members.iter().map(|m| self.values(*m)).collect();
        let step =
            all.iter().filter_map(|p| counter::step(p)).max().unwrap_or(crate::model::SECOND);
        // Bucket, time of its last point and mean of its points, member by member.
        let most = all.iter().map(|p| p.len()).sum();
        let mut means: Vec<(Micros, Micros, f64)> = Vec::with_capacity(most);
        for points in all {
            let points = points.to_vec();
            for bucket in points.chunk_by(|a, b| a.0.div_euclid(step) == b.0.div_euclid(step)) {
                let last = bucket[bucket.len() - 1].0;
                let sum = bucket.iter().fold(0.0, |sum, p| sum + p.1);
                means.push((last.div_euclid(step), last, sum / bucket.len() as f64));
            }
        }
        // Stable: the members of a bucket stay in their order.
        means.sort_by_key(|m| m.0);
        let fold = |values: &[f64]| match combine {
            Combine::Sum => values.iter().sum(),
            Combine::Mean => values.iter().sum::<f64>() / values.len() as f64,
            Combine::Max => values.iter().copied().fold(f64::MIN, f64::max),
            Combine::Min => values.iter().copied().fold(f64::MAX, f64::min),
        };
        let mut values = Vec::new();
        let one = |bucket: &[(Micros, Micros, f64)]| {
            values.clear();
            values.extend(bucket.iter().map(|m| m.2));
            (bucket[bucket.len() - 1].1, fold(&values))
        };
        means.chunk_by(|a, b| a.0 == b.0).map(one).collect()
    }

    pub(super) fn emit_named(
        &self,
        name: &str,
        key: &Key,
        members: &[usize],
        points: Points,
        out: &mut Vec<SignalSeries>,
    ) {
        if let Some(id) = self.telemetry.signals.named(name) {
            self.emit(&Key { stat: Stat::Value, ..key.clone() }, id, members, points, out);
        }
    }

    fn emit(
        &self,
        key: &Key,
        signal: SignalId,
        members: &[usize],
        points: Points,
        out: &mut Vec<SignalSeries>,
    ) {
        let Some(step) = counter::step(&points).or(Some(0)).filter(|_| !points.is_empty()) else {
            return;
        };
        let first = self.meta(members[0]);
        let smear = members.iter().map(|m| self.meta(*m).window_s).fold(0.0, f64::max);
        let more = if members.len() > 1 {
            format!(" and {} more", members.len() - 1)
        } else {
            String::new()
        };
        let file = self.telemetry.files.get(first.file as usize).map(|f| f.path.clone());
        out.push(SignalSeries {
            subject: key.subject,
            signal,
            role: self.telemetry.signals.get(signal).role.clone(),
            stat: key.stat,
            dims: key.dims.clone(),
            points,
            step,
            smear: (smear * 1e6) as Micros,
            origin: if key.traced { Origin::Traces } else { Origin::Metrics },
            guessed: first.guessed,
            source: Source {
                file: file.unwrap_or_default(),
                series: format!("{}{more}", first.shown),
            },
        });
    }
}

/// Versions that `build_info`-like series and version labels name.
pub fn versions(telemetry: &Telemetry, samples: &[Points]) -> Vec<VersionSpan> {
    let mut found = Vec::new();
    for (meta, points) in telemetry.series.iter().zip(samples) {
        if telemetry.signals.get(meta.signal).role != "version" {
            continue;
        }
        let (Subject::Entity(service), Some(first), Some(last)) =
            (meta.subject, points.first(), points.last())
        else {
            continue;
        };
        if let Some(version) = meta.version.clone() {
            let (first, last) = (first.0, last.0);
            found.push(VersionSpan { service, instance: meta.instance, version, first, last });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::raw::{InputFile, Raw, RawSeries};
    use crate::model::SECOND;

    /// Labels as `key=value,…` and values every ten seconds.
    fn series(name: &str, labels: &str, values: &[f64]) -> RawSeries {
        let pair = |l: &str| l.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
        let at = |(i, v): (usize, &f64)| (i as i64 * 10 * SECOND, *v);
        RawSeries {
            name: name.into(),
            labels: labels.split(',').filter_map(pair).collect(),
            samples: values.iter().enumerate().map(at).collect(),
            ..RawSeries::default()
        }
    }

    /// The rolled up values as `subject signal`.
    fn rolled(all: Vec<RawSeries>) -> BTreeMap<String, Vec<f64>> {
        let file = InputFile::named("m.csv");
        let mut raw = Raw::default();
        (raw.files, raw.series) = (vec![file], all);
        let t = crate::normalize::normalize(raw).expect("understood");
        let name = |e| t.graph.entity(e).name.clone();
        let shown = |s: &SignalSeries| {
            let subject = match s.subject {
                Subject::Entity(e) => name(e),
                Subject::Edge(a, b) => format!("{}>{}", name(a), name(b)),
            };
            format!("{subject} {}", t.signals.get(s.signal).name)
        };
        let values = |s: &SignalSeries| s.points.iter().map(|p| p.1).collect();
        let out = roll_up(&t, t.samples.clone());
        out.iter().map(|s| (shown(s), values(s))).collect()
    }

    #[test]
    fn postgresql_counters_are_counters_and_rates_stay_rates() {
        let xact = series("pg_stat_database_xact_commit", "server_name=a", &[100.0, 200.0, 400.0]);
        let qps = series("db_queries_per_second", "service=b", &[100.0, 200.0, 400.0]);
        let r = rolled(vec![xact, qps]);
        assert_eq!(r["a postgresql.transactions"], [10.0, 20.0]);
        assert_eq!(r["b postgresql.transactions"], [100.0, 200.0, 400.0]);
    }

    #[test]
    fn restarts_are_counted_not_rated() {
        let pod = "container=cart,pod=cart-0";
        let name = "kube_pod_container_status_restarts_total";
        let r = rolled(vec![series(name, pod, &[3.0, 3.0, 4.0, 6.0])]);
        assert_eq!(r["cart restarts"], [0.0, 1.0, 2.0]);
    }

    #[test]
    fn sums_of_cgroups_are_left_out_where_containers_are_known() {
        let name = "container_memory_working_set_bytes";
        let one = series(name, "container=cart,pod=cart-0", &[5.0, 5.0]);
        let pod = series(name, "id=/kubepods/x,pod=cart-0", &[6.0, 6.0]);
        let pause = series(name, "container=POD,pod=cart-0", &[1.0, 1.0]);
        let node = series(name, "id=/kubepods,service=kps-kubelet", &[99.0, 99.0]);
        let r = rolled(vec![one, pod, pause, node]);
        assert_eq!(r["cart process.memory.usage"], [5.0, 5.0]);
        assert!(!r.contains_key("kps-kubelet process.memory.usage"));
        // Pods share one network: there is nothing else than the pod's.
        let network = "container_network_receive_bytes_total";
        let r = rolled(vec![series(network, "container=POD,pod=cart-0", &[0.0, 100.0])]);
        assert_eq!(r["cart network.io"], [10.0]);
    }

    #[test]
    fn a_mesh_call_is_its_callers_view() {
        let labels = "reporter=source,source_workload=web,destination_workload=cart";
        let r = rolled(vec![series("istio_requests_total", labels, &[0.0, 100.0])]);
        assert_eq!(r["web>cart http.client.requests"], [10.0]);
    }

    #[test]
    fn a_house_histogram_without_requests_counts_nobodys_requests() {
        let part = |part: &str, v: &[f64]| {
            series(&format!("reconcile_duration_seconds_{part}"), "service=cart", v)
        };
        let r = rolled(vec![part("sum", &[0.0, 4.0]), part("count", &[0.0, 2.0])]);
        assert_eq!(r["cart guess.internal_latency"], [2.0]);
        assert_eq!(r.len(), 1);
    }
}
