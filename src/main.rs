//! Arguments to the library and its answer to the terminal. The only place that prints, reads the
//! environment and exits.

#![forbid(unsafe_code)]

use clap::Parser;
use rootline::cli::{self, Cli, Outcome, Terminal};
use rootline::error::ExitCode;
use rootline::ingest::Progress;
use std::env;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use std::{panic, process};

fn main() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        // What a decoder trips over becomes a gap of the report: it is no defect of the program.
        if !rootline::ingest::in_guarded_decoder() {
            usual(info);
        }
    }));
    let args = match Cli::try_parse() {
        Ok(args) => args,
        Err(e) => {
            let code = if e.use_stderr() { ExitCode::Usage as i32 } else { 0 };
            // Nothing is left to tell the user if the terminal itself is gone.
            let _ = e.print();
            process::exit(code);
        }
    };
    match cli::run(&args, terminal()) {
        Ok(outcome) => {
            clear_progress();
            process::exit(print(&outcome))
        }
        Err(e) => {
            clear_progress();
            eprintln!("error: {e}");
            if let Some(hint) = &e.hint {
                eprintln!("hint: {hint}");
            }
            process::exit(e.code as i32);
        }
    }
}

fn terminal() -> Terminal {
    let columns = terminal_size::terminal_size().map(|(w, _)| w.0);
    let columns = columns.or_else(|| env::var("COLUMNS").ok().and_then(|c| c.parse().ok()));
    let dumb = env::var_os("TERM").is_some_and(|v| v == "dumb");
    STARTED.get_or_init(Instant::now);
    Terminal {
        is_terminal: io::stdout().is_terminal(),
        columns,
        no_color: env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty()),
        dumb,
        progress: (io::stderr().is_terminal() && !dumb).then_some(progress as fn(Progress)),
        variable: |name| env::var(name).ok(),
        say: |line| eprintln!("{}", rootline::error::shown(line)),
    }
}

/// When the program started.
static STARTED: OnceLock<Instant> = OnceLock::new();
/// Milliseconds from then to the line of progress that stands on the terminal; 0 when none does.
static SHOWN: AtomicU64 = AtomicU64::new(0);
/// A run that is shorter shows no progress, milliseconds.
const PATIENCE: u64 = 700;
/// Pause between two lines of progress, milliseconds: fast enough to look alive.
const PAUSE: u64 = 100;

/// Rewrites one line of standard error, unless the run is short or has just said something.
fn progress(p: Progress) {
    let passed = STARTED.get().map_or(0, |s| s.elapsed().as_millis() as u64);
    let shown = SHOWN.load(Ordering::Relaxed);
    if passed < PATIENCE || (passed < shown + PAUSE && p.done < p.files) {
        return;
    }
    SHOWN.store(passed, Ordering::Relaxed);
    let said = match p.done == p.files {
        true => format!("\r\x1b[Kread {} files, looking for the cause", p.files),
        false => format!("\r\x1b[Kread {} of {} files", p.done, p.files),
    };
    // One write, so that no half of a line is seen.
    eprint!("{said}");
}

/// Takes the line of progress away before anything else is written.
fn clear_progress() {
    if SHOWN.load(Ordering::Relaxed) > 0 {
        eprint!("\r\x1b[K");
    }
}

/// Prints and gives the exit code; a closed pipe (`| head`) is not an error.
fn print(outcome: &Outcome) -> i32 {
    let mut out = io::stdout().lock();
    let written = out.write_all(outcome.stdout.as_bytes()).and_then(|()| out.flush());
    match written {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            eprintln!("error: cannot write the report: {e}");
            return ExitCode::Runtime as i32;
        }
        _ => eprint!("{}", outcome.stderr),
    }
    outcome.code as i32
}
