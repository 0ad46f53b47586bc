//! What a process keeps in memory, by type: V8's heap snapshots and pprof's heap profiles.
//! In: one file a moment. Out: series of bytes by type; two moments of one process give a growth.

mod dominators;
mod growth;
mod pprof;
mod snapshot;

pub use growth::say as say_growth;
pub use pprof::{accepts as accepts_pprof, read as read_pprof};
pub use snapshot::{accepts as accepts_snapshot, read as read_snapshot};

use super::Input;
use super::raw::{Raw, RawSeries};
use crate::model::Micros;
use std::collections::BTreeMap;

/// Bytes of the objects of one type, without what they hold.
const SIZE: &str = "heap.objects.size";
/// Bytes that would be free without the objects of one type.
const RETAINED: &str = "heap.retained.size";
/// Types that are told apart in one file.
const TYPES_MAX: usize = 50;
/// The type of all that are not.
const OTHER: &str = "(other)";

/// Where and when a heap was looked at.
struct Moment<'a> {
    process: &'a str,
    instance: Option<&'a str>,
    at: Micros,
}

/// Adds one series a type, the largest by name and the rest as one; gives the number of series.
///
/// Where types overlap (`RETAINED`), their rest has no sum and is left out.
fn push(
    input: &Input,
    name: &str,
    moment: &Moment,
    sizes: BTreeMap<String, f64>,
    raw: &mut Raw,
) -> u64 {
    let mut sizes: Vec<(String, f64)> = sizes.into_iter().filter(|(_, v)| *v > 0.0).collect();
    sizes.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let rest: f64 = sizes.iter().skip(TYPES_MAX).map(|s| s.1).sum();
    sizes.truncate(TYPES_MAX);
    if rest > 0.0 && name != RETAINED {
        sizes.push((OTHER.to_owned(), rest));
    }
    let count = sizes.len() as u64;
    for (kind, bytes) in sizes {
        let instance = moment.instance.map(|i| ("service.instance.id", i));
        let labels = [("service.name", moment.process), ("type", &kind)];
        let labels = labels.into_iter().chain(instance);
        raw.series.push(RawSeries {
            file: input.file,
            name: name.to_owned(),
            unit: Some("By".to_owned()),
            labels: labels.map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
            samples: vec![(moment.at, bytes)].into(),
            ..RawSeries::default()
        });
    }
    count
}
