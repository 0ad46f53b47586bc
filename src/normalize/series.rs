//! One raw series at a time: what its name means, whom it is about, in which unit it is.

use super::files::{panel_of, same_file, stem};
use super::identity::{self, About, Resolver};
use super::labels::{by_name, one_of};
use super::promql::{self, QueryMeaning};
use super::units;
use crate::ingest::raw::{MappingRow, Raw, RawSeries};
use crate::model::{EntityId, EntityKind, Subject, Unit};
use crate::signals::{Meaning, Part, SignalId, SignalTable, Stat, View, stat_of};
use crate::telemetry::{Points, SeriesMeta};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// File stems that name a kind of export, not an entity.
const GENERIC_STEMS: [&str; 27] = [
    "metrics",
    "data",
    "export",
    "dashboard",
    "panel",
    "series",
    "samples",
    "query",
    "result",
    "results",
    "output",
    "simple_data",
    "simple_metrics",
    "normal",
    "anomalous",
    "abnormal",
    "anomaly",
    "baseline",
    "incident",
    "fault",
    "failure",
    "before",
    "during",
    "after",
    "faulty",
    "all",
    "telemetry",
];

/// One file and signal (and statistic): the same unit for all its series.
pub(super) type ScaleKey = (u32, SignalId, Option<String>);

/// Words in a name that say that the values are a share.
const RATE_WORDS: [&str; 5] = ["ratio", "rate", "percent", "pct", "share"];

/// What a series' name turned out to mean.
pub(super) struct Understood<'r> {
    /// The user's own row of mapping.toml.
    row: Option<&'r MappingRow>,
    meaning: Meaning,
    query: QueryMeaning,
    /// Metric name in front of which an entity's name was cut off.
    entity: Option<String>,
}

fn scale_key(series: &RawSeries, signal: SignalId) -> ScaleKey {
    (series.file, signal, series.statistic.clone())
}

pub(super) struct Run<'a> {
    pub(super) resolver: Resolver<'a>,
    pub(super) table: &'a SignalTable,
    /// Largest value of each file's signal: one metric has one unit in all its series.
    pub(super) largest: BTreeMap<ScaleKey, f64>,
    pub(super) unknown: BTreeMap<String, u64>,
    pub(super) lost: BTreeMap<String, u64>,
    /// Series of unknown callers that their callees report as well, by name.
    pub(super) told: BTreeMap<String, u64>,
}

impl Run<'_> {
    /// The one entity that each labelled metric is about, for panels that lost their labels.
    pub(super) fn homes(&mut self, raw: &Raw) -> BTreeMap<String, Option<EntityId>> {
        let mut homes: BTreeMap<String, Option<EntityId>> = BTreeMap::new();
        for series in raw.series.iter().filter(|s| !s.name.is_empty()) {
            let Some((id, _)) = self.resolver.labelled(series) else { continue };
            let base = series.name.trim_end_matches("_total").to_owned();
            let entry = homes.entry(base).or_insert(Some(id));
            if *entry != Some(id) {
                *entry = None;
            }
        }
        homes
    }

    pub(super) fn largest_values(&self, raw: &Raw) -> BTreeMap<ScaleKey, f64> {
        let largest = |series: &RawSeries| {
            let u = self.understand(raw, series)?;
            let own = series.samples.values().iter().map(|v| v.abs()).fold(0.0, f64::max);
            Some((scale_key(series, u.meaning.signal), own))
        };
        let each: Vec<Option<(ScaleKey, f64)>> = raw.series.par_iter().map(largest).collect();
        let mut out: BTreeMap<ScaleKey, f64> = BTreeMap::new();
        for (key, own) in each.into_iter().flatten() {
            let slot = out.entry(key).or_default();
            *slot = slot.max(own);
        }
        out
    }

    /// What a series' name means; whatever other series say does not matter.
    pub(super) fn understand<'r>(
        &self,
        raw: &'r Raw,
        series: &RawSeries,
    ) -> Option<Understood<'r>> {
        let path = &raw.files[series.file as usize].path;
        let manifest = raw.queries.iter().find(|(f, _)| same_file(f, path)).map(|(_, q)| q);
        let query = series.query.as_ref().or(manifest.filter(|_| series.name.is_empty()));
        let query = query.map(|q| promql::read(q)).unwrap_or_default();
        let name = match () {
            () if !series.name.is_empty() => series.name.clone(),
            () if !query.metric.is_empty() => query.metric.clone(),
            () => stem(path).to_owned(),
        };
        let row = raw.mapping.iter().find(|m| m.metric == name);
        if let Some((row, signal)) = row.and_then(|r| Some((r, self.table.named(&r.signal)?))) {
            let part = self.table.meaning(&name).map(|m| m.part).unwrap_or_default();
            let meaning = Meaning { signal, part, stat: Stat::Value, unit: None, guessed: false };
            return Some(Understood { row: Some(row), meaning, query, entity: None });
        }
        let mut meaning = self.table.meaning(&name)?;
        if let Some(signal) = self.table.named("housekeeping").filter(|_| tells_creation(series)) {
            (meaning.signal, meaning.guessed) = (signal, false);
            return Some(Understood { row: None, meaning, query, entity: None });
        }
        let mut entity = None;
        let unlabelled = self.resolver.label(series, "service").is_none();
        let alone = unlabelled && query.metric.is_empty() && !series.name.is_empty();
        if meaning.guessed
            && alone
            && let Some((e, metric)) = self.resolver.split_name(&name)
        {
            meaning = self.table.meaning(metric)?;
            entity = Some(e.to_owned());
        }
        let over = |name: &str| self.table.named(name);
        let client = self.table.get(meaning.signal).view == View::Client;
        if query.error_ratio {
            meaning.signal =
                over(if client { "http.client.errors" } else { "http.server.errors" })?;
        } else if query.hit_ratio {
            meaning.signal = over("cache.hit_ratio")?;
        } else if query.rate
            && query.quantile.is_none()
            && !query.mean
            && meaning.part != Part::Value
        {
            let role = self.table.get(meaning.signal).role.as_str();
            if role == "latency" && meaning.part == Part::Sum {
                // Seconds spent in a second: no number of requests.
                meaning.signal = over("time.spent")?;
            } else if role == "latency" {
                let requests = if client { "http.client.requests" } else { "http.server.requests" };
                meaning.signal = over(requests)?;
            }
        }
        if let Some(q) = query.quantile {
            meaning.stat = Stat::Quantile(q);
        }
        if !query.metric.is_empty() && (query.rate || query.quantile.is_some()) {
            meaning.part = Part::Value;
        }
        Some(Understood { row: None, meaning, query, entity })
    }

    pub(super) fn series(
        &mut self,
        raw: &Raw,
        series: RawSeries,
        understood: Option<Understood<'_>>,
        homes: &BTreeMap<String, Option<EntityId>>,
    ) -> Option<(SeriesMeta, Points)> {
        let Some(u) = understood else {
            *self.lost.entry("series without a name".to_owned()).or_default() += 1;
            return None;
        };
        if self.resolver.is_told_by_callee(&series) {
            *self.told.entry(series.name).or_default() += 1;
            return None;
        }
        let table = self.table;
        let signal = table.get(u.meaning.signal);
        let about = self.place(raw, &series, &u, homes);
        let Some(mut about) = about else {
            *self.lost.entry(shown(&series)).or_default() += 1;
            return None;
        };
        if u.meaning.guessed
            && let Some(edge) = self.edge_by_name(&series, about.subject)
        {
            about.subject = edge;
        }
        if u.meaning.guessed && signal.name == "other" {
            *self.unknown.entry(series.name.clone()).or_default() += 1;
        }
        let state = signal.state_labels.iter().find_map(|l| by_name(&series, l));
        let state = state.unwrap_or_default().to_owned();
        if (!signal.state_kept.is_empty()
            && !state.is_empty()
            && !signal.state_kept.contains(&state))
            || signal.state_dropped.contains(&state)
        {
            return None;
        }
        let means_this = |(label, value): (&String, &String)| {
            by_name(&series, label).is_none_or(|v| v.eq_ignore_ascii_case(value))
        };
        if !signal.only.iter().all(means_this) {
            return None;
        }
        let (signal_id, factor, written) = self.unit(&series, &u);
        let le = series.labels.get("le").and_then(|l| l.parse::<f64>().ok()).unwrap_or(f64::NAN);
        let le_factor = units::scale(Unit::Seconds, written, 0.0, true);
        let named = series.statistic.as_deref().and_then(stat_of);
        let meta = SeriesMeta {
            file: series.file,
            shown: shown(&series),
            signal: signal_id,
            part: u.meaning.part,
            stat: named.unwrap_or(u.meaning.stat),
            guessed: u.meaning.guessed,
            subject: about.subject,
            instance: about.instance,
            member: about.member,
            class: self.class(&series, signal.view),
            rate_limited: self.rate_limited(&series),
            outcome: self.outcome(&series),
            state,
            container: one_of(&series, &["container", "container_name", "k8s.container.name"]),
            pod: one_of(&series, &["pod", "pod_name", "k8s.pod.name"]),
            container_alone: series.labels.contains_key("name"),
            version: self.resolver.label(&series, "version").map(str::to_owned),
            dims: self.dims(&series, &signal.state_labels),
            le: le * le_factor,
            window_s: u.query.window_s,
            derived: u.query.derived(),
            raw_name: series.name.clone(),
        };
        let mut points = series.samples;
        points.scale(factor);
        Some((meta, points))
    }

    /// The signal, by which the unit may still decide, what to multiply its values by, and the unit
    /// as it is written.
    fn unit<'s>(
        &self,
        series: &'s RawSeries,
        u: &Understood<'s>,
    ) -> (SignalId, f64, Option<&'s str>) {
        let signal = self.table.get(u.meaning.signal);
        let told = u.row.and_then(|r| r.unit.as_deref());
        let written = told.or(series.unit.as_deref()).or(u.meaning.unit);
        let largest =
            self.largest.get(&scale_key(series, u.meaning.signal)).copied().unwrap_or(0.0);
        // "errors" that exceed one, without a word of share or per cent, are counts; so are those
        // whose unit says so.
        let counted = signal.role == "errors" && signal.unit() == Unit::Ratio;
        let shared = RATE_WORDS.iter().any(|w| series.name.to_lowercase().contains(w));
        let mut signal_id = u.meaning.signal;
        let said = written.and_then(units::factor).map(|(unit, _)| unit);
        let told = matches!(said, Some(Unit::Count | Unit::PerSecond));
        let many = written.is_none() && largest > 1.0 && !(shared && largest <= 100.0);
        if counted && (told || many) {
            signal_id = self.table.named("guess.errors").unwrap_or(signal_id);
        }
        let counted = counted && !shared;
        let counter = matches!(u.meaning.part, Part::Total | Part::Count | Part::Bucket);
        let factor = match counter {
            true => 1.0,
            false => units::scale(signal.unit(), written, largest, counted),
        };
        (signal_id, factor, written)
    }

    /// Who the series is about: its labels, its name, its panel's metric, or its file.
    fn place(
        &mut self,
        raw: &Raw,
        series: &RawSeries,
        u: &Understood<'_>,
        homes: &BTreeMap<String, Option<EntityId>>,
    ) -> Option<About> {
        let label = u.row.and_then(|r| r.entity_label.as_ref()).and_then(|l| series.labels.get(l));
        if let Some(name) = label.filter(|n| !n.is_empty()) {
            let id = self.resolver.peer(name, identity::kind_by_name(name, EntityKind::Service));
            return Some(About { subject: Subject::Entity(id), instance: None, member: None });
        }
        let view = self.table.get(u.meaning.signal).view;
        let exporter_name = if series.name.is_empty() { &u.query.metric } else { &series.name };
        let named = RawSeries {
            name: exporter_name.clone(),
            labels: series.labels.clone(),
            ..RawSeries::default()
        };
        if let Some(about) = self.resolver.about(&named, view) {
            return Some(about);
        }
        let plain = |id| About { subject: Subject::Entity(id), instance: None, member: None };
        if let Some(name) = &u.entity {
            let kind = identity::kind_by_name(name, EntityKind::Service);
            return Some(plain(self.resolver.graph.top(kind, name)));
        }
        if !u.query.metric.is_empty() {
            let base = u.query.metric.trim_end_matches("_total");
            return homes.get(base).copied().flatten().map(plain);
        }
        if series.name.is_empty() {
            return None;
        }
        let path = &raw.files[series.file as usize].path;
        let stem = panel_of(stem(path));
        let generic = |s: &str| GENERIC_STEMS.contains(&s.to_lowercase().as_str());
        let folder = path.rsplit('/').nth(1).filter(|f| !generic(f));
        let name = match (generic(stem), folder) {
            (false, _) => stem.to_owned(),
            (true, Some(folder)) => folder.to_owned(),
            (true, None) => {
                raw.incident.symptom_entity.clone().unwrap_or_else(|| "system".to_owned())
            }
        };
        let kind = identity::kind_by_name(&name, EntityKind::Service);
        Some(plain(self.resolver.graph.top(kind, &name)))
    }

    /// A metric named after another entity is that entity as its caller sees it.
    fn edge_by_name(&self, series: &RawSeries, subject: Subject) -> Option<Subject> {
        let Subject::Entity(from) = subject else { return None };
        if self.table.exporters.iter().any(|e| series.name.starts_with(&e.prefix)) {
            return None;
        }
        // One plain word (`order_…`) is more often a subject matter than a service's name.
        let of_words = |i: &usize| crate::signals::words(&series.name[..*i]).len() > 1;
        let cuts = series.name.match_indices('_').map(|(i, _)| i).filter(of_words);
        let found = cuts.rev().find_map(|i| self.resolver.graph.find(&series.name[..i]))?;
        let both = [from, found].map(|e| self.resolver.graph.entity(e).kind);
        let callable = both.iter().all(|k| !matches!(k, EntityKind::Host | EntityKind::Instance));
        (found != from && callable).then_some(Subject::Edge(from, found))
    }
}

/// Says whether a series tells since when another exists, as Prometheus' `…_created` does: all of
/// its values are times of this century.
fn tells_creation(series: &RawSeries) -> bool {
    let time = |v: &f64| (1e9..5e9).contains(v);
    series.name.ends_with("_created") && series.samples.values().iter().all(time)
}

/// A series as a person would look it up: its name, labels and statistic.
pub fn shown(series: &RawSeries) -> String {
    let labels: Vec<String> = series.labels.iter().map(|(k, v)| format!("{k}=\"{v}\"")).collect();
    let stat = series.statistic.as_ref().map(|s| format!(" {s}")).unwrap_or_default();
    match labels.is_empty() {
        true => format!("{}{stat}", series.name),
        false => format!("{}{{{}}}{stat}", series.name, labels.join(",")),
    }
}
