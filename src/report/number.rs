//! Numbers as a tired person reads them: two or three digits and a unit.

use crate::model::{Micros, SECOND, Unit};
use crate::time;

/// A value with its unit: `5 ms`, `8.0 s`, `12 %`, `25/s`, `61 MiB`; `?` when there is none.
pub(super) fn value(v: f64, unit: Unit) -> String {
    if !v.is_finite() {
        return "?".to_owned();
    }
    match unit {
        Unit::Seconds => seconds(v),
        Unit::Bytes => bytes(v),
        Unit::Ratio => percent(v),
        Unit::PerSecond => format!("{}/s", number(v)),
        Unit::BytesPerSecond => format!("{}/s", bytes(v)),
        Unit::Cores => format!("{} cores", number(v)),
        Unit::Instant => time::clock((v * SECOND as f64) as Micros),
        Unit::Count | Unit::None => number(v),
    }
}

/// Two or three digits, with `k`, `M`, `G`, `T` from ten thousand on.
pub(super) fn number(v: f64) -> String {
    let size = v.abs();
    match size {
        _ if !v.is_finite() => "?".to_owned(),
        _ if size == 0.0 => "0".to_owned(),
        s if s < 0.001 => format!("{v:.0e}"),
        s if s < 0.0995 => trimmed(format!("{v:.3}")),
        s if s < 9.95 => trimmed(format!("{v:.1}")),
        s if s < 9_999.5 => format!("{v:.0}"),
        _ => {
            let units = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
            let fits = units.iter().find(|(scale, _)| size >= scale * 0.9995);
            let (scale, letter) = fits.copied().unwrap_or((1.0, ""));
            format!("{}{letter}", three_digits(v / scale))
        }
    }
}

/// A whole number with separated thousands: `1,204`.
pub(super) fn whole(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A number with its noun: `1 file`, `2 files`, `3 entities`.
pub(super) fn count(n: usize, noun: &str) -> String {
    let noun = match (n, noun.strip_suffix('y')) {
        (1, _) => noun.to_owned(),
        (_, Some(stem)) => format!("{stem}ies"),
        (_, None) if noun.ends_with('s') => noun.to_owned(),
        (_, None) => format!("{noun}s"),
    };
    format!("{} {noun}", whole(n as u64))
}

/// Two decimals; never a certainty that was not meant.
pub(super) fn probability(p: f64) -> String {
    match p {
        p if !p.is_finite() => "?".to_owned(),
        p if p > 0.0 && p < 0.01 => "<0.01".to_owned(),
        p if p > 0.99 && p < 1.0 => ">0.99".to_owned(),
        p => format!("{p:.2}"),
    }
}

/// Natural-log units with their sign: `+2.30`.
pub(super) fn nats(v: f64) -> String {
    if v.is_finite() { format!("{v:+.2}") } else { "?".to_owned() }
}

/// The distance of two times, signed: `+3s`, `-1m05s`, `+0s`.
pub(super) fn delay(from: Micros, to: Micros) -> String {
    let s = (to as f64 - from as f64) / SECOND as f64;
    format!("{}{}", if s < 0.0 { '-' } else { '+' }, time::duration(tenths(s)))
}

/// How exact a time is, without its sign; `None` when it is exact to half a second or unknown.
pub(super) fn uncertainty(seconds: Option<f64>) -> Option<String> {
    seconds.filter(|s| s.is_finite() && *s >= 0.5).map(|s| time::duration(tenths(s)))
}

/// Length of a stretch of time in seconds.
pub(super) fn length(from: Micros, to: Micros) -> f64 {
    (to as f64 - from as f64) / SECOND as f64
}

/// The distance of two points of a series: `20 ms`, `5s`, `1m00s`.
pub(super) fn pause(s: f64) -> String {
    if s < 0.95 { seconds(s) } else { time::duration(tenths(s)) }
}

/// Cuts what `time::duration` would otherwise show as `3.0s`.
fn tenths(s: f64) -> f64 {
    (s * 10.0).round() / 10.0
}

fn seconds(v: f64) -> String {
    let size = v.abs();
    match size {
        _ if size == 0.0 => "0 s".to_owned(),
        s if s < 0.000_999_5 => format!("{} us", three_digits(v * 1e6)),
        s if s < 0.009_95 => format!("{} ms", trimmed(format!("{:.1}", v * 1e3))),
        s if s < 0.999_5 => format!("{:.0} ms", v * 1e3),
        s if s < 9.95 => format!("{v:.1} s"),
        s if s < 59.5 => format!("{v:.0} s"),
        _ => format!("{}{}", if v < 0.0 { "-" } else { "" }, time::duration(v.round())),
    }
}

fn percent(v: f64) -> String {
    let p = v * 100.0;
    match p.abs() {
        0.0 => "0 %".to_owned(),
        s if s < 0.05 => "<0.1 %".to_owned(),
        s if s < 9.95 || (99.0..99.95).contains(&s) => {
            format!("{} %", trimmed(format!("{p:.1}")))
        }
        s if s < 9_999.5 => format!("{p:.0} %"),
        _ => format!("{} %", number(p)),
    }
}

fn bytes(v: f64) -> String {
    let units = [(1u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(scale, _)| v.abs() >= *scale as f64) {
        Some((scale, word)) => format!("{} {word}", three_digits(v / *scale as f64)),
        None => format!("{v:.0} B"),
    }
}

fn three_digits(v: f64) -> String {
    if v.abs() < 9.95 { trimmed(format!("{v:.1}")) } else { format!("{v:.0}") }
}

/// Removes zeros after the point, and the point.
fn trimmed(text: String) -> String {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_carry_their_unit() {
        let said = |v, u| value(v, u);
        assert_eq!(said(0.005, Unit::Seconds), "5 ms");
        assert_eq!(said(0.000_25, Unit::Seconds), "250 us");
        assert_eq!(said(8.0, Unit::Seconds), "8.0 s");
        assert_eq!(said(176.0, Unit::Seconds), "2m56s");
        assert_eq!(said(0.12, Unit::Ratio), "12 %");
        assert_eq!(said(0.001, Unit::Ratio), "0.1 %");
        assert_eq!(said(0.987, Unit::Ratio), "99 %");
        assert_eq!(said(0.9987, Unit::Ratio), "99.9 %");
        assert_eq!(said(1.0, Unit::Ratio), "100 %");
        assert_eq!(said(25.3, Unit::PerSecond), "25/s");
        assert_eq!(said(61.0 * 1_048_576.0, Unit::Bytes), "61 MiB");
        assert_eq!(said(1536.0, Unit::BytesPerSecond), "1.5 KiB/s");
        assert_eq!(said(0.0, Unit::Seconds), "0 s");
        assert_eq!(said(f64::NAN, Unit::Count), "?");
    }

    #[test]
    fn numbers_have_few_digits() {
        let cases = [
            (0.0, "0"),
            (11.0, "11"),
            (4.9, "4.9"),
            (5.0, "5"),
            (7390.0, "7390"),
            (1_800_000.0, "1.8M"),
            (12_345.0, "12k"),
            (999_900.0, "1M"),
            (0.042, "0.042"),
            (-3.0, "-3"),
            (f64::INFINITY, "?"),
        ];
        for (v, said) in cases {
            assert_eq!(number(v), said, "{v}");
        }
        assert_eq!(whole(1_234_567), "1,234,567");
        assert_eq!(whole(12), "12");
        assert_eq!(count(1, "entity"), "1 entity");
        assert_eq!(count(2, "entity"), "2 entities");
        assert_eq!(count(3, "series"), "3 series");
    }

    #[test]
    fn probability_is_never_rounded_to_certainty() {
        assert_eq!(probability(0.934), "0.93");
        assert_eq!(probability(0.9999), ">0.99");
        assert_eq!(probability(0.001), "<0.01");
        assert_eq!(probability(1.0), "1.00");
        assert_eq!(probability(f64::NAN), "?");
    }

    #[test]
    fn distances_of_times_are_signed() {
        assert_eq!(delay(0, 3 * SECOND), "+3s");
        assert_eq!(delay(65 * SECOND, 0), "-1m05s");
        assert_eq!(delay(0, 2_500_000), "+2.5s");
        assert_eq!([0.02, 4.9996, 60.0].map(pause), ["20 ms", "5s", "1m00s"]);
        assert_eq!(uncertainty(Some(0.1)), None);
        assert_eq!(uncertainty(Some(30.0)), Some("30s".to_owned()));
        assert_eq!(uncertainty(Some(f64::NAN)), None);
    }
}
