//! Spans to rollups, as lazy Polars plans: per operation and parent-child pair counts with the sums
//! that a comparison of two windows needs, versions, and series per service and edge.

use super::trace_series::Maker;
use super::{SignalSeries, VersionSpan, own_time, roles};
use crate::error::Result;
use crate::model::{EntityId, Micros};
use crate::telemetry::{NONE, Telemetry, frame_error};
use polars::prelude::*;

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
    let mut spans = telemetry.spans.clone();
    let inferred = {
        let of = |name: &str| u32s(&spans, name);
        roles::inferred(of("parent")?, of("service")?, of("op")?, of("kind")?, of("peer")?)
    };
    if let Some((kinds, peers)) = inferred {
        spans.with_column(Column::new("kind".into(), kinds))?;
        spans.with_column(Column::new("peer".into(), peers))?;
    }
    let (parent, service, op) =
        (u32s(&spans, "parent")?, u32s(&spans, "service")?, u32s(&spans, "op")?);
    let (start, end) = (i64s(&spans, "start")?, i64s(&spans, "end")?);
    let covered = own_time::covered(parent, u32s(&spans, "kind")?, start, end);
    let dur: Vec<f64> = start.iter().zip(end).map(|(s, e)| (e - s) as f64 / 1e6).collect();
    let own: Vec<f64> = dur.iter().zip(covered).map(|(d, c)| (d - c).max(0.0)).collect();
    let buckets: Vec<i64> = start.iter().map(|s| s - s % bucket).collect();
    let of_parent = |column: &[u32]| -> Vec<u32> {
        parent.iter().map(|p| column.get(*p as usize).copied().unwrap_or(NONE)).collect()
    };
    let (p_service, p_op) = (of_parent(service), of_parent(op));
    let entry: Vec<bool> = p_service.iter().zip(service).map(|(p, s)| p != s).collect();
    let added = [
        Column::new("dur".into(), dur),
        Column::new("self".into(), own),
        Column::new("bucket".into(), buckets),
        Column::new("p_service".into(), p_service),
        Column::new("p_op".into(), p_op),
        Column::new("entry".into(), entry),
    ];
    for column in added {
        spans.with_column(column)?;
    }
    Ok(spans)
}

/// A column of a frame that was made in one piece, without nulls.
pub fn u32s<'f>(frame: &'f DataFrame, name: &str) -> PolarsResult<&'f [u32]> {
    frame.column(name)?.u32()?.cont_slice()
}

/// As [`u32s`].
pub fn i64s<'f>(frame: &'f DataFrame, name: &str) -> PolarsResult<&'f [i64]> {
    frame.column(name)?.i64()?.cont_slice()
}

/// As [`u32s`].
pub fn f64s<'f>(frame: &'f DataFrame, name: &str) -> PolarsResult<&'f [f64]> {
    frame.column(name)?.f64()?.cont_slice()
}

/// The expression, or `floor` where it is smaller.
fn at_least(e: Expr, floor: f64) -> Expr {
    when(e.clone().gt(lit(floor))).then(e).otherwise(lit(floor))
}

/// Reads f64, i64 and u32 columns of a collected frame without nulls.
pub struct Columns<'a>(pub &'a DataFrame);

impl Columns<'_> {
    pub fn f(&self, name: &str) -> PolarsResult<Vec<f64>> {
        let c = self.0.column(name)?.cast(&DataType::Float64)?;
        Ok(c.f64()?.iter().map(|v| v.unwrap_or(0.0)).collect())
    }

    pub fn i(&self, name: &str) -> PolarsResult<Vec<i64>> {
        Ok(self.0.column(name)?.i64()?.iter().map(|v| v.unwrap_or(0)).collect())
    }

    pub fn u(&self, name: &str) -> PolarsResult<Vec<u32>> {
        Ok(self.0.column(name)?.u32()?.iter().map(|v| v.unwrap_or(NONE)).collect())
    }
}

fn operations(spans: &DataFrame) -> PolarsResult<Vec<OperationRow>> {
    let rows = spans
        .clone()
        .lazy()
        .with_columns([ln("dur", "ln"), ln("self", "self_ln")])
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

/// Natural logarithm of a column of seconds, of a microsecond at least.
fn ln(from: &str, to: &str) -> Expr {
    at_least(col(from), 1e-6).log(lit(std::f64::consts::E)).alias(to)
}

fn calls(spans: &DataFrame) -> PolarsResult<Vec<CallRow>> {
    let rows = spans
        .clone()
        .lazy()
        .filter(col("p_service").neq(lit(NONE)))
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
