//! Tests on facts that are no series: change events, versions, callers in trouble.

use super::series::{human, moved, target_name};
use super::{Context, Observation, Question};
use crate::catalog::On;
use crate::diagnosis::EvidenceState::{Absent, Present};
use crate::features::shift::Shift;
use crate::features::window::{SYMPTOM_ROLES, is_felt};
use crate::features::{inside, robust};
use crate::ingest::raw::RawEvent;
use crate::model::{EntityId, Micros, SECOND, Subject, Unit};
use crate::signals::Direction;
use crate::time;
use std::collections::{BTreeMap, BTreeSet};

/// Facts that the event tests bind.
pub const EVENT: &[&str] = &[
    "event",
    "event_kind",
    "event_at",
    "version",
    "lag",
    "signal",
    "before",
    "during",
    "target",
    "at",
];

/// A series has left its usual level from this many robust standard deviations on.
const OFF: f64 = 3.0;

/// When trouble began for a subject: where its worst symptom leaves its usual level, which may be
/// well after the window begins that all subjects share; without one, that begin.
pub(super) fn trouble_of(c: &Context, subject: Option<EntityId>) -> Micros {
    let shared = c.features.windows.incident.from;
    let Some(me) = subject else { return shared };
    let worst = c.series_of(Subject::Entity(me)).iter().filter_map(|i| {
        let series = &c.rollups.series[*i];
        let feature = &c.features.series[*i];
        let direction = c.telemetry.signals.get(series.signal).direction;
        let bad = feature.shift.map(|h| h.bad(direction)).filter(|z| *z > OFF)?;
        let felt = SYMPTOM_ROLES.contains(&series.role.as_str());
        Some((bad, feature.onset.filter(|_| felt)?.at))
    });
    let worst = worst.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
    worst.map_or(shared, |w| w.1.max(shared))
}

/// Changes to the subject (or to nobody in particular) before its trouble, latest first. What was
/// changed later was changed because of it.
fn events<'a>(q: &Question<'a>, trouble: Micros) -> Vec<&'a RawEvent> {
    let c = q.context;
    let slack = 60 * SECOND;
    let mut found: Vec<_> = c
        .telemetry
        .events
        .iter()
        .filter(|(ids, x)| x.at <= trouble + slack && is_about(q, ids, x))
        .map(|(_, x)| x)
        .collect();
    found.sort_by_key(|x| std::cmp::Reverse(x.at));
    found
}

/// Says whether an event is of the wanted kind and about the subject, or about anybody where the
/// rule looks at everything. Words of a wanted title are looked for in the event's, in any case.
pub(super) fn is_about(q: &Question, ids: &[EntityId], x: &RawEvent) -> bool {
    let Question { subject: e, rule: r, .. } = *q;
    let about = match e.filter(|_| r.on != On::Global) {
        Some(me) => ids.contains(&me),
        None => true,
    };
    let one_of = |key: &str, fits: &dyn Fn(&str) -> bool| {
        r.conditions.get(key).is_none_or(|all| all.split('|').any(|w| fits(w.trim())))
    };
    let titled = || {
        // Folded only where it is asked for.
        let title = x.title.to_lowercase();
        one_of("title", &|w| title.contains(&w.to_lowercase()))
    };
    about && one_of("kind", &|w| w == x.kind) && (!r.conditions.contains_key("title") || titled())
}

/// The facts of an event, with how long before the subject's trouble it was.
pub(super) fn event_facts(
    c: &Context,
    trouble: Micros,
    x: &RawEvent,
    o: Observation,
) -> Observation {
    let lag = (trouble - x.at) as f64 / SECOND as f64;
    let when = if lag >= 0.0 {
        format!("{} before", time::duration(lag))
    } else {
        format!("{} after", time::duration(lag))
    };
    let title = if x.title.is_empty() { x.kind.clone() } else { x.title.clone() };
    let file = c.telemetry.files.get(x.file as usize).map(|f| f.path.clone()).unwrap_or_default();
    let version = if x.version.is_empty() { String::new() } else { format!(" {}", x.version) };
    let mut o = o
        .fact("event", title)
        .fact("event_kind", x.kind.clone())
        .fact("event_at", time::clock(x.at))
        .fact("version", version)
        .fact("lag", when);
    o.place = Some((file, Some(x.line)));
    o.span = Some((x.at, x.at));
    o
}

/// A change of the wanted kind to the subject at most `value` seconds before the incident.
pub fn event(q: &Question) -> Observation {
    let Question { context: c, value: v, .. } = *q;
    if c.telemetry.events.is_empty() {
        return Observation::unobservable();
    }
    let trouble = trouble_of(c, q.subject);
    match events(q, trouble).first() {
        Some(x) if (trouble - x.at) as f64 <= v * SECOND as f64 => {
            event_facts(c, trouble, x, Observation::of(Present))
        }
        _ => Observation::of(Absent),
    }
}

/// A series of the source at the subject leaves its level within `value` seconds of the change.
///
/// The level before the change is compared with that between the change and `value` seconds after.
pub fn onset_after_event(q: &Question) -> Observation {
    let Question { context: c, subject: e, rule: r, value: v, .. } = *q;
    let Some(me) = e else { return Observation::unobservable() };
    let trouble = trouble_of(c, e);
    let found = events(q, trouble);
    let of_source = c.of_source(&r.source);
    let own = of_source.at(Subject::Entity(me));
    if found.is_empty() || own.is_empty() {
        return Observation::unobservable();
    }
    for x in &found {
        let lag = (v * SECOND as f64) as Micros;
        for i in own {
            let Some(onset) = c.features.series[*i].onset else { continue };
            let step = c.rollups.series[*i].step.max(SECOND);
            let signal = c.telemetry.signals.get(c.rollups.series[*i].signal);
            let role = c.rollups.series[*i].role.as_str();
            // A symptom that nobody feels follows nothing: its middle may stand still.
            let felt = |h: &Shift| {
                !SYMPTOM_ROLES.contains(&role)
                    || is_felt(role, signal.unit(), h.baseline.median, h.level)
            };
            let shift = c.features.series[*i].shift;
            let shift = shift.filter(|h| h.bad(signal.direction) > OFF && felt(h));
            if shift.is_some() && onset.at >= x.at - step && onset.earliest <= x.at + lag {
                let (before, during) =
                    shift.map_or((0.0, 0.0), |h| (h.baseline.median, h.incident_median));
                let mut o = event_facts(c, trouble, x, Observation::of(Present))
                    .fact("signal", signal.name.clone())
                    .fact("target", target_name(c, Subject::Entity(me)))
                    .fact("at", time::clock(onset.at))
                    .fact("before", human(before, signal.unit()))
                    .fact("during", human(during, signal.unit()));
                o.series = Some(*i);
                return o;
            }
        }
    }
    event_facts(c, trouble, found[0], Observation::of(Absent))
}

/// Instances of the newest version are worse than those of an older one that run at the same time.
pub fn version_split(q: &Question) -> Observation {
    let Question { context: c, subject: e, rule: r, value: v, .. } = *q;
    let Some(me) = e else { return Observation::unobservable() };
    let incident = c.features.windows.incident;
    let mut versions: BTreeMap<&str, (Micros, BTreeSet<EntityId>)> = BTreeMap::new();
    for x in c.rollups.versions.iter().filter(|x| x.service == me && x.last >= incident.from) {
        let slot = versions.entry(&x.version).or_insert((x.first, BTreeSet::new()));
        slot.0 = slot.0.min(x.first);
        slot.1.extend(x.instance);
    }
    let newest = versions.iter().max_by_key(|(name, (first, _))| (*first, **name)).map(|(n, _)| *n);
    let (Some(newest), true) = (newest, versions.len() >= 2) else {
        return Observation::unobservable();
    };
    let of_source = c.of_source(&r.source);
    let mut levels: BTreeMap<bool, Vec<(f64, usize)>> = BTreeMap::new();
    let mut unit = Unit::None;
    for (name, (_, instances)) in &versions {
        let others: BTreeSet<EntityId> = versions
            .iter()
            .filter(|(n, _)| *n != name)
            .flat_map(|(_, (_, i))| i.iter().copied())
            .collect();
        for i in instances
            .iter()
            .filter(|i| !others.contains(i))
            .flat_map(|i| of_source.at(Subject::Entity(*i)))
        {
            let s = &c.rollups.series[*i];
            if let Some(level) = robust::median(&inside(s, incident)) {
                unit = c.telemetry.signals.get(s.signal).unit();
                levels.entry(*name == newest).or_default().push((level, *i));
            }
        }
    }
    let mean = |side: bool| {
        let all = levels.get(&side)?;
        Some(all.iter().map(|x| x.0).sum::<f64>() / all.len() as f64)
    };
    let (Some(new), Some(old)) = (mean(true), mean(false)) else {
        return Observation::unobservable();
    };
    let floor = if unit == Unit::Ratio { 0.02 } else { 0.0 };
    let state = if new >= v * old && new - old > floor { Present } else { Absent };
    let before: Vec<&str> = versions.keys().copied().filter(|n| *n != newest).collect();
    let mut o = Observation::of(state)
        .fact("new", newest.to_owned())
        .fact("old", before.join(", "))
        .fact("new_level", human(new, unit))
        .fact("old_level", human(old, unit))
        .fact("signal", r.source.trim_start_matches("role:").to_owned());
    o.series = levels.get(&true).and_then(|l| l.first()).map(|l| l.1);
    o.span = Some((incident.from, incident.to));
    o
}

/// Callers, direct and indirect, that have symptoms users can feel.
pub fn dependants(q: &Question) -> Observation {
    let Question { context: c, subject: e, value: v, .. } = *q;
    let Some(me) = e else { return Observation::unobservable() };
    let callers = c.telemetry.graph.dependants(me);
    if callers.is_empty() {
        return Observation::unobservable();
    }
    let hurt: Vec<(EntityId, u32)> =
        callers.into_iter().filter(|(id, _)| has_symptom(c, *id)).collect();
    let hops = hurt.iter().map(|h| h.1).max().unwrap_or(0);
    let names: Vec<&str> = hurt.iter().map(|h| c.name(h.0)).collect();
    let state = if hurt.len() as f64 >= v && hops >= 2 { Present } else { Absent };
    Observation::of(state)
        .fact("count", hurt.len().to_string())
        .fact("hops", hops.to_string())
        .fact("names", names.join(", "))
}

/// Says whether an entity's latency, errors or availability clearly left their usual level.
pub fn has_symptom(c: &Context, id: EntityId) -> bool {
    c.series_of(Subject::Entity(id)).iter().any(|i| symptom(c, *i).is_some())
}

/// The strength of a symptom in one series, if it is one.
pub fn symptom(c: &Context, i: usize) -> Option<f64> {
    let s = &c.rollups.series[i];
    if !SYMPTOM_ROLES.contains(&s.role.as_str()) {
        return None;
    }
    let signal = c.telemetry.signals.get(s.signal);
    let shift = c.features.series[i].shift?;
    let up = signal.direction != Direction::Down;
    let felt = is_felt(&s.role, signal.unit(), shift.baseline.median, shift.level);
    (felt && moved(&shift, up, 1.0)).then(|| shift.bad(signal.direction))
}

/// Present when no window was given and none was found.
pub fn undisturbed(q: &Question) -> Observation {
    let Question { context: c, .. } = *q;
    let windows = &c.features.windows;
    let state = if windows.disturbed { Absent } else { Present };
    let mut o = Observation::of(state);
    o.span = Some((windows.baseline.from, windows.incident.to));
    o
}
