//! Factors to base units. In: a unit as an export writes it. Out: what to multiply by.

use crate::model::Unit;

/// Units whose word decides by itself.
const FACTORS: [(&str, Unit, f64); 41] = [
    ("s", Unit::Seconds, 1.0),
    ("seconds", Unit::Seconds, 1.0),
    ("ms", Unit::Seconds, 1e-3),
    ("milliseconds", Unit::Seconds, 1e-3),
    ("us", Unit::Seconds, 1e-6),
    ("µs", Unit::Seconds, 1e-6),
    ("microseconds", Unit::Seconds, 1e-6),
    ("ns", Unit::Seconds, 1e-9),
    ("min", Unit::Seconds, 60.0),
    ("b", Unit::Bytes, 1.0),
    ("by", Unit::Bytes, 1.0),
    ("bytes", Unit::Bytes, 1.0),
    ("kb", Unit::Bytes, 1e3),
    ("mb", Unit::Bytes, 1e6),
    ("gb", Unit::Bytes, 1e9),
    ("kib", Unit::Bytes, 1024.0),
    ("mib", Unit::Bytes, 1_048_576.0),
    ("gib", Unit::Bytes, 1_073_741_824.0),
    ("kilobytes", Unit::Bytes, 1e3),
    ("megabytes", Unit::Bytes, 1e6),
    ("gigabytes", Unit::Bytes, 1e9),
    ("%", Unit::Ratio, 0.01),
    ("percent", Unit::Ratio, 0.01),
    ("pct", Unit::Ratio, 0.01),
    ("ratio", Unit::Ratio, 1.0),
    ("1", Unit::None, 1.0),
    ("count", Unit::Count, 1.0),
    ("none", Unit::None, 1.0),
    ("1/s", Unit::PerSecond, 1.0),
    ("rps", Unit::PerSecond, 1.0),
    ("req/s", Unit::PerSecond, 1.0),
    ("1/min", Unit::PerSecond, 1.0 / 60.0),
    ("/s", Unit::PerSecond, 1.0),
    ("b/s", Unit::BytesPerSecond, 1.0),
    ("by/s", Unit::BytesPerSecond, 1.0),
    ("bytes/second", Unit::BytesPerSecond, 1.0),
    ("count/second", Unit::PerSecond, 1.0),
    ("mcores", Unit::Cores, 1e-3),
    ("nanocores", Unit::Cores, 1e-9),
    ("millicores", Unit::Cores, 1e-3),
    ("cores", Unit::Cores, 1.0),
];

/// The unit and factor of a written unit; `None` when the word is not known.
pub fn factor(written: &str) -> Option<(Unit, f64)> {
    let lower = written.trim().to_lowercase();
    FACTORS.iter().find(|(w, _, _)| *w == lower).map(|(_, unit, f)| (*unit, *f))
}

/// What to multiply by so that values of `written` unit come out in `base`.
///
/// A ratio without a unit whose largest value lies above 1.5 and at most about 100 is taken as per
/// cent, unless `counted` says that the name may also mean a number of things.
pub fn scale(base: Unit, written: Option<&str>, largest: f64, counted: bool) -> f64 {
    match written.and_then(factor) {
        // An absolute time counts seconds since 1970, whatever word stands in its name.
        _ if base == Unit::Instant => 1.0,
        Some((unit, f)) if unit == base || f != 1.0 => f,
        _ if base == Unit::Ratio && !counted && (1.5..=110.0).contains(&largest) => 0.01,
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_units_win_and_percent_is_recognised_by_size() {
        assert_eq!(scale(Unit::Seconds, Some("ms"), 900.0, false), 1e-3);
        assert_eq!(scale(Unit::Ratio, None, 97.0, false), 0.01);
        assert_eq!(scale(Unit::Ratio, None, 0.97, false), 1.0);
        assert_eq!(scale(Unit::Ratio, None, 97.0, true), 1.0);
        assert_eq!(scale(Unit::Ratio, Some("ratio"), 97.0, true), 1.0);
        assert_eq!(scale(Unit::Instant, Some("s"), 1.7e9, false), 1.0);
    }
}
