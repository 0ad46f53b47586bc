//! Every text of what was read, with what kind of text it is. In: [`Raw`] as it leaves the readers.
//! Out: the same with what a visitor put in place of texts. Each structure is taken apart whole, so
//! that a field that comes later has to say here what it is.

use super::raw::{
    IncidentFile, InputFile, MappingRow, Raw, RawEdge, RawEvent, RawLock, RawLog, RawSeries,
    SessionShape, reshape,
};
use super::site::{ParamOverride, Site, Suppression};
use super::text::Text;
use crate::encoding::hex;
use crate::model::{Gap, GapKind};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told<'a> {
    /// What a thing is called: a service, a host, a user, an address, a metric, a file.
    Name,
    /// The value of the label with this name.
    Label(&'a str),
    /// A query of a metrics store: its selectors are values of labels.
    Query,
    /// Words for people: a title, a message, what is said of a defect, with parts of the input.
    Prose,
}

/// Gives what stands in place of a text; `None` where it stays.
pub type Change<'a> = dyn FnMut(Told, &str) -> Option<String> + 'a;

impl Raw {
    /// Shows every text to a visitor, which may change it; equal texts of one kind must become equal.
    pub fn each_text(&mut self, change: &mut Change) {
        self.files.iter_mut().for_each(|f| file(f, change));
        self.series.iter_mut().for_each(|s| series(s, change));
        self.symbols.each(|name| put(Told::Name, name, change));
        reshape(&mut self.sessions, |shape| session(shape, change));
        self.locks.iter_mut().for_each(|l| lock(l, change));
        self.logs.iter_mut().for_each(|l| log(l, change));
        self.log_times.iter_mut().for_each(|(_, server, _)| put(Told::Name, server, change));
        self.events.iter_mut().for_each(|e| event(e, change));
        for RawEdge { caller, callee, kind } in &mut self.edges {
            [caller, callee, kind].into_iter().for_each(|t| put(Told::Name, t, change));
        }
        keys(&mut self.aliases, change);
        self.aliases.values_mut().for_each(|v| put(Told::Name, v, change));
        keys(&mut self.kinds, change);
        let IncidentFile { title, symptom_entity, symptom_signal, zone, incident: _, baseline: _ } =
            &mut self.incident;
        title.iter_mut().for_each(|t| put(Told::Prose, t, change));
        let names = [symptom_entity, symptom_signal, zone].into_iter().flatten();
        names.for_each(|t| put(Told::Name, t, change));
        for MappingRow { metric, signal, unit, entity_label } in &mut self.mapping {
            let names = [metric, signal].into_iter().chain(unit).chain(entity_label);
            names.for_each(|t| put(Told::Name, t, change));
        }
        site(&mut self.site, change);
        keys(&mut self.queries, change);
        self.queries.values_mut().for_each(|q| put(Told::Query, q, change));
        for Gap { what, file, kind: _, line: _, count: _ } in &mut self.gaps {
            put(Told::Prose, what, change);
            file.iter_mut().for_each(|f| put(Told::Name, f, change));
        }
        self.passed.each_name(|name| change(Told::Name, name));
    }
}

/// Longest name, label or message that is kept, bytes: what is longer is no name, and would be copied
/// wherever names are.
const LONGEST: usize = 64 << 10;

impl Raw {
    /// Cuts names, labels and messages that are longer than any system makes them, and says so.
    pub fn cut_long(&mut self) {
        let mut count = 0;
        let mut change = |_: Told, text: &str| {
            let long = text.len() > LONGEST;
            count += u64::from(long);
            long.then(|| shortened(text))
        };
        self.series.iter_mut().for_each(|s| series(s, &mut change));
        if self.symbols.any(|name| name.len() > LONGEST) {
            self.symbols.each(|name| put(Told::Name, name, &mut change));
        }
        self.events.iter_mut().for_each(|e| event(e, &mut change));
        self.logs.iter_mut().for_each(|l| log(l, &mut change));
        if count > 0 {
            let what = format!("names or texts longer than {} KiB: cut", LONGEST >> 10);
            let file = self.files.first().map(|f| f.path.clone()).unwrap_or_default();
            self.gaps.push(Gap { count, ..Gap::at(GapKind::Truncated, &file, None, what) });
        }
    }
}

/// The beginning of a text, with a digest of the whole: two that begin alike stay apart.
fn shortened(text: &str) -> String {
    let end = (0..=LONGEST).rev().find(|i| text.is_char_boundary(*i)).unwrap_or_default();
    let digest = hex(Sha256::digest(text).into_iter().take(8));
    format!("{}…{digest}", &text[..end])
}

fn put(told: Told, text: &mut String, change: &mut Change) {
    if let Some(new) = change(told, text) {
        *text = new;
    }
}

/// Names that are keys; of two that become alike, the first stays.
fn keys<V>(map: &mut BTreeMap<String, V>, change: &mut Change) {
    let new: Vec<(String, String)> =
        map.keys().filter_map(|k| Some((k.clone(), change(Told::Name, k)?))).collect();
    for (old, new) in new {
        if let Some(value) = map.remove(&old) {
            map.entry(new).or_insert(value);
        }
    }
}

fn file(of: &mut InputFile, change: &mut Change) {
    let InputFile { path, why, sha256: _, bytes: _, reader: _, rows: _, skipped: _, of_spans: _ } =
        of;
    put(Told::Name, path, change);
    put(Told::Prose, why, change);
}

fn series(of: &mut RawSeries, change: &mut Change) {
    let RawSeries { name, query, unit, statistic, labels, file: _, samples: _ } = of;
    put(Told::Name, name, change);
    query.iter_mut().for_each(|q| put(Told::Query, q, change));
    unit.iter_mut().chain(statistic).for_each(|t| put(Told::Name, t, change));
    for (name, value) in labels.iter_mut() {
        put(Told::Label(name), value, change);
    }
    keys(labels, change);
}

fn session(of: &SessionShape, change: &mut Change) -> Option<SessionShape> {
    let mut new = of.clone();
    let names = [
        &mut new.server,
        &mut new.database,
        &mut new.user,
        &mut new.application,
        &mut new.client_addr,
        &mut new.wait_event_type,
        &mut new.wait_event,
        &mut new.state,
        &mut new.backend_type,
        &mut new.wait_mode,
        &mut new.wait_relation,
    ];
    let mut changed = false;
    let mut shared = |told: Told, text: &mut Text| {
        if let Some(other) = change(told, text.as_str()) {
            *text = Text::from(other);
            changed = true;
        }
    };
    names.into_iter().for_each(|t| shared(Told::Name, t));
    // `written` is there only where literals were asked for.
    [&mut new.query, &mut new.query_tag].into_iter().for_each(|t| shared(Told::Prose, t));
    changed.then_some(new)
}

fn lock(of: &mut RawLock, change: &mut Change) {
    let RawLock { server, relation, mode, file: _, at: _, pid: _, granted: _, blocked_by: _ } = of;
    [server, relation, mode].into_iter().for_each(|t| put(Told::Name, t, change));
}

fn log(of: &mut RawLog, change: &mut Change) {
    let RawLog { server, database, user, application, client_addr, mode, relation, .. } = of;
    let names = [server, database, user, application, client_addr, mode, relation];
    names.into_iter().for_each(|t| put(Told::Name, t, change));
    [&mut of.said, &mut of.query].into_iter().for_each(|t| put(Told::Prose, t, change));
}

fn event(of: &mut RawEvent, change: &mut Change) {
    let RawEvent { kind, service, target, title, version, at: _, file: _, line: _ } = of;
    [kind, service, target, version].into_iter().for_each(|t| put(Told::Name, t, change));
    put(Told::Prose, title, change);
}

fn site(of: &mut Site, change: &mut Change) {
    for ParamOverride { signature, param, unit, why, place, value: _ } in &mut of.params {
        [signature, param, unit, place].into_iter().for_each(|t| put(Told::Name, t, change));
        put(Told::Prose, why, change);
    }
    for Suppression { id, subject, until_said, reason, place, until: _ } in &mut of.suppressions {
        [id, subject, until_said, place].into_iter().for_each(|t| put(Told::Name, t, change));
        put(Told::Prose, reason, change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_megabyte_is_cut_and_stays_apart() {
        let one = |end: &str| {
            let labels = [("path".to_owned(), "é".repeat(1 << 19) + end)].into();
            RawSeries { name: "up".into(), labels, ..RawSeries::default() }
        };
        let files = vec![InputFile::named("a.json")];
        let mut raw = Raw { files, series: vec![one("a"), one("b")], ..Raw::default() };
        raw.symbols.intern(&"s".repeat(1 << 20));
        raw.cut_long();
        let path = |i: usize| raw.series[i].labels["path"].as_str();
        assert!(path(0).len() < LONGEST + 32 && path(0).starts_with("éé"), "{}", path(0).len());
        assert_ne!(path(0), path(1));
        assert!(!raw.symbols.any(|name| name.len() > LONGEST + 32));
        let said = (raw.gaps[0].kind, raw.gaps[0].file.as_deref(), raw.gaps[0].count);
        assert_eq!(said, (GapKind::Truncated, Some("a.json"), 3));
    }
}
