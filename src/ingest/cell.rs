//! What one cell says: nothing, a number, a number with its unit, or a time.

use super::units;
use crate::model::Micros;
use crate::time::{self, Zone};

/// Text cells that mean that there is no value, in any case of their letters.
const MISSING: [&str; 9] = ["null", "undefined", "-", "\\N", "N/A", "NA", "#N/A", "NaN", "none"];

/// Says whether a cell means that there is no value.
pub fn is_missing(cell: &str) -> bool {
    let c = cell.trim();
    c.is_empty() || MISSING.iter().any(|m| c.eq_ignore_ascii_case(m))
}

/// Reads a time: text with the rule of [`time::parse`], or a number by its magnitude.
pub fn moment(cell: &str, zone: &Zone) -> Option<Micros> {
    let number = cell.trim().parse::<f64>().ok();
    let epoch = number.and_then(|v| time::from_epoch(v, time::epoch_unit(v)));
    epoch.or_else(|| time::parse(cell, zone).map(|p| p.at))
}

/// Reads a finite number, allowing thousands separators.
pub fn number(cell: &str) -> Option<f64> {
    let c = cell.trim();
    let plain = c.parse::<f64>().ok();
    let parsed = plain.or_else(|| {
        let mut groups = c.trim_start_matches('-').split('.').next()?.split(',');
        let lead = groups.next()?;
        // `0,300` has a decimal comma: no group of thousands follows nought.
        let grouped = lead != "0" && (1..=3).contains(&lead.len()) && groups.all(|g| g.len() == 3);
        grouped.then(|| c.replace(',', "").parse().ok()).flatten()
    });
    parsed.filter(|v| v.is_finite())
}

/// A number with a decimal comma (`0,35`, `1.234,5 ms`), written with a point; `None` where the
/// cell is no such number. A lone `1,234` may have either: only its column tells.
pub fn with_point(cell: &str) -> Option<String> {
    let (amount, unit) = parts(cell)?;
    let (sign, digits) = match amount.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", amount),
    };
    let (whole, fraction) = digits.split_once(',')?;
    let all = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let mut groups = whole.split('.');
    let lead = groups.next()?;
    let grouped = all(lead) && groups.all(|g| g.len() == 3 && all(g));
    let exponent = fraction.split_once(['e', 'E']).map_or(fraction, |(f, _)| f);
    if !grouped || !all(exponent) {
        return None;
    }
    let point = format!("{sign}{}.{fraction}", whole.replace('.', ""));
    Some(if unit.is_empty() { point } else { format!("{point} {unit}") })
}

/// A time in the forms of browser locales (`11/20/2026, 09:54:50 PM`, `20.11.2026, 21:54:50`) as
/// ISO text; anything else as it is.
pub fn iso(cell: &str) -> String {
    let read = || -> Option<String> {
        let (date, clock) = cell.trim().split_once(' ')?;
        let date = date.trim_end_matches(',');
        let (numbers, american) = match date.contains('/') {
            true => (date.split('/').collect::<Vec<_>>(), true),
            false => (date.split('.').collect::<Vec<_>>(), false),
        };
        let [a, b, year] = numbers[..] else { return None };
        let (month, day) = if american { (a, b) } else { (b, a) };
        let mut parts = clock.split(' ');
        let (time, half) = (parts.next()?, parts.next().map(str::to_lowercase));
        // A date with slashes and no half of the day may have the day first: it is not guessed.
        let (hour, rest) = time.split_once(':')?;
        let hour: u32 = hour.parse().ok()?;
        let hour = match half.as_deref() {
            Some("am") => hour % 12,
            Some("pm") => hour % 12 + 12,
            None if !american => hour,
            _ => return None,
        };
        Some(format!("{year}-{month:0>2}-{day:0>2} {hour:02}:{rest}"))
    };
    read().unwrap_or_else(|| cell.to_owned())
}

/// A cell's number and what stands behind it; `None` where no digit is.
pub fn parts(cell: &str) -> Option<(&str, &str)> {
    let c = cell.trim();
    let behind = c.rfind(|x: char| x.is_ascii_digit()).map(|at| at + 1)?;
    // `1/s` begins with a digit of its own.
    let behind = c.strip_suffix(" 1/s").map_or(behind, str::len);
    let (amount, unit) = c.split_at(behind);
    Some((amount, unit.trim()))
}

/// Reads a number and the base unit that its cell names (`12 ms` is 0.012 of `s`).
///
/// The unit is `""` where the cell names none.
pub fn quantity(cell: &str) -> Option<(f64, &'static str)> {
    if let Some(v) = number(cell) {
        return Some((v, ""));
    }
    let (amount, unit) = parts(cell)?;
    let (base, factor) = units::clear(unit)?;
    number(amount).map(|v| (v * factor, base)).filter(|(v, _)| v.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        assert_eq!(number("1,234.5"), Some(1234.5));
        assert_eq!(number("1e3"), Some(1000.0));
        for no in ["1,23", "0,300", "inf", "fast", "12 ms", ""] {
            assert_eq!(number(no), None, "{no}");
        }
    }

    #[test]
    fn browser_locales_are_read_where_they_are_clear() {
        assert_eq!(iso("11/20/2026, 09:54:50 PM"), "2026-11-20 21:54:50");
        assert_eq!(iso("1/2/2026 12:05:00 am"), "2026-01-02 00:05:00");
        assert_eq!(iso("20.11.2026, 21:54:50"), "2026-11-20 21:54:50");
        for other in ["20/11/2026 21:54:50", "2026-11-20 21:54:50", "1795205400000", "", "a b"] {
            assert_eq!(iso(other), other);
        }
    }

    #[test]
    fn decimal_commas_become_points_where_they_are_clear() {
        let point = |cell| with_point(cell).unwrap_or_default();
        assert_eq!(point("0,300"), "0.300");
        assert_eq!(point("-1.234,5 ms"), "-1234.5 ms");
        assert_eq!(point("12,5%"), "12.5 %");
        assert_eq!(point("1,5E-3"), "1.5E-3");
        for no in ["1.5", "12", "1,2,3", "a,5", ",5", "1.23,4", "GET /a,5", ""] {
            assert_eq!(point(no), "", "{no}");
        }
    }

    #[test]
    fn units_behind_a_number_are_converted_to_their_base() {
        let near = |cell: &str, value: f64, unit: &str| {
            let (v, u) = quantity(cell).unwrap_or_else(|| panic!("{cell} is a quantity"));
            assert!(
                (v - value).abs() < 1e-9 * value.abs().max(1.0) && u == unit,
                "{cell}: {v} {u}"
            );
        };
        near("12 ms", 0.012, "s");
        near("350 µs", 0.000_35, "s");
        near("5.83 mins", 349.8, "s");
        near("350 MiB", 350.0 * 1_048_576.0, "bytes");
        near("1.23 kB/s", 1230.0, "by/s");
        near("12.5%", 0.125, "ratio");
        near("12 %", 0.12, "ratio");
        near("4 req/s", 4.0, "1/s");
        near("4 1/s", 4.0, "1/s");
        near("1.23K req/s", 1230.0, "1/s");
        near("1.23 K", 1230.0, "");
        near("1,234.5 ms", 1.2345, "s");
        near("7", 7.0, "");
        for no in ["350 mB", "1.2 kb/s", "up", "ms", "web-1", "10.0.0.1", "v2 s x", "∞ s", "5m"] {
            assert_eq!(quantity(no), None, "{no}");
        }
    }

    #[test]
    fn words_for_nothing_are_missing_in_any_case() {
        for word in ["", " ", "NA", "n/a", "none", "None", "Null", "#N/A", "NAN", "-", "\\N"] {
            assert!(is_missing(word), "{word}");
        }
        assert!(!is_missing("0") && !is_missing("nano"));
    }

    #[test]
    fn times_are_read_by_magnitude_or_as_text() {
        let at = |cell| moment(cell, &Zone::default());
        assert_eq!(at("1795205201.5"), Some(1_795_205_201_500_000));
        assert_eq!(at("1795205201500"), Some(1_795_205_201_500_000));
        assert_eq!(at("2026-11-20T20:06:41.5Z"), Some(1_795_205_201_500_000));
        assert_eq!(at("12"), None);
    }
}
