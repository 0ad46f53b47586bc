//! Rollups of spans (`rootline rollup`, or the SQL that it prints, run where the spans are). In: tables
//! of counts per bucket. Out: the series and edges that the spans themselves would give. Rollups of
//! samples and sessions go on to `rolled_facts`.

use super::csv_text;
use super::raw::{Raw, RawEdge, RawSeries};
use super::rolled_facts;
use super::table::Table;
use super::{Head, Input};
use crate::model::{Micros, SECOND};
use crate::time::believable;
use std::collections::BTreeMap;

/// Slots between a power of two and the next.
pub const SLOTS: i64 = 16;
/// Spans of a bucket below which it has no 99th percentile worth the name.
const QUANTILE_SPANS: f64 = 20.0;
/// Buckets of one table that are filled up where nothing was called.
const BUCKETS_MAX: i64 = 1_000_000;

/// The slot of a duration in microseconds: itself below [`SLOTS`], then [`SLOTS`] for each doubling.
pub fn slot(duration_us: i64) -> i64 {
    if duration_us < SLOTS {
        return duration_us;
    }
    let shift = i64::from(duration_us.ilog2() - SLOTS.ilog2());
    shift * SLOTS + (duration_us >> shift)
}

/// The middle of a slot, microseconds: at most 1/32 off any duration in it.
pub fn middle(slot: i64) -> f64 {
    if slot < SLOTS {
        return slot as f64;
    }
    let shift = (slot / SLOTS - 1).clamp(0, 60);
    let low = (slot - shift * SLOTS) << shift;
    // The last whole number of the slot is one less than the next slot's first.
    low as f64 + ((1i64 << shift) - 1) as f64 / 2.0
}

/// Accepts a table of buckets with what was counted in them.
pub fn accepts(head: &Head) -> bool {
    let has = |n: &str| head.has_column(n);
    let spans = has("service") && has("spans") && (has("slot") || has("time_us"));
    rolled_facts::accepts(has)
        || has("bucket_us") && (spans || (has("attempts") && has("caller") && has("callee")))
}

/// A table with its columns by name.
pub(super) struct Rows<'a> {
    pub(super) table: &'a Table,
    pub(super) columns: BTreeMap<&'a str, usize>,
}

impl Rows<'_> {
    pub(super) fn text(&self, row: usize, name: &str) -> &str {
        self.columns.get(name).map_or("", |at| self.table.rows[row][*at].trim())
    }

    /// A count or a time; none of them is negative.
    fn number(&self, row: usize, name: &str) -> Option<f64> {
        let at = self.columns.get(name)?;
        let number = self.table.rows[row][*at].trim().parse::<f64>().ok();
        number.filter(|n| n.is_finite() && *n >= 0.0)
    }

    fn bucket(&self, row: usize) -> Option<Micros> {
        self.time(row, "bucket_us")
    }

    /// A time in microseconds.
    pub(super) fn time(&self, row: usize, name: &str) -> Option<Micros> {
        believable(self.text(row, name).parse().ok()?)
    }
}

/// Sums of one subject in one bucket.
#[derive(Clone, Copy, Default)]
struct Sums {
    count: f64,
    errors: f64,
    time_us: f64,
    own_us: f64,
    /// Distinct spans that made the calls of an edge.
    makers: f64,
    /// What callers waited for longer than callees worked; unknown without spans of the callers.
    between_us: Option<f64>,
}

type Cells = BTreeMap<Micros, Sums>;

/// Reads one of the tables.
pub fn read(input: &Input, raw: &mut Raw) {
    let table = csv_text::table(input, raw);
    let columns = table.header.iter().enumerate().map(|(i, h)| (h.as_str(), i)).collect();
    let rows = Rows { table: &table, columns };
    if rows.columns.contains_key("snapshot_us") {
        return rolled_facts::sessions(input, &rows, raw);
    }
    if rows.columns.contains_key("resets") {
        return rolled_facts::samples(input, &rows, raw);
    }
    if let Some(file) = raw.files.get_mut(input.file as usize) {
        file.of_spans = true;
    }
    match () {
        () if rows.columns.contains_key("attempts") => edges(input, &rows, raw),
        () if rows.columns.contains_key("slot") => durations(input, &rows, raw),
        () => operations(input, &rows, raw),
    }
}

/// Calls `each` with the place of every row that has a bucket and the numbers of `names`.
fn each<const N: usize>(
    input: &Input,
    rows: &Rows,
    raw: &mut Raw,
    names: [&str; N],
    mut each: impl FnMut(usize, Micros, [f64; N]),
) {
    for (row, line) in rows.table.lines.iter().enumerate() {
        let numbers = names.map(|name| rows.number(row, name));
        match (rows.bucket(row), numbers.iter().all(Option::is_some)) {
            (Some(bucket), true) => {
                each(row, bucket, numbers.map(Option::unwrap_or_default));
                raw.rows(input.file, 1);
            }
            _ => raw.skip(input.file, Some(*line), "row of a rollup without its numbers", 1),
        }
    }
}

/// Says whether a kind of span takes requests in.
fn is_entry(kind: &str) -> bool {
    matches!(kind, "server" | "consumer")
}

fn waits(kind: &str) -> bool {
    matches!(kind, "client" | "producer")
}

fn operations(input: &Input, rows: &Rows, raw: &mut Raw) {
    let mut entries: BTreeMap<String, Cells> = BTreeMap::new();
    let mut own: BTreeMap<String, BTreeMap<Micros, f64>> = BTreeMap::new();
    let names = ["spans", "errors", "time_us", "self_us"];
    each(input, rows, raw, names, |row, bucket, [spans, errors, time_us, self_us]| {
        let (service, kind) = (rows.text(row, "service"), rows.text(row, "kind"));
        if !waits(kind) {
            *own.entry(service.to_owned()).or_default().entry(bucket).or_default() += self_us;
        }
        if is_entry(kind) {
            let cell = entries.entry(service.to_owned()).or_default().entry(bucket).or_default();
            add(cell, Sums { count: spans, errors, time_us, ..Sums::default() });
        }
    });
    for (service, cells) in &mut entries {
        for (bucket, cell) in cells.iter_mut() {
            cell.own_us = own.get(service).and_then(|o| o.get(bucket)).copied().unwrap_or(0.0);
        }
    }
    let axis = Axis::of(entries.values());
    for (service, cells) in &entries {
        let labels = labels(&[("service", service)]);
        emit_red(input, "server", &labels, cells, axis, raw);
        let own = |s: &Sums| (s.count > 0.0).then(|| s.own_us / s.count / SECOND as f64);
        emit(input, "trace.self_time", ("s", "avg"), &labels, points(cells, own), raw);
    }
}

fn edges(input: &Input, rows: &Rows, raw: &mut Raw) {
    let mut found: BTreeMap<(String, String), Cells> = BTreeMap::new();
    let names = ["attempts", "parents", "errors_caller", "errors_callee", "client_us", "server_us"];
    each(
        input,
        rows,
        raw,
        names,
        |row, bucket, [attempts, makers, own, theirs, client, server]| {
            let pair = (rows.text(row, "caller").to_owned(), rows.text(row, "callee").to_owned());
            let cell = found.entry(pair).or_default().entry(bucket).or_default();
            // A caller that has given up counts an error that the callee does not; it, and one that has
            // sent a message, waits less than the callee works: that says nothing about the way.
            let between_us = (client >= server).then_some(client - server);
            let (errors, time_us) = (own.max(theirs), client.max(server));
            let sums =
                Sums { count: attempts, errors, time_us, makers, between_us, ..Sums::default() };
            add(cell, sums);
        },
    );
    let axis = Axis::of(found.values());
    for ((caller, callee), cells) in &found {
        let edge = RawEdge { caller: caller.clone(), callee: callee.clone(), kind: String::new() };
        raw.edges.push(edge);
        let labels = labels(&[("service", caller), ("callee", callee)]);
        emit_red(input, "client", &labels, cells, axis, raw);
        let attempts = |s: &Sums| (s.makers > 0.0).then(|| s.count / s.makers);
        emit(input, "trace.attempts", ("", "avg"), &labels, points(cells, attempts), raw);
        let gap =
            |s: &Sums| Some(s.between_us? / s.count / SECOND as f64).filter(|_| s.count > 0.0);
        emit(input, "edge.gap", ("s", "avg"), &labels, points(cells, gap), raw);
    }
}

fn durations(input: &Input, rows: &Rows, raw: &mut Raw) {
    let mut found: BTreeMap<String, BTreeMap<Micros, BTreeMap<i64, f64>>> = BTreeMap::new();
    each(input, rows, raw, ["slot", "spans"], |row, bucket, [slot, spans]| {
        if is_entry(rows.text(row, "kind")) {
            let cells = found.entry(rows.text(row, "service").to_owned()).or_default();
            let histogram = cells.entry(bucket).or_default();
            *histogram.entry(slot as i64).or_default() += spans;
        }
    });
    for (service, cells) in &found {
        let high = cells.iter().filter_map(|(t, h)| Some((*t, quantile(h, 0.99)? / SECOND as f64)));
        let labels = labels(&[("service", service)]);
        let points = high.collect();
        emit(input, "http.server.request.duration", ("s", "p99"), &labels, points, raw);
    }
}

/// The value below which a share of the spans is, microseconds; the middle of its slot.
fn quantile(histogram: &BTreeMap<i64, f64>, share: f64) -> Option<f64> {
    let all: f64 = histogram.values().sum();
    let wanted = (all * share).ceil();
    let mut seen = 0.0;
    let reaches = |(_, n): &(&i64, &f64)| {
        seen += **n;
        seen >= wanted
    };
    let (slot, _) = histogram.iter().find(reaches).filter(|_| all >= QUANTILE_SPANS)?;
    Some(middle(*slot))
}

fn add(cell: &mut Sums, other: Sums) {
    // Of some operations the gap is known, of others not: it is that of none then.
    cell.between_us = match cell.count > 0.0 {
        true => cell.between_us.zip(other.between_us).map(|(a, b)| a + b),
        false => other.between_us,
    };
    cell.makers += other.makers;
    cell.count += other.count;
    cell.errors += other.errors;
    cell.time_us += other.time_us;
}

/// The buckets of a table: what has no row in one of them was not called in it.
#[derive(Clone, Copy)]
struct Axis {
    first: Micros,
    last: Micros,
    /// The shortest distance of two buckets that have something in them.
    step: Micros,
}

impl Axis {
    fn of<'a>(all: impl Iterator<Item = &'a Cells>) -> Axis {
        let mut times: Vec<Micros> = all.flat_map(|c| c.keys().copied()).collect();
        times.sort_unstable();
        times.dedup();
        let step = times.windows(2).map(|w| w[1] - w[0]).min().unwrap_or(10 * SECOND);
        let (first, last) = (times.first().copied(), times.last().copied());
        Axis { first: first.unwrap_or_default(), last: last.unwrap_or_default(), step }
    }
}

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn points(cells: &Cells, of: impl Fn(&Sums) -> Option<f64>) -> Vec<(Micros, f64)> {
    cells.iter().filter_map(|(t, s)| Some((*t, of(s)?))).collect()
}

/// Rate, errors and mean duration. A bucket without a row had no calls.
fn emit_red(
    input: &Input,
    side: &str,
    labels: &BTreeMap<String, String>,
    cells: &Cells,
    Axis { first, last, step }: Axis,
    raw: &mut Raw,
) {
    let seconds = step as f64 / SECOND as f64;
    let count = ((last - first) / step).min(BUCKETS_MAX);
    let rate = |t: Micros| (t, cells.get(&t).map_or(0.0, |s| s.count) / seconds);
    let rates = (0..=count).map(|i| rate(first + i * step)).collect();
    // Not by the signal's own name, which an exporter gives to a counter of durations as well.
    let calls = if side == "server" { "http_requests" } else { "edge_calls" };
    emit(input, calls, ("1/s", ""), labels, rates, raw);
    let errors = points(cells, |s| (s.count > 0.0).then(|| s.errors / s.count));
    emit(input, &format!("http.{side}.errors"), ("ratio", ""), labels, errors, raw);
    let mean = points(cells, |s| (s.count > 0.0).then(|| s.time_us / s.count / SECOND as f64));
    emit(input, &format!("http.{side}.request.duration"), ("s", "avg"), labels, mean, raw);
}

fn emit(
    input: &Input,
    name: &str,
    (unit, statistic): (&str, &str),
    labels: &BTreeMap<String, String>,
    samples: Vec<(Micros, f64)>,
    raw: &mut Raw,
) {
    if samples.is_empty() {
        return;
    }
    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    raw.series.push(RawSeries {
        file: input.file,
        name: name.to_owned(),
        query: None,
        unit: known(unit),
        statistic: known(statistic),
        labels: labels.clone(),
        samples: samples.into(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::read_text;

    #[test]
    fn slots_follow_each_other_and_hold_what_their_middle_says() {
        let mut last = -1;
        for duration in (0..5000).chain((13..42).flat_map(|p| {
            let power = 1i64 << p;
            [power - 1, power, power + power / 3]
        })) {
            let slot = slot(duration);
            assert!(slot >= last, "{duration}");
            assert!(duration > 5000 || slot - last <= 1, "{duration}: {slot} after {last}");
            last = slot;
            let off = (middle(slot) - duration as f64).abs();
            assert!(off <= duration as f64 / 32.0, "{duration}: {}", middle(slot));
        }
        assert_eq!([slot(0), slot(15), slot(16), slot(31), slot(32)], [0, 15, 16, 31, 32]);
        assert_eq!(slot(33), 32);
    }

    #[test]
    fn operations_become_rates_errors_and_times_of_their_service() {
        let text = "bucket_us,service,operation,kind,error_type,spans,errors,time_us,self_us,children\n\
            1795204800000000,cart,GET /,server,,9,0,900000,90000,9\n\
            1795204800000000,cart,GET /,server,500,1,1,100000,10000,0\n\
            1795204800000000,cart,SELECT,client,,9,0,800000,800000,0\n\
            1795204800000000,cart,render,internal,,9,0,1000,100000,0\n\
            1795204820000000,cart,GET /,server,,4,0,40000,40000,0\n\
            1795204810000000,bad,GET /,server,,x,0,0,0,0\n\
            1795204810000000,shop,GET /,server,,1,0,7,7,0\n";
        let raw = read_text("operations.csv", text.as_bytes());
        assert_eq!((raw.files[0].reader.as_str(), raw.files[0].rows), ("rollup", 6));
        assert_eq!((raw.files[0].skipped, raw.gaps[0].line), (1, Some(7)));
        let of = |name: &str| {
            let own = |s: &&RawSeries| s.name == name && s.labels["service"] == "cart";
            let series = raw.series.iter().find(own).expect("a series");
            series.samples.iter().map(|s| s.1).collect::<Vec<f64>>()
        };
        assert_eq!(of("http_requests"), [1.0, 0.0, 0.4]);
        assert_eq!(of("http.server.errors"), [0.1, 0.0]);
        assert_eq!(of("http.server.request.duration"), [0.1, 0.01]);
        assert_eq!(of("trace.self_time"), [0.02, 0.01]);
    }

    #[test]
    fn edges_join_services_and_a_caller_that_gave_up_counts() {
        let text = "bucket_us,caller,callee,operation,attempts,parents,errors_caller,errors_callee,\
            client_us,server_us\n1795204800000000,web,cart,GET /,10,5,5,1,2000000,1000000\n";
        let raw = read_text("edges.csv", text.as_bytes());
        assert_eq!((raw.edges[0].caller.as_str(), raw.edges[0].callee.as_str()), ("web", "cart"));
        let said: Vec<_> =
            raw.series.iter().map(|s| (s.name.as_str(), s.samples.at(0).1)).collect();
        let wanted = [
            ("edge_calls", 1.0),
            ("http.client.errors", 0.5),
            ("http.client.request.duration", 0.2),
            ("trace.attempts", 2.0),
            ("edge.gap", 0.1),
        ];
        assert_eq!(said, wanted);
        assert!(raw.files[0].of_spans);
    }

    #[test]
    fn histograms_add_up_to_one_quantile() {
        let text = "bucket_us,service,kind,slot,spans\n\
            1795204800000000,cart,server,10,98\n1795204800000000,cart,consumer,100,2\n\
            1795204810000000,cart,server,10,19\n";
        let raw = read_text("durations.csv", text.as_bytes());
        let high = &raw.series[0];
        assert_eq!(
            (high.name.as_str(), high.statistic.as_deref()),
            ("http.server.request.duration", Some("p99"))
        );
        assert_eq!(high.samples, [(1_795_204_800_000_000, middle(100) / 1e6)]);
    }
}
