//! Traces of the window from Jaeger's or Tempo's query API. In: a server. Out: Jaeger documents, or
//! OTLP as Tempo answers it, a file for each stretch of time; what a limit cut off is a gap.

use super::http::{Client, Failure};
use super::journal::Journal;
use super::slices::{Slice, Slices};
use crate::error::Result;
use crate::model::{Micros, SECOND};
use crate::time;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;

/// Length of the stretches in which traces are asked for.
const STRETCH: Micros = 300 * SECOND;
/// Shortest stretch that is asked for when there are too many traces.
const STRETCH_MIN: Micros = SECOND;
/// Traces of one service and question: Jaeger's usual most is 1,500.
const JAEGER_LIMIT: usize = 1_000;
/// Traces of one stretch that are always asked for.
const TEMPO_LEAST: usize = 20;

/// Which API a server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    Jaeger,
    Tempo,
}

/// A server and what is wanted of it.
pub struct Traces<'a> {
    pub client: Client,
    pub journal: &'a Journal,
    pub api: Api,
    /// Traces fetched one by one (Tempo), over the whole window.
    pub traces_max: usize,
    /// The window's length.
    pub window: Micros,
}

#[derive(Deserialize)]
struct Services {
    data: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Found {
    data: Option<Vec<Value>>,
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    traces: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(rename = "traceID")]
    trace_id: String,
}

/// Why a stretch is not whole.
enum Stop {
    Failed(Failure),
    /// More traces than a question gives.
    Full,
}

impl From<Failure> for Stop {
    fn from(e: Failure) -> Self {
        Stop::Failed(e)
    }
}

/// Parses an answer.
fn json<T: DeserializeOwned>(body: Vec<u8>) -> std::result::Result<T, String> {
    let parsed = serde_json::from_slice(&body);
    parsed.map_err(|e| format!("the answer is cut off or another: {e}"))
}

/// What came of one stretch, ready to be written.
struct Stretch {
    bytes: Vec<u8>,
    traces: usize,
    /// What a limit cut off.
    cut: Option<String>,
}

impl Traces<'_> {
    fn word(&self) -> &'static str {
        match self.api {
            Api::Jaeger => "jaeger",
            Api::Tempo => "tempo",
        }
    }

    /// Records slice after slice until the last or a signal.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written; a server that does not answer is a gap.
    pub fn run(&self, slices: &Slices) -> Result<()> {
        while let Some(slice) = slices.next(self.client.signals()) {
            let mut from = slice.from;
            while from < slice.to {
                let to = slice.to.min(from + STRETCH);
                if !self.stretch(Slice { from, to })? {
                    return Ok(());
                }
                from = to;
            }
        }
        Ok(())
    }

    /// Fetches one stretch, in halves where it is too full; gives `false` when stopped.
    fn stretch(&self, at: Slice) -> Result<bool> {
        let id = format!("{}/{}-{}", self.word(), at.from, at.to);
        if self.journal.is_done(&id) {
            return Ok(true);
        }
        let half = (at.to - at.from) / 2;
        let smaller = half >= STRETCH_MIN;
        if smaller && self.journal.is_split(&id) {
            return self.in_halves(&id, at);
        }
        let got = match self.api {
            Api::Jaeger => self.jaeger(at, smaller),
            Api::Tempo => self.tempo(at),
        };
        match got {
            Ok(stretch) => self.keep(&id, at, &stretch).map(|()| true),
            Err(Stop::Failed(Failure::Stopped)) => Ok(false),
            Err(Stop::Failed(e)) if !(smaller && e.asks_for_less()) => {
                self.journal.gap(&id, &e.to_string()).map(|()| true)
            }
            Err(_) => {
                self.journal.split(&id)?;
                self.in_halves(&id, at)
            }
        }
    }

    fn in_halves(&self, id: &str, at: Slice) -> Result<bool> {
        let middle = at.from + (at.to - at.from) / 2;
        let halves = [Slice { from: at.from, to: middle }, Slice { from: middle, to: at.to }];
        for half in halves {
            if !self.stretch(half)? {
                return Ok(false);
            }
        }
        let is_done =
            |s: &Slice| self.journal.is_done(&format!("{}/{}-{}", self.word(), s.from, s.to));
        match halves.iter().all(is_done) {
            true => self.journal.done(id).map(|()| true),
            false => Ok(true),
        }
    }

    fn keep(&self, id: &str, at: Slice, stretch: &Stretch) -> Result<()> {
        if let Some(cut) = &stretch.cut {
            self.journal.gap(&format!("{id}/cut"), cut)?;
        }
        let ending = if self.api == Api::Jaeger { "json" } else { "jsonl" };
        let file = format!("{0}/traces.{1}.{ending}", self.word(), at.from);
        match stretch.traces {
            0 => self.journal.done(id),
            _ => self.journal.write(id, &file, &stretch.bytes),
        }
    }

    /// All traces of a stretch, each once although several services are in it.
    fn jaeger(&self, at: Slice, smaller: bool) -> std::result::Result<Stretch, Stop> {
        let services = self.client.get("/api/services", &[], json::<Services>)?;
        let services = services.data.unwrap_or_default();
        let mut found: BTreeMap<String, Value> = BTreeMap::new();
        let mut full = Vec::new();
        for service in services {
            let parameters = [
                ("service", service.clone()),
                ("start", at.from.to_string()),
                ("end", (at.to - 1).to_string()),
                ("limit", JAEGER_LIMIT.to_string()),
            ];
            let answer = self.client.get("/api/traces", &parameters, json::<Found>)?;
            let traces = answer.data.unwrap_or_default();
            if traces.len() >= JAEGER_LIMIT {
                if smaller {
                    return Err(Stop::Full);
                }
                full.push(service);
            }
            for trace in traces {
                let id = trace.get("traceID").and_then(Value::as_str).unwrap_or_default();
                found.insert(id.to_owned(), trace);
            }
        }
        let cut = (!full.is_empty()).then(|| {
            let when = time::rfc3339(at.from);
            format!("only {JAEGER_LIMIT} traces each of {} from {when}", full.join(", "))
        });
        let traces = found.len();
        let data: Vec<Value> = found.into_values().collect();
        let bytes = serde_json::json!({ "data": data }).to_string().into_bytes();
        Ok(Stretch { bytes, traces, cut })
    }

    /// Some traces of a stretch, one document a line.
    fn tempo(&self, at: Slice) -> std::result::Result<Stretch, Stop> {
        let stretches = (self.window / STRETCH).max(1) as usize;
        let limit = (self.traces_max / stretches).max(TEMPO_LEAST);
        let up = |t: Micros| (t + SECOND - 1) / SECOND;
        let parameters = [
            ("q", "{}".to_owned()),
            ("start", (at.from / SECOND).to_string()),
            ("end", up(at.to).to_string()),
            ("limit", limit.to_string()),
        ];
        let named = self.client.get("/api/search", &parameters, json::<Search>)?.traces;
        let (mut bytes, mut missed) = (Vec::new(), 0);
        for Named { trace_id } in &named {
            // What comes back goes into a path: it has to be an id.
            if trace_id.is_empty() || !trace_id.bytes().all(|b| b.is_ascii_hexdigit()) {
                missed += 1;
                continue;
            }
            match self.client.get(&format!("/api/traces/{trace_id}"), &[], json::<Value>) {
                Ok(trace) => {
                    bytes.extend(trace.to_string().into_bytes());
                    bytes.push(b'\n');
                }
                // Found and already gone, or too large: the others are worth having.
                Err(Failure::Refused(404, _) | Failure::TooLarge(_)) => missed += 1,
                Err(e) => return Err(e.into()),
            }
        }
        let when = time::rfc3339(at.from);
        let cut = match (named.len() >= limit, missed) {
            (true, _) => Some(format!(
                "the search gave its limit of {limit} traces from {when}: there may be more \
                 (--traces)"
            )),
            (false, 1..) => Some(format!("{missed} traces from {when} could not be had")),
            (false, 0) => None,
        };
        Ok(Stretch { bytes, traces: named.len() - missed, cut })
    }
}
