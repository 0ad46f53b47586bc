//! When an export was taken that holds no time itself: `SHOW POOLS`, `INFO`, a scrape, a listing.

use super::head::Input;
use super::raw::Raw;
use crate::model::{GapKind, Micros};
use crate::time::{self, Zone};

/// What is known from outside about the time of a file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taken {
    /// The user's `--at`.
    pub said: Option<Micros>,
    /// The file's time of modification.
    pub modified: Option<Micros>,
}

impl Input<'_> {
    /// The time at which a file without any was taken: `--at`, else a time in its name, else its
    /// modification; where it is taken from is said once per file.
    pub fn taken_at(&self, raw: &mut Raw) -> Option<Micros> {
        let named = || in_name(self.name(), self.zone);
        let said = self.taken.said.map(|t| (t, "given with --at"));
        let told = said.or_else(|| Some((named()?, "read from the file's name")));
        let (at, how) = match told {
            Some(told) => told,
            None => {
                let modified = self.taken.modified?;
                raw.undated.insert(self.file);
                (modified, "that of the file's modification (give --at)")
            }
        };
        let what = format!("the file holds no time: {} is {how}", time::rfc3339(at));
        let said = |g: &crate::model::Gap| g.what == what && g.file.as_deref() == Some(self.path);
        if !raw.gaps.iter().any(said) {
            raw.gap(GapKind::Inferred, self.file, None, what);
        }
        Some(at)
    }
}

/// A time in a file's name: `2026-11-20T20-10-00`, `20261120-201000`, `2026-11-20 20:10`, or 10
/// (seconds) or 13 (milliseconds) digits since the epoch.
pub fn in_name(name: &str, zone: &Zone) -> Option<Micros> {
    let digits: Vec<&str> =
        name.split(|c: char| !c.is_ascii_digit()).filter(|d| !d.is_empty()).collect();
    let epoch = |d: &&str| {
        let value: f64 = d.parse().ok()?;
        matches!(d.len(), 10 | 13).then(|| time::from_epoch(value, time::epoch_unit(value)))?
    };
    (0..digits.len())
        .find_map(|i| civil(&digits[i..], zone))
        .or_else(|| digits.iter().find_map(epoch))
}

/// Reads year, month, day, hour, minute and perhaps second from the next groups of digits.
fn civil(groups: &[&str], zone: &Zone) -> Option<Micros> {
    let mut joined = String::new();
    for group in groups {
        let whole = match joined.len() {
            0 => matches!(group.len(), 4 | 8 | 12 | 14),
            _ => matches!(group.len(), 2 | 4 | 6),
        };
        if !whole || joined.len() >= 14 {
            break;
        }
        joined.push_str(group);
    }
    let d = |from: usize, to: usize| joined.get(from..to);
    let text = format!(
        "{}-{}-{}T{}:{}:{}",
        d(0, 4)?,
        d(4, 6)?,
        d(6, 8)?,
        d(8, 10)?,
        d(10, 12)?,
        d(12, 14).unwrap_or("00")
    );
    time::parse(&text, zone).map(|p| p.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_in_names_however_they_are_written() {
        let at = |name: &str| in_name(name, &Zone::default());
        let want = Some(1_795_205_400_000_000);
        for name in [
            "pools-2026-11-20T20-10-00.csv",
            "pools_20261120_201000.csv",
            "20261120201000-pools.csv",
            "show pools 2026-11-20 20:10.txt",
            "pools.1795205400.csv",
            "pools-1795205400000.csv",
            "db1-2026-11-20T20-10-00Z.csv",
        ] {
            assert_eq!(at(name), want, "{name}");
        }
        for name in ["pools.csv", "db-17.csv", "2026-11-20.csv", "a-99999999-999999.csv"] {
            assert_eq!(at(name), None, "{name}");
        }
    }
}
