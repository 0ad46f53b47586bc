//! The incident window: given, or found where users' symptoms leave their usual level.
//! In: series. Out: baseline and incident windows and how they were decided.
//!
//! Each symptom series is cut into segments of one level (rank CUSUM); segments that are clearly
//! worse than the normal one are disturbances; the stretch in which most subjects are disturbed
//! is the incident. Thresholds are about what a user can feel, not about any data set.

use super::disturbance::{Disturbance, disturbances};
use super::robust;
use crate::ingest::raw::IncidentFile;
use crate::model::{EntityId, Micros, Subject, Unit, Window};
use crate::rollup::{Origin, SignalSeries};
use crate::signals::SignalTable;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// A latency is worse when it grows by this factor …
const LATENCY_RATIO: f64 = 1.4;
/// … and by this many seconds.
const LATENCY_S: f64 = 0.005;
/// An error ratio or availability is worse when it moves by this share of requests.
const SHARE: f64 = 0.01;
/// Any other trouble signal is worse when it grows by this factor.
const OTHER_RATIO: f64 = 2.0;
/// The incident is where at least this share of the most subjects disturbed at once are disturbed.
const VOTE_SHARE: f64 = 0.34;

/// The incident begins when this share of the disturbances that overlap its peak have begun: a
/// single early one may be chance, and each entity's own onset is looked for before it anyway.
const BEGUN_SHARE: f64 = 0.2;

/// Time before a given incident that is left out of the baseline, at most.
const GUARD: Micros = 30 * crate::model::SECOND;

/// Symptoms correct the begin of a given incident when they are so clear: one subject twenty
/// standard deviations off, or several less far.
const CLEAR_STRENGTH: f64 = 3.0;
/// They correct it by more than this, the precision of a time that somebody noted, and by more than
/// so many steps of the samples, the precision of theirs, …
const NOTED: Micros = 30 * crate::model::SECOND;
const STEPS: Micros = 2;
/// … and move it back by at most this: earlier symptoms may be of another incident, or of noise.
const LATE_MOST: Micros = 180 * crate::model::SECOND;
/// What remains of the window that loses by it, at least: a symptom from near the first sample on is
/// no incident's, and an incident that is nearly all quiet is another one.
const REST_SHARE: f64 = 0.2;

/// Roles by which users feel an incident.
pub const SYMPTOM_ROLES: [&str; 3] = ["latency", "errors", "availability"];
/// Roles that show trouble which users need not feel yet. Throttling is none: bursts that run into a
/// limit are everyday, and only waiting that somebody feels makes them trouble.
const TROUBLE_ROLES: [&str; 13] = [
    "queue",
    "lag",
    "pool-pending",
    "pool-timeouts",
    "pool-wait",
    "lock-waiters",
    "restarts",
    "up",
    "replication-lag",
    "workers-utilization",
    "pool-utilization",
    "broker-alarm",
    "leader-changes",
];

/// Resources whose lasting growth without more load is worth a look even if nobody felt it.
pub const RESOURCE_ROLES: [&str; 3] = ["cpu", "memory", "disk"];
/// Traffic that grows by this share of a resource's growth (logarithms) explains it.
const LOAD_SHARE: f64 = 0.5;

/// A bump is like another up to this ratio of their sizes.
const BREATH_Z: f64 = 1.5;

/// The two windows that everything is compared between.
#[derive(Clone, Debug)]
pub struct Windows {
    pub baseline: Window,
    pub incident: Window,
    /// In words, for every report.
    pub how: String,
    /// False when nothing disturbed was found and no window was given.
    pub disturbed: bool,
    /// The windows were given by the user.
    pub given: bool,
    /// Users' symptoms, not only internal trouble, decided.
    pub felt: bool,
    /// Sum over the subjects disturbed at the peak of the logarithm of one plus how many standard
    /// deviations each is off; infinite for a given window, which is the user's word.
    pub strength: f64,
}

impl IncidentFile {
    /// Fixes the incident, with its begin moved by seconds: how much an answer depends on the time
    /// that somebody noted. A baseline that was not given stays everything before it.
    pub fn misplace(&mut self, windows: &Windows, seconds: i64) {
        let (before, during) = (windows.baseline, windows.incident);
        let last = during.to - crate::model::SECOND;
        let from = (during.from + seconds * crate::model::SECOND).min(last);
        let from = from.max(before.from + crate::model::SECOND);
        if let Some(given) = &mut self.baseline {
            given.to = given.to.min(from);
        }
        self.incident = Some(Window { from, to: during.to });
    }
}

/// Decides the windows of an incident.
pub fn windows(
    incident: &IncidentFile,
    series: &[SignalSeries],
    table: &SignalTable,
    symptom: Option<EntityId>,
    extent: (Micros, Micros),
) -> Windows {
    match incident.incident {
        Some(given) => {
            let windows = given_windows(incident, given, extent.0);
            let felt = felt_window(incident, series, table, symptom);
            match felt.filter(|f| f.strength >= CLEAR_STRENGTH) {
                Some(felt) => corrected(windows, &felt, incident.baseline.is_none()),
                None => windows,
            }
        }
        None => found_windows(incident, series, table, symptom, extent),
    }
}

fn given_windows(incident: &IncidentFile, given: Window, first: Micros) -> Windows {
    // Alarms fire late: what stands just before the given start may belong to the incident.
    let guard = ((given.from - first) / 10).clamp(0, GUARD);
    let before = Window { from: first, to: given.from - guard };
    let baseline = incident.baseline.unwrap_or(before);
    let how = match (incident.baseline, baseline.seconds() > 0.0) {
        (Some(_), _) => "both windows given in incident.toml",
        (None, true) => "incident given in incident.toml, baseline is everything before it",
        (None, false) => "incident given in incident.toml; nothing was recorded before it",
    };
    Windows {
        baseline,
        incident: given,
        how: how.to_owned(),
        disturbed: true,
        given: true,
        felt: true,
        strength: f64::INFINITY,
    }
}

/// The given windows, where symptoms clearly began at another time than the given one: alarms fire
/// late, and people round. Incident left in the baseline would make its level look usual; quiet time
/// in the incident would make its level look lower.
fn corrected(windows: Windows, symptoms: &Felt, open: bool) -> Windows {
    let (given, felt) = (windows.incident, symptoms.window);
    let precision = NOTED.max(STEPS * symptoms.step);
    let apart = felt.from - given.from;
    let overlap = felt.from < given.to && felt.to > given.from - precision;
    let usual = windows.baseline.to - windows.baseline.from;
    let quiet = felt.from - GUARD;
    let (rest, whole) = match apart < 0 {
        true => (quiet - windows.baseline.from, usual),
        false => (given.to - felt.from, given.to - given.from),
    };
    let enough = rest as f64 >= REST_SHARE * whole as f64 && quiet > windows.baseline.from;
    if !overlap || apart.abs() <= precision || apart < -LATE_MOST || !enough {
        return windows;
    }
    // A cause may precede what users feel, so a quiet head is kept, unless more of the usual time
    // lies in it than before it, or it is most of the incident.
    let (needed, most) = (usual < apart, 2 * apart > whole);
    if apart > 0 && !needed && !most {
        return windows;
    }
    let side = if apart < 0 { "before" } else { "after" };
    let said = crate::time::duration(apart.abs() as f64 / 1e6);
    let mut out = windows;
    out.incident.from = felt.from;
    let longer = open && needed;
    out.baseline.to = if longer { quiet } else { out.baseline.to.min(quiet) };
    out.how =
        format!("{}; symptoms clearly begin {said} {side} the given start, taken as it", out.how);
    out
}

/// The stretch in which users feel something.
struct Felt {
    window: Window,
    /// How clearly, as [`Windows::strength`].
    strength: f64,
    /// Largest distance of samples among the series that show it.
    step: Micros,
}

/// Finds that stretch by the symptom that the incident names, or else by any.
fn felt_window(
    incident: &IncidentFile,
    series: &[SignalSeries],
    table: &SignalTable,
    symptom: Option<EntityId>,
) -> Option<Felt> {
    let rounds = [told(series, incident, symptom), with_role(series, &SYMPTOM_ROLES)];
    rounds.into_iter().find_map(|candidates| {
        let found = disturbed(&candidates, series, table);
        let (window, strength) = vote(&found)?;
        let shows = found.iter().filter(|d| d.from < window.to && d.to > window.from);
        let step = shows.map(|d| series[d.series].step).max()?;
        Some(Felt { window, strength, step })
    })
}

fn found_windows(
    incident: &IncidentFile,
    series: &[SignalSeries],
    table: &SignalTable,
    symptom: Option<EntityId>,
    (first, last): (Micros, Micros),
) -> Windows {
    let told = told(series, incident, symptom);
    let of = |roles: &[&str]| with_role(series, roles);
    let (felt, trouble, resources) = (of(&SYMPTOM_ROLES), of(&TROUBLE_ROLES), of(&RESOURCE_ROLES));
    let rounds = [
        (told, true, "the symptom named in incident.toml leaves its usual level"),
        (felt, true, "latency, errors or availability leave their usual level"),
        (trouble, false, "internal signals leave their usual level; no user symptom does"),
        (resources, false, "resources leave their usual level without more load; nobody felt it"),
    ];
    for (candidates, felt, why) in rounds {
        let mut found = disturbed(&candidates, series, table);
        if !felt {
            breathing(&mut found, last);
        }
        let resource = |d: &Disturbance| RESOURCE_ROLES.contains(&series[d.series].role.as_str());
        found.retain(|d| !resource(d) || !load_explains(d, series));
        let Some((window, strength)) = vote(&found) else { continue };
        let window = Window { to: open_end(&found, window, series, last), ..window };
        let guard = ((window.from - first) / 20).max(0);
        let baseline = incident.baseline.unwrap_or(Window { from: first, to: window.from - guard });
        let of = |d: &&Disturbance| d.from < window.to && d.to > window.from;
        let n = found.iter().filter(of).map(|d| d.subject).collect::<BTreeSet<_>>().len();
        let how = format!("found: {why} ({n} subjects); baseline is everything before");
        return Windows {
            baseline,
            incident: window,
            how,
            disturbed: true,
            given: false,
            felt,
            strength,
        };
    }
    let middle = first + (last - first) / 2;
    Windows {
        baseline: incident.baseline.unwrap_or(Window { from: first, to: middle }),
        incident: Window { from: middle, to: last + 1 },
        how: "no disturbance found: the second half is compared with the first".to_owned(),
        disturbed: false,
        given: false,
        felt: false,
        strength: 0.0,
    }
}

/// Where an incident ends that had not ended when the last metric or span was recorded: snapshots that
/// were first taken after that, by whoever was called, are of it.
fn open_end(
    found: &[Disturbance],
    window: Window,
    series: &[SignalSeries],
    last: Micros,
) -> Micros {
    let recorded = series.iter().filter(|s| s.origin != Origin::Sessions);
    let recorded = recorded.filter_map(|s| Some(s.points.last()?.0)).max();
    let goes_on = |d: &Disturbance| {
        let own = &series[d.series];
        let end = own.points.last().map_or(Micros::MIN, |p| p.0);
        let to_the_end = d.from < window.to && d.to >= window.to && d.to > end;
        to_the_end && recorded.is_some_and(|r| r <= end + 2 * own.step)
    };
    // Sessions that were looked at all the time say themselves how long it lasted.
    let sessions = series.iter().filter(|s| s.origin == Origin::Sessions);
    let first_look = sessions.filter_map(|s| Some(s.points.first()?.0)).min();
    let late = first_look.is_none_or(|t| t >= window.to);
    match late && found.iter().any(goes_on) {
        true => window.to.max(last + 1),
        false => window.to,
    }
}

/// Drops bumps that nobody felt and that only repeat an earlier one of their series, as a queue
/// does that takes a batch and is drained: normal was left as far before, and came back by itself.
fn breathing(found: &mut Vec<Disturbance>, last: Micros) {
    let all = found.clone();
    found.retain(|d| {
        let like = |o: &&Disturbance| {
            o.series == d.series && o.from != d.from && o.to <= last && d.z <= BREATH_Z * o.z
        };
        d.to > last || !all.iter().any(|o| like(&o))
    });
}

/// The series that are the symptom which the user named.
fn told(series: &[SignalSeries], incident: &IncidentFile, symptom: Option<EntityId>) -> Vec<usize> {
    (0..series.len()).filter(|i| is_told(&series[*i], incident, symptom)).collect()
}

/// The series of some roles that are long enough to have a usual level.
fn with_role(series: &[SignalSeries], roles: &[&str]) -> Vec<usize> {
    let fits = |s: &SignalSeries| s.points.len() >= 8 && roles.contains(&s.role.as_str());
    (0..series.len()).filter(|i| fits(&series[*i])).collect()
}

fn disturbed(
    candidates: &[usize],
    series: &[SignalSeries],
    table: &SignalTable,
) -> Vec<Disturbance> {
    let of = |i: &usize| disturbances(*i, &series[*i], table);
    candidates.par_iter().flat_map_iter(of).collect()
}

/// Says whether more load explains that a resource is used more: traffic of the subject, or of any
/// where its own is not known, grew by half as much or more on a logarithmic scale.
fn load_explains(d: &Disturbance, series: &[SignalSeries]) -> bool {
    let all: Vec<&SignalSeries> = series.iter().filter(|s| s.role == "traffic").collect();
    let own: Vec<&SignalSeries> = all.iter().filter(|s| s.subject == d.subject).copied().collect();
    let growth = |s: &&SignalSeries| {
        let inside = |p: &(Micros, f64)| d.from <= p.0 && p.0 < d.to;
        let split: (Vec<_>, Vec<_>) = s.points.iter().partition(inside);
        let middle = |points: &[(Micros, f64)]| {
            robust::median(&points.iter().map(|p| p.1).collect::<Vec<_>>())
        };
        Some((middle(&split.0)? / middle(&split.1)?).ln())
    };
    let known = if own.is_empty() { all } else { own };
    let most = known.iter().filter_map(growth).filter(|g| g.is_finite()).reduce(f64::max);
    most.is_some_and(|g| g >= LOAD_SHARE * d.ratio.ln())
}

/// Says whether a series is the symptom that the user named.
fn is_told(s: &SignalSeries, incident: &IncidentFile, symptom: Option<EntityId>) -> bool {
    let named = incident.symptom_signal.as_deref().unwrap_or_default();
    let signal = named.is_empty()
        || s.role == named
        || s.source.series.starts_with(named)
        || s.dims == named;
    symptom.is_some_and(|e| s.subject == Subject::Entity(e)) && signal && !named.is_empty()
}

/// Says whether a move from one level to another is large enough to matter to anyone.
pub fn is_felt(role: &str, unit: Unit, from: f64, to: f64) -> bool {
    match (role, unit) {
        ("latency", _) => to >= LATENCY_RATIO * from && to - from >= LATENCY_S,
        ("errors", Unit::Ratio) => to - from >= SHARE,
        ("availability" | "up", _) => from - to >= SHARE,
        _ if to >= from => to >= OTHER_RATIO * from && to > 0.0,
        _ => from >= OTHER_RATIO * to,
    }
}

/// The stretch around the time at which most subjects are disturbed, and how much they are.
fn vote(found: &[Disturbance]) -> Option<(Window, f64)> {
    let mut edges: BTreeSet<Micros> = BTreeSet::new();
    for d in found {
        edges.extend([d.from, d.to]);
    }
    let edges: Vec<Micros> = edges.into_iter().collect();
    let at = |t: Micros| -> f64 {
        let mut by: BTreeMap<Subject, f64> = BTreeMap::new();
        for d in found.iter().filter(|d| d.from <= t && t < d.to) {
            let weight = by.entry(d.subject).or_default();
            *weight = weight.max((1.0 + d.z).ln());
        }
        by.values().sum()
    };
    let votes: Vec<f64> = edges.iter().map(|t| at(*t)).collect();
    let peak = (0..votes.len()).max_by(|a, b| votes[*a].total_cmp(&votes[*b]).then(b.cmp(a)))?;
    if votes[peak] <= 0.0 {
        return None;
    }
    let enough = |i: usize| votes[i] >= VOTE_SHARE * votes[peak];
    let mut from = peak;
    while from > 0 && enough(from - 1) {
        from -= 1;
    }
    let mut to = peak;
    while to + 1 < votes.len() && enough(to) {
        to += 1;
    }
    let mut starts: Vec<Micros> = found
        .iter()
        .filter(|d| d.from <= edges[peak] && d.to > edges[peak] && d.to > edges[from])
        .map(|d| d.from)
        .collect();
    starts.sort_unstable();
    let begun = starts.get((BEGUN_SHARE * starts.len() as f64) as usize).copied();
    Some((Window { from: begun.unwrap_or(edges[from]), to: edges[to] }, votes[peak]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::notation::points;
    use crate::model::SECOND;
    use crate::rollup::Source;
    use crate::signals::Stat;

    fn latency(table: &SignalTable, text: &str, id: u32) -> SignalSeries {
        SignalSeries {
            subject: Subject::Entity(EntityId(id)),
            signal: table.named("http.server.request.duration").expect("known"),
            role: "latency".into(),
            stat: Stat::Mean,
            dims: String::new(),
            points: points(text).into(),
            step: 10 * SECOND,
            smear: 0,
            origin: Origin::Metrics,
            guessed: false,
            source: Source { file: String::new(), series: String::new() },
        }
    }

    fn find(series: &[&str]) -> Windows {
        let table = SignalTable::built_in().expect("valid");
        let all: Vec<SignalSeries> =
            series.iter().enumerate().map(|(i, t)| latency(table, t, i as u32)).collect();
        let extent = (0, all[0].points.last().expect("points").0);
        windows(&IncidentFile::default(), &all, table, None, extent)
    }

    #[test]
    fn a_bump_of_latency_is_the_incident() {
        let w = find(&["0.1 0.11x19 0.9x12 0.1x10", "0.2 0.21x19 0.8x12 0.2x10"]);
        assert!(w.disturbed && w.felt);
        assert_eq!((w.incident.from, w.incident.to), (190 * SECOND, 320 * SECOND));
        assert!(w.baseline.to <= w.incident.from);
    }

    #[test]
    fn clear_symptoms_correct_the_begin_that_somebody_noted() {
        let table = SignalTable::built_in().expect("valid");
        let bump = latency(table, "0.1 0.11x19 0.9x12 0.1x30", 0);
        let told = |from: Micros, to: Micros| {
            let given = Window { from: from * SECOND, to: to * SECOND };
            let file = IncidentFile { incident: Some(given), ..IncidentFile::default() };
            let w = windows(&file, std::slice::from_ref(&bump), table, None, (0, 610 * SECOND));
            assert!(w.given && w.incident.to == to * SECOND);
            (w.incident.from / SECOND, w.baseline.to / SECOND, w.how)
        };
        let late = told(240, 320);
        assert_eq!((late.0, late.1), (190, 160));
        assert!(late.2.ends_with("begin 50s before the given start, taken as it"), "{}", late.2);
        let early = told(60, 320);
        assert_eq!((early.0, early.1), (190, 160));
        // Enough was recorded before it: the cause may have begun as noted.
        assert_eq!(told(140, 320).0, 140);
        // Most of it is quiet; what was recorded before it is enough.
        let mostly = told(110, 250);
        assert_eq!((mostly.0, mostly.1), (190, 99));
        // Noted when it had just ended.
        assert_eq!(told(340, 400).0, 190);
        // Within the precision of a note; of another time; almost all of it quiet.
        assert_eq!(told(215, 320).0, 215);
        assert_eq!(told(20, 100).0, 20);
        assert_eq!(told(400, 500).0, 400);
        assert_eq!(told(1, 210).0, 1);
    }

    #[test]
    fn an_incident_that_goes_on_ends_with_the_last_snapshot() {
        let table = SignalTable::built_in().expect("valid");
        let of = |text: &str, later: Micros| {
            let series = [latency(table, text, 0)];
            let end = series[0].points.last().expect("points").0;
            let extent = (0, end + later * SECOND);
            let found = windows(&IncidentFile::default(), &series, table, None, extent);
            (found.incident.to - end, found.disturbed)
        };
        assert_eq!(of("0.1 0.11x19 0.9x12", 0), (1, true));
        assert_eq!(of("0.1 0.11x19 0.9x12", 9), (9 * SECOND + 1, true));
        // One that is over stays so.
        assert_eq!(of("0.1 0.11x19 0.9x12 0.1x10", 9), (-90 * SECOND, true));
    }

    #[test]
    fn wiggles_and_small_moves_are_healthy() {
        assert!(
            !find(&["0.1 0.12 0.11 0.1 0.13 0.11 0.12 0.1 0.11 0.12 0.1 0.13 0.11 0.1"]).disturbed
        );
        assert!(!find(&["0.100x20 0.104x20"]).disturbed);
    }
}
