//! `query SIGNAL [COMPONENT]`, `changes` and `graph` need no more than the instant.

use super::case::Layer;
use super::look::View;
use super::words;
use crate::error::did_you_mean;
use crate::ingest::raw::RawEvent;
use crate::model::Micros;
use crate::rollup::SignalSeries;
use std::collections::BTreeSet;

/// Series of one query.
const LINES: usize = 14;
/// Events that are shown, the latest.
const EVENTS: usize = 24;

impl View<'_> {
    /// Series that hold all of the words in signal, role, subject or the exporter's name.
    pub fn matching(&self, wanted: &[String]) -> Vec<&SignalSeries> {
        let fits = |s: &&SignalSeries| self.is_open(s) && self.is_called(s, wanted);
        let all = self.instant.rollups.series.iter().filter(|s| !s.points.is_empty());
        let mut found: Vec<&SignalSeries> = Vec::new();
        for s in all.filter(fits) {
            // What metrics say is not said again by traces.
            let same = |o: &&SignalSeries| o.subject == s.subject && o.signal == s.signal;
            if !found.iter().any(|o| same(o) && o.origin < s.origin) {
                found.push(s);
            }
        }
        found
    }

    fn is_called(&self, s: &SignalSeries, wanted: &[String]) -> bool {
        let t = &self.instant.telemetry;
        let (about, signal) = (words::subject(t, s.subject), words::signal(t, s));
        let all = format!("{about} {signal} {} {}", s.role, s.source.series).to_lowercase();
        // `db.client.connections` is said of `db.client.connection.count`.
        let near = |w: &String| {
            let parts = w.split(|c: char| !c.is_alphanumeric()).filter(|p| !p.is_empty());
            let one =
                |p: &str| all.contains(p) || p.len() > 3 && all.contains(p.trim_end_matches('s'));
            parts.clone().next().is_some() && parts.clone().all(one)
        };
        wanted.iter().all(|w| all.contains(w.as_str()) || near(w))
    }

    /// The dashboards, not open yet, on which something is called so.
    pub fn later(&self, wanted: &[String]) -> Option<Layer> {
        let all = self.instant.rollups.series.iter().filter(|s| !s.points.is_empty());
        all.filter(|s| !self.is_open(s) && self.is_called(s, wanted)).map(|s| self.layer(s)).min()
    }

    /// That nothing is called so, and what there is.
    pub fn unknown(&self, wanted: &[String]) -> String {
        let typed = wanted.join(" ");
        let all = self.instant.rollups.series.iter().filter(|s| !s.points.is_empty());
        let open: Vec<&SignalSeries> = all.filter(|s| self.is_open(s)).collect();
        let t = &self.instant.telemetry;
        let names: BTreeSet<&str> =
            open.iter().map(|s| t.signals.get(s.signal).name.as_str()).collect();
        let roles: BTreeSet<&str> = open.iter().map(|s| s.role.as_str()).collect();
        let near = did_you_mean(&typed, names);
        let near = near.map_or(String::new(), |n| format!(" Did you mean {n}?"));
        let roles: Vec<&str> = roles.into_iter().filter(|r| !r.is_empty()).collect();
        format!("no series is called \"{typed}\" (free).{near} There is: {}", roles.join(", "))
    }

    /// What [`View::matching`] finds, a line each.
    pub fn query(&self, wanted: &[String]) -> Vec<String> {
        let t = &self.instant.telemetry;
        let found = self.matching(wanted);
        let title =
            |s: &SignalSeries| format!("{} {}", words::subject(t, s.subject), words::signal(t, s));
        let shown = words::titled(&found[..found.len().min(LINES)], title);
        let mut out = self.lines(&shown);
        if found.len() > LINES {
            out.push(format!("   and {} more: name a component too", found.len() - LINES));
        }
        out
    }

    /// What was changed and what alerted so far, with what a trainer put in.
    pub fn changes(&self, injected: &[(Micros, String)]) -> Vec<String> {
        let t = &self.instant.telemetry;
        let said = |e: &RawEvent| {
            let about =
                if e.service.is_empty() { String::new() } else { format!("{}: ", e.service) };
            // Titles often hold the version already.
            let more = !e.version.is_empty() && !e.title.contains(&e.version);
            let version = if more { format!(" {}", e.version) } else { String::new() };
            format!("{:<9} {about}{}{version}", e.kind, e.title)
        };
        let mut all: Vec<(Micros, String)> =
            t.events.iter().map(|(_, e)| (e.at, said(e))).chain(injected.iter().cloned()).collect();
        all.retain(|e| e.0 <= self.instant.now);
        all.sort();
        let left = all.len().saturating_sub(EVENTS);
        let mut out = Vec::new();
        if left > 0 {
            out.push(format!("   {left} earlier ones are left out"));
        }
        let shown = all.iter().skip(left);
        out.extend(shown.map(|(at, e)| format!("   {} {e}", words::moment(self.plan, *at))));
        if out.is_empty() {
            out.push("   no change and no alert is recorded so far".to_owned());
        }
        out
    }
}
