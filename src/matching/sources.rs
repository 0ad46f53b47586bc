//! Which series are of a source: found once for each source, not again for every question.
//! In: a canonical name or `role:<role>[@view]`. Out: its series, by subject.

use super::members::Load;
use super::{Context, Observation};
use crate::model::{EntityId, Subject};
use crate::rollup::SignalSeries;
use crate::signals::{Signal, SignalId, SignalTable, View};
use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

/// The series of one source, by index.
#[derive(Debug, Default)]
pub struct OfSource {
    /// In order of subject, then of index.
    series: Vec<usize>,
    /// Places in `series`.
    of_subject: HashMap<Subject, Range<usize>>,
    /// Subjects that have some, in order.
    pub subjects: Vec<Subject>,
}

impl OfSource {
    /// Series of a subject, in order of index; empty when it has none of this source.
    pub fn at(&self, subject: Subject) -> &[usize] {
        let range = self.of_subject.get(&subject).cloned();
        range.and_then(|r| self.series.get(r)).unwrap_or_default()
    }

    /// Every series, in order of subject, then of index.
    pub fn all(&self) -> &[usize] {
        &self.series
    }

    fn new(all: &[SignalSeries], mut series: Vec<usize>) -> OfSource {
        series.sort_unstable_by_key(|i| (all[*i].subject, *i));
        let (mut of_subject, mut subjects) = (HashMap::new(), Vec::new());
        let mut from = 0;
        for own in series.chunk_by(|a, b| all[*a].subject == all[*b].subject) {
            subjects.push(all[own[0]].subject);
            of_subject.insert(all[own[0]].subject, from..from + own.len());
            from += own.len();
        }
        OfSource { series, of_subject, subjects }
    }
}

/// A series and the neighbour that it belongs to.
pub type Candidate = (usize, Option<EntityId>);

/// What was asked for so far.
#[derive(Default)]
pub struct Sources {
    /// Series of each signal, by index.
    of_signal: BTreeMap<SignalId, Vec<usize>>,
    known: Cache<String, OfSource>,
    /// What rules look at that look at the same for every subject.
    shared: Cache<Shared, Vec<Candidate>>,
    /// What tests of these say, by their threshold's bits.
    answers: Cache<(Shared, String, u64), Observation>,
    /// Who loads an entity, by the source that counts it.
    loads: Cache<(String, EntityId), Vec<Load>>,
}

/// Where a rule looks, whatever its subject.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shared {
    /// At the entries; otherwise everywhere.
    pub at_entries: bool,
    pub source: String,
    pub dims: Option<String>,
}

/// Values that are made once and then read by all threads.
type Cache<K, V> = RwLock<HashMap<K, Arc<V>>>;

fn once<K, Q, V>(cache: &Cache<K, V>, key: &Q, make: impl FnOnce() -> V) -> Arc<V>
where
    K: Eq + Hash + Borrow<Q>,
    Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
{
    let known = cache.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
    // Two threads may make the same: it is the same.
    known.unwrap_or_else(|| {
        let made = Arc::new(make());
        let mut all = cache.write().unwrap_or_else(PoisonError::into_inner);
        all.entry(key.to_owned()).or_insert(made).clone()
    })
}

impl Sources {
    /// Sorts the series by signal.
    pub fn new(series: &[SignalSeries]) -> Sources {
        let mut of_signal: BTreeMap<SignalId, Vec<usize>> = BTreeMap::new();
        for (i, s) in series.iter().enumerate() {
            of_signal.entry(s.signal).or_default().push(i);
        }
        Sources { of_signal, ..Sources::default() }
    }

    /// The series of a source among `all`, those that it was made from.
    pub fn of(&self, table: &SignalTable, all: &[SignalSeries], source: &str) -> Arc<OfSource> {
        once(&self.known, source, || {
            let of_it = self.of_signal.iter().filter(|(id, _)| is_of(table.get(**id), source));
            OfSource::new(all, of_it.flat_map(|(_, series)| series.iter().copied()).collect())
        })
    }

    /// What rules that look there look at.
    pub fn shared(
        &self,
        there: &Shared,
        make: impl FnOnce() -> Vec<Candidate>,
    ) -> Arc<Vec<Candidate>> {
        once(&self.shared, there, make)
    }

    /// What a test with this threshold says of what is there.
    pub fn answer(
        &self,
        (there, test, value): (Shared, String, f64),
        make: impl FnOnce() -> Observation,
    ) -> Observation {
        once(&self.answers, &(there, test, value.to_bits()), make).as_ref().clone()
    }
}

impl Sources {
    /// Who loads an entity, counted by a source.
    pub fn loads(
        &self,
        source: &str,
        owner: EntityId,
        make: impl FnOnce() -> Vec<Load>,
    ) -> Arc<Vec<Load>> {
        once(&self.loads, &(source.to_owned(), owner), make)
    }
}

/// Says whether a signal is of a source.
fn is_of(signal: &Signal, source: &str) -> bool {
    let Some(role) = source.strip_prefix("role:") else { return signal.name == source };
    let (role, view) = role.split_once('@').unwrap_or((role, ""));
    let view_fits = match view {
        "" => true,
        "client" => signal.view == View::Client,
        _ => signal.view != View::Client,
    };
    signal.role == role && view_fits
}

/// Says whether a series is of a source: a canonical name or `role:<role>[@view]`.
pub fn is_source(context: &Context, s: &SignalSeries, source: &str) -> bool {
    is_of(context.telemetry.signals.get(s.signal), source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollup::{Origin, Source};
    use crate::signals::Stat;
    use crate::telemetry::Points;

    #[test]
    fn series_are_found_by_source_and_subject() {
        let table = SignalTable::built_in().expect("valid");
        let series = |subject, signal: &str| SignalSeries {
            subject,
            signal: table.named(signal).expect("known"),
            role: String::new(),
            stat: Stat::Value,
            dims: String::new(),
            points: Points::new(),
            step: 0,
            smear: 0,
            origin: Origin::Metrics,
            guessed: false,
            source: Source { file: String::new(), series: String::new() },
        };
        let (a, b) = (Subject::Entity(EntityId(0)), Subject::Entity(EntityId(1)));
        let edge = Subject::Edge(EntityId(0), EntityId(1));
        let (served, called) = ("http.server.requests", "http.client.requests");
        let all = [series(b, served), series(a, served), series(edge, called), series(a, served)];
        let sources = Sources::new(&all);
        let of = |source: &str| sources.of(table, &all, source);
        assert_eq!(of(served).at(a), [1, 3]);
        assert_eq!(of(served).subjects, [a, b]);
        assert_eq!(of("role:traffic@client").subjects, [edge]);
        assert_eq!(of("role:traffic").subjects, [a, b, edge]);
        assert_eq!(of("role:traffic@server").at(edge), [0; 0]);
        assert!(of("role:nothing").subjects.is_empty());
        for (i, s) in all.iter().enumerate() {
            for source in [served, called, "role:traffic", "role:traffic@client"] {
                let is = is_of(table.get(s.signal), source);
                assert_eq!(of(source).at(s.subject).contains(&i), is, "{source} {i}");
            }
        }
    }
}
