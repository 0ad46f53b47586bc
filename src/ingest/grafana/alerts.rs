//! Alerts of Alertmanager (API, amtool, webhook bodies) and of Prometheus (`/api/v1/alerts`,
//! `/api/v1/rules`). In: JSON. Out: events of kind `alert`. Annotations and links are not kept.

use super::{SERVICE, TARGET, first_of};
use crate::ingest::lenient::{self, Scalar};
use crate::ingest::raw::{Raw, RawEvent};
use crate::ingest::spans::or_default;
use crate::ingest::text::beginning;
use crate::ingest::{Head, Input, json_scan};
use crate::model::{GapKind, Micros};
use crate::time;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Accepts Alertmanager's alerts, bare or in the body of a webhook.
pub fn accepts(head: &Head) -> bool {
    head.has_key("fingerprint") && head.has_key("startsAt") && head.has_key("labels")
}

/// Accepts Prometheus' answers about alerts and rules.
pub fn accepts_prometheus(head: &Head) -> bool {
    let alerts = head.has_key("alerts") && (head.has_key("activeAt") || head.has_key("status"));
    let rules = head.has_key("groups") && head.has_key("rules");
    head.has_key("data") && (alerts || rules) && !head.has_key("startsAt")
}

#[derive(Default, Deserialize)]
struct Alert {
    #[serde(default, deserialize_with = "or_default")]
    labels: BTreeMap<String, Scalar>,
    #[serde(rename = "startsAt", default)]
    starts: Scalar,
    #[serde(rename = "endsAt", default)]
    ends: Scalar,
    #[serde(rename = "updatedAt", default)]
    updated: Scalar,
    #[serde(rename = "activeAt", default)]
    active: Scalar,
    #[serde(default, deserialize_with = "or_default")]
    state: String,
    /// `{"state": "suppressed"}` in the API, `"resolved"` in a webhook body.
    #[serde(default, deserialize_with = "or_default")]
    status: Status,
}

#[derive(Default)]
struct Status(String);

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(d)?;
        let state = value.get("state").unwrap_or(&value);
        Ok(Status(state.as_str().unwrap_or_default().to_owned()))
    }
}

/// Reads Alertmanager's alerts.
pub fn read(input: &Input, raw: &mut Raw) {
    let mut lines = input.lines();
    input.documents(raw, |base, document, raw| {
        let keys = ["alerts", "data"];
        input.elements((base, document), &keys, "an alert", raw, |at, element, raw| {
            // `/api/v2/alerts/groups` has the alerts of each group one level deeper.
            match json_scan::find_value(element, 0, &["alerts"], b'[') {
                Some(open) => {
                    let part = (at + open, &element[open..]);
                    input.elements(part, &[], "an alert", raw, |at, element, raw| {
                        one(input, (at, lines.of(at)), element, raw);
                    });
                }
                None => one(input, (at, lines.of(at)), element, raw),
            }
        });
        let webhook = json_scan::find_array(document, &["alerts"]).is_some();
        if !webhook && document.len() > 2 {
            let what = "only alerts of the moment of export: earlier ones are in the ALERTS series";
            raw.gap(GapKind::Missing, input.file, Some(lines.of(base)), what);
        }
    });
}

fn one(input: &Input, (at, line): (usize, u64), text: &[u8], raw: &mut Raw) {
    match lenient::from_slice::<Alert>(text) {
        Ok(alert) => event(input, line, &alert, (&ended(&alert, input), ""), raw),
        Err(e) => input.skip_unreadable(at, "an alert", e, raw),
    }
}

/// When an alert ended, as far as it says. A firing one ends in the future (it would resolve by
/// then) or in the year 1.
fn ended(alert: &Alert, input: &Input) -> String {
    let ends = alert.ends.moment(input.zone);
    let seen = alert.updated.moment(input.zone);
    match (ends, alert.status.0.as_str()) {
        (Some(at), "resolved") => until(at),
        (Some(at), _) if seen.is_some_and(|seen| at <= seen) => until(at),
        (_, "suppressed") => "silenced or inhibited, still firing".to_owned(),
        _ => "still firing".to_owned(),
    }
}

fn until(at: Micros) -> String {
    format!("until {}", time::rfc3339(at))
}

/// Reads the alerts in answers of Prometheus, with the expressions of their rules.
pub fn read_prometheus(input: &Input, raw: &mut Raw) {
    #[derive(Deserialize)]
    struct Rule {
        #[serde(default, deserialize_with = "or_default")]
        query: String,
        #[serde(default, deserialize_with = "or_default")]
        alerts: Vec<Alert>,
    }
    let mut lines = input.lines();
    input.documents(raw, |base, document, raw| {
        let mut from = 0;
        while let Some(open) = json_scan::find_value(document, from, &["rules"], b'[') {
            let part = (base + open, &document[open..]);
            input.elements(
                part,
                &[],
                "a rule",
                raw,
                |at, element, raw| match lenient::from_slice::<Rule>(element) {
                    Ok(rule) => {
                        let query = rule.query.split_whitespace().collect::<Vec<_>>().join(" ");
                        for alert in &rule.alerts {
                            event(input, lines.of(at), alert, (&alert.state, &query), raw);
                        }
                    }
                    Err(e) => input.skip_unreadable(at, "a rule", e, raw),
                },
            );
            from = json_scan::value_end(document, open).unwrap_or(document.len());
        }
        if from == 0 {
            input.elements((base, document), &["alerts"], "an alert", raw, |at, element, raw| {
                match lenient::from_slice::<Alert>(element) {
                    Ok(alert) => event(input, lines.of(at), &alert, (&alert.state, ""), raw),
                    Err(e) => input.skip_unreadable(at, "an alert", e, raw),
                }
            });
        }
    });
}

/// Characters of a rule's expression that are shown.
const QUERY_CHARS: usize = 120;

fn event(input: &Input, line: u64, alert: &Alert, (state, query): (&str, &str), raw: &mut Raw) {
    let since = [&alert.starts, &alert.active].into_iter().find(|t| **t != Scalar::Null);
    let Some(began) = since.and_then(|t| t.moment(input.zone)) else {
        return raw.skip(input.file, Some(line), "an alert without a time", 1);
    };
    let text = |name: &str| match alert.labels.get(name) {
        Some(Scalar::Text(t)) => Some(t.as_str()),
        _ => None,
    };
    let name = text("alertname").unwrap_or("alert");
    let severity = text("severity").or(text("priority"));
    let details: Vec<&str> =
        severity.into_iter().chain([state]).filter(|d| !d.is_empty()).collect();
    let mut title = name.to_owned();
    if !details.is_empty() {
        title = format!("{title} ({})", details.join(", "));
    }
    if !query.is_empty() {
        let shown = beginning(query, QUERY_CHARS);
        title = format!("{title}: {shown}");
    }
    raw.events.push(RawEvent {
        at: began,
        kind: "alert".to_owned(),
        service: first_of(&SERVICE, text),
        target: first_of(&TARGET, text),
        title,
        version: text("version").unwrap_or_default().to_owned(),
        file: input.file,
        line,
    });
    raw.rows(input.file, 1);
}

#[cfg(test)]
mod tests {
    use crate::ingest::read_text;

    #[test]
    fn the_end_of_an_alert_is_believed_only_when_it_has_come() {
        let alert = |rest: &str| {
            let own = r#""labels":{"alertname":"A"},"fingerprint":"1""#;
            let text = format!(r#"[{{{own},"startsAt":"2026-11-20T20:10:00Z",{rest}}}]"#);
            read_text("a.json", text.as_bytes()).events[0].title.clone()
        };
        let seen = r#""updatedAt":"2026-11-20T20:20:00Z""#;
        let future = alert(&format!(r#""endsAt":"2026-11-20T20:24:00Z",{seen}"#));
        assert_eq!(future, "A (still firing)");
        let past = alert(&format!(r#""endsAt":"2026-11-20T20:15:00Z",{seen}"#));
        assert_eq!(past, "A (until 2026-11-20T20:15:00Z)");
        assert_eq!(alert(r#""endsAt":"0001-01-01T00:00:00Z""#), "A (still firing)");
        assert_eq!(alert(r#""endsAt":null,"status":null"#), "A (still firing)");
    }

    #[test]
    fn an_alert_without_a_time_costs_one_row() {
        let text = r#"[{"labels":{"alertname":"A"},"fingerprint":"1","startsAt":"soon"},7]"#;
        let raw = read_text("a.json", text.as_bytes());
        assert_eq!((raw.events.len(), raw.files[0].skipped), (0, 2), "{:?}", raw.gaps);
    }
}
