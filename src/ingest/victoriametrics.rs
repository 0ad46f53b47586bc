//! VictoriaMetrics `/api/v1/export`: one block of one series a line. In: JSON lines. Out: series;
//! times are milliseconds. The binary export is refused with a hint.

use super::gathered::Gathered;
use super::json_scan;
use super::lenient::{self, Scalar};
use super::raw::{Raw, RawSeries};
use super::{Head, Input};
use crate::model::GapKind;
use crate::time::{self, EpochUnit};
use std::collections::BTreeMap;

/// Accepts a line of the JSON export.
pub fn accepts(head: &Head) -> bool {
    head.has_key("metric") && head.has_key("values") && head.has_key("timestamps")
}

#[derive(serde::Deserialize)]
struct Block {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    values: Vec<Scalar>,
    timestamps: Vec<Scalar>,
}

/// Reads every block; blocks of one series are put together.
pub fn read(input: &Input, raw: &mut Raw) {
    let mut all = Gathered::of(input);
    input.documents(raw, |at, document, raw| match lenient::from_slice::<Block>(document) {
        Ok(block) => one_block(input, (at, document), block, &mut all, raw),
        // An export is lines: a line that is cut is the end of the file.
        Err(e) if json_scan::value_end(document, 0).is_none() => {
            let what = format!("the file ends inside a series: {e}");
            raw.gap(GapKind::Truncated, input.file, Some(input.line(at)), what);
        }
        Err(e) => input.skip_unreadable(at, "a series", e, raw),
    });
    all.finish(input, raw);
}

fn one_block<'a>(
    input: &Input,
    (at, document): (usize, &'a [u8]),
    block: Block,
    all: &mut Gathered<'a>,
    raw: &mut Raw,
) {
    let (times, values) = (block.timestamps.len(), block.values.len());
    if times != values {
        let what = format!("a series has {values} values but {times} times");
        return raw
            .skip_like(input.file, "lengths", values as u64, || (Some(input.line(at)), what));
    }
    // The text of the labels tells the series apart.
    let open = json_scan::find_value(document, 0, &["metric"], b'{').unwrap_or(0);
    let end = json_scan::value_end(document, open).unwrap_or(document.len());
    let mut labels = block.metric;
    let name = labels.remove("__name__").unwrap_or_default();
    let make = || Some(RawSeries { name, labels, ..RawSeries::default() });
    let Some(series) = all.series((&document[open..end], b""), make) else { return };
    for (t, v) in block.timestamps.iter().zip(&block.values) {
        let value = v.number().unwrap_or(f64::NAN);
        match t.number() {
            Some(t) => all.add(series, t, value, at),
            None => raw.skip(input.file, Some(input.line(at)), "a sample has no time", 1),
        }
    }
}

/// Accepts the binary export: the range of its times in zigzag, then the length of a name.
pub fn accepts_native(head: &Head) -> bool {
    let word = |from: usize| {
        let bytes: [u8; 8] = head.bytes.get(from..from + 8)?.try_into().ok()?;
        Some((u64::from_be_bytes(bytes) >> 1) as f64)
    };
    let believable = |t: f64| time::from_epoch(t, EpochUnit::Millis).is_some();
    let (Some(from), Some(to)) = (word(0), word(8)) else { return false };
    (from == 0.0 || believable(from)) && from <= to && believable(to)
}

/// Refuses the binary export.
pub fn refuse_native(input: &Input, raw: &mut Raw) {
    let what = "VictoriaMetrics' native export is binary and not read: export \
                /api/v1/export (JSON lines) instead";
    raw.gap(GapKind::Unreadable, input.file, None, what);
}

#[cfg(test)]
mod tests {
    use crate::ingest::read_text;

    #[test]
    fn blocks_of_a_series_are_put_together_and_null_is_a_gap() {
        let metric = r#"{"metric":{"__name__":"a","i":"1"},"values""#;
        let text = format!(
            "{metric}:[3,null],\"timestamps\":[1634625160000,1634625170000]}}\n\
             {metric}:[1,\"Infinity\"],\"timestamps\":[1634625140000,1634625150000]}}\n\
             {metric}:[1],\"timestamps\":[]}}\n"
        );
        let mut raw = read_text("x.jsonl", text.as_bytes());
        raw.finish();
        let samples: Vec<_> = raw.series.iter().map(|s| s.samples.clone()).collect();
        assert_eq!(samples, [[(1_634_625_140_000_000, 1.0), (1_634_625_160_000_000, 3.0)]]);
        let said: Vec<_> = raw.gaps.iter().map(|g| (g.line, g.count)).collect();
        assert_eq!(said, [(Some(3), 1), (Some(1), 2)], "{:?}", raw.gaps);
    }
}
