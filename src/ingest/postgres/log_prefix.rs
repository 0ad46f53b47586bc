//! What stands before the level of a line of PostgreSQL's log, by `log_line_prefix`. In: its text.
//! Out: time, pid, user, database, application, client, as far as their form tells them.
//!
//! Known are the default `%m [%p] `, Debian's `%m [%p] %q%u@%d `, pgBadger's
//! `%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h `, RDS' `%t:%r:%u@%d:[%p]:`, and mixes of them.

/// A prefix in parts; empty where it does not say.
#[derive(Debug, Default, PartialEq)]
pub struct Prefix<'a> {
    pub time: Option<&'a str>,
    pub pid: Option<i64>,
    pub user: &'a str,
    pub database: &'a str,
    pub application: &'a str,
    pub client: &'a str,
}

/// What PostgreSQL writes where it knows no name.
const UNKNOWN: &str = "[unknown]";

impl Prefix<'_> {
    /// Without what PostgreSQL writes where it knows nothing.
    fn told(mut self) -> Self {
        for text in [&mut self.user, &mut self.database, &mut self.application, &mut self.client] {
            if *text == UNKNOWN {
                *text = "";
            }
        }
        self
    }
}

/// Reads a prefix.
pub fn read(prefix: &str) -> Prefix<'_> {
    let mut out = Prefix { time: time(prefix), pid: pid(prefix), ..Prefix::default() };
    let behind = out.time.and_then(|t| prefix.split_once(t)).map_or(prefix, |(_, rest)| rest);
    out.user = value(behind, &["user=", "u="]).unwrap_or_default();
    out.database = value(behind, &["db=", "database=", "d="]).unwrap_or_default();
    out.application = value(behind, &["app=", "application=", "a="]).unwrap_or_default();
    out.client = value(behind, &["client=", "host=", "h="]).map(host).unwrap_or_default();
    let Some(at) = out.user.is_empty().then(|| behind.find('@')).flatten() else {
        return out.told();
    };
    let edge = |c: char| c.is_whitespace() || ":,[](".contains(c);
    let from = behind[..at].rfind(edge).map_or(0, |i| i + 1);
    let database = &behind[at + 1..];
    let end = match database.strip_prefix(UNKNOWN) {
        Some(rest) => behind.len() - rest.len(),
        None => database.find(edge).map_or(behind.len(), |i| at + 1 + i),
    };
    out.user = &behind[from..at];
    out.database = &behind[at + 1..end];
    // RDS has the client between two colons before the user.
    if let Some(before) = behind[..from].strip_suffix(':').and_then(|b| b.strip_prefix(':')) {
        out.client = host(before);
    }
    // What follows `user@db` in words of its own is the application.
    let rest = behind[end..].trim().trim_end_matches(':');
    let words = rest == UNKNOWN || !rest.contains(['[', '=', ':']);
    if out.application.is_empty() && words {
        out.application = rest;
    }
    out.told()
}

/// `10.0.0.5(5123)` or `10.0.0.5:5123` without the port.
pub fn host(text: &str) -> &str {
    let text = text.split('(').next().unwrap_or(text);
    match text.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !host.contains(':') => {
            host
        }
        _ => text,
    }
}

/// `2026-11-20 20:06:00.308 UTC`, or seconds since the epoch of `%n`.
fn time(prefix: &str) -> Option<&str> {
    let bytes = prefix.as_bytes();
    let digits = |from: usize, n: usize| {
        bytes.get(from..from + n).is_some_and(|d| d.iter().all(u8::is_ascii_digit))
    };
    let at = |i: usize, c: u8| bytes.get(i) == Some(&c);
    let starts = |i: &usize| {
        digits(*i, 4) && at(i + 4, b'-') && at(i + 7, b'-') && digits(i + 8, 2) && at(i + 13, b':')
    };
    if let Some(from) = (0..bytes.len()).find(starts) {
        let clock = from + 11;
        let part = |b: &u8| b.is_ascii_digit() || b":.".contains(b);
        let mut end =
            clock + bytes[clock..].iter().position(|b| !part(b)).unwrap_or(bytes.len() - clock);
        // The zone follows a blank: letters, or an offset.
        let zone = prefix[end..].strip_prefix(' ').unwrap_or_default();
        let len = zone.find(|c: char| !(c.is_ascii_alphanumeric() || "+-".contains(c)));
        let len = len.unwrap_or(zone.len());
        let named = zone[..len].starts_with(|c: char| c.is_ascii_uppercase() || "+-".contains(c));
        if named {
            end += 1 + len;
        }
        return prefix.get(from..end).map(|t| t.trim_end_matches([':', '.']));
    }
    let first = prefix.split([' ', '[', ':']).find(|w| !w.is_empty())?;
    let (whole, part) = first.split_once('.')?;
    let number = |w: &str| w.bytes().all(|b| b.is_ascii_digit());
    (whole.len() == 10 && part.len() == 3 && number(whole) && number(part)).then_some(first)
}

/// The first number in brackets, `[11266]` or `[11266-1]`; or `pid=11266`.
fn pid(prefix: &str) -> Option<i64> {
    let number = |text: &str| {
        let digits = text.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse::<i64>().ok()
    };
    let bracket = prefix.match_indices('[').find_map(|(i, _)| number(&prefix[i + 1..]));
    bracket.or_else(|| prefix.find("pid=").and_then(|i| number(&prefix[i + 4..])))
}

/// The text behind a name, up to a comma, blank or bracket.
fn value<'a>(text: &'a str, names: &[&str]) -> Option<&'a str> {
    let starts = |i: usize| i == 0 || text[..i].ends_with([' ', ',', ':', '[', '(']);
    let place =
        |n: &&str| text.match_indices(*n).find(|(i, _)| starts(*i)).map(|(i, n)| i + n.len());
    let from = names.iter().find_map(place)?;
    let rest = &text[from..];
    rest.split([',', ' ', ']', ')']).next()
}

/// Words of file names that say what a log is, not of which server.
const ASIDE: [&str; 5] = ["postgresql", "postgres", "csvlog", "server", "log"];

/// The server's name from the file's: what is left without its kind and its time.
pub fn server_of(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let stem = name.split('.').next().unwrap_or(&name);
    let words = stem.split(['_', ' ']).flat_map(|w| match ASIDE.contains(&w) {
        true => None,
        false => Some(w),
    });
    let kept: Vec<&str> = words.filter(|w| !w.is_empty()).collect();
    let joined = kept.join("_");
    let joined = ASIDE[..2].iter().fold(joined, |s, w| s.trim_start_matches(*w).to_owned());
    super::row::server_of(&joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_prefixes_are_read() {
        let p = read("2026-11-20 20:10:01.446 UTC [11266] shop@orders catalog ");
        let want = (Some("2026-11-20 20:10:01.446 UTC"), Some(11266), "shop", "orders", "catalog");
        assert_eq!((p.time, p.pid, p.user, p.database, p.application), want);
        let p = read("2026-11-20 20:10:01 CET [7]: [3-1] user=u,db=d,app=a,client=10.0.0.5 ");
        assert_eq!(
            (p.pid, p.user, p.database, p.application, p.client),
            (Some(7), "u", "d", "a", "10.0.0.5")
        );
        let p = read("2026-11-20 20:10:01 UTC:10.0.0.5(5123):app@shop:[312]:");
        assert_eq!((p.time, p.pid), (Some("2026-11-20 20:10:01 UTC"), Some(312)));
        assert_eq!((p.user, p.database, p.client), ("app", "shop", "10.0.0.5"));
        let p = read("1795205401.446 [12-3] ");
        assert_eq!((p.time, p.pid), (Some("1795205401.446"), Some(12)));
        assert_eq!(read(""), Prefix::default());
    }

    #[test]
    fn the_server_is_named_after_the_file() {
        assert_eq!(server_of("pg/replica_postgres.log"), "replica");
        assert_eq!(server_of("pg/main.log"), "main");
        assert_eq!(server_of("postgresql-2026-11-20_201000.log"), "postgres");
        assert_eq!(server_of("pg-main_postgresql.csv"), "pg-main");
    }
}
