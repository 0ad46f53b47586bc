//! `rootline report FOLDER`: the page, or the draft of a post-incident review.

use super::{Known, Outcome, Target, Terminal};
use crate::diagnose;
use crate::diagnosis::{Diagnosis, TriageNotes};
use crate::error::{Error, Result};
use crate::report::{self, Template};
use clap::{Args, ValueEnum};
use std::fs;
use std::path::{Path, PathBuf};

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct Report {
    /// Folder of exports, or one file.
    folder: PathBuf,
    /// Draft a review instead of the whole report.
    #[arg(long, value_enum)]
    template: Option<Kind>,
    /// Notes that `triage` exported, for the review.
    #[arg(long, value_name = "FILE", requires = "template")]
    notes: Option<PathBuf>,
    /// By default what the suffix of the file says, or html, or markdown with a template.
    #[arg(long, value_enum)]
    format: Option<Page>,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    known: Known,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Everything that a review needs.
    Review,
    /// Cause, trigger, factors, what was ruled out.
    Rca,
    /// One page.
    Light,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Page {
    Html,
    Markdown,
}

impl Report {
    pub(super) fn run(&self, terminal: Terminal) -> Result<Outcome> {
        self.target.check()?;
        let page = self.page()?;
        let template = self.template.map(|t| match t {
            Kind::Review => Template::Review,
            Kind::Rca => Template::Rca,
            Kind::Light => Template::Light,
        });
        let d =
            diagnose(&self.folder, &self.target.leaving_out(&self.folder, &self.known, terminal))?;
        let notes = self.notes.as_deref().map(|path| notes(path, &d)).transpose()?;
        let notes = notes.as_ref();
        let text = match (page, template) {
            (Page::Html, None) => report::html_report(&d),
            (Page::Html, Some(t)) => report::review_html(&d, t, notes),
            (Page::Markdown, t) => {
                report::review_markdown(&d, t.unwrap_or(Template::Review), notes)
            }
        };
        self.target.write(text)
    }

    fn page(&self) -> Result<Page> {
        let by_suffix = self.target.file().map(of_suffix).transpose()?;
        let usual = if self.template.is_some() { Page::Markdown } else { Page::Html };
        Ok(self.format.or(by_suffix).unwrap_or(usual))
    }
}

/// Reads notes, which must be of the same incident.
fn notes(path: &Path, d: &Diagnosis) -> Result<TriageNotes> {
    let place = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|e| Error::usage(place.clone(), e.to_string()))?;
    let notes = TriageNotes::parse(&text).map_err(|e| Error::usage(place.clone(), e))?;
    match notes.belong_to(d) {
        true => Ok(notes),
        false => Err(Error::usage(place, "the notes are of another incident")
            .hint("they begin at another time than this one")),
    }
}

fn of_suffix(path: &Path) -> Result<Page> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("html" | "htm") => Ok(Page::Html),
        Some("md" | "markdown") => Ok(Page::Markdown),
        _ => Err(Error::usage(path.display().to_string(), "the suffix does not name a format")
            .hint("use .html or .md")),
    }
}
