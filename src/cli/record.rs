//! `rootline record --print-sql postgres`.

use super::Outcome;
use crate::error::Result;
use crate::record::{self, Plan};
use clap::{Args, ValueEnum};

/// Arguments of `record`.
#[derive(Debug, Args)]
pub struct Record {
    /// Print the script that takes snapshots, for you to read and run.
    #[arg(long, value_enum, value_name = "SYSTEM", required = true)]
    print_sql: System,
    /// Name of the server; the files are called after it.
    #[arg(long, value_name = "NAME", default_value = "main", value_parser = file_name)]
    server: String,
    /// Seconds between snapshots.
    #[arg(long, value_name = "SECONDS", default_value = "2",
        value_parser = clap::value_parser!(u32).range(1..=3600))]
    every: u32,
}

/// What can be recorded by statements.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum System {
    Postgres,
}

/// A name that is safe in a script and as a file's.
fn file_name(text: &str) -> std::result::Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match !text.is_empty() && !text.starts_with('.') && text.chars().all(fits) {
        true => Ok(text.to_owned()),
        false => Err("letters, digits, `-`, `_` and `.` only".to_owned()),
    }
}

impl Record {
    pub(super) fn run(&self) -> Result<Outcome> {
        let plan = Plan { server: self.server.clone(), every: self.every };
        Ok(Outcome::text(match self.print_sql {
            System::Postgres => record::postgres(&plan),
        }))
    }
}
