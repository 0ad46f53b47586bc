//! `rootline mcp FOLDER`.

use super::{Known, Outcome, Terminal};
use crate::error::{Error, Result};
use crate::mcp::Server;
use crate::{catalog_at_site, diagnose};
use clap::Args;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

/// Arguments of `mcp`.
#[derive(Debug, Args)]
pub struct Mcp {
    /// Folder of exports, or one file.
    folder: PathBuf,
    #[command(flatten)]
    known: Known,
}

impl Mcp {
    pub(super) fn run(&self, terminal: Terminal) -> Result<Outcome> {
        let options = self.known.options(terminal);
        let catalog = catalog_at_site(&options)?;
        let diagnosis = diagnose(&self.folder, &options)?;
        let server = Server { diagnosis: &diagnosis, catalog: &catalog };
        match server.serve(io::stdin().lock(), io::stdout().lock()) {
            // The other side has gone: that is how such a session ends.
            Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Error::runtime("", e.to_string())),
            _ => Ok(Outcome::text(String::new())),
        }
    }
}
