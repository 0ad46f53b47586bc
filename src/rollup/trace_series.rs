//! Series per service, instance and edge from spans: rate, errors, mean duration and own time.

use super::classes::{ByBucket, Class, Measured};
use super::{Origin, SignalSeries, Source};
use crate::graph::Graph;
use crate::model::{EntityId, Micros, SECOND, Subject};
use crate::signals::{SignalTable, Stat};
use crate::telemetry::{NONE, Telemetry};
use std::collections::{BTreeMap, BTreeSet};

/// Count, errors and time of one subject per bucket.
#[derive(Clone, Copy, Default)]
struct Cell {
    count: f64,
    errors: f64,
    duration: f64,
    self_time: f64,
    /// What duration and own time would be if every operation took its usual time.
    usual: f64,
    usual_self: f64,
}

/// Buckets with fewer spans make a mean only together with the thin ones next to them …
const THIN: f64 = 3.0;

type Cells<K> = BTreeMap<K, BTreeMap<Micros, Cell>>;

/// Makes series from spans.
pub struct Maker<'a> {
    pub(super) table: &'a SignalTable,
    graph: &'a Graph,
    bucket: Micros,
    /// Buckets between the first and the last span: a missing one means no calls.
    buckets: Vec<Micros>,
    file: String,
    /// Requests into each service per bucket.
    entries: Cells<u32>,
}

impl<'a> Maker<'a> {
    pub fn new(telemetry: &'a Telemetry, spans: &Measured, bucket: Micros) -> Self {
        let (first, last) = (spans.times.first().copied(), spans.times.last().copied());
        let (first, last) = (first.unwrap_or(0), last.unwrap_or(0));
        let count = ((last - first) / bucket).min(1_000_000);
        let file = telemetry.trace_file.and_then(|f| telemetry.files.get(f as usize));
        let entries = cells(spans, |c| c.entry().then_some([c.shape.service, NONE]));
        let entries = entries.into_iter().map(|(k, v)| (k[0], v)).collect();
        Maker {
            table: telemetry.signals,
            graph: &telemetry.graph,
            bucket,
            buckets: (0..=count).map(|i| first + i * bucket).collect(),
            file: file.map(|f| f.path.clone()).unwrap_or_default(),
            entries,
        }
    }

    pub fn services(&self, spans: &Measured, out: &mut Vec<SignalSeries>) {
        let all = cells(spans, |c| (!c.waits()).then_some([c.shape.service, NONE]));
        for (service, cells) in &self.entries {
            let subject = Subject::Entity(EntityId(*service));
            self.red(subject, cells, false, out);
            let Some(own) = all.get(&[*service, NONE]) else { continue };
            let requests = cells.values().map(|c| c.count).sum();
            let points = self.means(own, requests, |c| (c.self_time, c.usual_self));
            self.emit("trace.self_time", subject, Stat::Mean, points, out);
        }
    }

    pub fn instances(&self, spans: &Measured, out: &mut Vec<SignalSeries>) {
        let known = |c: &Class| c.entry() && c.shape.instance != NONE;
        let groups = cells(spans, |c| known(c).then_some([c.shape.service, c.shape.instance]));
        let mut count: BTreeMap<u32, usize> = BTreeMap::new();
        for key in groups.keys() {
            *count.entry(key[0]).or_default() += 1;
        }
        for (key, cells) in groups.iter().filter(|(k, _)| count[&k[0]] > 1) {
            self.red(Subject::Entity(EntityId(key[1])), cells, false, out);
        }
    }

    /// Edges as the caller's client spans see them; as the callee's spans see them elsewhere.
    pub fn edges(&self, spans: &Measured, out: &mut Vec<SignalSeries>) {
        let client =
            |c: &Class| c.waits() && c.shape.peer != NONE && c.shape.peer != c.shape.service;
        let seen = cells(spans, |c| client(c).then_some([c.shape.service, c.shape.peer]));
        let inner = |c: &Class| c.p_service != NONE && c.entry();
        let served = cells(spans, |c| inner(c).then_some([c.p_service, c.shape.service]));
        let pairs: BTreeSet<&[u32; 2]> = seen.keys().chain(served.keys()).collect();
        for pair in pairs {
            let Some(cells) = seen.get(pair).or(served.get(pair)) else { continue };
            let subject = Subject::Edge(EntityId(pair[0]), EntityId(pair[1]));
            self.red(subject, cells, true, out);
            let inbound = self.entries.get(&pair[0]);
            let attempts = |t: &Micros| {
                let demand = inbound.and_then(|i| i.get(t)).map_or(0.0, |c| c.count);
                let calls = cells.get(t).map_or(0.0, |c| c.count);
                (demand > 0.0).then_some((*t, calls / demand))
            };
            let points = self.buckets.iter().filter_map(attempts).collect();
            self.emit("trace.attempts", subject, Stat::Mean, points, out);
        }
    }

    /// Rate, errors and mean duration of one subject.
    fn red(
        &self,
        subject: Subject,
        cells: &BTreeMap<Micros, Cell>,
        client: bool,
        out: &mut Vec<SignalSeries>,
    ) {
        let side = if client { "client" } else { "server" };
        let seconds = self.bucket as f64 / SECOND as f64;
        let rate = |t: &Micros| (*t, cells.get(t).map_or(0.0, |c| c.count) / seconds);
        let each = |f: fn(&Cell) -> f64| -> Vec<(Micros, f64)> {
            cells.iter().filter(|(_, c)| c.count > 0.0).map(|(t, c)| (*t, f(c) / c.count)).collect()
        };
        let rates = self.buckets.iter().map(rate).collect();
        self.emit(&format!("http.{side}.requests"), subject, Stat::Value, rates, out);
        let errors = each(|c| c.errors);
        self.emit(&format!("http.{side}.errors"), subject, Stat::Value, errors, out);
        let count = cells.values().map(|c| c.count).sum();
        let mean = self.means(cells, count, |c| (c.duration, c.usual));
        self.emit(&format!("http.{side}.request.duration"), subject, Stat::Mean, mean, out);
    }

    /// Means for each of `requests` as if every bucket had the usual mix of operations: else a
    /// busier slow operation would pass for a slower service. `part` gives time and usual time.
    fn means(
        &self,
        cells: &BTreeMap<Micros, Cell>,
        requests: f64,
        part: fn(&Cell) -> (f64, f64),
    ) -> Vec<(Micros, f64)> {
        let usual = cells.values().map(|c| part(c).1).sum::<f64>() / requests;
        let count: f64 = cells.values().map(|c| c.count).sum();
        // … of a subject that has this many otherwise.
        let least = if count >= THIN * self.buckets.len() as f64 { THIN } else { 1.0 };
        let (mut n, mut time, mut expected) = (0.0, 0.0, 0.0);
        let mut out = Vec::with_capacity(cells.len());
        for (t, cell) in cells {
            if cell.count >= least {
                (n, time, expected) = (0.0, 0.0, 0.0);
            }
            let (own, own_expected) = part(cell);
            (n, time, expected) = (n + cell.count, time + own, expected + own_expected);
            if n >= least && expected > 0.0 && requests > 0.0 {
                out.push((*t, time / expected * usual));
                (n, time, expected) = (0.0, 0.0, 0.0);
            }
        }
        out
    }

    pub(super) fn emit(
        &self,
        name: &str,
        subject: Subject,
        stat: Stat,
        points: Vec<(Micros, f64)>,
        out: &mut Vec<SignalSeries>,
    ) {
        let (Some(signal), false) = (self.table.named(name), points.is_empty()) else { return };
        let shown = match subject {
            Subject::Entity(e) => self.graph.entity(e).name.clone(),
            Subject::Edge(a, b) => {
                format!("{} -> {}", self.graph.entity(a).name, self.graph.entity(b).name)
            }
        };
        out.push(SignalSeries {
            subject,
            signal,
            role: self.table.get(signal).role.clone(),
            stat,
            dims: String::new(),
            points: points.into(),
            step: self.bucket,
            smear: 0,
            origin: Origin::Traces,
            guessed: false,
            source: Source { file: self.file.clone(), series: format!("spans of {shown}") },
        });
    }
}

/// Sums the spans of the classes that have a key, by key and bucket.
fn cells(spans: &Measured, key: impl Fn(&Class) -> Option<[u32; 2]>) -> Cells<[u32; 2]> {
    let groups = spans.groups(|c| key(c).map(|k| (k, c.shape.op)));
    let mut order: Vec<usize> = (0..groups.keys.len()).collect();
    order.sort_by_key(|g| groups.keys[*g].0);
    let mut sums: ByBucket<Cell> = ByBucket::new(spans.times.len());
    let mut room = Vec::new();
    let mut out = BTreeMap::new();
    for operations in order.chunk_by(|a, b| groups.keys[*a].0 == groups.keys[*b].0) {
        for group in operations.iter().copied() {
            let all = || groups.rows(group);
            let usual = median(all().map(|r| spans.dur[r]), &mut room).max(LEAST);
            let usual_self = median(all().map(|r| spans.own[r]), &mut room).max(LEAST);
            for row in all() {
                let cell = sums.at(spans.bucket[row]);
                cell.count += 1.0;
                cell.errors += f64::from(u8::from(spans.class(row).shape.error));
                cell.duration += spans.dur[row];
                cell.self_time += spans.own[row];
                cell.usual += usual;
                cell.usual_self += usual_self;
            }
        }
        let by_time = sums.take().into_iter().map(|(b, cell)| (spans.times[b as usize], cell));
        out.insert(groups.keys[operations[0]].0, by_time.collect());
    }
    out
}

/// A usual time is at least one microsecond.
const LEAST: f64 = 1e-6;

/// The middle value, or the mean of the two middle values, of values that are not negative. `room` is
/// used again from call to call.
fn median(values: impl Iterator<Item = f64>, room: &mut Vec<u64>) -> f64 {
    // The bits of such numbers have their order, and are compared in one step.
    room.clear();
    room.extend(values.map(f64::to_bits));
    let middle = room.len() / 2;
    if room.is_empty() {
        return 0.0;
    }
    let even = room.len().is_multiple_of(2);
    let (below, high, _) = room.select_nth_unstable(middle);
    let high = f64::from_bits(*high);
    match below.iter().max().filter(|_| even) {
        Some(low) => (f64::from_bits(*low) + high) / 2.0,
        None => high,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::raw::SpanKind;
    use crate::telemetry::SpanShape;

    /// Mean durations of one service whose spans are `(bucket, operation, seconds)`.
    fn means(spans: &[(i64, u32, f64)]) -> Vec<f64> {
        let class = |op| Class {
            shape: SpanShape {
                service: 0,
                instance: NONE,
                version: 0,
                op,
                etype: 0,
                kind: SpanKind::Server,
                error: false,
                peer: NONE,
            },
            p_service: NONE,
            p_op: NONE,
            count: spans.iter().filter(|s| s.1 == op).count(),
            first: 0,
            last: 0,
        };
        let dur: Vec<f64> = spans.iter().map(|s| s.2).collect();
        let n = spans.len();
        let measured = Measured {
            classes: (0..3).map(class).collect(),
            times: (0..5).collect(),
            class: spans.iter().map(|s| s.1).collect(),
            bucket: spans.iter().map(|s| s.0 as u32).collect(),
            own: dur.clone(),
            dur,
        };
        let cells = cells(&measured, |c| Some([c.shape.service, NONE]));
        let cells = &cells[&[0, NONE]];
        let (table, graph) = (SignalTable::built_in().expect("valid"), Graph::default());
        let maker = Maker {
            table,
            graph: &graph,
            bucket: 1,
            buckets: cells.keys().copied().collect(),
            file: String::new(),
            entries: BTreeMap::new(),
        };
        let points = maker.means(cells, n as f64, |c| (c.duration, c.usual));
        points.into_iter().map(|p| (p.1 * 1e6).round() / 1e6).collect()
    }

    #[test]
    fn a_busier_slow_operation_is_no_slower_service() {
        let mut spans = vec![(0, 1, 0.004); 9];
        spans.extend([(0, 2, 0.1), (1, 1, 0.004)]);
        spans.extend(vec![(1, 2, 0.1); 9]);
        assert_eq!(means(&spans), [0.052, 0.052]);
        // One operation alone has its plain means.
        assert_eq!(means(&[(0, 1, 1.0), (1, 1, 3.0)]), [1.0, 3.0]);
    }

    #[test]
    fn thin_buckets_make_a_mean_together_or_none() {
        let mut spans = vec![(0, 1, 0.1); 8];
        spans.push((1, 1, 0.1));
        spans.extend([(2, 1, 0.3), (2, 1, 0.2)]);
        assert_eq!(means(&spans), [0.1, 0.2]);
        // One that stands alone is chance.
        spans.extend([(3, 1, 9.0), (4, 1, 0.1), (4, 1, 0.1), (4, 1, 0.1)]);
        assert_eq!(means(&spans), [0.1, 0.2, 0.1]);
    }
}
