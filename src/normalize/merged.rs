//! One series for one name and label set, also where a panel and a raw export both hold it, or where
//! a long range was exported in several files.

use crate::ingest::raw::RawSeries;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};

/// Labels that two formats call by different names.
const FOLDED: [(&str, &str); 2] =
    [("service.name", "service"), ("service.instance.id", "instance")];

/// What is the same for two exports of one series.
fn key(series: &RawSeries) -> String {
    let folded = |label: &str| FOLDED.iter().find(|(from, _)| *from == label).map(|(_, to)| *to);
    let labels: BTreeMap<&str, &str> =
        series.labels.iter().map(|(k, v)| (folded(k).unwrap_or(k), v.as_str())).collect();
    let own = (&series.name, labels, &series.statistic, &series.unit);
    // What no name or no label tells apart is the file's own.
    match series.name.is_empty() || series.labels.is_empty() {
        true => format!("{}:{own:?}", series.file),
        false => format!("{own:?}"),
    }
}

/// Puts the samples of equal series together; of one time the first export's sample is kept.
pub(super) fn merged(all: Vec<RawSeries>) -> Vec<RawSeries> {
    let keys: Vec<String> = all.par_iter().map(key).collect();
    let mut at: HashMap<String, usize> = HashMap::with_capacity(all.len());
    let mut out: Vec<RawSeries> = Vec::new();
    for (series, key) in all.into_iter().zip(keys) {
        match at.get(&key) {
            Some(i) => {
                let mut samples = out[*i].samples.to_vec();
                samples.extend(&series.samples);
                samples.sort_by_key(|s| s.0);
                samples.dedup_by_key(|s| s.0);
                out[*i].samples = samples.into();
            }
            None => {
                at.insert(key, out.len());
                out.push(series);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_series_of_two_formats_is_one() {
        let series = |label: &str, file, at| RawSeries {
            file,
            name: "pool.size".to_owned(),
            labels: BTreeMap::from([(label.to_owned(), "orders-api".to_owned())]),
            samples: vec![(at, 1.0)].into(),
            ..RawSeries::default()
        };
        let all = vec![series("service", 0, 1), series("service.name", 1, 2), series("host", 2, 3)];
        let counts: Vec<usize> = merged(all).iter().map(|s| s.samples.len()).collect();
        assert_eq!(counts, [2, 1]);
    }
}
