//! The only part that touches the terminal: opens it, reads keys, and gives it back whatever happens.

use super::app::{App, Effect};
use super::draw::draw;
use crate::diagnosis::TriageNotes;
use crate::error::{Error, Result};
use crate::record::base64;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use std::io::{self, Write};

/// Gives the terminal back when it goes out of scope; `try_init` does the same on a panic.
struct Restored;

impl Drop for Restored {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Runs the view until the person leaves it; `export` writes notes to a new file and names it.
///
/// # Errors
///
/// When the terminal cannot be opened, drawn on or read.
pub fn run(app: &mut App, export: &dyn Fn(&TriageNotes) -> Result<String>) -> Result<()> {
    let fail = |e: io::Error| Error::runtime("terminal", e.to_string());
    let mut terminal = ratatui::try_init().map_err(fail)?;
    let _restored = Restored;
    loop {
        let size = terminal.size().map_err(fail)?;
        app.size = (size.width, size.height);
        terminal.draw(|frame| draw(frame, app)).map_err(fail)?;
        let key = match event::read().map_err(fail)? {
            Event::Key(key) if key.kind != KeyEventKind::Release => key,
            // A new size is drawn at once; anything else changes nothing.
            _ => continue,
        };
        match app.key(key) {
            Effect::None => {}
            Effect::Quit => return Ok(()),
            Effect::Copy(text) => {
                let sent = to_clipboard(&mut io::stdout(), &text);
                if let Err(e) = sent {
                    app.message = Some(format!("not copied: {e}"));
                }
            }
            Effect::Export => {
                app.message = Some(match export(&app.notes()) {
                    Ok(path) => format!("written: {path}"),
                    Err(e) => format!("not written: {e}"),
                });
            }
        }
    }
}

/// Asks the terminal to take a text into its clipboard (OSC 52): works over ssh, without a mouse.
pub fn to_clipboard(out: &mut impl Write, text: &str) -> io::Result<()> {
    write!(out, "\x1b]52;c;{}\x07", base64(text.as_bytes()))?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clipboard_gets_the_text_as_rfc_4648_has_it() {
        let words = ["", "f", "fo", "foo", "foob", "fooba", "foobar"];
        let coded = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        assert_eq!(words.map(|w| base64(w.as_bytes())), coded);
        let mut out = Vec::new();
        to_clipboard(&mut out, "foo").expect("a vector takes everything");
        assert_eq!(out, b"\x1b]52;c;Zm9v\x07");
    }
}
