//! `rootline catalog list|show|lint|test|matrix|schema`.

use super::Outcome;
use crate::catalog::{Catalog, schema};
use crate::error::{ExitCode, Result};
use crate::report::{self, Style};
use crate::selftest;
use crate::{lint, matrix};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Arguments of `catalog`.
#[derive(Debug, Args)]
pub struct CatalogArgs {
    #[command(subcommand)]
    command: CatalogCommand,
    /// Use the signatures of this folder instead of the built-in ones.
    #[arg(long, global = true, value_name = "DIR")]
    signatures: Option<PathBuf>,
    /// Folder in which the signatures' fixture paths start.
    #[arg(long, global = true, value_name = "DIR", default_value = ".")]
    root: PathBuf,
}

#[derive(Debug, Subcommand)]
enum CatalogCommand {
    /// One line per signature.
    List,
    /// One signature as documentation.
    Show { id: String },
    /// Check every signature; exit 3 on an error.
    Lint,
    /// Run every signature's own tests on its fixtures; exit 3 on a failure.
    Test,
    /// All signatures against all fixtures, one row each; exit 3 when a row is wrong.
    Matrix,
    /// Print the JSON Schema of a signature file.
    Schema,
}

impl CatalogArgs {
    pub(super) fn run(&self, style: &Style) -> Result<Outcome> {
        if matches!(self.command, CatalogCommand::Schema) {
            return Ok(Outcome::text(schema::schema()));
        }
        let catalog = match &self.signatures {
            Some(folder) => Catalog::from_folder(folder)?,
            None => Catalog::built_in()?,
        };
        match &self.command {
            CatalogCommand::List => {
                let rows = catalog.signatures.iter().map(|s| {
                    let title = format!("{}  {}", s.signature.code, s.signature.title);
                    [s.signature.id.clone(), title]
                });
                Ok(Outcome::text(report::two_columns(rows, style)))
            }
            CatalogCommand::Show { id } => {
                Ok(Outcome::text(report::signature(catalog.find(id)?, style)))
            }
            CatalogCommand::Lint => self.lint(&catalog),
            CatalogCommand::Test => {
                let results = selftest::run(&catalog, &self.root)?;
                let failed = results.iter().filter(|r| r.failure.is_some()).count();
                let code = if failed > 0 { ExitCode::Catalog } else { ExitCode::Analysed };
                let stdout = report::catalog_tests(&results);
                Ok(Outcome { stdout, stderr: String::new(), code })
            }
            CatalogCommand::Matrix => {
                let rows = matrix::run(&catalog, &self.root)?;
                let wrong = rows.iter().any(|r| !r.faults.is_empty());
                let code = if wrong { ExitCode::Catalog } else { ExitCode::Analysed };
                let stdout = report::matrix(&rows, style);
                Ok(Outcome { stdout, stderr: String::new(), code })
            }
            CatalogCommand::Schema => Ok(Outcome::text(schema::schema())),
        }
    }

    fn lint(&self, catalog: &Catalog) -> Result<Outcome> {
        let found = lint::lint(catalog, &|f| self.root.join(f).is_dir())?;
        let errors = found.iter().filter(|l| !l.warning).count();
        let mut stdout = String::new();
        for l in &found {
            let level = if l.warning { "warning" } else { "error" };
            stdout.push_str(&format!("{level}: {}: {}\n", l.place, l.message));
        }
        let warnings = found.len() - errors;
        let count = catalog.signatures.len();
        stdout.push_str(&format!("{count} signatures, {errors} errors, {warnings} warnings\n"));
        let code = if errors > 0 { ExitCode::Catalog } else { ExitCode::Analysed };
        Ok(Outcome { stdout, stderr: String::new(), code })
    }
}
