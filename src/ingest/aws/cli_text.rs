//! What the AWS CLI prints with `--output text`, `table` or `yaml`: recognised, not read. In: such
//! text. Out: one gap that says how to export again.

use crate::ingest::raw::Raw;
use crate::ingest::{Head, Input};
use crate::model::GapKind;

/// Keys at the beginning of a line of YAML, and (upper-cased) of a line of text.
const KEYS: [&str; 12] = [
    "MetricDataResults",
    "Datapoints",
    "MetricAlarms",
    "AlarmHistoryItems",
    "MetricList",
    "AlignedStartTime",
    "Traces",
    "Services",
    "TraceSummaries",
    "MetricDataQueries",
    "ResponseMetadata",
    "AlarmTypes",
];
/// Lines looked at.
const LOOK: usize = 20;

/// The name of the output that a text is, if it is one.
fn output(text: &[u8]) -> Option<&'static str> {
    let head = String::from_utf8_lossy(&text[..text.len().min(4096)]);
    let lines: Vec<&str> = head.lines().take(LOOK).collect();
    let rule = |l: &&str| l.len() > 4 && l.bytes().all(|b| b == b'-');
    let title = |l: &&str| {
        let inner = l.strip_prefix('|').and_then(|l| l.strip_suffix('|')).map_or("", str::trim);
        inner.starts_with(|c: char| c.is_ascii_uppercase())
            && inner.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    if lines.first().is_some_and(rule) && lines.get(1).is_some_and(title) {
        return Some("table");
    }
    let starts = |l: &&str, key: String| l.strip_prefix(&key).is_some();
    if lines.iter().any(|l| KEYS.iter().any(|k| starts(l, format!("{k}:")))) {
        return Some("yaml");
    }
    let text = |l: &&str| KEYS.iter().any(|k| starts(l, format!("{}\t", k.to_uppercase())));
    lines.iter().any(text).then_some("text")
}

/// Accepts tables, YAML and tab-separated lines of the AWS CLI.
pub fn accepts(head: &Head) -> bool {
    !head.is_json() && !head.bytes.contains(&0) && output(head.bytes).is_some()
}

/// Says how to export again.
pub fn read(input: &Input, raw: &mut Raw) {
    let output = output(input.bytes).unwrap_or("text");
    let what = format!(
        "AWS CLI answer printed with --output {output}: not read, export it again with \
         --output json"
    );
    raw.gap(GapKind::Unreadable, input.file, None, what);
}
