//! `rootline explain ID [FOLDER]`.

use super::{Known, Outcome, Terminal};
use crate::documentation::documentation;
use crate::error::{Error, Result};
use crate::report::{self, Style};
use crate::{catalog_at_site, diagnose};
use clap::Args;
use std::path::PathBuf;

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// `H1`, `H2`, … of a folder, or the id or code of a signature.
    id: String,
    /// The incident folder, when ID is a hypothesis.
    folder: Option<PathBuf>,
    #[command(flatten)]
    known: Known,
}

impl Explain {
    pub(super) fn run(&self, style: &Style, terminal: Terminal) -> Result<Outcome> {
        let Some(folder) = &self.folder else {
            let catalog = catalog_at_site(&self.known.options(terminal))?;
            let page = documentation(&catalog, catalog.find(&self.id)?);
            return Ok(Outcome::text(report::signature(&page, style)));
        };
        let diagnosis = diagnose(folder, &self.known.options(terminal))?;
        let same = |h: &&crate::diagnosis::Hypothesis| {
            h.id.eq_ignore_ascii_case(&self.id)
                || h.signature.as_deref() == Some(&self.id)
                || h.entity.name == self.id
        };
        let found = diagnosis.hypotheses.iter().find(same).ok_or_else(|| {
            let count = diagnosis.hypotheses.len();
            let hint = match diagnosis.rejected.iter().find(|r| r.signature == self.id) {
                Some(r) => format!("it was rejected: {}", r.reason),
                None => format!("this folder has the hypotheses H1 to H{count}"),
            };
            Error::usage("", format!("no hypothesis is called \"{}\"", self.id)).hint(hint)
        })?;
        Ok(Outcome::text(report::hypothesis(&diagnosis, found, style)))
    }
}
