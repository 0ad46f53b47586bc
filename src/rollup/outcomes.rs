//! How calls end: the share of a subject's calls that end in each known way (refused, credentials,
//! certificate, …). In: counters with status labels, or the errors of spans. Out: one series per
//! way that was seen, in `dims`; where there are no calls there is no share.

use super::classes::{Class, Measured};
use super::metrics::{Context, Key};
use super::trace_series::Maker;
use super::{SignalSeries, derived};
use crate::ingest::raw::SpanKind;
use crate::model::{EntityId, Micros, Subject};
use crate::signals::{Part, Stat, View};
use crate::telemetry::{NONE, Points};
use std::collections::{BTreeMap, BTreeSet};

impl Context<'_> {
    /// Shares of `all` calls by how they ended, as far as status labels say it.
    pub(super) fn outcomes(
        &self,
        key: &Key,
        members: &[usize],
        all: &Points,
        out: &mut Vec<SignalSeries>,
    ) {
        let known: BTreeSet<&String> =
            members.iter().filter_map(|m| self.meta(*m).outcome.as_ref()).collect();
        let client = self.telemetry.signals.get(key.signal).view == View::Client;
        let name = if client { "http.client.outcome" } else { "http.server.outcome" };
        for outcome in known {
            let counts = |part: Part| !matches!(part, Part::Sum | Part::Bucket);
            let own = self.sum(members, |m| m.outcome.as_ref() == Some(outcome) && counts(m.part));
            let key = Key { dims: outcome.clone(), ..key.clone() };
            self.emit_named(name, &key, members, derived::ratio(&own, all), out);
        }
    }
}

/// Calls in a bucket: all of them, and those that ended in each way.
#[derive(Default)]
struct Ends<'t> {
    all: f64,
    by: BTreeMap<&'t str, f64>,
}

impl Maker<'_> {
    /// Shares of the calls on each edge, as its caller's spans saw them end.
    pub fn outcomes(&self, spans: &Measured, symbols: &[String], out: &mut Vec<SignalSeries>) {
        let called = |c: &Class| {
            c.shape.kind == SpanKind::Client
                && c.shape.peer != NONE
                && c.shape.peer != c.shape.service
        };
        let key = |c: &Class| called(c).then_some((c.shape.service, c.shape.peer, c.shape.etype));
        let groups = spans.groups(key);
        let mut edges: BTreeMap<(u32, u32), BTreeMap<Micros, Ends>> = BTreeMap::new();
        for (group, (caller, callee, etype)) in groups.keys.iter().copied().enumerate() {
            let text = symbols.get(etype as usize).map_or("", String::as_str);
            let outcome = self.table.outcome(text);
            let cells = edges.entry((caller, callee)).or_default();
            for row in groups.rows(group) {
                let cell = cells.entry(spans.times[spans.bucket[row] as usize]).or_default();
                cell.all += 1.0;
                if let Some(outcome) = outcome {
                    *cell.by.entry(outcome).or_default() += 1.0;
                }
            }
        }
        for ((caller, callee), cells) in edges {
            let subject = Subject::Edge(EntityId(caller), EntityId(callee));
            let seen: BTreeSet<&str> = cells.values().flat_map(|c| c.by.keys().copied()).collect();
            for outcome in seen {
                let share = |c: &Ends| c.by.get(outcome).copied().unwrap_or(0.0) / c.all;
                let points = cells.iter().map(|(t, c)| (*t, share(c))).collect();
                self.emit("http.client.outcome", subject, Stat::Value, points, out);
                if let Some(last) = out.last_mut() {
                    last.dims = outcome.to_owned();
                }
            }
        }
    }
}
