//! `rootline report FOLDER`: the page, or the draft of a post-incident review.

use super::triage::{read_notes, same_incident};
use super::{Known, Outcome, Target, Terminal};
use crate::diagnose;
use crate::error::{Error, Result};
use crate::report::{self, Template};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct Report {
    /// Folder of exports, or one file.
    folder: PathBuf,
    /// Draft a review instead of the whole report.
    #[arg(long, value_enum)]
    template: Option<Kind>,
    /// By default what the suffix of the file says, or html, or markdown with a template.
    #[arg(long, value_enum)]
    format: Option<Page>,
    /// Also say what was rejected in `rootline triage`: a file that it exported.
    #[arg(long, value_name = "FILE")]
    triage: Option<PathBuf>,
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
        let notes = self.triage.as_deref().map(read_notes).transpose()?;
        let mut d =
            diagnose(&self.folder, &self.target.leaving_out(&self.folder, &self.known, terminal))?;
        if let (Some(notes), Some(path)) = (notes, &self.triage) {
            same_incident(&d, &notes, path)?;
            d.pages.decided = Some((path.display().to_string(), notes));
        }
        let text = match (page, template) {
            (Page::Html, None) => report::html_report(&d),
            (Page::Html, Some(t)) => report::review_html(&d, t),
            (Page::Markdown, t) => report::review_markdown(&d, t.unwrap_or(Template::Review)),
        };
        self.target.write(text)
    }

    fn page(&self) -> Result<Page> {
        let by_suffix = self.target.file().map(of_suffix).transpose()?;
        let usual = if self.template.is_some() { Page::Markdown } else { Page::Html };
        Ok(self.format.or(by_suffix).unwrap_or(usual))
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
