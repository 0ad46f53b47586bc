//! `rootline timeline` and `rootline graph`: one part of the answer by itself.

use super::formats::Plain;
use super::{Known, Outcome, Target, Terminal};
use crate::diagnose;
use crate::error::Result;
use crate::report::{self, Style};
use clap::Args;
use std::path::PathBuf;

/// Arguments of `timeline`.
#[derive(Debug, Args)]
pub struct Timeline {
    /// Folder of exports, or one file.
    folder: PathBuf,
    #[arg(long, value_enum, default_value = "text")]
    format: Plain,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    known: Known,
}

impl Timeline {
    pub(super) fn run(&self, style: &Style, terminal: Terminal) -> Result<Outcome> {
        self.target.check()?;
        let d =
            diagnose(&self.folder, &self.target.leaving_out(&self.folder, &self.known, terminal))?;
        self.target.write(match self.format {
            Plain::Text => report::timeline(&d, style),
            Plain::Json => report::json(&d.timeline),
        })
    }
}

/// Arguments of `graph`.
#[derive(Debug, Args)]
pub struct Graph {
    /// Folder of exports, or one file.
    folder: PathBuf,
    /// For Graphviz.
    #[arg(long, conflicts_with = "mermaid")]
    dot: bool,
    /// For Mermaid, e.g. in Markdown.
    #[arg(long)]
    mermaid: bool,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    known: Known,
}

impl Graph {
    pub(super) fn run(&self, style: &Style, terminal: Terminal) -> Result<Outcome> {
        self.target.check()?;
        let d =
            diagnose(&self.folder, &self.target.leaving_out(&self.folder, &self.known, terminal))?;
        self.target.write(match (self.dot, self.mermaid) {
            (true, _) => report::dot(&d),
            (_, true) => report::mermaid(&d),
            _ => report::graph_text(&d, style),
        })
    }
}
