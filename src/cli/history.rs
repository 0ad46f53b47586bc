//! `rootline diff A B` and `rootline history add|search`: local files only.

use super::formats::Plain;
use super::output::in_folders;
use super::{Known, Outcome, Terminal, write_file};
use crate::diagnose;
use crate::error::{Error, Result};
use crate::history::{Digest, SCHEMA, compare, similarity};
use crate::report::{self, Style};
use clap::{Args, Subcommand};
use std::fs;
use std::path::{Path, PathBuf};

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// Folder of exports, or a diagnosis written as JSON.
    a: PathBuf,
    /// The other one.
    b: PathBuf,
    #[arg(long, value_enum, default_value = "text")]
    format: Plain,
    #[command(flatten)]
    known: Known,
}

impl Diff {
    pub(super) fn run(&self, style: &Style, terminal: Terminal) -> Result<Outcome> {
        let c = compare(
            digest(&self.a, &self.known, terminal)?,
            digest(&self.b, &self.known, terminal)?,
        );
        Ok(Outcome::text(match self.format {
            Plain::Text => report::comparison(&c, style),
            Plain::Json => report::json(&c),
        }))
    }
}

/// A kept digest: name of its file, likeness, what it holds.
type Kept = (String, f64, Digest);

/// Arguments of `history`.
#[derive(Debug, Args)]
pub struct History {
    #[command(subcommand)]
    command: HistoryCommand,
    /// Folder in which the digests of diagnoses are kept, a file each.
    #[arg(long, global = true, value_name = "DIR", default_value = "rootline-history")]
    store: PathBuf,
}

#[derive(Debug, Subcommand)]
enum HistoryCommand {
    /// Keep the digest of a diagnosis: findings and facts, no measured data.
    Add {
        /// Folder of exports, or a diagnosis written as JSON.
        folder: PathBuf,
        #[command(flatten)]
        known: Known,
    },
    /// Show kept diagnoses that are like one, best first.
    Search {
        /// Folder of exports, or a diagnosis written as JSON.
        folder: PathBuf,
        /// How many are shown.
        #[arg(long, default_value_t = 5)]
        top: usize,
        #[arg(long, value_enum, default_value = "text")]
        format: Plain,
        #[command(flatten)]
        known: Known,
    },
}

impl History {
    pub(super) fn run(&self, style: &Style, terminal: Terminal) -> Result<Outcome> {
        match &self.command {
            HistoryCommand::Add { folder, known } => self.add(&digest(folder, known, terminal)?),
            HistoryCommand::Search { folder, top, format, known } => {
                let own = digest(folder, known, terminal)?;
                let (mut found, stderr) = self.kept()?;
                let kept = found.len();
                for f in &mut found {
                    f.1 = similarity(&own, &f.2);
                }
                found.retain(|f| f.1 > 0.0 && f.2.key != own.key);
                found.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
                found.truncate(*top);
                let stdout = match format {
                    Plain::Text => report::alike(&found, kept, style),
                    Plain::Json => report::json(&found),
                };
                Ok(Outcome { stderr, ..Outcome::text(stdout) })
            }
        }
    }

    /// Keeps a digest under a name of its day and data; the same data again replace their own file.
    fn add(&self, d: &Digest) -> Result<Outcome> {
        let day: String = d.from.chars().take_while(|c| *c != 'T').collect();
        let path = self.store.join(format!("{day}-{}.json", d.key));
        in_folders([self.store.as_path()], || write_file(&path, report::json(d), true))?;
        Ok(Outcome::text(format!("{}\n", path.display())))
    }

    /// Every digest in the store by name, with a warning for each file that is none.
    fn kept(&self) -> Result<(Vec<Kept>, String)> {
        let place = self.store.display().to_string();
        let entries = fs::read_dir(&self.store).map_err(|e| {
            Error::usage(place, e.to_string()).hint("`rootline history add FOLDER` makes the store")
        })?;
        let mut files: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
        files.retain(|p| p.extension().is_some_and(|e| e == "json"));
        files.sort();
        let (mut found, mut warnings) = (Vec::new(), String::new());
        for path in files {
            let text = fs::read_to_string(&path).map_err(|e| e.to_string());
            let read = text.and_then(|t| serde_json::from_str(&t).map_err(|e| e.to_string()));
            match read {
                Ok(d @ Digest { schema: SCHEMA, .. }) => found.push((name(&path), 0.0, d)),
                Ok(d) => {
                    let what = format!("schema {} is not known; left out", d.schema);
                    warnings
                        .push_str(&format!("{}\n", Error::usage(path.display().to_string(), what)));
                }
                Err(e) => {
                    warnings.push_str(&format!("{}\n", Error::usage(path.display().to_string(), e)))
                }
            }
        }
        Ok((found, warnings))
    }
}

fn name(path: &Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The digest of a folder, or of a diagnosis that was written as JSON.
fn digest(path: &Path, known: &Known, terminal: Terminal) -> Result<Digest> {
    if path.is_file() && path.extension().is_some_and(|e| e == "json") {
        let place = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|e| Error::runtime(place, e.to_string()))?;
        let read = serde_json::from_str(&text).ok();
        if let Some(d) = read.and_then(|v| Digest::of_json(&v)) {
            return Ok(d);
        }
    }
    Ok(Digest::of(&diagnose(path, &known.options(terminal))?))
}
