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

/// Reads what `e` has written.
pub(super) fn read_notes(path: &Path) -> Result<TriageNotes> {
    let place = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|e| Error::usage(place.clone(), e.to_string()))?;
    TriageNotes::parse(&text).map_err(|e| {
        Error::usage(place, e).hint("give a file that `e` in `rootline triage` has written")
    })
}

/// Refuses notes of another incident.
pub(super) fn same_incident(d: &Diagnosis, notes: &TriageNotes, path: &Path) -> Result<()> {
    if notes.belong_to(d) {
        return Ok(());
    }
    let what = format!("the notes are of the incident that began at {}", notes.incident);
    Err(Error::usage(path.display().to_string(), what))
}

fn take_up(app: &mut App, notes: &TriageNotes, path: &Path) -> Result<()> {
    let place = path.display().to_string();
    same_incident(app.d, notes, path)?;
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
    write_new(folder, (1..NAMES).map(name), &notes.to_toml())
}

/// Writes a file under the first of some names that is free, and says which.
fn write_new(folder: &Path, names: impl Iterator<Item = String>, text: &str) -> Result<String> {
    let mut paths = names.map(|n| folder.join(n));
    let path = paths.find(|p| keep_existing(p, false).is_ok()).ok_or_else(|| {
        Error::runtime(folder.display().to_string(), "every name for an export is taken")
            .hint("`--export-to DIR` names another folder")
    })?;
    write_file(&path, text, false)?;
    Ok(path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_never_overwrites() {
        let folder = std::env::temp_dir().join(format!("rootline-triage-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a scratch folder can be made");
        let names = || ["a.toml", "a-2.toml"].map(str::to_owned).into_iter();
        let written = [1, 2, 3].map(|n| write_new(&folder, names(), &n.to_string()));
        let read = |name: &str| fs::read_to_string(folder.join(name)).expect("it was written");
        let texts = (read("a.toml"), read("a-2.toml"));
        fs::remove_dir_all(&folder).expect("the scratch folder can be removed");
        assert_eq!(texts, ("1".to_owned(), "2".to_owned()));
        assert!(written[2].is_err(), "the third has no name left");
    }
}
