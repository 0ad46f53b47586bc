//! Times as PostgreSQL prints them under `DateStyle = ISO`, which come by the million: read directly.

use crate::model::{Micros, SECOND};
use crate::time;

/// Bytes of a date and an hour, `2026-11-20 20`, which many times have in common.
const HOUR: usize = 13;
/// Bytes of a whole time with six digits behind the point and a zone of two.
const FULL: usize = 29;

/// Reads times of which many stand in the same hour.
#[derive(Default)]
pub struct Clock {
    /// Date, hour and zone as they are written.
    mark: u128,
    /// Time of the full hour.
    base: Option<Micros>,
}

impl Clock {
    /// A time in the usual form; `None` for any other.
    #[inline]
    pub fn read(&mut self, text: &str) -> Option<Micros> {
        let bytes: &[u8; FULL] = match text.as_bytes().try_into() {
            Ok(bytes) => bytes,
            Err(_) => return usual(text),
        };
        let mark = mark(bytes);
        if let Some(base) = self.base.filter(|_| mark == self.mark) {
            return Some(base + within_hour(bytes)?);
        }
        let at = usual(text)?;
        self.mark = mark;
        self.base = within_hour(bytes).map(|behind| at - behind);
        Some(at)
    }
}

/// Date, hour and zone as one number: 16 bytes.
#[inline]
fn mark(bytes: &[u8; FULL]) -> u128 {
    let mut mark = [0; 16];
    mark[..HOUR].copy_from_slice(&bytes[..HOUR]);
    mark[HOUR..].copy_from_slice(&bytes[FULL - 3..]);
    u128::from_ne_bytes(mark)
}

/// Microseconds behind the full hour, of `2026-11-20 20:06:39.879316+00`.
#[inline]
fn within_hour(bytes: &[u8; FULL]) -> Option<Micros> {
    let marks = bytes[13] == b':' && bytes[16] == b':' && bytes[19] == b'.';
    let mut bad = !marks;
    let mut number = |from: usize, to: usize| {
        bytes[from..to].iter().fold(0, |n, b| {
            let digit = b.wrapping_sub(b'0');
            bad |= digit > 9;
            n * 10 + Micros::from(digit)
        })
    };
    let (minute, second, fraction) = (number(14, 16), number(17, 19), number(20, 26));
    let fits = !bad && minute < 60 && second < 60;
    fits.then_some((minute * 60 + second) * SECOND + fraction)
}

/// A time as PostgreSQL prints it under `DateStyle = ISO` with a zone of whole hours:
/// `2026-11-20 20:06:39.879316+00`, also with `T` and `Z`; `None` for any other.
pub fn usual(text: &str) -> Option<Micros> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = bytes.get(from..to)?;
        digits.iter().try_fold(0, |n, d| d.is_ascii_digit().then(|| n * 10 + i64::from(d - b'0')))
    };
    let is = |at: usize, c: u8| bytes.get(at) == Some(&c);
    let marks = is(4, b'-') && is(7, b'-') && is(13, b':') && is(16, b':');
    if !marks || !(is(10, b' ') || is(10, b'T')) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let month_days = [31, 28 + i64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let days = month_days.get(usize::try_from(month - 1).ok()?)?;
    if !(1..=*days).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut end = 19;
    let mut fraction = 0;
    if is(19, b'.') {
        let digits = bytes[20..].iter().take_while(|b| b.is_ascii_digit()).count();
        if !(1..=6).contains(&digits) {
            return None;
        }
        fraction = number(20, 20 + digits)?;
        fraction *= 10i64.pow(6 - digits as u32);
        end = 20 + digits;
    }
    let offset = match bytes.get(end..)? {
        b"Z" => 0,
        [b'+', _, _] => number(end + 1, end + 3)?,
        [b'-', _, _] => -number(end + 1, end + 3)?,
        _ => return None,
    };
    let seconds = days_since_epoch(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    time::believable((seconds - offset * 3600) * SECOND + fraction)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days from 1970-01-01 in the Gregorian calendar (Hinnant's `days_from_civil`).
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (y.div_euclid(400), y.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::cell;
    use crate::time::Zone;
    use proptest::prelude::*;

    #[test]
    fn only_the_usual_form_is_read_directly() {
        assert_eq!(usual("2026-11-20 20:06:41.5+00"), Some(1_795_205_201_500_000));
        assert_eq!(usual("2026-11-20T21:06:41+01"), Some(1_795_205_201_000_000));
        for other in [
            "",
            "2026-11-20",
            "2026-11-20 20:06:41",
            "2026-02-30 00:00:00Z",
            "2026-11-20 20:06:41+05:30",
            "1795205201",
            "2026-11-20 20:06:41.+00",
            "2026-11-20 20:06:41.99999999999999999999+00",
        ] {
            assert_eq!(usual(other), None, "{other}");
        }
    }

    #[test]
    fn a_clock_reads_what_stands_in_the_same_hour() {
        let mut clock = Clock::default();
        let mut of = |text: &str| clock.read(text);
        let at = 1_795_205_201_500_000;
        assert_eq!(of("2026-11-20 20:06:41.500000+00"), Some(at));
        assert_eq!(of("2026-11-20 20:07:41.500001+00"), Some(at + 60_000_001));
        assert_eq!(of("2026-11-20 20:06:41.500000+01"), Some(at - 3_600_000_000));
        for bad in ["2026-11-20 20:60:41.500000+01", "2026-11-20 20:06:4x.500000+01"] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    proptest! {
        /// What is read directly is what the general reader reads.
        #[test]
        fn the_direct_reader_agrees_with_the_general_one(
            (y, mo, d) in (1971u32..2199, 1u32..13, 1u32..32),
            (h, mi, s, us) in (0u32..24, 0u32..60, 0u32..60, 0u32..1_000_000),
            zone in -11i32..13,
        ) {
            let text = format!("{y:04}-{mo:02}-{d:02} {h:02}:{mi:02}:{s:02}.{us:06}{zone:+03}");
            if let Some(at) = usual(&text) {
                prop_assert_eq!(Some(at), cell::moment(&text, &Zone::default()), "{}", text);
            }
            let mut clock = Clock::default();
            for text in [&text, &text, &format!("{}{us:06}{zone:+03}", &text[..20])] {
                prop_assert_eq!(clock.read(text), usual(text), "{}", text);
            }
        }
    }
}
