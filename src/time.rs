//! Times as exports write them: text or number in, [`Micros`] out. No clock is ever read.

use crate::model::{Micros, SECOND};
use jiff::{Timestamp, civil, tz::TimeZone};

/// The earliest and latest times that are believed: the years 1971 to 2199.
const BELIEVABLE: std::ops::Range<Micros> = 31_536_000 * SECOND..7_258_118_400 * SECOND;

/// The unit of a column of numeric times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpochUnit {
    Seconds,
    Millis,
    Micros,
    Nanos,
}

/// Decides the unit of numeric times by the magnitude of one typical (median) value.
pub fn epoch_unit(typical: f64) -> EpochUnit {
    match typical.abs() {
        v if v < 1e11 => EpochUnit::Seconds,
        v if v < 1e14 => EpochUnit::Millis,
        v if v < 1e17 => EpochUnit::Micros,
        _ => EpochUnit::Nanos,
    }
}

/// Converts a numeric time; `None` when it is not finite or not a believable year.
pub fn from_epoch(value: f64, unit: EpochUnit) -> Option<Micros> {
    let micros = match unit {
        EpochUnit::Seconds => value * 1e6,
        EpochUnit::Millis => value * 1e3,
        EpochUnit::Micros => value,
        EpochUnit::Nanos => value / 1e3,
    };
    believable(if micros.is_finite() { micros.round() as i64 } else { return None })
}

/// A file system's time; `None` when it is not a believable year.
pub fn of_system(t: std::time::SystemTime) -> Option<Micros> {
    Timestamp::try_from(t).ok().and_then(|t| believable(t.as_microsecond()))
}

/// Keeps a time only if its year is between 1971 and 2199.
pub fn believable(t: Micros) -> Option<Micros> {
    BELIEVABLE.contains(&t).then_some(t)
}

/// What a time without an offset is taken to mean.
#[derive(Clone, Debug)]
pub struct Zone {
    zone: TimeZone,
    /// The user named it; without that, it is an assumption.
    named: bool,
}

impl Default for Zone {
    fn default() -> Self {
        Zone { zone: TimeZone::UTC, named: false }
    }
}

impl Zone {
    /// Looks up an IANA name such as `Europe/Berlin`.
    pub fn named(name: &str) -> Option<Zone> {
        TimeZone::get(name).ok().map(|zone| Zone { zone, named: true })
    }

    /// Says whether the user named it.
    pub fn is_named(&self) -> bool {
        self.named
    }
}

/// A parsed time and whether its zone had to be assumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed {
    pub at: Micros,
    pub zone_assumed: bool,
}

/// Parses RFC 3339, PostgreSQL's ISO form (two-digit offsets), and zone-less times in `zone`.
///
/// Returns `None` for anything else, for impossible dates and for years outside 1971 to 2199.
pub fn parse(text: &str, zone: &Zone) -> Option<Parsed> {
    let text = text.trim();
    if let Ok(t) = text.parse::<Timestamp>() {
        let at = believable(t.as_microsecond())?;
        return Some(Parsed { at, zone_assumed: false });
    }
    let local = text.strip_suffix(" UTC").map(|t| (t, TimeZone::UTC, false)).unwrap_or((
        text,
        zone.zone.clone(),
        !zone.named,
    ));
    let naive: civil::DateTime = local.0.parse().ok()?;
    let at = local.1.to_ambiguous_zoned(naive).compatible().ok()?;
    let at = believable(at.timestamp().as_microsecond())?;
    Some(Parsed { at, zone_assumed: local.2 })
}

/// `2026-11-20T20:10:01Z`, with a fraction only where there is one.
pub fn rfc3339(t: Micros) -> String {
    Timestamp::from_microsecond(t).map_or_else(|_| t.to_string(), |t| t.to_string())
}

/// `20:10:01`, in UTC.
pub fn clock(t: Micros) -> String {
    match Timestamp::from_microsecond(t) {
        Ok(t) => t.to_zoned(TimeZone::UTC).strftime("%H:%M:%S").to_string(),
        Err(_) => t.to_string(),
    }
}

/// `2026-11-20`, in UTC.
pub fn date(t: Micros) -> String {
    match Timestamp::from_microsecond(t) {
        Ok(t) => t.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d").to_string(),
        Err(_) => t.to_string(),
    }
}

/// `45s`, `3m01s`, `2h05m`, `3d04h`: two units at most.
pub fn duration(seconds: f64) -> String {
    let s = seconds.abs().round() as i64;
    match s {
        0..60 if seconds.abs() < 10.0 && seconds.fract() != 0.0 => format!("{:.1}s", seconds.abs()),
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m{:02}s", s / 60, s % 60),
        3600..86400 => format!("{}h{:02}m", s / 3600, s % 3600 / 60),
        _ => format!("{}d{:02}h", s / 86400, s % 86400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_that_exports_write_are_read() {
        let utc = Zone::default();
        let at = |t: &str| parse(t, &utc).map(|p| (p.at, p.zone_assumed));
        assert_eq!(at("2026-11-20T20:10:01Z"), Some((1_795_205_401_000_000, false)));
        assert_eq!(at("2026-11-20 20:10:01.5+00"), Some((1_795_205_401_500_000, false)));
        assert_eq!(at("2026-11-20 20:10:01-05"), Some((1_795_223_401_000_000, false)));
        assert_eq!(at("2026-11-20 20:10:01"), Some((1_795_205_401_000_000, true)));
        assert_eq!(at("2026-11-20 20:10:01 UTC"), Some((1_795_205_401_000_000, false)));
        for bad in ["", "12:61", "2026-13-01T00:00:00Z", "9999-01-01T00:00:00Z", "yesterday"] {
            assert_eq!(at(bad), None, "{bad}");
        }
    }

    #[test]
    fn numeric_times_are_told_apart_by_magnitude() {
        assert_eq!(from_epoch(1_795_205_401.0, epoch_unit(1.795e9)), Some(1_795_205_401_000_000));
        assert_eq!(
            from_epoch(1_795_205_401_000.0, epoch_unit(1.795e12)),
            Some(1_795_205_401_000_000)
        );
        assert_eq!(from_epoch(f64::NAN, EpochUnit::Seconds), None);
        assert_eq!(from_epoch(12.0, EpochUnit::Seconds), None);
    }

    #[test]
    fn durations_have_two_units_at_most() {
        assert_eq!(duration(3.25), "3.2s");
        assert_eq!(duration(181.0), "3m01s");
        assert_eq!(duration(7500.0), "2h05m");
        assert_eq!(duration(-90.0), "1m30s");
    }
}
