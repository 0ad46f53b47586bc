//! What other views write as the reports do: numbers, and strings of the data made safe.

use super::page::Page;
use super::{Style, clean, number, sparkline};
use crate::diagnosis::{Span, Spark};
use crate::model::Unit;

/// A string of the data, safe to show; in `ascii` without anything else.
pub fn prose(data: &str, ascii: bool) -> String {
    clean::prose(data, ascii)
}

/// A command, escaped rather than changed.
pub fn command(data: &str, ascii: bool) -> String {
    clean::command(data, ascii)
}

/// A value with its unit: `5 ms`, `12 %`, `25/s`; `?` when there is none.
pub fn value(v: f64, unit: Unit) -> String {
    number::value(v, unit)
}

/// Two decimals; never a certainty that was not meant.
pub fn probability(p: f64) -> String {
    number::probability(p)
}

/// Paragraphs, one per string, wrapped and made safe; an indent is kept.
pub fn wrapped(paragraphs: &[String], style: &Style) -> String {
    let mut page = Page::new(style, false);
    for p in paragraphs {
        match p.is_empty() {
            true => page.blank(),
            false => {
                let indent = " ".repeat(p.len() - p.trim_start().len());
                let text = page.clean(p);
                page.line(&format!("{indent}{text}"));
            }
        }
    }
    page.finish()
}

/// A series as one line of blocks over `axis`, as the reports draw it.
pub fn spark(spark: &Spark, axis: Span, width: usize, ascii: bool) -> String {
    sparkline::line(spark, axis, width, ascii)
}
