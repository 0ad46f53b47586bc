//! One measurement that an exporter gives under two names (old and new OpenTelemetry names,
//! seconds and milliseconds). In: understood series. Out: those that repeat another, and a note.

use crate::ingest::raw::InputFile;
use crate::model::{Gap, GapKind, Micros, Subject};
use crate::signals::{SignalId, SignalTable};
use crate::telemetry::{Points, SeriesMeta};
use std::collections::{BTreeMap, BTreeSet};

/// First and last time of a better name must leave less than this share of a twin uncovered.
const UNCOVERED: f64 = 0.1;

type Span = (Micros, Micros);
/// What one subject measures, and by rank of the name the times and the name.
type Ranks<'m> = BTreeMap<(Subject, String), BTreeMap<usize, (Span, &'m str)>>;

/// Drops the series that repeat another.
pub(super) fn leave_out(
    table: &SignalTable,
    metas: &mut Vec<SeriesMeta>,
    points: &mut Vec<Points>,
    gaps: &mut Vec<Gap>,
) {
    let repeated = repeated(table, metas, points, gaps);
    let kept: Vec<bool> = (0..metas.len()).map(|i| !repeated.contains(&i)).collect();
    let (mut of_metas, mut of_points) = (kept.iter(), kept.iter());
    metas.retain(|_| of_metas.next().is_none_or(|k| *k));
    points.retain(|_| of_points.next().is_none_or(|k| *k));
}

/// Readers whose series repeat what an exporter reads from the same view, the better first.
const COPIES: [&str; 2] = ["pg-stat-database", "pg-log"];

/// Drops series of a view's export or of a log where an exporter measures the same of the same
/// server at the same time: added up, they would count everything twice.
pub(super) fn leave_out_copies(
    files: &[InputFile],
    table: &SignalTable,
    (metas, points): (&mut Vec<SeriesMeta>, &mut Vec<Points>),
    gaps: &mut Vec<Gap>,
) {
    let reader = |m: &SeriesMeta| files.get(m.file as usize).map_or("", |f| f.reader.as_str());
    let rank = |m: &SeriesMeta| COPIES.iter().position(|r| *r == reader(m)).map_or(0, |i| i + 1);
    let mut best: BTreeMap<(Subject, SignalId), BTreeMap<usize, Span>> = BTreeMap::new();
    for (meta, points) in metas.iter().zip(points.iter()) {
        let Some((first, last)) = points.first().zip(points.last()) else { continue };
        let known = best.entry((meta.subject, meta.signal)).or_default();
        let span = known.entry(rank(meta)).or_insert((first.0, last.0));
        *span = (span.0.min(first.0), span.1.max(last.0));
    }
    let repeats = |m: &SeriesMeta, points: &Points| {
        let span = points.first().zip(points.last()).map(|(a, b)| (a.0, b.0))?;
        let own = best.get(&(m.subject, m.signal))?;
        own.range(..rank(m)).find(|(_, over)| covers(**over, span)).map(|(r, _)| *r)
    };
    let mut said: BTreeSet<(String, String)> = BTreeSet::new();
    let mut kept = Vec::with_capacity(metas.len());
    for (meta, points) in metas.iter().zip(points.iter()) {
        let better = repeats(meta, points);
        if better.is_some() {
            let file = files.get(meta.file as usize).map(|f| f.path.clone()).unwrap_or_default();
            said.insert((file, table.get(meta.signal).name.clone()));
        }
        kept.push(better.is_none());
    }
    for (file, signal) in said {
        let what =
            format!("{signal} is measured elsewhere too: not added, so as not to count twice");
        gaps.push(Gap::at(GapKind::Inferred, &file, None, what));
    }
    let (mut of_metas, mut of_points) = (kept.iter(), kept.iter());
    metas.retain(|_| of_metas.next().is_none_or(|k| *k));
    points.retain(|_| of_points.next().is_none_or(|k| *k));
}

/// Indices of the series that say again what a better name of the same subject says at the same
/// time. A name that ends where its successor begins is no repetition: a deploy changed it.
fn repeated(
    table: &SignalTable,
    metas: &[SeriesMeta],
    points: &[Points],
    gaps: &mut Vec<Gap>,
) -> BTreeSet<usize> {
    let mut best = Ranks::new();
    let mut all = Vec::new();
    for (i, (meta, points)) in metas.iter().zip(points).enumerate() {
        let ends = points.first().zip(points.last()).map(|(a, b)| (a.0, b.0));
        let (Some((set, rank)), Some(span)) = (table.twin(&meta.raw_name), ends) else { continue };
        let key = (meta.subject, set);
        let ranks = best.entry(key.clone()).or_default();
        let known = ranks.entry(rank).or_insert((span, meta.raw_name.as_str()));
        known.0 = (known.0.0.min(span.0), known.0.1.max(span.1));
        all.push((i, key, rank, span));
    }
    let mut out = BTreeSet::new();
    let mut said: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for (i, key, rank, span) in all {
        let better = best.get(&key).and_then(|ranks| {
            ranks.range(..rank).find(|(_, (over, _))| covers(*over, span)).map(|(_, (_, n))| *n)
        });
        if let Some(better) = better {
            out.insert(i);
            *said.entry((metas[i].raw_name.as_str(), better)).or_default() += 1;
        }
    }
    for ((name, better), count) in said {
        let what = format!("{name} says the same as {better} of the same entity: left out");
        gaps.push(Gap { count, ..Gap::new(GapKind::Inferred, what) });
    }
    out
}

fn covers(over: Span, span: Span) -> bool {
    let common = over.1.min(span.1) - over.0.max(span.0);
    let length = span.1 - span.0;
    common >= 0 && common as f64 >= length as f64 * (1.0 - UNCOVERED)
}

#[cfg(test)]
mod tests {
    use crate::ingest::raw::{InputFile, Raw, RawSeries};
    use crate::model::SECOND;

    fn series(name: &str, from: i64, value: f64) -> RawSeries {
        let labels = [("service.name".to_owned(), "cart".to_owned())].into();
        let samples = (from..from + 10).map(|i| (i * 10 * SECOND, value)).collect();
        RawSeries { name: name.into(), labels, samples, ..RawSeries::default() }
    }

    fn raw(series: Vec<RawSeries>) -> Raw {
        let file = InputFile::named("m.csv");
        let mut raw = Raw::default();
        (raw.files, raw.series) = (vec![file], series);
        raw
    }

    /// Names and first values that are left, and the notes.
    fn left(all: Vec<RawSeries>) -> (Vec<(String, f64)>, Vec<String>) {
        let t = crate::normalize::normalize(raw(all)).expect("understood");
        let kept =
            t.series.iter().enumerate().map(|(i, m)| (m.raw_name.clone(), t.samples[i].at(0).1));
        (kept.collect(), t.gaps.into_iter().map(|g| g.what).collect())
    }

    #[test]
    fn one_of_two_names_of_one_measurement_is_used() {
        let new = "http.server.request.duration";
        let both = vec![series(new, 0, 0.2), series("http.server.duration", 0, 200.0)];
        let (kept, notes) = left(both);
        assert_eq!(kept, [(new.to_owned(), 0.2)]);
        assert!(notes[0].contains("http.server.duration says the same as"), "{notes:?}");
        // Alone, the old one is in milliseconds.
        let (kept, _) = left(vec![series("http.server.duration", 0, 200.0)]);
        assert_eq!(kept, [("http.server.duration".to_owned(), 0.2)]);
    }

    #[test]
    fn a_name_that_a_deploy_changed_stays() {
        let old = series("db.client.connections.wait_time", 0, 20.0);
        let (kept, notes) = left(vec![series("db.client.connection.wait_time", 10, 0.02), old]);
        assert_eq!(kept.iter().map(|k| k.1).collect::<Vec<_>>(), [0.02, 0.02]);
        assert!(notes.is_empty(), "{notes:?}");
    }

    #[test]
    fn seconds_and_milliseconds_of_one_name_are_one() {
        let (ms, s) = ("search_latency_milliseconds", "search_latency_seconds");
        let (kept, notes) = left(vec![series(ms, 0, 200.0), series(s, 0, 0.2)]);
        assert_eq!(kept, [(s.to_owned(), 0.2)]);
        assert_eq!(notes.len(), 1);
    }

    #[test]
    fn mapping_gives_signal_unit_and_entity() {
        let mut house = series("zork_thing", 0, 250.0);
        house.labels = [("shop_part".to_owned(), "basket".to_owned())].into();
        let unknown = || vec![house.clone(), series("zorkmids", 0, 1.0)];
        let (_, notes) = left(unknown());
        let row = "{ name = \"zorkmids\", signal = \"other\" }";
        assert!(notes.iter().any(|n| n.contains(row)), "{notes:?}");
        let mut raw = raw(unknown());
        raw.mapping.push(crate::ingest::raw::MappingRow {
            metric: "zork_thing".into(),
            signal: "http.server.request.duration".into(),
            unit: Some("ms".into()),
            entity_label: Some("shop_part".into()),
        });
        let t = crate::normalize::normalize(raw).expect("understood");
        let (meta, points) = (t.series.first().expect("one series"), &t.samples[0]);
        let crate::model::Subject::Entity(e) = meta.subject else { panic!("an entity") };
        assert_eq!(t.graph.entity(e).name, "basket");
        assert_eq!(t.signals.get(meta.signal).name, "http.server.request.duration");
        assert_eq!(points.at(0).1, 0.25);
    }

    #[test]
    fn limits_of_processors_are_no_limits_of_memory() {
        let of = |resource: &str, unit: &str, value: f64| {
            let mut one = series("kube_pod_container_resource_limits", 0, value);
            let own = [("container", "cart"), ("resource", resource), ("unit", unit)];
            one.labels = own.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
            one
        };
        let (kept, _) = left(vec![of("memory", "byte", 5e8), of("cpu", "core", 2.0)]);
        assert_eq!(kept.iter().map(|k| k.1).collect::<Vec<_>>(), [5e8]);
    }
}
