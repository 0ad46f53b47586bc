//! `kafka-consumer-groups --describe`: tables parted by blanks, one per group. In: text of any
//! version since 0.9. Out: lag and offsets under the names of kafka_exporter.

use super::states::{self, States};
use crate::ingest::raw::{Raw, RawEvent};
use crate::ingest::{Head, Input, cell};
use crate::model::GapKind;
use std::collections::{BTreeMap, BTreeSet};

/// Accepts a header with topic, partition and lag.
pub fn accepts(head: &Head) -> bool {
    let text = String::from_utf8_lossy(head.bytes);
    let said = |l: &str| {
        let l = l.trim_start_matches("Warning: ").trim_start_matches("Error: ");
        l.starts_with("Consumer group ") && group_in(l).is_some()
    };
    !head.is_json() && text.lines().take(60).any(|l| Header::of(l).is_some() || said(l))
}

/// Places of the columns; everything before `topic` is the group.
struct Header {
    commas: bool,
    width: usize,
    topic: usize,
    /// Places of partition, current offset, log end offset and lag.
    numbers: [Option<usize>; 4],
    consumer: Option<usize>,
}

impl Header {
    fn of(line: &str) -> Option<Header> {
        let commas = line.contains(", ");
        let words: Vec<String> =
            split(line, commas).iter().map(|w| w.to_uppercase().replace(' ', "-")).collect();
        let place = |names: &[&str]| words.iter().position(|w| names.contains(&w.as_str()));
        let topic = place(&["TOPIC"]).filter(|t| *t < 2)?;
        let partition = place(&["PARTITION", "PID"])?;
        let lag = place(&["LAG"])?;
        let current = place(&["CURRENT-OFFSET", "OFFSET"]);
        let end = place(&["LOG-END-OFFSET", "LOGSIZE"]);
        let numbers = [Some(partition), current, end, Some(lag)];
        let consumer = place(&["CONSUMER-ID", "OWNER"]);
        Some(Header { commas, width: words.len(), topic, numbers, consumer })
    }
}

fn split(line: &str, commas: bool) -> Vec<&str> {
    match commas {
        true => line.split(", ").map(str::trim).collect(),
        false => line.split_whitespace().collect(),
    }
}

/// The group between the quotes of a message about it.
fn group_in(line: &str) -> Option<&str> {
    let open = line.find(['\'', '`'])?;
    let rest = &line[open + 1..];
    Some(&rest[..rest.rfind(['\'', '`'])?])
}

/// A number, `None` for one that is not known, or an error for anything else.
fn known(word: &str) -> Result<Option<f64>, ()> {
    match word {
        "-" | "unknown" | "none" => Ok(None),
        w => cell::number(w).map(Some).ok_or(()),
    }
}

/// What is being read: the last header, the group it is about, and who consumes.
#[derive(Default)]
struct Reading {
    header: Option<Header>,
    /// Group of the last message, for tables without that column.
    group: String,
    seen: BTreeSet<(String, String, String)>,
    /// Log ends are the same in every group's table: the largest is kept.
    ends: BTreeMap<(String, String), f64>,
    members: BTreeMap<String, BTreeSet<String>>,
    states: States,
    rebalancing: Vec<(String, u64)>,
}

/// Reads every table.
pub fn read(input: &Input, raw: &mut Raw) {
    let text = String::from_utf8_lossy(input.bytes);
    let mut reading = Reading::default();
    for (line, number) in text.lines().map(str::trim).zip(input.first_line..) {
        if line.is_empty() {
            continue;
        } else if let Some(header) = Header::of(line) {
            reading.header = Some(header);
        } else if let Some(group) = group_in(line).filter(|_| line.contains("onsumer group")) {
            message(line, group, number, &mut reading, input, raw);
        } else if let Some(parsed) = states::stamp(line, input.zone) {
            if parsed.zone_assumed {
                raw.zone_assumed(input.file);
            }
            reading.begin(number);
            reading.states.set_at(parsed.at);
        } else if !line.starts_with("Note:") {
            row(line, number, &mut reading, input, raw);
        }
    }
    let Reading { states, rebalancing, .. } = reading.ended();
    if states.is_empty() {
        return;
    }
    let at = states.finish(input, raw);
    for (group, line) in rebalancing {
        let Some(at) = at else { continue };
        let (kind, title) = ("alert".to_owned(), "consumer group is rebalancing".to_owned());
        let (target, version, file) = (group.clone(), String::new(), input.file);
        raw.events.push(RawEvent { at, kind, service: group, target, title, version, file, line });
    }
}

impl Reading {
    /// Starts the next snapshot and closes the one before.
    fn begin(&mut self, line: u64) {
        let before = std::mem::take(self).ended();
        *self = Reading { seen: BTreeSet::new(), ..before };
        self.states.begin(None, line);
    }

    /// Hands over what is only known at the end of a snapshot.
    fn ended(mut self) -> Self {
        for ((topic, partition), end) in std::mem::take(&mut self.ends) {
            let labels = [("topic", topic.as_str()), ("partition", partition.as_str())];
            self.states.put("kafka_topic_partition_current_offset", &labels, end);
        }
        for (group, members) in std::mem::take(&mut self.members) {
            let labels = [("consumergroup", group.as_str())];
            self.states.put("kafka_consumergroup_members", &labels, members.len() as f64);
        }
        self
    }
}

fn message(
    line: &str,
    group: &str,
    number: u64,
    reading: &mut Reading,
    input: &Input,
    raw: &mut Raw,
) {
    if line.starts_with("Error") {
        let what = format!("the tool answered with an error: {line}");
        return raw.gap(GapKind::Missing, input.file, Some(number), what);
    }
    reading.group = group.to_owned();
    if reading.states.is_empty() {
        reading.begin(number);
    }
    reading.members.entry(group.to_owned()).or_default();
    if line.contains("rebalancing") {
        reading.rebalancing.push((group.to_owned(), number));
    }
}

fn row(line: &str, number: u64, reading: &mut Reading, input: &Input, raw: &mut Raw) {
    let Some(header) = &reading.header else {
        return raw.skip(input.file, Some(number), "line before a header", 1);
    };
    let words = split(line, header.commas);
    // A group's name may hold blanks; partition and offsets tell where it ends.
    let fits = |shift: &usize| {
        header
            .numbers
            .iter()
            .flatten()
            .all(|n| words.get(n + shift).is_some_and(|w| known(w).is_ok()))
    };
    let most = if header.topic == 1 { words.len().saturating_sub(header.width) } else { 0 };
    let Some(shift) = (0..=most).find(fits) else {
        let why = "row without a readable partition, offset or lag";
        return raw.skip(input.file, Some(number), why, 1);
    };
    let value = |n: usize| {
        let place = header.numbers.get(n).copied().flatten()?;
        known(words.get(place + shift)?).ok().flatten()
    };
    let word = |place: usize| words.get(place + shift).copied().unwrap_or_default().to_owned();
    let group = match header.topic {
        0 if reading.group.is_empty() => {
            input.name().split('.').next().unwrap_or_default().to_owned()
        }
        0 => reading.group.clone(),
        _ => words.get(..=shift).unwrap_or_default().join(" "),
    };
    let (topic, partition) = (word(header.topic), word(header.numbers[0].unwrap_or_default()));
    let consumer = header.consumer.map(word).filter(|c| !cell::is_missing(c));
    let numbers = [value(1), value(2), value(3)];
    reading.keep([group, topic, partition], consumer, numbers, number);
    if numbers[2].is_none() {
        let what = "row without a lag: nothing was committed yet, or the offset is not known";
        raw.skip(input.file, Some(number), what, 1);
    }
}

impl Reading {
    fn keep(
        &mut self,
        [group, topic, partition]: [String; 3],
        consumer: Option<String>,
        [current, end, lag]: [Option<f64>; 3],
        line: u64,
    ) {
        let key = (group.clone(), topic.clone(), partition.clone());
        if self.states.is_empty() || self.seen.contains(&key) {
            self.begin(line);
        }
        self.seen.insert(key);
        self.members.entry(group.clone()).or_default().extend(consumer);
        if partition == "-" {
            return;
        }
        let labels =
            [("consumergroup", group.as_str()), ("topic", &topic), ("partition", &partition)];
        for (name, v) in [("current_offset", current), ("lag", lag)] {
            if let Some(v) = v {
                self.states.put(&format!("kafka_consumergroup_{name}"), &labels, v);
            }
        }
        if let Some(end) = end {
            let largest = self.ends.entry((topic, partition)).or_insert(end);
            *largest = largest.max(end);
        }
    }
}
