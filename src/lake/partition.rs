//! Partitions by date, as engines name their folders: `date=2026-11-20`. In: a name and a window. Out:
//! whether spans of the window may be in it. A day may be one of any zone, and a span may have been
//! stored a while after it started, so two days around the window count as near it.

use super::Question;
use crate::model::{Micros, SECOND};
use jiff::civil::Date;

const DAY: Micros = 86_400 * SECOND;
/// Days before the window's begin and after its end that are near.
const NEAR_DAYS: Micros = 2;

/// Says whether a file may hold spans of the window, as far as its folders' names tell.
pub fn is_near(name: &str, question: &Question) -> bool {
    name.split('/').filter_map(date_of).all(|start| {
        let (from, to) = (start - NEAR_DAYS * DAY, start + (NEAR_DAYS + 1) * DAY);
        question.from.is_none_or(|f| f < to) && question.to.is_none_or(|t| from < t)
    })
}

/// The day that a folder is named by, as its first moment in UTC.
fn date_of(folder: &str) -> Option<Micros> {
    let (_, value) = folder.split_once('=')?;
    let date: Date = value.parse().ok().filter(|_| value.len() == "2026-11-20".len())?;
    let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(midnight.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_far_from_the_window_are_left_out() {
        let noon = date_of("d=2026-11-20").expect("a day") + DAY / 2;
        let question =
            Question { bucket: SECOND, from: Some(noon), to: Some(noon + 3600 * SECOND) };
        let near = |name: &str| is_near(name, &question);
        let days = [16, 17, 18, 19, 20, 21, 22, 23, 24];
        let taken = days.map(|d| near(&format!("spans/date=2026-11-{d}/hour=03/a.parquet")));
        assert_eq!(taken, [false, false, true, true, true, true, true, false, false]);
        for other in ["minute=03/a.parquet", "a=1/b=x/2020-01-01.parquet", "date=20/a", "a.parquet"]
        {
            assert!(near(other), "{other}");
        }
        let all = Question { from: None, to: None, ..question };
        assert!(is_near("date=1999-01-01/a.parquet", &all));
    }
}
