//! One cell of a formatted Grafana table. In: text. Out: a number in its base unit, nothing, no
//! finite number, or a word (a value mapping, or text).

use crate::ingest::{cell, units};

/// What a cell says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    Missing,
    /// NaN or an infinity.
    NotFinite,
    /// A number in the base unit `unit`; a unit that is not known stands as it is written.
    Number {
        value: f64,
        unit: &'a str,
    },
    Word,
}

/// Signs of money that stand in front of a number or behind it.
const MONEY: [&str; 14] =
    ["R$", "$", "£", "€", "¥", "₽", "₴", "₹", "₩", "₺", "฿", "CHF", "PLN", "kr"];
const MONEY_SCALES: [(&str, f64); 4] = [("K", 1e3), ("M", 1e6), ("B", 1e9), ("T", 1e12)];
/// Characters of a unit that is taken as it stands.
const UNIT_CHARS: usize = 12;

/// Reads one cell.
pub fn read(text: &str) -> Cell<'_> {
    let t = text.trim();
    if t.eq_ignore_ascii_case("nan") || t.contains('∞') || t.contains("Infinity") {
        return Cell::NotFinite;
    }
    if cell::is_missing(t) {
        return Cell::Missing;
    }
    if let Some(value) = cell::number(t) {
        return Cell::Number { value, unit: "" };
    }
    if let Some(value) = duration(t) {
        return Cell::Number { value, unit: "s" };
    }
    money(t).or_else(|| measured(t)).unwrap_or(Cell::Word)
}

/// `12 ms`, `1.23K req/s`, `35%`, and numbers with a unit that is not known.
fn measured(t: &str) -> Option<Cell<'_>> {
    let (amount, suffix) = cell::parts(t)?;
    let value = cell::number(amount)?;
    // Grafana sets a blank before scales and units of its users: `15E` is a hexadecimal number.
    let apart = t.len() > amount.len() + suffix.len();
    let known = units::formatted(suffix).filter(|(unit, _)| apart || !unit.is_empty());
    if let Some((unit, factor)) = known {
        return Some(Cell::Number { value: value * factor, unit });
    }
    let plain =
        apart && suffix != "m" && !suffix.contains('"') && suffix.chars().count() <= UNIT_CHARS;
    plain.then_some(Cell::Number { value, unit: suffix })
}

/// `$1.23K`, `-$5.50`, `98.8Kkr`.
fn money(t: &str) -> Option<Cell<'_>> {
    let (sign, t) = t.strip_prefix('-').map_or((1.0, t), |rest| (-1.0, rest));
    let stripped = MONEY.iter().find_map(|m| {
        let rest = t.strip_prefix(m).or_else(|| t.strip_suffix(m))?;
        Some((*m, rest.trim()))
    });
    let (unit, amount) = stripped?;
    let scaled = MONEY_SCALES.iter().find_map(|(s, f)| Some((amount.strip_suffix(s)?, *f)));
    let (amount, factor) = scaled.unwrap_or((amount, 1.0));
    Some(Cell::Number { value: sign * cell::number(amount)? * factor, unit })
}

/// Durations in words and as clocks, in seconds; what lies in the past is negative.
fn duration(t: &str) -> Option<f64> {
    if let Some(past) = t.strip_suffix(" ago") {
        let plain = || measured_seconds(past);
        return duration(past).or_else(plain).map(|v| -v);
    }
    if t.contains(", ") {
        return t.split(", ").map(measured_seconds).sum();
    }
    clock(t).or_else(|| stopwatch(t))
}

fn measured_seconds(t: &str) -> Option<f64> {
    match measured(t)? {
        Cell::Number { value, unit: "s" } => Some(value),
        _ => None,
    }
}

/// `00:20:34` and `1 d 03:26:05`.
fn clock(t: &str) -> Option<f64> {
    let (days, rest) = t.split_once(" d ").unwrap_or(("0", t));
    let parts: Vec<&str> = rest.split(':').collect();
    let [h, m, s] = parts[..] else { return None };
    let digits = |p: &str| p.bytes().all(|b| b.is_ascii_digit()).then(|| p.parse::<f64>().ok())?;
    let two = |p: &str| digits(p).filter(|v| p.len() == 2 && *v < 60.0);
    Some(digits(days)? * 86_400.0 + digits(h)? * 3600.0 + two(m)? * 60.0 + two(s)?)
}

/// `20m:34s:500ms`; a lone `05m` is not read, for it may be anything.
fn stopwatch(t: &str) -> Option<f64> {
    const PARTS: [(&str, f64); 4] = [("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    if !t.contains(':') {
        return None;
    }
    let part = |p: &str| {
        let (digits, f) = PARTS.iter().find_map(|(u, f)| Some((p.strip_suffix(u)?, *f)))?;
        digits
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| digits.parse::<f64>().ok())?
            .map(|v| v * f)
    };
    t.split(':').map(part).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_grafana_are_read_in_base_units() {
        let cases = [
            ("0 B", 0.0, "bytes"),
            ("350 mB", 0.35, "bytes"),
            ("96.5 KiB", 98_816.0, "bytes"),
            ("1.20 PiB", 1.20 * 1_125_899_906_842_624.0, "bytes"),
            ("5.83 mins", 349.8, "s"),
            ("1.20 hour", 4320.0, "s"),
            ("40.8 years", 40.8 * 31_556_900.0, "s"),
            ("0.350%", 0.0035, "ratio"),
            ("1.29 Bil", 1.29e9, ""),
            ("1.23K req/s", 1230.0, "1/s"),
            ("1.29B ops/s", 1.29e9, "1/s"),
            ("3.20 K reqps", 3200.0, "1/s"),
            ("1.23 kb/s", 153.75, "by/s"),
            ("1,234.5", 1234.5, ""),
            ("3.5e-4", 0.00035, ""),
            ("5 minutes", 300.0, "s"),
            ("1 week, 2 days", 777_600.0, "s"),
            ("5 seconds ago", -5.0, "s"),
            ("00:20:34", 1234.0, "s"),
            ("00:00:05 ago", -5.0, "s"),
            ("1 d 03:26:05", 98_765.0, "s"),
            ("20m:34s:500ms", 1234.5, "s"),
            ("27h:26m:05s:000ms", 98_765.0, "s"),
            ("350ms", 0.35, "s"),
            ("$1.23K", 1230.0, "$"),
            ("-$5.50", -5.5, "$"),
            ("98.8Kkr", 98_800.0, "kr"),
            ("12 dB", 12.0, "dB"),
            ("1.23 kHz", 1230.0, "1/s"),
            ("98.8 K", 98_800.0, ""),
            ("350 µ", 0.000_35, ""),
        ];
        for (text, want, base) in cases {
            match read(text) {
                Cell::Number { value, unit } => {
                    let near = (value - want).abs() <= 1e-9 * want.abs();
                    assert!(near && unit == base, "{text}: {value} {unit}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_number_is_told_apart() {
        for text in ["∞", "-∞", "∞undefined req/s", "∞ years", "$∞", "∞%", "NaN", "-Infinity"]
        {
            assert_eq!(read(text), Cell::NotFinite, "{text}");
        }
        for text in ["", " ", "undefined", "null"] {
            assert_eq!(read(text), Cell::Missing, "{text}");
        }
        let words = [
            "Up",
            "OK",
            "5 m",
            "350 m",
            "12:61:00",
            "1:2",
            "05m",
            "15E",
            "181CD",
            "0x15E",
            "ago",
            ":",
            "$",
            "none left",
        ];
        for text in words {
            assert_eq!(read(text), Cell::Word, "{text}");
        }
    }
}
