//! Results of CloudWatch to series, once all files are read. In: results, and the queries of the
//! same folder. Out: named series with labels and units; counts as rates, their zeros filled in.
//!
//! A result of `get-metric-data` says only its `Id` and its `Label`. The query with that `Id` in a
//! file of the same folder says the rest; without one, the label is searched for a known name.

use super::known::{self, Kind};
use crate::ingest::raw::{FileId, Raw, RawSeries};
use crate::model::{GapKind, Micros, SECOND};
use std::collections::{BTreeMap, BTreeSet};

/// One result as the export has it.
#[derive(Debug, Default)]
pub struct Measured {
    pub file: FileId,
    pub line: u64,
    /// Name of the query; empty where the format has none.
    pub id: String,
    pub label: String,
    pub statistic: Option<String>,
    /// Unit as CloudWatch writes it; empty if unknown.
    pub unit: String,
    pub period_s: Option<f64>,
    /// `Complete`, `PartialData`, `Forbidden`, `InternalError`; empty if unknown.
    pub status: String,
    pub labels: BTreeMap<String, String>,
    pub samples: Vec<(Micros, f64)>,
}

/// One query of `get-metric-data`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricQuery {
    pub file: FileId,
    pub id: String,
    pub namespace: String,
    /// Empty for an expression.
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub statistic: String,
    pub unit: String,
    pub period_s: Option<f64>,
}

/// What is kept of CloudWatch until all files are read.
#[derive(Debug, Default)]
pub struct CloudWatch {
    pub results: Vec<Measured>,
    pub queries: Vec<MetricQuery>,
}

impl CloudWatch {
    /// Appends what one file gave, under its number among all files.
    pub fn absorb(&mut self, part: CloudWatch, file: FileId) {
        self.results.extend(part.results.into_iter().map(|r| Measured { file, ..r }));
        self.queries.extend(part.queries.into_iter().map(|q| MetricQuery { file, ..q }));
    }
}

/// A dimension as a label: of `app/NAME/ID` and `targetgroup/NAME/ID` the name is kept.
pub fn dimension(name: &str, value: &str) -> (String, String) {
    let parts: Vec<&str> = value.split('/').collect();
    let balancer = ["LoadBalancer", "TargetGroup"].contains(&name);
    let short = match parts[..] {
        ["app" | "net" | "gwy" | "targetgroup", short, _] if balancer => short,
        _ => value,
    };
    (name.to_owned(), short.to_owned())
}

/// A result whose metric is known as well as it can be.
struct Named {
    measured: Measured,
    namespace: String,
    name: String,
    kind: Option<Kind>,
    period_s: Option<f64>,
}

/// Makes series of all results.
pub fn complete(raw: &mut Raw) {
    let CloudWatch { results, queries } = std::mem::take(&mut raw.cloudwatch);
    if results.is_empty() {
        return;
    }
    let folders: Vec<String> = raw.files.iter().map(|f| folder(&f.path)).collect();
    let folder_of = |file: FileId| folders.get(file as usize).map_or("", String::as_str);
    let mut index: BTreeMap<(&str, &str), Vec<&MetricQuery>> = BTreeMap::new();
    for query in &queries {
        let same = index.entry((folder_of(query.file), query.id.as_str())).or_default();
        // The same query in two files is one.
        if !same.iter().any(|q| MetricQuery { file: query.file, ..(*q).clone() } == *query) {
            same.push(query);
        }
    }
    let mut named: Vec<Named> = Vec::new();
    for measured in joined_pages(results) {
        note_status(&measured, raw);
        let found = index.get(&(folder_of(measured.file), measured.id.as_str()));
        let query =
            found.filter(|_| !measured.id.is_empty()).and_then(|q| chosen(q, &measured, raw));
        named.push(understood(measured, query, raw));
    }
    let groups: Vec<String> =
        named.iter().map(|n| format!("{}\n{}", folder_of(n.measured.file), n.namespace)).collect();
    periods(&mut named, &groups);
    fill_zeros(&mut named, &groups, raw);
    for one in named {
        push(one, raw);
    }
}

fn folder(path: &str) -> String {
    path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned()
}

/// Puts the pages of one result together: the same `Id` and label in the same file.
fn joined_pages(results: Vec<Measured>) -> Vec<Measured> {
    let mut made: Vec<Measured> = Vec::new();
    let mut at: BTreeMap<(FileId, String, String), usize> = BTreeMap::new();
    for result in results {
        let key = (result.file, result.id.clone(), result.label.clone());
        let known = at.get(&key).filter(|_| !result.id.is_empty()).copied();
        match known.and_then(|i| made.get_mut(i)) {
            Some(page) => {
                page.samples.extend(result.samples);
                // Every page but the last is partial.
                page.status = result.status;
            }
            None => {
                at.insert(key, made.len());
                made.push(result);
            }
        }
    }
    made
}

fn note_status(measured: &Measured, raw: &mut Raw) {
    if !["", "Complete"].contains(&measured.status.as_str()) {
        let (id, status) = (&measured.id, &measured.status);
        let what = format!("CloudWatch gave \"{id}\" the status {status}: data is missing");
        raw.gap(GapKind::Missing, measured.file, Some(measured.line), what);
    }
}

/// The query of a result; of several with one `Id`, the one whose metric the label names.
fn chosen<'a>(
    found: &[&'a MetricQuery],
    measured: &Measured,
    raw: &mut Raw,
) -> Option<&'a MetricQuery> {
    if let [one] = found {
        return Some(one);
    }
    let mut fits = found.iter().filter(|q| !q.name.is_empty() && measured.label.contains(&q.name));
    let first = fits.next().copied();
    if first.is_none() || fits.next().is_some() {
        let what = format!("several queries of this folder are called \"{}\"", measured.id);
        raw.gap(GapKind::Doubtful, measured.file, Some(measured.line), what);
        return None;
    }
    first
}

/// Gives a result its metric, by its query or by its label.
fn understood(mut measured: Measured, query: Option<&MetricQuery>, raw: &mut Raw) -> Named {
    let (in_label, statistic) = known::in_label(&measured.label);
    let (mut namespace, mut name) = (String::new(), String::new());
    let mut period_s = measured.period_s;
    if let Some(q) = query.filter(|q| !q.name.is_empty()) {
        (namespace, name) = (q.namespace.clone(), q.name.clone());
        measured.labels.extend(q.labels.clone());
        let said = Some(q.statistic.clone()).filter(|s| !s.is_empty());
        measured.statistic = said.or(measured.statistic);
        if measured.unit.is_empty() {
            measured.unit = q.unit.clone();
        }
        period_s = period_s.or(q.period_s);
    }
    let expression = query.is_some_and(|q| q.name.is_empty());
    if name.is_empty() && !expression {
        name = in_label.unwrap_or_default().to_owned();
        measured.statistic = measured.statistic.or(statistic);
        if let Some(subject) = known::subject(&measured.label).filter(|_| !name.is_empty()) {
            let (_, short) = dimension("LoadBalancer", subject);
            measured.labels.insert("entity".to_owned(), short);
        }
    }
    if name.is_empty() {
        name = [&measured.label, &measured.id]
            .into_iter()
            .find(|n| !n.is_empty())
            .cloned()
            .unwrap_or_default();
    }
    let told = if expression { None } else { known::known(&namespace, &name) };
    // A name that only one namespace has says the namespace as well.
    if let Some(k) = told.filter(|_| namespace.is_empty()) {
        namespace = k.0.to_owned();
    }
    if let Some(k) = told.filter(|_| measured.unit.is_empty()) {
        measured.unit = k.2.to_owned();
    }
    let kind = told.map(|k| k.3);
    if measured.statistic.is_none() && matches!(kind, Some(Kind::Counter | Kind::Sparse)) {
        let what = "no query file says the statistic of a count: taken to be Sum";
        raw.gap(GapKind::Inferred, measured.file, Some(measured.line), format!("{name}: {what}"));
        measured.statistic = Some("Sum".to_owned());
    }
    if !measured.label.is_empty() && measured.label != name {
        measured.labels.insert("label".to_owned(), measured.label.clone());
    }
    Named { measured, namespace, name, kind, period_s }
}

/// The most frequent distance of neighbouring times, in seconds; the shorter of two equals.
fn mode<'a>(all: impl Iterator<Item = &'a Measured>) -> Option<f64> {
    let mut counts: BTreeMap<Micros, usize> = BTreeMap::new();
    for one in all {
        let times: BTreeSet<Micros> = one.samples.iter().map(|s| s.0).collect();
        for (a, b) in times.iter().zip(times.iter().skip(1)) {
            *counts.entry(b - a).or_default() += 1;
        }
    }
    let best = counts.iter().max_by_key(|(step, n)| (**n, std::cmp::Reverse(**step)))?;
    Some(*best.0 as f64 / SECOND as f64)
}

/// Finds the periods that nothing says: from a result's own times, or from those of its siblings
/// where it has too few or leaves out its zeros.
fn periods(named: &mut [Named], groups: &[String]) {
    let mut regular: BTreeMap<&str, Vec<&Measured>> = BTreeMap::new();
    for (one, group) in named.iter().zip(groups).filter(|(n, _)| n.kind != Some(Kind::Sparse)) {
        regular.entry(group).or_default().push(&one.measured);
    }
    let siblings: BTreeMap<&str, Option<f64>> =
        regular.into_iter().map(|(g, all)| (g, mode(all.into_iter()))).collect();
    for (one, group) in named.iter_mut().zip(groups) {
        let other = siblings.get(group.as_str()).copied().flatten();
        let own = || mode(std::iter::once(&one.measured));
        let found =
            if one.kind == Some(Kind::Sparse) { other.or_else(own) } else { own().or(other) };
        one.period_s = one.period_s.or(found);
    }
}

/// Fills a counter that is absent when zero at the times at which its siblings were measured.
fn fill_zeros(named: &mut [Named], groups: &[String], raw: &mut Raw) {
    let mut measured_at: BTreeMap<(&str, &str, u64), BTreeSet<Micros>> = BTreeMap::new();
    let balancer = |n: &Named| n.measured.labels.get("LoadBalancer").cloned().unwrap_or_default();
    let balancers: Vec<String> = named.iter().map(balancer).collect();
    let keys: Vec<(&str, &str, u64)> = named
        .iter()
        .zip(groups.iter().zip(&balancers))
        .map(|(n, (g, b))| (g.as_str(), b.as_str(), n.period_s.unwrap_or_default().to_bits()))
        .collect();
    for (one, key) in named.iter().zip(&keys).filter(|(n, _)| !n.namespace.is_empty()) {
        measured_at.entry(*key).or_default().extend(one.measured.samples.iter().map(|s| s.0));
    }
    for (one, key) in named.iter_mut().zip(&keys) {
        let whole = ["", "Complete"].contains(&one.measured.status.as_str());
        let sum = one.measured.statistic.as_deref() == Some("Sum");
        if one.kind != Some(Kind::Sparse) || !sum || !whole {
            continue;
        }
        let own: BTreeSet<Micros> = one.measured.samples.iter().map(|s| s.0).collect();
        let at = measured_at.get(key).into_iter().flatten();
        let zeros: Vec<(Micros, f64)> =
            at.filter(|t| !own.contains(t)).map(|t| (*t, 0.0)).collect();
        let what = match zeros.len() {
            0 => "absent when zero, and no other metric of its namespace says when".to_owned(),
            n => format!("absent when zero: {n} points filled in, as others were measured then"),
        };
        let line = Some(one.measured.line);
        raw.gap(GapKind::Inferred, one.measured.file, line, format!("{}: {what}", one.name));
        one.measured.samples.extend(zeros);
    }
}

/// Hands one series over; a sum of a count is divided by its period.
fn push(one: Named, raw: &mut Raw) {
    let Named { measured, mut name, kind, period_s, .. } = one;
    if measured.samples.is_empty() {
        return;
    }
    let (mut unit, mut factor) = known::unit(&measured.unit);
    let amount = [None, Some("count"), Some("bytes")].contains(&unit.as_deref());
    let (mut statistic, mut query) = (measured.statistic.clone(), None);
    match statistic.as_deref() {
        Some("Sum") if kind != Some(Kind::Gauge) && amount => {
            let Some(period) = period_s else {
                let what = format!("{name}: a sum over a period that nothing says");
                let lost = measured.samples.len() as u64;
                return raw.skip(measured.file, Some(measured.line), what, lost);
            };
            factor /= period;
            unit = Some(if unit.as_deref() == Some("bytes") { "by/s" } else { "1/s" }.to_owned());
            statistic = Some("rate".to_owned());
            // Otherwise a name that ends in `_Count` would be taken for a counter.
            query = Some(format!("rate({name})"));
        }
        // Not values of the metric: they must not be taken for it.
        Some("Sum") => name.push_str("Sum"),
        Some("SampleCount") => {
            name.push_str("SampleCount");
            unit = Some("count".to_owned());
            factor = 1.0;
        }
        _ => {}
    }
    let mut series = RawSeries {
        file: measured.file,
        name,
        query,
        unit,
        statistic: statistic.map(|s| if s == "Minimum" { "min".into() } else { s.to_lowercase() }),
        labels: measured.labels,
        samples: measured.samples.into_iter().map(|(t, v)| (t, v * factor)).collect(),
    };
    super::drop_infinite(&mut series, measured.file, raw);
    raw.series.push(series);
}
