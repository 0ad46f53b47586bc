//! A diagnosis as lines of JSON: first what it is about, then one line per hypothesis, moment and gap.

use super::super::one_line;
use crate::diagnosis::{CatalogRef, Diagnosis, FirstFailure, Tool, Verdict, WindowReport};
use serde::Serialize;
use serde_json::{Value, json};

/// What stands in the first line.
#[derive(Serialize)]
struct Head<'d> {
    tool: &'d Tool,
    catalog: &'d CatalogRef,
    title: &'d Option<String>,
    window: &'d WindowReport,
    verdict: Verdict,
    reasons: &'d [String],
    first_failure: &'d Option<FirstFailure>,
    entities: usize,
    edges: usize,
    series: usize,
}

/// Writes the lines; each has a `type` and the schema's version.
pub fn ndjson(d: &Diagnosis) -> String {
    let head = Head {
        tool: &d.tool,
        catalog: &d.catalog,
        title: &d.title,
        window: &d.window,
        verdict: d.verdict,
        reasons: &d.reasons,
        first_failure: &d.first_failure,
        entities: d.entities,
        edges: d.edges,
        series: d.series,
    };
    let mut out = String::new();
    let mut add = |kind: &str, value: Value| {
        let mut line = json!({ "type": kind, "schema_version": d.schema_version });
        if let (Some(line), Value::Object(fields)) = (line.as_object_mut(), value) {
            line.extend(fields);
        }
        out.push_str(&one_line(&line));
    };
    add("diagnosis", json!(head));
    d.impact.iter().for_each(|i| add("impact", json!(i)));
    d.hypotheses.iter().for_each(|h| add("hypothesis", json!(h)));
    d.suppressed.iter().for_each(|s| add("suppressed", json!(s)));
    d.timeline.iter().for_each(|m| add("moment", json!(m)));
    d.skipped.iter().for_each(|s| add("skipped", json!(s)));
    d.rejected.iter().for_each(|r| add("rejected", json!(r)));
    d.gaps.iter().for_each(|g| add("gap", json!(g)));
    d.inputs.iter().for_each(|i| add("input", json!(i)));
    out
}
