//! Where a single output goes: standard output, or a file that is written whole or not at all.

use super::{Known, Outcome, Terminal, keep_existing, write_file};
use crate::Options;
use crate::error::Result;
use clap::Args;
use std::path::{Path, PathBuf};

/// Arguments of commands with one output.
#[derive(Debug, Args)]
pub(super) struct Target {
    /// Write this file instead of standard output (`-`).
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Overwrite the file.
    #[arg(long)]
    force: bool,
}

impl Target {
    /// The file, if it is one.
    pub(super) fn file(&self) -> Option<&Path> {
        (self.output.as_os_str() != "-").then_some(self.output.as_path())
    }

    /// Refuses a file that exists, before the work.
    pub(super) fn check(&self) -> Result<()> {
        self.file().map_or(Ok(()), |f| keep_existing(f, self.force))
    }

    /// Options of a diagnosis that does not read its own output.
    pub(super) fn leaving_out(&self, folder: &Path, known: &Known, terminal: Terminal) -> Options {
        let inner = self.file().and_then(|f| inside(folder, f));
        Options { exclude: inner.into_iter().collect(), ..known.options(terminal) }
    }

    /// Writes the text where it belongs.
    pub(super) fn write(&self, text: String) -> Result<Outcome> {
        match self.file() {
            None => Ok(Outcome::text(text)),
            Some(f) => {
                write_file(f, &text, self.force)?;
                Ok(Outcome::text(String::new()))
            }
        }
    }
}

/// The path of an output within the folder, however both are written.
pub(super) fn inside(folder: &Path, output: &Path) -> Option<String> {
    let parent = output.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let whole = parent.canonicalize().ok()?.join(output.file_name()?);
    let inner = whole.strip_prefix(folder.canonicalize().ok()?).ok()?.to_owned();
    let parts = inner.components().map(|c| c.as_os_str().to_string_lossy().into_owned());
    Some(parts.collect::<Vec<_>>().join("/"))
}
