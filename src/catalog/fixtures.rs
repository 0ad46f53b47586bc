//! The labelled folders that the catalogue is tested on: `fixtures/incidents/*`, of which each has
//! a cause, and `fixtures/healthy/*`, in which nothing is wrong. In: the folder in which fixture
//! paths start. Out: each fixture with its truth. The diagnosis never comes here.

use super::scaffold::UNFILLED;
use crate::diagnosis::Verdict;
use crate::error::{Error, Result, line_column};
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};

/// The folders of labelled recordings, below the folder in which fixture paths start.
pub const KINDS: [&str; 2] = ["fixtures/incidents", "fixtures/healthy"];
/// The label of a fixture.
pub const LABEL: &str = "truth.toml";

/// A labelled recording.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// Path as signatures name it, e.g. `fixtures/incidents/pool-leak`.
    pub name: String,
    pub folder: PathBuf,
    pub truth: Truth,
}

/// What is true of a recording.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Truth {
    /// `incident` or `healthy`.
    pub verdict: String,
    /// Entities of which one is to blame; empty where nobody is.
    #[serde(default)]
    pub entity: Vec<String>,
    /// Signatures of which one must come first.
    #[serde(default)]
    pub signature: Vec<String>,
    /// Signatures that must not come first.
    #[serde(default)]
    pub not: Vec<String>,
    pub onset: Option<String>,
    pub end: Option<String>,
    #[serde(default)]
    pub notes: String,
}

impl Truth {
    /// Says whether nothing is wrong.
    pub fn is_healthy(&self) -> bool {
        self.verdict == Verdict::Healthy.word()
    }
}

/// What is known of a fixture that a test names.
#[derive(Clone, Debug)]
pub enum Label {
    /// No such folder.
    Missing,
    /// A folder outside [`KINDS`] without a label, e.g. one of a format.
    Unlabelled,
    Defective(String),
    Labelled {
        truth: Truth,
        /// Lines of the label that are still to be filled in.
        unfilled: usize,
        /// Something lies beside the label.
        recorded: bool,
    },
}

/// Looks a fixture up by the path that a test names.
pub fn label(root: &Path, name: &str) -> Label {
    let folder = root.join(name);
    if !folder.is_dir() {
        return Label::Missing;
    }
    let labelled = KINDS.iter().any(|k| name.starts_with(k)) || folder.join(LABEL).is_file();
    if !labelled {
        return Label::Unlabelled;
    }
    let text = fs::read_to_string(folder.join(LABEL)).unwrap_or_default();
    let unfilled = text.lines().filter(|l| l.contains(UNFILLED)).count();
    let beside = fs::read_dir(&folder).into_iter().flatten().flatten();
    let recorded = beside.into_iter().any(|e| e.file_name() != LABEL);
    match truth(&folder) {
        Ok(truth) => Label::Labelled { truth, unfilled, recorded },
        Err(e) => Label::Defective(e.to_string()),
    }
}

/// The file; what stands beside `[truth]` is for people.
#[derive(Deserialize)]
struct File {
    truth: Truth,
}

/// Every labelled recording, sorted by path.
///
/// # Errors
///
/// When a folder cannot be listed, is missing its truth, or the truth is defective.
pub fn fixtures(root: &Path) -> Result<Vec<Fixture>> {
    let mut found = Vec::new();
    for kind in KINDS {
        let folder = root.join(kind);
        let place = folder.display().to_string();
        let entries = fs::read_dir(&folder).map_err(|e| {
            Error::usage(place.clone(), e.to_string())
                .hint("`--root DIR` names the folder that holds fixtures/")
        })?;
        for entry in entries {
            let entry = entry.map_err(|e| Error::runtime(place.clone(), e.to_string()))?;
            let folder = entry.path();
            if folder.is_dir() {
                let name = format!("{kind}/{}", entry.file_name().to_string_lossy());
                found.push(Fixture { truth: truth(&folder)?, name, folder });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Reads the truth of one recording.
///
/// # Errors
///
/// When there is none, or it has an unknown key or verdict; with line and column.
pub fn truth(folder: &Path) -> Result<Truth> {
    let path = folder.join(LABEL);
    let place = path.display().to_string();
    let text = fs::read_to_string(&path).map_err(|e| Error::catalog(&place, e.to_string()))?;
    let parsed: std::result::Result<File, toml::de::Error> = toml::from_str(&text);
    let truth = parsed.map(|f| f.truth).map_err(|e| {
        let (line, column) = line_column(&text, e.span().map_or(0, |s| s.start));
        Error::catalog(format!("{place}:{line}:{column}"), e.message().trim().to_owned())
    })?;
    if truth.verdict == "incident" || truth.is_healthy() {
        return Ok(truth);
    }
    let healthy = Verdict::Healthy.word();
    let what = format!("verdict \"{}\" is neither incident nor {healthy}", truth.verdict);
    Err(Error::catalog(place, what))
}
