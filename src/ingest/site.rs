//! What a site says about the catalogue without editing it: `params.toml` (other numbers) and
//! `suppress.toml` (findings that are known and accepted). In: text. Out: rows with their places;
//! whether signature and parameter exist is the catalogue's to say.
//!
//! In an incident folder a defect is a gap like any other and its row is not used; in a file that
//! was named on the command line it is an error.

use super::raw::Raw;
use super::{Head, Input};
use crate::error::{Error, Result, line_column};
use crate::model::{GapKind, Micros};
use crate::time::{self, Zone};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use toml::Spanned;

const PARAMS: &str = "params.toml";
const SUPPRESS: &str = "suppress.toml";
/// Version of both formats.
const SCHEMA: u32 = 1;

/// One parameter of one signature with the site's number.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamOverride {
    /// Id or code.
    pub signature: String,
    pub param: String,
    pub value: f64,
    pub unit: String,
    pub why: String,
    /// `file:line`.
    pub place: String,
}

/// A finding that is known and accepted until a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// Id or code of the signature.
    pub id: String,
    /// Entity, or the service of an instance; `*` is everybody.
    pub subject: String,
    /// The first moment at which it no longer holds.
    pub until: Micros,
    /// The end as the file has it.
    pub until_said: String,
    pub reason: String,
    /// `file:line`.
    pub place: String,
}

/// Everything that a site says.
#[derive(Clone, Debug, Default)]
pub struct Site {
    pub params: Vec<ParamOverride>,
    pub suppressions: Vec<Suppression>,
}

/// Rows that can be used, and the line and reason of each that cannot.
type Rows<T> = (Vec<T>, Vec<(u64, String)>);

/// Accepts the file name `params.toml`.
pub fn accepts_params(head: &Head) -> bool {
    head.name == PARAMS
}

/// Accepts the file name `suppress.toml`.
pub fn accepts_suppress(head: &Head) -> bool {
    head.name == SUPPRESS
}

/// Reads params.toml of an incident folder.
pub fn read_params(input: &Input, raw: &mut Raw) {
    let (rows, defects) = params(&String::from_utf8_lossy(input.bytes), input.path);
    tell(input, raw, rows.len(), defects);
    raw.site.params.extend(rows);
}

/// Reads suppress.toml of an incident folder.
pub fn read_suppress(input: &Input, raw: &mut Raw) {
    let (rows, defects) = suppressions(&String::from_utf8_lossy(input.bytes), input.path);
    tell(input, raw, rows.len(), defects);
    raw.site.suppressions.extend(rows);
}

fn tell(input: &Input, raw: &mut Raw, rows: usize, defects: Vec<(u64, String)>) {
    raw.rows(input.file, rows as u64);
    for (line, what) in defects {
        raw.gap(GapKind::Unreadable, input.file, Some(line), format!("not used: {what}"));
    }
}

/// Reads the files that were named on the command line.
///
/// # Errors
///
/// When a file cannot be read or has a defect; the first one, with its line.
pub fn read(params_file: Option<&Path>, suppress_file: Option<&Path>) -> Result<Site> {
    let mut site = Site::default();
    if let Some(path) = params_file {
        site.params = whole(path, params)?;
    }
    if let Some(path) = suppress_file {
        site.suppressions = whole(path, suppressions)?;
    }
    Ok(site)
}

fn whole<T>(path: &Path, parse: fn(&str, &str) -> Rows<T>) -> Result<Vec<T>> {
    let place = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|e| Error::usage(&place, e.to_string()))?;
    let (rows, defects) = parse(&text, &place);
    match defects.into_iter().next() {
        None => Ok(rows),
        Some((line, what)) => Err(Error::usage(format!("{place}:{line}"), what)),
    }
}

/// Parses a file of one version; a defect has its line.
fn file<T: for<'de> Deserialize<'de>>(
    text: &str,
    schema: fn(&T) -> &Spanned<u32>,
) -> std::result::Result<T, (u64, String)> {
    let line = |at: usize| line_column(text, at).0 as u64;
    let parsed: std::result::Result<T, toml::de::Error> = toml::from_str(text);
    let parsed = parsed.map_err(|e| {
        let at = e.span().map_or(1, |s| line(s.start));
        (at, e.message().trim().replace('\n', " "))
    })?;
    let version = schema(&parsed);
    match *version.get_ref() {
        SCHEMA => Ok(parsed),
        other => Err((line(version.span().start), format!("schema is {other}, not {SCHEMA}"))),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ParamsFile {
    schema: Spanned<u32>,
    /// By signature and name.
    #[serde(default)]
    params: BTreeMap<String, BTreeMap<String, Spanned<ParamRow>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ParamRow {
    value: f64,
    unit: String,
    #[serde(default)]
    why: String,
}

fn params(text: &str, path: &str) -> Rows<ParamOverride> {
    let parsed = match file::<ParamsFile>(text, |f| &f.schema) {
        Ok(parsed) => parsed,
        Err(defect) => return (Vec::new(), vec![defect]),
    };
    let (mut rows, mut defects) = (Vec::new(), Vec::new());
    for (signature, own) in parsed.params {
        for (param, row) in own {
            let line = line_column(text, row.span().start).0 as u64;
            let row = row.into_inner();
            if !row.value.is_finite() {
                defects.push((line, format!("{param} of {signature} is {}, no number", row.value)));
                continue;
            }
            rows.push(ParamOverride {
                signature: signature.clone(),
                param,
                value: row.value,
                unit: row.unit,
                why: row.why.trim().to_owned(),
                place: format!("{path}:{line}"),
            });
        }
    }
    (rows, defects)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SuppressFile {
    schema: Spanned<u32>,
    #[serde(default)]
    suppress: Vec<Spanned<SuppressRow>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SuppressRow {
    id: String,
    subject: String,
    until: toml::Value,
    reason: String,
}

fn suppressions(text: &str, path: &str) -> Rows<Suppression> {
    let parsed = match file::<SuppressFile>(text, |f| &f.schema) {
        Ok(parsed) => parsed,
        Err(defect) => return (Vec::new(), vec![defect]),
    };
    let (mut rows, mut defects) = (Vec::new(), Vec::new());
    for row in parsed.suppress {
        let line = line_column(text, row.span().start).0 as u64;
        let row = row.into_inner();
        let said = row.until.as_str().map_or_else(|| row.until.to_string(), str::to_owned);
        let about = format!("suppression of {} on {}", row.id, row.subject);
        let blank = |s: &str| s.trim().is_empty();
        let until = match end(&said) {
            _ if blank(&row.subject) => Err("names no subject (\"*\" is everybody)".to_owned()),
            _ if blank(&row.reason) => Err("gives no reason".to_owned()),
            None => Err(format!("ends at \"{said}\", which is no date or time with a zone")),
            Some(until) => Ok(until),
        };
        match until {
            Err(what) => defects.push((line, format!("{about} {what}"))),
            Ok(until) => rows.push(Suppression {
                id: row.id,
                subject: row.subject.trim().to_owned(),
                until,
                until_said: said,
                reason: row.reason.trim().to_owned(),
                place: format!("{path}:{line}"),
            }),
        }
    }
    (rows, defects)
}

/// The first moment after an end: a day ends with its last second, in UTC.
fn end(said: &str) -> Option<Micros> {
    match said.trim().parse::<jiff::civil::Date>() {
        Ok(day) if said.trim().len() <= "2026-11-20".len() => {
            time::parse(&format!("{}T00:00:00Z", day.tomorrow().ok()?), &Zone::default())
                .map(|p| p.at)
        }
        _ => time::parse(said, &Zone::default()).filter(|p| !p.zone_assumed).map(|p| p.at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::read_text;

    const GOOD: &str = "schema = 1\n[params.pool-leak]\n\
        full_share = { value = 0.6, unit = \"ratio\", why = \" hot pools \" }\n\
        [params.DB-0002.age_min]\nvalue = 20\nunit = \"s\"\n";

    #[test]
    fn overrides_are_read_with_their_lines() {
        let (rows, defects) = params(GOOD, "params.toml");
        assert_eq!(defects, []);
        let said: Vec<_> =
            rows.iter().map(|r| (r.signature.as_str(), r.value, &*r.place)).collect();
        let wanted = [("DB-0002", 20.0, "params.toml:4"), ("pool-leak", 0.6, "params.toml:3")];
        assert_eq!(said, wanted);
        assert_eq!((rows[1].why.as_str(), rows[0].why.as_str()), ("hot pools", ""));
    }

    #[test]
    fn what_is_no_number_or_no_override_is_a_defect_with_its_line() {
        let bad = [
            ("", 1, "schema"),
            ("schema = 2\n", 1, "schema is 2"),
            ("schema = 1\n[params.a]\nb = 3\n", 3, "invalid type"),
            ("schema = 1\n[params.a]\nb = { value = 1 }\n", 3, "missing field `unit`"),
            ("schema = 1\n[params.a]\nb = { value = nan, unit = \"s\" }\n", 3, "no number"),
            ("schema = 1\n[params.a]\nb = { value = -inf, unit = \"s\" }\n", 3, "no number"),
            ("schema = 1\n[params.a]\nb = { value = 1, unit = \"s\", way = \"x\" }\n", 3, "`way`"),
            ("schema = 1\n[parms.a]\n", 2, "`parms`"),
            ("schema = 1\n[params.a\n", 2, ""),
            ("hyper = 0.1\n", 1, "unknown field `hyper`"),
            ("\u{0}\u{1}", 1, ""),
        ];
        for (text, line, what) in bad {
            let (rows, defects) = params(text, "p");
            assert_eq!(rows, [], "{text:?}");
            assert_eq!(defects.len(), 1, "{text:?}: {defects:?}");
            assert_eq!(defects[0].0, line, "{text:?}: {defects:?}");
            assert!(defects[0].1.contains(what), "{text:?}: {defects:?}");
        }
    }

    #[test]
    fn a_suppression_ends_with_its_day_or_at_its_time() {
        let row = |until: &str| {
            let text = format!(
                "schema = 1\n[[suppress]]\nid = \"a\"\nsubject = \"b\"\nuntil = {until}\n\
                 reason = \"r\"\n"
            );
            suppressions(&text, "s")
        };
        let midnight = 1_763_683_200_000_000;
        for until in ["\"2025-11-20\"", "2025-11-20", "2025-11-21T00:00:00Z"] {
            let (rows, defects) = row(until);
            assert_eq!(defects, [], "{until}");
            assert_eq!(rows[0].until, midnight, "{until}");
            assert_eq!(rows[0].place, "s:2");
        }
        for until in ["\"soon\"", "\"\"", "12", "\"2025-11-20 10:00\"", "\"2025-13-20\"", "true"] {
            let (rows, defects) = row(until);
            assert_eq!((rows.len(), defects.len()), (0, 1), "{until}");
            assert!(defects[0].1.contains("no date or time"), "{defects:?}");
        }
    }

    #[test]
    fn one_defective_suppression_does_not_cost_the_others() {
        let text = "schema = 1\n\
            [[suppress]]\nid = \"a\"\nsubject = \"b\"\nuntil = \"2025-11-20\"\nreason = \" \"\n\
            [[suppress]]\nid = \"a\"\nsubject = \"\"\nuntil = \"2025-11-20\"\nreason = \"r\"\n\
            [[suppress]]\nid = \"a\"\nsubject = \"*\"\nuntil = \"2025-11-20\"\nreason = \"r\"\n";
        let raw = read_text("suppress.toml", text.as_bytes());
        assert_eq!(raw.site.suppressions.len(), 1);
        let said: Vec<_> = raw.gaps.iter().map(|g| (g.line, g.what.as_str())).collect();
        assert_eq!(said[0].0, Some(2));
        assert!(said[0].1.contains("gives no reason") && said[1].1.contains("names no subject"));
        assert_eq!(raw.files[0].reader, "suppress");
    }
}
