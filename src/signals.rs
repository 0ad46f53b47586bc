//! The table of canonical signals (`signatures/signals.toml`) and the reading of metric names.
//! In: an exporter's name. Out: the signal, the statistic, the unit and how sure that is.

mod names;

use crate::error::{Error, Result, line_column};
use crate::model::{EntityKind, Unit};
use names::{Alias, TIMES, forms, stem, strip_one};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

pub use names::{qualifies, stat_of, words};

/// The table that ships with the program.
const BUILT_IN: &str = include_str!("../signatures/signals.toml");

/// Index of a signal in [`SignalTable::signals`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignalId(pub u16);

/// Which way of a signal is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    Up,
    Down,
    /// Only relative to what it should follow, e.g. traffic.
    Both,
    /// A limit or a fact; never a symptom.
    None,
}

/// From where a signal is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum View {
    Server,
    Client,
    Internal,
}

/// How several series of one entity become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Combine {
    Sum,
    Mean,
    Max,
    Min,
}

/// What an alias says: the signal, and the unit where it knows it.
type Known = (SignalId, Option<&'static str>);

/// A canonical signal.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    pub name: String,
    /// What the ranking takes it for: `latency`, `errors`, `traffic`, `cpu`, …
    pub role: String,
    unit: String,
    pub direction: Direction,
    pub view: View,
    pub combine: Combine,
    #[serde(default)]
    aliases: Vec<Alias>,
    /// Labels that split the signal by state, the first that a series has, and the states that
    /// count.
    #[serde(default)]
    pub state_labels: Vec<String>,
    #[serde(default)]
    pub state_kept: Vec<String>,
    #[serde(default)]
    pub state_dropped: Vec<String>,
    #[serde(default)]
    pub member_label: Option<String>,
    /// Values that labels must have, where a series has them; others of the name mean other things.
    #[serde(default)]
    pub only: BTreeMap<String, String>,
    /// A counter also where its name has no `_total`, if its values behave like one.
    #[serde(default)]
    pub counter: bool,
    /// The server reports it when a statement ends, so its time says nothing.
    #[serde(default)]
    pub late: bool,
}

impl Signal {
    /// The signal's base unit.
    pub fn unit(&self) -> Unit {
        match self.unit.as_str() {
            "s" => Unit::Seconds,
            "By" => Unit::Bytes,
            "ratio" => Unit::Ratio,
            "count" => Unit::Count,
            "1/s" => Unit::PerSecond,
            "By/s" => Unit::BytesPerSecond,
            "cores" => Unit::Cores,
            "instant" => Unit::Instant,
            _ => Unit::None,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Guess {
    #[serde(default)]
    words: Vec<String>,
    #[serde(default)]
    any: Vec<String>,
    #[serde(default)]
    with: Vec<String>,
    /// The whole name, but for its unit and statistic.
    #[serde(default)]
    only: Vec<String>,
    signal: String,
}

/// A signal that is one signal over the sum of others.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Derive {
    pub signal: String,
    pub numerator: String,
    /// Only series of this state count in the numerator.
    pub numerator_state: Option<String>,
    pub denominator: Vec<String>,
    /// The denominator is a limit that seldom changes: its last value holds at the numerator's
    /// times, and the numerator's states add up.
    #[serde(default)]
    pub limit: bool,
    /// What the limit loses, e.g. connections kept for superusers.
    #[serde(default)]
    pub less: Vec<String>,
}

/// How a call ended, in one word, and the texts that say so.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Outcome {
    name: String,
    #[serde(default)]
    exact: Vec<String>,
    #[serde(default)]
    words: Vec<String>,
}

/// What kind of entity the metrics of an exporter are about.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exporter {
    pub prefix: String,
    pub kind: EntityKind,
    pub name_labels: Vec<String>,
    /// Labels that name the part of the entity that measured.
    #[serde(default)]
    pub instance_labels: Vec<String>,
    /// Label that names what the entity lives on, as a queue on its broker.
    #[serde(default)]
    pub runs_on: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "schema")]
    _schema: u32,
    #[serde(rename = "signal")]
    signals: Vec<Signal>,
    #[serde(rename = "guess")]
    guesses: Vec<Guess>,
    #[serde(rename = "derive")]
    derives: Vec<Derive>,
    #[serde(rename = "exporter")]
    exporters: Vec<Exporter>,
    labels: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    same: Vec<Vec<String>>,
    #[serde(default, rename = "outcome")]
    outcomes: Vec<Outcome>,
}

/// Which part of a metric a series is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    #[default]
    Value,
    /// `_total`: a counter, if its values agree.
    Total,
    Sum,
    Count,
    Bucket,
}

/// Which statistic of the signal the values are; quantiles in per cent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stat {
    #[default]
    Value,
    Mean,
    Quantile(u8),
    Max,
    Min,
    Sum,
}

/// What a metric name means.
#[derive(Clone, Debug, PartialEq)]
pub struct Meaning {
    pub signal: SignalId,
    pub part: Part,
    pub stat: Stat,
    /// Unit word found in the name.
    pub unit: Option<&'static str>,
    /// True when no alias knows the name and its words had to decide.
    pub guessed: bool,
}

/// All signals, with the look-up tables made from the file.
#[derive(Clone)]
pub struct SignalTable {
    pub signals: Vec<Signal>,
    pub derives: Vec<Derive>,
    pub exporters: Vec<Exporter>,
    labels: BTreeMap<String, Vec<String>>,
    guesses: Vec<(Guess, SignalId)>,
    by_key: HashMap<String, Known>,
    by_exact: HashMap<String, Known>,
    /// Set and rank of names that stand for one measurement.
    same: HashMap<String, (usize, usize)>,
    by_name: HashMap<String, SignalId>,
    outcomes: Vec<Outcome>,
}

impl SignalTable {
    /// The table that ships with the program, parsed once in a process.
    pub fn built_in() -> Result<&'static SignalTable> {
        static PARSED: OnceLock<SignalTable> = OnceLock::new();
        if let Some(table) = PARSED.get() {
            return Ok(table);
        }
        let table = SignalTable::parse(BUILT_IN, "signatures/signals.toml")?;
        Ok(PARSED.get_or_init(|| table))
    }

    /// Parses a table; errors carry `path:line:column`.
    pub fn parse(text: &str, path: &str) -> Result<SignalTable> {
        let file: File = toml::from_str(text).map_err(|e| {
            let (line, column) = line_column(text, e.span().map_or(0, |s| s.start));
            Error::catalog(format!("{path}:{line}:{column}"), e.message().to_owned())
        })?;
        let mut by_name = HashMap::new();
        for (i, s) in file.signals.iter().enumerate() {
            if by_name.insert(s.name.clone(), SignalId(i as u16)).is_some() {
                let what = format!("signal \"{}\" is defined twice", s.name);
                return Err(Error::catalog(path, what));
            }
        }
        let find = |name: &str| {
            let missing = || Error::catalog(path, format!("signal \"{name}\" is not defined"));
            by_name.get(name).copied().ok_or_else(missing)
        };
        let (mut by_key, mut by_exact) = (HashMap::new(), HashMap::new());
        for (i, s) in file.signals.iter().enumerate() {
            let own = Alias::Plain(s.name.clone());
            for alias in s.aliases.iter().chain([&own]) {
                let known = (SignalId(i as u16), alias.unit());
                if alias.exact() {
                    by_exact.insert(alias.name().to_owned(), known);
                    continue;
                }
                for form in forms(&words(alias.name())) {
                    by_key.entry(form).or_insert(known);
                }
            }
        }
        let mut same = HashMap::new();
        for (set, names) in file.same.iter().enumerate() {
            for (rank, name) in names.iter().enumerate() {
                same.entry(stem(name)).or_insert((set, rank));
                // A sum that an exporter adds up has a name of its own.
                same.insert(words(name).concat(), (set, rank));
            }
        }
        let mut guesses = Vec::new();
        for g in file.guesses {
            let id = find(&g.signal)?;
            guesses.push((g, id));
        }
        for d in &file.derives {
            let all = d.denominator.iter().chain(&d.less).chain([&d.signal, &d.numerator]);
            all.map(|n| find(n)).collect::<Result<Vec<_>>>()?;
        }
        Ok(SignalTable {
            signals: file.signals,
            derives: file.derives,
            exporters: file.exporters,
            labels: file.labels,
            guesses,
            by_key,
            by_exact,
            same,
            by_name,
            outcomes: file.outcomes,
        })
    }

    /// The signal of an id.
    pub fn get(&self, id: SignalId) -> &Signal {
        &self.signals[id.0 as usize]
    }

    /// Finds a canonical signal by its own name.
    pub fn named(&self, name: &str) -> Option<SignalId> {
        self.by_name.get(name).copied()
    }

    /// Label names that play a part: `service`, `instance`, `callee`, `status`, …
    pub fn label_names(&self, part: &str) -> &[String] {
        self.labels.get(part).map_or(&[], Vec::as_slice)
    }

    /// How a call ended, by the text of a status or an error; `None` where nothing known is said.
    pub fn outcome(&self, text: &str) -> Option<&str> {
        if text.is_empty() {
            return None;
        }
        let letters = text.chars().filter(char::is_ascii_alphanumeric);
        let folded: String = letters.map(|c| c.to_ascii_lowercase()).collect();
        let says = |o: &&Outcome| {
            o.exact.iter().any(|e| e.eq_ignore_ascii_case(text))
                || o.words.iter().any(|w| folded.contains(w.as_str()))
        };
        self.outcomes.iter().find(says).map(|o| o.name.as_str())
    }

    /// Names of all outcomes, in the order of the file.
    pub fn outcome_names(&self) -> impl Iterator<Item = &str> {
        self.outcomes.iter().map(|o| o.name.as_str())
    }

    /// Canonical names and aliases, for did-you-mean.
    pub fn all_names(&self) -> impl Iterator<Item = &str> {
        let aliases = self.signals.iter().flat_map(|s| s.aliases.iter().map(Alias::name));
        aliases.chain(self.signals.iter().map(|s| s.name.as_str()))
    }

    /// The measurement that a name stands for, and how good a name it is, 0 the best; `None` where
    /// no other name stands for the same.
    pub fn twin(&self, name: &str) -> Option<(String, usize)> {
        let stem = stem(name);
        let whole = self.same.get(&words(name).concat());
        if let Some((set, rank)) = whole.or_else(|| self.same.get(&stem)) {
            return Some((set.to_string(), *rank));
        }
        // The same name in seconds and in milliseconds.
        let all = words(name);
        let has = |of: &[&str]| all.iter().any(|w| of.contains(&w.as_str()));
        let rank = usize::from(has(&TIMES));
        (rank == 1 || has(&["seconds"])).then_some((stem, rank))
    }

    /// Understands a metric name; `None` only for an empty one.
    pub fn meaning(&self, name: &str) -> Option<Meaning> {
        let all = words(name);
        if all.is_empty() {
            return None;
        }
        if let Some((signal, unit)) = self.by_exact.get(name).copied() {
            let (part, stat) = (Part::Value, Stat::Value);
            return Some(Meaning { signal, part, stat, unit, guessed: false });
        }
        if let Some(known) = self.known(&all) {
            return Some(known);
        }
        // `p50_latency` is `latency_p50`.
        if let Some((first, others)) = all.split_first().filter(|(w, _)| stat_of(w).is_some()) {
            let turned: Vec<String> = others.iter().chain([first]).cloned().collect();
            if let Some(known) = self.known(&turned) {
                return Some(known);
            }
        }
        let (mut part, mut stat, mut unit) = (Part::Value, Stat::Value, None);
        let mut rest = all.clone();
        while strip_one(&mut rest, &mut part, &mut stat, &mut unit) {}
        let has = |w: &String| all.contains(w);
        let stem = rest.concat();
        let hit = |g: &Guess| {
            let one_of = |of: &[String]| of.is_empty() || of.iter().any(has);
            let whole = |only: &String| *only == stem;
            g.words.iter().all(has)
                && one_of(&g.any)
                && one_of(&g.with)
                && (g.only.is_empty() || g.only.iter().any(whole))
        };
        let found = self.guesses.iter().find(|(g, _)| hit(g)).map(|(_, id)| *id);
        let other = self.named("other").unwrap_or(SignalId(0));
        let signal = found.unwrap_or(other);
        // Parts of a house histogram stay parts; any other sum or count is a counter.
        if self.get(signal).unit() != Unit::Seconds && matches!(part, Part::Count | Part::Sum) {
            part = Part::Total;
        }
        Some(Meaning { signal, part, stat, unit, guessed: true })
    }

    /// Says whether a word is one that metrics are known by.
    pub fn is_of_metrics(&self, word: &str) -> bool {
        let is = |w: &String| w == word;
        self.guesses
            .iter()
            .any(|(g, _)| g.words.iter().any(is) || g.any.iter().any(is) || g.with.iter().any(is))
    }

    /// A name that an alias knows, with or without suffixes.
    pub fn known(&self, all: &[String]) -> Option<Meaning> {
        let (mut part, mut stat, mut unit) = (Part::Value, Stat::Value, None);
        let mut rest = all.to_vec();
        while strip_one(&mut rest, &mut part, &mut stat, &mut unit) {}
        // A `_total` is one even where the alias is written with it; a `_count` may be a gauge.
        let total = part == Part::Total;
        (part, stat, rest) = (Part::Value, Stat::Value, all.to_vec());
        loop {
            if let Some((signal, own)) = self.by_key.get(&rest.concat()).copied() {
                if total && part == Part::Value {
                    part = Part::Total;
                }
                let unit = unit.or(own);
                return Some(Meaning { signal, part, stat, unit, guessed: false });
            }
            if !strip_one(&mut rest, &mut part, &mut stat, &mut unit) {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str) -> (String, Part, Stat, Option<&'static str>, bool) {
        let table = SignalTable::built_in().expect("the built-in table is valid");
        let m = table.meaning(name).expect("the name is not empty");
        (table.get(m.signal).name.clone(), m.part, m.stat, m.unit, m.guessed)
    }

    #[test]
    fn exporter_names_are_known_with_their_parts() {
        let duration = "http.server.request.duration".to_owned();
        let bucket = read("http_server_request_duration_seconds_bucket");
        assert_eq!(bucket, (duration.clone(), Part::Bucket, Stat::Value, Some("s"), false));
        assert_eq!(read("http.server.request.duration").0, duration);
        assert_eq!(read("process_cpu_seconds_total").0, "process.cpu.time");
        let latency = read("latency-99");
        assert_eq!((latency.0, latency.2), (duration, Stat::Quantile(99)));
    }

    #[test]
    fn housekeeping_is_no_symptom_of_users() {
        let house = [
            "container_memory_failures_total",
            "pg_exporter_last_scrape_duration_seconds",
            "redis_exporter_last_scrape_error",
            "node_scrape_collector_duration_seconds",
            "node_timex_maxerror_seconds",
            "container_memory_failcnt",
            "promhttp_metric_handler_errors_total",
            "go_memstats_mallocs_total",
            "net_conntrack_dialer_conn_failed_total",
            "prometheus_tsdb_compactions_failed_total",
        ];
        for name in house {
            assert_eq!(read(name).0, "housekeeping", "{name}");
        }
        assert_eq!(read("go_gc_duration_seconds").0, "guess.gc");
        assert_eq!(read("python_gc_objects_collected_total").0, "guess.gc");
    }

    #[test]
    fn errors_and_times_without_requests_are_internal() {
        assert_eq!(read("api_errors_total").0, "guess.errors");
        assert_eq!(read("checkout_error_rate").0, "guess.errors");
        assert_eq!(read("api_request_duration_seconds_sum").0, "guess.latency");
        assert_eq!(read("search_latency_p99").0, "guess.latency");
        let (name, part, ..) = read("reconcile_duration_seconds_count");
        assert_eq!((name.as_str(), part), ("guess.internal_latency", Part::Count));
        let table = SignalTable::built_in().expect("valid");
        let internal = table.named("guess.internal_errors").expect("defined");
        let signal = table.get(internal);
        assert_eq!((signal.role.as_str(), signal.view), ("errors", View::Internal));
    }

    #[test]
    fn house_names_are_guessed_from_their_words() {
        let (name, part, _, _, guessed) = read("agent_lookup_failed_total");
        assert_eq!((name.as_str(), part, guessed), ("guess.internal_errors", Part::Total, true));
        let (name, _, stat, unit, _) = read("db_query_duration_p99_ms");
        assert_eq!(
            (name.as_str(), stat, unit),
            ("db.query.duration", Stat::Quantile(99), Some("ms"))
        );
        assert_eq!(read("search_result_count_avg").0, "guess.traffic");
        assert_eq!(read("zorkmids").0, "other");
    }

    #[test]
    fn short_names_of_tables_are_guessed_from_their_words() {
        let latency = ["lat_50", "lat-90", "lat99", "rt_avg", "mrt", "resp_time", "duration_ms"];
        let errors = ["err_rate", "fail_rate", "5xx", "http_500", "errors_per_sec"];
        let traffic = ["req_count", "tps", "traffic", "cnt", "throughput", "ops_per_sec"];
        let guesses = [
            (&latency[..], "guess.latency"),
            (&["p50_latency", "avg_latency"], "http.server.request.duration"),
            (&errors, "guess.errors"),
            (&traffic, "guess.traffic"),
            (&["hit_rate"], "cache.hit_ratio"),
            (&["sr", "success_pct"], "guess.availability"),
            (&["net_in", "net_out_bytes"], "guess.network"),
            (&["threads", "thread_count"], "runtime.threads"),
            (&["conns"], "guess.connections"),
            (&["evictions"], "cache.evictions"),
        ];
        for (names, signal) in guesses {
            for name in names {
                assert_eq!(read(name).0, signal, "{name}");
            }
        }
        assert_eq!(read("lat_90").2, Stat::Quantile(90));
        assert_eq!(read("p99_latency").2, Stat::Quantile(99));
    }

    #[test]
    fn an_alias_knows_the_unit_that_its_name_hides() {
        assert_eq!(read("http.server.duration").3, Some("ms"));
        assert_eq!(read("http_server_duration_milliseconds_bucket").3, Some("ms"));
        assert_eq!(read("http_server_duration_seconds_bucket").3, Some("s"));
        assert_eq!(read("istio_request_duration_milliseconds").3, Some("ms"));
        assert_eq!(read("http.server.request.duration").3, None);
        assert_eq!(read("db.client.connections.wait_time").3, Some("ms"));
        assert_eq!(read("DatabaseConnectionsBorrowLatency").3, Some("us"));
        // Lambda's own spelling; any other `duration` stays a guess.
        assert_eq!(read("Duration").0, "http.server.request.duration");
        assert!(read("duration").4 && read("reconcile_duration_seconds").4);
    }

    #[test]
    fn texts_of_errors_say_how_a_call_ended() {
        let table = SignalTable::built_in().expect("valid");
        for (text, outcome) in [
            ("ClientConnectorCertificateError", "certificate"),
            ("x509: certificate has expired or is not yet valid", "certificate"),
            ("ClientConnectorDNSError", "name-resolution"),
            ("java.net.UnknownHostException", "name-resolution"),
            ("28P01", "credentials"),
            ("401", "credentials"),
            ("429", "throttled"),
            ("ClientConnectorError", "refused"),
            ("ECONNREFUSED", "refused"),
            ("context deadline exceeded", "timeout"),
            ("ServerDisconnectedError", "reset"),
            ("503", "unavailable"),
        ] {
            assert_eq!(table.outcome(text), Some(outcome), "{text}");
        }
        for text in ["", "200", "500", "KeyError", "40129"] {
            assert_eq!(table.outcome(text), None, "{text}");
        }
    }

    #[test]
    fn twins_are_ranked_new_names_first() {
        let table = SignalTable::built_in().expect("valid");
        let twin = |n| table.twin(n).expect("one of several names");
        let (set, new) = twin("http_server_request_duration_seconds_bucket");
        let (other, old) = twin("http_server_duration_milliseconds_count");
        assert!(set == other && new < old);
        assert!(twin("job_time_seconds_sum") < twin("job_time_milliseconds_sum"));
        assert_eq!(table.twin("http_requests_total"), None);
    }
}
