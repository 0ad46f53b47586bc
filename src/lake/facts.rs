//! Rollups of samples (per series and bucket) and of sessions (facts of each snapshot). In: what was
//! read from any format. Out: the rows that the SQL gives; only a sum of fractions may differ, in its
//! last bits, by the order in which an engine adds them.

use super::Question;
use crate::ingest::raw::{Raw, RawSeries, Session};
use crate::model::Micros;
use std::collections::BTreeMap;

/// A series: metric, labels as JSON with sorted keys, unit, statistic and query, empty where unknown.
pub type Series = [String; 5];

/// What is kept of the samples of one series in one bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Samples {
    pub samples: i64,
    pub min: f64,
    pub max: f64,
    /// Values of the earliest and the latest sample.
    pub first: f64,
    pub last: f64,
    pub sum: f64,
    /// Time of the latest sample.
    pub last_us: Micros,
    /// Samples lower than the one before them in the bucket: a counter that began anew.
    pub resets: i64,
}

/// Who the sessions are that are counted together: server, database, application, user, state, type of
/// the event that is waited for.
pub type Who = [String; 6];

/// What is kept of the alike sessions of one snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sessions {
    pub sessions: i64,
    /// Of these, those that another session blocks.
    pub blocked: i64,
    /// Start of the earliest transaction and statement; `None` where nobody has one.
    pub xact_start_us: Option<Micros>,
    pub query_start_us: Option<Micros>,
}

/// The two tables, in the order of their keys.
#[derive(Default)]
pub struct Facts {
    pub samples: BTreeMap<(Micros, Series), Samples>,
    pub sessions: BTreeMap<(Micros, Who), Sessions>,
}

impl Facts {
    /// Rolls up what was read; samples that are no number are left out.
    pub fn of(raw: &Raw, question: &Question) -> Facts {
        let mut facts = Facts::default();
        for series in &raw.series {
            let known = |p: &(Micros, f64)| question.takes(p.0) && !p.1.is_nan();
            let mut buckets: BTreeMap<Micros, Samples> = BTreeMap::new();
            for (t, value) in series.samples.iter().filter(known) {
                let one = Samples::of(t, value);
                let bucket = buckets.entry(t - t % question.bucket);
                bucket.and_modify(|s| s.append(&one)).or_insert(one);
            }
            // The key is five texts: made once for a bucket, not for each sample.
            let key = key(series);
            for (bucket, own) in buckets {
                let known = facts.samples.entry((bucket, key.clone()));
                known.and_modify(|s| s.append(&own)).or_insert(own);
            }
        }
        for session in raw.sessions.iter().filter(|s| question.takes(s.at)) {
            facts.sessions.entry((session.at, who(session))).or_default().add(session);
        }
        facts
    }
}

impl Samples {
    fn of(last_us: Micros, value: f64) -> Samples {
        let (min, max, first, last, sum) = (value, value, value, value, value);
        Samples { samples: 1, min, max, first, last, sum, last_us, resets: 0 }
    }

    /// Adds those that come behind these.
    fn append(&mut self, later: &Samples) {
        self.samples += later.samples;
        (self.min, self.max) = (self.min.min(later.min), self.max.max(later.max));
        self.resets += later.resets + i64::from(later.first < self.last);
        (self.last, self.last_us) = (later.last, later.last_us);
        self.sum += later.sum;
    }
}

impl Sessions {
    fn add(&mut self, session: &Session) {
        let earlier = |a: Option<Micros>, b: Option<Micros>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.sessions += 1;
        self.blocked += i64::from(session.is_blocked());
        self.xact_start_us = earlier(self.xact_start_us, session.xact_start());
        self.query_start_us = earlier(self.query_start_us, session.query_start());
    }
}

fn key(series: &RawSeries) -> Series {
    let labels = serde_json::to_string(&series.labels).unwrap_or_default();
    let text = |t: &Option<String>| t.clone().unwrap_or_default();
    let (unit, statistic) = (text(&series.unit), text(&series.statistic));
    [series.name.clone(), labels, unit, statistic, text(&series.query)]
}

fn who(s: &Session) -> Who {
    let text = |t: &crate::ingest::text::Text| t.to_string();
    let (server, database) = (text(&s.server), text(&s.database));
    let (application, user) = (text(&s.application), text(&s.user));
    [server, database, application, user, text(&s.state), text(&s.wait_event_type)]
}
