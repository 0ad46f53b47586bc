//! How names of metrics are built: words, and at their end a part, a unit and a statistic.
//! In: a name or a row of `signals.toml`. Out: its words, its stem, the forms that mean the same.

use super::{Part, Stat};
use serde::Deserialize;

/// A name that exporters give a signal.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Alias {
    Plain(String),
    Told {
        name: String,
        /// Unit of the values where the name does not say it.
        unit: Option<String>,
        /// Only this spelling means the signal.
        #[serde(default)]
        exact: bool,
    },
}

impl Alias {
    pub(super) fn name(&self) -> &str {
        match self {
            Alias::Plain(name) | Alias::Told { name, .. } => name,
        }
    }

    pub(super) fn exact(&self) -> bool {
        matches!(self, Alias::Told { exact: true, .. })
    }

    /// The unit that it is told to have, or the time unit in its own name.
    pub(super) fn unit(&self) -> Option<&'static str> {
        let told = match self {
            Alias::Told { unit: Some(unit), .. } => Some(unit.clone()),
            _ => words(self.name()).into_iter().rfind(|w| TIMES.contains(&w.as_str())),
        };
        let unit = |t: String| UNITS.iter().find(|(word, u)| *word == t || *u == t);
        told.and_then(unit).map(|(_, u)| *u)
    }
}

const PARTS: [(&str, Part); 4] =
    [("bucket", Part::Bucket), ("sum", Part::Sum), ("count", Part::Count), ("total", Part::Total)];
const UNITS: [(&str, &str); 17] = [
    ("seconds", "s"),
    ("milliseconds", "ms"),
    ("microseconds", "us"),
    ("ms", "ms"),
    ("us", "us"),
    ("sec", "s"),
    ("s", "s"),
    ("bytes", "B"),
    ("mb", "MB"),
    ("mib", "MiB"),
    ("kb", "kB"),
    ("pct", "%"),
    ("percent", "%"),
    ("percentage", "%"),
    ("ratio", "ratio"),
    ("mcores", "mcores"),
    ("nanocores", "nanocores"),
];
/// Words of time units other than the base unit.
pub(super) const TIMES: [&str; 4] = ["milliseconds", "microseconds", "ms", "us"];
const STATS: [(&str, Stat); 17] = [
    ("p50", Stat::Quantile(50)),
    ("p75", Stat::Quantile(75)),
    ("p90", Stat::Quantile(90)),
    ("p95", Stat::Quantile(95)),
    ("p99", Stat::Quantile(99)),
    ("50", Stat::Quantile(50)),
    ("75", Stat::Quantile(75)),
    ("90", Stat::Quantile(90)),
    ("95", Stat::Quantile(95)),
    ("99", Stat::Quantile(99)),
    ("median", Stat::Quantile(50)),
    ("avg", Stat::Mean),
    ("average", Stat::Mean),
    ("mean", Stat::Mean),
    ("max", Stat::Max),
    ("maximum", Stat::Max),
    ("min", Stat::Min),
];

/// Reads a statistic's name, as a column or a name's suffix gives it.
pub fn stat_of(word: &str) -> Option<Stat> {
    let w = word.to_lowercase();
    STATS.iter().find(|(name, _)| *name == w).map(|(_, s)| *s)
}

/// Words in front of a metric's name that say where, or of which, it was taken.
const TAKEN_AT: [&str; 12] = [
    "http",
    "https",
    "grpc",
    "rpc",
    "istio",
    "envoy",
    "container",
    "process",
    "jvm",
    "active",
    "current",
    "total",
];

/// Says whether a word in front of a metric's name belongs to the metric, whatever stands before.
pub fn qualifies(word: &str) -> bool {
    stat_of(word).is_some() || TAKEN_AT.contains(&word)
}

/// Lower-cased words of a name; separators are everything but letters and digits.
pub fn words(name: &str) -> Vec<String> {
    let lower = |w: &str| w.to_lowercase();
    name.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(lower).collect()
}

/// A name without its part, unit and statistic, in lower case and without separators.
pub(super) fn stem(name: &str) -> String {
    let (mut part, mut stat, mut unit) = (Part::Value, Stat::Value, None);
    let mut rest = words(name);
    while strip_one(&mut rest, &mut part, &mut stat, &mut unit) {}
    rest.concat()
}

/// The keys under which an alias is found: as written, and without part and unit suffixes.
pub(super) fn forms(words: &[String]) -> Vec<String> {
    let mut found = vec![words.concat()];
    let (mut part, mut stat, mut unit) = (Part::Value, Stat::Value, None);
    let mut rest = words.to_vec();
    while rest.len() > 1 && strip_one(&mut rest, &mut part, &mut stat, &mut unit) {
        if stat != Stat::Value || rest.len() < 2 {
            break;
        }
        found.push(rest.concat());
    }
    found
}

/// Takes one suffix off: part, unit or statistic. Says whether there was one.
pub(super) fn strip_one(
    rest: &mut Vec<String>,
    part: &mut Part,
    stat: &mut Stat,
    unit: &mut Option<&'static str>,
) -> bool {
    let Some(last) = rest.last().filter(|_| rest.len() > 1).cloned() else { return false };
    if let Some((_, p)) = PARTS.iter().find(|(w, _)| *w == last).filter(|_| *part == Part::Value) {
        *part = *p;
    } else if let Some((_, u)) = UNITS.iter().find(|(w, _)| *w == last) {
        *unit = unit.or(Some(u));
    } else if let Some(s) = stat_of(&last) {
        *stat = s;
    } else {
        return false;
    }
    rest.pop();
    true
}
