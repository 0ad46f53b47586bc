//! `rootline record`: live capture into an incident folder, and `--print-sql` for those who may not
//! run it.

use super::{Instant, Outcome, Terminal, moment};
use crate::error::{Error, ExitCode, Result};
use crate::model::{Micros, SECOND, Window};
use crate::record::secret::{self, Secret};
use crate::record::{self, Bucket, Limits, Login, Passwords, Plan, Request, Roots, Server, Source};
use crate::time;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The window where none is given.
const LAST_USUAL: Span = Span { seconds: 1800 };

/// Arguments of `record`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Record {
    /// Print the script that takes snapshots, for you to read and run.
    #[arg(long, value_enum, value_name = "SYSTEM", conflicts_with = "out")]
    print_sql: Option<System>,
    /// Name of the server in the script; the files are called after it.
    #[arg(long, value_name = "NAME", default_value = "main", value_parser = file_name)]
    server: String,
    /// Seconds between snapshots of sessions.
    #[arg(long, value_name = "SECONDS", default_value = "2",
        value_parser = clap::value_parser!(u32).range(1..=3600))]
    every: u32,
    /// Folder to record into: new, empty, or one of the same recording, which goes on.
    #[arg(short, long, value_name = "FOLDER", required_unless_present = "print_sql")]
    out: Option<PathBuf>,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    when: When,
    #[command(flatten)]
    access: Access,
    #[command(flatten)]
    how: How,
}

const AFTER_HELP: &str = "\
Secrets come from files or the environment and are never written: --password-file,
--bearer-token-file, PGPASSWORD, PGPASSFILE (~/.pgpass), or env:NAME in place of a file or URL.
What does not come is a line of FOLDER/record.log and a gap of every report. A recording that was
killed or lacks something goes on when the same command is run again. Ctrl-C ends a recording that
follows and keeps what it has.

At three in the morning:
  rootline record --prometheus http://prometheus:9090 --postgres postgres://me@db/shop \\
    --last 30m -o incident && rootline diagnose incident";

/// What to record.
#[derive(Debug, Args)]
struct Sources {
    /// Prometheus or what answers like it: the metrics that the catalogue knows.
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
    /// PostgreSQL server: postgres://USER@HOST/DB or key=value pairs; NAME=postgres://… names it.
    /// Several, e.g. primary and standby, after commas or by repetition.
    #[arg(long, value_name = "DSN[,DSN]")]
    postgres: Vec<String>,
    /// Jaeger's query API.
    #[arg(long, value_name = "URL")]
    jaeger: Option<String>,
    /// Tempo's query API.
    #[arg(long, value_name = "URL")]
    tempo: Option<String>,
    /// Spans as Parquet in a store that speaks S3; key, region and endpoint come from the variables
    /// of AWS (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL).
    #[arg(long, value_name = "s3://BUCKET/PREFIX")]
    spans: Option<String>,
    /// What `kubectl get events -A -o json` printed.
    #[arg(long, value_name = "FILE")]
    kubernetes_events: Option<PathBuf>,
}

/// The window.
#[derive(Debug, Args)]
struct When {
    /// The window that ends now, e.g. 30m (which is the default), 2h.
    #[arg(long, value_name = "DURATION", value_parser = span, conflicts_with_all = ["from", "to"])]
    last: Option<Span>,
    /// Begin of the window, with a zone.
    #[arg(long, value_name = "TIME", value_parser = moment, requires = "to")]
    from: Option<Instant>,
    /// End of the window, with a zone.
    #[arg(long, value_name = "TIME", value_parser = moment, requires = "from")]
    to: Option<Instant>,
    /// Go on recording for so long, besides --last.
    #[arg(long, value_name = "DURATION", value_parser = span, conflicts_with_all = ["from", "to"])]
    follow: Option<Span>,
}

/// How to get in.
#[derive(Debug, Args)]
struct Access {
    /// File with a password, for the user of the URL; SOURCE is prometheus, jaeger, tempo or
    /// postgres and may be left out where only one is recorded.
    #[arg(long, value_name = "[SOURCE=]FILE")]
    password_file: Vec<String>,
    /// File with a bearer token, as above.
    #[arg(long, value_name = "[SOURCE=]FILE")]
    bearer_token_file: Vec<String>,
    /// Tenant of Mimir, Cortex, Loki-like servers (X-Scope-OrgID).
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// PEM file of the authority that signed the servers' certificates, in place of Mozilla's list.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

/// How much and how fast.
#[derive(Debug, Args)]
struct How {
    /// Time between samples; by default the scrape interval.
    #[arg(long, value_name = "DURATION", value_parser = span)]
    step: Option<Span>,
    /// A metric that the catalogue does not know; may be repeated.
    #[arg(long, value_name = "NAME")]
    metric: Vec<String>,
    /// Snapshots of sessions when the window is past: PostgreSQL keeps no history.
    #[arg(long, value_name = "N", default_value = "5",
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    snapshots: u32,
    /// Traces that are fetched one by one (Tempo).
    #[arg(long, value_name = "N", default_value = "1000",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    traces: u32,
    /// Requests a second to each HTTP server; ten times as many to a store of objects.
    #[arg(long, value_name = "N", default_value = "10", value_parser = rate)]
    rate: f64,
    /// Longest time for one answer.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = span)]
    timeout: Span,
}

/// A length of time in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    seconds: u32,
}

impl Span {
    fn micros(self) -> Micros {
        Micros::from(self.seconds) * SECOND
    }
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

/// `90s`, `30m`, `2h`, `1d`; at most a hundred days.
fn span(text: &str) -> std::result::Result<Span, String> {
    let bad = || "a number with s, m, h or d, e.g. 30m".to_owned();
    let unit = text.chars().last().ok_or_else(bad)?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(bad()),
    };
    let number: u32 = text[..text.len() - 1].parse().map_err(|_| bad())?;
    match number.checked_mul(factor).filter(|s| (1..=8_640_000).contains(s)) {
        Some(seconds) => Ok(Span { seconds }),
        None => Err("between 1s and 100d".to_owned()),
    }
}

fn rate(text: &str) -> std::result::Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|r| (0.01..=1000.0).contains(r));
    number.ok_or_else(|| "a number from 0.01 to 1000".to_owned())
}

impl Record {
    pub(super) fn run(&self, terminal: Terminal) -> Result<Outcome> {
        let plan = Plan { server: self.server.clone(), every: self.every };
        if let Some(System::Postgres) = self.print_sql {
            return Ok(Outcome::text(record::postgres(&plan)));
        }
        let Some(folder) = &self.out else {
            return Err(Error::usage("", "no folder given").hint("-o FOLDER"));
        };
        let summary = record::run(&self.request(folder, terminal)?)?;
        let place = folder.display();
        let missing = match summary.missing {
            0 => String::new(),
            n => format!("; missing: {n}, as {place}/record.log says"),
        };
        let then = match summary.stopped {
            true => "stopped: the same command goes on".to_owned(),
            false => format!("next: rootline diagnose {place}"),
        };
        let stderr = format!("recorded into {place}: {} parts{missing}\n{then}\n", summary.done);
        // A recording that was stopped is not whole: `&& rootline diagnose` is not to go on.
        let code = if summary.stopped { ExitCode::Runtime } else { ExitCode::Analysed };
        Ok(Outcome { stdout: String::new(), stderr, code })
    }

    fn request(&self, folder: &Path, terminal: Terminal) -> Result<Request> {
        let roots = self.access.ca_file.as_deref().map(Roots::of_file).transpose()?;
        let roots = roots.unwrap_or_default();
        let access = Logins::of(self, terminal)?;
        let postgres = self.servers(&access, &roots, terminal)?;
        let source = |name: &str, url: &Option<String>| {
            let url = url.as_ref().map(|u| url_of(name, u, terminal)).transpose()?;
            let login = access.login(name, self.access.tenant.clone());
            Ok::<_, Error>(url.map(|url| Source { url, login }))
        };
        let spans = self.sources.spans.as_ref().map(|url| Bucket::of(url, terminal.variable));
        let (window, window_said) = self.when.window();
        let request = Request {
            folder: folder.to_owned(),
            window,
            window_said,
            follows: self.when.follow.is_some(),
            prometheus: source("prometheus", &self.sources.prometheus)?,
            jaeger: source("jaeger", &self.sources.jaeger)?,
            tempo: source("tempo", &self.sources.tempo)?,
            postgres,
            spans: spans.transpose()?,
            kubernetes_events: self.sources.kubernetes_events.clone(),
            step_s: self.how.step.map(|s| i64::from(s.seconds)),
            also: self.how.metric.clone(),
            every: Duration::from_secs(u64::from(self.every)),
            snapshots: self.how.snapshots,
            traces_max: self.how.traces as usize,
            limits: Limits {
                rate: self.how.rate,
                timeout: Duration::from_secs(u64::from(self.how.timeout.seconds)),
                ..Limits::default()
            },
            roots,
            say: terminal.say,
        };
        let without_login = request.spans.is_some() || request.kubernetes_events.is_some();
        match self.sources.names().is_empty() && !without_login {
            true => Err(Error::usage("", "nothing to record")
                .hint("--prometheus, --postgres, --jaeger, --tempo, --spans, --kubernetes-events")),
            false => Ok(request),
        }
    }

    fn servers(&self, access: &Logins, roots: &Roots, terminal: Terminal) -> Result<Vec<Server>> {
        let home = (terminal.variable)("HOME").map(|h| PathBuf::from(h).join(".pgpass"));
        let file = (terminal.variable)("PGPASSFILE").map(PathBuf::from).or(home);
        let given = access.password("postgres");
        let given = given.or_else(|| (terminal.variable)("PGPASSWORD").map(Secret::new));
        let passwords = Passwords { given, file: file.as_deref() };
        let mut servers: Vec<Server> = Vec::new();
        for text in self.sources.postgres.iter().flat_map(|t| connection_strings(t)) {
            let (name, text) = named(&text);
            let text = url_of("postgres", text, terminal)?;
            let mut server = Server::new(&text, &passwords, roots)?;
            if let Some(name) = name {
                file_name(name).map_err(|why| Error::usage(name, why))?;
                name.clone_into(&mut server.name);
            }
            if let Some(same) = servers.iter().find(|s| s.name == server.name) {
                let what = format!("\"{}\" is the name of {} too", same.name, same.shown);
                return Err(Error::usage(server.shown, what).hint("NAME=postgres://… names it"));
            }
            servers.push(server);
        }
        Ok(servers)
    }
}

impl Sources {
    /// Sources that one can log in to.
    fn names(&self) -> Vec<&'static str> {
        let there = [
            ("prometheus", self.prometheus.is_some()),
            ("jaeger", self.jaeger.is_some()),
            ("tempo", self.tempo.is_some()),
            ("postgres", !self.postgres.is_empty()),
        ];
        there.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect()
    }
}

impl When {
    /// The window, and how the arguments say it.
    fn window(&self) -> (Window, String) {
        if let (Some(from), Some(to)) = (self.from, self.to) {
            let window = Window { from: from.0, to: to.0 };
            let said = format!("{} to {}", time::rfc3339(from.0), time::rfc3339(to.0));
            return (window, said);
        }
        let now = record::now();
        let follow = self.follow.map_or(0, Span::micros);
        // To follow from now on needs no past.
        let last = self.last.or(self.follow.is_none().then_some(LAST_USUAL));
        let last = last.map_or(0, Span::micros);
        let said = format!("last {} s, follow {} s", last / SECOND, follow / SECOND);
        (Window { from: now - last, to: now + follow }, said)
    }
}

/// Passwords and tokens by source.
struct Logins {
    passwords: Vec<(String, Secret)>,
    tokens: Vec<(String, Secret)>,
}

impl Logins {
    fn of(record: &Record, terminal: Terminal) -> Result<Logins> {
        let names = record.sources.names();
        let read = |all: &[String], option: &str| {
            let one = |text: &String| {
                let (source, file) = source_of(text, &names, option)?;
                Ok((source, secret::of_source(file, terminal.variable)?))
            };
            all.iter().map(one).collect::<Result<Vec<_>>>()
        };
        Ok(Logins {
            passwords: read(&record.access.password_file, "--password-file")?,
            tokens: read(&record.access.bearer_token_file, "--bearer-token-file")?,
        })
    }

    fn password(&self, name: &str) -> Option<Secret> {
        self.passwords.iter().find(|(source, _)| source == name).map(|(_, s)| s.clone())
    }

    fn login(&self, name: &str, tenant: Option<String>) -> Login {
        let bearer = self.tokens.iter().find(|(source, _)| source == name);
        let bearer = bearer.map(|(_, s)| s.clone());
        Login { bearer, password: self.password(name), tenant }
    }
}

/// The source that a secret is for, and where it stands; a secret goes to one server only.
fn source_of<'a>(text: &'a str, names: &[&str], option: &str) -> Result<(String, &'a str)> {
    if let Some((source, file)) = text.split_once('=').filter(|(s, _)| names.contains(s)) {
        return Ok((source.to_owned(), file));
    }
    match names {
        [only] => Ok(((*only).to_owned(), text)),
        _ => Err(Error::usage(option, "it is not said which source the secret is for")
            .hint(format!("{option} {}={text}", names.first().unwrap_or(&"prometheus")))),
    }
}

/// A URL of an argument; a password may stand in the environment only, where `ps` does not show it.
fn url_of(option: &str, text: &str, terminal: Terminal) -> Result<String> {
    let (url, from_environment) = secret::of_argument(text, terminal.variable)?;
    let has_password = secret::split_user(&url).2.is_some() || url.contains("password=");
    match has_password && !from_environment {
        true => Err(Error::usage(
            format!("--{option}"),
            "a password on the command line can be read by everybody on this machine",
        )
        .hint("--password-file FILE, or env:NAME for a URL in the environment")),
        false => Ok(url),
    }
}

/// Parts a list of connection strings; commas inside one (several hosts) stay.
fn connection_strings(text: &str) -> Vec<String> {
    let begins = |piece: &str| {
        let bare = named(piece.trim()).1;
        ["postgres://", "postgresql://", "host=", "env:"].iter().any(|b| bare.starts_with(b))
    };
    let mut found: Vec<String> = Vec::new();
    for piece in text.split(',') {
        match found.last_mut().filter(|_| !begins(piece)) {
            Some(last) => *last = format!("{last},{piece}"),
            None => found.push(piece.trim().to_owned()),
        }
    }
    found
}

/// The name before a connection string's URL.
fn named(text: &str) -> (Option<&str>, &str) {
    let starts = ["=postgres://", "=postgresql://", "=env:"];
    let at = starts.iter().filter_map(|s| text.find(s)).min();
    match at.filter(|at| file_name(&text[..*at]).is_ok()) {
        Some(at) => (Some(&text[..at]), &text[at + 1..]),
        None => (None, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_a_unit_and_a_bound() {
        let seconds = |t| span(t).map(|s| s.seconds);
        assert_eq!((seconds("90s"), seconds("30m"), seconds("2h")), (Ok(90), Ok(1800), Ok(7200)));
        for bad in ["", "30", "m", "0s", "-1m", "1w", "101d", "99999999999h", "1é"] {
            assert!(span(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn connection_strings_are_parted_where_one_begins() {
        let all = connection_strings("a=postgres://u@h,h2/d, postgres://u@s/d,host=x port=1");
        assert_eq!(all, ["a=postgres://u@h,h2/d", "postgres://u@s/d", "host=x port=1"]);
        assert_eq!(named(&all[0]), (Some("a"), "postgres://u@h,h2/d"));
        assert_eq!(named(&all[2]), (None, "host=x port=1"));
        assert_eq!(named("b=env:DSN"), (Some("b"), "env:DSN"));
    }

    #[test]
    fn a_secret_goes_to_one_source() {
        let said = |text, names: &[&str]| source_of(text, names, "--password-file").ok();
        assert_eq!(said("f", &["jaeger"]), Some(("jaeger".to_owned(), "f")));
        assert_eq!(said("f", &["jaeger", "postgres"]), None);
        let named = said("postgres=a=b", &["jaeger", "postgres"]);
        assert_eq!(named, Some(("postgres".to_owned(), "a=b")));
    }
}
