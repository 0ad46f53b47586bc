//! Spans to rollups, as lazy Polars plans: per service and edge series, and per operation and
//! parent-child pair counts with the sums that a comparison of two windows needs.

use super::{Origin, SignalSeries, Source, VersionSpan};
use crate::error::Result;
use crate::graph::Graph;
use crate::model::{EntityId, Micros, SECOND, Subject};
use crate::signals::{SignalTable, Stat};
use crate::telemetry::{NONE, Telemetry, frame_error};
use polars::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// One operation of a service in one bucket. Durations in seconds; `ln` sums are over the natural
/// logarithm of duration or self time (at least one microsecond).
#[derive(Clone, Debug, PartialEq)]
pub struct OperationRow {
    pub service: EntityId,
    pub operation: u32,
    pub entry: bool,
    /// Whom a client span calls: its own time is time on the way to and at the callee.
    pub peer: Option<EntityId>,
    pub t: Micros,
    pub count: f64,
    pub errors: f64,
    pub duration: f64,
    pub ln: f64,
    pub ln2: f64,
    pub self_time: f64,
    pub self_ln: f64,
    pub self_ln2: f64,
}

/// Calls from one operation to another in one bucket, also inside one service.
#[derive(Clone, Debug, PartialEq)]
pub struct CallRow {
    pub caller: EntityId,
    pub caller_operation: u32,
    pub callee: EntityId,
    pub operation: u32,
    pub t: Micros,
    pub count: f64,
}

/// What the traces give.
pub struct TraceRollups {
    pub series: Vec<SignalSeries>,
    pub operations: Vec<OperationRow>,
    pub calls: Vec<CallRow>,
    pub versions: Vec<VersionSpan>,
    pub bucket: Micros,
}

/// Rolls the spans up into buckets of `bucket` microseconds.
pub fn roll_up(telemetry: &Telemetry, bucket: Micros) -> Result<TraceRollups> {
    let mut out = TraceRollups {
        series: Vec::new(),
        operations: Vec::new(),
        calls: Vec::new(),
        versions: Vec::new(),
        bucket,
    };
    if telemetry.spans.height() == 0 {
        return Ok(out);
    }
    let spans = enriched(telemetry, bucket).map_err(frame_error("span rollup"))?;
    let fail = frame_error("span rollup");
    out.operations = operations(&spans).map_err(&fail)?;
    out.calls = calls(&spans).map_err(&fail)?;
    out.versions = versions(&spans, telemetry).map_err(&fail)?;
    let maker = Maker::new(telemetry, &spans, bucket).map_err(&fail)?;
    maker.services(&spans, &mut out.series).map_err(&fail)?;
    maker.instances(&spans, &mut out.series).map_err(&fail)?;
    maker.edges(&spans, &mut out.series).map_err(&fail)?;
    Ok(out)
}

/// Adds duration, bucket, self time and the parent's service and operation to every span.
fn enriched(telemetry: &Telemetry, bucket: Micros) -> PolarsResult<DataFrame> {
    let spans = telemetry.spans.clone().lazy().with_columns([
        ((col("end") - col("start")).cast(DataType::Float64) / lit(1e6)).alias("dur"),
        ((col("start") - (col("start") % lit(bucket))).alias("bucket")),
    ]);
    let children = spans
        .clone()
        .filter(col("parent").neq(lit(0u64)).and(col("kind").neq(lit(4u32))))
        .group_by([col("trace"), col("parent")])
        .agg([col("dur").sum().alias("child_dur")]);
    let parents = spans.clone().select([
        col("trace").alias("p_trace"),
        col("span").alias("p_span"),
        col("service").alias("p_service"),
        col("op").alias("p_op"),
    ]);
    let parents = parents
        .unique(Some(by_name(["p_trace", "p_span"], true, false)), UniqueKeepStrategy::First);
    let left = JoinArgs::new(JoinType::Left);
    spans
        .join(children, [col("trace"), col("span")], [col("trace"), col("parent")], left.clone())
        .join(parents, [col("trace"), col("parent")], [col("p_trace"), col("p_span")], left)
        .with_columns([
            at_least(col("dur") - col("child_dur").fill_null(lit(0.0)), 0.0).alias("self"),
            col("p_service").is_null().or(col("p_service").neq(col("service"))).alias("entry"),
        ])
        .with_columns([
            at_least(col("dur"), 1e-6).alias("dur_floor"),
            at_least(col("self"), 1e-6).alias("self_floor"),
        ])
        .collect()
}

/// The expression, or `floor` where it is smaller.
fn at_least(e: Expr, floor: f64) -> Expr {
    when(e.clone().gt(lit(floor))).then(e).otherwise(lit(floor))
}

/// Reads f64, i64 and u32 columns of a collected frame without nulls.
struct Columns<'a>(&'a DataFrame);

impl Columns<'_> {
    fn f(&self, name: &str) -> PolarsResult<Vec<f64>> {
        let c = self.0.column(name)?.cast(&DataType::Float64)?;
        Ok(c.f64()?.iter().map(|v| v.unwrap_or(0.0)).collect())
    }

    fn i(&self, name: &str) -> PolarsResult<Vec<i64>> {
        Ok(self.0.column(name)?.i64()?.iter().map(|v| v.unwrap_or(0)).collect())
    }

    fn u(&self, name: &str) -> PolarsResult<Vec<u32>> {
        Ok(self.0.column(name)?.u32()?.iter().map(|v| v.unwrap_or(NONE)).collect())
    }
}

fn operations(spans: &DataFrame) -> PolarsResult<Vec<OperationRow>> {
    let rows = spans
        .clone()
        .lazy()
        .with_columns([ln("dur_floor", "ln"), ln("self_floor", "self_ln")])
        .with_columns([when(is_client()).then(col("peer")).otherwise(lit(NONE)).alias("callee")])
        .group_by([col("service"), col("op"), col("entry"), col("callee"), col("bucket")])
        .agg([
            len().cast(DataType::Float64).alias("n"),
            col("error").cast(DataType::Float64).sum().alias("errors"),
            col("dur").sum().alias("d"),
            col("ln").sum().alias("ln_sum"),
            (col("ln") * col("ln")).sum().alias("ln2"),
            col("self").sum().alias("s"),
            col("self_ln").sum().alias("self_ln_sum"),
            (col("self_ln") * col("self_ln")).sum().alias("self_ln2"),
        ])
        .collect()?;
    let c = Columns(&rows);
    let entry = rows.column("entry")?.bool()?.iter().map(|v| v.unwrap_or(false));
    let (service, op, t) = (c.u("service")?, c.u("op")?, c.i("bucket")?);
    let peer = c.u("callee")?;
    let (n, errors, d, ln_sum, ln2) =
        (c.f("n")?, c.f("errors")?, c.f("d")?, c.f("ln_sum")?, c.f("ln2")?);
    let (s, self_ln, self_ln2) = (c.f("s")?, c.f("self_ln_sum")?, c.f("self_ln2")?);
    let mut out: Vec<OperationRow> = entry
        .enumerate()
        .map(|(i, entry)| OperationRow {
            service: EntityId(service[i]),
            operation: op[i],
            entry,
            peer: (peer[i] != NONE && peer[i] != service[i]).then_some(EntityId(peer[i])),
            t: t[i],
            count: n[i],
            errors: errors[i],
            duration: d[i],
            ln: ln_sum[i],
            ln2: ln2[i],
            self_time: s[i],
            self_ln: self_ln[i],
            self_ln2: self_ln2[i],
        })
        .collect();
    out.sort_by_key(|r| (r.service, r.operation, r.entry, r.peer, r.t));
    Ok(out)
}

/// Spans that wait for somebody else.
fn is_client() -> Expr {
    col("kind").eq(lit(2u32)).or(col("kind").eq(lit(3u32)))
}

/// Natural logarithm of a positive column.
fn ln(from: &str, to: &str) -> Expr {
    col(from).log(lit(std::f64::consts::E)).alias(to)
}

fn calls(spans: &DataFrame) -> PolarsResult<Vec<CallRow>> {
    let rows = spans
        .clone()
        .lazy()
        .filter(col("p_service").is_not_null())
        .group_by([col("p_service"), col("p_op"), col("service"), col("op"), col("bucket")])
        .agg([len().cast(DataType::Float64).alias("n")])
        .collect()?;
    let c = Columns(&rows);
    let (caller, caller_op) = (c.u("p_service")?, c.u("p_op")?);
    let (callee, op, t, n) = (c.u("service")?, c.u("op")?, c.i("bucket")?, c.f("n")?);
    let row = |i: usize| CallRow {
        caller: EntityId(caller[i]),
        caller_operation: caller_op[i],
        callee: EntityId(callee[i]),
        operation: op[i],
        t: t[i],
        count: n[i],
    };
    let mut out: Vec<CallRow> = (0..n.len()).map(row).collect();
    out.sort_by_key(|r| (r.caller, r.caller_operation, r.callee, r.operation, r.t));
    Ok(out)
}

fn versions(spans: &DataFrame, telemetry: &Telemetry) -> PolarsResult<Vec<VersionSpan>> {
    let rows = spans
        .clone()
        .lazy()
        .filter(col("version").neq(lit(0u32)))
        .group_by([col("service"), col("instance"), col("version")])
        .agg([col("start").min().alias("first"), col("end").max().alias("last")])
        .collect()?;
    let c = Columns(&rows);
    let (service, instance, version) = (c.u("service")?, c.u("instance")?, c.u("version")?);
    let (first, last) = (c.i("first")?, c.i("last")?);
    let row = |i: usize| VersionSpan {
        service: EntityId(service[i]),
        instance: (instance[i] != NONE).then_some(EntityId(instance[i])),
        version: telemetry.symbols.get(version[i] as usize).cloned().unwrap_or_default(),
        first: first[i],
        last: last[i],
    };
    Ok((0..service.len()).map(row).collect())
}

/// Count, errors and time of one subject per bucket.
#[derive(Clone, Copy, Default)]
struct Cell {
    count: f64,
    errors: f64,
    duration: f64,
    self_time: f64,
}

type Cells<K> = BTreeMap<K, BTreeMap<Micros, Cell>>;

/// Makes series from grouped frames.
struct Maker<'a> {
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
    fn new(telemetry: &'a Telemetry, spans: &DataFrame, bucket: Micros) -> PolarsResult<Self> {
        let times = Columns(spans).i("bucket")?;
        let (first, last) = (times.iter().min().copied(), times.iter().max().copied());
        let (first, last) = (first.unwrap_or(0), last.unwrap_or(0));
        let count = ((last - first) / bucket).min(1_000_000);
        let readers = ["otlp-traces", "jaeger"];
        let file = telemetry.files.iter().find(|f| readers.contains(&f.reader.as_str()));
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

    fn services(&self, spans: &DataFrame, out: &mut Vec<SignalSeries>) -> PolarsResult<()> {
        let all = group(spans, &["service"], Some(is_client().not()))?;
        for (service, cells) in &self.entries {
            let subject = Subject::Entity(EntityId(*service));
            self.red(subject, cells, false, out);
            let own = all.get(&vec![*service]);
            let mean = |(t, c): (&Micros, &Cell)| {
                let total = own.and_then(|o| o.get(t)).map_or(0.0, |o| o.self_time);
                (c.count > 0.0).then(|| (*t, total / c.count))
            };
            let points = cells.iter().filter_map(mean).collect();
            self.emit("trace.self_time", subject, Stat::Mean, points, out);
        }
        Ok(())
    }

    fn instances(&self, spans: &DataFrame, out: &mut Vec<SignalSeries>) -> PolarsResult<()> {
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
    fn edges(&self, spans: &DataFrame, out: &mut Vec<SignalSeries>) -> PolarsResult<()> {
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
        let mean = each(|c| c.duration);
        self.emit(&format!("http.{side}.request.duration"), subject, Stat::Mean, mean, out);
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
    let rows = frame
        .group_by(keys)
        .agg([
            len().cast(DataType::Float64).alias("n"),
            col("error").cast(DataType::Float64).sum().alias("errors"),
            col("dur").sum().alias("d"),
            col("self").sum().alias("s"),
        ])
        .collect()?;
    let c = Columns(&rows);
    let ids = by.iter().map(|k| c.u(k)).collect::<PolarsResult<Vec<_>>>()?;
    let (t, n, errors, d, s) = (c.i("bucket")?, c.f("n")?, c.f("errors")?, c.f("d")?, c.f("s")?);
    let mut cells: Cells<Vec<u32>> = BTreeMap::new();
    for i in 0..t.len() {
        let key: Vec<u32> = ids.iter().map(|column| column[i]).collect();
        let cell = Cell { count: n[i], errors: errors[i], duration: d[i], self_time: s[i] };
        cells.entry(key).or_default().insert(t[i], cell);
    }
    Ok(cells)
}
