//! Annotations of Grafana (`/api/annotations`) and Graphite (`/events/get_data`). In: JSON. Out:
//! events; who wrote an annotation is not kept.

use super::{SERVICE, TARGET, first_of, without_queries};
use crate::ingest::companions::EVENT_KINDS;
use crate::ingest::lenient::{self, Scalar};
use crate::ingest::raw::{Raw, RawEvent};
use crate::ingest::spans::or_default;
use crate::ingest::{Head, Input};
use crate::model::GapKind;
use crate::time;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Rows that Grafana gives when no limit is asked for.
const LIMIT_DEFAULT: u64 = 100;

/// Accepts lists of annotations by what only they have.
pub fn accepts(head: &Head) -> bool {
    let placed = ["dashboardUID", "dashboardId", "panelId", "alertId", "newState", "timeEnd"];
    let grafana = head.has_key("time") && head.has_key("text") && head.has_key("tags");
    let graphite = head.has_key("what") && head.has_key("when");
    (grafana && placed.iter().any(|k| head.has_key(k))) || graphite
}

#[derive(Deserialize)]
struct Annotation {
    #[serde(default)]
    time: Scalar,
    #[serde(rename = "timeEnd", default)]
    end: Scalar,
    #[serde(default, deserialize_with = "or_default")]
    text: String,
    #[serde(default, deserialize_with = "tags")]
    tags: Vec<String>,
    #[serde(rename = "newState", default, deserialize_with = "or_default")]
    state: String,
    #[serde(rename = "alertName", default, deserialize_with = "or_default")]
    alert: String,
    #[serde(rename = "alertId", default)]
    alert_id: Scalar,
    /// Graphite's names of text and time.
    #[serde(default, deserialize_with = "or_default")]
    what: String,
    #[serde(default)]
    when: Scalar,
}

/// Tags as an array, or as one text with commas or blanks between them.
fn tags<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
    let text = match Value::deserialize(d)? {
        Value::Array(items) => {
            return Ok(items.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        }
        Value::String(text) => text,
        _ => String::new(),
    };
    let parts = text.split([',', ' ']).map(str::trim).filter(|t| !t.is_empty());
    Ok(parts.map(str::to_owned).collect())
}

/// Reads every annotation.
pub fn read(input: &Input, raw: &mut Raw) {
    let mut lines = input.lines();
    input.documents(raw, |base, document, raw| {
        let mut rows = 0;
        let found = input.elements(
            (base, document),
            &["annotations"],
            "an annotation",
            raw,
            |at, element, raw| {
                rows += 1;
                one(input, (at, lines.of(at)), element, raw);
            },
        );
        if !found {
            one(input, (base, lines.of(base)), document, raw);
        }
        if rows == LIMIT_DEFAULT {
            let what = "exactly 100 annotations, which is the default limit: older ones may be \
                        missing (ask with &limit=5000)";
            raw.gap(GapKind::Missing, input.file, None, what);
        }
    });
}

fn one(input: &Input, (at, line): (usize, u64), text: &[u8], raw: &mut Raw) {
    let annotation: Annotation = match lenient::from_slice(text) {
        Ok(annotation) => annotation,
        Err(e) => return input.skip_unreadable(at, "an annotation", e, raw),
    };
    let when = match &annotation.time {
        Scalar::Null => &annotation.when,
        time => time,
    };
    let Some(began) = when.moment(input.zone) else {
        let what = || format!("time \"{}\" of an annotation is not read", when.text());
        return raw.skip_like(input.file, "time", 1, || (Some(line), what()));
    };
    let is_alert = !annotation.state.is_empty() || annotation.alert_id.whole().unwrap_or(0) > 0;
    let labels = labels(&annotation);
    let get = |name: &str| labels.iter().find(|(k, _)| *k == name).map(|(_, v)| *v);
    let mut title = match annotation.text.is_empty() {
        true => without_queries(&annotation.what),
        false => without_queries(&annotation.text),
    };
    if title.is_empty() {
        title.clone_from(&annotation.alert);
    }
    if title.is_empty() {
        title = annotation.tags.join(", ");
    }
    let state = annotation.state.to_lowercase();
    if !title.to_lowercase().contains(&state) {
        title = format!("{title} ({state})");
    }
    let end = annotation.end.moment(input.zone).filter(|end| *end > began);
    if let Some(end) = end {
        title = format!("{title} (until {})", time::rfc3339(end));
    }
    raw.events.push(RawEvent {
        at: began,
        kind: if is_alert { "alert" } else { kind(&annotation) }.to_owned(),
        service: first_of(&SERVICE, get),
        target: first_of(&TARGET, get),
        title,
        version: first_of(&["version", "revision", "sha", "commit", "tag"], get),
        file: input.file,
        line,
    });
    raw.rows(input.file, 1);
}

/// `key:value` and `key=value` among the tags, and what an alert's text has in braces.
fn labels(annotation: &Annotation) -> Vec<(&str, &str)> {
    let tags = annotation.tags.iter().map(String::as_str);
    let braces = annotation.text.split_once('{').and_then(|(_, t)| t.split_once('}'));
    let inner = braces.map_or("", |(inner, _)| inner).split(',');
    let parts = tags.chain(inner);
    let pairs = parts.filter_map(|t| t.split_once(['=', ':']));
    pairs.map(|(k, v)| (k.trim(), v.trim().trim_matches('"'))).collect()
}

/// Words that people tag their changes with, and the kind of event they mean.
const WORDS: [(&str, &str); 14] = [
    ("deployment", "deploy"),
    ("deployed", "deploy"),
    ("release", "deploy"),
    ("released", "deploy"),
    ("rollout", "deploy"),
    ("feature-flag", "flag"),
    ("feature_flag", "flag"),
    ("featureflag", "flag"),
    ("configuration", "config"),
    ("scaling", "scale"),
    ("restarted", "restart"),
    ("rolled-back", "rollback"),
    ("migrate", "migration"),
    ("downtime", "maintenance"),
];

/// The kind that a tag names, else one that stands in the text as a word, else `note`.
fn kind(annotation: &Annotation) -> &'static str {
    let of = |word: &str| {
        let lower = word.to_lowercase();
        let known = EVENT_KINDS.iter().find(|k| **k == lower).copied();
        known.or_else(|| WORDS.iter().find(|(w, _)| *w == lower).map(|(_, kind)| *kind))
    };
    let tagged = annotation.tags.iter().find_map(|t| {
        let value = t.split_once(['=', ':']).map_or(t.as_str(), |(_, v)| v);
        of(t).or_else(|| of(value))
    });
    let text = if annotation.text.is_empty() { &annotation.what } else { &annotation.text };
    let words = text.split(|c: char| !(c.is_alphanumeric() || "-_".contains(c)));
    // An alert or a commit that a text speaks of is not the event itself.
    let spoken = || words.filter_map(of).find(|k| !["alert", "commit", "note"].contains(k));
    tagged.or_else(spoken).unwrap_or("note")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::read_text;

    #[test]
    fn kinds_come_from_tags_and_then_from_words() {
        let of = |tags: &[&str], text: &str| {
            let json = serde_json::json!({"tags": tags, "text": text});
            kind(&serde_json::from_value(json).expect("an annotation"))
        };
        assert_eq!(of(&["prod", "deploy"], "restart of all"), "deploy");
        assert_eq!(of(&["event:release"], ""), "deploy");
        assert_eq!(of(&["cart"], "Feature-Flag new-price on"), "flag");
        assert_eq!(of(&["cart"], "rollback of 1.2"), "rollback");
        assert_eq!(of(&[], "looked at the alert"), "note");
    }

    #[test]
    fn exactly_the_default_limit_is_said() {
        let one = |i: u64| {
            let time = 1_795_205_400_000 + i * 1000;
            format!(r#"{{"id":{i},"dashboardUID":"u","time":{time},"text":"x{i}","tags":[]}}"#)
        };
        let said = |n: u64| {
            let all: Vec<String> = (0..n).map(one).collect();
            let raw = read_text("a.json", format!("[{}]", all.join(",")).as_bytes());
            assert_eq!(raw.events.len() as u64, n);
            raw.gaps.iter().any(|g| g.what.contains("default limit"))
        };
        assert!(said(100));
        assert!(!said(99) && !said(101));
    }
}
