//! Change logs of delivery tools: deployments of GitHub and GitLab, Argo CD applications, audit
//! logs of feature flags. In: JSON. Out: deploys, flags and failed deployments; no users.

use super::kubernetes::Object;
use crate::ingest::json_scan::Lines;
use crate::ingest::lenient;
use crate::ingest::raw::{Raw, RawEvent};
use crate::ingest::{Head, Input, cell};
use crate::model::Micros;
use serde_json::Value;

/// Accepts the keys that each of the tools writes.
pub fn accepts(head: &Head) -> bool {
    let has = |keys: &[&str]| keys.iter().all(|k| head.has_key(k));
    let argo = has(&["apiVersion", "kind", "status"])
        && memchr::memmem::find(head.bytes, b"argoproj.io/").is_some();
    argo || has(&["sha", "ref", "environment", "created_at"])
        || has(&["titleVerb", "date", "kind"])
        || has(&["featureName", "createdAt", "type"])
}

/// What one entry tells.
#[derive(Default)]
struct Change {
    at: Option<Micros>,
    kind: &'static str,
    service: String,
    target: String,
    title: String,
    version: String,
}

/// Reads every entry; one without a readable time is counted.
pub fn read(input: &Input, raw: &mut Raw) {
    let mut lines = Lines::new(input.bytes);
    input.documents(raw, |base, document, raw| {
        let keys = ["items", "events", "deployments"];
        let mut each = |at: usize, text: &[u8], raw: &mut Raw| {
            let line = lines.of(at) + input.first_line - 1;
            match lenient::from_slice::<Value>(text) {
                Ok(value) => one(Object { value: &value, line }, input, raw),
                Err(e) => input.skip_unreadable(at, "a change", e, raw),
            }
        };
        if !input.elements((base, document), &keys, "a change", raw, &mut each) {
            each(base, document, raw);
        }
    });
}

fn one(entry: Object, input: &Input, raw: &mut Raw) {
    let has = |key: &str| entry.value.get(key).is_some();
    let changes = match () {
        () if entry.text("/apiVersion").starts_with("argoproj.io/") => argo(entry, input),
        () if has("titleVerb") => vec![flag(entry, "/date", "/titleVerb", "/name", input)],
        () if has("createdAt") => vec![flag(entry, "/createdAt", "/type", "/featureName", input)],
        () if has("sha") => vec![deployment(entry, input)],
        () => return raw.skip(input.file, Some(entry.line), "not a change of a known tool", 1),
    };
    for change in changes {
        let Change { at, kind, service, target, title, version } = change;
        let Some(at) = at else {
            raw.skip(input.file, Some(entry.line), "change without a readable time", 1);
            continue;
        };
        let (kind, file, line) = (kind.to_owned(), input.file, entry.line);
        raw.events.push(RawEvent { at, kind, service, target, title, version, file, line });
        raw.rows(input.file, 1);
    }
}

/// The first time among some fields: text, or a number by its magnitude.
fn time(entry: Object, paths: &[&str], input: &Input) -> Option<Micros> {
    paths.iter().find_map(|p| match entry.value.pointer(p)? {
        Value::String(text) => cell::moment(text, input.zone),
        number => cell::moment(&number.to_string(), input.zone),
    })
}

/// A deployment of GitHub, or of GitLab, where `environment` is a map.
fn deployment(entry: Object, input: &Input) -> Change {
    let environment = entry.first_text(&["/environment/name", "/environment"]);
    let repository = entry.text("/repository_url");
    let repository = repository.rsplit('/').next().unwrap_or_default();
    let service = if repository.is_empty() {
        let job = entry.text("/deployable/name");
        job.trim_start_matches("deploy").trim_matches(['-', ':', '_', ' '])
    } else {
        repository
    };
    let state = entry.first_text(&["/status", "/task"]);
    let rollback = state == "rollback";
    Change {
        // A job's end says best when the new version ran.
        at: time(entry, &["/deployable/finished_at", "/created_at", "/updated_at"], input),
        kind: if rollback { "rollback" } else { "deploy" },
        service: service.to_owned(),
        target: environment.to_owned(),
        title: format!("deployment of {} to {environment}: {state}", entry.text("/ref")),
        version: entry.text("/sha").chars().take(12).collect(),
    }
}

/// An Argo CD application: its history, and the last synchronisation if it failed.
fn argo(entry: Object, input: &Input) -> Vec<Change> {
    let name = entry.name();
    let target = entry.text("/spec/destination/namespace").to_owned();
    let mut changes: Vec<Change> = entry
        .list("/status/history")
        .map(|past| Change {
            at: time(past, &["/deployedAt", "/deployStartedAt"], input),
            kind: "deploy",
            service: name.to_owned(),
            target: target.clone(),
            title: "Argo CD deployed".to_owned(),
            version: past.text("/revision").chars().take(12).collect(),
        })
        .collect();
    let phase = entry.text("/status/operationState/phase");
    if ["Failed", "Error"].contains(&phase) {
        let times = ["/status/operationState/finishedAt", "/status/operationState/startedAt"];
        changes.push(Change {
            at: time(entry, &times, input),
            kind: "alert",
            service: name.to_owned(),
            target,
            title: format!("Argo CD synchronisation: {phase}"),
            ..Change::default()
        });
    }
    changes
}

/// An entry of a flag's audit log: when, what was done, to which flag.
fn flag(entry: Object, at: &str, verb: &str, name: &str, input: &Input) -> Change {
    let name = entry.text(name).to_owned();
    let environment = entry.text("/environment");
    let place = if environment.is_empty() { "" } else { " in " };
    Change {
        at: time(entry, &[at], input),
        kind: if ["", "flag"].contains(&entry.text("/kind")) { "flag" } else { "config" },
        title: format!("{} {name}{place}{environment}", entry.text(verb)),
        target: name,
        ..Change::default()
    }
}
