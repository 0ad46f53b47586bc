//! Series per service, instance and edge from spans: rate, errors, mean duration and own time.

use super::traces::{Columns, at_least, is_client};
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
    table: &'a SignalTable,
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
        let entries = group(spans, &["service"], Some(col("entry")))?;
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
        let all = group(spans, &["service"], Some(is_client().not()))?;
        for (service, cells) in &self.entries {
            let subject = Subject::Entity(EntityId(*service));
            self.red(subject, cells, false, out);
            let Some(own) = all.get(&vec![*service]) else { continue };
            let requests = cells.values().map(|c| c.count).sum();
            let points = self.means(own, requests, |c| (c.self_time, c.usual_self));
            self.emit("trace.self_time", subject, Stat::Mean, points, out);
        }
        Ok(())
    }

    pub fn instances(&self, spans: &DataFrame, out: &mut Vec<SignalSeries>) -> PolarsResult<()> {
        let known = col("entry").and(col("instance").neq(lit(NONE)));
        let groups = group(spans, &["service", "instance"], Some(known))?;
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
        let client =
            is_client().and(col("peer").neq(lit(NONE))).and(col("peer").neq(col("service")));
        let seen = group(spans, &["service", "peer"], Some(client))?;
        let inner = col("p_service").is_not_null().and(col("p_service").neq(col("service")));
        let served = group(spans, &["p_service", "service"], Some(inner))?;
        let pairs: BTreeSet<&Vec<u32>> = seen.keys().chain(served.keys()).collect();
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

    fn emit(
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

/// Groups spans by u32 columns and bucket.
fn group(spans: &DataFrame, by: &[&str], keep: Option<Expr>) -> PolarsResult<Cells<Vec<u32>>> {
    let mut keys: Vec<Expr> = by.iter().map(|k| col(*k)).collect();
    keys.push(col("bucket"));
    let frame = match keep {
        Some(keep) => spans.clone().lazy().filter(keep),
        None => spans.clone().lazy(),
    };
    let of_operation: Vec<Expr> = by.iter().chain(&["op"]).map(|k| col(*k)).collect();
    let usual = |time: &str| -> PolarsResult<Expr> {
        Ok(at_least(col(time).median().over(of_operation.clone())?, 1e-6))
    };
    let rows = frame
        .with_columns([usual("dur")?.alias("usual"), usual("self")?.alias("usual_self")])
        .group_by(keys)
        .agg([
            len().cast(DataType::Float64).alias("n"),
            col("error").cast(DataType::Float64).sum().alias("errors"),
            col("dur").sum().alias("d"),
            col("self").sum().alias("s"),
            col("usual").sum(),
            col("usual_self").sum(),
        ])
        .collect()?;
    let c = Columns(&rows);
    let ids = by.iter().map(|k| c.u(k)).collect::<PolarsResult<Vec<_>>>()?;
    let (t, n, errors, d, s) = (c.i("bucket")?, c.f("n")?, c.f("errors")?, c.f("d")?, c.f("s")?);
    let (usual, usual_self) = (c.f("usual")?, c.f("usual_self")?);
    let mut cells: Cells<Vec<u32>> = BTreeMap::new();
    for i in 0..t.len() {
        let key: Vec<u32> = ids.iter().map(|column| column[i]).collect();
        let cell = Cell {
            count: n[i],
            errors: errors[i],
            duration: d[i],
            self_time: s[i],
            usual: usual[i],
            usual_self: usual_self[i],
        };
        cells.entry(key).or_default().insert(t[i], cell);
    }
    Ok(cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean durations of one service whose spans are `(bucket, operation, seconds)`.
    fn means(spans: &[(i64, u32, f64)]) -> Vec<f64> {
        let n = spans.len();
        let frame = df!(
            "service" => vec![0u32; n],
            "op" => spans.iter().map(|s| s.1).collect::<Vec<_>>(),
            "bucket" => spans.iter().map(|s| s.0).collect::<Vec<_>>(),
            "error" => vec![false; n],
            "dur" => spans.iter().map(|s| s.2).collect::<Vec<_>>(),
            "self" => spans.iter().map(|s| s.2).collect::<Vec<_>>(),
        );
        let cells = group(&frame.expect("a frame"), &["service"], None).expect("grouped");
        let cells = &cells[&vec![0u32]];
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
