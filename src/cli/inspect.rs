//! `rootline inspect FOLDER`.

use super::formats::Plain;
use super::{Known, Outcome, Terminal};
use crate::error::{Error, ExitCode, Result};
use crate::ingest::READERS;
use crate::inspect;
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
    /// Format on standard output.
    #[arg(long, value_enum, default_value = "text")]
    format: Plain,
    #[command(flatten)]
    known: Known,
}

impl Inspect {
    pub(super) fn run(&self, style: &Style, terminal: Terminal) -> Result<Outcome> {
        if self.formats {
            let rows = READERS.iter().map(|r| [r.name.to_owned(), r.what.to_owned()]);
            return Ok(Outcome::text(report::two_columns(rows, style)));
        }
        let Some(folder) = &self.folder else {
            return Err(Error::usage("", "no folder given").hint("rootline inspect FOLDER"));
        };
        let inspection = inspect(folder, &self.known.options(terminal))?;
        let stdout = match self.format {
            Plain::Text => report::inspection(&inspection, style),
            Plain::Json => report::json(&inspection),
        };
        let code = if inspection.usable { ExitCode::Analysed } else { ExitCode::Usage };
        Ok(Outcome { stdout, stderr: String::new(), code })
    }
}
