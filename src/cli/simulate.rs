//! `rootline simulate`: runs a scenario, writes its telemetry, says what the users got; or measures
//! the diagnosis on many seeds.

use super::{Outcome, write_folder};
use crate::catalog::Catalog;
use crate::diagnosis::Verdict;
use crate::error::{Error, Result};
use crate::simulate::evaluate::{Answer, Table, judge};
use crate::simulate::{ACTIONS, FAULTS, File, Run, SCENARIOS, Scenario, Without, named, scenario};
use crate::{Options, diagnose_with};
use clap::{Args, ValueEnum};
use rayon::prelude::*;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Arguments of `simulate`.
#[derive(Debug, Args)]
pub struct Simulate {
    /// A scenario's id, or `list`.
    #[arg(default_value = "list")]
    id: String,
    /// A scenario of your own instead, in TOML.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// 0 runs the scenario as written; others vary names, rates, times and decoys.
    #[arg(long, default_value = "0")]
    seed: u64,
    /// Write the incident folder there, with its truth.
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Leave out a kind of telemetry.
    #[arg(long, value_name = "KIND", value_enum)]
    without: Vec<Kind>,
    /// Take an action, e.g. `300:restart-rolling catalog`; `cancel APPLICATION` ends its session.
    #[arg(long, value_name = "SECONDS:ACTION")]
    act: Vec<String>,
    /// Stop after this many seconds.
    #[arg(long, value_name = "SECONDS")]
    until: Option<f64>,
    /// Show what can be done in this scenario, and what can go wrong in any.
    #[arg(long)]
    actions: bool,
    /// Print the JSON Schema of scenario files.
    #[arg(long)]
    schema: bool,
    /// Diagnose every scenario (or ID) on many seeds and compare with the truth.
    #[arg(long)]
    evaluate: bool,
    /// Seeds of each scenario.
    #[arg(long, default_value = "20")]
    seeds: u64,
    /// The first of these seeds.
    #[arg(long, default_value = "1", value_name = "SEED")]
    from_seed: u64,
    /// Seeds of each healthy scenario.
    #[arg(long, default_value = "20")]
    healthy_seeds: u64,
}

/// Kinds of telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Metrics,
    Traces,
    Sessions,
    Events,
}

impl Simulate {
    pub(super) fn run(&self) -> Result<Outcome> {
        if self.schema {
            return Ok(Outcome::text(scenario::schema() + "\n"));
        }
        if self.evaluate {
            return self.evaluate();
        }
        if self.id == "list" && self.file.is_none() {
            return list();
        }
        let scenario = self.scenario()?;
        let mut run = Run::new(&scenario, self.seed)?;
        if self.actions {
            return Ok(Outcome::text(self.can_be_done(&mut run)?));
        }
        let text = self.play(&mut run)?;
        if let Some(folder) = &self.output {
            let mut files = run.telemetry(self.without());
            files.push(run.truth_file());
            write(folder, &files)?;
        }
        Ok(Outcome::text(text))
    }

    fn scenario(&self) -> Result<Scenario> {
        let Some(path) = &self.file else { return named(&self.id) };
        let place = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|e| Error::usage(&place, e.to_string()))?;
        scenario::read(&place, &text)
    }

    fn without(&self) -> Without {
        let has = |kind| self.without.contains(&kind);
        Without {
            metrics: has(Kind::Metrics),
            traces: has(Kind::Traces),
            sessions: has(Kind::Sessions),
            events: has(Kind::Events),
        }
    }

    /// Lets the run go to its end, with the actions at their times.
    fn play(&self, run: &mut Run) -> Result<String> {
        let mut text = String::new();
        let mut acts = self.act.iter().map(|a| timed(a)).collect::<Result<Vec<_>>>()?;
        acts.sort_by(|a, b| a.0.total_cmp(&b.0));
        let end = self.until.unwrap_or(run.end_s());
        for (at, words) in acts {
            run.advance(at);
            let action = run.action(words)?;
            let taken = run.act(&action)?;
            let _ = writeln!(text, "{:>7.0} s  {action}: {}", taken.at_s, taken.said);
        }
        run.advance(end);
        if let Some(page) = run.page() {
            let who = if page.alert.is_empty() { "somebody calls" } else { &page.alert };
            let _ = writeln!(text, "{:>7.0} s  {who}: {}", page.at_s, page.text);
        }
        let o = run.outcome();
        let _ = writeln!(
            text,
            "{} requests, {} failed: availability {:.2} %, p95 {:.0} ms, {:.0} $ a month, \
             {:.0} s bad",
            o.requests,
            o.failed,
            o.availability * 100.0,
            o.p95_ms,
            o.usd_per_month,
            o.bad_s
        );
        for c in &o.clauses {
            let word = if c.kept { "kept" } else { "BROKEN" };
            let _ = writeln!(
                text,
                "{word:>6}  {} promised {:.6}, got {:.4}: {}",
                c.name, c.promised, c.got, c.said
            );
        }
        Ok(text)
    }

    fn can_be_done(&self, run: &mut Run) -> Result<String> {
        run.advance(self.until.unwrap_or(run.end_s()));
        let mut text = String::from("actions now:\n");
        for offer in run.offers() {
            let _ = writeln!(text, "  {:<40} {}", offer.action.to_string(), offer.says);
        }
        let _ = writeln!(text, "\n{} kinds of action; faults:", ACTIONS.len());
        for row in FAULTS {
            let _ = writeln!(text, "  {:<26} {}", row.kind, row.says);
        }
        Ok(text)
    }

    /// Truth against diagnosis over seeds and scenarios.
    fn evaluate(&self) -> Result<Outcome> {
        let catalog = Catalog::built_in()?;
        let one = self.id != "list" || self.file.is_some();
        let all: Vec<Scenario> = match one {
            true => vec![self.scenario()?],
            false => SCENARIOS.iter().map(|(id, _)| named(id)).collect::<Result<_>>()?,
        };
        let cases: Vec<(&Scenario, u64)> = all
            .iter()
            .flat_map(|s| {
                let healthy = s.truth.verdict != "incident";
                let seeds = if healthy { self.healthy_seeds } else { self.seeds };
                (0..seeds).map(move |n| (s, self.from_seed.saturating_add(n)))
            })
            .collect();
        let without = self.without();
        let answers: Vec<Answer> = cases
            .par_iter()
            .map(|(scenario, seed)| answer(scenario, *seed, without, &catalog))
            .collect::<Result<_>>()?;
        Ok(Outcome::text(Table::of(answers).text()))
    }
}

/// `SECONDS:ACTION`.
fn timed(text: &str) -> Result<(f64, &str)> {
    let parts = text.split_once(':').and_then(|(at, action)| {
        let at = at.trim().parse::<f64>().ok().filter(|at| at.is_finite() && *at >= 0.0)?;
        Some((at, action.trim()))
    });
    parts.ok_or_else(|| {
        Error::usage(format!("\"{text}\""), "not SECONDS:ACTION")
            .hint("for example `--act \"300:restart-rolling catalog\"`")
    })
}

fn list() -> Result<Outcome> {
    let mut text = String::new();
    for (id, _) in SCENARIOS {
        let s = named(id)?;
        let _ = writeln!(text, "{id:<24} {:>8.0} s  {}", s.duration_s, s.title);
    }
    Ok(Outcome::text(text))
}

/// Writes an incident folder, whole or not at all; one that holds something is left alone.
pub(super) fn write(folder: &Path, files: &[File]) -> Result<()> {
    let place = folder.display().to_string();
    let filled = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if filled || folder.is_file() {
        return Err(Error::usage(place, "there is something already").hint("name a new folder"));
    }
    let files = files.iter().map(|f| (f.path.as_str(), f.bytes.as_slice()));
    write_folder(folder, files)
}

/// A folder that goes away with its name.
pub(super) fn tempdir() -> Result<tempfile::TempDir> {
    tempfile::tempdir().map_err(|e| Error::runtime("a temporary folder", e.to_string()))
}

/// One case: simulated, written, diagnosed like anybody's folder, compared.
fn answer(scenario: &Scenario, seed: u64, without: Without, catalog: &Catalog) -> Result<Answer> {
    let mut run = Run::new(scenario, seed)?;
    run.advance(run.end_s());
    let folder = tempdir()?;
    let inside = folder.path().join("incident");
    write(&inside, &run.telemetry(without))?;
    let diagnosis = diagnose_with(&inside, catalog, &Options::default())?;
    let first = diagnosis.hypotheses.first();
    Ok(judge(
        &run,
        (diagnosis.verdict.word(), diagnosis.verdict >= Verdict::Likely),
        first.map(|h| (h.signature.as_deref(), h.entity.name.as_str(), h.probability)),
        first.map(|h| h.entity.service.as_str()),
    ))
}
