//! Exports of Amazon Web Services: CloudWatch, RDS, X-Ray. In: what the AWS CLI, the console and
//! the agents write. Out: series, spans, edges and events; times are numbers or ISO 8601.

mod alarms;
mod cli_text;
mod cloudwatch;
mod complete;
mod console;
mod container;
mod insights;
mod known;
pub mod logs;
mod os_metrics;
mod queries;
mod segment;
mod xray;
mod xray_graph;

pub use alarms::{accepts as accepts_alarms, read as read_alarms};
pub use cli_text::{accepts as accepts_cli_text, read as read_cli_text};
pub use cloudwatch::{accepts as accepts_cloudwatch, read as read_cloudwatch};
pub use complete::{CloudWatch, complete};
pub use console::{accepts as accepts_console, read as read_console};
pub use container::{accepts as accepts_container, read as read_container};
pub use insights::{accepts as accepts_insights, read as read_insights};
pub use os_metrics::{accepts as accepts_os, read as read_os};
pub use queries::{accepts as accepts_queries, read as read_queries};
pub use xray::{accepts as accepts_xray, read as read_xray};
pub use xray_graph::{accepts as accepts_graph, read as read_graph};

use super::Input;
use super::lenient::Scalar;
use super::raw::{FileId, Raw, RawSeries};
use crate::ingest::text::beginning;
use crate::model::Micros;
use crate::time::{self, EpochUnit};
use std::collections::BTreeMap;

/// Reads a time: epoch seconds (or milliseconds, by size) or text; a zone-less one is noted.
fn moment(input: &Input, value: &Scalar, raw: &mut Raw) -> Option<Micros> {
    if let Some(number) = value.number() {
        return time::from_epoch(number, time::epoch_unit(number));
    }
    let parsed = time::parse(&value.text(), input.zone)?;
    if parsed.zone_assumed {
        raw.zone_assumed(input.file);
    }
    Some(parsed.at)
}

/// Reads epoch seconds as X-Ray writes them; never another unit, whatever the size.
fn seconds(value: &Scalar) -> Option<Micros> {
    value.number().and_then(|v| time::from_epoch(v, EpochUnit::Seconds))
}

/// Counts one row whose time cannot be read.
fn skip_time(input: &Input, at: usize, value: &Scalar, raw: &mut Raw) {
    let text = || beginning(&value.text(), 40);
    let first = || (Some(input.line(at)), format!("timestamp \"{}\" is no time", text()));
    raw.skip_like(input.file, "timestamp", 1, first);
}

/// Leaves out what a conversion made infinite, and counts it.
fn drop_infinite(series: &mut RawSeries, file: FileId, raw: &mut Raw) {
    let before = series.samples.len();
    series.samples.retain(|s| s.1.is_finite());
    let lost = before - series.samples.len();
    if lost > 0 {
        raw.skip(file, None, "value is too large for its unit", lost as u64);
    }
}

/// Series of one file that grow sample by sample, in the order of their names and labels.
#[derive(Default)]
struct Growing {
    series: BTreeMap<(String, BTreeMap<String, String>), RawSeries>,
}

impl Growing {
    /// Adds a sample to the series of that name and those labels.
    fn add(
        &mut self,
        (name, unit): (&str, Option<&str>),
        labels: &BTreeMap<String, String>,
        sample: (Micros, f64),
    ) {
        let series =
            self.series.entry((name.to_owned(), labels.clone())).or_insert_with(|| RawSeries {
                name: name.to_owned(),
                unit: unit.map(str::to_owned),
                labels: labels.clone(),
                ..RawSeries::default()
            });
        series.samples.push(sample);
    }

    /// Hands all series over and counts their samples.
    fn finish(self, input: &Input, raw: &mut Raw) {
        for mut series in self.series.into_values() {
            drop_infinite(&mut series, input.file, raw);
            raw.rows(input.file, series.samples.len() as u64);
            raw.series.push(RawSeries { file: input.file, ..series });
        }
    }
}
