//! `rootline sessions FOLDER`.

use super::formats::Plain;
use super::{Instant, Outcome, moment, zone};
use crate::error::Result;
use crate::forensics::Wanted;
use crate::report::{self, Style};
use crate::time::Zone;
use crate::{Options, sessions};
use clap::Args;
use std::path::PathBuf;

/// Arguments of `sessions`.
#[derive(Debug, Args)]
pub struct Sessions {
    /// Folder of exports, or one file, with snapshots of pg_stat_activity.
    folder: PathBuf,
    /// Show the last snapshot at or before this time, instead of the worst.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<Instant>,
    /// Only sessions of this database, by its name in the server.
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// Show statements with their literals, which otherwise never leave the reader.
    #[arg(long)]
    show_literals: bool,
    /// Format on standard output.
    #[arg(long, value_enum, default_value = "text")]
    format: Plain,
    /// Zone of times that have none, e.g. Europe/Berlin; otherwise incident.toml's, or UTC.
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    timezone: Option<Zone>,
}

impl Sessions {
    pub(super) fn run(&self, style: &Style) -> Result<Outcome> {
        let options = Options {
            zone: self.timezone.clone(),
            show_literals: self.show_literals,
            ..Options::default()
        };
        let wanted = Wanted { at: self.at.map(|i| i.0), database: self.database.clone() };
        let answer = sessions(&self.folder, &options, &wanted)?;
        Ok(Outcome::text(match self.format {
            Plain::Text => report::sessions(&answer, style),
            Plain::Json => report::json(&answer),
        }))
    }
}
