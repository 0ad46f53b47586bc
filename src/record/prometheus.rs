//! A Prometheus-compatible server. In: the window and what the catalogue knows. Out: answers of
//! `query_range` as they came, one file a metric and stretch of time, under the server's limit of
//! points. A question that is too large is asked in halves.

use super::http::{Client, Failure};
use super::journal::Journal;
use super::slices::{Slice, Slices};
use crate::error::Result;
use crate::model::{Micros, SECOND};
use crate::signals::SignalTable;
use crate::time;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use std::collections::BTreeSet;

/// Points of one query: Prometheus refuses more than 11,000 a series.
pub const POINTS_MAX: i64 = 10_000;
/// Step where the scrape interval cannot be seen, seconds: Prometheus's own advice for dashboards.
const STEP_USUAL_S: i64 = 15;
/// Samples of `up` by which the scrape interval is seen, seconds: five of the slowest usual one.
const SEEN_OVER_S: i64 = 300;
/// Questions in a row that fail before the rest is left for another try.
const FAILURES_MAX: usize = 5;
/// Names of metrics that the log lists.
const NAMED_MAX: usize = 40;

/// A server and what is wanted of it.
pub struct Prometheus<'a> {
    pub client: Client,
    pub journal: &'a Journal,
    pub signals: &'a SignalTable,
    /// Seconds between samples; the scrape interval where `None`.
    pub step_s: Option<i64>,
    /// Names besides those that the catalogue knows.
    pub also: &'a [String],
}

#[derive(Deserialize)]
struct Names {
    data: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    data: std::collections::BTreeMap<String, IgnoredAny>,
}

#[derive(Deserialize)]
struct Answer<T> {
    status: String,
    error: Option<String>,
    data: Option<Data<T>>,
}

#[derive(Deserialize)]
struct Data<T> {
    result: Vec<T>,
}

/// The samples of one series.
#[derive(Deserialize)]
struct Samples {
    #[serde(default)]
    values: Vec<(f64, String)>,
}

/// The results of an answer, if it is a whole one with data.
fn results<T: DeserializeOwned>(body: &[u8]) -> std::result::Result<Vec<T>, String> {
    match serde_json::from_slice::<Answer<T>>(body) {
        Ok(Answer { status, data: Some(data), .. }) if status == "success" => Ok(data.result),
        Ok(a) => Err(format!("answers \"{}\": {}", a.status, a.error.unwrap_or_default())),
        Err(e) => Err(format!("the answer is cut off or not of Prometheus: {e}")),
    }
}

/// A list, if it is whole.
fn listed<T: DeserializeOwned>(body: Vec<u8>) -> std::result::Result<T, String> {
    serde_json::from_slice(&body).map_err(|e| format!("the list of names is cut off: {e}"))
}

/// Seconds of a time as parameters have them.
fn seconds(t: Micros) -> String {
    format!("{}", t as f64 / SECOND as f64)
}

/// One metric over one stretch; both ends are asked for.
#[derive(Clone, Copy, Debug)]
struct Part<'a> {
    name: &'a str,
    from_s: i64,
    to_s: i64,
}

impl Part<'_> {
    fn id(&self) -> String {
        format!("prometheus/{}/{}-{}", self.name, self.from_s, self.to_s)
    }

    fn file(&self) -> String {
        let fits = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
        let name: String = self.name.chars().map(fits).take(150).collect();
        format!("prometheus/{name}.{}.json", self.from_s)
    }

    /// Both halves, of whole steps; `None` for one point.
    fn halves(self, step_s: i64) -> Option<[Self; 2]> {
        let steps = (self.to_s - self.from_s) / step_s;
        let middle = self.from_s + steps / 2 * step_s;
        (steps > 0)
            .then_some([Part { to_s: middle, ..self }, Part { from_s: middle + step_s, ..self }])
    }
}

impl Prometheus<'_> {
    /// Records slice after slice until the last or a signal.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written; a server that does not answer is a gap.
    pub fn run(&self, slices: &Slices) -> Result<()> {
        let mut step_s = None;
        while let Some(slice) = slices.next(self.client.signals()) {
            let step = match step_s {
                Some(step) => step,
                None => *step_s.insert(self.step(&slice)?),
            };
            self.slice(slice, step)?;
        }
        Ok(())
    }

    /// The step: as told, as an earlier try noted it, or the finest scrape interval.
    fn step(&self, slice: &Slice) -> Result<i64> {
        const FACT: &str = "prometheus step";
        let noted = self.journal.known(FACT).and_then(|s| s.parse().ok());
        if let Some(step) = noted.filter(|s| *s > 0) {
            return Ok(step);
        }
        let (step, why) = match (self.step_s, self.scrape_interval(slice)) {
            (Some(told), _) => (told, "as told".to_owned()),
            (None, Ok(Some(seen))) => (seen, "the finest scrape interval of `up`".to_owned()),
            (None, Ok(None)) => (STEP_USUAL_S, "there is no `up` to see the scrapes by".to_owned()),
            (None, Err(e)) => (STEP_USUAL_S, format!("the scrape interval cannot be seen: {e}")),
        };
        self.journal.fact(FACT, &step.to_string())?;
        self.journal.note("prometheus", &format!("a sample each {step} s: {why}"))?;
        Ok(step)
    }

    /// The shortest distance that the samples of a target usually have, in whole seconds.
    fn scrape_interval(&self, slice: &Slice) -> std::result::Result<Option<i64>, Failure> {
        let parameters = [("query", format!("up[{SEEN_OVER_S}s]")), ("time", seconds(slice.to))];
        let series = self.client.get("/api/v1/query", &parameters, |b| results::<Samples>(&b))?;
        let usual = |s: Samples| {
            let mut apart: Vec<f64> = s.values.windows(2).map(|w| w[1].0 - w[0].0).collect();
            apart.sort_by(f64::total_cmp);
            apart.get(apart.len() / 2).copied()
        };
        let finest = series.into_iter().filter_map(usual).min_by(f64::total_cmp);
        Ok(finest.map(|s| (s.round() as i64).max(1)))
    }

    /// Names of metrics that had samples in the slice.
    fn names(&self, slice: &Slice) -> std::result::Result<Vec<String>, Failure> {
        let window = [("start", seconds(slice.from)), ("end", seconds(slice.to))];
        match self.client.get("/api/v1/label/__name__/values", &window, listed::<Names>) {
            Ok(names) => Ok(names.data),
            // Some proxies let no list of labels through.
            Err(Failure::Refused(status, _)) if [403, 404, 405, 501].contains(&status) => {
                let metadata = self.client.get("/api/v1/metadata", &[], listed::<Metadata>)?;
                Ok(metadata.data.into_keys().flat_map(with_parts).collect())
            }
            Err(e) => Err(e),
        }
    }

    /// Of the names, those that a signal knows; exact ones before guesses.
    fn wanted(&self, names: Vec<String>) -> (Vec<String>, Vec<String>) {
        let unknown = ["other", "housekeeping"];
        let rank = |name: &String| {
            if self.also.contains(name) {
                return Some(0);
            }
            let meaning = self.signals.meaning(name)?;
            let signal = self.signals.get(meaning.signal).name.as_str();
            (!unknown.contains(&signal)).then_some(1 + u8::from(meaning.guessed))
        };
        let names: BTreeSet<String> = names.into_iter().chain(self.also.iter().cloned()).collect();
        let (mut taken, mut left) = (Vec::new(), Vec::new());
        for name in names {
            match rank(&name) {
                Some(rank) => taken.push((rank, name)),
                None => left.push(name),
            }
        }
        taken.sort();
        (taken.into_iter().map(|(_, name)| name).collect(), left)
    }

    fn slice(&self, slice: Slice, step_s: i64) -> Result<()> {
        let part = format!("prometheus/names/{}", slice.from / SECOND);
        let names = match self.names(&slice) {
            Ok(names) => names,
            Err(Failure::Stopped) => return Ok(()),
            Err(e) => {
                let what = format!("the metrics of this stretch cannot be listed: {e}");
                return self.journal.gap(&part, &what);
            }
        };
        let (taken, left) = self.wanted(names);
        if !self.journal.is_done(&part) {
            let all = taken.len() + left.len();
            let named: Vec<&str> = left.iter().take(NAMED_MAX).map(String::as_str).collect();
            let what = format!(
                "{} of {all} metrics mean something to the catalogue; not taken: {}{}",
                taken.len(),
                named.join(" "),
                if left.len() > named.len() { " …" } else { "" },
            );
            self.journal.note("prometheus", &what)?;
        }
        let mut failed = 0;
        for (i, name) in taken.iter().enumerate() {
            for part in parts(name, &slice, step_s) {
                if self.client.signals().stopped() {
                    return Ok(());
                }
                failed = if self.part(part, step_s)? { 0 } else { failed + 1 };
            }
            if failed >= FAILURES_MAX {
                let what = format!(
                    "{failed} questions in a row failed: {} metrics are not asked for (the same \
                     command tries again)",
                    taken.len() - i - 1
                );
                return self.journal.gap(&part, &what);
            }
        }
        self.journal.done(&part)
    }

    /// Fetches one part; says whether the server answered. What is missing of it is a gap.
    fn part(&self, part: Part, step_s: i64) -> Result<bool> {
        match self.fetch(part, step_s)? {
            None | Some((_, Failure::Stopped)) => Ok(true),
            Some((at_s, why)) => {
                let since = match at_s == part.from_s {
                    true => String::new(),
                    false => format!("from {} on: ", time::rfc3339(at_s * SECOND)),
                };
                self.journal.gap(&part.id(), &format!("{since}{why}"))?;
                Ok(matches!(why, Failure::TooLarge(_)))
            }
        }
    }

    /// Fetches one part, in halves where it is too large; gives the first that is missing.
    fn fetch(&self, part: Part, step_s: i64) -> Result<Option<(i64, Failure)>> {
        let id = part.id();
        if self.journal.is_done(&id) {
            return Ok(None);
        }
        if let Some(halves) = part.halves(step_s).filter(|_| self.journal.is_split(&id)) {
            return self.in_halves(&id, halves, step_s);
        }
        let parameters = [
            ("query", selector(part.name)),
            ("start", part.from_s.to_string()),
            ("end", part.to_s.to_string()),
            ("step", format!("{step_s}s")),
        ];
        // The answer is kept as it came; a series is not looked into.
        let some = |body: Vec<u8>| {
            let series = results::<IgnoredAny>(&body)?;
            Ok((!series.is_empty()).then_some(body))
        };
        match self.client.get("/api/v1/query_range", &parameters, some) {
            Ok(None) => self.journal.done(&id).map(|()| None),
            Ok(Some(body)) => self.journal.write(&id, &part.file(), &body).map(|()| None),
            Err(e) => match part.halves(step_s).filter(|_| e.asks_for_less()) {
                Some(halves) => {
                    self.journal.split(&id)?;
                    self.in_halves(&id, halves, step_s)
                }
                None => Ok(Some((part.from_s, e))),
            },
        }
    }

    fn in_halves(
        &self,
        id: &str,
        halves: [Part; 2],
        step_s: i64,
    ) -> Result<Option<(i64, Failure)>> {
        let mut first = None;
        for half in halves {
            let missing = self.fetch(half, step_s)?;
            // One point with too many series says nothing about the others; a server that does not
            // answer one half answers the other no better.
            let ends = missing.as_ref().is_some_and(|(_, e)| !matches!(e, Failure::TooLarge(_)));
            first = first.or(missing);
            if ends {
                break;
            }
        }
        if first.is_none() {
            self.journal.done(id)?;
        }
        Ok(first)
    }
}

/// Names under which a metric of the metadata is stored.
fn with_parts(name: String) -> Vec<String> {
    let parts = ["_bucket", "_sum", "_count"].map(|part| format!("{name}{part}"));
    std::iter::once(name).chain(parts).collect()
}

/// The selector of a metric; a name outside the old alphabet is quoted.
fn selector(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "_:".contains(c));
    match plain && !name.starts_with(|c: char| c.is_ascii_digit()) {
        true => name.to_owned(),
        false => format!("{{__name__=\"{}\"}}", name.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

/// A slice in stretches of at most [`POINTS_MAX`] points, on whole steps, none of them twice.
fn parts<'a>(name: &'a str, slice: &Slice, step_s: i64) -> Vec<Part<'a>> {
    let up = |t: Micros| (t / SECOND + i64::from(t % SECOND > 0) + step_s - 1) / step_s * step_s;
    // A slice is half-open: its end belongs to the next one.
    let (mut at, end) = (up(slice.from), up(slice.to) - step_s);
    let mut found = Vec::new();
    while at <= end {
        let to_s = end.min(at + (POINTS_MAX - 1) * step_s);
        found.push(Part { name, from_s: at, to_s });
        at = to_s + step_s;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(parts: &[Part], step_s: i64) -> Vec<i64> {
        parts.iter().flat_map(|p| (p.from_s..=p.to_s).step_by(step_s as usize)).collect()
    }

    #[test]
    fn slices_ask_for_every_step_once_and_for_few_points() {
        let slice = |from: i64, to: i64| Slice { from: from * SECOND, to: to * SECOND };
        let (a, b) = (slice(1003, 200_000), slice(200_000, 200_061));
        let mut all = parts("x", &a, 5);
        assert_eq!(all.len(), 4);
        assert!(all.iter().all(|p| (p.to_s - p.from_s) / 5 < POINTS_MAX));
        all.extend(parts("x", &b, 5));
        let wanted: Vec<i64> = (1005..200_065).step_by(5).collect();
        assert_eq!(points(&all, 5), wanted);
        assert!(parts("x", &slice(7, 7), 5).is_empty());
        let odd = Slice { from: 10 * SECOND + 1, to: 12 * SECOND };
        assert_eq!(points(&parts("x", &odd, 1), 1), [11]);
    }

    #[test]
    fn halves_are_the_whole() {
        let mut open = vec![Part { name: "x", from_s: 10, to_s: 100 }];
        let whole = points(&open, 15);
        for _ in 0..8 {
            let halves = |p: Part<'static>| p.halves(15).map_or(vec![p], |h| h.to_vec());
            open = open.into_iter().flat_map(halves).collect();
        }
        assert_eq!((points(&open, 15), open.len()), (whole.clone(), whole.len()));
    }

    #[test]
    fn names_outside_the_old_alphabet_are_quoted() {
        assert_eq!(selector("job:up"), "job:up");
        assert_eq!(selector("http.\"x"), "{__name__=\"http.\\\"x\"}");
        assert_eq!(selector("9p"), "{__name__=\"9p\"}");
    }

    #[test]
    fn only_whole_answers_with_data_are_taken() {
        let whole = b"{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[]}}";
        let check = |body: &[u8]| results::<IgnoredAny>(body).map(|series| series.len());
        assert_eq!(check(whole), Ok(0));
        assert!(check(&whole[..whole.len() - 3]).is_err_and(|e| e.contains("cut off")));
        assert!(check(b"{\"status\":\"error\",\"error\":\"no\"}").is_err_and(|e| e.contains("no")));
        assert!(check(b"<html>").is_err());
    }
}
