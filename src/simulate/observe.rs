//! What can be seen of a world while it runs: scrapes of counters and gauges, sampled spans,
//! snapshots of sessions. Kept as recorded; `export` writes the files.

mod scrape;
mod servers;
mod sessions;
mod spans;

pub use scrape::{error_word, scrape};
pub use sessions::{SessionRow, StatementRow, snapshot};
pub use spans::{Span, SpanKind, client, inner, server};

use super::draw::Draw;
use super::scenario::Scenario;
use super::station::{Nanos, SECOND};
use super::world::NONE;
use hashbrown::HashMap;

/// Most spans that are kept of a run; later traces are not sampled.
const SPANS: usize = 400_000;

/// One series: its labels as JSON, and its samples by the number of the scrape.
#[derive(Clone, Debug)]
pub struct Series {
    pub file: &'static str,
    pub metric: String,
    pub samples: Vec<(u32, f64)>,
}

/// Everything that was seen.
#[derive(Clone, Debug)]
pub struct Record {
    pub scrape_every: Nanos,
    pub snapshot_every: Nanos,
    pub trace_share: f64,
    pub lost_scrapes: f64,
    /// Times of the scrapes.
    pub scrapes: Vec<Nanos>,
    pub series: Vec<Series>,
    index: HashMap<String, usize>,
    /// The labels of the sample under way.
    line: String,
    pub spans: Vec<Span>,
    pub sessions: Vec<SessionRow>,
    pub statements: Vec<StatementRow>,
    pub draw: Draw,
}

impl Record {
    pub fn new(scenario: &Scenario, seed: u64) -> Record {
        let o = &scenario.observe;
        let nanos = |s: f64| ((s.max(0.1)) * SECOND as f64) as Nanos;
        Record {
            scrape_every: nanos(o.scrape_s),
            snapshot_every: nanos(o.session_s),
            trace_share: o.trace_share,
            lost_scrapes: o.lost_scrapes,
            scrapes: Vec::new(),
            series: Vec::new(),
            index: HashMap::new(),
            line: String::new(),
            spans: Vec::new(),
            sessions: Vec::new(),
            statements: Vec::new(),
            draw: Draw::of("observation", seed),
        }
    }

    /// One sample of the scrape under way. `labels` are name and value in turn.
    fn put(&mut self, file: &'static str, name: &str, labels: &[(&str, &str)], value: f64) {
        self.line.clear();
        self.line.push_str("{\"__name__\":\"");
        self.line.push_str(name);
        self.line.push('"');
        for (key, value) in labels {
            self.line.push_str(",\"");
            self.line.push_str(key);
            self.line.push_str("\":");
            quote(value, &mut self.line);
        }
        self.line.push('}');
        let scrape = self.scrapes.len().saturating_sub(1) as u32;
        // Looked up before it is copied: a series is new once and sampled a thousand times.
        let at = match self.index.get(self.line.as_str()) {
            Some(at) => *at,
            None => {
                let metric = self.line.clone();
                self.series.push(Series { file, metric, samples: Vec::new() });
                self.index.insert(self.line.clone(), self.series.len() - 1);
                self.series.len() - 1
            }
        };
        self.series[at].samples.push((scrape, value));
    }

    fn has_room(&self) -> bool {
        self.spans.len() < SPANS
    }
}

/// A label's value as JSON; nearly all of them need no escape.
fn quote(value: &str, out: &mut String) {
    if value.bytes().all(|b| b >= b' ' && b != b'"' && b != b'\\') {
        out.push('"');
        out.push_str(value);
        out.push('"');
    } else {
        out.push_str(&serde_json::Value::from(value).to_string());
    }
}

/// Says whether a task's trace is recorded.
fn is_traced(trace: u32) -> bool {
    trace != 0 && trace != NONE
}
