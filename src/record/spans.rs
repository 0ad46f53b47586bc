//! Spans of the window from Parquet in an object store, rolled up as they are read: only footers and
//! the row groups of the window are fetched. In: a bucket. Out: the tables of a rollup, and a note of
//! what was fetched.

use super::journal::Journal;
use super::now;
use super::objects::Objects;
use super::pace::Signals;
use super::slices::SETTLE;
use crate::error::Result;
use crate::lake::{self, Question, Store, Table};
use crate::model::{SECOND, Window};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Name of the part in the log.
const PART: &str = "spans";
/// Length of a bucket, seconds.
const BUCKET_S: i64 = 10;

/// A bucket and what is wanted of it.
pub struct Spans<'a> {
    pub objects: Arc<Objects>,
    pub shown: &'a str,
    pub journal: &'a Journal,
    pub signals: &'a Signals,
    pub window: Window,
}

impl Spans<'_> {
    /// Waits for the window's end, then rolls it up.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written; a store that does not answer is a gap.
    pub fn run(&self) -> Result<()> {
        if self.journal.is_done(PART) {
            return Ok(());
        }
        let left = (self.window.to + SETTLE - now()).max(0);
        if now() < self.window.to {
            self.signals.wait(Instant::now() + Duration::from_micros(left.unsigned_abs()));
        }
        if self.signals.stopped() {
            return Ok(());
        }
        let (from, to) = (Some(self.window.from), Some(self.window.to));
        let question = Question { bucket: BUCKET_S * SECOND, from, to };
        let store: Arc<dyn Store> = self.objects.clone();
        match lake::of_store(&store, self.shown, &question) {
            Ok(rollup) => self.keep(&rollup),
            Err(_) if self.signals.stopped() => Ok(()),
            Err(e) => self.journal.gap(PART, &e.to_string()),
        }
    }

    fn keep(&self, rollup: &lake::Rollup) -> Result<()> {
        let (tally, (requests, bytes)) = (rollup.tally, self.objects.fetched());
        self.journal.note(
            PART,
            &format!(
                "{} spans of the window; {} files opened, {} of other days left out; {} of {} row \
                 groups read; {requests} requests, {bytes} bytes fetched of {} of the columns",
                tally.spans,
                tally.files,
                tally.files_left_out,
                tally.row_groups_read,
                tally.row_groups,
                tally.bytes
            ),
        )?;
        if tally.spans == 0 {
            return self.journal.gap(PART, "no spans of the window are there");
        }
        for table in Table::SPANS.iter().filter(|t| rollup.rows(**t) > 0) {
            let (part, name) = (format!("{PART}/{}", table.name()), table.name());
            let file = format!("{PART}/{name}.parquet");
            self.journal.write(&part, &file, &rollup.parquet(*table)?)?;
        }
        self.journal.done(PART)
    }
}
