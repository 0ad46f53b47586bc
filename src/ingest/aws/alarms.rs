//! CloudWatch alarms. In: `describe-alarm-history` (whose data is JSON inside a string) and
//! `describe-alarms`. Out: events of the kind alert.

use super::{moment, skip_time};
use crate::ingest::lenient::{self, Scalar};
use crate::ingest::raw::{Raw, RawEvent};
use crate::ingest::spans::or_default;
use crate::ingest::{Head, Input, json_scan};
use crate::model::GapKind;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Accepts lists of alarms or of their history.
pub fn accepts(head: &Head) -> bool {
    ["AlarmHistoryItems", "MetricAlarms", "CompositeAlarms"].iter().any(|k| head.has_key(k))
        || (head.has_key("AlarmName")
            && (head.has_key("HistoryData") || head.has_key("StateValue")))
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Alarm {
    #[serde(deserialize_with = "or_default")]
    alarm_name: String,
    // --- history
    timestamp: Scalar,
    history_item_type: Scalar,
    history_summary: Scalar,
    history_data: Scalar,
    // --- state
    state_value: Scalar,
    state_transitioned_timestamp: Scalar,
    state_updated_timestamp: Scalar,
    #[serde(deserialize_with = "or_default")]
    dimensions: Vec<BTreeMap<String, Scalar>>,
    metric_name: Scalar,
}

/// Reads every list of the file.
pub fn read(input: &Input, raw: &mut Raw) {
    let mut lines = json_scan::Lines::new(input.bytes);
    input.documents(raw, |base, document, raw| {
        for key in ["AlarmHistoryItems", "MetricAlarms", "CompositeAlarms"] {
            let bare = document.starts_with(b"[");
            input.elements((base, document), &[key], "an alarm", raw, |at, element, raw| {
                match lenient::from_slice::<Alarm>(element) {
                    Ok(a) => alarm(input, (at, lines.of(at) + input.first_line - 1), &a, raw),
                    Err(e) => input.skip_unreadable(at, "an alarm", e, raw),
                }
            });
            if bare {
                break;
            }
        }
    });
}

fn alarm(input: &Input, (at, line): (usize, u64), alarm: &Alarm, raw: &mut Raw) {
    let history = alarm.history_item_type != Scalar::Null;
    let (time, title) = match history {
        true => (&alarm.timestamp, history_title(alarm)),
        false => {
            let turned = &alarm.state_transitioned_timestamp;
            let time =
                if *turned == Scalar::Null { &alarm.state_updated_timestamp } else { turned };
            (time, state_title(alarm))
        }
    };
    // Notifications, changes of the alarm and alarms that rest are no alert.
    let Some(title) = title else { return raw.rows(input.file, 1) };
    let Some(t) = moment(input, time, raw) else { return skip_time(input, at, time, raw) };
    raw.events.push(RawEvent {
        at: t,
        kind: "alert".to_owned(),
        service: String::new(),
        target: target(alarm),
        title,
        version: String::new(),
        file: input.file,
        line,
    });
    raw.rows(input.file, 1);
    if !history && raw.gaps.iter().all(|g| !g.what.contains("only their present state")) {
        let what = "alarms tell only their present state: describe-alarm-history tells the changes";
        raw.gap(GapKind::Missing, input.file, Some(line), what);
    }
}

/// Old and new state of a change, from the document inside the string, else from the summary.
fn history_title(alarm: &Alarm) -> Option<String> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct State {
        state_value: Scalar,
        state_reason: Scalar,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Data {
        #[serde(deserialize_with = "or_default")]
        old_state: State,
        #[serde(deserialize_with = "or_default")]
        new_state: State,
    }
    if alarm.history_item_type.text() != "StateUpdate" {
        return None;
    }
    let data = alarm.history_data.text();
    let data: Data = lenient::from_slice(data.as_bytes()).unwrap_or_default();
    let (old, new) = (data.old_state.state_value.text(), data.new_state.state_value.text());
    let name = &alarm.alarm_name;
    if new.is_empty() {
        return Some(format!("{name}: {}", alarm.history_summary.text()));
    }
    let reason = data.new_state.state_reason.text();
    let reason = if reason.is_empty() { reason } else { format!(" ({reason})") };
    Some(format!("{name}: {old} to {new}{reason}"))
}

fn state_title(alarm: &Alarm) -> Option<String> {
    let state = alarm.state_value.text();
    (state == "ALARM").then(|| format!("{}: {state}", alarm.alarm_name))
}

/// What the alarm watches: the metric, and the last of its dimensions.
fn target(alarm: &Alarm) -> String {
    let text =
        |d: &BTreeMap<String, Scalar>, key: &str| d.get(key).map(Scalar::text).unwrap_or_default();
    let dimension = alarm
        .dimensions
        .last()
        .map(|d| super::complete::dimension(&text(d, "Name"), &text(d, "Value")).1);
    [dimension.unwrap_or_default(), alarm.metric_name.text()]
        .into_iter()
        .filter(|t| !t.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
