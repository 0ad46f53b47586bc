//! A folder with more spans than are held one by one. In: the folder and how many are held. Out: what a
//! folder of their rollups would give, under the names of the files that hold the spans.

use super::facts::Facts;
use super::{Question, Rollup, Table, scan};
use crate::error::Result;
use crate::ingest::raw::{InputFile, Raw};
use crate::ingest::{self, Limits, Unpacked};
use crate::model::{Gap, GapKind, SECOND};
use rayon::prelude::*;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Length of a bucket of spans that are too many, seconds.
const BUCKET_S: i64 = 10;

/// Parquet of more spans than are held one by one.
pub struct Large {
    root: PathBuf,
    files: Vec<scan::Known>,
    spans: u64,
    held: u64,
}

impl Large {
    /// Finds them below a folder; `None` where they can be held.
    pub fn in_folder(root: &Path, limits: Limits) -> Option<Large> {
        if !root.is_dir() {
            return None;
        }
        let files = scan::span_files(root);
        let spans = files.iter().map(scan::Known::spans).sum();
        let (root, held) = (root.to_owned(), limits.spans);
        (spans > held).then_some(Large { root, files, spans, held })
    }

    /// Their files, as paths in the folder.
    pub fn paths(&self) -> Vec<String> {
        self.files.iter().map(|f| ingest::relative(&self.root, f.path())).collect()
    }

    /// Rolls them up as they are read.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub fn read(self) -> Result<Raw> {
        let inputs: Vec<InputFile> = self.files.par_iter().map(|f| self.input(f)).collect();
        let path = inputs.first().map_or("", |f| f.path.as_str()).to_owned();
        let question = Question { bucket: BUCKET_S * SECOND, from: None, to: None };
        let (rolled, names, tally) = scan::of_files(self.files, &question)?;
        let raw = Rollup { rolled, names, facts: Facts::default(), tally };
        let mut raw = raw.read(&Table::SPANS)?;
        raw.series.iter_mut().for_each(|s| s.file = 0);
        raw.files = inputs;
        let what = format!(
            "{} spans are more than the {} that are held one by one: counted in buckets of \
             {BUCKET_S} s by service, operation and call (`--limit spans=N` holds more)",
            self.spans, self.held
        );
        raw.gaps.push(Gap { count: self.spans, ..Gap::at(GapKind::Inferred, &path, None, what) });
        Ok(raw)
    }

    /// What is said of one file.
    fn input(&self, file: &scan::Known) -> InputFile {
        let mut input = InputFile::named(&ingest::relative(&self.root, file.path()));
        let whole = File::open(file.path()).and_then(|f| Unpacked::new(f, Limits::default()));
        (input.sha256, input.bytes) = whole.map(Unpacked::finish).unwrap_or_default();
        input.rows = file.spans();
        input.of_spans = true;
        "parquet".clone_into(&mut input.reader);
        "the columns of spans".clone_into(&mut input.why);
        input
    }
}
