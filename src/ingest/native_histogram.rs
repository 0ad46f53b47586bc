//! Native histograms of Prometheus as classic series: `_count`, `_sum` and cumulative `_bucket{le}`.
//! In: the histograms of one series. Out: series whose bounds are the same at every time.

use super::lenient::Scalar;
use super::raw::RawSeries;
use crate::model::Micros;
use serde::Deserialize;

/// One histogram as the API writes it; its buckets hold what lies in them, not below.
#[derive(Debug, Default, Deserialize)]
pub struct Histogram {
    #[serde(default)]
    count: Scalar,
    #[serde(default)]
    sum: Scalar,
    /// Rule of the bounds, left bound, right bound, count.
    #[serde(default)]
    buckets: Vec<(i64, Scalar, Scalar, Scalar)>,
}

/// A bucket that can be read: left, right, count.
type Bucket = (f64, f64, f64);

impl Histogram {
    fn buckets(&self) -> Vec<Bucket> {
        let mut found: Vec<Bucket> = self.buckets.iter().filter_map(readable).collect();
        found.sort_by(|a, b| a.1.total_cmp(&b.1));
        found
    }
}

fn readable((_, l, r, n): &(i64, Scalar, Scalar, Scalar)) -> Option<Bucket> {
    Some((bound(l)?, bound(r)?, n.number()?)).filter(|(l, r, _)| l <= r)
}

/// How many buckets cannot be read: what lies in them is missing in every bucket above.
pub fn unreadable(histograms: &[(Micros, Histogram)]) -> u64 {
    let buckets = histograms.iter().flat_map(|(_, h)| &h.buckets);
    buckets.filter(|b| readable(b).is_none()).count() as u64
}

fn bound(of: &Scalar) -> Option<f64> {
    match of {
        Scalar::Text(t) => t.parse().ok().filter(|v: &f64| !v.is_nan()),
        other => other.number(),
    }
}

/// The bounds that no bucket has inside it at any time: only there the count below is exact.
///
/// A bound's rule says on which side an observation that equals it is counted (0 right, 1 left, 2
/// neither, 3 both); for `le` that only moves observations that lie exactly on a bound.
fn bounds(all: &[(Micros, Vec<Bucket>)]) -> Vec<f64> {
    let buckets = || all.iter().flat_map(|(_, b)| b);
    let mut bounds: Vec<f64> =
        buckets().flat_map(|b| [b.0, b.1]).filter(|v| v.is_finite()).collect();
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    let mut exact = vec![true; bounds.len()];
    for (left, right, _) in buckets() {
        let from = bounds.partition_point(|b| b <= left);
        let to = bounds.partition_point(|b| b < right);
        exact.get_mut(from..to.max(from)).unwrap_or_default().fill(false);
    }
    let mut exact = exact.into_iter();
    bounds.retain(|_| exact.next().unwrap_or(false));
    bounds
}

/// The classic series of the histograms of `of`, whose name is that without a suffix.
pub fn classic(of: &RawSeries, histograms: &[(Micros, Histogram)]) -> Vec<RawSeries> {
    let part = |suffix: &str, le: Option<String>, samples: Vec<(Micros, f64)>| {
        let (mut labels, samples) = (of.labels.clone(), samples.into());
        labels.extend(le.map(|le| ("le".to_owned(), le)));
        RawSeries { name: format!("{}{suffix}", of.name), labels, samples, ..of.clone() }
    };
    let of_each = |value: fn(&Histogram) -> Option<f64>| {
        let values = histograms.iter().filter_map(|(t, h)| Some((*t, value(h)?)));
        values.collect::<Vec<_>>()
    };
    let counts = of_each(|h| h.count.number());
    let all: Vec<_> = histograms.iter().map(|(t, h)| (*t, h.buckets())).collect();
    let bounds = bounds(&all);
    let mut below: Vec<Vec<(Micros, f64)>> = vec![Vec::with_capacity(all.len()); bounds.len()];
    for (t, buckets) in &all {
        let (mut next, mut sum) = (buckets.iter().peekable(), 0.0);
        for (le, samples) in bounds.iter().zip(&mut below) {
            while let Some((_, _, n)) = next.next_if(|b| b.1 <= *le) {
                sum += n;
            }
            samples.push((*t, sum));
        }
    }
    let mut out =
        vec![part("_count", None, counts.clone()), part("_sum", None, of_each(|h| h.sum.number()))];
    for (le, samples) in bounds.iter().zip(below) {
        out.push(part("_bucket", Some(le.to_string()), samples));
    }
    out.push(part("_bucket", Some("+Inf".to_owned()), counts));
    out.retain(|s| !s.samples.is_empty());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(all: &[&str]) -> Vec<(String, Vec<f64>)> {
        let read = |(i, t): (usize, &&str)| {
            (i as i64, serde_json::from_str::<Histogram>(t).expect("a histogram"))
        };
        let histograms: Vec<_> = all.iter().enumerate().map(read).collect();
        let series = classic(&RawSeries { name: "h".into(), ..RawSeries::default() }, &histograms);
        let le = |s: &RawSeries| s.labels.get("le").cloned().unwrap_or_default();
        series
            .iter()
            .map(|s| (format!("{}{}", s.name, le(s)), s.samples.iter().map(|v| v.1).collect()))
            .collect()
    }

    #[test]
    fn buckets_become_cumulative_at_bounds_that_stay() {
        let two = of(&[
            r#"{"count":"5","sum":"4.5","buckets":
                [[1,"-1","-0.5","1"],[3,"-0.1","0.1","1"],[0,"1","2","3"]]}"#,
            r#"{"count":"7","sum":"9","buckets":
                [[3,"-0.1","0.1","2"],[0,"0.5","1","1"],[0,"1","2","4"]]}"#,
        ]);
        let want = [
            ("h_count", [5.0, 7.0]),
            ("h_sum", [4.5, 9.0]),
            ("h_bucket-1", [0.0, 0.0]),
            ("h_bucket-0.5", [1.0, 0.0]),
            ("h_bucket-0.1", [1.0, 0.0]),
            ("h_bucket0.1", [2.0, 2.0]),
            ("h_bucket0.5", [2.0, 2.0]),
            ("h_bucket1", [2.0, 3.0]),
            ("h_bucket2", [5.0, 7.0]),
            ("h_bucket+Inf", [5.0, 7.0]),
        ];
        let two: Vec<_> = two.iter().map(|(n, v)| (n.as_str(), [v[0], v[1]])).collect();
        assert_eq!(two, want);
    }

    #[test]
    fn buckets_that_cannot_be_read_are_counted() {
        let text = r#"{"count":"2","sum":"3","buckets":[[0,"1","2","1"],[0,"NaN","4","1"],
            [0,"5","4","1"],[0,"5","6","many"]]}"#;
        let one = serde_json::from_str(text).expect("a histogram");
        assert_eq!(unreadable(&[(1, one)]), 3);
    }

    #[test]
    fn a_bound_inside_a_wider_bucket_is_left_out() {
        let fine = r#"{"count":"2","sum":"3","buckets":[[0,"1","2","1"],[0,"2","4","1"]]}"#;
        let coarse = r#"{"count":"3","sum":"5","buckets":[[0,"1","4","3"]]}"#;
        let names: Vec<String> = of(&[fine, coarse]).into_iter().map(|s| s.0).collect();
        assert_eq!(names, ["h_count", "h_sum", "h_bucket1", "h_bucket4", "h_bucket+Inf"]);
        assert_eq!(of(&[]), []);
    }
}
