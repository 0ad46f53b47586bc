//! Live capture. In: servers and a window. Out: an incident folder that [`crate::diagnose`] reads.
//! The only module that opens a connection; it only asks, with a limit on everything. What does not
//! come is a line of `record.log`, which every report shows.

mod http;
mod journal;
mod objects;
mod pace;
mod prometheus;
mod script;
pub mod secret;
mod server;
mod sessions;
mod slices;
mod spans;
mod tls;
mod traces;

pub use http::{Limits, Login, base64};
pub use objects::Bucket;
pub use server::{Passwords, Server};
pub use sessions::Until;
pub use tls::Roots;

use crate::error::{Error, ExitCode, Result};
use crate::model::{Micros, Window};
use crate::signals::SignalTable;
use crate::time;
use http::Client;
use journal::{Asked, Journal, Opened};
use objects::Objects;
use pace::Signals;
use prometheus::Prometheus;
use secret::Secret;
use sessions::Sessions;
use signal_hook::consts::{SIGINT, SIGTERM};
use slices::Slices;
use spans::Spans;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};
use traces::{Api, Traces};

/// Bytes of a file of Kubernetes events.
const EVENTS_BYTES_MAX: u64 = 256 << 20;

/// What a script is made for.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Begins the names of the files; the server is called by it.
    pub server: String,
    /// Seconds between snapshots.
    pub every: u32,
}

/// The psql script that records the sessions of a PostgreSQL server, 13 to 18.
pub fn postgres(plan: &Plan) -> String {
    script::whole(&plan.server, plan.every)
}

/// An HTTP server.
#[derive(Clone)]
pub struct Source {
    /// May name a user; it is never shown with one.
    pub url: String,
    pub login: Login,
}

/// Everything that is wanted.
pub struct Request {
    pub folder: PathBuf,
    pub window: Window,
    /// The window of the arguments, as a resumed recording has to repeat it.
    pub window_said: String,
    /// Part of the window is still to come.
    pub follows: bool,
    pub prometheus: Option<Source>,
    pub jaeger: Option<Source>,
    pub tempo: Option<Source>,
    pub postgres: Vec<Server>,
    /// Parquet of spans in a store of objects.
    pub spans: Option<Bucket>,
    pub kubernetes_events: Option<PathBuf>,
    /// Seconds between samples; the scrape interval where `None`.
    pub step_s: Option<i64>,
    /// Metrics besides those that the catalogue knows.
    pub also: Vec<String>,
    /// Time between snapshots of sessions.
    pub every: Duration,
    /// Snapshots of a window that is past.
    pub snapshots: u32,
    pub traces_max: usize,
    pub limits: Limits,
    pub roots: Roots,
    /// Told what happens, a line at a time.
    pub say: fn(&str),
}

/// What came of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Parts that are in the folder, of all tries.
    pub done: usize,
    pub missing: usize,
    /// The user ended it before its end.
    pub stopped: bool,
}

/// The clock.
pub fn now() -> Micros {
    time::of_system(SystemTime::now()).unwrap_or_default()
}

/// Records what a request wants into its folder, or goes on with what an earlier try left there.
///
/// # Errors
///
/// When the folder is another's, cannot be written, or nothing at all could be had.
pub fn run(request: &Request) -> Result<Summary> {
    let asked =
        Asked { fingerprint: request.fingerprint(), window: request.window, started: now() };
    let opened = Journal::open(&request.folder, asked, request.secrets(), request.say)?;
    let journal = &opened.journal;
    if opened.complete {
        journal.note("record", "the recording is complete: nothing is left to do")?;
        let (done, missing) = journal.counts();
        return Ok(Summary { done, missing, stopped: false });
    }
    let signals = signals(request.follows)?;
    let result = sources(request, &opened, &signals);
    result.into_iter().collect::<Result<Vec<()>>>()?;
    let stopped = signals.stopped();
    if !stopped {
        journal.end()?;
    }
    let (done, missing) = journal.counts();
    if done == 0 && missing > 0 {
        let place = request.folder.display().to_string();
        return Err(Error::runtime(place, "nothing could be recorded; record.log says why")
            .hint("the same command tries again"));
    }
    Ok(Summary { done, missing, stopped })
}

/// Runs every source on a thread of its own; the first that cannot write stops the others.
fn sources(request: &Request, opened: &Opened, signals: &Signals) -> Vec<Result<()>> {
    let stopping = |result: Result<()>| {
        if result.is_err() {
            signals.stop.store(true, Ordering::Relaxed);
        }
        result
    };
    std::thread::scope(|scope| {
        let mut running = Vec::new();
        if request.prometheus.is_some() {
            running.push(scope.spawn(|| stopping(request.prometheus(opened, signals))));
        }
        for api in [Api::Jaeger, Api::Tempo] {
            running.push(scope.spawn(move || stopping(request.traces(api, opened, signals))));
        }
        for server in &request.postgres {
            running.push(scope.spawn(|| stopping(request.sessions(server, opened, signals))));
        }
        running.push(scope.spawn(|| stopping(request.spans(opened, signals))));
        running.push(scope.spawn(|| stopping(request.events(&opened.journal))));
        let died = || Err(Error::runtime("record", "a thread of the recording died"));
        running.into_iter().map(|r| r.join().unwrap_or_else(|_| died())).collect()
    })
}

/// The first Ctrl-C ends a recording that follows and stops any other; the second ends the process.
fn signals(follows: bool) -> Result<Signals> {
    let signals = Signals::default();
    let fail = |e: std::io::Error| Error::runtime("signals", e.to_string());
    let first = if follows { &signals.finish } else { &signals.stop };
    signal_hook::flag::register_conditional_shutdown(
        SIGINT,
        ExitCode::Interrupted as i32,
        Arc::clone(first),
    )
    .map_err(fail)?;
    signal_hook::flag::register(SIGINT, Arc::clone(first)).map_err(fail)?;
    signal_hook::flag::register(SIGTERM, Arc::clone(&signals.stop)).map_err(fail)?;
    Ok(signals)
}

impl Request {
    /// What tells this recording from another; without secrets and users.
    fn fingerprint(&self) -> String {
        let sources =
            [("prometheus", &self.prometheus), ("jaeger", &self.jaeger), ("tempo", &self.tempo)];
        let http = sources.iter().filter_map(|(name, source)| {
            let url = secret::split_user(&source.as_ref()?.url).0;
            Some(format!("{name} {}", url.trim_end_matches('/')))
        });
        let servers = self.postgres.iter().map(|s| format!("postgres {} {}", s.name, s.shown));
        let servers = servers.chain(self.spans.iter().map(|b| format!("spans {}", b.url)));
        let events = self.kubernetes_events.iter().map(|_| "kubernetes events".to_owned());
        let parts: Vec<String> = http.chain(servers).chain(events).collect();
        format!("{}, {}", parts.join(", "), self.window_said)
    }

    /// Everything that must not be written.
    fn secrets(&self) -> Vec<Secret> {
        let sources = [&self.prometheus, &self.jaeger, &self.tempo].into_iter().flatten();
        let http = sources.flat_map(|s| {
            let in_url = secret::split_user(&s.url).2;
            [s.login.bearer.clone(), s.login.password.clone(), in_url]
        });
        let spans = self.spans.iter().flat_map(Bucket::secrets).map(Some);
        http.chain(self.postgres.iter().map(Server::secret)).chain(spans).flatten().collect()
    }

    fn client(&self, source: &Source, signals: &Signals) -> Result<Client> {
        let (login, limits) = (source.login.clone(), self.limits.clone());
        Client::new(&source.url, login, limits, &self.roots, signals.clone())
    }

    fn prometheus(&self, opened: &Opened, signals: &Signals) -> Result<()> {
        let Some(source) = &self.prometheus else { return Ok(()) };
        let prometheus = Prometheus {
            client: self.client(source, signals)?,
            journal: &opened.journal,
            signals: SignalTable::built_in()?,
            step_s: self.step_s,
            also: &self.also,
        };
        prometheus.run(&slices(&opened.asked))
    }

    fn traces(&self, api: Api, opened: &Opened, signals: &Signals) -> Result<()> {
        let source = if api == Api::Jaeger { &self.jaeger } else { &self.tempo };
        let Some(source) = source else { return Ok(()) };
        let window = opened.asked.window;
        let traces = Traces {
            client: self.client(source, signals)?,
            journal: &opened.journal,
            api,
            traces_max: self.traces_max,
            window: window.to - window.from,
        };
        traces.run(&slices(&opened.asked))
    }

    fn sessions(&self, server: &Server, opened: &Opened, signals: &Signals) -> Result<()> {
        let until = match self.follows {
            true => Until::Time(opened.asked.window.to),
            false => Until::Looks(self.snapshots),
        };
        let sessions = Sessions {
            server,
            journal: &opened.journal,
            signals: signals.clone(),
            every: self.every,
            until,
            resumed: opened.resumed,
        };
        sessions.run()
    }

    fn spans(&self, opened: &Opened, signals: &Signals) -> Result<()> {
        let Some(bucket) = &self.spans else { return Ok(()) };
        let objects = Objects::new(bucket.clone(), &self.limits, &self.roots, signals.clone())?;
        let (journal, window) = (&opened.journal, opened.asked.window);
        Spans { objects: Arc::new(objects), shown: &bucket.url, journal, signals, window }.run()
    }

    fn events(&self, journal: &Journal) -> Result<()> {
        let Some(path) = &self.kubernetes_events else { return Ok(()) };
        let part = "kubernetes/events";
        if journal.is_done(part) {
            return Ok(());
        }
        match read_events(path) {
            Ok(bytes) => journal.write(part, "kubernetes/events.json", &bytes),
            Err(why) => journal.gap(part, &format!("{}: {why}", path.display())),
        }
    }
}

fn slices(asked: &Asked) -> Slices {
    Slices::new(asked.window, asked.started, now)
}

fn read_events(path: &Path) -> std::result::Result<Vec<u8>, String> {
    let read = fs::metadata(path).and_then(|m| match m.len() > EVENTS_BYTES_MAX {
        true => Err(std::io::Error::other("larger than 256 MiB")),
        false => fs::read(path),
    });
    read.map_err(|e| e.to_string())
}
