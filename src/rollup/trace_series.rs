//! Series per service, instance and edge from spans: rate, errors, mean duration and own time.

use super::traces::{Columns, f64s, i64s, u32s};
use super::{Origin, SignalSeries, Source};
use crate::graph::Graph;
use crate::model::{EntityId, Micros, SECOND, Subject};
use crate::signals::{SignalTable, Stat};
use crate::telemetry::{NONE, Telemetry};
use polars::prelude::*;
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

/// Makes series from grouped frames.
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
    pub fn new(telemetry: &'a Telemetry, spans: &DataFrame, bucket: Micros) -> PolarsResult<Self> {
        let times = Columns(spans).i("bucket")?;
        let (first, last) = (times.iter().min().copied(), times.iter().max().copied());
        let (first, last) = (first.unwrap_or(0), last.unwrap_or(0));
        let count = ((last - first) / bucket).min(1_000_000);
        let file = telemetry.trace_file.and_then(|f| telemetry.files.get(f as usize));
        let columns = Spans::of(spans)?;
        let entries = columns.group(|i| columns.entry[i].then(|| [columns.service[i], NONE]));
        let entries = entries.into_iter().map(|(k, v)| (k[0], v)).collect();
        Ok(Maker {
            table: &telemetry.signals,
            graph: &telemetry.graph,
            bucket,
            buckets: (0..=count).map(|i| first + i * bucket).collect(),
            file: file.map(|f| f.path.clone()).unwrap_or_default(),
            entries,
        })
    }

    pub fn services(&self, spans: &DataFrame, out: &mut Vec<SignalSeries>) -> PolarsResult<()> {
        let c = Spans::of(spans)?;
        let all = c.group(|i| (!c.waits(i)).then(|| [c.service[i], NONE]));
        for (service, cells) in &self.entries {
            let subject = Subject::Entity(EntityId(*service));
            self.red(subject, cells, false, out);
            let Some(own) = all.get(&[*service, NONE]) else { continue };
            let requests = cells.values().map(|c| c.count).sum();
            let points = self.means(own, requests, |c| (c.self_time, c.usual_self));
            self.emit("trace.self_time", subject, Stat::Mean, points, out);
        }
        Ok(())
    }

    pub fn instances(&self, spans: &DataFrame, out: &mut Vec<SignalSeries>) -> PolarsResult<()> {
        let c = Spans::of(spans)?;
        let known = |i: usize| c.entry[i] && c.instance[i] != NONE;
        let groups = c.group(|i| known(i).then(|| [c.service[i], c.instance[i]]));
        let mut count: BTreeMap<u32, usize> = BTreeMap::new();
        for key in groups.keys() {
            *count.entry(key[0]).or_default() += 1;
        }
        for (key, cells) in groups.iter().filter(|(k, _)| count[&k[0]] > 1) {
            self.red(Subject::Entity(EntityId(key[1])), cells, false, out);
        }
        Ok(())
    }

    /// Edges as the caller's client spans see them; as the callee's spans see them elsewhere.
    pub fn edges(&self, spans: &DataFrame, out: &mut Vec<SignalSeries>) -> PolarsResult<()> {
        let c = Spans::of(spans)?;
        let client = |i: usize| c.waits(i) && c.peer[i] != NONE && c.peer[i] != c.service[i];
        let seen = c.group(|i| client(i).then(|| [c.service[i], c.peer[i]]));
        let inner = |i: usize| c.p_service[i] != NONE && c.entry[i];
        let served = c.group(|i| inner(i).then(|| [c.p_service[i], c.service[i]]));
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
        Ok(())
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
            points,
            step: self.bucket,
            smear: 0,
            origin: Origin::Traces,
            guessed: false,
            source: Source { file: self.file.clone(), series: format!("spans of {shown}") },
        });
    }
}

/// The columns of the spans frame that the series are made of.
struct Spans<'f> {
    service: &'f [u32],
    instance: &'f [u32],
    op: &'f [u32],
    kind: &'f [u32],
    peer: &'f [u32],
    p_service: &'f [u32],
    bucket: &'f [i64],
    dur: &'f [f64],
    own: &'f [f64],
    error: Vec<bool>,
    entry: Vec<bool>,
}

impl<'f> Spans<'f> {
    fn of(frame: &'f DataFrame) -> PolarsResult<Self> {
        let bools = |name: &str| -> PolarsResult<Vec<bool>> {
            Ok(frame.column(name)?.bool()?.iter().map(|v| v.unwrap_or(false)).collect())
        };
        Ok(Spans {
            service: u32s(frame, "service")?,
            instance: u32s(frame, "instance")?,
            op: u32s(frame, "op")?,
            kind: u32s(frame, "kind")?,
            peer: u32s(frame, "peer")?,
            p_service: u32s(frame, "p_service")?,
            bucket: i64s(frame, "bucket")?,
            dur: f64s(frame, "dur")?,
            own: f64s(frame, "self")?,
            error: bools("error")?,
            entry: bools("entry")?,
        })
    }

    /// The span waits for somebody else.
    fn waits(&self, row: usize) -> bool {
        matches!(self.kind[row], 2 | 3)
    }

    /// Sums the spans that have a key by key and bucket.
    fn group(&self, key: impl Fn(usize) -> Option<[u32; 2]>) -> Cells<[u32; 2]> {
        let mut numbers: hashbrown::HashMap<([u32; 2], u32), u32> = hashbrown::HashMap::new();
        let mut rows: Vec<(u32, u32)> = Vec::new();
        let mut keys = Vec::new();
        for row in 0..self.service.len() {
            let Some(key) = key(row) else { continue };
            let number = *numbers.entry((key, self.op[row])).or_insert_with(|| {
                keys.push(key);
                keys.len() as u32 - 1
            });
            rows.push((number, row as u32));
        }
        rows.sort_unstable();
        let mut cells: Cells<[u32; 2]> = BTreeMap::new();
        for of_operation in rows.chunk_by(|a, b| a.0 == b.0) {
            let all = || of_operation.iter().map(|r| r.1 as usize);
            let usual = median(all().map(|r| self.dur[r])).max(LEAST);
            let usual_self = median(all().map(|r| self.own[r])).max(LEAST);
            let own = cells.entry(keys[of_operation[0].0 as usize]).or_default();
            for row in all() {
                let cell = own.entry(self.bucket[row]).or_default();
                cell.count += 1.0;
                cell.errors += f64::from(u8::from(self.error[row]));
                cell.duration += self.dur[row];
                cell.self_time += self.own[row];
                cell.usual += usual;
                cell.usual_self += usual_self;
            }
        }
        cells
    }
}

/// A usual time is at least one microsecond.
const LEAST: f64 = 1e-6;

/// The middle value, or the mean of the two middle values.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    let middle = values.len() / 2;
    if values.is_empty() {
        return 0.0;
    }
    let even = values.len().is_multiple_of(2);
    let (below, high, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    match even {
        true => (below.iter().copied().fold(f64::MIN, f64::max) + *high) / 2.0,
        false => *high,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean durations of one service whose spans are `(bucket, operation, seconds)`.
    fn means(spans: &[(i64, u32, f64)]) -> Vec<f64> {
        let (n, none) = (spans.len(), vec![NONE; spans.len()]);
        let dur: Vec<f64> = spans.iter().map(|s| s.2).collect();
        let columns = Spans {
            service: &vec![0; n],
            op: &spans.iter().map(|s| s.1).collect::<Vec<_>>(),
            bucket: &spans.iter().map(|s| s.0).collect::<Vec<_>>(),
            instance: &none,
            peer: &none,
            p_service: &none,
            kind: &none,
            dur: &dur,
            own: &dur,
            error: vec![false; n],
            entry: vec![true; n],
        };
        let cells = columns.group(|i| Some([columns.service[i], NONE]));
        let cells = &cells[&[0, NONE]];
        let (table, graph) = (SignalTable::built_in().expect("valid"), Graph::default());
        let maker = Maker {
            table: &table,
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
