//! Reports: a finished diagnosis or inspection in, text or JSON out. Nothing is computed, ranked or printed.

mod chain;
mod clean;
mod closing;
mod comparison;
mod evidence;
mod explain;
mod html;
mod inspection;
mod listing;
mod machine;
mod matrix;
mod number;
mod page;
pub mod plain;
mod review;
mod sections;
mod session_lists;
mod sessions;
mod signature;
mod site;
mod sparkline;
mod table;
mod text;
mod timeline;
mod why_not;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod sample_parts;
#[cfg(test)]
mod tests;

pub use comparison::{alike, comparison};
pub use explain::hypothesis;
pub use html::html_report;
pub use inspection::inspection;
pub use listing::{catalog_tests, two_columns};
pub use machine::{dot, graph_text, junit, mermaid, ndjson, sarif};
pub use matrix::{matrix, matrix_line};
pub use review::{Template, review_html, review_markdown};
pub use sessions::sessions;
pub use signature::signature;
pub use text::text;
pub use timeline::timeline;
pub use why_not::why_not;

use serde::Serialize;

/// How a text report looks; decided by the command line and the terminal, never by this module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Columns of the terminal; taken as 40 at least and 200 at most.
    pub width: usize,
    /// Colours the verdict and the marks of evidence with ANSI escapes.
    pub color: bool,
    /// Writes ASCII only.
    pub ascii: bool,
    pub verbosity: Verbosity,
    /// Adds the terms of every hypothesis' score.
    pub explain: bool,
}

/// How much a text report tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// The verdict and the first thing to do.
    Quiet,
    /// About one screen.
    Normal,
    /// Everything.
    Verbose,
}

impl Default for Style {
    fn default() -> Self {
        Style {
            width: 100,
            color: false,
            ascii: false,
            verbosity: Verbosity::Normal,
            explain: false,
        }
    }
}

/// Writes a whole answer as indented JSON with a final newline.
///
/// Characters that would steer a terminal are written as `\u` escapes: the same to JSON.
pub fn json(answer: &impl Serialize) -> String {
    let pretty = serde_json::to_string_pretty(answer)
        .unwrap_or_else(|e| serde_json::json!({ "error": e.to_string() }).to_string());
    harmless(&pretty)
}

/// Writes a value as one line of JSON, as [`json`] does otherwise.
fn one_line(value: &serde_json::Value) -> String {
    harmless(&value.to_string())
}

fn harmless(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + 1);
    for c in json.chars() {
        if c != '\n' && clean::is_hazard(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out.push('\n');
    out
}
