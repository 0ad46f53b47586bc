//! CloudWatch `get-metric-data` and `get-metric-statistics` as JSON. In: points in any order, times
//! as numbers or text. Out: [`Measured`], which [`super::complete`] makes series of.

use super::complete::Measured;
use super::{moment, skip_time};
use crate::ingest::lenient::{self, Scalar};
use crate::ingest::raw::Raw;
use crate::ingest::spans::or_default;
use crate::ingest::{Head, Input, json_scan};
use crate::model::GapKind;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Accepts an answer of either call, or the bare array of results.
pub fn accepts(head: &Head) -> bool {
    let bare = head.has_key("Timestamps") && head.has_key("Values") && head.has_key("Label");
    let statistics = head.has_key("Datapoints") && head.has_key("Label");
    head.has_key("MetricDataResults") || statistics || bare
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    #[serde(default, deserialize_with = "or_default")]
    code: String,
    #[serde(default, deserialize_with = "or_default")]
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default, deserialize_with = "or_default")]
    id: String,
    #[serde(default, deserialize_with = "or_default")]
    label: String,
    #[serde(default, deserialize_with = "or_default")]
    timestamps: Vec<Scalar>,
    #[serde(default, deserialize_with = "or_default")]
    values: Vec<Scalar>,
    #[serde(default, deserialize_with = "or_default")]
    status_code: String,
    #[serde(default, deserialize_with = "or_default")]
    messages: Vec<Message>,
}

/// Keys of a data point that hold a statistic.
const STATISTICS: [&str; 5] = ["Average", "Sum", "Minimum", "Maximum", "SampleCount"];

/// Reads every document of the file.
pub fn read(input: &Input, raw: &mut Raw) {
    let mut lines = json_scan::Lines::new(input.bytes);
    input.documents(raw, |base, document, raw| {
        let line = lines.of(base) + input.first_line - 1;
        if json_scan::find_array(document, &["Datapoints"]).is_some() {
            return statistics(input, base, document, raw);
        }
        let keys = ["MetricDataResults"];
        input.elements((base, document), &keys, "a result", raw, |at, element, raw| {
            match lenient::from_slice::<Answer>(element) {
                Ok(answer) => result(input, (at, lines.of(at) + input.first_line - 1), answer, raw),
                Err(e) => input.skip_unreadable(at, "a result", e, raw),
            }
        });
        if json_scan::find_value(document, 0, &["NextToken"], b'"').is_some() {
            let what = "only the first page: more data follows behind NextToken (the AWS CLI gets \
                        all of it without --max-datapoints)";
            raw.gap(GapKind::Missing, input.file, Some(line), what);
        }
        messages(input, line, document, raw);
    });
}

/// Notes the messages of the whole answer.
fn messages(input: &Input, line: u64, document: &[u8], raw: &mut Raw) {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Whole {
        #[serde(default, deserialize_with = "or_default")]
        messages: Vec<Message>,
    }
    if !document.starts_with(b"{") {
        return;
    }
    let whole = lenient::from_slice::<Whole>(document).map(|w| w.messages).unwrap_or_default();
    for message in whole {
        say(input, line, &message, raw);
    }
}

fn say(input: &Input, line: u64, message: &Message, raw: &mut Raw) {
    let what = format!("CloudWatch says {}: {}", message.code, message.value);
    raw.gap(GapKind::Missing, input.file, Some(line), what);
}

fn result(input: &Input, (at, line): (usize, u64), answer: Answer, raw: &mut Raw) {
    let mut measured = Measured {
        file: input.file,
        line,
        id: answer.id,
        label: answer.label,
        status: answer.status_code,
        ..Measured::default()
    };
    for message in &answer.messages {
        say(input, line, message, raw);
    }
    if answer.timestamps.len() != answer.values.len() {
        let (times, values) = (answer.timestamps.len(), answer.values.len());
        let why = format!("a result with {times} times and {values} values");
        let lost = times.abs_diff(values) as u64;
        raw.skip_like(input.file, "unpaired", lost, || (Some(measured.line), why));
    }
    for (time, value) in answer.timestamps.iter().zip(&answer.values) {
        sample(input, at, (time, value), &mut measured, raw);
    }
    raw.rows(input.file, measured.samples.len() as u64);
    raw.cloudwatch.results.push(measured);
}

/// Adds one sample; a time or a value that is none is counted.
fn sample(
    input: &Input,
    at: usize,
    (time, value): (&Scalar, &Scalar),
    measured: &mut Measured,
    raw: &mut Raw,
) {
    match (moment(input, time, raw), value.number()) {
        (Some(t), Some(v)) => measured.samples.push((t, v)),
        (Some(_), None) => {
            let first = || (Some(input.line(at)), "value is NaN or infinite".to_owned());
            raw.skip_like(input.file, "value", 1, first);
        }
        (None, _) => skip_time(input, at, time, raw),
    }
}

/// Reads the answer of get-metric-statistics: one series for each statistic.
fn statistics(input: &Input, base: usize, document: &[u8], raw: &mut Raw) {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Extended {
        #[serde(default, deserialize_with = "or_default")]
        extended_statistics: BTreeMap<String, Scalar>,
    }
    let label = json_scan::find_value(document, 0, &["Label"], b'"')
        .and_then(|at| Some(&document[at..json_scan::value_end(document, at)?]))
        .and_then(|text| serde_json::from_slice::<String>(text).ok())
        .unwrap_or_default();
    let mut made: BTreeMap<String, Measured> = BTreeMap::new();
    let keys = ["Datapoints"];
    input.elements((base, document), &keys, "a data point", raw, |at, element, raw| {
        let point = match lenient::from_slice::<BTreeMap<String, Scalar>>(element) {
            Ok(point) => point,
            Err(e) => return input.skip_unreadable(at, "a data point", e, raw),
        };
        let extended = lenient::from_slice::<Extended>(element).map(|e| e.extended_statistics);
        let time = point.get("Timestamp").cloned().unwrap_or_default();
        let unit = point.get("Unit").map(Scalar::text).unwrap_or_default();
        let plain =
            STATISTICS.iter().filter_map(|s| Some(((*s).to_owned(), point.get(*s)?.clone())));
        for (statistic, value) in plain.chain(extended.unwrap_or_default()) {
            let measured = made.entry(statistic.clone()).or_insert_with(|| Measured {
                file: input.file,
                line: input.line(at),
                label: label.clone(),
                statistic: Some(statistic),
                unit: unit.clone(),
                status: "Complete".to_owned(),
                ..Measured::default()
            });
            sample(input, at, (&time, &value), measured, raw);
        }
    });
    for measured in made.into_values() {
        raw.rows(input.file, measured.samples.len() as u64);
        raw.cloudwatch.results.push(measured);
    }
}

#[cfg(test)]
mod tests {
    use crate::ingest::read_text;
    use crate::model::GapKind;

    #[test]
    fn a_cut_answer_keeps_what_stands_before_the_cut() {
        let text = "{\"MetricDataResults\":[{\"Id\":\"a\",\"Label\":\"CPUUtilization\",\
             \"Timestamps\":[1795204800,null,1795204860],\"Values\":[1,2,3]},\
             {\"Id\":\"b\",\"Timestamps\":[17952";
        let raw = read_text("a.json", text.as_bytes());
        assert_eq!((raw.files[0].rows, raw.files[0].skipped), (2, 1), "{:?}", raw.gaps);
        assert!(raw.gaps.iter().any(|g| g.kind == GapKind::Truncated), "{:?}", raw.gaps);
    }

    #[test]
    fn times_without_a_value_are_counted() {
        let text = "{\"MetricDataResults\":[{\"Id\":\"a\",\"Timestamps\":[1795204800,1795204860],\
                    \"Values\":[1]}]}";
        let raw = read_text("a.json", text.as_bytes());
        assert_eq!((raw.files[0].rows, raw.files[0].skipped), (1, 1), "{:?}", raw.gaps);
    }
}
