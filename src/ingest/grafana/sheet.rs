//! One frame as columns of the same rows. In: times, texts and measurements. Out: series, one for
//! each measurement and each set of texts.

use super::legend;
use crate::ingest::raw::{FileId, Raw, RawSeries};
use crate::model::Micros;
use crate::points::Points;
use std::collections::{BTreeMap, HashMap};

/// A measurement; rows without a value hold NaN.
#[derive(Debug, Default)]
pub struct Values {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub unit: Option<String>,
    pub query: Option<String>,
    pub cells: Vec<f64>,
}

/// The columns of one frame.
#[derive(Debug, Default)]
pub struct Sheet {
    /// `None` where a row has no time that can be read.
    pub times: Vec<Option<Micros>>,
    /// Columns of text by name: labels of each row.
    pub texts: Vec<(String, Vec<String>)>,
    pub values: Vec<Values>,
}

/// Names of a text column that holds the name of what is measured in the row.
const NAME: [&str; 4] = ["metric", "name", "__name__", "series"];

impl Sheet {
    /// Hands over the series; rows without a time were said by whoever read them.
    pub fn push(mut self, file: FileId, raw: &mut Raw) {
        let name = self.texts.iter().position(|(n, _)| NAME.contains(&n.to_lowercase().as_str()));
        let name = name.filter(|_| self.values.len() == 1);
        let rows: Vec<usize> = (0..self.times.len()).filter(|r| self.times[*r].is_some()).collect();
        let mut numbers: HashMap<Vec<&str>, usize> = HashMap::new();
        // First row of every set of texts, and the set of every row.
        let (mut firsts, mut sets) = (Vec::new(), Vec::with_capacity(rows.len()));
        for row in &rows {
            let key = self.texts.iter().map(|(_, c)| c.get(*row).map_or("", String::as_str));
            let next = firsts.len();
            let number = *numbers.entry(key.collect()).or_insert(next);
            if number == next {
                firsts.push(*row);
            }
            sets.push(number);
        }
        drop(numbers);
        for values in std::mem::take(&mut self.values) {
            let mut made = vec![Points::new(); firsts.len()];
            for (row, set) in rows.iter().zip(&sets) {
                let value = values.cells.get(*row).copied().filter(|v| v.is_finite());
                if let (Some(at), Some(v)) = (self.times[*row], value) {
                    made[*set].push((at, v));
                }
            }
            for (samples, row) in made.into_iter().zip(&firsts) {
                if samples.is_empty() {
                    continue;
                }
                raw.rows(file, samples.len() as u64);
                raw.series.push(self.series(file, &values, name, *row, samples));
            }
        }
    }

    fn series(
        &self,
        file: FileId,
        values: &Values,
        name: Option<usize>,
        row: usize,
        samples: Points,
    ) -> RawSeries {
        let mut labels = values.labels.clone();
        for (i, (key, cells)) in self.texts.iter().enumerate() {
            let text = cells.get(row).map_or("", |c| c.trim());
            if Some(i) != name && !text.is_empty() {
                labels.insert(key.clone(), text.to_owned());
            }
        }
        let written = name.and_then(|n| self.texts[n].1.get(row)).filter(|n| !n.is_empty());
        let mut name = values.name.clone();
        if let Some(text) = written {
            let (own, _) = legend::of_header(text, None);
            name = own.name;
            labels.extend(own.labels);
        }
        RawSeries {
            file,
            name,
            query: values.query.clone(),
            unit: values.unit.clone(),
            labels,
            samples,
            ..RawSeries::default()
        }
    }
}
