//! Rollups of samples and of sessions. In: their tables. Out: the series that were rolled up, a point
//! each bucket; and of sessions what an exporter of pg_stat_activity would have counted.

use super::Input;
use super::raw::{Raw, RawSeries};
use super::rolled::Rows;
use crate::model::{Micros, SECOND};
use std::collections::BTreeMap;

/// Ends of names under which exporters count what never falls.
const COUNTERS: [&str; 4] = ["_total", "_count", "_sum", "_bucket"];

/// Accepts the columns of either table.
pub fn accepts(has: impl Fn(&str) -> bool) -> bool {
    let samples = ["bucket_us", "metric", "labels", "last", "resets"];
    let sessions = ["snapshot_us", "sessions", "blocked", "state"];
    samples.into_iter().all(&has) || sessions.into_iter().all(&has)
}

/// The samples of one series in one bucket.
struct Bucket {
    /// Time of the last sample; the bucket's begin in tables without it.
    at: Micros,
    samples: f64,
    first: f64,
    last: f64,
    sum: f64,
    /// It did not fall and began and ended at its least and most.
    rises: bool,
    /// All that is known of it are whole numbers.
    whole: bool,
}

/// Reads buckets of samples as at the time of their last one: of counters and of states and other whole
/// numbers, of which a mean is none (half a primary, 0.4 leaders), the last value; of all else the mean.
pub fn samples(input: &Input, rows: &Rows, raw: &mut Raw) {
    let mut found: BTreeMap<[&str; 5], Vec<Bucket>> = BTreeMap::new();
    for (row, line) in rows.table.lines.iter().enumerate() {
        let Some(bucket) = bucket(rows, row) else {
            raw.skip(input.file, Some(*line), "row of a rollup without its numbers", 1);
            continue;
        };
        let key = ["metric", "labels", "unit", "statistic", "query"].map(|c| rows.text(row, c));
        found.entry(key).or_default().push(bucket);
        raw.rows(input.file, 1);
    }
    for ([metric, labels, unit, statistic, query], buckets) in found {
        let Ok(labels) = serde_json::from_str(if labels.is_empty() { "{}" } else { labels }) else {
            let why = "labels of a rollup are no JSON object of texts";
            raw.skip(input.file, None, why, buckets.len() as u64);
            continue;
        };
        let counts = COUNTERS.iter().any(|end| metric.ends_with(end));
        let rises = || {
            let steps = buckets.windows(2).all(|w| w[0].last <= w[1].first);
            buckets.iter().all(|b| b.rises) && steps
        };
        let last = counts || buckets.iter().all(|b| b.whole) || rises();
        let value = |b: &Bucket| if last { b.last } else { b.sum / b.samples };
        let points: Vec<(Micros, f64)> = buckets.iter().map(|b| (b.at, value(b))).collect();
        let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        raw.series.push(RawSeries {
            file: input.file,
            name: metric.to_owned(),
            query: known(query),
            unit: known(unit),
            statistic: known(statistic),
            labels,
            samples: points.into(),
        });
    }
}

fn bucket(rows: &Rows, row: usize) -> Option<Bucket> {
    let number = |name: &str| rows.text(row, name).parse::<f64>().ok().filter(|n| !n.is_nan());
    let (min, max) = (number("min")?, number("max")?);
    let (first, last) = (number("first")?, number("last")?);
    let rises = number("resets")? == 0.0 && min == first && max == last;
    let samples = number("samples").filter(|n| *n >= 1.0)?;
    let bucket = rows.time(row, "bucket_us")?;
    Some(Bucket {
        at: rows.time(row, "last_us").filter(|t| *t >= bucket).unwrap_or(bucket),
        samples,
        first,
        last,
        sum: number("sum")?,
        rises,
        whole: [min, max, first, last].iter().all(|v| v.fract() == 0.0),
    })
}

/// Reads facts of snapshots: how many sessions are in each state, and the age of the oldest
/// transaction. Who blocks whom is not in them.
pub fn sessions(input: &Input, rows: &Rows, raw: &mut Raw) {
    let labels = ["server", "datname", "application_name", "usename", "state", "wait_event_type"];
    let mut counts: BTreeMap<[&str; 6], Vec<(Micros, f64)>> = BTreeMap::new();
    let mut ages: BTreeMap<[&str; 2], BTreeMap<Micros, f64>> = BTreeMap::new();
    for (row, line) in rows.table.lines.iter().enumerate() {
        let count = rows.text(row, "sessions").parse::<f64>().ok().filter(|n| *n >= 0.0);
        let (Some(at), Some(count)) = (rows.time(row, "snapshot_us"), count) else {
            raw.skip(input.file, Some(*line), "row of a rollup without its numbers", 1);
            continue;
        };
        let who = labels.map(|c| rows.text(row, c));
        counts.entry(who).or_default().push((at, count));
        let oldest = ages.entry([who[0], who[1]]).or_default().entry(at).or_default();
        if let Some(start) = rows.time(row, "xact_start_us") {
            *oldest = oldest.max((at - start).max(0) as f64 / SECOND as f64);
        }
        raw.rows(input.file, 1);
    }
    let named = |names: &[&str], values: &[&str]| -> BTreeMap<String, String> {
        let pairs = names.iter().zip(values).filter(|(_, v)| !v.is_empty());
        pairs.map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    };
    let series = |name: &str, labels, points: Vec<(Micros, f64)>| RawSeries {
        file: input.file,
        name: name.to_owned(),
        labels,
        samples: points.into(),
        ..RawSeries::default()
    };
    for (who, points) in counts {
        raw.series.push(series("pg_stat_activity_count", named(&labels, &who), points));
    }
    for (who, oldest) in ages {
        let points = oldest.into_iter().collect();
        let labels = named(&labels[..2], &who);
        raw.series.push(series("pg_stat_activity_max_tx_duration", labels, points));
    }
}

#[cfg(test)]
mod tests {
    use crate::ingest::read_text;

    #[test]
    fn counters_keep_their_last_value_and_others_their_mean() {
        let text = "bucket_us,metric,labels,unit,statistic,query,samples,min,max,first,last,sum,resets\n\
            1795204800000000,x_total,\"{\"\"a\"\":\"\"b\"\"}\",,,,2,5,9,9,5,14,1\n\
            1795204800000000,depth,{},,,,4,-1.5,9,2,3,13,1\n\
            1795204810000000,depth,{},,,,1,7,7,7,7,7,0\n\
            1795204800000000,rising,{},s,max,,2,1,3,1,3,4,0\n\
            1795204810000000,bad,[1],,,,1,1,1,1,1,1,0\n\
            1795204810000000,bad,{},,,,0,1,1,1,1,1,0\n";
        let raw = read_text("samples.csv", text.as_bytes());
        assert_eq!(raw.files[0].reader, "rollup");
        let said: Vec<_> =
            raw.series.iter().map(|s| (s.name.as_str(), s.samples.values().to_vec())).collect();
        let wanted = [("depth", vec![3.25, 7.0]), ("rising", vec![3.0]), ("x_total", vec![5.0])];
        assert_eq!(said, wanted);
        assert_eq!(raw.series[2].labels["a"], "b");
        assert_eq!(raw.series[1].unit.as_deref(), Some("s"));
        assert_eq!((raw.files[0].rows, raw.files[0].skipped), (5, 2));
    }

    #[test]
    fn snapshots_become_counts_by_state_and_the_oldest_age() {
        let text = "snapshot_us,server,datname,application_name,usename,state,wait_event_type,\
            sessions,blocked,xact_start_us,query_start_us\n\
            1795204800000000,db1,shop,cart,app,active,Lock,4,4,1795204790000000,\n\
            1795204800000000,db1,shop,cart,app,idle,,9,0,,\n";
        let raw = read_text("sessions.csv", text.as_bytes());
        let said: Vec<_> =
            raw.series.iter().map(|s| (s.name.as_str(), s.samples.at(0).1)).collect();
        let count = "pg_stat_activity_count";
        let wanted = [(count, 4.0), (count, 9.0), ("pg_stat_activity_max_tx_duration", 10.0)];
        assert_eq!(said, wanted);
        assert_eq!(raw.series[0].labels["state"], "active");
    }
}
