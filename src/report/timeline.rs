//! The timeline by itself: everything that happened, oldest first.

use super::page::Page;
use super::{Style, closing};
use crate::diagnosis::Diagnosis;

/// Writes it whole, with the borders of the incident.
pub fn timeline(d: &Diagnosis, style: &Style) -> String {
    let style = Style { verbosity: super::Verbosity::Verbose, ..*style };
    let mut page = Page::new(&style, false);
    match d.timeline.is_empty() && !d.window.found {
        true => page.line(" nothing happened that the data show: no changes, onsets or sessions"),
        false => closing::whole(&mut page, d),
    }
    page.finish()
}
