//! Output formats: by name, or by the suffix of a file.

use crate::diagnosis::Diagnosis;
use crate::error::{Error, Result};
use crate::report::{self, Style};
use clap::ValueEnum;
use std::path::Path;

/// Formats of a diagnosis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
    /// One page with charts that needs nothing else.
    Html,
}

/// Formats of everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Plain {
    Text,
    Json,
}

/// Suffixes and what they mean.
const SUFFIXES: &[(&str, Format)] =
    &[("txt", Format::Text), ("json", Format::Json), ("html", Format::Html), ("htm", Format::Html)];

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
        Format::Html => report::html_report(d),
    }
}
