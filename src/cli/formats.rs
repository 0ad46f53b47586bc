//! Output formats: by name, or by the suffix of a file.

use crate::diagnosis::Diagnosis;
use crate::error::{Error, Result};
use crate::report::{self, Style, Template};
use clap::ValueEnum;
use std::path::Path;

/// Formats of a diagnosis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
    /// Lines of JSON, one per hypothesis, moment and gap.
    Ndjson,
    /// The draft of a post-incident review.
    Markdown,
    /// One page with charts that needs nothing else.
    Html,
    /// SARIF 2.1.0.
    Sarif,
}

/// Formats of everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Plain {
    Text,
    Json,
}

/// Suffixes and what they mean.
const SUFFIXES: &[(&str, Format)] = &[
    ("txt", Format::Text),
    ("json", Format::Json),
    ("ndjson", Format::Ndjson),
    ("jsonl", Format::Ndjson),
    ("md", Format::Markdown),
    ("html", Format::Html),
    ("htm", Format::Html),
    ("sarif", Format::Sarif),
    ("sarif.json", Format::Sarif),
];

/// The format that a file's name asks for.
pub(super) fn format_of(path: &Path) -> Result<Format> {
    let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    let fits = |(suffix, _): &&(&str, Format)| {
        name.strip_suffix(suffix).is_some_and(|stem| stem.len() > 1 && stem.ends_with('.'))
    };
    let found = SUFFIXES.iter().filter(fits).max_by_key(|(suffix, _)| suffix.len());
    found.map(|(_, format)| *format).ok_or_else(|| {
        let all: Vec<String> = SUFFIXES.iter().map(|(s, _)| format!(".{s}")).collect();
        Error::usage(path.display().to_string(), "the suffix does not name a format")
            .hint(format!("use one of {}", all.join(", ")))
    })
}

/// Writes a diagnosis in a format.
pub(super) fn render(d: &Diagnosis, format: Format, style: &Style) -> String {
    match format {
        Format::Text => report::text(d, style),
        Format::Json => report::json(d),
        Format::Ndjson => report::ndjson(d),
        Format::Markdown => report::review_markdown(d, Template::Review),
        Format::Sarif => report::sarif(d),
        Format::Html => report::html_report(d),
    }
}
