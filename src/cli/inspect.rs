//! `rootline inspect FOLDER`.

use super::{Known, Outcome};
use crate::diagnose;
use crate::error::{Error, Result};
use crate::ingest::READERS;
use crate::report::{self, Style};
use clap::Args;
use std::path::PathBuf;

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// Folder of exports, or one file.
    folder: Option<PathBuf>,
    /// List the formats that are read.
    #[arg(long)]
    formats: bool,
    #[command(flatten)]
    known: Known,
}

impl Inspect {
    pub(super) fn run(&self, style: &Style) -> Result<Outcome> {
        if self.formats {
            let rows = READERS.iter().map(|r| [r.name.to_owned(), r.what.to_owned()]);
            return Ok(Outcome::text(report::two_columns(rows, style)));
        }
        let Some(folder) = &self.folder else {
            return Err(Error::usage("", "no folder given").hint("rootline inspect FOLDER"));
        };
        let diagnosis = diagnose(folder, &self.known.options())?;
        Ok(Outcome::text(report::inputs(&diagnosis, style)))
    }
}
