//! One connection to a PostgreSQL server, on a thread of its own: a server that has stopped answers
//! nothing, and whoever waits for it must be able to turn to the clock. Reads only.

use super::script;
use super::secret::{self, Secret};
use super::tls::Roots;
use crate::error::{Error, Result};
use postgres::config::{Host, SslMode};
use postgres::{Client, Config};
use std::io::Read;
use std::path::Path;
use std::str::FromStr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;
use tokio_postgres_rustls::MakeRustlsConnect;

/// Time for a connection to come about.
const CONNECT: Duration = Duration::from_secs(5);
/// Bytes of one snapshot: a hundred thousand sessions.
const SNAPSHOT_BYTES_MAX: u64 = 64 << 20;

/// A server and how to get in.
#[derive(Clone)]
pub struct Server {
    /// Begins the names of its files; what reports call it.
    pub name: String,
    /// Host, port and database, for the log.
    pub shown: String,
    config: Config,
    tls: MakeRustlsConnect,
}

/// Where passwords come from.
pub struct Passwords<'a> {
    /// For every server that has none of its own.
    pub given: Option<Secret>,
    /// libpq's password file.
    pub file: Option<&'a Path>,
}

impl Server {
    /// Reads a connection string: a URL or `key=value` pairs, as libpq takes them.
    ///
    /// # Errors
    ///
    /// When it is none, or names no host.
    pub fn new(text: &str, passwords: &Passwords, roots: &Roots) -> Result<Server> {
        let (text, verify) = without_verify(text);
        let mut config = Config::from_str(&text).map_err(|e| {
            let why = std::error::Error::source(&e).map_or(e.to_string(), ToString::to_string);
            Error::usage("--postgres", format!("not a connection string: {why}"))
                .hint("postgres://USER@HOST:PORT/DATABASE, or host=… port=… user=… dbname=…")
        })?;
        if config.get_hosts().is_empty() {
            return Err(Error::usage("--postgres", "the connection string names no host"));
        }
        let host = match &config.get_hosts()[0] {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        };
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let user = config.get_user().unwrap_or("postgres").to_owned();
        let database = config.get_dbname().unwrap_or(&user).to_owned();
        if config.get_password().is_none() {
            let from_file = || {
                let path = passwords.file?;
                secret::of_pgpass(path, &host, port, &database, &user)
            };
            if let Some(password) = passwords.given.clone().or_else(from_file) {
                config.password(password.reveal());
            }
        }
        config.user(&user).connect_timeout(CONNECT).application_name("rootline record");
        if verify {
            config.ssl_mode(SslMode::Require);
        }
        Ok(Server {
            name: name_of(&host, port),
            shown: format!("{host}:{port}/{database} as {user}"),
            config,
            tls: roots.for_postgres(verify)?,
        })
    }

    /// The password, to keep it out of texts.
    pub fn secret(&self) -> Option<Secret> {
        let password = self.config.get_password()?;
        Some(Secret::new(String::from_utf8_lossy(password)))
    }

    /// Starts the thread that holds the connection; it ends with the process or its owner.
    pub fn start(&self) -> Line {
        let (ask, asked) = sync_channel::<()>(1);
        let (tell, told) = sync_channel(1);
        let server = self.clone();
        std::thread::spawn(move || server.serve(&asked, &tell));
        Line { ask, told, waiting: false }
    }

    fn serve(&self, asked: &Receiver<()>, tell: &SyncSender<Told>) {
        let mut client = None;
        while asked.recv().is_ok() {
            let told = self.snapshot(&mut client);
            if told.is_err() {
                // A broken connection is made anew; one that timed out costs a login.
                client = None;
            }
            if tell.send(told).is_err() {
                return;
            }
        }
    }

    fn snapshot(&self, client: &mut Option<Client>) -> Told {
        let (mut settings, mut standby) = (None, None);
        let open = match client {
            Some(open) => open,
            None => {
                let mut new = self.config.connect(self.tls.clone()).map_err(|e| in_words(&e))?;
                new.batch_execute(&script::session()).map_err(|e| in_words(&e))?;
                let role = new.query_one("SELECT pg_is_in_recovery()", &[]);
                standby = Some(role.and_then(|r| r.try_get(0)).map_err(|e| in_words(&e))?);
                settings = Some(copied(&mut new, &script::settings())?);
                client.insert(new)
            }
        };
        let sessions = copied(open, &script::sessions())?;
        Ok(Snapshot { settings, standby, sessions })
    }
}

/// One snapshot, as CSV with a header; settings and role with the first of each connection.
pub struct Snapshot {
    pub settings: Option<Vec<u8>>,
    pub standby: Option<bool>,
    pub sessions: Vec<u8>,
}

/// A snapshot, or why there is none.
pub type Told = std::result::Result<Snapshot, String>;

/// The way to a server's thread.
pub struct Line {
    ask: SyncSender<()>,
    told: Receiver<Told>,
    /// The last question has no answer yet.
    waiting: bool,
}

impl Line {
    /// Asks for a snapshot unless one is still to come, and waits so long; `None` where nothing came.
    pub fn snapshot(&mut self, patience: Duration) -> Option<Told> {
        if !self.waiting {
            self.waiting = self.ask.send(()).is_ok();
        }
        match self.told.recv_timeout(patience) {
            Ok(told) => {
                self.waiting = false;
                Some(told)
            }
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                Some(Err("the connection's thread ended".into()))
            }
        }
    }
}

/// Runs a query on the server and takes its rows as CSV with a header.
fn copied(client: &mut Client, query: &str) -> std::result::Result<Vec<u8>, String> {
    let copy = format!("COPY ({query}) TO STDOUT (FORMAT csv, HEADER)");
    let rows = client.copy_out(copy.as_str()).map_err(|e| in_words(&e))?;
    let mut text = Vec::new();
    rows.take(SNAPSHOT_BYTES_MAX + 1).read_to_end(&mut text).map_err(|e| said(&e))?;
    match text.len() as u64 > SNAPSHOT_BYTES_MAX {
        true => Err(format!("a snapshot is larger than {} MiB", SNAPSHOT_BYTES_MAX >> 20)),
        false => Ok(text),
    }
}

/// The server's own words where there are any.
fn in_words(e: &postgres::Error) -> String {
    match e.as_db_error() {
        Some(db) => format!("{}: {} ({})", db.severity(), db.message(), db.code().code()),
        None => match std::error::Error::source(e) {
            Some(why) => format!("{e}: {why}"),
            None => e.to_string(),
        },
    }
}

fn said(e: &std::io::Error) -> String {
    let inner = e.get_ref().and_then(|inner| inner.downcast_ref::<postgres::Error>());
    inner.map_or_else(|| e.to_string(), in_words)
}

/// A connection string without `sslmode=verify-…`, which the client does not know, and whether it
/// was there.
fn without_verify(text: &str) -> (String, bool) {
    let modes = ["sslmode=verify-full", "sslmode=verify-ca"];
    let verify = modes.iter().any(|m| text.contains(m));
    (modes.iter().fold(text.to_owned(), |t, m| t.replace(m, "sslmode=require")), verify)
}

/// What a server is called by: the first label of its host, or its port where the host is a number.
fn name_of(host: &str, port: u16) -> String {
    let label = host.trim_start_matches('/').split('.').next().unwrap_or_default();
    let fits = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = label.chars().map(fits).collect();
    let is_name = name.contains(|c: char| c.is_ascii_alphabetic()) && !host.contains([':', '/']);
    match is_name {
        true => name,
        false => format!("pg-{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str, password: Option<&str>) -> Result<Server> {
        let passwords = Passwords { given: password.map(Secret::new), file: None };
        Server::new(text, &passwords, &Roots::default())
    }

    #[test]
    fn connection_strings_are_read_as_libpq_does() {
        let s = server("postgres://joe@db1.prod:5433/shop", Some("pw")).expect("a URL");
        assert_eq!((s.name.as_str(), s.shown.as_str()), ("db1", "db1.prod:5433/shop as joe"));
        assert_eq!(s.secret(), Some(Secret::new("pw")));
        let s = server("host=127.0.0.1 port=15432 user=u dbname=d sslmode=verify-full", None);
        let s = s.expect("pairs");
        assert_eq!((s.name.as_str(), s.secret()), ("pg-15432", None));
        assert_eq!(s.config.get_ssl_mode(), SslMode::Require);
        for bad in ["", "postgres://", "port=x", "host=a sslmode=maybe", "nonsense"] {
            let why = server(bad, Some("pw")).err().unwrap_or_else(|| panic!("{bad} was taken"));
            assert!(!why.to_string().contains("pw"), "{why}");
        }
    }

    #[test]
    fn a_server_that_refuses_says_why_and_is_asked_again() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        drop(listener);
        let s = server(&format!("postgres://u@127.0.0.1:{port}/d"), None).expect("a URL");
        let mut line = s.start();
        for _ in 0..2 {
            let told = line.snapshot(Duration::from_secs(20)).expect("an answer");
            assert!(told.err().expect("refused").contains("refused"));
        }
    }

    #[test]
    fn a_server_that_says_nothing_does_not_hold_the_clock() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let s = server(&format!("postgres://u@127.0.0.1:{port}/d"), None).expect("a URL");
        let mut line = s.start();
        assert!(line.snapshot(Duration::from_millis(50)).is_none());
        assert!(line.waiting && line.snapshot(Duration::from_millis(1)).is_none());
    }
}
