//! The test on server logs: what the database itself wrote about its sessions in the incident.
//!
//! Three-valued: without a log of that server, or of a kind that it writes only where it is told to
//! (`log_lock_waits`, `log_temp_files`, …), a missing line says nothing.

use super::conditions::fits;
use super::vocabulary::Test;
use super::{Context, Observation, Question};
use crate::diagnosis::EvidenceState::{Absent, Present};
use crate::ingest::raw::{LogKind, RawLog};
use crate::model::{EntityId, SECOND, Window};
use crate::time;
use std::collections::BTreeMap;

/// The test of this family.
pub const TESTS: &[Test] = &[Test {
    name: "logged",
    what: "the server's log has lines of the named kinds in the incident",
    default: 1.0,
    meaning: "least number of lines",
    binds: &[
        "lines",
        "before",
        "said",
        "application",
        "applications",
        "relation",
        "waited",
        "pid",
        "first",
        "last",
    ],
    on_series: false,
    run: logged,
}];

/// The lines of one server in one window, and how long its log covers that.
struct Lines<'a> {
    lines: Vec<&'a RawLog>,
    seconds: f64,
}

impl<'a> Lines<'a> {
    fn of(c: &Context<'a>, db: EntityId, window: Window, kinds: &[LogKind]) -> Lines<'a> {
        let own = c.telemetry.logs.iter().filter(|(d, _)| *d == db).map(|(_, l)| l);
        let lines = own.filter(|l| kinds.contains(&l.kind) && window.contains(l.at)).collect();
        let logs = c.telemetry.log_times.iter().filter(|(d, _)| *d == db);
        let covered =
            logs.map(|(_, (from, to))| (window.to.min(*to) - window.from.max(*from)).max(0));
        Lines { lines, seconds: covered.max().unwrap_or(0) as f64 / SECOND as f64 }
    }

    fn per_minute(&self) -> f64 {
        self.lines.len() as f64 * 60.0 / self.seconds.max(1.0)
    }
}

/// At least `value` lines of the kinds that the conditions name, in the way they say.
fn logged(q: &Question) -> Observation {
    let Question { context: c, subject: e, rule: r, value: v, signature: s, .. } = *q;
    let Some(db) = e.filter(|db| c.telemetry.log_times.iter().any(|(d, _)| d == db)) else {
        return Observation::unobservable();
    };
    let wanted = r.conditions.get("kind").map_or("", String::as_str);
    let kinds: Vec<LogKind> = wanted.split('|').filter_map(|k| LogKind::named(k.trim())).collect();
    let windows = &c.features.windows;
    let all = Window { from: i64::MIN, to: i64::MAX };
    let during = Lines::of(c, db, if windows.disturbed { windows.incident } else { all }, &kinds);
    let before = windows.disturbed.then(|| Lines::of(c, db, windows.baseline, &kinds));
    let before = before.filter(|b| b.seconds > 0.0 || !b.lines.is_empty());
    let ever = || c.telemetry.logs.iter().any(|(d, l)| *d == db && kinds.contains(&l.kind));
    if (during.lines.len() as f64) < v {
        let told = during.seconds > 0.0 && (kinds.iter().all(|k| k.is_always_logged()) || ever());
        return if told { Observation::of(Absent) } else { Observation::unobservable() };
    }
    let applications = counted(&during.lines, |l| &l.application);
    let number = |key: &str| match key {
        "growth" => before.as_ref().map(|b| match b.lines.is_empty() {
            true => f64::INFINITY,
            false => during.per_minute() / b.per_minute(),
        }),
        "applications" => Some(applications.len() as f64).filter(|n| *n > 0.0),
        "waited_s" => during.lines.iter().filter_map(|l| l.waited_s).reduce(f64::max),
        _ => None,
    };
    // The kinds were looked at already.
    let text = |key: &str| match key {
        "kind" => Some(wanted.split('|').next().unwrap_or_default().trim().to_owned()),
        _ => None,
    };
    match fits(r, s, &number, &text) {
        Some(true) => seen(c, &during, before.as_ref(), &applications),
        Some(false) => Observation::of(Absent),
        None => Observation::unobservable(),
    }
}

fn counted<'a>(
    lines: &[&'a RawLog],
    name: impl Fn(&'a RawLog) -> &'a String,
) -> BTreeMap<&'a str, usize> {
    let mut count = BTreeMap::new();
    for name in lines.iter().map(|l| name(l).as_str()) {
        if !name.is_empty() && name != "[unknown]" {
            *count.entry(name).or_default() += 1;
        }
    }
    count
}

fn most<'a>(count: &BTreeMap<&'a str, usize>, none: &'a str) -> &'a str {
    let best = count.iter().max_by_key(|(name, n)| (**n, std::cmp::Reverse(**name)));
    best.map_or(none, |(name, _)| *name)
}

fn seen(
    c: &Context,
    during: &Lines,
    before: Option<&Lines>,
    applications: &BTreeMap<&str, usize>,
) -> Observation {
    let times = || during.lines.iter().map(|l| l.at);
    let (Some(first), Some(last)) = (times().min(), times().max()) else {
        return Observation::of(Absent);
    };
    let line = during.lines.iter().find(|l| l.at == first);
    let relations = counted(&during.lines, |l| &l.relation);
    let waited = during.lines.iter().filter_map(|l| l.waited_s).reduce(f64::max);
    let mut o = Observation::of(Present)
        .fact("lines", during.lines.len().to_string())
        .fact("before", before.map_or_else(|| "?".to_owned(), |b| b.lines.len().to_string()))
        .fact("said", line.map_or_else(String::new, |l| l.said.clone()))
        .fact("application", most(applications, "unnamed").to_owned())
        .fact("applications", applications.len().to_string())
        .fact("relation", most(&relations, "a relation").to_owned())
        .fact("waited", waited.map_or_else(|| "an unknown time".to_owned(), time::duration))
        .fact("pid", line.map_or(0, |l| l.pid).to_string())
        .fact("first", time::clock(first))
        .fact("last", time::clock(last));
    o.place = line.and_then(|l| {
        let file = c.telemetry.files.get(l.file as usize)?;
        Some((file.path.clone(), Some(l.line)))
    });
    o.span = Some((first, last));
    o
}
