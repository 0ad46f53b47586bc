//! What can be seen of a world while it runs: scrapes of counters and gauges, sampled spans,
//! snapshots of sessions. Kept as recorded; `export` writes the files.

mod scrape;
mod sessions;
mod spans;

pub use scrape::{error_word, scrape};
pub use sessions::{SessionRow, StatementRow, snapshot};
pub use spans::{Span, SpanKind, client, inner, server};

use super::draw::Draw;
use super::scenario::Scenario;
use super::station::{Nanos, SECOND};
use super::world::NONE;
use std::collections::{BTreeMap, HashMap};

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
    /// Microseconds by which a service's clock is ahead.
    pub ahead: BTreeMap<String, i64>,
    /// Times of the scrapes.
    pub scrapes: Vec<Nanos>,
    pub series: Vec<Series>,
    index: HashMap<String, usize>,
    pub spans: Vec<Span>,
    pub sessions: Vec<SessionRow>,
    pub statements: Vec<StatementRow>,
    pub draw: Draw,
}

impl Record {
    pub fn new(scenario: &Scenario, seed: u64) -> Record {
        let o = &scenario.observe;
        let nanos = |s: f64| ((s.max(0.1)) * SECOND as f64) as Nanos;
        let ahead = o.clock_ahead_s.iter().map(|(k, s)| (k.clone(), (s * 1e6) as i64)).collect();
        Record {
            scrape_every: nanos(o.scrape_s),
            snapshot_every: nanos(o.session_s),
            trace_share: o.trace_share,
            lost_scrapes: o.lost_scrapes,
            ahead,
            scrapes: Vec::new(),
            series: Vec::new(),
            index: HashMap::new(),
            spans: Vec::new(),
            sessions: Vec::new(),
            statements: Vec::new(),
            draw: Draw::of("observation", seed),
        }
    }

    /// One sample of the scrape under way. `labels` are name and value in turn.
    fn put(&mut self, file: &'static str, name: &str, labels: &[(&str, &str)], value: f64) {
        let mut metric = String::with_capacity(96);
        metric.push_str("{\"__name__\":\"");
        metric.push_str(name);
        metric.push('"');
        for (key, value) in labels {
            metric.push_str(",\"");
            metric.push_str(key);
            metric.push_str("\":");
            metric.push_str(&serde_json::Value::from(*value).to_string());
        }
        metric.push('}');
        let scrape = self.scrapes.len().saturating_sub(1) as u32;
        let at = *self.index.entry(metric).or_insert_with_key(|metric| {
            self.series.push(Series { file, metric: metric.clone(), samples: Vec::new() });
            self.series.len() - 1
        });
        self.series[at].samples.push((scrape, value));
    }

    fn has_room(&self) -> bool {
        self.spans.len() < SPANS
    }
}

/// Says whether a task's trace is recorded.
fn is_traced(trace: u32) -> bool {
    trace != 0 && trace != NONE
}
