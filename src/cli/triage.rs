//! `rootline triage FOLDER`.

use super::{Known, Outcome, Terminal, keep_existing, write_file};
use crate::diagnose;
use crate::diagnosis::{Diagnosis, TriageNotes};
use crate::error::{Error, Result};
use crate::report::Style;
use crate::time;
use crate::triage::{App, terminal};
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};

/// Names that are tried for one export.
const NAMES: usize = 1000;

/// Arguments of `triage`.
#[derive(Debug, Args)]
pub struct Triage {
    /// Folder of exports, or one file.
    folder: PathBuf,
    /// Go on with the rejections of an earlier export.
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Folder for exports (e); nothing in it is overwritten.
    #[arg(long, value_name = "DIR", default_value = ".")]
    export_to: PathBuf,
    #[command(flatten)]
    known: Known,
}

impl Triage {
    pub(super) fn run(&self, style: &Style, terminal: Terminal) -> Result<Outcome> {
        if !terminal.is_terminal || terminal.dumb {
            let what =
                "triage is interactive, and standard output is no terminal that it can draw on";
            return Err(Error::usage("", what)
                .hint("`rootline diagnose FOLDER` writes the same as text, `-v` in full"));
        }
        let notes = self.resume.as_deref().map(read_notes).transpose()?;
        let diagnosis = diagnose(&self.folder, &self.known.options(terminal))?;
        let mut app = App::new(&diagnosis, style.ascii, style.color);
        if let (Some(notes), Some(path)) = (notes, &self.resume) {
            take_up(&mut app, &notes, path)?;
        }
        let export = |notes: &TriageNotes| export(&self.export_to, &diagnosis, notes);
        terminal::run(&mut app, &export)?;
        Ok(Outcome::text(String::new()))
    }
}

fn read_notes(path: &Path) -> Result<TriageNotes> {
    let place = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|e| Error::usage(place.clone(), e.to_string()))?;
    TriageNotes::parse(&text).map_err(|e| {
        Error::usage(place, e).hint("give a file that `e` in `rootline triage` has written")
    })
}

fn take_up(app: &mut App, notes: &TriageNotes, path: &Path) -> Result<()> {
    let place = path.display().to_string();
    if !notes.belong_to(app.d) {
        let what = format!("the notes are of the incident that began at {}", notes.incident);
        return Err(Error::usage(place, what));
    }
    let found = app.resume(notes);
    let all = notes.rejected.len();
    app.message = Some(format!("{found} of {all} rejections taken from {place}"));
    Ok(())
}

/// Writes notes under the first name that is free.
fn export(folder: &Path, d: &Diagnosis, notes: &TriageNotes) -> Result<String> {
    let began = d.window.incident.from;
    let stem = format!("triage-{}-{}", time::date(began), time::clock(began).replace(':', ""));
    let name = |n: usize| match n {
        1 => format!("{stem}.toml"),
        n => format!("{stem}-{n}.toml"),
    };
    let mut paths = (1..NAMES).map(|n| folder.join(name(n)));
    let path = paths.find(|p| keep_existing(p, false).is_ok()).ok_or_else(|| {
        Error::runtime(folder.display().to_string(), format!("{NAMES} exports are there already"))
    })?;
    write_file(&path, &notes.to_toml(), false)?;
    Ok(path.display().to_string())
}
