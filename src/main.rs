//! Arguments to the library and its answer to the terminal. The only place that prints, reads the
//! environment and exits.

use clap::Parser;
use rootline::cli::{self, Cli, Outcome, Terminal};
use rootline::error::ExitCode;
use std::env;
use std::io::{self, ErrorKind, IsTerminal, Write};
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
        Ok(outcome) => process::exit(print(&outcome)),
        Err(e) => {
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
    Terminal {
        is_terminal: io::stdout().is_terminal(),
        columns,
        no_color: env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty()),
        dumb: env::var_os("TERM").is_some_and(|v| v == "dumb"),
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
