//! JSON and lines of JSON, as they come: every string is looked at with the name it stands under. In:
//! pieces of a text. Out: the same text with other strings; white space and numbers stay as they are.
//!
//! The text need not be sound: strings are found in what is cut or torn as well.

use super::keys::{self, Class};
use super::words::Scope;
use super::{Redactor, documents, tokens};
use crate::ingest::string_end;

/// Depth to which names are followed.
const DEPTH_MAX: usize = 256;

/// Members that say what their neighbour holds: `{"key": "db.statement", "value": …}`.
const NAMES: [&str; 6] = ["key", "Key", "name", "Name", "field", "tag"];
const VALUES: [&str; 8] =
    ["value", "Value", "stringValue", "string_value", "vStr", "v", "StringValue", "values"];
/// Members that hold what a document store was told to do.
const COMMANDS: [&str; 4] = ["command", "originatingCommand", "cmdObj", "cmd"];
/// Members of an object that says who.
const WHO: [&str; 7] = ["name", "id", "login", "username", "full_name", "display_name", "uid"];

#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    object: bool,
    /// The next string is a name.
    at_name: bool,
    /// What the value that comes next is.
    class: Class,
    /// What is known of the whole object or list.
    inherited: Class,
    /// What a `key` member said of its neighbour.
    told: Class,
    /// The value that comes next says what its neighbour is.
    tells: bool,
    takes: bool,
    /// The value that comes next is a command of a document store, if it is an object.
    command: bool,
}

/// A walk through one text.
pub(super) struct Walk {
    stack: Vec<Frame>,
    /// Levels below the deepest that is followed.
    below: usize,
    line: u64,
    fresh_line: bool,
    /// The last byte that is no white space, or what stands for a value.
    last: u8,
}

impl Walk {
    pub fn new() -> Walk {
        Walk { stack: Vec::new(), below: 0, line: 1, fresh_line: true, last: b'\n' }
    }

    /// Rewrites as much of `text` as is whole; gives the bytes used. With `last` that is all.
    pub fn feed(
        &mut self,
        text: &[u8],
        last: bool,
        all: &mut Redactor,
        out: &mut Vec<u8>,
    ) -> usize {
        let mut at = 0;
        while at < text.len() {
            match text[at] {
                b'"' => {
                    let whole = string_end(text, at).filter(|e| *e <= text.len());
                    let torn = torn_at(&text[at..whole.unwrap_or(text.len())]).map(|len| at + len);
                    match (torn, whole) {
                        // A document begins within it: its line was cut off.
                        (Some(end), _) => {
                            self.torn(&text[at..end], all, out);
                            at = end;
                        }
                        (None, Some(end)) => {
                            self.string(&text[at..end], all, out);
                            at = end;
                        }
                        (None, None) if last => {
                            self.torn(&text[at..], all, out);
                            return text.len();
                        }
                        (None, None) => return at,
                    }
                }
                byte if self.stack.is_empty() && !begins_document(byte) => {
                    // No part of a document: a line of something else.
                    let end = memchr::memchr(b'\n', &text[at..]).map(|p| at + p);
                    let Some(end) = end.or(last.then_some(text.len())) else { return at };
                    self.bare(&text[at..end], all, out);
                    at = end;
                }
                byte if is_mark(byte) => {
                    self.mark(byte);
                    out.push(byte);
                    at += 1;
                }
                _ => {
                    // What begins no value is torn: it goes on to the next string or line.
                    let torn = !begins_value(text[at]);
                    let over = |b: &u8| match torn {
                        true => matches!(b, b'"' | b'\n'),
                        false => *b == b'"' || is_mark(*b),
                    };
                    let len = text[at..].iter().position(over);
                    let Some(len) = len.or(last.then_some(text.len() - at)) else { return at };
                    self.bare(&text[at..at + len], all, out);
                    at += len;
                }
            }
        }
        at
    }

    fn mark(&mut self, byte: u8) {
        match byte {
            b'\n' => {
                self.line += 1;
                self.fresh_line = true;
                return;
            }
            b' ' | b'\t' | b'\r' => return,
            b'{' if self.fresh_line && !matches!(self.last, b'[' | b',' | b':') => {
                // A document begins on a line of its own whatever was torn before it.
                self.stack.clear();
                self.below = 0;
                self.open(true);
            }
            b'{' | b'[' => self.open(byte == b'{'),
            b'}' | b']' => match self.below {
                0 => drop(self.stack.pop()),
                _ => self.below -= 1,
            },
            b':' => self.set_name(false),
            _ => self.set_name(true),
        }
        self.last = byte;
        self.fresh_line = false;
    }

    fn set_name(&mut self, next: bool) {
        if self.below == 0
            && let Some(top) = self.stack.last_mut()
        {
            top.at_name = next && top.object;
            if next && top.object {
                top.class = top.inherited;
            }
        }
    }

    fn open(&mut self, object: bool) {
        if self.stack.len() >= DEPTH_MAX {
            self.below += 1;
            return;
        }
        let above = self.stack.last().copied().unwrap_or_default();
        let inherited = match above.class {
            // What a document store was told to do, as it writes it into its log.
            _ if object && above.command => Class::Data,
            // A list of statements is statements; an object called so has members of its own.
            Class::Sql if object && !above.takes => Class::Other,
            class => class,
        };
        let class = inherited;
        self.stack.push(Frame { object, at_name: object, class, inherited, ..Frame::default() });
    }

    fn class(&self) -> Class {
        self.stack.last().filter(|_| self.below == 0).map_or(Class::Other, |f| f.class)
    }

    fn string(&mut self, quoted: &[u8], all: &mut Redactor, out: &mut Vec<u8>) {
        let lines = memchr::memchr_iter(b'\n', quoted).count() as u64;
        self.line += lines;
        (self.last, self.fresh_line) = (b'"', false);
        let inner = &quoted[1..quoted.len() - 1];
        let name = self.below == 0 && self.stack.last().is_some_and(|f| f.at_name);
        let plain = std::str::from_utf8(inner).ok().filter(|t| !t.contains('\\'));
        let owned;
        let text = match plain {
            Some(text) => text,
            None => {
                let read = serde_json::from_slice::<String>(quoted);
                owned = read.unwrap_or_else(|_| String::from_utf8_lossy(inner).into_owned());
                &owned
            }
        };
        let new = match name {
            true => {
                self.named(text);
                all.value(Class::Other, text, self.line)
            }
            false => {
                let class = self.class();
                self.told(text);
                self.option(text);
                all.value(class, text, self.line)
            }
        };
        match new {
            Some(new) => out.extend(serde_json::Value::from(new).to_string().into_bytes()),
            None => out.extend_from_slice(quoted),
        }
    }

    /// A member's name: what it says of its value.
    fn named(&mut self, name: &str) {
        let Some(top) = self.stack.last_mut() else { return };
        let own = keys::class(name);
        top.takes = VALUES.contains(&name);
        top.command = COMMANDS.contains(&name);
        top.tells = NAMES.contains(&name);
        top.class = match own {
            Class::Other if top.takes && top.told != Class::Other => top.told,
            Class::Other if top.inherited == Class::User => match WHO.contains(&name) {
                true => Class::User,
                false if top.takes => Class::User,
                false => Class::Other,
            },
            Class::Other if top.inherited == Class::Data && documents::is_named(name) => {
                Class::Other
            }
            Class::Other | Class::Sql if top.inherited == Class::Data => Class::Data,
            Class::Other => top.inherited,
            own => own,
        };
    }

    /// A member's value that names its neighbour.
    fn told(&mut self, value: &str) {
        if let Some(top) = self.stack.last_mut().filter(|f| f.tells) {
            top.told = keys::class(value);
        }
    }

    /// An option in a list of arguments: what it says of the string behind it.
    fn option(&mut self, text: &str) {
        if let Some(top) = self.stack.last_mut().filter(|f| !f.object) {
            let option = text.starts_with('-') && !text.contains(['=', ' ']);
            top.class = if option { keys::class(text) } else { top.inherited };
        }
    }

    /// What stands outside strings: numbers and words, and in a torn text anything.
    fn bare(&mut self, text: &[u8], all: &mut Redactor, out: &mut Vec<u8>) {
        (self.last, self.fresh_line) = (b'"', false);
        let class = self.class();
        let digits = text.len() > 3 && text.iter().all(u8::is_ascii_digit);
        let shown = String::from_utf8_lossy(text);
        let new = match class {
            Class::Secret | Class::Header if digits && !tokens::is_token(&shown) => {
                all.value(Class::Secret, &shown, self.line)
            }
            Class::Data if text.len() > 1 && text.iter().all(u8::is_ascii_digit) => {
                all.value(Class::Data, &shown, self.line)
            }
            // A token is no number: it is a string.
            _ if is_number(text) && all.is_custom(&shown) => {
                let new = all.value(Class::Other, &shown, self.line);
                new.map(|new| serde_json::Value::from(new).to_string())
            }
            _ if is_number(text) => None,
            _ => {
                let new = all.text(&shown, Scope::Value);
                all.note(self.line);
                new
            }
        };
        out.extend_from_slice(new.as_deref().map_or(text, str::as_bytes));
    }

    /// A string that the end of the text cuts.
    fn torn(&mut self, text: &[u8], all: &mut Redactor, out: &mut Vec<u8>) {
        self.last = b'"';
        let shown = String::from_utf8_lossy(&text[1..]);
        let new = all.value(self.class(), &shown, self.line);
        out.push(b'"');
        match new {
            Some(new) => {
                let written = serde_json::Value::from(new).to_string();
                out.extend(&written.as_bytes()[1..written.len() - 1]);
            }
            None => out.extend_from_slice(&text[1..]),
        }
    }
}

/// Where a string is cut off by the end of its line, because the next one begins a document.
fn torn_at(string: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', string).find(|at| string[at + 1..].starts_with(b"{\""))
}

/// Says whether a byte may stand at the beginning of a document, or between two.
fn begins_document(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'{' | b'[' | b']' | b'}' | b',' | b'"')
}

/// Says whether a byte begins a number, `true`, `false`, `null`, `NaN` or `Infinity`.
fn begins_value(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'-' | b't' | b'f' | b'n' | b'N' | b'I')
}

fn is_mark(byte: u8) -> bool {
    matches!(byte, b'{' | b'}' | b'[' | b']' | b',' | b':' | b' ' | b'\t' | b'\r' | b'\n')
}

fn is_number(text: &[u8]) -> bool {
    matches!(text, b"true" | b"false" | b"null" | b"NaN")
        || text.iter().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E'))
            && text.iter().filter(|b| **b == b'.').count() < 2
}
