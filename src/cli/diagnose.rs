//! `rootline diagnose FOLDER`.

use super::formats::{Format, format_of, render};
use super::target::inside;
use super::{Known, Outcome, Terminal, keep_existing, write_files};
use crate::diagnosis::{Diagnosis, Verdict};
use crate::error::{ExitCode, Result};
use crate::model::GapKind;
use crate::rank::baselines::{BASELINES, Baseline};
use crate::rank::why_not::why_not;
use crate::rank::{PARTS, Settings};
use crate::report::{self, Style};
use crate::{Options, diagnose};
use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

/// Arguments of `diagnose`.
#[derive(Debug, Args)]
pub struct Diagnose {
    /// Folder of exports, or one file.
    folder: PathBuf,
    /// Format on standard output.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Also write a file; its suffix decides the format (.txt, .json,
    /// .ndjson, .md, .html, .sarif); `-` is standard output. Repeatable.
    #[arg(short, long, value_name = "FILE")]
    output: Vec<PathBuf>,
    /// Overwrite files given with --output.
    #[arg(long)]
    force: bool,
    /// Show every term of every score.
    #[arg(long)]
    explain: bool,
    /// Say why a hypothesis, signature or entity is not the answer, and what would change that.
    #[arg(long, value_name = "ID|ENTITY", conflicts_with = "output")]
    why_not: Option<String>,
    #[command(flatten)]
    known: Known,
    #[command(flatten)]
    ranking: Ranking,
    /// Exit with 4 when the verdict is at least this.
    #[arg(long, value_enum, value_name = "VERDICT")]
    fail_on: Option<FailOn>,
    /// Exit with 5 when the verdict is inconclusive or input was unreadable.
    #[arg(long)]
    strict_data: bool,
}

/// Other ways to rank, to compare with.
#[derive(Debug, Args)]
struct Ranking {
    /// Rank by a simple published score instead: robust-z, n-sigma, baro, traversal, symptom-count.
    #[arg(long, value_name = "NAME", value_parser = names(BASELINES.iter().map(|b| b.name)))]
    baseline: Option<String>,
    /// Leave out a part of the method; repeatable.
    #[arg(long, hide = true, value_name = "PART", value_parser = names(PARTS.iter().map(|p| p.0)))]
    ablate: Vec<String>,
    /// Move the begin of the incident by seconds.
    #[arg(
        long,
        hide = true,
        value_name = "SECONDS",
        default_value_t = 0,
        allow_hyphen_values = true
    )]
    misplace: i64,
}

/// A parser of one of some names.
fn names(all: impl Iterator<Item = &'static str>) -> PossibleValuesParser {
    PossibleValuesParser::new(all.collect::<Vec<_>>())
}

impl Ranking {
    fn settings(&self) -> Settings {
        let named = |b: &&Baseline| self.baseline.as_deref() == Some(b.name);
        let left = PARTS.iter().filter(|p| self.ablate.iter().any(|a| a == p.0));
        Settings {
            baseline: BASELINES.iter().find(named).map(|b| b.name),
            without: left.map(|p| p.1).collect(),
            misplaced_s: self.misplace,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOn {
    Likely,
    Confirmed,
}

impl Diagnose {
    pub(super) fn run(&self, style: Style, terminal: Terminal) -> Result<Outcome> {
        let files: Vec<&Path> = self.files().collect();
        let formats = files.iter().map(|o| format_of(o)).collect::<Result<Vec<_>>>()?;
        for path in &files {
            keep_existing(path, self.force)?;
        }
        let exclude = files.iter().filter_map(|o| inside(&self.folder, o)).collect();
        let ranking = self.ranking.settings();
        let options = Options { exclude, ranking, ..self.known.options(terminal) };
        let diagnosis = diagnose(&self.folder, &options)?;
        let style = Style { explain: self.explain, ..style };
        let plain = Style { color: false, ..style };
        let texts = formats.into_iter().map(|format| render(&diagnosis, format, &plain));
        write_files(files.iter().copied().zip(texts), self.force)?;
        if let Some(name) = &self.why_not {
            let found = why_not(&diagnosis, name);
            return Ok(Outcome::text(report::why_not(&diagnosis, name, &found, &style)));
        }
        let stdout = render(&diagnosis, self.format, &style);
        Ok(Outcome { stdout, stderr: String::new(), code: self.code(&diagnosis) })
    }

    /// Outputs that are files; standard output is written anyway.
    fn files(&self) -> impl Iterator<Item = &Path> {
        self.output.iter().map(PathBuf::as_path).filter(|o| o.as_os_str() != "-")
    }

    fn code(&self, d: &Diagnosis) -> ExitCode {
        let reached = match self.fail_on {
            Some(FailOn::Likely) => d.verdict >= Verdict::Likely,
            Some(FailOn::Confirmed) => d.verdict == Verdict::Confirmed,
            None => false,
        };
        let lost = [GapKind::Unreadable, GapKind::Skipped, GapKind::Truncated];
        let unreadable = d.inputs.iter().any(|i| i.reader == "none" || i.skipped > 0)
            || d.gaps.iter().any(|g| {
                lost.contains(&g.kind) || (g.kind == GapKind::Missing && g.file.is_some())
            });
        match () {
            () if reached => ExitCode::FailOn,
            () if self.strict_data && (d.verdict == Verdict::Inconclusive || unreadable) => {
                ExitCode::StrictData
            }
            () => ExitCode::Analysed,
        }
    }
}
