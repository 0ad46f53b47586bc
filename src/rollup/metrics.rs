//! Samples to one series per subject and signal: rates, ratios, means and quantiles from counters
//! and histograms, gauges combined over instances, ratios of signals that belong together.

use super::counter;
use super::{Origin, SignalSeries, Source, VersionSpan};
use crate::model::{EntityId, EntityKind, Micros, Subject};
use crate::signals::{Combine, Part, SignalId, Stat, View};
use crate::telemetry::{Class, SeriesMeta, Telemetry};
use std::collections::{BTreeMap, BTreeSet};

/// Steps without a sample after which a counter's interval is a gap.
const GAP_STEPS: i64 = 4;

type Points = Vec<(Micros, f64)>;

/// Series that are one signal of one subject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    subject: Subject,
    signal: SignalId,
    stat: Stat,
    dims: String,
}

struct Context<'a> {
    telemetry: &'a Telemetry,
    points: &'a [Points],
    /// First sample of each file and instance: a counter that starts later is born late.
    starts: BTreeMap<(u32, Option<EntityId>), Micros>,
}

/// Makes every series of the metrics.
pub fn roll_up(telemetry: &Telemetry, points: &[Points]) -> Vec<SignalSeries> {
    let mut starts: BTreeMap<(u32, Option<EntityId>), Micros> = BTreeMap::new();
    for (meta, points) in telemetry.series.iter().zip(points) {
        if let Some(first) = points.first() {
            let at = starts.entry((meta.file, meta.instance)).or_insert(first.0);
            *at = (*at).min(first.0);
        }
    }
    let context = Context { telemetry, points, starts };
    let mut groups: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
    for (i, meta) in telemetry.series.iter().enumerate() {
        for key in keys(telemetry, meta) {
            groups.entry(key).or_default().push(i);
        }
    }
    let mut out = Vec::new();
    for (key, members) in &groups {
        let raw: Vec<usize> =
            members.iter().copied().filter(|m| telemetry.series[*m].window_s == 0.0).collect();
        let used = if raw.is_empty() { members } else { &raw };
        context.group(key, used, &mut out);
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
    let stateful = signal.state_label.is_some() && signal.state_kept.is_empty();
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
    let key = |subject| Key { subject, signal: meta.signal, stat, dims: dims.clone() };
    let mut keys = vec![key(meta.subject)];
    if let (Some(instance), Subject::Entity(_)) = (meta.instance, meta.subject) {
        keys.push(key(Subject::Entity(instance)));
    }
    if let Some(member) = meta.member {
        keys.push(key(Subject::Entity(member)));
    }
    keys
}

impl Context<'_> {
    fn meta(&self, i: usize) -> &SeriesMeta {
        &self.telemetry.series[i]
    }

    /// Rates of a counter, with the late-born case; the values themselves of anything else.
    fn values(&self, i: usize) -> (Points, bool) {
        let (meta, points) = (self.meta(i), &self.points[i]);
        let counter =
            meta.part != Part::Value && !meta.derived && counter::behaves_like_counter(points);
        if !counter {
            return (points.clone(), false);
        }
        let step = counter::step(points).unwrap_or(crate::model::SECOND);
        let start = self.starts.get(&(meta.file, meta.instance)).copied();
        let first = points.first().map_or(0, |p| p.0);
        let late = start.is_some_and(|s| first - s > step + step / 2);
        let rates = counter::rates(points, late.then_some(first - step), GAP_STEPS * step);
        let Some(start) = start.filter(|_| late) else { return (rates, true) };
        // Its process was alive without it: it stood at zero.
        let unborn = (1..).map(|i| start + i * step).take_while(|t| *t < first).take(100_000);
        (unborn.map(|t| (t, 0.0)).chain(rates).collect(), true)
    }

    fn group(&self, key: &Key, members: &[usize], out: &mut Vec<SignalSeries>) {
        let signal = self.telemetry.signals.get(key.signal);
        let parts: BTreeSet<Part> = members.iter().map(|m| self.meta(*m).part).collect();
        let histogram = parts.contains(&Part::Count) || parts.contains(&Part::Bucket);
        let derived = members.iter().all(|m| self.meta(*m).derived);
        if signal.role == "latency" && histogram && !derived {
            return self.histogram(key, members, out);
        }
        let classed = members.iter().any(|m| self.meta(*m).class == Class::Failed);
        if signal.role == "traffic" {
            let all = self.sum(members, |_| true);
            if classed {
                let failed = self.sum(members, |m| m.class == Class::Failed);
                let name = if signal.view == View::Client {
                    "http.client.errors"
                } else {
                    "http.server.errors"
                };
                self.emit_named(name, key, members, ratio(&failed, &all), out);
            }
            self.emit(key, key.signal, members, all, out);
            return;
        }
        let combine =
            if members.iter().any(|m| self.values(*m).1) { Combine::Sum } else { signal.combine };
        let points = self.combined(members, combine);
        self.emit(key, key.signal, members, points, out);
    }

    /// Traffic, errors, mean and 99th percentile from the parts of a histogram.
    fn histogram(&self, key: &Key, members: &[usize], out: &mut Vec<SignalSeries>) {
        let client = self.telemetry.signals.get(key.signal).view == View::Client;
        let count = |m: &SeriesMeta| m.part == Part::Count;
        let all = self.sum(members, count);
        let failed = self.sum(members, |m| count(m) && m.class == Class::Failed);
        let sums = self.sum(members, |m| m.part == Part::Sum);
        let guessed = members.iter().all(|m| self.meta(*m).guessed);
        let (requests, errors) = match (client, guessed) {
            (_, true) => ("guess.traffic", "guess.errors"),
            (true, _) => ("http.client.requests", "http.client.errors"),
            (false, _) => ("http.server.requests", "http.server.errors"),
        };
        if !all.is_empty() {
            let classed = members.iter().any(|m| self.meta(*m).class != Class::All);
            if classed {
                self.emit_named(errors, key, members, ratio(&failed, &all), out);
            }
            let mean = ratio(&sums, &all);
            let mean_key = Key { stat: Stat::Mean, ..key.clone() };
            self.emit(&mean_key, key.signal, members, mean, out);
            self.emit_named(requests, key, members, all, out);
        }
        let p99 = self.quantile(members, 0.99);
        let key = Key { stat: Stat::Quantile(99), ..key.clone() };
        self.emit(&key, key.signal, members, p99, out);
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

    fn sum(&self, members: &[usize], keep: impl Fn(&SeriesMeta) -> bool) -> Points {
        let kept: Vec<usize> = members.iter().copied().filter(|m| keep(self.meta(*m))).collect();
        self.combined(&kept, Combine::Sum)
    }

    /// Puts several series on one grid and combines what falls into the same bucket.
    fn combined(&self, members: &[usize], combine: Combine) -> Points {
        if let [one] = members {
            return self.values(*one).0;
        }
        let all: Vec<Points> = members.iter().map(|m| self.values(*m).0).collect();
        let step =
            all.iter().filter_map(|p| counter::step(p)).max().unwrap_or(crate::model::SECOND);
        let mut grid: BTreeMap<Micros, Vec<f64>> = BTreeMap::new();
        for points in &all {
            let mut own: BTreeMap<Micros, (Micros, f64, f64)> = BTreeMap::new();
            for (t, v) in points {
                let slot = own.entry(t.div_euclid(step)).or_insert((*t, 0.0, 0.0));
                *slot = (*t, slot.1 + v, slot.2 + 1.0);
            }
            for (bucket, (_, sum, n)) in own {
                grid.entry(bucket).or_default().push(sum / n);
            }
        }
        let times: BTreeMap<Micros, Micros> =
            all.iter().flatten().map(|(t, _)| (t.div_euclid(step), *t)).collect();
        let fold = |values: &[f64]| match combine {
            Combine::Sum => values.iter().sum(),
            Combine::Mean => values.iter().sum::<f64>() / values.len() as f64,
            Combine::Max => values.iter().copied().fold(f64::MIN, f64::max),
            Combine::Min => values.iter().copied().fold(f64::MAX, f64::min),
        };
        grid.iter().map(|(b, v)| (times.get(b).copied().unwrap_or(b * step), fold(v))).collect()
    }

    fn emit_named(
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
            origin: Origin::Metrics,
            guessed: first.guessed,
            source: Source {
                file: file.unwrap_or_default(),
                series: format!("{}{more}", first.shown),
            },
        });
    }
}

/// Pointwise quotient on the denominator's times; a missing numerator is zero there.
fn ratio(numerator: &Points, denominator: &Points) -> Points {
    let step = counter::step(denominator).unwrap_or(crate::model::SECOND).max(1);
    let top: BTreeMap<Micros, f64> =
        numerator.iter().map(|(t, v)| (t.div_euclid(step), *v)).collect();
    let share = |(t, d): &(Micros, f64)| {
        let n = top.get(&t.div_euclid(step)).copied().unwrap_or(0.0);
        (*d > 0.0).then_some((*t, n / d))
    };
    denominator.iter().filter_map(share).collect()
}

/// Signals that are ratios of others of the same subject and dims.
fn derive(telemetry: &Telemetry, series: &[SignalSeries]) -> Vec<SignalSeries> {
    let table = &telemetry.signals;
    let mut out = Vec::new();
    for d in &table.derives {
        let (Some(signal), Some(top)) = (table.named(&d.signal), table.named(&d.numerator)) else {
            continue;
        };
        let below: Vec<SignalId> = d.denominator.iter().filter_map(|n| table.named(n)).collect();
        let wanted = |s: &&SignalSeries| match &d.numerator_state {
            Some(state) => s.dims == *state,
            None => true,
        };
        for n in series.iter().filter(|s| s.signal == top && s.stat == Stat::Value).filter(wanted) {
            let same = |s: &&SignalSeries| {
                let dims = d.numerator_state.is_some() || s.dims == n.dims || s.dims.is_empty();
                s.subject == n.subject && below.contains(&s.signal) && dims && s.stat == Stat::Value
            };
            let parts: Vec<&SignalSeries> = series.iter().filter(same).collect();
            if parts.is_empty() {
                continue;
            }
            let mut total: BTreeMap<Micros, f64> = BTreeMap::new();
            for (t, v) in parts.iter().flat_map(|p| &p.points) {
                *total.entry(*t).or_default() += v;
            }
            let points = ratio(&n.points, &total.into_iter().collect());
            if points.is_empty() {
                continue;
            }
            let role = table.get(signal).role.clone();
            let shown = format!("{} / {}", n.source.series, parts[0].source.series);
            let source = Source { file: n.source.file.clone(), series: shown };
            let dims = if d.numerator_state.is_some() { String::new() } else { n.dims.clone() };
            out.push(SignalSeries { signal, role, points, source, dims, ..n.clone() });
        }
    }
    out
}

/// Drops what a smeared panel says where raw counters say the same.
fn prefer_raw(series: &mut Vec<SignalSeries>) {
    let raw: BTreeSet<(Subject, String)> =
        series.iter().filter(|s| s.smear == 0).map(|s| (s.subject, s.role.clone())).collect();
    series.retain(|s| s.smear == 0 || !raw.contains(&(s.subject, s.role.clone())));
}

/// Drops instance series that only repeat their service: the service has one instance.
fn drop_lone_parts(telemetry: &Telemetry, series: Vec<SignalSeries>) -> Vec<SignalSeries> {
    let graph = &telemetry.graph;
    let mut parts: BTreeMap<(EntityId, EntityKind, SignalId), BTreeSet<EntityId>> = BTreeMap::new();
    let kind = |e: EntityId| graph.entity(e).kind;
    for s in &series {
        if let Subject::Entity(e) = s.subject
            && graph.owner(e) != e
        {
            parts.entry((graph.owner(e), kind(e), s.signal)).or_default().insert(e);
        }
    }
    let lone = |s: &SignalSeries| match s.subject {
        Subject::Entity(e) if graph.owner(e) != e => {
            parts.get(&(graph.owner(e), kind(e), s.signal)).is_none_or(|p| p.len() < 2)
        }
        _ => false,
    };
    series.into_iter().filter(|s| !lone(s)).collect()
}

/// Versions that `build_info`-like series and version labels name.
pub fn versions(telemetry: &Telemetry, points: &[Points]) -> Vec<VersionSpan> {
    let mut found = Vec::new();
    for (meta, points) in telemetry.series.iter().zip(points) {
        let (Subject::Entity(service), Some(first), Some(last)) =
            (meta.subject, points.first(), points.last())
        else {
            continue;
        };
        if telemetry.signals.get(meta.signal).role != "version" {
            continue;
        }
        let label = meta.shown.split("version=\"").nth(1).and_then(|v| v.split('"').next());
        if let Some(version) = label {
            let version = version.to_owned();
            let (first, last) = (first.0, last.0);
            found.push(VersionSpan { service, instance: meta.instance, version, first, last });
        }
    }
    found
}
