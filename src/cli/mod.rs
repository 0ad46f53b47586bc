//! Arguments to library calls: clap types here, one file per subcommand. No logic, no printing.

mod catalog;
mod diagnose;
mod drill;
mod explain;
mod extras;
mod formats;
mod history;
mod inspect;
#[cfg(feature = "mcp")]
mod mcp;
mod output;
mod record;
mod redact;
mod report;
mod rollup;
mod sessions;
mod simulate;
mod target;
mod triage;
mod views;

use crate::Options;
use crate::error::{ExitCode, Result};
use crate::ingest::{Limits, Progress};
use crate::model::Micros;
use crate::report::{Style, Verbosity};
use crate::time::{self, Zone};
use clap::{Args, Parser, Subcommand, ValueEnum};
use output::{keep_existing, write_file, write_files, write_folder};
use simulate::write as write_incident;
use std::path::PathBuf;
use target::Target;

/// Diagnoses incidents from dashboard exports: what broke first, why, and what to do now.
#[derive(Debug, Parser)]
#[command(name = "rootline", version, about, after_help = AFTER_HELP, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    look: Look,
}

const AFTER_HELP: &str = "\
Exit codes:
  0  analysed, whatever was found
  1  runtime or I/O error
  2  usage error or unusable input
  3  catalogue lint or test failure
  4  --fail-on reached
  5  inconclusive or data missing, with --strict-data
  6  redact --check found something private
  130  interrupted

Example:
  rootline diagnose fixtures/incidents/pool-exhaustion";

/// How text output looks.
#[derive(Debug, Args)]
pub struct Look {
    /// Colour: on a terminal only, always, or never (NO_COLOR is honoured).
    #[arg(long, global = true, value_enum, default_value = "auto")]
    color: When,
    /// Plain ASCII output.
    #[arg(long, global = true)]
    ascii: bool,
    /// Columns; by default the terminal's, or 100.
    #[arg(long, global = true, value_parser = clap::value_parser!(u16).range(40..=400))]
    width: Option<u16>,
    /// Verdict and first action only.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Everything, not one screen.
    #[arg(short, long, global = true)]
    verbose: bool,
}

/// What the user knows about the files and they do not say.
#[derive(Debug, Args)]
struct Known {
    /// Zone of times that have none, e.g. Europe/Berlin; otherwise incident.toml's, or UTC.
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    timezone: Option<Zone>,
    /// Time of exports that hold none, e.g. of SHOW POOLS; otherwise the file name's, or its date.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<Instant>,
    /// Use the signatures of this folder instead of the built-in ones.
    #[arg(long, value_name = "DIR")]
    signatures: Option<PathBuf>,
    /// Numbers of this site in place of the signatures' own; wins over the folder's params.toml.
    #[arg(long, value_name = "FILE")]
    params: Option<PathBuf>,
    /// Findings that are known and accepted until a date, besides the folder's suppress.toml.
    #[arg(long, value_name = "FILE")]
    suppress: Option<PathBuf>,
    #[command(flatten)]
    limited: Limited,
}

/// How much is read.
#[derive(Debug, Args)]
struct Limited {
    /// Read more, or less: files, bytes (of a file), unpacked (bytes), ratio (of a packed file),
    /// members (of an archive), series. Repeatable.
    #[arg(long = "limit", value_name = "NAME=VALUE", value_parser = limit)]
    limit: Vec<String>,
}

impl Limited {
    fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        // Each was checked when the arguments were read.
        self.limit.iter().for_each(|l| drop(limits.set(l)));
        limits
    }
}

fn limit(text: &str) -> std::result::Result<String, String> {
    Limits::default().set(text).map(|()| text.to_owned())
}

/// A time given on the command line.
#[derive(Clone, Copy, Debug)]
struct Instant(Micros);

fn zone(name: &str) -> std::result::Result<Zone, String> {
    Zone::named(name).ok_or_else(|| "not an IANA time zone such as Europe/Berlin".to_owned())
}

fn moment(text: &str) -> std::result::Result<Instant, String> {
    let parsed = time::parse(text, &Zone::default()).filter(|p| !p.zone_assumed);
    parsed
        .map(|p| Instant(p.at))
        .ok_or_else(|| "not a time such as 2026-11-20T20:10:00Z".to_owned())
}

impl Known {
    fn options(&self, terminal: Terminal) -> Options {
        let at = self.at.map(|i| i.0);
        Options {
            zone: self.timezone.clone(),
            at,
            signatures: self.signatures.clone(),
            params: self.params.clone(),
            suppress: self.suppress.clone(),
            limits: self.limited.limits(),
            progress: terminal.progress,
            ..Options::default()
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Rank the root causes of an incident folder.
    Diagnose(diagnose::Diagnose),
    /// Show what was recognised in a folder, unmapped names and gaps.
    Inspect(inspect::Inspect),
    /// Show what PostgreSQL sessions did: who blocked whom, waits, pools, what to end first.
    Sessions(sessions::Sessions),
    /// Record an incident from live servers, or print the statements that do.
    Record(record::Record),
    /// Copy a folder without what is private: literals, addresses, hosts, users, passwords, keys.
    Redact(redact::Redact),
    /// Make spans small that are too many to hold: here, or as SQL for the engine that has them.
    Rollup(rollup::RollupArgs),
    /// Show one hypothesis in full, or the documentation of a signature.
    Explain(explain::Explain),
    /// Write the report as a page, or draft a post-incident review.
    Report(report::Report),
    /// What happened when: changes, alerts, onsets, sessions, recovery.
    Timeline(views::Timeline),
    /// Who depends on whom, with the cause marked: text, DOT or Mermaid.
    Graph(views::Graph),
    /// Say what two diagnoses have in common and what differs.
    Diff(history::Diff),
    /// Keep diagnoses, and find those that are like one: have we seen this before?
    History(history::History),
    /// Run a simulated incident and write its telemetry; measure the diagnosis on many.
    Simulate(simulate::Simulate),
    /// Look into a diagnosis interactively: time cursor, evidence, graph, sessions.
    Triage(triage::Triage),
    /// Train on recorded or simulated incidents: a page, looks that cost, guesses, a debrief.
    Drill(drill::Drill),
    /// Serve a diagnosis, read-only, to language-model agents (MCP on standard input and output).
    #[cfg(feature = "mcp")]
    Mcp(mcp::Mcp),
    /// The signatures: list, show, new, lint, test, matrix, schema.
    Catalog(catalog::CatalogArgs),
    /// Print the JSON Schema of what `diagnose --format json` writes, or of a drill file.
    Schema(extras::Schema),
    /// Print the completions of a shell.
    Completions(extras::Completions),
    /// Print the man page, or write one per command.
    Man(extras::ManPages),
}

/// What the process knows about where its output goes; read by main only.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    pub is_terminal: bool,
    pub columns: Option<u16>,
    pub no_color: bool,
    pub dumb: bool,
    /// Shows how far a long read is; `None` when standard error is no terminal.
    pub progress: Option<fn(Progress)>,
    /// Looks a variable of the environment up.
    pub variable: fn(&str) -> Option<String>,
    /// Says one line at once, while a command still runs.
    pub say: fn(&str),
}

/// What main has to print, and the exit code.
#[derive(Debug)]
pub struct Outcome {
    pub stdout: String,
    pub stderr: String,
    pub code: ExitCode,
}

impl Outcome {
    fn text(stdout: String) -> Outcome {
        Outcome { stdout, stderr: String::new(), code: ExitCode::Analysed }
    }
}

/// Runs one command.
pub fn run(cli: &Cli, terminal: Terminal) -> Result<Outcome> {
    let style = style(&cli.look, terminal);
    output::heed_file_sizes();
    // A recording ends in order when it is interrupted, and the interactive view reads the key.
    if !matches!(&cli.command, Command::Record(_) | Command::Triage(_)) {
        output::heed_interrupts();
    }
    match &cli.command {
        Command::Diagnose(args) => args.run(style, terminal),
        Command::Inspect(args) => args.run(&style, terminal),
        Command::Sessions(args) => args.run(&style),
        Command::Record(args) => args.run(terminal),
        Command::Redact(args) => args.run(),
        Command::Rollup(args) => args.run(),
        Command::Explain(args) => args.run(&style, terminal),
        Command::Simulate(args) => args.run(),
        Command::Triage(args) => args.run(&style, terminal),
        Command::Drill(args) => args.run(&style, terminal),
        #[cfg(feature = "mcp")]
        Command::Mcp(args) => args.run(terminal),
        Command::Report(args) => args.run(terminal),
        Command::Timeline(args) => args.run(&style, terminal),
        Command::Graph(args) => args.run(&style, terminal),
        Command::Catalog(args) => args.run(&style),
        Command::Diff(args) => args.run(&style, terminal),
        Command::History(args) => args.run(&style, terminal),
        Command::Schema(args) => args.run(),
        Command::Completions(args) => args.run(),
        Command::Man(args) => args.run(),
    }
}

fn style(look: &Look, terminal: Terminal) -> Style {
    let color = match look.color {
        When::Always => true,
        When::Never => false,
        When::Auto => terminal.is_terminal && !terminal.no_color && !terminal.dumb,
    };
    let verbosity = match (look.quiet, look.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    let width = look.width.or(terminal.columns).unwrap_or(100).clamp(40, 200) as usize;
    Style { width, color, ascii: look.ascii || terminal.dumb, verbosity, explain: false }
}
