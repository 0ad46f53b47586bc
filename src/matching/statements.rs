//! Tests on statements and transactions: what sessions run and for how long, what one call of a
//! statement costs, how many calls one operation makes, which transaction stays open, and when a
//! level reaches its limit.
//!
//! What an export hides (`<insufficient privilege>`, no baseline) is unobservable, never absent.

use super::conditions::fits;
use super::series::{candidates, described, human, moved, ratio_text};
use super::{Context, Observation, Question, Test};
use crate::diagnosis::EvidenceState::{Absent, Present};
use crate::features::exhaustion::{self, Exhaustion};
use crate::features::fanout::FanOut;
use crate::features::shift::Shift;
use crate::features::statements::StatementLoad;
use crate::features::transactions::OpenTransaction;
use crate::features::{inside, lead, robust};
use crate::ingest::raw::Session;
use crate::ingest::sql;
use crate::model::{EntityId, Micros, SECOND, Unit, Window};
use crate::signals::Direction;
use crate::time;

/// Share of busy sessions whose statement is hidden from which the others say too little.
const HIDDEN_MAX: f64 = 0.5;

/// Facts that the open-transaction test binds.
const TRANSACTION: &[&str] = &[
    "pid",
    "application",
    "user",
    "client",
    "state",
    "short",
    "fingerprint",
    "age",
    "idle",
    "started",
    "snapshots",
    "backend_start",
];

/// The tests of this file.
pub const TESTS: &[Test] = &[
    Test {
        name: "statements",
        what: "busy sessions run one statement",
        default: 0.0,
        meaning: "not used",
        binds: &[
            "fingerprint",
            "short",
            "query",
            "sessions",
            "before",
            "peak",
            "share",
            "age",
            "oldest",
            "age_before",
            "application",
            "since",
            "snapshots",
        ],
        on_series: false,
        run: statements,
    },
    Test {
        name: "open-transaction",
        what: "a transaction stays open",
        default: 0.0,
        meaning: "not used",
        binds: TRANSACTION,
        on_series: false,
        run: open_transaction,
    },
    Test {
        name: "unit-cost-up",
        what: "what one unit costs rose, and the units did not",
        default: 2.0,
        meaning: "least ratio of the cost to the baseline",
        binds: &["target", "before", "during", "ratio", "at", "signal", "which", "units"],
        on_series: true,
        run: unit_cost_up,
    },
    Test {
        name: "calls-per-parent",
        what: "one run of an operation makes more calls to somebody else",
        default: 3.0,
        meaning: "least growth of the calls per run",
        binds: &[
            "target",
            "operation",
            "child",
            "before",
            "during",
            "ratio",
            "each",
            "each_before",
        ],
        on_series: false,
        run: calls_per_parent,
    },
    Test {
        name: "exhausts",
        what: "a level goes steadily to its limit",
        default: 86_400.0,
        meaning: "longest time to the limit, seconds",
        binds: &["target", "start", "now", "rate", "left", "at", "signal", "which"],
        on_series: true,
        run: exhausts,
    },
];

/// Where an observation was read, and when.
fn placed(c: &Context, s: &Session, span: (Micros, Micros), mut o: Observation) -> Observation {
    let file = c.telemetry.files.get(s.file as usize).map(|f| f.path.clone()).unwrap_or_default();
    o.place = Some((file, Some(s.line())));
    o.span = Some(span);
    o
}

fn or<'a>(text: &'a str, other: &'a str) -> &'a str {
    if text.is_empty() { other } else { text }
}

/// A statement of the subject server that fulfils the conditions; of several the one that takes
/// most of the server's time.
fn statements(q: &Question) -> Observation {
    let Question { context: c, subject, rule, signature, .. } = *q;
    let server = c.features.statements.iter().find(|s| Some(s.database) == subject);
    let Some(server) = server.filter(|s| s.hidden <= HIDDEN_MAX) else {
        return Observation::unobservable();
    };
    let number = |s: &StatementLoad, key: &str| match key {
        "sessions" => Some(s.during),
        "peak" => Some(s.peak as f64),
        "share" => Some(s.share),
        "age_s" => Some(s.age_s),
        "oldest_s" => Some(s.oldest_s),
        "snapshots" => Some(s.snapshots as f64),
        // A statement that was never seen running grew from nothing.
        "growth" => s.before.map(|b| if b > 0.0 { s.during / b } else { f64::INFINITY }),
        "age_growth" => s.age_before_s.map(|b| if b > 0.0 { s.age_s / b } else { f64::INFINITY }),
        "lock_share" => Some(s.lock_share),
        "io_share" => Some(s.io_share),
        "cpu_share" => Some(s.cpu_share),
        _ => None,
    };
    let text = |s: &StatementLoad, key: &str| match key {
        "new" => s.new.map(|n| n.to_string()),
        _ => None,
    };
    let judged: Vec<(Option<bool>, &StatementLoad)> = server
        .statements
        .iter()
        .map(|s| (fits(rule, signature, &|k| number(s, k), &|k| text(s, k)), s))
        .collect();
    match judged.iter().find(|j| j.0 == Some(true)) {
        Some((_, s)) => statement(c, s),
        None if judged.iter().any(|j| j.0.is_none()) => Observation::unobservable(),
        None => Observation::of(Absent),
    }
}

fn statement(c: &Context, s: &StatementLoad) -> Observation {
    let count = |n: f64| format!("{n:.1}").trim_end_matches(".0").to_owned();
    let most = s.applications.iter().max_by(|a, b| a.1.cmp(b.1).then(b.0.cmp(a.0)));
    let o = Observation::of(Present)
        .fact("fingerprint", s.fingerprint.clone())
        .fact("short", sql::summary(&s.query))
        .fact("query", s.query.clone())
        .fact("sessions", count(s.during))
        .fact("before", s.before.map_or("?".to_owned(), count))
        .fact("peak", s.peak.to_string())
        .fact("share", human(s.share, Unit::Ratio))
        .fact("age", time::duration(s.age_s))
        .fact("oldest", time::duration(s.oldest_s))
        .fact("age_before", s.age_before_s.map_or("?".to_owned(), time::duration))
        .fact("application", most.map_or("?", |m| or(m.0, "an unnamed application")))
        .fact("since", time::clock(s.since))
        .fact("snapshots", s.snapshots.to_string());
    placed(c, &s.place, (s.since, s.last), o)
}

/// The oldest open transaction of the subject server that fulfils the conditions.
fn open_transaction(q: &Question) -> Observation {
    let Question { context: c, subject, rule, signature, .. } = *q;
    let Some(db) = subject else { return Observation::unobservable() };
    if !c.telemetry.sessions.iter().any(|(d, _)| d == db) {
        return Observation::unobservable();
    }
    let number = |t: &OpenTransaction, key: &str| match key {
        "age_s" => Some(t.age_s),
        "idle_s" => Some(t.idle_s),
        "snapshots" => Some(t.snapshots as f64),
        // Opened this long before the incident began; negative after it.
        "lead_s" => Some((c.features.windows.incident.from - t.start) as f64 / SECOND as f64),
        _ => None,
    };
    let text = |t: &OpenTransaction, key: &str| match key {
        "state" => Some(t.session.state.to_string()),
        "backend" => Some(t.session.backend_type.to_string()),
        _ => None,
    };
    let own = c.features.transactions.iter().filter(|t| t.database == db);
    let fit = |t: &&OpenTransaction| {
        fits(rule, signature, &|k| number(t, k), &|k| text(t, k)) == Some(true)
    };
    let Some(t) = own.into_iter().find(fit) else { return Observation::of(Absent) };
    let s = &t.session;
    let o = Observation::of(Present)
        .fact("pid", s.pid.to_string())
        .fact("application", or(&s.application, or(&s.user, "an unnamed application")))
        .fact("user", or(&s.user, "?"))
        .fact("client", or(&s.client_addr, "local"))
        .fact("state", or(&s.state, "?"))
        .fact("short", or(&sql::summary(&s.query), "?"))
        .fact("fingerprint", sql::fingerprint(&s.query))
        .fact("age", time::duration(t.age_s))
        .fact("idle", time::duration(t.idle_s))
        .fact("started", time::clock(t.start))
        .fact("snapshots", t.snapshots.to_string())
        .fact("backend_start", super::sessions::began(s));
    placed(c, s, (t.start, s.at), o)
}

/// The series of the source whose level rose by `value` while the series of `units` with the same
/// subject and dims stayed within its bound; of several the one that cost most more.
fn unit_cost_up(q: &Question) -> Observation {
    let Question { context: c, value, rule, signature, .. } = *q;
    let units = rule.conditions.get("units").map_or("", String::as_str);
    let units = c.telemetry.signals.named(units);
    let mut best: Option<(bool, f64, usize, Option<EntityId>, f64)> = None;
    let all = candidates(q);
    for (i, at) in all.iter().copied() {
        let s = &c.rollups.series[i];
        let beside = c.series_of(s.subject).iter().copied().find(|k| {
            let other = &c.rollups.series[*k];
            Some(other.signal) == units && other.dims == s.dims
        });
        let shift = |k: usize| -> Option<Shift> { c.features.series[k].shift };
        let (Some(cost), Some(count)) = (shift(i), beside.and_then(shift)) else { continue };
        let growth = count.ratio();
        let number = |key: &str| match key {
            "growth" => Some(growth),
            "others" => Some(others(c, &all, i)),
            _ => None,
        };
        // `units` names the other signal, which is there.
        let text = |key: &str| rule.conditions.get(key).cloned();
        let few = fits(rule, signature, &number, &text) == Some(true);
        let more = (cost.incident_median - cost.baseline.median) * count.incident_median;
        let found = (few && moved(&cost, true, value), more, i, at, growth);
        if best.is_none_or(|b| (found.0, found.1) > (b.0, b.1)) {
            best = Some(found);
        }
    }
    match best {
        None => Observation::unobservable(),
        Some((rose, _, i, at, growth)) => {
            let which = which(c, i);
            described(c, i, at, if rose { Present } else { Absent })
                .fact("which", which)
                .fact("units", ratio_text(growth))
        }
    }
}

/// The middle ratio to the baseline of all series but one; 1 where there is no other.
fn others(c: &Context, all: &[(usize, Option<EntityId>)], but: usize) -> f64 {
    let rest = all.iter().filter(|x| x.0 != but);
    let ratios: Vec<f64> =
        rest.filter_map(|x| Some(c.features.series[x.0].shift?.ratio())).collect();
    robust::median(&ratios).unwrap_or(1.0)
}

/// What tells a series from its sisters: a statement by its short name where sessions show it.
fn which(c: &Context, i: usize) -> String {
    let dims = c.rollups.series[i].dims.as_str();
    let mut all = c.features.statements.iter().flat_map(|s| &s.statements);
    match all.find(|s| s.fingerprint == dims) {
        Some(s) => format!("{dims} ({})", sql::summary(&s.query)),
        None => or(dims, "all").to_owned(),
    }
}

/// An operation of the subject that makes `value` times as many calls to one callee.
fn calls_per_parent(q: &Question) -> Observation {
    let Question { context: c, subject, rule, signature, value } = *q;
    let Some(me) = subject else { return Observation::unobservable() };
    let own: Vec<&FanOut> = c.features.fan_outs.iter().filter(|f| f.caller == me).collect();
    if own.is_empty() {
        return Observation::unobservable();
    }
    let kind = |f: &FanOut| format!("{:?}", c.telemetry.graph.entity(f.callee).kind).to_lowercase();
    let number = |f: &FanOut, key: &str| match key {
        "calls" => Some(f.during),
        "each_s" => Some(f.each_s),
        "each_growth" => f.each_before_s.filter(|b| *b > 0.0).map(|b| f.each_s / b).or(Some(1.0)),
        "errors" => Some(f.errors),
        "child_share" => Some(f.child_share),
        _ => None,
    };
    let text = |f: &FanOut, key: &str| (key == "callee").then(|| kind(f));
    let fit =
        |f: &&&FanOut| fits(rule, signature, &|k| number(f, k), &|k| text(f, k)) == Some(true);
    let grown = |f: &&&FanOut| f.growth >= value;
    let time = |f: &FanOut| (f.during - f.before) * f.each_s * f.parents;
    let most = |a: &&&FanOut, b: &&&FanOut| time(a).total_cmp(&time(b));
    let found = own.iter().filter(fit).filter(grown).max_by(most);
    // Few traces can neither show nor rule out that an operation calls more often.
    let at_most = |f: &FanOut| FanOut { during: f.growth_max * f.before.max(1.0), ..f.clone() };
    let open = |f: &&FanOut| f.growth < value && f.growth_max >= value && fit(&&&at_most(f));
    if found.is_none() && own.iter().any(open) {
        return Observation::unobservable();
    }
    let state = if found.is_some() { Present } else { Absent };
    let by_growth = |a: &&&FanOut, b: &&&FanOut| a.growth.total_cmp(&b.growth).then(most(a, b));
    let Some(f) = found.or_else(|| own.iter().max_by(by_growth)) else {
        return Observation::of(Absent);
    };
    let name = |symbol: u32| c.telemetry.symbols.get(symbol as usize).cloned().unwrap_or_default();
    let w = c.features.windows.incident;
    let mut o = Observation::of(state)
        .fact("target", c.name(f.callee))
        .fact("operation", or(&name(f.operation), "an operation"))
        .fact("child", or(&name(f.child), "a call"))
        .fact("before", format!("{:.1}", f.before))
        .fact("during", format!("{:.1}", f.during))
        .fact("ratio", ratio_text(f.during / f.before.max(f64::MIN_POSITIVE)))
        .fact("each", human(f.each_s, Unit::Seconds))
        .fact("each_before", f.each_before_s.map_or("?".to_owned(), |s| human(s, Unit::Seconds)));
    o.place = c
        .telemetry
        .trace_file
        .and_then(|t| c.telemetry.files.get(t as usize))
        .map(|file| (file.path.clone(), None));
    o.span = Some((w.from, w.to));
    o.seen_at = Some(f.callee);
    o
}

/// A series of the source that reaches its limit within `value` seconds: 1 for a share that is bad
/// when high, 0 for what is bad when low.
fn exhausts(q: &Question) -> Observation {
    let Question { context: c, value, .. } = *q;
    let w = &c.features.windows;
    let look = Window { from: w.incident.from - lead(w), to: w.incident.to };
    let all = candidates(q);
    let mut best: Option<(usize, Option<EntityId>, Exhaustion)> = None;
    for (i, at) in &all {
        let s = &c.rollups.series[*i];
        let signal = c.telemetry.signals.get(s.signal);
        let (limit, up) = match (signal.direction, signal.unit()) {
            (Direction::Down, _) => (0.0, false),
            (_, Unit::Ratio) => (1.0, true),
            _ => continue,
        };
        let points: Vec<(Micros, f64)> = s.points.iter().filter(|p| look.contains(p.0)).collect();
        let found = exhaustion::exhaustion(&points, limit, up);
        if let Some(e) = found.filter(|e| best.is_none_or(|b| e.left_s < b.2.left_s)) {
            best = Some((*i, *at, e));
        }
    }
    let seen = |i: &usize| !inside(&c.rollups.series[*i], w.incident).is_empty();
    match best {
        None if !all.iter().any(|(i, _)| seen(i)) => Observation::unobservable(),
        None => {
            let (i, at) = all[0];
            let o = described(c, i, at, Absent).fact("rate", "0").fact("left", "for ever");
            let (start, now) = (o.facts.get("before").cloned(), o.facts.get("during").cloned());
            o.fact("start", start.unwrap_or_default())
                .fact("now", now.unwrap_or_default())
                .fact("which", which(c, i))
        }
        Some((i, at, e)) => {
            let unit = c.telemetry.signals.get(c.rollups.series[i].signal).unit();
            let state = if e.left_s <= value { Present } else { Absent };
            let left = match e.reached {
                true => "none".to_owned(),
                false => time::duration(e.left_s),
            };
            let mut o = described(c, i, at, state)
                .fact("start", human(e.start, unit))
                .fact("now", human(e.now, unit))
                .fact("rate", format!("{} per minute", human(60.0 * e.slope, unit)))
                .fact("left", left)
                .fact("at", time::clock(e.at))
                .fact("which", which(c, i));
            o.span = Some((look.from, look.to));
            o
        }
    }
}
