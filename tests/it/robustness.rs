//! The labelled incidents again, seen through worse telemetry: sampled more coarsely, with holes,
//! with a service silent, with few traces, as rates, under another exporter's names, with clocks
//! that disagree, with a short baseline. The true signature must stay first in nearly all of them,
//! and where it does not the answer must be that nothing is certain.
//!
//! Variants are made from what was read, in memory and with fixed seeds. The table is printed with
//! `cargo test --release --locked --test it -- robustness --nocapture`.

use super::support::root;
use rayon::prelude::*;
use rootline::catalog::fixtures::{Fixture, fixtures};
use rootline::catalog::{Catalog, Category};
use rootline::diagnosis::{Diagnosis, Verdict};
use rootline::ingest::raw::{Raw, RawSeries};
use rootline::ingest::{Settings, read_folder};
use rootline::model::{Micros, SECOND};
use rootline::{Options, diagnose_raw};
use std::collections::{BTreeMap, BTreeSet};

/// Least share of (incident, variant) pairs in which the true signature stands first.
const FIRST_SHARE: f64 = 0.9;
/// Largest number of pairs in which something false is claimed, as likely at most: never as
/// confirmed. The table names those that are left, with what became of the true signature.
const WRONG_MAX: usize = 0;
/// Least share of the incidents with metrics and traces in which clocks that differ are found.
const CLOCKS_SHARE: f64 = 0.4;

/// What a variant does to one incident.
type Change = fn(&mut Raw, &Fixture);

const SILENCE: &str = "one service silent";
const FEW_TRACES: &str = "1 % of traces, 10 % of few";
/// Traces from which one in a hundred is kept; of fewer one in ten. What the recordings hold is a
/// sample already: with one in ten of it, the traces are fewer than 1 % of the requests.
const MANY_TRACES: usize = 1000;

const VARIANTS: [(&str, Change); 9] = [
    ("every 15 s", |raw, _| thin(raw, 15 * SECOND)),
    ("every 60 s, four times as long", every_minute),
    ("a fifth of the samples lost", |raw, _| lose(raw, 5)),
    (SILENCE, silence),
    (FEW_TRACES, |raw, _| few_traces(raw)),
    ("rates, not counters", |raw, _| rates(raw)),
    ("another exporter's names", |raw, _| rename(raw)),
    ("metrics 40 s ahead of the rest", |raw, _| skew(raw, 40 * SECOND)),
    ("a short baseline", short_baseline),
];

/// True once in `n`, by a hash of `key`: the same in each run.
fn dice(key: u64, n: u64) -> bool {
    let mut x = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 31)).is_multiple_of(n)
}

/// Keeps one sample and one snapshot in `step`.
fn thin(raw: &mut Raw, step: Micros) {
    for series in &mut raw.series {
        keep_spaced(&mut series.samples, step);
    }
    let mut kept: BTreeMap<u32, Vec<Micros>> = BTreeMap::new();
    for s in &raw.sessions {
        kept.entry(s.file).or_default().push(s.at);
    }
    for times in kept.values_mut() {
        times.sort_unstable();
        times.dedup();
        let mut last = Micros::MIN;
        times.retain(|t| {
            let keep = t.saturating_sub(last) >= step - SECOND;
            last = if keep { *t } else { last };
            keep
        });
    }
    raw.sessions.retain(|s| kept[&s.file].binary_search(&s.at).is_ok());
    set_step(raw, step);
}

fn keep_spaced(samples: &mut Vec<(Micros, f64)>, step: Micros) {
    let mut last = Micros::MIN;
    samples.retain(|(t, _)| {
        // Scrapes waver by some milliseconds.
        let keep = t.saturating_sub(last) >= step - SECOND;
        last = if keep { *t } else { last };
        keep
    });
}

/// The step that the reader found, after a change of it.
fn set_step(raw: &mut Raw, step: Micros) {
    for times in raw.times.iter_mut().filter(|t| t.step.is_some()) {
        times.step = times.step.map(|own| own.max(step));
    }
}

/// The recordings last minutes: a scrape a minute would leave three samples. The same incident is
/// therefore drawn out to four times its length; counters count four times as much, so that rates
/// and what is used of a processor stay.
fn every_minute(raw: &mut Raw, _: &Fixture) {
    const FACTOR: Micros = 4;
    thin(raw, 15 * SECOND);
    let Some(start) = raw.times.iter().map(|t| t.first).min() else { return };
    let later = |t: &mut Micros| *t = start + FACTOR * (*t - start);
    raw.series.iter_mut().flat_map(|s| &mut s.samples).for_each(|p| later(&mut p.0));
    let counters = raw.series.iter_mut().filter(|s| is_counter(&s.name));
    counters.flat_map(|s| &mut s.samples).for_each(|p| p.1 *= FACTOR as f64);
    raw.spans.update_from(0, |span| {
        let own = span.end - span.start;
        later(&mut span.start);
        span.end = span.start + own;
    });
    for s in &mut raw.sessions {
        later(&mut s.at);
        let times = [&mut s.xact_start, &mut s.query_start, &mut s.state_change, &mut s.wait_start];
        times.into_iter().flatten().for_each(later);
    }
    raw.events.iter_mut().for_each(|e| later(&mut e.at));
    for times in &mut raw.times {
        later(&mut times.first);
        later(&mut times.last);
        times.step = times.step.map(|own| own * FACTOR);
    }
}

/// Loses one sample in `n`, each series its own, and one snapshot in `n`.
fn lose(raw: &mut Raw, n: u64) {
    for (i, series) in raw.series.iter_mut().enumerate() {
        series.samples.retain(|p| !dice(p.0 as u64 ^ (i as u64) << 48, n));
    }
    raw.sessions.retain(|s| !dice(s.at as u64, n));
}

fn traces(raw: &Raw) -> usize {
    raw.spans.iter().map(|s| s.trace).collect::<BTreeSet<_>>().len()
}

fn one_in(raw: &Raw) -> u64 {
    if traces(raw) >= MANY_TRACES { 100 } else { 10 }
}

fn few_traces(raw: &mut Raw) {
    let one_in = one_in(raw);
    raw.spans.retain(|s| dice(s.trace as u64, one_in));
}

/// How many traces the variant with few of them leaves, of how many requests.
fn traces_said(all: &[Fixture]) -> String {
    let read = |f: &Fixture| read_folder(&f.folder, &Settings::default()).expect("it is read");
    let mut of: BTreeMap<u64, usize> = BTreeMap::new();
    for raw in all.iter().map(read).filter(|raw| traces(raw) > 0) {
        *of.entry(one_in(&raw)).or_default() += 1;
    }
    let said = of.iter().map(|(n, folders)| format!("one in {n} in {folders} folders"));
    format!("traces kept: {}\n", said.collect::<Vec<_>>().join(", "))
}

/// Takes everything away that one service says about itself: the first by name that is not to
/// blame, does not call itself an entry and is no database.
fn silence(raw: &mut Raw, fixture: &Fixture) {
    let names: BTreeSet<String> =
        raw.spans.iter().map(|s| raw.symbols.text(s.service).to_owned()).collect();
    let blamed = |n: &&String| fixture.truth.entity.iter().any(|e| e.starts_with(n.as_str()));
    let Some(silent) = names.iter().find(|n| !blamed(n) && !n.is_empty()).cloned() else { return };
    raw.series.retain(|s| s.labels.get("job").or(s.labels.get("service")) != Some(&silent));
    let symbol = raw.symbols.intern(&silent);
    raw.spans.retain(|s| s.service != symbol);
}

fn is_counter(name: &str) -> bool {
    ["_total", "_count", "_sum", "_bucket"].iter().any(|end| name.ends_with(end))
        && !name.ends_with("connection_count")
        && !name.starts_with("pg_locks")
        && !name.starts_with("pg_stat_activity")
}

/// Counters as a dashboard exports them: per second, with the query that made them.
fn rates(raw: &mut Raw) {
    for series in raw.series.iter_mut().filter(|s| is_counter(&s.name)) {
        let rate = |w: &[(Micros, f64)]| {
            let seconds = (w[1].0 - w[0].0) as f64 / SECOND as f64;
            (w[1].0, (w[1].1 - w[0].1).max(0.0) / seconds)
        };
        series.samples = series.samples.windows(2).map(rate).collect();
        series.query = Some(format!("rate({}[10s])", series.name));
    }
}

/// Names, and labels, of other exporters for the same things.
const NAMES: [(&str, &str); 12] = [
    ("http_server_request_duration_seconds", "http_server_requests_seconds"),
    ("db_client_connection_max", "hikaricp_connections_max"),
    ("db_client_connection_pending_requests", "hikaricp_connections_pending"),
    ("process_resident_memory_bytes", "container_memory_working_set_bytes"),
    ("process_cpu_seconds_total", "container_cpu_usage_seconds_total"),
    ("process_start_time_seconds", "container_start_time_seconds"),
    ("redis_commands_processed_total", "redis_commands_total"),
    ("redis_net_output_bytes_total", "redis_net_input_bytes_total"),
    ("http_route", "uri"),
    ("http_response_status_code", "status"),
    ("http_request_method", "method"),
    ("db_client_connection_pool_name", "pool"),
];

fn rename(raw: &mut Raw) {
    let other = |name: &str| {
        let found = NAMES.iter().find(|(from, _)| {
            name.strip_prefix(from)
                .is_some_and(|end| ["", "_bucket", "_sum", "_count"].contains(&end))
        });
        found.map(|(from, to)| name.replacen(from, to, 1))
    };
    for RawSeries { name, labels, .. } in &mut raw.series {
        if let Some(new) = other(name) {
            *name = new;
        }
        let renamed: Vec<(String, String)> =
            labels.keys().filter_map(|k| Some((k.clone(), other(k)?))).collect();
        for (from, to) in renamed {
            if let Some(value) = labels.remove(&from) {
                labels.insert(to, value);
            }
        }
    }
}

fn skew(raw: &mut Raw, by: Micros) {
    raw.series.iter_mut().flat_map(|s| &mut s.samples).for_each(|p| p.0 += by);
}

/// Five minutes before the onset, or half of what there is where that is less.
fn short_baseline(raw: &mut Raw, fixture: &Fixture) {
    const MOST: Micros = 300 * SECOND;
    let said = fixture.truth.onset.as_deref();
    let parsed = said.and_then(|t| rootline::time::parse(t, &rootline::time::Zone::default()));
    let first = raw.times.iter().map(|t| t.first).min();
    let (Some(onset), Some(first)) = (parsed.map(|p| p.at), first) else { return };
    let from = onset - MOST.min((onset - first) / 2);
    raw.series.iter_mut().for_each(|s| s.samples.retain(|p| p.0 >= from));
    raw.spans.retain(|s| s.start >= from);
    raw.sessions.retain(|s| s.at >= from);
    for times in &mut raw.times {
        times.first = times.first.max(from);
    }
}

/// How an answer stands to the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    First,
    /// The right entity, and no statement why: unclassified, or only that it is slow or fails.
    Placed,
    /// Another one stands first, and the verdict says that nothing is certain.
    Inconclusive,
    /// Another one is claimed, or that nothing is wrong.
    Wrong,
}

fn outcome(catalog: &Catalog, d: &Diagnosis, fixture: &Fixture, silenced: bool) -> Outcome {
    let first = d.hypotheses.first();
    let id = first.and_then(|h| h.signature.as_deref()).unwrap_or_default();
    // That a dependency is slow or fails says where and not why, as no signature at all does.
    let vague = id.is_empty()
        || catalog.find(id).is_ok_and(|s| s.signature.category == Category::Dependency);
    let at = first.map(|h| (h.entity.name.as_str(), h.entity.service.as_str()));
    let truth = &fixture.truth;
    let there = at.is_some_and(|(e, s)| truth.entity.iter().any(|t| t == e || t == s));
    match d.verdict {
        _ if truth.is_healthy() && d.verdict <= Verdict::Inconclusive => Outcome::First,
        // Who is alive at its callers and says nothing itself is a blind spot: `silence` made one.
        _ if truth.is_healthy() && silenced && id == "telemetry-blind-spot" => Outcome::First,
        Verdict::Healthy => Outcome::Wrong,
        _ if there && truth.signature.iter().any(|s| s == id) => Outcome::First,
        Verdict::Inconclusive => Outcome::Inconclusive,
        _ if there && vague => Outcome::Placed,
        _ => Outcome::Wrong,
    }
}

/// What became of the true signatures, for the table.
fn why_not(d: &Diagnosis, fixture: &Fixture) -> String {
    let mut said = String::new();
    for id in &fixture.truth.signature {
        let place = d.hypotheses.iter().find(|h| h.signature.as_ref() == Some(id));
        let rejected = d.rejected.iter().find(|r| r.signature == *id);
        let skipped = d.skipped.iter().find(|s| s.signature == *id);
        let why = match (place, rejected, skipped) {
            (Some(h), ..) => format!("rank {} @{} {:.2}", h.rank, h.entity.name, h.probability),
            (_, Some(r), _) => r.reason.clone(),
            (_, _, Some(s)) => format!("lacks {}", s.missing.join(", ")),
            _ => "was not tried".to_owned(),
        };
        said.push_str(&format!("\n            {id}: {why}"));
    }
    said
}

/// One answer: variant, fixture, how it stands, and what stands first.
struct Answer {
    variant: &'static str,
    outcome: Outcome,
    verdict: Verdict,
    said: String,
}

fn answer(catalog: &Catalog, fixture: &Fixture, variant: (&'static str, Change)) -> Answer {
    let mut raw = read_folder(&fixture.folder, &Settings::default()).expect("a fixture is read");
    (variant.1)(&mut raw, fixture);
    let d = diagnose_raw(raw, catalog, &Options::default()).expect("a variant is analysed");
    let first = d.hypotheses.first().map_or_else(String::new, |h| {
        let id = h.signature.as_deref().unwrap_or("unclassified");
        format!("{id} @{} {:.2}", h.entity.name, h.probability)
    });
    let why = why_not(&d, fixture);
    let silenced = variant.0 == SILENCE;
    let said = format!("{} | {} | {first}{why}", fixture.name, d.verdict.word());
    let outcome = outcome(catalog, &d, fixture, silenced);
    Answer { variant: variant.0, outcome, verdict: d.verdict, said }
}

#[test]
fn worse_telemetry_gives_the_same_cause_or_no_claim() {
    let catalog = Catalog::built_in().expect("the built-in catalogue is sound");
    let all = fixtures(root()).expect("the fixtures are labelled");
    let asks = |f: &&Fixture| f.truth.is_healthy() || !f.truth.signature.is_empty();
    let pairs: Vec<(&Fixture, (&str, Change))> =
        all.iter().filter(asks).flat_map(|f| VARIANTS.iter().map(move |v| (f, *v))).collect();
    let answers: Vec<Answer> = pairs.par_iter().map(|(f, v)| answer(&catalog, f, *v)).collect();
    let mut table = String::new();
    for (variant, _) in VARIANTS {
        let own = || answers.iter().filter(|a| a.variant == variant);
        let count = |o: Outcome| own().filter(|a| a.outcome == o).count();
        let kinds = [Outcome::First, Outcome::Placed, Outcome::Inconclusive, Outcome::Wrong];
        let [first, placed, open, wrong] = kinds.map(count);
        let counts = format!("{first:>3} first {placed:>3} placed {open:>3} open {wrong:>3} wrong");
        table.push_str(&format!("{variant:<32} {counts}\n"));
        for a in own().filter(|a| a.outcome != Outcome::First) {
            table.push_str(&format!("      {:?}: {}\n", a.outcome, a.said));
        }
    }
    table.push_str(&traces_said(&all));
    println!("{table}");
    let count = |o: Outcome| answers.iter().filter(|a| a.outcome == o).count();
    let share = count(Outcome::First) as f64 / answers.len() as f64;
    assert!(answers.len() >= 800, "only {} variants", answers.len());
    assert!(share >= FIRST_SHARE, "first in {:.0} % only\n{table}", 100.0 * share);
    let wrong = count(Outcome::Wrong);
    assert!(wrong <= WRONG_MAX, "false claims in {wrong} of {}\n{table}", answers.len());
    let sure = |a: &&Answer| a.outcome == Outcome::Wrong && a.verdict == Verdict::Confirmed;
    assert_eq!(answers.iter().filter(sure).count(), 0, "confirmed and false\n{table}");
}

#[test]
fn clocks_of_metrics_and_traces_are_found_apart_only_where_they_are() {
    let catalog = Catalog::built_in().expect("the built-in catalogue is sound");
    let all = fixtures(root()).expect("the fixtures are labelled");
    // Whether there is something to compare, and whether a difference is said.
    let said = |f: &Fixture, by: Micros| {
        let mut raw = read_folder(&f.folder, &Settings::default()).expect("a fixture is read");
        let both = traces(&raw) > 0 && !raw.series.is_empty();
        skew(&mut raw, by);
        let d = diagnose_raw(raw, &catalog, &Options::default()).expect("it is analysed");
        let off = |what: &str| what.contains("the clock of the traces");
        (both, d.gaps.iter().any(|g| off(&g.what)))
    };
    let apart = |by: Micros| -> Vec<(bool, bool)> { all.par_iter().map(|f| said(f, by)).collect() };
    let together: Vec<&str> =
        all.iter().zip(apart(0)).filter(|x| x.1.1).map(|x| x.0.name.as_str()).collect();
    assert!(together.is_empty(), "clocks agree in {together:?}");
    let apart = apart(40 * SECOND);
    let (both, found) =
        (apart.iter().filter(|x| x.0).count(), apart.iter().filter(|x| x.1).count());
    println!("clocks 40 s apart are found in {found} of {both} folders with metrics and traces");
    assert!(found as f64 >= CLOCKS_SHARE * both as f64, "found in {found} of {both} only");
}
