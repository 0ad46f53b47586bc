//! The inspection, put together from counts, understood names and what could be matched.

use super::tally::{Tally, hash};
use super::{Certainty, FileReport, Inspection, SCHEMA_VERSION, SignalCount, Signatures, Totals};
use crate::catalog::Catalog;
use crate::diagnosis::{CatalogRef, EntityRef, Skipped, Span, Tool, WindowReport};
use crate::error::Result;
use crate::ingest::READERS;
use crate::ingest::raw::InputFile;
use crate::matching::{Context, Matches};
use crate::model::{EntityId, Gap, Micros, SECOND, Subject};
use crate::rank::answer::entity_ref;
use crate::rank::missing_inputs;
use crate::rollup::Origin;
use crate::signals::SignalId;
use crate::telemetry::SeriesMeta;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What is counted of one signal: series and names.
type Counts = BTreeMap<(String, Certainty), (u64, BTreeSet<String>)>;

/// Writes up what was read; `tallies[i]` belongs to the file with id `i`.
pub fn inspection(
    context: &Context,
    catalog: &Catalog,
    matches: &Matches,
    tallies: &[Tally],
) -> Result<Inspection> {
    let t = context.telemetry;
    let rolled = context.rollups.gaps.iter().chain(&context.rollups.sampling);
    let known: Vec<Gap> = t.gaps.iter().chain(rolled).cloned().collect();
    let (mut by_file, general) = gaps(&known);
    let index = Index::new(context);
    let mut files: Vec<FileReport> = Vec::with_capacity(t.files.len());
    for (id, (input, tally)) in t.files.iter().zip(tallies).enumerate() {
        let gaps = by_file.remove(input.path.as_str()).unwrap_or_default();
        files.push(index.file(id as u32, input, tally, gaps));
    }
    let windows = &context.features.windows;
    let window = t.extent.map(|_| WindowReport {
        baseline: Span { from: windows.baseline.from, to: windows.baseline.to },
        incident: Span { from: windows.incident.from, to: windows.incident.to },
        how: windows.how.clone(),
        found: windows.disturbed,
    });
    let recorded = |of: fn(&Tally) -> Option<Micros>| tallies.iter().filter_map(of);
    let (first, last) = (recorded(|t| t.first).min(), recorded(|t| t.last).max());
    let mut general: Vec<Gap> = general.into_iter().cloned().collect();
    general.extend(missing_inputs(t));
    Ok(Inspection {
        schema_version: SCHEMA_VERSION,
        tool: Tool { name: "rootline", version: env!("CARGO_PKG_VERSION") },
        catalog: CatalogRef { hash: catalog.hash.clone(), signatures: catalog.signatures.len() },
        usable: files.iter().any(|f| f.reader.is_some()),
        totals: totals(context, &files),
        recorded: span(first, last),
        window,
        signatures: signatures(catalog, matches),
        gaps: general,
        files,
    })
}

fn span(first: Option<Micros>, last: Option<Micros>) -> Option<Span> {
    first.zip(last).map(|(from, to)| Span { from, to })
}

/// Gaps by the path of their file, and those about none.
fn gaps(all: &[Gap]) -> (BTreeMap<&str, Vec<&Gap>>, Vec<&Gap>) {
    let mut by_file: BTreeMap<&str, Vec<&Gap>> = BTreeMap::new();
    let mut general = Vec::new();
    for gap in all {
        match gap.file.as_deref() {
            Some(path) => by_file.entry(path).or_default().push(gap),
            None => general.push(gap),
        }
    }
    (by_file, general)
}

fn totals(context: &Context, files: &[FileReport]) -> Totals {
    let sum = |of: fn(&FileReport) -> u64| files.iter().map(of).sum();
    let graph = &context.telemetry.graph;
    Totals {
        files: files.len(),
        not_recognised: files.iter().filter(|f| f.reader.is_none()).count(),
        rows: sum(|f| f.rows),
        skipped: sum(|f| f.skipped),
        series: sum(|f| f.series),
        spans: sum(|f| f.spans),
        sessions: sum(|f| f.sessions),
        events: sum(|f| f.events),
        entities: graph.ids().count(),
        edges: graph.edges().count(),
    }
}

fn signatures(catalog: &Catalog, matches: &Matches) -> Signatures {
    let (mut can_run, mut cannot_run) = (Vec::new(), Vec::new());
    for (i, s) in catalog.signatures.iter().enumerate() {
        let signature = s.signature.id.clone();
        match matches.skipped.get(&i) {
            Some(m) => cannot_run.push(Skipped { signature, missing: m.iter().cloned().collect() }),
            None => can_run.push(signature),
        }
    }
    can_run.sort();
    cannot_run.sort_by(|a, b| a.signature.cmp(&b.signature));
    Signatures { can_run, cannot_run }
}

/// What was understood, by what a file knows of it.
struct Index<'a> {
    context: &'a Context<'a>,
    /// Understood series by file and the hash of name and labels.
    own: HashMap<(u32, u64), Vec<&'a SeriesMeta>>,
    /// What has a name and labels is one series in all files.
    shared: HashMap<u64, &'a SeriesMeta>,
    /// How many series were made from the spans or sessions of an entity, by signal.
    made: BTreeMap<(Origin, EntityId), BTreeMap<SignalId, u64>>,
    /// Databases of sessions and entities of events, by file.
    others: BTreeMap<u32, BTreeSet<EntityId>>,
}

impl<'a> Index<'a> {
    fn new(context: &'a Context<'a>) -> Index<'a> {
        let t = context.telemetry;
        let (mut own, mut shared) = (HashMap::<_, Vec<_>>::new(), HashMap::new());
        for meta in &t.series {
            let hash = hash(&meta.shown);
            own.entry((meta.file, hash)).or_default().push(meta);
            if !meta.raw_name.is_empty() && meta.shown.contains('{') {
                shared.entry(hash).or_insert(meta);
            }
        }
        let mut made: BTreeMap<_, BTreeMap<SignalId, u64>> = BTreeMap::new();
        for s in &context.rollups.series {
            let owner = t.graph.owner(s.subject.owner());
            *made.entry((s.origin, owner)).or_default().entry(s.signal).or_default() += 1;
        }
        let mut others: BTreeMap<u32, BTreeSet<EntityId>> = BTreeMap::new();
        for (database, rows) in t.sessions.snapshots() {
            for file in rows.chunk_by(|a, b| a.file == b.file).filter_map(|r| r.first()) {
                others.entry(file.file).or_default().insert(database);
            }
        }
        for (entities, event) in &t.events {
            others.entry(event.file).or_default().extend(entities);
        }
        Index { context, own, shared, made, others }
    }

    fn file(&self, id: u32, input: &InputFile, tally: &Tally, gaps: Vec<&Gap>) -> FileReport {
        let metas = self.metas(id, tally);
        let mut about: BTreeSet<EntityId> = self.others.get(&id).cloned().unwrap_or_default();
        let graph = &self.context.telemetry.graph;
        let services: BTreeSet<EntityId> =
            tally.services.iter().filter_map(|s| graph.find(s)).collect();
        let mut counts = Counts::new();
        self.count_made(Origin::Traces, &services, &mut counts);
        if tally.sessions > 0 {
            self.count_made(Origin::Sessions, &about, &mut counts);
        }
        about.extend(services);
        for meta in &metas {
            self.count(meta, &mut counts);
            about.extend(entities(meta));
        }
        let windows: BTreeSet<Micros> =
            metas.iter().map(|m| (m.window_s * SECOND as f64) as Micros).collect();
        let seconds = |t: Micros| t as f64 / SECOND as f64;
        FileReport {
            path: input.path.clone(),
            sha256: input.sha256.clone(),
            bytes: input.bytes,
            reader: Some(input.reader.clone()).filter(|r| r != "none"),
            what: what(&input.reader),
            why: input.why.clone(),
            rows: input.rows,
            skipped: input.skipped,
            series: tally.series.len() as u64,
            spans: tally.spans,
            sessions: tally.sessions,
            events: tally.events,
            recorded: span(tally.first, tally.last),
            step_s: tally.step.map(seconds),
            rate_windows_s: windows.into_iter().filter(|w| *w > 0).map(seconds).collect(),
            signals: sorted(counts),
            entities: self.named(&about),
            unused: tally.unused.clone(),
            gaps: gaps.into_iter().cloned().collect(),
        }
    }

    /// The understood series of a file: its own, or the one of another file that goes on in it.
    fn metas(&self, file: u32, tally: &Tally) -> Vec<&'a SeriesMeta> {
        let mut found = Vec::new();
        let distinct: BTreeSet<u64> = tally.series.iter().copied().collect();
        for hash in distinct {
            match self.own.get(&(file, hash)) {
                Some(own) => found.extend(own.iter().copied()),
                None => found.extend(self.shared.get(&hash).copied()),
            }
        }
        found
    }

    fn count(&self, meta: &SeriesMeta, counts: &mut Counts) {
        let signal = self.context.telemetry.signals.get(meta.signal).name.clone();
        let certainty = match meta.guessed {
            true if signal == "other" => Certainty::Unknown,
            true => Certainty::Guessed,
            false => Certainty::Known,
        };
        let slot = counts.entry((signal, certainty)).or_default();
        slot.0 += 1;
        if !meta.raw_name.is_empty() {
            slot.1.insert(meta.raw_name.clone());
        }
    }

    /// Counts the series that were made from the spans or sessions of these entities.
    fn count_made(&self, origin: Origin, of: &BTreeSet<EntityId>, counts: &mut Counts) {
        for (id, series) in of.iter().filter_map(|e| self.made.get(&(origin, *e))).flatten() {
            let signal = self.context.telemetry.signals.get(*id).name.clone();
            counts.entry((signal, Certainty::Known)).or_default().0 += series;
        }
    }

    /// Entities with whole services and stores before their parts.
    fn named(&self, ids: &BTreeSet<EntityId>) -> Vec<EntityRef> {
        let graph = &self.context.telemetry.graph;
        let mut all: Vec<EntityId> = ids.iter().copied().collect();
        all.sort_by_key(|id| {
            let e = graph.entity(*id);
            (e.service.is_some(), e.kind, &e.name)
        });
        all.into_iter().map(|id| entity_ref(self.context, id)).collect()
    }
}

/// Everything a series is about.
fn entities(meta: &SeriesMeta) -> impl Iterator<Item = EntityId> {
    let subject = match meta.subject {
        Subject::Entity(e) => [Some(e), None],
        Subject::Edge(a, b) => [Some(a), Some(b)],
    };
    subject.into_iter().chain([meta.instance, meta.member]).flatten()
}

/// Signals, the surest and most frequent first.
fn sorted(counts: Counts) -> Vec<SignalCount> {
    let one = |((signal, certainty), (series, names)): (_, (u64, BTreeSet<String>))| SignalCount {
        signal,
        certainty,
        series,
        names: names.into_iter().collect(),
    };
    let mut all: Vec<SignalCount> = counts.into_iter().map(one).collect();
    let key = |s: &SignalCount| (s.certainty, std::cmp::Reverse(s.series));
    all.sort_by_key(key);
    all
}

/// The formats of a file's readers, in words.
fn what(readers: &str) -> String {
    let named = |name: &str| READERS.iter().find(|r| r.name == name).map(|r| r.what);
    readers.split(" + ").filter_map(named).collect::<Vec<_>>().join("; ")
}
