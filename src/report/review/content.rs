//! What a review says, by template.

use super::sections as part;
use super::{Item, OPEN, Review, Section, Template, appendix};
use crate::diagnosis::Diagnosis;
use crate::time;

impl Item {
    /// A fact and what it rests on.
    pub(super) fn fact(said: impl Into<String>, rests_on: &[String]) -> Item {
        Item { said: said.into(), rests_on: rests_on.to_vec(), command: None, open: false }
    }

    /// A question that only people can answer.
    pub(super) fn open(said: impl Into<String>) -> Item {
        Item { said: said.into(), rests_on: Vec::new(), command: None, open: true }
    }
}

/// Makes the review.
pub(super) fn review(d: &Diagnosis, template: Template) -> Review {
    let wanted: &[fn(&Diagnosis) -> Section] = match template {
        Template::Review => &[
            part::summary,
            part::impact,
            part::timeline,
            part::cause,
            part::factors,
            part::trigger,
            part::detection,
            part::mitigation,
            part::security,
            part::lessons,
            part::actions,
            part::doubts,
        ],
        Template::Rca => &[
            part::summary,
            part::cause,
            part::factors,
            part::trigger,
            part::ruled_out,
            part::timeline,
            part::actions,
            part::doubts,
        ],
        Template::Light => {
            &[part::summary, part::impact, part::timeline, part::cause, part::actions]
        }
    };
    let mut sections: Vec<Section> = wanted.iter().map(|section| section(d)).collect();
    sections.extend(part::decided(d));
    let title = d.title.as_deref().map(str::trim).filter(|t| !t.is_empty());
    let date = time::date(d.window.incident.from);
    Review {
        title: title.map_or_else(|| format!("Incident of {}", date.trim()), str::to_owned),
        status: format!("Draft from data; what is marked {OPEN} is for people to fill in"),
        appendix: appendix::appendix(d, &sections),
        sections,
    }
}
