//! What `act` lists: each verb with what it does, what it takes and what kind of thing it is done to,
//! and the things of each kind that are known by now. In: a game. Out: lines; nothing is told by what
//! is left out, for a verb is there whether or not it helps.

use super::case::Layer;
use super::game::Game;
use super::verbs::{ACTIONS, Verb};
use super::words;
use crate::model::EntityKind;
use std::collections::BTreeMap;

/// Names of one kind that are shown.
const NAMES: usize = 24;

impl Game<'_> {
    /// Every verb that something here can take, or one of them.
    pub(super) fn offers(&mut self, only: Option<&Verb>) -> Vec<String> {
        let mut kinds: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut out = Vec::new();
        for verb in ACTIONS.iter().filter(|v| only.is_none_or(|o| o.word == v.word)) {
            let names = match verb.is_of_session() {
                true => self.sessions_named(),
                false => self.named(verb.kinds),
            };
            if names.is_empty() {
                continue;
            }
            let head = format!("{} {}", verb.word, verb.aimed_at());
            out.push(format!("   {head:<26} {}; price: {}", verb.says, verb.trade));
            kinds.insert(verb.aimed_at(), names);
        }
        if out.is_empty() {
            return vec!["   nothing that is known by now can take that".to_owned()];
        }
        for (kind, names) in kinds {
            let more = names.len().saturating_sub(NAMES);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let shown = words::together(&names[..names.len().min(NAMES)]);
            out.push(format!("   {kind} is one of: {shown}{more}"));
        }
        if !self.case.telemetry.sessions.is_empty() {
            out.push("   or an application of a session; `system` where all are meant".to_owned());
        } else {
            out.push("   or `system` where all are meant".to_owned());
        }
        out
    }

    /// Names of the entities of some kinds that are known by now.
    fn named(&mut self, kinds: &[EntityKind]) -> Vec<String> {
        let instant = self.instant();
        let graph = &instant.telemetry.graph;
        let fits = |e: &&crate::model::EntityId| kinds.contains(&graph.entity(**e).kind);
        let mut names: Vec<String> =
            instant.known.iter().filter(fits).map(|e| graph.entity(*e).name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Which sessions there are is for `sessions` to show.
    fn sessions_named(&self) -> Vec<String> {
        let recorded = self.case.plan.layers.contains(&Layer::Sessions);
        recorded.then(|| "the pid of a session (`sessions`)".to_owned()).into_iter().collect()
    }
}
