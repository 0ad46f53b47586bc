//! Wide and long tables in columns: `time, <series>…`, `time, metric, value, labels…`.
//! In: record batches. Out: series, the columns understood as those of a table of text.

use super::super::Input;
use super::super::cell::is_missing;
use super::super::raw::{Raw, RawSeries, Sym, Symbols};
use super::super::table::{self, Table};
use super::is_text;
use super::times::{is_time, times};
use super::values::{Pairs, is_number, numbers, texts};
use crate::model::{GapKind, Micros};
use crate::points::Points;
use ::arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
use ::arrow::datatypes::{DataType, Schema};
use ::arrow::error::ArrowError;
use std::collections::{BTreeMap, HashMap};

/// Rows of text that are looked at to decide what a column is.
const LOOK: usize = 50;

/// What a column of words says of a series.
#[derive(Clone, Copy, PartialEq)]
enum Key {
    Name,
    Unit,
    Statistic,
    Label,
    /// A map of labels.
    Labels,
}

/// One series of a column: its group's number and its samples.
type Part = (u32, Points);

/// One column of numbers, apart by the groups of its rows.
#[derive(Default)]
struct Metric {
    column: usize,
    unit: Option<String>,
    index: HashMap<u32, usize>,
    last: Option<(u32, usize)>,
    parts: Vec<Part>,
}

/// What the words beside the numbers say.
struct Group {
    name: String,
    unit: Option<String>,
    statistic: Option<String>,
    labels: BTreeMap<String, String>,
}

/// Series as they come up.
pub struct Sink {
    time: usize,
    header: Vec<String>,
    keys: Vec<(Key, usize)>,
    metrics: Vec<Metric>,
    long: bool,
    symbols: Symbols,
    index: HashMap<Vec<Sym>, u32>,
    groups: Vec<Group>,
}

/// How a table is to be read.
pub enum Shape {
    Typed(Box<Sink>),
    /// There are numbers that are text.
    Text,
    /// There is no time.
    Unknown,
}

/// The table's first rows as text where they are text, and a nought for each number; with the
/// columns of the batch that it has. Columns of further times and of lists are left out.
fn sample(batch: &RecordBatch, time: usize) -> Result<(Table, Vec<usize>), ArrowError> {
    let schema = batch.schema();
    let kept = |i: &usize| {
        let kind = schema.field(*i).data_type();
        *i == time || is_text(kind) || is_number(kind)
    };
    let columns: Vec<usize> = (0..schema.fields().len()).filter(kept).collect();
    let has_text = columns.iter().any(|i| *i != time && is_text(schema.field(*i).data_type()));
    let rows = if has_text { batch.num_rows().min(LOOK) } else { 1 };
    let mut table = Table { rows: vec![Vec::new(); rows], ..Table::default() };
    for at in &columns {
        let field = schema.field(*at);
        let name = if *at == time { "time" } else { field.name().as_str() };
        table.header.push(name.to_owned());
        let words = match is_text(field.data_type()) {
            true => Some(first_words(batch.column(*at), rows)?),
            false => None,
        };
        for (row, cells) in table.rows.iter_mut().enumerate() {
            let word = words.as_ref().map(|w| w.get(row).map_or("", String::as_str));
            cells.push(word.unwrap_or("0").to_owned());
        }
    }
    Ok((table, columns))
}

/// The first words of a column; where they say nothing, the first one is a later one that does.
fn first_words(column: &ArrayRef, rows: usize) -> Result<Vec<String>, ArrowError> {
    let owned = |words: &StringArray| -> Vec<String> {
        words.iter().map(|w| w.unwrap_or_default().to_owned()).collect()
    };
    let mut first = owned(&texts(&column.slice(0, rows))?);
    if first.iter().all(|w| is_missing(w)) {
        let all = texts(column)?;
        let later = all.iter().flatten().find(|w| !is_missing(w)).unwrap_or("a word");
        first.splice(..first.len().min(1), [later.to_owned()]);
    }
    Ok(first)
}

/// The time: a column of one of the usual names, else the first one that holds times.
fn time_column(schema: &Schema) -> Option<usize> {
    let named = |n: &&str| schema.fields().iter().position(|f| f.name().eq_ignore_ascii_case(n));
    let typed = || schema.fields().iter().position(|f| is_time(f.data_type()));
    ["timeunix"].iter().chain(&table::TIME).find_map(named).or_else(typed)
}

impl Sink {
    /// Decides by the first batch what the columns are.
    pub fn shape(input: &Input, batch: &RecordBatch, raw: &mut Raw) -> Shape {
        let schema = batch.schema();
        let Some(time) = time_column(&schema) else { return Shape::Unknown };
        let Ok((table, columns)) = sample(batch, time) else { return Shape::Text };
        let Some(c) = table::columns(&table) else { return Shape::Unknown };
        let kind = |i: usize| schema.field(columns[i]).data_type();
        let values: Vec<usize> = c.value.map_or(c.metrics.clone(), |v| vec![v]);
        if values.iter().any(|v| is_text(kind(*v))) {
            return Shape::Text;
        }
        let some = |key, column: Option<usize>| column.map(|i| (key, columns[i]));
        let mut keys: Vec<(Key, usize)> = Vec::new();
        keys.extend(some(Key::Name, c.name));
        keys.extend(some(Key::Unit, c.unit));
        keys.extend(some(Key::Statistic, c.statistic));
        keys.extend(c.labels.iter().map(|i| (Key::Label, columns[*i])));
        let maps = |i: &usize| matches!(schema.field(*i).data_type(), DataType::Map(..));
        keys.extend((0..schema.fields().len()).filter(maps).map(|i| (Key::Labels, i)));
        let used = |i: &usize| !columns.contains(i) && !keys.contains(&(Key::Labels, *i));
        let lost: Vec<usize> = (0..schema.fields().len()).filter(used).collect();
        let name = |i: usize| schema.field(i).name().clone();
        if !lost.is_empty() {
            let lost: Vec<String> = lost.iter().map(|i| name(*i)).collect();
            let what = format!("columns that hold no number and no word: {}", lost.join(", "));
            raw.gap(GapKind::Skipped, input.file, None, what);
        }
        let unit = |i: usize| matches!(kind(i), DataType::Duration(_)).then(|| "s".to_owned());
        let metric =
            |i: &usize| Metric { column: columns[*i], unit: unit(*i), ..Metric::default() };
        Shape::Typed(Box::new(Sink {
            time,
            header: (0..schema.fields().len()).map(name).collect(),
            keys,
            metrics: values.iter().map(metric).collect(),
            long: c.value.is_some(),
            symbols: Symbols::default(),
            index: HashMap::new(),
            groups: Vec::new(),
        }))
    }

    /// Reads the samples of one batch; `before` rows came before it.
    pub fn add(
        &mut self,
        input: &Input,
        batch: &RecordBatch,
        before: u64,
        raw: &mut Raw,
    ) -> Result<(), ArrowError> {
        let all: Vec<usize> = (0..batch.num_columns()).collect();
        self.add_some(input, batch, &all, before, raw)
    }

    /// Sets of at most `most` columns of numbers, each with the time, that can be read one set after
    /// the other; `None` where columns of words have to be read beside the numbers.
    pub fn column_sets(&self, most: usize) -> Option<Vec<Vec<usize>>> {
        let set = |metrics: &[Metric]| {
            let mut columns: Vec<usize> = metrics.iter().map(|m| m.column).collect();
            columns.push(self.time);
            columns.sort_unstable();
            columns
        };
        self.keys.is_empty().then(|| self.metrics.chunks(most).map(set).collect())
    }

    /// As [`Sink::add`], of a batch that holds only these columns of the table, ascending.
    pub fn add_some(
        &mut self,
        input: &Input,
        batch: &RecordBatch,
        columns: &[usize],
        before: u64,
        raw: &mut Raw,
    ) -> Result<(), ArrowError> {
        let place = |column: usize| columns.binary_search(&column).ok();
        let Some(time) = place(self.time) else { return Ok(()) };
        let times = times(batch.column(time), input.zone)?;
        if times.zone_assumed {
            raw.zone_assumed(input.file);
        }
        let bad = times.at.iter().filter(|t| t.is_none()).count() as u64;
        // A row is told once, with the first set of columns.
        let first_set = self.metrics.first().is_some_and(|m| place(m.column).is_some());
        if bad > 0 && first_set {
            let row = times.at.iter().position(Option::is_none).unwrap_or(0) as u64;
            let what = || "row without a readable time".to_owned();
            raw.skip_like(input.file, "timestamp", bad, || (Some(before + row + 1), what()));
        }
        let groups = self.groups_of(batch, input.series)?;
        let over = groups.iter().filter(|g| **g == OVER).count();
        if over > 0 {
            raw.leave_out(input.file, input.series, over as u64);
        }
        let even = even(&times.at, &groups);
        for metric in &mut self.metrics {
            let Some(at) = place(metric.column) else { continue };
            let values = numbers(batch.column(at))?;
            if let Some((group, first, step)) = even.filter(|e| e.0 != OVER && is_whole(&values)) {
                let room = values.len();
                metric.part(group, room).extend_every(first, step, values.values());
                continue;
            }
            let mut infinite = 0;
            let samples = values.iter().zip(&times.at).zip(&groups);
            let room = if self.groups.len() == 1 { batch.num_rows() } else { 4 };
            for ((value, at), group) in samples {
                match (value, at) {
                    _ if *group == OVER => {}
                    (Some(v), Some(at)) if v.is_finite() => {
                        metric.part(*group, room).push((*at, v));
                    }
                    (Some(v), Some(_)) if v.is_infinite() => infinite += 1,
                    _ => {}
                }
            }
            if infinite > 0 {
                let what = || format!("value of {} is infinite", self.header[metric.column]);
                raw.skip_like(input.file, "value", infinite, || (None, what()));
            }
        }
        Ok(())
    }

    /// The group of each row: rows with the same words belong to the same series. Those beyond
    /// `most` series belong to [`OVER`].
    fn groups_of(&mut self, batch: &RecordBatch, most: u64) -> Result<Vec<u32>, ArrowError> {
        let mut rows: Vec<Vec<Sym>> = vec![Vec::with_capacity(self.keys.len()); batch.num_rows()];
        for (key, column) in &self.keys {
            let column = batch.column(*column);
            let codes = match key {
                Key::Labels => maps(column, &mut self.symbols)?,
                _ => codes(column, &mut self.symbols)?,
            };
            rows.iter_mut().zip(codes).for_each(|(row, code)| row.push(code));
        }
        let metrics = self.metrics.len().max(1) as u64;
        let mut last: Option<(Vec<Sym>, u32)> = None;
        let mut out = Vec::with_capacity(rows.len());
        for row in rows {
            if let Some((known, group)) = &last
                && *known == row
            {
                out.push(*group);
                continue;
            }
            let group = match self.index.get(&row) {
                Some(group) => *group,
                None if (self.groups.len() as u64 + 1) * metrics > most => OVER,
                None => {
                    let group = self.groups.len() as u32;
                    self.groups.push(self.group(&row));
                    self.index.insert(row.clone(), group);
                    group
                }
            };
            out.push(group);
            last = Some((row, group));
        }
        Ok(out)
    }

    fn group(&self, words: &[Sym]) -> Group {
        let mut group =
            Group { name: String::new(), unit: None, statistic: None, labels: BTreeMap::new() };
        for ((key, column), word) in self.keys.iter().zip(words) {
            let text = self.symbols.text(*word).to_owned();
            let said = (!text.is_empty()).then_some(text);
            let Some(text) = said else { continue };
            match key {
                Key::Name => group.name = text,
                Key::Unit => group.unit = Some(text),
                Key::Statistic => group.statistic = Some(text),
                Key::Label => {
                    group.labels.insert(self.header[*column].clone(), text);
                }
                Key::Labels => {
                    let pairs = text.split(RECORD).filter_map(|p| p.split_once(FIELD));
                    group.labels.extend(pairs.map(|(k, v)| (k.to_owned(), v.to_owned())));
                }
            }
        }
        group
    }

    /// Hands over the series.
    pub fn finish(self, input: &Input, raw: &mut Raw) {
        for metric in self.metrics {
            let named = &self.header[metric.column];
            for (group, mut samples) in metric.parts {
                samples.shrink_to_fit();
                let Some(group) = self.groups.get(group as usize) else { continue };
                let name = if self.long { &group.name } else { named };
                raw.rows(input.file, samples.len() as u64);
                raw.series.push(RawSeries {
                    file: input.file,
                    name: name.clone(),
                    unit: group.unit.clone().or_else(|| metric.unit.clone()),
                    statistic: group.statistic.clone(),
                    labels: group.labels.clone(),
                    samples,
                    ..RawSeries::default()
                });
            }
        }
    }
}

impl Metric {
    /// The samples of a group, with `room` for so many on first sight.
    fn part(&mut self, group: u32, room: usize) -> &mut Points {
        let at = match self.last {
            Some((known, at)) if known == group => at,
            _ => *self.index.entry(group).or_insert_with(|| {
                self.parts.push((group, Points::with_capacity(room)));
                self.parts.len() - 1
            }),
        };
        self.last = Some((group, at));
        &mut self.parts[at].1
    }
}

/// The group of all rows of series beyond the limit.
const OVER: u32 = u32::MAX;

/// The group of all rows, and the first time and the distance of theirs, where they have one of each.
fn even(times: &[Option<Micros>], groups: &[u32]) -> Option<(u32, Micros, Micros)> {
    let (group, first) = (*groups.first()?, (*times.first()?)?);
    let step = (*times.get(1)?)?.checked_sub(first).filter(|step| *step > 0)?;
    let apart = |w: &[Option<Micros>]| w[0].zip(w[1]).is_some_and(|(a, b)| b - a == step);
    let same = groups.iter().all(|g| *g == group) && times.windows(2).all(apart);
    same.then_some((group, first, step))
}

/// Says whether there is a finite number in each row.
fn is_whole(values: &Float64Array) -> bool {
    values.null_count() == 0 && values.values().iter().all(|v| v.is_finite())
}

/// What parts the pairs of a map of labels, and key and value, in its one symbol.
const RECORD: char = '\u{1e}';
const FIELD: char = '\u{1f}';

/// Symbols of a column of words; a dictionary's words are looked at once each.
fn codes(column: &ArrayRef, symbols: &mut Symbols) -> Result<Vec<Sym>, ArrowError> {
    if let Some(dictionary) = column.as_any_dictionary_opt()
        && !dictionary.values().is_empty()
    {
        let words = codes(dictionary.values(), symbols)?;
        let keys = dictionary.normalized_keys().into_iter().enumerate();
        let word = |(row, key): (usize, usize)| match column.is_valid(row) {
            true => words.get(key).copied().unwrap_or_default(),
            false => Symbols::EMPTY,
        };
        return Ok(keys.map(word).collect());
    }
    let words = texts(column)?;
    let mut last = ("", symbols.intern(""));
    let mut out = Vec::with_capacity(words.len());
    for word in words.iter().map(|w| w.unwrap_or_default().trim()) {
        if word != last.0 {
            last = (word, symbols.intern(word));
        }
        out.push(last.1);
    }
    Ok(out)
}

/// Symbols of a column of maps, each map written as one word.
fn maps(column: &ArrayRef, symbols: &mut Symbols) -> Result<Vec<Sym>, ArrowError> {
    let Some(pairs) = Pairs::new(column)? else {
        return Ok(vec![symbols.intern(""); column.len()]);
    };
    let word = |row: usize| {
        let mut found: Vec<String> = Vec::new();
        pairs.each(row, |k, v| found.push(format!("{k}{FIELD}{v}")));
        found.sort();
        symbols.intern(&found.join(&RECORD.to_string()))
    };
    Ok((0..column.len()).map(word).collect())
}
