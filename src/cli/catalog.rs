//! `rootline catalog list|show|new|lint|test|matrix|schema`.

use super::Outcome;
use super::output::{in_folders, write_files};
use crate::catalog::fixtures::label;
use crate::catalog::scaffold::{Scaffold, scaffold};
use crate::catalog::{Catalog, Category, schema};
use crate::documentation::documentation;
use crate::error::{ExitCode, Result, did_you_mean};
use crate::report::{self, Style};
use crate::selftest;
use crate::{lint, matrix};
use clap::{Args, Subcommand, ValueEnum};
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
    /// Write a new signature and the labels of its fixtures, to be filled in.
    New {
        /// Lower-case words with - between: what is wrong, not its remedy.
        id: String,
        /// Folder below the signatures; one of the closed list.
        #[arg(long, default_value = "saturation", value_parser = category)]
        category: Category,
        /// What is wrong, in one line.
        #[arg(long)]
        title: Option<String>,
    },
    /// Check every signature; exit 3 on an error.
    Lint,
    /// Run every signature's own tests on its fixtures; exit 3 on a failure.
    Test {
        /// Lines, or JUnit XML for CI.
        #[arg(long, value_enum, default_value = "text")]
        format: TestFormat,
    },
    /// All signatures against all fixtures, one row each; exit 3 when a row is wrong.
    Matrix,
    /// Print the JSON Schema of a signature file.
    Schema,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TestFormat {
    Text,
    Junit,
}

fn category(name: &str) -> std::result::Result<Category, String> {
    let words = Category::ALL.map(Category::word);
    let found = Category::ALL.into_iter().find(|c| c.word() == name);
    found.ok_or_else(|| match did_you_mean(name, words) {
        Some(near) => format!("no category; did you mean \"{near}\"?"),
        None => format!("no category: {}", words.join(", ")),
    })
}

impl CatalogArgs {
    pub(super) fn run(&self, style: &Style) -> Result<Outcome> {
        match &self.command {
            CatalogCommand::Schema => Ok(Outcome::text(schema::schema())),
            CatalogCommand::New { id, category, title } => {
                self.new_signature(id, *category, title.as_deref())
            }
            CatalogCommand::List => {
                let catalog = self.catalog()?;
                let rows = catalog.signatures.iter().map(|s| {
                    let title = format!("{}  {}", s.signature.code, s.signature.title);
                    [s.signature.id.clone(), title]
                });
                Ok(Outcome::text(report::two_columns(rows, style)))
            }
            CatalogCommand::Show { id } => {
                let catalog = self.catalog()?;
                let page = documentation(&catalog, catalog.find(id)?);
                Ok(Outcome::text(report::signature(&page, style)))
            }
            CatalogCommand::Lint => self.lint(&self.catalog()?),
            CatalogCommand::Test { format } => {
                let results = selftest::run(&self.catalog()?, &self.root)?;
                let failed = results.iter().any(|r| r.failure.is_some());
                let text = match format {
                    TestFormat::Text => report::catalog_tests(&results),
                    TestFormat::Junit => report::junit(&results),
                };
                Ok(tested(text, failed))
            }
            CatalogCommand::Matrix => {
                let rows = matrix::run(&self.catalog()?, &self.root)?;
                let failed = rows.iter().any(|r| !r.faults.is_empty());
                Ok(tested(report::matrix(&rows, style), failed))
            }
        }
    }

    fn catalog(&self) -> Result<Catalog> {
        match &self.signatures {
            Some(folder) => Catalog::from_folder(folder),
            None => Catalog::built_in(),
        }
    }

    /// Writes what a new signature needs; nothing where any of it is there.
    fn new_signature(&self, id: &str, category: Category, title: Option<&str>) -> Result<Outcome> {
        let folder = self.signatures.clone().unwrap_or_else(|| self.root.join("signatures"));
        let catalog = Catalog::in_folder(&folder)?;
        let date = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
        let new = Scaffold { id, category, title, date: &date };
        let files = scaffold(&catalog, &new)?;
        let (path, text) = files.signature;
        let mut all = vec![(folder.join(path), text)];
        all.extend(files.truths.into_iter().map(|(path, text)| (self.root.join(path), text)));
        let folders = all.iter().filter_map(|(path, _)| path.parent());
        in_folders(folders, || write_files(all.iter().map(|(p, t)| (p.as_path(), t)), false))?;
        let mut stdout = String::new();
        for (path, _) in &all {
            stdout.push_str(&format!("{}\n", path.display()));
        }
        stdout.push_str(
            "Fill in what `rootline catalog lint` names, put the recordings beside their truth.toml, \
             then `rootline catalog test`.\n",
        );
        Ok(Outcome::text(stdout))
    }

    fn lint(&self, catalog: &Catalog) -> Result<Outcome> {
        let found = lint::lint(catalog, &|f| label(&self.root, f))?;
        let errors = found.iter().filter(|l| !l.warning).count();
        let mut stdout = String::new();
        for l in &found {
            let level = if l.warning { "warning" } else { "error" };
            stdout.push_str(&format!("{level}: {}: {}\n", l.place, l.message));
        }
        let warnings = found.len() - errors;
        let count = catalog.signatures.len();
        let [hits, misses, both] = lint::tested(catalog);
        stdout.push_str(&format!(
            "{count} signatures, {errors} errors, {warnings} warnings; {hits} have a test that must \
             match, {misses} one that must not, {both} both\n"
        ));
        Ok(tested(stdout, errors > 0))
    }
}

/// The outcome of a check of the catalogue.
fn tested(stdout: String, failed: bool) -> Outcome {
    let code = if failed { ExitCode::Catalog } else { ExitCode::Analysed };
    Outcome { stdout, stderr: String::new(), code }
}
