//! Search results of Tempo. In: ids and root names. Out: a gap that says how to get the spans.

use super::super::raw::Raw;
use super::super::{Head, Input};
use crate::model::GapKind;

/// Accepts what `/api/search` answers.
pub fn accepts(head: &Head) -> bool {
    head.has_key("traces") && head.has_key("rootServiceName")
}

/// Counts the traces that are only named.
pub fn read(input: &Input, raw: &mut Raw) {
    input.documents(raw, |base, document, raw| {
        let mut count = 0;
        input.elements((base, document), &["traces"], "a trace", raw, |_, _, _| count += 1);
        let what = format!(
            "a Tempo search result: it names {count} traces and holds no trace itself \
             (export them with /api/v2/traces/<id>, or \"Download traces\" in Grafana)"
        );
        raw.gap(GapKind::Missing, input.file, Some(input.line(base)), what);
    });
}
