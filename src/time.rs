//! Times as exports write them: text or number in, [`Micros`] out. No clock is ever read.

use crate::model::{Micros, SECOND};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, civil};

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

/// Decides the unit of a column of `cells` times by the median of those that are numbers; `None`
/// where most are not.
pub fn column_unit(mut numbers: Vec<f64>, cells: usize) -> Option<EpochUnit> {
    let mostly = numbers.len() * 2 > cells;
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).filter(|_| mostly).map(|m| epoch_unit(*m))
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
    let (naive, zone, zone_assumed) = local(text, zone)?;
    let at = zone.to_ambiguous_zoned(naive).compatible().ok()?;
    let at = believable(at.timestamp().as_microsecond())?;
    Some(Parsed { at, zone_assumed })
}

/// A time without an offset and the zone it is in.
fn local(text: &str, zone: &Zone) -> Option<(civil::DateTime, TimeZone, bool)> {
    let utc = text.strip_suffix(" UTC").map(|t| (t, TimeZone::UTC, false));
    let (text, zone, assumed) = utc.unwrap_or((text, zone.zone.clone(), !zone.named));
    Some((text.parse().ok()?, zone, assumed))
}

/// A column of times that rise or fall from row to row.
#[derive(Debug, Default)]
pub struct Column {
    pub times: Vec<Option<Parsed>>,
    /// Rows of an hour that a clock set back shows twice: which of the two is meant was concluded
    /// from the order of the rows.
    pub twice: Vec<usize>,
    /// Rows of an hour that a clock set forward leaves out: they cannot be of this zone.
    pub never: Vec<usize>,
    /// The first of the rows that go back in time although no clock is known to be set back.
    pub back: Option<usize>,
}

/// Parses a whole column of times; what one of them leaves open is told by the order of the rows.
pub fn column(cells: &[&str], zone: &Zone) -> Column {
    let mut out = Column::default();
    let mut later: Vec<Option<Micros>> = Vec::with_capacity(cells.len());
    for (row, cell) in cells.iter().enumerate() {
        let parsed = parse(cell, zone);
        out.times.push(parsed);
        later.push(None);
        if parsed.is_none() || cell.trim().parse::<Timestamp>().is_ok() {
            continue;
        }
        let Some((naive, zone, _)) = local(cell.trim(), zone) else { continue };
        match zone.to_ambiguous_zoned(naive).offset() {
            AmbiguousOffset::Unambiguous { .. } => {}
            AmbiguousOffset::Gap { .. } => out.never.push(row),
            AmbiguousOffset::Fold { .. } => {
                let second = zone.to_ambiguous_zoned(naive).later().ok();
                later[row] = second.map(|t| t.timestamp().as_microsecond());
                out.twice.push(row);
            }
        }
    }
    let read: Vec<usize> = (0..cells.len()).filter(|r| out.times[*r].is_some()).collect();
    let at = |r: Option<&usize>| r.and_then(|r| out.times[*r]).map(|p| p.at);
    let mut order = read.clone();
    if at(read.first()) > at(read.last()) {
        order.reverse();
    }
    in_order(&mut out, &later, &order);
    out
}

/// Goes through the rows from the oldest to the newest and takes the second of two readings where
/// the first does not lie behind the row before.
fn in_order(out: &mut Column, later: &[Option<Micros>], order: &[usize]) {
    let at = |out: &Column, row: usize| out.times[row].map_or(0, |p| p.at);
    // Rows of equal times stand together in tables: then an equal time is no second hour.
    let pairs = || order.windows(2).map(|w| (w[0], w[1]));
    let even = pairs().any(|(a, b)| later[a].is_none() && at(out, a) == at(out, b));
    // Where the column begins in the hour and never goes back, it begins in its second half: what
    // comes next follows on without a hole.
    let opening = order.iter().take_while(|r| later[**r].is_some()).count();
    let falls = order[..opening].windows(2).any(|w| at(out, w[0]) > at(out, w[1]));
    let second_only = opening < order.len() && !falls;
    let mut before: Option<Micros> = None;
    for (i, row) in order.iter().copied().enumerate() {
        let first = at(out, row);
        let passed = before.is_some_and(|b| first < b || (first == b && !even));
        let second = later[row].filter(|_| passed || (second_only && i < opening));
        if let (Some(second), Some(parsed)) = (second, &mut out.times[row]) {
            parsed.at = second;
        }
        before = before.max(Some(at(out, row)));
    }
    let mut back = pairs().filter(|(a, b)| at(out, *a) > at(out, *b));
    let once = back.next();
    out.back = once.filter(|_| back.next().is_none()).map(|(_, row)| row);
}

/// Reads a wall clock in `zone`, given as microseconds since the epoch as if it were in UTC.
pub fn of_wall_clock(clock: i64, zone: &Zone) -> Option<Parsed> {
    let clock = believable(clock)?;
    if !zone.named {
        return Some(Parsed { at: clock, zone_assumed: true });
    }
    let naive = Timestamp::from_microsecond(clock).ok()?.to_zoned(TimeZone::UTC).datetime();
    let at = zone.zone.to_ambiguous_zoned(naive).compatible().ok()?;
    believable(at.timestamp().as_microsecond()).map(|at| Parsed { at, zone_assumed: false })
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

/// A time beside another one: `20:10:01` on the same day in UTC, `2026-11-20 20:10:01` on another.
pub fn beside(t: Micros, other: Micros) -> String {
    match date(t) == date(other) {
        true => clock(t),
        false => format!("{} {}", date(t), clock(t)),
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

    /// UTC hours and minutes of a column in Berlin on the night of 2026-10-25.
    fn berlin(cells: &[&str]) -> Vec<String> {
        let zone = Zone::named("Europe/Berlin").expect("a zone of the table");
        let full: Vec<String> = cells.iter().map(|c| format!("2026-10-25 {c}:00")).collect();
        let full: Vec<&str> = full.iter().map(String::as_str).collect();
        let shown = |p: Option<Parsed>| p.map_or(String::new(), |p| clock(p.at)[..5].to_owned());
        column(&full, &zone).times.into_iter().map(shown).collect()
    }

    #[test]
    fn an_hour_that_comes_twice_is_told_by_the_order_of_rows() {
        let whole = ["01:30", "02:00", "02:30", "02:00", "02:30", "03:00"];
        let utc = ["23:30", "00:00", "00:30", "01:00", "01:30", "02:00"];
        assert_eq!(berlin(&whole), utc);
        let (mut newest_first, mut expected) = (whole, utc);
        newest_first.reverse();
        expected.reverse();
        assert_eq!(berlin(&newest_first), expected);
        assert_eq!(berlin(&["02:00", "02:30", "03:00"]), ["01:00", "01:30", "02:00"]);
        assert_eq!(berlin(&["01:30", "02:00", "02:30"]), ["23:30", "00:00", "00:30"]);
        // Hourly rows, and a table with two rows of each time.
        assert_eq!(berlin(&["01:00", "02:00", "02:00", "03:00"])[1..3], ["00:00", "01:00"]);
        let table = ["01:00", "01:00", "02:00", "02:00", "03:00", "03:00"];
        assert_eq!(berlin(&table)[2..4], ["00:00", "00:00"]);
    }

    #[test]
    fn times_that_a_zone_does_not_have_are_said() {
        let zone = Zone::named("Europe/Berlin").expect("a zone of the table");
        let forward = ["2026-03-29 01:45:00", "2026-03-29 02:15:00", "2026-03-29 03:00:00"];
        assert_eq!(column(&forward, &zone).never, [1]);
        let back = ["2026-10-25 02:45:00", "2026-10-25 02:00:00", "2026-10-25 02:15:00"];
        assert_eq!(column(&back, &Zone::default()).back, Some(1));
        assert_eq!(column(&back, &zone).back, None);
        assert_eq!(column(&[], &zone).times.len(), 0);
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
    fn a_time_of_another_day_has_its_date() {
        let day = 86_400_000_000;
        assert_eq!(beside(day + 1_000_000, day), "00:00:01");
        assert_eq!(beside(day - 1_000_000, day), "1970-01-01 23:59:59");
    }

    #[test]
    fn durations_have_two_units_at_most() {
        assert_eq!(duration(3.25), "3.2s");
        assert_eq!(duration(181.0), "3m01s");
        assert_eq!(duration(7500.0), "2h05m");
        assert_eq!(duration(-90.0), "1m30s");
    }
}
