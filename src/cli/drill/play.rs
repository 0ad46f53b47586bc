//! How a drill is played: by a person at a terminal or a pipe, or from a script.

use super::super::Outcome;
use super::load::Loaded;
use crate::drill::progress::Session;
use crate::drill::{Ask, Game, Level, Rerun};
use crate::error::{Error, Result};
use crate::report::Style;
use std::fs;
use std::io::{self, BufRead, ErrorKind, IsTerminal, Read, Write};
use std::path::Path;

/// Longest line and longest script that are read, bytes.
const LINE_MAX: u64 = 4 << 10;
const SCRIPT_MAX: u64 = 1 << 20;

/// Level, seed, and whether a game master plays.
pub type Chosen = (Level, u64, bool);
/// Keeps a session: as a new one without a number, else in its place.
pub type Keep<'a> = dyn FnMut(&Session, Option<u32>) -> Result<Option<u32>> + 'a;

/// Lines of a script.
///
/// # Errors
///
/// When it cannot be read, or is no script by its size.
pub fn script(path: &Path) -> Result<Vec<String>> {
    Ok(text(path, SCRIPT_MAX, "script")?.lines().map(str::to_owned).collect())
}

/// Text of a file that is no longer than `most` bytes.
pub fn text(path: &Path, most: u64, what: &str) -> Result<String> {
    let place = path.display().to_string();
    let fail = |e: io::Error| Error::usage(place.clone(), e.to_string());
    if fs::metadata(path).map_err(fail)?.len() > most {
        return Err(Error::usage(place, format!("too long for a {what}")));
    }
    fs::read_to_string(path).map_err(fail)
}

/// Plays lines and gives everything that a terminal would have shown.
pub fn transcript(loaded: &mut Loaded, chosen: Chosen, lines: &[String], style: &Style) -> String {
    let Loaded { case, simulated, .. } = loaded;
    let mut rerun = simulated.as_mut().map(|s| move |ask: Ask| s.answer(ask));
    let rerun = rerun.as_mut().map(|r| r as &mut Rerun);
    let mut game = Game::new(case, chosen, *style, rerun);
    let mut out = game.opening();
    if chosen.2 {
        out.push_str(&game.execute("truth").text);
    }
    for line in lines.iter().filter(|l| !l.trim().is_empty()) {
        out.push('\n');
        out.push_str(&crate::report::plain::prose(
            &format!("{}{line}", game.prompt()),
            style.ascii,
        ));
        out.push('\n');
        let reply = game.execute(line);
        out.push_str(&reply.text);
        if reply.over {
            break;
        }
    }
    out
}

/// Plays line by line until the drill or the input ends; every line that did something is kept.
pub fn interactive(
    loaded: &mut Loaded,
    chosen: Chosen,
    earlier: &[String],
    style: &Style,
    keep: &mut Keep,
    mut number: Option<u32>,
    name: &str,
) -> Result<Outcome> {
    let Loaded { case, simulated, progress } = loaded;
    let mut rerun = simulated.as_mut().map(|s| move |ask: Ask| s.answer(ask));
    let rerun = rerun.as_mut().map(|r| r as &mut Rerun);
    let mut game = Game::new(case, chosen, *style, rerun);
    let prompts = io::stdin().is_terminal();
    let (mut input, mut out) = (io::stdin().lock(), io::stdout().lock());
    let fail = |e: io::Error| Error::runtime("", e.to_string());
    // The line of progress still stands where the page begins.
    let wiped = if *progress && prompts { "\r\u{1b}[K" } else { "" };
    let mut said = format!("{wiped}{}", game.opening());
    if chosen.2 {
        said.push_str(&game.execute("truth").text);
    }
    for line in earlier {
        said.push_str(&format!("\n{}{line}\n{}", game.prompt(), game.execute(line).text));
    }
    number = keep(&Session::of(&game, name), number)?;
    loop {
        let shown = if prompts && !(game.over || game.left) {
            format!("\n{}", game.prompt())
        } else {
            String::new()
        };
        match write!(out, "{said}{shown}").and_then(|()| out.flush()) {
            // The other side has gone: what was played is kept.
            Err(e) if e.kind() == ErrorKind::BrokenPipe => break,
            written => written.map_err(fail)?,
        }
        if game.over || game.left {
            break;
        }
        let Some(line) = line(&mut input).map_err(fail)? else {
            // The end of the input leaves the cursor behind the prompt.
            said = if prompts { "\n".to_owned() } else { String::new() };
            game.left = true;
            continue;
        };
        let before = game.lines.len();
        said = game.execute(&line).text;
        if game.lines.len() > before {
            number = keep(&Session::of(&game, name), number)?;
        }
    }
    let kept = number.map_or(String::new(), |n| n.to_string());
    let after = match game.over {
        true => format!(
            "kept as {kept}: `rootline drill replay {kept}`, `rootline drill export {kept} --md`\n"
        ),
        false => format!("kept as {kept}: `rootline drill resume {kept}` goes on\n"),
    };
    Ok(Outcome { stderr: after, ..Outcome::text(String::new()) })
}

/// The next line without its end, `None` at the end of the input; what is too long is cut, and what
/// is no UTF-8 replaced.
fn line(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    if input.by_ref().take(LINE_MAX).read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    // The rest of a line that is too long is no line of its own.
    while bytes.len() as u64 == LINE_MAX && bytes.last() != Some(&b'\n') {
        let mut rest = Vec::new();
        if input.by_ref().take(LINE_MAX).read_until(b'\n', &mut rest)? == 0
            || rest.last() == Some(&b'\n')
        {
            break;
        }
    }
    Ok(Some(String::from_utf8_lossy(&bytes).trim_end().to_owned()))
}
