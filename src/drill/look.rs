//! `look COMPONENT`: what is measured of it, of its calls and of its parts, up to now.

use super::case::{Layer, Level, Plan};
use super::cut::Instant;
use super::words;
use crate::model::{EntityId, Subject};
use crate::report::{Style, plain};
use crate::rollup::{Origin, SignalSeries};
use crate::signals::{Direction, Stat};

/// Roles in the order in which a dashboard shows them; others follow by name.
const ROLES: [&str; 12] = [
    "traffic",
    "errors",
    "latency",
    "pool-used",
    "pool-wait",
    "queue",
    "workers-busy",
    "cpu",
    "memory",
    "restarts",
    "up",
    "lag",
];
/// Roles that the first layer shows.
const EDGE_ROLES: [&str; 3] = ["traffic", "errors", "latency"];
/// Series of a component at once; more are found by `query`.
const LINES: usize = 14;
/// Series of one role at once.
const SAME_ROLE: usize = 3;
/// Parts, callers and callees at once.
const PARTS: usize = 10;

/// What is drawn, and how.
pub struct View<'a> {
    pub instant: &'a Instant,
    pub plan: &'a Plan,
    pub level: Level,
    pub open: &'a [Layer],
    pub style: &'a Style,
}

impl View<'_> {
    fn series(&self, subject: Subject) -> impl Iterator<Item = &SignalSeries> {
        let all = self.instant.rollups.series.iter();
        all.filter(move |s| s.subject == subject && !s.points.is_empty())
    }

    /// Whether a series is on the dashboards that are open.
    pub fn is_open(&self, s: &SignalSeries) -> bool {
        let layer = self.layer(s);
        layer == Layer::Edges || self.open.contains(&layer)
    }

    /// The dashboards that a series is on.
    pub fn layer(&self, s: &SignalSeries) -> Layer {
        let edges = EDGE_ROLES.contains(&s.role.as_str()) && !s.guessed;
        match s.origin {
            Origin::Sessions => Layer::Sessions,
            _ if edges => Layer::Edges,
            Origin::Traces => Layer::Traces,
            _ => Layer::Services,
        }
    }

    /// Series with their titles, a line each, pictures under each other.
    pub fn lines(&self, rows: &[(String, &SignalSeries)]) -> Vec<String> {
        /// Columns of a value, and of what is usual.
        const VALUE: usize = 14;
        const USUAL: usize = 16;
        let usual = if self.level == Level::Guided { USUAL } else { 0 };
        let taken = words::picture_width(self.style) + VALUE + usual;
        let most = self.style.width.saturating_sub(taken).max(20);
        let widest = rows.iter().map(|(title, _)| title.chars().count()).max().unwrap_or(0);
        let column = widest.min(most);
        rows.iter().map(|(title, s)| self.line(title, column, s)).collect()
    }

    fn line(&self, title: &str, column: usize, s: &SignalSeries) -> String {
        let t = &self.instant.telemetry;
        let (plan, now) = (self.plan, self.instant.now);
        let unit = words::unit(t, s);
        let mut last = words::last(s, unit, plan, now);
        if self.is_beyond_its_classes(s) {
            last = format!("over {last}");
        }
        let usual = match (self.level, words::usual(s, plan)) {
            (Level::Guided, Some(v)) => format!("  (usual {})", plain::value(v, unit)),
            _ => String::new(),
        };
        let picture = match self.level {
            Level::Raw => String::new(),
            _ => words::picture(s, unit, plan, now, self.style) + " ",
        };
        format!("   {title:<column$} {picture}{last}{usual}")
    }

    /// Whether a quantile is below the mean of the same: it lies beyond the highest class of its
    /// histogram, whose bound is all that is known of it.
    fn is_beyond_its_classes(&self, s: &SignalSeries) -> bool {
        let Stat::Quantile(_) = s.stat else { return false };
        let mean = self.series(s.subject).find(|o| {
            (o.signal, o.origin, &o.dims) == (s.signal, s.origin, &s.dims) && o.stat == Stat::Mean
        });
        let last = |s: &SignalSeries| s.points.last().map(|p| p.1);
        mean.and_then(last).zip(last(s)).is_some_and(|(mean, quantile)| mean > quantile)
    }

    /// Traffic, errors and latency of a subject in a few words; `None` without any.
    fn in_short(&self, subject: Subject) -> Option<String> {
        let t = &self.instant.telemetry;
        let of = |role: &&str| {
            let s = self.series(subject).find(|s| s.role == **role && !s.guessed)?;
            let unit = words::unit(t, s);
            let now = words::last(s, unit, self.plan, self.instant.now);
            let usual = words::usual(s, self.plan).filter(|_| self.level == Level::Guided);
            let usual =
                usual.map_or(String::new(), |v| format!(" (usual {})", plain::value(v, unit)));
            // How many requests are traced says nothing of how many there are.
            let traced = *role == "traffic" && s.origin == Origin::Traces;
            let what = if traced { "traced requests" } else { *role };
            Some(format!("{what} {now}{usual}"))
        };
        let said: Vec<String> = EDGE_ROLES.iter().filter_map(of).collect();
        (!said.is_empty()).then(|| said.join(", "))
    }

    /// The panels of a component.
    pub fn component(&self, e: EntityId) -> Vec<String> {
        let t = &self.instant.telemetry;
        let entity = t.graph.entity(e);
        let of = entity.service.as_ref().map_or(String::new(), |s| format!(" of {s}"));
        let mut out = vec![format!(" {} ({}{of})", entity.name, entity.kind.word())];
        out.extend(self.own(e));
        out.extend(self.edges(e));
        out.extend(self.parts(e));
        if out.len() == 1 {
            out.push("   nothing is recorded of it on the dashboards that are open".to_owned());
        }
        out
    }

    /// Its own series, the usual ones first.
    fn own(&self, e: EntityId) -> Vec<String> {
        let t = &self.instant.telemetry;
        let mut own: Vec<&SignalSeries> = Vec::new();
        for s in self.series(Subject::Entity(e)).filter(|s| self.is_open(s)) {
            let same = |o: &&&SignalSeries| o.role == s.role && !s.role.is_empty();
            // What metrics say is not said again by traces.
            let again = own.iter().any(|o| same(&o) && o.origin < s.origin);
            let many = own.iter().filter(same).count() >= SAME_ROLE;
            if self.level == Level::Raw || !(again || many) {
                own.push(s);
            }
        }
        let place = |s: &SignalSeries| {
            // Limits and facts, which are never a symptom, come last.
            let fact = t.signals.get(s.signal).direction == Direction::None;
            let last = ROLES.len() + usize::from(s.guessed) + 2 * usize::from(fact);
            ROLES.iter().position(|r| *r == s.role).unwrap_or(last)
        };
        let change = |s: &SignalSeries| {
            let last = s.points.last().map_or(0.0, |p| p.1);
            let usual = words::usual(s, self.plan).unwrap_or(last);
            (last - usual).abs() / usual.abs().max(last.abs()).max(f64::MIN_POSITIVE)
        };
        let title = |s: &SignalSeries| words::signal(t, s);
        match self.level {
            Level::Raw => own.sort_by_key(|s| title(s)),
            Level::Usual => own.sort_by_key(|s| place(s)),
            // What moved comes first.
            Level::Guided => own.sort_by(|a, b| {
                let first = |s: &SignalSeries| place(s).min(EDGE_ROLES.len());
                first(a).cmp(&first(b)).then(change(b).total_cmp(&change(a)))
            }),
        }
        let titled = words::titled(&own, title);
        let mut out = self.lines(&titled[..titled.len().min(LINES)]);
        if own.len() > LINES {
            let rest: Vec<&str> = titled.iter().skip(LINES).map(|(t, _)| t.as_str()).collect();
            let name = words::name(t, e);
            out.push(format!("   and more, `query NAME {name}`: {}", rest.join(", ")));
        }
        out
    }

    /// Calls to and from it.
    fn edges(&self, e: EntityId) -> Vec<String> {
        let t = &self.instant.telemetry;
        let mut out = Vec::new();
        let own = self.instant.called.iter().filter(|(a, b)| a != b && (*a == e || *b == e));
        let mut own: Vec<&(EntityId, EntityId)> = own.collect();
        // Who calls it first: those are fewer.
        own.sort_by_key(|(_, b)| *b != e);
        for (a, b) in own.iter().take(PARTS) {
            let said = self.in_short(Subject::Edge(*a, *b));
            let said = said.unwrap_or_else(|| "seen in traces".to_owned());
            let word = match *a == e {
                true => format!("calls {}", words::name(t, *b)),
                false => format!("called by {}", words::name(t, *a)),
            };
            out.push(format!("   {word}: {said}"));
        }
        let other = |(a, b): &&(EntityId, EntityId)| words::name(t, if *a == e { *b } else { *a });
        let rest: Vec<&str> = own.iter().skip(PARTS).map(other).collect();
        if !rest.is_empty() {
            out.push(format!("   and calls between it and {}", words::together(&rest)));
        }
        out
    }

    /// Its instances and partitions.
    fn parts(&self, e: EntityId) -> Vec<String> {
        let t = &self.instant.telemetry;
        let own = |p: &&EntityId| **p != e && t.graph.owner(**p) == e;
        let parts: Vec<EntityId> = self.instant.known.iter().filter(own).copied().collect();
        // A service of one instance is that instance.
        if parts.len() < 2 {
            return Vec::new();
        }
        let (mut out, mut bare) = (Vec::new(), Vec::new());
        for p in &parts {
            match self.in_short(Subject::Entity(*p)) {
                Some(said) => out.push(format!("   {}: {said}", words::name(t, *p))),
                None => bare.push(words::name(t, *p)),
            }
        }
        let left = out.len().saturating_sub(PARTS);
        out.truncate(PARTS);
        if left > 0 {
            out.push(format!("   and {left} more parts"));
        }
        if !bare.is_empty() {
            out.push(format!("   its parts, `look` at each: {}", words::together(&bare)));
        }
        out
    }
}
