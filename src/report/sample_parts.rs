//! Parts of the diagnosis made by hand: chain, inputs, timeline, gaps.

use crate::diagnosis::*;
use crate::ingest::raw::InputFile;
use crate::model::{Gap, GapKind, Micros, SECOND, Unit};

/// 2026-11-20T20:10:01Z.
pub(super) const START: Micros = 1_795_205_401 * SECOND;
pub(super) const AXIS: Span = Span { from: START - 202 * SECOND, to: START + 259 * SECOND };

pub(super) fn entity(kind: &'static str, name: &str) -> EntityRef {
    EntityRef { kind, name: name.to_owned(), service: name.to_owned() }
}

/// A series that rises at `onset_s` after the start and falls when the incident ends.
pub(super) fn spark(unit: Unit, before: f64, during: f64, onset_s: i64, ramp: bool) -> Spark {
    let cell = |i: i64| {
        let t = (AXIS.from + (AXIS.to - AXIS.from) * i / 60 - START) / SECOND;
        match t {
            t if t < onset_s || t >= 181 => Some(before),
            60 => None,
            t if ramp => Some(before + (during - before) * (t - onset_s) as f64 / 180.0),
            _ => Some(during),
        }
    };
    let mut cells: Vec<Option<f64>> = (0..60).map(cell).collect();
    cells[5] = None;
    cells[6] = None;
    Spark { axis: AXIS, cells, unit, before: Some(before), during: Some(during) }
}

pub(super) fn step(
    (kind, name, role): (&'static str, &str, Role),
    (onset_s, near): (i64, f64),
    after: Option<&str>,
    said: &str,
    spark: Spark,
    ids: &[&str],
) -> ChainLink {
    ChainLink {
        entity: entity(kind, name),
        role,
        onset: Some(START + onset_s * SECOND),
        onset_uncertainty_s: Some(near),
        after: after.map(str::to_owned),
        said: said.to_owned(),
        spark: Some(spark),
        evidence: ids.iter().map(|id| (*id).to_owned()).collect(),
    }
}

pub(super) fn chain() -> Vec<ChainLink> {
    use Role::{Amplifier, Cause, Victim};
    let (pool, catalog) = ("catalog", Some("catalog"));
    vec![
        step(
            ("database", "pg-replica", Cause),
            (-1, 0.0),
            None,
            "11 backends wait for Lock/relation on products; the replay waits for pid 13305",
            spark(Unit::Count, 0.0, 11.0, -1, false),
            &["E1", "E2", "E3"],
        ),
        step(
            ("service", pool, Victim),
            (2, 5.0),
            Some("pg-replica"),
            "pool catalog-replica 10 of 10 in use, every acquire times out at 2.0 s",
            spark(Unit::PerSecond, 0.0, 46.0, 2, false),
            &["E4"],
        ),
        step(
            ("service", "checkout", Amplifier),
            (4, 5.0),
            catalog,
            "4 attempts per call to catalog",
            spark(Unit::PerSecond, 5.1, 25.2, 4, false),
            &["E6"],
        ),
        step(
            ("service", "recommendation", Victim),
            (20, 5.0),
            catalog,
            "cache expires, reads fall back to the database",
            spark(Unit::Seconds, 0.005, 8.0, 20, true),
            &["E7"],
        ),
        step(
            ("database", "pg-primary", Victim),
            (25, 5.0),
            Some("recommendation"),
            "fallback reads, harmless so far",
            spark(Unit::Count, 0.0, 1_800_000.0, 25, true),
            &["E7"],
        ),
        step(
            ("service", "gateway", Victim),
            (3, 5.0),
            catalog,
            "503 on /product and /categories",
            spark(Unit::Ratio, 0.001, 0.746, 3, false),
            &["E8"],
        ),
    ]
}

pub(super) fn inputs() -> Vec<InputFile> {
    let file = |reader: &str, i: u64, rows| InputFile {
        bytes: 1,
        reader: reader.to_owned(),
        rows,
        ..InputFile::named(&format!("{reader}-{i}"))
    };
    let mut all: Vec<InputFile> = (0..34).map(|i| file("prometheus", i, 1919)).collect();
    all.extend((0..4).map(|i| file("otlp", i, 231)));
    all.extend((0..2).map(|i| file("pg-sessions", i, 4410)));
    all.push(file("none", 0, 0));
    all
}

pub(super) fn timeline() -> Vec<Moment> {
    let at = |s: i64, kind, name: Option<&str>, said: &str| Moment {
        at: START + s * SECOND,
        kind,
        entity: name.map(|n| entity(if n.starts_with("pg") { "database" } else { "service" }, n)),
        said: said.to_owned(),
        uncertainty_s: Some(if kind == "onset" { 5.0 } else { 0.0 }),
        place: None,
    };
    vec![
        at(-142, "change", Some("recommendation"), "deploy 1.4.2"),
        at(-32, "session", Some("pg-replica"), "pid 13305 (metabase) starts its query"),
        at(-1, "change", Some("pg-primary"), "migration V42: ALTER TABLE products ADD promo_badge"),
        at(0, "onset", Some("pg-replica"), "replay lag rises"),
        at(2, "onset", Some("catalog"), "pool full, acquires time out"),
        at(3, "onset", Some("gateway"), "errors rise to 75 %"),
        at(4, "onset", Some("checkout"), "requests to catalog rise to 5 times"),
        at(179, "recovery", Some("pg-replica"), "pid 13305 ends, replay lag falls to 0"),
    ]
}

pub(super) fn gaps() -> Vec<Gap> {
    let mut late = Gap::new(GapKind::Doubtful, "panels use rate[30s]: onsets up to 30 s late");
    late.count = 12;
    let path = "prometheus/db_client_connection_pending_requests.json";
    let said = "reads 7,390 with at most 114 requests in flight: not used";
    let mut bad =
        Gap::at(GapKind::Skipped, "db/pg_stat_activity.csv", Some(877), "time is not RFC 3339");
    bad.count = 3;
    vec![
        Gap::at(GapKind::Unreadable, "notes.docx", None, "no reader knows this format"),
        bad,
        Gap::at(GapKind::Doubtful, path, None, said),
        late,
        Gap::new(GapKind::Missing, "pg_locks with granted locks: would decide H1 against H2"),
        Gap::new(GapKind::Inferred, "who blocks the startup process on pg-replica"),
        Gap::new(GapKind::Doubtful, "traces are sampled at 8 %"),
    ]
}
