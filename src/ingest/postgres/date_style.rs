//! PostgreSQL's other date styles (SQL, German, Postgres) and the times of GUI exports to ISO text.
//! In: one cell, or a table. Out: the same with ISO times; which zone was meant is never guessed.

use crate::ingest::Input;
use crate::ingest::raw::Raw;
use crate::ingest::table::Table;
use crate::model::GapKind;
use crate::time::Zone;

/// Zone abbreviations that PostgreSQL prints and that mean one offset (minutes east of UTC).
const ABBREVIATIONS: [(&str, i32); 44] = [
    ("UTC", 0),
    ("GMT", 0),
    ("Z", 0),
    ("WET", 0),
    ("WEST", 60),
    ("BST", 60),
    ("CET", 60),
    ("CEST", 120),
    ("MET", 60),
    ("MEST", 120),
    ("EET", 120),
    ("EEST", 180),
    ("MSK", 180),
    ("WAT", 60),
    ("CAT", 120),
    ("SAST", 120),
    ("EAT", 180),
    ("NST", -210),
    ("NDT", -150),
    ("AST", -240),
    ("ADT", -180),
    ("EST", -300),
    ("EDT", -240),
    ("MST", -420),
    ("MDT", -360),
    ("PDT", -420),
    ("AKST", -540),
    ("AKDT", -480),
    ("HST", -600),
    ("PKT", 300),
    ("NPT", 345),
    ("WIB", 420),
    ("WITA", 480),
    ("WIT", 540),
    ("HKT", 480),
    ("SGT", 480),
    ("AWST", 480),
    ("JST", 540),
    ("KST", 540),
    ("ACST", 570),
    ("ACDT", 630),
    ("AEST", 600),
    ("AEDT", 660),
    ("NZST", 720),
];

/// Abbreviations of several zones: India, Ireland, Israel; Chicago, Shanghai, Havana; Manila.
const AMBIGUOUS: [&str; 4] = ["IST", "CST", "CDT", "PST"];

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Which of `11/12/2026` is the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    DayFirst,
    MonthFirst,
}

/// Why a time of a known style is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unclear {
    /// The abbreviation means several zones, or none that is known.
    Zone,
    /// Day and month may be either.
    Order,
}

/// The ISO text of a time in another style; `None` for anything else, ISO itself too.
pub fn iso(text: &str, order: Option<Order>, zone: &Zone) -> Option<Result<String, Unclear>> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let number = |w: &str| w.parse::<u32>().ok();
    let month_of = |w: &str| MONTHS.iter().position(|m| *m == w).map(|i| i as u32 + 1);
    let (year, month, day, clock, behind) = match words.as_slice() {
        [weekday, a, b, clock, year, rest @ ..]
            if DAYS.contains(weekday) && clock.contains(':') =>
        {
            let (month, day) = match month_of(a) {
                Some(month) => (month, number(b)?),
                None => (month_of(b)?, number(a)?),
            };
            (number(year)?, month, day, *clock, rest)
        }
        // The title of `\watch` under en_US and en_GB: `Fri 20 Nov 2026 07:54:53 PM UTC`.
        [weekday, day, month, year, clock, rest @ ..] if DAYS.contains(weekday) => {
            (number(year)?, month_of(month)?, number(day)?, *clock, rest)
        }
        [date, clock, rest @ ..] if date.contains('.') => {
            let [day, month, year] = parts(date, '.')?;
            (year, month, day, *clock, rest)
        }
        [date, clock, rest @ ..] if date.contains('/') => {
            let [a, b, year] = parts(date, '/')?;
            match order.or(order_of(date)) {
                Some(Order::DayFirst) => (year, b, a, *clock, rest),
                Some(Order::MonthFirst) => (year, a, b, *clock, rest),
                None => return Some(Err(Unclear::Order)),
            }
        }
        [date, clock, rest @ ..] if !rest.is_empty() => {
            let [year, month, day] = parts(date, '-')?;
            (year, month, day, *clock, rest)
        }
        _ => return None,
    };
    let (half, behind) = match behind {
        [half @ ("AM" | "PM"), rest @ ..] => (Some(*half), rest),
        all => (None, all),
    };
    let clock = of_day(clock, half)?;
    if !clock.contains(':') || behind.len() > 1 || year < 1000 {
        return None;
    }
    let offset = match behind.first().map(|z| offset(z, zone)) {
        None => String::new(),
        Some(Ok(offset)) => offset,
        Some(Err(unclear)) => return Some(Err(unclear)),
    };
    Some(Ok(format!("{year:04}-{month:02}-{day:02}T{clock}{offset}")))
}

/// A time of the day with hours from 0 to 23.
fn of_day(clock: &str, half: Option<&str>) -> Option<String> {
    let Some(half) = half else { return Some(clock.to_owned()) };
    let (hour, rest) = clock.split_once(':')?;
    let hour = hour.parse::<u32>().ok().filter(|h| (1..=12).contains(h))? % 12;
    Some(format!("{:02}:{rest}", hour + if half == "PM" { 12 } else { 0 }))
}

fn parts(date: &str, separator: char) -> Option<[u32; 3]> {
    let parts: Vec<u32> = date.split(separator).map_while(|p| p.parse().ok()).collect();
    parts.try_into().ok()
}

/// What one date of the SQL style tells about the order.
fn order_of(date: &str) -> Option<Order> {
    let [a, b, _] = parts(date, '/')?;
    match (a, b) {
        (13.., _) => Some(Order::DayFirst),
        (_, 13..) => Some(Order::MonthFirst),
        _ => None,
    }
}

/// The offset that is written behind a time; none where the user named the zone that is meant.
fn offset(word: &str, zone: &Zone) -> Result<String, Unclear> {
    if let Some((_, minutes)) = ABBREVIATIONS.iter().find(|(a, _)| *a == word) {
        let sign = if *minutes < 0 { '-' } else { '+' };
        return Ok(format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60));
    }
    let digits: String = word.chars().filter(char::is_ascii_digit).collect();
    match (word.chars().next(), digits.len()) {
        (Some(sign @ ('+' | '-')), 2) => Ok(format!("{sign}{digits}")),
        (Some(sign @ ('+' | '-')), 4) => Ok(format!("{sign}{}:{}", &digits[..2], &digits[2..])),
        _ if zone.is_named() && word.chars().all(char::is_alphabetic) => Ok(String::new()),
        _ => Err(Unclear::Zone),
    }
}

/// Says whether a column holds times, by its name.
fn is_time(header: &str) -> bool {
    let h = header.to_lowercase();
    let ends = ["_start", "_change", "_at", "_time", "_reset", "_since", "timestamp", "waitstart"];
    h == "now" || h == "ts" || h.ends_with("_last_failure") || ends.iter().any(|e| h.ends_with(e))
}

/// Rewrites the times of a table that are in another style; what is unclear stays and is said.
pub fn settle(input: &Input, table: &mut Table, raw: &mut Raw) {
    let columns: Vec<usize> = (0..table.header.len())
        .filter(|i| table.header.get(*i).is_some_and(|h| is_time(h)))
        .collect();
    let cells = || table.rows.iter().flat_map(|r| columns.iter().filter_map(|c| r.get(*c)));
    let order = cells().find_map(|c| order_of(c.split_whitespace().next()?));
    let mut unclear: Vec<(Unclear, u64, String)> = Vec::new();
    for (row, line) in table.rows.iter_mut().zip(&table.lines) {
        for column in &columns {
            let Some(cell) = row.get_mut(*column) else { continue };
            match iso(cell, order, input.zone) {
                Some(Ok(text)) => *cell = text,
                Some(Err(why)) if unclear.iter().all(|(w, _, _)| *w != why) => {
                    unclear.push((why, *line, cell.clone()));
                }
                Some(Err(_)) | None => {}
            }
        }
    }
    for (why, line, cell) in unclear {
        let hint = match why {
            Unclear::Zone if AMBIGUOUS.iter().any(|a| cell.ends_with(a)) => {
                "names a zone that several countries use (give --timezone)"
            }
            Unclear::Zone => "names a zone that is not known (give --timezone)",
            Unclear::Order => {
                "may be day or month first (`set datestyle = 'ISO'` and export again)"
            }
        };
        let what = format!("time \"{cell}\" {hint}");
        raw.gap(GapKind::Unreadable, input.file, Some(line), what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_date_style_is_the_same_time() {
        let of = |text: &str| iso(text, None, &Zone::default());
        let at = |text: &str| {
            let iso = of(text).and_then(Result::ok).unwrap_or_else(|| panic!("{text} is a time"));
            crate::time::parse(&iso, &Zone::default()).expect("ISO").at
        };
        for text in [
            "20.11.2026 20:54:58.5 CET",
            "20/11/2026 19:54:58.5 UTC",
            "11/20/2026 16:54:58.5 -03",
            "Fri Nov 20 19:54:58.5 2026 UTC",
            "Fri 20 Nov 14:54:58.5 2026 EST",
            "2026-11-20 20:54:58.5 +0100",
            "Fri Nov 20 19:54:58.5 2026",
            "Fri 20 Nov 2026 07:54:58.5 PM UTC",
            "Fri 20 Nov 2026 19:54:58.5",
        ] {
            assert_eq!(at(text), 1_795_204_498_500_000, "{text}");
        }
        assert_eq!(of("11/12/2026 19:54:58 UTC"), Some(Err(Unclear::Order)));
        assert_eq!(of("21/11/2026 01:24:58 IST"), Some(Err(Unclear::Zone)));
        let kolkata = Zone::named("Asia/Kolkata").expect("known");
        let named = iso("21/11/2026 01:24:58.5 IST", None, &kolkata).and_then(Result::ok);
        let parsed = crate::time::parse(&named.expect("the zone is named"), &kolkata);
        assert_eq!(parsed.map(|p| (p.at, p.zone_assumed)), Some((1_795_204_498_500_000, false)));
        for no in ["2026-11-20 19:54:58+00", "", "select 1 / 2", "1.2.3", "Fri Nov", "a b c"] {
            assert_eq!(of(no), None, "{no}");
        }
    }
}
