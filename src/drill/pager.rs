//! The page: the first symptom that an alert would fire on. In: diagnosis and rollups of the whole
//! recording. Out: a time and what the alert says at that time.

use super::cut::Instant;
use crate::diagnosis::{Diagnosis, Impact};
use crate::model::{Micros, SECOND, Subject};
use crate::rollup::{Rollups, SignalSeries};
use crate::signals::SignalId;
use crate::telemetry::Telemetry;

/// Points in a row beyond the threshold that make an alert fire, as `for: 1m` of 30 s scrapes would.
const HELD: usize = 2;
/// Where the threshold lies between what is usual and what the incident showed.
const THRESHOLD: f64 = 0.5;
/// Time after the onset at which somebody notices where no alert would fire, share of the rest.
const NOTICED: f64 = 0.15;

/// What an alert watches.
#[derive(Clone, Debug)]
pub struct Symptom {
    pub entity: String,
    pub signal: String,
    pub id: SignalId,
    /// Which series it is: its source and its other dimensions.
    pub file: String,
    pub series: String,
    pub before: f64,
    pub threshold: f64,
}

impl Symptom {
    /// The series of the symptom at a moment.
    pub fn find<'a>(&self, instant: &'a Instant) -> Option<&'a SignalSeries> {
        let graph = &instant.telemetry.graph;
        let named = |s: Subject| match s {
            Subject::Entity(e) => graph.entity(e).name == self.entity,
            Subject::Edge(..) => false,
        };
        let same = |s: &&SignalSeries| {
            named(s.subject)
                && s.signal == self.id
                && s.source.file == self.file
                && s.source.series == self.series
        };
        instant.rollups.series.iter().find(same)
    }
}

/// When the page comes, and of what.
pub struct Page {
    pub at: Micros,
    pub symptom: Option<Symptom>,
}

/// Finds the page between the onset and the end of the recording.
pub fn page(
    d: &Diagnosis,
    t: &Telemetry,
    rollups: &Rollups,
    (onset, end): (Micros, Micros),
    told: Option<i64>,
) -> Page {
    let firing: Vec<(Micros, Symptom)> =
        d.impact.iter().filter_map(|i| fires(i, t, rollups, (onset, end))).collect();
    let first = firing.into_iter().min_by_key(|f| f.0);
    let (at, symptom) = first.map_or((None, None), |(at, s)| (Some(at), Some(s)));
    let told = told.map(|s| onset.saturating_add(s.saturating_mul(SECOND)));
    let alert = t.events.iter().filter(|(_, e)| e.kind == "alert" && e.at >= onset).map(|e| e.1.at);
    let noticed = onset + ((end - onset).max(0) as f64 * NOTICED) as Micros;
    let at = told.or(at).or(alert.min()).unwrap_or(noticed);
    Page { at: at.clamp(onset, end.max(onset)), symptom }
}

/// When a symptom has been beyond its threshold long enough.
fn fires(
    impact: &Impact,
    t: &Telemetry,
    rollups: &Rollups,
    (onset, end): (Micros, Micros),
) -> Option<(Micros, Symptom)> {
    // Several signals are made of one source, e.g. the rate and the share of failures.
    let of = |s: &&SignalSeries| {
        let Subject::Entity(e) = s.subject else { return false };
        s.source == impact.source
            && t.graph.entity(e).name == impact.entity.name
            && t.signals.get(s.signal).name == impact.signal
    };
    let series = rollups.series.iter().find(of)?;
    let threshold = impact.before + THRESHOLD * (impact.during - impact.before);
    let up = impact.during >= impact.before;
    let beyond = |v: f64| if up { v > threshold } else { v < threshold };
    let inside = series.points.iter().filter(|p| (onset..=end).contains(&p.0));
    let mut held = 0;
    for (at, value) in inside {
        held = if beyond(*value) { held + 1 } else { 0 };
        if held == HELD {
            let symptom = Symptom {
                entity: impact.entity.name.clone(),
                signal: if series.role.is_empty() {
                    impact.signal.clone()
                } else {
                    series.role.clone()
                },
                id: series.signal,
                file: series.source.file.clone(),
                series: series.source.series.clone(),
                before: impact.before,
                threshold,
            };
            return Some((*at, symptom));
        }
    }
    None
}
