//! What a PromQL query measures, from its shape alone: the metric, whether it is a rate, a ratio
//! or a quantile. In: query text. Out: [`QueryMeaning`]. It is not an evaluator.

/// The gist of one query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueryMeaning {
    /// First metric name in the query.
    pub metric: String,
    /// Length of the range in `rate(x[30s])`, seconds; 0 without one.
    pub window_s: f64,
    pub rate: bool,
    /// `histogram_quantile(0.99, …)` gives 99.
    pub quantile: Option<u8>,
    /// A ratio of failures to all of one metric.
    pub error_ratio: bool,
    /// A ratio of `_sum` to `_count` of one histogram.
    pub mean: bool,
    /// A ratio of hits to all.
    pub hit_ratio: bool,
    /// A ratio of anything else.
    pub ratio: bool,
}

impl QueryMeaning {
    /// The values are a rate, a ratio or a quantile already.
    pub fn derived(&self) -> bool {
        self.rate || self.ratio || self.error_ratio || self.quantile.is_some()
    }
}

const WORDS: [&str; 14] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "and",
    "or",
    "unless",
    "offset",
    "bool",
    "le",
    "inf",
    "nan",
];

/// Reads a query; an empty metric means that none was found.
pub fn read(query: &str) -> QueryMeaning {
    let metrics = metrics(query);
    let Some((first, selector)) = metrics.first() else { return QueryMeaning::default() };
    let base = |m: &str| {
        let cut = ["_bucket", "_sum", "_count", "_total"].iter().find_map(|s| m.strip_suffix(s));
        cut.unwrap_or(m).to_owned()
    };
    let rate = ["rate(", "irate(", "increase("].iter().any(|f| query.contains(f));
    let mut meaning = QueryMeaning { metric: first.clone(), rate, ..QueryMeaning::default() };
    meaning.window_s = range_seconds(query);
    if let Some(rest) = query.split("histogram_quantile(").nth(1) {
        let number = rest.split(',').next().and_then(|n| n.trim().parse::<f64>().ok());
        meaning.quantile = number.map(|q| (q * 100.0).round().clamp(0.0, 100.0) as u8);
        return meaning;
    }
    if !outside_quotes_has(query, '/') {
        return meaning;
    }
    let same = metrics.iter().all(|(m, _)| base(m) == base(first));
    let failing = ["5..", "error", "fail", "!~\"2", "non_ok"].iter().any(|w| selector.contains(w));
    meaning.mean = same && first.ends_with("_sum");
    meaning.error_ratio = same && !meaning.mean && failing;
    meaning.hit_ratio =
        !meaning.mean && !failing && (first.contains("hit") || selector.contains("hit"));
    meaning.ratio = !(meaning.mean || meaning.error_ratio || meaning.hit_ratio);
    meaning
}

fn outside_quotes_has(query: &str, wanted: char) -> bool {
    let mut quoted = false;
    query.chars().any(|c| {
        quoted ^= c == '"';
        !quoted && c == wanted
    })
}

/// Metric names with their selectors, in order.
fn metrics(query: &str) -> Vec<(String, String)> {
    let chars: Vec<char> = query.chars().collect();
    let mut found: Vec<(String, String)> = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        if c == '{' || c == '[' {
            let close = if c == '{' { '}' } else { ']' };
            at += chars[at..].iter().position(|x| *x == close).unwrap_or(chars.len() - at) + 1;
            continue;
        }
        if !(c.is_alphabetic() || c == '_') {
            let number = c.is_ascii_digit() || c == '"';
            at += if number { token(&chars, at).max(1) } else { 1 };
            continue;
        }
        let len = token(&chars, at);
        let word: String = chars[at..at + len].iter().collect();
        let behind = at + len + chars[at + len..].iter().take_while(|x| x.is_whitespace()).count();
        at = behind;
        let next = chars.get(behind).copied().unwrap_or(' ');
        if WORDS.contains(&word.to_lowercase().as_str()) {
            if next == '(' {
                at += chars[at..].iter().position(|x| *x == ')').unwrap_or(chars.len() - at) + 1;
            }
        } else if next != '(' && !aggregates(&chars, behind) {
            let ends_by = word == "by" || word == "without";
            let selector: String = if next == '{' {
                chars[behind..].iter().take_while(|x| **x != '}').collect()
            } else {
                String::new()
            };
            if !ends_by {
                found.push((word, selector));
            }
        }
    }
    found
}

/// `sum by (…)`: the word in front of a grouping is an aggregation, not a metric.
fn aggregates(chars: &[char], at: usize) -> bool {
    let rest: String = chars[at..].iter().take(8).collect();
    ["by ", "by(", "without"].iter().any(|w| rest.starts_with(w))
}

fn token(chars: &[char], at: usize) -> usize {
    let part = |c: &&char| c.is_alphanumeric() || **c == '_' || **c == ':' || **c == '.';
    chars[at..].iter().take_while(part).count()
}

fn range_seconds(query: &str) -> f64 {
    let Some(range) = query.split('[').nth(1).and_then(|r| r.split([']', ':']).next()) else {
        return 0.0;
    };
    let (mut total, mut number) = (0.0, String::new());
    let mut chars = range.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        let millis = c == 'm' && chars.peek() == Some(&'s');
        let unit = match c {
            'm' if millis => 0.001,
            's' => 1.0,
            'm' => 60.0,
            'h' => 3600.0,
            'd' => 86400.0,
            _ => 0.0,
        };
        total += number.parse::<f64>().unwrap_or(0.0) * unit;
        number.clear();
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_dashboard_queries_are_understood() {
        let q = read(
            "histogram_quantile(0.99, sum by (job,le) \
             (rate(http_server_request_duration_seconds_bucket{job=~\"a|b\"}[30s])))",
        );
        assert_eq!(
            (q.metric.as_str(), q.quantile, q.window_s),
            ("http_server_request_duration_seconds_bucket", Some(99), 30.0)
        );
        let q = read(
            "sum by (job) (rate(x_count{code=~\"5..\"}[1m30s])) / sum by (job) (rate(x_count[1m30s]))",
        );
        assert!(q.error_ratio && !q.ratio);
        assert_eq!(q.window_s, 90.0);
        let q = read(
            "rate(redis_keyspace_hits_total[30s]) / (rate(redis_keyspace_hits_total[30s]) \
             + rate(redis_keyspace_misses_total[30s]))",
        );
        assert!(q.hit_ratio);
        let q = read("sum by (instance,mode) (pg_locks_count{datname=\"shop\"})");
        assert_eq!((q.metric.as_str(), q.rate, q.ratio), ("pg_locks_count", false, false));
        assert_eq!(read("1 + 2").metric, "");
        assert_eq!(read("").metric, "");
    }
}
