//! What goes with the program: the schema of its answer, shell completions, man pages.

use super::{Cli, Outcome, Target, write_file};
use crate::diagnosis::schema;
use crate::drill::content;
use crate::error::{Error, Result};
use clap::{Args, Command, CommandFactory, ValueEnum};
use clap_complete::Shell;
use clap_mangen::Man;
use std::fs;
use std::path::{Path, PathBuf};

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub struct Schema {
    /// Of what.
    #[arg(long, value_enum, default_value = "diagnosis")]
    of: Of,
    #[command(flatten)]
    target: Target,
}

/// What a schema describes.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Of {
    Diagnosis,
    Drill,
}

impl Schema {
    pub(super) fn run(&self) -> Result<Outcome> {
        self.target.check()?;
        self.target.write(match self.of {
            Of::Diagnosis => schema::schema(),
            Of::Drill => content::schema(),
        })
    }
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self) -> Result<Outcome> {
        let mut out = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "rootline", &mut out);
        Ok(Outcome::text(String::from_utf8_lossy(&out).into_owned()))
    }
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub struct ManPages {
    /// Write a page per command into this folder instead of the main page to standard output.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Overwrite pages that are there.
    #[arg(long)]
    force: bool,
}

impl ManPages {
    pub(super) fn run(&self) -> Result<Outcome> {
        let mut command = Cli::command();
        command.build();
        let Some(dir) = &self.dir else { return Ok(Outcome::text(page(command)?)) };
        let fail = |e: std::io::Error| Error::runtime(dir.display().to_string(), e.to_string());
        fs::create_dir_all(dir).map_err(fail)?;
        let mut written = String::new();
        self.all(command, "rootline", dir, &mut written)?;
        Ok(Outcome::text(written))
    }

    /// Writes the page of a command and of those below it.
    fn all(&self, command: Command, name: &str, dir: &Path, written: &mut String) -> Result<()> {
        let below: Vec<Command> = command.get_subcommands().cloned().collect();
        let path = dir.join(format!("{name}.1"));
        write_file(&path, &page(command)?, self.force)?;
        written.push_str(&format!("{}\n", path.display()));
        for c in below.into_iter().filter(|c| c.get_name() != "help" && !c.is_hide_set()) {
            let name = format!("{name}-{}", c.get_name());
            self.all(c, &name, dir, written)?;
        }
        Ok(())
    }
}

fn page(command: Command) -> Result<String> {
    let mut out = Vec::new();
    Man::new(command).render(&mut out).map_err(|e| Error::runtime("", e.to_string()))?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}
